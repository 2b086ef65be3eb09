//! How a request that was not done is told: what, why, what to do.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use marsad_shared::{
    protocol::{Problem, ProblemCode},
    role::{Act, Roles, least},
    store::StoreError,
};

/// There is no such thing.
pub fn not_found(what: &str, remedy: &str) -> Problem {
    problem(ProblemCode::NotFound, format!("cannot find {what}"), "there is no such thing", remedy)
}

/// The request makes no sense.
pub fn bad_request(why: impl Into<String>) -> Problem {
    problem(
        ProblemCode::BadRequest,
        "the request was not understood",
        why,
        "compare it with the documentation",
    )
}

/// It cannot be done as things stand.
pub fn conflict(what: &str, why: impl Into<String>, remedy: &str) -> Problem {
    problem(ProblemCode::Conflict, what, why, remedy)
}

/// The peer's roles do not allow it.
pub fn not_allowed(act: Act, roles: Roles) -> Problem {
    problem(
        ProblemCode::NotAllowed,
        format!("{act} was not done"),
        format!("it needs the {} role, and you have: {roles}", least(act)),
        "ask somebody who has it, or an administrator for the role",
    )
}

/// The store could not.
pub fn failed(what: &str, error: &StoreError) -> Problem {
    let code = match error {
        StoreError::Conflict(_) => ProblemCode::BadRequest,
        StoreError::Closed => ProblemCode::Unavailable,
        _ => ProblemCode::Failed,
    };
    let remedy = match code {
        ProblemCode::BadRequest => "mend it and ask again",
        ProblemCode::Unavailable => "marsadd is stopping; ask again when it runs",
        _ => "see the daemon's log; it goes on by itself when that is mended",
    };
    problem(code, what, error.to_string(), remedy)
}

/// The daemon is stopping.
pub fn unavailable() -> Problem {
    failed("it was not done", &StoreError::Closed)
}

fn problem(
    code: ProblemCode,
    what: impl Into<String>,
    why: impl Into<String>,
    remedy: impl Into<String>,
) -> Problem {
    Problem { code, what: what.into(), why: why.into(), remedy: remedy.into() }
}

/// A [`Problem`] as an answer.
pub struct Refusal(pub Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.0)).into_response()
    }
}

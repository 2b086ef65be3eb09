//! `marsad check`: monitoring's question, answered in one line and by the exit code.
//!
//! What is asked is read in one piece (a [`Snapshot`]); the verdict over it is a pure function.

use std::time::Duration;

use jiff::Timestamp;
use marsad_shared::protocol::{ConnectionRow, FeedRow, ListQuery, ProblemCode, Status};

mod perf;
mod range;
mod report;
mod select;
mod subject;
mod verdict;

pub(super) use self::{
    range::Range,
    report::Report,
    subject::Subject,
    verdict::{of_connection, of_freshness, of_health, tone},
};
use self::{report::unanswered, verdict::judge};
use super::args::{self, Handled};
use crate::client::{Answer, Client, ClientError, Listed};

/// Nagios' four words, in the order of its codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Code {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Code {
    /// The exit code.
    pub(super) const fn number(self) -> u8 {
        self as u8
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// How bad it is: what is unknown is worse than well, and better than a trouble that is known.
    pub(super) const fn rank(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unknown => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        }
    }

    const fn worst(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) subject: Option<Subject>,
    pub(super) warning: Option<Range>,
    pub(super) critical: Option<Range>,
    pub(super) handled: Handled,
}

/// All that the verdict looks at.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) status: Status,
    pub(super) connections: Vec<ConnectionRow>,
    pub(super) feeds: Vec<FeedRow>,
}

impl Snapshot {
    pub(super) async fn take(client: &Client) -> Answer<Self> {
        Ok(Self {
            status: client.status().await?,
            connections: every(client).await?,
            feeds: every(client).await?,
        })
    }
}

/// A configured list, whole: its length is that of the configuration.
async fn every<T: Listed<Of = ()>>(client: &Client) -> Answer<Vec<T>> {
    let mut pages = client.pages((), ListQuery { limit: Some(0), ..ListQuery::default() });
    let mut rows = Vec::new();
    while let Some(page) = pages.next().await? {
        rows.extend(page);
    }
    Ok(rows)
}

/// Asks and judges, within the check's own time.
pub(super) async fn run(
    check: &args::Check,
    client: Result<Client, String>,
    now: impl Fn() -> Timestamp,
) -> Report {
    let question = Question {
        subject: check.subject.clone(),
        warning: check.warning.clone(),
        critical: check.critical.clone(),
        handled: check.handled,
    };
    let client = match client {
        Ok(client) => client,
        Err(error) => return unanswered(now(), Code::Unknown, &error),
    };
    let time = Duration::from_secs(check.timeout);
    match tokio::time::timeout(time, Snapshot::take(&client)).await {
        Ok(Ok(snapshot)) => judge(now(), &snapshot, &question),
        Ok(Err(error)) => unanswered(now(), code_of(&error), &error.to_string()),
        Err(_) => unanswered(now(), Code::Unknown, &format!("no answer within {}s", check.timeout)),
    }
}

/// A daemon that does not run is a trouble; that we may not ask it, or cannot understand it, says nothing of it.
fn code_of(error: &ClientError) -> Code {
    match error {
        ClientError::Unreachable { .. } => Code::Critical,
        ClientError::Problem(problem) if problem.code == ProblemCode::Unavailable => Code::Critical,
        ClientError::Problem(_) | ClientError::Offline(_) | ClientError::Garbled(_) => {
            Code::Unknown
        }
    }
}

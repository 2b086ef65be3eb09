//! How a command ends that does not end well: what failed, why, what to do; and the exit code.

use std::{io, process::ExitCode};

use marsad_shared::{
    protocol::{Problem, ProblemCode},
    untrusted::show,
};

use crate::client::ClientError;

/// What every command ends with.
pub(super) type Done = Result<(), Fail>;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Fail {
    /// There is no answer, or the answer is no.
    Client(ClientError),
    /// What was written on the command line makes no sense together.
    Usage(&'static str),
    /// Something on this machine.
    Here { what: String, why: String, remedy: String },
    /// The answer was written, and is itself bad news: its exit code.
    Said(u8),
    /// The answer could not be written.
    Output(io::Error),
}

pub(super) const FAILED: u8 = 1;
pub(super) const USAGE: u8 = 2;
const NOT_ALLOWED: u8 = 3;
const UNREACHABLE: u8 = 4;
/// Waited, and what was waited for failed.
pub(super) const WAITED: u8 = 5;

impl Fail {
    pub(super) fn here(
        what: impl Into<String>,
        why: &dyn ToString,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Here { what: what.into(), why: why.to_string(), remedy: remedy.into() }
    }

    /// The exit code (DESIGN section 7). Whoever closed the pipe has seen enough: that is no failure.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Client(ClientError::Problem(problem)) => match problem.code {
                ProblemCode::BadRequest => USAGE,
                ProblemCode::NotAllowed => NOT_ALLOWED,
                ProblemCode::Unavailable => UNREACHABLE,
                ProblemCode::NotFound
                | ProblemCode::Conflict
                | ProblemCode::TooLarge
                | ProblemCode::Failed => FAILED,
            },
            Self::Client(ClientError::Unreachable { .. } | ClientError::Offline(_)) => UNREACHABLE,
            Self::Usage(_) => USAGE,
            Self::Said(code) => *code,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Client(ClientError::Garbled(_)) | Self::Here { .. } | Self::Output(_) => FAILED,
        }
    }

    /// What goes to stderr; nothing where all is said, or nobody listens.
    pub(super) fn text(&self) -> Option<String> {
        let (what, why, remedy) = self.told()?;
        Some(format!("marsad: {}\n  why: {}\n  do:  {}\n", show(&what), show(&why), show(&remedy)))
    }

    /// What failed and why, for a place that has one line.
    pub(super) fn line(&self) -> String {
        self.told().map(|(what, why, _)| format!("{what}: {why}")).unwrap_or_default()
    }

    fn told(&self) -> Option<(String, String, String)> {
        match self {
            Self::Client(error) => {
                let Problem { what, why, remedy, .. } = error.told();
                Some((what, why, remedy))
            }
            Self::Usage(why) => Some((
                "the command makes no sense".to_owned(),
                (*why).to_owned(),
                "see --help".to_owned(),
            )),
            Self::Here { what, why, remedy } => Some((what.clone(), why.clone(), remedy.clone())),
            Self::Output(error) if error.kind() != io::ErrorKind::BrokenPipe => Some((
                "cannot write the answer".to_owned(),
                error.to_string(),
                "see where the output goes".to_owned(),
            )),
            Self::Said(_) | Self::Output(_) => None,
        }
    }

    pub(super) fn exit(&self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

impl From<ClientError> for Fail {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: ProblemCode) -> Fail {
        let text = |text: &str| text.to_owned();
        Fail::Client(
            Problem { code, what: text("cannot"), why: text("because"), remedy: text("wait") }
                .into(),
        )
    }

    #[test]
    fn every_failure_has_its_exit_code() {
        let socket = "/run/marsad/marsad.sock".into();
        for (fail, code) in [
            (problem(ProblemCode::BadRequest), 2),
            (problem(ProblemCode::NotAllowed), 3),
            (problem(ProblemCode::NotFound), 1),
            (problem(ProblemCode::Conflict), 1),
            (problem(ProblemCode::TooLarge), 1),
            (problem(ProblemCode::Failed), 1),
            (problem(ProblemCode::Unavailable), 4),
            (ClientError::Unreachable { socket, why: String::new() }.into(), 4),
            (ClientError::Offline("sending").into(), 4),
            (ClientError::Garbled(String::new()).into(), 1),
            (Fail::here("cannot read a.json", &"no such file", "name another"), 1),
            (Fail::Usage("two places"), 2),
            (Fail::Said(WAITED), 5),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), 0),
            (io::Error::from(io::ErrorKind::StorageFull).into(), 1),
        ] {
            assert_eq!(fail.code(), code, "{fail:?}");
        }
    }

    #[test]
    fn an_error_says_what_why_and_what_to_do_and_nothing_that_a_terminal_obeys() {
        let told = Problem {
            code: ProblemCode::Failed,
            what: "cannot read \u{1b}[2J".to_owned(),
            why: "it is\nodd".to_owned(),
            remedy: "mend it".to_owned(),
        };
        assert_eq!(
            Fail::Client(told.into()).text().unwrap(),
            "marsad: cannot read \\u{1b}[2J\n  why: it is\\u{a}odd\n  do:  mend it\n"
        );
        assert_eq!(Fail::from(io::Error::from(io::ErrorKind::BrokenPipe)).text(), None);
        assert_eq!(Fail::Said(5).text(), None);
        let gone = ClientError::Unreachable {
            socket: "/s".into(),
            why: "nobody listens there".to_owned(),
        };
        assert!(Fail::from(gone).text().unwrap().contains("--offline STATE_DIR"));
    }
}

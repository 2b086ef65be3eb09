//! Why a run did not reach its end: one word for all the ways, with what each means for the run, the connection's
//! health and the next try.

use std::error::Error as _;

use marsad_shared::{
    drift::Drift,
    health::{PollResult, Reason},
    id::FeedId,
    run::Outcome,
    store::StoreError,
    untrusted::show_at_most,
};

use crate::{
    decode::DecodeError,
    source::{fault::FetchError, walk::WalkError},
};

/// The longest reason of a run, in characters: partners write into it.
const REASON_MAX: usize = 600;

/// What ended a run before its time.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{place}: {error}")]
    Decode { place: String, error: DecodeError },
    #[error(transparent)]
    Walk(#[from] WalkError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The source file could not be read, or changed while it was.
    #[error("{0}")]
    File(String),
    /// Rows are unaccounted for: our bug, and never green (promise 2).
    #[error("the run does not balance: {0}; nothing of it can be trusted, report this")]
    Unbalanced(String),
    /// The partner has forgotten what changed since our last read.
    #[error(
        "the partner no longer keeps what changed since {since} ({status}); a full read brings the rest, and finds no deletions: order it with `resync --full`"
    )]
    CursorLost { since: String, status: u16 },
    /// It is asked for each record of another feed, and those that are known already are not all there are.
    #[error(
        "{0} was never read to its end: nobody knows yet whom to ask for; it is tried again in a minute"
    )]
    NoParent(FeedId),
    /// A person has cancelled it.
    #[error("cancelled by {0}; {1}")]
    Cancelled(String, &'static str),
    /// The daemon stops.
    #[error("marsadd was stopped; the next run goes on where this one was")]
    Stopped,
}

impl Trouble {
    /// A page or file that cannot be read to its end.
    pub fn decode(place: impl Into<String>, error: DecodeError) -> Self {
        Self::Decode { place: place.into(), error }
    }

    /// The same with each text in which a partner's words may stand as `rewrite` has it.
    #[must_use]
    pub fn rewritten(self, rewrite: impl Fn(&str) -> String) -> Self {
        match self {
            // What is ours was looked through before, or says nothing of a partner.
            Self::Fetch(error) if !error.is_ours() => Self::Fetch(error.rewritten(rewrite)),
            Self::Decode { place, error } => {
                Self::Decode { place, error: error.rewritten(rewrite) }
            }
            Self::Walk(WalkError::OtherOrigin { origin }) => {
                Self::Walk(WalkError::OtherOrigin { origin: rewrite(&origin) })
            }
            Self::Walk(WalkError::OtherFile { origin }) => {
                Self::Walk(WalkError::OtherFile { origin: rewrite(&origin) })
            }
            Self::Store(StoreError::Layout(text)) => {
                Self::Store(StoreError::Layout(rewrite(&text)))
            }
            other => other,
        }
    }

    /// The reason among the closed set, where there is one.
    pub fn reason(&self) -> Option<Reason> {
        Some(match self {
            Self::Fetch(error) => return error.reason(),
            Self::Decode { error, .. } => error.reason(),
            // It may be right as it is: the measure is ours.
            Self::Walk(WalkError::TooMany { .. } | WalkError::TooManyRecords { .. }) => {
                Reason::TooLarge
            }
            Self::Walk(_) => Reason::RemoteFault,
            Self::CursorLost { .. } => Reason::Http4xx,
            Self::Store(error) => reason_of(error)?,
            Self::File(_) => Reason::Disk,
            Self::NoParent(_) | Self::Unbalanced(_) | Self::Stopped | Self::Cancelled(..) => {
                return None;
            }
        })
    }

    /// What it says of the connection.
    pub fn result(&self) -> PollResult {
        match self {
            Self::Fetch(error) => error.result(),
            // An answer without records is a good one.
            Self::Decode { error: DecodeError::Nothing, .. } => {
                PollResult::Ok { near_limit: false }
            }
            // The configuration's trouble, whoever else is at fault: it says nothing of the partner.
            Self::Store(StoreError::Layout(_)) => PollResult::Skipped,
            other => other.reason().map_or(PollResult::Skipped, PollResult::failed),
        }
    }

    /// How the run ends.
    pub fn outcome(&self) -> Outcome {
        match self {
            // It waits for a person.
            Self::CursorLost { .. }
            | Self::Decode { error: DecodeError::Bulk(_) | DecodeError::Drift { .. }, .. }
            | Self::Store(StoreError::Braked(_)) => Outcome::Held,
            _ if self.is_no_failure() => Outcome::Cancelled,
            _ => Outcome::Failed,
        }
    }

    /// The columns that came otherwise, where they are what ended it.
    pub fn drift(&self) -> &[Drift] {
        match self {
            Self::Decode { error: DecodeError::Drift { drift, .. }, .. } => drift,
            _ => &[],
        }
    }

    /// Whether we ended it ourselves, and go on with it by ourselves.
    pub const fn is_no_failure(&self) -> bool {
        matches!(
            self,
            Self::NoParent(_)
                | Self::Stopped
                | Self::Cancelled(..)
                | Self::Fetch(FetchError::Held { .. })
        )
    }

    /// What happened, where and what to do, safe for any screen.
    pub fn text(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        show_at_most(&text, REASON_MAX)
    }

    /// The same without where, for whoever shows that beside it.
    pub fn what(&self) -> String {
        match self {
            Self::Decode { error, .. } => show_at_most(&error.to_string(), REASON_MAX),
            other => other.text(),
        }
    }

    /// Whether what came to nothing by it may come about later as it is: a moment's trouble, a wait, or our own.
    pub fn may_pass(&self) -> bool {
        let waits =
            matches!(self, Self::Fetch(FetchError::Throttled { .. } | FetchError::Held { .. }));
        waits || self.is_transient() || self.reason().is_some_and(Reason::is_local)
    }

    /// Whether nobody was there to answer.
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Fetch(error) if error.is_outage())
    }

    /// Whether the same page may come whole a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Fetch(FetchError::Transient { .. })
                | Self::Decode {
                    error: DecodeError::Truncated { .. }
                        | DecodeError::Broken(_)
                        | DecodeError::Remote { retryable: true, .. },
                    ..
                }
        )
    }
}

/// Our own reason behind a store's refusal; a layout that does not fit is the configuration's.
fn reason_of(error: &StoreError) -> Option<Reason> {
    match error {
        StoreError::Busy(_) => Some(Reason::DbBusy),
        StoreError::Layout(_) => Some(Reason::Schema),
        StoreError::Conflict(_) | StoreError::Braked(_) => None,
        StoreError::Commit(error) => reason_of(error),
        _ => Some(Reason::Disk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_person_is_held_and_the_rest_has_failed() {
        let decode = |error| Trouble::decode("page 1", error);
        for (trouble, expected) in [
            (decode(DecodeError::Bulk("all at once".to_owned())), Outcome::Held),
            (Trouble::CursorLost { since: "x".to_owned(), status: 410 }, Outcome::Held),
            (
                decode(DecodeError::Drift {
                    drift: Vec::new(),
                    text: "lacks".to_owned(),
                    remedy: crate::decode::DECIDE,
                }),
                Outcome::Held,
            ),
            (decode(DecodeError::Layout("other".to_owned())), Outcome::Failed),
            (Trouble::Stopped, Outcome::Cancelled),
        ] {
            assert_eq!(trouble.outcome(), expected, "{trouble}");
        }
    }
}

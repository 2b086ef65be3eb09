//! What a client may ask for, and how the daemon answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Alike, BudgetRow};
use crate::{
    exchange::State,
    id::{ExchangeId, FeedId, RunId},
    word::words,
};

/// Which rows of a list, and how many. Each list takes the filters that its rows have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// At most so many; by default [`super::LIST_LIMIT`], never more than [`super::LIST_MAX`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Behind the row of this id, in the order of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The rows right before this id, still in the order of the list; empty: the last rows of all. Of runs,
    /// quarantine, exchanges and records, whose lists have no end in sight; not together with `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// Of records: as they were known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// A health, freshness, outcome, exchange state or quarantine kind, by list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Of runs: of those of one feed that failed alike, one after the other, only the last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fold: bool,
    /// Of quarantine, what is alike: a group, or an item of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Alike>,
}

/// An order to read a feed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resync {
    pub feed: FeedId,
    /// From the very beginning, not from the cursor.
    #[serde(default)]
    pub full: bool,
    /// Only what changed in a stretch of time, from here; the cursor stays where it is. Not together with `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Until here; by default the present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Full, or a stretch of time: what it loads waits, with what it would change, until it is released.
    #[serde(default)]
    pub hold: bool,
    /// Only say what it would do.
    #[serde(default)]
    pub dry_run: bool,
    /// Why, for the audit.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What became of a [`Resync`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResyncReply {
    pub feed: FeedId,
    /// The run that was ordered; null after a dry run.
    pub run: Option<RunId>,
    pub preview: Preview,
}

/// What a resync would do, as far as the past tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    pub feed: FeedId,
    /// `full`, `window`, `incremental`, or `snapshot` of a feed whose every read is one of all there is.
    pub scope: String,
    /// Where reading starts: the cursor, a time, or null for the beginning.
    pub from: Option<String>,
    /// Where it ends; null but for a window.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// The partner's budget of calls, of which each page takes one; null where nothing was agreed.
    #[serde(default)]
    pub budget: Option<BudgetRow>,
    /// The run whose figures these are, or at whose pace a stretch of time would be read; null when there was none of this
    /// scope, or nobody can tell, and then so are they.
    pub after_run: Option<RunId>,
    pub pages: Option<u64>,
    pub rows: Option<u64>,
    pub duration_s: Option<u64>,
    /// Records now in the bank, none of which is lost by it.
    pub rows_now: u64,
}

/// An order to read a feed again from an earlier point. Nothing is removed: what comes again is compared with the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewind {
    pub feed: FeedId,
    /// A value of the cursor, or the id of a move (`c7`) or of a run that moved it (`r12`); null: the beginning.
    pub to: Option<String>,
    /// Only say what it would do.
    #[serde(default)]
    pub dry_run: bool,
    /// Why, for the audit and the cursor's history.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What became of a [`Rewind`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewindReply {
    pub feed: FeedId,
    /// Whether the cursor was set; false after a dry run.
    pub done: bool,
    pub preview: RewindPreview,
}

/// What a rewind does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewindPreview {
    /// Where the cursor stood.
    pub from: Option<String>,
    /// Where it is set; null: the beginning.
    pub to: Option<String>,
    /// How far back that is: in seconds where the cursor is a time; null where it is none, or goes to the beginning.
    pub back_s: Option<u64>,
    /// The same where it counts.
    pub back: Option<u64>,
    /// From where the next run asks: `lookback` before `to`, or where a feed that was never read starts; null: the
    /// beginning.
    pub asks_from: Option<String>,
    /// Live records of the bank that lie there or behind, and would be read again; null where the cursor is no column.
    pub rows: Option<u64>,
    /// Live records, none of which is removed.
    pub rows_now: u64,
    /// Whether a walk is under way whose pages would be read anew.
    pub drops_walk: bool,
}

/// A wish to see what is masked of one record. It is in the audit before anything is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reveal {
    pub feed: FeedId,
    /// The record, as `GET /v1/records` names it.
    pub key: String,
    /// The columns; none: all that are masked.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Why, for the audit.
    pub reason: String,
}

words! {
    /// What a person decides about a run.
    pub enum RunVerb is "run verb" {
        /// It is under way, and is to end.
        Cancel = "cancel",
        /// What it holds goes into the bank.
        Release = "release",
        /// What it holds is let go.
        Discard = "discard",
        /// What it did is taken back.
        Undo = "undo",
    }
}

/// A decision about a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAct {
    pub verb: RunVerb,
    pub run: RunId,
    /// Why, for the audit.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What came of a [`RunAct`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunActReply {
    pub run: RunId,
    /// In words.
    pub said: String,
}

words! {
    /// What is done to exchanges by hand.
    pub enum ExchangeVerb is "exchange verb" {
        Retry = "retry",
        Hold = "hold",
        Release = "release",
        Cancel = "cancel",
        Confirm = "confirm",
    }
}

/// An order about exchanges. Each is judged alone: one that cannot be done does not stop the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeAct {
    pub verb: ExchangeVerb,
    pub ids: Vec<ExchangeId>,
    #[serde(default)]
    pub reason: Option<String>,
}

/// What became of one exchange of an [`ExchangeAct`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActOutcome {
    pub id: ExchangeId,
    pub done: bool,
    /// Where it stands now; null if there is no such exchange.
    pub state: Option<State>,
    /// Why it was not done.
    pub problem: Option<String>,
}

/// Whether the audit's chain holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditProof {
    pub entries: u64,
    /// The last entry's hash; empty if the chain is broken.
    pub head: String,
    /// The first thing found wrong; null if the chain holds.
    pub broken: Option<String>,
}

/// Why a request was not done: what failed, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Problem {
    pub code: ProblemCode,
    pub what: String,
    pub why: String,
    #[serde(rename = "do")]
    pub remedy: String,
}

/// What a client does differently about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The request makes no sense (400).
    BadRequest,
    /// The peer's roles do not allow it (403).
    NotAllowed,
    /// There is no such thing (404).
    NotFound,
    /// It cannot be done as things stand (409).
    Conflict,
    /// It was too large (413).
    TooLarge,
    /// The daemon could not (500).
    Failed,
    /// The daemon is stopping, or full (503).
    Unavailable,
}

impl ProblemCode {
    /// The HTTP status that carries it.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NotAllowed => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Failed => 500,
            Self::Unavailable => 503,
        }
    }
}

//! What a client may order about quarantine, and what became of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::id::{FeedId, GroupId, IdError, QuarantineId, RunId};

/// Names what is alike in quarantine: the group (`g3`), or one item of it (`q18`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Alike {
    Group(GroupId),
    Item(QuarantineId),
}

impl FromStr for Alike {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.parse() {
            Ok(group) => Ok(Self::Group(group)),
            Err(_) => text.parse().map(Self::Item),
        }
    }
}

impl TryFrom<String> for Alike {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Alike> for String {
    fn from(alike: Alike) -> Self {
        alike.to_string()
    }
}

impl fmt::Display for Alike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => id.fmt(f),
            Self::Item(id) => id.fmt(f),
        }
    }
}

/// A wish to see the whole original of an item. It is in the audit before anything is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealItem {
    /// Why, for the audit.
    pub reason: String,
}

/// Which items are meant: exactly one of `ids`, `group` and `feed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chosen {
    /// These, at most 1,000.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<QuarantineId>,
    /// All that are alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Alike>,
    /// All of a feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedId>,
    /// Of a group or a feed, none behind this one: what came since they were looked at is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to: Option<QuarantineId>,
}

/// What a [`Chosen`] comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// How many items it is.
    pub count: u64,
    /// The last of them; null where there is none.
    pub up_to: Option<QuarantineId>,
    /// Whose they are.
    pub feeds: Vec<FeedId>,
    /// Ids that were named and are not there.
    pub missing: Vec<QuarantineId>,
}

/// An order to discard items. Their bytes are gone for good; what they were stays in the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discard {
    pub what: Chosen,
    /// Only say what it would do.
    #[serde(default)]
    pub dry_run: bool,
    /// Why, for the audit; needed unless it is a dry run.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What became of a [`Discard`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardReply {
    /// False after a dry run.
    pub done: bool,
    /// How many were discarded; after a dry run, how many would be.
    pub discarded: u64,
    pub choice: Choice,
}

/// An order to shape and check items again, with the feeds as they are configured now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    pub what: Chosen,
    /// Overwrite what came later, too.
    #[serde(default)]
    pub force: bool,
    /// Only say what would become of them.
    #[serde(default)]
    pub dry_run: bool,
    /// Why, for the audit.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What became of a [`Replay`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayReply {
    /// False after a dry run.
    pub done: bool,
    pub choice: Choice,
    /// What became of the items of each feed, or would.
    pub feeds: Vec<Replayed>,
}

/// What became of the items of one feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    pub feed: FeedId,
    /// One for all rows, and one for each file; none after a dry run.
    pub runs: Vec<RunId>,
    pub received: u64,
    /// Those that are in the bank now, and out of quarantine.
    pub accepted: u64,
    /// Those that stay, each with the reason that keeps it now.
    pub refused: u64,
    /// Those of them that stay because a newer one is in the bank.
    pub newer: u64,
    /// Whole files that a dry run did not try.
    pub untried: u64,
    /// What ended it before its time; what was not come to stays as it was.
    pub problem: Option<String>,
}

//! A feed's columns, what came otherwise, and a person's decision of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    drift::{Change, Decision},
    feed::FieldType,
    id::{FeedId, RunId},
    word::words,
};

/// The columns of a feed, and what came otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRow {
    pub feed: FeedId,
    /// Whether its columns were taken from its first data, and change by decisions alone; false where the configuration
    /// declares them, or nothing has come yet.
    pub frozen: bool,
    pub columns: Vec<ColumnRow>,
    /// What is open first.
    pub drift: Vec<DriftRow>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRow {
    pub name: String,
    pub r#type: FieldType,
    pub key: bool,
    pub required: bool,
    pub sensitive: bool,
    /// Since when it is a frozen column; null where the configuration declares it.
    pub since_at: Option<Timestamp>,
    pub since_run: Option<RunId>,
}

/// A name that came otherwise than the columns say. Never a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftRow {
    pub field: String,
    pub change: Change,
    /// What is new: of which type it seems to be; null: nothing ever stood there.
    #[serde(rename = "type")]
    pub kind: Option<FieldType>,
    pub first_run: RunId,
    pub last_run: RunId,
    /// In how many runs it was met; what is decided is not counted any more.
    pub runs: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub decision: Decision,
    pub decided_at: Option<Timestamp>,
    pub actor: Option<String>,
    pub reason: Option<String>,
}

/// Which feed's columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaQuery {
    pub feed: FeedId,
}

words! {
    /// What is decided of columns that came otherwise.
    pub enum SchemaVerb is "schema verb" {
        /// It is right so from now on.
        Approve = "approve",
        /// It is not, and is not spoken of again.
        Refuse = "refuse",
    }
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaOrder {
    pub feed: FeedId,
    pub verb: SchemaVerb,
    /// The columns that it is about; none: all that are open.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Why, for the audit.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What became of a [`SchemaOrder`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaReply {
    pub feed: FeedId,
    /// What was decided.
    pub decided: Vec<DriftRow>,
    /// Columns that the feed's table has from now on.
    pub added: Vec<String>,
    /// Lines for `fields` of a feed that declares them: what was approved becomes a column once it stands there.
    pub declare: Vec<String>,
}

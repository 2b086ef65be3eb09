//! Sampling an endpoint or a file, and what is proposed for it.

use serde::{Deserialize, Serialize};

use crate::id::ConnectionId;

/// The largest sample, in bytes.
pub const SAMPLE_MAX: usize = 8 * 1024 * 1024;

/// What is to be looked at: `url`, or the file of that `name` whose first bytes are the request's body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The body is only the beginning of the file.
    #[serde(default)]
    pub cut: bool,
    /// The connection over which such data comes. Default: the one that the URL lies within, or the only one with an
    /// import folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// Where the records stand, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<String>,
}

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovered {
    pub connection: ConnectionId,
    /// What was recognised.
    pub style: String,
    /// The feed's id within its partner.
    pub feed: String,
    /// A `[[feed]]` block in TOML, for the partner's file.
    pub block: String,
    /// What was seen, and what to look after.
    pub notes: Vec<String>,
}

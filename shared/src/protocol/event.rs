//! The event stream: what changed, not what it is. A client that cares asks for the row.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of `/v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one an event of a daemon's life; a gap never stands without a `lagged` before it.
    pub seq: u64,
    pub at: Timestamp,
    pub kind: EventKind,
    /// The id of what changed, as lists name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The first line of a stream; `id` is the daemon's version.
    Hello,
    /// Every few seconds, so that a silent daemon is told from a hung one.
    Ping,
    /// The client was too slow and missed some: read everything again.
    Lagged,
    /// A feed's state, cursor or next time.
    Feed,
    Connection,
    Run,
    Exchange,
    Quarantine,
    Audit,
    /// The daemon stops.
    Bye,
    /// A kind that this version does not know.
    #[serde(other)]
    Other,
}

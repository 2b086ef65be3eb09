//! The rows that lists, screens and scripts show. The keys are a contract (DESIGN section 7): they stay.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    certificate::Validity,
    exchange::{Direction, State},
    freshness::Freshness,
    health::{Health, Reason, Side},
    id::{ConnectionId, ExchangeId, FeedId, GroupId, MoveId, PartnerId, QuarantineId, RunId},
    partner::{Agreement, Name},
    quarantine::{Kind, Laid, Place},
    role::Roles,
    run::{Counts, Outcome, Trigger},
};

/// `status`: one screen of truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// When this was true.
    pub at: Timestamp,
    pub daemon: DaemonRow,
    /// How many connections stand in each state; every state is named, 0 included.
    pub connections: BTreeMap<String, u64>,
    pub feeds: BTreeMap<String, u64>,
    pub exchanges: BTreeMap<String, u64>,
    /// The age of the oldest exchange that is not finished, in seconds.
    pub oldest_pending_s: Option<u64>,
    /// Items in quarantine.
    pub quarantine: u64,
    /// Open incidents.
    pub incidents: u64,
    /// Runs under way.
    pub running: Vec<Running>,
    /// What the asker may do; null where nobody was asked: in a state folder that is read without the daemon.
    #[serde(default)]
    pub roles: Option<Roles>,
}

/// The daemon itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonRow {
    pub running: bool,
    pub version: Option<String>,
    pub started_at: Option<Timestamp>,
    /// When it last wrote that it lives.
    pub seen_at: Option<Timestamp>,
}

/// A run under way, as far as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub feed: FeedId,
    /// Null until the first answer has brought something to work on.
    pub run: Option<RunId>,
    pub trigger: Trigger,
    pub started_at: Timestamp,
    pub pages: u64,
    pub rows: u64,
    pub bytes: u64,
    /// How many rows there will be, where the partner says so; null: nobody knows.
    #[serde(default)]
    pub total: Option<u64>,
}

impl Running {
    /// How long it will take on, as long as it goes on as it did; `None`: nobody knows.
    pub fn left_s(&self, now: Timestamp) -> Option<u64> {
        let took = u64::try_from(now.duration_since(self.started_at).as_secs()).ok()?;
        let left = self.total?.checked_sub(self.rows)?;
        (took > 0).then_some(took)?.checked_mul(left)?.checked_div(self.rows)
    }
}

/// `partners`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerRow {
    pub id: PartnerId,
    pub name: Name,
    pub agreement: Option<Agreement>,
    pub runbook: Option<String>,
    /// Its connections by health and feeds by freshness, as in [`Status`], only states that occur.
    pub connections: BTreeMap<String, u64>,
    pub feeds: BTreeMap<String, u64>,
    /// How often we may call it; null where nothing was agreed.
    #[serde(default)]
    pub budget: Option<BudgetRow>,
    /// Who called it in the present period of the budget; nobody counts without one.
    #[serde(default)]
    pub calls: Vec<CallsRow>,
}

/// A partner's budget of calls, in its present period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRow {
    pub limit: u64,
    pub per_s: u64,
    pub spent: u64,
    /// 0 where deliveries went beyond it.
    pub left: u64,
    pub renews_at: Timestamp,
}

/// How often a partner was called by one feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsRow {
    /// Its id; or `deliveries`, `probes`, `tests`.
    pub feed: String,
    pub n: u64,
}

/// What lies over the state of a connection that nothing can be said of, because of trouble of our own.
pub const BLIND: &str = "blind";

/// `connections`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    pub id: ConnectionId,
    pub name: Name,
    /// `http` or `folder`.
    pub kind: String,
    /// The base URL, or the folders. Never a secret.
    pub address: String,
    pub health: Health,
    /// Since when it stands so.
    pub since_at: Timestamp,
    /// Why, in words; null where all is well.
    pub reason: Option<String>,
    /// The reason as one of the closed set.
    pub cause: Option<Reason>,
    /// Where that fault lies.
    #[serde(default)]
    pub side: Option<Side>,
    /// What lies over the state: `paused`, `maintenance`, `waiting`, `breaker`, `clock`, `certificate`, [`BLIND`] …
    pub overlays: Vec<String>,
    pub last_ok_at: Option<Timestamp>,
    /// When it is tried next, by whichever of its feeds comes first.
    pub next_at: Option<Timestamp>,
    /// Failures in a row.
    pub fails: u32,
    /// How many feeds use it.
    pub feeds: u64,
    /// Until when the partner's certificate is good; null where none was seen.
    #[serde(default)]
    pub certificate_until_at: Option<Timestamp>,
    /// Until when the one is good that we show; null where we show none.
    #[serde(default)]
    pub our_certificate_until_at: Option<Timestamp>,
    /// How that stands now, by whichever of the two ends first; null where neither is known.
    #[serde(default)]
    pub certificate: Option<Validity>,
    /// Until when no request leaves, because the partner, its budget or the breaker says so; null where nothing does, or
    /// no daemon runs.
    #[serde(default)]
    pub wait_until_at: Option<Timestamp>,
    /// What was asked, or what happened.
    #[serde(default)]
    pub wait_reason: Option<String>,
    /// How many seconds the partner's clock is ahead of ours (less than 0: behind); null where it is not known.
    #[serde(default)]
    pub clock_offset_s: Option<i64>,
}

impl ConnectionRow {
    /// Whether trouble of our own keeps us from saying how it is, or from taking what it brings.
    pub fn is_blind(&self) -> bool {
        self.overlays.iter().any(|overlay| overlay == BLIND)
    }
}

/// `feeds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRow {
    pub id: FeedId,
    pub name: Name,
    pub connection: ConnectionId,
    pub freshness: Freshness,
    pub since_at: Option<Timestamp>,
    /// Why it is not fresh, in words.
    pub reason: Option<String>,
    /// The last good run.
    pub checked_at: Option<Timestamp>,
    /// The last commit that changed content.
    pub arrived_at: Option<Timestamp>,
    /// The newest time inside the data: the greatest value of `incremental.field`, where that is a time.
    pub event_at: Option<Timestamp>,
    pub deadline_at: Option<Timestamp>,
    /// The promise, in seconds.
    pub every_s: Option<u64>,
    /// Live records.
    pub rows: u64,
    /// How far it has been read: the greatest value of `incremental.field`.
    pub cursor: Option<String>,
    pub last_run: Option<RunId>,
    pub last_outcome: Option<Outcome>,
    /// Why it is not known what is gone, of a feed all of which is read now and then.
    #[serde(default)]
    pub unswept: Option<String>,
    pub next_at: Option<Timestamp>,
    pub paused: bool,
    /// What it has in quarantine.
    pub quarantine: u64,
    /// What came otherwise than its columns say and waits for a decision: `kind gone`, `sort new`.
    #[serde(default)]
    pub drift: Vec<String>,
    /// Its table in `cache.db`.
    pub table: String,
}

/// `runs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    pub id: RunId,
    pub feed: FeedId,
    pub trigger: Trigger,
    pub outcome: Outcome,
    /// What happened, where and what to do; null where nothing needs saying.
    pub reason: Option<String>,
    /// The reason of a failure as one of the closed set.
    pub cause: Option<Reason>,
    /// Where that fault lies.
    #[serde(default)]
    pub side: Option<Side>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub pages: u64,
    pub bytes: u64,
    /// The file that it read.
    pub file: Option<String>,
    /// Who ordered it.
    pub actor: Option<String>,
    /// What it loaded waits beside the bank, to be released or discarded.
    #[serde(default)]
    pub waits: bool,
    /// What it replaced is still kept, so that it can be undone.
    #[serde(default)]
    pub undoable: bool,
    /// How many runs of the feed right before it failed as it did, but for the numbers in the reason.
    #[serde(default)]
    pub alike: u64,
    #[serde(flatten)]
    pub counts: Counts,
}

/// `records FEED`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordRow {
    /// Where it stands in its table, `#17`: names the record in `after`, `before` and `show` without telling its key,
    /// which may be masked. Good until the table is read anew in full.
    pub place: String,
    /// The values of the feed's key, in the key's order. A key of one plain value also names the record; one of
    /// several is written as a JSON array, as is one that begins with `#` or `[`.
    pub key: Vec<Value>,
    /// Column to value, in the table's order; sensitive ones masked.
    pub fields: Map<String, Value>,
    pub first_seen_at: Timestamp,
    pub changed_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
    pub run: RunId,
    /// Of what was known at another time: the record was known then, and how it stood is kept no longer. It has its key, and
    /// nothing else of then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
}

/// `cursor show FEED`: one move of a feed's cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorRow {
    pub id: MoveId,
    /// Where it was moved to; null: to the beginning.
    pub value: Option<String>,
    pub moved_at: Timestamp,
    /// The run that moved it; null where a person did between runs.
    pub run: Option<RunId>,
    pub reason: String,
    /// Who ordered it; null: nobody but the schedule.
    pub actor: Option<String>,
    /// Whether it stands there now.
    pub current: bool,
}

/// `quarantine`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRow {
    pub id: QuarantineId,
    pub feed: FeedId,
    pub run: RunId,
    pub kind: Kind,
    pub reason: String,
    pub place: Place,
    /// When it was last refused.
    pub at: Timestamp,
    /// How many bytes the original has; the bytes themselves are protected.
    pub bytes: u64,
}

/// `quarantine --by reason`: what is alike, the most first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineGroup {
    pub id: GroupId,
    pub feed: FeedId,
    pub kind: Kind,
    pub field: Option<String>,
    /// As all of them say it; where they differ in numbers and names, with `…` in their places.
    pub reason: String,
    pub count: u64,
    /// When the oldest of them was first refused.
    pub oldest_at: Option<Timestamp>,
    /// When one of them was refused last.
    pub newest_at: Timestamp,
    /// The one that was refused last.
    pub example: QuarantineId,
}

/// `quarantine show ID`: one item with its original, in which what may not be seen is masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineItem {
    #[serde(flatten)]
    pub row: QuarantineRow,
    /// When it was first refused; null of what an older version refused in a run that is forgotten.
    pub first_at: Option<Timestamp>,
    pub first_run: RunId,
    /// BLAKE3 of the original, in hex.
    pub hash: String,
    /// Whether all that a replay needs was kept.
    pub replayable: bool,
    /// What would make it acceptable.
    pub fix: String,
    pub original: Original,
}

/// What was refused, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// `csv`, `xlsx`, `json` or `xml`; `binary` of a file that was revealed and is no text; else null, of a whole file and of a
    /// row whose values cannot be told apart.
    pub notation: Option<String>,
    /// Whether only its begin was kept, or is shown.
    pub cut: bool,
    /// Its values in their order; null where they cannot be told apart: then none of them is shown.
    pub values: Option<Vec<Laid>>,
    /// All of it, or the begin of a file; null unless it was revealed.
    pub text: Option<String>,
}

/// `exchanges`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeRow {
    pub id: ExchangeId,
    pub direction: Direction,
    pub connection: ConnectionId,
    pub state: State,
    /// Whether the partner may have it and has not said: then it is asked before it is sent again.
    #[serde(default)]
    pub doubted: bool,
    /// How often delivery was tried.
    pub attempts: u32,
    pub created_at: Timestamp,
    pub next_at: Option<Timestamp>,
    pub deadline_at: Option<Timestamp>,
    pub bytes: u64,
    pub idempotency_key: String,
    /// What the last attempt said, in words.
    pub reason: Option<String>,
    /// The document's file name.
    pub name: String,
    /// BLAKE3 of the document, in hex.
    pub hash: String,
    /// Since when it stands in `state`.
    pub since_at: Timestamp,
    /// When it was recorded as delivered: once.
    pub delivered_at: Option<Timestamp>,
    /// Each attempt, oldest first; only where one exchange is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<AttemptRow>,
}

/// One try to deliver an exchange, or one question about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    pub number: u32,
    /// `deliver` or `ask`.
    pub kind: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// The state that it led to.
    pub state: Option<State>,
    /// The partner's status code, where there was an answer.
    pub status: Option<u16>,
    pub reason: Option<String>,
}

/// `audit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    pub seq: i64,
    pub at: Timestamp,
    pub uid: u32,
    pub user: String,
    pub role: String,
    pub action: String,
    pub object: String,
    pub reason: Option<String>,
    /// `begun`, then `done` or `failed`; or `refused`.
    pub phase: String,
    pub detail: String,
    /// The entry that began what this one ends.
    pub of: Option<i64>,
    pub hash: String,
}

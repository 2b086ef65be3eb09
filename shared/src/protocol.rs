//! What the daemon and its clients say to each other: HTTP and JSON over a Unix socket, and an NDJSON stream of events.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/status` | [`Status`] |
//! | `GET /v1/partners`, `connections`, `feeds`, `runs`, `quarantine`, `exchanges`, `audit` | an array of rows, by [`ListQuery`] |
//! | `GET /v1/records/PARTNER/FEED` | an array of [`RecordRow`], by [`ListQuery`] |
//! | `GET /v1/cursors/PARTNER/FEED` | an array of [`CursorRow`], newest first, by [`ListQuery`] |
//! | `GET /v1/LIST/ID` (`/v1/records/PARTNER/FEED/KEY`, `/v1/cursors/PARTNER/FEED/ID`) | one row, whole |
//! | `GET /v1/quarantine/groups` | an array of [`QuarantineGroup`], the largest first, by [`ListQuery`] |
//! | `GET /v1/quarantine/ID` | the [`QuarantineItem`], masked |
//! | `POST /v1/quarantine/ID/reveal` with [`RevealItem`] | the same, unmasked, with its original |
//! | `POST /v1/quarantine/discard` with [`Discard`] | [`DiscardReply`] |
//! | `POST /v1/quarantine/replay` with [`Replay`] | [`ReplayReply`], as soon as it has ended |
//! | `GET /v1/runs/ID?wait_s=N` | the run, as soon as it has ended or after `N` seconds (at most 60) |
//! | `GET /v1/schema?feed=PARTNER/FEED` | [`SchemaRow`] |
//! | `GET /v1/audit/verify` | [`AuditProof`] |
//! | `GET /v1/events` | [`Event`]s, one a line, until either side closes |
//! | `POST /v1/resync` with [`Resync`] | [`ResyncReply`] |
//! | `POST /v1/runs/act` with [`RunAct`] | [`RunActReply`] |
//! | `POST /v1/rewind` with [`Rewind`] | [`RewindReply`] |
//! | `POST /v1/schema/decide` with [`SchemaOrder`] | [`SchemaReply`] |
//! | `POST /v1/reveal` with [`Reveal`] | the [`RecordRow`], those columns unmasked |
//! | `POST /v1/connections/PARTNER/CONNECTION/test` with [`Test`] | [`TestReply`] |
//! | `POST /v1/discover` by [`Discover`], for a file with its first bytes as the body | [`Discovered`] |
//! | `POST /v1/exchanges/act` with [`ExchangeAct`] | an array of [`ActOutcome`] |
//! | `POST /v1/exchanges?connection=C&name=N&reason=R` with a body | the [`ExchangeRow`] made |
//!
//! Whatever goes wrong is a status of 4xx or 5xx and a [`Problem`]. Every list stands behind a key (`after`), never
//! behind an offset. Keys are only ever added; a client passes over what it does not know.

mod command;
mod discover;
mod event;
mod quarantine;
mod rows;
mod schema;
mod test;

pub use command::{
    ActOutcome, AuditProof, ExchangeAct, ExchangeVerb, ListQuery, Preview, Problem, ProblemCode,
    Resync, ResyncReply, Reveal, Rewind, RewindPreview, RewindReply, RunAct, RunActReply, RunVerb,
};
pub use discover::{Discover, Discovered, SAMPLE_MAX};
pub use event::{Event, EventKind};
pub use quarantine::{
    Alike, Choice, Chosen, Discard, DiscardReply, Replay, ReplayReply, Replayed, RevealItem,
};
pub use rows::{
    AttemptRow, AuditRow, BLIND, BudgetRow, CallsRow, ConnectionRow, CursorRow, DaemonRow,
    ExchangeRow, FeedRow, Original, PartnerRow, QuarantineGroup, QuarantineItem, QuarantineRow,
    RecordRow, RunRow, Running, Status,
};
pub use schema::{
    ColumnRow, DriftRow, SchemaOrder, SchemaQuery, SchemaReply, SchemaRow, SchemaVerb,
};
pub use test::{Test, TestReply, TestStep, Tried};

/// How many rows a list holds when nobody says.
pub const LIST_LIMIT: u32 = 100;
/// The most rows of one answer; a client that wants more asks again behind the last one.
pub const LIST_MAX: u32 = 1_000;

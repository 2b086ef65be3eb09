//! What each list shows of a row, column by column.

use std::collections::BTreeMap;

use jiff::Timestamp;
use marsad_shared::{
    exchange::State,
    protocol::{
        AuditRow, ConnectionRow, CursorRow, ExchangeRow, FeedRow, PartnerRow, QuarantineGroup,
        QuarantineRow, RecordRow, RunRow,
    },
    quarantine::Place,
    run::Outcome,
};
use serde_json::Value;

use super::{
    check::{of_connection, of_freshness, tone},
    table::{
        Cell,
        Column::{self, Left, Right, Time},
        Tone,
    },
    when::{Look, count, size, span},
};
use crate::client::Listed;

/// A row that a table can show.
pub(super) trait Shown: Listed {
    const COLUMNS: &'static [Column];

    /// One cell a column.
    fn cells(&self, look: &Look) -> Vec<Cell>;
}

impl Shown for PartnerRow {
    const COLUMNS: &'static [Column] = &[
        Left("ID"),
        Left("CONNECTIONS"),
        Left("FEEDS"),
        Left("AGREEMENT"),
        Left("VALID UNTIL"),
        Left("NAME"),
    ];

    fn cells(&self, _: &Look) -> Vec<Cell> {
        let agreement = self.agreement.as_ref();
        vec![
            Cell::of(&self.id),
            Cell::new(counted(&self.connections)),
            Cell::new(counted(&self.feeds)),
            Cell::maybe(agreement.map(|agreement| &agreement.reference)),
            Cell::maybe(agreement.and_then(|agreement| agreement.valid_until)),
            Cell::new(&self.name.en),
        ]
    }
}

impl Shown for ConnectionRow {
    const COLUMNS: &'static [Column] = &[
        Left("ID"),
        Left("KIND"),
        Left("HEALTH"),
        Time("SINCE"),
        Time("LAST OK"),
        Time("NEXT"),
        Right("FEEDS"),
        Left("REASON"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        let overlays: Vec<_> = self.overlays.iter().map(|overlay| format!("{overlay}; ")).collect();
        let why = self.reason.as_deref().or(self.wait_reason.as_deref());
        let reason = overlays.concat() + why.unwrap_or_default();
        vec![
            Cell::of(&self.id),
            Cell::new(&self.kind),
            Cell::of(&self.health).tone(tone(of_connection(self))),
            Cell::new(look.short(self.since_at)),
            time(self.last_ok_at, look),
            time(self.next_at, look),
            Cell::new(count(self.feeds)),
            Cell::new(reason),
        ]
    }
}

impl Shown for FeedRow {
    const COLUMNS: &'static [Column] = &[
        Left("ID"),
        Left("FRESHNESS"),
        Time("CHECKED"),
        Time("NEXT"),
        Right("ROWS"),
        Right("QUARANTINE"),
        Right("LAST RUN"),
        Left("OUTCOME"),
        Left("REASON"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        let paused = if self.paused { "paused; " } else { "" };
        vec![
            Cell::of(&self.id),
            Cell::of(&self.freshness).tone(tone(of_freshness(self.freshness))),
            time(self.checked_at, look),
            time(self.next_at, look),
            Cell::new(count(self.rows)),
            held(self.quarantine),
            Cell::maybe(self.last_run),
            self.last_outcome.map_or_else(|| Cell::maybe(None::<&str>), outcome),
            Cell::new(format!("{paused}{}", self.reason.as_deref().unwrap_or_default())),
        ]
    }
}

impl Shown for RunRow {
    const COLUMNS: &'static [Column] = &[
        Left("ID"),
        Left("FEED"),
        Left("TRIGGER"),
        Left("OUTCOME"),
        Time("STARTED"),
        Right("TOOK"),
        Right("RECEIVED"),
        Right("CHANGED"),
        Right("QUARANTINED"),
        Left("REASON"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        let took =
            self.ended_at.map(|ended| ended.duration_since(self.started_at).as_secs().max(0));
        vec![
            Cell::of(&self.id),
            Cell::of(&self.feed),
            Cell::of(&self.trigger),
            outcome(self.outcome),
            Cell::new(look.short(self.started_at)),
            Cell::maybe(took.map(|took| span(took.unsigned_abs()))),
            Cell::new(count(self.counts.received)),
            Cell::new(count(self.counts.changed())),
            held(self.counts.quarantined),
            Cell::new(self.reason.as_deref().unwrap_or_default()),
        ]
    }
}

impl Shown for RecordRow {
    const COLUMNS: &'static [Column] = &[Left("KEY"), Time("CHANGED"), Left("RUN"), Left("FIELDS")];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        let key: Vec<_> = self.key.iter().map(plain).collect();
        let fields: Vec<_> =
            self.fields.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
        let deleted = self.deleted_at.map_or("", |_| "(deleted) ");
        if self.forgotten {
            let what = "(known then; how it stood is kept no longer)";
            return vec![Cell::new(key.join(" ")), Cell::new(""), Cell::new(""), Cell::new(what)];
        }
        vec![
            Cell::new(key.join(" ")),
            Cell::new(look.short(self.changed_at)),
            Cell::of(&self.run),
            Cell::new(format!("{deleted}{}", fields.join("  "))),
        ]
    }
}

impl Shown for CursorRow {
    const COLUMNS: &'static [Column] = &[
        Left("ID"),
        Left("VALUE"),
        Time("MOVED"),
        Left("RUN"),
        Left("ACTOR"),
        Left("CURRENT"),
        Left("REASON"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        vec![
            Cell::of(&self.id),
            Cell::new(self.value.as_deref().unwrap_or("(the beginning)")),
            Cell::new(look.short(self.moved_at)),
            Cell::maybe(self.run),
            Cell::maybe(self.actor.as_ref()),
            Cell::new(if self.current { "yes" } else { "" }),
            Cell::new(&self.reason),
        ]
    }
}

impl Shown for QuarantineRow {
    const COLUMNS: &'static [Column] = &[
        Left("ID"),
        Left("FEED"),
        Left("RUN"),
        Left("KIND"),
        Time("AT"),
        Left("PLACE"),
        Left("REASON"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        vec![
            Cell::of(&self.id),
            Cell::of(&self.feed),
            Cell::of(&self.run),
            Cell::of(&self.kind),
            Cell::new(look.short(self.at)),
            Cell::new(place(&self.place)),
            Cell::new(&self.reason),
        ]
    }
}

impl Shown for QuarantineGroup {
    const COLUMNS: &'static [Column] = &[
        Left("ID"),
        Left("FEED"),
        Left("KIND"),
        Right("COUNT"),
        Time("OLDEST"),
        Time("NEWEST"),
        Left("EXAMPLE"),
        Left("REASON"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        vec![
            Cell::of(&self.id),
            Cell::of(&self.feed),
            Cell::of(&self.kind),
            held(self.count),
            time(self.oldest_at, look),
            Cell::new(look.short(self.newest_at)),
            Cell::of(&self.example),
            Cell::new(&self.reason),
        ]
    }
}

impl Shown for ExchangeRow {
    const COLUMNS: &'static [Column] = &[
        Left("ID"),
        Left("DIRECTION"),
        Left("CONNECTION"),
        Left("STATE"),
        Right("ATTEMPTS"),
        Time("CREATED"),
        Time("NEXT"),
        Right("SIZE"),
        Left("NAME"),
        Left("REASON"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        vec![
            Cell::of(&self.id),
            Cell::of(&self.direction),
            Cell::of(&self.connection),
            Cell::of(&self.state).tone(of_state(self.state)),
            Cell::of(&self.attempts),
            Cell::new(look.short(self.created_at)),
            time(self.next_at, look),
            Cell::new(size(self.bytes)),
            Cell::new(&self.name),
            Cell::new(self.reason.as_deref().unwrap_or_default()),
        ]
    }
}

impl Shown for AuditRow {
    const COLUMNS: &'static [Column] = &[
        Right("NUMBER"),
        Time("AT"),
        Left("USER"),
        Left("ROLE"),
        Left("ACTION"),
        Left("OBJECT"),
        Left("PHASE"),
        Left("REASON"),
        Left("DETAIL"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        let tone = match self.phase.as_str() {
            "failed" | "refused" => Tone::Warn,
            _ => Tone::Plain,
        };
        vec![
            Cell::of(&self.seq),
            Cell::new(look.short(self.at)),
            Cell::new(&self.user),
            Cell::new(&self.role),
            Cell::new(&self.action),
            Cell::new(&self.object),
            Cell::new(&self.phase).tone(tone),
            Cell::maybe(self.reason.as_ref()),
            Cell::new(&self.detail),
        ]
    }
}

/// `2 up, 1 down`.
pub(super) fn counted(counts: &BTreeMap<String, u64>) -> String {
    let words: Vec<_> = counts
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(word, n)| format!("{} {word}", count(*n)))
        .collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

/// A value as it stands in a line.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `orders-03.csv line 12 amount`.
pub(super) fn place(place: &Place) -> String {
    let numbers = [("line", place.line), ("page", place.page), ("row", place.row)];
    let numbers = numbers.into_iter().filter_map(|(word, n)| Some(format!("{word} {}", n?)));
    let parts: Vec<_> =
        place.file.iter().cloned().chain(numbers).chain(place.field.iter().cloned()).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(" ") }
}

fn time(at: Option<Timestamp>, look: &Look) -> Cell {
    Cell::maybe(at.map(|at| look.short(at)))
}

fn held(n: u64) -> Cell {
    Cell::new(count(n)).tone(if n > 0 { Tone::Warn } else { Tone::Plain })
}

fn outcome(outcome: Outcome) -> Cell {
    Cell::of(&outcome).tone(match outcome {
        Outcome::Succeeded | Outcome::Unchanged => Tone::Good,
        Outcome::Partial | Outcome::Held => Tone::Warn,
        Outcome::Failed => Tone::Bad,
        Outcome::Running | Outcome::Cancelled => Tone::Plain,
    })
}

pub(super) const fn of_state(state: State) -> Tone {
    match state {
        State::Delivered | State::Confirmed => Tone::Good,
        State::InDoubt | State::Retrying | State::Held => Tone::Warn,
        State::Rejected | State::Expired => Tone::Bad,
        State::Pending | State::Scheduled | State::Sending | State::Cancelled => Tone::Plain,
    }
}

#[cfg(test)]
mod tests;

//! The columns of each list: a heading, a width, and what a row says in it.

use jiff::Timestamp;
use marsad_shared::{protocol::RunRow, run::Outcome};

use crate::{
    model::{About, Label, Model, Row, View, Weight, words},
    text,
    theme::Tone,
};

/// How wide a column is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    Cells(u16),
    /// As wide as what is in sight, for names that must not be cut while there is room.
    Name,
    /// Its share of what the others leave.
    Share(u16),
}
use Width::{Cells, Name, Share};

/// One column.
pub(super) struct Column {
    /// The key of its heading; empty for the column of symbols.
    pub(super) head: &'static str,
    pub(super) width: Width,
    pub(super) right: bool,
    /// The width of the list from which on there is room for it.
    pub(super) from: u16,
    pub(super) cell: fn(&Model, &Row) -> Cell,
}

/// What stands in a column of a row.
pub(super) type Cell = (String, Tone);

const fn column(
    head: &'static str,
    width: Width,
    right: bool,
    from: u16,
    cell: fn(&Model, &Row) -> Cell,
) -> Column {
    Column { head, width, right, from, cell }
}

const SYMBOL: Column = column("", Cells(2), false, 0, |_, row| {
    (row.weight().symbol().to_owned(), row.weight().into())
});
const ID: Column = column("col-id", Cells(7), false, 0, |_, row| plain(row.key()));
const STATE: Column =
    column("noun-state", Cells(11), false, 0, |model, row| (state(model, row), tone(row)));

static CONNECTIONS: &[Column] = &[
    SYMBOL,
    STATE,
    column("noun-connection", Name, false, 0, |_, row| plain(row.key())),
    column("fresh-since", Cells(6), true, 0, |model, row| match row {
        Row::Connection(row) => dim(ago(model, Some(row.since_at))),
        _ => nothing(),
    }),
    column("col-last_ok", Cells(8), true, 0, |model, row| match row {
        Row::Connection(row) => plain(ago(model, row.last_ok_at)),
        _ => nothing(),
    }),
    column("exch-next_try-short", Cells(6), true, 90, |model, row| match row {
        Row::Connection(row) => dim(until(model, row.next_at)),
        _ => nothing(),
    }),
    column("col-fails", Cells(5), true, 60, |_, row| match row {
        Row::Connection(row) if row.fails > 0 => (row.fails.to_string(), Tone::Warn),
        _ => nothing(),
    }),
    column("nav-feeds-short", Cells(5), true, 60, |_, row| match row {
        Row::Connection(row) => dim(row.feeds.to_string()),
        _ => nothing(),
    }),
    column("noun-reason", Share(4), false, 60, |_, row| match row {
        Row::Connection(row) if row.reason.is_none() && !row.overlays.is_empty() => {
            (row.overlays.join(" "), Tone::Note)
        }
        Row::Connection(row) => plain(gist(row.reason.as_ref())),
        _ => nothing(),
    }),
    column("col-address", Share(3), false, 150, |_, row| match row {
        Row::Connection(row) => dim(row.address.clone()),
        _ => nothing(),
    }),
];

static FEEDS: &[Column] = &[
    SYMBOL,
    STATE,
    column("noun-feed", Name, false, 0, |_, row| plain(row.key())),
    column("col-age", Cells(6), true, 0, |model, row| match row {
        Row::Feed(feed) => (ago(model, feed.checked_at), tone(row)),
        _ => nothing(),
    }),
    column("noun-promise", Cells(7), true, 0, |model, row| match row {
        Row::Feed(row) => dim(promise(model, row.every_s)),
        _ => nothing(),
    }),
    column("nav-records", Cells(10), true, 50, |model, row| match row {
        Row::Feed(row) => plain(number(model, row.rows)),
        _ => nothing(),
    }),
    column("status-held", Cells(5), true, 60, |model, row| match row {
        Row::Feed(row) if row.quarantine > 0 => (number(model, row.quarantine), Tone::Warn),
        _ => nothing(),
    }),
    column("exch-next_try-short", Cells(6), true, 60, |model, row| match row {
        Row::Feed(row) if row.paused => (model.say("overlay-paused"), Tone::Note),
        Row::Feed(row) => dim(until(model, row.next_at)),
        _ => nothing(),
    }),
    column("col-last_run", Cells(16), false, 96, |model, row| match row {
        Row::Feed(row) => match row.last_outcome {
            Some(outcome) => (model.say(words::outcome_key(outcome)), Weight::from(outcome).into()),
            None => dim(model.say("never")),
        },
        _ => nothing(),
    }),
    column("noun-reason", Share(4), false, 110, |_, row| match row {
        Row::Feed(row) => plain(gist(row.reason.as_ref())),
        _ => nothing(),
    }),
];

static EXCHANGES: &[Column] = &[
    SYMBOL,
    STATE,
    ID,
    column("col-direction", Cells(9), false, 90, |model, row| match row {
        Row::Exchange(row) => dim(model.say(words::direction_key(row.direction))),
        _ => nothing(),
    }),
    column("noun-file", Name, false, 0, |_, row| match row {
        Row::Exchange(row) => plain(row.name.clone()),
        _ => nothing(),
    }),
    column("noun-connection", Name, false, 90, |_, row| match row {
        Row::Exchange(row) => dim(row.connection.to_string()),
        _ => nothing(),
    }),
    column("col-tries", Cells(5), true, 0, |_, row| match row {
        Row::Exchange(row) => plain(row.attempts.to_string()),
        _ => nothing(),
    }),
    column("exch-next_try-short", Cells(6), true, 60, |model, row| match row {
        Row::Exchange(row) if row.state.is_open() => dim(until(model, row.next_at)),
        _ => nothing(),
    }),
    column("col-size", Cells(8), true, 70, |_, row| match row {
        Row::Exchange(row) => dim(text::bytes(row.bytes)),
        _ => nothing(),
    }),
    column("col-age", Cells(6), true, 0, |model, row| match row {
        Row::Exchange(row) => dim(ago(model, Some(row.created_at))),
        _ => nothing(),
    }),
    column("noun-reason", Share(4), false, 110, |_, row| match row {
        Row::Exchange(row) => plain(gist(row.reason.as_ref())),
        _ => nothing(),
    }),
];

/// Room for the mark of a row; the list puts it there.
const MARK: Column = column("", Cells(1), false, 0, |_, _| nothing());

static QUARANTINE: &[Column] = &[
    MARK,
    ID,
    column("col-kind", Cells(6), false, 60, |model, row| match row {
        Row::Quarantine(row) => dim(model.say(words::kind_key(row.kind))),
        _ => nothing(),
    }),
    column("noun-feed", Name, false, 0, |_, row| match row {
        Row::Quarantine(row) => plain(row.feed.to_string()),
        _ => nothing(),
    }),
    column("noun-reason", Share(5), false, 0, |_, row| match row {
        Row::Quarantine(row) => (row.reason.clone(), Tone::Warn),
        _ => nothing(),
    }),
    column("col-place", Share(4), false, 70, |model, row| match row {
        Row::Quarantine(row) => dim(place(model, &row.place)),
        _ => nothing(),
    }),
    column("noun-run", Cells(8), false, 100, |_, row| match row {
        Row::Quarantine(row) => dim(row.run.to_string()),
        _ => nothing(),
    }),
    column("col-age", Cells(6), true, 0, |model, row| match row {
        Row::Quarantine(row) => dim(ago(model, Some(row.at))),
        _ => nothing(),
    }),
];

static GROUPS: &[Column] = &[
    SYMBOL,
    column("col-count", Cells(7), true, 0, |model, row| match row {
        Row::Group(row) => plain(number(model, row.count)),
        _ => nothing(),
    }),
    column("noun-feed", Name, false, 0, |_, row| match row {
        Row::Group(row) => plain(row.feed.to_string()),
        _ => nothing(),
    }),
    column("noun-reason", Share(5), false, 50, |_, row| match row {
        Row::Group(row) => (row.reason.clone(), Tone::Warn),
        _ => nothing(),
    }),
    column("col-oldest", Cells(6), true, 0, |model, row| match row {
        Row::Group(row) => plain(ago(model, row.oldest_at)),
        _ => nothing(),
    }),
    column("col-newest", Cells(6), true, 70, |model, row| match row {
        Row::Group(row) => dim(ago(model, Some(row.newest_at))),
        _ => nothing(),
    }),
    column("col-kind", Cells(5), false, 90, |model, row| match row {
        Row::Group(row) => dim(model.say(words::kind_key(row.kind))),
        _ => nothing(),
    }),
    column("col-example", Cells(8), false, 90, |_, row| match row {
        Row::Group(row) => dim(row.example.to_string()),
        _ => nothing(),
    }),
];

static RUNS: &[Column] = &[
    SYMBOL,
    ID,
    column("noun-feed", Name, false, 0, |_, row| match row {
        Row::Run(row) => plain(row.feed.to_string()),
        _ => nothing(),
    }),
    column("col-start", Cells(16), false, 96, |model, row| match row {
        Row::Run(row) => dim(text::moment(row.started_at, model.now, &model.zone)),
        _ => nothing(),
    }),
    column("col-took", Cells(5), true, 0, |model, row| match row {
        Row::Run(row) => {
            let end = row.ended_at.unwrap_or(model.now);
            dim(text::span(&model.catalogue, text::seconds_between(row.started_at, end)))
        }
        _ => nothing(),
    }),
    column("balance-received", Cells(9), true, 50, |model, row| match row {
        Row::Run(row) => plain(number(model, row.counts.received)),
        _ => nothing(),
    }),
    column("col-changed", Cells(7), true, 0, |model, row| match row {
        Row::Run(row) => plain(number(model, row.counts.changed())),
        _ => nothing(),
    }),
    column("status-held", Cells(5), true, 60, |model, row| match row {
        Row::Run(row) if row.counts.quarantined > 0 => {
            (number(model, row.counts.quarantined), Tone::Warn)
        }
        _ => nothing(),
    }),
    column("col-trigger", Cells(9), false, 110, |model, row| match row {
        Row::Run(row) => dim(model.say(words::trigger_key(row.trigger))),
        _ => nothing(),
    }),
    column("col-result", Cells(16), false, 0, |model, row| match row {
        Row::Run(run) if run.alike > 0 => (alike(model, run), tone(row)),
        _ => (state(model, row), tone(row)),
    }),
    column("noun-reason", Share(4), false, 110, |_, row| match row {
        Row::Run(row) => plain(gist(row.reason.as_ref())),
        _ => nothing(),
    }),
];

static MOVES: &[Column] = &[
    SYMBOL,
    ID,
    column("col-changed_at", Cells(16), false, 0, |model, row| match row {
        Row::Move(row) => dim(text::moment(row.moved_at, model.now, &model.zone)),
        _ => nothing(),
    }),
    column("col-value", Share(2), false, 0, |model, row| match row {
        Row::Move(row) => {
            let value = row.value.clone().unwrap_or_else(|| model.say("resync-beginning"));
            (value, if row.current { Tone::Title } else { Tone::Plain })
        }
        _ => nothing(),
    }),
    column("noun-run", Cells(8), false, 0, |_, row| match row {
        Row::Move(row) => dim(row.run.map_or_else(String::new, |run| run.to_string())),
        _ => nothing(),
    }),
    column("noun-operator", Cells(12), false, 60, |_, row| match row {
        Row::Move(row) => plain(row.actor.clone().unwrap_or_default()),
        _ => nothing(),
    }),
    column("noun-reason", Share(2), false, 0, |_, row| match row {
        Row::Move(row) => plain(text::gist(&row.reason).to_owned()),
        _ => nothing(),
    }),
];

static ATTEMPTS: &[Column] = &[
    SYMBOL,
    column("noun-attempt", Cells(8), true, 0, |_, row| match row {
        Row::Attempt(row) => plain(row.number.to_string()),
        _ => nothing(),
    }),
    column("col-kind", Cells(8), false, 0, |model, row| match row {
        Row::Attempt(row) if row.kind == "ask" => dim(model.say("attempt-ask")),
        Row::Attempt(_) => dim(model.say("attempt-deliver")),
        _ => nothing(),
    }),
    column("col-start", Cells(16), false, 0, |model, row| match row {
        Row::Attempt(row) => plain(text::moment(row.started_at, model.now, &model.zone)),
        _ => nothing(),
    }),
    column("col-answer", Cells(7), true, 50, |_, row| match row {
        Row::Attempt(row) => plain(row.status.map(|code| code.to_string()).unwrap_or_default()),
        _ => nothing(),
    }),
    STATE,
    column("noun-reason", Share(1), false, 60, |_, row| match row {
        Row::Attempt(row) => plain(gist(row.reason.as_ref())),
        _ => nothing(),
    }),
];

static FACTS: &[Column] = &[
    column("col-name", Share(1), false, 0, |model, row| match row {
        Row::Fact(fact) => match &fact.name {
            Label::Key(key) => dim(model.say(key)),
            Label::Column(name) => dim(name.clone()),
        },
        _ => nothing(),
    }),
    column("col-value", Share(3), false, 0, |_, row| match row {
        Row::Fact(fact) if fact.weight == Weight::Calm => plain(fact.value.clone()),
        Row::Fact(fact) => (fact.value.clone(), fact.weight.into()),
        _ => nothing(),
    }),
];

/// The columns of a list; records have their own, made of their fields.
pub(super) const fn of(view: View) -> &'static [Column] {
    match view {
        View::Connections => CONNECTIONS,
        View::Overview | View::Feeds | View::Records => FEEDS,
        View::Exchanges => EXCHANGES,
        View::Groups => GROUPS,
        View::Quarantine => QUARANTINE,
        View::Runs => RUNS,
        View::Moves => MOVES,
        View::Attempts => ATTEMPTS,
        View::Facts => FACTS,
    }
}

fn plain(text: String) -> Cell {
    (text, Tone::Plain)
}

fn dim(text: String) -> Cell {
    (text, Tone::Dim)
}

/// A reason in one line of a list; empty where there is none.
pub(super) fn gist(reason: Option<&String>) -> String {
    reason.map_or_else(String::new, |reason| text::gist(reason).to_owned())
}

fn nothing() -> Cell {
    (String::new(), Tone::Plain)
}

/// A run's outcome, and how many before it went alike.
pub(super) fn alike(model: &Model, run: &RunRow) -> String {
    let state = model.say(words::outcome_key(run.outcome));
    model.say_with("run-alike", [("state", state.into()), ("n", run.alike.into())])
}

/// The word of a row's state.
pub(super) fn state(model: &Model, row: &Row) -> String {
    let key = match row {
        Row::Connection(row) => words::health_key(row.health),
        Row::Feed(row) => words::fresh_key(row.freshness),
        Row::Exchange(row) => words::state_key(row.state),
        Row::Run(row) => words::outcome_key(row.outcome),
        Row::Attempt(row) => row.state.map_or("status-running", words::state_key),
        Row::Group(_) | Row::Quarantine(_) | Row::Item(_) => "status-held",
        Row::Trouble(trouble) => match &trouble.about {
            About::Connection(row, _) => words::health_key(row.health),
            About::Feed(row) => words::fresh_key(row.freshness),
            About::LastRun(row) if row.unswept.is_some() => words::outcome_key(Outcome::Partial),
            About::LastRun(row) => row.last_outcome.map_or("status-failed", words::outcome_key),
            About::Held(_) => "status-held",
            About::Exchanges(state, _) => words::state_key(*state),
        },
        Row::Record(_) | Row::Move(_) | Row::Fact(_) => return String::new(),
    };
    model.say(key)
}

fn tone(row: &Row) -> Tone {
    row.weight().into()
}

pub(super) fn ago(model: &Model, at: Option<Timestamp>) -> String {
    at.map_or_else(|| model.say("never"), |at| text::age(&model.catalogue, model.now, at))
}

/// How long until then; what is past due is due now.
pub(super) fn until(model: &Model, at: Option<Timestamp>) -> String {
    let Some(at) = at else { return String::new() };
    text::span(&model.catalogue, text::seconds_between(model.now, at))
}

pub(super) fn promise(model: &Model, every_s: Option<u64>) -> String {
    every_s.map_or_else(String::new, |every| {
        text::span(&model.catalogue, i64::try_from(every).unwrap_or(i64::MAX))
    })
}

pub(super) fn number(model: &Model, n: u64) -> String {
    model.say_with("number", [("n", n.into())])
}

/// Where a refused thing stood: `orders.csv:14 issued_on`, `page 3 row 14 issued_on`.
pub(super) fn place(model: &Model, place: &marsad_shared::quarantine::Place) -> String {
    let said = |key, n: u64| model.say_with(key, [("n", n.into())]);
    let file = match (&place.file, place.line.or(place.row)) {
        (Some(file), Some(number)) => Some(format!("{file}:{number}")),
        (file, _) => file.clone(),
    };
    let row = place.row.or(place.line).filter(|_| place.file.is_none());
    let parts = [
        file,
        place.page.map(|n| said("place-page", n)),
        row.map(|n| said("place-row", n)),
        place.field.clone(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

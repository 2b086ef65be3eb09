//! The rows of places whose lists are held whole, made of what the model holds.

use std::sync::Arc;

use jiff::Timestamp;
use marsad_shared::protocol::{ExchangeRow, QuarantineRow, RunRow};

use super::{Fact, Label, Model, Place, Row, Subject, View, Weight, row, troubles};
use crate::text;

mod held;

/// The rows of the place that is shown, unfiltered; `None` if they come page by page from the daemon.
pub(super) fn held(model: &Model) -> Option<Vec<Row>> {
    let place = model.here();
    match (place.view, &place.subject) {
        (View::Overview, _) => Some(overview(model, place)),
        (View::Connections, _) => {
            let mut rows: Vec<_> =
                model.connections.iter().map(|row| Row::Connection(Arc::clone(row))).collect();
            place.list.sort.apply(&mut rows);
            Some(rows)
        }
        (View::Feeds, _) | (View::Records, None) => Some(feeds(model, place)),
        (View::Attempts, Some(Subject::Exchange(exchange))) => {
            Some(exchange.timeline.iter().cloned().map(|row| Row::Attempt(row.into())).collect())
        }
        (View::Facts, Some(subject)) => {
            Some(facts(model, subject).into_iter().map(Row::Fact).collect())
        }
        (View::Records | View::Moves, Some(Subject::Feed(_)))
        | (View::Exchanges | View::Groups | View::Quarantine | View::Runs, _) => None,
        (View::Attempts | View::Facts | View::Records | View::Moves, _) => Some(Vec::new()),
    }
}

/// What needs somebody, then every feed.
fn overview(model: &Model, place: &Place) -> Vec<Row> {
    let found = troubles(&model.connections, &model.feeds, model.status.as_ref());
    let mut rows: Vec<_> = found.into_iter().map(|trouble| Row::Trouble(trouble.into())).collect();
    rows.extend(feeds(model, place));
    rows
}

fn feeds(model: &Model, place: &Place) -> Vec<Row> {
    let all = model.feeds.iter().map(|row| Row::Feed(Arc::clone(row)));
    let mut rows: Vec<_> = all.filter(|row| place.holds(row)).collect();
    place.list.sort.apply(&mut rows);
    rows
}

/// All that there is to say of a subject, line by line.
pub fn facts(model: &Model, subject: &Subject) -> Vec<Fact> {
    match subject {
        Subject::Quarantine(item) => quarantined(model, item, None),
        Subject::Item(item) => held::facts(model, item),
        Subject::Run(run) => balance(model, run),
        Subject::Record(_, record) => {
            let fields = record.fields.iter().map(|(name, value)| Fact {
                name: Label::Column(name.clone()),
                value: row::value(value),
                weight: Weight::Calm,
            });
            fields.collect()
        }
        Subject::Exchange(exchange) => document(exchange),
        Subject::Connection(_) | Subject::Feed(_) | Subject::Group(_) => Vec::new(),
    }
}

fn fact(name: &'static str, value: impl Into<String>) -> Fact {
    Fact { name: Label::Key(name), value: value.into(), weight: Weight::Calm }
}

/// `first_at`: when it was first refused, where that is known.
fn quarantined(model: &Model, item: &QuarantineRow, first_at: Option<Timestamp>) -> Vec<Fact> {
    let place = &item.place;
    let number = |name, value: Option<u64>| value.map(|value| fact(name, value.to_string()));
    let given = |name, value: &Option<String>| value.as_ref().map(|value| fact(name, value));
    let mut facts = held::told(model, "noun-reason", &item.reason, Weight::Warn);
    facts.extend(given("noun-file", &place.file));
    facts.extend(number("noun-line", place.line));
    facts.extend(number("noun-page", place.page));
    facts.extend(number("noun-row", place.row));
    facts.extend(given("noun-field", &place.field));
    facts.push(fact("noun-feed", item.feed.as_str()));
    facts.push(fact("noun-run", item.run.to_string()));
    facts.push(fact("noun-original", text::bytes(item.bytes)));
    let moment = |at| text::moment(at, model.now, &model.zone);
    facts.extend(first_at.map(|at| fact("fact-first_refused", moment(at))));
    facts.push(fact("fact-refused", moment(item.at)));
    facts
}

fn balance(model: &Model, run: &RunRow) -> Vec<Fact> {
    let counts = &run.counts;
    let mut facts: Vec<_> = [
        ("balance-received", counts.received),
        ("balance-inserted", counts.inserted),
        ("balance-updated", counts.updated),
        ("balance-unchanged", counts.unchanged),
        ("balance-duplicate", counts.duplicate),
        ("balance-deleted", counts.deleted),
        ("balance-absent", counts.absent),
        ("balance-quarantined", counts.quarantined),
        ("balance-filtered", counts.filtered),
    ]
    .into_iter()
    .map(|(name, n)| fact(name, model.say_with("number", [("n", n.into())])))
    .collect();
    let (key, weight) = if counts.balances() {
        ("balance-ok", Weight::Calm)
    } else {
        ("balance-off", Weight::Grave)
    };
    facts.push(Fact { weight, ..fact("noun-balance", model.say(key)) });
    facts.extend(run.file.as_ref().map(|file| fact("noun-file", file)));
    facts.extend(run.actor.as_ref().map(|actor| fact("noun-operator", actor)));
    facts
}

fn document(exchange: &ExchangeRow) -> Vec<Fact> {
    vec![fact("exch-correlation_id", &exchange.idempotency_key), fact("fact-hash", &exchange.hash)]
}

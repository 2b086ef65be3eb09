//! What there is to say of one thing: a name, a value and how that matters, line by line.

use marsad_shared::{
    id::{ConnectionId, FeedId},
    protocol::{ConnectionRow, ExchangeRow, FeedRow, QuarantineGroup, QuarantineRow, RunRow},
};

use super::Line;
use crate::{
    model::{self, Label, Model, Row, Subject, Weight, words},
    text,
    theme::Tone,
    view::columns,
};

/// The facts of a selected row.
pub(super) fn selected(model: &Model, row: &Row) -> Vec<Line> {
    let id = |row: &Row| match row {
        Row::Connection(row) => Some(Subject::Connection(row.id.clone())),
        Row::Feed(row) => Some(Subject::Feed(row.id.clone())),
        Row::Exchange(row) => Some(Subject::Exchange(row.clone())),
        Row::Group(row) => Some(Subject::Group(row.clone())),
        Row::Quarantine(row) => Some(Subject::Quarantine(row.clone())),
        Row::Run(row) => Some(Subject::Run(row.clone())),
        _ => None,
    };
    match row {
        Row::Record(record) => record
            .fields
            .iter()
            .map(|(n, v)| (n.clone(), model::row::value(v), Tone::Plain))
            .collect(),
        Row::Trouble(_) => {
            let causes = model::why::chain(model).into_iter().enumerate();
            let why = |at| if at == 0 { model.say("act-why") } else { String::new() };
            causes.map(|(at, cause)| (why(at), cause.text, cause.weight.into())).collect()
        }
        Row::Fact(fact) => vec![(label(model, &fact.name), fact.value.clone(), Tone::Plain)],
        Row::Attempt(row) => {
            vec![(model.say("noun-reason"), row.reason.clone().unwrap_or_default(), Tone::Plain)]
        }
        row => id(row)
            .map(|subject| {
                let mut lines = about(model, &subject);
                for fact in model::facts(model, &subject) {
                    lines.push((label(model, &fact.name), fact.value, Tone::Plain));
                }
                lines
            })
            .unwrap_or_default(),
    }
}

pub(super) fn label(model: &Model, label: &Label) -> String {
    match label {
        Label::Key(key) => model.say(key),
        Label::Column(name) => name.clone(),
    }
}

/// The facts of a subject.
pub(super) fn about(model: &Model, subject: &Subject) -> Vec<Line> {
    match subject {
        Subject::Connection(id) => connection(model, id),
        Subject::Feed(id) => feed(model, id),
        Subject::Exchange(row) => exchange(model, row),
        Subject::Group(row) => group(model, row),
        Subject::Quarantine(row) => refused(model, row),
        Subject::Item(item) => refused(model, &item.row),
        Subject::Run(row) => run(model, row),
        Subject::Record(feed, row) => vec![
            line(model, "noun-feed", feed.to_string(), Tone::Plain),
            line(model, "noun-run", row.run.to_string(), Tone::Plain),
            line(model, "fact-first_seen", moment(model, row.first_seen_at), Tone::Plain),
            line(model, "col-changed_at", moment(model, row.changed_at), Tone::Plain),
            line(
                model,
                "balance-deleted",
                row.deleted_at.map(|at| moment(model, at)).unwrap_or_default(),
                Tone::Warn,
            ),
        ],
    }
}

fn group(model: &Model, row: &QuarantineGroup) -> Vec<Line> {
    vec![
        line(model, "noun-reason", row.reason.clone(), Tone::Warn),
        line(model, "noun-feed", row.feed.to_string(), Tone::Plain),
        line(model, "noun-field", row.field.clone().unwrap_or_default(), Tone::Plain),
        line(model, "col-count", columns::number(model, row.count), Tone::Plain),
        line(model, "col-oldest", columns::ago(model, row.oldest_at), Tone::Plain),
        line(model, "col-newest", columns::ago(model, Some(row.newest_at)), Tone::Plain),
    ]
}

fn refused(model: &Model, row: &QuarantineRow) -> Vec<Line> {
    vec![
        line(model, "noun-reason", row.reason.clone(), Tone::Warn),
        line(model, "noun-feed", row.feed.to_string(), Tone::Plain),
        line(model, "col-place", columns::place(model, &row.place), Tone::Plain),
        line(model, "noun-run", row.run.to_string(), Tone::Plain),
        line(model, "col-age", columns::ago(model, Some(row.at)), Tone::Plain),
    ]
}

fn line(model: &Model, key: &str, value: String, tone: Tone) -> Line {
    (model.say(key), value, tone)
}

fn moment(model: &Model, at: jiff::Timestamp) -> String {
    text::moment(at, model.now, &model.zone)
}

/// When something ends, and how long that is from now.
fn ends(model: &Model, at: Option<jiff::Timestamp>) -> String {
    at.map_or_else(String::new, |at| {
        format!("{} ({})", moment(model, at), columns::until(model, Some(at)))
    })
}

/// A word, and since when it holds.
fn since(model: &Model, weight: Weight, word: &str, at: Option<jiff::Timestamp>) -> String {
    let word = model.say(word);
    match at {
        Some(at) => {
            let args = [
                ("symbol", weight.symbol().into()),
                ("state", word.into()),
                ("time", moment(model, at).into()),
                ("age", text::age(&model.catalogue, model.now, at).into()),
            ];
            model.say_with("state-since", args)
        }
        None => format!("{} {word}", weight.symbol()),
    }
}

fn connection(model: &Model, id: &ConnectionId) -> Vec<Line> {
    let Some(row) = model.connections.iter().find(|row| row.id == *id) else {
        return vec![line(model, "noun-state", model.say("msg-gone"), Tone::Dim)];
    };
    let weight = Weight::from(row.health);
    let state = since(model, weight, words::health_key(row.health), Some(row.since_at));
    let certificate = row.certificate.map_or(Tone::Plain, |validity| Weight::from(validity).into());
    let side = row.cause.map(|cause| model.say(words::side_key(cause.side()))).unwrap_or_default();
    vec![
        line(model, "noun-state", state, weight.into()),
        line(model, "side-label", side, Tone::Plain),
        line(model, "exch-next_try", columns::until(model, row.next_at), Tone::Plain),
        line(model, "noun-reason", row.reason.clone().unwrap_or_default(), Tone::Plain),
        line(model, "col-last_ok", columns::ago(model, row.last_ok_at), Tone::Plain),
        line(model, "col-address", row.address.clone(), Tone::Plain),
        line(model, "col-certificate", ends(model, row.certificate_until_at), certificate),
        line(model, "col-our-certificate", ends(model, row.our_certificate_until_at), certificate),
        line(model, "col-overlays", overlays(model, row), Tone::Note),
        line(model, "col-name", row.name.en.clone(), Tone::Plain),
    ]
}

/// What lies over a connection's state, with what its requests wait for and until when.
fn overlays(model: &Model, row: &ConnectionRow) -> String {
    let until = row.wait_until_at.map(|at| moment(model, at));
    let words = row.overlays.iter().cloned().chain(until).chain(row.wait_reason.clone());
    words.collect::<Vec<_>>().join("  ")
}

fn feed(model: &Model, id: &FeedId) -> Vec<Line> {
    let Some(row) = model.feed_row(id) else {
        return vec![line(model, "noun-state", model.say("msg-gone"), Tone::Dim)];
    };
    let weight = Weight::from(row.freshness);
    let state = since(model, weight, words::fresh_key(row.freshness), row.since_at);
    let last = row.checked_at.map_or_else(|| model.say("never"), |at| moment(model, at));
    let next =
        if row.paused { model.say("overlay-paused") } else { columns::until(model, row.next_at) };
    let held =
        if row.quarantine > 0 { columns::number(model, row.quarantine) } else { String::new() };
    vec![
        line(model, "noun-state", state, weight.into()),
        line(model, "noun-connection", via(model, row), Tone::Plain),
        line(model, "exch-next_try", next, Tone::Plain),
        line(model, "noun-reason", row.reason.clone().unwrap_or_default(), Tone::Plain),
        line(model, "noun-promise", columns::promise(model, row.every_s), Tone::Plain),
        line(model, "fresh-last_success", last, Tone::Plain),
        line(model, "nav-records", columns::number(model, row.rows), Tone::Plain),
        line(model, "nav-quarantine", held, Tone::Warn),
        line(model, "noun-schema", words::drift(model, row), Tone::Warn),
        line(model, "col-last_run", last_run(model, row), Tone::Plain),
        line(model, "noun-cursor", row.cursor.clone().unwrap_or_default(), Tone::Plain),
        line(model, "noun-table", row.table.clone(), Tone::Plain),
        line(model, "col-name", row.name.en.clone(), Tone::Plain),
    ]
}

/// The last run, and how it turned out.
fn last_run(model: &Model, row: &FeedRow) -> String {
    let outcome = row.last_outcome.map(|outcome| model.say(words::outcome_key(outcome)));
    match (row.last_run, outcome) {
        (Some(run), Some(outcome)) => format!("{run} {outcome}"),
        _ => model.say("never"),
    }
}

/// A feed's connection, and how that stands.
fn via(model: &Model, row: &FeedRow) -> String {
    let health = model.connections.iter().find(|link| link.id == row.connection);
    let word = health.map(|link| model.say(words::health_key(link.health))).unwrap_or_default();
    format!("{} {word}", row.connection)
}

fn exchange(model: &Model, row: &ExchangeRow) -> Vec<Line> {
    let weight = Weight::from(row.state);
    let state = since(model, weight, words::state_key(row.state), Some(row.since_at));
    let deadline = row.deadline_at.map(|at| moment(model, at)).unwrap_or_default();
    let next = if row.state.is_open() { columns::until(model, row.next_at) } else { String::new() };
    vec![
        line(model, "noun-state", state, weight.into()),
        line(model, "exch-attempts", row.attempts.to_string(), Tone::Plain),
        line(model, "noun-reason", row.reason.clone().unwrap_or_default(), Tone::Plain),
        line(model, "noun-file", row.name.clone(), Tone::Plain),
        line(model, "noun-connection", row.connection.to_string(), Tone::Plain),
        line(model, "exch-next_try", next, Tone::Plain),
        line(model, "noun-deadline", deadline, Tone::Plain),
        line(model, "col-size", text::bytes(row.bytes), Tone::Plain),
    ]
}

fn run(model: &Model, row: &RunRow) -> Vec<Line> {
    let weight = Weight::from(row.outcome);
    let state = match row.alike {
        0 => model.say(words::outcome_key(row.outcome)),
        _ => columns::alike(model, row),
    };
    let state = format!("{} {state}", weight.symbol());
    let end = row.ended_at.unwrap_or(model.now);
    let took = text::span(&model.catalogue, text::seconds_between(row.started_at, end));
    let side = row.cause.map(|cause| model.say(words::side_key(cause.side()))).unwrap_or_default();
    let counts = model.say_with(
        "run-balance",
        [
            ("received", row.counts.received.into()),
            ("changed", row.counts.changed().into()),
            ("unchanged", row.counts.unchanged.into()),
            ("held", row.counts.quarantined.into()),
        ],
    );
    vec![
        line(model, "col-result", state, weight.into()),
        line(model, "col-took", took, Tone::Plain),
        line(model, "noun-reason", row.reason.clone().unwrap_or_default(), Tone::Plain),
        line(model, "noun-balance", counts, Tone::Plain),
        line(model, "noun-feed", row.feed.to_string(), Tone::Plain),
        line(model, "col-start", moment(model, row.started_at), Tone::Plain),
        line(model, "col-trigger", model.say(words::trigger_key(row.trigger)), Tone::Plain),
        line(model, "side-label", side, Tone::Plain),
        line(model, "noun-file", row.file.clone().unwrap_or_default(), Tone::Plain),
    ]
}

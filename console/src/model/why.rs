//! The chain of causes behind a selection, as far as the rows that are held tell: from what is seen down to whose side
//! it is on.

use marsad_shared::{
    health::Reason,
    id::{ConnectionId, FeedId},
    protocol::{ConnectionRow, FeedRow, RunRow},
};

use super::{About, Cause, Model, Row, Subject, Weight, words};
use crate::text;

/// The chain for what is selected, or else for what this place is about.
pub fn chain(model: &Model) -> Vec<Cause> {
    match (model.selected(), &model.here().subject) {
        (Some(Row::Connection(row)), _) => connection(model, &row.id),
        (Some(Row::Feed(row)), _) => feed(model, &row.id),
        (Some(Row::Trouble(trouble)), _) => match &trouble.about {
            About::Connection(row, _) => connection(model, &row.id),
            About::Feed(row) | About::LastRun(row) | About::Held(row) => feed(model, &row.id),
            About::Exchanges(state, n) => {
                let word = model.say(words::state_key(*state));
                let args = [("n", (*n).into()), ("state", word.into())];
                vec![cause(trouble.weight, model.say_with("why-exchanges", args))]
            }
        },
        (Some(Row::Run(row)), _) => run(model, row),
        (Some(Row::Quarantine(row)), _) | (_, Some(Subject::Quarantine(row))) => {
            let mut all = vec![cause(Weight::Warn, row.reason.clone())];
            all.extend(feed(model, &row.feed));
            all
        }
        (Some(Row::Exchange(row)), _) | (_, Some(Subject::Exchange(row))) => {
            let word = model.say(words::state_key(row.state));
            let args = [("id", row.id.to_string().into()), ("state", word.into())];
            let mut all = vec![cause(row.state.into(), model.say_with("why-state", args))];
            all.extend(row.reason.clone().map(|reason| cause(row.state.into(), reason)));
            all.extend(connection(model, &row.connection));
            all
        }
        (_, Some(Subject::Run(row))) => run(model, row),
        (_, Some(Subject::Feed(id) | Subject::Record(id, _))) => feed(model, id),
        (_, Some(Subject::Connection(id))) => connection(model, id),
        _ => Vec::new(),
    }
}

fn cause(weight: Weight, text: String) -> Cause {
    Cause { weight, text }
}

fn feed(model: &Model, id: &FeedId) -> Vec<Cause> {
    let Some(row) = model.feed_row(id) else { return Vec::new() };
    let mut all = vec![cause(row.freshness.into(), feed_line(model, row))];
    all.extend(row.reason.clone().map(|reason| cause(row.freshness.into(), reason)));
    let last = model.recent.iter().find(|run| Some(run.id) == row.last_run);
    match (last, row.last_run, row.last_outcome) {
        (Some(last), ..) => all.extend(run_lines(model, last)),
        (None, Some(id), Some(outcome)) => {
            let word = model.say(words::outcome_key(outcome));
            let args = [("id", id.to_string().into()), ("state", word.into())];
            all.push(cause(outcome.into(), model.say_with("why-last_run", args)));
        }
        _ => {}
    }
    all.extend(connection(model, &row.connection));
    all
}

fn feed_line(model: &Model, row: &FeedRow) -> String {
    let state = model.say(words::fresh_key(row.freshness));
    let promise = row.every_s.map_or_else(
        || model.say("none"),
        |every| text::span(&model.catalogue, every.try_into().unwrap_or(i64::MAX)),
    );
    let last = row
        .checked_at
        .map_or_else(|| model.say("never"), |at| text::moment(at, model.now, &model.zone));
    model.say_with(
        "why-feed",
        [
            ("id", row.id.to_string().into()),
            ("state", state.into()),
            ("promise", promise.into()),
            ("last", last.into()),
        ],
    )
}

fn connection(model: &Model, id: &ConnectionId) -> Vec<Cause> {
    let Some(row) = model.connections.iter().find(|row| row.id == *id) else { return Vec::new() };
    let mut all = vec![cause(row.health.into(), connection_line(model, row))];
    all.extend(row.reason.clone().map(|reason| cause(row.health.into(), reason)));
    all.extend(row.cause.map(|reason| side(model, reason)));
    all
}

fn connection_line(model: &Model, row: &ConnectionRow) -> String {
    model.say_with(
        "why-connection",
        [
            ("id", row.id.to_string().into()),
            ("state", model.say(words::health_key(row.health)).into()),
            ("time", text::moment(row.since_at, model.now, &model.zone).into()),
        ],
    )
}

fn run(model: &Model, row: &RunRow) -> Vec<Cause> {
    let mut all = run_lines(model, row);
    all.extend(feed(model, &row.feed));
    all
}

fn run_lines(model: &Model, row: &RunRow) -> Vec<Cause> {
    let word = model.say(words::outcome_key(row.outcome));
    let args = [("id", row.id.to_string().into()), ("state", word.into())];
    let mut all = vec![cause(row.outcome.into(), model.say_with("why-last_run", args))];
    all.extend(row.reason.clone().map(|reason| cause(row.outcome.into(), reason)));
    all.extend(row.cause.map(|reason| side(model, reason)));
    all
}

fn side(model: &Model, reason: Reason) -> Cause {
    let side = model.say(words::side_key(reason.side()));
    cause(Weight::Blank, model.say_with("why-side", [("side", side.into())]))
}

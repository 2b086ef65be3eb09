//! The chain of causes behind a selection, as far as the rows that are held tell: from what is seen down to whose side
//! it is on.

use marsad_shared::{
    health::Reason,
    id::{ConnectionId, FeedId},
    protocol::{ConnectionRow, FeedRow, RunRow},
};

use super::{About, Cause, Model, Row, Subject, Weight, trouble::is_behind, words};
use crate::text;

/// So many feeds are named that a connection holds up.
const NAMED: usize = 6;

/// The chain for what is selected, or else for what this place is about. What several links say is said by the last of them,
/// which is nearest to the root.
pub fn chain(model: &Model) -> Vec<Cause> {
    let mut behind: Vec<Cause> = Vec::new();
    for cause in links(model).into_iter().rev() {
        if behind.iter().all(|said| said.text != cause.text) {
            behind.push(cause);
        }
    }
    behind.reverse();
    behind
}

fn links(model: &Model) -> Vec<Cause> {
    match (model.selected(), &model.here().subject) {
        (Some(Row::Connection(row)), _) => trunk(model, &row.id),
        (Some(Row::Feed(row)), _) => feed(model, &row.id),
        (Some(Row::Trouble(trouble)), _) => match &trouble.about {
            About::Connection(row, _) => trunk(model, &row.id),
            About::Feed(row) | About::LastRun(row) | About::Held(row) => feed(model, &row.id),
            About::Exchanges(state, n) => {
                let word = model.say(words::state_key(*state));
                let args = [("n", (*n).into()), ("state", word.into())];
                vec![cause(trouble.weight, model.say_with("why-exchanges", args))]
            }
        },
        (Some(Row::Run(row)), _) => run(model, row),
        (Some(Row::Quarantine(row)), _) | (_, Some(Subject::Quarantine(row))) => {
            refused(model, &row.reason, &row.feed)
        }
        (_, Some(Subject::Item(item))) => refused(model, &item.row.reason, &item.row.feed),
        (Some(Row::Group(row)), _) | (_, Some(Subject::Group(row))) => {
            refused(model, &row.reason, &row.feed)
        }
        (Some(Row::Exchange(row)), _) | (_, Some(Subject::Exchange(row))) => {
            let word = model.say(words::state_key(row.state));
            let args = [("id", row.id.to_string().into()), ("state", word.into())];
            let mut all = vec![cause(row.state.into(), model.say_with("why-state", args))];
            all.extend(row.reason.clone().map(|reason| cause(row.state.into(), reason)));
            if row.state.is_open() {
                all.extend(connection(model, &row.connection)); // what is settled waits for no connection
            }
            all
        }
        (_, Some(Subject::Run(row))) => run(model, row),
        (_, Some(Subject::Feed(id) | Subject::Record(id, _))) => feed(model, id),
        (_, Some(Subject::Connection(id))) => trunk(model, id),
        _ => Vec::new(),
    }
}

fn refused(model: &Model, reason: &str, id: &FeedId) -> Vec<Cause> {
    let mut all = vec![cause(Weight::Warn, reason.to_owned())];
    all.extend(feed(model, id));
    all
}

fn cause(weight: Weight, text: String) -> Cause {
    Cause { weight, text, effect: false }
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

/// A connection, and what hangs on it and is behind.
fn trunk(model: &Model, id: &ConnectionId) -> Vec<Cause> {
    let mut all = connection(model, id);
    let behind = model.feeds.iter().filter(|feed| feed.connection == *id && is_behind(feed));
    let behind: Vec<_> = behind.map(|feed| feed.id.as_str()).collect();
    if !behind.is_empty() {
        let mut feeds = behind.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        if let Some(more @ 1..) = behind.len().checked_sub(NAMED) {
            let n = u64::try_from(more).unwrap_or(u64::MAX);
            feeds = format!("{feeds}  {}", model.say_with("overview-more", [("n", n.into())]));
        }
        let text = model.say_with("why-holds_up", [("feeds", feeds.into())]);
        all.push(Cause { weight: Weight::Warn, text, effect: true });
    }
    all
}

fn connection(model: &Model, id: &ConnectionId) -> Vec<Cause> {
    let Some(row) = model.connections.iter().find(|row| row.id == *id) else { return Vec::new() };
    let mut all = vec![cause(row.health.into(), connection_line(model, row))];
    all.extend(row.reason.clone().map(|reason| cause(row.health.into(), reason)));
    all.extend(row.cause.map(|reason| side(model, reason)));
    all.extend(row.wait_reason.clone().map(|why| cause(row.health.into(), why)));
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
    let who = model.say(words::who_key(reason.side()));
    cause(Weight::Blank, model.say_with("why-side", [("side", side.into()), ("who", who.into())]))
}

#[cfg(test)]
mod tests {
    use marsad_shared::{exchange::State, health::Health, run::Outcome};

    use super::*;
    use crate::model::{Place, build};

    /// The chain for a place, its effects marked.
    fn said(model: &mut Model, subject: Subject) -> Vec<String> {
        model.trail.jump(Place::of(subject));
        let said =
            |cause: Cause| format!("{}{}", if cause.effect { "-> " } else { "" }, cause.text);
        chain(model).into_iter().map(said).collect()
    }

    #[test]
    fn a_connection_names_what_it_holds_up() {
        let mut model = build::usual().build();
        let named = said(&mut model, Subject::Connection("education/api".parse().unwrap()));
        assert_eq!(
            named,
            [
                "connection education/api is Down since 14:01:31",
                "TLS handshake: certificate expired",
                "-> it holds up: education/enrolments",
            ]
        );
        let named = said(&mut model, Subject::Connection("courts/api".parse().unwrap()));
        assert_eq!(named, ["connection courts/api is Up since 14:01:31"], "nothing is behind");
    }

    #[test]
    fn what_a_run_and_its_connection_both_say_is_said_once() {
        let said_by_both = "TLS handshake: certificate expired";
        let mut row = build::run(7, "education/enrolments", Outcome::Failed);
        row.reason = Some(said_by_both.to_owned());
        let mut model = build::usual().build();
        let named = said(&mut model, Subject::Run(row.into()));
        assert_eq!(named.iter().filter(|line| *line == said_by_both).count(), 1, "{named:#?}");
        let at = |part: &str| named.iter().position(|line| line.contains(part));
        assert!(at("connection education/api") < at(said_by_both), "nearest to the root");
    }

    #[test]
    fn only_what_is_open_waits_for_its_connection() {
        for (state, expected) in [(State::Retrying, true), (State::Rejected, false)] {
            let mut row = build::exchange(1, state);
            row.connection = "education/referrals".parse().unwrap();
            let mut model = build::model().connection("education/referrals", Health::Down).build();
            let named = said(&mut model, Subject::Exchange(row.into()));
            let blamed = named.iter().any(|line| line.starts_with("connection "));
            assert_eq!(blamed, expected, "{state}: {named:?}");
        }
    }
}

//! What the daemon says: rows, pages, outcomes, and whether it is there at all.

use std::sync::Arc;

use jiff::Timestamp;
use marsad_shared::{
    protocol::{
        ActOutcome, DriftRow, Event, EventKind, FeedRow, Problem, RecordRow, RunRow, SchemaReply,
        TestReply,
    },
    run::Outcome,
};

use crate::{
    message::{Effect, Message},
    model::{Address, Link, Model, Place, Row, Source, Subject, View, words},
    text,
    theme::Tone,
};

pub(super) fn take(model: &mut Model, message: Message) -> Option<Effect> {
    match message {
        Message::Back(at) => back(model, at),
        Message::Away(at, why) => away(model, at, why),
        Message::Heard(event) => return heard(model, &event),
        Message::Status(status) => {
            model.status = Some(*status);
            model.rebuild();
        }
        Message::Connections(rows) => {
            model.connections = rows.into_iter().map(Arc::new).collect();
            model.rebuild();
        }
        Message::Feeds(rows) => {
            model.feeds = rows.into_iter().map(Arc::new).collect();
            model.rebuild();
        }
        Message::SomeFeeds(rows) => some_feeds(model, rows),
        Message::Recent(rows) => model.recent = rows.into_iter().map(Arc::new).collect(),
        Message::Page(ticket, page) => {
            let height = model.height();
            model.hold_selection();
            model.here_mut().list.take(ticket, page, height);
        }
        Message::Found(address, row) => found(model, &address, row),
        Message::Previewed(asked, reply) => super::resync::previewed(model, &asked, reply),
        Message::Ordered(reply) => return super::resync::ordered(model, reply),
        Message::Ended(run) => ended(model, &run),
        Message::Acted(outcomes) => acted(model, outcomes),
        Message::ReplayTried(asked, reply) => super::held::replay_tried(model, &asked, reply),
        Message::DiscardTried(asked, reply) => super::held::discard_tried(model, &asked, reply),
        Message::Decided(reply) => super::decide::decided(model, reply),
        Message::Replayed(reply) => super::held::replayed(model, reply),
        Message::Discarded(reply) => super::held::discarded(model, reply),
        Message::Settled(reply) => settled(model, reply),
        Message::Tested(reply) => tested(model, reply),
        _ => {}
    }
    None
}

fn back(model: &mut Model, at: Timestamp) {
    model.now = model.now.max(at);
    if matches!(model.link, Link::Away { .. }) {
        model.tell(model.say("msg-daemon_back"), Tone::Good);
    }
    if model.link != Link::Live {
        model.link = Link::Live;
        let height = model.height();
        let list = &mut model.here_mut().list;
        list.problem = None;
        list.refresh();
        list.reveal(height);
    }
}

/// It keeps the time at which it was first missed.
fn away(model: &mut Model, at: Timestamp, why: String) {
    match &mut model.link {
        Link::Away { why: known, .. } => *known = why,
        link => *link = Link::Away { since: at, why },
    }
    model.here_mut().list.lost();
}

/// Asks again for what is on screen and has changed: the page of a list, or the thing that the place is about.
fn heard(model: &mut Model, event: &Event) -> Option<Effect> {
    let all = matches!(event.kind, EventKind::Lagged);
    let touched = match model.here().source() {
        Some(Source::Exchanges) => event.kind == EventKind::Exchange,
        Some(Source::Groups | Source::Quarantine) => event.kind == EventKind::Quarantine,
        Some(Source::Runs) => event.kind == EventKind::Run,
        Some(Source::Records(feed) | Source::Moves(feed)) => {
            event.kind == EventKind::Feed
                && event.id.as_deref().is_none_or(|id| id == feed.as_str())
        }
        None => false,
    };
    if touched || all {
        model.here_mut().list.refresh();
    }
    let (about, id) = match &model.here().subject {
        Some(Subject::Exchange(row)) => (Address::Exchange(row.id), row.id.to_string()),
        Some(Subject::Run(row)) if row.ended_at.is_none() => {
            (Address::Run(row.id), row.id.to_string())
        }
        _ => return None,
    };
    (all || event.id.as_ref() == Some(&id)).then_some(Effect::Find(about))
}

fn some_feeds(model: &mut Model, rows: Vec<FeedRow>) {
    for row in rows {
        match model.feeds.iter_mut().find(|held| held.id == row.id) {
            Some(held) => *held = Arc::new(row),
            None => model.feeds.push(Arc::new(row)),
        }
    }
    model.rebuild();
}

/// What was asked for by its address. What is looked at already is only shown as it is now.
fn found(model: &mut Model, address: &Address, row: Result<Row, Problem>) {
    let row = match row {
        Ok(row) => row,
        Err(problem) => return refused(model, &problem),
    };
    let (root, subject) = match row {
        Row::Exchange(row) => {
            if let Some(Subject::Exchange(held)) = &mut model.here_mut().subject
                && held.id == row.id
            {
                *held = row;
                return model.rebuild();
            }
            (View::Exchanges, Subject::Exchange(row))
        }
        Row::Run(row) => {
            if let Some(Subject::Run(held)) = &mut model.here_mut().subject
                && held.id == row.id
            {
                *held = row;
                return model.rebuild();
            }
            (View::Runs, Subject::Run(row))
        }
        Row::Item(item) => {
            let here = &mut model.here_mut().subject;
            let same = match here {
                Some(Subject::Quarantine(held)) => held.id == item.row.id,
                Some(Subject::Item(held)) => held.row.id == item.row.id,
                _ => false,
            };
            if same {
                *here = Some(Subject::Item(item));
                return model.rebuild();
            }
            (View::Groups, Subject::Item(item))
        }
        Row::Record(row) => return record(model, address, row),
        _ => return,
    };
    if matches!(address, Address::Exchange(_) | Address::Run(_) | Address::Quarantine(_)) {
        model.trail.jump(Place::new(root, None));
        super::moving::enter(model, Place::of(subject));
    }
}

/// A record that was asked for by its key: a step into it from the records of its feed.
fn record(model: &mut Model, address: &Address, row: Arc<RecordRow>) {
    let Address::Record(feed, _) = address else { return };
    if model.here().source() != Some(Source::Records(feed.clone())) {
        model.trail.jump(Place::new(View::Records, None));
    }
    super::moving::enter(model, Place::of(Subject::Record(feed.clone(), row)));
}

fn ended(model: &mut Model, run: &RunRow) {
    model.ordered.remove(&run.id);
    let word = model.say(words::outcome_key(run.outcome));
    let (id, feed) = (run.id.to_string().into(), run.feed.to_string().into());
    let said = match &run.reason {
        Some(reason) if run.outcome == Outcome::Failed => {
            let reason = text::gist(reason).to_owned().into();
            let args = [("id", id), ("feed", feed), ("outcome", word.into()), ("reason", reason)];
            model.say_with("msg-run_failed", args)
        }
        _ => {
            let (changed, held) = (run.counts.changed().into(), run.counts.quarantined.into());
            let args = [
                ("id", id),
                ("feed", feed),
                ("outcome", word.into()),
                ("changed", changed),
                ("held", held),
            ];
            model.say_with("msg-run_ended", args)
        }
    };
    let tone = match run.outcome {
        Outcome::Failed => Tone::Bad,
        Outcome::Partial | Outcome::Held | Outcome::Cancelled => Tone::Warn,
        Outcome::Running | Outcome::Succeeded | Outcome::Unchanged => Tone::Good,
    };
    model.tell(said, tone);
}

fn acted(model: &mut Model, outcomes: Result<Vec<ActOutcome>, Problem>) {
    match outcomes {
        Ok(outcomes) => {
            for outcome in outcomes {
                let state = outcome.state.map_or("fresh-unknown", words::state_key);
                let id = outcome.id.to_string();
                let args = [("id", id.into()), ("state", model.say(state).into())];
                let done = model.say_with("msg-exchange_is", args);
                let (text, tone) = match outcome.problem {
                    Some(problem) => (problem, Tone::Bad),
                    None => (done, Tone::Good),
                };
                model.tell(text, tone);
            }
            model.here_mut().list.refresh();
        }
        Err(problem) => refused(model, &problem),
    }
}

fn settled(model: &mut Model, reply: Result<SchemaReply, Problem>) {
    let reply = match reply {
        Ok(reply) => reply,
        Err(problem) => return refused(model, &problem),
    };
    let said = |row: &DriftRow| format!("{} {} {}", row.field, row.change, row.decision);
    let what = reply.decided.iter().map(said).collect::<Vec<_>>().join(", ");
    let args = [("feed", reply.feed.to_string().into()), ("what", what.into())];
    model.tell(model.say_with("msg-decided", args), Tone::Good);
}

fn tested(model: &mut Model, reply: Result<TestReply, Problem>) {
    let reply = match reply {
        Ok(reply) => reply,
        Err(problem) => return refused(model, &problem),
    };
    let id = reply.id.to_string();
    match reply.steps.into_iter().find(|step| !step.ok) {
        None => model.tell(model.say_with("msg-tested", [("id", id.into())]), Tone::Good),
        Some(step) => {
            let args = [
                ("id", id.into()),
                ("step", step.step.word().into()),
                ("text", step.text.into()),
                ("do", reply.remedy.unwrap_or_default().into()),
            ];
            model.tell(model.say_with("msg-test_failed", args), Tone::Bad);
        }
    }
}

/// Says what failed, why, and what to do.
pub(super) fn refused(model: &mut Model, problem: &Problem) {
    let args = [
        ("what", problem.what.clone().into()),
        ("why", problem.why.clone().into()),
        ("do", problem.remedy.clone().into()),
    ];
    model.tell(model.say_with("msg-problem", args), Tone::Bad);
}

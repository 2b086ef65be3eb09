//! What can be done with a selection, and what stands in the way of the rest.

use std::sync::Arc;

use marsad_shared::{
    exchange::{Event, Standing},
    id::QuarantineId,
    protocol::{
        Alike, Chosen, ExchangeRow, ExchangeVerb, FeedRow, QuarantineGroup, QuarantineRow, RunRow,
        RunVerb, SchemaVerb,
    },
    role::{self, Act},
    run::Outcome,
};

use super::{Choice, Held, Item, Link, Model, Row, Subject};

impl Choice {
    /// The key of its name in the catalogue.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Open => "act-open_details",
            Self::Why => "act-why",
            Self::Resync => "act-resync",
            Self::Test => "act-test_connection",
            Self::Exchange(verb) => verb_key(verb),
            Self::Run(verb) => run_key(verb),
            Self::Replay => "act-replay",
            Self::Discard => "act-discard",
            Self::Schema(SchemaVerb::Approve) => "act-approve_columns",
            Self::Schema(SchemaVerb::Refuse) => "act-refuse_columns",
            Self::Copy => "act-copy",
        }
    }
}

/// The key of a verb's name in the catalogue.
/// All that decides what may happen to it next.
pub const fn standing(row: &ExchangeRow) -> Standing {
    Standing { state: row.state, doubted: row.doubted }
}

pub const fn verb_key(verb: ExchangeVerb) -> &'static str {
    match verb {
        ExchangeVerb::Retry => "act-retry",
        ExchangeVerb::Hold => "act-hold",
        ExchangeVerb::Release => "act-release",
        ExchangeVerb::Cancel => "act-cancel",
        ExchangeVerb::Confirm => "act-confirm",
    }
}

/// The key of a decision's name in the catalogue.
pub const fn run_key(verb: RunVerb) -> &'static str {
    match verb {
        RunVerb::Cancel => "act-cancel",
        RunVerb::Release => "act-release",
        RunVerb::Discard => "act-discard",
        RunVerb::Undo => "act-undo",
    }
}

/// Why a decision cannot be made about a run as it stands, by its key in the catalogue.
const fn stands_against(verb: RunVerb, run: &RunRow) -> Option<&'static str> {
    let may = match verb {
        RunVerb::Cancel => matches!(run.outcome, Outcome::Running),
        // Of what was held and not kept it is read again.
        RunVerb::Release => matches!(run.outcome, Outcome::Held),
        RunVerb::Discard => run.waits,
        RunVerb::Undo => run.undoable,
    };
    match verb {
        _ if may => None,
        RunVerb::Cancel => Some("msg-blocked_ended"),
        RunVerb::Release | RunVerb::Discard => Some("msg-blocked_nothing_waits"),
        RunVerb::Undo => Some("msg-blocked_no_undo"),
    }
}

const fn run_act(verb: RunVerb) -> Act {
    match verb {
        RunVerb::Cancel => Act::CancelRun,
        RunVerb::Release => Act::ReleaseRun,
        RunVerb::Discard => Act::DiscardRun,
        RunVerb::Undo => Act::UndoRun,
    }
}

/// What the verb is to an exchange's life.
pub const fn event(verb: ExchangeVerb) -> Event {
    match verb {
        ExchangeVerb::Retry => Event::Retry,
        ExchangeVerb::Hold => Event::Hold,
        ExchangeVerb::Release => Event::Release,
        ExchangeVerb::Cancel => Event::Cancel,
        ExchangeVerb::Confirm => Event::Confirm,
    }
}

const fn act(verb: ExchangeVerb) -> Act {
    match verb {
        ExchangeVerb::Retry => Act::RetryExchange,
        ExchangeVerb::Hold => Act::HoldExchange,
        ExchangeVerb::Release => Act::ReleaseExchange,
        ExchangeVerb::Cancel => Act::CancelExchange,
        ExchangeVerb::Confirm => Act::ConfirmExchange,
    }
}

/// Everything that could be done with the selection, each with the reason where it cannot.
pub fn items(model: &Model) -> Vec<Item> {
    let mut items = Vec::new();
    let leads_on = |row: &Row| !matches!(row, Row::Attempt(_) | Row::Fact(_)); // those are opened already
    if model.selected().is_some_and(leads_on) {
        items.push(Item { choice: Choice::Open, blocked: None });
    }
    if model.selected().is_some() {
        items.push(Item { choice: Choice::Why, blocked: None });
    }
    if model.feed().is_some() {
        items.push(Item { choice: Choice::Resync, blocked: blocked(model, Act::Resync) });
    }
    if drifted(model).is_some() {
        let blocked = blocked(model, Act::DecideSchema);
        let item = |verb| Item { choice: Choice::Schema(verb), blocked: blocked.clone() };
        items.extend(SchemaVerb::ALL.map(item));
    }
    if model.connection().is_some() {
        items.push(Item { choice: Choice::Test, blocked: blocked(model, Act::TestConnection) });
    }
    if let Some(row) = exchange(model) {
        items.extend(ExchangeVerb::ALL.map(|verb| Item {
            choice: Choice::Exchange(verb),
            blocked: blocked(model, act(verb)).or_else(|| {
                let state = model.catalogue.say(super::words::state_key(row.state)).into_owned();
                let legal = standing(&row).next(event(verb)).is_ok();
                (!legal).then(|| model.say_with("msg-blocked_state", [("state", state.into())]))
            }),
        }));
    }
    if let Some(row) = run(model) {
        items.extend(RunVerb::ALL.map(|verb| {
            let against = stands_against(verb, &row).map(|key| model.say(key));
            Item {
                choice: Choice::Run(verb),
                blocked: against.or_else(|| blocked(model, run_act(verb))),
            }
        }));
    }
    if held(model).is_some() {
        for (choice, act) in
            [(Choice::Replay, Act::ReplayQuarantine), (Choice::Discard, Act::DiscardQuarantine)]
        {
            items.push(Item { choice, blocked: blocked(model, act) });
        }
    }
    if model.selected().is_some() {
        items.push(Item { choice: Choice::Copy, blocked: None });
    }
    items
}

/// What is held that an act would be about: what is marked, else what is selected, else what this place is about.
pub fn held(model: &Model) -> Option<Held> {
    let list = &model.here().list;
    let ids: Vec<QuarantineId> = list.marks.iter().filter_map(|key| key.parse().ok()).collect();
    if !ids.is_empty() {
        let feed = |row: &Row| row.feed().filter(|_| list.marks.contains(&row.key())).cloned();
        let mut feeds: Vec<_> = list.rows.iter().filter_map(feed).collect();
        feeds.sort_unstable();
        feeds.dedup();
        let name = match feeds.as_slice() {
            [one] => one.to_string(),
            _ => model.say("held-several"),
        };
        return Some(Held { what: Chosen { ids, ..Chosen::default() }, name });
    }
    let one = |row: &QuarantineRow| Held {
        what: Chosen { ids: vec![row.id], ..Chosen::default() },
        name: row.feed.to_string(),
    };
    let all = |row: &QuarantineGroup| Held {
        what: Chosen { group: Some(Alike::Group(row.id)), ..Chosen::default() },
        name: row.feed.to_string(),
    };
    match (model.selected(), &model.here().subject) {
        (Some(Row::Group(row)), _) => Some(all(row)),
        (Some(Row::Quarantine(row)), _) | (_, Some(Subject::Quarantine(row))) => Some(one(row)),
        (_, Some(Subject::Item(item))) => Some(one(&item.row)),
        _ => None,
    }
}

/// The run that is selected, or that this place is about.
pub fn run(model: &Model) -> Option<Arc<RunRow>> {
    match (model.selected(), &model.here().subject) {
        (Some(Row::Run(row)), _) | (None | Some(Row::Fact(_)), Some(Subject::Run(row))) => {
            Some(Arc::clone(row))
        }
        _ => None,
    }
}

/// The feed that is selected, or that this place is about, where something in it waits for a decision.
pub fn drifted(model: &Model) -> Option<Arc<FeedRow>> {
    let row = model.feed_row(model.feed()?)?;
    (!row.drift.is_empty()).then(|| Arc::clone(row))
}

/// The exchange that is selected, or that this place is about.
pub fn exchange(model: &Model) -> Option<Arc<ExchangeRow>> {
    match (model.selected(), &model.here().subject) {
        (Some(Row::Exchange(row)), _) | (_, Some(Subject::Exchange(row))) => Some(Arc::clone(row)),
        _ => None,
    }
}

/// Why an act cannot be asked of the daemon now: it is not there, or the role is missing.
pub fn blocked(model: &Model, act: Act) -> Option<String> {
    match &model.link {
        Link::Offline => Some(model.say("msg-blocked_offline")),
        Link::Away { .. } | Link::Connecting => Some(model.say("msg-blocked_away")),
        Link::Live => {
            let roles = model.status.as_ref()?.roles?;
            let least = model.say(super::words::role_key(role::least(act)));
            (!roles.allows(act))
                .then(|| model.say_with("msg-blocked_role", [("role", least.into())]))
        }
    }
}

//! What can be done with a selection, and what stands in the way of the rest.

use std::sync::Arc;

use marsad_shared::{
    exchange::{Event, Standing},
    protocol::{ExchangeRow, ExchangeVerb, FeedRow, SchemaVerb},
    role::{self, Act},
};

use super::{Choice, Item, Link, Model, Row, Subject};

impl Choice {
    /// The key of its name in the catalogue.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Open => "act-open_details",
            Self::Why => "act-why",
            Self::Resync => "act-resync",
            Self::Test => "act-test_connection",
            Self::Exchange(verb) => verb_key(verb),
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
    if model.selected().is_some() {
        items.push(Item { choice: Choice::Copy, blocked: None });
    }
    items
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

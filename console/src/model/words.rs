//! The catalogue's keys of the words that states, outcomes and causes are.

use marsad_shared::{
    exchange::{Direction, State},
    freshness::Freshness,
    health::{Health, Side},
    protocol::FeedRow,
    quarantine::Kind,
    role::Role,
    run::{Outcome, Trigger},
};

use super::Model;

/// Makes a function from a word to its key, and a list of all of them for the test of the catalogue.
macro_rules! keys {
    ($( $(#[$doc:meta])* $name:ident($type:ident) { $($variant:ident => $key:literal,)+ } )+) => {
        $(
            $(#[$doc])*
            pub const fn $name(word: $type) -> &'static str {
                match word {
                    $($type::$variant => $key,)+
                }
            }
        )+
    };
}

/// What came otherwise in a feed and waits for a decision; nothing where nothing does.
pub fn drift(model: &Model, row: &FeedRow) -> String {
    if row.drift.is_empty() {
        return String::new();
    }
    let named: Vec<_> = row.drift.iter().take(DRIFT_NAMED).map(String::as_str).collect();
    let more = if row.drift.len() > DRIFT_NAMED { ", …" } else { "" };
    let what = format!("{}{more}", named.join(", "));
    model.say_with("schema-waits", [("what", what.into())])
}

/// So many names are said.
const DRIFT_NAMED: usize = 4;

keys! {
    health_key(Health) {
        Unknown => "health-unknown",
        Up => "health-up",
        Suspect => "health-suspect",
        Degraded => "health-degraded",
        Down => "health-down",
        Recovering => "health-recovering",
    }
    fresh_key(Freshness) {
        Fresh => "fresh-fresh",
        Due => "fresh-due",
        Late => "fresh-late",
        Stale => "fresh-stale",
        Expired => "fresh-expired",
        Unknown => "fresh-unknown",
        Exempt => "fresh-exempt",
        Future => "fresh-future",
    }
    state_key(State) {
        Pending => "exch-pending",
        Scheduled => "exch-scheduled",
        Sending => "exch-sending",
        InDoubt => "exch-in_doubt",
        Retrying => "exch-retrying",
        Delivered => "exch-delivered",
        Confirmed => "exch-confirmed",
        Rejected => "exch-rejected",
        Held => "exch-held",
        Expired => "exch-expired",
        Cancelled => "exch-cancelled",
    }
    direction_key(Direction) {
        Incoming => "exch-inbound",
        Outgoing => "exch-outbound",
    }
    outcome_key(Outcome) {
        Running => "status-running",
        Succeeded => "status-succeeded",
        Unchanged => "status-unchanged",
        Partial => "status-partial",
        Held => "status-held",
        Failed => "status-failed",
        Cancelled => "status-cancelled",
    }
    trigger_key(Trigger) {
        Schedule => "trigger-schedule",
        Retry => "trigger-retry",
        File => "trigger-file",
        Person => "trigger-person",
        Replay => "trigger-replay",
    }
    kind_key(Kind) {
        Row => "kind-row",
        File => "kind-file",
    }
    side_key(Side) {
        Ours => "side-ours",
        Network => "side-network",
        Tls => "side-tls",
        Gateway => "side-gateway",
        Partner => "side-partner",
        Data => "side-data",
    }
    who_key(Side) {
        Ours => "who-ours",
        Network => "who-network",
        Tls => "who-tls",
        Gateway => "who-gateway",
        Partner => "who-partner",
        Data => "who-data",
    }
    role_key(Role) {
        Viewer => "role-viewer",
        Operator => "role-operator",
        Supervisor => "role-supervisor",
        Auditor => "role-auditor",
        Admin => "role-admin",
    }
}

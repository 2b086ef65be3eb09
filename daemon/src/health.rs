//! The health board: how each connection stands, judged by the shared rules, kept over a restart.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    health::{Limits, PollResult, Standing},
    id::ConnectionId,
    protocol::EventKind,
};
use tracing::{info, warn};

use crate::services::Services;

/// A standing that did not change its state is written down this often.
const SAVE_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// The standing of each connection.
#[derive(Debug, Default)]
pub struct HealthBoard {
    held: Mutex<HashMap<ConnectionId, Held>>,
}

#[derive(Clone, Debug)]
struct Held {
    standing: Standing,
    /// The words behind the reason.
    detail: Option<String>,
    saved_at: Timestamp,
}

impl HealthBoard {
    /// What a restart goes on from.
    pub fn restore(
        &self,
        connection: &ConnectionId,
        standing: Standing,
        detail: Option<String>,
        now: Timestamp,
    ) {
        self.lock().insert(connection.clone(), Held { standing, detail, saved_at: now });
    }

    /// How the connection stands; `None` if nothing was ever measured.
    pub fn standing(&self, connection: &ConnectionId) -> Option<Standing> {
        self.lock().get(connection).map(|held| held.standing)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Services {
    /// Counts what a connection just showed.
    pub async fn report_health(
        &self,
        connection: &ConnectionId,
        result: PollResult,
        detail: Option<String>,
    ) {
        let now = self.clock.now();
        let Some(held) = self.health.apply(connection, result, detail, now) else { return };
        let Held { standing, detail, .. } = held;
        let id = connection.clone();
        let save = self.store.ledger.cast(
            move |ledger| ledger.save_health(&id, &standing, detail.as_deref()),
            |saved| {
                if let Err(error) = saved {
                    warn!(%error, "a connection's health could not be kept");
                }
            },
        );
        if save.await.is_ok() {
            self.events.tell(now, EventKind::Connection, Some(connection.to_string()));
        }
    }
}

impl HealthBoard {
    /// The standing after `result`, if it is to be written down now.
    fn apply(
        &self,
        connection: &ConnectionId,
        result: PollResult,
        detail: Option<String>,
        now: Timestamp,
    ) -> Option<Held> {
        let mut board = self.lock();
        let held = board.entry(connection.clone()).or_insert_with(|| Held {
            standing: Standing::new(now),
            detail: None,
            saved_at: Timestamp::MIN,
        });
        let before = held.standing;
        held.standing = before.apply(result, now, now, &Limits::default());
        if matches!(result, PollResult::Fail(_) | PollResult::Local(_)) {
            held.detail = detail;
        } else if held.standing.reason.is_none() {
            held.detail = None;
        }
        let (old, new) = (before.state, held.standing.state);
        if old != new {
            info!(%connection, from = old.word(), to = new.word(), reason = held.standing.reason.map(marsad_shared::health::Reason::word), "health changed");
        }
        let blind = |standing: &Standing| standing.local_in_a_row > 0;
        let changed = old != new
            || before.reason != held.standing.reason
            || blind(&before) != blind(&held.standing);
        if !changed && now.duration_since(held.saved_at) < SAVE_EVERY && now >= held.saved_at {
            return None;
        }
        held.saved_at = now;
        Some(held.clone())
    }
}

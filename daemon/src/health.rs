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
    /// The words behind the reason; without one, what somebody should know all the same.
    detail: Option<String>,
    saved_at: Timestamp,
}

/// What is said with a result.
struct Words {
    /// Why it is not good.
    detail: Option<String>,
    /// What somebody should know of one that is.
    note: Option<String>,
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
        self.count_health(connection, result, Words { detail, note: None }).await;
    }

    /// Counts that a connection answered as it should, with what somebody should know all the same.
    pub async fn report_well(&self, connection: &ConnectionId, note: Option<String>) {
        let well = PollResult::Ok { near_limit: false };
        self.count_health(connection, well, Words { detail: None, note }).await;
    }

    async fn count_health(&self, connection: &ConnectionId, result: PollResult, words: Words) {
        let now = self.clock.now();
        let Some(held) = self.health.apply(connection, result, words, now) else { return };
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
        Words { detail, note }: Words,
        now: Timestamp,
    ) -> Option<Held> {
        let mut board = self.lock();
        let held = board.entry(connection.clone()).or_insert_with(|| Held {
            standing: Standing::new(now),
            detail: None,
            saved_at: Timestamp::MIN,
        });
        let (before, note_before) = (held.standing, held.detail.clone());
        held.standing = before.apply(result, now, now, &Limits::default());
        if matches!(result, PollResult::Fail(_) | PollResult::Local(_)) {
            held.detail = detail;
        } else if held.standing.reason.is_none() {
            held.detail = note;
        }
        let is_noted = held.standing.reason.is_none() && held.detail != note_before;
        let (old, new) = (before.state, held.standing.state);
        if old != new {
            info!(%connection, from = old.word(), to = new.word(), reason = held.standing.reason.map(marsad_shared::health::Reason::word), "health changed");
        }
        // The first trouble of our own is told, and the one that makes us blind.
        let blind = |standing: &Standing| standing.local_in_a_row.min(2);
        let changed = old != new
            || before.reason != held.standing.reason
            || blind(&before) != blind(&held.standing)
            || is_noted;
        if !changed && now.duration_since(held.saved_at) < SAVE_EVERY && now >= held.saved_at {
            return None;
        }
        held.saved_at = now;
        Some(held.clone())
    }
}

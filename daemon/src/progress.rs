//! The runs under way, as far as they are: kept in memory, because it is true only while the daemon lives.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use marsad_shared::{
    id::{FeedId, RunId},
    protocol::Running,
};

/// What is running now.
#[derive(Debug, Default)]
pub struct ProgressBoard {
    running: Mutex<HashMap<FeedId, Running>>,
}

impl ProgressBoard {
    /// A run of a feed begins, or its figures change.
    pub fn set(&self, running: Running) {
        self.lock().insert(running.feed.clone(), running);
    }

    /// The feed's run has ended, or its first look is over that had no number yet; a later one may be under way.
    pub fn clear(&self, feed: &FeedId, run: Option<RunId>) {
        let mut running = self.lock();
        if running.get(feed).is_some_and(|running| running.run == run) {
            running.remove(feed);
        }
    }

    /// All that run now, longest first.
    pub fn all(&self) -> Vec<Running> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by(|a, b| (a.started_at, &a.feed).cmp(&(b.started_at, &b.feed)));
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FeedId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

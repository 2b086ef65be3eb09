//! Runs that needed no number while they went, on their way into the ledger: they found nothing new, or reached nobody.
//! Of many feeds those are most, and so they are written down many at a time.

use std::{
    mem::take,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use marsad_shared::{
    id::RunId,
    store::{
        Ledger, StoreError,
        ledger::{RunEnd, RunStart},
    },
};
use tracing::warn;

use crate::{run::log, services::Services};

/// So many wait for the ledger at most: whoever brings one more waits until they are written down. As many as the fastest
/// machine polls between two commits; more come only where the disk stands still.
const WAITING_MAX: usize = 8_192;

/// Those that are not yet written down.
#[derive(Debug, Default)]
pub struct Finished {
    waiting: Mutex<Vec<(RunStart, RunEnd)>>,
    /// Runs that have a number, and whose end could not be written: they are seen to be running until it is.
    unended: Mutex<Vec<(RunId, RunStart, RunEnd)>>,
}

impl Finished {
    /// Adds one; gives how many wait now.
    fn add(&self, start: RunStart, end: RunEnd) -> usize {
        let mut waiting = self.lock();
        waiting.push((start, end));
        waiting.len()
    }

    /// Keeps the end of a run that could not be written.
    pub fn keep(&self, id: RunId, start: RunStart, end: RunEnd) {
        self.unended().push((id, start, end));
    }

    fn unended(&self) -> MutexGuard<'_, Vec<(RunId, RunStart, RunEnd)>> {
        self.unended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(RunStart, RunEnd)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Services {
    /// Records a run that needed no number while it went. Nobody waits for it: it is durable with the next commit, which
    /// comes soon if somebody has to know of it.
    pub async fn record_run(
        self: &Arc<Self>,
        start: RunStart,
        end: RunEnd,
    ) -> Result<(), StoreError> {
        let ledger = &self.store.ledger;
        let is_news = !end.outcome.is_good();
        match self.finished.add(start, end) {
            1 => {
                let runs = Arc::<OnceLock<Vec<_>>>::default();
                let (here, there) = (Arc::clone(self), Arc::clone(&runs));
                let write = move |ledger: &mut Ledger| here.write_finished(ledger, &there);
                let here = Arc::clone(self);
                let told = move |written| here.tell_finished(written, &runs);
                if is_news {
                    ledger.cast(write, told).await
                } else {
                    ledger.cast_idly(write, told).await
                }
            }
            // What is handed over now is done behind them, and in one commit with them.
            WAITING_MAX.. => ledger.call_unhurried(|_| Ok(())).await,
            _ if is_news => ledger.cast(|_| Ok(()), |_| {}).await,
            _ => Ok(()),
        }
    }

    /// Ends the runs whose ends could not be written, if they can be now.
    pub async fn end_late(&self) {
        let late = take(&mut *self.finished.unended());
        if late.is_empty() {
            return;
        }
        let ends = late.clone();
        let all = move |ledger: &mut Ledger| {
            ends.iter().try_for_each(|(id, start, end)| ledger.end_late(*id, start, end))
        };
        match self.store.ledger.call(all).await {
            Ok(()) => {
                for (id, start, end) in late {
                    self.tell_run(end.at, id, &start);
                }
            }
            Err(_) => self.finished.unended().extend(late),
        }
    }

    /// Writes down those that wait, and leaves them in `runs`.
    fn write_finished(
        &self,
        ledger: &mut Ledger,
        runs: &OnceLock<Vec<(RunStart, RunEnd)>>,
    ) -> Result<Vec<RunId>, StoreError> {
        let runs = runs.get_or_init(|| take(&mut *self.finished.lock()));
        let ids = ledger.record_runs(runs)?;
        for (id, (start, end)) in ids.iter().zip(runs) {
            if !end.outcome.is_good() {
                log(*id, start, end);
            }
        }
        Ok(ids)
    }

    fn tell_finished(
        &self,
        written: Result<Vec<RunId>, StoreError>,
        runs: &OnceLock<Vec<(RunStart, RunEnd)>>,
    ) {
        let runs = runs.get().map_or(&[][..], Vec::as_slice);
        match written {
            Ok(ids) => {
                for (id, (start, end)) in ids.iter().zip(runs) {
                    self.tell_run(end.at, *id, start);
                }
            }
            Err(error) => {
                for (start, _) in runs {
                    warn!(feed = %start.feed, %error, "a run could not be recorded");
                }
            }
        }
    }
}

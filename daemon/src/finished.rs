//! Runs that are over and that nobody waits for, on their way into the ledger: those that needed no number while they went
//! (they found nothing new, or reached nobody), and those that a schedule set going. Of many feeds those are nearly all, and
//! so they are written down many at a time.

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

use crate::{
    run::{Ending, Run, log},
    services::Services,
};

/// So many wait for the ledger at most: whoever brings one more waits until they are written down. As many as the fastest
/// machine polls between two commits; more come only where the disk stands still.
const WAITING_MAX: usize = 8_192;

/// A run that is over.
#[derive(Debug)]
struct Over {
    /// Its number, if it needed one while it went.
    id: Option<RunId>,
    start: RunStart,
    end: RunEnd,
}

impl Over {
    /// Whether somebody has to know of it soon.
    fn is_news(&self) -> bool {
        self.id.is_some() || !self.end.outcome.is_good()
    }

    fn write(&self, ledger: &mut Ledger) -> Result<RunId, StoreError> {
        match self.id {
            Some(id) => ledger.end_run(id, &self.start, &self.end).map(|()| id),
            None => ledger.record_run(&self.start, &self.end),
        }
    }
}

/// Those that are not yet written down.
#[derive(Debug, Default)]
pub struct Finished {
    waiting: Mutex<Vec<Over>>,
    /// Runs that have a number, and whose end could not be written: they are seen to be running until it is.
    unended: Mutex<Vec<(RunId, RunStart, RunEnd)>>,
}

impl Finished {
    /// Adds one; gives how many wait now.
    fn add(&self, over: Over) -> usize {
        let mut waiting = self.lock();
        waiting.push(over);
        waiting.len()
    }

    /// Keeps the end of a run that could not be written.
    pub fn keep(&self, id: RunId, start: RunStart, end: RunEnd) {
        self.unended().push((id, start, end));
    }

    fn unended(&self) -> MutexGuard<'_, Vec<(RunId, RunStart, RunEnd)>> {
        self.unended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Over>> {
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
        self.write_soon(Over { id: None, start, end }).await
    }

    /// Ends a run that a schedule set going, with its balance. Nobody waits for it: it is durable with the next commit, which
    /// comes soon.
    pub async fn end_soon(self: &Arc<Self>, run: Run, ending: Ending) -> Result<(), StoreError> {
        let counts = run.counts();
        let Run { id, start, pages, bytes, .. } = run;
        let end = ending.at(self.clock.now(), pages, bytes, counts);
        log(id, &start, &end);
        self.write_soon(Over { id: Some(id), start, end }).await
    }

    async fn write_soon(self: &Arc<Self>, over: Over) -> Result<(), StoreError> {
        let (ledger, is_news) = (&self.store.ledger, over.is_news());
        match self.finished.add(over) {
            1 => {
                let runs = Arc::<OnceLock<Vec<_>>>::default();
                let (here, there) = (Arc::clone(self), Arc::clone(&runs));
                let write = move |ledger: &mut Ledger| here.write_finished(ledger, &there);
                let here = Arc::clone(self);
                let told = move |written| here.tell_finished(written, runs);
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
        runs: &OnceLock<Vec<Over>>,
    ) -> Result<Vec<RunId>, StoreError> {
        let runs = runs.get_or_init(|| take(&mut *self.finished.lock()));
        let ids: Vec<_> = runs.iter().map(|run| run.write(ledger)).collect::<Result<_, _>>()?;
        for (id, Over { start, end, .. }) in
            ids.iter().zip(runs).filter(|(_, run)| run.id.is_none() && !run.end.outcome.is_good())
        {
            log(*id, start, end);
        }
        Ok(ids)
    }

    fn tell_finished(
        &self,
        written: Result<Vec<RunId>, StoreError>,
        runs: Arc<OnceLock<Vec<Over>>>,
    ) {
        let taken = Arc::into_inner(runs).and_then(OnceLock::into_inner);
        // Where not even the transaction began, they wait still, and whoever comes next counts on them being written.
        let runs = taken.unwrap_or_else(|| take(&mut *self.finished.lock()));
        for Over { id, start, .. } in &runs {
            if let Some(id) = id {
                self.progress.clear(&start.feed, Some(*id));
            }
        }
        match written {
            Ok(ids) => {
                for (id, Over { start, end, .. }) in ids.into_iter().zip(&runs) {
                    self.tell_run(end.at, id, start);
                }
            }
            Err(error) => {
                for Over { id, start, end } in runs {
                    let feed = &start.feed;
                    if let Some(run) = id {
                        warn!(%feed, %run, %error, "a run's end is kept until the ledger takes it");
                        self.finished.keep(run, start, end);
                    } else {
                        warn!(%feed, %error, "a run could not be recorded");
                    }
                }
            }
        }
    }
}

//! The runs under way, as far as a person may cancel them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use marsad_shared::id::RunId;
use tokio_util::sync::CancellationToken;

/// The way to each run under way.
#[derive(Debug, Default)]
pub struct Cancels {
    runs: Arc<Mutex<HashMap<RunId, Way>>>,
}

#[derive(Clone, Debug)]
struct Way {
    stop: CancellationToken,
    by: Arc<OnceLock<String>>,
}

/// A run that may be cancelled, until this is dropped.
#[derive(Debug)]
pub struct Cancellable {
    run: RunId,
    way: Way,
    runs: Arc<Mutex<HashMap<RunId, Way>>>,
}

impl Cancels {
    /// From now on `run` may be cancelled; it also stops with `stop`.
    pub fn open(&self, run: RunId, stop: &CancellationToken) -> Cancellable {
        let way = Way { stop: stop.child_token(), by: Arc::default() };
        lock(&self.runs).insert(run, way.clone());
        Cancellable { run, way, runs: Arc::clone(&self.runs) }
    }

    /// Cancels a run on somebody's word. False: it is not under way.
    pub fn cancel(&self, run: RunId, by: &str) -> bool {
        let way = lock(&self.runs).get(&run).cloned();
        let Some(way) = way else { return false };
        // Whoever said so first is named.
        let _ = way.by.set(by.to_owned());
        way.stop.cancel();
        true
    }

    /// From now on it is too late to cancel `run`. False: it was cancelled before.
    pub fn is_past(&self, run: RunId) -> bool {
        lock(&self.runs).remove(&run).is_none_or(|way| !way.stop.is_cancelled())
    }
}

impl Cancellable {
    /// Cancelled when the run is, or the daemon stops.
    pub fn stop(&self) -> &CancellationToken {
        &self.way.stop
    }

    /// Who cancelled it; `None`: nobody has.
    pub fn by(&self) -> Option<&str> {
        self.way.by.get().map(String::as_str)
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        lock(&self.runs).remove(&self.run);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_cancelled_while_it_is_under_way_and_alone() {
        let (cancels, stop) = (Cancels::default(), CancellationToken::new());
        let (one, other) = (cancels.open(RunId(1), &stop), cancels.open(RunId(2), &stop));
        assert!(cancels.cancel(RunId(1), "noor") && cancels.cancel(RunId(1), "ali"));
        assert_eq!((one.stop().is_cancelled(), one.by()), (true, Some("noor")));
        assert_eq!((other.stop().is_cancelled(), other.by()), (false, None));
        drop(one);
        assert!(!cancels.cancel(RunId(1), "noor"), "it has ended");
        let (early, late) = (cancels.open(RunId(3), &stop), cancels.open(RunId(4), &stop));
        assert!(cancels.cancel(RunId(3), "noor") && !cancels.is_past(RunId(3)), "{early:?}");
        assert!(cancels.is_past(RunId(4)) && !cancels.cancel(RunId(4), "noor"), "{late:?}");
        stop.cancel();
        assert_eq!((other.stop().is_cancelled(), other.by()), (true, None), "nobody's word");
    }
}

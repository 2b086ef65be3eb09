//! How many feeds begin to look at their partners at the same time. Where thousands are due in one moment, each goes through
//! while what it needs is at hand: if all began at once, each step of one would come behind a step of all the others, and both
//! the time and the memory that they take would be several times as much.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// So many begin at the same time.
const AT_ONCE: usize = 128;
/// Longer than this nobody holds others up: it waits for its partner then, and not for us.
const TURN: Duration = Duration::from_millis(25);

/// The starts of all feeds.
#[derive(Debug)]
pub struct Starts {
    free: Semaphore,
}

impl Default for Starts {
    fn default() -> Self {
        Self { free: Semaphore::new(AT_ONCE) }
    }
}

impl Starts {
    /// Begins `work` when it is its turn, in the order of asking, and does it to its end; others begin behind it as soon as it
    /// has had its turn, or is done.
    pub(super) async fn take<F: Future + Unpin>(&self, mut work: F) -> F::Output {
        // It is never closed.
        let turn: Option<SemaphorePermit<'_>> = self.free.acquire().await.ok();
        let done = timeout(TURN, &mut work).await;
        drop(turn);
        match done {
            Ok(done) => done,
            Err(_) => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::Arc};

    use futures_util::FutureExt as _;
    use tokio::{sync::Notify, task::JoinSet, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_long_holds_nobody_up() {
        let starts = Arc::new(Starts::default());
        let (begun, end) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
        let mut slow = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (starts, begun, end) = (Arc::clone(&starts), Arc::clone(&begun), Arc::clone(&end));
            slow.spawn(async move {
                let work = async {
                    begun.add_permits(1);
                    end.notified().await;
                };
                starts.take(pin!(work)).await;
            });
        }
        let all = u32::try_from(AT_ONCE).unwrap();
        begun.acquire_many(all).await.unwrap().forget();
        let before = Instant::now();
        assert!(starts.take(pin!(async {})).now_or_never().is_none(), "all turns are taken");
        starts.take(pin!(async {})).await;
        assert_eq!(before.elapsed(), TURN, "they have had theirs, and go on");
        assert_eq!(slow.len(), AT_ONCE);
        end.notify_waiters();
        slow.join_all().await;
        assert_eq!(starts.free.available_permits(), AT_ONCE, "each turn is given back once");
    }
}

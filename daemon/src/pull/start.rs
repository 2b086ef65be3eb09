//! How many feeds begin to look at their partners at the same time. Where thousands are due in one moment, each goes through
//! while what it needs is at hand: if all began at once, each step of one would come behind a step of all the others, and both
//! the time and the memory that they take would be several times as much.

use std::time::Duration;

use tokio::{sync::Semaphore, time::timeout};

/// So many begin at the same time.
const AT_ONCE: usize = 64;
/// Longer than this nobody holds others up: it waits for its partner then, and not for us. Many times as long as it takes us to
/// see so many through, or a machine that is slow for a moment would let all of them begin.
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
    /// Begins `work` when it is its turn, in the order of asking, and does it as long as that goes; `None`: it goes on, and
    /// holds nobody up.
    pub(super) async fn begin<F: Future + Unpin>(&self, work: &mut F) -> Option<F::Output> {
        // It is never closed.
        let _turn = self.free.acquire().await.ok();
        timeout(TURN, work).await.ok()
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
                let mut work = pin!(work);
                if starts.begin(&mut work).await.is_none() {
                    work.await;
                }
            });
        }
        let all = u32::try_from(AT_ONCE).unwrap();
        begun.acquire_many(all).await.unwrap().forget();
        let before = Instant::now();
        let mut quick = pin!(async {});
        assert!(starts.begin(&mut quick).now_or_never().is_none(), "all turns are taken");
        assert_eq!(starts.begin(&mut quick).await, Some(()));
        assert_eq!(before.elapsed(), TURN, "they have had theirs, and go on");
        assert_eq!(slow.len(), AT_ONCE);
        end.notify_waiters();
        slow.join_all().await;
        assert_eq!(starts.free.available_permits(), AT_ONCE, "each turn is given back once");
    }
}

//! How many requests of a connection are under way at the same time. Those that are due in one moment leave one behind the
//! other, over few connections: a rush is no manners, and the same socket again costs both sides less than another one.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{AcquireError, Semaphore},
    time::timeout,
};

/// So many are under way at the same time, where answers come soon.
const AT_ONCE: usize = 16;
/// As long at most a request waits for others. Where answers take longer, a line would only make every feed late, and
/// nobody could see why: there is one place more then, for as long as there is a use for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The places of one connection.
#[derive(Debug)]
pub(super) struct Crowd {
    free: Arc<Semaphore>,
}

/// What a request under way holds.
#[derive(Debug)]
pub(super) struct Place {
    free: Arc<Semaphore>,
}

impl Crowd {
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A place, in the order in which they are asked for.
    ///
    /// # Errors
    /// [`AcquireError`] behind [`Self::close`].
    pub(super) async fn place(&self) -> Result<Place, AcquireError> {
        if let Ok(place) = timeout(PATIENCE, self.free.acquire()).await {
            place?.forget();
        }
        Ok(Place { free: Arc::clone(&self.free) })
    }

    /// Nobody gets a place any more, and nobody waits for one.
    pub(super) fn close(&self) {
        self.free.close();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // As many are free again as there were. Two that go in the same moment may leave one too many, and the next takes it back.
        if self.free.available_permits() < AT_ONCE {
            self.free.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{task::JoinSet, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn those_of_one_moment_leave_as_others_are_answered_and_no_line_stands_for_long() {
        let crowd = Arc::new(Crowd::new());
        let began = Instant::now();
        let mut slow = Vec::new();
        for _ in 0..AT_ONCE {
            slow.push(crowd.place().await.unwrap());
        }
        let mut waiting = JoinSet::new();
        for number in 0..2 {
            let crowd = Arc::clone(&crowd);
            waiting.spawn(async move { (number, crowd.place().await.unwrap()) });
            tokio::task::yield_now().await;
        }
        assert!(waiting.try_join_next().is_none(), "they wait");
        drop(slow.pop());
        let (first, _place) = waiting.join_next().await.unwrap().unwrap();
        assert_eq!((first, began.elapsed()), (0, Duration::ZERO));

        let (second, place) = waiting.join_next().await.unwrap().unwrap();
        assert_eq!((second, began.elapsed()), (1, PATIENCE), "it leaves all the same");
        drop(place);
        for _ in 0..100 {
            // One request behind the other, as in a walk: whoever is slow holds up none but the first.
            drop(crowd.place().await.unwrap());
        }
        assert_eq!(began.elapsed(), PATIENCE);
        drop(slow);
        assert_eq!(crowd.free.available_permits(), AT_ONCE, "there are no more than there were");
    }

    #[tokio::test]
    async fn whoever_waits_when_it_is_closed_goes_away_at_once() {
        let crowd = Arc::new(Crowd::new());
        let mut places = Vec::new();
        for _ in 0..AT_ONCE {
            places.push(crowd.place().await.unwrap());
        }
        let (place, ()) = tokio::join!(crowd.place(), async { crowd.close() });
        assert!(place.is_err());
        assert!(crowd.place().await.is_err(), "whoever comes later, too");
    }
}

//! How many requests of a connection are under way at the same time. Those that are due in one moment leave one behind the
//! other, over few connections: a rush is no manners, and the same socket again costs both sides less than another one.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// So many are under way at the same time, where answers come soon.
const AT_ONCE: usize = 16;
/// As long at most a request waits for others. Where answers take longer, a line would only make every feed late, and
/// nobody could see why.
const PATIENCE: Duration = Duration::from_secs(1);

/// The places of one connection.
#[derive(Debug)]
pub(super) struct Crowd {
    places: Arc<Semaphore>,
}

/// What a request under way holds; `None`: it left beside those who have a place.
pub(super) type Place = Option<OwnedSemaphorePermit>;

impl Crowd {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A place, in the order in which they are asked for.
    ///
    /// # Errors
    /// [`AcquireError`] behind [`Self::close`].
    pub(super) async fn place(&self) -> Result<Place, AcquireError> {
        let place = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        place.map_or(Ok(None), |place| place.map(Some))
    }

    /// Nobody gets a place any more, and nobody waits for one.
    pub(super) fn close(&self) {
        self.places.close();
    }
}

#[cfg(test)]
mod tests {
    use tokio::{task::JoinSet, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn those_of_one_moment_leave_as_others_are_answered_and_a_line_that_stands_is_left() {
        let crowd = Arc::new(Crowd::new());
        let began = Instant::now();
        let mut places = Vec::new();
        for _ in 0..AT_ONCE {
            places.push(crowd.place().await.unwrap());
        }
        assert_eq!((began.elapsed(), places.iter().flatten().count()), (Duration::ZERO, AT_ONCE));

        let mut waiting = JoinSet::new();
        for number in 0..2 {
            let crowd = Arc::clone(&crowd);
            waiting.spawn(async move { (number, crowd.place().await.unwrap()) });
            tokio::task::yield_now().await;
        }
        assert!(waiting.try_join_next().is_none(), "it waits");
        drop(places.pop());
        let (first, place) = waiting.join_next().await.unwrap().unwrap();
        assert_eq!((first, place.is_some(), began.elapsed()), (0, true, Duration::ZERO));

        let (second, beside) = waiting.join_next().await.unwrap().unwrap();
        assert_eq!((second, beside.is_some(), began.elapsed()), (1, false, PATIENCE));
        drop(beside);
        assert_eq!(crowd.places.available_permits(), 0, "who had no place gives none back");
        drop((place, places));
        assert_eq!(crowd.places.available_permits(), AT_ONCE);
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

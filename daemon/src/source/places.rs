//! The places of a connection whose partner lets few of our feeds read at once (`feeds_at_once`): some lock a session, or a
//! group of tables, for as long as one walk over them goes.
//!
//! Whoever is due first has the next place that is free, however many come and go; who goes away while it waits leaves no
//! gap.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::oneshot;

/// The places of one connection.
#[derive(Debug)]
pub struct Places {
    most: u32,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    taken: u32,
    /// Who waits, by when it was due, and then by who came first.
    waiting: BTreeMap<(Timestamp, u64), oneshot::Sender<Place>>,
    /// How many have waited so far.
    came: u64,
}

/// A place. It is free again when the value goes.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
}

impl Places {
    /// `most` places, all free.
    pub fn new(most: NonZeroU32) -> Arc<Self> {
        Arc::new(Self { most: most.get(), held: Mutex::default() })
    }

    /// A place, at once or when one is free. `due`: since when whoever asks is due.
    pub async fn take(self: &Arc<Self>, due: Timestamp) -> Place {
        loop {
            let given = match self.ask(due) {
                Ok(place) => return place,
                Err(given) => given,
            };
            // Nobody drops the other end without giving a place; if it were so, it is asked for again.
            if let Ok(place) = given.await {
                return place;
            }
        }
    }

    /// What whoever waits for a place waits for, in words.
    pub fn why(&self) -> String {
        let (most, held) = (self.most, self.lock());
        let others = held.waiting.len().saturating_sub(1);
        format!(
            "no more than {most} feeds of the connection are read at once (`feeds_at_once`), and {others} others wait with it"
        )
    }

    fn ask(self: &Arc<Self>, due: Timestamp) -> Result<Place, oneshot::Receiver<Place>> {
        let mut held = self.lock();
        if held.taken < self.most {
            held.taken += 1;
            return Ok(Place { places: Arc::clone(self) });
        }
        let (give, given) = oneshot::channel();
        let number = held.came;
        held.came += 1;
        held.waiting.insert((due, number), give);
        Err(given)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.lock();
        while let Some((_, next)) = held.waiting.pop_first() {
            if next.is_closed() {
                continue;
            }
            drop(held);
            // One that goes away this very moment gives it back by dropping it.
            let _ = next.send(Self { places: Arc::clone(&self.places) });
            return;
        }
        held.taken -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use marsad_shared::clock::plus;
    use tokio::task::JoinSet;

    use super::*;

    fn noon() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    #[tokio::test]
    async fn who_is_due_first_is_next_and_who_goes_away_leaves_no_gap() {
        let places = Places::new(NonZeroU32::MIN);
        let first = places.take(noon()).await;
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = JoinSet::new();
        let mut gone = None;
        for second in [30, 10, 20, 10] {
            let (places, tell) = (Arc::clone(&places), tell.clone());
            let task = waiting.spawn(async move {
                let place = places.take(plus(noon(), Duration::from_secs(second))).await;
                tell.send(second).unwrap();
                drop(place);
            });
            gone = gone.or((second == 20).then_some(task));
            tokio::task::yield_now().await;
        }
        assert!(places.why().ends_with("and 3 others wait with it"), "{}", places.why());
        gone.unwrap().abort();
        tokio::task::yield_now().await;
        drop((first, tell));
        while waiting.join_next().await.is_some() {}
        let mut order = Vec::new();
        while let Some(second) = told.recv().await {
            order.push(second);
        }
        assert_eq!(order, [10, 10, 30]);
        let _free = places.take(noon()).await;
    }

    #[tokio::test]
    async fn no_more_are_in_than_there_are_places() {
        use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
        let places = Places::new(NonZeroU32::new(3).unwrap());
        let (inside, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut tasks = JoinSet::new();
        for number in 0..50 {
            let (places, inside, most) =
                (Arc::clone(&places), Arc::clone(&inside), Arc::clone(&most));
            tasks.spawn(async move {
                let _place = places.take(plus(noon(), Duration::from_secs(number % 7))).await;
                most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, SeqCst);
            });
        }
        tasks.join_all().await;
        assert_eq!(most.load(SeqCst), 3);
    }
}

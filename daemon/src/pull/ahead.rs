//! Pages on their way into the bank: the next one is handed over before it is known that those before it are there, so that
//! one commit does for several.

use marsad_shared::{
    run::Counts,
    store::{
        StoreError,
        cache::{Cache, Position},
    },
};

use super::{Puller, course::Course, room::AHEAD};

/// The most pages of a walk of which nobody has heard that they are in the bank: those of a commit under way, and those that
/// gather for the next one.
const UNHEARD: usize = 2 * AHEAD;

impl Puller {
    /// Hands a page over, and waits until it is in the bank where there is no room to go ahead of that. Where one of those
    /// before it is taken back, the cache forgets the run with it and takes none behind it ([`Cache::apply_page`]).
    pub(super) async fn put<F>(&self, course: &mut Course, apply: F) -> Result<(), StoreError>
    where
        F: FnOnce(&mut Cache) -> Result<(Counts, Option<Position>), StoreError> + Send + 'static,
    {
        let ahead = loop {
            let ahead = self.services.rooms.ahead();
            if ahead.is_some() || !self.hear(course).await? {
                break ahead;
            }
        };
        let waits = ahead.is_none();
        let apply = move |cache: &mut Cache| {
            // Given back when the rows are in their place, though nobody has heard of it yet.
            let _ahead = ahead;
            apply(cache)
        };
        course.handed.push_back(self.services.store.cache.hand(apply).await?);
        let most = if waits { 0 } else { UNHEARD };
        while course.handed.len() > most {
            self.hear(course).await?;
        }
        Ok(())
    }

    /// Waits until the oldest page on its way is in the bank. False: none is on its way.
    async fn hear(&self, course: &mut Course) -> Result<bool, StoreError> {
        let Some(handed) = course.handed.pop_front() else { return Ok(false) };
        (course.run.cached, course.stands) = handed.hear().await?;
        self.services.show_progress(&course.run);
        if let Some(result) = course.good.pop_front() {
            self.report(result, None).await;
        }
        Ok(true)
    }

    /// Tells what is left to tell of pages that came well.
    pub(super) async fn tell_good(&self, course: &mut Course) {
        while let Some(result) = course.good.pop_front() {
            self.report(result, None).await;
        }
    }

    /// Waits until all pages on their way are in the bank.
    pub(super) async fn hear_all(&self, course: &mut Course) -> Result<(), StoreError> {
        while self.hear(course).await? {}
        Ok(())
    }
}

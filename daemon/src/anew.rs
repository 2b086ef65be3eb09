//! Live tables that are written anew, because much of them changes at once: piece by piece, so that others have their turn in
//! between.

use marsad_shared::{
    id::FeedId,
    store::{StoreError, cache::Change},
};
use tokio_util::sync::CancellationToken;

use crate::{services::Services, trouble::Trouble};

impl Services {
    /// Prepares `change`, if it is large: the live table of `feed` as it will be stands beside it when this returns.
    ///
    /// # Errors
    /// [`Trouble::Stopped`] by `stop`; [`Trouble::Store`]. Then the live table is as it was.
    pub async fn change_much(
        &self,
        feed: &FeedId,
        change: Change,
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        let id = feed.clone();
        if !self.store.cache.call(move |cache| cache.begin_swap(&id, change)).await? {
            return Ok(());
        }
        let written = self.write_anew(feed, stop).await;
        if written.is_err() {
            let id = feed.clone();
            // What is left of it is dropped at the next start, or when it is begun again.
            let _: Result<(), StoreError> =
                self.store.cache.call(move |cache| cache.end(&id)).await;
        }
        written
    }

    /// Writes what was begun to its end.
    ///
    /// # Errors
    /// As [`Self::change_much`].
    pub async fn write_anew(&self, feed: &FeedId, stop: &CancellationToken) -> Result<(), Trouble> {
        let mut more = true;
        while more {
            if stop.is_cancelled() {
                return Err(Trouble::Stopped);
            }
            let id = feed.clone();
            more = self.store.cache.call(move |cache| cache.swap_piece(&id)).await?;
        }
        Ok(())
    }
}

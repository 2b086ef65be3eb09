//! A feed's columns: those that its file declares, or those of its first data, frozen in the ledger.

use std::sync::Arc;

use marsad_shared::{
    feed::Feed,
    id::RunId,
    record::Layout,
    store::{Cache, StoreError},
};

use tokio::sync::OnceCell;

use crate::{decode::DecodeError, services::Services, shape::Shaper, trouble::Trouble};

/// What turns the rows of one feed into typed ones, once its columns are known and its table stands.
#[derive(Debug)]
pub struct Columns {
    feed: Arc<Feed>,
    shaper: OnceCell<Arc<Shaper>>,
}

impl Columns {
    pub fn new(feed: Arc<Feed>) -> Self {
        Self { feed, shaper: OnceCell::new() }
    }

    /// The shaper, if the columns are known already.
    pub fn known(&self) -> Option<&Arc<Shaper>> {
        self.shaper.get()
    }

    /// The shaper. Where the feed declares no fields and has met no data, `infer` takes them from this run's.
    pub async fn shaper<F>(
        &self,
        services: &Services,
        run: RunId,
        place: &str,
        infer: F,
    ) -> Result<Arc<Shaper>, Trouble>
    where
        F: FnOnce(&Feed) -> Result<Layout, DecodeError> + Send + 'static,
    {
        let made = self.shaper.get_or_try_init(async || {
            let layout = match self.declared(services).await? {
                Some(layout) => layout,
                None => self.freeze(services, run, place, infer).await?,
            };
            // The frozen columns are those of the data: which of them is the version may change.
            let layout = layout
                .versioned(self.feed.version.as_deref())
                .map_err(|error| StoreError::Layout(format!("{error} of {}", self.feed.id)))?;
            let (feed, prepared) = (self.feed.id.clone(), layout.clone());
            let since = self.feed.keeping.history.map(|_| services.clock.now());
            let prepare = move |cache: &mut Cache| {
                cache.prepare(&feed, &prepared)?;
                cache.keep_history(&feed, since)
            };
            services.store.cache.call(prepare).await?;
            Ok::<_, Trouble>(Arc::new(Shaper::new(&self.feed, layout)))
        });
        made.await.map(Arc::clone)
    }

    async fn declared(&self, services: &Services) -> Result<Option<Layout>, StoreError> {
        let feed = &self.feed;
        if feed.fields.is_empty() {
            let id = feed.id.clone();
            return services.store.ledger.call(move |ledger| ledger.layout(&id)).await;
        }
        let layout = Layout::new(feed.fields.clone(), &feed.key);
        layout.map(Some).map_err(|error| StoreError::Layout(error.to_string()))
    }

    async fn freeze<F>(
        &self,
        services: &Services,
        run: RunId,
        place: &str,
        infer: F,
    ) -> Result<Layout, Trouble>
    where
        F: FnOnce(&Feed) -> Result<Layout, DecodeError> + Send + 'static,
    {
        let feed = Arc::clone(&self.feed);
        let inferred = tokio::task::spawn_blocking(move || infer(&feed)).await;
        let layout = inferred
            .unwrap_or_else(|_| {
                Err(DecodeError::Format("its columns could not be told".to_owned()))
            })
            .map_err(|error| Trouble::decode(place, error))?;
        let (id, frozen, at) = (self.feed.id.clone(), layout.clone(), services.clock.now());
        services
            .store
            .ledger
            .call(move |ledger| ledger.freeze_layout(&id, run, &frozen, at))
            .await?;
        Ok(layout)
    }
}

//! A feed's columns: those that its file declares, or those of its first data, frozen in the ledger; and what comes
//! otherwise.

use std::sync::{Arc, Mutex};

use marsad_shared::{
    feed::{Feed, Field},
    id::RunId,
    record::{Layout, NoSuchKey},
    store::{Cache, StoreError},
};

use tokio::sync::OnceCell;

mod decide;
mod drift;

use drift::Told;

use crate::{decode::DecodeError, services::Services, shape::Shaper, trouble::Trouble};

/// What turns the rows of one feed into typed ones, once its columns are known and its table stands.
#[derive(Debug)]
pub struct Columns {
    feed: Arc<Feed>,
    /// The fields that it declares, as a hash; `None`: it takes them from its data.
    fields: Option<String>,
    shaper: OnceCell<Arc<Shaper>>,
    /// `None`: nothing was read yet that could come otherwise.
    told: Mutex<Option<Box<Told>>>,
}

impl Columns {
    pub fn new(feed: Arc<Feed>) -> Self {
        let fields = drift::declared(&feed);
        Self { feed, fields, shaper: OnceCell::new(), told: Mutex::new(None) }
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
            let feed = self.feed.id.clone();
            let (rows, watched) =
                services.store.ledger.call(move |ledger| ledger.drift(&feed)).await?;
            let approved = drift::approved(&rows);
            *self.told() = Some(Box::new(Told::of(&rows, watched)));
            let layout = match self.declared(services).await? {
                Some(layout) => layout,
                None => self.freeze(services, run, place, infer).await?,
            };
            let (layout, outside) = kept(&self.feed, layout).map_err(StoreError::Layout)?;
            let (feed, prepared) = (self.feed.id.clone(), layout.clone());
            let since = self.feed.keeping.history.map(|_| services.clock.now());
            let prepare = move |cache: &mut Cache| {
                cache.prepare(&feed, &prepared)?;
                cache.keep_history(&feed, since)
            };
            services.store.cache.call(prepare).await?;
            let shaper = Shaper::new(&self.feed, layout, outside).approving(approved);
            Ok::<_, Trouble>(Arc::new(shaper))
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

/// The columns of the feed that are kept, with which of them is the version, and the fields outside the agreement.
///
/// # Errors
/// What is wrong, and what to do, if a column that it cannot do without is not among them.
pub fn kept(feed: &Feed, layout: Layout) -> Result<(Layout, Vec<Field>), String> {
    let (layout, outside) = covered(feed, layout)?;
    // Frozen columns are those of the data: which of them is the version may change.
    let layout = layout.versioned(feed.version.as_deref());
    Ok((layout.map_err(|error| format!("{error} of {}", feed.id))?, outside))
}

/// What the feed's agreement covers of its columns, and the fields outside.
///
/// # Errors
/// What is wrong, and what to do, if a column of the key is outside.
pub fn covered(feed: &Feed, layout: Layout) -> Result<(Layout, Vec<Field>), String> {
    layout.split(|column| feed.cover.has(column)).map_err(|NoSuchKey(key)| {
        format!(
            "the key {key:?} of {} is outside the agreement; add it to agreement.fields once it is agreed, or give the feed another id and key",
            feed.id
        )
    })
}

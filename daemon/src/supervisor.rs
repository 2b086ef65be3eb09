//! Starting in order, watching over the workers, and stopping in order.
//!
//! What a killed daemon left is put right before anything new begins: runs that were under way are ended, and exchanges
//! that were being sent are in doubt.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicI64},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use jiff::Timestamp;
use marsad_shared::{
    clock::{Clock, SystemClock},
    config::Config,
    connection::{Connection, Link},
    feed::Feed,
    id::{ConnectionId, FeedId, RunId},
    record::Layout,
    run::{Counts, Outcome},
    store::{
        Ledger, Store, StoreError,
        cache::{Cache, Position},
        ledger::{CatalogueEntry, FeedState, RunEnd},
    },
};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    books::{self, Books},
    cancels::Cancels,
    certificates, columns,
    courier::Courier,
    events::Events,
    finished::Finished,
    health::HealthBoard,
    housekeeping,
    import::Importer,
    outbox::Outbox,
    poll::Poller,
    probe::Probe,
    progress::ProgressBoard,
    pull::{room::Rooms, start::Starts},
    readers::Readers,
    run::Ending,
    services::{Bells, Orders, Routes, Services},
    socket::Socket,
    source::{auth::Vault, client::Clients, http::HttpSource, spend::Caller},
    watch::Page,
};

/// How long closing the databases may take: one checkpoint of each.
const CLOSE: Duration = Duration::from_secs(10);

/// So many feeds begin together: their tables are one change of the schema. Making a table costs as much as there are
/// tables, so that of ten thousand feeds the last hundred takes a second, and nobody is to wait for all of them.
const BEGIN_EACH: usize = 100;

/// The daemon, ready to run.
pub struct Supervisor {
    services: Arc<Services>,
    config: Config,
    workers: JoinSet<anyhow::Result<()>>,
    beginners: Vec<Beginner>,
    stop: CancellationToken,
}

/// A feed that has not begun yet: with what polls it, if it is one of requests.
struct Beginner {
    feed: Arc<Feed>,
    poller: Option<Box<Poller>>,
}

impl Supervisor {
    /// Takes `state_dir` over, puts right what a killed daemon left, binds the socket and starts every worker but what polls
    /// the feeds: they begin with [`Self::run`].
    ///
    /// # Errors
    /// What keeps the daemon from starting, for the person who started it.
    pub async fn start(config: Config, stop: CancellationToken) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let folder = config.state_dir.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&folder)).await??;
        let services = Arc::new(Services {
            readers: Arc::new(Readers::new(store.folder.path().to_owned())),
            store,
            clock,
            events: Events::default(),
            health: HealthBoard::default(),
            progress: ProgressBoard::default(),
            finished: Finished::default(),
            orders: Orders::default(),
            cancels: Cancels::default(),
            bells: Bells::default(),
            routes: Routes::default(),
            books: Books::default(),
            rooms: Rooms::default(),
            starts: Starts::default(),
            beat_ms: AtomicI64::new(0),
        });
        let (workers, beginners) = (JoinSet::new(), Vec::new());
        let mut supervisor = Self { services, config, workers, beginners, stop };
        supervisor.recover().await?;
        let connections = std::mem::take(&mut supervisor.config.connections);
        let connections: Vec<_> = connections.into_iter().map(Arc::new).collect();
        let feeds = std::mem::take(&mut supervisor.config.feeds);
        let feeds: Vec<_> = feeds.into_iter().map(Arc::new).collect();
        let socket = Socket::bind(
            &supervisor.config,
            &connections,
            &feeds,
            Arc::clone(&supervisor.services),
            supervisor.stop.clone(),
        )?;
        let page = match supervisor.config.http {
            None => None,
            Some(address) => {
                let services = Arc::clone(&supervisor.services);
                Some(Page::bind(address, services, supervisor.stop.clone()).await?)
            }
        };
        // Nothing begins before all that can keep the daemon from starting has been tried.
        supervisor.spawn_workers(&connections, &feeds).await?;
        supervisor.workers.spawn(socket.serve());
        if let Some(page) = page {
            supervisor.workers.spawn(page.serve());
        }
        info!(connections = connections.len(), feeds = feeds.len(), "marsadd runs");
        Ok(supervisor)
    }

    /// What is true before anything new begins.
    async fn recover(&self) -> anyhow::Result<()> {
        let services = &self.services;
        let now = services.clock.now();
        let (entries, hash) = (CatalogueEntry::of(&self.config), self.config.hash.clone());
        let ids: Vec<_> =
            self.config.connections.iter().map(|connection| connection.id.clone()).collect();
        let (interrupted, doubted, standings) = services
            .store
            .ledger
            .call(move |ledger| {
                ledger.daemon_started(env!("CARGO_PKG_VERSION"), &hash, now)?;
                ledger.set_catalogue(&entries)?;
                let standings = ids
                    .into_iter()
                    .map(|id| Ok((ledger.health(&id)?, id)))
                    .collect::<Result<Vec<_>, StoreError>>()?;
                Ok((ledger.interrupted_runs()?, ledger.doubt_interrupted(now)?, standings))
            })
            .await
            .context("the ledger could not be brought up to date")?;
        for (standing, id) in standings {
            if let (Some((standing, detail)), id) = (standing, id) {
                services.health.restore(&id, standing, detail, now);
            }
        }
        for exchange in doubted {
            warn!(%exchange, "was being sent when marsadd stopped: in doubt, so the partner is asked");
        }
        for (run, start) in interrupted {
            let feed = start.feed.clone();
            let stood = move |cache: &mut Cache| Ok((cache.position(&feed)?, cache.held(&feed)?));
            let (position, held) = services.store.cache.call(stood).await?;
            let polled = start.file.is_none();
            let end = match held.filter(|held| held.run == run) {
                Some(held) => {
                    let ending =
                        Ending { next_at: polled.then_some(now), ..Ending::held(held.reason) };
                    ending.at(now, held.ended.pages, held.ended.bytes, held.counts)
                }
                None => interrupted_end(run, position, polled, now),
            };
            warn!(feed = %start.feed, %run, "was under way when marsadd stopped");
            services
                .store
                .ledger
                // What a person ordered is kept: nobody knows whether this run was for it, and one read more is none lost.
                .call(move |ledger: &mut Ledger| ledger.end_run(run, &start, &end))
                .await?;
        }
        Ok(())
    }

    /// Has the feeds begin, and waits for `stop` or a worker that ends by itself.
    async fn work(&mut self) -> anyhow::Result<()> {
        self.begin().await?;
        tokio::select! {
            // First: a worker that ends because it was stopped did not end by itself.
            biased;
            () = self.stop.cancelled() => Ok(()),
            Some(ended) = self.workers.join_next() => too_soon(ended),
        }
    }

    /// Has all feeds begin, some at a time.
    async fn begin(&mut self) -> anyhow::Result<()> {
        let mut beginners = std::mem::take(&mut self.beginners).into_iter();
        loop {
            let some: Vec<_> = beginners.by_ref().take(BEGIN_EACH).collect();
            if some.is_empty() {
                return Ok(());
            }
            self.prepare(&some).await?;
            // What ends because it was stopped does not end by itself.
            if self.stop.is_cancelled() {
                return Ok(());
            }
            if let Some(ended) = self.workers.try_join_next() {
                return too_soon(ended);
            }
            for poller in some.into_iter().filter_map(|beginner| beginner.poller) {
                self.workers.spawn(poller.run(self.stop.clone()));
            }
        }
    }

    /// Makes the tables of feeds that declare their fields. A table that does not fit is its feed's trouble alone, and its
    /// runs say so.
    async fn prepare(&self, beginners: &[Beginner]) -> Result<(), StoreError> {
        let layouts: Vec<_> = beginners
            .iter()
            .map(|beginner| &beginner.feed)
            .filter(|feed| !feed.fields.is_empty())
            .filter_map(|feed| {
                let layout = Layout::new(feed.fields.clone(), &feed.key).ok()?;
                let (layout, _) = columns::kept(feed, layout).ok()?;
                Some((feed.id.clone(), layout))
            })
            .collect();
        let prepared = self.services.store.cache.call(move |cache| {
            Ok(layouts
                .iter()
                .filter_map(|(feed, layout)| cache.prepare(feed, layout).err())
                .collect::<Vec<_>>())
        });
        for error in prepared.await? {
            if !matches!(error, StoreError::Layout(_)) {
                return Err(error);
            }
            warn!(%error, "a feed cannot be read into its table");
        }
        Ok(())
    }

    /// Starts all that works on connections, and makes what polls feeds ready.
    async fn spawn_workers(
        &mut self,
        connections: &[Arc<Connection>],
        feeds: &[Arc<Feed>],
    ) -> anyhow::Result<()> {
        let clients = Clients::default();
        let vault = Vault::new(&self.services.store.folder.secrets());
        let (store, clock) = (&self.services.store, &self.services.clock);
        self.services.books.open(&self.config, connections, store, &**clock).await?;
        let mut states = self.feed_states(feeds).await?;
        let mut by_connection: HashMap<&ConnectionId, Vec<Arc<Feed>>> = HashMap::new();
        for feed in feeds {
            by_connection.entry(&feed.connection).or_default().push(Arc::clone(feed));
        }
        let mut plans = Vec::new();
        for connection in connections {
            let mine = by_connection.remove(&connection.id).unwrap_or_default();
            let purse = self.services.books.purse(&connection.partner);
            let clock = Arc::clone(&self.services.clock);
            let source = HttpSource::new(connection, &clients, &vault, &clock, purse.as_ref())
                .with_context(|| format!("{} cannot be reached", connection.id))?;
            self.services.routes.open(connection, source.as_ref(), &mine);
            if let Some(source) = &source {
                self.services.books.enter(source);
                self.watch_over(source, &mine);
                for feed in &mine {
                    let state = states.remove(&feed.id).unwrap_or_default();
                    let files = HttpSource::for_files(connection, feed, &clients, &vault, &clock)
                        .with_context(|| {
                        format!("the files of {} cannot be reached", feed.id)
                    })?;
                    let (services, source) =
                        (Arc::clone(&self.services), source.for_feed(&feed.id));
                    let feed = Arc::clone(feed);
                    let poller = Poller::new(
                        services,
                        Arc::clone(&feed),
                        source,
                        files,
                        &state,
                        feeds.len(),
                    );
                    let planned = poller.as_ref().map(|poller| (feed.id.clone(), poller.next_at()));
                    plans.extend(planned);
                    self.beginners.push(Beginner { feed, poller: poller.map(Box::new) });
                }
            } else {
                let files = mine.iter().map(Arc::clone);
                self.beginners.extend(files.map(|feed| Beginner { feed, poller: None }));
            }
            self.deliver(connection, source.as_ref())?;
            self.import(connection, mine)?;
        }
        self.workers.spawn(books::run(Arc::clone(&self.services), self.stop.clone()));
        self.services
            .store
            .ledger
            .call(move |ledger| plans.iter().try_for_each(|(feed, at)| ledger.plan_feed(feed, *at)))
            .await?;
        Ok(())
    }

    /// Measures a connection, and looks at how long its certificates are good.
    fn watch_over(&mut self, source: &Arc<HttpSource>, feeds: &[Arc<Feed>]) {
        if source.http.base_url.scheme() == "https" {
            let (services, source) = (Arc::clone(&self.services), Arc::clone(source));
            self.workers.spawn(certificates::run(services, source, self.stop.clone()));
        }
        let probe = Probe::new(Arc::clone(&self.services), source.called_by(Caller::Probes), feeds);
        self.workers.spawn(probe.run(self.stop.clone()));
    }

    /// Hands over what is due on `connection`, and takes up what its outbox holds, if it takes documents.
    fn deliver(
        &mut self,
        connection: &Arc<Connection>,
        source: Option<&Arc<HttpSource>>,
    ) -> anyhow::Result<()> {
        if !connection.delivers() {
            return Ok(());
        }
        let source = source.map(|source| source.called_by(Caller::Deliveries));
        let courier = Courier::new(Arc::clone(&self.services), Arc::clone(connection), source);
        self.workers.spawn(courier.run(self.stop.clone()));
        if let Some(folder) = connection.outbox.clone() {
            let outbox = Outbox::new(Arc::clone(&self.services), Arc::clone(connection), folder);
            self.spawn_apart(outbox.run(self.stop.clone()))?;
        }
        Ok(())
    }

    /// Takes the files of `connection` in for `feeds`, if it is one of folders.
    fn import(
        &mut self,
        connection: &Arc<Connection>,
        feeds: Vec<Arc<Feed>>,
    ) -> anyhow::Result<()> {
        let Link::Folder(folder) = &connection.link else { return Ok(()) };
        let Some(import) = folder.import.clone() else { return Ok(()) };
        let (services, connection) = (Arc::clone(&self.services), Arc::clone(connection));
        let importer = Importer::new(services, connection, import, feeds);
        self.spawn_apart(importer.run(self.stop.clone()))
    }

    /// Starts what works on a folder, on a thread of its own: a network folder that hangs holds up whoever looks into it, and
    /// nobody else.
    fn spawn_apart(
        &mut self,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> anyhow::Result<()> {
        let (told, end) = oneshot::channel();
        let runtime = Handle::current();
        // Nobody waits for the end of a thread that was given up.
        let run = move || drop(told.send(runtime.block_on(work)));
        thread::Builder::new()
            .name("folder".to_owned())
            .spawn(run)
            .context("the thread of a folder could not be started")?;
        self.workers
            .spawn(async { end.await.context("the thread of a folder broke off").flatten() });
        Ok(())
    }

    async fn feed_states(
        &self,
        feeds: &[Arc<Feed>],
    ) -> Result<HashMap<FeedId, FeedState>, StoreError> {
        let ids: Vec<_> = feeds.iter().map(|feed| feed.id.clone()).collect();
        let states = self.services.store.ledger.call(move |ledger| {
            ids.into_iter().map(|id| ledger.feed_state(&id).map(|state| (id, state))).collect()
        });
        states.await
    }

    /// Runs until `stop` or until a worker ends, which none should: half a daemon is worse than none. Then all others
    /// are given the configured time to end what they are at; what is left is aborted, which is as safe as `kill -9`.
    /// `beat` is called as long as the store's writer answers.
    pub async fn run(mut self, beat: impl Fn() + Send + Sync + 'static) -> anyhow::Result<()> {
        self.workers.spawn(housekeeping::prune(
            Arc::clone(&self.services),
            self.config.retention,
            self.stop.clone(),
        ));
        self.workers.spawn(housekeeping::run(Arc::clone(&self.services), self.stop.clone(), beat));
        let outcome = self.work().await;
        self.stop.cancel();
        self.services.books.close_gates();
        info!("stopping");
        let drained =
            timeout(self.config.grace, async { while self.workers.join_next().await.is_some() {} })
                .await;
        if drained.is_err() {
            warn!(left = self.workers.len(), "workers did not end in time and are aborted");
            self.workers.shutdown().await;
        }
        self.services.keep_books().await;
        let now = self.services.clock.now();
        if let Err(error) =
            self.services.store.ledger.call(move |ledger| ledger.daemon_stopped(now)).await
        {
            warn!(%error, "the stop could not be written down");
        }
        close(self.services).await;
        outcome
    }
}

/// A worker that was not stopped has ended: why.
fn too_soon(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended
        .map_err(anyhow::Error::from)
        .flatten()
        .and(Err(anyhow::anyhow!("a worker ended by itself")))
}

/// Closes the store in order. Where somebody still holds it, the next start finds all that was committed all the same.
async fn close(services: Arc<Services>) {
    let Some(services) = Arc::into_inner(services) else { return };
    let closed = tokio::task::spawn_blocking(move || {
        let Services { store, readers, .. } = services;
        drop(readers);
        store.close();
    });
    if timeout(CLOSE, closed).await.is_err() {
        warn!("the store took too long to close");
    }
}

/// How a run ends that a killed daemon left: as it had ended, where only the ledger had not heard of it; else with what its
/// walk had counted, all of which is in the cache.
fn interrupted_end(run: RunId, position: Position, polled: bool, at: Timestamp) -> RunEnd {
    let next_at = polled.then_some(at);
    if let Some(ended) = position.ended.filter(|ended| ended.run == run) {
        let ending =
            Ending { event_at: ended.event_at, next_at, ..Ending::of_balance(&ended.counts) };
        return ending.at(at, ended.pages, ended.bytes, ended.counts);
    }
    let walk = position.walk.filter(|walk| walk.run == run);
    let reason = match &walk {
        Some(walk) => {
            format!(
                "marsadd stopped in the middle of it; the next run goes on behind page {}",
                walk.pages
            )
        }
        None => {
            "marsadd stopped in the middle of it; the next run reads it again, and nothing is lost"
                .to_owned()
        }
    };
    let ending = Ending {
        outcome: Outcome::Cancelled,
        reason: Some(reason),
        next_at,
        ..Ending::unchanged(None)
    };
    let (bytes, counts) = walk.map_or((0, Counts::default()), |walk| (walk.bytes, walk.counts));
    ending.at(at, 0, bytes, counts)
}

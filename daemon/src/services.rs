//! What every worker needs: the store, the clock, and the boards on which the present is written.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use marsad_shared::{
    clock::Clock,
    connection::Connection,
    feed::Feed,
    id::{ConnectionId, FeedId, RunId},
    protocol::{Chosen, Problem, Replayed, SchemaReply, SchemaVerb},
    store::Store,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    books::Books,
    cancels::Cancels,
    events::Events,
    finished::Finished,
    health::HealthBoard,
    progress::ProgressBoard,
    pull::{room::Rooms, start::Starts},
    readers::Readers,
    source::http::HttpSource,
};

/// The handles that workers share.
pub struct Services {
    pub store: Store,
    pub readers: Arc<Readers>,
    pub clock: Arc<dyn Clock>,
    pub events: Events,
    pub health: HealthBoard,
    pub progress: ProgressBoard,
    pub finished: Finished,
    pub orders: Orders,
    pub cancels: Cancels,
    pub bells: Bells,
    pub routes: Routes,
    pub books: Books,
    /// Room for large pages, over all feeds.
    pub rooms: Rooms,
    /// The turns of feeds that begin at the same time.
    pub starts: Starts,
    /// When the ledger's writer last answered the heartbeat, in milliseconds since 1970; 0: never.
    pub beat_ms: AtomicI64,
}

impl Services {
    /// When the ledger's writer last answered the heartbeat.
    pub fn heartbeat(&self) -> Option<Timestamp> {
        let beat = self.beat_ms.load(Ordering::Relaxed);
        Timestamp::from_millisecond(beat).ok().filter(|_| beat > 0)
    }
}

/// A person's order, on its way to the worker that reads the feed: it alone moves the feed's position.
#[derive(Debug)]
pub enum Order {
    Resync(Resync),
    Rewind(Rewind),
    Decide(Decide),
    Replay(Replay),
    Settle(Settle),
}

impl Order {
    /// Withdrawn while it waited: whoever ordered it has been told so.
    pub fn is_withdrawn(&self) -> bool {
        match self {
            Self::Resync(order) => order.reply.is_closed(),
            Self::Rewind(order) => order.reply.is_closed(),
            Self::Decide(order) => order.reply.is_closed(),
            Self::Replay(order) => order.taken.is_closed(),
            Self::Settle(order) => order.reply.is_closed(),
        }
    }
}

/// To read the feed now.
#[derive(Debug)]
pub struct Resync {
    pub feed: FeedId,
    pub scope: Scope,
    /// Whether what it loads waits for a word; only of a scope that is loaded.
    pub hold: bool,
    /// Whether a person has let it past the brake.
    pub free: bool,
    /// Who ordered it.
    pub actor: String,
    /// Told the run's number as soon as it has one, or why there will be none.
    pub reply: oneshot::Sender<Result<RunId, Problem>>,
}

/// How far a resync reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// From the cursor.
    #[default]
    Incremental,
    /// What changed in a stretch of time; the cursor stays.
    Window { since: Timestamp, until: Timestamp },
    /// From the very beginning.
    Full,
}

/// What a person decides about a run that is over.
#[derive(Debug)]
pub struct Decide {
    pub feed: FeedId,
    pub run: RunId,
    pub how: Decision,
    /// Who decided.
    pub actor: String,
    /// Told what was done, or why nothing was.
    pub reply: oneshot::Sender<Result<String, Problem>>,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// What it holds goes into the bank.
    Release,
    /// What it holds is let go.
    Discard,
    /// What it did is taken back.
    Undo,
}

/// To set the feed's cursor back, between two runs.
#[derive(Debug)]
pub struct Rewind {
    /// `None`: to the beginning.
    pub to: Option<String>,
    /// For the cursor's history.
    pub reason: String,
    /// Who ordered it.
    pub actor: String,
    /// Told when it is done, or why not.
    pub reply: oneshot::Sender<Result<(), Problem>>,
}

/// To shape and check again what the feed has in quarantine.
#[derive(Debug)]
pub struct Replay {
    pub order: Again,
    /// Told when it begins, or why it does not.
    pub taken: oneshot::Sender<Result<(), Problem>>,
    /// Told what became of it.
    pub done: oneshot::Sender<Replayed>,
}

/// What is to be shaped and checked again.
#[derive(Clone, Debug)]
pub struct Again {
    pub feed: FeedId,
    pub what: Chosen,
    /// Overwrite what came later, too.
    pub force: bool,
    /// Whether a person has let it past the brake.
    pub free: bool,
    /// Only say what would become of it.
    pub dry_run: bool,
    /// Who ordered it.
    pub actor: String,
}

/// To take a decision of columns up, between two runs.
#[derive(Debug)]
pub struct Settle {
    pub feed: FeedId,
    pub verb: SchemaVerb,
    /// None: all that are open.
    pub columns: Vec<String>,
    /// Why, for whoever looks at the columns.
    pub reason: Option<String>,
    /// Who ordered it.
    pub actor: String,
    /// Told what was decided, or why nothing was.
    pub reply: oneshot::Sender<Result<SchemaReply, Problem>>,
}

/// Orders of one feed that may wait: an operator who orders more has been answered by none of them yet.
const ORDERS: usize = 8;

/// The way to each feed's worker.
#[derive(Debug, Default)]
pub struct Orders {
    desks: Mutex<HashMap<FeedId, mpsc::Sender<Box<Order>>>>,
}

impl Orders {
    /// Opens a desk for `feeds`, which one worker reads.
    pub fn open<'f>(&self, feeds: impl Iterator<Item = &'f FeedId>) -> mpsc::Receiver<Box<Order>> {
        let (sender, receiver) = mpsc::channel(ORDERS);
        let mut desks = lock(&self.desks);
        desks.extend(feeds.map(|feed| (feed.clone(), sender.clone())));
        receiver
    }

    /// The way to a feed's worker; `None` if nobody reads it.
    pub fn desk(&self, feed: &FeedId) -> Option<mpsc::Sender<Box<Order>>> {
        lock(&self.desks).get(feed).cloned()
    }
}

/// A bell for each courier: rung when an exchange of its connection changed under its hands.
#[derive(Debug, Default)]
pub struct Bells {
    bells: Mutex<HashMap<ConnectionId, Arc<Notify>>>,
}

impl Bells {
    /// The connection's bell.
    pub fn of(&self, connection: &ConnectionId) -> Arc<Notify> {
        Arc::clone(lock(&self.bells).entry(connection.clone()).or_default())
    }
}

/// How a connection is used: for whoever tries it beside its workers.
#[derive(Clone, Debug)]
pub struct Route {
    pub connection: Arc<Connection>,
    /// `None`: it is one of folders.
    pub source: Option<Arc<HttpSource>>,
    pub feeds: Vec<Arc<Feed>>,
}

/// The route of each connection.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Mutex<BTreeMap<ConnectionId, Route>>,
}

impl Routes {
    pub fn open(
        &self,
        connection: &Arc<Connection>,
        source: Option<&Arc<HttpSource>>,
        feeds: &[Arc<Feed>],
    ) {
        let route = Route {
            connection: Arc::clone(connection),
            source: source.cloned(),
            feeds: feeds.to_vec(),
        };
        lock(&self.routes).insert(connection.id.clone(), route);
    }

    pub fn of(&self, connection: &ConnectionId) -> Option<Route> {
        lock(&self.routes).get(connection).cloned()
    }

    /// All of them, by the ids of their connections.
    pub fn all(&self) -> Vec<Route> {
        lock(&self.routes).values().cloned().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

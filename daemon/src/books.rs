//! The books that are kept of our manners: who called which partner how often, and who asked to be left alone. One task
//! writes them down for all, in batches; what a crash loses is what the last seconds brought, and of a budget no more than a
//! hundredth.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use marsad_shared::{
    clock::Clock,
    config::Config,
    connection::{Connection, Link},
    id::{ConnectionId, PartnerId},
    store::{Store, StoreError, ledger::Rest},
};
use tokio::{
    sync::Notify,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    services::Services,
    source::{http::HttpSource, spend::Purse},
};

/// How often they are written down at least; what is spent of a budget sooner, if it is much.
const EVERY: Duration = Duration::from_secs(5);

/// Every purse and every HTTP connection there is.
#[derive(Debug, Default)]
pub struct Books {
    purses: Mutex<HashMap<PartnerId, Arc<Purse>>>,
    sources: Mutex<HashMap<ConnectionId, Arc<HttpSource>>>,
    /// What partners had asked for before a restart, until their connections are entered.
    rests: Mutex<HashMap<ConnectionId, Rest>>,
    /// Rings where much of a budget was spent since.
    bell: Arc<Notify>,
}

impl Books {
    /// The way to a connection, for whoever is none of its feeds.
    pub fn source(&self, connection: &ConnectionId) -> Option<Arc<HttpSource>> {
        lock(&self.sources).get(connection).cloned()
    }

    pub fn purse(&self, partner: &PartnerId) -> Option<Arc<Purse>> {
        lock(&self.purses).get(partner).cloned()
    }

    /// The daemon stops: nobody waits for a turn any more.
    pub fn close_gates(&self) {
        for source in lock(&self.sources).values() {
            source.gate().close();
        }
    }

    /// Enters a connection, which goes on resting if its partner asked for that before a restart.
    pub fn enter(&self, source: &Arc<HttpSource>) {
        if let Some(rest) = lock(&self.rests).remove(&source.id) {
            source.gate().restore(&rest);
        }
        lock(&self.sources).insert(source.id.clone(), Arc::clone(source));
    }

    /// Goes on from what was written down: a purse for each partner with a budget, with what is left in it, and who asked
    /// to be left alone. Before any connection is entered.
    pub async fn open(
        &self,
        config: &Config,
        connections: &[Arc<Connection>],
        store: &Store,
        clock: &dyn Clock,
    ) -> Result<(), StoreError> {
        for partner in &config.partners {
            let Some(budget) = partner.budget.clone() else { continue };
            let delivers = connections.iter().any(|connection| {
                let http = matches!(connection.link, Link::Http(_));
                connection.partner == partner.id && http && connection.delivers()
            });
            let purse = Purse::new(partner.id.clone(), budget, delivers, clock.now());
            let purse = purse.ringing(Arc::clone(&self.bell));
            let (id, since) = (partner.id.clone(), purse.since());
            purse.restore(&store.ledger.call(move |ledger| ledger.calls(&id, since)).await?);
            lock(&self.purses).insert(partner.id.clone(), Arc::new(purse));
        }
        let now = clock.now();
        let rests = store.ledger.call(move |ledger| ledger.rests(now)).await?;
        lock(&self.rests).extend(rests.into_iter().map(|rest| (rest.connection.clone(), rest)));
        Ok(())
    }
}

impl Services {
    /// Writes down what was not yet.
    pub async fn keep_books(&self) {
        let purses: Vec<_> = lock(&self.books.purses).values().cloned().collect();
        for purse in purses {
            let calls = purse.unsaved();
            if calls.is_empty() {
                continue;
            }
            let forget = purse.forget_before(self.clock.now());
            let (partner, rows) = (purse.partner.clone(), calls.clone());
            let kept =
                self.store.ledger.call(move |ledger| ledger.save_calls(&partner, &rows, forget));
            if let Err(error) = kept.await {
                warn!(partner = %purse.partner, %error, "calls could not be written down; it is tried again");
                purse.give_back(calls);
            }
        }
        let rests: Vec<_> = lock(&self.books.sources)
            .values()
            .filter_map(|source| source.gate().unsaved())
            .collect();
        for rest in rests {
            let kept = self.store.ledger.call(move |ledger| ledger.save_rest(&rest)).await;
            if let Err(error) = kept {
                warn!(%error, "what a partner asked for could not be written down");
            }
        }
    }
}

/// Keeps the books until `stop`. The last entries are made when all others have stopped.
pub async fn run(services: Arc<Services>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let due = async |tick: &mut Interval| {
        tokio::select! {
            _ = tick.tick() => {}
            () = services.books.bell.notified() => {}
        }
    };
    while stop.run_until_cancelled(due(&mut tick)).await.is_some() {
        services.keep_books().await;
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What has to be done now and then: saying that the daemon lives, and letting go of what is too old.

mod retention;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    retention::Retention,
    store::{Cache, StoreError},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::services::Services;
use retention::{Sweep, expire};

/// How often the daemon writes that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often what is too old is looked for.
const PRUNE_EVERY: Duration = Duration::from_mins(5);
/// Runs that found nothing new are kept for so long.
const KEEP_UNCHANGED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// All others, for so long.
const KEEP: SignedDuration = SignedDuration::from_hours(400 * 24);
/// The most runs that go at once: small commits that nobody waits behind.
const PRUNE: u32 = 2_000;

/// Says until `stop` that the daemon lives. `beat` is called at each heartbeat that the writer has answered.
pub async fn run(
    services: Arc<Services>,
    stop: CancellationToken,
    beat: impl Fn() + Send + Sync,
) -> anyhow::Result<()> {
    let mut tick = interval(HEARTBEAT);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let now = services.clock.now();
        let done = services.store.ledger.call(move |ledger| ledger.daemon_seen(now));
        match done.await {
            Ok(()) => {
                services.beat_ms.store(now.as_millisecond(), Ordering::Relaxed);
                beat();
                services.end_late().await;
            }
            Err(error) => warn!(%error, "the heartbeat could not be written; it is tried again"),
        }
    }
    Ok(())
}

/// Lets go until `stop` of what is too old. A task of its own: the heartbeat waits for no large piece of work.
pub async fn prune(
    services: Arc<Services>,
    retention: Retention,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut originals = Sweep::default();
    let mut tick = interval(PRUNE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let now = services.clock.now();
        prune_runs(&services, now, &stop).await;
        if let Err(error) = prune_past(&services, now, &stop).await {
            warn!(%error, "what runs replaced could not be let go of");
        }
        if let Err(error) = expire(&services, retention.quarantine, now, &stop).await {
            warn!(%error, "what was refused long ago could not be let go of");
        }
        if let Err(error) = originals.sweep(&services, retention.originals, now, &stop).await {
            warn!(%error, "old originals could not be let go of");
        }
    }
    Ok(())
}

/// Lets go of old runs, a small commit at a time.
async fn prune_runs(services: &Services, now: Timestamp, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let pruned = services
            .store
            .ledger
            .call(move |ledger| ledger.prune_runs(now - KEEP_UNCHANGED, now - KEEP, PRUNE));
        match pruned.await {
            Ok(gone) if gone as u64 >= u64::from(PRUNE) => {}
            Ok(_) => return,
            Err(error) => return warn!(%error, "old runs could not be let go of"),
        }
    }
}

/// Lets go of what runs replaced once it is kept long enough, a small commit at a time.
async fn prune_past(
    services: &Services,
    now: Timestamp,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let feeds = services.store.cache.call(|cache| cache.feeds_with_past()).await?;
    let known: HashMap<_, _> = services
        .routes
        .all()
        .into_iter()
        .flat_map(|route| route.feeds)
        .map(|feed| (feed.id.clone(), feed.keeping))
        .collect();
    for feed in feeds {
        // Of a feed that is no longer configured it goes as of any other.
        let keeping = known.get(&feed).copied().unwrap_or_default();
        let before = |age: Duration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        let history = keeping.history.map(|history| (history, before(history.age)));
        let undo_since = before(keeping.undo);
        let mut more = true;
        while more && !stop.is_cancelled() {
            let feed = feed.clone();
            let prune = move |cache: &mut Cache| cache.prune_past(&feed, undo_since, history);
            more = services.store.cache.call(prune).await?;
        }
    }
    Ok(())
}

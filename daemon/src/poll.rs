//! One task a feed over HTTP: waits until it is due, or until an operator orders it, and pulls it.

use std::{pin::pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use marsad_shared::{
    backoff::Backoff,
    clock::{plus, until},
    feed::{Feed, Origin},
    health::{Limits, Reason},
    id::RunId,
    protocol::EventKind,
    run::Trigger,
    schedule::Schedule,
    store::{Ledger, StoreError, ledger::FeedState},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{
    decide::{Decided, decide, released_as},
    jitter::jitter,
    pull::{Errand, Pulled, Puller},
    services::{Decide, Order, Resync, Scope, Services},
    socket::problem::{conflict, unavailable},
    source::{
        fault::FetchError,
        gate::{Back, Wait, refusal},
        http::HttpSource,
        manners::PATIENCE,
        places::Place,
    },
    trouble::Trouble,
};

/// Feeds that were never read start within so long for each feed there is, at most [`SPREAD`]: quick where they are few.
const SPREAD_EACH: Duration = Duration::from_millis(10);
/// The most by which first starts are spread out.
const SPREAD: Duration = Duration::from_secs(30);
/// How soon a feed that failed is tried again, and how late at most; never later than its schedule says. The last word
/// is the connection's silence: a failing feed is heard of more often than that.
const RETRY: Backoff = Backoff::new(Duration::from_mins(1), Duration::from_mins(5));
/// Within so long of the end of an outage each feed that failed for it is tried, whatever its own wait: not all at once.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// How soon it is tried again after a fault of our own.
const LOCAL_RETRY: Duration = Duration::from_secs(5);
/// A wait that the partner names is no shorter than this: it may name none, again and again.
const WAIT_LEAST: Duration = Duration::from_secs(5);
/// A wait for a place that is shorter than this is not worth telling anybody.
const UNTOLD: Duration = Duration::from_secs(2);
/// The longest sleep before the clock is looked at again, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_mins(1);

/// The daemon stops.
#[derive(Debug)]
struct Stopping;

/// What polls one feed. While it sleeps, this and a timer are all that is held of it.
pub struct Poller {
    pub puller: Puller,
    orders: mpsc::Receiver<Box<Order>>,
    /// Failed runs in a row.
    fails: u32,
    /// Whether the last of them found nobody there.
    unreached: bool,
    /// Tells when somebody is there again.
    back: Back,
    next_at: Timestamp,
    /// What a person ordered, and only a moment's trouble has kept from coming about.
    redo: Option<Box<Redo>>,
}

/// A read of all there is, or of a stretch of time, that is tried again by itself. It is kept over a restart, from before its
/// first try on.
#[derive(Debug, Serialize, Deserialize)]
struct Redo {
    errand: Errand,
    /// How many more tries it has: what a partner never gives whole must not keep its changes out.
    left: u32,
}

/// How often such a read is tried again.
const REDO: u32 = 3;

impl Poller {
    /// The poller of `feed`, one of `feeds`, going on from `state`; `None` for a feed of files.
    pub fn new(
        services: Arc<Services>,
        feed: Arc<Feed>,
        source: Arc<HttpSource>,
        files: Option<Arc<HttpSource>>,
        state: &FeedState,
        feeds: usize,
    ) -> Option<Self> {
        let Origin::Http(request) = &feed.origin else { return None };
        let orders = services.orders.open(std::iter::once(&feed.id));
        let now = services.clock.now();
        let next_at = first(&request.schedule, now, state, jitter(feed.id.as_str(), 0), feeds);
        let fails = state.fails;
        // What an older version wrote otherwise has to be ordered again.
        let redo: Option<Box<Redo>> =
            state.ordered.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let back = source.gate().back();
        let puller = Puller::new(services, feed, source, files);
        Some(Self { puller, orders, fails, unreached: false, back, next_at, redo })
    }

    /// When it is due first.
    pub fn next_at(&self) -> Timestamp {
        self.next_at
    }

    /// Polls until `stop`. A partner's fault is a failed run, not an `Err`; neither is our own, which passes.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let wait = until(self.puller.services.clock.now(), self.next_at).min(NAP);
            let order = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(order) = self.orders.recv() => Some(*order),
                () = self.back.told(), if self.unreached => {
                    self.hasten();
                    continue;
                }
                () = sleep(wait) => None,
            };
            let order = match order {
                Some(order) if order.is_withdrawn() => continue,
                Some(Order::Rewind(order)) => {
                    Box::pin(self.puller.rewind(order)).await;
                    continue;
                }
                Some(Order::Decide(order)) => {
                    Box::pin(self.decide_run(order, &stop)).await;
                    continue;
                }
                Some(Order::Replay(order)) => {
                    Box::pin(self.puller.replay(order, &stop)).await;
                    continue;
                }
                Some(Order::Settle(order)) => {
                    Box::pin(self.puller.settle_columns(order)).await;
                    continue;
                }
                Some(Order::Resync(order)) => Some(order),
                None => None,
            };
            if order.is_none() && self.puller.services.clock.now() < self.next_at {
                continue;
            }
            // Apart: a task is as large as all that it may come to wait for, and of many feeds few are polled at a time.
            Box::pin(self.poll_once(order, &stop)).await;
        }
    }

    /// Somebody answers again: the feed is due soon.
    fn hasten(&mut self) {
        self.unreached = false;
        let now = self.puller.services.clock.now();
        let random = jitter(self.puller.feed.id.as_str(), now.as_microsecond().unsigned_abs());
        self.next_at = self.next_at.min(plus(now, BACK_WITHIN.mul_f64(random)));
    }

    /// Does what a person decided about a run. What has to be read again is read now.
    async fn decide_run(&mut self, order: Decide, stop: &CancellationToken) {
        let puller = &mut self.puller;
        // What was remembered is read anew.
        puller.forget();
        let settled = decide(&puller.services, &puller.feed, &order, stop).await;
        let (services, feed) = (Arc::clone(&puller.services), puller.feed.id.clone());
        services.events.tell(services.clock.now(), EventKind::Feed, Some(feed.to_string()));
        services.events.tell(services.clock.now(), EventKind::Run, Some(order.run.to_string()));
        match settled {
            Ok(Decided::Done(said)) => drop(order.reply.send(Ok(said))),
            Err(problem) => drop(order.reply.send(Err(problem))),
            Ok(Decided::ReadAgain) => self.read_again(order, stop).await,
        }
    }

    /// Reads again, without the brake, what a run was held for of which nothing was kept.
    async fn read_again(&mut self, order: Decide, stop: &CancellationToken) {
        let (told, begun) = oneshot::channel();
        let (feed, actor, scope) = (order.feed.clone(), order.actor.clone(), Scope::Incremental);
        let resync = Resync { feed, scope, hold: false, free: true, actor, reply: told };
        Box::pin(self.poll_once(Some(resync), stop)).await;
        let said = match begun.await {
            Ok(Ok(again)) => {
                let said = released_as(&self.puller.services, &order, again).await;
                // What it let past is a measure from now on.
                self.puller.forget();
                said
            }
            Ok(Err(problem)) => Err(problem),
            Err(_) => Err(unavailable()),
        };
        // An operator who went away has no use for the answer.
        drop(order.reply.send(said));
    }

    async fn poll_once(&mut self, order: Option<Resync>, stop: &CancellationToken) {
        let Ok(_place) = self.place(order.is_some(), stop).await else { return };
        if order.as_ref().is_some_and(|order| order.reply.is_closed()) {
            // Withdrawn while it waited for a place.
            return;
        }
        if order.is_some() {
            self.puller.source.gate().hasten();
        }
        // What it is to be told of begins here.
        self.back.forget();
        // A short wait is sat out: by an operator's run within it, by any other before it.
        let held = self.puller.source.held();
        if let Some(held) = held.filter(|held| order.is_none() || held.wait > PATIENCE) {
            return Box::pin(self.hold(&held, order)).await;
        }
        let fails = self.fails;
        let redo = match &order {
            None => self.redo.take(),
            // It is done behind what was ordered, unless that is another such read.
            Some(order) if order.scope == Scope::Incremental => None,
            Some(_) => self.redo.take().and(None),
        };
        let left = redo.as_ref().map_or(REDO, |redo| redo.left);
        let (errand, begun) = errand(order, redo, fails);
        let ordered = (errand.scope != Scope::Incremental).then(|| errand.clone());
        let again = ordered.map(|errand| Box::new(Redo { errand, left: left.saturating_sub(1) }));
        if let Some(again) = again.as_deref() {
            // What a kill cuts off is tried again too.
            self.keep_order((left > 0).then_some(again)).await;
        }
        let (clock, feed) =
            (Arc::clone(&self.puller.services.clock), Arc::clone(&self.puller.feed));
        let Origin::Http(request) = &feed.origin else { return };
        let mut planned = self.next_at;
        let plan = |started_at, trouble: Option<&Trouble>| {
            let now = clock.now();
            planned = next(&request.schedule, now, started_at, trouble, fails, feed.id.as_str());
            planned
        };
        let pulled = self.puller.pull(request, errand, begun, plan, stop).await;
        let passes = match &pulled {
            Ok(pulled) => pulled.trouble.as_ref().is_some_and(Trouble::may_pass),
            Err(_) => true,
        };
        if let Some(mut again) = again {
            let stopped = pulled.as_ref().is_ok_and(Pulled::is_stopped);
            if stopped {
                // That was no try.
                again.left = left;
            }
            self.redo = (stopped || passes && left > 0).then_some(again);
            self.keep_order(self.redo.as_deref()).await;
        }
        self.settle(pulled, planned);
    }

    /// Keeps what is to be tried again over a restart; `None`: nothing is.
    async fn keep_order(&self, redo: Option<&Redo>) {
        let feed = self.puller.feed.id.clone();
        let order = redo.and_then(|redo| serde_json::to_string(redo).ok());
        let keep = move |ledger: &mut Ledger| ledger.keep_order(&feed, order.as_deref());
        if let Err(error) = self.puller.services.store.ledger.call(keep).await {
            error!(feed = %self.puller.feed.id, %error, "what was ordered could not be written down: a restart would forget it");
        }
    }

    /// Takes up how a run went, behind which the feed is due at `planned`.
    fn settle(&mut self, pulled: Result<Pulled, StoreError>, planned: Timestamp) {
        match pulled {
            Ok(pulled) => {
                self.next_at = planned;
                self.unreached = match &pulled.trouble {
                    Some(trouble) if trouble.is_no_failure() => self.unreached,
                    trouble => trouble.as_ref().is_some_and(Trouble::is_outage),
                };
                self.fails = match pulled.trouble {
                    None => 0,
                    Some(trouble) if trouble.is_no_failure() => self.fails,
                    Some(_) => self.fails.saturating_add(1),
                };
            }
            Err(problem) => {
                error!(feed = %self.puller.feed.id, error = %problem, "a run could not be written down; it is tried again");
                self.fails = self.fails.saturating_add(1);
                self.next_at = plus(self.puller.services.clock.now(), LOCAL_RETRY);
            }
        }
    }
}

/// What a run is for, behind `fails` failed ones, and whom to tell once it has a number.
fn errand(
    order: Option<Resync>,
    redo: Option<Box<Redo>>,
    fails: u32,
) -> (Errand, impl FnOnce(RunId)) {
    let trigger = match &order {
        Some(_) => Trigger::Person,
        None if fails > 0 => Trigger::Retry,
        None => Trigger::Schedule,
    };
    let (scope, hold, free, actor, reply) = match order {
        Some(order) => (order.scope, order.hold, order.free, Some(order.actor), Some(order.reply)),
        None => (Scope::Incremental, false, false, None, None),
    };
    let begun = |id| {
        if let Some(reply) = reply {
            // An operator who went away has no use for the number; the run goes on all the same.
            let _ = reply.send(Ok(id));
        }
    };
    let errand = match redo {
        Some(redo) => Errand { trigger: Trigger::Retry, ..redo.errand },
        None => Errand { trigger, actor, scope, hold, free },
    };
    (errand, begun)
}

impl Poller {
    /// A place among the feeds that are read at once, where their number is bounded: who is due first, or was ordered by a
    /// person, has it first.
    ///
    /// # Errors
    /// [`Stopping`] if the daemon stops before there is one.
    async fn place(
        &self,
        ordered: bool,
        stop: &CancellationToken,
    ) -> Result<Option<Place>, Stopping> {
        let Some(places) = self.puller.source.places() else { return Ok(None) };
        let due = if ordered { Timestamp::MIN } else { self.next_at };
        let mut place = pin!(places.take(due));
        let told = tokio::select! {
            place = &mut place => return Ok(Some(place)),
            () = stop.cancelled() => return Err(Stopping),
            () = sleep(UNTOLD) => self.note_wait(self.next_at, format!("waiting: {}", places.why())),
        };
        told.await;
        stop.run_until_cancelled(place).await.map(Some).ok_or(Stopping)
    }

    /// Writes down why the feed waits, so that everybody sees it.
    async fn note_wait(&self, until: Timestamp, why: String) {
        let (services, feed) = (&self.puller.services, &self.puller.feed.id);
        let id = feed.clone();
        // Waited for, so that what the feed does next is written down behind it.
        let noted =
            services.store.ledger.call_unhurried(move |ledger| ledger.hold_feed(&id, until, &why));
        if let Err(error) = noted.await {
            error!(%error, "why a feed waits could not be written down");
        } else {
            services.events.tell(services.clock.now(), EventKind::Feed, Some(feed.to_string()));
        }
    }

    /// Does not even begin a run: the feed is due again when it may be asked for. What takes long is written down, so that
    /// everybody sees why.
    async fn hold(&mut self, held: &Wait, order: Option<Resync>) {
        let (services, feed) = (&self.puller.services, &self.puller.feed.id);
        if let Some(order) = order {
            let why = held.to_string();
            let problem = conflict("the resync was not begun", why, "order it again then");
            // An operator who went away need not be told.
            let _ = order.reply.send(Err(problem));
            return;
        }
        let now = services.clock.now();
        let random = jitter(feed.as_str(), now.as_microsecond().unsigned_abs());
        // Those who wait for the same moment do not all come in it.
        let late = (held.wait / 10).min(SPREAD).mul_f64(random);
        self.next_at = plus(plus(now, held.wait), late);
        if held.wait <= PATIENCE {
            return;
        }
        self.note_wait(self.next_at, held.to_string()).await;
    }
}

/// When a feed is due first after a start: where it stood, or soon.
fn first(
    schedule: &Schedule,
    now: Timestamp,
    state: &FeedState,
    jitter: f64,
    feeds: usize,
) -> Timestamp {
    let spread = SPREAD_EACH.saturating_mul(u32::try_from(feeds).unwrap_or(u32::MAX)).min(SPREAD);
    let soon = plus(now, spread.mul_f64(jitter));
    match state.next_at {
        None => soon,
        Some(at) if at <= now => soon,
        // A wait that was imposed on us goes on; a schedule that became shorter counts at once.
        Some(at) if state.fails > 0 => at,
        Some(at) => at.min(schedule.next_after(now, state.started_at, jitter)),
    }
}

/// When a feed is due after a run.
fn next(
    schedule: &Schedule,
    now: Timestamp,
    started_at: Timestamp,
    trouble: Option<&Trouble>,
    fails: u32,
    feed: &str,
) -> Timestamp {
    let scheduled = schedule.next_after(now, Some(started_at), jitter(feed, 0));
    // What waits for a person, or what a person has ended, is not tried again for that.
    let Some(trouble) = trouble.filter(|trouble| {
        !matches!(trouble, Trouble::Cancelled(..) | Trouble::Store(StoreError::Braked(_)))
    }) else {
        return scheduled;
    };
    let retry_in = match trouble {
        // Gone on with as soon as the daemon runs again.
        Trouble::Stopped => return now,
        // Whatever the schedule says: nothing may be asked before, and it goes on when the wait is over.
        Trouble::Fetch(
            FetchError::Throttled { retry_after: Some(wait), .. } | FetchError::Held { wait, .. },
        ) => return plus(now, (*wait).max(WAIT_LEAST)),
        // Whatever the schedule says: it may lock us out.
        Trouble::Fetch(FetchError::Final { reason: Reason::Auth, .. }) => {
            return plus(now, refusal::wait(fails));
        }
        // Asking again soon cannot help.
        Trouble::Fetch(FetchError::Final { reason, .. }) if reason.is_final_at_once() => {
            Limits::default().interval
        }
        _ if trouble.reason().is_some_and(Reason::is_local) => LOCAL_RETRY,
        _ => {
            RETRY.delay(fails.saturating_add(1), jitter(feed, now.as_microsecond().unsigned_abs()))
        }
    };
    scheduled.min(plus(now, retry_in))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn throttled(seconds: u64) -> Trouble {
        Trouble::Fetch(FetchError::Throttled {
            retry_after: Some(Duration::from_secs(seconds)),
            text: String::new(),
        })
    }

    fn held(seconds: u64) -> Trouble {
        let wait = Duration::from_secs(seconds);
        Trouble::Fetch(FetchError::Held { wait, by_breaker: true, text: String::new() })
    }

    #[test]
    fn a_failed_feed_comes_back_before_its_schedule_and_never_before_it_may() {
        let daily = Schedule::Every { every: Duration::from_hours(24) };
        let noon = at("2026-11-24T12:00:00Z");
        let fault = |reason| {
            Trouble::Fetch(FetchError::of(reason, &"http://p.example".parse().unwrap(), "x"))
        };
        for (trouble, fails, least, most, why) in [
            (None, 0, 86_400, 86_400, "nothing wrong"),
            (Some(fault(Reason::Http5xx)), 0, 30, 60, "confirmed within minutes"),
            (Some(fault(Reason::Http5xx)), 50, 150, 300, "a cap"),
            (Some(fault(Reason::Auth)), 0, 300, 300, "no storm of refused log-ins"),
            (Some(fault(Reason::Auth)), 2, 1_200, 1_200, "and fewer each time"),
            (Some(fault(Reason::Auth)), 99, 3_600, 3_600, "up to one an hour"),
            (Some(throttled(7_200)), 0, 7_200, 7_200, "it goes on when the wait is over"),
            (Some(throttled(1)), 0, 5, 5, "and no sooner, whatever it says"),
            (Some(held(45)), 0, 45, 45, "so does what never left"),
            (Some(Trouble::File("x".to_owned())), 9, 5, 5, "our own fault may pass at once"),
        ] {
            let wait = next(&daily, noon, noon, trouble.as_ref(), fails, "a/b")
                .duration_since(noon)
                .as_secs();
            assert!((least..=most).contains(&wait), "{why}: {wait}");
        }
        let often = Schedule::Every { every: Duration::from_secs(10) };
        let wait = next(&often, noon, noon, Some(&throttled(120)), 0, "a/b")
            .duration_since(noon)
            .as_secs();
        assert_eq!(wait, 120, "Retry-After is honoured in full, whatever the schedule says");
        let wait = next(&often, noon, noon, Some(&fault(Reason::Auth)), 0, "a/b");
        let wait = wait.duration_since(noon).as_secs();
        assert_eq!(wait, 300, "and so is what keeps us from being locked out");
    }

    #[test]
    fn a_restart_goes_on_where_the_feed_stood() {
        let schedule = Schedule::Every { every: Duration::from_mins(10) };
        let noon = at("2026-11-24T12:00:00Z");
        let state = |next: &str, fails| FeedState {
            next_at: Some(at(next)),
            started_at: Some(at("2026-11-24T11:55:00Z")),
            fails,
            ..FeedState::default()
        };
        for (state, expected, why) in [
            (state("2026-11-24T12:05:00Z", 0), "2026-11-24T12:05:00Z", "as planned"),
            (
                state("2026-11-24T18:00:00Z", 0),
                "2026-11-24T12:05:00Z",
                "the schedule was shortened",
            ),
            (state("2026-11-24T12:30:00Z", 3), "2026-11-24T12:30:00Z", "the wait goes on"),
        ] {
            assert_eq!(first(&schedule, noon, &state, 0.0, 1), at(expected), "{why}");
        }
        let missed = first(&schedule, noon, &state("2026-11-24T11:58:00Z", 0), 0.5, 100);
        assert_eq!(missed.duration_since(noon).as_millis(), 500, "missed while stopped: soon");
    }

    #[test]
    fn a_feed_that_sleeps_is_small() {
        fn held<F>(_: impl FnOnce(Poller, CancellationToken) -> F) -> usize {
            size_of::<F>()
        }
        let bytes = held(Poller::run);
        // There may be ten thousand of them, and 32 KiB for each with all that is known of it.
        assert!(bytes <= 2_048, "{bytes} bytes of {}", size_of::<Poller>());
    }
}

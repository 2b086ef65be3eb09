//! One task a feed over HTTP: waits until it is due, or until an operator orders it, and pulls it.

use std::{pin::pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use marsad_shared::{
    clock::{plus, until},
    feed::{Feed, Origin},
    health::Reason,
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
        gate::{Back, Wait},
        http::HttpSource,
        manners::PATIENCE,
        places::Place,
    },
    trouble::Trouble,
};

/// A wait for a place that is shorter than this is not worth telling anybody.
const UNTOLD: Duration = Duration::from_secs(2);
/// The longest sleep before the clock is looked at again, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_mins(1);

/// What is said of a feed until a read of all there is has told what is gone.
const UNSWEPT: &str = "what is gone is not known: the last read of all there is (`sweep`) could not tell, and comes again when it is \
                       due; why: marsad runs";

mod due;

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
    /// Of a feed all of which is read now and then.
    sweep: Option<Box<Sweep>>,
}

/// When all of a feed is read, beside what changed.
#[derive(Debug)]
struct Sweep {
    schedule: Schedule,
    /// When that was last, or was tried in vain often enough; `None`: the feed was never read.
    last: Option<Timestamp>,
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
        let next_at = due::first(&request.schedule, now, state, jitter(feed.id.as_str(), 0), feeds);
        let fails = state.fails;
        // What an older version wrote otherwise has to be ordered again.
        let redo: Option<Box<Redo>> =
            state.ordered.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let back = source.gate().back();
        let sweep = |schedule: &Schedule| Sweep { schedule: schedule.clone(), last: state.full_at };
        let sweep = request.sweep.as_ref().map(sweep).map(Box::new);
        let puller = Puller::new(services, feed, source, files);
        let unreached = fails > 0 && state.cause.is_some_and(Reason::is_outage);
        Some(Self { puller, orders, fails, unreached, back, next_at, redo, sweep })
    }

    /// When it is due first.
    pub fn next_at(&self) -> Timestamp {
        self.next_at
    }

    /// Polls until `stop`. A partner's fault is a failed run, not an `Err`; neither is our own, which passes.
    pub async fn run(mut self: Box<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let mut seen = Timestamp::MIN;
        loop {
            let now = self.puller.services.clock.now();
            if now < seen {
                self.heed_set_back(now);
            }
            seen = now;
            let wait = until(now, self.next_at).min(NAP);
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

    /// The clock was set back: what was planned by it as it was is not waited for.
    fn heed_set_back(&mut self, now: Timestamp) {
        let feed = &self.puller.feed;
        let Origin::Http(request) = &feed.origin else { return };
        let latest = due::latest(&request.schedule, now, self.fails, feed.id.as_str());
        self.next_at = self.next_at.min(latest);
    }

    /// Somebody answers again: the feed is due soon.
    fn hasten(&mut self) {
        self.unreached = false;
        let now = self.puller.services.clock.now();
        let random = jitter(self.puller.feed.id.as_str(), now.as_microsecond().unsigned_abs());
        self.next_at = self.next_at.min(due::back(now, random));
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
            Some(_) => {
                self.redo = None;
                None
            }
        };
        let left = redo.as_ref().map_or(REDO, |redo| redo.left);
        let now = self.puller.services.clock.now();
        let is_due = |sweep: &Sweep| due::sweeps(&sweep.schedule, now, sweep.last);
        let sweeps = order.is_none() && redo.is_none() && self.sweep.as_deref().is_some_and(is_due);
        let (mut errand, begun) = errand(order, redo, fails);
        if sweeps {
            (errand.scope, errand.sweep) = (Scope::Full, true);
        }
        let is_full = errand.scope == Scope::Full;
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
            planned =
                due::next(&request.schedule, now, started_at, trouble, fails, feed.id.as_str());
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
        if let (Ok(Pulled { started_at, trouble }), Some(sweep)) = (&pulled, &mut self.sweep)
            && (is_full && self.redo.is_none() || sweep.last.is_none() && trouble.is_none())
        {
            sweep.last = Some(*started_at);
            let is_known = trouble.is_none() && !self.puller.undecided;
            if is_full {
                self.note_sweep(is_known).await;
            }
        }
        self.settle(pulled, planned);
    }

    /// Keeps whether it is known what is gone.
    async fn note_sweep(&self, is_known: bool) {
        let feed = self.puller.feed.id.clone();
        let note =
            move |ledger: &mut Ledger| ledger.note_sweep(&feed, (!is_known).then_some(UNSWEPT));
        if let Err(error) = self.puller.services.store.ledger.call(note).await {
            error!(feed = %self.puller.feed.id, %error, "whether it is known what is gone could not be written down");
        }
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
                self.next_at = plus(self.puller.services.clock.now(), due::LOCAL_RETRY);
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
        None => Errand { trigger, actor, scope, hold, free, sweep: false },
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
        self.next_at = due::behind(now, held.wait, random);
        if held.wait <= PATIENCE {
            return;
        }
        self.note_wait(self.next_at, held.to_string()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_that_sleeps_is_small() {
        fn held<F>(_: impl FnOnce(Box<Poller>, CancellationToken) -> F) -> usize {
            size_of::<Poller>() + size_of::<F>()
        }
        let bytes = held(Poller::run);
        // There may be ten thousand of them, and 32 KiB for each with all that is known of it.
        assert!(bytes <= 1_536, "{bytes} bytes of {}", size_of::<Poller>());
    }
}

//! The gate that every request of a connection leaves through: what the partner asked for, its budget of calls and our own
//! breaker are kept to by all feeds, probes and deliveries alike.
//!
//! It is asked before anything is done, and hears how each request went. It never sleeps for long: whoever may not leave
//! is told until when and why, and has better things to do meanwhile.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::DefaultDirectRateLimiter;
use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    clock::{Clock, plus, until},
    id::ConnectionId,
    store::ledger,
    untrusted::show_at_most,
};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{
    breaker::{Breaker, FAILS, Verdict},
    fault::FetchError,
    manners::{
        self, Asked, Left,
        clock::{NOTABLE, PartnerClock},
    },
    spend::{Caller, Purse},
};
use crate::jitter::jitter;

mod pass;

use pass::seconds;
pub use pass::{Pass, Wait};

/// Rests shorter than this are not worth writing down.
const KEPT: Duration = Duration::from_mins(1);
/// So much of a failure is repeated to those who wait because of it, in characters.
const FAILURE_MAX: usize = 200;

/// A connection's gate.
#[derive(Debug)]
pub struct Gate {
    connection: ConnectionId,
    clock: Arc<dyn Clock>,
    limiter: Option<DefaultDirectRateLimiter>,
    purse: Option<Arc<Purse>>,
    /// What time it is there.
    theirs: PartnerClock,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    rest: Option<Rest>,
    spread: Option<Spread>,
    breaker: Breaker,
    /// The last failure that counted for the breaker.
    failure: String,
}

/// The partner asked to be left alone.
#[derive(Debug)]
struct Rest {
    until: Instant,
    at: Timestamp,
    why: String,
    saved: bool,
}

/// Few requests are left: one in each gap.
#[derive(Debug)]
struct Spread {
    until: Instant,
    gap: Duration,
    next: Instant,
    left: Left,
}

impl Gate {
    pub fn new(
        connection: ConnectionId,
        clock: Arc<dyn Clock>,
        limiter: Option<DefaultDirectRateLimiter>,
        purse: Option<Arc<Purse>>,
    ) -> Self {
        let (theirs, held) = (PartnerClock::default(), Mutex::default());
        Self { connection, clock, limiter, purse, theirs, held }
    }

    /// Why and until when a request of `who` could not leave now; `None`: it could.
    pub fn look(&self, who: &Caller) -> Option<Wait> {
        self.waits(&self.lock(), who, Instant::now(), self.clock.now())
    }

    /// Lets a request of `who` out, once the rate limit has its turn.
    ///
    /// # Errors
    /// [`Wait`] if it may not leave.
    pub async fn pass(self: &Arc<Self>, who: &Caller) -> Result<Pass, Wait> {
        if let Some(wait) = self.look(who) {
            return Err(wait);
        }
        if let Some(limiter) = &self.limiter {
            limiter.until_ready().await;
        }
        let tries = self.take(who)?;
        Ok(Pass { gate: Arc::clone(self), who: who.clone(), tries })
    }

    /// Counts a request that repeats one which was let out.
    pub fn again(&self, who: &Caller) {
        if let Some(purse) = &self.purse {
            purse.count(who, self.clock.now());
        }
    }

    /// A person wants to know: the breaker has its try now.
    pub fn hasten(&self) {
        self.lock().breaker.hasten(Instant::now());
    }

    /// Whether the breaker lets no request out but a try.
    pub fn is_broken(&self) -> bool {
        self.lock().breaker.is_open()
    }

    /// When the breaker's next try may be, if it is open and nobody tries.
    pub fn try_at(&self) -> Option<Instant> {
        self.lock().breaker.try_at()
    }

    /// Hears an answer's head, `took` after it was asked for: what time it is there, and what it asks of us.
    pub fn hear(&self, headers: &HeaderMap, took: Duration) {
        let now = self.clock.now();
        if let Some(offset) = self.theirs.hear(headers, now, took) {
            self.tell_offset(offset);
        }
        if headers.contains_key(RETRY_AFTER) {
            // It says more precisely what is wanted, and goes before any count of requests.
            return;
        }
        match manners::asked(headers, self.there()) {
            Asked::Nothing => {}
            Asked::GoOn => self.lock().spread = None,
            Asked::Rest { wait, left } => {
                self.rest(wait, format!("the partner counts our requests, and {left}"));
            }
            Asked::Spread { gap, over, left } => {
                let now = Instant::now();
                let spread = Spread { until: now + over, gap, next: now + gap, left };
                self.lock().spread = Some(spread);
            }
        }
    }

    /// Keeps a wait that an error asks for, and says in it until when that is.
    pub fn heed(&self, mut error: FetchError) -> FetchError {
        if let FetchError::Throttled { retry_after: Some(wait), text } = &mut error {
            let until = self.rest(*wait, text.clone());
            *text = format!("{text}, until {}", seconds(until));
        }
        error
    }

    /// How far the partner's clock is ahead of ours; `None` while that is not known.
    pub fn offset(&self) -> Option<SignedDuration> {
        self.theirs.offset()
    }

    /// The time at the partner, as far as we know.
    pub fn there(&self) -> Timestamp {
        let (now, offset) = (self.clock.now(), self.offset().unwrap_or_default());
        now.saturating_add(offset).unwrap_or(now)
    }

    /// What the partner asked for, if it is to be written down and was not yet.
    pub fn unsaved(&self) -> Option<ledger::Rest> {
        let mut held = self.lock();
        let rest = held.rest.as_mut().filter(|rest| !rest.saved)?;
        rest.saved = true;
        let (until, why) = (rest.at, rest.why.clone());
        let worth = rest.until.saturating_duration_since(Instant::now()) >= KEPT;
        worth.then(|| ledger::Rest { connection: self.connection.clone(), until, why })
    }

    /// Goes on with what the partner had asked for before a restart.
    pub fn restore(&self, rest: &ledger::Rest) {
        self.rest(until(self.clock.now(), rest.until), rest.why.clone());
        if let Some(rest) = &mut self.lock().rest {
            rest.saved = true;
        }
    }

    /// Lets nobody out for `wait`, unless a longer wait stands. Gives until when.
    fn rest(&self, wait: Duration, why: String) -> Timestamp {
        let (until, at) = (Instant::now() + wait, plus(self.clock.now(), wait));
        let mut held = self.lock();
        if held.rest.as_ref().is_none_or(|rest| rest.until < until) {
            held.rest = Some(Rest { until, at, why, saved: false });
        }
        at
    }

    /// What keeps a request of `who` back longest.
    fn waits(&self, held: &Held, who: &Caller, now: Instant, at: Timestamp) -> Option<Wait> {
        let wait = |wait, is_breaker, why| Wait { wait, until: plus(at, wait), is_breaker, why };
        let rest = held.rest.as_ref().filter(|rest| now < rest.until);
        let rest = rest.map(|rest| wait(rest.until - now, false, rest.why.clone()));
        let spread = held.spread.as_ref().filter(|spread| now < spread.next.min(spread.until));
        // What we owe the partner is not what its quota is to be saved from.
        let spread = spread.filter(|_| *who != Caller::Deliveries).map(|spread| {
            let why =
                format!("the partner counts our requests, and {}: they are spread", spread.left);
            wait(spread.next.min(spread.until) - now, false, why)
        });
        let breaker = match held.breaker.look(who, now) {
            Verdict::Wait(time) => Some(wait(time, true, held.broken())),
            Verdict::Go | Verdict::Try => None,
        };
        let spent = self.purse.as_ref().and_then(|purse| purse.look(who, at).err());
        let spent = spent.map(|spent| wait(until(at, spent.renews), false, spent.why));
        [rest, spread, breaker, spent].into_iter().flatten().max_by_key(|wait| wait.wait)
    }

    /// Takes what a request needs; whether it is the breaker's try.
    fn take(&self, who: &Caller) -> Result<bool, Wait> {
        let (now, at) = (Instant::now(), self.clock.now());
        let mut held = self.lock();
        if let Some(wait) = self.waits(&held, who, now, at) {
            return Err(wait);
        }
        // Another connection of the partner may have spent the last call meanwhile.
        if let Some(Err(spent)) = self.purse.as_ref().map(|purse| purse.spend(who, at)) {
            let wait = until(at, spent.renews);
            return Err(Wait { wait, until: spent.renews, is_breaker: false, why: spent.why });
        }
        if let Some(spread) = &mut held.spread {
            spread.next = now + spread.gap;
        }
        Ok(held.breaker.ask(who, now) == Verdict::Try)
    }

    fn end(&self, who: &Caller, tries: bool, error: Option<&FetchError>) {
        let connection = &self.connection;
        let Some(error) = error.filter(|error| error.is_outage()) else {
            if self.lock().breaker.good() {
                info!(%connection, "somebody answers again, and all requests leave");
            }
            return;
        };
        let now = self.clock.now();
        let random = jitter(connection.as_str(), now.as_microsecond().unsigned_abs());
        let mut held = self.lock();
        held.failure = show_at_most(&error.to_string(), FAILURE_MAX);
        let retry_in = held.breaker.bad(who, tries, Instant::now(), random);
        drop(held);
        match retry_in {
            None => {}
            // An outage of days is one line, and not one for each try.
            Some(retry_in) if tries => debug!(%connection, ?retry_in, %error, "nobody answers yet"),
            Some(retry_in) => {
                warn!(%connection, ?retry_in, %error, "requests fail one after the other, and no more leave but one try");
            }
        }
    }

    fn tell_offset(&self, offset: SignedDuration) {
        let (connection, offset_s) = (&self.connection, offset.as_secs());
        if offset.abs() >= NOTABLE {
            warn!(%connection, offset_s, "the partner's clock and ours differ: one of them is wrong");
        } else {
            info!(%connection, offset_s, "the partner's clock and ours agree again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn broken(&self) -> String {
        format!(
            "{FAILS} requests or more failed in a row, so only one at a time is tried; the last: {}",
            self.failure
        )
    }
}

#[cfg(test)]
mod tests;

//! The gate that every request of a connection leaves through: what the partner asked for, its budget of calls and our own
//! breaker are kept to by all feeds, probes and deliveries alike.
//!
//! It is asked before anything is done, and hears how each request went. It never sleeps for long: whoever may not leave
//! is told until when and why, and has better things to do meanwhile.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    clock::{Clock, plus, until},
    connection::RateLimit,
    id::ConnectionId,
    store::ledger,
    untrusted::show_at_most,
};
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    auth::Times,
    breaker::{Breaker, FAILS},
    fault::FetchError,
    manners::{
        self, Asked, Left,
        clock::{NOTABLE, PartnerClock},
    },
    spend::{Caller, Purse},
};
use crate::jitter::jitter;

mod back;
mod crowd;
mod leave;
mod pass;
pub mod refusal;
mod turn;

pub use back::Back;
use back::Horn;
use crowd::Crowd;
use pass::seconds;
pub use pass::{HeldBy, Pass, Wait};
use refusal::Refusals;
use turn::Turnstile;

/// Rests shorter than this are not worth writing down.
const KEPT: Duration = Duration::from_mins(1);
/// A rest longer than this is rather a partner's mistake: a person may ask all the same.
const LIFTED: Duration = Duration::from_hours(24);
/// So much of a failure is repeated to those who wait because of it, in characters.
const FAILURE_MAX: usize = 200;
/// No sooner than this is the end of an outage told again: where probes are answered and feeds are not, each of them would
/// be hastened into the next failure.
const BACK_EACH: Duration = Duration::from_mins(5);

/// A connection's gate.
#[derive(Debug)]
pub struct Gate {
    connection: ConnectionId,
    clock: Arc<dyn Clock>,
    turnstile: Option<Turnstile>,
    crowd: Crowd,
    /// Nobody waits at the gate any more.
    closing: CancellationToken,
    purse: Option<Arc<Purse>>,
    /// What time it is there.
    theirs: PartnerClock,
    horn: Horn,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    rest: Option<Rest>,
    spread: Option<Spread>,
    breaker: Breaker,
    /// When it was last told that somebody answers again.
    back_at: Option<Instant>,
    refusals: Refusals,
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
    /// A person has ended it.
    lifted: bool,
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
        limit: Option<RateLimit>,
        purse: Option<Arc<Purse>>,
    ) -> Self {
        let (theirs, held) = (PartnerClock::default(), Mutex::default());
        let (turnstile, crowd) = (limit.map(Turnstile::new), Crowd::new());
        let (closing, horn) = (CancellationToken::new(), Horn::new());
        Self { connection, clock, turnstile, crowd, closing, purse, theirs, horn, held }
    }

    /// Whoever waits for a turn or a place goes away without one, and nobody waits for one any more: the daemon stops.
    pub fn close(&self) {
        self.closing.cancel();
        self.crowd.close();
    }

    /// Counts a request that repeats one which was let out.
    pub fn again(&self, who: &Caller) {
        if let Some(purse) = &self.purse {
            purse.count(who, self.clock.now());
        }
    }

    /// A person wants to know: the breaker has its try now, and a log-in too. A rest of more than a day is over.
    pub fn hasten(&self) {
        let now = Instant::now();
        let mut held = self.lock();
        held.breaker.hasten(now);
        held.refusals.hasten();
        if let Some(rest) = held.rest.as_mut().filter(|rest| rest.until > now + LIFTED) {
            // To be written down, so that no restart brings it back.
            let why = std::mem::take(&mut rest.why);
            *rest = Rest { until: now, at: self.clock.now(), why, saved: false, lifted: true };
        }
    }

    /// Hears that our log-in was refused: nobody tries it again soon.
    pub fn refused_log_in(&self, error: &FetchError) {
        let failure = show_at_most(&error.to_string(), FAILURE_MAX);
        let retry_in = self.lock().refusals.log_in(Instant::now(), &failure);
        self.tell_refused(retry_in, error);
    }

    /// Hears that a request which shows a password was refused for it.
    pub fn refused_request(&self, error: &FetchError) {
        let failure = show_at_most(&error.to_string(), FAILURE_MAX);
        if let Some(retry_in) = self.lock().refusals.request(Instant::now(), &failure) {
            self.tell_refused(retry_in, error);
        }
    }

    /// Whether the breaker lets no request out but a try.
    pub fn is_broken(&self) -> bool {
        self.lock().breaker.is_open()
    }

    /// What tells when somebody answers again behind an outage, at most once in five minutes.
    pub fn back(&self) -> Back {
        self.horn.hear()
    }

    /// When the breaker's next try may be, if it is open and nobody tries.
    pub fn try_at(&self) -> Option<Instant> {
        self.lock().breaker.try_at()
    }

    /// Hears an answer's head, `took` after it was asked for: what time it is there, and what it asks of us.
    pub fn hear(&self, status: StatusCode, headers: &HeaderMap, took: Duration) {
        let now = self.clock.now();
        if let Some(offset) = self.theirs.hear(headers, now, took) {
            self.tell_offset(offset);
        }
        let refused = status.is_client_error() || status.is_server_error();
        if refused && headers.contains_key(RETRY_AFTER) {
            // It says more precisely what is wanted, and goes before any count of requests: see [`Self::heed`].
            return;
        }
        match manners::asked(headers, || self.there()) {
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
        self.times().theirs
    }

    /// What time it is, here and there.
    pub fn times(&self) -> Times {
        let (ours, offset) = (self.clock.now(), self.offset().unwrap_or_default());
        Times { ours, theirs: ours.saturating_add(offset).unwrap_or(ours) }
    }

    /// What the partner asked for, if it is to be written down and was not yet.
    pub fn unsaved(&self) -> Option<ledger::Rest> {
        let mut held = self.lock();
        let rest = held.rest.as_mut().filter(|rest| !rest.saved)?;
        rest.saved = true;
        let (until, why) = (rest.at, rest.why.clone());
        let is_long = rest.until.saturating_duration_since(Instant::now()) >= KEPT;
        (is_long || rest.lifted).then(|| ledger::Rest {
            connection: self.connection.clone(),
            until,
            why,
        })
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
            held.rest = Some(Rest { until, at, why, saved: false, lifted: false });
        }
        at
    }

    fn end(&self, who: &Caller, tries: bool, error: Option<&FetchError>) {
        let connection = &self.connection;
        let Some(error) = error.filter(|error| error.is_outage()) else {
            let mut held = self.lock();
            if error.is_none() {
                held.refusals.forget();
            }
            if held.breaker.good() {
                info!(%connection, "somebody answers again, and all requests leave");
                let now = Instant::now();
                if held.back_at.is_none_or(|at| now >= at + BACK_EACH) {
                    held.back_at = Some(now);
                    self.horn.blow();
                }
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

    fn tell_refused(&self, retry_in: Duration, error: &FetchError) {
        let connection = &self.connection;
        warn!(%connection, ?retry_in, %error, "our credentials were refused, and are not shown again before somebody mends them or orders it");
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

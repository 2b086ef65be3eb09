//! The rate limit's turnstile: one request after the other, in the order in which they came. Nobody stands in its line for
//! long: whoever would is told how long it is.

use std::{
    num::NonZeroU32,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use marsad_shared::connection::RateLimit;
use tokio::time::{Instant, sleep};

use crate::source::manners::PATIENCE;

/// The turnstile of a connection with a rate limit.
#[derive(Debug)]
pub(super) struct Turnstile {
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    limit: RateLimit,
    /// Who holds it is the next.
    line: tokio::sync::Mutex<()>,
    /// How many stand in the line, with the one who holds it.
    standing: AtomicU32,
    /// When the next one may leave, as far as is known; in the past: now.
    next: Mutex<Option<Instant>>,
}

/// One who stands in the line.
struct Standing<'t> {
    turnstile: &'t Turnstile,
    ahead: u32,
}

impl Turnstile {
    pub(super) fn new(limit: RateLimit) -> Self {
        let burst = limit.requests;
        // A period of nothing cannot be configured: both parts are checked to be more.
        let quota = Quota::with_period(limit.per / burst.get())
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
        let clock = DefaultClock::default();
        let limiter = RateLimiter::direct_with_clock(quota.allow_burst(burst), clock.clone());
        Self {
            limiter,
            clock,
            limit,
            line: tokio::sync::Mutex::default(),
            standing: AtomicU32::new(0),
            next: Mutex::default(),
        }
    }

    /// How long whoever comes now would stand in the line, where that is longer than [`PATIENCE`].
    pub(super) fn too_long(&self) -> Option<Duration> {
        self.expected(self.standing.load(Ordering::Relaxed))
    }

    /// The next turn.
    ///
    /// # Errors
    /// How long it is until then, if that is longer than [`PATIENCE`]; then no turn is taken.
    pub(super) async fn turn(&self) -> Result<(), Duration> {
        let standing = Standing::in_line_of(self);
        if let Some(wait) = self.expected(standing.ahead) {
            return Err(wait);
        }
        let _first = self.line.lock().await;
        while let Err(not_yet) = self.limiter.check() {
            let wait = not_yet.wait_time_from(self.clock.now());
            *self.next() = Some(Instant::now() + wait);
            if wait > PATIENCE {
                return Err(wait);
            }
            sleep(wait).await;
        }
        Ok(())
    }

    /// The limit, in words.
    pub(super) fn why(&self) -> String {
        let RateLimit { requests, per } = self.limit;
        format!("no more than {requests} requests leave in {} s (`rate_limit`)", per.as_secs_f64())
    }

    /// How long it takes behind `ahead` others, where that is longer than [`PATIENCE`].
    fn expected(&self, ahead: u32) -> Option<Duration> {
        let next = *self.next();
        let first = next?.saturating_duration_since(Instant::now());
        // While nobody waits for the next turn, it is there.
        let each = self.limit.per / self.limit.requests.get();
        let wait = first.saturating_add(each.saturating_mul(ahead));
        (!first.is_zero() && wait > PATIENCE).then_some(wait)
    }

    fn next(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'t> Standing<'t> {
    fn in_line_of(turnstile: &'t Turnstile) -> Self {
        Self { turnstile, ahead: turnstile.standing.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.turnstile.standing.fetch_sub(1, Ordering::Relaxed);
    }
}

//! The rate limit's turnstile: one request after the other, in the order in which they came. Nobody stands in its line for
//! long: whoever would is told how long it is.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use marsad_shared::connection::RateLimit;
use tokio::time::{Instant, sleep};

use crate::source::manners::PATIENCE;

/// The turnstile of a connection with a rate limit.
#[derive(Debug)]
pub(super) struct Turnstile {
    limit: RateLimit,
    /// When those left that still count, the oldest first; who holds it is the next. Within any stretch of the period no more
    /// leave than the limit says, wherever the partner's own periods begin.
    line: tokio::sync::Mutex<VecDeque<Instant>>,
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
        Self {
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
        let mut left = self.line.lock().await;
        if left.len() >= self.limit.requests.get() as usize
            && let Some(oldest) = left.front()
        {
            let wait = (*oldest + self.limit.per).saturating_duration_since(Instant::now());
            *self.next() = Some(Instant::now() + wait);
            if wait > PATIENCE {
                return Err(wait);
            }
            sleep(wait).await;
            left.pop_front();
        }
        left.push_back(Instant::now());
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn in_no_stretch_of_the_period_more_leave_than_the_limit_says() {
        let (most, per) = (3, Duration::from_secs(10));
        let requests = NonZeroU32::new(most).unwrap();
        let turnstile = Turnstile::new(RateLimit { requests, per });
        let mut left = Vec::new();
        for gap in [0, 0, 0, 0, 4, 1, 0, 25, 0, 0, 0, 0, 0] {
            sleep(Duration::from_secs(gap)).await;
            turnstile.turn().await.unwrap();
            left.push(Instant::now());
        }
        for window in left.windows(most as usize + 1) {
            assert!(window[3] - window[0] >= per, "{left:?}");
        }
        let whole = *left.last().unwrap() - left[0];
        assert!(whole < Duration::from_secs(70), "and nobody waits for nothing: {whole:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_long_is_told_how_long() {
        let requests = NonZeroU32::new(1).unwrap();
        let turnstile = Turnstile::new(RateLimit { requests, per: Duration::from_mins(1) });
        assert_eq!((turnstile.turn().await, turnstile.too_long()), (Ok(()), None));
        assert_eq!(turnstile.turn().await, Err(Duration::from_mins(1)));
        assert_eq!(turnstile.too_long(), Some(Duration::from_mins(1)), "without standing in line");
        sleep(Duration::from_secs(45)).await;
        assert_eq!((turnstile.turn().await, turnstile.too_long()), (Ok(()), None));
    }
}

//! What time it is: the one door through which the present enters, so that tests can set it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// Where the present comes from. Rules never ask it: their caller does, and passes the time.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The time of day, UTC. It may step in either direction when somebody sets the machine's
    /// clock: order things by sequence and measure spans with `Instant`, not with this.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask the machine")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub const fn new(at: Timestamp) -> Self {
        Self(Mutex::new(at))
    }

    /// Steps to `at`, backwards too.
    pub fn set(&self, at: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Goes on by `by`, at most to the end of time.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = plus(*now, by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far clocks may differ before a time from the future is a fault and not drift.
pub(crate) const DRIFT: Duration = Duration::from_mins(10);

/// How long it is from `now` until `at`; nothing if that has passed.
pub fn until(now: Timestamp, at: Timestamp) -> Duration {
    between(now, at).unwrap_or_default()
}

/// `at` and `by` later, at most the last instant there is.
pub fn plus(at: Timestamp, by: Duration) -> Timestamp {
    // Only spans with calendar units can fail here, and a `Duration` has none.
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// How long `later` is after `earlier`; `None` if it is before.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Option<Duration> {
    Duration::try_from(later.duration_since(earlier)).ok()
}

/// The part `share` of `whole`: never less than nothing, never more than all of it.
pub(crate) fn part(whole: Duration, share: f64) -> Duration {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    Duration::try_from_secs_f64(whole.as_secs_f64() * share).map_or(whole, |part| part.min(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_goes_where_it_is_told() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        clock.advance(Duration::from_hours(1));
        assert_eq!(Clock::now(&clock).as_second(), 3600);
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX, "the end of time is no panic");
    }

    #[test]
    fn time_is_added_and_shared_out_without_overflow() {
        assert_eq!(plus(Timestamp::MAX, Duration::from_nanos(1)), Timestamp::MAX);
        assert_eq!(plus(Timestamp::MIN, Duration::MAX), Timestamp::MAX);
        assert_eq!(between(Timestamp::MAX, Timestamp::MIN), None);
        assert!(between(Timestamp::MIN, Timestamp::MAX).is_some());
        for (share, expected) in
            [(0.0, 0), (0.5, 5), (1.0, 10), (7.0, 10), (-1.0, 0), (f64::NAN, 0)]
        {
            assert_eq!(
                part(Duration::from_secs(10), share),
                Duration::from_secs(expected),
                "{share}"
            );
        }
        assert_eq!(part(Duration::MAX, 1.0), Duration::MAX);
    }
}

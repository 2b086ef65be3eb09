//! How a feed's data stands against its promise.
//!
//! The rule that turns the promise and the last good time into one word lives here alone, so that
//! table, alert and export cannot disagree. Pure: the caller passes the time.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{DRIFT, between, plus};
use crate::word::words;

words! {
    /// A feed's freshness at one instant.
    pub enum Freshness is "freshness" {
        /// At most `every` old.
        Fresh = "fresh",
        /// Promised for a time of day, and that time is near. Never with `every`.
        Due = "due",
        /// Past its deadline but within `grace`: shown, and nobody is woken.
        Late = "late",
        /// Past `grace`: a warning.
        Stale = "stale",
        /// Past `error_after`: an error.
        Expired = "expired",
        /// Never once read, so nothing can be said of its age.
        Unknown = "unknown",
        /// Nothing was promised.
        Exempt = "exempt",
        /// Dated further ahead than clocks drift: the data or a clock is wrong.
        Future = "future",
    }
}

/// How old a feed's data may become. Both limits count from the deadline, which is `every` after
/// the last good time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Promise {
    /// The age at which new data is owed.
    pub every: Duration,
    /// How long past the deadline nobody is troubled.
    pub grace: Duration,
    /// How long past the deadline a warning becomes an error.
    pub error_after: Duration,
}

impl Promise {
    /// New data each `every`, with a quarter of it as grace, and an error after four times as long.
    pub fn every(every: Duration) -> Self {
        Self { every, grace: every / 4, error_after: every.saturating_mul(4) }
    }
}

/// The feed's freshness at `now`, when its basis clock last stood at `last_good`.
pub fn judge(now: Timestamp, last_good: Option<Timestamp>, promise: Option<&Promise>) -> Freshness {
    let Some(promise) = promise else { return Freshness::Exempt };
    let Some(last_good) = last_good else { return Freshness::Unknown };
    if between(now, last_good).is_some_and(|ahead| ahead > DRIFT) {
        return Freshness::Future;
    }
    let deadline = plus(last_good, promise.every);
    if now <= deadline {
        Freshness::Fresh
    } else if now > plus(deadline, promise.error_after) {
        Freshness::Expired
    } else if now > plus(deadline, promise.grace) {
        Freshness::Stale
    } else {
        Freshness::Late
    }
}

/// When new data is owed; `None` when nothing was promised or nothing was ever read.
pub fn deadline(last_good: Option<Timestamp>, promise: Option<&Promise>) -> Option<Timestamp> {
    Some(plus(last_good?, promise?.every))
}

/// When the freshness that [`judge`] gives for the same arguments began; `None` where that has no time.
pub fn since(
    now: Timestamp,
    last_good: Option<Timestamp>,
    promise: Option<&Promise>,
) -> Option<Timestamp> {
    let deadline = deadline(last_good, promise)?;
    match judge(now, last_good, promise) {
        Freshness::Fresh => last_good,
        Freshness::Late => Some(deadline),
        Freshness::Stale => Some(plus(deadline, promise?.grace)),
        Freshness::Expired => Some(plus(deadline, promise?.error_after)),
        Freshness::Due | Freshness::Unknown | Freshness::Exempt | Freshness::Future => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Freshness::{Exempt, Expired, Fresh, Future, Late, Stale, Unknown};
    use super::*;

    fn noon() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn minutes_before_noon(minutes: i64) -> Timestamp {
        Timestamp::from_second(noon().as_second() - minutes * 60).unwrap()
    }

    #[test]
    fn freshness_follows_the_promise() {
        let minutes = Duration::from_mins;
        let promise = Promise { every: minutes(60), grace: minutes(15), error_after: minutes(240) };
        for (minutes_ago, expected, since, why) in [
            (None, Unknown, None, "no run yet"),
            (Some(0), Fresh, Some(0), "just read"),
            (
                Some(60),
                Fresh,
                Some(60),
                "exactly on time is on time, and it is fresh since it was read",
            ),
            (Some(61), Late, Some(1), "past the deadline, since the deadline"),
            (Some(75), Late, Some(15), "its grace included"),
            (Some(76), Stale, Some(1), "past its grace, since the end of it"),
            (Some(300), Stale, Some(225), "limits count from the deadline, not from the last run"),
            (Some(301), Expired, Some(1), "past error_after, since the end of it"),
            (Some(1_000_000), Expired, Some(999_700), "and it stays so"),
            (Some(-3), Fresh, Some(-3), "ahead by less than clocks drift"),
            (Some(-10), Fresh, Some(-10), "the drift included"),
            (Some(-11), Future, None, "ahead by more: a fault"),
        ] {
            let last_good = minutes_ago.map(minutes_before_noon);
            assert_eq!(judge(noon(), last_good, Some(&promise)), expected, "{why}");
            assert_eq!(
                super::since(noon(), last_good, Some(&promise)),
                since.map(minutes_before_noon),
                "{why}"
            );
        }
    }

    #[test]
    fn without_a_promise_nothing_is_owed() {
        for last_good in [None, Some(noon()), Some(minutes_before_noon(100_000))] {
            assert_eq!(judge(noon(), last_good, None), Exempt);
            assert_eq!(deadline(last_good, None), None);
            assert_eq!(since(noon(), last_good, None), None);
        }
    }

    #[test]
    fn what_is_not_written_comes_from_every() {
        let promise = Promise::every(Duration::from_hours(6));
        assert_eq!(promise.grace, Duration::from_mins(90));
        assert_eq!(promise.error_after, Duration::from_hours(24));
        assert_eq!(
            deadline(Some(minutes_before_noon(60)), Some(&promise)),
            Some(minutes_before_noon(-300))
        );
    }

    #[test]
    fn an_error_before_the_end_of_grace_is_an_error() {
        let promise = Promise {
            every: Duration::ZERO,
            grace: Duration::from_hours(1),
            error_after: Duration::from_mins(5),
        };
        assert_eq!(judge(noon(), Some(minutes_before_noon(6)), Some(&promise)), Expired);
        assert_eq!(judge(noon(), Some(minutes_before_noon(5)), Some(&promise)), Late);
    }

    proptest! {
        #[test]
        fn freshness_only_gets_worse_and_nothing_overflows(
            last in -1_000_000_000_i64..4_000_000_000, age: u32, more: u32,
            every in any::<Duration>(), grace in any::<Duration>(), error_after in any::<Duration>(),
        ) {
            let at = |second| Timestamp::from_second(second).unwrap();
            let promise = Promise { every, grace, error_after };
            let rank = |f| Freshness::ALL.iter().position(|each| *each == f);
            let (now, later) = (at(last + i64::from(age)), at(last + i64::from(age) + i64::from(more)));
            let (first, second) = (judge(now, Some(at(last)), Some(&promise)), judge(later, Some(at(last)), Some(&promise)));
            prop_assert!(rank(first) <= rank(second));
            let began = since(now, Some(at(last)), Some(&promise));
            prop_assert!(began.is_some_and(|began| began <= now), "{first} since {began:?}, now {now}");
        }
    }
}

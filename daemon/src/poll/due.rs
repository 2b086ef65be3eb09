//! When a feed is due: first, behind a run, and when what kept it back is over. Pure: the caller passes the time and a share
//! of chance.

use std::time::Duration;

use jiff::Timestamp;
use marsad_shared::{
    backoff::Backoff,
    clock::plus,
    health::{Limits, Reason},
    schedule::Schedule,
    store::{StoreError, ledger::FeedState},
};

use crate::{
    jitter::jitter,
    source::{fault::FetchError, gate::refusal},
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
pub(super) const LOCAL_RETRY: Duration = Duration::from_secs(5);
/// How soon a feed is tried again that waits for another one to be read the first time.
const PARENT: Duration = Duration::from_mins(1);
/// A wait that the partner names is no shorter than this: it may name none, again and again.
const WAIT_LEAST: Duration = Duration::from_secs(5);

/// When a feed is due first after a start: where it stood, or soon.
pub(super) fn first(
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

/// Whether all of a feed is to be read `now`, if that was done last at `last`. One that was never read is read whole anyway.
pub(super) fn sweeps(sweep: &Schedule, now: Timestamp, last: Option<Timestamp>) -> bool {
    // A time that is still to come was written down by a clock that was wrong.
    last.is_some_and(|last| last > now || sweep.next_after(last, Some(last), 0.0) <= now)
}

/// The latest that a feed with `fails` failed runs may be due, seen from `now`; but for a wait that the partner named, which its
/// connection keeps to by itself.
pub(super) fn latest(schedule: &Schedule, now: Timestamp, fails: u32, feed: &str) -> Timestamp {
    let scheduled = schedule.next_after(now, Some(now), jitter(feed, 0));
    if fails == 0 { scheduled } else { scheduled.max(plus(now, refusal::wait(fails))) }
}

/// When a feed is due after a run.
pub(super) fn next(
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
        // Whatever the schedule says: nothing may be asked before, and it goes on when the wait is over. Who names a short one
        // again and again is not ready then.
        Trouble::Fetch(FetchError::Throttled { retry_after: Some(wait), .. }) => {
            let least = if fails == 0 { WAIT_LEAST } else { RETRY.delay(fails, jitter(feed, 0)) };
            return plus(now, (*wait).max(least));
        }
        Trouble::Fetch(FetchError::Held { wait, .. }) => {
            return plus(now, (*wait).max(WAIT_LEAST));
        }
        // Whatever the schedule says: it may lock us out.
        Trouble::Fetch(FetchError::Final { reason: Reason::Auth, .. }) => {
            return plus(now, refusal::wait(fails));
        }
        Trouble::NoParent(_) => PARENT,
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

/// When a feed is due that was told to wait for `wait`: those who wait for the same moment do not all come in it.
pub(super) fn behind(now: Timestamp, wait: Duration, random: f64) -> Timestamp {
    let late = (wait / 10).min(SPREAD).mul_f64(random);
    plus(plus(now, wait), late)
}

/// When a feed is due that failed because nobody answered, now that somebody does.
pub(super) fn back(now: Timestamp, random: f64) -> Timestamp {
    plus(now, BACK_WITHIN.mul_f64(random))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::gate::HeldBy;

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
        Trouble::Fetch(FetchError::Held { wait, by: HeldBy::Breaker, text: String::new() })
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
            (Some(throttled(1)), 1, 30, 60, "the next time it is less sure"),
            (Some(throttled(1)), 50, 150, 300, "and in the end as with any other"),
            (Some(held(45)), 0, 45, 45, "so does what never left"),
            (Some(Trouble::NoParent("p/a".parse().unwrap())), 0, 60, 60, "another's first read"),
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
    fn a_clock_that_was_set_back_is_waited_for_no_longer_than_any_other() {
        let (noon, hourly) =
            (at("2026-11-24T12:00:00Z"), Schedule::Every { every: Duration::from_hours(1) });
        let often = Schedule::Every { every: Duration::from_secs(10) };
        for (schedule, fails, expected, why) in [
            (&hourly, 0, 3_600, "an interval"),
            (&often, 0, 10, "a short one"),
            (&often, 1, 600, "a log-in that was refused is not repeated sooner for it"),
            (&hourly, 1, 3_600, "the longer of the two"),
        ] {
            let waits = latest(schedule, noon, fails, "a/b").duration_since(noon).as_secs();
            assert_eq!(waits, expected, "{why}");
        }
    }

    #[test]
    fn all_is_read_as_often_as_it_says_and_not_at_once() {
        let (noon, daily) =
            (at("2026-11-24T12:00:00Z"), Schedule::Every { every: Duration::from_hours(24) });
        let night = Schedule::cron("0 3 * * *", "UTC").unwrap();
        for (sweep, last, expected, why) in [
            (&daily, None, false, "it is read whole for the first time"),
            (&daily, Some("2026-11-23T12:00:01Z"), false, "a second is left"),
            (&daily, Some("2026-11-23T12:00:00Z"), true, "now"),
            (&daily, Some("2026-11-24T13:00:00Z"), true, "the clock was set back"),
            (&night, Some("2026-11-24T02:59:00Z"), true, "a night has passed"),
            (&night, Some("2026-11-24T03:01:00Z"), false, "it was that night"),
        ] {
            assert_eq!(sweeps(sweep, noon, last.map(at)), expected, "{why}");
        }
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
}

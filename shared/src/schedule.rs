//! When a feed is due.
//!
//! A schedule never owes the past: ticks missed while the daemon was stopped, busy or set to
//! another time are skipped, and the next one keeps the rhythm.

mod cron;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use self::cron::{Cron, ScheduleError};
use crate::clock::{between, part, plus};

/// The most by which starts of one moment are spread out.
const SPREAD: Duration = Duration::from_secs(30);

/// Shorter intervals are taken as this one, so that no schedule can spin.
const SHORTEST: Duration = Duration::from_secs(1);

/// Starts of an interval fall on a common beat of the clock, the nearest one, so that what is due at nearly the same time
/// is woken, asked and written together: 500 polls a second cost a third less than one by one. An interval that is no
/// whole number of beats would lose its rhythm by that, and is left as it is.
const BEAT: Duration = Duration::from_millis(100);

/// When a feed starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Again and again, so long after the last start, give or take half a tenth of a second.
    Every { every: Duration },
    /// At times of day in a zone.
    Cron(Cron),
}

impl Schedule {
    /// From a cron expression of five fields and the IANA name of a zone.
    ///
    /// # Errors
    /// [`ScheduleError`] if one of them cannot be read, or the times never come.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let zone = TimeZone::get(zone)
            .map_err(|_| ScheduleError::UnknownZone { zone: zone.to_owned() })?;
        Cron::new(expression, zone).map(Self::Cron)
    }

    /// The next start: always after `now`.
    ///
    /// `jitter`, in 0..1, keeps those that are due at one moment apart by at most 30 seconds; an
    /// interval needs it only once, as each start counts from the one before. `last_start` in the
    /// future means that the clock was set back, and then says nothing.
    pub fn next_after(
        &self,
        now: Timestamp,
        last_start: Option<Timestamp>,
        jitter: f64,
    ) -> Timestamp {
        match self {
            Self::Every { every } => next_tick((*every).max(SHORTEST), now, last_start, jitter),
            Self::Cron(cron) => {
                // The whole timetable is late by `late`: a match that passed less than that ago is
                // still to come, unless it was started already.
                let late = part(SPREAD, jitter);
                let passed = now.saturating_sub(late).unwrap_or(Timestamp::MIN);
                let started = last_start.filter(|last| *last <= now);
                plus(cron.next_after(started.map_or(passed, |started| started.max(passed))), late)
            }
        }
    }
}

fn next_tick(
    every: Duration,
    now: Timestamp,
    last_start: Option<Timestamp>,
    jitter: f64,
) -> Timestamp {
    let Some(last_start) = last_start else {
        return plus(now, part((every / 10).min(SPREAD), jitter).max(Duration::from_nanos(1)));
    };
    let Some(elapsed) = between(last_start, now) else {
        return plus(now, every); // the clock was set back
    };
    let into_tick = Duration::from_nanos_u128(elapsed.as_nanos() % every.as_nanos());
    let next = plus(now, every.saturating_sub(into_tick));
    if every.as_nanos().is_multiple_of(BEAT.as_nanos()) { on_beat(next, now) } else { next }
}

/// The beat nearest to `at`, of those behind `now`.
fn on_beat(at: Timestamp, now: Timestamp) -> Timestamp {
    let beat = i64::try_from(BEAT.as_micros()).unwrap_or(1);
    let micros = at.as_microsecond();
    let nearest = (micros + beat / 2).div_euclid(beat) * beat;
    match Timestamp::from_microsecond(nearest) {
        Ok(nearest) if nearest > now => nearest,
        Ok(nearest) => plus(nearest, BEAT),
        // At either end of time there is none.
        Err(_) => at,
    }
}

#[cfg(test)]
mod tests;

//! Whole steps of time, as a partner counts them: its days begin at midnight of its zone, and are not always 24 hours long.

use std::time::Duration;

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

const DAY: u64 = 24 * 60 * 60;

/// `at` as far as whole steps reach; as it is where there are none.
pub fn whole(at: Timestamp, step: Duration, zone: &TimeZone) -> Timestamp {
    if let Some(days) = days(step) {
        let date = zone.to_datetime(at).date();
        let since = date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
        let over = Span::new().days(since.rem_euclid(days));
        return date.checked_sub(over).ok().and_then(|date| midnight(date, zone)).unwrap_or(at);
    }
    match i128::try_from(step.as_nanos()) {
        Ok(step) if step > 0 => {
            let nanoseconds = at.as_nanosecond();
            Timestamp::from_nanosecond(nanoseconds - nanoseconds.rem_euclid(step)).unwrap_or(at)
        }
        _ => at,
    }
}

/// One step before `at`, which is whole.
pub(super) fn before(at: Timestamp, step: Duration, zone: &TimeZone) -> Timestamp {
    match days(step) {
        Some(days) => {
            let day = zone.to_datetime(at).date().checked_sub(Span::new().days(days)).ok();
            day.and_then(|day| midnight(day, zone)).unwrap_or(at)
        }
        None => at.checked_sub(step).unwrap_or(at),
    }
}

fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(DateTime::from(date)).compatible().ok()
}

/// How many days a step is, if it is whole days.
fn days(step: Duration) -> Option<i64> {
    let whole =
        step.subsec_nanos() == 0 && step.as_secs() >= DAY && step.as_secs().is_multiple_of(DAY);
    i64::try_from(step.as_secs() / DAY).ok().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_where_the_partner_has_its_midnight() {
        let hours = Duration::from_hours;
        for (at, step, zone, expected, earlier) in [
            (
                "2026-11-27T14:30:45Z",
                hours(1),
                "UTC",
                "2026-11-27T14:00:00Z",
                "2026-11-27T13:00:00Z",
            ),
            (
                "2026-11-27T14:30:00Z",
                hours(24),
                "UTC",
                "2026-11-27T00:00:00Z",
                "2026-11-26T00:00:00Z",
            ),
            (
                "2026-11-27T14:30:00Z",
                hours(24),
                "Asia/Dubai",
                "2026-11-26T20:00:00Z",
                "2026-11-25T20:00:00Z",
            ),
            (
                "2026-11-27T21:30:00Z",
                hours(24),
                "Asia/Dubai",
                "2026-11-27T20:00:00Z",
                "2026-11-26T20:00:00Z",
            ),
            (
                "2026-11-27T03:30:00Z",
                hours(24),
                "America/New_York",
                "2026-11-26T05:00:00Z",
                "2026-11-25T05:00:00Z",
            ),
            // The night in which its clocks went ahead.
            (
                "2026-03-09T12:00:00Z",
                hours(24),
                "America/New_York",
                "2026-03-09T04:00:00Z",
                "2026-03-08T05:00:00Z",
            ),
            (
                "2026-11-27T14:30:00Z",
                hours(48),
                "UTC",
                "2026-11-27T00:00:00Z",
                "2026-11-25T00:00:00Z",
            ),
            (
                "2026-11-27T14:30:00.5Z",
                Duration::ZERO,
                "UTC",
                "2026-11-27T14:30:00.5Z",
                "2026-11-27T14:30:00.5Z",
            ),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            let found = whole(at.parse().unwrap(), step, &zone);
            assert_eq!(found, expected.parse().unwrap(), "{at} {step:?} {zone:?}");
            assert_eq!(
                before(found, step, &zone),
                earlier.parse().unwrap(),
                "{at} {step:?} {zone:?}"
            );
        }
    }
}

//! How a cursor is written into a request.

use std::borrow::Cow;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    fmt::{strtime, temporal::DateTimePrinter},
    tz::{Offset, TimeZone},
};
use marsad_shared::{
    record::Spelling,
    request::{Bound, Incremental, TimeFormat, Writing},
};

/// From where a partner is asked for what stands at `since` and beyond.
pub(super) fn from<'s>(incremental: &Incremental, since: &'s str) -> Cow<'s, str> {
    let Bound::Exclusive(step) = incremental.bound else { return since.into() };
    if let Ok(at) = since.parse::<Timestamp>() {
        return at.checked_sub(step).unwrap_or(at).to_string().into();
    }
    if let Ok(number) = since.parse::<i64>() {
        let step = match incremental.writing.time {
            TimeFormat::UnixSeconds => i64::try_from(step.as_secs()),
            TimeFormat::UnixMillis => i64::try_from(step.as_millis()),
            TimeFormat::Rfc3339 | TimeFormat::Pattern(_) => Ok(1),
        };
        return number.saturating_sub(step.unwrap_or(1).max(1)).to_string().into();
    }
    let day = since.parse::<Date>().ok().and_then(|day| day.yesterday().ok());
    day.map_or(since.into(), |day| day.to_string().into())
}

/// A time as the partner takes it; where the configuration does not say how, as it writes its own.
pub(super) fn time(writing: &Writing, at: Timestamp, spelling: Spelling) -> String {
    match &writing.time {
        TimeFormat::Rfc3339 if writing.zone == TimeZone::UTC => spelled(at, spelling),
        TimeFormat::Rfc3339 => {
            at.to_zoned_datetime(writing.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        }
        TimeFormat::UnixSeconds => at.as_second().to_string(),
        TimeFormat::UnixMillis => at.as_millisecond().to_string(),
        // The pattern was tried when the configuration was checked.
        TimeFormat::Pattern(pattern) => strtime::format(pattern, earliest(&writing.zone, at))
            .or_else(|_| strtime::format(pattern, &at.to_zoned_datetime(writing.zone.clone())))
            .unwrap_or_else(|_| at.to_string()),
    }
}

/// A time of UTC in that spelling. What it has no digits for is left out, and so lies at or before `at`.
fn spelled(at: Timestamp, Spelling { fraction, offset }: Spelling) -> String {
    let printer = DateTimePrinter::new().precision((fraction > 0).then_some(fraction));
    if offset {
        printer.timestamp_with_offset_to_string(&at, Offset::UTC)
    } else {
        printer.timestamp_to_string(&at)
    }
}

/// What the clocks of that zone show at `at`, and where they are set within the hour the earlier of what they show before and
/// after. A time that is written without its offset means two instants when they are set back, and no row is written in
/// the hour that they leave out: from the earlier one nothing is lost, and what comes again by that changes nothing.
fn earliest(zone: &TimeZone, at: Timestamp) -> DateTime {
    let hour = SignedDuration::from_hours(1);
    let around = [-hour, SignedDuration::ZERO, hour];
    let offsets = around.iter().map(|by| zone.to_offset(at.checked_add(*by).unwrap_or(at)));
    offsets.min().unwrap_or(Offset::UTC).to_datetime(at)
}

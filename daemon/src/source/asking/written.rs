//! How a cursor is written into a request.

use std::borrow::Cow;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    fmt::{strtime, temporal::DateTimePrinter},
    tz::{Offset, TimeZone},
};
use marsad_shared::{
    record::{OffsetForm, Spelling, Zone},
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

/// How a partner writes its own times.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) spelling: Spelling,
    /// Of those that name none.
    pub(super) zone: TimeZone,
}

/// Which end of what is asked for a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    From,
    Until,
}

/// A time as the partner takes it; where the configuration does not say how, as it writes its own.
pub(super) fn time(writing: &Writing, at: Timestamp, own: &Own, end: End) -> String {
    match &writing.time {
        TimeFormat::Rfc3339 if writing.zone == TimeZone::UTC => spelled(at, own, end),
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

/// A time in the partner's own spelling. Where one instant may be written in two ways, in whole seconds and with a fraction, the
/// one is taken that leaves nothing out where texts are compared: `Z` is greater than any digit, and an offset, or nothing at
/// all, less.
fn spelled(at: Timestamp, own: &Own, end: End) -> String {
    let Spelling { fraction, zone, space, .. } = own.spelling;
    let is_long = (zone != Zone::Zulu) == (end == End::Until) || own.spelling.is_even();
    // Nothing is cut off at the end of a stretch: the next one begins there.
    let fraction = if end == End::Until { fraction.max(digits(at)) } else { fraction };
    let printer = DateTimePrinter::new()
        .precision((is_long && fraction > 0).then_some(fraction))
        .separator(if space { b' ' } else { b'T' });
    let (shown, zone) = match zone {
        Zone::Zulu => (Offset::UTC.to_datetime(at), "Z".to_owned()),
        Zone::Offset { minutes, form } => {
            // Where clocks may be set back, rows come that show up to an hour less than those before them.
            let is_set = minutes != 0 && end == End::From;
            let seconds = (i32::from(minutes) - if is_set { HOUR } else { 0 }) * 60;
            let offset = Offset::from_seconds(seconds).unwrap_or(Offset::UTC);
            (offset.to_datetime(at), written_offset(offset, form))
        }
        Zone::Unnamed => (earliest(&own.zone, at), String::new()),
    };
    format!("{}{zone}", printer.datetime_to_string(&shown))
}

/// In minutes.
const HOUR: i32 = 60;

fn written_offset(offset: Offset, form: OffsetForm) -> String {
    let sign = if offset.is_negative() { '-' } else { '+' };
    let minutes = offset.seconds().unsigned_abs() / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    match form {
        OffsetForm::Hours => format!("{sign}{hours:02}"),
        OffsetForm::Plain => format!("{sign}{hours:02}{minutes:02}"),
        OffsetForm::Colon => format!("{sign}{hours:02}:{minutes:02}"),
    }
}

/// How many digits a time has behind the second.
fn digits(at: Timestamp) -> u8 {
    let mut rest = at.subsec_nanosecond().unsigned_abs();
    let mut digits = 9;
    while digits > 0 && rest.is_multiple_of(10) {
        (rest, digits) = (rest / 10, digits - 1);
    }
    digits
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

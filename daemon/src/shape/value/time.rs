//! Days and instants: ISO 8601, or as a format says.

use jiff::{Timestamp, civil, tz::TimeZone};
use marsad_shared::record::RowBuilder;

/// Puts a day into the row, as we write it.
pub(super) fn date(text: &str, format: Option<&str>, row: &mut RowBuilder<'_>) -> Option<()> {
    if format.is_none() && is_plain_date(text.as_bytes()) {
        row.text(text);
        return Some(());
    }
    let date = match format {
        Some(format) => {
            let date = civil::Date::strptime(format, text).ok()?;
            has_year(text, date.year()).then_some(date)?
        }
        None if text.len() == 10 => text.parse().ok()?,
        None => return None,
    };
    row.text(&date.to_string());
    Some(())
}

/// Whether it is a day as we write it, of a month that has it: days of up to 28 need no calendar.
fn is_plain_date(text: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return false };
    let all_digits = [y1, y2, y3, y4, m1, m2, d1, d2].iter().all(u8::is_ascii_digit);
    let two = |high: u8, low: u8| (high - b'0') * 10 + (low - b'0');
    all_digits && (1..=12).contains(&two(m1, m2)) && (1..=28).contains(&two(d1, d2))
}

/// Puts an instant into the row, as we write it; one that names no zone is of `zone`.
pub(super) fn timestamp(
    text: &str,
    format: Option<&str>,
    zone: &TimeZone,
    row: &mut RowBuilder<'_>,
) -> Option<()> {
    if format.is_none() && is_plain_timestamp(text.as_bytes()) {
        row.text(text);
        return Some(());
    }
    row.text(&instant(text, format, zone)?.to_string());
    Some(())
}

/// Whether it is an instant as we write it: whole seconds, `Z`.
fn is_plain_timestamp(text: &[u8]) -> bool {
    let Some((date, time)) = text.split_first_chunk::<10>() else { return false };
    let [b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'Z'] = *time else { return false };
    let all_digits = [h1, h2, m1, m2, s1, s2].iter().all(u8::is_ascii_digit);
    let two = |high: u8, low: u8| (high - b'0') * 10 + (low - b'0');
    is_plain_date(date) && all_digits && two(h1, h2) < 24 && two(m1, m2) < 60 && two(s1, s2) < 60
}

fn instant(text: &str, format: Option<&str>, zone: &TimeZone) -> Option<Timestamp> {
    let local = |time: civil::DateTime| zone.to_timestamp(time).ok();
    let Some(format) = format else {
        // With an offset or a `Z` it is an instant; without, it is local.
        return text.parse().ok().or_else(|| local(text.parse().ok()?));
    };
    match format {
        "unix" => return seconds(text),
        "unix_ms" => return Timestamp::from_millisecond(text.parse().ok()?).ok(),
        _ => {}
    }
    let time = jiff::fmt::strtime::parse(format, text).ok()?;
    if time.year().is_some_and(|year| !has_year(text, year)) {
        return None;
    }
    time.to_timestamp().ok().or_else(|| {
        let midnight = || Some(time.to_date().ok()?.at(0, 0, 0, 0));
        local(time.to_datetime().ok().or_else(midnight)?)
    })
}

/// Whether a text says its year as it was read: one of fewer than four digits was meant as another, and none has a sign.
fn has_year(text: &str, year: i16) -> bool {
    year >= 1_000 || year >= 0 && text.contains(&format!("{year:04}"))
}

/// Seconds since 1970, whole or with a part, to the nanosecond.
fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 9 || !part.bytes().all(|b| b.is_ascii_digit()) || text.ends_with('.') {
        return None;
    }
    let nanoseconds: i32 = format!("{part:0<9}").parse().ok()?;
    let signed = if whole.starts_with('-') { -nanoseconds } else { nanoseconds };
    Timestamp::new(whole.parse().ok()?, signed).ok()
}

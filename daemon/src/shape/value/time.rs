//! Days and instants: ISO 8601, or as a format says.

use jiff::{
    Timestamp, civil,
    fmt::{strtime::BrokenDownTime, temporal::DateTimeParser},
    tz::TimeZone,
};
use marsad_shared::record::RowBuilder;

/// Reads a time that names its zone. An offset beside it has to be one of that zone.
static NAMED: DateTimeParser = DateTimeParser::new();

/// Puts a day into the row, as we write it.
pub(super) fn date(text: &str, format: Option<&str>, row: &mut RowBuilder<'_>) -> Option<()> {
    if format.is_none() && is_plain_date(text.as_bytes()) {
        row.text(text);
        return Some(());
    }
    let date = match format {
        Some(format) => as_written(format, text)?.to_date().ok()?,
        None if text.len() == 10 => text.parse().ok()?,
        None => return None,
    };
    row.text(&has_year(date)?.to_string());
    Some(())
}

/// Whether it is a day as we write it, of a month that has it: days of up to 28 need no calendar.
fn is_plain_date(text: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return false };
    let all_digits = [y1, y2, y3, y4, m1, m2, d1, d2].iter().all(u8::is_ascii_digit);
    let two = |high: u8, low: u8| (high - b'0') * 10 + (low - b'0');
    let has_year = [y1, y2, y3, y4] != *b"0000";
    all_digits && has_year && (1..=12).contains(&two(m1, m2)) && (1..=28).contains(&two(d1, d2))
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

/// Milliseconds since 1970, bare or as `/Date(1794816000000+0400)/`: the zone in it changes nothing (MS-OData 2.2.5.1, SAP).
fn millis(text: &str) -> Option<Timestamp> {
    let inner = text.strip_prefix("/Date(").and_then(|text| text.strip_suffix(")/"));
    let number = match inner {
        None => text,
        Some(inner) => {
            let zone = inner.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-'));
            zone.map_or(Some(inner), |(at, _)| inner.get(..at))?
        }
    };
    Timestamp::from_millisecond(number.parse().ok()?).ok()
}

fn instant(text: &str, format: Option<&str>, zone: &TimeZone) -> Option<Timestamp> {
    match format {
        Some("unix") => return seconds(text),
        Some("unix_ms") => return millis(text),
        _ => {}
    }
    let read = |text: &str| match format {
        Some(format) => formatted(text, format, zone),
        None => iso(text, zone),
    };
    let instant = read(text)?;
    // A sixtieth second is taken for the one before it, and is another time.
    let is_leap = |(at, _): (usize, &str)| {
        let mut other = text.to_owned();
        other.replace_range(at..at + 2, "59");
        read(&other) == Some(instant)
    };
    (!text.match_indices("60").any(is_leap)).then_some(instant)
}

/// With an offset, a `Z` or a zone's name it is an instant; without, it is local.
fn iso(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if text.contains('[') {
        let named = NAMED.parse_zoned_datetime(text).ok()?;
        return has_year(named.date()).map(|_| named.timestamp());
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        if is_far_off(text) {
            return None;
        }
        return has_year(instant.to_zoned_datetime(TimeZone::UTC).date()).map(|_| instant);
    }
    match text.parse::<civil::Date>() {
        Ok(day) if text.len() == 10 => begin(day, zone),
        _ => local(text.parse().ok()?, zone),
    }
}

/// Whether it is a day or more from UTC, which no clock is (RFC 3339 section 5.6).
fn is_far_off(text: &str) -> bool {
    let time = text.get(10..).unwrap_or_default();
    let offset = time.rsplit_once(['+', '-']).and_then(|(_, offset)| offset.get(..2));
    offset.and_then(|hours| hours.parse().ok()).is_some_and(|hours: u8| hours > 23)
}

fn formatted(text: &str, format: &str, zone: &TimeZone) -> Option<Timestamp> {
    let time = as_written(format, text)?;
    if let Ok(instant) = time.to_timestamp() {
        return Some(instant);
    }
    match time.hour() {
        Some(_) => local(time.to_datetime().ok()?, zone),
        None => begin(time.to_date().ok()?, zone),
    }
}

/// A time of that zone. Of an hour that there is twice when clocks are set, it is the first; one that there is not is as clocks
/// say it that have not heard of it: which of them it is, nothing tells, and no row is lost for that (sources.md row 27).
fn local(time: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    has_year(time.date())?;
    zone.to_timestamp(time).ok()
}

/// When a day begins: not everywhere always at midnight.
fn begin(day: civil::Date, zone: &TimeZone) -> Option<Timestamp> {
    Some(has_year(day)?.to_zoned_datetime(zone.clone()).ok()?.timestamp())
}

/// A day of a year that there was.
fn has_year(day: civil::Date) -> Option<civil::Date> {
    (day.year() > 0).then_some(day)
}

/// What a text says under a format, if that would write it so: numbers that touch have all their digits, and a year has all
/// of its own and no sign.
fn as_written(format: &str, text: &str) -> Option<BrokenDownTime> {
    let time = BrokenDownTime::parse(format, text).ok()?;
    let Ok(again) = time.to_string(format) else { return Some(time) };
    let format = format.replace("%F", "%Y-%m-%d").replace("%D", "%m/%d/%y");
    let Numbers { touch, year } = numbers(&format);
    let is_written = if touch {
        again.eq_ignore_ascii_case(text)
    } else {
        match year {
            None => true,
            Some(Year::Run(at)) => runs(text).nth(at) == runs(&again).nth(at),
            Some(Year::Somewhere) => {
                let year = time.year().unwrap_or_default();
                runs(text).any(|(_, run)| run == format!("{year:04}"))
            }
        }
    };
    (is_written && time.year().is_none_or(|year| year > 0)).then_some(time)
}

/// The numbers that a format writes.
struct Numbers {
    /// Whether two of them touch.
    touch: bool,
    /// Where the year stands, if it is written.
    year: Option<Year>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Year {
    /// As this one of all runs of digits.
    Run(usize),
    /// Behind what may be any number of them.
    Somewhere,
}

fn numbers(format: &str) -> Numbers {
    let (mut touch, mut year, mut count, mut behind, mut vague) = (false, None, 0, false, false);
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            // A digit of the format's own is a run, or part of one.
            count += usize::from(c.is_ascii_digit() && !behind);
            behind = c.is_ascii_digit();
            continue;
        }
        let is_flag =
            |c: &char| c.is_ascii_digit() || matches!(c, '-' | '_' | '^' | '#' | '.' | ':');
        let Some(what) = rest.by_ref().find(|c| !is_flag(c)) else { break };
        // What part of a second there is, and how an offset is written, is the text's own matter.
        let is_open = matches!(what, 'f' | 'N' | 'z' | 'Z' | 'Q');
        let is_word = matches!(what, 'a' | 'A' | 'b' | 'B' | 'h' | 'p' | 'P' | 'n' | 't' | '%');
        let is_number = !is_open && !is_word;
        touch |= is_number && behind;
        if matches!(what, 'Y' | 'y') {
            year = year.or(Some(if vague { Year::Somewhere } else { Year::Run(count) }));
        }
        vague |= is_open;
        count += match what {
            'T' | 'X' => 3,
            'R' => 2,
            _ => usize::from(is_number),
        };
        behind = is_number;
    }
    Numbers { touch, year }
}

/// The runs of digits in a text, each with whether a sign that may be its own stands before it.
fn runs(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = text.get(from..)?;
        let at = from + rest.find(|c: char| c.is_ascii_digit())?;
        let run = text.get(at..)?;
        let run = run.get(..run.find(|c: char| !c.is_ascii_digit()).unwrap_or(run.len()))?;
        from = at + run.len();
        Some((text.get(..at).is_some_and(|before| before.ends_with('+')), run))
    })
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

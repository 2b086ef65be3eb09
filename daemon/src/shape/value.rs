//! One value to one type. Each is taken exactly or refused: nothing is rounded, guessed or cut.

use jiff::{Timestamp, civil, tz::TimeZone};
use marsad_shared::{feed::FieldType, record::RowBuilder};
use std::borrow::Cow;

use crate::decode::Raw;

/// Puts `raw` into the row's next column as `kind`; nothing becomes null.
///
/// # Errors
/// What the value should have been, to stand behind the field's name.
pub(super) fn put(
    kind: FieldType,
    raw: &Raw<'_>,
    format: Option<&str>,
    zone: &TimeZone,
    row: &mut RowBuilder<'_>,
) -> Result<(), &'static str> {
    let text = match (kind, *raw) {
        (_, Raw::Nothing) => {
            row.null();
            return Ok(());
        }
        (FieldType::Json, Raw::Text(text)) => {
            row.text(&serde_json::Value::from(text).to_string());
            return Ok(());
        }
        (FieldType::Boolean, Raw::Bool(yes)) => {
            row.integer(yes.into());
            return Ok(());
        }
        (FieldType::Text | FieldType::Json, Raw::Bool(yes)) => {
            row.text(if yes { "true" } else { "false" });
            return Ok(());
        }
        (FieldType::Json, Raw::Nested(text) | Raw::Number(text))
        | (FieldType::Text, Raw::Text(text) | Raw::Number(text)) => {
            row.text(text);
            return Ok(());
        }
        (_, Raw::Nested(_)) => {
            return Err(
                "holds an object or a list; name what is wanted of it in `from`, or type it \"json\"",
            );
        }
        (_, Raw::Bool(_)) => return Err(expected(kind)),
        (_, Raw::Text(text) | Raw::Number(text)) => digits_folded(text.trim()),
    };
    if text.is_empty() {
        row.null();
        return Ok(());
    }
    typed(kind, &text, format, zone, row).ok_or_else(|| expected(kind))
}

fn typed(
    kind: FieldType,
    text: &str,
    format: Option<&str>,
    zone: &TimeZone,
    row: &mut RowBuilder<'_>,
) -> Option<()> {
    match kind {
        FieldType::Integer => row.integer(text.strip_prefix('+').unwrap_or(text).parse().ok()?),
        FieldType::Decimal if is_decimal(text) => row.text(text),
        FieldType::Boolean => row.integer(boolean(text)?.into()),
        FieldType::Date => date(text, format, row)?,
        FieldType::Timestamp => timestamp(text, format, zone, row)?,
        FieldType::EmiratesId => row.text(&emirates_id(text)?),
        FieldType::Decimal | FieldType::Text | FieldType::Json => return None,
    }
    Some(())
}

const fn expected(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Integer => {
            "is not a whole number of 64 bits; mend the value, or type the field \"text\""
        }
        FieldType::Decimal => "is not a decimal number; mend the value, or type the field \"text\"",
        FieldType::Boolean => "is neither true nor false (true, false, 1, 0, yes, no, t, f, y, n)",
        FieldType::Date => "is not a date (YYYY-MM-DD, or as its `format` says)",
        FieldType::Timestamp => "is not a time (ISO 8601, or as its `format` says)",
        FieldType::EmiratesId => "is not an Emirates ID (15 digits, 784 first, check digit last)",
        FieldType::Text | FieldType::Json => "is not text",
    }
}

/// Arabic-Indic and Persian digits and separators as ASCII ones (sources.md 3.2); most text has none.
fn digits_folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let fold = |c: char| match c {
        '\u{660}'..='\u{669}' => char::from_digit(u32::from(c) - 0x660, 10).unwrap_or(c),
        '\u{6f0}'..='\u{6f9}' => char::from_digit(u32::from(c) - 0x6f0, 10).unwrap_or(c),
        '\u{66b}' => '.',
        _ => c,
    };
    text.chars().filter(|c| *c != '\u{66c}').map(fold).collect::<String>().into()
}

/// Digits with at most one point between them, a sign before and an exponent behind.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let whole = match mantissa.split_once('.') {
        Some((whole, part)) => all_digits(whole) && all_digits(part),
        None => all_digits(mantissa),
    };
    whole && exponent.is_none_or(|exponent| all_digits(&unsigned(exponent)))
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        // PostgreSQL writes a letter.
        "true" | "1" | "yes" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "f" | "n" => Some(false),
        _ => None,
    }
}

fn date(text: &str, format: Option<&str>, row: &mut RowBuilder<'_>) -> Option<()> {
    if format.is_none() && is_plain_date(text.as_bytes()) {
        row.text(text);
        return Some(());
    }
    let date = match format {
        Some(format) => civil::Date::strptime(format, text).ok()?,
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

fn timestamp(
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
    time.to_timestamp().ok().or_else(|| {
        let midnight = || Some(time.to_date().ok()?.at(0, 0, 0, 0));
        local(time.to_datetime().ok().or_else(midnight)?)
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

/// The 15 digits, if the prefix and the check digit (Luhn) are right.
pub(crate) fn emirates_id(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    if digits.len() != 15
        || !digits.starts_with("784")
        || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0') * if at % 2 == 1 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use marsad_shared::{
        feed::Field,
        record::{Batch, Layout, Value},
    };

    fn one(kind: FieldType, raw: Raw<'_>, format: Option<&str>) -> Result<String, &'static str> {
        let layout = Layout::new(vec![Field::new("f", kind)], &["f".to_owned()]).unwrap();
        let mut batch = Batch::new(&layout, 0);
        let mut row = batch.row();
        put(kind, &raw, format, &TimeZone::get("Asia/Dubai").unwrap(), &mut row)?;
        row.finish();
        Ok(match batch.at(0, 0) {
            Value::Null => "null".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => format!("{text:?}"),
        })
    }

    #[test]
    fn values_are_taken_exactly_or_refused() {
        use FieldType::{Boolean, Date, Decimal, EmiratesId, Integer, Json, Text, Timestamp};
        let good = |text: &str| Some(format!("{text:?}"));
        for (kind, raw, format, expected, why) in [
            (Text, Raw::Text(" as it came "), None, good(" as it came "), "text is not touched"),
            (Text, Raw::Number("1.10"), None, good("1.10"), "a number's own text"),
            (Text, Raw::Nested("{}"), None, None, "an object is no text"),
            (Integer, Raw::Text("٤٢"), None, Some("42".to_owned()), "Arabic-Indic digits"),
            (Integer, Raw::Number("1.0"), None, None, "not written as a whole number"),
            (Integer, Raw::Text("9223372036854775808"), None, None, "past 64 bits"),
            (Integer, Raw::Text(""), None, Some("null".to_owned()), "an empty cell is nothing"),
            (
                Decimal,
                Raw::Number("12345678901234567890.10"),
                None,
                good("12345678901234567890.10"),
                "exact",
            ),
            (Decimal, Raw::Text("-5"), None, good("-5"), "a plain negative"),
            (Decimal, Raw::Text("1,5"), None, None, "a decimal comma is not guessed"),
            (Decimal, Raw::Text("."), None, None, "no digit at all"),
            (Boolean, Raw::Bool(true), None, Some("1".to_owned()), "true"),
            (Boolean, Raw::Text("f"), None, Some("0".to_owned()), "as PostgreSQL writes it"),
            (Boolean, Raw::Text("Y"), None, Some("1".to_owned()), "a letter, of any size"),
            (Boolean, Raw::Text("maybe"), None, None, "neither"),
            (Date, Raw::Text("2026-02-29"), None, None, "not a leap year"),
            (Date, Raw::Text("2028-02-29"), None, good("2028-02-29"), "a leap year"),
            (Date, Raw::Text("5/3/2026"), None, None, "day and month are never guessed"),
            (
                Date,
                Raw::Text("5/3/2026"),
                Some("%d/%m/%Y"),
                good("2026-03-05"),
                "as the format says",
            ),
            (
                Timestamp,
                Raw::Text("2026-11-24T14:05:31Z"),
                None,
                good("2026-11-24T14:05:31Z"),
                "UTC",
            ),
            (
                Timestamp,
                Raw::Text("2026-11-24T18:05:31+04:00"),
                None,
                good("2026-11-24T14:05:31Z"),
                "offset",
            ),
            (
                Timestamp,
                Raw::Text("2026-11-24T18:05:31"),
                None,
                good("2026-11-24T14:05:31Z"),
                "local",
            ),
            (Timestamp, Raw::Text("2026-11-24T24:00:00Z"), None, None, "no such hour"),
            (
                Timestamp,
                Raw::Text("15/11/2026 13:20"),
                Some("%d/%m/%Y %H:%M"),
                good("2026-11-15T09:20:00Z"),
                "format",
            ),
            (
                Timestamp,
                Raw::Number("1763201000"),
                Some("%s"),
                good("2025-11-15T10:03:20Z"),
                "seconds",
            ),
            (EmiratesId, Raw::Text("784-0000-1234567-8"), None, None, "wrong check digit"),
            (EmiratesId, Raw::Text("000000000000000"), None, None, "a placeholder is no number"),
            (Json, Raw::Nested("[1, 2]"), None, good("[1, 2]"), "as written"),
        ] {
            assert_eq!(one(kind, raw, format).ok(), expected, "{why}");
        }
    }

    #[test]
    fn seconds_since_1970_are_instants_where_the_format_says_so() {
        for (text, format, expected) in [
            ("1763201000", "unix", Some("\"2025-11-15T10:03:20Z\"")),
            ("1763201000.25", "unix", Some("\"2025-11-15T10:03:20.25Z\"")),
            ("-0.5", "unix", Some("\"1969-12-31T23:59:59.5Z\"")),
            ("1763201000.", "unix", None),
            ("1763201000.0123456789", "unix", None),
            ("1763201000250", "unix_ms", Some("\"2025-11-15T10:03:20.25Z\"")),
            ("99999999999999999", "unix_ms", None),
            ("2025-11-15", "unix", None),
        ] {
            let found = one(FieldType::Timestamp, Raw::Text(text), Some(format)).ok();
            assert_eq!(found.as_deref(), expected, "{text} {format}");
        }
    }

    #[test]
    fn an_emirates_id_is_fifteen_digits_with_a_right_check_digit() {
        let good = (0..10)
            .filter_map(|last| emirates_id(&format!("78400001234567{last}")))
            .collect::<Vec<_>>();
        assert_eq!(good.len(), 1, "exactly one check digit is right");
    }
}

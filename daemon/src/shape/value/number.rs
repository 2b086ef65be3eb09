//! Numbers as partners write them: with a point or a comma before their fraction, and with signs between their thousands.
//!
//! Which sign it is that begins the fraction is said by the feed and never guessed. `٫` always is one, `٬` never.

use std::borrow::Cow;

use marsad_shared::feed::DecimalSign;

/// What stands between thousands where that is no sign of ours: `٬`.
const ARABIC_THOUSANDS: char = '\u{66c}';
const ARABIC_DECIMAL: char = '\u{66b}';

/// The number with a point before its fraction and nothing between its thousands; `None` where signs stand that mean
/// something else, or in other places than a number has them. What is no number in other ways stays as it is. Its digits
/// are ASCII.
pub(super) fn plain(text: &str, sign: DecimalSign) -> Option<Cow<'_, str>> {
    let special = |byte: u8| !byte.is_ascii() || matches!(byte, b',' | b' ');
    let comma = sign == DecimalSign::Comma;
    if !text.bytes().any(|byte| special(byte) || (comma && byte == b'.')) {
        return Some(text.into());
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, ""),
    };
    let begins = |c: char| c == ARABIC_DECIMAL || c == if comma { ',' } else { '.' };
    let mut parts = mantissa.split(begins);
    let (whole, fraction) = (parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let whole = ungrouped(whole, comma)?;
    Some(match fraction {
        Some(fraction) => format!("{whole}.{fraction}{exponent}").into(),
        None => format!("{whole}{exponent}").into(),
    })
}

/// The text with a point for `٫`.
pub(super) fn pointed(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() && text.contains(ARABIC_DECIMAL) {
        text.replace(ARABIC_DECIMAL, ".").into()
    } else {
        text.into()
    }
}

/// Digits without the signs between them, which must be one and the same and part groups of three. A first group that
/// begins with zero is no group of thousands: `0.500` is a half to whoever forgot that a comma was agreed.
fn ungrouped(whole: &str, comma: bool) -> Option<Cow<'_, str>> {
    let between = |c: char| {
        c == ARABIC_THOUSANDS
            || (comma && matches!(c, '.' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}'))
    };
    let Some(sign) = whole.chars().find(|c| between(*c)) else { return Some(whole.into()) };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.strip_prefix(['+', '-']).unwrap_or(whole).split(sign);
    let first = groups.next()?;
    let right = matches!(first.len(), 1..=3) && digits(first) && !first.starts_with('0');
    let thousands = groups.all(|group| group.len() == 3 && digits(group));
    (right && thousands).then(|| whole.chars().filter(|c| *c != sign).collect::<String>().into())
}

/// Digits with at most one point between them, a sign before and an exponent behind.
pub(super) fn is_decimal(text: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_signs_where_its_feed_says() {
        use DecimalSign::{Comma, Point};
        for (text, sign, expected, why) in [
            ("-1234.5e-3", Point, Some("-1234.5e-3"), "as it is stored"),
            ("1,234.5", Point, None, "a comma is not guessed"),
            ("1,5", Point, None, "nor here"),
            ("1 234", Point, None, "nor is a space"),
            ("1,5", Comma, Some("1.5"), "the decimal sign"),
            ("-1.234.567,89", Comma, Some("-1234567.89"), "points between thousands"),
            ("1 234 567,89", Comma, Some("1234567.89"), "spaces"),
            ("1\u{a0}234,5", Comma, Some("1234.5"), "spaces that do not break"),
            ("1\u{202f}234,5", Comma, Some("1234.5"), "narrow ones"),
            ("1.234", Comma, Some("1234"), "a thousand, as the feed says"),
            ("1.5", Comma, None, "no group of three"),
            ("1.2345", Comma, None, "nor of four"),
            ("1234.567", Comma, None, "four digits before"),
            ("0.500", Comma, None, "no thousands behind a zero"),
            ("1.234 567", Comma, None, "two signs"),
            ("1.234.", Comma, None, "nothing behind one"),
            (".234", Comma, None, "nothing before one"),
            ("1,5,6", Comma, None, "two fractions"),
            ("1,234.567", Comma, None, "thousands behind the comma"),
            ("1,5e3", Comma, Some("1.5e3"), "an exponent"),
            ("12\u{66b}5", Point, Some("12.5"), "the Arabic decimal sign"),
            ("12\u{66b}5", Comma, Some("12.5"), "everywhere"),
            ("1\u{66c}234\u{66b}5", Point, Some("1234.5"), "Arabic thousands"),
            ("1\u{66c}234\u{66b}5", Comma, Some("1234.5"), "everywhere"),
            ("1\u{66c}5", Point, None, "no group of three"),
            ("1.5\u{66b}5", Point, None, "two fractions"),
            ("1\u{60c}5", Comma, None, "a comma of a sentence"),
        ] {
            let read = plain(text, sign).filter(|text| is_decimal(text));
            assert_eq!(read.as_deref(), expected, "{why}: {text}");
        }
    }
}

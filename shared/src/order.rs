//! Which of two values of one column is the greater, as what they are: `9` before `10`, an instant before a later one.

use std::cmp::Ordering;

use jiff::Timestamp;

use crate::{feed::FieldType, hijri::HijriDate, period::Period};

/// How `a` stands to `b`, both as the bank stores a column of type `kind`. What is not of that type, as a column may
/// hold that had another one once, is compared as text.
pub fn of(kind: FieldType, a: &str, b: &str) -> Ordering {
    let order = match kind {
        FieldType::Integer | FieldType::Boolean => {
            a.parse::<i64>().ok().zip(b.parse::<i64>().ok()).map(|(a, b)| a.cmp(&b))
        }
        FieldType::Timestamp => {
            a.parse::<Timestamp>().ok().zip(b.parse::<Timestamp>().ok()).map(|(a, b)| a.cmp(&b))
        }
        FieldType::Decimal => Decimal::of(a).zip(Decimal::of(b)).map(|(a, b)| a.cmp(&b)),
        FieldType::Period => {
            let order = |text: &str| text.parse().ok().map(Period::order);
            order(a).zip(order(b)).map(|(a, b)| a.cmp(&b))
        }
        // Days as they are stored are in the order of their text.
        FieldType::Text
        | FieldType::Date
        | FieldType::HijriDate
        | FieldType::EmiratesId
        | FieldType::Phone
        | FieldType::Enum
        | FieldType::Json => None,
    };
    order.unwrap_or_else(|| a.cmp(b))
}

/// Which of two versions of one record is the greater: as [`of`] has it, and of text as the number or the instant that both
/// are, where they are: `9` before `10`, and `2026-01-01T00:00:00+04:00` before `2025-12-31T21:00:00Z`.
pub fn of_versions(kind: FieldType, a: &str, b: &str) -> Ordering {
    if kind != FieldType::Text {
        return of(kind, a, b);
    }
    let number = || Decimal::of(a).zip(Decimal::of(b)).map(|(a, b)| a.cmp(&b));
    let instant =
        || a.parse::<Timestamp>().ok().zip(b.parse::<Timestamp>().ok()).map(|(a, b)| a.cmp(&b));
    number().or_else(instant).unwrap_or_else(|| a.cmp(b))
}

/// What a person typed, as the bank would store it in a column of type `kind`; `None` if it is not of that type.
pub fn typed(kind: FieldType, text: &str) -> Option<String> {
    let text = text.trim();
    match kind {
        FieldType::Integer => text.parse::<i64>().ok().map(|number| number.to_string()),
        FieldType::Timestamp => text.parse::<Timestamp>().ok().map(|at| at.to_string()),
        FieldType::Date => text.parse::<jiff::civil::Date>().ok().map(|day| day.to_string()),
        FieldType::Decimal => Decimal::of(text).map(|_| text.to_owned()),
        FieldType::HijriDate => text.parse::<HijriDate>().ok().map(|day| day.to_string()),
        FieldType::Period => text.parse::<Period>().ok().map(|_| text.to_owned()),
        FieldType::Text | FieldType::EmiratesId | FieldType::Phone | FieldType::Enum => {
            (!text.is_empty()).then(|| text.to_owned())
        }
        FieldType::Boolean | FieldType::Json => None,
    }
}

/// A decimal number of any length, `0.<digits> * 10^scale`: exact, as a floating-point number is not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    scale: i64,
    /// Neither first nor last is a zero; empty: the number is zero.
    digits: String,
}

impl Decimal {
    /// The number that `text` is: digits with at most one point, a sign before and an exponent behind.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = format!("{whole}{part}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = all.trim_start_matches('0');
        let zeroes = i64::try_from(all.len() - digits.len()).ok()?;
        let point = i64::try_from(whole.len()).ok()?;
        let digits = digits.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, scale: 0, digits });
        }
        let scale = point.saturating_sub(zeroes).saturating_add(exponent);
        Some(Self { negative: mantissa.starts_with('-'), scale, digits })
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let signs = self.sign().cmp(&other.sign());
        // Digits behind the point: one that goes on is greater than one that ends, as text is.
        let sizes = self.scale.cmp(&other.scale).then_with(|| self.digits.cmp(&other.digits));
        signs.then(if self.negative { sizes.reverse() } else { sizes })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_that_are_text_are_compared_as_what_they_are() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, expected) in [
            ("9", "10", Less),
            ("007", "7.0", Equal),
            ("2026-01-01T00:00:00+04:00", "2025-12-31T21:00:00Z", Less),
            ("v9", "v10", Greater),
            ("9", "v1", Less),
        ] {
            assert_eq!(of_versions(FieldType::Text, a, b), expected, "{a} {b}");
        }
        assert_eq!(of_versions(FieldType::Date, "2026-01-02", "2026-01-01"), Greater);
    }

    #[test]
    fn values_are_compared_as_what_they_are() {
        use FieldType::{Date, Decimal, HijriDate, Integer, Period, Text, Timestamp};
        for (kind, less, greater, why) in [
            (Integer, "9", "10", "numbers"),
            (Integer, "-10", "-9", "below zero"),
            (Decimal, "9.5", "10", "numbers"),
            (Decimal, "0.1", "0.10000000000000000000001", "finer than a float"),
            (Decimal, "-1e3", "-999.9", "exponents, below zero"),
            (Decimal, "-0.001", "0", "around zero"),
            (Decimal, "0.0099", "1E-2", "small ones"),
            (Timestamp, "2026-11-24T10:00:05Z", "2026-11-24T10:00:05.5Z", "parts of a second"),
            (Timestamp, "2026-11-24T13:00:00+04:00", "2026-11-24T10:00:00Z", "instants"),
            (Date, "2026-09-30", "2026-10-01", "days"),
            (HijriDate, "1447-09-29", "1447-10-01", "days of another calendar"),
            (Period, "2025-W52", "2026-D001", "periods, by their first day"),
            (Period, "2026-M09", "2026-Q4", "whatever they are made of"),
            (Period, "2026", "2026-01", "the longer first"),
            (Text, "10", "9", "text"),
            (Integer, "10", "9x", "what is no number, as text"),
        ] {
            assert_eq!(of(kind, less, greater), Ordering::Less, "{why}");
            assert_eq!(of(kind, greater, less), Ordering::Greater, "{why}");
        }
        for (kind, a, b) in [
            (Decimal, "1.50", "+1.5"),
            (Decimal, "0", "-0.00"),
            (Decimal, "120", "1.2e2"),
            (Timestamp, "2026-11-24T10:00:00Z", "2026-11-24T10:00:00.000Z"),
            (Period, "2026-01", "2026-M01"),
        ] {
            assert_eq!(of(kind, a, b), Ordering::Equal, "{a} is {b}");
        }
    }

    #[test]
    fn what_is_typed_becomes_what_would_be_stored() {
        for (kind, text, expected) in [
            (FieldType::Timestamp, "2026-11-24T14:00:00+04:00", Some("2026-11-24T10:00:00Z")),
            (FieldType::Timestamp, "2026-11-24", None),
            (FieldType::Integer, " 0042 ", Some("42")),
            (FieldType::Integer, "4.2", None),
            (FieldType::Decimal, "4.20", Some("4.20")),
            (FieldType::Decimal, "four", None),
            (FieldType::Date, "2026-02-30", None),
            (FieldType::HijriDate, " 1447-09-01 ", Some("1447-09-01")),
            (FieldType::HijriDate, "1447-12-30", None),
            (FieldType::Period, "2026-Q1", Some("2026-Q1")),
            (FieldType::Period, "2026-Q5", None),
            (FieldType::Text, "", None),
        ] {
            assert_eq!(typed(kind, text).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn decimals_are_ordered_as_whole_numbers_of_their_last_digit(a: i32, b: i32, shift in 0_u32..6) {
            let written = |n: i32| {
                let (sign, n) = (if n < 0 { "-" } else { "" }, i64::from(n).unsigned_abs());
                let unit = 10_u64.pow(shift);
                format!("{sign}{}.{:0width$}", n / unit, n % unit, width = shift.max(1) as usize)
            };
            // With no digits behind the point one zero stands there.
            prop_assert_eq!(of(FieldType::Decimal, &written(a), &written(b)), a.cmp(&b));
        }
    }
}

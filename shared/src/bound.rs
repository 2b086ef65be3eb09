//! What the values of a column may be at least and at most, and how text must look.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil, tz::TimeZone};
use regex::{Regex, RegexBuilder};

use crate::{
    feed::FieldType,
    order::{self, Decimal},
    period::Period,
    record::Value,
};

/// Which end a bound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Min,
    Max,
}

/// The least or the greatest that values of one column may be; it is allowed itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound(Limit);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Limit {
    Integer(i64),
    Decimal(String),
    /// A day of either calendar, as it is stored.
    Day(FieldType, String),
    Instant(Timestamp),
    Period(Period),
}

impl Bound {
    /// Whether columns of that type can have bounds.
    pub const fn is_for(kind: FieldType) -> bool {
        matches!(
            kind,
            FieldType::Integer
                | FieldType::Decimal
                | FieldType::Date
                | FieldType::HijriDate
                | FieldType::Timestamp
                | FieldType::Period
        )
    }

    /// What `text` says for a column of that type, if it says anything. A timestamp may be bounded by a day, or by a time
    /// that names no zone: both are of `zone`.
    pub fn of(kind: FieldType, text: &str, zone: &TimeZone) -> Option<Self> {
        Some(Self(match kind {
            FieldType::Integer => Limit::Integer(text.parse().ok()?),
            FieldType::Decimal => Limit::Decimal(Decimal::of(text).map(|_| text.to_owned())?),
            FieldType::Date | FieldType::HijriDate => Limit::Day(kind, order::typed(kind, text)?),
            FieldType::Timestamp => Limit::Instant(instant(text, zone)?),
            FieldType::Period => Limit::Period(text.parse().ok()?),
            _ => return None,
        }))
    }

    /// Whether a stored value is on the right side of it. What is not of its type, and what is not there, is.
    pub fn allows(&self, end: End, value: Value<'_>) -> bool {
        let order = match (&self.0, value) {
            (Limit::Integer(bound), Value::Integer(number)) => number.cmp(bound),
            (Limit::Decimal(bound), Value::Text(text)) => {
                order::of(FieldType::Decimal, text, bound)
            }
            (Limit::Day(kind, bound), Value::Text(text)) => order::of(*kind, text, bound),
            (Limit::Instant(bound), Value::Text(text)) => match text.parse::<Timestamp>() {
                Ok(at) => at.cmp(bound),
                Err(_) => return true,
            },
            (Limit::Period(bound), Value::Text(text)) => match (text.parse::<Period>(), end) {
                // All of its days.
                (Ok(period), End::Min) => period.first.cmp(&bound.first),
                (Ok(period), End::Max) => period.last.cmp(&bound.last),
                (Err(_), _) => return true,
            },
            _ => return true,
        };
        if end == End::Min { order.is_ge() } else { order.is_le() }
    }

    /// Whether no value can be at least this and at most `max`.
    pub fn is_beyond(&self, max: &Self) -> bool {
        match (&self.0, &max.0) {
            (Limit::Integer(min), Limit::Integer(max)) => min > max,
            (Limit::Decimal(min), Limit::Decimal(max)) => {
                order::of(FieldType::Decimal, min, max).is_gt()
            }
            (Limit::Day(kind, min), Limit::Day(_, max)) => order::of(*kind, min, max).is_gt(),
            (Limit::Instant(min), Limit::Instant(max)) => min > max,
            (Limit::Period(min), Limit::Period(max)) => min.first > max.last,
            _ => false,
        }
    }
}

fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let local = |time: civil::DateTime| zone.to_timestamp(time).ok();
    text.parse().ok().or_else(|| local(text.parse().ok()?))
}

/// The most memory of a pattern that was made ready, in bytes: one that repeats without sense takes gigabytes.
const PATTERN_MAX: usize = 1024 * 1024;

/// What text must look like, from its first character to its last.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// Text that is no pattern, or one that takes too much memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoPattern(String);

impl Pattern {
    /// Whether all of `text` looks like it.
    pub fn fits(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl FromStr for Pattern {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, NoPattern> {
        // By itself first, so that no bracket of it can end the group that holds it to both ends.
        let ready = |text: &str| RegexBuilder::new(text).size_limit(PATTERN_MAX).build();
        let anchored = ready(text).and_then(|_| ready(&format!(r"\A(?:{text})\z")));
        anchored.map(Self).map_err(|error| {
            NoPattern(match error {
                regex::Error::CompiledTooBig(_) => "takes more than 1 MiB of memory".to_owned(),
                // Its last line says what is wrong, the others draw where.
                error => {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    format!("is no pattern ({})", last.trim_start_matches("error: "))
                }
            })
        })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Min { "min" } else { "max" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_compared_as_what_they_are_and_are_allowed_themselves() {
        use FieldType::{Date, Decimal, HijriDate, Integer, Period, Timestamp};
        for (kind, bound, value, min, max, why) in [
            (Integer, "10", "10", true, true, "itself"),
            (Integer, "10", "9", false, true, "numbers and no text"),
            (Decimal, "0.1", "0.10", true, true, "the same number"),
            (Decimal, "0.1", "0.0999999999999999999999", false, true, "finer than a float"),
            (Decimal, "-1", "-1.5", false, true, "below zero"),
            (Decimal, "1e3", "1000.01", true, false, "an exponent"),
            (Date, "2026-01-01", "2025-12-31", false, true, "days"),
            (HijriDate, "1447-09-01", "1447-10-01", true, false, "days of another calendar"),
            (Timestamp, "2026-01-01", "2025-12-31T19:59:59Z", false, true, "midnight in Dubai"),
            (Timestamp, "2026-01-01", "2025-12-31T20:00:00Z", true, true, "that very moment"),
            (
                Timestamp,
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:00:00.5Z",
                true,
                false,
                "with its zone",
            ),
            (Period, "2026", "2026-Q4", true, true, "within it"),
            (Period, "2026", "2025-Q4", false, true, "before it"),
            (Period, "2026-Q1", "2026", true, false, "it goes on behind it"),
            (Period, "2026-01-01", "2026-W01", false, false, "it goes beyond it both ways"),
        ] {
            let bound = Bound::of(kind, bound, &TimeZone::get("Asia/Dubai").unwrap()).unwrap();
            let value = match kind {
                Integer => Value::Integer(value.parse().unwrap()),
                _ => Value::Text(value),
            };
            assert_eq!(bound.allows(End::Min, value), min, "{why}: at least");
            assert_eq!(bound.allows(End::Max, value), max, "{why}: at most");
            assert!(bound.allows(End::Min, Value::Null), "nothing is within all bounds");
        }
    }

    #[test]
    fn what_is_not_of_the_type_is_no_bound() {
        for (kind, text) in [
            (FieldType::Integer, "1.5"),
            (FieldType::Decimal, "inf"),
            (FieldType::Date, "2026-02-30"),
            (FieldType::HijriDate, "1447-12-30"),
            (FieldType::Timestamp, "10:00"),
            (FieldType::Period, "2026-Q5"),
            (FieldType::Text, "a"),
        ] {
            assert_eq!(Bound::of(kind, text, &TimeZone::UTC), None, "{kind} {text}");
            assert_eq!(Bound::is_for(kind), kind != FieldType::Text);
        }
    }

    #[test]
    fn a_pattern_is_matched_from_end_to_end() {
        for (pattern, text, fits) in [
            ("[A-Z]{2}-\\d+", "AB-12", true),
            ("[A-Z]{2}-\\d+", "xAB-12", false),
            ("[A-Z]{2}-\\d+", "AB-12\n", false),
            ("a|b", "ab", false),
            ("a|b", "b", true),
            ("^a$", "a", true),
            ("\\p{Arabic}+", "مرحبا", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(pattern.parse::<Pattern>().unwrap().fits(text), fits, "{pattern} {text}");
        }
        for (pattern, why) in [
            ("a)|(b", "is no pattern (unopened group)"),
            ("(", "is no pattern (unclosed group)"),
            (
                "(?=a)",
                "is no pattern (look-around, including look-ahead and look-behind, is not supported)",
            ),
            ("(a{1000}){1000}", "takes more than 1 MiB of memory"),
        ] {
            let error = pattern.parse::<Pattern>().unwrap_err();
            assert_eq!(error.to_string(), why, "{pattern}");
        }
    }
}

//! A statistical time period, as SDMX writes it: a year, a part of one, or a day.
//!
//! A period is the days from its first to its last. It is kept as it was written, for two forms of the same days
//! (`2026-01` and `2026-M01`) are two codes of a partner's list.

use std::{cmp::Reverse, str::FromStr};

use jiff::{
    ToSpan,
    civil::{Date, ISOWeekDate, Weekday},
};

/// A time period: the days that it spans, both ends included. Years from 0001 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub first: Date,
    /// Of the last week of 9999 the last day that there is.
    pub last: Date,
}

/// Text that is no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a period (2026, 2026-A1, 2026-S1, 2026-T1, 2026-Q1, 2026-M01, 2026-01, 2026-W05, 2026-D032 or 2026-01-31)"
)]
pub struct NoPeriod;

impl Period {
    /// What periods are ordered by: the one that begins earlier is the lesser; of two that begin together the longer one,
    /// as a year stands before its parts.
    pub const fn order(self) -> (Date, Reverse<Date>) {
        (self.first, Reverse(self.last))
    }

    /// The months from `first` on, so many.
    fn months(year: i16, first: i8, many: i8) -> Option<Self> {
        let first = Date::new(year, first, 1).ok()?;
        let last = Date::new(year, first.month() + many - 1, 1).ok()?.last_of_month();
        Some(Self { first, last })
    }

    /// The part of a year of that number, from 1, where all of its kind have so many months.
    fn part(year: i16, number: i8, months: i8) -> Option<Self> {
        let first = number.checked_sub(1)?.checked_mul(months)?.checked_add(1)?;
        Self::months(year, first, months)
    }

    /// An ISO week; a year has 52 or 53.
    fn week(year: i16, number: i8) -> Option<Self> {
        let first = ISOWeekDate::new(year, number, Weekday::Monday).ok()?.date();
        Some(Self { first, last: first.saturating_add(6.days()) })
    }

    /// A day by its number, from 1 to 365 or 366.
    fn day(year: i16, number: i16) -> Option<Self> {
        let begin = Date::new(year, 1, 1).ok()?;
        let day = begin.checked_add((number - 1).days()).ok()?;
        (number >= 1 && day.year() == year).then_some(Self { first: day, last: day })
    }
}

impl FromStr for Period {
    type Err = NoPeriod;

    fn from_str(text: &str) -> Result<Self, NoPeriod> {
        of(text).ok_or(NoPeriod)
    }
}

fn of(text: &str) -> Option<Period> {
    let (year, rest) = text.split_at_checked(4)?;
    let year = number(year).filter(|year| *year > 0)?;
    if rest.is_empty() {
        return Period::months(year, 1, 12);
    }
    let rest = rest.strip_prefix('-')?;
    let (kind, behind) = rest.split_at_checked(1)?;
    let small = |digits: usize| {
        let number = number(behind).filter(|_| behind.len() == digits)?;
        i8::try_from(number).ok()
    };
    match kind {
        "A" => Period::part(year, small(1)?, 12),
        "S" => Period::part(year, small(1)?, 6),
        "T" => Period::part(year, small(1)?, 4),
        "Q" => Period::part(year, small(1)?, 3),
        "M" => Period::part(year, small(2)?, 1),
        "W" => Period::week(year, small(2)?),
        "D" if behind.len() == 3 => Period::day(year, number(behind)?),
        _ => of_date(year, rest),
    }
}

/// `01` or `01-31`, of a year.
fn of_date(year: i16, rest: &str) -> Option<Period> {
    let two = |text: &str| i8::try_from(number(text).filter(|_| text.len() == 2)?).ok();
    match rest.split_once('-') {
        None => Period::months(year, two(rest)?, 1),
        Some((month, day)) => {
            let day = Date::new(year, two(month)?, two(day)?).ok()?;
            Some(Period { first: day, last: day })
        }
    }
}

/// A number of digits and nothing else.
fn number(text: &str) -> Option<i16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_the_days_that_they_span() {
        for (text, first, last) in [
            ("2026", "2026-01-01", "2026-12-31"),
            ("2026-A1", "2026-01-01", "2026-12-31"),
            ("2026-S1", "2026-01-01", "2026-06-30"),
            ("2026-S2", "2026-07-01", "2026-12-31"),
            ("2026-T3", "2026-09-01", "2026-12-31"),
            ("2026-Q1", "2026-01-01", "2026-03-31"),
            ("2026-Q4", "2026-10-01", "2026-12-31"),
            ("2026-M02", "2026-02-01", "2026-02-28"),
            ("2028-02", "2028-02-01", "2028-02-29"),
            ("2026-W01", "2025-12-29", "2026-01-04"),
            ("2026-W53", "2026-12-28", "2027-01-03"),
            ("2026-D032", "2026-02-01", "2026-02-01"),
            ("2028-D366", "2028-12-31", "2028-12-31"),
            ("2026-01-31", "2026-01-31", "2026-01-31"),
            ("0001", "0001-01-01", "0001-12-31"),
            ("9999-W52", "9999-12-27", "9999-12-31"),
        ] {
            let period = text.parse::<Period>().map(|p| (p.first.to_string(), p.last.to_string()));
            assert_eq!(period, Ok((first.to_owned(), last.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_the_calendar_lacks_and_what_sdmx_does_not_write_is_no_period() {
        for (text, why) in [
            ("", "nothing"),
            ("26", "a year has four digits"),
            ("02026", "and no more"),
            ("0000", "there was no such year"),
            ("-001", "nor one before it"),
            ("+026", "a sign is no digit"),
            ("2026-", "half a period"),
            ("2026-A2", "one year a year"),
            ("2026-S3", "two halves a year"),
            ("2026-T4", "three thirds"),
            ("2026-Q0", "counted from 1"),
            ("2026-Q5", "four quarters"),
            ("2026-Q01", "one digit"),
            ("2026-q1", "a capital letter"),
            ("2026-M1", "two digits"),
            ("2026-M13", "twelve months"),
            ("2026-1", "two digits"),
            ("2026-13", "twelve months"),
            ("2026-W00", "counted from 1"),
            ("2025-W53", "2025 has 52 weeks"),
            ("2026-W5", "two digits"),
            ("2026-D366", "2026 is no leap year"),
            ("2026-D000", "counted from 1"),
            ("2026-D32", "three digits"),
            ("2026-02-29", "2026 is no leap year"),
            ("2026-01-31T00:00:00", "a day, and no hour of it"),
            ("2026-01-01/P1M", "a stretch of any length"),
            ("2026Q1", "no hyphen"),
            ("٢٠٢٦", "digits are folded before"),
            ("2026-٠١", "digits are folded before"),
            ("هـ١٤٤٧", "no year at all"),
        ] {
            assert_eq!(text.parse::<Period>(), Err(NoPeriod), "{text}: {why}");
        }
    }

    #[test]
    fn periods_come_in_the_order_of_their_first_days_and_the_longer_first() {
        let rising = [
            "2025-W52",
            "2026-W01",
            "2026",
            "2026-S1",
            "2026-Q1",
            "2026-01",
            "2026-D001",
            "2026-Q2",
            "2027",
        ];
        let orders: Vec<_> =
            rising.iter().map(|text| text.parse::<Period>().unwrap().order()).collect();
        assert!(orders.is_sorted_by(|one, other| one < other), "{rising:?}");
    }
}

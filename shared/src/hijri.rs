//! A day of the Umm al-Qura calendar, by which the Gulf dates its papers: `1447-09-01`.
//!
//! Its months follow published tables, not a formula: a day is taken from the tables or refused.

use std::{fmt, str::FromStr};

use icu_calendar::{Date, cal::Hijri};
use jiff::civil;

/// The years that the tables cover.
const YEARS: std::ops::RangeInclusive<i32> = 1300..=1600;

/// A day of the Umm al-Qura calendar, of a year from 1300 to 1600. Written `1447-09-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HijriDate {
    year: i32,
    month: u8,
    day: u8,
    gregorian: civil::Date,
}

/// Text that is no day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a Hijri date (YYYY-MM-DD of Umm al-Qura, or as its `format` says; years 1300 to 1600)"
)]
pub struct NoHijriDate;

/// A way of writing a Hijri day that does not say which day it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not say year, month and day once each")]
pub struct NoFormat;

impl HijriDate {
    /// That day, if the calendar has it.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        YEARS.contains(&year).then_some(())?;
        let calendar = Hijri::new_umm_al_qura();
        let same = Date::try_new_hijri_with_calendar(year, month, day, calendar).ok()?;
        let same = same.to_calendar(icu_calendar::Iso);
        let (y, m) = (same.year().extended_year(), same.month().ordinal);
        let (y, m) = (i16::try_from(y).ok()?, i8::try_from(m).ok()?);
        let d = i8::try_from(same.day_of_month().0).ok()?;
        Some(Self { year, month, day, gregorian: civil::Date::new(y, m, d).ok()? })
    }

    /// The day as `format` writes it.
    ///
    /// # Errors
    /// [`NoHijriDate`] if it is written in another way, or the calendar lacks it.
    pub fn parse(text: &str, format: &HijriFormat) -> Result<Self, NoHijriDate> {
        format.read(text).ok_or(NoHijriDate)
    }

    /// The same day of the Gregorian calendar.
    pub const fn gregorian(self) -> civil::Date {
        self.gregorian
    }
}

impl fmt::Display for HijriDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for HijriDate {
    type Err = NoHijriDate;

    /// As it is stored: four digits, two and two.
    fn from_str(text: &str) -> Result<Self, NoHijriDate> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else {
            return Err(NoHijriDate);
        };
        let number = |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(digits_only);
        let part = |digits: &[u8]| number(digits).and_then(|part| u8::try_from(part).ok());
        let (year, month, day) = (number(&[y1, y2, y3, y4]), part(&[m1, m2]), part(&[d1, d2]));
        let day = year.zip(month).zip(day).and_then(|((y, m), d)| Self::new(y, m, d));
        day.ok_or(NoHijriDate)
    }
}

/// How a Hijri day is written, with the letters that a date has: `%Y`, `%m`, `%d`, `%F`, and text between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HijriFormat(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// Four digits.
    Year,
    /// One digit or two.
    Month,
    /// One digit or two.
    Day,
    /// White space, of any length.
    Space,
    Letter(char),
}

impl HijriFormat {
    /// Text behind `%Y`, `%m` and `%d`, one digit or two for the latter.
    fn read(&self, text: &str) -> Option<HijriDate> {
        let (mut year, mut month, mut day, mut rest) = (None, None, None, text);
        for piece in &self.0 {
            rest = match piece {
                Piece::Year => {
                    let (digits, rest) = rest.split_at_checked(4)?;
                    year = Some(digits_only(digits)?);
                    rest
                }
                Piece::Month => number(rest, &mut month)?,
                Piece::Day => number(rest, &mut day)?,
                Piece::Space => rest.trim_start(),
                Piece::Letter(letter) => rest.strip_prefix(*letter)?,
            };
        }
        rest.is_empty().then_some(())?;
        HijriDate::new(year?, month?, day?)
    }
}

impl FromStr for HijriFormat {
    type Err = NoFormat;

    fn from_str(text: &str) -> Result<Self, NoFormat> {
        let (mut pieces, mut letters) = (Vec::new(), text.chars());
        while let Some(letter) = letters.next() {
            if letter.is_whitespace() {
                pieces.push(Piece::Space);
                continue;
            }
            if letter != '%' {
                pieces.push(Piece::Letter(letter));
                continue;
            }
            // `%-d` writes no leading zero, and one digit or two are read anyway.
            match letters
                .next()
                .and_then(|c| if matches!(c, '-' | '_' | '0') { letters.next() } else { Some(c) })
            {
                Some('Y') => pieces.push(Piece::Year),
                Some('m') => pieces.push(Piece::Month),
                Some('d' | 'e') => pieces.push(Piece::Day),
                Some('F') => pieces.extend([
                    Piece::Year,
                    Piece::Letter('-'),
                    Piece::Month,
                    Piece::Letter('-'),
                    Piece::Day,
                ]),
                Some('%') => pieces.push(Piece::Letter('%')),
                _ => return Err(NoFormat),
            }
        }
        let once = |piece| pieces.iter().filter(|other| **other == piece).count() == 1;
        let whole = once(Piece::Year) && once(Piece::Month) && once(Piece::Day);
        if whole { Ok(Self(pieces)) } else { Err(NoFormat) }
    }
}

/// Takes one digit or two off the front.
fn number<'t>(text: &'t str, into: &mut Option<u8>) -> Option<&'t str> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    *into = Some(digits.parse().ok()?);
    Some(rest)
}

fn digits_only(text: &str) -> Option<i32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_umm_al_qura() {
        for (hijri, gregorian) in [
            ("1447-09-01", "2026-02-18"),
            ("1447-10-01", "2026-03-20"),
            ("1448-01-01", "2026-06-16"),
            ("1300-01-01", "1882-11-12"),
            ("1600-12-29", "2174-11-24"),
        ] {
            let day: HijriDate = hijri.parse().unwrap();
            assert_eq!(
                (day.to_string(), day.gregorian().to_string()),
                (hijri.to_owned(), gregorian.to_owned())
            );
        }
    }

    #[test]
    fn what_the_calendar_lacks_is_refused() {
        for (text, why) in [
            ("1447-12-30", "it had 29 days"),
            ("1447-13-01", "twelve months"),
            ("1447-00-01", "counted from 1"),
            ("1447-01-00", "counted from 1"),
            ("1447-01-31", "none has 31"),
            ("1299-12-01", "before the tables"),
            ("1601-01-01", "behind them"),
            ("2026-02-18", "a Gregorian day"),
            ("1447-9-1", "two digits each"),
            ("1447/09/01", "no format says so"),
            ("+447-09-01", "a sign is no digit"),
            ("", "nothing"),
        ] {
            assert_eq!(text.parse::<HijriDate>(), Err(NoHijriDate), "{text}: {why}");
        }
    }

    #[test]
    fn days_are_read_as_their_format_says() {
        for (format, text, expected) in [
            ("%d/%m/%Y", "01/09/1447", Some("1447-09-01")),
            ("%d/%m/%Y", "1/9/1447", Some("1447-09-01")),
            ("%-d/%-m/%Y", "1/9/1447", Some("1447-09-01")),
            ("%Y/%m/%d هـ", "1447/09/01 هـ", Some("1447-09-01")),
            ("%Y/%m/%d هـ", "1447/09/01هـ", Some("1447-09-01")),
            ("%F", "1447-02-30", None),
            ("%F", "1447-02-29", Some("1447-02-29")),
            ("%Y%m%d", "14470901", Some("1447-09-01")),
            ("%d/%m/%Y", "1447/09/01", None),
            ("%d/%m/%Y", "01/09/1447 ", None),
            ("%d/%m/%Y", "01/09/47", None),
            ("%d/%m/%Y", "٠١/09/1447", None),
        ] {
            let format: HijriFormat = format.parse().unwrap();
            let read = HijriDate::parse(text, &format).ok().map(|day| day.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
        for format in ["%d/%m", "%Y", "", "%Y-%m-%d %d", "%y/%m/%d", "%d %B %Y", "%Y-%m-%"] {
            assert_eq!(format.parse::<HijriFormat>(), Err(NoFormat), "{format}");
        }
    }
}

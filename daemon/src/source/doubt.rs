//! Which value of a field is believed as a cursor. One row must not end a feed: behind 9223372036854775807 nothing newer ever
//! comes, and every later run would be empty and green.
//!
//! The rule, here and nowhere else. A time is believed up to the partner's present, and so is a text that is written as one:
//! of times to come none moves a cursor, or what is written late and dated now would lie behind it. Any other value is believed if the next lower one of the walk, or the cursor itself, comes near
//! it: a number if it is at most a tenth and a million greater, a text if it begins with the same character. What is not
//! believed is in the bank like any other, is noted, and comes again with the next run, until others come near it.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use marsad_shared::record::Batch;
use serde::{Deserialize, Serialize};

use super::cursor::CursorRule;

/// So many of the greatest values of a walk are remembered: as many may be wrong at once.
const GREATEST: usize = 16;
/// A clock may be set wrong, and a zone be mistaken, by no more than this.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// By what share, and by how much besides, a number may be greater than the next one.
const SHARE: f64 = 0.1;
const LEAP: f64 = 1_000_000.0;

/// The greatest values of a walk so far, each once, the greatest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Greatest(Vec<String>);

/// What is believed of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belief {
    /// The greatest value that is believed.
    pub best: Option<String>,
    /// The greatest that is not.
    pub doubted: Option<String>,
}

impl Greatest {
    /// Takes in the values of a page of a walk that began at `now`.
    pub fn take(&mut self, rule: &CursorRule, batch: &Batch, now: Timestamp) {
        let Some(present) = rule.present(now) else {
            return self.insert(rule, rule.greatest(batch, GREATEST, None));
        };
        self.insert(rule, rule.greatest(batch, 1, None));
        if self.0.first().is_some_and(|first| rule.compare(first, &present).is_gt()) {
            self.insert(rule, rule.greatest(batch, 1, Some(&present)));
        }
        // Of times no more are needed than the greatest of all, and the greatest that is not to come.
        let mut first = true;
        self.0.retain(|value| std::mem::take(&mut first) || rule.compare(value, &present).is_le());
        self.0.truncate(2);
    }

    fn insert(&mut self, rule: &CursorRule, values: Vec<String>) {
        for value in values {
            let at = self.0.partition_point(|other| rule.compare(other, &value).is_gt());
            if self.0.get(at).is_none_or(|other| rule.compare(other, &value).is_ne()) {
                self.0.insert(at, value);
            }
        }
        self.0.truncate(GREATEST);
    }

    /// What is believed of a walk that began at the cursor `since`, at `now`.
    pub fn believed(&self, rule: &CursorRule, since: Option<&str>, now: Timestamp) -> Belief {
        let ahead = now.checked_add(AHEAD).unwrap_or(now);
        if rule.is_time() {
            let best = self.0.iter().find(|value| !rule.is_after(value, now)).cloned();
            let doubted = self.0.first().filter(|first| rule.is_after(first, ahead)).cloned();
            return Belief { best, doubted };
        }
        let is_believed = |at: usize, value: &str| {
            let next = self.0.get(at + 1).map(String::as_str);
            match time(value) {
                Some(time) => time <= ahead,
                None => {
                    since.is_some_and(|since| rule.compare(value, since).is_le())
                        || [next, since].into_iter().flatten().any(|below| is_near(value, below))
                        || next.is_none() && since.is_none() && is_near(value, "0")
                }
            }
        };
        let believed = self.0.iter().enumerate().find(|(at, value)| is_believed(*at, value));
        let doubted = self.0.first().filter(|_| believed.is_none_or(|(at, _)| at > 0));
        Belief { best: believed.map(|(_, value)| value.clone()), doubted: doubted.cloned() }
    }
}

fn is_near(value: &str, below: &str) -> bool {
    match (number(value), number(below)) {
        (Some(value), Some(below)) => value <= below + below.abs() * SHARE + LEAP,
        (None, None) => value.chars().next() == below.chars().next(),
        _ => false,
    }
}

/// Digits with a sign and a point; not the words that also stand for numbers.
fn number(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|_| digits)
}

/// Text that is written as a time. Digits alone may be anything.
fn time(text: &str) -> Option<Timestamp> {
    let civil = || {
        let at =
            text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from)).ok()?;
        TimeZone::UTC.to_timestamp(at).ok()
    };
    if text.get(1..)?.contains('-') { text.parse().ok().or_else(civil) } else { None }
}

#[cfg(test)]
mod tests {
    use marsad_shared::{
        feed::{Field, FieldType},
        record::Layout,
        request::{By, Incremental, Missing, TimeFormat, Writing},
    };

    use super::*;

    const NOON: &str = "2026-11-24T12:00:00Z";

    fn rule(kind: FieldType, time: TimeFormat) -> (CursorRule, Layout) {
        let incremental = Incremental {
            by: By::Field("at".to_owned()),
            join: None,
            param: None,
            writing: Writing { template: None, time, zone: TimeZone::UTC },
            start: None,
            lookback: std::time::Duration::ZERO,
            window: None,
            bound: marsad_shared::request::Bound::Inclusive,
            split: None,
            missing: Missing::Include,
        };
        let layout = Layout::new(vec![Field::new("at", kind)], &["at".to_owned()]).unwrap();
        (CursorRule::of(&incremental, &layout).unwrap(), layout)
    }

    /// A page a slice.
    fn greatest(rule: &CursorRule, layout: &Layout, pages: &[&[&str]], number: bool) -> Greatest {
        let mut greatest = Greatest::default();
        for page in pages {
            let mut batch = Batch::new(layout, 7);
            for value in *page {
                let mut row = batch.row();
                if number {
                    row.integer(value.parse().unwrap());
                } else {
                    row.text(value);
                }
                row.finish();
            }
            greatest.take(rule, &batch, NOON.parse().unwrap());
        }
        greatest
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn one_row_does_not_end_a_feed() {
        use FieldType::{Decimal, Integer, Text};
        let huge = "9223372036854775807";
        let nines = "9".repeat(400);
        for (kind, values, since, best, doubted, why) in [
            (Integer, &["1", "2", "3"][..], None, Some("3"), None, "a counter that begins"),
            (Integer, &["1", huge, "3"], None, Some("3"), Some(huge), "one beyond all others"),
            (
                Integer,
                &["8", huge, huge],
                Some("7"),
                Some("8"),
                Some(huge),
                "twice the same is one",
            ),
            (Integer, &[huge], Some("7"), None, Some(huge), "alone, behind a cursor"),
            (Integer, &[huge], None, None, Some(huge), "alone"),
            (
                Integer,
                &["5000000"],
                None,
                None,
                Some("5000000"),
                "alone, and so perhaps right: it comes again",
            ),
            (Integer, &["900000"], Some("7"), Some("900000"), None, "a leap that sequences make"),
            (
                Integer,
                &["5000000", "5000001"],
                Some("7"),
                Some("5000001"),
                None,
                "two bear each other out",
            ),
            (
                Integer,
                &["7000000000000000001"],
                Some("7000000000000000000"),
                Some("7000000000000000001"),
                None,
                "identifiers made of times",
            ),
            (Integer, &["5"], Some("9"), Some("5"), None, "behind the cursor: it moves nothing"),
            (Integer, &["-5", "-3"], None, Some("-3"), None, "below nothing"),
            (
                Integer,
                &["99999999", huge, "4"],
                None,
                Some("4"),
                Some(huge),
                "two of them, far apart",
            ),
            (Decimal, &["1.5", "1e300"], None, Some("1.5"), Some("1e300"), "an exponent"),
            (Decimal, &["1.5", &nines], None, Some("1.5"), Some(&nines), "longer than any number"),
            (
                Text,
                &["0000000012", "9999999999"],
                None,
                Some("0000000012"),
                Some("9999999999"),
                "digits are a number",
            ),
            (Text, &["01HX2", "01HX9"], None, Some("01HX9"), None, "words that grow"),
            (
                Text,
                &["01HX1", "01HX2", "zzzz"],
                None,
                Some("01HX2"),
                Some("zzzz"),
                "a word from elsewhere",
            ),
            (Text, &["B1"], Some("A9"), None, Some("B1"), "the first of a new letter"),
            (Text, &["B1", "B2"], Some("A9"), Some("B2"), None, "until a second one comes"),
            (
                Text,
                &["2026-11-20", "2099-01-01"],
                None,
                Some("2026-11-20"),
                Some("2099-01-01"),
                "a day to come",
            ),
            (
                Text,
                &["2026-11-20T10:00:00"],
                None,
                Some("2026-11-20T10:00:00"),
                None,
                "a time that was",
            ),
            (
                Text,
                &["2026-11-20", "9999999999"],
                None,
                Some("2026-11-20"),
                Some("9999999999"),
                "no time",
            ),
        ] {
            let (rule, layout) = rule(kind, TimeFormat::Rfc3339);
            let pages: Vec<_> = values.chunks(2).collect();
            let greatest = greatest(&rule, &layout, &pages, kind == Integer);
            let belief = greatest.believed(&rule, since, NOON.parse().unwrap());
            let found = (belief.best.as_deref(), belief.doubted.as_deref());
            assert_eq!(found, (best, doubted), "{why}");
        }
    }

    #[test]
    fn times_end_at_the_present_however_they_are_written() {
        let noon: Timestamp = NOON.parse().unwrap();
        for (kind, time, values, cursor, doubted) in [
            (
                FieldType::Integer,
                TimeFormat::UnixSeconds,
                ["1795521600", "4070908800"],
                "1795521600",
                true,
            ),
            (
                FieldType::Integer,
                TimeFormat::UnixMillis,
                ["1795521600000", "1795521600001"],
                "1795521600000",
                false,
            ),
            (
                FieldType::Date,
                TimeFormat::Rfc3339,
                ["2026-11-01", "2099-01-01"],
                "2026-11-01",
                true,
            ),
            (
                FieldType::Timestamp,
                TimeFormat::Rfc3339,
                ["2026-11-24T12:00:05Z", "2026-11-01T00:00:00Z"],
                "2026-11-01T00:00:00Z",
                false,
            ),
        ] {
            let (rule, layout) = rule(kind, time);
            let number = kind == FieldType::Integer;
            let greatest = greatest(&rule, &layout, &[&values], number);
            let belief = greatest.believed(&rule, None, noon);
            assert_eq!(belief.doubted.is_some(), doubted, "{values:?}");
            assert_eq!(rule.moved(None, belief.best, noon).as_deref(), Some(cursor), "{values:?}");
        }
        let (rule, layout) = rule(FieldType::Date, TimeFormat::Rfc3339);
        let pages: &[&[&str]] = &[
            &["2099-01-01", "2026-11-02", "2098-01-01"],
            &["2027-01-01", "2026-11-03", "2026-11-01"],
            &["2097-01-01"],
        ];
        let greatest = greatest(&rule, &layout, pages, false);
        assert_eq!(greatest.0, ["2099-01-01", "2026-11-03"], "however many are to come");
        let belief = greatest.believed(&rule, None, noon);
        assert_eq!(belief.best.as_deref(), Some("2026-11-03"));
        let none = self::greatest(&rule, &layout, &[&["2099-01-01"]], false);
        assert_eq!(none.believed(&rule, Some("2026-11-01"), noon).best, None, "nothing moves it");
    }

    #[test]
    fn no_more_is_remembered_than_can_be_wrong_at_once() {
        let (rule, layout) = rule(FieldType::Integer, TimeFormat::Rfc3339);
        let all: Vec<String> = (0..100).map(|number| (number * 7 % 100).to_string()).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let pages: Vec<_> = all.chunks(9).collect();
        let wanted: Vec<String> = (84..100).rev().map(|number| number.to_string()).collect();
        assert_eq!(greatest(&rule, &layout, &pages, true).0, wanted);
    }
}

//! Times of day in a zone, by a cron expression.
//!
//! The expression is matched against the zone's civil time, as if that were UTC, and what is found is
//! carried back by our own rules: a local time that does not exist moves forward, a doubled one means the first.
//! So the zones come from one database, the one that the rest of Marsad uses.

use std::fmt;

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions};
use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::untrusted::show_at_most;

/// The matcher looks four years ahead at a time; 40 years hold every 29 February that is a Monday.
const LOOKS: u32 = 10;

/// A doubled day has so many minutes to get past, at most.
const MINUTES_OF_A_DAY: u32 = 24 * 60;

/// A checked cron expression with its zone.
#[derive(Clone)]
pub struct Cron {
    expression: String,
    zone: TimeZone,
    times: Crontab,
    /// For the last week of December alone, where `times` misses `L`; `None` if it has no `L`.
    december: Option<Crontab>,
}

/// Why a schedule cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error(
        "\"{}\" has {found} fields; give five: minute, hour, day of month, month, day of week",
        show_at_most(expression, 80)
    )]
    Fields { expression: String, found: usize },
    #[error("\"{}\": {}", show_at_most(expression, 80), show_at_most(problem, 200))]
    Unreadable { expression: String, problem: String },
    #[error("\"{}\" never comes", show_at_most(expression, 80))]
    Never { expression: String },
    #[error("\"{}\" is no time zone; give an IANA name such as Asia/Dubai", show_at_most(zone, 80))]
    UnknownZone { zone: String },
}

impl Cron {
    pub(super) fn new(expression: &str, zone: TimeZone) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(ScheduleError::Fields {
                expression: expression.to_owned(),
                found: fields.len(),
            });
        };
        let times = read(expression)?;
        let days = each_of(day, |day| if day == "L" { "31" } else { day });
        let weekdays = each_of(weekday, |day| day.strip_suffix('L').unwrap_or(day));
        let december = if days == day && weekdays == weekday {
            None
        } else {
            Some(read(&format!("{minute} {hour} {days} {month} {weekdays}"))?)
        };
        let cron = Self { expression: fields.join(" "), zone, times, december };
        // From a century's end on, when a 29 February takes longest to come.
        match cron.next_civil(date(2096, 3, 1).at(0, 0, 0, 0)) {
            Some(_) => Ok(cron),
            None => Err(ScheduleError::Never { expression: expression.to_owned() }),
        }
    }

    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The zone whose time of day it speaks of.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first match after `now`; the end of time if there is none before it.
    pub(super) fn next_after(&self, now: Timestamp) -> Timestamp {
        let mut civil = self.zone.to_datetime(now);
        for _ in 0..MINUTES_OF_A_DAY {
            let Some(next) = self.next_civil(civil) else { break };
            match self.zone.to_ambiguous_timestamp(next).compatible() {
                Ok(found) if found > now => return found,
                Ok(_) => civil = next, // the first of two, and we are in the second
                Err(_) => break,
            }
        }
        Timestamp::MAX
    }

    fn next_civil(&self, after: DateTime) -> Option<DateTime> {
        let regular = next_match(&self.times, after);
        let late = self
            .december
            .as_ref()
            .and_then(|times| next_in_last_week_of_december(times, after, regular));
        [regular, late].into_iter().flatten().min()
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({:?}, {})", self.expression, self.zone.iana_name().unwrap_or("?"))
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.zone == other.zone
    }
}

impl Eq for Cron {}

fn read(expression: &str) -> Result<Crontab, ScheduleError> {
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    cronexpr::parse_crontab_with(expression, options).map_err(|error| {
        // Its last line is a caret under the mistake and then what is wrong; the rest repeats the expression.
        let said = error.to_string();
        let problem =
            said.lines().last().unwrap_or_default().trim_start_matches([' ', '^']).to_owned();
        ScheduleError::Unreadable { expression: expression.to_owned(), problem }
    })
}

fn each_of(list: &str, change: impl Fn(&str) -> &str) -> String {
    list.split(',').map(change).collect::<Vec<_>>().join(",")
}

/// The first match after a civil time, which is passed to the matcher and back as seconds of UTC.
fn next_match(times: &Crontab, after: DateTime) -> Option<DateTime> {
    let mut from = after;
    for _ in 0..LOOKS {
        // The matcher adds years without a check, and would panic at the end of time.
        let until = from.checked_add(4.years()).ok().filter(|until| until.year() < 9990)?;
        let second = TimeZone::UTC.to_ambiguous_timestamp(from).compatible().ok()?.as_second();
        if let Ok(found) = times.find_next(MakeTimestamp::from_second(second).ok()?) {
            let found = Timestamp::from_second(found.timestamp().as_second()).ok()?;
            return Some(TimeZone::UTC.to_datetime(found));
        }
        from = until;
    }
    None
}

/// cronexpr 1.7 takes a day for the last of its month if the month of the day after (or of the week after, for a
/// weekday) has a higher number, which December's has not. In that week the last day is simply the 31st, and a
/// last weekday any such weekday, so other `times` say it without `L`.
fn next_in_last_week_of_december(
    times: &Crontab,
    after: DateTime,
    regular: Option<DateTime>,
) -> Option<DateTime> {
    (0..40).find_map(|years| {
        let year = after.year().checked_add(years)?;
        let week = DateTime::new(year, 12, 24, 23, 59, 0, 0).ok()?;
        let end = DateTime::new(year, 12, 31, 23, 59, 0, 0).ok()?;
        if regular.is_some_and(|regular| regular <= week) {
            return None;
        }
        next_match(times, after.max(week)).filter(|found| *found <= end)
    })
}

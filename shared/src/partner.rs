//! A partner: an agency that we exchange data with.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::id::PartnerId;

/// What people call a thing, in the languages of the house. Arabic may be missing; then English stands for both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub en: String,
    pub ar: Option<String>,
}

/// What we and a partner have agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The reference under which both sides file it.
    pub reference: String,
    /// Its last day.
    pub valid_until: Option<Date>,
    /// The fields that it covers, as they are written: `feed.column`, `feed.*` or `column`; `None`: everything.
    #[serde(default)]
    pub fields: Option<Vec<String>>,
}

/// Which columns of one feed its partner's agreement covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cover {
    /// All of them, whatever comes.
    #[default]
    All,
    /// These, by their names, and no other.
    Only(BTreeSet<String>),
}

impl Cover {
    /// Whether a column of that name may be kept. Names are compared as they are written.
    pub fn has(&self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(columns) => columns.contains(column),
        }
    }
}

/// An agency, as its file in `partners.d` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    pub id: PartnerId,
    pub name: Name,
    pub agreement: Option<Agreement>,
    /// A text file for whoever is called in the night.
    pub runbook: Option<std::path::PathBuf>,
    /// How often we may call, over all connections and feeds.
    #[serde(default)]
    pub budget: Option<Budget>,
}

/// How many calls a partner grants in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    pub calls: NonZeroU32,
    /// A minute or more.
    pub per: Duration,
    /// Where a day begins.
    #[serde(with = "jiff::fmt::serde::tz::required")]
    pub zone: TimeZone,
}

/// One period of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub since: Timestamp,
    /// When the next begins.
    pub renews: Timestamp,
}

/// A day, as a budget writes it.
const DAY: Duration = Duration::from_hours(24);

impl Budget {
    /// The period that `now` is in. A day is a day of [`Self::zone`], from midnight on; anything else is counted from 1970
    /// on, so that an hour is an hour of the clock.
    pub fn period(&self, now: Timestamp) -> Period {
        self.day(now).filter(|_| self.per == DAY).unwrap_or_else(|| self.span(now))
    }

    fn day(&self, now: Timestamp) -> Option<Period> {
        let day = now.to_zoned_datetime(self.zone.clone()).start_of_day().ok()?;
        let next = day.tomorrow().and_then(|next| next.start_of_day()).ok()?;
        Some(Period { since: day.timestamp(), renews: next.timestamp() })
    }

    fn span(&self, now: Timestamp) -> Period {
        let per = i64::try_from(self.per.as_secs()).unwrap_or(i64::MAX).max(1);
        let since = now.as_second() - now.as_second().rem_euclid(per);
        // Beyond the ends of time nothing renews.
        let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        Period { since: at(since), renews: at(since.saturating_add(per)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_where_we_are_and_an_hour_on_the_hour() {
        for (per, zone, now, since, renews, why) in [
            (
                24,
                "Asia/Dubai",
                "2026-11-24T19:59:59Z",
                "2026-11-23T20:00:00Z",
                "2026-11-24T20:00:00Z",
                "before midnight",
            ),
            (
                24,
                "Asia/Dubai",
                "2026-11-24T20:00:00Z",
                "2026-11-24T20:00:00Z",
                "2026-11-25T20:00:00Z",
                "at midnight",
            ),
            (
                24,
                "Europe/Berlin",
                "2026-10-25T12:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
                "a day of 25 hours",
            ),
            (
                1,
                "Asia/Dubai",
                "2026-11-24T19:59:59Z",
                "2026-11-24T19:00:00Z",
                "2026-11-24T20:00:00Z",
                "an hour",
            ),
            (
                1,
                "Asia/Dubai",
                "1969-12-31T23:30:00Z",
                "1969-12-31T23:00:00Z",
                "1970-01-01T00:00:00Z",
                "before 1970",
            ),
        ] {
            let budget = Budget {
                calls: NonZeroU32::MIN,
                per: Duration::from_hours(per),
                zone: TimeZone::get(zone).unwrap(),
            };
            let expected =
                Period { since: since.parse().unwrap(), renews: renews.parse().unwrap() };
            assert_eq!(budget.period(now.parse().unwrap()), expected, "{why}");
            let text = serde_json::to_string(&budget).unwrap();
            assert_eq!(serde_json::from_str::<Budget>(&text).unwrap(), budget);
        }
        let budget = Budget { calls: NonZeroU32::MIN, per: DAY, zone: TimeZone::UTC };
        assert!(budget.period(Timestamp::MAX).renews >= budget.period(Timestamp::MAX).since);
    }
}

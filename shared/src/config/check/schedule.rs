//! When a feed is read.

use std::time::Duration;

use super::{Scope, span};
use crate::{
    config::{
        raw::RawSchedule,
        source::{Report, quoted},
        table::{At, Given},
    },
    schedule::{Schedule, ScheduleError},
};

/// How often a feed is asked for where nothing else is said.
pub(super) const EVERY: Duration = Duration::from_mins(15);

/// Checks `schedule`.
pub(super) fn schedule(
    block: &At<RawSchedule>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Schedule> {
    let raw = &block.value;
    if raw.every.is_absent() == raw.cron.is_absent() {
        let remedy = "write { every = \"15m\" } or { cron = \"0 6 * * *\" }";
        report.missing(&block.place, "must have exactly one of every and cron", remedy);
        return None;
    }
    if raw.cron.is_absent() {
        raw.zone.refuse(report, "means nothing without cron");
        let every = span(&raw.every, EVERY, report)?;
        if every < Duration::from_secs(1) {
            report.wrong(
                &raw.every.here()?.place,
                "is shorter than a second",
                "write at least \"1s\"",
            );
            return None;
        }
        return Some(Schedule::Every { every });
    }
    let at = raw.cron.here()?;
    let zone = match &raw.zone {
        Given::Wrong => return None,
        Given::Absent => scope.timezone.iana_name().unwrap_or("UTC"),
        Given::Here(at) => at.value.1.as_str(),
    };
    match Schedule::cron(&at.value, zone) {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            let five = "give five fields: minute, hour, day of month, month, day of week";
            let (problem, remedy) = match &error {
                ScheduleError::Fields { expression, found } => {
                    (format!("{} has {found} fields", quoted(expression)), five)
                }
                ScheduleError::Never { .. } => (error.to_string(), "name a day that there is"),
                ScheduleError::Unreadable { .. } => (error.to_string().replace("; ", ", "), five),
                ScheduleError::UnknownZone { zone } => {
                    (format!("{} is not a time zone", quoted(zone)), "give an IANA name")
                }
            };
            report.wrong(&at.place, problem, remedy);
            None
        }
    }
}

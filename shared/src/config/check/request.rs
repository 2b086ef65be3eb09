//! How a feed is asked for over HTTP: records, pages, changes, times.

use std::time::Duration;

use serde_json_path::JsonPath;

use super::{Scope, feed::is_a_field, span};
use crate::{
    config::{
        raw::{RawFeed, RawIncremental, RawPagination, RawSchedule},
        source::{Place, Report, quoted},
        table::{At, Given},
        value::{PagingKind, Span},
    },
    feed::{Field, FieldType, Format, Incremental, PageSize, Pagination, RecordsPath, Request},
    schedule::{Schedule, ScheduleError},
};

/// How often a feed is asked for where nothing else is said.
const EVERY: Duration = Duration::from_mins(15);
/// The most pages of one run where nothing else is said.
const MAX_PAGES: u64 = 100_000;

/// A request that still lacks its path.
pub(super) struct Unaddressed(Request);

impl Unaddressed {
    pub(super) fn with_path(self, path: &str) -> Request {
        Request { path: path.to_owned(), ..self.0 }
    }
}

/// Checks all of it but the path.
pub(super) fn request(
    raw: &RawFeed,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Unaddressed> {
    let json = raw.format.value().is_none_or(|format| *format == Format::Json);
    let paging = match &raw.pagination {
        Given::Absent => Some((Pagination::None, MAX_PAGES)),
        Given::Wrong => None,
        Given::Here(at) => pagination(at, json, report),
    };
    let incremental = match &raw.incremental {
        Given::Absent => Some(None),
        Given::Wrong => None,
        Given::Here(at) => incremental(&at.value).map(Some),
    };
    let schedule = match &raw.schedule {
        Given::Absent => Some(Schedule::Every { every: EVERY }),
        Given::Wrong => None,
        Given::Here(at) => schedule(at, scope, report),
    };
    let (pagination, max_pages) = paging?;
    Some(Unaddressed(Request {
        path: String::new(),
        pagination,
        max_pages,
        incremental: incremental?,
        schedule: schedule?,
    }))
}

/// Refuses what means nothing to files.
pub(super) fn refuse_for_files(raw: &RawFeed, report: &mut Report<'_>) {
    let problem = "means nothing to files, which are taken when they come";
    raw.pagination.refuse(report, problem);
    raw.incremental.refuse(report, problem);
    raw.schedule.refuse(report, problem);
}

/// Where the records of a page or file stand.
pub(super) fn records(raw: &RawFeed, report: &mut Report<'_>) -> Option<RecordsPath> {
    if raw.format.value().is_some_and(|format| *format != Format::Json) {
        raw.records.refuse(report, "means nothing to a format that is not JSON");
    }
    match &raw.records {
        Given::Absent => Some(RecordsPath::Plain(Vec::new())),
        Given::Wrong => None,
        Given::Here(at) => records_path(at, report),
    }
}

/// Plain names ending in `[*]` are streamed; all else is a JSONPath.
fn records_path(at: &At<String>, report: &mut Report<'_>) -> Option<RecordsPath> {
    let names = at.value.strip_prefix('$').and_then(|rest| rest.strip_suffix("[*]"));
    let names = names.and_then(|names| match names.strip_prefix('.') {
        None if names.is_empty() => Some(Vec::new()),
        None => None,
        Some(names) => {
            names.split('.').map(|name| is_shorthand(name).then(|| name.to_owned())).collect()
        }
    });
    match names {
        Some(names) => Some(RecordsPath::Plain(names)),
        None => path(at, report).map(RecordsPath::Path),
    }
}

/// A name that JSONPath takes without quotes (RFC 9535, member-name-shorthand).
fn is_shorthand(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

/// A JSONPath (RFC 9535).
pub(super) fn path(at: &At<String>, report: &mut Report<'_>) -> Option<JsonPath> {
    match JsonPath::parse(&at.value) {
        Ok(path) => Some(path),
        Err(error) => {
            let behind = error.position() + 1;
            let problem =
                format!("{} is not a JSONPath (see character {behind})", quoted(&at.value));
            report.wrong(&at.place, problem, "write one such as \"$.data[*]\" or \"$.meta.next\"");
            None
        }
    }
}

fn pagination(
    block: &At<RawPagination>,
    json: bool,
    report: &mut Report<'_>,
) -> Option<(Pagination, u64)> {
    let raw = &block.value;
    let kind = *raw.kind.value()?;
    refuse_others(raw, kind, report);
    if let (Some(at), false) = (raw.next.here(), json) {
        let problem = "can only be found in JSON";
        report.wrong(&at.place, problem, "use another kind, or format = \"json\"");
    }
    let size = size(raw, report);
    let max_pages = raw.max_pages.or(MAX_PAGES);
    if let Some(at) = raw.max_pages.here()
        && at.value == 0
    {
        report.wrong(&at.place, "reads nothing", "write at least 1, or take it out");
    }
    let param = |report: &mut Report<'_>| need(&raw.param, &block.place, "param", report);
    let next = |report: &mut Report<'_>| {
        need(&raw.next, &block.place, "next", report).and_then(|at| path(at, report))
    };
    let pagination = match kind {
        PagingKind::None => Pagination::None,
        PagingKind::Page => {
            let param = param(report);
            Pagination::Page { param: param?.value.clone(), start: raw.start.or(1)?, size }
        }
        PagingKind::Offset => Pagination::Offset { param: param(report)?.value.clone(), size },
        PagingKind::Cursor => {
            let (param, next) = (param(report), next(report));
            Pagination::Cursor { param: param?.value.clone(), next: next?, size }
        }
        PagingKind::Link => Pagination::Link { size },
        PagingKind::NextUrl => Pagination::NextUrl { next: next(report)?, size },
    };
    Some((pagination, max_pages?))
}

/// Refuses the keys that belong to another kind.
fn refuse_others(raw: &RawPagination, kind: PagingKind, report: &mut Report<'_>) {
    let problem = "does not belong to this kind";
    if !matches!(kind, PagingKind::Page | PagingKind::Offset | PagingKind::Cursor) {
        raw.param.refuse(report, problem);
    }
    if kind != PagingKind::Page {
        raw.start.refuse(report, problem);
    }
    if !matches!(kind, PagingKind::Cursor | PagingKind::NextUrl) {
        raw.next.refuse(report, problem);
    }
    if kind == PagingKind::None {
        raw.size.refuse(report, problem);
        raw.size_param.refuse(report, problem);
    }
}

fn need<'r>(
    given: &'r Given<String>,
    place: &Place,
    key: &str,
    report: &mut Report<'_>,
) -> Option<&'r At<String>> {
    if given.is_absent() {
        report.missing(&place.child(key), "is missing", "add it to `pagination`");
    }
    given.here()
}

/// The size of a page, as far as it is well said.
fn size(raw: &RawPagination, report: &mut Report<'_>) -> Option<PageSize> {
    match (&raw.size_param, &raw.size) {
        (Given::Here(param), Given::Here(size)) if size.value > 0 => {
            Some(PageSize { param: param.value.clone(), size: size.value })
        }
        (_, Given::Here(size)) if size.value == 0 => {
            report.wrong(&size.place, "is an empty page", "write at least 1");
            None
        }
        (Given::Absent, Given::Here(at)) => {
            let remedy = "add size_param, the query parameter that carries it";
            report.missing(&at.place, "has no parameter to travel in", remedy);
            None
        }
        (Given::Here(at), Given::Absent) => {
            report.missing(&at.place, "has no size to carry", "add size, the number of records");
            None
        }
        _ => None,
    }
}

fn incremental(raw: &RawIncremental) -> Option<Incremental> {
    Some(Incremental {
        field: raw.field.value()?.clone(),
        param: raw.param.value()?.clone(),
        lookback: raw.lookback.or(Span(Duration::ZERO))?.0,
    })
}

/// Checks the incremental field against the columns: it must be one, and of a type that grows.
pub(super) fn incremental_fits(raw: &RawFeed, fields: Option<&[Field]>, report: &mut Report<'_>) {
    let Some(incremental) = raw.incremental.value() else { return };
    let Some(at) = incremental.field.here() else { return };
    is_a_field(&at.value, at, fields, report);
    let Some(field) = fields.and_then(|all| all.iter().find(|field| field.name == at.value)) else {
        return;
    };
    if matches!(field.kind, FieldType::Boolean | FieldType::Json | FieldType::EmiratesId) {
        let problem = format!("{} of type {} has no greatest value", quoted(&at.value), field.kind);
        report.wrong(&at.place, problem, "name a timestamp or a number that grows");
    } else if field.kind != FieldType::Timestamp
        && let Some(lookback) = incremental.lookback.here()
        && !lookback.value.0.is_zero()
    {
        let problem = format!("cannot go back behind {}, which is no timestamp", quoted(&at.value));
        report.wrong(&lookback.place, problem, "take it out");
    }
}

fn schedule(
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

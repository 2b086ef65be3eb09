//! How one page leads to the next, and which is the last.

use super::{auth::is_header_name, path, request::Carriers};
use crate::{
    config::{
        raw::{RawFeed, RawPagination},
        source::{Place, Report},
        table::{At, Given, Reported},
        value::PagingKind,
    },
    request::{Carrier, More, NextAt, PageSize, Pagination, Paging, Stop, Total},
};

/// The most pages of one walk where nothing else is said.
const MAX_PAGES: u64 = 100_000;
/// The most records by which pages may overlap.
const OVERLAP_MAX: u64 = 100;
/// The most records of one walk where nothing else is said.
const MAX_RECORDS: u64 = 100_000_000;

/// Checks `pagination`.
pub(super) fn pagination(
    feed: &RawFeed,
    carriers: Carriers,
    report: &mut Report<'_>,
) -> Option<Pagination> {
    let block = match &feed.pagination {
        Given::Absent => return Some(one_page()),
        Given::Wrong => return None,
        Given::Here(at) => at,
    };
    let raw = &block.value;
    if raw.kind.is_absent() {
        report.missing(&block.place.child("kind"), "is missing", "add it to this block");
    }
    let kind = *raw.kind.value()?;
    refuse_others(raw, kind, report);
    let size = size(raw, report);
    for at in [&raw.max_pages, &raw.max_records].into_iter().filter_map(Given::here) {
        if at.value == 0 {
            report.wrong(&at.place, "reads nothing", "write at least 1, or take it out");
        }
    }
    let more = more(feed, raw, report);
    let total = total(feed, raw, report);
    let stop = stop(raw, kind, report);
    let carrier = carriers.carrier(&raw.place, report);
    Some(Pagination {
        kind: paging(feed, block, kind, report)?,
        size,
        carrier: carrier?,
        replaces: raw.replaces.or(Vec::new())?,
        more: more.ok()?,
        total: total.ok()?,
        stop: stop?,
        max_pages: raw.max_pages.or(MAX_PAGES)?,
        max_records: raw.max_records.or(MAX_RECORDS)?,
    })
}

/// One page is all there is.
fn one_page() -> Pagination {
    Pagination {
        kind: Paging::None,
        size: None,
        carrier: Carrier::Query,
        replaces: Vec::new(),
        more: None,
        total: None,
        stop: Stop::Next,
        max_pages: MAX_PAGES,
        max_records: MAX_RECORDS,
    }
}

fn paging(
    feed: &RawFeed,
    block: &At<RawPagination>,
    kind: PagingKind,
    report: &mut Report<'_>,
) -> Option<Paging> {
    let raw = &block.value;
    let param = |report: &mut Report<'_>| {
        need(&raw.param, &block.place, "param", report).map(|at| at.value.clone())
    };
    Some(match kind {
        PagingKind::None => Paging::None,
        PagingKind::Page => {
            let param = param(report);
            Paging::Page { param: param?, start: raw.start.or(1)?, first: raw.first.or(true)? }
        }
        PagingKind::Offset => {
            let (param, overlap) = (param(report), overlap(feed, raw, report));
            let (start, first) = (raw.start.or(0)?, raw.first.or(true)?);
            Paging::Offset { param: param?, start, first, overlap: overlap? }
        }
        PagingKind::Cursor => {
            let (param, next) = (param(report), next(feed, block, report));
            Paging::Cursor { param: param?, next: next? }
        }
        PagingKind::Link => Paging::Link,
        PagingKind::NextUrl => Paging::NextUrl { next: next(feed, block, report)? },
    })
}

/// By how much pages overlap: where a cursor moves behind them, one record shows that they join.
fn overlap(feed: &RawFeed, raw: &RawPagination, report: &mut Report<'_>) -> Option<u64> {
    let moves = !feed.incremental.is_absent();
    let overlap = raw.overlap.or(u64::from(moves))?;
    match (raw.overlap.here(), raw.size.here()) {
        (Some(at), _) if at.value > OVERLAP_MAX => {
            let problem = format!("is more than {OVERLAP_MAX} records");
            report.wrong(&at.place, problem, "write fewer: one shows that pages join");
            None
        }
        (Some(at), Some(size)) if at.value >= size.value => {
            report.wrong(&at.place, "is a whole page", "write less than `size`");
            None
        }
        // A page of one record cannot repeat one and lead on.
        (None, Some(size)) if size.value <= 1 => Some(0),
        _ => Some(overlap),
    }
}

/// Where the page says what leads on: in its body, or in a header of the answer.
fn next(feed: &RawFeed, block: &At<RawPagination>, report: &mut Report<'_>) -> Option<NextAt> {
    let raw = &block.value;
    match (&raw.next, &raw.next_header) {
        (Given::Absent, Given::Here(at)) => header_name(at, report).map(NextAt::Header),
        (Given::Here(_), Given::Here(at)) => {
            report.wrong(&at.place, "stands beside next", "write one of the two");
            None
        }
        (next, Given::Absent) => {
            let at = need(next, &block.place, "next", report)?;
            path::scalar(at, feed, report).map(NextAt::Body)
        }
        (_, Given::Wrong) | (Given::Wrong, Given::Here(_)) => None,
    }
}

/// The name of a header of the answer.
fn header_name(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    is_header_name(at, report).then(|| at.value.clone())
}

/// The flag of a page, which says one of two things.
fn more(
    feed: &RawFeed,
    raw: &RawPagination,
    report: &mut Report<'_>,
) -> Result<Option<More>, Reported> {
    let more = raw.more.checked(|at| path::scalar(at, feed, report))?;
    let end = raw.end.checked(|at| path::scalar(at, feed, report))?;
    if let (Some(_), Some(at)) = (&more, raw.end.here()) {
        report.wrong(&at.place, "stands beside more", "write one of the two");
        return Err(Reported);
    }
    Ok(more.map(More::Follows).or(end.map(More::Ends)))
}

fn total(
    feed: &RawFeed,
    raw: &RawPagination,
    report: &mut Report<'_>,
) -> Result<Option<Total>, Reported> {
    let records = raw.total.checked(|at| path::scalar(at, feed, report))?;
    let pages = raw.total_pages.checked(|at| path::scalar(at, feed, report))?;
    let header = raw.total_header.checked(|at| header_name(at, report))?;
    let beside = match (&records, &header) {
        (Some(_), _) => raw.total_header.place().or(raw.total_pages.place()).zip(Some("total")),
        (None, Some(_)) => raw.total_pages.place().zip(Some("total_header")),
        (None, None) => None,
    };
    if let Some((place, other)) = beside {
        report.wrong(place, format!("stands beside {other}"), "write one of the two");
        return Err(Reported);
    }
    let records = records.map(Total::Records).or(header.map(Total::Header));
    Ok(records.or(pages.map(Total::Pages)))
}

/// What makes a page the last: what was written, or what the other keys make plain.
fn stop(raw: &RawPagination, kind: PagingKind, report: &mut Report<'_>) -> Option<Stop> {
    let counts = matches!(kind, PagingKind::Page | PagingKind::Offset);
    let leads = matches!(kind, PagingKind::Cursor | PagingKind::NextUrl | PagingKind::Link);
    let has_flag = !raw.more.is_absent() || !raw.end.is_absent();
    let totals = [&raw.total, &raw.total_header, &raw.total_pages];
    let has_total = totals.iter().any(|given| !given.is_absent());
    let default = match (has_flag, has_total) {
        (true, _) => Stop::More,
        (false, false) if counts => Stop::Empty,
        (false, true) if !leads => Stop::Total,
        _ => Stop::Next,
    };
    let stop = raw.stop.or(default)?;
    let needs = match stop {
        Stop::Empty | Stop::Short if !counts => Some("kind `page` or `offset`"),
        Stop::Short if raw.size.is_absent() => Some("size"),
        Stop::More if !has_flag => Some("more or end"),
        Stop::Total if !has_total => Some("total, total_header or total_pages"),
        Stop::Next if kind != PagingKind::None && !leads => {
            Some("kind `cursor`, `next_url` or `link`")
        }
        Stop::Null if !leads || kind == PagingKind::Link => Some("kind `cursor` or `next_url`"),
        _ => None,
    };
    if let (Some(needs), Some(at)) = (needs, raw.stop.here()) {
        report.wrong(&at.place, format!("needs {needs}"), "add it, or use another rule");
        return None;
    }
    Some(stop)
}

/// Refuses the keys that belong to another kind.
fn refuse_others(raw: &RawPagination, kind: PagingKind, report: &mut Report<'_>) {
    let problem = "does not belong to this kind";
    if !matches!(kind, PagingKind::Page | PagingKind::Offset | PagingKind::Cursor) {
        raw.param.refuse(report, problem);
    }
    if !matches!(kind, PagingKind::Page | PagingKind::Offset) {
        raw.start.refuse(report, problem);
        raw.first.refuse(report, problem);
    }
    if kind != PagingKind::Offset {
        raw.overlap.refuse(report, problem);
    }
    if kind != PagingKind::Cursor {
        raw.replaces.refuse(report, problem);
    }
    if !matches!(kind, PagingKind::Cursor | PagingKind::NextUrl) {
        raw.next.refuse(report, problem);
        raw.next_header.refuse(report, problem);
    }
    if kind == PagingKind::None {
        raw.size.refuse(report, problem);
        raw.size_param.refuse(report, problem);
        raw.more.refuse(report, problem);
        raw.end.refuse(report, problem);
        raw.total_pages.refuse(report, problem);
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
            let remedy = "add size_param, the parameter that carries it";
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

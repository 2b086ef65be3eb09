//! A feed: where its data comes from, and only with the keys that mean something there.

use std::{collections::HashMap, time::Duration};

use globset::{GlobBuilder, GlobMatcher};

use super::{
    Scope,
    connection::Names,
    encoding, field, incremental, is_path, keeping, name,
    records::{self, Selection},
    request, span,
};
use crate::{
    config::{
        preset,
        raw::{RawFeed, RawFreshness},
        source::{Report, quoted},
        table::{At, Given, Or, Reported, nearest},
    },
    feed::{DecimalSign, Feed, Field, FieldType, Format, Origin, Sheet},
    freshness::Promise,
    id::{ConnectionId, FeedId, PartnerId},
    partner::Cover,
    request::Body,
    untrusted::show,
};

/// Checks one feed.
pub(super) fn feed(
    block: &At<RawFeed>,
    partner: &PartnerId,
    connections: &Names<'_>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Feed> {
    let raw = &block.value;
    let origin = origin(block, partner, connections, scope, report);
    let selection = records::selection(block, report);
    let csv = csv(raw, report);
    let entries = entries(raw, report);
    let sheet = sheet(raw, report);
    let stop = match &raw.stop {
        Given::Here(At { value: Or::Other(words), .. }) => Some(words.clone()),
        Given::Here(_) | Given::Absent => Some(Vec::new()),
        Given::Wrong => None,
    };
    let fields = match &raw.fields {
        Given::Absent => {
            raw.nothing.refuse(report, "means nothing without fields whose values it is about");
            Some(Vec::new())
        }
        Given::Wrong => None,
        Given::Here(at) => field::fields(at, raw, report),
    };
    let fields = incremental::raises(raw, fields, report);
    let key = key(raw, fields.as_deref(), report);
    let version = version(raw, fields.as_deref(), report);
    incremental::fits(raw, fields.as_deref(), report);
    let promise = match &raw.freshness {
        Given::Absent => None,
        Given::Wrong => return None,
        Given::Here(at) => Some(promise(&at.value, report)?),
    };
    let encoding = encoding::encoding(raw, report);
    let keeping = keeping::keeping(raw, report);
    let (delimiter, header_row) = csv?;
    let Selection { records, may_lack, deletes, deleted } = selection?;
    let id = &raw.id.value()?.0;
    Some(Feed {
        id: FeedId::of(partner, id).ok()?,
        name: name(&raw.name, id)?,
        connection: ConnectionId::of(partner, &raw.connection.value()?.0).ok()?,
        origin: origin?,
        format: raw.format.value().copied(),
        records,
        may_lack,
        deletes,
        deleted,
        encoding,
        delimiter,
        header_row,
        sheet: sheet.ok()?,
        stop: stop?,
        entries: entries.ok()?,
        decimal: raw.decimal.or(DecimalSign::Point)?,
        key: key?,
        version,
        fields: fields?,
        cover: Cover::All,
        unlisted: raw.preset.value().map_or(&[], |preset| preset::unlisted(*preset)),
        keeping: keeping?,
        promise,
        zone: scope.timezone.clone(),
    })
}

fn origin(
    block: &At<RawFeed>,
    partner: &PartnerId,
    connections: &Names<'_>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Origin> {
    let raw = &block.value;
    let reach = raw.connection.here().and_then(|at| connections.find(at, report));
    match (raw.path.is_absent(), raw.files.is_absent()) {
        (true, true) => {
            let problem = "has neither path nor files";
            let remedy = "say where its data is: path over HTTP, files in an import folder";
            report.missing(&block.place, problem, remedy);
            None
        }
        (false, false) => {
            report.wrong(&block.place, "has both path and files", "make two feeds of it");
            None
        }
        (false, true) => {
            if let (Some(at), Some(false)) = (raw.path.here(), reach.map(|reach| reach.http)) {
                let problem = "needs a connection with base_url";
                report.wrong(&at.place, problem, "use `files`, or name another connection");
            }
            let path = raw.path.here().filter(|at| is_path(at, report));
            let request = request::request(raw, partner, scope, report);
            let (request, path) = (request?, path?);
            let request = request.with_path(&path.value);
            let room = matches!(request.says.body, Body::Json(_) | Body::Form(_));
            if reach.is_some_and(|reach| reach.body_key) && !room {
                let problem = "has no body, and the key of the connection travels in one";
                report.missing(&path.place, problem, "add json or form to the feed");
            }
            Some(Origin::Http(request))
        }
        (true, false) => {
            if let (Some(at), Some(false)) = (raw.files.here(), reach.map(|reach| reach.import)) {
                let problem = "needs a connection with import";
                report.wrong(&at.place, problem, "use `path`, or name another connection");
            }
            request::refuse_for_files(raw, report);
            raw.files.here().and_then(|at| pattern(at, report)).map(Origin::Files)
        }
    }
}

fn pattern(at: &At<String>, report: &mut Report<'_>) -> Option<GlobMatcher> {
    let text = &at.value;
    if text.contains('/') {
        let problem = format!("{} leads into folders", quoted(text));
        report.wrong(&at.place, problem, "write the names of files in the import folder itself");
        return None;
    }
    glob(at, true, report)
}

/// Which members of an archive are read.
fn entries(raw: &RawFeed, report: &mut Report<'_>) -> Result<Option<GlobMatcher>, Reported> {
    if raw.files.is_absent() {
        raw.entries.refuse(report, "means nothing without files");
    }
    raw.entries.checked(|at| glob(at, false, report))
}

/// A pattern of names. `steps`: a `*` in it stops at a `/`.
fn glob(at: &At<String>, steps: bool, report: &mut Report<'_>) -> Option<GlobMatcher> {
    let text = &at.value;
    match GlobBuilder::new(text).literal_separator(steps).build() {
        Ok(glob) => Some(glob.compile_matcher()),
        Err(error) => {
            let problem = format!(
                "{} is not a pattern ({})",
                quoted(text),
                error.kind().to_string().replace("; ", ", ")
            );
            report.wrong(&at.place, problem, "write one such as \"transfers-*.csv\"");
            None
        }
    }
}

/// What of the files a feed takes: connection, names, members and sheet.
pub(super) type Take = (String, String, String, String);

/// Two feeds that take the same of the same files would take it from each other.
pub(super) fn files_are_its_own<'r>(
    raw: &'r RawFeed,
    met: &mut HashMap<Take, &'r str>,
    report: &mut Report<'_>,
) {
    let (Some(connection), Some(files)) = (raw.connection.value(), raw.files.here()) else {
        return;
    };
    let sheet = match raw.sheet.value() {
        None => String::new(),
        Some(Or::Text(name)) => format!("named {name}"),
        Some(Or::Other(number)) => number.to_string(),
    };
    let entries = raw.entries.value().cloned().unwrap_or_default();
    let id = raw.id.value().map_or("?", |id| id.0.as_str());
    let take = (connection.0.clone(), files.value.clone(), entries, sheet);
    if let Some(other) = met.insert(take, id) {
        let problem = format!("{} are already the files of feed {other}", quoted(&files.value));
        report.wrong(&files.place, problem, "give each feed files of its own");
    }
}

fn key(raw: &RawFeed, fields: Option<&[Field]>, report: &mut Report<'_>) -> Option<Vec<String>> {
    let at = raw.key.here()?;
    if at.value.is_empty() {
        let remedy = "name the columns that tell one record from another";
        report.wrong(&at.place, "names no column", remedy);
    }
    for (number, column) in at.value.iter().enumerate() {
        if at.value.iter().take(number).any(|other| other == column) {
            report.wrong(&at.place, format!("names {} twice", quoted(column)), "name it once");
        }
        is_a_field(column, at, fields, report);
    }
    Some(at.value.clone())
}

/// The column of versions, of a type that has an order.
fn version(raw: &RawFeed, fields: Option<&[Field]>, report: &mut Report<'_>) -> Option<String> {
    let at = raw.version.here()?;
    let column = &at.value;
    is_a_field(column, at, fields, report);
    if raw.key.value().is_some_and(|key| key.contains(column)) {
        let problem = "is part of the key, so that no record has two of it";
        report.wrong(&at.place, problem, "name a column that changes, or take it out");
    }
    let kind = fields.and_then(|fields| fields.iter().find(|field| field.name == *column));
    let no_order = |kind| {
        matches!(kind, FieldType::Boolean | FieldType::Json | FieldType::Phone | FieldType::Enum)
    };
    if kind.is_some_and(|field| no_order(field.kind)) {
        let problem =
            format!("{} is of a type that does not tell newer from older", quoted(column));
        report.wrong(&at.place, problem, "name a number, a time or a text that grows");
    }
    Some(column.clone())
}

/// Reports a column that is none of the fields. Where none are written, the first data will tell.
pub(super) fn is_a_field<T>(
    column: &str,
    at: &At<T>,
    fields: Option<&[Field]>,
    report: &mut Report<'_>,
) {
    let Some(fields) = fields.filter(|fields| !fields.is_empty()) else { return };
    if fields.iter().all(|field| field.name != column) {
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let remedy = match nearest(column, &names) {
            Some(near) => format!("did you mean {}?", show(near)),
            None => "add it to `fields`, or name one that is there".to_owned(),
        };
        report.missing(&at.place, format!("{} is not a field", quoted(column)), remedy);
    }
}

/// What is written of CSV: the delimiter and the line of the header.
fn csv(raw: &RawFeed, report: &mut Report<'_>) -> Option<(u8, u32)> {
    let problem = "means nothing to a format that is not CSV";
    if raw.format.value().is_some_and(|format| !matches!(format, Format::Csv | Format::Sdmx)) {
        raw.delimiter.refuse(report, problem);
    }
    if raw.format.value().is_some_and(|format| !matches!(format, Format::Csv | Format::Xlsx)) {
        raw.header_row.refuse(report, "means nothing to a format that is neither CSV nor XLSX");
    }
    if raw.format.value() == Some(&Format::Sdmx) {
        raw.decimal.refuse(report, "means nothing to SDMX, whose numbers have a point");
    }
    let delimiter = match raw.delimiter.here() {
        None => (!matches!(raw.delimiter, Given::Wrong)).then_some(b','),
        Some(at) => match at.value.as_bytes() {
            [byte] if byte.is_ascii() && !b"\"\r\n\0".contains(byte) => Some(*byte),
            _ => {
                let problem = format!("{} is not a delimiter", quoted(&at.value));
                report.wrong(
                    &at.place,
                    problem,
                    "write one ASCII character, such as \";\" or \"\\t\"",
                );
                None
            }
        },
    };
    let header_row = match raw.header_row.here() {
        None => (!matches!(raw.header_row, Given::Wrong)).then_some(1),
        Some(at) => {
            let row = u32::try_from(at.value).ok().filter(|row| (1..=10_000).contains(row));
            if row.is_none() {
                let problem = format!("{} is not the line of a header", at.value);
                report.wrong(&at.place, problem, "write its line, from 1 to 10000");
            }
            row
        }
    };
    Some((delimiter?, header_row?))
}

/// What is written of a workbook: which of its sheets is read.
fn sheet(raw: &RawFeed, report: &mut Report<'_>) -> Result<Option<Sheet>, Reported> {
    match raw.format.here() {
        Some(format) if format.value != Format::Xlsx => {
            let problem = "means nothing to a format that is not XLSX";
            raw.sheet.refuse(report, problem);
            raw.stop.refuse(report, problem);
        }
        _ => {}
    }
    raw.sheet.checked(|at| match &at.value {
        Or::Text(name) => Some(Sheet::Name(name.clone())),
        Or::Other(number) => {
            let sheet = u32::try_from(*number).ok().filter(|number| *number > 0);
            if sheet.is_none() {
                let problem = format!("{number} is not the number of a sheet");
                report.wrong(&at.place, problem, "write its number, from 1, or its name in quotes");
            }
            sheet.map(Sheet::Number)
        }
    })
}

fn promise(raw: &RawFreshness, report: &mut Report<'_>) -> Option<Promise> {
    raw.every.here()?;
    let every = span(&raw.every, Duration::ZERO, report)?;
    let default = Promise::every(every);
    let error_after = span(&raw.error_after, default.error_after, report)?;
    let Some(grace) = raw.grace.here() else {
        // A short `error_after` shortens the grace that nobody wrote.
        let grace = default.grace.min(error_after);
        return (!matches!(raw.grace, Given::Wrong)).then_some(Promise {
            every,
            grace,
            error_after,
        });
    };
    if grace.value.0 > error_after {
        let problem = "ends after error_after, so that nobody would be warned before the error";
        report.wrong(&grace.place, problem, "write a shorter grace, or a longer error_after");
        return None;
    }
    Some(Promise { every, grace: grace.value.0, error_after })
}

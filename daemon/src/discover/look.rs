//! Looking at a sample: what its bytes are, what kind of interface they come from, and its records as cells.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use serde::Deserialize as _;

use marsad_shared::untrusted::show_at_most;

use super::{
    Sample, Unknown,
    block::quoted,
    column::{Row, flatten, flatten_resource},
    csv,
    node::Node,
    paging::{About, Count, Envelope, Paging},
    sdmx,
    style::{NoData, Spot, Style, recognise, success},
    xml,
};
use crate::{decode, shape::infer::SAMPLE};

/// As many records Opendatasoft gives by pages.
const PAGED_MAX: u64 = 10_000;

/// What a sample was found to be.
pub(super) struct Found {
    pub(super) style: Style,
    /// As it is written; `None`: by the preset, or none is needed.
    pub(super) format: Option<&'static str>,
    /// As it is written; `None`: by the preset, or none is needed.
    pub(super) records: Option<String>,
    pub(super) rows: Vec<Row>,
    pub(super) paging: Option<Paging>,
    pub(super) columns: Option<sdmx::Columns>,
    /// Delimiter and header line.
    pub(super) csv: Option<(u8, u64)>,
    /// The sheet, by its number where there are several, and the row of its header.
    pub(super) sheet: Option<(Option<u32>, u32)>,
    /// Whether an answer leaves out its list of records where that is empty.
    pub(super) may_lack: bool,
    /// Where removed records seem to stand.
    pub(super) deletes: Option<String>,
    /// What says that a record is gone, as `deleted` is written, where the style has it.
    pub(super) deleted: Option<String>,
    /// How many records there are, and how many of them the sample holds, where it says that these are not all.
    pub(super) of_all: Option<(u64, usize)>,
    /// Where it says how many there are.
    pub(super) counted: Option<Count>,
    /// Where it says that there is more.
    pub(super) more: Option<String>,
    /// Names that a header has twice.
    pub(super) twice: Vec<String>,
    /// What tells an error in an answer that comes as a good one, as it is written.
    pub(super) success: Option<String>,
}

impl<'a> Sample<'a> {
    fn about(&self) -> About<'a> {
        About { headers: self.headers, url: self.place.url() }
    }
}

/// What the sample is.
pub(super) fn look(sample: &Sample<'_>) -> Result<Found, Unknown> {
    if let Some(book) = sample.book {
        return Ok(Found {
            // Nothing but its content type says what an answer is, and that is often wrong.
            format: Some("xlsx"),
            sheet: Some((book.sheet, book.header_row)),
            rows: book.rows.clone(),
            ..Found::of(Style::Xlsx)
        });
    }
    let text = &*text_of(sample)?;
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    if begin.is_empty() {
        return Err(Unknown::new("there is nothing in it", "give a sample that holds records"));
    }
    if begin.starts_with(['{', '[']) {
        return look_json(sample, text.trim_start_matches('\u{feff}'));
    }
    if begin.starts_with('<') {
        return look_xml(sample, begin);
    }
    if serde_json::from_str::<String>(begin).is_ok() {
        return Err(Unknown::new(
            "it is one JSON string, in which another document may be written",
            "ask the partner for that document as it is",
        ));
    }
    let head = csv::head(text, sample.cut).ok_or_else(|| {
        Unknown::new(
            "it is neither JSON nor XML, and no table",
            "give a sample as the partner's interface answers it, or a file as the partner sends it",
        )
    })?;
    let columns = sdmx::of_header(&head.names);
    if columns.is_some() {
        let (rows, twice) = (head.rows, head.twice);
        return Ok(Found { rows, columns, twice, ..Found::of(Style::SdmxCsv) });
    }
    let envelope = Envelope::none(sample.about());
    let whole = !sample.cut && head.rows.len() < SAMPLE;
    Ok(Found {
        format: Some("csv"),
        csv: Some((head.delimiter, head.header_row)),
        paging: envelope.paging(head.rows.len()),
        of_all: of_all(envelope.total().filter(|_| whole), head.rows.len()),
        counted: envelope.counted(),
        rows: head.rows,
        twice: head.twice,
        ..Found::of(Style::Csv)
    })
}

/// The sample as text.
fn text_of<'a>(sample: &Sample<'a>) -> Result<Cow<'a, str>, Unknown> {
    let bytes = sample.bytes;
    let utf8 = match sample.place.url() {
        Some(_) => {
            "have the partner name it (`charset`), or write the block by hand, with `encoding`"
        }
        None => "have it written in UTF-8, or write the block by hand, with `encoding`",
    };
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Unknown::new("it is packed (gzip)", "unpack it, and take that as the sample"));
    }
    if let Some((encoding, mark)) = Encoding::for_bom(bytes).filter(|(is, _)| *is != UTF_8) {
        let (text, _) = encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default());
        // Cut in the middle of its last character.
        let whole = if sample.cut { text.trim_end_matches('\u{fffd}') } else { &text };
        if whole.contains('\u{fffd}') {
            return Err(Unknown::new(format!("not all of it is {}", encoding.name()), utf8));
        }
        return Ok(whole.to_owned().into());
    }
    // A document that names its encoding is read in that one, whatever others could be meant.
    if let Some(text) = decode::xml::declared_text(bytes, sample.cut).map_err(|e| undeclared(&e))? {
        return Ok(text.into());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        // Cut in the middle of its last character.
        Err(error) if sample.cut && error.error_len().is_none() => {
            let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
            Ok(std::str::from_utf8(whole).unwrap_or_default().into())
        }
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            let why = format!(
                "it is not UTF-8 (line {line}); it may be Windows-1256 or ISO-8859-6, which cannot be told apart for sure"
            );
            Err(Unknown::new(why, utf8))
        }
    }
}

/// A document whose bytes are not what it declares.
fn undeclared(error: &decode::DecodeError) -> Unknown {
    let said = error.to_string();
    let why = said.split("; ").next().unwrap_or_default();
    Unknown::new(why, "have it written in UTF-8, or declare the encoding that it is in")
}

fn look_json(sample: &Sample<'_>, text: &str) -> Result<Found, Unknown> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let object = |line: &str| serde_json::from_str::<Node>(line).is_ok_and(|node| node.is_map());
    if lines.next().is_some_and(|second| second.starts_with('{')) && object(first) {
        return Ok(look_lines(sample, text));
    }
    let root: Node = serde_json::from_str(text).map_err(|error| {
        if sample.cut {
            let remedy = "take a smaller sample: fewer records a page, or a shortened file that is whole JSON";
            Unknown::new("it is one JSON document of more than 8 MiB", remedy)
        } else {
            let why = format!("it is not whole JSON (line {}, column {})", error.line(), error.column());
            Unknown::new(why, "see what the answer looks like; a login or error page may stand in its place")
        }
    })?;
    let (style, spot) = match recognise(&root) {
        // Whoever says where they stand knows better.
        Err(NoData::Pair) if sample.records.is_some() => (Style::Rest, Spot::default()),
        recognised => recognised.map_err(|error| no_data(&error))?,
    };
    if style == Style::SdmxJson {
        let columns = sdmx::of_json(&root);
        return Ok(Found { columns, ..Found::of(style) });
    }
    let chosen = sample.records.map(|path| by_path(text, path)).transpose()?;
    let own = spot.selector();
    let told = sample.records.is_none_or(|path| path == own);
    let records: Vec<&Node> = match &chosen {
        Some(chosen) => chosen.iter().collect(),
        None => spot.records(&root),
    };
    let envelope = Envelope::of_json(&root, &spot, sample.about());
    let total = envelope.total();
    if style == Style::Opendatasoft && total.is_some_and(|total| total > PAGED_MAX) {
        let (style, format) = (Style::OpendatasoftExport, Some("ndjson"));
        return Ok(Found { format, rows: rows(style, &records), ..Found::of(style) });
    }
    // No more are held than are looked at.
    let here = match records.len() {
        SAMPLE => found_by(text, sample.records.unwrap_or(&own))?.len(),
        here => here,
    };
    let records_key = match sample.records {
        Some(path) if !told => Some(path.to_owned()),
        _ if style.preset().is_some() => None,
        _ => Some(own).filter(|own| own != "$[*]"),
    };
    Ok(Found {
        may_lack: is_bundle(&root) && records_key.is_some(),
        records: records_key,
        rows: rows(style, &records),
        success: (style == Style::Rest).then(|| success(&root)).flatten(),
        paging: envelope.paging(here),
        more: envelope.says_more(),
        of_all: of_all(total, here),
        counted: envelope.counted(),
        ..Found::of(style)
    })
}

fn look_lines(sample: &Sample<'_>, text: &str) -> Found {
    let mut records: Vec<Node> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line.trim()).ok())
        .take(SAMPLE)
        .collect();
    if sample.cut && records.len() > 1 && records.len() < SAMPLE {
        records.pop();
    }
    let rows = rows(Style::Ndjson, &records.iter().collect::<Vec<_>>());
    let envelope = Envelope::none(sample.about());
    let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
    Found {
        format: Some("ndjson"),
        rows,
        paging: envelope.paging(lines),
        of_all: of_all(envelope.total().filter(|_| !sample.cut), lines),
        counted: envelope.counted(),
        ..Found::of(Style::Ndjson)
    }
}

fn look_xml(sample: &Sample<'_>, text: &str) -> Result<Found, Unknown> {
    let head = text.chars().take(512).collect::<String>().to_ascii_lowercase();
    if head.contains("<html") || head.contains("<!doctype html") {
        let remedy = "log in as the partner's documentation says: see `auth` of the connection";
        return Err(Unknown::new("it is a page for people (HTML), such as a login page", remedy));
    }
    let remedy = "give a sample as the partner's interface answers it";
    let root = xml::read(text, sample.cut).map_err(|why| Unknown::new(why, remedy))?;
    if xml::is_fault(&root) {
        return Err(no_data(&NoData::Error));
    }
    if let Some(columns) = sdmx::of_xml(&root) {
        return Ok(Found { columns: Some(columns), ..Found::of(Style::SdmxMl) });
    }
    let style = if xml::is_envelope(&root) { Style::Bus } else { Style::Xml };
    let names = match sample.records {
        Some(path) => path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        None => harvested(&root)
            .or_else(|| xml::records(&root))
            .ok_or_else(|| no_data(&NoData::NoRecords))?,
    };
    let records = xml::at(&root, &names);
    if records.is_empty() {
        return Err(nothing_at());
    }
    let removed = ["Cancelled", "Deleted", "Removed"].iter().find_map(|name| {
        let mut beside = names.clone();
        (*name).clone_into(beside.last_mut()?);
        (beside != names && !xml::at(&root, &beside).is_empty()).then(|| beside.join("/"))
    });
    let status = match names.last().map(String::as_str) {
        _ if root.name != OAI => None,
        Some("record") => Some("header/@status"),
        Some("header") => Some("@status"),
        _ => None,
    };
    let around = xml::around(&root, &names);
    let envelope = Envelope::of_xml(&around, sample.about());
    Ok(Found {
        format: (style == Style::Xml).then_some("xml"),
        records: Some(names.join("/")),
        paging: envelope.paging(records.len()),
        more: envelope.says_more(),
        of_all: of_all(envelope.total().filter(|_| !sample.cut), records.len()),
        counted: envelope.counted(),
        rows: records.into_iter().take(SAMPLE).map(xml::cells).collect(),
        deletes: removed,
        success: status
            .map(|_| format!("{{ error = \"{OAI}/error/@code\", empty = [\"noRecordsMatch\"] }}")),
        deleted: status.map(|status| format!("{{ field = \"{status}\", values = [\"deleted\"] }}")),
        ..Found::of(style)
    })
}

/// The root of a harvest by OAI-PMH.
const OAI: &str = "OAI-PMH";

/// Where the records of a harvest stand, however many came.
fn harvested(root: &xml::Element) -> Option<Vec<String>> {
    let lists = [("ListRecords", "record"), ("ListIdentifiers", "header")];
    let there = |(list, record): &&(&str, &str)| {
        root.name == OAI && root.child(list).is_some_and(|list| list.child(record).is_some())
    };
    let (list, record) = lists.iter().find(there)?;
    Some([OAI, list, record].map(str::to_owned).to_vec())
}

/// How many records there are in all, and how many are here, where these are not all.
fn of_all(total: Option<u64>, here: usize) -> Option<(u64, usize)> {
    total.filter(|total| *total > here as u64).map(|total| (total, here))
}

fn no_data(error: &NoData) -> Unknown {
    let remedy = match error {
        NoData::Error => "mend what it complains about, and sample again",
        NoData::NoRecords => "say where the records stand, with --records",
        NoData::Nameless => {
            "ask for objects (datasette: ?_shape=objects), or say where the records stand, with --records"
        }
        NoData::Pair => "say where the records stand: --records '$[1][*]'",
        NoData::Service => "sample one of its sets, such as SERVICE/Enrolments",
    };
    Unknown::new(error.to_string(), remedy)
}

fn nothing_at() -> Unknown {
    let remedy = "see what the answer looks like, and name another path with --records";
    Unknown::new("there are no records at that path", remedy)
}

/// The records at a path that somebody named, as many as are looked at.
fn by_path(text: &str, path: &str) -> Result<Vec<Node>, Unknown> {
    let found = found_by(text, path)?.into_iter().take(SAMPLE);
    let nodes: Vec<_> = found.filter_map(|value| Node::deserialize(value).ok()).collect();
    if nodes.iter().any(Node::is_map) { Ok(nodes) } else { Err(nothing_at()) }
}

/// All that stands at a path.
fn found_by(text: &str, path: &str) -> Result<Vec<serde_json::Value>, Unknown> {
    let parsed = serde_json_path::JsonPath::parse(path).map_err(|error| {
        let why = format!("{} is no JSONPath ({error})", quoted(&show_at_most(path, 80)));
        Unknown::new(why, "write one such as \"$.data[*]\"")
    })?;
    let root: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    Ok(parsed.query(&root).all().into_iter().cloned().collect())
}

/// The cells of each record.
fn rows(style: Style, records: &[&Node]) -> Vec<Row> {
    let gone = |record: &Node| {
        let context = record.member("@odata.context").and_then(Node::text).unwrap_or_default();
        record.member("@removed").is_some() || context.contains("$deletedEntity")
    };
    let records = records.iter().filter(|record| record.is_map()).take(SAMPLE);
    match style {
        Style::JsonApi => records.map(|record| flatten_resource(record)).collect(),
        Style::Odata => {
            records.filter(|record| !gone(record)).map(|record| flatten(record)).collect()
        }
        Style::Ckan => records
            .map(|record| {
                let mut row = flatten(record);
                // The number of a row of the table that was loaded: another one after the next loading.
                row.retain(|cell| cell.from != "_id");
                row
            })
            .collect(),
        _ => records.map(|record| flatten(record)).collect(),
    }
}

/// Whether it is a bundle of FHIR, which has no `entry` where nothing is found.
fn is_bundle(root: &Node) -> bool {
    root.member("resourceType").and_then(Node::text) == Some("Bundle")
}

impl Found {
    fn of(style: Style) -> Self {
        Self {
            style,
            format: None,
            records: None,
            rows: Vec::new(),
            paging: None,
            columns: None,
            csv: None,
            sheet: None,
            may_lack: false,
            deletes: None,
            deleted: None,
            of_all: None,
            counted: None,
            more: None,
            twice: Vec::new(),
            success: None,
        }
    }
}

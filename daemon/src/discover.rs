//! `feed discover`: a sample of a partner's data to a `[[feed]]` block that reads it.
//!
//! Pure: bytes and what came with them in, a proposal out. What the sample itself says is written as it is; what can
//! only be guessed is marked as a guess. A proposal names fields and never shows a value: they may be about children.

use marsad_shared::{feed::FieldType, untrusted::show_at_most};
use serde::Deserialize as _;
use url::Url;

mod block;
mod column;
mod csv;
mod form;
mod key;
mod node;
mod paging;
mod place;
mod sdmx;
mod style;
mod xml;

use self::{
    block::{Block, incremental, quoted},
    column::{Column, Row, Table, deletion, flatten, flatten_resource, is_change},
    key::Key,
    node::Node,
    paging::{About, Paging},
    style::{NoData, recognise},
};
pub use self::{place::Place, style::Style};
use crate::shape::infer::SAMPLE;

/// The largest sample that is looked at, in bytes.
pub const SAMPLE_MAX: usize = 8 * 1024 * 1024;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    pub bytes: &'a [u8],
    /// Only the beginning of something longer.
    pub cut: bool,
    /// The `Link` header.
    pub link: Option<&'a str>,
    pub place: Place<'a>,
    /// The name of the connection that it came over.
    pub connection: &'a str,
    /// Where its records stand, if somebody knows.
    pub records: Option<&'a str>,
    /// Names of the partner's connections and feeds: no two are the same.
    pub taken: &'a [String],
}

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub style: Style,
    /// The feed's id within its partner.
    pub feed: String,
    /// TOML, for the partner's file.
    pub block: String,
    /// What was seen, and what to look after.
    pub notes: Vec<String>,
}

/// A sample that no feed can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}; {remedy}")]
pub struct Unknown {
    pub why: String,
    pub remedy: &'static str,
}

impl Unknown {
    fn new(why: impl Into<String>, remedy: &'static str) -> Self {
        Self { why: why.into(), remedy }
    }
}

/// What a sample was found to be.
struct Found {
    style: Style,
    /// As it is written; `None`: by the preset, or none is needed.
    format: Option<&'static str>,
    /// As it is written; `None`: by the preset, or none is needed.
    records: Option<String>,
    rows: Vec<Row>,
    paging: Option<Paging>,
    columns: Option<sdmx::Columns>,
    /// Delimiter and header line.
    csv: Option<(u8, u64)>,
    /// Where removed records seem to stand.
    deletes: Option<String>,
}

/// Proposes a feed for the sample.
///
/// # Errors
/// [`Unknown`] if it is no data that Marsad reads.
pub fn propose(sample: &Sample<'_>) -> Result<Proposal, Unknown> {
    let found = look(sample)?;
    Ok(write(sample, &found))
}

fn look(sample: &Sample<'_>) -> Result<Found, Unknown> {
    let text = text_of(sample)?;
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
    let head = csv::head(text, sample.cut).ok_or_else(|| {
        Unknown::new(
            "it is neither JSON nor XML, and no table",
            "give a sample as the partner's interface answers it, or a file as the partner sends it",
        )
    })?;
    let columns = sdmx::of_header(&head.names);
    let style = if columns.is_some() { Style::SdmxCsv } else { Style::Csv };
    Ok(Found {
        format: (style == Style::Csv).then_some("csv"),
        csv: (style == Style::Csv).then_some((head.delimiter, head.header_row)),
        rows: head.rows,
        columns,
        ..Found::of(style)
    })
}

/// The sample as text.
fn text_of<'a>(sample: &Sample<'a>) -> Result<&'a str, Unknown> {
    let bytes = sample.bytes;
    let utf8 = "have it written in UTF-8: this version reads nothing else";
    if bytes.starts_with(b"PK\x03\x04") {
        let remedy = "have it saved as CSV in UTF-8, and take that as the sample";
        return Err(Unknown::new("it is a workbook or a zip archive", remedy));
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Unknown::new("it is packed (gzip)", "unpack it, and take that as the sample"));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Unknown::new("it is written in UTF-16", utf8));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // Cut in the middle of its last character.
        Err(error) if sample.cut && error.error_len().is_none() => {
            let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
            Ok(std::str::from_utf8(whole).unwrap_or_default())
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
    let (style, spot) = recognise(&root).map_err(|error| no_data(&error))?;
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
    let about = About { link: sample.link, url: sample.place.url() };
    let records_key = match sample.records {
        Some(path) if !told => Some(path.to_owned()),
        _ if style.preset().is_some() => None,
        _ => Some(own).filter(|own| own != "$[*]"),
    };
    Ok(Found {
        records: records_key,
        rows: rows(style, &records),
        paging: paging::paging(&root, &spot, about),
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
    let paging = paging::paging(
        &Node::Nothing,
        &style::Spot::default(),
        About { link: sample.link, url: sample.place.url() },
    );
    Found { format: Some("ndjson"), rows, paging, ..Found::of(Style::Ndjson) }
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
        None => xml::records(&root).ok_or_else(|| no_data(&NoData::NoRecords))?,
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
    Ok(Found {
        format: (style == Style::Xml).then_some("xml"),
        records: Some(names.join("/")),
        rows: records.into_iter().take(SAMPLE).map(xml::cells).collect(),
        deletes: removed,
        ..Found::of(style)
    })
}

fn no_data(error: &NoData) -> Unknown {
    let remedy = match error {
        NoData::Error => "mend what it complains about, and sample again",
        NoData::NoRecords => "say where the records stand, with --records",
    };
    Unknown::new(error.to_string(), remedy)
}

fn nothing_at() -> Unknown {
    let remedy = "see what the answer looks like, and name another path with --records";
    Unknown::new("there are no records at that path", remedy)
}

/// The records at a path that somebody named.
fn by_path(text: &str, path: &str) -> Result<Vec<Node>, Unknown> {
    let parsed = serde_json_path::JsonPath::parse(path).map_err(|error| {
        let why = format!("{} is no JSONPath ({error})", quoted(&show_at_most(path, 80)));
        Unknown::new(why, "write one such as \"$.data[*]\"")
    })?;
    let root: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let found = parsed.query(&root).all();
    let nodes: Vec<_> =
        found.into_iter().take(SAMPLE).filter_map(|value| Node::deserialize(value).ok()).collect();
    if nodes.iter().any(Node::is_map) { Ok(nodes) } else { Err(nothing_at()) }
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
            deletes: None,
        }
    }

    /// The columns to write, and the key.
    fn layout(&self, table: &Table<'_>) -> (Vec<Column>, Key) {
        if let Some(columns) = &self.columns {
            let of = |name: &String, kind| Column {
                name: name.clone(),
                from: None,
                kind,
                format: None,
                sensitive: false,
                note: None,
            };
            let text = |name| of(name, FieldType::Text);
            let mut all: Vec<_> = columns.dimensions.iter().map(text).collect();
            all.push(of(&columns.measure, FieldType::Decimal));
            all.extend(columns.attributes.iter().map(text));
            let dimensions: Vec<_> = columns.dimensions.iter().map(String::as_str).collect();
            let mut key = key::given(&dimensions);
            key.why = if columns.guessed {
                "guess: attributes may be among them; the structure's definition tells"
            } else {
                "all dimensions"
            };
            return (all, key);
        }
        let key = if self.style == Style::JsonApi {
            key::given(&["type", "id"])
        } else {
            key::guessed(table, self.rows.len()).unwrap_or_else(|| Key {
                columns: vec!["id".to_owned()],
                why: "guess: the sample holds no record to tell from",
            })
        };
        (table.columns.clone(), key)
    }
}

/// The block, and what to say of it.
fn write(sample: &Sample<'_>, found: &Found) -> Proposal {
    let table = Table::of(&found.rows);
    let (columns, key) = found.layout(&table);
    let id = sample.place.feed_id(sample.taken);
    let mut block = Block::default();
    let seen = match found.rows.len() {
        0 if found.columns.is_some() => String::new(),
        rows => format!(" {rows} records looked at,"),
    };
    let mut notes =
        vec![format!("recognised: {};{seen} {} columns", found.style.words(), columns.len())];
    block.say(&format!(
        "Proposed by `marsad feed discover` from {}: {}.",
        sample.place.words(),
        found.style.words()
    ));
    block.say("What is marked as a guess must be compared with the partner's documentation.");
    block.line("[[feed]]");
    block.text("id", &id);
    block.text("connection", sample.connection);
    let since = write_place(sample, found, &mut block, &mut notes);
    if let Some(preset) = found.style.preset() {
        block.text("preset", preset);
    }
    if let Some(format) = found.format {
        block.text("format", format);
    }
    if let Some(records) = &found.records {
        block.text("records", records);
    }
    write_csv(found, &mut block);
    block.key(&key);
    if !sample.place.is_folder() {
        write_paging(found, &mut block);
        write_incremental(found, &columns, since.as_deref(), &mut block);
    }
    write_deletions(found, &table, &mut block);
    block.fields(&columns);
    if found.style == Style::CkanPackage {
        notes.push(
            "this tells where files are: sample the datastore or a file itself, for the data"
                .to_owned(),
        );
    }
    if columns.iter().any(|column| column.sensitive) {
        notes.push("columns that may be about people are marked `sensitive`, by name and look: go through them".to_owned());
    }
    notes.push(format!(
        "put the block into the partner's file, then: marsad config check; the feed is {}",
        quoted(&id)
    ));
    Proposal { style: found.style, feed: id, block: block.into_text(), notes }
}

/// Where the feed is asked for; gives the parameter of the address that asks for changes.
fn write_place(
    sample: &Sample<'_>,
    found: &Found,
    block: &mut Block,
    notes: &mut Vec<String>,
) -> Option<String> {
    let params: Vec<&str> = found.paging.iter().flat_map(Paging::params).collect();
    let path = sample.place.path(&params);
    let Some(path) = path else {
        block.noted(
            &format!("files = {}", quoted(&sample.place.pattern())),
            Some("the sample's name, with * for its digits"),
        );
        return None;
    };
    if path.secret {
        notes.push("a parameter of the address looks like a secret and was left out: it belongs into `auth` of the connection".to_owned());
    }
    if found.style == Style::GraphQl {
        block.noted(
            &format!("path = {}", quoted(&path.text)),
            path.guessed.then_some("guess: put the path of the interface here"),
        );
        block.noted(
            "json = { query = \"\", variables = {} }",
            Some("put the query here, with a variable `after`"),
        );
        return None;
    }
    block.noted(
        &format!("path = {}", quoted(&path.text)),
        path.guessed.then_some("guess: put the path behind base_url here"),
    );
    path.since
}

fn write_csv(found: &Found, block: &mut Block) {
    let Some((delimiter, header_row)) = found.csv else { return };
    if delimiter != b',' {
        let text =
            if delimiter == b'\t' { "\\t".to_owned() } else { char::from(delimiter).to_string() };
        block.line(&format!("delimiter = \"{text}\""));
    }
    if header_row != 1 {
        block.line(&format!("header_row = {header_row}"));
    }
}

fn write_paging(found: &Found, block: &mut Block) {
    match &found.paging {
        // The preset pages as the style does.
        _ if found.style.preset().is_some() && found.style != Style::Bus => {}
        Some(paging) => block.paging(paging),
        None if matches!(found.style, Style::Single | Style::CkanPackage) => {}
        None => block.say(
            "Nothing in the answer leads to a second page. If there are more, say how to ask for them: `pagination`.",
        ),
    }
}

fn write_incremental(found: &Found, columns: &[Column], since: Option<&str>, block: &mut Block) {
    if found.style.is_sdmx() {
        return block.say("The preset asks for changes only (updatedAfter).");
    }
    let Some(column) = columns.iter().find(|column| is_change(column)) else { return };
    if let Some(param) = since {
        return block.noted(
            &incremental(column, Some(param)),
            Some("the address asked by it; that the column goes with it is a guess"),
        );
    }
    let name = quoted(&column.name);
    if matches!(found.style, Style::Odata | Style::Opendatasoft) {
        block.say(&format!(
            "Guess: {name} is the time of the last change. To ask for changes by it:"
        ));
        return block.say(&incremental(column, None));
    }
    block.say(&format!(
        "Guess: {name} is the time of the last change. If the partner can filter by it, take the parameter's name from"
    ));
    block.say("its documentation; until then everything is read each time.");
    block.say(&incremental(column, Some("updated_since")));
}

fn write_deletions(found: &Found, table: &Table<'_>, block: &mut Block) {
    if let Some(path) = &found.deletes {
        block.say("Guess: these are records that are gone. If so:");
        block.say(&format!("deletes = {}", quoted(path)));
    }
    if let Some((column, value)) = deletion(table).filter(|_| found.columns.is_none()) {
        let column = table.columns.iter().find(|c| c.name == column);
        let from = column.and_then(|c| c.from.clone()).or(column.map(|c| c.name.clone()));
        block.say("Guess: a record may say so itself that it is gone. If so:");
        block.say(&format!(
            "deleted = {{ field = {}, values = [{}] }}",
            quoted(&from.unwrap_or_default()),
            quoted(value)
        ));
    }
}

/// Whether `url` lies within `base`: the same origin, and the same path or one below it.
pub fn is_within(url: &Url, base: &Url) -> bool {
    let path = base.path().trim_end_matches('/');
    let below = url.path().strip_prefix(path);
    url.origin() == base.origin()
        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;

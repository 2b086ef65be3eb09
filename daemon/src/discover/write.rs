//! Writing a proposal: what was found, as a block, and what is to be said of it.

use marsad_shared::feed::FieldType;
use url::Url;

use super::{
    Proposal, Sample,
    block::{Block, count, incremental, quoted},
    column::{Column, Table, deletion, is_change},
    key::{self, Key},
    look::Found,
    node::Node,
    paging::{Kind, Paging, most_asked},
    style::Style,
};

/// How Opendatasoft is asked for changes.
const WHERE: (&str, Option<&str>) = ("where", Some("{field} >= date'{cursor}'"));

/// Parameters of `OData` by which records are left out, whatever links lead on.
const CAPS: [&str; 2] = ["$top", "$skip"];

/// The block, and what to say of it.
pub(super) fn write(sample: &Sample<'_>, found: &Found) -> Proposal {
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
    if let Some(says) = sample.says {
        let why = format!("the answer says that it is {says}, and all of it is UTF-8");
        block.noted("encoding = \"utf-8\"", Some(&why));
    }
    if let Some(records) = &found.records {
        block.text("records", records);
    }
    if found.may_lack {
        block.line("records_may_lack = true");
    }
    write_csv(found, &mut block);
    if let Some(success) = found.success.as_ref().filter(|_| !sample.place.is_folder()) {
        let guess = "guess: an answer tells its errors there";
        block.noted(&format!("success = {success}"), found.deleted.is_none().then_some(guess));
    }
    write_sheet(found, &mut block, &mut notes);
    block.key(&key);
    if !sample.place.is_folder() {
        write_paging(sample, found, &mut block);
        write_incremental(found, &columns, since.as_deref(), &mut block);
    }
    write_deletions(found, &table, &mut block);
    let whole = found.left() == Left::Nothing && !sample.place.is_folder();
    if whole && since.is_none() && !found.style.is_sdmx() {
        block.say("If each read is all there is, mode = \"snapshot\" tells what is gone; without it, absence means nothing.");
    }
    block.fields(&columns);
    if found.style == Style::CkanPackage {
        notes.push(
            "this tells where files are: sample the datastore or a file itself, for the data"
                .to_owned(),
        );
    }
    if !found.twice.is_empty() {
        let names: Vec<_> = found.twice.iter().map(|name| quoted(name)).collect();
        notes.push(format!(
            "the header has {} twice, and what stands there is left out: have the partner name them apart",
            names.join(", ")
        ));
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
    let mut params: Vec<&str> = found.paging.iter().flat_map(Paging::params).collect();
    let exported = found.style == Style::OpendatasoftExport;
    if exported {
        params.extend(["limit", "offset"]);
    }
    if found.style == Style::Odata {
        params.extend(CAPS);
    }
    let Some(mut path) = sample.place.path(&params) else {
        block.noted(
            &format!("files = {}", quoted(&sample.place.pattern())),
            Some("the sample's name, with * for its digits"),
        );
        if let Some(member) = sample.member {
            let ending = member.rsplit_once('.').map_or("", |(_, ending)| ending);
            block.noted(
                &format!("entries = {}", quoted(&format!("*.{ending}"))),
                Some("guess: such members of the archive are read, all of them as one"),
            );
        }
        return None;
    };
    if exported {
        block.say("By pages no more than 10,000 records are given: an export gives all of them in one answer.");
        path.text = path.text.replacen("/records", "/exports/jsonl", 1);
    }
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

fn write_sheet(found: &Found, block: &mut Block, notes: &mut Vec<String>) {
    let Some((sheet, header_row)) = found.sheet else { return };
    if let Some(number) = sheet {
        block.noted(
            &format!("sheet = {number}"),
            Some("guess: the workbook has several; its name will do too"),
        );
    }
    if header_row != 1 {
        block.line(&format!("header_row = {header_row}"));
    }
    notes.push("the rows of a sheet end where its key is empty: if a total stands in that column, put its word into `stop`".to_owned());
}

/// Whether the address asked an `OData` service for a part alone.
fn is_capped(sample: &Sample<'_>, found: &Found) -> bool {
    let mut names = sample.place.url().into_iter().flat_map(Url::query_pairs);
    found.style == Style::Odata && names.any(|(name, _)| CAPS.contains(&name.as_ref()))
}

fn write_paging(sample: &Sample<'_>, found: &Found, block: &mut Block) {
    let left = found.left();
    let asked = most_asked(sample.place.url()).and_then(|most| usize::try_from(most).ok());
    if is_capped(sample, found) {
        if let Left::Counted { total, here } = left {
            block.say(&format!(
                "The answer holds {here} of {total} records, as its address asked for."
            ));
        }
        return block.say(
            "$top and $skip are left out of the path: they cap what is given in all, and pages come without them.",
        );
    }
    match (left, &found.paging) {
        (Left::Counted { total, here }, _) => {
            block.say(&format!(
                "The answer holds {here} of {total} records, and nothing in it leads to the others: say how to ask for them, \
                 `pagination`."
            ));
            // Until then each run says what it lacks.
            if let Some(total) = found.counted.as_ref().filter(|_| found.style.preset().is_none()) {
                block.line(&format!("pagination = {{ kind = \"none\", {} }}", count(total)));
            }
        }
        (Left::Said(more), _) => block.say(&format!(
            "The answer says that there is more ({more}), and not how it is asked for: without `pagination` only its first page is \
             read."
        )),
        // The preset pages as the style does.
        (Left::Nothing, _) if found.style.pages() => {}
        (Left::Nothing, Some(paging)) => block.paging(paging),
        (Left::Nothing, None) if found.style.is_one_answer() => {}
        (Left::Nothing, None) if found.rows.len() > 1 && asked == Some(found.rows.len()) => block.say(&format!(
            "The address asks for {0} records at most, and {0} came: there are more behind them, it seems. Say how to ask for them, \
             `pagination`.",
            found.rows.len()
        )),
        (Left::Nothing, None) => block.say(
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
            &incremental(column, Some((param, None))),
            Some("the address asked by it; that the column goes with it is a guess"),
        );
    }
    let name = quoted(&column.name);
    if matches!(found.style, Style::Odata | Style::Opendatasoft | Style::OpendatasoftExport) {
        block.say(&format!(
            "Guess: {name} is the time of the last change. To ask for changes by it:"
        ));
        let param = found.style == Style::OpendatasoftExport;
        return block.say(&incremental(column, param.then_some(WHERE)));
    }
    block.say(&format!(
        "Guess: {name} is the time of the last change. If the partner can filter by it, take the parameter's name from"
    ));
    block.say("its documentation; until then everything is read each time.");
    block.say(&incremental(column, Some(("updated_since", None))));
}

fn write_deletions(found: &Found, table: &Table<'_>, block: &mut Block) {
    if let Some(deleted) = &found.deleted {
        return block.line(&format!("deleted = {deleted}"));
    }
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

/// What an answer says that there is beside what it holds, and to which nothing in it leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left<'f> {
    Nothing,
    Counted {
        total: u64,
        here: usize,
    },
    /// Where it says so.
    Said(&'f str),
}

impl Found {
    fn left(&self) -> Left<'_> {
        let leads = match (&self.paging, self.style) {
            // Its preset goes by links alone.
            (paging, Style::Odata) => {
                paging.as_ref().is_some_and(|paging| matches!(paging.kind, Kind::NextUrl { .. }))
            }
            (paging, style) => paging.is_some() || style.pages() || style.is_one_answer(),
        };
        match (self.of_all, &self.more) {
            _ if leads => Left::Nothing,
            (Some((total, here)), _) => Left::Counted { total, here },
            (None, Some(more)) => Left::Said(more),
            (None, None) => Left::Nothing,
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
                nothing: false,
                utc: false,
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
        let mut columns = table.columns.clone();
        for (at, column) in columns.iter_mut().enumerate() {
            let is_text = |cell: Option<&Node>| matches!(cell, Some(Node::Text(_)));
            let names = column.kind == FieldType::Integer && key.columns.contains(&column.name);
            if names && table.cells(at).iter().copied().any(is_text) {
                // What is written as text may be a name that begins with a zero, in a record that did not come yet.
                column.kind = FieldType::Text;
            }
        }
        (columns, key)
    }
}

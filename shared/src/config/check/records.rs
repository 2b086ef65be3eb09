//! Where the records of a page or file stand, and which of them are deletions.

use std::path::Path;

use crate::{
    config::{
        raw::{RawDeleted, RawFeed},
        source::{Report, quoted},
        table::{At, Given},
    },
    feed::{Deleted, FieldPath, Format, OWN_TEXT, PathError, RecordsPath, XmlPath},
    request::Preset,
};

/// Where things stand in a feed's records, as far as the configuration says how they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Places {
    /// Names and `JSONPath`s.
    Json,
    /// Paths of local names.
    Xml,
    /// Headers, or the ids of a statistical message.
    Names,
}

impl Places {
    /// As the format says, or the names of the files.
    pub(super) fn of(raw: &RawFeed) -> Self {
        let ending = raw.files.value().and_then(|files| Path::new(files).extension());
        let named = |wanted: &str| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(wanted));
        match raw.format.value() {
            Some(Format::Xml) => Self::Xml,
            Some(Format::Csv | Format::Sdmx | Format::Xlsx) => Self::Names,
            None if named("csv") || named("xlsx") || named("xlsm") => Self::Names,
            None if named("xml") => Self::Xml,
            None | Some(Format::Json | Format::Ndjson) => Self::Json,
        }
    }
}

/// What is taken from a page or file, and as what.
pub(super) struct Selection {
    pub(super) records: RecordsPath,
    pub(super) may_lack: bool,
    pub(super) deletes: Option<RecordsPath>,
    pub(super) deleted: Option<Deleted>,
}

/// Checks where records stand and which of them are deletions.
pub(super) fn selection(block: &At<RawFeed>, report: &mut Report<'_>) -> Option<Selection> {
    let (raw, places) = (&block.value, Places::of(&block.value));
    refuse_by_format(raw, report);
    let records = records(block, places, report);
    let deletes = raw.deletes.here().map(|at| path(at, places, report));
    let rule = raw.deleted.here().map(|at| rule(&at.value, places, report));
    // A preset knows how its deletions are written, unless the feed says otherwise.
    let preset = raw.preset.value().filter(|preset| **preset == Preset::OData);
    if matches!(raw.deletes, Given::Wrong) || matches!(raw.deleted, Given::Wrong) {
        return None;
    }
    // What is written must be read; what is not written is nothing.
    Some(Selection {
        may_lack: may_lack(raw, report)?,
        records: records?,
        deletes: deletes.map_or(Some(None), |read| read.map(Some))?,
        deleted: match rule {
            None => preset.map(|_| Deleted::OData),
            Some(read) => Some(read?),
        },
    })
}

/// Where the records of a page or file stand.
fn records(block: &At<RawFeed>, places: Places, report: &mut Report<'_>) -> Option<RecordsPath> {
    match &block.value.records {
        Given::Wrong => None,
        Given::Here(at) => path(at, places, report),
        Given::Absent if places == Places::Xml => {
            let remedy =
                "write the local names that lead to a record, such as \"Envelope/Body/Reply/Case\"";
            report.missing(&block.place.child("records"), "is missing", remedy);
            None
        }
        Given::Absent => Some(RecordsPath::Plain(Vec::new())),
    }
}

/// Whether the list of records may be left out of what stands around it.
fn may_lack(raw: &RawFeed, report: &mut Report<'_>) -> Option<bool> {
    let has_envelope = matches!(raw.format.value(), None | Some(Format::Json | Format::Xml));
    if !has_envelope {
        raw.records_may_lack
            .refuse(report, "means nothing to a format that is neither JSON nor XML");
    } else if matches!(raw.records.value().map(String::as_str), None | Some("$" | "$[*]")) {
        raw.records_may_lack.refuse(report, "means nothing where the list is all there is");
    }
    raw.records_may_lack.or(false)
}

fn rule(raw: &RawDeleted, places: Places, report: &mut Report<'_>) -> Option<Deleted> {
    let (field, values) = (raw.field.here(), raw.values.here());
    if let Some(at) = values
        && at.value.is_empty()
    {
        let remedy = "write what stands there in a deletion, such as [\"delete\"] or [\"true\"]";
        report.wrong(&at.place, "names no value", remedy);
        return None;
    }
    let field = field?;
    if !stands(&field.value, places, field, report) {
        return None;
    }
    Some(Deleted::Field { field: field.value.clone(), values: values?.value.clone() })
}

/// Refuses what means nothing to the format.
fn refuse_by_format(raw: &RawFeed, report: &mut Report<'_>) {
    let Some(format) = raw.format.value() else { return };
    if !matches!(format, Format::Json | Format::Xml) {
        let problem = "means nothing to a format that is neither JSON nor XML";
        raw.records.refuse(report, problem);
        raw.deletes.refuse(report, problem);
    }
    if *format == Format::Sdmx {
        raw.deleted.refuse(report, "means nothing to SDMX, whose data sets say it themselves");
    }
}

fn path(at: &At<String>, places: Places, report: &mut Report<'_>) -> Option<RecordsPath> {
    let text = &at.value;
    let read = if places == Places::Xml { RecordsPath::xml(text) } else { RecordsPath::json(text) };
    let error = match read {
        Ok(path) => return Some(path),
        Err(error) => error,
    };
    let remedy = if places == Places::Xml {
        "write local names such as \"Envelope/Body/Reply/Case\""
    } else if !text.starts_with('$') && RecordsPath::xml(text).is_ok() {
        "write one such as \"$.data[*]\", or add format = \"xml\" for a path of local names"
    } else {
        "write one such as \"$.data[*]\" or \"$.meta.next\""
    };
    wrong(at, text, &error, remedy, report);
    None
}

/// Whether something can be looked for there, inside a record.
pub(super) fn stands<T>(name: &str, places: Places, at: &At<T>, report: &mut Report<'_>) -> bool {
    let (read, remedy) = match places {
        Places::Json => (
            FieldPath::parse(name).map(drop),
            "write a name, or a path such as \"$.child.eid\", \"$.partner[0]\" or \"$.ids[?@.kind=='card'].value\"",
        ),
        Places::Xml if name == OWN_TEXT => return true,
        Places::Xml => (
            XmlPath::parse(name).map(drop),
            "write one such as \"Kind\", \"@id\", \"Area/@code\", \"Date[@calendar='hijri']\" or \"#text\" (the record's own text)",
        ),
        Places::Names => return true,
    };
    match read {
        Ok(()) => true,
        Err(error) => {
            wrong(at, name, &error, remedy, report);
            false
        }
    }
}

fn wrong<T>(at: &At<T>, text: &str, error: &PathError, remedy: &str, report: &mut Report<'_>) {
    report.wrong(&at.place, format!("{} {error}", quoted(text)), remedy);
}

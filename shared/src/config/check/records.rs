//! Where the records of a page or file stand.

use crate::{
    config::{
        raw::RawFeed,
        source::{Report, quoted},
        table::{At, Given},
    },
    feed::{Format, RecordsPath},
};

/// Checks `records`.
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

fn records_path(at: &At<String>, report: &mut Report<'_>) -> Option<RecordsPath> {
    match RecordsPath::json(&at.value) {
        Ok(path) => Some(path),
        Err(error) => {
            let problem = format!("{} {error}", quoted(&at.value));
            report.wrong(&at.place, problem, "write one such as \"$.data[*]\" or \"$.meta.next\"");
            None
        }
    }
}

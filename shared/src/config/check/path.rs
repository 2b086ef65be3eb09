//! Paths into a page: JSONPath, or the local names of XML elements.

use crate::{
    config::{
        raw::RawFeed,
        source::{Report, quoted},
        table::At,
    },
    feed::ScalarPath,
};

/// What a path into JSON looks like.
const JSON: &str = "write one such as \"$.data[*]\" or \"$.meta.next\"";

/// A path to one value of an answer that holds no records: JSON or XML, as the path is written, whatever the records come in.
pub(super) fn of_answer(at: &At<String>, report: &mut Report<'_>) -> Option<ScalarPath> {
    let path = ScalarPath::parse(&at.value);
    let told = |error| report.wrong(&at.place, format!("{} {error}", quoted(&at.value)), JSON);
    path.map_err(told).ok()
}

/// A path to one value of a page of `feed`.
pub(super) fn scalar(
    at: &At<String>,
    feed: &RawFeed,
    report: &mut Report<'_>,
) -> Option<ScalarPath> {
    let text = &at.value;
    let format = feed.format.value().map_or("json", |format| format.word());
    if !matches!(format, "json" | "xml" | "sdmx") {
        let problem = format!("cannot be found in {format}, which has no envelope");
        report.wrong(&at.place, problem, "take it out, or use a header of the answer");
        return None;
    }
    let remedy =
        if format == "xml" { "write one such as \"Envelope/Body/Batch/@nextToken\"" } else { JSON };
    match ScalarPath::parse(text) {
        Ok(path) if path.is_xml() == (format == "xml") => Some(path),
        Ok(_) => {
            let problem = format!(
                "{} leads into {}, and the pages are {format}",
                quoted(text),
                if format == "xml" { "JSON" } else { "XML" }
            );
            report.wrong(&at.place, problem, remedy);
            None
        }
        Err(error) => {
            report.wrong(&at.place, format!("{} {error}", quoted(text)), remedy);
            None
        }
    }
}

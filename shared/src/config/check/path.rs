//! Paths into a page: JSONPath, or the local names of XML elements.

use crate::{
    config::{
        raw::RawFeed,
        source::{Report, quoted},
        table::At,
    },
    feed::ScalarPath,
};

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
    let remedy = if format == "xml" {
        "write one such as \"Envelope/Body/Batch/@nextToken\""
    } else {
        "write one such as \"$.data[*]\" or \"$.meta.next\""
    };
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

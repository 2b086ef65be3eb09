//! The encoding of a feed's text.

use encoding_rs::{Encoding, REPLACEMENT, X_USER_DEFINED};

use crate::{
    config::{
        raw::RawFeed,
        source::{Report, quoted},
    },
    feed::Format,
};

/// The encoding, by its name in the WHATWG's list; `None` too where what is written is reported as wrong. XML says
/// itself in which one it is.
pub(super) fn encoding(raw: &RawFeed, report: &mut Report<'_>) -> Option<String> {
    let at = raw.encoding.here()?;
    let label = quoted(&at.value);
    let known = Encoding::for_label(at.value.as_bytes());
    // One that stands for those which must not be decoded, and one of no text.
    let Some(known) = known.filter(|known| ![REPLACEMENT, X_USER_DEFINED].contains(known)) else {
        let remedy =
            "use one of the WHATWG's labels, such as \"utf-8\", \"windows-1256\" or \"utf-16le\"";
        report.wrong(&at.place, format!("{label} is no encoding"), remedy);
        return None;
    };
    if let Some(which @ (Format::Xml | Format::Xlsx)) = raw.format.value() {
        let which = if *which == Format::Xml { "XML" } else { "a workbook" };
        let problem =
            format!("means nothing to {which}, which says itself in which encoding it is");
        report.wrong(&at.place, problem, "take it out");
        return None;
    }
    Some(known.name().to_owned())
}

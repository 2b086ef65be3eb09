//! What would make a refused thing acceptable, in a sentence.

use encoding_rs::Encoding;

use super::{Kind, Place};
use crate::id::{FeedId, QuarantineId};

/// Why a row that could be accepted is left in quarantine by a replay.
pub const NEWER: &str = "a newer one is in the bank; discard it, or replay it with --force";

/// What lets a file past the brake that held it, before the run.
const RELEASE: &str = "marsad run release ";

/// What would mend it, and what to do then. `replayable`: whether all that a replay needs was kept.
pub fn fix(
    id: QuarantineId,
    feed: &FeedId,
    kind: Kind,
    reason: &str,
    place: &Place,
    replayable: bool,
) -> String {
    let again = match (kind, replayable) {
        (_, true) => format!("marsad quarantine replay {id}"),
        (Kind::Row, false) => {
            format!("marsad resync {feed} --full, as not all of the row was kept")
        }
        (Kind::File, false) => "put the file into the folder once more".to_owned(),
    };
    let discard = format!("marsad quarantine discard {id} --reason TEXT");
    if reason == NEWER {
        return format!("the bank has what came later: {discard}");
    }
    match (kind, &place.field) {
        (Kind::File, _) if reason.contains(RELEASE) => {
            let run = reason.split(RELEASE).nth(1).and_then(|rest| rest.split_whitespace().next());
            format!(
                "ask the partner; if it is right: {RELEASE}{}; if it is not, have another sent, and then: {discard}",
                run.unwrap_or("RUN")
            )
        }
        (Kind::File, _) if reason.contains("marsad schema") => format!(
            "if it is to stay so, decide it: marsad schema show {feed}, and then: {again}; \
             if it is not, have the partner send another, and then: {discard}"
        ),
        (Kind::Row, Some(_)) if reason.contains("no living record there has it") => {
            format!(
                "have the partner bring that record, then: {again}; or mend this one, and then: {discard}"
            )
        }
        (Kind::File, _) => format!(
            "if the file is right, mend the block of {feed} in its partner's file, then: {again}; \
             if it is not, have the partner send another, and then: {discard}"
        ),
        (Kind::Row, Some(field)) if reason.contains("is missing and must not be") => format!(
            "if it may be missing, take `required` from field {field:?} of {feed}, or name in `from` where else it stands, \
             then: {again}; if it must be there, have the partner send the record with it, and then: {discard}"
        ),
        (Kind::Row, _) if is_no_text(reason) => format!(
            "if the partner writes another encoding, name it in `encoding` of {feed}, then: marsad resync {feed} --full; \
             if it does not, have it send the record again; and then: {discard}"
        ),
        (Kind::Row, Some(field)) => format!(
            "if the value is right, mend the type, the `format` or the rules of field {field:?} of {feed}, then: {again}; \
             if it is wrong, have the partner send the record again, and then: {discard}"
        ),
        (Kind::Row, None) if replayable && !is_broken(reason) => {
            format!("mend the block of {feed}, then: {again}; or: {discard}")
        }
        (Kind::Row, None) => format!(
            "nothing here can mend it: have the partner send the record again, and then: {discard}"
        ),
    }
}

/// Whether a row is said to be no text in the encoding that it was read in.
pub fn is_no_text(reason: &str) -> bool {
    let said = reason.split("; ").next().unwrap_or_default();
    let Some((what, encoding)) = said.split_once(" is not ") else { return false };
    let is_whole = matches!(what, "the record" | "the line");
    let is_cell = what.strip_prefix("cell ").is_some_and(|number| number.parse::<u64>().is_ok());
    (is_whole || is_cell) && Encoding::for_label(encoding.as_bytes()).is_some()
}

/// Whether the row itself is written so that no setting makes sense of it.
fn is_broken(reason: &str) -> bool {
    let signs = ["cells and the header", "not a JSON object", "stands twice", "nested deeper"];
    signs.iter().any(|sign| reason.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_refusal_has_a_way_out() {
        let feed: FeedId = "health/visits".parse().unwrap();
        let field = |name: &str| Place { field: Some(name.to_owned()), ..Place::default() };
        for (kind, reason, place, replayable, parts) in [
            (
                Kind::Row,
                "field \"grade\" is missing and must not be",
                field("grade"),
                true,
                &["`required` from field \"grade\"", "replay q7", "discard q7"][..],
            ),
            (
                Kind::Row,
                "field \"grade\" is not a whole number",
                field("grade"),
                true,
                &["the type, the `format`", "replay q7"],
            ),
            (
                Kind::Row,
                "field \"grade\" is not a whole number",
                field("grade"),
                false,
                &["marsad resync health/visits --full"],
            ),
            (
                Kind::Row,
                "cell 2 is not windows-1256; have it written in windows-1256",
                Place::default(),
                true,
                &["`encoding` of health/visits"],
            ),
            (
                Kind::Row,
                "the record is not a number",
                Place::default(),
                true,
                &["mend the block of health/visits"],
            ),
            (
                Kind::Row,
                "the record is not UTF-8",
                Place::default(),
                true,
                &[
                    "`encoding` of health/visits",
                    "marsad resync health/visits --full",
                    "discard q7",
                ],
            ),
            (
                Kind::Row,
                "the row has 3 cells and the header 4; look for …",
                Place::default(),
                true,
                &["nothing here can mend it", "discard q7"],
            ),
            (
                Kind::Row,
                "the line is not UTF-8",
                Place::default(),
                false,
                &["send the record again"],
            ),
            (Kind::Row, NEWER, Place::default(), true, &["what came later", "discard q7"]),
            (
                Kind::File,
                "the header lacks \"grade\"",
                Place::default(),
                true,
                &["block of health/visits", "replay q7"],
            ),
            (
                Kind::Row,
                "field \"family\" refers to \"id\" of p/families, and no living record there has it; have …",
                field("family"),
                true,
                &["bring that record", "replay q7"],
            ),
            (
                Kind::File,
                "column \"x\" is gone; if it is to stay so, decide it: marsad schema show FEED",
                Place::default(),
                true,
                &["marsad schema show health/visits", "replay q7"],
            ),
            (
                Kind::File,
                "it would delete 9 of 10 records; ask the partner, and if that is right: marsad run release r12",
                Place::default(),
                true,
                &["if it is right: marsad run release r12;", "discard q7"],
            ),
            (Kind::File, "it is a link", Place::default(), false, &["once more"]),
        ] {
            let said = fix(QuarantineId(7), &feed, kind, reason, &place, replayable);
            for part in parts {
                assert!(said.contains(part), "{reason}: {said}");
            }
        }
    }
}

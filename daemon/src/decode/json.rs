//! JSON and NDJSON: documents to records, one at a time, numbers kept as they were written, and beside them whatever
//! else is wanted of the document, in one walk over it.

use std::{
    io::{self, BufRead, Read as _},
    mem::replace,
};

use super::{DEPTH_MAX, DecodeError, Flow, Plan, ROW_MAX, Scalar, Standing, Text};

mod error;
mod name;
mod object;
mod query;
mod scan;
mod strict;
mod walk;

pub(crate) use error::{ERRORS, FLAGS, PARTS, error_in, is_no, is_nothing, words_of};
pub(crate) use name::Name;
pub(crate) use object::{Object, Written};
use query::built;
pub(crate) use strict::{bad_escape, twice};
use walk::{Each, Tree, Walked};

/// The largest document that is built in memory, because one of its paths is not plain, in bytes: small values cost many
/// times what they are written in.
const BUILT_MAX: usize = 32 * 1024 * 1024;

/// Hands each record of a JSON document to `each` while the document is read: as text, or as its bytes where they are no
/// UTF-8. Whatever becomes of the records, what stands at the other paths of `plan` is given, in their order; all of it is
/// absent if the document cannot be read.
///
/// # Errors
/// [`DecodeError::Truncated`] if it ends in the middle, [`DecodeError::Format`] if it is no JSON, and
/// [`DecodeError::Layout`] if there is nothing at `records`, or [`DecodeError::Lacking`] where no more than the list is missing:
/// that is not the same as no records.
pub fn read(
    mut bytes: impl BufRead,
    plan: &Plan<'_>,
    mut each: impl FnMut(Text<'_>, Standing) -> Flow,
) -> (Vec<Scalar>, Result<(), DecodeError>) {
    let Some(tree) = Tree::of_all(plan) else {
        let mut text = Vec::new();
        let read = bytes.by_ref().take(BUILT_MAX as u64 + 1).read_to_end(&mut text);
        return match read {
            Ok(_) => page(&text, plan, each),
            Err(error) => (vec![Scalar::Absent; plan.scalars.len()], Err(DecodeError::Io(error))),
        };
    };
    found(plan, |_| tree.stream(bytes, &mut each))
}

/// As [`read`], of a document that is held already: its records are not copied.
pub fn page(
    bytes: &[u8],
    plan: &Plan<'_>,
    mut each: impl FnMut(Text<'_>, Standing) -> Flow,
) -> (Vec<Scalar>, Result<(), DecodeError>) {
    let each: &mut Each<'_> = &mut each;
    found(plan, |scalars| {
        match (simdutf8::compat::from_utf8(bytes), Tree::of_all(plan)) {
        (Ok(text), Some(tree)) => tree.slice(text, each),
        // Which of its records are no text is told one by one.
        (Err(_), Some(tree)) => tree.stream(bytes, each),
        (_, None) if bytes.len() > BUILT_MAX => Err(DecodeError::TooLarge(
            "it is larger than 32 MiB, and a path of the feed is not a plain one; write it as one, such as $.data[*]"
                .to_owned(),
        )),
        (Ok(text), None) => built(text, plan, each, scalars),
        (Err(error), None) => Err(at_no_text(bytes, &error)),
    }
    })
}

/// What a walk found, with all of it absent if the document cannot be read.
fn found(
    plan: &Plan<'_>,
    walk: impl FnOnce(&mut [Scalar]) -> Result<Walked, DecodeError>,
) -> (Vec<Scalar>, Result<(), DecodeError>) {
    let mut scalars = vec![Scalar::Absent; plan.scalars.len()];
    match walk(&mut scalars) {
        Ok(Walked { scalars: found, records }) => {
            for (at, scalar) in found {
                if let Some(slot) = scalars.get_mut(at) {
                    *slot = scalar;
                }
            }
            (scalars, records)
        }
        Err(error) => {
            scalars.fill(Scalar::Absent);
            (scalars, Err(error))
        }
    }
}

/// Hands each line of an NDJSON document to `each`, with its number from 1; empty lines are passed over.
///
/// # Errors
/// [`DecodeError::RowTooLong`] and [`DecodeError::Io`]; [`DecodeError::Format`] if it begins as a web page does. Any other
/// line that is no JSON is that record's trouble alone.
pub fn read_lines(
    mut bytes: impl BufRead,
    mut each: impl FnMut(Result<&str, &[u8]>, u64) -> Flow,
) -> Result<(), DecodeError> {
    let (mut line, mut number, mut begun) = (Vec::new(), 0, false);
    loop {
        line.clear();
        let limit = ROW_MAX as u64 + 1;
        let read =
            bytes.by_ref().take(limit).read_until(b'\n', &mut line).map_err(DecodeError::Io)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if read > ROW_MAX {
            return Err(DecodeError::RowTooLong { line: number });
        }
        let text = line.trim_ascii();
        let text =
            if number == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
        if text.is_empty() {
            continue;
        }
        if !replace(&mut begun, true) && text.starts_with(b"<") {
            return Err(DecodeError::web_page());
        }
        if each(simdutf8::basic::from_utf8(text).map_err(|_| text), number) == Flow::Stop {
            return Err(DecodeError::Stopped);
        }
    }
}

/// A value's text as a scalar.
fn scalar_of(json: &str) -> Scalar {
    match json.as_bytes().first() {
        None => Scalar::Absent,
        Some(b'n') => Scalar::Null,
        Some(b'"') => {
            // A broken escape stays as it was written.
            Scalar::Text(serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()))
        }
        Some(_) => Scalar::Json(json.to_owned()),
    }
}

/// Whether a JSON value is nested deeper than [`DEPTH_MAX`] levels.
pub(crate) fn is_too_deep(json: &str) -> bool {
    let opens = |byte: u8| matches!(byte, b'[' | b'{');
    // So few brackets cannot be nested so deep, however they stand; counting them is quick.
    if json.bytes().filter(|byte| opens(*byte)).count() <= DEPTH_MAX {
        return false;
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ if opens(byte) => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

fn nothing_at(path: &str) -> DecodeError {
    DecodeError::Layout(format!(
        "there is nothing at {path}; see what the answer looks like and mend `records`"
    ))
}

/// As [`nothing_at`], where the object is there that should hold the list.
fn lacking(path: &str) -> DecodeError {
    match nothing_at(path) {
        DecodeError::Layout(text) => DecodeError::Lacking(text),
        other => other,
    }
}

pub(super) fn failure(error: &serde_json::Error) -> DecodeError {
    failure_behind(error, 0, 0)
}

/// What is wrong with a part of a document that begins behind so many lines, and so many bytes of the next.
fn failure_behind(error: &serde_json::Error, lines: usize, bytes: usize) -> DecodeError {
    let column = error.column() + if error.line() == 1 { bytes } else { 0 };
    let line = error.line() + lines;
    match error.classify() {
        serde_json::error::Category::Syntax
            if error.to_string().starts_with("recursion limit exceeded") =>
        {
            DecodeError::TooDeep { levels: DEPTH_MAX, line }
        }
        serde_json::error::Category::Syntax
            if error.to_string().starts_with("invalid unicode code point") =>
        {
            not_utf8(line, column)
        }
        serde_json::error::Category::Eof => DecodeError::Truncated { line, column },
        serde_json::error::Category::Io => DecodeError::Io(io::Error::new(
            error.io_error_kind().unwrap_or(io::ErrorKind::Other),
            error.to_string(),
        )),
        serde_json::error::Category::Syntax => not_json(line, column),
        serde_json::error::Category::Data => DecodeError::Layout(format!(
            "it is laid out otherwise (line {line}, column {column}): mend `records`"
        )),
    }
}

fn not_json(line: usize, column: usize) -> DecodeError {
    DecodeError::Format(format!(
        "it is not JSON (line {line}, column {column}); a login or error page may stand in its place"
    ))
}

fn not_utf8(line: usize, column: usize) -> DecodeError {
    DecodeError::Encoding(format!(
        "line {line} is not UTF-8 (column {column}); have it written in UTF-8"
    ))
}

/// What is wrong with a document that has to be read whole and is no text: it may end in the middle of a letter.
fn at_no_text(bytes: &[u8], error: &simdutf8::compat::Utf8Error) -> DecodeError {
    let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (line, column) = (before.split(|byte| *byte == b'\n').count(), before.len() - begin);
    match error.error_len() {
        None => DecodeError::Truncated { line, column },
        Some(_) => not_utf8(line, column + 1),
    }
}

#[cfg(test)]
mod tests {
    use marsad_shared::feed::{RecordsPath, ScalarPath};

    use super::*;

    fn records(text: &str, names: &[&str]) -> Result<Vec<String>, DecodeError> {
        let path = RecordsPath::Plain(names.iter().map(|&name| name.to_owned()).collect());
        let plan = Plan { records: Some(&path), deletes: None, scalars: &[] };
        let mut records = Vec::new();
        let keep = |record: Text<'_>, _: Standing| {
            records.push(record.unwrap().to_owned());
            Flow::More
        };
        let (_, streamed) = read(text.as_bytes(), &plan, keep);
        let mut held = Vec::new();
        let (_, end) = page(text.as_bytes(), &plan, |record, _| {
            held.push(record.unwrap().to_owned());
            Flow::More
        });
        assert_eq!(format!("{streamed:?}"), format!("{end:?}"), "{text}");
        assert_eq!(records, held, "however it is read");
        end.map(|()| held)
    }

    /// What stands at `paths`, and which records were found, `-` before those that are deleted.
    fn found(
        text: &str,
        (records, deletes): (&str, Option<&str>),
        paths: &[&str],
    ) -> (Vec<Scalar>, Result<Vec<String>, Reason>) {
        let records = RecordsPath::json(records).unwrap();
        let deletes = deletes.map(|path| RecordsPath::json(path).unwrap());
        let scalars: Vec<_> = paths.iter().map(|path| ScalarPath::parse(path).unwrap()).collect();
        let plan = Plan { records: Some(&records), deletes: deletes.as_ref(), scalars: &scalars };
        let mut kept = Vec::new();
        let (scalars, end) = page(text.as_bytes(), &plan, |record, standing| {
            let record = record.unwrap();
            kept.push(format!("{}{record}", if standing == Standing::Gone { "-" } else { "" }));
            Flow::More
        });
        (scalars, end.map(|()| kept).map_err(|error| error.reason()))
    }

    #[test]
    fn records_are_found_at_the_end_of_their_path_as_they_were_written() {
        let text = r#"{"meta":{"n":2},"data":{"rows":[{"id":1.10},{"id":784000000000001123456}]},"x":[1]}"#;
        assert_eq!(
            records(text, &["data", "rows"]).unwrap(),
            [r#"{"id":1.10}"#, r#"{"id":784000000000001123456}"#]
        );
        assert_eq!(records("[1, 2]", &[]).unwrap(), ["1", "2"]);
        assert_eq!(
            records(r#"{"data":[]}"#, &["data"]).unwrap(),
            [""; 0],
            "no records is a good answer"
        );
    }

    #[test]
    fn what_is_no_page_of_records_is_told_by_its_kind() {
        for (text, expected, why) in [
            (r#"{"data":[{"id":1},{"id""#, Reason::Truncated, "cut off"),
            ("<html>login</html>", Reason::NotJson, "a page for people"),
            (r#"{"error":"no"}"#, Reason::Schema, "no such path"),
            (r#"{"data":null}"#, Reason::Schema, "null where records belong"),
            (r#"{"data":{"id":1}}"#, Reason::Schema, "an object where the array belongs"),
            (r#"{"data":[]} trailing"#, Reason::NotJson, "something behind the document"),
        ] {
            assert_eq!(records(text, &["data"]).unwrap_err().reason(), expected, "{why}");
        }
    }

    #[test]
    fn a_list_that_is_missing_is_told_apart_from_what_is_laid_out_otherwise() {
        for (text, expected, why) in [
            (r#"{"data":{}}"#, true, "left out"),
            (r#"{"data":{"rows":null,"n":0}}"#, true, "null"),
            ("{}", false, "nor what holds it"),
            (r#"{"data":null}"#, false, "null where that should be"),
            (r#"{"data":[]}"#, false, "a list where that should be"),
            (r#"{"data":{"rows":{}}}"#, false, "an object"),
            ("[]", false, "no object at all"),
        ] {
            let end = records(text, &["data", "rows"]).unwrap_err();
            assert_eq!(matches!(end, DecodeError::Lacking(_)), expected, "{why}");
        }
    }

    #[test]
    fn a_record_without_end_is_refused_and_survived() {
        let mut text = br#"{"data":[{"id":"a"},{"id":""#.to_vec();
        text.resize(ROW_MAX + 1024 * 1024, b'x');
        let path = RecordsPath::Plain(vec!["data".to_owned()]);
        let plan = Plan { records: Some(&path), deletes: None, scalars: &[] };
        let mut met = 0;
        let (_, end) = read(text.as_slice(), &plan, |_, _| {
            met += 1;
            Flow::More
        });
        assert!(matches!(end, Err(DecodeError::RowTooLong { line: 1 })), "{end:?}");
        assert_eq!(met, 1, "what stood before it was met");
    }

    #[test]
    fn nesting_without_end_is_refused_and_survived() {
        let deep = "[".repeat(100_000);
        assert!(records(&format!("{{\"data\":[{deep}"), &["data"]).is_err());
        let whole = format!("{deep}{}", "]".repeat(100_000));
        let beside = format!("{{\"x\":{whole},\"data\":[]}}");
        let end = records(&beside, &["data"]).unwrap_err();
        assert!(matches!(end, DecodeError::TooDeep { line: 1, .. }), "{end:?}");
        let (_, end) = found(&beside, ("$.data", None), &[]);
        assert_eq!(end, Err(Reason::Decode), "of a page that is held, too");
        let (scalars, end) = found(&beside, ("$.data[*]", None), &["$.x"]);
        assert_eq!((scalars, end), (vec![Scalar::Absent], Err(Reason::Decode)));
        assert_eq!(records(&whole, &[]).unwrap().len(), 1, "the record is refused by itself");
        for (text, expected) in [
            ("[".repeat(DEPTH_MAX), false),
            ("[".repeat(DEPTH_MAX + 1), true),
            (format!("\"{deep}\""), false),
            (format!("\"\\\"{deep}\""), false),
            ("[],{}".repeat(1_000), false),
        ] {
            assert_eq!(
                is_too_deep(&text),
                expected,
                "{}",
                text.chars().take(9).collect::<String>()
            );
        }
    }

    #[test]
    fn a_page_is_asked_for_all_that_is_wanted_of_it_at_once() {
        let text = |text: &str| Scalar::Text(text.to_owned());
        let json = |text: &str| Scalar::Json(text.to_owned());
        let page = r#"{"meta":{"next":"a\"b","total":12345678901234567890123,"empty":"","no":null,"more":true,
            "links":[{"rel":"self","href":"/1"},{"rel":"next","href":"/2"}]},
            "data":[{"id":1}],"@odata.nextLink":"/3","gone":[{"id":2}]}"#;
        for (path, expected) in [
            ("$.meta.next", text("a\"b")),
            ("$.meta.total", json("12345678901234567890123")),
            ("$.meta.empty", text("")),
            ("$.meta.no", Scalar::Null),
            ("$.meta.more", json("true")),
            ("$.meta.next.deeper", Scalar::Absent),
            ("$.nothing", Scalar::Absent),
            ("$['@odata.nextLink']", text("/3")),
            ("$.gone", json(r#"[{"id":2}]"#)),
            ("$.data", json(r#"[{"id":1}]"#)),
            ("$.meta.links[?@.rel=='next'].href", text("/2")),
            ("$..total", json("12345678901234567890123")),
            ("$.meta.links[7]", Scalar::Absent),
            ("Envelope/Body", Scalar::Absent),
        ] {
            let lists = ("$.data[*]", Some("$.gone[*]"));
            let both = [r#"{"id":1}"#.to_owned(), r#"-{"id":2}"#.to_owned()];
            let one = found(page, lists, &[path]);
            assert_eq!(one, (vec![expected.clone()], Ok(both.to_vec())), "{path}");
            let held = found(page, ("$.data.*", Some("$.gone.*")), &[path, path]);
            assert_eq!(held, (vec![expected.clone(), expected], Ok(both.to_vec())), "{path}, held");
        }
        let (all, _) = found(page, ("$.data[*]", None), &["$.meta", "$.meta.more", "$.meta.no"]);
        assert!(matches!(&all[0], Scalar::Json(meta) if meta.starts_with(r#"{"next":"#)));
        assert_eq!(all[1..], [json("true"), Scalar::Null], "and what stands in it");
    }

    #[test]
    fn a_name_that_stands_twice_on_the_way_to_what_is_read_refuses_the_page() {
        for (page, scalar, refused, why) in [
            (r#"{"data":[{}],"data":[]}"#, "$.next", true, "the records"),
            (r#"{"a":{"data":[]},"data":[],"a":{}}"#, "$.a.next", true, "on the way to a value"),
            (r#"{"next":"1","data":[],"next":"2"}"#, "$.next", true, "a value"),
            (r#"{"next":"1","data":[],"n\u0065xt":"2"}"#, "$.next", true, "written otherwise"),
            (r#"{"x":1,"data":[],"x":2}"#, "$.next", false, "nobody reads it"),
            (
                r#"{"data":[{"data":1,"next":1,"next":2}]}"#,
                "$.next",
                false,
                "a record's own trouble",
            ),
        ] {
            for records in ["$.data[*]", "$.data[0:]"] {
                let records = RecordsPath::json(records).unwrap();
                let scalars = [ScalarPath::parse(scalar).unwrap()];
                let plan = Plan { records: Some(&records), deletes: None, scalars: &scalars };
                for streamed in [false, true] {
                    let each = |_: Text<'_>, _: Standing| Flow::More;
                    let (_, end) = if streamed {
                        read(page.as_bytes(), &plan, each)
                    } else {
                        self::page(page.as_bytes(), &plan, each)
                    };
                    let twice =
                        matches!(&end, Err(DecodeError::Format(text)) if text.contains("twice"));
                    assert_eq!(twice, refused, "{why}, {streamed}: {page} {end:?}");
                }
            }
        }
    }

    #[test]
    fn lines_that_begin_as_a_web_page_are_none() {
        for (lines, expected, why) in [
            ("{}\n\n{}\n", Ok(2), "two, and an empty one"),
            ("\n <!DOCTYPE html>\n<p>Log in</p>\n", Err(Reason::NotJson), "a page for people"),
            ("busy\n{}\n", Ok(2), "one that is no JSON is that record's trouble"),
            ("{}\n<p>\n", Ok(2), "and so is one that comes later"),
        ] {
            let mut read = 0;
            let end = read_lines(lines.as_bytes(), |_, _| {
                read += 1;
                Flow::More
            });
            assert_eq!(end.map(|()| read).map_err(|error| error.reason()), expected, "{why}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_page_can_be_read_in_it() {
        let text = |text: &str| Scalar::Text(text.to_owned());
        for (page, error, expected) in [
            (
                r#"{"error":{"code":7},"data":[{}]}"#,
                Scalar::Json(r#"{"code":7}"#.to_owned()),
                Ok(()),
            ),
            (r#"{"error":"no"}"#, text("no"), Err(Reason::Schema)),
            (r#"{"data":{"why":[1]},"error":"no"}"#, text("no"), Err(Reason::Schema)),
            (r#"{"data":"none","error":"no"}"#, text("no"), Err(Reason::Schema)),
            (r#"{"data":null,"error":"no"}"#, text("no"), Err(Reason::Schema)),
            (r#"{"error":"no","data":[{}"#, Scalar::Absent, Err(Reason::Truncated)),
            (r#"{"error":"no" "data":[]}"#, Scalar::Absent, Err(Reason::NotJson)),
            ("[1]", Scalar::Absent, Err(Reason::Schema)),
            ("", Scalar::Absent, Err(Reason::Truncated)),
        ] {
            for records in ["$.data[*]", "$.data[0:]"] {
                let (found, end) = found(page, (records, None), &["$.error"]);
                assert_eq!((&found[..], end.map(drop)), (&[error.clone()][..], expected), "{page}");
            }
        }
    }

    use marsad_shared::health::Reason;
}

//! JSON: records and what stands beside them.

use std::io::BufReader;

use marsad_daemon::decode::{DecodeError, Flow, Plan, Scalar, Standing, Text, json};
use marsad_shared::feed::{RecordsPath, ScalarPath};

use crate::{Choices, TIME, documents};

/// What was found in a document: beside the records, the records themselves, and how it ended.
type Found = (Vec<Scalar>, Vec<String>, Result<(), DecodeError>);

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

/// What is wrong and on which line; the column may differ by one where a value is broken off by what follows it.
fn kind(end: &Result<(), DecodeError>) -> String {
    let text = format!("{end:?}");
    let mut parts = text.split("column");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        all + part.trim_start_matches(|c: char| c == ':' || c == ' ' || c.is_ascii_digit())
    })
}

/// Keeps a record, or counts one that is no text.
fn count((found, spoilt): &mut (Vec<String>, usize), record: Text<'_>) -> Flow {
    match record {
        Ok(record) => found.push(record.to_owned()),
        Err(_) => *spoilt += 1,
    }
    Flow::More
}

/// Whether two ends are the same. Where what breaks a value off is a line break, one reader stands before it, the other
/// behind: there the line may differ by one.
fn is_same(one: &Result<(), DecodeError>, other: &Result<(), DecodeError>) -> bool {
    let (one, other) = (kind(one), kind(other));
    let line = |text: &str| -> Option<(String, u64)> {
        let (before, behind) = text.split_once("line")?;
        let behind = behind.trim_start_matches([':', ' ']);
        let digits = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = behind.split_at(digits);
        Some((format!("{before}{rest}"), number.parse().ok()?))
    };
    one == other
        || matches!(
            (line(&one), line(&other)),
            (Some((one, at)), Some((other, also))) if one == other && at.abs_diff(also) == 1
        )
}

fn read(bytes: &[u8], records: &str) -> Found {
    let records = RecordsPath::json(records).unwrap();
    let paths = ["$.meta.next", "$.meta", "$.data[0]"].map(|path| ScalarPath::parse(path).unwrap());
    let plan = Plan { records: Some(&records), deletes: None, scalars: &paths };
    let mut found = (Vec::new(), 0);
    let (scalars, whole) = json::page(bytes, &plan, |record, standing| {
        assert_eq!(standing, Standing::Here);
        count(&mut found, record)
    });
    if !matches!(whole, Ok(()) | Err(DecodeError::Layout(_) | DecodeError::Lacking(_))) {
        assert!(scalars.iter().all(|scalar| *scalar == Scalar::Absent), "of what cannot be read");
    }
    let (found, _) = found;
    let text: usize = found.iter().map(String::len).sum();
    assert!(text <= bytes.len(), "no more than there is");
    // While it streams by it is the same, and so it is where all of it is plain.
    let streamable = Plan { scalars: paths.get(..2).unwrap(), ..plan };
    for plan in [plan, streamable] {
        let mut held = (Vec::new(), 0);
        let (beside, end) = json::page(bytes, &plan, |record, _| count(&mut held, record));
        let (mut streamed, mut few) = ((Vec::new(), 0), BufReader::with_capacity(3, bytes));
        let (also, ended) = json::read(&mut few, &plan, |record, _| count(&mut streamed, record));
        let shown = String::from_utf8_lossy(bytes);
        assert!(is_same(&ended, &end), "{ended:?} {end:?}: {shown}");
        assert_eq!((also, streamed.1), (beside, held.1));
        // A word alone does not say where it ends, and what follows it may be what is wrong.
        let is_word = |record: &String| !record.starts_with(['"', '{', '[']);
        let bare = end.is_err() && held.0.last().is_some_and(is_word);
        let same = streamed.0 == held.0;
        assert!(
            same || bare && held.0.split_last().unwrap().1 == streamed.0,
            "{streamed:?} {held:?}"
        );
    }
    (scalars, found, whole)
}

#[test]
fn a_value_that_a_line_break_breaks_off_is_refused_by_both_readers() {
    let (.., end) = read(b"{\"meta\":{\"next\":true},\n\"data\":[null,null,-\n.50]}", "$.data[*]");
    assert!(matches!(end, Err(DecodeError::Format(_))), "{end:?}");
}

#[test]
fn a_name_that_breaks_off_inside_an_escape_is_refused_by_both_readers() {
    let document = br#"{"data":{"\ud83d\ude00\u04"],"meta":{"next":null}}"#;
    let (.., end) = read(document, "$.data[*]");
    assert!(matches!(end, Err(DecodeError::Format(_))), "{end:?}");
}

#[test]
fn whatever_comes_is_survived() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        for records in ["$[*]", "$.data[*]", "$..data"] {
            drop(read(bytes, records));
        }
    });
}

#[test]
fn what_is_whole_is_read_as_it_was_written_and_what_is_cut_off_is_not_whole() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let records: Vec<_> =
            (0..choices.below(5)).map(|_| documents::json(&mut choices, 3)).collect();
        let next = documents::json(&mut choices, 0);
        let (data, meta) =
            (format!("\"data\":[{}]", records.join(",")), format!("\"meta\":{{\"next\":{next}}}"));
        let document = match choices.below(2) {
            0 => format!("{{{data},{meta}}}"),
            _ => format!("{{{meta},\n{data}}}"),
        };
        for path in ["$.data[*]", "$['data'][*]", "$.data[0:]"] {
            let (scalars, found, end) = read(document.as_bytes(), path);
            if path == "$.data[0:]" && records.is_empty() {
                assert!(matches!(end, Err(DecodeError::Layout(_))), "{end:?}");
                continue;
            }
            end.unwrap();
            assert_eq!(found, records);
            let expected = match serde_json::from_str(&next).unwrap() {
                serde_json::Value::Null => Scalar::Null,
                serde_json::Value::String(text) => Scalar::Text(text),
                _ => Scalar::Json(next.clone()),
            };
            assert_eq!(scalars.first(), Some(&expected));
            let cut = choices.place(document.len());
            let (_, found, end) = read(document.as_bytes().get(..cut).unwrap(), path);
            assert!(
                matches!(end, Err(DecodeError::Truncated { .. } | DecodeError::Format(_))),
                "{cut} of {document}: {end:?}"
            );
            // A number alone does not say where it ends; it is no record either.
            let mut pairs = found.iter().zip(&records);
            assert!(
                found.len() <= records.len()
                    && pairs.all(|(found, record)| found == record || is_number(found)),
                "and no record is half a record"
            );
        }
        drop(read(&choices.spoilt(&document), "$.data[*]"));
    });
}

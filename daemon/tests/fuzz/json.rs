//! JSON: records and what stands beside them.

use marsad_daemon::decode::{DecodeError, Flow, Plan, Scalar, Standing, json};
use marsad_shared::feed::{RecordsPath, ScalarPath};

use crate::{Choices, TIME, documents};

/// What was found in a document: beside the records, the records themselves, and how it ended.
type Found = (Vec<Scalar>, Vec<String>, Result<(), DecodeError>);

fn read(bytes: &[u8], records: &str) -> Found {
    let records = RecordsPath::json(records).unwrap();
    let scalars =
        ["$.meta.next", "$.meta", "$.data[0]"].map(|path| ScalarPath::parse(path).unwrap());
    let plan = Plan { records: Some(&records), deletes: None, scalars: &scalars };
    let mut found = Vec::new();
    let (scalars, whole) = json::page(bytes, &plan, |record, standing| {
        assert_eq!(standing, Standing::Here);
        found.push(record.to_owned());
        Flow::More
    });
    if !matches!(whole, Ok(()) | Err(DecodeError::Layout(_))) {
        assert!(scalars.iter().all(|scalar| *scalar == Scalar::Absent), "of what cannot be read");
    }
    let text: usize = found.iter().map(String::len).sum();
    assert!(text <= bytes.len(), "no more than there is");
    // As a stream it is the same; a path that is not plain needs a document that can be held whole.
    let plan = Plan { scalars: &[], ..plan };
    let (_, end) = json::page(bytes, &plan, |_, _| Flow::More);
    let mut streamed = Vec::new();
    let ended = json::read(bytes, &plan, |record, _| {
        streamed.push(record.to_owned());
        Flow::More
    });
    assert_eq!(ended.is_ok(), end.is_ok(), "{ended:?} {end:?}");
    if whole.is_ok() {
        assert_eq!(streamed, found);
    }
    (scalars, found, whole)
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
                _ => Scalar::Text(next.clone()),
            };
            assert_eq!(scalars.first(), Some(&expected));
            let cut = choices.place(document.len());
            let (_, found, end) = read(document.as_bytes().get(..cut).unwrap(), path);
            assert!(
                matches!(end, Err(DecodeError::Truncated { .. } | DecodeError::Format(_))),
                "{cut} of {document}: {end:?}"
            );
            // A number alone does not say where it ends; it is no record either.
            let number = |text: &str| text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
            let mut pairs = found.iter().zip(&records);
            assert!(
                found.len() <= records.len()
                    && pairs.all(|(found, record)| found == record || number(found)),
                "and no record is half a record"
            );
        }
        drop(read(&choices.spoilt(&document), "$.data[*]"));
    });
}

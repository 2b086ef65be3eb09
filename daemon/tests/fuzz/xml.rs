//! XML: records and what stands beside them.

use marsad_daemon::decode::{DecodeError, Flow, Plan, Scalar, xml};
use marsad_shared::feed::{RecordsPath, ScalarPath};

use crate::{Choices, TIME, documents};

fn read(bytes: &[u8]) -> (Vec<Scalar>, Vec<String>, Result<(), DecodeError>) {
    let records = RecordsPath::xml("Reply/Case").unwrap();
    let gone = RecordsPath::xml("Reply/Gone").unwrap();
    let scalars = ["Reply/@next", "Reply/Total"].map(|path| ScalarPath::parse(path).unwrap());
    let plan = Plan { records: Some(&records), deletes: Some(&gone), scalars: &scalars };
    let mut found = Vec::new();
    let (scalars, end) = xml::read(bytes, &plan, |record, _| {
        let value: serde_json::Value = serde_json::from_str(record).unwrap();
        assert!(value.is_object(), "a record is an object: {record}");
        found.push(record.to_owned());
        Flow::More
    });
    let text: usize = found.iter().map(String::len).sum();
    // A character by its number is the shortest way to write what JSON must write out.
    assert!(text <= 8 * bytes.len(), "no more than there is");
    assert!(found.len() <= bytes.len() / "<Case/>".len());
    (scalars, found, end)
}

#[test]
fn whatever_comes_is_survived() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        drop(read(bytes));
    });
}

#[test]
fn what_is_whole_is_read_as_it_was_written_and_what_is_cut_off_is_not_whole() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let cases: Vec<_> = (0..choices.below(4))
            .map(|_| {
                let name = choices.one(&["Case", "n:Case", "Gone"]);
                documents::element(&mut choices, name, 3)
            })
            .collect();
        let declaration = choices.one(&["", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", "\u{feff}"]);
        let document = format!(
            "{declaration}<Reply xmlns:n=\"urn:n\" next=\"a&amp;b\"><Total> 7 </Total>\n{}\n<Other><Case/></Other></Reply>",
            cases.join("\n")
        );
        let (scalars, found, end) = read(document.as_bytes());
        end.unwrap_or_else(|error| panic!("{document}: {error}"));
        assert_eq!(found.len(), cases.len(), "{document}");
        assert_eq!(scalars, ["a&b", "7"].map(|text| Scalar::Text(text.to_owned())));
        let cut = choices.place(document.len());
        let (_, before, end) = read(document.as_bytes().get(..cut).unwrap());
        assert!(
            matches!(end, Err(DecodeError::Truncated { .. } | DecodeError::Encoding(_))),
            "{cut} of {document}: {end:?}"
        );
        assert!(found.starts_with(&before), "and no record is half a record");
        drop(read(&choices.spoilt(&document)));
    });
}

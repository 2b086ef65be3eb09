//! What was refused is read again as it came, whatever it was written in: only how its feed is configured is another.

use jiff::Timestamp;
use marsad_daemon::{
    intake::{Intake, Origins, Source},
    replay::row::shape,
};
use marsad_shared::{
    feed::Format,
    id::QuarantineId,
    quarantine::{ORIGINAL_MAX, Refusal},
    record::{Batch, Value},
    store::ledger::HeldItem,
};

use crate::reading::{feed, shaper};

/// What the ledger keeps of a refusal.
fn kept(refusal: Refusal) -> HeldItem {
    let Refusal { reason, place, original, form, original_hash, bytes, .. } = refusal;
    // As it comes out of the ledger.
    let form = form.and_then(|form| form.text()).and_then(|text| serde_json::from_str(&text).ok());
    let (id, at) = (QuarantineId(1), Timestamp::UNIX_EPOCH);
    HeldItem { id, at, reason, place, form, original, original_hash, bytes }
}

/// The items that a page of one feed has refused.
fn refused(keys: &str, body: &[u8]) -> Vec<HeldItem> {
    let feed = feed(keys);
    let format = feed.format.unwrap_or(Format::Json);
    let shaper = shaper(&feed, format, body).unwrap();
    let intake = Intake {
        feed: &feed,
        shaper: &shaper,
        format,
        seed: 7,
        origins: Origins::default(),
        references: None,
        recall: None,
    };
    let (_, piece) = intake.page(Source::Held(body), &[], usize::MAX);
    piece.unwrap().refused.into_iter().map(kept).collect()
}

/// What becomes of an item where the feed is configured so: its row, or the reason.
fn again(keys: &str, item: &HeldItem) -> Result<String, String> {
    let feed = feed(keys);
    let shaper = shaper(&feed, Format::Json, b"").unwrap();
    let mut batch = Batch::new(&shaper.layout, 7);
    shape(&shaper, item, &mut batch).map_err(|refused| refused.reason)?;
    let value = |value| match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.to_owned(),
    };
    let row: Vec<_> = batch.values(0).map(value).collect();
    let gone = if batch.is_gone(0) { " gone" } else { "" };
    Ok(row.join(" | ") + gone)
}

#[test]
fn a_row_is_read_again_in_whatever_it_was_written() {
    let json = "records = \"$.data[*]\"\ndeletes = \"$.gone[*]\"\nkey = [\"id\"]\n";
    let csv = "format = \"csv\"\ndelimiter = \";\"\nkey = [\"id\"]\n";
    let xml = "format = \"xml\"\nrecords = \"all/one\"\nkey = [\"id\"]\n";
    let lines = "format = \"ndjson\"\nkey = [\"id\"]\n";
    let number = "fields = { id = \"text\", n = \"integer\" }";
    let text = "fields = { id = \"text\", n = \"text\" }";
    let other = "fields = { id = { type = \"text\", from = [\"id\", \"key\"] }, n = \"text\" }";
    for (format, before, after, body, expected, why) in [
        (
            json,
            number,
            text,
            r#"{"data":[{"id":"1","n":"x\u00e9"}]}"#,
            Ok("1 | xé"),
            "a member of JSON",
        ),
        (
            json,
            text,
            other,
            r#"{"data":[],"gone":[{"key":"7"}]}"#,
            Ok("7 | - gone"),
            "where deletions stand, it is one still",
        ),
        (
            json,
            text,
            text,
            r#"{"data":[{"id":"1","id":"2"}]}"#,
            Err("the name \"id\" stands twice"),
            "what no setting mends",
        ),
        (lines, number, text, "{\"id\":\"1\",\"n\":\"x\"}\n", Ok("1 | x"), "a line of JSON"),
        (
            csv,
            number,
            text,
            "id;n;z\n1;\"a;\"\"b\"\"\nc\";z\n",
            Ok("1 | a;\"b\"\nc"),
            "cells that must be quoted",
        ),
        (
            csv,
            number,
            text,
            "id;n\n1;x;y\n",
            Err("the row has 3 cells and the header 2"),
            "a row of too many cells",
        ),
        (
            csv,
            number,
            text,
            "id;n\n1;\"x\"y\n",
            Err("a cell goes on behind its closing quote"),
            "cells that cannot be told apart",
        ),
        (
            csv,
            number,
            "fields = { id = \"text\", m = \"text\" }",
            "id;n\n1;x\n",
            Err("the header lacks \"m\""),
            "a header that lacks a column now",
        ),
        (
            xml,
            number,
            text,
            "<all><one id=\"9\"><id>1</id><n>x&amp;y</n></one></all>",
            Ok("1 | x&y"),
            "an element",
        ),
    ] {
        let items = refused(&format!("{format}{before}"), body.as_bytes());
        let [item] = &items[..] else { panic!("{why}: {items:?}") };
        match (again(&format!("{format}{after}"), item), expected) {
            (Ok(row), Ok(expected)) => assert_eq!(row, expected, "{why}"),
            (Err(said), Err(expected)) => assert!(said.starts_with(expected), "{why}: {said}"),
            (became, _) => panic!("{why}: {became:?}"),
        }
    }
}

#[test]
fn what_was_cut_or_is_no_text_says_what_it_said_before() {
    let keys =
        "records = \"$.data[*]\"\nkey = [\"id\"]\nfields = { id = \"text\", n = \"integer\" }";
    let long = format!(r#"{{"data":[{{"id":"1","n":"{}"}}]}}"#, "x".repeat(ORIGINAL_MAX));
    let no_text = b"{\"data\":[{\"id\":\"\xff\",\"n\":1}]}".to_vec();
    for body in [long.into_bytes(), no_text] {
        let items = refused(keys, &body);
        let [item] = &items[..] else { panic!("{items:?}") };
        let mended = keys.replace("integer", "text");
        assert_eq!(again(&mended, item), Err(item.reason.clone()));
    }
}

//! Every sample that comes over HTTP, read by a feed as somebody would configure it: as many records and deletions as the
//! manifest says, or the fault that it says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "these are tests, with what they share"
)]

use std::{collections::BTreeMap, fs, path::Path};

use marsad_daemon::{
    decode::{DecodeError, Scalar},
    intake::infer,
};
use marsad_shared::feed::{Deleted, Feed};
use reading::{lines, page};
use serde_json::Value as Json;

mod reading;

const SDMX: &str = r#"format = "sdmx"
key = ["FREQ", "REF_AREA", "INDICATOR", "TIME_PERIOD"]
fields = { FREQ = "text", REF_AREA = "text", INDICATOR = "text", TIME_PERIOD = "text", OBS_VALUE = "integer", OBS_STATUS = "text" }"#;
const ODATA: &str = r#"records = "$.value[*]"
key = ["EnrolmentId"]
fields = { EnrolmentId = "integer", Grade = "integer", ModifiedOn = "timestamp" }"#;
const CKAN: &str = r#"records = "$.result.records[*]"
key = ["year", "area"]
[feed.fields]
year = { type = "integer", from = "السنة" }
area = { type = "text", from = "المنطقة" }
size = { type = "decimal", from = "متوسط حجم الأسرة" }"#;
const CHILD: &str = r#"records = "$.items[*]"
key = ["notice_id"]"#;
const VISITS: &str = r#"records = "$.data.visits[*]"
key = ["visitId"]"#;
const BUS: &str = r#"format = "xml"
records = "Envelope/Body/GetRegistrationsResponse/Registration"
deletes = "Envelope/Body/GetRegistrationsResponse/Cancelled"
key = ["no"]
[feed.fields]
no = { type = "text", from = "@id" }
kind = { type = "text", from = "Kind", required = true }
day = { type = "date", from = "Date[@calendar='gregorian']" }
hijri = { type = "text", from = "Date[@calendar='hijri']" }
area = { type = "text", from = "Area" }
area_code = { type = "text", from = "Area/@code" }
note = { type = "text", from = "Note" }
dates = { type = "json", from = "Date" }"#;

/// The bytes of a sample.
fn sample(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/samples").join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the manifest says of a sample.
fn manifest(file: &str) -> Json {
    let manifest: Json = serde_json::from_slice(&sample("manifest.json")).unwrap();
    let all = manifest["samples"].as_array().unwrap();
    all.iter().find(|sample| sample["file"] == file).unwrap_or_else(|| panic!("{file}")).clone()
}

/// A feed with those keys; of the `OData` ones, as their preset makes it.
fn feed(keys: &str) -> Feed {
    let deleted = (keys == ODATA).then_some(Deleted::OData);
    let feed = reading::feed(keys);
    Feed { deleted: deleted.or_else(|| feed.deleted.clone()), ..feed }
}

#[test]
fn every_sample_has_the_records_and_deletions_that_its_manifest_says() {
    for (file, keys) in [
        ("sdmx-json-2.0-series.json", SDMX),
        ("sdmx-json-2.0-flat.json", SDMX),
        ("sdmx-json-2.0-updated-after.json", SDMX),
        ("sdmx-json-1.0-flat.json", SDMX),
        ("sdmx-csv-1.0.csv", SDMX),
        ("sdmx-csv-2.0-labels-both.csv", SDMX),
        ("sdmx-ml-2.1-generic.xml", SDMX),
        ("odata-v4-page.json", ODATA),
        ("odata-v4-last-page.json", ODATA),
        ("odata-v4-delta.json", ODATA),
        ("ckan-datastore-search.json", CKAN),
        ("ckan-package-show.json", "records = \"$.result.resources[*]\"\nkey = [\"id\"]"),
        (
            "opendatasoft-v2.1-records.json",
            "records = \"$.results[*]\"\nkey = [\"period\", \"area\"]",
        ),
        (
            "jsonapi-page.json",
            "records = \"$.data[*]\"\nkey = [\"type\", \"id\"]\nfields = { type = \"text\", id = \"text\", family = { type = \"text\", from = \"$.relationships.family.data.id\" } }",
        ),
        ("rest-offset-page.json", CHILD),
        ("rest-offset-last-page.json", CHILD),
        ("rest-cursor-page.json", VISITS),
        ("rest-cursor-last-page.json", VISITS),
        ("rest-link-header.json", "key = [\"id\"]"),
        ("bus-envelope.xml", BUS),
        (
            "referrals.ndjson",
            "format = \"ndjson\"\nkey = [\"id\"]\ndeleted = { field = \"op\", values = [\"delete\"] }\nfields = { id = { type = \"text\", from = \"$.referral.id\" }, seq = \"integer\", state = { type = \"text\", from = \"$.referral.state\", required = true } }",
        ),
    ] {
        let feed = feed(keys);
        let said = manifest(file);
        let (_, read) = page(&feed, &sample(file), &[]);
        let piece = read.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(piece.refused.is_empty(), "{file}: {:?}", piece.refused);
        let gone = (0..piece.batch.len()).filter(|&row| piece.batch.is_gone(row)).count();
        let count = |key: &str| said[key].as_u64().unwrap_or_default() as usize;
        // Where they stand apart, deletions are not among the records that the manifest counts.
        let beside = if said["deletes_at"].is_string() { count("deletes") } else { 0 };
        assert_eq!(
            (piece.batch.len(), gone),
            (count("records") + beside, count("deletes")),
            "{file}: {:#?}",
            lines(&piece.batch)
        );
    }
}

#[test]
fn every_faulty_sample_is_the_fault_that_its_manifest_says() {
    for (file, keys) in [
        ("faulty/html-login-200.json", CHILD),
        ("faulty/html-login-200.json", BUS),
        ("faulty/html-login-200.json", SDMX),
        ("faulty/truncated.json", CHILD),
        ("faulty/sdmx-dimension-added.json", SDMX),
        ("bus-fault.xml", BUS),
    ] {
        let (_, read) = page(&feed(keys), &sample(file), &[]);
        let error = read.expect_err(file);
        assert_eq!(manifest(file)["expect"], error.reason().word(), "{file}: {error}");
    }
    let (_, read) = page(&feed(SDMX), &sample("faulty/sdmx-dimension-added.json"), &[]);
    let said = read.unwrap_err().to_string();
    assert!(said.starts_with("dimension \"NATIONALITY\" has come"), "{said}");
    let (_, read) = page(&feed(BUS), &sample("bus-fault.xml"), &[]);
    assert!(
        matches!(&read, Err(DecodeError::Remote { code, text, retryable: true }) if code == "soap:Server, BUS-504" && text == "Provider timed out"),
        "{read:?}"
    );
}

#[test]
fn the_same_observations_are_the_same_records_in_every_notation() {
    let read = |file: &str| {
        let (_, read) = page(&feed(SDMX), &sample(file), &[]);
        let mut lines = lines(&read.unwrap().batch);
        lines.sort();
        lines
    };
    let first = read("sdmx-json-2.0-series.json");
    assert_eq!(first.len(), 12);
    assert!(first.contains(&"Q|SHJ|MARR_CNT|2026-Q1|412|A".to_owned()), "{first:#?}");
    assert!(first.contains(&"Q|SHJ|DIV_CNT|2026-Q2|·|M".to_owned()), "{first:#?}");
    for file in ["sdmx-json-1.0-flat.json", "sdmx-csv-1.0.csv", "sdmx-ml-2.1-generic.xml"] {
        assert_eq!(read(file), first, "{file}");
    }
    // This one leaves the missing value out, and calls every status normal.
    let value = |line: &String| line.rsplit_once('|').map(|(front, _)| front.to_owned());
    let known: Vec<_> = first.iter().filter(|line| !line.contains('·')).filter_map(value).collect();
    let flat: Vec<_> = read("sdmx-json-2.0-flat.json").iter().filter_map(value).collect();
    assert_eq!(flat, known);
    let changes = [
        "-Q|KHF|DIV_CNT|2026-Q1|·|·",
        "Q|KLB|MARR_CNT|2026-Q2|43|A",
        "Q|SHJ|DIV_CNT|2026-Q2|118|A",
    ];
    let after = read("sdmx-json-2.0-updated-after.json");
    assert_eq!(after, changes);
    let mut both = read("sdmx-csv-2.0-labels-both.csv");
    both.retain(|line| line != "Q|KLB|DIV_CNT|2026-Q2|·|M");
    assert_eq!(both, changes);
}

#[test]
fn deletions_have_their_key_and_nothing_else() {
    let (_, read) = page(&feed(ODATA), &sample("odata-v4-delta.json"), &[]);
    assert_eq!(lines(&read.unwrap().batch), ["103|1|2026-09-16T04:00:00Z", "-104|·|·", "-105|·|·"]);
    let (_, read) = page(&feed(BUS), &sample("bus-envelope.xml"), &[]);
    let dates = |day: &str, hijri: &str| {
        format!(
            "[{{\"@calendar\":\"gregorian\",\"#text\":\"{day}\"}},{{\"@calendar\":\"hijri\",\"#text\":\"{hijri}\"}}]"
        )
    };
    assert_eq!(
        lines(&read.unwrap().batch),
        [
            format!(
                "MR-2026-0451|MARRIAGE|2026-11-12|1448-06-02|كلباء|KLB|·|{}",
                dates("2026-11-12", "1448-06-02")
            ),
            format!(
                "DV-2026-0112|DIVORCE|2026-11-15|1448-06-05|مدينة الشارقة|SHJ|بانتظار توثيق الحكم & الإبلاغ|{}",
                dates("2026-11-15", "1448-06-05")
            ),
            "-MR-2026-0399|·|·|·|·|·|·|·".to_owned(),
        ]
    );
}

#[test]
fn what_stands_beside_the_records_is_found() {
    let text = |text: &str| Scalar::Text(text.to_owned());
    let json = |text: &str| Scalar::Json(text.to_owned());
    for (file, keys, wanted, expected) in [
        (
            "odata-v4-page.json",
            ODATA,
            "$['@odata.nextLink']",
            text("https://edu.example.invalid/odata/Enrolments?$skiptoken=103"),
        ),
        ("odata-v4-last-page.json", ODATA, "$['@odata.nextLink']", Scalar::Absent),
        (
            "odata-v4-delta.json",
            ODATA,
            "$['@odata.deltaLink']",
            text(
                "https://edu.example.invalid/odata/Enrolments?$deltatoken=2026-09-16T08%3A05%3A00Z",
            ),
        ),
        ("rest-cursor-page.json", VISITS, "$.paging.has_more", json("true")),
        ("rest-cursor-last-page.json", VISITS, "$.paging.next_cursor", Scalar::Null),
        ("ckan-error.json", CKAN, "$.success", json("false")),
        (
            "bus-envelope.xml",
            BUS,
            "Envelope/Body/GetRegistrationsResponse/Batch/@nextToken",
            text("118:2"),
        ),
        (
            "bus-envelope.xml",
            BUS,
            "Envelope/Header/CorrelationId",
            text("7b0d6f0e-0000-4000-8000-000000000040"),
        ),
        ("sdmx-json-2.0-flat.json", SDMX, "$.meta.id", text("IREF000002")),
        ("sdmx-ml-2.1-generic.xml", SDMX, "GenericData/Header/ID", text("SHJSTAT-ML-0001")),
        ("sdmx-csv-1.0.csv", SDMX, "$.meta.id", Scalar::Absent),
    ] {
        let (found, _) = page(&feed(keys), &sample(file), &[wanted]);
        assert_eq!(found, [expected], "{file} {wanted}");
    }
}

#[test]
fn columns_are_taken_from_the_first_data_of_any_format() {
    let columns = |keys: &str, file: &str| {
        let feed = feed(keys);
        let layout = infer(&feed, feed.format.unwrap(), &sample(file)[..]).unwrap();
        let columns = layout.fields.iter().map(|field| (field.name.clone(), field.kind.word()));
        columns.collect::<BTreeMap<_, _>>()
    };
    let sdmx = "format = \"sdmx\"\nkey = [\"FREQ\", \"REF_AREA\", \"INDICATOR\", \"TIME_PERIOD\"]";
    let of_json = columns(sdmx, "sdmx-json-2.0-series.json");
    assert_eq!(of_json.len(), 7, "{of_json:?}");
    assert_eq!((of_json["OBS_VALUE"], of_json["FREQ"]), ("integer", "text"));
    assert_eq!(columns(sdmx, "sdmx-csv-1.0.csv").len(), 6);
    let bus = "format = \"xml\"\nrecords = \"Envelope/Body/GetRegistrationsResponse/Registration\"\nkey = [\"@id\"]";
    let of_bus = columns(bus, "bus-envelope.xml");
    let expected = [
        ("@id", "text"),
        ("Area", "text"),
        ("Area/@code", "text"),
        ("Date", "json"),
        ("Kind", "text"),
        ("Note", "text"),
        ("Status", "text"),
    ];
    assert_eq!(of_bus, expected.map(|(name, kind)| (name.to_owned(), kind)).into());
    let (_, read) = page(&feed(bus), &sample("bus-envelope.xml"), &[]);
    assert!(read.unwrap().refused.is_empty(), "and what was taken fits");
}

//! Every sample there is, and what must come out of it.

use super::*;

#[test]
fn every_sample_becomes_a_block_that_checks_clean_and_reads_it() {
    let url: Url = "https://p.invalid/v1/things?limit=3".parse().unwrap();
    let base: Url = "https://p.invalid".parse().unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&file("manifest.json")).unwrap();
    let headers = String::from_utf8(file("rest-link-header.headers.txt")).unwrap();
    let link = headers.lines().find_map(|line| line.strip_prefix("Link: "));
    let link = link.map(|link| [("link".to_owned(), link.to_owned())]);
    for (name, style) in [
        ("sdmx-json-2.0-series.json", Style::SdmxJson),
        ("sdmx-json-2.0-flat.json", Style::SdmxJson),
        ("sdmx-json-2.0-updated-after.json", Style::SdmxJson),
        ("sdmx-json-1.0-flat.json", Style::SdmxJson),
        ("sdmx-csv-1.0.csv", Style::SdmxCsv),
        ("sdmx-csv-2.0-labels-both.csv", Style::SdmxCsv),
        ("sdmx-ml-2.1-generic.xml", Style::SdmxMl),
        ("odata-v4-page.json", Style::Odata),
        ("odata-v4-last-page.json", Style::Odata),
        ("odata-v4-delta.json", Style::Odata),
        ("ckan-datastore-search.json", Style::Ckan),
        ("ckan-package-show.json", Style::CkanPackage),
        ("opendatasoft-v2.1-records.json", Style::Opendatasoft),
        ("jsonapi-page.json", Style::JsonApi),
        ("rest-offset-page.json", Style::Rest),
        ("rest-offset-last-page.json", Style::Rest),
        ("rest-cursor-page.json", Style::Rest),
        ("rest-cursor-last-page.json", Style::Rest),
        ("rest-link-header.json", Style::Rest),
        ("referrals.ndjson", Style::Ndjson),
        ("bus-envelope.xml", Style::Bus),
        ("csv-utf8-bom-arabic-headers.csv", Style::Csv),
    ] {
        let bytes = file(name);
        for place in [Place::Url { url: &url, base: &base }, Place::File { name, folder: true }] {
            let connection = if place.is_folder() { "drop" } else { "api" };
            let link = link.iter().find(|_| name == "rest-link-header.json" && !place.is_folder());
            let headers = link.map(<[_; 1]>::as_slice).unwrap_or_default();
            let sample = Sample { bytes: &bytes, headers, connection, ..sample("", place) };
            let found = propose(&sample).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(found.style, style, "{name}");
            let feed = checked(&found.block, name);
            reads(&feed, &bytes, name, &manifest);
            assert_eq!(found.block.contains("kind = \"link\""), link.is_some(), "{name}");
        }
    }
}

/// Reads the sample as the feed does: as many records as the manifest says, and not one refused.
fn reads(feed: &Feed, bytes: &[u8], name: &str, manifest: &serde_json::Value) {
    let said = manifest["samples"].as_array().into_iter().flatten();
    let said = said.clone().find(|said| said["file"] == name).unwrap_or_else(|| panic!("{name}"));
    let key: Vec<_> =
        said["key"].as_array().into_iter().flatten().filter_map(|k| k.as_str()).collect();
    let own: Vec<_> = feed
        .key
        .iter()
        .filter_map(|key| feed.fields.iter().find(|field| field.name == *key))
        .map(|field| field.from[0].trim_start_matches("$."))
        .collect();
    assert_eq!(own, key, "{name}: the key");
    let layout = Layout::new(feed.fields.clone(), &feed.key).unwrap();
    let shaper = Shaper::new(feed, layout, Vec::new());
    let format = feed.format.unwrap_or(Format::Json);
    let intake = Intake {
        feed,
        shaper: &shaper,
        format,
        seed: 7,
        origins: Origins::default(),
        references: None,
        recall: None,
    };
    let (_, piece) = intake.page(Source::Held(bytes), &[], usize::MAX);
    let piece = piece.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(piece.refused.is_empty(), "{name}: {:?}", piece.refused);
    assert_eq!(piece.batch.len() as u64, said["records"].as_u64().unwrap_or(0), "{name}");
}

#[test]
fn a_table_of_statistics_is_proposed_as_it_is_read() {
    let url: Url = "https://p.invalid/data".parse().unwrap();
    for (name, header, rows, key) in [
        (
            "a last update",
            "DATAFLOW,LAST UPDATE,freq,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG",
            ["E:F(1.0),12/06/26 23:00:00,A,x,2025,1,p", "E:F(1.0),12/06/26 23:00:00,A,y,2025,2,"],
            ["freq", "geo", "TIME_PERIOD"],
        ),
        (
            "a series' name",
            "KEY,FREQ,CURRENCY,TIME_PERIOD,OBS_VALUE,TITLE",
            ["EXR.D.USD,D,USD,2026-01-02,1.1,US dollar", "EXR.D.GBP,D,GBP,2026-01-02,0.8,Pound"],
            ["FREQ", "CURRENCY", "TIME_PERIOD"],
        ),
        (
            "labels beside ids",
            "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,ACTION,FREQ,Frequency,REF_AREA,Reference area,TIME_PERIOD,Time period,OBS_VALUE,Observation value,OBS_STATUS,Status",
            [
                "DATAFLOW,O:F(1.0),Name,I,A,Annual,x,Area x,2025,,1,,A,Normal",
                "DATAFLOW,O:F(1.0),Name,I,A,Annual,y,Area y,2025,,2,,A,Normal",
            ],
            ["FREQ", "REF_AREA", "TIME_PERIOD"],
        ),
    ] {
        let text = format!("{header}\n{}\n", rows.join("\n"));
        let found = propose(&sample(&text, Place::Url { url: &url, base: &url })).unwrap();
        assert_eq!(found.style, Style::SdmxCsv, "{name}");
        let manifest =
            serde_json::json!({ "samples": [{ "file": name, "key": key, "records": 2 }] });
        reads(&checked(&found.block, name), text.as_bytes(), name, &manifest);
    }
}

#[test]
fn no_sample_of_an_error_becomes_a_feed_and_no_value_is_shown() {
    let (url, base) =
        ("https://p.invalid/x".parse().unwrap(), "https://p.invalid".parse().unwrap());
    for name in [
        "bus-fault.xml",
        "ckan-error.json",
        "jsonapi-error-429.json",
        "rest-problem-503.json",
        "xroad-error.json",
        "faulty/html-login-200.json",
        "faulty/truncated.json",
        "faulty/csv-utf8-one-bad-byte.csv",
        "faulty/csv-mixed-encodings.csv",
        "csv-windows-1256-semicolon.csv",
        "council-activities.xlsx",
    ] {
        let bytes = file(name);
        let sample = Sample { bytes: &bytes, ..sample("", Place::Url { url: &url, base: &base }) };
        let error = propose(&sample).map(|found| found.block).expect_err(name);
        assert!(!error.why.is_empty() && !error.remedy.is_empty(), "{name}");
    }
    for name in ["rest-link-header.json", "csv-utf8-bom-arabic-headers.csv", "referrals.ndjson"] {
        let bytes = file(name);
        let sample = Sample { bytes: &bytes, ..sample("", Place::Url { url: &url, base: &base }) };
        let found = propose(&sample).unwrap();
        let said = found.block.clone() + &found.notes.join("\n");
        for value in [
            "784-",
            "Family 00221",
            "أسرة ٠٠١٢٣",
            "HA-2026",
            "RF-00123",
            "بانتظار",
            "social-services",
        ] {
            assert!(!said.contains(value), "{name}: {value}\n{said}");
        }
    }
}

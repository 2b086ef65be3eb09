use std::{fs, path::Path};

use encoding_rs::UTF_8;
use marsad_shared::{
    config::{Config, Environment},
    feed::{Feed, Format},
    record::Layout,
};

use super::*;
use crate::{
    intake::{Intake, Origins, Source},
    shape::{Shaper, infer::SAMPLE},
};

mod apis;
mod samples;
mod text;

fn sample<'a>(text: &'a str, place: Place<'a>) -> Sample<'a> {
    Sample {
        bytes: text.as_bytes(),
        cut: false,
        says: None,
        member: None,
        book: None,
        headers: &[],
        place,
        connection: "api",
        records: None,
        taken: &[],
    }
}

fn proposed(text: &str) -> Result<Proposal, Unknown> {
    let (url, base) =
        ("https://p.example/v1/things".parse().unwrap(), "https://p.example".parse().unwrap());
    propose(&sample(text, Place::Url { url: &url, base: &base }))
}

#[test]
fn a_block_says_what_is_known_and_marks_what_is_guessed() {
    let text = r#"{"data":[{"id":"SECRET-1","child_eid":"784-0000-0000021-8","updated_at":"2026-11-24T10:00:00Z"},
        {"id":"SECRET-2","child_eid":"784-0000-0000022-6","updated_at":"2026-11-24T11:00:00Z"}],"meta":{"next":"SECRET-3"}}"#;
    let Proposal { block, feed, .. } = proposed(text).unwrap();
    assert_eq!(feed, "things");
    for line in [
        "path = \"/v1/things\"",
        "records = \"$.data[*]\"",
        "key = [\"id\"]  # guess: it is there in each record of the sample, and each has another",
        "pagination = { kind = \"cursor\", param = \"after\", next = \"$.meta.next\" }",
        "# incremental = { field = \"updated_at\", param = \"updated_since\" }",
        "child_eid = { type = \"emirates_id\", sensitive = true }",
        "updated_at = \"timestamp\"",
    ] {
        assert!(block.lines().any(|l| l == line), "{line}\n{block}");
    }
    assert!(!block.contains("SECRET") && !block.contains("784"), "no value is shown: {block}");
}

#[test]
fn an_answer_that_is_not_all_says_so() {
    for (total, expected) in [(351, true), (2, false)] {
        let text = format!(r#"{{"data":[{{"id":1}},{{"id":2}}],"total":{total}}}"#);
        let block = proposed(&text).unwrap().block;
        assert_eq!(block.contains("holds 2 of 351 records"), expected, "{block}");
        assert_eq!(block.contains("Nothing in the answer"), !expected, "{block}");
    }
}

/// The block for an answer to `/v1/things` with that query and these headers, which checks clean.
fn block_of(text: &str, query: &str, headers: &[(&str, &str)]) -> String {
    let base = "https://p.example".parse().unwrap();
    let url = format!("https://p.example/v1/things{query}").parse().unwrap();
    let named = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let headers: Vec<_> = headers.iter().map(named).collect();
    let sample =
        Sample { headers: &headers, ..sample(text, Place::Url { url: &url, base: &base }) };
    let block = propose(&sample).unwrap().block;
    checked(&block, text);
    block
}

/// Whether one of the lines is that, whatever is noted behind it.
fn says(block: &str, line: &str) -> bool {
    block.lines().any(|said| said == line || said.starts_with(&format!("{line}  #")))
}

#[test]
fn headers_that_lead_on_or_count_are_heard_whatever_the_body_is() {
    const NEXT: &str = "pagination = { kind = \"next_url\", next_header = \"Next-Page\" }";
    for (text, format) in [
        (r#"[{"id":1},{"id":2}]"#, "JSON"),
        ("{\"id\":1}\n{\"id\":2}\n", "NDJSON"),
        ("id,n\n1,a\n2,b\n", "CSV"),
        ("<r><x><id>1</id></x><x><id>2</id></x></r>", "XML"),
    ] {
        let block =
            block_of(text, "", &[("next-page", "https://p.example/v1/things?_token=SECRET")]);
        assert!(says(&block, NEXT) && !block.contains("SECRET"), "{format}: {block}");
        let block = block_of(text, "?page=1", &[("x-next-page", "2"), ("x-total", "9")]);
        let page =
            "pagination = { kind = \"cursor\", param = \"page\", next_header = \"X-Next-Page\" }";
        assert!(says(&block, page) && says(&block, "path = \"/v1/things\""), "{format}: {block}");
        for (headers, part) in [
            ([("x-total-count", "100")], true),
            ([("content-range", "items 0-1/100")], true),
            ([("x-total-count", "2")], false),
        ] {
            let block = block_of(text, "", &headers);
            assert_eq!(block.contains("holds 2 of 100 records"), part, "{format}: {block}");
            assert_eq!(block.contains("snapshot"), !part, "{format}: {block}");
            let [(header, _)] = headers;
            let line = "pagination = { kind = \"none\", total_header = ";
            assert_eq!(block.contains(line), part, "{format}: {block}");
            assert!(!part || block.to_lowercase().contains(header), "{format}: {block}");
            checked(&block, format);
        }
    }
}

/// Django's `CursorPagination` behind a proxy, whose links name the inner address.
#[test]
fn a_link_to_another_origin_is_taken_for_what_it_carries() {
    let text = |next: &str| {
        format!(
            r#"{{"next":"{next}","previous":null,"results":[{{"id":1,"name":"a"}},{{"id":2,"name":"b"}}]}}"#
        )
    };
    let block = block_of(&text("http://127.0.0.1:8000/v1/things?cursor=cD0yMDI2"), "", &[]);
    let line = "pagination = { kind = \"cursor\", param = \"cursor\", next = \"$.next\" }";
    assert!(says(&block, line), "{block}");
    checked(&block, "another origin");
    let block = block_of(&text("https://p.example/v1/things?cursor=cD0yMDI2"), "", &[]);
    assert!(says(&block, "pagination = { kind = \"next_url\", next = \"$.next\" }"), "{block}");
}

#[test]
fn a_map_that_leads_on_is_told() {
    let text = r#"{"Items":[{"id":1},{"id":2}],"Count":2,"LastEvaluatedKey":{"id":2}}"#;
    let block = block_of(text, "", &[]);
    assert!(block.contains("says that there is more ($.LastEvaluatedKey)"), "{block}");
    assert!(!block.contains("snapshot"), "{block}");
}

#[test]
fn xml_leads_on_by_an_element_an_attribute_or_a_link() {
    let rows = "<Item><Id>a</Id></Item><Item><Id>b</Id></Item>";
    let oai = format!(
        "<OAI-PMH><request verb='ListRecords'/><ListRecords>{rows}<resumptionToken completeListSize='9' cursor='0'>t</resumptionToken></ListRecords></OAI-PMH>"
    );
    for (text, query, lines) in [
        (
            format!("<R><Items>{rows}</Items><NextToken>abc</NextToken></R>"),
            "",
            vec![
                "pagination = { kind = \"cursor\", param = \"NextToken\", next = \"R/NextToken\" }",
            ],
        ),
        (
            format!(
                "<R><IsTruncated>true</IsTruncated>{rows}<NextContinuationToken>abc</NextContinuationToken></R>"
            ),
            "?list-type=2",
            vec![
                "path = \"/v1/things?list-type=2\"",
                "pagination = { kind = \"cursor\", param = \"continuation-token\", next = \"R/NextContinuationToken\", more = \"R/IsTruncated\" }",
            ],
        ),
        (
            format!("<R><Blobs>{rows}</Blobs><NextMarker/></R>"),
            "",
            vec!["pagination = { kind = \"cursor\", param = \"marker\", next = \"R/NextMarker\" }"],
        ),
        (
            format!(
                "<feed><link rel='self' href='/x'/><link rel='next' href='/x?page=2'/>{rows}</feed>"
            ),
            "",
            vec!["pagination = { kind = \"next_url\", next = \"feed/link[@rel='next']/@href\" }"],
        ),
        (
            oai,
            "?verb=ListRecords&metadataPrefix=oai_dc&from=2026-01-01",
            vec![
                "path = \"/v1/things?verb=ListRecords&metadataPrefix=oai_dc&from=2026-01-01\"",
                "pagination = { kind = \"cursor\", param = \"resumptionToken\", next = \"OAI-PMH/ListRecords/resumptionToken\", replaces = [\"metadataPrefix\", \"from\"] }",
            ],
        ),
        (
            "<areas><area code='10'>Sharjah</area><area code='11'>كلباء</area></areas>".to_owned(),
            "",
            vec![
                "records = \"areas/area\"",
                "code = { type = \"text\", from = \"@code\" }",
                "text = { type = \"text\", from = \"#text\" }",
            ],
        ),
        (
            format!("<R><Total>9</Total>{rows}</R>"),
            "",
            vec![
                "# The answer holds 2 of 9 records, and nothing in it leads to the others: say how to ask for them, `pagination`.",
                "pagination = { kind = \"none\", total = \"R/Total\" }",
            ],
        ),
        (
            format!("<R><IsTruncated>true</IsTruncated>{rows}</R>"),
            "",
            vec![
                "# The answer says that there is more (R/IsTruncated), and not how it is asked for: without `pagination` only its first page is read.",
            ],
        ),
        (
            format!("<R><IsTruncated>false</IsTruncated>{rows}</R>"),
            "",
            vec![
                "# Nothing in the answer leads to a second page. If there are more, say how to ask for them: `pagination`.",
            ],
        ),
    ] {
        let block = block_of(&text, query, &[]);
        assert!(lines.iter().all(|line| says(&block, line)), "{lines:#?}\n{block}");
    }
}

#[test]
fn what_an_odata_address_caps_is_told_and_left_out() {
    let page = |beside: &str| {
        format!(r#"{{"@odata.context":"x","value":[{{"Id":1}},{{"Id":2}}]{beside}}}"#)
    };
    let caps = "# $top and $skip are left out of the path: they cap what is given in all, and pages come without them.";
    let counted = r#","@odata.count":120"#;
    let linked = r#","@odata.count":120,"@odata.nextLink":"https://p.example/x?$skip=2""#;
    for (beside, query, path, lines) in [
        (
            counted,
            "?$top=2&$count=true",
            "/v1/things?$count=true",
            vec!["# The answer holds 2 of 120 records, as its address asked for.", caps],
        ),
        ("", "?%24top=2", "/v1/things", vec![caps]),
        (
            counted,
            "?$count=true",
            "/v1/things?$count=true",
            vec![
                "# The answer holds 2 of 120 records, and nothing in it leads to the others: say how to ask for them, `pagination`.",
            ],
        ),
        (linked, "", "/v1/things", vec![]),
    ] {
        let block = block_of(&page(beside), query, &[]);
        assert!(says(&block, &format!("path = \"{path}\"")), "{block}");
        assert!(lines.iter().all(|line| says(&block, line)), "{lines:#?}\n{block}");
        assert_eq!(
            block.contains(" of 120 records"),
            lines.iter().any(|l| l.contains("120")),
            "{block}"
        );
        assert!(!block.contains("pagination ="), "the preset pages: {block}");
    }
}

#[test]
fn a_page_of_spring_data_is_asked_for_by_its_own_parameters() {
    let text = r#"{"content":[{"id":1},{"id":2}],"pageable":{"pageNumber":0,"pageSize":2,"offset":0},
        "number":0,"size":2,"totalPages":5,"totalElements":9,"numberOfElements":2}"#;
    let block = block_of(text, "", &[]);
    let line = "pagination = { kind = \"page\", param = \"page\", start = 0, size_param = \"size\", size = 2, total = \"$.totalElements\" }";
    assert!(says(&block, line), "{block}");
}

#[test]
fn what_an_address_asks_by_is_written_as_it_asks() {
    let zendesk = r#"{"tickets":[{"id":1},{"id":2}],"after_url":"https://p.example/v1/things?cursor=YQ%3D%3D","after_cursor":"YQ==","end_of_stream":false}"#;
    let solr = r#"{"responseHeader":{"status":0,"params":{"cursorMark":"*","rows":"2"}},"response":{"numFound":9,"start":0,"docs":[{"id":"a"},{"id":"b"}]},"nextCursorMark":"AoE"}"#;
    let strapi = r#"{"data":[{"id":1},{"id":2}],"meta":{"pagination":{"page":1,"pageSize":10,"pageCount":6,"total":60}}}"#;
    for (text, query, lines) in [
        (
            zendesk,
            "?start_time=0",
            [
                "path = \"/v1/things?start_time=0\"",
                "pagination = { kind = \"cursor\", param = \"cursor\", next = \"$.after_cursor\", replaces = [\"start_time\"], end = \"$.end_of_stream\" }",
            ],
        ),
        (
            solr,
            "?q=*:*&sort=id+asc&cursorMark=*&rows=2",
            [
                "path = \"/v1/things?q=*:*&sort=id+asc&cursorMark=*&rows=2\"",
                "pagination = { kind = \"cursor\", param = \"cursorMark\", next = \"$.nextCursorMark\" }",
            ],
        ),
        (
            strapi,
            "?pagination[pageSize]=10",
            [
                "path = \"/v1/things\"",
                "pagination = { kind = \"page\", param = \"pagination[page]\", size_param = \"pagination[pageSize]\", size = 10, total = \"$.meta.pagination.total\" }",
            ],
        ),
    ] {
        let block = block_of(text, query, &[]);
        assert!(lines.iter().all(|line| says(&block, line)), "{lines:#?}\n{block}");
    }
}

#[test]
fn a_harvest_says_what_is_gone_and_that_nothing_is_there() {
    let gone = "<record><header status='deleted'><identifier>oai:x:2</identifier><datestamp>2026-11-24T10:00:00Z</datestamp></header></record>";
    let there = "<record><header><identifier>oai:x:1</identifier><datestamp>2026-11-24T10:00:00Z</datestamp></header><metadata><dc><title>t</title></dc></metadata></record>";
    for records in [there.to_owned(), format!("{there}{gone}")] {
        let text = format!(
            "<OAI-PMH><responseDate>2026-11-24T10:00:00Z</responseDate><request verb='ListRecords' metadataPrefix='oai_dc'>u</request><ListRecords>{records}</ListRecords></OAI-PMH>"
        );
        let block = block_of(&text, "?verb=ListRecords&metadataPrefix=oai_dc", &[]);
        for line in [
            "records = \"OAI-PMH/ListRecords/record\"",
            "deleted = { field = \"header/@status\", values = [\"deleted\"] }",
            "success = { error = \"OAI-PMH/error/@code\", empty = [\"noRecordsMatch\"] }",
        ] {
            assert!(says(&block, line), "{line}\n{block}");
        }
    }
}

#[test]
fn times_are_read_in_the_zone_that_their_name_or_their_writing_tells() {
    let text = r#"[{"id":1,"day":"/Date(1794816000000)/","date":"2026-01-01T04:00:00","date_gmt":"2026-01-01T00:00:00","endUtc":"01/31/2026 10:00"},
        {"id":2,"day":"/Date(1794816001000)/","date":"2026-01-02T04:00:00","date_gmt":"2026-01-02T00:00:00","endUtc":"01/30/2026 10:00"}]"#;
    let block = block_of(text, "", &[]);
    for line in [
        "day = { type = \"timestamp\", format = \"unix_ms\" }",
        "date_gmt = { type = \"timestamp\", zone = \"UTC\" }",
        "endUtc = { type = \"timestamp\", format = \"%m/%d/%Y %H:%M\", zone = \"UTC\" }",
    ] {
        assert!(says(&block, line), "{line}: {block}");
    }
    assert!(block.contains("date = \"timestamp\"  # names no zone"), "{block}");
    checked(&block, "zones");
}

#[test]
fn times_in_greenwich_are_read_as_such() {
    let text = r#"[{"_id":"a","no":1,"_updated":"Tue, 24 Nov 2026 10:00:00 GMT"},{"_id":"b","no":2,"_updated":"Tue, 24 Nov 2026 11:00:00 GMT"}]"#;
    let block = block_of(text, "", &[]);
    for line in [
        "key = [\"id\"]",
        "updated = { type = \"timestamp\", from = \"_updated\", format = \"%a, %d %b %Y %H:%M:%S GMT\", zone = \"UTC\" }",
    ] {
        assert!(says(&block, line), "{line}\n{block}");
    }
    let asking = block.lines().find_map(|line| line.strip_prefix("# incremental"));
    checked(&block.replace("# incremental", "incremental"), asking.unwrap());
}

#[test]
fn all_records_are_counted_and_not_only_those_that_are_looked_at() {
    let many = SAMPLE + 500;
    let records: Vec<_> = (0..many).map(|id| format!("{{\"id\":{id}}}")).collect();
    for (total, part) in [(many, false), (many + 1, true)] {
        let text = format!("{{\"data\":[{}],\"total\":{total}}}", records.join(","));
        let block = block_of(&text, "", &[]);
        assert_eq!(block.contains(&format!("holds {many} of {total} records")), part, "{block}");
        assert_eq!(block.contains("# The answer holds"), part, "{block}");
    }
}

#[test]
fn more_than_opendatasoft_pages_is_asked_for_by_an_export() {
    let base = "https://p.example".parse().unwrap();
    let url = "https://p.example/api/explore/v2.1/catalog/datasets/visits/records?limit=2&where=a";
    let url = url.parse().unwrap();
    let place = Place::Url { url: &url, base: &base };
    for (total, style) in [(10_000, Style::Opendatasoft), (10_001, Style::OpendatasoftExport)] {
        let text = format!(
            r#"{{"total_count":{total},"results":[{{"id":1,"changed_at":"2026-11-24T10:00:00Z"}},{{"id":2,"changed_at":"2026-11-24T11:00:00Z"}}]}}"#
        );
        let found = propose(&sample(&text, place)).unwrap();
        assert_eq!(found.style, style);
        let lines: &[&str] = if style == Style::Opendatasoft {
            &["preset = \"opendatasoft\""]
        } else {
            &[
                "path = \"/api/explore/v2.1/catalog/datasets/visits/exports/jsonl?where=a\"",
                "format = \"ndjson\"",
                "# incremental = { field = \"changed_at\", param = \"where\", value = \"changed_at >= date'{cursor}'\" }",
            ]
        };
        let block = found.block;
        assert!(lines.iter().all(|line| block.lines().any(|l| l == *line)), "{block}");
        assert!(!block.contains("The answer holds"), "an export gives all of them: {block}");
        let written = block.replace("# incremental", "incremental").replace("?where=a", "");
        checked(&written, "all that stands in it");
    }
}

#[test]
fn where_errors_stand_beside_records_is_proposed_as_a_guess() {
    for (beside, expected) in [
        (r#""error":null"#, Some("success = { error = \"$.error\" }")),
        (r#""success":true"#, Some("success = { path = \"$.success\", equals = [true] }")),
        (r#""ok":true,"errors":null"#, Some("success = { error = \"$.errors\" }")),
        (r#""errors":["a warning"]"#, None),
        (r#""success":7"#, None),
    ] {
        let block = proposed(&format!("{{\"data\":[{{\"id\":1}}],{beside}}}")).unwrap().block;
        let line = block.lines().find(|line| line.starts_with("success"));
        let line = line.map(|line| line.split("  #").next().unwrap_or_default());
        assert_eq!(line, expected, "{beside}");
        checked(&block, beside);
    }
}

#[test]
fn a_name_that_a_header_has_twice_is_left_out_and_told() {
    let found = proposed("id,note,name,note \n1,a,b,c\n2,d,e,f\n").unwrap();
    let fields = &checked(&found.block, "twice").fields;
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["id", "name"]);
    assert!(found.notes.iter().any(|note| note.contains("twice")), "{:?}", found.notes);
}

#[test]
fn a_path_that_somebody_names_counts() {
    let text = r#"{"a":[{"x":1},{"x":2},{"x":3}],"b":{"rows":[{"id":1}]}}"#;
    let (url, base) =
        ("https://p.example/x".parse().unwrap(), "https://p.example".parse().unwrap());
    let sample = sample(text, Place::Url { url: &url, base: &base });
    let found = propose(&Sample { records: Some("$.b.rows[*]"), ..sample }).unwrap();
    assert!(found.block.contains("records = \"$.b.rows[*]\"\n"), "{}", found.block);
    for wrong in ["$.c[*]", "b.rows"] {
        let error = propose(&Sample { records: Some(wrong), ..sample }).unwrap_err();
        assert!(
            error.to_string().contains("path") || error.to_string().contains("JSONPath"),
            "{error}"
        );
    }
}

#[test]
fn an_address_belongs_to_the_connection_that_it_lies_within() {
    let base = "https://p.example/api".parse().unwrap();
    for (url, expected) in [
        ("https://p.example/api", true),
        ("https://p.example/api/x?y", true),
        ("https://p.example/apix", false),
        ("https://p.example:444/api/x", false),
        ("http://p.example/api/x", false),
        ("https://q.example/api/x", false),
    ] {
        assert_eq!(is_within(&url.parse().unwrap(), &base), expected, "{url}");
    }
}

/// A sample, with the headers that came with it.
fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/samples").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The feed that the configuration makes of a block, put into a partner's file as it is.
fn checked(block: &str, name: &str) -> Feed {
    let folder = tempfile::tempdir().unwrap();
    let marsad = folder.path().join("marsad.toml");
    let partner = format!(
        "[partner]\nid = \"p\"\n[[connection]]\nid = \"api\"\nbase_url = \"https://p.invalid\"\n\
         [[connection]]\nid = \"drop\"\nimport = \"in\"\n\n{block}"
    );
    fs::create_dir(folder.path().join("partners.d")).unwrap();
    fs::write(folder.path().join("partners.d/p.toml"), partner).unwrap();
    fs::write(&marsad, "").unwrap();
    let config = Config::load(&marsad, &Environment::empty());
    config.unwrap_or_else(|errors| panic!("{name}: {errors}\n{block}")).feeds.remove(0)
}

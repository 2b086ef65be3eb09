//! Habits of known interfaces, and of those that look like them: what would lose records, or show a person, is not proposed.

use super::{block_of, checked, proposed, says};

#[test]
fn what_leads_on_is_not_taken_for_what_does_not() {
    let pagination = |text: &str, query: &str| {
        let block = block_of(text, query, &[]);
        let line = block.lines().find(|line| line.starts_with("pagination")).map(str::to_owned);
        line.map(|line| line.split("  #").next().unwrap_or_default().to_owned()).unwrap_or(block)
    };
    for (text, query, expected, why) in [
        (
            r#"{"page":1,"count":2,"items":[{"id":"a"},{"id":"b"}]}"#,
            "?page=1",
            r#"pagination = { kind = "page", param = "page", size_param = "count", size = 2 }"#,
            "a count of the page is no total",
        ),
        (
            r#"{"meta":{"page":1,"total":2,"per_page":2},"items":[{"id":"a"},{"id":"b"}]}"#,
            "?page=1",
            r#"pagination = { kind = "page", param = "page", size_param = "per_page", size = 2 }"#,
            "nor is one of pages",
        ),
        (
            r#"{"results":[{"id":"a"},{"id":"b"}],"links":[{"rel":"next","uri":"/v1/things?startIndex=2"}]}"#,
            "",
            r#"pagination = { kind = "next_url", next = "$.links[?(@.rel == 'next')].uri" }"#,
            "a link need not be called href",
        ),
        (
            r#"{"issues":[{"id":"a"},{"id":"b"}],"nextPageToken":"x","isLast":false}"#,
            "",
            r#"pagination = { kind = "cursor", param = "nextPageToken", next = "$.nextPageToken", end = "$.isLast" }"#,
            "Jira",
        ),
        (
            r#"{"total_rows":9,"offset":0,"rows":[{"id":"a"},{"id":"b"}]}"#,
            "",
            r#"pagination = { kind = "offset", param = "skip", total = "$.total_rows" }"#,
            "CouchDB",
        ),
        (
            r#"{"content":[{"id":"a"},{"id":"b"}],"number":0,"size":2,"numberOfElements":2,"last":false}"#,
            "",
            r#"pagination = { kind = "page", param = "page", start = 0, size_param = "size", size = 2 }"#,
            "a slice of Spring Data",
        ),
        (
            r#"{"items":[{"id":"a"},{"id":"b"}],"currentPage":1,"nextPage":2}"#,
            "",
            r#"pagination = { kind = "page", param = "page" }"#,
            "what says which page it is",
        ),
        (
            r#"{"objectIdFieldName":"OBJECTID","features":[{"attributes":{"OBJECTID":1}},{"attributes":{"OBJECTID":2}}],"exceededTransferLimit":true}"#,
            "?where=1%3D1&f=json",
            r#"pagination = { kind = "offset", param = "resultOffset" }"#,
            "ArcGIS, whose flag is missing on its last page",
        ),
        (
            r#"{"features":[{"attributes":{"OBJECTID":1}},{"attributes":{"OBJECTID":2}}],"objectIdFieldName":"OBJECTID"}"#,
            "?f=json&resultOffset=0&resultRecordCount=2",
            r#"pagination = { kind = "offset", param = "resultOffset", size_param = "resultRecordCount", size = 2 }"#,
            "the same, asked for its first page",
        ),
        (
            r#"{"object":"list","url":"/v1/payouts","has_more":true,"data":[{"id":"a"},{"id":"b"}]}"#,
            "?limit=2",
            r#"pagination = { kind = "cursor", param = "starting_after", next = "$.data[-1].id", more = "$.has_more" }"#,
            "Stripe",
        ),
    ] {
        assert_eq!(pagination(text, query), expected, "{why}");
    }
    let block = block_of(r#"[{"id":"a"},{"id":"b"}]"#, "?limit=2", &[]);
    assert!(block.contains("asks for 2 records at most, and 2 came"), "{block}");
}

#[test]
fn a_key_merges_no_two_records() {
    for (text, lines, why) in [
        (
            r#"[{"id":"10","n":1},{"id":"11","n":1}]"#,
            &[r#"key = ["id"]"#, r#"id = "text""#][..],
            "the next may be 0010",
        ),
        (
            r#"[{"studentId":1,"subject":"a","grade":90},{"studentId":1,"subject":"b","grade":90}]"#,
            &[r#"key = ["studentId", "subject"]"#],
            "an id that repeats is a part of one",
        ),
        (
            r#"[{"fullname":"A","contactid":"x"},{"fullname":"B","contactid":"y"}]"#,
            &[r#"key = ["contactid"]"#],
            "an id in one word",
        ),
        (
            r#"[{"name":"A","statecode":1},{"name":"B","statecode":1}]"#,
            &[r#"key = ["name"]"#],
            "nothing else, and a warning",
        ),
    ] {
        let block = proposed(text).unwrap().block;
        assert!(lines.iter().all(|line| says(&block, line)), "{why}: {block}");
    }
    let block = proposed(r#"[{"name":"A","state":1},{"name":"B","state":1}]"#).unwrap().block;
    assert!(block.contains("a poor one"), "{block}");
}

#[test]
fn what_stands_in_a_record_is_found_and_typed_as_it_is() {
    for (text, line) in [
        (
            r#"{"data":[{"type":"p","id":"1","attributes":{"full-name":"A"}},{"type":"p","id":"2","attributes":{"full-name":"B"}}]}"#,
            r#"full-name = { type = "text", from = "$.attributes['full-name']", sensitive = true }"#,
        ),
        (
            r#"[{"id":1,"p":{"home-school":"a"}},{"id":2,"p":{"home-school":"b"}}]"#,
            r#"p_home-school = { type = "text", from = "$.p['home-school']" }"#,
        ),
        (
            r#"[{"id":1,"since":false},{"id":2,"since":"1985-01-02"}]"#,
            r#"since = { type = "date", nothing = ["false"] }"#,
        ),
        (r#"[{"id":1,"open":false},{"id":2,"open":true}]"#, r#"open = "boolean""#),
        (
            "<r><x><id>1</id><tag>a</tag><tag>b</tag></x><x><id>2</id><tag>a</tag></x></r>",
            r#"tag = "json""#,
        ),
    ] {
        let block = proposed(text).unwrap().block;
        assert!(says(&block, line), "{line}\n{block}");
    }
    for (text, words) in [
        (r#"[{"page":1},[{"id":1},{"id":2}]]"#, "a list of two"),
        (r#"{"resourceType":"Bundle","total":0}"#, "no list of records"),
    ] {
        let error = proposed(text).err().unwrap().to_string();
        assert!(error.contains(words), "{error}");
    }
    let block = proposed(r#"{"totalResults":0,"Resources":[]}"#).unwrap().block;
    assert!(says(&block, r#"records = "$.Resources[*]""#), "{block}");
}

#[test]
fn whoever_is_told_of_is_hidden() {
    for (text, column) in [
        (r#"[{"id":1,"idn":"784-0000-0000021-8"},{"id":2,"idn":"784-0000-0000021-9"}]"#, "idn"),
        (r#"[{"id":1,"p":{"a b":{"Emirates ID":"x"}}},{"id":2,"p":null}]"#, "p"),
        (r#"[{"id":1,"kids":[{"eid":"784-0000-0000021-8"}]},{"id":2,"kids":[]}]"#, "kids"),
        (r#"[{"id":1,"emails":"a"},{"id":2,"emails":"b"}]"#, "emails"),
        (r#"[{"id":1,"mobilephone":"a"},{"id":2,"mobilephone":"b"}]"#, "mobilephone"),
        (
            r#"[{"id":1,"clinic_patient_name":"a"},{"id":2,"clinic_patient_name":"b"}]"#,
            "clinic_patient_name",
        ),
        (r#"[{"id":1,"bloodGroup":"a"},{"id":2,"bloodGroup":"b"}]"#, "bloodGroup"),
        (r#"[{"id":1,"الجنسية":"a"},{"id":2,"الجنسية":"b"}]"#, "الجنسية"),
    ] {
        let block = proposed(text).unwrap().block;
        let (_, fields) = block.split_once("[feed.fields]").unwrap();
        let line = fields.lines().find(|line| line.trim_matches('"').starts_with(column));
        assert!(line.is_some_and(|line| line.contains("sensitive = true")), "{column}: {block}");
    }
    for (text, column) in [
        (r#"[{"id":1,"school_name":"a"},{"id":2,"school_name":"b"}]"#, "school_name"),
        (r#"[{"id":1,"clinic":"a"},{"id":2,"clinic":"b"}]"#, "clinic"),
    ] {
        let block = proposed(text).unwrap().block;
        let (_, fields) = block.split_once("[feed.fields]").unwrap();
        let line = fields.lines().find(|line| line.starts_with(column));
        assert!(line.is_some_and(|line| !line.contains("sensitive")), "{column}: {block}");
    }
}

#[test]
fn a_bundle_may_lack_its_entries() {
    let entry = |id| {
        format!(r#"{{"fullUrl":"u{id}","resource":{{"resourceType":"Patient","id":"{id}"}}}}"#)
    };
    let text = format!(
        r#"{{"resourceType":"Bundle","type":"searchset","entry":[{},{}]}}"#,
        entry(1),
        entry(2)
    );
    let block = block_of(&text, "", &[]);
    assert!(says(&block, "records_may_lack = true"), "{block}");
    checked(&block, "a bundle");
    let other = block_of(&text.replace("Bundle", "List"), "", &[]);
    assert!(!other.contains("records_may_lack"), "{other}");
}

use super::*;

fn sample<'a>(text: &'a str, place: Place<'a>) -> Sample<'a> {
    Sample {
        bytes: text.as_bytes(),
        cut: false,
        link: None,
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
fn what_is_no_data_is_refused_with_what_to_do() {
    for (text, why, remedy) in [
        ("<!DOCTYPE html><html><body>login</body></html>", "HTML", "auth"),
        (r#"{"errors":[{"status":"429"}]}"#, "error message", "mend"),
        (r#"{"data":[{"id":1},"#, "not whole JSON", "error page"),
        ("", "nothing", "records"),
        ("just words", "no table", "sample"),
        (
            "<s:Envelope xmlns:s='u'><s:Body><s:Fault/></s:Body></s:Envelope>",
            "error message",
            "mend",
        ),
    ] {
        let error = proposed(text).unwrap_err();
        assert!(error.why.contains(why) && error.remedy.contains(remedy), "{text}: {error}");
    }
    let (url, base) =
        ("https://p.example/x".parse().unwrap(), "https://p.example".parse().unwrap());
    for (bytes, why) in [
        (&b"a,b\n\xe3\xe4,1\n"[..], "line 2"),
        (b"\xff\xfea\0", "UTF-16"),
        (b"PK\x03\x04rest", "workbook"),
        (b"\x1f\x8b\x08", "gzip"),
    ] {
        let sample = Sample { bytes, ..sample("", Place::Url { url: &url, base: &base }) };
        assert!(propose(&sample).unwrap_err().why.contains(why), "{why}");
    }
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

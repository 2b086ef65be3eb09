//! Text: in which encoding it is, and whether it is data at all.

use super::*;

#[test]
fn an_answer_whose_charset_is_not_its_own_is_read_as_what_it_is() {
    let base = "https://p.example".parse().unwrap();
    let place = Place::Url { url: &base, base: &base };
    let lying = Sample { says: Some("ISO-8859-6"), ..sample(r#"[{"id":"قيد"}]"#, place) };
    let block = propose(&lying).unwrap().block;
    assert_eq!(checked(&block, "lying").encoding.as_deref(), Some("UTF-8"), "{block}");
}

#[test]
fn xml_is_read_in_the_encoding_that_it_declares() {
    let (url, base) =
        ("https://p.example/x".parse().unwrap(), "https://p.example".parse().unwrap());
    let rows = |label: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"{label}\"?><قيود><قيد><رقم>1</رقم><اسم>أسرة</اسم></قيد><قيد><رقم>2</رقم><اسم>بيت</اسم></قيد></قيود>"
        )
    };
    let (arabic, iso) = (encoding_rs::WINDOWS_1256, encoding_rs::ISO_8859_6);
    for (encoding, label, cut, expected, why) in [
        (arabic, "windows-1256", 0, Ok("records = \"قيود/قيد\"\n"), "Windows-1256"),
        (iso, "ISO-8859-6", 0, Ok("\"اسم\" = {"), "ISO-8859-6"),
        (UTF_8, "UTF-8", 0, Ok("\"اسم\" = {"), "UTF-8"),
        (encoding_rs::GB18030, "gb18030", 40, Ok("records = \"قيود/قيد\"\n"), "its beginning"),
        (
            UTF_8,
            "windows-1256",
            0,
            Err("it declares windows-1256 and seems to be UTF-8"),
            "it is not",
        ),
        (
            UTF_8,
            "windows-1256",
            1,
            Err("it declares windows-1256 and seems to be UTF-8"),
            "cut, it is not",
        ),
        (arabic, "ISO-8859-6", 0, Err("not all of it is ISO-8859-6"), "nor is that"),
        (
            arabic,
            "arabic-of-ours",
            0,
            Err("it declares an encoding that nobody knows"),
            "no such one",
        ),
    ] {
        let bytes = encoding.encode(&rows(label)).0.into_owned();
        let bytes = &bytes[..bytes.len() - cut];
        let place = Place::Url { url: &url, base: &base };
        let sample = Sample { bytes, cut: cut > 0, ..sample("", place) };
        match (propose(&sample), expected) {
            (Ok(found), Ok(line)) => assert!(found.block.contains(line), "{why}: {}", found.block),
            (Err(error), Err(words)) => assert!(error.why.starts_with(words), "{why}: {error}"),
            (found, _) => panic!("{why}: {found:?}"),
        }
    }
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
        (b"\xff\xfea\0,\0\x00\xd8", "not all of it is UTF-16LE"),
        (b"\x1f\x8b\x08", "gzip"),
    ] {
        let sample = Sample { bytes, ..sample("", Place::Url { url: &url, base: &base }) };
        assert!(propose(&sample).unwrap_err().why.contains(why), "{why}");
    }
}

#[test]
fn a_table_in_utf16_is_told_by_its_mark() {
    let bytes = file("txt-utf16le-excel-unicode.txt");
    let (url, base) =
        ("https://p.example/x".parse().unwrap(), "https://p.example".parse().unwrap());
    let sample = Sample { bytes: &bytes, ..sample("", Place::Url { url: &url, base: &base }) };
    let found = propose(&sample).unwrap();
    for line in ["delimiter = \"\\t\"\n", "\"المنطقة\" = \"text\"\n"] {
        assert!(found.block.contains(line), "{line} in {}", found.block);
    }
}

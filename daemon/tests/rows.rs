//! Rows of every format: what is taken, what is deleted, and what is refused with its reason.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests, with what they share")]

use std::{fmt::Write as _, time::Instant};

use marsad_daemon::{
    decode::{DecodeError, Scalar},
    intake::{Intake, Origins, Piece, Source, beside},
};
use marsad_shared::{
    feed::{Deleted, Feed, FieldType, Format, ScalarPath},
    partner::Cover,
};
use reading::{feed, lines, page};

#[path = "rows/lacking.rs"]
mod lacking;
mod reading;
#[path = "rows/recalled.rs"]
mod recalled;
#[path = "rows/replays.rs"]
mod replays;

/// The rows of a page that can be read, and why each of the others was refused.
fn rows(feed: &Feed, body: &str) -> (Vec<String>, Vec<String>) {
    let (_, read) = page(feed, body.as_bytes(), &[]);
    let Piece { batch, refused, .. } = read.unwrap_or_else(|error| panic!("{body}: {error}"));
    (lines(&batch), refused.into_iter().map(|refusal| refusal.reason).collect())
}

#[test]
fn a_record_may_say_that_it_was_deleted() {
    let by_name = r#"key = ["id"]
deleted = { field = "op", values = ["delete", "D"] }
fields = { id = "text", n = { type = "integer", required = true } }"#;
    let by_path = by_name.replace("\"op\"", "\"$.meta.gone\"").replace("\"D\"", "\"true\", \"1\"");
    let csv = format!("format = \"csv\"\n{by_name}");
    let xml =
        format!("format = \"xml\"\nrecords = \"R/C\"\n{by_name}").replace("\"op\"", "\"@op\"");
    for (keys, body, expected, why) in [
        (by_name, r#"[{"id":"a","op":"delete"}]"#, "-a|·", "and needs no more than its key"),
        (by_name, r#"[{"id":"a","n":"x","op":"D"}]"#, "-a|·", "other columns are not looked at"),
        (by_name, r#"[{"id":"a","n":1,"op":"upsert"}]"#, "a|1", "another word"),
        (by_name, r#"[{"id":"a","n":1,"op":null}]"#, "a|1", "no word"),
        (&by_path, r#"[{"id":"a","meta":{"gone":true}}]"#, "-a|·", "a boolean, down a path"),
        (&by_path, r#"[{"id":"a","meta":{"gone":1}}]"#, "-a|·", "a number"),
        (&by_path, r#"[{"id":"a","n":1,"meta":{"gone":false}}]"#, "a|1", "not deleted"),
        (&by_path, r#"[{"id":"a","n":1,"meta":{}}]"#, "a|1", "it says nothing of it"),
        (&by_path, r#"[{"id":"a","n":1}]"#, "a|1", "nor that there could be any"),
        (&csv, "op,id,n\ndelete,a,\nD,b,x\n,c,1", "-a|· -b|· c|1", "CSV"),
        (&csv, "Op / العملية,ID,n\ndelete,a,\n,c,1", "-a|· c|1", "a header in two languages"),
        (&xml, "<R><C op='D'><id>a</id></C><C><id>b</id><n>1</n></C></R>", "-a|· b|1", "XML"),
    ] {
        let (rows, refused) = rows(&feed(keys), body);
        assert_eq!((rows.join(" ").as_str(), refused.len()), (expected, 0), "{why}: {refused:?}");
    }
    let (found, refused) = rows(&feed(by_name), r#"[{"op":"delete"},{"id":"a","n":1}]"#);
    assert_eq!(found, ["a|1"]);
    assert_eq!(refused, ["field \"id\" is missing and must not be"], "a deletion of nothing");
    for (keys, record, why) in [
        (by_name, r#""op":["delete"]"#, "holds an object or a list; mend `deleted.field`"),
        (
            &by_path,
            r#""meta":{"gone":{"at":"now"}}"#,
            "holds an object or a list; mend `deleted.field`",
        ),
    ] {
        let body = format!("[{{\"id\":\"a\",\"n\":1,{record}}},{{\"id\":\"b\",\"n\":2}}]");
        let (found, refused) = rows(&feed(keys), &body);
        assert_eq!(found, ["b|2"], "its neighbours are kept");
        assert_eq!(refused, [format!("what should say whether it was deleted {why}")]);
    }
    let twice = "<R><C><gone>1</gone><gone>2</gone><id>a</id></C></R>";
    let (found, refused) = rows(&feed(&xml.replace("\"@op\"", "\"gone\"")), twice);
    assert!(found.is_empty() && refused.concat().contains("stands more than once"), "{refused:?}");
    let (_, read) = page(&feed(&csv), b"id,n\na,1", &[]);
    assert!(read.unwrap_err().to_string().contains("lacks \"op\""), "a header without the word");
}

#[test]
fn what_the_agreement_does_not_cover_is_dropped_and_counted() {
    let cover = Cover::Only(["id", "n"].map(str::to_owned).into());
    let declared = "key = [\"id\"]\nfields = { id = \"text\", eid = { type = \"emirates_id\", from = \"$.child.eid\" }, n = { type = \"text\", from = \"$.child.n\" } }";
    let flat = "key = [\"id\"]\nfields = { id = \"text\", eid = \"emirates_id\", n = \"text\" }";
    let open = "key = [\"id\"]";
    let csv = |keys: &str| format!("format = \"csv\"\n{keys}");
    let xml = |keys: &str| format!("format = \"xml\"\nrecords = \"R/C\"\n{keys}");
    let (two, table) =
        ("2 fields outside the agreement were dropped with", "id,n,eid,tel\na,1,x,\nb,2,y,5");
    let one = "1 field outside the agreement was dropped with";
    let nested = r#"[{"id":"a","child":{"eid":"x","n":"1"}},{"id":"b","child":{"n":"2"},"tel":5}]"#;
    let json = r#"[{"id":"a","eid":"x","n":"1"},{"id":"b","n":"2","eid":"y","tel":null}]"#;
    let elements = "<R><C><id>a</id><n>1</n><eid>x</eid></C><C><id>b</id><n>2</n></C></R>";
    for (keys, body, expected, why) in [
        (
            declared,
            nested,
            format!("{two} 2 values: eid, tel"),
            "a field that is declared, in JSON",
        ),
        (open, json, format!("{two} 2 values: eid, tel"), "columns of the first data"),
        (&csv(flat), table, format!("{two} 3 values: eid, tel"), "a table, declared"),
        (&csv(open), table, format!("{two} 3 values: eid, tel"), "a table"),
        (&xml(open), elements, format!("{one} 1 value: eid"), "XML"),
    ] {
        let feed = Feed { cover: cover.clone(), ..feed(keys) };
        let (_, read) = page(&feed, body.as_bytes(), &[]);
        let Piece { batch, refused, beside, .. } = read.unwrap_or_else(|e| panic!("{why}: {e}"));
        assert_eq!(
            (lines(&batch), refused.len()),
            (vec!["a|1".to_owned(), "b|2".to_owned()], 0),
            "{why}"
        );
        assert_eq!(beside.outside(&feed.cover), Some(expected), "{why}");
    }
    let many = (0..2_000).map(|n| format!("{n},1,x")).collect::<Vec<_>>().join("\n");
    let feed = Feed { cover, ..feed(&csv(open)) };
    let piece = page(&feed, format!("id,n,eid\n{many}").as_bytes(), &[]).1.unwrap();
    assert_eq!(piece.beside.outside(&feed.cover).unwrap(), format!("{one} 2000 values: eid"));
}

#[test]
fn what_stands_beside_the_columns_is_known_by_name_and_type_and_not_from_deletions() {
    let fields =
        "key = [\"id\"]\nfields = { id = \"text\", a = { type = \"text\", from = \"$.in.a\" } }";
    let op = format!("deleted = {{ field = \"op\", values = [\"D\"] }}\n{fields}");
    let apart = format!("records = \"$.data[*]\"\ndeletes = \"$.gone[*]\"\n{fields}");
    let odata = "key = [\"id\"]\nfields = { id = \"text\" }";
    let csv = "format = \"csv\"\nkey = [\"id\"]\nfields = { id = \"text\" }";
    let xml = "format = \"xml\"\nrecords = \"R/C\"\nkey = [\"id\"]\nfields = { id = \"text\", a = { type = \"text\", from = \"in/a\" } }";
    for (keys, body, expected, why) in [
        (
            fields,
            r#"[{"id":"1","in":{"a":"x","b":"y"},"n":1},{"id":"2","n":2.5,"s":"t","j":[1],"z":null}]"#,
            "j:json n:decimal s:text z:?",
            "at the top of a record; what a column leads through is none",
        ),
        (
            &op,
            r#"[{"id":"1","op":"D","why":"x"},{"id":"2","op":"U","n":true}]"#,
            "n:boolean",
            "a deletion",
        ),
        (
            &apart,
            r#"{"gone":[{"id":"1","why":"x"}],"data":[{"id":"2","n":1}]}"#,
            "n:integer",
            "apart",
        ),
        (
            odata,
            r##"[{"id":"1","@odata.etag":"e"},{"@odata.context":"#X/$deletedEntity","id":"X('2')","reason":"r"}]"##,
            "",
            "OData",
        ),
        (
            xml,
            "<R><C><id>1</id><in><a>x</a></in><t at='1'>y</t><e/><h><i>1</i></h><l>1</l><l>2</l></C></R>",
            "e:? h:json l:json t:text",
            "XML: an element with an attribute is text",
        ),
        (csv, "id,kind,\n1,,\n", "kind:?", "a header without a value, and one without a name"),
    ] {
        let feed = match why {
            "OData" => Feed { deleted: Some(Deleted::OData), ..feed(keys) },
            _ => feed(keys),
        };
        let piece = page(&feed, body.as_bytes(), &[]).1.unwrap_or_else(|e| panic!("{why}: {e}"));
        let kind = |kind: Option<FieldType>| kind.map_or("?", FieldType::word);
        let names = piece.beside.names().map(|(name, met)| format!("{name}:{}", kind(met.kind)));
        assert_eq!(names.collect::<Vec<_>>().join(" "), expected, "{why}");
    }
}

#[test]
fn records_that_stand_among_the_removed_are_deleted() {
    let json = "records = \"$.data[*]\"\ndeletes = \"$.removed[*]\"\nkey = [\"id\"]\nfields = { id = \"integer\", n = \"text\" }";
    let held = json.replace("$.removed[*]", "$..removed[*]");
    for keys in [json, &held] {
        let feed = feed(keys);
        let (found, _) = rows(&feed, r#"{"data":[{"id":1,"n":"a"}],"removed":[{"id":2,"n":"b"}]}"#);
        assert_eq!(found, ["1|a", "-2|·"]);
        let (found, _) = rows(&feed, r#"{"removed":[{"id":2}],"data":[]}"#);
        assert_eq!(found, ["-2|·"], "where there are no others");
        let (found, _) = rows(&feed, r#"{"data":[{"id":1,"n":"a"}]}"#);
        assert_eq!(found, ["1|a"], "where none are removed");
    }
}

#[test]
fn an_odata_deletion_has_its_key_in_its_properties_or_in_its_id() {
    let two = "records = \"$.value[*]\"\nkey = [\"year\", \"area\"]\n[feed.fields]\nyear = { type = \"integer\", from = \"Year\" }\narea = { type = \"text\", from = \"Area\" }";
    let feed = Feed { deleted: Some(Deleted::OData), ..feed(two) };
    for (record, expected) in [
        (r#"{"@removed":{"reason":"deleted"},"@id":"X(Year=2025,Area='a''b')"}"#, "-2025|a'b"),
        (r#"{"@removed":{},"Year":2025,"Area":"a"}"#, "-2025|a"),
        (r#"{"@removed":{},"Year":2025,"@odata.id":"X(Year=1,Area='a')"}"#, "-2025|a"),
        (r##"{"@odata.context":"#X/$deletedEntity","id":"X(Area='a',Year=7)"}"##, "-7|a"),
        (r##"{"@context":"#X","Year":1,"Area":"a"}"##, "1|a"),
        (r#"{"@removed":null,"Year":1,"Area":"a"}"#, "1|a"),
        (r#"{"@removed":{},"id":"X(5)"}"#, "field \"year\" is missing and must not be"),
        (r#"{"@removed":{}}"#, "field \"year\" is missing and must not be"),
        (
            r#"{"@removed":{},"@id":"X(Year='z',Area='a')"}"#,
            "field \"year\" is not a whole number of 64 bits; mend the value, or take it as text under another name: NAME = { type = \"text\", from = … }",
        ),
    ] {
        let (found, refused) = rows(&feed, &format!("{{\"value\":[{record}]}}"));
        assert_eq!([found, refused].concat(), [expected], "{record}");
    }
}

#[test]
fn the_id_of_a_deleted_entity_is_a_reference_even_where_a_column_is_called_so() {
    let keys = |kind: &str| {
        format!(
            "records = \"$.value[*]\"\nkey = [\"id\"]\nfields = {{ id = \"{kind}\", n = \"text\" }}"
        )
    };
    let read = |kind: &str, record: &str| {
        let feed = Feed { deleted: Some(Deleted::OData), ..feed(&keys(kind)) };
        let (found, refused) = rows(&feed, &format!("{{\"value\":[{record}]}}"));
        [found, refused].concat().concat()
    };
    let missing = "field \"id\" is missing and must not be";
    let context = r##""@odata.context":"#Enrolments/$deletedEntity""##;
    for (kind, id, expected, why) in [
        ("text", "\"Enrolments('x')\"", "-x|·", "text"),
        ("text", "\"https://h.invalid/Enrolments(id='x(1)')\"", "-x(1)|·", "named, with its place"),
        ("integer", "\"Enrolments(7)\"", "-7|·", "a number"),
        ("text", "\"x\"", "-x|·", "no reference: the key itself"),
        ("integer", "7", "-7|·", "the key itself, as a number"),
        ("text", "\"Enrolments/x\"", missing, "a reference that names nothing here is no key"),
        ("text", "\"Enrolments(1,2)\"", missing, "nor is one with too many"),
    ] {
        assert_eq!(read(kind, &format!("{{{context},\"id\":{id}}}")), expected, "{why}");
    }
    let removed = r#"{"@removed":{},"id":"a(b)","@id":"Enrolments('z')"}"#;
    assert_eq!(read("text", removed), "-a(b)|·", "as 4.01 writes it, its id is a property");
    assert_eq!(read("text", r#"{"id":"a(b)","n":"c"}"#), "a(b)|c", "nothing was deleted");
}

#[test]
fn a_name_that_stands_twice_in_an_object_refuses_the_row_wherever_it_is() {
    let by = |keys: &str| {
        feed(&format!(
            "{keys}\nkey = [\"id\"]\n[feed.fields]\nid = \"text\"\nv = {{ type = \"text\", from = \"$.a.b.c\" }}"
        ))
    };
    let twice = |name: &str| {
        format!(
            "the name \"{name}\" stands twice in one object of the record; which value is meant? have the partner mend it"
        )
    };
    for (record, expected, why) in [
        (r#""a":{"b":{"c":"x"}}"#, "1|x".to_owned(), "once"),
        (r#""a":{"b":"no object"}"#, "1|·".to_owned(), "nothing on the way"),
        (r#""a":{"b":{"c":"x","c":"x"}}"#, twice("c"), "at its end"),
        (r#""a":{"b":{"c":"x"},"b":{"c":"y"}}"#, twice("b"), "on the way"),
        (r#""a":{"b":{"c":"x"}},"id":"2""#, twice("id"), "the key"),
        (r#""a":{"b":{"c":"x","d":[{"e":1,"\u0065":2}]}}"#, twice("e"), "where nobody looks"),
        (r#""\u001b[2J":1,"\u001b[2J":2"#, twice("<U+1B>[2J"), "shown and not obeyed"),
    ] {
        let record = format!("{{\"id\":\"1\",{record}}}");
        let good = r#"{"id":"2","a":{"b":{"c":"y"}}}"#;
        for (keys, body) in [
            ("", format!("[{record},{good}]")),
            ("records = \"$[0:9]\"", format!("[{record},{good}]")),
            ("format = \"ndjson\"", format!("{record}\n{good}\n")),
        ] {
            let (found, refused) = rows(&by(keys), &body);
            assert_eq!(found.last().map(String::as_str), Some("2|y"), "its neighbours are kept");
            let first = found.iter().filter(|row| *row != "2|y").chain(&refused);
            assert_eq!(first.collect::<Vec<_>>(), [&expected], "{why}: {keys}");
        }
    }
}

#[test]
fn what_no_text_may_hold_refuses_the_row() {
    let json = feed("key = [\"id\"]\nfields = { id = \"text\", t = \"text\", j = \"json\" }");
    let of = |what: &str, field: &str| {
        format!(
            "field \"{field}\" holds {what}, which no text may; have the partner mend it, or leave the field out"
        )
    };
    for (record, expected) in [
        (r#""t":"a\u0000b""#, of("a NUL character", "t")),
        (r#""j":{"a":["\u0000"]}"#, of("a NUL character", "j")),
        (r#""j":{"\ud800":1}"#, of("half a surrogate pair", "j")),
        (r#""t":"\ud800""#, "field \"t\" is no readable text (a broken escape)".to_owned()),
        (r#""t":"\ud83d\ude00""#, "1|😀|·".to_owned()),
        (r#""x":"\u0000""#, "1|·|·".to_owned()),
    ] {
        let (found, refused) = rows(&json, &format!("[{{\"id\":\"1\",{record}}}]"));
        assert_eq!([found, refused].concat(), [expected], "{record}");
    }
    let csv = feed("format = \"csv\"\nkey = [\"id\"]\nfields = { id = \"text\", t = \"text\" }");
    let (found, refused) = rows(&csv, "id,t\n1,a\0b\n2,c\n");
    assert_eq!((found, refused), (vec!["2|c".to_owned()], vec![of("a NUL character", "t")]));
}

#[test]
fn a_card_that_must_be_there_is_missing_where_a_placeholder_is() {
    let keys = |more: &str| {
        format!(
            "key = [\"id\"]\n[feed.fields]\nid = \"text\"\neid = {{ type = \"emirates_id\"{more} }}"
        )
    };
    let record = r#"[{"id":"a","eid":"111-1111-1111111-1"}]"#;
    assert_eq!(rows(&feed(&keys("")), record), (vec!["a|·".to_owned()], vec![]));
    let (found, refused) = rows(&feed(&keys(", required = true")), record);
    assert!(found.is_empty());
    assert_eq!(refused, ["field \"eid\" is missing and must not be"]);
}

#[test]
fn a_value_beyond_its_bounds_refuses_the_row_and_names_the_bound() {
    let row = |column: &str, value: &str| {
        let keys = format!(
            "format = \"csv\"\nkey = [\"id\"]\n[feed.fields]\nid = \"text\"\nv = {{ {column} }}"
        );
        let (found, refused) = rows(&feed(&keys), &format!("id,v\na,{value}\n"));
        [found, refused].concat().concat()
    };
    for (column, value, expected) in [
        ("type = \"integer\", min = 0", "0", "a|0"),
        ("type = \"integer\", min = 0", "", "a|·"),
        (
            "type = \"integer\", min = 0",
            "-1",
            "field \"v\" is less than 0; mend the value, or lower `min`",
        ),
        (
            "type = \"decimal\", max = 0.1",
            "0.1000000000000000000001",
            "field \"v\" is more than 0.1; mend the value, or raise `max`",
        ),
        (
            "type = \"timestamp\", min = 2026-01-01",
            "2025-12-31T20:00:00Z",
            "a|2025-12-31T20:00:00Z",
        ),
        (
            "type = \"timestamp\", min = 2026-01-01",
            "2025-12-31T19:00:00Z",
            "field \"v\" is less than 2026-01-01; mend the value, or lower `min`",
        ),
        (
            "type = \"period\", max = \"2026-Q1\"",
            "2026",
            "field \"v\" is more than 2026-Q1; mend the value, or raise `max`",
        ),
        ("type = \"text\", pattern = '[A-Z]-\\d+'", "A-1", "a|A-1"),
        (
            "type = \"text\", pattern = '[A-Z]-\\d+'",
            " A-1",
            "field \"v\" does not match [A-Z]-\\d+; mend the value, or `pattern`",
        ),
    ] {
        assert_eq!(row(column, value), expected, "{column}: {value}");
    }
}

#[test]
fn the_decimal_sign_of_a_feed_is_that_of_its_text() {
    let keys = "decimal = \",\"\nkey = [\"id\"]\nfields = { id = \"text\", n = \"integer\", v = \"decimal\" }";
    let (found, refused) =
        rows(&feed(keys), r#"[{"id":"a","n":"1.234","v":"1.234,5"},{"id":"b","n":1,"v":1.5}]"#);
    assert_eq!(found, ["a|1234|1234.5", "b|1|1.5"], "a number of JSON has a point: {refused:?}");
    let csv = format!("format = \"csv\"\ndelimiter = \";\"\n{keys}");
    let (found, refused) = rows(&feed(&csv), "id;n;v\na;1 234;0,5\nb;1;0.5\n");
    assert_eq!(found, ["a|1234|0.5"]);
    assert_eq!(
        refused,
        [
            "field \"v\" is not a decimal number; mend the value, or take it as text under another name: NAME = { type = \"text\", from = … }"
        ]
    );
}

#[test]
fn days_in_two_calendars_are_a_day_apart_at_most() {
    let feed = feed(
        "format = \"csv\"\nkey = [\"id\"]\n[feed.fields]\nid = \"text\"\n\
         hijri = { type = \"hijri_date\", format = \"%d/%m/%Y\", gregorian = \"day\" }\nday = \"date\"",
    );
    let apart = "field \"hijri\" is not the day of field \"day\": they are more than a day apart; have the partner say which is right";
    for (hijri, day, expected) in [
        ("1/9/1447", "2026-02-18", "a|1447-09-01|2026-02-18"),
        ("1/9/1447", "2026-02-17", "a|1447-09-01|2026-02-17"),
        ("1/9/1447", "2026-02-19", "a|1447-09-01|2026-02-19"),
        ("1/9/1447", "2026-02-20", apart),
        ("1/9/1447", "2026-02-16", apart),
        ("1/9/1447", "", "a|1447-09-01|·"),
        ("", "2026-02-18", "a|·|2026-02-18"),
    ] {
        let (found, refused) = rows(&feed, &format!("id,hijri,day\na,{hijri},{day}\n"));
        assert_eq!([found, refused].concat(), [expected], "{hijri} and {day}");
    }
}

#[test]
fn columns_are_found_in_xml_by_paths_of_local_names() {
    let columns = |from: &str, kind: &str, record: &str| {
        let keys = format!(
            "format = \"xml\"\nrecords = \"R/C\"\nkey = [\"id\"]\n[feed.fields]\nid = {{ type = \"text\", from = \"@id\" }}\nv = {{ type = \"{kind}\", from = {from} }}"
        );
        let (found, refused) = rows(&feed(&keys), &format!("<R><C id='1'>{record}</C></R>"));
        [found, refused].concat().concat()
    };
    let mixed = "field \"v\" has elements in it: its text is not whole; have the partner write it as text alone, or type it \"json\"";
    for (from, kind, record, expected) in [
        ("\"A\"", "text", "<A>x</A>", "1|x"),
        ("\"A\"", "text", "<A b='c'>x</A>", "1|x"),
        ("\"A\"", "text", "<A b='c'/>", "1|·"),
        ("\"A\"", "text", "<A/>", "1|·"),
        ("\"A\"", "integer", "<A> ٤٢ </A>", "1|42"),
        ("\"A/@b\"", "text", "<A b='c'>x</A>", "1|c"),
        ("\"A/@b\"", "text", "<A>x</A>", "1|·"),
        ("\"#text\"", "text", "كلباء", "1|كلباء"),
        ("\"#text\"", "integer", " 42 ", "1|42"),
        ("\"#text\"", "text", "", "1|·"),
        ("\"A/B\"", "text", "<A><B>y</B></A>", "1|y"),
        ("\"A[@k='2']\"", "text", "<A k='1'>x</A><A k='2'>y</A>", "1|y"),
        ("\"A[@k='2']/B/@c\"", "text", "<A k='1'/><A k='2'><B c='z'/></A>", "1|z"),
        ("\"A[@k='3']\"", "text", "<A k='1'>x</A>", "1|·"),
        ("[\"Z\", \"A\"]", "text", "<A>x</A>", "1|x"),
        ("[\"Z\", \"A\"]", "text", "<Z/><A>x</A>", "1|x"),
        ("\"A\"", "json", "<A>x</A><A/>", "1|[\"x\",\"\"]"),
        ("\"A\"", "json", "<A b='c'/>", "1|{\"@b\":\"c\"}"),
        ("\"A\"", "json", "<A/>", "1|·"),
        (
            "\"A\"",
            "text",
            "<A>x</A><A>y</A>",
            "field \"v\" stands more than once; choose one by an attribute, as in Date[@calendar='hijri'], or type it \"json\"",
        ),
        (
            "\"A[@k='1']\"",
            "text",
            "<A k='1'>x</A><A k='1'>y</A>",
            "field \"v\" stands more than once; choose one by an attribute, as in Date[@calendar='hijri'], or type it \"json\"",
        ),
        (
            "\"A\"",
            "text",
            "<A><B>y</B></A>",
            "field \"v\" holds an object or a list; name what is wanted of it in `from`, or type it \"json\"",
        ),
        // Words inside other elements are a part of what is said, and would be lost.
        ("\"A\"", "text", "<A>Al <B>Noor</B> Clinic</A>", mixed),
        ("\"A\"", "integer", "<A>10<B>3</B></A>", mixed),
        ("\"A\"", "text", "<A k='1'><B/>x</A>", mixed),
        ("\"A[@k='1']\"", "text", "<A k='1'>x<B/></A>", mixed),
        ("[\"Z\", \"A\"]", "text", "<A>x<B/></A>", mixed),
        ("\"A/B\"", "text", "<A>x<B>y</B>z</A>", "1|y"),
        ("\"A\"", "text", "x <A>y</A> z", "1|y"),
        ("\"A\"", "text", "<A>x<!-- y --><![CDATA[<B>]]></A>", "1|x<B>"),
        ("\"A\"", "json", "<A>x<B>y</B></A>", r##"1|{"B":"y","#text":"x"}"##),
    ] {
        assert_eq!(columns(from, kind, record), expected, "{from} of {record}");
    }
}

#[test]
fn a_record_without_bottom_is_refused_and_its_neighbours_are_kept() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let keys = "key = [\"id\"]\nfields = { id = \"text\", x = \"json\" }";
    let body = format!("[{{\"id\":\"a\",\"x\":[1]}},{{\"id\":\"b\",\"x\":{deep}}},{deep}]");
    let lines = body.trim_matches(['[', ']']).replace("},", "}\n");
    for (keys, body) in [(keys.to_owned(), body), (format!("format = \"ndjson\"\n{keys}"), lines)] {
        let (found, refused) = rows(&feed(&keys), &body);
        assert_eq!(found, ["a|[1]"]);
        assert!(!refused.is_empty());
        for reason in refused {
            assert!(
                reason.starts_with("the record is nested deeper than 128 levels")
                    || reason.starts_with("the record is not a JSON object"),
                "{reason}"
            );
        }
    }
}

/// A page read once, of a feed whose fields are declared; `again` looks for `$.meta.next` in a walk of its own.
fn quick(
    feed: &Feed,
    body: &[u8],
    wanted: &[&str],
    again: bool,
) -> (Vec<Scalar>, Result<Piece, DecodeError>) {
    let shaper = reading::shaper(feed, Format::Json, body).unwrap();
    let wanted: Vec<_> = wanted.iter().map(|path| ScalarPath::parse(path).unwrap()).collect();
    let intake = Intake {
        feed,
        shaper: &shaper,
        format: Format::Json,
        seed: 7,
        origins: Origins::default(),
        references: None,
        recall: None,
    };
    let (mut found, read) = intake.page(Source::Held(body), &wanted, usize::MAX);
    if again {
        found =
            beside(Format::Json, Source::Held(body), &[ScalarPath::parse("$.meta.next").unwrap()]);
    }
    (found, read)
}

/// One walk for records and what stands beside them, against a walk for each: run it with `--ignored --nocapture`.
#[test]
#[ignore = "it measures, and says nothing of right and wrong"]
fn one_walk_or_two() {
    let keys = "records = \"$.data[*]\"\nkey = [\"id\"]\nfields = { id = \"text\", family = \"text\", grade = \"integer\", updated_at = \"timestamp\" }";
    let feed = feed(keys);
    let mut body = String::from("{\"data\":[");
    for n in 0..1_000 {
        let comma = if n > 0 { "," } else { "" };
        write!(
            body,
            "{comma}{{\"id\":\"E-{n:06}\",\"family\":\"FAM-{n:06}\",\"grade\":{},\"updated_at\":\"2026-09-14T08:15:00Z\",\"note\":\"قيد الطلبة\"}}",
            n % 12
        )
        .unwrap();
    }
    body.push_str("],\"meta\":{\"next\":\"abc\"}}");
    let paths: &[&str] = &["$.meta.next"];
    for (name, wanted, again) in
        [("records alone", &[][..], false), ("one walk", paths, false), ("two walks", &[], true)]
    {
        let begun = Instant::now();
        for _ in 0..50 {
            let (found, read) = quick(&feed, body.as_bytes(), wanted, again);
            assert_eq!(read.unwrap().batch.len(), 1_000);
            assert!(found.iter().all(|found| *found == Scalar::Text("abc".to_owned())));
        }
        println!("{name}: {:?} a page", begun.elapsed() / 50);
    }
}

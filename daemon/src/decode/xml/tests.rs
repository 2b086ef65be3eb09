use std::io;

use marsad_shared::health::Reason;

use super::*;
use crate::decode::{ROW_MAX, xml::tags::DEPTH_MAX};

/// What stands at `paths`, the records at `R/C`, `-` before those at `R/G`, and how it ended.
fn found(document: &[u8], paths: &[&str]) -> (Vec<Scalar>, Vec<String>, Result<(), DecodeError>) {
    let (records, gone) = (RecordsPath::xml("R/C").unwrap(), RecordsPath::xml("R/G").unwrap());
    let scalars: Vec<_> = paths.iter().map(|path| ScalarPath::parse(path).unwrap()).collect();
    let plan = Plan { records: Some(&records), deletes: Some(&gone), scalars: &scalars };
    let mut kept = Vec::new();
    let (scalars, end) = read(document, &plan, |record, standing| {
        kept.push(format!("{}{record}", if standing == Standing::Gone { "-" } else { "" }));
        Flow::More
    });
    (scalars, kept, end)
}

#[test]
fn an_element_becomes_the_object_that_it_is() {
    for (record, expected, why) in [
        ("<C/>", "{}", "nothing in it"),
        ("<C>  x </C>", r##"{"#text":"  x "}"##, "text is not touched"),
        ("<C id='1'><k>a</k></C>", r#"{"@id":"1","k":"a"}"#, "attribute and child"),
        ("<C><k/><l> \n </l></C>", r#"{"k":"","l":""}"#, "white space is no text"),
        ("<C><k a='1'>t</k></C>", r##"{"k":{"@a":"1","#text":"t"}}"##, "attribute and text"),
        ("<C><k>a</k><l/><k>b</k></C>", r#"{"k":["a","b"],"l":""}"#, "several of one name"),
        ("<C><k><![CDATA[a & <b>]]></k></C>", r#"{"k":"a & <b>"}"#, "CDATA is text"),
        ("<C><k>a<!-- no -->b<?no no?>c</k></C>", r#"{"k":"abc"}"#, "comments are not"),
        ("<C><k>&lt;&#65;&#x627;&amp;</k></C>", "{\"k\":\"<Aا&\"}", "the known references"),
        ("<C a=\"&quot;&#10;\"/>", r#"{"@a":"\"\n"}"#, "in attributes, too"),
        ("<q:C xmlns:q='urn:q' q:id='1'><q:k>a</q:k></q:C>", r#"{"@id":"1","k":"a"}"#, "prefixes"),
        (
            "<C xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='t' type='u'><k i:nil='true'/></C>",
            r#"{"@type":"u","k":null}"#,
            "what an instance says of its schema",
        ),
        ("<C xml:lang='ar' lang='en'/>", r#"{"@lang":"en"}"#, "the one without a prefix"),
        ("<C a='1' xml:lang='ar'/>", r#"{"@a":"1","@lang":"ar"}"#, "names of their own"),
        (
            "<C xmlns:p='urn:p' xmlns:q='urn:q' p:z='1' q:z='2' p:y='3' z='4'/>",
            r#"{"@y":"3","@z":"4"}"#,
            "wherever it stands",
        ),
        (
            "<C xmlns:p='urn:p' xmlns:q='urn:q' p:z='1' y='0' q:z='1'/>",
            r#"{"@z":"1","@y":"0"}"#,
            "two that say the same",
        ),
        (
            "<C xmlns:p='urn:p' xmlns:q='urn:q' p:z='1' q:z='2'/>",
            r#"{"@z":"1","@z":"2"}"#,
            "two that do not: whoever reads the record refuses it",
        ),
    ] {
        let document = format!("<R>{record}</R>");
        let (_, records, end) = found(document.as_bytes(), &[]);
        end.unwrap_or_else(|error| panic!("{why}: {error}"));
        assert_eq!(records, [expected], "{why}");
    }
}

#[test]
fn what_cannot_be_read_is_told_by_its_kind() {
    let deep = format!("<R>{}", "<a>".repeat(DEPTH_MAX));
    let many = (0..300).map(|n| format!(" a{n}=''")).collect::<Vec<_>>().concat();
    for (document, expected, why) in [
        ("", Reason::Truncated, "nothing"),
        ("<R><C>", Reason::Truncated, "cut off between tags"),
        ("<R><C a='", Reason::Truncated, "cut off inside one"),
        ("<R>a &am", Reason::Truncated, "cut off inside a reference"),
        (r#"{"a":1}"#, Reason::NotJson, "JSON"),
        ("Not found", Reason::NotJson, "words"),
        ("<!DOCTYPE html><html></html>", Reason::NotJson, "a page for people"),
        ("<html><body>login</body></html>", Reason::NotJson, "one without a DOCTYPE"),
        (
            "<!DOCTYPE R [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><R>&b;</R>",
            Reason::NotJson,
            "entities that multiply",
        ),
        (
            "<!DOCTYPE R [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><R>&f;</R>",
            Reason::NotJson,
            "a file of ours",
        ),
        ("<R>&nbsp;</R>", Reason::NotJson, "an entity of nobody's"),
        ("<R a='&nbsp;'/>", Reason::NotJson, "in an attribute"),
        ("<R>&#0;</R>", Reason::NotJson, "a character that there is not"),
        ("<R></S>", Reason::NotJson, "tags that do not fit"),
        ("<R a='1' a='2'/>", Reason::NotJson, "an attribute twice"),
        ("<R/><R/>", Reason::NotJson, "two documents"),
        ("<R>&#6;</R>", Reason::NotJson, "a control by its number"),
        ("<R a='&#6;'/>", Reason::NotJson, "in an attribute"),
        ("<R>a\u{1}b</R>", Reason::NotJson, "as it is"),
        ("<R><!-- \u{1} --></R>", Reason::NotJson, "in a comment"),
        ("<R>\u{ffff}</R>", Reason::NotJson, "a character that is none"),
        ("<R>a]]>b</R>", Reason::NotJson, "the end of a section that is none"),
        ("<R><!-- a -- b --></R>", Reason::NotJson, "a comment that ends twice"),
        ("<R a='<b>'/>", Reason::NotJson, "a tag in an attribute"),
        ("<R a='1'b='2'/>", Reason::NotJson, "attributes without a blank"),
        ("<q:R/>", Reason::NotJson, "a prefix that nobody declared"),
        ("<R q:a='1'/>", Reason::NotJson, "of an attribute"),
        ("\n<?xml version='1.0'?><R/>", Reason::NotJson, "a declaration behind an empty line"),
        ("<R/><?xml version='1.0'?>", Reason::NotJson, "at the end"),
        ("<R><? no?></R>", Reason::NotJson, "an instruction for nobody"),
        ("<R>x<?XML version='1.0'?>y</R>", Reason::NotJson, "a declaration in capitals"),
        ("<?Xml version='1.0'?><R/>", Reason::NotJson, "where one may stand"),
        ("<?xml version='2.0'?><R/>", Reason::NotJson, "another XML"),
        ("<?xml version=\"1.0'?><R/>", Reason::NotJson, "quotes that differ"),
        ("<?xml version='1.0' foo='1'?><R/>", Reason::NotJson, "a declaration of more"),
        ("<?xml?><R/>", Reason::NotJson, "and of nothing"),
        ("<R xmlns:p=''/>", Reason::NotJson, "a prefix taken back"),
        ("<R xmlns:='urn:a'/>", Reason::NotJson, "a prefix without a name"),
        ("<R xmlns:\u{d7}='urn:a'/>", Reason::NotJson, "a prefix that is no name"),
        ("<xmlns:R/>", Reason::NotJson, "an element of declarations"),
        ("<R><t\u{200e}>x</t\u{200e}></R>", Reason::NotJson, "a mark that nobody sees"),
        ("<R a\u{f7}='1'/>", Reason::NotJson, "a sign that is no letter"),
        ("<\u{301}R/>", Reason::NotJson, "a mark without its letter"),
        (&format!("<{}/>", "n".repeat(1025)), Reason::NotJson, "a name without end"),
        ("<R a;b='1'/>", Reason::NotJson, "a name that is none"),
        (&format!("<R{many}/>"), Reason::NotJson, "attributes without end"),
        (&deep, Reason::Decode, "nesting without end"),
        ("<?xml version='1.0' encoding='klingon'?><R/>", Reason::Encoding, "an unknown encoding"),
        ("<S/>", Reason::Schema, "other data"),
    ] {
        let (scalars, _, end) = found(document.as_bytes(), &["R/@next"]);
        let error = end.expect_err(why);
        assert_eq!(error.reason(), expected, "{why}: {error}");
        assert_eq!(scalars, [Scalar::Absent], "{why}");
    }
    let (_, _, end) = found(b"<?xml version='1.0'?>\n\n<!-- - -->\n<!DOCTYPE R>\n<R/>", &[]);
    assert!(end.unwrap_err().to_string().contains("a DOCTYPE (line 4)"));
    let whole = "\u{feff}<?xml version='1.0'?><?style a?><R xml:lang='ar'><C>a ]] &gt;<![CDATA[<]]></C></R>\n<!-- - -->";
    assert!(found(whole.as_bytes(), &[]).2.is_ok(), "what looks alike and is well");
    let (_, records, end) = found("<R><C a\u{301}='1'><ن\u{200c}ام/></C></R>".as_bytes(), &[]);
    assert!(
        end.is_ok() && records == ["{\"@a\u{301}\":\"1\",\"ن\u{200c}ام\":\"\"}"],
        "{records:?}"
    );
    let (_, records, end) = found(b"<R><S/></R>", &[]);
    assert!(end.is_ok() && records.is_empty(), "no records is a good answer");
}

#[test]
fn an_error_in_place_of_records_is_not_taken_for_none() {
    for (document, expected, why) in [
        ("<R>no lights</R>", Some(("R", "no lights")), "words where records belong"),
        ("<R><Error><Code>7</Code><Text>no</Text></Error></R>", Some(("Error", "7 no")), "in it"),
        ("<R><Head><ERRORS>no</ERRORS></Head></R>", Some(("ERRORS", "no")), "beside it"),
        ("<R><Error>n&#x6f; <![CDATA[way]]></Error></R>", Some(("Error", "no way")), "in pieces"),
        (
            "<R><faultCode>Db.Down</faultCode><faultString>no</faultString></R>",
            Some(("faultCode", "Db.Down no")),
            "as X-Road's own services have it",
        ),
        ("<R><faultCode>0</faultCode><faultString/></R>", None, "the word for none"),
        ("<R><Errors/><error>\n</error><Count>0</Count></R>", None, "nothing is said"),
        ("<R><Count>0</Count>\n<Next/></R>", None, "what stands beside no records"),
        ("<R><Error>one was left out</Error><C/></R>", None, "there are records"),
        ("<R><Error>one was left out</Error><G/></R>", None, "one is gone"),
        ("<R><C>text</C></R>", None, "of a record"),
    ] {
        let (_, _, end) = found(document.as_bytes(), &[]);
        let said = match &end {
            Ok(()) => None,
            Err(DecodeError::Remote { code, text, retryable: true }) => Some((&**code, &**text)),
            Err(error) => panic!("{why}: {error}"),
        };
        assert_eq!(said, expected, "{why}");
    }
    for (document, expected, why) in [
        (
            "<Oops><error>busy</error></Oops>",
            "answers with an error (error): busy",
            "another document",
        ),
        ("<R2><X/></R2>", "nothing at R/C; see", "one that says nothing"),
    ] {
        let (_, _, end) = found(document.as_bytes(), &[]);
        let said = end.unwrap_err().to_string();
        assert!(said.contains(expected), "{why}: {said}");
    }
    let records = RecordsPath::xml("R/L/C").unwrap();
    let plan = Plan { records: Some(&records), deletes: None, scalars: &[] };
    let document = b"<R><Date>d</Date><error code='badArgument'>no such set</error></R>";
    let (_, end) = read(&document[..], &plan, |_, _| Flow::More);
    let said = end.unwrap_err().to_string();
    assert!(said.contains("nothing at R/L/C, and it says (error): no such set; see"), "{said}");
    let long = format!("<R><Error>{}</Error></R>", "ش".repeat(1000));
    let (_, _, end) = found(long.as_bytes(), &[]);
    let Err(DecodeError::Remote { text, .. }) = end else { panic!("{end:?}") };
    assert_eq!(text.len(), INSTEAD_MAX);
}

#[test]
fn a_record_without_end_is_refused_and_survived() {
    let mut text = b"<R><C/><C><k>".to_vec();
    text.resize(ROW_MAX + 1024 * 1024, b'x');
    let (_, records, end) = found(&text, &[]);
    assert!(matches!(end, Err(DecodeError::RowTooLong { line: 1 })), "{end:?}");
    assert_eq!(records.len(), 1, "what stood before it was met");
    let many = format!("<R><C>{}</C></R>", "<a/>".repeat(PARTS_MAX));
    let (_, records, end) = found(many.as_bytes(), &[]);
    assert!(matches!(end, Err(DecodeError::TooLarge(_))) && records.is_empty(), "{end:?}");
}

#[test]
fn a_document_is_in_the_encoding_that_it_declares() {
    let declared = |name: &str, bytes: &[u8]| {
        let mut document = format!("<?xml version='1.0' encoding='{name}'?><R><C><k>").into_bytes();
        document.extend_from_slice(bytes);
        document.extend_from_slice(b"</k></C></R>");
        document
    };
    let read = |document: &[u8]| {
        let (_, records, end) = found(document, &[]);
        end.map(|()| records.concat()).map_err(|error| error.reason())
    };
    let expected = Ok("{\"k\":\"عقد\"}".to_owned());
    assert_eq!(read(&declared("windows-1256", b"\xda\xde\xcf")), expected);
    assert_eq!(read(&declared("utf-8", "عقد".as_bytes())), expected);
    // Written anew as UTF-8 on the way, and not told so.
    assert_eq!(read(&declared("utf-16", "عقد".as_bytes())), expected);
    assert_eq!(read(&declared("utf-8", b"\xda\xde\xcf")), Err(Reason::Encoding));
    let text = "<?xml version='1.0'?><R><C><k>عقد</k></C></R>";
    let wide: Vec<u8> =
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&wide), expected, "UTF-16 says itself what it is");
}

#[test]
fn an_encoding_that_the_bytes_speak_against_is_held() {
    let arabic = "أسرة";
    let windows = encoding_rs::WINDOWS_1256.encode(arabic).0.into_owned();
    let iso = encoding_rs::ISO_8859_6.encode(arabic).0.into_owned();
    let letters = arabic.as_bytes();
    let both = [letters, b"\xc3 ", &windows].concat();
    let (mark, none): (&[u8], &[u8]) = (b"\xef\xbb\xbf", b"");
    for (mark, declared, text, expected, why) in [
        (mark, "windows-1256", letters, Some("begins with the mark of UTF-8"), "a mark of another"),
        (mark, "iso-8859-1", letters, Some("declares iso-8859-1"), "and of latin"),
        (mark, "windows-1256", b"x", Some("have the partner mend it"), "whatever is in it"),
        (mark, "UTF-8", letters, None, "both are the same"),
        (mark, "utf-16", letters, None, "written anew on the way"),
        (none, "windows-1256", letters, Some("seems to be UTF-8"), "no such text"),
        (none, "ISO-8859-6", letters, Some("declares ISO-8859-6 and seems"), "nor of another"),
        (none, "iso-8859-1", letters, Some("have the partner declare that"), "nor of latin"),
        (none, "windows-1256", &windows, None, "text as it should be"),
        (none, "iso-8859-6", &iso, None, "text as it should be"),
        (none, "windows-1256", &both, None, "one letter that is no UTF-8 tells it"),
        (none, "windows-1256", b"x", None, "the same in both"),
        (none, "US-ASCII", letters, Some("letters that are none of it"), "no ASCII"),
        (none, "ascii", &windows, Some("declares ascii"), "nor is this"),
        (none, "US-ASCII", b"x", None, "ASCII"),
        (none, "utf-8", letters, None, "text as it should be"),
    ] {
        let begin = format!("<?xml version=\"1.0\" encoding=\"{declared}\"?><R><C><k>");
        let document = [mark, begin.as_bytes(), text, b"</k></C></R>"].concat();
        for step in [5, 64 * 1024] {
            let pieces = io::BufReader::with_capacity(step.max(begin.len() + 3), &*document);
            let records = RecordsPath::xml("R/C").unwrap();
            let plan = Plan { records: Some(&records), deletes: None, scalars: &[] };
            let (_, end) = read(pieces, &plan, |_, _| Flow::More);
            match (end, expected) {
                (Ok(()), None) => {}
                (Err(DecodeError::Encoding(said)), Some(words)) => {
                    assert!(said.contains(words), "{why}: {said}");
                }
                (end, _) => panic!("{declared}, {why}: {end:?}"),
            }
        }
    }
    for (name, good) in [("utf-8", true), ("utf-16", true), ("windows-1256", false), ("x", false)] {
        let late = format!("<?xml version='1.0'{}encoding='{name}'?><R/>", " ".repeat(300));
        let (_, _, end) = found(late.as_bytes(), &[]);
        let held = matches!(&end, Err(DecodeError::Encoding(said)) if said.contains("long run"));
        assert_eq!((end.is_ok(), held), (good, !good), "{name}: {end:?}");
    }
    let style = format!("<?xml-stylesheet encoding='windows-1256'?><R><C><k>{arabic}</k></C></R>");
    assert_eq!(found(style.as_bytes(), &[]).1, ["{\"k\":\"أسرة\"}"], "that declares nothing");
}

#[test]
fn a_mark_stands_once() {
    let wide = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("{mark}<R><C/></R>").encode_utf16().flat_map(bytes).collect()
    };
    for (document, good) in [
        ("\u{feff}<R><C/></R>".into(), true),
        ("\u{feff}\u{feff}<R><C/></R>".into(), false),
        ("\u{feff}\u{feff}\u{feff}<R><C/></R>".into(), false),
        ("\u{feff}\n\u{feff}<R><C/></R>".into(), false),
        (wide("\u{feff}", u16::to_le_bytes), true),
        (wide("\u{feff}\u{feff}", u16::to_le_bytes), false),
        (wide("\u{feff}\u{feff}", u16::to_be_bytes), false),
    ] {
        let document: Vec<u8> = document;
        let (_, records, end) = found(&document, &[]);
        assert_eq!((end.is_ok(), records.len() == 1), (good, good), "{document:?}: {end:?}");
    }
}

#[test]
fn what_is_wanted_beside_the_records_is_found_where_it_is() {
    let text = |text: &str| Scalar::Text(text.to_owned());
    let document = "<R xmlns:i='http://www.w3.org/2001/XMLSchema-instance' total='7'><Next> 2\n</Next><Next>3</Next><Empty/>
        <No i:nil='1'/><P k='a'>x</P><P k='b'>y</P><C><In>z</In></C><G id='1'/></R>";
    for (path, expected) in [
        ("R/@total", text("7")),
        ("R/Next", text("2")),
        ("R/Empty", text("")),
        ("R/No", Scalar::Null),
        ("R/P[@k='b']", text("y")),
        ("R/C/In", text("z")),
        ("R/@other", Scalar::Absent),
        ("R/Other", Scalar::Absent),
        ("Next", Scalar::Absent),
        ("$.R", Scalar::Absent),
    ] {
        let (scalars, records, end) = found(document.as_bytes(), &[path]);
        end.unwrap();
        assert_eq!(scalars, [expected], "{path}");
        assert_eq!(records, [r#"{"In":"z"}"#, r#"-{"@id":"1"}"#]);
    }
    let (scalars, _, end) = found(b"<Answer code='7'/>", &["Answer/@code"]);
    assert_eq!(scalars, [text("7")], "even where the records are not");
    assert_eq!(end.unwrap_err().reason(), Reason::Schema);
}

#[test]
fn a_fault_is_the_partners_own_error() {
    let soap = |version: &str, fault: &str| {
        format!(
            "<s:Envelope xmlns:s='http://{version}'><s:Body><s:Fault>{fault}</s:Fault></s:Body></s:Envelope>"
        )
    };
    let (one, two) = ("schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope");
    for (document, code, text, transient) in [
        (
            soap(one, "<faultcode>s:Server.Busy</faultcode><faultstring>later</faultstring>"),
            "s:Server.Busy",
            "later",
            true,
        ),
        (
            soap(one, "<faultcode>s:Client</faultcode><faultstring>no</faultstring>"),
            "s:Client",
            "no",
            false,
        ),
        (
            soap(
                one,
                "<faultcode>s:Server</faultcode><detail><e code='X' retryable='false'/></detail>",
            ),
            "s:Server, X",
            "no reason is given",
            false,
        ),
        (
            soap(
                two,
                "<s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>down</s:Text></s:Reason>",
            ),
            "s:Receiver",
            "down",
            true,
        ),
        (
            soap(
                two,
                "<s:Code><s:Value>s:Sender</s:Value></s:Code><s:Detail><e retryable='true'/></s:Detail>",
            ),
            "s:Sender",
            "no reason is given",
            true,
        ),
        (soap(one, ""), "a fault without a code", "no reason is given", false),
        (
            soap(one, "<faultcode>Server.ServerProxy.ServiceFailed</faultcode>"),
            "Server.ServerProxy.ServiceFailed",
            "no reason is given",
            true,
        ),
    ] {
        let (_, _, end) = found(document.as_bytes(), &[]);
        let says = end.as_ref().map_or_else(ToString::to_string, |()| String::new());
        let again = says.contains("; it is tried again");
        let gateway = end.as_ref().is_err_and(|end| end.reason() == Reason::GatewayFault);
        assert_eq!(
            (gateway, says.contains("the gateway answers")),
            (code.contains("Proxy"), gateway),
            "{says}"
        );
        let told = again == transient && says.ends_with("tell the partner");
        assert!(told || gateway && says.contains("tell whoever runs the gateway"), "{says}");
        let Err(DecodeError::Remote { code: said, text: why, retryable }) = end else {
            panic!("{document}: {end:?}")
        };
        assert_eq!((said.as_str(), why.as_str(), retryable), (code, text, transient));
    }
    let (_, records, end) = found(b"<R><C><Fault>no lights</Fault></C></R>", &[]);
    assert!(end.is_ok() && records.len() == 1, "a partner may record faults");
}

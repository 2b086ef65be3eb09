use std::io::BufReader;

use super::*;

const SECRET: &str = "Tr0ub4dor&3/=\"correct+horse";
const KEY: &str = "SECRETKEY-123456";
const NUMBER: &str = "971501234567";

fn mask(secret: &str) -> Mask {
    Mask::of([secret]).unwrap()
}

/// `text` without `secret`, held and streamed by in pieces of each size: all of it has to be the same.
fn masked(secret: &str, text: &str, json: bool) -> String {
    let mask = mask(secret);
    let held = mask.held(text.as_bytes(), json).into_owned();
    for size in 1..=text.len().max(1) {
        let mut streamed = Vec::new();
        let pieces = BufReader::with_capacity(size, text.as_bytes());
        mask.stream(pieces, json).read_to_end(&mut streamed).unwrap();
        assert_eq!(String::from_utf8_lossy(&streamed), String::from_utf8_lossy(&held), "by {size}");
    }
    String::from_utf8(held).unwrap()
}

#[test]
fn a_secret_is_hidden_in_each_writing() {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    for (text, why) in [
        (SECRET.to_owned(), "as it is"),
        ("Tr0ub4dor%263%2F%3D%22correct%2Bhorse".to_owned(), "as a query has it"),
        ("Tr0ub4dor%263%2f%3d%22correct%2bhorse".to_owned(), "in small letters"),
        ("Tr0ub4dor&3/=%22correct+horse".to_owned(), "as a URL may have it"),
        ("Tr0ub4dor%263/%3D%22correct%2Bhorse".to_owned(), "as a path has it"),
        ("Tr0ub4dor&3/=\\\"correct+horse".to_owned(), "as JSON has it"),
        ("Tr0ub4dor&3\\/=\\\"correct+horse".to_owned(), "as PHP writes JSON"),
        ("Tr0ub4dor\\u00263/=\\\"correct+horse".to_owned(), "as Go writes JSON"),
        ("Tr0ub4dor\\u00263/=\\u0022correct\\u002Bhorse".to_owned(), "as .NET writes JSON"),
        ("Tr0ub4dor&3\\/=%22correct+horse".to_owned(), "a URL in JSON"),
        ("Tr0ub4dor&amp;3/=\"correct+horse".to_owned(), "as XML has it"),
        ("Tr0ub4dor&amp;3/=&quot;correct+horse".to_owned(), "as an attribute has it"),
        ("Tr0ub4dor&3/=\"\"correct+horse".to_owned(), "as CSV has it"),
        (STANDARD.encode(SECRET), "as base64"),
        (URL_SAFE_NO_PAD.encode(SECRET), "as base64 of URLs"),
        (STANDARD.encode(format!("{SECRET}:")), "as a user without a password"),
    ] {
        let found = masked(SECRET, &format!("a {text} b {text}"), false);
        // Of base64 the last characters may stay, which tell of two bytes.
        let is_hidden = found.matches(MARK).count() == 2 && found.len() <= 2 * MARK.len() + 18;
        assert!(is_hidden, "{why}: {text}: {found}");
    }
    let basic = STANDARD.encode("marsad:a long password");
    assert_eq!(
        masked(&basic, &format!("Basic {basic}"), false).trim_end_matches('='),
        "Basic secret-left-out"
    );
}

#[test]
fn a_secret_of_other_letters_is_hidden_in_each_writing() {
    for (secret, text, why) in [
        ("Pässwort-4711-geheim", r"P\u00e4sswort-4711-geheim", "as Python and PHP write JSON"),
        ("Pässwort-4711-geheim", r"P\u00E4sswort-4711-geheim", "as .NET does"),
        ("كلمة-السر-1234", r"\u0643\u0644\u0645\u0629-\u0627\u0644\u0633\u0631-1234", "Arabic"),
        ("key-🔑-12345678", r"key-\ud83d\udd11-12345678", "two units of UTF-16"),
        (r#"kb"é<12345678"#, r#"kb\"\u00e9<12345678"#, "with what is escaped by itself"),
        ("Pässwort-4711-geheim", "P&#228;sswort-4711-geheim", "XML by numbers"),
        ("Pässwort-4711-geheim", "P&#xE4;sswort-4711-geheim", "and in hex"),
        ("it's-a-K3y!-4711&x", "it's-a-K3y!-4711%26x", "encodeURIComponent"),
        ("it's-a-K3y!-4711&x", "it&#039;s-a-K3y!-4711&amp;x", "htmlspecialchars"),
        ("two words*12345&x", "two+words%2A12345%26x", "quote_plus"),
        ("a#b&c 1234567890", "a#b&c%201234567890", "encodeURI"),
    ] {
        let found = masked(secret, &format!("a {text} b"), false);
        assert_eq!(found, format!("a {MARK} b"), "{why}: {text}");
    }
}

#[test]
fn a_page_is_the_same_but_for_the_secret() {
    for (text, expected) in [
        (
            r#"{"self":"http://p/f?apikey=SECRETKEY-123456&p=2"}"#,
            r#"{"self":"http://p/f?apikey=secret-left-out&p=2"}"#,
        ),
        (r#"{"SECRETKEY-123456":5}"#, r#"{"secret-left-out":5}"#),
        (
            "id,SECRETKEY-123456\n1,xSECRETKEY-123456SECRETKEY-123456y\n",
            "id,secret-left-out\n1,xsecret-left-outsecret-left-outy\n",
        ),
        ("<SECRETKEY-123456>1</SECRETKEY-123456>", "<secret-left-out>1</secret-left-out>"),
        ("SECRETKEY-12345 SECRETKEY-SECRETKEY-123456", "SECRETKEY-12345 SECRETKEY-secret-left-out"),
        ("SECRETKEY-12345", "SECRETKEY-12345"),
        ("", ""),
    ] {
        assert_eq!(masked(KEY, text, true), expected);
    }
}

#[test]
fn what_escapes_a_secret_goes_with_it() {
    for secret in ["/Abcdefghijkl12345", "\"Abcdefghijkl12345", "\\Abcdefghijkl12345"] {
        let mask = mask(secret);
        let json = serde_json::json!({ "k": secret }).to_string();
        for text in [json.replace('/', "\\/"), json] {
            let masked = mask.held(text.as_bytes(), true);
            let read: Value = serde_json::from_slice(&masked).unwrap();
            assert_eq!(read["k"], MARK, "{text}");
        }
        let csv = format!("\"{}\",1\n", secret.replace('"', "\"\""));
        let masked = mask.held(csv.as_bytes(), false);
        assert_eq!(masked, format!("\"{MARK}\",1\n").as_bytes(), "{csv}");
    }
}

/// One writing within another, as a partner's own log or the link of a gateway has it.
#[test]
fn what_is_written_within_another_writing_is_found() {
    const SECRET: &str = "PLANTz/9+Zq/77kLmNopQr&x==";
    let mask = mask(SECRET);
    let json = serde_json::json!({ "k": SECRET }).to_string();
    let url: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("k", SECRET).finish();
    let within = format!("http://p.example/x?{url}");
    let link: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("return", &within).finish();
    let pair = |before: &str| general_purpose::STANDARD.encode(format!("{before}{SECRET}"));
    for text in [
        json.replace('/', "\\/"),
        json.replace('&', "\\u0026"),
        json,
        link,
        pair("marsad:"),
        pair("marsa:"),
        pair("mars:"),
    ] {
        let outer = serde_json::json!({ "said": text }).to_string();
        let masked = String::from_utf8(mask.held(outer.as_bytes(), true).into_owned()).unwrap();
        assert!(masked.contains(MARK), "{text} is shown as {masked}");
    }
}

#[test]
fn a_number_of_json_stays_one_value() {
    for (text, expected) in [
        (r#"{"k":971501234567}"#, r#"{"k":"secret-left-out"}"#),
        (r"[971501234567,971501234567]", r#"["secret-left-out","secret-left-out"]"#),
        ("971501234567", "\"secret-left-out\""),
        (r#"{"k":"971501234567"}"#, r#"{"k":"secret-left-out"}"#),
        (r#"{"k":"\"971501234567, \\"}"#, r#"{"k":"\"secret-left-out, \\"}"#),
        (r#"{"k":"\\","n":971501234567}"#, r#"{"k":"\\","n":"secret-left-out"}"#),
        (
            r#"{"k":1971501234567,"l":971501234567.5,"m":-971501234567}"#,
            r#"{"k":1971501234567,"l":971501234567.5,"m":-971501234567}"#,
        ),
    ] {
        assert_eq!(masked(NUMBER, text, true), expected);
    }
    assert_eq!(masked(NUMBER, "1,971501234567", false), "1,secret-left-out", "a table");
}

#[test]
fn what_is_short_is_left_and_what_holds_none_is_not_copied() {
    assert!(
        Mask::of([]).is_none()
            && Mask::of(["test", "1234", "elevenbytes", "elevenbytes=="]).is_none()
    );
    let mask = mask(KEY);
    assert!(matches!(mask.held(b"a page without it", true), Cow::Borrowed(_)));
    // The whole header goes by what stands in it, and each is looked for once.
    let more = Mask::of([&format!("Bearer {KEY}"), KEY, KEY]).unwrap();
    assert_eq!(more.forms.len(), mask.forms.len());
}

#[test]
fn what_would_be_kept_is_looked_through_for_base64_too() {
    use base64::engine::general_purpose::STANDARD;
    let mask = mask(KEY);
    assert!(mask.is_in(&format!("/f?apikey={KEY}")));
    assert!(mask.is_in(&STANDARD.encode(format!("{{\"q\":\"apikey={KEY}\"}}"))));
    assert!(!mask.is_in("W/\"5f3a-SECRETKEY\""));
}

//! Documents out of choices, and what must be found in them.

use crate::Choices;

/// Names and texts that have given parsers trouble.
const TEXTS: [&str; 9] =
    ["a", "", "قيد \u{640}", "\"\\", "a'b", "]]>", "&lt;", "\u{1F600}\u{7f}", "2026-01-01"];
const NAMES: [&str; 5] = ["id", "data", "نتيجة", "a.b", "next"];

/// A JSON value, nested a little.
pub(crate) fn json(choices: &mut Choices<'_>, depth: usize) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match choices.below(if depth > 0 { 8 } else { 6 }) {
        0 => quoted(choices.one::<&str>(&TEXTS)),
        1 => "null".to_owned(),
        2 => "true".to_owned(),
        3 => "-1.50e+10".to_owned(),
        4 => "784000000000001123456".to_owned(),
        5 => "\"\\ud83d\\ude00\\u0041\"".to_owned(),
        6 => {
            let values: Vec<_> = (0..choices.below(3)).map(|_| json(choices, depth - 1)).collect();
            format!("[{}]", values.join(", "))
        }
        _ => {
            let start = choices.below(NAMES.len());
            let members: Vec<_> = (0..choices.below(3))
                .map(|at| {
                    let name = NAMES.get((start + at) % NAMES.len()).unwrap();
                    format!("{} : {}", quoted(name), json(choices, depth - 1))
                })
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// An XML element of that name, nested a little.
pub(crate) fn element(choices: &mut Choices<'_>, name: &str, depth: usize) -> String {
    let mut xml = format!("<{name}");
    for attribute in ["id", "n:kind"].iter().take(choices.below(3)) {
        let value = choices.one(&TEXTS).replace('&', "&amp;").replace('<', "&lt;");
        xml.extend([" ", attribute, "=\"", &value.replace('"', "&quot;"), "\""]);
    }
    if choices.below(4) == 0 {
        xml.push_str("/>");
        return xml;
    }
    xml.push('>');
    for _ in 0..choices.below(3) {
        match choices.below(if depth > 0 { 5 } else { 3 }) {
            0 => xml.push_str("&amp;&#1575;"),
            1 => xml.extend(["<![CDATA[", *choices.one(&["a<b", "", "&no;"]), "]]>"]),
            2 => xml.push_str("<!-- <x> --> text "),
            _ => {
                let inner = choices.one(&["A", "n:B", "الاسم"]);
                xml.push_str(&element(choices, inner, depth - 1));
            }
        }
    }
    xml.extend(["</", name, ">"]);
    xml
}

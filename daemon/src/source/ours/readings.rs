//! What a text says in each writing in which a secret may come back.

use base64::Engine as _;
use percent_encoding::percent_decode_str;

use super::{BASE64, decoded};

/// What `text` says if it is taken as it is, as escaped, as a URL and as XML, and what that says once more: some escape twice.
pub(super) fn readings(text: &str) -> Vec<String> {
    let mut readings = vec![text.to_owned()];
    for _ in 0..2 {
        let once: Vec<_> = readings.iter().flat_map(|text| unescaped(text)).collect();
        readings.extend(once);
        readings.sort_unstable();
        readings.dedup();
    }
    readings
}

/// `text` as each way of escaping would have it.
fn unescaped(text: &str) -> [String; 5] {
    let url = percent_decode_str(text).decode_utf8_lossy().into_owned();
    [text.replace('\\', ""), url, decoded(text), entities(text), code_points(text)]
}

/// The entities of XML and of pages as the characters that they stand for.
fn entities(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let name = from.get(1..).and_then(|from| from.split(';').next()).unwrap_or_default();
        let number =
            name.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => number.parse().ok(),
            });
        let known = ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, c)| *c);
        let end = 1 + name.len() + 1;
        match known.or_else(|| number.and_then(char::from_u32)) {
            Some(c) if from.as_bytes().get(end - 1) == Some(&b';') => {
                plain.push(c);
                rest = from.get(end..).unwrap_or_default();
            }
            _ => {
                plain.push('&');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// Those that have names.
const ENTITIES: [(&str, char); 5] =
    [("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("amp", '&')];

/// `\u002B` and its like as the characters that they stand for.
fn code_points(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(c) = code.and_then(char::from_u32) {
            plain.push(c);
            plain.push_str(part.get(4..).unwrap_or_default());
        } else {
            plain.push_str("\\u");
            plain.push_str(part);
        }
    }
    plain
}

/// What stands in `text` as base64 (that of URLs too), wherever it begins.
pub(super) fn base64(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    let runs = text.split(|c| !is_part(c)).filter(|run| run.len() >= 4);
    let decode = |run: &str| {
        let whole = run.len() - usize::from(run.len() % 4 == 1);
        BASE64.decode(run.get(..whole)?).ok()
    };
    let mut found = Vec::new();
    for run in runs {
        let run = run.replace('-', "+").replace('_', "/");
        let each = (0..4).filter_map(|from| decode(run.get(from..)?));
        found.extend(each.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    }
    found
}

//! What JSON lets pass and a record may not have: a name twice in one object, and escapes that are no text.
//!
//! Both look at text that is known to be JSON, go through it once and never recurse.

use std::borrow::Cow;

use super::Name;

/// A name that stands twice in one object of `json`, however deep; the same name is the same however it is escaped.
pub(crate) fn twice(json: &str) -> Option<Cow<'_, str>> {
    let mut names: Vec<Span> = Vec::new();
    // For each bracket that is open where the names of its object begin; of a list nothing.
    let mut open: Vec<Option<usize>> = Vec::new();
    let (mut at, mut is_name) = (0, false);
    while let Some(byte) = json.as_bytes().get(at) {
        match byte {
            b'{' => {
                open.push(Some(names.len()));
                is_name = true;
            }
            b'[' => {
                open.push(None);
                is_name = false;
            }
            b'}' | b']' => {
                if let Some(begin) = open.pop().flatten() {
                    let repeated = names.get_mut(begin..).and_then(|names| repeated(json, names));
                    if repeated.is_some() {
                        return repeated;
                    }
                    names.truncate(begin);
                }
                is_name = false;
            }
            b',' => is_name = matches!(open.last(), Some(Some(_))),
            b'"' => {
                let end = end_of_text(json, at + 1);
                if is_name {
                    names.push(Span::of(at + 1, end));
                }
                (at, is_name) = (end, false);
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where a name stands, without its quotes: records are far smaller than 4 GiB, and may have millions of names.
#[derive(Clone, Copy)]
struct Span {
    begin: u32,
    end: u32,
}

impl Span {
    fn of(begin: usize, end: usize) -> Self {
        let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { begin: place(begin), end: place(end) }
    }

    fn name(self, json: &str) -> Cow<'_, str> {
        let written = json.get(self.begin as usize..self.end as usize).unwrap_or_default();
        if !written.contains('\\') {
            return written.into();
        }
        let quoted = json.get(self.begin as usize - 1..=self.end as usize).unwrap_or_default();
        // Half a surrogate is a name of its own.
        serde_json::from_str::<Name<'_>>(quoted).map_or(written.into(), |name| name.0)
    }
}

/// So few names are compared each with each.
const FEW: usize = 16;

fn repeated<'j>(json: &'j str, names: &mut [Span]) -> Option<Cow<'j, str>> {
    if names.len() <= FEW {
        let name = |at: &Span| at.name(json);
        return names.iter().enumerate().find_map(|(number, one)| {
            let one = name(one);
            names.iter().take(number).any(|other| name(other) == one).then_some(one)
        });
    }
    names.sort_unstable_by(|one, other| one.name(json).cmp(&other.name(json)));
    names.windows(2).find_map(|pair| match pair {
        [one, other] if one.name(json) == other.name(json) => Some(one.name(json)),
        _ => None,
    })
}

/// Where the text ends whose first character stands at `at`: at its closing quote.
fn end_of_text(json: &str, mut at: usize) -> usize {
    while let Some(rest) = json.as_bytes().get(at..) {
        match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            Some(found) if rest.get(found) == Some(&b'\\') => at += found + 2,
            Some(found) => return at + found,
            None => break,
        }
    }
    json.len()
}

/// What an escape of `json` stands for that no text has: half a surrogate, or NUL.
pub(crate) fn bad_escape(json: &str) -> Option<&'static str> {
    let mut rest = json;
    while let Some((_, behind)) = rest.split_once('\\') {
        let Some(code) = unit(behind) else {
            rest = behind.get(1..).unwrap_or_default();
            continue;
        };
        rest = behind.get(5..).unwrap_or_default();
        match code {
            0 => return Some("a NUL character"),
            0xd800..0xdc00 => {
                let low = rest.strip_prefix('\\').and_then(unit);
                if !low.is_some_and(|low| (0xdc00..0xe000).contains(&low)) {
                    return Some("half a surrogate pair");
                }
                rest = rest.get(6..).unwrap_or_default();
            }
            0xdc00..0xe000 => return Some("half a surrogate pair"),
            _ => {}
        }
    }
    None
}

/// The code unit of an escape such as `u00e9`.
fn unit(behind: &str) -> Option<u32> {
    u32::from_str_radix(behind.strip_prefix('u')?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_in_one_object_is_found_however_deep() {
        let many: Vec<_> = (0..100).map(|n| format!("\"n{n}\":{n}")).collect();
        let many = many.join(",");
        for (json, expected) in [
            (r#"{"a":1,"b":2}"#.to_owned(), None),
            (r#"{"a":1,"b":2,"a":3}"#.to_owned(), Some("a")),
            (r#"{"a":{"b":1,"b":2}}"#.to_owned(), Some("b")),
            (r#"{"a":[{"b":1},{"b":2}],"b":"a"}"#.to_owned(), None),
            (r#"{"a":[1,{"b":1,"c":{},"b":[]}]}"#.to_owned(), Some("b")),
            (r#"{"a":"a","b":["a","a"]}"#.to_owned(), None),
            (r#"{"a":"\"a\":","b":"{\"a\":1,\"a\":1}"}"#.to_owned(), None),
            (r#"{"a":1,"\u0061":2}"#.to_owned(), Some("a")),
            (r#"{"\\":1,"\\\\":2,"\"":3}"#.to_owned(), None),
            (r#"{"":1,"":2}"#.to_owned(), Some("")),
            (r#"{"\ud800":1,"\ud801":2}"#.to_owned(), None),
            (" { \"a\" : 1 , \"a\" : 2 } ".to_owned(), Some("a")),
            (format!("{{{many}}}"), None),
            (format!("{{{many},\"n50\":1}}"), Some("n50")),
            (format!("{{\"x\":{{{many}}},\"n1\":[{{{many}}}]}}"), None),
        ] {
            assert_eq!(twice(&json).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn escapes_that_no_text_has_are_found() {
        for (json, expected) in [
            (r#"{"a":"\u0041\n\ud83d\ude00 \\u0000"}"#, None),
            (r#"{"a":"x\u0000"}"#, Some("a NUL character")),
            (r#"{"a":"\\\u0000"}"#, Some("a NUL character")),
            (r#"["\ud800"]"#, Some("half a surrogate pair")),
            (r#"["\ud800\ud800"]"#, Some("half a surrogate pair")),
            (r#"["\udc00"]"#, Some("half a surrogate pair")),
            (r#"["\ud83d\ude00\ude00"]"#, Some("half a surrogate pair")),
            (r#"["no escape at all"]"#, None),
        ] {
            assert_eq!(bad_escape(json), expected, "{json}");
        }
    }
}

//! What a file seems to be that is not what it should be: the encoding whose header, or names of JSON, has the most of the
//! feed's columns. It is a proposal to a person, who alone changes an encoding (sources.md 3.1).

use std::collections::BTreeSet;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_8859_6, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1256};
use marsad_shared::{
    feed::{Feed, FieldPath, FieldStep, Format},
    mask::holds_card,
    record::Layout,
    untrusted::show_at_most,
};

use crate::{
    decode::{Flow, charset::Charset, csv, csv::Dialect},
    shape::is_among,
};

/// What tables of these partners are written in, the likeliest first.
const CANDIDATES: [&Encoding; 5] = [UTF_8, WINDOWS_1256, ISO_8859_6, UTF_16LE, UTF_16BE];
/// Where our partners are at home: it helps to tell Arabic encodings from others.
const HOME: &[u8] = b"ae";
/// So much of a header is shown, in characters.
const SHOWN_MAX: usize = 60;

/// The columns of a feed, each by what a header may call it, and how its files are written.
pub(super) struct Wanted {
    columns: Vec<Vec<String>>,
    delimiter: u8,
    header_row: u32,
    written: Written,
}

/// Where a file has its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Table,
    Json,
}

/// The last name on the way to a field.
fn last_name(from: &str) -> String {
    let steps = FieldPath::parse(from).map(|path| path.steps).unwrap_or_default();
    let name = |step| match step {
        FieldStep::Name(name) => Some(name),
        FieldStep::At(_) | FieldStep::With { .. } => None,
    };
    steps.into_iter().rev().find_map(name).unwrap_or_default()
}

impl Wanted {
    /// The columns of `layout`, as a file in `format` calls them; of a feed whose columns are not known yet, those of its
    /// key.
    pub(super) fn of(feed: &Feed, format: Format, layout: Option<&Layout>) -> Self {
        let written = match format {
            Format::Json | Format::Ndjson => Written::Json,
            Format::Csv | Format::Sdmx | Format::Xml | Format::Xlsx => Written::Table,
        };
        // Of a path into JSON, the last name is the column's own.
        let own = |from: &String| match written {
            Written::Json => last_name(from),
            Written::Table => from.clone(),
        };
        let columns = match layout {
            Some(layout) => {
                layout.fields.iter().map(|field| field.from.iter().map(own).collect()).collect()
            }
            None => feed.key.iter().map(|name| vec![own(name)]).collect(),
        };
        Self { columns, delimiter: feed.delimiter, header_row: feed.header_row, written }
    }

    /// How many of the columns are among `names`.
    fn among(&self, names: &[String]) -> usize {
        self.columns.iter().filter(|from| is_among(from, names)).count()
    }
}

/// How the begin of a file reads in one encoding.
#[derive(Debug)]
struct Seen {
    encoding: &'static Encoding,
    /// Whether all of it is text.
    clean: bool,
    names: Vec<String>,
    /// So many columns of the feed are among them.
    known: usize,
}

impl Seen {
    fn of(wanted: &Wanted, head: &[u8], encoding: &'static Encoding) -> Self {
        let (mut text, _) = encoding.decode_without_bom_handling(head);
        // The begin of a file may end inside a letter.
        let cut = text.trim_end_matches('\u{fffd}').len();
        text.to_mut().truncate(cut);
        let clean = !text.contains('\u{fffd}');
        let names = match wanted.written {
            Written::Table => header(wanted, &text, encoding),
            Written::Json => members(&text),
        };
        let known = wanted.among(&names);
        Self { encoding, clean, names, known }
    }

    /// A name as it reads in this encoding, if one of them is in Arabic: whoever is to decide can see whether it is.
    fn shown(&self, written: Written) -> String {
        let is_arabic = |name: &&String| name.chars().any(|c| ('\u{600}'..='\u{6ff}').contains(&c));
        let of_nobody = |name: &&String| !holds_card(name);
        self.names.iter().filter(of_nobody).find(is_arabic).map_or_else(String::new, |name| {
            let what = if written == Written::Json { "name" } else { "header" };
            format!(", a {what} reads \"{}\"", show_at_most(name, SHOWN_MAX))
        })
    }
}

/// The names in the header of a table; what cannot be read as one has none.
fn header(wanted: &Wanted, text: &str, encoding: &'static Encoding) -> Vec<String> {
    let dialect = Dialect {
        delimiter: wanted.delimiter,
        header_row: wanted.header_row,
        encoding: encoding.name(),
    };
    let mut names = Vec::new();
    let begin = |header: &[String]| {
        names = header.to_vec();
        Ok(())
    };
    // It is stopped at its first row.
    let _ = csv::read(text.as_bytes(), dialect, begin, |(), _| Flow::Stop);
    names
}

/// The names of all members in the begin of a JSON text, each once: whatever stands in quotes before a colon.
fn members(text: &str) -> Vec<String> {
    let mut met = BTreeSet::new();
    let mut rest = text;
    while let Some((_, begin)) = rest.split_once('"') {
        let mut escaped = false;
        let end = begin.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let Some((name, behind)) = end.and_then(|end| begin.split_at_checked(end)) else { break };
        rest = behind.strip_prefix('"').unwrap_or_default();
        if rest.trim_ascii_start().starts_with(':') {
            met.extend(serde_json::from_str::<String>(&format!("\"{name}\"")));
        }
    }
    met.into_iter().collect()
}

/// What to do about a file all of which is UTF-8, and should be `now`.
pub(super) fn for_utf8(wanted: &Wanted, head: &[u8], now: Charset) -> String {
    let best = best(wanted, head, now).filter(|best| best.encoding == UTF_8);
    best.and_then(|best| propose(wanted, &best, now)).unwrap_or_else(|| {
        format!(
            "if it is meant so, set encoding = \"utf-8\" and put the file into the folder again, or have it written in {}",
            now.name()
        )
    })
}

/// What to do about a file that is not in the encoding that it should be in.
pub(super) fn for_encoding(wanted: &Wanted, head: &[u8], now: Charset) -> String {
    let fallback = "have it written anew in UTF-8, all of it".to_owned();
    let Some(best) = best(wanted, head, now) else { return fallback };
    propose(wanted, &best, now).unwrap_or(fallback)
}

/// What to do about a header that lacks columns, if they are there in another encoding.
pub(super) fn for_layout(wanted: &Wanted, head: &[u8], now: Charset) -> Option<String> {
    let here = Seen::of(wanted, head, now.encoding());
    let best = best(wanted, head, now).filter(|best| best.known > here.known)?;
    propose(wanted, &best, now)
}

fn propose(wanted: &Wanted, best: &Seen, now: Charset) -> Option<String> {
    if best.encoding == now.encoding() || best.known == 0 {
        return None;
    }
    let (name, known, all) = (best.encoding.name(), best.known, wanted.columns.len());
    let clean = if best.clean { "" } else { ", not all of it" };
    let shown = best.shown(wanted.written);
    let place = match wanted.written {
        Written::Table => "in its header",
        Written::Json => "among its names",
    };
    Some(format!(
        "it reads as {name}{clean}: {known} of {all} columns are {place}{shown}; if that is so, set encoding = \"{}\" \
         and put the file into the folder again, or have it written in {}",
        name.to_ascii_lowercase(),
        now.name()
    ))
}

/// The encoding in which the most columns are known; of several, one that is text throughout, and then the one that it
/// looks most like.
fn best(wanted: &Wanted, head: &[u8], now: Charset) -> Option<Seen> {
    if let Some((marked, _)) = Encoding::for_bom(head) {
        // A file that says what it is is nothing else.
        return (marked == now.encoding()).then(|| Seen::of(wanted, head, marked));
    }
    let looks = guess(head);
    let seen = CANDIDATES.iter().map(|encoding| Seen::of(wanted, head, encoding));
    seen.max_by_key(|seen| (seen.known, seen.clean, seen.encoding == looks))
}

fn guess(head: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(head, false);
    detector.guess(Some(HOME), Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_json_are_what_stands_before_a_colon() {
        for (text, expected) in [
            (r#"[{"id":"4","الاسم" : {"a\"b":"c:d"}},{"id":5}]"#, &["a\"b", "id", "الاسم"][..]),
            (r#"{"cut": "off, "x"#, &["cut"]),
            (r#"{"none": ["a", "b:"]}"#, &["none"]),
            (r#"{"\u0627":1, "\\":2, "\x":3}"#, &["\\", "ا"]),
            ("no JSON", &[]),
        ] {
            assert_eq!(members(text), expected, "{text}");
        }
    }
}

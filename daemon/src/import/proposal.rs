//! What a table seems to be that is not what it should be: the encoding whose header names the most of the feed's columns.
//! It is a proposal to a person, who alone changes an encoding (sources.md 3.1).

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_8859_6, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1256};
use marsad_shared::{feed::Feed, record::Layout, untrusted::show_at_most};

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

/// The columns of a feed, each by what a header may call it, and how its tables are written.
pub(super) struct Wanted {
    columns: Vec<Vec<String>>,
    delimiter: u8,
    header_row: u32,
}

impl Wanted {
    /// The columns of `layout`; of a feed whose columns are not known yet, those of its key.
    pub(super) fn of(feed: &Feed, layout: Option<&Layout>) -> Self {
        let columns = match layout {
            Some(layout) => layout.fields.iter().map(|field| field.from.clone()).collect(),
            None => feed.key.iter().map(|name| vec![name.clone()]).collect(),
        };
        Self { columns, delimiter: feed.delimiter, header_row: feed.header_row }
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
        // What cannot be read as a table knows no column.
        let _ = csv::read(text.as_bytes(), dialect, begin, |(), _| Flow::Stop);
        let known = wanted.among(&names);
        Self { encoding, clean, names, known }
    }

    /// A header as it reads in this encoding, if one of them is in Arabic: whoever is to decide can see whether it is.
    fn shown(&self) -> String {
        let is_arabic = |name: &&String| name.chars().any(|c| ('\u{600}'..='\u{6ff}').contains(&c));
        self.names.iter().find(is_arabic).map_or_else(String::new, |name| {
            format!(", a header reads \"{}\"", show_at_most(name, SHOWN_MAX))
        })
    }
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
    let shown = best.shown();
    Some(format!(
        "it reads as {name}{clean}: {known} of {all} columns are in its header{shown}; if that is so, set encoding = \"{}\" \
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

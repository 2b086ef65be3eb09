//! Text from outside, and the one gate through which it reaches a person.
//!
//! A value, a file name or an error body may hold what a terminal obeys: escape sequences, bidi
//! overrides, characters that nobody sees. Nothing is stripped, for it is data; at the gate each such character
//! becomes visible, as `\u{1b}`. Arabic letters and their harakat are ordinary text and pass untouched.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// Combining marks that one base may carry; real writing needs three, a stack of them hides lines.
const MARKS: usize = 4;

/// Text that somebody else wrote. It has no `Display`: it leaves through [`show`](Self::show).
///
/// Serialised it is the raw text, because programs want the data; what writes such JSON to a
/// terminal passes it through [`json_safe`].
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it came: to store, compare and parse, never to print.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// As it came, for good.
    pub fn into_raw(self) -> String {
        self.0
    }

    /// See [`show`].
    pub fn show(&self) -> Cow<'_, str> {
        show(&self.0)
    }

    /// See [`show_lines`].
    pub fn show_lines(&self) -> Cow<'_, str> {
        show_lines(&self.0)
    }

    /// See [`show_at_most`].
    pub fn show_at_most(&self, most: usize) -> String {
        show_at_most(&self.0, most)
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Shown, so that not even a debug print can reach the terminal raw.
impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Untrusted(\"{}\")", self.show())
    }
}

/// The text on one line, with all that a terminal would obey or swallow written as `\u{…}`.
///
/// The other way round it is unambiguous: a `\u{` that stood in the text is itself written as `\u{5c}u{`.
pub fn show(text: &str) -> Cow<'_, str> {
    rewrite(text, is_hidden, Style::Shown)
}

/// [`show`], but line feeds stay what they are: for a place that has several lines.
pub fn show_lines(text: &str) -> Cow<'_, str> {
    rewrite(text, |c| c != '\n' && is_hidden(c), Style::Shown)
}

/// [`show`], in at most `most` characters as a reader counts them, the last a `…` if something was cut.
///
/// Cut between characters of the original, so that neither a letter nor an escape is ever halved.
pub fn show_at_most(text: &str, most: usize) -> String {
    at_most(text, most, Style::Shown)
}

/// [`show_at_most`] for words that go into a text of ours, which passes the gate again: what is hidden is written as
/// `<U+1B>`, so that showing it once more changes nothing. What it was is for a reader to see, not for a program to read back.
pub fn settled_at_most(text: &str, most: usize) -> String {
    at_most(text, most, Style::Settled)
}

fn at_most(text: &str, most: usize, style: Style) -> String {
    let mut shown = String::new();
    let (mut used, mut kept) = (0, 0);
    for (at, cluster) in text.grapheme_indices(true) {
        let mut piece = String::new();
        write_part(text, at, cluster, is_hidden, style, &mut piece);
        used += piece.graphemes(true).count();
        shown.push_str(&piece);
        if used < most {
            kept = shown.len(); // room for this and for the `…`
        }
        if used > most {
            shown.truncate(kept);
            shown.push_str(if most == 0 { "" } else { "…" });
            break;
        }
    }
    shown
}

/// The same JSON document, with what [`show`] would write out (beyond ASCII, and DEL) as `\uXXXX`, so that it
/// can go to a terminal and means the same to a program. C0 is escaped by every JSON writer.
pub fn json_safe(json: &str) -> Cow<'_, str> {
    rewrite(json, |c| c > '~' && is_hidden(c), Style::Json)
}

/// What a reader would not see, or a terminal not draw but do.
fn is_hidden(c: char) -> bool {
    let code = u32::from(c);
    c.is_control()
        || code & 0xFFFE == 0xFFFE // the last two of each plane are noncharacters
        || matches!(code,
            0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F // zero width, and direction marks
            | 0x2028..=0x202E // line and paragraph separators, bidi embeddings and overrides
            | 0x2060..=0x206F // joiners, bidi isolates
            | 0x3164 | 0xFDD0..=0xFDEF | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
            | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
            | 0xE0000..=0xE0FFF // tags, and the selectors that can smuggle bytes
        )
}

/// How an escape is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `\u{1b}`, and an original `\u{` is kept apart from it.
    Shown,
    /// `<U+1B>`, and an original `\u{` is written so that it is none.
    Settled,
    /// `\u001b`, in UTF-16.
    Json,
}

impl Style {
    fn escape(self, c: char, out: &mut String) {
        // Writing to a `String` cannot fail.
        let _ = match self {
            Self::Shown => write!(out, "\\u{{{:x}}}", u32::from(c)),
            Self::Settled => write!(out, "<U+{:X}>", u32::from(c)),
            Self::Json => {
                c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
            }
        };
    }
}

fn rewrite(text: &str, hides: impl Fn(char) -> bool, style: Style) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii() && !hides(c) && (c != '\\' || style == Style::Json);
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    write_part(text, 0, text, hides, style, &mut out);
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// Writes `part` of `text`, which begins at byte `from` and not on a mark of what is before it.
fn write_part(
    text: &str,
    from: usize,
    part: &str,
    hides: impl Fn(char) -> bool,
    style: Style,
    out: &mut String,
) {
    let mut marks = 0;
    for (at, c) in part.char_indices() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        let looks_escaped =
            || c == '\\' && text.get(from + at..).is_some_and(|rest| rest.starts_with("\\u{"));
        if hides(c) || marks > MARKS || (style != Style::Json && looks_escaped()) {
            style.escape(c, out);
        } else {
            out.push(c);
        }
    }
}

/// Whether `c` is drawn upon the character before it: the two are one to a reader.
fn is_mark(c: char) -> bool {
    if matches!(c, ..'\u{300}' | 'ء'..='ي' | 'ٱ'..='ە') {
        return false; // what is surely none, Arabic letters above all: asking costs more
    }
    let mut pair = String::from('a');
    pair.push(c);
    pair.graphemes(true).nth(1).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads an escape back; what is none stays as it is.
    fn unshow(shown: &str) -> String {
        let mut parts = shown.split("\\u{");
        let mut text = parts.next().unwrap().to_owned();
        for part in parts {
            let (code, rest) = part.split_once('}').unwrap();
            text.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
            text.push_str(rest);
        }
        text
    }

    /// Text in which what matters is not rare.
    fn nasty() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            any::<char>().prop_map(String::from),
            (0_u32..0x300).prop_filter_map("a char", char::from_u32).prop_map(String::from),
            (0x2000_u32..0x2070).prop_filter_map("a char", char::from_u32).prop_map(String::from),
            (0xE0000_u32..0xE0200).prop_filter_map("a char", char::from_u32).prop_map(String::from),
            prop::sample::select(
                &[
                    "\\",
                    "\\u",
                    "\\u{",
                    "u{",
                    "{",
                    "}",
                    "\\u{1b}",
                    "\u{1b}[2J",
                    "\r\n",
                    "\n",
                    "\u{301}",
                    "\u{64e}",
                    "\u{301}\u{301}\u{301}",
                    "\u{200d}",
                    "\u{202e}",
                    "مرحبا",
                    "شَدَّة",
                    "क्त्र्य",
                    "👩‍👧",
                    "🇦🇪",
                    "각",
                    "\u{fffe}",
                    "\u{10ffff}",
                    "\"",
                    "a",
                ][..]
            )
            .prop_map(String::from),
        ];
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, shown, why) in [
            ("plain text, 100 %", "plain text, 100 %", "nothing to show"),
            ("هَيْئَةُ التَّعْلِيم", "هَيْئَةُ التَّعْلِيم", "Arabic with all its harakat"),
            ("۲۰۲۶ 家族 é ❤️", "۲۰۲۶ 家族 é ❤️", "any writing"),
            ("\u{1b}]52;c;ZXZpbA==\u{7}", "\\u{1b}]52;c;ZXZpbA==\\u{7}", "the clipboard, OSC 52"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}", "C1 and DEL do the same without ESC"),
            ("a\r\nb\tc\0", "a\\u{d}\\u{a}b\\u{9}c\\u{0}", "one line stays one line"),
            (
                "\u{202e}fdp.exe\u{2066}",
                "\\u{202e}fdp.exe\\u{2066}",
                "an override, and an isolate left open",
            ),
            (
                "a\u{61c}b\u{200b}c\u{200f}d\u{2028}",
                "a\\u{61c}b\\u{200b}c\\u{200f}d\\u{2028}",
                "marks and separators",
            ),
            ("\u{feff}a\u{ad}b", "\\u{feff}a\\u{ad}b", "a BOM, a soft hyphen"),
            ("a\u{e0041}\u{e007f}", "a\\u{e0041}\\u{e007f}", "tags spell what nobody sees"),
            ("\u{fdd0}\u{1fffe}", "\\u{fdd0}\\u{1fffe}", "noncharacters"),
            ("\\u{1b} \\n \\", "\\u{5c}u{1b} \\n \\", "what only looks like an escape"),
            ("\\\u{1b}", "\\\\u{1b}", "a backslash before a real one"),
            (
                "e\u{301}\u{301}\u{301}\u{301}",
                "e\u{301}\u{301}\u{301}\u{301}",
                "four marks on a base",
            ),
            (
                "e\u{301}\u{301}\u{301}\u{301}\u{301}x",
                "e\u{301}\u{301}\u{301}\u{301}\\u{301}x",
                "the fifth is shown",
            ),
        ] {
            assert_eq!(show(text), shown, "{why}");
            assert_eq!(unshow(shown), text, "{why}");
        }
        assert_eq!(show_lines("a\nb\u{1b}\r\n"), "a\nb\\u{1b}\\u{d}\n");
        assert!(matches!(show("مرصد"), Cow::Borrowed(_)), "what passes untouched is not copied");
    }

    #[test]
    fn a_cut_halves_neither_a_letter_nor_an_escape() {
        for (text, most, shown, why) in [
            ("abc", 3, "abc", "it fits"),
            ("abcd", 3, "ab…", "the mark of the cut counts"),
            ("abcd", 1, "…", "only the mark fits"),
            ("abcd", 0, "", "nothing fits"),
            ("", 0, "", "nothing was cut"),
            ("شَدَّة", 2, "شَ…", "a letter keeps its harakat"),
            ("a\u{1b}bc", 7, "a…", "an escape is six characters, or none"),
            ("a\u{1b}bc", 8, "a\\u{1b}…", "here it fits"),
            ("a\u{1b}b", 8, "a\\u{1b}b", "and here all of it"),
        ] {
            assert_eq!(show_at_most(text, most), shown, "{why}");
        }
    }

    #[test]
    fn there_is_no_way_round_the_gate() {
        let text = Untrusted::from("\u{1b}[2J");
        assert_eq!(format!("{text:?}"), r#"Untrusted("\u{1b}[2J")"#);
        assert_eq!(serde_json::to_string(&text).unwrap(), r#""\u001b[2J""#);
        assert_eq!(
            serde_json::from_str::<Untrusted>(r#""\u001b[2J""#).unwrap().into_raw(),
            "\u{1b}[2J"
        );
    }

    #[test]
    fn json_for_a_terminal_means_the_same() {
        let json =
            serde_json::to_string("\u{1b}\u{9b}\u{7f}\u{202e}\u{e0041} هَيْئَة \\u{1b}").unwrap();
        assert_eq!(json_safe(&json), r#""\u001b\u009b\u007f\u202e\udb40\udc41 هَيْئَة \\u{1b}""#);
    }

    proptest! {
        #[test]
        fn nothing_hidden_comes_out_and_all_of_it_can_be_read_back(text in nasty()) {
            let shown = show(&text);
            prop_assert!(!shown.chars().any(is_hidden), "{}", shown.escape_unicode());
            let mut run = 0;
            for c in shown.chars() {
                run = if is_mark(c) { run + 1 } else { 0 };
                prop_assert!(run <= MARKS, "{}", shown.escape_unicode());
            }
            prop_assert_eq!(unshow(&shown), &*text);
            prop_assert_eq!(unshow(&show_lines(&text)), &*text);
        }

        #[test]
        fn a_cut_is_a_beginning_of_the_whole(text in nasty(), most in 0_usize..40) {
            let cut = show_at_most(&text, most);
            prop_assert!(cut.graphemes(true).count() <= most);
            let whole = show(&text);
            prop_assert!(cut == whole || most == 0 || whole.starts_with(cut.strip_suffix('…').unwrap()));
        }

        #[test]
        fn settled_words_are_the_same_however_often_they_are_shown(text in nasty(), most in 0_usize..80) {
            let settled = settled_at_most(&text, most);
            prop_assert_eq!(show(&settled), &*settled);
            prop_assert_eq!(settled_at_most(&settled, 500), &*settled);
        }

        #[test]
        fn safe_json_is_equal_in_meaning(text in nasty(), key in nasty()) {
            let value = serde_json::json!({ key: [text, 1] });
            for json in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
                let safe = json_safe(&json);
                prop_assert!(!safe.chars().any(|c| c != '\n' && is_hidden(c)));
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&safe).unwrap(), &value);
            }
        }
    }
}

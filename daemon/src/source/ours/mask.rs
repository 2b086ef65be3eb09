//! What a page brings, without our secrets: a mark stands in their place before anything is made of it, so that rows, their
//! originals, the names of their fields and what is said of them hold none.
//!
//! It is done to the text as it streams by. Of a page without a secret nothing is copied if it is held.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, BufRead, Read},
    ops::Range,
};

use base64::{Engine as _, engine::general_purpose};
use memchr::{memchr, memchr2, memmem::Finder};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde_json::Value;
use url::form_urlencoded;

use super::{PIECE, readings::base64};
use crate::source::call::UNRESERVED;

/// What stands in place of a secret. The sentence that errors have would part a line of CSV; this may stand wherever a name
/// or a value may: in JSON, in a table, in a URL, and as the name of an element.
pub const MARK: &str = "secret-left-out";
/// The same where JSON has a number.
const QUOTED: &str = "\"secret-left-out\"";

/// The least of a secret that is looked for in base64 where something stands before it, in bytes: it is a part of it alone.
const BASE64_MIN: usize = 9;

/// What a path, or a query, may have besides (RFC 3986).
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
const QUERY: &AsciiSet = &PATH
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'?');

/// What `encodeURIComponent` and `encodeURI` leave as it is (ECMA-262, section 19.2.6).
const COMPONENT: &AsciiSet =
    &UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
const WHOLE: &AsciiSet = &QUERY.remove(b'#');

/// What our secrets look like in data.
#[derive(Debug)]
pub struct Mask {
    forms: Vec<Form>,
    /// The length of the longest, in bytes.
    longest: usize,
}

#[derive(Debug)]
struct Form {
    finder: Finder<'static>,
    /// It may be a number of JSON.
    is_number: bool,
}

/// Where a secret stands in a text.
struct Spot {
    at: Range<usize>,
    is_number: bool,
}

impl Mask {
    /// `None`: none of `secrets` is so long that honest data would not have it by chance.
    pub fn of<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Option<Self> {
        // Base64 stands with its padding and without.
        let bare = secrets.into_iter().map(|secret| secret.trim_end_matches('='));
        let long = least(bare.filter(|secret| secret.len() >= PIECE).map(str::to_owned).collect());
        let forms = least(long.iter().flat_map(|secret| written(secret)).collect());
        let longest = forms.last()?.len();
        let forms = forms.iter().map(|form| Form {
            finder: Finder::new(form).into_owned(),
            is_number: form.bytes().all(|byte| byte.is_ascii_digit()),
        });
        Some(Self { forms: forms.collect(), longest })
    }

    /// Whether `text`, which would be kept, holds a secret: as it is, or within base64.
    pub fn is_in(&self, text: &str) -> bool {
        let holds =
            |text: &str| self.forms.iter().any(|form| form.finder.find(text.as_bytes()).is_some());
        holds(text) || base64(text).iter().any(|text| holds(text))
    }

    /// All of a text that is held.
    pub fn held<'t>(&self, text: &'t [u8], json: bool) -> Cow<'t, [u8]> {
        let spots = self.spots(text);
        if spots.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut place = Place::default();
        Cow::Owned(place.masked(text, text.len(), &spots, json && self.has_number()))
    }

    /// A text that streams by; `json`: it is JSON, or lines of it.
    pub fn stream<R: BufRead>(&self, inner: R, json: bool) -> Masked<'_, R> {
        let (place, json) = (Place::default(), json && self.has_number());
        Masked { mask: self, inner, json, place, rest: Vec::new(), ready: Vec::new(), at: 0 }
    }

    fn has_number(&self) -> bool {
        self.forms.iter().any(|form| form.is_number)
    }

    /// Where secrets stand in `text`, in their order and apart.
    fn spots(&self, text: &[u8]) -> Vec<Spot> {
        let mut found = Vec::new();
        for Form { finder, is_number } in &self.forms {
            let len = finder.needle().len();
            let each = finder.find_iter(text).map(|from| from..from + len);
            found.extend(each.map(|at| Spot { at, is_number: *is_number }));
        }
        found.sort_unstable_by_key(|spot: &Spot| spot.at.start);
        let mut spots: Vec<Spot> = Vec::with_capacity(found.len());
        for spot in found {
            match spots.last_mut().filter(|last| spot.at.start < last.at.end) {
                Some(last) => {
                    last.at.end = last.at.end.max(spot.at.end);
                    last.is_number &= spot.is_number;
                }
                None => spots.push(spot),
            }
        }
        spots
    }
}

/// Where we are in a text of JSON.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Within a string.
    quoted: bool,
    /// Behind a backslash there.
    escaped: bool,
    /// The last byte before.
    last: Option<u8>,
}

impl Place {
    /// The first `end` bytes of `text`, without what stands at `spots`. What is behind `end` is only looked at. `json`: it is
    /// JSON, and one of the secrets may be a number there.
    fn masked(&mut self, text: &[u8], end: usize, spots: &[Spot], json: bool) -> Vec<u8> {
        let mut masked = Vec::with_capacity(end + spots.len() * QUOTED.len());
        let part = |at: Range<usize>| text.get(at).unwrap_or_default();
        let mut done = 0;
        for spot in spots.iter().take_while(|spot| spot.at.end <= end) {
            let before = part(done..spot.at.start);
            masked.extend_from_slice(before);
            if json {
                self.pass(before);
            }
            let mark = if json && spot.is_number && !self.quoted {
                let next = text.get(spot.at.end).copied();
                // A part of another number is honest data.
                (!self.last.is_some_and(is_of_number) && !next.is_some_and(is_of_number))
                    .then_some(QUOTED)
            } else {
                Some(MARK)
            };
            let secret = part(spot.at.clone());
            masked.extend_from_slice(mark.map_or(secret, str::as_bytes));
            // None of its forms opens or closes a string.
            (self.last, done) = (secret.last().copied(), spot.at.end);
        }
        let behind = part(done..end);
        masked.extend_from_slice(behind);
        if json {
            self.pass(behind);
        }
        masked
    }

    /// Goes over `text`.
    fn pass(&mut self, text: &[u8]) {
        self.last = text.last().copied().or(self.last);
        let mut rest = text;
        while !rest.is_empty() {
            let passed = if std::mem::take(&mut self.escaped) {
                1
            } else {
                let end = if self.quoted { memchr2(b'"', b'\\', rest) } else { memchr(b'"', rest) };
                let Some(end) = end else { return };
                self.escaped = rest.get(end) == Some(&b'\\');
                self.quoted ^= !self.escaped;
                end + 1
            };
            rest = rest.get(passed..).unwrap_or_default();
        }
    }
}

/// A text that streams by, without our secrets.
pub struct Masked<'m, R> {
    mask: &'m Mask,
    inner: R,
    json: bool,
    place: Place,
    /// What came and may be the begin of a secret.
    rest: Vec<u8>,
    /// What may be handed on, from `at` on.
    ready: Vec<u8>,
    at: usize,
}

impl<R: BufRead> BufRead for Masked<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at >= self.ready.len() {
            let more = self.inner.fill_buf()?;
            let (came, is_end) = (more.len(), more.is_empty());
            self.rest.extend_from_slice(more);
            self.inner.consume(came);
            // What stands behind a number tells whether that is all of it.
            let held = if is_end { 0 } else { self.mask.longest };
            let spots = self.mask.spots(&self.rest);
            let mut end = self.rest.len().saturating_sub(held);
            if let Some(across) = spots.iter().find(|spot| spot.at.contains(&end)) {
                end = across.at.start;
            }
            self.ready = self.place.masked(&self.rest, end, &spots, self.json);
            self.rest.drain(..end);
            self.at = 0;
            if is_end {
                break;
            }
        }
        Ok(self.ready.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl<R: BufRead> Read for Masked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

const fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E')
}

/// The shortest of `texts`, first the very shortest: whoever finds a part need not look for the whole, unless what stands before
/// that in the whole escapes it, and would be left to escape something else.
fn least(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let mut least: Vec<String> = Vec::new();
    for text in texts {
        let is_bare =
            |at: usize| !matches!(text.as_bytes().get(at.wrapping_sub(1)), Some(b'\\' | b'"'));
        if !least.iter().any(|part| text.find(part).is_some_and(is_bare)) {
            least.push(text);
        }
    }
    least
}

/// `secret` in each writing that we look for.
fn written(secret: &str) -> Vec<String> {
    // So much of it as makes whole groups: that begins the base64 of whatever begins with it.
    let whole = |from: usize| {
        let rest = secret.as_bytes().get(from..).unwrap_or_default();
        rest.get(..rest.len() / 3 * 3).unwrap_or_default()
    };
    let plain = [
        secret.to_owned(),
        general_purpose::STANDARD.encode(whole(0)),
        general_purpose::URL_SAFE.encode(whole(0)),
    ];
    let mut forms = nested(secret);
    // And where something stands before it, such as a name, it may begin elsewhere in a group.
    for rest in [whole(1), whole(2)].into_iter().filter(|rest| rest.len() >= BASE64_MIN) {
        let standard = general_purpose::STANDARD.encode(rest);
        forms.extend([standard.replace('/', "\\/"), general_purpose::URL_SAFE.encode(rest)]);
        forms.push(standard);
    }
    for plain in plain {
        if !plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            let mut urls = in_urls(&plain);
            urls.push(plain.clone());
            for form in urls {
                forms.extend(in_json(&form));
                forms.extend(in_xml(&form));
                forms.push(form);
            }
            forms.push(plain.replace('"', "\"\""));
        }
        forms.push(plain);
    }
    forms
}

/// `secret` as a URL within a URL has it, and a document of JSON within a string of another.
fn nested(secret: &str) -> Vec<String> {
    let within = in_urls(secret).into_iter().filter(|form| form != secret);
    let mut forms: Vec<_> =
        within.map(|form| utf8_percent_encode(&form, UNRESERVED).to_string()).collect();
    let within = in_json(secret).into_iter().filter(|form| form != secret);
    forms.extend(within.filter_map(|form| in_json(&form).into_iter().next()));
    forms
}

/// `text` as parts of URLs have it, its digits in capitals and in small letters.
fn in_urls(text: &str) -> Vec<String> {
    let mut forms = [UNRESERVED, PATH, QUERY, COMPONENT, WHOLE]
        .map(|set| utf8_percent_encode(text, set).to_string())
        .to_vec();
    forms.push(form_urlencoded::byte_serialize(text.as_bytes()).collect());
    // As programs write forms that leave no more as it is than URLs do.
    forms.push(utf8_percent_encode(text, UNRESERVED).to_string().replace("%20", "+"));
    let small = |form: &String| {
        let mut parts = form.split('%');
        let mut small = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (digits, behind) = part.split_at_checked(2).unwrap_or((part, ""));
            small.extend(["%", &digits.to_ascii_lowercase(), behind]);
        }
        small
    };
    let small: Vec<_> = forms.iter().map(small).collect();
    forms.extend(small);
    forms
}

/// `text` as strings of JSON have it.
fn in_json(text: &str) -> Vec<String> {
    let quoted = Value::from(text).to_string();
    let json = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    let mut forms = vec![json.to_owned(), json.replace('/', "\\/")];
    // Some write as code points whatever a page in HTML would take for its own.
    for few in ["<>&", "<>&'", "<>&'=", "<>&'\"+`"] {
        let small = |c: char| format!("\\u{:04x}", u32::from(c));
        let large = |c: char| format!("\\u{:04X}", u32::from(c));
        let all = |code: &dyn Fn(char) -> String| {
            // The backslash goes with its quote.
            let bare = if few.contains('"') { json.replace("\\\"", "\"") } else { json.to_owned() };
            few.chars().fold(bare, |text, c| text.replace(c, &code(c)))
        };
        for form in [all(&small), all(&large)] {
            forms.push(form.replace('/', "\\/"));
            forms.push(form);
        }
    }
    if !text.is_ascii() {
        // And many whatever is not of ASCII, in the units of UTF-16.
        let units = |form: &String, large: bool| {
            let mut ascii = String::new();
            for c in form.chars() {
                if c.is_ascii() {
                    ascii.push(c);
                    continue;
                }
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = if large {
                        write!(ascii, "\\u{unit:04X}")
                    } else {
                        write!(ascii, "\\u{unit:04x}")
                    };
                }
            }
            ascii
        };
        let all = forms.iter().flat_map(|form| [units(form, false), units(form, true)]);
        let all: Vec<_> = all.collect();
        forms.extend(all);
    }
    forms
}

/// `text` as XML has it: what has to be escaped is, and what may be.
fn in_xml(text: &str) -> Vec<String> {
    let least = text.replace('&', "&amp;").replace('<', "&lt;");
    let more = least.replace('>', "&gt;");
    let mut forms = Vec::new();
    for quote in ["&quot;", "&#34;"] {
        let quotes = more.replace('"', quote);
        forms.extend(["&apos;", "&#39;", "&#039;", "&#x27;"].map(|by| quotes.replace('\'', by)));
        forms.push(quotes);
    }
    forms.extend([least, more]);
    if !text.is_ascii() {
        let numbers = |form: &String, number: fn(u32) -> String| {
            let each = |c: char| if c.is_ascii() { c.to_string() } else { number(u32::from(c)) };
            form.chars().map(each).collect::<String>()
        };
        let ways: [fn(u32) -> String; 3] =
            [|c| format!("&#{c};"), |c| format!("&#x{c:x};"), |c| format!("&#x{c:X};")];
        let all: Vec<_> =
            forms.iter().flat_map(|form| ways.map(|number| numbers(form, number))).collect();
        forms.extend(all);
    }
    forms
}

#[cfg(test)]
mod tests;

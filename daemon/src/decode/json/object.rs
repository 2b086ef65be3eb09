//! The members of one object, in one walk over its text: cut out and checked in the same step.
//!
//! It reads what is well written, which is nearly all there ever is. Where it comes upon anything else it says no more than
//! that: what is wrong, and where, is for a reader that has the time to tell.

use std::borrow::Cow;

use serde::Deserialize as _;
use serde_json::value::RawValue;

use super::Name;

/// A value as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written<'j> {
    text: &'j str,
    /// Whether it is seen to be text without an escape: then it is what stands between its quotes.
    plain: bool,
}

impl<'j> Written<'j> {
    /// A value of which no more is known.
    pub(crate) fn of(value: &'j RawValue) -> Self {
        Self { text: value.get(), plain: false }
    }

    /// All of it, with its quotes or brackets.
    pub(crate) fn get(self) -> &'j str {
        self.text
    }

    /// What it says, if it is text without an escape.
    pub(crate) fn plain(self) -> Option<&'j str> {
        if self.plain { self.text.get(1..self.text.len() - 1) } else { None }
    }
}

/// An object, member after member.
#[derive(Debug)]
pub(crate) struct Object<'j> {
    json: &'j str,
    at: usize,
    /// Whether a value that was met holds others.
    nested: bool,
}

impl<'j> Object<'j> {
    /// The object that `json` is; `None`: it is none.
    pub(crate) fn open(json: &'j str) -> Option<Self> {
        let mut object = Self { json, at: 0, nested: false };
        object.must(b'{')?;
        Some(object)
    }

    /// Whether one of the values so far is an object or a list.
    pub(crate) fn has_nested(&self) -> bool {
        self.nested
    }

    /// Whether a member follows, the first one or another; `None` if neither that nor the object's end does.
    pub(crate) fn goes_on(&mut self, first: bool) -> Option<bool> {
        match self.peek()? {
            b'}' => {
                self.at += 1;
                self.skip_space();
                (self.at == self.json.len()).then_some(false)
            }
            b'"' if first => Some(true),
            b',' if !first => {
                self.at += 1;
                // A comma leads to something.
                (self.peek()? == b'"').then_some(true)
            }
            _ => None,
        }
    }

    /// Takes the next name if it is written as `quoted`.
    pub(crate) fn takes(&mut self, quoted: &str) -> bool {
        let end = self.at + quoted.len();
        let is_next = self.json.as_bytes().get(self.at..end) == Some(quoted.as_bytes());
        if is_next {
            self.at = end;
        }
        is_next
    }

    /// The next name.
    pub(crate) fn name(&mut self) -> Option<Cow<'j, str>> {
        let written = self.text()?;
        match written.plain() {
            Some(name) => Some(name.into()),
            None => serde_json::from_str::<Name<'_>>(written.text).ok().map(|name| name.0),
        }
    }

    /// The value behind the name that was taken.
    pub(crate) fn value(&mut self) -> Option<Written<'j>> {
        self.must(b':')?;
        let begin = match self.peek()? {
            b'"' => return self.text(),
            b'{' | b'[' => return self.nested(),
            _ => self.at,
        };
        match self.byte()? {
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => self.number()?,
        }
        Some(Written { text: self.json.get(begin..self.at)?, plain: false })
    }

    /// Text, between its quotes.
    fn text(&mut self) -> Option<Written<'j>> {
        let (begin, mut plain) = (self.at, true);
        self.at += 1;
        loop {
            self.at += special(self.json.as_bytes().get(self.at..)?)?;
            match self.byte()? {
                b'"' => break,
                b'\\' => {
                    plain = false;
                    self.escape()?;
                }
                // Characters that text has only as escapes.
                _ => return None,
            }
        }
        self.at += 1;
        Some(Written { text: self.json.get(begin..self.at)?, plain })
    }

    fn escape(&mut self) -> Option<()> {
        let behind = self.json.as_bytes().get(self.at + 1..)?;
        self.at += match behind.first()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' if behind.get(1..5)?.iter().all(u8::is_ascii_hexdigit) => 6,
            _ => return None,
        };
        Some(())
    }

    /// An object or a list, however deep.
    fn nested(&mut self) -> Option<Written<'j>> {
        self.nested = true;
        let mut json = serde_json::Deserializer::from_str(self.json.get(self.at..)?);
        let text = <&RawValue>::deserialize(&mut json).ok()?.get();
        self.at += text.len();
        Some(Written { text, plain: false })
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.takes(word).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.byte()? == b'-' {
            self.at += 1;
        }
        match self.byte()? {
            // Nothing stands behind a zero but a fraction.
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// One digit, or more.
    fn digits(&mut self) -> Option<()> {
        let begin = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > begin).then_some(())
    }

    fn must(&mut self, byte: u8) -> Option<()> {
        let found = self.peek()? == byte;
        self.at += 1;
        found.then_some(())
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.byte()
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn byte(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// Where the first quote, backslash or control character stands, eight bytes at a time.
fn special(bytes: &[u8]) -> Option<usize> {
    // Where a byte of the word is zero the highest bit of that byte is set; a bit above the lowest one set may be set too.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zeros(word ^ (ONES * u64::from(b'"')));
        let slash = zeros(word ^ (ONES * u64::from(b'\\')));
        let found = (control | quote | slash) & (ONES << 7);
        if found != 0 {
            return Some(number * 8 + (found.trailing_zeros() / 8) as usize);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'))?;
    Some(words.len() * 8 + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All members, as `name=value`; `None`: it is not well written.
    fn members(json: &str) -> Option<Vec<String>> {
        let mut object = Object::open(json)?;
        let mut members = Vec::new();
        while object.goes_on(members.is_empty())? {
            let name = object.name()?;
            let value = object.value()?;
            members.push(format!("{name}={}", value.plain().unwrap_or(value.get())));
        }
        Some(members)
    }

    #[test]
    fn members_are_cut_out_as_they_are_written() {
        for (json, expected) in [
            ("{}", Some("")),
            (" { \n } \t", Some("")),
            (r#"{"a":1}"#, Some("a=1")),
            (
                r#" { "a" : "x" , "b":true,"c":false, "d" :null } "#,
                Some("a=x b=true c=false d=null"),
            ),
            (r#"{"a":-0.50E+10,"b":0,"c":120e-2}"#, Some("a=-0.50E+10 b=0 c=120e-2")),
            (r#"{"a":{"b":[1,{}]},"c":[]}"#, Some(r#"a={"b":[1,{}]} c=[]"#)),
            (r#"{"طلب":"تجديد رخصة تجارية"}"#, Some("طلب=تجديد رخصة تجارية")),
            (r#"{"\u0061\n":"a\"b\\"}"#, Some("a\n=\"a\\\"b\\\\\"")),
            (r#"{"a":"\ud800"}"#, Some(r#"a="\ud800""#)),
            (r#"{"":""}"#, Some("=")),
            (r#"{"a":"0123456\"890123456"}"#, Some(r#"a="0123456\"890123456""#)),
            ("", None),
            ("[]", None),
            ("{", None),
            (r#"{"a":1"#, None),
            (r#"{"a":1}}"#, None),
            (r#"{"a":1,}"#, None),
            (r#"{,"a":1}"#, None),
            (r#"{"a" 1}"#, None),
            (r#"{"a":}"#, None),
            (r#"{"a":1 2}"#, None),
            (r#"{"a":01}"#, None),
            (r#"{"a":1.}"#, None),
            (r#"{"a":.5}"#, None),
            (r#"{"a":+1}"#, None),
            (r#"{"a":1e}"#, None),
            (r#"{"a":-}"#, None),
            (r#"{"a":nul}"#, None),
            (r#"{"a":"x}"#, None),
            (r#"{"a":"\x"}"#, None),
            (r#"{"a":"\u00g0"}"#, None),
            (r#"{"a":"\u00"}"#, None),
            ("{\"a\":\"a\nb\"}", None),
            ("{\"a\":\"0123456\u{1f}90\"}", None),
            (r#"{"a":[1,}"#, None),
            (r#"{"\ud800":1}"#, None),
        ] {
            let found = members(json).map(|members| members.join(" "));
            assert_eq!(found.as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn what_is_special_is_found_wherever_it_stands() {
        for filler in ["a", " ", "!", "#", "[", "]", "\u{7f}", "\u{80}", "ط", "\u{10ffff}"] {
            for special_one in ["\"", "\\", "\0", "\u{1f}"] {
                for before in 0..20 {
                    for behind in [0, 1, 9] {
                        let text = filler.repeat(before) + special_one + &filler.repeat(behind);
                        let at = filler.len() * before;
                        assert_eq!(special(text.as_bytes()), Some(at), "{text:?}");
                    }
                }
            }
            assert_eq!(special(filler.repeat(20).as_bytes()), None, "{filler}");
        }
    }
}

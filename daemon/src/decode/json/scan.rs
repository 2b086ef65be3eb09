//! A JSON document that streams by, cut into its values. No more of it is held than one value that somebody wants; what
//! nobody wants is passed over, however large it is. Bytes that are no text spoil the value that they stand in, and no
//! other.

use std::io::BufRead;

use serde::de::IgnoredAny;

use super::{Name, failure_behind, not_json, not_utf8};
use crate::decode::{DEPTH_MAX, DecodeError, ROW_MAX};

/// Where a document is read.
pub(super) struct Scan<R> {
    bytes: R,
    /// The line that is read, from 1, and how many bytes of it were.
    line: usize,
    column: usize,
    value: Vec<u8>,
    /// The brackets that are open in a value.
    open: Vec<u8>,
}

/// Where a value begins: behind so many lines and bytes.
#[derive(Clone, Copy)]
struct Begin {
    line: usize,
    column: usize,
}

impl<R: BufRead> Scan<R> {
    pub(super) fn new(bytes: R) -> Self {
        Self { bytes, line: 1, column: 0, value: Vec::new(), open: Vec::new() }
    }

    /// The line that is read, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The next byte that is no space; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, DecodeError> {
        loop {
            let here = self.bytes.fill_buf().map_err(DecodeError::Io)?;
            if here.is_empty() {
                return Ok(None);
            }
            let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
            let found = here.iter().position(|byte| !is_space(byte));
            let byte = found.and_then(|at| here.get(at)).copied();
            let passed = found.unwrap_or(here.len());
            self.consume(passed);
            if byte.is_some() {
                return Ok(byte);
            }
        }
    }

    /// Takes the byte that was peeked at.
    pub(super) fn take(&mut self) {
        self.consume(1);
    }

    /// The next byte that is no space, where the document may not end.
    pub(super) fn need(&mut self) -> Result<u8, DecodeError> {
        match self.peek()? {
            Some(byte) => Ok(byte),
            None => Err(DecodeError::Truncated { line: self.line, column: self.column }),
        }
    }

    /// Takes the next byte that is no space, which must be `byte`.
    pub(super) fn must(&mut self, byte: u8) -> Result<(), DecodeError> {
        if self.need()? != byte {
            return Err(self.not_json());
        }
        self.take();
        Ok(())
    }

    /// Goes on to the next member or element behind one; false: `close` stood there instead.
    pub(super) fn goes_on(&mut self, close: u8) -> Result<bool, DecodeError> {
        match self.need()? {
            b',' => {
                self.take();
                // A comma leads to something.
                if self.need()? == close { Err(self.not_json()) } else { Ok(true) }
            }
            byte if byte == close => {
                self.take();
                Ok(false)
            }
            _ => Err(self.not_json()),
        }
    }

    /// Whether the list or object that was entered is empty; then it is left.
    pub(super) fn is_empty(&mut self, close: u8) -> Result<bool, DecodeError> {
        let empty = self.need()? == close;
        if empty {
            self.take();
        }
        Ok(empty)
    }

    /// The name of a member, with the colon behind it.
    pub(super) fn name(&mut self) -> Result<String, DecodeError> {
        if self.need()? != b'"' {
            return Err(self.not_json());
        }
        let begin = self.cut()?;
        let name = serde_json::from_slice::<Name<'_>>(&self.value).map(|name| name.0.into_owned());
        let name = name.map_err(|error| self.broken_off(begin, &error))?;
        self.must(b':')?;
        Ok(name)
    }

    /// The next value, as it was written. Its bytes need be no text.
    ///
    /// # Errors
    /// [`DecodeError`] if it is no JSON, is cut off, or longer than [`ROW_MAX`].
    pub(super) fn value(&mut self) -> Result<&[u8], DecodeError> {
        let begin = self.cut()?;
        match serde_json::from_slice::<IgnoredAny>(&self.value) {
            Ok(_) => Ok(&self.value),
            Err(error) => Err(self.broken_off(begin, &error)),
        }
    }

    /// The next value, as text.
    ///
    /// # Errors
    /// As [`Self::value`]; and [`DecodeError::Encoding`].
    pub(super) fn text(&mut self) -> Result<&str, DecodeError> {
        let (line, column) = (self.line, self.column);
        let value = self.value()?;
        std::str::from_utf8(value).map_err(|error| {
            let before = value.get(..error.valid_up_to()).unwrap_or_default();
            let Begin { line, column } = Begin { line, column }.behind(before);
            not_utf8(line, column + 1)
        })
    }

    /// Passes over a single value where something else was expected, and tells whether it is null. It must be one that can
    /// be held: a number beyond all measure is none.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub(super) fn single(&mut self) -> Result<bool, DecodeError> {
        let begin = self.cut()?;
        let value = serde_json::from_slice::<serde_json::Value>(&self.value);
        value.map(|value| value.is_null()).map_err(|error| self.broken_off(begin, &error))
    }

    /// What is wrong with the value that was cut out. Half a word that something stands behind, and be it a line break, is
    /// not cut off: it is no JSON.
    fn broken_off(&mut self, begin: Begin, error: &serde_json::Error) -> DecodeError {
        let next = self.bytes.fill_buf().ok().and_then(|here| here.first().copied());
        let Some(next) = next.filter(|_| error.is_eof()) else { return begin.failure(error) };
        self.value.push(next);
        match serde_json::from_slice::<IgnoredAny>(&self.value) {
            Err(error) if !error.is_eof() => begin.failure(&error),
            _ => self.not_json(),
        }
    }

    /// Passes over a value that nobody wants, inside `depth` others that nobody wants.
    ///
    /// # Errors
    /// As [`Self::text`]; and [`DecodeError::TooDeep`].
    pub(super) fn pass(&mut self, depth: usize) -> Result<(), DecodeError> {
        let open = self.need()?;
        let close = match open {
            b'{' => b'}',
            b'[' => b']',
            _ => return self.text().map(drop),
        };
        if depth >= DEPTH_MAX {
            return Err(DecodeError::TooDeep { levels: DEPTH_MAX, line: self.line });
        }
        self.take();
        if self.is_empty(close)? {
            return Ok(());
        }
        loop {
            if open == b'{' {
                self.name()?;
            }
            self.pass(depth + 1)?;
            if !self.goes_on(close)? {
                return Ok(());
            }
        }
    }

    /// The document ends here.
    pub(super) fn end(&mut self) -> Result<(), DecodeError> {
        if self.peek()?.is_some() { Err(self.not_json()) } else { Ok(()) }
    }

    /// What stands next belongs into no JSON.
    pub(super) fn not_json(&self) -> DecodeError {
        not_json(self.line, self.column + 1)
    }

    /// Cuts out the next value by its quotes and brackets. Whether it is one is for the caller to see, unless it has no
    /// end.
    fn cut(&mut self) -> Result<Begin, DecodeError> {
        let first = self.need()?;
        let begin = Begin { line: self.line, column: self.column };
        self.value.clear();
        self.open.clear();
        let whole = match first {
            b'"' | b'{' | b'[' => self.cut_closed()?,
            _ => self.cut_word()?,
        };
        if whole {
            return Ok(begin);
        }
        if self.value.len() > ROW_MAX {
            return Err(DecodeError::RowTooLong { line: begin.line as u64 });
        }
        // It ends in the middle, unless something was wrong with it before.
        Err(match serde_json::from_slice::<IgnoredAny>(&self.value) {
            Err(error) => begin.failure(&error),
            Ok(_) => DecodeError::Truncated { line: self.line, column: self.column },
        })
    }

    /// Cuts a text, a list or an object: until what opened it is closed.
    fn cut_closed(&mut self) -> Result<bool, DecodeError> {
        let (mut quoted, mut escaped) = (false, false);
        loop {
            let here = self.bytes.fill_buf().map_err(DecodeError::Io)?;
            if here.is_empty() {
                return Ok(false);
            }
            let mut end = None;
            for (at, byte) in here.iter().enumerate() {
                if quoted {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => quoted = false,
                        _ => {}
                    }
                } else {
                    match byte {
                        b'"' => quoted = true,
                        b'{' => self.open.push(b'}'),
                        b'[' => self.open.push(b']'),
                        // What closes something else is no JSON, and is told as such.
                        b'}' | b']' if self.open.pop() != Some(*byte) => end = Some(at + 1),
                        _ => {}
                    }
                }
                if !quoted && self.open.is_empty() {
                    end = Some(at + 1);
                }
                if end.is_some() {
                    break;
                }
            }
            let taken = here.get(..end.unwrap_or(here.len())).unwrap_or(here);
            self.value.extend_from_slice(taken);
            let taken = taken.len();
            self.consume(taken);
            if self.value.len() > ROW_MAX {
                return Ok(false);
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// Cuts a number, `true`, `false` or `null`: until something stands there that belongs to none.
    fn cut_word(&mut self) -> Result<bool, DecodeError> {
        loop {
            let here = self.bytes.fill_buf().map_err(DecodeError::Io)?;
            if here.is_empty() {
                return Ok(true);
            }
            let ends = |byte: &u8| b" \n\t\r,:]}[{\"".contains(byte);
            let end = here.iter().position(ends);
            let taken = here.get(..end.unwrap_or(here.len())).unwrap_or(here);
            self.value.extend_from_slice(taken);
            let taken = taken.len();
            self.consume(taken);
            if self.value.len() > ROW_MAX {
                return Ok(false);
            }
            if end.is_some() {
                return if self.value.is_empty() { Err(self.not_json()) } else { Ok(true) };
            }
        }
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed was filled in before, and is still there.
        if let Ok(here) = self.bytes.fill_buf() {
            let Begin { line, column } = Begin { line: self.line, column: self.column }
                .behind(here.get(..amount).unwrap_or(here));
            (self.line, self.column) = (line, column);
        }
        self.bytes.consume(amount);
    }
}

impl Begin {
    /// Where reading stands behind `bytes` that stand here.
    fn behind(self, bytes: &[u8]) -> Self {
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            None => Self { column: self.column + bytes.len(), ..self },
            Some(last) => Self {
                line: self.line + bytes.split(|byte| *byte == b'\n').count() - 1,
                column: bytes.len() - last - 1,
            },
        }
    }

    /// What is wrong with a value that begins here.
    fn failure(self, error: &serde_json::Error) -> DecodeError {
        failure_behind(error, self.line - 1, self.column)
    }
}

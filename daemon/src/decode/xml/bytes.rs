//! The bytes of a document: in which encoding they are, on which line they stand, and how many a row may take.

use std::io::{self, BufRead, Read};

use encoding_rs::Encoding;
use quick_xml::encoding::EncodingError;

use crate::decode::{DecodeError, ROW_MAX};

/// How far into a document its declaration is looked for, in bytes.
const DECLARATION_MAX: usize = 256;

/// The encoding that a document declares of itself, if that is another than UTF-8.
pub(super) fn declared(begin: &[u8]) -> Result<Option<&'static Encoding>, DecodeError> {
    let begin = begin.get(..begin.len().min(DECLARATION_MAX)).unwrap_or_default();
    let begin = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begin);
    let Some(declaration) = begin.strip_prefix(b"<?xml") else { return Ok(None) };
    let text: String =
        declaration.iter().take_while(|b| **b != b'>').map(|b| char::from(*b)).collect();
    let Some((_, behind)) = text.split_once("encoding") else { return Ok(None) };
    let value = behind.trim_start().strip_prefix('=').unwrap_or_default().trim_start();
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        return Ok(None);
    };
    let label = value.strip_prefix(quote).and_then(|rest| rest.split(quote).next());
    let label = label.unwrap_or_default();
    let Some(encoding) = Encoding::for_label(label.as_bytes()) else {
        return Err(DecodeError::Encoding(
            "it declares an encoding that nobody knows; have it written in UTF-8".to_owned(),
        ));
    };
    // What can be read like this is not what such a declaration says: it was written anew on the way, as UTF-8.
    Ok(Some(encoding).filter(|encoding| encoding.is_ascii_compatible()))
}

/// Bytes that are not in the encoding that they should be in.
pub(super) fn not_in(error: &io::Error, line: u64) -> DecodeError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<EncodingError>());
    let name = match inner {
        Some(EncodingError::Other(encoding)) => encoding.name(),
        _ => "UTF-8",
    };
    DecodeError::Encoding(format!(
        "behind line {line} it is not {name}, which it says it is; have the partner mend it"
    ))
}

/// Counts lines, and ends the reading of a row that never ends.
pub(super) struct Watched<R> {
    bytes: R,
    /// Where reading stands, from 1.
    pub(super) line: u64,
    pub(super) column: usize,
    /// Bytes since the last row.
    pub(super) since: usize,
}

impl<R> Watched<R> {
    pub(super) fn new(bytes: R) -> Self {
        Self { bytes, line: 1, column: 1, since: 0 }
    }
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut here = self.fill_buf()?;
        let read = here.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Watched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > ROW_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed was filled in before, and is still there.
        if let Ok(here) = self.bytes.fill_buf() {
            let taken = here.get(..amount).unwrap_or(here);
            let lines = taken.split(|byte| *byte == b'\n').count() - 1;
            self.column = match taken.iter().rposition(|byte| *byte == b'\n') {
                Some(at) => taken.len() - at,
                None => self.column + taken.len(),
            };
            self.line += lines as u64;
        }
        self.since += amount;
        self.bytes.consume(amount);
    }
}

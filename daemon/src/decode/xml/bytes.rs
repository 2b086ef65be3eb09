//! The bytes of a document: in which encoding they are, on which line they stand, and how many a row may take.

use std::io::{self, BufRead, Read};

use encoding_rs::{Encoding, UTF_8};
use quick_xml::encoding::EncodingError;

use crate::decode::{DecodeError, ROW_MAX, letters::Letters};

/// How far into a document its declaration is looked for, in bytes.
const DECLARATION_MAX: usize = 256;
/// The mark of UTF-8 at the begin of a text, and those of UTF-16.
const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
/// What a document calls itself that has no letters beyond ASCII; the library takes each for windows-1252.
const ASCII: [&str; 3] = ["us-ascii", "ascii", "ansi_x3.4-1968"];

/// What a document says of its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) encoding: &'static Encoding,
    /// The name by which it says it.
    pub(super) label: String,
}

/// The encoding that a document declares of itself.
pub(super) fn declared(begin: &[u8]) -> Result<Option<Declared>, DecodeError> {
    let begin = begin.get(..begin.len().min(DECLARATION_MAX)).unwrap_or_default();
    let [mark, ..] = MARKS;
    let marked = begin.starts_with(mark);
    let begin = begin.strip_prefix(mark).unwrap_or(begin);
    let Some(declaration) = begin.strip_prefix(b"<?xml") else { return Ok(None) };
    if !declaration.first().is_some_and(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let text: String =
        declaration.iter().take_while(|b| **b != b'>').map(|b| char::from(*b)).collect();
    let Some((_, behind)) = text.split_once("encoding") else { return Ok(None) };
    let value = behind.trim_start().strip_prefix('=').unwrap_or_default().trim_start();
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        return Ok(None);
    };
    let label = value.strip_prefix(quote).and_then(|rest| rest.split(quote).next());
    let label = label.unwrap_or_default().trim();
    let Some(encoding) = Encoding::for_label(label.as_bytes()) else {
        return Err(DecodeError::Encoding(
            "it declares an encoding that nobody knows; have it written in UTF-8".to_owned(),
        ));
    };
    if !encoding.is_ascii_compatible() {
        // What can be read like this is not what such a declaration says: it was written anew on the way, as UTF-8.
        return Ok(None);
    }
    if marked && encoding != UTF_8 {
        return Err(DecodeError::Encoding(format!(
            "it begins with the mark of UTF-8 and declares {label}: one of them is wrong; have the partner mend it, or write it in UTF-8 and declare that"
        )));
    }
    Ok(Some(Declared { encoding, label: label.to_owned() }))
}

/// Whether a document begins with its mark twice: then the second is a part of it, where nothing may stand.
pub(super) fn is_marked_twice(begin: &[u8]) -> bool {
    MARKS.iter().any(|mark| begin.strip_prefix(*mark).is_some_and(|rest| rest.starts_with(mark)))
}

/// The bytes of a document, looked at on their way: whether they are what it declares, as far as they can tell that.
pub(super) struct Said<R> {
    bytes: R,
    label: String,
    says: Says,
}

/// What the bytes said so far, of a document that declares such an encoding.
enum Says {
    /// Nothing is to be told, or nothing is against it.
    Nothing,
    /// ASCII, and so it is.
    Ascii,
    /// ASCII, and it has other letters.
    NoAscii,
    /// One in which nearly every byte is a letter, and what could be UTF-8.
    Legacy(Letters),
}

impl<R> Said<R> {
    pub(super) fn new(bytes: R, declared: Option<&Declared>) -> Self {
        let label = declared.map(|declared| declared.label.clone()).unwrap_or_default();
        let says = match declared {
            None => Says::Nothing,
            Some(_) if ASCII.iter().any(|ascii| label.eq_ignore_ascii_case(ascii)) => Says::Ascii,
            Some(declared) if declared.encoding == UTF_8 => Says::Nothing,
            Some(_) => Says::Legacy(Letters::default()),
        };
        Self { bytes, label, says }
    }

    /// What is wrong with the encoding of a document that was read to its end.
    pub(super) fn wrong(&self) -> Option<DecodeError> {
        let label = &self.label;
        let text = match &self.says {
            Says::NoAscii => format!(
                "it declares {label} and has letters that are none of it; have the partner declare what it is in, or write it in UTF-8"
            ),
            Says::Legacy(letters) if letters.is_utf8() => self.is_utf8(),
            Says::Nothing | Says::Ascii | Says::Legacy(_) => return None,
        };
        Some(DecodeError::Encoding(text))
    }

    /// What it seems to be, of a document that has letters which are none of its encoding.
    pub(super) fn instead(&self) -> Option<DecodeError> {
        let seems = matches!(&self.says, Says::Legacy(letters) if letters.any());
        seems.then(|| DecodeError::Encoding(self.is_utf8()))
    }

    fn is_utf8(&self) -> String {
        format!(
            "it declares {} and seems to be UTF-8, as far as it was read; have the partner declare that, or write it in what it declares",
            self.label
        )
    }
}

impl Says {
    fn with(self, piece: &[u8]) -> Self {
        match self {
            Self::Ascii if !piece.is_ascii() => Self::NoAscii,
            Self::Legacy(letters) => letters.with(piece).map_or(Self::Nothing, Self::Legacy),
            says => says,
        }
    }

    fn look(&mut self, piece: &[u8]) {
        *self = std::mem::replace(self, Self::Nothing).with(piece);
    }
}

impl<R: BufRead> Read for Said<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.says.look(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Said<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed was filled in before, and is still there.
        if let (false, Ok(here)) = (matches!(self.says, Says::Nothing), self.bytes.fill_buf()) {
            self.says.look(here.get(..amount).unwrap_or(here));
        }
        self.bytes.consume(amount);
    }
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

    /// What is watched.
    pub(super) const fn inner(&self) -> &R {
        &self.bytes
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

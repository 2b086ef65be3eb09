//! CSV: a header line, then rows. Strict UTF-8; a byte-order mark is passed over; lines are counted as an editor does.

use std::{
    cell::RefCell,
    io::{self, Read},
    rc::Rc,
};

use csv::{ByteRecord, Position, ReaderBuilder};
use marsad_shared::quarantine::form;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{DecodeError, Flow, ROW_MAX};
use quotes::Quotes;

mod quotes;

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// What old programs write as the last byte of a text.
const END_SIGN: &[u8] = b"\x1a";

/// How the file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub delimiter: u8,
    /// The line of the header, from 1; lines above it are passed over.
    pub header_row: u32,
    /// The encoding that its text was in, for what is said of bytes that are none of it.
    pub encoding: &'static str,
}

/// One row, and where it stands.
#[derive(Debug)]
pub struct Row<'a> {
    record: &'a ByteRecord,
    end: LineEnd,
    /// Which row it is, from 1.
    pub number: u64,
    width: usize,
    encoding: &'static str,
    /// A cell goes on behind its closing quote.
    junk: bool,
}

/// Why a row cannot be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRow {
    /// It has another number of cells than the header.
    #[error(
        "the row has {have} cells and the header {want}; look for a missing or an unquoted delimiter"
    )]
    Ragged { have: usize, want: usize },
    /// Something stands between the closing quote of a cell and the next delimiter.
    #[error(
        "a cell goes on behind its closing quote; double the quotes that are meant, and close the cell with one"
    )]
    Junk,
    /// It is no text of its encoding.
    #[error("cell {cell} is not {encoding}; have it written in {encoding}")]
    NoText { cell: usize, encoding: &'static str },
}

impl Row<'_> {
    /// The line where it begins, from 1.
    pub fn line(&self) -> u64 {
        self.end.begin(self.record)
    }

    /// The row's cells as text.
    ///
    /// # Errors
    /// [`BadRow`] if it has another number of cells than the header, or is no text.
    pub fn cells(&self) -> Result<Cells<'_>, BadRow> {
        if self.junk {
            return Err(BadRow::Junk);
        }
        if self.record.len() != self.width {
            return Err(BadRow::Ragged { have: self.record.len(), want: self.width });
        }
        let text = simdutf8::basic::from_utf8(self.record.as_slice()).map_err(|_| {
            let at = self.record.iter().position(|cell| std::str::from_utf8(cell).is_err());
            BadRow::NoText { cell: at.map_or(0, |index| index + 1), encoding: self.encoding }
        })?;
        Ok(Cells { text, record: self.record })
    }

    /// The row's bytes, cells with `delimiter` between them and quoted where they must be: what is kept of a refused row.
    pub fn original(&self, delimiter: u8) -> Vec<u8> {
        form::row(self.record.iter(), delimiter)
    }
}

/// A row's cells, all of them UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    text: &'a str,
    record: &'a ByteRecord,
}

impl<'a> Cells<'a> {
    /// The cell at `index`; `None` past the end.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.text.get(self.record.range(index)?)
    }

    /// A hash of all cells, as they were written.
    pub fn hash(&self, seed: u64) -> u64 {
        // Where each cell ends belongs to it, so that `ab|c` and `a|bc` differ.
        let ends = (0..self.record.len()).filter_map(|at| self.record.range(at));
        let ends = ends.fold(seed, |hash, cell| {
            (hash.rotate_left(29) ^ cell.end as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        xxh3_64_with_seed(self.text.as_bytes(), ends)
    }
}

/// Reads the header, asks `begin` what to do with it, then hands each row to `each`.
///
/// # Errors
/// [`DecodeError::Format`] if there is no header, [`DecodeError::Encoding`] if that is no text, [`DecodeError::RowTooLong`] and [`DecodeError::Io`]; and whatever
/// `begin` says of the header.
pub fn read<S>(
    bytes: impl Read,
    dialect: Dialect,
    begin: impl FnOnce(&[String]) -> Result<S, DecodeError>,
    mut each: impl FnMut(&mut S, Row<'_>) -> Flow,
) -> Result<S, DecodeError> {
    let quotes = Quotes::new(dialect.delimiter);
    let seen = Rc::new(RefCell::new(Seen { quotes, ..Seen::default() }));
    let bounded = Bounded { bytes, seen: Rc::clone(&seen) };
    let mut reader = ReaderBuilder::new()
        .delimiter(dialect.delimiter)
        .flexible(true)
        .has_headers(false)
        .buffer_capacity(CHUNK)
        .from_reader(bounded);
    let mut record = ByteRecord::new();
    loop {
        let at = reader.position().clone();
        if !reader.read_byte_record(&mut record).map_err(|error| failure(error, &at))? {
            return Err(DecodeError::Format(format!(
                "there is no header: the file ends before line {}",
                dialect.header_row
            )));
        }
        let end = LineEnd::of(reader.position(), &seen);
        if end.begin(&record) >= u64::from(dialect.header_row) {
            break;
        }
    }
    let names = header(&record, dialect.encoding)?;
    let mut state = begin(&names)?;
    let (mut number, mut many_lines, mut last_row) = (0, false, 0);
    loop {
        seen.borrow_mut().since = 0;
        let at = reader.position().clone();
        if !reader.read_byte_record(&mut record).map_err(|error| failure(error, &at))? {
            let (is_open, is_odd) = (seen.borrow().quotes.is_open(), seen.borrow().quotes.is_odd());
            return if is_open || many_lines && is_odd {
                Err(DecodeError::OpenQuote { line: last_row })
            } else {
                Ok(state)
            };
        }
        if record.len() == 1 && record.as_slice() == END_SIGN && seen.borrow().at_end {
            continue;
        }
        number += 1;
        let end = LineEnd::of(reader.position(), &seen);
        let junk = seen.borrow_mut().quotes.is_junk_before(reader.position().byte());
        // Only the last row can have swallowed the rest of the file.
        if seen.borrow().at_end {
            many_lines = record.as_slice().contains(&b'\n');
            // Its last line feed, if any, stands inside the quote.
            last_row = LineEnd { counted: !many_lines && end.counted, ..end }.begin(&record);
        }
        let (width, encoding) = (names.len(), dialect.encoding);
        let row = Row { record: &record, end, number, width, encoding, junk };
        if each(&mut state, row) == Flow::Stop {
            return Err(DecodeError::Stopped);
        }
    }
}

/// Where a row ended: the line that the reader stands on, and whether the row's own line feed was counted into it.
///
/// The reader tells where it began to look for a row, which is before any empty lines; where the row itself began
/// follows from its end.
#[derive(Clone, Copy, Debug)]
struct LineEnd {
    line: u64,
    counted: bool,
}

impl LineEnd {
    fn of(end: &Position, seen: &RefCell<Seen>) -> Self {
        Self { line: end.line(), counted: seen.borrow().byte_before(end.byte()) == Some(b'\n') }
    }

    fn begin(self, record: &ByteRecord) -> u64 {
        let inside = record.as_slice().split(|byte| *byte == b'\n').count() as u64 - 1;
        (self.line - u64::from(self.counted)).saturating_sub(inside)
    }
}

fn header(record: &ByteRecord, encoding: &str) -> Result<Vec<String>, DecodeError> {
    let mut names = Vec::with_capacity(record.len());
    for (index, cell) in record.iter().enumerate() {
        let name = std::str::from_utf8(cell).map_err(|_| {
            DecodeError::Encoding(format!("column {} of the header is not {encoding}", index + 1))
        })?;
        // The byte-order mark is the file's, not the name's; a name ends where people would say that it ends.
        names.push(name.trim_start_matches('\u{feff}').trim().to_owned());
    }
    Ok(names)
}

fn failure(error: csv::Error, at: &Position) -> DecodeError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            DecodeError::RowTooLong { line: at.line() }
        }
        csv::ErrorKind::Io(error) => DecodeError::Io(error),
        other => DecodeError::Format(format!("line {}: {other:?}", at.line())),
    }
}

/// What the reader has taken.
#[derive(Debug, Default)]
struct Seen {
    /// Bytes since the row began; a buffer's worth of earlier rows may be among them.
    since: usize,
    /// The last piece, and how many bytes there were before it. A row that has been read ends in it.
    piece: Vec<u8>,
    before: u64,
    quotes: Quotes,
    /// Whether there is nothing more to read.
    at_end: bool,
}

impl Seen {
    /// The byte that stands before the position `end`.
    fn byte_before(&self, end: u64) -> Option<u8> {
        let at = usize::try_from(end.checked_sub(self.before + 1)?).ok()?;
        self.piece.get(at).copied()
    }
}

/// Ends the reading of a row that never ends: the CSV reader itself would take all there is.
struct Bounded<R> {
    bytes: R,
    seen: Rc<RefCell<Seen>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        let mut seen = self.seen.borrow_mut();
        seen.at_end = read == 0 && !buffer.is_empty();
        if read > 0 {
            seen.before += seen.piece.len() as u64;
            seen.piece.clear();
            let piece = buffer.get(..read).unwrap_or_default();
            seen.piece.extend_from_slice(piece);
            seen.quotes.follow(piece);
        }
        seen.since += read;
        if seen.since > ROW_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(read) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Dialect = Dialect { delimiter: b',', header_row: 1, encoding: "UTF-8" };

    /// Each row's line, with its cells or why it has none.
    type Lines = Vec<(u64, Result<Vec<String>, BadRow>)>;

    fn rows(text: &[u8], dialect: Dialect) -> Result<Lines, DecodeError> {
        let begin = |names: &[String]| Ok((names.len(), Vec::new()));
        let (_, rows) = read(text, dialect, begin, |(width, rows), row| {
            let cells = row
                .cells()
                .map(|cells| (0..*width).filter_map(|i| cells.get(i)).map(str::to_owned).collect());
            rows.push((row.line(), cells));
            Flow::More
        })?;
        Ok(rows)
    }

    #[test]
    fn rows_know_their_line_whatever_came_before() {
        let text = "\u{feff}id,note\n1,\"two\nlines\"\n\n2,x\n".as_bytes();
        let lines: Vec<_> = rows(text, COMMA).unwrap().into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [2, 5]);
        let text = b"id,note\r\n1,\"two\r\nlines\"\r\n\r\n2,x";
        let lines: Vec<_> = rows(text, COMMA).unwrap().into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [2, 5], "with carriage returns, and no end of line at the end");
    }

    #[test]
    fn a_bad_row_is_told_apart_from_its_good_neighbours() {
        let text = b"id,note\n1,a\n2\n3,b,c\n4,\xff\n5,e\n6,\"f\"x\n7,g\n";
        let rows = rows(text, COMMA).unwrap();
        let good: Vec<_> = rows.iter().map(|(line, cells)| (*line, cells.is_ok())).collect();
        assert_eq!(
            good,
            [(2, true), (3, false), (4, false), (5, false), (6, true), (7, false), (8, true)]
        );
    }

    #[test]
    fn lines_above_the_header_are_passed_over() {
        let dialect = Dialect { delimiter: b';', header_row: 3, encoding: "UTF-8" };
        let rows = rows(b"Title\n\nid;note\n1;a\n", dialect).unwrap();
        assert_eq!(rows, [(4, Ok(vec!["1".to_owned(), "a".to_owned()]))]);
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_the_reading_and_not_the_machine() {
        let mut text = b"id,note\n1,\"".to_vec();
        text.resize(ROW_MAX + 1024 * 1024, b'x');
        assert!(matches!(rows(&text, COMMA), Err(DecodeError::RowTooLong { line: 2 })));
    }

    #[test]
    fn a_quote_that_is_never_closed_swallows_no_rows_in_silence() {
        let end = rows(b"id,v\n1,a\n2,\"b\n3,c\n4,d\n", COMMA);
        assert!(matches!(end, Err(DecodeError::OpenQuote { line: 3 })), "{end:?}");
        for cut in ["id,v\n1,a\n2,\"Ahmed Al Ma", "id,v\n1,a\n2,\"", "id,v\n1,a\n2,\"x\"\""] {
            let end = rows(cut.as_bytes(), COMMA);
            assert!(matches!(end, Err(DecodeError::OpenQuote { line: 3 })), "{cut}: {end:?}");
        }
        for whole in [
            "id,v\n1,\"\"",
            "id,v\n1,\"two\nlines\"",
            "id,v\n1,5\" pipe\n2,x\n",
            "id,v\n1,\"a \"\"b\"\"\nc\"\n",
        ] {
            assert!(rows(whole.as_bytes(), COMMA).is_ok(), "{whole}");
        }
    }

    #[test]
    fn the_end_sign_of_old_programs_is_no_row() {
        for text in ["id,v\n1,a\n\u{1a}", "id,v\r\n1,a\r\n\u{1a}"] {
            let rows = rows(text.as_bytes(), COMMA).unwrap();
            assert_eq!(rows.len(), 1, "{text:?}: {rows:?}");
        }
        let inside = rows(b"id,v\n\x1a\n1,a\n", COMMA).unwrap();
        assert!(inside[0].1.is_err() && inside.len() == 2, "{inside:?}");
    }

    #[test]
    fn an_empty_file_has_no_header() {
        assert!(matches!(rows(b"", COMMA), Err(DecodeError::Format(_))));
        assert_eq!(rows(b"id,note", COMMA).unwrap(), []);
    }
}

//! The cells of a sheet, one after another. One with an error that the library does not know is told by the library
//! without its place; that is found by reading the sheet beside it once more, for the places alone.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt as _,
};

use calamine::{DataRef, Xlsx, XlsxCellFormulaMetadataRecord, XlsxCellReader, XlsxError};

use super::child::Fault;

/// What stands in a cell of the sheet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'c> {
    Value {
        value: &'c DataRef<'c>,
        is_formula: bool,
    },
    /// An error that the library does not know, as it is written.
    Error(&'c str),
}

/// Hands each cell of the sheet `name` to `take`, with its row and column from 0. If the library does not know an error in
/// it, the book is opened `again`, which takes as much memory once more.
pub(super) fn each<R: Read + Seek>(
    book: &mut Xlsx<R>,
    again: impl FnOnce() -> Result<Xlsx<R>, XlsxError>,
    name: &str,
    mut take: impl FnMut((u32, u32), Content<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut cells = book.worksheet_cells_reader(name)?;
    let mut passed = 0_u64;
    let unknown = loop {
        match Met::next(&mut cells)? {
            Met::Cell(cell) => take(cell.pos, content(&cell))?,
            Met::Unknown(error) => break error,
            Met::End => return Ok(()),
        }
        passed += 1;
    };
    let mut beside = again()?;
    let mut places = beside.worksheet_cells_reader(name)?;
    for _ in 0..passed {
        places.next_formula()?;
    }
    let mut met = Met::Unknown(unknown);
    loop {
        // A cell may say its place by standing behind the last one, which the library forgets with the error.
        let place = places.next_formula()?.map(|place| place.get_position());
        match (&met, place) {
            (Met::Cell(cell), Some(place)) => take(place, content(cell))?,
            (Met::Unknown(error), Some(place)) => take(place, Content::Error(error))?,
            (Met::End, _) => return Ok(()),
            (_, None) => return Err(XlsxError::Unexpected("a cell without a place").into()),
        }
        met = Met::next(&mut cells)?;
    }
}

/// What the library meets next.
enum Met<'b> {
    Cell(XlsxCellFormulaMetadataRecord<'b>),
    Unknown(String),
    End,
}

impl<'b> Met<'b> {
    /// It goes on behind an error of one cell, which it has read by then.
    fn next<R: Read + Seek>(cells: &mut XlsxCellReader<'b, R>) -> Result<Self, XlsxError> {
        match cells.next_cell_with_formula_metadata() {
            Ok(cell) => Ok(cell.map_or(Self::End, Self::Cell)),
            Err(XlsxError::CellError(error)) => Ok(Self::Unknown(error)),
            Err(error) => Err(error),
        }
    }
}

fn content<'c>(cell: &'c XlsxCellFormulaMetadataRecord<'c>) -> Content<'c> {
    Content::Value { value: &cell.value, is_formula: cell.formula.is_some() }
}

/// A file that is read from its begin, whoever else reads it.
pub(super) struct Input<'f> {
    file: &'f File,
    at: u64,
}

impl<'f> Input<'f> {
    pub(super) const fn new(file: &'f File) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Input<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn two_read_one_file_and_none_moves_the_other() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let (mut one, mut other) = (Input::new(&file), Input::new(&file));
        let read = |input: &mut Input<'_>| {
            let mut two = [0; 2];
            input.read_exact(&mut two).unwrap();
            two
        };
        for (to, at, next) in [
            (SeekFrom::Start(3), Some(3), b"34"),
            (SeekFrom::Current(-1), Some(4), b"45"),
            (SeekFrom::End(-2), Some(8), b"89"),
            (SeekFrom::End(-11), None, b"01"),
        ] {
            assert_eq!(one.seek(to).ok(), at, "{to:?}");
            if at.is_some() {
                assert_eq!(&read(&mut one), next, "{to:?}");
            }
        }
        assert_eq!((&read(&mut other), one.stream_position().unwrap()), (b"01", 10));
    }
}

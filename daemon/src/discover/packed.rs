//! What a sampled file holds, whatever it is packed in: its text, or the first sheet of a workbook.

use std::{
    fs::File,
    io::{self, Read, Seek as _, Write as _},
};

use marsad_shared::{feed::Sheet, protocol::SAMPLE_MAX};

use super::{
    Unknown,
    column::{Cell, Row},
    node::Node,
};
use crate::{
    archive::{self, Archive, RATIO_MAX},
    decode::{
        DecodeError, Flow, Raw,
        xlsx::{self, Wanted},
    },
    shape::infer::SAMPLE,
    unpack::{Packing, Unpacked},
};

/// As many rows of a sheet are looked at for its header.
const HEADERS: u32 = 20;

/// A file as it was before it was packed.
#[derive(Default)]
pub struct Inside {
    pub bytes: Vec<u8>,
    /// Only the beginning of something longer.
    pub cut: bool,
    /// The member of an archive that it was.
    pub member: Option<String>,
    /// Its rows, if it is a workbook.
    pub book: Option<Book>,
}

/// One sheet of a workbook.
pub struct Book {
    /// `None`: the only one that can be seen.
    pub(super) sheet: Option<u32>,
    pub(super) header_row: u32,
    pub(super) rows: Vec<Row>,
}

/// What `bytes`, a file or its beginning, hold. It may block.
///
/// # Errors
/// [`Unknown`] if they are packed and cannot be unpacked, or a workbook that cannot be read.
pub fn inside(bytes: Vec<u8>, cut: bool) -> Result<Inside, Unknown> {
    let (bytes, cut) = match Packing::by_magic(&bytes) {
        None => (bytes, cut),
        Some(packing) => unpacked(&bytes, packing, cut)?,
    };
    if !archive::is_archive(&bytes) {
        return Ok(Inside { bytes, cut, ..Inside::default() });
    }
    if cut {
        return Err(Unknown::new(
            "it is a workbook or an archive of more than 8 MiB, which cannot be read from its beginning",
            "take a smaller one as the sample",
        ));
    }
    let archive = aside(&bytes).and_then(Archive::open).map_err(|error| unread(&error))?;
    if xlsx::is_workbook(&archive) {
        let book = Some(book(&archive.into_file()).map_err(|error| unread(&error))?);
        return Ok(Inside { book, ..Inside::default() });
    }
    member(&archive)
}

/// The first member of an archive.
fn member(archive: &Archive) -> Result<Inside, Unknown> {
    let mut members = archive.members().iter();
    let Some(member) = members.find(|member| !member.is_litter()) else {
        return Err(Unknown::new("it is an archive with nothing in it", "take another one"));
    };
    let mut bytes = Vec::new();
    let mut packed = archive.read(member);
    if let Err(error) = packed.by_ref().take(SAMPLE_MAX as u64 + 1).read_to_end(&mut bytes) {
        return Err(unread(&packed.fault().unwrap_or(DecodeError::Io(error))));
    }
    let cut = bytes.len() > SAMPLE_MAX;
    bytes.truncate(SAMPLE_MAX);
    let mut found = Inside { bytes, cut, member: Some(member.name.clone()), book: None };
    if archive::is_archive(&found.bytes) && !cut {
        let book = aside(&found.bytes).and_then(|file| book(&file));
        found.book = Some(book.map_err(|error| unread(&error))?);
    }
    Ok(found)
}

/// What is packed in `packing`, and whether that is only its beginning.
fn unpacked(bytes: &[u8], packing: Packing, cut: bool) -> Result<(Vec<u8>, bool), Unknown> {
    let mut plain = Vec::new();
    let mut unpacked = Unpacked::new(bytes, Some(packing), u64::MAX).within(RATIO_MAX);
    let read = unpacked.by_ref().take(SAMPLE_MAX as u64 + 1).read_to_end(&mut plain);
    if read.is_err() && !(cut && plain.len() > 1) {
        let why = "it is packed, and does not unpack to its end";
        return Err(Unknown::new(why, "take a whole file as the sample"));
    }
    let cut = cut || plain.len() > SAMPLE_MAX;
    plain.truncate(SAMPLE_MAX);
    Ok((plain, cut))
}

/// The sheet that can be seen, or else the first one; its header is the first row in which several cells and no gap stand.
fn book(file: &File) -> Result<Book, DecodeError> {
    let (mut best, mut fault) = (None, DecodeError::Nothing);
    // If several can be seen, there is none that is the only one.
    for sheet in [None, Some(1)] {
        for header_row in 1..=HEADERS {
            let (names, rows) = match rows(file, sheet, header_row) {
                Ok(found) => found,
                Err(error @ DecodeError::Layout(_)) => {
                    fault = error;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if names.len() > 1 && names.iter().all(|name| !name.is_empty()) {
                return Ok(Book { sheet, header_row, rows });
            }
            best = best.or(Some(Book { sheet, header_row, rows }));
        }
    }
    best.ok_or(fault)
}

/// The header and the first rows of a sheet.
fn rows(
    file: &File,
    sheet: Option<u32>,
    header_row: u32,
) -> Result<(Vec<String>, Vec<Row>), DecodeError> {
    let file = file.try_clone().map_err(DecodeError::Io)?;
    let sheet = sheet.map(Sheet::Number);
    let wanted = Wanted { sheet: sheet.as_ref(), header_row, mask: None };
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    let begin = |found: &[String]| {
        names = found.to_vec();
        Ok(names.clone())
    };
    let read = xlsx::read(file, wanted, begin, |names, row| {
        let mut cells = Row::new();
        for (at, name) in names.iter().enumerate() {
            // A header that is not there, or twice, cannot be named.
            if !name.is_empty() && cells.iter().all(|cell| cell.from != *name) {
                let value = node(row.cell(at));
                cells.push(Cell { from: name.clone(), name: name.clone(), value });
            }
        }
        rows.push(cells);
        if rows.len() < SAMPLE { Flow::More } else { Flow::Stop }
    });
    match read {
        Ok(_) | Err(DecodeError::Stopped) => Ok((names, rows)),
        Err(error) => Err(error),
    }
}

fn node(cell: xlsx::Cell<'_>) -> Node {
    match cell {
        xlsx::Cell::Bad(_) | xlsx::Cell::Raw(Raw::Nothing) => Node::Nothing,
        xlsx::Cell::Raw(Raw::Bool(yes)) => Node::Bool(yes),
        xlsx::Cell::Raw(Raw::Number(text)) => text.parse().map_or(Node::Decimal, Node::Integer),
        xlsx::Cell::Raw(Raw::Text(text) | Raw::Nested(text) | Raw::Iso(text)) => {
            Node::Text(text.to_owned())
        }
    }
}

/// Puts `bytes` into a file without a name.
fn aside(bytes: &[u8]) -> Result<File, DecodeError> {
    let put = || -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        file.write_all(bytes)?;
        file.rewind()?;
        Ok(file)
    };
    put().map_err(DecodeError::Io)
}

fn unread(error: &DecodeError) -> Unknown {
    Unknown::new(error.to_string(), "or take another file as the sample")
}

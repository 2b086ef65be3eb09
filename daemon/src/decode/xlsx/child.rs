//! The process that reads a workbook: from its standard input, and to its standard output. It is told to stop by nobody
//! reading that any more.

use std::{
    fs::File,
    io::{self, BufReader, Write},
    os::fd::AsFd as _,
    process::ExitCode,
};

use calamine::{Reader as _, Sheet as About, SheetType, SheetVisible, Xlsx, XlsxError};
use csv::{StringRecord, Writer};
use marsad_shared::feed::Sheet;

use super::{
    CHUNK, DecodeError, END, FAULT, HEAD, ROW, cell,
    cells::{self, Content, Input},
    limits,
};
use crate::decode::ROW_MAX;

/// The last row and column of a sheet, from 0.
const ROWS: u32 = 1_048_576;
const COLUMNS: u32 = 16_384;
/// As many sheets are named to somebody who has to choose one.
const SHOWN: usize = 12;
/// What a fault is about.
const LAYOUT: &str = "layout";
const TOO_LARGE: &str = "large";
const FORMAT: &str = "format";

/// What the process is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The process that asks.
    pub parent: i32,
    pub sheet: Option<Sheet>,
    pub header_row: u32,
}

/// Why there are no more rows.
pub(super) enum Fault {
    Unread(&'static str, String),
    /// Nobody reads them.
    Gone,
}

impl From<XlsxError> for Fault {
    fn from(error: XlsxError) -> Self {
        let text = match error {
            XlsxError::Password => "it has a password; have it saved without one".to_owned(),
            error => format!(
                "it is no workbook that can be read ({error}); have it saved anew as .xlsx, or sent as CSV"
            ),
        };
        Self::Unread(FORMAT, text)
    }
}

impl From<csv::Error> for Fault {
    fn from(_: csv::Error) -> Self {
        Self::Gone
    }
}

/// Limits itself, and reads the workbook that is the standard input. What is wrong with that is said on the standard
/// output too; the exit code tells only whether somebody heard it.
pub fn run(asked: &Asked) -> ExitCode {
    if limits::take(asked.parent).is_err() {
        return ExitCode::FAILURE;
    }
    let mut out = csv::WriterBuilder::new()
        .flexible(true)
        .buffer_capacity(CHUNK)
        .from_writer(limits::Paced::new(io::stdout().lock()));
    let last = match sheet(asked, &mut out) {
        Ok(()) => out.write_record([END]),
        Err(Fault::Unread(about, text)) => out.write_record([FAULT, about, &text]),
        Err(Fault::Gone) => return ExitCode::FAILURE,
    };
    if last.is_ok() && out.flush().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the process said is wrong.
pub(super) fn fault(record: &StringRecord) -> DecodeError {
    let text = record.get(2).unwrap_or_default().to_owned();
    match record.get(1) {
        Some(LAYOUT) => DecodeError::Layout(text),
        Some(TOO_LARGE) => DecodeError::TooLarge(text),
        _ => DecodeError::Format(text),
    }
}

fn sheet(asked: &Asked, out: &mut Writer<impl Write>) -> Result<(), Fault> {
    let input = io::stdin().as_fd().try_clone_to_owned().map_err(|_| Fault::Gone)?;
    let input = File::from(input);
    let open = || Xlsx::new(BufReader::with_capacity(CHUNK, Input::new(&input)));
    let mut book = open()?;
    let name = choose(book.sheets_metadata(), asked.sheet.as_ref())?;
    let mut row = Row::new(asked.header_row);
    cells::each(&mut book, open, &name, |(line, column), content| {
        if line >= ROWS || column >= COLUMNS {
            let text = "a cell of the sheet lies beyond the last one that a sheet can have; have it saved anew as .xlsx";
            return Err(Fault::Unread(FORMAT, text.to_owned()));
        }
        if line != row.line {
            row.next(line, out)?;
        }
        row.put(column, content)
    })?;
    row.flush(out)?;
    if row.width.is_none() {
        let header = asked.header_row;
        let text = format!(
            "row {header} of sheet {name}, where its header should be, is empty; mend `header_row`"
        );
        return Err(Fault::Unread(LAYOUT, text));
    }
    Ok(())
}

/// The name of the sheet that is asked for.
fn choose(all: &[About], asked: Option<&Sheet>) -> Result<String, Fault> {
    let sheets: Vec<_> = all.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet).collect();
    let names: Vec<_> = sheets.iter().take(SHOWN).map(|sheet| sheet.name.as_str()).collect();
    let names = names.join(", ");
    let unread = |text: String| Err(Fault::Unread(LAYOUT, text));
    let found = match asked {
        Some(Sheet::Name(name)) => sheets.iter().find(|sheet| sheet.name == *name),
        Some(Sheet::Number(number)) => {
            usize::try_from(*number).ok().and_then(|number| sheets.get(number.checked_sub(1)?))
        }
        None => {
            let mut seen = sheets.iter().filter(|sheet| sheet.visible == SheetVisible::Visible);
            match (seen.next(), seen.next()) {
                (Some(_), Some(_)) => {
                    return unread(format!(
                        "the workbook has several sheets ({names}); name the one to read in the feed's `sheet`"
                    ));
                }
                (one, _) => one,
            }
        }
    };
    match (found, asked) {
        (Some(sheet), _) => Ok(sheet.name.clone()),
        (None, Some(Sheet::Name(name))) => unread(format!(
            "the workbook has no sheet {name}; it has {names}: mend the feed's `sheet`, or the workbook"
        )),
        (None, Some(Sheet::Number(number))) => unread(format!(
            "the workbook has no sheet number {number}; it has {names}: mend the feed's `sheet`, or the workbook"
        )),
        (None, None) => {
            unread("the workbook has no sheet with cells; ask for the right one".to_owned())
        }
    }
}

/// The row under way.
struct Row {
    /// Its number, from 0.
    line: u32,
    /// The number of the header's, from 0.
    header: u32,
    /// How many columns the header has, once it was met.
    width: Option<usize>,
    cells: Vec<String>,
    /// What the cells take together, in bytes.
    bytes: usize,
}

impl Row {
    fn new(header_row: u32) -> Self {
        let header = header_row.saturating_sub(1);
        Self { line: 0, header, width: None, cells: Vec::new(), bytes: 0 }
    }

    /// Sends the row, and begins the one of that number.
    fn next(&mut self, line: u32, out: &mut Writer<impl Write>) -> Result<(), Fault> {
        if line < self.line {
            let text = format!(
                "row {} of the sheet stands behind row {}; have it saved anew as .xlsx",
                line + 1,
                self.line + 1
            );
            return Err(Fault::Unread(FORMAT, text));
        }
        self.flush(out)?;
        self.line = line;
        Ok(())
    }

    /// Takes a cell in. What stands beside the header belongs to no column.
    fn put(&mut self, column: u32, content: Content<'_>) -> Result<(), Fault> {
        let at = usize::try_from(column).unwrap_or(usize::MAX);
        if self.line < self.header || self.width.is_some_and(|width| at >= width) {
            return Ok(());
        }
        let mut text = String::new();
        match content {
            Content::Value { value, is_formula } => cell::write(value, is_formula, &mut text),
            Content::Error(error) => cell::write_error(error, &mut text),
        }
        if text.is_empty() {
            return Ok(());
        }
        self.bytes += text.len();
        if self.bytes > ROW_MAX {
            let text = format!(
                "row {} of the sheet is longer than 16 MiB; have it shortened",
                self.line + 1
            );
            return Err(Fault::Unread(TOO_LARGE, text));
        }
        if self.cells.len() <= at {
            self.cells.resize_with(at + 1, String::new);
        }
        match self.cells.get_mut(at) {
            Some(cell) if cell.is_empty() => *cell = text,
            _ => {
                let name = cell::name(at, u64::from(self.line) + 1);
                let text = format!("cell {name} is there twice; have it saved anew as .xlsx");
                return Err(Fault::Unread(FORMAT, text));
            }
        }
        Ok(())
    }

    /// Sends the row, if anything stands in it; of those above the header there is nothing. Behind it, it is empty.
    fn flush(&mut self, out: &mut Writer<impl Write>) -> Result<(), Fault> {
        if self.cells.is_empty() {
            return Ok(());
        }
        if let Some(width) = self.width {
            self.cells.resize_with(width, String::new);
            let line = (u64::from(self.line) + 1).to_string();
            let record = [ROW, &line].into_iter().chain(self.cells.iter().map(String::as_str));
            out.write_record(record)?;
        } else if self.line == self.header {
            self.width = Some(self.cells.len());
            let names = self.cells.iter().map(|cell| cell::text(cell));
            out.write_record([HEAD].into_iter().chain(names))?;
        } else {
            // The header's row had nothing in it.
            let header = self.header + 1;
            let text = format!(
                "row {header} of the sheet, where its header should be, is empty; mend `header_row`"
            );
            return Err(Fault::Unread(LAYOUT, text));
        }
        (self.cells, self.bytes) = (Vec::new(), 0);
        Ok(())
    }
}

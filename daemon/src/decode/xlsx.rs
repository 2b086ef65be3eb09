//! XLSX: the rows of one sheet of a workbook, read by a process of its own.
//!
//! The library that reads workbooks can be made to end its process or to take all memory (security section 1), so it never
//! runs in the daemon: `marsadd` is run once more, limits itself, reads the workbook from its standard input and writes
//! rows, as CSV, to its standard output. Before that the archive that a workbook is has been looked through here, and each
//! of its parts has been read against its checksum. However that process ends, it is a fault of the file.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _},
    os::unix::{
        fs::FileExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
};

use csv::{ReaderBuilder, StringRecord};
use marsad_shared::{feed::Sheet, quarantine::form};
use nix::sys::signal::Signal;

use super::{DecodeError, Flow, Raw, xml::tags::Tags};
use crate::{
    archive::{self, Archive, Member},
    source::ours::Mask,
};

mod cell;
mod cells;
mod child;
mod limits;

pub use cell::{day_of, name as cell_name};
pub use child::{Asked, run};
pub use limits::{MEMORY_MAX, SILENCE_S};

/// The name under which the process is asked for.
pub const COMMAND: &str = "read-workbook";
/// This very program, whatever became of the file that it was started from.
const OURSELVES: &str = "/proc/self/exe";
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// How an old workbook begins, and one with a password.
const OLD: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
/// Parts that a workbook has, one of them.
const BOOKS: [&str; 2] = ["xl/workbook.xml", "xl/workbook.bin"];
/// What comes out of the process: the header, a row, the end of the sheet, or why there is none.
const HEAD: &str = "head";
const ROW: &str = "row";
const END: &str = "end";
const FAULT: &str = "fault";

/// What stands for an empty cell among the marks of a row.
const BLANK: char = ' ';

/// The program that is run instead of ourselves.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Has workbooks read by `program`, a `marsadd`, for a test that is none itself. Said once, it stays.
pub fn read_by(program: &Path) {
    PROGRAM.get_or_init(|| program.to_owned());
}

/// Whether an archive is a workbook.
pub fn is_workbook(archive: &Archive) -> bool {
    archive.members().iter().any(|member| BOOKS.contains(&member.name.as_str()))
}

/// What is read of a workbook.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// `None`: the only one that can be seen.
    pub sheet: Option<&'w Sheet>,
    /// The row of the header, from 1; what stands above it is passed over.
    pub header_row: u32,
    /// What hides our secrets in it; `None`: nothing has to be hidden.
    pub mask: Option<&'w Mask>,
}

/// One row that is not blank.
#[derive(Debug)]
pub struct Row<'a> {
    record: &'a StringRecord,
    /// Which row of the sheet it is, from 1.
    pub line: u64,
    /// Which row below the header it is, from 1, blank ones left out.
    pub number: u64,
}

/// What stands in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// As it is: a number with a point and without a `.0`, text as it was written, a day or a time in ISO 8601.
    Raw(Raw<'a>),
    /// What is wrong with it, to stand behind its name.
    Bad(&'static str),
}

impl Row<'_> {
    /// The cell in the column `index`, from 0.
    pub fn cell(&self, index: usize) -> Cell<'_> {
        cell::read(self.record.get(index + 2).unwrap_or_default())
    }

    /// The text of the cell in the column `index`, from 0.
    pub fn text(&self, index: usize) -> &str {
        cell::text(self.record.get(index + 2).unwrap_or_default())
    }

    /// The row's cells as text, a row of CSV as wide as the header of `width` names: what is kept of a refused row.
    pub fn original(&self, width: usize) -> Vec<u8> {
        let text = |at| cell::text(self.record.get(at + 2).unwrap_or_default()).as_bytes();
        form::row((0..width).map(text), b',')
    }

    /// What each of those cells is: a letter, or a blank where nothing stands.
    pub fn marks(&self, width: usize) -> String {
        let mark = |at| self.record.get(at + 2).and_then(|sent| sent.chars().next());
        (0..width).map(|at| mark(at).unwrap_or(BLANK)).collect()
    }
}

/// A row that came once, to be read again.
#[derive(Debug)]
pub struct Sent {
    record: StringRecord,
    line: u64,
}

impl Sent {
    /// The row of these cells, as text, of which `marks` says what each is ([`Row::marks`]).
    pub fn again<'c>(cells: impl Iterator<Item = &'c str>, marks: &str, line: u64) -> Self {
        let mut record = StringRecord::from(vec![ROW, &line.to_string()]);
        for (text, mark) in cells.zip(marks.chars()) {
            record.push_field(&if mark == BLANK { String::new() } else { format!("{mark}{text}") });
        }
        Self { record, line }
    }

    pub fn row(&self) -> Row<'_> {
        Row { record: &self.record, line: self.line, number: 0 }
    }
}

/// Reads the header, asks `begin` what to do with it, then hands each row that is not blank to `each`.
///
/// # Errors
/// [`DecodeError::Format`], [`DecodeError::Broken`] and [`DecodeError::TooLarge`] if `file` is no workbook that can be
/// read, [`DecodeError::Layout`] if it has no such sheet or header, [`DecodeError::Io`]; and whatever `begin` says.
pub fn read<S>(
    file: File,
    wanted: Wanted<'_>,
    begin: impl FnOnce(&[String]) -> Result<S, DecodeError>,
    mut each: impl FnMut(&mut S, Row<'_>) -> Flow,
) -> Result<S, DecodeError> {
    let mut child = Reader::start(check(file)?, wanted)?;
    let Some(out) = child.0.stdout.take() else {
        return Err(DecodeError::Io(io::ErrorKind::BrokenPipe.into()));
    };
    let bare: Box<dyn Read + '_> = match wanted.mask {
        Some(mask) => Box::new(mask.stream(BufReader::with_capacity(CHUNK, out), false)),
        None => Box::new(out),
    };
    let mut rows = ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .buffer_capacity(CHUNK)
        .from_reader(bare);
    let mut record = StringRecord::new();
    if !next(&mut rows, &mut record, &mut child)? {
        return begin(&[]);
    }
    let names: Vec<_> = record.iter().skip(1).map(|name| name.trim().to_owned()).collect();
    let mut state = begin(&names)?;
    let mut number = 0;
    while next(&mut rows, &mut record, &mut child)? {
        number += 1;
        let line = record.get(1).and_then(|line| line.parse().ok()).unwrap_or_default();
        if each(&mut state, Row { record: &record, line, number }) == Flow::Stop {
            return Err(DecodeError::Stopped);
        }
    }
    Ok(state)
}

/// The next header or row; `false` at the end of the sheet.
fn next(
    rows: &mut csv::Reader<Box<dyn Read + '_>>,
    record: &mut StringRecord,
    child: &mut Reader,
) -> Result<bool, DecodeError> {
    let more = rows.read_record(record).map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) => DecodeError::Io(error),
        _ => failed(),
    })?;
    match record.get(0).filter(|_| more) {
        Some(HEAD | ROW) => Ok(true),
        Some(END) => Ok(false),
        Some(FAULT) => Err(child::fault(record)),
        _ => Err(ended(child.0.wait().map_err(DecodeError::Io)?)),
    }
}

/// Looks through a workbook before it is read: it is an archive whose parts are as its directory says.
///
/// # Errors
/// As [`read`], of what shows there.
pub fn check(file: File) -> Result<File, DecodeError> {
    let mut begin = [0; 8];
    let read = file.read_at(&mut begin, 0).map_err(DecodeError::Io)?;
    let begin = begin.get(..read).unwrap_or_default();
    let format = |text: &str| Err(DecodeError::Format(text.to_owned()));
    if begin == OLD {
        return format(
            "it is an old workbook (.xls), or one with a password; have it saved as .xlsx, without a password",
        );
    }
    if !archive::is_archive(begin) {
        return format("it is no workbook; have it saved as .xlsx, or mend the feed's `format`");
    }
    let archive = Archive::open(file)?;
    if archive.members().iter().any(|member| member.name == "xl/workbook.bin") {
        return format("it is a binary workbook (.xlsb); have it saved as .xlsx");
    }
    if !is_workbook(&archive) {
        return format("it is an archive and no workbook; have it saved as .xlsx");
    }
    archive.members().iter().try_for_each(|member| check_part(&archive, member))?;
    let mut file = archive.into_file();
    file.rewind().map_err(DecodeError::Io)?;
    Ok(file)
}

/// A part is as the directory says; and what is XML has no DOCTYPE, over which the library passes.
fn check_part(archive: &Archive, part: &Member) -> Result<(), DecodeError> {
    let mut bytes = archive.read(part);
    let is_read =
        ["xl/", "_rels/", "[Content_Types].xml"].iter().any(|at| part.name.starts_with(at));
    if is_read && [".xml", ".rels"].iter().any(|end| part.name.ends_with(end)) {
        let begin = BufReader::with_capacity(CHUNK, &mut bytes);
        match Tags::new(begin).and_then(|mut tags| tags.next()) {
            // An empty one is no harm, and what cannot be unpacked is told below.
            Ok(_) | Err(DecodeError::Truncated { .. } | DecodeError::Io(_)) => {}
            Err(error) => {
                return Err(error.rewritten(|text| format!("its part {}: {text}", part.name)));
            }
        }
    }
    bytes.drain()
}

/// The process that reads. Dropping it ends it, and leaves nothing of it.
struct Reader(Child);

impl Reader {
    fn start(file: File, wanted: Wanted<'_>) -> Result<Self, DecodeError> {
        let program = PROGRAM.get().map_or(Path::new(OURSELVES), PathBuf::as_path);
        let mut command = Command::new(program);
        command.arg0("marsadd").arg(COMMAND).args(["--parent", &std::process::id().to_string()]);
        command.args(["--header-row", &wanted.header_row.to_string()]);
        match wanted.sheet {
            Some(Sheet::Name(name)) => command.arg(format!("--sheet={name}")),
            Some(Sheet::Number(number)) => command.arg(format!("--sheet-number={number}")),
            None => &mut command,
        };
        command.env_clear().current_dir("/");
        command.stdin(file).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(DecodeError::Io)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and is only waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What it means that the process ended without a last word.
fn ended(status: ExitStatus) -> DecodeError {
    let signal = status.signal().and_then(|signal| Signal::try_from(signal).ok());
    match signal {
        Some(Signal::SIGXCPU | Signal::SIGALRM) => DecodeError::TooLarge(format!(
            "reading it takes more than {SILENCE_S} seconds; have it split, or sent as CSV"
        )),
        // A request for more memory than there may be ends in one of these.
        Some(Signal::SIGABRT | Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGKILL) => {
            DecodeError::TooLarge(format!(
                "reading it takes more than {} MiB of memory; have it split, sent as CSV, or saved anew",
                MEMORY_MAX / (1024 * 1024)
            ))
        }
        _ => failed(),
    }
}

fn failed() -> DecodeError {
    DecodeError::Format(
        "the reader of workbooks failed on it; have it saved anew as .xlsx, or sent as CSV"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_in_which_the_process_ends_is_a_fault_of_the_file() {
        use marsad_shared::health::Reason::{NotJson, TooLarge};
        for (status, reason, word) in [
            (Signal::SIGXCPU as i32, TooLarge, "60 seconds"),
            (Signal::SIGALRM as i32, TooLarge, "60 seconds"),
            (Signal::SIGABRT as i32, TooLarge, "192 MiB"),
            (Signal::SIGSEGV as i32, TooLarge, "192 MiB"),
            (Signal::SIGKILL as i32, TooLarge, "192 MiB"),
            // What a panic ends with, and a process that could not limit itself.
            (101 << 8, NotJson, "failed"),
            (1 << 8, NotJson, "failed"),
            (0, NotJson, "failed"),
        ] {
            let error = ended(ExitStatus::from_raw(status));
            assert_eq!(error.reason(), reason, "{status}");
            let text = error.to_string();
            assert!(text.contains(word) && text.contains("; have it"), "{status}: {text}");
        }
    }

    #[test]
    fn a_row_is_kept_so_that_every_cell_is_what_it_was() {
        let cells = ["t٨٥", "n120", "", "btrue", "d2026-09-07", "f", "ta,\"b\"", "t"];
        let record = StringRecord::from([&[ROW, "7"], &cells[..]].concat());
        let row = Row { record: &record, line: 7, number: 6 };
        // The header may be wider than the row, or narrower: then nobody reads what is beyond it.
        for width in [cells.len() + 1, cells.len(), 3] {
            let (original, marks) = (row.original(width), row.marks(width));
            let kept = form::cells(&original, ',').unwrap();
            let sent = Sent::again(kept.iter().map(String::as_str), &marks, 7);
            for at in 0..width {
                assert_eq!(sent.row().cell(at), row.cell(at), "cell {at} of {width}");
            }
            assert_eq!(sent.row().line, 7);
        }
        assert_eq!(row.marks(3), "tn ");
        assert_eq!(String::from_utf8(row.original(4)).unwrap(), "٨٥,120,,true");
    }
}

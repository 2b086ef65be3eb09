//! Decode, shape and check in one pass: bytes in, accepted rows and refusals out. The same for a page and for a file.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
};

use marsad_shared::{
    feed::{Deleted, Feed, Format, ScalarPath},
    quarantine::{Form, Place, Refusal},
    record::{Batch, Layout},
    store::read::References,
};

use crate::{
    decode::{
        self, DecodeError, Flow, Plan, Scalar, Standing, Text,
        sdmx::{Key, Observed},
    },
    shape::{Beside, Misfits, Refused, Shaper, odata},
    source::ours::Mask,
};

mod first;
mod recall;
mod rows;
mod table;

pub use first::{infer, infer_workbook};
pub use recall::{Memo, Recall};
use rows::{Origin, Rows};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// As many rows are handed on at once: large enough that a commit costs nothing, small enough to hold.
pub const BATCH_ROWS: usize = 10_000;
/// A batch is handed on at this size, in bytes, whatever its rows.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// The encoding of what does not say otherwise.
const UTF_8: &str = "UTF-8";
/// More refusals than this in one run are no bad rows but a bad layout: the run is stopped and says so.
pub const REFUSED_MAX: u64 = 10_000;

/// How a record of one notation becomes a row.
type Shape = fn(&Shaper, &str, Standing, &mut Batch, &mut Beside) -> Result<(), Refused>;

/// Rows that were read together.
#[derive(Debug)]
pub struct Piece {
    pub batch: Batch,
    pub refused: Vec<Refusal>,
    /// Rows among them that were found apart, where `deletes` leads: a partner does not count them as records.
    pub apart: u64,
    /// Entries that were passed over, because they are of another set than the feed's.
    pub elsewhere: u64,
    /// What stood there beside the feed's columns.
    pub beside: Beside,
    /// Which rows did not fit which column.
    pub misfits: Misfits,
    /// What is said of a page that has left out its list of records, of a feed that allows it.
    pub lacking: Option<String>,
}

impl Piece {
    /// Whether nothing stood there, be it of another set.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.refused.is_empty() && self.elsewhere == 0
    }

    /// No rows yet.
    pub fn new(layout: &Layout, seed: u64) -> Self {
        Self {
            batch: Batch::new(layout, seed),
            refused: Vec::new(),
            apart: 0,
            elsewhere: 0,
            beside: Beside::default(),
            misfits: Misfits::default(),
            lacking: None,
        }
    }

    /// All rows that were received.
    pub fn rows(&self) -> u64 {
        (self.batch.len() + self.refused.len()) as u64
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_ROWS
            || self.batch.text_len() >= BATCH_BYTES
            || self.refused.len() >= BATCH_ROWS
    }
}

/// What rows come from, for what is said of refusals.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    pub file: Option<String>,
    pub page: Option<u64>,
    /// The encoding that it came in; `None`: UTF-8.
    pub encoding: Option<&'static str>,
    /// The set that an answer of `OData` says it is of.
    pub set: Option<String>,
}

impl Origins {
    fn encoding(&self) -> &'static str {
        self.encoding.unwrap_or(UTF_8)
    }
}

/// The text of a page, in UTF-8.
pub enum Source<'s> {
    /// All of it.
    Held(&'s [u8]),
    /// A larger one, which is never held.
    Stream(&'s mut dyn BufRead),
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Held(bytes) => bytes.read(buffer),
            Self::Stream(bytes) => bytes.read(buffer),
        }
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Held(bytes) => bytes.fill_buf(),
            Self::Stream(bytes) => bytes.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        match self {
            Self::Held(bytes) => bytes.consume(amount),
            Self::Stream(bytes) => bytes.consume(amount),
        }
    }
}

/// Reads all rows of one page or file.
pub struct Intake<'a> {
    pub feed: &'a Feed,
    pub shaper: &'a Shaper,
    pub format: Format,
    pub seed: u64,
    pub origins: Origins,
    /// Looks up what rows refer to; `None`: they refer to nothing.
    pub references: Option<&'a References>,
    /// What the last table of the feed came to; `None`: every row is read.
    pub recall: Option<&'a RefCell<Recall>>,
}

impl Intake<'_> {
    /// Reads `bytes` to their end and hands each piece to `take` as it is full; the last one comes too, even if it is
    /// empty.
    ///
    /// # Errors
    /// [`DecodeError`] if they cannot be read to their end. What was handed on before stands.
    pub fn read(
        &self,
        bytes: impl Read,
        take: impl FnMut(Piece) -> Flow,
    ) -> Result<(), DecodeError> {
        let mut rows = Rows::new(self, usize::MAX, Some(take));
        let bytes = BufReader::with_capacity(CHUNK, bytes);
        let plan = self.plan(&[]);
        let read = match self.format {
            Format::Json => {
                let each = self.records(Shaper::json, json_form, &mut rows);
                decode::json::read(bytes, &plan, each).1
            }
            Format::Ndjson => self.lines(bytes, &mut rows),
            Format::Csv => self.csv(bytes, &mut rows),
            Format::Xml => decode::xml::read(bytes, &plan, self.elements(&mut rows)).1,
            Format::Sdmx => {
                let (delimiter, key) = (self.feed.delimiter, self.key());
                decode::sdmx::read(bytes, delimiter, &key, &mut self.observations(&mut rows))
            }
            Format::Xlsx => Err(no_stream()),
        };
        rows.fault().map_or(read, Err)?;
        rows.hand_over()
    }

    /// The same of a workbook, whose parts do not stand in the order in which they are read. Its rows end where the feed's
    /// `stop` says: what stands below are totals, and notes, and no rows that look like those above.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn workbook(&self, file: File, take: impl FnMut(Piece) -> Flow) -> Result<(), DecodeError> {
        let mut rows = Rows::new(self, usize::MAX, Some(take));
        self.sheet_rows(file, None, &mut rows)?;
        rows.hand_over()
    }

    /// Reads a workbook that is a page: one piece, which may take `most` bytes of memory. `mask`: what hides our secrets in it.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn sheet(
        &self,
        file: File,
        most: usize,
        mask: Option<&Mask>,
    ) -> Result<Piece, DecodeError> {
        let mut rows = Rows::new(self, most, None::<fn(Piece) -> Flow>);
        let read = self.sheet_rows(file, mask, &mut rows);
        rows.excess().map_or(read, Err)?;
        Ok(rows.piece)
    }

    /// Reads a page: one piece, which may take `most` bytes of memory, and beside it what stands at the `wanted` paths, in
    /// their order. Those are given even if the records are not where they should be, because a page may say there what
    /// is wrong with it; all of them are absent if it cannot be read at all, and in a format that has only records.
    ///
    /// # Errors
    /// [`DecodeError`] if it cannot be read to its end, or lacks a list that it may not lack; then no record of it is kept. [`DecodeError::Crowded`] if its rows
    /// take more than `most`.
    pub fn page(
        &self,
        source: Source<'_>,
        wanted: &[ScalarPath],
        most: usize,
    ) -> (Vec<Scalar>, Result<Piece, DecodeError>) {
        let mut rows = Rows::new(self, most, None::<fn(Piece) -> Flow>);
        let plan = self.plan(wanted);
        let nothing = || vec![Scalar::Absent; wanted.len()];
        let (scalars, read) = match self.format {
            Format::Json => {
                let each = self.records(Shaper::json, json_form, &mut rows);
                match source {
                    Source::Held(body) => decode::json::page(body, &plan, each),
                    Source::Stream(bytes) => decode::json::read(bytes, &plan, each),
                }
            }
            Format::Xml => decode::xml::read(source, &plan, self.elements(&mut rows)),
            Format::Ndjson => (nothing(), self.lines(source, &mut rows)),
            Format::Csv => (nothing(), self.csv(source, &mut rows)),
            Format::Sdmx => self.message(source, wanted, &mut rows),
            Format::Xlsx => (nothing(), Err(no_stream())),
        };
        let read = rows.fault().or_else(|| rows.excess()).map_or(read, Err);
        let piece = match read {
            Err(DecodeError::Lacking(text)) if self.feed.may_lack => {
                rows.piece.lacking = Some(text);
                Ok(rows.piece)
            }
            Err(DecodeError::Lacking(text)) => Err(DecodeError::Layout(format!(
                "{text}, or set records_may_lack = true if an empty list is left out"
            ))),
            read => read.map(|()| rows.piece),
        };
        (scalars, piece)
    }

    /// Reads a page of SDMX. What is wanted beside its observations is looked for first, in a message that is held.
    fn message(
        &self,
        mut source: Source<'_>,
        wanted: &[ScalarPath],
        rows: &mut Rows<'_, impl FnMut(Piece) -> Flow>,
    ) -> (Vec<Scalar>, Result<(), DecodeError>) {
        let (delimiter, key) = (self.feed.delimiter, self.key());
        let mut each = self.observations(rows);
        let nothing = vec![Scalar::Absent; wanted.len()];
        let mut held = Vec::new();
        let body = match &mut source {
            Source::Held(body) => *body,
            Source::Stream(bytes) if wanted.is_empty() => {
                return (nothing, decode::sdmx::read(bytes, delimiter, &key, &mut each));
            }
            Source::Stream(bytes) => match bytes.read_to_end(&mut held) {
                Ok(_) => &held,
                Err(error) => return (nothing, Err(DecodeError::Io(error))),
            },
        };
        let found = if wanted.is_empty() {
            nothing
        } else {
            beside(self.format, Source::Held(body), wanted)
        };
        (found, decode::sdmx::page(body, delimiter, &key, &mut each))
    }

    /// What is wanted of a page or file.
    fn plan<'p>(&'p self, scalars: &'p [ScalarPath]) -> Plan<'p> {
        Plan { records: Some(&self.feed.records), deletes: self.feed.deletes.as_ref(), scalars }
    }

    /// The columns, by what they may be called.
    fn key(&self) -> Key {
        let layout = &self.shaper.layout;
        let others = layout.fields.iter().enumerate().filter(|(at, _)| !layout.key.contains(at));
        Key {
            dimensions: layout.key_fields().map(|field| field.from.clone()).collect(),
            others: others.map(|(_, field)| field.from.clone()).collect(),
        }
    }

    fn piece(&self) -> Piece {
        let piece = Piece::new(&self.shaper.layout, self.seed);
        Piece { beside: self.shaper.beside(), ..piece }
    }

    /// Takes records into `rows`, each by `shape`.
    fn records<'r>(
        &'r self,
        shape: Shape,
        form: fn(Standing) -> Form,
        rows: &'r mut Rows<'_, impl FnMut(Piece) -> Flow>,
    ) -> impl FnMut(Text<'_>, Standing) -> Flow + 'r {
        let mut number = 0;
        let is_odata = self.feed.deleted == Some(Deleted::OData);
        move |record, standing| {
            number += 1;
            let Piece { batch, beside, apart, elsewhere, .. } = &mut rows.piece;
            if let (true, Ok(text)) = (is_odata, record)
                && odata::is_elsewhere(text, self.origins.set.as_deref())
            {
                *elsewhere += 1;
                return Flow::More;
            }
            *apart += u64::from(standing == Standing::Gone);
            let shaped = match record {
                Ok(record) => shape(self.shaper, record, standing, batch, beside),
                Err(_) => Err(self.no_text("record")),
            };
            rows.next(shaped, || Origin {
                original: original(record),
                form: record.is_ok().then(|| form(standing)),
                place: Place { row: Some(number), ..Place::default() },
            })
        }
    }

    /// Takes records of XML into `rows`.
    fn elements<'r>(
        &'r self,
        rows: &'r mut Rows<'_, impl FnMut(Piece) -> Flow>,
    ) -> impl FnMut(&str, Standing) -> Flow + 'r {
        let mut take = self.records(Shaper::xml, xml_form, rows);
        move |record, standing| take(Ok(record), standing)
    }

    /// Why bytes that are no text of their encoding are no row.
    fn no_text(&self, what: &str) -> Refused {
        Refused::stranger(format!("the {what} is not {}", self.origins.encoding()))
    }

    /// Takes observations into `rows`.
    fn observations<'r>(
        &'r self,
        rows: &'r mut Rows<'_, impl FnMut(Piece) -> Flow>,
    ) -> impl FnMut(Observed<'_>) -> Flow + 'r {
        let mut number = 0;
        move |observed| {
            let Piece { batch, beside, .. } = &mut rows.piece;
            number += u64::from(!matches!(observed, Observed::Structure(_)));
            let place = |line| Place { line, row: Some(number), ..Place::default() };
            match observed {
                Observed::Structure(name) => {
                    beside.note_structure(name);
                    Flow::More
                }
                Observed::Record { json, standing, line } => {
                    let shaped = self.shaper.json(json, standing, batch, beside);
                    rows.next(shaped, || Origin {
                        original: json.as_bytes().to_vec(),
                        form: Some(json_form(standing)),
                        place: place(line),
                    })
                }
                Observed::Bad { original, reason, line } => {
                    let origin = || Origin { original, form: None, place: place(line) };
                    rows.next(Err(Refused::whole(reason)), origin)
                }
            }
        }
    }

    fn lines(
        &self,
        bytes: impl BufRead,
        rows: &mut Rows<'_, impl FnMut(Piece) -> Flow>,
    ) -> Result<(), DecodeError> {
        let mut row = 0;
        decode::json::read_lines(bytes, |record, line| {
            row += 1;
            let Piece { batch, beside, .. } = &mut rows.piece;
            let shaped = match record {
                Ok(record) => self.shaper.json(record, Standing::Here, batch, beside),
                Err(_) => Err(self.no_text("line")),
            };
            rows.next(shaped, || {
                let place = Place { line: Some(line), row: Some(row), ..Place::default() };
                let form = record.is_ok().then(|| json_form(Standing::Here));
                Origin { original: original(record), form, place }
            })
        })
    }
}

const fn json_form(standing: Standing) -> Form {
    Form::Json { standing }
}

const fn xml_form(standing: Standing) -> Form {
    Form::Xml { standing }
}

/// The bytes of a record, as it came.
fn original(record: Text<'_>) -> Vec<u8> {
    record.map_or_else(<[u8]>::to_vec, |text| text.as_bytes().to_vec())
}

/// What stands at the `wanted` paths of a page, in their order, whatever its records are: of a page that has to be
/// judged before its feed has columns. All of it is absent if the page cannot be read, or has only records.
pub fn beside(format: Format, mut source: Source<'_>, wanted: &[ScalarPath]) -> Vec<Scalar> {
    let json = match format {
        Format::Json => true,
        Format::Xml => false,
        Format::Sdmx => source.fill_buf().is_ok_and(decode::sdmx::is_json),
        Format::Ndjson | Format::Csv | Format::Xlsx => return vec![Scalar::Absent; wanted.len()],
    };
    let plan = Plan { records: None, deletes: None, scalars: wanted };
    match source {
        source if !json => decode::xml::read(source, &plan, |_, _| Flow::More).0,
        Source::Held(body) => decode::json::page(body, &plan, |_, _| Flow::More).0,
        Source::Stream(bytes) => decode::json::read(bytes, &plan, |_, _| Flow::More).0,
    }
}

/// A workbook is a file; nothing that streams by is asked for one.
fn no_stream() -> DecodeError {
    DecodeError::Format("a workbook is read from an import folder alone; use `files`".to_owned())
}

//! Decode, shape and check in one pass: bytes in, accepted rows and refusals out. The same for a page and for a file.

use std::io::{BufRead, BufReader, Read};

use marsad_shared::{
    feed::{Feed, Format},
    quarantine::{Kind, ORIGINAL_MAX, Place, Refusal},
    record::{Batch, Layout},
};

use crate::{
    decode::{self, DecodeError, Flow, csv::Dialect},
    shape::{Headers, Refused, Shaper, infer},
};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// As many rows are handed on at once: large enough that a commit costs nothing, small enough to hold.
pub const BATCH_ROWS: usize = 10_000;
/// A batch is handed on at this size, in bytes, whatever its rows.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// The most values of one page: each costs 16 bytes beside its text.
const PAGE_CELLS: usize = 16_000_000;
/// More refusals than this in one run are no bad rows but a bad layout: the run is stopped and says so.
pub const REFUSED_MAX: u64 = 10_000;

/// Rows that were read together.
#[derive(Debug)]
pub struct Piece {
    pub batch: Batch,
    pub refused: Vec<Refusal>,
}

impl Piece {
    /// No rows yet.
    pub fn new(layout: &Layout, seed: u64) -> Self {
        Self { batch: Batch::new(layout, seed), refused: Vec::new() }
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

/// What rows come from, for the places of refusals.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    pub file: Option<String>,
    pub page: Option<u64>,
}

/// Reads all rows of one page or file.
pub struct Intake<'a> {
    pub feed: &'a Feed,
    pub shaper: &'a Shaper,
    pub format: Format,
    pub seed: u64,
    pub origins: Origins,
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
        let mut rows = Rows { intake: self, piece: self.piece(), take: Some(take) };
        let bytes = BufReader::with_capacity(CHUNK, bytes);
        match self.format {
            Format::Json => {
                decode::json::read(bytes, &self.feed.records, self.records(&mut rows))?;
            }
            Format::Ndjson => self.lines(bytes, &mut rows)?,
            Format::Csv => self.csv(bytes, &mut rows)?,
        }
        let Rows { piece, take, .. } = rows;
        let flow = take.map_or(Flow::More, |mut take| take(piece));
        if flow == Flow::Stop { Err(DecodeError::Stopped) } else { Ok(()) }
    }

    /// Reads a page that is held already: one piece, whatever its size.
    ///
    /// # Errors
    /// [`DecodeError`] if it cannot be read to its end; then nothing of it is kept.
    pub fn page(&self, body: &[u8]) -> Result<Piece, DecodeError> {
        let mut rows = Rows { intake: self, piece: self.piece(), take: None::<fn(Piece) -> Flow> };
        let read = match self.format {
            Format::Json => {
                decode::json::read_slice(body, &self.feed.records, self.records(&mut rows))
            }
            Format::Ndjson => self.lines(body, &mut rows),
            Format::Csv => self.csv(body, &mut rows),
        };
        Self::excess(&rows.piece).map_or(read, Err)?;
        Ok(rows.piece)
    }

    /// Why a page that was read so far is too much, if it is.
    fn excess(piece: &Piece) -> Option<DecodeError> {
        if piece.refused.len() as u64 > REFUSED_MAX {
            return Some(DecodeError::TooManyRefused(REFUSED_MAX));
        }
        (piece.batch.cells_len() > PAGE_CELLS).then(|| {
            DecodeError::TooLarge(
                "the page holds more than 16 million values; ask for smaller pages (`size`)"
                    .to_owned(),
            )
        })
    }

    fn piece(&self) -> Piece {
        Piece::new(&self.shaper.layout, self.seed)
    }

    /// Takes JSON records into `rows`.
    fn records<'r>(
        &'r self,
        rows: &'r mut Rows<'_, impl FnMut(Piece) -> Flow>,
    ) -> impl FnMut(&str) -> Flow + 'r {
        let mut number = 0;
        move |record| {
            number += 1;
            let shaped = self.shaper.json(record, &mut rows.piece.batch);
            rows.next(shaped, || {
                (record.as_bytes().to_vec(), Place { row: Some(number), ..Place::default() })
            })
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
            let shaped = match record {
                Ok(record) => self.shaper.json(record, &mut rows.piece.batch),
                Err(_) => Err(Refused { field: None, reason: "the line is not UTF-8".to_owned() }),
            };
            rows.next(shaped, || {
                let original = record.map_or_else(<[u8]>::to_vec, |text| text.as_bytes().to_vec());
                (original, Place { line: Some(line), row: Some(row), ..Place::default() })
            })
        })
    }

    fn csv(
        &self,
        bytes: impl Read,
        rows: &mut Rows<'_, impl FnMut(Piece) -> Flow>,
    ) -> Result<(), DecodeError> {
        let delimiter = self.feed.delimiter;
        let begin = |names: &[String]| self.shaper.headers(names);
        decode::csv::read(bytes, dialect_of(self.feed), begin, |headers: &mut Headers, row| {
            let shaped = match row.cells() {
                Ok(cells) => self.shaper.cells(headers, cells, &mut rows.piece.batch),
                Err(bad) => Err(Refused { field: None, reason: bad.0 }),
            };
            rows.next(shaped, || {
                let place =
                    Place { line: Some(row.line()), row: Some(row.number), ..Place::default() };
                (row.original(delimiter), place)
            })
        })
        .map(drop)
    }
}

/// The rows under way.
struct Rows<'a, F> {
    intake: &'a Intake<'a>,
    piece: Piece,
    /// Takes full pieces; without it all rows are one piece.
    take: Option<F>,
}

impl<F: FnMut(Piece) -> Flow> Rows<'_, F> {
    /// Counts a row in, or keeps why not, and hands the piece on when it is full.
    fn next(
        &mut self,
        shaped: Result<(), Refused>,
        origin: impl FnOnce() -> (Vec<u8>, Place),
    ) -> Flow {
        if let Err(Refused { field, reason }) = shaped {
            let (mut original, place) = origin();
            let bytes = original.len() as u64;
            original.truncate(ORIGINAL_MAX);
            let Origins { file, page } = self.intake.origins.clone();
            let place = Place { file, page, field, ..place };
            self.piece.refused.push(Refusal {
                kind: Kind::Row,
                reason,
                place,
                original,
                original_hash: None,
                bytes,
            });
        }
        let Some(take) = &mut self.take else {
            return if Intake::excess(&self.piece).is_some() { Flow::Stop } else { Flow::More };
        };
        if !self.piece.is_full() {
            return Flow::More;
        }
        take(std::mem::replace(&mut self.piece, self.intake.piece()))
    }
}

/// The columns of a feed that names none, taken from its first data.
///
/// # Errors
/// [`DecodeError`] if the data cannot be read, or has no columns that could be kept.
pub fn infer(feed: &Feed, format: Format, bytes: impl Read) -> Result<Layout, DecodeError> {
    let unfit = |error: infer::InferError| match error {
        infer::InferError::Nothing => DecodeError::Nothing,
        error => DecodeError::Layout(error.to_string()),
    };
    if format == Format::Csv {
        let mut layout = None;
        let begin = |names: &[String]| {
            layout = Some(infer::from_header(names, &feed.key).map_err(unfit)?);
            Ok(())
        };
        match decode::csv::read(bytes, dialect_of(feed), begin, |(), _| Flow::Stop) {
            Ok(()) | Err(DecodeError::Stopped) => {}
            Err(error) => return Err(error),
        }
        return layout.ok_or_else(|| unfit(infer::InferError::Nothing));
    }
    let mut sample: Vec<String> = Vec::new();
    let mut keep = |record: &str| {
        sample.push(record.to_owned());
        if sample.len() < infer::SAMPLE { Flow::More } else { Flow::Stop }
    };
    let read = if format == Format::Json {
        decode::json::read(BufReader::new(bytes), &feed.records, keep)
    } else {
        decode::json::read_lines(BufReader::new(bytes), |line, _| {
            line.map_or(Flow::More, &mut keep)
        })
    };
    match read {
        Ok(()) | Err(DecodeError::Stopped) => {}
        Err(error) => return Err(error),
    }
    infer::from_records(sample.iter().map(String::as_str), &feed.key).map_err(unfit)
}

fn dialect_of(feed: &Feed) -> Dialect {
    Dialect { delimiter: feed.delimiter, header_row: feed.header_row }
}

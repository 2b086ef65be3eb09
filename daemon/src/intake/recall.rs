//! What the rows of a feed's last table came to, so that one which stands in the next as it stood there need not be read
//! again: of a large table that is dropped every night, those are nearly all.
//!
//! Where a row's hashes follow from its cells alone ([`Shaper::is_plain`]), what is recalled is right whatever became of that
//! table since: the store compares the hashes with the bank, and asks for the rows to be read that it needs.
//!
//! It lies in a file without a name, in the order of the rows, and is read as the next table is: a row that is new, or gone, or
//! another now, costs a look at those that follow. A table in another order is read as if nothing were known of it.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _},
    path::Path,
    sync::Arc,
};

use marsad_shared::record::{Batch, RowHash};

use crate::{decode::csv::Cells, shape::Shaper};

/// So many rows of the last table are looked at for the one that comes: as many may be gone in one place.
const WINDOW: usize = 1024;
/// After so many new rows in one place the tables are taken for different ones.
const NEW_MAX: usize = 4096;
/// Of a table with more rows nothing is recalled: they would take more than 256 MiB of disk.
const ROWS_MAX: u64 = 8 << 20;

/// A table that was read.
#[derive(Debug)]
pub struct Memo {
    shaper: Arc<Shaper>,
    names: Vec<String>,
    rows: File,
}

/// A table on its way in, beside the last one.
#[derive(Debug)]
pub struct Recall {
    shaper: Arc<Shaper>,
    seed: u64,
    last: Option<Last>,
    names: Vec<String>,
    /// `None`: of this table nothing will be recalled, because it cannot be kept.
    rows: Option<BufWriter<File>>,
    noted: u64,
    /// Whether the rows under way are of the columns `names`.
    is_under_way: bool,
}

/// The last table, as far as it was compared.
#[derive(Debug)]
struct Last {
    names: Vec<String>,
    rows: BufReader<File>,
    /// Rows that were not met yet.
    window: VecDeque<Row>,
    /// How many rows came since the last one that it had.
    new: usize,
}

/// What a row came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// The hash of its cells as they were written.
    written: u64,
    hash: RowHash,
    /// In which columns it has values: a bit each, from the lowest.
    filled: u64,
}

impl Recall {
    /// Of a table that is read by `shaper`, beside the `last` one. What is recalled is put in `folder`; `seed` is the store's.
    ///
    /// # Errors
    /// If nothing can be put there.
    pub fn new(
        last: Option<Memo>,
        shaper: &Arc<Shaper>,
        folder: &Path,
        seed: u64,
    ) -> io::Result<Self> {
        let last = last.filter(|last| Arc::ptr_eq(&last.shaper, shaper)).map(|last| Last {
            names: last.names,
            rows: BufReader::new(last.rows),
            window: VecDeque::new(),
            new: 0,
        });
        Ok(Self {
            shaper: Arc::clone(shaper),
            seed,
            last,
            names: Vec::new(),
            rows: Some(BufWriter::new(tempfile::tempfile_in(folder)?)),
            noted: 0,
            is_under_way: false,
        })
    }

    /// Rows of the columns `names` follow. `is_plain`: their hashes follow from their cells alone.
    pub(super) fn begin(&mut self, names: &[String], is_plain: bool) {
        if self.names.is_empty() {
            self.names = names.to_vec();
        }
        self.is_under_way = is_plain && self.names == names;
        self.last = self.last.take().filter(|last| last.names == self.names);
    }

    /// Whether rows are recalled at all.
    pub(super) const fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// What a row is known by.
    pub(super) fn written(&self, cells: Cells<'_>) -> u64 {
        cells.hash(self.seed)
    }

    /// Puts a row into `batch` unread, if the last table had it; `columns` are read from those of its cells.
    pub(super) fn take(
        &mut self,
        written: u64,
        cells: Cells<'_>,
        columns: &[usize],
        batch: &mut Batch,
    ) -> bool {
        let known = self.last.as_mut().and_then(|last| last.find(written));
        let Some(known) = known else { return false };
        self.put(known);
        let mut row = batch.row();
        for at in columns {
            match cells.get(*at).filter(|cell| !cell.is_empty()) {
                Some(cell) => row.text(cell),
                None => row.null(),
            }
        }
        row.finish_unread(known.hash, known.filled);
        true
    }

    /// Notes what a row came to that the last table did not have: it was put into `batch` last.
    pub(super) fn note(&mut self, written: u64, batch: &Batch) {
        let Some(hash) = batch.hashes().last().copied() else { return };
        self.put(Row { written, hash, filled: batch.filled_last() });
        if let Some(last) = &mut self.last
            && last.passes(hash.key) > NEW_MAX
        {
            self.last = None;
        }
    }

    fn put(&mut self, row: Row) {
        self.noted += 1;
        if let Some(rows) = &mut self.rows
            && (self.noted > ROWS_MAX || rows.write_all(&row.bytes()).is_err())
        {
            self.rows = None;
        }
    }

    /// What is to be recalled of the table, which was read to its end; `None`: it could not be kept.
    pub fn finish(self) -> Option<Memo> {
        let mut rows = self.rows?.into_inner().ok()?;
        rows.rewind().ok()?;
        Some(Memo { shaper: self.shaper, names: self.names, rows })
    }
}

impl Last {
    /// The next row that was written so. Those before it are gone.
    fn find(&mut self, written: u64) -> Option<Row> {
        let is = |row: &Row| row.written == written;
        let mut at = self.window.iter().position(is);
        while at.is_none() && self.window.len() < WINDOW {
            let mut bytes = [0; Row::BYTES];
            // What cannot be read is not recalled.
            self.rows.read_exact(&mut bytes).ok()?;
            let row = Row::of(bytes);
            at = is(&row).then_some(self.window.len());
            self.window.push_back(row);
        }
        let row = self.window.drain(..=at?).next_back();
        self.new = 0;
        row
    }

    /// Passes a row of that key, which is written otherwise now. Gives how many came since the last one that it had.
    fn passes(&mut self, key: u64) -> usize {
        match self.window.iter().position(|row| row.hash.key == key) {
            Some(at) => {
                self.window.drain(..=at);
                self.new = 0;
            }
            None => self.new += 1,
        }
        self.new
    }
}

impl Row {
    const BYTES: usize = 32;

    fn bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let numbers = [self.written, self.hash.key, self.hash.content, self.filled];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn of(bytes: [u8; Self::BYTES]) -> Self {
        let (numbers, _) = bytes.as_chunks::<8>();
        let number = |at: usize| numbers.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let hash = RowHash { key: number(1), content: number(2) };
        Self { written: number(0), hash, filled: number(3) }
    }
}

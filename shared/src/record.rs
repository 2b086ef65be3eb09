//! Records on their way into the bank: typed rows, packed into a batch.
//!
//! A batch keeps the text of all its rows in one buffer and a small cell for each value, so that a row costs no
//! allocation of its own. It also carries two hashes of each row, because comparing hashes is how the store decides
//! what changed without touching the rows. A row may also say that the record of its key is deleted; and one whose hashes
//! are known, because it stood in an earlier file as it stands in this, may be left unread: the store asks for it to be
//! read if it needs its values.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::feed::FieldType;

mod layout;
mod spelling;

pub use layout::{Layout, NoSuchKey, NoSuchVersion};
pub use spelling::{OffsetForm, Spelling, Zone};

/// One value. Text is a range of its batch's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Null,
    Integer(i64),
    Text { start: u32, end: u32 },
}

/// One value, looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
}

/// The two hashes of a row: of its key, and of all its values. Seeded with a secret of the store, so that nobody
/// outside can prepare two rows that hash alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowHash {
    pub key: u64,
    pub content: u64,
}

/// The content hash of what is not there: of a row that says so, and of a record that was deleted. No row of values
/// has it.
pub const GONE: u64 = 0;

impl RowHash {
    /// Whether its row says that the record of its key is deleted.
    pub const fn is_gone(self) -> bool {
        self.content == GONE
    }
}

/// Typed rows of one layout.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    width: usize,
    key: Vec<usize>,
    seed: u64,
    text: String,
    cells: Vec<Cell>,
    hashes: Vec<RowHash>,
    /// Rows that are parts of their records, in order. Rare.
    parts: Vec<usize>,
    /// Rows that were not read, in order: their cells are text, as it was written.
    unread: Vec<usize>,
    /// In which columns those have values: a bit each, from the lowest.
    filled_unread: u64,
}

/// The most text of a batch: cells address it with 32 bits.
pub const BATCH_TEXT_MAX: usize = 1 << 30;

impl Batch {
    /// An empty batch of rows of `layout`; `seed` is the store's own ([`crate::store::Store::seed`]).
    pub fn new(layout: &Layout, seed: u64) -> Self {
        Self {
            width: layout.fields.len(),
            key: layout.key.clone(),
            seed,
            text: String::new(),
            cells: Vec::new(),
            hashes: Vec::new(),
            parts: Vec::new(),
            unread: Vec::new(),
            filled_unread: 0,
        }
    }

    /// One of the same layout without rows.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { width: self.width, key: self.key.clone(), seed: self.seed, ..Self::default() }
    }

    /// The same, with room for as many rows, and a little more text: what follows one that was full.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            text: String::with_capacity(self.text.len() + self.text.len() / 8),
            cells: Vec::with_capacity(self.cells.len()),
            hashes: Vec::with_capacity(self.hashes.len()),
            ..self.emptied()
        }
    }

    /// How many rows it holds.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// How many values it holds.
    pub fn cells_len(&self) -> usize {
        self.cells.len()
    }

    /// How many bytes of text it holds.
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Begins a row. Dropping the returned row before it is finished leaves the batch as it was.
    pub fn row(&mut self) -> RowBuilder<'_> {
        let (cells, text) = (self.cells.len(), self.text.len());
        RowBuilder { batch: self, cells, text, finished: false }
    }

    /// Takes the last row out again. Its text stays until the batch goes.
    pub fn pop(&mut self) {
        if self.hashes.pop().is_some() {
            self.cells.truncate(self.hashes.len() * self.width);
            self.parts.retain(|row| *row < self.hashes.len());
            self.unread.pop_if(|row| *row == self.hashes.len());
        }
    }

    /// Keeps only the rows that `keep` wants. The text of the others stays until the batch goes.
    pub fn retain(&mut self, keep: impl Fn(&Self, usize) -> bool) {
        let wanted: Vec<bool> = (0..self.len()).map(|row| keep(self, row)).collect();
        let width = self.width.max(1);
        let mut cell = 0;
        self.cells.retain(|_| {
            cell += 1;
            wanted.get((cell - 1) / width).copied().unwrap_or(true)
        });
        let kept = |row: usize| wanted.iter().take(row).filter(|keep| **keep).count();
        for rows in [&mut self.parts, &mut self.unread] {
            rows.retain(|row| wanted.get(*row).copied().unwrap_or(true));
            for row in rows {
                *row = kept(*row);
            }
        }
        let mut row = 0;
        self.hashes.retain(|_| {
            row += 1;
            wanted.get(row - 1).copied().unwrap_or(true)
        });
    }

    /// The hashes of each row, in order.
    pub fn hashes(&self) -> &[RowHash] {
        &self.hashes
    }

    /// Whether the row at `index` says that the record of its key is deleted; false past the end.
    pub fn is_gone(&self, index: usize) -> bool {
        self.hashes.get(index).is_some_and(|hash| hash.is_gone())
    }

    /// Whether the row at `index` is a part of its record: what it leaves empty stays as it is in the bank.
    pub fn is_part(&self, index: usize) -> bool {
        self.parts.binary_search(&index).is_ok()
    }

    pub fn has_parts(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Whether the row at `index` was not read: its hashes are right, and its values are text as it was written.
    pub fn is_unread(&self, index: usize) -> bool {
        self.unread.binary_search(&index).is_ok()
    }

    pub fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// In which columns one of the rows that were not read has a value: a bit each, from the lowest.
    pub const fn filled_unread(&self) -> u64 {
        self.filled_unread
    }

    /// In which columns the last row has values, as a bit each from the lowest; of the first 64.
    pub fn filled_last(&self) -> u64 {
        let values = self.values(self.len().saturating_sub(1)).zip(0_u32..64);
        values.fold(0, |filled, (value, at)| filled | u64::from(value != Value::Null) << at)
    }

    /// The values of the row at `index`, one a column; empty past the end.
    pub fn values(&self, index: usize) -> impl Iterator<Item = Value<'_>> {
        let from = index * self.width;
        self.cells
            .get(from..from + self.width)
            .unwrap_or_default()
            .iter()
            .map(|cell| self.value(*cell))
    }

    /// The value of one column of a row.
    pub fn at(&self, row: usize, column: usize) -> Value<'_> {
        self.cells.get(row * self.width + column).map_or(Value::Null, |cell| self.value(*cell))
    }

    /// The positions of the key's columns.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    fn value(&self, cell: Cell) -> Value<'_> {
        match cell {
            Cell::Null => Value::Null,
            Cell::Integer(number) => Value::Integer(number),
            Cell::Text { start, end } => {
                Value::Text(self.text.get(start as usize..end as usize).unwrap_or_default())
            }
        }
    }

    fn hash(&self, cells: impl Iterator<Item = Cell>) -> u64 {
        // The shape of the row (kinds, lengths, numbers) goes into the seed, so that `ab|c` and `a|bc` differ.
        let mut hash = self.seed;
        for cell in cells {
            hash = match cell {
                Cell::Null => mix(hash, 0x6e75_6c6c),
                Cell::Integer(number) => mix(hash ^ 0x696e_7400, number.cast_unsigned()),
                Cell::Text { start, end } => {
                    let text =
                        self.text.as_bytes().get(start as usize..end as usize).unwrap_or_default();
                    xxh3_64_with_seed(text, hash)
                }
            };
        }
        hash
    }
}

fn mix(hash: u64, value: u64) -> u64 {
    (hash.rotate_left(29) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (hash >> 7)
}

/// A row under construction, column by column in the layout's order.
#[derive(Debug)]
pub struct RowBuilder<'a> {
    batch: &'a mut Batch,
    cells: usize,
    text: usize,
    finished: bool,
}

impl RowBuilder<'_> {
    /// The next column is empty.
    pub fn null(&mut self) {
        self.batch.cells.push(Cell::Null);
    }

    /// Forgets the columns from `index` on, which are put anew.
    pub fn back_to(&mut self, index: usize) {
        self.batch.cells.truncate(self.cells + index);
    }

    /// The next column is a number.
    pub fn integer(&mut self, number: i64) {
        self.batch.cells.push(Cell::Integer(number));
    }

    /// The next column is text.
    pub fn text(&mut self, text: &str) {
        let start = position(self.batch.text.len());
        self.batch.text.push_str(text);
        self.batch.cells.push(Cell::Text { start, end: position(self.batch.text.len()) });
    }

    /// What was pushed as the column at `index` of the layout; null where nothing was yet.
    pub fn at(&self, index: usize) -> Value<'_> {
        self.cells().get(index).map_or(Value::Null, |cell| self.batch.value(*cell))
    }

    /// What was pushed last; null where nothing was yet.
    pub fn last(&self) -> Value<'_> {
        self.cells().last().map_or(Value::Null, |cell| self.batch.value(*cell))
    }

    /// The first column pushed whose text holds a NUL character. Rows have none, and to see that costs one look at all of a
    /// row's text.
    pub fn first_nul(&self) -> Option<usize> {
        let text = self.batch.text.as_bytes().get(self.text..).unwrap_or_default();
        if !text.contains(&0) {
            return None;
        }
        let holds = |cell: &Cell| match self.batch.value(*cell) {
            Value::Text(text) => text.contains('\0'),
            Value::Null | Value::Integer(_) => false,
        };
        self.cells().iter().position(holds)
    }

    /// Keeps the row, with its hashes.
    ///
    /// # Panics
    /// If it has more or fewer columns than the layout: our bug, never the data's.
    pub fn finish(mut self) {
        let row = self.cells();
        let content = self.batch.hash(row.iter().copied()).max(GONE + 1);
        let key = self.key_hash();
        self.keep(RowHash { key, content });
    }

    /// Keeps the row as the word that the record of its key is deleted. It has a cell for every column, as any row;
    /// the bank looks at the key's and the version's alone. Without a version it deletes whatever came before it.
    ///
    /// # Panics
    /// As [`Self::finish`].
    pub fn finish_gone(mut self) {
        let key = self.key_hash();
        self.keep(RowHash { key, content: GONE });
    }

    /// Keeps the row as a part of its record: the bank puts it together with what is there before it is compared.
    ///
    /// # Panics
    /// As [`Self::finish`].
    pub fn finish_part(self) {
        self.batch.parts.push(self.batch.hashes.len());
        self.finish();
    }

    /// Keeps the row as one that was not read: its columns are text, as it was written, its hashes are known, and in which
    /// columns it has values (`filled`, a bit each from the lowest).
    ///
    /// # Panics
    /// As [`Self::finish`].
    pub fn finish_unread(mut self, hash: RowHash, filled: u64) {
        self.batch.unread.push(self.batch.hashes.len());
        self.batch.filled_unread |= filled;
        self.keep(hash);
    }

    /// The next column is as that value.
    pub fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Null => self.null(),
            Value::Integer(number) => self.integer(number),
            Value::Text(text) => self.text(text),
        }
    }

    fn cells(&self) -> &[Cell] {
        self.batch.cells.get(self.cells..).unwrap_or_default()
    }

    fn key_hash(&self) -> u64 {
        let row = self.cells();
        self.batch.hash(self.batch.key.iter().filter_map(|&at| row.get(at).copied()))
    }

    fn keep(&mut self, hash: RowHash) {
        let (has, columns) = (self.cells().len(), self.batch.width);
        assert_eq!(has, columns, "a row has as many cells as its layout has columns");
        self.batch.hashes.push(hash);
        self.finished = true;
    }
}

impl Drop for RowBuilder<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.batch.cells.truncate(self.cells);
            self.batch.text.truncate(self.text);
        }
    }
}

fn position(len: usize) -> u32 {
    u32::try_from(len).expect("a batch is sent on long before its text passes BATCH_TEXT_MAX")
}

/// The word that SQLite uses for a column of this type.
pub const fn storage(kind: FieldType) -> &'static str {
    match kind {
        // Not `INTEGER`: a lone `INTEGER PRIMARY KEY` would become the rowid itself.
        FieldType::Integer | FieldType::Boolean => "INT",
        FieldType::Text
        | FieldType::Decimal
        | FieldType::Date
        | FieldType::HijriDate
        | FieldType::Timestamp
        | FieldType::Period
        | FieldType::EmiratesId
        | FieldType::Phone
        | FieldType::Enum
        | FieldType::Json => "TEXT",
    }
}

#[cfg(test)]
mod tests;

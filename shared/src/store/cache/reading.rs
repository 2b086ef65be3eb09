//! One run's writing: decides for each row whether it is new, changed, unchanged, repeated or a deletion, and puts it in
//! its place.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params_from_iter, types};

use super::{
    known::{Entry, Known, Mark},
    table::Table,
};
use crate::{
    id::{FeedId, RunId},
    record::{Batch, RowHash, Value},
    run::Counts,
    store::StoreError,
};

/// A run under way.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) run: RunId,
    pub(super) counts: Counts,
    /// By how many the live records have grown; what is deleted counts against it.
    pub(super) growth: i64,
    live: Table,
    target: Target,
    memory: Memory,
}

/// Where rows are written.
#[derive(Debug)]
enum Target {
    Live,
    /// Beside the live table; the tables are made with the first row.
    Load {
        table: Table,
        made: bool,
        /// Whether it holds deletions.
        gone: bool,
    },
}

/// How a row that is there already is recognised.
#[derive(Debug)]
enum Memory {
    /// The target was empty when the run began: whatever is there came with this run, and the table's own key finds
    /// it. Costs no memory, but for the keys (their hashes) that came as deleted and have no row.
    Own(HashSet<u64>),
    /// Hashes of what was there, and of what this run has met.
    Hashes(Known),
}

impl Reading {
    pub(super) fn of_pages(db: &Connection, feed: &FeedId, run: RunId) -> Result<Self, StoreError> {
        let live = Table::of(db, feed)?;
        let memory = live.memory(db)?;
        Ok(Self::new(run, live, Target::Live, memory))
    }

    pub(super) fn of_file(db: &Connection, feed: &FeedId, run: RunId) -> Result<Self, StoreError> {
        let live = Table::of(db, feed)?;
        let memory = live.memory(db)?;
        let target = Target::Load { table: live.load(), made: false, gone: false };
        Ok(Self::new(run, live, target, memory))
    }

    fn new(run: RunId, live: Table, target: Target, memory: Memory) -> Self {
        Self { run, counts: Counts::default(), growth: 0, live, target, memory }
    }

    /// Whether it loads beside the live table.
    pub(super) const fn is_load(&self) -> bool {
        matches!(self.target, Target::Load { .. })
    }

    /// Puts the rows of `batch` in their place and counts them.
    pub(super) fn apply(
        &mut self,
        db: &Connection,
        batch: &Batch,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let in_live = matches!(self.target, Target::Live);
        let table = match &mut self.target {
            Target::Live => &self.live,
            Target::Load { table, made, gone } => {
                *gone |= batch.hashes().iter().any(|hash| hash.is_gone());
                if !*made {
                    // Left there by a run that could not clear up, on a full disk or by a kill.
                    table.drop(db)?;
                    table.create(db)?;
                    *made = true;
                }
                table
            }
        };
        let mut rows = Rows {
            db,
            live: &self.live,
            insert: db.prepare_cached(&table.insert())?,
            upsert: db.prepare_cached(&table.upsert())?,
            note: db.prepare_cached(&table.note_seen())?,
            delete: db.prepare_cached(&table.delete())?,
            table,
            in_live,
            run: self.run,
            at: at.as_microsecond(),
            counts: &mut self.counts,
            growth: &mut self.growth,
        };
        match &mut self.memory {
            Memory::Own(missed) => rows.put_all_by_key(batch, missed),
            Memory::Hashes(known) => rows.put_all_by_hash(batch, known),
        }
    }

    /// Joins what was loaded to the live table: swapped in whole where that was empty, merged by key else.
    pub(super) fn join(&self, db: &Connection) -> Result<(), StoreError> {
        match &self.target {
            Target::Live | Target::Load { made: false, .. } => Ok(()),
            Target::Load { table, gone, .. } => match self.memory {
                Memory::Own(_) => table.replace(db, &self.live),
                Memory::Hashes(_) => table.merge_into(db, &self.live, *gone),
            },
        }
    }
}

impl Table {
    fn memory(&self, db: &Connection) -> Result<Memory, StoreError> {
        let rows = self.count(db)?;
        Ok(if rows == 0 { Memory::Own(HashSet::new()) } else { Memory::Hashes(Known::of(rows)) })
    }
}

/// The statements of one batch, at work.
struct Rows<'a> {
    db: &'a Connection,
    live: &'a Table,
    table: &'a Table,
    in_live: bool,
    insert: CachedStatement<'a>,
    upsert: CachedStatement<'a>,
    note: CachedStatement<'a>,
    delete: CachedStatement<'a>,
    run: RunId,
    at: i64,
    counts: &'a mut Counts,
    growth: &'a mut i64,
}

impl Rows<'_> {
    fn put_all_by_key(
        &mut self,
        batch: &Batch,
        missed: &mut HashSet<u64>,
    ) -> Result<(), StoreError> {
        for (index, hash) in batch.hashes().iter().enumerate() {
            self.counts.received += 1;
            // Most rows are new, and those cost no look-up.
            if !hash.is_gone()
                && let Some(rid) = self.insert(batch, index)?
            {
                self.note(rid, *hash)?;
                let was =
                    if missed.remove(&hash.key) { Entry::ABSENT.met() } else { Entry::ABSENT };
                self.count(was, Entry::brought(hash.content, rid));
                continue;
            }
            let there = self.find(self.table, batch, index, *hash)?;
            let was = match there {
                Some((rid, content)) => Entry::brought(content, rid),
                None if missed.contains(&hash.key) => Entry::ABSENT.met(),
                None => Entry::ABSENT,
            };
            if self.put(batch, index, *hash, was)?.rid() == 0 {
                missed.insert(hash.key);
            }
        }
        Ok(())
    }

    fn put_all_by_hash(&mut self, batch: &Batch, known: &mut Known) -> Result<(), StoreError> {
        for (index, hash) in batch.hashes().iter().enumerate() {
            self.counts.received += 1;
            let mut entry = known.find(hash.key);
            if entry.is_none() && known.must_look_up() {
                let there = self.find(self.live, batch, index, *hash)?;
                entry = there.map(|(rid, content)| Entry::of_bank(content, rid));
                known.looked_up(self.db, self.live)?;
            }
            let entry = self.put(batch, index, *hash, entry.unwrap_or(Entry::ABSENT))?;
            known.put(hash.key, entry);
        }
        Ok(())
    }

    /// Puts one row where it belongs, counts it, and gives what is now known of its key.
    fn put(
        &mut self,
        batch: &Batch,
        index: usize,
        hash: RowHash,
        was: Entry,
    ) -> Result<Entry, StoreError> {
        let is = if was.content == hash.content {
            was.met()
        } else {
            let there = (self.in_live || was.mark() == Mark::Written).then(|| was.rid());
            let rid = self.write(batch, index, there.filter(|rid| *rid != 0))?;
            self.note(rid, hash)?;
            was.written(hash.content, rid)
        };
        self.count(was, is);
        Ok(is)
    }

    /// Counts a key that was met: a key that comes again is counted as what became of it in the end, and the rows
    /// before its last one as duplicates.
    fn count(&mut self, was: Entry, is: Entry) {
        if was.mark() != Mark::Unseen {
            self.counts.duplicate += 1;
            *was.count_in(self.counts) -= 1;
        }
        *is.count_in(self.counts) += 1;
        *self.growth += i64::from(is.is_live()) - i64::from(was.is_live());
    }

    /// Inserts a row; `None` if its key is there already.
    fn insert(&mut self, batch: &Batch, index: usize) -> Result<Option<i64>, StoreError> {
        bind(&mut self.insert, batch, index, self.at, self.run)?;
        match self.insert.raw_execute() {
            Ok(_) => Ok(Some(self.db.last_insert_rowid())),
            Err(error) if is_repeated_key(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a row, or the deletion that it says, over the one that is `there`; gives its place.
    fn write(
        &mut self,
        batch: &Batch,
        index: usize,
        there: Option<i64>,
    ) -> Result<i64, StoreError> {
        let gone = batch.is_gone(index);
        // What a deleted record held is kept: only a deletion without one brings a row, of its key alone.
        if !gone || there.is_none() {
            bind(&mut self.upsert, batch, index, self.at, self.run)?;
            self.upsert.raw_execute()?;
        }
        let rid = there.unwrap_or_else(|| self.db.last_insert_rowid());
        if gone {
            self.delete.raw_bind_parameter(1, rid)?;
            self.delete.raw_bind_parameter(2, self.at)?;
            self.delete.raw_bind_parameter(3, self.run.0)?;
            self.delete.raw_execute()?;
        }
        Ok(rid)
    }

    fn note(&mut self, rid: i64, hash: RowHash) -> Result<(), StoreError> {
        self.note.raw_bind_parameter(1, rid)?;
        self.note.raw_bind_parameter(2, hash.key.cast_signed())?;
        self.note.raw_bind_parameter(3, hash.content.cast_signed())?;
        self.note.raw_execute()?;
        Ok(())
    }

    /// The rowid and content hash of the row with the same key. One that has none in the side index is taken for
    /// another than `hash`.
    fn find(
        &self,
        table: &Table,
        batch: &Batch,
        index: usize,
        hash: RowHash,
    ) -> Result<Option<(i64, u64)>, StoreError> {
        let key = batch.key().iter().map(|&column| match batch.at(index, column) {
            Value::Null => types::Value::Null,
            Value::Integer(number) => types::Value::Integer(number),
            Value::Text(text) => types::Value::Text(text.to_owned()),
        });
        let mut find = self.db.prepare_cached(&table.find())?;
        let found = find.query_row(params_from_iter(key), |row| {
            let content = row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned);
            Ok((row.get(0)?, content.unwrap_or(!hash.content | 1)))
        });
        Ok(found.optional()?)
    }
}

fn bind(
    statement: &mut CachedStatement<'_>,
    batch: &Batch,
    index: usize,
    at: i64,
    run: RunId,
) -> Result<(), StoreError> {
    let mut column = 0;
    for value in batch.values(index) {
        column += 1;
        match value {
            Value::Null => statement.raw_bind_parameter(column, types::Null)?,
            Value::Integer(number) => statement.raw_bind_parameter(column, number)?,
            Value::Text(text) => statement.raw_bind_parameter(column, text)?,
        }
    }
    statement.raw_bind_parameter(column + 1, at)?;
    Ok(statement.raw_bind_parameter(column + 2, run.0)?)
}

fn is_repeated_key(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
}

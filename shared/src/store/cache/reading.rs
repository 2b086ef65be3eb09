//! One run's writing: decides for each row whether it is new, changed, unchanged or repeated, and puts it in its place.

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
    },
}

/// How a row that is there already is recognised.
#[derive(Debug)]
enum Memory {
    /// The target was empty when the run began: whatever is there came with this run, and the table's own key finds
    /// it. Costs no memory.
    Own,
    /// Hashes of what was there, and of what this run has met.
    Hashes(Known),
}

impl Reading {
    pub(super) fn of_pages(db: &Connection, feed: &FeedId, run: RunId) -> Result<Self, StoreError> {
        let live = Table::of(db, feed)?;
        let memory = live.memory(db)?;
        Ok(Self { run, counts: Counts::default(), live, target: Target::Live, memory })
    }

    pub(super) fn of_file(db: &Connection, feed: &FeedId, run: RunId) -> Result<Self, StoreError> {
        let live = Table::of(db, feed)?;
        let memory = live.memory(db)?;
        let target = Target::Load { table: live.load(), made: false };
        Ok(Self { run, counts: Counts::default(), live, target, memory })
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
            Target::Load { table, made } => {
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
            table,
            in_live,
            run: self.run,
            at: at.as_microsecond(),
            counts: &mut self.counts,
        };
        match &mut self.memory {
            Memory::Own => rows.put_all_by_key(batch),
            Memory::Hashes(known) => rows.put_all_by_hash(batch, known),
        }
    }

    /// Joins what was loaded to the live table: swapped in whole where that was empty, merged by key else.
    pub(super) fn join(&self, db: &Connection) -> Result<(), StoreError> {
        match &self.target {
            Target::Live | Target::Load { made: false, .. } => Ok(()),
            Target::Load { table, .. } => match self.memory {
                Memory::Own => table.replace(db, &self.live),
                Memory::Hashes(_) => table.merge_into(db, &self.live),
            },
        }
    }
}

impl Table {
    fn memory(&self, db: &Connection) -> Result<Memory, StoreError> {
        let rows = self.count(db)?;
        Ok(if rows == 0 { Memory::Own } else { Memory::Hashes(Known::of(rows)) })
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
    run: RunId,
    at: i64,
    counts: &'a mut Counts,
}

impl Rows<'_> {
    fn put_all_by_key(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for (index, hash) in batch.hashes().iter().enumerate() {
            self.counts.received += 1;
            bind(&mut self.insert, batch, index, self.at, self.run)?;
            let rid = match self.insert.raw_execute() {
                Ok(_) => {
                    self.counts.inserted += 1;
                    self.db.last_insert_rowid()
                }
                // The key came before in this run: the later row wins.
                Err(error) if is_repeated_key(&error) => {
                    self.counts.duplicate += 1;
                    self.write(batch, index)?;
                    let there = self.find(self.table, batch, index)?;
                    there.map(|(rid, _)| rid).ok_or(rusqlite::Error::QueryReturnedNoRows)?
                }
                Err(error) => return Err(error.into()),
            };
            self.note(rid, *hash)?;
        }
        Ok(())
    }

    fn put_all_by_hash(&mut self, batch: &Batch, known: &mut Known) -> Result<(), StoreError> {
        for (index, hash) in batch.hashes().iter().enumerate() {
            self.counts.received += 1;
            let mut entry = known.find(hash.key);
            if entry.is_none() && known.must_look_up() {
                entry = self.find(self.live, batch, index)?.map(|(rid, content)| {
                    Entry::new(content.unwrap_or(!hash.content), rid, Mark::Unseen)
                });
                known.looked_up(self.db, self.live)?;
            }
            let entry = self.put_by_hash(batch, index, *hash, entry)?;
            known.put(hash.key, entry);
        }
        Ok(())
    }

    /// Puts one row where it belongs and gives what is now known of its key.
    fn put_by_hash(
        &mut self,
        batch: &Batch,
        index: usize,
        hash: RowHash,
        entry: Option<Entry>,
    ) -> Result<Entry, StoreError> {
        let Some(entry) = entry else {
            self.counts.inserted += 1;
            return self.write_and_note(batch, index, hash, None);
        };
        let same = entry.content == hash.content;
        match entry.mark() {
            Mark::Unseen if same => {
                self.counts.unchanged += 1;
                return Ok(Entry::new(entry.content, entry.rid(), Mark::Unchanged));
            }
            Mark::Unseen => self.counts.updated += 1,
            Mark::Unchanged | Mark::Written => {
                self.counts.duplicate += 1;
                if same {
                    return Ok(entry);
                }
                if entry.mark() == Mark::Unchanged {
                    // The row that was met first is the repeated one; what stands in the bank is this one.
                    self.counts.unchanged -= 1;
                    self.counts.updated += 1;
                }
            }
        }
        let there = (self.in_live || entry.mark() == Mark::Written).then(|| entry.rid());
        self.write_and_note(batch, index, hash, there)
    }

    fn write_and_note(
        &mut self,
        batch: &Batch,
        index: usize,
        hash: RowHash,
        there: Option<i64>,
    ) -> Result<Entry, StoreError> {
        self.write(batch, index)?;
        let rid = there.unwrap_or_else(|| self.db.last_insert_rowid());
        self.note(rid, hash)?;
        Ok(Entry::new(hash.content, rid, Mark::Written))
    }

    fn write(&mut self, batch: &Batch, index: usize) -> Result<(), StoreError> {
        bind(&mut self.upsert, batch, index, self.at, self.run)?;
        self.upsert.raw_execute()?;
        Ok(())
    }

    fn note(&mut self, rid: i64, hash: RowHash) -> Result<(), StoreError> {
        self.note.raw_bind_parameter(1, rid)?;
        self.note.raw_bind_parameter(2, hash.key.cast_signed())?;
        self.note.raw_bind_parameter(3, hash.content.cast_signed())?;
        self.note.raw_execute()?;
        Ok(())
    }

    /// The rowid and content hash of the row with the same key.
    fn find(
        &self,
        table: &Table,
        batch: &Batch,
        index: usize,
    ) -> Result<Option<(i64, Option<u64>)>, StoreError> {
        let key = batch.key().iter().map(|&column| match batch.at(index, column) {
            Value::Null => types::Value::Null,
            Value::Integer(number) => types::Value::Integer(number),
            Value::Text(text) => types::Value::Text(text.to_owned()),
        });
        let mut find = self.db.prepare_cached(&table.find())?;
        let found = find.query_row(params_from_iter(key), |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned)))
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

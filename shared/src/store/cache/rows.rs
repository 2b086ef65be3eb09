//! The rows of one batch on their way into a table: decides for each whether it is new, changed, unchanged, repeated or a
//! deletion, and puts it in its place.

use std::{cmp::Ordering, collections::HashSet};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params_from_iter, types};

use super::{
    Manner,
    known::{Entry, Known, Mark},
    table::Table,
};
use crate::{
    feed::FieldType,
    id::RunId,
    order,
    record::{Batch, RowHash, Value},
    run::Counts,
    store::StoreError,
};

/// Where rows go.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) live: &'a Table,
    /// The live one, or the one that is loaded beside it.
    pub(super) table: &'a Table,
    pub(super) in_live: bool,
}

/// What every row that is written bears.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    pub(super) run: RunId,
    /// In microseconds since 1970.
    pub(super) at: i64,
}

/// The statements of one batch, at work. Each is prepared when it is first needed: many batches are a few rows, and change
/// less.
pub(super) struct Rows<'a> {
    db: &'a Connection,
    place: Place<'a>,
    insert: Option<CachedStatement<'a>>,
    update: Option<CachedStatement<'a>>,
    upsert: Option<CachedStatement<'a>>,
    note_again: Option<CachedStatement<'a>>,
    note: Option<CachedStatement<'a>>,
    delete: Option<CachedStatement<'a>>,
    find: Option<CachedStatement<'a>>,
    keep: Option<CachedStatement<'a>>,
    stamp: Stamp,
    manner: Manner,
    counts: &'a mut Counts,
    growth: &'a mut i64,
}

impl<'a> Rows<'a> {
    /// Rows on their way to `place`; they are counted in `counts` and `growth`.
    pub(super) fn new(
        db: &'a Connection,
        place: Place<'a>,
        stamp: Stamp,
        manner: Manner,
        counts: &'a mut Counts,
        growth: &'a mut i64,
    ) -> Self {
        Self {
            db,
            place,
            insert: None,
            update: None,
            upsert: None,
            note_again: None,
            note: None,
            delete: None,
            find: None,
            keep: None,
            stamp,
            manner,
            counts,
            growth,
        }
    }

    /// Puts rows where nothing stood when the run began; `missed` are the keys that came as deleted and have no row. Gives
    /// the first row that has to be read: with it, this stops.
    pub(super) fn put_all_by_key(
        mut self,
        batch: &Batch,
        missed: &mut HashSet<u64>,
    ) -> Result<Option<usize>, StoreError> {
        for (index, hash) in batch.hashes().iter().enumerate() {
            if batch.is_unread(index) {
                return Ok(Some(index));
            }
            self.counts.received += 1;
            // Most rows are new, and those cost no look-up.
            if !hash.is_gone()
                && let Some(rid) = self.insert(batch, index)?
            {
                self.note(rid, *hash, None)?;
                let was =
                    if missed.remove(&hash.key) { Entry::ABSENT.met() } else { Entry::ABSENT };
                self.count(was, Entry::brought(hash.content, rid));
                continue;
            }
            let there = self.find(self.place.table, batch, index, *hash)?;
            let was = match there {
                Some((rid, content)) => Entry::brought(content, rid),
                None if missed.contains(&hash.key) => Entry::ABSENT.met(),
                None => Entry::ABSENT,
            };
            if self.put(batch, index, *hash, was)?.rid() == 0 {
                missed.insert(hash.key);
            }
        }
        Ok(None)
    }

    /// Puts rows beside others, by what is `known` of those. Gives the first row that has to be read: with it, this stops.
    pub(super) fn put_all_by_hash(
        mut self,
        batch: &Batch,
        known: &mut Known,
    ) -> Result<Option<usize>, StoreError> {
        // Where rows were not read, their keys cannot be looked up.
        if batch.has_unread() || known.is_small_beside(batch.len()) {
            known.read_all(self.db, self.place.live)?;
        }
        for (index, hash) in batch.hashes().iter().enumerate() {
            let mut entry = known.find(hash.key);
            if entry.is_none_or(|entry| entry.content != hash.content) && batch.is_unread(index) {
                return Ok(Some(index));
            }
            self.counts.received += 1;
            if entry.is_none() && known.must_look_up() {
                let there = self.find(self.place.live, batch, index, *hash)?;
                entry = there.map(|(rid, content)| Entry::of_bank(content, rid));
                known.looked_up(self.db, self.place.live)?;
            }
            let entry = self.put(batch, index, *hash, entry.unwrap_or(Entry::ABSENT))?;
            known.put(hash.key, entry);
        }
        Ok(None)
    }

    /// Puts one row where it belongs, counts it, and gives what is now known of its key.
    fn put(
        &mut self,
        batch: &Batch,
        index: usize,
        hash: RowHash,
        was: Entry,
    ) -> Result<Entry, StoreError> {
        let is = if self.is_old(batch, index, hash, was)? {
            was.met()
        } else if self.manner.append && was.is_live() {
            // It would change a record, and none of this feed ever changes.
            self.counts.filtered += 1;
            return Ok(was);
        } else {
            let there = (self.place.in_live || was.mark() == Mark::Written).then(|| was.rid());
            let there = there.filter(|rid| *rid != 0);
            if let Some(rid) = there.filter(|_| self.place.in_live && self.manner.keeps_past) {
                self.keep_version(rid)?;
            }
            let rid = if hash.is_gone() {
                self.delete(batch, index, was, there)?
            } else {
                self.write(batch, index, there)?
            };
            self.note(rid, hash, there)?;
            was.written(hash.content, rid)
        };
        self.count(was, is);
        Ok(is)
    }

    /// Whether a row says nothing that would change what stands there: it says the same, or something older.
    ///
    /// Of two rows of one key the newer one wins, in one run and against the bank: the one of the greater version where
    /// the feed has one, else the one that came later. A row without a version, which only a deletion can be, is newer
    /// than what came before it.
    fn is_old(
        &mut self,
        batch: &Batch,
        index: usize,
        hash: RowHash,
        was: Entry,
    ) -> Result<bool, StoreError> {
        let same = was.content == hash.content;
        let Some(column) = self.place.live.layout().version else { return Ok(same) };
        let version = batch.at(index, column);
        if same && (!hash.is_gone() || version == Value::Null) {
            return Ok(true);
        }
        if was.rid() == 0 {
            // A deletion of what is not there is kept for its version: what is older does not come to life behind it.
            return Ok(false);
        }
        let order = match (version, self.version_of(was, column)?) {
            (Value::Integer(new), types::Value::Integer(there)) => new.cmp(&there),
            (Value::Text(new), types::Value::Text(there)) => {
                let kind = self.place.live.layout().fields.get(column).map(|field| field.kind);
                order::of_versions(kind.unwrap_or(FieldType::Text), new, &there)
            }
            _ => Ordering::Greater,
        };
        Ok(order == Ordering::Less || same && order == Ordering::Equal)
    }

    /// The version of the row that is there.
    fn version_of(&self, was: Entry, column: usize) -> Result<types::Value, StoreError> {
        let Place { live, table, .. } = self.place;
        let holder = if was.mark() == Mark::Written { table } else { live };
        let mut statement = self.db.prepare_cached(&holder.value_of(column))?;
        let version = statement.query_row([was.rid()], |row| row.get(0)).optional()?;
        Ok(version.unwrap_or(types::Value::Null))
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
        let insert =
            stamped(&mut self.insert, self.db, self.stamp, self.place.table, Table::insert)?;
        bind(insert, batch, index)?;
        match insert.raw_execute() {
            Ok(_) => Ok(Some(self.db.last_insert_rowid())),
            Err(error) if is_repeated_key(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a row over the one that is `there`; gives its place.
    fn write(
        &mut self,
        batch: &Batch,
        index: usize,
        there: Option<i64>,
    ) -> Result<i64, StoreError> {
        if let Some(rid) = there {
            let update =
                stamped(&mut self.update, self.db, self.stamp, self.place.table, Table::update)?;
            bind(update, batch, index)?;
            update.raw_bind_parameter(self.place.table.layout().fields.len() + 3, rid)?;
            // None, where another key of the same hash stands there.
            if update.raw_execute()? > 0 {
                return Ok(rid);
            }
        }
        let upsert =
            stamped(&mut self.upsert, self.db, self.stamp, self.place.table, Table::upsert)?;
        bind(upsert, batch, index)?;
        upsert.raw_execute()?;
        Ok(there.unwrap_or_else(|| self.db.last_insert_rowid()))
    }

    /// Keeps the version at `rid`, which is about to be replaced.
    fn keep_version(&mut self, rid: i64) -> Result<(), StoreError> {
        let keep = ready(&mut self.keep, self.db, || self.place.live.keep_version())?;
        keep.execute((rid, self.stamp.at, self.stamp.run.0))?;
        Ok(())
    }

    /// Marks what is `there` as deleted; what it held is kept. Where nothing is, a row of the key alone says so, with the
    /// version of what `was` in the bank if it brings none itself.
    fn delete(
        &mut self,
        batch: &Batch,
        index: usize,
        was: Entry,
        there: Option<i64>,
    ) -> Result<i64, StoreError> {
        let rid = there.map_or_else(|| self.write(batch, index, None), Ok)?;
        let column = self.place.live.layout().version;
        let before = match column {
            Some(column) if batch.at(index, column) == Value::Null => {
                self.version_of(was, column)?
            }
            _ => types::Value::Null,
        };
        let delete = ready(&mut self.delete, self.db, || self.place.table.delete())?;
        delete.raw_bind_parameter(1, rid)?;
        delete.raw_bind_parameter(2, self.stamp.at)?;
        delete.raw_bind_parameter(3, self.stamp.run.0)?;
        if let Some(column) = column {
            match batch.at(index, column) {
                Value::Null => delete.raw_bind_parameter(4, before)?,
                version => bind_value(delete, 4, version)?,
            }
        }
        delete.raw_execute()?;
        Ok(rid)
    }

    /// Notes the hashes of the row at `rid`, which was written over the one that was `there`.
    fn note(&mut self, rid: i64, hash: RowHash, there: Option<i64>) -> Result<(), StoreError> {
        if there == Some(rid) {
            let again = ready(&mut self.note_again, self.db, || self.place.table.note_again())?;
            // None, where the side index lacks the row.
            if note(again, rid, hash)? > 0 {
                return Ok(());
            }
        }
        let anew = ready(&mut self.note, self.db, || self.place.table.note_seen())?;
        note(anew, rid, hash)?;
        Ok(())
    }

    /// The rowid and content hash of the row with the same key in `table`, the same one for the whole batch. One that has
    /// none in the side index is taken for another than `hash`.
    fn find(
        &mut self,
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
        let find = ready(&mut self.find, self.db, || table.find())?;
        let found = find.query_row(params_from_iter(key), |row| {
            let content = row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned);
            Ok((row.get(0)?, content.unwrap_or(!hash.content | 1)))
        });
        Ok(found.optional()?)
    }
}

/// A statement, prepared if it is not yet.
fn ready<'s, 'a>(
    statement: &'s mut Option<CachedStatement<'a>>,
    db: &'a Connection,
    sql: impl FnOnce() -> String,
) -> Result<&'s mut CachedStatement<'a>, StoreError> {
    match statement {
        Some(statement) => Ok(statement),
        None => Ok(statement.insert(db.prepare_cached(&sql())?)),
    }
}

/// A statement that writes a row, prepared if it is not yet, with the stamp: that is the same for all rows, and stays bound.
fn stamped<'s, 'a>(
    statement: &'s mut Option<CachedStatement<'a>>,
    db: &'a Connection,
    stamp: Stamp,
    table: &Table,
    sql: fn(&Table) -> String,
) -> Result<&'s mut CachedStatement<'a>, StoreError> {
    let is_new = statement.is_none();
    let statement = ready(statement, db, || sql(table))?;
    if is_new {
        let width = table.layout().fields.len();
        statement.raw_bind_parameter(width + 1, stamp.at)?;
        statement.raw_bind_parameter(width + 2, stamp.run.0)?;
    }
    Ok(statement)
}

/// Executes a statement that notes hashes; gives how many rows it touched.
fn note(statement: &mut CachedStatement<'_>, rid: i64, hash: RowHash) -> Result<usize, StoreError> {
    statement.raw_bind_parameter(1, rid)?;
    statement.raw_bind_parameter(2, hash.key.cast_signed())?;
    statement.raw_bind_parameter(3, hash.content.cast_signed())?;
    Ok(statement.raw_execute()?)
}

fn bind(
    statement: &mut CachedStatement<'_>,
    batch: &Batch,
    index: usize,
) -> Result<(), StoreError> {
    for (at, value) in batch.values(index).enumerate() {
        bind_value(statement, at + 1, value)?;
    }
    Ok(())
}

fn bind_value(
    statement: &mut CachedStatement<'_>,
    column: usize,
    value: Value<'_>,
) -> rusqlite::Result<()> {
    match value {
        Value::Null => statement.raw_bind_parameter(column, types::Null),
        Value::Integer(number) => statement.raw_bind_parameter(column, number),
        Value::Text(text) => statement.raw_bind_parameter(column, text),
    }
}

fn is_repeated_key(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
}

//! A load on its way into the live table: swapped in whole where that was empty, merged by key else.
//!
//! What a merge writes is one transaction, and written piece by piece: what SQLite would have to take back of one statement
//! lies in memory. What is too much for one transaction has a room of its own (`swap`).

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::table::{Table, list, quoted};
use crate::{id::RunId, store::StoreError};

/// So many rows are written by one statement: what SQLite would have to take back of it lies in memory.
const PIECE: i64 = if cfg!(test) { 2 } else { 5_000 };

impl Table {
    /// Copies the row at a rowid of `live` into this one, as deleted; the parameters are the rowid, the time and the run.
    pub(super) fn copy_as_gone(&self, live: &Self) -> String {
        let columns = list(self.columns(), str::to_owned);
        format!(
            "INSERT INTO {} ({columns}, _first_seen, _changed, _run, _deleted) \
             SELECT {columns}, _first_seen, ?2, ?3, ?2 FROM {} WHERE rowid = ?1",
            self.quoted(),
            live.quoted()
        )
    }

    /// How many of these rows a later run than `run` has written in the live table.
    pub(super) fn written_since(
        &self,
        db: &Connection,
        load: &Self,
        run: RunId,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM {} l JOIN {} t ON {} WHERE t._run > ?",
            load.quoted(),
            self.quoted(),
            self.same_key("t", "l")
        );
        Ok(db.query_row(&sql, [run.0], |row| row.get::<_, i64>(0))?.cast_unsigned())
    }

    /// Becomes the tables of another name.
    pub(super) fn rename(&self, db: &Connection, to: &Self) -> Result<(), StoreError> {
        Ok(db.execute_batch(&format!(
            "ALTER TABLE {} RENAME TO {}; ALTER TABLE {} RENAME TO {};",
            self.quoted(),
            to.quoted(),
            self.seen(),
            to.seen()
        ))?)
    }

    /// Takes the place of `live`, which is empty.
    pub(super) fn replace(&self, db: &Connection, live: &Self) -> Result<(), StoreError> {
        live.drop(db)?;
        self.rename(db, live)
    }

    /// Puts every row into `live` by its key, deletions too if there are any (`gone`), notes the hashes there, and goes. What
    /// a later run has written there meanwhile stays. `at`: it waited, and is known from then on.
    pub(super) fn merge_into(
        &self,
        db: &Connection,
        live: &Self,
        gone: bool,
        at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let at = at.map(Timestamp::as_microsecond);
        let columns = list(self.columns(), str::to_owned);
        let rows = format!(
            "INSERT INTO {live} ({columns}, _first_seen, _changed, _run) \
             SELECT {columns}, coalesce(?3, _first_seen), coalesce(?3, _changed), _run FROM {load} \
             WHERE rowid BETWEEN ?1 AND ?2 AND _deleted IS NULL \
             ON CONFLICT {conflict} WHERE _run <= excluded._run",
            live = live.quoted(),
            load = self.quoted(),
            conflict = live.update_on_conflict(),
        );
        let hashes = format!(
            "INSERT INTO {live_seen} SELECT t.rowid, s.k, s.h FROM {load} l \
             JOIN {load_seen} s ON s.rid = l.rowid JOIN {live} t ON {same_key} \
             WHERE l.rowid BETWEEN ?1 AND ?2 AND t._run = l._run \
             ON CONFLICT (rid) DO UPDATE SET k = excluded.k, h = excluded.h",
            live = live.quoted(),
            load = self.quoted(),
            live_seen = live.seen(),
            load_seen = self.seen(),
            same_key = self.same_key("t", "l"),
        );
        let (mut rows, mut hashes) = (db.prepare(&rows)?, db.prepare(&hashes)?);
        let mut deletions = gone.then(|| db.prepare(&self.merge_gone(live))).transpose()?;
        in_pieces(db, &self.quoted(), |from, to| {
            if let Some(deletions) = &mut deletions {
                deletions.execute(params![from, to, at])?;
            }
            rows.execute(params![from, to, at])?;
            hashes.execute(params![from, to])?;
            Ok(())
        })?;
        drop((rows, hashes, deletions));
        self.drop(db)
    }

    /// Marks in `live` what was loaded as deleted; the parameters are the rowids from and to, and since when it is known, or
    /// null. A record that came and went within the load is kept as a deleted one.
    fn merge_gone(&self, live: &Self) -> String {
        let columns = list(self.columns(), str::to_owned);
        let key = list(self.key(), str::to_owned);
        let version = self.layout().version.and_then(|at| self.layout().fields.get(at));
        let version = version.map_or_else(String::new, |field| {
            self.version_set(&format!("excluded.{}", quoted(&field.name)))
        });
        format!(
            "INSERT INTO {live} ({columns}, _first_seen, _changed, _run, _deleted) \
             SELECT {columns}, coalesce(?3, _first_seen), coalesce(?3, _changed), _run, coalesce(?3, _deleted) \
             FROM {load} WHERE rowid BETWEEN ?1 AND ?2 AND _deleted IS NOT NULL \
             ON CONFLICT ({key}) DO UPDATE SET _deleted = coalesce(_deleted, excluded._deleted), \
             _changed = excluded._changed, _run = excluded._run{version} WHERE _run <= excluded._run",
            live = live.quoted(),
            load = self.quoted(),
        )
    }
}

/// Does `work` for every stretch of a table's rowids, both ends included.
pub(super) fn in_pieces(
    db: &Connection,
    table: &str,
    mut work: impl FnMut(i64, i64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut from = Some(i64::MIN);
    while let Some(first) = from {
        let Some(last) = last_of_piece(db, table, first)? else { break };
        work(first, last)?;
        from = last.checked_add(1);
    }
    Ok(())
}

/// The last rowid of the stretch of a table that begins at rowid `from`; `None`: there is nothing from there on.
pub(super) fn last_of_piece(
    db: &Connection,
    table: &str,
    from: i64,
) -> Result<Option<i64>, StoreError> {
    let sql = format!(
        "SELECT max(rowid) FROM (SELECT rowid FROM {table} WHERE rowid >= ?1 ORDER BY rowid LIMIT {PIECE})"
    );
    Ok(db.prepare_cached(&sql)?.query_row([from], |row| row.get(0))?)
}

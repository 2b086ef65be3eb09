//! What runs replaced: earlier versions of records, so that a run can be undone, and so that a feed that remembers can
//! tell what was known when.
//!
//! A version lies in the feed's `__past` table as it stood, with where it stood, its hash, and when and by which run it
//! was replaced. A run that can be undone is entered in `marsad_undo` with where the cursor stood before and behind it.
//! Of one by which the table was written anew (`swap`) no versions are kept, but the table as it was before.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Cache, Change, NO_RUN,
    merge::in_pieces,
    moves::Move,
    table::{Table, list, quoted},
};
use crate::{
    feed::History,
    id::{FeedId, RunId},
    record::{GONE, storage},
    store::StoreError,
};

/// Who replaced a version that no run gives back.
const NOBODY: i64 = -1;

/// So many versions go in one transaction, so that nobody waits long for it.
const AT_ONCE: usize = 5_000;

/// What an undone run left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Records that are again as they were.
    pub restored: u64,
    /// Records that the run had brought first, and that are gone without a trace.
    pub removed: u64,
    /// Records that a later run has written since: they stay.
    pub left: u64,
    /// Where the cursor was set back; `None`: it stood there.
    pub cursor: Option<Option<String>>,
    /// The run that waited, and is dropped: it was weighed against what is no longer there.
    pub dropped: Option<RunId>,
}

impl Cache {
    /// Feeds of which something is kept that goes one day.
    pub fn feeds_with_past(&self) -> Result<Vec<FeedId>, StoreError> {
        let sql = "SELECT feed FROM marsad_undo UNION SELECT feed FROM marsad_feed WHERE remembers IS NOT NULL";
        let mut statement = self.db.prepare_cached(sql)?;
        let feeds = statement.query_map([], |row| row.get::<_, String>(0))?;
        Ok(feeds.filter_map(|feed| feed.ok()?.parse().ok()).collect())
    }

    /// The feed keeps every version from `at` on, unless it does already; or no longer (`None`).
    pub fn keep_history(&mut self, feed: &FeedId, at: Option<Timestamp>) -> Result<(), StoreError> {
        let sql = match at {
            Some(_) => {
                "UPDATE marsad_feed SET remembers = ?2 WHERE feed = ?1 AND remembers IS NULL"
            }
            None => {
                "UPDATE marsad_feed SET remembers = ?2 WHERE feed = ?1 AND remembers IS NOT NULL"
            }
        };
        let at = at.map(Timestamp::as_microsecond);
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), at])?;
        Ok(())
    }

    /// Runs of the feed that can be undone, newest first.
    pub fn undoable(&self, feed: &FeedId) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT run FROM marsad_undo WHERE feed = ? ORDER BY run DESC";
        let mut statement = self.db.prepare_cached(sql)?;
        let runs = statement.query_map([feed.as_str()], |row| row.get(0).map(RunId))?;
        Ok(runs.collect::<Result<_, _>>()?)
    }

    /// Sets every record back that a run wrote, as far as no later one has written it since, and the cursor to where it stood
    /// before. What later runs passed, because the bank had it by that run, is so asked for once more. The undoing is run `by`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the run cannot be undone, or not any more.
    pub fn undo_run(
        &mut self,
        feed: &FeedId,
        run: RunId,
        by: RunId,
        remembers: bool,
        at: Timestamp,
        actor: &str,
    ) -> Result<Undone, StoreError> {
        let sql = "SELECT cursor, wrote FROM marsad_undo WHERE feed = ? AND run = ?";
        let found = self.db.prepare_cached(sql)?.query_row(params![feed.as_str(), run.0], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
        });
        let Some((cursor, wrote)) = found.optional()? else {
            return Err(StoreError::Conflict(format!(
                "{run} cannot be undone: it changed nothing, what it replaced is no longer kept, or it is undone already"
            )));
        };
        let was_set_back = self.was_set_back(feed, run)?;
        let table = Table::of(&self.db, feed)?;
        let (restored, removed) = match self.swapped(feed, Change::Undo { run })? {
            Some(swap) => {
                let undone = (swap.restored, swap.removed);
                swap.put_in_place(&self.db, None)?;
                undone
            }
            None => table.set_back(&self.db, run, by, remembers, at)?,
        };
        let left = wrote.saturating_sub(restored + removed);
        for sql in [
            "DELETE FROM marsad_undo WHERE feed = ? AND run = ?",
            "DELETE FROM marsad_file WHERE feed = ? AND run = ?",
        ] {
            self.db.prepare_cached(sql)?.execute(params![feed.as_str(), run.0])?;
        }
        self.recount(feed, &table)?;
        let sql = "UPDATE marsad_feed SET walk = NULL, validators = NULL WHERE feed = ?";
        self.db.prepare_cached(sql)?.execute([feed.as_str()])?;
        let is_elsewhere = self.position(feed)?.cursor != cursor;
        let back = (is_elsewhere && !was_set_back).then_some(cursor);
        if let Some(cursor) = &back {
            let reason = format!("{run} undone");
            let moved = Move {
                run: NO_RUN,
                to: cursor.as_deref(),
                at,
                reason: &reason,
                actor: Some(actor),
            };
            self.move_cursor(feed, &moved)?;
        }
        let dropped = self.drop_held(feed)?;
        Ok(Undone { restored, removed, left, cursor: back, dropped })
    }

    /// Whether a person has set the cursor since the run, and no run has moved it on from there: what lies behind is asked for
    /// again anyhow.
    fn was_set_back(&self, feed: &FeedId, run: RunId) -> Result<bool, StoreError> {
        let sql = "SELECT c.run = ?3 AND c.moved_at >= u.at FROM marsad_cursor c, marsad_undo u \
                   WHERE c.feed = ?1 AND u.feed = ?1 AND u.run = ?2 ORDER BY c.id DESC LIMIT 1";
        let last = params![feed.as_str(), run.0, NO_RUN.0];
        let last = self.db.prepare_cached(sql)?.query_row(last, |row| row.get(0)).optional()?;
        Ok(last.unwrap_or(false))
    }

    /// Forgets what was replaced before `undo_since`, and of a feed that remembers what goes beyond its `history`. Gives
    /// whether there may be more.
    pub fn prune_past(
        &mut self,
        feed: &FeedId,
        undo_since: Timestamp,
        history: Option<(History, Timestamp)>,
    ) -> Result<bool, StoreError> {
        let table = Table::find_of(&self.db, feed)?;
        let sql = "DELETE FROM marsad_undo WHERE feed = ? AND at < ? RETURNING run, aside";
        let gone: Vec<(i64, bool)> = self
            .db
            .prepare_cached(sql)?
            .query_map(params![feed.as_str(), undo_since.as_microsecond()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<_, _>>()?;
        let Some(table) = table else { return Ok(false) };
        for (run, _) in gone.into_iter().filter(|(_, aside)| *aside) {
            table.before(RunId(run)).drop(&self.db)?;
        }
        if !table.has_past(&self.db)? {
            return Ok(false);
        }
        let (past, key) = (table.past(), list(table.key(), str::to_owned));
        let due = match history {
            None => "true".to_owned(),
            Some((history, since)) => format!(
                "(_until < {since} OR n > {versions})",
                since = since.as_microsecond(),
                versions = history.versions
            ),
        };
        let sql = format!(
            "DELETE FROM {past} WHERE rowid IN (SELECT at FROM (SELECT rowid AS at, _until, _by, \
             row_number() OVER (PARTITION BY {key} ORDER BY _changed DESC, rowid DESC) AS n FROM {past}) \
             WHERE {due} AND _by NOT IN (SELECT run FROM marsad_undo WHERE feed = ?1) LIMIT {AT_ONCE})"
        );
        Ok(self.db.prepare_cached(&sql)?.execute([feed.as_str()])? == AT_ONCE)
    }

    /// A run begins to replace what it can be made to give back; `wrote`: how many records it writes.
    pub(super) fn open_undo(
        &self,
        feed: &FeedId,
        run: RunId,
        at: Timestamp,
        cursor: Option<&str>,
        wrote: u64,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO marsad_undo (feed, run, at, cursor, wrote) VALUES (?1, ?2, ?3, ?4, ?5)";
        let wrote = wrote.cast_signed();
        let entry = params![feed.as_str(), run.0, at.as_microsecond(), cursor, wrote];
        self.db.prepare_cached(sql)?.execute(entry)?;
        Ok(())
    }

    /// Counts the living records anew.
    pub(super) fn recount(&self, feed: &FeedId, table: &Table) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE marsad_feed SET rows = (SELECT count(*) FROM {} WHERE h <> ?2) WHERE feed = ?1",
            table.seen()
        );
        self.db.prepare_cached(&sql)?.execute(params![feed.as_str(), GONE.cast_signed()])?;
        Ok(())
    }
}

impl Table {
    /// Earlier versions: every column of this table, and `_rid`, `_hash`, `_until` and `_by`.
    pub(in crate::store) fn past(&self) -> String {
        self.beside("past").quoted()
    }

    pub(in crate::store) fn has_past(&self, db: &Connection) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
        Ok(db.prepare_cached(sql)?.exists([format!("{}__past", self.name())])?)
    }

    /// Makes the table of earlier versions, if there is none.
    pub(super) fn make_past(&self, db: &Connection) -> Result<(), StoreError> {
        if self.has_past(db)? {
            return Ok(());
        }
        let columns: Vec<_> = self
            .layout()
            .fields
            .iter()
            .map(|field| format!("{} {}", quoted(&field.name), storage(field.kind)))
            .collect();
        let index = |what: &str| quoted(&format!("{}__past_{what}", self.name()));
        Ok(db.execute_batch(&format!(
            "CREATE TABLE {past} ({columns}, _first_seen INTEGER NOT NULL, _changed INTEGER NOT NULL, \
             _run INTEGER NOT NULL, _deleted INTEGER, _rid INTEGER NOT NULL, _hash INTEGER NOT NULL, \
             _until INTEGER NOT NULL, _by INTEGER NOT NULL) STRICT; \
             CREATE INDEX {by} ON {past} (_by, _rid); CREATE INDEX {versions} ON {past} ({key}, _changed);",
            past = self.past(),
            columns = columns.join(", "),
            by = index("by"),
            versions = index("versions"),
            key = list(self.key(), str::to_owned),
        ))?)
    }

    /// The columns of a version, as they are called in both tables.
    fn version_columns(&self, of: &str) -> String {
        let columns = list(self.columns(), |name| format!("{of}{name}"));
        format!("{columns}, {of}_first_seen, {of}_changed, {of}_run, {of}_deleted")
    }

    /// Keeps the version at a rowid; the parameters are the rowid, the time and the run that replaces it. What that run has
    /// brought itself is no version.
    pub(super) fn keep_version(&self) -> String {
        format!(
            "INSERT INTO {past} ({columns}, _rid, _hash, _until, _by) \
             SELECT {of}, t.rowid, s.h, ?2, ?3 FROM {live} t JOIN {seen} s ON s.rid = t.rowid \
             WHERE t.rowid = ?1 AND t._run <> ?3",
            past = self.past(),
            columns = self.version_columns(""),
            of = self.version_columns("t."),
            live = self.quoted(),
            seen = self.seen(),
        )
    }

    /// Keeps every version that `load` is about to replace.
    pub(super) fn keep_versions(
        &self,
        db: &Connection,
        load: &Self,
        run: RunId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.make_past(db)?;
        let sql = format!(
            "INSERT INTO {past} ({columns}, _rid, _hash, _until, _by) \
             SELECT {of}, t.rowid, s.h, ?1, ?2 FROM {load} l JOIN {live} t ON {same_key} \
             JOIN {seen} s ON s.rid = t.rowid WHERE l.rowid BETWEEN ?3 AND ?4 AND t._run < ?2",
            past = self.past(),
            columns = self.version_columns(""),
            of = self.version_columns("t."),
            load = load.quoted(),
            live = self.quoted(),
            same_key = self.same_key("t", "l"),
            seen = self.seen(),
        );
        let mut keep = db.prepare(&sql)?;
        in_pieces(db, &load.quoted(), |from, to| {
            keep.execute(params![at.as_microsecond(), run.0, from, to])?;
            Ok(())
        })
    }

    /// Sets back what `run` wrote: how many are restored, and removed.
    fn set_back(
        &self,
        db: &Connection,
        run: RunId,
        by: RunId,
        remembers: bool,
        at: Timestamp,
    ) -> Result<(u64, u64), StoreError> {
        self.make_past(db)?;
        let (live, seen, past) = (self.quoted(), self.seen(), self.past());
        let remember = format!(
            "INSERT INTO {past} ({columns}, _rid, _hash, _until, _by) \
             SELECT {of}, t.rowid, s.h, ?4, ?5 FROM {live} t JOIN {seen} s ON s.rid = t.rowid \
             WHERE t._run = ?1 AND t.rowid BETWEEN ?2 AND ?3",
            columns = self.version_columns(""),
            of = self.version_columns("t."),
        );
        let hashes = format!(
            "UPDATE {seen} SET h = p._hash FROM {past} p JOIN {live} t ON t.rowid = p._rid \
             WHERE p._by = ?1 AND p._rid BETWEEN ?2 AND ?3 AND t._run = ?1 AND {seen}.rid = p._rid"
        );
        let set = list(self.columns(), |name| format!("{name} = p.{name}"));
        let rows = format!(
            "UPDATE {live} SET {set}, _first_seen = p._first_seen, _changed = p._changed, _run = p._run, \
             _deleted = p._deleted FROM {past} p WHERE p._by = ?1 AND p._rid BETWEEN ?2 AND ?3 \
             AND p._rid = {live}.rowid AND {live}._run = ?1"
        );
        let of_run =
            format!("SELECT rowid FROM {live} WHERE _run = ?1 AND rowid BETWEEN ?2 AND ?3");
        let forget = format!("DELETE FROM {seen} WHERE rid IN ({of_run})");
        let remove = format!("DELETE FROM {live} WHERE _run = ?1 AND rowid BETWEEN ?2 AND ?3");
        let used = format!(
            "DELETE FROM {past} WHERE _by = ?1 AND _rid BETWEEN ?2 AND ?3 AND EXISTS \
             (SELECT 1 FROM {live} t WHERE t.rowid = {past}._rid AND t._run = {past}._run AND t._changed = {past}._changed)"
        );
        let (mut restored, mut removed) = (0, 0);
        in_pieces(db, &live, |from, to| {
            let piece = params![run.0, from, to];
            if remembers {
                let version = params![run.0, from, to, at.as_microsecond(), by.0];
                db.prepare_cached(&remember)?.execute(version)?;
            }
            db.prepare_cached(&hashes)?.execute(piece)?;
            restored += db.prepare_cached(&rows)?.execute(piece)?;
            // What is still of this run was not there before it.
            db.prepare_cached(&forget)?.execute(piece)?;
            removed += db.prepare_cached(&remove)?.execute(piece)?;
            db.prepare_cached(&used)?.execute(piece)?;
            Ok(())
        })?;
        // What a later run has replaced again was known in between; who remembers nothing has no use for it.
        let left = if remembers {
            format!("UPDATE {past} SET _by = {NOBODY} WHERE _by = ?1")
        } else {
            format!("DELETE FROM {past} WHERE _by = ?1")
        };
        db.prepare(&left)?.execute([run.0])?;
        Ok((restored as u64, removed as u64))
    }
}

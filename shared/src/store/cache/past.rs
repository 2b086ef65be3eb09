//! What runs replaced: earlier versions of records, so that a run can be undone (`undo`), and so that a feed that remembers
//! can tell what was known when.
//!
//! A version lies in the feed's `__past` table as it stood, with where it stood, its hash, and when and by which run it
//! was replaced. Of a run by which the table was written anew (`swap`) no versions are kept, but the table as it was before.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    Cache,
    merge::in_pieces,
    table::{Table, list, quoted},
};
use crate::{
    feed::History,
    id::{FeedId, RunId},
    record::storage,
    store::StoreError,
};

/// So many versions go in one transaction, so that nobody waits long for it.
const AT_ONCE: usize = 5_000;

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
    pub(super) fn version_columns(&self, of: &str) -> String {
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
}

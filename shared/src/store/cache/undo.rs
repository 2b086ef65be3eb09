//! A run that is undone: every record that it wrote is set back to what stood before it.
//!
//! A run that can be undone is entered in `marsad_undo`, with where the cursor stood before it. Runs can be undone in any
//! order. What a later run has replaced stays as that run wrote it; but what the later one gives back, should it be undone
//! too, is then what stood before the first: no value of a run that was undone comes back.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Cache, Change, NO_RUN,
    merge::in_pieces,
    moves::Move,
    table::{Table, kept_aside, list},
};
use crate::{
    feed::FieldType,
    id::{FeedId, RunId},
    order,
    record::GONE,
    request::By,
    store::StoreError,
};

/// Who replaced a version that no run gives back.
const NOBODY: i64 = -1;

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
    /// Whether files came behind that run: what they had as it left it is set back too.
    pub upset: bool,
    /// The run that waited, and is dropped: it was weighed against what is no longer there.
    pub dropped: Option<RunId>,
}

/// What is to be undone, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Undoing<'a> {
    pub run: RunId,
    /// The run that does it.
    pub by: RunId,
    pub at: Timestamp,
    pub actor: &'a str,
    /// Whether the feed keeps every version.
    pub remembers: bool,
    /// What the feed's cursor is, if it has one.
    pub cursor: Option<&'a By>,
}

impl Cache {
    /// Runs of the feed that can be undone, newest first.
    pub fn undoable(&self, feed: &FeedId) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT run FROM marsad_undo WHERE feed = ? ORDER BY run DESC";
        let mut statement = self.db.prepare_cached(sql)?;
        let runs = statement.query_map([feed.as_str()], |row| row.get(0).map(RunId))?;
        Ok(runs.collect::<Result<_, _>>()?)
    }

    /// Sets every record back that a run wrote, as far as no later one has written it since, and the cursor to where it stood
    /// before, unless it stands before that by now. What later runs passed, because the bank had it by that run, is so asked
    /// for once more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the run cannot be undone, or not any more.
    pub fn undo_run(&mut self, feed: &FeedId, undoing: &Undoing<'_>) -> Result<Undone, StoreError> {
        let Undoing { run, by, at, actor, remembers, .. } = *undoing;
        let sql = "SELECT cursor, wrote, aside FROM marsad_undo WHERE feed = ? AND run = ?";
        let found = self.db.prepare_cached(sql)?.query_row(params![feed.as_str(), run.0], |row| {
            let wrote = row.get::<_, i64>(1)?.cast_unsigned();
            Ok((row.get::<_, Option<String>>(0)?, wrote, row.get(2)?))
        });
        let Some((cursor, wrote, is_aside)) = found.optional()? else {
            return Err(StoreError::Conflict(format!(
                "{run} cannot be undone: it changed nothing, what it replaced is no longer kept, or it is undone already"
            )));
        };
        let table = Table::of(&self.db, feed)?;
        let earlier = Earlier::of(&self.db, &table, run, is_aside)?;
        earlier.hand_down(&self.db, feed, remembers)?;
        let (restored, removed) = if let Some(swap) = self.swapped(feed, Change::Undo { run })? {
            let undone = (swap.restored, swap.removed);
            swap.put_in_place(&self.db, None)?;
            undone
        } else {
            if remembers {
                table.keep_written(&self.db, run, by, at)?;
            }
            let undone = earlier.set_back(&self.db, &table)?;
            earlier.forget(&self.db, remembers)?;
            undone
        };
        let left = wrote.saturating_sub(restored + removed);
        let sql = "DELETE FROM marsad_undo WHERE feed = ? AND run = ?";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), run.0])?;
        let upset = self.upset_files(feed, run)?;
        self.recount(feed, &table)?;
        let sql = "UPDATE marsad_feed SET walk = NULL, validators = NULL WHERE feed = ?";
        self.db.prepare_cached(sql)?.execute([feed.as_str()])?;
        let stands = self.position(feed)?.cursor;
        let kind = undoing.cursor.and_then(|by| table.kind_of_cursor(by));
        let is_back = self.is_before(feed, kind, cursor.as_deref(), stands.as_deref())?;
        let back = is_back.then_some(cursor);
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
        Ok(Undone { restored, removed, left, cursor: back, upset, dropped })
    }

    /// Whether one cursor lies before another, each of which the feed had. Of those that nobody can compare that is the one
    /// which came first; what the history no longer has came before all that it has.
    fn is_before(
        &self,
        feed: &FeedId,
        kind: Option<FieldType>,
        one: Option<&str>,
        other: Option<&str>,
    ) -> Result<bool, StoreError> {
        let (Some(one), Some(other)) = (one, other) else {
            return Ok(one.is_none() && other.is_some());
        };
        if let (Ok(one), Ok(other)) = (one.parse::<Timestamp>(), other.parse::<Timestamp>()) {
            return Ok(one < other);
        }
        if let Some(kind) = kind {
            return Ok(order::of(kind, one, other).is_lt());
        }
        let sql = "SELECT min(id) FROM marsad_cursor WHERE feed = ? AND value = ?";
        let mut first = self.db.prepare_cached(sql)?;
        let mut first = |value: &str| {
            first.query_row([feed.as_str(), value], |row| row.get::<_, Option<i64>>(0))
        };
        Ok(first(one)? < first(other)?)
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

/// What stood before a run that is undone.
struct Earlier<'a> {
    run: RunId,
    live: &'a Table,
    /// The table that is kept as it was; `None`: versions are.
    before: Option<Table>,
    /// Every version between the rowids `?2` and `?3`, with `rid` and `h`; `?1` is the run.
    versions: String,
}

impl<'a> Earlier<'a> {
    fn of(
        db: &Connection,
        live: &'a Table,
        run: RunId,
        is_aside: bool,
    ) -> Result<Self, StoreError> {
        live.make_past(db)?;
        let before = is_aside.then(|| live.before(run));
        let versions = match &before {
            Some(before) => {
                format!("{} WHERE t.rowid BETWEEN ?2 AND ?3", live.versions_in(before))
            }
            None => format!(
                "SELECT {columns}, _rid AS rid, _hash AS h FROM {past} WHERE _by = ?1 AND _rid BETWEEN ?2 AND ?3",
                columns = live.version_columns(""),
                past = live.past(),
            ),
        };
        Ok(Self { run, live, before, versions })
    }

    /// Sets back what the run wrote in `table`: how many records are restored, and removed.
    fn set_back(&self, db: &Connection, table: &Table) -> Result<(u64, u64), StoreError> {
        let (rows, seen, versions) = (table.quoted(), table.seen(), &self.versions);
        let hashes = format!(
            "UPDATE {seen} SET h = p.h FROM ({versions}) p JOIN {rows} t ON t.rowid = p.rid \
             WHERE t._run = ?1 AND {seen}.rid = p.rid"
        );
        let set = self.live.set_to("p");
        let restore = format!(
            "UPDATE {rows} SET {set} FROM ({versions}) p WHERE p.rid = {rows}.rowid AND {rows}._run = ?1"
        );
        let of_run =
            format!("SELECT rowid FROM {rows} WHERE _run = ?1 AND rowid BETWEEN ?2 AND ?3");
        let forget = format!("DELETE FROM {seen} WHERE rid IN ({of_run})");
        let remove = format!("DELETE FROM {rows} WHERE _run = ?1 AND rowid BETWEEN ?2 AND ?3");
        let (mut restored, mut removed) = (0, 0);
        in_pieces(db, &rows, |from, to| {
            let piece = params![self.run.0, from, to];
            db.prepare_cached(&hashes)?.execute(piece)?;
            restored += db.prepare_cached(&restore)?.execute(piece)?;
            // What is still of this run was not there before it.
            db.prepare_cached(&forget)?.execute(piece)?;
            removed += db.prepare_cached(&remove)?.execute(piece)?;
            Ok(())
        })?;
        Ok((restored as u64, removed as u64))
    }

    /// What later runs would give back of this one becomes what stood before it. As all of an undo, in one transaction.
    fn hand_down(&self, db: &Connection, feed: &FeedId, remembers: bool) -> Result<(), StoreError> {
        for later in kept_aside(db, feed)?.into_iter().filter(|later| *later > self.run) {
            self.set_back(db, &self.live.before(later))?;
        }
        let past = self.live.past();
        let of_this = "later._by > ?1 AND later._run = ?1 AND later.rowid BETWEEN ?2 AND ?3";
        let columns = format!("{}, _rid, _hash, _until", self.live.version_columns(""));
        let keep = format!(
            "INSERT INTO {past} ({columns}, _by) SELECT {columns}, {NOBODY} FROM {past} later WHERE {of_this}"
        );
        let replace = if let Some(before) = &self.before {
            let set = self.live.set_to("p");
            let versions = self.live.versions_in(before);
            format!(
                "UPDATE {past} AS later SET {set}, _hash = p.h FROM ({versions}) p \
                 WHERE {of_this} AND later._rid = p.rid"
            )
        } else {
            format!(
                "UPDATE {past} AS own SET _by = later._by FROM {past} AS later \
                 WHERE own._by = ?1 AND {of_this} AND later._rid = own._rid"
            )
        };
        let own = format!("DELETE FROM {past} AS later WHERE {of_this}");
        in_pieces(db, &past, |from, to| {
            let piece = params![self.run.0, from, to];
            if remembers {
                // It was known all the same.
                db.prepare_cached(&keep)?.execute(piece)?;
            }
            db.prepare_cached(&replace)?.execute(piece)?;
            db.prepare_cached(&own)?.execute(piece)?;
            Ok(())
        })
    }

    /// Lets go of what was given back, or is of no use any more.
    fn forget(&self, db: &Connection, remembers: bool) -> Result<(), StoreError> {
        if let Some(before) = &self.before {
            return before.drop(db);
        }
        let (live, past) = (self.live.quoted(), self.live.past());
        let stands = format!(
            "DELETE FROM {past} WHERE _by = ?1 AND rowid BETWEEN ?2 AND ?3 AND EXISTS (SELECT 1 FROM {live} t \
             WHERE t.rowid = {past}._rid AND t._run = {past}._run AND t._changed = {past}._changed)"
        );
        let rest = if remembers {
            // What a later run has replaced again was known in between.
            format!("UPDATE {past} SET _by = {NOBODY} WHERE _by = ?1 AND rowid BETWEEN ?2 AND ?3")
        } else {
            format!("DELETE FROM {past} WHERE _by = ?1 AND rowid BETWEEN ?2 AND ?3")
        };
        in_pieces(db, &past, |from, to| {
            let piece = params![self.run.0, from, to];
            if remembers {
                db.prepare_cached(&stands)?.execute(piece)?;
            }
            db.prepare_cached(&rest)?.execute(piece)?;
            Ok(())
        })
    }
}

impl Table {
    /// Every row of a table that is kept as it was, as a version with `rid` and `h`.
    fn versions_in(&self, before: &Self) -> String {
        format!(
            "SELECT {columns}, t.rowid AS rid, s.h AS h FROM {before} t JOIN {seen} s ON s.rid = t.rowid",
            columns = self.version_columns("t."),
            before = before.quoted(),
            seen = before.seen(),
        )
    }

    /// Sets every column of a record, and what is known of it, to those of `version`.
    fn set_to(&self, version: &str) -> String {
        let columns = list(self.columns(), |name| format!("{name} = {version}.{name}"));
        let own = ["_first_seen", "_changed", "_run", "_deleted"];
        let own = own.map(|name| format!("{name} = {version}.{name}"));
        format!("{columns}, {}", own.join(", "))
    }

    /// Keeps as versions what `run` has written and no later run: run `by`, which undoes it, replaces them.
    fn keep_written(
        &self,
        db: &Connection,
        run: RunId,
        by: RunId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO {past} ({columns}, _rid, _hash, _until, _by) \
             SELECT {of}, t.rowid, s.h, ?2, ?3 FROM {live} t JOIN {seen} s ON s.rid = t.rowid \
             WHERE t._run = ?1 AND t.rowid BETWEEN ?4 AND ?5",
            past = self.past(),
            columns = self.version_columns(""),
            of = self.version_columns("t."),
            live = self.quoted(),
            seen = self.seen(),
        );
        in_pieces(db, &self.quoted(), |from, to| {
            let piece = params![run.0, at.as_microsecond(), by.0, from, to];
            db.prepare_cached(&sql)?.execute(piece)?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use FieldType::{Integer, Timestamp as Time};

    use super::*;

    #[test]
    fn the_earlier_of_two_cursors_is_told_by_value_or_by_who_came_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("cache.db")).unwrap();
        let feed: FeedId = "a/b".parse().unwrap();
        for value in ["t9", "t1"] {
            let at = Timestamp::UNIX_EPOCH;
            let moved = Move { run: NO_RUN, to: Some(value), at, reason: "", actor: None };
            let sql =
                "INSERT OR IGNORE INTO marsad_feed (feed, tbl, layout) VALUES (?, 'a__b', '')";
            cache.db.execute(sql, [feed.as_str()]).unwrap();
            cache.move_cursor(&feed, &moved).unwrap();
        }
        for (kind, one, other, expected, why) in [
            (None, None, Some("t1"), true, "the beginning is before all"),
            (None, Some("t1"), None, false, "and nothing before it"),
            (None, None, None, false, "nor is it before itself"),
            (Some(Integer), Some("9"), Some("10"), true, "numbers are numbers"),
            (
                Some(Time),
                Some("2026-01-01T00:00:00.5Z"),
                Some("2026-01-01T00:00:00Z"),
                false,
                "times are times",
            ),
            (None, Some("t9"), Some("t1"), true, "a token that came first"),
            (None, Some("t1"), Some("t9"), false, "one that came later"),
            (None, Some("t0"), Some("t9"), true, "one that the history no longer has"),
            (None, Some("t9"), Some("t9"), false, "the same"),
        ] {
            assert_eq!(cache.is_before(&feed, kind, one, other).unwrap(), expected, "{why}");
        }
    }
}

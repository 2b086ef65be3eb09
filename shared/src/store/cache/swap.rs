//! A live table that is written anew beside itself, and takes its own place in one step.
//!
//! What changes much of a table at once would be one transaction as large as all that it changes: it would fill the
//! write-ahead log, and keep every other feed waiting. So the table as it will be is written beside it, piece by piece in
//! transactions of their own, in between which others have their turn; and then both change names. What stood before is
//! kept under another name as long as it can be given back. Rows keep their rowids, by which earlier versions are found.
//!
//! Until then nobody sees anything of it, and whatever ends it leaves the live table as it was. The feed's own worker does
//! it: nothing else writes to the live table meanwhile.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    Cache,
    merge::last_of_piece,
    table::{Table, list, quoted},
};
use crate::{
    id::{FeedId, RunId},
    store::StoreError,
};

/// What is smaller, in bytes, joins in one transaction. The write-ahead log takes it up two to three times: as a row, as
/// what it replaced, and in the indexes of both.
pub(super) const SWAP_FROM: u64 = 32 << 20;
/// What is a smaller part of a table joins in one transaction too: all of the table would be copied for it.
const SHARE: u64 = 16;

/// What may change so much of a feed's live table that it is written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// What the run under way has loaded joins.
    Load,
    /// What waits is released.
    Release {
        run: RunId,
        /// Since when it is known.
        at: Timestamp,
    },
    Undo {
        run: RunId,
    },
}

/// A live table that is being written anew.
#[derive(Debug)]
pub(super) struct Swap {
    change: Change,
    live: Table,
    next: Table,
    from: From,
    phase: Phase,
    /// Records of a run that is undone that are again as they were, and that are gone.
    pub(super) restored: u64,
    pub(super) removed: u64,
}

/// What is put in the place of rows.
#[derive(Debug)]
enum From {
    /// The rows of a load with the same key, unless a later run has written the live one.
    Load { load: Table, at: Option<i64> },
    /// In place of what a run wrote, what stood there before it.
    Before { before: Table, run: RunId },
}

/// How far it is; the rowid from which it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Through the live table.
    Old(i64),
    /// Through the load, for what the live table does not have; `above`: its greatest rowid.
    New {
        from: i64,
        above: i64,
    },
    Done,
}

impl Cache {
    /// Begins to write the feed's live table anew if `change` is large; else it is done in one step. Gives whether it did:
    /// then [`Self::swap_piece`] does it, and whatever makes the change puts it in place.
    pub fn begin_swap(&mut self, feed: &FeedId, change: Change) -> Result<bool, StoreError> {
        self.touch(feed);
        self.swaps.remove(feed);
        let Some(live) = Table::find_of(&self.db, feed)? else { return Ok(false) };
        let Some(from) = self.large(feed, &live, change)? else { return Ok(false) };
        let next = live.next();
        // Left there by one that was stopped.
        next.drop(&self.db)?;
        next.create(&self.db)?;
        let phase = Phase::Old(i64::MIN);
        let swap = Swap { change, live, next, from, phase, restored: 0, removed: 0 };
        self.swaps.insert(feed.clone(), swap);
        Ok(true)
    }

    /// Writes one more piece. Gives whether there are more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if none was begun.
    pub fn swap_piece(&mut self, feed: &FeedId) -> Result<bool, StoreError> {
        self.touch(feed);
        let swap = self.swaps.get_mut(feed).ok_or_else(|| {
            StoreError::Conflict(format!("nothing of {feed} is being written anew"))
        })?;
        swap.piece(&self.db)?;
        Ok(swap.phase != Phase::Done)
    }

    /// Drops what was written anew and never put in place.
    pub(super) fn drop_swap(&mut self, feed: &FeedId) -> Result<(), StoreError> {
        match self.swaps.remove(feed) {
            Some(swap) => swap.next.drop(&self.db),
            None => Ok(()),
        }
    }

    /// Notes that the table as it was before a run, which can be undone, is kept whole. Gives what it is called.
    pub(super) fn keep_aside(&self, feed: &FeedId, run: RunId) -> Result<Table, StoreError> {
        let sql = "UPDATE marsad_undo SET aside = 1 WHERE feed = ? AND run = ?";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), run.0])?;
        Ok(Table::of(&self.db, feed)?.before(run))
    }

    /// The table that was written anew for `change`. What stood before a run that is undone lies nowhere else: then it is
    /// written now, if it was not before.
    pub(super) fn swapped(
        &mut self,
        feed: &FeedId,
        change: Change,
    ) -> Result<Option<Swap>, StoreError> {
        self.touch(feed);
        let swap = self.swaps.remove(feed);
        let swap = swap.filter(|swap| swap.change == change && swap.phase == Phase::Done);
        let must = matches!(change, Change::Undo { .. });
        if swap.is_none() && must && self.begin_swap(feed, change)? {
            while self.swap_piece(feed)? {}
            return Ok(self.swaps.remove(feed));
        }
        Ok(swap)
    }

    /// Where the rows come from, if there are so many that the table is written anew. One that remembers is not: its versions
    /// lie in one place, and are written there in the same step.
    fn large(
        &self,
        feed: &FeedId,
        live: &Table,
        change: Change,
    ) -> Result<Option<From>, StoreError> {
        let sql = "SELECT 1 FROM marsad_feed WHERE feed = ? AND remembers IS NULL";
        if !self.db.prepare_cached(sql)?.exists([feed.as_str()])? {
            return Ok(None);
        }
        let (load, at) = match change {
            Change::Load => match self.readings.get(feed) {
                Some(reading) if reading.merges(&self.db)? => (live.load(), None),
                _ => return Ok(None),
            },
            Change::Release { run, at } => match self.held(feed)? {
                Some(held) if held.run == run => (live.held(), Some(at.as_microsecond())),
                _ => return Ok(None),
            },
            Change::Undo { run } => {
                let sql = "SELECT 1 FROM marsad_undo WHERE feed = ? AND run = ? AND aside";
                let aside = self.db.prepare_cached(sql)?.exists(params![feed.as_str(), run.0])?;
                return Ok(aside.then(|| From::Before { before: live.before(run), run }));
            }
        };
        let is_large = load.count(&self.db)?.saturating_mul(SHARE) >= live.rows
            && load.bytes(&self.db)? >= self.swap_from;
        Ok(is_large.then_some(From::Load { load, at }))
    }
}

impl Swap {
    /// Takes the live table's place; `before`: what that is called from now on, else it goes.
    pub(super) fn put_in_place(
        self,
        db: &Connection,
        before: Option<&Table>,
    ) -> Result<(), StoreError> {
        match before {
            Some(before) => self.live.rename(db, before)?,
            None => self.live.drop(db)?,
        }
        self.next.rename(db, &self.live)?;
        match self.from {
            From::Load { load, .. } => load.drop(db),
            From::Before { before, .. } => before.drop(db),
        }
    }

    fn piece(&mut self, db: &Connection) -> Result<(), StoreError> {
        self.phase = match self.phase {
            Phase::Old(from) => {
                let last = last_of_piece(db, &self.live.quoted(), from)?;
                if let Some(last) = last {
                    self.copy(db, from, last)?;
                }
                match (last.and_then(|last| last.checked_add(1)), &self.from) {
                    (Some(from), _) => Phase::Old(from),
                    (None, From::Before { .. }) => Phase::Done,
                    (None, From::Load { .. }) => {
                        let above = self.live.count(db)?.cast_signed();
                        Phase::New { from: i64::MIN, above }
                    }
                }
            }
            Phase::New { from, above } => {
                let From::Load { load, at } = &self.from else { return Ok(()) };
                match last_of_piece(db, &load.quoted(), from)? {
                    Some(last) => {
                        self.add(db, load, *at, (from, last, above))?;
                        let next = last.checked_add(1);
                        next.map_or(Phase::Done, |from| Phase::New { from, above })
                    }
                    None => Phase::Done,
                }
            }
            Phase::Done => Phase::Done,
        };
        Ok(())
    }

    /// Copies a stretch of the live table, with what is put in the place of its rows.
    fn copy(&mut self, db: &Connection, from: i64, to: i64) -> Result<(), StoreError> {
        match &self.from {
            From::Load { load, at } => {
                let piece = params![from, to, at];
                db.prepare_cached(&self.live.joined(load, &self.next))?.execute(piece)?;
                let hashes = self.live.joined_hashes(load, &self.next);
                db.prepare_cached(&hashes)?.execute(params![from, to])?;
            }
            From::Before { before, run } => {
                let piece = params![from, to, run.0];
                let count = self.live.count_back(before);
                let (of_run, there): (i64, i64) = db
                    .prepare_cached(&count)?
                    .query_row(piece, |row| Ok((row.get(0)?, row.get(1)?)))?;
                self.restored += there.cast_unsigned();
                self.removed += (of_run - there).cast_unsigned();
                db.prepare_cached(&self.live.set_back_rows(before, &self.next))?.execute(piece)?;
                let hashes = self.live.set_back_hashes(before, &self.next);
                db.prepare_cached(&hashes)?.execute(piece)?;
            }
        }
        Ok(())
    }

    /// Adds what of a stretch of the load has no place in the live table.
    fn add(
        &self,
        db: &Connection,
        load: &Table,
        at: Option<i64>,
        (from, to, above): (i64, i64, i64),
    ) -> Result<(), StoreError> {
        let (rows, hashes) = (self.live.added(load, &self.next), self.next.added_hashes(load));
        db.prepare_cached(&rows)?.execute(params![from, to, at])?;
        db.prepare_cached(&hashes)?.execute(params![from, to, above])?;
        Ok(())
    }
}

/// The statements. In each, `?1` and `?2` are the first and the last rowid of a stretch.
impl Table {
    /// The table that is written anew.
    fn next(&self) -> Self {
        self.beside("next")
    }

    /// What stood before a run.
    pub(super) fn before(&self, run: RunId) -> Self {
        self.beside(&format!("before_{}", run.0))
    }

    /// How much room its rows and its key take, in bytes. Reads all of it.
    fn bytes(&self, db: &Connection) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = 1 AND name IN \
                   (SELECT name FROM sqlite_schema WHERE tbl_name = ?)";
        let bytes: i64 = db.prepare_cached(sql)?.query_row([self.name()], |row| row.get(0))?;
        Ok(bytes.cast_unsigned())
    }

    /// Copies rows as they are with what `load` has joined to them. `?3`: since when that is known, if it waited.
    fn joined(&self, load: &Self, next: &Self) -> String {
        let version = self.layout().version.and_then(|at| self.layout().fields.get(at));
        // What is deleted keeps what it held, but for the version of its deletion.
        let values = list(self.columns(), |name| {
            let gone = if version.is_some_and(|field| quoted(&field.name) == name) {
                format!("coalesce(l.{name}, t.{name})")
            } else {
                format!("t.{name}")
            };
            format!(
                "CASE WHEN l._run IS NULL THEN t.{name} WHEN l._deleted IS NULL THEN l.{name} ELSE {gone} END"
            )
        });
        format!(
            "INSERT INTO {next} (rowid, {columns}, _first_seen, _changed, _run, _deleted) \
             SELECT t.rowid, {values}, t._first_seen, \
             iif(l._run IS NULL, t._changed, coalesce(?3, l._changed)), coalesce(l._run, t._run), \
             CASE WHEN l._run IS NULL THEN t._deleted WHEN l._deleted IS NOT NULL \
             THEN coalesce(t._deleted, ?3, l._deleted) END \
             FROM {live} t LEFT JOIN {load} l ON {same_key} AND t._run <= l._run \
             WHERE t.rowid BETWEEN ?1 AND ?2",
            next = next.quoted(),
            columns = list(self.columns(), str::to_owned),
            live = self.quoted(),
            load = load.quoted(),
            same_key = self.same_key("t", "l"),
        )
    }

    fn joined_hashes(&self, load: &Self, next: &Self) -> String {
        format!(
            "INSERT INTO {next_seen} SELECT t.rowid, s.k, coalesce(ls.h, s.h) FROM {live} t \
             JOIN {seen} s ON s.rid = t.rowid \
             LEFT JOIN {load} l ON {same_key} AND t._run <= l._run \
             LEFT JOIN {load_seen} ls ON ls.rid = l.rowid WHERE t.rowid BETWEEN ?1 AND ?2",
            next_seen = next.seen(),
            live = self.quoted(),
            seen = self.seen(),
            load = load.quoted(),
            load_seen = load.seen(),
            same_key = self.same_key("t", "l"),
        )
    }

    /// Copies what `load` has and this table has not. `?3` as for [`Self::joined`].
    fn added(&self, load: &Self, next: &Self) -> String {
        let columns = list(self.columns(), str::to_owned);
        format!(
            "INSERT INTO {next} ({columns}, _first_seen, _changed, _run, _deleted) \
             SELECT {columns}, coalesce(?3, _first_seen), coalesce(?3, _changed), _run, \
             iif(_deleted IS NULL, NULL, coalesce(?3, _deleted)) FROM {load} l \
             WHERE l.rowid BETWEEN ?1 AND ?2 AND NOT EXISTS (SELECT 1 FROM {live} t WHERE {same_key})",
            next = next.quoted(),
            load = load.quoted(),
            live = self.quoted(),
            same_key = self.same_key("t", "l"),
        )
    }

    /// Of this table, which is written anew, the hashes of what was added to it: above the rowid `?3`.
    fn added_hashes(&self, load: &Self) -> String {
        format!(
            "INSERT INTO {seen} SELECT n.rowid, ls.k, ls.h FROM {load} l \
             JOIN {load_seen} ls ON ls.rid = l.rowid JOIN {next} n ON {same_key} \
             WHERE l.rowid BETWEEN ?1 AND ?2 AND n.rowid > ?3",
            seen = self.seen(),
            next = self.quoted(),
            load = load.quoted(),
            load_seen = load.seen(),
            same_key = self.same_key("n", "l"),
        )
    }

    /// Copies rows, and of those that run `?3` wrote what stood there before it.
    fn set_back_rows(&self, before: &Self, next: &Self) -> String {
        let back = |name: &str| format!("iif(t._run = ?3, b.{name}, t.{name})");
        let own = ["_first_seen", "_changed", "_run", "_deleted"];
        format!(
            "INSERT INTO {next} (rowid, {columns}, {owns}) SELECT t.rowid, {values}, {own_values} \
             FROM {live} t LEFT JOIN {before} b ON b.rowid = t.rowid AND t._run = ?3 \
             WHERE t.rowid BETWEEN ?1 AND ?2 AND (t._run <> ?3 OR b.rowid IS NOT NULL)",
            next = next.quoted(),
            columns = list(self.columns(), str::to_owned),
            owns = own.join(", "),
            values = list(self.columns(), back),
            own_values = own.map(back).join(", "),
            live = self.quoted(),
            before = before.quoted(),
        )
    }

    fn set_back_hashes(&self, before: &Self, next: &Self) -> String {
        format!(
            "INSERT INTO {next_seen} SELECT t.rowid, s.k, iif(t._run = ?3, b.h, s.h) FROM {live} t \
             JOIN {seen} s ON s.rid = t.rowid LEFT JOIN {before_seen} b ON b.rid = t.rowid AND t._run = ?3 \
             WHERE t.rowid BETWEEN ?1 AND ?2 AND (t._run <> ?3 OR b.rid IS NOT NULL)",
            next_seen = next.seen(),
            live = self.quoted(),
            seen = self.seen(),
            before_seen = before.seen(),
        )
    }

    /// How many rows run `?3` wrote, and how many of them were there before it.
    fn count_back(&self, before: &Self) -> String {
        format!(
            "SELECT count(*), count(b.rowid) FROM {} t LEFT JOIN {} b ON b.rowid = t.rowid \
             WHERE t.rowid BETWEEN ?1 AND ?2 AND t._run = ?3",
            self.quoted(),
            before.quoted()
        )
    }
}

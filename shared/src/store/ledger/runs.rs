//! Runs: begun before they change anything, ended with their balance, and what they leave of a feed's state.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Ledger, maybe_parsed, maybe_time_at, micros, parsed};
use crate::{
    brake::Volume,
    health::Reason,
    id::{FeedId, RunId},
    record::Layout,
    run::{Counts, Outcome, Trigger, is_alike},
    store::StoreError,
};

/// A run that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStart {
    pub feed: FeedId,
    pub trigger: Trigger,
    pub at: Timestamp,
    /// Who ordered it.
    pub actor: Option<String>,
    /// From the very beginning, not from the cursor.
    pub full: bool,
    /// The file that it reads.
    pub file: Option<String>,
}

/// How a run ended, and what that means for its feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub cause: Option<Reason>,
    pub at: Timestamp,
    pub pages: u64,
    pub bytes: u64,
    pub counts: Counts,
    /// The newest time inside the data, where that is known; else the feed keeps what it had.
    pub event_at: Option<Timestamp>,
    /// When the feed is due again.
    pub next_at: Option<Timestamp>,
    /// What it counted waits beside the bank, and is not in it.
    pub waits: bool,
    /// Of when what it read is, where that was not now: an answer that had lain in a cache, a file that the brake held and a
    /// person let in.
    pub came_at: Option<Timestamp>,
}

/// What is remembered of a feed between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedState {
    pub checked_at: Option<Timestamp>,
    pub arrived_at: Option<Timestamp>,
    pub event_at: Option<Timestamp>,
    pub last_run: Option<RunId>,
    pub last_outcome: Option<Outcome>,
    pub reason: Option<String>,
    pub cause: Option<Reason>,
    /// Failed runs in a row.
    pub fails: u32,
    /// When the last run began.
    pub started_at: Option<Timestamp>,
    pub next_at: Option<Timestamp>,
    /// What a person ordered and is not done, in the daemon's own words.
    pub ordered: Option<String>,
    /// When the last read of all there is began that came to its end, held by the brake perhaps; of a feed that had none, its
    /// first good run.
    pub full_at: Option<Timestamp>,
}

impl Ledger {
    /// Begins a run: it has a number, and is seen to be running.
    pub fn begin_run(&mut self, start: &RunStart) -> Result<RunId, StoreError> {
        let sql = "INSERT INTO runs (feed, trigger, outcome, started_at, actor, full, file) \
                   VALUES (?, ?, 'running', ?, ?, ?, ?)";
        self.db.prepare_cached(sql)?.execute(params![
            start.feed.as_str(),
            start.trigger.word(),
            micros(start.at),
            start.actor,
            start.full,
            start.file
        ])?;
        Ok(RunId(self.db.last_insert_rowid()))
    }

    /// Ends a run that was begun, and brings its feed's state up to date.
    pub fn end_run(&mut self, id: RunId, start: &RunStart, end: &RunEnd) -> Result<(), StoreError> {
        self.close_run(id, end)?;
        self.note_feed(id, start, end)
    }

    /// Ends a run whose end could not be written when it came: what later runs say of the feed stands.
    pub fn end_late(
        &mut self,
        id: RunId,
        start: &RunStart,
        end: &RunEnd,
    ) -> Result<(), StoreError> {
        let last = self.feed_state(&start.feed)?.last_run;
        if last.is_some_and(|last| last > id) {
            return self.close_run(id, end);
        }
        self.end_run(id, start, end)
    }

    fn close_run(&mut self, id: RunId, end: &RunEnd) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET outcome = ?2, reason = ?3, cause = ?4, ended_at = ?5, pages = ?6, bytes = ?7, \
                   received = ?8, inserted = ?9, updated = ?10, unchanged = ?11, duplicate = ?12, deleted = ?13, \
                   quarantined = ?14, filtered = ?15, absent = ?16 WHERE id = ?1";
        let c = &end.counts;
        self.db.prepare_cached(sql)?.execute(params![
            id.0,
            end.outcome.word(),
            end.reason,
            end.cause.map(Reason::word),
            micros(end.at),
            signed(end.pages),
            signed(end.bytes),
            signed(c.received),
            signed(c.inserted),
            signed(c.updated),
            signed(c.unchanged),
            signed(c.duplicate),
            signed(c.deleted),
            signed(c.quarantined),
            signed(c.filtered),
            signed(c.absent),
        ])?;
        Ok(())
    }

    /// Records a run that needed no number while it went.
    pub fn record_run(&mut self, start: &RunStart, end: &RunEnd) -> Result<RunId, StoreError> {
        let sql = "INSERT INTO runs (feed, trigger, outcome, reason, cause, started_at, ended_at, pages, bytes, file, \
                   actor, full, received, unchanged, quarantined) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let c = &end.counts;
        self.db.prepare_cached(sql)?.execute(params![
            start.feed.as_str(),
            start.trigger.word(),
            end.outcome.word(),
            end.reason,
            end.cause.map(Reason::word),
            micros(start.at),
            micros(end.at),
            signed(end.pages),
            signed(end.bytes),
            start.file,
            start.actor,
            start.full,
            signed(c.received),
            signed(c.unchanged),
            signed(c.quarantined),
        ])?;
        let id = RunId(self.db.last_insert_rowid());
        self.note_feed(id, start, end)?;
        Ok(id)
    }

    fn note_feed(&mut self, id: RunId, start: &RunStart, end: &RunEnd) -> Result<(), StoreError> {
        if start.trigger == Trigger::Replay {
            return self.note_replay(&start.feed, end);
        }
        // An undo, or a look through a folder: nothing came, and no slot is met by what was taken back.
        let read_nothing = start.trigger == Trigger::Person
            && end.outcome.is_good()
            && end.pages == 0
            && start.file.is_none()
            && end.next_at.is_none();
        if read_nothing {
            return Ok(());
        }
        let sql = "INSERT INTO feed_state (feed, checked_at, arrived_at, event_at, last_run, last_outcome, reason, \
                   cause, fails, started_at, next_at, full_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, iif(?13 OR ?9 = 0, ?10, NULL)) \
                   ON CONFLICT (feed) DO UPDATE SET \
                   checked_at = coalesce(iif(checked_at <= ?14, max(checked_at, excluded.checked_at), NULL), excluded.checked_at, checked_at), \
                   arrived_at = coalesce(iif(arrived_at <= ?14, max(arrived_at, excluded.arrived_at), NULL), excluded.arrived_at, arrived_at), \
                   event_at = coalesce(excluded.event_at, event_at), last_run = excluded.last_run, \
                   last_outcome = excluded.last_outcome, reason = excluded.reason, cause = excluded.cause, \
                   fails = iif(excluded.fails = 0, 0, fails + ?12), started_at = excluded.started_at, \
                   next_at = excluded.next_at, full_at = iif(?13, excluded.full_at, coalesce(full_at, excluded.full_at)), \
                   waits = NULL";
        let good = end.outcome.is_good();
        let as_of = end.came_at.unwrap_or(end.at);
        // Of files each is one of its own.
        if !good && end.outcome != Outcome::Cancelled && start.file.is_none() {
            self.fold(id, &start.feed, end)?;
        }
        self.db.prepare_cached(sql)?.execute(params![
            start.feed.as_str(),
            // Looking through a folder reads nothing, and makes nothing fresh.
            (good && (end.pages > 0 || start.file.is_some())).then(|| micros(as_of)),
            (end.counts.changed() > 0 && !end.waits).then(|| micros(as_of)),
            end.event_at.map(micros),
            id.0,
            end.outcome.word(),
            end.reason,
            end.cause.map(Reason::word),
            i64::from(!good),
            micros(start.at),
            end.next_at.map(micros),
            // What we stopped ourselves is nobody's failure.
            i64::from(end.outcome != Outcome::Cancelled),
            start.full && (good || end.outcome == Outcome::Held),
            // What came out of a cache takes nothing from what came later, unless a clock was wrong that put that there.
            end.came_at.map(|_| micros(end.at)),
        ])?;
        Ok(())
    }

    /// How many rows the last good runs of a feed brought, newest first, at most `most`.
    pub fn volumes(&self, feed: &FeedId, most: usize) -> Result<Vec<Volume>, StoreError> {
        let sql = "SELECT received, released FROM runs WHERE feed = ? AND outcome IN ('succeeded', 'partial', 'unchanged') \
                   AND (pages > 0 OR file IS NOT NULL) ORDER BY id DESC LIMIT ?";
        let mut statement = self.db.prepare_cached(sql)?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![feed.as_str(), most], |row| {
            let rows = row.get::<_, i64>(0)?.cast_unsigned();
            Ok(Volume { rows, let_past: row.get(1)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A person let past the brake what a run brought, or took that back (`released`: no).
    pub fn let_past(&mut self, id: RunId, released: bool) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET released = ?2 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![id.0, released])?;
        Ok(())
    }

    /// How a run ended; `None`: it has not, or there is no such run.
    pub fn outcome_of(&self, run: RunId) -> Result<Option<Outcome>, StoreError> {
        let sql = "SELECT outcome FROM runs WHERE id = ? AND ended_at IS NOT NULL";
        let found = self.db.prepare_cached(sql)?.query_row([run.0], |row| parsed(row, "outcome"));
        Ok(found.optional()?)
    }

    /// Whether the brake held a run of the feed and nobody has decided yet, and no later read has been good. A read of all there
    /// is of which nothing is kept waits for nobody.
    pub fn waits(&self, feed: &FeedId, run: RunId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM runs WHERE id = ?2 AND feed = ?1 AND outcome = 'held' AND cause IS NULL AND NOT full AND NOT EXISTS \
                   (SELECT 1 FROM runs WHERE feed = ?1 AND id > ?2 AND outcome IN ('succeeded', 'partial', 'unchanged') \
                   AND trigger <> 'replay' AND (pages > 0 OR file IS NOT NULL))";
        Ok(self.db.prepare_cached(sql)?.exists(params![feed.as_str(), run.0])?)
    }

    /// A run that was held is over: a person released it, or let it go, or a later read took its place. Its records are as old
    /// as they were when they were read.
    pub fn settle_held(
        &mut self,
        id: RunId,
        outcome: Outcome,
        word: &str,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET outcome = ?2, reason = coalesce(reason || '; ', '') || ?3 \
                   WHERE id = ?1 AND outcome = 'held' RETURNING feed, ended_at, reason";
        let settled =
            self.db.prepare_cached(sql)?.query_row(params![id.0, outcome.word(), word], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, Option<i64>>(1)?,
                    row.get::<_, String>(2)?,
                ))
            });
        let Some((feed, read_at, reason)) = settled.optional()? else { return Ok(()) };
        let good = outcome.is_good();
        if good {
            self.let_past(id, true)?;
        }
        // Only of the last run it says how the feed stands.
        let sql = "UPDATE feed_state SET checked_at = iif(?3, max(coalesce(checked_at, 0), coalesce(?4, 0)), checked_at), \
                   arrived_at = iif(?3, max(coalesce(arrived_at, 0), coalesce(?4, 0)), arrived_at), \
                   last_outcome = iif(last_run = ?2, ?5, last_outcome), \
                   reason = iif(last_run = ?2, ?6, reason), cause = iif(last_run = ?2, NULL, cause), \
                   fails = iif(last_run = ?2 AND ?3, 0, fails) WHERE feed = ?1";
        self.db.prepare_cached(sql)?.execute(params![
            feed,
            id.0,
            good,
            read_at,
            outcome.word(),
            (!good).then_some(reason)
        ])?;
        Ok(())
    }

    /// A replay changes what the feed holds, and nothing of how it does: what it brought came long ago, and meets no slot of
    /// today. A file that only the brake had held counts as read when it came.
    fn note_replay(&mut self, feed: &FeedId, end: &RunEnd) -> Result<(), StoreError> {
        let Some(came_at) = end.came_at.filter(|_| end.outcome.is_good()) else { return Ok(()) };
        let arrived_at = (end.counts.changed() > 0).then_some(came_at);
        let sql = "INSERT INTO feed_state (feed, checked_at, arrived_at) VALUES (?, ?, ?) \
                   ON CONFLICT (feed) DO UPDATE SET checked_at = max(coalesce(checked_at, 0), excluded.checked_at), \
                   arrived_at = max(coalesce(arrived_at, 0), coalesce(excluded.arrived_at, arrived_at))";
        self.db.prepare_cached(sql)?.execute(params![
            feed.as_str(),
            micros(came_at),
            arrived_at.map(micros)
        ])?;
        Ok(())
    }

    /// A run that failed as the one before it did: lists may show the last of them for all.
    fn fold(&mut self, id: RunId, feed: &FeedId, end: &RunEnd) -> Result<(), StoreError> {
        let last = self.feed_state(feed)?;
        let (Some(before), Some(outcome)) = (last.last_run, last.last_outcome) else {
            return Ok(());
        };
        let alike = outcome == end.outcome
            && last.cause == end.cause
            && is_alike(
                last.reason.as_deref().unwrap_or_default(),
                end.reason.as_deref().unwrap_or_default(),
            );
        if !alike {
            return Ok(());
        }
        let count = "UPDATE runs SET alike = 1 + coalesce((SELECT alike FROM runs WHERE id = ?2), 0) WHERE id = ?1";
        self.db.prepare_cached(count)?.execute([id.0, before.0])?;
        self.db.prepare_cached("UPDATE runs SET followed = 1 WHERE id = ?")?.execute([before.0])?;
        Ok(())
    }

    /// When the feed is due next, before it has run at all.
    pub fn plan_feed(&mut self, feed: &FeedId, next_at: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO feed_state (feed, next_at) VALUES (?, ?) \
                   ON CONFLICT (feed) DO UPDATE SET next_at = excluded.next_at, waits = NULL";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), micros(next_at)])?;
        Ok(())
    }

    /// What is remembered of a feed.
    pub fn feed_state(&self, feed: &FeedId) -> Result<FeedState, StoreError> {
        let sql = "SELECT * FROM feed_state WHERE feed = ?";
        let state = self.db.prepare_cached(sql)?.query_row([feed.as_str()], |row| {
            Ok(FeedState {
                checked_at: maybe_time_at(row, "checked_at")?,
                arrived_at: maybe_time_at(row, "arrived_at")?,
                event_at: maybe_time_at(row, "event_at")?,
                last_run: row.get::<_, Option<i64>>("last_run")?.map(RunId),
                last_outcome: maybe_parsed(row, "last_outcome")?,
                reason: row.get("reason")?,
                cause: maybe_parsed(row, "cause")?,
                fails: row.get("fails")?,
                started_at: maybe_time_at(row, "started_at")?,
                next_at: maybe_time_at(row, "next_at")?,
                ordered: row.get("ordered")?,
                full_at: maybe_time_at(row, "full_at")?,
            })
        });
        Ok(state.optional()?.unwrap_or_default())
    }

    /// Keeps why it is not known what is gone of a feed; `None`: it is.
    pub fn note_sweep(&mut self, feed: &FeedId, unswept: Option<&str>) -> Result<(), StoreError> {
        let sql = "UPDATE feed_state SET unswept = ?2 WHERE feed = ?1";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), unswept])?;
        Ok(())
    }

    /// Keeps what a person ordered of a feed until it is done; `None`: it is.
    pub fn keep_order(&mut self, feed: &FeedId, order: Option<&str>) -> Result<(), StoreError> {
        let sql = "INSERT INTO feed_state (feed, ordered) VALUES (?, ?) \
                   ON CONFLICT (feed) DO UPDATE SET ordered = excluded.ordered";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), order])?;
        Ok(())
    }

    /// Runs that a daemon left running: it was killed. Each is to be ended.
    pub fn interrupted_runs(&self) -> Result<Vec<(RunId, RunStart)>, StoreError> {
        let mut statement =
            self.db.prepare("SELECT * FROM runs WHERE outcome = 'running' ORDER BY id")?;
        let runs = statement.query_map([], |row| {
            let start = RunStart {
                feed: parsed(row, "feed")?,
                trigger: parsed(row, "trigger")?,
                at: super::time_at(row, "started_at")?,
                actor: row.get("actor")?,
                full: row.get("full")?,
                file: row.get("file")?,
            };
            Ok((RunId(row.get("id")?), start))
        })?;
        Ok(runs.collect::<Result<_, _>>()?)
    }

    /// The columns that a feed without `fields` was given, if it has met data.
    pub fn layout(&self, feed: &FeedId) -> Result<Option<Layout>, StoreError> {
        let sql = "SELECT layout FROM layouts WHERE feed = ? ORDER BY id DESC LIMIT 1";
        let text: Option<String> =
            self.db.prepare_cached(sql)?.query_row([feed.as_str()], |row| row.get(0)).optional()?;
        text.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| {
            StoreError::Layout(format!("the layout of {feed} cannot be read: {error}"))
        })
    }

    /// Freezes the columns of a feed without `fields`, as its first page or file has them.
    pub fn freeze_layout(
        &mut self,
        feed: &FeedId,
        run: RunId,
        layout: &Layout,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let text =
            serde_json::to_string(layout).map_err(|error| StoreError::Layout(error.to_string()))?;
        let sql = "INSERT INTO layouts (feed, layout, run, at) VALUES (?, ?, ?, ?)";
        self.db.execute(sql, params![feed.as_str(), text, run.0, micros(at)])?;
        Ok(())
    }

    /// Removes at most `limit` ended runs, oldest first: those of before `unchanged` that found nothing new, and all of
    /// before `any`; never a feed's last. Gives how many.
    pub fn prune_runs(
        &mut self,
        unchanged: Timestamp,
        any: Timestamp,
        limit: u32,
    ) -> Result<usize, StoreError> {
        let sql = "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE id < (SELECT max(id) FROM runs) \
                   AND started_at < iif(outcome = 'unchanged', ?1, ?2) AND outcome <> 'running' \
                   AND id NOT IN (SELECT last_run FROM feed_state WHERE last_run IS NOT NULL) ORDER BY id LIMIT ?3)";
        Ok(self.db.execute(sql, params![micros(unchanged), micros(any), limit])?)
    }
}

/// Counts are far below 2^63.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

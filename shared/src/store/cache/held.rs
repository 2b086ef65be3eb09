//! A load that waits for a person: read to its end, and kept beside the live table until it is released or discarded.
//!
//! A feed has at most one, of its newest run that was held. It stays over a restart, and is gone once a later read of all
//! there is has been good, or the feed's columns have changed: then there is nothing left to decide.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Cache, Change, Ended, moves::Move, no_reading, table::Table, text_of};
use crate::{
    id::{FeedId, RunId},
    run::Counts,
    store::StoreError,
};

/// A load that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub run: RunId,
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Whether the brake holds it; else only whoever ordered it wanted to see it first.
    pub by_brake: bool,
    /// What it would do, with what never came to the cache.
    pub counts: Counts,
    /// Records that lived when it was read.
    pub lived: u64,
    /// Where the cursor stood when it was read, and where it goes with it; equal where it does not move.
    pub stood: Option<String>,
    pub cursor: Option<String>,
    pub ended: Ended,
    /// Whether the load holds deletions.
    gone: bool,
    keeps_past: bool,
}

/// What waits, as whoever holds it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub reason: String,
    pub by_brake: bool,
    pub counts: Counts,
    pub stood: Option<String>,
    pub cursor: Option<String>,
    pub ended: Ended,
}

/// What became of a load that was released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// Records that a later run has written since it was read: they stay as that run left them.
    pub left: u64,
    pub held: Held,
}

impl Cache {
    /// Lets the feed's load wait instead of joining. Gives the run whose load waited so far, and is dropped.
    pub fn hold(
        &mut self,
        feed: &FeedId,
        at: Timestamp,
        holding: Holding,
    ) -> Result<Option<RunId>, StoreError> {
        self.touch(feed);
        let mut reading = self.readings.remove(feed).ok_or_else(|| no_reading(feed))?;
        let before = self.drop_held(feed)?;
        let table = Table::of(&self.db, feed)?;
        reading.make(&self.db)?;
        table.load().rename(&self.db, &table.held())?;
        let Holding { reason, by_brake, counts, stood, cursor, ended } = holding;
        let held = Held {
            run: reading.run,
            at,
            reason,
            by_brake,
            counts,
            lived: reading.lived(),
            stood,
            cursor,
            ended,
            gone: reading.has_gone(),
            keeps_past: reading.keeps_past(),
        };
        // What told an unchanged answer spoke of a read before: the next one is read, and may take the place of this.
        let sql = "UPDATE marsad_feed SET held = ?2, validators = NULL WHERE feed = ?1";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), text_of(&held)?])?;
        Ok(before)
    }

    /// What of the feed waits.
    pub fn held(&self, feed: &FeedId) -> Result<Option<Held>, StoreError> {
        let sql = "SELECT held FROM marsad_feed WHERE feed = ?";
        let found = self.db.prepare_cached(sql)?.query_row([feed.as_str()], |row| row.get(0));
        let text: Option<String> = found.optional()?.flatten();
        // What an older version wrote otherwise cannot be released: it is read again.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Joins what `run` loaded to the live table, as it was read: what a later run has written since stays. The cursor moves
    /// with it only from where it stood then. A second time it does nothing more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if nothing of that run waits.
    pub fn release(
        &mut self,
        feed: &FeedId,
        run: RunId,
        at: Timestamp,
        actor: &str,
    ) -> Result<Released, StoreError> {
        let held = self.held(feed)?.filter(|held| held.run == run);
        let held = held.ok_or_else(|| nothing_waits(run))?;
        let live = Table::of(&self.db, feed)?;
        let load = live.held();
        let left = live.written_since(&self.db, &load, run)?;
        let stands = self.position(feed)?.cursor;
        let swap = self.swapped(feed, Change::Release { run, at })?;
        let (wrote, mut before) = (load.count(&self.db)?, None);
        if held.keeps_past && wrote > 0 {
            self.open_undo(feed, run, at, stands.as_deref(), wrote - left)?;
            match swap {
                Some(_) => before = Some(self.keep_aside(feed, run)?),
                None => live.keep_versions(&self.db, &load, run, at)?,
            }
        }
        match swap {
            Some(swap) => swap.put_in_place(&self.db, before.as_ref())?,
            None => load.merge_into(&self.db, &live, held.gone, Some(at))?,
        }
        self.recount(feed, &live)?;
        let sql =
            "UPDATE marsad_feed SET held = NULL, validators = NULL, ended = ?2 WHERE feed = ?1";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), text_of(&held.ended)?])?;
        if stands == held.stood {
            let (to, reason) = (held.cursor.as_deref(), "released by a person");
            self.move_cursor(feed, &Move { run, to, at, reason, actor: Some(actor) })?;
        }
        Ok(Released { left, held })
    }

    /// Drops what `run` loaded; the live table never knew of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if nothing of that run waits.
    pub fn discard_held(&mut self, feed: &FeedId, run: RunId) -> Result<(), StoreError> {
        if self.held(feed)?.is_none_or(|held| held.run != run) {
            return Err(nothing_waits(run));
        }
        self.drop_held(feed).map(drop)
    }

    /// Drops whatever waits of the feed. Gives its run.
    pub fn drop_held(&mut self, feed: &FeedId) -> Result<Option<RunId>, StoreError> {
        let held = self.held(feed)?;
        let sql = "UPDATE marsad_feed SET held = NULL WHERE feed = ? AND held IS NOT NULL";
        // Of words that cannot be read any more too.
        if self.db.prepare_cached(sql)?.execute([feed.as_str()])? > 0 {
            Table::of(&self.db, feed)?.held().drop(&self.db)?;
        }
        Ok(held.map(|held| held.run))
    }
}

fn nothing_waits(run: RunId) -> StoreError {
    StoreError::Conflict(format!(
        "nothing of {run} waits: it was released or discarded, a later read took its place, or the feed's columns have changed"
    ))
}

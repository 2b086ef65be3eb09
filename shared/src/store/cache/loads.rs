//! Loads: what a run reads beside the live table, to join it in one step, or to wait for a person, or to leave no trace.

use jiff::Timestamp;
use rusqlite::params;

use super::{
    Cache, Change, Ended, FileEnd, Last, Manner, Position, moves::Move, no_reading,
    reading::Reading, table::Table, text_of,
};
use crate::{
    id::{FeedId, RunId},
    record::Batch,
    run::Counts,
    store::StoreError,
};

/// What a load comes to, before it joins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Records that lived when the run began.
    pub lived: u64,
    pub counts: Counts,
}

impl Cache {
    /// Begins a run that loads beside the live table.
    pub fn begin_load(
        &mut self,
        feed: &FeedId,
        run: RunId,
        manner: Manner,
    ) -> Result<(), StoreError> {
        // What a load left that the disk had no room to take back.
        Table::of(&self.db, feed)?.load().drop(&self.db)?;
        let reading = Reading::of_load(&self.db, feed, run, manner)?;
        self.remember(feed, reading);
        Ok(())
    }

    /// Loads a piece. Gives the run's counts so far.
    pub fn load(
        &mut self,
        feed: &FeedId,
        batch: &Batch,
        at: Timestamp,
    ) -> Result<Counts, StoreError> {
        self.touch(feed);
        let reading = self.readings.get_mut(feed).ok_or_else(|| no_reading(feed))?;
        reading.apply(&self.db, batch, at)?;
        Ok(reading.counts)
    }

    /// Loads a piece of which rows may have been left unread. Gives the run's counts so far, and the first row that has to be
    /// read, if one has: it and what stands behind it are still to be loaded.
    pub fn load_known(
        &mut self,
        feed: &FeedId,
        batch: &Batch,
        at: Timestamp,
    ) -> Result<(Counts, Option<usize>), StoreError> {
        self.touch(feed);
        let reading = self.readings.get_mut(feed).ok_or_else(|| no_reading(feed))?;
        let unread = reading.apply_known(&self.db, batch, at)?;
        Ok((reading.counts, unread))
    }

    /// What the load comes to so far.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if no run of the feed is under way.
    pub fn weigh(&self, feed: &FeedId) -> Result<Weight, StoreError> {
        let reading = self.readings.get(feed).ok_or_else(|| no_reading(feed))?;
        Ok(Weight { lived: reading.lived(), counts: reading.counts })
    }

    /// Whether a living record was not met so far.
    ///
    /// # Errors
    /// As [`Self::weigh`].
    pub fn lacks(&self, feed: &FeedId) -> Result<bool, StoreError> {
        let reading = self.readings.get(feed).ok_or_else(|| no_reading(feed))?;
        Ok(reading.lacks())
    }

    /// Takes every living record that the load has not met as one that is gone: it was read to its end, and is all there
    /// is.
    pub fn infer_absent(&mut self, feed: &FeedId, at: Timestamp) -> Result<Counts, StoreError> {
        self.touch(feed);
        let reading = self.readings.get_mut(feed).ok_or_else(|| no_reading(feed))?;
        reading.infer_absent(&self.db, at)?;
        Ok(reading.counts)
    }

    /// Joins what was loaded to the live table and marks its files as had, in one step. Files without rows leave the
    /// live table as it is.
    pub fn finish_files(
        &mut self,
        feed: &FeedId,
        had: &[FileEnd],
        at: Timestamp,
        ended: impl FnOnce(Counts) -> Ended,
    ) -> Result<Counts, StoreError> {
        let reading = self.join(feed, at)?;
        let run = reading.run;
        let ended = text_of(&ended(reading.counts))?;
        let sql = "UPDATE marsad_feed SET rows = rows + ?2, ended = ?3 WHERE feed = ?1";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), reading.growth, ended])?;
        self.note_files(feed, run, at, had)?;
        Ok(reading.counts)
    }

    /// Joins what a walk loaded to the live table, with where the feed stands behind it, in one step.
    pub fn finish_walk(
        &mut self,
        feed: &FeedId,
        at: Timestamp,
        last: &Last,
    ) -> Result<Counts, StoreError> {
        let reading = self.join(feed, at)?;
        self.end_walk(feed, reading.run, reading.growth, at, last)?;
        Ok(reading.counts)
    }

    /// Joins what was loaded beside the cursor's way, a stretch of time or all there is: the cursor, and a walk that is open, stay as
    /// they are.
    pub fn finish_beside_cursor(
        &mut self,
        feed: &FeedId,
        at: Timestamp,
        ended: &Ended,
    ) -> Result<Counts, StoreError> {
        let reading = self.join(feed, at)?;
        let sql = "UPDATE marsad_feed SET rows = rows + ?2, ended = ?3, validators = NULL WHERE feed = ?1";
        self.db.prepare_cached(sql)?.execute(params![
            feed.as_str(),
            reading.growth,
            self.beside_cursor(feed, ended)?
        ])?;
        Ok(reading.counts)
    }

    /// What a walk that was read to its end leaves behind it.
    pub(super) fn end_walk(
        &self,
        feed: &FeedId,
        run: RunId,
        growth: i64,
        at: Timestamp,
        last: &Last,
    ) -> Result<(), StoreError> {
        let validators = last.validators.as_ref().map(text_of).transpose()?;
        let sql = "UPDATE marsad_feed SET walk = NULL, rows = rows + ?2, validators = ?3, ended = ?4 WHERE feed = ?1";
        let ended = text_of(&last.ended)?;
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), growth, validators, ended])?;
        let (to, actor) = (last.cursor.as_deref(), last.actor.as_deref());
        self.move_cursor(feed, &Move { run, to, at, reason: last.reason, actor })
    }

    /// The run's reading, once what it loaded stands in the live table. What it replaced is kept where it is to be.
    fn join(&mut self, feed: &FeedId, at: Timestamp) -> Result<Reading, StoreError> {
        self.touch(feed);
        let reading = self.readings.remove(feed).ok_or_else(|| no_reading(feed))?;
        let swap = self.swapped(feed, Change::Load)?;
        let (wrote, mut before) = (reading.written(&self.db)?, None);
        if reading.keeps_past() && wrote > 0 {
            let Position { cursor, .. } = self.position(feed)?;
            self.open_undo(feed, reading.run, at, cursor.as_deref(), wrote)?;
            before = swap.is_some().then(|| self.keep_aside(feed, reading.run)).transpose()?;
        }
        match swap {
            Some(swap) => swap.put_in_place(&self.db, before.as_ref())?,
            None => reading.join(&self.db, at)?,
        }
        Ok(reading)
    }

    /// Ends the feed's run: forgets what it knew, and drops what it had loaded and not finished.
    pub fn end(&mut self, feed: &FeedId) -> Result<(), StoreError> {
        self.drop_swap(feed)?;
        // A load that failed was forgotten with its transaction; its tables may stand all the same.
        if self.readings.remove(feed).is_some_and(|reading| !reading.is_load()) {
            return Ok(());
        }
        Table::find_of(&self.db, feed)?.map_or(Ok(()), |table| table.load().drop(&self.db))
    }
}

//! One run's writing: where its rows go, and what it knows of those that are there.

use std::{borrow::Cow, collections::HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    Manner,
    known::{Known, Mark},
    parts::put_together,
    rows::{Place, Rows, Stamp},
    table::Table,
};
use crate::{
    id::{FeedId, RunId},
    record::{Batch, GONE},
    run::Counts,
    store::StoreError,
};

/// A run under way.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) run: RunId,
    pub(super) counts: Counts,
    /// By how many the live records have grown; what is deleted counts against it.
    pub(super) growth: i64,
    manner: Manner,
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
        /// Whether it holds deletions.
        gone: bool,
    },
}

/// How a row that is there already is recognised.
#[derive(Debug)]
enum Memory {
    /// The target was empty when the run began: whatever is there came with this run, and the table's own key finds
    /// it. Costs no memory, but for the keys (their hashes) that came as deleted and have no row.
    Own(HashSet<u64>),
    /// Hashes of what was there, and of what this run has met.
    Hashes(Known),
}

impl Reading {
    pub(super) fn of_pages(
        db: &Connection,
        feed: &FeedId,
        run: RunId,
        manner: Manner,
    ) -> Result<Self, StoreError> {
        let live = Table::of(db, feed)?;
        if manner.keeps_past {
            live.make_past(db)?;
        }
        let memory = live.memory(db)?;
        Ok(Self::new(run, manner, live, Target::Live, memory))
    }

    pub(super) fn of_load(
        db: &Connection,
        feed: &FeedId,
        run: RunId,
        manner: Manner,
    ) -> Result<Self, StoreError> {
        let live = Table::of(db, feed)?;
        let memory = live.memory(db)?;
        let target = Target::Load { table: live.load(), made: false, gone: false };
        Ok(Self::new(run, manner, live, target, memory))
    }

    fn new(run: RunId, manner: Manner, live: Table, target: Target, memory: Memory) -> Self {
        Self { run, counts: Counts::default(), growth: 0, manner, live, target, memory }
    }

    /// Records that lived when the run began.
    pub(super) const fn lived(&self) -> u64 {
        self.live.rows
    }

    /// Whether what it replaces is kept.
    pub(super) const fn keeps_past(&self) -> bool {
        self.manner.keeps_past
    }

    /// How many rows its load would write.
    pub(super) fn written(&self, db: &Connection) -> Result<u64, StoreError> {
        match &self.target {
            Target::Load { table, made: true, .. } => table.count(db),
            Target::Load { .. } | Target::Live => Ok(0),
        }
    }

    /// Whether its load has rows to merge with those that are there.
    pub(super) fn merges(&self, db: &Connection) -> Result<bool, StoreError> {
        Ok(matches!(self.memory, Memory::Hashes(_)) && self.written(db)? > 0)
    }

    /// Whether its load holds deletions.
    pub(super) const fn has_gone(&self) -> bool {
        matches!(self.target, Target::Load { gone: true, .. })
    }

    /// Makes the tables of its load, if no row has done so.
    pub(super) fn make(&mut self, db: &Connection) -> Result<(), StoreError> {
        if let Target::Load { table, made: made @ false, .. } = &mut self.target {
            table.create(db)?;
            *made = true;
        }
        Ok(())
    }

    /// Whether it loads beside the live table.
    pub(super) const fn is_load(&self) -> bool {
        matches!(self.target, Target::Load { .. })
    }

    /// Puts the rows of `batch` in their place and counts them. All of them were read.
    pub(super) fn apply(
        &mut self,
        db: &Connection,
        batch: &Batch,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        match self.apply_known(db, batch, at)? {
            None => Ok(()),
            Some(row) => Err(StoreError::Conflict(format!("row {row} of the batch was not read"))),
        }
    }

    /// The same, where rows may have been left unread. Gives the first one that has to be read: it and what stands behind it
    /// are not in their place yet.
    pub(super) fn apply_known(
        &mut self,
        db: &Connection,
        batch: &Batch,
        at: Timestamp,
    ) -> Result<Option<usize>, StoreError> {
        let in_live = matches!(self.target, Target::Live);
        let table = match &mut self.target {
            Target::Live => &self.live,
            Target::Load { table, made, gone } => {
                *gone |= batch.hashes().iter().any(|hash| hash.is_gone());
                if !*made {
                    // Left there by a run that could not clear up, on a full disk or by a kill.
                    table.drop(db)?;
                    table.create(db)?;
                    *made = true;
                }
                table
            }
        };
        let batch = if batch.has_parts() {
            let tables = if in_live { vec![table] } else { vec![table, &self.live] };
            Cow::Owned(put_together(db, &tables, batch)?)
        } else {
            Cow::Borrowed(batch)
        };
        let place = Place { live: &self.live, table, in_live };
        let stamp = Stamp { run: self.run, at: at.as_microsecond() };
        let rows = Rows::new(db, place, stamp, self.manner, &mut self.counts, &mut self.growth);
        match &mut self.memory {
            Memory::Own(missed) => rows.put_all_by_key(&batch, missed),
            Memory::Hashes(known) => rows.put_all_by_hash(&batch, known),
        }
    }

    /// Whether a record that lived when the run began was not met.
    pub(super) fn lacks(&self) -> bool {
        match &self.memory {
            Memory::Own(_) => false,
            Memory::Hashes(known) => known.met_living() < self.lived(),
        }
    }

    /// Puts into the load, as deleted, every living record that it has not met.
    pub(super) fn infer_absent(
        &mut self,
        db: &Connection,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        // Where nothing stood, nothing can be missing.
        if matches!(self.memory, Memory::Own(_)) {
            return Ok(());
        }
        self.make(db)?;
        let (Memory::Hashes(known), Target::Load { table, gone, .. }) =
            (&mut self.memory, &mut self.target)
        else {
            return Ok(());
        };
        let mut copy = db.prepare_cached(&table.copy_as_gone(&self.live))?;
        let mut note = db.prepare_cached(&table.note_seen())?;
        let mut all = db.prepare(&format!("SELECT rid, k, h FROM {}", self.live.seen()))?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (rid, key, content): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let known = known.find(key.cast_unsigned());
            let is_met = known.is_some_and(|entry| entry.mark() != Mark::Unseen);
            if content.cast_unsigned() == GONE || is_met {
                continue;
            }
            copy.execute(params![rid, at.as_microsecond(), self.run.0])?;
            note.execute(params![db.last_insert_rowid(), key, GONE.cast_signed()])?;
            *gone = true;
            self.counts.absent += 1;
            self.growth -= 1;
        }
        Ok(())
    }

    /// Joins what was loaded to the live table: swapped in whole where that was empty, merged by key else.
    pub(super) fn join(&self, db: &Connection, at: Timestamp) -> Result<(), StoreError> {
        match &self.target {
            Target::Live | Target::Load { made: false, .. } => Ok(()),
            Target::Load { table, gone, .. } => match self.memory {
                Memory::Own(_) => table.replace(db, &self.live),
                Memory::Hashes(_) => {
                    if self.manner.keeps_past {
                        self.live.keep_versions(db, table, self.run, at)?;
                    }
                    table.merge_into(db, &self.live, *gone, None)
                }
            },
        }
    }
}

impl Table {
    fn memory(&self, db: &Connection) -> Result<Memory, StoreError> {
        // Living records tell that there is something; where there are none, deleted ones may be.
        let rows = if self.rows > 0 { self.rows } else { self.count(db)? };
        Ok(if rows == 0 { Memory::Own(HashSet::new()) } else { Memory::Hashes(Known::of(rows)) })
    }
}

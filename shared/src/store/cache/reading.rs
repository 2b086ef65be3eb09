//! One run's writing: where its rows go, and what it knows of those that are there.

use std::{borrow::Cow, collections::HashSet};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    known::Known,
    parts::put_together,
    rows::{Place, Rows, Stamp},
    table::Table,
};
use crate::{
    id::{FeedId, RunId},
    record::Batch,
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
    pub(super) fn of_pages(db: &Connection, feed: &FeedId, run: RunId) -> Result<Self, StoreError> {
        let live = Table::of(db, feed)?;
        let memory = live.memory(db)?;
        Ok(Self::new(run, live, Target::Live, memory))
    }

    pub(super) fn of_file(db: &Connection, feed: &FeedId, run: RunId) -> Result<Self, StoreError> {
        let live = Table::of(db, feed)?;
        let memory = live.memory(db)?;
        let target = Target::Load { table: live.load(), made: false, gone: false };
        Ok(Self::new(run, live, target, memory))
    }

    fn new(run: RunId, live: Table, target: Target, memory: Memory) -> Self {
        Self { run, counts: Counts::default(), growth: 0, live, target, memory }
    }

    /// Whether it loads beside the live table.
    pub(super) const fn is_load(&self) -> bool {
        matches!(self.target, Target::Load { .. })
    }

    /// Puts the rows of `batch` in their place and counts them.
    pub(super) fn apply(
        &mut self,
        db: &Connection,
        batch: &Batch,
        at: Timestamp,
    ) -> Result<(), StoreError> {
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
        let rows = Rows::new(db, place, stamp, &mut self.counts, &mut self.growth);
        match &mut self.memory {
            Memory::Own(missed) => rows.put_all_by_key(&batch, missed),
            Memory::Hashes(known) => rows.put_all_by_hash(&batch, known),
        }
    }

    /// Joins what was loaded to the live table: swapped in whole where that was empty, merged by key else.
    pub(super) fn join(&self, db: &Connection) -> Result<(), StoreError> {
        match &self.target {
            Target::Live | Target::Load { made: false, .. } => Ok(()),
            Target::Load { table, gone, .. } => match self.memory {
                Memory::Own(_) => table.replace(db, &self.live),
                Memory::Hashes(_) => table.merge_into(db, &self.live, *gone),
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

//! What a run knows of the rows that are there: enough to tell new, changed, unchanged and repeated ones apart.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use rusqlite::Connection;

use super::table::Table;
use crate::store::StoreError;

/// After so many look-ups, and a share of the table, it is cheaper to read the whole side index at once.
const LOOKUPS_MIN: u64 = 2_000;
const LOOKUPS_SHARE: u64 = 16;

/// What this run has done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Not met yet.
    Unseen,
    Unchanged,
    /// Written to the target table by this run.
    Written,
}

/// What is known of one key: 16 bytes, so that a million rows cost little.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) content: u64,
    /// The rowid, and the mark in the two lowest bits.
    packed: u64,
}

impl Entry {
    pub(super) fn new(content: u64, rid: i64, mark: Mark) -> Self {
        let bits = match mark {
            Mark::Unseen => 0,
            Mark::Unchanged => 1,
            Mark::Written => 2,
        };
        Self { content, packed: rid.cast_unsigned() << 2 | bits }
    }

    pub(super) fn rid(self) -> i64 {
        (self.packed >> 2).cast_signed()
    }

    pub(super) fn mark(self) -> Mark {
        match self.packed & 3 {
            0 => Mark::Unseen,
            1 => Mark::Unchanged,
            _ => Mark::Written,
        }
    }
}

/// Rows by the hash of their key.
#[derive(Debug)]
pub(super) struct Known {
    entries: HashMap<u64, Entry, BuildHasherDefault<AlreadyHashed>>,
    /// Whether every row of the table is among them.
    complete: bool,
    lookups: u64,
    rows: u64,
}

impl Known {
    /// For a table of `rows` rows.
    pub(super) fn of(rows: u64) -> Self {
        Self { entries: HashMap::default(), complete: rows == 0, lookups: 0, rows }
    }

    pub(super) fn find(&self, key: u64) -> Option<Entry> {
        self.entries.get(&key).copied()
    }

    pub(super) fn put(&mut self, key: u64, entry: Entry) {
        self.entries.insert(key, entry);
    }

    /// Whether a key that is not found may still stand in the table.
    pub(super) fn must_look_up(&self) -> bool {
        !self.complete
    }

    /// Counts a look-up, and reads the whole side index once that is the cheaper way.
    pub(super) fn looked_up(&mut self, db: &Connection, live: &Table) -> Result<(), StoreError> {
        self.lookups += 1;
        if self.lookups < LOOKUPS_MIN.max(self.rows / LOOKUPS_SHARE) {
            return Ok(());
        }
        self.entries
            .reserve(usize::try_from(self.rows).unwrap_or(0).saturating_sub(self.entries.len()));
        let mut statement = db.prepare(&format!("SELECT rid, k, h FROM {}", live.seen()))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = row.get::<_, i64>(1)?.cast_unsigned();
            let entry =
                Entry::new(row.get::<_, i64>(2)?.cast_unsigned(), row.get(0)?, Mark::Unseen);
            self.entries.entry(key).or_insert(entry);
        }
        self.complete = true;
        Ok(())
    }
}

/// Keys are hashes already.
#[derive(Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

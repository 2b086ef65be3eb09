//! What a run knows of the rows that are there: enough to tell new, changed, unchanged and repeated ones apart.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use rusqlite::Connection;

use super::table::Table;
use crate::{record::GONE, run::Counts, store::StoreError};

/// After so many look-ups, and a share of the table, it is cheaper to read the whole side index at once.
const LOOKUPS_MIN: u64 = 2_000;
const LOOKUPS_SHARE: u64 = 16;

/// How the bank stood on a key when the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// It did not know it.
    Absent,
    Live,
    /// It knew it as deleted.
    Gone,
}

/// What this run has done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Not met yet.
    Unseen,
    /// Met, and left as it was.
    Unchanged,
    /// Written to the target table by this run.
    Written,
}

/// What is known of one key: 16 bytes, so that a million rows cost little.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The hash of what stands there now; [`GONE`] if nothing does, or something deleted.
    pub(super) content: u64,
    /// The rowid, and in the four lowest bits how it was before and the mark.
    packed: u64,
}

impl Entry {
    /// A key that the bank does not know.
    pub(super) const ABSENT: Self = Self::new(GONE, 0, Before::Absent, Mark::Unseen);

    const fn new(content: u64, rid: i64, before: Before, mark: Mark) -> Self {
        let before = match before {
            Before::Absent => 0,
            Before::Live => 1,
            Before::Gone => 2,
        };
        let mark = match mark {
            Mark::Unseen => 0,
            Mark::Unchanged => 1,
            Mark::Written => 2,
        };
        Self { content, packed: rid.cast_unsigned() << 4 | before << 2 | mark }
    }

    /// A row that stood there before the run.
    pub(super) const fn of_bank(content: u64, rid: i64) -> Self {
        let before = if content == GONE { Before::Gone } else { Before::Live };
        Self::new(content, rid, before, Mark::Unseen)
    }

    /// A row that this run has brought, where nothing stood.
    pub(super) const fn brought(content: u64, rid: i64) -> Self {
        Self::new(content, rid, Before::Absent, Mark::Written)
    }

    /// The same, met by this run and left as it is.
    pub(super) fn met(self) -> Self {
        match self.mark() {
            Mark::Unseen => Self::new(self.content, self.rid(), self.before(), Mark::Unchanged),
            Mark::Unchanged | Mark::Written => self,
        }
    }

    /// The same key, written by this run.
    pub(super) fn written(self, content: u64, rid: i64) -> Self {
        Self::new(content, rid, self.before(), Mark::Written)
    }

    /// Its row in the target table if this run has written it there, else in the live one; 0: it has none.
    pub(super) const fn rid(self) -> i64 {
        (self.packed >> 4).cast_signed()
    }

    pub(super) const fn before(self) -> Before {
        match self.packed >> 2 & 3 {
            0 => Before::Absent,
            1 => Before::Live,
            _ => Before::Gone,
        }
    }

    pub(super) const fn mark(self) -> Mark {
        match self.packed & 3 {
            0 => Mark::Unseen,
            1 => Mark::Unchanged,
            _ => Mark::Written,
        }
    }

    /// Whether a live record stands there now.
    pub(super) const fn is_live(self) -> bool {
        self.content != GONE
    }

    /// The count in which a key that was met stands, by how it was before the run and how it is now. A deletion of what
    /// is not there changes nothing, so that it is unchanged, whether the bank has it as deleted or never had it.
    pub(super) const fn count_in(self, counts: &mut Counts) -> &mut u64 {
        match (self.mark(), self.before(), self.is_live()) {
            (Mark::Written, Before::Absent, true) => &mut counts.inserted,
            (Mark::Written, Before::Live | Before::Gone, true) => &mut counts.updated,
            (Mark::Written, Before::Live, false) => &mut counts.deleted,
            (Mark::Written, Before::Absent | Before::Gone, false)
            | (Mark::Unseen | Mark::Unchanged, _, _) => &mut counts.unchanged,
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
            let entry = Entry::of_bank(row.get::<_, i64>(2)?.cast_unsigned(), row.get(0)?);
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

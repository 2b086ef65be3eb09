//! What a run knows of the rows that are there: enough to tell new, changed, unchanged and repeated ones apart.

use rusqlite::Connection;

use super::table::Table;
use crate::{record::GONE, run::Counts, store::StoreError};

/// After so many look-ups, and a share of the table, it is cheaper to read the whole side index at once.
const LOOKUPS_MIN: u64 = 2_000;
const LOOKUPS_SHARE: u64 = 32;
/// About so many rows of the side index are read in the time of one look-up: estimated from a profile, and of no weight
/// for what is right.
const READ_FOR_ONE: usize = 8;
/// The fewest slots of an index: what comes after has some room.
const SLOTS_MIN: usize = 64;

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
///
/// They are kept in the order in which they stand in the table or were met, because that is the order in which most files
/// bring them: the next one that is asked for is nearly always the next one that is known. Only for what comes otherwise
/// is there an index, made once it is needed. Of a row that is 24 bytes, and 8 to 16 of the index.
#[derive(Debug)]
pub(super) struct Known {
    rows: Vec<(u64, Entry)>,
    index: Index,
    /// Where the row stands that should be asked for next, behind the one that was found last.
    next: usize,
    /// Whether every row of the table is among them.
    complete: bool,
    lookups: u64,
    there: u64,
}

impl Known {
    /// For a table of `rows` rows.
    pub(super) fn of(rows: u64) -> Self {
        Self {
            rows: Vec::new(),
            index: Index::default(),
            next: 0,
            complete: rows == 0,
            lookups: 0,
            there: rows,
        }
    }

    pub(super) fn find(&mut self, key: u64) -> Option<Entry> {
        let at = self.place(key)?;
        self.next = at + 1;
        self.rows.get(at).map(|(_, entry)| *entry)
    }

    pub(super) fn put(&mut self, key: u64, entry: Entry) {
        // What is put was asked for a moment ago.
        let found = self.next.checked_sub(1).filter(|at| self.is_at(*at, key));
        let Some(at) = found.or_else(|| self.place(key)) else {
            self.rows.push((key, entry));
            self.index.add(&self.rows);
            return;
        };
        if let Some((_, known)) = self.rows.get_mut(at) {
            *known = entry;
        }
    }

    /// How many were met of those that lived when the run began.
    pub(super) fn met_living(&self) -> u64 {
        let is_met = |entry: &Entry| entry.before() == Before::Live && entry.mark() != Mark::Unseen;
        self.rows.iter().filter(|(_, entry)| is_met(entry)).count() as u64
    }

    /// Whether a key that is not found may still stand in the table.
    pub(super) fn must_look_up(&self) -> bool {
        !self.complete
    }

    /// Whether the whole side index is read sooner than `rows` rows are looked up.
    pub(super) fn is_small_beside(&self, rows: usize) -> bool {
        self.there < (rows * READ_FOR_ONE) as u64
    }

    /// Counts a look-up, and reads the whole side index once that is the cheaper way.
    pub(super) fn looked_up(&mut self, db: &Connection, live: &Table) -> Result<(), StoreError> {
        self.lookups += 1;
        if self.lookups < LOOKUPS_MIN.max(self.there / LOOKUPS_SHARE) {
            return Ok(());
        }
        self.read_all(db, live)
    }

    /// Reads the whole side index, if that was not done.
    pub(super) fn read_all(&mut self, db: &Connection, live: &Table) -> Result<(), StoreError> {
        if self.complete {
            return Ok(());
        }
        let (met, there) = (self.rows.len(), usize::try_from(self.there).unwrap_or(0));
        self.rows.reserve_exact(there.saturating_sub(met));
        let mut statement = db.prepare(&format!("SELECT rid, k, h FROM {}", live.seen()))?;
        let mut rows = statement.query([])?;
        // What was met before stands in front, in the table's order perhaps.
        let mut next = 0;
        while let Some(row) = rows.next()? {
            let key = row.get::<_, i64>(1)?.cast_unsigned();
            let known = if self.is_at(next, key) {
                Some(next)
            } else {
                self.index.find(self.rows.get(..met).unwrap_or_default(), key)
            };
            if let Some(at) = known {
                next = at + 1;
                continue;
            }
            let entry = Entry::of_bank(row.get::<_, i64>(2)?.cast_unsigned(), row.get(0)?);
            self.rows.push((key, entry));
        }
        self.index.forget();
        self.complete = true;
        Ok(())
    }

    fn place(&mut self, key: u64) -> Option<usize> {
        if self.is_at(self.next, key) {
            return Some(self.next);
        }
        self.index.find(&self.rows, key)
    }

    fn is_at(&self, at: usize, key: u64) -> bool {
        self.rows.get(at).is_some_and(|(there, _)| *there == key)
    }
}

/// Where rows stand, by their key: slots of which at most half are taken, each with the number of a row, from 1.
#[derive(Debug, Default)]
struct Index {
    slots: Vec<u32>,
    /// How many rows are in it.
    len: usize,
}

impl Index {
    fn find(&mut self, rows: &[(u64, Entry)], key: u64) -> Option<usize> {
        self.fill(rows);
        let mut slot = self.slot(key);
        loop {
            let at = (*self.slots.get(slot)?).checked_sub(1)? as usize;
            if rows.get(at).is_some_and(|(there, _)| *there == key) {
                return Some(at);
            }
            slot = (slot + 1) % self.slots.len();
        }
    }

    /// Takes the last row up, if anything was ever looked for.
    fn add(&mut self, rows: &[(u64, Entry)]) {
        if !self.slots.is_empty() {
            self.fill(rows);
        }
    }

    /// It is made anew when it is needed.
    fn forget(&mut self) {
        *self = Self::default();
    }

    /// Takes up the rows that it lacks.
    fn fill(&mut self, rows: &[(u64, Entry)]) {
        if self.slots.is_empty() || self.slots.len() < 2 * rows.len() {
            let slots = (2 * rows.len()).next_power_of_two().max(SLOTS_MIN);
            (self.slots, self.len) = (vec![0; slots], 0);
        }
        for (at, (key, _)) in rows.iter().enumerate().skip(self.len) {
            let mut slot = self.slot(*key);
            while self.slots.get(slot).is_some_and(|taken| *taken != 0) {
                slot = (slot + 1) % self.slots.len();
            }
            if let (Some(free), Ok(number)) = (self.slots.get_mut(slot), u32::try_from(at + 1)) {
                *free = number;
            }
        }
        self.len = rows.len();
    }

    /// Where a key is looked for first: keys are hashes already, and there is a power of two of slots.
    fn slot(&self, key: u64) -> usize {
        usize::try_from(key).unwrap_or(usize::MAX) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{super::Cache, *};
    use crate::{
        feed::{Field, FieldType},
        id::FeedId,
        record::Layout,
    };

    /// An entry that is told from others by its rowid.
    fn entry(rid: i64) -> Entry {
        Entry::of_bank(1, rid)
    }

    proptest! {
        #[test]
        fn what_is_put_is_found_in_whatever_order(keys in prop::collection::vec(0_u64..40, 0..300)) {
            let mut known = Known::of(0);
            let mut model = HashMap::new();
            for (step, key) in keys.into_iter().enumerate() {
                // Keys that fall on few slots, and far from one another.
                let (key, rid) = ((key << 60) | (key % 3), i64::try_from(step).unwrap());
                if step % 3 != 0 {
                    prop_assert_eq!(known.find(key).map(Entry::rid), model.get(&key).copied());
                }
                known.put(key, entry(rid));
                model.insert(key, rid);
            }
            prop_assert_eq!(known.rows.len(), model.len());
            for (key, rid) in model {
                prop_assert_eq!(known.find(key).map(Entry::rid), Some(rid));
            }
        }
    }

    #[test]
    fn what_comes_in_the_order_in_which_it_is_known_needs_no_index() {
        let mut known = Known::of(0);
        (1..=100).for_each(|key| known.rows.push((key, entry(1))));
        for key in 1..=100 {
            assert!(known.find(key).is_some());
            known.put(key, entry(2));
        }
        assert!(known.index.slots.is_empty() && known.rows.len() == 100);
        assert!(known.find(101).is_none() && known.find(7).is_some_and(|entry| entry.rid() == 2));
        assert!(!known.index.slots.is_empty(), "what comes otherwise does");
    }

    #[test]
    fn what_was_met_stays_as_it_is_when_all_the_others_are_read() {
        let temp = tempfile::tempdir().unwrap();
        let mut cache = Cache::open(&temp.path().join("cache.db")).unwrap();
        let feed: FeedId = "a/b".parse().unwrap();
        let fields = vec![Field::new("id", FieldType::Text)];
        let layout = Layout::new(fields, &["id".to_owned()]).unwrap();
        cache.prepare(&feed, &layout).unwrap();
        let live = Table::of(&cache.db, &feed).unwrap();
        let rows = 2 * LOOKUPS_MIN.cast_signed();
        let note = live.note_seen();
        for rid in 1..=rows {
            cache.db.prepare_cached(&note).unwrap().execute((rid, -rid, 1)).unwrap();
        }
        for (step, first, why) in [(1, 1, "in the table's order"), (2, 2, "in another")] {
            let mut known = Known::of(rows.cast_unsigned());
            let asked: Vec<_> = (first..=rows).step_by(step).take(2_000).collect();
            for rid in &asked {
                assert!(known.must_look_up(), "{why}");
                assert!(known.find((-rid).cast_unsigned()).is_none(), "{why}");
                known.looked_up(&cache.db, &live).unwrap();
                known.put((-rid).cast_unsigned(), entry(rid + rows));
            }
            assert!(!known.must_look_up(), "{why}");
            for rid in 1..=rows {
                let expected = if asked.contains(&rid) { rid + rows } else { rid };
                let found = known.find((-rid).cast_unsigned()).map(Entry::rid);
                assert_eq!(found, Some(expected), "{why}");
            }
            assert_eq!(known.rows.len() as u64, rows.cast_unsigned(), "{why}: each once");
        }
    }
}

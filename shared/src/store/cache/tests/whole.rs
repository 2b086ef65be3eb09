//! Reads of all there is, against a model: joined, held and released or discarded, undone, with other runs between, and the
//! daemon killed anywhere.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;

/// Something that happens to the bank.
#[derive(Clone, Debug)]
enum Deed {
    /// A run that reads what changed, straight into the live table.
    Pages(Vec<Row>),
    /// A read of all there is. `truth`: what it does not have is gone.
    Whole {
        rows: Vec<Row>,
        truth: bool,
        then: Then,
    },
    /// What waits is released.
    Release {
        anew: bool,
    },
    Discard,
    /// The run is undone that is the n-th newest of those that can be. `anew`: its table was begun to be written anew before,
    /// if it has to be.
    Undo {
        nth: usize,
        anew: bool,
    },
    /// Its configuration says from now on that it keeps every version, or no longer.
    Remember(bool),
    /// The daemon is killed between two transactions of a read, or of so many pieces of a table that is written anew behind
    /// it, and starts again.
    Kill(Vec<Row>, usize),
}

/// What becomes of a load.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// `anew`: the live table is written anew.
    Join {
        anew: bool,
    },
    Hold,
    /// The run is cancelled.
    Drop,
}

/// A record as SQLite holds it, with the run that wrote it last.
type Record = (Option<i64>, i64, i64, bool);
type Records = BTreeMap<u8, Record>;

/// What the bank should hold.
#[derive(Clone, Debug, Default)]
struct Model {
    records: Records,
    /// The run that waits, with what it would write and whether what it lacks is gone.
    held: Option<(i64, Records)>,
    /// Runs that can be undone, with each record that they wrote as it was before.
    undo: BTreeMap<i64, BTreeMap<u8, Option<Record>>>,
    remembers: bool,
}

impl Model {
    /// What a read would write, beside what is there.
    fn load(&self, rows: &[Row], truth: bool, run: i64) -> Records {
        let mut load = Records::new();
        let mut met = std::collections::BTreeSet::new();
        for row in rows {
            met.insert(row.key);
            let there = load.get(&row.key).or_else(|| self.records.get(&row.key)).copied();
            let content = row.content.map(i64::from);
            let first = there.map_or(run, |(_, first, _, _)| first);
            match there {
                Some((was, _, _, true)) if was == content => {}
                None | Some((_, _, _, false)) if content.is_none() => {}
                _ => {
                    load.insert(row.key, (content, first, run, content.is_some()));
                }
            }
        }
        for (key, (_, first, _, live)) in &self.records {
            if truth && *live && !met.contains(key) {
                load.insert(*key, (None, *first, run, false));
            }
        }
        load
    }

    fn join(&mut self, load: &Records, run: i64, can_undo: bool) {
        let mut before = BTreeMap::new();
        for (key, (content, _, by, live)) in load {
            let there = self.records.get(key).copied();
            if there.is_some_and(|(_, _, later, _)| later > run) {
                continue;
            }
            before.insert(*key, there);
            let first = there.map_or(*by, |(_, first, _, _)| first);
            self.records.insert(*key, (*content, first, *by, *live));
        }
        if can_undo && !load.is_empty() {
            self.undo.insert(run, before);
        }
    }

    fn undo(&mut self, run: i64) {
        let undone = self.undo.remove(&run).unwrap_or_default();
        // What later runs would give back of it is what it replaced.
        for (key, before) in self.undo.values_mut().flatten() {
            if before.is_some_and(|(_, _, by, _)| by == run) {
                *before = undone.get(key).copied().flatten();
            }
        }
        for (key, before) in undone {
            if self.records.get(&key).is_some_and(|(_, _, by, _)| *by == run) {
                match before {
                    Some(record) => self.records.insert(key, record),
                    None => self.records.remove(&key),
                };
            }
        }
    }
}

impl Bank {
    /// The live table, by key.
    fn stands(&self) -> Records {
        let sql = "SELECT id, content, _first_seen, _run, _deleted IS NULL, h FROM courts__orders t \
                   JOIN courts__orders__seen s ON s.rid = t.rowid";
        let mut statement = self.cache.db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let live: bool = row.get(4)?;
            assert_eq!(row.get::<_, i64>(5)? == GONE.cast_signed(), !live);
            let key = row.get::<_, String>(0)?.parse().unwrap();
            // What a deleted record held is nobody's promise.
            let content = row.get::<_, Option<i64>>(1)?.filter(|_| live);
            Ok((key, (content, row.get::<_, i64>(2)? / 1_000_000, row.get(3)?, live)))
        });
        let records: Records = rows.unwrap().map(Result::unwrap).collect();
        let live = records.values().filter(|(.., live)| *live).count() as u64;
        assert_eq!(self.cache.position(&self.feed).unwrap().rows, live);
        records
    }

    fn begin(&mut self) -> (RunId, Timestamp) {
        self.runs += 1;
        (RunId(self.runs), Timestamp::from_second(self.runs).unwrap())
    }

    /// Loads rows, one transaction for each, and gives what they come to.
    fn load(&mut self, rows: &[Row], truth: bool) -> (RunId, Counts) {
        let ((run, at), feed) = (self.begin(), self.feed.clone());
        let manner = Manner { keeps_past: true, ..Manner::default() };
        self.durably(|cache| cache.begin_load(&feed, run, manner));
        for row in rows {
            let batch = self.batch(&[*row]);
            self.durably(|cache| cache.load(&feed, &batch, at));
        }
        let lived = |bank: &Self| bank.stands().into_iter().filter(|(_, (.., live))| *live);
        let lacks = lived(self).any(|(key, _)| rows.iter().all(|row| row.key != key));
        assert_eq!(self.cache.lacks(&feed).unwrap(), lacks);
        if truth {
            self.durably(|cache| cache.infer_absent(&feed, at));
        }
        (run, self.cache.weigh(&feed).unwrap().counts)
    }

    /// Writes the live table anew for a change: all of it, or as many pieces. Gives whether it was to be.
    fn write_anew(&mut self, change: Change, pieces: usize) -> bool {
        let feed = self.feed.clone();
        let begun = self.durably(|cache| cache.begin_swap(&feed, change));
        let mut more = begun;
        let mut written = 0;
        while more && written < pieces {
            more = self.durably(|cache| cache.swap_piece(&feed));
            written += 1;
        }
        begun
    }

    fn last(run: RunId, counts: Counts) -> Last {
        let ended = Ended::of(run, counts);
        Last { cursor: None, validators: None, reason: "full read", actor: None, ended }
    }

    fn reopen(&mut self) {
        let file = self.cache.file.clone();
        // Dropped without a word: a second connection must not find the first one's.
        self.cache = Cache::open(&file).unwrap();
        self.cache.swap_from = 1;
    }
}

fn does(bank: &mut Bank, model: &mut Model, deed: &Deed) {
    let feed = bank.feed.clone();
    match deed {
        Deed::Pages(rows) => {
            let load = model.load(rows, false, bank.runs + 1);
            model.join(&load, bank.runs + 1, false);
            bank.read(&Brought { file: false, pieces: vec![rows.clone()] });
        }
        Deed::Whole { rows, truth, then } => {
            let load = model.load(rows, *truth, bank.runs + 1);
            let before = bank.stands();
            let (run, counts) = bank.load(rows, *truth);
            assert!(counts.balances(), "{counts:?}");
            assert_eq!(bank.stands(), before, "nothing is seen of a load");
            assert_eq!(counts.changed(), changed(&before, &load), "{counts:?}");
            let at = Timestamp::from_second(run.0).unwrap();
            match then {
                Then::Join { anew } => {
                    if *anew {
                        let begun = bank.write_anew(Change::Load, usize::MAX);
                        let is_large = !before.is_empty() && !load.is_empty();
                        assert_eq!(begun, is_large && !model.remembers);
                        assert_eq!(bank.stands(), before, "nothing is seen of a table beside");
                    }
                    let last = Bank::last(run, counts);
                    bank.durably(|cache| {
                        cache.finish_walk(&feed, at, &last)?;
                        cache.drop_held(&feed)
                    });
                    model.join(&load, run.0, true);
                    model.held = None;
                }
                Then::Hold => {
                    let ended = Bank::last(run, counts).ended;
                    let reason = "half of them".to_owned();
                    let (stood, cursor) = (None, None);
                    let holding = Holding { reason, by_brake: true, counts, stood, cursor, ended };
                    let before = bank.durably(|cache| cache.hold(&feed, at, holding));
                    assert_eq!(before.map(|run| run.0), model.held.as_ref().map(|held| held.0));
                    model.held = Some((run.0, load));
                }
                Then::Drop => bank.durably(|cache| cache.end(&feed)),
            }
        }
        Deed::Release { anew } => {
            let at = Timestamp::from_second(bank.runs).unwrap();
            let Some((run, load)) = model.held.take() else {
                let none = bank.cache.release(&feed, RunId(bank.runs), at, "noor");
                assert!(matches!(none, Err(StoreError::Conflict(_))), "nothing waits");
                return;
            };
            let first: Vec<u8> =
                load.keys().filter(|key| !model.records.contains_key(key)).copied().collect();
            if *anew {
                bank.write_anew(Change::Release { run: RunId(run), at }, usize::MAX);
            }
            let released = bank.durably(|cache| cache.release(&feed, RunId(run), at, "noor"));
            let later = |(_, _, by, _): &Record| *by > run;
            let left = load.keys().filter_map(|key| model.records.get(key)).filter(|r| later(r));
            assert_eq!(released.left, left.count() as u64);
            model.join(&load, run, true);
            for key in first {
                // It is known from when it was released.
                if let Some(record) = model.records.get_mut(&key) {
                    record.1 = bank.runs;
                }
            }
        }
        Deed::Discard => {
            let run = model.held.take().map_or(RunId(0), |held| RunId(held.0));
            bank.cache.begin().unwrap();
            let discarded = bank.cache.discard_held(&feed, run);
            bank.cache.commit().unwrap();
            assert_eq!(discarded.is_ok(), run != RunId(0));
        }
        Deed::Undo { nth, anew } => undo(bank, model, *nth, *anew),
        Deed::Remember(remembers) => {
            let since = remembers.then(|| Timestamp::from_second(bank.runs).unwrap());
            bank.durably(|cache| cache.keep_history(&feed, since));
            model.remembers = *remembers;
        }
        Deed::Kill(rows, pieces) => {
            bank.load(rows, true);
            bank.write_anew(Change::Load, *pieces);
            bank.reopen();
            let sql = "SELECT 1 FROM sqlite_schema WHERE name LIKE '%next%' OR name LIKE '%load%'";
            assert!(!bank.cache.db.prepare(sql).unwrap().exists([]).unwrap(), "it left something");
        }
    }
}

/// Undoes the `nth` newest run of those that can be.
fn undo(bank: &mut Bank, model: &mut Model, nth: usize, anew: bool) {
    let feed = bank.feed.clone();
    let runs = bank.cache.undoable(&feed).unwrap();
    let known: Vec<i64> = model.undo.keys().rev().copied().collect();
    assert_eq!(runs.iter().map(|run| run.0).collect::<Vec<_>>(), known);
    let Some(run) = runs.get(nth).copied() else { return };
    let (by, at) = bank.begin();
    if anew {
        bank.write_anew(Change::Undo { run }, usize::MAX);
    }
    let remembers = model.remembers;
    let undoing = Undoing { run, by, at, actor: "noor", remembers, cursor: None };
    let undone = bank.durably(|cache| cache.undo_run(&feed, &undoing));
    let later = |key: &&u8| model.records.get(key).is_none_or(|record| record.2 != run.0);
    let left = model.undo.get(&run.0).unwrap().keys().filter(later).count();
    assert_eq!(undone.left, left as u64, "{undone:?}");
    let again = bank.cache.undo_run(&feed, &undoing);
    assert!(matches!(again, Err(StoreError::Conflict(_))), "once");
    model.undo(run.0);
    // It was weighed against what is no longer so.
    model.held = None;
}

/// Records that a load would change.
fn changed(before: &Records, load: &Records) -> u64 {
    let changes = |(key, (_, _, _, live)): (&u8, &Record)| {
        // What came and went within the load changes nothing.
        *live || before.get(key).is_some_and(|(.., lived)| *lived)
    };
    load.iter().filter(|record| changes(*record)).count() as u64
}

fn deed() -> impl Strategy<Value = Deed> {
    let rows = || vec(row(false), 0..6);
    let then = prop_oneof![3 => any::<bool>().prop_map(|anew| Then::Join { anew }), 2 => Just(Then::Hold), 1 => Just(Then::Drop)];
    prop_oneof![
        3 => rows().prop_map(Deed::Pages),
        6 => (rows(), any::<bool>(), then).prop_map(|(rows, truth, then)| Deed::Whole { rows, truth, then }),
        2 => any::<bool>().prop_map(|anew| Deed::Release { anew }),
        1 => Just(Deed::Discard),
        3 => (0_usize..3, any::<bool>()).prop_map(|(nth, anew)| Deed::Undo { nth, anew }),
        1 => any::<bool>().prop_map(Deed::Remember),
        1 => (rows(), 0_usize..5).prop_map(|(rows, pieces)| Deed::Kill(rows, pieces)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_history_of_whole_reads_leaves_what_the_model_says(deeds in vec(deed(), 1..10)) {
        let (mut bank, mut model) = (Bank::new(false), Model::default());
        bank.cache.swap_from = 1;
        for deed in &deeds {
            does(&mut bank, &mut model, deed);
            prop_assert_eq!(bank.stands(), model.records.clone(), "after {:?}", deed);
        }
        bank.reopen();
        prop_assert_eq!(bank.stands(), model.records.clone(), "after a restart");
        let held = bank.cache.held(&bank.feed).unwrap();
        prop_assert_eq!(held.map(|held| held.run.0), model.held.map(|held| held.0));
    }
}

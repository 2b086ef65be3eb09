//! The bank against a model of it: random histories, in pages and files, with deletions and versions.

use std::collections::BTreeMap;

use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::{
    feed::{Field, FieldType},
    record::GONE,
};

/// A row of one key: what it holds, or that it is deleted, and its version.
#[derive(Clone, Copy, Debug)]
struct Row {
    key: u8,
    /// `None`: it is deleted.
    content: Option<u8>,
    version: Option<i64>,
}

/// Rows that one run brings, a page or a piece of a file each.
#[derive(Clone, Debug)]
struct Brought {
    file: bool,
    pieces: Vec<Vec<Row>>,
}

/// How a key stands in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    first_seen: i64,
    live: bool,
    /// As far as it was live.
    content: Option<u8>,
    version: Option<i64>,
}

struct Bank {
    _folder: tempfile::TempDir,
    cache: Cache,
    feed: FeedId,
    layout: Layout,
    runs: i64,
}

impl Bank {
    fn new(versioned: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache.db");
        let mut cache = Cache::open(&file).unwrap();
        let fields = [
            Field::new("id", FieldType::Text),
            Field::new("seq", FieldType::Integer),
            Field::new("content", FieldType::Integer),
        ];
        let layout = Layout::new(fields.to_vec(), &["id".to_owned()]).unwrap();
        let layout = layout.versioned(versioned.then_some("seq")).unwrap();
        let feed: FeedId = "courts/orders".parse().unwrap();
        cache.prepare(&feed, &layout).unwrap();
        Self { _folder: folder, cache, feed, layout, runs: 0 }
    }

    fn batch(&self, rows: &[Row]) -> Batch {
        let mut batch = Batch::new(&self.layout, self.cache.seed());
        for row in rows {
            let mut built = batch.row();
            built.text(&row.key.to_string());
            match row.version {
                Some(version) => built.integer(version),
                None => built.null(),
            }
            if let Some(content) = row.content {
                built.integer(content.into());
                built.finish();
            } else {
                built.null();
                built.finish_gone();
            }
        }
        batch
    }

    /// The same rows, every other one left unread.
    fn left_unread(&self, batch: &Batch) -> Batch {
        let mut left = Batch::new(&self.layout, self.cache.seed());
        for (row, hash) in batch.hashes().iter().enumerate() {
            let mut built = left.row();
            if hash.is_gone() || row % 2 == 1 {
                batch.values(row).for_each(|value| built.value(value));
                if hash.is_gone() { built.finish_gone() } else { built.finish() }
            } else {
                // As it was written: nothing that a column would take.
                batch.values(row).for_each(|_| built.text("?"));
                built.finish_unread(*hash, 0);
            }
        }
        left
    }

    /// Loads a piece of which only what has to be is read.
    fn load_known(&mut self, rows: &[Row], at: Timestamp) -> Counts {
        let (feed, batch) = (self.feed.clone(), self.batch(rows));
        let known = self.left_unread(&batch);
        let (counts, unread) = self.durably(|cache| cache.load_known(&feed, &known, at));
        let Some(unread) = unread else { return counts };
        assert!(known.is_unread(unread));
        let rest = self.batch(rows.get(unread..).unwrap());
        self.durably(|cache| cache.load(&feed, &rest, at))
    }

    /// One run, in one transaction for each piece; gives its counts.
    fn read(&mut self, brought: &Brought) -> Counts {
        self.runs += 1;
        let (run, at) = (RunId(self.runs), Timestamp::from_second(self.runs).unwrap());
        let ended = |counts| Ended::of(run, counts);
        let (feed, mut counts) = (self.feed.clone(), Counts::default());
        let begin = if brought.file { Cache::begin_load } else { Cache::begin_pages };
        self.durably(|cache| begin(cache, &feed, run, Manner::default()));
        for (at_piece, piece) in brought.pieces.iter().enumerate() {
            if brought.file {
                counts = self.load_known(piece, at);
                continue;
            }
            let (batch, last) = (self.batch(piece), at_piece + 1 == brought.pieces.len());
            counts = self.durably(|cache| {
                cache.apply_page(&feed, &batch, at, |counts| {
                    let (cursor, validators, ended) = (None, None, ended(counts));
                    let reason = "read to the end";
                    let last_page =
                        PageEnd::Last(Last { cursor, validators, reason, actor: None, ended });
                    if last { last_page } else { PageEnd::Broken }
                })
            });
        }
        if brought.file {
            let had = [FileEnd { hash: run.to_string(), name: run.to_string() }];
            counts = self.durably(|cache| cache.finish_files(&feed, &had, at, ended));
        }
        self.durably(|cache| cache.end(&feed));
        counts
    }

    fn durably<R>(&mut self, work: impl FnOnce(&mut Cache) -> Result<R, StoreError>) -> R {
        self.cache.begin().unwrap();
        let done = work(&mut self.cache).unwrap();
        self.cache.commit().unwrap();
        done
    }

    /// What stands in the table, after its side index and its count were compared with it.
    fn records(&self) -> BTreeMap<u8, Known> {
        let sql = "SELECT id, seq, content, _first_seen, _deleted IS NULL, h FROM courts__orders t \
                   JOIN courts__orders__seen s ON s.rid = t.rowid";
        let mut statement = self.cache.db.prepare(sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut records = BTreeMap::new();
        while let Some(row) = rows.next().unwrap() {
            let known = Known {
                version: row.get(1).unwrap(),
                content: row.get(2).unwrap(),
                first_seen: row.get::<_, i64>(3).unwrap() / 1_000_000,
                live: row.get(4).unwrap(),
            };
            assert_eq!(row.get::<_, i64>(5).unwrap() == GONE.cast_signed(), !known.live);
            records.insert(row.get::<_, String>(0).unwrap().parse().unwrap(), known);
        }
        let count = |table: &str| -> u32 {
            let sql = format!("SELECT count(*) FROM {table}");
            self.cache.db.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        let have = u32::try_from(records.len()).unwrap();
        assert_eq!(count("courts__orders"), have, "each has its hashes");
        assert_eq!(count("courts__orders__seen"), have, "and nothing else has");
        let live = records.values().filter(|known| known.live).count() as u64;
        assert_eq!(self.cache.position(&self.feed).unwrap().rows, live);
        records
    }
}

/// The model: what a run of `rows` makes of `known`, and how it is counted.
fn model(
    known: &mut BTreeMap<u8, Known>,
    rows: impl Iterator<Item = Row>,
    run: i64,
    versioned: bool,
) -> Counts {
    let (before, mut counts) = (known.clone(), Counts::default());
    let mut met: BTreeMap<u8, bool> = BTreeMap::new();
    for row in rows {
        counts.received += 1;
        counts.duplicate += u64::from(met.contains_key(&row.key));
        let written = met.entry(row.key).or_default();
        let there = known.get(&row.key).copied();
        let versions = row.version.zip(there.and_then(|known| known.version));
        let (older, newer) = match versions.filter(|_| versioned) {
            Some((new, there)) => (new < there, new > there),
            None => (false, versioned && row.version.is_some()),
        };
        let live = there.is_some_and(|known| known.live);
        match (row.content, there) {
            _ if older => {}
            (Some(content), there) => {
                let first_seen = there.map_or(run, |known| known.first_seen);
                let is = Known { first_seen, live: true, content: Some(content), ..row.into() };
                *written |= there != Some(is);
                known.insert(row.key, is);
            }
            (None, Some(there)) if live || newer => {
                let version = if versioned { row.version.or(there.version) } else { there.version };
                *written = true;
                known.insert(row.key, Known { live: false, version, ..there });
            }
            (None, None) if newer => {
                *written = true;
                known.insert(row.key, Known { first_seen: run, live: false, ..row.into() });
            }
            (None, _) => {}
        }
    }
    for (key, written) in met {
        let was = before.get(&key);
        let is_live = known.get(&key).is_some_and(|known| known.live);
        let count = match (written, was, is_live) {
            (true, None, true) => &mut counts.inserted,
            (true, Some(_), true) => &mut counts.updated,
            (true, Some(was), false) if was.live => &mut counts.deleted,
            _ => &mut counts.unchanged,
        };
        *count += 1;
    }
    counts
}

impl From<Row> for Known {
    fn from(row: Row) -> Self {
        Self { first_seen: 0, live: false, content: row.content, version: row.version }
    }
}

/// Live records alone: what a deleted one held is nobody's promise.
fn live(records: &BTreeMap<u8, Known>) -> BTreeMap<u8, Known> {
    records.iter().filter(|(_, known)| known.live).map(|(key, known)| (*key, *known)).collect()
}

/// What must be known of every key, live or not.
fn standing(records: &BTreeMap<u8, Known>) -> Vec<(u8, i64, bool)> {
    records.iter().map(|(key, known)| (*key, known.first_seen, known.live)).collect()
}

fn row(versioned: bool) -> impl Strategy<Value = Row> {
    // As the check has it: only a deletion comes without a version.
    (0_u8..5, option::weighted(0.6, 0_u8..3), 0_i64..6, any::<bool>()).prop_map(
        move |(key, content, version, bare)| Row {
            key,
            content,
            version: (versioned && (content.is_some() || !bare)).then_some(version),
        },
    )
}

fn history(versioned: bool) -> impl Strategy<Value = Vec<Brought>> {
    let pieces = vec(vec(row(versioned), 0..6), 1..4);
    let brought = (any::<bool>(), pieces).prop_map(|(file, pieces)| Brought { file, pieces });
    vec(brought, 1..6)
}

fn follows_the_model(versioned: bool, history: &[Brought]) {
    let (mut bank, mut known) = (Bank::new(versioned), BTreeMap::new());
    for (run, brought) in (1..).zip(history) {
        let counts = bank.read(brought);
        let rows = brought.pieces.iter().flatten().copied();
        let expected = model(&mut known, rows, run, versioned);
        assert!(counts.balances(), "{counts:?}");
        assert_eq!(counts, expected, "run {run}");
        let records = bank.records();
        assert_eq!(live(&records), live(&known), "run {run}");
        assert_eq!(standing(&records), standing(&known), "run {run}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_history_leaves_what_the_model_says(history in history(false)) {
        follows_the_model(false, &history);
    }

    #[test]
    fn any_history_of_versions_leaves_what_the_model_says(history in history(true)) {
        follows_the_model(true, &history);
    }

    #[test]
    fn versions_in_any_order_with_any_repeats_have_one_result(
        history in vec((any::<bool>(), vec(vec((0_u8..4, 0_i64..8), 0..6), 1..4)), 1..5),
    ) {
        // A version of a key always says the same: every fourth that the record is deleted.
        let row = |(key, version): (u8, i64)| {
            let told = version.wrapping_mul(31) + i64::from(key);
            let content = (told % 4 != 0).then_some(told.to_le_bytes()[0]);
            Row { key, content, version: Some(version) }
        };
        let mut bank = Bank::new(true);
        let mut newest: BTreeMap<u8, i64> = BTreeMap::new();
        for (file, pieces) in history {
            for (key, version) in pieces.iter().flatten() {
                let best = newest.entry(*key).or_insert(*version);
                *best = (*best).max(*version);
            }
            let pieces = pieces.into_iter().map(|piece| piece.into_iter().map(row).collect());
            let counts = bank.read(&Brought { file, pieces: pieces.collect() });
            prop_assert!(counts.balances());
        }
        let records = bank.records();
        for (key, version) in newest {
            let expected = row((key, version));
            let known = records[&key];
            prop_assert_eq!(known.version, Some(version));
            prop_assert_eq!(known.live.then_some(known.content).flatten(), expected.content);
        }
    }
}

mod ahead;
mod whole;

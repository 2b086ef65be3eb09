//! `cache.db`: the information bank, how far each feed was read, and which files it has had.
//!
//! A run that reads what changed puts each page straight into the live table, in one transaction with the position behind
//! it. A file, and a read of all there is, are loaded beside the live table, piece by piece, so that a long one delays
//! nobody, and join it in one step at their end (`loads`); until then nothing of them is visible, and a crash leaves
//! nothing of them. What looks wrong waits there for a person (`held`), and what was replaced can be given back
//! (`past`).

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{StoreError, schema, writer::Database};
use crate::{
    feed::{Keeping, Mode},
    id::{FeedId, RunId},
    record::{Batch, Layout, Spelling},
    run::Counts,
};

mod files;
mod held;
mod known;
mod loads;
mod merge;
mod moves;
mod orphans;
mod parts;
mod past;
mod reading;
mod replay;
mod rows;
mod swap;
pub(super) mod table;
mod undo;

pub use files::{FileEnd, LatestFile};
pub use held::{Held, Holding, Released};
pub use loads::Weight;
pub use orphans::Orphans;
use reading::Reading;
pub use replay::Replayed;
pub use swap::Change;
use swap::{SWAP_FROM, Swap};
use table::Table;
pub use undo::{Undoing, Undone};

/// So many prepared statements are kept, at 3 to 6 KiB each: each feed has its own, and of ten feeds all are at hand.
const STATEMENTS: usize = 40;

/// With so many pages, 64 MiB, the log is written home: of feeds that are stored again and again each page is written home
/// once for many times.
const CHECKPOINT: i64 = 16_384;

/// The run of a cursor's move that no run made.
pub(super) const NO_RUN: RunId = RunId(0);

/// How far a feed has been read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Position {
    /// The greatest value of its incremental field, behind which the next walk begins.
    pub cursor: Option<String>,
    /// A walk that has not reached its end.
    pub walk: Option<Walk>,
    /// What the partner gave us to ask whether anything changed.
    pub validators: Option<Validators>,
    /// Live records.
    pub rows: u64,
    /// The last run that was read to its end.
    pub ended: Option<Ended>,
}

/// What a run had done when its last page or file was committed, in the same transaction: so that a crash before the
/// ledger hears of it takes nothing back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub run: RunId,
    pub pages: u64,
    pub bytes: u64,
    /// Rows in quarantine among them.
    pub counts: Counts,
    /// The newest time inside the data, where that is known.
    pub event_at: Option<Timestamp>,
    /// The cursor whose own record a later walk brought once more: the partner gives what stands at it, and it was still there.
    #[serde(default)]
    pub confirmed: Option<String>,
    /// Its cursor waits for a second look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// What the feed's records were declared to be, as a hash; `None`: nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<u64>,
    /// How the partner writes the times of its cursor; `None`: nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spelling: Option<Spelling>,
}

/// A walk that nothing bore out: its cursor goes on once another one from the same place has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The cursor that it began at.
    pub from: Option<String>,
    /// Where the cursor goes.
    pub to: String,
}

impl Ended {
    /// Of a run that read no pages and no bytes.
    pub const fn of(run: RunId, counts: Counts) -> Self {
        Self {
            run,
            pages: 0,
            bytes: 0,
            counts,
            event_at: None,
            confirmed: None,
            look: None,
            declared: None,
            spelling: None,
        }
    }
}

/// A walk over the pages of a feed, as far as it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    pub run: RunId,
    /// When its first page was asked for: what was written since then may be missing from the pages already read.
    pub began_at: Timestamp,
    /// When its last page was committed.
    pub at: Timestamp,
    /// From the very beginning.
    pub full: bool,
    /// The cursor when it began.
    pub since: Option<String>,
    /// The greatest value of the incremental field so far.
    pub best: Option<String>,
    /// How to ask for the next page: the walker's own words.
    pub next: serde_json::Value,
    pub pages: u64,
    pub bytes: u64,
    pub counts: Counts,
}

/// What tells an unchanged answer without reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The URL that they belong to, as a hash: it may carry a secret.
    pub url: u64,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// A hash of the body.
    pub body: u64,
    /// How many rows that body had.
    pub rows: u64,
}

impl Validators {
    /// Whether there is something that the partner is asked by.
    pub fn are_asked_by(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// The same, of an answer that had so many rows.
    #[must_use]
    pub fn of(self, rows: u64) -> Self {
        Self { rows, ..self }
    }
}

/// What a page leaves behind it, committed together with its rows.
#[derive(Clone, Debug, PartialEq)]
pub enum PageEnd {
    /// More pages follow.
    More(Walk),
    /// The walk cannot go on and the next one begins anew: the rows are kept, the cursor stays.
    Broken,
    /// The walk has reached its end; the cursor moves.
    Last(Last),
}

/// What a walk that was read to its end leaves behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Last {
    pub cursor: Option<String>,
    pub validators: Option<Validators>,
    pub reason: &'static str,
    pub actor: Option<String>,
    pub ended: Ended,
}

/// How a run treats what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// A record that is there never changes: a row that would change it is passed over, and counted as filtered.
    pub append: bool,
    /// What it replaces is kept.
    pub keeps_past: bool,
}

impl Manner {
    /// How a run of a feed does whose records are kept so; `whole`: it reads all there is, or what a person asked for.
    pub const fn of(keeping: &Keeping, whole: bool) -> Self {
        Self {
            append: matches!(keeping.mode, Mode::Append),
            keeps_past: whole || keeping.history.is_some(),
        }
    }
}

/// So many records tell what is usual.
const SAMPLE: u32 = 1_000;

/// `cache.db`, open for writing.
#[derive(Debug)]
pub struct Cache {
    db: Connection,
    file: PathBuf,
    seed: u64,
    readings: HashMap<FeedId, Reading>,
    /// Live tables that are being written anew.
    swaps: HashMap<FeedId, Swap>,
    /// From how many bytes on a load makes that happen.
    swap_from: u64,
    /// Feeds whose reading, or whose table that is written anew, changed since the transaction began, and how many of them before the last mark: what a
    /// rollback makes untrue.
    touched: Vec<FeedId>,
    marked: usize,
}

impl Cache {
    pub(super) fn open(file: &Path) -> Result<Self, StoreError> {
        let db = schema::open(file, &schema::CACHE)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
        table::drop_loads(&db)?;
        let seed = seed(&db)?;
        Ok(Self {
            db,
            file: file.to_owned(),
            seed,
            readings: HashMap::new(),
            swaps: HashMap::new(),
            swap_from: SWAP_FROM,
            touched: Vec::new(),
            marked: 0,
        })
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Makes the feed's table, or adds the columns that it lacks.
    ///
    /// # Errors
    /// [`StoreError::Layout`] if the table has another key, or a column of another type: that would be another feed.
    pub fn prepare(&mut self, feed: &FeedId, layout: &Layout) -> Result<(), StoreError> {
        table::prepare(&self.db, feed, layout)
    }

    /// How far the feed has been read.
    pub fn position(&self, feed: &FeedId) -> Result<Position, StoreError> {
        let sql = "SELECT cursor, walk, validators, rows, ended FROM marsad_feed WHERE feed = ?";
        let found = self.db.prepare_cached(sql)?.query_row([feed.as_str()], |row| {
            Ok((
                row.get(0)?,
                row.get::<_, Option<String>>(1)?,
                row.get::<_, Option<String>>(2)?,
                row.get::<_, i64>(3)?,
                row.get::<_, Option<String>>(4)?,
            ))
        });
        let Some((cursor, walk, validators, rows, ended)) = found.optional()? else {
            return Ok(Position::default());
        };
        Ok(Position {
            cursor,
            // What an older version wrote otherwise costs a second reading, never a wrong one.
            walk: walk.and_then(|text| serde_json::from_str(&text).ok()),
            validators: validators.and_then(|text| serde_json::from_str(&text).ok()),
            rows: rows.cast_unsigned(),
            ended: ended.and_then(|text| serde_json::from_str(&text).ok()),
        })
    }

    /// The smallest value of a column behind `after`, of the feed's living records, as text; `None`: there is none, or
    /// the feed has never been read.
    ///
    /// # Errors
    /// [`StoreError::Layout`] if the feed has no such column.
    pub fn value_after(
        &self,
        feed: &FeedId,
        column: &str,
        after: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        let Some(table) = Table::find_of(&self.db, feed)? else { return Ok(None) };
        if table.layout().position(column).is_none() {
            return Err(StoreError::Layout(format!("{feed} has no column {column:?}")));
        }
        let (table, column) = (table.quoted(), table::quoted(column));
        let sql = format!(
            "SELECT CAST({column} AS TEXT) FROM {table} WHERE {column} IS NOT NULL AND _deleted IS NULL \
             AND (?1 IS NULL OR {column} > ?1) ORDER BY {column} LIMIT 1"
        );
        Ok(self.db.prepare_cached(&sql)?.query_row([after], |row| row.get(0)).optional()?)
    }

    /// Begins a run that reads pages into the live table.
    pub fn begin_pages(
        &mut self,
        feed: &FeedId,
        run: RunId,
        manner: Manner,
    ) -> Result<(), StoreError> {
        let reading = Reading::of_pages(&self.db, feed, run, manner)?;
        self.remember(feed, reading);
        Ok(())
    }

    /// Puts a page's records and the position behind it into the cache: both, or neither. Gives the run's counts so
    /// far, which hold only what reached the cache.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] behind [`Self::begin_pages`] or a page of the same run that was taken back: what stands on
    /// it is not kept either.
    pub fn apply_page(
        &mut self,
        feed: &FeedId,
        batch: &Batch,
        at: Timestamp,
        end: impl FnOnce(Counts) -> PageEnd,
    ) -> Result<Counts, StoreError> {
        self.touch(feed);
        let reading = self.readings.get_mut(feed).ok_or_else(|| no_reading(feed))?;
        let before = reading.growth;
        reading.apply(&self.db, batch, at)?;
        let counts = reading.counts;
        let growth = reading.growth - before;
        match end(counts) {
            PageEnd::More(walk) => {
                let walk = text_of(&walk)?;
                let sql = "UPDATE marsad_feed SET walk = ?2, rows = rows + ?3 WHERE feed = ?1";
                self.db.prepare_cached(sql)?.execute(params![feed.as_str(), walk, growth])?;
            }
            PageEnd::Broken => {
                let sql = "UPDATE marsad_feed SET walk = NULL, rows = rows + ?2 WHERE feed = ?1";
                self.db.prepare_cached(sql)?.execute(params![feed.as_str(), growth])?;
            }
            PageEnd::Last(last) => {
                let run = reading.run;
                self.end_walk(feed, run, growth, at, &last)?;
            }
        }
        Ok(counts)
    }

    /// Notes what a run has done that left nothing else to tell it by.
    pub fn note_ended(&mut self, feed: &FeedId, ended: &Ended) -> Result<(), StoreError> {
        let sql = "UPDATE marsad_feed SET ended = ?2 WHERE feed = ?1";
        let ended = self.beside_cursor(feed, ended)?;
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), ended])?;
        Ok(())
    }

    /// What a run has done that moves no cursor, to be written down: what belongs to the cursor stays as it was.
    fn beside_cursor(&self, feed: &FeedId, ended: &Ended) -> Result<String, StoreError> {
        let Some(Ended { confirmed, look, declared, spelling, .. }) = self.position(feed)?.ended
        else {
            return text_of(ended);
        };
        text_of(&Ended { confirmed, look, declared, spelling, ..ended.clone() })
    }

    /// Keeps where a walk stands of which nothing has come yet.
    pub fn keep_walk(&mut self, feed: &FeedId, walk: &Walk) -> Result<(), StoreError> {
        let sql = "UPDATE marsad_feed SET walk = ?2 WHERE feed = ?1";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), text_of(walk)?])?;
        Ok(())
    }

    /// Forgets what a run that is loaded whole had ordered and is done with.
    pub fn forget_job(&mut self, feed: &FeedId, run: RunId) -> Result<(), StoreError> {
        let walk = self.position(feed)?.walk;
        // Of an earlier run, if it was gone on with; of pages that are kept, it has received something.
        match walk.filter(|walk| walk.run == run || walk.counts.received == 0) {
            Some(_) => self.forget_walk(feed),
            None => Ok(()),
        }
    }

    /// Forgets a walk that cannot be gone on with; the next one begins anew.
    pub fn forget_walk(&mut self, feed: &FeedId) -> Result<(), StoreError> {
        let sql = "UPDATE marsad_feed SET walk = NULL WHERE feed = ?";
        self.db.prepare_cached(sql)?.execute([feed.as_str()])?;
        Ok(())
    }

    /// Those of `columns` in which most of the newest living records of the feed have a value.
    pub fn usually_filled(
        &self,
        feed: &FeedId,
        columns: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let Some(table) = Table::find_of(&self.db, feed)? else { return Ok(Vec::new()) };
        let mut usual = Vec::new();
        for column in columns {
            let sql = format!(
                "SELECT count({name}) * 2 > count(*) FROM (SELECT {name} FROM {} WHERE _deleted IS NULL \
                 ORDER BY rowid DESC LIMIT {SAMPLE})",
                table.quoted(),
                name = table::quoted(column),
            );
            if self.db.prepare_cached(&sql)?.query_row([], |row| row.get(0))? {
                usual.push(column.clone());
            }
        }
        Ok(usual)
    }

    fn remember(&mut self, feed: &FeedId, reading: Reading) {
        self.touch(feed);
        self.readings.insert(feed.clone(), reading);
    }

    fn touch(&mut self, feed: &FeedId) {
        self.touched.push(feed.clone());
    }
}

impl Database for Cache {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.touched.clear();
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(|error| StoreError::of(&self.file, error))
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.db.execute_batch("COMMIT").map_err(|error| StoreError::of(&self.file, error))
    }

    fn rollback(&mut self) {
        self.marked = 0;
        self.forget_touched();
        roll_back(&self.db);
    }

    fn mark(&mut self) -> Result<(), StoreError> {
        self.marked = self.touched.len();
        Ok(self.db.prepare_cached("SAVEPOINT job")?.execute([]).map(drop)?)
    }

    fn keep(&mut self) -> Result<(), StoreError> {
        Ok(self.db.prepare_cached("RELEASE job")?.execute([]).map(drop)?)
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        self.forget_touched();
        Ok(self.db.execute_batch("ROLLBACK TO job; RELEASE job")?)
    }

    fn stands(&self) -> bool {
        !self.db.is_autocommit()
    }
}

impl Cache {
    fn forget_touched(&mut self) {
        for feed in self.touched.drain(self.marked..) {
            self.readings.remove(&feed);
            self.swaps.remove(&feed);
        }
    }
}

/// Ends a transaction that SQLite may have ended already by itself, as it does when the disk is full.
pub(super) fn roll_back(db: &Connection) {
    if !db.is_autocommit() {
        // If this fails too, so does the next `BEGIN`, and that is reported.
        let _ = db.execute_batch("ROLLBACK");
    }
}

fn text_of(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Conflict(error.to_string()))
}

fn no_reading(feed: &FeedId) -> StoreError {
    StoreError::Conflict(format!("no run of {feed} is under way in the cache"))
}

/// The secret of this bank's hashes, made once.
fn seed(db: &Connection) -> Result<u64, StoreError> {
    let sql = "INSERT OR IGNORE INTO marsad_meta VALUES ('seed', random())";
    db.execute(sql, [])?;
    let seed: i64 =
        db.query_row("SELECT value FROM marsad_meta WHERE key = 'seed'", [], |row| row.get(0))?;
    Ok(seed.cast_unsigned())
}

#[cfg(test)]
mod tests;

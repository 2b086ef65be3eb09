//! `ledger.db`: what cannot be fetched again. Runs and their balance, quarantine, exchanges and attempts, health,
//! schema decisions, and the audit.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use super::{StoreError, cache::roll_back, schema, writer::Database};

mod audit;
mod calls;
mod certificates;
pub(super) mod drift;
mod exchanges;
mod expiry;
pub(super) mod groups;
mod quarantine;
mod replay;
mod runs;
mod state;

pub use calls::{Calls, Rest};
pub use drift::Decided;
pub use exchanges::{Asked, AttemptEnd, Due, NewExchange, Step};
pub use quarantine::Discarded;
pub(super) use quarantine::place_of;
pub use replay::HeldItem;
pub use runs::{FeedState, RunEnd, RunStart};
pub use state::CatalogueEntry;

/// `ledger.db`, open for writing.
#[derive(Debug)]
pub struct Ledger {
    db: Connection,
    file: PathBuf,
}

impl Ledger {
    pub(super) fn open(file: &Path) -> Result<Self, StoreError> {
        let db = schema::open(file, &schema::LEDGER)?;
        // A disk that is full by now leaves the ledger with what it has.
        let _ = make_room(&db, room(file));
        Ok(Self { db, file: file.to_owned() })
    }
}

/// The page cache while room is made, in pages.
const ROOM_CACHE: i64 = 32;

/// The most room that is made, in bytes: as much as a log has before it is written home.
const ROOM_MAX: u64 = 4 * 1024 * 1024;
/// The least that is worth making, in bytes.
const ROOM_MIN: u64 = 64 * 1024;
/// What part of the free space is taken at most, in file and log each: room for bad days must not bring one.
const ROOM_SHARE: u64 = 16;

/// How much room to make beside `file`, in bytes; nothing where little is left, or nobody can tell.
fn room(file: &Path) -> u64 {
    let folder = file.parent().unwrap_or(file);
    nix::sys::statvfs::statvfs(folder).map_or(0, |disk| {
        let free = disk.blocks_available().saturating_mul(disk.fragment_size());
        (free / ROOM_SHARE).min(ROOM_MAX)
    })
}

/// Takes `bytes` of the disk for file and log each, and leaves them empty: when something else has filled the disk, the
/// ledger can still say so. The log is written home before it grows beyond that.
fn make_room(db: &Connection, bytes: u64) -> rusqlite::Result<()> {
    if bytes < ROOM_MIN {
        return Ok(());
    }
    let page: u64 =
        db.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?.cast_unsigned();
    // Through a small page cache: the pages are on the disk to stay, and in memory they would be too.
    db.pragma_update(None, "cache_size", ROOM_CACHE)?;
    // Two commits: pages that are taken and given back in one never reach the disk.
    let made = db.execute_batch(&format!(
        "DROP TABLE IF EXISTS room;
         BEGIN; CREATE TABLE room (filler BLOB); INSERT INTO room VALUES (zeroblob({bytes})); COMMIT;
         DROP TABLE room;"
    ));
    db.pragma_update(None, "cache_size", -schema::CACHE_KIB)?;
    db.pragma_update(None, "wal_autocheckpoint", (bytes / page.max(1)).cast_signed())?;
    made
}

impl Database for Ledger {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(|error| StoreError::of(&self.file, error))
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.db.execute_batch("COMMIT").map_err(|error| StoreError::of(&self.file, error))
    }

    fn rollback(&mut self) {
        roll_back(&self.db);
    }

    fn mark(&mut self) -> Result<(), StoreError> {
        Ok(self.db.prepare_cached("SAVEPOINT job")?.execute([]).map(drop)?)
    }

    fn keep(&mut self) -> Result<(), StoreError> {
        Ok(self.db.prepare_cached("RELEASE job")?.execute([]).map(drop)?)
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        Ok(self.db.execute_batch("ROLLBACK TO job; RELEASE job")?)
    }

    fn stands(&self) -> bool {
        !self.db.is_autocommit()
    }
}

/// A time as the store keeps it: microseconds of UTC.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The time in a column.
pub(super) fn time_at(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    Ok(time_of(row.get(column)?))
}

/// The time in a column that may be empty.
pub(super) fn maybe_time_at(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(time_of))
}

/// What no clock can say (a hand-edited database) becomes the nearest that one can.
fn time_of(micros: i64) -> Timestamp {
    let end = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(micros).unwrap_or(end)
}

/// A column that holds one of our words or ids.
pub(super) fn parsed<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// As [`parsed`], where the column may be empty.
pub(super) fn maybe_parsed<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    if row.get_ref(column)? == rusqlite::types::ValueRef::Null {
        Ok(None)
    } else {
        parsed(row, column).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    };

    use super::*;
    use crate::store::Writer;

    /// Writes a row with `name` in it.
    fn note(ledger: &mut Ledger, name: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO layouts (feed, layout, run, at) VALUES (?, '', 1, 1)";
        Ok(ledger.db.execute(sql, [name]).map(drop)?)
    }

    fn notes(ledger: &Ledger) -> Vec<i64> {
        let mut statement =
            ledger.db.prepare("SELECT length(feed) FROM layouts ORDER BY id").unwrap();
        let notes = statement.query_map([], |row| row.get(0)).unwrap();
        notes.map(Result::unwrap).collect()
    }

    #[tokio::test]
    async fn a_job_that_fills_the_disk_fails_alone_with_what_was_in_its_transaction() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("ledger.db");
        let ledger = Ledger::open(&file).unwrap();
        ledger.db.execute_batch("VACUUM; PRAGMA max_page_count = 1").unwrap();
        let limit: i64 =
            ledger.db.query_row("PRAGMA max_page_count", [], |row| row.get(0)).unwrap();
        ledger.db.execute_batch(&format!("PRAGMA max_page_count = {}", limit + 20)).unwrap();
        let writer = Writer::start("ledger", ledger).unwrap();

        // While the first job waits, all others gather behind it and make one group.
        let (go, wait) = mpsc::channel::<()>();
        let (start, begun) = tokio::sync::oneshot::channel();
        let (tell, told) = mpsc::channel();
        let work = move |_: &mut Ledger| {
            start.send(()).unwrap();
            wait.recv().map_err(|_| StoreError::Closed)
        };
        let first = async { writer.call(work).await.unwrap() };
        let others = async {
            begun.await.unwrap();
            for (size, name) in [(1, "before"), (1_000_000, "full"), (2, "behind"), (3, "last")] {
                let tell = tell.clone();
                let work = move |ledger: &mut Ledger| {
                    note(ledger, &"x".repeat(size))?;
                    if size == 2 { Err(StoreError::Conflict("own".to_owned())) } else { Ok(()) }
                };
                writer.cast(work, move |result| tell.send((name, result)).unwrap()).await.unwrap();
            }
            go.send(()).unwrap();
        };
        tokio::join!(first, others);
        let kept = writer.call(|ledger| Ok(notes(ledger))).await.unwrap();
        assert_eq!(kept, [3], "what was told to have failed is not there, and the rest is");
        let told: Vec<_> = told.try_iter().collect();
        let names: Vec<_> = told.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["before", "full", "behind", "last"]);
        let errors: Vec<_> = told.into_iter().map(|(_, result)| result.err()).collect();
        assert!(errors[0].as_ref().is_some_and(StoreError::is_full), "{errors:?}");
        assert!(errors[1].as_ref().is_some_and(StoreError::is_full), "{errors:?}");
        assert!(matches!(&errors[2], Some(StoreError::Conflict(_))), "{errors:?}");
        assert!(errors[3].is_none(), "{errors:?}");
        tokio::task::spawn_blocking(|| writer.close()).await.unwrap();
    }

    #[tokio::test]
    async fn those_who_have_time_share_a_commit() {
        let temp = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&temp.path().join("ledger.db")).unwrap();
        let commits = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&commits);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        ledger.db.commit_hook(Some(count)).unwrap();
        let writer = Writer::start("ledger", ledger).unwrap();
        writer.call(|ledger| note(ledger, "first")).await.unwrap();
        let writer = Arc::new(writer);
        let mut others = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let writer = Arc::clone(&writer);
            let other = async move { writer.call_unhurried(|ledger| note(ledger, "other")).await };
            others.spawn(other);
        }
        while let Some(kept) = others.join_next().await {
            kept.unwrap().unwrap();
        }
        let writer = Arc::into_inner(writer).unwrap();
        let kept = writer.call(|ledger| Ok(notes(ledger).len())).await.unwrap();
        assert_eq!(kept, 51, "each is there once its caller has been told");
        // One each would be 52; a machine that stands still may make a few of one.
        let commits = commits.load(Ordering::Relaxed);
        assert!((2..=6).contains(&commits), "{commits} commits");
        tokio::task::spawn_blocking(|| writer.close()).await.unwrap();
    }

    #[tokio::test]
    async fn what_nobody_misses_waits_for_company_and_goes_without_it_in_the_end() {
        let temp = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&temp.path().join("ledger.db")).unwrap();
        let commits = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&commits);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        ledger.db.commit_hook(Some(count)).unwrap();
        let writer = Writer::start("ledger", ledger).unwrap();
        writer.call(|ledger| note(ledger, "1")).await.unwrap();
        for (name, alone) in [("22", false), ("333", false), ("4444", true)] {
            let before = commits.load(Ordering::Relaxed);
            let (tell, told) = tokio::sync::oneshot::channel();
            let told_at = Arc::clone(&commits);
            let done = move |done: Result<(), StoreError>| {
                done.unwrap();
                tell.send(told_at.load(Ordering::Relaxed)).unwrap();
            };
            writer.cast_idly(move |ledger| note(ledger, name), done).await.unwrap();
            if !alone {
                // With whoever has less time, whether that one comes at once or later.
                while name == "333" && !writer.is_idle() {
                    tokio::task::yield_now().await;
                }
                writer.call_unhurried(move |ledger| note(ledger, "with it")).await.unwrap();
            }
            assert_eq!(told.await.unwrap(), before + 1, "{name}: one commit for all");
            assert_eq!(commits.load(Ordering::Relaxed), before + 1, "{name}");
        }
        let kept = writer.call(|ledger| Ok(notes(ledger))).await.unwrap();
        assert_eq!(kept, [1, 2, 7, 3, 7, 4], "in the order in which they were handed over");
        tokio::task::spawn_blocking(|| writer.close()).await.unwrap();
    }

    #[tokio::test]
    async fn a_job_alone_takes_nobody_with_it_and_keeps_its_place() {
        let temp = tempfile::tempdir().unwrap();
        let writer =
            Writer::start("ledger", Ledger::open(&temp.path().join("ledger.db")).unwrap()).unwrap();
        // While the first job waits, all others gather behind it, in this order.
        let (go, wait) = mpsc::channel::<()>();
        let first = writer.call(move |_| wait.recv().map_err(|_| StoreError::Closed));
        let fails = |ledger: &mut Ledger| {
            note(ledger, "22")?;
            Err::<(), _>(StoreError::Conflict("own".to_owned()))
        };
        let (first, one, alone, three, four, ()) = tokio::join!(
            first,
            writer.call(|ledger| note(ledger, "1")),
            writer.call_alone(fails),
            writer.call(|ledger| note(ledger, "333")),
            writer.call_alone(|ledger| note(ledger, "4444")),
            async { go.send(()).unwrap() },
        );
        assert!(matches!(alone, Err(StoreError::Conflict(_))), "{alone:?}");
        for done in [first, one, three, four] {
            done.unwrap();
        }
        let kept = writer.call(|ledger| Ok(notes(ledger))).await.unwrap();
        assert_eq!(kept, [1, 3, 4]);
        tokio::task::spawn_blocking(|| writer.close()).await.unwrap();
    }

    #[test]
    fn an_open_ledger_has_room_of_its_own_on_the_disk() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("ledger.db");
        let ledger = Ledger::open(&file).unwrap();
        let size = |name: &str| std::fs::metadata(temp.path().join(name)).unwrap().len();
        assert!(size("ledger.db-wal") > 4 << 20, "{}", size("ledger.db-wal"));
        let free: i64 = ledger.db.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
        assert!(free > 1_000, "{free} pages");
    }
}

//! Which files a feed has had, and in which order: that in which they came into the bank, whatever the clock said.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::Cache;
use crate::{
    id::{FeedId, RunId},
    store::StoreError,
};

/// What a file leaves behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEnd {
    /// BLAKE3 of its bytes, in hex.
    pub hash: String,
    pub name: String,
}

/// The content that a feed has had last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestFile {
    /// As of [`FileEnd`].
    pub hash: String,
    /// The run that brought it.
    pub run: RunId,
    pub at: Timestamp,
    /// Whether a run before it was undone since: then it need not stand there as it was brought, and is read if it comes again.
    pub upset: bool,
}

impl Cache {
    /// The content that the feed has had last; `None` if it has had no file. An older one that comes again is none: it takes
    /// back what came between.
    pub fn latest_file(&self, feed: &FeedId) -> Result<Option<LatestFile>, StoreError> {
        let sql = "SELECT hash, run, at, upset FROM marsad_file WHERE feed = ? ORDER BY turn DESC LIMIT 1";
        let mut statement = self.db.prepare_cached(sql)?;
        let last = statement.query_row([feed.as_str()], |row| {
            let at = Timestamp::from_microsecond(row.get(2)?).unwrap_or(Timestamp::MAX);
            Ok(LatestFile { hash: row.get(0)?, run: RunId(row.get(1)?), at, upset: row.get(3)? })
        });
        Ok(last.optional()?)
    }

    /// Every content that the feed has had, oldest first.
    pub fn files(&self, feed: &FeedId) -> Result<Vec<FileEnd>, StoreError> {
        let sql = "SELECT hash, name FROM marsad_file WHERE feed = ? ORDER BY turn";
        let mut statement = self.db.prepare_cached(sql)?;
        let files = statement.query_map([feed.as_str()], |row| {
            Ok(FileEnd { hash: row.get(0)?, name: row.get(1)? })
        })?;
        Ok(files.collect::<Result<_, _>>()?)
    }

    /// Forgets at most `limit` contents that feeds had before `before`, but for each feed's last one; gives how many. They are
    /// not read again by a full resync.
    pub fn forget_files(&mut self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        let sql = "DELETE FROM marsad_file WHERE (feed, hash) IN (SELECT feed, hash FROM marsad_file AS file WHERE at < ?1 \
                   AND EXISTS (SELECT 1 FROM marsad_file AS later WHERE later.feed = file.feed \
                   AND later.turn > file.turn) LIMIT ?2)";
        let before = before.as_microsecond();
        Ok(self.db.prepare_cached(sql)?.execute(params![before, limit])?)
    }

    /// Forgets what an undone run had, and notes that what came behind it need not stand as it was brought. Gives whether
    /// anything did.
    pub(super) fn upset_files(&self, feed: &FeedId, run: RunId) -> Result<bool, StoreError> {
        let run = params![feed.as_str(), run.0];
        let sql = "DELETE FROM marsad_file WHERE feed = ? AND run = ?";
        self.db.prepare_cached(sql)?.execute(run)?;
        let sql = "UPDATE marsad_file SET upset = 1 WHERE feed = ? AND run > ?";
        Ok(self.db.prepare_cached(sql)?.execute(run)? > 0)
    }

    /// Notes files as had, the last ones that the feed has had.
    pub(super) fn note_files(
        &self,
        feed: &FeedId,
        run: RunId,
        at: Timestamp,
        had: &[FileEnd],
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO marsad_file (feed, hash, name, run, at, turn) VALUES (?1, ?2, ?3, ?4, ?5, \
             (SELECT coalesce(max(turn), 0) + 1 FROM marsad_file WHERE feed = ?1))";
        for file in had {
            let had = params![feed.as_str(), file.hash, file.name, run.0, at.as_microsecond()];
            self.db.prepare_cached(sql)?.execute(had)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::{
        feed::{Field, FieldType},
        record::Layout,
        store::{
            Store,
            cache::{Ended, Manner},
            schema,
        },
    };

    #[test]
    fn the_order_of_files_does_not_follow_the_clock() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(&temp.path().join("state")).unwrap();
        let feed: FeedId = "a/b".parse().unwrap();
        let field = Field::new("id", FieldType::Text);
        let layout = Layout::new(vec![field], &["id".to_owned()]).unwrap();
        let work = move |cache: &mut Cache| {
            cache.prepare(&feed, &layout)?;
            // The clock is set back by an hour behind the second, and the first comes once more.
            for (run, second, hash) in
                [(1, 7200, "a"), (2, 7201, "b"), (3, 3602, "a"), (4, 3603, "c")]
            {
                let (run, at) = (RunId(run), Timestamp::from_second(second).unwrap());
                let file = FileEnd { hash: hash.to_owned(), name: hash.to_owned() };
                let ended = |counts| Ended::of(run, counts);
                cache.begin_load(&feed, run, Manner::default())?;
                cache.finish_files(&feed, &[file], at, ended)?;
                cache.end(&feed)?;
                let last = cache.latest_file(&feed)?;
                assert_eq!(last, Some(LatestFile { hash: hash.to_owned(), run, at, upset: false }));
            }
            let names: Vec<_> = cache.files(&feed)?.into_iter().map(|file| file.name).collect();
            assert_eq!(names, ["b", "a", "c"]);
            let all = Timestamp::from_second(9000).unwrap();
            assert_eq!(cache.forget_files(all, 9)?, 2, "the last one stays, however old");
            let left = cache.latest_file(&feed)?;
            assert_eq!(left.map(|left| left.hash).as_deref(), Some("c"));
            Ok(())
        };
        store.cache.call_blocking(work).unwrap();
        store.close();
    }

    #[test]
    fn files_of_an_older_version_keep_their_order() {
        let mut db = Connection::open_in_memory().unwrap();
        let has_turns = |version| {
            let mut db = Connection::open_in_memory().unwrap();
            schema::CACHE.to_version(&mut db, version).unwrap();
            db.prepare("SELECT turn FROM marsad_file").is_ok()
        };
        let first = (1..100).find(|version| has_turns(*version)).unwrap();
        schema::CACHE.to_version(&mut db, first - 1).unwrap();
        for (feed, hash, run, at) in
            [("a/b", "x", 3, 9), ("a/b", "y", 2, 9), ("a/b", "z", 1, 10), ("a/c", "x", 9, 1)]
        {
            let sql = "INSERT INTO marsad_file (feed, hash, name, run, at) VALUES (?, ?, '', ?, ?)";
            db.execute(sql, params![feed, hash, run, at]).unwrap();
        }
        schema::CACHE.to_latest(&mut db).unwrap();
        let mut turns =
            db.prepare("SELECT feed, hash, turn FROM marsad_file ORDER BY feed, turn").unwrap();
        let turns = turns.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let turns: Vec<(String, String, i64)> = turns.map(Result::unwrap).collect();
        let turns: Vec<_> =
            turns.iter().map(|(f, h, turn)| (f.as_str(), h.as_str(), *turn)).collect();
        assert_eq!(turns, [("a/b", "y", 1), ("a/b", "x", 2), ("a/b", "z", 3), ("a/c", "x", 1)]);
    }
}

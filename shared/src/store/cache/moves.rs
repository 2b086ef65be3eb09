//! The cursor's moves: each is kept with its run, reason and person, as many as anybody will ask for.

use jiff::Timestamp;
use rusqlite::params;

use super::{Cache, NO_RUN};
use crate::{
    id::{FeedId, RunId},
    store::StoreError,
};

/// The most moves of a feed that are kept, the newest: of runs by themselves, and on a person's word.
const MOVES_MAX: i64 = 1_000;
const PEOPLES_MAX: i64 = 10_000;

/// One move of a cursor: where to, when, by which run, why, and on whose word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move<'m> {
    pub(super) run: RunId,
    pub(super) to: Option<&'m str>,
    pub(super) at: Timestamp,
    pub(super) reason: &'m str,
    pub(super) actor: Option<&'m str>,
}

impl Cache {
    /// Sets the cursor by a person's order, between runs, and keeps the move with who and why, even to where it stands.
    /// An open walk is forgotten, and what would tell an unchanged answer: the next run reads from there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the feed has never been read.
    pub fn rewind(
        &mut self,
        feed: &FeedId,
        to: Option<&str>,
        at: Timestamp,
        reason: &str,
        actor: &str,
    ) -> Result<(), StoreError> {
        let sql =
            "UPDATE marsad_feed SET cursor = ?2, walk = NULL, validators = NULL WHERE feed = ?1";
        if self.db.prepare_cached(sql)?.execute(params![feed.as_str(), to])? == 0 {
            return Err(StoreError::Conflict(format!("{feed} has never been read")));
        }
        self.keep_move(feed, &Move { run: NO_RUN, to, at, reason, actor: Some(actor) })
    }

    /// Sets the cursor, and keeps the move; nothing where it stands there already.
    pub(super) fn move_cursor(&self, feed: &FeedId, moved: &Move<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE marsad_feed SET cursor = ?2 WHERE feed = ?1 AND cursor IS NOT ?2";
        if self.db.prepare_cached(sql)?.execute(params![feed.as_str(), moved.to])? == 0 {
            return Ok(());
        }
        self.keep_move(feed, moved)
    }

    fn keep_move(&self, feed: &FeedId, moved: &Move<'_>) -> Result<(), StoreError> {
        let Move { run, to, at, reason, actor } = *moved;
        let sql = "INSERT INTO marsad_cursor (feed, value, run, moved_at, reason, actor) VALUES (?, ?, ?, ?, ?, ?)";
        let moved = params![feed.as_str(), to, run.0, at.as_microsecond(), reason, actor];
        self.db.prepare_cached(sql)?.execute(moved)?;
        self.prune_moves(feed, actor)
    }

    /// Forgets the oldest moves of that kind: a clock or a link moves at every poll, and a person's word is rare.
    fn prune_moves(&self, feed: &FeedId, actor: Option<&str>) -> Result<(), StoreError> {
        let (whose, most) = match actor {
            None => ("IS NULL", MOVES_MAX),
            Some(_) => ("IS NOT NULL", PEOPLES_MAX),
        };
        let sql = format!(
            "DELETE FROM marsad_cursor WHERE feed = ?1 AND actor {whose} AND id <= (SELECT id FROM marsad_cursor \
             WHERE feed = ?1 AND actor {whose} ORDER BY id DESC LIMIT 1 OFFSET ?2)"
        );
        self.db.prepare_cached(&sql)?.execute(params![feed.as_str(), most])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        feed::{Field, FieldType},
        record::Layout,
    };

    #[test]
    fn the_newest_moves_of_each_feed_stay_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = Cache::open(&folder.path().join("cache.db")).unwrap();
        let layout =
            Layout::new(vec![Field::new("id", FieldType::Text)], &["id".to_owned()]).unwrap();
        let feeds: [FeedId; 2] = ["courts/orders", "courts/cases"].map(|id| id.parse().unwrap());
        for feed in &feeds {
            cache.prepare(feed, &layout).unwrap();
            cache
                .rewind(feed, Some("first"), Timestamp::UNIX_EPOCH, "a trial", "user:noor")
                .unwrap();
        }
        let runs = MOVES_MAX + 5;
        let apart = |value: i64| value.to_string();
        cache.db.execute_batch("BEGIN").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let by = |run: i64| Move {
            run: RunId(run),
            to: None,
            at,
            reason: "read to the end",
            actor: None,
        };
        for run in 1..=runs {
            cache.move_cursor(&feeds[0], &Move { to: Some(&apart(run)), ..by(run) }).unwrap();
        }
        cache.move_cursor(&feeds[1], &Move { to: Some("1"), ..by(1) }).unwrap();
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
                   INSERT INTO marsad_cursor (feed, value, run, moved_at, reason, actor) \
                   SELECT ?1, i, 0, 0, 'a trial', 'user:noor' FROM n";
        cache.db.execute(sql, params![feeds[1].as_str(), PEOPLES_MAX]).unwrap();
        cache.keep_move(&feeds[1], &Move { actor: Some("user:noor"), ..by(0) }).unwrap();
        cache.db.execute_batch("COMMIT").unwrap();
        let count = |feed: &FeedId, whose: &str| -> (i64, Option<String>) {
            let sql = format!(
                "SELECT count(*), (SELECT value FROM marsad_cursor WHERE feed = ?1 AND actor {whose} ORDER BY id LIMIT 1) \
                 FROM marsad_cursor WHERE feed = ?1 AND actor {whose}"
            );
            cache.db.query_row(&sql, [feed.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
        };
        assert_eq!(count(&feeds[0], "IS NULL"), (MOVES_MAX, Some(apart(6))), "the newest stay");
        assert_eq!(
            count(&feeds[0], "IS NOT NULL"),
            (1, Some("first".to_owned())),
            "a person's too"
        );
        assert_eq!(
            count(&feeds[1], "IS NULL"),
            (1, Some("1".to_owned())),
            "another feed's are its own"
        );
        assert_eq!(
            count(&feeds[1], "IS NOT NULL"),
            (PEOPLES_MAX, Some("2".to_owned())),
            "within measure"
        );
    }
}

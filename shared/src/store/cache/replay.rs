//! Rows that come out of quarantine: into the live table, beside whatever position the feed has. No cursor moves, and what
//! came later is left as it is.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter, types};

use super::{Cache, Ended, no_reading, parts::put_together, table::Table};
use crate::{
    id::{FeedId, RunId},
    record::{Batch, GONE, Value},
    run::Counts,
    store::StoreError,
};

/// What became of a batch of rows out of quarantine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// All that the run has counted so far.
    pub counts: Counts,
    /// The rows, by their place in the batch, that were left because a newer one of their key is in the bank.
    pub newer: Vec<usize>,
}

impl Cache {
    /// Puts rows into the live table that came at the times of `came`, one a row; [`Cache::begin_pages`] has begun the run.
    /// Where versions do not tell which of two rows is newer, one that would overwrite what the bank has had since is left
    /// out, unless `force` says otherwise. `ended` is committed with them: what the run has counted, and how many of this
    /// batch were left.
    pub fn replay(
        &mut self,
        feed: &FeedId,
        batch: &Batch,
        came: &[Timestamp],
        force: bool,
        at: Timestamp,
        ended: impl FnOnce(Counts, u64) -> Ended,
    ) -> Result<Replayed, StoreError> {
        self.touch(feed);
        let reading = self.readings.get_mut(feed).ok_or_else(|| no_reading(feed))?;
        let newer = newer(&self.db, feed, batch, came, force, Some(reading.run))?;
        let mut kept = batch.clone();
        kept.retain(|_, row| newer.binary_search(&row).is_err());
        let before = reading.growth;
        reading.apply(&self.db, &kept, at)?;
        let (counts, growth) = (reading.counts, reading.growth - before);
        let ended = self.beside_cursor(feed, &ended(counts, newer.len() as u64))?;
        let sql = "UPDATE marsad_feed SET rows = rows + ?2, ended = ?3 WHERE feed = ?1";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), growth, ended])?;
        Ok(Replayed { counts, newer })
    }

    /// The rows that [`Cache::replay`] would leave.
    pub fn replay_would_leave(
        &self,
        feed: &FeedId,
        batch: &Batch,
        came: &[Timestamp],
        force: bool,
    ) -> Result<Vec<usize>, StoreError> {
        newer(&self.db, feed, batch, came, force, None)
    }
}

/// The rows of whose key the bank has had another content since they came, other than by `run` itself.
fn newer(
    db: &Connection,
    feed: &FeedId,
    batch: &Batch,
    came: &[Timestamp],
    force: bool,
    run: Option<RunId>,
) -> Result<Vec<usize>, StoreError> {
    let Some(table) = Table::find_of(db, feed)? else { return Ok(Vec::new()) };
    if force {
        return Ok(Vec::new());
    }
    // Versions tell which of two rows is newer, but not whether a record was found to be gone since.
    let has_version = table.layout().version.is_some();
    let whole = batch.has_parts().then(|| put_together(db, &[&table], batch)).transpose()?;
    let hashes = whole.as_ref().unwrap_or(batch).hashes();
    let mut statement = db.prepare_cached(&table.changed())?;
    let mut newer = Vec::new();
    for (row, (hash, came)) in hashes.iter().zip(came).enumerate() {
        let key = batch.key().iter().map(|&column| match batch.at(row, column) {
            Value::Null => types::Value::Null,
            Value::Integer(number) => types::Value::Integer(number),
            Value::Text(text) => types::Value::Text(text.to_owned()),
        });
        let there = statement.query_row(params_from_iter(key), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?))
        });
        let Some((changed, by, content)) = there.optional()? else { continue };
        let same = content.map(i64::cast_unsigned) == Some(hash.content);
        let ours = run.is_some_and(|run| run.0 == by);
        let is_gone = content.map(i64::cast_unsigned) == Some(GONE);
        let tells = !has_version || is_gone;
        if tells && !same && !ours && changed > came.as_microsecond() {
            newer.push(row);
        }
    }
    Ok(newer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        feed::{Field, FieldType},
        record::Layout,
        store::{Store, cache::Manner},
    };

    fn layout(version: Option<&str>) -> Layout {
        let fields = ["id", "name", "rev"].map(|name| Field::new(name, FieldType::Text)).to_vec();
        Layout::new(fields, &["id".to_owned()]).unwrap().versioned(version).unwrap()
    }

    fn batch(layout: &Layout, seed: u64, rows: &[(&str, &str, &str)]) -> Batch {
        let mut batch = Batch::new(layout, seed);
        for (id, name, rev) in rows {
            let mut row = batch.row();
            for text in [id, name, rev] {
                row.text(text);
            }
            row.finish();
        }
        batch
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ended(run: i64) -> impl FnOnce(Counts, u64) -> Ended + Send + 'static {
        move |counts, newer| {
            let counts = Counts { received: counts.received + newer, quarantined: newer, ..counts };
            Ended::of(RunId(run), counts)
        }
    }

    #[test]
    fn what_came_later_is_left_as_it_is_unless_versions_tell_or_somebody_insists() {
        for (version, force, expected, why) in [
            (
                None,
                false,
                &["1 old", "2 new", "3 late", "4 late"][..],
                "the bank's is newer where it changed since",
            ),
            (None, true, &["1 late", "2 late", "3 late", "4 late"], "somebody insists"),
            (
                Some("rev"),
                false,
                &["1 late", "2 new", "3 late", "4 late"],
                "the greater version wins, whenever it came",
            ),
        ] {
            let temp = tempfile::tempdir().unwrap();
            let store = Store::open(&temp.path().join("state")).unwrap();
            let feed: FeedId = "a/b".parse().unwrap();
            let (layout, seed) = (layout(version), store.seed);
            let work = move |cache: &mut Cache| {
                cache.prepare(&feed, &layout)?;
                for (second, run, rows) in [
                    (10, 1, &[("1", "old", "1"), ("2", "old", "1"), ("3", "old", "1")][..]),
                    (30, 2, &[("2", "new", "9")]),
                ] {
                    cache.begin_pages(&feed, RunId(run), Manner::default())?;
                    let end = |_| super::super::PageEnd::Broken;
                    cache.apply_page(&feed, &batch(&layout, seed, rows), at(second), end)?;
                    cache.end(&feed)?;
                }
                let rows = [
                    ("1", "late", "2"),
                    ("2", "late", "2"),
                    ("3", "late", "2"),
                    ("4", "late", "2"),
                ];
                // The first came before what the bank has of it, the second too, and all others behind.
                let came = [at(9), at(20), at(20), at(20)];
                let late = batch(&layout, seed, &rows);
                let would = cache.replay_would_leave(&feed, &late, &came, force)?;
                cache.begin_pages(&feed, RunId(3), Manner::default())?;
                let first = cache.replay(&feed, &late, &came, force, at(40), ended(3))?;
                assert_eq!(first.newer, would, "{why}: as the dry run said");
                assert!(first.counts.balances(), "{why}: {:?}", first.counts);
                let position = cache.position(&feed)?;
                assert_eq!((position.rows, position.cursor), (4, None), "{why}");
                assert_eq!(position.ended.map(|ended| ended.counts.received), Some(4), "{why}");
                cache.end(&feed)?;

                // The ledger was not told: all of it comes once more, and changes nothing.
                cache.begin_pages(&feed, RunId(4), Manner::default())?;
                let again = cache.replay(&feed, &late, &came, force, at(50), ended(4))?;
                assert_eq!((again.newer, again.counts.changed()), (first.newer, 0), "{why}");
                let mut names =
                    cache.db.prepare("SELECT id || ' ' || name FROM a__b ORDER BY id")?;
                let names = names.query_map([], |row| row.get(0))?;
                Ok(names.collect::<Result<Vec<String>, _>>()?)
            };
            assert_eq!(store.cache.call_blocking(work).unwrap(), expected, "{why}");
            store.close();
        }
    }
}

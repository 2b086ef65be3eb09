//! Records that belong to a record of another feed, and go with it.

use jiff::Timestamp;
use rusqlite::params;

use super::{
    Cache,
    table::{Table, quoted},
};
use crate::{
    id::{FeedId, RunId},
    record::GONE,
    store::StoreError,
};

/// Which records go with which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    pub feed: FeedId,
    /// Its column that holds the parent's value.
    pub by: String,
    /// Whether what is deleted is kept as it was.
    pub keeps_past: bool,
    pub parent: FeedId,
    /// The parent's column.
    pub column: String,
}

impl Cache {
    /// How many records [`Self::delete_orphans`] would delete, and how many live.
    ///
    /// # Errors
    /// As that.
    pub fn count_orphans(&mut self, orphans: &Orphans) -> Result<(u64, u64), StoreError> {
        let lived = self.position(&orphans.feed)?.rows;
        let Some((_, which)) = self.orphans(orphans)? else { return Ok((0, lived)) };
        let sql = format!("SELECT count(*) FROM ({which})");
        let count: i64 = self.db.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
        Ok((count.cast_unsigned(), lived))
    }

    /// The records' table, and the rowids of those that are orphans; `None` where nobody can tell.
    fn orphans(&self, orphans: &Orphans) -> Result<Option<(Table, String)>, StoreError> {
        let Orphans { feed, by, parent, column, .. } = orphans;
        let stands = self.position(parent)?;
        if stands.walk.is_some() || stands.ended.is_none() {
            return Ok(None);
        }
        let (Some(child), Some(above)) =
            (Table::find_of(&self.db, feed)?, Table::find_of(&self.db, parent)?)
        else {
            return Ok(None);
        };
        for (feed, table, column) in [(feed, &child, by), (parent, &above, column)] {
            if table.layout().position(column).is_none() {
                return Err(StoreError::Layout(format!("{feed} has no column {column:?}")));
            }
        }
        let (table, by) = (child.quoted(), quoted(by));
        let (above, column) = (above.quoted(), quoted(column));
        let which = format!(
            "SELECT rowid FROM {table} WHERE _deleted IS NULL AND CAST({by} AS TEXT) IN \
             (SELECT CAST({column} AS TEXT) FROM {above} WHERE _deleted IS NOT NULL \
             EXCEPT SELECT CAST({column} AS TEXT) FROM {above} WHERE _deleted IS NULL)"
        );
        Ok(Some((child, which)))
    }

    /// Marks living records as deleted whose parent is known to be: a value that only deleted records of the parent's feed
    /// have. What belongs to nobody that is known stays, and so does everything while the parent's feed is read. At most
    /// `most` at once; gives how many.
    ///
    /// # Errors
    /// [`StoreError::Layout`] if a column is not there.
    pub fn delete_orphans(
        &mut self,
        orphans: &Orphans,
        run: RunId,
        at: Timestamp,
        most: u32,
    ) -> Result<u64, StoreError> {
        let Orphans { feed, keeps_past, .. } = orphans;
        let Some((child, which)) = self.orphans(orphans)? else { return Ok(0) };
        let (table, seen, sql) = (child.quoted(), child.seen(), format!("{which} LIMIT ?"));
        let rows: Vec<i64> = self
            .db
            .prepare_cached(&sql)?
            .query_map([most], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let delete =
            format!("UPDATE {table} SET _deleted = ?2, _changed = ?2, _run = ?3 WHERE rowid = ?1");
        let note = format!("UPDATE {seen} SET h = ?2 WHERE rid = ?1");
        let keep = child.keep_version();
        if *keeps_past && !rows.is_empty() {
            child.make_past(&self.db)?;
        }
        for row in &rows {
            if *keeps_past {
                let version = params![row, at.as_microsecond(), run.0];
                self.db.prepare_cached(&keep)?.execute(version)?;
            }
            let (at, run) = (at.as_microsecond(), run.0);
            self.db.prepare_cached(&delete)?.execute(params![row, at, run])?;
            self.db.prepare_cached(&note)?.execute(params![row, GONE.cast_signed()])?;
        }
        let went = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let sql = "UPDATE marsad_feed SET rows = rows - ?2 WHERE feed = ?1";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), went])?;
        Ok(rows.len() as u64)
    }
}

//! What an order about quarantine comes to, before it is given.

use rusqlite::{OptionalExtension, params};

use super::Reader;
use crate::{
    id::QuarantineId,
    protocol::{Choice, Chosen},
    store::{StoreError, ledger::parsed},
};

/// The most items that are named one by one.
pub const IDS_MAX: usize = 1_000;

impl Reader {
    /// How many items are meant, whose they are, and which of those that were named are not there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if not exactly one of the ways to choose is used, or too many are named.
    pub fn chosen(&self, what: &Chosen) -> Result<Choice, StoreError> {
        let one_way = "name items, or what is alike, or a feed: one of the three";
        match (what.ids.as_slice(), what.group, &what.feed) {
            ([], Some(alike), None) => {
                let group = self.group_of(alike)?;
                self.choice("grp = ?1", &group, what.up_to)
            }
            ([], None, Some(feed)) => self.choice("feed = ?1", &feed.as_str(), what.up_to),
            ([], ..) | (_, Some(_), _) | (_, _, Some(_)) => {
                Err(StoreError::Conflict(one_way.to_owned()))
            }
            (ids, None, None) if ids.len() > IDS_MAX => {
                Err(StoreError::Conflict(format!("name at most {IDS_MAX} items, or what is alike")))
            }
            (ids, None, None) => self.named(ids),
        }
    }

    fn choice(
        &self,
        which: &str,
        value: &dyn rusqlite::ToSql,
        up_to: Option<QuarantineId>,
    ) -> Result<Choice, StoreError> {
        let most = up_to.map_or(i64::MAX, |id| id.0);
        let sql = format!("SELECT count(*), max(id) FROM quarantine WHERE {which} AND id <= ?2");
        let (count, last) =
            self.ledger.prepare_cached(&sql)?.query_row(params![value, most], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
            })?;
        let sql = format!("SELECT feed FROM quarantine WHERE {which} LIMIT 1");
        let feed = self.ledger.prepare_cached(&sql)?.query_row([value], |row| parsed(row, "feed"));
        Ok(Choice {
            count: count.cast_unsigned(),
            up_to: last.map(QuarantineId),
            // What is alike is one feed's.
            feeds: feed.optional()?.into_iter().collect(),
            missing: Vec::new(),
        })
    }

    fn named(&self, ids: &[QuarantineId]) -> Result<Choice, StoreError> {
        let mut choice = Choice::default();
        let mut statement =
            self.ledger.prepare_cached("SELECT feed FROM quarantine WHERE id = ?")?;
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            match statement.query_row([id.0], |row| parsed(row, "feed")).optional()? {
                Some(feed) => {
                    choice.count += 1;
                    choice.up_to = Some(id);
                    choice.feeds.push(feed);
                }
                None => choice.missing.push(id),
            }
        }
        choice.feeds.sort_unstable();
        choice.feeds.dedup();
        Ok(choice)
    }
}

//! What an order about quarantine comes to, before it is given.

use rusqlite::{OptionalExtension, Row, params};

use super::Reader;
use crate::{
    id::{FeedId, QuarantineId},
    protocol::{Choice, Chosen},
    quarantine::Kind,
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

    /// The items of one feed and kind that are meant, the oldest first: of two of one record the one that came later
    /// counts.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the item is not there that stands for what is alike to it.
    pub fn to_replay(
        &self,
        feed: &FeedId,
        kind: Kind,
        what: &Chosen,
    ) -> Result<Vec<QuarantineId>, StoreError> {
        let most = what.up_to.map_or(i64::MAX, |id| id.0);
        let id = |row: &Row<'_>| row.get(0).map(QuarantineId);
        let (feed, kind) = (feed.as_str(), kind.word());
        if let Some(alike) = what.group {
            // What is alike is of one feed and kind, and is read in the order of its own index.
            let sql = "SELECT q.id FROM quarantine_groups g JOIN quarantine q ON q.grp = g.id \
                       WHERE g.id = ?1 AND g.feed = ?2 AND g.kind = ?3 AND q.id <= ?4 ORDER BY q.at, q.id";
            let mut statement = self.ledger.prepare_cached(sql)?;
            let ids = params![self.group_of(alike)?, feed, kind, most];
            return Ok(statement.query_map(ids, id)?.collect::<Result<_, _>>()?);
        }
        if what.feed.is_some() {
            let sql =
                "SELECT id FROM quarantine WHERE feed = ? AND kind = ? AND id <= ? ORDER BY at, id";
            let mut statement = self.ledger.prepare_cached(sql)?;
            let ids = statement.query_map(params![feed, kind, most], id)?;
            return Ok(ids.collect::<Result<_, _>>()?);
        }
        let sql = "SELECT at FROM quarantine WHERE id = ? AND feed = ? AND kind = ?";
        let mut statement = self.ledger.prepare_cached(sql)?;
        let mut found = Vec::with_capacity(what.ids.len());
        for id in &what.ids {
            let at = statement.query_row(params![id.0, feed, kind], |row| row.get::<_, i64>(0));
            found.extend(at.optional()?.map(|at| (at, *id)));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found.into_iter().map(|(_, id)| id).collect())
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        id::RunId,
        protocol::Alike,
        quarantine::{Place, Refusal},
        store::{Ledger, Store},
    };

    #[test]
    fn what_is_meant_is_replayed_in_the_order_in_which_it_came() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let store = Store::open(&state).unwrap();
        let feed = |name: &str| name.parse::<FeedId>().unwrap();
        // The first row comes once more at last: what its partner says of it is the newest.
        for (run, name, line, kind) in [
            (1, "a/b", 1, Kind::Row),
            (2, "a/b", 2, Kind::Row),
            (3, "a/c", 3, Kind::Row),
            (4, "a/b", 4, Kind::File),
            (5, "a/b", 1, Kind::Row),
        ] {
            let refusal = Refusal {
                kind,
                reason: format!("line {line} is bad"),
                place: Place { line: Some(line), ..Place::default() },
                original: b"x".to_vec(),
                form: None,
                original_hash: None,
                bytes: 1,
            };
            let (feed, at) = (feed(name), Timestamp::from_second(run).unwrap());
            let work = move |ledger: &mut Ledger| ledger.refuse(&feed, RunId(run), &[refusal], at);
            store.ledger.call_blocking(work).unwrap();
        }
        let reader = Reader::open(&state).unwrap();
        let ids = |ids: &[i64]| ids.iter().map(|id| QuarantineId(*id)).collect::<Vec<_>>();
        let alike = |text: &str| Chosen {
            group: Some(text.parse::<Alike>().unwrap()),
            ..Chosen::default()
        };
        let all = Chosen { feed: Some(feed("a/b")), ..Chosen::default() };
        let seen = Chosen { up_to: Some(QuarantineId(1)), ..all.clone() };
        let named = Chosen { ids: ids(&[1, 3, 2, 1, 9]), ..Chosen::default() };
        for (what, kind, expected, why) in [
            (&all, Kind::Row, &[2, 1][..], "all of a feed"),
            (&seen, Kind::Row, &[1], "none behind what was looked at"),
            (&all, Kind::File, &[4], "its files"),
            (&alike("q2"), Kind::Row, &[2, 1], "what is alike to an item"),
            (&alike("q2"), Kind::File, &[], "which is of one kind"),
            (&alike("q3"), Kind::Row, &[], "and of one feed"),
            (&named, Kind::Row, &[2, 1], "named ones, each once, those of another feed left out"),
        ] {
            assert_eq!(reader.to_replay(&feed("a/b"), kind, what).unwrap(), ids(expected), "{why}");
        }
        let choice = reader.chosen(&named).unwrap();
        assert_eq!((choice.count, choice.missing, choice.feeds.len()), (3, ids(&[9]), 2));
        assert_eq!(reader.chosen(&all).unwrap().count, 3);
        for wrong in [
            Chosen::default(),
            Chosen { ids: ids(&[1]), ..all },
            Chosen { ids: vec![QuarantineId(1); IDS_MAX + 1], ..Chosen::default() },
            alike("q9"),
        ] {
            assert!(
                matches!(reader.chosen(&wrong), Err(StoreError::Conflict(_))),
                "{:?}",
                wrong.group
            );
        }
    }
}

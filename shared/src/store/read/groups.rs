//! What is alike in quarantine, the most first. Each group is counted as its items come and go.

use rusqlite::{OptionalExtension, Row, params};

use super::{Reader, limit};
use crate::{
    id::{GroupId, QuarantineId},
    protocol::{Alike, ListQuery, QuarantineGroup},
    quarantine::Kind,
    store::{
        StoreError,
        ledger::{maybe_time_at, parsed, time_at},
    },
};

/// The columns of a group. Its ends are found by their indexes, whatever it holds.
const COLUMNS: &str = "g.*, \
    (SELECT first_at FROM quarantine WHERE grp = g.id ORDER BY id LIMIT 1) AS oldest_at, \
    (SELECT at FROM quarantine WHERE grp = g.id ORDER BY at DESC, id DESC LIMIT 1) AS newest_at, \
    (SELECT id FROM quarantine WHERE grp = g.id ORDER BY at DESC, id DESC LIMIT 1) AS example";

impl Reader {
    /// Groups of quarantine, the largest first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if `after` or `before` is no group's id, or the group is gone.
    pub fn quarantine_groups(&self, query: &ListQuery) -> Result<Vec<QuarantineGroup>, StoreError> {
        let back = query.before.is_some();
        if back && query.after.is_some() {
            let why = "a page is after a row or before one, not both".to_owned();
            return Err(StoreError::Conflict(why));
        }
        let bound = query.after.as_ref().or(query.before.as_ref()).filter(|text| !text.is_empty());
        let bound = bound.map(|text| self.place_of(text)).transpose()?;
        let side = match (bound, back) {
            (None, _) => "?1 IS NULL AND ?2 IS NULL",
            (Some(_), false) => "(g.n < ?1 OR g.n = ?1 AND g.id > ?2)",
            (Some(_), true) => "(g.n > ?1 OR g.n = ?1 AND g.id < ?2)",
        };
        let order = if back { "g.n, g.id DESC" } else { "g.n DESC, g.id" };
        let sql = format!(
            "SELECT {COLUMNS} FROM quarantine_groups g WHERE {side} AND g.n > 0 AND (?3 IS NULL OR g.feed = ?3) \
             AND (?4 IS NULL OR g.kind = ?4) AND (?5 IS NULL OR substr(g.feed, 1, length(?5) + 1) = ?5 || '/') \
             ORDER BY {order} LIMIT ?6"
        );
        let (n, id) = bound.unzip();
        let mut statement = self.ledger.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![n, id, query.feed, query.state, query.partner, limit(query)],
            group_row,
        )?;
        let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
        if back {
            rows.reverse();
        }
        Ok(rows)
    }

    /// One group.
    pub fn quarantine_group(&self, id: GroupId) -> Result<Option<QuarantineGroup>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM quarantine_groups g WHERE g.id = ? AND g.n > 0");
        Ok(self.ledger.prepare_cached(&sql)?.query_row([id.0], group_row).optional()?)
    }

    /// The group that is meant.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if there is no such item.
    pub fn group(&self, alike: Alike) -> Result<Alike, StoreError> {
        self.group_of(alike).map(|id| Alike::Group(GroupId(id)))
    }

    /// The number of the group that is meant.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if there is no such item.
    pub(super) fn group_of(&self, alike: Alike) -> Result<i64, StoreError> {
        let id = match alike {
            Alike::Group(id) => return Ok(id.0),
            Alike::Item(id) => id,
        };
        let sql = "SELECT grp FROM quarantine WHERE id = ?";
        let found = self.ledger.prepare_cached(sql)?.query_row([id.0], |row| row.get(0));
        found
            .optional()?
            .ok_or_else(|| StoreError::Conflict(format!("there is no {id} in quarantine")))
    }

    /// Where a group stands in the list: how many it holds, and its number.
    fn place_of(&self, text: &str) -> Result<(i64, i64), StoreError> {
        let id: GroupId = text.parse().map_err(|error| StoreError::Conflict(format!("{error}")))?;
        let sql = "SELECT n, id FROM quarantine_groups WHERE id = ?";
        let found = self
            .ledger
            .prepare_cached(sql)?
            .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)));
        found.optional()?.ok_or_else(|| {
            StoreError::Conflict(format!("nothing of {id} is left in quarantine; list them anew"))
        })
    }
}

fn group_row(row: &Row<'_>) -> rusqlite::Result<QuarantineGroup> {
    let (kind, field): (String, String) = (row.get("kind")?, row.get("field")?);
    Ok(QuarantineGroup {
        id: GroupId(row.get("id")?),
        feed: parsed(row, "feed")?,
        kind: if kind == Kind::File.word() { Kind::File } else { Kind::Row },
        field: Some(field).filter(|field| !field.is_empty()),
        reason: row.get("reason")?,
        count: row.get::<_, i64>("n")?.cast_unsigned(),
        oldest_at: maybe_time_at(row, "oldest_at")?,
        newest_at: time_at(row, "newest_at")?,
        example: QuarantineId(row.get("example")?),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        id::{FeedId, RunId},
        quarantine::{Place, Refusal},
        store::Store,
    };

    fn row(line: u64, field: Option<&str>, reason: &str) -> Refusal {
        Refusal {
            kind: Kind::Row,
            reason: reason.to_owned(),
            place: Place {
                file: Some("a.csv".to_owned()),
                line: Some(line),
                field: field.map(str::to_owned),
                ..Place::default()
            },
            original: b"x".to_vec(),
            form: None,
            original_hash: None,
            bytes: 1,
        }
    }

    /// `feed count reason oldest..newest example`, as seconds.
    fn said(groups: Vec<QuarantineGroup>) -> Vec<String> {
        let line = |group: QuarantineGroup| {
            let QuarantineGroup { feed, count, reason, oldest_at, newest_at, example, .. } = group;
            let oldest = oldest_at.map(Timestamp::as_second).unwrap_or_default();
            format!("{feed} {count} {reason} {oldest}..{} {example}", newest_at.as_second())
        };
        groups.into_iter().map(line).collect()
    }

    #[test]
    fn what_is_alike_is_counted_together_as_it_comes_changes_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let store = Store::open(&state).unwrap();
        let feed = |name: &str| name.parse::<FeedId>().unwrap();
        let refuse = |name: &str, run: i64, at: i64, refusals: Vec<Refusal>| {
            let (feed, at) = (feed(name), Timestamp::from_second(at).unwrap());
            let work = move |ledger: &mut crate::store::Ledger| {
                ledger.refuse(&feed, RunId(run), &refusals, at)
            };
            store.ledger.call_blocking(work).unwrap();
        };
        let grade = Some("grade");
        refuse(
            "health/visits",
            1,
            10,
            vec![
                row(1, None, "the row has 3 cells and the header 4"),
                row(2, None, "the row has 5 cells and the header 4"),
                row(3, grade, "field \"grade\" is no number"),
            ],
        );
        refuse("health/visits", 2, 20, vec![row(4, grade, "field \"grade\" is no number")]);
        refuse("courts/orders", 3, 30, vec![row(1, grade, "field \"grade\" is no number")]);
        let reader = Reader::open(&state).unwrap();
        let list = |query: ListQuery| said(reader.quarantine_groups(&query).unwrap());
        let ragged = "health/visits 2 the row has … cells and the header … 10..10 q2";
        let graded = "health/visits 2 field \"grade\" is no number 10..20 q4";
        let courts = "courts/orders 1 field \"grade\" is no number 30..30 q5";
        assert_eq!(list(ListQuery::default()), [ragged, graded, courts]);
        let partner = ListQuery { partner: Some("courts".to_owned()), ..ListQuery::default() };
        assert_eq!(list(partner), [courts]);
        for (query, expected, why) in [
            (
                ListQuery { after: Some("g1".to_owned()), ..ListQuery::default() },
                &[graded, courts][..],
                "behind one",
            ),
            (
                ListQuery { before: Some("g2".to_owned()), ..ListQuery::default() },
                &[ragged],
                "before one",
            ),
            (
                ListQuery { before: Some(String::new()), limit: Some(2), ..ListQuery::default() },
                &[graded, courts],
                "the last ones",
            ),
            (
                ListQuery { state: Some("file".to_owned()), ..ListQuery::default() },
                &[],
                "of another kind",
            ),
        ] {
            assert_eq!(list(query), expected, "{why}");
        }
        let items = |alike: &str| {
            let group = Some(alike.parse().unwrap());
            let rows = reader.quarantine(&ListQuery { group, ..ListQuery::default() }).unwrap();
            rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(items("q3"), ["q4", "q3"], "an item stands for its group");
        assert_eq!(items("g1"), ["q2", "q1"]);

        // The same row comes again with another reason, and a run takes back what it was the first to refuse.
        refuse("health/visits", 4, 40, vec![row(3, None, "the row has 9 cells and the header 4")]);
        let visits = feed("health/visits");
        store.ledger.call_blocking(move |ledger| ledger.take_back(&visits, RunId(2))).unwrap();
        assert_eq!(
            list(ListQuery::default()),
            ["health/visits 3 the row has … cells and the header … 10..40 q3", courts],
            "the group that is empty is gone"
        );
        assert!(reader.quarantine_group(GroupId(2)).unwrap().is_none());
        let gone = ListQuery { after: Some("g2".to_owned()), ..ListQuery::default() };
        assert!(matches!(reader.quarantine_groups(&gone), Err(StoreError::Conflict(_))));
    }
}

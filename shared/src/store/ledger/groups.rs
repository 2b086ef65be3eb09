//! What is alike in quarantine: one feed, one kind, one field and one reason, but for its numbers and what it quotes.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{quarantine::alike, store::StoreError};

/// What makes two items alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sort<'s> {
    pub(super) feed: &'s str,
    pub(super) kind: &'s str,
    pub(super) field: Option<&'s str>,
    pub(super) reason: &'s str,
}

/// The group of such an item, made if there is none. What is counted in it is counted by the table itself.
pub(super) fn of(db: &Connection, sort: &Sort<'_>) -> rusqlite::Result<i64> {
    let Sort { feed, kind, field, reason } = *sort;
    let (alike, field) = (alike(reason, field), field.unwrap_or_default());
    let sql = "SELECT id, reason FROM quarantine_groups WHERE feed = ? AND kind = ? AND field = ? AND alike = ?";
    let found = db.prepare_cached(sql)?.query_row(params![feed, kind, field, alike], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    });
    let Some((id, said)) = found.optional()? else {
        let sql = "INSERT INTO quarantine_groups (feed, kind, field, alike, reason) VALUES (?, ?, ?, ?, ?)";
        db.prepare_cached(sql)?.execute(params![feed, kind, field, alike, reason])?;
        return Ok(db.last_insert_rowid());
    };
    if said != reason && said != alike {
        let sql = "UPDATE quarantine_groups SET reason = alike WHERE id = ?";
        db.prepare_cached(sql)?.execute([id])?;
    }
    Ok(id)
}

/// The group of such an item, if there is one.
pub(super) fn find(db: &Connection, sort: &Sort<'_>) -> rusqlite::Result<Option<i64>> {
    let Sort { feed, kind, field, reason } = *sort;
    let alike = alike(reason, field);
    let sql =
        "SELECT id FROM quarantine_groups WHERE feed = ? AND kind = ? AND field = ? AND alike = ?";
    let field = field.unwrap_or_default();
    db.prepare_cached(sql)?
        .query_row(params![feed, kind, field, alike], |row| row.get(0))
        .optional()
}

/// Forgets groups that have nothing left.
pub(super) fn sweep(db: &Connection) -> Result<(), StoreError> {
    // The index begins with the greatest numbers, and so is read from its end.
    db.prepare_cached("DELETE FROM quarantine_groups WHERE n <= 0")?.execute([])?;
    Ok(())
}

/// Gives each item of an older version its group.
pub(in crate::store) fn group_all(db: &Connection) -> rusqlite::Result<()> {
    let mut items =
        db.prepare("SELECT id, feed, kind, field, reason FROM quarantine ORDER BY id")?;
    let mut rows = items.query([])?;
    while let Some(row) = rows.next()? {
        let text = |at: usize| -> rusqlite::Result<_> { Ok(row.get_ref(at)?.as_str_or_null()?) };
        let (feed, kind) = (text(1)?.unwrap_or_default(), text(2)?.unwrap_or_default());
        let sort = Sort { feed, kind, field: text(3)?, reason: text(4)?.unwrap_or_default() };
        let group = of(db, &sort)?;
        db.prepare_cached("UPDATE quarantine SET grp = ? WHERE id = ?")?
            .execute([group, row.get::<_, i64>(0)?])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        id::{FeedId, QuarantineId, RunId},
        quarantine::{Kind, Place, Refusal},
        store::{Ledger, schema},
    };

    #[test]
    fn items_of_an_older_version_are_given_their_groups() {
        let mut db = Connection::open_in_memory().unwrap();
        let has_groups = |version| {
            let mut db = Connection::open_in_memory().unwrap();
            schema::LEDGER.to_version(&mut db, version).unwrap();
            db.prepare("SELECT n FROM quarantine_groups").is_ok()
        };
        let first = (1..100).find(|version| has_groups(*version)).unwrap();
        schema::LEDGER.to_version(&mut db, first - 1).unwrap();
        for (line, reason) in [(1, "line 1 is bad"), (2, "line 2 is bad"), (3, "other")] {
            db.execute(
                "INSERT INTO quarantine (feed, run, first_run, kind, reason, line, place, hash, bytes, at) \
                 VALUES ('a/b', 1, 1, 'row', ?2, ?1, ?1, 'h', 1, 1)",
                params![line, reason],
            )
            .unwrap();
        }
        schema::LEDGER.to_latest(&mut db).unwrap();
        let mut groups = db.prepare("SELECT reason, n FROM quarantine_groups ORDER BY id").unwrap();
        let groups = groups.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let groups: Vec<(String, i64)> = groups.map(Result::unwrap).collect();
        assert_eq!(groups, [("line … is bad".to_owned(), 2), ("other".to_owned(), 1)]);
    }

    #[test]
    fn what_was_refused_for_the_same_is_known_since_it_first_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        let (feed, other): (FeedId, FeedId) = ("a/b".parse().unwrap(), "a/c".parse().unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        let refusal = |reason: &str, row| Refusal {
            kind: Kind::Row,
            reason: reason.to_owned(),
            place: Place { row: Some(row), page: Some(1), ..Place::default() },
            original: format!("{row}").into_bytes(),
            form: None,
            original_hash: None,
            bytes: 1,
        };
        ledger.refuse(&feed, RunId(1), &[refusal("cell 3 is torn", 1)], at(100)).unwrap();
        ledger.refuse(&feed, RunId(2), &[refusal("cell 4 is torn", 2)], at(200)).unwrap();
        for (feed, reason, before, expected, why) in [
            (&feed, "cell 9 is torn", 101, true, "for the same, but for its numbers"),
            (&feed, "cell 9 is torn", 100, false, "not so long ago"),
            (&feed, "it is no record", 101, false, "for something else"),
            (&other, "cell 9 is torn", 101, false, "of another feed"),
        ] {
            let is = ledger.are_refused_since(feed, &refusal(reason, 3), at(before)).unwrap();
            assert_eq!(is, expected, "{why}");
        }
    }

    /// Something that happens to quarantine.
    #[derive(Clone, Debug)]
    enum Step {
        /// A row of a feed, by its line, with a reason and a field or none.
        Refuse(u8, u8, u8),
        Discard(i64),
        Accept(i64),
        RefuseAgain(i64, u8),
        TakeBack(u8, i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..2_u8, 0..6_u8, 0..4_u8).prop_map(|(feed, line, why)| Step::Refuse(feed, line, why)),
            1 => (1..20_i64).prop_map(Step::Discard),
            1 => (1..20_i64).prop_map(Step::Accept),
            1 => (1..20_i64, 0..4_u8).prop_map(|(id, why)| Step::RefuseAgain(id, why)),
            1 => (0..2_u8, 1..20_i64).prop_map(|(feed, run)| Step::TakeBack(feed, run)),
        ];
        prop::collection::vec(step, 1..40)
    }

    /// Reasons, two of which are alike.
    fn reason(why: u8) -> (String, Option<String>) {
        match why {
            0 | 1 => (format!("the row has {why} cells"), None),
            2 => ("field \"n\" is no number".to_owned(), Some("n".to_owned())),
            _ => ("field \"n\" is no number".to_owned(), None),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whatever_happens_each_group_holds_as_many_as_it_says(steps in steps()) {
            let folder = tempfile::tempdir().unwrap();
            let mut ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
            let feed = |n: u8| format!("a/f{n}").parse::<FeedId>().unwrap();
            for (run, step) in (1..).zip(steps) {
                let at = Timestamp::from_second(run).unwrap();
                match step {
                    Step::Refuse(of, line, why) => {
                        let (reason, field) = reason(why);
                        let place = Place { line: Some(line.into()), field, ..Place::default() };
                        let refusal = Refusal {
                            kind: Kind::Row, reason, place, original: vec![line], form: None,
                            original_hash: None, bytes: 1,
                        };
                        ledger.refuse(&feed(of), RunId(run), &[refusal], at).unwrap();
                    }
                    Step::Discard(id) => drop(ledger.discard(&[QuarantineId(id)]).unwrap()),
                    Step::Accept(id) => {
                        ledger.replayed(Some(RunId(run)), &[QuarantineId(id)], &[]).unwrap();
                    }
                    Step::RefuseAgain(id, why) => {
                        let (reason, field) = reason(why);
                        ledger.replayed(None, &[], &[(QuarantineId(id), field, reason)]).unwrap();
                    }
                    Step::TakeBack(of, run) => ledger.take_back(&feed(of), RunId(run)).unwrap(),
                }
                let off = "SELECT (SELECT count(*) FROM quarantine_groups g \
                           WHERE n <> (SELECT count(*) FROM quarantine WHERE grp = g.id) OR n = 0) \
                           + (SELECT count(*) FROM quarantine q JOIN quarantine_groups g ON g.id = q.grp \
                              WHERE g.feed <> q.feed OR g.kind <> q.kind OR g.field <> coalesce(q.field, '')) \
                           + (SELECT count(*) FROM quarantine WHERE grp IS NULL) \
                           + abs((SELECT coalesce(sum(n), 0) FROM counts WHERE what = 'quarantine') \
                                 - (SELECT count(*) FROM quarantine))";
                let off: i64 = ledger.db.query_row(off, [], |row| row.get(0)).unwrap();
                prop_assert_eq!(off, 0);
            }
        }
    }
}

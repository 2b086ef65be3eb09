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
    use super::*;
    use crate::store::schema;

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
}

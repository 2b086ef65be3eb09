//! The information bank as an analyst sees it: plain SQLite, opened read-only with nothing of Marsad's in between.
//!
//! The only SQL outside the store stands here, on purpose: a bank that only its own readers can read would be none.

use std::path::Path;

use anyhow::{Context as _, bail};
use rusqlite::{Connection, OpenFlags, Row as SqlRow, types::ValueRef};

use crate::partner::{Cell, Row, Truth};

/// More differences than these are not listed.
const LISTED: usize = 5;

/// Opens one of the databases in `state_dir`, `cache.db` or `ledger.db`, to look at it.
pub fn open(state_dir: &Path, name: &str) -> anyhow::Result<Connection> {
    let file = state_dir.join(name);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(&file, flags)?;
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(db)
}

/// How the bank's table of `feed` differs from what the partner has, in words; empty: not at all.
///
/// Rows stand in the order of their keys on both sides, so that a million of them are compared one by one.
pub fn differences(state_dir: &Path, feed: &str, truth: &Truth) -> anyhow::Result<Vec<String>> {
    let db = open(state_dir, "cache.db")?;
    let table = feed.replace('/', "__").replace('-', "_");
    let columns: Vec<_> =
        truth.dataset.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    let key = truth.dataset.key_column();
    let sql = format!(
        "SELECT {} FROM \"{table}\" WHERE _deleted IS NULL ORDER BY \"{key}\"",
        columns.join(", ")
    );
    let mut statement =
        db.prepare(&sql).with_context(|| format!("no table of {feed} in the bank"))?;
    let mut rows = statement.query([])?;
    let (mut found, mut number) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let have = row_of(row, columns.len())?;
        // What the bank has beside the truth, or lacks of it, shows as keys that do not meet.
        let want = truth.row(number);
        if have.first() == want.first() {
            if have != want {
                found.push(format!("{have:?} is {want:?} at the partner"));
            }
            number += 1;
        } else if want.is_empty() || have.first() < want.first() {
            found.push(format!("{:?} is not the partner's", have.first()));
        } else {
            while number < truth.len() && truth.row(number).first() < have.first() {
                found.push(format!("{} is missing", truth.key(number)));
                number += 1;
            }
            if truth.row(number).first() == have.first() {
                number += 1;
            }
        }
        if found.len() > LISTED {
            return Ok(found);
        }
    }
    found.extend(
        (number..truth.len())
            .take(LISTED)
            .map(|number| format!("{} is missing", truth.key(number))),
    );
    Ok(found)
}

/// The live rows of `feed` in the bank, these columns of them, in the order of the first.
pub fn rows(state_dir: &Path, feed: &str, columns: &[&str]) -> anyhow::Result<Vec<Row>> {
    let db = open(state_dir, "cache.db")?;
    let table = feed.replace('/', "__").replace('-', "_");
    let list: Vec<_> = columns.iter().map(|column| format!("\"{column}\"")).collect();
    let sql =
        format!("SELECT {} FROM \"{table}\" WHERE _deleted IS NULL ORDER BY 1", list.join(", "));
    let mut statement =
        db.prepare(&sql).with_context(|| format!("no table of {feed} in the bank"))?;
    let rows = statement.query_map([], |row| row_of(row, columns.len()))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The number that `sql` gives, from `cache.db` or `ledger.db`.
pub fn number(state_dir: &Path, name: &str, sql: &str) -> anyhow::Result<i64> {
    Ok(open(state_dir, name)?.query_row(sql, [], |row| row.get(0))?)
}

/// What SQLite itself finds wrong with both files; `Ok`: nothing.
pub fn check(state_dir: &Path) -> anyhow::Result<()> {
    for name in ["cache.db", "ledger.db"] {
        let verdict: String =
            open(state_dir, name)?.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if verdict != "ok" {
            bail!("{name}: {verdict}");
        }
    }
    Ok(())
}

fn row_of(row: &SqlRow<'_>, columns: usize) -> rusqlite::Result<Row> {
    let cell = |at| {
        Ok(match row.get_ref(at)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Integer(number),
            ValueRef::Real(number) => Cell::Text(format!("{number} as a float")),
            ValueRef::Text(text) | ValueRef::Blob(text) => {
                Cell::Text(String::from_utf8_lossy(text).into_owned())
            }
        })
    };
    (0..columns).map(cell).collect()
}

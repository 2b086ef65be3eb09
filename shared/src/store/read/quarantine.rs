//! Quarantine, newest first.

use rusqlite::{OptionalExtension, Row};

use super::{Page, Reader, limit, of_partner};
use crate::{
    id::{QuarantineId, RunId},
    protocol::{ListQuery, QuarantineRow},
    quarantine::{Kind, Place},
    store::{
        StoreError,
        ledger::{parsed, time_at},
    },
};

impl Reader {
    /// Quarantine items, newest first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if `after` or `before` is no item's id.
    pub fn quarantine(&self, query: &ListQuery) -> Result<Vec<QuarantineRow>, StoreError> {
        let page = Page::of(query, |id: QuarantineId| id.0)?;
        let sql = match &query.feed {
            Some(_) => {
                "SELECT * FROM quarantine WHERE feed = ?3 AND id < ?1 AND (?4 IS NULL OR kind = ?4) \
                 ORDER BY id DESC LIMIT ?2"
            }
            None => {
                "SELECT * FROM quarantine WHERE id < ?1 AND (?3 IS NULL) AND (?4 IS NULL OR kind = ?4) \
                 ORDER BY id DESC LIMIT ?2"
            }
        };
        let sql = of_partner(sql, query, "feed");
        let mut statement = self.ledger.prepare_cached(&page.statement(&sql, "id"))?;
        let rows = statement.query_map(
            rusqlite::params![page.bound(), limit(query), query.feed, query.state, query.partner],
            quarantine_row,
        )?;
        Ok(page.in_order(rows.collect::<Result<_, _>>()?))
    }

    /// One item.
    pub fn quarantine_item(&self, id: QuarantineId) -> Result<Option<QuarantineRow>, StoreError> {
        let sql = "SELECT * FROM quarantine WHERE id = ?";
        Ok(self.ledger.prepare_cached(sql)?.query_row([id.0], quarantine_row).optional()?)
    }
}

fn quarantine_row(row: &Row<'_>) -> rusqlite::Result<QuarantineRow> {
    let number = |column: &str| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
    };
    let kind: String = row.get("kind")?;
    Ok(QuarantineRow {
        id: QuarantineId(row.get("id")?),
        feed: parsed(row, "feed")?,
        run: RunId(row.get("run")?),
        kind: if kind == Kind::File.word() { Kind::File } else { Kind::Row },
        reason: row.get("reason")?,
        place: Place {
            file: row.get("file")?,
            line: number("line")?,
            page: number("page")?,
            row: number("row")?,
            field: row.get("field")?,
        },
        at: time_at(row, "at")?,
        bytes: number("bytes")?.unwrap_or_default(),
    })
}

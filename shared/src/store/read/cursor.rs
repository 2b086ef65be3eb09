//! How far a feed has been read: its cursor's history, and what going back in it would mean.

use std::cmp::Ordering;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params, types::ValueRef};

use super::{Page, Reader, limit};
use crate::{
    feed::FieldType,
    id::{FeedId, MoveId, RunId},
    order,
    protocol::{CursorRow, ListQuery, RewindPreview},
    request::By,
    store::{
        StoreError,
        cache::{
            NO_RUN,
            table::{Table, quoted},
        },
        ledger::time_at,
    },
};

impl Reader {
    /// The moves of a feed's cursor, newest first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if `after` or `before` is no id of a move.
    pub fn cursor(&self, feed: &FeedId, query: &ListQuery) -> Result<Vec<CursorRow>, StoreError> {
        let page = Page::of(query, |id: MoveId| id.0)?;
        let sql = page.statement(
            "SELECT *, id = (SELECT max(id) FROM marsad_cursor WHERE feed = ?2) AS current \
             FROM marsad_cursor WHERE id < ?1 AND feed = ?2 ORDER BY id DESC LIMIT ?3",
            "id",
        );
        let mut statement = self.cache.prepare_cached(&sql)?;
        let asked = params![page.bound(), feed.as_str(), limit(query)];
        let rows = statement.query_map(asked, cursor_row)?;
        Ok(page.in_order(rows.collect::<Result<_, _>>()?))
    }

    /// One of them.
    pub fn cursor_move(&self, feed: &FeedId, id: MoveId) -> Result<Option<CursorRow>, StoreError> {
        let after = Some(MoveId(id.0.saturating_add(1)).to_string());
        let query = ListQuery { after, limit: Some(1), ..ListQuery::default() };
        Ok(self.cursor(feed, &query)?.pop().filter(|row| row.id == id))
    }

    /// What setting the cursor to `to` would do: a value, or the id of a move or of a run that moved it; `None`: the
    /// beginning. `asks` says from where a run asks, given a cursor or none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if there is no way back to there, with the reason.
    pub fn rewind_preview(
        &self,
        feed: &FeedId,
        by: &By,
        to: Option<&str>,
        asks: impl FnOnce(Option<&str>) -> Option<String>,
    ) -> Result<RewindPreview, StoreError> {
        let sql = "SELECT cursor, rows, walk IS NOT NULL FROM marsad_feed WHERE feed = ?";
        let stands = self.cache.prepare_cached(sql)?.query_row([feed.as_str()], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
        });
        let Some((Some(from), rows_now, drops_walk)) = stands.optional()? else {
            let why = format!(
                "the cursor of {feed} stands at the beginning, and there is nothing before that; to read it anew: \
                 marsad resync {feed} --full"
            );
            return Err(StoreError::Conflict(why));
        };
        let table = Table::of(&self.cache, feed)?;
        let kind = table.kind_of_cursor(by);
        let to = to.map(|to| self.point(feed, kind, &from, to)).transpose()?.flatten();
        let asks_from = asks(to.as_deref());
        let rows = match by.field() {
            Some(column) => self.rows_between(&table, column, asks_from.as_deref(), None)?,
            None => None,
        };
        Ok(RewindPreview {
            back_s: to.as_deref().and_then(|to| seconds(kind?, to, &from)),
            back: to.as_deref().and_then(|to| steps(kind?, to, &from)),
            from: Some(from),
            to,
            asks_from,
            rows,
            rows_now: rows_now.cast_unsigned(),
            drops_walk,
        })
    }

    /// Whether a living record has that value in the column at `column`, as the bank writes it.
    pub fn lives_at(&self, feed: &FeedId, column: usize, value: &str) -> Result<bool, StoreError> {
        let Some(table) = Table::find_of(&self.cache, feed)? else { return Ok(false) };
        let Some(field) = table.layout().fields.get(column) else { return Ok(false) };
        let sql = format!(
            "SELECT 1 FROM {} WHERE _deleted IS NULL AND CAST({} AS TEXT) = ? LIMIT 1",
            table.quoted(),
            quoted(&field.name)
        );
        Ok(self.cache.prepare_cached(&sql)?.exists([value])?)
    }

    /// The point that `to` names, `None` if that is the beginning: where a move left the cursor, or a value that is not ahead of it. A point of the history
    /// was reached with all that lies before it, so that going there loses nothing, wherever the cursor stands now.
    fn point(
        &self,
        feed: &FeedId,
        kind: Option<FieldType>,
        from: &str,
        to: &str,
    ) -> Result<Option<String>, StoreError> {
        if let Some((column, id)) = named(to) {
            let sql = format!(
                "SELECT value FROM marsad_cursor WHERE feed = ? AND {column} = ? ORDER BY id DESC LIMIT 1"
            );
            let mut statement = self.cache.prepare_cached(&sql)?;
            let value = statement.query_row(params![feed.as_str(), id], |row| row.get(0));
            if let Some(value) = value.optional()? {
                return Ok(value);
            }
        }
        let Some(kind) = kind else {
            return Err(StoreError::Conflict(format!(
                "the cursor of {feed} is the partner's own token: only what it gave can be gone back to; name a move \
                 (marsad cursor show {feed}), or say --start"
            )));
        };
        let value = order::typed(kind, to).ok_or_else(|| {
            StoreError::Conflict(format!(
                "{to:?} is neither a move of {feed} (c7) or a run that moved its cursor (r12), nor {}",
                example(kind)
            ))
        })?;
        if order::of(kind, &value, from) == Ordering::Greater {
            return Err(StoreError::Conflict(format!(
                "{value} lies ahead of the cursor ({from}): what lies between would never be read"
            )));
        }
        Ok(Some(value))
    }

    /// How many live records have a value of `column` at `from` or behind it, and none behind `until`; all of them where neither
    /// is said. `None`: there is no such column.
    pub(super) fn rows_between(
        &self,
        table: &Table,
        column: &str,
        from: Option<&str>,
        until: Option<&str>,
    ) -> Result<Option<u64>, StoreError> {
        let Some(kind) = table.kind(column) else { return Ok(None) };
        let sql =
            format!("SELECT {} FROM {} WHERE _deleted IS NULL", quoted(column), table.quoted());
        let mut statement = self.cache.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            // Compared here and not in SQL: times of different precision are not in order as text.
            let value = row.get_ref(0)?;
            let is_after = from.is_none_or(|from| stands(kind, value, from, Ordering::is_ge));
            let is_before = until.is_none_or(|until| stands(kind, value, until, Ordering::is_le));
            count += u64::from(is_after && is_before);
        }
        Ok(Some(count))
    }
}

/// Whether a value stands to `other` as `wanted`; null does to none.
fn stands(kind: FieldType, value: ValueRef<'_>, other: &str, wanted: fn(Ordering) -> bool) -> bool {
    match value {
        ValueRef::Text(text) => wanted(order::of(kind, &String::from_utf8_lossy(text), other)),
        ValueRef::Integer(number) => other.parse().is_ok_and(|other| wanted(number.cmp(&other))),
        _ => false,
    }
}

/// The column of the history that `to` is an id of, if it is one. A text that looks like one and is none of this feed's may
/// still be a value.
fn named(to: &str) -> Option<(&'static str, i64)> {
    match (to.parse::<MoveId>(), to.parse::<RunId>()) {
        (Ok(id), _) => Some(("id", id.0)),
        (_, Ok(id)) if id != NO_RUN => Some(("run", id.0)),
        _ => None,
    }
}

const fn example(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Timestamp => "a time with its zone, such as 2026-11-24T06:00:00Z",
        FieldType::Date => "a day, such as 2026-11-24",
        FieldType::HijriDate => "a Hijri day, such as 1448-06-14",
        FieldType::Period => "a period, such as 2026-Q1",
        FieldType::Integer => "a whole number, as its column holds",
        FieldType::Decimal => "a decimal number, as its column holds",
        _ => "a value that its column could hold",
    }
}

fn seconds(kind: FieldType, to: &str, from: &str) -> Option<u64> {
    let (to, from): (Timestamp, Timestamp) = match kind {
        FieldType::Timestamp => (to.parse().ok()?, from.parse().ok()?),
        FieldType::Date => {
            let midnight = |day: &str| format!("{day}T00:00:00Z").parse().ok();
            (midnight(to)?, midnight(from)?)
        }
        _ => return None,
    };
    u64::try_from(from.duration_since(to).as_secs()).ok()
}

fn steps(kind: FieldType, to: &str, from: &str) -> Option<u64> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|_| kind == FieldType::Integer);
    let (to, from) = (number(to)?, number(from)?);
    (from >= to).then(|| from.abs_diff(to))
}

fn cursor_row(row: &Row<'_>) -> rusqlite::Result<CursorRow> {
    let run = RunId(row.get("run")?);
    Ok(CursorRow {
        id: MoveId(row.get("id")?),
        value: row.get("value")?,
        moved_at: time_at(row, "moved_at")?,
        run: (run != NO_RUN).then_some(run),
        reason: row.get("reason")?,
        actor: row.get("actor")?,
        current: row.get("current")?,
    })
}

#[cfg(test)]
mod tests;

//! Exchanges, newest first, and what was tried for each.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::{Page, Reader, limit, of_partner};
use crate::{
    id::ExchangeId,
    protocol::{AttemptRow, ExchangeRow, ListQuery},
    store::{
        StoreError,
        ledger::{maybe_parsed, maybe_time_at, parsed, time_at},
    },
};

impl Reader {
    /// Exchanges, newest first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if `after` or `before` is no exchange's id.
    pub fn exchanges(&self, query: &ListQuery) -> Result<Vec<ExchangeRow>, StoreError> {
        let page = Page::of(query, |id: ExchangeId| id.0)?;
        let sql = match (&query.connection, &query.state) {
            (None, None) => {
                "SELECT * FROM exchanges WHERE id < ?1 AND ?3 IS NULL AND ?4 IS NULL ORDER BY id DESC LIMIT ?2"
            }
            (Some(_), _) => {
                "SELECT * FROM exchanges WHERE connection = ?3 AND id < ?1 AND (?4 IS NULL OR state = ?4) \
                 ORDER BY id DESC LIMIT ?2"
            }
            (None, Some(_)) => {
                "SELECT * FROM exchanges WHERE state = ?4 AND id < ?1 AND ?3 IS NULL ORDER BY id DESC LIMIT ?2"
            }
        };
        let sql = of_partner(sql, query, "connection");
        let mut statement = self.ledger.prepare_cached(&page.statement(&sql, "id"))?;
        let rows = statement.query_map(
            params![page.bound(), limit(query), query.connection, query.state, query.partner],
            exchange_row,
        )?;
        Ok(page.in_order(rows.collect::<Result<_, _>>()?))
    }

    /// One exchange, with its attempts.
    pub fn exchange(&self, id: ExchangeId) -> Result<Option<ExchangeRow>, StoreError> {
        let sql = "SELECT * FROM exchanges WHERE id = ?";
        let row = self.ledger.prepare_cached(sql)?.query_row([id.0], exchange_row).optional()?;
        let Some(mut row) = row else { return Ok(None) };
        let sql = "SELECT * FROM attempts WHERE exchange = ? ORDER BY started_at, number, kind";
        let mut statement = self.ledger.prepare_cached(sql)?;
        let attempts = statement.query_map([id.0], |row| {
            Ok(AttemptRow {
                number: row.get("number")?,
                kind: row.get("kind")?,
                started_at: time_at(row, "started_at")?,
                ended_at: maybe_time_at(row, "ended_at")?,
                state: maybe_parsed(row, "state")?,
                status: row.get("status")?,
                reason: row.get("reason")?,
            })
        })?;
        row.timeline = attempts.collect::<Result<_, _>>()?;
        Ok(Some(row))
    }

    pub(super) fn oldest_pending(&self, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT min(created_at) AS created_at FROM exchanges \
                   WHERE state NOT IN ('delivered', 'confirmed', 'rejected', 'expired', 'cancelled')";
        let oldest = self
            .ledger
            .prepare_cached(sql)?
            .query_row([], |row| maybe_time_at(row, "created_at"))?;
        Ok(oldest.map(|at| u64::try_from(now.duration_since(at).as_secs()).unwrap_or(0)))
    }
}

fn exchange_row(row: &Row<'_>) -> rusqlite::Result<ExchangeRow> {
    Ok(ExchangeRow {
        id: ExchangeId(row.get("id")?),
        direction: parsed(row, "direction")?,
        connection: parsed(row, "connection")?,
        state: parsed(row, "state")?,
        doubted: row.get("doubted")?,
        attempts: row.get("attempts")?,
        created_at: time_at(row, "created_at")?,
        next_at: maybe_time_at(row, "next_at")?,
        deadline_at: maybe_time_at(row, "deadline_at")?,
        bytes: row.get::<_, i64>("bytes")?.cast_unsigned(),
        idempotency_key: row.get("idempotency_key")?,
        reason: row.get("reason")?,
        name: row.get("name")?,
        hash: row.get("hash")?,
        since_at: time_at(row, "since_at")?,
        delivered_at: maybe_time_at(row, "delivered_at")?,
        timeline: Vec::new(),
    })
}

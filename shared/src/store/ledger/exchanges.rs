//! Exchanges and their attempts. Each state is stored before it is acted upon, so that a restart goes on from here.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Ledger, maybe_time_at, micros, parsed};
use crate::{
    exchange::{Event, State},
    id::{ConnectionId, ExchangeId},
    store::StoreError,
};

/// A document to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExchange {
    pub connection: ConnectionId,
    /// What it came from, in one text: the same origin again makes no second exchange.
    pub origin: String,
    pub name: String,
    /// BLAKE3 of the document, under which `originals/` keeps it.
    pub hash: String,
    pub bytes: u64,
    pub idempotency_key: String,
    pub at: Timestamp,
    pub deadline_at: Timestamp,
}

/// An exchange that the courier has something to do about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub id: ExchangeId,
    pub state: State,
    pub attempts: u32,
    pub next_at: Option<Timestamp>,
    pub deadline_at: Option<Timestamp>,
    pub idempotency_key: String,
    pub name: String,
    pub hash: String,
    pub bytes: u64,
}

/// One move of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub event: Event,
    pub at: Timestamp,
    /// When to look at it again; `None`: at once, or never if its state is final.
    pub next_at: Option<Timestamp>,
    /// What was said, in words.
    pub reason: Option<String>,
}

/// Whether an attempt delivers or asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Deliver,
    Ask,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    pub kind: Asked,
    pub number: u32,
    pub at: Timestamp,
    pub status: Option<u16>,
}

impl Ledger {
    /// Accepts an exchange. The same origin again gives the one that is there, and `false`.
    pub fn accept(&mut self, new: &NewExchange) -> Result<(ExchangeId, bool), StoreError> {
        let sql = "INSERT INTO exchanges (direction, connection, state, created_at, since_at, deadline_at, bytes, \
                   idempotency_key, origin, name, hash) \
                   VALUES ('outgoing', ?1, 'pending', ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (origin) DO NOTHING";
        let made = self.db.prepare_cached(sql)?.execute(params![
            new.connection.as_str(),
            micros(new.at),
            micros(new.deadline_at),
            i64::try_from(new.bytes).unwrap_or(i64::MAX),
            new.idempotency_key,
            new.origin,
            new.name,
            new.hash,
        ])?;
        if made > 0 {
            return Ok((ExchangeId(self.db.last_insert_rowid()), true));
        }
        let id = self.db.query_row(
            "SELECT id FROM exchanges WHERE origin = ?",
            [&new.origin],
            |row| row.get(0),
        )?;
        Ok((ExchangeId(id), false))
    }

    /// The open exchanges of a connection that wait for the courier, oldest first, at most `limit`.
    pub fn open_exchanges(
        &self,
        connection: &ConnectionId,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let sql = "SELECT * FROM exchanges WHERE connection = ?1 AND state <> 'held' \
                   AND state NOT IN ('delivered', 'confirmed', 'rejected', 'expired', 'cancelled') \
                   ORDER BY id LIMIT ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let due = statement.query_map(params![connection.as_str(), limit], |row| {
            Ok(Due {
                id: ExchangeId(row.get("id")?),
                state: parsed(row, "state")?,
                attempts: row.get("attempts")?,
                next_at: maybe_time_at(row, "next_at")?,
                deadline_at: maybe_time_at(row, "deadline_at")?,
                idempotency_key: row.get("idempotency_key")?,
                name: row.get("name")?,
                hash: row.get("hash")?,
                bytes: row.get::<_, i64>("bytes")?.cast_unsigned(),
            })
        })?;
        Ok(due.collect::<Result<_, _>>()?)
    }

    /// Moves an exchange by the rules of [`State::next`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if there is no such exchange or the event cannot happen to it now.
    pub fn step(&mut self, id: ExchangeId, step: &Step) -> Result<State, StoreError> {
        let state = self.state(id)?;
        let next =
            state.next(step.event).map_err(|illegal| StoreError::Conflict(illegal.to_string()))?;
        let sql = "UPDATE exchanges SET state = ?2, since_at = iif(state = ?2, since_at, ?3), next_at = ?4, \
                   reason = coalesce(?5, reason), \
                   delivered_at = iif(?2 = 'delivered', coalesce(delivered_at, ?3), delivered_at), \
                   attempts = attempts + ?6 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![
            id.0,
            next.word(),
            micros(step.at),
            step.next_at.map(micros),
            step.reason,
            i64::from(step.event == Event::Sent),
        ])?;
        Ok(next)
    }

    /// Gives an exchange whose deadline has passed a new one: a person wants it all the same.
    pub fn extend(
        &mut self,
        id: ExchangeId,
        now: Timestamp,
        deadline_at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE exchanges SET deadline_at = ?3 WHERE id = ?1 AND deadline_at <= ?2";
        self.db.prepare_cached(sql)?.execute(params![id.0, micros(now), micros(deadline_at)])?;
        Ok(())
    }

    /// Begins an attempt: the exchange is `sending`, and says so before a byte leaves.
    pub fn begin_attempt(&mut self, id: ExchangeId, at: Timestamp) -> Result<u32, StoreError> {
        self.step(id, &Step { event: Event::Sent, at, next_at: None, reason: None })?;
        let sql = "SELECT attempts FROM exchanges WHERE id = ?";
        let number = self.db.prepare_cached(sql)?.query_row([id.0], |row| row.get(0))?;
        self.note_attempt(id, Asked::Deliver, number, at)?;
        Ok(number)
    }

    /// Begins a question about an exchange in doubt.
    pub fn begin_question(
        &mut self,
        id: ExchangeId,
        number: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.note_attempt(id, Asked::Ask, number, at)
    }

    fn note_attempt(
        &mut self,
        id: ExchangeId,
        kind: Asked,
        number: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO attempts (exchange, number, kind, started_at) VALUES (?, ?, ?, ?)";
        self.db.prepare_cached(sql)?.execute(params![id.0, number, kind.word(), micros(at)])?;
        Ok(())
    }

    /// Ends an attempt or a question with the move that it led to.
    pub fn end_attempt(
        &mut self,
        id: ExchangeId,
        end: &AttemptEnd,
        step: &Step,
    ) -> Result<State, StoreError> {
        let state = self.step(id, step)?;
        let sql = "UPDATE attempts SET ended_at = ?4, state = ?5, status = ?6, reason = ?7 \
                   WHERE exchange = ?1 AND number = ?2 AND kind = ?3 AND ended_at IS NULL";
        self.db.prepare_cached(sql)?.execute(params![
            id.0,
            end.number,
            end.kind.word(),
            micros(end.at),
            state.word(),
            end.status,
            step.reason,
        ])?;
        Ok(state)
    }

    /// Exchanges that a killed daemon was sending: nobody knows whether they arrived. Each becomes `in_doubt`.
    pub fn doubt_interrupted(&mut self, at: Timestamp) -> Result<Vec<ExchangeId>, StoreError> {
        let mut statement =
            self.db.prepare("SELECT id FROM exchanges WHERE state = 'sending' ORDER BY id")?;
        let ids: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        drop(statement);
        let reason = Some("marsadd stopped while it was being sent".to_owned());
        for &id in &ids {
            self.step(
                ExchangeId(id),
                &Step { event: Event::Interrupted, at, next_at: None, reason: reason.clone() },
            )?;
            let sql = "UPDATE attempts SET ended_at = ?2, state = 'in_doubt', reason = ?3 \
                       WHERE exchange = ?1 AND ended_at IS NULL";
            self.db.execute(sql, params![id, micros(at), reason])?;
        }
        Ok(ids.into_iter().map(ExchangeId).collect())
    }

    /// Which connection an exchange belongs to.
    pub fn connection_of(&self, id: ExchangeId) -> Result<Option<ConnectionId>, StoreError> {
        let sql = "SELECT connection FROM exchanges WHERE id = ?";
        Ok(self
            .db
            .prepare_cached(sql)?
            .query_row([id.0], |row| parsed(row, "connection"))
            .optional()?)
    }

    fn state(&self, id: ExchangeId) -> Result<State, StoreError> {
        let sql = "SELECT state FROM exchanges WHERE id = ?";
        let state = self.db.prepare_cached(sql)?.query_row([id.0], |row| parsed(row, "state"));
        state.optional()?.ok_or_else(|| StoreError::Conflict(format!("there is no exchange {id}")))
    }
}

impl Asked {
    const fn word(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Ask => "ask",
        }
    }
}

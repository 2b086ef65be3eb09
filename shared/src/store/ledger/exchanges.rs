//! Exchanges and their attempts. Each state is stored before it is acted upon, so that a restart goes on from here.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Ledger, maybe_time_at, micros, parsed};
use crate::{
    exchange::{Event, Standing, State},
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
    pub deadline_at: Option<Timestamp>,
    pub idempotency_key: String,
    pub name: String,
    pub hash: String,
    pub bytes: u64,
    /// The name under which an earlier attempt meant to put it into a folder.
    pub target: Option<String>,
}

/// One move of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub event: Event,
    pub at: Timestamp,
    /// When to look at it again; `None`: at once, or never if its state is final.
    pub next_at: Option<Timestamp>,
    /// What was said, in words; `None`: the state speaks for itself, and what was said before is over.
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

/// Each half is read off `exchanges_due`, whatever else is open.
const DUE: &str = "SELECT * FROM ( \
     SELECT * FROM (SELECT * FROM exchanges WHERE connection = ?1 AND due_at <= 0 \
     AND state NOT IN ('delivered', 'confirmed', 'rejected', 'expired', 'cancelled') \
     ORDER BY due_at, id LIMIT ?3) \
     UNION ALL \
     SELECT * FROM (SELECT * FROM exchanges WHERE connection = ?1 AND due_at > 0 AND due_at <= ?2 \
     AND state NOT IN ('delivered', 'confirmed', 'rejected', 'expired', 'cancelled') \
     ORDER BY due_at, id LIMIT ?3)) ORDER BY id";
const NEXT: &str = "SELECT min(due_at) AS due_at FROM exchanges WHERE connection = ?1 \
     AND state NOT IN ('delivered', 'confirmed', 'rejected', 'expired', 'cancelled')";
/// Whoever is held, or scheduled for later by a person, is none of them.
const HASTEN: &str = "UPDATE exchanges SET next_at = ?2 WHERE connection = ?1 AND due_at > ?2 AND next_at > ?2 \
     AND state NOT IN ('delivered', 'confirmed', 'rejected', 'expired', 'cancelled') \
     AND state IN ('retrying', 'in_doubt')";

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

    /// The exchanges of a connection that the courier has something to do about, oldest first: at most `limit` of those
    /// that never waited, and as many of those whose wait or deadline is over, so that neither kind holds up the other.
    pub fn due_exchanges(
        &self,
        connection: &ConnectionId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let mut statement = self.db.prepare_cached(DUE)?;
        let due = statement.query_map(params![connection.as_str(), micros(now), limit], |row| {
            Ok(Due {
                id: ExchangeId(row.get("id")?),
                state: parsed(row, "state")?,
                attempts: row.get("attempts")?,
                deadline_at: maybe_time_at(row, "deadline_at")?,
                idempotency_key: row.get("idempotency_key")?,
                name: row.get("name")?,
                hash: row.get("hash")?,
                bytes: row.get::<_, i64>("bytes")?.cast_unsigned(),
                target: row.get("target")?,
            })
        })?;
        Ok(due.collect::<Result<_, _>>()?)
    }

    /// When there is next something to do about an exchange of the connection; `None`: nothing is open.
    pub fn next_exchange_at(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<Timestamp>, StoreError> {
        Ok(self
            .db
            .prepare_cached(NEXT)?
            .query_row([connection.as_str()], |row| maybe_time_at(row, "due_at"))?)
    }

    /// What waits to be tried or asked about again on a connection is due at `now`, if not before.
    pub fn hasten_exchanges(
        &mut self,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.db.prepare_cached(HASTEN)?.execute(params![connection.as_str(), micros(now)])?;
        Ok(())
    }

    /// Moves an exchange by the rules of [`Standing::next`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if there is no such exchange or the event cannot happen to it now.
    pub fn step(&mut self, id: ExchangeId, step: &Step) -> Result<State, StoreError> {
        let standing = self.standing(id)?;
        let next = standing
            .next(step.event)
            .map_err(|illegal| StoreError::Conflict(illegal.to_string()))?;
        let sql = "UPDATE exchanges SET state = ?2, since_at = iif(state = ?2, since_at, ?3), next_at = ?4, \
                   reason = ?5, doubted = ?7, target = iif(?8, NULL, target), \
                   delivered_at = iif(?2 = 'delivered', coalesce(delivered_at, ?3), delivered_at), \
                   attempts = attempts + ?6 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![
            id.0,
            next.state.word(),
            micros(step.at),
            step.next_at.map(micros),
            step.reason,
            i64::from(step.event == Event::Sent),
            next.doubted,
            // What is not there under that name will get a new one.
            step.event == Event::NotFound,
        ])?;
        Ok(next.state)
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

    /// Notes the name under which an exchange is about to be put into a folder, so that it is looked for nowhere else.
    pub fn aim(&mut self, id: ExchangeId, target: &str) -> Result<(), StoreError> {
        let sql = "UPDATE exchanges SET target = ? WHERE id = ?";
        self.db.prepare_cached(sql)?.execute(params![target, id.0])?;
        Ok(())
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

    fn standing(&self, id: ExchangeId) -> Result<Standing, StoreError> {
        let sql = "SELECT state, doubted FROM exchanges WHERE id = ?";
        let standing = self.db.prepare_cached(sql)?.query_row([id.0], |row| {
            Ok(Standing { state: parsed(row, "state")?, doubted: row.get("doubted")? })
        });
        standing
            .optional()?
            .ok_or_else(|| StoreError::Conflict(format!("there is no exchange {id}")))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::plus;

    fn noon() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn later(seconds: u64) -> Timestamp {
        plus(noon(), Duration::from_secs(seconds))
    }

    fn connection() -> ConnectionId {
        "social/desk".parse().unwrap()
    }

    struct Bench {
        ledger: Ledger,
        _folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
            Self { ledger, _folder: folder }
        }

        /// Accepts an exchange at noon, with an hour to be delivered in, and takes it through `events`; the last of them
        /// puts it off until `next_at`.
        fn exchange(&mut self, events: &[Event], next_at: Option<Timestamp>) -> ExchangeId {
            let key = uuid::Uuid::now_v7().to_string();
            let new = NewExchange {
                connection: connection(),
                origin: key.clone(),
                name: "one.json".to_owned(),
                hash: "ab".to_owned(),
                bytes: 2,
                idempotency_key: key,
                at: noon(),
                deadline_at: later(3_600),
            };
            let id = self.ledger.accept(&new).unwrap().0;
            for (number, event) in events.iter().enumerate() {
                let last = number + 1 == events.len();
                let next_at = next_at.filter(|_| last);
                self.step(id, *event, next_at, Some("said")).unwrap();
            }
            id
        }

        fn step(
            &mut self,
            id: ExchangeId,
            event: Event,
            next_at: Option<Timestamp>,
            reason: Option<&str>,
        ) -> Result<State, StoreError> {
            let reason = reason.map(str::to_owned);
            self.ledger.step(id, &Step { event, at: noon(), next_at, reason })
        }

        fn due(&self, now: Timestamp, limit: u32) -> Vec<ExchangeId> {
            let due = self.ledger.due_exchanges(&connection(), now, limit).unwrap();
            due.into_iter().map(|due| due.id).collect()
        }
    }

    const FAILED: [Event; 2] = [Event::Sent, Event::Failed];

    #[test]
    fn what_waits_hides_nothing_that_is_due() {
        let mut bench = Bench::new();
        for _ in 0..10 {
            bench.exchange(&FAILED, Some(later(600)));
        }
        assert_eq!(bench.due(noon(), 4), [], "nothing yet");
        assert_eq!(bench.ledger.next_exchange_at(&connection()).unwrap(), Some(later(600)));
        let fresh: Vec<_> = (0..6).map(|_| bench.exchange(&[], None)).collect();
        assert_eq!(bench.due(noon(), 4), fresh[..4], "whatever is before it in the queue");
        let retried = bench.exchange(&FAILED, Some(later(5)));
        let due = bench.due(later(5), 4);
        assert_eq!(due, [&fresh[..4], &[retried]].concat(), "a flood of new ones hides no old one");
        let other = "courts/drop".parse().unwrap();
        assert_eq!(bench.ledger.next_exchange_at(&other).unwrap(), None, "each its own queue");
    }

    #[test]
    fn what_is_held_expires_with_its_deadline_and_is_left_alone_until_then() {
        let mut bench = Bench::new();
        let held = bench.exchange(&[Event::Hold], None);
        let waits = bench.exchange(&FAILED, Some(later(7_200)));
        let cancelled = bench.exchange(&[Event::Cancel], None);
        assert_eq!(bench.due(later(3_599), 9), []);
        assert_eq!(bench.ledger.next_exchange_at(&connection()).unwrap(), Some(later(3_600)));
        assert_eq!(bench.due(later(3_600), 9), [held, waits], "and not {cancelled}");
        bench.step(held, Event::DeadlinePassed, None, None).unwrap();
        assert_eq!(bench.due(later(3_600), 9), [waits]);
    }

    #[test]
    fn what_failed_is_due_when_somebody_answers_again() {
        let mut bench = Bench::new();
        let failed = bench.exchange(&FAILED, Some(later(600)));
        let soon = bench.exchange(&FAILED, Some(later(1)));
        bench.exchange(&[Event::Hold], None);
        bench.ledger.hasten_exchanges(&"courts/drop".parse().unwrap(), later(2)).unwrap();
        assert_eq!(bench.due(later(2), 9), [soon], "each connection for itself");
        bench.ledger.hasten_exchanges(&connection(), later(2)).unwrap();
        assert_eq!(bench.due(later(1), 9), [soon], "what was due before stays so");
        assert_eq!(bench.due(later(2), 9), [failed, soon], "and what is held stays held");
    }

    #[test]
    fn the_queue_is_read_off_its_index() {
        let bench = Bench::new();
        for sql in [DUE, NEXT, HASTEN] {
            let mut plan = bench.ledger.db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let parameters = plan.parameter_count();
            let all: Vec<_> = (0..parameters).map(|_| 1).collect();
            let lines = plan
                .query_map(rusqlite::params_from_iter(all), |row| row.get::<_, String>("detail"))
                .unwrap();
            let lines: Vec<_> = lines.map(Result::unwrap).collect();
            let reads: Vec<_> = lines.iter().filter(|line| line.contains(" exchanges")).collect();
            assert!(!reads.is_empty(), "{lines:#?}");
            for line in reads {
                assert!(line.contains("INDEX exchanges_due"), "{lines:#?}");
                assert!(!line.starts_with("SCAN exchanges"), "{lines:#?}");
            }
        }
    }

    #[test]
    fn a_reason_is_what_the_last_move_said() {
        let mut bench = Bench::new();
        let id = bench.exchange(&FAILED, None);
        let reason = |bench: &Bench| -> Option<String> {
            let sql = "SELECT reason FROM exchanges WHERE id = ?";
            bench.ledger.db.query_row(sql, [id.0], |row| row.get(0)).unwrap()
        };
        assert_eq!(reason(&bench).as_deref(), Some("said"));
        bench.step(id, Event::Sent, None, None).unwrap();
        bench.step(id, Event::Accepted, None, None).unwrap();
        assert_eq!(reason(&bench), None, "what once went wrong is told by the attempts");
    }

    #[test]
    fn doubt_is_kept_with_the_exchange_until_the_partner_has_spoken() {
        let mut bench = Bench::new();
        let id = bench.exchange(&[Event::Sent, Event::AnswerLost, Event::Hold], None);
        let refused = bench.step(id, Event::Cancel, None, None).unwrap_err().to_string();
        assert!(refused.contains("may have it already"), "{refused}");
        assert_eq!(bench.step(id, Event::Release, None, None).unwrap(), State::InDoubt);
        bench.step(id, Event::NotFound, None, None).unwrap();
        bench.step(id, Event::Hold, None, None).unwrap();
        assert_eq!(bench.step(id, Event::Cancel, None, None).unwrap(), State::Cancelled);
    }
}

//! Manners toward partners: who spent how much of a partner's budget, and which partners asked to be left alone until when.

use jiff::Timestamp;
use rusqlite::params;

use super::{Ledger, micros, parsed, time_at};
use crate::{
    id::{ConnectionId, FeedId, PartnerId},
    store::StoreError,
};

/// How often somebody called a partner within one period of its budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// When the period began.
    pub since: Timestamp,
    /// A feed's id, or a word for what is no feed's.
    pub who: String,
    /// In the whole period so far.
    pub n: u64,
}

/// A partner's wish to be left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    pub connection: ConnectionId,
    pub until: Timestamp,
    /// What was asked, in words.
    pub why: String,
}

impl Ledger {
    /// Keeps who called `partner` how often, and forgets the periods that began before `forget`.
    pub fn save_calls(
        &mut self,
        partner: &PartnerId,
        calls: &[Calls],
        forget: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO calls (partner, since, who, n) VALUES (?, ?, ?, ?)";
        let mut statement = self.db.prepare_cached(sql)?;
        for call in calls {
            let n = i64::try_from(call.n).unwrap_or(i64::MAX);
            statement.execute(params![partner.as_str(), micros(call.since), call.who, n])?;
        }
        drop(statement);
        let sql = "DELETE FROM calls WHERE partner = ? AND since < ?";
        self.db.prepare_cached(sql)?.execute(params![partner.as_str(), micros(forget)])?;
        Ok(())
    }

    /// Who called `partner` how often in the period that began at `since`.
    pub fn calls(&self, partner: &PartnerId, since: Timestamp) -> Result<Vec<Calls>, StoreError> {
        let sql = "SELECT who, n FROM calls WHERE partner = ? AND since = ? ORDER BY who";
        let mut statement = self.db.prepare_cached(sql)?;
        let calls = statement.query_map(params![partner.as_str(), micros(since)], |row| {
            Ok(Calls { since, who: row.get(0)?, n: row.get::<_, i64>(1)?.cast_unsigned() })
        })?;
        Ok(calls.collect::<Result<_, _>>()?)
    }

    /// Keeps what a partner asked for, in place of what it asked before.
    pub fn save_rest(&mut self, rest: &Rest) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO rests (connection, until_at, why) VALUES (?, ?, ?)";
        let (connection, until) = (rest.connection.as_str(), micros(rest.until));
        self.db.prepare_cached(sql)?.execute(params![connection, until, rest.why])?;
        Ok(())
    }

    /// Who still asks to be left alone at `now`; the others are forgotten.
    pub fn rests(&mut self, now: Timestamp) -> Result<Vec<Rest>, StoreError> {
        self.db.execute("DELETE FROM rests WHERE until_at <= ?", [micros(now)])?;
        let mut statement = self.db.prepare("SELECT * FROM rests ORDER BY connection")?;
        let rests = statement.query_map([], |row| {
            Ok(Rest {
                connection: parsed(row, "connection")?,
                until: time_at(row, "until_at")?,
                why: row.get("why")?,
            })
        })?;
        Ok(rests.collect::<Result<_, _>>()?)
    }

    /// Writes down why a feed that is due is not read, and until when: its next run forgets it.
    pub fn hold_feed(
        &mut self,
        feed: &FeedId,
        until: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO feed_state (feed, next_at, waits) VALUES (?, ?, ?) \
                   ON CONFLICT (feed) DO UPDATE SET next_at = excluded.next_at, waits = excluded.waits";
        self.db.prepare_cached(sql)?.execute(params![feed.as_str(), micros(until), why])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_rests_are_kept_over_a_restart_and_the_old_are_forgotten() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("ledger.db");
        let (courts, police) = ("courts".parse().unwrap(), "police".parse().unwrap());
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (yesterday, today) = (at("2026-11-23T20:00:00Z"), at("2026-11-24T20:00:00Z"));
        let calls = |since, who: &str, n| Calls { since, who: who.to_owned(), n };
        let rest = |connection: &str, until| Rest {
            connection: connection.parse().unwrap(),
            until,
            why: "come later".to_owned(),
        };
        {
            let mut ledger = Ledger::open(&file).unwrap();
            let rows = [calls(yesterday, "courts/orders", 9), calls(today, "courts/orders", 1)];
            ledger.save_calls(&courts, &rows, Timestamp::MIN).unwrap();
            let rows = [calls(today, "courts/orders", 7), calls(today, "deliveries", 2)];
            ledger.save_calls(&courts, &rows, today).unwrap();
            ledger.save_calls(&police, &[calls(today, "probes", 3)], today).unwrap();
            ledger.save_rest(&rest("courts/api", yesterday)).unwrap();
            ledger.save_rest(&rest("courts/api", today)).unwrap();
            ledger.save_rest(&rest("police/api", yesterday)).unwrap();
        }
        let mut ledger = Ledger::open(&file).unwrap();
        let kept = ledger.calls(&courts, today).unwrap();
        assert_eq!(kept, [calls(today, "courts/orders", 7), calls(today, "deliveries", 2)]);
        assert_eq!(ledger.calls(&courts, yesterday).unwrap(), []);
        assert_eq!(ledger.calls(&police, today).unwrap(), [calls(today, "probes", 3)]);
        assert_eq!(ledger.rests(yesterday).unwrap(), [rest("courts/api", today)]);
        assert_eq!(ledger.rests(today).unwrap(), []);
    }
}

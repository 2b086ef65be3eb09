//! Runs and the audit, newest first.

use rusqlite::{OptionalExtension, Row, params};

use super::{Page, Reader, limit, of_partner};
use crate::{
    audit::{Entry, Head, Verifier},
    health::Reason,
    id::{FeedId, RunId},
    protocol::{AuditProof, AuditRow, ListQuery, RunRow},
    run::{Counts, Outcome},
    store::{
        StoreError,
        cache::Held,
        ledger::{maybe_parsed, maybe_time_at, parsed, time_at},
        state_dir,
    },
};

impl Reader {
    /// Runs, newest first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if `after` or `before` is no run's id.
    pub fn runs(&self, query: &ListQuery) -> Result<Vec<RunRow>, StoreError> {
        let page = Page::of(query, |id: RunId| id.0)?;
        // One statement for each way to ask, so that each goes behind its own index.
        let sql = match (&query.feed, &query.state) {
            (None, None) => "SELECT * FROM runs WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
            (Some(_), None) => {
                "SELECT * FROM runs WHERE id < ?1 AND feed = ?3 ORDER BY id DESC LIMIT ?2"
            }
            (None, Some(word)) if word == "unchanged" || word == "succeeded" => {
                "SELECT * FROM runs WHERE id < ?1 AND outcome = ?4 ORDER BY id DESC LIMIT ?2"
            }
            (None, Some(_)) => {
                "SELECT * FROM runs WHERE id < ?1 AND outcome = ?4 AND outcome NOT IN ('unchanged', 'succeeded') \
                 ORDER BY id DESC LIMIT ?2"
            }
            (Some(_), Some(_)) => {
                "SELECT * FROM runs WHERE id < ?1 AND feed = ?3 AND outcome = ?4 ORDER BY id DESC LIMIT ?2"
            }
        };
        let mut sql = of_partner(sql, query, "feed");
        if query.fold {
            sql = sql.replacen("WHERE", "WHERE NOT followed AND", 1);
        }
        let mut statement = self.ledger.prepare_cached(&page.statement(&sql, "id"))?;
        for (at, value) in [(3, &query.feed), (4, &query.state), (5, &query.partner)] {
            if at <= statement.parameter_count() {
                statement.raw_bind_parameter(at, value)?;
            }
        }
        statement.raw_bind_parameter(1, page.bound())?;
        statement.raw_bind_parameter(2, limit(query))?;
        let mut rows: Vec<RunRow> =
            statement.raw_query().mapped(run_row).collect::<Result<_, _>>()?;
        for row in &mut rows {
            self.can_be_decided(row)?;
        }
        Ok(page.in_order(rows))
    }

    /// One run.
    pub fn run(&self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        let sql = "SELECT * FROM runs WHERE id = ?";
        let mut row = self.ledger.prepare_cached(sql)?.query_row([id.0], run_row).optional()?;
        if let Some(row) = &mut row {
            self.can_be_decided(row)?;
        }
        Ok(row)
    }

    /// What of a feed waits for a person.
    pub fn waiting(&self, feed: &FeedId) -> Result<Option<Held>, StoreError> {
        let sql = "SELECT held FROM marsad_feed WHERE feed = ?";
        let found = self.cache.prepare_cached(sql)?.query_row([feed.as_str()], |row| row.get(0));
        let text: Option<String> = found.optional()?.flatten();
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Whether a person can still decide about a run.
    fn can_be_decided(&self, run: &mut RunRow) -> Result<(), StoreError> {
        if run.outcome == Outcome::Held {
            run.waits = self.waiting(&run.feed)?.is_some_and(|held| held.run == run.id);
        }
        if run.outcome.is_good() && run.counts.changed() > 0 {
            let sql = "SELECT 1 FROM marsad_undo WHERE feed = ? AND run = ?";
            let entry = params![run.feed.as_str(), run.id.0];
            run.undoable = self.cache.prepare_cached(sql)?.exists(entry)?;
        }
        Ok(())
    }

    /// Audit entries, newest first.
    pub fn audit(&self, query: &ListQuery) -> Result<Vec<AuditRow>, StoreError> {
        let before = match &query.after {
            None => i64::MAX,
            Some(text) => text.parse().map_err(|_| {
                StoreError::Conflict(format!("{text:?} is no number of an audit entry"))
            })?,
        };
        let sql = "SELECT entry FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
        let mut statement = self.ledger.prepare_cached(sql)?;
        let texts =
            statement.query_map(params![before, limit(query)], |row| row.get::<_, String>(0))?;
        texts.map(|text| Ok(audit_row(entry(&text?)?))).collect()
    }

    /// The head that was noted beside the database. None is as if none had ever been noted: it may be gone with a disk.
    fn noted_head(&self) -> Option<Head> {
        let text = std::fs::read_to_string(self.folder().join(state_dir::HEAD)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Walks the whole chain and names the first thing that does not hold.
    pub fn audit_verify(&self) -> Result<AuditProof, StoreError> {
        let mut statement =
            self.ledger.prepare_cached("SELECT seq, entry FROM audit ORDER BY seq")?;
        let mut rows = statement.query([])?;
        let (mut verifier, mut entries) = (Verifier::new(self.noted_head()), 0);
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            let checked = match entry(&row.get::<_, String>(1)?) {
                Err(_) => Err(format!("audit entry {seq} cannot be read")),
                Ok(entry) => verifier.check(&entry).map_err(|broken| broken.to_string()),
            };
            if let Err(problem) = checked {
                return Ok(AuditProof { entries, head: String::new(), broken: Some(problem) });
            }
            entries += 1;
        }
        Ok(match verifier.finish() {
            Ok(head) => AuditProof { entries, head: head.hash.to_string(), broken: None },
            Err(broken) => {
                AuditProof { entries, head: String::new(), broken: Some(broken.to_string()) }
            }
        })
    }
}

pub(super) fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let count = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.cast_unsigned());
    let cause: Option<Reason> = maybe_parsed(row, "cause")?;
    Ok(RunRow {
        id: RunId(row.get("id")?),
        feed: parsed(row, "feed")?,
        trigger: parsed(row, "trigger")?,
        outcome: parsed(row, "outcome")?,
        reason: row.get("reason")?,
        cause,
        side: cause.map(Reason::side),
        started_at: time_at(row, "started_at")?,
        ended_at: maybe_time_at(row, "ended_at")?,
        pages: count("pages")?,
        bytes: count("bytes")?,
        file: row.get("file")?,
        actor: row.get("actor")?,
        waits: false,
        undoable: false,
        alike: count("alike")?,
        counts: Counts {
            received: count("received")?,
            inserted: count("inserted")?,
            updated: count("updated")?,
            unchanged: count("unchanged")?,
            duplicate: count("duplicate")?,
            deleted: count("deleted")?,
            quarantined: count("quarantined")?,
            filtered: count("filtered")?,
            absent: count("absent")?,
        },
    })
}

fn entry(text: &str) -> Result<Entry, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Conflict(format!("an audit entry cannot be read: {error}")))
}

fn audit_row(Entry { deed, hash, .. }: Entry) -> AuditRow {
    AuditRow {
        seq: deed.seq,
        at: deed.at,
        uid: deed.uid,
        user: deed.user,
        role: deed.role,
        action: deed.action,
        object: deed.object,
        reason: deed.reason,
        phase: deed.phase.word().to_owned(),
        detail: deed.detail,
        of: deed.of,
        hash: hash.to_string(),
    }
}

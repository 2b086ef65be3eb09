//! What came otherwise than a feed's columns say, once a name, and what was decided of it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Ledger, maybe_parsed, maybe_time_at, micros, parsed, time_at};
use crate::{
    drift::{Change, Decision, Drift},
    feed::FieldType,
    id::{FeedId, RunId},
    protocol::DriftRow,
    store::StoreError,
};

/// So much is kept of one feed: records whose names are themselves data have no end of them.
const NOTED_MAX: i64 = 500;

/// A person's decision.
#[derive(Clone, Debug)]
pub struct Decided {
    pub decision: Decision,
    pub actor: String,
    pub reason: Option<String>,
    pub at: Timestamp,
}

impl Ledger {
    /// Notes what came otherwise in a run; gives what nobody has been told of yet. `declared` are the fields that the feed
    /// declares, as a hash, if it does: what is new when it is first watched with them has always been there, and is known.
    pub fn note_drift(
        &mut self,
        feed: &FeedId,
        run: RunId,
        drifts: &[Drift],
        declared: Option<&str>,
        at: Timestamp,
    ) -> Result<Vec<Drift>, StoreError> {
        let known = match declared {
            Some(fields) => self.begins_to_watch(feed, fields)?,
            None => false,
        };
        let mut fresh = Vec::new();
        let sql = "SELECT 1 FROM drift WHERE feed = ? AND change = ?";
        let has_structure =
            self.db.prepare_cached(sql)?.exists([feed.as_str(), Change::Structure.word()])?;
        for drift in drifts {
            let decision = match drift.change {
                Change::New if known => Decision::Known,
                Change::Structure if !has_structure => Decision::Known,
                _ => Decision::Open,
            };
            if self.note_one(feed, run, drift, decision, at)? {
                fresh.push(drift.clone());
            }
        }
        Ok(fresh)
    }

    fn begins_to_watch(&mut self, feed: &FeedId, fields: &str) -> Result<bool, StoreError> {
        let sql = "INSERT INTO watched VALUES (?1, ?2) ON CONFLICT (feed) DO UPDATE SET fields = ?2 \
                   WHERE fields <> ?2";
        Ok(self.db.prepare_cached(sql)?.execute([feed.as_str(), fields])? > 0)
    }

    /// Whether it is open and nobody has been told.
    fn note_one(
        &mut self,
        feed: &FeedId,
        run: RunId,
        Drift { field, change, kind }: &Drift,
        decision: Decision,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let there = "SELECT decision, kind FROM drift WHERE feed = ? AND field = ? AND change = ?";
        let there = self.db.prepare_cached(there)?.query_row(
            [feed.as_str(), field, change.word()],
            |row| {
                Ok((parsed::<Decision>(row, "decision")?, maybe_parsed::<FieldType>(row, "kind")?))
            },
        );
        let Some((was, before)) = there.optional()? else {
            let sql = "INSERT INTO drift (feed, field, change, kind, first_run, last_run, first_at, last_at, decision) \
                       SELECT ?1, ?2, ?3, ?4, ?5, ?5, ?6, ?6, ?7 WHERE (SELECT count(*) FROM drift WHERE feed = ?1) < ?8";
            let noted = self.db.prepare_cached(sql)?.execute(params![
                feed.as_str(),
                field,
                change.word(),
                kind.map(FieldType::word),
                run.0,
                micros(at),
                decision.word(),
                NOTED_MAX
            ])?;
            return Ok(noted > 0 && decision == Decision::Open);
        };
        let kind = before.zip(*kind).map(|(one, other)| one.or(other)).or(before).or(*kind);
        // It had come as it should again, and now does not.
        let again = was == Decision::Passed;
        let sql = "UPDATE drift SET kind = ?4, runs = runs + (last_run <> ?5), last_run = ?5, last_at = ?6, decision = ?7 \
                   WHERE feed = ?1 AND field = ?2 AND change = ?3";
        self.db.prepare_cached(sql)?.execute(params![
            feed.as_str(),
            field,
            change.word(),
            kind.map(FieldType::word),
            run.0,
            micros(at),
            if again { Decision::Open } else { was }.word()
        ])?;
        Ok(again)
    }

    /// All that came otherwise in a feed, and the fields that it was first watched with.
    pub fn drift(&self, feed: &FeedId) -> Result<(Vec<DriftRow>, Option<String>), StoreError> {
        let sql = "SELECT fields FROM watched WHERE feed = ?";
        let watched =
            self.db.prepare_cached(sql)?.query_row([feed.as_str()], |row| row.get(0)).optional()?;
        Ok((drift_of(&self.db, feed)?, watched))
    }

    /// What held the feed has come as it should again: nobody has to decide of it any more.
    pub fn drift_passed(&mut self, feed: &FeedId) -> Result<(), StoreError> {
        let sql = "UPDATE drift SET decision = 'passed' WHERE feed = ? AND decision = 'open' AND change IN ('gone', 'retyped')";
        self.db.prepare_cached(sql)?.execute([feed.as_str()])?;
        Ok(())
    }

    /// Writes down what was decided of `rows`.
    pub fn decide_drift(
        &mut self,
        feed: &FeedId,
        rows: &[(String, Change)],
        decided: &Decided,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE drift SET decision = ?4, decided_at = ?5, actor = ?6, reason = ?7 \
                   WHERE feed = ?1 AND field = ?2 AND change = ?3";
        let mut statement = self.db.prepare_cached(sql)?;
        for (field, change) in rows {
            statement.execute(params![
                feed.as_str(),
                field,
                change.word(),
                decided.decision.word(),
                micros(decided.at),
                decided.actor,
                decided.reason
            ])?;
        }
        Ok(())
    }
}

/// What came otherwise in a feed: what is open first, then by name.
pub(in crate::store) fn drift_of(
    db: &Connection,
    feed: &FeedId,
) -> Result<Vec<DriftRow>, StoreError> {
    let sql = "SELECT * FROM drift WHERE feed = ? ORDER BY decision <> 'open', field, change";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([feed.as_str()], row_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<DriftRow> {
    Ok(DriftRow {
        field: row.get("field")?,
        change: parsed(row, "change")?,
        kind: maybe_parsed(row, "kind")?,
        first_run: RunId(row.get("first_run")?),
        last_run: RunId(row.get("last_run")?),
        runs: row.get::<_, i64>("runs")?.cast_unsigned(),
        first_at: time_at(row, "first_at")?,
        last_at: time_at(row, "last_at")?,
        decision: parsed(row, "decision")?,
        decided_at: maybe_time_at(row, "decided_at")?,
        actor: row.get("actor")?,
        reason: row.get("reason")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn ledger(folder: &tempfile::TempDir) -> (Ledger, FeedId) {
        let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        (ledger, "courts/cases".parse().unwrap())
    }

    fn drift(field: &str, change: Change, kind: Option<FieldType>) -> Drift {
        Drift { field: field.to_owned(), change, kind }
    }

    fn states(ledger: &Ledger, feed: &FeedId) -> Vec<String> {
        let rows = ledger.drift(feed).unwrap().0.into_iter();
        let kind = |kind: Option<FieldType>| kind.map_or("?", FieldType::word);
        rows.map(|row| {
            let runs = format!("{}-{} x{}", row.first_run, row.last_run, row.runs);
            format!("{} {} {} {} {runs}", row.field, row.change, kind(row.kind), row.decision)
        })
        .collect()
    }

    #[test]
    fn what_comes_otherwise_is_noted_once_and_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, feed) = ledger(&folder);
        let tel = |kind| [drift("tel", Change::New, kind)];
        let told = ledger.note_drift(&feed, RunId(1), &tel(None), None, AT).unwrap();
        assert_eq!(told, tel(None));
        for (run, kind) in
            [(2, FieldType::Integer), (2, FieldType::Integer), (3, FieldType::Decimal)]
        {
            let told = ledger.note_drift(&feed, RunId(run), &tel(Some(kind)), None, AT).unwrap();
            assert_eq!(told, [], "it is known by now");
        }
        assert_eq!(states(&ledger, &feed), ["tel new decimal open r1-r3 x3"]);
        let many: Vec<_> = (0..600).map(|n| drift(&format!("n{n}"), Change::New, None)).collect();
        ledger.note_drift(&feed, RunId(4), &many, None, AT).unwrap();
        assert_eq!(states(&ledger, &feed).len(), 500, "names without end have one here");
    }

    #[test]
    fn what_stood_beside_declared_fields_from_the_first_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, feed) = ledger(&folder);
        let mut note = |run, field: &str, fields: &str| {
            let new = [drift(field, Change::New, None)];
            ledger.note_drift(&feed, RunId(run), &new, Some(fields), AT).unwrap().len()
        };
        assert_eq!(note(1, "a", "f1"), 0, "the first time");
        assert_eq!(note(2, "b", "f1"), 1, "it has come since");
        assert_eq!(note(3, "c", "f2"), 0, "the fields were declared anew");
        let held = [drift("no", Change::Gone, None)];
        assert_eq!(ledger.note_drift(&feed, RunId(4), &held, Some("f3"), AT).unwrap(), held);
        assert_eq!(ledger.drift(&feed).unwrap().1.as_deref(), Some("f3"));
    }

    #[test]
    fn what_held_a_feed_passes_by_itself_or_is_decided() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, feed) = ledger(&folder);
        let gone = [drift("kind", Change::Gone, None)];
        let new = [drift("sort", Change::New, Some(FieldType::Text))];
        ledger.note_drift(&feed, RunId(1), &[&gone[..], &new[..]].concat(), None, AT).unwrap();
        ledger.drift_passed(&feed).unwrap();
        assert_eq!(
            states(&ledger, &feed),
            ["sort new text open r1-r1 x1", "kind gone ? passed r1-r1 x1"]
        );
        assert_eq!(ledger.note_drift(&feed, RunId(2), &gone, None, AT).unwrap(), gone, "again");
        let decided = Decided {
            decision: Decision::Approved,
            actor: "salim".to_owned(),
            reason: Some("agreed by letter".to_owned()),
            at: AT,
        };
        ledger.decide_drift(&feed, &[("kind".to_owned(), Change::Gone)], &decided).unwrap();
        assert_eq!(ledger.note_drift(&feed, RunId(3), &gone, None, AT).unwrap(), []);
        ledger.drift_passed(&feed).unwrap();
        let rows = ledger.drift(&feed).unwrap().0;
        assert_eq!(
            (rows[1].decision, rows[1].actor.as_deref()),
            (Decision::Approved, Some("salim"))
        );
    }
}

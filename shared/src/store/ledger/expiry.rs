//! What leaves quarantine because nobody wanted it in time: never without a word.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::{Ledger, groups, micros};
use crate::{
    audit::{Deed, Entry},
    id::RunId,
    run::Outcome,
    store::StoreError,
};

/// How many items of a feed left together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Left {
    rows: u64,
    files: u64,
    /// Runs that waited for one of the files.
    runs: Vec<RunId>,
}

impl Ledger {
    /// Removes at most `limit` items that were last refused before `before`, and writes down in the audit how many of which
    /// feed: `deed` says who and why. A run that waits for one of the files waits no more. Gives how many there were, and
    /// the entries.
    pub fn expire_quarantine(
        &mut self,
        before: Timestamp,
        limit: u32,
        deed: &Deed,
    ) -> Result<(u64, Vec<Entry>), StoreError> {
        let sql = "DELETE FROM quarantine WHERE id IN (SELECT item.id FROM quarantine_groups AS alike \
                   JOIN quarantine AS item ON item.grp = alike.id AND item.at < ?1 LIMIT ?2) RETURNING feed, kind, run";
        let mut by_feed = BTreeMap::<String, Left>::new();
        {
            let mut statement = self.db.prepare_cached(sql)?;
            let mut gone = statement.query(params![micros(before), limit])?;
            while let Some(item) = gone.next()? {
                let left = by_feed.entry(item.get("feed")?).or_default();
                if item.get::<_, String>("kind")? == "file" {
                    left.files += 1;
                    left.runs.push(RunId(item.get("run")?));
                } else {
                    left.rows += 1;
                }
            }
        }
        let (mut gone, mut entries) = (0, Vec::new());
        for (feed, Left { rows, files, runs }) in by_feed {
            for run in runs {
                let word = "its file has left quarantine: it was kept as long as `retention` says";
                self.settle_held(run, Outcome::Cancelled, word)?;
            }
            gone += rows + files;
            let detail = format!("{rows} rows and {files} files, last refused before {before}");
            entries.push(self.audit(Deed { object: feed, detail, ..deed.clone() })?);
        }
        groups::sweep(&self.db)?;
        Ok((gone, entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Phase,
        quarantine::{Kind, Place, Refusal},
        run::Trigger,
        store::ledger::{RunEnd, RunStart},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn refusal(kind: Kind, line: u64) -> Refusal {
        let file = kind == Kind::File;
        Refusal {
            kind,
            reason: "bad".to_owned(),
            place: Place {
                file: Some(format!("{line}.csv")),
                line: Some(line),
                ..Place::default()
            },
            original: if file { Vec::new() } else { b"1,x".to_vec() },
            form: None,
            original_hash: file.then(|| format!("{line:064}")),
            bytes: 3,
        }
    }

    fn deed() -> Deed {
        Deed {
            seq: 0,
            at: at(900),
            uid: 7,
            user: "marsad".to_owned(),
            role: "daemon".to_owned(),
            action: "expire_quarantine".to_owned(),
            object: String::new(),
            reason: None,
            phase: Phase::Done,
            detail: String::new(),
            of: None,
        }
    }

    /// A run of a feed that is held, with what it refused.
    fn held(ledger: &mut Ledger, feed: &str, second: i64, refusals: &[Refusal]) -> RunId {
        let start = RunStart {
            feed: feed.parse().unwrap(),
            trigger: Trigger::File,
            at: at(second),
            actor: None,
            full: false,
            file: None,
        };
        let run = ledger.begin_run(&start).unwrap();
        ledger.refuse(&start.feed, run, refusals, at(second)).unwrap();
        let end = RunEnd {
            outcome: Outcome::Held,
            reason: Some("bad".to_owned()),
            cause: None,
            at: at(second),
            pages: 0,
            bytes: 3,
            counts: crate::run::Counts::default(),
            event_at: None,
            next_at: None,
            waits: false,
            came_at: None,
        };
        ledger.end_run(run, &start, &end).unwrap();
        run
    }

    #[test]
    fn what_is_too_old_leaves_with_a_count_and_its_run_waits_no_more() {
        let temp = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&temp.path().join("ledger.db")).unwrap();
        let rows = [refusal(Kind::Row, 1), refusal(Kind::Row, 2)];
        held(&mut ledger, "a/rows", 100, &rows);
        let old = held(&mut ledger, "a/files", 100, &[refusal(Kind::File, 3)]);
        let new = held(&mut ledger, "a/files", 500, &[refusal(Kind::File, 4)]);
        // What is refused again is as old as the last time.
        held(&mut ledger, "a/rows", 500, &rows.as_slice()[..1]);

        let (gone, entries) = ledger.expire_quarantine(at(500), 10, &deed()).unwrap();
        assert_eq!(gone, 2);
        let said: Vec<_> =
            entries.iter().map(|e| (e.deed.object.as_str(), e.deed.detail.as_str())).collect();
        assert_eq!(
            said,
            [
                ("a/files", "0 rows and 1 files, last refused before 1970-01-01T00:08:20Z"),
                ("a/rows", "1 rows and 0 files, last refused before 1970-01-01T00:08:20Z"),
            ]
        );
        assert_eq!(ledger.outcome_of(old).unwrap(), Some(Outcome::Cancelled));
        assert_eq!(ledger.outcome_of(new).unwrap(), Some(Outcome::Held));
        let none = (0, Vec::new());
        assert_eq!(ledger.expire_quarantine(at(500), 10, &deed()).unwrap(), none, "and no word");
        let (gone, _) = ledger.expire_quarantine(at(501), 1, &deed()).unwrap();
        assert_eq!(gone, 1, "so many at once");
        let left: i64 = ledger
            .db
            .query_row("SELECT sum(n) FROM quarantine_groups", [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 1, "groups are counted down");
    }
}

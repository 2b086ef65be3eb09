//! Reading: the rows that lists and screens show, from what was committed, without ever making a writer wait.
//!
//! The same reader serves the daemon's socket and a console that opens a `state_dir` whose daemon is dead. Every list
//! goes behind a key; whatever a screen would have to count is kept counted.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use jiff::Timestamp;
use nix::unistd::{AccessFlags, access};
use rusqlite::{Connection, OptionalExtension};

use super::{StoreError, ledger::time_at, schema, state_dir};
use crate::{
    exchange,
    freshness::Freshness,
    health::Health,
    id::IdError,
    protocol::{DaemonRow, LIST_LIMIT, LIST_MAX, ListQuery, Status},
};

pub mod catalogue;
pub mod chosen;
pub mod cursor;
mod exchanges;
mod feeds;
mod groups;
mod layout;
mod originals;
mod preview;
mod quarantine;
mod records;
mod references;
mod runs;

use feeds::Stretch;
pub use preview::Reach;
pub use references::References;

/// A connection to each database that can only read.
#[derive(Debug)]
pub struct Reader {
    cache: Connection,
    ledger: Connection,
    folder: PathBuf,
}

impl Reader {
    /// Opens the databases of `state_dir`, whether or not a daemon is at work on them.
    ///
    /// # Errors
    /// [`StoreError::Folder`] if there are none, or they may not be read.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let open = |name: &str| {
            let file = state_dir.join(name);
            // Asked, and not opened: where the daemon itself closes a file, the system takes all locks of the process from it,
            // and with them SQLite's own.
            if let Err(error) = access(&file, AccessFlags::R_OK) {
                return Err(StoreError::Folder(format!(
                    "cannot read {}: {}",
                    file.display(),
                    error.desc()
                )));
            }
            schema::open_to_read(&file)
        };
        Ok(Self {
            cache: open(state_dir::CACHE)?,
            ledger: open(state_dir::LEDGER)?,
            folder: state_dir.to_owned(),
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One screen of truth. `running` is left empty: only the daemon knows.
    pub fn status(&self, now: Timestamp) -> Result<Status, StoreError> {
        let mut connections = zeroes(Health::ALL.map(Health::word));
        for row in self.all_connections(now)? {
            *connections.entry(row.health.word().to_owned()).or_default() += 1;
        }
        let mut feeds = zeroes(Freshness::ALL.map(Freshness::word));
        feeds.extend(self.feeds_by_freshness(&Stretch::all(), now)?);
        let mut exchanges = zeroes(exchange::State::ALL.map(exchange::State::word));
        exchanges.extend(self.counts("exchange")?);
        Ok(Status {
            at: now,
            daemon: self.daemon()?,
            connections,
            feeds,
            exchanges,
            oldest_pending_s: self.oldest_pending(now)?,
            quarantine: self.counts("quarantine")?.values().sum(),
            incidents: 0,
            running: Vec::new(),
            roles: None,
        })
    }

    /// The daemon as it last wrote of itself; `running` is what its socket says, so here it is not.
    pub fn daemon(&self) -> Result<DaemonRow, StoreError> {
        let row = self.ledger.query_row("SELECT * FROM daemon", [], |row| {
            Ok(DaemonRow {
                running: false,
                version: row.get("version")?,
                started_at: Some(time_at(row, "started_at")?),
                seen_at: Some(time_at(row, "seen_at")?),
            })
        });
        let never = DaemonRow { running: false, version: None, started_at: None, seen_at: None };
        Ok(row.optional()?.unwrap_or(never))
    }

    fn counts(&self, what: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut statement =
            self.ledger.prepare_cached("SELECT word, n FROM counts WHERE what = ?")?;
        let counts = statement
            .query_map([what], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
        Ok(counts.collect::<Result<_, _>>()?)
    }
}

fn zeroes<const N: usize>(words: [&str; N]) -> BTreeMap<String, u64> {
    words.into_iter().map(|word| (word.to_owned(), 0)).collect()
}

/// Where a page of a list that counts downwards stands.
enum Page {
    /// The rows of ids below this one.
    Below(i64),
    /// The rows of ids above this one that are nearest to it.
    Above(i64),
}

impl Page {
    fn of<T: FromStr<Err = IdError>>(
        query: &ListQuery,
        number: impl Fn(T) -> i64,
    ) -> Result<Self, StoreError> {
        let parsed = |text: &str| {
            text.parse()
                .map(&number)
                .map_err(|error: IdError| StoreError::Conflict(error.to_string()))
        };
        match (&query.after, &query.before) {
            (Some(_), Some(_)) => Err(StoreError::Conflict(
                "a page is after a row or before one, not both".to_owned(),
            )),
            (Some(id), None) => Ok(Self::Below(parsed(id)?)),
            (None, Some(end)) if end.is_empty() => Ok(Self::Above(i64::MIN)),
            (None, Some(id)) => Ok(Self::Above(parsed(id)?)),
            (None, None) => Ok(Self::Below(i64::MAX)),
        }
    }

    /// The id that the page stands behind or before.
    const fn bound(&self) -> i64 {
        match self {
            Self::Below(id) | Self::Above(id) => *id,
        }
    }

    /// A statement that reads downwards from `id < ?1`, turned to this page's direction.
    fn statement<'a>(&self, downwards: &'a str, id: &str) -> Cow<'a, str> {
        match self {
            Self::Below(_) => downwards.into(),
            Self::Above(_) => downwards
                .replace(&format!("{id} < ?1"), &format!("{id} > ?1"))
                .replace(&format!("{id} DESC"), &format!("{id} ASC"))
                .into(),
        }
    }

    /// The rows that such a statement brought, in the order of the list.
    fn in_order<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        if matches!(self, Self::Above(_)) {
            rows.reverse();
        }
        rows
    }
}

/// A statement that keeps, where a partner is asked for (`?5`), to the rows whose `column` is an id of that partner.
fn of_partner(sql: &str, query: &ListQuery, column: &str) -> String {
    let clause = match query.partner {
        None => "AND ?5 IS NULL ORDER BY".to_owned(),
        Some(_) => format!("AND substr({column}, 1, length(?5) + 1) = ?5 || '/' ORDER BY"),
    };
    sql.replace("ORDER BY", &clause)
}

/// How many rows a query may have; 0 asks for as many as there may be.
fn limit(query: &ListQuery) -> u32 {
    match query.limit {
        None => LIST_LIMIT,
        Some(0) => LIST_MAX,
        Some(limit) => limit.min(LIST_MAX),
    }
}

/// The part of a list behind `after`, at most as long as asked; `rows` are in the order of their ids.
fn page<T>(rows: impl Iterator<Item = T>, query: &ListQuery, id: impl Fn(&T) -> &str) -> Vec<T> {
    let after = query.after.as_deref();
    rows.filter(|row| after.is_none_or(|after| id(row) > after))
        .take(limit(query) as usize)
        .collect()
}

/// Whether a row passes a filter that may not be set.
fn passes(filter: Option<&String>, value: &str) -> bool {
    filter.is_none_or(|wanted| wanted == value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RunId;

    #[test]
    fn who_reads_beside_the_daemon_takes_no_lock_from_it() {
        use std::os::unix::fs::MetadataExt as _;
        let temp = tempfile::tempdir().unwrap();
        let store = crate::store::Store::open(temp.path()).unwrap();
        // As SQLite itself has them: who loses them has its log deleted by whoever opens the file next.
        let locked = || {
            let all = std::fs::read_to_string("/proc/locks").unwrap();
            [state_dir::CACHE, state_dir::LEDGER].map(|name| {
                let file = std::fs::metadata(temp.path().join(name)).unwrap();
                all.contains(&format!(":{} ", file.ino()))
            })
        };
        assert_eq!(locked(), [true, true]);
        let readers = [(); 2].map(|()| Reader::open(temp.path()).unwrap());
        assert_eq!(locked(), [true, true], "while they read");
        drop(readers);
        assert_eq!(locked(), [true, true], "nor when they are done");
        store.close();
    }

    #[test]
    fn a_page_of_a_list_that_counts_downwards_is_found_from_either_side() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE runs (id INTEGER PRIMARY KEY); INSERT INTO runs VALUES (1), (2), (4), (5), (6)",
        )
        .unwrap();
        for (after, before, expected, why) in [
            (None, None, vec![6, 5], "the newest first"),
            (Some("r5"), None, vec![4, 2], "behind a row"),
            (None, Some(""), vec![2, 1], "the end of the list"),
            (None, Some("r2"), vec![5, 4], "right before a row, in the list's order"),
            (None, Some("r6"), vec![], "nothing is before the first"),
        ] {
            let query = ListQuery {
                after: after.map(str::to_owned),
                before: before.map(str::to_owned),
                ..ListQuery::default()
            };
            let page = Page::of(&query, |id: RunId| id.0).unwrap();
            let sql =
                page.statement("SELECT id FROM runs WHERE id < ?1 ORDER BY id DESC LIMIT 2", "id");
            let mut statement = db.prepare(&sql).unwrap();
            let rows = statement.query_map([page.bound()], |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(page.in_order(rows.map(Result::unwrap).collect()), expected, "{why}");
        }
        let both = ListQuery {
            after: Some("r1".to_owned()),
            before: Some("r2".to_owned()),
            ..ListQuery::default()
        };
        assert!(matches!(Page::of(&both, |id: RunId| id.0), Err(StoreError::Conflict(_))));
    }

    #[test]
    fn a_partners_rows_are_its_own_and_not_those_of_a_longer_name() {
        use crate::store::ledger::{NewExchange, RunStart};

        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let store = crate::store::Store::open(&state).unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let fill = store.ledger.call_blocking(move |ledger| {
            for partner in ["courts", "courts-north", "police"] {
                let feed: crate::id::FeedId = format!("{partner}/orders").parse().unwrap();
                let trigger = crate::run::Trigger::Schedule;
                let start = RunStart {
                    feed: feed.clone(),
                    trigger,
                    at,
                    actor: None,
                    full: false,
                    file: None,
                };
                let run = ledger.begin_run(&start)?;
                let refusal = crate::quarantine::Refusal {
                    kind: crate::quarantine::Kind::Row,
                    reason: "no date".to_owned(),
                    place: crate::quarantine::Place::default(),
                    original: b"x".to_vec(),
                    form: None,
                    original_hash: None,
                    bytes: 1,
                };
                ledger.refuse(&feed, run, &[refusal], at)?;
                ledger.accept(&NewExchange {
                    connection: format!("{partner}/out").parse().unwrap(),
                    origin: partner.to_owned(),
                    name: "a.json".to_owned(),
                    hash: "ab".to_owned(),
                    bytes: 1,
                    idempotency_key: partner.to_owned(),
                    at,
                    deadline_at: at,
                })?;
            }
            Ok(())
        });
        fill.unwrap();
        let reader = Reader::open(&state).unwrap();
        for (partner, n) in [(None, 3), (Some("courts"), 1), (Some("court"), 0), (Some("%"), 0)] {
            for (feed, connection, state) in
                [(None, None, None), (Some("courts/orders"), Some("courts/out"), None)]
            {
                let query = ListQuery {
                    partner: partner.map(str::to_owned),
                    feed: feed.map(str::to_owned),
                    connection: connection.map(str::to_owned),
                    state,
                    ..ListQuery::default()
                };
                let n = if feed.is_some() { n.min(1) } else { n };
                assert_eq!(reader.runs(&query).unwrap().len(), n, "{query:?}");
                assert_eq!(reader.quarantine(&query).unwrap().len(), n, "{query:?}");
                assert_eq!(reader.exchanges(&query).unwrap().len(), n, "{query:?}");
            }
        }
        let running = ListQuery {
            partner: Some("police".to_owned()),
            state: Some("running".to_owned()),
            ..ListQuery::default()
        };
        assert_eq!(reader.runs(&running).unwrap().len(), 1);
    }
}

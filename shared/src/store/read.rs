//! Reading: the rows that lists and screens show, from what was committed, without ever making a writer wait.
//!
//! The same reader serves the daemon's socket and a console that opens a `state_dir` whose daemon is dead. Every list
//! goes behind a key; whatever a screen would have to count is kept counted.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::{StoreError, ledger::time_at, schema, state_dir};
use crate::{
    exchange,
    freshness::Freshness,
    health::Health,
    protocol::{DaemonRow, LIST_LIMIT, LIST_MAX, ListQuery, Status},
};

pub mod catalogue;
mod exchanges;
mod feeds;
mod quarantine;
mod records;
mod runs;

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
            if let Err(error) = std::fs::File::open(&file) {
                return Err(StoreError::Folder(format!("cannot read {}: {error}", file.display())));
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
        for row in self.all_feeds(now)? {
            *feeds.entry(row.freshness.word().to_owned()).or_default() += 1;
        }
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

/// How many rows a query may have.
fn limit(query: &ListQuery) -> u32 {
    query.limit.unwrap_or(LIST_LIMIT).clamp(1, LIST_MAX)
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

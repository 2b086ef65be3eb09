//! Opening a database, and the steps that bring an older one up to date. Steps are only ever added.

use std::{path::Path, sync::LazyLock};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::{StoreError, ledger::groups, state_dir};

/// How long a statement waits for another program's lock, in milliseconds, before it gives up.
const BUSY_MS: u32 = 5_000;
/// The page cache of a writer, in KiB.
pub(super) const CACHE_KIB: i64 = 16 * 1024;
/// That of a reader: what lies on the disk is in the system's cache as well, and several are kept open.
const READ_CACHE_KIB: i64 = 512;
/// A WAL is cut back to this once it has been written home, in bytes.
const JOURNAL_LIMIT: i64 = 64 * 1024 * 1024;

/// Opens `file` for writing, made private if it is new, and takes it through `migrations`.
pub(super) fn open(file: &Path, migrations: &Migrations<'_>) -> Result<Connection, StoreError> {
    state_dir::make_private(file)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let of = |error| StoreError::of(file, error);
    let mut db = Connection::open_with_flags(file, flags).map_err(of)?;
    db.busy_timeout(std::time::Duration::from_millis(BUSY_MS.into())).map_err(of)?;
    db.pragma_update(None, "journal_mode", "WAL").map_err(of)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(of)?;
    db.pragma_update(None, "foreign_keys", true).map_err(of)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB).map_err(of)?;
    db.pragma_update(None, "temp_store", "MEMORY").map_err(of)?;
    db.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT).map_err(of)?;
    db.set_prepared_statement_cache_capacity(64);
    migrations.to_latest(&mut db).map_err(|error| match error {
        rusqlite_migration::Error::MigrationDefinition(
            rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead,
        ) => StoreError::Newer(file.to_owned()),
        rusqlite_migration::Error::RusqliteError { err, .. } => StoreError::of(file, err),
        other => StoreError::Corrupt { file: file.to_owned(), detail: other.to_string() },
    })?;
    Ok(db)
}

/// Opens `file` to read. A database that was closed in order has no `-wal`, and is then opened as one that nobody
/// changes only if the folder cannot be written; else committed data could silently be missing.
pub(super) fn open_to_read(file: &Path) -> Result<Connection, StoreError> {
    let of = |error| StoreError::of(file, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags).map_err(of)?;
    let ready = db
        .busy_timeout(std::time::Duration::from_millis(BUSY_MS.into()))
        .and_then(|()| db.pragma_update(None, "query_only", true))
        .and_then(|()| db.pragma_update(None, "cache_size", -READ_CACHE_KIB))
        // In the head of the file: whoever asks nothing of the bank need not know its tables, of which there may be very many.
        .and_then(|()| db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)));
    match ready {
        Ok(_) => Ok(db),
        Err(error) if can_be_immutable(file, &error) => {
            let uri = url::Url::from_file_path(
                std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
            );
            let uri =
                uri.map_err(|()| StoreError::Folder(format!("{} is no path", file.display())))?;
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(format!("{uri}?immutable=1"), flags).map_err(of)
        }
        Err(error) => Err(of(error)),
    }
}

fn can_be_immutable(file: &Path, error: &rusqlite::Error) -> bool {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen) && !Path::new(&wal).exists()
}

/// `cache.db`: what feeds say, and how far they were read. Each feed's own tables are made by [`super::cache`].
pub(super) static CACHE: LazyLock<Migrations<'static>> = LazyLock::new(|| {
    Migrations::new(vec![M::up(
        "CREATE TABLE marsad_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
         CREATE TABLE marsad_feed (
             feed TEXT PRIMARY KEY,
             tbl TEXT NOT NULL,
             layout TEXT NOT NULL,
             rows INTEGER NOT NULL DEFAULT 0,
             cursor TEXT,
             walk TEXT,
             validators TEXT,
             ended TEXT
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE marsad_cursor (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             feed TEXT NOT NULL,
             value TEXT,
             run INTEGER NOT NULL,
             moved_at INTEGER NOT NULL,
             reason TEXT NOT NULL,
             actor TEXT
         ) STRICT;
         CREATE INDEX marsad_cursor_feed ON marsad_cursor (feed, id);
         CREATE TABLE marsad_file (
             feed TEXT NOT NULL,
             hash TEXT NOT NULL,
             name TEXT NOT NULL,
             run INTEGER NOT NULL,
             at INTEGER NOT NULL,
             PRIMARY KEY (feed, hash)
         ) STRICT, WITHOUT ROWID;
         CREATE INDEX marsad_file_at ON marsad_file (feed, at, run);",
    ), M::up(
        // What is pruned is found without reading the moves themselves.
        "CREATE INDEX marsad_cursor_runs ON marsad_cursor (feed, id) WHERE actor IS NULL;
         CREATE INDEX marsad_cursor_people ON marsad_cursor (feed, id) WHERE actor IS NOT NULL;",
    ), M::up(
        "-- A load that waits for a person.
         ALTER TABLE marsad_feed ADD COLUMN held TEXT;
         -- Since when every version is kept.
         ALTER TABLE marsad_feed ADD COLUMN remembers INTEGER;
         CREATE INDEX marsad_feed_held ON marsad_feed (feed) WHERE held IS NOT NULL;
         -- Runs that can be undone, with where the cursor stood before them.
         CREATE TABLE marsad_undo (
             feed TEXT NOT NULL,
             run INTEGER NOT NULL,
             at INTEGER NOT NULL,
             cursor TEXT,
             moved TEXT,
             PRIMARY KEY (feed, run)
         ) STRICT, WITHOUT ROWID;",
    ), M::up(
        "-- How many records such a run wrote, and whether the table as it was before it is kept whole.
         ALTER TABLE marsad_undo ADD COLUMN wrote INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE marsad_undo ADD COLUMN aside INTEGER NOT NULL DEFAULT 0;",
    ), M::up(
        "-- Which of all files that the feed has had it is: a clock may be set back.
         ALTER TABLE marsad_file ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
         UPDATE marsad_file SET turn = told.turn FROM (
             SELECT feed, hash, row_number() OVER (PARTITION BY feed ORDER BY at, run, hash) AS turn FROM marsad_file
         ) AS told WHERE told.feed = marsad_file.feed AND told.hash = marsad_file.hash;
         DROP INDEX marsad_file_at;
         CREATE INDEX marsad_file_turn ON marsad_file (feed, turn);
         ALTER TABLE marsad_undo DROP COLUMN moved;",
    ), M::up(
        "-- A run before it was undone: what it brought need not stand there as it brought it.
         ALTER TABLE marsad_file ADD COLUMN upset INTEGER NOT NULL DEFAULT 0;",
    )])
});

/// `ledger.db`: what cannot be fetched again.
pub(super) static LEDGER: LazyLock<Migrations<'static>> = LazyLock::new(|| {
    Migrations::new(vec![M::up(
        "CREATE TABLE daemon (
             id INTEGER PRIMARY KEY CHECK (id = 1),
             version TEXT NOT NULL,
             config_hash TEXT NOT NULL,
             started_at INTEGER NOT NULL,
             seen_at INTEGER NOT NULL,
             stopped_at INTEGER
         ) STRICT;
         CREATE TABLE catalogue (
             kind TEXT NOT NULL,
             id TEXT NOT NULL,
             body TEXT NOT NULL,
             PRIMARY KEY (kind, id)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE layouts (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             feed TEXT NOT NULL,
             layout TEXT NOT NULL,
             run INTEGER NOT NULL,
             at INTEGER NOT NULL
         ) STRICT;
         CREATE INDEX layouts_feed ON layouts (feed, id);
         CREATE TABLE runs (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             feed TEXT NOT NULL,
             trigger TEXT NOT NULL,
             outcome TEXT NOT NULL,
             reason TEXT,
             cause TEXT,
             started_at INTEGER NOT NULL,
             ended_at INTEGER,
             pages INTEGER NOT NULL DEFAULT 0,
             bytes INTEGER NOT NULL DEFAULT 0,
             file TEXT,
             actor TEXT,
             full INTEGER NOT NULL DEFAULT 0,
             received INTEGER NOT NULL DEFAULT 0,
             inserted INTEGER NOT NULL DEFAULT 0,
             updated INTEGER NOT NULL DEFAULT 0,
             unchanged INTEGER NOT NULL DEFAULT 0,
             duplicate INTEGER NOT NULL DEFAULT 0,
             deleted INTEGER NOT NULL DEFAULT 0,
             quarantined INTEGER NOT NULL DEFAULT 0,
             filtered INTEGER NOT NULL DEFAULT 0
         ) STRICT;
         CREATE INDEX runs_feed ON runs (feed, id);
         CREATE INDEX runs_notable ON runs (outcome, id) WHERE outcome NOT IN ('unchanged', 'succeeded');
         CREATE TABLE feed_state (
             feed TEXT PRIMARY KEY,
             checked_at INTEGER,
             arrived_at INTEGER,
             event_at INTEGER,
             last_run INTEGER,
             last_outcome TEXT,
             reason TEXT,
             cause TEXT,
             fails INTEGER NOT NULL DEFAULT 0,
             started_at INTEGER,
             next_at INTEGER
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE health (
             connection TEXT PRIMARY KEY,
             standing TEXT NOT NULL,
             detail TEXT
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE quarantine (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             feed TEXT NOT NULL,
             run INTEGER NOT NULL,
             first_run INTEGER NOT NULL,
             kind TEXT NOT NULL,
             reason TEXT NOT NULL,
             file TEXT,
             line INTEGER,
             page INTEGER,
             row INTEGER,
             field TEXT,
             place TEXT NOT NULL,
             hash TEXT NOT NULL,
             original BLOB,
             original_hash TEXT,
             bytes INTEGER NOT NULL,
             at INTEGER NOT NULL,
             UNIQUE (feed, place, hash)
         ) STRICT;
         CREATE INDEX quarantine_run ON quarantine (run, id);
         CREATE TABLE exchanges (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             direction TEXT NOT NULL,
             connection TEXT NOT NULL,
             state TEXT NOT NULL,
             -- Whether the partner may have it, and has not said.
             doubted INTEGER NOT NULL DEFAULT 0,
             attempts INTEGER NOT NULL DEFAULT 0,
             created_at INTEGER NOT NULL,
             since_at INTEGER NOT NULL,
             next_at INTEGER,
             deadline_at INTEGER,
             delivered_at INTEGER,
             bytes INTEGER NOT NULL,
             idempotency_key TEXT NOT NULL UNIQUE,
             origin TEXT NOT NULL UNIQUE,
             reason TEXT,
             name TEXT NOT NULL,
             hash TEXT NOT NULL,
             -- The name that an attempt chose in a folder, before it used it.
             target TEXT,
             -- When the courier has something to do about it, if it is open: 0: at once. What is held only expires.
             due_at INTEGER AS (iif(state = 'held', deadline_at,
                 min(coalesce(next_at, 0), coalesce(deadline_at, 0x7fffffffffffffff)))) VIRTUAL
         ) STRICT;
         CREATE INDEX exchanges_connection ON exchanges (connection, id);
         CREATE INDEX exchanges_due ON exchanges (connection, due_at, id)
             WHERE state NOT IN ('delivered', 'confirmed', 'rejected', 'expired', 'cancelled');
         CREATE INDEX exchanges_oldest ON exchanges (created_at)
             WHERE state NOT IN ('delivered', 'confirmed', 'rejected', 'expired', 'cancelled');
         CREATE INDEX exchanges_state ON exchanges (state, id);
         CREATE TABLE attempts (
             exchange INTEGER NOT NULL REFERENCES exchanges (id),
             number INTEGER NOT NULL,
             kind TEXT NOT NULL,
             started_at INTEGER NOT NULL,
             ended_at INTEGER,
             state TEXT,
             status INTEGER,
             reason TEXT
         ) STRICT;
         CREATE INDEX attempts_exchange ON attempts (exchange, number);
         CREATE TABLE audit (
             seq INTEGER PRIMARY KEY,
             entry TEXT NOT NULL
         ) STRICT;
         -- What lists would otherwise have to count.
         CREATE TABLE counts (
             what TEXT NOT NULL,
             word TEXT NOT NULL,
             n INTEGER NOT NULL,
             PRIMARY KEY (what, word)
         ) STRICT, WITHOUT ROWID;
         CREATE TRIGGER exchange_made AFTER INSERT ON exchanges BEGIN
             INSERT INTO counts VALUES ('exchange', new.state, 1)
                 ON CONFLICT DO UPDATE SET n = n + 1;
         END;
         CREATE TRIGGER exchange_moved AFTER UPDATE OF state ON exchanges WHEN old.state <> new.state BEGIN
             UPDATE counts SET n = n - 1 WHERE what = 'exchange' AND word = old.state;
             INSERT INTO counts VALUES ('exchange', new.state, 1)
                 ON CONFLICT DO UPDATE SET n = n + 1;
         END;
         CREATE TRIGGER quarantine_made AFTER INSERT ON quarantine BEGIN
             INSERT INTO counts VALUES ('quarantine', new.feed, 1)
                 ON CONFLICT DO UPDATE SET n = n + 1;
         END;
         CREATE TRIGGER quarantine_left AFTER DELETE ON quarantine BEGIN
             UPDATE counts SET n = n - 1 WHERE what = 'quarantine' AND word = old.feed;
         END;",
    ), M::up(
        "-- Who called a partner how often, in which period of its budget.
         CREATE TABLE calls (
             partner TEXT NOT NULL,
             since INTEGER NOT NULL,
             who TEXT NOT NULL,
             n INTEGER NOT NULL,
             PRIMARY KEY (partner, since, who)
         ) STRICT, WITHOUT ROWID;
         -- Who asked to be left alone until when.
         CREATE TABLE rests (
             connection TEXT PRIMARY KEY,
             until_at INTEGER NOT NULL,
             why TEXT NOT NULL
         ) STRICT, WITHOUT ROWID;
         -- Why a feed that is due is not read.
         ALTER TABLE feed_state ADD COLUMN waits TEXT;",
    ), M::up(
        "-- Until when the partner's certificate and ours are good, as far as they were seen.
         CREATE TABLE certificates (
             connection TEXT PRIMARY KEY,
             theirs_until_at INTEGER,
             ours_until_at INTEGER
         ) STRICT, WITHOUT ROWID;",
    ), M::up(
        "-- Living records that a read of all there is no longer had.
         ALTER TABLE runs ADD COLUMN absent INTEGER NOT NULL DEFAULT 0;",
    ), M::up(
        "-- How a refused row is written, with the header above it; and when it was first refused.
         ALTER TABLE quarantine ADD COLUMN form TEXT;
         ALTER TABLE quarantine ADD COLUMN first_at INTEGER;
         UPDATE quarantine SET first_at = (SELECT started_at FROM runs WHERE runs.id = first_run);",
    ), M::up_with_hook(
        "-- What is alike in quarantine, counted as it comes and goes: a screen must not count a million items.
         CREATE TABLE quarantine_groups (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             feed TEXT NOT NULL,
             kind TEXT NOT NULL,
             field TEXT NOT NULL,
             alike TEXT NOT NULL,
             -- As they all say it; where they differ in numbers and names, without those.
             reason TEXT NOT NULL,
             n INTEGER NOT NULL DEFAULT 0,
             UNIQUE (feed, kind, field, alike)
         ) STRICT;
         CREATE INDEX quarantine_groups_n ON quarantine_groups (n DESC, id);
         ALTER TABLE quarantine ADD COLUMN grp INTEGER REFERENCES quarantine_groups (id);
         CREATE INDEX quarantine_grp ON quarantine (grp, id);
         CREATE INDEX quarantine_grp_at ON quarantine (grp, at);
         CREATE TRIGGER quarantine_grouped AFTER INSERT ON quarantine BEGIN
             UPDATE quarantine_groups SET n = n + 1 WHERE id = new.grp;
         END;
         CREATE TRIGGER quarantine_regrouped AFTER UPDATE OF grp ON quarantine WHEN old.grp IS NOT new.grp BEGIN
             UPDATE quarantine_groups SET n = n - 1 WHERE id = old.grp;
             UPDATE quarantine_groups SET n = n + 1 WHERE id = new.grp;
         END;
         CREATE TRIGGER quarantine_ungrouped AFTER DELETE ON quarantine BEGIN
             UPDATE quarantine_groups SET n = n - 1 WHERE id = old.grp;
         END;",
        |tx| Ok(groups::group_all(tx)?),
    ), M::up(
        "-- What came otherwise than a feed's columns say, and what was decided of it.
         CREATE TABLE drift (
             feed TEXT NOT NULL,
             field TEXT NOT NULL,
             change TEXT NOT NULL,
             kind TEXT,
             first_run INTEGER NOT NULL,
             last_run INTEGER NOT NULL,
             runs INTEGER NOT NULL DEFAULT 1,
             first_at INTEGER NOT NULL,
             last_at INTEGER NOT NULL,
             decision TEXT NOT NULL,
             decided_at INTEGER,
             actor TEXT,
             reason TEXT,
             PRIMARY KEY (feed, field, change)
         ) STRICT, WITHOUT ROWID;
         CREATE INDEX drift_open ON drift (feed) WHERE decision = 'open';
         -- Which declared fields a feed was first watched with: what stands beside those is known.
         CREATE TABLE watched (
             feed TEXT PRIMARY KEY,
             fields TEXT NOT NULL
         ) STRICT, WITHOUT ROWID;",
    ), M::up(
        "-- How many runs right before one failed as it did, and whether the next one failed as it did too.
         ALTER TABLE runs ADD COLUMN alike INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE runs ADD COLUMN followed INTEGER NOT NULL DEFAULT 0;",
    ), M::up(
        "-- Whether a person let what it brought past the brake.
         ALTER TABLE runs ADD COLUMN released INTEGER NOT NULL DEFAULT 0;",
    ), M::up(
        "-- What a person ordered of a feed and is not done, in the daemon's own words.
         ALTER TABLE feed_state ADD COLUMN ordered TEXT;",
    ), M::up(
        "-- When the last read of all there is began that came to its end; of a feed that had none, its first good run.
         ALTER TABLE feed_state ADD COLUMN full_at INTEGER;
         -- Why it is not known what is gone: what the last read of all there is said, if it could not tell.
         ALTER TABLE feed_state ADD COLUMN unswept TEXT;",
    )])
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_applies_to_an_empty_database() {
        CACHE.validate().unwrap();
        LEDGER.validate().unwrap();
    }

    #[test]
    fn a_database_of_a_newer_version_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("cache.db");
        open(&file, &CACHE).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(open(&file, &CACHE), Err(StoreError::Newer(_))));
    }

    #[test]
    fn a_file_that_is_no_database_is_named_and_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("cache.db");
        std::fs::write(&file, b"not a database, but long enough to have a header of its own ....")
            .unwrap();
        assert!(matches!(open(&file, &CACHE), Err(StoreError::Corrupt { .. })));
        assert!(std::fs::read(&file).unwrap().starts_with(b"not a database"));
    }
}

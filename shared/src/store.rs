//! The store: what Marsad knows, on disk, behind methods named by what they mean.
//!
//! Two files, because they deserve different care (DESIGN section 3): [`Cache`] can be fetched again, [`Ledger`]
//! cannot. Each has one writer, on a thread of its own ([`Writer`]); anyone may read, through [`Reader`]. No SQL stands
//! outside this module.
//!
//! # What an implementation owes
//! Another engine, such as a PostgreSQL cluster, can stand behind the same methods if it keeps these promises:
//!
//! 1. **All or nothing.** What one method of [`Cache`] or [`Ledger`] writes becomes visible and durable together, or
//!    not at all: a page with its cursor, a file with its hash, an exchange with its origin.
//! 2. **Durable before answered.** When [`Writer::call`] returns, a power cut cannot take it back. [`Writer::cast`]
//!    promises order only, and durability within [`writer::LINGER`]; [`Writer::cast_idly`], within [`writer::LINGER_IDLY`].
//! 3. **In order.** Jobs of one writer take effect in the order in which they were handed over.
//! 4. **One writer.** While a store is open for writing, no other process can open it so. (An engine that is shared by
//!    several daemons needs a lease for each feed instead.)
//! 5. **Readers never wait** for a writer, and see only what was committed, each answer at one instant.
//! 6. **Repeats are harmless.** The same page, file, refusal or exchange origin again changes nothing but its time.
//! 7. **Numbers only grow.** Ids of runs, exchanges, quarantine items and audit entries are never used twice.
//! 8. **Time is what the caller says**, in microseconds of UTC; the store never looks at a clock.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub mod cache;
pub mod ledger;
pub mod originals;
pub mod read;
mod schema;
mod state_dir;
pub mod writer;

pub use cache::Cache;
pub use ledger::Ledger;
pub use originals::Originals;
pub use read::Reader;
pub use state_dir::StateDir;
pub use writer::Writer;

/// Why the store could not do something. The text names the file and what to do where somebody can do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, or a quota is reached. Ours to mend: no partner is to blame.
    #[error("no space left for {}; free some, Marsad goes on by itself", .0.display())]
    Full(PathBuf),
    /// Another program holds the database. It is tried again.
    #[error("{} is locked by another program", .0.display())]
    Busy(PathBuf),
    /// The file is damaged.
    #[error("{} is damaged ({detail}); keep a copy and restore it from a backup", file.display())]
    Corrupt { file: PathBuf, detail: String },
    /// Written by a newer Marsad.
    #[error("{} was written by a newer version of Marsad; use that version", .0.display())]
    Newer(PathBuf),
    /// The state folder cannot be used as it is.
    #[error("{0}")]
    Folder(String),
    /// Another daemon uses the folder.
    #[error("{} is in use by another marsadd (process {holder}); stop that one first", folder.display())]
    Locked { folder: PathBuf, holder: String },
    /// The configuration asks for a table that the bank has otherwise.
    #[error("{0}")]
    Layout(String),
    /// What was asked cannot be done as things stand.
    #[error("{0}")]
    Conflict(String),
    /// A run would do more than it may by itself: see [`crate::brake`].
    #[error("{0}")]
    Braked(String),
    /// A file beside the databases.
    #[error("cannot use {}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the database refused")]
    Sql(#[source] rusqlite::Error),
    /// The commit that it shared with others failed.
    #[error("{0}")]
    Commit(Arc<StoreError>),
    /// The writer's thread has ended: the daemon is stopping.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the fault lies with our disk, so that no partner may be blamed (promise 10).
    pub fn is_local(&self) -> bool {
        match self {
            Self::Layout(_) | Self::Conflict(_) | Self::Braked(_) => false,
            Self::Commit(error) => error.is_local(),
            _ => true,
        }
    }

    /// Whether there is no space left.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full(_) => true,
            Self::Commit(error) => error.is_full(),
            _ => false,
        }
    }

    /// Turns what SQLite said about `file` into what a person can act upon.
    fn of(file: &Path, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::Full(file.to_owned()),
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Busy(file.to_owned()),
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                Self::Corrupt { file: file.to_owned(), detail: error.to_string() }
            }
            _ => Self::Sql(error),
        }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::StorageFull
            || source.kind() == std::io::ErrorKind::QuotaExceeded
        {
            Self::Full(path.to_owned())
        } else {
            Self::Io { path: path.to_owned(), source }
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::of(Path::new("the database"), error)
    }
}

/// The store, open for writing: the daemon's alone.
#[derive(Debug)]
pub struct Store {
    pub folder: StateDir,
    pub cache: Writer<Cache>,
    pub ledger: Writer<Ledger>,
    pub originals: Originals,
    /// The secret with which rows are hashed.
    pub seed: u64,
}

impl Store {
    /// Takes `state_dir` over, brings both databases up to date and starts their writers.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another daemon has it, [`StoreError::Folder`] if others could read what is in it,
    /// [`StoreError::Newer`] or [`StoreError::Corrupt`] if a database is not ours to touch.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let folder = StateDir::take(state_dir)?;
        let cache = Cache::open(&folder.cache())?;
        let ledger = Ledger::open(&folder.ledger())?;
        let seed = cache.seed();
        let originals = Originals::new(folder.originals());
        originals.sweep()?;
        Ok(Self {
            cache: Writer::start("cache", cache)?,
            ledger: Writer::start("ledger", ledger)?,
            originals,
            folder,
            seed,
        })
    }

    /// Closes both databases in order, so that nothing is left beside them. Blocks until that is done. Readers that are
    /// still open keep their companions alive, and nothing else.
    pub fn close(self) {
        self.cache.close();
        self.ledger.close();
    }
}

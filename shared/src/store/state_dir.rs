//! `state_dir`: the daemon's own folder, closed to everybody else, and held by one daemon at a time.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::StoreError;
use crate::audit::Head;

/// The folder, taken over and locked. The lock goes with the value.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// The number of the last audit entry that was noted as head; 0: none yet.
    noted: Mutex<i64>,
    _lock: File,
}

impl StateDir {
    /// Makes or takes over the folder: `0700`, ours, locked. An empty one is closed to others; one with data that
    /// others could have read is refused with the command that mends it.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(|source| StoreError::io(path, source))?;
        }
        close_to_others(path)?;
        let lock = lock(path)?;
        for folder in [ORIGINALS, SECRETS] {
            let folder = path.join(folder);
            if !folder.exists() {
                fs::DirBuilder::new()
                    .mode(0o700)
                    .create(&folder)
                    .map_err(|source| StoreError::io(&folder, source))?;
            }
        }
        Ok(Self { path: path.to_owned(), noted: Mutex::new(0), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn cache(&self) -> PathBuf {
        self.path.join(CACHE)
    }

    pub fn ledger(&self) -> PathBuf {
        self.path.join(LEDGER)
    }

    pub fn originals(&self) -> PathBuf {
        self.path.join(ORIGINALS)
    }

    /// Where tokens are kept that a partner gave in place of others: the one place where a secret is written.
    pub fn secrets(&self) -> PathBuf {
        self.path.join(SECRETS)
    }

    /// Notes the audit's head where [`crate::store::Reader::audit_verify`] looks for it: a tail that is cut off later
    /// is found out. One that is noted too late proves less, and nothing wrong: a head that a later one has overtaken is
    /// not noted any more. Blocks.
    pub fn note_head(&self, head: Head) -> Result<(), StoreError> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if head.seq <= *noted {
            return Ok(());
        }
        let (path, temporary) = (self.path.join(HEAD), self.path.join(format!("{HEAD}.part")));
        let text = serde_json::to_string(&head)
            .map_err(|error| StoreError::Conflict(error.to_string()))?;
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|source| StoreError::io(&path, source))?;
        *noted = head.seq;
        Ok(())
    }
}

/// Where the audit's last head is noted, beside the database that it guards.
pub(super) const HEAD: &str = "audit.head";
/// What arrived and what is owed, byte for byte.
pub(super) const ORIGINALS: &str = "originals";
const SECRETS: &str = "secrets";
pub(super) const CACHE: &str = "cache.db";
pub(super) const LEDGER: &str = "ledger.db";

fn close_to_others(path: &Path) -> Result<(), StoreError> {
    let about = fs::metadata(path).map_err(|source| StoreError::io(path, source))?;
    let shown = path.display();
    if !about.is_dir() {
        return Err(StoreError::Folder(format!(
            "state_dir {shown} is not a folder; name another one"
        )));
    }
    let me = nix::unistd::geteuid().as_raw();
    if about.uid() != me {
        return Err(StoreError::Folder(format!(
            "state_dir {shown} belongs to user {}, not to {me}; run: chown {me} {shown}",
            about.uid()
        )));
    }
    let entries: Vec<_> = fs::read_dir(path)
        .and_then(Iterator::collect)
        .map_err(|source: std::io::Error| StoreError::io(path, source))?;
    if about.mode() & 0o077 != 0 {
        if !entries.is_empty() {
            return Err(StoreError::Folder(format!(
                "state_dir {shown} holds data and is open to others (mode {:04o}); run: chmod 700 {shown}",
                about.mode() & 0o7777
            )));
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(|source| StoreError::io(path, source))?;
    }
    for entry in entries {
        let file = entry.path();
        let about = fs::symlink_metadata(&file).map_err(|source| StoreError::io(&file, source))?;
        if about.is_file() && about.mode() & 0o077 != 0 {
            return Err(StoreError::Folder(format!(
                "{} is open to others (mode {:04o}); run: chmod 600 {}",
                file.display(),
                about.mode() & 0o7777,
                file.display()
            )));
        }
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| StoreError::io(&path, source))?;
    if let Err(error) = file.try_lock() {
        let mut holder = String::new();
        // Only to name it: a lock whose file cannot be read is still a lock.
        let _ = file.read_to_string(&mut holder);
        return match error {
            fs::TryLockError::WouldBlock => {
                let holder = holder.trim().to_owned();
                let holder = if holder.is_empty() { "unknown".to_owned() } else { holder };
                Err(StoreError::Locked { folder: folder.to_owned(), holder })
            }
            fs::TryLockError::Error(source) => Err(StoreError::io(&path, source)),
        };
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|source| StoreError::io(&path, source))?;
    Ok(file)
}

/// Makes `path` as an empty file that only its owner may read, before SQLite opens it and copies the mode to its
/// companions.
pub(super) fn make_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::io(path, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn an_empty_folder_is_taken_over_and_closed() {
        let temp = tempfile::tempdir().unwrap();
        mode(temp.path(), 0o755);
        let dir = StateDir::take(temp.path()).unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_with_data_open_to_others_is_refused_with_the_command_that_mends_it() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("cache.db"), b"").unwrap();
        mode(&temp.path().join("cache.db"), 0o600);
        mode(temp.path(), 0o750);
        let error = StateDir::take(temp.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");
        mode(temp.path(), 0o700);
        mode(&temp.path().join("cache.db"), 0o640);
        let error = StateDir::take(temp.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn the_head_that_is_noted_is_whole_and_the_last_one() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::take(temp.path()).unwrap();
        let head = |seq| Head { seq, hash: crate::audit::GENESIS };
        std::thread::scope(|scope| {
            for first in 1..=4 {
                let dir = &dir;
                // Each thread goes up by itself, and all of them cross.
                scope.spawn(move || {
                    for step in 0..25 {
                        dir.note_head(head(first + step * 4)).unwrap();
                    }
                });
            }
        });
        let noted = || -> Head {
            serde_json::from_slice(&fs::read(temp.path().join(HEAD)).unwrap()).unwrap()
        };
        assert_eq!(noted().seq, 100);
        dir.note_head(head(7)).unwrap();
        assert_eq!(noted().seq, 100, "overtaken");
        assert!(!temp.path().join(format!("{HEAD}.part")).exists());
    }

    #[test]
    fn a_second_daemon_is_refused_and_told_who_holds_the_folder() {
        let temp = tempfile::tempdir().unwrap();
        let first = StateDir::take(temp.path()).unwrap();
        let error = StateDir::take(temp.path()).unwrap_err();
        assert!(
            matches!(&error, StoreError::Locked { holder, .. } if *holder == std::process::id().to_string())
        );
        drop(first);
        StateDir::take(temp.path()).unwrap();
    }
}

//! Handing a document over through a partner's folder: a temporary name, synced, then renamed, so that the partner never
//! sees half of it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use marsad_shared::{
    connection::Folder,
    exchange::Event,
    health::PollResult,
    store::{Originals, StoreError, ledger::Due},
};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
};

use super::Answer;
use crate::services::Services;

/// One attempt.
pub(super) async fn deliver(services: &Arc<Services>, folder: &Folder, due: &Due) -> Answer {
    let Some(export) = folder.export.clone() else {
        return Answer::unsent(
            "the connection no longer has an `export` folder; mend it, or cancel the exchange",
        );
    };
    let (services, due, shown) = (Arc::clone(services), due.clone(), export.clone());
    let put = tokio::task::spawn_blocking(move || {
        let aim = |name: &str| {
            let (id, name) = (due.id, name.to_owned());
            services.store.ledger.call_blocking(move |ledger| ledger.aim(id, &name))
        };
        put(&services.store.originals, &export, &due, aim)
    });
    match put.await {
        Ok(Ok(())) => {
            let health = Some(PollResult::Ok { near_limit: false });
            Answer { health, ..Answer::new(Event::Accepted, None, None) }
        }
        Ok(Err(Fault::Folder(error))) => Answer::disk(format!(
            "cannot write to {} ({error}); make it, free some space, or let marsadd write it",
            shown.display()
        )),
        Ok(Err(Fault::Store(error))) => Answer::disk(error.to_string()),
        Err(_) => Answer::unsent("the file could not be written; report this"),
    }
}

/// Whether the document is in place, after an attempt whose end nobody saw.
pub(super) async fn ask(folder: &Folder, due: &Due) -> Answer {
    let Some(export) = folder.export.clone() else {
        return Answer::unsure(None, "the connection no longer has an `export` folder; mend it");
    };
    let due = due.clone();
    let found = tokio::task::spawn_blocking(move || is_placed(&export, &due));
    match found.await {
        Ok(Ok(true)) => Answer::new(
            Event::Found,
            None,
            Some("marsadd had stopped; the file is in place".to_owned()),
        ),
        Ok(Ok(false)) => Answer::new(
            Event::NotFound,
            None,
            Some("marsadd had stopped; the file is not in place".to_owned()),
        ),
        Ok(Err(error)) => {
            Answer::unsure(None, format!("cannot look into the export folder ({error})"))
        }
        Err(_) => Answer::unsure(None, "cannot look into the export folder"),
    }
}

/// Opens neither what a link leads to, nor waits for the other end of a pipe.
const NO_TRICKS: i32 = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;

/// Why a document could not be put in place.
#[derive(Debug)]
enum Fault {
    Folder(io::Error),
    Store(StoreError),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Folder(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Puts the document into the folder. `aim` notes the name before it is taken: an attempt whose end nobody saw is looked
/// for under that name alone.
fn put(
    originals: &Originals,
    export: &Path,
    due: &Due,
    aim: impl Fn(&str) -> Result<(), StoreError>,
) -> Result<(), Fault> {
    if is_placed(export, due)? {
        return Ok(File::open(export)?.sync_all()?);
    }
    let temporary = temporary(export, due);
    // The folder is the partner's: what stands there under our name may be a link or a pipe, and is not written through.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(NO_TRICKS)
        .open(&temporary)?;
    io::copy(&mut originals.open(&due.hash)?, &mut file)?;
    // The partner's program runs as another user: the folder's group may read what is put there for it.
    file.set_permissions(fs::Permissions::from_mode(0o640))?;
    file.sync_all()?;
    // The temporary name outlasts a power cut: as long as it is there, the document is not in place.
    File::open(export)?.sync_all()?;
    for name in names(due) {
        let target = export.join(&name);
        if fs::symlink_metadata(&target).is_ok() {
            continue;
        }
        aim(&name)?;
        match rename_new(&temporary, &target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            renamed => {
                renamed?;
                return Ok(File::open(export)?.sync_all()?);
            }
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists).into())
}

fn temporary(export: &Path, due: &Due) -> PathBuf {
    export.join(format!(".{}.part", due.idempotency_key))
}

/// The names that an exchange may have, the best one first: its document's; that behind its own id; that behind its key,
/// which nobody else can have.
fn names(due: &Due) -> [String; 3] {
    // A name is one part of a path, whatever somebody sent.
    let name = Path::new(&due.name)
        .file_name()
        .map_or_else(|| due.id.to_string(), |name| name.to_string_lossy().into_owned());
    let (by_id, by_key) = (format!("{}-{name}", due.id), format!("{}-{name}", due.idempotency_key));
    [name, by_id, by_key]
}

/// Renames, unless the new name is taken.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // Some network file systems cannot: there, looking first is the best there is.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {}
        renamed => return renamed.map_err(io::Error::from),
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Whether an earlier attempt put the document in place: its temporary file is gone, and the document stands under the name
/// that it meant to give it. Another exchange's file, of the same name and content, is never taken for it: it can have got
/// that name only while the temporary file is still there.
fn is_placed(export: &Path, due: &Due) -> io::Result<bool> {
    fs::metadata(export)?;
    let Some(target) = &due.target else { return Ok(false) };
    if is_there(fs::symlink_metadata(temporary(export, due)))?.is_some() {
        return Ok(false);
    }
    let Some(mut file) =
        is_there(OpenOptions::new().read(true).custom_flags(NO_TRICKS).open(export.join(target)))?
    else {
        return Ok(false);
    };
    Ok(file.metadata()?.len() == due.bytes && hash(&mut file)? == due.hash)
}

fn is_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn hash(bytes: &mut impl Read) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    io::copy(bytes, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, io::Write};

    use marsad_shared::{exchange::State, id::ExchangeId, store::Store};

    use super::*;

    const DOCUMENT: &[u8] = b"<order/>";

    struct Bench {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(&folder.path().join("state")).unwrap();
            fs::create_dir(folder.path().join("out")).unwrap();
            let mut original = store.originals.incoming().unwrap();
            original.write_all(DOCUMENT).unwrap();
            original.keep().unwrap();
            Self { folder, store }
        }

        fn out(&self) -> PathBuf {
            self.folder.path().join("out")
        }

        /// What is due: one document under one name, whichever exchange it is.
        fn due(number: i64) -> Due {
            Due {
                id: ExchangeId(number),
                state: State::Pending,
                attempts: 1,
                deadline_at: None,
                idempotency_key: format!("key-{number}"),
                name: "a.xml".to_owned(),
                hash: blake3::hash(DOCUMENT).to_hex().to_string(),
                bytes: DOCUMENT.len() as u64,
                target: None,
            }
        }

        /// Puts it in place; `aim` fails as a kill would, if it is `killed`.
        fn put(&self, due: &mut Due, killed: bool) -> Result<(), Fault> {
            let target = RefCell::new(due.target.clone());
            let put = put(&self.store.originals, &self.out(), due, |name| {
                *target.borrow_mut() = Some(name.to_owned());
                if killed { Err(StoreError::Closed) } else { Ok(()) }
            });
            due.target = target.into_inner();
            put
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(self.out()).unwrap();
            let mut names: Vec<_> = entries
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn an_exchange_of_the_same_name_and_content_is_another_one() {
        let bench = Bench::new();
        let (mut first, mut second) = (Bench::due(1), Bench::due(2));
        bench.put(&mut first, true).unwrap_err();
        assert_eq!(bench.files(), [".key-1.part"], "killed before it was in place");
        bench.put(&mut second, false).unwrap();
        assert_eq!(bench.files(), [".key-1.part", "a.xml"]);
        assert!(!is_placed(&bench.out(), &first).unwrap(), "that one is not its own");
        bench.put(&mut first, false).unwrap();
        assert_eq!(bench.files(), ["a.xml", "x1-a.xml"], "both arrive");
    }

    #[test]
    fn what_is_in_place_is_not_put_there_twice() {
        let bench = Bench::new();
        let mut due = Bench::due(1);
        assert!(!is_placed(&bench.out(), &due).unwrap(), "never tried");
        bench.put(&mut due, false).unwrap();
        assert!(is_placed(&bench.out(), &due).unwrap(), "whoever was killed behind it");
        bench.put(&mut due, false).unwrap();
        assert_eq!(bench.files(), ["a.xml"]);
        fs::remove_file(bench.out().join("a.xml")).unwrap();
        assert!(!is_placed(&bench.out(), &due).unwrap(), "at least once: nobody can say");
    }

    #[test]
    fn a_name_that_is_taken_is_never_taken_again() {
        let bench = Bench::new();
        let temporary = bench.out().join("new");
        fs::write(&temporary, "new").unwrap();
        for (name, taken) in [("a.xml", false), ("a.xml", true)] {
            let renamed = rename_new(&temporary, &bench.out().join(name));
            assert_eq!(renamed.is_err(), taken);
            fs::write(&temporary, "another").unwrap();
        }
        assert_eq!(fs::read_to_string(bench.out().join("a.xml")).unwrap(), "new");
        for _ in 0..2 {
            let mut due = Bench::due(1);
            bench.put(&mut due, false).unwrap();
        }
        assert_eq!(bench.files(), ["a.xml", "key-1-a.xml", "new", "x1-a.xml"]);
    }
}

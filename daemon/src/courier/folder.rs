//! Handing a document over through a partner's folder: a temporary name, synced, then renamed, so that the partner never
//! sees half of it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use marsad_shared::{
    connection::Folder,
    exchange::Event,
    health::PollResult,
    store::{Originals, ledger::Due},
};

use super::Answer;
use crate::services::Services;

/// One attempt.
pub(super) async fn deliver(services: &Services, folder: &Folder, due: &Due) -> Answer {
    let Some(export) = folder.export.clone() else {
        return Answer::local(
            "the connection no longer has an `export` folder; mend it, or cancel the exchange",
        );
    };
    let (originals, due) = (services.store.originals.clone(), due.clone());
    let put = tokio::task::spawn_blocking(move || {
        put(&originals, &export, &due).map_err(|error| (export, error))
    });
    match put.await {
        Ok(Ok(())) => {
            let health = Some(PollResult::Ok { near_limit: false });
            Answer { health, ..Answer::new(Event::Accepted, None, None) }
        }
        Ok(Err((export, error))) => Answer::local(format!(
            "cannot write to {} ({error}); make it, free some space, or let marsadd write it",
            export.display()
        )),
        Err(_) => Answer::local("the file could not be written; report this"),
    }
}

/// Whether the document is in place, after an attempt whose end nobody saw.
pub(super) async fn ask(folder: &Folder, due: &Due) -> Answer {
    let Some(export) = folder.export.clone() else {
        return Answer::unsure(None, "the connection no longer has an `export` folder; mend it");
    };
    let due = due.clone();
    let found =
        tokio::task::spawn_blocking(move || find(&export, &due).map(|found| found.is_some()));
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

fn put(originals: &Originals, export: &Path, due: &Due) -> io::Result<()> {
    // Tried before: it may be in place already. A first attempt never takes another exchange's file for its own.
    if due.attempts > 0 && find(export, due)?.is_some() {
        return Ok(());
    }
    let temporary = export.join(format!(".{}.part", due.idempotency_key));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    let mut original = originals.open(&due.hash).map_err(io::Error::other)?;
    io::copy(&mut original, &mut file)?;
    // The partner's program runs as another user: the folder's group may read what is put there for it.
    file.set_permissions(fs::Permissions::from_mode(0o640))?;
    file.sync_all()?;
    let to = free_name(export, due).ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(&temporary, to)?;
    File::open(export)?.sync_all()
}

/// The names that an exchange may have: its document's, or that behind its own id.
fn names(export: &Path, due: &Due) -> [PathBuf; 2] {
    // A name is one part of a path, whatever somebody sent.
    let name = Path::new(&due.name)
        .file_name()
        .map_or_else(|| due.id.to_string(), |name| name.to_string_lossy().into_owned());
    [export.join(&name), export.join(format!("{}-{name}", due.id))]
}

fn free_name(export: &Path, due: &Due) -> Option<PathBuf> {
    names(export, due).into_iter().find(|path| fs::symlink_metadata(path).is_err())
}

/// Where the document stands, if it does.
fn find(export: &Path, due: &Due) -> io::Result<Option<PathBuf>> {
    fs::metadata(export)?;
    for path in names(export, due) {
        let Ok(mut file) = File::open(&path) else { continue };
        if file.metadata()?.len() == due.bytes && hash(&mut file)? == due.hash {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn hash(bytes: &mut impl Read) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    io::copy(bytes, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}

//! One look through a folder, and what the system tells of it meanwhile. On a network folder all of it may hang.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, ModifyKind, RenameMode},
};
use tokio::sync::mpsc;

use super::{Stamp, is_unfinished, marker::Changed};

/// What the system said.
#[derive(Debug)]
pub(super) enum Hint {
    Touched(OsString),
    Arrived(OsString),
    Rescan,
}

/// What a look through a folder brought.
pub(super) struct Looked {
    /// What tells of changes from before the look on; `None`: something did already.
    pub(super) watcher: Option<notify::Result<RecommendedWatcher>>,
    pub(super) listed: Listed,
}

/// A folder, looked through.
pub(super) struct Listed {
    pub(super) identity: (u64, u64),
    pub(super) files: HashMap<OsString, Entry>,
}

/// A file of it.
pub(super) struct Entry {
    pub(super) stamp: Stamp,
    pub(super) changed: Changed,
    /// Whether it is a file of its own: a link marks nothing.
    pub(super) is_plain: bool,
}

/// Has the system tell of changes.
pub(super) fn watch(
    folder: &Path,
    sender: mpsc::Sender<Hint>,
    missed: Arc<AtomicBool>,
) -> notify::Result<RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        for hint in hints_of(event) {
            if sender.try_send(hint).is_err() {
                missed.store(true, Ordering::Relaxed);
                break;
            }
        }
    };
    let mut watcher = notify::recommended_watcher(tell)?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// The files of a folder, as they are now.
pub(super) fn list(folder: &Path) -> io::Result<Listed> {
    let about = fs::metadata(folder)?;
    let mut files = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Gone since the folder was listed: nothing to wait for.
        let Ok(about) = entry.metadata() else { continue };
        if !about.is_dir() && !is_unfinished(&entry.file_name()) {
            let (stamp, changed) = (Stamp::of(&about), Changed::of(&about));
            let found = Entry { stamp, changed, is_plain: about.is_file() };
            files.insert(entry.file_name(), found);
        }
    }
    Ok(Listed { identity: (about.dev(), about.ino()), files })
}

fn hints_of(event: notify::Result<notify::Event>) -> Vec<Hint> {
    let Ok(event) = event else { return vec![Hint::Rescan] };
    if event.need_rescan() {
        return vec![Hint::Rescan];
    }
    let names = |paths: &[PathBuf]| -> Vec<OsString> {
        paths
            .iter()
            .filter_map(|path| path.file_name())
            .filter(|name| !is_unfinished(name))
            .map(OsStr::to_owned)
            .collect()
    };
    match event.kind {
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
            names(&event.paths).into_iter().map(Hint::Arrived).collect()
        }
        // Told again as one `To` each.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both))
        | EventKind::Access(AccessKind::Open(_)) => Vec::new(),
        _ => names(&event.paths).into_iter().map(Hint::Touched).collect(),
    }
}

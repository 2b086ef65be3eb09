//! Where files go that are dealt with: into `done/` or `held/` beside them, and never in another one's place.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::{
        ffi::OsStrExt,
        fs::{OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use tracing::warn;

use super::{Marker, Stamp, Taken};

/// What stands behind the name of a held file in the name of its reason.
const REASON: &str = ".reason.txt";
/// The longest name of a file, in bytes, with room for `.reason.txt` behind it.
const NAME_MAX: usize = 240;

/// Moves a file that is dealt with out of the way: to `done`, or to `held` with the reason beside it.
pub fn settle(path: &Path, stamp: Stamp, held: Option<&str>) -> io::Result<()> {
    let Some(reason) = held else { return put_away(path, "done", stamp).map(drop) };
    let Some(to) = put_away(path, "held", stamp)? else { return Ok(()) };
    let mut beside = to.into_os_string();
    beside.push(REASON);
    // Never through a link that somebody put there.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(beside)?;
    writeln!(file, "{reason}")
}

/// Moves files of one folder that are dealt with to `done`, in their order; what could not be moved stays, each with why.
pub fn settle_all(files: &[(PathBuf, Stamp)]) -> Vec<(PathBuf, Stamp, io::Error)> {
    let Some((first, _)) = files.first() else { return Vec::new() };
    let folder = first.parent().unwrap_or(Path::new("."));
    let done = folder.join("done");
    let opened = open(&done).map_err(|error| error.to_string());
    let mut left = Vec::new();
    for (path, stamp) in files {
        let opened = opened.clone().map_err(io::Error::other);
        if let Err(error) = opened.and_then(|()| rename_into(path, &done, *stamp)) {
            left.push((path.clone(), *stamp, error));
        }
    }
    if left.len() < files.len() {
        sync([folder, &done]);
    }
    left
}

/// Moves the marker of a file that was dealt with to where that went, unless another file still needs it.
pub fn settle_marker(marker: &Marker, path: &Path, held: bool) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let Some(beside) = marker.of(folder, name) else { return Ok(()) };
    if marker.is_shared(&beside, name) {
        return Ok(());
    }
    let stamp = Stamp::of(&fs::symlink_metadata(&beside)?);
    put_away(&beside, if held { "held" } else { "done" }, stamp).map(drop)
}

/// Another name for a file whose own is taken, no longer than a name may be.
fn numbered(name: &OsStr, turn: u32) -> OsString {
    let prefix = format!("{turn}-");
    let bytes = name.as_bytes();
    // The end tells what it is.
    let from = bytes.len().saturating_sub(NAME_MAX - prefix.len());
    let mut other = OsString::from(prefix);
    other.push(OsStr::from_bytes(bytes.get(from..).unwrap_or_default()));
    other
}

/// Moves the file that is `stamp` into the folder `kind` beside it (`done`, `held`), under a name that is free there, and
/// syncs both folders. Gives where it is now; `None` if another file has taken its place meanwhile: that one stays where
/// it is, and is a file of its own.
fn put_away(path: &Path, kind: &str, stamp: Stamp) -> io::Result<Option<PathBuf>> {
    move_into(path, &path.parent().unwrap_or(Path::new(".")).join(kind), stamp)
}

/// Moves out of `held/` of the folder `import` every file of that content, which is dealt with now, into `done/`, each with
/// its marker; the reason beside it goes.
pub fn free(import: &Path, hash: &str, bytes: u64, marker: Option<&Marker>) -> io::Result<()> {
    let (held, done) = (import.join("held"), import.join("done"));
    let entries = match fs::read_dir(&held) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(mut taken) = Taken::open(&path) else { continue };
        if taken.bytes != bytes {
            continue;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut taken.file)?;
        if hasher.finalize().to_hex().as_str() != hash || !taken.is_unchanged(&path) {
            continue;
        }
        let name = entry.file_name();
        let beside = marker.and_then(|marker| {
            marker.of(&held, &name).filter(|path| !marker.is_shared(path, &name))
        });
        if move_into(&path, &done, taken.stamp)?.is_none() {
            continue;
        }
        if let Some(beside) = beside {
            move_into(&beside, &done, Stamp::of(&fs::symlink_metadata(&beside)?))?;
        }
        let mut reason = path.into_os_string();
        reason.push(REASON);
        match fs::remove_file(reason) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// As [`put_away`], into the folder `target`.
fn move_into(path: &Path, target: &Path, stamp: Stamp) -> io::Result<Option<PathBuf>> {
    open(target)?;
    let moved = rename_into(path, target, stamp)?;
    if moved.is_some() {
        sync([path.parent().unwrap_or(Path::new(".")), target]);
    }
    Ok(moved)
}

fn sync(folders: [&Path; 2]) {
    for folder in folders {
        if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
            // The move stands; at worst it is made again after a power cut.
            warn!(folder = %folder.display(), %error, "a folder could not be synced");
        }
    }
}

/// Sees to it that there is a folder `target` to put files away in.
fn open(target: &Path) -> io::Result<()> {
    if fs::symlink_metadata(target).is_err() {
        fs::create_dir(target)?;
        // Whatever the daemon's mask: operators, who are of its group, look at what is held.
        fs::set_permissions(target, fs::Permissions::from_mode(0o750))?;
    }
    if !fs::symlink_metadata(target)?.is_dir() {
        // A link would lead what is put away to wherever somebody likes.
        return Err(io::Error::other(format!("{} is no folder; remove it", target.display())));
    }
    Ok(())
}

/// Moves a file into the folder `target`, as [`put_away`]; nothing is synced.
fn rename_into(path: &Path, target: &Path, stamp: Stamp) -> io::Result<Option<PathBuf>> {
    let name = path.file_name().unwrap_or_default();
    let mut to = target.join(name);
    let mut turn = 1;
    while fs::symlink_metadata(&to).is_ok() {
        turn += 1;
        to = target.join(numbered(name, turn));
    }
    fs::rename(path, &to)?;
    // Looked at after the move: nobody can replace it any more.
    if Stamp::of(&fs::symlink_metadata(&to)?) != stamp {
        fs::hard_link(&to, path)?;
        fs::remove_file(&to)?;
        return Ok(None);
    }
    Ok(Some(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_put_away_never_takes_another_ones_place() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a.csv");
        for content in ["one", "two"] {
            fs::write(&path, content).unwrap();
            let stamp = Stamp::of(&fs::metadata(&path).unwrap());
            put_away(&path, "done", stamp).unwrap().unwrap();
        }
        let read = |name: &str| fs::read_to_string(temp.path().join("done").join(name)).unwrap();
        assert_eq!((read("a.csv"), read("2-a.csv")), ("one".to_owned(), "two".to_owned()));
    }

    #[test]
    fn many_are_put_away_as_each_would_be() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        let files: Vec<_> = ["a.csv", "b.csv", "c.csv"]
            .into_iter()
            .map(|name| {
                fs::write(path(name), name).unwrap();
                (path(name), Stamp::of(&fs::metadata(path(name)).unwrap()))
            })
            .collect();
        fs::remove_file(path("a.csv")).unwrap();
        fs::write(path("new"), "not read yet").unwrap();
        fs::rename(path("new"), path("b.csv")).unwrap();
        let left = settle_all(&files);
        assert_eq!(left.iter().map(|(path, ..)| path).collect::<Vec<_>>(), [&path("a.csv")]);
        assert_eq!(fs::read_to_string(path("b.csv")).unwrap(), "not read yet");
        assert!(path("done/c.csv").exists() && !path("c.csv").exists());
    }

    #[test]
    fn a_file_that_took_the_place_of_another_is_not_put_away_for_it() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a.csv");
        fs::write(&path, "read").unwrap();
        let stamp = Stamp::of(&fs::metadata(&path).unwrap());
        fs::write(temp.path().join("new"), "not read yet").unwrap();
        fs::rename(temp.path().join("new"), &path).unwrap();
        assert_eq!(put_away(&path, "done", stamp).unwrap(), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), "not read yet");
        assert_eq!(fs::read_dir(temp.path().join("done")).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_dealt_with_after_all_leaves_held_with_what_stands_beside_it() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        free(temp.path(), "ab", 1, None).unwrap();
        let marker = Marker::new(".done");
        for (name, content) in [("a.csv", "same"), ("b.csv", "like"), ("c.csv", "same")] {
            fs::write(path(name), content).unwrap();
            let stamp = Stamp::of(&fs::metadata(path(name)).unwrap());
            settle(&path(name), stamp, Some("why")).unwrap();
        }
        fs::write(path("held/a.csv.done"), "").unwrap();
        let hash = blake3::hash(b"same").to_hex();
        free(temp.path(), &hash, 4, Some(&marker)).unwrap();
        for (name, there) in [
            ("done/a.csv", true),
            ("done/a.csv.done", true),
            ("done/c.csv", true),
            ("held/a.csv.reason.txt", false),
            ("held/c.csv", false),
            ("held/b.csv", true),
            ("held/b.csv.reason.txt", true),
        ] {
            assert_eq!(path(name).exists(), there, "{name}");
        }
    }

    #[test]
    fn a_marker_goes_with_the_last_file_that_it_is_for() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        for name in ["a.csv", "a.xml", "a.done"] {
            fs::write(path(name), name).unwrap();
        }
        let marker = Marker::new(".done");
        for (name, held, left) in [("a.csv", false, true), ("a.xml", true, false)] {
            let stamp = Stamp::of(&fs::metadata(path(name)).unwrap());
            settle(&path(name), stamp, held.then_some("why")).unwrap();
            settle_marker(&marker, &path(name), held).unwrap();
            assert_eq!(path("a.done").exists(), left, "{name}");
        }
        assert!(path("held/a.done").exists());
    }
}

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

use marsad_shared::untrusted::show;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
};
use tracing::warn;

use super::{Marker, Stamp, Taken};

/// What stands behind the name of a held file in the name of its reason.
const REASON: &str = ".reason.txt";
/// The longest name of a file, in bytes, with room for `.reason.txt` behind it.
const NAME_MAX: usize = 240;
/// So many files of one name there may be in a folder.
const TURNS: u32 = 1_000_000;
/// Why a file is held that nobody read.
const REPLACED: &str = "another file of this name took its place before it was read; if it is needed, put it into the folder again";

/// Moves a file that is dealt with out of the way: to `done`, or to `held` with the reason beside it.
pub fn settle(path: &Path, stamp: Stamp, held: Option<&str>) -> io::Result<()> {
    match held {
        None => put_away(path, "done", stamp).map(drop),
        Some(reason) => {
            hold(path, &path.parent().unwrap_or(Path::new(".")).join("held"), stamp, reason)
        }
    }
}

/// Moves a file into the folder `held`, with the reason beside it. That stands there first, so that no file is ever found
/// without one.
fn hold(path: &Path, held: &Path, stamp: Stamp, reason: &str) -> io::Result<()> {
    open(held)?;
    let beside = |to: &Path| {
        let mut beside = to.as_os_str().to_owned();
        beside.push(REASON);
        PathBuf::from(beside)
    };
    let is_free =
        |to: &PathBuf| [to, &beside(to)].iter().all(|path| fs::symlink_metadata(path).is_err());
    let Some(to) = names(path, held).find(is_free) else { return Err(crowded(held)) };
    let beside = beside(&to);
    // Never through a link that somebody put there.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&beside)?;
    let moved = writeln!(file, "{reason}").and_then(|()| carry(path, &to, stamp));
    if !matches!(moved, Ok(true)) {
        fs::remove_file(&beside)?;
    }
    sync([path.parent().unwrap_or(Path::new(".")), held]);
    moved.map(drop)
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

/// Where a file may go in the folder `target`: by its own name, or where that is taken with a number before it, no longer
/// than a name may be.
fn names<'p>(path: &'p Path, target: &'p Path) -> impl Iterator<Item = PathBuf> + use<'p> {
    let name = path.file_name().unwrap_or_default();
    let numbered = move |turn: u32| {
        let prefix = format!("{turn}-");
        let bytes = name.as_bytes();
        // The end tells what it is.
        let from = bytes.len().saturating_sub(NAME_MAX - prefix.len());
        let mut other = OsString::from(prefix);
        other.push(OsStr::from_bytes(bytes.get(from..).unwrap_or_default()));
        target.join(other)
    };
    std::iter::once(target.join(name)).chain((2..TURNS).map(numbered))
}

fn crowded(folder: &Path) -> io::Error {
    io::Error::other(format!(
        "{} has too many files of that name; take old ones away",
        folder.display()
    ))
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
    for to in names(path, target) {
        match carry(path, &to, stamp) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            carried => return Ok(carried?.then_some(to)),
        }
    }
    Err(crowded(target))
}

/// Moves the file that is `stamp` from `path` to `to`; `false`: as [`has_come`].
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if `to` is taken; whatever moving a file can fail with.
fn carry(path: &Path, to: &Path, stamp: Stamp) -> io::Result<bool> {
    rename_new(path, to)?;
    has_come(path, to, stamp)
}

/// Whether what was moved from `path` to `to`, where nobody can replace it any more, is `stamp`. Another one that had taken
/// its place is put back, and if yet another one stands there by now, it is held.
fn has_come(path: &Path, to: &Path, stamp: Stamp) -> io::Result<bool> {
    let is = Stamp::of(&fs::symlink_metadata(to)?);
    if is == stamp {
        return Ok(true);
    }
    match put_back(to, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let held = path.parent().unwrap_or(Path::new(".")).join("held");
            warn!(file = %show(&path.to_string_lossy()), "it was replaced twice while it was moved; the second one is held, unread");
            hold(to, &held, is, REPLACED)?;
        }
        back => back?,
    }
    Ok(false)
}

/// Renames a file to where others put theirs.
fn put_back(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // A network folder may not know how.
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}

/// Renames a file to a name that is free, in a folder of ours.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // A network folder may not know how; there, nobody else moves anything to where we do.
        Err(Errno::EINVAL | Errno::ENOSYS) if fs::symlink_metadata(to).is_ok() => {
            Err(io::ErrorKind::AlreadyExists.into())
        }
        Err(Errno::EINVAL | Errno::ENOSYS) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
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
    fn a_file_that_was_replaced_twice_is_lost_by_nobody() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        fs::write(path("a.csv"), "read").unwrap();
        let stamp = Stamp::of(&fs::metadata(path("a.csv")).unwrap());
        // The second one was moved for the first, and the third stands where it was.
        fs::create_dir(path("done")).unwrap();
        fs::write(path("new"), "second").unwrap();
        fs::rename(path("new"), path("a.csv")).unwrap();
        rename_new(&path("a.csv"), &path("done/a.csv")).unwrap();
        fs::write(path("a.csv"), "third").unwrap();
        assert!(!has_come(&path("a.csv"), &path("done/a.csv"), stamp).unwrap());
        let read = |name: &str| fs::read_to_string(path(name)).unwrap();
        assert_eq!((read("a.csv"), read("held/a.csv")), ("third".to_owned(), "second".to_owned()));
        assert!(read("held/a.csv.reason.txt").contains("took its place"));
        assert!(!path("done/a.csv").exists());
    }

    #[test]
    fn a_held_file_takes_no_place_and_no_reason_of_another() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        fs::create_dir(path("held")).unwrap();
        // A reason whose file never came, as after a kill; and a file that is called as a reason is.
        for name in ["held/a.csv.reason.txt", "held/b.csv"] {
            fs::write(path(name), "before").unwrap();
        }
        for name in ["a.csv", "b.csv", "c.csv.reason.txt", "c.csv"] {
            fs::write(path(name), name).unwrap();
            let stamp = Stamp::of(&fs::metadata(path(name)).unwrap());
            settle(&path(name), stamp, Some("why")).unwrap();
        }
        let read = |name: &str| fs::read_to_string(path("held").join(name)).unwrap();
        for (name, content) in [
            ("a.csv.reason.txt", "before"),
            ("2-a.csv", "a.csv"),
            ("2-a.csv.reason.txt", "why\n"),
            ("b.csv", "before"),
            ("2-b.csv", "b.csv"),
            ("c.csv.reason.txt", "c.csv.reason.txt"),
            ("c.csv.reason.txt.reason.txt", "why\n"),
            ("2-c.csv", "c.csv"),
        ] {
            assert_eq!(read(name), content, "{name}");
        }
        // What cannot be moved leaves no reason either.
        let gone = Stamp::of(&fs::metadata(path("held/b.csv")).unwrap());
        assert!(settle(&path("gone.csv"), gone, Some("why")).is_err());
        assert!(!path("held/gone.csv.reason.txt").exists());
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

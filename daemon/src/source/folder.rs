//! Files that are complete: which of a folder's files may be taken, and taking them safely.
//!
//! A file is complete once it was renamed in, or has been still for `settle`. What the system tells of changes is a
//! hint that makes this quick; a scan every few seconds makes it certain (notify's queue can overflow).

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write as _},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{ModifyKind, RenameMode},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tracing::{debug, warn};

/// The largest file that is taken from a folder or put into one, in bytes.
pub const FILE_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Hints that may wait; more are forgotten, and a scan takes their place.
const HINTS: usize = 4_096;
/// From one scan to the next, where the system tells of changes.
const SCAN: Duration = Duration::from_secs(10);
/// The same where it does not.
const SCAN_BLIND: Duration = Duration::from_secs(1);
/// Beginnings and endings of names that programs give to what they have not finished (security T8).
const UNFINISHED: ([&str; 3], [&str; 4]) =
    ([".", "~$", "_tmp_"], [".part", ".tmp", ".filepart", ".crdownload"]);

/// The longest name of a file, in bytes, with room for `.reason.txt` behind it.
const NAME_MAX: usize = 240;

/// What tells a file that has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    modified_ns: i128,
}

impl Stamp {
    pub fn of(about: &Metadata) -> Self {
        let modified_ns =
            i128::from(about.mtime()) * 1_000_000_000 + i128::from(about.mtime_nsec());
        Self { inode: about.ino(), size: about.size(), modified_ns }
    }

    /// Its length, in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Inode and time of change as one text: which of all files of this name it is.
    pub fn identity(&self) -> String {
        format!("{}:{}:{}", self.inode, self.size, self.modified_ns)
    }
}

/// Which files of a folder wait, and which are complete. Pure: the caller passes the time.
#[derive(Debug)]
struct Waiting {
    settle: Duration,
    files: HashMap<OsString, (Stamp, Instant)>,
}

impl Waiting {
    /// A file is there, as it is now.
    fn see(&mut self, name: &OsStr, stamp: Stamp, now: Instant) {
        let same = self.files.get(name).is_some_and(|(known, _)| *known == stamp);
        if !same {
            self.files.insert(name.to_owned(), (stamp, now));
        }
    }

    /// A file was renamed in: complete as it is.
    fn arrive(&mut self, name: &OsStr, stamp: Stamp, now: Instant) {
        let since = now.checked_sub(self.settle).unwrap_or(now);
        self.files.insert(name.to_owned(), (stamp, since));
    }

    /// When the next file will have been still for long enough.
    fn next_at(&self) -> Option<Instant> {
        self.files.values().map(|(_, since)| *since + self.settle).min()
    }

    /// Files that have been still for long enough, oldest first; each leaves the list.
    fn take(&mut self, now: Instant) -> Vec<(OsString, Stamp)> {
        let mut ready: Vec<_> = self
            .files
            .iter()
            .filter(|(_, (_, since))| *since + self.settle <= now)
            .map(|(name, (stamp, _))| (name.clone(), *stamp))
            .collect();
        ready.sort_by(|(a, x), (b, y)| (x.modified_ns, a).cmp(&(y.modified_ns, b)));
        for (name, _) in &ready {
            self.files.remove(name);
        }
        ready
    }
}

/// What the system said.
#[derive(Debug)]
enum Hint {
    Touched(OsString),
    Arrived(OsString),
    Rescan,
}

/// What a folder has for us.
#[derive(Debug)]
pub enum News {
    /// A file that seems complete. It may be gone or changed when it is taken.
    Complete(PathBuf),
    /// The folder was scanned; good news for its health.
    Scanned,
    /// The folder cannot be read.
    Unreadable(io::Error),
}

/// A folder under watch.
pub struct Watch {
    folder: PathBuf,
    waiting: Waiting,
    ready: Vec<PathBuf>,
    hints: mpsc::Receiver<Hint>,
    sender: mpsc::Sender<Hint>,
    watcher: Option<RecommendedWatcher>,
    scan_at: Instant,
}

impl Watch {
    /// Watches `folder`, whose files are complete when still for `settle`.
    pub fn new(folder: PathBuf, settle: Duration) -> Self {
        let (sender, hints) = mpsc::channel(HINTS);
        let waiting = Waiting { settle, files: HashMap::new() };
        Self {
            folder,
            waiting,
            ready: Vec::new(),
            hints,
            sender,
            watcher: None,
            scan_at: Instant::now(),
        }
    }

    /// The next thing to know. Cancel safe.
    pub async fn next(&mut self) -> News {
        loop {
            if let Some(path) = self.ready.pop() {
                return News::Complete(path);
            }
            let now = Instant::now();
            let complete = self.waiting.take(now);
            if !complete.is_empty() {
                // The stack gives the oldest first.
                self.ready =
                    complete.into_iter().rev().map(|(name, _)| self.folder.join(name)).collect();
                continue;
            }
            if now >= self.scan_at {
                return self.scan(now).await;
            }
            let wake = self.waiting.next_at().map_or(self.scan_at, |at| at.min(self.scan_at));
            let hint = tokio::select! {
                Some(hint) = self.hints.recv() => hint,
                () = sleep_until(wake) => continue,
            };
            self.hear(hint);
        }
    }

    fn hear(&mut self, hint: Hint) {
        let now = Instant::now();
        match hint {
            Hint::Rescan => self.scan_at = now,
            Hint::Touched(name) => {
                self.look(&name, |waiting, name, stamp| waiting.see(name, stamp, now));
            }
            Hint::Arrived(name) => {
                self.look(&name, |waiting, name, stamp| waiting.arrive(name, stamp, now));
            }
        }
    }

    fn look(&mut self, name: &OsStr, note: impl FnOnce(&mut Waiting, &OsStr, Stamp)) {
        match fs::symlink_metadata(self.folder.join(name)) {
            Ok(about) if !about.is_dir() => note(&mut self.waiting, name, Stamp::of(&about)),
            _ => {
                self.waiting.files.remove(name);
            }
        }
    }

    /// Looks through the folder soon, whatever the system told.
    pub fn rescan(&mut self) {
        self.scan_at = Instant::now();
    }

    async fn scan(&mut self, now: Instant) -> News {
        if self.watcher.is_none() {
            self.watcher = self.watch();
        }
        let folder = self.folder.clone();
        // On a thread that may block: a network folder that hangs must hold up nobody else.
        let listed = tokio::task::spawn_blocking(move || list(&folder)).await;
        self.scan_at = now + if self.watcher.is_some() { SCAN } else { SCAN_BLIND };
        match listed.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())) {
            Ok(there) => {
                self.waiting.files.retain(|name, _| there.contains_key(name));
                for (name, stamp) in there {
                    self.waiting.see(&name, stamp, now);
                }
                News::Scanned
            }
            Err(error) => {
                // A folder that went away took its watch with it.
                self.watcher = None;
                self.scan_at = now + SCAN_BLIND;
                News::Unreadable(error)
            }
        }
    }

    fn watch(&self) -> Option<RecommendedWatcher> {
        let sender = self.sender.clone();
        let tell = move |event: notify::Result<notify::Event>| {
            for hint in hints_of(event) {
                // Full: what is forgotten here is found by the next scan.
                if sender.try_send(hint).is_err() {
                    break;
                }
            }
        };
        let watcher = notify::recommended_watcher(tell).and_then(|mut watcher| {
            watcher.watch(&self.folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        watcher
            .inspect_err(|error| debug!(folder = %self.folder.display(), %error, "no watch; scanning instead"))
            .ok()
    }
}

/// The files of a folder, as they are now.
fn list(folder: &Path) -> io::Result<HashMap<OsString, Stamp>> {
    let mut there = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Gone since the folder was listed: nothing to wait for.
        let Ok(about) = entry.metadata() else { continue };
        if !about.is_dir() && !is_unfinished(&entry.file_name()) {
            there.insert(entry.file_name(), Stamp::of(&about));
        }
    }
    Ok(there)
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
        | EventKind::Access(notify::event::AccessKind::Open(_)) => Vec::new(),
        _ => names(&event.paths).into_iter().map(Hint::Touched).collect(),
    }
}

/// Whether programs use such names for what they have not finished.
pub fn is_unfinished(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    UNFINISHED.0.iter().any(|start| name.starts_with(start))
        || UNFINISHED.1.iter().any(|end| name.ends_with(end))
}

/// Why a file cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// Gone, or still being written: it will be seen again if it is there.
    #[error("the file changed while it was read")]
    PutOff,
    /// A link, a device, a file with other names: never read (security T7).
    #[error("it is {0}, not a regular file of its own; copy the content here")]
    Odd(&'static str),
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
}

/// An open file of a folder, with what it was when it was opened.
#[derive(Debug)]
pub struct Taken {
    pub file: File,
    pub stamp: Stamp,
    pub bytes: u64,
}

impl Taken {
    /// Opens `path`, which must be a regular file without other names.
    pub fn open(path: &Path) -> Result<Self, TakeError> {
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(TakeError::PutOff),
            Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => {
                return Err(TakeError::Odd("a link"));
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::ENXIO) => {
                return Err(TakeError::Odd("a socket or pipe"));
            }
            Err(error) => return Err(TakeError::Unreadable(error)),
        };
        let about = file.metadata().map_err(TakeError::Unreadable)?;
        if !about.is_file() {
            return Err(TakeError::Odd("a pipe, socket or device"));
        }
        if about.nlink() > 1 {
            return Err(TakeError::Odd("a file with other names (hard links)"));
        }
        Ok(Self { file, stamp: Stamp::of(&about), bytes: about.len() })
    }

    /// Whether it is still what it was when it was opened, and still what stands at `path`.
    pub fn is_unchanged(&self, path: &Path) -> bool {
        let same =
            |about: io::Result<Metadata>| about.is_ok_and(|about| Stamp::of(&about) == self.stamp);
        same(self.file.metadata()) && same(fs::symlink_metadata(path))
    }
}

/// Moves a file that is dealt with out of the way: to `done`, or to `held` with the reason beside it.
pub fn settle(path: &Path, stamp: Stamp, held: Option<&str>) -> io::Result<()> {
    let Some(reason) = held else { return put_away(path, "done", stamp).map(drop) };
    let Some(to) = put_away(path, "held", stamp)? else { return Ok(()) };
    let mut beside = to.into_os_string();
    beside.push(".reason.txt");
    // Never through a link that somebody put there.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(beside)?;
    writeln!(file, "{reason}")
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
    let (folder, name) =
        (path.parent().unwrap_or(Path::new(".")), path.file_name().unwrap_or_default());
    let target = folder.join(kind);
    if fs::symlink_metadata(&target).is_err() {
        fs::create_dir(&target)?;
        // Whatever the daemon's mask: operators, who are of its group, look at what is held.
        fs::set_permissions(&target, fs::Permissions::from_mode(0o750))?;
    }
    if !fs::symlink_metadata(&target)?.is_dir() {
        // A link would lead what is put away to wherever somebody likes.
        return Err(io::Error::other(format!("{} is no folder; remove it", target.display())));
    }
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
    for folder in [folder, &target] {
        if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
            // The move stands; at worst it is made again after a power cut.
            warn!(folder = %folder.display(), %error, "a folder could not be synced");
        }
    }
    Ok(Some(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(size: u64) -> Stamp {
        Stamp { inode: 1, size, modified_ns: 0 }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_complete_when_it_has_been_still_or_was_renamed_in() {
        let settle = Duration::from_secs(5);
        let mut waiting = Waiting { settle, files: HashMap::new() };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        waiting.see("slow.csv".as_ref(), stamp(1), at(0));
        waiting.see("slow.csv".as_ref(), stamp(2), at(4));
        waiting.see("slow.csv".as_ref(), stamp(2), at(6));
        assert_eq!(waiting.next_at(), Some(at(9)), "counted from its last change");
        assert!(waiting.take(at(8)).is_empty());
        waiting.arrive("whole.csv".as_ref(), stamp(3), at(8));
        assert_eq!(waiting.take(at(8)).len(), 1, "renamed in: at once");
        assert_eq!(waiting.take(at(9)).len(), 1);
        assert!(waiting.take(at(99)).is_empty(), "each is given once");
    }

    #[test]
    fn what_is_being_written_is_known_by_its_name() {
        for (name, unfinished) in [
            ("a.csv", false),
            (".a.csv", true),
            ("a.csv.part", true),
            ("~$a.xlsx", true),
            ("a.tmp", true),
            ("قيد.csv", false),
        ] {
            assert_eq!(is_unfinished(OsStr::new(name)), unfinished, "{name}");
        }
    }

    #[test]
    fn links_and_pipes_are_never_read() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        fs::write(path("real"), b"x").unwrap();
        assert!(Taken::open(&path("real")).is_ok());
        std::os::unix::fs::symlink(path("real"), path("link")).unwrap();
        assert!(matches!(Taken::open(&path("link")), Err(TakeError::Odd(_))));
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(Taken::open(&path("pipe")), Err(TakeError::Odd(_))));
        fs::hard_link(path("real"), path("twin")).unwrap();
        assert!(matches!(Taken::open(&path("twin")), Err(TakeError::Odd(_))));
        assert!(matches!(Taken::open(&path("gone")), Err(TakeError::PutOff)));
    }

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
}

//! A folder under watch: which of its files wait, and which are complete.
//!
//! A file is complete once it was renamed in, or has been still for `settle`; in a folder with markers once its marker is
//! there, and never without. One that was changed since its marker was put there has to be still too. What the system
//! tells of changes is a hint that makes this quick; a scan every few seconds makes it certain: a queue may overflow, and
//! of a network folder nobody tells what others do to it.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use marsad_shared::untrusted::show;
use notify::RecommendedWatcher;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep_until, timeout},
};
use tracing::{info, warn};

use super::{
    Stamp,
    look::{Entry, Hint, Listed, Looked, list, watch},
    marker::{Completed, Marker},
    waiting::Waiting,
};

/// Hints that may wait; where there are more, a scan takes their place, and nobody knows any more which files were renamed
/// in. As many as the largest bursts have, each a name.
const HINTS: usize = 65_536;
/// From one scan to the next, where the system tells of changes.
const SCAN: Duration = Duration::from_secs(10);
/// The same where it does not.
const SCAN_BLIND: Duration = Duration::from_secs(1);

/// So long a folder may take to answer before somebody is told, as a network folder may whose server is gone. It is waited for
/// all the same.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long a file may wait for its marker before somebody is told: until then both may still be on their way.
const UNMARKED: Duration = Duration::from_hours(1);

/// What is said where it does not.
const BLIND: &str =
    "the system cannot tell of changes here; the folder is looked through every second";

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
    marker: Option<Marker>,
    ready: Vec<PathBuf>,
    hints: mpsc::Receiver<Hint>,
    sender: mpsc::Sender<Hint>,
    /// There were more hints than could wait.
    missed: Arc<AtomicBool>,
    watcher: Option<RecommendedWatcher>,
    /// It was said that nobody tells of changes.
    is_blind: bool,
    /// Which folder it was when it was last looked through: device and inode.
    identity: Option<(u64, u64)>,
    scan_at: Instant,
    /// Files may be there that nobody told of, older than what is told of next.
    has_missed: bool,
    /// Files that have no marker, and since when that is known.
    unmarked: HashMap<OsString, Instant>,
    /// A look through it that is under way, on a thread that may hang: there is never more than one.
    looking: Option<JoinHandle<io::Result<Looked>>>,
}

impl Watch {
    /// Watches `folder`, whose files are complete when still for `settle`, or, if there are markers, with theirs.
    pub fn new(folder: PathBuf, settle: Duration, marker: Option<Marker>) -> Self {
        let (sender, hints) = mpsc::channel(HINTS);
        Self {
            folder,
            waiting: Waiting::new(settle),
            marker,
            ready: Vec::new(),
            hints,
            sender,
            missed: Arc::default(),
            watcher: None,
            is_blind: false,
            identity: None,
            scan_at: Instant::now(),
            has_missed: true,
            unmarked: HashMap::new(),
            looking: None,
        }
    }

    /// The next thing to know. Cancel safe.
    pub async fn next(&mut self) -> News {
        loop {
            if let Some(path) = self.ready.pop() {
                return News::Complete(path);
            }
            let now = Instant::now();
            if self.is_any_complete(now) {
                continue;
            }
            let missed = self.missed.swap(false, Ordering::Relaxed);
            self.has_missed |= missed;
            if missed || now >= self.scan_at {
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

    /// Further files that are complete by now, at most `most`, behind the one that was given last: in a burst they are many.
    pub fn more(&mut self, most: usize) -> Vec<PathBuf> {
        if self.ready.is_empty() {
            for _ in 0..HINTS {
                let Ok(hint) = self.hints.try_recv() else { break };
                self.hear(hint);
            }
            self.is_any_complete(Instant::now());
        }
        let kept = self.ready.len().saturating_sub(most);
        let mut more = self.ready.split_off(kept);
        more.reverse();
        more
    }

    /// Whether files were complete: those that still are as they were are ready then. Who did not hear of a change, as
    /// nobody does of a network folder, sees it now.
    fn is_any_complete(&mut self, now: Instant) -> bool {
        let complete = self.waiting.take(now);
        let any = !complete.is_empty();
        // The stack gives the oldest first.
        for (name, stamp) in complete.into_iter().rev() {
            let path = self.folder.join(&name);
            match fs::symlink_metadata(&path).map(|about| Stamp::of(&about)) {
                Ok(is) if is == stamp => self.ready.push(path),
                Ok(is) => self.waiting.see(&name, is, now),
                Err(_) => {}
            }
        }
        any
    }

    fn hear(&mut self, hint: Hint) {
        let now = Instant::now();
        let (name, arrived) = match hint {
            Hint::Rescan => {
                self.has_missed = true;
                return self.rescan();
            }
            Hint::Touched(name) => (name, false),
            Hint::Arrived(name) => (name, true),
        };
        if self.marker.as_ref().is_some_and(|marker| marker.is(&name)) {
            // Whichever file it is for is found there.
            return self.rescan();
        }
        match fs::symlink_metadata(self.folder.join(&name)) {
            Ok(about) if !about.is_dir() => {
                let completed = match &self.marker {
                    None if arrived => Completed::Yes,
                    None => Completed::OnceStill,
                    Some(marker) => marker.says(&self.folder, &name, &about),
                };
                self.take_note(&name, Stamp::of(&about), now, completed);
            }
            _ => {
                self.waiting.files.remove(&name);
            }
        }
    }

    fn take_note(&mut self, name: &OsStr, stamp: Stamp, now: Instant, completed: Completed) {
        match completed {
            Completed::Yes => self.waiting.arrive(name, stamp, now),
            Completed::OnceStill => self.waiting.see(name, stamp, now),
            Completed::Unmarked => {}
        }
    }

    /// Whether files wait in it.
    pub fn has_files(&self) -> bool {
        !self.waiting.files.is_empty() || !self.ready.is_empty()
    }

    /// What somebody should know of a folder that can be read.
    /// `wants`: whether a file of that name is read at all.
    pub fn note(&self, wants: impl Fn(&str) -> bool) -> Option<String> {
        let blind = self.is_blind.then(|| BLIND.to_owned());
        let unmarked = self.unmarked_for_long(Instant::now(), wants);
        let notes: Vec<_> = blind.into_iter().chain(unmarked).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// Files that wait for markers that may never come, in words.
    fn unmarked_for_long(&self, now: Instant, wants: impl Fn(&str) -> bool) -> Option<String> {
        let long = self.unmarked.iter().filter(|(_, since)| now >= **since + UNMARKED);
        let names = long.map(|(name, _)| name).filter(|name| wants(&name.to_string_lossy()));
        let names: Vec<_> = names.collect();
        let first = names.iter().min()?;
        Some(format!(
            "files wait for their markers for more than an hour ({}: {}); ask the partner for the markers, or put them there",
            names.len(),
            show(&first.to_string_lossy())
        ))
    }

    /// Lets all files wait, and looks through the folder in `wait`: what is told of meanwhile comes behind what is found then.
    pub fn put_off(&mut self, wait: Duration) {
        self.ready.clear();
        self.waiting.files.clear();
        self.scan_at = Instant::now() + wait;
        self.has_missed = true;
        self.waiting.wait_behind(self.scan_at);
    }

    /// Looks through the folder soon, whatever the system told.
    pub fn rescan(&mut self) {
        self.scan_at = Instant::now();
    }

    async fn scan(&mut self, now: Instant) -> News {
        // What was seen while nobody asked may be old.
        let looking = self.looking.take().filter(|looking| !looking.is_finished());
        let looking = looking.unwrap_or_else(|| self.look());
        let Ok(looked) = timeout(PATIENCE, self.looking.insert(looking)).await else {
            (self.scan_at, self.has_missed) = (Instant::now() + SCAN_BLIND, true);
            return News::Unreadable(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"));
        };
        self.looking = None;
        match looked.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())) {
            Ok(Looked { watcher, listed: Listed { identity, files } }) => {
                if let Some(watcher) = watcher {
                    self.watcher = self.watched(watcher);
                }
                self.scan_at = now + if self.watcher.is_some() { SCAN } else { SCAN_BLIND };
                self.meet(identity);
                self.take_up(&files, now);
                News::Scanned
            }
            Err(error) => {
                // A folder that went away took its watch with it.
                (self.watcher, self.identity, self.has_missed) = (None, None, true);
                self.scan_at = now + SCAN_BLIND;
                News::Unreadable(error)
            }
        }
    }

    /// Begins to look through the folder, and has the system tell of changes if it does not yet.
    fn look(&self) -> JoinHandle<io::Result<Looked>> {
        let folder = self.folder.clone();
        let hints = (self.sender.clone(), Arc::clone(&self.missed));
        let hints = self.watcher.is_none().then_some(hints);
        spawn_blocking(move || {
            let watcher = hints.map(|(sender, missed)| watch(&folder, sender, missed));
            Ok(Looked { watcher, listed: list(&folder)? })
        })
    }

    /// Notes which folder was looked through. Another one than before, mounted or moved in its place, is watched anew.
    fn meet(&mut self, identity: (u64, u64)) {
        let before = self.identity.replace(identity);
        if before.is_some_and(|before| before != identity) {
            warn!(folder = %self.folder.display(), "another folder stands there now; it is watched in place of the one before");
            self.watcher = None;
            self.has_missed = true;
            // What changed before the watch began is found so.
            self.rescan();
        }
    }

    /// Takes up what was found in the folder, oldest first: of what nobody told of, that is all that is known of its order.
    fn take_up(&mut self, files: &HashMap<OsString, Entry>, now: Instant) {
        let has_missed = std::mem::replace(&mut self.has_missed, false);
        // What was told of before the rest was found has no place in front of it.
        self.waiting.files.retain(|name, _| !has_missed && files.contains_key(name));
        let mut oldest_first: Vec<_> = files.iter().collect();
        oldest_first.sort_by_key(|(name, entry)| (entry.stamp.modified_ns, *name));
        let known = self.waiting.turns;
        let mut unmarked = HashMap::new();
        for (name, entry) in oldest_first {
            let completed = match &self.marker {
                None => Completed::OnceStill,
                Some(marker) if marker.is(name) => continue,
                Some(marker) => {
                    let beside = marker.names(name);
                    let is_plain = |entry: &&Entry| entry.is_plain;
                    let mut theirs =
                        beside.iter().filter_map(|name| files.get(name)).filter(is_plain);
                    Completed::of(entry.changed, theirs.next().map(|marker| marker.changed))
                }
            };
            if completed == Completed::Unmarked {
                let since = self.unmarked.get(name).copied().unwrap_or(now);
                unmarked.insert(name.clone(), since);
            }
            self.take_note(name, entry.stamp, now, completed);
        }
        self.unmarked = unmarked;
        if has_missed && self.marker.is_none() && self.waiting.turns > known {
            self.waiting.wait_behind(now);
        }
    }

    /// What tells of changes, if anything does. That nothing can is said once, and that it can again.
    fn watched(
        &mut self,
        watcher: notify::Result<RecommendedWatcher>,
    ) -> Option<RecommendedWatcher> {
        let was_blind = std::mem::replace(&mut self.is_blind, watcher.is_err());
        let folder = show(&self.folder.to_string_lossy()).into_owned();
        match &watcher {
            Err(error) if !was_blind => {
                let error = show(&error.to_string()).into_owned();
                warn!(folder, error, "{BLIND}");
            }
            Ok(_) if was_blind => info!(folder, "the system tells of changes here again"),
            _ => {}
        }
        watcher.ok()
    }
}

#[cfg(test)]
mod tests;

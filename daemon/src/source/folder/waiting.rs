//! Which files of a folder wait, and in which order they are complete.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    time::Duration,
};

use tokio::time::Instant;

use super::Stamp;

/// The files that wait. Pure: the caller passes the time.
#[derive(Debug)]
pub(super) struct Waiting {
    settle: Duration,
    pub(super) files: HashMap<OsString, Seen>,
    /// How many were noted so far.
    pub(super) turns: u64,
    /// Until then files wait that nobody told of: what is told of meanwhile is newer, and waits behind them.
    behind: Option<Instant>,
}

/// A file that waits.
#[derive(Debug)]
pub(super) struct Seen {
    stamp: Stamp,
    /// Since when it has been still.
    since: Instant,
    /// Which of all that were noted it is.
    turn: u64,
}

impl Waiting {
    pub(super) fn new(settle: Duration) -> Self {
        Self { settle, files: HashMap::new(), turns: 0, behind: None }
    }

    /// A file is there, as it is now.
    pub(super) fn see(&mut self, name: &OsStr, stamp: Stamp, now: Instant) {
        let same = self.files.get(name).is_some_and(|known| known.stamp == stamp);
        if !same {
            self.put(name, stamp, now);
        }
    }

    /// A file is there, and complete as it is.
    pub(super) fn arrive(&mut self, name: &OsStr, stamp: Stamp, now: Instant) {
        let complete_at = self.behind.map_or(now, |behind| behind.max(now));
        let since = complete_at.checked_sub(self.settle).unwrap_or(now);
        self.put(name, stamp, since);
    }

    fn put(&mut self, name: &OsStr, stamp: Stamp, since: Instant) {
        self.turns += 1;
        self.files.insert(name.to_owned(), Seen { stamp, since, turn: self.turns });
    }

    /// Has whatever arrives from now on wait behind files that are seen at `at`.
    pub(super) fn wait_behind(&mut self, at: Instant) {
        self.behind = Some(at + self.settle);
    }

    /// When the next file will have been still for long enough.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.files.values().map(|seen| seen.since + self.settle).min()
    }

    /// Files that have been still for long enough, in the order in which they were noted; each leaves the list.
    pub(super) fn take(&mut self, now: Instant) -> Vec<(OsString, Stamp)> {
        let mut ready: Vec<_> = self
            .files
            .iter()
            .filter(|(_, seen)| seen.since + self.settle <= now)
            .map(|(name, seen)| (seen.turn, name.clone(), seen.stamp))
            .collect();
        ready.sort_unstable_by_key(|(turn, _, _)| *turn);
        for (_, name, _) in &ready {
            self.files.remove(name);
        }
        ready.into_iter().map(|(_, name, stamp)| (name, stamp)).collect()
    }
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
        let mut waiting = Waiting::new(settle);
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
    fn what_is_told_of_waits_behind_what_was_found() {
        let mut waiting = Waiting::new(Duration::from_secs(5));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        waiting.see("b.csv".as_ref(), stamp(1), at(0));
        waiting.wait_behind(at(0));
        waiting.arrive("a.csv".as_ref(), stamp(1), at(1));
        assert!(waiting.take(at(4)).is_empty());
        let names = |taken: Vec<(OsString, Stamp)>| -> Vec<_> {
            taken.into_iter().map(|(name, _)| name.into_string().unwrap()).collect()
        };
        assert_eq!(names(waiting.take(at(5))), ["b.csv", "a.csv"], "as they were noted");
        waiting.arrive("d.csv".as_ref(), stamp(9), at(6));
        waiting.arrive("c.csv".as_ref(), stamp(1), at(6));
        assert_eq!(names(waiting.take(at(6))), ["d.csv", "c.csv"], "whatever their clocks say");
    }
}

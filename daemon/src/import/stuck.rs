//! Files that are dealt with: they are moved out of the way, and one that cannot be is moved later, and not read again.

use std::{
    fs, io, mem,
    path::{Path, PathBuf},
};

use marsad_shared::{
    health::{PollResult, Reason},
    untrusted::show,
};
use tracing::warn;

use super::Importer;
use crate::source::folder::{Marker, Stamp, away::settle_marker, settle};

/// A file that is dealt with.
pub(super) struct Stuck {
    pub(super) stamp: Stamp,
    /// Why it is held, if it is.
    pub(super) held: Option<String>,
}

impl Stuck {
    /// Whether it is what stands at `path`.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|about| Stamp::of(&about) == self.stamp)
    }

    fn put_away(&self, path: &Path, marker: Option<&Marker>) -> io::Result<()> {
        if !self.is_at(path) {
            // Somebody took it away, or put another one there.
            return Ok(());
        }
        // The marker first: one that is left would make the next file of that name whole before it is.
        marker.map_or(Ok(()), |marker| settle_marker(marker, path, self.held.is_some()))?;
        settle(path, self.stamp, self.held.as_deref())
    }
}

/// A file that is dealt with and could not be moved, with why.
pub(super) type Unmoved = (PathBuf, Stuck, io::Error);

impl Importer {
    /// Moves a file that is dealt with, with its reason beside it if it is held.
    pub(super) async fn put_away(&mut self, path: PathBuf, stuck: Stuck) {
        self.put_all_away(vec![(path, stuck)]).await;
    }

    /// Moves what could not be moved before, if it can be by now.
    pub(super) async fn move_stuck(&mut self) {
        if !self.stuck.is_empty() {
            let stuck = mem::take(&mut self.stuck);
            self.put_all_away(stuck.into_iter().collect()).await;
        }
    }

    async fn put_all_away(&mut self, files: Vec<(PathBuf, Stuck)>) {
        let marker = self.marker.clone();
        let moved = tokio::task::spawn_blocking(move || {
            let put_away = |(path, stuck): (PathBuf, Stuck)| {
                let error = stuck.put_away(&path, marker.as_ref()).err()?;
                Some((path, stuck, error))
            };
            files.into_iter().filter_map(put_away).collect()
        });
        self.note_stuck(moved.await.unwrap_or_default()).await;
    }

    /// Notes files that are dealt with and could not be moved, if any, and says so on the connection.
    pub(super) async fn note_stuck(&mut self, files: Vec<Unmoved>) {
        let Some((_, _, error)) = files.first() else {
            if self.stuck.is_empty() {
                self.recovered();
            }
            return;
        };
        self.troubled = true;
        let folder = show(&self.folder.to_string_lossy()).into_owned();
        let what = format!(
            "a file that is dealt with cannot be moved out of {folder} ({error}); let marsadd write there"
        );
        for (path, stuck, error) in files {
            if !self.was_told(&path) {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                warn!(connection = %self.connection.id, file = %show(&file), %error, "a file that is dealt with could not be moved; it is tried again");
            }
            self.stuck.insert(path, stuck);
        }
        let local = PollResult::Local(Reason::Disk);
        self.services.report_health(&self.connection.id, local, Some(what)).await;
    }
}

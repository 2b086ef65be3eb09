//! Small files of one feed that were there together: read one after the other, and put into the bank, the ledger and away
//! together, so that what each waits for the disk is waited for once.
//!
//! Their order is kept, and each is a run of its own. Whatever makes one of them special (it is large, is held, deletes, is
//! the same again) ends the group in front of it: it is imported alone, as any other file. A group is in the cache in one
//! step, or not at all; its files are moved only then. A daemon that is killed before all of them are moved reads those that
//! are left again, in the same order.

use std::{
    collections::{HashSet, VecDeque},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use marsad_shared::{
    feed::Mode,
    quarantine::Refusal,
    run::Trigger,
    store::{
        Cache, Originals, StoreError,
        cache::FileEnd,
        originals::{Hold, Written},
    },
    untrusted::show,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Importer,
    desk::{Desk, Finish, Scene},
};
use crate::{
    decode::Flow,
    intake::Piece,
    run::{Ending, Run},
    source::folder::{Stamp, Taken, settle_all},
    trouble::Trouble,
};

/// The most files of a group: of so many each costs little more than reading it.
pub(super) const GROUP: usize = 256;
/// The largest file that goes with others, in bytes.
const SMALL: u64 = 256 * 1024;
/// The most bytes of a group: what is read of it is held at once.
const GROUP_BYTES: usize = 2 * 1024 * 1024;

/// A small file, read.
struct Ready {
    path: PathBuf,
    name: String,
    hash: String,
    stamp: Stamp,
    piece: Piece,
    /// Its original stays until it is written down that it is needed.
    hand: Hold,
}

/// What was read of a group.
#[derive(Default)]
struct Gathered {
    ready: Vec<Ready>,
    /// How many files behind those have to wait for the next group, or go alone.
    rest: VecDeque<PathBuf>,
    /// The first of the rest goes alone.
    is_odd: bool,
}

impl Importer {
    /// Imports files that are complete, in their order: those that may go together, together.
    pub(super) async fn import_all(&mut self, paths: Vec<PathBuf>, stop: &CancellationToken) {
        let mut paths = VecDeque::from(paths);
        while let Some(first) = paths.pop_front() {
            if stop.is_cancelled() {
                return;
            }
            let at = self.in_company(&first);
            let mut group = vec![first];
            while let (Some(_), Some(next)) = (at, paths.front())
                && self.in_company(next) == at
            {
                group.extend(paths.pop_front());
            }
            let Some((at, true)) = at.map(|at| (at, group.len() > 1)) else {
                for path in group {
                    self.import(&path, stop).await;
                }
                continue;
            };
            let Gathered { mut rest, is_odd, .. } = self.import_group(at, group).await;
            if is_odd && let Some(odd) = rest.pop_front() {
                self.import(&odd, stop).await;
            }
            rest.append(&mut paths);
            paths = rest;
        }
    }

    /// Which feed reads the file, if nothing but what is in it may keep it from going with others.
    fn in_company(&self, path: &Path) -> Option<usize> {
        let name = path.file_name()?.to_string_lossy();
        let mut wanted = self.desks.iter().enumerate().filter(|(_, desk)| desk.wants(&name));
        let (at, desk) = wanted.next()?;
        (wanted.next().is_none() && self.marker.is_none() && desk.is_plain()).then_some(at)
    }

    /// Imports the files of a group; gives what is left of it.
    async fn import_group(&self, at: usize, paths: Vec<PathBuf>) -> Gathered {
        let alone = |rest: Vec<PathBuf>| Gathered {
            rest: rest.into(),
            is_odd: true,
            ..Gathered::default()
        };
        let (Some(desk), all) = (self.desks.get(at), paths.clone()) else { return alone(paths) };
        let Ok(mut gathered) = self.gather(desk, paths).await else { return alone(all) };
        if gathered.ready.is_empty() {
            return gathered;
        }
        let ready = std::mem::take(&mut gathered.ready);
        let files: Vec<_> = ready.iter().map(|file| (file.path.clone(), file.stamp)).collect();
        if let Err(error) = self.take(desk, ready).await {
            // Each of them alone says what it is about.
            warn!(feed = %desk.feed.id, %error, "files could not be imported together; each is tried alone");
            return alone(all);
        }
        let moved = tokio::task::spawn_blocking(move || settle_all(&files)).await;
        for (path, error) in moved.unwrap_or_default() {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            warn!(connection = %self.connection.id, file = %show(&file), %error, "a file that is dealt with could not be moved; it is tried again");
        }
        gathered
    }

    /// Reads what may go together of `paths`, and keeps its originals.
    async fn gather(&self, desk: &Desk, paths: Vec<PathBuf>) -> Result<Gathered, StoreError> {
        let feed = desk.feed.id.clone();
        let latest = self.services.store.cache.call(move |cache| cache.latest_file(&feed)).await?;
        let met = latest.map(|(hash, _)| hash).into_iter().collect();
        let Some(shaper) = desk.columns.known().cloned() else {
            return Ok(Gathered { rest: paths.into(), is_odd: true, ..Gathered::default() });
        };
        let (scene, originals) =
            (desk.scene(&self.services, shaper), self.services.store.originals.clone());
        let read = tokio::task::spawn_blocking(move || read(&scene, &originals, paths, met)).await;
        read.map_err(|_| StoreError::Closed)?
    }

    /// Puts a group into the bank, each file as a run of its own.
    async fn take(&self, desk: &Desk, ready: Vec<Ready>) -> Result<(), StoreError> {
        let (services, at) = (&self.services, self.services.clock.now());
        let starts =
            ready.iter().map(|file| desk.start(Trigger::File, Some(file.name.clone()), at));
        let mut runs = services.begin_runs(starts.collect()).await?;
        let taken = self.put(desk, &mut runs, ready).await;
        let done = match taken {
            Ok(said) => {
                let mut ended = Vec::with_capacity(runs.len());
                for (run, odd) in runs.iter().zip(said) {
                    let drift = desk.columns.note(services, run, &[]).await?;
                    let ending = Ending::of_whole(&run.counts()).noting(odd);
                    let ending = ending.noting(run.beside.notes(&desk.feed.cover)).noting(drift);
                    ended.push((run, ending));
                }
                return services.end_runs(ended).await;
            }
            Err(error) => error,
        };
        let trouble = Trouble::Store(done);
        for run in &mut runs {
            run.cached = marsad_shared::run::Counts::default();
        }
        let ended = runs.iter().map(|run| (run, Ending::of_trouble(&trouble))).collect();
        services.end_runs(ended).await?;
        match trouble {
            Trouble::Store(error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts what the files refused into quarantine, and then all their rows into the cache, in one step. Gives what somebody
    /// should know of each.
    async fn put(
        &self,
        desk: &Desk,
        runs: &mut [Run],
        ready: Vec<Ready>,
    ) -> Result<Vec<Option<String>>, StoreError> {
        let (services, at) = (&self.services, self.services.clock.now());
        let (mut refused, mut finishes, mut hands) = (Vec::new(), Vec::new(), Vec::new());
        for (run, file) in runs.iter_mut().zip(ready) {
            let Ready { name, hash, stamp, piece, hand, .. } = file;
            let Piece { batch, refused: rows, beside, misfits, .. } = piece;
            run.bytes = stamp.size();
            run.refused = rows.len() as u64;
            run.beside = beside;
            run.misfits = misfits;
            finishes.push(desk.finish_of(run, batch, at, FileEnd { hash, name }));
            refused.push((run.start.clone(), run.id, rows) as (_, _, Vec<Refusal>));
            hands.push(hand);
        }
        services.refuse_all(refused).await?;
        let all = move |cache: &mut Cache| {
            finishes
                .into_iter()
                .map(|one: Finish| one.finish_small(cache))
                .collect::<Result<Vec<_>, _>>()
        };
        let counted = services.store.cache.call(all).await?;
        drop(hands);
        let notes = runs.iter_mut().zip(counted).map(|(run, (cached, note))| {
            run.cached = cached;
            note
        });
        Ok(notes.collect())
    }
}

impl Desk {
    /// Whether a file of the feed can go with others at all: its columns are known, its rows refer to nothing that a file
    /// before it may bring, and no file of it is held for what it lacks.
    fn is_plain(&self) -> bool {
        let keeping = &self.feed.keeping;
        let Some(shaper) = self.columns.known() else { return false };
        keeping.mode != Mode::Snapshot
            && keeping.brake.min_rows == 0
            && shaper.layout.fields.iter().all(|field| field.rules.references.is_none())
    }
}

/// Reads files until one is met that has to go alone, and keeps their originals. `met`: contents that are none of a group.
fn read(
    scene: &Scene,
    originals: &Originals,
    paths: Vec<PathBuf>,
    mut met: HashSet<String>,
) -> Result<Gathered, StoreError> {
    let mut gathered = Gathered { rest: paths.into(), ..Gathered::default() };
    let (mut written, mut bytes) = (Vec::new(), 0);
    while let Some(path) = gathered.rest.front() {
        if gathered.ready.len() == GROUP || bytes > GROUP_BYTES {
            break;
        }
        let Some((content, stamp)) = content(path) else {
            gathered.is_odd = true;
            break;
        };
        bytes += content.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hash = blake3::hash(&content).to_hex().to_string();
        let piece = if met.insert(hash.clone()) { one_piece(scene, &content, &name) } else { None };
        let Some(piece) = piece else {
            gathered.is_odd = true;
            break;
        };
        let hand = originals.hold(&hash);
        if !originals.has(&hash) {
            written.push(original(originals, &content)?);
        }
        gathered.ready.push(Ready { path: path.clone(), name, hash, stamp, piece, hand });
        gathered.rest.pop_front();
    }
    // Each is in hand by its file already.
    originals.keep_all(written)?;
    Ok(gathered)
}

/// All of a small file, with what tells that it is still the same; `None` if it is not small, or has to be looked at.
fn content(path: &Path) -> Option<(Vec<u8>, Stamp)> {
    let taken = Taken::open(path).ok().filter(|taken| taken.bytes <= SMALL)?;
    let mut content = Vec::new();
    (&taken.file).take(SMALL + 1).read_to_end(&mut content).ok()?;
    let whole = content.len() as u64 == taken.bytes && taken.is_unchanged(path);
    whole.then_some((content, taken.stamp))
}

/// All rows of a file, if they are one piece, fit the columns and delete nothing.
fn one_piece(scene: &Scene, content: &[u8], name: &str) -> Option<Piece> {
    let mut pieces = Vec::new();
    let read = scene.read(content, name, |piece| {
        pieces.push(piece);
        if pieces.len() == 1 { Flow::More } else { Flow::Stop }
    });
    let piece = pieces.pop().filter(|_| read.is_ok() && pieces.is_empty())?;
    let deletes = piece.batch.hashes().iter().any(|hash| hash.is_gone());
    (!deletes && scene.fits(&piece)).then_some(piece)
}

fn original(originals: &Originals, content: &[u8]) -> Result<Written, StoreError> {
    let mut original = originals.incoming()?;
    original
        .write_all(content)
        .map_err(|source| StoreError::Io { path: "originals".into(), source })?;
    original.written()
}

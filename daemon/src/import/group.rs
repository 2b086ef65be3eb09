//! Small files of one feed that were there together: read one after the other, and put into the bank, the ledger and away
//! together, so that what each waits for the disk is waited for once.
//!
//! Their order is kept, and each is a run of its own. Whatever makes one of them special (it is large, is held, deletes, is
//! the same again) ends the group in front of it: it is imported alone, as any other file. A group is in the cache in one
//! step, or not at all; its files are moved only then. A daemon that is killed before all of them are moved reads those that
//! are left again, in the same order.

use std::{
    collections::{HashSet, VecDeque},
    io::Read as _,
    path::{Path, PathBuf},
};

use marsad_shared::{
    feed::Mode,
    quarantine::Refusal,
    run::Trigger,
    store::{
        Cache, Originals, StoreError,
        cache::FileEnd,
        originals::{Hold, Packer},
    },
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    AGAIN, Importer,
    desk::{Desk, Finish, Scene},
    stuck::{Stuck, Unmoved},
};
use crate::{
    decode::Flow,
    intake::Piece,
    run::{Ending, Run},
    source::folder::{Stamp, Taken, settle_all},
    trouble::Trouble,
};

/// The most files of a group: of so many each costs little more than reading it.
pub(super) const GROUP: usize = 1_024;
/// The largest file that goes with others, in bytes.
const SMALL: u64 = 256 * 1024;
/// The most bytes of a group: what is read of it is held at once.
const GROUP_BYTES: usize = 2 * 1024 * 1024;

/// So often at most are files that came meanwhile taken up with those before them: then it is heard what else is wanted.
const TURNS: usize = 8;

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

impl Gathered {
    /// Nothing was read: the first of `paths` goes alone.
    fn nothing(paths: Vec<PathBuf>) -> Self {
        Self { rest: paths.into(), is_odd: true, ..Self::default() }
    }
}

/// Files of one feed that may go together.
#[derive(Clone)]
struct Company {
    /// Which desk reads them.
    at: usize,
    paths: Vec<PathBuf>,
}

impl Importer {
    /// Imports files that are complete, in their order: those that may go together, together. While a group is put into its
    /// place the next one is read.
    pub(super) async fn import_all(&mut self, paths: Vec<PathBuf>, stop: &CancellationToken) {
        let mut paths = VecDeque::from(paths);
        let (mut ahead, mut turns) = (None, 0);
        while !stop.is_cancelled() {
            let (at, gathered) = if let Some(ahead) = ahead.take() {
                ahead
            } else if let Some(company) = self.company(&mut paths) {
                self.gather(company, HashSet::new()).await
            } else if let Some(path) = paths.pop_front() {
                if self.import(&path, stop).await.is_break() {
                    return self.break_off();
                }
                continue;
            } else {
                return;
            };
            let Gathered { ready, mut rest, is_odd } = gathered;
            let odd = if is_odd { rest.pop_front() } else { None };
            rest.append(&mut paths);
            paths = rest;
            let next = if odd.is_none() {
                if turns < TURNS {
                    paths.extend(self.watch.more(GROUP.saturating_sub(paths.len())));
                    turns += 1;
                }
                self.company(&mut paths)
            } else {
                None
            };
            let all: Vec<_> = ready.iter().map(|file| file.path.clone()).collect();
            let met = ready.iter().map(|file| file.hash.clone()).collect();
            let placed = if let Some(next) = next {
                let behind = next.paths.clone();
                let (placed, read) = tokio::join!(self.place(at, ready), self.gather(next, met));
                if placed.is_some() {
                    ahead = Some(read);
                } else {
                    behind.into_iter().rev().for_each(|path| paths.push_front(path));
                }
                placed
            } else {
                self.place(at, ready).await
            };
            // Each of them alone says what it is about.
            for path in all.iter().filter(|_| placed.is_none()).chain(&odd) {
                if self.import(path, stop).await.is_break() {
                    return self.break_off();
                }
            }
            if let Some(stuck) = placed {
                self.note_stuck(stuck).await;
            }
        }
    }

    /// Lets all files wait that are left: none of them comes before one that our own trouble kept from the bank.
    fn break_off(&mut self) {
        self.troubled = true;
        self.watch.put_off(AGAIN);
    }

    /// The first of `paths`, with those behind it that may go with it, if there are two at least.
    fn company(&self, paths: &mut VecDeque<PathBuf>) -> Option<Company> {
        // Where something of ours is wrong, one of them shows when it no longer is.
        let at = self.in_company(paths.front()?).filter(|_| !self.troubled)?;
        let many = paths.iter().take(GROUP).take_while(|path| self.in_company(path) == Some(at));
        let many = many.count();
        (many > 1).then(|| Company { at, paths: paths.drain(..many).collect() })
    }

    /// Which feed reads the file, if nothing but what is in it may keep it from going with others.
    fn in_company(&self, path: &Path) -> Option<usize> {
        let name = path.file_name()?.to_string_lossy();
        let mut wanted = self.desks.iter().enumerate().filter(|(_, desk)| desk.wants(&name));
        let (at, desk) = wanted.next()?;
        let is_plain = self.marker.is_none() && desk.is_plain() && !self.stuck.contains_key(path);
        (wanted.next().is_none() && is_plain).then_some(at)
    }

    /// Puts a group into the bank, and its files away; gives those that could not be moved. `None`: nothing of it is in the
    /// bank.
    async fn place(&self, at: usize, ready: Vec<Ready>) -> Option<Vec<Unmoved>> {
        let Some(desk) = self.desks.get(at).filter(|_| !ready.is_empty()) else {
            return Some(Vec::new());
        };
        let files: Vec<_> = ready.iter().map(|file| (file.path.clone(), file.stamp)).collect();
        if let Err(error) = self.take(desk, ready).await {
            warn!(feed = %desk.feed.id, %error, "files could not be imported together; each is tried alone");
            return None;
        }
        let moved = tokio::task::spawn_blocking(move || settle_all(&files)).await;
        let unmoved = moved.unwrap_or_default().into_iter();
        Some(
            unmoved
                .map(|(path, stamp, error)| (path, Stuck { stamp, held: None }, error))
                .collect(),
        )
    }

    /// Reads what may go together, and keeps its originals. `met`: contents of the group before it, which is not in its place
    /// yet.
    async fn gather(&self, company: Company, met: HashSet<String>) -> (usize, Gathered) {
        let (at, all) = (company.at, company.paths.clone());
        // What could not be read together is tried alone, and says itself what it is about.
        let gathered = self.read(company, met).await.unwrap_or_else(|_| Gathered::nothing(all));
        (at, gathered)
    }

    async fn read(
        &self,
        Company { at, paths }: Company,
        mut met: HashSet<String>,
    ) -> Result<Gathered, StoreError> {
        let Some(desk) = self.desks.get(at) else { return Ok(Gathered::nothing(paths)) };
        let feed = desk.feed.id.clone();
        let latest = self.services.store.cache.call(move |cache| cache.latest_file(&feed)).await?;
        met.extend(latest.filter(|latest| !latest.upset).map(|latest| latest.hash));
        let Some(shaper) = desk.columns.known().cloned() else {
            return Ok(Gathered::nothing(paths));
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
                    let drift = desk.columns.note(services, run, &[]).await;
                    let ending = Ending::of_whole(run).noting(odd);
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
    let (mut written, mut bytes, mut packer) = (Vec::new(), 0, Packer::new()?);
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
            written.push(originals.write(&mut packer, &content)?);
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

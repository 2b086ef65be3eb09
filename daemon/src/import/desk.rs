//! One feed of an import folder: reads files beside its live table, on one thread while the store writes on another.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use marsad_shared::{
    feed::{Feed, Format, Mode, Origin},
    id::RunId,
    record::{Batch, Layout},
    run::Trigger,
    store::{
        Cache, StoreError,
        cache::{FileEnd, Manner},
        ledger::RunStart,
        originals::Incoming,
        read::References,
    },
    untrusted::show,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Found,
    packed::{self, Inner, Unread},
    tee::Tee,
    text::FileText,
};
use crate::{
    columns::Columns,
    decode::{DecodeError, Flow},
    intake::{self, Intake, Memo, Origins, Piece, Recall},
    replay::no_columns,
    run::Run,
    services::Services,
    shape::Shaper,
    source::folder::{TakeError, Taken},
    trouble::Trouble,
};

mod finish;

pub(super) use finish::Finish;

/// Of files up to this size nothing is recalled, in bytes: they are soon read.
const SMALL: u64 = 1024 * 1024;

/// Pieces that may wait between the thread that reads and the one that writes: one each is enough to keep both busy.
const PIECES: usize = 1;

/// One feed of the folder.
pub(super) struct Desk {
    pub(super) feed: Arc<Feed>,
    pub(super) columns: Columns,
    /// What the last large file came to.
    pub(super) memo: Option<Memo>,
}

/// What was read of a file, on its way into the bank.
#[derive(Debug, Default)]
pub(super) enum Load {
    #[default]
    Nothing,
    /// The only piece so far. Most files are no more: they go into the live table as they are, in one step.
    One(Box<Piece>),
    /// Pieces that are loaded beside the live table, to join it once all of them are there.
    Beside,
}

impl Load {
    /// Whether something was loaded that is to be dropped if it does not join the live table.
    pub(super) const fn is_beside(&self) -> bool {
        matches!(self, Self::Beside)
    }
}

impl Desk {
    pub(super) fn wants(&self, name: &str) -> bool {
        matches!(&self.feed.origin, Origin::Files(glob) if glob.is_match(name))
    }

    pub(super) fn start(
        &self,
        trigger: Trigger,
        file: Option<String>,
        at: jiff::Timestamp,
    ) -> RunStart {
        RunStart { feed: self.feed.id.clone(), trigger, at, actor: None, full: false, file }
    }

    /// Reads a file into `load`, and keeps its original meanwhile.
    pub(super) async fn read(
        &mut self,
        services: &Services,
        run: &mut Run,
        found: &Found,
        load: &mut Load,
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        run.bytes = found.stamp.size();
        let path = found.path.clone();
        let (sample, name) = (path.clone(), found.name.clone());
        let folder = services.store.folder.path().to_owned();
        let infer = move |feed: &Feed| {
            let sample = Taken::open(&sample)
                .map_err(|error| DecodeError::Io(io::Error::other(error.to_string())))?;
            infer(feed, sample.file, &name, &folder)
        };
        let shaper = self.columns.shaper(services, run.id, &show(&found.name), infer).await?;
        let original = if services.store.originals.has(&found.hash) {
            None
        } else {
            Some(services.store.originals.incoming()?)
        };
        let (hash, stamp) = (found.hash.clone(), found.stamp);
        let source = move || {
            let taken = Taken::open(&path).map_err(|error| Trouble::File(error.to_string()))?;
            let tee = taken.file.try_clone().and_then(|file| Tee::new(file, taken.bytes, original));
            let tee = tee.map_err(|error| Trouble::File(error.to_string()))?;
            Ok((tee, move |tee: Tee| {
                if taken.stamp != stamp || !taken.is_unchanged(&path) {
                    return Err(Trouble::File(TakeError::PutOff.to_string()));
                }
                let original = tee.finish().map_err(|error| Trouble::File(error.to_string()))?;
                let kept = original.map(Incoming::keep).transpose()?;
                if kept.is_some_and(|kept| kept.hash != hash) {
                    return Err(Trouble::File(TakeError::PutOff.to_string()));
                }
                Ok(())
            }))
        };
        let known = Arc::clone(&shaper);
        let mut scene = self.scene(services, shaper);
        if found.stamp.size() > SMALL {
            scene.recalling(self.memo.take());
        }
        self.memo = self.load(services, run, load, scene, &found.name, source, stop).await?;
        let all = self.feed.keeping.mode == Mode::Snapshot;
        let filled = run.still_filled(services, &known, all).await?;
        filled.map_err(|error| Trouble::decode(show(&found.name), error))
    }

    /// Reads every original that the feed has had again, oldest first, as one run; of a snapshot, the last one.
    pub(super) async fn read_again(
        &mut self,
        services: &Services,
        run: &mut Run,
        stop: &CancellationToken,
    ) -> Result<Option<String>, Trouble> {
        let feed = self.feed.id.clone();
        let mut files = services.store.cache.call(move |cache| cache.files(&feed)).await?;
        if files.is_empty() {
            return Ok(None);
        }
        if self.feed.keeping.mode == Mode::Snapshot {
            // The last one is all there is.
            files.drain(..files.len() - 1);
        }
        let originals = &services.store.originals;
        let _holds: Vec<_> = files.iter().map(|file| originals.hold(&file.hash)).collect();
        let nothing = |_: &Feed| Err(DecodeError::Layout("the feed has no columns yet".to_owned()));
        let shaper = self.columns.shaper(services, run.id, "the feed", nothing).await?;
        self.begin(services, run.id).await?;
        let mut load = Load::Beside;
        for file in &files {
            let (originals, hash) = (services.store.originals.clone(), file.hash.clone());
            let source = move || Ok((originals.open(&hash)?, |_| Ok(())));
            let scene = self.scene(services, Arc::clone(&shaper));
            self.load(services, run, &mut load, scene, &file.name, source, stop).await?;
            run.pages += 1;
        }
        let filled = run.still_filled(services, &shaper, true).await?;
        filled.map_err(|error| Trouble::decode("the feed", error))?;
        // Their order stays what it was.
        self.finish(services, run, load, Vec::new(), None, stop).await
    }

    /// Reads one original into `load`, as a file is read.
    pub(super) async fn read_original(
        &self,
        services: &Services,
        run: &mut Run,
        file: &FileEnd,
        load: &mut Load,
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        let nothing = |_: &Feed| Err(no_columns());
        let shaper = self.columns.shaper(services, run.id, &show(&file.name), nothing).await?;
        let (originals, hash) = (services.store.originals.clone(), file.hash.clone());
        let source = move || Ok((originals.open(&hash)?, |_| Ok(())));
        let scene = self.scene(services, shaper);
        self.load(services, run, load, scene, &file.name, source, stop).await.map(drop)
    }

    async fn begin(&self, services: &Services, run: RunId) -> Result<(), StoreError> {
        let feed = self.feed.id.clone();
        let manner = self.manner();
        services.store.cache.call(move |cache| cache.begin_load(&feed, run, manner)).await
    }

    /// How its runs treat what is there.
    fn manner(&self) -> Manner {
        let keeping = &self.feed.keeping;
        Manner::of(keeping, keeping.mode == Mode::Snapshot)
    }

    /// Reads what `source` opens on one thread, and writes on the store's: each works while the other does. What
    /// `source` gives beside the bytes has the last word when they have been read. Gives what is to be recalled of it.
    #[expect(clippy::too_many_arguments, reason = "what is read, from where, and for whom")]
    async fn load<R, S, E>(
        &self,
        services: &Services,
        run: &mut Run,
        load: &mut Load,
        scene: Scene,
        name: &str,
        source: S,
        stop: &CancellationToken,
    ) -> Result<Option<Memo>, Trouble>
    where
        R: Read + Send,
        S: FnOnce() -> Result<(R, E), Trouble> + Send + 'static,
        E: FnOnce(R) -> Result<(), Trouble>,
    {
        let (pieces, mut taken) = mpsc::channel::<Piece>(PIECES);
        let columns = Arc::clone(&scene.shaper);
        let name_of_all = name.to_owned();
        let reading = tokio::task::spawn_blocking(move || {
            let (mut bytes, last_word) = source()?;
            let mut hand_over =
                |piece| if pieces.blocking_send(piece).is_ok() { Flow::More } else { Flow::Stop };
            scene.read(&mut bytes, &name_of_all, &mut hand_over)?;
            // What stands behind the last record belongs to the original too.
            io::copy(&mut bytes, &mut io::sink())
                .map_err(|error| Trouble::File(error.to_string()))?;
            last_word(bytes)?;
            Ok(scene.recall.and_then(|recall| recall.into_inner().finish()))
        });
        let mut written = Ok(());
        while let Some(piece) = taken.recv().await {
            written = if stop.is_cancelled() {
                Err(Trouble::Stopped)
            } else {
                self.take(services, run, load, &columns, piece).await
            };
            if written.is_err() {
                break;
            }
        }
        drop(taken);
        let read = reading.await.unwrap_or_else(|_| {
            Err(Trouble::decode(
                show(name),
                DecodeError::Format("it could not be decoded; report this".to_owned()),
            ))
        });
        // The writer's trouble is the cause where both have one.
        let done = written.and(read);
        let too_many = |trouble: &Trouble| {
            matches!(trouble, Trouble::Decode { error: DecodeError::TooManyRefused(_), .. })
        };
        // A column that is another one by now says more than that too much was refused.
        if done.as_ref().err().is_none_or(too_many) {
            run.fits(&columns).map_err(|error| Trouble::decode(show(name), error))?;
        }
        done
    }

    /// What reading a file of the feed needs.
    pub(super) fn scene(&self, services: &Services, shaper: Arc<Shaper>) -> Scene {
        let (feed, folder) = (Arc::clone(&self.feed), services.store.folder.path().to_owned());
        Scene { feed, shaper, seed: services.store.seed, folder, recall: None }
    }

    /// Takes a piece up: the first one waits, and goes beside the live table with the second.
    async fn take(
        &self,
        services: &Services,
        run: &mut Run,
        load: &mut Load,
        shaper: &Shaper,
        mut piece: Piece,
    ) -> Result<(), Trouble> {
        run.beside.add(std::mem::take(&mut piece.beside));
        run.misfits.add(&piece.misfits);
        run.filled.add(&piece.batch);
        match std::mem::replace(load, Load::Beside) {
            Load::Nothing if !piece.batch.has_unread() => {
                *load = Load::One(Box::new(piece));
                return Ok(());
            }
            Load::Nothing => self.begin(services, run.id).await?,
            Load::One(first) => {
                self.begin(services, run.id).await?;
                self.keep(services, run, shaper, *first).await?;
            }
            Load::Beside => {}
        }
        self.keep(services, run, shaper, piece).await
    }

    /// Loads a piece; `shaper` reads what of it was left unread and is needed.
    async fn keep(
        &self,
        services: &Services,
        run: &mut Run,
        shaper: &Shaper,
        piece: Piece,
    ) -> Result<(), Trouble> {
        let mut batch = Arc::new(refuse(services, run, piece).await?);
        while let Some(first) = self.put(services, run, &batch).await? {
            let read = shaper.read_on(&batch, first).map_err(|refused| {
                let why = format!("a row was taken before, and is not now: {}", refused.reason);
                Trouble::decode("the file", DecodeError::Format(why))
            });
            batch = Arc::new(read?);
        }
        Ok(())
    }

    /// Loads rows; gives the first one that has to be read, before it and what stands behind it can be.
    async fn put(
        &self,
        services: &Services,
        run: &mut Run,
        rows: &Arc<Batch>,
    ) -> Result<Option<usize>, Trouble> {
        let (feed, at, rows) = (self.feed.id.clone(), services.clock.now(), Arc::clone(rows));
        let load = move |cache: &mut Cache| cache.load_known(&feed, &rows, at);
        let (counts, unread) = services.store.cache.call(load).await?;
        run.cached = counts;
        services.show_progress(run);
        Ok(unread)
    }
}

/// What reading a file needs, on a thread that may block.
pub(super) struct Scene {
    feed: Arc<Feed>,
    shaper: Arc<Shaper>,
    seed: u64,
    /// Where archives and workbooks are put aside.
    folder: PathBuf,
    /// `None`: every row is read.
    recall: Option<RefCell<Recall>>,
}

impl Scene {
    /// Recalls what the last file came to, and remembers this one for the next, if there is room for that.
    fn recalling(&mut self, last: Option<Memo>) {
        let recall = Recall::new(last, &self.shaper, &self.folder, self.seed);
        self.recall = recall.ok().map(RefCell::new);
    }

    /// Reads what `bytes`, a file called `name`, hold, and hands its pieces over.
    pub(super) fn read(
        &self,
        bytes: impl Read + Send,
        name: &str,
        mut hand_over: impl FnMut(Piece) -> Flow,
    ) -> Result<(), Trouble> {
        let Self { feed, shaper, seed, folder, recall } = self;
        let references = References::open(folder, &shaper.layout)?;
        let each = |inner: Inner<'_>| {
            let Inner { name, format, mut bytes } = inner;
            let origins = Origins { file: Some(name), ..Origins::default() };
            let (references, recall) = (references.as_ref(), recall.as_ref());
            let intake = Intake { feed, shaper, format, seed: *seed, origins, references, recall };
            if format == Format::Xlsx {
                intake.workbook(bytes.aside(folder)?, &mut hand_over)?;
                return Ok(Flow::More);
            }
            let mut stream = bytes.stream();
            let mut text = FileText::new(feed, format, &mut stream)?;
            let origins = Origins { encoding: text.encoding(), ..intake.origins };
            let read = Intake { origins, ..intake }.read(&mut text, &mut hand_over);
            text.judge(read, Some(&shaper.layout)).map(|()| Flow::More)
        };
        packed::read(bytes, name, feed, folder, each).map_err(trouble)
    }

    /// Whether the rows of a piece fit the columns.
    pub(super) fn fits(&self, piece: &Piece) -> bool {
        piece.misfits.drift(&self.shaper.layout, &self.shaper.approved).is_none()
    }
}

/// Puts what a piece refused into quarantine, and gives its rows.
async fn refuse(
    services: &Services,
    run: &mut Run,
    Piece { batch, refused, .. }: Piece,
) -> Result<Batch, Trouble> {
    let counted = run.count_refused(&refused);
    services.refuse(run, refused).await?;
    counted.map_err(|error| Trouble::decode("the file", error))?;
    Ok(batch)
}

/// The columns of a feed that names none, taken from the first file that `bytes` hold.
fn infer(feed: &Feed, bytes: File, name: &str, folder: &Path) -> Result<Layout, DecodeError> {
    let mut layout = Err(DecodeError::Nothing);
    let each = |inner: Inner<'_>| {
        let Inner { format, mut bytes, .. } = inner;
        layout = if format == Format::Xlsx {
            intake::infer_workbook(feed, bytes.aside(folder)?, None)
        } else {
            let mut stream = bytes.stream();
            let mut text = FileText::new(feed, format, &mut stream)?;
            let inferred = intake::infer(feed, format, &mut text);
            text.judge(inferred, None)
        };
        Ok(Flow::Stop)
    };
    packed::read(bytes, name, feed, folder, each).map_err(|unread| unread.error)?;
    layout
}

/// What it means that a file cannot be read to its end.
fn trouble(Unread { file, error }: Unread) -> Trouble {
    let place = show(&file);
    match error {
        DecodeError::Io(error) => Trouble::File(format!("{place}: {error}")),
        error => Trouble::decode(place, error),
    }
}

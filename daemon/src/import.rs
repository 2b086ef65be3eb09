//! One task an import folder: takes each complete file, reads it into the feeds that it belongs to, and puts it away.
//!
//! A file is read twice: once for its hash, which tells whether its content was had before, and once into the bank, while
//! its original is kept. It is moved only when all of that is safe (promise 4).

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use marsad_shared::{
    connection::Connection,
    feed::{Feed, Format, Origin},
    health::{PollResult, Reason},
    id::RunId,
    quarantine::{Kind, Place, Refusal},
    run::{Counts, Outcome, Trigger},
    store::{
        StoreError,
        cache::FileEnd,
        ledger::{RunEnd, RunStart},
        originals::Incoming,
    },
    untrusted::show,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    columns::Columns,
    decode::{DecodeError, Flow},
    intake::{self, Intake, Origins, Piece},
    run::{Ending, Run},
    services::{Order, Services},
    shape::Shaper,
    socket::problem::failed,
    source::folder::{News, TakeError, Taken, Watch, put_away},
    trouble::Trouble,
};

/// The largest file, in bytes (DESIGN section 6).
const FILE_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Pieces that may wait between the thread that reads and the one that writes: one each is enough to keep both busy.
const PIECES: usize = 2;
/// How often a folder that is well, or one that is not, is reported.
const REPORT: Duration = Duration::from_mins(1);
/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// What imports one folder.
pub struct Importer {
    services: Arc<Services>,
    connection: Arc<Connection>,
    folder: PathBuf,
    desks: Vec<Desk>,
    orders: mpsc::Receiver<Order>,
    watch: Watch,
    reported_at: Option<(bool, Instant)>,
}

/// One feed of the folder.
struct Desk {
    feed: Arc<Feed>,
    columns: Columns,
}

/// A file that was looked at once.
struct Found {
    path: PathBuf,
    name: String,
    hash: String,
    bytes: u64,
}

/// What became of a file in one feed.
enum Became {
    /// In the bank, or there already.
    Had,
    /// Not what the feed expects: the whole file waits for a person.
    Held(String),
    /// Something of ours, or the daemon stops: it stays where it is and is taken again.
    Later,
}

impl Importer {
    /// The importer of `folder`, which `feeds` read.
    pub fn new(
        services: Arc<Services>,
        connection: Arc<Connection>,
        folder: PathBuf,
        feeds: Vec<Arc<Feed>>,
    ) -> Self {
        let orders = services.orders.open(feeds.iter().map(|feed| &feed.id));
        let watch = Watch::new(folder.clone(), connection.settle);
        let desks = feeds
            .into_iter()
            .map(|feed| Desk { columns: Columns::new(Arc::clone(&feed)), feed })
            .collect();
        Self { services, connection, folder, desks, orders, watch, reported_at: None }
    }

    /// Imports until `stop`. A file's fault is a run that says so, not an `Err`.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(order) = self.orders.recv() => self.obey(order, &stop).await,
                news = self.watch.next() => match news {
                    News::Complete(path) => self.import(&path, &stop).await,
                    News::Scanned => self.well().await,
                    News::Unreadable(error) => self.unreadable(&error).await,
                },
            }
        }
    }

    async fn well(&mut self) {
        if self.is_due(true) {
            let ok = PollResult::Ok { near_limit: false };
            self.services.report_health(&self.connection.id, ok, None).await;
        }
    }

    async fn unreadable(&mut self, error: &io::Error) {
        if !self.is_due(false) {
            return;
        }
        let trouble = Trouble::File(format!(
            "cannot read the folder {} ({error}); make it, or let marsadd read it",
            show(&self.folder.to_string_lossy())
        ));
        self.services
            .report_health(&self.connection.id, trouble.result(), Some(trouble.text()))
            .await;
        for at in 0..self.desks.len() {
            self.record(at, Ending::of_trouble(&trouble), None).await;
        }
    }

    /// Whether it is time to say how the folder is: at once when that changed.
    fn is_due(&mut self, well: bool) -> bool {
        let now = Instant::now();
        let due = self.reported_at.is_none_or(|(was, at)| was != well || now >= at + REPORT);
        if due {
            self.reported_at = Some((well, now));
        }
        due
    }

    /// Records a run that read nothing.
    async fn record(&self, desk: usize, ending: Ending, file: Option<String>) {
        let Some(desk) = self.desks.get(desk) else { return };
        let at = self.services.clock.now();
        let start = RunStart {
            feed: desk.feed.id.clone(),
            trigger: Trigger::File,
            at,
            actor: None,
            full: false,
            file,
        };
        let Ending { outcome, reason, cause, .. } = ending;
        let end = RunEnd {
            outcome,
            reason,
            cause,
            at,
            pages: 0,
            bytes: 0,
            counts: Counts::default(),
            event_at: None,
            next_at: None,
        };
        if let Err(error) = self.services.record_run(start, end).await {
            error!(feed = %desk.feed.id, %error, "a run could not be written down");
        }
    }

    async fn import(&mut self, path: &Path, stop: &CancellationToken) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let wanted: Vec<usize> = (0..self.desks.len())
            .filter(|&at| self.desks.get(at).is_some_and(|desk| desk.wants(&name)))
            .collect();
        if wanted.is_empty() {
            warn!(connection = %self.connection.id, file = %show(&name), "no feed reads such a file; it stays where it is");
            return;
        }
        let at = path.to_owned();
        let looked = tokio::task::spawn_blocking(move || look(&at)).await;
        let (hash, bytes) = match looked.unwrap_or(Err(TakeError::PutOff)) {
            Ok(found) => found,
            Err(TakeError::PutOff) => return,
            Err(TakeError::Odd(what)) => {
                let reason = TakeError::Odd(what).to_string();
                return self.hold_unread(path, &name, &wanted, &reason).await;
            }
            Err(TakeError::Unreadable(error)) => {
                let trouble = Trouble::File(format!(
                    "cannot read {} ({error}); let marsadd read it",
                    show(&name)
                ));
                for at in wanted {
                    self.record(at, Ending::of_trouble(&trouble), Some(name.clone())).await;
                }
                return;
            }
        };
        let found = Found { path: path.to_owned(), name, hash, bytes };
        let mut held = None;
        for at in wanted {
            match self.import_into(at, &found, stop).await {
                Ok(Became::Had) => {}
                Ok(Became::Held(reason)) => held = Some(reason),
                Ok(Became::Later) => return,
                Err(error) => {
                    error!(file = %show(&found.name), %error, "a file could not be imported; it stays where it is and is tried again");
                    self.services
                        .report_health(
                            &self.connection.id,
                            PollResult::Local(Reason::Disk),
                            Some(error.to_string()),
                        )
                        .await;
                    return;
                }
            }
        }
        self.put_away(&found.path, held.as_deref()).await;
    }

    /// Moves a file that is dealt with, with its reason beside it if it is held.
    async fn put_away(&self, path: &Path, held: Option<&str>) {
        let (path, reason) = (path.to_owned(), held.map(str::to_owned));
        let moved = tokio::task::spawn_blocking(move || match reason {
            None => put_away(&path, "done").map(drop),
            Some(reason) => {
                let to = put_away(&path, "held")?;
                let mut beside = to.into_os_string();
                beside.push(".reason.txt");
                std::fs::write(beside, format!("{reason}\n"))
            }
        });
        if let Ok(Err(error)) = moved.await {
            let folder = show(&self.folder.to_string_lossy()).into_owned();
            warn!(connection = %self.connection.id, folder, %error, "a file that is dealt with could not be moved; it is tried again");
        }
    }

    /// A thing that must not even be opened: held by its name alone.
    async fn hold_unread(&mut self, path: &Path, name: &str, wanted: &[usize], reason: &str) {
        for &at in wanted {
            let Some(desk) = self.desks.get(at) else { continue };
            let refusal = Refusal {
                kind: Kind::File,
                reason: reason.to_owned(),
                place: Place { file: Some(name.to_owned()), ..Place::default() },
                original: Vec::new(),
                original_hash: None,
                bytes: 0,
            };
            let ending = Ending {
                outcome: Outcome::Held,
                reason: Some(reason.to_owned()),
                cause: Some(Reason::Decode),
                event_at: None,
                next_at: None,
            };
            let done = async {
                let run = self
                    .services
                    .begin_run(desk.start(
                        Trigger::File,
                        Some(name.to_owned()),
                        self.services.clock.now(),
                    ))
                    .await?;
                self.services.refuse(&run, vec![refusal]).await?;
                self.services.end_run(&run, ending).await
            };
            if let Err(error) = done.await {
                error!(file = %show(name), %error, "a file could not be held; it stays where it is");
                return;
            }
        }
        self.put_away(path, Some(reason)).await;
    }

    async fn import_into(
        &mut self,
        at: usize,
        found: &Found,
        stop: &CancellationToken,
    ) -> Result<Became, StoreError> {
        let Some(desk) = self.desks.get_mut(at) else { return Ok(Became::Had) };
        let (feed, hash) = (desk.feed.id.clone(), found.hash.clone());
        let had =
            self.services.store.cache.call(move |cache| cache.run_of_file(&feed, &hash)).await?;
        if let Some(run) = had {
            let reason = Some(format!("the same content as run {run} brought"));
            let ending = Ending {
                outcome: Outcome::Unchanged,
                reason,
                cause: None,
                event_at: None,
                next_at: None,
            };
            self.record(at, ending, Some(found.name.clone())).await;
            return Ok(Became::Had);
        }
        let start = desk.start(Trigger::File, Some(found.name.clone()), self.services.clock.now());
        let mut run = self.services.begin_run(start).await?;
        let read = desk.read(&self.services, &mut run, found, stop).await;
        let settled = match read {
            Ok(()) => desk.finish(&self.services, &mut run, vec![found.end()]).await,
            Err(trouble) => Err(trouble),
        };
        let feed = desk.feed.id.clone();
        self.services.store.cache.call(move |cache| cache.end(&feed)).await?;
        let trouble = match settled {
            Ok(()) => {
                let ending = Ending::of_balance(&run.counts());
                self.services.end_run(&run, ending).await?;
                return Ok(Became::Had);
            }
            Err(trouble) => trouble,
        };
        if matches!(
            trouble,
            Trouble::Decode { .. }
                | Trouble::TooManyRefused
                | Trouble::Store(StoreError::Layout(_))
        ) {
            let reason = trouble.text();
            hold(&self.services, &mut run, found, &trouble).await?;
            return Ok(Became::Held(reason));
        }
        if let Trouble::Store(error) = &trouble {
            self.services
                .report_health(&self.connection.id, trouble.result(), Some(error.to_string()))
                .await;
        }
        run.cached = Counts::default();
        self.services.end_run(&run, Ending::of_trouble(&trouble)).await?;
        Ok(Became::Later)
    }

    /// A resync of a feed of files: the folder is looked through, and in full every content had is read again.
    async fn obey(&mut self, order: Order, stop: &CancellationToken) {
        let Some(desk) = self.desks.iter_mut().find(|desk| desk.feed.id == order.feed) else {
            return;
        };
        let start = RunStart {
            actor: Some(order.actor),
            full: order.full,
            ..desk.start(Trigger::Person, None, self.services.clock.now())
        };
        let mut run = match self.services.begin_run(start).await {
            Ok(run) => run,
            Err(problem) => {
                // An operator who went away has no use for the answer.
                let _ = order.reply.send(Err(failed("the resync was not begun", &problem)));
                return;
            }
        };
        let _ = order.reply.send(Ok(run.id));
        self.watch.rescan();
        let ended = if order.full {
            desk.read_again(&self.services, &mut run, stop)
                .await
                .map(|()| Ending::of_balance(&run.counts()))
        } else {
            let reason = Some(
                "the folder is looked through; each complete file becomes a run of its own"
                    .to_owned(),
            );
            Ok(Ending {
                outcome: Outcome::Unchanged,
                reason,
                cause: None,
                event_at: None,
                next_at: None,
            })
        };
        let ending = ended.unwrap_or_else(|trouble| {
            run.cached = Counts::default();
            Ending::of_trouble(&trouble)
        });
        let feed = order.feed;
        let forgotten = self.services.store.cache.call(move |cache| cache.end(&feed)).await;
        if let Err(error) = forgotten.and(self.services.end_run(&run, ending).await) {
            error!(run = %run.id, %error, "a resync could not be written down");
        }
    }
}

impl Desk {
    fn wants(&self, name: &str) -> bool {
        matches!(&self.feed.origin, Origin::Files(glob) if glob.is_match(name))
    }

    fn start(&self, trigger: Trigger, file: Option<String>, at: jiff::Timestamp) -> RunStart {
        RunStart { feed: self.feed.id.clone(), trigger, at, actor: None, full: false, file }
    }

    /// Reads a file beside the live table, and keeps its original meanwhile.
    async fn read(
        &mut self,
        services: &Services,
        run: &mut Run,
        found: &Found,
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        if found.bytes > FILE_MAX {
            let text = "the file is larger than 8 GiB; have it split".to_owned();
            return Err(Trouble::decode(show(&found.name), DecodeError::Format(text)));
        }
        run.bytes = found.bytes;
        let (path, format) = (found.path.clone(), format_of(&self.feed, &found.name));
        let sample = path.clone();
        let infer = move |feed: &Feed| {
            intake::infer(feed, format, std::fs::File::open(sample).map_err(DecodeError::Io)?)
        };
        let shaper = self.columns.shaper(services, run.id, &show(&found.name), infer).await?;
        self.begin(services, run.id).await?;
        let original = if services.store.originals.has(&found.hash) {
            None
        } else {
            Some(services.store.originals.incoming()?)
        };
        let hash = found.hash.clone();
        let source = move || {
            let taken = Taken::open(&path).map_err(|error| Trouble::File(error.to_string()))?;
            let tee = Tee {
                file: taken.file.try_clone().map_err(|error| Trouble::File(error.to_string()))?,
                original,
            };
            Ok((tee, move |tee: Tee| {
                if !taken.is_unchanged(&path) {
                    return Err(Trouble::File(TakeError::PutOff.to_string()));
                }
                let kept = tee.original.map(Incoming::keep).transpose()?;
                if kept.is_some_and(|kept| kept.hash != hash) {
                    return Err(Trouble::File(TakeError::PutOff.to_string()));
                }
                Ok(())
            }))
        };
        self.load(services, run, shaper, format, &found.name, source, stop).await
    }

    /// Reads every original that the feed has had again, oldest first, as one run.
    async fn read_again(
        &mut self,
        services: &Services,
        run: &mut Run,
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        let feed = self.feed.id.clone();
        let files = services.store.cache.call(move |cache| cache.files(&feed)).await?;
        if files.is_empty() {
            return Ok(());
        }
        let nothing = |_: &Feed| Err(DecodeError::Layout("the feed has no columns yet".to_owned()));
        let shaper = self.columns.shaper(services, run.id, "the feed", nothing).await?;
        self.begin(services, run.id).await?;
        for file in &files {
            let (originals, hash) = (services.store.originals.clone(), file.hash.clone());
            let source = move || Ok((originals.open(&hash)?, |_| Ok(())));
            let format = format_of(&self.feed, &file.name);
            self.load(services, run, Arc::clone(&shaper), format, &file.name, source, stop).await?;
            run.pages += 1;
        }
        self.finish(services, run, files).await
    }

    async fn begin(&self, services: &Services, run: RunId) -> Result<(), StoreError> {
        let feed = self.feed.id.clone();
        services.store.cache.call(move |cache| cache.begin_file(&feed, run)).await
    }

    /// Joins what was loaded to the live table, in one step.
    async fn finish(
        &self,
        services: &Services,
        run: &mut Run,
        files: Vec<FileEnd>,
    ) -> Result<(), Trouble> {
        let (feed, at) = (self.feed.id.clone(), services.clock.now());
        run.cached =
            services.store.cache.call(move |cache| cache.finish_files(&feed, &files, at)).await?;
        Ok(())
    }

    /// Reads what `source` opens on one thread, and writes on the store's: each works while the other does. What
    /// `source` gives beside the bytes has the last word when they have been read.
    #[expect(
        clippy::too_many_arguments,
        reason = "what is read, as what, from where, and for whom"
    )]
    async fn load<R, S, E>(
        &self,
        services: &Services,
        run: &mut Run,
        shaper: Arc<Shaper>,
        format: Format,
        name: &str,
        source: S,
        stop: &CancellationToken,
    ) -> Result<(), Trouble>
    where
        R: Read,
        S: FnOnce() -> Result<(R, E), Trouble> + Send + 'static,
        E: FnOnce(R) -> Result<(), Trouble>,
    {
        let (pieces, mut taken) = mpsc::channel::<Piece>(PIECES);
        let (feed, seed) = (Arc::clone(&self.feed), services.store.seed);
        let origins = Origins { file: Some(name.to_owned()), page: None };
        let place = show(name).into_owned();
        let reading = tokio::task::spawn_blocking(move || {
            let (mut bytes, last_word) = source()?;
            let intake =
                Intake { feed: &feed, shaper: &shaper, format, seed, origins, split: true };
            let hand_over =
                |piece| if pieces.blocking_send(piece).is_ok() { Flow::More } else { Flow::Stop };
            intake.read(&mut bytes, hand_over).map_err(|error| match error {
                DecodeError::Io(error) => Trouble::File(format!("{place}: {error}")),
                error => Trouble::decode(place, error),
            })?;
            // What stands behind the last record belongs to the original too.
            io::copy(&mut bytes, &mut io::sink())
                .map_err(|error| Trouble::File(error.to_string()))?;
            last_word(bytes)
        });
        let mut written = Ok(());
        while let Some(piece) = taken.recv().await {
            written = if stop.is_cancelled() {
                Err(Trouble::Stopped)
            } else {
                self.keep(services, run, piece).await
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
        written.and(read)
    }

    async fn keep(
        &self,
        services: &Services,
        run: &mut Run,
        Piece { batch, refused }: Piece,
    ) -> Result<(), Trouble> {
        let counted = run.count_refused(refused.len());
        services.refuse(run, refused).await?;
        counted?;
        let (feed, at) = (self.feed.id.clone(), services.clock.now());
        run.cached = services.store.cache.call(move |cache| cache.load(&feed, &batch, at)).await?;
        services.show_progress(run);
        Ok(())
    }
}

impl Found {
    fn end(&self) -> FileEnd {
        FileEnd { hash: self.hash.clone(), name: self.name.clone() }
    }
}

/// Holds a whole file: its original is kept, and one item in quarantine stands for all of it.
async fn hold(
    services: &Services,
    run: &mut Run,
    found: &Found,
    trouble: &Trouble,
) -> Result<(), StoreError> {
    let (originals, path) = (services.store.originals.clone(), found.path.clone());
    let kept = tokio::task::spawn_blocking(move || {
        let mut original = originals.incoming()?;
        let copied =
            std::fs::File::open(&path).and_then(|mut file| io::copy(&mut file, &mut original));
        copied.map_err(|source| StoreError::Io { path, source })?;
        original.keep()
    });
    let kept = kept.await.map_err(|_| StoreError::Closed)??;
    let line = match trouble {
        Trouble::Decode { error: DecodeError::RowTooLong { line }, .. } => Some(*line),
        Trouble::Decode { error: DecodeError::Truncated { line, .. }, .. } => Some(*line as u64),
        _ => None,
    };
    let refusal = Refusal {
        kind: Kind::File,
        reason: trouble.text(),
        place: Place { file: Some(found.name.clone()), line, ..Place::default() },
        original: Vec::new(),
        original_hash: Some(kept.hash),
        bytes: kept.bytes,
    };
    let (feed, id) = (run.start.feed.clone(), run.id);
    services.store.ledger.call(move |ledger| ledger.take_back(&feed, id)).await?;
    services.refuse(run, vec![refusal]).await?;
    (run.cached, run.refused) = (Counts::default(), 0);
    info!(feed = %run.start.feed, run = %run.id, file = %show(&found.name), "file held");
    let ending = Ending { outcome: Outcome::Held, ..Ending::of_trouble(trouble) };
    services.end_run(run, ending).await
}

/// Reads a file once: its hash and its length.
fn look(path: &Path) -> Result<(String, u64), TakeError> {
    let mut taken = Taken::open(path)?;
    let (mut hasher, mut buffer, mut bytes) = (blake3::Hasher::new(), vec![0; CHUNK], 0);
    loop {
        let read = taken.file.read(&mut buffer).map_err(TakeError::Unreadable)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
    if bytes != taken.bytes || !taken.is_unchanged(path) {
        return Err(TakeError::PutOff);
    }
    Ok((hasher.finalize().to_hex().to_string(), bytes))
}

/// The format that the feed says, or the file's name.
fn format_of(feed: &Feed, name: &str) -> Format {
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    feed.format.unwrap_or(match ending.as_str() {
        "json" => Format::Json,
        "ndjson" | "jsonl" => Format::Ndjson,
        _ => Format::Csv,
    })
}

/// A file's bytes, on their way to the decoder and to the original at once.
struct Tee {
    file: std::fs::File,
    original: Option<Incoming>,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if let Some(original) = &mut self.original {
            original.write_all(buffer.get(..read).unwrap_or_default())?;
        }
        Ok(read)
    }
}

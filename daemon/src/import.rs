//! One task an import folder: takes each complete file, reads it into the feeds that it belongs to, and puts it away.
//!
//! A file is read twice: once for its hash, which tells whether its content was had before, and once into the bank, while
//! its original is kept. It is moved only when all of that is safe (promise 4).

use std::{
    collections::HashMap,
    io::{self, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use marsad_shared::{
    connection::Connection,
    feed::Feed,
    health::{PollResult, Reason},
    protocol::EventKind,
    run::{Counts, Trigger},
    store::{
        StoreError,
        cache::{FileEnd, LatestFile},
        ledger::RunStart,
        originals::Hold,
    },
    untrusted::show,
};
use ring::digest;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    columns::Columns,
    decide::{Decided, decide, released_as},
    run::Ending,
    services::{Decide, Order, Scope, Services, Settle},
    socket::problem::{conflict, failed},
    source::folder::{FILE_MAX, Marker, News, Stamp, TakeError, Taken, Watch},
    trouble::Trouble,
};

mod desk;
mod group;
mod hold;
mod packed;
mod proposal;
mod replay;
mod stuck;
mod tee;
mod text;

use desk::{Desk, Load};
use hold::hold;
use stuck::Stuck;

/// How often a folder that is well, or one that is not, is reported.
const REPORT: Duration = Duration::from_mins(1);
/// Where our own trouble kept a file from the bank, all of them are tried again behind it.
const AGAIN: Duration = Duration::from_secs(5);
/// How often the same is said of one file that stays where it is.
const TELL: Duration = Duration::from_mins(30);
/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// How a folder is: it can be read, with what somebody should know all the same, or it cannot.
type How = Result<Option<String>, ()>;

/// What imports one folder.
pub struct Importer {
    services: Arc<Services>,
    connection: Arc<Connection>,
    folder: PathBuf,
    desks: Vec<Desk>,
    orders: mpsc::Receiver<Box<Order>>,
    watch: Watch,
    marker: Option<Marker>,
    reported_at: Option<(How, Instant)>,
    /// Files of which something was said that need not be said at every scan.
    told: HashMap<PathBuf, Instant>,
    /// Our own trouble keeps files from the bank, or from being moved; nothing was well since.
    troubled: bool,
    /// Files that are dealt with and could not be moved: they are moved when they can be, and not read again.
    stuck: HashMap<PathBuf, Stuck>,
}

/// A file that was looked at once.
struct Found {
    path: PathBuf,
    name: String,
    hash: String,
    stamp: Stamp,
    #[expect(dead_code, reason = "its original stays until it is written down that it is needed")]
    hand: Hold,
}

/// What became of a file in one feed.
enum Became {
    /// In the bank, or there already.
    Had,
    /// Not what the feed expects: the whole file waits for a person.
    Held(String),
    /// It changed, or the daemon stops: it stays where it is and is taken again.
    Later,
    /// The same, for something of ours that keeps the next one from the bank too.
    Broken,
}

impl Became {
    const fn of(trouble: &Trouble) -> Self {
        if matches!(trouble, Trouble::Store(_)) { Self::Broken } else { Self::Later }
    }
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
        let marker = connection.marker.as_deref().map(Marker::new);
        let watch = Watch::new(folder.clone(), connection.settle, marker.clone());
        let desks = feeds
            .into_iter()
            .map(|feed| Desk { columns: Columns::new(Arc::clone(&feed)), feed, memo: None })
            .collect();
        Self {
            services,
            connection,
            folder,
            desks,
            orders,
            watch,
            marker,
            reported_at: None,
            told: HashMap::new(),
            troubled: false,
            stuck: HashMap::new(),
        }
    }

    /// Imports until `stop`. A file's fault is a run that says so, not an `Err`.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(order) = self.orders.recv() => self.obey(*order, &stop).await,
                news = self.watch.next() => match news {
                    News::Complete(path) => {
                        let mut paths = self.watch.more(group::GROUP - 1);
                        paths.insert(0, path);
                        self.import_all(paths, &stop).await;
                    }
                    News::Scanned => self.well().await,
                    News::Unreadable(error) => self.unreadable(&error).await,
                },
            }
        }
    }

    async fn well(&mut self) {
        self.move_stuck().await;
        if self.troubled {
            if self.watch.has_files() || !self.stuck.is_empty() {
                return;
            }
            // Whatever it was about is gone.
            self.recovered();
        }
        let wants = |name: &str| self.desks.iter().any(|desk| desk.wants(name));
        let note = self.watch.note(wants);
        if self.is_due(Ok(note.clone())) {
            self.services.report_well(&self.connection.id, note).await;
        }
    }

    /// Something went as it should: that the folder is well is said again at once.
    fn recovered(&mut self) {
        if std::mem::replace(&mut self.troubled, false) {
            self.reported_at = None;
        }
    }

    async fn unreadable(&mut self, error: &io::Error) {
        if !self.is_due(Err(())) {
            return;
        }
        let remedy = match error.kind() {
            io::ErrorKind::TimedOut => "look after the server that it lies on",
            _ => "make it, or let marsadd read it",
        };
        let folder = self.folder.to_string_lossy();
        let folder = show(&folder);
        let trouble = Trouble::File(format!("cannot read the folder {folder} ({error}); {remedy}"));
        self.services
            .report_health(&self.connection.id, trouble.result(), Some(trouble.text()))
            .await;
        for at in 0..self.desks.len() {
            self.record(at, Ending::of_trouble(&trouble), None).await;
        }
    }

    /// Whether it is time to say how the folder is: at once when that changed.
    fn is_due(&mut self, how: How) -> bool {
        let now = Instant::now();
        let due =
            self.reported_at.as_ref().is_none_or(|(was, at)| *was != how || now >= *at + REPORT);
        if due {
            self.reported_at = Some((how, now));
        }
        due
    }

    /// Whether something was said of this file a short while ago; from now on it was.
    fn was_told(&mut self, path: &Path) -> bool {
        let now = Instant::now();
        self.told.retain(|_, at| now < *at + TELL);
        let told = self.told.contains_key(path);
        if !told {
            self.told.insert(path.to_owned(), now);
        }
        told
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
        let end = ending.at(at, 0, 0, Counts::default());
        if let Err(error) = self.services.record_run(start, end).await {
            error!(feed = %desk.feed.id, %error, "a run could not be written down");
        }
    }

    /// Imports one file. Broken off where the trouble is ours: what came behind it must not come before it.
    async fn import(&mut self, path: &Path, stop: &CancellationToken) -> ControlFlow<()> {
        const ON: ControlFlow<()> = ControlFlow::Continue(());
        if self.stuck.get(path).is_some_and(|stuck| stuck.is_at(path)) {
            // Dealt with: it is moved when the folder has been looked through, if it can be.
            return ON;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let wanted: Vec<usize> = (0..self.desks.len())
            .filter(|&at| self.desks.get(at).is_some_and(|desk| desk.wants(&name)))
            .collect();
        if wanted.is_empty() {
            if !self.was_told(path) {
                warn!(connection = %self.connection.id, file = %show(&name), "no feed reads such a file; it stays where it is");
            }
            return ON;
        }
        let (at, marker) = (path.to_owned(), self.marker.clone());
        let looked = tokio::task::spawn_blocking(move || look(&at, marker.as_ref())).await;
        let (hash, stamp) = match looked.unwrap_or(Err(TakeError::PutOff)) {
            Ok(found) => found,
            Err(TakeError::PutOff) => return ON,
            Err(odd @ (TakeError::Odd(_) | TakeError::Unlike(_))) => {
                self.hold_unread(path, &name, &wanted, &odd.to_string()).await;
                return ON;
            }
            Err(TakeError::Unreadable(_)) if self.was_told(path) => return ON,
            Err(TakeError::Unreadable(error)) => {
                let trouble = Trouble::File(format!(
                    "cannot read {} ({error}); let marsadd read it",
                    show(&name)
                ));
                for at in wanted {
                    self.record(at, Ending::of_trouble(&trouble), Some(name.clone())).await;
                }
                return ON;
            }
        };
        let hand = self.services.store.originals.hold(&hash);
        let found = Found { path: path.to_owned(), name, hash, stamp, hand };
        let mut held = None;
        for at in wanted {
            match self.import_into(at, &found, stop).await {
                Ok(Became::Had) => {}
                Ok(Became::Held(reason)) => held = Some(reason),
                Ok(Became::Later) => return ON,
                Ok(Became::Broken) => return ControlFlow::Break(()),
                Err(error) => {
                    error!(file = %show(&found.name), %error, "a file could not be imported; it stays where it is and is tried again");
                    self.services
                        .report_health(
                            &self.connection.id,
                            PollResult::Local(Reason::Disk),
                            Some(error.to_string()),
                        )
                        .await;
                    return ControlFlow::Break(());
                }
            }
        }
        self.put_away(found.path, Stuck { stamp: found.stamp, held }).await;
        ON
    }

    async fn import_into(
        &mut self,
        at: usize,
        found: &Found,
        stop: &CancellationToken,
    ) -> Result<Became, StoreError> {
        let Some(desk) = self.desks.get_mut(at) else { return Ok(Became::Had) };
        let feed = desk.feed.id.clone();
        let last = self.services.store.cache.call(move |cache| cache.latest_file(&feed)).await?;
        if let Some(LatestFile { run, .. }) =
            last.filter(|last| last.hash == found.hash && !last.upset)
        {
            desk.columns.pass(&self.services).await?;
            let reason = Some(format!("the same content as run {run} brought"));
            let ending = Ending::unchanged(reason);
            self.record(at, ending, Some(found.name.clone())).await;
            return Ok(Became::Had);
        }
        let start = desk.start(Trigger::File, Some(found.name.clone()), self.services.clock.now());
        let mut run = self.services.begin_run(start).await?;
        let mut load = Load::default();
        let read = desk.read(&self.services, &mut run, found, &mut load, stop).await;
        let beside = load.is_beside();
        let settled = match read {
            Ok(()) => {
                let brake = Some(desk.feed.keeping.brake);
                desk.finish(&self.services, &mut run, load, vec![found.end()], brake, stop).await
            }
            Err(trouble) => Err(trouble),
        };
        let feed = desk.feed.id.clone();
        if (beside || settled.is_err())
            && let Err(error) = self.services.store.cache.call(move |cache| cache.end(&feed)).await
        {
            // On a full disk this fails too; the run is ended all the same, and the next one clears up first.
            warn!(feed = %desk.feed.id, %error, "what a run had loaded could not be dropped");
        }
        let trouble = match settled {
            Ok(note) => {
                let noted = desk.columns.note(&self.services, &run, &[]).await;
                let ending = Ending::of_whole(&run).noting(note);
                let ending = ending.noting(std::mem::take(&mut run.remarks));
                let ending = ending.noting(run.beside.notes(&desk.feed.cover)).noting(noted);
                self.services.end_run(&run, ending).await?;
                return Ok(Became::Had);
            }
            Err(trouble) => trouble,
        };
        let is_no_good = matches!(
            trouble,
            Trouble::Decode { .. } | Trouble::Store(StoreError::Layout(_) | StoreError::Braked(_))
        );
        let trouble = if is_no_good {
            let held = match desk.columns.try_note(&self.services, &run, trouble.drift()).await {
                Ok(_) => hold(&self.services, &mut run, found, &trouble).await,
                Err(error) => Err(error.into()),
            };
            match held {
                Ok(()) => return Ok(Became::Held(trouble.text())),
                // What keeps it from being held is ours, or the file changed: it stays where it is.
                Err(trouble) => trouble,
            }
        } else {
            trouble
        };
        if let Trouble::Store(error) = &trouble {
            self.services
                .report_health(&self.connection.id, trouble.result(), Some(error.to_string()))
                .await;
        }
        run.cached = Counts::default();
        self.services.end_run(&run, Ending::of_trouble(&trouble)).await?;
        Ok(Became::of(&trouble))
    }

    /// Does what a person decided about a run.
    async fn decide_run(&self, order: Decide, stop: &CancellationToken) {
        let Some(desk) = self.desks.iter().find(|desk| desk.feed.id == order.feed) else { return };
        let said = match decide(&self.services, &desk.feed, &order, stop).await {
            Ok(Decided::Done(said)) => Ok(said),
            Ok(Decided::ReadAgain) => match self.release_file(desk, &order, stop).await {
                Ok(again) => released_as(&self.services, &order, again).await,
                Err(problem) => Err(problem),
            },
            Err(problem) => Err(problem),
        };
        let now = self.services.clock.now();
        self.services.events.tell(now, EventKind::Run, Some(order.run.to_string()));
        // An operator who went away has no use for the answer.
        drop(order.reply.send(said));
    }

    /// A decision of a feed's columns.
    async fn settle_columns(&mut self, order: Settle) {
        if let Some(desk) = self.desks.iter_mut().find(|desk| desk.feed.id == order.feed) {
            desk.columns.decide(&self.services, order).await;
        }
    }

    /// A resync of a feed of files: the folder is looked through, and in full every content had is read again.
    async fn obey(&mut self, order: Order, stop: &CancellationToken) {
        let order = match order {
            Order::Resync(order) => order,
            Order::Decide(order) => return Box::pin(self.decide_run(order, stop)).await,
            Order::Replay(order) => return Box::pin(self.replay(order, stop)).await,
            Order::Rewind(order) => {
                let why = "files have no cursor: each is read once, whole";
                let remedy = "to read them again: marsad resync FEED --full";
                // An operator who went away has no use for the answer.
                let _ = order.reply.send(Err(conflict("the cursor was not moved", why, remedy)));
                return;
            }
            Order::Settle(order) => return self.settle_columns(order).await,
        };
        let Some(desk) = self.desks.iter_mut().find(|desk| desk.feed.id == order.feed) else {
            return;
        };
        if order.reply.is_closed() {
            // Withdrawn while it waited: whoever ordered it has been told so.
            return;
        }
        let start = RunStart {
            actor: Some(order.actor),
            full: order.scope == Scope::Full,
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
        let cancel = self.services.cancels.open(run.id, stop);
        let ended = if order.scope == Scope::Full {
            desk.read_again(&self.services, &mut run, cancel.stop())
                .await
                .map(|note| Ending::of_whole(&run).noting(note))
                .map(|ending| ending.noting(run.beside.notes(&desk.feed.cover)))
        } else {
            let reason = Some(
                "the folder is looked through; each complete file becomes a run of its own"
                    .to_owned(),
            );
            Ok(Ending::unchanged(reason))
        };
        let held = ended.as_ref().err().map_or_else(Vec::new, |trouble| trouble.drift().to_vec());
        let noted = desk.columns.note(&self.services, &run, &held).await;
        let ending = ended.unwrap_or_else(|trouble| {
            run.cached = Counts::default();
            Ending::of_trouble(&match (trouble, cancel.by()) {
                (Trouble::Stopped, Some(by)) => {
                    Trouble::Cancelled(by.to_owned(), "nothing of it is in the bank")
                }
                (trouble, _) => trouble,
            })
        });
        let ending = ending.noting(noted);
        let feed = order.feed;
        let forgotten = self.services.store.cache.call(move |cache| cache.end(&feed)).await;
        if let Err(error) = forgotten.and(self.services.end_run(&run, ending).await) {
            error!(run = %run.id, %error, "a resync could not be written down");
        }
    }
}

impl Found {
    fn end(&self) -> FileEnd {
        FileEnd { hash: self.hash.clone(), name: self.name.clone() }
    }
}

/// Reads a file once: its hash, and what tells that it is still the same. Where its marker holds a sum, that is its own.
fn look(path: &Path, marker: Option<&Marker>) -> Result<(String, Stamp), TakeError> {
    let mut taken = Taken::open(path)?;
    if taken.bytes > FILE_MAX {
        return Err(TakeError::Unlike("the file is larger than 8 GiB; have it split"));
    }
    let (mut hasher, mut buffer, mut bytes) = (blake3::Hasher::new(), vec![0; CHUNK], 0);
    let mut sum = marker.map(|_| digest::Context::new(&digest::SHA256));
    loop {
        let read = taken.file.read(&mut buffer).map_err(TakeError::Unreadable)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        let piece = buffer.get(..read).unwrap_or_default();
        hasher.update(piece);
        if let Some(sum) = &mut sum {
            sum.update(piece);
        }
    }
    if bytes != taken.bytes || !taken.is_unchanged(path) {
        return Err(TakeError::PutOff);
    }
    if let (Some(marker), Some(sum)) = (marker, sum) {
        marker.check(path, sum.finish().as_ref())?;
    }
    Ok((hasher.finalize().to_hex().to_string(), taken.stamp))
}

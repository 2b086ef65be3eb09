//! One run over a partner's pages: fetch, decode, shape, check, cache; each page whole with its position, or not at all.

use std::{fmt::Write as _, pin::pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use marsad_shared::{
    brake::{SAMPLES, Volume},
    feed::{Feed, Field, Origin},
    health::PollResult,
    id::RunId,
    protocol::{EventKind, Running},
    request::Request,
    run::{Counts, Outcome, Trigger},
    store::{StoreError, cache::Position, ledger::RunStart},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{
    columns::Columns,
    run::{Ending, is_awaited},
    services::{Rewind, Scope, Services, Settle},
    socket::problem::failed,
    source::{
        fault::FetchError,
        http::{Answer, HttpSource},
    },
    trouble::Trouble,
};

mod again;
mod ahead;
mod close;
mod course;
pub(crate) mod envelope;
mod export;
mod fetch;
mod first;
mod keep;
mod landing;
mod legs;
mod notes;
mod onward;
pub(crate) mod page;
pub(crate) mod reading;
mod replay;
pub(crate) mod room;
mod spelling;
pub(crate) mod start;
mod walk;

use envelope::Envelope;
use first::{First, Head, Same, Seen};

/// What pulls the pages of one feed. It alone moves the feed's position, and so remembers it between runs.
pub struct Puller {
    pub services: Arc<Services>,
    pub feed: Arc<Feed>,
    pub source: Arc<HttpSource>,
    /// Where the file of an export comes from, if that is no place of the partner's own.
    files: Option<Arc<HttpSource>>,
    columns: Columns,
    envelope: Arc<Envelope>,
    /// As it stands in the cache; `None`: to be read there.
    position: Option<Position>,
    /// What its last good runs brought, newest first, as the ledger has them; `None`: to be read there.
    volumes: Option<Vec<Volume>>,
    /// What is asked first, as it was asked last: mostly the same again.
    first: Option<Box<First>>,
    /// A hash of how answers are read: one that was read otherwise tells nothing of whether it is the same.
    reading: u64,
    /// A hash of what the records are declared to be: see [`declared`].
    declared: u64,
    /// Whether the last read of all there is could not tell what is gone.
    pub undecided: bool,
    /// Whether what the walk under way has read is lost where it breaks off.
    starts_over: bool,
}

/// Who set a run going, and how far it is to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Errand {
    pub trigger: Trigger,
    pub actor: Option<String>,
    pub scope: Scope,
    /// Whether what it loads waits for a word.
    pub hold: bool,
    /// Whether a person has let it past the brake.
    pub free: bool,
    /// Whether all there is is read because that is due (`sweep`), to find what is gone.
    #[serde(default)]
    pub sweep: bool,
}

/// A run that may have something to read.
struct News {
    start: RunStart,
    errand: Errand,
    /// Where the feed stands.
    position: Position,
    head: Head,
}

/// How a run went, for the schedule.
#[derive(Debug)]
pub struct Pulled {
    pub started_at: Timestamp,
    pub trouble: Option<Trouble>,
}

impl Pulled {
    /// Whether it broke off because the daemon stops.
    pub fn is_stopped(&self) -> bool {
        matches!(self.trouble, Some(Trouble::Stopped))
    }
}

impl Puller {
    pub fn new(
        services: Arc<Services>,
        feed: Arc<Feed>,
        source: Arc<HttpSource>,
        files: Option<Arc<HttpSource>>,
    ) -> Self {
        let columns = Columns::new(Arc::clone(&feed));
        let Feed {
            records,
            may_lack,
            deletes,
            deleted,
            format,
            encoding,
            delimiter,
            header_row,
            key,
            version,
            fields,
            zone,
            ..
        } = &*feed;
        let mut reading = format!(
            "{records:?}{may_lack}{deletes:?}{deleted:?}{format:?}{encoding:?}{delimiter}{header_row}{key:?}{version:?}{fields:?}{:?}",
            zone.iana_name()
        );
        if let Origin::Http(request) = &feed.origin {
            // All of it but when: what is asked otherwise, or judged otherwise, is another answer.
            let Request { path, says, pagination, incremental, success, statuses, .. } = request;
            let Request { each, export, changed, .. } = request;
            let _ = write!(
                reading,
                "{path}{says:?}{pagination:?}{incremental:?}{success:?}{statuses:?}{each:?}{export:?}{changed:?}"
            );
        }
        let reading = xxh3_64(reading.as_bytes());
        let declared = declared(&feed);
        let envelope = Arc::new(match &feed.origin {
            Origin::Http(request) => Envelope::of(&feed, request),
            Origin::Files(_) => Envelope::default(),
        });
        Self {
            services,
            feed,
            source,
            files,
            columns,
            envelope,
            position: None,
            volumes: None,
            first: None,
            reading,
            declared,
            undecided: false,
            starts_over: false,
        }
    }

    /// One run. `begun` hears its number as soon as it has one; `plan` says when the feed is due after it.
    ///
    /// # Errors
    /// [`StoreError`] only if not even the run itself could be written down.
    pub async fn pull(
        &mut self,
        request: &Request,
        errand: Errand,
        begun: impl FnOnce(RunId),
        plan: impl FnOnce(Timestamp, Option<&Trouble>) -> Timestamp,
        stop: &CancellationToken,
    ) -> Result<Pulled, StoreError> {
        let started_at = self.services.clock.now();
        let position = if let Some(position) = self.position.take() {
            position
        } else {
            let id = self.feed.id.clone();
            let read = self.services.store.cache.call(move |cache| cache.position(&id));
            Box::pin(read).await?
        };
        let start = RunStart {
            feed: self.feed.id.clone(),
            trigger: errand.trigger,
            at: started_at,
            actor: errand.actor.clone(),
            full: errand.scope == Scope::Full,
            file: None,
        };
        // What a person ordered has its number at once; a scheduled run needs none if nothing changed.
        let by_hand = errand.trigger == Trigger::Person || errand.scope != Scope::Incremental;
        let seen = if by_hand {
            None
        } else {
            let looked = self.looked(request, &position, &start, stop).await;
            // Nothing was begun that would have to end: the next start looks again.
            let Some(seen) = looked else {
                return Ok(Pulled { started_at, trouble: Some(Trouble::Stopped) });
            };
            seen
        };
        let head = match seen {
            Some(Ok(Seen::Unchanged(Same { rows, bytes, anew, as_of }))) => {
                // In memory alone: behind a restart it says the same again.
                let validators = anew.or(position.validators);
                self.position = Some(Position { validators, ..position });
                Box::pin(self.columns.pass(&self.services)).await?;
                let next_at = Some(plan(started_at, None));
                let ending = Ending { next_at, came_at: as_of, ..Ending::unchanged(None) };
                let counts = Counts { received: rows, unchanged: rows, ..Counts::default() };
                let end = ending.at(self.services.clock.now(), 1, bytes, counts);
                self.count_volume(end.outcome, end.pages, rows);
                self.services.record_run(start, end).await?;
                return Ok(Pulled { started_at, trouble: None });
            }
            Some(Err(error)) => {
                self.position = Some(position);
                let trouble = Trouble::Fetch(error);
                let next_at = Some(plan(started_at, Some(&trouble)));
                let ending = Ending { next_at, ..Ending::of_trouble(&trouble) };
                let end = ending.at(self.services.clock.now(), 0, 0, Counts::default());
                self.services.record_run(start, end).await?;
                return Ok(Pulled { started_at, trouble: Some(trouble) });
            }
            Some(Ok(Seen::New(head))) => head,
            None => Head::default(),
        };
        // Apart, because most runs find nothing new, and what they do has to be small.
        let news = News { start, errand, position, head };
        Box::pin(self.read_news(request, news, begun, plan, stop)).await
    }

    /// The first look of a scheduled run, until it is to stop. One that takes long is seen under way, though it has no number.
    async fn looked(
        &mut self,
        request: &Request,
        position: &Position,
        start: &RunStart,
        stop: &CancellationToken,
    ) -> Option<Option<Result<Seen, FetchError>>> {
        let services = Arc::clone(&self.services);
        let mut look = pin!(stop.run_until_cancelled(self.unchanged(request, position)));
        if let Some(seen) = stop.run_until_cancelled(services.starts.begin(&mut look)).await? {
            return seen;
        }
        if let Ok(seen) = timeout(LONG, &mut look).await {
            return seen;
        }
        let tell = || {
            let feed = Some(start.feed.to_string());
            services.events.tell(services.clock.now(), EventKind::Feed, feed);
        };
        services.progress.set(Running {
            feed: start.feed.clone(),
            run: None,
            trigger: start.trigger,
            started_at: start.at,
            pages: 0,
            rows: 0,
            bytes: 0,
            total: None,
        });
        tell();
        let seen = look.await;
        services.progress.clear(&start.feed, None);
        tell();
        seen
    }

    /// A run with its number: from where the feed stands, or behind the answer that showed something new.
    async fn read_news(
        &mut self,
        request: &Request,
        News { start, errand, position, head }: News,
        begun: impl FnOnce(RunId),
        plan: impl FnOnce(Timestamp, Option<&Trouble>) -> Timestamp,
        stop: &CancellationToken,
    ) -> Result<Pulled, StoreError> {
        let started_at = start.at;
        let swept = errand.sweep.then(|| notes::SWEPT.to_owned());
        let run = self.services.begin_run(start).await?;
        begun(run.id);
        let cancel = self.services.cancels.open(run.id, stop);
        let (mut run, ended) =
            Box::pin(self.walk(request, errand, run, position, head, cancel.stop())).await;
        let ended = ended.map_err(|trouble| match (trouble, cancel.by()) {
            (Trouble::Stopped, Some(by)) => Trouble::Cancelled(by.to_owned(), LEFT),
            (trouble, _) => trouble,
        });
        let (ending, trouble) = match ended {
            Ok(ending) => (ending, None),
            Err(trouble) => (Ending::of_trouble(&trouble), Some(trouble)),
        };
        let drift = trouble.as_ref().map_or(&[][..], Trouble::drift);
        let noted = Box::pin(self.columns.note(&self.services, &run, drift)).await;
        let next_at = Some(plan(started_at, trouble.as_ref()));
        if self.position.is_none() {
            self.forget_reading().await;
        }
        run.start.at = started_at;
        let ending = Ending { next_at, ..ending.noting(swept).noting(noted) };
        self.count_volume(ending.outcome, run.pages, run.counts().received);
        if is_awaited(&run.start) {
            self.services.end_run(&run, ending).await?;
        } else {
            self.services.end_soon(run, ending).await?;
        }
        Ok(Pulled { started_at, trouble })
    }

    /// Somebody else may have moved the feed's position, or decided about a run: all of it is read anew.
    pub fn forget(&mut self) {
        (self.position, self.volumes) = (None, None);
    }

    /// Remembers how much a run brought, where it is one that later ones are compared with.
    fn count_volume(&mut self, outcome: Outcome, pages: u64, received: u64) {
        if let Some(volumes) = &mut self.volumes
            && outcome.is_good()
            && pages > 0
        {
            volumes.truncate(SAMPLES - 1);
            volumes.insert(0, Volume { rows: received, let_past: false });
        }
    }

    /// Sets the cursor back as a person ordered. What was remembered of the position is read anew.
    pub async fn rewind(&mut self, order: Rewind) {
        let Rewind { to, reason, actor, reply } = order;
        let (id, at) = (self.feed.id.clone(), self.services.clock.now());
        self.position = None;
        let set = self.services.store.cache.call(move |cache| {
            let walk = cache.position(&id)?.walk;
            cache.rewind(&id, to.as_deref(), at, &reason, &actor).map(|()| walk)
        });
        let set = set.await.map_err(|error| failed("the cursor was not moved", &error));
        let (set, walk) = match set {
            Ok(walk) => (Ok(()), walk),
            Err(problem) => (Err(problem), None),
        };
        self.services.events.tell(at, EventKind::Feed, Some(self.feed.id.to_string()));
        // An operator who went away has no use for the answer.
        let _ = reply.send(set);
        if let (Origin::Http(request), Some(walk)) = (&self.feed.origin, walk) {
            self.take_back_of(request, &walk).await;
        }
    }

    /// Takes a person's decision of columns up. What was remembered of answers is of other columns.
    pub async fn settle_columns(&mut self, order: Settle) {
        self.position = None;
        self.columns.decide(&self.services, order).await;
        let (at, feed) = (self.services.clock.now(), self.feed.id.to_string());
        self.services.events.tell(at, EventKind::Feed, Some(feed));
    }

    /// What the cache knows of a run under way is dropped with it.
    async fn forget_reading(&self) {
        let (id, feed) = (self.feed.id.clone(), self.feed.id.clone());
        let told = move |ended: Result<(), StoreError>| {
            if let Err(error) = ended {
                warn!(%feed, %error, "what a run knew could not be dropped");
            }
        };
        // A cache that is closed knows nothing any more.
        let _ = self.services.store.cache.cast(move |cache| cache.end(&id), told).await;
    }

    /// What an answer of `url`, read as this feed is, is remembered by.
    fn url_hash(&self, url: &url::Url) -> u64 {
        xxh3_64_with_seed(url.as_str().as_bytes(), self.reading)
    }

    fn pace(&self, answer: &Answer) -> PollResult {
        let (took, slow) = (answer.first_byte, self.source.http.slow);
        if took > slow {
            PollResult::Slow
        } else {
            PollResult::Ok { near_limit: took * 5 > slow * 4 }
        }
    }
}

/// What the records of a feed are declared to be, as a hash: where they come from, what is asked for them, and what of them
/// stands in which column. Where another version of ours words it otherwise, they are read once more. Headers are not in it:
/// they prove who asks, which changes.
fn declared(feed: &Feed) -> u64 {
    let mut text = feed.zone.iana_name().unwrap_or_default().to_owned();
    let Feed { records, deletes, deleted, encoding, .. } = feed;
    let _ = write!(text, "\n{records:?} {deletes:?} {deleted:?} {encoding:?}");
    for Field { name, kind, from, format, zone, .. } in &feed.fields {
        let _ = write!(text, "\n{name} {} {from:?} {format:?} {zone:?}", kind.word());
    }
    if let Origin::Http(request) = &feed.origin {
        let Request { path, says, .. } = request;
        let _ = write!(text, "\n{path} {:?} {:?}", says.method, says.body);
    }
    xxh3_64(text.as_bytes())
}

/// A first look that takes longer is shown.
const LONG: Duration = Duration::from_secs(1);

/// What becomes of a walk that a person cancels.
const LEFT: &str = "of a full read, a window or a snapshot nothing is in the bank; of any other what it had brought stays, and the \
    next run goes on behind it";

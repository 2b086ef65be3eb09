//! One run over a partner's pages: fetch, decode, shape, check, cache; each page whole with its position, or not at all.

use std::{io::Cursor, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use marsad_shared::{
    feed::{Feed, Format, Pagination, Request},
    health::PollResult,
    id::RunId,
    run::{Counts, Outcome, Trigger},
    store::{
        StoreError,
        cache::{PageEnd, Position, Validators, Walk},
        ledger::{RunEnd, RunStart},
    },
};
use reqwest::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    columns::Columns,
    decode::{self, Flow},
    intake::{self, Intake, Origins, Piece},
    jitter::jitter,
    run::{Ending, Run},
    services::Services,
    shape::{Shaper, plain_path},
    source::{
        cursor::CursorRule,
        fault::{FetchError, shown},
        http::{Answer, HttpSource},
        walk::{Ask, Facts, Walker},
    },
    trouble::Trouble,
};

/// How often one page is asked for before the run gives up; the next run goes on at that page.
const TRIES: u32 = 4;
/// The waits between those tries.
const RETRY: marsad_shared::backoff::Backoff =
    marsad_shared::backoff::Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
/// A partner that asks us to wait longer than this ends the run; it goes on when the wait is over.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bodies up to this size are decoded where they are; larger ones on a thread that may block, in bytes.
const SMALL: usize = 32 * 1024;

/// What pulls the pages of one feed. It alone moves the feed's position, and so remembers it between runs.
pub struct Puller {
    pub services: Arc<Services>,
    pub feed: Arc<Feed>,
    pub source: Arc<HttpSource>,
    columns: Columns,
    /// As it stands in the cache; `None`: to be read there.
    position: Option<Position>,
}

/// Who set a run going, and how far it is to read.
#[derive(Clone, Debug)]
pub struct Errand {
    pub trigger: Trigger,
    pub actor: Option<String>,
    pub full: bool,
}

/// How a run went, for the schedule.
#[derive(Debug)]
pub struct Pulled {
    pub started_at: Timestamp,
    pub trouble: Option<Trouble>,
}

/// The walker's own words behind a [`Walk`].
#[derive(Debug, Serialize, Deserialize)]
struct Next {
    ask: Ask,
    /// What was asked for, as a hash: a walk of another request is not gone on with.
    of: u64,
}

/// One walk under way.
struct Course {
    run: Run,
    errand: Errand,
    /// The cursor when the walk began.
    since: Option<String>,
    best: Option<String>,
    /// Pages of the walk, of earlier runs too.
    pages_before: u64,
}

impl Puller {
    pub fn new(services: Arc<Services>, feed: Arc<Feed>, source: Arc<HttpSource>) -> Self {
        let columns = Columns::new(Arc::clone(&feed));
        Self { services, feed, source, columns, position: None }
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
            self.services.store.cache.call(move |cache| cache.position(&id)).await?
        };
        let start = RunStart {
            feed: self.feed.id.clone(),
            trigger: errand.trigger,
            at: started_at,
            actor: errand.actor.clone(),
            full: errand.full,
            file: None,
        };
        // A person's run has its number at once; a scheduled one needs none if nothing changed.
        let mut first = None;
        if errand.trigger != Trigger::Person {
            match self.unchanged(request, &position).await {
                Some(Ok(Seen::Unchanged(rows, bytes))) => {
                    self.position = Some(position);
                    let next_at = Some(plan(started_at, None));
                    self.record_unchanged(start, rows, bytes, next_at).await?;
                    return Ok(Pulled { started_at, trouble: None });
                }
                Some(Ok(Seen::New(answer))) => first = Some(answer),
                Some(Err(error)) => {
                    self.position = Some(position);
                    let trouble = Trouble::Fetch(error);
                    let next_at = Some(plan(started_at, Some(&trouble)));
                    self.record_failed(start, &trouble, next_at).await?;
                    return Ok(Pulled { started_at, trouble: Some(trouble) });
                }
                None => {}
            }
        }
        let run = self.services.begin_run(start).await?;
        begun(run.id);
        let (mut run, ended) = self.walk(request, errand, run, position, first, stop).await;
        let (ending, trouble) = match ended {
            Ok(ending) => (ending, None),
            Err(trouble) => (Ending::of_trouble(&trouble), Some(trouble)),
        };
        let next_at = Some(plan(started_at, trouble.as_ref()));
        self.forget_reading().await;
        run.start.at = started_at;
        self.services.end_run(&run, Ending { next_at, ..ending }).await?;
        Ok(Pulled { started_at, trouble })
    }

    /// What the cache knows of a run under way is dropped with it.
    async fn forget_reading(&self) {
        let id = self.feed.id.clone();
        if let Err(error) = self.services.store.cache.call(move |cache| cache.end(&id)).await {
            tracing::warn!(feed = %self.feed.id, %error, "what a run knew could not be dropped");
        }
    }

    /// Asks whether anything changed since a walk that was one page; `None`: it cannot be asked, or a walk is open.
    async fn unchanged(
        &self,
        request: &Request,
        position: &Position,
    ) -> Option<Result<Seen, FetchError>> {
        if position.walk.is_some() || !fits_one_page(&request.pagination) {
            return None;
        }
        let since = self.since(request, position.cursor.as_deref());
        let walker = Walker::new(&self.source.http.base_url, request, since.as_deref(), 0).ok()?;
        let url = walker.url(&Ask::First).ok()?;
        let known = position
            .validators
            .as_ref()
            .filter(|known| known.url == xxh3_64(url.as_str().as_bytes()));
        let answer = match self.source.get(&url, known).await {
            Ok(answer) => answer,
            // Something that a moment may cure is tried again by the walk.
            Err(FetchError::Transient { .. }) => return None,
            Err(error) => {
                self.report(error.result(), Some(error.to_string())).await;
                return Some(Err(error));
            }
        };
        self.report(self.pace(&answer), None).await;
        let bytes = answer.body.len() as u64;
        Some(Ok(match known {
            Some(known) if answer.status == StatusCode::NOT_MODIFIED => {
                Seen::Unchanged(known.rows, bytes)
            }
            Some(known) if known.body == xxh3_64(&answer.body) => {
                Seen::Unchanged(known.rows, bytes)
            }
            _ => Seen::New(answer),
        }))
    }

    async fn record_unchanged(
        &self,
        start: RunStart,
        rows: u64,
        bytes: u64,
        next_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let counts = Counts { received: rows, unchanged: rows, ..Counts::default() };
        let end = RunEnd {
            outcome: Outcome::Unchanged,
            reason: None,
            cause: None,
            at: self.services.clock.now(),
            pages: 1,
            bytes,
            counts,
            event_at: None,
            next_at,
        };
        self.services.record_run(start, end).await
    }

    async fn record_failed(
        &self,
        start: RunStart,
        trouble: &Trouble,
        next_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let end = RunEnd {
            outcome: trouble.outcome(),
            reason: Some(trouble.text()),
            cause: trouble.reason(),
            at: self.services.clock.now(),
            pages: 0,
            bytes: 0,
            counts: Counts::default(),
            event_at: None,
            next_at,
        };
        self.services.record_run(start, end).await
    }

    /// The walk itself: from where an earlier one stopped, or from the cursor, or from the beginning.
    async fn walk(
        &mut self,
        request: &Request,
        errand: Errand,
        run: Run,
        position: Position,
        first: Option<Answer>,
        stop: &CancellationToken,
    ) -> (Run, Result<Ending, Trouble>) {
        let of = xxh3_64(
            format!("{}{}{:?}", self.source.http.base_url, request.path, request.pagination)
                .as_bytes(),
        );
        let resumed =
            position.walk.as_ref().filter(|walk| walk.full || !errand.full).and_then(|walk| {
                let next: Next = serde_json::from_value(walk.next.clone()).ok()?;
                (next.of == of).then(|| (walk.clone(), next.ask))
            });
        let full = errand.full || resumed.as_ref().is_some_and(|(walk, _)| walk.full);
        let (since, best, pages_before, ask) = match resumed {
            Some((walk, ask)) => (walk.since, walk.best, walk.pages, ask),
            None if full => (None, None, 0, Ask::First),
            None => (position.cursor.clone(), None, 0, Ask::First),
        };
        let mut course =
            Course { run, errand: Errand { full, ..errand }, since, best, pages_before };
        let ended = self.pages(request, &mut course, of, ask, first, stop).await;
        (course.run, ended)
    }

    async fn pages(
        &mut self,
        request: &Request,
        course: &mut Course,
        of: u64,
        mut ask: Ask,
        mut first: Option<Answer>,
        stop: &CancellationToken,
    ) -> Result<Ending, Trouble> {
        let asked = self.since(request, course.since.as_deref());
        let base = self.source.http.base_url.clone();
        let mut walker = Walker::new(&base, request, asked.as_deref(), course.pages_before)?;
        let resumed = ask != Ask::First;
        loop {
            if stop.is_cancelled() {
                return Err(Trouble::Stopped);
            }
            let url = walker.url(&ask)?;
            let page = walker.pages + 1;
            let fetched = match first.take() {
                Some(answer) => self.page(course, answer, page, &url).await,
                None => self.fetch(course, page, &url, stop).await,
            };
            let read = match fetched {
                Ok(read) => read,
                Err(trouble) => {
                    if resumed && matches!(trouble, Trouble::Fetch(FetchError::Final { .. })) {
                        // What it gave us to go on with has died: the next run begins anew.
                        self.forget_walk().await?;
                    }
                    return Err(trouble);
                }
            };
            let facts = read.facts(&request.pagination)?;
            let next = walker.next(&ask, &facts);
            let onward = match &next {
                Ok(Some(next)) => Onward::More(Next { ask: next.clone(), of }),
                Ok(None) => Onward::Last { alone: page == 1, request },
                Err(_) => Onward::Broken,
            };
            self.keep(course, read, walker.pages, onward).await?;
            match next? {
                Some(next) => ask = next,
                None => return Ok(self.ending(request, course)),
            }
        }
    }

    /// A page, asked for again as long as that may help.
    async fn fetch(
        &mut self,
        course: &mut Course,
        page: u64,
        url: &url::Url,
        stop: &CancellationToken,
    ) -> Result<Page, Trouble> {
        let mut tried = 0;
        loop {
            tried += 1;
            let trouble = match self.source.get(url, None).await {
                Ok(answer) => {
                    self.report(self.pace(&answer), None).await;
                    match self.page(course, answer, page, url).await {
                        Ok(read) => return Ok(read),
                        Err(trouble) => trouble,
                    }
                }
                Err(error) => Trouble::Fetch(error),
            };
            let wait = match &trouble {
                Trouble::Fetch(FetchError::Throttled { retry_after, .. }) => {
                    Some(retry_after.unwrap_or(Duration::from_secs(1)))
                        .filter(|wait| *wait <= PATIENCE)
                }
                _ if trouble.is_transient() => Some(RETRY.delay(
                    tried,
                    jitter(self.feed.id.as_str(), course.run.id.0.cast_unsigned() ^ page),
                )),
                _ => None,
            };
            self.report(trouble.result(), Some(trouble.text())).await;
            let Some(wait) = wait.filter(|_| tried < TRIES) else { return Err(trouble) };
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(Trouble::Stopped);
            }
        }
    }

    /// Decodes, shapes and checks one answer.
    async fn page(
        &mut self,
        course: &Course,
        answer: Answer,
        page: u64,
        url: &url::Url,
    ) -> Result<Page, Trouble> {
        let place = format!("page {page} of {}", shown(url));
        let format = self.feed.format.unwrap_or_else(|| format_of(&answer));
        let shaper = if let Some(shaper) = self.columns.known() {
            Arc::clone(shaper)
        } else {
            let body = answer.body.clone();
            let infer = move |feed: &Feed| intake::infer(feed, format, Cursor::new(body));
            self.columns.shaper(&self.services, course.run.id, &place, infer).await?
        };
        let (feed, seed) = (Arc::clone(&self.feed), self.services.store.seed);
        let body = answer.body.clone();
        let read = move || read(&feed, &shaper, format, seed, page, body);
        let piece = if answer.body.len() <= SMALL {
            read()
        } else {
            tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| {
                Err(decode::DecodeError::Format("it could not be decoded; report this".to_owned()))
            })
        };
        let piece = piece.map_err(|error| Trouble::decode(place, error))?;
        Ok(Page { answer, piece, url: xxh3_64(url.as_str().as_bytes()) })
    }

    /// Puts a page where it belongs: refusals first, then rows and position together.
    async fn keep(
        &mut self,
        course: &mut Course,
        page: Page,
        pages: u64,
        onward: Onward<'_>,
    ) -> Result<(), Trouble> {
        let Page { answer, piece: Piece { batch, refused }, url } = page;
        let rows = (batch.len() + refused.len()) as u64;
        course.run.pages += 1;
        course.run.bytes += answer.body.len() as u64;
        let counted = course.run.count_refused(refused.len());
        let clean = course.run.refused == 0;
        self.services.refuse(&course.run, refused).await?;
        counted?;
        if let Some(rule) = self.rule() {
            course.best = rule.best(course.best.take(), &batch);
        }
        let (feed, at) = (self.feed.id.clone(), self.services.clock.now());
        let end = self.page_end(course, &answer, url, rows, pages, clean, onward, at);
        let (run, opens) = (course.run.id, course.run.pages == 1);
        let applied = self.services.store.cache.call(move |cache| {
            if opens {
                cache.begin_pages(&feed, run)?;
            }
            cache.apply_page(&feed, &batch, at, end)
        });
        course.run.cached = applied.await?;
        self.services.show_progress(&course.run);
        Ok(())
    }

    /// The position behind a page.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the page, used once")]
    fn page_end(
        &self,
        course: &Course,
        answer: &Answer,
        url: u64,
        rows: u64,
        pages: u64,
        clean: bool,
        onward: Onward<'_>,
        at: Timestamp,
    ) -> impl FnOnce(Counts) -> PageEnd + Send + 'static {
        let walk = Walk {
            run: course.run.id,
            at,
            full: course.errand.full,
            since: course.since.clone(),
            best: course.best.clone(),
            next: serde_json::Value::Null,
            pages,
            bytes: course.run.bytes,
            counts: course.run.counts(),
        };
        let refused = course.run.refused;
        let actor = course.errand.actor.clone();
        let end = match onward {
            Onward::Broken => PageEnd::Broken,
            // Our own words always make JSON.
            Onward::More(next) => {
                PageEnd::More(Walk { next: serde_json::to_value(next).unwrap_or_default(), ..walk })
            }
            Onward::Last { alone, request } => {
                let cursor = self.moved(request, course);
                let validators = (alone && clean && fits_one_page(&request.pagination))
                    .then(|| validators(answer, url, rows));
                let reason = if course.errand.full { "full read" } else { "read to the end" };
                PageEnd::Last { cursor, validators, reason, actor }
            }
        };
        move |cached| match end {
            PageEnd::More(walk) => PageEnd::More(Walk {
                counts: Counts {
                    received: cached.received + refused,
                    quarantined: refused,
                    ..cached
                },
                ..walk
            }),
            end => end,
        }
    }

    fn moved(&self, request: &Request, course: &Course) -> Option<String> {
        request.incremental.as_ref()?;
        match self.rule() {
            Some(rule) => {
                rule.moved(course.since.as_deref(), course.best.clone(), course.run.start.at)
            }
            None => course.since.clone(),
        }
    }

    fn ending(&self, request: &Request, course: &Course) -> Ending {
        let newest = course.best.as_deref().filter(|_| request.incremental.is_some());
        let event_at = self.rule().and_then(|rule| rule.event_at(newest));
        Ending { event_at, ..Ending::of_balance(&course.run.counts()) }
    }

    async fn forget_walk(&self) -> Result<(), StoreError> {
        let id = self.feed.id.clone();
        self.services.store.cache.call(move |cache| cache.forget_walk(&id)).await
    }

    fn rule(&self) -> Option<CursorRule> {
        let marsad_shared::feed::Origin::Http(request) = &self.feed.origin else { return None };
        CursorRule::of(request.incremental.as_ref()?, &self.columns.known()?.layout)
    }

    /// What is asked for when the cursor stands at `cursor`.
    fn since(&self, request: &Request, cursor: Option<&str>) -> Option<String> {
        let (incremental, cursor) = (request.incremental.as_ref()?, cursor?);
        // Before the columns are known the cursor is asked with as it stands: `lookback` needs its type.
        let declared =
            || marsad_shared::record::Layout::new(self.feed.fields.clone(), &self.feed.key).ok();
        let rule = self.rule().or_else(|| CursorRule::of(incremental, &declared()?));
        Some(rule.map_or_else(|| cursor.to_owned(), |rule| rule.since(cursor)))
    }

    fn pace(&self, answer: &Answer) -> PollResult {
        let (took, slow) = (answer.first_byte, self.source.http.slow);
        if took > slow {
            PollResult::Slow
        } else {
            PollResult::Ok { near_limit: took * 5 > slow * 4 }
        }
    }

    async fn report(&self, result: PollResult, detail: Option<String>) {
        self.services.report_health(&self.source.id, result, detail).await;
    }
}

/// What a first look found.
enum Seen {
    /// The same rows and how many bytes it took to learn that.
    Unchanged(u64, u64),
    New(Answer),
}

/// Where the walk goes behind a page.
enum Onward<'r> {
    More(Next),
    Last { alone: bool, request: &'r Request },
    Broken,
}

/// One page, decoded.
struct Page {
    answer: Answer,
    piece: Piece,
    /// A hash of its URL.
    url: u64,
}

impl Page {
    fn facts(&self, pagination: &Pagination) -> Result<Facts, Trouble> {
        let next = match pagination {
            Pagination::Cursor { next, .. } | Pagination::NextUrl { next, .. } => {
                let found = match plain_path(&next.to_string()) {
                    Some(names) => decode::json::scalar_at(&self.answer.body, &names),
                    None => decode::json::scalar_by(&self.answer.body, next),
                };
                found.map_err(|error| Trouble::decode("the way to the next page", error))?
            }
            _ => None,
        };
        Ok(Facts {
            rows: self.piece.rows(),
            next,
            link: self.answer.header(header::LINK).map(str::to_owned),
            body: xxh3_64(&self.answer.body),
        })
    }
}

/// Whether a whole walk of this paging can be one request, so that its validators speak for all of it.
fn fits_one_page(pagination: &Pagination) -> bool {
    matches!(pagination, Pagination::None | Pagination::Cursor { .. } | Pagination::NextUrl { .. })
}

fn validators(answer: &Answer, url: u64, rows: u64) -> Validators {
    Validators {
        url,
        etag: answer.header(header::ETAG).map(str::to_owned),
        last_modified: answer.header(header::LAST_MODIFIED).map(str::to_owned),
        body: xxh3_64(&answer.body),
        rows,
    }
}

/// The format that the answer says it is in; JSON where it says nothing that we know.
fn format_of(answer: &Answer) -> Format {
    let kind = answer.header(header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "text/csv" | "application/csv" => Format::Csv,
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/jsonlines" => Format::Ndjson,
        _ => Format::Json,
    }
}

fn read(
    feed: &Feed,
    shaper: &Shaper,
    format: Format,
    seed: u64,
    page: u64,
    body: Bytes,
) -> Result<Piece, decode::DecodeError> {
    let origins = Origins { file: None, page: Some(page) };
    let intake = Intake { feed, shaper, format, seed, origins, split: false };
    let mut whole = None;
    intake.read(Cursor::new(body), |piece| {
        whole = Some(piece);
        Flow::More
    })?;
    // Unsplit, the intake hands over exactly one piece.
    whole.ok_or(decode::DecodeError::Stopped)
}

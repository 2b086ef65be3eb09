//! The walk of one run: page after page, each tried as long as that may help, each kept with the position behind it.

use std::{io::Cursor, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    feed::{Feed, Request},
    health::{PollResult, Reason},
    id::RunId,
    run::Counts,
    store::{
        StoreError,
        cache::{Ended, PageEnd, Position, Walk},
    },
};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Errand, Puller,
    page::{self, Page},
};
use crate::{
    decode::{self, Scalar},
    intake::{self, Piece},
    jitter::jitter,
    run::{Ending, Run, with_refused},
    source::{
        fault::{FetchError, shown},
        http::Answer,
        walk::{Ask, Walker},
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
/// How long what a partner gave us to go on with is tried, once nothing comes of it any more.
const WALK_LIFE: SignedDuration = SignedDuration::from_hours(1);

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
    /// When the walk began, in an earlier run perhaps.
    began_at: Timestamp,
    /// Pages of the walk, of earlier runs too.
    pages_before: u64,
}

/// Where the walk goes behind a page.
enum Onward<'r> {
    More(Next),
    Last { alone: bool, request: &'r Request },
    Broken,
}

/// What is known of a page when it is kept.
struct Behind {
    answer: Answer,
    /// A hash of its URL.
    url: u64,
    rows: u64,
    /// Pages of the walk so far, with this one.
    pages: u64,
    /// Whether the run has refused nothing so far.
    clean: bool,
    at: Timestamp,
}

impl Puller {
    /// The walk itself: from where an earlier one stopped, or from the cursor, or from the beginning.
    pub(super) async fn walk(
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
        let resumed = position.walk.as_ref().filter(|_| !errand.full).and_then(|walk| {
            let next: Next = serde_json::from_value(walk.next.clone()).ok()?;
            (next.of == of).then(|| (walk.clone(), next.ask))
        });
        let full = errand.full || resumed.as_ref().is_some_and(|(walk, _)| walk.full);
        let walked_at = resumed.as_ref().map(|(walk, _)| walk.at);
        let began_at = resumed.as_ref().map_or(run.start.at, |(walk, _)| walk.began_at);
        let (since, best, pages_before, ask) = match resumed {
            Some((walk, ask)) => (walk.since, walk.best, walk.pages, ask),
            None if full => (None, None, 0, Ask::First),
            None => (position.cursor.clone(), None, 0, Ask::First),
        };
        let mut course =
            Course { run, errand: Errand { full, ..errand }, since, best, began_at, pages_before };
        let ended = self.pages(request, &mut course, of, (ask, walked_at), first, stop).await;
        (course.run, ended)
    }

    async fn pages(
        &mut self,
        request: &Request,
        course: &mut Course,
        of: u64,
        (mut ask, resumed): (Ask, Option<Timestamp>),
        first: Option<Answer>,
        stop: &CancellationToken,
    ) -> Result<Ending, Trouble> {
        let asked = self.since(request, course.since.as_deref());
        let base = self.source.http.base_url.clone();
        let mut walker = Walker::new(&base, request, asked.as_deref(), course.pages_before)?;
        let id = course.run.id;
        let url = walker.url(&ask)?;
        let mut read = self.fetch(id, walker.pages + 1, &url, first, stop).await;
        loop {
            let page = match read {
                Ok(page) => page,
                Err(trouble) => {
                    self.report(trouble.result(), Some(trouble.text())).await;
                    if resumed
                        .is_some_and(|at| is_dead(at, course, &trouble, self.services.clock.now()))
                    {
                        // What it gave us to go on with has died: the next run begins anew.
                        self.forget_walk().await?;
                    }
                    return Err(trouble);
                }
            };
            self.report(self.pace(&page.answer), None).await;
            let next = walker.next(&ask, &page.facts());
            let onward = match &next {
                Ok(Some(next)) => Onward::More(Next { ask: next.clone(), of }),
                Ok(None) => Onward::Last { alone: walker.pages == 1, request },
                Err(_) => Onward::Broken,
            };
            let keep = self.keep(course, page, walker.pages, onward);
            let Ok(Some(next)) = next else {
                keep.await?;
                if let Err(error) = &next {
                    self.report(PollResult::Fail(Reason::RemoteFault), Some(error.to_string()))
                        .await;
                }
                return next.map(|_| self.ending(request, course)).map_err(Trouble::from);
            };
            // While one page is kept, the next is fetched and read.
            let url = walker.url(&next)?;
            let fetch = self.fetch(id, walker.pages + 1, &url, None, stop);
            let (kept, following) = tokio::join!(keep, fetch);
            kept?;
            (ask, read) = (next, following);
        }
    }

    /// A page, asked for again as long as that may help; `first` is the answer to the first time, if it was asked
    /// already. What comes of it in the end is one result for the connection's health, however often it was asked.
    async fn fetch(
        &self,
        run: RunId,
        number: u64,
        url: &url::Url,
        mut first: Option<Answer>,
        stop: &CancellationToken,
    ) -> Result<Page, Trouble> {
        let mut tried = 0;
        loop {
            if stop.is_cancelled() {
                return Err(Trouble::Stopped);
            }
            tried += 1;
            let answer = match first.take() {
                Some(answer) => Ok(answer),
                None => self.source.get(url, None).await,
            };
            let trouble = match answer {
                Ok(answer) => match self.decode(run, answer, number, url).await {
                    Ok(read) => return Ok(read),
                    Err(trouble) => trouble,
                },
                Err(error) => Trouble::Fetch(error),
            };
            let wait =
                match &trouble {
                    Trouble::Fetch(FetchError::Throttled { retry_after, .. }) => {
                        Some(retry_after.unwrap_or(Duration::from_secs(1)))
                            .filter(|wait| *wait <= PATIENCE)
                    }
                    _ if trouble.is_transient() => Some(RETRY.delay(
                        tried,
                        jitter(self.feed.id.as_str(), run.0.cast_unsigned() ^ number),
                    )),
                    _ => None,
                };
            let Some(wait) = wait.filter(|_| tried < TRIES) else { return Err(trouble) };
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(Trouble::Stopped);
            }
        }
    }

    /// Decodes, shapes and checks one answer.
    async fn decode(
        &self,
        run: RunId,
        answer: Answer,
        number: u64,
        url: &url::Url,
    ) -> Result<Page, Trouble> {
        let place = format!("page {number} of {}", shown(url));
        let format = self.feed.format.unwrap_or_else(|| page::format_of(&answer));
        let shaper = if let Some(shaper) = self.columns.known() {
            Arc::clone(shaper)
        } else {
            let body = answer.body.clone();
            let infer = move |feed: &Feed| intake::infer(feed, format, Cursor::new(body));
            self.columns.shaper(&self.services, run, &place, infer).await?
        };
        let (feed, seed) = (Arc::clone(&self.feed), self.services.store.seed);
        let body = answer.body.clone();
        let pagination = self.pagination();
        // 204: there is nothing, and nothing is wrong.
        let empty = answer.status == StatusCode::NO_CONTENT;
        let read = move || {
            if empty {
                return Ok((Piece::new(&shaper.layout, seed), None));
            }
            let wanted = Vec::from_iter(page::next_path(&pagination));
            let (found, piece) = page::read(&feed, &shaper, format, seed, number, &body, &wanted);
            Ok((piece?, found.first().and_then(Scalar::text).map(str::to_owned)))
        };
        let read = if answer.body.len() <= page::SMALL {
            read()
        } else {
            tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| {
                Err(decode::DecodeError::Format("it could not be decoded; report this".to_owned()))
            })
        };
        let (piece, next) = read.map_err(|error| Trouble::decode(place, error))?;
        Ok(Page { answer, piece, next, url: self.url_hash(url) })
    }

    /// Puts a page where it belongs: refusals first, then rows and position together.
    async fn keep(
        &self,
        course: &mut Course,
        page: Page,
        pages: u64,
        onward: Onward<'_>,
    ) -> Result<(), Trouble> {
        let Page { answer, piece: Piece { batch, refused }, url, .. } = page;
        let rows = (batch.len() + refused.len()) as u64;
        course.run.pages += 1;
        course.run.bytes += answer.body.len() as u64;
        let counted = course.run.count_refused(refused.len());
        let clean = course.run.refused == 0;
        self.services.refuse(&course.run, refused).await?;
        counted.map_err(|error| Trouble::decode("the run", error))?;
        if let Some(rule) = self.rule() {
            course.best = rule.best(course.best.take(), &batch);
        }
        let (feed, at) = (self.feed.id.clone(), self.services.clock.now());
        let end = self.page_end(course, &Behind { answer, url, rows, pages, clean, at }, onward);
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

    /// The position behind a page, to be committed with its rows.
    fn page_end(
        &self,
        course: &Course,
        behind: &Behind,
        onward: Onward<'_>,
    ) -> impl FnOnce(Counts) -> PageEnd + Send + 'static {
        let Behind { pages, at, .. } = *behind;
        let (run, full, bytes) = (course.run.id, course.errand.full, course.run.bytes);
        let (own_pages, refused) = (course.run.pages, course.run.refused);
        let (since, best, began_at) = (course.since.clone(), course.best.clone(), course.began_at);
        let actor = course.errand.actor.clone();
        let last = match &onward {
            Onward::Last { alone, request } => Some((
                self.moved(request, course),
                (*alone && behind.clean && page::fits_one_page(&request.pagination))
                    .then(|| page::validators(&behind.answer, behind.url, behind.rows)),
                self.event_at(request, course),
            )),
            _ => None,
        };
        let next = match onward {
            // Our own words always make JSON.
            Onward::More(next) => serde_json::to_value(next).ok(),
            _ => None,
        };
        move |cached| {
            let counts = with_refused(cached, refused);
            match (next, last) {
                (Some(next), _) => PageEnd::More(Walk {
                    run,
                    began_at,
                    at,
                    full,
                    since,
                    best,
                    next,
                    pages,
                    bytes,
                    counts,
                }),
                (None, None) => PageEnd::Broken,
                (None, Some((cursor, validators, event_at))) => PageEnd::Last {
                    cursor,
                    validators,
                    reason: if full { "full read" } else { "read to the end" },
                    actor,
                    ended: Ended { run, pages: own_pages, bytes, counts, event_at },
                },
            }
        }
    }

    fn moved(&self, request: &Request, course: &Course) -> Option<String> {
        request.incremental.as_ref()?;
        match self.rule() {
            Some(rule) => rule.moved(course.since.as_deref(), course.best.clone(), course.began_at),
            None => course.since.clone(),
        }
    }

    /// The newest time inside the data, where the cursor is one.
    fn event_at(&self, request: &Request, course: &Course) -> Option<Timestamp> {
        request.incremental.as_ref()?;
        self.rule()?.event_at(course.best.as_deref())
    }

    fn ending(&self, request: &Request, course: &Course) -> Ending {
        let event_at = self.event_at(request, course);
        let counts = course.run.counts();
        let ending = if course.since.is_none() {
            Ending::of_whole(&counts)
        } else {
            Ending::of_balance(&counts)
        };
        Ending { event_at, ..ending }
    }

    async fn forget_walk(&self) -> Result<(), StoreError> {
        let id = self.feed.id.clone();
        self.services.store.cache.call(move |cache| cache.forget_walk(&id)).await
    }
}

/// Whether a walk that was gone on with leads nowhere any more: the partner refuses what it gave us itself, or nothing
/// has come of it for too long.
fn is_dead(walked_at: Timestamp, course: &Course, trouble: &Trouble, now: Timestamp) -> bool {
    let refused =
        matches!(trouble, Trouble::Fetch(FetchError::Final { .. }) | Trouble::Decode { .. });
    let ours = trouble.reason().is_some_and(Reason::is_local);
    let old = now.duration_since(walked_at) > WALK_LIFE;
    course.run.pages == 0 && !ours && !matches!(trouble, Trouble::Stopped) && (refused || old)
}

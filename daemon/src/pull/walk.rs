//! The walk of one run: page after page, each tried as long as that may help, each kept with the position behind it.

use std::{io::Cursor, sync::Arc, time::Duration};

use jiff::Timestamp;
use marsad_shared::{
    feed::{Feed, Request},
    id::RunId,
    run::Counts,
    store::{
        StoreError,
        cache::{PageEnd, Position, Walk},
    },
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Errand, Puller,
    page::{self, Page},
};
use crate::{
    decode,
    intake::{self, Piece},
    jitter::jitter,
    run::{Ending, Run},
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

/// Where the walk goes behind a page.
enum Onward<'r> {
    More(Next),
    Last { alone: bool, request: &'r Request },
    Broken,
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
        first: Option<Answer>,
        stop: &CancellationToken,
    ) -> Result<Ending, Trouble> {
        let asked = self.since(request, course.since.as_deref());
        let base = self.source.http.base_url.clone();
        let mut walker = Walker::new(&base, request, asked.as_deref(), course.pages_before)?;
        let resumed = ask != Ask::First;
        let id = course.run.id;
        let url = walker.url(&ask)?;
        let mut read = self.fetch(id, walker.pages + 1, &url, first, stop).await;
        loop {
            let page = match read {
                Ok(page) => page,
                Err(trouble) => {
                    self.report(trouble.result(), Some(trouble.text())).await;
                    if resumed && matches!(trouble, Trouble::Fetch(FetchError::Final { .. })) {
                        // What it gave us to go on with has died: the next run begins anew.
                        self.forget_walk().await?;
                    }
                    return Err(trouble);
                }
            };
            self.report(self.pace(&page.answer), None).await;
            let next = walker.next(&ask, &page.facts(&request.pagination)?);
            let onward = match &next {
                Ok(Some(next)) => Onward::More(Next { ask: next.clone(), of }),
                Ok(None) => Onward::Last { alone: walker.pages == 1, request },
                Err(_) => Onward::Broken,
            };
            let keep = self.keep(course, page, walker.pages, onward);
            let Ok(Some(next)) = next else {
                keep.await?;
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
        let read = move || page::read(&feed, &shaper, format, seed, number, &body);
        let piece = if answer.body.len() <= page::SMALL {
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
        &self,
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
                let validators = (alone && clean && page::fits_one_page(&request.pagination))
                    .then(|| page::validators(answer, url, rows));
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
}

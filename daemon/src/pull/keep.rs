//! A page into its place: refusals first, then rows and the position behind them, together.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use marsad_shared::{
    record::Batch,
    request::{By, Request},
    run::Counts,
    store::{
        StoreError,
        cache::{Cache, Ended, PageEnd, Validators, Walk},
        writer::LINGER,
    },
};
use tokio::time::Instant;

use super::{
    Puller,
    page::{self, Page},
    walk::{Course, Next},
};
use crate::{
    intake::Piece,
    source::{http::Answer, walk::Ask},
    trouble::Trouble,
};

/// The share of a run's pages that one commit may hold: one in so many.
const COMMIT_SHARE: u64 = 10;
/// So many rows, or bytes of them, are one commit; a page that holds more is one by itself.
const COMMIT_ROWS: usize = 10_000;
const COMMIT_BYTES: usize = 8 * 1024 * 1024;

/// Where the walk goes behind a page.
pub(super) enum Behind {
    More(Box<Next>),
    /// `alone`: it was the only page.
    Last {
        alone: bool,
    },
    Broken,
}

impl Behind {
    /// Whether another page follows at once, behind which this one may become durable. What is ordered of a partner is
    /// written down first.
    fn leads_on(&self) -> bool {
        matches!(self, Self::More(next) if !matches!(next.ask, Ask::Job(_) | Ask::File { .. }))
    }
}

/// What is known of a page when it is kept.
struct Kept {
    answer: Answer,
    /// A hash of its URL.
    url: u64,
    rows: u64,
    /// Pages of the walk so far, with this one.
    pages: u64,
    clean: bool,
    at: Timestamp,
}

/// Pages that the cache was given and that are not durable yet. In a long run of a quick partner several of them make one
/// commit: most of what that costs, it costs for one page as for ten. A crash costs at most a share of what the run had
/// done.
#[derive(Debug)]
pub(super) struct Pending {
    /// Whether the cache knows of the run.
    opened: bool,
    pages: u64,
    rows: usize,
    bytes: usize,
    /// When the last commit was waited for.
    since: Instant,
    /// What went wrong first; nothing of what came behind it is in the cache either.
    failed: Arc<Mutex<Option<StoreError>>>,
}

impl Pending {
    pub(super) fn new() -> Self {
        Self {
            opened: false,
            pages: 0,
            rows: 0,
            bytes: 0,
            since: Instant::now(),
            failed: Arc::default(),
        }
    }

    /// Whether a commit is to be waited for, with this batch of a run that has come to page `number`.
    fn is_full(&self, batch: &Batch, number: u64) -> bool {
        self.pages + 1 >= number / COMMIT_SHARE
            || self.rows + batch.len() >= COMMIT_ROWS
            || self.bytes + batch.text_len() >= COMMIT_BYTES
            || self.since.elapsed() >= LINGER
    }

    /// Another batch is handed over; whether it is the first.
    fn more(&mut self, batch: &Batch) -> bool {
        self.pages += 1;
        self.rows += batch.len();
        self.bytes += batch.text_len();
        !std::mem::replace(&mut self.opened, true)
    }

    /// All is durable, or nothing is pending any more.
    fn none(&mut self) {
        (self.pages, self.rows, self.bytes, self.since) = (0, 0, 0, Instant::now());
    }

    /// Why what was waited for is not durable: what went wrong first.
    fn failure(&self, last: StoreError) -> StoreError {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or(last)
    }
}

impl Puller {
    /// Keeps a page with where the walk goes behind it: it is durable when this returns, or within [`LINGER`] if more
    /// follow.
    pub(super) async fn keep(
        &self,
        request: &Request,
        course: &mut Course,
        page: Page,
        pages: u64,
        behind: Behind,
    ) -> Result<(), Trouble> {
        let Page { answer, piece: Piece { batch, refused, .. }, url, filtered, .. } = page;
        let rows = (batch.len() + refused.len()) as u64 + filtered;
        course.run.pages += 1;
        course.run.bytes += answer.body.len();
        course.run.filtered += filtered;
        if self.columns.known().is_none() {
            // No record has come yet of a feed whose columns are those of its first data.
            return Ok(());
        }
        let counted = course.run.count_refused(refused.len());
        let clean = course.run.refused == 0 && course.seen.ignored == 0;
        self.services.refuse(&course.run, refused).await?;
        counted.map_err(|error| Trouble::decode("the run", error))?;
        let at = self.services.clock.now();
        let waits = !behind.leads_on() || course.pending.is_full(&batch, course.run.pages);
        let end =
            self.page_end(request, course, &Kept { answer, url, rows, pages, clean, at }, behind);
        self.hand_over(course, batch, at, waits, end).await?;
        self.services.show_progress(&course.run);
        Ok(())
    }

    /// Gives the cache a page with its end, and `waits` until it is durable.
    async fn hand_over(
        &self,
        course: &mut Course,
        batch: Batch,
        at: Timestamp,
        waits: bool,
        end: impl FnOnce(Counts) -> PageEnd + Send + 'static,
    ) -> Result<(), StoreError> {
        let (feed, run) = (self.feed.id.clone(), course.run.id);
        let opens = course.pending.more(&batch);
        let work = move |cache: &mut Cache| {
            if opens {
                cache.begin_pages(&feed, run)?;
            }
            cache.apply_page(&feed, &batch, at, end)
        };
        let cache = &self.services.store.cache;
        if !waits {
            let failed = Arc::clone(&course.pending.failed);
            let done = move |applied: Result<Counts, StoreError>| {
                if let Err(error) = applied {
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            };
            return cache.cast(work, done).await;
        }
        let applied = cache.call(work).await;
        course.run.cached = applied.map_err(|error| course.pending.failure(error))?;
        course.pending.none();
        Ok(())
    }

    /// Waits until all that was handed over is durable, and counted.
    pub(super) async fn settle(&self, course: &mut Course) -> Result<(), StoreError> {
        if course.pending.pages == 0 {
            return Ok(());
        }
        let feed = self.feed.id.clone();
        let counts = self.services.store.cache.call(move |cache| cache.counts(&feed)).await;
        course.run.cached = counts.map_err(|error| course.pending.failure(error))?;
        course.pending.none();
        Ok(())
    }

    /// The position behind a page, to be committed with its rows.
    fn page_end(
        &self,
        request: &Request,
        course: &Course,
        kept: &Kept,
        behind: Behind,
    ) -> impl FnOnce(Counts) -> PageEnd + Send + 'static {
        let Kept { pages, at, .. } = *kept;
        let (run, full, bytes) = (course.run.id, course.errand.full, course.run.bytes);
        let (own_pages, balance) = (course.run.pages, course.run.outside());
        let (since, best, began_at) = (course.since.clone(), course.best.clone(), course.began_at);
        let actor = course.errand.actor.clone();
        let last = match &behind {
            Behind::Last { alone } => Some((
                self.moved(request, course),
                Self::validators(request, course, kept, *alone),
                self.event_at(request, course),
            )),
            _ => None,
        };
        let (slips, fresh) = (course.slips, self.is_fresh(request, course));
        let next = match behind {
            // Our own words always make JSON.
            Behind::More(next) => serde_json::to_value(next).ok(),
            _ => None,
        };
        move |cached| {
            let counts = balance.with(cached);
            // Where every row of all there is was refused, nothing of it is done with: the cursor stays.
            let held = since.is_none() && cached.received == 0 && balance.refused > 0;
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
                (None, Some(_)) if held || slips.holds(fresh, counts.duplicate) => PageEnd::Broken,
                (None, Some((cursor, validators, event_at))) => PageEnd::Last {
                    cursor,
                    validators: validators.map(|known| known.of(counts.received)),
                    reason: if full { "full read" } else { "read to the end" },
                    actor,
                    ended: Ended { run, pages: own_pages, bytes, counts, event_at },
                },
            }
        }
    }

    /// What tells next time that nothing changed: not behind a walk that left rows in quarantine.
    fn validators(
        request: &Request,
        course: &Course,
        kept: &Kept,
        alone: bool,
    ) -> Option<Validators> {
        if !kept.clean {
            return None;
        }
        let one_page = alone && request.changed.is_none() && page::fits_one_page(request);
        let mark = course.mark.clone();
        mark.or_else(|| one_page.then(|| page::validators(&kept.answer, kept.url, kept.rows)))
    }

    /// Where the cursor stands behind a walk that was read to its end.
    fn moved(&self, request: &Request, course: &Course) -> Option<String> {
        let incremental = request.incremental.as_ref()?;
        if course.seen.ignored > 0 {
            // Nobody knows what the answers that were left out would have held.
            return course.stood.clone();
        }
        let began_at = self.there(course.began_at);
        match incremental.by {
            By::Clock => {
                // Never back: a clock that was set is no reason to lose our place.
                let since = course.since.as_deref().and_then(|since| since.parse().ok());
                Some(since.map_or(began_at, |since| began_at.max(since)).to_string())
            }
            By::Token(_) | By::Delta(_) => course.handle.clone().or_else(|| course.since.clone()),
            By::Field(_) | By::Here { .. } => {
                let since = course.since.as_deref();
                let Some(rule) = self.rule() else { return course.since.clone() };
                let best = course.seen.greatest.believed(&rule, since, began_at).best;
                let moved = rule.moved(since, best, began_at);
                // A stretch of time that was read to its end is done with, whether or not it held records; what the partner
                // sent beyond it is not.
                match (course.horizon, moved) {
                    (Some(horizon), _) => Some(horizon.to_string()),
                    (None, moved) => moved,
                }
            }
        }
    }

    /// Whether a record was changed since the walk began, by the partner's clock; only of a cursor that is a time.
    pub(super) fn is_fresh(&self, request: &Request, course: &Course) -> bool {
        self.event_at(request, course).is_some_and(|newest| newest >= self.there(course.began_at))
    }

    /// The newest time inside the data, where the cursor is one.
    pub(super) fn event_at(&self, request: &Request, course: &Course) -> Option<Timestamp> {
        request.incremental.as_ref()?;
        self.rule()?.event_at(course.best.as_deref())
    }
}

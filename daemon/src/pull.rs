//! One run over a partner's pages: fetch, decode, shape, check, cache; each page whole with its position, or not at all.

use std::sync::Arc;

use jiff::Timestamp;
use marsad_shared::{
    feed::{Feed, Origin, Pagination, Request},
    health::PollResult,
    id::RunId,
    run::{Counts, Trigger},
    store::{StoreError, cache::Position, ledger::RunStart},
};
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{
    columns::Columns,
    decode::DecodeError,
    run::Ending,
    services::Services,
    source::{
        call::Call,
        cursor::CursorRule,
        fault::FetchError,
        http::{Answer, HttpSource},
        walk::{Ask, Walker},
    },
    trouble::Trouble,
};

pub(crate) mod page;
mod walk;

/// What pulls the pages of one feed. It alone moves the feed's position, and so remembers it between runs.
pub struct Puller {
    pub services: Arc<Services>,
    pub feed: Arc<Feed>,
    pub source: Arc<HttpSource>,
    columns: Columns,
    /// As it stands in the cache; `None`: to be read there.
    position: Option<Position>,
    /// A hash of how answers are read: one that was read otherwise tells nothing of whether it is the same.
    reading: u64,
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

impl Puller {
    pub fn new(services: Arc<Services>, feed: Arc<Feed>, source: Arc<HttpSource>) -> Self {
        let columns = Columns::new(Arc::clone(&feed));
        let Feed { records, format, delimiter, header_row, key, fields, zone, .. } = &*feed;
        let reading = format!(
            "{records:?}{format:?}{delimiter}{header_row}{key:?}{fields:?}{:?}",
            zone.iana_name()
        );
        let reading = xxh3_64(reading.as_bytes());
        Self { services, feed, source, columns, position: None, reading }
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
                    let ending = Ending { next_at, ..Ending::unchanged(None) };
                    let counts = Counts { received: rows, unchanged: rows, ..Counts::default() };
                    let end = ending.at(self.services.clock.now(), 1, bytes, counts);
                    self.services.record_run(start, end).await?;
                    return Ok(Pulled { started_at, trouble: None });
                }
                Some(Ok(Seen::New(answer))) => first = Some(answer),
                Some(Err(error)) => {
                    self.position = Some(position);
                    let trouble = Trouble::Fetch(error);
                    let next_at = Some(plan(started_at, Some(&trouble)));
                    let ending = Ending { next_at, ..Ending::of_trouble(&trouble) };
                    let end = ending.at(self.services.clock.now(), 0, 0, Counts::default());
                    self.services.record_run(start, end).await?;
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
            // No record has come yet, of a feed whose columns are those of its first data: nothing is wrong.
            Err(Trouble::Decode { error: error @ DecodeError::Nothing, .. }) => {
                (Ending::unchanged(Some(error.to_string())), None)
            }
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
        if position.walk.is_some() || !page::fits_one_page(&request.pagination) {
            return None;
        }
        let since = self.since(request, position.cursor.as_deref());
        let walker = Walker::new(&self.source.http.base_url, request, since.as_deref(), 0).ok()?;
        let url = walker.url(&Ask::First).ok()?;
        let known = position.validators.as_ref().filter(|known| known.url == self.url_hash(&url));
        let answer = match self.source.get(&Call::get(url.clone()), known).await {
            Ok(answer) => answer,
            // Something that a moment may cure is tried again by the walk.
            Err(FetchError::Transient { .. }) => return None,
            Err(error) => {
                self.report(error.result(), Some(error.to_string())).await;
                return Some(Err(error));
            }
        };
        let bytes = answer.body.len() as u64;
        let same = known.filter(|known| {
            answer.status == StatusCode::NOT_MODIFIED || known.body == xxh3_64(&answer.body)
        });
        Some(Ok(match same {
            Some(known) => {
                self.report(self.pace(&answer), None).await;
                Seen::Unchanged(known.rows, bytes)
            }
            // How it went is reported once it has been read.
            None => Seen::New(answer),
        }))
    }

    fn rule(&self) -> Option<CursorRule> {
        let Origin::Http(request) = &self.feed.origin else { return None };
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

    /// What an answer of `url`, read as this feed is, is remembered by.
    fn url_hash(&self, url: &url::Url) -> u64 {
        xxh3_64_with_seed(url.as_str().as_bytes(), self.reading)
    }

    fn pagination(&self) -> Pagination {
        match &self.feed.origin {
            Origin::Http(request) => request.pagination.clone(),
            Origin::Files(_) => Pagination::None,
        }
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

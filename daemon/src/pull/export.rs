//! An export: ordered, asked after until it is ready, and deleted at the partner's once it was read, or taken back
//! where nothing comes of it.

use std::time::Duration;

use marsad_shared::{
    backoff::Backoff,
    feed::{Origin, ScalarPath},
    health::Reason,
    id::RunId,
    request::{AbortMethod, Download, Export, Request},
    store::cache::Walk,
};
use reqwest::Method;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Puller, course::Next, envelope::Said, fetch::Tries, page::Page, reading::Reading, room::Room,
};
use crate::{
    decode::{self, Scalar},
    intake::Piece,
    jitter::jitter,
    source::{
        asking::{Asker, Leg},
        call::Call,
        fault::{FetchError, shown},
        http::Answer,
        walk::Ask,
    },
    trouble::Trouble,
};

/// How often it is tried to delete an export that was read, and the waits between.
const CLEARINGS: u32 = 3;
const CLEARING: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));

impl Puller {
    /// Orders an export.
    pub(super) async fn order(
        &self,
        run: RunId,
        call: &Call,
        export: &Export,
        stop: &CancellationToken,
    ) -> Result<Page, Trouble> {
        let answer = self.answer(run, call, stop).await?;
        let id = self.need(&answer, &export.id, call, "what the export is called").await?;
        self.job(run, answer, call, Ask::Job(id)).await
    }

    /// Asks after an export until it is ready.
    #[expect(clippy::too_many_arguments, reason = "a place in a walk is a run, a leg and an ask")]
    pub(super) async fn await_job(
        &self,
        run: RunId,
        asker: &Asker<'_>,
        leg: &Leg,
        id: &str,
        call: &Call,
        export: &Export,
        stop: &CancellationToken,
    ) -> Result<Page, Trouble> {
        let until = Instant::now() + export.within;
        loop {
            let answer = self.answer(run, call, stop).await?;
            let state = self.need(&answer, &export.state, call, "how far the export is").await?;
            if export.done.contains(&state) {
                let place = match &export.download {
                    Download::Path(path) => asker.at(path, leg, Some(id))?.to_string(),
                    Download::At(path) => {
                        self.need(&answer, path, call, "where the export is").await?
                    }
                };
                let file = Ask::File { id: id.to_owned(), at: place };
                return self.job(run, answer, call, file).await;
            }
            if export.failed.contains(&state) {
                let text = format!(
                    "{}: the export failed at the partner ({state}); the next run orders another, tell the partner if it fails too",
                    shown(&call.url)
                );
                return Err(FetchError::Final { reason: Reason::RemoteFault, text }.into());
            }
            if Instant::now() + export.every > until {
                let what = format!(
                    "the export is still {state:?} after {} s; it is asked after again with the next run",
                    export.within.as_secs()
                );
                return Err(FetchError::of(Reason::RemoteFault, &call.url, &what).into());
            }
            if stop.run_until_cancelled(sleep(export.every)).await.is_none() {
                return Err(Trouble::Stopped);
            }
        }
    }

    /// An answer that holds no records, asked for as a page is.
    async fn answer(
        &self,
        run: RunId,
        call: &Call,
        stop: &CancellationToken,
    ) -> Result<Answer, Trouble> {
        let mut tries = Tries::new();
        loop {
            match self.source.get(call, None).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.wait(run, error.into(), &mut tries, 0, stop).await?,
            }
        }
    }

    async fn need(
        &self,
        answer: &Answer,
        path: &ScalarPath,
        call: &Call,
        what: &str,
    ) -> Result<String, FetchError> {
        let found = self.beside(Reading::as_it_says(answer), vec![path.clone()]).await;
        let found = found.first().and_then(Scalar::text).map(|text| self.source.unsigned(text));
        found.ok_or_else(|| {
            let what = format!("the answer does not say {what}; mend `export`");
            FetchError::of(Reason::Schema, &call.url, &what)
        })
    }

    /// A page without records that leads on to `ask`.
    async fn job(
        &self,
        run: RunId,
        answer: Answer,
        call: &Call,
        ask: Ask,
    ) -> Result<Page, Trouble> {
        let place = call.shown();
        let shaper = self.shaper(run, &place, |_| Err(decode::DecodeError::Nothing)).await?;
        let piece = Piece::new(&shaper.layout, self.services.store.seed);
        let url = self.url_hash(&call.url);
        Ok(Page {
            answer,
            piece,
            said: Said::default(),
            url,
            filtered: 0,
            lacks: false,
            outline: Vec::new(),
            job: Some(ask),
            _room: Room::default(),
        })
    }

    /// Deletes an export at the partner's once it has been read. If that fails each time, the partner keeps it, which is said;
    /// nothing is lost.
    pub(super) async fn clear_away(
        &self,
        asker: &Asker<'_>,
        ask: &Ask,
        stop: &CancellationToken,
    ) -> Option<String> {
        let export = self.export()?;
        let (Some(path), Ask::File { id, .. }) = (&export.delete, ask) else { return None };
        let mut tried = 1;
        loop {
            let error = self.end_export(asker, Method::DELETE, path, id).await.err()?;
            let wait = CLEARING.delay(tried, jitter(self.feed.id.as_str(), u64::from(tried)));
            let goes_on =
                tried < CLEARINGS && stop.run_until_cancelled(sleep(wait)).await.is_some();
            if !goes_on {
                let feed = &self.feed.id;
                tracing::warn!(%feed, %error, "an export was read and could not be deleted at the partner's");
                return Some(format!(
                    "the export was read, and could not be deleted at the partner's, who keeps it ({error}); if that goes on, have it \
                     deleted there"
                ));
            }
            tried += 1;
        }
    }

    /// Takes back an order of which nothing comes any more: it has failed, is given up, or another takes its place. It is
    /// tried once; if that fails the partner keeps it, and nothing is lost.
    pub(super) async fn take_back(&self, asker: &Asker<'_>, ask: &Ask) {
        let Some(abort) = self.export().and_then(|export| export.abort.as_ref()) else { return };
        let (Ask::Job(id) | Ask::File { id, .. }) = ask else { return };
        let method = match abort.method {
            AbortMethod::Delete => Method::DELETE,
            AbortMethod::Post => Method::POST,
            AbortMethod::Put => Method::PUT,
        };
        if let Err(error) = self.end_export(asker, method, &abort.path, id).await {
            let feed = &self.feed.id;
            tracing::warn!(%feed, %error, "an export was given up and could not be taken back at the partner's");
        }
    }

    /// Takes back what `walk`, which is not gone on with, had ordered. One of another configuration is left alone: what was
    /// ordered there may be somebody else's here.
    pub(super) async fn take_back_of(&self, request: &Request, walk: &Walk) {
        let Ok(next) = serde_json::from_value::<Next>(walk.next.clone()) else { return };
        let base = &self.source.http.base_url;
        if next.of == self.url_hash(base) {
            self.take_back(&Asker::new(base, &self.feed, request), &next.ask).await;
        }
    }

    fn export(&self) -> Option<&Export> {
        let Origin::Http(request) = &self.feed.origin else { return None };
        request.export.as_ref()
    }

    async fn end_export(
        &self,
        asker: &Asker<'_>,
        method: Method,
        path: &str,
        id: &str,
    ) -> Result<(), FetchError> {
        let Ok(url) = asker.at(path, &Leg::default(), Some(id)) else { return Ok(()) };
        let pass = self.source.pass().await?;
        let end = |url| self.source.request(method.clone(), url);
        let ended = self.source.send(pass, &url, 0, end).await;
        match ended {
            // It is gone: an earlier try was done, and its answer did not come.
            Ok(_) | Err((Some(404 | 410), _)) => Ok(()),
            Err((_, error)) => {
                Err(error.fetch().clone().rewritten(|text| self.source.clean(None, text)))
            }
        }
    }
}

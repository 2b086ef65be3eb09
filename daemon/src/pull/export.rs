//! An export: ordered, asked after until it is ready, and deleted at the partner's once it was read.

use marsad_shared::{
    feed::ScalarPath,
    health::Reason,
    id::RunId,
    request::{Download, Export},
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Puller,
    envelope::Said,
    fetch::Tries,
    page::{self, Page},
};
use crate::{
    decode::{self, Scalar},
    intake::{self, Piece},
    source::{
        asking::{Asker, Leg},
        call::Call,
        fault::{FetchError, shown},
        http::Answer,
        walk::Ask,
    },
    trouble::Trouble,
};

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
        let id = self.need(&answer, &export.id, call, "what the export is called")?;
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
            let state = self.need(&answer, &export.state, call, "how far the export is")?;
            if export.done.contains(&state) {
                let place = match &export.download {
                    Download::Path(path) => asker.at(path, leg, Some(id))?.to_string(),
                    Download::At(path) => self.need(&answer, path, call, "where the export is")?,
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

    fn need(
        &self,
        answer: &Answer,
        path: &ScalarPath,
        call: &Call,
        what: &str,
    ) -> Result<String, FetchError> {
        let found =
            intake::beside(page::format_of(answer), &answer.body, std::slice::from_ref(path));
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
        Ok(Page { answer, piece, said: Said::default(), url, filtered: 0, job: Some(ask) })
    }

    /// Deletes an export at the partner's once it has been read. If that fails the partner keeps it, and nothing is lost.
    pub(super) async fn clear_away(&self, asker: &Asker<'_>, ask: &Ask) {
        let marsad_shared::feed::Origin::Http(request) = &self.feed.origin else { return };
        let path = request.export.as_ref().and_then(|export| export.delete.as_deref());
        let (Some(path), Ask::File { id, .. }) = (path, ask) else { return };
        let Ok(url) = asker.at(path, &Leg::default(), Some(id)) else { return };
        let Ok(pass) = self.source.pass().await else { return };
        let delete = |url| self.source.request(reqwest::Method::DELETE, url);
        if let Err((_, error)) = self.source.send(pass, &url, 0, delete).await {
            let (feed, error) = (&self.feed.id, error.fetch());
            tracing::warn!(%feed, %error, "an export was read and could not be deleted at the partner's");
        }
    }
}

//! One page, asked for as long as that may help, and read.

use std::{path::PathBuf, sync::Arc, time::Duration};

use marsad_shared::{
    backoff::Backoff,
    feed::{Deleted, Feed, Origin, ScalarPath},
    health::Reason,
    id::RunId,
    record::Layout,
    request::Paging,
    store::{StoreError, read::References},
    untrusted::show_at_most,
};
use reqwest::StatusCode;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Puller,
    envelope::Said,
    page::{self, Page},
    reading::{Read, Reading, is_left_to_it},
    room::Room,
};
use crate::{
    decode::{self, Scalar},
    intake::{Intake, Origins, Piece},
    jitter::jitter,
    shape::Shaper,
    source::{
        asking::{Asker, Leg},
        call::Call,
        fault::FetchError,
        gate::HeldBy,
        http::{Answer, HttpSource},
        manners::{PATIENCE, PATIENCE_MIDWAY},
        walk::Ask,
    },
    trouble::Trouble,
};

/// How often one page is asked for before the run gives up; the next run goes on at that page.
const TRIES: u32 = 4;
/// The waits between those tries.
const RETRY: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));

/// How often one thing was tried, and how long it was waited for.
#[derive(Debug)]
pub(super) struct Tries {
    tried: u32,
    waited: Duration,
    /// What went wrong last.
    last: Option<Trouble>,
}

impl Tries {
    pub(super) const fn new() -> Self {
        Self { tried: 0, waited: Duration::ZERO, last: None }
    }
}

/// A link to what was exported carries its own right to be read: that it is refused says nothing of ours.
fn expired(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Fetch(error @ FetchError::Final { reason: Reason::Auth, .. }) => {
            let (what, _) = error.parted();
            let text = format!(
                "{what}: the link to the export is refused, it may be over; the export is ordered anew, tell the partner if that goes on"
            );
            Trouble::Fetch(FetchError::Final { reason: Reason::Http4xx, text })
        }
        trouble => trouble,
    }
}

/// Where the partner itself led us there, it is not our path that is to be checked.
fn led(trouble: Trouble) -> Trouble {
    let Trouble::Fetch(error) = trouble else { return trouble };
    let (what, remedy) = error.parted();
    let led = format!("{what}: the page before led there");
    let mend = "tell the partner, or compare `pagination` with its documentation";
    Trouble::Fetch(match error {
        FetchError::Final { reason: reason @ Reason::Http4xx, .. } => {
            FetchError::Final { reason, text: format!("{led}; {mend}") }
        }
        FetchError::Gone { status, .. } => {
            FetchError::Gone { status, text: format!("{led}; {mend}") }
        }
        FetchError::Transient { reason: reason @ Reason::Http5xx, .. } => {
            FetchError::Transient { reason, text: format!("{led}; {remedy}") }
        }
        error => error,
    })
}

impl Puller {
    /// What `ask` leads to; `first` is the answer to the first time, if it was asked already.
    #[expect(
        clippy::too_many_arguments,
        reason = "a place in a walk is a run, a number, a leg and an ask"
    )]
    pub(super) async fn fetch(
        &self,
        run: RunId,
        number: u64,
        asker: &Asker<'_>,
        leg: &Leg,
        ask: &Ask,
        first: Option<Answer>,
        stop: &CancellationToken,
    ) -> Result<Page, Trouble> {
        let call = asker.call(leg, ask).map_err(|error| {
            Trouble::from(error).rewritten(|text| self.source.clean(None, text))
        })?;
        let fetched = self.fetched(run, number, asker, leg, ask, &call, first, stop).await;
        // Whatever a partner says on the way passes here, and nowhere else, into a reason.
        fetched.map_err(|trouble| trouble.rewritten(|text| self.source.clean(Some(&call), text)))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a place in a walk is a run, a number, a leg and an ask"
    )]
    async fn fetched(
        &self,
        run: RunId,
        number: u64,
        asker: &Asker<'_>,
        leg: &Leg,
        ask: &Ask,
        call: &Call,
        first: Option<Answer>,
        stop: &CancellationToken,
    ) -> Result<Page, Trouble> {
        let Origin::Http(request) = &self.feed.origin else {
            return Err(Trouble::Stopped);
        };
        match (&request.export, ask) {
            (Some(export), Ask::First) => Box::pin(self.order(run, call, export, stop)).await,
            (Some(export), Ask::Job(id)) => {
                Box::pin(self.await_job(run, asker, leg, id, call, export, stop)).await
            }
            (Some(_), Ask::File { .. }) => {
                self.page(run, number, call, first, stop).await.map_err(expired)
            }
            (_, Ask::Url(_)) => self.page(run, number, call, first, stop).await.map_err(led),
            _ => self.page(run, number, call, first, stop).await,
        }
    }

    /// What fetches from `url`: all that is not within the partner's own origin is a file, and comes from where those do.
    fn source_of(&self, url: &Url) -> &Arc<HttpSource> {
        let is_theirs = url.origin() == self.source.http.base_url.origin();
        self.files.as_ref().filter(|_| !is_theirs).unwrap_or(&self.source)
    }

    /// Whether what is asked for comes from elsewhere than the partner's: how that is tells nothing of the connection.
    pub(super) fn is_elsewhere(&self, ask: &Ask) -> bool {
        let Ask::File { at, .. } = ask else { return false };
        let url = at.parse().ok();
        url.is_some_and(|url| !Arc::ptr_eq(self.source_of(&url), &self.source))
    }

    /// A page. What comes of it in the end is one result for the connection's health, however often it was asked.
    async fn page(
        &self,
        run: RunId,
        number: u64,
        call: &Call,
        mut first: Option<Answer>,
        stop: &CancellationToken,
    ) -> Result<Page, Trouble> {
        let (mut tries, mut renewed) = (Tries::new(), false);
        let source = self.source_of(&call.url);
        loop {
            if stop.is_cancelled() {
                return Err(Trouble::Stopped);
            }
            let answer = match first.take() {
                Some(answer) => Ok(answer),
                // What was asked for a person who wants it no more is not waited for.
                None => match stop.run_until_cancelled(source.get(call, None)).await {
                    Some(answer) => answer,
                    None => return Err(Trouble::Stopped),
                },
            };
            let trouble = match answer {
                Ok(answer) => {
                    let session = answer.session;
                    let trouble = match self.decode(run, answer, number, call, stop).await {
                        Ok(read) => return Ok(read),
                        Err(trouble) => trouble,
                    };
                    if trouble.reason() == Some(Reason::RemoteFault) {
                        if renewed {
                            self.source.renewed_in_vain().await;
                        } else if self.source.renews(session).await {
                            renewed = true;
                            continue;
                        }
                    }
                    trouble
                }
                Err(error) => Trouble::Fetch(error),
            };
            self.wait(run, trouble, &mut tries, number, stop).await?;
        }
    }

    /// Waits before the same is tried again.
    ///
    /// # Errors
    /// The trouble itself, where trying again cannot help or was tried often enough.
    pub(super) async fn wait(
        &self,
        run: RunId,
        trouble: Trouble,
        tries: &mut Tries,
        number: u64,
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        let patience = self.patience(number);
        let wait = match trouble {
            // Nothing was asked, so nothing was tried. What went wrong before says more than that we wait.
            Trouble::Fetch(FetchError::Held { wait, by, text }) => {
                // Its turns are for whoever has begun: each that begins anew would need as many.
                let is_its_turn = by == HeldBy::Limit && number > 1;
                let waits = match by {
                    // Its tries are made one a run, so that each is heard of.
                    HeldBy::Breaker => false,
                    HeldBy::Limit | HeldBy::Partner => {
                        is_its_turn || tries.waited + wait <= patience
                    }
                };
                if !waits {
                    let held = || FetchError::Held { wait, by, text }.into();
                    return Err(tries.last.take().unwrap_or_else(held));
                }
                if !is_its_turn {
                    tries.waited += wait;
                }
                wait
            }
            trouble => {
                tries.tried += 1;
                let seed = run.0.cast_unsigned() ^ number;
                let wait = match &trouble {
                    Trouble::Fetch(FetchError::Throttled { retry_after, .. }) => {
                        Some(retry_after.unwrap_or(Duration::from_secs(1)))
                            .filter(|wait| *wait <= patience)
                    }
                    _ if trouble.is_transient() => {
                        Some(RETRY.delay(tries.tried, jitter(self.feed.id.as_str(), seed)))
                    }
                    _ => None,
                };
                let Some(wait) = wait.filter(|_| tries.tried < TRIES) else { return Err(trouble) };
                tries.last = Some(trouble);
                wait
            }
        };
        stop.run_until_cancelled(sleep(wait)).await.ok_or(Trouble::Stopped)
    }

    /// How long the page of that number is waited for.
    fn patience(&self, number: u64) -> Duration {
        if number > 1 && self.starts_over { PATIENCE_MIDWAY } else { PATIENCE }
    }

    /// Decodes, shapes and checks one answer.
    async fn decode(
        &self,
        run: RunId,
        mut answer: Answer,
        number: u64,
        call: &Call,
        stop: &CancellationToken,
    ) -> Result<Page, Trouble> {
        let place = format!("page {number} of {}", call.shown());
        let reading = Reading::of(&self.feed, &answer).hiding(self.source.mask());
        if answer.nothing || answer.status == StatusCode::NO_CONTENT {
            return self.empty(run, &place, answer, call).await;
        }
        page::whole(&answer, &reading, &call.url)?;
        if answer.status == StatusCode::PARTIAL_CONTENT && !self.is_paged() {
            let what = "the partner answered with some of its records (206), and nothing says how to ask for the others: say it in `pagination`";
            return Err(FetchError::of(Reason::Truncated, &call.url, what).into());
        }
        let paths = self.envelope.paths();
        let mut size = reading.size(&self.feed, paths);
        let mut room = self.services.rooms.enter(size, stop).await.ok_or(Trouble::Stopped)?;
        if self.columns.known().is_none() && self.has_none(&reading, &answer, call).await? {
            // Such an answer tells nothing of the columns.
            return self.without_columns(answer, &reading, call).await;
        }
        let infer = {
            let (reading, folder) = (reading.clone(), self.folder());
            move |feed: &Feed| reading.infer(feed, &folder)
        };
        let shaper = match self.shaper(run, &place, infer).await {
            Ok(shaper) => shaper,
            Err(Trouble::Decode { error: decode::DecodeError::Nothing, .. }) => {
                return self.without_columns(answer, &reading, call).await;
            }
            Err(trouble) => return Err(trouble),
        };
        let Read { found, piece, bytes, outline } = loop {
            let references = self.references(&shaper).await?;
            let read = self.read(&reading, &shaper, references, number, size.most()).await;
            match (&read.piece, size.larger()) {
                (Err(decode::DecodeError::Crowded(_)), Some(larger)) => size = larger,
                _ => break read,
            }
            // Whoever waits for room holds none.
            drop((read, std::mem::take(&mut room)));
            room = self.services.rooms.enter(size, stop).await.ok_or(Trouble::Stopped)?;
        };
        // What an answer says of itself comes first: an error has no records.
        let said = match &piece {
            Err(_) if found.iter().all(|scalar| *scalar == Scalar::Absent) => Said::default(),
            _ => self.envelope.said(&found, &answer, &call.url)?,
        };
        let said = said.rewritten(|text| self.source.unsigned(text));
        let nothing = || Piece::new(&shaper.layout, self.services.store.seed);
        let piece = if said.has_none() { Ok(nothing()) } else { piece };
        let lacks = piece.as_ref().is_ok_and(|piece| piece.lacking.is_some());
        let piece = piece.and_then(|mut piece| match piece.lacking.take() {
            Some(text) if said.counts_some() => Err(decode::DecodeError::Layout(text)),
            _ => Ok(piece),
        });
        let piece = piece.map_err(|error| Trouble::decode(place, error))?;
        self.envelope.no_error(&found, &call.url)?;
        answer.body.let_go(bytes);
        let said = self.shown(said, call);
        let url = self.url_hash(&call.url);
        let filtered = piece.elsewhere;
        Ok(Page { answer, piece, said, url, filtered, lacks, outline, job: None, _room: room })
    }

    /// Whether one answer need not be all there is.
    fn is_paged(&self) -> bool {
        match &self.feed.origin {
            Origin::Http(request) => !matches!(request.pagination.kind, Paging::None),
            Origin::Files(_) => false,
        }
    }

    /// Where what is too large for memory is put aside.
    fn folder(&self) -> PathBuf {
        self.services.store.folder.path().to_owned()
    }

    /// What looks up whatever rows refer to, if they refer to something.
    async fn references(&self, shaper: &Arc<Shaper>) -> Result<Option<References>, StoreError> {
        if shaper.layout.fields.iter().all(|field| field.rules.references.is_none()) {
            return Ok(None);
        }
        let (folder, shaper) = (self.services.store.folder.path().to_owned(), Arc::clone(shaper));
        let opened = tokio::task::spawn_blocking(move || References::open(&folder, &shaper.layout));
        opened.await.map_err(|_| StoreError::Closed)?
    }

    /// Reads an answer into rows, which may take `most` bytes.
    async fn read(
        &self,
        reading: &Reading,
        shaper: &Arc<Shaper>,
        references: Option<References>,
        number: u64,
        most: usize,
    ) -> Read {
        let (feed, seed) = (Arc::clone(&self.feed), self.services.store.seed);
        let (reading, shaper, folder) = (reading.clone(), Arc::clone(shaper), self.folder());
        let envelope = Arc::clone(&self.envelope);
        // What has to be looked up may have to wait for a disk.
        let small = reading.is_at_most(page::SMALL) && references.is_none();
        let read = move || {
            let is_odata = feed.deleted == Some(Deleted::OData);
            let set = is_odata.then(|| reading.set()).flatten();
            let encoding = reading.encoding();
            let origins = Origins { file: None, page: Some(number), encoding, set };
            let format = reading.format;
            let references = references.as_ref();
            let intake = Intake {
                feed: &feed,
                shaper: &shaper,
                format,
                seed,
                origins,
                references,
                recall: None,
            };
            let mut read = reading.page(&intake, envelope.paths(), most, &folder);
            let lacks = read.piece.as_ref().is_ok_and(|piece| piece.lacking.is_some());
            if feed.may_lack && (number == 1 || lacks) {
                read.outline = reading.outline();
            }
            read
        };
        if small {
            return read();
        }
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| {
            let what = "it could not be decoded; report this".to_owned();
            Read::of(Vec::new(), Err(decode::DecodeError::Format(what)), 0)
        })
    }

    /// What stands at the `wanted` paths of an answer, in their order.
    pub(super) async fn beside(&self, reading: Reading, wanted: Vec<ScalarPath>) -> Vec<Scalar> {
        if reading.is_at_most(page::SMALL) {
            return reading.beside(&wanted);
        }
        // Nothing is found where the decoder panics.
        tokio::task::spawn_blocking(move || reading.beside(&wanted)).await.unwrap_or_default()
    }

    /// A page of an answer that says that there are no records, whatever it brings.
    async fn empty(
        &self,
        run: RunId,
        place: &str,
        answer: Answer,
        call: &Call,
    ) -> Result<Page, Trouble> {
        let shaper = self.shaper(run, place, |_| Err(decode::DecodeError::Nothing)).await;
        let piece = match shaper {
            Ok(shaper) => Piece::new(&shaper.layout, self.services.store.seed),
            Err(Trouble::Decode { error: decode::DecodeError::Nothing, .. }) => self.no_rows(),
            Err(trouble) => return Err(trouble),
        };
        Ok(self.without_rows(answer, piece, Said::default(), call))
    }

    /// A page without records, of a feed whose columns will be those of its first data: it leads on like any other.
    async fn without_columns(
        &self,
        answer: Answer,
        reading: &Reading,
        call: &Call,
    ) -> Result<Page, Trouble> {
        let found = self.beside(reading.clone(), self.envelope.paths().to_vec()).await;
        let said = self.envelope.said(&found, &answer, &call.url)?;
        if let Some(error) = reading.error(true).filter(|_| is_left_to_it(&self.feed)) {
            return Err(Trouble::decode(call.shown(), error));
        }
        if self.feed.may_lack && said.counts_some() && !said.has_none() {
            let what = "it says that there are records, and holds none; see what the answer looks like and mend `records`";
            let error = decode::DecodeError::Layout(what.to_owned());
            return Err(Trouble::decode(call.shown(), error));
        }
        let said = said.rewritten(|text| self.source.unsigned(text));
        Ok(self.without_rows(answer, self.no_rows(), self.shown(said, call), call))
    }

    fn without_rows(&self, answer: Answer, piece: Piece, said: Said, call: &Call) -> Page {
        let url = self.url_hash(&call.url);
        Page {
            answer,
            piece,
            said,
            url,
            filtered: 0,
            lacks: false,
            outline: Vec::new(),
            job: None,
            _room: Room::default(),
        }
    }

    /// No rows, of no columns.
    fn no_rows(&self) -> Piece {
        let layout = Layout { fields: Vec::new(), key: Vec::new(), version: None };
        Piece::new(&layout, self.services.store.seed)
    }

    pub(super) async fn shaper<F>(
        &self,
        run: RunId,
        place: &str,
        infer: F,
    ) -> Result<Arc<Shaper>, Trouble>
    where
        F: FnOnce(&Feed) -> Result<Layout, decode::DecodeError> + Send + 'static,
    {
        match self.columns.known() {
            Some(shaper) => Ok(Arc::clone(shaper)),
            None => self.columns.shaper(&self.services, run, place, infer).await,
        }
    }

    /// Whether an answer says of itself that it has no records, before those are looked at.
    async fn has_none(
        &self,
        reading: &Reading,
        answer: &Answer,
        call: &Call,
    ) -> Result<bool, FetchError> {
        let found = self.beside(reading.clone(), self.envelope.paths().to_vec()).await;
        if found.iter().all(|scalar| *scalar == Scalar::Absent) {
            return Ok(false);
        }
        Ok(self.envelope.said(&found, answer, &call.url)?.has_none())
    }

    /// The same with the partner's own words as people may see them.
    fn shown(&self, said: Said, call: &Call) -> Said {
        let failed = said.failed.map(|words| self.source.clean(Some(call), &words));
        Said { failed: failed.map(|words| show_at_most(&words, page::WORDS_MAX)), ..said }
    }
}

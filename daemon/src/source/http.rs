//! A partner's HTTP interface: requests with our credentials, answers within limits.

use std::{num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::SignedDuration;
use marsad_shared::{
    certificate::Certificates,
    clock::Clock,
    connection::{Connection, Http, RateLimit},
    health::Reason,
    id::{ConnectionId, FeedId},
    request::{Body, OnStatus},
    store::cache::Validators,
};
use reqwest::{
    Client, Method, Request, RequestBuilder, Response, StatusCode, Version,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use url::Url;

use super::{
    auth::{Shown, Signer},
    body,
    call::Call,
    client::{ClientError, Clients, Door, Seen},
    fault::{FetchError, Transport, is_good, peer_until, shown, unasked, without_echo},
    gate::{Gate, Pass, Wait},
    ours::{Ours, without},
    proof,
    said::{READ_MAX, Said},
    spend::{Caller, Purse},
    unpack,
};
use crate::decode::sdmx::is_no_results;

/// How long what an error says for itself may take to come.
const WORDS_WAIT: Duration = Duration::from_secs(5);

/// The mark that some put before UTF-8: it belongs to no format.
const BYTE_ORDER: &[u8] = b"\xef\xbb\xbf";
/// The lowest rate at which a document leaves, in bytes a second, before its answer is given up.
const SLOWEST: u64 = 64 * 1024;

/// An HTTP connection, shared by its feeds and its courier.
#[derive(Clone, Debug)]
pub struct HttpSource {
    pub id: ConnectionId,
    pub http: Arc<Http>,
    door: Arc<Door>,
    certificates: Arc<Seen>,
    /// What each request carries besides.
    headers: Arc<HeaderMap>,
    signer: Arc<Signer>,
    /// What must never be shown, by whoever it comes back.
    ours: Arc<Ours>,
    /// What all requests of the connection keep to.
    gate: Arc<Gate>,
    /// Who asks with this handle.
    who: Caller,
}

/// The head of an answer, its body still on the way.
struct Sent {
    response: Response,
    first_byte: Duration,
    shown: Shown,
}

/// A good answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// From the request to the head of the answer.
    pub first_byte: Duration,
    /// It says, to this feed, that there are no records, whatever it brings.
    pub nothing: bool,
    /// Only the end of the connection says where its body ends, and so not whether all of it came.
    pub open_ended: bool,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Every `Link` header as one (RFC 9110 section 5.3), whatever characters its targets hold.
    pub fn link(&self) -> Option<String> {
        let lines = self.headers.get_all(header::LINK).iter();
        let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }
}

impl HttpSource {
    /// The source behind `connection`; `None` for one of folders. `secrets`: the folder where tokens are kept that its
    /// partner replaces.
    ///
    /// # Errors
    /// [`ClientError`] if its certificates are of no use.
    pub fn new(
        connection: &Connection,
        clients: &Clients,
        secrets: &Path,
        clock: &Arc<dyn Clock>,
        purse: Option<&Arc<Purse>>,
    ) -> Result<Option<Arc<Self>>, ClientError> {
        let marsad_shared::connection::Link::Http(http) = &connection.link else { return Ok(None) };
        let door = Door::new(&connection.id, http, clients)?;
        let (clock, limiter) = (Arc::clone(clock), http.rate_limit.map(limiter));
        Ok(Some(Arc::new(Self {
            id: connection.id.clone(),
            certificates: Arc::new(Seen::new(door.ours_until())),
            door: Arc::new(door),
            headers: Arc::new(headers(http)),
            ours: Arc::new(Ours::of(&http.auth)),
            signer: Arc::new(Signer::new(&connection.id, http.auth.clone(), secrets)),
            gate: Arc::new(Gate::new(connection.id.clone(), clock, limiter, purse.cloned())),
            http: Arc::new(http.clone()),
            who: Caller::Tests,
        })))
    }

    /// The same connection, in the hand of a feed: what it asks is counted as its own.
    pub fn for_feed(&self, feed: &FeedId) -> Arc<Self> {
        self.called_by(Caller::Feed(feed.clone()))
    }

    /// The same connection, in somebody's hand. As it is made, it is an operator's, for tests.
    pub fn called_by(&self, who: Caller) -> Arc<Self> {
        Arc::new(Self { who, ..self.clone() })
    }

    /// The gate that its requests leave through.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Why and until when a request with this handle could not leave now.
    pub fn held(&self) -> Option<Wait> {
        self.gate.look(&self.who)
    }

    /// How far the partner's clock is ahead of ours; nothing while that is not known.
    pub fn offset(&self) -> SignedDuration {
        self.gate.offset().unwrap_or_default()
    }

    /// Asks for a page, within the limits. With `validators`, the partner may say that nothing changed (304). Where the
    /// partner refuses what we proved ourselves with, and there is something newer to show, it is asked once more.
    ///
    /// # Errors
    /// [`FetchError`]: no answer, none that can be used, or none in time.
    pub async fn get(
        &self,
        call: &Call,
        validators: Option<&Validators>,
    ) -> Result<Answer, FetchError> {
        let pass = self.pass().await?;
        let got = self.answer(call, validators).await;
        let veil = |error: FetchError| error.rewritten(|text| call.veil(text.to_owned()));
        let got = got.map_err(|(status, error)| (status, veil(error)));
        pass.end(got.as_ref().err().map(|(_, error)| error));
        // What a status means to one feed says nothing of whether somebody is there.
        got.map_err(|(status, error)| error.meaning(status.and_then(|status| call.meaning(status))))
    }

    async fn answer(
        &self,
        call: &Call,
        validators: Option<&Validators>,
    ) -> Result<Answer, (Option<u16>, FetchError)> {
        let (url, lost) = (&call.url, |error| (None, error));
        let until = Instant::now() + self.http.timeouts.total;
        let mut sent = self.ask(call, validators).await.map_err(lost)?;
        if sent.response.status() == StatusCode::UNAUTHORIZED
            && self.signer.refused(&sent.shown, sent.response.headers()).await
        {
            self.gate.again(&self.who);
            sent = self.ask(call, validators).await.map_err(lost)?;
        }
        let Sent { mut response, first_byte, .. } = sent;
        let (status, headers) = (response.status(), response.headers().clone());
        let open_ended = is_open_ended(&response);
        let answer = |headers, body, nothing| Answer {
            status,
            headers,
            body,
            first_byte,
            nothing,
            open_ended,
        };
        if call.meaning(status.as_u16()) == Some(OnStatus::Empty) {
            return Ok(answer(headers, Bytes::new(), true));
        }
        if !is_good(status) {
            // Apart, because it is rare: every feed's task is as large as all that it may come to wait for.
            let words = Box::pin(self.words(&mut response, until)).await;
            if call.sdmx && status == StatusCode::NOT_FOUND && is_no_results(&words) {
                return Ok(answer(headers, Bytes::new(), true));
            }
            return Err((Some(status.as_u16()), self.error(&response, url, &call.shown(), &words)));
        }
        let named = validators.is_some_and(|v| v.etag.is_some() || v.last_modified.is_some());
        if let Some(error) = unasked(status, named, url) {
            return Err((Some(status.as_u16()), error));
        }
        let idle = self.http.timeouts.idle;
        let body = body::read(response, url, idle, until).await.map_err(lost)?;
        let mut body = body::unpacked(body, &headers, url).await.map_err(lost)?;
        if body.starts_with(BYTE_ORDER) {
            body = body.slice(BYTE_ORDER.len()..);
        }
        Ok(answer(headers, body, false))
    }

    async fn ask(&self, call: &Call, validators: Option<&Validators>) -> Result<Sent, FetchError> {
        let mut body = call.body.clone();
        self.signer.fill(&mut body, &call.url)?;
        let client = self.door.client().await;
        let mut request =
            call.build(&client, &body).header(header::ACCEPT_ENCODING, unpack::ACCEPTED);
        if let Some(etag) = validators.and_then(|v| v.etag.as_deref()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(modified) = validators.and_then(|v| v.last_modified.as_deref()) {
            request = request.header(header::IF_MODIFIED_SINCE, modified);
        }
        let (request, shown) = self.signed(&call.url, request, &client).await?;
        self.ours.show(proof::secrets(&request, Some(call), &body));
        let began = Instant::now();
        let patience = self.http.timeouts.first_byte;
        let Ok(sent) = timeout(patience, client.execute(request)).await else {
            let what = format!("no answer began within {} s", patience.as_secs());
            return Err(FetchError::of(Reason::FirstByteTimeout, &call.url, &what));
        };
        let response = self
            .met(sent)
            .map_err(|error| FetchError::of_transport(&error.without_url(), &call.url, false))?;
        let first_byte = began.elapsed();
        self.gate.hear(response.headers(), first_byte);
        Ok(Sent { response, first_byte, shown })
    }

    /// Notes whom we met there.
    fn met(&self, sent: reqwest::Result<Response>) -> reqwest::Result<Response> {
        let ours = self.door.ours_until();
        match &sent {
            Ok(response) => self.certificates.answered(response, ours),
            Err(error) => {
                if let Some(theirs) = peer_until(error) {
                    self.certificates.refused(theirs, ours);
                }
            }
        }
        sent
    }

    /// Until when the certificates of both sides are good, as far as is known, with each change from now on.
    pub fn certificates(&self) -> watch::Receiver<Certificates> {
        self.certificates.subscribe()
    }

    /// A request with what each carries, and what proves who we are. Neither ever leaves the origin.
    async fn signed(
        &self,
        url: &Url,
        request: RequestBuilder,
        client: &Client,
    ) -> Result<(Request, Shown), FetchError> {
        let mut request = request
            .build()
            .map_err(|error| FetchError::of_transport(&error.without_url(), url, false))?;
        if request.url().origin() != self.http.base_url.origin() {
            let what = "it is not of the origin of base_url, where alone our credentials may go";
            return Err(FetchError::of(Reason::Http4xx, url, what));
        }
        for (name, value) in &*self.headers {
            request.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        let shown = self.signer.sign(client, &mut request, self.gate.there()).await?;
        Ok((request, shown))
    }

    /// `text` in which a partner's words about `call` may stand, as people may see it: without our secrets, and without
    /// what the call veils.
    pub fn clean(&self, call: Option<&Call>, text: &str) -> String {
        let heads = call.map(|call| vec![shown(&call.url), call.shown()]).unwrap_or_default();
        let text = self.ours.clean(&heads, text);
        call.map_or(text.clone(), |call| call.veil(text))
    }

    /// What a partner gave us to go on with (a URL, a part of one, a link or a token), without what we put into URLs
    /// ourselves: it is put there anew when it is asked for, and kept nowhere.
    pub fn unsigned(&self, text: &str) -> String {
        let own = self.signer.in_query();
        let is_ours = |name: &str, value: &str| {
            own.is_some_and(|own| own.eq_ignore_ascii_case(name)) || self.ours.is(value)
        };
        // In JSON the marks of a URL may be escaped.
        let json = text.starts_with('{').then(|| serde_json::from_str::<Value>(text).ok());
        match json.flatten() {
            Some(json) => without(&json.to_string(), is_ours),
            None => without(text, is_ours),
        }
    }

    /// Gets what proves who we are, if it has to be fetched, and asks for nothing else.
    ///
    /// # Errors
    /// [`FetchError`] if it was not given.
    pub async fn prove(&self) -> Result<(), FetchError> {
        let base = &self.http.base_url;
        let client = self.door.client().await;
        self.signed(base, client.get(base.clone()), &client).await.map(drop)
    }

    /// Makes a request of the connection's client; used by the courier.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.door.last().request(method, url)
    }

    /// The right to one request, once the rate limit has its turn.
    ///
    /// # Errors
    /// [`Wait`] if nothing may be asked now.
    pub async fn pass(&self) -> Result<Pass, Wait> {
        self.gate.pass(&self.who).await
    }

    /// What an answer that is no success says for itself: the begin of its body, unpacked.
    async fn words(&self, response: &mut Response, until: Instant) -> Bytes {
        let until = until.min(Instant::now() + self.http.timeouts.idle.min(WORDS_WAIT));
        let mut body = Vec::new();
        while body.len() < READ_MAX
            && let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(READ_MAX);
        let body = Bytes::from(body);
        let packing = body::packing(response.headers());
        unpack::unpack(body.clone(), &packing, READ_MAX).unwrap_or(body)
    }

    /// What an answer that is no success means, with what it says for itself.
    fn error(&self, response: &Response, url: &Url, shown_as: &str, words: &[u8]) -> FetchError {
        let (status, headers) = (response.status(), response.headers());
        let said = Said::of(headers, words, &self.ours);
        let headers = without_echo(headers, |code| self.ours.is_in(code));
        let there = self.gate.there();
        let error = FetchError::of_answer(status, &headers, &said, there, url);
        // Others who are held back by it are told it too.
        self.gate.heed(error.rewritten(|text| text.replacen(&shown(url), shown_as, 1)))
    }

    /// Hands over what `build` makes, with the right to do so, a body of `bytes`. An answer that is no success comes with its status; without
    /// one, the error says whether the request can have arrived.
    ///
    /// # Errors
    /// The status, where there was one, and what went wrong.
    pub async fn send(
        &self,
        pass: Pass,
        url: &Url,
        bytes: u64,
        build: impl Fn(Url) -> RequestBuilder,
    ) -> Result<StatusCode, (Option<u16>, Transport)> {
        let sent = self.hand_over(url, bytes, build).await;
        // A method that is not known is an answer, and by somebody.
        let unknown = Some(StatusCode::NOT_IMPLEMENTED.as_u16());
        pass.end(
            sent.as_ref()
                .err()
                .filter(|(status, _)| *status != unknown)
                .map(|(_, error)| error.fetch()),
        );
        sent
    }

    async fn hand_over(
        &self,
        url: &Url,
        bytes: u64,
        build: impl Fn(Url) -> RequestBuilder,
    ) -> Result<StatusCode, (Option<u16>, Transport)> {
        let until = Instant::now() + self.http.timeouts.total;
        let mut sent = self.offer(url, bytes, &build).await?;
        // What is refused for its credentials is surely not received: it may be offered once more.
        if sent.response.status() == StatusCode::UNAUTHORIZED
            && self.signer.refused(&sent.shown, sent.response.headers()).await
        {
            self.gate.again(&self.who);
            sent = self.offer(url, bytes, &build).await?;
        }
        let Sent { mut response, .. } = sent;
        let status = response.status();
        if is_good(status) {
            return Ok(status);
        }
        let words = Box::pin(self.words(&mut response, until)).await;
        let error = self.error(&response, url, &shown(url), &words);
        Err((Some(status.as_u16()), Transport::Lost(error)))
    }

    async fn offer(
        &self,
        url: &Url,
        bytes: u64,
        build: impl Fn(Url) -> RequestBuilder,
    ) -> Result<Sent, (Option<u16>, Transport)> {
        let client = self.door.client().await;
        let (request, shown) = self
            .signed(url, build(url.clone()), &client)
            .await
            .map_err(|error| (None, Transport::NotSent(error)))?;
        let limits = self.http.timeouts;
        let upload = Duration::from_secs(bytes / SLOWEST);
        let patience = limits.first_byte.saturating_add(upload).min(limits.total);
        self.ours.show(proof::secrets(&request, None, &Body::None));
        let began = Instant::now();
        let Ok(sent) = timeout(patience, client.execute(request)).await else {
            let what = format!("no answer came within {} s", patience.as_secs());
            let error = FetchError::of(Reason::FirstByteTimeout, url, &what);
            return Err((None, Transport::Lost(error)));
        };
        let response = self.met(sent).map_err(|error| {
            let left = !error.is_connect();
            let error = FetchError::of_transport(&error.without_url(), url, false);
            (None, if left { Transport::Lost(error) } else { Transport::NotSent(error) })
        })?;
        let first_byte = began.elapsed();
        self.gate.hear(response.headers(), first_byte);
        Ok(Sent { response, first_byte, shown })
    }
}

/// Whether only the end of the connection says where the body ends (RFC 9112 section 6.3): nothing else tells there.
fn is_open_ended(response: &Response) -> bool {
    let told = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    response.version() <= Version::HTTP_11
        && !told.iter().any(|name| response.headers().contains_key(name))
}

/// What the configuration's check has let pass is a header.
fn headers(http: &Http) -> HeaderMap {
    let each = http.headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    each.collect()
}

fn limiter(limit: RateLimit) -> DefaultDirectRateLimiter {
    let burst = limit.requests;
    let period = limit.per / burst.get();
    // A period of nothing cannot be configured: both parts are checked to be more.
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    RateLimiter::direct(quota.allow_burst(burst))
}

#[cfg(test)]
mod tests;

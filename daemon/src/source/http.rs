//! A partner's HTTP interface: requests with our credentials, answers within limits.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::SignedDuration;
use marsad_shared::{
    clock::Clock,
    connection::{Connection, Http, RateLimit},
    health::Reason,
    id::ConnectionId,
    request::OnStatus,
    store::cache::Validators,
    untrusted::show,
};
use reqwest::{Client, Method, Request, RequestBuilder, Response, StatusCode, header};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};
use url::Url;

use super::{
    auth::Signer,
    call::Call,
    client::Clients,
    fault::{FetchError, Transport, shown},
    manners::clock::{NOTABLE, PartnerClock},
    unpack::{self, UnpackError},
};

/// The largest page, in bytes as it is decoded (DESIGN section 6).
pub const PAGE_MAX: usize = 256 * 1024 * 1024;

/// The lowest rate at which an answer may come, in bytes a second: a modem of the nineties was faster. Who comes slower
/// holds a run for as long as it likes (security T10).
const RATE_LEAST: u64 = 1024;
/// Over so long at least that rate is measured, so that a pause is not taken for it.
const RATE_OVER: Duration = Duration::from_secs(30);

/// The lowest rate at which a document leaves, in bytes a second, before its answer is given up.
const SLOWEST: u64 = 64 * 1024;

/// An HTTP connection, shared by its feeds and its courier.
#[derive(Debug)]
pub struct HttpSource {
    pub id: ConnectionId,
    pub http: Http,
    client: Client,
    limiter: Option<DefaultDirectRateLimiter>,
    signer: Signer,
    /// Until when the partner asked to be left alone.
    rest_until: Mutex<Option<Instant>>,
    clock: Arc<dyn Clock>,
    /// What time it is there.
    theirs: PartnerClock,
}

/// The head of an answer, its body still on the way.
struct Sent {
    response: Response,
    first_byte: Duration,
}

/// A good answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub body: Bytes,
    /// From the request to the head of the answer.
    pub first_byte: Duration,
    /// Its status says, to this feed, that there are no records.
    pub nothing: bool,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
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
    /// The source behind `connection`; `None` for one of folders.
    ///
    /// # Errors
    /// As [`Clients::client`].
    pub fn new(
        connection: &Connection,
        clients: &Clients,
        clock: &Arc<dyn Clock>,
    ) -> reqwest::Result<Option<Arc<Self>>> {
        let marsad_shared::connection::Link::Http(http) = &connection.link else { return Ok(None) };
        Ok(Some(Arc::new(Self {
            id: connection.id.clone(),
            client: clients.client(http.timeouts.connect)?,
            limiter: http.rate_limit.map(limiter),
            signer: Signer::new(http.auth.clone()),
            rest_until: Mutex::new(None),
            clock: Arc::clone(clock),
            theirs: PartnerClock::default(),
            http: http.clone(),
        })))
    }

    /// Until when the partner asked to be left alone, by whichever request it last said so to.
    pub fn rest_until(&self) -> Option<Instant> {
        *self.rest_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the partner's clock is ahead of ours; nothing while that is not known.
    pub fn offset(&self) -> SignedDuration {
        self.theirs.offset().unwrap_or_default()
    }

    /// Hears what time it is there, by an answer's head that came `took` after it was asked for.
    fn hear_clock(&self, headers: &header::HeaderMap, took: Duration) {
        let Some(offset) = self.theirs.hear(headers, self.clock.now(), took) else { return };
        let (connection, offset_s) = (&self.id, offset.as_secs());
        if offset.abs() >= NOTABLE {
            warn!(%connection, offset_s, "the partner's clock and ours differ: one of them is wrong");
        } else {
            info!(%connection, offset_s, "the partner's clock and ours agree again");
        }
    }

    /// Keeps a wait that the partner asked for.
    fn heed(&self, error: &FetchError) {
        if let FetchError::Throttled { retry_after: Some(wait), .. } = error {
            let until = Instant::now().checked_add(*wait);
            *self.rest_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        }
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
        let url = &call.url;
        let began = Instant::now();
        let mut sent = self.ask(call, validators).await?;
        if sent.response.status() == StatusCode::UNAUTHORIZED
            && self.signer.refused(sent.response.headers()).await
        {
            sent = self.ask(call, validators).await?;
        }
        let Sent { response, first_byte } = sent;
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(error) = FetchError::of_status(status, &headers, url) {
            self.heed(&error);
            let text = error.to_string();
            return match call.meaning(status.as_u16()) {
                None => Err(error),
                Some(OnStatus::Empty) => {
                    Ok(Answer { status, headers, body: Bytes::new(), first_byte, nothing: true })
                }
                Some(OnStatus::Retry) => {
                    Err(FetchError::Transient { reason: Reason::Http5xx, text })
                }
                Some(OnStatus::Fail) => Err(FetchError::Final { reason: Reason::Http4xx, text }),
            };
        }
        let limits = self.http.timeouts;
        let body = body(response, url, limits.idle, began + limits.total).await?;
        let body = unpacked(body, &headers, url).await?;
        Ok(Answer { status, headers, body, first_byte, nothing: false })
    }

    async fn ask(&self, call: &Call, validators: Option<&Validators>) -> Result<Sent, FetchError> {
        self.turn().await;
        let mut body = call.body.clone();
        self.signer.fill(&mut body);
        let mut request =
            call.build(&self.client, &body).header(header::ACCEPT_ENCODING, unpack::ACCEPTED);
        if let Some(etag) = validators.and_then(|v| v.etag.as_deref()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(modified) = validators.and_then(|v| v.last_modified.as_deref()) {
            request = request.header(header::IF_MODIFIED_SINCE, modified);
        }
        let request = self.signed(&call.url, request).await?;
        let began = Instant::now();
        let patience = self.http.timeouts.first_byte;
        let Ok(sent) = timeout(patience, self.client.execute(request)).await else {
            let what = format!("no answer began within {} s", patience.as_secs());
            return Err(FetchError::of(Reason::FirstByteTimeout, &call.url, &what));
        };
        let response =
            sent.map_err(|error| FetchError::of_transport(&error.without_url(), &call.url, false))?;
        let first_byte = began.elapsed();
        self.hear_clock(response.headers(), first_byte);
        Ok(Sent { response, first_byte })
    }

    /// The request that `build` makes, with what proves who we are.
    async fn signed(&self, url: &Url, request: RequestBuilder) -> Result<Request, FetchError> {
        let mut request = request
            .build()
            .map_err(|error| FetchError::of_transport(&error.without_url(), url, false))?;
        self.signer.sign(&self.client, &mut request).await?;
        Ok(request)
    }

    /// Makes a request of the connection's client; used by the courier.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Waits as long as the rate limit says.
    pub async fn turn(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.until_ready().await;
        }
    }

    /// Hands over what `build` makes, once it is our [`Self::turn`], a body of `bytes`. An answer that is no success comes with its status; without
    /// one, the error says whether the request can have arrived.
    ///
    /// # Errors
    /// The status, where there was one, and what went wrong.
    pub async fn send(
        &self,
        url: &Url,
        bytes: u64,
        build: impl Fn(Url) -> RequestBuilder,
    ) -> Result<StatusCode, (Option<u16>, Transport)> {
        let request = self
            .signed(url, build(url.clone()))
            .await
            .map_err(|error| (None, Transport::NotSent(error)))?;
        let limits = self.http.timeouts;
        let upload = Duration::from_secs(bytes / SLOWEST);
        let patience = limits.first_byte.saturating_add(upload).min(limits.total);
        let Ok(sent) = timeout(patience, self.client.execute(request)).await else {
            let what = format!("no answer came within {} s", patience.as_secs());
            let error = FetchError::of(Reason::FirstByteTimeout, url, &what);
            return Err((None, Transport::Lost(error)));
        };
        let answer = sent.map_err(|error| {
            let left = !error.is_connect();
            let error = FetchError::of_transport(&error.without_url(), url, false);
            (None, if left { Transport::Lost(error) } else { Transport::NotSent(error) })
        })?;
        let status = answer.status();
        match FetchError::of_status(status, answer.headers(), url) {
            None => Ok(status),
            Some(error) => {
                self.heed(&error);
                if status == StatusCode::UNAUTHORIZED {
                    // The next attempt shows something newer, if there is anything.
                    self.signer.refused(answer.headers()).await;
                }
                Err((Some(status.as_u16()), Transport::Lost(error)))
            }
        }
    }
}

/// The body of an answer: whole, or none of it.
async fn body(
    mut response: Response,
    url: &Url,
    idle: Duration,
    until: Instant,
) -> Result<Bytes, FetchError> {
    let mut body = BytesMut::new();
    // Pauses are the business of `idle`: where those may be long, the rate has longer to recover.
    let over = RATE_OVER.max(idle);
    let (mut since, mut before) = (Instant::now(), 0);
    loop {
        let chunk = timeout_at(until.min(Instant::now() + idle), response.chunk()).await;
        let Ok(chunk) = chunk else {
            return Err(FetchError::of(Reason::ReadTimeout, url, "the answer stopped coming"));
        };
        match chunk.map_err(|error| FetchError::of_transport(&error.without_url(), url, true))? {
            None => return Ok(body.freeze()),
            Some(chunk) if body.len() + chunk.len() > PAGE_MAX => {
                let what = "the answer is larger than 256 MiB";
                return Err(FetchError::of(Reason::TooLarge, url, what));
            }
            // Most answers are one piece, which is then taken as it is.
            Some(chunk) => body.extend_from_slice(&chunk),
        }
        if since.elapsed() >= over {
            if ((body.len() - before) as u64) < RATE_LEAST * over.as_secs() {
                let what = format!("the answer came at less than {RATE_LEAST} bytes a second");
                return Err(FetchError::of(Reason::ReadTimeout, url, &what));
            }
            (since, before) = (Instant::now(), body.len());
        }
    }
}

/// A body as it was before it was packed.
async fn unpacked(
    body: Bytes,
    headers: &header::HeaderMap,
    url: &Url,
) -> Result<Bytes, FetchError> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let says: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let says = says.join(",");
    if !unpack::is_packed(&body, &says) {
        return Ok(body);
    }
    let unpacked = tokio::task::spawn_blocking(move || unpack::unpack(body, &says, PAGE_MAX)).await;
    // A decoder that panics has read something that it cannot.
    let error = match unpacked.unwrap_or(Err(UnpackError::Broken("unknown"))) {
        Ok(plain) => return Ok(plain),
        Err(error) => error,
    };
    let what = error.to_string();
    let what = show(&what);
    Err(match error {
        UnpackError::Broken(_) => FetchError::of(Reason::Truncated, url, &what),
        UnpackError::TooLarge(_) => FetchError::of(Reason::TooLarge, url, &what),
        UnpackError::Unread(_) => FetchError::Final {
            reason: Reason::Encoding,
            text: format!("{}: {what}; ask the partner for {}", shown(url), unpack::ACCEPTED),
        },
    })
}

fn limiter(limit: RateLimit) -> DefaultDirectRateLimiter {
    let burst = limit.requests;
    let period = limit.per / burst.get();
    // A period of nothing cannot be configured: both parts are checked to be more.
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    RateLimiter::direct(quota.allow_burst(burst))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of 64 pieces of `piece` bytes, one each `every`.
    async fn dripped(piece: usize, every: Duration) -> Result<Bytes, FetchError> {
        let pieces = futures_util::stream::unfold(0, move |sent| async move {
            tokio::time::sleep(every).await;
            let piece = Ok::<_, std::io::Error>(Bytes::from(vec![b' '; piece]));
            (sent < 64).then_some((piece, sent + 1))
        });
        let response = axum::http::Response::new(reqwest::Body::wrap_stream(pieces));
        let (url, idle) = ("http://p.example/x".parse().unwrap(), Duration::from_secs(30));
        body(response.into(), &url, idle, Instant::now() + Duration::from_hours(1)).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_drips_is_given_up_and_a_slow_one_is_not() {
        let seconds = Duration::from_secs;
        for (piece, every, whole, why) in [
            (3 * 1024, seconds(2), true, "one and a half of the lowest rate"),
            (64 * 1024, seconds(29), true, "long pauses, and much between them"),
            (1, Duration::from_millis(10), true, "it is over before it could be measured"),
            (1024, seconds(2), false, "half of the lowest rate"),
            (1, seconds(20), false, "never idle, and never done"),
            (1, seconds(31), false, "idle"),
        ] {
            let read = dripped(piece, every).await;
            assert_eq!(read.is_ok(), whole, "{why}: {read:?}");
            if let Err(error) = read {
                assert_eq!(error.reason(), Some(Reason::ReadTimeout), "{why}: {error}");
            }
        }
    }
}

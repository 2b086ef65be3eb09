//! A partner's HTTP interface: requests with our credentials, answers within limits.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::SignedDuration;
use marsad_shared::{
    certificate::Certificates,
    clock::Clock,
    connection::{Auth, Connection, Http, Link},
    feed::{Feed, Origin},
    health::Reason,
    id::{ConnectionId, FeedId},
};
use reqwest::{
    Client, Method, Request, RequestBuilder, Response, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use url::Url;

use super::{
    auth::{Fare, Session, Shown, Signer, Times, Vault},
    body,
    call::Call,
    client::{ClientError, Clients, Door, Seen},
    fault::{FetchError, peer_until, shown, without_echo},
    gate::{Gate, Pass, Wait},
    ours::{Mask, Ours, without},
    places::Places,
    said::Said,
    spend::{Caller, Purse},
};
use crate::unpack;

mod get;
mod redirect;
mod send;

pub use get::Answer;
pub use send::Receipt;

/// How long what an error says for itself may take to come.
const WORDS_WAIT: Duration = Duration::from_secs(5);

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
    /// Where large answers are put aside.
    folder: Arc<Path>,
    /// What must never be shown, by whoever it comes back.
    ours: Arc<Ours>,
    /// What all requests of the connection keep to.
    gate: Arc<Gate>,
    /// Where its feeds are read, if the partner lets few read at once.
    places: Option<Arc<Places>>,
    /// Who asks with this handle.
    who: Caller,
}

/// The head of an answer, its body still on the way.
struct Sent {
    response: Response,
    first_byte: Duration,
    came: Instant,
    shown: Shown,
    /// Where it was asked for in the end, if the partner led us there.
    moved: Option<Url>,
}

impl HttpSource {
    /// The source behind `connection`; `None` for one of folders. `vault`: where tokens are kept that its
    /// partner replaces; in the folder around it, large answers are put aside while they are read.
    ///
    /// # Errors
    /// [`ClientError`] if its certificates are of no use.
    pub fn new(
        connection: &Connection,
        clients: &Clients,
        vault: &Vault,
        clock: &Arc<dyn Clock>,
        purse: Option<&Arc<Purse>>,
    ) -> Result<Option<Arc<Self>>, ClientError> {
        let Link::Http(http) = &connection.link else { return Ok(None) };
        let door = Door::new(&connection.id, http, clients)?;
        let (clock, limit) = (Arc::clone(clock), http.rate_limit);
        Ok(Some(Arc::new(Self {
            id: connection.id.clone(),
            certificates: Arc::new(Seen::new(door.ours_until())),
            door: Arc::new(door),
            headers: Arc::new(headers(http)),
            ours: Arc::new(Ours::of(&http.auth)),
            folder: vault.folder().parent().unwrap_or(vault.folder()).into(),
            signer: Arc::new(Signer::new(http.auth.clone(), vault)),
            gate: Arc::new(Gate::new(connection.id.clone(), clock, limit, purse.cloned())),
            places: http.feeds_at_once.map(Places::new),
            http: Arc::new(http.clone()),
            who: Caller::Tests,
        })))
    }

    /// What fetches the files of a feed's exports, where they come from another origin than the partner's: reached as
    /// `connection` is, with its trust, its proxy and its limits of time, and without what proves who we are.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn for_files(
        connection: &Connection,
        feed: &Feed,
        clients: &Clients,
        vault: &Vault,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Arc<Self>>, ClientError> {
        let export = match &feed.origin {
            Origin::Http(request) => request.export.as_ref(),
            Origin::Files(_) => None,
        };
        let Some(origin) = export.and_then(|export| export.from.as_ref()) else { return Ok(None) };
        let mut connection = connection.clone();
        if let Link::Http(http) = &mut connection.link {
            http.base_url = origin.clone();
            http.auth = Auth::None;
            http.headers.clear();
            (http.rate_limit, http.feeds_at_once) = (None, None);
            if let Some(tls) = &mut http.tls {
                tls.identity = None;
            }
        }
        Self::new(&connection, clients, vault, clock, None)
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

    /// Where its feeds are read; `None`: all of them may be read at once.
    pub fn places(&self) -> Option<&Arc<Places>> {
        self.places.as_ref()
    }

    /// Why and until when a request with this handle could not leave now.
    pub fn held(&self) -> Option<Wait> {
        self.gate.look(&self.who)
    }

    /// How far the partner's clock is ahead of ours; nothing while that is not known.
    pub fn offset(&self) -> SignedDuration {
        self.gate.offset().unwrap_or_default()
    }

    /// Notes whom we met there.
    fn met(&self, sent: reqwest::Result<Response>) -> reqwest::Result<Response> {
        match &sent {
            Ok(response) => self.certificates.answered(response, &self.door),
            Err(error) => {
                if let Some(theirs) = peer_until(error) {
                    self.certificates.refused(theirs, self.door.ours_until());
                }
            }
        }
        sent
    }

    /// What went wrong on the way.
    fn lost(&self, error: reqwest::Error, url: &Url) -> FetchError {
        FetchError::of_transport(&error.without_url(), url, false)
            .by_way_of(self.http.proxy.as_ref())
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
        if !is_of_one_origin(request.url(), &self.http.base_url) {
            let what = "it is not of the origin of base_url, where alone our credentials may go";
            return Err(FetchError::of(Reason::Http4xx, url, what));
        }
        for (name, value) in &*self.headers {
            request.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        let shown =
            self.signer.sign(client, &mut request, self.times(), || self.fare(true)).await?;
        Ok((request, shown))
    }

    /// `text` in which a partner's words about `call` may stand, as people may see it: without our secrets, and without
    /// what the call veils.
    pub fn clean(&self, call: Option<&Call>, text: &str) -> String {
        let heads = call.map(|call| vec![shown(&call.url), call.shown()]).unwrap_or_default();
        let text = self.ours.clean(&heads, text);
        call.map_or(text.clone(), |call| call.veil(text))
    }

    /// What hides our secrets in what a page brings; `None`: there is nothing to hide.
    pub fn mask(&self) -> Option<Arc<Mask>> {
        self.ours.mask()
    }

    /// Whether `text`, which the partner gave us, holds a secret of ours, so that it may be used and not kept.
    pub fn repeats_ours(&self, text: &str) -> bool {
        self.mask().is_some_and(|mask| mask.is_in(text))
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

    /// Gets what proves who we are, if it has to be fetched, and asks for nothing else. Gives whether it has to be.
    ///
    /// # Errors
    /// [`FetchError`] if it was not given.
    pub async fn prove(&self) -> Result<bool, FetchError> {
        if !self.signer.is_given_out() {
            return Ok(false);
        }
        let client = self.door.client().await;
        self.signer.prepare(&client, self.times(), || self.fare(false)).await?;
        Ok(true)
    }

    /// What a request for a token costs, `within` a request that was let out already or before one.
    fn fare(&self, within: bool) -> Fare {
        Fare { gate: Arc::clone(&self.gate), who: self.who.clone(), within }
    }

    fn times(&self) -> Times {
        self.gate.times()
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

    /// Whether an answer looks as if our session were over, and is to be asked for once more with a new one.
    async fn is_forgotten(&self, sent: &Sent) -> bool {
        let Sent { response, shown, .. } = sent;
        self.signer.forgotten(shown, response.status(), response.headers()).await
    }

    /// Whether a new session may bring what an answer does not, which says in its own words that it is none: some say so with
    /// a good status where a session is over. It is asked for with the next request.
    pub async fn renews(&self, session: Option<Session>) -> bool {
        match session {
            Some(session) => self.signer.doubts(session).await,
            None => false,
        }
    }

    /// It did not.
    pub async fn renewed_in_vain(&self) {
        self.signer.doubted_in_vain().await;
    }

    /// What an answer says for itself: the begin of its body, unpacked, of at most `most` bytes.
    async fn words(&self, response: &mut Response, until: Instant, most: usize) -> Bytes {
        let until = until.min(Instant::now() + self.http.timeouts.idle.min(WORDS_WAIT));
        let mut body = Vec::new();
        while body.len() < most
            && let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(most);
        let body = Bytes::from(body);
        let packing = body::packing(response.headers());
        unpack::unpack(body.clone(), &packing, most).unwrap_or(body)
    }

    /// What an answer that is no success means, with what it says for itself.
    fn error(&self, response: &Response, url: &Url, shown_as: &str, words: &[u8]) -> FetchError {
        let (status, headers) = (response.status(), response.headers());
        let said = Said::of(headers, words, &self.ours);
        let headers = without_echo(headers, |code| self.ours.is_in(code));
        let there = self.gate.there();
        let error = FetchError::of_answer(status, &headers, &said, there, url);
        let way = (url, self.http.proxy.as_ref());
        let error = error.of_proxy(status, &headers, |word| self.ours.is_in(word), way);
        let error = error.rewritten(|text| text.replacen(&shown(url), shown_as, 1));
        let error = self.signer.doubted(error, self.times());
        if status == StatusCode::UNAUTHORIZED && self.signer.shows_password() {
            self.gate.refused_request(&error);
        }
        // Others who are held back by it are told it too.
        self.gate.heed(error)
    }
}

/// Whether two URLs over HTTP have one origin: as [`Url::origin`] tells it, without making two of them for each request.
fn is_of_one_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// What the configuration's check has let pass is a header.
fn headers(http: &Http) -> HeaderMap {
    let each = http.headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    each.collect()
}

#[cfg(test)]
mod tests;

//! Asking a partner: one request, and its answer within the limits.

use std::{borrow::Cow, mem::take, time::Duration};

use bytes::Bytes;
use marsad_shared::{health::Reason, request::OnStatus, store::cache::Validators};
use reqwest::{
    Method, Response, StatusCode, Version,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use tokio::time::{Instant, timeout};
use url::Url;

use super::{
    HttpSource, Sent,
    redirect::{self, Astray, HOPS_MAX, Step},
};
use crate::{
    decode::sdmx::is_no_results,
    source::{
        auth::Session,
        body::{self, Body},
        call::Call,
        fault::{FetchError, is_good, is_of_gateway, is_of_proxy, shown, unasked},
        proof,
        said::READ_MAX,
    },
    unpack,
};

/// So often one request is signed at most. Twice is enough, but where each answer to a challenge may be given once and many
/// ask at the same time.
const SIGNED_MAX: u32 = 6;

/// A good answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
    /// From the request to the head of the answer.
    pub first_byte: Duration,
    /// When its head came.
    pub came: Instant,
    /// It says, to this feed, that there are no records, whatever it brings.
    pub nothing: bool,
    /// Where it was asked for in the end, if the partner led us there.
    pub moved: Option<Url>,
    /// The session that it was asked for in.
    pub session: Option<Session>,
    /// Only the end of the connection says where its body ends, and so not whether all of it came.
    pub open_ended: bool,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How old it is by now, if it had lain in caches on the way (RFC 9111 section 5.1): what it holds may be as old. Nothing
    /// where no cache says so, and not all do.
    pub fn age(&self) -> Duration {
        let age = self.header(header::AGE).and_then(|age| age.trim().parse::<u32>().ok());
        let age = age.filter(|age| *age > 0).map(|age| Duration::from_secs(age.into()));
        age.map_or(Duration::ZERO, |age| age.saturating_add(self.came.elapsed()))
    }

    /// Every `Link` header as one (RFC 9110 section 5.3), whatever characters its targets hold.
    pub fn link(&self) -> Option<String> {
        let lines = self.headers.get_all(header::LINK).iter();
        let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }
}

impl HttpSource {
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
        self.prove().await?;
        let pass = self.pass().await?;
        let got = self.answer(call, validators).await;
        let veil = |error: FetchError| error.rewritten(|text| call.veil(text.to_owned()));
        let got = got.map_err(|(status, error)| (status, veil(error)));
        pass.end(got.as_ref().err().map(|(_, error)| error));
        // What a status means to one feed says nothing of whether somebody is there.
        got.map_err(|(status, error)| {
            match status.and_then(|status| Some((status, call.meaning(status)?))) {
                Some((status, meaning)) => error.meaning(status, meaning),
                None => error,
            }
        })
    }

    async fn answer(
        &self,
        call: &Call,
        validators: Option<&Validators>,
    ) -> Result<Answer, (Option<u16>, FetchError)> {
        let (url, lost) = (&call.url, |error| (None, error));
        let until = Instant::now() + self.http.timeouts.total;
        let mut sent = self.ask(call, validators).await.map_err(lost)?;
        let mut signed = 1;
        while signed < SIGNED_MAX
            && sent.response.status() == StatusCode::UNAUTHORIZED
            && self.signer.refused(&sent.shown, sent.response.headers(), signed > 1).await
        {
            signed += 1;
            self.gate.again(&self.who);
            sent = Box::pin(self.ask(call, validators)).await.map_err(lost)?;
        }
        if signed == 1 && self.is_forgotten(&sent).await {
            self.gate.again(&self.who);
            sent = Box::pin(self.ask(call, validators)).await.map_err(lost)?;
            self.signer.tried_again(sent.response.status(), sent.response.headers()).await;
        }
        let Sent { mut response, first_byte, came, shown, mut moved } = sent;
        let named = moved.is_none() && validators.is_some_and(Validators::are_asked_by);
        let (status, open_ended) = (response.status(), is_open_ended(&response));
        let session = self.signer.session(&shown);
        let mut answer = |headers, body, nothing| Answer {
            status,
            headers,
            body,
            first_byte,
            came,
            nothing,
            moved: moved.take(),
            session,
            open_ended,
        };
        // A gateway does not know what its partner has, nor does a proxy.
        let theirs = !is_of_gateway(response.headers()) && !is_of_proxy(response.headers());
        if call.meaning(status.as_u16()) == Some(OnStatus::Empty) && theirs {
            return Ok(answer(take(response.headers_mut()), Bytes::new().into(), true));
        }
        if !is_good(status) {
            // Apart, because it is rare: every feed's task is as large as all that it may come to wait for.
            let words = Box::pin(self.words(&mut response, until, READ_MAX)).await;
            let none = call.sdmx && status == StatusCode::NOT_FOUND && theirs;
            if none && is_no_results(&words) {
                return Ok(answer(take(response.headers_mut()), Bytes::new().into(), true));
            }
            let shown = self.shown(call, moved.as_ref());
            return Err((Some(status.as_u16()), self.error(&response, url, &shown, &words)));
        }
        if let Some(error) = unasked(status, response.headers(), named, url) {
            return Err((Some(status.as_u16()), error));
        }
        self.signer.worked(&shown, status, response.headers());
        let (idle, mut headers) = (self.http.timeouts.idle, take(response.headers_mut()));
        // A mark of a version is kept, and a secret is not.
        for name in [header::ETAG, header::LAST_MODIFIED] {
            let text = headers.get(&name).map(|mark| String::from_utf8_lossy(mark.as_bytes()));
            if text.is_some_and(|text| self.repeats_ours(&text)) {
                headers.remove(name);
            }
        }
        let body = body::read(response, &headers, url, idle, until, &self.folder).await;
        let body =
            body.map_err(|error| lost(error.rewritten(|text| self.clean(Some(call), text))))?;
        Ok(answer(headers, body, false))
    }

    /// Asks, and asks on where it is led to, if that may be followed.
    async fn ask(&self, call: &Call, validators: Option<&Validators>) -> Result<Sent, FetchError> {
        let sent = self.ask_at(&call.url, call, validators).await?;
        if !(self.http.redirects && sent.response.status().is_redirection()) {
            return Ok(sent);
        }
        Box::pin(self.follow(sent, call)).await
    }

    async fn follow(&self, mut sent: Sent, call: &Call) -> Result<Sent, FetchError> {
        let mut asked = Cow::Borrowed(call);
        for _ in 0..HOPS_MAX {
            let from = sent.moved.as_ref().unwrap_or(&call.url);
            let step = redirect::target(&asked.method, from, &sent.response);
            let Some(Step { to, fetches }) = step.map_err(|astray| self.astray(call, &astray))?
            else {
                return Ok(sent);
            };
            if fetches {
                let asked = asked.to_mut();
                (asked.method, asked.body) = (Method::GET, marsad_shared::request::Body::None);
            }
            // What of ours stands in it is put there anew.
            let to = Url::parse(&self.unsigned(to.as_str())).unwrap_or(to);
            self.gate.toll(&self.who).await?;
            // What they mark is what was asked for, and not wherever that leads to today (RFC 9110 section 8.8.3).
            let next = self.ask_at(&to, &asked, None).await?;
            sent = Sent { moved: Some(to), ..next };
        }
        match redirect::target(&asked.method, &call.url, &sent.response) {
            Ok(None) => Ok(sent),
            _ => Err(self.astray(call, &Astray::Round)),
        }
    }

    /// Where a call went, for a person to see, and where it was led to from there.
    fn shown(&self, call: &Call, moved: Option<&Url>) -> String {
        let Some(moved) = moved else { return call.shown() };
        let moved = self.clean(None, &call.veil(shown(moved)));
        format!("{} (which led to {moved})", call.shown())
    }

    fn astray(&self, call: &Call, astray: &Astray) -> FetchError {
        FetchError::astray(&call.url, &self.clean(Some(call), &astray.to_string()))
    }

    async fn ask_at(
        &self,
        url: &Url,
        call: &Call,
        validators: Option<&Validators>,
    ) -> Result<Sent, FetchError> {
        let mut body = call.body.clone();
        self.signer.fill(&mut body, url)?;
        let client = self.door.client().await;
        let packed = HeaderValue::from_static(unpack::ACCEPTED);
        let mut request = call.build(&client, url, &body).header(header::ACCEPT_ENCODING, packed);
        if let Some(etag) = validators.and_then(|v| v.etag.as_deref()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(modified) = validators.and_then(|v| v.last_modified.as_deref()) {
            request = request.header(header::IF_MODIFIED_SINCE, modified);
        }
        let (request, shown) = self.signed(url, request, &client).await?;
        self.ours.show(proof::secrets(&request, Some((call, url)), &body));
        let began = Instant::now();
        let patience = self.http.timeouts.first_byte;
        let Ok(sent) = timeout(patience, client.execute(request)).await else {
            let what = format!("no answer began within {} s", patience.as_secs());
            return Err(FetchError::of(Reason::FirstByteTimeout, url, &what));
        };
        let response = self.met(sent).map_err(|error| self.lost(error, url))?;
        let first_byte = began.elapsed();
        self.gate.hear(response.status(), response.headers(), first_byte);
        Ok(Sent { response, first_byte, came: Instant::now(), shown, moved: None })
    }
}

/// Whether only the end of the connection says where the body ends (RFC 9112 section 6.3): the last transfer coding tells
/// it if that is `chunked`, and where there is none, a length does.
fn is_open_ended(response: &Response) -> bool {
    let headers = response.headers();
    let last = headers.get_all(header::TRANSFER_ENCODING).iter().next_back();
    let told = match last.map(|line| line.as_bytes().rsplit(|byte| *byte == b',').next()) {
        Some(coding) => {
            coding.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
        }
        None => headers.contains_key(header::CONTENT_LENGTH),
    };
    response.version() <= Version::HTTP_11 && !told
}

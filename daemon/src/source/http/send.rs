//! Handing a document over to a partner, and what came of it.

use std::time::Duration;

use bytes::Bytes;
use marsad_shared::{health::Reason, request::Body};
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::time::{Instant, timeout};
use url::Url;

use super::{HttpSource, Sent};
use crate::source::{
    fault::{FetchError, Transport, is_good, shown},
    gate::Pass,
    proof,
    said::{READ_MAX, Said},
};

/// So much of a receipt is read, in bytes.
const RECEIPT_MAX: usize = 64 * 1024;
/// The lowest rate at which a document leaves, in bytes a second, before its answer is given up.
const SLOWEST: u64 = 64 * 1024;

/// A good status, and what stands beside it.
#[derive(Debug)]
pub struct Receipt {
    pub status: StatusCode,
    /// The begin of its body, unpacked: 64 KiB of it, and nothing where no document was handed over.
    pub words: Bytes,
}

impl HttpSource {
    /// Hands over what `build` makes, with the right to do so, a body of `bytes`. An answer that is
    /// no success comes with its status; without one, the error says whether the request can have arrived.
    ///
    /// # Errors
    /// The status, where there was one, and what went wrong.
    pub async fn send(
        &self,
        pass: Pass,
        url: &Url,
        bytes: u64,
        build: impl Fn(Url) -> RequestBuilder,
    ) -> Result<Receipt, (Option<u16>, Transport)> {
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
    ) -> Result<Receipt, (Option<u16>, Transport)> {
        let until = Instant::now() + self.http.timeouts.total;
        let mut sent = self.offer(url, bytes, &build).await?;
        // What is refused for its credentials is surely not received: it may be offered once more.
        if sent.response.status() == StatusCode::UNAUTHORIZED
            && self.signer.refused(&sent.shown, sent.response.headers(), false).await
        {
            self.gate.again(&self.who);
            sent = self.offer(url, bytes, &build).await?;
        } else if sent.response.status().is_client_error() && self.is_forgotten(&sent).await {
            self.gate.again(&self.who);
            sent = self.offer(url, bytes, &build).await?;
            self.signer.tried_again(sent.response.status(), sent.response.headers()).await;
        }
        let Sent { mut response, .. } = sent;
        let status = response.status();
        if is_good(status) {
            if bytes == 0 {
                return Ok(Receipt { status, words: Bytes::new() });
            }
            let words = Box::pin(self.words(&mut response, until, RECEIPT_MAX)).await;
            return match self.doubt(&response, url, &words) {
                None => Ok(Receipt { status, words }),
                Some(error) => Err((Some(status.as_u16()), Transport::Lost(error))),
            };
        }
        let words = Box::pin(self.words(&mut response, until, READ_MAX)).await;
        let error = self.error(&response, url, &shown(url), &words);
        Err((Some(status.as_u16()), Transport::Lost(error)))
    }

    /// What speaks against a good status, where a document was handed over: a SOAP fault, or a page that wants something of
    /// whoever reads it, such as a password.
    fn doubt(&self, response: &Response, url: &Url, body: &[u8]) -> Option<FetchError> {
        let status = response.status();
        let said = Said::of(response.headers(), body, &self.ours);
        if let Some(is_passing) = said.fault {
            let (reason, words) = (Reason::RemoteFault, said.words.unwrap_or_default());
            let text =
                format!("{}: the partner answered {status} with a fault: {words}", shown(url));
            return Some(if is_passing {
                FetchError::Transient { reason, text }
            } else {
                FetchError::Final { reason, text }
            });
        }
        is_form(body).then(|| {
            let what = format!(
                "the partner answered {status} with a page that has a form, which is no receipt"
            );
            FetchError::of(Reason::NotJson, url, &what)
        })
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
            let left = !(error.is_connect() || error.is_builder());
            let error = self.lost(error, url);
            (None, if left { Transport::Lost(error) } else { Transport::NotSent(error) })
        })?;
        let first_byte = began.elapsed();
        self.gate.hear(response.status(), response.headers(), first_byte);
        Ok(Sent { response, first_byte, came: Instant::now(), shown, moved: None })
    }
}

/// Whether an answer is a page in HTML that asks for something.
fn is_form(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    let is_page =
        ["<!doctype html", "<html"].iter().any(|begin| text.trim_start().starts_with(begin));
    is_page && text.contains("<form")
}

//! A request as a feed means it, before it is signed.

use marsad_shared::request::{Body, OnStatus};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use reqwest::{
    Client, Method, RequestBuilder,
    header::{CONTENT_TYPE, HeaderMap},
};
use url::Url;

use super::fault::shown;

/// What stands in every part of a URL as it is (RFC 3986), and is taken by no server for something else.
pub(crate) const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Body,
    /// Statuses that mean something else than they usually do.
    pub statuses: Vec<(u16, OnStatus)>,
    /// It is asked of a service of SDMX: a 404 whose body is its `NoResultsFound` says that there are no records.
    pub sdmx: bool,
    /// What of it nobody may see, each with what is shown in its place.
    pub veiled: Vec<(String, String)>,
}

impl Call {
    /// What its answer's status means, where that is not the usual.
    pub fn meaning(&self, status: u16) -> Option<OnStatus> {
        self.statuses.iter().find(|(of, _)| *of == status).map(|(_, meaning)| *meaning)
    }

    /// Where it goes, for a person to see.
    pub fn shown(&self) -> String {
        self.veil(shown(&self.url))
    }

    /// `text` without what nobody may see.
    pub fn veil(&self, text: String) -> String {
        self.veiled.iter().fold(text, |text, (what, by)| text.replace(what, by))
    }

    /// Asks for `url` with nothing else said.
    pub fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Body::None,
            statuses: Vec::new(),
            sdmx: false,
            veiled: Vec::new(),
        }
    }

    /// The request that says it, to `url`: its own, or where that led to.
    pub fn build(&self, client: &Client, url: &Url, body: &Body) -> RequestBuilder {
        let request =
            client.request(self.method.clone(), url.clone()).headers(self.headers.clone());
        match body {
            Body::None => request,
            Body::Json(value) => request.json(value),
            Body::Form(fields) => request.form(fields),
            Body::Text(text) if self.headers.contains_key(CONTENT_TYPE) => {
                request.body(text.clone())
            }
            Body::Text(text) => {
                request.header(CONTENT_TYPE, "text/xml; charset=utf-8").body(text.clone())
            }
        }
    }
}

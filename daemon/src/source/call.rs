//! A request as a feed means it, before it is signed.

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use url::Url;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Body,
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    None,
    Json(serde_json::Value),
    /// As a web form writes it.
    Form(Vec<(String, String)>),
}

impl Call {
    /// Asks for `url` with nothing else said.
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Body::None }
    }

    /// The request that says it.
    pub fn build(&self, client: &Client, body: &Body) -> RequestBuilder {
        let request =
            client.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
        match body {
            Body::None => request,
            Body::Json(value) => request.json(value),
            Body::Form(fields) => request.form(fields),
        }
    }
}

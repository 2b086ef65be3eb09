//! What a request proved itself with: kept only until its answer is there, so that no error shows it.

use marsad_shared::{connection::Auth, request::Body};
use reqwest::{Request, header::HeaderValue};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use super::call::Call;

/// The secret parts of one request.
#[derive(Debug)]
pub struct Proof {
    /// Headers that were marked as such.
    headers: Vec<HeaderValue>,
    /// Where it went, if signing changed that.
    url: Option<Url>,
    /// What it carried, if signing changed that.
    body: Option<Body>,
}

impl Proof {
    /// Of `request`, which is `call` with `body` and signed.
    pub fn of(request: &Request, call: Option<&Call>, body: Body) -> Self {
        let headers = request.headers().values().filter(|value| value.is_sensitive());
        let url = request.url();
        Self {
            headers: headers.cloned().collect(),
            url: call.is_none_or(|call| call.url != *url).then(|| url.clone()),
            body: call.is_some_and(|call| call.body != body).then_some(body),
        }
    }

    /// All that must not be shown: what the request carried, and what is configured.
    pub fn secrets(&self, auth: &Auth, call: Option<&Call>) -> Vec<String> {
        let mut secrets: Vec<_> =
            auth.secrets().into_iter().map(|secret| secret.expose_secret().to_owned()).collect();
        for value in &self.headers {
            let text = String::from_utf8_lossy(value.as_bytes());
            // `Bearer TOKEN`, `NAME=TOKEN`: the token alone is a secret too.
            secrets.extend(text.split_once([' ', '=']).map(|(_, token)| token.to_owned()));
            secrets.push(text.into_owned());
        }
        let known = |name: &str| {
            call.is_some_and(|call| call.url.query_pairs().any(|(key, _)| key == name))
        };
        for (name, value) in self.url.iter().flat_map(Url::query_pairs) {
            if !known(&name) {
                secrets.push(value.into_owned());
            }
        }
        match (&self.body, call.map(|call| &call.body)) {
            (Some(Body::Form(fields)), before) => {
                let before = if let Some(Body::Form(before)) = before { &before[..] } else { &[] };
                let new = fields.iter().filter(|field| !before.contains(field));
                secrets.extend(new.map(|(_, value)| value.clone()));
            }
            (Some(Body::Json(value)), before) => {
                let before =
                    if let Some(Body::Json(before)) = before { before } else { &Value::Null };
                let mut old = Vec::new();
                texts(before, &mut old);
                let mut new = Vec::new();
                texts(value, &mut new);
                secrets.extend(new.into_iter().filter(|text| !old.contains(text)));
            }
            _ => {}
        }
        secrets
    }
}

/// Every text in a value.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_signing_added_is_secret_and_what_the_feed_says_is_not() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url: Url = "https://p.example/x?since=yesterday".parse().unwrap();
        let body = Body::Json(json!({"where": "a"}));
        let call = Call { method: reqwest::Method::POST, body, ..Call::get(url) };
        let signed = Body::Json(json!({"where": "a", "auth": {"key": "in the body"}}));
        let client = reqwest::Client::new();
        let mut request = call.build(&client, &signed).build().unwrap();
        request.url_mut().query_pairs_mut().append_pair("key", "in the query");
        let mut token = HeaderValue::from_static("Bearer in-the-header");
        token.set_sensitive(true);
        request.headers_mut().insert("authorization", token);
        let auth = Auth::Bearer { token: "configured".into() };
        let mut secrets = Proof::of(&request, Some(&call), signed).secrets(&auth, Some(&call));
        secrets.sort();
        assert_eq!(
            secrets,
            ["Bearer in-the-header", "configured", "in the body", "in the query", "in-the-header"]
        );

        let plain = call.build(&client, &call.body).build().unwrap();
        let none = Proof::of(&plain, Some(&call), call.body.clone());
        assert!(none.secrets(&Auth::None, Some(&call)).is_empty());
    }
}

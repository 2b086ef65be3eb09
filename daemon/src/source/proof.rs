//! What a request proves itself with: told to [`super::ours::Ours`], so that nothing shows it when it comes back.

use marsad_shared::request::Body;
use reqwest::{
    Request,
    header::{COOKIE, HeaderName, HeaderValue},
};
use serde_json::Value;
use url::Url;

use super::call::Call;

/// The least length of a part of a header that is taken for a secret of its own, in bytes.
const PART_MIN: usize = 8;

/// All that `request` carries and nobody may see: it is `call`, asked for at that URL, with `body` and signed.
pub fn secrets(request: &Request, call: Option<(&Call, &Url)>, body: &Body) -> Vec<String> {
    let mut secrets = Vec::new();
    for (name, value) in request.headers().iter().filter(|(_, value)| value.is_sensitive()) {
        in_header(name, value, &mut secrets);
    }
    let known =
        |pair: &_| call.is_some_and(|(_, url)| url.query_pairs().any(|there| there == *pair));
    let added = request.url().query_pairs().filter(|pair| !known(pair));
    secrets.extend(added.map(|(_, value)| value.into_owned()));
    match (body, call.map(|(call, _)| &call.body)) {
        (Body::Form(fields), before) => {
            let before = if let Some(Body::Form(before)) = before { &before[..] } else { &[] };
            let new = fields.iter().filter(|field| !before.contains(field));
            secrets.extend(new.map(|(_, value)| value.clone()));
        }
        (Body::Json(value), before) => {
            let before = if let Some(Body::Json(before)) = before { before } else { &Value::Null };
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

/// The secrets of a header: the whole of it, and what stands behind its scheme or name (`Bearer TOKEN`, `NAME=TOKEN`).
fn in_header(name: &HeaderName, value: &HeaderValue, secrets: &mut Vec<String>) {
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    // Of an answer to a challenge the rest is the partner's own, or is no secret.
    if let Some(digest) = text.strip_prefix("Digest ") {
        let response = digest.split_once("response=\"").map(|(_, behind)| behind);
        secrets.extend(response.and_then(|text| text.split('"').next()).map(str::to_owned));
        return;
    }
    let from = if name == COOKIE { '=' } else { ' ' };
    let part = text.split_once(from).map(|(_, part)| part.to_owned());
    secrets.extend(part.filter(|part| part.len() >= PART_MIN));
    secrets.push(text);
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
        let mut request = call.build(&client, &call.url, &signed).build().unwrap();
        request.url_mut().query_pairs_mut().append_pair("key", "in the query");
        let mut token = HeaderValue::from_static("Bearer in-the-header");
        token.set_sensitive(true);
        request.headers_mut().insert("authorization", token);
        let mut secrets = secrets(&request, Some((&call, &call.url)), &signed);
        secrets.sort();
        assert_eq!(
            secrets,
            ["Bearer in-the-header", "in the body", "in the query", "in-the-header"]
        );

        let plain = call.build(&client, &call.url, &call.body).build().unwrap();
        assert!(super::secrets(&plain, Some((&call, &call.url)), &call.body).is_empty());
    }
}

//! A log-in call of the partner's own: its answer has the token, in the body, a header or a cookie.

use jiff::Timestamp;
use marsad_shared::{
    connection::{FormField, Login, LoginBody, LoginMethod, TokenPlace},
    health::Reason,
};
use reqwest::{
    Client, Method,
    header::{HeaderMap, SET_COOKIE},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{
    super::fault::FetchError,
    answer::{self, ask},
    token::Gift,
};

/// Logs in. `now` is the partner's time of day.
pub(super) async fn give(how: &Login, client: &Client, now: Timestamp) -> Result<Gift, FetchError> {
    let method = match how.method {
        LoginMethod::Get => Method::GET,
        LoginMethod::Post => Method::POST,
        LoginMethod::Put => Method::PUT,
    };
    let request = client.request(method, how.url.clone());
    let request = match &how.body {
        LoginBody::None => request,
        LoginBody::Json { value, secrets } => request.json(&filled(value, secrets)),
        LoginBody::Form(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|field| (&field.name, field.text.expose_secret())).collect();
            request.form(&fields)
        }
    };
    let answer = ask(request, &how.url, now, |code| is_ours(how, code)).await?;
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = match &how.token {
        TokenPlace::Path(path) => {
            answer::token(&answer::json(&answer.body, &how.url)?, &answer.body, path, &how.url)?
        }
        TokenPlace::Header(name) => {
            let value = answer.headers.get(name).and_then(|value| value.to_str().ok());
            value.map(Into::into).ok_or_else(|| missing(how, &format!("header {name}")))?
        }
        TokenPlace::Cookie(name) => {
            cookie(&answer.headers, name).ok_or_else(|| missing(how, &format!("cookie {name}")))?
        }
    };
    let life = answer::life(&json, &how.life, now, &how.url)?;
    Ok(Gift { text, life })
}

/// A document with its secrets in place.
fn filled(value: &Value, secrets: &[(String, SecretString)]) -> Value {
    let mut value = value.clone();
    for (pointer, secret) in secrets {
        if let Some(place) = value.pointer_mut(pointer) {
            *place = secret.expose_secret().into();
        }
    }
    value
}

fn is_ours(how: &Login, text: &str) -> bool {
    let is_in = |secret: &SecretString| text.contains(secret.expose_secret());
    match &how.body {
        LoginBody::None => false,
        LoginBody::Json { secrets, .. } => secrets.iter().any(|(_, secret)| is_in(secret)),
        LoginBody::Form(fields) => fields.iter().filter_map(FormField::secret).any(is_in),
    }
}

fn missing(how: &Login, place: &str) -> FetchError {
    FetchError::of(Reason::Auth, &how.url, &format!("the answer has no {place} with a token"))
}

/// The value of a cookie that an answer sets (RFC 6265).
fn cookie(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    let set = headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut values = set.filter_map(|line| {
        let (found, value) = line.split(';').next()?.split_once('=')?;
        (found.trim() == name).then(|| value.trim().trim_matches('"'))
    });
    values.next_back().filter(|value| !value.is_empty()).map(Into::into)
}

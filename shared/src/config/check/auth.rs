//! How requests prove who we are: a kind, and only with the keys that belong to it.

use secrecy::SecretString;
use url::Url;

use super::{Scope, secret::secret};
use crate::{
    config::{
        raw::{RawAuth, RawSecret},
        source::{Place, Report, quoted},
        table::{At, Given},
        value::{AuthKind, BadUrl, web_url},
    },
    connection::{Auth, KeyPlace},
};

/// Checks `auth`.
pub(super) fn auth(
    at: &At<RawAuth>,
    base: Option<&Url>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Auth> {
    let (raw, place) = (&at.value, &at.place);
    let kind = *raw.kind.value()?;
    refuse_others(raw, kind, report);
    match kind {
        AuthKind::None => Some(Auth::None),
        AuthKind::ApiKey => {
            let carrier = key_place(at, report);
            let key = need_secret(&raw.key, place, "key", scope, report);
            let (place, name) = carrier?;
            Some(Auth::ApiKey { place, name, key: key? })
        }
        AuthKind::Basic => {
            let user = need(&raw.user, place, "user", report);
            let password = need_secret(&raw.password, place, "password", scope, report);
            Some(Auth::Basic { user: user?.value.clone(), password: password? })
        }
        AuthKind::Bearer => {
            let token = need_secret(&raw.token, place, "token", scope, report)?;
            Some(Auth::Bearer { token })
        }
        AuthKind::OAuth2 => {
            let token_url = need(&raw.token_url, place, "token_url", report);
            let token_url = token_url.and_then(|at| self::token_url(at, base, report));
            let client_id = need(&raw.client_id, place, "client_id", report);
            let secret = need_secret(&raw.client_secret, place, "client_secret", scope, report);
            Some(Auth::OAuth2 {
                token_url: token_url?,
                client_id: client_id?.value.clone(),
                client_secret: secret?,
                scope: raw.scope.value().cloned(),
            })
        }
    }
}

/// Refuses the keys that belong to another kind.
fn refuse_others(raw: &RawAuth, kind: AuthKind, report: &mut Report<'_>) {
    let mut texts = Vec::new();
    let mut secrets = Vec::new();
    if kind != AuthKind::ApiKey {
        texts.extend([&raw.header, &raw.query]);
        secrets.push(&raw.key);
    }
    if kind != AuthKind::Basic {
        texts.push(&raw.user);
        secrets.push(&raw.password);
    }
    if kind != AuthKind::Bearer {
        secrets.push(&raw.token);
    }
    if kind != AuthKind::OAuth2 {
        texts.extend([&raw.token_url, &raw.client_id, &raw.scope]);
        secrets.push(&raw.client_secret);
    }
    let problem = "does not belong to this kind";
    for given in texts {
        given.refuse(report, problem);
    }
    for given in secrets {
        given.refuse(report, problem);
    }
}

fn need<'r>(
    given: &'r Given<String>,
    place: &Place,
    key: &str,
    report: &mut Report<'_>,
) -> Option<&'r At<String>> {
    if given.is_absent() {
        report.missing(&place.child(key), "is missing", "add it to `auth`");
    }
    given.here()
}

fn need_secret(
    given: &Given<RawSecret>,
    place: &Place,
    key: &str,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    if given.is_absent() {
        let remedy = format!("add {key} = {{ file = \"NAME\" }}");
        report.missing(&place.child(key), "is missing", remedy);
    }
    secret(given.here()?, scope, report)
}

fn key_place(auth: &At<RawAuth>, report: &mut Report<'_>) -> Option<(KeyPlace, String)> {
    let raw = &auth.value;
    if raw.header.is_absent() == raw.query.is_absent() {
        let problem = "must have exactly one of header and query";
        let remedy = "add header = \"X-Api-Key\", or query with the parameter's name";
        report.missing(&auth.place, problem, remedy);
        return None;
    }
    if let Some(at) = raw.query.here() {
        return Some((KeyPlace::Query, at.value.clone()));
    }
    let at = raw.header.here()?;
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !at.value.bytes().all(token) {
        let problem = format!("{} is not the name of a header", quoted(&at.value));
        report.wrong(&at.place, problem, "write a name such as \"X-Api-Key\"");
        return None;
    }
    Some((KeyPlace::Header, at.value.clone()))
}

/// Absolute, or from the root of the base URL.
fn token_url(at: &At<String>, base: Option<&Url>, report: &mut Report<'_>) -> Option<Url> {
    let text = &at.value;
    if text.starts_with('/') {
        return base?.join(text).ok();
    }
    let (problem, remedy) = match web_url(text) {
        Ok(url) => return Some(url),
        Err(BadUrl::Secret) => (
            "holds a user name or password".to_owned(),
            "put them into client_id and client_secret",
        ),
        Err(BadUrl::Tail) => {
            (format!("{} has a query or a fragment", quoted(text)), "leave them out")
        }
        Err(BadUrl::Scheme | BadUrl::Relative) => (
            format!("{} is neither an absolute URL nor a path from /", quoted(text)),
            "write it as \"https://login.partner.example/token\" or \"/oauth/token\"",
        ),
    };
    report.wrong(&at.place, problem, remedy);
    None
}

//! How requests prove who we are: a kind, and only with the keys that belong to it.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    Scope,
    secret::secret,
    token::{jwt, login, oauth2},
};
use crate::{
    config::{
        raw::{RawAuth, RawSecret},
        source::{Place, Report, quoted},
        table::{At, Given, Or},
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
            let ((place, name), key) = (carrier?, key?);
            if place == KeyPlace::Cookie && !is_cookie_value(key.expose_secret()) {
                let problem = "has characters that a cookie cannot carry";
                report.wrong(raw.key.place()?, problem, "ask the partner for another place");
                return None;
            }
            Some(Auth::ApiKey { place, name, key })
        }
        AuthKind::Basic | AuthKind::Digest => {
            let user = need(&raw.user, place, "user", report);
            let password = need_secret(&raw.password, place, "password", scope, report);
            let (user, password) = (user?.value.clone(), password?);
            Some(if kind == AuthKind::Basic {
                Auth::Basic { user, password }
            } else {
                Auth::Digest { user, password }
            })
        }
        AuthKind::Bearer => Some(Auth::Bearer { token: bearer(raw, place, scope, report)? }),
        AuthKind::Jwt => jwt(at, scope, report),
        AuthKind::OAuth2 => oauth2(at, base, scope, report).map(Box::new).map(Auth::OAuth2),
        AuthKind::Login => login(at, base, scope, report).map(Box::new).map(Auth::Login),
    }
}

/// Refuses the keys that belong to another kind.
fn refuse_others(raw: &RawAuth, kind: AuthKind, report: &mut Report<'_>) {
    use AuthKind::{ApiKey, Basic, Bearer, Digest, Jwt, Login, OAuth2};
    let keys: [(Option<&Place>, &[AuthKind]); 34] = [
        (raw.header.place(), &[ApiKey, Jwt, Login]),
        (raw.query.place(), &[ApiKey]),
        (raw.body.place(), &[ApiKey]),
        (raw.cookie.place(), &[ApiKey, Login]),
        (raw.key.place(), &[ApiKey, Jwt]),
        (raw.user.place(), &[Basic, Digest]),
        (raw.password.place(), &[Basic, Digest]),
        (raw.token.place(), &[Bearer, OAuth2, Login]),
        (raw.algorithm.place(), &[Jwt]),
        (raw.key_id.place(), &[Jwt]),
        (raw.issuer.place(), &[Jwt]),
        (raw.subject.place(), &[Jwt]),
        (raw.audience.place(), &[Jwt]),
        (raw.claims.place(), &[Jwt]),
        (raw.lifetime.place(), &[Jwt, OAuth2, Login]),
        (raw.prefix.place(), &[Jwt, Login]),
        (raw.token_url.place(), &[OAuth2]),
        (raw.client_id.place(), &[OAuth2]),
        (raw.client_secret.place(), &[OAuth2]),
        (raw.client_auth.place(), &[OAuth2]),
        (raw.assertion.place(), &[OAuth2]),
        (raw.grant.place(), &[OAuth2]),
        (raw.refresh_token.place(), &[OAuth2]),
        (raw.scope.place(), &[OAuth2]),
        (raw.form.place(), &[OAuth2, Login]),
        (raw.json.place(), &[Login]),
        (raw.path.place(), &[Login]),
        (raw.url.place(), &[Login]),
        (raw.method.place(), &[Login]),
        (raw.send.place(), &[Login]),
        (raw.expires.place(), &[OAuth2, Login]),
        (raw.expires_format.place(), &[OAuth2, Login]),
        // These two go with every kind.
        (raw.tls.place(), &[]),
        (raw.kind.place(), &[]),
    ];
    for (place, kinds) in keys {
        if let (Some(place), false) = (place, kinds.is_empty() || kinds.contains(&kind)) {
            report.wrong(place, "does not belong to this kind", "take it out");
        }
    }
}

pub(super) fn need<'r, T>(
    given: &'r Given<T>,
    place: &Place,
    key: &str,
    report: &mut Report<'_>,
) -> Option<&'r At<T>> {
    if given.is_absent() {
        report.missing(&place.child(key), "is missing", "add it to `auth`");
    }
    given.here()
}

/// The secret under `key`, which must be there.
pub(super) fn need_secret(
    given: &Given<RawSecret>,
    place: &Place,
    key: &str,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    if given.is_absent() {
        secret_is_missing(place, key, report);
    }
    secret(given.here()?, scope, report)
}

pub(super) fn secret_is_missing(place: &Place, key: &str, report: &mut Report<'_>) {
    let remedy = format!("add {key} = {{ file = \"NAME\" }}");
    report.missing(&place.child(key), "is missing", remedy);
}

/// `token` of `bearer`: a secret, and never the text itself.
fn bearer(
    raw: &RawAuth,
    place: &Place,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    if raw.token.is_absent() {
        secret_is_missing(place, "token", report);
    }
    let at = raw.token.here()?;
    let given = match &at.value {
        Or::Other(raw) => raw,
        Or::Text(_) => {
            let remedy =
                "write it as { file = \"NAME\" }, { env = \"NAME\" } or { credential = \"NAME\" }";
            report.wrong(&at.place, "is text, not a table", remedy);
            return None;
        }
    };
    super::secret::secret_of(given, &at.place, scope, report)
}

fn key_place(auth: &At<RawAuth>, report: &mut Report<'_>) -> Option<(KeyPlace, String)> {
    let raw = &auth.value;
    let given = [
        (KeyPlace::Header, &raw.header),
        (KeyPlace::Query, &raw.query),
        (KeyPlace::Body, &raw.body),
        (KeyPlace::Cookie, &raw.cookie),
    ];
    let mut given = given.into_iter().filter(|(_, given)| !given.is_absent());
    let (Some((place, name)), None) = (given.next(), given.next()) else {
        let problem = "must have exactly one of header, query, body and cookie";
        let remedy = "add header = \"X-Api-Key\", or query, body or cookie with the key's name";
        report.missing(&auth.place, problem, remedy);
        return None;
    };
    let at = name.here()?;
    let right = match place {
        KeyPlace::Header => is_header_name(at, report),
        KeyPlace::Cookie => is_cookie_name(at, report),
        KeyPlace::Query | KeyPlace::Body => true,
    };
    right.then(|| (place, at.value.clone()))
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

pub(super) fn is_header_name(at: &At<String>, report: &mut Report<'_>) -> bool {
    let right = is_token(&at.value);
    if !right {
        let problem = format!("{} is not the name of a header", quoted(&at.value));
        report.wrong(&at.place, problem, "write a name such as \"X-Api-Key\"");
    }
    right
}

pub(super) fn is_cookie_name(at: &At<String>, report: &mut Report<'_>) -> bool {
    let right = is_token(&at.value);
    if !right {
        let problem = format!("{} is not the name of a cookie", quoted(&at.value));
        report.wrong(&at.place, problem, "write a name such as \"SESSION\"");
    }
    right
}

/// RFC 6265 section 4.1.1.
fn is_cookie_value(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b))
}

/// Absolute, or from the root of the base URL.
pub(super) fn url_of_auth(
    at: &At<String>,
    base: Option<&Url>,
    example: &str,
    report: &mut Report<'_>,
) -> Option<Url> {
    let text = &at.value;
    if text.starts_with('/') {
        return base?.join(text).ok();
    }
    let (problem, remedy) = match web_url(text) {
        Ok(url) => return Some(url),
        Err(BadUrl::Secret) => (
            "holds a user name or password".to_owned(),
            "put them into client_id and client_secret".to_owned(),
        ),
        Err(BadUrl::Tail) => {
            (format!("{} has a query or a fragment", quoted(text)), "leave them out".to_owned())
        }
        Err(BadUrl::Scheme | BadUrl::Relative) => (
            format!("{} is neither an absolute URL nor a path from /", quoted(text)),
            format!("write it as {example}"),
        ),
    };
    report.wrong(&at.place, problem, remedy);
    None
}

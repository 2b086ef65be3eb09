//! Tokens that we sign ourselves.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use url::Url;

use super::{
    super::{
        Scope,
        auth::{is_header_name, need, secret_is_missing},
        secret::{secret, secret_lines},
    },
    lifetime, prefix,
};
use crate::{
    config::{
        raw::{RawAssertion, RawAuth, RawSecret},
        source::Report,
        table::{At, Given},
        tree::Tree,
    },
    connection::{Assertion, Auth, SentIn},
    signing::{Algorithm, KeyError, SigningKey},
};

/// `jwt`.
pub(in crate::config::check) fn jwt(
    at: &At<RawAuth>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Auth> {
    let (raw, place) = (&at.value, &at.place);
    let algorithm = need(&raw.algorithm, place, "algorithm", report);
    if raw.key.is_absent() {
        secret_is_missing(place, "key", report);
    }
    let key = signing_key(raw.key.here(), algorithm, scope, report);
    let known = [
        ("iss", raw.issuer.value().cloned()),
        ("sub", raw.subject.value().cloned()),
        ("aud", raw.audience.value().cloned()),
    ];
    let claims = claims(&raw.claims, known, report);
    let lifetime = lifetime(&raw.lifetime, report);
    let name = raw.header.or("Authorization".to_owned());
    let right = raw.header.here().is_none_or(|at| is_header_name(at, report));
    let name = name.filter(|_| right)?;
    let prefix = prefix(&raw.prefix, &name)?;
    let claims = Assertion {
        key: key?,
        key_id: raw.key_id.value().cloned(),
        claims: claims?,
        lifetime: lifetime?,
    };
    Some(Auth::Jwt { claims: Box::new(claims), send: SentIn::Header { name, prefix } })
}

/// The key that signs, of the kind that the algorithm wants.
fn signing_key(
    key: Option<&At<RawSecret>>,
    algorithm: Option<&At<Algorithm>>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<SigningKey>> {
    let at = key?;
    let text = match algorithm.map(|at| at.value) {
        Some(Algorithm::Hs256) => secret(at, scope, report),
        _ => secret_lines(at, scope, report),
    };
    let error = match SigningKey::read(algorithm?.value, &text?) {
        Ok(key) => return Some(Arc::new(key)),
        Err(error) => error,
    };
    let remedy = match error {
        KeyError::Short => "agree on a longer one, of random letters",
        KeyError::Encrypted => {
            "decrypt it into a file of mode 0600: openssl pkcs8 -in OLD -out NEW"
        }
        KeyError::NoPem => "put the private key there, from -----BEGIN to -----END",
        KeyError::OtherKind(_) | KeyError::Sign => {
            "use a key of that kind, as PKCS#8: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW"
        }
    };
    report.wrong(&at.place, error.to_string(), remedy);
    None
}

pub(super) fn assertion(
    raw: &RawAssertion,
    client_id: Option<&str>,
    token_url: Option<&Url>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Assertion> {
    let key = signing_key(raw.key.here(), raw.algorithm.here(), scope, report);
    let or = |given: &Given<String>, default: Option<&str>| {
        given.value().cloned().or_else(|| default.map(str::to_owned))
    };
    let known = [
        ("iss", or(&raw.issuer, client_id)),
        ("sub", or(&raw.subject, client_id)),
        ("aud", or(&raw.audience, token_url.map(Url::as_str))),
    ];
    let claims = claims(&raw.claims, known, report);
    let lifetime = lifetime(&raw.lifetime, report);
    let key_id = raw.key_id.value().cloned();
    Some(Assertion { key: key?, key_id, claims: claims?, lifetime: lifetime? })
}

/// What a token says beside its times: `known` where it was written, and `more`.
fn claims(
    more: &Given<Tree>,
    known: [(&'static str, Option<String>); 3],
    report: &mut Report<'_>,
) -> Option<Map<String, Json>> {
    let mut claims = Map::new();
    for (name, value) in known {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value.into());
        }
    }
    let at = match more {
        Given::Absent => return Some(claims),
        given => given.here()?,
    };
    if let Some((_, secret)) = at.value.secrets.first() {
        report.wrong(&secret.place, "is a secret, which a token shows", "take it out");
        return None;
    }
    for (name, value) in &at.value.json {
        let problem = match name.as_str() {
            "iat" | "exp" | "jti" => "is set anew in each token",
            _ if claims.contains_key(name) => "is said twice",
            _ => {
                claims.insert(name.clone(), value.clone());
                continue;
            }
        };
        report.wrong(&at.place.child(name), problem, "take it out");
    }
    Some(claims)
}

//! Tokens that we sign, are given, or log in for.

use std::{sync::Arc, time::Duration};

use jiff::fmt::strtime;
use secrecy::SecretString;
use serde_json::{Map, Value as Json};
use serde_json_path::JsonPath;
use url::Url;

use super::{
    Scope,
    auth::{is_cookie_name, is_header_name, need, need_secret, secret_is_missing, url_of_auth},
    is_path,
    secret::{secret, secret_lines},
    span,
};
use crate::{
    config::{
        raw::{RawAssertion, RawAuth, RawSecret, RawSend},
        source::{Place, Report, quoted},
        table::{At, Given, Or},
        tree::Tree,
        value::{ClientAuth, GrantKind, Prefix, Span},
    },
    connection::{
        Assertion, Auth, ClientProof, ExpiresFormat, Grant, Login, LoginBody, LoginMethod, OAuth2,
        SentIn, TokenLife, TokenPlace,
    },
    signing::{Algorithm, KeyError, SigningKey},
};

/// How long a token lives that does not say.
const LIFETIME: Duration = Duration::from_mins(5);
/// And at most so long, whoever says it.
pub(super) const LIFETIME_MAX: Duration = Duration::from_hours(24);

/// `jwt`.
pub(super) fn jwt(at: &At<RawAuth>, scope: &Scope<'_>, report: &mut Report<'_>) -> Option<Auth> {
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

/// `oauth2`.
pub(super) fn oauth2(
    at: &At<RawAuth>,
    base: Option<&Url>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<OAuth2> {
    let (raw, place) = (&at.value, &at.place);
    let token_url = need(&raw.token_url, place, "token_url", report);
    let example = "\"https://login.partner.example/token\" or \"/oauth/token\"";
    let token_url = token_url.and_then(|at| url_of_auth(at, base, example, report));
    let client_id = need(&raw.client_id, place, "client_id", report).map(|at| at.value.clone());
    let proof = proof(raw, place, client_id.as_deref(), token_url.as_ref(), scope, report);
    let grant = grant(raw, place, scope, report);
    let form = match &raw.form {
        Given::Absent => Some(Vec::new()),
        given => given.here().and_then(|at| form(at, scope, report)),
    };
    let token = token_path(raw, report).or("$.access_token");
    let life = life(raw, scope, report);
    Some(OAuth2 {
        token_url: token_url?,
        client_id: client_id?,
        proof: proof?,
        grant: grant?,
        scope: raw.scope.value().cloned(),
        form: form?,
        token: token?,
        life: life?,
    })
}

/// `login`.
pub(super) fn login(
    at: &At<RawAuth>,
    base: Option<&Url>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Login> {
    let (raw, place) = (&at.value, &at.place);
    let url = login_url(raw, place, base, report);
    let body = login_body(raw, scope, report);
    let token = login_token(raw, place, report);
    let life = life(raw, scope, report);
    let send = match &raw.send {
        Given::Absent => {
            let remedy = "add send = { header = \"X-Session\" }, or with cookie or query";
            report.missing(&place.child("send"), "is missing", remedy);
            None
        }
        given => given.here().and_then(|at| carrier(at, &raw.prefix, report)),
    };
    let method = raw.method.or(LoginMethod::Post)?;
    if let (LoginMethod::Get, Some(place)) = (method, raw.json.place().or_else(|| raw.form.place()))
    {
        report.wrong(place, "is a body, which GET has not", "use method = \"POST\"");
    }
    Some(Login { url: url?, method, body: body?, token: token?, life: life?, send: send? })
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

fn lifetime(given: &Given<Span>, report: &mut Report<'_>) -> Option<Duration> {
    let found = span(given, LIFETIME, report)?;
    if let Some(at) = given.here()
        && found > LIFETIME_MAX
    {
        report.wrong(&at.place, "is longer than a day", "write a shorter time");
        return None;
    }
    Some(found)
}

fn prefix(given: &Given<Prefix>, header: &str) -> Option<String> {
    let bearer = if header.eq_ignore_ascii_case("authorization") { "Bearer " } else { "" };
    Some(given.or(Prefix(bearer.to_owned()))?.0)
}

fn proof(
    raw: &RawAuth,
    place: &Place,
    client_id: Option<&str>,
    token_url: Option<&Url>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<ClientProof> {
    match &raw.assertion {
        Given::Absent => {
            let secret = need_secret(&raw.client_secret, place, "client_secret", scope, report)?;
            Some(match raw.client_auth.or(ClientAuth::Body)? {
                ClientAuth::Body => ClientProof::Body(secret),
                ClientAuth::Basic => ClientProof::Basic(secret),
            })
        }
        Given::Wrong => None,
        Given::Here(at) => {
            raw.client_secret.refuse(report, "has no use beside `assertion`");
            raw.client_auth.refuse(report, "has no use beside `assertion`");
            let assertion = assertion(&at.value, client_id, token_url, scope, report)?;
            Some(ClientProof::Assertion(Box::new(assertion)))
        }
    }
}

fn assertion(
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

fn grant(
    raw: &RawAuth,
    place: &Place,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Grant> {
    match raw.grant.or(GrantKind::ClientCredentials)? {
        GrantKind::ClientCredentials => {
            let problem = "has no use with grant client_credentials";
            if let Some(place) = raw.refresh_token.place() {
                report.wrong(place, problem, "add grant = \"refresh_token\", or take it out");
            }
            Some(Grant::ClientCredentials)
        }
        GrantKind::RefreshToken => {
            need_secret(&raw.refresh_token, place, "refresh_token", scope, report)
                .map(Grant::RefreshToken)
        }
    }
}

/// The fields of a form: text, numbers, true or false, and secrets.
fn form(
    at: &At<Tree>,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<(String, SecretString)>> {
    let mut fields = Some(Vec::new());
    for (name, value) in &at.value.json {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let hidden = at.value.secrets.iter().find(|(at, _)| *at == pointer);
        let text = match (hidden, value) {
            (Some((_, at)), _) => secret(at, scope, report),
            (None, Json::String(text)) => Some(text.clone().into()),
            (None, Json::Number(_) | Json::Bool(_)) => Some(value.to_string().into()),
            (None, _) => {
                let problem = "is a list or a table, which a form cannot carry";
                report.wrong(&at.place.child(name), problem, "write it as text");
                None
            }
        };
        match text {
            Some(text) => {
                if let Some(fields) = &mut fields {
                    fields.push((name.clone(), text));
                }
            }
            None => fields = None,
        }
    }
    fields
}

/// Where an answer has the token, if that was written.
enum Written {
    Absent,
    Wrong,
    Path(JsonPath),
}

impl Written {
    fn or(self, default: &str) -> Option<JsonPath> {
        match self {
            Self::Absent => JsonPath::parse(default).ok(),
            Self::Wrong => None,
            Self::Path(path) => Some(path),
        }
    }
}

fn token_path(raw: &RawAuth, report: &mut Report<'_>) -> Written {
    let at = match &raw.token {
        Given::Absent => return Written::Absent,
        Given::Wrong => return Written::Wrong,
        Given::Here(at) => at,
    };
    let Or::Text(text) = &at.value else {
        let problem = "is a secret, not where the answer has the token";
        report.wrong(&at.place, problem, "write a JSONPath such as \"$.access_token\"");
        return Written::Wrong;
    };
    let text = At { value: text.clone(), place: at.place.clone() };
    path(&text, report).map_or(Written::Wrong, Written::Path)
}

/// A JSONPath (RFC 9535).
fn path(at: &At<String>, report: &mut Report<'_>) -> Option<JsonPath> {
    match JsonPath::parse(&at.value) {
        Ok(path) => Some(path),
        Err(error) => {
            let behind = error.position() + 1;
            let problem =
                format!("{} is not a JSONPath (see character {behind})", quoted(&at.value));
            report.wrong(&at.place, problem, "write one such as \"$.data.token\"");
            None
        }
    }
}

fn life(raw: &RawAuth, scope: &Scope<'_>, report: &mut Report<'_>) -> Option<TokenLife> {
    let expires = match &raw.expires {
        Given::Absent => JsonPath::parse("$.expires_in").ok(),
        given => given.here().and_then(|at| path(at, report)),
    };
    let zone = scope.timezone.clone();
    let format = match &raw.expires_format {
        Given::Absent => Some(ExpiresFormat::Seconds),
        Given::Wrong => None,
        Given::Here(at) => match at.value.as_str() {
            "seconds" => Some(ExpiresFormat::Seconds),
            "iso" => Some(ExpiresFormat::Iso { zone }),
            format if is_time_format(format) => {
                Some(ExpiresFormat::Strftime { format: format.to_owned(), zone })
            }
            other => {
                let problem = format!("{} is no way to write a time", quoted(other));
                let remedy = "use \"seconds\", \"iso\", or a format such as \"%d/%m/%Y %H:%M:%S\"";
                report.wrong(&at.place, problem, remedy);
                None
            }
        },
    };
    let lifetime = lifetime(&raw.lifetime, report);
    Some(TokenLife { expires: expires?, format: format?, lifetime: lifetime? })
}

/// Whether times can be read with that format: what it writes of a sample must come back.
fn is_time_format(format: &str) -> bool {
    let sample = jiff::civil::date(2026, 11, 24).at(13, 5, 9, 0);
    let read = sample.in_tz("UTC").and_then(|sample| {
        let text = strtime::format(format, &sample)?;
        let read = strtime::parse(format, text)?;
        Ok(read.to_timestamp().is_ok() || read.to_date().is_ok())
    });
    read.unwrap_or(false)
}

fn login_url(
    raw: &RawAuth,
    place: &Place,
    base: Option<&Url>,
    report: &mut Report<'_>,
) -> Option<Url> {
    match (&raw.path, &raw.url) {
        (Given::Absent, Given::Absent) => {
            let remedy = "add path = \"/login\", or url for another host";
            report.missing(&place.child("path"), "is missing", remedy);
            None
        }
        (Given::Absent, given) => {
            let example = "\"https://login.partner.example/session\"";
            url_of_auth(given.here()?, base, example, report)
        }
        (given, Given::Absent) => {
            let at = given.here().filter(|at| is_path(at, report))?;
            format!("{}{}", base?.as_str().trim_end_matches('/'), at.value).parse().ok()
        }
        (_, given) => {
            given.refuse(report, "has no use beside `path`");
            None
        }
    }
}

fn login_body(raw: &RawAuth, scope: &Scope<'_>, report: &mut Report<'_>) -> Option<LoginBody> {
    match (&raw.json, &raw.form) {
        (Given::Absent, Given::Absent) => Some(LoginBody::None),
        (Given::Absent, given) => form(given.here()?, scope, report).map(LoginBody::Form),
        (given, Given::Absent) => {
            let tree = given.value()?;
            let secrets: Vec<_> = tree
                .secrets
                .iter()
                .map(|(at, raw)| Some((at.clone(), secret(raw, scope, report)?)))
                .collect();
            let secrets = secrets.into_iter().collect::<Option<_>>()?;
            Some(LoginBody::Json { value: tree.json.clone().into(), secrets })
        }
        (_, given) => {
            given.refuse(report, "has no use beside `json`");
            None
        }
    }
}

fn login_token(raw: &RawAuth, place: &Place, report: &mut Report<'_>) -> Option<TokenPlace> {
    let given = [!raw.token.is_absent(), !raw.header.is_absent(), !raw.cookie.is_absent()];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let problem =
            "must have exactly one of token, header and cookie: where the answer has the token";
        report.missing(place, problem, "add token = \"$.token\", or header or cookie");
        return None;
    }
    if let Some(at) = raw.header.here() {
        return is_header_name(at, report).then(|| TokenPlace::Header(at.value.clone()));
    }
    if let Some(at) = raw.cookie.here() {
        return is_cookie_name(at, report).then(|| TokenPlace::Cookie(at.value.clone()));
    }
    match token_path(raw, report) {
        Written::Path(path) => Some(TokenPlace::Path(path)),
        Written::Absent | Written::Wrong => None,
    }
}

/// Where a token travels.
fn carrier(at: &At<RawSend>, prefix: &Given<Prefix>, report: &mut Report<'_>) -> Option<SentIn> {
    let raw = &at.value;
    let given = [&raw.header, &raw.cookie, &raw.query];
    if given.into_iter().filter(|given| !given.is_absent()).count() != 1 {
        let problem = "must have exactly one of header, cookie and query";
        report.missing(&at.place, problem, "write send = { header = \"X-Session\" }");
        return None;
    }
    if let Some(at) = raw.header.here() {
        let (right, name) = (is_header_name(at, report), at.value.clone());
        let prefix = self::prefix(prefix, &name)?;
        return right.then_some(SentIn::Header { name, prefix });
    }
    prefix.refuse(report, "stands before a token in a header only");
    if let Some(at) = raw.cookie.here() {
        return is_cookie_name(at, report).then(|| SentIn::Cookie { name: at.value.clone() });
    }
    Some(SentIn::Query { name: raw.query.value()?.clone() })
}

//! Tokens that we log in for.

use url::Url;

use super::{
    super::{
        Scope,
        auth::{is_cookie_name, is_header_name, url_of_auth},
        is_path,
        secret::secret,
    },
    Written, form, life, token_path,
};
use crate::{
    config::{
        raw::{RawAuth, RawSend},
        source::{Place, Report},
        table::{At, Given},
        value::Prefix,
    },
    connection::{Login, LoginBody, LoginMethod, SentIn, TokenPlace},
};

/// `login`.
pub(in crate::config::check) fn login(
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
        let prefix = super::prefix(prefix, &name)?;
        return right.then_some(SentIn::Header { name, prefix });
    }
    prefix.refuse(report, "stands before a token in a header only");
    if let Some(at) = raw.cookie.here() {
        return is_cookie_name(at, report).then(|| SentIn::Cookie { name: at.value.clone() });
    }
    Some(SentIn::Query { name: raw.query.value()?.clone() })
}

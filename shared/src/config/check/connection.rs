//! A connection: either HTTP or folders, and only with the keys that mean something to it.

use std::{collections::HashMap, time::Duration};

use secrecy::SecretString;
use url::Url;

use super::{Scope, is_path, name, secret::secret, span};
use crate::{
    config::{
        raw::{RawAuth, RawConnection, RawDeliver, RawSecret, RawTimeouts},
        source::{Place, Report, quoted},
        table::{At, Given},
        value::{AuthKind, BadUrl, Span, web_url},
    },
    connection::{
        Auth, Connection, Deliver, DeliverMethod, Folder, Http, KeyPlace, Link, Timeouts,
    },
    id::{ConnectionId, PartnerId},
};

/// An answer later than this is slow where nothing else is said.
const SLOW: Duration = Duration::from_secs(5);
/// A file that is still for so long is complete where nothing else is said.
const SETTLE: Duration = Duration::from_secs(5);
/// A document expires after this where nothing else is said.
const DEADLINE: Duration = Duration::from_hours(48);

/// What a feed needs to know of the connections beside it, even of those with mistakes.
#[derive(Debug)]
pub(super) struct Names<'r> {
    by_id: HashMap<&'r str, Reach>,
    /// Whether all of them could be read; else one that is not here may well exist.
    complete: bool,
}

/// What can be read over a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub http: bool,
    pub import: bool,
}

impl<'r> Names<'r> {
    pub(super) fn of(raw: &'r [At<RawConnection>], complete: bool) -> Self {
        let each = |at: &'r At<RawConnection>| {
            let raw = &at.value;
            let reach = Reach { http: !raw.base_url.is_absent(), import: !raw.import.is_absent() };
            Some((raw.id.value()?.0.as_str(), reach))
        };
        let complete = complete && raw.iter().all(|at| at.value.id.here().is_some());
        Self { by_id: raw.iter().filter_map(each).collect(), complete }
    }

    /// The connection that a feed names.
    pub(super) fn find(
        &self,
        named: &At<crate::config::value::Id>,
        report: &mut Report<'_>,
    ) -> Option<Reach> {
        let id = named.value.0.as_str();
        let found = self.by_id.get(id).copied();
        if found.is_none() && self.complete {
            let mut ids: Vec<&str> = self.by_id.keys().copied().collect();
            ids.sort_unstable();
            let remedy = match crate::config::table::nearest(id, &ids) {
                Some(near) => format!("did you mean {near}?"),
                None if ids.is_empty() => "add a [[connection]] with that id".to_owned(),
                None => format!("the connections of this partner are: {}", ids.join(", ")),
            };
            report.missing(&named.place, format!("there is no connection {}", quoted(id)), remedy);
        }
        found
    }
}

/// Checks one connection.
pub(super) fn connection(
    block: &At<RawConnection>,
    partner: &PartnerId,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Connection> {
    let raw = &block.value;
    let http = !raw.base_url.is_absent();
    let folder = !raw.import.is_absent() || !raw.export.is_absent();
    let link = match (http, folder) {
        (true, false) => self::http(raw, scope, report).map(Link::Http),
        (false, true) => self::folder(raw, report).map(Link::Folder),
        (false, false) => {
            let problem = "has neither base_url nor import or export";
            let remedy =
                "say where the partner is: base_url for HTTP, import and export for folders";
            report.missing(&block.place, problem, remedy);
            None
        }
        (true, true) => {
            let problem = "has both base_url and a folder";
            report.wrong(&block.place, problem, "make two connections of it");
            None
        }
    };
    let settle = raw.settle.or(Span(SETTLE));
    if let (Some(at), true) = (raw.outbox.here(), raw.deliver.is_absent() && raw.export.is_absent())
    {
        let problem = "has nowhere to be delivered";
        report.missing(&at.place, problem, "add `deliver`, or `export` for a folder");
    }
    let id = &raw.id.value()?.0;
    Some(Connection {
        id: ConnectionId::of(partner, id).ok()?,
        partner: partner.clone(),
        name: name(&raw.name, id)?,
        link: link?,
        outbox: raw.outbox.value().map(|location| location.0.clone()),
        settle: settle?.0,
    })
}

fn folder(raw: &RawConnection, report: &mut Report<'_>) -> Option<Folder> {
    let problem = "means nothing to a connection of folders";
    raw.auth.refuse(report, problem);
    raw.rate_limit.refuse(report, problem);
    raw.timeouts.refuse(report, problem);
    raw.slow.refuse(report, problem);
    let mut deadline = Some(DEADLINE);
    if let Some(at) = raw.deliver.here() {
        let deliver = &at.value;
        deliver.method.refuse(report, problem);
        deliver.path.refuse(report, problem);
        deliver.status_path.refuse(report, problem);
        deadline = span(&deliver.deadline, DEADLINE, report);
        if raw.export.is_absent() {
            report.missing(&at.place, "needs a folder to put documents into", "add `export`");
        }
    }
    let path = |given: &Given<crate::config::value::Location>| given.value().map(|l| l.0.clone());
    Some(Folder { import: path(&raw.import), export: path(&raw.export), deadline: deadline? })
}

fn http(raw: &RawConnection, scope: &Scope<'_>, report: &mut Report<'_>) -> Option<Http> {
    let base_url = raw.base_url.value().map(|url| url.0.clone());
    let auth = match &raw.auth {
        Given::Absent => Some(Auth::None),
        Given::Wrong => None,
        Given::Here(at) => auth(at, base_url.as_ref(), scope, report),
    };
    let timeouts = match &raw.timeouts {
        Given::Absent => Some(Timeouts::default()),
        Given::Wrong => None,
        Given::Here(at) => timeouts(&at.value, report),
    };
    let slow = span(&raw.slow, SLOW, report);
    let deliver = match &raw.deliver {
        Given::Absent => None,
        Given::Wrong => return None,
        Given::Here(at) => Some(deliver(at, report)?),
    };
    Some(Http {
        base_url: base_url?,
        auth: auth?,
        rate_limit: raw.rate_limit.value().copied(),
        timeouts: timeouts?,
        slow: slow?,
        deliver,
    })
}

fn timeouts(raw: &RawTimeouts, report: &mut Report<'_>) -> Option<Timeouts> {
    let default = Timeouts::default();
    let connect = span(&raw.connect, default.connect, report);
    let first_byte = span(&raw.first_byte, default.first_byte, report);
    let idle = span(&raw.idle, default.idle, report);
    let total = span(&raw.total, default.total, report);
    Some(Timeouts { connect: connect?, first_byte: first_byte?, idle: idle?, total: total? })
}

fn deliver(at: &At<RawDeliver>, report: &mut Report<'_>) -> Option<Deliver> {
    let raw = &at.value;
    let deadline = span(&raw.deadline, DEADLINE, report);
    if raw.path.is_absent() {
        let remedy = "add where documents are put, behind `base_url`";
        report.missing(&at.place.child("path"), "is missing", remedy);
    }
    let path = raw.path.here().filter(|at| is_path(at, report));
    let status_path = raw.status_path.here().filter(|at| {
        let keyed = at.value.contains("{key}");
        if !keyed {
            let problem = format!("{} does not say which document", quoted(&at.value));
            report.wrong(&at.place, problem, "put {key} where the Idempotency-Key belongs");
        }
        keyed && is_path(at, report)
    });
    Some(Deliver {
        method: raw.method.or(DeliverMethod::Post)?,
        path: path?.value.clone(),
        status_path: status_path.map(|at| at.value.clone()),
        deadline: deadline?,
    })
}

fn auth(
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

//! A connection: either HTTP or folders, and only with the keys that mean something to it.

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use super::{Scope, auth::auth, headers::headers, is_path, name, path, request, span, tls::tls};
use crate::{
    config::{
        raw::{RawConnection, RawDeliver, RawSuccess, RawTimeouts, RawTls},
        source::{Report, quoted},
        table::{At, Given, nearest},
        value::{Id, Location, Span},
    },
    connection::{Auth, Connection, Deliver, DeliverMethod, Folder, Http, Link, Timeouts},
    id::{ConnectionId, PartnerId},
    request::{OnError, Success},
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
    /// Whether its key travels in the bodies of requests.
    pub body_key: bool,
}

impl<'r> Names<'r> {
    pub(super) fn of(raw: &'r [At<RawConnection>], complete: bool) -> Self {
        let each = |at: &'r At<RawConnection>| {
            let raw = &at.value;
            let auth = raw.auth.value();
            let reach = Reach {
                http: !raw.base_url.is_absent(),
                import: !raw.import.is_absent(),
                body_key: auth.is_some_and(|auth| !auth.body.is_absent()),
            };
            Some((raw.id.value()?.0.as_str(), reach))
        };
        let complete = complete && raw.iter().all(|at| at.value.id.here().is_some());
        Self { by_id: raw.iter().filter_map(each).collect(), complete }
    }

    /// The connection that a feed names.
    pub(super) fn find(&self, named: &At<Id>, report: &mut Report<'_>) -> Option<Reach> {
        let id = named.value.0.as_str();
        let found = self.by_id.get(id).copied();
        if found.is_none() && self.complete {
            let mut ids: Vec<&str> = self.by_id.keys().copied().collect();
            ids.sort_unstable();
            let remedy = match nearest(id, &ids) {
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
        marker: marker(raw, report),
    })
}

/// The ending of the markers of an import folder; `None` too where what is written is reported as wrong.
fn marker(raw: &RawConnection, report: &mut Report<'_>) -> Option<String> {
    let at = raw.marker.here()?;
    if raw.import.is_absent() {
        raw.marker.refuse(report, "means nothing without a folder to import from");
        return None;
    }
    let named =
        |ending: &str| !ending.is_empty() && ending.chars().all(|c| c.is_ascii_alphanumeric());
    if at.value.strip_prefix('.').is_some_and(named) {
        return Some(at.value.clone());
    }
    let problem = format!("{} is not the ending of a name", quoted(&at.value));
    report.wrong(&at.place, problem, "write one such as \".done\" or \".sha256\"");
    None
}

fn folder(raw: &RawConnection, report: &mut Report<'_>) -> Option<Folder> {
    let problem = "means nothing to a connection of folders";
    raw.auth.refuse(report, problem);
    raw.headers.refuse(report, problem);
    raw.tls.refuse(report, problem);
    raw.proxy.refuse(report, problem);
    raw.http2.refuse(report, problem);
    raw.redirects.refuse(report, problem);
    raw.rate_limit.refuse(report, problem);
    raw.feeds_at_once.refuse(report, problem);
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
    let path = |given: &Given<Location>| given.value().map(|l| l.0.clone());
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
    let headers = match &raw.headers {
        Given::Absent => Some(Vec::new()),
        given => given.value().and_then(|given| headers(given, report)),
    };
    let https = base_url.as_ref().is_none_or(|url| url.scheme() == "https");
    let tls = match tls_block(raw, report) {
        Ok(None) => Some(None),
        Ok(Some(at)) => tls(at, https, scope, report).map(Some),
        Err(()) => None,
    };
    let redirects = redirects(raw, report);
    let feeds_at_once = feeds_at_once(raw, report);
    body_key_stays_out_of_documents(raw, auth.as_ref(), report);
    Some(Http {
        base_url: base_url?,
        auth: auth?,
        headers: headers?,
        tls: tls?,
        proxy: raw.proxy.value().map(|proxy| proxy.0.clone()),
        http2: raw.http2.or(true)?,
        redirects: redirects?,
        rate_limit: raw.rate_limit.value().copied(),
        feeds_at_once: feeds_at_once?,
        timeouts: timeouts?,
        slow: slow?,
        deliver,
    })
}

/// `tls` stands beside `auth` or in it, for there is one of it.
fn tls_block<'r>(
    raw: &'r RawConnection,
    report: &mut Report<'_>,
) -> Result<Option<&'r At<RawTls>>, ()> {
    let beside = &raw.tls;
    let within = raw.auth.value().map_or(&Given::Absent, |auth| &auth.tls);
    match (beside, within) {
        (Given::Wrong, _) | (_, Given::Wrong) => Err(()),
        (Given::Here(_), Given::Here(at)) => {
            let problem = "is written twice: here and for the connection";
            report.wrong(&at.place, problem, "keep one of them");
            Err(())
        }
        (one, other) => Ok(one.here().or_else(|| other.here())),
    }
}

/// X-Road names the service in the request: a redirect leads out of what was agreed.
fn redirects(raw: &RawConnection, report: &mut Report<'_>) -> Option<bool> {
    let found = raw.redirects.or(false)?;
    let x_road = raw.headers.value().is_some_and(|headers| {
        headers.0.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("x-road-"))
    });
    if let (true, true, Some(place)) = (found, x_road, raw.redirects.place()) {
        report.wrong(place, "means a redirect would be followed over X-Road", "take it out");
        return None;
    }
    Some(found)
}

/// How many feeds are read at once; `None`: it is wrong.
#[expect(clippy::option_option, reason = "wrong, absent, or a number")]
fn feeds_at_once(raw: &RawConnection, report: &mut Report<'_>) -> Option<Option<NonZeroU32>> {
    let at = match &raw.feeds_at_once {
        Given::Absent => return Some(None),
        Given::Wrong => return None,
        Given::Here(at) => at,
    };
    let most = u32::try_from(at.value).ok().and_then(NonZeroU32::new);
    if most.is_none() {
        report.wrong(&at.place, "reads nothing", "write at least 1, or take it out");
    }
    most.map(Some)
}

/// A document goes out as it is: there is no room in it for a key.
fn body_key_stays_out_of_documents(
    raw: &RawConnection,
    auth: Option<&Auth>,
    report: &mut Report<'_>,
) {
    if let (Some(at), true) = (raw.deliver.here(), auth.is_some_and(Auth::is_in_body)) {
        let problem = "cannot carry the key of `auth`, which travels in the body";
        let remedy = "ask the partner for a header, or make another connection for documents";
        report.wrong(&at.place, problem, remedy);
    }
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
    let success = raw.success.checked(|block| receipt(block, report));
    Some(Deliver {
        method: raw.method.or(DeliverMethod::Post)?,
        path: path?.value.clone(),
        status_path: status_path.map(|at| at.value.clone()),
        success: success.ok()?,
        deadline: deadline?,
    })
}

/// What tells a receipt. It holds no records, and so none can be left out.
fn receipt(block: &At<RawSuccess>, report: &mut Report<'_>) -> Option<Success> {
    block.value.empty.refuse(report, "means nothing of a document");
    let on_error = block.value.on_error.here();
    if let Some(at) = on_error.filter(|at| at.value == OnError::Ignore) {
        let remedy = "write \"fail\" if the document is rejected then, \"retry\" if it is to be offered again";
        report.wrong(&at.place, "\"ignore\" would take a refusal for a receipt", remedy);
    }
    request::success(block, path::of_answer, report)
}

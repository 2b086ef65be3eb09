//! How a feed is asked for over HTTP: what the request says, and what its answers mean.

use std::time::Duration;

use super::{Scope, incremental, is_path, paging, path, schedule, span};
use crate::{
    config::{
        raw::{RawAbort, RawChanged, RawEach, RawExport, RawFeed, RawSuccess},
        source::{Report, quoted},
        table::{At, Given, Or},
        value::{Pairs, Span},
    },
    feed::ScalarPath,
    id::{FeedId, PartnerId},
    request::{
        Abort, AbortMethod, Body, Carrier, Changed, Download, Each, Export, Method, OnError,
        OnGone, OnStatus, Request, Says, Success, SuccessRule,
    },
    schedule::Schedule,
};

/// The most parents of one run where nothing else is said.
const PARENTS_MAX: u64 = 10_000;
/// How often an export is asked after, and how long at most, where nothing else is said.
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_WITHIN: Duration = Duration::from_hours(1);
/// Headers that are Marsad's own, or carry what proves who we are.
const OWN_HEADERS: [&str; 9] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "accept-encoding",
    "upgrade",
];

/// A request that still lacks its path.
pub(super) struct Unaddressed(Request);

impl Unaddressed {
    pub(super) fn with_path(self, path: &str) -> Request {
        Request { path: path.to_owned(), ..self.0 }
    }
}

/// Checks all of it but the path.
pub(super) fn request(
    raw: &RawFeed,
    partner: &PartnerId,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Unaddressed> {
    let says = says(raw, report);
    let carriers = Carriers::of(says.as_ref());
    let pagination = paging::pagination(raw, carriers, report);
    let incremental =
        raw.incremental.checked(|at| incremental::incremental(at, raw, carriers, report));
    let success = raw.success.checked(|at| success(at, raw, report));
    let each = raw.each.checked(|at| each(at, raw, partner, report));
    let export = raw.export.checked(|at| export(at, raw, report));
    let changed = raw.changed.checked(|at| changed(&at.value, raw, report));
    let schedule = match &raw.schedule {
        Given::Absent => Some(Schedule::Every { every: schedule::EVERY }),
        Given::Wrong => None,
        Given::Here(at) => schedule::schedule(at, scope, report),
    };
    let statuses = match &raw.statuses {
        Given::Absent => Vec::new(),
        Given::Wrong => return None,
        Given::Here(at) => {
            let gone = at.value.0.iter().find(|(_, meaning)| *meaning == OnStatus::Gone);
            if let (Some((status, _)), true) = (gone, raw.incremental.is_absent()) {
                let problem = "speaks of a cursor, and the feed has none";
                report.wrong(
                    &at.place.child(&status.to_string()),
                    problem,
                    "take it out, or add incremental",
                );
            }
            at.value.0.clone()
        }
    };
    Some(Unaddressed(Request {
        path: String::new(),
        says: says?,
        pagination: pagination?,
        incremental: incremental.ok()?,
        success: success.ok()?,
        statuses,
        each: each.ok()?,
        export: export.ok()?,
        changed: changed.ok()?,
        schedule: schedule?,
    }))
}

/// Refuses what means nothing to files.
pub(super) fn refuse_for_files(raw: &RawFeed, report: &mut Report<'_>) {
    let problem = "means nothing to files, which are taken when they come";
    raw.method.refuse(report, problem);
    raw.json.refuse(report, problem);
    raw.form.refuse(report, problem);
    raw.text.refuse(report, problem);
    raw.headers.refuse(report, problem);
    raw.success.refuse(report, problem);
    raw.statuses.refuse(report, problem);
    raw.pagination.refuse(report, problem);
    raw.incremental.refuse(report, problem);
    raw.each.refuse(report, problem);
    raw.export.refuse(report, problem);
    raw.changed.refuse(report, problem);
    raw.schedule.refuse(report, problem);
}

/// What of a request a parameter can travel in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carriers {
    body: bool,
}

impl Carriers {
    fn of(says: Option<&Says>) -> Self {
        Self { body: says.is_none_or(|says| says.body != Body::None) }
    }

    /// Where a parameter travels, if there is such a place.
    pub(super) fn carrier(
        self,
        place: &Given<Carrier>,
        report: &mut Report<'_>,
    ) -> Option<Carrier> {
        let carrier = place.or(Carrier::Query)?;
        if let (Carrier::Body, false, Some(at)) = (carrier, self.body, place.here()) {
            let problem = "puts parameters into a body, and the request has none";
            report.wrong(
                &at.place,
                problem,
                "add json, form or text to the feed, or use \"query\"",
            );
            return None;
        }
        Some(carrier)
    }
}

fn says(raw: &RawFeed, report: &mut Report<'_>) -> Option<Says> {
    let bodies = [
        (!raw.json.is_absent(), raw.json.here().map(|at| &at.place)),
        (!raw.form.is_absent(), raw.form.here().map(|at| &at.place)),
        (!raw.text.is_absent(), raw.text.here().map(|at| &at.place)),
    ];
    if bodies.iter().filter(|(given, _)| *given).count() > 1 {
        let place = bodies.iter().rev().find_map(|(_, place)| *place)?;
        report.wrong(place, "is a second body", "write one of json, form and text");
        return None;
    }
    let body = if let Some(at) = raw.json.here() {
        Body::Json(at.value.0.clone())
    } else if let Some(at) = raw.form.here() {
        Body::Form(at.value.0.iter().map(|(name, at)| (name.clone(), at.value.clone())).collect())
    } else if let Some(at) = raw.text.here() {
        Body::Text(at.value.clone())
    } else {
        Body::None
    };
    let default = if body == Body::None { Method::Get } else { Method::Post };
    let method = raw.method.or(default)?;
    if let (Method::Get, false, Some(at)) = (method, body == Body::None, raw.method.here()) {
        report.wrong(&at.place, "carries no body", "use \"POST\", or take the body out");
    }
    let headers = match &raw.headers {
        Given::Absent => Vec::new(),
        Given::Wrong => return None,
        Given::Here(at) => headers(&at.value, report)?,
    };
    Some(Says { method, headers, body })
}

/// Checks headers that are sent along: they are no place for what proves who we are.
pub(super) fn headers(pairs: &Pairs, report: &mut Report<'_>) -> Option<Vec<(String, String)>> {
    let each = pairs.0.iter().map(|(name, at)| {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let (problem, remedy) = if name.is_empty() || !name.bytes().all(token) {
            ("is not the name of a header", "write a name such as \"Accept\"")
        } else if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            (
                "is a header of Marsad's own",
                "take it out; what proves who we are belongs into `auth`",
            )
        } else if at.value.chars().any(char::is_control) {
            ("holds a control character", "write it in one line")
        } else {
            return Some((name.clone(), at.value.clone()));
        };
        report.wrong(&at.place, problem, remedy);
        None
    });
    each.collect::<Vec<_>>().into_iter().collect()
}

fn success(block: &At<RawSuccess>, feed: &RawFeed, report: &mut Report<'_>) -> Option<Success> {
    let raw = &block.value;
    let on_error = raw.on_error.or(OnError::Fail)?;
    let rule = match (&raw.path, &raw.error) {
        (Given::Here(path), Given::Absent) => {
            if raw.equals.is_absent() {
                let remedy = "add what stands there in a good answer, such as [true]";
                report.missing(&block.place.child("equals"), "is missing", remedy);
            }
            let values = raw.equals.here()?.value.iter().map(|scalar| scalar.0.clone()).collect();
            SuccessRule::Equals { path: path::scalar(path, feed, report)?, values }
        }
        (Given::Absent, Given::Here(error)) => {
            raw.equals.refuse(report, "means nothing without path");
            SuccessRule::NoError { path: path::scalar(error, feed, report)? }
        }
        (Given::Wrong, _) | (_, Given::Wrong) => return None,
        _ => {
            let remedy =
                "write { path = \"$.success\", equals = [true] } or { error = \"$.error\" }";
            report.missing(&block.place, "must have exactly one of path and error", remedy);
            return None;
        }
    };
    Some(Success { rule, on_error })
}

fn each(
    block: &At<RawEach>,
    feed: &RawFeed,
    partner: &PartnerId,
    report: &mut Report<'_>,
) -> Option<Each> {
    let raw = &block.value;
    if let Some(at) = feed.incremental.here() {
        let problem = "would pass over what new parents have had for long";
        report.wrong(&at.place, problem, "take it out: a feed with `each` is read whole");
    }
    if let Some(at) = feed.changed.here() {
        report.wrong(&at.place, "would pass over new parents", "take it out");
    }
    let (parent, column) = (raw.feed.here()?, raw.column.here()?);
    if feed.id.value().is_some_and(|id| id.0 == parent.value.0) {
        report.wrong(&parent.place, "is the feed itself", "name another feed of this partner");
        return None;
    }
    let holder = format!("{{{}}}", column.value);
    if let Some(path) = feed.path.here()
        && !path.value.contains(&holder)
    {
        let problem = format!("{} is not in path {}", quoted(&column.value), quoted(&path.value));
        report.wrong(&column.place, problem, format!("put {holder} into path where it belongs"));
    }
    let max = raw.max.or(PARENTS_MAX)?;
    let delete_by = match raw.gone.or(OnGone::Keep)? {
        OnGone::Delete => Some(goes_by(block, report)?),
        OnGone::Keep => {
            raw.by.refuse(report, "means nothing without gone = \"delete\"");
            None
        }
    };
    Some(Each {
        feed: FeedId::of(partner, &parent.value.0).ok()?,
        column: column.value.clone(),
        max,
        delete_by,
    })
}

/// The column by which records go with their parent.
fn goes_by(block: &At<RawEach>, report: &mut Report<'_>) -> Option<String> {
    if block.value.by.is_absent() {
        let remedy = "add the column of this feed that holds the other record's value";
        report.missing(&block.place.child("by"), "is missing", remedy);
    }
    block.value.by.value().cloned()
}

fn changed(raw: &RawChanged, feed: &RawFeed, report: &mut Report<'_>) -> Option<Changed> {
    let path = raw.path.here().filter(|at| is_path(at, report));
    let at = path::scalar(raw.at.here()?, feed, report);
    Some(Changed { path: path?.value.clone(), at: at? })
}

fn export(block: &At<RawExport>, feed: &RawFeed, report: &mut Report<'_>) -> Option<Export> {
    let raw = &block.value;
    if feed.fields.is_absent() {
        let remedy = "write the columns into `fields`";
        report.missing(&block.place, "needs to know the columns beforehand", remedy);
    }
    let places = [feed.pagination.here().map(|at| &at.place), feed.each.here().map(|at| &at.place)];
    for place in places.into_iter().flatten() {
        report.wrong(place, "means nothing to an export, which is one file", "take it out");
    }
    let to = |given: &Given<String>, default: &str, report: &mut Report<'_>| match given {
        Given::Absent => ScalarPath::parse(default).ok(),
        Given::Wrong => None,
        Given::Here(at) => path::scalar(at, feed, report),
    };
    let id = to(&raw.id, "$.id", report);
    let state = to(&raw.state, "$.state", report);
    let download = raw.download.here().and_then(|at| {
        if at.value.starts_with('/') {
            return is_path(at, report).then(|| Download::Path(at.value.clone()));
        }
        path::scalar(at, feed, report).map(Download::At)
    });
    let status = raw.status.here().filter(|at| is_path(at, report));
    let delete = match &raw.delete {
        Given::Absent => None,
        Given::Wrong => return None,
        Given::Here(at) => Some(is_path(at, report).then(|| at.value.clone())?),
    };
    let abort = match &raw.abort {
        Given::Absent => None,
        Given::Wrong => return None,
        Given::Here(at) => Some(abort(at, report)?),
    };
    let every = span(&raw.every, ASK_EVERY, report);
    let within = raw.within.or(Span(ASK_WITHIN));
    Some(Export {
        status: status?.value.clone(),
        id: id?,
        state: state?,
        done: raw.done.value()?.clone(),
        failed: raw.failed.or(Vec::new())?,
        download: download?,
        every: every?,
        within: within?.0,
        delete,
        abort,
    })
}

fn abort(at: &At<Or<String, RawAbort>>, report: &mut Report<'_>) -> Option<Abort> {
    let (method, path) = match &at.value {
        Or::Text(path) => {
            (AbortMethod::Delete, At { value: path.clone(), place: at.place.clone() })
        }
        Or::Other(raw) => {
            let at = raw.path.here()?;
            let path = At { value: at.value.clone(), place: at.place.clone() };
            (raw.method.or(AbortMethod::Delete)?, path)
        }
    };
    if !is_path(&path, report) {
        return None;
    }
    if !path.value.contains("{id}") {
        let problem = format!("{} does not say which export", quoted(&path.value));
        report.wrong(&path.place, problem, "put {id} where it belongs");
        return None;
    }
    Some(Abort { method, path: path.value })
}

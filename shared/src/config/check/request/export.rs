//! A partner that makes a file of the data first.

use std::time::Duration;

use url::Url;

use crate::{
    config::{
        check::{is_path, path, span},
        raw::{RawAbort, RawExport, RawFeed},
        source::{Report, quoted},
        table::{At, Given, Or},
        value::{BaseUrl, Span},
    },
    feed::ScalarPath,
    request::{Abort, AbortMethod, Download, Export},
};

/// How often an export is asked after, and how long at most, where nothing else is said.
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_WITHIN: Duration = Duration::from_hours(1);

/// Checks `export`.
pub(super) fn export(
    block: &At<RawExport>,
    feed: &RawFeed,
    report: &mut Report<'_>,
) -> Option<Export> {
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
        Given::Here(at) => path::of_answer(at, report),
    };
    let id = to(&raw.id, "$.id", report);
    let state = to(&raw.state, "$.state", report);
    let download = raw.download.here().and_then(|at| {
        if at.value.starts_with('/') {
            return is_path(at, report).then(|| Download::Path(at.value.clone()));
        }
        path::of_answer(at, report).map(Download::At)
    });
    let from = raw.from.checked(|at| from(at, raw, report));
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
        from: from.ok()?,
        every: every?,
        within: within?.0,
        delete,
        abort,
    })
}

/// The origin that the file comes from.
fn from(at: &At<BaseUrl>, raw: &RawExport, report: &mut Report<'_>) -> Option<Url> {
    let url = &at.value.0;
    let (problem, remedy) = if raw.download.here().is_some_and(|at| at.value.starts_with('/')) {
        let remedy = "write where the answer says its URL: download = \"$.url\"";
        ("means nothing to a file behind `base_url`".to_owned(), remedy)
    } else if url.path() != "/" {
        let problem = format!("{} is more than an origin", quoted(url.as_str()));
        (problem, "write what stands before the path")
    } else {
        return Some(url.clone());
    };
    report.wrong(&at.place, problem, remedy);
    None
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

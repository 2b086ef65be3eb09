//! How a feed is asked for over HTTP: what the request says, and what its answers mean.

use super::{Scope, incremental, is_path, paging, path, schedule};
use crate::{
    config::{
        raw::{RawChanged, RawFeed, RawSchedule, RawSuccess},
        source::Report,
        table::{At, Given},
        value::Pairs,
    },
    feed::{Mode, ScalarPath},
    id::PartnerId,
    request::{
        Body, Carrier, Changed, Method, OnError, OnStatus, Request, Says, Success, SuccessRule,
    },
    schedule::Schedule,
};

mod body;
mod each;
mod export;

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
    let success =
        raw.success.checked(|at| success(at, |at, report| path::scalar(at, raw, report), report));
    let each = raw.each.checked(|at| each::each(at, raw, partner, report));
    let export = raw.export.checked(|at| export::export(at, raw, report));
    let changed = raw.changed.checked(|at| changed(&at.value, report));
    if let (Some(at), Some(incremental)) = (raw.changed.here(), raw.incremental.here())
        && !incremental.value.until_param.is_absent()
    {
        // A stretch ends before the mark was asked for: what lies between the two would wait for the next change.
        let problem = "would pass over what came behind the end of a stretch (`until_param`)";
        report.wrong(&at.place, problem, "take one of the two out");
    }
    let schedule = match &raw.schedule {
        Given::Absent => Some(Schedule::Every { every: schedule::EVERY }),
        Given::Wrong => None,
        Given::Here(at) => schedule::schedule(at, scope, report),
    };
    let sweep = raw.sweep.checked(|at| sweep(at, raw, scope, report));
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
    if let Some(Says { body: Body::Json(json), .. }) = &says {
        body::has_room(json, raw, report);
    }
    // Its errors come with a good status, beside what there is of the data (GraphQL, October 2021, section 7.1).
    let of_graphql = || {
        let Some(Says { body: Body::Json(json), .. }) = &says else { return None };
        json.get("query").is_some_and(serde_json::Value::is_string).then(|| Success {
            rule: SuccessRule::NoError { path: ScalarPath::Plain(vec!["errors".to_owned()]) },
            empty: Vec::new(),
            on_error: OnError::Fail,
        })
    };
    let of_graphql = of_graphql();
    Some(Unaddressed(Request {
        path: String::new(),
        says: says?,
        pagination: pagination?,
        incremental: incremental.ok()?,
        success: success.ok()?.or(of_graphql),
        statuses,
        each: each.ok()?,
        export: export.ok()?,
        changed: changed.ok()?,
        schedule: schedule?,
        sweep: sweep.ok()?,
    }))
}

/// When all there is is read beside what changed: of a feed of which such a read is all there is.
fn sweep(
    at: &At<RawSchedule>,
    raw: &RawFeed,
    scope: &Scope<'_>,
    report: &mut Report<'_>,
) -> Option<Schedule> {
    let append = raw.mode.value().is_some_and(|mode| *mode == Mode::Append);
    let incremental = raw.incremental.here().map(|at| &at.value);
    let ends = incremental.is_some_and(|incremental| !incremental.until_param.is_absent());
    let begins = incremental.is_some_and(|incremental| !incremental.start.is_absent());
    let splits = incremental.is_some_and(|incremental| !incremental.split.is_absent());
    let problem = if raw.incremental.is_absent() {
        Some("means nothing without incremental: all of it is read each time")
    } else if append {
        Some("finds what is gone, and mode = \"append\" never takes a record back")
    } else if !raw.each.is_absent() {
        Some(
            "asks for one record after another (`each`), and what is lacked may be the other feed's",
        )
    } else if ends {
        Some("would take for gone what changed behind the end of a stretch (`until_param`)")
    } else if begins {
        Some("would take for gone what is older than `start`")
    } else if splits {
        Some("would take for gone what has no value by which the walk is split (`split`)")
    } else {
        None
    };
    if let Some(problem) = problem {
        report.wrong(&at.place, problem, "take it out");
        return None;
    }
    schedule::schedule(at, scope, report)
}

/// Refuses what means nothing to files.
pub(super) fn refuse_for_files(raw: &RawFeed, report: &mut Report<'_>) {
    let problem = "means nothing to files, which are taken when they come";
    raw.method.refuse(report, problem);
    raw.records_may_lack.refuse(report, problem);
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
    raw.sweep.refuse(report, problem);
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

/// What tells a good answer from an error, whose `path` is read as `parse` has it.
pub(super) fn success(
    block: &At<RawSuccess>,
    parse: impl Fn(&At<String>, &mut Report<'_>) -> Option<ScalarPath>,
    report: &mut Report<'_>,
) -> Option<Success> {
    let raw = &block.value;
    let on_error = raw.on_error.or(OnError::Fail)?;
    let rule = match (&raw.path, &raw.error) {
        (Given::Here(path), Given::Absent) => {
            if raw.equals.is_absent() {
                let remedy = "add what stands there in a good answer, such as [true]";
                report.missing(&block.place.child("equals"), "is missing", remedy);
            }
            raw.empty.refuse(report, "means nothing without error");
            let values = raw.equals.here()?.value.iter().map(|scalar| scalar.0.clone()).collect();
            SuccessRule::Equals { path: parse(path, report)?, values }
        }
        (Given::Absent, Given::Here(error)) => {
            raw.equals.refuse(report, "means nothing without path");
            SuccessRule::NoError { path: parse(error, report)? }
        }
        (Given::Wrong, _) | (_, Given::Wrong) => return None,
        _ => {
            let remedy =
                "write { path = \"$.success\", equals = [true] } or { error = \"$.error\" }";
            report.missing(&block.place, "must have exactly one of path and error", remedy);
            return None;
        }
    };
    Some(Success { rule, empty: raw.empty.or(Vec::new())?, on_error })
}

fn changed(raw: &RawChanged, report: &mut Report<'_>) -> Option<Changed> {
    let path = raw.path.here().filter(|at| is_path(at, report));
    let at = path::of_answer(raw.at.here()?, report);
    Some(Changed { path: path?.value.clone(), at: at? })
}

//! How only what changed is read: what the cursor is, and how it is written into a request.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{feed::is_a_field, path, request::Carriers, span};
use crate::{
    config::{
        raw::{RawFeed, RawIncremental},
        source::{Report, quoted},
        table::{At, Given, Reported},
        value::{BoundKind, ByKind, Order, Span},
    },
    feed::{Field, FieldType},
    request::{Bound, By, Carrier, Incremental, Join, Missing, Param, TimeFormat, Window, Writing},
};

/// How far a clock cursor goes back where nothing else is said: what was being written when it was read comes a little later.
const LATE: Duration = Duration::from_mins(1);

/// The smallest step of a partner's clock where nothing else is said.
const STEP: Duration = Duration::from_secs(1);
/// The smallest step of any clock that is told.
const LEAST: Duration = Duration::from_nanos(1);

/// Checks `incremental`.
pub(super) fn incremental(
    block: &At<RawIncremental>,
    feed: &RawFeed,
    carriers: Carriers,
    report: &mut Report<'_>,
) -> Option<Incremental> {
    let raw = &block.value;
    let kind = raw.by.or(ByKind::Field)?;
    refuse_others(raw, kind, report);
    let by = by(block, kind, feed, report);
    let carrier = carriers.carrier(&raw.place, report);
    let param = match (&raw.param, kind) {
        (Given::Here(at), _) => Some(Param { name: at.value.clone(), carrier: carrier? }),
        (Given::Absent, ByKind::Delta | ByKind::Here) => None,
        (Given::Absent, _) => {
            report.missing(&block.place.child("param"), "is missing", "add it to `incremental`");
            return None;
        }
        (Given::Wrong, _) => return None,
    };
    if raw.join.is_absent() && matches!(carrier, Some(Carrier::Query)) {
        stands_alone(raw, feed, report);
    }
    if param.is_some() {
        joins(raw, carrier, report);
    }
    let writing = writing(raw, report);
    let window = window(raw, report);
    if let Some(at) = raw.split.here()
        && at.value == 0
    {
        report.wrong(&at.place, "splits into nothing", "write the most records of one request");
    }
    Some(Incremental {
        by: by?,
        param,
        join: raw.join.value().copied(),
        writing: writing?,
        start: raw.start.value().cloned(),
        lookback: raw
            .lookback
            .or(Span(if kind == ByKind::Clock { LATE } else { Duration::ZERO }))?
            .0,
        window: window.ok()?,
        bound: match raw.bound.or(BoundKind::Inclusive)? {
            BoundKind::Inclusive => Bound::Inclusive,
            BoundKind::Exclusive => Bound::Exclusive(raw.granularity.or(Span(STEP))?.0.max(LEAST)),
        },
        split: raw.split.value().copied(),
        missing: raw.missing.or(Missing::Include)?,
    })
}

/// Refuses a `join` that would join nothing, or lose the condition that it is to join.
fn joins(raw: &RawIncremental, carrier: Option<Carrier>, report: &mut Report<'_>) {
    let Some(join) = raw.join.here() else { return };
    if carrier.is_some_and(|carrier| !matches!(carrier, Carrier::Query)) {
        let problem = "means nothing where the parameter does not stand in the query";
        report.wrong(&join.place, problem, "take it out");
    } else if join.value == Join::And && raw.value.is_absent() {
        let remedy = "add `value`, such as \"{field} >= {cursor}\", or write \"repeat\" if the partner takes both";
        report.wrong(
            &join.place,
            "makes one condition of two, and `value` does not say how ours is written",
            remedy,
        );
    }
}

/// Refuses parameters that the feed's path has already.
fn stands_alone(raw: &RawIncremental, feed: &RawFeed, report: &mut Report<'_>) {
    let path = feed.path.value().and_then(|path| path.split_once('?'));
    let Some((_, query)) = path else { return };
    for at in [&raw.param, &raw.until_param].into_iter().filter_map(Given::here) {
        if url::form_urlencoded::parse(query.as_bytes()).all(|(name, _)| name != at.value) {
            continue;
        }
        let problem =
            format!("{} stands in path as well, and would be said twice", quoted(&at.value));
        let remedy = if raw.value.is_absent() {
            "take it out there (`start` says where a first read begins), or add join = \"repeat\" if the partner takes both"
        } else {
            "add join = \"and\" to make one condition of both, or \"repeat\" if the partner takes both"
        };
        report.wrong(&at.place, problem, remedy);
    }
}

fn by(
    block: &At<RawIncremental>,
    kind: ByKind,
    feed: &RawFeed,
    report: &mut Report<'_>,
) -> Option<By> {
    let raw = &block.value;
    let mut need = |given: &Given<String>, key: &str| {
        if given.is_absent() {
            report.missing(&block.place.child(key), "is missing", "add it to `incremental`");
        }
        given.value().cloned()
    };
    Some(match kind {
        ByKind::Field => By::Field(need(&raw.field, "field")?),
        ByKind::Clock => By::Clock,
        ByKind::Token => {
            need(&raw.token, "token")?;
            By::Token(path::scalar(raw.token.here()?, feed, report)?)
        }
        ByKind::Delta => {
            need(&raw.delta, "delta")?;
            By::Delta(path::scalar(raw.delta.here()?, feed, report)?)
        }
        ByKind::Here => By::Here {
            field: need(&raw.field, "field")?,
            newest_first: raw.order.or(Order::Any)? == Order::NewestFirst,
        },
    })
}

fn writing(raw: &RawIncremental, report: &mut Report<'_>) -> Option<Writing> {
    let template = match &raw.value {
        Given::Absent => None,
        Given::Wrong => return None,
        Given::Here(at) if !at.value.contains("{cursor}") => {
            let problem = format!("{} does not hold the cursor", quoted(&at.value));
            report.wrong(&at.place, problem, "put {cursor} where it belongs");
            return None;
        }
        Given::Here(at) => Some(at.value.clone()),
    };
    let time = match &raw.format {
        Given::Absent => TimeFormat::Rfc3339,
        Given::Wrong => return None,
        Given::Here(at) => match at.value.as_str() {
            "unix" => TimeFormat::UnixSeconds,
            "unix_ms" => TimeFormat::UnixMillis,
            pattern => {
                let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
                if !pattern.contains('%') || jiff::fmt::strtime::format(pattern, &sample).is_err() {
                    let problem = format!("{} is no form of a time", quoted(pattern));
                    let remedy =
                        "write \"unix\", \"unix_ms\", or one such as \"%Y-%m-%dT%H:%M:%SZ\"";
                    report.wrong(&at.place, problem, remedy);
                    return None;
                }
                TimeFormat::Pattern(pattern.to_owned())
            }
        },
    };
    let zone = match &raw.zone {
        Given::Absent => TimeZone::UTC,
        Given::Wrong => return None,
        Given::Here(at) => at.value.0.clone(),
    };
    Some(Writing { template, time, zone })
}

fn window(raw: &RawIncremental, report: &mut Report<'_>) -> Result<Option<Window>, Reported> {
    if raw.until_param.is_absent() {
        let problem = "means nothing without until_param";
        raw.step.refuse(report, problem);
        raw.settle.refuse(report, problem);
        if raw.bound.value() != Some(&BoundKind::Exclusive) {
            raw.granularity.refuse(report, problem);
        }
    } else if let (Some(at), true) = (raw.step.here(), raw.start.is_absent()) {
        let remedy = "add start, the time from which there is data";
        report.missing(&at.place, "does not know where to begin", remedy);
    }
    let step = raw.step.checked(|_| span(&raw.step, Duration::ZERO, report))?;
    raw.until_param.checked(|until| {
        Some(Window {
            until: until.value.clone(),
            step,
            settle: raw.settle.or(Span(Duration::ZERO))?.0,
            granularity: raw.granularity.or(Span(Duration::ZERO))?.0,
        })
    })
}

/// The columns, of which the incremental field is required where its absence is to be raised.
pub(super) fn raises(
    feed: &RawFeed,
    fields: Option<Vec<Field>>,
    report: &mut Report<'_>,
) -> Option<Vec<Field>> {
    let incremental = feed.incremental.value();
    let Some((raw, at)) = incremental.and_then(|raw| Some((raw, raw.missing.here()?))) else {
        return fields;
    };
    if at.value == Missing::Raise && feed.fields.is_absent() {
        let problem = "needs to know the columns beforehand";
        report.wrong(&at.place, problem, "write the columns into `fields`");
        return None;
    }
    let mut fields = fields?;
    for field in &mut fields {
        field.required |= at.value == Missing::Raise && raw.field.value() == Some(&field.name);
    }
    Some(fields)
}

/// Refuses the keys that belong to another kind.
fn refuse_others(raw: &RawIncremental, kind: ByKind, report: &mut Report<'_>) {
    let problem = "does not belong to this kind of cursor";
    if !matches!(kind, ByKind::Field | ByKind::Here) {
        raw.field.refuse(report, problem);
        raw.missing.refuse(report, problem);
    }
    if kind != ByKind::Token {
        raw.token.refuse(report, problem);
    }
    if kind != ByKind::Delta {
        raw.delta.refuse(report, problem);
    }
    if kind != ByKind::Here {
        raw.order.refuse(report, problem);
    }
    if kind != ByKind::Field {
        raw.until_param.refuse(report, problem);
        raw.split.refuse(report, problem);
    }
    if !matches!(kind, ByKind::Field | ByKind::Clock) {
        raw.bound.refuse(report, problem);
    }
    if matches!(kind, ByKind::Delta | ByKind::Here) {
        raw.param.refuse(report, problem);
        raw.place.refuse(report, problem);
        raw.join.refuse(report, problem);
        raw.value.refuse(report, problem);
        raw.format.refuse(report, problem);
        raw.zone.refuse(report, problem);
    }
    if matches!(kind, ByKind::Token | ByKind::Delta) {
        raw.lookback.refuse(report, problem);
    }
    if kind == ByKind::Delta {
        raw.start.refuse(report, problem);
    }
}

/// Checks the incremental field against the columns: it must be one, and of a type that grows.
pub(super) fn fits(feed: &RawFeed, fields: Option<&[Field]>, report: &mut Report<'_>) {
    let Some(incremental) = feed.incremental.value() else { return };
    let Some(at) = incremental.field.here() else { return };
    is_a_field(&at.value, at, fields, report);
    let Some(field) = fields.and_then(|all| all.iter().find(|field| field.name == at.value)) else {
        return;
    };
    if matches!(
        field.kind,
        FieldType::Boolean
            | FieldType::Json
            | FieldType::EmiratesId
            | FieldType::Phone
            | FieldType::Enum
    ) {
        let problem = format!("{} of type {} has no greatest value", quoted(&at.value), field.kind);
        report.wrong(&at.place, problem, "name a timestamp or a number that grows");
    } else if field.kind != FieldType::Timestamp {
        if let (
            Some(at),
            FieldType::Text | FieldType::Decimal | FieldType::HijriDate | FieldType::Period,
        ) = (incremental.bound.here(), field.kind)
            && at.value == BoundKind::Exclusive
        {
            let problem =
                format!("{} of type {} has no step to go back by", quoted(&field.name), field.kind);
            report.wrong(
                &at.place,
                problem,
                "have the partner include the bound, or type the field as a time or a whole number",
            );
        }
        let problem = format!("is for times, and {} is none", quoted(&at.value));
        for given in [&incremental.lookback, &incremental.settle, &incremental.step] {
            if let Some(at) = given.here()
                && !at.value.0.is_zero()
            {
                report.wrong(&at.place, problem.clone(), "take it out");
            }
        }
        if let Some(at) = incremental.until_param.here() {
            report.wrong(&at.place, problem, "take it out");
        }
    }
}

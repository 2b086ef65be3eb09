//! What values of a column must be beyond their type: each rule belongs to the types that can keep it.

use std::collections::HashSet;

use jiff::tz::TimeZone;

use crate::{
    bound::{Bound, Pattern},
    config::{
        raw::{RawField, RawFieldTable},
        source::{Place, Report, quoted},
        table::{At, Given, Or},
        value::Edge,
    },
    feed::{Field, FieldType, Rules},
    phone::Region,
};

/// The most values of an `enum`: more are a table of their own.
const VALUES_MAX: usize = 1_000;

/// Checks the rules of a column of that type.
pub(super) fn rules(
    kind: FieldType,
    field: &At<RawField>,
    raw: &RawFieldTable,
    common: &[String],
    report: &mut Report<'_>,
) -> Option<Rules> {
    let region = if kind == FieldType::Phone {
        raw.region.checked(|at| region(at, report)).ok()?
    } else {
        raw.region.refuse(report, "means nothing to a type that is not phone");
        None
    };
    if kind != FieldType::HijriDate {
        raw.gregorian.refuse(report, "means nothing to a type that is not hijri_date");
    }
    let values = match &raw.values {
        Given::Absent => does_without_values(kind, &field.place, report).then(Vec::new)?,
        Given::Here(at) if kind == FieldType::Enum => values(at, report)?,
        given => {
            given.refuse(report, "means nothing to a type that is not enum");
            Vec::new()
        }
    };
    let (min, max) = bounds(kind, raw, report)?;
    let pattern = if kind == FieldType::Text {
        raw.pattern.checked(|at| pattern(at, report)).ok()?
    } else {
        raw.pattern.refuse(report, "means nothing to a type that is not text");
        None
    };
    let gregorian = raw.gregorian.value().cloned();
    // What it refers to is looked for once all files have been read.
    let references = None;
    let nothing = match &raw.nothing {
        Given::Absent => nothing_of(kind, common),
        Given::Wrong => return None,
        Given::Here(at) => nothing(at),
    };
    Some(Rules { region, values, nothing, gregorian, min, max, references, pattern })
}

/// What stands for nothing, without the white space around it, as it is compared.
pub(super) fn nothing(at: &At<Vec<String>>) -> Vec<String> {
    at.value.iter().map(|value| value.trim().to_owned()).collect()
}

/// What stands for nothing in a column of that type, of what does in all columns: yes and no are values of their own type.
pub(super) fn nothing_of(kind: FieldType, common: &[String]) -> Vec<String> {
    let means =
        |value: &&String| kind != FieldType::Boolean || !matches!(value.as_str(), "true" | "false");
    common.iter().filter(means).cloned().collect()
}

/// The bounds, as they are written.
fn bounds(
    kind: FieldType,
    raw: &RawFieldTable,
    report: &mut Report<'_>,
) -> Option<(Option<String>, Option<String>)> {
    if !Bound::is_for(kind) {
        for given in [&raw.min, &raw.max] {
            given.refuse(
                report,
                "means nothing to a type that is neither number, day, time nor period",
            );
        }
        return Some((None, None));
    }
    // A bound without a zone is of the field's; which it is changes nothing here.
    let mut read = |given: &Given<Edge>| {
        given.checked(|at| {
            let bound = Bound::of(kind, &at.value.0, &TimeZone::UTC);
            if bound.is_none() {
                let problem = format!("{} is no {kind}", quoted(&at.value.0));
                report.wrong(&at.place, problem, format!("write it as {}", example(kind)));
            }
            bound.map(|bound| (bound, at.value.0.clone()))
        })
    };
    let (min, max) = (read(&raw.min).ok()?, read(&raw.max).ok()?);
    if let (Some((min, _)), Some((max, text)), Some(at)) = (&min, &max, raw.max.here())
        && min.is_beyond(max)
    {
        let problem = format!("{} is less than min, so that nothing would be taken", quoted(text));
        report.wrong(&at.place, problem, "write a greater one");
    }
    Some((min.map(|(_, text)| text), max.map(|(_, text)| text)))
}

const fn example(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Integer => "0",
        FieldType::Decimal => "\"0.5\"",
        FieldType::HijriDate => "\"1447-09-01\"",
        FieldType::Timestamp => "2026-11-24T06:00:00Z",
        FieldType::Period => "\"2026-Q1\"",
        _ => "2026-11-24",
    }
}

fn pattern(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    match at.value.parse::<Pattern>() {
        Ok(_) => Some(at.value.clone()),
        Err(error) => {
            let problem = format!("{} {error}", quoted(&at.value));
            report.wrong(&at.place, problem, "write a regular expression, such as '[A-Z]{2}-\\d+'");
            None
        }
    }
}

/// Whether a column of that type does without `values`.
pub(super) fn does_without_values(kind: FieldType, place: &Place, report: &mut Report<'_>) -> bool {
    if kind == FieldType::Enum {
        let remedy = "write { type = \"enum\", values = [\"…\", \"…\"] }";
        report.missing(place, "does not say which values there are", remedy);
    }
    kind != FieldType::Enum
}

fn region(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    match at.value.parse::<Region>() {
        Ok(_) => Some(at.value.clone()),
        Err(error) => {
            let problem = format!("{} {error}", quoted(&at.value));
            report.wrong(&at.place, problem, "write its two letters, such as \"AE\"");
            None
        }
    }
}

/// The values without the white space around them, as they are compared.
fn values(at: &At<Vec<String>>, report: &mut Report<'_>) -> Option<Vec<String>> {
    let values: Vec<_> = at.value.iter().map(|value| value.trim().to_owned()).collect();
    let mut met = HashSet::new();
    let twice = values.iter().find(|value| !met.insert(value.as_str()));
    let (problem, remedy) = if values.is_empty() {
        ("names no value".to_owned(), "name all that may stand there")
    } else if values.len() > VALUES_MAX {
        let problem = format!("names {} values, and {VALUES_MAX} are read", values.len());
        (problem, "type the field \"text\"")
    } else if values.iter().any(String::is_empty) {
        let remedy = "take it out: where nothing stands, nothing is compared";
        ("names an empty value".to_owned(), remedy)
    } else if let Some(twice) = twice {
        (format!("names {} twice", quoted(twice)), "name it once")
    } else {
        return Some(values);
    };
    report.wrong(&at.place, problem, remedy);
    None
}

/// Checks the columns that name one another.
pub(super) fn fit_together(
    written: &[(String, At<RawField>)],
    fields: &[Field],
    report: &mut Report<'_>,
) {
    for (_, at) in written {
        let Or::Other(raw) = &at.value else { continue };
        let hijri = raw.r#type.value() == Some(&FieldType::HijriDate);
        let Some(at) = raw.gregorian.here().filter(|_| hijri) else { continue };
        let other = fields.iter().find(|field| field.name == at.value);
        if other.is_none_or(|field| field.kind != FieldType::Date) {
            let problem = format!("{} is no field of type date", quoted(&at.value));
            report.wrong(&at.place, problem, "name the field that has the same day as a date");
        }
    }
}

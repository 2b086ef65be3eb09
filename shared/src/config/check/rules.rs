//! What values of a column must be beyond their type: each rule belongs to the types that can keep it.

use std::collections::HashSet;

use crate::{
    config::{
        raw::{RawField, RawFieldTable},
        source::{Place, Report, quoted},
        table::{At, Given, Or},
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
    Some(Rules { region, values, gregorian: raw.gregorian.value().cloned() })
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

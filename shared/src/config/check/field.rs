//! The columns of a feed: names that the bank can hold, and types with only what they need.

use std::collections::HashSet;

use jiff::{ZonedDateTime, civil::date, fmt::strtime};

use super::{
    records::{Places, stands},
    rules,
};
use crate::{
    config::{
        raw::{Fields, RawFeed, RawField, RawFieldTable},
        source::{Place, Report, quoted},
        table::{At, Given, Or},
    },
    feed::{COLUMNS_MAX, Field, FieldType, Rules},
    hijri::{HijriFormat, NoFormat},
};

/// The longest name of a column, in bytes.
const NAME_MAX: usize = 200;

/// Checks the columns.
pub(super) fn fields(
    at: &At<Fields>,
    feed: &RawFeed,
    report: &mut Report<'_>,
) -> Option<Vec<Field>> {
    let fields = &at.value.0;
    if fields.is_empty() {
        report.wrong(&at.place, "names no field", "name the columns, or take it out");
    }
    if fields.len() > COLUMNS_MAX {
        let problem = format!("has {} fields, and a table holds {COLUMNS_MAX}", fields.len());
        report.wrong(&at.place, problem, "leave out what nobody needs");
    }
    let places = Places::of(feed);
    let nothing = match &feed.nothing {
        Given::Absent => Vec::new(),
        Given::Wrong => return None,
        Given::Here(at) => rules::nothing(at),
    };
    let mut met = HashSet::new();
    let checked: Vec<_> = fields
        .iter()
        .map(|(name, at)| {
            column(name, &at.place, &mut met, report);
            field(name, at, places, &nothing, report)
        })
        .collect();
    let checked: Vec<Field> = checked.into_iter().collect::<Option<_>>()?;
    rules::fit_together(fields, &checked, report);
    Some(checked)
}

/// Whether the bank can have a column of that name.
fn column(name: &str, place: &Place, met: &mut HashSet<String>, report: &mut Report<'_>) {
    let folded = name.to_lowercase();
    let remedy = "give the field another name, and this one as its `from`";
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        report.wrong(place, format!("{} is no name for a column", quoted(name)), remedy);
    } else if name.len() > NAME_MAX {
        report.wrong(place, format!("is longer than {NAME_MAX} bytes"), remedy);
    } else if name.starts_with('_') || folded == "rowid" || folded == "oid" {
        let problem = format!("{} is a name that the bank keeps for itself", quoted(name));
        report.wrong(place, problem, remedy);
    }
    if !met.insert(folded) {
        let problem = format!("{} differs from another field by case alone", quoted(name));
        report.wrong(place, problem, remedy);
    }
}

fn field(
    name: &str,
    at: &At<RawField>,
    places: Places,
    nothing: &[String],
    report: &mut Report<'_>,
) -> Option<Field> {
    let raw = match &at.value {
        Or::Text(kind) => {
            let stands = stands(name, places, at, report);
            let whole = rules::does_without_values(*kind, &at.place, report);
            let rules = Rules { nothing: rules::nothing_of(*kind, nothing), ..Rules::default() };
            return (stands && whole).then(|| Field { rules, ..Field::new(name, *kind) });
        }
        Or::Other(raw) => raw,
    };
    let kind = *raw.r#type.value()?;
    let from = match &raw.from {
        Given::Absent => stands(name, places, at, report).then(|| vec![name.to_owned()]),
        Given::Wrong => None,
        Given::Here(at) => from(at, places, report),
    };
    let days = matches!(kind, FieldType::Date | FieldType::HijriDate | FieldType::Timestamp);
    if !days {
        raw.format.refuse(report, "means nothing to a type that is neither date nor timestamp");
    }
    if kind != FieldType::Timestamp {
        raw.zone.refuse(report, "means nothing to a type that is not timestamp");
    }
    let format = raw.format.here().filter(|at| !days || writes_days(kind, at, report));
    let rules = rules::rules(kind, at, raw, nothing, report);
    Some(Field {
        name: name.to_owned(),
        kind,
        from: from?,
        required: raw.required.or(false)?,
        sensitive: raw.sensitive.or(false)?,
        format: format.map(|at| at.value.clone()),
        zone: zone(raw),
        rules: rules?,
    })
}

fn zone(raw: &RawFieldTable) -> Option<String> {
    raw.zone.value().map(|zone| zone.1.clone())
}

fn from(
    at: &At<Or<String, Vec<String>>>,
    places: Places,
    report: &mut Report<'_>,
) -> Option<Vec<String>> {
    let names = match &at.value {
        Or::Text(name) => vec![name.clone()],
        Or::Other(names) => names.clone(),
    };
    if names.is_empty() {
        report.wrong(&at.place, "names nothing", "name where the field stands, or take it out");
        return None;
    }
    names.iter().all(|name| stands(name, places, at, report)).then_some(names)
}

/// Whether days or times can be read with that format.
fn writes_days(kind: FieldType, at: &At<String>, report: &mut Report<'_>) -> bool {
    if kind == FieldType::HijriDate {
        let format = at.value.parse::<HijriFormat>();
        if let Err(NoFormat) = format {
            let problem = format!("{} {NoFormat}", quoted(&at.value));
            let remedy = "write it with %Y, %m and %d, such as \"%d/%m/%Y\"";
            report.wrong(&at.place, problem, remedy);
        }
        return format.is_ok();
    }
    writes_times(kind, at, report)
}

/// Whether times can be read with that format: what it writes of a sample must come back.
fn writes_times(kind: FieldType, at: &At<String>, report: &mut Report<'_>) -> bool {
    if kind == FieldType::Timestamp && matches!(at.value.as_str(), "unix" | "unix_ms") {
        return true;
    }
    let sample = date(2026, 11, 24).at(13, 5, 9, 0).in_tz("Asia/Dubai");
    let sample: ZonedDateTime = sample.expect("the zones are built in, and Dubai has no gaps");
    let read = strtime::format(&at.value, &sample).and_then(|text| {
        let parsed = strtime::parse(&at.value, text)?;
        // A timestamp may also be written as the seconds of an epoch.
        match parsed.to_timestamp() {
            Ok(instant) if kind == FieldType::Timestamp => {
                Ok(sample.time_zone().to_datetime(instant).date())
            }
            _ => parsed.to_date(),
        }
    });
    // It is read back at one in the afternoon, or was written as another hour.
    let hour = || strtime::parse(&at.value, strtime::format(&at.value, &sample).ok()?).ok()?.hour();
    if kind == FieldType::Timestamp && hour().is_some_and(|hour| hour != sample.hour()) {
        let problem = format!("{} does not say which half of the day", quoted(&at.value));
        report.wrong(&at.place, problem, "write %H for hours up to 23, or %p behind %I");
        return false;
    }
    if read.is_ok_and(|day| day == sample.date()) {
        return true;
    }
    let example = if kind == FieldType::Date { "%d/%m/%Y" } else { "%d/%m/%Y %H:%M:%S" };
    let problem = format!("{} does not say which day", quoted(&at.value));
    report.wrong(&at.place, problem, format!("write it as in strftime, such as \"{example}\""));
    false
}

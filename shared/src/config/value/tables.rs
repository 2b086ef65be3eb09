//! Values that are tables with names of their own, and what stands in them.

use super::{
    Cow, DeValue, JsonSchema, Place, Report, Schema, SchemaGenerator, Spanned, Value, json_schema,
    quoted, wrong_type,
};
use crate::{
    brake::Share,
    config::table::{At, Keys},
    request::OnStatus,
};

/// A value as JSON writes it, text without its quotes.
#[derive(Clone, Debug)]
pub(in crate::config) struct Scalar(pub String);

impl Value for Scalar {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Self(text.to_string())),
            DeValue::Boolean(is) => Some(Self(is.to_string())),
            DeValue::Integer(number) => Some(Self(number.to_string())),
            _ => {
                wrong_type(value, place, "text, a whole number, true or false", "\"ok\"", report);
                None
            }
        }
    }
}
schema!(Scalar, { "type": ["string", "integer", "boolean"] });

/// A share, as a number from 0 to 1.
impl Value for Share {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let written = match value.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) => number.as_str(),
            _ => {
                wrong_type(value, place, "a share", "a number from 0 to 1, such as 0.2", report);
                return None;
            }
        };
        let share = written.parse().ok().and_then(Self::of);
        if share.is_none() {
            let problem = format!("{} is not a share", quoted(written));
            report.wrong(place, problem, "write a number from 0 to 1, such as 0.2 for a fifth");
        }
        share
    }
}
schema!(Share, { "type": "number", "minimum": 0, "maximum": 1 });

/// A number, a day or a time, as it is written: a number with a fraction has not been a float in between.
#[derive(Clone, Debug)]
pub(in crate::config) struct Edge(pub String);

impl Value for Edge {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Self(text.to_string())),
            DeValue::Integer(number) => Some(Self(number.to_string())),
            DeValue::Float(number) => Some(Self(number.as_str().to_owned())),
            DeValue::Datetime(at) => Some(Self(at.to_string())),
            _ => {
                wrong_type(
                    value,
                    place,
                    "a number, a day or a time",
                    "0, \"0.5\" or 2026-01-01",
                    report,
                );
                None
            }
        }
    }
}
schema!(Edge, { "type": ["string", "number"] });

/// Names with a text each, in the order of writing.
#[derive(Debug, Default)]
pub(in crate::config) struct Pairs(pub Vec<(String, At<String>)>);

impl Value for Pairs {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        pairs(value, place, "{ name = \"value\" }", report).map(Self)
    }
}
schema!(Pairs, { "type": "object", "additionalProperties": { "type": "string" } });

/// The statuses that may mean that there are no records.
const EMPTY: [u16; 5] = [400, 403, 404, 410, 422];
/// The statuses that may mean that a cursor is too old: they speak of what was asked for.
const GONE: [u16; 6] = [400, 404, 409, 410, 416, 422];

/// What statuses mean.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Statuses(pub Vec<(u16, OnStatus)>);

impl Value for Statuses {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let pairs: Vec<(String, At<OnStatus>)> =
            pairs(value, place, "{ 404 = \"empty\" }", report)?;
        let each = pairs.into_iter().map(|(name, meaning)| {
            let status = name.parse().ok().filter(|status| (400..600).contains(status));
            if status.is_none() {
                let problem = format!("{} is not the status of an error", quoted(&name));
                report.wrong(&meaning.place, problem, "write one from 400 to 599");
            }
            let (may, what) = match meaning.value {
                OnStatus::Empty => (&EMPTY[..], "there is nothing"),
                OnStatus::Gone => (&GONE[..], "our cursor is too old"),
                OnStatus::Retry | OnStatus::Fail => (&[][..], ""),
            };
            if !what.is_empty() && !may.contains(&status?) {
                let problem =
                    format!("{name} says that the partner fails or refuses us, not that {what}");
                report.wrong(&meaning.place, problem, "use \"retry\" or \"fail\", or take it out");
            }
            Some((status?, meaning.value))
        });
        each.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Self)
    }
}
schema!(Statuses, {
    "type": "object",
    "patternProperties": { "^[45][0-9][0-9]$": { "enum": ["empty", "gone", "retry", "fail"] } },
    "additionalProperties": false
});

/// The members of a table, each read on its own.
fn pairs<T: Value>(
    value: &Spanned<DeValue<'_>>,
    place: &Place,
    example: &str,
    report: &mut Report<'_>,
) -> Option<Vec<(String, At<T>)>> {
    let keys = Keys::of(value, place, example, report)?;
    let read: Vec<_> = keys
        .all()
        .into_iter()
        .map(|(name, at, value)| {
            let place = place.child(name).at(at);
            T::read(value, &place, report).map(|value| (name.to_owned(), At { value, place }))
        })
        .collect();
    read.into_iter().collect()
}

/// Any table, as the JSON that it stands for.
#[derive(Clone, Debug)]
pub(in crate::config) struct Json(pub serde_json::Value);

impl Value for Json {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            wrong_type(value, place, "a table", "{ query = \"…\" }", report);
            return None;
        }
        let json = json_of(value.get_ref());
        if json.is_none() {
            let remedy = "write text, numbers, true, false, lists and tables";
            report.wrong(place, "holds a value that JSON has not", remedy);
        }
        json.map(Self)
    }
}
schema!(Json, { "type": "object" });

/// What a TOML value is in JSON; `None` for what JSON has not, or not so large.
fn json_of(value: &DeValue<'_>) -> Option<serde_json::Value> {
    Some(match value {
        DeValue::String(text) => serde_json::Value::String(text.to_string()),
        DeValue::Boolean(is) => serde_json::Value::Bool(*is),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok()?.into()
        }
        DeValue::Float(number) => {
            let number = serde_json::Number::from_f64(number.as_str().parse().ok()?)?;
            serde_json::Value::Number(number)
        }
        DeValue::Datetime(at) => serde_json::Value::String(at.to_string()),
        DeValue::Array(list) => {
            list.iter().map(|value| json_of(value.get_ref())).collect::<Option<Vec<_>>>()?.into()
        }
        DeValue::Table(table) => {
            let members = table
                .iter()
                .map(|(name, value)| Some((name.get_ref().to_string(), json_of(value.get_ref())?)));
            serde_json::Value::Object(members.collect::<Option<_>>()?)
        }
    })
}

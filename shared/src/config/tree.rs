//! A document inside the configuration, such as the body of a request: TOML that becomes JSON, with secrets in it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Number, Value as Json};
use toml::{Spanned, de::DeValue};

use super::{
    raw::RawSecret,
    source::{Place, Report},
    table::{At, Keys, Value, wrong_type},
};

/// How deep a document may be: requests are shallow.
const DEPTH_MAX: usize = 16;

/// A table whose values are text, numbers, true or false, lists, tables, and secrets: a table with nothing but `file`,
/// `env` or `credential` in it.
#[derive(Debug)]
pub(super) struct Tree {
    /// With null where a secret belongs.
    pub json: Map<String, Json>,
    /// The secrets, each with its JSON pointer.
    pub secrets: Vec<(String, At<RawSecret>)>,
}

impl Value for Tree {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let keys = Keys::of(value, place, "{ user = \"…\" }", report)?;
        let mut secrets = Vec::new();
        let mut reading = Reading { report, secrets: &mut secrets };
        let json = reading.table(&keys, place, "", 0)?;
        Some(Self { json, secrets })
    }
}

struct Reading<'a, 's> {
    report: &'a mut Report<'s>,
    secrets: &'a mut Vec<(String, At<RawSecret>)>,
}

impl Reading<'_, '_> {
    fn table(
        &mut self,
        keys: &Keys<'_, '_>,
        place: &Place,
        pointer: &str,
        depth: usize,
    ) -> Option<Map<String, Json>> {
        // All are read, so that the mistakes of all are reported.
        let read: Vec<_> = keys
            .all()
            .into_iter()
            .map(|(name, at, value)| {
                let place = place.child(name).at(at);
                let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                Some((name.to_owned(), self.value(value, &place, &pointer, depth)?))
            })
            .collect();
        read.into_iter().collect()
    }

    fn value(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        pointer: &str,
        depth: usize,
    ) -> Option<Json> {
        if depth >= DEPTH_MAX {
            self.report.wrong(place, "is nested too deeply", "write it flatter");
            return None;
        }
        match value.get_ref() {
            DeValue::String(text) => Some(Json::from(text.as_ref())),
            DeValue::Boolean(is) => Some(Json::from(*is)),
            DeValue::Integer(_) => whole(value).map(Json::from),
            DeValue::Float(float) => {
                float.as_str().parse().ok().and_then(Number::from_f64).map(Json::Number)
            }
            DeValue::Datetime(_) => {
                wrong_type(
                    value,
                    place,
                    "text",
                    "text in quotes, as the partner wants it",
                    self.report,
                );
                return None;
            }
            DeValue::Array(list) => {
                let read: Vec<_> = list
                    .iter()
                    .enumerate()
                    .map(|(at, value)| {
                        let place = Place {
                            key: format!("{}[{}]", place.key, at + 1),
                            at: value.span().start,
                        };
                        self.value(value, &place, &format!("{pointer}/{at}"), depth + 1)
                    })
                    .collect();
                return read.into_iter().collect::<Option<Vec<_>>>().map(Json::Array);
            }
            DeValue::Table(_) => {
                let keys = Keys::of(value, place, "a table", self.report)?;
                if is_secret(&keys) {
                    let secret = RawSecret::read(value, place, self.report)?;
                    let at = At { value: secret, place: place.clone() };
                    self.secrets.push((pointer.to_owned(), at));
                    return Some(Json::Null);
                }
                return self.table(&keys, place, pointer, depth + 1).map(Json::Object);
            }
        }
        .or_else(|| {
            self.report.wrong(place, "is a number that JSON cannot hold", "write it as text");
            None
        })
    }
}

/// Whether a table says where a secret is.
fn is_secret(keys: &Keys<'_, '_>) -> bool {
    let [(name, _, value)] = keys.all()[..] else { return false };
    matches!(name, "file" | "env" | "credential") && value.get_ref().is_str()
}

fn whole(value: &Spanned<DeValue<'_>>) -> Option<i64> {
    let integer = value.get_ref().as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

impl JsonSchema for Tree {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

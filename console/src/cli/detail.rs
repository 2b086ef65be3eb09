//! One row, whole: a line for each of its keys, in their order.

use std::fmt;

use jiff::Timestamp;
use marsad_shared::untrusted::show;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{
    shown::plain,
    when::{Look, count, size, span},
};

/// A JSON object whose keys keep their order.
struct Ordered(Vec<(String, Value)>);

/// All of a row as text. Times become local, spans and sizes short; what is not there is `-`.
pub(super) fn text(row: &impl Serialize, look: &Look) -> serde_json::Result<String> {
    let Ordered(pairs) = serde_json::from_str(&serde_json::to_string(row)?)?;
    let mut lines = Vec::new();
    block(&pairs, 0, look, &mut lines);
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn block(pairs: &[(String, Value)], indent: usize, look: &Look, lines: &mut Vec<String>) {
    let width = pairs.iter().map(|(key, _)| label(key).chars().count()).max().unwrap_or_default();
    let margin = " ".repeat(indent);
    for (key, value) in pairs {
        let label = show(&label(key)).into_owned();
        match value {
            Value::Object(map) if !map.is_empty() => {
                lines.push(format!("{margin}{label}"));
                block(&ordered(map), indent + 2, look, lines);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (at, item) in items.iter().filter_map(Value::as_object).enumerate() {
                    lines.push(format!("{margin}{label} {}", at + 1));
                    block(&ordered(item), indent + 2, look, lines);
                }
            }
            _ => {
                let said = said(key, value, look);
                lines.push(format!("{margin}{label:<width$}  {}", show(&said)));
            }
        }
    }
}

fn ordered(map: &Map<String, Value>) -> Vec<(String, Value)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// A key as a person reads it: `since_at` is `since`.
fn label(key: &str) -> String {
    key.strip_suffix("_at").or_else(|| key.strip_suffix("_s")).unwrap_or(key).replace('_', " ")
}

fn said(key: &str, value: &Value, look: &Look) -> String {
    match value {
        Value::String(text) if key.ends_with("_at") || key == "at" => {
            text.parse::<Timestamp>().map_or_else(|_| text.clone(), |at| look.long(at))
        }
        Value::Number(number) if key == CLOCK_OFFSET => match number.as_i64() {
            Some(0) | None => "as ours".to_owned(),
            Some(ahead @ 1..) => format!("{} ahead of ours", span(ahead.unsigned_abs())),
            Some(behind) => format!("{} behind ours", span(behind.unsigned_abs())),
        },
        Value::Number(number) => match number.as_u64() {
            Some(n) if key.ends_with("_s") => span(n),
            Some(n) if key == "bytes" => size(n),
            Some(n) if is_count(key) => count(n),
            _ => number.to_string(),
        },
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Object(_) => "-".to_owned(),
        other => plain(other),
    }
}

/// How far another clock is from ours: which way matters as much as how far.
const CLOCK_OFFSET: &str = "clock_offset_s";

/// Whether the key counts rows; a number inside a partner's data is left as it came.
fn is_count(key: &str) -> bool {
    matches!(
        key,
        "rows"
            | "pages"
            | "received"
            | "inserted"
            | "updated"
            | "unchanged"
            | "duplicate"
            | "deleted"
            | "quarantined"
            | "filtered"
            | "quarantine"
            | "feeds"
            | "fails"
            | "attempts"
            | "entries"
            | "limit"
            | "spent"
            | "left"
    )
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Ordered(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_clock_is_ahead_or_behind() {
        let look =
            Look { now: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC, colour: false, width: None };
        for (offset, expected) in
            [(0, "as ours"), (90, "1m ahead of ours"), (-7_200, "2h behind ours")]
        {
            let row = serde_json::json!({ "clock_offset_s": offset });
            let text = text(&row, &look).unwrap();
            assert_eq!(text, format!("clock offset  {expected}\n"));
        }
    }
}

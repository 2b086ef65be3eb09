//! The cursor of an incremental feed: the greatest value of its field, compared as what it is.

use jiff::Timestamp;
use marsad_shared::{
    feed::{FieldType, Incremental},
    record::{Batch, Layout, Value},
};

/// How the cursor of a feed is found and asked with.
#[derive(Clone, Debug)]
pub struct CursorRule {
    column: usize,
    kind: FieldType,
    incremental: Incremental,
}

impl CursorRule {
    /// The rule of an incremental feed; `None` if the layout lacks its field.
    pub fn of(incremental: &Incremental, layout: &Layout) -> Option<Self> {
        let column = layout.position(&incremental.field)?;
        let kind = layout.fields.get(column)?.kind;
        Some(Self { column, kind, incremental: incremental.clone() })
    }

    /// The greater of `best` and the greatest value in `batch`.
    pub fn best(&self, best: Option<String>, batch: &Batch) -> Option<String> {
        (0..batch.len()).fold(best, |best, row| match batch.at(row, self.column) {
            Value::Null => best,
            Value::Integer(number) => self.greater(best, &number.to_string()),
            Value::Text(text) => self.greater(best, text),
        })
    }

    fn greater(&self, best: Option<String>, value: &str) -> Option<String> {
        let keep = best.as_deref().is_some_and(|best| match self.kind {
            FieldType::Integer => best.parse::<i64>().ok() >= value.parse::<i64>().ok(),
            FieldType::Timestamp => {
                best.parse::<Timestamp>().ok() >= value.parse::<Timestamp>().ok()
            }
            FieldType::Decimal => {
                best.parse::<f64>().unwrap_or(f64::MIN) >= value.parse::<f64>().unwrap_or(f64::MIN)
            }
            _ => best >= value,
        });
        if keep { best } else { Some(value.to_owned()) }
    }

    /// Where the cursor stands after a whole walk: never behind where it was, and never in the future, or rows that
    /// are written meanwhile would be passed over (sources.md row 24).
    pub fn moved(
        &self,
        since: Option<&str>,
        best: Option<String>,
        started_at: Timestamp,
    ) -> Option<String> {
        let best = match since {
            Some(since) => self.greater(best, since),
            None => best,
        }?;
        if self.kind != FieldType::Timestamp {
            return Some(best);
        }
        let at: Timestamp = best.parse().ok()?;
        Some(if at > started_at { started_at.to_string() } else { best })
    }

    /// What is asked for, given the cursor: so far behind it as `lookback` says.
    pub fn since(&self, cursor: &str) -> String {
        if self.kind == FieldType::Timestamp {
            behind(cursor, self.incremental.lookback)
        } else {
            cursor.to_owned()
        }
    }

    /// The newest time in the data, if the field is one.
    pub fn event_at(&self, best: Option<&str>) -> Option<Timestamp> {
        if self.kind == FieldType::Timestamp { best?.parse().ok() } else { None }
    }
}

/// A time so far behind `cursor`; the same where it is none.
pub fn behind(cursor: &str, lookback: std::time::Duration) -> String {
    if lookback.is_zero() {
        return cursor.to_owned();
    }
    let back = cursor.parse::<Timestamp>().ok().and_then(|at| at.checked_sub(lookback).ok());
    back.map_or_else(|| cursor.to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use marsad_shared::feed::Field;

    fn rule(kind: FieldType, lookback: u64) -> CursorRule {
        let incremental = Incremental {
            field: "at".to_owned(),
            param: "since".to_owned(),
            lookback: Duration::from_secs(lookback),
        };
        let layout = Layout::new(vec![Field::new("at", kind)], &["at".to_owned()]).unwrap();
        CursorRule::of(&incremental, &layout).unwrap()
    }

    #[test]
    fn values_are_compared_as_what_they_are() {
        for (kind, values, expected) in [
            (
                FieldType::Timestamp,
                ["2026-11-24T10:00:05.5Z", "2026-11-24T10:00:05Z"],
                "2026-11-24T10:00:05.5Z",
            ),
            (FieldType::Integer, ["9", "10"], "10"),
            (FieldType::Text, ["b", "a"], "b"),
        ] {
            let rule = rule(kind, 0);
            let best = values.iter().fold(None, |best, value| rule.greater(best, value));
            assert_eq!(best.as_deref(), Some(expected));
        }
    }

    #[test]
    fn the_cursor_moves_neither_back_nor_into_the_future() {
        let rule = rule(FieldType::Timestamp, 600);
        let noon: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let moved = |since: Option<&str>, best: Option<&str>| {
            rule.moved(since, best.map(str::to_owned), noon)
        };
        assert_eq!(
            moved(Some("2026-11-24T11:00:00Z"), Some("2026-11-24T10:55:00Z")).as_deref(),
            Some("2026-11-24T11:00:00Z")
        );
        assert_eq!(
            moved(Some("2026-11-24T11:00:00Z"), None).as_deref(),
            Some("2026-11-24T11:00:00Z")
        );
        assert_eq!(
            moved(None, Some("2027-01-01T00:00:00Z")).as_deref(),
            Some("2026-11-24T12:00:00Z")
        );
        assert_eq!(rule.since("2026-11-24T11:00:00Z"), "2026-11-24T10:50:00Z");
    }
}

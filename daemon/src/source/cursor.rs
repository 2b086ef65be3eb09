//! The cursor of an incremental feed: the greatest value of its field, compared as what it is.

use std::cmp::Ordering;

use jiff::Timestamp;
use marsad_shared::{
    feed::FieldType,
    order,
    record::{Batch, Layout, Value},
    request::{By, Incremental, Missing},
};

/// How the cursor of a feed is found and asked with.
#[derive(Clone, Debug)]
pub struct CursorRule {
    column: usize,
    kind: FieldType,
    incremental: Incremental,
}

impl CursorRule {
    /// The rule of an incremental feed; `None` if its cursor is no column, or the layout lacks it.
    pub fn of(incremental: &Incremental, layout: &Layout) -> Option<Self> {
        let column = layout.position(incremental.by.field()?)?;
        let kind = layout.fields.get(column)?.kind;
        Some(Self { column, kind, incremental: incremental.clone() })
    }

    /// The greater of `best` and the greatest value in `batch`.
    pub fn best(&self, best: Option<String>, batch: &Batch) -> Option<String> {
        let rows = (0..batch.len()).filter(|row| batch.at(*row, self.column) != Value::Null);
        let row = rows.reduce(|best, row| self.later(batch, best, row, Ordering::Greater));
        let found = row.and_then(|row| self.value(batch, row));
        match (best, found) {
            (Some(best), Some(found)) if self.compare(&best, &found).is_lt() => Some(found),
            (best, found) => best.or(found),
        }
    }

    /// The smallest value in `batch`.
    pub fn least(&self, batch: &Batch) -> Option<String> {
        let rows = (0..batch.len()).filter(|row| batch.at(*row, self.column) != Value::Null);
        let row = rows.reduce(|least, row| self.later(batch, least, row, Ordering::Less))?;
        self.value(batch, row)
    }

    /// Of two rows the one whose value stands as `wanted` to the other's; the first where they are equal.
    fn later(&self, batch: &Batch, one: usize, other: usize, wanted: Ordering) -> usize {
        let order = match (batch.at(other, self.column), batch.at(one, self.column)) {
            (Value::Integer(other), Value::Integer(one)) => other.cmp(&one),
            (Value::Text(other), Value::Text(one)) if other == one => Ordering::Equal,
            (Value::Text(other), Value::Text(one)) => self.compare(other, one),
            _ => Ordering::Equal,
        };
        if order == wanted { other } else { one }
    }

    fn value(&self, batch: &Batch, row: usize) -> Option<String> {
        match batch.at(row, self.column) {
            Value::Null => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.to_owned()),
        }
    }

    /// How two values of the field stand to each other.
    pub fn compare(&self, one: &str, other: &str) -> Ordering {
        order::of(self.kind, one, other)
    }

    /// Whether a row is passed over: it is not newer than `since`, of a partner that cannot filter, or it has no value
    /// and the feed leaves such rows out. What stands exactly at `since` is taken: others may share it. A deletion needs no
    /// value.
    pub fn passes_over(&self, batch: &Batch, row: usize, since: Option<&str>) -> bool {
        let here = matches!(self.incremental.by, By::Here { .. });
        if batch.is_gone(row) {
            // A flag may have been set without another time.
            return false;
        }
        match (self.value(batch, row), since) {
            (None, _) => self.incremental.missing == Missing::Exclude,
            (Some(value), Some(since)) => here && self.compare(&value, since) == Ordering::Less,
            (Some(_), None) => false,
        }
    }

    /// Whether a row has a value, and one before `since`.
    pub fn is_before(&self, batch: &Batch, row: usize, since: &str) -> bool {
        self.value(batch, row).is_some_and(|value| self.compare(&value, since) == Ordering::Less)
    }

    /// How many rows of `batch` have no value, deletions apart, which need none.
    pub fn without_value(&self, batch: &Batch) -> u64 {
        let without =
            |row: &usize| !batch.is_gone(*row) && batch.at(*row, self.column) == Value::Null;
        (0..batch.len()).filter(without).count() as u64
    }

    /// Whether any row could be passed over.
    pub fn filters(&self) -> bool {
        matches!(self.incremental.by, By::Here { .. })
            || self.incremental.missing == Missing::Exclude
    }

    /// Where the cursor stands after a whole walk: never behind where it was, and a time never past `began_at` at the partner,
    /// or rows that are written meanwhile would be passed over (sources.md row 24). Numbers and texts have no such end.
    pub fn moved(
        &self,
        since: Option<&str>,
        best: Option<String>,
        began_at: Timestamp,
    ) -> Option<String> {
        let best = match (since, best) {
            (Some(since), Some(best)) if self.compare(&best, since) == Ordering::Less => {
                since.to_owned()
            }
            (_, Some(best)) => best,
            (since, None) => since?.to_owned(),
        };
        let latest = match self.kind {
            FieldType::Timestamp => began_at.to_string(),
            FieldType::Date => began_at.strftime("%Y-%m-%d").to_string(),
            _ => return Some(best),
        };
        let capped = if self.compare(&best, &latest).is_gt() { latest } else { best };
        // A clock that goes after is no reason to lose our place.
        match since {
            Some(since) if self.compare(&capped, since).is_lt() => Some(since.to_owned()),
            _ => Some(capped),
        }
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
    use marsad_shared::{
        feed::Field,
        request::{TimeFormat, Writing},
    };

    fn rule(kind: FieldType, lookback: u64) -> CursorRule {
        let incremental = Incremental {
            by: By::Field("at".to_owned()),
            param: None,
            writing: Writing {
                template: None,
                time: TimeFormat::Rfc3339,
                zone: jiff::tz::TimeZone::UTC,
            },
            start: None,
            lookback: Duration::from_secs(lookback),
            window: None,
            split: None,
            missing: Missing::Include,
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
            assert_eq!(values.into_iter().max_by(|a, b| rule.compare(a, b)), Some(expected));
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

    #[test]
    fn a_deletion_without_a_value_is_not_left_out() {
        let fields = ["id", "at"].map(|name| Field::new(name, FieldType::Text)).to_vec();
        let layout = Layout::new(fields, &["id".to_owned()]).unwrap();
        let mut batch = Batch::new(&layout, 7);
        for gone in [false, true] {
            let mut row = batch.row();
            row.text("a");
            row.null();
            if gone { row.finish_gone() } else { row.finish() }
        }
        let incremental =
            Incremental { missing: Missing::Exclude, ..rule(FieldType::Text, 0).incremental };
        let rule = CursorRule::of(&incremental, &layout).unwrap();
        assert_eq!([0, 1].map(|row| rule.passes_over(&batch, row, None)), [true, false]);
    }
}

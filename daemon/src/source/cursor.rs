//! The cursor of an incremental feed: the greatest value of its field, compared as what it is.

use std::cmp::Ordering;

use jiff::Timestamp;
use marsad_shared::{
    feed::FieldType,
    order,
    record::{Batch, Layout, Value},
    request::{By, Incremental, Missing, TimeFormat},
    untrusted::show_at_most,
};

/// The longest value that is shown of a field, in characters.
const SHOWN_MAX: usize = 60;

/// The longest value that moves a cursor, in bytes: a longer one stands in the bank, and fits into no URL.
const VALUE_MAX: usize = 1_024;

/// How the cursor of a feed is found and asked with.
#[derive(Clone, Debug)]
pub struct CursorRule {
    column: usize,
    kind: FieldType,
    sensitive: bool,
    incremental: Incremental,
}

impl CursorRule {
    /// The rule of an incremental feed; `None` if its cursor is no column, or the layout lacks it.
    pub fn of(incremental: &Incremental, layout: &Layout) -> Option<Self> {
        let column = layout.position(incremental.by.field()?)?;
        let field = layout.fields.get(column)?;
        let (kind, sensitive) = (field.kind, field.sensitive);
        Some(Self { column, kind, sensitive, incremental: incremental.clone() })
    }

    /// Which column of the feed it is, from 0.
    pub const fn column(&self) -> usize {
        self.column
    }

    /// The greater of `best` and the greatest value in `batch`.
    pub fn best(&self, best: Option<String>, batch: &Batch) -> Option<String> {
        let rows = (0..batch.len()).filter(|row| self.may_move(batch, *row));
        let row = rows.reduce(|best, row| self.later(batch, best, row, Ordering::Greater));
        let found = row.and_then(|row| self.value(batch, row));
        match (best, found) {
            (Some(best), Some(found)) if self.compare(&best, &found).is_lt() => Some(found),
            (best, found) => best.or(found),
        }
    }

    /// Whether a value in `batch` is smaller than one that came before it, there or as `best`. A deletion may have the one that
    /// its record had last, wherever it stands.
    pub fn sinks(&self, best: Option<&str>, batch: &Batch) -> bool {
        let mut rows = self.living(batch);
        let Some(first) = rows.next() else { return false };
        let mut last = first;
        let is_less = |value: String| best.is_some_and(|best| self.compare(&value, best).is_lt());
        self.value(batch, first).is_some_and(is_less)
            || rows.any(|row| {
                let before = std::mem::replace(&mut last, row);
                self.order(batch, row, before).is_lt()
            })
    }

    /// The smallest value in `batch`, deletions apart: see [`Self::sinks`].
    pub fn least(&self, batch: &Batch) -> Option<String> {
        let row = self
            .living(batch)
            .reduce(|least, row| self.later(batch, least, row, Ordering::Less))?;
        self.value(batch, row)
    }

    /// The rows of living records that have a value.
    fn living<'b>(&'b self, batch: &'b Batch) -> impl Iterator<Item = usize> + 'b {
        let counts =
            |row: &usize| !batch.is_gone(*row) && batch.at(*row, self.column) != Value::Null;
        (0..batch.len()).filter(counts)
    }

    /// Whether a row has a value that a cursor can be: one that fits into a request.
    fn may_move(&self, batch: &Batch, row: usize) -> bool {
        match batch.at(row, self.column) {
            Value::Null => false,
            Value::Integer(_) => true,
            Value::Text(text) => text.len() <= VALUE_MAX,
        }
    }

    /// Of two rows the one whose value stands as `wanted` to the other's; the first where they are equal.
    fn later(&self, batch: &Batch, one: usize, other: usize, wanted: Ordering) -> usize {
        if self.order(batch, other, one) == wanted { other } else { one }
    }

    fn order(&self, batch: &Batch, one: usize, other: usize) -> Ordering {
        match (batch.at(one, self.column), batch.at(other, self.column)) {
            (Value::Integer(one), Value::Integer(other)) => one.cmp(&other),
            (Value::Text(one), Value::Text(other)) if one == other => Ordering::Equal,
            (Value::Text(one), Value::Text(other)) => self.compare(one, other),
            _ => Ordering::Equal,
        }
    }

    /// The `most` greatest values in `batch`, none greater than `until`, each once, the greatest first.
    pub fn greatest(&self, batch: &Batch, most: usize, until: Option<&str>) -> Vec<String> {
        let mut rows: Vec<usize> = Vec::with_capacity(most + 1);
        let counts = |row: &usize| {
            self.may_move(batch, *row)
                && until.is_none_or(|until| {
                    self.value(batch, *row).is_some_and(|value| self.compare(&value, until).is_le())
                })
        };
        for row in (0..batch.len()).filter(counts) {
            let least = rows.last().filter(|_| rows.len() == most);
            if least.is_some_and(|least| self.order(batch, row, *least).is_le()) {
                continue;
            }
            let at = rows.partition_point(|other| self.order(batch, *other, row).is_gt());
            if rows.get(at).is_none_or(|other| self.order(batch, *other, row).is_ne()) {
                rows.insert(at, row);
                rows.truncate(most);
            }
        }
        rows.into_iter().filter_map(|row| self.value(batch, row)).collect()
    }

    fn value(&self, batch: &Batch, row: usize) -> Option<String> {
        match batch.at(row, self.column) {
            Value::Null => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.to_owned()),
        }
    }

    /// Whether its values are times, and so have an end: the present.
    pub fn is_time(&self) -> bool {
        self.present(Timestamp::UNIX_EPOCH).is_some()
    }

    /// `at`, as the bank writes times of the field; `None`: they are none.
    pub fn present(&self, at: Timestamp) -> Option<String> {
        written(self.kind, &self.incremental.writing.time, at)
    }

    /// Whether a time of the field lies behind `at`.
    pub fn is_after(&self, value: &str, at: Timestamp) -> bool {
        self.present(at).is_some_and(|at| self.compare(value, &at).is_gt())
    }

    /// Whether a row has a time, and one behind `at`.
    pub fn lies_behind(&self, batch: &Batch, row: usize, at: Timestamp) -> bool {
        self.value(batch, row).is_some_and(|value| self.is_after(&value, at))
    }

    /// A value as people may see it.
    pub fn shown(&self, value: &str) -> String {
        if self.sensitive { "a value".to_owned() } else { show_at_most(value, SHOWN_MAX) }
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

    /// How many rows of `batch` have that value.
    pub fn many(&self, batch: &Batch, value: &str) -> u64 {
        let is = |row: &usize| {
            self.value(batch, *row).is_some_and(|is| self.compare(&is, value).is_eq())
        };
        (0..batch.len()).filter(is).count() as u64
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
    /// or rows that are written meanwhile would be passed over (sources.md row 24). Numbers and texts have no such end: what
    /// is believed of those is in [`super::doubt`].
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
        let Some(latest) = self.present(began_at) else { return Some(best) };
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

/// A time as the bank writes it in a column of that type, whose values the partner writes as `format`; `None`: it has no times.
pub fn written(kind: FieldType, format: &TimeFormat, at: Timestamp) -> Option<String> {
    Some(match (kind, format) {
        (FieldType::Timestamp, _) => at.to_string(),
        (FieldType::Date, _) => at.strftime("%Y-%m-%d").to_string(),
        (FieldType::Integer, TimeFormat::UnixSeconds) => at.as_second().to_string(),
        (FieldType::Integer, TimeFormat::UnixMillis) => at.as_millisecond().to_string(),
        _ => return None,
    })
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
            join: None,
            param: None,
            writing: Writing {
                template: None,
                time: TimeFormat::Rfc3339,
                zone: jiff::tz::TimeZone::UTC,
            },
            start: None,
            lookback: Duration::from_secs(lookback),
            window: None,
            bound: marsad_shared::request::Bound::Inclusive,
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

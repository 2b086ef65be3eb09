//! What the lists have in common: a name, a key behind which they go on, and a way to read them without a daemon.

use jiff::Timestamp;
use marsad_shared::{
    id::FeedId,
    protocol::{
        AuditRow, ConnectionRow, CursorRow, ExchangeRow, FeedRow, ListQuery, PartnerRow, Problem,
        ProblemCode, QuarantineGroup, QuarantineRow, RecordRow, RunRow,
    },
    store::{Reader, StoreError},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A row of one of the daemon's lists.
pub trait Listed: Serialize + DeserializeOwned + Send + 'static {
    /// What the list is of, beside its name: the feed of records and of the moves of a cursor, nothing for the others.
    type Of: Clone + Send + Sync + 'static;
    /// One row of it, as people call it.
    const NOUN: &'static str;

    /// The list's name behind `/v1`, in parts.
    fn path(of: &Self::Of) -> Vec<String>;

    /// An id as parts of a path, behind the list's name.
    fn parts(id: &str) -> Vec<String> {
        id.split('/').map(segment).collect()
    }

    /// What `--after` takes to go on behind this row; `None` where that may not be seen.
    fn after(&self) -> Option<String>;

    fn read(
        reader: &Reader,
        of: &Self::Of,
        query: &ListQuery,
        now: Timestamp,
    ) -> Result<Vec<Self>, StoreError>;

    /// The row of that id, whole.
    fn find(
        reader: &Reader,
        of: &Self::Of,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError>;
}

/// A row's id as a part of a path. A `..` would be taken for a step upwards; only a record can be called that,
/// and a record's key may also be written as an array.
fn segment(id: &str) -> String {
    if id.chars().all(|c| c == '.') { Value::from(vec![id]).to_string() } else { id.to_owned() }
}

pub(super) fn not_found<T: Listed>(id: &str) -> Problem {
    let noun = T::NOUN;
    Problem {
        code: ProblemCode::NotFound,
        what: format!("there is no {noun} {id}"),
        why: "nothing of that name is in the store".to_owned(),
        remedy: "list them to see what there is".to_owned(),
    }
}

/// A number as an id shows it, or an error that says what an id looks like.
fn numbered<T: std::str::FromStr<Err = marsad_shared::id::IdError>>(
    id: &str,
) -> Result<T, StoreError> {
    id.parse().map_err(|error: T::Err| StoreError::Conflict(error.to_string()))
}

macro_rules! listed {
    ($row:ty, $name:literal, $noun:literal, $id:expr, $read:expr, $find:expr) => {
        impl Listed for $row {
            type Of = ();
            const NOUN: &'static str = $noun;

            fn path((): &()) -> Vec<String> {
                $name.split('/').map(str::to_owned).collect()
            }

            fn after(&self) -> Option<String> {
                let id: fn(&Self) -> String = $id;
                Some(id(self))
            }

            fn read(
                reader: &Reader,
                (): &(),
                query: &ListQuery,
                now: Timestamp,
            ) -> Result<Vec<Self>, StoreError> {
                let read: fn(&Reader, &ListQuery, Timestamp) -> Result<Vec<Self>, StoreError> =
                    $read;
                read(reader, query, now)
            }

            fn find(
                reader: &Reader,
                (): &(),
                id: &str,
                now: Timestamp,
            ) -> Result<Option<Self>, StoreError> {
                let find: fn(&Reader, &str, Timestamp) -> Result<Option<Self>, StoreError> = $find;
                find(reader, id, now)
            }
        }
    };
}

listed!(
    PartnerRow,
    "partners",
    "partner",
    |row| row.id.to_string(),
    Reader::partners,
    |reader, id, now| {
        let query = ListQuery { partner: Some(id.to_owned()), ..ListQuery::default() };
        Ok(reader.partners(&query, now)?.pop())
    }
);
listed!(
    ConnectionRow,
    "connections",
    "connection",
    |row| row.id.to_string(),
    Reader::connections,
    |reader, id, now| {
        let query = ListQuery { connection: Some(id.to_owned()), ..ListQuery::default() };
        Ok(reader.connections(&query, now)?.pop())
    }
);
listed!(FeedRow, "feeds", "feed", |row| row.id.to_string(), Reader::feeds, |reader, id, now| {
    let query = ListQuery { feed: Some(id.to_owned()), ..ListQuery::default() };
    Ok(reader.feeds(&query, now)?.pop())
});
listed!(
    RunRow,
    "runs",
    "run",
    |row| row.id.to_string(),
    |reader, query, _| reader.runs(query),
    |reader, id, _| reader.run(numbered(id)?)
);
listed!(
    QuarantineRow,
    "quarantine",
    "quarantine item",
    |row| row.id.to_string(),
    |reader, query, _| reader.quarantine(query),
    |reader, id, _| Ok(reader.quarantine_item(numbered(id)?)?.map(|item| item.row))
);
listed!(
    QuarantineGroup,
    "quarantine/groups",
    "group in quarantine",
    |row| row.id.to_string(),
    |reader, query, _| reader.quarantine_groups(query),
    |reader, id, _| reader.quarantine_group(numbered(id)?)
);
listed!(
    ExchangeRow,
    "exchanges",
    "exchange",
    |row| row.id.to_string(),
    |reader, query, _| reader.exchanges(query),
    |reader, id, _| reader.exchange(numbered(id)?)
);
listed!(
    AuditRow,
    "audit",
    "audit entry",
    |row| row.seq.to_string(),
    |reader, query, _| reader.audit(query),
    |reader, id, _| {
        let seq: i64 = id
            .parse()
            .map_err(|_| StoreError::Conflict(format!("{id:?} is no number of an audit entry")))?;
        let after = Some(seq.saturating_add(1).to_string());
        let query = ListQuery { after, limit: Some(1), ..ListQuery::default() };
        Ok(reader.audit(&query)?.pop().filter(|row| row.seq == seq))
    }
);

impl Listed for RecordRow {
    type Of = FeedId;
    const NOUN: &'static str = "record";

    fn path(feed: &FeedId) -> Vec<String> {
        vec!["records".to_owned(), feed.partner().to_string(), feed.name().to_owned()]
    }

    /// A key may hold anything, a `/` too: it is one part.
    fn parts(key: &str) -> Vec<String> {
        vec![segment(key)]
    }

    fn after(&self) -> Option<String> {
        Some(self.place.clone())
    }

    fn read(
        reader: &Reader,
        feed: &FeedId,
        query: &ListQuery,
        now: Timestamp,
    ) -> Result<Vec<Self>, StoreError> {
        let rows = reader.records(feed, query)?;
        if rows.is_empty() {
            is_a_feed(reader, feed, now)?;
        }
        Ok(rows)
    }

    fn find(
        reader: &Reader,
        feed: &FeedId,
        id: &str,
        _: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        reader.record(feed, id)
    }
}

impl Listed for CursorRow {
    type Of = FeedId;
    const NOUN: &'static str = "move of the cursor";

    fn path(feed: &FeedId) -> Vec<String> {
        vec!["cursors".to_owned(), feed.partner().to_string(), feed.name().to_owned()]
    }

    fn after(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    fn read(
        reader: &Reader,
        feed: &FeedId,
        query: &ListQuery,
        now: Timestamp,
    ) -> Result<Vec<Self>, StoreError> {
        let rows = reader.cursor(feed, query)?;
        if rows.is_empty() {
            is_a_feed(reader, feed, now)?;
        }
        Ok(rows)
    }

    fn find(
        reader: &Reader,
        feed: &FeedId,
        id: &str,
        _: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        reader.cursor_move(feed, numbered(id)?)
    }
}

/// What has no rows may have none because there is no such feed.
fn is_a_feed(reader: &Reader, feed: &FeedId, now: Timestamp) -> Result<(), StoreError> {
    let known = ListQuery { feed: Some(feed.to_string()), ..ListQuery::default() };
    if reader.feeds(&known, now)?.is_empty() {
        return Err(StoreError::Conflict(format!("there is no feed {feed}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_dots_is_no_step_upwards() {
        assert_eq!(segment(".."), r#"[".."]"#);
        assert_eq!(segment("a..b/c"), "a..b/c");
    }
}

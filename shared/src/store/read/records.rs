//! Records of a feed, in the order of their keys, sensitive values masked.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params_from_iter, types};
use serde_json::{Map, Value};

use super::{Reader, limit};
use crate::{
    feed::{Field, FieldType},
    id::{FeedId, RunId},
    mask::mask,
    protocol::{ListQuery, RecordRow},
    store::{
        StoreError,
        cache::table::{Table, quoted},
        ledger::{maybe_time_at, time_at},
    },
};

impl Reader {
    /// Records in the order of their keys, behind `after` or up to `before`. A feed that has no table yet has none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if `after` or `before` is no key of this feed.
    ///
    /// With `as_of` they are as the bank knew them then, of a feed that remembers.
    pub fn records(&self, feed: &FeedId, query: &ListQuery) -> Result<Vec<RecordRow>, StoreError> {
        let Some(table) = Table::find_of(&self.cache, feed)? else { return Ok(Vec::new()) };
        let source = match query.as_of {
            None => table.quoted(),
            Some(at) => {
                self.remembers(feed, at)?;
                format!("({})", versions_at(&table, at, table.has_past(&self.cache)?))
            }
        };
        let key = key_list(&table, "");
        let back = query.before.is_some();
        let bound = query.after.as_ref().or(query.before.as_ref()).filter(|text| !text.is_empty());
        let (filter, mut values) = match bound {
            None => (String::new(), Vec::new()),
            Some(text) => {
                let values = self.key_of(&table, text)?;
                let marks = vec!["?"; values.len()].join(", ");
                let side = if back { '<' } else { '>' };
                (format!("WHERE ({key}) {side} ({marks})"), values)
            }
        };
        let order = key_list(&table, if back { " DESC" } else { "" });
        let columns = columns(&table);
        let sql = format!("SELECT {columns} FROM {source} {filter} ORDER BY {order} LIMIT ?");
        values.push(types::Value::Integer(limit(query).into()));
        let mut rows = self.select(&table, &sql, values, &|_| false)?;
        if back {
            rows.reverse();
        }
        Ok(rows)
    }

    /// Whether the feed remembers what was known at `at`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it does not, with since when it does.
    fn remembers(&self, feed: &FeedId, at: Timestamp) -> Result<(), StoreError> {
        let sql = "SELECT remembers FROM marsad_feed WHERE feed = ?";
        let since = self.cache.prepare_cached(sql)?.query_row([feed.as_str()], |row| row.get(0));
        let since: Option<i64> = since.optional()?.flatten();
        match since {
            Some(since) if since <= at.as_microsecond() => Ok(()),
            Some(since) => Err(StoreError::Conflict(format!(
                "{feed} remembers what was known since {}, and not before",
                Timestamp::from_microsecond(since).unwrap_or_default()
            ))),
            None => Err(StoreError::Conflict(format!(
                "{feed} keeps no earlier versions; from now on it does with `history = true`"
            ))),
        }
    }

    /// The record of that key: its one value, or a JSON array of its values.
    pub fn record(&self, feed: &FeedId, key: &str) -> Result<Option<RecordRow>, StoreError> {
        self.one(feed, key, &|_| false)
    }

    /// The same, with the values of `fields` as they are; of all columns if there are none. Who asks for it has been
    /// written down.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the feed has no such column.
    pub fn revealed(
        &self,
        feed: &FeedId,
        key: &str,
        fields: &[String],
    ) -> Result<Option<RecordRow>, StoreError> {
        let Some(table) = Table::find_of(&self.cache, feed)? else { return Ok(None) };
        if let Some(name) = fields.iter().find(|name| table.layout().position(name).is_none()) {
            return Err(StoreError::Conflict(format!("{feed} has no column {name:?}")));
        }
        self.one(feed, key, &|field| fields.is_empty() || fields.contains(&field.name))
    }

    fn one(
        &self,
        feed: &FeedId,
        key: &str,
        bare: &dyn Fn(&Field) -> bool,
    ) -> Result<Option<RecordRow>, StoreError> {
        let Some(table) = Table::find_of(&self.cache, feed)? else { return Ok(None) };
        let values = self.key_of(&table, key)?;
        let marks = vec!["?"; values.len()].join(", ");
        let (columns, list) = (columns(&table), key_list(&table, ""));
        let sql = format!("SELECT {columns} FROM {} WHERE ({list}) = ({marks})", table.quoted());
        Ok(self.select(&table, &sql, values, bare)?.pop())
    }

    /// The values of a key as a person or a script names it, or those of the record that stands at a place.
    fn key_of(&self, table: &Table, text: &str) -> Result<Vec<types::Value>, StoreError> {
        let Some(rowid) = text.strip_prefix('#').and_then(|rowid| rowid.parse::<i64>().ok()) else {
            return named(table, text);
        };
        let width = table.layout().key.len();
        let sql = format!("SELECT {} FROM {} WHERE rowid = ?", key_list(table, ""), table.quoted());
        let found = self.cache.prepare_cached(&sql)?.query_row([rowid], |row| {
            (0..width).map(|at| row.get::<_, types::Value>(at)).collect()
        });
        found.optional()?.ok_or_else(|| {
            StoreError::Conflict(format!("no record stands at {text} any more; list them anew"))
        })
    }

    /// Columns that are `bare` are not masked.
    fn select(
        &self,
        table: &Table,
        sql: &str,
        values: Vec<types::Value>,
        bare: &dyn Fn(&Field) -> bool,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let mut statement = self.cache.prepare_cached(sql)?;
        let rows =
            statement.query_map(params_from_iter(values), |row| record_row(table, row, bare))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The key's columns, each with `suffix`.
fn key_list(table: &Table, suffix: &str) -> String {
    let names = table.layout().key_fields().map(|field| quoted(&field.name) + suffix);
    names.collect::<Vec<_>>().join(", ")
}

/// The run of a version that is kept no longer.
const FORGOTTEN: i64 = 0;

/// Every record as it stood at `at`: of its versions that were known then, the newest. One that was known then, and of which
/// none of those is kept any more, has its key alone.
fn versions_at(table: &Table, at: Timestamp, has_past: bool) -> String {
    let (at, key) = (at.as_microsecond(), key_list(table, ""));
    let own = columns(table);
    let live = table.quoted();
    let mut all = format!(
        "SELECT {own}, 9223372036854775807 AS _until, 0 AS _lost FROM {live} WHERE _changed <= {at} \
         UNION ALL SELECT {lost}, 0, 1 FROM {live} WHERE _first_seen <= {at} AND _changed > {at}",
        lost = forgotten(table),
    );
    if has_past {
        let past = own.replace("rowid", "_rid AS rowid");
        all = format!(
            "{all} UNION ALL SELECT {past}, _until, 0 FROM {} WHERE _changed <= {at} AND _until > {at}",
            table.past()
        );
    }
    format!(
        "SELECT {own} FROM (SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY _lost, _changed DESC, _until) AS _nth \
         FROM ({all})) WHERE _nth = 1"
    )
}

/// The columns of a record of which nothing but its key is told.
fn forgotten(table: &Table) -> String {
    let layout = table.layout();
    let fields = layout.fields.iter().enumerate().map(|(at, field)| {
        if layout.key.contains(&at) { quoted(&field.name) } else { "NULL".to_owned() }
    });
    let ours = ["_first_seen", "_first_seen", "0", "NULL", "rowid"].map(str::to_owned);
    fields.chain(ours).collect::<Vec<_>>().join(", ")
}

fn columns(table: &Table) -> String {
    let fields = table.layout().fields.iter().map(|field| quoted(&field.name));
    let ours = ["_first_seen", "_changed", "_run", "_deleted"].map(str::to_owned);
    fields.chain(ours).chain(["rowid".to_owned()]).collect::<Vec<_>>().join(", ")
}

/// The values of a key that is named by them.
fn named(table: &Table, text: &str) -> Result<Vec<types::Value>, StoreError> {
    let fields: Vec<_> = table.layout().key_fields().collect();
    let parts: Vec<Value> = match serde_json::from_str(text) {
        Ok(Value::Array(parts)) => parts,
        _ => vec![Value::String(text.to_owned())],
    };
    if parts.len() != fields.len() {
        return Err(StoreError::Conflict(format!(
            "a key of this feed has {} values ({}); name it as a JSON array",
            fields.len(),
            fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
        )));
    }
    fields.iter().zip(parts).map(|(field, part)| stored(field, &part)).collect()
}

fn stored(field: &Field, part: &Value) -> Result<types::Value, StoreError> {
    let text = part.as_str().map_or_else(|| part.to_string(), str::to_owned);
    match field.kind {
        FieldType::Integer | FieldType::Boolean => {
            text.parse().map(types::Value::Integer).map_err(|_| {
                StoreError::Conflict(format!(
                    "{:?} is a whole number in this feed's key",
                    field.name
                ))
            })
        }
        _ => Ok(types::Value::Text(text)),
    }
}

fn record_row(
    table: &Table,
    row: &Row<'_>,
    bare: &dyn Fn(&Field) -> bool,
) -> rusqlite::Result<RecordRow> {
    let layout = table.layout();
    let mut fields = Map::new();
    for (at, field) in layout.fields.iter().enumerate() {
        fields.insert(field.name.clone(), shown(field, row.get_ref(at)?, bare(field)));
    }
    let key = layout
        .key_fields()
        .map(|field| fields.get(&field.name).cloned().unwrap_or_default())
        .collect();
    Ok(RecordRow {
        place: format!("#{}", row.get::<_, i64>("rowid")?),
        key,
        first_seen_at: time_at(row, "_first_seen")?,
        changed_at: time_at(row, "_changed")?,
        deleted_at: maybe_time_at(row, "_deleted")?,
        run: RunId(row.get("_run")?),
        forgotten: row.get::<_, i64>("_run")? == FORGOTTEN,
        fields,
    })
}

/// A value as a client may see it: a sensitive one is masked, an Emirates ID but for its last three digits.
fn shown(field: &Field, value: types::ValueRef<'_>, bare: bool) -> Value {
    let value = match value {
        types::ValueRef::Null => return Value::Null,
        types::ValueRef::Integer(number) if field.kind == FieldType::Boolean => {
            Value::Bool(number != 0)
        }
        types::ValueRef::Integer(number) => number.into(),
        types::ValueRef::Real(number) => number.into(),
        types::ValueRef::Text(text) | types::ValueRef::Blob(text) => {
            String::from_utf8_lossy(text).into()
        }
    };
    if bare || !field.sensitive {
        return value;
    }
    Value::String(mask(field.kind, value.as_str().unwrap_or_default()))
}

//! A feed's tables: the live one that anybody may read, its side index of hashes, and the pair that a file is loaded
//! into. All SQL that names a feed's columns is made here, and every name is quoted.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    feed::{COLUMNS_MAX, Field, FieldType},
    id::{FeedId, RunId},
    record::{Layout, storage},
    request::By,
    store::StoreError,
};

/// One table with its side index.
#[derive(Clone, Debug)]
pub(in crate::store) struct Table {
    name: String,
    layout: Layout,
    /// Living records, when it was looked up.
    pub(in crate::store) rows: u64,
}

/// The name of a feed's table: `-` becomes `_`, and `__` parts partner and feed.
pub(in crate::store) fn name_of(feed: &FeedId) -> String {
    feed.as_str().replace('-', "_").replace('/', "__")
}

/// A name as SQL takes it, whatever is in it.
pub(in crate::store) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn list<'a>(
    names: impl Iterator<Item = &'a str>,
    each: impl Fn(&str) -> String,
) -> String {
    names.map(|name| each(&quoted(name))).collect::<Vec<_>>().join(", ")
}

impl Table {
    /// The live table of a feed that was prepared.
    pub(in crate::store) fn of(db: &Connection, feed: &FeedId) -> Result<Self, StoreError> {
        Self::find_of(db, feed)?.ok_or_else(|| {
            StoreError::Conflict(format!("{feed} has no table yet: nothing has been read"))
        })
    }

    /// The live table, if the feed has one.
    pub(in crate::store) fn find_of(
        db: &Connection,
        feed: &FeedId,
    ) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT tbl, layout, rows FROM marsad_feed WHERE feed = ?";
        let found = db.prepare_cached(sql)?.query_row([feed.as_str()], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        });
        let Some((name, layout, rows)) = found.optional()? else { return Ok(None) };
        let layout = serde_json::from_str(&layout).map_err(|error| {
            StoreError::Layout(format!("the layout of {feed} cannot be read: {error}"))
        })?;
        Ok(Some(Self { name, layout, rows: u64::try_from(rows).unwrap_or(0) }))
    }

    pub(in crate::store) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Of which type a column is; `None`: there is none of that name.
    pub(in crate::store) fn kind(&self, column: &str) -> Option<FieldType> {
        let at = self.layout.position(column)?;
        self.layout.fields.get(at).map(|field| field.kind)
    }

    /// Of which type a cursor is; `None`: it is the partner's own words, of which nobody can tell which is the earlier.
    pub(in crate::store) fn kind_of_cursor(&self, by: &By) -> Option<FieldType> {
        match by {
            By::Field(column) | By::Here { field: column, .. } => self.kind(column),
            By::Clock => Some(FieldType::Timestamp),
            By::Token(_) | By::Delta(_) => None,
        }
    }

    pub(in crate::store) fn quoted(&self) -> String {
        quoted(&self.name)
    }

    /// The side index: rowid, hash of the key, hash of the content.
    pub(super) fn seen(&self) -> String {
        quoted(&format!("{}__seen", self.name))
    }

    /// The table that a file is loaded into before it joins this one.
    pub(super) fn load(&self) -> Self {
        self.beside("load")
    }

    /// The table in which a load waits for a person.
    pub(super) fn held(&self) -> Self {
        self.beside("held")
    }

    /// A table of the same columns, called so behind this one's name.
    pub(super) fn beside(&self, what: &str) -> Self {
        Self { name: format!("{}__{what}", self.name), layout: self.layout.clone(), rows: 0 }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.layout.fields.iter().map(|field| field.name.as_str())
    }

    pub(super) fn key(&self) -> impl Iterator<Item = &str> {
        self.layout.key_fields().map(|field| field.name.as_str())
    }

    pub(super) fn count(&self, db: &Connection) -> Result<u64, StoreError> {
        // The side index has a row for each, and is the smaller one.
        let sql = format!("SELECT coalesce(max(rid), 0) FROM {}", self.seen());
        Ok(db.query_row(&sql, [], |row| row.get::<_, i64>(0))?.cast_unsigned())
    }

    pub(super) fn create(&self, db: &Connection) -> Result<(), StoreError> {
        let mut sql = format!("CREATE TABLE {} (", self.quoted());
        for (at, field) in self.layout.fields.iter().enumerate() {
            let must = if self.layout.key.contains(&at) { " NOT NULL" } else { "" };
            let _ = write!(sql, "{} {}{must}, ", quoted(&field.name), storage(field.kind));
        }
        let key = list(self.key(), str::to_owned);
        let _ = write!(
            sql,
            "_first_seen INTEGER NOT NULL, _changed INTEGER NOT NULL, _run INTEGER NOT NULL, _deleted INTEGER, \
             PRIMARY KEY ({key})) STRICT; \
             CREATE TABLE {} (rid INTEGER PRIMARY KEY, k INTEGER NOT NULL, h INTEGER NOT NULL) STRICT;",
            self.seen()
        );
        Ok(db.execute_batch(&sql)?)
    }

    /// Inserts a row; the parameters are the columns, the time and the run.
    pub(super) fn insert(&self) -> String {
        let columns = list(self.columns(), str::to_owned);
        let width = self.layout.fields.len();
        let values = (1..=width).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
        format!(
            "INSERT INTO {} ({columns}, _first_seen, _changed, _run) VALUES ({values}, ?{at}, ?{at}, ?{run})",
            self.quoted(),
            at = width + 1,
            run = width + 2
        )
    }

    /// As [`Self::insert`], or updates the row of the same key.
    pub(super) fn upsert(&self) -> String {
        format!("{} ON CONFLICT {}", self.insert(), self.update_on_conflict())
    }

    /// That two aliases have the same key.
    pub(super) fn same_key(&self, a: &str, b: &str) -> String {
        let each: Vec<_> =
            self.key().map(quoted).map(|name| format!("{a}.{name} = {b}.{name}")).collect();
        each.join(" AND ")
    }

    pub(super) fn update_on_conflict(&self) -> String {
        let key = list(self.key(), str::to_owned);
        let set = list(self.columns(), |name| format!("{name} = excluded.{name}"));
        format!(
            "({key}) DO UPDATE SET {set}, _changed = excluded._changed, _run = excluded._run, _deleted = NULL"
        )
    }

    /// Writes over the row at a rowid, if it has the same key; the parameters are the columns, the time, the run and the
    /// rowid. Cheaper than [`Self::upsert`]: the index of the key is left alone.
    pub(super) fn update(&self) -> String {
        let (mut set, mut same) = (String::new(), String::new());
        for (at, field) in self.layout.fields.iter().enumerate() {
            let (name, number) = (quoted(&field.name), at + 1);
            let _ = if self.layout.key.contains(&at) {
                // The sign keeps the index of the key from being asked: the row is found by its rowid.
                write!(same, " AND +{name} = ?{number}")
            } else {
                write!(set, "{name} = ?{number}, ")
            };
        }
        let width = self.layout.fields.len();
        format!(
            "UPDATE {} SET {set}_changed = ?{}, _run = ?{}, _deleted = NULL WHERE rowid = ?{}{same}",
            self.quoted(),
            width + 1,
            width + 2,
            width + 3
        )
    }

    /// Marks a row as deleted; the parameters are its rowid, the time, the run, and where the feed has versions that of
    /// the deletion.
    pub(super) fn delete(&self) -> String {
        let version = self.version_set("?4");
        format!(
            "UPDATE {} SET _deleted = coalesce(_deleted, ?2), _changed = ?2, _run = ?3{version} WHERE rowid = ?1",
            self.quoted()
        )
    }

    /// Sets the version to `value` unless that is null; nothing where the feed has none.
    pub(super) fn version_set(&self, value: &str) -> String {
        let version = self.layout.version.and_then(|at| self.layout.fields.get(at));
        version.map_or_else(String::new, |field| {
            let name = quoted(&field.name);
            format!(", {name} = coalesce({value}, {name})")
        })
    }

    /// Reads one column of the row at a rowid.
    pub(super) fn value_of(&self, column: usize) -> String {
        let name = self.layout.fields.get(column).map_or("NULL".to_owned(), |f| quoted(&f.name));
        format!("SELECT {name} FROM {} WHERE rowid = ?", self.quoted())
    }

    /// Notes a row's hashes; the parameters are rowid, key hash and content hash.
    pub(super) fn note_seen(&self) -> String {
        format!(
            "INSERT INTO {} VALUES (?, ?, ?) ON CONFLICT (rid) DO UPDATE SET k = excluded.k, h = excluded.h",
            self.seen()
        )
    }

    /// Notes another content hash of a row that is noted; the parameters are rowid, key hash and content hash.
    pub(super) fn note_again(&self) -> String {
        format!("UPDATE {} SET h = ?3 WHERE rid = ?1 AND k = ?2", self.seen())
    }

    /// Finds a row's rowid and content hash; the parameters are the key's values.
    pub(super) fn find(&self) -> String {
        let key = self
            .key()
            .map(|name| format!("t.{} = ?", quoted(name)))
            .collect::<Vec<_>>()
            .join(" AND ");
        format!(
            "SELECT t.rowid, s.h FROM {} t LEFT JOIN {} s ON s.rid = t.rowid WHERE {key}",
            self.quoted(),
            self.seen()
        )
    }

    /// Finds when a row was changed last, by which run, and its content hash; the parameters are the key's values.
    pub(super) fn changed(&self) -> String {
        let key: Vec<_> = self.key().map(|name| format!("t.{} = ?", quoted(name))).collect();
        format!(
            "SELECT t._changed, t._run, s.h FROM {} t LEFT JOIN {} s ON s.rid = t.rowid WHERE {}",
            self.quoted(),
            self.seen(),
            key.join(" AND ")
        )
    }

    /// Reads a row and when it was deleted; the parameters are the key's values.
    pub(super) fn read(&self) -> String {
        let columns = list(self.columns(), str::to_owned);
        let key: Vec<_> = self.key().map(|name| format!("{} = ?", quoted(name))).collect();
        format!("SELECT {columns}, _deleted FROM {} WHERE {}", self.quoted(), key.join(" AND "))
    }

    pub(super) fn drop(&self, db: &Connection) -> Result<(), StoreError> {
        let (table, seen) = (self.quoted(), self.seen());
        Ok(db.execute_batch(&format!(
            "DROP TABLE IF EXISTS {table}; DROP TABLE IF EXISTS {seen};"
        ))?)
    }
}

/// Makes the feed's table, or adds what it lacks.
pub(super) fn prepare(db: &Connection, feed: &FeedId, layout: &Layout) -> Result<(), StoreError> {
    if layout.fields.len() > COLUMNS_MAX {
        let have = layout.fields.len();
        return Err(StoreError::Layout(format!(
            "{feed} has {have} fields; a table holds at most {COLUMNS_MAX}"
        )));
    }
    match Table::find_of(db, feed)? {
        None => {
            let table = Table { name: name_of(feed), layout: layout.clone(), rows: 0 };
            table.create(db)?;
            let sql = "INSERT INTO marsad_feed (feed, tbl, layout) VALUES (?, ?, ?)";
            db.execute(sql, params![feed.as_str(), table.name, text_of(layout)?])?;
        }
        Some(table) if table.layout == *layout => {}
        Some(table) => adapt(db, feed, &table, layout)?,
    }
    Ok(())
}

/// Adds the columns that are new. What cannot be had by adding is refused: it would change what rows mean.
fn adapt(db: &Connection, feed: &FeedId, table: &Table, layout: &Layout) -> Result<(), StoreError> {
    let (old, new): (Vec<_>, Vec<_>) =
        (table.key().collect(), layout.key_fields().map(|field| field.name.as_str()).collect());
    if old != new {
        return Err(StoreError::Layout(format!(
            "the table of {feed} is keyed by {old:?} and the configuration now says {new:?}; \
             give the feed another id, or set the key back"
        )));
    }
    for field in &layout.fields {
        match column_type(db, &table.name, &field.name)? {
            None => {
                add_column(db, &table.name, field)?;
                let past = table.has_past(db)?.then(|| table.beside("past").name);
                let before = kept_aside(db, feed)?.into_iter().map(|run| table.before(run).name);
                for table in past.into_iter().chain(before) {
                    // It may have it from when the live table had.
                    if column_type(db, &table, &field.name)?.is_none() {
                        add_column(db, &table, field)?;
                    }
                }
            }
            Some(kind) if kind == storage(field.kind) => {}
            Some(kind) => {
                return Err(StoreError::Layout(format!(
                    "column {:?} of {feed} holds {kind} and type {:?} needs {}; \
                     give the field another name, or set the type back",
                    field.name,
                    field.kind.word(),
                    storage(field.kind)
                )));
            }
        }
    }
    // What waits was read by the old columns, and is read again.
    table.held().drop(db)?;
    let sql = "UPDATE marsad_feed SET layout = ?2, validators = NULL, held = NULL WHERE feed = ?1";
    db.execute(sql, params![feed.as_str(), text_of(layout)?])?;
    Ok(())
}

/// Runs of the feed whose table before them is kept.
pub(super) fn kept_aside(db: &Connection, feed: &FeedId) -> Result<Vec<RunId>, StoreError> {
    let sql = "SELECT run FROM marsad_undo WHERE feed = ? AND aside";
    let mut statement = db.prepare_cached(sql)?;
    let runs = statement.query_map([feed.as_str()], |row| row.get(0).map(RunId))?;
    Ok(runs.collect::<Result<_, _>>()?)
}

fn column_type(db: &Connection, table: &str, column: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT type FROM pragma_table_info(?) WHERE name = ? COLLATE NOCASE";
    Ok(db.query_row(sql, [table, column], |row| row.get(0)).optional()?)
}

fn add_column(db: &Connection, table: &str, field: &Field) -> Result<(), StoreError> {
    let sql = format!(
        "ALTER TABLE {} ADD COLUMN {} {}",
        quoted(table),
        quoted(&field.name),
        storage(field.kind)
    );
    Ok(db.execute_batch(&sql)?)
}

/// Drops what was loaded, or being written anew, when the daemon was killed.
pub(super) fn drop_loads(db: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table'";
    let names: Vec<String> =
        db.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let is_unfinished = |name: &String| {
        let name = name.strip_suffix("__seen").unwrap_or(name);
        name.ends_with("__load") || name.ends_with("__next")
    };
    for name in names.into_iter().filter(is_unfinished) {
        // A feed may itself be called `load`: then its table is registered, and stays.
        let kept = "SELECT 1 FROM marsad_feed WHERE ?1 IN (tbl, tbl || '__seen')";
        if !db.prepare(kept)?.exists([&name])? {
            db.execute_batch(&format!("DROP TABLE {}", quoted(&name)))?;
        }
    }
    Ok(())
}

fn text_of(layout: &Layout) -> Result<String, StoreError> {
    serde_json::to_string(layout).map_err(|error| StoreError::Layout(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_its_place_and_written_over_where_its_key_stands() {
        let db = Connection::open_in_memory().unwrap();
        let fields = [("id", FieldType::Text), ("seq", FieldType::Integer), ("n", FieldType::Text)];
        let fields = fields.map(|(name, kind)| Field::new(name, kind)).to_vec();
        let layout = Layout::new(fields, &["id".to_owned(), "seq".to_owned()]).unwrap();
        let table = Table { name: "courts__orders".to_owned(), layout, rows: 0 };
        table.create(&db).unwrap();
        db.execute(&table.insert(), params!["a", 7, "old", 1, 1]).unwrap();
        let rid = db.last_insert_rowid();
        for (key, seq, rid, expected, why) in [
            ("a", 8, rid, 0, "another key"),
            ("b", 7, rid, 0, "another key"),
            ("a", 7, rid + 1, 0, "another place"),
            ("a", 7, rid, 1, "its own"),
        ] {
            let written = db.execute(&table.update(), params![key, seq, "new", 2, 3, rid]);
            assert_eq!(written.unwrap(), expected, "{why}");
        }
        let sql = "SELECT n, _first_seen, _changed, _run FROM courts__orders";
        let row: (String, i64, i64, i64) = db
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap();
        assert_eq!(row, ("new".to_owned(), 1, 2, 3));
        let plan: String = db
            .query_row(
                &format!("EXPLAIN QUERY PLAN {}", table.update()),
                params!["a", 7, "new", 2, 3, rid],
                |row| row.get("detail"),
            )
            .unwrap();
        assert!(plan.contains("USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
    }

    #[test]
    fn a_hash_is_noted_again_where_it_was_noted() {
        let db = Connection::open_in_memory().unwrap();
        let layout =
            Layout::new(vec![Field::new("id", FieldType::Text)], &["id".to_owned()]).unwrap();
        let table = Table { name: "courts__orders".to_owned(), layout, rows: 0 };
        table.create(&db).unwrap();
        assert_eq!(db.execute(&table.note_again(), params![1, 2, 3]).unwrap(), 0, "not noted yet");
        db.execute(&table.note_seen(), params![1, 2, 3]).unwrap();
        assert_eq!(db.execute(&table.note_again(), params![1, 4, 5]).unwrap(), 0, "another key");
        assert_eq!(db.execute(&table.note_again(), params![1, 2, 5]).unwrap(), 1);
    }
}

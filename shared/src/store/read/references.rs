//! Whether what a row refers to is there: a living record of another feed, found by its key.

use std::path::Path;

use rusqlite::{Connection, types::ToSqlOutput};

use crate::{
    feed::{Field, Reference},
    record::{Batch, Layout, Value, storage},
    store::{
        StoreError,
        cache::table::{Table, quoted},
        schema, state_dir,
    },
};

/// Looks up what the rows of one feed refer to, as it stands in the bank.
#[derive(Debug)]
pub struct References {
    cache: Connection,
    columns: Vec<Column>,
}

/// A column that refers to something.
#[derive(Debug)]
struct Column {
    at: usize,
    to: Reference,
    sql: String,
}

impl References {
    /// The look-up for rows of `layout`; `None` if nothing in them refers to anything.
    ///
    /// # Errors
    /// [`StoreError::Layout`] if a feed that is referred to has no record yet, so that every row would be refused, or keeps
    /// its column in another way than the one that refers to it. It names both fields, and says what to do.
    pub fn open(state_dir: &Path, layout: &Layout) -> Result<Option<Self>, StoreError> {
        let referring = |(at, field): (usize, &'_ Field)| {
            Some((at, field.name.clone(), storage(field.kind), field.rules.references.clone()?))
        };
        let wanted: Vec<_> = layout.fields.iter().enumerate().filter_map(referring).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let cache = schema::open_to_read(&state_dir.join(state_dir::CACHE))?;
        let columns = wanted.into_iter().map(|(at, name, kept, to)| {
            let sql = look_up(&cache, &name, kept, &to)?;
            Ok(Column { at, to, sql })
        });
        let columns = columns.collect::<Result<_, StoreError>>()?;
        Ok(Some(Self { cache, columns }))
    }

    /// The first column of a row whose value no living record has, and where it should be; `None` if all that it refers to
    /// is there. An empty column refers to nothing, and neither does a deletion.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be looked up.
    pub fn missing(
        &self,
        batch: &Batch,
        row: usize,
    ) -> Result<Option<(usize, &Reference)>, StoreError> {
        if batch.is_gone(row) {
            return Ok(None);
        }
        for Column { at, to, sql } in &self.columns {
            let value = match batch.at(row, *at) {
                Value::Null => continue,
                Value::Integer(number) => ToSqlOutput::from(number),
                Value::Text(text) => ToSqlOutput::from(text),
            };
            if !self.cache.prepare_cached(sql)?.exists([value])? {
                return Ok(Some((*at, to)));
            }
        }
        Ok(None)
    }
}

/// The statement that finds a value of `field`, which is `kept` in that way.
fn look_up(
    cache: &Connection,
    field: &str,
    kept: &str,
    Reference { feed, column }: &Reference,
) -> Result<String, StoreError> {
    let table = Table::find_of(cache, feed)?.filter(|table| table.rows > 0);
    let Some(table) = table else {
        return Err(StoreError::Layout(format!(
            "field {field:?} refers to {column:?} of {feed}, which has no record yet, so that every row would be refused; \
             read {feed} first"
        )));
    };
    let its = table.layout().key_fields().next().filter(|its| its.name == *column);
    let Some(its) = its.filter(|its| storage(its.kind) == kept) else {
        return Err(StoreError::Layout(format!(
            "field {field:?} is kept as {kept} and refers to {column:?} of {feed}, which is kept otherwise or is no key there; \
             type both alike, or name its key"
        )));
    };
    let (table, column) = (table.quoted(), quoted(&its.name));
    Ok(format!("SELECT 1 FROM {table} WHERE {column} = ? AND _deleted IS NULL LIMIT 1"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        feed::FieldType,
        id::RunId,
        store::{Store, cache::Ended},
    };

    fn layout(fields: &[(&str, FieldType)], to: Option<&str>) -> Layout {
        let mut fields: Vec<_> =
            fields.iter().map(|(name, kind)| Field::new(*name, *kind)).collect();
        let key = fields[0].name.clone();
        let last = fields.last_mut().unwrap();
        last.rules.references = to.map(|column| Reference {
            feed: "courts/families".parse().unwrap(),
            column: column.to_owned(),
        });
        Layout::new(fields, &[key]).unwrap()
    }

    fn rows(layout: &Layout, rows: &[(&str, Option<&str>, bool)]) -> Batch {
        let mut batch = Batch::new(layout, 7);
        for (id, other, gone) in rows {
            let mut row = batch.row();
            row.text(id);
            row.value(other.map_or(Value::Null, Value::Text));
            if *gone { row.finish_gone() } else { row.finish() }
        }
        batch
    }

    #[test]
    fn a_row_refers_to_a_living_record_of_another_feed_by_its_key() {
        use FieldType::{Integer, Text};
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let store = Store::open(&state).unwrap();
        let cases = layout(&[("no", Text), ("family", Text)], Some("id"));
        let open = |layout: &Layout| References::open(&state, layout);
        assert!(open(&layout(&[("no", Text), ("family", Text)], None)).unwrap().is_none());
        let unready = open(&cases).unwrap_err().to_string();
        assert!(unready.contains("which has no record yet"), "never read: {unready}");

        let families = layout(&[("id", Text), ("name", Text)], None);
        let feed: crate::id::FeedId = "courts/families".parse().unwrap();
        let brought =
            rows(&families, &[("f1", None, false), ("f2", None, false), ("f3", None, false)]);
        let gone = rows(&families, &[("f2", None, true)]);
        store
            .cache
            .call_blocking(move |cache| {
                cache.prepare(&feed, &families)?;
                for (run, batch) in [(1, brought), (2, gone)] {
                    let at = Timestamp::UNIX_EPOCH;
                    cache.begin_load(&feed, RunId(run), crate::store::cache::Manner::default())?;
                    cache.load(&feed, &batch, at)?;
                    cache.finish_files(&feed, &[], at, |counts| Ended::of(RunId(run), counts))?;
                }
                Ok(())
            })
            .unwrap();
        let batch = rows(
            &cases,
            &[
                ("c1", Some("f1"), false),
                ("c2", Some("f2"), false),
                ("c3", None, false),
                ("c4", Some("f9"), false),
                ("c5", Some("f9"), true),
                ("c6", Some("' OR 1 --"), false),
            ],
        );
        let references = open(&cases).unwrap().unwrap();
        for (row, missing, why) in [
            (0, false, "it is there"),
            (1, true, "it was deleted"),
            (2, false, "nothing refers to nothing"),
            (3, true, "it never was"),
            (4, false, "a deletion refers to nothing"),
            (5, true, "a value is no statement"),
        ] {
            let found = references.missing(&batch, row).unwrap();
            assert_eq!(
                found.map(|(at, to)| (at, to.column.as_str())),
                missing.then_some((1, "id")),
                "{why}"
            );
        }
        for (kind, column, why) in [(Integer, "id", "kept otherwise"), (Text, "name", "no key")] {
            let other = layout(&[("no", Text), ("family", kind)], Some(column));
            let said = open(&other).unwrap_err().to_string();
            assert!(said.contains("type both alike, or name its key"), "{why}: {said}");
        }
    }
}

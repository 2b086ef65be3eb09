//! Rows that are parts of their records: put together with what is there, before anything is compared.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params_from_iter, types};

use super::table::Table;
use crate::{
    record::{Batch, Value},
    store::StoreError,
};

/// `batch` with every part made whole: from an earlier row of the batch, else from the first of `tables` that has its key. A
/// record that is not there, or is deleted, begins with what the part brings.
pub(super) fn put_together(
    db: &Connection,
    tables: &[&Table],
    batch: &Batch,
) -> Result<Batch, StoreError> {
    let mut whole = batch.emptied();
    let mut last: HashMap<u64, usize> = HashMap::new();
    for (index, hash) in batch.hashes().iter().enumerate() {
        let there = match last.get(&hash.key) {
            _ if !batch.is_part(index) => Vec::new(),
            Some(row) if whole.is_gone(*row) => Vec::new(),
            Some(row) => whole.values(*row).map(owned).collect(),
            None => stored(db, tables, batch, index)?,
        };
        let mut row = whole.row();
        for (column, value) in batch.values(index).enumerate() {
            match (value, there.get(column)) {
                (Value::Null, Some(types::Value::Integer(number))) => row.integer(*number),
                (Value::Null, Some(types::Value::Text(text))) => row.text(text),
                (value, _) => row.value(value),
            }
        }
        if hash.is_gone() {
            row.finish_gone();
        } else {
            row.finish();
        }
        last.insert(hash.key, index);
    }
    Ok(whole)
}

fn owned(value: Value<'_>) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Integer(number) => types::Value::Integer(number),
        Value::Text(text) => types::Value::Text(text.to_owned()),
    }
}

/// The values of the living record of a row's key.
fn stored(
    db: &Connection,
    tables: &[&Table],
    batch: &Batch,
    index: usize,
) -> Result<Vec<types::Value>, StoreError> {
    for table in tables {
        let key = batch.key().iter().map(|&column| owned(batch.at(index, column)));
        let width = table.layout().fields.len();
        let mut read = db.prepare_cached(&table.read())?;
        let found = read.query_row(params_from_iter(key), |row| {
            if row.get::<_, Option<i64>>(width)?.is_some() {
                return Ok(Vec::new());
            }
            (0..width).map(|column| row.get(column)).collect()
        });
        if let Some(found) = found.optional()? {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::{
        feed::{Field, FieldType},
        id::{FeedId, RunId},
        record::{Batch, Layout, Value},
        run::Counts,
        store::cache::{Cache, Manner, PageEnd},
    };

    /// A row of a test: its key, its value and its note, and how it is finished.
    type Row<'a> = (&'a str, Option<i64>, Option<&'a str>, How);

    #[derive(Clone, Copy)]
    enum How {
        Whole,
        Part,
        Gone,
    }
    use How::{Gone, Part, Whole};

    #[test]
    fn a_part_changes_what_it_carries_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = Cache::open(&folder.path().join("cache.db")).unwrap();
        let fields = vec![
            Field::new("id", FieldType::Text),
            Field::new("n", FieldType::Integer),
            Field::new("note", FieldType::Text),
        ];
        let layout = Layout::new(fields, &["id".to_owned()]).unwrap();
        let feed: FeedId = "health/doses".parse().unwrap();
        cache.prepare(&feed, &layout).unwrap();
        let mut run = 0;
        let mut page = |rows: &[Row<'_>]| -> Counts {
            let mut batch = Batch::new(&layout, cache.seed());
            for (id, number, note, how) in rows {
                let mut row = batch.row();
                row.text(id);
                row.value(number.map_or(Value::Null, Value::Integer));
                row.value(note.map_or(Value::Null, Value::Text));
                match how {
                    Whole => row.finish(),
                    Part => row.finish_part(),
                    Gone => row.finish_gone(),
                }
            }
            run += 1;
            cache.begin_pages(&feed, RunId(run), Manner::default()).unwrap();
            let at = Timestamp::UNIX_EPOCH;
            let counts = cache.apply_page(&feed, &batch, at, |_| PageEnd::Broken).unwrap();
            cache.end(&feed).unwrap();
            counts
        };
        let first = page(&[("a", Some(1), Some("x"), Whole), ("b", Some(2), None, Part)]);
        assert_eq!(first.inserted, 2, "what is not there begins with its part");
        let again = page(&[("a", Some(1), None, Part), ("b", None, None, Part)]);
        assert_eq!(again.unchanged, 2, "nothing new is carried");
        let next = page(&[
            ("a", None, Some("y"), Part),
            ("a", Some(3), None, Part),
            ("b", Some(5), None, Whole),
            ("c", Some(7), Some("z"), Whole),
        ]);
        assert_eq!((next.updated, next.inserted, next.duplicate), (2, 1, 1));
        page(&[("c", None, None, Gone), ("c", None, Some("anew"), Part), ("b", None, None, Whole)]);
        let mut read =
            cache.db.prepare("SELECT id, n, note FROM health__doses ORDER BY id").unwrap();
        let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let rows: Vec<(String, Option<i64>, Option<String>)> =
            rows.unwrap().collect::<Result<_, _>>().unwrap();
        let row = |id: &str, n, note: Option<&str>| (id.to_owned(), n, note.map(str::to_owned));
        assert_eq!(
            rows,
            [row("a", Some(3), Some("y")), row("b", None, None), row("c", None, Some("anew"))],
            "a whole record wipes, and what was deleted is not put together with"
        );
    }
}

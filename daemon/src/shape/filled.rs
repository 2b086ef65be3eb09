//! Columns in which nothing stands any more. A member that a partner leaves out of all records, or calls otherwise, makes no
//! row bad: each of them looks like one without that value.

use std::collections::BTreeSet;

use marsad_shared::record::{Batch, Layout, Value};

/// With fewer rows nothing is said.
const ROWS_MIN: u64 = 20;

/// In which columns the rows of a run have values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    rows: u64,
    /// By column: something stood there, or it was asked already whether that is usual.
    known: Vec<bool>,
}

impl Filled {
    /// Adds rows. Deletions have no more than their key, and parts no more than what changed.
    pub fn add(&mut self, batch: &Batch) {
        if batch.has_parts() {
            return;
        }
        let rows: Vec<usize> = (0..batch.len()).filter(|row| !batch.is_gone(*row)).collect();
        self.rows += rows.len() as u64;
        let (is_read, unread) = (|row: &&usize| !batch.is_unread(**row), batch.filled_unread());
        let width = batch.cells_len().checked_div(batch.len()).unwrap_or_default();
        if self.known.len() < width {
            self.known.resize(width, false);
        }
        for (column, known) in self.known.iter_mut().enumerate().filter(|(_, known)| !**known) {
            let stands = |row: &usize| batch.at(*row, column) != Value::Null;
            *known =
                column < 64 && unread >> column & 1 == 1 || rows.iter().filter(is_read).any(stands);
        }
    }

    /// The rows so far, with the columns that none of them has, and of which it was not asked yet; those that need not be
    /// there are none.
    pub fn ask(&mut self, layout: &Layout, gone: &BTreeSet<String>) -> Vec<String> {
        if self.rows < ROWS_MIN {
            return Vec::new();
        }
        let empty = self.known.iter_mut().zip(&layout.fields).filter(|(known, _)| !**known);
        let asked = empty.map(|(known, field)| {
            *known = true;
            field.name.clone()
        });
        asked.filter(|name| !gone.contains(name)).collect()
    }

    /// The columns that none of the rows has, however few those are, but for those that need not be there.
    pub fn lacking(&self, layout: &Layout, gone: &BTreeSet<String>) -> Vec<String> {
        let empty = self.known.iter().zip(&layout.fields).filter(|(known, _)| !**known);
        empty.map(|(_, field)| field.name.clone()).filter(|name| !gone.contains(name)).collect()
    }

    /// How many rows there were.
    pub const fn rows(&self) -> u64 {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use marsad_shared::feed::{Field, FieldType};

    use super::*;

    #[test]
    fn a_column_without_a_value_in_many_rows_is_asked_about_once() {
        let fields = ["id", "a", "b"].map(|name| Field::new(name, FieldType::Text)).to_vec();
        let layout = Layout::new(fields, &["id".to_owned()]).unwrap();
        let batch = |rows: usize, a: Option<&str>, gone: bool| {
            let mut batch = Batch::new(&layout, 7);
            for number in 0..rows {
                let mut row = batch.row();
                row.text(&number.to_string());
                row.value(a.map_or(Value::Null, Value::Text));
                row.null();
                if gone { row.finish_gone() } else { row.finish() }
            }
            batch
        };
        let none = BTreeSet::new();
        let mut filled = Filled::default();
        filled.add(&batch(19, None, false));
        assert_eq!(filled.ask(&layout, &none), [""; 0], "too few to tell");
        filled.add(&batch(30, None, true));
        assert_eq!(filled.ask(&layout, &none), [""; 0], "deletions have no values");
        filled.add(&batch(1, Some("x"), false));
        assert_eq!((filled.ask(&layout, &none), filled.rows()), (vec!["b".to_owned()], 20));
        filled.add(&batch(20, None, false));
        assert_eq!(filled.ask(&layout, &none), [""; 0], "once");
        let mut filled = Filled::default();
        filled.add(&batch(20, None, false));
        let gone = BTreeSet::from(["a".to_owned()]);
        assert_eq!(
            filled.ask(&layout, &gone),
            ["b"],
            "of those that may be missing, nothing is asked"
        );
    }
}

//! Rows that do not fit their columns: why each is refused, and what it says of the columns where it is many of them.

use std::collections::{BTreeMap, BTreeSet};

use marsad_shared::{
    drift::{Change, Drift},
    record::Layout,
};

/// Fewer rows of a run say nothing of its columns.
const ROWS_MIN: u64 = 20;

/// Why a row is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub field: Option<String>,
    pub reason: String,
    pub misfit: Misfit,
    /// It is no record that could be told from another: it may be something else in the place of one.
    pub strange: bool,
}

/// What a refusal says of its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// What stands there is not of its type.
    Retyped,
    /// Nothing stands there, and something must.
    Missing,
    /// It is a matter of this row alone.
    Row,
}

impl Refused {
    /// A row that is refused for what it is as a whole.
    pub fn whole(reason: impl Into<String>) -> Self {
        Self { field: None, reason: reason.into(), misfit: Misfit::Row, strange: false }
    }

    /// One that is no record at all.
    pub fn stranger(reason: impl Into<String>) -> Self {
        Self { strange: true, ..Self::whole(reason) }
    }
}

/// What a person approved of columns that came otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approved {
    /// Columns that need not be there.
    pub gone: BTreeSet<String>,
    /// Columns of which rows with another type are refused one by one, however many they are.
    pub retyped: BTreeSet<String>,
}

/// The rows of a run, and how many of them did not fit which column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misfits {
    rows: u64,
    /// Whether one of them was no record that could be told from another, and whether a record came behind it.
    strange: bool,
    strange_within: bool,
    columns: BTreeMap<String, Column>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Column {
    retyped: u64,
    missing: u64,
}

impl Misfits {
    /// Counts a row, taken or refused.
    pub fn count(&mut self, shaped: &Result<(), Refused>) {
        self.rows += 1;
        let strange = shaped.as_ref().is_err_and(|refused| refused.strange);
        self.strange_within |= self.strange && !strange;
        self.strange |= strange;
        let Err(Refused { field, misfit, .. }) = shaped else { return };
        let Some(field) = field else { return };
        let many = match self.columns.get_mut(field) {
            Some(column) => column,
            None => self.columns.entry(field.clone()).or_default(),
        };
        many.retyped += u64::from(*misfit == Misfit::Retyped);
        many.missing += u64::from(*misfit == Misfit::Missing);
    }

    /// Adds the rows of another page or piece.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        for (field, column) in &other.columns {
            let all = self.columns.entry(field.clone()).or_default();
            all.retyped += column.retyped;
            all.missing += column.missing;
        }
    }

    /// Whether rows that were read together end with what is no record that could be told from another, and have none such
    /// elsewhere: it may be something else in the place of one, such as the words of an error, and then there is no telling
    /// what it cut short.
    pub const fn end_is_strange(&self) -> bool {
        self.strange && !self.strange_within
    }

    /// The columns that came otherwise, with that in words: of another type in at least half of the rows, or a column of
    /// the key in none of them. What was approved is no surprise, and fewer than 20 rows tell nothing.
    pub fn drift(&self, layout: &Layout, approved: &Approved) -> Option<(Vec<Drift>, String)> {
        if self.rows < ROWS_MIN {
            return None;
        }
        let (mut drift, mut words) = (Vec::new(), Vec::new());
        let is_key = |field: &str| layout.key_fields().any(|key| key.name == field);
        for (field, column) in &self.columns {
            let rows = self.rows;
            let change = if column.missing == rows && is_key(field) {
                words.push(format!("field {field:?}, of the key, stands in none of {rows} rows"));
                Change::Gone
            } else if column.retyped * 2 >= rows && !approved.retyped.contains(field) {
                let retyped = column.retyped;
                words.push(format!(
                    "field {field:?} is not of its type in {retyped} of {rows} rows"
                ));
                Change::Retyped
            } else {
                continue;
            };
            drift.push(Drift { field: field.clone(), change, kind: None });
        }
        (!drift.is_empty()).then(|| (drift, words.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use marsad_shared::feed::{Field, FieldType};

    use super::*;

    #[test]
    fn many_rows_that_do_not_fit_say_that_the_column_is_another() {
        use Misfit::{Missing, Retyped, Row};
        let fields = ["id", "n"].map(|name| Field::new(name, FieldType::Integer)).to_vec();
        let layout = Layout::new(fields, &["id".to_owned()]).unwrap();
        let approved = |retyped: &[&str]| Approved {
            retyped: retyped.iter().map(|field| (*field).to_owned()).collect(),
            ..Approved::default()
        };
        for (rows, bad, field, misfit, nodded, expected, why) in [
            (20, 20, "n", Retyped, &[][..], Some(Change::Retyped), "all of them"),
            (40, 20, "n", Retyped, &[], Some(Change::Retyped), "half"),
            (41, 20, "n", Retyped, &[], None, "less than half"),
            (19, 19, "n", Retyped, &[], None, "too few to tell"),
            (40, 40, "n", Retyped, &["n"], None, "it was approved"),
            (40, 40, "n", Row, &[], None, "for what it holds, not for its type"),
            (40, 40, "n", Missing, &[], None, "a column that must be there, and is not the key"),
            (40, 40, "id", Missing, &[], Some(Change::Gone), "the key is gone"),
            (40, 39, "id", Missing, &[], None, "some have it"),
            (40, 40, "id", Missing, &["id"], Some(Change::Gone), "nobody can do without a key"),
        ] {
            let (mut one, mut other) = (Misfits::default(), Misfits::default());
            for row in 0..rows {
                let refused = Refused {
                    field: Some(field.to_owned()),
                    reason: String::new(),
                    misfit,
                    strange: false,
                };
                let shaped = if row < bad { Err(refused) } else { Ok(()) };
                if row % 2 == 0 { one.count(&shaped) } else { other.count(&shaped) }
            }
            one.add(&other);
            let found = one.drift(&layout, &approved(nodded));
            let change = found.as_ref().map(|(drift, _)| drift[0].change);
            assert_eq!(change, expected, "{why}: {found:?}");
        }
    }
}

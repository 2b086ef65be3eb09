//! What records have beside the feed's columns: names, how many values, and of which kind; and how many were taken with a
//! day that is another one in the other calendar. Never a value.

use std::collections::{BTreeMap, BTreeSet};

use marsad_shared::{
    feed::{Deleted, Feed, FieldType},
    mask::{MASK, holds_card},
    partner::Cover,
    record::Spelling,
    untrusted::settled_at_most,
};

/// So many records of a page, or of a piece of a file, are looked through: a name that is new is soon met.
const LOOKED: usize = 500;
/// So many names are kept of a run: records whose names are themselves data have no end of them.
const NAMES_MAX: usize = 200;
/// So many names are said, in [`NAME_MAX`] characters each.
const NAMED: usize = 8;
const NAME_MAX: usize = 60;

/// What was met beside the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    names: BTreeMap<String, Met>,
    /// What structures the records are of, where the message says so.
    structures: BTreeSet<String>,
    /// By Hijri column: rows whose day is the one before or behind that of the other calendar.
    days_off: BTreeMap<String, u64>,
    /// How the times of the feed's cursor are written; `None`: none was met.
    pub spelling: Option<Spelling>,
    looks: Looks,
}

/// What was met under one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// As far as records were looked through: all of them where an agreement covers only some fields.
    pub values: u64,
    /// `None`: nothing ever stood there.
    pub kind: Option<FieldType>,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks {
    /// In how many records more.
    left: usize,
    /// Names that tell nothing of a record.
    unlisted: &'static [&'static str],
    /// What `OData` says about its data, `@odata.etag` and its like, is no data.
    annotated: bool,
}

impl Looks {
    /// What is looked for in records of `feed`.
    pub(super) fn of(feed: &Feed) -> Self {
        // What was dropped is counted, all of it.
        let left = if feed.cover == Cover::All { LOOKED } else { usize::MAX };
        let annotated = feed.deleted == Some(Deleted::OData);
        Self { left, unlisted: feed.unlisted, annotated }
    }

    pub(super) fn passes_over(&self, name: &str) -> bool {
        self.annotated && name.contains('@')
            || self.unlisted.contains(&name)
            || name.trim().is_empty()
    }
}

impl Beside {
    pub(super) fn looking(looks: Looks) -> Self {
        Self { looks, ..Self::default() }
    }

    /// Itself, while it looks; each record that it looks into is counted.
    pub(super) fn next(&mut self) -> Option<&mut Self> {
        self.looks.left = self.looks.left.checked_sub(1)?;
        Some(self)
    }

    /// Something of that kind stands under a name that is no column; `None`: nothing does.
    pub(super) fn note(&mut self, name: &str, kind: Option<FieldType>) {
        // Of records whose names are themselves data, they may be about a person.
        let name = if holds_card(name) { MASK } else { name };
        if let Some(met) = self.names.get_mut(name) {
            return met.add(u64::from(kind.is_some()), kind);
        }
        if self.looks.passes_over(name) || self.names.len() >= NAMES_MAX {
            return;
        }
        let met = self.names.entry(name.to_owned()).or_default();
        met.add(u64::from(kind.is_some()), kind);
    }

    /// A row is taken whose day in this Hijri column is a day from that of the other calendar.
    pub(super) fn note_day_off(&mut self, column: &str) {
        match self.days_off.get_mut(column) {
            Some(rows) => *rows += 1,
            None => drop(self.days_off.insert(column.to_owned(), 1)),
        }
    }

    /// A time of the feed's cursor is written so.
    pub(super) fn note_spelling(&mut self, spelling: Spelling) {
        self.spelling = Some(self.spelling.map_or(spelling, |known| known.with(spelling)));
    }

    /// All names, with what was met under them.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Met)> {
        self.names.iter().map(|(name, met)| (name.as_str(), met))
    }

    /// The records are of a structure that is called so.
    pub fn note_structure(&mut self, name: &str) {
        if self.structures.len() < NAMED {
            self.structures.insert(name.to_owned());
        }
    }

    /// What structures the records are of: few, whatever came.
    pub const fn structures(&self) -> &BTreeSet<String> {
        &self.structures
    }

    /// Adds what was met elsewhere in the run.
    pub fn add(&mut self, other: Self) {
        for name in &other.structures {
            self.note_structure(name);
        }
        if let Some(spelling) = other.spelling {
            self.note_spelling(spelling);
        }
        for (column, rows) in other.days_off {
            *self.days_off.entry(column).or_default() += rows;
        }
        for (name, Met { values, kind }) in other.names {
            if self.names.len() < NAMES_MAX || self.names.contains_key(&name) {
                self.names.entry(name).or_default().add(values, kind);
            }
        }
    }

    /// What somebody should know of it, in words: what was dropped because the agreement does not cover it, and what was
    /// taken with days that differ.
    pub fn notes(&self, cover: &Cover) -> impl Iterator<Item = String> {
        let days_off = self.days_off.iter().map(|(column, rows)| {
            let rows =
                if *rows == 1 { "1 row was".to_owned() } else { format!("{rows} rows were") };
            let column = settled_at_most(column, NAME_MAX);
            format!("{rows} taken whose {column} is a day from the date of the other calendar")
        });
        self.outside(cover).into_iter().chain(days_off)
    }

    /// What was dropped because the agreement does not cover it.
    pub fn outside(&self, cover: &Cover) -> Option<String> {
        let outside: Vec<_> = self.names.iter().filter(|(name, _)| !cover.has(name)).collect();
        if outside.is_empty() {
            return None;
        }
        let values: u64 = outside.iter().map(|(_, met)| met.values).sum();
        let fields = match outside.len() {
            1 => "1 field outside the agreement was dropped".to_owned(),
            many => format!("{many} fields outside the agreement were dropped"),
        };
        let names: Vec<_> =
            outside.iter().map(|(name, _)| settled_at_most(name, NAME_MAX)).collect();
        let more = if names.len() > NAMED { ", …" } else { "" };
        let names = names.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        let values = if values == 1 { "1 value".to_owned() } else { format!("{values} values") };
        Some(format!("{fields} with {values}: {names}{more}"))
    }
}

impl Met {
    fn add(&mut self, values: u64, kind: Option<FieldType>) {
        self.values += values;
        self.kind = match (self.kind, kind) {
            (Some(one), Some(other)) => Some(one.or(other)),
            (one, other) => one.or(other),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looking(left: usize) -> Beside {
        Beside::looking(Looks { left, unlisted: &["_id"], annotated: true })
    }

    #[test]
    fn names_are_counted_with_the_kind_that_holds_all_that_stood_there() {
        let mut beside = looking(9);
        for (name, kind) in [
            ("n", Some(FieldType::Integer)),
            ("n", None),
            ("n", Some(FieldType::Decimal)),
            ("@odata.etag", Some(FieldType::Text)),
            ("_id", Some(FieldType::Integer)),
            (" ", Some(FieldType::Text)),
            ("empty", None),
            ("784-0000-1234567-6", Some(FieldType::Integer)),
            ("٧٨٤٠٠٠٠١٢٣٤٥٦٧٦", Some(FieldType::Integer)),
        ] {
            beside.note(name, kind);
        }
        let mut other = looking(9);
        other.note("n", Some(FieldType::Text));
        beside.add(other);
        let met: Vec<_> =
            beside.names.iter().map(|(name, met)| (name.as_str(), met.values, met.kind)).collect();
        let person = ("•••", 2, Some(FieldType::Integer));
        assert_eq!(met, [("empty", 0, None), ("n", 3, Some(FieldType::Text)), person]);
    }

    #[test]
    fn only_so_many_records_are_looked_through_and_names_kept() {
        let mut beside = looking(2);
        let looked = (0..5).filter(|_| beside.next().is_some()).count();
        assert_eq!(looked, 2);
        (0..NAMES_MAX + 5).for_each(|n| beside.note(&format!("n{n}"), None));
        beside.note("n1", Some(FieldType::Text));
        assert_eq!(beside.names.len(), NAMES_MAX);
        assert_eq!(beside.names["n1"].values, 1, "what is kept is counted on");
    }

    #[test]
    fn what_was_dropped_is_said_by_its_names_alone() {
        let mut beside = looking(9);
        assert_eq!(beside.outside(&Cover::All), None);
        beside.note("a\u{1b}[2J", Some(FieldType::Text));
        let only = |names: &[&str]| Cover::Only(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(
            beside.outside(&only(&[])).unwrap(),
            "1 field outside the agreement was dropped with 1 value: a<U+1B>[2J"
        );
        assert_eq!(beside.outside(&Cover::All), None, "where all is covered nothing is dropped");
        (0..NAMED).for_each(|n| beside.note(&format!("b{n}"), None));
        assert_eq!(
            beside.outside(&only(&["b0"])).unwrap(),
            "8 fields outside the agreement were dropped with 1 value: a<U+1B>[2J, b1, b2, b3, b4, b5, b6, b7"
        );
        assert!(beside.outside(&only(&[])).unwrap().ends_with("b6, …"), "and no more than {NAMED}");
    }

    #[test]
    fn rows_with_days_that_differ_are_counted_by_their_column() {
        let mut beside = looking(0);
        beside.note_day_off("left_h");
        let mut other = looking(0);
        for column in ["visited_h\u{1b}", "left_h"] {
            other.note_day_off(column);
        }
        beside.add(other);
        assert_eq!(
            beside.notes(&Cover::All).collect::<Vec<_>>(),
            [
                "2 rows were taken whose left_h is a day from the date of the other calendar",
                "1 row was taken whose visited_h<U+1B> is a day from the date of the other calendar",
            ]
        );
    }
}

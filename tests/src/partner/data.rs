//! What a partner knows: rows that follow from a seed, and that grow and change when told to.
//!
//! A row is a function of seed, number and version, so that a million of them need no memory of their own. Values
//! are chosen so that the bank keeps them as they are: comparing needs no second opinion about types.

mod agencies;

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::{Timestamp, civil::Date};
use marsad_shared::feed::FieldType;
use serde_json::{Map, Value};

pub use agencies::{ENROLMENTS, INCOME, NOTICES, REFERRALS, REQUESTS, VISITS};

use super::random::{self, Random};

/// One dataset of one partner.
#[derive(Debug)]
pub struct Dataset {
    /// The feed's name.
    pub feed: &'static str,
    pub columns: &'static [Column],
}

/// One column: how it is called, typed and made. The first is the key, the last the time of change.
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: FieldType,
    pub sensitive: bool,
    pub make: Make,
}

/// How a column's values are made.
#[derive(Clone, Copy, Debug)]
pub enum Make {
    /// These letters and the row's number.
    Key(&'static str),
    /// A family's reference: several rows share one.
    Family,
    /// One of these, for ever.
    One(&'static [&'static str]),
    /// One of these, another with each version.
    State(&'static [&'static str]),
    /// A whole number below this, another with each version.
    Number(u64),
    /// An amount with two decimals.
    Amount,
    Day,
    Flag,
    /// An Emirates ID that passes its check.
    EmiratesId,
    /// When the row was last changed.
    Changed,
}

/// One value, as the bank keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    Null,
    Integer(i64),
    Text(String),
}

/// A row: one cell a column.
pub type Row = Vec<Cell>;

/// All rows of a dataset, as the partner has them now.
#[derive(Clone, Debug)]
pub struct Truth {
    pub dataset: &'static Dataset,
    seed: u64,
    /// By row: its version and the tick of its last change.
    rows: Vec<(u32, u64)>,
    /// By tick: the row that changed then last.
    order: BTreeMap<u64, u64>,
    tick: u64,
    random: Random,
}

/// The first tick's time: long past, so that no clock of a machine under test lies before the data. A tick is a second.
const EPOCH_S: i64 = 1_704_067_200;

impl Truth {
    /// `rows` rows from `seed`.
    pub fn new(dataset: &'static Dataset, seed: u64, rows: u64) -> Self {
        let mut truth = Self {
            dataset,
            seed,
            rows: Vec::new(),
            order: BTreeMap::new(),
            tick: 0,
            random: Random::new(seed),
        };
        truth.grow(rows);
        truth
    }

    /// Adds `rows` new rows.
    pub fn grow(&mut self, rows: u64) {
        for _ in 0..rows {
            self.tick += 1;
            self.order.insert(self.tick, self.len());
            self.rows.push((0, self.tick));
        }
    }

    /// Changes about `rows` rows, chosen by the seed.
    pub fn change(&mut self, rows: u64) {
        for _ in 0..rows {
            let number = self.random.below(self.len());
            self.touch(number);
        }
    }

    /// Changes the row of that number; it is then the one that changed last.
    pub fn touch(&mut self, number: u64) {
        let Some((version, tick)) =
            usize::try_from(number).ok().and_then(|at| self.rows.get_mut(at))
        else {
            return;
        };
        self.order.remove(tick);
        self.tick += 1;
        (*version, *tick) = (*version + 1, self.tick);
        self.order.insert(self.tick, number);
    }

    pub fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of that number; empty past the end.
    pub fn row(&self, number: u64) -> Row {
        let Some((version, tick)) = usize::try_from(number).ok().and_then(|at| self.rows.get(at))
        else {
            return Row::new();
        };
        let make = |(at, column): (usize, &Column)| {
            self.cell(column.make, number, at as u64, *version, *tick)
        };
        self.dataset.columns.iter().enumerate().map(make).collect()
    }

    /// The numbers of rows changed at `since` or later, oldest change first.
    pub fn changed_since(&self, since: Option<Timestamp>) -> impl Iterator<Item = u64> {
        let from =
            since.map_or(0, |since| u64::try_from(since.as_second() - EPOCH_S).unwrap_or_default());
        self.order.range(from..).map(|(_, number)| *number)
    }

    /// The ticks and numbers of at most `most` rows whose last change came after `tick`, oldest first.
    pub fn after(&self, tick: u64, most: usize) -> Vec<(u64, u64)> {
        self.order.range(tick + 1..).take(most).map(|(tick, number)| (*tick, *number)).collect()
    }

    /// The last tick before `since`: what changed after it changed at `since` or later.
    pub fn tick_before(since: Timestamp) -> u64 {
        u64::try_from(since.as_second() - EPOCH_S - 1).unwrap_or_default()
    }

    /// All rows by key.
    pub fn by_key(&self) -> BTreeMap<String, Row> {
        (0..self.len()).map(|number| (self.key(number), self.row(number))).collect()
    }

    /// The key of the row of that number.
    pub fn key(&self, number: u64) -> String {
        match self.dataset.columns.first().map(|column| column.make) {
            Some(Make::Key(letters)) => key(letters, number),
            _ => String::new(),
        }
    }

    fn cell(&self, make: Make, number: u64, column: u64, version: u32, tick: u64) -> Cell {
        let mut stable = random::at(self.seed, [number, column, 0]);
        let mut moving = random::at(self.seed, [number, column, u64::from(version)]);
        Cell::Text(match make {
            Make::Key(letters) => key(letters, number),
            Make::Family => format!("F{:06}", stable.below(self.len() / 3 + 10) % 1_000_000),
            Make::One(all) => stable.one(all).to_owned(),
            Make::State(all) => {
                // One further along with each version, so that a change is one.
                let at = stable.below(all.len() as u64) + u64::from(version);
                let at = usize::try_from(at).unwrap_or_default() % all.len().max(1);
                all.get(at).copied().unwrap_or_default().to_owned()
            }
            Make::Number(end) => {
                return Cell::Integer(i64::try_from(moving.below(end)).unwrap_or_default());
            }
            Make::Flag => return Cell::Integer(i64::from(moving.below(2) == 1)),
            Make::Amount => format!("{}.{:02}", moving.below(50_000), moving.below(100)),
            Make::Day => day(stable.below(3_000)),
            Make::EmiratesId => emirates_id(stable.below(1_000_000_000)),
            Make::Changed => instant(tick),
        })
    }
}

fn key(letters: &str, number: u64) -> String {
    format!("{letters}{number:07}")
}

fn day(number: u64) -> String {
    let first = Date::constant(2018, 1, 1);
    let span = jiff::Span::new().try_days(i64::try_from(number).unwrap_or_default());
    span.and_then(|span| first.checked_add(span)).unwrap_or(first).to_string()
}

fn instant(tick: u64) -> String {
    let second = EPOCH_S.saturating_add_unsigned(tick);
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX).to_string()
}

/// 15 digits, 784 first, the check digit (Luhn) last.
fn emirates_id(number: u64) -> String {
    let body = format!("7841990{number:07}", number = number % 10_000_000);
    let doubled = |(at, byte): (usize, u8)| {
        let digit = u32::from(byte - b'0') * if at % 2 == 0 { 2 } else { 1 };
        if digit > 9 { digit - 9 } else { digit }
    };
    let sum: u32 = body.bytes().rev().enumerate().map(doubled).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

impl Dataset {
    /// The row as a JSON object.
    pub fn json(&self, row: &Row) -> Map<String, Value> {
        let value = |(column, cell): (&Column, &Cell)| {
            let value = match cell {
                Cell::Null => Value::Null,
                Cell::Integer(number) if column.kind == FieldType::Boolean => {
                    Value::Bool(*number != 0)
                }
                Cell::Integer(number) => (*number).into(),
                Cell::Text(text) => text.as_str().into(),
            };
            (column.name.to_owned(), value)
        };
        self.columns.iter().zip(row).map(value).collect()
    }

    /// The header line of a CSV file.
    pub fn csv_header(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        names.join(",") + "\n"
    }

    /// Appends the row as a CSV line.
    pub fn csv_line(&self, row: &Row, into: &mut String) {
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                into.push(',');
            }
            match cell {
                Cell::Null => {}
                Cell::Integer(number) => {
                    let _ = write!(into, "{number}");
                }
                Cell::Text(text) if text.contains(['"', ',', '\n']) => {
                    let _ = write!(into, "\"{}\"", text.replace('"', "\"\""));
                }
                Cell::Text(text) => into.push_str(text),
            }
        }
        into.push('\n');
    }

    /// The name of the column that tells when a row was changed.
    pub fn changed_column(&self) -> &'static str {
        self.columns.last().map_or("", |column| column.name)
    }

    /// The name of the key's column.
    pub fn key_column(&self) -> &'static str {
        self.columns.first().map_or("", |column| column.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_rows() {
        let (a, b) = (Truth::new(&VISITS, 7, 50), Truth::new(&VISITS, 7, 50));
        assert_eq!(a.by_key(), b.by_key());
        assert_ne!(a.by_key(), Truth::new(&VISITS, 8, 50).by_key());
    }

    #[test]
    fn a_changed_row_is_another_and_the_last_in_order() {
        let mut truth = Truth::new(&VISITS, 7, 5);
        let before = truth.row(1);
        truth.touch(1);
        assert_ne!(truth.row(1), before);
        assert_eq!(truth.changed_since(None).collect::<Vec<_>>(), [0, 2, 3, 4, 1]);
        let Some(Cell::Text(at)) = truth.row(4).last().cloned() else { panic!("a time") };
        let since = truth.changed_since(Some(at.parse().unwrap()));
        assert_eq!(since.collect::<Vec<_>>(), [4, 1], "the bound itself is in");
    }

    #[test]
    fn a_made_emirates_id_passes_its_check() {
        for number in [0, 1, 42, 9_999_999] {
            let id = emirates_id(number);
            let digits = id.bytes().rev().enumerate().map(|(at, byte)| {
                let digit = u32::from(byte - b'0') * if at % 2 == 1 { 2 } else { 1 };
                digit / 10 + digit % 10
            });
            assert_eq!((id.len(), digits.sum::<u32>() % 10), (15, 0), "{id}");
        }
    }

    #[test]
    fn csv_quotes_what_would_break_it() {
        let row = vec![Cell::Text("a \"b\", c".to_owned()), Cell::Null, Cell::Integer(3)];
        let mut line = String::new();
        VISITS.csv_line(&row, &mut line);
        assert_eq!(line, "\"a \"\"b\"\", c\",,3\n");
    }
}

//! SDMX-CSV 1.0 and 2.x: a column a component; `labels=both` writes `id: label`, of which the id counts, and `labels=name` a
//! label in a column of its own.

use std::io::Read;

use super::{
    Action, Each, GAP, GAPS, Groups, Key, MEASURE, Observation, Observed, Part, Taker, text,
};
use crate::decode::{
    DecodeError, Flow,
    csv::{self, Dialect, Row},
};
use header::{Header, LAST_UPDATE, Name, id};

pub(super) mod header;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    /// What structure the row is of: the same for all of them.
    Structure,
    /// What nobody asks for.
    Beside,
    Action,
    Dimension(String),
    /// A measure or an attribute.
    Value(String),
    /// What is said of the row itself, or once more.
    Remark(String),
}

/// The columns, in their order.
struct Columns {
    kinds: Vec<Column>,
    /// Whether cells are `id: label`.
    labels: bool,
    /// What a row does that says nothing of it, or that it informs.
    usual: Action,
}

pub(super) fn read(
    bytes: impl Read,
    delimiter: u8,
    key: &Key,
    each: &mut Each<'_>,
) -> Result<(), DecodeError> {
    let dialect = Dialect { delimiter, header_row: 1, encoding: "UTF-8" };
    let mut taker = Taker::new(key, each);
    let mut trouble = None;
    let read = csv::read(
        bytes,
        dialect,
        |names| columns(names, key),
        |columns, row| match take(columns, &row, delimiter, &mut taker) {
            Ok(()) => Flow::More,
            Err(error) => {
                trouble = Some(error);
                Flow::Stop
            }
        },
    );
    match trouble {
        Some(error) => Err(error),
        None => read.map(drop),
    }
}

/// Reads the header, and compares its dimensions with the key.
fn columns(names: &[String], key: &Key) -> Result<Columns, DecodeError> {
    let Some(Header { names, second, labels }) = Header::of(names, |id| key.has(id)) else {
        return Err(DecodeError::Format(
            "it is no SDMX: neither JSON nor XML, nor CSV whose first column is DATAFLOW, STRUCTURE or KEY; see what the answer looks like, and mend `format` or `delimiter`"
                .to_owned(),
        ));
    };
    if key.has(LAST_UPDATE) && names.contains(&Name::Written(LAST_UPDATE.to_owned())) {
        return Err(DecodeError::Layout(format!(
            "\"{LAST_UPDATE}\" says when a row was written, and is no dimension: with it, each update would bring all records once more; take it out of `key` and read all again"
        )));
    }
    // Dimensions stand before the measures.
    let is_key = |name: &Name| name.id().is_some_and(|id| key.has(id));
    let value = names.iter().position(|name| *name == Name::Component(MEASURE.to_owned()));
    let last = value.or_else(|| Some(names.iter().rposition(is_key)? + 1)).unwrap_or(0);
    // Without an action it is a merge (2.x), and one that brings all columns brings whole records.
    let has = |id: &str| names.iter().any(|name| name.id() == Some(id));
    let partial = second && key.without(has).is_some();
    let column = |(at, name): (usize, &Name)| match name {
        Name::Structure => Column::Structure,
        Name::Action => Column::Action,
        Name::Component(id) if at < last => Column::Dimension(id.clone()),
        Name::Component(id) | Name::Written(id) | Name::Again(id) if key.has(id) => {
            Column::Dimension(id.clone())
        }
        Name::Component(id) => Column::Value(id.clone()),
        Name::Again(id) if !key.asks_for(id) => Column::Beside,
        Name::Written(id) | Name::Again(id) => Column::Remark(id.clone()),
        Name::Beside => Column::Beside,
    };
    let kinds: Vec<Column> = names.iter().enumerate().map(column).collect();
    key.check(kinds.iter().filter_map(|column| match column {
        Column::Dimension(id) => Some(id.as_str()),
        _ => None,
    }))?;
    Ok(Columns { kinds, labels, usual: if partial { Action::Merge } else { Action::Keep } })
}

fn is_information(word: &str) -> bool {
    ["i", "information"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn take(
    columns: &Columns,
    row: &Row<'_>,
    delimiter: u8,
    taker: &mut Taker<'_, '_>,
) -> Result<(), DecodeError> {
    let line = Some(row.line());
    let cells = match row.cells() {
        Ok(cells) => cells,
        Err(bad) => {
            return taker.give(Observed::Bad {
                original: row.original(delimiter),
                reason: bad.to_string(),
                line,
            });
        }
    };
    let (mut seen, mut action) = (Observation::default(), columns.usual);
    for (at, column) in columns.kinds.iter().enumerate() {
        let cell = cells.get(at).unwrap_or_default();
        let value = || id(cell, columns.labels).to_owned();
        match column {
            Column::Beside => {}
            // The id before its label, whatever characters are in it.
            Column::Structure => taker.is_of(cell.split(": ").next().unwrap_or_default())?,
            Column::Action | Column::Value(_) | Column::Remark(_) if cell.is_empty() => {}
            Column::Action => match Action::of(Some(&value())) {
                // Informed of: as much as the columns are.
                Ok(Action::Keep) if is_information(&value()) => {}
                Ok(known) => action = known,
                Err(error) => {
                    let (original, reason) = (row.original(delimiter), error.to_string());
                    return taker.give(Observed::Bad { original, reason, line });
                }
            },
            Column::Dimension(id) => seen.dimensions.push(Part { id: id.clone(), value: value() }),
            Column::Value(id) | Column::Remark(id) => {
                let measure = id == MEASURE;
                seen.measured |= measure;
                seen.attributed |= !measure && matches!(column, Column::Value(_));
                let value = value();
                let gap = GAPS.contains(&value.as_str());
                let value = if gap { GAP.to_owned() } else { text(&value) };
                seen.values.push(Part { id: id.clone(), value });
            }
        }
    }
    taker.take(&seen, &Groups::default(), action, line)
}

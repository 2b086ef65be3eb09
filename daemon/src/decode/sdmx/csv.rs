//! SDMX-CSV 1.0 and 2.x: a column a component; `labels=both` writes `id: label`, of which the id counts.

use std::io::Read;

use super::{
    Action, Each, GAP, GAPS, Groups, Key, MEASURE, Observation, Observed, Part, Taker, text,
};
use crate::decode::{
    DecodeError, Flow,
    csv::{self, Dialect, Row},
};

/// When a row was written: what some services add to each, and no attribute.
const UPDATED: &str = "UPDATED";

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    /// What structure the row is of: the same for all of them.
    Structure,
    /// What else is said of that.
    Beside,
    Action,
    Dimension(String),
    Value(String),
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
    let labels = names.iter().any(|name| id(name, true).len() < name.len());
    let ids: Vec<&str> = names.iter().map(|name| id(name, labels)).collect();
    let bare = |name: &str| name.split('[').next().unwrap_or_default().to_owned();
    let second = match ids.first().map(|first| bare(first)).as_deref() {
        Some("DATAFLOW") => false,
        Some("STRUCTURE") => true,
        _ => {
            return Err(DecodeError::Format(
                "it is no SDMX: neither JSON nor XML, nor CSV whose first column is DATAFLOW or STRUCTURE; see what the answer looks like, and mend `format` or `delimiter`"
                    .to_owned(),
            ));
        }
    };
    // Dimensions stand before the measures.
    let value = ids.iter().position(|id| *id == MEASURE);
    let last = value.or_else(|| Some(ids.iter().rposition(|id| key.has(id))? + 1)).unwrap_or(0);
    let column = |(at, id): (usize, &&str)| match *id {
        "STRUCTURE_ID" if second => Column::Structure,
        _ if at == 0 => {
            if second {
                Column::Beside
            } else {
                Column::Structure
            }
        }
        "STRUCTURE_NAME" if second => Column::Beside,
        "ACTION" if second => Column::Action,
        id if key.has(id) || at < last => Column::Dimension(id.to_owned()),
        id => Column::Value(id.to_owned()),
    };
    let kinds: Vec<Column> = ids.iter().enumerate().map(column).collect();
    key.check(kinds.iter().filter_map(|column| match column {
        Column::Dimension(id) => Some(id.as_str()),
        _ => None,
    }))?;
    // Without an action it is a merge (2.x), and one that brings all columns brings whole records.
    let partial = second && key.without(|id| ids.contains(&id)).is_some();
    Ok(Columns { kinds, labels, usual: if partial { Action::Merge } else { Action::Keep } })
}

fn is_information(word: &str) -> bool {
    ["i", "information"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The id before its label.
fn id(written: &str, labels: bool) -> &str {
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '$' | '-' | '.');
    match written.split_once(": ") {
        Some((id, _)) if labels && !id.is_empty() && id.chars().all(is_id) => id,
        _ => written,
    }
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
            Column::Action | Column::Value(_) if cell.is_empty() => {}
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
            Column::Value(id) => {
                let measure = id == MEASURE;
                seen.measured |= measure;
                seen.attributed |= !measure && id != UPDATED;
                let value = value();
                let gap = GAPS.contains(&value.as_str());
                let value = if gap { GAP.to_owned() } else { text(&value) };
                seen.values.push(Part { id: id.clone(), value });
            }
        }
    }
    taker.take(&seen, &Groups::default(), action, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_ends_where_its_label_begins() {
        for (written, expected) in [
            ("FREQ: الدورية", "FREQ"),
            ("M: a: b", "M"),
            ("2026-07-15T06:00:00Z", "2026-07-15T06:00:00Z"),
            ("see (page 3): more", "see (page 3): more"),
            (": x", ": x"),
        ] {
            assert_eq!(id(written, true), expected);
            assert_eq!(id(written, false), written);
        }
    }
}

//! The head of a CSV file: which character parts its cells, which line is the header, and rows to look at.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder};

use super::{
    column::{Cell, Row},
    node::Node,
};
use crate::shape::infer::SAMPLE;

/// A CSV file's head.
pub(super) struct Head {
    pub(super) delimiter: u8,
    /// The line of the header, from 1.
    pub(super) header_row: u64,
    pub(super) names: Vec<String>,
    /// Those that stand there twice, and so cannot be told apart.
    pub(super) twice: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// What cells are parted by, the most usual first.
const DELIMITERS: &[u8] = b",;\t|";
/// Rows that are looked at to find the layout.
const LOOK: usize = 50;

/// The layout of `text`; `None` if it does not look like a table. `cut`: its last row may not be whole.
pub(super) fn head(text: &str, cut: bool) -> Option<Head> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (delimiter, width) = DELIMITERS
        .iter()
        .map(|&delimiter| (delimiter, fit(text, delimiter)))
        .filter(|(_, (_, width))| *width > 1)
        .max_by(|(_, one), (_, other)| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)))
        .map(|(delimiter, (_, width))| (delimiter, width))?;
    let mut reader = reader(text, delimiter);
    let mut record = ByteRecord::new();
    let header_row = loop {
        if !reader.read_byte_record(&mut record).ok()? {
            return None;
        }
        if record.len() == width && record.iter().all(|cell| !cell.is_empty()) {
            // Where it begins is told only of the blank lines before it: it is counted back from its end.
            let breaks = record.as_slice().split(|byte| *byte == b'\n').count() as u64 - 1;
            let (at, end) = (reader.position(), reader.position().byte());
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            // Of CRLF the reader has not counted the second yet.
            let ended = u64::from(text.get(..end).is_some_and(|read| read.ends_with('\n')));
            break at.line().saturating_sub(breaks + ended).max(1);
        }
    };
    let names = cells(&record);
    let twice = twice(&names);
    let mut rows = Vec::new();
    while rows.len() < SAMPLE && reader.read_byte_record(&mut record).unwrap_or(false) {
        if record.len() == width {
            rows.push(row(&names, &twice, &record));
        }
    }
    if cut && reader.is_done() {
        rows.pop();
    }
    Some(Head { delimiter, header_row, names, twice, rows })
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes())
}

/// Which part of the first rows has the most usual width, and that width.
#[expect(clippy::cast_precision_loss, reason = "there are at most LOOK rows")]
fn fit(text: &str, delimiter: u8) -> (f64, usize) {
    let widths: Vec<_> = reader(text, delimiter)
        .byte_records()
        .take(LOOK)
        .filter_map(|record| Some(record.ok()?.len()))
        .collect();
    let often = |width: usize| widths.iter().filter(|&&other| other == width).count();
    let usual = widths.iter().copied().max_by_key(|&width| (often(width), width)).unwrap_or(0);
    (often(usual) as f64 / widths.len().max(1) as f64, usual)
}

fn cells(record: &ByteRecord) -> Vec<String> {
    record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
}

/// The names that stand there more than once, each as it is met for the second time.
fn twice(names: &[String]) -> Vec<String> {
    let mut seen = HashMap::new();
    let mut times = |name| {
        let times = seen.entry(name).or_insert(0);
        *times += 1;
        *times
    };
    names.iter().filter(|name| times(name.trim()) == 2).cloned().collect()
}

fn row(names: &[String], twice: &[String], record: &ByteRecord) -> Row {
    let whole = names.iter().zip(cells(record));
    whole
        .filter(|(name, _)| twice.iter().all(|twice| twice.trim() != name.trim()))
        .map(|(name, value)| Cell {
            from: name.clone(),
            name: name.clone(),
            value: Node::Text(value),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_most_rows() {
        for (text, cut, expected, why) in [
            ("a,b\n1,2\n3,4\n", false, Some((b',', 1, 2, 2)), "plain"),
            ("a;b;c\n1,5;2;3\n2,5;3;4\n", false, Some((b';', 1, 3, 2)), "a decimal comma"),
            ("\u{feff}a\tb\r\n1\t2\r\n", false, Some((b'\t', 1, 2, 1)), "tabs behind a mark"),
            ("A report\n\na,b\n1,2\n", false, Some((b',', 3, 2, 1)), "a title above the header"),
            (
                "A report\r\n\r\na,b\r\n1,2\r\n",
                false,
                Some((b',', 3, 2, 1)),
                "as a spreadsheet writes it",
            ),
            (
                "A,report\r\n1,\r\na,b\r\n1,2\r\n",
                false,
                Some((b',', 1, 2, 3)),
                "the first line that is one",
            ),
            ("A report,\r\na,b\r\n1,2", false, Some((b',', 2, 2, 1)), "right behind the title"),
            ("a,b\n\"x,\ny\",2\n", false, Some((b',', 1, 2, 1)), "a quoted line break"),
            ("a,b\n1,2\n3,4", true, Some((b',', 1, 2, 1)), "its last row is not whole"),
            ("nothing here\nat all\n", false, None, "no table"),
        ] {
            let found = head(text, cut);
            let found = found.map(|h| (h.delimiter, h.header_row, h.names.len(), h.rows.len()));
            assert_eq!(found, expected, "{why}");
        }
    }
}

//! What stands in a table as it stood in the last one is not read again, and comes to the same.

use std::{cell::RefCell, collections::BTreeSet, fmt::Write as _, sync::Arc};

use marsad_daemon::{
    decode::Flow,
    intake::{Intake, Memo, Origins, Recall},
    shape::{Filled, Shaper},
};
use marsad_shared::{
    feed::{Feed, Format},
    record::RowHash,
};
use proptest::prelude::*;

use crate::reading::{feed, lines, shaper};

const KEYS: &str = r#"format = "csv"
key = ["id"]
fields = { id = "text", n = "integer", note = "text" }"#;

/// A table that was read.
struct Read {
    lines: Vec<String>,
    hashes: Vec<RowHash>,
    refused: usize,
    /// How many of its rows were left unread.
    unread: usize,
    /// Columns of which nobody has seen a value.
    empty: Vec<String>,
    memo: Option<Memo>,
}

/// Reads a table beside what the `last` one came to.
fn read(feed: &Feed, shaper: &Arc<Shaper>, table: &str, last: Option<Memo>) -> Read {
    let folder = tempfile::tempdir().unwrap();
    let recall = RefCell::new(Recall::new(last, shaper, folder.path(), 7).unwrap());
    let read = read_with(feed, shaper, table, Some(&recall));
    Read { memo: recall.into_inner().finish(), ..read }
}

fn read_with(feed: &Feed, shaper: &Shaper, table: &str, recall: Option<&RefCell<Recall>>) -> Read {
    let intake = Intake {
        feed,
        shaper,
        format: Format::Csv,
        seed: 7,
        origins: Origins { file: Some("t.csv".to_owned()), ..Origins::default() },
        references: None,
        recall,
    };
    let (mut all, mut hashes, mut refused, mut unread) = (Vec::new(), Vec::new(), 0, 0);
    let mut filled = Filled::default();
    let end = intake.read(table.as_bytes(), |piece| {
        filled.add(&piece.batch);
        unread += (0..piece.batch.len()).filter(|row| piece.batch.is_unread(*row)).count();
        refused += piece.refused.len();
        let typed = shaper.read_on(&piece.batch, 0).unwrap();
        assert_eq!(typed.hashes(), piece.batch.hashes(), "it comes to what was recalled");
        assert!(!typed.has_unread());
        all.extend(lines(&typed));
        hashes.extend(typed.hashes().to_vec());
        Flow::More
    });
    end.unwrap();
    let empty = filled.ask(&shaper.layout, &BTreeSet::new());
    Read { lines: all, hashes, refused, unread, empty, memo: None }
}

fn table(rows: &[(u16, Option<i8>, u8)]) -> String {
    let mut text = "id,n,note\n".to_owned();
    for (id, n, note) in rows {
        let n = n.map_or_else(String::new, |n| if n < 0 { "x".to_owned() } else { n.to_string() });
        let note = match note {
            0 => "",
            1 => " blank ",
            2 => "\"quoted, \"\"so\"\"\"",
            _ => "أسرة",
        };
        let _ = writeln!(text, "{id},{n},{note}");
    }
    text
}

/// What becomes of a row from one table to the next.
#[derive(Clone, Debug)]
enum Edit {
    Stays,
    Goes,
    Changes(Option<i8>),
    Comes(u16),
    Again,
}

fn edited(rows: &[(u16, Option<i8>, u8)], edits: &[Edit]) -> Vec<(u16, Option<i8>, u8)> {
    let mut next = Vec::new();
    for (row, edit) in rows.iter().zip(edits.iter().cycle()) {
        match edit {
            Edit::Stays => next.push(*row),
            Edit::Goes => {}
            Edit::Changes(n) => next.push((row.0, *n, row.2)),
            Edit::Comes(id) => next.extend([(*id, Some(1), 0), *row]),
            Edit::Again => next.extend([*row, *row]),
        }
    }
    next
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        12 => Just(Edit::Stays),
        1 => Just(Edit::Goes),
        2 => prop::option::of(-2_i8..9).prop_map(Edit::Changes),
        1 => (0_u16..80).prop_map(Edit::Comes),
        1 => Just(Edit::Again),
    ]
}

proptest! {
    #[test]
    fn any_table_comes_to_the_same_whether_the_last_one_is_recalled(
        rows in prop::collection::vec((0_u16..60, prop::option::of(-1_i8..9), 0_u8..4), 0..50),
        edits in prop::collection::vec(prop::collection::vec(edit(), 1..20), 1..4),
    ) {
        let feed = feed(KEYS);
        let shaper = Arc::new(shaper(&feed, Format::Csv, b"").unwrap());
        let mut rows = rows;
        let mut memo = read(&feed, &shaper, &table(&rows), None).memo;
        for edits in edits {
            rows = edited(&rows, &edits);
            let text = table(&rows);
            let all = read_with(&feed, &shaper, &text, None);
            let recalled = read(&feed, &shaper, &text, memo.take());
            prop_assert_eq!(&recalled.lines, &all.lines, "{}", text);
            prop_assert_eq!(recalled.hashes, all.hashes);
            prop_assert_eq!((recalled.refused, recalled.empty), (all.refused, all.empty));
            memo = recalled.memo;
        }
    }
}

/// A table of so many rows, of which each that `with` says so has another number.
fn rows(ids: impl Iterator<Item = u32>, with: impl Fn(u32) -> u32) -> String {
    let mut text = "id,n,note\n".to_owned();
    ids.for_each(|id| {
        let _ = writeln!(text, "{id},{},a", with(id));
    });
    text
}

#[test]
fn of_a_large_table_only_what_is_new_or_another_is_read() {
    let feed = feed(KEYS);
    let shaper = Arc::new(shaper(&feed, Format::Csv, b"").unwrap());
    let (all, one) = (|| 0..30_000_u32, |_: u32| 1);
    let last = || read(&feed, &shaper, &rows(all(), one), None).memo;
    for (next, to_read, why) in [
        (rows(all(), one), 0, "as it was"),
        (rows(all(), |id| if id % 1_000 == 0 { 2 } else { 1 }), 30, "some are others"),
        (
            rows(all(), |id| if (5_000..9_000).contains(&id) { 2 } else { 1 }),
            4_000,
            "many in one place are",
        ),
        (rows(all().filter(|id| !(5_000..6_000).contains(id)), one), 0, "some are gone"),
        (rows((40_000..44_000).chain(all()), one), 4_000, "some are new, before all others"),
        (rows(all().chain(40_000..50_000), one), 10_000, "many are new behind them"),
    ] {
        let Read { lines, unread, .. } = read(&feed, &shaper, &next, last());
        assert_eq!(lines.len() - unread, to_read, "{why}");
    }
    let turned = read(&feed, &shaper, &rows((0..30_000).rev(), one), last());
    let Read { lines, unread, .. } = turned;
    assert_eq!((lines.len(), unread), (30_000, 0), "in another order it is read as any table is");
}

#[test]
fn nothing_is_recalled_where_the_columns_or_the_rules_are_others() {
    let feed_of = |keys: &str| feed(&KEYS.replace("note = \"text\" }", keys));
    let table = |header: &str| format!("{header}\n1,2,a\n2,3,b\n");
    let plain = feed_of("note = \"text\" }");
    let made = |feed: &Feed| Arc::new(shaper(feed, Format::Csv, b"").unwrap());
    let one = made(&plain);
    let first = || read(&plain, &one, &table("id,n,note"), None).memo;
    let unread = |feed: &Feed, shaper: &Arc<Shaper>, header: &str, memo| {
        read(feed, shaper, &table(header), memo).unread
    };
    assert_eq!(unread(&plain, &one, "id,n,note", first()), 2, "it would be");
    assert_eq!(unread(&plain, &one, "id,note,n", first()), 0, "another order of columns");
    assert_eq!(unread(&plain, &made(&plain), "id,n,note", first()), 0, "columns made anew");
    for (keys, header) in [
        ("note = \"text\" }\ndeleted = { field = \"gone\", values = [\"y\"] }", "id,n,note,gone"),
        ("note = \"text\" }", "id,n,note,more"),
    ] {
        let feed = feed_of(keys);
        let shaper = made(&feed);
        let text = format!("{header}\n1,2,a,\n");
        let memo = read(&feed, &shaper, &text, None).memo;
        assert_eq!(read(&feed, &shaper, &text, memo).unread, 0, "{keys} {header}");
    }
}

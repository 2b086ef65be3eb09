use super::*;
use crate::feed::Field;

fn layout() -> Layout {
    let fields = ["a", "b", "n"].map(|name| Field::new(name, FieldType::Text)).to_vec();
    Layout::new(fields, &["a".to_owned()]).unwrap()
}

fn push(batch: &mut Batch, a: &str, b: &str, n: i64) {
    let mut row = batch.row();
    row.text(a);
    row.text(b);
    row.integer(n);
    row.finish();
}

#[test]
fn a_layout_is_split_without_losing_its_key_and_version() {
    let fields = ["x", "id", "y", "seq"].map(|name| Field::new(name, FieldType::Text));
    let layout = Layout::new(fields.to_vec(), &["id".to_owned()]).unwrap();
    let layout = layout.versioned(Some("seq")).unwrap();
    let (kept, others) = layout.clone().split(|name| !matches!(name, "x" | "y")).unwrap();
    assert_eq!((kept.fields.len(), &kept.key[..], kept.version), (2, &[0][..], Some(1)));
    assert_eq!(others.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["x", "y"]);
    let lost = layout.clone().split(|name| name != "id");
    assert_eq!(lost.unwrap_err(), NoSuchKey("id".to_owned()));
    assert_eq!(layout.split(|name| name != "seq").unwrap().0.version, None);
}

#[test]
fn a_row_left_unfinished_leaves_no_trace() {
    let mut batch = Batch::new(&layout(), 7);
    push(&mut batch, "x", "y", 1);
    batch.row().text("half");
    push(&mut batch, "z", "w", 2);
    assert_eq!(batch.len(), 2);
    assert_eq!(
        batch.values(1).collect::<Vec<_>>(),
        [Value::Text("z"), Value::Text("w"), Value::Integer(2)]
    );
}

#[test]
fn a_row_that_is_taken_out_again_leaves_its_neighbours_as_they_were() {
    let mut batch = Batch::new(&layout(), 7);
    push(&mut batch, "x", "y", 1);
    let mut row = batch.row();
    row.text("part");
    row.null();
    row.integer(2);
    row.finish_part();
    batch.pop();
    push(&mut batch, "z", "w", 3);
    assert_eq!((batch.len(), batch.has_parts()), (2, false));
    assert_eq!(batch.at(1, 0), Value::Text("z"));
    (0..3).for_each(|_| batch.pop());
    assert!(batch.is_empty() && batch.cells_len() == 0);
}

#[test]
fn a_row_that_is_not_read_bears_what_is_known_of_it() {
    let mut batch = Batch::new(&layout(), 7);
    push(&mut batch, "x", "y", 1);
    assert_eq!((batch.filled_last(), batch.filled_unread()), (0b111, 0));
    let hash = RowHash { key: 3, content: 4 };
    for filled in [0b001, 0b101] {
        let mut row = batch.row();
        row.text("k");
        row.null();
        row.text("١");
        row.finish_unread(hash, filled);
    }
    assert_eq!((batch.hashes()[1], batch.filled_unread()), (hash, 0b101));
    assert_eq!([0, 1, 2].map(|row| batch.is_unread(row)), [false, true, true]);
    batch.retain(|_, row| row != 1);
    assert_eq!([0, 1].map(|row| batch.is_unread(row)), [false, true]);
    batch.pop();
    assert!(!batch.has_unread() && batch.len() == 1);
}

#[test]
fn hashes_tell_rows_apart_by_every_boundary_and_kind() {
    let mut batch = Batch::new(&layout(), 7);
    push(&mut batch, "ab", "c", 1);
    push(&mut batch, "a", "bc", 1);
    push(&mut batch, "ab", "c", 2);
    let mut row = batch.row();
    row.text("ab");
    row.null();
    row.integer(1);
    row.finish();
    let mut contents: Vec<_> = batch.hashes().iter().map(|h| h.content).collect();
    contents.sort_unstable();
    contents.dedup();
    assert_eq!(contents.len(), 4);
    let keys: Vec<_> = batch.hashes().iter().map(|h| h.key).collect();
    assert!(keys[0] == keys[2] && keys[0] == keys[3] && keys[0] != keys[1]);
}

#[test]
fn a_deletion_bears_the_key_of_what_it_deletes_and_no_content() {
    let mut batch = Batch::new(&layout(), 7);
    push(&mut batch, "x", "y", 1);
    let mut row = batch.row();
    row.text("x");
    row.null();
    row.null();
    row.finish_gone();
    let [there, gone] = batch.hashes() else { panic!("two rows") };
    assert_eq!(there.key, gone.key);
    assert_eq!((gone.content, there.is_gone()), (GONE, false));
    assert!(!batch.is_gone(0) && batch.is_gone(1) && !batch.is_gone(2));
}

//! Which columns tell one record from another: where the style says so, those; else a guess.

use marsad_shared::feed::FieldType;

use super::column::{Table, identity, is_change, words};

/// A proposed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) columns: Vec<String>,
    /// Why these, for the comment beside it.
    pub(super) why: &'static str,
}

/// Columns of a key at most: more than that tells nothing of what a record is.
const COLUMNS: usize = 5;

/// The key of a style that has its own.
pub(super) fn given(columns: &[&str]) -> Key {
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    Key { columns, why: "as this style has it" }
}

/// The key that fits the sample best; `None` if there is no column at all.
pub(super) fn guessed(table: &Table<'_>, rows: usize) -> Option<Key> {
    let key = |columns: &[usize], why| {
        let names = columns.iter().filter_map(|&at| table.columns.get(at));
        let columns: Vec<_> = names.map(|column| column.name.clone()).collect();
        (!columns.is_empty()).then_some(Key { columns, why })
    };
    let mut named: Vec<_> = table
        .columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| Some((identity(column)?, at)))
        .filter(|(_, at)| table.is_whole(*at))
        .collect();
    named.sort_unstable();
    if rows > 1
        && let Some((_, at)) = named.iter().find(|(_, at)| table.tells_apart(&[*at]))
    {
        return key(
            &[*at],
            "guess: it is there in each record of the sample, and each has another",
        );
    }
    // A number within something is one of many; a repeated id may be an older version of the same.
    let within = named.first().map(|(_, at)| *at).filter(|at| is_a_number(table, *at) && rows > 1);
    let whole = |other: &usize| is_usable(table, *other) && Some(*other) != within;
    if let Some(at) = within
        && let Some(other) =
            (0..table.columns.len()).filter(whole).find(|other| table.tells_apart(&[*other, at]))
    {
        return key(
            &[other.min(at), other.max(at)],
            "guess: together these differ in each record of the sample",
        );
    }
    // What repeats with something beside it that differs is rather a part of the key; a count of versions is none.
    if let Some((_, at)) = named.first().filter(|(rank, _)| *rank < 3 && rows > 1)
        && let Some(other) = (0..table.columns.len())
            .filter(|other| other != at && is_usable(table, *other) && !is_a_count(table, *other))
            .find(|other| table.tells_apart(&[*at, *other]))
    {
        return key(
            &[*at, other],
            "guess: an id that repeats; together these differ in each record of the sample",
        );
    }
    if let Some((rank, at)) = named.first()
        && (*rank < 3 || rows < 2)
    {
        let why = if rows < 2 {
            "guess, from its name: one record tells no more"
        } else {
            "guess, from its name: some records of the sample have the same"
        };
        return key(&[*at], why);
    }
    let usable: Vec<_> = (0..table.columns.len()).filter(|at| is_usable(table, *at)).collect();
    let of_things = |at: &&usize| table.columns.get(**at).is_some_and(|column| !column.sensitive);
    let things: Vec<_> = usable.iter().filter(of_things).copied().collect();
    let apart = |usable: &[usize]| {
        let firsts = (1..=usable.len().min(COLUMNS)).filter_map(|many| usable.get(..many));
        firsts
            .into_iter()
            .find(|columns| rows > 1 && table.tells_apart(columns))
            .map(<[usize]>::to_vec)
    };
    if let Some(columns) = apart(&things) {
        return key(
            &columns,
            "guess: no column is called an id; together these differ in each record of the sample",
        );
    }
    match apart(&usable) {
        Some(columns) => key(
            &columns,
            "guess, and a poor one: nothing but what is about people tells these records apart, and two of them may have the same; ask \
             the partner what tells one record from another",
        ),
        None => key(
            usable.get(..1).unwrap_or(&[0]),
            "guess: nothing in the sample tells its records apart",
        ),
    }
}

/// Whether a column may be of a key: there in each record, and of a type that is written in one way alone.
fn is_usable(table: &Table<'_>, at: usize) -> bool {
    let column = table.columns.get(at);
    let kind = column.map(|column| column.kind);
    // When a record changed last is no part of what it is.
    table.is_whole(at)
        && !column.is_some_and(is_change)
        && !matches!(kind, None | Some(FieldType::Json | FieldType::Decimal | FieldType::Boolean))
}

/// Whether a column counts the versions of a record, or the records.
fn is_a_count(table: &Table<'_>, at: usize) -> bool {
    let words = table.columns.get(at).map(|column| words(&column.name)).unwrap_or_default();
    let counts = ["seq", "sequence", "version", "rev", "revision", "index", "row"];
    words.iter().any(|word| counts.contains(&word.as_str()))
}

/// Whether a column is called a number, which counts within something, and not an id.
fn is_a_number(table: &Table<'_>, at: usize) -> bool {
    let words = table.columns.get(at).map(|column| words(&column.name)).unwrap_or_default();
    words.last().is_some_and(|last| matches!(last.as_str(), "no" | "number" | "رقم"))
}

#[cfg(test)]
mod tests {
    use super::{super::column::flatten, super::node::Node, *};

    #[test]
    fn a_key_is_what_is_called_one_and_tells_records_apart() {
        for (json, expected, why) in [
            (r#"[{"n":1,"id":"a"},{"n":2,"id":"b"}]"#, vec!["id"], "the plainest name"),
            (
                r#"[{"familyId":"f","visitId":"a"},{"familyId":"f","visitId":"b"}]"#,
                vec!["visitId"],
                "the one that differs",
            ),
            (
                r#"[{"visit_no":"a","id":null},{"visit_no":"b","id":"x"}]"#,
                vec!["visit_no"],
                "always there",
            ),
            (
                r#"[{"no":1,"_id":"a"},{"no":2,"_id":"b"}]"#,
                vec!["id"],
                "a number is less than an id",
            ),
            (
                r#"[{"seq":1,"r":{"id":"a"}},{"seq":2,"r":{"id":"a"}}]"#,
                vec!["r_id"],
                "it repeats, and is still the id",
            ),
            (
                r#"[{"year":"2025","area":"a","n":"1"},{"year":"2025","area":"b","n":"2"}]"#,
                vec!["year", "area"],
                "the first that differ together",
            ),
            (
                r#"[{"note":"x","fam":1,"no":1},{"note":"x","fam":1,"no":2},{"note":"x","fam":2,"no":1}]"#,
                vec!["fam", "no"],
                "a number within something",
            ),
            (r#"[{"a":1.5},{"a":1.5}]"#, vec!["a"], "there is nothing else"),
            (
                r#"[{"eid":"784-0000-0000021-8","case_no":"1"},{"eid":"784-0000-0000022-6","case_no":"2"}]"#,
                vec!["case_no"],
                "a person is no record",
            ),
        ] {
            let records: Node = serde_json::from_str(json).unwrap();
            let rows: Vec<_> = records.items().iter().map(flatten).collect();
            assert_eq!(guessed(&Table::of(&rows), rows.len()).unwrap().columns, expected, "{why}");
        }
        assert_eq!(guessed(&Table::of(&[]), 0), None);
    }
}

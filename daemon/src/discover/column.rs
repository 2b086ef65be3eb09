//! Columns of sampled records: names that the bank can hold, types that every sampled value fits, and which of them may
//! be about people. No value leaves this file.

use std::collections::HashSet;

use marsad_shared::{feed::FieldType, untrusted::show};

use super::{
    form::{Typed, of_all},
    node::Node,
    personal::{is_about_people, is_sensitive},
    style::is_plain,
};

/// One value of a record, and where it stands in it.
#[derive(Clone)]
pub(super) struct Cell {
    /// As `from` is written.
    pub(super) from: String,
    /// What a column for it would be called.
    pub(super) name: String,
    pub(super) value: Node,
}

/// A record as its cells.
pub(super) type Row = Vec<Cell>;

/// A proposed column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Where it stands, if that is not its name.
    pub(super) from: Option<String>,
    pub(super) kind: FieldType,
    pub(super) format: Option<String>,
    pub(super) sensitive: bool,
    /// Whether `false` stands there for nothing.
    pub(super) nothing: bool,
    /// Whether it is a time of UTC, and no value says so.
    pub(super) utc: bool,
    /// What a person should know of it.
    pub(super) note: Option<&'static str>,
}

/// The most columns that are proposed; a record with more is better cut down by whoever knows it.
const COLUMNS_MAX: usize = 500;
/// The longest name of a column, in bytes.
const NAME_MAX: usize = 200;

/// Where each column's values stand: `places[c][r]` is the cell of row `r`.
pub(super) struct Table<'r> {
    pub(super) columns: Vec<Column>,
    values: Vec<Vec<Option<&'r Node>>>,
}

impl<'r> Table<'r> {
    /// The columns of these records, in the order in which they are met.
    pub(super) fn of(rows: &'r [Row]) -> Self {
        let mut met: Vec<(&str, &str)> = Vec::new();
        let mut values: Vec<Vec<Option<&Node>>> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            for cell in row {
                let column = *places.entry(cell.from.as_str()).or_insert_with(|| {
                    met.push((&cell.from, &cell.name));
                    values.push(Vec::new());
                    met.len() - 1
                });
                if let Some(cells) = values.get_mut(column) {
                    cells.resize(at, None);
                    cells.push(Some(&cell.value));
                }
            }
        }
        // A name that can stay as it is goes before one that only becomes the same.
        let plain: HashSet<String> =
            met.iter().map(|(_, name)| name.trim().to_lowercase()).collect();
        let mut taken = HashSet::new();
        let mut table = Self { columns: Vec::new(), values: Vec::new() };
        for ((from, name), mut cells) in met.iter().copied().zip(values) {
            cells.resize(rows.len(), None);
            let nothing = cells.iter().flatten().all(|value| value.is_empty());
            let below = [
                format!("$.{from}."),
                format!("$.{from}["),
                format!("$['{from}']"),
                format!("{from}/"),
            ];
            let is_below = |other: &str| below.iter().any(|below| other.starts_with(below));
            // A map that is null in some records is known by what it holds in the others, as is an element.
            if nothing && met.iter().any(|(other, _)| is_below(other)) {
                continue;
            }
            if table.columns.len() >= COLUMNS_MAX {
                break;
            }
            table.columns.push(column(from, name, &cells, &plain, &mut taken));
            table.values.push(cells);
        }
        table
    }

    /// Whether every row has something there.
    pub(super) fn is_whole(&self, column: usize) -> bool {
        self.cells(column).iter().all(|cell| cell.is_some_and(|value| !value.is_empty()))
    }

    /// Whether no two rows have the same in all of these columns.
    pub(super) fn tells_apart(&self, columns: &[usize]) -> bool {
        let rows = self.values.first().map_or(0, Vec::len);
        let mut met = HashSet::new();
        (0..rows).all(|row| {
            let key: Vec<_> = columns
                .iter()
                .map(|&column| match self.cells(column).get(row).copied().flatten() {
                    Some(Node::Text(text)) => text.clone(),
                    Some(Node::Integer(number)) => number.to_string(),
                    Some(Node::Bool(yes)) => yes.to_string(),
                    // What is not looked at closely tells nothing apart.
                    _ => String::new(),
                })
                .collect();
            met.insert(key)
        })
    }

    pub(super) fn cells(&self, column: usize) -> &[Option<&'r Node>] {
        self.values.get(column).map_or(&[], Vec::as_slice)
    }
}

fn column(
    from: &str,
    name: &str,
    cells: &[Option<&Node>],
    plain: &HashSet<String>,
    taken: &mut HashSet<String>,
) -> Column {
    let words = words(name);
    let typed = of_all(&words, cells.iter().copied().flatten());
    let Typed { kind, format, note, personal, nothing, utc } = typed;
    let personal = personal || matches!(kind, FieldType::EmiratesId | FieldType::Phone);
    let holds = || cells.iter().copied().flatten().any(|cell| is_about_people(cell, 0));
    let sensitive = personal || is_sensitive(&words, name) || kind == FieldType::Json && holds();
    let own = column_name(name, plain, taken);
    let from = (from != own).then(|| from.to_owned());
    Column { name: own, from, kind, format, sensitive, nothing, utc, note }
}

/// A name that the bank can have: the partner's own, where it can. `plain`: what others are called, in lower case.
fn column_name(name: &str, plain: &HashSet<String>, taken: &mut HashSet<String>) -> String {
    let trimmed = name.trim().trim_start_matches(['_', '@', '#', '$']);
    let folded = trimmed.to_lowercase();
    let kept = trimmed.is_empty()
        || trimmed.len() > NAME_MAX - 4
        || folded == "rowid"
        || folded == "oid"
        || show(trimmed) != trimmed;
    let base = if kept { format!("column_{}", taken.len() + 1) } else { trimmed.to_owned() };
    let mut own = base.clone();
    let mut number = 2;
    let anothers = trimmed != name.trim() && plain.contains(&base.to_lowercase());
    while (anothers && own == base) || !taken.insert(own.to_lowercase()) {
        own = format!("{base}_{number}");
        number += 1;
    }
    own
}

/// The words of a name: `applicantEmirates_id` is `applicant`, `emirates`, `id`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let parts = !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase());
        if parts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The cells of a JSON record: its members, and those of the maps among them.
pub(super) fn flatten(record: &Node) -> Row {
    let mut row = Vec::new();
    for (name, value) in record.members() {
        if is_ours(name) {
            continue;
        }
        let inner = value.members();
        let plain = can_be_led_to(name) && inner.iter().all(|(name, _)| can_be_led_to(name));
        if inner.is_empty() || !plain {
            row.push(Cell { from: name.clone(), name: name.clone(), value: value.clone() });
            continue;
        }
        row.extend(inner.iter().map(|(below, value)| Cell {
            from: way(&[name, below]),
            name: format!("{name}_{below}"),
            value: value.clone(),
        }));
    }
    row
}

/// Whether a path can lead through that name: see [`way`].
fn can_be_led_to(name: &str) -> bool {
    !name.is_empty() && !name.contains(['\'', '\\']) && !name.chars().any(char::is_control)
}

/// The path into a record by these names, those in quotes that need it.
fn way(names: &[&str]) -> String {
    names.iter().fold("$".to_owned(), |path, name| {
        if is_plain(name) { format!("{path}.{name}") } else { format!("{path}['{name}']") }
    })
}

/// Whether a member is the envelope's word about a record and none of its fields.
fn is_ours(name: &str) -> bool {
    name.contains("@odata.") || name.starts_with('$') || matches!(name, "_links" | "@removed")
}

/// The cells of a record of JSON:API: identity, attributes, and the identity of what it is related to.
pub(super) fn flatten_resource(record: &Node) -> Row {
    let mut row = Vec::new();
    for name in ["type", "id"] {
        if let Some(value) = record.member(name) {
            row.push(Cell { from: name.to_owned(), name: name.to_owned(), value: value.clone() });
        }
    }
    let attributes = record.member("attributes").map(Node::members).unwrap_or_default();
    for (name, value) in attributes.iter().filter(|(name, _)| can_be_led_to(name)) {
        row.push(Cell {
            from: way(&["attributes", name]),
            name: name.clone(),
            value: value.clone(),
        });
    }
    let related = record.member("relationships").map(Node::members).unwrap_or_default();
    for (name, value) in related.iter().filter(|(name, _)| can_be_led_to(name)) {
        let Some(data) = value.member("data") else { continue };
        let (from, column, value) = match data.member("id") {
            Some(id) => (way(&["relationships", name, "data", "id"]), format!("{name}_id"), id),
            None if data.is_nested() => (way(&["relationships", name, "data"]), name.clone(), data),
            None => continue,
        };
        row.push(Cell { from, name: column, value: value.clone() });
    }
    row
}

/// Words that end as an id does.
const NO_IDS: &[&str] = &[
    "valid", "invalid", "rapid", "covid", "liquid", "solid", "unpaid", "prepaid", "hybrid", "humid",
];

/// Whether a name says that it tells one record from another: 0 most, 3 least. A mere number counts within something, and may
/// only happen to be another one in each record.
pub(super) fn identity(column: &Column) -> Option<u8> {
    let words = words(&column.name);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let first = words.first().map(String::as_str).unwrap_or_default();
    let id = matches!(last, "id" | "uuid" | "guid" | "identifier");
    let says = id
        || matches!(last, "no" | "number" | "key" | "ref" | "reference")
        || matches!(first, "رقم" | "معرف" | "المعرف" | "الرقم" | "رمز");
    let whose = column.kind == FieldType::EmiratesId || column.sensitive;
    let nested = matches!(column.kind, FieldType::Json | FieldType::Decimal | FieldType::Boolean);
    // `contactid`, and the codes of a list, where each record has another.
    let joined =
        last.len() > 4 && last.ends_with("id") && !NO_IDS.contains(&last) || last == "code";
    if joined && !nested && !whose {
        return Some(3);
    }
    match (says && !nested, words.len()) {
        (true, 1) if !whose => Some(u8::from(!id)),
        (true, _) if !whose && (id || last == "no") => Some(2),
        (true, _) if !whose => Some(3),
        _ => None,
    }
}

/// Whether a name says that it is the time of the last change.
pub(super) fn is_change(column: &Column) -> bool {
    let said = [
        "updated",
        "modified",
        "changed",
        "change",
        "update",
        "modification",
        "التحديث",
        "تحديث",
        "التعديل",
        "تعديل",
    ];
    let words = words(&column.name);
    column.kind == FieldType::Timestamp && words.iter().any(|word| said.contains(&word.as_str()))
}

/// What a value says that speaks of a deletion.
const GONE: &[&str] = &["delete", "deleted", "remove", "removed", "D"];

/// The column that seems to say that a record is gone, and with which value.
pub(super) fn deletion(table: &Table<'_>) -> Option<(String, &'static str)> {
    table.columns.iter().enumerate().find_map(|(at, column)| {
        let words = words(&column.name);
        let is = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        if is(&["deleted", "removed"]) && column.kind == FieldType::Boolean {
            return Some((column.name.clone(), "true"));
        }
        if !is(&["op", "operation", "action", "event"]) {
            return None;
        }
        let said = |gone: &&&str| {
            table.cells(at).iter().flatten().any(|value| value.text() == Some(**gone))
        };
        GONE.iter().find(said).map(|gone| (column.name.clone(), *gone))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, cells: fn(&Node) -> Row) -> Vec<Row> {
        let records: Node = serde_json::from_str(text).unwrap();
        records.items().iter().map(cells).collect()
    }

    #[test]
    fn columns_are_named_typed_and_masked_by_what_they_are() {
        let rows = rows(
            r#"[{"id":1,"applicant":null,"_rev":"a","AreaName":"x","rowid":1,"ID":2,"tags":[1],"@odata.etag":"w"},
                {"id":2,"applicant":{"emirates_id":"784-0000-0000021-8","name_en":"y"},"AreaName":"z"}]"#,
            flatten,
        );
        let table = Table::of(&rows);
        let shown = |column: &Column| (column.name.clone(), column.kind, column.sensitive);
        let columns: Vec<_> = table.columns.iter().map(shown).collect();
        assert_eq!(
            columns,
            [
                ("id", FieldType::Integer, false),
                ("rev", FieldType::Text, false),
                ("AreaName", FieldType::Text, false),
                ("column_4", FieldType::Integer, false),
                ("ID_2", FieldType::Integer, false),
                ("tags", FieldType::Json, false),
                ("applicant_emirates_id", FieldType::EmiratesId, true),
                ("applicant_name_en", FieldType::Text, true),
            ]
            .map(|(name, kind, sensitive)| (name.to_owned(), kind, sensitive))
        );
        let from: Vec<_> = table.columns.iter().map(|column| column.from.as_deref()).collect();
        assert_eq!(from[1], Some("_rev"));
        assert_eq!(from[6], Some("$.applicant.emirates_id"));
        assert!(table.is_whole(0) && !table.is_whole(1));
        assert!(table.tells_apart(&[0]) && table.tells_apart(&[2]) && !table.tells_apart(&[5]));
    }

    #[test]
    fn a_name_that_can_stay_goes_before_one_that_becomes_the_same() {
        let rows = rows(r#"[{"_id":1,"id":"a"}]"#, flatten);
        let table = Table::of(&rows);
        let named = |column: &Column| (column.name.clone(), column.from.clone());
        let columns: Vec<_> = table.columns.iter().map(named).collect();
        let expected = [("id_2", Some("_id")), ("id", None)];
        assert_eq!(
            columns,
            expected.map(|(name, from)| (name.to_owned(), from.map(str::to_owned)))
        );
    }

    #[test]
    fn a_resource_is_its_identity_its_attributes_and_its_relations() {
        let rows = rows(
            r#"[{"type":"a","id":"1","attributes":{"openedOn":"2026-10-16"},
                "relationships":{"family":{"data":{"type":"f","id":"9"}},"many":{"data":[]},"none":{}},"links":{}}]"#,
            flatten_resource,
        );
        let names: Vec<_> = rows[0].iter().map(|cell| cell.from.as_str()).collect();
        assert_eq!(
            names,
            [
                "type",
                "id",
                "$.attributes.openedOn",
                "$.relationships.family.data.id",
                "$.relationships.many.data"
            ]
        );
    }

    #[test]
    fn names_say_what_they_are_for() {
        for (name, expected) in [
            ("id", Some(0)),
            ("_id", Some(0)),
            ("no", Some(1)),
            ("EnrolmentId", Some(2)),
            ("transfer_no", Some(2)),
            ("header_identifier", Some(2)),
            ("رقم المعاملة", Some(3)),
            ("رقم الهوية", None),
            ("valid", None),
            ("notes", None),
        ] {
            let mut taken = HashSet::new();
            let node = Node::Text("x1".to_owned());
            let column = column(name, name, &[Some(&node)], &HashSet::new(), &mut taken);
            assert_eq!(identity(&column), expected, "{name}");
        }
    }
}

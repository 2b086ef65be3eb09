//! The columns of a feed that names none: taken from its first page or file, then frozen.
//!
//! Everything a CSV holds is text, because a cell says no more. JSON says a little more: numbers and booleans keep
//! their kind where all records that were looked at agree.

use std::collections::HashMap;

use marsad_shared::{
    feed::{Deleted, Feed, Field, FieldType},
    partner::Cover,
    record::{Layout, NoSuchKey},
};
use serde_json::value::RawValue;

use crate::decode::xml;

/// How many records are looked at.
pub const SAMPLE: usize = 1_000;

/// Names that `SQLite` or the bank keep for themselves, and the same name twice, cannot be columns.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    #[error("the first data has no column {0:?}, which is the key; mend `key`")]
    Key(String),
    #[error(
        "column {0:?} cannot be kept under that name; declare `fields` and give it another, with `from`"
    )]
    Name(String),
    #[error("there is nothing to take the columns from yet")]
    Nothing,
}

/// What a feed says of its columns beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Known<'f> {
    pub key: &'f [String],
    /// What an agreement does not cover never becomes a column.
    pub cover: &'f Cover,
    pub deleted: Option<&'f Deleted>,
    /// What tells nothing of a record.
    pub unlisted: &'f [&'f str],
}

impl<'f> Known<'f> {
    /// What `feed` says of them.
    pub fn of(feed: &'f Feed) -> Self {
        let Feed { key, cover, deleted, unlisted, .. } = feed;
        Self { key, cover, deleted: deleted.as_ref(), unlisted }
    }
}

/// The layout of a header.
pub fn from_header(names: &[String], known: &Known<'_>) -> Result<Layout, InferError> {
    let fields = names.iter().map(|name| Field::new(name.as_str(), FieldType::Text)).collect();
    finish(fields, known)
}

/// The layout of JSON records. What `OData` says about its data, `@odata.etag` and its like, is no data.
pub fn from_records<'r>(
    records: impl Iterator<Item = &'r str>,
    known: &Known<'_>,
) -> Result<Layout, InferError> {
    let Known { key, deleted, unlisted, .. } = *known;
    let mut fields: Vec<Field> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for record in records.take(SAMPLE) {
        // A record that is no object is refused when it is shaped.
        let Ok(members) = serde_json::from_str::<Ordered<'_>>(record) else { continue };
        for (name, value) in members.0 {
            let is_key = || key.contains(&name);
            if deleted == Some(&Deleted::OData) && name.contains('@')
                || unlisted.contains(&name.as_str()) && !is_key()
            {
                continue;
            }
            let Some(kind) = kind_of(value.get()) else {
                places.entry(name.clone()).or_insert_with(|| {
                    fields.push(Field::new(name, FieldType::Text));
                    fields.len() - 1
                });
                continue;
            };
            if let Some(field) = places.get(&name).and_then(|&at| fields.get_mut(at)) {
                field.kind = field.kind.or(kind);
            } else {
                places.insert(name.clone(), fields.len());
                fields.push(Field::new(name, kind));
            }
        }
    }
    if fields.is_empty() { Err(InferError::Nothing) } else { finish(fields, known) }
}

/// The layout of XML records: an element with attributes and text is a column each, `Area` and `Area/@code`; one that
/// holds others, or stands more than once, is JSON.
pub fn from_elements<'r>(
    records: impl Iterator<Item = &'r str>,
    known: &Known<'_>,
) -> Result<Layout, InferError> {
    let mut fields: Vec<Field> = Vec::new();
    let mut add = |name: String, kind: FieldType| match fields.iter_mut().find(|f| f.name == name) {
        Some(field) => field.kind = field.kind.or(kind),
        None => fields.push(Field::new(name, kind)),
    };
    for record in records.take(SAMPLE) {
        let Ok(members) = serde_json::from_str::<Ordered<'_>>(record) else { continue };
        for (name, value) in members.0 {
            let kind = kind_of_element(value.get()).unwrap_or(FieldType::Text);
            add(name.clone(), kind);
            let inside = serde_json::from_str::<Ordered<'_>>(value.get());
            if let (Ok(inside), FieldType::Text) = (inside, kind) {
                for (part, _) in inside.0.iter().filter(|(part, _)| part.starts_with('@')) {
                    add(format!("{name}/{part}"), FieldType::Text);
                }
            }
        }
    }
    if fields.is_empty() { Err(InferError::Nothing) } else { finish(fields, known) }
}

fn finish(mut fields: Vec<Field>, known: &Known<'_>) -> Result<Layout, InferError> {
    fields.retain(|field| known.cover.has(&field.name));
    let mut met = std::collections::HashSet::new();
    for field in &fields {
        let folded = field.name.to_lowercase();
        if is_reserved(&folded) || !met.insert(folded) {
            return Err(InferError::Name(field.name.clone()));
        }
    }
    Layout::new(fields, known.key).map_err(|NoSuchKey(name)| InferError::Key(name))
}

/// What an element of XML is, as [`xml`] writes it: one with attributes and text is text. `None`: nothing.
pub(super) fn kind_of_element(json: &str) -> Option<FieldType> {
    match json.as_bytes().first()? {
        b'[' => Some(FieldType::Json),
        b'{' if xml::has_elements(json) => Some(FieldType::Json),
        _ => (json != "\"\"").then_some(FieldType::Text),
    }
}

/// Whether `SQLite` or the bank keep that name, in lower case, for themselves.
pub fn is_reserved(folded: &str) -> bool {
    folded.is_empty() || folded.starts_with('_') || folded == "rowid" || folded == "oid"
}

/// What a value of JSON is, by its first character; `None`: nothing.
pub(super) fn kind_of(json: &str) -> Option<FieldType> {
    match json.as_bytes().first()? {
        b'n' => None,
        b'"' => Some(FieldType::Text),
        b't' | b'f' => Some(FieldType::Boolean),
        b'{' | b'[' => Some(FieldType::Json),
        // Long digit ids are text: a number could not hold them.
        _ if json.parse::<i64>().is_ok() => Some(FieldType::Integer),
        _ => Some(FieldType::Decimal),
    }
}

/// An object's members in the order in which they were written.
struct Ordered<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Ordered<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Ordered<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Ordered<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Ordered(members))
            }
        }
        let Ordered(members) = deserializer.deserialize_map(Members)?;
        Ok(Self(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(key: &[String]) -> Known<'_> {
        Known { key, cover: &Cover::All, deleted: None, unlisted: &["_id"] }
    }

    #[test]
    fn what_an_agreement_does_not_cover_never_becomes_a_column() {
        let cover = Cover::Only(["id", "Area/@code", "n"].map(str::to_owned).into());
        let key = ["id".to_owned()];
        let known = Known { cover: &cover, ..known(&key) };
        let columns = |layout: Result<Layout, InferError>| {
            layout.unwrap().fields.into_iter().map(|field| field.name).collect::<Vec<_>>()
        };
        let names = ["n", "rowid", "id", "child"].map(str::to_owned);
        assert_eq!(columns(from_header(&names, &known)), ["n", "id"], "nor is its name in the way");
        let record = r#"{"id":"1","child":{"n":1},"n":2}"#;
        assert_eq!(columns(from_records([record].into_iter(), &known)), ["id", "n"]);
        let element = r##"{"id":"1","Area":{"@code":"x","#text":"y"}}"##;
        assert_eq!(columns(from_elements([element].into_iter(), &known)), ["id", "Area/@code"]);
    }

    #[test]
    fn columns_are_those_of_the_first_data_in_their_order() {
        let records = [
            r#"{"id":"a","n":1,"ok":true,"x":null,"tags":[1]}"#,
            r#"{"id":"b","n":1.5,"ok":false,"x":"late","long":784000000000001123456}"#,
        ];
        let layout = from_records(records.into_iter(), &known(&["id".to_owned()])).unwrap();
        let columns: Vec<_> = layout.fields.iter().map(|f| (f.name.as_str(), f.kind)).collect();
        assert_eq!(
            columns,
            [
                ("id", FieldType::Text),
                ("n", FieldType::Decimal),
                ("ok", FieldType::Boolean),
                ("x", FieldType::Text),
                ("tags", FieldType::Json),
                ("long", FieldType::Decimal),
            ]
        );
    }

    #[test]
    fn what_a_preset_knows_to_be_nothing_is_no_column_unless_it_is_the_key() {
        let record = r#"{"_id":1,"id":"a"}"#;
        let columns = |key: &str| {
            let layout = from_records([record].into_iter(), &known(&[key.to_owned()]))?;
            Ok(layout.fields.into_iter().map(|field| field.name).collect::<Vec<_>>())
        };
        assert_eq!(columns("id"), Ok(vec!["id".to_owned()]));
        assert_eq!(columns("_id"), Err(InferError::Name("_id".to_owned())), "it is asked for");
    }

    #[test]
    fn columns_that_the_bank_cannot_keep_are_named() {
        let header = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            from_header(&names, &known(&["id".to_owned()]))
        };
        assert!(header(&["id", "رقم الطلب"]).is_ok());
        assert_eq!(header(&["id", "_run"]), Err(InferError::Name("_run".to_owned())));
        assert_eq!(header(&["id", "ID"]), Err(InferError::Name("ID".to_owned())));
        assert_eq!(header(&["name"]), Err(InferError::Key("id".to_owned())));
    }
}

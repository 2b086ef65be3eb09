//! Rows to typed fields: what the partner wrote, as the columns that the feed promises, or the reason why not.
//!
//! A row is taken whole or refused whole. A refusal names the field and what it should hold, never the value itself:
//! it may be about a child (security T17).

use std::{borrow::Cow, collections::HashMap, fmt};

use jiff::tz::TimeZone;
use marsad_shared::{
    feed::{Feed, Field, FieldType},
    record::{Batch, Layout, RowBuilder},
};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::decode::{DecodeError, FIELD_MAX, Raw, csv::Cells};

pub mod infer;
mod value;

pub(crate) use value::emirates_id;

/// Why a row is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub field: Option<String>,
    pub reason: String,
}

/// Turns rows of one feed into typed ones.
#[derive(Clone, Debug)]
pub struct Shaper {
    pub layout: Layout,
    columns: Vec<Column>,
    /// Where the top-level names of a JSON record go.
    slots: Slots,
}

/// One column, ready to be filled.
#[derive(Clone, Debug)]
struct Column {
    kind: FieldType,
    required: bool,
    format: Option<String>,
    zone: TimeZone,
    /// Where a JSON record has it: a slot of its top level, and the way on from there. The first that is there counts.
    ways: Vec<(usize, Vec<String>)>,
}

impl Shaper {
    /// A shaper for `layout`, whose times are in the feed's zone where nothing else is said.
    pub fn new(feed: &Feed, layout: Layout) -> Self {
        let mut slots = Slots::default();
        let columns = layout.fields.iter().enumerate().map(|(at, field)| Column {
            kind: field.kind,
            required: layout.is_required(at),
            format: field.format.clone(),
            zone: zone_of(field, feed),
            ways: field.from.iter().map(|from| way(from, &mut slots)).collect(),
        });
        let columns = columns.collect();
        Self { layout, columns, slots }
    }

    /// Puts a JSON record into `batch`.
    ///
    /// # Errors
    /// [`Refused`] with the first thing that is wrong with it.
    pub fn json(&self, record: &str, batch: &mut Batch) -> Result<(), Refused> {
        let mut slots: Vec<Option<&RawValue>> = vec![None; self.slots.names.len()];
        let members = Members { names: &self.slots, slots: &mut slots };
        let mut json = serde_json::Deserializer::from_str(record);
        json.deserialize_map(members)
            .and_then(|()| json.end())
            .map_err(|error| not_an_object(&error))?;
        self.fill(batch, |column| {
            let found = column.ways.iter().find_map(|(slot, rest)| {
                let value = slots.get(*slot).copied().flatten()?;
                descend(value, rest).filter(|value| value.get() != "null")
            });
            found.map_or(Ok(Raw::Nothing.into()), raw_of)
        })
    }

    /// Which cell each column is read from.
    ///
    /// # Errors
    /// [`DecodeError::Layout`] if the header lacks a column, naming each, or names one twice.
    pub fn headers(&self, names: &[String]) -> Result<Headers, DecodeError> {
        let mut missing = Vec::new();
        let mut cells = Vec::with_capacity(self.columns.len());
        for field in &self.layout.fields {
            let mut here = names.iter().enumerate().filter(|(_, name)| field.from.contains(name));
            match (here.next(), here.next()) {
                (Some((at, _)), None) => cells.push(at),
                (None, _) => missing.push(field.from.join("\" or \"")),
                (Some((_, name)), Some(_)) => {
                    return Err(DecodeError::Layout(format!(
                        "the header names {name:?} twice for field {:?}; which one is meant? mend the file or `from`",
                        field.name
                    )));
                }
            }
        }
        if missing.is_empty() {
            return Ok(Headers(cells));
        }
        Err(DecodeError::Layout(format!(
            "the header lacks \"{}\"; it has \"{}\"; mend the file, or name the new header in the field's `from`",
            missing.join("\", \""),
            names.join("\", \"")
        )))
    }

    /// Puts a row of cells into `batch`.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn cells(
        &self,
        headers: &Headers,
        cells: Cells<'_>,
        batch: &mut Batch,
    ) -> Result<(), Refused> {
        let mut at = headers.0.iter();
        self.fill(batch, |_| {
            let cell = at.next().and_then(|&at| cells.get(at)).filter(|cell| !cell.is_empty());
            Ok(cell.map_or(Raw::Nothing, Raw::Text).into())
        })
    }

    fn fill<'r>(
        &self,
        batch: &mut Batch,
        mut raw: impl FnMut(&Column) -> Result<Held<'r>, &'static str>,
    ) -> Result<(), Refused> {
        let mut row = batch.row();
        for (column, field) in self.columns.iter().zip(&self.layout.fields) {
            let put = raw(column).and_then(|held| column.put(&held.raw(), &mut row));
            put.map_err(|reason| Refused {
                field: Some(field.name.clone()),
                reason: format!("field {:?} {reason}", field.name),
            })?;
        }
        row.finish();
        Ok(())
    }
}

/// For each column the index of its cell.
#[derive(Clone, Debug)]
pub struct Headers(Vec<usize>);

impl Column {
    fn put(&self, raw: &Raw<'_>, row: &mut RowBuilder<'_>) -> Result<(), &'static str> {
        match raw {
            Raw::Text(text) | Raw::Nested(text) if text.len() > FIELD_MAX => {
                return Err("is longer than 1 MiB; leave it out of `fields` or have it shortened");
            }
            _ => value::put(self.kind, raw, self.format.as_deref(), &self.zone, row)?,
        }
        if self.required && row.last_is_null() { Err("is missing and must not be") } else { Ok(()) }
    }
}

fn zone_of(field: &Field, feed: &Feed) -> TimeZone {
    // The configuration was checked: a zone that it names is there.
    field
        .zone
        .as_deref()
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or_else(|| feed.zone.clone())
}

/// The slot of a `from`'s first name, and the names behind it. `$.a.b` goes down, anything else is one name.
fn way(from: &str, slots: &mut Slots) -> (usize, Vec<String>) {
    let mut names = plain_path(from).unwrap_or_else(|| vec![from.to_owned()]).into_iter();
    let first = names.next().unwrap_or_default();
    (slots.add(first), names.collect())
}

/// The names of a path such as `$.a.b`; `None` for any other text.
pub fn plain_path(path: &str) -> Option<Vec<String>> {
    let names = path.strip_prefix("$.")?.split('.').map(str::to_owned).collect::<Vec<_>>();
    let plain = |name: &String| {
        !name.is_empty() && !name.contains(['[', ']', '*', '?', '(', '\'', '"', ' '])
    };
    names.iter().all(plain).then_some(names)
}

/// A raw value, and the text that it may have had to be unescaped into.
enum Held<'r> {
    Raw(Raw<'r>),
    Text(Cow<'r, str>),
}

impl<'r> From<Raw<'r>> for Held<'r> {
    fn from(raw: Raw<'r>) -> Self {
        Self::Raw(raw)
    }
}

impl Held<'_> {
    fn raw(&self) -> Raw<'_> {
        match self {
            Self::Raw(raw) => *raw,
            Self::Text(text) => Raw::Text(text),
        }
    }
}

fn raw_of(value: &RawValue) -> Result<Held<'_>, &'static str> {
    let text = value.get();
    Ok(match text.as_bytes().first() {
        Some(b'"') => {
            Held::Text(BorrowedText::of(text).map_err(|_| "is no readable text (a broken escape)")?)
        }
        Some(b't') => Raw::Bool(true).into(),
        Some(b'f') => Raw::Bool(false).into(),
        Some(b'{' | b'[') => Raw::Nested(text).into(),
        Some(b'n') | None => Raw::Nothing.into(),
        Some(_) => Raw::Number(text).into(),
    })
}

/// JSON text, borrowed where nothing had to be unescaped.
struct BorrowedText;

impl BorrowedText {
    fn of(json: &str) -> serde_json::Result<Cow<'_, str>> {
        #[derive(serde::Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        serde_json::from_str::<Text<'_>>(json).map(|text| text.0)
    }
}

fn descend<'r>(value: &'r RawValue, names: &[String]) -> Option<&'r RawValue> {
    let Some((name, rest)) = names.split_first() else { return Some(value) };
    let mut slots = Slots::default();
    slots.add(name.clone());
    let mut found = [None];
    let members = Members { names: &slots, slots: &mut found };
    serde_json::Deserializer::from_str(value.get()).deserialize_map(members).ok()?;
    let [found] = found;
    descend(found?, rest)
}

fn not_an_object(error: &serde_json::Error) -> Refused {
    let reason = if error.is_data() && error.to_string().starts_with(TWICE) {
        "a name stands twice in the record; which value is meant? have the partner mend it"
            .to_owned()
    } else {
        format!("the record is not a JSON object (column {})", error.column())
    };
    Refused { field: None, reason }
}

const TWICE: &str = "name twice";

/// Names, each with a slot of its own.
#[derive(Clone, Debug, Default)]
struct Slots {
    names: Vec<String>,
    by_name: HashMap<String, usize>,
}

impl Slots {
    /// The slot of `name`, made if it has none.
    fn add(&mut self, name: String) -> usize {
        let next = self.names.len();
        *self.by_name.entry(name).or_insert_with_key(|name| {
            self.names.push(name.clone());
            next
        })
    }

    /// The slot of `name`; looked for at `expected` first, because records write their members in one order.
    fn find(&self, name: &str, expected: usize) -> Option<usize> {
        if self.names.get(expected).is_some_and(|there| there == name) {
            return Some(expected);
        }
        self.by_name.get(name).copied()
    }
}

/// The members of an object that have a slot, each at most once.
struct Members<'m, 'r> {
    names: &'m Slots,
    slots: &'m mut [Option<&'r RawValue>],
}

impl<'r> Visitor<'r> for Members<'_, 'r> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<(), A::Error> {
        let mut expected = 0;
        while let Some(Name(name)) = map.next_key()? {
            let Some(at) = self.names.find(&name, expected) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            expected = at + 1;
            match self.slots.get_mut(at) {
                Some(Some(_)) => return Err(serde::de::Error::custom(TWICE)),
                Some(slot) => *slot = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A member's name, borrowed where that can be.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}

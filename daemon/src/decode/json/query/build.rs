//! A document built as values, in which no name that a path is made of stands twice: of two, a path would find one.

use std::{cell::Cell, fmt};

use marsad_shared::feed::{RecordsPath, ScalarPath};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::decode::{Plan, json::Name};

/// The paths that are looked for, as they are written.
pub(super) struct Paths(Vec<String>);

impl Paths {
    pub(super) fn of(plan: &Plan<'_>) -> Self {
        let lists = [plan.records, plan.deletes].into_iter().flatten();
        let lists = lists.filter_map(|path| match path {
            RecordsPath::Path(path) => Some(path.to_string()),
            RecordsPath::Plain(_) | RecordsPath::Xml(_) => None,
        });
        let scalars = plan.scalars.iter().filter_map(|path| match path {
            ScalarPath::Path(path) => Some(path.to_string()),
            _ => None,
        });
        Self(lists.chain(scalars).collect())
    }

    /// Whether one of them is made of that name, wherever it stands there.
    fn name(&self, name: &str) -> bool {
        let (quoted, dotted) = (format!("'{name}'"), format!(".{name}"));
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        self.0.iter().any(|path| path.contains(&quoted) || path.split(&dotted).skip(1).any(ends))
    }
}

/// Builds a value. `twice` keeps the name that ended it.
#[derive(Clone, Copy)]
pub(super) struct Build<'b> {
    pub(super) paths: &'b Paths,
    pub(super) twice: &'b Cell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(Name(name)) = map.next_key()? {
            let (name, value) = (name.into_owned(), map.next_value_seed(self)?);
            if members.contains_key(&name) && self.paths.name(&name) {
                self.twice.set(Some(name));
                return Err(A::Error::custom("name twice"));
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }
}

//! A record, opened: those of its members that somebody wants, as they were written.

use std::{collections::HashMap, fmt};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use marsad_shared::untrusted::settled_at_most;

use super::{
    Beside, Held, Refused,
    infer::{kind_of, kind_of_element},
};
use crate::decode::{
    DEPTH_MAX, Raw,
    json::{Name, is_too_deep, twice},
};

/// The members of a record that have a slot.
#[derive(Debug)]
pub(super) struct Record<'r>(Vec<Option<&'r RawValue>>);

impl<'r> Record<'r> {
    /// Opens `json` for the names that have slots, and notes the others in `beside` where somebody looks for them.
    ///
    /// # Errors
    /// [`Refused`] if it is no object, is nested too deep, or has a name twice, wherever that is: which of two values is
    /// meant nobody can tell, and a reader that takes the last may see another record than we do.
    pub(super) fn open(
        text: &'r str,
        slots: &Slots,
        beside: Option<&mut Beside>,
    ) -> Result<Self, Refused> {
        if is_too_deep(text) {
            let reason = format!(
                "the record is nested deeper than {DEPTH_MAX} levels; ask the partner what it is"
            );
            return Err(Refused::whole(reason));
        }
        let mut values = vec![None; slots.names.len()];
        let members = Members { names: slots, slots: &mut values, beside };
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(members)
            .and_then(|()| json.end())
            .map_err(|error| not_an_object(&error))?;
        match twice(text) {
            None => Ok(Self(values)),
            Some(name) => Err(Refused::whole(named_twice(&name))),
        }
    }

    /// What stands in a slot.
    pub(super) fn get(&self, slot: usize) -> Option<&'r RawValue> {
        self.0.get(slot).copied().flatten()
    }
}

/// The member of an object of a record with that name; `None` if there is none, or it is no object.
pub(super) fn member<'r>(value: &'r RawValue, name: &str) -> Option<&'r RawValue> {
    let mut slots = Slots::default();
    slots.add(name.to_owned());
    let mut found = [None];
    let members = Members { names: &slots, slots: &mut found, beside: None };
    serde_json::Deserializer::from_str(value.get()).deserialize_map(members).ok()?;
    let [found] = found;
    found
}

/// A value as the partner wrote it.
///
/// # Errors
/// What is wrong with text that cannot be read.
pub(super) fn raw_of(value: &RawValue) -> Result<Held<'_>, &'static str> {
    let text = value.get();
    Ok(match text.as_bytes().first() {
        Some(b'"') => {
            let unescaped = serde_json::from_str::<Name<'_>>(text);
            Held::Text(unescaped.map_err(|_| "is no readable text (a broken escape)")?.0)
        }
        Some(b't') => Held::Raw(Raw::Bool(true)),
        Some(b'f') => Held::Raw(Raw::Bool(false)),
        Some(b'{' | b'[') => Held::Raw(Raw::Nested(text)),
        Some(b'n') | None => Held::Raw(Raw::Nothing),
        Some(_) => Held::Raw(Raw::Number(text)),
    })
}

fn not_an_object(error: &serde_json::Error) -> Refused {
    Refused::whole(format!("the record is not a JSON object (column {})", error.column()))
}

/// Why a record with that name twice is refused. The name is outside text.
fn named_twice(name: &str) -> String {
    format!(
        "the name \"{}\" stands twice in one object of the record; which value is meant? have the partner mend it",
        settled_at_most(name, 60)
    )
}

/// Names, each with a slot of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    names: Vec<String>,
    by_name: HashMap<String, usize>,
    /// Whether the objects are elements of XML, as [`crate::decode::xml`] writes them.
    pub(super) elements: bool,
}

impl Slots {
    /// The slot of `name`, made if it has none.
    pub(super) fn add(&mut self, name: String) -> usize {
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

/// The members of an object that have a slot. None stands twice, or the record was refused.
struct Members<'m, 'r> {
    names: &'m Slots,
    slots: &'m mut [Option<&'r RawValue>],
    /// Where those without a slot are noted.
    beside: Option<&'m mut Beside>,
}

impl<'r> Visitor<'r> for Members<'_, 'r> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'r>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut expected = 0;
        while let Some(Name(name)) = map.next_key()? {
            let Some(at) = self.names.find(&name, expected) else {
                match &mut self.beside {
                    Some(beside) => {
                        let value: &RawValue = map.next_value()?;
                        let kind = if self.names.elements { kind_of_element } else { kind_of };
                        beside.note(&name, kind(value.get()));
                    }
                    None => drop(map.next_value::<IgnoredAny>()?),
                }
                continue;
            };
            expected = at + 1;
            match self.slots.get_mut(at) {
                Some(slot) => *slot = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

//! A record, opened: those of its members that somebody wants, as they were written.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use marsad_shared::untrusted::settled_at_most;

use super::{
    Beside, Held, Refused,
    infer::{kind_of, kind_of_element},
};
use crate::decode::{
    DEPTH_MAX, Raw,
    json::{Name, Object, Written, is_too_deep, twice},
};

/// The members of a record that have a slot.
#[derive(Debug)]
pub(super) struct Record<'r>(Vec<Option<Written<'r>>>);

impl<'r> Record<'r> {
    /// Opens `json` for the names that have slots, and notes the others in `beside` where somebody looks for them.
    ///
    /// # Errors
    /// [`Refused`] if it is no object, is nested too deep, or has a name twice, wherever that is: which of two values is
    /// meant nobody can tell, and a reader that takes the last may see another record than we do.
    pub(super) fn open(
        text: &'r str,
        slots: &Slots,
        mut beside: Option<&mut Beside>,
    ) -> Result<Self, Refused> {
        match Self::at_once(text, slots, beside.as_deref_mut()) {
            Some(record) => Ok(record),
            None => Self::step_by_step(text, slots, beside),
        }
    }

    /// Opens a record of which nothing is wrong, in one walk over it; `None`: something may be, and nothing is noted.
    fn at_once(text: &'r str, slots: &Slots, beside: Option<&mut Beside>) -> Option<Self> {
        let mut object = Object::open(text)?;
        let mut values = vec![None; slots.names.len()];
        let mut others: Vec<(Cow<'r, str>, Written<'r>)> = Vec::new();
        let (mut expected, mut first) = (0, true);
        while object.goes_on(first)? {
            first = false;
            let at = if slots.quoted.get(expected).is_some_and(|name| object.takes(name)) {
                expected
            } else {
                let name = object.name()?;
                let Some(at) = slots.find(&name, expected) else {
                    others.push((name, object.value()?));
                    continue;
                };
                at
            };
            expected = at + 1;
            if values.get_mut(at)?.replace(object.value()?).is_some() {
                return None;
            }
        }
        if object.has_nested() && (is_too_deep(text) || twice(text).is_some()) {
            return None;
        }
        if !all_differ(&others) {
            return None;
        }
        if let Some(beside) = beside {
            for (name, value) in &others {
                slots.note(name, value.get(), beside);
            }
        }
        Some(Self(values))
    }

    /// The same of any record, one question after the other.
    fn step_by_step(
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
    pub(super) fn get(&self, slot: usize) -> Option<Written<'r>> {
        self.0.get(slot).copied().flatten()
    }
}

/// So few names are compared each with each.
const FEW: usize = 16;

/// Whether no name stands twice among members.
fn all_differ(members: &[(Cow<'_, str>, Written<'_>)]) -> bool {
    if members.len() <= FEW {
        let mut earlier = 0..members.len();
        return members.iter().all(|(name, _)| {
            let end = earlier.next().unwrap_or_default();
            members.iter().take(end).all(|(other, _)| other != name)
        });
    }
    let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).all(|pair| pair.first() != pair.last())
}

/// The member of an object of a record with that name; `None` if there is none, or it is no object.
pub(super) fn member<'r>(value: Written<'r>, name: &str) -> Option<Written<'r>> {
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
pub(super) fn raw_of(value: Written<'_>) -> Result<Held<'_>, &'static str> {
    if let Some(text) = value.plain() {
        return Ok(Held::Raw(Raw::Text(text)));
    }
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
    Refused::stranger(format!("the record is not a JSON object (column {})", error.column()))
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
    /// Each as it stands in a record, in quotes, unless somebody escapes what need not be.
    quoted: Vec<String>,
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
            self.quoted.push(serde_json::Value::from(name.as_str()).to_string());
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

    /// Notes a member that has no slot.
    fn note(&self, name: &str, value: &str, beside: &mut Beside) {
        let kind = if self.elements { kind_of_element } else { kind_of };
        beside.note(name, kind(value));
    }
}

/// The members of an object that have a slot. None stands twice, or the record was refused.
struct Members<'m, 'r> {
    names: &'m Slots,
    slots: &'m mut [Option<Written<'r>>],
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
                        self.names.note(&name, value.get(), beside);
                    }
                    None => drop(map.next_value::<IgnoredAny>()?),
                }
                continue;
            };
            expected = at + 1;
            match self.slots.get_mut(at) {
                Some(slot) => *slot = Some(Written::of(map.next_value()?)),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 9] = ["a", "b", "\\u0061", "ب", "x", "x\\n", "\\ud800", "", "c\\\"d"];
    const VALUES: [&str; 16] = [
        "1",
        "-0.50e+3",
        "01",
        "1.",
        "true",
        "nul",
        "null",
        "\"\"",
        "\"plain\"",
        "\"\\u0628\"",
        "\"\\ud800\"",
        "\"\u{1}\"",
        "[]",
        "{\"n\":[1,{\"n\":2}]}",
        "{\"n\":1,\"n\":2}",
        "[1,]",
    ];
    const SPOILS: [&str; 8] = [",", "}", "{", "\"", " \n", "\\", ":", "1"];

    fn slots() -> Slots {
        let mut slots = Slots::default();
        for name in ["a", "ب", "c\"d"] {
            slots.add(name.to_owned());
        }
        slots
    }

    /// What stands in the slots, and beside them.
    fn shown(record: &Record<'_>) -> Vec<String> {
        let shown = |held: Option<Written<'_>>| match held.map(raw_of) {
            None => "absent".to_owned(),
            Some(Err(why)) => why.to_owned(),
            Some(Ok(held)) => format!("{:?}", held.raw()),
        };
        record.0.iter().map(|held| shown(*held)).collect()
    }

    proptest! {
        #[test]
        fn what_is_opened_at_once_is_what_is_opened_step_by_step(
            members in prop::collection::vec((0..NAMES.len(), 0..VALUES.len()), 0..5),
            many in prop::option::weighted(0.1, 14_usize..22),
            spoils in prop::collection::vec((0..200_usize, 0..SPOILS.len()), 0..2),
        ) {
            let mut members: Vec<_> =
                members.into_iter().map(|(name, value)| format!("\"{}\": {}", NAMES[name], VALUES[value])).collect();
            members.extend((0..many.unwrap_or(0)).map(|n| format!("\"n{}\":{n}", n % 20)));
            let mut text = format!("{{{}}}", members.join(","));
            for (at, spoil) in spoils {
                let at = at % (text.len() + 1);
                if text.is_char_boundary(at) {
                    text.insert_str(at, SPOILS[spoil]);
                }
            }
            let (slots, mut beside, mut also) = (slots(), Beside::default(), Beside::default());
            let at_once = Record::at_once(&text, &slots, Some(&mut beside));
            let by_steps = Record::step_by_step(&text, &slots, Some(&mut also));
            match (at_once, by_steps) {
                (None, Err(_)) => prop_assert_eq!(beside, Beside::default(), "nothing is noted: {}", text),
                (Some(one), Ok(other)) => {
                    prop_assert_eq!(shown(&one), shown(&other), "{}", text);
                    prop_assert_eq!(beside, also, "{}", text);
                }
                (one, other) => prop_assert!(false, "{one:?} {other:?}: {text}"),
            }
        }
    }

    #[test]
    fn a_record_that_is_too_deep_is_refused_however_it_is_opened() {
        for (depth, fits) in [(DEPTH_MAX - 1, true), (DEPTH_MAX, false)] {
            let text = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(Record::at_once(&text, &slots(), None).is_some(), fits, "{depth}");
            assert_eq!(Record::open(&text, &slots(), None).is_ok(), fits, "{depth}");
        }
    }
}

//! One walk over a JSON document: whatever is wanted at plain paths, records and single values alike, is taken on the way.

use std::{io, marker::PhantomData};

use marsad_shared::feed::{RecordsPath, ScalarPath};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::{Name, failure, is_too_deep, nothing_at, scalar_of};
use crate::decode::{DecodeError, Flow, Plan, Scalar, Standing};

/// What is wanted of a document, as the names that lead there.
#[derive(Debug, Default)]
pub(super) struct Tree<'p> {
    root: Node<'p>,
    /// Where the records are; `None`: not wanted here.
    records: Option<&'p [String]>,
}

/// What is wanted at one place, and below it.
#[derive(Debug, Default)]
struct Node<'p> {
    names: Vec<(&'p str, Node<'p>)>,
    /// A list of records stands here.
    list: Option<Standing>,
    /// The scalars that stand here.
    scalars: Vec<usize>,
}

/// What a walk to the end of a document found.
#[derive(Debug)]
pub(super) struct Walked {
    /// Each with its number in the plan.
    pub(super) scalars: Vec<(usize, Scalar)>,
    /// Whether the records were where they should be.
    pub(super) records: Result<(), DecodeError>,
}

impl<'p> Tree<'p> {
    /// All of `plan` that stands at plain paths.
    pub(super) fn of(plan: &Plan<'p>) -> Self {
        let mut tree = Self::default();
        if let Some(RecordsPath::Plain(names)) = plan.records {
            tree.root.at(names).list = Some(Standing::Here);
            tree.records = Some(names);
        }
        if let Some(RecordsPath::Plain(names)) = plan.deletes {
            tree.root.at(names).list = Some(Standing::Gone);
        }
        for (number, path) in plan.scalars.iter().enumerate() {
            if let ScalarPath::Plain(names) = path {
                tree.root.at(names).scalars.push(number);
            }
        }
        tree
    }

    /// As [`Self::of`], if nothing else is wanted of the document.
    pub(super) fn of_all(plan: &Plan<'p>) -> Option<Self> {
        let lists = [plan.records, plan.deletes].into_iter().flatten();
        let all = lists.clone().all(|path| matches!(path, RecordsPath::Plain(_)))
            && plan.scalars.iter().all(|path| !matches!(path, ScalarPath::Path(_)));
        all.then(|| Self::of(plan))
    }

    pub(super) fn stream(
        &self,
        bytes: impl io::Read,
        each: &mut dyn FnMut(&str, Standing) -> Flow,
    ) -> Result<Walked, DecodeError> {
        self.walk::<_, Box<RawValue>>(serde_json::Deserializer::from_reader(bytes), each)
    }

    pub(super) fn slice(
        &self,
        bytes: &[u8],
        each: &mut dyn FnMut(&str, Standing) -> Flow,
    ) -> Result<Walked, DecodeError> {
        self.walk::<_, &RawValue>(serde_json::Deserializer::from_slice(bytes), each)
    }

    fn walk<'de, R: serde_json::de::Read<'de>, T: Written<'de>>(
        &self,
        mut json: serde_json::Deserializer<R>,
        each: &mut dyn FnMut(&str, Standing) -> Flow,
    ) -> Result<Walked, DecodeError> {
        let mut walk = Walk {
            each,
            scalars: Vec::new(),
            found: false,
            odd: None,
            too_deep: false,
            stopped: false,
        };
        let root = At { node: &self.root, opened: false, walk: &mut walk, text: PhantomData::<T> };
        let end = root.deserialize(&mut json).and_then(|()| json.end());
        let Walk { scalars, found, odd, too_deep, stopped, .. } = walk;
        match end {
            Err(_) if stopped => return Err(DecodeError::Stopped),
            Err(error) if too_deep => return Err(DecodeError::TooDeep { line: error.line() }),
            Err(error) => return Err(failure(&error)),
            Ok(()) => {}
        }
        let path = || self.records.map(written).unwrap_or_default();
        let records = match odd {
            Some(odd) => Err(DecodeError::Layout(format!(
                "there is {odd} at {} where a list of records belongs; see what the answer looks like and mend `records`",
                path()
            ))),
            None if self.records.is_some() && !found => Err(nothing_at(&path())),
            None => Ok(()),
        };
        Ok(Walked { scalars, records })
    }
}

/// The path to a list, as people write it.
fn written(names: &[String]) -> String {
    let plain = |name: &String| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let mut text = String::from("$");
    for name in names {
        if plain(name) {
            text.extend([".", name]);
        } else {
            text.extend(["['", name, "']"]);
        }
    }
    text.push_str("[*]");
    text
}

impl<'p> Node<'p> {
    /// The place at the end of `names`, made if it is not there.
    fn at(&mut self, names: &'p [String]) -> &mut Self {
        let Some((name, rest)) = names.split_first() else { return self };
        let known = self.names.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or_else(|| {
            self.names.push((name, Self::default()));
            self.names.len() - 1
        });
        match self.names.get_mut(at) {
            Some((_, node)) => node.at(rest),
            None => unreachable!("it was found or made a moment ago"),
        }
    }
}

/// A value as it was written: copied while a document streams by, borrowed from one that is held.
trait Written<'de>: Deserialize<'de> {
    fn text(&self) -> &str;
}

impl Written<'_> for Box<RawValue> {
    fn text(&self) -> &str {
        self.get()
    }
}

impl<'de> Written<'de> for &'de RawValue {
    fn text(&self) -> &str {
        self.get()
    }
}

/// What was found so far, and who takes the records.
struct Walk<'e> {
    each: &'e mut dyn FnMut(&str, Standing) -> Flow,
    scalars: Vec<(usize, Scalar)>,
    found: bool,
    /// What stands where a list of records belongs.
    odd: Option<&'static str>,
    too_deep: bool,
    stopped: bool,
}

impl Walk<'_> {
    /// Goes past a value that nobody wants, or of which the text is wanted.
    fn pass<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        self.too_deep = is_too_deep(text);
        if self.too_deep { Err(E::custom("too deep")) } else { Ok(()) }
    }
}

/// At one place of the document.
struct At<'w, 'n, 'p, 'e, T> {
    node: &'n Node<'p>,
    /// Its scalars were taken already.
    opened: bool,
    walk: &'w mut Walk<'e>,
    text: PhantomData<T>,
}

impl<'de, T: Written<'de>> DeserializeSeed<'de> for At<'_, '_, '_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { node, opened, walk, .. } = self;
        if opened || node.scalars.is_empty() {
            return deserializer.deserialize_any(At::<T> { node, opened, walk, text: PhantomData });
        }
        let value = T::deserialize(deserializer)?;
        walk.pass(value.text())?;
        for number in &node.scalars {
            walk.scalars.push((*number, scalar_of(value.text())));
        }
        if node.names.is_empty() && node.list.is_none() {
            return Ok(());
        }
        // What stands in it is wanted too.
        let mut json = serde_json::Deserializer::from_str(value.text());
        let inside = At::<&RawValue> { node, opened: true, walk, text: PhantomData };
        inside.deserialize(&mut json).map_err(D::Error::custom)
    }
}

impl<'de, T: Written<'de>> Visitor<'de> for At<'_, '_, '_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.node.list.is_some() {
            self.walk.odd = Some("an object");
        }
        while let Some(Name(name)) = map.next_key()? {
            match self.node.names.iter().find(|(wanted, _)| *wanted == name) {
                Some((_, node)) => map.next_value_seed(At::<T> {
                    node,
                    opened: false,
                    walk: &mut *self.walk,
                    text: PhantomData,
                })?,
                None => self.walk.pass(map.next_value::<T>()?.text())?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(standing) = self.node.list else {
            while let Some(value) = list.next_element::<T>()? {
                self.walk.pass(value.text())?;
            }
            return Ok(());
        };
        self.walk.found |= standing == Standing::Here;
        while let Some(record) = list.next_element::<T>()? {
            if (self.walk.each)(record.text(), standing) == Flow::Stop {
                self.walk.stopped = true;
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        // A null where records belong is nothing at all, and is told as such.
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.value();
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.value();
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.value();
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.value();
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.value();
        Ok(())
    }
}

impl<T> At<'_, '_, '_, '_, T> {
    /// A single value stands here.
    fn value(self) {
        if self.node.list.is_some() {
            self.walk.odd = Some("a single value");
        }
    }
}

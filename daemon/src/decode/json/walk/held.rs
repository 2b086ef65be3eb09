//! The walk over a document that is held and is text: what is wanted of it is borrowed.

use serde::de::{
    Deserialize as _, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::{Ended, Met, Node, Walk};
use crate::decode::{
    Flow,
    json::{Name, is_too_deep},
};

/// At one place of the document.
pub(super) struct At<'a, 'n, 'p, 'w, 'e> {
    pub(super) node: &'n Node<'p>,
    /// Its scalars were taken already.
    pub(super) opened: bool,
    pub(super) walk: &'a mut Walk<'w, 'e>,
}

impl Walk<'_, '_> {
    /// Goes past a value that nobody wants, or of which the text is wanted.
    fn pass<E: Error>(&mut self, text: &str) -> Result<(), E> {
        if is_too_deep(text) { Err(self.end(Ended::TooDeep)) } else { Ok(()) }
    }

    fn end<E: Error>(&mut self, why: Ended) -> E {
        self.ended = Some(why);
        E::custom("ended")
    }
}

impl<'de> DeserializeSeed<'de> for At<'_, '_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { node, opened, walk } = self;
        if opened || node.scalars.is_empty() {
            return deserializer.deserialize_any(At { node, opened, walk });
        }
        let text = <&RawValue>::deserialize(deserializer)?.get();
        walk.pass(text)?;
        walk.keep(node, text);
        if node.names.is_empty() && node.list.is_none() {
            return Ok(());
        }
        // What stands in it is wanted too.
        let mut json = serde_json::Deserializer::from_str(text);
        At { node, opened: true, walk }.deserialize(&mut json).map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for At<'_, '_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.node.list.is_some() {
            self.walk.odd = Some("an object");
        }
        self.walk.around |= self.node.holds_records();
        let mut met = Met::new(self.node);
        while let Some(Name(name)) = map.next_key()? {
            let Some((at, node)) = self.node.named(&name) else {
                self.walk.pass(map.next_value::<&RawValue>()?.get())?;
                continue;
            };
            if met.again(at) {
                return Err(self.walk.end(Ended::Twice(name.into_owned())));
            }
            map.next_value_seed(At { node, opened: false, walk: &mut *self.walk })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(standing) = self.node.list else {
            while let Some(value) = list.next_element::<&RawValue>()? {
                self.walk.pass(value.get())?;
            }
            return Ok(());
        };
        self.walk.found |= standing == super::Standing::Here;
        while let Some(record) = list.next_element::<&RawValue>()? {
            if (self.walk.each)(Ok(record.get()), standing) == Flow::Stop {
                return Err(self.walk.end(Ended::Stopped));
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

impl At<'_, '_, '_, '_, '_> {
    /// A single value stands here.
    fn value(self) {
        if self.node.list.is_some() {
            self.walk.odd = Some("a single value");
        }
    }
}

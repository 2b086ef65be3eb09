//! A sampled document as a tree: how it is laid out and what its values look like. It has no `Debug`, because its values
//! may be about people, and none of them is ever shown.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::shape::infer::SAMPLE;

/// One value of the sample.
#[derive(Clone, PartialEq)]
pub(super) enum Node {
    Nothing,
    Bool(bool),
    Integer(i64),
    /// A number whose digits a number of 64 bits cannot hold: most likely an identity number.
    Long,
    Decimal,
    Text(String),
    /// The first [`SAMPLE`] items.
    List(Vec<Node>),
    /// Members in the order of writing.
    Map(Vec<(String, Node)>),
}

/// Floating point numbers from here on are whole numbers that lost digits.
const LONG: f64 = 9.2e18;

impl Node {
    /// The member of that name.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Map(members) = self else { return None };
        members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// What stands at the end of these names.
    pub(super) fn at(&self, names: &[&str]) -> Option<&Self> {
        names.iter().try_fold(self, |node, name| node.member(name))
    }

    /// Its members; none if it is no map.
    pub(super) fn members(&self) -> &[(String, Self)] {
        if let Self::Map(members) = self { members } else { &[] }
    }

    /// Its items; none if it is no list.
    pub(super) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Map(_))
    }

    pub(super) fn is_nested(&self) -> bool {
        matches!(self, Self::Map(_) | Self::List(_))
    }

    /// Whether nothing stands there: null or an empty text.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Nothing) || self.text().is_some_and(|text| text.trim().is_empty())
    }

    /// Whether it is a list of which most items are maps: what a list of records is.
    pub(super) fn is_records(&self) -> bool {
        let items = self.items();
        let maps = items.iter().filter(|item| item.is_map()).count();
        maps > 0 && maps * 2 >= items.len()
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Grow)
    }
}

struct Grow;

impl<'de> Visitor<'de> for Grow {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Node, E> {
        Ok(Node::Bool(yes))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(i64::try_from(number).map_or(Node::Long, Node::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(if number.abs() >= LONG { Node::Long } else { Node::Decimal })
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while items.len() < SAMPLE {
            match seq.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(Node::List(items)),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members: Vec<(String, Node)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Node>()? {
            members.push((name, value));
        }
        Ok(Node::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_told_apart_by_what_can_hold_them() {
        for (text, expected) in [
            ("7", Node::Integer(7)),
            ("7.5", Node::Decimal),
            ("784000000000001123456", Node::Long),
            ("18446744073709551615", Node::Long),
        ] {
            assert!(node(text) == expected, "{text}");
        }
    }

    #[test]
    fn no_more_items_are_held_than_are_looked_at() {
        let text = format!("[{}0]", "0,".repeat(SAMPLE * 3));
        assert_eq!(node(&text).items().len(), SAMPLE);
        assert!(node(r#"[{"a":1},{"a":2}]"#).is_records());
        assert!(!node("[]").is_records());
        assert!(node(r#"{"a":{"b":" "}}"#).at(&["a", "b"]).unwrap().is_empty());
    }
}

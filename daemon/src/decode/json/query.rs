//! Records at the end of any JSONPath: found in the document as values, taken from it as text.

use std::{borrow::Cow, cell::Cell, collections::HashMap};

use serde::de::DeserializeSeed as _;
use serde_json::{Value, value::RawValue};
use serde_json_path::{JsonPath, PathElement};

use super::{failure, nothing_at};
use crate::decode::{DecodeError, Flow, Plan};
use build::{Build, Paths};

mod build;

/// A document that is held. It is read as values only to find places; what stands there is then taken as it was
/// written, or its numbers would be floats.
pub(super) struct Held<'a> {
    document: Value,
    text: &'a RawValue,
}

impl<'a> Held<'a> {
    /// Reads a whole document.
    ///
    /// # Errors
    /// [`DecodeError`] if it is none, is nested too deep, has a name twice that one of the paths is made of, or holds a
    /// value that is no value by itself: a number beyond all measure, half a character. Where records are read one by
    /// one, that is the trouble of one record.
    pub(super) fn read(text: &'a str, plan: &Plan<'_>) -> Result<Self, DecodeError> {
        let paths = Paths::of(plan);
        let twice = Cell::new(None);
        let mut json = serde_json::Deserializer::from_str(text);
        let build = Build { paths: &paths, twice: &twice };
        let document = build.deserialize(&mut json).map_err(|error| match twice.take() {
            Some(name) => super::walk::twice(&name),
            None => unbuilt(&error),
        })?;
        let text = serde_json::from_str(text).map_err(|error| failure(&error))?;
        Ok(Self { document, text })
    }

    /// The document as it was written, to look places up in.
    pub(super) fn root(&self) -> Node<'a> {
        Node::Raw(self.text)
    }

    /// The text of the first value at `path`.
    pub(super) fn first(&self, path: &JsonPath, root: &mut Node<'a>) -> Option<&'a str> {
        let found = path.query_located(&self.document);
        let place = found.locations().next()?;
        root.at(place.iter())
    }

    /// Hands each value at `path` to `each`.
    ///
    /// # Errors
    /// [`DecodeError::Layout`] if something is `required` there and nothing is; [`DecodeError::Stopped`].
    pub(super) fn select(
        &self,
        path: &JsonPath,
        required: bool,
        root: &mut Node<'a>,
        mut each: impl FnMut(&str) -> Flow,
    ) -> Result<(), DecodeError> {
        let found = path.query_located(&self.document);
        if found.is_empty() && required && !self.has_empty_list(path) {
            return Err(nothing_at(&path.to_string()));
        }
        for place in found.locations() {
            let record = root.at(place.iter()).ok_or_else(|| nothing_at(&place.to_string()))?;
            if each(record) == Flow::Stop {
                return Err(DecodeError::Stopped);
            }
        }
        Ok(())
    }
}

impl Held<'_> {
    /// Whether the path ends in `[*]`, and there are lists in front of that, with nothing in them.
    fn has_empty_list(&self, path: &JsonPath) -> bool {
        let path = path.to_string();
        let lists = path.strip_suffix("[*]").and_then(|lists| JsonPath::parse(lists).ok());
        lists.is_some_and(|lists| {
            let found = lists.query(&self.document).all();
            !found.is_empty() && found.iter().all(|list| list.is_array())
        })
    }
}

/// Why a document cannot be built.
fn unbuilt(error: &serde_json::Error) -> DecodeError {
    match failure(error) {
        DecodeError::Format(_) => DecodeError::Format(format!(
            "it holds something that cannot be held whole (line {}, column {}); write the paths into it as plain names, such as $.data[*], or have the partner mend it",
            error.line(),
            error.column()
        )),
        other => other,
    }
}

/// A document as it was written, opened only as far as somebody went down into it, and each part once.
pub(super) enum Node<'a> {
    Raw(&'a RawValue),
    Array(&'a RawValue, Vec<Node<'a>>),
    Object(&'a RawValue, HashMap<Cow<'a, str>, Node<'a>>),
}

impl<'a> Node<'a> {
    /// The text at the end of a way; `None` if the way does not lead through this document.
    fn at<'p>(&mut self, mut way: impl Iterator<Item = &'p PathElement<'p>>) -> Option<&'a str> {
        let Some(step) = way.next() else {
            let (Self::Raw(raw) | Self::Array(raw, _) | Self::Object(raw, _)) = self;
            return Some(raw.get());
        };
        self.open();
        match (self, step) {
            (Self::Array(_, nodes), PathElement::Index(at)) => nodes.get_mut(*at)?.at(way),
            (Self::Object(_, nodes), PathElement::Name(name)) => nodes.get_mut(*name)?.at(way),
            _ => None,
        }
    }

    fn open(&mut self) {
        let Self::Raw(raw) = *self else { return };
        // What is no array or object stays closed.
        if let Ok(parts) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
            *self = Self::Array(raw, parts.into_iter().map(Node::Raw).collect());
        } else if let Ok(parts) =
            serde_json::from_str::<HashMap<Cow<'a, str>, &RawValue>>(raw.get())
        {
            let nodes = parts.into_iter().map(|(name, part)| (name, Node::Raw(part)));
            *self = Self::Object(raw, nodes.collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_PLAN: Plan<'_> = Plan { records: None, deletes: None, scalars: &[] };

    #[test]
    fn records_of_any_path_are_as_they_were_written() {
        let path = JsonPath::parse("$['data'][?@.d > 1].r").unwrap();
        let text = r#"{"data":[{"d":2,"r":{"n":12345678901234567890.10}},{"d":1,"r":0},{"d":3,"r":{"n":0.1000,"n":1}}]}"#;
        let mut records = Vec::new();
        let held = Held::read(text, &NO_PLAN).unwrap();
        let keep = |record: &str| {
            records.push(record.to_owned());
            Flow::More
        };
        held.select(&path, true, &mut held.root(), keep).unwrap();
        let none = JsonPath::parse("$.a[0].rows[*]").unwrap();
        for (text, expected) in [
            (r#"{"a":[{"rows":[]}]}"#, true),
            (r#"{"a":[{"rows":{}}]}"#, false),
            (r#"{"a":[]}"#, false),
        ] {
            let held = Held::read(text, &NO_PLAN).unwrap();
            let end = held.select(&none, true, &mut held.root(), |_| Flow::More);
            assert_eq!(end.is_ok(), expected, "{text}");
        }
        assert_eq!(records, [r#"{"n":12345678901234567890.10}"#, r#"{"n":0.1000,"n":1}"#]);
    }
}

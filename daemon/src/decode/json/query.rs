//! Records at the end of any JSONPath: found in the document as values, taken from it as text.

use std::{borrow::Cow, collections::HashMap};

use serde_json::value::RawValue;
use serde_json_path::{JsonPath, PathElement};

use super::{failure, nothing_at};
use crate::decode::{DecodeError, Flow};

/// Finds the records of a path that is not plain. The document is read as values only to find their places; each record is
/// then taken as it was written, or its numbers would be floats.
pub(super) fn query(
    bytes: &[u8],
    path: &JsonPath,
    mut each: impl FnMut(&str) -> Flow,
) -> Result<(), DecodeError> {
    let document: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| failure(&error))?;
    let found = path.query_located(&document);
    if found.is_empty() {
        return Err(nothing_at(&path.to_string()));
    }
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(|error| failure(&error))?;
    let mut root = Node::Raw(raw);
    for place in found.locations() {
        let record = root.at(place.iter()).ok_or_else(|| nothing_at(&place.to_string()))?;
        if each(record) == Flow::Stop {
            return Err(DecodeError::Stopped);
        }
    }
    Ok(())
}

/// A document as it was written, opened only as far as somebody went down into it, and each part once.
enum Node<'a> {
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

    #[test]
    fn records_of_any_path_are_as_they_were_written() {
        let path = JsonPath::parse("$['data'][?@.d > 1].r").unwrap();
        let text = r#"{"data":[{"d":2,"r":{"n":12345678901234567890.10}},{"d":1,"r":0},{"d":3,"r":{"n":0.1000,"n":1}}]}"#;
        let mut records = Vec::new();
        query(text.as_bytes(), &path, |record| {
            records.push(record.to_owned());
            Flow::More
        })
        .unwrap();
        assert_eq!(records, [r#"{"n":12345678901234567890.10}"#, r#"{"n":0.1000,"n":1}"#]);
    }
}

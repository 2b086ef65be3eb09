//! Records at the end of any JSONPath: found in the document as values, taken from it as text.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::{HashMap, VecDeque},
    iter::{Peekable, repeat_n},
    sync::{Mutex, PoisonError},
    vec,
};

use marsad_shared::feed::{RecordsPath, ScalarPath};
use serde::de::DeserializeSeed as _;
use serde_json::{Value, value::RawValue};
use serde_json_path::{JsonPath, NormalizedPath, PathElement};

use super::{
    failure, lacking, nothing_at, scalar_of,
    walk::{Each, Tree, Walked},
};
use crate::decode::{DecodeError, Flow, Plan, Scalar, Standing};
use build::{Build, Paths};

mod build;
mod steps;

/// What such a document may weigh in memory, in bytes, by what its signs cost there ([`weight_of`]).
const BUILT_WEIGHT: usize = 128 * 1024 * 1024;
/// From this weight on one document is in memory at a time, in bytes: of a file until its rows are handed on, too.
const HEAVY: usize = 8 * 1024 * 1024;

/// What a document takes in memory as values that can be looked for, in bytes: small ones cost many times what they are
/// written in, and as much again each that is found.
fn weight_of(text: &str) -> usize {
    let (mut weight, mut in_string, mut is_escaped) = (text.len(), false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => weight += 500,
            b'[' => weight += 200,
            b',' | b':' => weight += 150,
            _ => {}
        }
    }
    weight
}

/// Finds what stands at paths of which one is not plain: in the whole document, built in memory.
pub(super) fn built(
    text: &str,
    plan: &Plan<'_>,
    each: &mut Each<'_>,
    scalars: &mut [Scalar],
) -> Result<Walked, DecodeError> {
    static ALONE: Mutex<()> = Mutex::new(());
    let weight = weight_of(text);
    if weight > BUILT_WEIGHT {
        return Err(DecodeError::TooLarge(
            "its values take more than 128 MiB of memory, which they need because a path of the feed is not a plain one; write it as one, such as $.data[*], or ask for smaller pages (`size`)"
                .to_owned(),
        ));
    }
    let _alone = (weight > HEAVY).then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    let Walked { scalars: found, records } = Tree::of(plan).slice(text, each)?;
    let held = Held::read(text, plan)?;
    let mut root = held.root();
    for (slot, path) in scalars.iter_mut().zip(plan.scalars) {
        if let ScalarPath::Path(path) = path {
            *slot = held.first(path, &mut root).map_or(Scalar::Absent, scalar_of);
        }
    }
    let apart = match plan.deletes {
        Some(RecordsPath::Path(path)) => Some(path),
        _ => None,
    };
    let mut select = |path: &RecordsPath, standing, required: bool| match path {
        RecordsPath::Path(path) => {
            let required = required.then_some(Required { apart });
            held.select(path, required, &mut root, |record| each(Ok(record), standing))
        }
        RecordsPath::Plain(_) => Ok(()),
        RecordsPath::Xml(path) => Err(DecodeError::Layout(format!(
            "{} leads into XML, and this is JSON; mend `records`, or add format = \"xml\" if it should have been XML",
            path.text()
        ))),
    };
    let records = records
        .and_then(|()| plan.records.map_or(Ok(()), |path| select(path, Standing::Here, true)));
    let records = match records {
        // What is removed stands apart, whether or not there are records.
        Ok(()) | Err(DecodeError::Lacking(_)) => {
            plan.deletes.map_or(Ok(()), |path| select(path, Standing::Gone, false)).and(records)
        }
        records => records,
    };
    Ok(Walked { scalars: found, records })
}

/// A document that is held. It is read as values only to find places; what stands there is then taken as it was
/// written, or its numbers would be floats.
struct Held<'a> {
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
    fn read(text: &'a str, plan: &Plan<'_>) -> Result<Self, DecodeError> {
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
    fn root(&self) -> Node<'a> {
        Node::Raw(self.text)
    }

    /// The text of the first value at `path`.
    fn first(&self, path: &JsonPath, root: &mut Node<'a>) -> Option<&'a str> {
        let found = path.query_located(&self.document);
        let place = found.locations().next()?;
        root.at(place.iter())
    }

    /// Hands each value at `path` to `each`; `null` for an item of a list that lacks what is `required` of each.
    ///
    /// # Errors
    /// [`DecodeError::Layout`] or [`DecodeError::Lacking`] if something is `required` there and nothing is;
    /// [`DecodeError::Stopped`].
    fn select(
        &self,
        path: &JsonPath,
        required: Option<Required<'_>>,
        root: &mut Node<'a>,
        mut each: impl FnMut(&str) -> Flow,
    ) -> Result<(), DecodeError> {
        let found = path.query_located(&self.document);
        if found.is_empty() && required.is_some() && !self.has_empty_list(path) {
            let written = path.to_string();
            let lacks = self.lacks_list(&written);
            return Err(if lacks { lacking(&written) } else { nothing_at(&written) });
        }
        let mut hand = |record: &str| match each(record) {
            Flow::Stop => Err(DecodeError::Stopped),
            Flow::More => Ok(()),
        };
        let mut items = required.map_or_else(VecDeque::new, |required| self.items(path, required));
        for place in found.locations() {
            // What stands in front of it, and has none, is no less an item for that.
            while let Some(item) = items.pop_front() {
                if is_in(place, &item) {
                    break;
                }
                hand(NOTHING)?;
            }
            hand(root.at(place.iter()).ok_or_else(|| nothing_at(&place.to_string()))?)?;
        }
        let lacking = required.map_or(0, |required| self.without_list(path, required));
        items.iter().map(drop).chain(repeat_n((), lacking)).try_for_each(|()| hand(NOTHING))
    }

    /// Of the items of outer lists, those that lack the list which belongs there, but for those that stand in `apart`: how many
    /// of their records there would have been nobody knows, and that there were none neither.
    fn without_list(&self, path: &JsonPath, Required { apart }: Required<'_>) -> usize {
        let path = path.to_string();
        let at = |path: Option<&str>| JsonPath::parse(path?).ok();
        let lists = steps::lists(&path);
        // Lists right within lists: the items themselves are to be some.
        let is_item = |outer: &steps::List, inner: &steps::List| outer.end == inner.start;
        let pairs = lists.windows(2).filter_map(|pair| match pair {
            [outer, inner] if inner.is_led_to && !is_item(outer, inner) => {
                Some((at(path.get(..outer.end))?, at(path.get(..inner.start))?))
            }
            _ => None,
        });
        let lacking = pairs.map(|(items, list)| {
            let mut there = self.places(&list, |found| !found.is_null());
            let mut apart = self.apart(apart);
            let items = self.items_at(&items).into_iter();
            items.filter(|item| !pass(&mut there, item) && !pass(&mut apart, item)).count()
        });
        let within = lists.windows(2).filter_map(|pair| match pair {
            [outer, inner] if is_item(outer, inner) => at(path.get(..inner.start)),
            _ => None,
        });
        let null = within.map(|items| self.places(&items, Value::is_null).count());
        lacking.sum::<usize>() + null.sum::<usize>()
    }

    /// Where items stand, in the document's order. Of the members of an object a mere value is none: it stands beside them.
    fn items_at(&self, path: &JsonPath) -> Vec<NormalizedPath<'_>> {
        let found = path.query_located(&self.document).into_iter();
        let found = found.filter(|node| {
            let of_object = matches!(node.location().iter().last(), Some(PathElement::Name(_)));
            !of_object || node.node().is_null() || node.node().is_object() || node.node().is_array()
        });
        found.map(|node| node.location().clone()).collect()
    }

    /// Where there is something at `path` that counts, in the document's order.
    fn places(&self, path: &JsonPath, counts: impl Fn(&Value) -> bool) -> Places<'_> {
        let found = path.query_located(&self.document).into_iter();
        let found = found.filter(|node| counts(node.node())).map(|node| node.location().clone());
        found.collect::<Vec<_>>().into_iter().peekable()
    }

    fn apart(&self, path: Option<&JsonPath>) -> Places<'_> {
        path.map_or_else(|| Vec::new().into_iter().peekable(), |path| self.places(path, |_| true))
    }

    /// The items of which each is to have something at the end of `path`, in their order: those of its last list, where plain
    /// names lead on from there, but for those that stand in `apart`.
    fn items(
        &self,
        path: &JsonPath,
        Required { apart }: Required<'_>,
    ) -> VecDeque<NormalizedPath<'_>> {
        let path = path.to_string();
        let items = steps::last_list(&path).and_then(|list| path.get(..list.end));
        let Some(items) = items.and_then(|items| JsonPath::parse(items).ok()) else {
            return VecDeque::new();
        };
        let mut apart = self.apart(apart);
        self.items_at(&items).into_iter().filter(|item| !pass(&mut apart, item)).collect()
    }
}

/// Places in a document, in its order.
type Places<'a> = Peekable<vec::IntoIter<NormalizedPath<'a>>>;

/// Passes all places that are in `item`, if those are next; whether there were any.
fn pass(places: &mut Places<'_>, item: &NormalizedPath<'_>) -> bool {
    let is_here = places.next_if(|place| is_in(place, item)).is_some();
    while is_here && places.next_if(|place| is_in(place, item)).is_some() {}
    is_here
}

/// Whether a place is in an item, or is that itself.
fn is_in(place: &NormalizedPath<'_>, item: &NormalizedPath<'_>) -> bool {
    place.len() >= item.len() && place.iter().zip(item.iter()).all(|(there, here)| there == here)
}

/// What is handed on of an item that has nothing where its record belongs.
const NOTHING: &str = "null";

/// Something has to be there.
#[derive(Clone, Copy)]
struct Required<'p> {
    /// Where records stand that are elsewhere in the same items.
    apart: Option<&'p JsonPath>,
}

impl Held<'_> {
    /// Whether there are lists in front of one of the path's `[*]`, with nothing in them.
    fn has_empty_list(&self, path: &JsonPath) -> bool {
        let is_empty = |list: &&Value| list.as_array().is_some_and(Vec::is_empty);
        self.lists(&path.to_string())
            .any(|(_, found)| !found.is_empty() && found.iter().all(is_empty))
    }

    /// Whether nothing, or null, is where the first list on the path belongs, and objects are there to hold one.
    fn lacks_list(&self, path: &str) -> bool {
        let Some((list, found)) = self.lists(path).next() else { return false };
        let holders = list.rmatch_indices(['.', '[']).find_map(|(at, _)| self.at(list.get(..at)?));
        found.iter().all(|there| there.is_null())
            && holders
                .is_some_and(|held| !held.is_empty() && held.iter().all(|held| held.is_object()))
    }

    /// What stands in front of each `[*]` and each filter of a path, with the path there.
    fn lists<'p>(&'p self, path: &'p str) -> impl Iterator<Item = (&'p str, Vec<&'p Value>)> {
        let steps = path.match_indices('[').filter(|(at, _)| {
            path.get(*at..).is_some_and(|step| step.starts_with("[*]") || step.starts_with("[?"))
        });
        steps.filter_map(|(at, _)| {
            let list = path.get(..at)?;
            Some((list, self.at(list)?))
        })
    }

    /// What stands at a path; `None`: it is none, because it ends within a name or a filter.
    fn at(&self, path: &str) -> Option<Vec<&Value>> {
        Some(JsonPath::parse(path).ok()?.query(&self.document).all())
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

    const NO_PLAN: Plan<'_> = Plan { records: None, deletes: None, scalars: &[] };
    const ALL: Required<'_> = Required { apart: None };

    #[test]
    fn an_item_without_its_record_is_counted() {
        let text =
            r#"{"e":[{"r":1},{"x":2},null,{"gone":3},{"r":null},{"r":4},{}],"n":[{"e":[{}]},{}]}"#;
        let parse = |path: &str| JsonPath::parse(path).unwrap();
        let gone = parse("$.e[*].gone");
        for (path, apart, expected) in [
            ("$.e[*].r", None, vec!["1", "null", "null", "null", "null", "4", "null"]),
            ("$.e[*].r", Some(&gone), vec!["1", "null", "null", "null", "4", "null"]),
            ("$.e[?@.r].r", None, vec!["1", "null", "4"]),
            ("$.n[*].e[*].r", None, vec!["null"]),
        ] {
            let held = Held::read(text, &NO_PLAN).unwrap();
            let mut records = Vec::new();
            let keep = |record: &str| {
                records.push(record.to_owned());
                Flow::More
            };
            let end = held.select(&parse(path), Some(Required { apart }), &mut held.root(), keep);
            assert_eq!(
                end.is_ok(),
                records.len() > 1,
                "{path}: of none at all, it is another document"
            );
            assert!(records.is_empty() || records == expected, "{path}: {records:?}");
        }
    }

    #[test]
    fn an_item_without_its_list_is_counted() {
        let parse = |path: &str| JsonPath::parse(path).unwrap();
        let gone = parse("$.g[*].gone");
        for (text, apart, expected) in [
            (r#"{"g":[{"r":[1,2]},{"r":[]},{"r":[3]}]}"#, None, vec!["1", "2", "3"]),
            (r#"{"g":[{"r":[1,2]},{"error":"busy"}]}"#, None, vec!["1", "2", "null"]),
            (r#"{"g":[{"r":null},{"r":[1]},null]}"#, None, vec!["1", "null", "null"]),
            (r#"{"g":[{"gone":[7]},{"r":[1]}]}"#, Some(&gone), vec!["1"]),
            (r#"{"g":[{"r":[]},{}]}"#, None, vec!["null"]),
        ] {
            let held = Held::read(text, &NO_PLAN).unwrap();
            let mut records = Vec::new();
            let keep = |record: &str| {
                records.push(record.to_owned());
                Flow::More
            };
            let required = Some(Required { apart });
            held.select(&parse("$.g[*].r[*]"), required, &mut held.root(), keep).unwrap();
            assert_eq!(records, expected, "{text}");
        }
    }

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
        held.select(&path, Some(ALL), &mut held.root(), keep).unwrap();
        assert_eq!(records, [r#"{"n":12345678901234567890.10}"#, r#"{"n":0.1000,"n":1}"#]);
    }

    #[test]
    fn a_list_that_is_empty_holds_no_records_and_one_that_is_not_there_is_told() {
        let (nothing, lacks) = (Some(false), Some(true));
        for (path, text, expected) in [
            ("$.a[0].rows[*]", r#"{"a":[{"rows":[]}]}"#, None),
            ("$.a[0].rows[*]", r#"{"a":[{"rows":{}}]}"#, nothing),
            ("$.a[0].rows[*]", r#"{"a":[]}"#, nothing),
            ("$.a[0].rows[*]", r#"{"a":[{"rows":null}]}"#, lacks),
            ("$.edges[*].node", r#"{"edges":[]}"#, None),
            ("$.edges[*].node", r#"{"edges":[{"id":1}]}"#, nothing),
            ("$.edges[*].node", r#"{"edges":{}}"#, nothing),
            ("$.edges[*].node", r#"{"total":0}"#, lacks),
            ("$.edges[*].node", r#"{"edges":null}"#, lacks),
            ("$.edges[*].node", "[]", nothing),
            ("$['a.b']['[*]'][*].node", r#"{"a.b":{"[*]":[]}}"#, None),
            ("$['a.b']['[*]'][*].node", r#"{"a.b":{}}"#, lacks),
            ("$['a.b']['[*]'][*].node", "{}", nothing),
            ("$.a[*].rows[*].r", r#"{"a":[{"rows":[]},{"rows":[]}]}"#, None),
            ("$.a[*].rows[*].r", r#"{"a":[{"rows":[]},{"rows":[1]}]}"#, nothing),
            ("$.e[?@.m=='x[*]'].r", r#"{"e":[]}"#, None),
            ("$.e[?@.m=='x[*]'].r", "{}", lacks),
        ] {
            let (path, held) =
                (JsonPath::parse(path).unwrap(), Held::read(text, &NO_PLAN).unwrap());
            let end = held.select(&path, Some(ALL), &mut held.root(), |_| Flow::More);
            let lacks = end.err().map(|error| matches!(error, DecodeError::Lacking(_)));
            assert_eq!(lacks, expected, "{path} in {text}");
        }
    }

    #[test]
    fn what_is_built_in_memory_has_a_bound_by_what_it_weighs_there() {
        let path = RecordsPath::Path(JsonPath::parse("$..data[*]").unwrap());
        let plan = Plan { records: Some(&path), deletes: None, scalars: &[] };
        for (records, fits) in [(1_000, true), (300_000, false)] {
            let text = format!("{{\"data\":[{}]}}", vec!["{\"id\":1}"; records].join(","));
            let mut found = 0;
            let (_, end) = super::super::page(text.as_bytes(), &plan, |_, _| {
                found += 1;
                Flow::More
            });
            match end {
                Ok(()) => assert!(fits && found == records, "{records}"),
                Err(error) => {
                    let said = error.to_string();
                    assert!(
                        !fits && said.contains("128 MiB") && said.contains("$.data[*]"),
                        "{said}"
                    );
                }
            }
        }
    }
}

//! A sampled XML document: elements by their local names, where its records stand, and their cells.

use std::collections::HashSet;

use marsad_shared::feed::OWN_TEXT;
use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

use super::{
    column::{Cell, Row},
    node::Node,
};

/// An element.
#[derive(Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

/// As deep as a document may be nested, and as many elements as it may have.
const DEPTH: usize = 64;
const ELEMENTS: usize = 500_000;

/// Reads a document; of one that was cut off, what came whole.
///
/// # Errors
/// Why it is not taken for XML.
pub(super) fn read(text: &str, cut: bool) -> Result<Element, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    let mut count = 0;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                count += 1;
                if open.len() > DEPTH || count > ELEMENTS {
                    return Err("it is nested too deep, or too large".to_owned());
                }
                open.push(begin(&start)?);
            }
            Ok(Event::Empty(start)) => {
                count += 1;
                let element = begin(&start)?;
                if let Some(parent) = open.last_mut() {
                    parent.children.push(element);
                }
            }
            Ok(Event::End(_)) => {
                if let Some(element) = open.pop()
                    && let Some(parent) = open.last_mut()
                {
                    parent.children.push(element);
                }
            }
            Ok(Event::Text(text)) => add_text(&mut open, &text.xml10_content()),
            Ok(Event::CData(text)) => add_text(&mut open, &text.xml10_content()),
            Ok(Event::GeneralRef(name)) => {
                let character = name.resolve_char_ref().map_err(|error| error.to_string())?;
                let text = match character {
                    Some(c) => c.to_string(),
                    None => resolve_predefined_entity(&name)
                        .ok_or("it names an entity, and none is expanded")?
                        .to_owned(),
                };
                add_text(&mut open, &text);
            }
            Ok(Event::DocType(_)) => return Err("it has a DOCTYPE, which is refused".to_owned()),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) if cut => break,
            Err(_) => return Err("it is not well-formed XML".to_owned()),
        }
    }
    if open.len() > 1 && !cut {
        return Err("it ends in the middle".to_owned());
    }
    // What was still open is taken as far as it came, but for the record that it ended in.
    while open.len() > 1 {
        let Some(element) = open.pop() else { break };
        let whole = !element.children.is_empty();
        if let Some(parent) = open.last_mut().filter(|_| whole) {
            parent.children.push(element);
        }
    }
    open.pop().and_then(|mut root| root.children.pop()).ok_or_else(|| "it is empty".to_owned())
}

fn begin(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| "an attribute is not well-formed".to_owned())?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
        let value = value.map_err(|_| "an attribute is not well-formed".to_owned())?;
        attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
    }
    let name = start.local_name().as_ref().to_owned();
    Ok(Element { name, attributes, ..Element::default() })
}

fn add_text(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All elements of that name below it.
    pub(super) fn all<'e>(&'e self, name: &str, found: &mut Vec<&'e Self>) {
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            child.all(name, found);
        }
    }

    /// Whether it holds more than one value, and is not a link to something else.
    fn is_record(&self, may_be_text: bool) -> bool {
        let blank = self.text.trim().is_empty();
        if self.children.is_empty() && self.attribute("rel").is_some() {
            return false;
        }
        !self.children.is_empty() && blank
            || self.attributes.len() > 1
            || (self.attributes.len() == 1 && (blank || may_be_text))
    }
}

/// A bus envelope's body that is an error message.
pub(super) fn is_fault(root: &Element) -> bool {
    let body = root.child("Body").unwrap_or(root);
    body.children.iter().any(|child| child.name == "Fault")
}

pub(super) fn is_envelope(root: &Element) -> bool {
    root.name == "Envelope" && root.child("Body").is_some()
}

/// Names down to the elements that come most often side by side; of like ones, the outermost that come first. Where nothing else
/// is there, a text with an attribute is a record too, as in lists of codes.
pub(super) fn records(root: &Element) -> Option<Vec<String>> {
    most_often(root, false).or_else(|| most_often(root, true))
}

fn most_often(root: &Element, may_be_text: bool) -> Option<Vec<String>> {
    let mut best: Option<(usize, Vec<String>)> = None;
    let mut level = vec![(vec![root.name.clone()], root)];
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for (names, element) in level {
            let header = is_envelope(element);
            for child in element.children.iter().filter(|child| !header || child.name == "Body") {
                let mut names: Vec<String> = names.clone();
                names.push(child.name.clone());
                let same =
                    |other: &&Element| other.name == child.name && other.is_record(may_be_text);
                let many = element.children.iter().filter(same).count();
                let body = header && child.name == "Body";
                if !body && many > 0 && best.as_ref().is_none_or(|(most, _)| many > *most) {
                    best = Some((many, names.clone()));
                }
                below.push((names, child));
            }
        }
        level = below;
    }
    // An element that comes once is what the records stand in, unless nothing comes more often.
    best.map(|(_, names)| names)
}

/// The elements at these names.
pub(super) fn at<'e>(root: &'e Element, names: &[String]) -> Vec<&'e Element> {
    let Some((first, rest)) = names.split_first().filter(|(first, _)| **first == root.name) else {
        return Vec::new();
    };
    let _ = first;
    rest.iter().fold(vec![root], |level, name| {
        level
            .iter()
            .flat_map(|element| element.children.iter())
            .filter(|c| c.name == *name)
            .collect()
    })
}

/// What stands around the records at these names: elements and attributes (`@name`), as a path has them. Of elements of one
/// name the first counts; a link is told by what it leads to, `link[@rel='next']`.
pub(super) fn around(root: &Element, records: &[String]) -> Node {
    let inside = members(root, records.get(1..).unwrap_or_default());
    Node::Map(vec![(root.name.clone(), inside)])
}

/// What stands in an element, but for the records that are at the end of `way`.
fn members(element: &Element, way: &[String]) -> Node {
    let attributes = element.attributes.iter();
    let mut members: Vec<_> =
        attributes.map(|(name, text)| (format!("@{name}"), plain(text))).collect();
    let mut met = HashSet::new();
    for child in &element.children {
        let below = match way {
            [name, below @ ..] if *name == child.name => Some(below),
            _ => None,
        };
        let name = match child.attribute("rel").filter(|rel| is_word(rel)) {
            Some(rel) => format!("{}[@rel='{rel}']", child.name),
            None => child.name.clone(),
        };
        if below.is_some_and(<[_]>::is_empty) || !met.insert(name.clone()) {
            continue;
        }
        if child.children.is_empty() {
            members.push((name.clone(), plain(&child.text)));
        }
        members.push((name, self::members(child, below.unwrap_or_default())));
    }
    Node::Map(members)
}

/// A text as what it says: a number, a flag or words.
fn plain(text: &str) -> Node {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "true" => Node::Bool(true),
        "false" => Node::Bool(false),
        _ => text.parse().map_or_else(|_| Node::Text(text.to_owned()), Node::Integer),
    }
}

/// An attribute's value that rather is a word of the layout than data.
fn is_word(value: &str) -> bool {
    value.len() <= 32
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && value.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '-')
}

/// The cells of a record: its attributes, its elements, and those of its elements.
pub(super) fn cells(record: &Element) -> Row {
    let mut row = Vec::new();
    for (name, value) in &record.attributes {
        row.push(cell(format!("@{name}"), name.clone(), value));
    }
    if record.children.is_empty() {
        if !record.text.trim().is_empty() {
            row.push(cell(OWN_TEXT.to_owned(), "text".to_owned(), &record.text));
        }
        return row;
    }
    for child in &record.children {
        let twins: Vec<_> = record.children.iter().filter(|c| c.name == child.name).collect();
        let told = child.attributes.iter().find(|(name, value)| {
            is_word(value)
                && twins.iter().filter(|twin| twin.attribute(name) == Some(value)).count() == 1
        });
        let (from, column, by) = match told.filter(|_| twins.len() > 1) {
            Some((name, value)) => (
                format!("{}[@{name}='{value}']", child.name),
                format!("{}_{value}", child.name),
                Some(name),
            ),
            None => (child.name.clone(), child.name.clone(), None),
        };
        if row.iter().any(|cell: &Cell| cell.from == from) {
            continue;
        }
        if by.is_none() && twins.len() > 1 {
            row.push(Cell { from, name: column, value: Node::List(Vec::new()) });
            continue;
        }
        for (name, value) in child.attributes.iter().filter(|(name, _)| Some(name) != by) {
            row.push(cell(format!("{from}/@{name}"), format!("{column}_{name}"), value));
        }
        add(child, from, column, &mut row);
    }
    row
}

/// Puts an element into the row: its text, or what is below it, for an element that holds others has none.
fn add(element: &Element, from: String, column: String, row: &mut Row) {
    if element.children.is_empty() && row.iter().all(|cell: &Cell| cell.from != from) {
        row.push(cell(from, column, &element.text));
        return;
    }
    for below in &element.children {
        let (from, column) = (format!("{from}/{}", below.name), format!("{column}_{}", below.name));
        let twins = element.children.iter().filter(|twin| twin.name == below.name).count();
        if twins == 1 {
            add(below, from, column, row);
        } else if row.iter().all(|cell: &Cell| cell.from != from) {
            row.push(Cell { from, name: column, value: Node::List(Vec::new()) });
        }
    }
}

fn cell(from: String, name: String, value: &str) -> Cell {
    Cell { from, name, value: Node::Text(value.trim().to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_the_elements_that_come_most_often() {
        let root = read(
            "<e:Envelope xmlns:e='u'><e:Header><x a='1' b='2'/><x a='1' b='2'/><x a='1' b='2'/></e:Header><e:Body><r:Answer xmlns:r='v'>\
             <r:Batch next='t'/><r:Row id='1'><r:D k='a'>1</r:D><r:D k='b'>2</r:D><r:A c='z'>x &amp; y</r:A>\
             <r:M><d:dc xmlns:d='w'><d:title>t</d:title><d:who>u</d:who><d:who>v</d:who></d:dc></r:M>\
             <r:C><r:no>1</r:no><r:geom><g:Point xmlns:g='y'><g:pos>1 2</g:pos></g:Point></r:geom></r:C></r:Row>\
             <r:Row id='2'/></r:Answer></e:Body></e:Envelope>",
            false,
        )
        .unwrap();
        assert!(is_envelope(&root) && !is_fault(&root));
        let names = records(&root).unwrap();
        assert_eq!(names.join("/"), "Envelope/Body/Answer/Row");
        let found = at(&root, &names);
        assert_eq!(found.len(), 2);
        let from: Vec<_> = cells(found[0]).into_iter().map(|cell| cell.from).collect();
        let expected = [
            "@id",
            "D[@k='a']",
            "D[@k='b']",
            "A/@c",
            "A",
            "M/dc/title",
            "M/dc/who",
            "C/no",
            "C/geom/Point/pos",
        ];
        assert_eq!(from, expected);
        assert_eq!(found[0].children[2].text, "x & y");
    }

    #[test]
    fn what_stands_around_the_records_is_found_by_its_path() {
        let root = read(
            "<r version='2'><link rel='self' href='/x'/><link rel='next' href='/y'/><list><item><next>no</next></item>\
             <item/><token size='30'>t</token><cut>true</cut></list></r>",
            false,
        )
        .unwrap();
        let node = around(&root, &["r".to_owned(), "list".to_owned(), "item".to_owned()]);
        for (path, expected) in [
            ("r/@version", Some(Node::Integer(2))),
            ("r/link[@rel='next']/@href", Some(Node::Text("/y".to_owned()))),
            ("r/list/cut", Some(Node::Bool(true))),
            ("r/list/token", Some(Node::Text("t".to_owned()))),
            ("r/list/token/@size", Some(Node::Integer(30))),
            ("r/list/item", None),
        ] {
            // A name stands twice where it has both a text and something below it.
            let found = path.split('/').fold(vec![&node], |level, name| {
                let members = level.into_iter().flat_map(Node::members);
                members.filter(|(other, _)| other == name).map(|(_, value)| value).collect()
            });
            assert!(found.first().copied() == expected.as_ref(), "{path}");
        }
    }

    #[test]
    fn what_is_no_sound_xml_is_refused_and_what_was_cut_is_taken_as_far_as_it_came() {
        for text in ["<a><b></a>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a>&x;</a>", "<a>"]
        {
            assert!(read(text, false).is_err(), "{text}");
        }
        assert!(read(&"<a>".repeat(10_000), false).is_err());
        let root = read("<a><r><i>1</i></r><r><i>2</i></r><r><i", true).unwrap();
        assert_eq!(records(&root).unwrap().join("/"), "a/r");
        assert_eq!(at(&root, &["a".to_owned(), "r".to_owned()]).len(), 2);
    }
}

//! One element with all that is in it, and the same as JSON text, which is how records go on from here.
//!
//! An attribute becomes `"@name"`, a child its local name, several of one name a list. An element that holds nothing
//! but text is that text; where it has attributes or children too, its text is `"#text"`. Of attributes that have one local
//! name in several namespaces, the one without a prefix is `"@name"`, and the others are left out; several with prefixes
//! are one if they say the same, and else a name that stands twice.

use marsad_shared::feed::OWN_TEXT;

use super::tags::Tag;

/// The most elements and attributes of one record: each takes memory, however short it is.
pub(super) const PARTS_MAX: usize = 100_000;

/// One element.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) tag: Tag,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    pub(super) fn new(tag: Tag) -> Self {
        Self { tag, text: String::new(), children: Vec::new() }
    }

    /// Its own text, without the white space around it.
    pub(super) fn trimmed(&self) -> &str {
        self.text.trim()
    }

    /// The first element of that name in it.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.tag.name == name)
    }

    /// Itself and all in it.
    pub(super) fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        let mut at = 0;
        while let Some(element) = all.get(at).copied() {
            all.extend(&element.children);
            at += 1;
        }
        all
    }

    /// The record as an object, whatever it holds.
    pub(super) fn record(&self) -> String {
        let mut json = String::new();
        self.write_object(&mut json);
        json
    }

    // As deep as the document, which is limited.
    fn write(&self, json: &mut String) {
        if self.tag.nil {
            json.push_str("null");
        } else if self.tag.attributes.is_empty() && self.children.is_empty() {
            let blank = self.text.trim().is_empty();
            string(if blank { "" } else { &self.text }, json);
        } else {
            self.write_object(json);
        }
    }

    fn write_object(&self, json: &mut String) {
        json.push('{');
        let mut first = true;
        let mut name = |prefix: &str, name: &str, json: &mut String| {
            if !std::mem::take(&mut first) {
                json.push(',');
            }
            json.push('"');
            json.push_str(prefix);
            // Names hold no character that JSON would escape.
            json.push_str(name);
            json.push_str("\":");
        };
        for (attribute, value) in &self.tag.attributes {
            name("@", attribute, json);
            string(value, json);
        }
        for (at, same) in self.grouped() {
            name("", at, json);
            match same.as_slice() {
                [one] => one.write(json),
                many => {
                    json.push('[');
                    for (number, child) in many.iter().enumerate() {
                        if number > 0 {
                            json.push(',');
                        }
                        child.write(json);
                    }
                    json.push(']');
                }
            }
        }
        if !self.text.trim().is_empty() {
            name("", OWN_TEXT, json);
            string(&self.text, json);
        }
        json.push('}');
    }

    /// Children by name, in the order in which their names were met.
    fn grouped(&self) -> Vec<(&str, Vec<&Self>)> {
        let mut places = std::collections::HashMap::new();
        let mut groups: Vec<(&str, Vec<&Self>)> = Vec::new();
        for child in &self.children {
            let name = child.tag.name.as_str();
            let place = *places.entry(name).or_insert(groups.len());
            match groups.get_mut(place) {
                Some((_, group)) => group.push(child),
                None => groups.push((name, vec![child])),
            }
        }
        groups
    }
}

fn string(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

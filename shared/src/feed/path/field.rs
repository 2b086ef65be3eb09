//! The way to a value in a JSON record, which may choose among the elements of a list.

use super::{PathError, Reader};

/// A way to a value in a JSON record: a name, or a path of names of which each may choose among the elements of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    /// From the record inwards. The first is always a name.
    pub steps: Vec<FieldStep>,
}

/// One step on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldStep {
    /// The member of an object.
    Name(String),
    /// The element of a list that stands there: from 0, or from the end with -1.
    At(isize),
    /// The one element of a list in which these names lead to that value, which is written as JSON has it, without quotes.
    With { names: Vec<String>, value: String },
}

impl FieldPath {
    /// Reads `$.a.b`, `$.a[0].b`, `$.a[-1]`, `$.a[?@.kind=='card'].value`; what does not begin with `$.` or `$[` is one name.
    ///
    /// # Errors
    /// [`PathError`] with what cannot be read, and where.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if !text.starts_with("$.") && !text.starts_with("$[") {
            return Ok(Self { steps: vec![FieldStep::Name(text.to_owned())] });
        }
        Reader { text, rest: text.strip_prefix('$').unwrap_or(text) }.field()
    }

    /// The names that lead there, as far as nothing is chosen.
    pub fn names(&self) -> Vec<String> {
        let name = |step: &FieldStep| match step {
            FieldStep::Name(name) => Some(name.clone()),
            FieldStep::At(_) | FieldStep::With { .. } => None,
        };
        self.steps.iter().map_while(name).collect()
    }

    /// Whether it goes through elements of a list.
    pub fn chooses(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step, FieldStep::Name(_)))
    }
}

const NO_FIELD: &str = "is not a path of names";
const CHOICE: &str = "chooses by something else than [0], [-1] or [?@.kind=='value']";

impl Reader<'_> {
    /// The steps of a [`FieldPath`], behind its `$`.
    pub(super) fn field(mut self) -> Result<FieldPath, PathError> {
        let mut steps = Vec::new();
        while !self.rest.is_empty() {
            let step = if self.take('.') {
                FieldStep::Name(self.dotted(&[])?)
            } else if self.take('[') {
                self.bracket()?
            } else {
                return Err(self.wrong(NO_FIELD));
            };
            if steps.is_empty() && !matches!(step, FieldStep::Name(_)) {
                return Err(self.wrong("begins with a choice, and a record is no list"));
            }
            steps.push(step);
        }
        Ok(FieldPath { steps })
    }

    /// A name behind a point, up to what has a meaning of its own in a JSONPath, or to one of `ends`.
    fn dotted(&mut self, ends: &[char]) -> Result<String, PathError> {
        let special = ['.', '[', ']', '*', '?', '(', ')', '\'', '"', ' ', ','];
        let is_end = |c: char| special.contains(&c) || ends.contains(&c);
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        if name.is_empty() {
            return Err(self.wrong(NO_FIELD));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    /// What stands between brackets, behind the one that opens them.
    fn bracket(&mut self) -> Result<FieldStep, PathError> {
        let step = if self.rest.starts_with(['\'', '"']) {
            FieldStep::Name(self.quoted()?)
        } else if self.take('?') {
            self.filter()?
        } else {
            let end = self.rest.find(']').unwrap_or(self.rest.len());
            let (number, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
            let at = number.parse().map_err(|_| self.wrong(CHOICE))?;
            self.rest = rest;
            FieldStep::At(at)
        };
        if self.take(']') { Ok(step) } else { Err(self.wrong(CHOICE)) }
    }

    /// `@.name.name == 'value'`, behind the question mark.
    fn filter(&mut self) -> Result<FieldStep, PathError> {
        self.space();
        if !self.take('@') {
            return Err(self.wrong(CHOICE));
        }
        let mut names = Vec::new();
        loop {
            if self.take('.') {
                names.push(self.dotted(&['='])?);
            } else if self.take('[') {
                names.push(self.quoted()?);
                if !self.take(']') {
                    return Err(self.wrong(CHOICE));
                }
            } else {
                break;
            }
        }
        self.space();
        if names.is_empty() || !(self.take('=') && self.take('=')) {
            return Err(self.wrong(CHOICE));
        }
        self.space();
        let value = if self.rest.starts_with(['\'', '"']) {
            self.quoted()?
        } else {
            let end = self.rest.find([']', ' ']).unwrap_or(self.rest.len());
            let (value, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
            let is_literal = matches!(value, "true" | "false") || value.parse::<f64>().is_ok();
            if !is_literal {
                return Err(self.wrong(CHOICE));
            }
            self.rest = rest;
            value.to_owned()
        };
        self.space();
        Ok(FieldStep::With { names, value })
    }

    /// What stands between quotes of either kind, in which no such quote and no escape stands.
    fn quoted(&mut self) -> Result<String, PathError> {
        let quote = if self.take('\'') { '\'' } else { '"' };
        let opened = quote == '\'' || self.take('"');
        let closed =
            self.rest.split_once(quote).filter(|(value, _)| opened && !value.contains('\\'));
        let Some((value, rest)) = closed else { return Err(self.wrong(CHOICE)) };
        self.rest = rest;
        Ok(value.to_owned())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json_path::JsonPath;

    use super::*;

    #[test]
    fn a_field_may_stand_in_an_element_of_a_list() {
        let read = |text: &str| FieldPath::parse(text);
        let name = |name: &str| FieldStep::Name(name.to_owned());
        let with = |names: &[&str], value: &str| FieldStep::With {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            value: value.to_owned(),
        };
        for (text, steps) in [
            ("id", vec![name("id")]),
            ("a.b", vec![name("a.b")]),
            ("$", vec![name("$")]),
            ("$id", vec![name("$id")]),
            ("$.a.b-c", vec![name("a"), name("b-c")]),
            ("$.dcat:url.@id", vec![name("dcat:url"), name("@id")]),
            ("$['a b'].c", vec![name("a b"), name("c")]),
            ("$.partner_id[0]", vec![name("partner_id"), FieldStep::At(0)]),
            ("$.address[-1].city", vec![name("address"), FieldStep::At(-1), name("city")]),
            (
                "$.identifier[?@.system=='https://id.example/eid'].value",
                vec![
                    name("identifier"),
                    with(&["system"], "https://id.example/eid"),
                    name("value"),
                ],
            ),
            ("$.a[?@['type'].code == \"x]\"]", vec![name("a"), with(&["type", "code"], "x]")]),
            ("$.a[? @.primary == true ].b", vec![name("a"), with(&["primary"], "true"), name("b")]),
        ] {
            assert_eq!(read(text).map(|path| path.steps), Ok(steps), "{text}");
        }
        for (text, character, problem) in [
            ("$.", 3, NO_FIELD),
            ("$.a..b", 5, NO_FIELD),
            ("$.a b", 4, NO_FIELD),
            ("$.*", 3, NO_FIELD),
            ("$[0].a", 5, "begins with a choice, and a record is no list"),
            ("$.a[*].b", 5, CHOICE),
            ("$.a[", 5, CHOICE),
            ("$.a[0", 6, CHOICE),
            ("$.a[?@.b]", 9, CHOICE),
            ("$.a[?@.b>1]", 11, CHOICE),
            ("$.a[?@.b==c]", 11, CHOICE),
            ("$.a['b\\'c']", 6, CHOICE),
        ] {
            assert_eq!(read(text), Err(PathError { problem, character }), "{text}");
        }
    }

    proptest! {
        /// A choice finds what the JSONPath itself finds first.
        #[test]
        fn a_field_is_read_as_a_jsonpath(text in "[$]([.][a-c]{1,2}|[\\[][0-2][]]|[\\[][?]@[.][a-b]=='[x-z]'[]]){1,4}") {
            // What is read here is a JSONPath to everybody.
            if FieldPath::parse(&text).is_ok() {
                prop_assert!(JsonPath::parse(&text).is_ok(), "{}", text);
            }
        }
    }
}

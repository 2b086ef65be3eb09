//! Where something stands in a page: paths into JSON (RFC 9535) and paths of local names into XML.
//!
//! Paths of plain names are kept apart from all others, because they are followed while a document streams by; any
//! other needs the whole document.

use serde_json_path::JsonPath;

/// Where the records of a page or file stand.
#[derive(Clone, Debug)]
pub enum RecordsPath {
    /// JSON: plain names ending in `[*]`, such as `$.data[*]`: read record by record.
    Plain(Vec<String>),
    /// JSON: any other JSONPath: holds its page in memory.
    Path(JsonPath),
    /// XML: the elements that are records: read one by one.
    Xml(XmlPath),
}

/// Where one value stands beside the records: what leads to the next page, a total, a flag, an error.
#[derive(Clone, Debug)]
pub enum ScalarPath {
    /// JSON: plain names, such as `$.meta.next` or `$['@odata.nextLink']`.
    Plain(Vec<String>),
    /// JSON: any other JSONPath, of which the first value counts: holds its page in memory.
    Path(JsonPath),
    /// XML: an attribute, or an element's text; the first in the document counts.
    Xml(XmlPath),
}

/// A way into XML: local names from the outermost element (or from the record) inwards. Prefixes have no meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlPath {
    pub steps: Vec<XmlStep>,
    /// The attribute of the last element that is meant; `None`: the element itself.
    pub attribute: Option<String>,
}

/// One element on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlStep {
    /// Its local name.
    pub name: String,
    /// The attribute, and its value, that tells it from others of its name.
    pub with: Option<(String, String)>,
}

/// Text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (see character {character})")]
pub struct PathError {
    pub problem: &'static str,
    /// Where reading ended, in characters from 1.
    pub character: usize,
}

impl RecordsPath {
    /// Reads a JSONPath to records.
    ///
    /// # Errors
    /// [`PathError`] if it is none.
    pub fn json(text: &str) -> Result<Self, PathError> {
        match text.strip_suffix("[*]").and_then(plain_names) {
            Some(names) => Ok(Self::Plain(names)),
            None => json_path(text).map(Self::Path),
        }
    }

    /// Reads a path of local names to the elements that are records.
    ///
    /// # Errors
    /// [`PathError`] if it is none, or ends in an attribute.
    pub fn xml(text: &str) -> Result<Self, PathError> {
        let path = XmlPath::parse(text)?;
        if path.attribute.is_some() {
            let character = text.chars().count();
            return Err(PathError { problem: "ends in an attribute", character });
        }
        Ok(Self::Xml(path))
    }
}

impl ScalarPath {
    /// Reads a path: one that begins with `$` leads into JSON, any other into XML.
    ///
    /// # Errors
    /// [`PathError`] if it is neither.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if !text.starts_with('$') {
            return XmlPath::parse(text).map(Self::Xml);
        }
        match plain_names(text) {
            Some(names) => Ok(Self::Plain(names)),
            None => json_path(text).map(Self::Path),
        }
    }

    /// Whether it leads into XML.
    pub const fn is_xml(&self) -> bool {
        matches!(self, Self::Xml(_))
    }
}

impl From<JsonPath> for ScalarPath {
    fn from(path: JsonPath) -> Self {
        plain_names(&path.to_string()).map_or(Self::Path(path), Self::Plain)
    }
}

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

fn json_path(text: &str) -> Result<JsonPath, PathError> {
    JsonPath::parse(text).map_err(|error| {
        let before = text.get(..error.position()).map_or(0, |text| text.chars().count());
        PathError { problem: "is not a JSONPath", character: before + 1 }
    })
}

/// The names of a JSONPath that is made of names alone, `$.a['b c']`; `None` for any other text.
fn plain_names(path: &str) -> Option<Vec<String>> {
    let mut rest = path.strip_prefix('$')?;
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (name, behind) = if let Some(dotted) = rest.strip_prefix('.') {
            let end = dotted.find(['.', '[']).unwrap_or(dotted.len());
            let (name, behind) = dotted.split_at_checked(end)?;
            is_shorthand(name).then_some((name, behind))?
        } else {
            let quoted = rest.strip_prefix('[')?;
            let quote = quoted.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            let (name, behind) = quoted.strip_prefix(quote)?.split_once(quote)?;
            let plain = !name.contains('\\') && !name.chars().any(char::is_control);
            (plain.then_some(name)?, behind.strip_prefix(']')?)
        };
        names.push(name.to_owned());
        rest = behind;
    }
    Some(names)
}

/// A name that JSONPath takes without quotes (RFC 9535, member-name-shorthand).
fn is_shorthand(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

impl XmlPath {
    /// Reads `Name/Name[@attribute='value']/@attribute`; `@attribute` alone is one of the record itself.
    ///
    /// # Errors
    /// [`PathError`] with what cannot be read, and where.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Reader { text, rest: text }.path()
    }

    /// The names from outside inwards, for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            if !text.is_empty() {
                text.push('/');
            }
            text.push_str(&step.name);
            if let Some((name, value)) = &step.with {
                let quote = if value.contains('\'') { "\"" } else { "'" };
                text.extend(["[@", name, "=", quote, value, quote, "]"]);
            }
        }
        if let Some(name) = &self.attribute {
            text.push_str(if text.is_empty() { "@" } else { "/@" });
            text.push_str(name);
        }
        text
    }
}

const NO_FIELD: &str = "is not a path of names";
const CHOICE: &str = "chooses by something else than [0], [-1] or [?@.kind=='value']";

/// What is left of a path under way.
struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn path(mut self) -> Result<XmlPath, PathError> {
        let mut path = XmlPath { steps: Vec::new(), attribute: None };
        loop {
            if self.take('@') {
                path.attribute = Some(self.name()?.to_owned());
                return if self.rest.is_empty() {
                    Ok(path)
                } else {
                    Err(self.wrong("goes on behind an attribute"))
                };
            }
            let name = self.name()?.to_owned();
            let with = if self.take('[') { Some(self.choice()?) } else { None };
            path.steps.push(XmlStep { name, with });
            if self.rest.is_empty() {
                return Ok(path);
            }
            if !self.take('/') {
                return Err(self.wrong("is not a path of local names"));
            }
        }
    }

    /// The steps of a [`FieldPath`], behind its `$`.
    fn field(mut self) -> Result<FieldPath, PathError> {
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

    /// `@attribute='value']`, behind the bracket that opens it.
    fn choice(&mut self) -> Result<(String, String), PathError> {
        let wrong = "chooses by something else than [@attribute='value']";
        if !self.take('@') {
            return Err(self.wrong(wrong));
        }
        let name = self.name()?.to_owned();
        if !self.take('=') {
            return Err(self.wrong(wrong));
        }
        let quote = if self.take('\'') { '\'' } else { '"' };
        let quoted = if quote == '"' { self.take('"') } else { true };
        let closed = self.rest.split_once(quote).filter(|_| quoted);
        let Some((value, rest)) = closed else { return Err(self.wrong(wrong)) };
        self.rest = rest;
        if self.take(']') { Ok((name, value.to_owned())) } else { Err(self.wrong(wrong)) }
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// An XML name without prefix.
    fn name(&mut self) -> Result<&'t str, PathError> {
        let first = |c: char| c.is_alphabetic() || c == '_';
        let inner = |c: char| first(c) || c.is_numeric() || matches!(c, '-' | '.' | '\u{b7}');
        if !self.rest.starts_with(first) {
            return Err(self.wrong("is not a path of local names"));
        }
        // Letters of many languages are written with marks, which are no letters by themselves.
        let mark = |c: char| !c.is_ascii() && !c.is_whitespace() && !c.is_control();
        let end = self.rest.find(|c: char| !inner(c) && !mark(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        if self.rest.starts_with(':') {
            return Err(self.wrong("has a prefix, which means nothing: write local names"));
        }
        Ok(name)
    }

    fn wrong(&self, problem: &'static str) -> PathError {
        let (all, left) = (self.text.chars().count(), self.rest.chars().count());
        PathError { problem, character: all - left + 1 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn paths_of_names_alone_are_followed_while_reading() {
        let plain = |text: &str| match ScalarPath::parse(text) {
            Ok(ScalarPath::Plain(names)) => Some(names.join("|")),
            Ok(ScalarPath::Path(_)) => None,
            other => panic!("{text}: {other:?}"),
        };
        for (text, expected) in [
            ("$", Some("")),
            ("$.meta.next", Some("meta|next")),
            ("$['@odata.nextLink']", Some("@odata.nextLink")),
            ("$.a[\"b c\"].d", Some("a|b c|d")),
            ("$.نتيجة", Some("نتيجة")),
            ("$.links[0].href", None),
            ("$.links[?@.rel == 'next'].href", None),
            ("$['a\\'b']", None),
            ("$..next", None),
        ] {
            assert_eq!(plain(text).as_deref(), expected, "{text}");
        }
        assert!(
            matches!(RecordsPath::json("$.data[*]"), Ok(RecordsPath::Plain(n)) if n == ["data"])
        );
        assert!(matches!(RecordsPath::json("$[*]"), Ok(RecordsPath::Plain(n)) if n.is_empty()));
        assert!(
            matches!(RecordsPath::json("$['a b'][*]"), Ok(RecordsPath::Plain(n)) if n == ["a b"])
        );
        assert!(matches!(RecordsPath::json("$.data"), Ok(RecordsPath::Path(_))));
        let path = JsonPath::parse("$.meta['next']").unwrap();
        assert!(matches!(ScalarPath::from(path), ScalarPath::Plain(n) if n == ["meta", "next"]));
    }

    #[test]
    fn xml_paths_are_read_and_written_the_same() {
        for text in [
            "Envelope/Body/GetRegistrationsResponse/Registration",
            "Batch/@nextToken",
            "@id",
            "Date[@calendar='hijri']",
            "A[@b='c d']/E/@f",
            "A[@b=\"it's\"]",
            "التسجيل/الاسم",
        ] {
            assert_eq!(XmlPath::parse(text).unwrap().text(), text);
        }
        for (text, character, problem) in [
            ("", 1, "is not a path of local names"),
            ("/Envelope", 1, "is not a path of local names"),
            ("soap:Envelope/Body", 5, "has a prefix, which means nothing: write local names"),
            ("A/", 3, "is not a path of local names"),
            ("A//B", 3, "is not a path of local names"),
            ("A/@b/C", 5, "goes on behind an attribute"),
            ("A[1]", 3, "chooses by something else than [@attribute='value']"),
            ("A[@b=c]", 6, "chooses by something else than [@attribute='value']"),
            ("A[@b='c]", 7, "chooses by something else than [@attribute='value']"),
            ("A b", 2, "is not a path of local names"),
        ] {
            assert_eq!(XmlPath::parse(text), Err(PathError { problem, character }), "{text}");
        }
        assert!(RecordsPath::xml("A/@b").is_err(), "an attribute is no record");
    }

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

        /// What is followed by name finds what the JSONPath itself finds.
        #[test]
        fn a_plain_path_leads_where_the_jsonpath_leads(
            names in prop::collection::vec("[a-z@.' ]{1,6}", 0..4),
            wrap in any::<bool>(),
        ) {
            let mut text = String::from("$");
            let mut document = json!("found");
            for name in &names {
                let quote = if wrap || name.contains('\'') { "\"" } else { "'" };
                text.extend(["[", quote, name, quote, "]"]);
            }
            for name in names.iter().rev() {
                document = Value::Object([(name.clone(), document)].into_iter().collect());
            }
            let path = JsonPath::parse(&text).unwrap();
            prop_assert_eq!(path.query(&document).first(), Some(&json!("found")));
            let ScalarPath::Plain(found) = ScalarPath::parse(&text).unwrap() else {
                panic!("{text} is plain")
            };
            prop_assert_eq!(found, names);
        }
    }
}

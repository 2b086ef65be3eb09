//! Where something stands in a page: paths into JSON (RFC 9535) and paths of local names into XML.
//!
//! Paths of plain names are kept apart from all others, because they are followed while a document streams by; any
//! other needs the whole document.

use serde_json_path::JsonPath;

mod field;

pub use field::{FieldPath, FieldStep};

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

/// The name of an element's own text, where it has attributes or children beside it: of the record itself, it is a way to a
/// value.
pub const OWN_TEXT: &str = "#text";

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

    proptest! {
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

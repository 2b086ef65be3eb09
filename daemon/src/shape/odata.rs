//! Deletions as `OData` writes them: what says so, and the key in an entity's id, such as `Enrolments(104)`.

use marsad_shared::record::Layout;
use memchr::memmem;

use super::record::{self, Record, raw_of};
use crate::decode::Raw;

/// Where a record says that it was removed (4.01, with and without `odata.`).
const REMOVED: [&str; 2] = ["@removed", "@odata.removed"];
/// Where a record says what it is (4.0): a context that ends in [`DELETED`].
const CONTEXT: [&str; 2] = ["@odata.context", "@context"];
const DELETED: &str = "$deletedEntity";
/// Where the id stands.
const ID: [&str; 3] = ["@odata.id", "@id", "id"];

/// The set that a page says it is of, by its context, which stands before all else there: `…$metadata#Customers/$delta`.
pub(crate) fn set_of(begin: &[u8]) -> Option<String> {
    let context = CONTEXT.iter().find_map(|name| {
        let name = format!("\"{name}\"");
        let behind = begin.get(memmem::find(begin, name.as_bytes())? + name.len()..)?;
        let value = behind.trim_ascii_start().strip_prefix(b":")?;
        serde_json::Deserializer::from_slice(value).into_iter::<String>().next()?.ok()
    })?;
    let set = set(&context)?;
    // A collection of things that are of no set, or of several.
    (set != "Collection" && !set.contains('.')).then(|| set.to_owned())
}

/// Whether an entry of a page of the set `own` says that it is of another, or no record at all but a link between two: in
/// changes of records that were asked for with others (`$expand`), those stand side by side.
pub(crate) fn is_elsewhere(entry: &str, own: Option<&str>) -> bool {
    #[derive(serde::Deserialize)]
    struct Entry<'e> {
        #[serde(borrow, rename = "@odata.context", alias = "@context")]
        context: Option<std::borrow::Cow<'e, str>>,
    }
    if memmem::find(entry.as_bytes(), b"context\"").is_none() {
        return false;
    }
    let Ok(Entry { context: Some(context) }) = serde_json::from_str(entry) else { return false };
    let links = ["/$link", "/$deletedLink"];
    links.iter().any(|end| context.ends_with(end))
        || own.zip(set(&context)).is_some_and(|(own, set)| own != set)
}

/// The set that a context names.
fn set(context: &str) -> Option<&str> {
    let (_, fragment) = context.split_once('#')?;
    let set = fragment.split(['/', '(']).next()?;
    (!set.is_empty() && !set.starts_with('$')).then_some(set)
}

/// The slots of those members.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    removed: [usize; 2],
    context: [usize; 2],
    id: [usize; 3],
}

impl Slots {
    pub(super) fn add_to(slots: &mut record::Slots) -> Self {
        let mut add = |name: &str| slots.add(name.to_owned());
        Self { removed: REMOVED.map(&mut add), context: CONTEXT.map(&mut add), id: ID.map(add) }
    }

    pub(super) fn is_gone(&self, record: &Record<'_>) -> bool {
        let removed = self.removed.iter().filter_map(|slot| record.get(*slot));
        removed.into_iter().any(|value| value.get() != "null") || self.is_deleted_entity(record)
    }

    fn is_deleted_entity(&self, record: &Record<'_>) -> bool {
        let mut contexts = self.context.iter().filter_map(|slot| text(record, *slot));
        contexts.any(|context| context.ends_with(DELETED))
    }

    /// The id of a deleted entity of 4.0: there it is a reference, even if a column is called so too.
    pub(super) fn reference(&self, record: &Record<'_>) -> Option<String> {
        let id = self.id(record).filter(|id| id.contains(['(', '/']))?;
        self.is_deleted_entity(record).then_some(id)
    }

    pub(super) fn id(&self, record: &Record<'_>) -> Option<String> {
        self.id.iter().find_map(|slot| text(record, *slot))
    }
}

fn text(record: &Record<'_>, slot: usize) -> Option<String> {
    match raw_of(record.get(slot)?).ok()?.raw() {
        Raw::Text(text) | Raw::Number(text) | Raw::Iso(text) => Some(text.to_owned()),
        Raw::Nothing | Raw::Bool(_) | Raw::Nested(_) => None,
    }
}

/// The key's columns, each with its text, as far as `id` names them: `X(5)`, `X('a''b')`, `X(Year=2025,Area='x')`.
pub(super) fn key(id: &str, layout: &Layout) -> Vec<(usize, String)> {
    let id = percent_decoded(id);
    let Some(parts) = parts(&id) else { return Vec::new() };
    let column = |name: &str| {
        layout.key.iter().copied().find(|&at| {
            let field = layout.fields.get(at);
            field.is_some_and(|field| field.from.iter().any(|from| from == name))
        })
    };
    let alone = match (layout.key.as_slice(), parts.len()) {
        ([only], 1) => Some(*only),
        _ => None,
    };
    let parts = parts.into_iter();
    parts.filter_map(|(name, text)| Some((name.map_or(alone, column)?, text))).collect()
}

/// What stands in the last pair of brackets, at the end of `id`: values, with names where they have some.
fn parts(id: &str) -> Option<Vec<(Option<&str>, String)>> {
    let inside = last_brackets(id)?;
    let mut parts = Vec::new();
    for part in split_outside_quotes(inside, ',') {
        let (name, value) = match split_outside_quotes(part, '=').as_slice() {
            [value] => (None, *value),
            [name, value] => (Some(name.trim()), *value),
            _ => return None,
        };
        let value = value.trim();
        let quoted = value.strip_prefix('\'').map(|rest| rest.strip_suffix('\''));
        let text = match quoted {
            None if value.is_empty() => return None,
            None => value.to_owned(),
            Some(inner) => inner?.replace("''", "'"),
        };
        parts.push((name, text));
    }
    Some(parts)
}

/// The text between the last opening bracket outside quotes and the closing one that ends `id`.
fn last_brackets(id: &str) -> Option<&str> {
    let body = id.trim_end().strip_suffix(')')?;
    let (mut quoted, mut open) = (false, None);
    for (at, c) in body.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => open = Some(at),
            ')' if !quoted => open = None,
            _ => {}
        }
    }
    if quoted { None } else { body.get(open? + 1..) }
}

fn split_outside_quotes(text: &str, at: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '\'';
        c == at && !quoted
    })
    .collect()
}

/// `%27` and its like as the characters that they stand for; what stands for none stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match behind {
            [high, low, ..] if *first == b'%' => {
                if let (Some(high), Some(low)) = (hex(*high), hex(*low)) {
                    bytes.push(high << 4 | low);
                    rest = behind.get(2..).unwrap_or_default();
                    continue;
                }
                bytes.push(*first);
            }
            _ => bytes.push(*first),
        }
        rest = behind;
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use marsad_shared::feed::{Field, FieldType};

    use super::*;

    #[test]
    fn an_entry_of_another_set_is_none_of_the_feeds() {
        let page =
            br#" { "@odata.context" : "http://h/$metadata#Customers(Id,Name)/$delta", "value": []"#;
        assert_eq!(set_of(page).as_deref(), Some("Customers"));
        for begin in [
            r#"{"value":[]}"#,
            r#"{"@odata.context":"$metadata#Collection(Ns.Any)"}"#,
            r#"{"@odata.context":"$metadata"}"#,
            r#"{"@odata.context":"$metadata#Cust"#,
        ] {
            assert_eq!(set_of(begin.as_bytes()), None, "{begin}");
        }
        for (context, expected, why) in [
            ("#Customers/$entity", false, "its own"),
            ("http://h/$metadata#Customers/Ns.Vip/$deletedEntity", false, "of a narrower kind"),
            ("#Customers('a')/Orders/$entity", false, "below it: nobody can tell"),
            ("#Orders/$entity", true, "another's"),
            ("#Orders/$deletedEntity", true, "and gone"),
            ("#Customers/$link", true, "a link"),
            ("#Customers/$deletedLink", true, "and one that is gone"),
            ("$metadata", false, "no set"),
        ] {
            for name in CONTEXT {
                let entry = format!(r#"{{"{name}":"{context}","Id":"a"}}"#);
                assert_eq!(is_elsewhere(&entry, Some("Customers")), expected, "{why}: {entry}");
                let link = context.ends_with("ink");
                assert_eq!(is_elsewhere(&entry, None), link, "its set is not known: {entry}");
            }
        }
        let nested = r##"{"Id":"a","Order":{"@odata.context":"#Orders/$entity"}}"##;
        assert!(!is_elsewhere(nested, Some("Customers")), "what stands inside is its own");
    }

    #[test]
    fn a_key_is_read_from_an_id() {
        let layout = |names: &[&str]| {
            let fields = names.iter().map(|&name| Field::new(name, FieldType::Text)).collect();
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            Layout::new(fields, &names).unwrap()
        };
        let (one, two) = (layout(&["Id"]), layout(&["Year", "Area"]));
        for (id, layout, expected) in [
            ("Enrolments(104)", &one, "0:104"),
            ("https://h.invalid/odata/Enrolments(104)", &one, "0:104"),
            ("Enrolments('a''b')", &one, "0:a'b"),
            ("Enrolments(%27a%27%27b%20c%27)", &one, "0:a'b c"),
            ("Enrolments('a,b=(c)')", &one, "0:a,b=(c)"),
            ("Families(7)/Enrolments(8)", &one, "0:8"),
            ("Enrolments(Id=9)", &one, "0:9"),
            ("Enrolments(Other=9)", &one, ""),
            ("Enrolments(1,2)", &one, ""),
            ("Enrolments('open)", &one, ""),
            ("Enrolments()", &one, ""),
            ("Enrolments", &one, ""),
            ("X(Year=2025,Area='x')", &two, "0:2025 1:x"),
            ("X(Area='خورفكان', Year=2025)", &two, "1:خورفكان 0:2025"),
            ("X(2025)", &two, ""),
        ] {
            let found: Vec<_> =
                key(id, layout).into_iter().map(|(at, text)| format!("{at}:{text}")).collect();
            assert_eq!(found.join(" "), expected, "{id}");
        }
    }
}

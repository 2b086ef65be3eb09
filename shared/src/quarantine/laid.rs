//! An original, laid out value by value for a person, with what may not be seen masked.
//!
//! Only what a field names that is not sensitive is shown: of anything else nobody has said that it may be. Where the values
//! of an original cannot be told apart, none of them is shown.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::form::{Form, cells};
use crate::{
    feed::{Field, FieldPath, FieldType, OWN_TEXT, XmlPath},
    fold::{fold, readings},
    mask::{MASK, holds_card, mask},
    record::Layout,
};

/// One value of an original.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    /// The header, or the names that lead to it with dots between.
    pub name: String,
    /// The field that is read from it.
    pub field: Option<String>,
    /// As it came; null: it is empty.
    pub value: Option<String>,
    /// Whether something stands in its place.
    pub masked: bool,
    /// Whether it is what the row was refused for.
    pub marked: bool,
}

/// How an original is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'s> {
    pub layout: &'s Layout,
    /// The field that it was refused for.
    pub marked: Option<&'s str>,
    /// Whether nothing is masked. Who asks for that has been written down.
    pub bare: bool,
}

/// Lays an original out. `None` if its values cannot be told apart.
pub fn lay_out(original: &[u8], form: &Form, sight: Sight<'_>) -> Option<Vec<Laid>> {
    match form {
        Form::Csv { delimiter, names } => table(original, *delimiter, names, sight),
        Form::Sheet { names, .. } => table(original, ',', names, sight),
        Form::Json { .. } => record(original, json_way, false, sight),
        Form::Xml { .. } => record(original, xml_way, true, sight),
    }
}

fn table(
    original: &[u8],
    delimiter: char,
    names: &[String],
    sight: Sight<'_>,
) -> Option<Vec<Laid>> {
    let cells = cells(original, delimiter).filter(|cells| cells.len() == names.len())?;
    let laid = names.iter().zip(cells).map(|(name, cell)| {
        let fields = fields_of(sight.layout, name);
        let open = !fields.is_empty() && !fields.iter().any(|field| field.sensitive);
        let value = Some(cell).filter(|cell| !cell.is_empty());
        laid(name.clone(), &fields, value, open, sight)
    });
    Some(laid.collect())
}

/// The fields that a header may be read as: those that name it as it is written, and those as which it reads.
fn fields_of<'l>(layout: &'l Layout, name: &str) -> Vec<&'l Field> {
    let read = readings(name);
    let reads = |from: &String| {
        Some(fold(from)).is_some_and(|from| !from.is_empty() && read.contains(&from))
    };
    let written = |field: &&Field| field.from.iter().any(|from| from == name);
    let alike = |field: &&Field| field.from.iter().any(reads);
    let all = layout.fields.iter();
    let (mut fields, rest): (Vec<_>, Vec<_>) = all.partition(written);
    fields.extend(rest.into_iter().filter(|field| alike(field)));
    fields
}

fn laid(
    name: String,
    fields: &[&Field],
    value: Option<String>,
    open: bool,
    Sight { marked, bare, .. }: Sight<'_>,
) -> Laid {
    let first = fields.first();
    let kind = first.map_or(FieldType::Text, |field| field.kind);
    let masked = !bare && value.as_ref().is_some_and(|value| !open || holds_card(value));
    Laid {
        // A name may be a value in disguise: records by the number of the person whom they are about.
        name: if !bare && holds_card(&name) { MASK.to_owned() } else { name },
        field: first.map(|field| field.name.clone()),
        value: value.map(|value| if masked { mask(kind, &value) } else { value }),
        masked,
        marked: marked.is_some_and(|marked| fields.iter().any(|field| field.name == marked)),
    }
}

/// Where a field stands in a record, as names from outside inwards, and whether that is all that chooses it.
type Way = (Vec<String>, bool);

fn json_way(from: &str) -> Way {
    match FieldPath::parse(from) {
        Ok(path) => (path.names(), !path.chooses()),
        Err(_) => (vec![from.to_owned()], true),
    }
}

fn xml_way(from: &str) -> Way {
    let Ok(path) = XmlPath::parse(from) else { return (vec![from.to_owned()], true) };
    let plain = path.steps.iter().all(|step| step.with.is_none());
    let attribute = path.attribute.map(|name| format!("@{name}"));
    (path.steps.into_iter().map(|step| step.name).chain(attribute).collect(), plain)
}

fn record(original: &[u8], way: fn(&str) -> Way, xml: bool, sight: Sight<'_>) -> Option<Vec<Laid>> {
    let text = std::str::from_utf8(original).ok()?;
    let members: Members = serde_json::from_str(text).ok()?;
    let fields = sight.layout.fields.iter();
    let ways =
        fields.flat_map(|field| field.from.iter().map(move |from| (way(from), field))).collect();
    let mut walk = Walk { ways, xml, sight, laid: Vec::new() };
    walk.members(&members, &mut Vec::new());
    Some(walk.laid)
}

/// A walk through a record, from value to value.
struct Walk<'l> {
    ways: Vec<(Way, &'l Field)>,
    xml: bool,
    sight: Sight<'l>,
    laid: Vec<Laid>,
}

impl Walk<'_> {
    fn members(&mut self, Members(members): &Members, path: &mut Vec<String>) {
        for (name, value) in members {
            path.push(name.clone());
            self.value(value, path);
            path.pop();
        }
    }

    /// One value: opened where fields stand within it, else laid out.
    fn value(&mut self, value: &RawValue, path: &mut Vec<String>) {
        let own: &[String] = match path.split_last() {
            Some((last, before)) if self.xml && last == OWN_TEXT && !before.is_empty() => before,
            _ => path,
        };
        let is_element = self.xml && value.get().starts_with('{');
        let within = |names: &Vec<String>| names.len() > own.len() && names.starts_with(own);
        let opens = self.ways.iter().any(|((names, _), field)| {
            within(names) || is_element && names == own && field.kind != FieldType::Json
        });
        if opens && let Ok(members) = serde_json::from_str::<Members>(value.get()) {
            self.members(&members, path);
            return;
        }
        let nested = value.get().starts_with(['{', '[']);
        let (mut fields, mut open, mut hidden) = (Vec::new(), false, false);
        for ((names, plain), field) in &self.ways {
            let is_json = field.kind == FieldType::Json;
            let below = own.starts_with(names);
            let reads = names == own || below && is_json;
            open |= reads && *plain && (is_json || !nested);
            hidden |= field.sensitive && (below || within(names));
            if reads || within(names) {
                fields.push(*field);
            }
        }
        let open = open && !hidden;
        let value = plain(value);
        self.laid.push(laid(path.join("."), &fields, value, open, self.sight));
    }
}

/// A value as a person reads it; `None` where it is null.
fn plain(value: &RawValue) -> Option<String> {
    match value.get() {
        "null" => None,
        text if text.starts_with('"') => {
            Some(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()))
        }
        text => Some(text.to_owned()),
    }
}

/// The members of an object in their order, a name that stands twice twice.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::quarantine::form::Standing;

    fn layout() -> Layout {
        let field = |name: &str, from: &[&str], kind, sensitive| Field {
            from: from.iter().map(|from| (*from).to_owned()).collect(),
            sensitive,
            ..Field::new(name, kind)
        };
        let fields = vec![
            field("id", &["id"], FieldType::Text, false),
            field("eid", &["eid", "رقم الهوية"], FieldType::EmiratesId, true),
            field("phone", &["$.home.phone", "home/phone"], FieldType::Text, true),
            field("area", &["$.home.area", "home/area"], FieldType::Text, false),
            field("grade", &["grade"], FieldType::Integer, false),
            field("notes", &["notes"], FieldType::Json, false),
        ];
        Layout::new(fields, &["id".to_owned()]).unwrap()
    }

    fn sight<'s>(layout: &'s Layout, marked: Option<&'s str>) -> Sight<'s> {
        Sight { layout, marked, bare: false }
    }

    /// `name field=value`, with `*` where it is masked and `>` where it is marked.
    fn said(laid: Option<Vec<Laid>>) -> Option<Vec<String>> {
        let line = |laid: Laid| {
            let value = laid.value.as_deref().unwrap_or("-");
            let field = laid.field.as_deref().unwrap_or("?");
            let (sign, star) =
                (["", ">"][usize::from(laid.marked)], ["", "*"][usize::from(laid.masked)]);
            format!("{sign}{}:{field}={value}{star}", laid.name)
        };
        Some(laid?.into_iter().map(line).collect())
    }

    fn csv(names: &[&str], row: &str) -> Option<Vec<String>> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let form = Form::Csv { delimiter: ',', names };
        said(lay_out(row.as_bytes(), &form, sight(&layout(), Some("grade"))))
    }

    #[test]
    fn a_row_of_a_table_shows_what_fields_name_and_do_not_hide() {
        let names = ["id", "رقم الهويه", "Grade", "mother"];
        assert_eq!(
            csv(&names, "7,784-1990-1234567-8,ninth,فاطمة").unwrap(),
            ["id:id=7", "رقم الهويه:eid=•••678*", ">Grade:grade=ninth", "mother:?=•••*"],
            "headers are found as they read; what no field names is masked"
        );
        assert_eq!(
            csv(&names, "7,,784199012345678,").unwrap(),
            ["id:id=7", "رقم الهويه:eid=-", ">Grade:grade=•••*", "mother:?=-"],
            "an Emirates ID that slipped into another column is masked there too"
        );
        assert_eq!(csv(&names, "7,x,9"), None, "cells that cannot be told apart");
        let names = vec!["eid".to_owned()];
        let form = Form::Sheet { names, marks: "t".to_owned() };
        let layout = layout();
        let sight = Sight { bare: true, ..sight(&layout, None) };
        assert_eq!(
            said(lay_out(b"784199012345678", &form, sight)).unwrap(),
            ["eid:eid=784199012345678"],
            "nothing is masked that is revealed"
        );
    }

    fn json(text: &str) -> Option<Vec<String>> {
        let form = Form::Json { standing: Standing::Here };
        said(lay_out(text.as_bytes(), &form, sight(&layout(), Some("area"))))
    }

    #[test]
    fn members_of_a_record_are_masked_as_their_fields_are_at_any_depth() {
        for (text, expected, why) in [
            (
                r#"{"id":7,"eid":"784199012345678","home":{"area":null,"phone":"050","x":1},"other":{"a":1}}"#,
                Some(
                    &[
                        "id:id=7",
                        "eid:eid=•••678*",
                        ">home.area:area=-",
                        "home.phone:phone=•••*",
                        "home.x:?=•••*",
                        "other:?=•••*",
                    ][..],
                ),
                "each by its field",
            ),
            (
                r#"{"home":"050 123"}"#,
                Some(&[">home:phone=•••*"]),
                "a text where an object with a phone should be",
            ),
            (
                r#"{"grade":{"eid":"x"},"notes":{"any":[1]}}"#,
                Some(&["grade:grade=•••*", r#"notes:notes={"any":[1]}"#]),
                "nested only where it may be",
            ),
            (r#"{"id":1,"id":2}"#, Some(&["id:id=1", "id:id=2"]), "a name that stands twice"),
            (
                r#"{"784-1990-1234567-8":{"id":1}}"#,
                Some(&["•••:?=•••*"]),
                "a name that is a person's number",
            ),
            ("[1,2]", None, "no object"),
            (r#"{"id":7"#, None, "cut off"),
        ] {
            assert_eq!(
                json(text).as_deref(),
                expected.map(|e| e.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).as_deref(),
                "{why}"
            );
        }
    }

    #[test]
    fn elements_show_their_own_text_and_hide_attributes_that_no_field_names() {
        let form = Form::Xml { standing: Standing::Gone };
        let text = r##"{"id":{"@type":"x","#text":"7"},"home":{"area":{"#text":"كلباء"},"phone":["1","2"]},"grade":["1","2"]}"##;
        assert_eq!(
            said(lay_out(text.as_bytes(), &form, sight(&layout(), None))).unwrap(),
            [
                "id.@type:?=•••*",
                "id.#text:id=7",
                "home.area.#text:area=كلباء",
                "home.phone:phone=•••*",
                "grade:grade=•••*"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_value_of_a_sensitive_field_or_of_none_is_ever_shown(
            order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
            filler in "[a-z]{0,4}",
            nested in any::<bool>(),
        ) {
            // Whatever stands where, and however deep: only what an open field names comes out.
            let all = [
                ("id", "open-id"), ("eid", "SECRET-eid"), ("mother", "SECRET-mother"),
                ("رقم الهوية", "SECRET-alias"), ("grade", "open-grade"), ("home", "SECRET-home"),
            ];
            let picked: Vec<_> = order.iter().filter_map(|at| all.get(*at)).collect();
            let names = picked.iter().map(|(name, _)| (*name).to_owned()).collect();
            let row = picked.iter().map(|(_, value)| format!("{value}{filler}")).collect::<Vec<_>>();
            let form = Form::Csv { delimiter: ',', names };
            let layout = layout();
            let laid = lay_out(row.join(",").as_bytes(), &form, sight(&layout, Some("eid")));
            let members = picked.iter().map(|(name, value)| {
                let text = Value::from(format!("{value}{filler}"));
                ((*name).to_owned(), if nested { json!({ "phone": text, "x": text }) } else { text })
            });
            let record = Value::Object(members.collect()).to_string();
            for form in [Form::Json { standing: Standing::Here }, Form::Xml { standing: Standing::Here }] {
                let laid = lay_out(record.as_bytes(), &form, sight(&layout, None));
                prop_assert!(!serde_json::to_string(&laid).unwrap().contains("SECRET"), "{laid:?}");
                prop_assert!(laid.is_some());
            }
            let said = serde_json::to_string(&laid).unwrap();
            prop_assert!(!said.contains("SECRET"), "{said}");
            prop_assert!(said.contains("open-id") && said.contains("open-grade"), "{said}");
        }
    }
}

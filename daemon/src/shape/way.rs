//! Where a feed's columns stand in a record, and what says that the record was deleted: in JSON names and `$.a[0].b`, in
//! XML paths of local names.

use marsad_shared::feed::{Deleted, Field, FieldPath, FieldStep, FieldType, OWN_TEXT, XmlPath};
use serde_json::value::RawValue;

use super::{
    Beside, Held, Refused, odata,
    record::{Record, Slots, member, raw_of},
};
use crate::decode::{Raw, json::Written, xml};

/// All that is looked for in the records of one feed.
#[derive(Clone, Debug)]
pub(super) struct Ways {
    slots: Slots,
    /// For each column where it may stand; the first that is there counts.
    columns: Vec<Vec<Way>>,
    deleted: Rule,
}

/// How to come to one value.
#[derive(Clone, Debug)]
enum Way {
    /// A slot of the record, and the way on from there.
    Json { slot: usize, rest: Vec<FieldStep> },
    /// The same for elements and attributes; the slot's own element may have to be chosen.
    Xml { slot: usize, with: Choice, rest: Vec<(String, Choice)> },
}

/// The attribute, and its value, by which one of several elements is chosen.
type Choice = Option<(String, String)>;

/// What says that a record was deleted.
#[derive(Clone, Debug)]
enum Rule {
    None,
    Field { way: Way, values: Vec<String> },
    OData(odata::Slots),
}

impl Ways {
    /// The ways into JSON records: to `fields`, and to what says that one was deleted.
    pub(super) fn json<'f>(
        fields: impl Iterator<Item = &'f Field>,
        deleted: Option<&Deleted>,
    ) -> Self {
        Self::of(fields, deleted, json)
    }

    /// The ways into XML records.
    pub(super) fn xml<'f>(
        fields: impl Iterator<Item = &'f Field>,
        deleted: Option<&Deleted>,
    ) -> Self {
        let mut ways = Self::of(fields, deleted, xml_way);
        ways.slots.elements = true;
        ways
    }

    fn of<'f>(
        fields: impl Iterator<Item = &'f Field>,
        deleted: Option<&Deleted>,
        way: fn(&str, &mut Slots) -> Way,
    ) -> Self {
        let mut slots = Slots::default();
        let columns = fields
            .map(|field| field.from.iter().map(|from| way(from, &mut slots)).collect())
            .collect();
        let deleted = match deleted {
            None => Rule::None,
            Some(Deleted::Field { field, values }) => {
                Rule::Field { way: way(field, &mut slots), values: values.clone() }
            }
            Some(Deleted::OData) => Rule::OData(odata::Slots::add_to(&mut slots)),
        };
        Self { slots, columns, deleted }
    }

    /// Opens a record; what it has beside what is looked for goes into `beside`.
    ///
    /// # Errors
    /// [`Refused`] if it cannot be opened.
    pub(super) fn open<'r>(
        &self,
        record: &'r str,
        beside: Option<&mut Beside>,
    ) -> Result<Record<'r>, Refused> {
        Record::open(record, &self.slots, beside)
    }

    /// Whether the record says that it was deleted. One that says nothing of it is there.
    ///
    /// # Errors
    /// [`Refused`] if what it says is no single value.
    pub(super) fn is_gone(&self, record: &Record<'_>) -> Result<bool, Refused> {
        let (way, values) = match &self.deleted {
            Rule::None => return Ok(false),
            Rule::OData(slots) => return Ok(slots.is_gone(record)),
            Rule::Field { way, values } => (way, values),
        };
        let found = way.text(record).map_err(untold)?;
        match found.raw() {
            Raw::Nested(_) => Err(untold("holds an object or a list; mend `deleted.field`")),
            raw => Ok(values.iter().any(|value| raw.reads(value))),
        }
    }

    /// The id of a deleted entity of `OData` 4.0, which is a reference such as `Enrolments(104)` and no column.
    pub(super) fn reference(&self, record: &Record<'_>) -> Option<String> {
        if let Rule::OData(slots) = &self.deleted { slots.reference(record) } else { None }
    }

    /// The id of an `OData` entity, where there is one.
    pub(super) fn id(&self, record: &Record<'_>) -> Option<String> {
        if let Rule::OData(slots) = &self.deleted { slots.id(record) } else { None }
    }

    /// What the record has for a column of that type.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub(super) fn value<'r>(
        &self,
        record: &Record<'r>,
        column: usize,
        kind: FieldType,
    ) -> Result<Held<'r>, &'static str> {
        for way in self.columns.get(column).map(Vec::as_slice).unwrap_or_default() {
            let found =
                if kind == FieldType::Json { way.whole(record)? } else { way.text(record)? };
            if !matches!(found, Held::Raw(Raw::Nothing)) {
                return Ok(found);
            }
        }
        Ok(Held::Raw(Raw::Nothing))
    }
}

/// A record of which it cannot be told whether it was deleted.
fn untold(why: &str) -> Refused {
    Refused::whole(format!("what should say whether it was deleted {why}"))
}

/// What is no path is one name.
fn json(from: &str, slots: &mut Slots) -> Way {
    let steps = FieldPath::parse(from).map(|path| path.steps).unwrap_or_default();
    let mut steps = steps.into_iter();
    let name = match steps.next() {
        Some(FieldStep::Name(name)) => name,
        _ => from.to_owned(),
    };
    Way::Json { slot: slots.add(name), rest: steps.collect() }
}

/// A path of local names; what is none is the name of one element.
fn xml_way(from: &str, slots: &mut Slots) -> Way {
    let mut steps = match XmlPath::parse(from) {
        Ok(path) => {
            let attribute = path.attribute.map(|name| (format!("@{name}"), None));
            path.steps.into_iter().map(|step| (step.name, step.with)).chain(attribute).collect()
        }
        Err(_) => vec![(from.to_owned(), None)],
    }
    .into_iter();
    let (name, with) = steps.next().unwrap_or_default();
    Way::Xml { slot: slots.add(name), with, rest: steps.collect() }
}

impl Way {
    /// What stands there: of an XML element its text, whatever attributes it has.
    fn text<'r>(&self, record: &Record<'r>) -> Result<Held<'r>, &'static str> {
        match (self, self.find(record)?) {
            (_, None) => Ok(Held::Raw(Raw::Nothing)),
            (Self::Json { .. }, Some(value)) => raw_of(value),
            (Self::Xml { .. }, Some(value)) => xml_text(value),
        }
    }

    /// All that stands there, nested or not.
    fn whole<'r>(&self, record: &Record<'r>) -> Result<Held<'r>, &'static str> {
        match (self, self.find(record)?) {
            (_, None) => Ok(Held::Raw(Raw::Nothing)),
            // An empty element is an empty cell.
            (Self::Xml { .. }, Some(value)) if value.get() == "\"\"" => Ok(Held::Raw(Raw::Nothing)),
            (_, Some(value)) => raw_of(value),
        }
    }

    fn find<'r>(&self, record: &Record<'r>) -> Result<Option<Written<'r>>, &'static str> {
        match self {
            Self::Json { slot, rest } => {
                let mut found = record.get(*slot);
                for step in rest {
                    let Some(value) = found else { return Ok(None) };
                    found = stepped(value, step)?;
                }
                Ok(found)
            }
            Self::Xml { slot, with, rest } => {
                let mut found = chosen(record.get(*slot), with.as_ref())?;
                for (name, with) in rest {
                    let Some(element) = found else { return Ok(None) };
                    if is_list(element) {
                        return Err(MANY);
                    }
                    found = chosen(member(element, name), with.as_ref())?;
                }
                Ok(found)
            }
        }
    }
}

/// One step on from a value of JSON; nothing if it is no object, or no list, or has nothing there.
fn stepped<'r>(value: Written<'r>, step: &FieldStep) -> Result<Option<Written<'r>>, &'static str> {
    let elements = || {
        let all = serde_json::from_str::<Vec<&RawValue>>(value.get()).unwrap_or_default();
        all.into_iter().map(Written::of).collect::<Vec<_>>()
    };
    match step {
        FieldStep::Name(name) => Ok(member(value, name)),
        FieldStep::At(at) => {
            let elements = elements();
            let at = if *at < 0 {
                elements.len().checked_add_signed(*at)
            } else {
                Some(at.unsigned_abs())
            };
            Ok(at.and_then(|at| elements.get(at).copied()))
        }
        FieldStep::With { names, value } => {
            let fits = |element: &Written<'r>| {
                let led = |at, name: &String| member(at, name);
                let found = names.iter().try_fold(*element, led).map(raw_of);
                found.is_some_and(|held| held.is_ok_and(|held| held.raw().reads(value)))
            };
            let mut fitting = elements().into_iter().filter(fits);
            match (fitting.next(), fitting.next()) {
                (Some(_), Some(_)) => Err(SEVERAL),
                (first, _) => Ok(first),
            }
        }
    }
}

const SEVERAL: &str = "stands more than once: several elements of its list fit the choice; choose one, as in [0], or type it \"json\"";

const MANY: &str = "stands more than once; choose one by an attribute, as in Date[@calendar='hijri'], or type it \"json\"";

fn is_list(value: Written<'_>) -> bool {
    value.get().starts_with('[')
}

/// The one of several elements that has the attribute; without a choice, what there is.
fn chosen<'r>(
    found: Option<Written<'r>>,
    with: Option<&(String, String)>,
) -> Result<Option<Written<'r>>, &'static str> {
    let (Some(value), Some((name, wanted))) = (found, with) else { return Ok(found) };
    let attribute = format!("@{name}");
    let fits = |element: &Written<'r>| {
        let said = member(*element, &attribute).map(raw_of);
        matches!(said, Some(Ok(held)) if held.raw() == Raw::Text(wanted))
    };
    let all = if is_list(value) {
        let all = serde_json::from_str::<Vec<&RawValue>>(value.get()).unwrap_or_default();
        all.into_iter().map(Written::of).collect()
    } else {
        vec![value]
    };
    let mut fitting = all.into_iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(_), Some(_)) => Err(MANY),
        (first, _) => Ok(first),
    }
}

const MIXED: &str = "has elements in it: its text is not whole; have the partner write it as text alone, or type it \"json\"";

/// An element's own text; nothing if it is empty. With words inside other elements it would be read without them.
fn xml_text(value: Written<'_>) -> Result<Held<'_>, &'static str> {
    let held = match value.get().as_bytes().first() {
        Some(b'[') => return Err(MANY),
        Some(b'{') => match member(value, OWN_TEXT) {
            Some(_) if xml::has_elements(value.get()) => return Err(MIXED),
            Some(text) => raw_of(text)?,
            None if xml::has_elements(value.get()) => raw_of(value)?,
            None => Held::Raw(Raw::Nothing),
        },
        _ => raw_of(value)?,
    };
    let empty = matches!(held.raw(), Raw::Text(""));
    Ok(if empty { Held::Raw(Raw::Nothing) } else { held })
}

//! An SDMX-JSON message as it is written, 1.0 and 2.x alike, as far as its observations need it.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// A message. In 1.0 structure and data sets stand at the top, in 2.x under `data`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) header: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) meta: Option<&'a RawValue>,
    pub(super) structure: Option<Structure>,
    pub(super) structures: Option<Vec<Structure>>,
    #[serde(borrow, rename = "dataSets")]
    pub(super) sets: Option<Vec<DataSet<'a>>>,
    #[serde(borrow)]
    pub(super) data: Option<Data<'a>>,
    pub(super) errors: Option<Vec<Trouble>>,
}

/// The content of a 2.x message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Data<'a> {
    pub(super) structure: Option<Structure>,
    pub(super) structures: Option<Vec<Structure>>,
    #[serde(borrow, rename = "dataSets")]
    pub(super) sets: Option<Vec<DataSet<'a>>>,
}

/// An error in place of data.
#[derive(Debug, Deserialize)]
pub(super) struct Trouble {
    pub(super) code: Option<Value>,
    pub(super) title: Option<String>,
    pub(super) message: Option<String>,
    pub(super) detail: Option<String>,
}

/// What the positions in data sets mean.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Structure {
    #[serde(default)]
    pub(super) dimensions: Levels,
    pub(super) measures: Option<Levels>,
    pub(super) attributes: Option<Levels>,
    /// The data sets that it is of, by number.
    #[serde(default, rename = "dataSets")]
    pub(super) of: Vec<usize>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

/// What something belongs to.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) urn: Option<String>,
}

impl Link {
    /// The URN of a data structure among links, else of a data flow.
    pub(super) fn structure<'l>(links: &[&'l [Self]]) -> Option<&'l str> {
        let urns = || links.iter().copied().flatten().filter_map(|link| link.urn.as_deref());
        let urn = |what: &str| urns().find(|urn| urn.contains(what));
        urn(".DataStructure=").or_else(|| urn(".Dataflow="))
    }
}

/// Components by where their values stand.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Levels {
    #[serde(rename = "dataSet")]
    pub(super) set: Vec<Component>,
    pub(super) dimension_group: Vec<Component>,
    pub(super) series: Vec<Component>,
    pub(super) observation: Vec<Component>,
}

impl Levels {
    /// All of a structure's dimensions; it has none of groups.
    pub(super) fn all(&self) -> impl Iterator<Item = &Component> {
        [&self.set, &self.series, &self.observation].into_iter().flatten()
    }
}

/// A dimension, measure or attribute.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Component {
    pub(super) id: String,
    pub(super) key_position: Option<usize>,
    #[serde(default)]
    pub(super) values: Vec<Option<Listed>>,
}

/// A value that positions name.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) id: Option<String>,
    pub(super) value: Option<Value>,
    /// Several values of an attribute that has no codes.
    pub(super) values: Option<Box<RawValue>>,
    /// What people call it, in whatever form.
    pub(super) name: Option<Value>,
}

impl Listed {
    /// Its id, or where it has none, what it says.
    pub(super) fn text(&self) -> Option<String> {
        let value = || match self.value.as_ref()? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        self.id.clone().or_else(value)
    }

    /// What it says as a measure or an attribute. There it may have several values, which are a list, or words in each
    /// language; and one without a code may stand under its name alone. A name tells no dimension: it changes with the
    /// language.
    pub(super) fn said(&self) -> Option<String> {
        let other = || self.value.as_ref().map(Value::to_string);
        let several = || self.values.as_ref().map(|values| values.get().to_owned());
        let name = || self.name.as_ref().and_then(Value::as_str).map(str::to_owned);
        self.text().or_else(other).or_else(several).or_else(name)
    }
}

/// Observations that are to be kept, or deleted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DataSet<'a> {
    pub(super) action: Option<String>,
    pub(super) structure: Option<usize>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
    #[serde(borrow)]
    pub(super) attributes: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) dimension_group_attributes: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) series: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) observations: Option<&'a RawValue>,
}

/// One series of a data set.
#[derive(Debug, Deserialize)]
pub(super) struct Series<'a> {
    #[serde(borrow)]
    pub(super) attributes: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) observations: Option<&'a RawValue>,
}

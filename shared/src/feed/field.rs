//! A column: its name, its type, where it stands in a record, and what its values must be.

use serde::{Deserialize, Serialize};

use crate::{id::FeedId, word::words};

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The column's name in the bank.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Where it stands in a record: names, headers or paths, the first that is there. Never empty.
    pub from: Vec<String>,
    /// A record without it is quarantined. Key fields are always required.
    pub required: bool,
    /// Masked wherever it is shown.
    pub sensitive: bool,
    /// How a day or a timestamp is written, as in strftime, or `unix` or `unix_ms`; `None`: ISO 8601.
    pub format: Option<String>,
    /// The zone of a timestamp that names none, an IANA name; `None`: the feed's.
    pub zone: Option<String>,
    /// What its values must be, beyond their type.
    #[serde(default, skip_serializing_if = "Rules::is_empty")]
    pub rules: Rules,
}

/// What values of a column must be, beyond their type. Each belongs to some types only; the configuration was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// `phone`: the country of a number that names none, as [`crate::phone::Region`] reads it; `None`: the Emirates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `enum`: all that may stand there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What stands there for nothing, as JSON writes it without quotes, and without white space around it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nothing: Vec<String>,
    /// `hijri_date`: the column of type `date` that says the same day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gregorian: Option<String>,
    /// The least that may stand there, as [`crate::bound::Bound`] reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The greatest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Which living record it must be that of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<Reference>,
    /// `text`: what it must look like, as [`crate::bound::Pattern`] reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// The column of another feed that a value has to stand in: the first of its key, which is looked up quickly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    pub feed: FeedId,
    pub column: String,
}

impl Rules {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Field {
    /// A field of its own name, optional and open.
    pub fn new(name: impl Into<String>, kind: FieldType) -> Self {
        let name = name.into();
        Self {
            from: vec![name.clone()],
            name,
            kind,
            required: false,
            sensitive: false,
            format: None,
            zone: None,
            rules: Rules::default(),
        }
    }
}

impl FieldType {
    /// The type that holds what either does, where nothing more is known than how values were written.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Integer, Self::Integer) => Self::Integer,
            (Self::Boolean, Self::Boolean) => Self::Boolean,
            (Self::Integer | Self::Decimal, Self::Integer | Self::Decimal) => Self::Decimal,
            (Self::Json, _) | (_, Self::Json) => Self::Json,
            _ => Self::Text,
        }
    }
}

words! {
    /// What a column holds, and how the bank stores it.
    pub enum FieldType is "field type" {
        /// Text, as it came.
        Text = "text",
        /// A whole number of 64 bits.
        Integer = "integer",
        /// An exact decimal, as text.
        Decimal = "decimal",
        /// 0 or 1.
        Boolean = "boolean",
        /// A day, `2026-11-24`.
        Date = "date",
        /// A day of Umm al-Qura, `1447-09-01`.
        HijriDate = "hijri_date",
        /// An instant, ISO 8601 in UTC.
        Timestamp = "timestamp",
        /// A year, a part of one or a day, as SDMX writes it.
        Period = "period",
        /// An Emirates ID: 15 digits that begin with 784 and pass Luhn, as text.
        EmiratesId = "emirates_id",
        /// A telephone number, E.164.
        Phone = "phone",
        /// One of the column's `values`, as text.
        Enum = "enum",
        /// A nested value, as compact JSON text.
        Json = "json",
    }
}

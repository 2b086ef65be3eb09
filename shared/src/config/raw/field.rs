//! The columns of a feed.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::{Spanned, de::DeValue};

use crate::{
    config::{
        source::{Place, Report},
        table::{At, Keys, Or, Value, table},
        value::{Edge, Zone},
    },
    feed::FieldType,
};

/// A column: its type alone, or a table.
pub(in crate::config) type RawField = Or<FieldType, RawFieldTable>;

table! {
    /// A column that needs more said than its type.
    pub struct RawFieldTable, as "a type, or { type = \"text\", from = \"…\" }" {
        /// What it holds.
        must r#type: FieldType,
        /// Where it stands in a record: a name, a header, or a path such as `$.child.eid`; or several, of which the first
        /// that is there counts. A header that reads the same counts where none is written so: in another case, without
        /// vowel signs, with another form of alef, ya or ta marbuta, or in two languages. Default: the column's name.
        may from: Or<String, Vec<String>>,
        /// Whether a record without it is refused. The key always is. Default: false.
        may required: bool,
        /// Whether it is masked wherever it is shown. Default: false.
        may sensitive: bool,
        /// How a date, Hijri date or timestamp is written, as in strftime; a timestamp also as `unix` (seconds since 1970) or
        /// `unix_ms` (as `/Date(1794816000000)/` too). A Hijri date knows `%Y`, `%m`, `%d` and `%F`. Default: ISO 8601.
        may format: String,
        /// The IANA zone of a timestamp that names none. Default: `timezone` of marsad.toml.
        may zone: Zone,
        /// `hijri_date`: the `date` column that says the same day; where both are given and are a day apart, the record
        /// is taken and the run says how many were; if more than a day, it is refused. Default: none is compared.
        may gregorian: String,
        /// `phone`: the country of a number that names none, by its two letters. Default: `AE`.
        may region: String,
        /// What it refers to: a living record of that feed has to have the value in its key, or the record is refused. `"feed"`,
        /// `"feed.column"`, or `"partner/feed.column"` for a feed of another partner. Nothing refers to nothing. Default: it
        /// refers to nothing.
        may references: String,
        /// `enum`: all that may stand there.
        may values: Vec<String>,
        /// What stands there for nothing, such as `["N/A", "-"]`: a value, or `false` and the like as JSON writes it. Default:
        /// that of the feed.
        may nothing: Vec<String>,
        /// `integer`, `decimal`, `date`, `hijri_date`, `timestamp`, `period`: the least that may stand there: a number, a
        /// day, a time, a period of which all days must be behind its first. Default: no bound.
        may min: Edge,
        /// The greatest, written as `min` is. Default: no bound.
        may max: Edge,
        /// `text`: a regular expression that all of the text must match, from its first character to its last. Default:
        /// none.
        may pattern: String,
    }
    later {}
}

/// The columns, in the order of writing.
#[derive(Debug)]
pub(in crate::config) struct Fields(pub Vec<(String, At<RawField>)>);

impl Value for Fields {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let keys = Keys::of(value, place, "{ id = \"text\", updated_at = \"timestamp\" }", report)?;
        let read: Vec<_> = keys
            .all()
            .into_iter()
            .map(|(name, at, value)| {
                let place = place.child(name).at(at);
                let field = RawField::read(value, &place, report)?;
                Some((name.to_owned(), At { value: field, place }))
            })
            .collect();
        read.into_iter().collect::<Option<_>>().map(Self)
    }
}

impl JsonSchema for Fields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let field = generator.subschema_for::<RawField>();
        json_schema!({ "type": "object", "additionalProperties": field })
    }
}

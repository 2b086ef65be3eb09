//! The JSON schema of both kinds of files, for editors that complete and check while one writes.

use schemars::{Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value as Json, json};

use super::{
    raw::{RawDaemon, RawPartnerFile},
    table::Need,
};

/// One document: `#/$defs/Daemon` is `marsad.toml`, `#/$defs/PartnerFile` each file of `partners.d`. It says no more
/// than the types and the keys; what belongs together is for `Config::load` to say.
pub fn schema() -> Json {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let daemon = generator.subschema_for::<RawDaemon>();
    let partner = generator.subschema_for::<RawPartnerFile>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Marsad configuration",
        "description": "marsad.toml (#/$defs/Daemon) and the files of partners.d (#/$defs/PartnerFile).",
        "anyOf": [daemon, partner],
        "$defs": generator.take_definitions(true),
    })
}

/// One key of a table, for its schema.
pub(super) struct Property {
    pub name: &'static str,
    pub about: &'static str,
    pub need: Need,
    pub schema: Schema,
}

/// The schema of a table.
pub(super) fn table_schema(about: &str, properties: impl IntoIterator<Item = Property>) -> Schema {
    let (mut keys, mut required) = (Map::new(), Vec::new());
    for Property { name, about, need, mut schema } in properties {
        schema.insert("description".to_owned(), prose(about).into());
        keys.insert(name.to_owned(), schema.into());
        if need == Need::Must {
            required.push(Json::from(name));
        }
    }
    let mut schema = json_schema!({ "type": "object", "description": prose(about) });
    schema.insert("properties".to_owned(), keys.into());
    schema.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

/// A doc comment's lines as one.
fn prose(about: &str) -> String {
    about.split_whitespace().collect::<Vec<_>>().join(" ")
}

//! The JSON schema of both kinds of files, for editors that complete and check while one writes.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value as Json, json};

use super::raw::{RawDaemon, RawPartnerFile};

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

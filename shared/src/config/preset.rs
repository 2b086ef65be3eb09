//! Styles that are known by name: what a feed's block need not say.
//!
//! A preset is written in the language of the configuration itself and stands under what the block says: a key that is
//! written there counts, one that is not is taken from here. What it adds has the place of the word `preset`, so that
//! whatever is wrong with it leads there.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::request::Preset;

/// `OData` 4.0 and 4.01 (OASIS): pages by `@odata.nextLink`, changes by `@odata.deltaLink` where the server tracks them.
const ODATA: &str = r#"
records = "$.value[*]"
headers = { Accept = "application/json", Prefer = "odata.track-changes" }
pagination = { kind = "next_url", next = "$['@odata.nextLink']" }
incremental = { by = "delta", delta = "$['@odata.deltaLink']" }
success = { error = "$.error" }
by_field = { param = "$filter", value = "{field} ge {cursor}", join = "and" }
"#;

/// CKAN's datastore: its own next link never ends, so records are counted, up to `total`. Whether anything changed stands
/// in `resource_show`, which needs the resource's id: `changed` is the feed's own.
const CKAN: &str = r#"
records = "$.result.records[*]"
pagination = { kind = "offset", param = "offset", size_param = "limit", size = 1000, total = "$.result.total" }
success = { path = "$.success", equals = [true] }
"#;

/// Opendatasoft's Explore API 2.1: at most 100 records a page and 10,000 by pages; beyond that its exports are asked for.
const OPENDATASOFT: &str = r#"
records = "$.results[*]"
pagination = { kind = "offset", param = "offset", size_param = "limit", size = 100, total = "$.total_count", max_records = 10000 }
by_field = { param = "where", value = "{field} >= date'{cursor}'", join = "and" }
"#;

/// JSON:API 1.1.
const JSONAPI: &str = r#"
records = "$.data[*]"
headers = { Accept = "application/vnd.api+json" }
pagination = { kind = "next_url", next = "$.links.next" }
success = { error = "$.errors" }
"#;

/// SDMX REST 2.1 and 3: changes since the partner's own time of the last complete answer. What is read best comes first; a
/// service that makes none of these gives what it has, and the bytes tell what that is.
const SDMX: &str = r#"
format = "sdmx"
headers = { Accept = "application/vnd.sdmx.data+json;version=2.0.0, application/vnd.sdmx.data+json;version=1.0.0;q=0.9, application/vnd.sdmx.data+csv;version=2.0.0;q=0.8, application/vnd.sdmx.genericdata+xml;version=2.1;q=0.7, application/vnd.sdmx.structurespecificdata+xml;version=2.1;q=0.6, */*;q=0.1" }
incremental = { by = "clock", param = "updatedAfter", lookback = "1h" }
"#;

/// An XML envelope over a bus. Where records and token stand is the service's own.
const BUS: &str = r#"
format = "xml"
headers = { Accept = "text/xml, application/xml" }
"#;

/// The keys of a preset that mean something to files as well.
const FOR_FILES: [&str; 2] = ["records", "format"];

/// What stands in every record of that style and is nothing of its own: CKAN numbers the rows of a table anew whenever it is
/// loaded.
pub(super) const fn unlisted(preset: Preset) -> &'static [&'static str] {
    match preset {
        Preset::Ckan => &["_id"],
        Preset::OData | Preset::Opendatasoft | Preset::JsonApi | Preset::Sdmx | Preset::Bus => &[],
    }
}

/// Completes every feed of a partner's file that names a preset.
pub(super) fn complete(file: &mut Spanned<DeValue<'_>>) {
    let DeValue::Table(file) = file.get_mut() else { return };
    let Some(DeValue::Array(feeds)) = file.get_mut("feed").map(Spanned::get_mut) else { return };
    for feed in feeds.iter_mut() {
        let DeValue::Table(feed) = feed.get_mut() else { continue };
        let Some(named) = feed.get("preset") else { continue };
        let (place, text) = (named.span(), named.get_ref().as_str().and_then(text_of));
        let Some(preset) = text.and_then(|text| DeTable::parse(text).ok()) else { continue };
        under(feed, preset.into_inner(), &place);
    }
}

fn text_of(word: &str) -> Option<&'static str> {
    Some(match word.parse().ok()? {
        Preset::OData => ODATA,
        Preset::Ckan => CKAN,
        Preset::Opendatasoft => OPENDATASOFT,
        Preset::JsonApi => JSONAPI,
        Preset::Sdmx => SDMX,
        Preset::Bus => BUS,
    })
}

/// Puts a preset under what a feed says.
fn under(feed: &mut DeTable<'_>, mut preset: DeTable<'static>, place: &Range<usize>) {
    let by_field = preset.remove("by_field");
    let files = feed.contains_key("files");
    if of(feed, "incremental").is_some_and(|own| own.contains_key("field")) {
        match by_field {
            Some(by_field) => {
                let key = Spanned::new(place.clone(), "incremental".into());
                preset.insert(key, by_field);
            }
            None => drop(preset.remove("incremental")),
        }
    }
    // A snapshot is all there is, each time.
    let mode = feed.get("mode").and_then(|mode| mode.get_ref().as_str());
    if mode == Some("snapshot") && !feed.contains_key("incremental") {
        preset.remove("incremental");
    }
    for (key, value) in preset {
        let name = key.get_ref().as_ref();
        if files && !FOR_FILES.contains(&name) {
            continue;
        }
        let value = placed(value, place);
        match (feed.get_mut(name).map(Spanned::get_mut), value) {
            (None, value) => {
                feed.insert(Spanned::new(place.clone(), key.into_inner()), value);
            }
            (Some(DeValue::Table(own)), value) if joins(name, own, &value) => {
                let DeValue::Table(members) = value.into_inner() else { continue };
                for (key, value) in members {
                    if !own.contains_key(key.get_ref().as_ref()) {
                        own.insert(key, value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether a table of the feed is completed from the preset's: not where it says that it is of another kind.
fn joins(name: &str, own: &DeTable<'_>, preset: &Spanned<DeValue<'_>>) -> bool {
    let kind = match name {
        "pagination" => "kind",
        "incremental" => "by",
        "headers" => return true,
        _ => return false,
    };
    let word = |table: &DeTable<'_>| {
        table.get(kind).and_then(|value| value.get_ref().as_str()).map(str::to_owned)
    };
    let Some(preset) = preset.get_ref().as_table() else { return false };
    word(own).is_none_or(|own| Some(own) == word(preset))
}

fn of<'t, 'd>(table: &'t DeTable<'d>, name: &str) -> Option<&'t DeTable<'d>> {
    table.get(name)?.get_ref().as_table()
}

/// A value as if it stood at `place`.
fn placed<'d>(value: Spanned<DeValue<'d>>, place: &Range<usize>) -> Spanned<DeValue<'d>> {
    let inner = match value.into_inner() {
        DeValue::Table(table) => {
            let members = table.into_iter().map(|(key, value)| {
                (Spanned::new(place.clone(), key.into_inner()), placed(value, place))
            });
            DeValue::Table(members.collect())
        }
        DeValue::Array(list) => {
            let items = list.into_iter().map(|value| placed(value, place));
            DeValue::Array(items.collect())
        }
        other => other,
    };
    Spanned::new(place.clone(), inner)
}

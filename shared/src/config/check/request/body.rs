//! Whether parameters have a place in a JSON body.

use serde_json::Value;

use crate::{
    config::{
        raw::RawFeed,
        source::{Report, quoted},
        table::At,
    },
    request::{
        Carrier,
        place::{NoPlace, place},
    },
};

/// Checks that each parameter has a place in `json`, by itself and beside the others.
pub(super) fn has_room(json: &Value, feed: &RawFeed, report: &mut Report<'_>) {
    let mut all = json.clone();
    for at in travelling(feed) {
        let alone = place(&mut json.clone(), &at.value).err();
        let beside = place(&mut all, &at.value).map(|place| *place = Value::from(0)).err();
        if let Some(none) = alone.or(beside) {
            let (problem, remedy) = said(&at.value, none);
            report.wrong(&at.place, problem, remedy);
        }
    }
}

/// The parameters that travel in the body, in the order in which they are put there.
fn travelling(feed: &RawFeed) -> impl Iterator<Item = &At<String>> {
    let incremental =
        feed.incremental.value().filter(|raw| raw.place.value() == Some(&Carrier::Body));
    let pagination =
        feed.pagination.value().filter(|raw| raw.place.value() == Some(&Carrier::Body));
    let since = incremental.into_iter().flat_map(|raw| [&raw.param, &raw.until_param]);
    let paged = pagination.into_iter().flat_map(|raw| [&raw.param, &raw.size_param]);
    since.chain(paged).filter_map(|given| given.here())
}

fn said(path: &str, none: NoPlace) -> (String, String) {
    let path = quoted(path);
    let name = |at: &str| if at.is_empty() { "the body".to_owned() } else { quoted(at) };
    match none {
        NoPlace::Item { at, step, items } => (
            format!(
                "{path} has no place: {} is a list of {items}, without an item {}",
                name(&at),
                quoted(&step)
            ),
            format!("write the number of an item, from 0, or {items} to add one"),
        ),
        NoPlace::Closed { at, step } => (
            format!(
                "{path} has no place: {} is no object, and would be lost for {}",
                name(&at),
                quoted(&step)
            ),
            "mend the path, or make an object or a list of what stands there".to_owned(),
        ),
    }
}

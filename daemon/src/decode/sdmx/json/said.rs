//! What is said of measures and attributes: by positions in the lists of their values, or in plain words.

use serde_json::value::RawValue;

use super::{
    layout,
    message::{Component, Listed},
};
use crate::decode::{
    DecodeError,
    sdmx::{GAP, GAPS, Part, shown, text},
};

/// The values of measures or attributes; nulls are none. Where one cannot be told, `wrong` becomes why: that is the matter of
/// the observations that have it, and of no others.
pub(super) fn parts<'v>(
    components: &[Component],
    values: impl Iterator<Item = &'v RawValue>,
    wrong: &mut Option<String>,
) -> Result<Vec<Part>, DecodeError> {
    let mut parts = Vec::new();
    for (component, value) in components.iter().zip(values) {
        let positions = positions(value).filter(|_| !component.values.is_empty());
        let value = match positions {
            Some(Positions::One(position)) => {
                told(component, position, wrong)?.map(|one| text(&one))
            }
            // A list of values, as text: so it is one value to whoever has a column of text.
            Some(Positions::Several(several)) => {
                let all = several.iter().map(|one| match one {
                    Some(position) => told(component, *position, wrong),
                    None => Ok(None),
                });
                let all = all.collect::<Result<Vec<_>, _>>()?;
                (!all.is_empty()).then(|| text(&serde_json::Value::from(all).to_string()))
            }
            None => plain(value),
        };
        parts.extend(value.map(|value| Part { id: component.id.clone(), value }));
    }
    Ok(parts)
}

/// Where values stand in the list of their component.
enum Positions {
    One(usize),
    /// Of a component that may have several; one may be missing.
    Several(Vec<Option<usize>>),
}

/// The positions that a value consists of, if it does.
fn positions(value: &RawValue) -> Option<Positions> {
    let one = || value.get().parse().ok().map(Positions::One);
    let several = || serde_json::from_str(value.get()).ok().map(Positions::Several);
    if value.get().starts_with('[') { several() } else { one() }
}

/// What the list of a measure or an attribute says at a position.
fn told(
    component: &Component,
    position: usize,
    wrong: &mut Option<String>,
) -> Result<Option<String>, DecodeError> {
    let listed = component.values.get(position);
    let listed = listed.ok_or_else(|| layout("a position names no value of its list"))?;
    let said = listed.as_ref().and_then(Listed::said);
    if said.is_none() {
        let id = shown(&component.id);
        let why = format!(
            "value {position} in the list of \"{id}\" has neither an id nor a value nor a name; have the partner mend it"
        );
        wrong.get_or_insert(why);
    }
    Ok(said)
}

/// A value that stands for itself, as it was written; none where nothing is said.
pub(super) fn plain(value: &RawValue) -> Option<String> {
    let written = value.get();
    let is_gap =
        |gap: &str| written.strip_prefix('"').and_then(|w| w.strip_suffix('"')) == Some(gap);
    if GAPS.iter().any(|gap| is_gap(gap)) {
        return Some(GAP.to_owned());
    }
    (written != "null").then(|| written.to_owned())
}

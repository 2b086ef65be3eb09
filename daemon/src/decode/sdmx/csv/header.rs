//! The header of SDMX-CSV 1.0 and 2.x: what its columns are, as far as their names tell. `feed discover` asks here too, so
//! that what it proposes is what a run reads.

use super::super::MEASURE;

/// When a row was written: what services add to each, wherever they put it; no dimension, for it changes, and no attribute.
const WRITTEN: [&str; 2] = ["UPDATED", LAST_UPDATE];
/// The one of them that can be nothing else: no id has a blank.
pub(super) const LAST_UPDATE: &str = "LAST UPDATE";
/// The key of the series or of the observation in one piece (`keys=series|obs|both`).
const KEYS: [&str; 2] = ["SERIES_KEY", "OBS_KEY"];
/// The same as the first column of a service that names no structure.
const KEY: &str = "KEY";

/// What a column is by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// What structure the rows are of.
    Structure,
    /// What else is said of that, or a label that reads as its id.
    Beside,
    Action,
    /// A dimension, a measure or an attribute.
    Component(String),
    /// When the row was written.
    Written(String),
    /// What other columns say already: a whole key, or the label of the column before it.
    Again(String),
}

impl Name {
    /// What it is called, where a feed may have it as a column.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Component(id) | Self::Written(id) | Self::Again(id) => Some(id),
            Self::Structure | Self::Beside | Self::Action => None,
        }
    }
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The columns, in their order.
    pub(crate) names: Vec<Name>,
    /// Whether it is of 2.x.
    pub(crate) second: bool,
    /// Whether cells are `id: label`.
    pub(crate) labels: bool,
}

impl Header {
    /// What a header says, of which these are known to be dimensions; `None`: it is not of SDMX.
    pub(crate) fn of(header: &[String], is_dimension: impl Fn(&str) -> bool) -> Option<Self> {
        let first = header.first().map(|first| id(first, true)).unwrap_or_default();
        let second = match first.split('[').next().unwrap_or_default() {
            "DATAFLOW" => false,
            "STRUCTURE" => true,
            KEY if header.iter().any(|name| id(name, true) == MEASURE) => false,
            _ => return None,
        };
        let beside = labels_beside(header, second, is_dimension);
        // A label of its own may have a colon in it.
        let inside = |name: &String| beside.is_empty() && id(name, true).len() < name.len();
        let labels = header.iter().any(inside);
        let name = |(at, written): (usize, &String)| match id(written, labels) {
            _ if beside.contains(&at) && header.get(at - 1) == Some(written) => Name::Beside,
            _ if beside.contains(&at) => Name::Again(written.clone()),
            "STRUCTURE_ID" if second => Name::Structure,
            KEY if at == 0 => Name::Again(KEY.to_owned()),
            _ if at == 0 && second => Name::Beside,
            _ if at == 0 => Name::Structure,
            "STRUCTURE_NAME" if second => Name::Beside,
            "ACTION" if second => Name::Action,
            id if WRITTEN.contains(&id) => Name::Written(id.to_owned()),
            id if KEYS.contains(&id) => Name::Again(id.to_owned()),
            id => Name::Component(id.to_owned()),
        };
        let names = header.iter().enumerate().map(name).collect();
        Some(Self { names, second, labels })
    }
}

/// Where the labels stand in a header whose components are pairs of an id and its label (`labels=name`).
///
/// That is so only where the name of the structure stands beside its id too, and everything fits: whatever is no pair,
/// could be an id in the place of a label, or is a dimension that is known, leaves all columns what their names say. A
/// dimension that is taken for a label would be lost, and its records taken for each other.
fn labels_beside(
    header: &[String],
    second: bool,
    is_dimension: impl Fn(&str) -> bool,
) -> Vec<usize> {
    if !second || header.iter().all(|name| name != "STRUCTURE_NAME") {
        return Vec::new();
    }
    let ours = ["STRUCTURE_ID", "STRUCTURE_NAME", "ACTION"];
    let known = |name: &str| [&ours[..], &WRITTEN, &KEYS].concat().contains(&name);
    let columns = header.iter().enumerate().skip(1).filter(|(_, name)| !known(name));
    let columns: Vec<(usize, &str)> = columns.map(|(at, name)| (at, name.as_str())).collect();
    let (pairs, rest) = columns.as_chunks::<2>();
    let fits = |[(at, id), (behind, label)]: &[(usize, &str); 2]| {
        let is_label = !is_id(label)
            || label.chars().any(|c| c.is_ascii_lowercase())
            || label.eq_ignore_ascii_case(id);
        let is_other = label != id && is_dimension(label);
        at + 1 == *behind && is_id(id) && is_label && !is_other
    };
    let told = pairs.iter().any(|[_, (_, label)]| !is_id(label));
    if told && rest.is_empty() && pairs.iter().all(fits) {
        pairs.iter().map(|[_, (behind, _)]| *behind).collect()
    } else {
        Vec::new()
    }
}

/// Whether it can be the id of a component, with the languages that may stand behind it: `NOTE[en;ar]`.
fn is_id(name: &str) -> bool {
    let bare = name.split('[').next().unwrap_or_default();
    bare.starts_with(|c: char| c.is_ascii_alphabetic())
        && bare.chars().all(is_of_id)
        && !name.contains(char::is_whitespace)
}

fn is_of_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '$' | '-' | '.')
}

/// The id before its label.
pub(super) fn id(written: &str, labels: bool) -> &str {
    match written.split_once(": ") {
        Some((id, _)) if labels && !id.is_empty() && id.chars().all(is_of_id) => id,
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_ends_where_its_label_begins() {
        for (written, expected) in [
            ("FREQ: الدورية", "FREQ"),
            ("M: a: b", "M"),
            ("2026-07-15T06:00:00Z", "2026-07-15T06:00:00Z"),
            ("see (page 3): more", "see (page 3): more"),
            (": x", ": x"),
        ] {
            assert_eq!(id(written, true), expected);
            assert_eq!(id(written, false), written);
        }
    }

    #[test]
    fn a_column_is_what_its_name_says_and_no_id_is_taken_for_a_label() {
        for (header, components, why) in [
            ("DATAFLOW,A,T,OBS_VALUE", "A,T,OBS_VALUE", "plain"),
            ("STRUCTURE,STRUCTURE_ID,ACTION,A,OBS_VALUE", "A,OBS_VALUE", "2.x"),
            ("KEY,A,T,OBS_VALUE,TITLE", "A,T,OBS_VALUE,TITLE", "the series' name"),
            ("DATAFLOW,LAST UPDATE,a,OBS_VALUE,UPDATED", "a,OBS_VALUE", "when it was written"),
            (
                "STRUCTURE,STRUCTURE_ID,SERIES_KEY,OBS_KEY,A,OBS_VALUE",
                "A,OBS_VALUE",
                "keys in one piece",
            ),
            (
                "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,ACTION,A,Age,known,known,T,Time: when,OBS_VALUE,القيمة,X[],,UPDATED",
                "A,known,T,OBS_VALUE,X[]",
                "labels that could be ids, have a colon or are empty",
            ),
            (
                "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,A: Age,OBS_VALUE: value",
                "A,OBS_VALUE",
                "labels inside",
            ),
            (
                "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,A,B,OBS_VALUE,a note",
                "A,B,OBS_VALUE,a note",
                "an id in the place of a label",
            ),
            (
                "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,A,an age,B,OBS_VALUE,a value",
                "A,an age,B,OBS_VALUE,a value",
                "one has no label",
            ),
            (
                "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,A,known,OBS_VALUE,a value",
                "A,known,OBS_VALUE,a value",
                "a dimension that is known",
            ),
            (
                "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,A,Age,OBS_VALUE,Value",
                "A,Age,OBS_VALUE,Value",
                "nothing tells labels from ids",
            ),
            (
                "STRUCTURE,STRUCTURE_ID,ACTION,A,an age,OBS_VALUE,a value",
                "A,an age,OBS_VALUE,a value",
                "no name of the structure",
            ),
        ] {
            let names: Vec<_> = header.split(',').map(str::to_owned).collect();
            let header = Header::of(&names, |id| id == "known").unwrap();
            let found = header.names.iter().filter_map(|name| match name {
                Name::Component(id) => Some(id.as_str()),
                _ => None,
            });
            assert_eq!(found.collect::<Vec<_>>().join(","), components, "{why}");
        }
        for other in ["KEY,A,T", "AREA,T,OBS_VALUE", ""] {
            let names: Vec<_> = other.split(',').map(str::to_owned).collect();
            assert_eq!(Header::of(&names, |_| true), None, "{other}");
        }
    }
}

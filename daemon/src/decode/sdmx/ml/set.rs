//! A data set of SDMX-ML under way.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

use super::part;
use crate::decode::{
    DecodeError,
    sdmx::{Action, Observation, Part, shown, text},
};

/// A data set under way.
pub(super) struct Set {
    pub(super) action: Action,
    /// The dimension of its observations.
    pub(super) over: String,
    pub(super) common: Vec<Part>,
    pub(super) series: Option<Observation>,
    pub(super) seen: Option<Observation>,
    pub(super) group: Observation,
    /// Keys of series, or of observations without one, that were met.
    pub(super) met: HashSet<u64>,
    /// Whether it has any observation, and the series under way.
    pub(super) any: bool,
    pub(super) any_in_series: bool,
}

impl Set {
    pub(super) fn new(action: Action, over: String, common: Vec<Part>) -> Self {
        Self {
            action,
            over,
            common,
            series: None,
            seen: None,
            group: Observation::default(),
            met: HashSet::new(),
            any: false,
            any_in_series: false,
        }
    }

    /// A value of a generic message: `list` is what it stands in, `owner` whose list that is.
    pub(super) fn value(&mut self, list: &str, owner: Option<&String>, id: &str, value: &str) {
        let owner = owner.map(String::as_str).unwrap_or_default();
        let target = match (list, owner) {
            ("SeriesKey", _) | ("Attributes", "Series") => self.series.as_mut(),
            ("ObsKey", _) | ("Attributes", "Obs") => self.seen.as_mut(),
            ("GroupKey", _) | ("Attributes", "Group") => Some(&mut self.group),
            ("Attributes", _) => {
                self.common.extend(part(id, value));
                return;
            }
            _ => return,
        };
        let Some(target) = target else { return };
        if list == "Attributes" {
            target.attributed |= owner == "Obs";
            target.values.extend(part(id, value));
        } else {
            target.dimensions.push(Part { id: id.to_owned(), value: value.to_owned() });
        }
    }

    /// Two series, or observations, of one key must be told apart by something that the key lacks.
    pub(super) fn meet(&mut self, seen: &Observation, line: u64) -> Result<(), DecodeError> {
        let mut key = String::new();
        for part in &seen.dimensions {
            key.extend([text(&part.id), text(&part.value)]);
        }
        if self.met.insert(xxh3_64(key.as_bytes())) {
            return Ok(());
        }
        let others: Vec<_> = seen.values.iter().map(|part| shown(&part.id)).collect();
        Err(DecodeError::Layout(format!(
            "a data set has one key twice (line {line}): a dimension has come, perhaps, which the feed's key lacks ({}); ask the partner about the new structure, then add it to `key` and read all again",
            others.join(", ")
        )))
    }
}

//! SDMX-JSON 1.0 and 2.x: keys are lists of positions in lists of values, which may stand before the data or behind it.

use std::{collections::HashSet, marker::PhantomData};

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Action, Each, Groups, Key, MEASURE, Observation, Part, Taker, bulk, bulk_of_all, errors, shown,
};
use crate::decode::{
    DEPTH_MAX, DecodeError,
    json::{Name, failure, is_too_deep},
};
use message::{Component, DataSet, Link, Listed, Message, Series, Structure, Trouble};
use said::{parts, plain};

mod message;
mod said;

pub(super) fn read(bytes: &[u8], key: &Key, each: &mut Each<'_>) -> Result<(), DecodeError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        DecodeError::Encoding(format!("line {line} is not UTF-8; have it written in UTF-8"))
    })?;
    if is_too_deep(text) {
        return Err(DecodeError::TooDeep { levels: DEPTH_MAX, line: 1 });
    }
    let message: Message<'_> =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| unlike(&e))?;
    errors(&message.errors.iter().flatten().map(Trouble::said).collect::<Vec<_>>())?;
    let says_none = message.errors.as_ref().is_some_and(|said| !said.is_empty());
    let known = message.header.is_some() || message.meta.is_some() || message.data.is_some();
    let (top, below) = (message.structure, message.data);
    let mut structures: Vec<Structure> =
        top.into_iter().chain(message.structures.into_iter().flatten()).collect();
    let mut data_sets = message.sets;
    if let Some(data) = below {
        structures.extend(data.structure);
        structures.extend(data.structures.into_iter().flatten());
        data_sets = data_sets.or(data.sets);
    }
    let Some(data_sets) = data_sets else {
        return match (known, says_none) {
            (false, _) => Err(no_message()),
            (true, true) => Ok(()),
            // An empty answer has an empty list.
            (true, false) => Err(no_data_sets()),
        };
    };
    structures.iter().flat_map(|structure| structure.dimensions.all()).try_for_each(lists_once)?;
    let mut taker = Taker::new(key, each);
    for (number, data_set) in data_sets.iter().enumerate() {
        let of = structures.iter().position(|structure| structure.of.contains(&number));
        let structure = structures.get(data_set.structure.or(of).unwrap_or(0));
        let Some(structure) = structure else {
            return Err(layout("a data set has no structure"));
        };
        let action = Action::of(data_set.action.as_deref())?;
        if let Some(urn) = Link::structure(&[&data_set.links, &structure.links]) {
            taker.is_of(urn)?;
        }
        Set { structure, action, groups: Groups::default(), taker: &mut taker }.read(data_set)?;
    }
    Ok(())
}

/// The messages of an error in place of data; none of what is no such error.
pub(super) fn troubles(bytes: &[u8]) -> Result<Vec<(String, String)>, DecodeError> {
    let message: Message<'_> = serde_json::from_slice(bytes).map_err(|e| unlike(&e))?;
    Ok(message.errors.iter().flatten().map(Trouble::said).collect())
}

impl Trouble {
    fn said(&self) -> (String, String) {
        let code = self
            .code
            .as_ref()
            .map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned));
        let text = [&self.title, &self.message, &self.detail].into_iter().flatten().next();
        (code.unwrap_or_default(), text.cloned().unwrap_or_default())
    }
}

fn unlike(error: &serde_json::Error) -> DecodeError {
    match failure(error) {
        DecodeError::Layout(_) => DecodeError::Layout(format!(
            "it is no SDMX message as it is read here (line {}, column {}): {}",
            error.line(),
            error.column(),
            "see what the answer looks like, and ask for SDMX-JSON 1.0 or 2.x by its media type"
        )),
        other => other,
    }
}

fn no_message() -> DecodeError {
    DecodeError::Layout(
        "it is JSON, but no SDMX message; see what the answer looks like, and mend `format` if it is meant so"
            .to_owned(),
    )
}

fn no_data_sets() -> DecodeError {
    DecodeError::Layout(
        "it is an SDMX message without `dataSets`, and does not say that there are no data; ask for data and not for a structure, or have the partner mend the message"
            .to_owned(),
    )
}

fn layout(what: &str) -> DecodeError {
    DecodeError::Layout(format!("{what}; have the partner mend the message"))
}

/// One data set under way.
struct Set<'s, 't, 'e> {
    structure: &'s Structure,
    action: Action,
    groups: Groups,
    taker: &'s mut Taker<'t, 'e>,
}

impl Set<'_, '_, '_> {
    fn read(mut self, data: &DataSet<'_>) -> Result<(), DecodeError> {
        let levels = &self.structure.dimensions;
        let dimensions = [&levels.set, &levels.series, &levels.observation];
        let ids = dimensions.into_iter().flatten().map(|dimension| dimension.id.as_str());
        if self.action == Action::Delete {
            let has = |id: &str| ids.clone().any(|dimension| dimension == id);
            if let Some(lacking) = self.taker.key.lacking(has) {
                return Err(bulk(lacking));
            }
        }
        self.taker.key.check(ids)?;
        if data.series.is_none() && data.observations.is_none() {
            return if self.action == Action::Delete { Err(bulk_of_all()) } else { Ok(()) };
        }
        let mut seen = Observation::default();
        for dimension in &levels.set {
            match dimension.values.as_slice() {
                [Some(_)] => seen.dimensions.push(listed(dimension, 0)?),
                [] if self.action == Action::Delete => return Err(bulk(&dimension.id)),
                _ => return Err(layout("a dimension of a data set has not exactly one value")),
            }
        }
        let attributes = self.structure.attributes.as_ref();
        let of_set = attributes.map(|all| all.set.as_slice()).unwrap_or_default();
        let of_this = data.attributes.iter().flatten().copied();
        seen.values = parts(of_set, of_this, &mut seen.wrong)?;
        if let Some(groups) = data.dimension_group_attributes {
            self.groups = self.groups_of(groups)?;
        }
        if let Some(observations) = data.observations {
            self.observations(observations, &seen)?;
        }
        match data.series {
            Some(series) => members(series, |key, series| self.series(key, series, &seen)),
            None => Ok(()),
        }
    }

    fn series(
        &mut self,
        key: &str,
        series: &RawValue,
        set: &Observation,
    ) -> Result<(), DecodeError> {
        let series: Series<'_> = serde_json::from_str(series.get()).map_err(|e| unlike(&e))?;
        let mut seen = set.clone();
        self.key(key, &self.structure.dimensions.series, &mut seen)?;
        let attributes = self.structure.attributes.as_ref();
        let of_series = attributes.map(|all| all.series.as_slice()).unwrap_or_default();
        let of_this = series.attributes.iter().flatten().copied();
        seen.values.extend(parts(of_series, of_this, &mut seen.wrong)?);
        match (series.observations, self.action) {
            (Some(observations), _) => self.observations(observations, &seen),
            (None, Action::Keep | Action::Merge) => Ok(()),
            (None, Action::Delete) => {
                let first = self.structure.dimensions.observation.first();
                Err(first.map_or_else(bulk_of_all, |dimension| bulk(&dimension.id)))
            }
        }
    }

    fn observations(
        &mut self,
        observations: &RawValue,
        around: &Observation,
    ) -> Result<(), DecodeError> {
        let measures = self.structure.measures.as_ref().map(|all| all.observation.as_slice());
        let measures = measures.unwrap_or_default();
        let attributes = self.structure.attributes.as_ref();
        let attributes = attributes.map(|all| all.observation.as_slice()).unwrap_or_default();
        members(observations, |key, values| {
            let mut seen = around.clone();
            self.key(key, &self.structure.dimensions.observation, &mut seen)?;
            let values: Option<Vec<&RawValue>> =
                serde_json::from_str(values.get()).map_err(|e| unlike(&e))?;
            let values = values.unwrap_or_default();
            let (of_measures, of_attributes) =
                values.split_at_checked(measures.len().max(1)).unwrap_or((&values, &[]));
            let main = if measures.is_empty() {
                let value = of_measures.first().and_then(|value| plain(value));
                Vec::from_iter(value.map(|value| Part { id: MEASURE.to_owned(), value }))
            } else {
                parts(measures, of_measures.iter().copied(), &mut seen.wrong)?
            };
            let beside = parts(attributes, of_attributes.iter().copied(), &mut seen.wrong)?;
            seen.measured = !main.is_empty();
            seen.attributed = !beside.is_empty();
            seen.values.extend(main);
            seen.values.extend(beside);
            self.taker.take(&seen, &self.groups, self.action, None)
        })
    }

    /// The dimensions behind a key such as `0:3`.
    fn key(
        &self,
        key: &str,
        dimensions: &[Component],
        seen: &mut Observation,
    ) -> Result<(), DecodeError> {
        let mut positions = key.split(':').filter(|_| !(dimensions.is_empty() && key.is_empty()));
        for dimension in dimensions {
            let Some(position) = positions.next() else {
                return Err(layout("a key has fewer positions than there are dimensions"));
            };
            if matches!(position, "" | "~") && self.action == Action::Delete {
                return Err(bulk(&dimension.id));
            }
            seen.dimensions.push(listed(dimension, number(position)?)?);
        }
        if positions.next().is_some() {
            return Err(layout("a key has more positions than there are dimensions"));
        }
        Ok(())
    }

    /// What is said of groups: keys over all dimensions in the structure's order, empty where a dimension is not shared.
    fn groups_of(&self, groups: &RawValue) -> Result<Groups, DecodeError> {
        let levels = &self.structure.dimensions;
        let mut dimensions: Vec<&Component> =
            levels.set.iter().chain(&levels.series).chain(&levels.observation).collect();
        dimensions.sort_by_key(|dimension| dimension.key_position.unwrap_or(usize::MAX));
        let attributes = self.structure.attributes.as_ref();
        let attributes = attributes.map(|all| all.dimension_group.as_slice()).unwrap_or_default();
        let mut all = Groups::default();
        members(groups, |key, values| {
            let mut shared = Vec::new();
            for (position, dimension) in key.split(':').zip(&dimensions) {
                if !matches!(position, "" | "~") {
                    shared.push(listed(dimension, number(position)?)?);
                }
            }
            let values: Vec<&RawValue> =
                serde_json::from_str(values.get()).map_err(|e| unlike(&e))?;
            let mut wrong = None;
            all.add(shared, parts(attributes, values.into_iter(), &mut wrong)?);
            wrong.map_or(Ok(()), |why| Err(DecodeError::Layout(why)))
        })?;
        Ok(all)
    }
}

/// A position as a key names it: each has one way to be written, so that no key has two.
fn number(position: &str) -> Result<usize, DecodeError> {
    let plain = position.bytes().all(|byte| byte.is_ascii_digit())
        && (position == "0" || !position.starts_with('0'));
    let number = position.parse().ok().filter(|_| plain);
    number.ok_or_else(|| layout("a key is no list of positions"))
}

/// Whether each code of a dimension has one position: two would be one record under two keys.
fn lists_once(dimension: &Component) -> Result<(), DecodeError> {
    let mut met = HashSet::new();
    let mut codes = dimension.values.iter().flatten().filter_map(Listed::text);
    match codes.find(|code| !met.insert(code.clone())) {
        Some(twice) => Err(layout(&format!(
            "dimension \"{}\" has the value \"{}\" twice in its list",
            shown(&dimension.id),
            shown(&twice)
        ))),
        None => Ok(()),
    }
}

/// The value of a dimension at a position in its list.
fn listed(dimension: &Component, position: usize) -> Result<Part, DecodeError> {
    let value = dimension.values.get(position).and_then(Option::as_ref).and_then(Listed::text);
    let value = value.ok_or_else(|| layout("a position names no value of its list"))?;
    Ok(Part { id: dimension.id.clone(), value })
}

/// Hands the members of an object to `each`, in their order. None may stand twice.
fn members(
    object: &RawValue,
    each: impl FnMut(&str, &RawValue) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    struct Members<'r, F> {
        each: F,
        met: HashSet<u64>,
        trouble: Option<DecodeError>,
        value: PhantomData<&'r RawValue>,
    }

    impl<'de: 'r, 'r, F> Visitor<'de> for &mut Members<'r, F>
    where
        F: FnMut(&str, &RawValue) -> Result<(), DecodeError>,
    {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(Name(name)) = map.next_key()? {
                let value = map.next_value()?;
                let given = if self.met.insert(xxh3_64(name.as_bytes())) {
                    (self.each)(&name, value)
                } else {
                    Err(layout(&format!("the key \"{}\" stands twice", shown(&name))))
                };
                if let Err(error) = given {
                    self.trouble = Some(error);
                    return Err(serde::de::Error::custom("stopped"));
                }
            }
            Ok(())
        }

        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
    }

    let mut visitor = Members { each, met: HashSet::new(), trouble: None, value: PhantomData };
    let end = serde_json::Deserializer::from_str(object.get()).deserialize_any(&mut visitor);
    match (visitor.trouble, end) {
        (Some(error), _) => Err(error),
        (None, end) => end.map_err(|error| unlike(&error)),
    }
}

//! SDMX-ML 2.1, generic and structure-specific, by series or flat.
//!
//! A generic message says which of its parts are dimensions, even where its root calls it structure-specific, as one
//! server's library writes it. A structure-specific one does not: there the feed's key says it, and a dimension that has
//! come shows only by two series, or observations, of one key in one data set.
//!
//! What a footer says may be that the data before it are not all there is: so it is known only where the message ends.

use std::io::BufRead;

use super::{
    Action, Each, GAP, GAPS, Groups, Key, MEASURE, Observation, Part, Taker, bulk, bulk_of_all,
    errors, shown, text,
};
use crate::decode::{
    DecodeError,
    xml::tags::{Next, Tag, Tags},
};
use footer::Footer;
use set::Set;

mod footer;
mod set;

/// What a data set says of itself, and not of its observations.
const OF_THE_SET: [&str; 11] = [
    "structureRef",
    "setID",
    "action",
    "reportingBeginDate",
    "reportingEndDate",
    "validFromDate",
    "validToDate",
    "publicationYear",
    "publicationPeriod",
    "dataScope",
    "type",
];
/// The dimension of observations where a message names none.
const TIME: &str = "TIME_PERIOD";

/// What is wrong with an observation that has its measure more than once.
const TWICE: &str =
    "it has more than one ObsValue, and nothing tells which is meant; have the partner mend it";

pub(super) fn read(bytes: impl BufRead, key: &Key, each: &mut Each<'_>) -> Result<(), DecodeError> {
    let mut tags = Tags::new(bytes)?;
    let Next::Open(root) = tags.next()? else { return Err(no_message()) };
    let specific = match root.name.as_str() {
        "GenericData" | "GenericTimeSeriesData" => false,
        "StructureSpecificData" | "StructureSpecificTimeSeriesData" | "CompactData" => true,
        "Error" => return errors(&said(&mut tags)?),
        _ => return Err(no_message()),
    };
    let message = Message {
        tags,
        specific,
        over: Vec::new(),
        called: Vec::new(),
        action: None,
        open: vec![root.name],
        groups: Groups::default(),
        footer: Footer::default(),
    };
    message.read(Taker::new(key, each))
}

fn no_message() -> DecodeError {
    DecodeError::Layout(
        "it is XML, but no SDMX data; see what the answer looks like, and mend `format` if it is meant so"
            .to_owned(),
    )
}

/// The messages of an error in place of data; none of what is no such error.
pub(super) fn troubles(bytes: impl BufRead) -> Result<Vec<(String, String)>, DecodeError> {
    let mut tags = Tags::new(bytes)?;
    match tags.next()? {
        Next::Open(root) if root.name == "Error" => said(&mut tags),
        _ => Ok(Vec::new()),
    }
}

/// What an error in place of data says: codes, each with its text.
fn said(tags: &mut Tags<impl BufRead>) -> Result<Vec<(String, String)>, DecodeError> {
    let mut said: Vec<(String, String)> = Vec::new();
    loop {
        match tags.next()? {
            Next::Open(tag) if tag.name == "ErrorMessage" => {
                said.push((tag.attribute("code").unwrap_or_default().to_owned(), String::new()));
            }
            Next::Text(text) => {
                if let Some((_, all)) = said.last_mut() {
                    all.push_str(text.trim());
                }
            }
            Next::Open(_) | Next::Close => {}
            Next::End => return Ok(said),
        }
    }
}

/// A message under way.
struct Message<R> {
    tags: Tags<R>,
    specific: bool,
    /// For each structure, by its id, the dimension of its observations.
    over: Vec<(String, String)>,
    /// What the header says that all data sets are to do.
    action: Option<String>,
    /// For each structure, by its id, what it is called.
    called: Vec<(String, String)>,
    /// The names of the open elements.
    open: Vec<String>,
    groups: Groups,
    footer: Footer,
}

impl<R: BufRead> Message<R> {
    fn read(mut self, mut taker: Taker<'_, '_>) -> Result<(), DecodeError> {
        let mut set: Option<Set> = None;
        loop {
            match self.tags.next()? {
                Next::Open(tag) => {
                    match &mut set {
                        Some(set) => self.inside(&tag, set, taker.key)?,
                        None if tag.name == "DataSet" => {
                            set = Some(self.begin(&tag)?);
                            let of = tag.attribute("structureRef");
                            let called =
                                self.called.iter().find(|(id, _)| of.is_none_or(|of| of == id));
                            if let Some((_, name)) = called {
                                taker.is_of(name)?;
                            }
                        }
                        None => self.outside(&tag),
                    }
                    self.open.push(tag.name);
                }
                Next::Text(text) => match self.open.last().map(String::as_str) {
                    Some("DataSetAction") => self.action = Some(text.trim().to_owned()),
                    Some("URN") if set.is_none() => self.call(text.trim().to_owned()),
                    Some("Text") if set.is_none() => self.footer.text(&text),
                    _ => {}
                },
                Next::Close => {
                    let name = self.open.pop().unwrap_or_default();
                    let Some(under_way) = &mut set else { continue };
                    if name == "DataSet" {
                        if under_way.action == Action::Delete && !under_way.any {
                            return Err(bulk_of_all());
                        }
                        set = None;
                    } else {
                        self.close(&name, under_way, &mut taker)?;
                    }
                }
                Next::End => return errors(&self.footer.errors()),
            }
        }
    }

    /// An element opens outside of data sets.
    fn outside(&mut self, tag: &Tag) {
        self.footer.open(tag, &self.open);
        if let (Some(id), Some(over)) =
            (tag.attribute("structureID"), tag.attribute("dimensionAtObservation"))
        {
            self.over.push((id.to_owned(), over.to_owned()));
        }
        if let (true, Some(keeper), Some(id), Some(version)) = (
            tag.name == "Ref",
            tag.attribute("agencyID"),
            tag.attribute("id"),
            tag.attribute("version"),
        ) {
            self.call(format!("{keeper}:{id}({version})"));
        }
    }

    /// The structure whose element is open is called so.
    fn call(&mut self, name: String) {
        // One message is of few.
        if let Some((id, _)) = self.over.last()
            && self.called.last().is_none_or(|(called, _)| called != id)
        {
            self.called.push((id.clone(), name));
        }
    }

    fn begin(&mut self, tag: &Tag) -> Result<Set, DecodeError> {
        let of = tag.attribute("structureRef");
        let over = self.over.iter().find(|(id, _)| of.is_none_or(|of| of == id));
        let own =
            |(name, _): &&(String, String)| self.specific && !OF_THE_SET.contains(&name.as_str());
        let common = tag.attributes.iter().filter(own).filter_map(|(id, value)| part(id, value));
        self.groups = Groups::default();
        let action = Action::of(tag.attribute("action").or(self.action.as_deref()))?;
        let over = over.map_or(TIME, |(_, over)| over).to_owned();
        Ok(Set::new(action, over, common.collect()))
    }

    /// An element of a data set opens.
    fn inside(&mut self, tag: &Tag, set: &mut Set, key: &Key) -> Result<(), DecodeError> {
        let around = self.open.last().map(String::as_str).unwrap_or_default();
        match tag.name.as_str() {
            // Whatever the root says: in a structure-specific message nothing is called so.
            "SeriesKey" | "ObsKey" => self.specific = false,
            "Series" => {
                self.tags.begin_row();
                set.any_in_series = false;
                let mut series = Observation::default();
                if self.specific {
                    spread(tag, key, &mut series);
                    set.meet(&series, self.tags.line())?;
                }
                set.series = Some(series);
            }
            "Obs" => {
                self.tags.begin_row();
                let mut seen = set.series.clone().unwrap_or_default();
                if self.specific {
                    spread(tag, key, &mut seen);
                    if set.series.is_none() {
                        set.meet(&seen, self.tags.line())?;
                    }
                }
                (set.any, set.any_in_series) = (true, true);
                set.seen = Some(seen);
            }
            "Group" => {
                set.group = Observation::default();
                if self.specific {
                    spread(tag, key, &mut set.group);
                }
            }
            "ObsDimension" => {
                let id = tag.attribute("id").unwrap_or(&set.over).to_owned();
                let value = need(tag, "value")?.to_owned();
                if let Some(seen) = &mut set.seen {
                    seen.dimensions.push(Part { id, value });
                }
            }
            "ObsValue" => {
                let part = part(MEASURE, need(tag, "value")?);
                if let Some(seen) = &mut set.seen {
                    if seen.measured {
                        seen.wrong = Some(TWICE.to_owned());
                    }
                    seen.measured = true;
                    seen.values.extend(part);
                }
            }
            "Value" if !self.specific => {
                let (id, value) = (need(tag, "id")?, need(tag, "value")?);
                set.value(around, self.open.get(self.open.len().saturating_sub(2)), id, value);
            }
            _ => {}
        }
        Ok(())
    }

    /// An element of a data set closes.
    fn close(
        &mut self,
        name: &str,
        set: &mut Set,
        taker: &mut Taker<'_, '_>,
    ) -> Result<(), DecodeError> {
        match name {
            "Obs" => {
                self.tags.begin_row();
                let Some(mut seen) = set.seen.take() else { return Ok(()) };
                taker.key.has_all(seen.dimensions.iter().map(|part| part.id.as_str()))?;
                let is_own = |part: &Part, id: &str| part.id == id && part.value != GAP;
                let own = |id: &str| seen.values.iter().any(|part| is_own(part, id));
                let common: Vec<_> =
                    set.common.iter().filter(|part| !own(&part.id)).cloned().collect();
                seen.values.extend(common);
                taker.take(&seen, &self.groups, set.action, Some(self.tags.line()))
            }
            "Series" => {
                set.series = None;
                if set.action == Action::Delete && !set.any_in_series {
                    return Err(bulk(&set.over));
                }
                Ok(())
            }
            "Group" => {
                let Observation { dimensions, values, .. } = std::mem::take(&mut set.group);
                self.groups.add(dimensions, values);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Spreads the attributes of a structure-specific element: the key says which of them are dimensions.
fn spread(tag: &Tag, key: &Key, seen: &mut Observation) {
    for (id, value) in &tag.attributes {
        if key.has(id) {
            seen.dimensions.push(Part { id: id.clone(), value: value.clone() });
        } else if tag.name != "Group" || id != "type" {
            let measure = id == MEASURE;
            seen.measured |= measure;
            seen.attributed |= !measure && tag.name == "Obs";
            seen.values.extend(part(id, value));
        }
    }
}

/// A measure or attribute, if anything is said of it.
fn part(id: &str, value: &str) -> Option<Part> {
    let value = if GAPS.contains(&value) { GAP.to_owned() } else { text(value) };
    (value != "\"\"").then(|| Part { id: id.to_owned(), value })
}

fn need<'t>(tag: &'t Tag, name: &str) -> Result<&'t str, DecodeError> {
    tag.attribute(name).ok_or_else(|| {
        DecodeError::Layout(format!(
            "an element {} has no {name}, which it has in SDMX-ML 2.1; ask for that version",
            shown(&tag.name)
        ))
    })
}

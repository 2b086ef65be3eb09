//! SDMX, the statistical standard: JSON (1.0 and 2.x), CSV (1.0 and 2.x) and ML (2.1, generic and structure-specific), told
//! apart by their first bytes. Each observation becomes one record: its dimensions, its measures and its attributes, by
//! their ids.
//!
//! The dimensions of a message are the feed's key, no more and no less: with one more or less, records that were told
//! apart before would be taken for each other. All data sets of a message belong together. A data set that deletes
//! must name every dimension; what would delete in bulk waits for a person.
//!
//! `Replace`, `Information` (an answer to a question) and no action at all bring whole records. `Merge` and `Append` may
//! bring parts of them: what a row of theirs does not carry stays as it is in the bank ([`Standing::Part`]). The same goes
//! for SDMX-CSV 2.x, where no action means `Merge`, if its header lacks one of the feed's columns. A part that says of a
//! column that its value is missing (`NaN`) is refused: nothing tells that apart from what it does not carry.

use std::io::{BufRead, Read};

use marsad_shared::untrusted::show_at_most;

use super::{DecodeError, Flow, HELD_MAX, Standing};
use groups::Groups;

mod csv;
mod groups;
mod json;
mod ml;

pub(crate) use csv::header::{Header, Name};

/// The measure of a message that names none.
const MEASURE: &str = "OBS_VALUE";
/// What stands for a value that is missing on purpose.
const GAPS: [&str; 2] = ["NaN", "#N/A"];
/// What stands where a dimension is left out.
const LEFT_OUT: [&str; 2] = ["", "~"];
/// A gap, as a part of an observation.
const GAP: &str = "null";

/// The columns of a feed, each with the ids that its component may have.
#[derive(Clone, Debug)]
pub struct Key {
    /// The dimensions.
    pub dimensions: Vec<Vec<String>>,
    /// Measures and attributes; none while they are not known yet.
    pub others: Vec<Vec<String>>,
}

impl Key {
    fn has(&self, dimension: &str) -> bool {
        self.dimensions.iter().flatten().any(|id| id == dimension)
    }

    /// Whether a column besides the dimensions may be called so.
    fn asks_for(&self, id: &str) -> bool {
        self.others.iter().flatten().any(|known| known == id)
    }

    /// The first column besides the dimensions of which no component is there.
    fn without(&self, has: impl Fn(&str) -> bool) -> Option<&str> {
        first_without(&self.others, has)
    }

    /// The first column of which no dimension is there.
    fn lacking(&self, has: impl Fn(&str) -> bool) -> Option<&str> {
        first_without(&self.dimensions, has)
    }

    /// Compares the key with the dimensions of a message.
    fn check<'d>(&self, dimensions: impl Iterator<Item = &'d str>) -> Result<(), DecodeError> {
        let dimensions: Vec<_> = dimensions.collect();
        self.has_all(dimensions.iter().copied())?;
        match self.lacking(|id| dimensions.contains(&id)) {
            Some(gone) => Err(is_gone(gone)),
            None => Ok(()),
        }
    }

    /// Whether all those dimensions are of the key.
    fn has_all<'d>(
        &self,
        mut dimensions: impl Iterator<Item = &'d str>,
    ) -> Result<(), DecodeError> {
        let Some(came) = dimensions.find(|dimension| !self.has(dimension)) else { return Ok(()) };
        Err(DecodeError::Layout(format!(
            "dimension \"{}\" has come, which the feed's key lacks: its records would be taken for each other; ask the partner about the new structure, then add it to `key` and read all again",
            shown(came)
        )))
    }
}

fn first_without(columns: &[Vec<String>], has: impl Fn(&str) -> bool) -> Option<&str> {
    let without = columns.iter().find(|ids| !ids.iter().any(|id| has(id)))?;
    Some(without.first().map_or("", String::as_str))
}

fn is_gone(dimension: &str) -> DecodeError {
    DecodeError::Layout(format!(
        "dimension \"{}\" is gone, which the feed's key has; ask the partner about the new structure, then mend `key` and read all again",
        shown(dimension)
    ))
}

fn shown(id: &str) -> String {
    show_at_most(id, 80)
}

/// One observation, or why a row is none.
#[derive(Debug)]
pub enum Observed<'o> {
    /// A record, as JSON text.
    Record { json: &'o str, standing: Standing, line: Option<u64> },
    /// What follows is of this structure: who keeps it, what it is called, and its version, as `SHJSTAT:DSD_FAMILY(1.0)`.
    Structure(&'o str),
    /// A row that cannot be taken as it is.
    Bad { original: Vec<u8>, reason: String, line: Option<u64> },
}

/// Whoever takes observations.
type Each<'e> = dyn FnMut(Observed<'_>) -> Flow + 'e;

/// The longest name of a structure, in bytes: three ids of 64, and what parts them.
const STRUCTURE_MAX: usize = 200;

/// What a data set is to do with its observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// To be there from now on, as they are here.
    Keep,
    /// As [`Self::Keep`], but what is not here stays as it is there.
    Merge,
    Delete,
}

impl Action {
    /// The word of a data set; none is as good as `Information`.
    fn of(word: Option<&str>) -> Result<Self, DecodeError> {
        let Some(word) = word else { return Ok(Self::Keep) };
        match word.to_ascii_lowercase().as_str() {
            "delete" | "d" => Ok(Self::Delete),
            "information" | "replace" | "i" | "r" => Ok(Self::Keep),
            "append" | "merge" | "a" | "m" => Ok(Self::Merge),
            _ => Err(DecodeError::Layout(format!(
                "a data set has the action \"{}\", which is not known; ask the partner what it means",
                shown(word)
            ))),
        }
    }
}

/// Hands each observation of a message that is held to `each`.
///
/// # Errors
/// [`DecodeError`] if it is no message, its dimensions are not `key`, or it would delete in bulk.
pub fn page(
    bytes: &[u8],
    delimiter: u8,
    key: &Key,
    each: &mut Each<'_>,
) -> Result<(), DecodeError> {
    match Notation::of(bytes) {
        Notation::Json => json::read(bytes, key, each),
        Notation::Ml => ml::read(bytes, key, each),
        Notation::Csv => csv::read(bytes, delimiter, key, each),
    }
}

/// As [`page`], of a message that streams by. JSON is held all the same: what its numbers mean may stand at its end.
///
/// # Errors
/// As [`page`], and [`DecodeError::TooLarge`].
pub fn read(
    mut bytes: impl BufRead,
    delimiter: u8,
    key: &Key,
    each: &mut Each<'_>,
) -> Result<(), DecodeError> {
    match Notation::of(bytes.fill_buf().map_err(DecodeError::Io)?) {
        Notation::Ml => ml::read(bytes, key, each),
        Notation::Csv => csv::read(bytes, delimiter, key, each),
        Notation::Json => {
            let mut text = Vec::new();
            let read =
                bytes.take(HELD_MAX as u64 + 1).read_to_end(&mut text).map_err(DecodeError::Io)?;
            if read > HELD_MAX {
                return Err(DecodeError::TooLarge(
                    "it is larger than 256 MiB, and SDMX-JSON must be held; ask for it in pieces, or as CSV"
                        .to_owned(),
                ));
            }
            json::read(&text, key, each)
        }
    }
}

/// Whether it is JSON, so that single values may be looked for in it.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    Notation::of(bytes) == Notation::Json
}

/// Whether the body of a 404 is the standard's own word that there are no records: error 100, `NoResultsFound`, in JSON, in
/// ML, or in a line of plain text. A data flow that does not exist is told the same way.
pub(crate) fn is_no_results(bytes: &[u8]) -> bool {
    let said = match Notation::of(bytes) {
        Notation::Json => json::troubles(bytes),
        Notation::Ml => ml::troubles(bytes),
        Notation::Csv => {
            let text = String::from_utf8_lossy(bytes);
            let letters = text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
            let letters = letters.to_lowercase();
            return ["noresultsfound", "norecordsfound"].iter().any(|word| letters.contains(word));
        }
    };
    said.is_ok_and(|said| !said.is_empty() && said.iter().all(|(code, _)| code == "100"))
}

/// The ways to write a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    Json,
    Csv,
    Ml,
}

impl Notation {
    fn of(begin: &[u8]) -> Self {
        let begin = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begin);
        match begin.trim_ascii_start().first() {
            Some(b'{' | b'[') => Self::Json,
            // UTF-16 can only be ML.
            Some(b'<' | 0xff | 0xfe) => Self::Ml,
            _ => Self::Csv,
        }
    }
}

/// One part of an observation: its id, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    id: String,
    /// A dimension's own text, any other's as JSON.
    value: String,
}

/// An observation, as far as it is known: dimensions first.
#[derive(Clone, Debug, Default)]
struct Observation {
    dimensions: Vec<Part>,
    /// Measures and attributes; of a gap the value is [`GAP`].
    values: Vec<Part>,
    /// Whether a measure is among the values, and whether an attribute of the observation itself is.
    measured: bool,
    attributed: bool,
    /// Why it cannot be taken as it is.
    wrong: Option<String>,
}

/// Takes observations of one message.
struct Taker<'t, 'e> {
    key: &'t Key,
    each: &'t mut Each<'e>,
    json: String,
    /// What was said last of the structure.
    structure: String,
}

impl<'t, 'e> Taker<'t, 'e> {
    fn new(key: &'t Key, each: &'t mut Each<'e>) -> Self {
        Self { key, each, json: String::new(), structure: String::new() }
    }

    /// What follows is of the structure that is written so; a URN names it behind its `=`.
    fn is_of(&mut self, written: &str) -> Result<(), DecodeError> {
        let name = written.rsplit('=').next().unwrap_or_default().trim();
        if name.is_empty() || name.len() > STRUCTURE_MAX || name == self.structure {
            return Ok(());
        }
        name.clone_into(&mut self.structure);
        self.give(Observed::Structure(name))
    }

    /// Takes one observation that has no dimension which the key lacks.
    fn take(
        &mut self,
        seen: &Observation,
        groups: &Groups,
        action: Action,
        line: Option<u64>,
    ) -> Result<(), DecodeError> {
        if let Some(reason) = &seen.wrong {
            return self.bad(seen, reason.clone(), line);
        }
        let part = |id: &str| seen.dimensions.iter().find(|part| part.id == id);
        let has = |id: &str| part(id).is_some_and(|part| !LEFT_OUT.contains(&&*part.value));
        if let Some(lacking) = self.key.lacking(has) {
            return match (action, part(lacking)) {
                (Action::Delete, _) => Err(bulk(lacking)),
                (Action::Keep | Action::Merge, None) => Err(is_gone(lacking)),
                (Action::Keep | Action::Merge, Some(_)) => {
                    self.bad(seen, format!("dimension \"{}\" is empty", shown(lacking)), line)
                }
            };
        }
        if action == Action::Delete && seen.attributed && !seen.measured {
            let reason = "only attributes of the observation are to be deleted, which is not done here; resync the feed to take it as it is now";
            return self.bad(seen, reason.to_owned(), line);
        }
        let mut standing = match action {
            Action::Delete => Standing::Gone,
            Action::Keep | Action::Merge => Standing::Here,
        };
        if action == Action::Merge {
            let common = groups.of(&seen.dimensions);
            let has = |id: &str| {
                seen.values.iter().chain(common.iter().copied()).any(|part| part.id == id)
            };
            if self.key.without(has).is_some() {
                if let Some(gap) = seen.values.iter().find(|part| part.value == GAP) {
                    let reason = format!(
                        "it is a part of its record (Merge or Append) and says that \"{}\" is missing there, which is not done in parts; ask the partner for whole records (Replace), or resync the feed in full",
                        shown(&gap.id)
                    );
                    return self.bad(seen, reason, line);
                }
                standing = Standing::Part;
            }
        }
        self.write(seen, groups);
        let json = std::mem::take(&mut self.json);
        let given = self.give(Observed::Record { json: &json, standing, line });
        // Its room serves the next.
        self.json = json;
        given
    }

    fn bad(
        &mut self,
        seen: &Observation,
        reason: String,
        line: Option<u64>,
    ) -> Result<(), DecodeError> {
        self.write(seen, &Groups::default());
        let original = std::mem::take(&mut self.json).into_bytes();
        self.give(Observed::Bad { original, reason, line })
    }

    fn give(&mut self, observed: Observed<'_>) -> Result<(), DecodeError> {
        if (self.each)(observed) == Flow::Stop { Err(DecodeError::Stopped) } else { Ok(()) }
    }

    fn write(&mut self, seen: &Observation, groups: &Groups) {
        self.json.clear();
        self.json.push('{');
        for part in &seen.dimensions {
            self.member(&part.id, &text(&part.value));
        }
        // What is said of an observation itself counts before what is said of many.
        let mut parts: Vec<&Part> = Vec::new();
        for part in seen.values.iter().rev().filter(|part| part.value != GAP) {
            add(&mut parts, part);
        }
        parts.reverse();
        for part in groups.of(&seen.dimensions) {
            add(&mut parts, part);
        }
        for part in parts {
            self.member(&part.id, &part.value);
        }
        self.json.push('}');
    }

    fn member(&mut self, id: &str, value: &str) {
        if self.json.len() > 1 {
            self.json.push(',');
        }
        self.json.push_str(&text(id));
        self.json.push(':');
        self.json.push_str(value);
    }
}

/// Adds a part of which nothing was said yet.
fn add<'p>(parts: &mut Vec<&'p Part>, part: &'p Part) {
    if parts.iter().all(|other| other.id != part.id) {
        parts.push(part);
    }
}

/// Text as JSON.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn bulk(lacking: &str) -> DecodeError {
    DecodeError::Bulk(format!(
        "it asks to delete all records at once that differ in \"{}\" alone; {BULK}",
        shown(lacking)
    ))
}

/// A data set that deletes and names nothing.
fn bulk_of_all() -> DecodeError {
    DecodeError::Bulk(format!("a data set asks to delete and names no observation; {BULK}"))
}

/// What is to be done about it.
const BULK: &str = "that would delete in bulk, and waits for a person: ask the partner to delete each observation by its full key. A full resync leaves what was deleted as it is, and there is no deleting by hand";

/// The partner's error messages, each with its code; there being no results is none.
fn errors(errors: &[(String, String)]) -> Result<(), DecodeError> {
    let Some((code, text)) =
        errors.iter().find(|(code, _)| !matches!(code.as_str(), "100" | "404"))
    else {
        return Ok(());
    };
    let retryable = matches!(code.as_str(), "500" | "503");
    Err(DecodeError::Remote { code: code.clone(), text: text.clone(), retryable })
}

#[cfg(test)]
mod tests;

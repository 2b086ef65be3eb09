//! Which cell of a table each column is read from, by the names in its header.
//!
//! A name that is written as configured counts first. Where there is none, one that reads the same does: people write
//! `رقم الهويه` for `رقم الهوية`, and `المؤشر / Indicator` for either. Two that read as one column are not chosen between.

use std::collections::{BTreeSet, HashSet};

use marsad_shared::{
    drift::{Change, Drift},
    feed::{Field, FieldType},
    fold::{fold, readings},
    mask::{MASK, holds_card},
};

use crate::decode::{DECIDE, DecodeError, KEYLESS};

/// For each column the index of its cell, and of the cell that says whether the record was deleted.
#[derive(Clone, Debug)]
pub struct Headers {
    pub(super) cells: Vec<usize>,
    pub(super) deleted: Option<usize>,
    /// Cells that are no column's, with their names.
    pub(super) beside: Vec<(String, usize)>,
}

impl Headers {
    /// For each column the index of its cell.
    pub fn cells(&self) -> &[usize] {
        &self.cells
    }
}

/// The cell of a column that need not be there, and is not.
const NOWHERE: usize = usize::MAX;

/// What is looked for in a header.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'w> {
    pub(super) fields: &'w [Field],
    /// Fields that are dropped, wherever they stand.
    pub(super) outside: &'w [Field],
    /// Columns that need not be there.
    pub(super) gone: &'w BTreeSet<String>,
    /// What says that a record was deleted.
    pub(super) deleted: Option<&'w str>,
}

impl Headers {
    /// Finds what is `wanted` among `names`.
    ///
    /// # Errors
    /// [`DecodeError::Drift`] if columns are missing, naming each, and what is there in no column's place;
    /// [`DecodeError::Layout`] if two names read as one column, or nothing says whether a record was deleted.
    pub(super) fn of(wanted: Wanted<'_>, names: &[String]) -> Result<Self, DecodeError> {
        let Wanted { fields, outside, gone, deleted } = wanted;
        let written = |name: &str| {
            deleted == Some(name)
                || (fields.iter().chain(outside))
                    .any(|field| field.from.iter().any(|from| from == name))
        };
        let mut header = Header {
            names,
            written: names.iter().map(|name| written(name)).collect(),
            folded: None,
        };
        let (mut missing, mut drift) = (Vec::new(), Vec::new());
        let mut cells = Vec::with_capacity(fields.len());
        for field in fields {
            let found = header.find(&field.from, &format!("field {:?}", field.name))?;
            if found.is_none() && !gone.contains(&field.name) {
                missing.push(field.from.join("\" or \""));
                drift.push(Drift { field: field.name.clone(), change: Change::Gone, kind: None });
            }
            cells.push(found.unwrap_or(NOWHERE));
        }
        let deleted = match deleted {
            Some(name) => {
                let at = header.find(&[name.to_owned()], "`deleted`")?;
                if at.is_none() {
                    missing.push(name.to_owned());
                }
                at
            }
            None => None,
        };
        let beside = header.beside(outside, cells.iter().copied().chain(deleted).collect())?;
        if missing.is_empty() {
            return Ok(Self { cells, deleted, beside });
        }
        let missing = missing.join("\", \"");
        if cells.iter().all(|at| *at == NOWHERE) && deleted.is_none() && beside.len() == names.len()
        {
            // It may be a row of data, and what stands in that is for nobody to see.
            let first = names.first().map_or("", |name| name.trim_start());
            let remedy = if first.starts_with(['<', '{', '[']) {
                "it begins as a web page or JSON does: a login or error page may stand in its place"
            } else {
                "mend the file, `header_row` or `delimiter`, or name the new header in the fields' `from`"
            };
            return Err(DecodeError::Layout(format!(
                "the header lacks \"{missing}\", and none of its {} names is known; {remedy}",
                names.len()
            )));
        }
        let has: Vec<_> =
            names.iter().map(|name| if holds_card(name) { MASK } else { name }).collect();
        let text = format!(
            "the header lacks \"{missing}\"; it has \"{}\"; mend the file, or name the new header in the field's `from`",
            has.join("\", \"")
        );
        if drift.is_empty() {
            return Err(DecodeError::Layout(text));
        }
        let new = |(field, _): (String, usize)| {
            let field = if holds_card(&field) { MASK.to_owned() } else { field };
            Drift { field, change: Change::New, kind: Some(FieldType::Text) }
        };
        drift.extend(beside.into_iter().map(new));
        let needed = fields.iter().zip(&cells).any(|(field, at)| field.required && *at == NOWHERE);
        let remedy = if needed { KEYLESS } else { DECIDE };
        Err(DecodeError::Drift { drift, text, remedy })
    }
}

/// The names of a header.
struct Header<'n> {
    names: &'n [String],
    /// Whether the name is one that is configured, as it is written: then it is no other column's.
    written: Vec<bool>,
    /// Each name folded, with its halves; made once somebody needs it.
    folded: Option<Vec<Vec<String>>>,
}

impl Header<'_> {
    /// Where one of the names in `from` stands.
    ///
    /// # Errors
    /// [`DecodeError::Layout`] if two names read as one of them.
    fn find(&mut self, from: &[String], whose: &str) -> Result<Option<usize>, DecodeError> {
        let written = self.names.iter().map(|name| from.contains(name)).collect::<Vec<_>>();
        if written.contains(&true) {
            return self.only(&written, whose);
        }
        let wanted: Vec<_> =
            from.iter().map(|name| fold(name)).filter(|name| !name.is_empty()).collect();
        let names = self.names;
        let folded =
            self.folded.get_or_insert_with(|| names.iter().map(|name| readings(name)).collect());
        let alike = folded.iter().zip(&self.written).map(|(readings, written)| {
            !written && readings.iter().any(|reading| wanted.contains(reading))
        });
        let alike: Vec<_> = alike.collect();
        self.only(&alike, whose)
    }

    /// The cells that are not `taken` by a column, each with its name: of the fields `outside` that is their own.
    ///
    /// # Errors
    /// As [`Self::find`].
    fn beside(
        &mut self,
        outside: &[Field],
        mut taken: HashSet<usize>,
    ) -> Result<Vec<(String, usize)>, DecodeError> {
        let mut beside = Vec::new();
        for field in outside {
            if let Some(at) = self.find(&field.from, &format!("field {:?}", field.name))? {
                taken.insert(at);
                beside.push((field.name.clone(), at));
            }
        }
        let others = self.names.iter().enumerate().filter(|(at, _)| !taken.contains(at));
        beside.extend(others.map(|(at, name)| (name.clone(), at)));
        Ok(beside)
    }

    /// The one name that fits.
    fn only(&self, fits: &[bool], whose: &str) -> Result<Option<usize>, DecodeError> {
        let mut fitting = self
            .names
            .iter()
            .enumerate()
            .zip(fits)
            .filter(|(_, fits)| **fits)
            .map(|(name, _)| name);
        match (fitting.next(), fitting.next()) {
            (Some((_, one)), Some((_, other))) => {
                let both = if one == other {
                    format!("{one:?} twice")
                } else {
                    format!("{one:?} and {other:?}")
                };
                Err(DecodeError::Layout(format!(
                    "the header names {both} for {whose}; which one is meant? mend the file or `from`"
                )))
            }
            (first, _) => Ok(first.map(|(at, _)| at)),
        }
    }
}

/// Whether one of `from` is among the names of a header, as it is written or as it reads.
pub(crate) fn is_among(from: &[String], names: &[String]) -> bool {
    let wanted = || from.iter().map(|name| fold(name)).filter(|name| !name.is_empty());
    let reads = |name: &String| wanted().any(|wanted| readings(name).contains(&wanted));
    names.iter().any(|name| from.contains(name) || reads(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fields: &[(&str, &[&str])], names: &[&str]) -> Result<Vec<usize>, String> {
        let field = |(name, from): &(&str, &[&str])| Field {
            from: from.iter().map(|name| (*name).to_owned()).collect(),
            ..Field::new(*name, FieldType::Text)
        };
        let fields: Vec<_> = fields.iter().map(field).collect();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let wanted =
            Wanted { fields: &fields, outside: &[], gone: &BTreeSet::new(), deleted: None };
        Headers::of(wanted, &names).map(|headers| headers.cells).map_err(|error| error.to_string())
    }

    #[test]
    fn a_header_is_found_as_it_is_written_or_as_it_reads() {
        let id: &[(&str, &[&str])] = &[("id", &["رقم الهوية", "Emirates ID"])];
        for (fields, names, expected, why) in [
            (id, &["x", "رقم الهوية"][..], Ok(vec![1]), "as it is written"),
            (id, &["رقم الهويه", "x"], Ok(vec![0]), "ta marbuta"),
            (id, &["x", "\u{200f}رَقـم  الهوية"], Ok(vec![1]), "signs, tatweel and two spaces"),
            (id, &["x", "EMIRATES id"], Ok(vec![1]), "another of its names, in another case"),
            (id, &["رقم الهوية / Emirates ID"], Ok(vec![0]), "in both languages"),
            (id, &["رقم الهويه\nNational number"], Ok(vec![0]), "by either half"),
            (id, &["رقم الهويه", "رقم الهوية"], Ok(vec![1]), "as it is written goes first"),
            (
                id,
                &["رقم الهويه", "emirates id"],
                Err("the header names \"رقم الهويه\" and \"emirates id\" for field \"id\""),
                "two that read as one",
            ),
            (
                id,
                &["رقم الهوية", "رقم الهوية"],
                Err("the header names \"رقم الهوية\" twice for field \"id\""),
                "two that are one",
            ),
            (
                id,
                &["رقم", "الهوية"],
                Err(
                    "the header lacks \"رقم الهوية\" or \"Emirates ID\", and none of its 2 names is known",
                ),
                "none: it may be no header, but a person",
            ),
            (
                &[("id", &["id"])],
                &["<!DOCTYPE html>"],
                Err(
                    "the header lacks \"id\", and none of its 1 names is known; it begins as a web page or JSON does",
                ),
                "a page",
            ),
            (
                &[("id", &["id"]), ("b", &["b"])],
                &["id", "784-0000-1234567-6", "c"],
                Err("the header lacks \"b\"; it has \"id\", \"•••\", \"c\""),
                "nor is a part of it shown that is",
            ),
            (
                &[("a", &["Case"]), ("b", &["case"])],
                &["case", "Case"],
                Ok(vec![1, 0]),
                "each its own",
            ),
            (
                &[("a", &["Case"]), ("b", &["case"])],
                &["Case"],
                Err("the header lacks \"case\""),
                "one that is another's",
            ),
            (
                &[("a", &["…", "\u{640}"])],
                &[""],
                Err("the header lacks"),
                "nothing reads as nothing",
            ),
        ] {
            let among = |(_, from): &(&str, &[&str])| {
                let owned =
                    |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
                is_among(&owned(from), &owned(names))
            };
            let lacks = expected.as_ref().is_err_and(|said| said.contains("lacks"));
            assert!(lacks || fields.iter().all(among), "{why}: what is found is among them");
            match (found(fields, names), expected) {
                (Err(said), Err(expected)) => assert!(said.starts_with(expected), "{why}: {said}"),
                (found, expected) => assert_eq!(found, expected.map_err(str::to_owned), "{why}"),
            }
        }
    }
}

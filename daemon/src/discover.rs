//! `feed discover`: a sample of a partner's data to a `[[feed]]` block that reads it.
//!
//! Pure, but for what is packed, which is opened first: bytes and what came with them in, a proposal out. What the sample itself says is written as it is; what can
//! only be guessed is marked as a guess. A proposal names fields and never shows a value: they may be about children.

use url::Url;

mod block;
mod column;
mod csv;
mod form;
mod key;
mod look;
mod node;
mod packed;
mod paging;
mod personal;
mod place;
mod sdmx;
mod style;
mod write;
mod xml;

pub use self::{
    packed::{Book, Inside, inside},
    place::Place,
    style::Style,
};

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    pub bytes: &'a [u8],
    /// Only the beginning of something longer.
    pub cut: bool,
    /// The encoding that it says to be in, where all of it is UTF-8.
    pub says: Option<&'static str>,
    /// The member of an archive that was looked at.
    pub member: Option<&'a str>,
    /// The sheet that was looked at, where it is a workbook.
    pub book: Option<&'a Book>,
    /// The headers that it came with, by names in small letters; several of one name are one.
    pub headers: &'a [(String, String)],
    pub place: Place<'a>,
    /// The name of the connection that it came over.
    pub connection: &'a str,
    /// Where its records stand, if somebody knows.
    pub records: Option<&'a str>,
    /// Names of the partner's connections and feeds: no two are the same.
    pub taken: &'a [String],
}

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub style: Style,
    /// The feed's id within its partner.
    pub feed: String,
    /// TOML, for the partner's file.
    pub block: String,
    /// What was seen, and what to look after.
    pub notes: Vec<String>,
}

/// A sample that no feed can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}; {remedy}")]
pub struct Unknown {
    pub why: String,
    pub remedy: &'static str,
}

impl Unknown {
    fn new(why: impl Into<String>, remedy: &'static str) -> Self {
        Self { why: why.into(), remedy }
    }
}

/// Proposes a feed for the sample.
///
/// # Errors
/// [`Unknown`] if it is no data that Marsad reads.
pub fn propose(sample: &Sample<'_>) -> Result<Proposal, Unknown> {
    let found = look::look(sample)?;
    Ok(write::write(sample, &found))
}

/// Whether `url` lies within `base`: the same origin, and the same path or one below it.
pub fn is_within(url: &Url, base: &Url) -> bool {
    let path = base.path().trim_end_matches('/');
    let below = url.path().strip_prefix(path);
    url.origin() == base.origin()
        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;

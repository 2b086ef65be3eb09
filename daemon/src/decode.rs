//! Bytes to rows, a format each. A decoder hands over one row at a time and never holds more than one.
//!
//! What it cannot read at all ends the page or file ([`DecodeError`]); what is wrong with a single row is that row's
//! alone, and its neighbours are kept.

use std::io;

use marsad_shared::health::Reason;

pub mod csv;
pub mod json;

/// The longest row, in bytes: a missing quote or bracket must not swallow the memory of the machine.
pub const ROW_MAX: usize = 16 * 1024 * 1024;
/// The longest value, in bytes.
pub const FIELD_MAX: usize = 1024 * 1024;

/// Why a page or file cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It ends in the middle.
    #[error(
        "it ends in the middle (line {line}, column {column}); it was cut off on the way: fetch it again"
    )]
    Truncated { line: usize, column: usize },
    /// It is not in the format that it should be in.
    #[error("{0}")]
    Format(String),
    /// It is in that format, but not laid out as configured.
    #[error("{0}")]
    Layout(String),
    /// One row is longer than [`ROW_MAX`].
    #[error(
        "the row that begins at line {line} is longer than 16 MiB; look for a quote or bracket that is never closed"
    )]
    RowTooLong { line: u64 },
    /// A quote is opened and never closed: it may have swallowed any number of rows.
    #[error(
        "the row that begins at line {line} opens a quote that is never closed; close it, or double it if it is meant"
    )]
    OpenQuote { line: u64 },
    /// So many bad rows are a bad layout.
    #[error(
        "more than {0} rows were refused; compare the layout with the feed's fields, mend it and resync"
    )]
    TooManyRefused(u64),
    /// It holds more than can be held at once.
    #[error("{0}")]
    TooLarge(String),
    /// There is no record yet to take the columns from.
    #[error("there is nothing to take the columns from yet")]
    Nothing,
    /// Reading the bytes failed.
    #[error("reading failed")]
    Io(#[source] io::Error),
    /// Whoever takes the rows asked to stop.
    #[error("stopped")]
    Stopped,
}

impl DecodeError {
    /// The reason among the closed set.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Truncated { .. } => Reason::Truncated,
            Self::Format(_) => Reason::NotJson,
            Self::Layout(_) | Self::TooManyRefused(_) | Self::Nothing => Reason::Schema,
            Self::RowTooLong { .. } | Self::TooLarge(_) => Reason::TooLarge,
            Self::Io(_) => Reason::Disk,
            Self::OpenQuote { .. } | Self::Stopped => Reason::Decode,
        }
    }
}

/// One value as the partner wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// Missing, null, or an empty cell.
    Nothing,
    /// Text of a CSV cell, or of a JSON string.
    Text(&'a str),
    /// A JSON number, as it was written: it has not been a float in between.
    Number(&'a str),
    Bool(bool),
    /// A JSON object or array, as it was written.
    Nested(&'a str),
}

/// One value of a page's envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scalar {
    #[default]
    Absent,
    Null,
    /// Text, or whatever else stands there as it was written.
    Text(String),
}

impl Scalar {
    /// What it says; `None` where it says nothing.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text).filter(|text| !text.is_empty()).map(String::as_str),
            Self::Absent | Self::Null => None,
        }
    }
}

/// Whoever takes rows may stop the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    More,
    Stop,
}

//! Bytes to rows, a format each. A decoder hands over one row at a time and never holds more than one.
//!
//! What it cannot read at all ends the page or file ([`DecodeError`]); what is wrong with a single row is that row's
//! alone, and its neighbours are kept.

use std::io;

use marsad_shared::{
    drift::Drift,
    feed::{RecordsPath, ScalarPath},
    health::Reason,
    mask::of_people,
};

pub use marsad_shared::quarantine::Standing;

pub mod charset;
pub mod csv;
pub mod json;
pub mod letters;
pub mod sdmx;
pub mod xlsx;
pub mod xml;

/// The longest row, in bytes: a missing quote or bracket must not swallow the memory of the machine.
pub const ROW_MAX: usize = 16 * 1024 * 1024;
/// The longest value, in bytes.
pub const FIELD_MAX: usize = 1024 * 1024;
/// The most levels of values inside values, of a record and of what stands around the records; of XML, fewer.
pub const DEPTH_MAX: usize = 128;
/// The largest document that is held whole, because its records cannot be read one by one, in bytes.
pub const HELD_MAX: usize = 256 * 1024 * 1024;

/// What to do about columns that are not the feed's.
pub const DECIDE: &str = "if it is to stay so, decide it: marsad schema show FEED";
/// The same of a column without which no row is taken.
pub const KEYLESS: &str = "have the partner bring it back, or mend `key`, `version` or `fields`";

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
    /// As that: there is no list of records in the object where one belongs, or null.
    #[error("{0}")]
    Lacking(String),
    /// Its columns are not those that the feed has: the feed is held until somebody decides.
    #[error("{text}; {remedy}")]
    Drift { drift: Vec<Drift>, text: String, remedy: &'static str },
    /// It is not in the encoding that it should be in.
    #[error("{0}")]
    Encoding(String),
    /// What came in place of the records is the partner's own word of an error.
    #[error("the {} answers with an error ({code}): {}; {}", answerer(code), of_people(text), remedy(code, *retryable))]
    Remote { code: String, text: String, retryable: bool },
    /// It would delete more than one record at a time, which waits for a person.
    #[error("{0}")]
    Bulk(String),
    /// Values inside values without end.
    #[error(
        "it is nested deeper than {levels} levels (line {line}); ask the partner what it is, or leave it out of the request"
    )]
    TooDeep { levels: usize, line: usize },
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
    /// It is packed, and does not unpack to its end.
    #[error("{0}")]
    Broken(String),
    /// What it unpacks to is not what was packed.
    #[error("{0}")]
    Checksum(String),
    /// Its rows take more memory than they may, in bytes.
    #[error("the rows of the page take more than {} MiB; ask for smaller pages (`size`)", .0 / (1024 * 1024))]
    Crowded(usize),
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

/// Whether a fault's code is one by which an X-Road gateway says that the error is its own, and not the partner's behind it.
pub fn is_of_gateway(code: &str) -> bool {
    let local = code.rsplit(':').next().unwrap_or_default().trim();
    ["Server.ClientProxy", "Server.ServerProxy"].iter().any(|begin| local.starts_with(begin))
}

fn answerer(code: &str) -> &'static str {
    if is_of_gateway(code) { "gateway" } else { "partner" }
}

fn remedy(code: &str, retryable: bool) -> &'static str {
    if is_of_gateway(code) {
        "tell whoever runs the gateway: the partner behind it may not be to blame"
    } else if retryable {
        "it is tried again; if it stays, tell the partner"
    } else {
        "mend what it says of the request, or tell the partner"
    }
}

impl DecodeError {
    /// Of a page for people in place of data.
    fn web_page() -> Self {
        let what = "it is a web page and no data; a login or error page may stand in its place";
        Self::Format(what.to_owned())
    }

    /// The same with each text that it holds as `rewrite` has it.
    #[must_use]
    pub fn rewritten(mut self, rewrite: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::Format(text)
            | Self::Layout(text)
            | Self::Lacking(text)
            | Self::Encoding(text)
            | Self::Bulk(text)
            | Self::Broken(text)
            | Self::Checksum(text)
            | Self::TooLarge(text)
            | Self::Drift { text, .. } => *text = rewrite(text),
            Self::Remote { code, text, .. } => {
                // Together: what is parted between them is whole again on a screen.
                let whole = format!("{code}: {text}");
                let written = rewrite(&whole);
                if written != whole {
                    (*code, *text) = match written.split_once(": ") {
                        Some((code, text)) => (code.to_owned(), text.to_owned()),
                        None => ("no code is shown".to_owned(), written),
                    };
                }
            }
            _ => {}
        }
        self
    }

    /// The reason among the closed set.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Truncated { .. } | Self::Broken(_) => Reason::Truncated,
            Self::Checksum(_) => Reason::Checksum,
            Self::Format(_) => Reason::NotJson,
            Self::Encoding(_) => Reason::Encoding,
            Self::Remote { code, .. } if is_of_gateway(code) => Reason::GatewayFault,
            Self::Remote { .. } => Reason::RemoteFault,
            Self::Layout(_)
            | Self::Lacking(_)
            | Self::Drift { .. }
            | Self::Bulk(_)
            | Self::TooManyRefused(_)
            | Self::Nothing => Reason::Schema,
            Self::RowTooLong { .. } | Self::TooLarge(_) | Self::Crowded(_) => Reason::TooLarge,
            Self::Io(_) => Reason::Disk,
            Self::OpenQuote { .. } | Self::TooDeep { .. } | Self::Stopped => Reason::Decode,
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
    /// A day or a time in ISO 8601, whatever its column is written in: a workbook's own.
    Iso(&'a str),
    /// A JSON number, as it was written: it has not been a float in between.
    Number(&'a str),
    Bool(bool),
    /// A JSON object or array, as it was written.
    Nested(&'a str),
}

impl Raw<'_> {
    /// Whether it is that single value, written as JSON has it without quotes.
    pub fn reads(&self, value: &str) -> bool {
        match self {
            Self::Text(text) | Self::Number(text) | Self::Iso(text) => *text == value,
            Self::Bool(yes) => value == if *yes { "true" } else { "false" },
            Self::Nothing | Self::Nested(_) => false,
        }
    }
}

/// One value that stands beside the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scalar {
    /// There is nothing at its path, or no document at all.
    #[default]
    Absent,
    Null,
    /// Text, empty perhaps.
    Text(String),
    /// A number, a boolean, an object or a list of JSON, as it was written.
    Json(String),
}

impl Scalar {
    /// The text that is there; `None` if it is absent, null or empty.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Json(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

/// A record as it was written, or its bytes where they are no text.
pub type Text<'t> = Result<&'t str, &'t [u8]>;

/// What is wanted of a page or file.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p> {
    /// Where the records stand; `None`: none are wanted.
    pub records: Option<&'p RecordsPath>,
    /// Where removed records stand apart.
    pub deletes: Option<&'p RecordsPath>,
    /// The single values that are wanted beside them.
    pub scalars: &'p [ScalarPath],
}

/// Whoever takes rows may stop the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    More,
    Stop,
}

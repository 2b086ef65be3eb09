//! A feed: one dataset that we pull over a connection.

use globset::GlobMatcher;
use jiff::tz::TimeZone;

use crate::{
    freshness::Promise,
    id::{ConnectionId, FeedId},
    partner::{Cover, Name},
    request::Request,
    word::words,
};

mod field;
mod keeping;
mod path;

pub use field::{Field, FieldType, Reference, Rules};
pub use keeping::{History, Keeping, Mode};
pub use path::{
    FieldPath, FieldStep, OWN_TEXT, PathError, RecordsPath, ScalarPath, XmlPath, XmlStep,
};

/// The most columns of a feed: SQLite's own limit is 2,000, and the bank's come beside them.
pub const COLUMNS_MAX: usize = 1_900;

/// One dataset: where it is, how it is decoded, its key, its fields, its schedule and its promise.
#[derive(Clone, Debug)]
pub struct Feed {
    pub id: FeedId,
    pub name: Name,
    pub connection: ConnectionId,
    pub origin: Origin,
    /// `None`: by content type or file name.
    pub format: Option<Format>,
    /// JSON and XML: where the records stand in a page or file.
    pub records: RecordsPath,
    /// JSON over HTTP: whether a page may leave out, or have null for, a list of records that is empty.
    pub may_lack: bool,
    /// JSON and XML: where the removed records stand; `None`: there are none apart.
    pub deletes: Option<RecordsPath>,
    /// How a record says of itself that it was removed; `None`: none does.
    pub deleted: Option<Deleted>,
    /// In which encoding its text comes where nothing in it says so, by its name in the WHATWG's list; `None`: as the answer
    /// says, else UTF-8.
    pub encoding: Option<String>,
    /// CSV only: the byte between fields.
    pub delimiter: u8,
    /// CSV and XLSX: the line of the file, or the row of the sheet, that is the header, from 1; what stands above it is passed
    /// over.
    pub header_row: u32,
    /// XLSX only: which sheet is read; `None`: the only one that can be seen.
    pub sheet: Option<Sheet>,
    /// XLSX only: what stands in a column of the key of the row behind the last one, such as `Total`.
    pub stop: Vec<String>,
    /// Files only: which members of an archive are read; `None`: all.
    pub entries: Option<GlobMatcher>,
    /// What begins the fraction of a number that comes as text.
    pub decimal: DecimalSign,
    /// Columns that tell one record from another, at least one.
    pub key: Vec<String>,
    /// The column that says which of two rows of one key is newer; `None`: the one that came later is.
    pub version: Option<String>,
    /// The columns; empty: taken from the first page or file, then frozen.
    pub fields: Vec<Field>,
    /// Which columns the partner's agreement covers; `fields` may name others, which are dropped.
    pub cover: Cover,
    /// What is no column where the columns are taken from the first page, unless it is of the key: names that a preset knows to
    /// tell nothing of the record.
    pub unlisted: &'static [&'static str],
    /// What becomes of what is there.
    pub keeping: Keeping,
    /// `None`: no expectation, so freshness is `exempt`.
    pub promise: Option<Promise>,
    /// The zone of times that name none.
    pub zone: TimeZone,
}

/// Where a feed's bytes come from.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are as many as feeds, not as records")]
pub enum Origin {
    Http(Request),
    /// Files of the connection's import folder whose name matches.
    Files(GlobMatcher),
}

/// How a record says of itself that it was removed. Such a record needs no more than its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// One of `values`, as it is written, stands in `field`: a name, a header, or a path inside the record. Where nothing
    /// stands there the record is there; where an object or a list does, its row is refused.
    Field { field: String, values: Vec<String> },
    /// `OData`: `@removed`, or a context that ends in `$deletedEntity`. Its key may stand in its `id` alone.
    OData,
}

/// What begins the fraction of a number that comes as text. `٫` does too, in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecimalSign {
    /// `1234.5`.
    #[default]
    Point,
    /// `1234,5`, or `1.234,5` with points or spaces between thousands.
    Comma,
}

words! {
    /// How the bytes of a page or file are written.
    pub enum Format is "format" {
        Json = "json",
        Ndjson = "ndjson",
        Csv = "csv",
        Xml = "xml",
        /// JSON, CSV or XML of the statistical standard, told apart by their first bytes.
        Sdmx = "sdmx",
        /// One sheet of a workbook.
        Xlsx = "xlsx",
    }
}

/// Which sheet of a workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// By its name, as it stands on its tab.
    Name(String),
    /// By its place among all sheets, hidden ones too, from 1.
    Number(u32),
}

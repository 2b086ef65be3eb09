//! `[[feed]]`: a dataset, when it is due, and how old it may be.

use super::{
    Name,
    field::Fields,
    request::{RawChanged, RawEach, RawExport, RawIncremental, RawPagination, RawSuccess},
};
use crate::{
    brake::Share,
    config::{
        table::{Or, table},
        value::{Id, Json, Pairs, SheetStop, Span, Statuses, Zone},
    },
    feed::{DecimalSign, Format, Mode},
    request::{Method, Preset},
};

table! {
    /// One dataset: `path` for one of an HTTP interface, `files` for one that comes into an import folder.
    pub struct RawFeed, as "[[feed]]" {
        /// Names the feed within its partner, and its table in the bank.
        must id: Id,
        /// What people call it. Default: its id.
        may name: Name,
        /// The id of the connection that it comes over.
        must connection: Id,
        /// Where it is asked for, behind `base_url`; may carry a query of its own.
        may path: String,
        /// The names of its files, such as `transfers-*.csv`.
        may files: String,
        /// Files that are ZIP archives: the members to read, such as `*.csv`; `*` leads into folders too. Default: all of
        /// them.
        may entries: String,
        /// Where the records of a page or file stand. JSON: a path (RFC 9535); plain names that end in `[*]`, such as
        /// `$.data[*]`, are read record by record, any other form holds the page in memory. Default: `$[*]`. XML: the local
        /// names that lead to a record, such as `Envelope/Body/Reply/Case`.
        may records: String,
        /// JSON and XML over HTTP: whether a page whose list is empty may leave it out, or have null there, as FHIR, SCIM and
        /// Protobuf have it. The object around the list is there all the same (of XML the outermost element), and no `total` says
        /// that there are records. Default: false.
        may records_may_lack: bool,
        /// Where removed records stand, written as `records` is. Default: nowhere apart.
        may deletes: String,
        /// How a record says of itself that it was removed; it needs no more than its key then. Default: none does.
        may deleted: RawDeleted,
        /// The columns that tell one record from another.
        must key: Vec<String>,
        /// The column that says which of two rows of one key is newer: an older one never wins, in one run or against the bank.
        /// A record without it is refused.
        /// Default: the row that came later is.
        may version: String,
        /// A style that is known by name: what is not written here is as that style has it.
        may preset: Preset,
        /// The HTTP method. Default: `GET`, or `POST` with `json` or `form`.
        may method: Method,
        /// A JSON body. A parameter goes as a number where the partner counts in numbers, and where one stands in its place.
        may json: Json,
        /// A body as a web form writes it.
        may form: Pairs,
        /// A body as it stands, such as an XML envelope. A parameter of its name in braces, such as `{after}`, is put in its
        /// place.
        may text: String,
        /// Headers to send.
        may headers: Pairs,
        /// What tells a good answer from an error that came with a good status.
        may success: RawSuccess,
        /// What a status means, where it is not the usual: `empty` (no records), `gone` (the cursor is older than what the
        /// partner keeps), `retry` or `fail`, as in `{ 404 = "empty" }`.
        may statuses: Statuses,
        /// How one page leads to the next. Default: one page is all there is.
        may pagination: RawPagination,
        /// How to read only what changed since last time. Default: everything is read each time.
        may incremental: RawIncremental,
        /// Asks once for each record of another feed.
        may each: RawEach,
        /// Has the partner make a file first, and fetches that.
        may export: RawExport,
        /// Asks first whether anything changed.
        may changed: RawChanged,
        /// When it is read, over HTTP. Default: every `15m`. Files are taken when they are complete.
        may schedule: RawSchedule,
        /// With `incremental`: when all of it is read, so that what is no longer there is found, and is gone, by the brake. Each
        /// time it is loaded beside the table and joins it in one step. Default: absence means nothing.
        may sweep: RawSchedule,
        /// How old its data may become. Default: nothing is promised.
        may freshness: RawFreshness,
        /// The columns. Default: those of the first page or file.
        may fields: Fields,
        /// What stands for nothing in each of the `fields` that does not say so itself, such as `["N/A", "-"]`, or `["false"]`
        /// (which a boolean field keeps). Default: null and empty cells alone.
        may nothing: Vec<String>,
        /// How its bytes are written. Default: by content type or file name.
        may format: Format,
        /// In which encoding its text is, where it does not begin with a mark that says so: a label of the WHATWG, such as
        /// `windows-1256`. Default: as the answer says, else UTF-8. A table or JSON in a file that is not in it is
        /// held whole, with what it seems to be.
        may encoding: String,
        /// What it means that a record comes, or does not. `incremental`, the default: absence means nothing. `snapshot`: a
        /// complete read, or a file, is the whole truth, and what it no longer has is gone. `append`: records are only ever
        /// added; a row that would change one is passed over, and counted.
        may mode: Mode,
        /// The most of a feed's records that one run may delete by itself, as a share such as `0.2`; a run that would delete
        /// more is held until a person releases it. Default: `0.2`.
        may max_delete_share: Share,
        /// Snapshots and files: with fewer rows the whole run is held. Default: any number will do.
        may min_rows: u64,
        /// How long what a full read replaced is kept, so that it can be undone. Default: `24h`.
        may undo: Span,
        /// Whether every version of a record is kept, with the run that brought it. Default: `false`.
        may history: bool,
        /// How long a version is kept once another has replaced it. Default: a year.
        may history_age: Span,
        /// How many earlier versions of each record are kept. Default: 100.
        may history_versions: u64,
        /// CSV, of SDMX too: the character between fields. Default: `,`.
        may delimiter: String,
        /// CSV and XLSX: the line or row of the header, from 1. Default: 1.
        may header_row: u64,
        /// XLSX: the sheet to read, by its name or by its number, from 1. Default: the only one that can be seen.
        may sheet: Or<String, u64>,
        /// XLSX: where the rows of a sheet end. `empty_key`, the default: at the first row that has something in it, but
        /// nothing in any column of the key; where a row of data follows below, the sheet is held. A list of words, such as `["Total"]`: there, or where a column of the key holds
        /// one of them.
        may stop: Or<SheetStop, Vec<String>>,
        /// What begins the fraction of a number that comes as text: `.`, or `,` for numbers such as `1.234,5`, whose
        /// thousands may be parted by points or spaces. Default: `.`, and nothing parts thousands but `٬`.
        may decimal: DecimalSign,
    }
    later { "approve" }
}

table! {
    /// How a record says of itself that it was removed.
    pub struct RawDeleted, as "{ field = \"op\", values = [\"delete\"] }" {
        /// Where it says so, inside the record: a name, a header, or a path such as `$.meta.op`. It need not be a column.
        must field: String,
        /// What stands there in a removed record, as it is written: `delete`, `true`, `1`.
        must values: Vec<String>,
    }
    later {}
}

table! {
    /// When a feed is read: `every` so long, or by `cron`.
    pub struct RawSchedule, as "{ every = \"15m\" }" {
        /// The time from one start to the next.
        may every: Span,
        /// Five fields: minute, hour, day of month, month, day of week.
        may cron: String,
        /// The IANA zone that `cron` speaks of. Default: `timezone` of marsad.toml.
        may zone: Zone,
    }
    later {}
}

table! {
    /// How old a feed's data may become. Both limits count from the moment when new data is owed.
    pub struct RawFreshness, as "{ every = \"1h\" }" {
        /// The age at which new data is owed.
        must every: Span,
        /// How long past that nobody is troubled. Default: a quarter of `every`.
        may grace: Span,
        /// How long past that a warning becomes an error. Default: four times `every`.
        may error_after: Span,
    }
    later { "by" "days" "accept_from" "basis" "calendar" "none" "require_all" "warn_age" "error_age" }
}

//! Quarantine: what arrived and could not be accepted, why, and where it stood.

use serde::{Deserialize, Serialize};

use crate::word::words;

mod alike;
mod fix;
pub mod form;
mod laid;

pub use alike::alike;
pub use fix::{NEWER, fix, is_no_text};
pub use form::{Form, Standing};
pub use laid::{Laid, Sight, lay_out};

words! {
    /// Whether a row or a whole file waits.
    pub enum Kind is "quarantine kind" {
        Row = "row",
        File = "file",
    }
}

/// Where the refused thing stood. Lines, pages and rows count from 1; what does not apply is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file; of a member of an archive, behind the archive's own name and a `/`.
    pub file: Option<String>,
    /// The line of the file where the row begins, or the row of the sheet.
    pub line: Option<u64>,
    /// The page of the run.
    pub page: Option<u64>,
    /// The row of its page or file.
    pub row: Option<u64>,
    pub field: Option<String>,
}

/// One thing that was refused, on its way to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub kind: Kind,
    /// What is wrong and what would be right; names column and kind, never the content (security T17).
    pub reason: String,
    pub place: Place,
    /// The row as it came, cut at [`ORIGINAL_MAX`]; for a file, empty: its original is kept by hash.
    pub original: Vec<u8>,
    /// How the row is written; `None` for a file, and for a row whose values cannot be told apart.
    pub form: Option<Form>,
    /// For a file: the hash under which `originals/` keeps it.
    pub original_hash: Option<String>,
    /// How long the original is, in bytes; `original` may have been cut.
    pub bytes: u64,
}

/// The most bytes of a refused row that the ledger keeps.
pub const ORIGINAL_MAX: usize = 64 * 1024;

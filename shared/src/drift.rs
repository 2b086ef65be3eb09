//! What arrives otherwise than a feed's columns say, and what a person decided of it.

use serde::{Deserialize, Serialize};

use crate::{feed::FieldType, word::words};

words! {
    /// How a column came otherwise.
    pub enum Change is "schema change" {
        /// Something stands there that is no column.
        New = "new",
        /// It is not there any more.
        Gone = "gone",
        /// What stands there is of another type.
        Retyped = "retyped",
        /// The data is of a structure, or of a version of one, that had not come before (SDMX).
        Structure = "structure",
    }
}

words! {
    /// What becomes of it.
    pub enum Decision is "schema decision" {
        /// Nobody has decided yet.
        Open = "open",
        Approved = "approved",
        Refused = "refused",
        /// It stood there when the feed was first watched, beside the fields that are declared; or it is the first structure.
        Known = "known",
        /// It came as it should again before anybody decided.
        Passed = "passed",
    }
}

impl Change {
    /// Whether the feed is held until somebody decides; what is new is only noted.
    pub const fn holds(self) -> bool {
        matches!(self, Self::Gone | Self::Retyped)
    }
}

/// A column that came otherwise in a run. Never a value of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The column, or the name that is none; of a structure its name and version.
    pub field: String,
    pub change: Change,
    /// What is new: of which type it seems to be; `None`: nothing ever stood there.
    pub kind: Option<FieldType>,
}

//! A partner: an agency that we exchange data with.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::id::PartnerId;

/// What people call a thing, in the languages of the house. Arabic may be missing; then English stands for both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub en: String,
    pub ar: Option<String>,
}

/// What we and a partner have agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The reference under which both sides file it.
    pub reference: String,
    /// Its last day.
    pub valid_until: Option<Date>,
}

/// An agency, as its file in `partners.d` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    pub id: PartnerId,
    pub name: Name,
    pub agreement: Option<Agreement>,
    /// A text file for whoever is called in the night.
    pub runbook: Option<std::path::PathBuf>,
}

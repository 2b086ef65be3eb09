//! How the records of a feed are kept: what their absence means, what a run may do by itself, and what is remembered.

use std::time::Duration;

use crate::{brake::Brake, word::words};

words! {
    /// What it means that a record comes, or does not.
    pub enum Mode is "mode" {
        /// What comes is new or changed; absence means nothing.
        Incremental = "incremental",
        /// A complete read is the whole truth: what it no longer has is gone.
        Snapshot = "snapshot",
        /// Records are only ever added; one that is there never changes.
        Append = "append",
    }
}

/// How a feed's records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    pub mode: Mode,
    pub brake: Brake,
    /// How long what a run replaced is kept, so that the run can be undone; of runs that read all there is or were
    /// released by a person, and of a feed with `history` of every run.
    pub undo: Duration,
    /// Which earlier versions of a record are kept beside that; `None`: none.
    pub history: Option<History>,
}

/// How many earlier versions are kept, and for how long. What goes beyond either goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Since they were replaced.
    pub age: Duration,
    /// Of each record, at least 1.
    pub versions: u32,
}

impl Keeping {
    /// A day.
    pub const UNDO: Duration = Duration::from_hours(24);
}

impl Default for Keeping {
    fn default() -> Self {
        Self { mode: Mode::Incremental, brake: Brake::default(), undo: Self::UNDO, history: None }
    }
}

impl History {
    /// A year.
    pub const AGE: Duration = Duration::from_hours(366 * 24);
    pub const VERSIONS: u32 = 100;
}

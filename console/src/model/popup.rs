//! What lies over the screen and takes the keys meanwhile.

use std::sync::Arc;

use marsad_shared::{
    id::FeedId,
    protocol::{ExchangeRow, ExchangeVerb, FeedRow, Preview, Problem, Resync, SchemaVerb},
};
use tui_input::Input;

use super::Weight;

/// Something in front of the screen.
#[derive(Clone, Debug)]
pub enum Popup {
    /// Every key that works here, from line `top`.
    Help {
        top: usize,
    },
    /// Everything that can be done with the selection.
    Menu {
        items: Vec<Item>,
        selected: usize,
    },
    Resync(Form),
    /// Asks before it is done: `y` does it.
    Confirm(Deed),
    /// The chain of causes, from line `top`.
    Why {
        lines: Vec<Cause>,
        top: usize,
    },
    /// The filter while it is typed, and what it was before.
    Filter {
        input: Input,
        before: String,
    },
    Palette {
        input: Input,
        selected: usize,
    },
}

/// One line of the menu.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub choice: Choice,
    /// Why it cannot be done now.
    pub blocked: Option<String>,
}

/// Something that can be done with a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Open,
    Why,
    Resync,
    /// A connection, now.
    Test,
    Exchange(ExchangeVerb),
    /// What came otherwise in a feed, all that is open.
    Schema(SchemaVerb),
    Copy,
}

/// An order that waits for its yes.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    Exchange(ExchangeVerb, Arc<ExchangeRow>),
    Schema(SchemaVerb, Arc<FeedRow>),
    /// Leave, though a run that was ordered here is under way.
    Quit,
}

/// A resync that is being prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub feed: FeedId,
    pub full: bool,
    /// What the daemon says it would do; none while it is asked.
    pub preview: Option<Result<Preview, Problem>>,
}

impl Form {
    pub const fn new(feed: FeedId) -> Self {
        Self { feed, full: false, preview: None }
    }

    /// The order, as a question or in earnest.
    pub fn order(&self, dry_run: bool) -> Resync {
        Resync { feed: self.feed.clone(), full: self.full, dry_run, reason: None }
    }
}

/// One step of a chain of causes.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    pub weight: Weight,
    pub text: String,
    /// What comes of it, and not where it comes from.
    pub effect: bool,
}

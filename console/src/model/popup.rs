//! What lies over the screen and takes the keys meanwhile.

use std::sync::Arc;

use marsad_shared::{
    id::FeedId,
    protocol::{
        Chosen, Discard, DiscardReply, ExchangeRow, ExchangeVerb, Preview, Problem, Replay,
        ReplayReply, Resync,
    },
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
    /// What a replay of quarantine would do: `y` does it.
    Replay(Box<ReplayForm>),
    /// What discarding would do: typing what it is does it.
    Discard(Box<DiscardForm>),
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
    /// What is held: shaped and checked again.
    Replay,
    /// What is held: taken out for good.
    Discard,
    Copy,
}

/// An order that waits for its yes.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    Exchange(ExchangeVerb, Arc<ExchangeRow>),
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
        let (feed, full) = (self.feed.clone(), self.full);
        Resync { feed, full, since: None, until: None, hold: false, dry_run, reason: None }
    }
}

/// Items of quarantine that an act is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub what: Chosen,
    /// As people call them: the feed, or the group.
    pub name: String,
}

/// A replay that is being prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayForm {
    pub held: Held,
    /// What the daemon says it would do; none while it is asked.
    pub preview: Option<Result<ReplayReply, Problem>>,
}

impl ReplayForm {
    pub const fn new(held: Held) -> Self {
        Self { held, preview: None }
    }

    /// The order, as a question or in earnest; then it is about no more than was seen.
    pub fn order(&self, dry_run: bool) -> Replay {
        let seen = match &self.preview {
            Some(Ok(reply)) if !dry_run && self.held.what.group.is_some() => reply.choice.up_to,
            _ => None,
        };
        let what = Chosen { up_to: seen, ..self.held.what.clone() };
        Replay { what, force: false, dry_run, reason: None }
    }
}

/// A discard that is being prepared.
#[derive(Clone, Debug)]
pub struct DiscardForm {
    pub held: Held,
    pub preview: Option<Result<DiscardReply, Problem>>,
    pub reason: Input,
    /// What is typed to confirm it.
    pub typed: Input,
    /// Whether keys go there, and not into the reason.
    pub confirms: bool,
}

impl DiscardForm {
    pub fn new(held: Held) -> Self {
        let (reason, typed) = (Input::default(), Input::default());
        Self { held, preview: None, reason, typed, confirms: false }
    }

    /// The order, as a question or in earnest; then it is about no more than was seen.
    pub fn order(&self, dry_run: bool) -> Discard {
        let seen = match &self.preview {
            Some(Ok(reply)) if !dry_run && self.held.what.group.is_some() => reply.choice.up_to,
            _ => None,
        };
        let what = Chosen { up_to: seen, ..self.held.what.clone() };
        let reason = Some(self.reason.value().trim().to_owned()).filter(|_| !dry_run);
        Discard { what, dry_run, reason }
    }

    /// What has to be typed: whose they are, and how many; `None` as long as nobody knows.
    pub fn phrase(&self) -> Option<String> {
        match &self.preview {
            Some(Ok(reply)) => Some(format!("{} {}", self.held.name, reply.discarded)),
            _ => None,
        }
    }

    /// Whether all is there that it takes: a reason, and the very words.
    pub fn is_confirmed(&self) -> bool {
        let phrase = self.phrase();
        !self.reason.value().trim().is_empty()
            && phrase.is_some_and(|phrase| phrase == self.typed.value().trim())
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

//! What lies over the screen and takes the keys meanwhile.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    id::FeedId,
    protocol::{
        Chosen, Discard, DiscardReply, ExchangeRow, ExchangeVerb, FeedRow, Preview, Problem,
        Replay, ReplayReply, Resync, RunRow, RunVerb, SchemaVerb,
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
    /// What deciding about a run does to the bank: typing its id does it.
    Decide(Box<DecideForm>),
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
    Run(RunVerb),
    /// What is held: shaped and checked again.
    Replay,
    /// What is held: taken out for good.
    Discard,
    /// What came otherwise in a feed, all that is open.
    Schema(SchemaVerb),
    Copy,
}

/// An order that waits for its yes.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    Exchange(ExchangeVerb, Arc<ExchangeRow>),
    /// A decision that leaves the bank as it is.
    Run(RunVerb, Arc<RunRow>),
    Schema(SchemaVerb, Arc<FeedRow>),
    /// Leave, though a run that was ordered here is under way.
    Quit,
}

/// How much a resync reads, as its form offers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    #[default]
    Incremental,
    Full,
    /// Everything, and it waits with what it would change.
    Look,
    /// What changed in the last day.
    Day,
    /// In the last seven.
    Week,
}

impl Reach {
    pub const ALL: [Self; 5] = [Self::Incremental, Self::Full, Self::Look, Self::Day, Self::Week];

    /// The key of its name in the catalogue.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Incremental => "resync-incremental",
            Self::Full => "resync-full",
            Self::Look => "resync-look",
            Self::Day => "resync-day",
            Self::Week => "resync-week",
        }
    }

    /// The one behind it; behind the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|reach| *reach == self).unwrap_or_default();
        Self::ALL.get(at + 1).copied().unwrap_or_default()
    }
}

/// A resync that is being prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub feed: FeedId,
    pub reach: Reach,
    /// When it was opened: what a day or a week is counted back from.
    pub at: Timestamp,
    /// What the daemon says it would do; none while it is asked.
    pub preview: Option<Result<Preview, Problem>>,
}

impl Form {
    pub const fn new(feed: FeedId, at: Timestamp) -> Self {
        Self { feed, reach: Reach::Incremental, at, preview: None }
    }

    /// The order, as a question or in earnest.
    pub fn order(&self, dry_run: bool) -> Resync {
        let feed = self.feed.clone();
        let full = matches!(self.reach, Reach::Full | Reach::Look);
        let days = match self.reach {
            Reach::Day => Some(1),
            Reach::Week => Some(7),
            Reach::Incremental | Reach::Full | Reach::Look => None,
        };
        let back = |days: i64| self.at.checked_sub(SignedDuration::from_hours(24 * days)).ok();
        let (since, hold) = (days.and_then(back), self.reach == Reach::Look);
        let until = since.map(|_| self.at);
        Resync { feed, full, since, until, hold, dry_run, reason: None }
    }
}

/// A decision about a run that changes the bank.
#[derive(Clone, Debug)]
pub struct DecideForm {
    pub verb: RunVerb,
    pub run: Arc<RunRow>,
    /// What is typed to confirm it: the run's id.
    pub typed: Input,
}

impl DecideForm {
    pub fn new(verb: RunVerb, run: Arc<RunRow>) -> Self {
        Self { verb, run, typed: Input::default() }
    }

    pub fn is_confirmed(&self) -> bool {
        self.typed.value().trim() == self.run.id.to_string()
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

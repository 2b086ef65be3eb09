//! Where one is: a view, what it is about, and the list that it shows.

use std::sync::Arc;

use marsad_shared::{
    id::{ConnectionId, ExchangeId, FeedId, QuarantineId, RunId},
    protocol::{
        Alike, ConnectionRow, ExchangeRow, ListQuery, QuarantineGroup, QuarantineItem,
        QuarantineRow, RecordRow, RunRow,
    },
};

use super::{Filter, List, Row, Sort};

/// A kind of list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Overview,
    Connections,
    Feeds,
    Exchanges,
    /// What is alike in quarantine.
    Groups,
    /// Items of quarantine, one by one.
    Quarantine,
    Runs,
    Records,
    /// How a feed's cursor moved, and on whose word.
    Moves,
    /// What was tried for one exchange.
    Attempts,
    /// What there is to say of one thing, line by line.
    Facts,
}

impl View {
    /// Those that a digit opens, from 1.
    pub const ROOTS: [Self; 7] = [
        Self::Overview,
        Self::Connections,
        Self::Feeds,
        Self::Exchanges,
        Self::Groups,
        Self::Runs,
        Self::Records,
    ];

    /// The key of its name in the catalogue.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Overview => "nav-overview",
            Self::Connections => "nav-connections",
            Self::Feeds => "nav-feeds",
            Self::Exchanges => "nav-exchanges",
            Self::Groups | Self::Quarantine => "nav-quarantine",
            Self::Runs => "nav-runs",
            Self::Records => "nav-records",
            Self::Moves => "noun-cursor",
            Self::Attempts => "exch-attempts",
            Self::Facts => "nav-facts",
        }
    }

    /// The word that the palette knows it by.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Connections => "connections",
            Self::Feeds => "feeds",
            Self::Exchanges => "exchanges",
            Self::Groups => "quarantine",
            Self::Quarantine => "items",
            Self::Runs => "runs",
            Self::Records => "records",
            Self::Moves => "cursor",
            Self::Attempts => "attempts",
            Self::Facts => "facts",
        }
    }

    /// The digit that opens it.
    pub fn digit(self) -> Option<char> {
        let at = Self::ROOTS.iter().position(|view| *view == self)?;
        char::from_digit(u32::try_from(at).ok()? + 1, 10)
    }
}

/// One thing that a place is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    Connection(ConnectionId),
    Feed(FeedId),
    Exchange(Arc<ExchangeRow>),
    /// What is alike in quarantine.
    Group(Arc<QuarantineGroup>),
    /// An item of quarantine, as its list has it.
    Quarantine(Arc<QuarantineRow>),
    /// The same with how it came.
    Item(Arc<QuarantineItem>),
    Run(Arc<RunRow>),
    Record(FeedId, Arc<RecordRow>),
}

impl Subject {
    /// As it is called in the path at the top.
    pub fn name(&self) -> String {
        match self {
            Self::Connection(id) => id.to_string(),
            Self::Feed(id) => id.to_string(),
            Self::Exchange(row) => row.id.to_string(),
            Self::Group(row) => row.id.to_string(),
            Self::Quarantine(row) => row.id.to_string(),
            Self::Item(item) => item.row.id.to_string(),
            Self::Run(row) => row.id.to_string(),
            Self::Record(_, row) => super::row::record_key(row),
        }
    }

    /// The lists that hang on it, the first shown first.
    pub const fn tabs(&self) -> &'static [View] {
        match self {
            Self::Connection(_) => &[View::Feeds, View::Exchanges],
            Self::Feed(_) => &[View::Runs, View::Records, View::Quarantine, View::Moves],
            Self::Exchange(_) => &[View::Attempts],
            Self::Run(_) => &[View::Quarantine, View::Facts],
            Self::Group(_) => &[View::Quarantine],
            Self::Quarantine(_) | Self::Item(_) | Self::Record(..) => &[View::Facts],
        }
    }

    /// The feed that it is, or belongs to.
    pub fn feed(&self) -> Option<&FeedId> {
        match self {
            Self::Feed(id) | Self::Record(id, _) => Some(id),
            Self::Group(row) => Some(&row.feed),
            Self::Quarantine(row) => Some(&row.feed),
            Self::Item(item) => Some(&item.row.feed),
            Self::Run(row) => Some(&row.feed),
            Self::Connection(_) | Self::Exchange(_) => None,
        }
    }

    pub fn connection(&self) -> Option<&ConnectionId> {
        if let Self::Connection(id) = self { Some(id) } else { None }
    }
}

/// What one can ask to be taken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Connection(ConnectionId),
    Feed(FeedId),
    Exchange(ExchangeId),
    Quarantine(QuarantineId),
    Run(RunId),
    /// A record by its feed and its whole key.
    Record(FeedId, String),
}

/// Which list of the daemon a place shows; the others are held whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Exchanges,
    Groups,
    Quarantine,
    Runs,
    Records(FeedId),
    Moves(FeedId),
}

/// A place.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub view: View,
    pub subject: Option<Subject>,
    pub list: List,
}

impl Place {
    pub fn new(view: View, subject: Option<Subject>) -> Self {
        let mut list = List::new(Filter::default(), Sort::default());
        if let (View::Quarantine, Some(Subject::Run(run))) = (view, &subject) {
            list.only = Some(run.id);
        }
        Self { view, subject, list }
    }

    /// The place of a connection: its feeds, or its exchanges where it only delivers.
    pub fn of_connection(row: &ConnectionRow) -> Self {
        let view = if row.feeds == 0 { View::Exchanges } else { View::Feeds };
        Self::new(view, Some(Subject::Connection(row.id.clone())))
    }

    /// The place of a subject, at its first tab.
    pub fn of(subject: Subject) -> Self {
        let view = subject.tabs().first().copied().unwrap_or(View::Facts);
        Self::new(view, Some(subject))
    }

    #[must_use]
    pub fn filtered(mut self, text: &str) -> Self {
        self.list.filter = Filter::new(text);
        self
    }

    /// The list that has to be fetched page by page; none where the rows are made of what is held.
    pub fn source(&self) -> Option<Source> {
        match (self.view, &self.subject) {
            (View::Exchanges, _) => Some(Source::Exchanges),
            (View::Groups, _) => Some(Source::Groups),
            (View::Quarantine, _) => Some(Source::Quarantine),
            (View::Runs, _) => Some(Source::Runs),
            (View::Records, Some(Subject::Feed(feed))) => Some(Source::Records(feed.clone())),
            (View::Moves, Some(Subject::Feed(feed))) => Some(Source::Moves(feed.clone())),
            _ => None,
        }
    }

    /// What is asked of that list: of this subject, and what the filter lets the daemon look for.
    pub fn query(&self) -> ListQuery {
        let asked = |field| self.list.filter.asks(field).map(str::to_owned);
        let mut query = ListQuery::default();
        match self.view {
            View::Exchanges => query.state = asked("state").filter(|word| is_word(word, self.view)),
            View::Runs => {
                query.state = asked("state").filter(|word| is_word(word, self.view));
                // Who looks for a state, or for anything else, sees every run.
                query.fold = self.list.filter.is_empty();
            }
            View::Groups | View::Quarantine => {
                query.state = asked("kind").filter(|word| is_word(word, self.view));
            }
            _ => {}
        }
        match &self.subject {
            Some(Subject::Connection(id)) => query.connection = Some(id.to_string()),
            Some(Subject::Feed(id)) if !matches!(self.view, View::Records | View::Moves) => {
                query.feed = Some(id.to_string());
            }
            Some(Subject::Group(row)) => query.group = Some(Alike::Group(row.id)),
            Some(Subject::Run(row)) => query.feed = Some(row.feed.to_string()),
            _ => {}
        }
        query
    }

    /// Whether a row that is held belongs here.
    pub fn holds(&self, row: &Row) -> bool {
        match (&self.subject, row) {
            (Some(Subject::Connection(id)), Row::Feed(feed)) => feed.connection == *id,
            _ => true,
        }
    }
}

/// Whether the daemon knows the word as a state of that list's rows; part of one is for the filter here alone.
fn is_word(word: &str, view: View) -> bool {
    use marsad_shared::{exchange::State, quarantine::Kind, run::Outcome};
    match view {
        View::Exchanges => word.parse::<State>().is_ok(),
        View::Runs => word.parse::<Outcome>().is_ok(),
        View::Groups | View::Quarantine => word.parse::<Kind>().is_ok(),
        _ => false,
    }
}

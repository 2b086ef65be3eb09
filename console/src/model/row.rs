//! One line of any list: what it is, how it is found again, and which of its words a filter reads.

use std::{borrow::Cow, sync::Arc};

use marsad_shared::{
    id::{ConnectionId, FeedId},
    protocol::{
        AttemptRow, ConnectionRow, CursorRow, ExchangeRow, FeedRow, QuarantineGroup,
        QuarantineItem, QuarantineRow, RecordRow, RunRow,
    },
    run::Outcome,
};
use serde_json::Value;

use super::{About, Trouble, Weight};
use crate::client::Listed;

/// A line of a list. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    Trouble(Arc<Trouble>),
    Connection(Arc<ConnectionRow>),
    Feed(Arc<FeedRow>),
    Exchange(Arc<ExchangeRow>),
    Group(Arc<QuarantineGroup>),
    Quarantine(Arc<QuarantineRow>),
    /// An item with how it came: no list has it.
    Item(Arc<QuarantineItem>),
    Run(Arc<RunRow>),
    Record(Arc<RecordRow>),
    Move(Arc<CursorRow>),
    Attempt(Arc<AttemptRow>),
    Fact(Fact),
}

/// A name and what it has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub name: Label,
    pub value: String,
    pub weight: Weight,
}

/// What stands before a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// A key of the catalogue.
    Key(&'static str),
    /// Somebody else's word: a column of a record.
    Column(String),
}

impl Row {
    /// By what it is found again after its list was read anew.
    pub fn key(&self) -> String {
        match self {
            Self::Trouble(trouble) => trouble.key(),
            Self::Connection(row) => row.id.to_string(),
            Self::Feed(row) => row.id.to_string(),
            Self::Exchange(row) => row.id.to_string(),
            Self::Group(row) => row.id.to_string(),
            Self::Quarantine(row) => row.id.to_string(),
            Self::Item(item) => item.row.id.to_string(),
            Self::Run(row) => row.id.to_string(),
            Self::Record(row) => row.place.clone(),
            Self::Move(row) => row.id.to_string(),
            Self::Attempt(row) => format!("{}{}", row.kind, row.number),
            Self::Fact(fact) => match &fact.name {
                Label::Key(key) => (*key).to_owned(),
                Label::Column(name) => name.clone(),
            },
        }
    }

    /// Behind what its list goes on; `None` where the key may not be seen.
    pub fn cursor(&self) -> Option<String> {
        match self {
            Self::Record(row) => Listed::after(row.as_ref()),
            _ => Some(self.key()),
        }
    }

    /// The feed that it is, or belongs to.
    pub fn feed(&self) -> Option<&FeedId> {
        match self {
            Self::Feed(row) => Some(&row.id),
            Self::Run(row) => Some(&row.feed),
            Self::Group(row) => Some(&row.feed),
            Self::Quarantine(row) => Some(&row.feed),
            Self::Item(item) => Some(&item.row.feed),
            Self::Trouble(trouble) => trouble.feed(),
            _ => None,
        }
    }

    pub fn connection(&self) -> Option<&ConnectionId> {
        match self {
            Self::Connection(row) => Some(&row.id),
            Self::Trouble(trouble) => trouble.connection(),
            _ => None,
        }
    }

    pub fn weight(&self) -> Weight {
        match self {
            Self::Trouble(trouble) => trouble.weight,
            Self::Connection(row) => (&**row).into(),
            Self::Feed(row) => row.freshness.into(),
            Self::Exchange(row) => row.state.into(),
            Self::Group(_) | Self::Quarantine(_) | Self::Item(_) => Weight::Warn,
            Self::Run(row) => row.outcome.into(),
            Self::Record(row) => {
                if row.deleted_at.is_some() {
                    Weight::Watch
                } else {
                    Weight::Calm
                }
            }
            Self::Move(row) if row.actor.is_some() => Weight::Watch,
            Self::Move(_) => Weight::Calm,
            Self::Attempt(row) => row.state.map_or(Weight::Blank, Weight::from),
            Self::Fact(fact) => fact.weight,
        }
    }

    /// Its words, each with the name that a filter may ask for.
    pub fn words(&self) -> Vec<Word<'_>> {
        match self {
            Self::Trouble(trouble) => match &trouble.about {
                About::Connection(row, _) => of_connection(row),
                About::Feed(row) | About::LastRun(row) | About::Held(row) => of_feed(row),
                About::Exchanges(state, _) => vec![word("state", state.word())],
            },
            Self::Connection(row) => of_connection(row),
            Self::Feed(row) => of_feed(row),
            Self::Exchange(row) => vec![
                word("state", row.state.word()),
                made("id", row.id.to_string()),
                word("direction", row.direction.word()),
                word("connection", row.connection.as_str()),
                word("name", &row.name),
                said(row.reason.as_ref()),
            ],
            Self::Group(row) => vec![
                word("kind", row.kind.word()),
                made("id", row.id.to_string()),
                word("feed", row.feed.as_str()),
                word("field", row.field.as_deref().unwrap_or_default()),
                word("reason", &row.reason),
            ],
            Self::Quarantine(row) => of_item(row),
            Self::Item(item) => of_item(&item.row),
            Self::Run(row) => vec![
                word("state", row.outcome.word()),
                word("outcome", row.outcome.word()),
                made("id", row.id.to_string()),
                word("feed", row.feed.as_str()),
                word("trigger", row.trigger.word()),
                word("file", row.file.as_deref().unwrap_or_default()),
                word("actor", row.actor.as_deref().unwrap_or_default()),
                said(row.reason.as_ref()),
            ],
            Self::Record(row) => {
                let fields = row.fields.iter().map(|(n, v)| (n.as_str().into(), value(v).into()));
                fields.chain([made("run", row.run.to_string())]).collect()
            }
            Self::Move(row) => vec![
                made("id", row.id.to_string()),
                word("value", row.value.as_deref().unwrap_or_default()),
                made("run", row.run.map_or_else(String::new, |run| run.to_string())),
                word("actor", row.actor.as_deref().unwrap_or_default()),
                word("reason", &row.reason),
            ],
            Self::Attempt(row) => vec![word("kind", &row.kind), said(row.reason.as_ref())],
            Self::Fact(fact) => {
                let name = match &fact.name {
                    Label::Key(key) => key,
                    Label::Column(name) => name.as_str(),
                };
                vec![word("name", name), word("value", &fact.value)]
            }
        }
    }
}

/// A word of a row, behind its name.
type Word<'a> = (Cow<'a, str>, Cow<'a, str>);

fn word<'a>(name: &'a str, text: &'a str) -> Word<'a> {
    (name.into(), text.into())
}

fn made(name: &str, text: String) -> Word<'_> {
    (name.into(), text.into())
}

fn said(reason: Option<&String>) -> Word<'_> {
    word("reason", reason.map_or("", String::as_str))
}

fn of_item(row: &QuarantineRow) -> Vec<Word<'_>> {
    vec![
        word("kind", row.kind.word()),
        made("id", row.id.to_string()),
        word("feed", row.feed.as_str()),
        made("run", row.run.to_string()),
        word("file", row.place.file.as_deref().unwrap_or_default()),
        word("field", row.place.field.as_deref().unwrap_or_default()),
        word("reason", &row.reason),
    ]
}

fn of_connection(row: &ConnectionRow) -> Vec<Word<'_>> {
    vec![
        word("state", row.health.word()),
        word("id", row.id.as_str()),
        word("name", &row.name.en),
        word("name", row.name.ar.as_deref().unwrap_or_default()),
        word("kind", &row.kind),
        word("address", &row.address),
        said(row.reason.as_ref()),
        made("overlay", row.overlays.join(" ")),
    ]
}

fn of_feed(row: &FeedRow) -> Vec<Word<'_>> {
    vec![
        word("state", row.freshness.word()),
        word("id", row.id.as_str()),
        word("name", &row.name.en),
        word("name", row.name.ar.as_deref().unwrap_or_default()),
        word("connection", row.connection.as_str()),
        word("outcome", row.last_outcome.map_or("", Outcome::word)),
        word("overlay", if row.paused { "paused" } else { "" }),
        said(row.reason.as_ref()),
    ]
}

/// A record's key as people read it.
pub fn record_key(row: &RecordRow) -> String {
    row.key.iter().map(value).collect::<Vec<_>>().join(" ")
}

/// A value as people read it: text without its quotes.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

//! The lists: which rows, and how many of them.

use std::{error::Error, str::FromStr};

use clap::{Args, Subcommand, ValueEnum};
use marsad_shared::{
    exchange::State,
    freshness::Freshness,
    health::Health,
    id::{ConnectionId, ExchangeId, FeedId, MoveId, PartnerId, QuarantineId, RunId},
    protocol::{Alike, ListQuery},
    quarantine::Kind,
    run::Outcome,
};

use super::{Decide, Discard, Discover, Exchange, Replay, Rewind};

/// What names a row on the command line.
pub(in crate::cli) trait Id:
    Clone + Send + Sync + ToString + FromStr<Err: Error + Send + Sync + 'static> + 'static
{
}

impl<T: Clone + Send + Sync + ToString + FromStr<Err: Error + Send + Sync + 'static> + 'static> Id
    for T
{
}

/// How much of a list.
#[derive(Debug, Args)]
pub(in crate::cli) struct Part<T: Id> {
    /// At most so many rows; 0: all
    #[arg(long, value_name = "N", default_value_t = marsad_shared::protocol::LIST_LIMIT)]
    limit: u32,
    /// Only rows behind this one
    #[arg(long, value_name = "ID")]
    after: Option<T>,
}

impl<T: Id> Part<T> {
    fn query(&self) -> ListQuery {
        let after = self.after.as_ref().map(T::to_string);
        ListQuery { limit: Some(self.limit), after, ..ListQuery::default() }
    }
}

fn text(value: Option<&impl ToString>) -> Option<String> {
    value.map(ToString::to_string)
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Partners {
    #[command(subcommand)]
    pub(in crate::cli) show: Option<Show<PartnerId>>,
    #[command(flatten)]
    part: Part<PartnerId>,
}

/// One row, whole.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Show<T: Id> {
    /// One of them, whole
    Show {
        #[arg(value_name = "ID")]
        id: T,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Connections {
    #[command(subcommand)]
    pub(in crate::cli) show: Option<Show<ConnectionId>>,
    #[command(flatten)]
    part: Part<ConnectionId>,
    /// Only those of this partner
    #[arg(long, value_name = "ID")]
    partner: Option<PartnerId>,
    /// Only those whose health is this
    #[arg(long, value_name = "HEALTH")]
    state: Option<Health>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Feeds {
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<FeedVerbs>,
    #[command(flatten)]
    part: Part<FeedId>,
    /// Only those of this partner
    #[arg(long, value_name = "ID")]
    partner: Option<PartnerId>,
    /// Only those over this connection
    #[arg(long, value_name = "ID")]
    connection: Option<ConnectionId>,
    /// Only those whose freshness is this
    #[arg(long, value_name = "FRESHNESS")]
    state: Option<Freshness>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum FeedVerbs {
    /// One of them, whole
    Show {
        #[arg(value_name = "ID")]
        id: FeedId,
    },
    /// Sample an endpoint or a file, and print a [[feed]] block for the partner's file
    Discover(Discover),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Runs {
    #[command(subcommand)]
    pub(in crate::cli) act: Option<RunVerbs>,
    #[command(flatten)]
    part: Part<RunId>,
    /// Only those of this partner
    #[arg(long, value_name = "ID")]
    partner: Option<PartnerId>,
    /// Only those of this feed
    #[arg(long, value_name = "ID")]
    feed: Option<FeedId>,
    /// Only those that ended so
    #[arg(long, value_name = "OUTCOME")]
    state: Option<Outcome>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RunVerbs {
    /// One of them, whole
    Show {
        #[arg(value_name = "ID")]
        id: RunId,
    },
    /// End one that is under way; what it loads beside the bank leaves no trace
    Cancel(Decide),
    /// Let what a run holds into the bank
    Release(Decide),
    /// Let go of what a run holds
    Discard(Decide),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Records {
    #[command(subcommand)]
    pub(in crate::cli) show: Option<ShowRecord>,
    /// The feed, as partner/feed
    #[arg(value_name = "FEED", required = true)]
    pub(in crate::cli) feed: Option<FeedId>,
    /// As they were known then, of a feed with `history`: a time, a day, or how long ago, such as 3d
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) as_of: Option<String>,
    #[command(flatten)]
    part: Part<String>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ShowRecord {
    /// One record, whole
    Show {
        /// The feed, as partner/feed
        #[arg(value_name = "FEED")]
        feed: FeedId,
        /// Its key; of several values, a JSON array
        #[arg(value_name = "KEY")]
        key: String,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Cursor {
    /// Every move of a feed's cursor with its run, reason and person, newest first
    Show(CursorMoves),
    /// Go back in it: what lies behind the point is read again, and nothing is removed
    Rewind(Rewind),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CursorMoves {
    /// The feed, as partner/feed
    #[arg(value_name = "FEED")]
    pub(in crate::cli) feed: FeedId,
    #[command(flatten)]
    part: Part<MoveId>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Quarantine {
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<QuarantineVerbs>,
    #[command(flatten)]
    part: Part<Alike>,
    /// What is alike together: how many, since when, and one of them
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "group")]
    pub(in crate::cli) by: Option<GroupedBy>,
    /// Only what is alike: a group, or an item of it
    #[arg(long, value_name = "ID")]
    group: Option<Alike>,
    /// Only those of this partner
    #[arg(long, value_name = "ID")]
    partner: Option<PartnerId>,
    /// Only what this feed refused
    #[arg(long, value_name = "ID")]
    feed: Option<FeedId>,
    /// Only rows, or only whole files
    #[arg(long, visible_alias = "kind", value_name = "KIND")]
    state: Option<Kind>,
}

/// By what items are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum GroupedBy {
    /// The feed, the field and the reason
    Reason,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum QuarantineVerbs {
    /// One of them: why it was refused, where it stood, what would mend it, and how it came, masked
    Show {
        #[arg(value_name = "ID")]
        id: QuarantineId,
    },
    /// Shape and check them again, as the feeds are configured now
    Replay(Replay),
    /// Take them out for good; what they were stays in the audit
    Discard(Discard),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Exchanges {
    #[command(subcommand)]
    pub(in crate::cli) act: Option<ExchangeVerbs>,
    #[command(flatten)]
    part: Part<ExchangeId>,
    /// Only those of this partner
    #[arg(long, value_name = "ID")]
    partner: Option<PartnerId>,
    /// Only those over this connection
    #[arg(long, value_name = "ID")]
    connection: Option<ConnectionId>,
    /// Only those in this state
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExchangeVerbs {
    /// One of them, whole, with every attempt
    Show {
        #[arg(value_name = "ID")]
        id: ExchangeId,
    },
    /// Try again now
    Retry(Exchange),
    /// Stop before it leaves, until released
    Hold(Exchange),
    /// Let go on what is held
    Release(Exchange),
    /// Give up
    Cancel(Exchange),
    /// Write down that the partner accepted it
    Confirm(Exchange),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Audit {
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<AuditVerbs>,
    #[command(flatten)]
    part: Part<i64>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AuditVerbs {
    /// One entry, whole
    Show {
        #[arg(value_name = "NUMBER")]
        seq: i64,
    },
    /// Prove that nothing was changed or taken out
    Verify,
}

impl Partners {
    pub(in crate::cli) fn query(&self) -> ListQuery {
        self.part.query()
    }
}

impl Connections {
    pub(in crate::cli) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            state: text(self.state.as_ref()),
            ..self.part.query()
        }
    }
}

impl Feeds {
    pub(in crate::cli) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            connection: text(self.connection.as_ref()),
            state: text(self.state.as_ref()),
            ..self.part.query()
        }
    }
}

impl Runs {
    pub(in crate::cli) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            feed: text(self.feed.as_ref()),
            state: text(self.state.as_ref()),
            ..self.part.query()
        }
    }
}

impl Records {
    pub(in crate::cli) fn query(&self) -> ListQuery {
        self.part.query()
    }
}

impl CursorMoves {
    pub(in crate::cli) fn query(&self) -> ListQuery {
        self.part.query()
    }
}

impl Quarantine {
    pub(in crate::cli) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            feed: text(self.feed.as_ref()),
            state: text(self.state.as_ref()),
            group: self.group,
            ..self.part.query()
        }
    }
}

impl Exchanges {
    pub(in crate::cli) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            connection: text(self.connection.as_ref()),
            state: text(self.state.as_ref()),
            ..self.part.query()
        }
    }
}

impl Audit {
    pub(in crate::cli) fn query(&self) -> ListQuery {
        self.part.query()
    }
}

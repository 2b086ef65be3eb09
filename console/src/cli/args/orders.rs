//! The orders: what is to be done, to what, and why.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Subcommand};
use marsad_shared::{
    id::{ConnectionId, ExchangeId, FeedId, IdError, QuarantineId, RunId},
    protocol::Alike,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Exchange {
    #[arg(value_name = "ID", required = true)]
    pub(in crate::cli) ids: Vec<ExchangeId>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Decide {
    /// The run, such as r4821
    #[arg(value_name = "ID")]
    pub(in crate::cli) run: RunId,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(in crate::cli) struct Resync {
    /// The feed, as partner/feed
    #[arg(value_name = "FEED")]
    pub(in crate::cli) feed: FeedId,
    /// From the very beginning, not from the cursor
    #[arg(long)]
    pub(in crate::cli) full: bool,
    /// Only what changed from here on, and the cursor stays: a time, a day, or how long ago, such as 3d
    #[arg(long, value_name = "TIME", conflicts_with = "full")]
    pub(in crate::cli) since: Option<String>,
    /// Until here [default: now]
    #[arg(long, value_name = "TIME", requires = "since")]
    pub(in crate::cli) until: Option<String>,
    /// What was read waits, with what it would change, until it is released
    #[arg(long)]
    pub(in crate::cli) hold: bool,
    /// Only say what it would do
    #[arg(long, conflicts_with = "wait")]
    pub(in crate::cli) dry_run: bool,
    /// Until it has ended; exit 5 if that was not well
    #[arg(long)]
    pub(in crate::cli) wait: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rewind {
    /// The feed, as partner/feed
    #[arg(value_name = "FEED")]
    pub(in crate::cli) feed: FeedId,
    /// Where to: a value of the cursor, or the id of a move (c7) or of a run that moved it (r12)
    #[arg(
        long,
        value_name = "VALUE|ID",
        required_unless_present = "start",
        allow_hyphen_values = true
    )]
    pub(in crate::cli) to: Option<String>,
    /// To the beginning
    #[arg(long, conflicts_with = "to")]
    pub(in crate::cli) start: bool,
    /// Only say what it would do
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Why, for the audit and the history; needed where nobody can type the feed's name to confirm it
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Reveal {
    /// The feed, as partner/feed; or an item in quarantine, as q18
    #[arg(value_name = "FEED|ID")]
    pub(in crate::cli) what: Masked,
    /// The record's key; of several values, a JSON array
    #[arg(value_name = "KEY")]
    pub(in crate::cli) key: Option<String>,
    /// Only this column; may be said again [default: all]
    #[arg(long = "field", value_name = "NAME")]
    pub(in crate::cli) fields: Vec<String>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Discard {
    #[arg(value_name = "ID", required_unless_present = "group")]
    pub(in crate::cli) ids: Vec<QuarantineId>,
    /// All that is alike: a group, or an item of it
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    pub(in crate::cli) group: Option<Alike>,
    /// Only say what it would do
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Without asking for the count; needed where nobody can type it
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    #[arg(value_name = "ID", required_unless_present_any = ["group", "feed"])]
    pub(in crate::cli) ids: Vec<QuarantineId>,
    /// All that is alike: a group, or an item of it
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    pub(in crate::cli) group: Option<Alike>,
    /// All of a feed, as partner/feed
    #[arg(long, value_name = "FEED", conflicts_with_all = ["ids", "group"])]
    pub(in crate::cli) feed: Option<FeedId>,
    /// Overwrite what the bank has had since, too
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Only say what would become of them
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Settle {
    /// The feed, as partner/feed
    #[arg(value_name = "FEED")]
    pub(in crate::cli) feed: FeedId,
    /// What came otherwise, by name [default: all that is open]
    #[arg(value_name = "COLUMN")]
    pub(in crate::cli) columns: Vec<String>,
    /// Why, for the audit and whoever looks at the columns
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

/// What something is masked of.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Masked {
    Feed(FeedId),
    Item(QuarantineId),
}

impl FromStr for Masked {
    type Err = IdError;

    /// A feed's id has a `/`, and an item's has none.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.contains('/') { text.parse().map(Self::Feed) } else { text.parse().map(Self::Item) }
    }
}

/// What is asked or decided of columns.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Schema {
    /// A feed's columns, since when they are, and what came otherwise
    Show {
        /// The feed, as partner/feed
        #[arg(value_name = "FEED")]
        feed: FeedId,
    },
    /// It is right so: what is new becomes a column, and what is gone need not be there
    Approve(Settle),
    /// It is not: what is new is passed over for good, and what is gone holds the feed on
    Refuse(Settle),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Document {
    /// The connection over which it is delivered
    #[arg(value_name = "PARTNER/CONNECTION")]
    pub(in crate::cli) connection: ConnectionId,
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The connection, as partner/connection
    #[arg(value_name = "CONNECTION")]
    pub(in crate::cli) connection: ConnectionId,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Discover {
    /// An address within a configured connection, or a file as a partner sends it
    #[arg(value_name = "URL or FILE")]
    pub(in crate::cli) what: String,
    /// The connection over which such data comes [default: found by the URL; the only one with an import folder]
    #[arg(long, value_name = "PARTNER/CONNECTION")]
    pub(in crate::cli) connection: Option<ConnectionId>,
    /// Where the records stand, if they are not found, such as $.data[*]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) records: Option<String>,
}

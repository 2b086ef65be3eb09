//! The orders: what is to be done, to what, and why.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use marsad_shared::id::{ConnectionId, ExchangeId, FeedId};

#[derive(Debug, Args)]
pub(in crate::cli) struct Exchange {
    #[arg(value_name = "ID", required = true)]
    pub(in crate::cli) ids: Vec<ExchangeId>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Resync {
    /// The feed, as partner/feed
    #[arg(value_name = "FEED")]
    pub(in crate::cli) feed: FeedId,
    /// From the very beginning, not from the cursor
    #[arg(long)]
    pub(in crate::cli) full: bool,
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
    /// The feed, as partner/feed
    #[arg(value_name = "FEED")]
    pub(in crate::cli) feed: FeedId,
    /// The record's key; of several values, a JSON array
    #[arg(value_name = "KEY")]
    pub(in crate::cli) key: String,
    /// Only this column; may be said again [default: all]
    #[arg(long = "field", value_name = "NAME")]
    pub(in crate::cli) fields: Vec<String>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Decide {
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
    Approve(Decide),
    /// It is not: what is new is passed over for good, and what is gone holds the feed on
    Refuse(Decide),
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

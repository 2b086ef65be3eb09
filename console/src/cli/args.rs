//! The command line as it is written: verbs, ids and flags, checked by their types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod lists;
mod orders;

pub(super) use self::{
    lists::{
        Audit, AuditVerbs, Connections, Cursor, ExchangeVerbs, Exchanges, FeedVerbs, Feeds, Id,
        Partners, Quarantine, QuarantineVerbs, Records, RunVerbs, Runs, Show, ShowRecord,
    },
    orders::{
        Decide, Discard, Discover, Document, Exchange, Masked, Replay, Resync, Reveal, Rewind,
        Schema, Settle, Test,
    },
};
use super::check::{Range, Subject};

/// Watches and steers the exchange of data with partner agencies. Without a command it opens the console.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 not allowed, 4 daemon unreachable, 5 waited and it failed;
/// of `check`: 0 ok, 1 warning, 2 critical, 3 unknown.
#[derive(Debug, Parser)]
#[command(name = "marsad", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) place: Place,
    /// Answer as one JSON object or array, for scripts
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

/// Where the answers are to come from.
#[derive(Clone, Debug, Args)]
pub(super) struct Place {
    /// The daemon's configuration, which names its socket [default: /etc/marsad/marsad.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The daemon's socket
    #[arg(long, global = true, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// Read this state folder instead of asking the daemon
    #[arg(long, global = true, value_name = "STATE_DIR")]
    pub(super) offline: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    #[command(flatten)]
    Ask(Ask),
    /// One line and performance data, for monitoring
    Check(Check),
    /// Write, check or describe the configuration
    #[command(subcommand)]
    Config(Config),
    /// Start marsadd beside the console, for a desk or a trial
    Up(Up),
}

/// What the daemon is asked.
#[derive(Debug, Subcommand)]
pub(super) enum Ask {
    /// One screen of truth
    Status,
    /// Partner agencies
    #[command(visible_alias = "partner")]
    Partners(Partners),
    /// Ways to reach them, with their health
    #[command(visible_alias = "connection")]
    Connections(Connections),
    /// Datasets that are pulled, with their freshness
    #[command(visible_alias = "feed")]
    Feeds(Feeds),
    /// Attempts to bring a feed up to date, newest first
    #[command(visible_alias = "run")]
    Runs(Runs),
    /// Records of a feed, in the order of their keys
    #[command(visible_alias = "record", subcommand_negates_reqs = true)]
    Records(Records),
    /// What arrived and could not be accepted, newest first; and what is done about it
    Quarantine(Quarantine),
    /// Documents on their way, newest first; and orders about them
    #[command(visible_alias = "exchange")]
    Exchanges(Exchanges),
    /// Who did what, newest first
    Audit(Audit),
    /// Read a feed again
    Resync(Resync),
    /// Take back what a run did, as long as what it replaced is kept
    Undo(Decide),
    /// How far a feed has been read, and going back
    #[command(visible_alias = "cursors", subcommand)]
    Cursor(Cursor),
    /// See what is masked of a record, or of an item in quarantine; who does it and why is in the audit
    Reveal(Reveal),
    /// A feed's columns, what came otherwise, and deciding of it
    #[command(subcommand)]
    Schema(Schema),
    /// Hand a document over for delivery
    Send(Document),
    /// Try a connection now, step by step
    Test(Test),
}

/// Monitoring's question. Limits are Nagios ranges, `[@]START:END`: an alert outside, with `@` inside.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// An id, a partner, feed:ID, connection:ID, or exchanges, imports, channels, self [default: all]
    #[arg(value_name = "SUBJECT")]
    pub(super) subject: Option<Subject>,
    /// Warn where the measure lies outside: a feed's age, a connection's silence, the age of the oldest pending
    /// exchange, the daemon's last sign of life, all in seconds; of several subjects, how many are not well
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(super) warning: Option<Range>,
    /// The same, and critical
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(super) critical: Option<Range>,
    /// Give up after so many seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) timeout: u64,
    /// More lines behind the first: what is not well, then everything, then everything with its measures
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// What is acknowledged or in maintenance: keep its state, or count it as ok
    #[arg(long, value_enum, default_value_t = Handled::Keep)]
    pub(super) handled: Handled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Handled {
    Ok,
    Keep,
}

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Write a configuration to start from
    Init {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Name every mistake of the configuration's files
    Check {
        /// The daemon's configuration [default: that of --config]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the JSON schema of the configuration
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct Up {
    /// Where a trial configuration is made, if --config names none
    #[arg(value_name = "DIR", default_value = "marsad-trial")]
    pub(super) dir: PathBuf,
}

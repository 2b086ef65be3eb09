//! The command line as it is written: verbs, ids and flags, checked by their types.

use std::{error::Error, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand, ValueEnum};
use marsad_shared::{
    exchange::State,
    freshness::Freshness,
    health::Health,
    id::{ConnectionId, ExchangeId, FeedId, PartnerId, QuarantineId, RunId},
    protocol::ListQuery,
    quarantine::Kind,
    run::Outcome,
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
    /// What arrived and could not be accepted, newest first
    Quarantine(Quarantine),
    /// Documents on their way, newest first; and orders about them
    #[command(visible_alias = "exchange")]
    Exchanges(Exchanges),
    /// Who did what, newest first
    Audit(Audit),
    /// Read a feed again
    Resync(Resync),
    /// Hand a document over for delivery
    Send(Document),
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

/// What names a row on the command line.
pub(super) trait Id:
    Clone + Send + Sync + ToString + FromStr<Err: Error + Send + Sync + 'static> + 'static
{
}

impl<T: Clone + Send + Sync + ToString + FromStr<Err: Error + Send + Sync + 'static> + 'static> Id
    for T
{
}

/// How much of a list.
#[derive(Debug, Args)]
pub(super) struct Part<T: Id> {
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
pub(super) struct Partners {
    #[command(subcommand)]
    pub(super) show: Option<Show<PartnerId>>,
    #[command(flatten)]
    part: Part<PartnerId>,
}

/// One row, whole.
#[derive(Debug, Subcommand)]
pub(super) enum Show<T: Id> {
    /// One of them, whole
    Show {
        #[arg(value_name = "ID")]
        id: T,
    },
}

#[derive(Debug, Args)]
pub(super) struct Connections {
    #[command(subcommand)]
    pub(super) show: Option<Show<ConnectionId>>,
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
pub(super) struct Feeds {
    #[command(subcommand)]
    pub(super) show: Option<Show<FeedId>>,
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

#[derive(Debug, Args)]
pub(super) struct Runs {
    #[command(subcommand)]
    pub(super) show: Option<Show<RunId>>,
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

#[derive(Debug, Args)]
pub(super) struct Records {
    #[command(subcommand)]
    pub(super) show: Option<ShowRecord>,
    #[arg(value_name = "FEED", required = true)]
    pub(super) feed: Option<FeedId>,
    #[command(flatten)]
    part: Part<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ShowRecord {
    /// One record, whole
    Show {
        #[arg(value_name = "FEED")]
        feed: FeedId,
        /// Its key; of several values, a JSON array
        #[arg(value_name = "KEY")]
        key: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Quarantine {
    #[command(subcommand)]
    pub(super) show: Option<Show<QuarantineId>>,
    #[command(flatten)]
    part: Part<QuarantineId>,
    /// Only those of this partner
    #[arg(long, value_name = "ID")]
    partner: Option<PartnerId>,
    /// Only what this feed refused
    #[arg(long, value_name = "ID")]
    feed: Option<FeedId>,
    /// Only rows, or only whole files
    #[arg(long, value_name = "KIND")]
    state: Option<Kind>,
}

#[derive(Debug, Args)]
pub(super) struct Exchanges {
    #[command(subcommand)]
    pub(super) act: Option<ExchangeVerbs>,
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
pub(super) enum ExchangeVerbs {
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
pub(super) struct Exchange {
    #[arg(value_name = "ID", required = true)]
    pub(super) ids: Vec<ExchangeId>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    pub(super) verb: Option<AuditVerbs>,
    #[command(flatten)]
    part: Part<i64>,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditVerbs {
    /// One entry, whole
    Show {
        #[arg(value_name = "NUMBER")]
        seq: i64,
    },
    /// Prove that nothing was changed or taken out
    Verify,
}

#[derive(Debug, Args)]
pub(super) struct Resync {
    #[arg(value_name = "FEED")]
    pub(super) feed: FeedId,
    /// From the very beginning, not from the cursor
    #[arg(long)]
    pub(super) full: bool,
    /// Only say what it would do
    #[arg(long, conflicts_with = "wait")]
    pub(super) dry_run: bool,
    /// Until it has ended; exit 5 if that was not well
    #[arg(long)]
    pub(super) wait: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Document {
    /// The connection over which it is delivered
    #[arg(value_name = "PARTNER/CONNECTION")]
    pub(super) connection: ConnectionId,
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
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

impl Partners {
    pub(super) fn query(&self) -> ListQuery {
        self.part.query()
    }
}

impl Connections {
    pub(super) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            state: text(self.state.as_ref()),
            ..self.part.query()
        }
    }
}

impl Feeds {
    pub(super) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            connection: text(self.connection.as_ref()),
            state: text(self.state.as_ref()),
            ..self.part.query()
        }
    }
}

impl Runs {
    pub(super) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            feed: text(self.feed.as_ref()),
            state: text(self.state.as_ref()),
            ..self.part.query()
        }
    }
}

impl Records {
    pub(super) fn query(&self) -> ListQuery {
        self.part.query()
    }
}

impl Quarantine {
    pub(super) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            feed: text(self.feed.as_ref()),
            state: text(self.state.as_ref()),
            ..self.part.query()
        }
    }
}

impl Exchanges {
    pub(super) fn query(&self) -> ListQuery {
        ListQuery {
            partner: text(self.partner.as_ref()),
            connection: text(self.connection.as_ref()),
            state: text(self.state.as_ref()),
            ..self.part.query()
        }
    }
}

impl Audit {
    pub(super) fn query(&self) -> ListQuery {
        self.part.query()
    }
}

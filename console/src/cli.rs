//! The verbs: what a person or a script asks on the command line, and how the answer is said.
//!
//! Arguments become checked types in `args`, a [`crate::client::Client`] answers, and each verb writes to an
//! `Out` either text for people or the JSON that is documented at the verb and at its row in the protocol.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{CommandFactory, Parser, error::ErrorKind};
use marsad_shared::{
    clock::Clock,
    config::Environment,
    protocol::{
        AuditRow, ConnectionRow, CursorRow, ExchangeRow, ExchangeVerb, FeedRow, LIST_LIMIT,
        ListQuery, PartnerRow, QuarantineGroup, QuarantineRow, RecordRow, Reveal, RunRow, RunVerb,
        SchemaVerb,
    },
    untrusted::show_lines,
};

mod args;
mod check;
mod config;
mod decide;
mod detail;
mod discard;
mod fail;
mod list;
mod looking;
mod orders;
mod out;
mod place;
mod quarantine;
mod replay;
mod rewind;
#[cfg(test)]
mod samples;
mod schema;
mod shown;
mod status;
mod table;
mod up;
mod when;

use self::{
    args::{
        Ask, AuditVerbs, Cli, Cursor, ExchangeVerbs, FeedVerbs, Masked, Place, QuarantineVerbs,
        RunVerbs, Schema, Show, ShowRecord, Verb,
    },
    fail::{Done, Fail, USAGE},
    list::{list, show},
    out::Out,
    shown::Shown,
    when::Look,
};
use crate::{
    client::{Client, chain},
    runtime::{self, Options},
};

/// What the world gives to a command. Asked for in `main` alone.
pub struct Surroundings {
    /// The time, the zone and the terminal; the verbs look and ask by the same.
    pub console: Options,
    /// For secrets that a configuration takes from there.
    pub environment: Environment,
    /// The file of this program: `marsadd` stands beside it.
    pub program: Option<PathBuf>,
}

/// Does what the command line says; the program's name comes first. The exit codes are those of DESIGN section 7.
pub async fn run(words: Vec<OsString>, around: Surroundings) -> ExitCode {
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return refused(&error, is_check(&words)),
    };
    let look = Look {
        now: around.console.clock.now(),
        zone: around.console.zone.clone(),
        colour: io::stdout().is_terminal() && around.console.theme.colour,
        width: io::stdout().is_terminal().then(width),
    };
    let mut out = Out::new(io::stdout(), cli.json, look);
    match dispatch(cli, around, &mut out).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fail) => {
            if let Some(text) = fail.text() {
                complain(&text);
            }
            fail.exit()
        }
    }
}

/// The terminal's cells; 80 where it does not tell.
fn width() -> usize {
    crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns.max(20)))
}

async fn dispatch(cli: Cli, around: Surroundings, out: &mut Out) -> Done {
    let clock = Arc::clone(&around.console.clock);
    let client = async || place::client(&cli.place, Arc::clone(&clock)).await;
    match cli.verb {
        None => open(client().await?, around.console).await,
        Some(Verb::Ask(asked)) => answer(asked, &client().await?, out).await,
        Some(Verb::Check(asked)) => check(&asked, client().await, &clock, out).await,
        Some(Verb::Config(asked)) => configuration(&asked, &cli.place, &around.environment, out),
        Some(Verb::Up(asked)) => start(&asked, &cli.place, around).await,
    }
}

/// Opens the console.
async fn open(client: Client, options: Options) -> Done {
    needs_terminal()?;
    Box::pin(runtime::run(client, options)).await.map_err(|error| {
        Fail::here(
            "cannot show the console",
            &chain(error.as_ref()),
            "use the commands: marsad --help",
        )
    })
}

fn needs_terminal() -> Done {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    let why = "it needs a terminal, and this is none";
    Err(Fail::here(
        "cannot show the console",
        &why,
        "use the commands, as in: marsad status --json",
    ))
}

/// Opens the console beside a daemon of its own, and stops that one when it is closed.
async fn start(asked: &args::Up, place: &Place, around: Surroundings) -> Done {
    needs_terminal()?;
    let file = up::configuration(place, &asked.dir)?;
    let (client, daemon) = up::start(&file, around.program.as_deref()).await?;
    let done = open(client, around.console).await;
    if let Some(daemon) = daemon {
        daemon.stop().await;
    }
    done
}

async fn answer(asked: Ask, client: &Client, out: &mut Out) -> Done {
    match asked {
        Ask::Status => status::status(client, out).await,
        Ask::Partners(asked) => rows::<PartnerRow, _>(asked.query(), asked.show, client, out).await,
        Ask::Connections(asked) => {
            rows::<ConnectionRow, _>(asked.query(), asked.show, client, out).await
        }
        Ask::Feeds(asked) => feeds(asked, client, out).await,
        Ask::Runs(asked) => runs(asked, client, out).await,
        Ask::Undo(order) => decide::decide(client, RunVerb::Undo, order, out).await,
        Ask::Quarantine(asked) => held(asked, client, out).await,
        Ask::Records(asked) => records(asked, client, out).await,
        Ask::Exchanges(asked) => exchanges(asked, client, out).await,
        Ask::Audit(asked) => match asked.verb {
            Some(AuditVerbs::Verify) => orders::verify(client, out).await,
            Some(AuditVerbs::Show { seq }) => {
                one::<AuditRow>(&asked.query(), &(), &seq, client, out).await
            }
            None => list::<AuditRow>(client, (), asked.query(), out).await,
        },
        Ask::Resync(order) => orders::resync(client, order, out).await,
        Ask::Cursor(Cursor::Show(asked)) => {
            let query = asked.query();
            list::<CursorRow>(client, asked.feed, query, out).await
        }
        Ask::Cursor(Cursor::Rewind(order)) => rewind::rewind(client, order, out).await,
        Ask::Reveal(order) => reveal(order, client, out).await,
        Ask::Schema(Schema::Show { feed }) => schema::schema(client, feed, out).await,
        Ask::Schema(Schema::Approve(order)) => {
            schema::decide(client, SchemaVerb::Approve, order, out).await
        }
        Ask::Schema(Schema::Refuse(order)) => {
            schema::decide(client, SchemaVerb::Refuse, order, out).await
        }
        Ask::Send(order) => orders::send(client, order, out).await,
        Ask::Test(order) => looking::test(client, order, out).await,
    }
}

async fn check(
    asked: &args::Check,
    client: Result<Client, Fail>,
    clock: &Arc<dyn Clock>,
    out: &mut Out,
) -> Done {
    let client = client.map_err(|fail| fail.line());
    let report = check::run(asked, client, || clock.now()).await;
    out.answer(&report, |_| report.text(asked.verbose))?;
    Err(Fail::Said(report.exit_code()))
}

fn configuration(
    asked: &args::Config,
    place: &Place,
    environment: &Environment,
    out: &mut Out,
) -> Done {
    match asked {
        args::Config::Init { dir } => config::init(dir, out),
        args::Config::Check { file } => {
            let file =
                file.as_deref().or(place.config.as_deref()).unwrap_or(Path::new(place::CONFIG));
            config::check(file, environment, out)
        }
        args::Config::Schema => config::schema(out),
    }
}

async fn rows<T: Shown<Of = ()>, I>(
    query: ListQuery,
    asked: Option<Show<I>>,
    client: &Client,
    out: &mut Out,
) -> Done
where
    I: args::Id,
{
    match asked {
        Some(Show::Show { id }) => one::<T>(&query, &(), &id, client, out).await,
        None => list::<T>(client, (), query, out).await,
    }
}

async fn one<T: Shown>(
    query: &ListQuery,
    of: &T::Of,
    id: &impl ToString,
    client: &Client,
    out: &mut Out,
) -> Done {
    no_filters(query)?;
    show::<T>(client, of, &id.to_string(), out).await
}

fn no_filters(query: &ListQuery) -> Done {
    if *query == (ListQuery { limit: Some(LIST_LIMIT), ..ListQuery::default() }) {
        return Ok(());
    }
    Err(Fail::Usage("filters go with a list, and this shows one row"))
}

async fn held(asked: args::Quarantine, client: &Client, out: &mut Out) -> Done {
    let query = asked.query();
    match asked.verb {
        None if asked.by.is_some() => list::<QuarantineGroup>(client, (), query, out).await,
        None => list::<QuarantineRow>(client, (), query, out).await,
        Some(QuarantineVerbs::Show { id }) => {
            no_filters(&query)?;
            quarantine::show_item(client, id, out).await
        }
        Some(QuarantineVerbs::Replay(order)) => {
            no_filters(&query)?;
            replay::replay(client, order, out).await
        }
        Some(QuarantineVerbs::Discard(order)) => {
            no_filters(&query)?;
            discard::discard(client, order, out).await
        }
    }
}

async fn reveal(order: args::Reveal, client: &Client, out: &mut Out) -> Done {
    let args::Reveal { what, key, fields, reason } = order;
    match (what, key) {
        (Masked::Feed(feed), Some(key)) => {
            orders::reveal(client, Reveal { feed, key, fields, reason }, out).await
        }
        (Masked::Item(id), None) if fields.is_empty() => {
            quarantine::reveal(client, id, reason, out).await
        }
        _ => {
            Err(Fail::Usage("either reveal FEED KEY, or reveal ID of an item in quarantine alone"))
        }
    }
}

async fn feeds(asked: args::Feeds, client: &Client, out: &mut Out) -> Done {
    let query = asked.query();
    match asked.verb {
        Some(FeedVerbs::Show { id }) => one::<FeedRow>(&query, &(), &id, client, out).await,
        Some(FeedVerbs::Discover(order)) => looking::discover(client, order, out).await,
        None => list::<FeedRow>(client, (), query, out).await,
    }
}

async fn records(asked: args::Records, client: &Client, out: &mut Out) -> Done {
    let as_of = asked.as_of.as_ref().map(|text| out.look.time(text)).transpose()?;
    let query = ListQuery { as_of, ..asked.query() };
    match (asked.show, asked.feed) {
        (Some(ShowRecord::Show { feed, key }), None) => {
            one::<RecordRow>(&query, &feed, &key, client, out).await
        }
        (None, Some(feed)) => list::<RecordRow>(client, feed, query, out).await,
        _ => Err(Fail::Usage("either records FEED, or records show FEED KEY")),
    }
}

async fn runs(asked: args::Runs, client: &Client, out: &mut Out) -> Done {
    let query = asked.query();
    let (verb, order) = match asked.act {
        None => return list::<RunRow>(client, (), query, out).await,
        Some(RunVerbs::Show { id }) => {
            return one::<RunRow>(&query, &(), &id, client, out).await;
        }
        Some(RunVerbs::Cancel(order)) => (RunVerb::Cancel, order),
        Some(RunVerbs::Release(order)) => (RunVerb::Release, order),
        Some(RunVerbs::Discard(order)) => (RunVerb::Discard, order),
    };
    decide::decide(client, verb, order, out).await
}

async fn exchanges(asked: args::Exchanges, client: &Client, out: &mut Out) -> Done {
    let query = asked.query();
    let (verb, order) = match asked.act {
        None => return list::<ExchangeRow>(client, (), query, out).await,
        Some(ExchangeVerbs::Show { id }) => {
            return one::<ExchangeRow>(&query, &(), &id, client, out).await;
        }
        Some(ExchangeVerbs::Retry(order)) => (ExchangeVerb::Retry, order),
        Some(ExchangeVerbs::Hold(order)) => (ExchangeVerb::Hold, order),
        Some(ExchangeVerbs::Release(order)) => (ExchangeVerb::Release, order),
        Some(ExchangeVerbs::Cancel(order)) => (ExchangeVerb::Cancel, order),
        Some(ExchangeVerbs::Confirm(order)) => (ExchangeVerb::Confirm, order),
    };
    orders::act(client, verb, order, out).await
}

/// Help and version, or what is wrong with the command line. Monitoring reads 2 as critical, so that inside `check`
/// all of this is 3, unknown, and the line that it expects comes first.
fn refused(error: &clap::Error, check: bool) -> ExitCode {
    let told = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let text = error.render().to_string();
    let text = show_lines(&text);
    let written = match (told, check) {
        (true, _) => io::stdout().write_all(text.as_bytes()),
        (false, true) => {
            let first = text
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .replace('|', "/");
            complain(&text);
            io::stdout().write_all(format!("MARSAD UNKNOWN - {first}\n").as_bytes())
        }
        (false, false) => {
            complain(&text);
            Ok(())
        }
    };
    match (told, check) {
        (_, true) => ExitCode::from(check::Code::Unknown.number()),
        (false, false) => ExitCode::from(USAGE),
        (true, false) => {
            written.map_or_else(|error| Fail::Output(error).exit(), |()| ExitCode::SUCCESS)
        }
    }
}

/// Whether these words ask for a check, be they right or wrong.
fn is_check(words: &[OsString]) -> bool {
    let lenient =
        Cli::command().ignore_errors(true).disable_help_flag(true).disable_version_flag(true);
    lenient
        .try_get_matches_from(words)
        .is_ok_and(|matches| matches.subcommand_name() == Some("check"))
}

/// To stderr; where that is gone too there is nobody left to tell.
fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests;

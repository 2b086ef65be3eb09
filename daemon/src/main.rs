//! `marsadd`: polls, imports, delivers and judges, until it is told to stop.

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use marsad_daemon::{decode::xlsx, supervisor::Supervisor};
use marsad_shared::{
    config::{Config, Environment},
    feed::Sheet,
};
use nix::sys::{prctl, resource};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

/// How long threads that block may hold up the end of the process.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Marsad's daemon: brings what partners publish into the information bank, and delivers what is owed to them.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Flags {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "/etc/marsad/marsad.toml")]
    config: PathBuf,
    /// What is logged, such as `info` or `marsad_daemon=debug,warn`.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "MARSAD_LOG")]
    log: String,
    /// How it is logged.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Option<Hidden>,
}

/// What the daemon asks of itself.
#[derive(Debug, clap::Subcommand)]
enum Hidden {
    /// Reads one sheet of the workbook that is the standard input, for the process that asks.
    #[command(name = xlsx::COMMAND, hide = true)]
    ReadWorkbook {
        #[arg(long)]
        parent: i32,
        #[arg(long)]
        sheet: Option<String>,
        #[arg(long, conflicts_with = "sheet")]
        sheet_number: Option<u32>,
        #[arg(long)]
        header_row: u32,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn main() -> ExitCode {
    let mut flags = Flags::parse();
    if let Some(hidden) = flags.command.take() {
        return hidden.run();
    }
    // Refused only if one stands already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Err(error) = log(&flags) {
        return complain(&error);
    }
    close_to_others();
    // All tasks run on this thread. One keeps up with tens of thousands of polls a second, and two would spend a quarter of them
    // waking each other (`bench poll`): what takes long, or may hang, has threads of its own.
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("marsadd")
        .build()
        .context("the runtime could not be started")
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(flags));
            // A thread that hangs on a dead disk or network folder must not keep the process.
            runtime.shutdown_timeout(LAST_WAIT);
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

impl Hidden {
    fn run(self) -> ExitCode {
        let Self::ReadWorkbook { parent, sheet, sheet_number, header_row } = self;
        let by_number = || sheet_number.map(Sheet::Number);
        let sheet = sheet.map(Sheet::Name).or_else(by_number);
        xlsx::run(&xlsx::Asked { parent, sheet, header_row })
    }
}

async fn run(flags: Flags) -> anyhow::Result<()> {
    let config = Config::load(&flags.config, &environment())?;
    let stop = CancellationToken::new();
    listen_for_signals(&stop)?;
    let supervisor = Supervisor::start(config, stop).await?;
    notify(&[sd_notify::NotifyState::Ready]);
    let ended = supervisor.run(|| notify(&[sd_notify::NotifyState::Watchdog])).await;
    notify(&[sd_notify::NotifyState::Stopping]);
    if ended.is_ok() {
        info!("stopped");
    }
    ended
}

/// The environment, which is read here alone.
fn environment() -> Environment {
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the environment")]
    Environment::new(|name| std::env::var(name).ok())
}

fn listen_for_signals(stop: &CancellationToken) -> anyhow::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).context("signals cannot be heard")?;
        let stop = stop.clone();
        // Ends with the process: nobody need wait for it.
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    // A terminal that goes away is no reason to stop, and neither is a reload that this version does not know.
    let mut hangup = signal(SignalKind::hangup()).context("signals cannot be heard")?;
    tokio::spawn(async move { while hangup.recv().await.is_some() {} });
    Ok(())
}

fn log(flags: &Flags) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&flags.log)
        .context("`--log` is no filter; write for instance `info`")?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match flags.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}

/// Nothing of ours is for other users: no core with secrets in it, no file that others may read (security T13).
fn close_to_others() {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    if let Err(error) = resource::setrlimit(resource::Resource::RLIMIT_CORE, 0, 0) {
        warn!(%error, "core dumps could not be turned off");
    }
    if let Err(error) = prctl::set_dumpable(false) {
        warn!(%error, "memory could not be closed to other processes");
    }
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd could not be told");
    }
}

#[expect(clippy::print_stderr, reason = "the last word goes to whoever started it, logged or not")]
fn complain(error: &anyhow::Error) -> ExitCode {
    error!("marsadd does not run");
    eprintln!("marsadd: {error:#}");
    ExitCode::FAILURE
}

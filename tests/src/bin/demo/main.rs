//! The demo: partners that exist on this machine only, and everything else real: daemon, cache, console.
//!
//! `cargo run --release --bin demo`, or `--headless` where there is no terminal; `--for 60s` ends it by itself. It ends
//! well only if the feed of every healthy partner became fresh meanwhile.

mod world;

use std::{
    collections::BTreeSet,
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use clap::Parser;
use jiff::SignedDuration;
use marsad_shared::freshness::Freshness;
use marsad_tests::{
    build::programs,
    daemon::{Client, Daemon, Home, LIMIT, Process},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{interval, timeout},
};
use world::World;

/// How often the headless demo shows how things stand.
const SHOW_EVERY: Duration = Duration::from_secs(5);

/// Partner agencies synchronised before your eyes; nothing leaves this machine, and nothing stays on it.
#[derive(Debug, Parser)]
struct Flags {
    /// Print `marsad status` every few seconds instead of opening the console.
    #[arg(long)]
    headless: bool,
    /// End after this long, such as 60s or 10m.
    #[arg(long = "for", value_name = "DURATION")]
    length: Option<SignedDuration>,
    /// The seed of all data and faults.
    #[arg(long, default_value_t = 20_260_101)]
    seed: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let flags = Flags::parse();
    let length =
        flags.length.map(Duration::try_from).transpose().context("--for cannot be negative")?;
    let headless =
        flags.headless || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal();
    // From here on nothing ends it before it has cleared up.
    let _hangup = signal(SignalKind::hangup())?;
    say("demo: building marsadd and marsad, where that is still to do")?;
    programs()?;
    let home = Home::new()?;
    let world = World::start(&home, flags.seed).await?;
    let healthy = world.healthy();
    let mut daemon = Daemon::start_quietly(home).await?;
    let fresh = Arc::new(Mutex::new(BTreeSet::new()));

    let mut tasks = JoinSet::new();
    tasks.spawn(watch(daemon.client.clone(), Arc::clone(&fresh)));
    tasks.spawn(world.live());
    let shown = if headless { show(&daemon, length).await } else { console(&daemon, length).await };
    tasks.shutdown().await;
    let stopped = daemon.sigterm().await;

    let became = fresh.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let missing: Vec<_> = healthy.iter().filter(|feed| !became.contains(*feed)).cloned().collect();
    shown?;
    let stopped = stopped?;
    if !stopped.success() {
        say(&format!("demo: marsadd ended with {stopped}\n{}", daemon.log()))?;
        return Ok(ExitCode::FAILURE);
    }
    if missing.is_empty() {
        say(&format!("demo: the feeds of all {} healthy partners became fresh", healthy.len()))?;
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("demo: not fresh while it ran: {}", missing.join(", ")))?;
    Ok(ExitCode::FAILURE)
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}

/// Remembers each feed that was fresh once, as the daemon's own events tell of it.
async fn watch(client: Client, fresh: Arc<Mutex<BTreeSet<String>>>) {
    while let Ok(mut events) = client.events().await {
        loop {
            let Ok(feeds) = client.feeds().await else { break };
            let now = feeds.into_iter().filter(|feed| feed.freshness == Freshness::Fresh);
            let now: Vec<_> = now.map(|feed| feed.id.to_string()).collect();
            fresh.lock().unwrap_or_else(PoisonError::into_inner).extend(now);
            if !events.more().await {
                break;
            }
        }
    }
}

/// Shows `marsad status` until time is up or somebody stops it.
async fn show(daemon: &Daemon, length: Option<Duration>) -> anyhow::Result<()> {
    let mut every = interval(SHOW_EVERY);
    let show = async {
        loop {
            every.tick().await;
            let said = daemon.cli(&["status"]).await?;
            say(&format!("{}{}", said.out, said.err))?;
        }
    };
    tokio::select! {
        shown = show => shown,
        () = over(length) => {
            // Once more, so that the end is seen too.
            let said = daemon.cli(&["status"]).await?;
            Ok(say(&said.out)?)
        }
        stopped = stop() => stopped,
    }
}

/// Opens the console on this terminal until it is left, time is up or somebody stops it.
async fn console(daemon: &Daemon, length: Option<Duration>) -> anyhow::Result<()> {
    let mut command = std::process::Command::new(&programs()?.marsad);
    command.arg("--config").arg(daemon.home.config());
    let mut process = Process::start(&mut command)?;
    tokio::select! {
        ended = process.until_ended() => {
            let ended = ended?;
            anyhow::ensure!(ended.success(), "the console ended with {ended}");
            return Ok(());
        }
        () = over(length) => {}
        stopped = stop() => stopped?,
    }
    // It restores the terminal before it goes.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(process.pid)?);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
    timeout(LIMIT, process.until_ended()).await.context("the console does not end")??;
    Ok(())
}

/// Waits until time is up; for ever, if it never is.
async fn over(length: Option<Duration>) {
    match length {
        Some(length) => tokio::time::sleep(length).await,
        None => std::future::pending().await,
    }
}

/// Waits for Ctrl-C, SIGTERM, or the end of the terminal.
async fn stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => Ok(pressed?),
        _ = terminate.recv() => Ok(()),
        _ = hangup.recv() => Ok(()),
    }
}

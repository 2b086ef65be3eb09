//! The benchmarks: what the real processes cost beside their peers, in the same run.
//!
//! `cargo run --release --bin bench -- NAME`. Figures of a noisy machine mean little alone: what counts are the ratios, CPU
//! before wall, medians of rounds. A peer that is not installed is named as missing.

mod burst;
mod console;
mod files;
mod idle;
mod input;
mod measure;
mod pages;
mod peers;
mod poll;
mod report;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;

/// Measures the real programs beside their peers.
#[derive(Debug, Parser)]
struct Flags {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A large CSV for the first time (row 3 of the budgets).
    Import(Setting),
    /// The same with one row in a thousand changed (row 1), and that once more (row 2).
    Reread(Setting),
    /// The disk that earlier versions take beside the tables (row 14).
    Evidence(Setting),
    /// Paginated JSON into a keyed table (row 5).
    Pages(Setting),
    /// What one poll costs beside one probe of `blackbox_exporter` (row 6).
    Poll {
        #[command(flatten)]
        setting: Setting,
        /// How long each round goes.
        #[arg(long = "for", default_value = "10s")]
        length: SignedDuration,
    },
    /// Many feeds every ten seconds, with nothing new (row 7).
    Idle {
        #[command(flatten)]
        setting: Setting,
        /// How many feeds, one measurement each.
        #[arg(long, value_delimiter = ',', default_values_t = [100, 10_000])]
        feeds: Vec<u32>,
        /// How long each is watched.
        #[arg(long = "for", default_value = "60s")]
        length: SignedDuration,
    },
    /// Many small files at once (row 8).
    Burst {
        #[command(flatten)]
        setting: Setting,
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        files: u32,
    },
    /// The console's first useful frame from a cold process (row 10).
    FirstFrame(Setting),
    /// Runs a command, waits for it, and writes what it cost to a file: used by the others on themselves.
    #[command(hide = true)]
    Cost {
        into: PathBuf,
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<std::ffi::OsString>,
    },
}

/// Where inputs and peers are.
#[derive(Clone, Debug, Args)]
struct Setting {
    /// The folder that `bench/gen.py DIR` filled; without it an equivalent input is made.
    #[arg(long)]
    data: Option<PathBuf>,
    /// How many rows of input to make, where `--data` is not given.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Where databases go while it runs; a temporary folder if not given.
    #[arg(long)]
    work: Option<PathBuf>,
    /// How often everything is done; the medians count.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The `limit` program, built from `bench/limit`.
    #[arg(long)]
    limit: Option<PathBuf>,
    /// The folder of the peers' Python environments, as `bench/README.md` sets them up.
    #[arg(long)]
    venvs: Option<PathBuf>,
    /// The folder with the peers' own scripts: `bench` itself.
    #[arg(long)]
    scripts: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let report = match Flags::parse().what {
        What::Cost { into, command } => return measure::cost(&into, &command),
        What::Import(setting) => files::import(&setting).await,
        What::Reread(setting) => files::reread(&setting).await,
        What::Evidence(setting) => files::evidence(&setting).await,
        What::Pages(setting) => pages::run(&setting).await,
        What::Poll { setting, length } => {
            poll::run(&setting, length.try_into().context("--for cannot be negative")?).await
        }
        What::Idle { setting, feeds, length } => {
            let length = length.try_into().context("--for cannot be negative")?;
            idle::run(&setting, &feeds, length).await
        }
        What::Burst { setting, files } => burst::run(&setting, files).await,
        What::FirstFrame(setting) => console::run(&setting).await,
    }?;
    report.print()?;
    Ok(ExitCode::SUCCESS)
}

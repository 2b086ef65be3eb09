//! Row 6: what one poll costs beside one probe of `blackbox_exporter`, of the same documents on the same server.
//!
//! Each is measured twice. Flat out, as the budget was, where the peers always have the next one waiting and the daemon has
//! nearly as many feeds as it keeps up with. And paced, as a quiet day is: with the same polls a second for all.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context as _;
use serde::Deserialize;

use super::{
    Setting, idle,
    measure::{Cost, Watched},
    peers,
    report::{Figure, Report},
    serve,
};

mod exporter;

use exporter::{EXPORTER, Exporter};

/// What costs are given for.
const POLLS: u32 = 1_000;
/// Feeds, each polled once a second, where a pace is kept.
const PACED: u32 = 500;
/// Feeds, each polled once a second, where no pace is kept: as many as two cores keep up with.
const FLAT_OUT: u32 = 10_000;
/// Those whose polls are stored. Twice as many are kept up with too, and a poll costs a tenth more then.
const FLAT_OUT_STORED: u32 = 4_000;
/// The documents that the peers ask for in turn, flat out, and how many they ask for at the same time.
const DOCUMENTS: u32 = 1_000;
const AT_ONCE: u32 = 64;

/// What is asked for.
struct Kind {
    name: &'static str,
    /// Where the server has it.
    folder: &'static str,
    /// Feeds, where no pace is kept.
    feeds: u32,
    /// What the bare program calls the same work.
    mode: &'static str,
    /// The share of a probe that it may cost.
    most: f64,
}

/// A document that its `ETag` tells to be the same; one that its content does; and one of which one record, or each of
/// eight, is another each time. The bare program keeps a document in one row, whatever is in it.
const KINDS: [Kind; 4] = [
    Kind { name: "304", folder: "e", feeds: FLAT_OUT, mode: "304", most: 1.0 / 15.0 },
    Kind { name: "200 the same", folder: "s", feeds: FLAT_OUT, mode: "200", most: 1.0 / 9.0 },
    Kind {
        name: "200, 1 stored",
        folder: "o",
        feeds: FLAT_OUT_STORED,
        mode: "store",
        most: 1.0 / 9.0,
    },
    Kind {
        name: "200, 8 stored",
        folder: "n",
        feeds: FLAT_OUT_STORED,
        mode: "store",
        most: 1.0 / 9.0,
    },
];

/// What all of them ask.
struct Partner {
    server: marsad_tests::partner::line::Server,
    asked: Arc<AtomicU64>,
    length: Duration,
}

pub(crate) async fn run(setting: &Setting, length: Duration) -> anyhow::Result<Report> {
    let mut report =
        Report::new(format!("poll: {POLLS} polls, and as many probes, for {length:?}"));
    let (server, asked) = serve::counting(std::env::temp_dir()).await?;
    let partner = Partner { server, asked, length };
    for (pace, suffix) in [(None, ""), (Some(PACED), ", paced")] {
        for Kind { name, folder, feeds, mode, most } in KINDS {
            let ours = format!("marsad, {name}{suffix}");
            let daemon = partner.polled(pace.unwrap_or(feeds), folder).await?;
            for _ in 0..setting.rounds {
                report.add(&ours, partner.polls(daemon.pid()?).await?);
            }
            drop(daemon);
            // Right behind, because a machine is not as fast at all times.
            let peer = format!("{EXPORTER}, {name}{suffix}");
            if peers::is_here(&mut report, EXPORTER) {
                let exporter = Exporter::start().await?;
                for _ in 0..setting.rounds {
                    report.add(&peer, partner.probes(&exporter, pace).await?);
                }
                report.compare(&ours, &peer, Figure::Cpu, most);
            }
            // What the same polls cost a program that does nothing else.
            if let Some(limit) = peers::limit(setting, &mut report) {
                let floor = format!("limit poll, {name}{suffix}");
                for _ in 0..setting.rounds {
                    report.add(&floor, partner.bare(&limit, mode, pace)?);
                }
                report.compare(&floor, &peer, Figure::Cpu, most);
            }
            if let (Some(wall), None) = (report.median(&ours, Figure::Wall), pace) {
                report.note(format!("{ours}: {:.0} a second", f64::from(POLLS) / wall));
            }
        }
    }
    Ok(report)
}

impl Partner {
    /// A daemon of which every feed has been read once.
    async fn polled(
        &self,
        feeds: u32,
        folder: &str,
    ) -> anyhow::Result<marsad_tests::daemon::Daemon> {
        idle::polling(self.server.address().port(), feeds, 1, folder).await
    }

    /// What the process `pid` spends on polls, for [`POLLS`] of them.
    async fn polls(&self, pid: u32) -> anyhow::Result<Cost> {
        let (watched, before) = (Watched::start(pid)?, self.asked.load(Relaxed));
        tokio::time::sleep(self.length).await;
        let (cost, polls) = (watched.stop()?, self.asked.load(Relaxed) - before);
        each(cost, polls)
    }

    /// What the exporter spends on as many probes.
    async fn probes(&self, exporter: &Exporter, pace: Option<u32>) -> anyhow::Result<Cost> {
        let watched = Watched::start(exporter.pid())?;
        let port = self.server.address().port();
        let probes = match pace {
            Some(pace) => exporter.paced(port, pace, self.length).await?,
            None => exporter.flat_out(port, DOCUMENTS, self.length).await?,
        };
        each(watched.stop()?, probes)
    }

    /// What the bare program `limit` spends on as many polls, as it says itself: without its start.
    fn bare(&self, limit: &Path, mode: &str, pace: Option<u32>) -> anyhow::Result<Cost> {
        let work = tempfile::tempdir()?;
        let mut command = std::process::Command::new(limit);
        command.arg("poll").args(["--mode", mode]).arg("--db").arg(work.path().join("poll.db"));
        for (name, value) in [
            ("--port", u32::from(self.server.address().port())),
            ("--secs", u32::try_from(self.length.as_secs())?),
            ("--n", pace.unwrap_or(DOCUMENTS)),
            ("--interval", u32::from(pace.is_some())),
            ("--conc", AT_ONCE),
        ] {
            command.arg(name).arg(value.to_string());
        }
        // The partner answers on other threads of ours meanwhile.
        let said = tokio::task::block_in_place(|| command.output())?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let first = said.lines().next().with_context(|| format!("{command:?} says nothing"))?;
        let said: Said = serde_json::from_str(first).with_context(|| said.clone())?;
        anyhow::ensure!(said.errors == 0, "{first}");
        Ok(Cost {
            wall_s: f64::from(POLLS) / said.polls_per_s,
            cpu_s: said.cpu_us_per_poll * f64::from(POLLS) / 1e6,
            peak_mib: said.rss_mib,
        })
    }
}

/// What `limit poll` says.
#[derive(Debug, Deserialize)]
struct Said {
    polls_per_s: f64,
    cpu_us_per_poll: f64,
    rss_mib: f64,
    errors: u64,
}

/// A cost of `times`, as one of [`POLLS`].
fn each(cost: Cost, times: u64) -> anyhow::Result<Cost> {
    let times = u32::try_from(times).context("too many")?;
    anyhow::ensure!(times > 0, "nothing was asked");
    let share = f64::from(POLLS) / f64::from(times);
    Ok(Cost { wall_s: cost.wall_s * share, cpu_s: cost.cpu_s * share, ..cost })
}

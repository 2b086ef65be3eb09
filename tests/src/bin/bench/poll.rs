//! Row 6: what one poll costs beside one probe of `blackbox_exporter`, of the same documents on the same server.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use anyhow::Context as _;
use marsad_tests::daemon::LIMIT;
use tokio::{task::JoinSet, time::Instant};

use super::{
    Setting, idle,
    measure::{Cost, Watched, of_command},
    peers,
    report::{Figure, Report},
    serve,
};

const EXPORTER: &str = "prometheus-blackbox-exporter";
/// What costs are given for.
const POLLS: u32 = 1_000;
/// Feeds, each polled once a second.
const FEEDS: u32 = 500;
/// Between two attempts to reach a program that is starting.
const KNOCK: Duration = Duration::from_millis(50);

pub(crate) async fn run(setting: &Setting, length: Duration) -> anyhow::Result<Report> {
    let title =
        format!("poll: {POLLS} polls, {FEEDS} a second, and as many probes, for {length:?}");
    let mut report = Report::new(title);
    let (server, asked) = serve::counting(std::env::temp_dir()).await?;
    let port = server.address().port();
    // A document that stays the same, and one that is another each time.
    for (name, folder) in [("marsad, 304", "e"), ("marsad, 200 stored", "n")] {
        let daemon = idle::polling(port, FEEDS, 1, folder).await?;
        for _ in 0..setting.rounds {
            let cost = polls(daemon.pid()?, &asked, length).await?;
            report.add(name, cost);
        }
    }
    if peers::is_here(&mut report, EXPORTER) {
        let work = tempfile::tempdir()?;
        let exporter = Exporter::start(work.path()).await?;
        for _ in 0..setting.rounds {
            report.add(EXPORTER, exporter.probes(port, length).await?);
        }
    }
    // What the same polls at the same pace cost a program that does nothing else.
    for (mode, name) in [("304", "limit poll, 304"), ("store", "limit poll, 200 stored")] {
        let Some(limit) = peers::limit(setting, &mut report) else { break };
        for _ in 0..setting.rounds {
            let before = asked.load(Relaxed);
            let cost = bare(&limit, port, mode, length).await?;
            report.add(name, each(cost, asked.load(Relaxed) - before)?);
        }
    }
    report.compare("marsad, 304", EXPORTER, Figure::Cpu, 1.0 / 15.0);
    report.compare("marsad, 200 stored", EXPORTER, Figure::Cpu, 1.0 / 9.0);
    Ok(report)
}

/// What the process `pid` spends on polls, for [`POLLS`] of them.
async fn polls(pid: u32, asked: &AtomicU64, length: Duration) -> anyhow::Result<Cost> {
    let (watched, before) = (Watched::start(pid)?, asked.load(Relaxed));
    tokio::time::sleep(length).await;
    let (cost, polls) = (watched.stop()?, asked.load(Relaxed) - before);
    each(cost, polls)
}

/// What the bare program `limit` spends on polls of the server at `port`.
async fn bare(limit: &Path, port: u16, mode: &str, length: Duration) -> anyhow::Result<Cost> {
    let work = tempfile::tempdir()?;
    let (limit, db) = (limit.display(), work.path().join("poll.db"));
    let command = format!(
        "{limit} poll --port {port} --n {FEEDS} --interval 1 --secs {} --mode {mode} --db {} > /dev/null",
        length.as_secs(),
        db.display()
    );
    tokio::task::spawn_blocking(move || of_command(&command)).await?
}

/// A cost of `times`, as one of [`POLLS`].
fn each(cost: Cost, times: u64) -> anyhow::Result<Cost> {
    let times = u32::try_from(times).context("too many")?;
    anyhow::ensure!(times > 0, "nothing was asked");
    let share = f64::from(POLLS) / f64::from(times);
    Ok(Cost { wall_s: cost.wall_s * share, cpu_s: cost.cpu_s * share, ..cost })
}

/// The peer at work. It ends with the value.
struct Exporter {
    process: Child,
    address: SocketAddr,
    client: reqwest::Client,
}

impl Exporter {
    async fn start(work: &Path) -> anyhow::Result<Self> {
        let modules = "modules: {http_2xx: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}}\n";
        let file = work.join("blackbox.yml");
        std::fs::write(&file, modules)?;
        // Free a moment ago, and nobody else here looks for one.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let process = Command::new(EXPORTER)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{EXPORTER} cannot be started"))?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let exporter = Self { process, address, client };
        let answers = async {
            while exporter.client.get(format!("http://{address}/")).send().await.is_err() {
                tokio::time::sleep(KNOCK).await;
            }
        };
        let answered = tokio::time::timeout(LIMIT, answers).await;
        answered.with_context(|| format!("{EXPORTER} does not answer"))?;
        Ok(exporter)
    }

    /// What it spends on probes of the server at `port`, for [`POLLS`] of them. They come at the pace of the polls: who is
    /// woken for each one spends more on it than who has the next one waiting.
    async fn probes(&self, port: u16, length: Duration) -> anyhow::Result<Cost> {
        let (watched, until) = (Watched::start(self.process.id())?, Instant::now() + length);
        let mut pace = tokio::time::interval(Duration::from_secs(1) / FEEDS);
        let (mut probes, mut number) = (JoinSet::new(), 0);
        while Instant::now() < until {
            pace.tick().await;
            let (client, address, document) = (self.client.clone(), self.address, number % FEEDS);
            number += 1;
            probes.spawn(async move {
                let url = format!(
                    "http://{address}/probe?module=http_2xx&target=http://127.0.0.1:{port}/e/{document}.json"
                );
                let said = client.get(url).send().await?.text().await?;
                anyhow::ensure!(said.contains("probe_success 1"), "a probe failed: {said}");
                anyhow::Ok(())
            });
        }
        while let Some(ended) = probes.join_next().await {
            ended??;
        }
        each(watched.stop()?, number.into())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! The peer at work: `blackbox_exporter`, asked for probes.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use marsad_tests::daemon::LIMIT;
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};

/// What it is called.
pub(super) const EXPORTER: &str = "prometheus-blackbox-exporter";
/// Between two attempts to reach it while it starts.
const KNOCK: Duration = Duration::from_millis(50);
/// So many probes are under way at the same time, flat out.
const AT_ONCE: u32 = 16;

/// The exporter. It ends with the value.
pub(super) struct Exporter {
    process: Child,
    asker: Asker,
    _work: TempDir,
}

/// Asks it.
#[derive(Clone)]
struct Asker {
    address: SocketAddr,
    client: reqwest::Client,
}

impl Exporter {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let modules = "modules: {http_2xx: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}}\n";
        let work = tempfile::tempdir()?;
        let file = work.path().join("blackbox.yml");
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
        let exporter = Self { process, asker: Asker { address, client }, _work: work };
        let answers = async {
            while exporter.asker.client.get(format!("http://{address}/")).send().await.is_err() {
                tokio::time::sleep(KNOCK).await;
            }
        };
        let answered = tokio::time::timeout(LIMIT, answers).await;
        answered.with_context(|| format!("{EXPORTER} does not answer"))?;
        Ok(exporter)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Probes the server at `port`, `pace` times a second. Gives how often that was.
    pub(super) async fn paced(
        &self,
        port: u16,
        pace: u32,
        length: Duration,
    ) -> anyhow::Result<u64> {
        let until = Instant::now() + length;
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / pace);
        let (mut probes, mut number) = (JoinSet::new(), 0);
        while Instant::now() < until {
            ticks.tick().await;
            let (asker, document) = (self.asker.clone(), number % pace);
            number += 1;
            probes.spawn(async move { asker.probe(port, document).await });
        }
        while let Some(ended) = probes.join_next().await {
            ended??;
        }
        Ok(number.into())
    }

    /// Probes the server at `port` for its `documents` as fast as the exporter goes. Gives how often that was.
    pub(super) async fn flat_out(
        &self,
        port: u16,
        documents: u32,
        length: Duration,
    ) -> anyhow::Result<u64> {
        let until = Instant::now() + length;
        let mut workers = JoinSet::new();
        for first in 0..AT_ONCE {
            let asker = self.asker.clone();
            workers.spawn(async move {
                let (mut done, mut document) = (0, first);
                while Instant::now() < until {
                    asker.probe(port, document % documents).await?;
                    (done, document) = (done + 1, document + AT_ONCE);
                }
                anyhow::Ok(done)
            });
        }
        let mut all = 0;
        while let Some(ended) = workers.join_next().await {
            all += ended??;
        }
        Ok(all)
    }
}

impl Asker {
    async fn probe(&self, port: u16, document: u32) -> anyhow::Result<()> {
        let url = format!(
            "http://{}/probe?module=http_2xx&target=http://127.0.0.1:{port}/e/{document}.json",
            self.address
        );
        let said = self.client.get(url).send().await?.text().await?;
        anyhow::ensure!(said.contains("probe_success 1"), "a probe failed: {said}");
        Ok(())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

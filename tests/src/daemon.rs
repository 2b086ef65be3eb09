//! The real `marsadd` in a folder of its own, and the real `marsad` beside it.
//!
//! Nothing here sleeps and hopes: [`Daemon::until`] looks again whenever the daemon's own event stream says that
//! something changed, and gives up after [`LIMIT`].

mod client;
mod home;
mod process;

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::time::timeout;

pub use client::{Client, Stream};
pub use home::Home;
pub use process::{Process, code_of};

use crate::build::programs;

/// How long anything may take before a test says that it does not happen: long, for machines with better things to do.
pub const LIMIT: Duration = Duration::from_secs(90);
/// Between two attempts to reach a daemon that is starting.
const KNOCK: Duration = Duration::from_millis(10);

/// A daemon and its folder. Both go with the value.
#[derive(Debug)]
pub struct Daemon {
    pub home: Home,
    pub client: Client,
    process: Option<Process>,
    /// Whether the log is shown at the end: a test harness shows it only for a test that failed.
    shows_log: bool,
}

/// What a program said, and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// The exit code; 128 and the signal's number if it was killed.
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Daemon {
    /// Starts `marsadd` in `home`, and comes back when it answers.
    pub async fn start(home: Home) -> anyhow::Result<Self> {
        let client = Client::new(&home.socket())?;
        let mut daemon = Self { home, client, process: None, shows_log: true };
        daemon.go().await?;
        Ok(daemon)
    }

    /// As [`start`](Self::start), without a log at the end.
    pub async fn start_quietly(home: Home) -> anyhow::Result<Self> {
        let mut daemon = Self::start(home).await?;
        daemon.shows_log = false;
        Ok(daemon)
    }

    /// Starts it again after it ended, and comes back when it answers.
    pub async fn go(&mut self) -> anyhow::Result<()> {
        let mut command = self.home.command(&programs()?.marsadd);
        command.arg("--config").arg(self.home.config());
        command.stdin(Stdio::null()).stdout(self.home.log_file()?).stderr(self.home.log_file()?);
        self.process = Some(Process::start(&mut command)?);
        let answers = async {
            while self.client.status().await.is_err() {
                if let Some(status) = self.ended() {
                    bail!("marsadd did not start: {status}\n{}", self.log());
                }
                tokio::time::sleep(KNOCK).await;
            }
            Ok(())
        };
        timeout(LIMIT, answers)
            .await
            .with_context(|| format!("marsadd does not answer\n{}", self.log()))?
    }

    /// Its process id.
    pub fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.process.as_ref().context("marsadd is not running")?.pid)
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.process.as_ref().and_then(Process::ended)
    }

    /// `kill -9`, as power loss would; comes back when it is gone. One that was killed a moment ago is only waited for.
    pub async fn kill9(&mut self) -> anyhow::Result<ExitStatus> {
        match self.signal(Signal::SIGKILL) {
            Err(error) if error.downcast_ref() == Some(&nix::errno::Errno::ESRCH) => {}
            sent => sent?,
        }
        self.gone("SIGKILL").await
    }

    /// Asks it to stop, and comes back when it has.
    pub async fn sigterm(&mut self) -> anyhow::Result<ExitStatus> {
        self.end_by(Signal::SIGTERM).await
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()?)?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("cannot send {signal} to marsadd"))
    }

    async fn end_by(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        self.signal(signal)?;
        self.gone(signal.as_str()).await
    }

    async fn gone(&mut self, signal: &str) -> anyhow::Result<ExitStatus> {
        let mut process = self.process.take().context("marsadd is not running")?;
        let ended = timeout(LIMIT, process.until_ended()).await;
        ended.with_context(|| format!("marsadd does not end after {signal}\n{}", self.log()))?
    }

    /// Waits until `look` gives something, and gives that. `what` names it for whoever reads the failure.
    pub async fn until<T>(
        &self,
        what: &str,
        look: impl AsyncFn(&Client) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let mut last = String::new();
        let found = timeout(LIMIT, self.watch(&look, &mut last)).await;
        match found {
            Ok(found) => found,
            Err(_) => {
                bail!("not within {LIMIT:?}: {what}; {last}\nstatus: {}", self.standing().await)
            }
        }
    }

    async fn watch<T>(
        &self,
        look: &impl AsyncFn(&Client) -> anyhow::Result<Option<T>>,
        last: &mut String,
    ) -> anyhow::Result<T> {
        loop {
            // First the stream, then the look: what changes in between is told.
            if let Ok(mut events) = self.client.events().await {
                loop {
                    match look(&self.client).await {
                        Ok(Some(found)) => return Ok(found),
                        Ok(None) => {}
                        Err(error) => *last = format!("{error:#}"),
                    }
                    if !events.more().await {
                        break;
                    }
                }
            }
            if let Some(status) = self.ended() {
                bail!("marsadd has ended: {status}; {last}\n{}", self.log());
            }
            tokio::time::sleep(KNOCK).await;
        }
    }

    async fn standing(&self) -> String {
        match self.client.get::<Value>("status").await {
            Ok(status) => status.to_string(),
            Err(error) => format!("{error:#}"),
        }
    }

    /// Runs `marsad` with `arguments`, as a script would.
    pub async fn cli(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let mut command = tokio::process::Command::new(&programs()?.marsad);
        command.arg("--config").arg(self.home.config()).args(arguments).env("NO_COLOR", "1");
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = timeout(LIMIT, output)
            .await
            .with_context(|| format!("marsad {arguments:?} does not end"))??;
        Ok(Said {
            code: code_of(output.status),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs `marsad … --json`, which has to succeed, and reads what it says.
    pub async fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let said = self.cli(&[arguments, &["--json"]].concat()).await?;
        if said.code != 0 {
            bail!("marsad {arguments:?} ended with {}: {}{}", said.code, said.out, said.err);
        }
        serde_json::from_str(&said.out)
            .with_context(|| format!("marsad {arguments:?} said no JSON: {}", said.out))
    }

    /// All that the daemon has written to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.log_path()).unwrap_or_default()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.home.state_dir()
    }

    pub fn path(&self) -> &Path {
        self.home.path()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process = None;
        if self.shows_log {
            show(&self.log());
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test harness keeps what is printed, and shows it for a test that failed"
)]
fn show(log: &str) {
    eprintln!("--- log of marsadd ---\n{log}---");
}

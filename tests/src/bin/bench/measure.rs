//! What a process costs: wall, CPU (user and system), the most memory it held.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, bail};
use nix::{
    sys::resource::{UsageWho, getrusage},
    unistd::{SysconfVar, sysconf},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// One measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub wall_s: f64,
    pub cpu_s: f64,
    pub peak_mib: f64,
}

/// Runs a command to its end through ourselves, so that its children are counted and nobody else's are.
pub(crate) fn of_command(command: &str) -> anyhow::Result<Cost> {
    let into = tempfile::NamedTempFile::new()?;
    let mut ourselves = Command::new(std::env::current_exe()?);
    ourselves.arg("cost").arg(into.path()).args(["sh", "-c", command]);
    let output = ourselves.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!(
            "{command}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(serde_json::from_slice(&fs::read(into.path())?)?)
}

/// The other side of [`of_command`].
pub(crate) fn cost(into: &Path, command: &[OsString]) -> anyhow::Result<ExitCode> {
    let (program, arguments) = command.split_first().context("a command")?;
    let began = Instant::now();
    let status = Command::new(program).args(arguments).status()?;
    let wall_s = began.elapsed().as_secs_f64();
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| seconds_of(time.tv_sec(), time.tv_usec());
    let cpu_s = seconds(used.user_time()) + seconds(used.system_time());
    let cost = Cost { wall_s, cpu_s, peak_mib: kib(used.max_rss().unsigned_abs()) };
    fs::write(into, serde_json::to_vec(&cost)?)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a benchmark are far below 2^52")]
fn seconds_of(seconds: i64, micros: i64) -> f64 {
    seconds as f64 + micros as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "memory in KiB is far below 2^52")]
fn kib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// A process that goes on, watched from one moment to another.
#[derive(Debug)]
pub(crate) struct Watched {
    pid: u32,
    began: Instant,
    cpu_s: f64,
}

impl Watched {
    /// From now on. The peak of memory is counted anew where the system allows it.
    pub(crate) fn start(pid: u32) -> anyhow::Result<Self> {
        // 5 resets the peak; without the right to do so, the peak is the one since the process began.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        Ok(Self { pid, began: Instant::now(), cpu_s: cpu_of(pid)? })
    }

    /// What it has cost since.
    pub(crate) fn stop(&self) -> anyhow::Result<Cost> {
        let wall_s = self.began.elapsed().as_secs_f64();
        Ok(Cost {
            wall_s,
            cpu_s: cpu_of(self.pid)? - self.cpu_s,
            peak_mib: status_of(self.pid, "VmHWM")?,
        })
    }
}

/// What the process holds now, in MiB.
pub(crate) fn resident(pid: u32) -> anyhow::Result<f64> {
    status_of(pid, "VmRSS")
}

fn cpu_of(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything, a parenthesis too.
    let (_, behind) = stat.rsplit_once(')').context("no name in stat")?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let ticks = |at: usize| {
        fields.get(at).and_then(|text| text.parse::<i64>().ok()).context("no times in stat")
    };
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock ticks")?;
    Ok(seconds_of(ticks(11)? + ticks(12)?, 0) / seconds_of(per_second, 0))
}

fn status_of(pid: u32, what: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line =
        status.lines().find(|line| line.starts_with(what)).with_context(|| format!("no {what}"))?;
    let number = line.split_whitespace().nth(1).and_then(|text| text.parse().ok());
    Ok(kib(number.with_context(|| format!("no number in {line}"))?))
}

//! What the process that reads a workbook may use: it takes the rest from itself before it looks at a byte.

use std::{fs, io};

use anyhow::{Context as _, ensure};
use nix::{
    sys::{
        prctl,
        resource::{Resource, setrlimit},
        signal::Signal,
    },
    unistd::{self, Pid, SysconfVar, alarm, sysconf},
};

/// The most memory that reading a workbook may take beside the program itself, in bytes.
pub const MEMORY_MAX: u64 = 192 * 1024 * 1024;
/// The longest that it may compute, and that it may give nothing, in seconds.
pub const SILENCE_S: u32 = 60;
/// Files that it may have open: what it reads, what it writes to, and none of its own.
const FILES: u64 = 8;

/// Takes everything from this process that reading a workbook does not need, and ends it with `parent`.
pub(super) fn take(parent: i32) -> anyhow::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot follow the parent")?;
    // It may have ended before.
    ensure!(unistd::getppid() == Pid::from_raw(parent), "the parent is gone");
    prctl::set_dumpable(false).context("cannot close the memory")?;
    let own = memory().context("cannot tell the memory in use")?;
    let cpu = u64::from(SILENCE_S);
    for (what, limit) in [
        (Resource::RLIMIT_AS, own + MEMORY_MAX),
        (Resource::RLIMIT_CPU, cpu),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NOFILE, FILES),
    ] {
        setrlimit(what, limit, limit).with_context(|| format!("cannot limit {what:?}"))?;
    }
    Ok(())
}

/// How much address space is taken already, in bytes: the program, and what the system keeps for it.
fn memory() -> io::Result<u64> {
    let told = fs::read_to_string("/proc/self/statm")?;
    let pages = told.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    let size = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|size| u64::try_from(size).ok());
    pages
        .zip(size)
        .map(|(pages, size)| pages * size)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A writer that may wait for its reader as long as it likes, while the time between is limited.
pub(super) struct Paced<W>(W);

impl<W: io::Write> Paced<W> {
    pub(super) fn new(inner: W) -> Self {
        alarm::set(SILENCE_S);
        Self(inner)
    }
}

impl<W: io::Write> io::Write for Paced<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        alarm::cancel();
        let written = self.0.write(bytes);
        alarm::set(SILENCE_S);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        alarm::cancel();
        let flushed = self.0.flush();
        alarm::set(SILENCE_S);
        flushed
    }
}

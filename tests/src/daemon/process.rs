//! A process, from its start to its end.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitStatus},
    thread::JoinHandle,
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::watch;

/// The exit code as a shell has it.
pub fn code_of(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// A process that is waited for by a thread of its own, so that no runtime has to be there for it.
#[derive(Debug)]
pub struct Process {
    pub pid: u32,
    ended: watch::Receiver<Option<ExitStatus>>,
    waiter: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `command`.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let (tell, ended) = watch::channel(None);
        let pid = child.id();
        let waiter = std::thread::spawn(move || {
            // Waiting can fail only for a process that is not ours.
            if let Ok(status) = child.wait() {
                tell.send_replace(Some(status));
            }
        });
        Ok(Self { pid, ended, waiter: Some(waiter) })
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Waits for its end.
    pub async fn until_ended(&mut self) -> anyhow::Result<ExitStatus> {
        let ended =
            self.ended.wait_for(Option::is_some).await.context("nobody waits for the process")?;
        (*ended).context("the process has not ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.borrow().is_none()
            && let Ok(pid) = i32::try_from(self.pid)
        {
            // It may have ended just now.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        if let Some(waiter) = self.waiter.take() {
            // It panics nowhere, and a killed process ends.
            let _ = waiter.join();
        }
    }
}

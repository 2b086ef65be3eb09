//! The signals that matter to a program with a terminal.

use std::io;

use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Leave: the terminal is gone, or somebody wants the program gone.
    End,
    /// Stop, as with Ctrl-Z.
    Stop,
    /// It was stopped without being asked, and goes on.
    Continue,
}

pub(super) struct Signals {
    term: Listener,
    hangup: Listener,
    interrupt: Listener,
    stop: Listener,
    cont: Listener,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        use nix::sys::signal::Signal::{SIGCONT, SIGTSTP};
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop: signal(SignalKind::from_raw(SIGTSTP as i32))?,
            cont: signal(SignalKind::from_raw(SIGCONT as i32))?,
        })
    }

    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.term.recv() => Signal::End,
            _ = self.hangup.recv() => Signal::End,
            _ = self.interrupt.recv() => Signal::End,
            _ = self.stop.recv() => Signal::Stop,
            _ = self.cont.recv() => Signal::Continue,
        }
    }
}

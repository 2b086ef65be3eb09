//! What changed, told to whoever listens: the source of the socket's event stream.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use marsad_shared::protocol::{Event, EventKind};
use tokio::sync::broadcast;

/// A client that is further behind is told so, and reads everything again.
const BACKLOG: usize = 1_024;

/// The stream of changes.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Event>,
    /// The number of the last event; held while one is sent, so that numbers and order agree.
    last: Mutex<u64>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::channel(BACKLOG).0, last: Mutex::new(0) }
    }
}

impl Events {
    /// Whether anybody listens.
    pub fn are_heard(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Says that something of `kind` changed. Costs nothing while nobody listens.
    pub fn tell(&self, at: Timestamp, kind: EventKind, id: Option<String>) {
        if !self.are_heard() {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        // Refused only if the last listener has gone in between.
        let _ = self.sender.send(Event { seq: *last, at, kind, id });
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}

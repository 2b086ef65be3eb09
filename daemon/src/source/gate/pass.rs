//! What a gate gives: the right to one request, or until when and why there is none.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{Timestamp, Unit};
use marsad_shared::clock::plus;
use tokio::time::Instant;

use super::{Gate, crowd::Place};
use crate::source::{fault::FetchError, spend::Caller};

/// Who keeps a request back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// Our own breaker.
    Breaker,
    /// The connection's `rate_limit`.
    Limit,
    /// The partner, or what else we agreed with it.
    Partner,
}

/// Why a request may not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub wait: Duration,
    /// By our clock.
    pub until: Timestamp,
    pub by: HeldBy,
    /// In words.
    pub why: String,
}

impl Wait {
    /// A wait of `wait` from `at` on, which the partner asks for, or what we agreed with it.
    pub(super) fn imposed(wait: Duration, at: Timestamp, why: String) -> Self {
        Self { wait, until: plus(at, wait), by: HeldBy::Partner, why }
    }

    /// Whether our breaker says so.
    pub fn is_breaker(&self) -> bool {
        self.by == HeldBy::Breaker
    }
}

impl From<Wait> for FetchError {
    fn from(held: Wait) -> Self {
        Self::Held { wait: held.wait, by: held.by, text: held.to_string() }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waiting until {}: {}", seconds(self.until), self.why)
    }
}

/// The right to one request. How it went is told with [`Pass::end`]; where it never is, it says nothing of the partner.
#[derive(Debug)]
pub struct Pass {
    pub(super) gate: Arc<Gate>,
    pub(super) who: Caller,
    /// Whether it is the breaker's one try.
    pub(super) tries: bool,
    /// Free again when the request is over.
    pub(super) _place: Option<Place>,
}

impl Pass {
    /// Tells how the request went: `None`: it was answered well.
    pub fn end(mut self, error: Option<&FetchError>) {
        if !error.is_some_and(FetchError::is_ours) {
            self.gate.end(&self.who, std::mem::take(&mut self.tries), error);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.tries {
            self.gate.lock().breaker.let_go(Instant::now());
        }
    }
}

/// A time without fractions of a second, never too early.
pub(super) fn seconds(at: Timestamp) -> Timestamp {
    let round = jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Ceil);
    at.round(round).unwrap_or(at)
}

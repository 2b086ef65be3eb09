//! A connection's health: what single measurements add up to.
//!
//! One failure is a suspicion and several in a row are an outage; one success is a hope and several
//! are a recovery. Our own faults say nothing about the partner. Pure: the caller passes the result and the time,
//! and keeps the [`Standing`].

mod reason;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::reason::{Reason, Side};
use crate::clock::{DRIFT, between, plus};
use crate::word::words;

words! {
    /// A connection's health. What else is known of it (acknowledged, silenced, in maintenance) lies over
    /// this and never changes it.
    pub enum Health is "health" {
        /// Not measured yet, or not for too long.
        Unknown = "unknown",
        Up = "up",
        /// Failed, but not often enough to say so.
        Suspect = "suspect",
        /// Works, too slowly too often.
        Degraded = "degraded",
        Down = "down",
        /// Works again, but not often enough to say so.
        Recovering = "recovering",
    }
}

/// What one measurement brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollResult {
    /// Good. `near_limit`: it took more than 80 % of what counts as slow.
    Ok { near_limit: bool },
    /// Good, and too slow.
    Slow,
    /// The partner asked us to come less often: 429, or 503 with `Retry-After`.
    Throttled,
    /// The partner, its data or the way to it failed.
    Fail(Reason),
    /// We failed ourselves.
    Local(Reason),
    /// Nothing was measured.
    Skipped,
}

impl PollResult {
    /// A failure, ours or not as the reason has it.
    pub const fn failed(reason: Reason) -> Self {
        if reason.is_local() { Self::Local(reason) } else { Self::Fail(reason) }
    }
}

/// How many results make a verdict, and how often one is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From one measurement to the next in quiet times.
    pub interval: Duration,
    /// The same while a verdict is open.
    pub retry: Duration,
    /// Failures in a row that make it down; 0 is taken as 1.
    pub fails: u8,
    /// Successes in a row, after an outage, that make it up; 0 is taken as 1.
    pub successes: u8,
    /// Slow ones among the last five successes that make it degraded.
    pub slow: u8,
    /// At most so many of the last five near the limit make it up again.
    pub clear: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(5),
            retry: Duration::from_mins(1),
            fails: 3,
            successes: 2,
            slow: 3,
            clear: 1,
        }
    }
}

impl Limits {
    /// After this long without a word about the partner, its health is unknown.
    pub fn silence(&self) -> Duration {
        self.interval.saturating_mul(3).max(Duration::from_mins(15))
    }
}

/// How the last five successes went, a bit each, the newest lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    slow: u8,
    near_limit: u8,
}

impl Recent {
    const LAST_FIVE: u8 = 0b1_1111;

    const fn and(self, slow: bool, near_limit: bool) -> Self {
        Self {
            slow: (self.slow << 1 | slow as u8) & Self::LAST_FIVE,
            near_limit: (self.near_limit << 1 | near_limit as u8) & Self::LAST_FIVE,
        }
    }
}

/// All that is remembered of a connection's health between two measurements. It survives a restart
/// as it is: nothing is counted anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub state: Health,
    /// When it entered that state.
    pub since: Timestamp,
    /// Of the last failure, until the trouble is over.
    pub reason: Option<Reason>,
    /// Failures in a row.
    pub fails: u32,
    /// Successes in a row.
    pub successes: u32,
    /// When the present trouble began: what an incident gives as its start.
    pub first_failure_at: Option<Timestamp>,
    pub last_ok_at: Option<Timestamp>,
    /// The last result that said something about the partner.
    pub last_result_at: Option<Timestamp>,
    /// Where a suspicion that proves false returns to.
    pub was_degraded: bool,
    pub recent: Recent,
    /// Failures of our own in a row: from two on, Marsad is blind.
    pub local_in_a_row: u32,
}

impl Standing {
    /// Of a connection never measured.
    pub const fn new(now: Timestamp) -> Self {
        Self {
            state: Health::Unknown,
            since: now,
            reason: None,
            fails: 0,
            successes: 0,
            first_failure_at: None,
            last_ok_at: None,
            last_result_at: None,
            was_degraded: false,
            recent: Recent { slow: 0, near_limit: 0 },
            local_in_a_row: 0,
        }
    }

    /// The standing after `result`, measured `at`, which the caller learns `now`.
    ///
    /// A result older than the last one applied changes nothing, unless that one lies in the
    /// future: then a clock has jumped, and what is measured now is right.
    #[must_use]
    pub fn apply(self, result: PollResult, at: Timestamp, now: Timestamp, limits: &Limits) -> Self {
        let jumped = |last: Timestamp| between(now, last).is_some_and(|ahead| ahead > DRIFT);
        if self.last_result_at.is_some_and(|last| at < last && !jumped(last)) {
            return self;
        }
        match result {
            PollResult::Skipped => self,
            PollResult::Local(_) => self.blind(),
            PollResult::Fail(reason) if reason.is_local() => self.blind(),
            PollResult::Fail(reason) => self.at(at, limits).heard(at).failed(reason, at, limits),
            PollResult::Ok { near_limit } => {
                self.at(at, limits).heard(at).good(false, near_limit, at, limits)
            }
            PollResult::Slow | PollResult::Throttled => {
                self.at(at, limits).heard(at).good(true, true, at, limits)
            }
        }
    }

    /// The standing at `now` with nothing new heard: unknown once that lasts too long, since the
    /// moment it became too long.
    ///
    /// Failures of our own count as nothing heard: blind, we do not know how the partner is.
    #[must_use]
    pub fn at(self, now: Timestamp, limits: &Limits) -> Self {
        let Some(last) = self.last_result_at else { return self };
        let until = plus(last, limits.silence());
        if self.state == Health::Unknown || now <= until {
            return self;
        }
        // The first failure is kept: an incident that is open stays open.
        let forgotten = Self {
            fails: 0,
            successes: 0,
            was_degraded: false,
            reason: None,
            recent: Recent::default(),
            ..self
        };
        forgotten.enter(Health::Unknown, until)
    }

    /// How long after one measurement the next is due.
    pub fn next_probe_after(&self, limits: &Limits) -> Duration {
        let locks_out = self.reason.is_some_and(Reason::is_final_at_once);
        match self.state {
            Health::Suspect | Health::Recovering => limits.retry.min(limits.interval),
            // Its return is to be seen as fast as its fall, unless each try is a refused log-in.
            Health::Down if !locks_out => limits.retry.min(limits.interval),
            Health::Down | Health::Unknown | Health::Up | Health::Degraded => limits.interval,
        }
    }

    /// Two failures of our own in a row: nothing can be said of any partner.
    pub const fn is_blind(&self) -> bool {
        self.local_in_a_row >= 2
    }

    fn blind(self) -> Self {
        Self { local_in_a_row: self.local_in_a_row.saturating_add(1), ..self }
    }

    fn heard(self, at: Timestamp) -> Self {
        Self { last_result_at: Some(at), local_in_a_row: 0, ..self }
    }

    fn failed(self, reason: Reason, at: Timestamp, limits: &Limits) -> Self {
        let next = Self {
            reason: Some(reason),
            fails: self.fails.saturating_add(1),
            successes: 0,
            first_failure_at: self.first_failure_at.or(Some(at)),
            ..self
        };
        match self.state {
            Health::Down => next,
            Health::Recovering => next.fall(at),
            _ if reason.is_final_at_once() || next.fails >= u32::from(limits.fails.max(1)) => {
                next.fall(at)
            }
            Health::Suspect => next,
            Health::Unknown | Health::Up | Health::Degraded => {
                Self { was_degraded: self.state == Health::Degraded, ..next }
                    .enter(Health::Suspect, at)
            }
        }
    }

    fn good(self, slow: bool, near_limit: bool, at: Timestamp, limits: &Limits) -> Self {
        let next = Self {
            successes: self.successes.saturating_add(1),
            fails: 0,
            last_ok_at: Some(at),
            recent: self.recent.and(slow, near_limit),
            ..self
        };
        match self.state {
            Health::Down | Health::Recovering
                if next.successes < u32::from(limits.successes.max(1)) =>
            {
                next.enter(Health::Recovering, at)
            }
            Health::Down | Health::Recovering | Health::Unknown | Health::Up => {
                next.paced(Health::Up, at, limits)
            }
            Health::Degraded => next.paced(Health::Degraded, at, limits),
            Health::Suspect if self.was_degraded => next.paced(Health::Degraded, at, limits),
            Health::Suspect => next.paced(Health::Up, at, limits),
        }
    }

    /// Works: up or degraded, where it keeps what it was between the two limits.
    fn paced(self, was: Health, at: Timestamp, limits: &Limits) -> Self {
        let slow = self.recent.slow.count_ones() >= u32::from(limits.slow.max(1));
        let clear = self.recent.near_limit.count_ones() <= u32::from(limits.clear);
        let state = match was {
            Health::Degraded if clear => Health::Up,
            Health::Up if slow => Health::Degraded,
            _ => was,
        };
        Self { reason: None, first_failure_at: None, was_degraded: false, ..self }.enter(state, at)
    }

    fn fall(self, at: Timestamp) -> Self {
        Self { recent: Recent::default(), was_degraded: false, ..self }.enter(Health::Down, at)
    }

    fn enter(self, state: Health, at: Timestamp) -> Self {
        Self { state, since: if state == self.state { self.since } else { at }, ..self }
    }
}

#[cfg(test)]
mod tests;

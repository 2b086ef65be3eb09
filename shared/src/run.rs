//! A run: one attempt to bring a feed up to date, and its balance.

use serde::{Deserialize, Serialize};

use crate::word::words;

words! {
    /// What set a run going.
    pub enum Trigger is "trigger" {
        /// The feed's schedule.
        Schedule = "schedule",
        /// Another try after a failure.
        Retry = "retry",
        /// A complete file in the import folder.
        File = "file",
        /// An operator's resync.
        Person = "person",
        /// An operator's replay of what is in quarantine: it moves no cursor, and makes nothing fresh.
        Replay = "replay",
    }
}

words! {
    /// How a run stands or ended.
    pub enum Outcome is "outcome" {
        Running = "running",
        /// It balances and something changed.
        Succeeded = "succeeded",
        /// It balances and nothing changed.
        Unchanged = "unchanged",
        /// It balances, with rows in quarantine.
        Partial = "partial",
        /// A whole file or run waits for a person.
        Held = "held",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

impl Trigger {
    /// Whether a person ordered it, and waits for it.
    pub const fn is_ordered(self) -> bool {
        matches!(self, Self::Person | Self::Replay)
    }
}

impl Outcome {
    /// Whether the feed was read to its end, so that its promise starts anew (health-and-freshness.md section 2).
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Succeeded | Self::Unchanged | Self::Partial)
    }
}

/// Whether two reasons say the same, but for their numbers: how long a run waited, or which page it was at.
pub fn is_alike(one: &str, other: &str) -> bool {
    let words = |text: &str| {
        text.split(|c: char| c.is_ascii_digit() || c == '.')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    words(one) == words(other)
}

/// What became of the rows that a run received (promise 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub received: u64,
    pub inserted: u64,
    /// Records that came otherwise than they were, or came again after they had been deleted.
    pub updated: u64,
    /// Rows that say what the bank says already, or something older; among them deletions of what it has as deleted, or
    /// never had.
    pub unchanged: u64,
    /// All rows but one of each key that came more than once in the run: the newest wins, by its version or else by its
    /// place.
    pub duplicate: u64,
    /// Live records that the partner says are gone.
    pub deleted: u64,
    pub quarantined: u64,
    pub filtered: u64,
    /// Live records that a read of all there is no longer had, so that they are gone. None of them was received.
    #[serde(default)]
    pub absent: u64,
}

impl Counts {
    /// Whether every row received is accounted for. A run that does not balance is never green.
    pub const fn balances(&self) -> bool {
        self.received
            == self.inserted
                + self.updated
                + self.unchanged
                + self.duplicate
                + self.deleted
                + self.quarantined
                + self.filtered
    }

    /// How a run that was read to its end turned out.
    pub const fn outcome(&self) -> Outcome {
        if !self.balances() {
            Outcome::Failed
        } else if self.quarantined > 0 {
            Outcome::Partial
        } else if self.changed() > 0 {
            Outcome::Succeeded
        } else {
            Outcome::Unchanged
        }
    }

    /// Rows that changed the bank.
    pub const fn changed(&self) -> u64 {
        self.inserted + self.updated + self.deleted + self.absent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_green_only_if_it_balances() {
        let counts = |received, inserted, unchanged, quarantined| Counts {
            received,
            inserted,
            unchanged,
            quarantined,
            ..Counts::default()
        };
        for (counts, outcome, why) in [
            (counts(3, 3, 0, 0), Outcome::Succeeded, "all new"),
            (counts(3, 0, 3, 0), Outcome::Unchanged, "nothing new"),
            (counts(0, 0, 0, 0), Outcome::Unchanged, "nothing at all"),
            (counts(3, 2, 0, 1), Outcome::Partial, "one refused"),
            (counts(3, 2, 0, 0), Outcome::Failed, "one row is nowhere"),
            (counts(2, 3, 0, 0), Outcome::Failed, "one row too many"),
        ] {
            assert_eq!(counts.outcome(), outcome, "{why}");
        }
    }
}

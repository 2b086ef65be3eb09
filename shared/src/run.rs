//! A run: one attempt to bring a feed up to date, and its balance.

use serde::{Deserialize, Serialize};

use crate::word::words;

/// What set a run going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The feed's schedule.
    Schedule,
    /// Another try after a failure.
    Retry,
    /// A complete file in the import folder.
    File,
    /// An operator's resync.
    Person,
}

/// How a run stands or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Running,
    /// It balances and something changed.
    Succeeded,
    /// It balances and nothing changed.
    Unchanged,
    /// It balances, with rows in quarantine.
    Partial,
    /// A whole file or run waits for a person.
    Held,
    Failed,
    Cancelled,
}

impl Trigger {
    pub const ALL: [Self; 4] = [Self::Schedule, Self::Retry, Self::File, Self::Person];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Retry => "retry",
            Self::File => "file",
            Self::Person => "person",
        }
    }
}

impl Outcome {
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::Succeeded,
        Self::Unchanged,
        Self::Partial,
        Self::Held,
        Self::Failed,
        Self::Cancelled,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Unchanged => "unchanged",
            Self::Partial => "partial",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the feed was read to its end, so that its promise starts anew (health-and-freshness.md section 2).
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Succeeded | Self::Unchanged | Self::Partial)
    }
}

words!(Trigger, "trigger");
words!(Outcome, "outcome");

/// What became of the rows that a run received (promise 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub received: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// Rows whose key came again later in the same run: the last one wins.
    pub duplicate: u64,
    pub deleted: u64,
    pub quarantined: u64,
    pub filtered: u64,
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
        self.inserted + self.updated + self.deleted
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.duplicate += other.duplicate;
        self.deleted += other.deleted;
        self.quarantined += other.quarantined;
        self.filtered += other.filtered;
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

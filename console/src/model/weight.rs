//! How much a state matters: what puts the worst on top and which symbol stands beside the word.

use marsad_shared::{
    certificate::Validity, exchange::State, freshness::Freshness, health::Health,
    protocol::ConnectionRow, run::Outcome,
};

/// How much a fact matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Nothing to say.
    Calm,
    /// Nothing is known.
    Blank,
    /// To be watched; nobody is woken.
    Watch,
    Warn,
    Grave,
}

impl Weight {
    pub const ALL: [Self; 5] = [Self::Calm, Self::Blank, Self::Watch, Self::Warn, Self::Grave];

    /// Says the same without colour.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Calm => ".",
            Self::Blank => "?",
            Self::Watch => "-",
            Self::Warn => "!",
            Self::Grave => "!!",
        }
    }
}

impl From<Health> for Weight {
    fn from(health: Health) -> Self {
        match health {
            Health::Up => Self::Calm,
            Health::Unknown => Self::Blank,
            Health::Suspect | Health::Recovering => Self::Watch,
            Health::Degraded => Self::Warn,
            Health::Down => Self::Grave,
        }
    }
}

impl From<Validity> for Weight {
    fn from(validity: Validity) -> Self {
        match validity {
            Validity::Fine => Self::Calm,
            Validity::EndsSoon => Self::Warn,
            Validity::EndsNow | Validity::Ended => Self::Grave,
        }
    }
}

/// A connection's, by its health, by the end of its certificates, or by trouble of our own, whichever matters most.
impl From<&ConnectionRow> for Weight {
    fn from(row: &ConnectionRow) -> Self {
        let blind = if row.is_blind() { Self::Warn } else { Self::Calm };
        let health = Self::from(row.health).max(blind);
        row.certificate.map_or(health, |validity| health.max(validity.into()))
    }
}

impl From<Freshness> for Weight {
    fn from(freshness: Freshness) -> Self {
        match freshness {
            Freshness::Fresh | Freshness::Exempt => Self::Calm,
            Freshness::Unknown => Self::Blank,
            Freshness::Due | Freshness::Late => Self::Watch,
            Freshness::Stale | Freshness::Future => Self::Warn,
            Freshness::Expired => Self::Grave,
        }
    }
}

impl From<State> for Weight {
    fn from(state: State) -> Self {
        match state {
            State::Delivered
            | State::Confirmed
            | State::Cancelled
            | State::Pending
            | State::Scheduled
            | State::Sending => Self::Calm,
            State::Retrying | State::Held => Self::Watch,
            State::InDoubt => Self::Warn,
            State::Rejected | State::Expired => Self::Grave,
        }
    }
}

impl From<Outcome> for Weight {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded | Outcome::Unchanged | Outcome::Running => Self::Calm,
            Outcome::Cancelled => Self::Watch,
            Outcome::Partial | Outcome::Held => Self::Warn,
            Outcome::Failed => Self::Grave,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_weight_has_a_symbol_of_its_own() {
        for (at, weight) in Weight::ALL.iter().enumerate() {
            let twin = Weight::ALL.iter().skip(at + 1).find(|w| w.symbol() == weight.symbol());
            assert_eq!(twin, None, "{weight:?}");
        }
    }
}

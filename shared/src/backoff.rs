//! When to try again: later each time, never all at once, never later than the cap.

use std::time::Duration;

use crate::clock::part;

/// How waits grow from one attempt to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait after the first attempt.
    pub first: Duration,
    /// What each further attempt multiplies that by; 0 and 1 leave it as it is.
    pub factor: u32,
    /// No wait of ours is longer than this, whatever the attempt.
    pub cap: Duration,
}

impl Backoff {
    /// Waits of at most `first`, doubled with each attempt up to `cap`.
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self { first, factor: 2, cap }
    }

    /// How long to wait after attempt number `attempt`, counted from 1.
    ///
    /// `random`, in 0..1, spreads it over the upper half of the range: those who failed together do
    /// not come back together, and yet none comes back at once.
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let longest = self.longest(attempt);
        let half = longest / 2;
        half.saturating_add(part(longest.saturating_sub(half), random)).min(longest)
    }

    /// [`delay`](Self::delay), and not before what the partner asked for in `Retry-After`, which is honoured in
    /// full even beyond the cap: whoever may not wait so long has a deadline of its own.
    pub fn after(&self, attempt: u32, random: f64, retry_after: Option<Duration>) -> Duration {
        self.delay(attempt, random).max(retry_after.unwrap_or_default())
    }

    fn longest(&self, attempt: u32) -> Duration {
        let growth = self.factor.max(1).saturating_pow(attempt.saturating_sub(1));
        self.first.saturating_mul(growth).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_cap() {
        let backoff = Backoff::new(5 * SECOND, 900 * SECOND);
        for (attempt, random, expected, why) in [
            (1, 1.0, 5.0, "the first wait, at its longest"),
            (1, 0.0, 2.5, "and at its shortest, half of it"),
            (0, 1.0, 5.0, "there is no attempt before the first"),
            (2, 1.0, 10.0, "doubled"),
            (3, 0.5, 15.0, "doubled again, in the middle"),
            (8, 1.0, 640.0, "the last below the cap"),
            (9, 1.0, 900.0, "capped"),
            (u32::MAX, 1.0, 900.0, "for ever"),
            (u32::MAX, 0.0, 450.0, "spread under the cap too"),
        ] {
            assert_eq!(backoff.delay(attempt, random), SECOND.mul_f64(expected), "{why}");
        }
    }

    #[test]
    fn what_the_partner_asks_is_honoured_in_full() {
        let backoff = Backoff::new(5 * SECOND, 60 * SECOND);
        for (retry_after, expected, why) in [
            (None, 5, "nothing asked: our own wait"),
            (Some(30), 30, "a longer one is kept to"),
            (Some(1), 5, "a shorter one does not make us press"),
            (Some(3600), 3600, "even beyond our cap"),
        ] {
            let retry_after = retry_after.map(Duration::from_secs);
            assert_eq!(backoff.after(1, 1.0, retry_after), Duration::from_secs(expected), "{why}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_lies_between_half_and_all_of_its_limit(
            first in any::<Duration>(), factor: u32, cap in any::<Duration>(), attempt: u32, random in any::<f64>(),
        ) {
            let backoff = Backoff { first, factor, cap };
            let wait = backoff.delay(attempt, random);
            prop_assert!(wait <= cap);
            prop_assert!(wait >= first.min(cap) / 2);
            prop_assert!(backoff.delay(attempt.saturating_add(1), 1.0) >= wait, "waits never shrink at equal luck");
        }
    }
}

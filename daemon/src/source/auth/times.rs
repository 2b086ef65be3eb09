//! What time it is when something is signed: ours, and the partner's as far as we know it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// By so much we follow a partner's clock in what we sign ourselves, or by the life of what is signed if that is longer.
/// Beyond, its clock is wrong or ours is: what is signed for then would be good for years, or never.
const FOLLOWED: Duration = Duration::from_mins(15);

/// One moment, by two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub ours: Timestamp,
    pub theirs: Timestamp,
}

impl Times {
    /// When something that is good for `life` is said to be signed: by the partner's clock where that is likely, else by
    /// ours.
    pub(super) fn signed_at(self, life: Duration) -> Timestamp {
        if self.is_likely(life) { self.theirs } else { self.ours }
    }

    /// What a person should know where something that is good for `life` was refused.
    pub(super) fn doubt(self, life: Duration) -> Option<String> {
        let ahead = self.ahead().as_secs();
        let way = if ahead < 0 { "behind" } else { "ahead of" };
        (!self.is_likely(life)).then(|| {
            format!(
                "its clock is {} s {way} ours, so far that what we sign goes by our own: one of the two is wrong",
                ahead.unsigned_abs()
            )
        })
    }

    fn is_likely(self, life: Duration) -> bool {
        self.ahead().unsigned_abs() <= life.max(FOLLOWED)
    }

    fn ahead(self) -> SignedDuration {
        self.theirs.duration_since(self.ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_followed_as_far_as_clocks_drift() {
        let ours: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let (five, hour) = (Duration::from_mins(5), Duration::from_hours(1));
        for (ahead, life, followed, why) in [
            (0, five, true, "they agree"),
            (-900, five, true, "a quarter of an hour, either way"),
            (901, five, false, "no clock drifts so far"),
            (3_000, hour, true, "what we sign lives longer than that"),
            (315_360_000, hour, false, "ten years"),
        ] {
            let theirs = ours.checked_add(SignedDuration::from_secs(ahead)).unwrap();
            let times = Times { ours, theirs };
            assert_eq!(times.signed_at(life) == theirs, followed, "{why}");
            let doubt = times.doubt(life);
            assert_eq!(doubt.is_none(), followed, "{why}: {doubt:?}");
        }
        let far = Times { ours, theirs: "2026-11-24T11:00:00Z".parse().unwrap() };
        assert!(far.doubt(five).unwrap().starts_with("its clock is 3600 s behind ours"));
    }
}

//! Log-ins that were refused: whoever shows a wrong password again and again is locked out in the end, and somebody has to
//! mend it anyhow. Pure: the caller passes the time.

use std::time::Duration;

use tokio::time::Instant;

/// How long nobody logs in behind the first refusal. Behind each further one it is twice as long, up to the last.
const FIRST: Duration = Duration::from_mins(5);
const LAST: Duration = Duration::from_hours(1);
/// So many requests in a row that showed a password and were refused are a refused log-in: one alone may be about what it
/// asked for.
const IN_A_ROW: u32 = 3;

/// The refusals of a connection since it was last taken in.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Log-ins refused.
    log_ins: u32,
    /// Requests refused, one behind the other.
    requests: u32,
    until: Option<Instant>,
    why: String,
}

impl Refusals {
    /// How long no request leaves because of them, and why.
    pub(super) fn look(&self, now: Instant) -> Option<(Duration, &str)> {
        let until = self.until.filter(|until| now < *until)?;
        Some((until - now, &self.why))
    }

    /// A log-in was refused. Gives how long there is none now.
    pub(super) fn log_in(&mut self, now: Instant, failure: &str) -> Duration {
        let wait = wait(self.log_ins);
        self.log_ins = self.log_ins.saturating_add(1);
        self.requests = 0;
        self.until = Some(now + wait);
        self.why = format!("our log-in was refused, and more of that may lock us out: {failure}");
        wait
    }

    /// A request that showed a password was refused. Gives how long there is none now, if that begins.
    pub(super) fn request(&mut self, now: Instant, failure: &str) -> Option<Duration> {
        if self.look(now).is_some() {
            // It left before that.
            return None;
        }
        self.requests += 1;
        (self.requests >= IN_A_ROW).then(|| self.log_in(now, failure))
    }

    /// We were taken in.
    pub(super) fn forget(&mut self) {
        if self.log_ins + self.requests > 0 {
            *self = Self::default();
        }
    }

    /// A person has mended it, or wants to know: the next one leaves. If that is refused too, the wait goes on growing.
    pub(super) fn hasten(&mut self) {
        self.until = None;
    }
}

/// The wait behind `before` refusals and one.
pub fn wait(before: u32) -> Duration {
    FIRST.saturating_mul(2_u32.saturating_pow(before)).min(LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_waits_longer_until_we_are_taken_in() {
        let (mut refusals, mut now) = (Refusals::default(), Instant::now());
        for minutes in [5, 10, 20, 40, 60, 60] {
            let wait = refusals.log_in(now, "wrong password");
            assert_eq!(wait, Duration::from_mins(minutes));
            assert_eq!(refusals.look(now).map(|(wait, _)| wait), Some(wait));
            now += wait;
            assert_eq!(refusals.look(now), None);
        }
        refusals.forget();
        assert_eq!(refusals.log_in(now, "x"), FIRST);
        refusals.hasten();
        assert_eq!(refusals.look(now), None, "a person's order");
        assert_eq!(refusals.log_in(now, "x"), 2 * FIRST, "and no reason to begin anew");
    }

    #[test]
    fn one_refused_request_is_no_refused_log_in_and_three_in_a_row_are() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        for _ in 0..2 {
            assert_eq!((refusals.request(now, "x"), refusals.request(now, "x")), (None, None));
            refusals.forget();
        }
        let waits: Vec<_> = (0..5).map(|_| refusals.request(now, "x")).collect();
        assert_eq!(waits, [None, None, Some(FIRST), None, None], "what was under way counts once");
    }
}

//! The breaker of a connection: when request after request fails, no more leave but one try now and then.
//!
//! It counts requests of all feeds, so that a hundred of them do not knock at a door that nobody opens. Pure: the caller
//! passes the time and a share of chance. Nothing of it outlives a restart: then it begins closed.

use std::time::Duration;

use marsad_shared::backoff::Backoff;
use tokio::time::Instant;

use super::spend::Caller;

/// So many failed requests in a row open it. The tries behind that are polls like any other, so that an outage is
/// confirmed (three failed polls) within seconds all the same.
pub const FAILS: u32 = 5;
/// The waits before each try: a dead partner is asked about twice a minute, and its return is seen within one.
const WAITS: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(30));
/// Whoever failed the last try lets others go first for this long: its trouble may be its own.
const COURTESY: Duration = Duration::from_secs(2);
/// How soon to look again while somebody else tries.
const BUSY: Duration = Duration::from_secs(2);

/// A connection's breaker.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    /// Whose request opened it, or failed the last try.
    last: Option<Caller>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Requests leave; so many have failed in a row.
    Closed { fails: u32 },
    /// None leaves before `until`; `tries` is the number of the next one.
    Open { until: Instant, tries: u32 },
    /// One is under way.
    Trying { tries: u32 },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { fails: 0 }
    }
}

/// Whether a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Go,
    /// As the one try: how it ends is to be told.
    Try,
    Wait(Duration),
}

impl Breaker {
    /// Whether a request of `who` may leave now, if it asked.
    pub fn look(&self, who: &Caller, now: Instant) -> Verdict {
        match self.state {
            State::Closed { .. } => Verdict::Go,
            State::Trying { .. } => Verdict::Wait(BUSY),
            State::Open { until, .. } => {
                let until = if self.last.as_ref() == Some(who) { until + COURTESY } else { until };
                if now < until { Verdict::Wait(until - now) } else { Verdict::Try }
            }
        }
    }

    /// Lets a request of `who` out, if it may leave.
    pub fn ask(&mut self, who: &Caller, now: Instant) -> Verdict {
        let verdict = self.look(who, now);
        if let (Verdict::Try, State::Open { tries, .. }) = (verdict, self.state) {
            self.state = State::Trying { tries };
        }
        verdict
    }

    /// A request was answered, whatever the answer: somebody is there. Whether that closed it.
    pub fn good(&mut self) -> bool {
        let was_open = self.is_open();
        self.state = State::Closed { fails: 0 };
        self.last = None;
        was_open
    }

    /// A request of `who` failed, `was_try` if it was the try. Gives how long nobody is asked, if that begins now.
    pub fn bad(
        &mut self,
        who: &Caller,
        was_try: bool,
        now: Instant,
        random: f64,
    ) -> Option<Duration> {
        let tries = match self.state {
            State::Closed { fails } if fails + 1 < FAILS => {
                self.state = State::Closed { fails: fails + 1 };
                return None;
            }
            State::Closed { .. } => 1,
            State::Trying { tries } if was_try => tries.saturating_add(1),
            // It left before the breaker opened.
            State::Open { .. } | State::Trying { .. } => return None,
        };
        let wait = WAITS.delay(tries, random);
        self.state = State::Open { until: now + wait, tries };
        self.last = Some(who.clone());
        Some(wait)
    }

    /// The try ended and said nothing of the partner: somebody else may try, a little later.
    pub fn let_go(&mut self, now: Instant) {
        if let State::Trying { tries } = self.state {
            self.state = State::Open { until: now + BUSY, tries };
        }
    }

    /// A person wants to know: the next request is the try, without a wait.
    pub fn hasten(&mut self, now: Instant) {
        if let State::Open { until, tries } = self.state {
            self.state = State::Open { until: until.min(now), tries };
            self.last = None;
        }
    }

    /// When the next try may be, if it is open and nobody tries.
    pub const fn try_at(&self) -> Option<Instant> {
        if let State::Open { until, .. } = self.state { Some(until) } else { None }
    }

    /// Whether it keeps requests back.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn feed(name: &str) -> Caller {
        Caller::Feed(format!("education/{name}").parse().unwrap())
    }

    /// Opened by `who`, for five seconds from `now`.
    fn opened(who: &Caller, now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        let told: Vec<_> = (0..FAILS).map(|_| breaker.bad(who, false, now, 1.0)).collect();
        assert_eq!(told, [None, None, None, None, Some(5 * SECOND)]);
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_begins_the_count_anew() {
        let (now, who) = (Instant::now(), feed("a"));
        let mut breaker = Breaker::default();
        for _ in 1..FAILS {
            assert_eq!(breaker.bad(&who, false, now, 0.5), None);
        }
        assert!(!breaker.good(), "it was not open");
        for _ in 1..FAILS {
            assert_eq!(breaker.bad(&who, false, now, 0.5), None);
        }
        assert_eq!(breaker.ask(&who, now), Verdict::Go);
        assert!(breaker.bad(&feed("b"), false, now, 0.5).is_some(), "whoever is the fifth");
        assert_eq!(
            breaker.bad(&feed("c"), false, now, 0.5),
            None,
            "what was under way changes nothing"
        );
    }

    #[test]
    fn one_tries_and_the_waits_grow_until_one_is_answered() {
        let (now, a, b) = (Instant::now(), feed("a"), feed("b"));
        let mut breaker = opened(&a, now);
        let (mut at, mut waits) = (now + 5 * SECOND, Vec::new());
        for _ in 0..4 {
            assert_eq!(breaker.ask(&b, at - SECOND), Verdict::Wait(SECOND));
            assert_eq!(breaker.ask(&b, at), Verdict::Try);
            assert_eq!(breaker.ask(&a, at), Verdict::Wait(BUSY), "one at a time");
            let wait = breaker.bad(&a, true, at, 1.0).unwrap();
            waits.push(wait.as_secs());
            at += wait;
        }
        assert_eq!(waits, [10, 20, 30, 30]);
        assert_eq!(breaker.ask(&b, at), Verdict::Try);
        assert!(breaker.good());
        assert_eq!(breaker.ask(&a, at), Verdict::Go);
        opened(&a, at);
    }

    #[test]
    fn whoever_failed_lets_others_go_first_and_a_person_goes_before_all() {
        let (now, a, b) = (Instant::now(), feed("a"), feed("b"));
        let mut breaker = opened(&a, now);
        let at = now + 5 * SECOND;
        assert_eq!(breaker.look(&a, at), Verdict::Wait(COURTESY));
        assert_eq!(breaker.look(&b, at), Verdict::Try);
        assert_eq!(breaker.look(&a, at + COURTESY), Verdict::Try, "nobody else came");
        breaker.hasten(now);
        assert_eq!(breaker.ask(&a, now), Verdict::Try);
        breaker.let_go(now);
        assert_eq!(breaker.ask(&b, now), Verdict::Wait(BUSY), "no storm of tries that say nothing");
        assert_eq!(breaker.ask(&b, now + BUSY), Verdict::Try);
    }

    proptest! {
        #[test]
        fn there_is_never_more_than_one_try(steps in prop::collection::vec((0_u8..6, 0_u32..40, 0_u8..3), 1..200)) {
            let (mut breaker, mut now, mut trying) = (Breaker::default(), Instant::now(), false);
            for (step, seconds, who) in steps {
                now += seconds * SECOND;
                let who = feed(["a", "b", "c"][usize::from(who)]);
                match step {
                    0 | 1 => match breaker.ask(&who, now) {
                        Verdict::Try => {
                            prop_assert!(!trying);
                            trying = true;
                        }
                        Verdict::Go => prop_assert!(!breaker.is_open()),
                        Verdict::Wait(wait) => prop_assert!(wait <= WAITS.cap + COURTESY),
                    },
                    2 => {
                        breaker.bad(&who, false, now, 0.5);
                    }
                    3 if trying => {
                        prop_assert!(breaker.bad(&who, true, now, 0.5).is_some());
                        trying = false;
                    }
                    4 => {
                        breaker.good();
                        trying = false;
                    }
                    5 if trying => {
                        breaker.let_go(now);
                        trying = false;
                    }
                    _ => {}
                }
            }
        }
    }
}

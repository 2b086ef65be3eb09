//! The budget of calls that a partner grants us: shared by all its connections and feeds, with a ledger of who spent it.
//!
//! Counted here, and written down in batches; a crash loses the calls of the last seconds, and no more than a hundredth of
//! the budget. A new period begins with nothing spent. What is delivered is never held back: it may go beyond the budget, and polling leaves it a reserve.

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use marsad_shared::{
    id::{FeedId, IdError, PartnerId},
    partner::{Budget, Period},
    store::ledger::Calls,
};
use tokio::sync::Notify;

/// One in so many calls is kept for deliveries, where the partner takes any.
const RESERVE: u32 = 10;
/// So many of those who spent most are named.
const NAMED: usize = 3;
/// So many past periods are kept, and those of a day at least.
const PERIODS: u32 = 35;

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    Feed(FeedId),
    /// The courier: what it hands over, and what it asks about.
    Deliveries,
    /// The measurements between two polls.
    Probes,
    /// An operator's tests.
    Tests,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Feed(feed) => feed.as_str(),
            Self::Deliveries => "deliveries",
            Self::Probes => "probes",
            Self::Tests => "tests",
        })
    }
}

impl FromStr for Caller {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Ok(match text {
            "deliveries" => Self::Deliveries,
            "probes" => Self::Probes,
            "tests" => Self::Tests,
            feed => Self::Feed(feed.parse()?),
        })
    }
}

impl Caller {
    /// As its partner's people would call it.
    fn name(&self) -> String {
        match self {
            Self::Feed(feed) => feed.as_str().split('/').next_back().unwrap_or_default().to_owned(),
            other => other.to_string(),
        }
    }
}

/// A partner's budget, and what is left of it.
#[derive(Debug)]
pub struct Purse {
    pub partner: PartnerId,
    budget: Budget,
    /// What polling leaves for deliveries.
    reserve: u64,
    held: Mutex<Held>,
    bell: Option<Arc<Notify>>,
}

#[derive(Debug)]
struct Held {
    period: Period,
    by: BTreeMap<Caller, Tally>,
    spent: u64,
    /// What was not written down before its period was over.
    late: Vec<Calls>,
    /// How many calls there were since the last time that they were written down.
    fresh: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    n: u64,
    saved: u64,
}

/// Nothing is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    pub renews: Timestamp,
    /// Who spent it, in words.
    pub why: String,
}

impl Purse {
    /// A full purse, as of `now`. `delivers`: whether documents are handed to the partner.
    pub fn new(partner: PartnerId, budget: Budget, delivers: bool, now: Timestamp) -> Self {
        let reserve = if delivers { u64::from(budget.calls.get() / RESERVE) } else { 0 };
        let held = Held {
            period: budget.period(now),
            by: BTreeMap::new(),
            spent: 0,
            late: Vec::new(),
            fresh: 0,
        };
        Self { partner, budget, reserve, held: Mutex::new(held), bell: None }
    }

    /// The same, which rings `bell` whenever a hundredth of it was spent that was not written down yet: so much of it a crash
    /// may lose, and no more.
    #[must_use]
    pub fn ringing(self, bell: Arc<Notify>) -> Self {
        Self { bell: Some(bell), ..self }
    }

    /// When the present period began.
    pub fn since(&self) -> Timestamp {
        self.lock().period.since
    }

    /// Goes on from what was written down of the present period.
    pub fn restore(&self, calls: &[Calls]) {
        let mut held = self.lock();
        let since = held.period.since;
        for call in calls.iter().filter(|call| call.since == since) {
            // Of what an older version wrote otherwise, the number counts.
            let who = call.who.parse().unwrap_or(Caller::Tests);
            held.by.entry(who).or_default().n += call.n;
            held.spent += call.n;
        }
        for tally in held.by.values_mut() {
            tally.saved = tally.n;
        }
    }

    /// Whether a call of `who` would be granted.
    ///
    /// # Errors
    /// [`Spent`] if it would not.
    pub fn look(&self, who: &Caller, now: Timestamp) -> Result<(), Spent> {
        let mut held = self.lock();
        held.roll(&self.budget, now);
        self.granted(&held, who)
    }

    /// Spends a call.
    ///
    /// # Errors
    /// As [`Self::look`]; then nothing is spent.
    pub fn spend(&self, who: &Caller, now: Timestamp) -> Result<(), Spent> {
        let mut held = self.lock();
        held.roll(&self.budget, now);
        self.granted(&held, who)?;
        self.enter(&mut held, who);
        Ok(())
    }

    /// Counts a call that cannot be taken back any more.
    pub fn count(&self, who: &Caller, now: Timestamp) {
        let mut held = self.lock();
        held.roll(&self.budget, now);
        self.enter(&mut held, who);
    }

    fn enter(&self, held: &mut Held, who: &Caller) {
        held.count(who);
        if let Some(bell) = self.bell.as_ref().filter(|_| held.fresh > self.share()) {
            bell.notify_one();
        }
    }

    fn share(&self) -> u64 {
        u64::from(self.budget.calls.get() / 100)
    }

    /// What was not written down yet. It counts as written: [`Self::give_back`] takes that back.
    pub fn unsaved(&self) -> Vec<Calls> {
        let mut held = self.lock();
        let mut calls = std::mem::take(&mut held.late);
        held.fresh = 0;
        let since = held.period.since;
        for (who, tally) in held.by.iter_mut().filter(|(_, tally)| tally.n > tally.saved) {
            calls.push(Calls { since, who: who.to_string(), n: tally.n });
            tally.saved = tally.n;
        }
        calls
    }

    /// These could not be written down.
    pub fn give_back(&self, calls: Vec<Calls>) {
        let mut held = self.lock();
        let since = held.period.since;
        let (now, late): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| call.since == since);
        held.late.extend(late);
        for call in now {
            let tally = call.who.parse().ok().and_then(|who| held.by.get_mut(&who));
            if let Some(tally) = tally {
                tally.saved = 0;
            }
        }
    }

    /// What began before that need not be kept.
    pub fn forget_before(&self, now: Timestamp) -> Timestamp {
        let kept = self.budget.per.saturating_mul(PERIODS).max(Duration::from_hours(24));
        now.saturating_sub(kept).unwrap_or(Timestamp::MIN)
    }

    fn granted(&self, held: &Held, who: &Caller) -> Result<(), Spent> {
        let limit = u64::from(self.budget.calls.get());
        if *who == Caller::Deliveries || held.spent < limit - self.reserve {
            return Ok(());
        }
        Err(Spent { renews: held.period.renews, why: self.who_spent(held, limit) })
    }

    /// `spent: enrolments 4,812 of 5,000, visits 88; 500 are kept for deliveries`.
    fn who_spent(&self, held: &Held, limit: u64) -> String {
        let mut by: Vec<_> = held.by.iter().collect();
        by.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.n));
        let mut words = Vec::new();
        for (at, (who, tally)) in by.iter().take(NAMED).enumerate() {
            let of = if at == 0 { format!(" of {}", grouped(limit)) } else { String::new() };
            words.push(format!("{} {}{of}", who.name(), grouped(tally.n)));
        }
        let kept = match self.reserve {
            0 => String::new(),
            kept => format!("; {} are kept for deliveries", grouped(kept)),
        };
        format!("the budget of calls is spent: {}{kept}", words.join(", "))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Begins a new period, if `now` is in one. A clock that was set back a little stays in the present one.
    fn roll(&mut self, budget: &Budget, now: Timestamp) {
        let before = self.period.since.saturating_sub(budget.per).unwrap_or(Timestamp::MIN);
        if now < self.period.renews && now >= before {
            return;
        }
        let since = self.period.since;
        let late = self.by.iter().filter(|(_, tally)| tally.n > tally.saved);
        let late = late.map(|(who, tally)| Calls { since, who: who.to_string(), n: tally.n });
        self.late.extend(late.collect::<Vec<_>>());
        self.by.clear();
        (self.period, self.spent) = (budget.period(now), 0);
    }

    fn count(&mut self, who: &Caller) {
        self.spent += 1;
        self.fresh += 1;
        match self.by.get_mut(who) {
            Some(tally) => tally.n += 1,
            None => drop(self.by.insert(who.clone(), Tally { n: 1, saved: 0 })),
        }
    }
}

/// `4,812`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use jiff::tz::TimeZone;
    use marsad_shared::clock::plus;

    use super::*;

    fn feed(name: &str) -> Caller {
        Caller::Feed(format!("education/{name}").parse().unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn purse(calls: u32, delivers: bool, now: Timestamp) -> Purse {
        let budget = Budget {
            calls: NonZeroU32::new(calls).unwrap(),
            per: Duration::from_hours(24),
            zone: TimeZone::get("Asia/Dubai").unwrap(),
        };
        Purse::new("education".parse().unwrap(), budget, delivers, now)
    }

    #[test]
    fn what_is_spent_is_spent_until_it_renews_and_who_spent_it_is_said() {
        let noon = at("2026-11-24T12:00:00Z");
        let purse = purse(1_200, true, noon);
        for _ in 0..1_050 {
            purse.spend(&feed("enrolments"), noon).unwrap();
        }
        for _ in 0..30 {
            purse.spend(&Caller::Probes, noon).unwrap();
        }
        let spent = purse.spend(&feed("visits"), noon).unwrap_err();
        assert_eq!(
            spent,
            Spent {
                renews: at("2026-11-24T20:00:00Z"),
                why: "the budget of calls is spent: enrolments 1,050 of 1,200, probes 30; 120 are kept for deliveries"
                    .to_owned(),
            }
        );
        for _ in 0..200 {
            purse.spend(&Caller::Deliveries, noon).unwrap();
        }
        assert!(purse.look(&feed("visits"), at("2026-11-24T19:59:59Z")).is_err());
        assert!(purse.spend(&feed("visits"), at("2026-11-24T20:00:00Z")).is_ok(), "a new day");
        assert!(
            purse.look(&feed("visits"), at("2026-11-24T19:59:59Z")).is_ok(),
            "a clock set back"
        );
        assert_eq!(purse.since(), at("2026-11-24T20:00:00Z"), "begins no day anew");
    }

    #[test]
    fn small_budgets_and_partners_that_take_nothing_keep_no_reserve() {
        let noon = at("2026-11-24T12:00:00Z");
        for (calls, delivers, polled) in [(5, true, 5), (100, false, 100), (100, true, 90)] {
            let purse = purse(calls, delivers, noon);
            let granted = (0..200).filter(|_| purse.spend(&feed("a"), noon).is_ok()).count();
            assert_eq!(granted, polled, "{calls} {delivers}");
        }
    }

    #[test]
    fn what_was_written_down_is_gone_on_from_and_what_was_not_is_given_out_once() {
        let noon = at("2026-11-24T12:00:00Z");
        let (first, since) = (purse(10, false, noon), at("2026-11-23T20:00:00Z"));
        let calls = |since, who: &str, n| Calls { since, who: who.to_owned(), n };
        first.spend(&feed("a"), noon).unwrap();
        first.spend(&feed("a"), noon).unwrap();
        first.count(&Caller::Tests, noon);
        let saved = first.unsaved();
        assert_eq!(saved, [calls(since, "education/a", 2), calls(since, "tests", 1)]);
        assert_eq!(first.unsaved(), []);
        first.give_back(saved.clone());
        assert_eq!(first.unsaved(), saved, "what could not be written is tried again");
        first.spend(&feed("a"), noon).unwrap();
        assert_eq!(first.unsaved(), [calls(since, "education/a", 3)], "the whole number");

        let second = purse(10, false, noon);
        second.restore(&[calls(since, "education/a", 3), calls(since, "tests", 1)]);
        second.restore(&[calls(at("2026-11-22T20:00:00Z"), "education/a", 9)]);
        let granted = (0..20).filter(|_| second.spend(&feed("b"), noon).is_ok()).count();
        assert_eq!(granted, 6);
        let tomorrow = plus(noon, Duration::from_hours(24));
        second.spend(&feed("b"), tomorrow).unwrap();
        let (late, now) = (calls(since, "education/b", 6), at("2026-11-24T20:00:00Z"));
        assert_eq!(second.unsaved(), [late, calls(now, "education/b", 1)], "late, and still there");
    }
}

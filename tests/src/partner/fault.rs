//! What goes wrong at a partner, and the switch that a test or the demo turns while it runs.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::random::Random;

/// Names and values.
pub type Headers = Vec<(&'static str, String)>;

/// One way in which an answer goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status and a short text.
    Status(u16),
    /// 429 or 503, and `Retry-After` in seconds.
    RetryLater { status: u16, seconds: u64 },
    /// This and nothing else: a status, headers, a body.
    Answer { status: u16, headers: Headers, body: &'static str },
    /// All is well, and these headers stand with it.
    With(Headers),
    /// 200 with a page for people.
    Html,
    /// The connection is cut in the middle of a record, under a `Content-Length` that promised more.
    CutOff,
    /// The connection is cut without an answer. Of a POST: after it was taken.
    NoAnswer,
    /// The connection is cut before anything was taken.
    Refuse,
    /// No answer, and no end either, until the line is cut.
    Stall,
    /// The first byte comes late; then all is well.
    Slow(Duration),
    /// The same page with the same way on, for ever.
    Loop,
    /// A body of the right length that is no JSON from its middle on.
    Garbage,
    /// Each page's first row comes twice, the older one first.
    DoubleKeys,
    /// Rows that nobody can accept stand among the good ones, one a page.
    BadRows,
    /// A row read before changes while the next page is made, so that all behind it move up by one.
    Shift,
    /// So many in a hundred answers are 502, cut off or not given, by the seed.
    Flaky { percent: u64 },
}

/// The switch of one partner, and the count of what it was asked.
#[derive(Debug)]
pub struct Switch {
    held: Mutex<Held>,
    asked: watch::Sender<u64>,
}

#[derive(Debug)]
struct Held {
    next: VecDeque<Option<Fault>>,
    standing: Option<Fault>,
    random: Random,
}

impl Switch {
    pub fn new(seed: u64) -> Self {
        let held = Held { next: VecDeque::new(), standing: None, random: Random::new(seed) };
        Self { held: Mutex::new(held), asked: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on every answer goes wrong like this; `None`: all is well again. What was planned is forgotten.
    pub fn set(&self, fault: impl Into<Option<Fault>>) {
        let mut held = self.lock();
        held.next.clear();
        held.standing = fault.into();
    }

    /// The next answers go wrong like this, one after the other; then what stands goes on.
    pub fn plan(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.lock().next.extend(faults);
    }

    /// How often it was asked so far.
    pub fn asked(&self) -> u64 {
        *self.asked.borrow()
    }

    /// Waits until it was asked `times` times in all.
    pub async fn until_asked(&self, times: u64) {
        // The sender lives in `self`: it cannot go away meanwhile.
        let _ = self.asked.subscribe().wait_for(|asked| *asked >= times).await;
    }

    /// Counts a request, and says how its answer goes wrong.
    pub(super) fn take(&self) -> Option<Fault> {
        let fault = {
            let mut held = self.lock();
            let fault = held.next.pop_front().unwrap_or_else(|| held.standing.clone());
            match fault {
                Some(Fault::Flaky { percent }) if held.random.below(100) < percent => {
                    Some(match held.random.below(3) {
                        0 => Fault::Status(502),
                        1 => Fault::CutOff,
                        _ => Fault::NoAnswer,
                    })
                }
                Some(Fault::Flaky { .. }) => None,
                other => other,
            }
        };
        self.asked.send_modify(|asked| *asked += 1);
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_comes_first_and_what_stands_comes_then() {
        let switch = Switch::new(1);
        switch.set(Fault::Html);
        switch.plan([None, Some(Fault::CutOff)]);
        let taken: Vec<_> = (0..4).map(|_| switch.take()).collect();
        assert_eq!(taken, [None, Some(Fault::CutOff), Some(Fault::Html), Some(Fault::Html)]);
        switch.set(None);
        assert_eq!((switch.take(), switch.asked()), (None, 5));
    }

    #[test]
    fn a_flaky_partner_fails_about_as_often_as_it_says() {
        let switch = Switch::new(1);
        switch.set(Fault::Flaky { percent: 40 });
        let failed = (0..1_000).filter(|_| switch.take().is_some()).count();
        assert!((300..500).contains(&failed), "{failed} of 1000");
    }
}

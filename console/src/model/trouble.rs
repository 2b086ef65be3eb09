//! What needs somebody now: one ranked list out of everything that stands wrong.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use marsad_shared::{
    exchange::State,
    freshness::Freshness,
    health::Health,
    id::{ConnectionId, FeedId},
    protocol::{ConnectionRow, FeedRow, Status},
    run::Outcome,
};

use super::Weight;

/// One thing that needs somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    pub weight: Weight,
    pub about: About,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

/// What it is about.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    /// A connection, and how many of its feeds are behind.
    Connection(Arc<ConnectionRow>, usize),
    Feed(Arc<FeedRow>),
    /// A feed that is fresh, and whose last run failed, or holds something that a person has to decide about.
    LastRun(Arc<FeedRow>),
    /// What a feed has in quarantine.
    Held(Arc<FeedRow>),
    /// So many exchanges that wait for a person.
    Exchanges(State, u64),
}

impl Trouble {
    /// By what it is found again.
    pub fn key(&self) -> String {
        match &self.about {
            About::Connection(row, _) => format!("connection:{}", row.id),
            About::Feed(row) => format!("feed:{}", row.id),
            About::LastRun(row) => format!("run:{}", row.id),
            About::Held(row) => format!("quarantine:{}", row.id),
            About::Exchanges(state, _) => format!("exchanges:{state}"),
        }
    }

    pub fn feed(&self) -> Option<&FeedId> {
        match &self.about {
            About::Feed(row) | About::LastRun(row) | About::Held(row) => Some(&row.id),
            About::Connection(..) | About::Exchanges(..) => None,
        }
    }

    pub fn connection(&self) -> Option<&ConnectionId> {
        if let About::Connection(row, _) = &self.about { Some(&row.id) } else { None }
    }
}

/// Whether a feed lacks what it promises: it is behind, or nothing of it was ever read.
pub(super) fn is_behind(feed: &FeedRow) -> bool {
    !feed.paused && Weight::from(feed.freshness) > Weight::Calm
}

/// How much the last run of a feed that is fresh asks for somebody: one that is held waits until somebody comes, and a sweep
/// that could not tell what is gone leaves that in the bank.
fn of_last_run(feed: &FeedRow) -> Option<Weight> {
    match feed.last_outcome? {
        Outcome::Held => Some(Weight::Warn),
        _ if feed.unswept.is_some() => Some(Weight::Warn),
        Outcome::Failed => Some(Weight::Watch),
        _ => None,
    }
}

/// Everything that needs somebody, the worst first, among equals the oldest. A feed that is behind because its
/// connection is down is counted there and not named again: the cause comes once.
pub fn troubles(
    connections: &[Arc<ConnectionRow>],
    feeds: &[Arc<FeedRow>],
    status: Option<&Status>,
) -> Vec<Trouble> {
    let wanted = || connections.iter().filter(|row| row.overlays.iter().all(|o| o != "paused"));
    let down: HashSet<&ConnectionId> =
        wanted().filter(|row| row.health == Health::Down).map(|row| &row.id).collect();
    let down = |feed: &FeedRow| down.contains(&feed.connection);
    let behind = |feed: &FeedRow| Weight::from(feed.freshness) >= Weight::Watch;
    let mut hit: HashMap<&ConnectionId, usize> = HashMap::new();
    for feed in feeds.iter().filter(|feed| is_behind(feed)) {
        *hit.entry(&feed.connection).or_default() += 1;
    }
    let mut all = Vec::new();
    for row in wanted() {
        let weight = Weight::from(&**row);
        if weight >= Weight::Watch {
            let hit = hit.get(&row.id).copied().unwrap_or(0);
            let about = About::Connection(Arc::clone(row), hit);
            all.push(Trouble { weight, about, since: Some(row.since_at) });
        }
    }
    for row in feeds.iter().filter(|row| !row.paused) {
        if behind(row) && row.freshness != Freshness::Due && !down(row) {
            let about = About::Feed(Arc::clone(row));
            all.push(Trouble { weight: row.freshness.into(), about, since: row.since_at });
        } else if let Some(weight) = of_last_run(row).filter(|_| !down(row)) {
            let about = About::LastRun(Arc::clone(row));
            all.push(Trouble { weight, about, since: row.checked_at });
        }
    }
    for row in feeds.iter().filter(|row| row.quarantine > 0) {
        let about = About::Held(Arc::clone(row));
        all.push(Trouble { weight: Weight::Warn, about, since: None });
    }
    for state in [State::Rejected, State::Expired, State::InDoubt, State::Held] {
        let n = status.and_then(|status| status.exchanges.get(state.word())).copied().unwrap_or(0);
        if n > 0 {
            let about = About::Exchanges(state, n);
            all.push(Trouble { weight: state.into(), about, since: None });
        }
    }
    all.sort_by_key(|trouble| {
        (std::cmp::Reverse(trouble.weight), trouble.since.unwrap_or(Timestamp::MAX))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build;
    use marsad_shared::certificate::Validity;

    #[test]
    fn a_certificate_that_ends_needs_somebody_though_all_is_well() {
        for (certificate, weight) in [
            (Validity::Fine, None),
            (Validity::EndsSoon, Some(Weight::Warn)),
            (Validity::EndsNow, Some(Weight::Grave)),
        ] {
            let mut row = build::connection("courts/api", Health::Up);
            row.certificate = Some(certificate);
            let found = troubles(&[Arc::new(row)], &[], None);
            assert_eq!(found.first().map(|trouble| trouble.weight), weight, "{certificate}");
        }
    }

    #[test]
    fn the_worst_comes_first_and_a_cause_once() {
        let mut behind = build::feed("education/enrolments", Freshness::Expired);
        behind.connection = "education/api".parse().unwrap();
        let mut held = build::feed("courts/orders", Freshness::Fresh);
        held.quarantine = 18;
        let mut failed = build::feed("police/notices", Freshness::Fresh);
        failed.last_outcome = Some(Outcome::Failed);
        let mut waits = build::feed("police/wanted", Freshness::Fresh);
        waits.last_outcome = Some(Outcome::Held);
        let mut unswept = build::feed("police/cars", Freshness::Fresh);
        unswept.last_outcome = Some(Outcome::Unchanged);
        unswept.unswept = Some("what is gone is not known".to_owned());
        let mut paused = build::feed("health/births", Freshness::Stale);
        paused.paused = true;
        let mut never = build::feed("education/grades", Freshness::Unknown);
        never.connection = "education/api".parse().unwrap();
        let late = build::feed("x/late", Freshness::Late);
        let feeds = [behind, held, failed, waits, unswept, paused, late, never];
        let connections = [build::connection("education/api", Health::Down)];
        let mut status = build::status();
        status.exchanges.insert("rejected".to_owned(), 2);
        let found = troubles(&connections.map(Arc::new), &feeds.map(Arc::new), Some(&status));
        let keys: Vec<_> = found.iter().map(Trouble::key).collect();
        assert_eq!(
            keys,
            [
                "connection:education/api",
                "exchanges:rejected",
                "run:police/wanted",
                "run:police/cars",
                "quarantine:courts/orders",
                "feed:x/late",
                "run:police/notices"
            ]
        );
        assert!(matches!(found.first().map(|t| &t.about), Some(About::Connection(_, 2))));
    }
}

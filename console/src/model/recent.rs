//! What happened last, as far as the rows that are held tell: no log, so that it cannot say more than is true.

use std::sync::Arc;

use jiff::Timestamp;
use marsad_shared::protocol::{ConnectionRow, FeedRow, RunRow};

use super::Weight;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Run(Arc<RunRow>),
    /// The connection came to stand as it does.
    Connection(Arc<ConnectionRow>),
    /// The feed came to be behind.
    Feed(Arc<FeedRow>),
}

impl News {
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Run(row) => row.ended_at.unwrap_or(row.started_at),
            Self::Connection(row) => row.since_at,
            Self::Feed(row) => row.since_at.unwrap_or(Timestamp::MIN),
        }
    }

    pub fn weight(&self) -> Weight {
        match self {
            Self::Run(row) => row.outcome.into(),
            Self::Connection(row) => row.health.into(),
            Self::Feed(row) => row.freshness.into(),
        }
    }
}

/// The last `most` of them, the newest first.
pub fn recent(
    runs: &[Arc<RunRow>],
    connections: &[Arc<ConnectionRow>],
    feeds: &[Arc<FeedRow>],
    most: usize,
) -> Vec<News> {
    let runs = runs.iter().map(|row| News::Run(Arc::clone(row)));
    let connections = connections
        .iter()
        .filter(|row| Weight::from(row.health) != Weight::Blank)
        .map(|row| News::Connection(Arc::clone(row)));
    let feeds = feeds
        .iter()
        .filter(|row| row.since_at.is_some() && Weight::from(row.freshness) >= Weight::Watch)
        .map(|row| News::Feed(Arc::clone(row)));
    let mut all: Vec<News> = runs.chain(connections).chain(feeds).collect();
    all.sort_by_key(|news| std::cmp::Reverse(news.at()));
    all.truncate(most);
    all
}

//! What tests wait for, again and again.

use std::time::Duration;

use anyhow::Context as _;
use marsad_shared::{
    exchange::State,
    protocol::{ExchangeRow, QuarantineRow, RunRow},
    run::Outcome,
};
use marsad_tests::{
    bank,
    daemon::{Daemon, LIMIT},
    partner::{Api, Office, Truth},
};
use tokio::time::{interval, timeout};

/// What `look` finds, once it does: of what no event tells, looked for again and again.
pub(crate) async fn sight<T>(
    what: &str,
    look: impl Fn() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let mut tick = interval(Duration::from_millis(5));
    let found = async {
        loop {
            tick.tick().await;
            if let Some(found) = look()? {
                return anyhow::Ok(found);
            }
        }
    };
    timeout(LIMIT, found).await.with_context(|| format!("not within {LIMIT:?}: {what}"))?
}

/// The first run of `feed` with a number above `after` that is as `right` wants it.
pub(crate) async fn run(
    daemon: &Daemon,
    feed: &str,
    after: u64,
    what: &str,
    right: impl Fn(&RunRow) -> bool,
) -> anyhow::Result<RunRow> {
    let look = async |client: &marsad_tests::daemon::Client| {
        let runs = client.runs(feed).await?;
        Ok(runs.into_iter().find(|run| number(run) > after && right(run)))
    };
    daemon.until(&format!("a run of {feed}: {what}"), look).await
}

/// The number in a run's id.
pub(crate) fn number(run: &RunRow) -> u64 {
    run.id.to_string().trim_start_matches('r').parse().unwrap_or_default()
}

/// The number of the last run of `feed`; 0: none yet.
pub(crate) async fn last(daemon: &Daemon, feed: &str) -> anyhow::Result<u64> {
    Ok(daemon.client.runs(feed).await?.last().map(number).unwrap_or_default())
}

/// A run that ended well, after number `after`.
pub(crate) async fn good_run(daemon: &Daemon, feed: &str, after: u64) -> anyhow::Result<RunRow> {
    run(daemon, feed, after, "good", |run| run.outcome.is_good()).await
}

/// A run that failed, after number `after`, with a reason.
pub(crate) async fn failed_run(
    daemon: &Daemon,
    feed: &str,
    after: u64,
) -> anyhow::Result<(RunRow, String)> {
    let run = run(daemon, feed, after, "failed", |run| run.outcome == Outcome::Failed).await?;
    let reason = run.reason.clone().unwrap_or_default();
    Ok((run, reason))
}

/// Waits until the bank has all that the partner has, row by row.
pub(crate) async fn same(daemon: &Daemon, api: &Api) -> anyhow::Result<()> {
    let feed = api.feed();
    daemon
        .until(&format!("bank and source alike in {feed}"), async |_| {
            let found = bank::differences(&daemon.state_dir(), &feed, &api.truth())?;
            if found.is_empty() { Ok(Some(())) } else { anyhow::bail!("{found:#?}") }
        })
        .await
}

/// As [`same`], for the rows of an office.
pub(crate) async fn same_rows(
    daemon: &Daemon,
    office: &Office,
    truth: &Truth,
) -> anyhow::Result<()> {
    let feed = office.feed();
    daemon
        .until(&format!("bank and files alike in {feed}"), async |_| {
            let found = bank::differences(&daemon.state_dir(), &feed, truth)?;
            if found.is_empty() { Ok(Some(())) } else { anyhow::bail!("{found:#?}") }
        })
        .await
}

/// Waits until `feed` has at least so many items in quarantine, and gives them.
pub(crate) async fn quarantined(
    daemon: &Daemon,
    feed: &str,
    least: usize,
) -> anyhow::Result<Vec<QuarantineRow>> {
    daemon
        .until(&format!("{least} items of {feed} in quarantine"), async |client| {
            let rows = client.quarantine(feed).await?;
            Ok((rows.len() >= least).then_some(rows))
        })
        .await
}

/// Waits until every exchange is in `state`, and there are `number` of them.
pub(crate) async fn exchanges_in(
    daemon: &Daemon,
    state: State,
    number: usize,
) -> anyhow::Result<Vec<ExchangeRow>> {
    daemon
        .until(&format!("{number} exchanges {state}"), async |client| {
            let rows = client.exchanges().await?;
            let all = rows.len() == number && rows.iter().all(|row| row.state == state);
            Ok(all.then_some(rows))
        })
        .await
}

/// How many runs of `feed` ended well.
pub(crate) async fn good_runs(daemon: &Daemon, feed: &str) -> anyhow::Result<usize> {
    Ok(daemon.client.runs(feed).await?.iter().filter(|run| run.outcome.is_good()).count())
}

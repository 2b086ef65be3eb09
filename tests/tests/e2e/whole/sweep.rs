//! What changed, read often, and all there is, read now and then: what is gone is found by the second alone.

use marsad_shared::{
    protocol::RunRow,
    run::{Outcome, Trigger},
};

use super::{FEED, Reading, record};
use crate::waits;

const KEYS: &str = "incremental = { field = \"at\", param = \"since\" }\n\
                    schedule = { every = \"1s\" }\nsweep = { every = \"4s\" }";

impl Reading {
    /// Waits until the bank has what the partner has, and nothing else.
    async fn until_true(&self, what: &str) -> anyhow::Result<()> {
        waits::sight(what, || Ok((self.living()? == self.truth()).then_some(()))).await
    }
}

#[tokio::test]
async fn what_is_gone_is_found_by_a_read_of_all_there_is() -> anyhow::Result<()> {
    let mut reading = Reading::with(45, KEYS).await?;
    assert_eq!(reading.living()?, reading.truth());
    reading.shelf.take(3..8);
    reading.until_true("what is gone is found").await?;
    let swept = |run: &RunRow| run.counts.absent == 5;
    let run = waits::run(&reading.daemon, FEED, 0, "the sweep", swept).await?;
    assert_eq!((run.trigger, run.outcome), (Trigger::Schedule, Outcome::Succeeded), "{run:?}");
    assert!(run.counts.balances() && run.undoable, "{run:?}");
    assert!(run.reason.unwrap_or_default().contains("all of it was read"));

    // What only changed is not asked for the whole.
    reading.shelf.set(27, record(27, 20, false));
    reading.until_true("what changed comes").await?;
    let asked = reading.partner.asked("/cases");
    let (whole, less): (Vec<_>, Vec<_>) =
        asked.iter().partition(|asked| asked.param("since").is_none());
    assert!(
        !whole.is_empty() && !less.is_empty(),
        "both ways of asking: {} and {}",
        whole.len(),
        less.len()
    );

    // A partner that has lost most of it wipes nothing.
    let (before, truth) = (reading.living()?, reading.shelf.clone());
    let lost: Vec<_> = (10..45).collect();
    truth.take(lost.clone());
    let held =
        waits::run(&reading.daemon, FEED, run.id.0.unsigned_abs(), "the brake", |run| run.waits)
            .await?;
    assert_eq!(reading.living()?, before, "{held:?}");
    lost.iter().filter(|n| **n != 27).for_each(|n| truth.set(*n, record(*n, 0, false)));
    truth.set(27, record(27, 20, false));
    let over = |run: &RunRow| run.id == held.id && !run.waits;
    waits::run(&reading.daemon, FEED, 0, "a later read is good", over).await?;
    reading.until_true("and all is there").await?;

    // It is due behind a restart as it was before it.
    reading.daemon.kill9().await?;
    reading.shelf.take([1, 2]);
    reading.daemon.go().await?;
    reading.until_true("what went meanwhile is found").await?;
    Ok(())
}

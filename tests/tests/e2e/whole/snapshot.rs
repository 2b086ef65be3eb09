//! Snapshots: a complete read is the whole truth, and what it no longer has is gone; but never on a doubt.

use marsad_shared::run::Outcome;
use serde_json::json;

use super::{Reading, record};

const SNAPSHOT: &str = "mode = \"snapshot\"";

#[tokio::test]
async fn what_a_snapshot_no_longer_has_is_gone_and_comes_back_when_it_does() -> anyhow::Result<()> {
    let reading = Reading::with(35, SNAPSHOT).await?;
    assert_eq!(reading.living()?, reading.truth());
    reading.shelf.take([3, 17]);
    reading.shelf.set(5, record(5, 7, false));
    let run = reading.read(false).await?;
    assert_eq!(run.outcome, Outcome::Succeeded, "{run:#?}");
    let counts = run.counts;
    assert_eq!((counts.received, counts.updated, counts.absent), (33, 1, 2), "{counts:?}");
    assert!(counts.balances() && run.undoable, "{run:?}");
    assert_eq!(reading.living()?, reading.truth());

    let again = reading.read(false).await?;
    assert_eq!((again.outcome, again.counts.absent), (Outcome::Unchanged, 0), "{again:?}");
    reading.shelf.set(3, record(3, 1, false));
    let back = reading.read(false).await?;
    assert_eq!((back.counts.updated, back.counts.inserted), (1, 0), "{back:?}");
    assert_eq!(reading.living()?, reading.truth());
    Ok(())
}

#[tokio::test]
async fn nothing_is_taken_for_gone_on_a_doubt() -> anyhow::Result<()> {
    let reading = Reading::with(35, SNAPSHOT).await?;
    // One record cannot be read: nobody knows whose row it is.
    reading.shelf.take([1]);
    reading.shelf.set(2, json!({ "id": "c0002", "what": "seven", "at": "2026-01-03T00:00:00Z" }));
    let run = reading.read(false).await?;
    assert_eq!((run.outcome, run.counts.absent), (Outcome::Partial, 0), "{run:?}");
    assert!(run.reason.unwrap_or_default().contains("not taken for gone"));
    assert_eq!(reading.living()?.len(), 35);
    // The partner says that there is one more than it gave: a page lost a row.
    reading.shelf.set(2, record(2, 0, false));
    reading.shelf.0.lock().unwrap().total = Some(35);
    let run = reading.read(false).await?;
    assert!(run.outcome.is_good() && run.counts.absent == 0, "{run:?}");
    assert!(run.reason.unwrap_or_default().contains("may not be all there is"));
    assert_eq!(reading.living()?.len(), 35);
    reading.shelf.0.lock().unwrap().total = None;
    let run = reading.read(false).await?;
    assert_eq!(run.counts.absent, 1, "{run:?}");
    assert_eq!(reading.living()?, reading.truth());
    Ok(())
}

#[tokio::test]
async fn a_record_of_an_append_feed_never_changes() -> anyhow::Result<()> {
    let reading = Reading::with(12, "mode = \"append\"").await?;
    let before = reading.bytes()?;
    reading.shelf.set(4, record(4, 9, false));
    reading.shelf.take([5]);
    let run = reading.read(false).await?;
    let counts = run.counts;
    assert_eq!((counts.filtered, counts.unchanged, counts.updated), (1, 10, 0), "{run:?}");
    assert!(counts.balances());
    assert_eq!(reading.bytes()?, before);
    reading.shelf.set(40, record(40, 1, false));
    let run = reading.read(false).await?;
    assert_eq!((run.counts.inserted, run.outcome), (1, Outcome::Succeeded), "{run:?}");
    Ok(())
}

//! The brake: what looks wrong is held whole, and a person releases it, lets it go, or takes it back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use marsad_shared::{protocol::RunVerb, run::Outcome};
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{PartnerFile, Reply, Script},
};
use serde_json::json;

use super::{FEED, Reading, record};
use crate::waits;

const SNAPSHOT: &str = "mode = \"snapshot\"";
const DELETED: &str = "deleted = { field = \"gone\", values = [\"true\"] }\n\
     incremental = { field = \"at\", param = \"since\" }";

#[tokio::test]
async fn a_snapshot_of_half_is_held_whole_released_and_undone() -> anyhow::Result<()> {
    let mut reading = Reading::with(40, SNAPSHOT).await?;
    let (before, first) = (reading.bytes()?, reading.living()?);
    reading.shelf.take(20..40);
    reading.shelf.set(1, record(1, 9, false));
    reading.shelf.set(90, record(90, 9, false));
    let run = reading.read(false).await?;
    assert_eq!((run.outcome, run.waits), (Outcome::Held, true), "{run:#?}");
    let counts = run.counts;
    assert_eq!((counts.inserted, counts.updated, counts.absent), (1, 1, 20), "{counts:?}");
    let reason = run.reason.unwrap_or_default();
    assert!(
        reason.contains("20 of 40 records (50 %") && reason.contains("run release"),
        "{reason}"
    );
    assert_eq!(reading.bytes()?, before, "nothing of it is in the bank");
    let feed = reading.daemon.client.feed(FEED).await?;
    assert_eq!(feed.rows, 40);

    // It waits over a restart, killed or not.
    reading.daemon.kill9().await?;
    reading.daemon.go().await?;
    let shown = reading.ended(&run.id.to_string()).await?;
    assert!(shown.waits, "{shown:?}");
    let reply = reading.daemon.client.decide(RunVerb::Release, run.id).await?;
    assert!(reply.said.contains("released by"), "{reply:?}");
    assert_eq!(reading.living()?, reading.truth(), "what was shown is what came");
    let shown = reading.ended(&run.id.to_string()).await?;
    assert_eq!((shown.outcome, shown.waits, shown.undoable), (Outcome::Succeeded, false, true));
    assert!(reading.daemon.client.decide(RunVerb::Release, run.id).await.is_err(), "once");

    let reply = reading.daemon.client.decide(RunVerb::Undo, run.id).await?;
    assert!(reply.said.contains("21 records are as they were"), "{reply:?}");
    assert_eq!(reading.bytes()?, before, "byte for byte");
    assert_eq!(reading.living()?, first);
    assert!(reading.daemon.client.decide(RunVerb::Undo, run.id).await.is_err(), "once");
    let audit = reading.daemon.cli(&["audit", "verify"]).await?;
    assert_eq!(audit.code, 0, "{}", audit.err);
    Ok(())
}

#[tokio::test]
async fn a_partner_that_sends_nothing_is_held_and_heals_by_itself() -> anyhow::Result<()> {
    let reading = Reading::with(30, SNAPSHOT).await?;
    let before = reading.bytes()?;
    reading.shelf.take(0..30);
    let run = reading.read(false).await?;
    assert_eq!((run.outcome, run.counts.absent), (Outcome::Held, 30), "{run:?}");
    let second = reading.read(false).await?;
    assert_eq!(second.outcome, Outcome::Held, "{second:?}");
    let first = reading.ended(&run.id.to_string()).await?;
    assert_eq!((first.outcome, first.waits), (Outcome::Cancelled, false), "{first:?}");
    (0..30).for_each(|n| reading.shelf.set(n, record(n, 0, false)));
    let good = reading.read(false).await?;
    assert_eq!(good.outcome, Outcome::Unchanged, "{good:?}");
    let second = reading.ended(&second.id.to_string()).await?;
    assert_eq!((second.outcome, second.waits), (Outcome::Cancelled, false), "{second:?}");
    assert!(second.reason.unwrap_or_default().contains(&good.id.to_string()));
    assert!(reading.daemon.client.decide(RunVerb::Release, second.id).await.is_err());
    assert_eq!(reading.bytes()?, before);
    Ok(())
}

#[tokio::test]
async fn what_is_held_is_let_go_without_a_trace() -> anyhow::Result<()> {
    let reading = Reading::with(30, SNAPSHOT).await?;
    let before = reading.bytes()?;
    reading.shelf.take(0..15);
    let run = reading.read(false).await?;
    assert!(run.waits, "{run:?}");
    reading.daemon.client.decide(RunVerb::Discard, run.id).await?;
    assert_eq!(reading.bytes()?, before);
    let shown = reading.ended(&run.id.to_string()).await?;
    assert_eq!((shown.outcome, shown.waits), (Outcome::Cancelled, false), "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn a_partner_that_names_too_many_deletions_is_held_page_and_all() -> anyhow::Result<()> {
    let reading = Reading::with(60, DELETED).await?;
    let before = reading.bytes()?;
    // Changed last, each of them, and deleted: the first page names ten, which are believed; then it is too much.
    let gone = |n| json!({ "id": format!("c{n:04}"), "what": 0, "at": "2026-02-01T00:00:00Z", "gone": true });
    (0..40).for_each(|n| reading.shelf.set(n, gone(n)));
    let run = reading.read(true).await?;
    assert_eq!(run.outcome, Outcome::Held, "{run:#?}");
    assert_eq!(reading.bytes()?, before, "a full read is held whole");
    reading.daemon.client.decide(RunVerb::Discard, run.id).await?;
    let run = reading.read(false).await?;
    assert_eq!(run.outcome, Outcome::Held, "{run:#?}");
    assert!(reading.living()?.len() >= 41, "and an incremental one goes no further");
    let (living, mut run) = (reading.living()?, run);
    for _ in 0..4 {
        run = reading.read(false).await?;
        assert_eq!(run.outcome, Outcome::Held, "however often it is tried: {run:#?}");
        assert_eq!(reading.living()?, living);
    }
    let reason = run.reason.clone().unwrap_or_default();
    assert!(reason.contains("which the partner says are gone"), "{reason}");
    let reply = reading.daemon.client.decide(RunVerb::Release, run.id).await?;
    let again = reply.said.rsplit(' ').next().unwrap_or_default().to_owned();
    let again = reading.ended(&again).await?;
    assert_eq!(again.outcome, Outcome::Succeeded, "{again:?}");
    assert_eq!(reading.living()?, reading.truth());
    Ok(())
}

#[tokio::test]
async fn a_member_that_no_record_has_any_more_is_held_until_somebody_decides() -> anyhow::Result<()>
{
    let reading = Reading::with(40, SNAPSHOT).await?;
    let before = reading.bytes()?;
    let renamed =
        |n, value| json!({ "id": format!("c{n:04}"), "was": value, "at": "2026-02-01T00:00:00Z" });
    (0..40).for_each(|n| reading.shelf.set(n, renamed(n, 1)));
    let run = reading.read(false).await?;
    let reason = run.reason.clone().unwrap_or_default();
    assert_eq!(run.outcome, Outcome::Held, "{run:#?}");
    assert!(reason.contains("none of 40 records has \"what\", which most"), "{reason}");
    assert_eq!(reading.bytes()?, before, "no value is wiped");
    let schema = reading.daemon.json(&["schema", "show", FEED]).await?;
    let gone = schema["drift"].as_array().into_iter().flatten().find(|row| row["field"] == "what");
    assert_eq!(gone.map(|row| &row["change"]), Some(&json!("gone")), "{schema}");
    // Of records that are new or changed it may just be so: what is not all there is is told, and not held.
    let changes = Reading::with(40, "incremental = { field = \"at\", param = \"since\" }").await?;
    // The one at which the cursor stands would come again.
    changes.shelf.take(27..28);
    (0..40).for_each(|n| changes.shelf.set(100 + n, renamed(100 + n, 1)));
    let run = changes.read(false).await?;
    assert_eq!((run.outcome, run.counts.inserted), (Outcome::Succeeded, 40), "{run:#?}");
    assert!(run.reason.unwrap_or_default().contains("none of 40 records has \"what\""));
    // The partner has really left it out.
    reading.daemon.json(&["schema", "approve", FEED, "what"]).await?;
    let run = reading.read(false).await?;
    assert_eq!((run.outcome, run.counts.updated), (Outcome::Succeeded, 40), "{run:#?}");
    Ok(())
}

#[tokio::test]
async fn a_list_that_is_suddenly_empty_is_no_green_light() -> anyhow::Result<()> {
    let reading = Reading::with(20, "").await?;
    for _ in 0..5 {
        assert!(reading.read(false).await?.outcome.is_good());
    }
    let before = reading.bytes()?;
    reading.shelf.take(0..20);
    let run = reading.read(false).await?;
    assert_eq!(run.outcome, Outcome::Held, "{run:?}");
    assert!(run.reason.unwrap_or_default().contains("brought 0 rows"));
    assert_eq!(reading.bytes()?, before, "absence means nothing here, and nothing is lost");
    // The partner says that it is right.
    reading.daemon.client.decide(RunVerb::Release, run.id).await?;
    let runs = reading.daemon.client.runs(FEED).await?;
    assert_eq!(runs.last().map(|run| run.outcome), Some(Outcome::Unchanged), "{runs:#?}");
    Ok(())
}

#[tokio::test]
async fn an_undo_lets_go_of_what_waits_and_freshens_nothing() -> anyhow::Result<()> {
    let reading = Reading::with(40, SNAPSHOT).await?;
    reading.shelf.set(1, record(1, 9, false));
    let changed = reading.read(false).await?;
    reading.shelf.take(20..40);
    let waits = reading.read(false).await?;
    assert!(changed.undoable && waits.waits, "{changed:?} {waits:?}");
    let before = reading.daemon.client.feed(FEED).await?;
    reading.daemon.client.decide(RunVerb::Undo, changed.id).await?;
    // It was weighed against what is no longer so.
    let waited = reading.ended(&waits.id.to_string()).await?;
    assert_eq!((waited.outcome, waited.waits), (Outcome::Cancelled, false), "{waited:?}");
    assert!(reading.daemon.client.decide(RunVerb::Release, waits.id).await.is_err());
    let after = reading.daemon.client.feed(FEED).await?;
    assert_eq!((after.checked_at, after.arrived_at), (before.checked_at, before.arrived_at));
    assert_eq!((after.next_at, after.rows), (before.next_at, 40));
    Ok(())
}

#[tokio::test]
async fn an_answer_as_it_was_before_the_one_that_waits_is_read_and_lets_go_of_it()
-> anyhow::Result<()> {
    let rows = Arc::new(AtomicU64::new(9));
    let there = Arc::clone(&rows);
    let partner = Script::start(move |asked| {
        let rows = there.load(Ordering::SeqCst);
        let tag = format!("\"of {rows}\"");
        if asked.header("if-none-match") == Some(tag.as_str()) {
            return Reply::status(304).header("etag", &tag);
        }
        let rows: Vec<_> = (0..rows).map(|n| record(n, 0, false)).collect();
        Reply::json(&json!({ "data": rows })).header("etag", &tag)
    })
    .await?;
    let mut file = PartnerFile::new("registry");
    file.connection("api", &format!("base_url = \"http://{}\"\n", partner.address()));
    file.add(
        "\n[[feed]]\nid = \"cases\"\nconnection = \"api\"\npath = \"/cases\"\nrecords = \"$.data[*]\"\n\
         key = [\"id\"]\nmode = \"snapshot\"\nschedule = { every = \"1h\" }\n\
         fields = { id = \"text\", what = \"integer\", at = \"timestamp\" }\n",
    );
    let daemon = Daemon::start(Home::with(&[&file])?).await?;
    waits::good_run(&daemon, FEED, 0).await?;
    let read = async || {
        let id = daemon.client.resync(FEED, false).await?.run.unwrap().to_string();
        waits::run(&daemon, FEED, 0, &id, |run| {
            run.id.to_string() == id && run.outcome != Outcome::Running
        })
        .await
    };
    assert_eq!(read().await?.outcome, Outcome::Unchanged, "it is not sent again");
    rows.store(2, Ordering::SeqCst);
    let waits = read().await?;
    assert_eq!((waits.outcome, waits.counts.absent), (Outcome::Held, 7), "{waits:?}");
    assert_eq!(read().await?.outcome, Outcome::Held, "nor is what waits green as it comes again");
    rows.store(9, Ordering::SeqCst);
    let good = read().await?;
    assert_eq!((good.outcome, good.counts.unchanged), (Outcome::Unchanged, 9), "{good:?}");
    let runs = daemon.client.runs(FEED).await?;
    assert!(runs.iter().all(|run| !run.waits && run.outcome != Outcome::Held), "{runs:#?}");
    Ok(())
}

//! Full resyncs and windows: loaded beside the bank, shown before they join, cancelled at any moment, undone.

use anyhow::Context as _;
use marsad_shared::{
    protocol::{ResyncReply, RunRow, RunVerb},
    run::{Outcome, Trigger},
};
use serde_json::{Value, json};

use super::{FEED, Reading, record};
use crate::waits;
use marsad_tests::bank;

const INCREMENTAL: &str = "incremental = { field = \"at\", param = \"since\" }";

impl Reading {
    async fn order(&self, order: Value) -> anyhow::Result<ResyncReply> {
        self.daemon.client.post("resync", &order).await
    }

    async fn cursor(&self) -> anyhow::Result<Option<String>> {
        Ok(self.daemon.client.feed(FEED).await?.cursor)
    }

    async fn run(&self, id: &str) -> anyhow::Result<RunRow> {
        let runs = self.daemon.client.runs(FEED).await?;
        runs.into_iter().find(|run| run.id.to_string() == id).context("no such run")
    }

    /// Whether something that a person ordered is not done.
    fn ordered(&self) -> anyhow::Result<bool> {
        let db = bank::open(&self.daemon.state_dir(), "ledger.db")?;
        let sql = "SELECT ordered IS NOT NULL FROM feed_state WHERE feed = ?";
        Ok(db.query_row(sql, [FEED], |row| row.get(0))?)
    }

    /// Orders a full read that gets no answer for that page, and gives the run once it has asked for it.
    async fn stuck_at(&self, page: u64) -> anyhow::Result<String> {
        self.shelf.stick(page);
        let asked = self.partner.asked("/cases").len();
        let run = self.order(json!({ "feed": FEED, "full": true })).await?.run.unwrap();
        self.partner.until_asked("/cases", asked + usize::try_from(page)?).await;
        Ok(run.to_string())
    }
}

#[tokio::test]
async fn a_full_resync_that_is_cancelled_or_killed_leaves_the_bank_as_it_was() -> anyhow::Result<()>
{
    let mut reading = Reading::with(1_000, INCREMENTAL).await?;
    let (before, cursor) = (reading.bytes()?, reading.cursor().await?);
    // Older than the cursor: only a full read finds it.
    let mended = |n| json!({ "id": format!("c{n:04}"), "what": 5, "at": "2026-01-01T00:00:00Z" });
    (0..1_000).for_each(|n| reading.shelf.set(n, mended(n)));
    for page in [2, 50, 100] {
        let run = reading.stuck_at(page).await?;
        let said = reading.daemon.cli(&["run", "cancel", &run, "--json"]).await?;
        assert_eq!(said.code, 0, "{}", said.err);
        let ended = reading.ended(&run).await?;
        assert_eq!(ended.outcome, Outcome::Cancelled, "{ended:?}");
        assert!(ended.reason.unwrap_or_default().starts_with("cancelled by "));
        assert!(reading.bytes()? == before, "cancelled at page {page}");
    }
    for page in [2, 99] {
        let run = reading.stuck_at(page).await?;
        reading.daemon.kill9().await?;
        assert!(reading.bytes()? == before, "killed at page {page}");
        let asked = reading.partner.asked("/cases").len();
        reading.daemon.go().await?;
        let ended = reading.ended(&run).await?;
        assert_eq!(ended.outcome, Outcome::Cancelled, "{ended:?}");
        // What was ordered is begun once more, by itself.
        reading.partner.until_asked("/cases", asked + usize::try_from(page)?).await;
        assert!(reading.bytes()? == before, "killed at page {page} and started again");
        let again = reading.daemon.client.runs(FEED).await?;
        let again = again.last().context("no run")?.id.to_string();
        assert!(reading.ordered()?, "and is known until it is done");
        let said = reading.daemon.cli(&["run", "cancel", &again, "--json"]).await?;
        assert_eq!(said.code, 0, "{}", said.err);
        let ended = reading.ended(&again).await?;
        assert_eq!((ended.outcome, ended.trigger), (Outcome::Cancelled, Trigger::Retry));
    }
    assert_eq!(reading.cursor().await?, cursor);
    let said = reading.daemon.cli(&["run", "cancel", "r1", "--json"]).await?;
    assert_eq!(said.code, 1, "it is over: {}", said.err);
    let run = reading.stuck_at(2).await?;
    reading.daemon.kill9().await?;
    reading.shelf.stick(None);
    reading.daemon.go().await?;
    let done = |run: &RunRow| run.trigger == Trigger::Retry && run.outcome == Outcome::Succeeded;
    let again = waits::run(&reading.daemon, FEED, 0, "the order, done", done).await?;
    assert_eq!((again.counts.updated, again.actor), (1_000, reading.run(&run).await?.actor));
    waits::sight("what is done is forgotten", || Ok((!reading.ordered()?).then_some(()))).await?;
    Ok(())
}

#[tokio::test]
async fn a_full_resync_waits_to_be_seen_does_what_it_showed_and_is_undone() -> anyhow::Result<()> {
    let reading = Reading::with(45, INCREMENTAL).await?;
    let (before, cursor) = (reading.bytes()?, reading.cursor().await?);
    // What the cursor has passed: only a full read finds it.
    (0..5).for_each(|n| reading.shelf.set(n, record(n, 3, false)));
    (100..103).for_each(|n| reading.shelf.set(n, record(n, 1, false)));
    reading.shelf.set(27, record(27, 20, false));
    reading.shelf.take([9]);
    let reply = reading.order(json!({ "feed": FEED, "full": true, "hold": true })).await?;
    let run = reading.ended(&reply.run.unwrap().to_string()).await?;
    assert_eq!((run.outcome, run.waits), (Outcome::Held, true), "{run:?}");
    let shown = run.counts;
    assert_eq!(
        (shown.inserted, shown.updated, shown.absent),
        (3, 6, 0),
        "absence means nothing here"
    );
    assert!(reading.bytes()? == before);

    // Meanwhile the feed goes on: what it brings is newer than what waits.
    reading.shelf.set(27, record(27, 21, false));
    let later = reading.read(false).await?;
    assert!(later.outcome.is_good(), "{later:?}");
    let newest = reading.cursor().await?;
    assert_ne!(newest, cursor);
    let said = reading.daemon.client.decide(RunVerb::Release, run.id).await?.said;
    assert!(said.contains("1 records stay"), "{said}");
    let mut truth = reading.truth();
    truth.insert(9, 0);
    assert_eq!(reading.living()?, truth);
    assert_eq!(reading.cursor().await?, newest, "it has moved since");

    reading.daemon.client.decide(RunVerb::Undo, run.id).await?;
    let undone = reading.living()?;
    assert_eq!((undone.len(), undone[&0], undone[&27]), (45, 0, 21), "but for what came later");
    let last: RunRow = reading.daemon.client.runs(FEED).await?.pop().unwrap();
    assert_eq!((last.counts.updated, last.counts.deleted), (5, 3), "{last:?}");
    Ok(())
}

#[tokio::test]
async fn an_undone_resync_sets_the_cursor_back_where_it_stood() -> anyhow::Result<()> {
    let reading = Reading::with(25, INCREMENTAL).await?;
    let (before, cursor) = (reading.bytes()?, reading.cursor().await?);
    reading.shelf.set(26, record(26, 23, false));
    let run = reading.read(true).await?;
    assert!(run.outcome == Outcome::Succeeded && run.undoable, "{run:?}");
    assert_ne!(reading.cursor().await?, cursor);
    let said = reading.daemon.cli(&["undo", &run.id.to_string(), "--json"]).await?;
    assert_eq!(said.code, 2, "without a reason nothing is done in a script: {}", said.err);
    let id = run.id.to_string();
    let said = reading.daemon.json(&["undo", &id, "--reason", "the wrong feed"]).await?;
    assert!(said["said"].as_str().unwrap_or_default().contains("the cursor is set back"), "{said}");
    assert_eq!((reading.bytes()?, reading.cursor().await?), (before, cursor));
    let next = reading.read(false).await?;
    assert_eq!(next.counts.inserted, 1, "and the next run brings it: {next:?}");
    Ok(())
}

#[tokio::test]
async fn what_later_runs_passed_because_an_undone_one_had_it_is_asked_for_again()
-> anyhow::Result<()> {
    let reading = Reading::with(25, INCREMENTAL).await?;
    reading.shelf.set(26, record(26, 23, false));
    let full = reading.read(true).await?;
    // A later run moves the cursor on.
    reading.shelf.set(27, record(27, 24, false));
    assert_eq!(reading.read(false).await?.counts.inserted, 1);
    reading.daemon.client.decide(RunVerb::Undo, full.id).await?;
    assert_ne!(reading.living()?, reading.truth());
    assert!(reading.read(false).await?.outcome.is_good());
    assert_eq!(reading.living()?, reading.truth(), "nothing is lost for good");
    // Two in their order: the second moves the cursor no further on again.
    let mut runs = Vec::new();
    for n in [1, 2] {
        reading.shelf.set(27 + 28 * n, record(27 + 28 * n, 24 - n % 2, false));
        reading.shelf.set(n, record(n, 20 + n, false));
        runs.push(reading.read(true).await?.id);
    }
    for run in runs {
        reading.daemon.client.decide(RunVerb::Undo, run).await?;
    }
    assert_ne!(reading.living()?, reading.truth());
    reading.read(true).await?;
    assert_eq!(reading.living()?, reading.truth());
    Ok(())
}

#[tokio::test]
async fn whatever_order_runs_are_undone_in_and_wherever_the_cursor_was_set_nothing_is_lost()
-> anyhow::Result<()> {
    for (newest_first, rewinds) in [(true, false), (false, false), (true, true), (false, true)] {
        let reading = Reading::with(5, INCREMENTAL).await?;
        let mut runs = Vec::new();
        for n in [12, 15, 18] {
            reading.shelf.set(n, record(n, 3, false));
            runs.push(reading.read(true).await?.id);
        }
        if rewinds {
            // Behind where the runs stood before: what lies in front of it is not asked for by that.
            let to =
                ["cursor", "rewind", FEED, "--to", "2026-01-18T00:00:00Z", "--reason", "late rows"];
            reading.daemon.json(&to).await?;
        }
        if newest_first {
            runs.reverse();
        }
        for run in runs {
            reading.daemon.client.decide(RunVerb::Undo, run).await?;
        }
        assert_ne!(reading.living()?, reading.truth());
        reading.read(false).await?;
        let why = format!("newest first: {newest_first}, after a rewind: {rewinds}");
        assert_eq!(reading.living()?, reading.truth(), "{why}");
    }
    Ok(())
}

#[tokio::test]
async fn an_undo_of_an_earlier_run_forgets_nothing_that_was_known() -> anyhow::Result<()> {
    let reading = Reading::with(15, &format!("history = true\n{INCREMENTAL}")).await?;
    let now = async || Ok::<_, anyhow::Error>(reading.daemon.client.status().await?.at.to_string());
    let mut known = vec![(now().await?, 0)];
    let mut runs = Vec::new();
    for what in [20, 21] {
        reading.shelf.set(14, record(14, what, false));
        runs.push(reading.read(true).await?.id);
        known.push((now().await?, what));
    }
    reading.daemon.client.decide(RunVerb::Undo, runs[0]).await?;
    for (at, what) in known {
        let rows = reading.daemon.json(&["records", FEED, "--as-of", &at, "--limit", "0"]).await?;
        assert_eq!(rows.as_array().map(Vec::len), Some(15));
        assert_eq!(rows[14]["fields"]["what"], json!(what), "{rows}");
    }
    Ok(())
}

#[tokio::test]
async fn a_window_is_read_again_and_the_cursor_never_hears_of_it() -> anyhow::Result<()> {
    let reading = Reading::with(84, INCREMENTAL).await?;
    let cursor = reading.cursor().await?;
    // Of 84 records each day of January has three; all are mended, those of the 10th to the 12th are asked for.
    (0..84).for_each(|n| reading.shelf.set(n, record(n, 2, false)));
    let order =
        ["resync", FEED, "--since", "2026-01-10T00:00:00Z", "--until", "2026-01-12T23:00:00Z"];
    let preview = reading.daemon.json(&[&order[..], &["--dry-run"]].concat()).await?;
    let preview = &preview["preview"];
    assert_eq!(preview["scope"], "window", "{preview}");
    let run = reading.daemon.json(&[&order[..], &["--wait"]].concat()).await?;
    assert_eq!((&run["updated"], &run["inserted"]), (&json!(9), &json!(0)), "{run}");
    // This partner cannot be told where to end: all from the 10th on is read, and the rest passed over.
    assert_eq!((&preview["rows"], &run["received"]), (&json!(57), &json!(57)), "{preview} {run}");
    let pages = |told: &Value| told["pages"].as_u64().unwrap_or_default();
    assert!(pages(preview).abs_diff(pages(&run)) <= 1, "{preview} {run}");
    let mended: Vec<u64> =
        reading.living()?.into_iter().filter(|(_, what)| *what == 2).map(|(n, _)| n % 28).collect();
    assert_eq!(mended.len(), 9);
    assert!(mended.iter().all(|day| (9..12).contains(day)), "{mended:?}");
    assert_eq!(reading.cursor().await?, cursor);
    let id = run["run"].as_str().unwrap_or_default().to_owned();
    reading.daemon.json(&["undo", &id, "--reason", "a trial"]).await?;
    assert!(reading.living()?.values().all(|what| *what == 0));
    assert_eq!(reading.cursor().await?, cursor);
    let bad = reading.daemon.cli(&["resync", FEED, "--since", "yesterday-ish", "--json"]).await?;
    assert_eq!(bad.code, 1, "{}", bad.err);
    Ok(())
}

#[tokio::test]
async fn a_feed_that_remembers_tells_what_was_known_when() -> anyhow::Result<()> {
    let reading = Reading::with(15, &format!("history = true\n{INCREMENTAL}")).await?;
    let now = async || Ok::<_, anyhow::Error>(reading.daemon.client.status().await?.at.to_string());
    let known = async |at: &str| {
        let rows = reading.daemon.json(&["records", FEED, "--as-of", at, "--limit", "0"]).await?;
        let rows = rows.as_array().cloned().unwrap_or_default();
        let each = rows.iter().map(|row| (row["fields"]["what"].clone(), row["run"].clone()));
        Ok::<_, anyhow::Error>(each.collect::<Vec<_>>())
    };
    let first = now().await?;
    let mut brought = String::new();
    for what in [20, 21, 22] {
        reading.shelf.set(14, record(14, what, false));
        let run = reading.read(false).await?;
        assert_eq!(run.counts.updated, 1, "{run:?}");
        brought = run.id.to_string();
    }
    let last = now().await?;
    reading.shelf.set(14, record(14, 23, false));
    reading.shelf.set(15, record(15, 23, false));
    reading.read(false).await?;
    let whats = |rows: &[(Value, Value)]| rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
    assert_eq!(whats(&known(&first).await?), vec![json!(0); 15]);
    let then = known(&last).await?;
    assert_eq!((then.len(), &then[14].0), (15, &json!(22)), "{then:?}");
    assert_eq!(then[14].1, json!(brought), "with the run that brought it");
    assert_eq!(whats(&known(&now().await?).await?)[14..], [json!(23), json!(23)]);
    let before = ["records", FEED, "--as-of", "2026-01-01T00:00:00Z", "--json"];
    let before = reading.daemon.cli(&before).await?;
    assert_eq!(before.code, 2, "{}", before.out);
    assert!(before.err.contains("remembers what was known since"), "{}", before.err);
    Ok(())
}

#[tokio::test]
async fn what_is_kept_no_longer_is_not_taken_for_what_never_was() -> anyhow::Result<()> {
    let keys = format!("history = true\nhistory_versions = 2\n{INCREMENTAL}");
    let mut reading = Reading::with(15, &keys).await?;
    let first = reading.daemon.client.status().await?.at.to_string();
    for what in [20, 21, 22, 23, 24] {
        reading.shelf.set(14, record(14, what, false));
        reading.read(false).await?;
    }
    // With its start, the daemon lets go of what is beyond them.
    reading.daemon.kill9().await?;
    reading.daemon.go().await?;
    let known = async |_: &_| {
        let db = bank::open(&reading.daemon.state_dir(), "cache.db")?;
        let sql = "SELECT count(*) FROM registry__cases__past";
        let versions: i64 = db.query_row(sql, [], |row| row.get(0))?;
        Ok((versions == 2).then_some(()))
    };
    reading.daemon.until("the oldest versions are forgotten", known).await?;
    let rows = reading.daemon.json(&["records", FEED, "--as-of", &first, "--limit", "0"]).await?;
    let rows = rows.as_array().cloned().unwrap_or_default();
    assert_eq!(rows.len(), 15, "all of them were known then");
    let lost: Vec<_> = rows.iter().filter(|row| row["forgotten"] == json!(true)).collect();
    assert_eq!(lost.len(), 1, "{rows:#?}");
    assert_eq!((&lost[0]["key"][0], &lost[0]["fields"]["what"]), (&json!("c0014"), &Value::Null));
    Ok(())
}

//! What changed, read often, and all there is, read now and then: what is gone is found by the second alone.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use marsad_shared::{
    protocol::RunRow,
    run::{Outcome, Trigger},
};
use marsad_tests::{
    bank,
    daemon::{Client, Daemon, Home},
    partner::{PartnerFile, Reply, Script},
};
use serde_json::json;

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
    let after = run.id.0.unsigned_abs();
    let braked = |run: &RunRow| run.outcome == Outcome::Held;
    let held = waits::run(&reading.daemon, FEED, after, "the brake", braked).await?;
    let reason = held.reason.unwrap_or_default();
    assert!(reason.contains("nothing waits") && !held.waits, "{reason}");
    assert_eq!(reading.living()?, before, "{reason}");
    // Whatever reads of changes come behind it, it is told.
    let later = |run: &RunRow| run.outcome == Outcome::Unchanged;
    waits::run(&reading.daemon, FEED, held.id.0.unsigned_abs(), "changes", later).await?;
    let said = reading.daemon.cli(&["status"]).await?;
    assert!(
        said.out.contains("NOT WELL") && said.out.contains("what is gone is not known"),
        "{}",
        said.out
    );
    lost.iter().filter(|n| **n != 27).for_each(|n| truth.set(*n, record(*n, 0, false)));
    truth.set(27, record(27, 20, false));
    let known =
        async |client: &Client| Ok(client.feed(FEED).await?.unswept.is_none().then_some(()));
    reading.daemon.until("a sweep that can tell", known).await?;
    reading.until_true("and all is there").await?;

    // It is due behind a restart as it was before it.
    reading.daemon.kill9().await?;
    reading.shelf.take([1, 2]);
    reading.daemon.go().await?;
    reading.until_true("what went meanwhile is found").await?;
    Ok(())
}

/// What a sweep meets while it goes on is not all that was changed: the next read goes on from where the last one of changes came.
#[tokio::test]
async fn a_sweep_moves_no_cursor_and_its_second_look_neither() -> anyhow::Result<()> {
    // How many changes there were, and with which of them each record was changed last.
    let changes: Arc<Mutex<(u64, BTreeMap<u64, u64>)>> =
        Arc::new(Mutex::new((60, (1..=60).map(|n| (n, n)).collect())));
    let shelf = Arc::clone(&changes);
    let partner = Script::start(move |asked| {
        let mut held = shelf.lock().unwrap();
        let since = asked.number("since").unwrap_or_default();
        let after = asked.number("after").unwrap_or_default();
        let all: Vec<_> = held.1.iter().filter(|(n, at)| **at > since && **n > after).collect();
        let rows: Vec<_> =
            all.iter().take(20).map(|(n, at)| json!({ "id": n, "what": at })).collect();
        let next = if all.len() > 20 { rows.last().map(|row| row["id"].to_string()) } else { None };
        let reply =
            Reply::json(&json!({ "data": rows, "next": next, "token": held.0.to_string() }));
        if asked.param("since").is_none() && after == 0 && !held.1.contains_key(&5) {
            // While a read of all there is goes on, what it has passed is changed, and something is added.
            let at = held.0 + 1;
            held.1.extend([(7, at), (100 + at, at)]);
            held.0 = at;
        }
        reply
    })
    .await?;
    let mut file = PartnerFile::new("registry");
    file.connection("api", &format!("base_url = \"http://{}\"\n", partner.address()));
    file.add(
        "\n[[feed]]\nid = \"cases\"\nconnection = \"api\"\npath = \"/cases\"\nrecords = \"$.data[*]\"\nkey = [\"id\"]\n\
         pagination = { kind = \"cursor\", param = \"after\", next = \"$.next\" }\n\
         incremental = { by = \"token\", param = \"since\", token = \"$.token\" }\n\
         schedule = { every = \"1s\" }\nsweep = { every = \"20s\" }\nfields = { id = \"integer\", what = \"integer\" }\n",
    );
    let daemon = Daemon::start(Home::with(&[&file])?).await?;
    waits::good_run(&daemon, FEED, 0).await?;
    changes.lock().unwrap().1.remove(&5);
    let swept =
        |run: &RunRow| run.reason.as_deref().is_some_and(|why| why.contains("all of it was read"));
    let run = waits::run(&daemon, FEED, 0, "the sweep", swept).await?;
    waits::run(&daemon, FEED, run.id.0.unsigned_abs(), "the next read", |run| {
        run.outcome.is_good()
    })
    .await?;
    let db = bank::open(&daemon.state_dir(), "cache.db")?;
    let sql = "SELECT id, what FROM registry__cases WHERE _deleted IS NULL AND id <> 5";
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    let rows: BTreeMap<u64, u64> = rows.collect::<Result<_, _>>()?;
    assert_eq!(
        rows,
        changes.lock().unwrap().1,
        "behind one read of changes, long before the next sweep"
    );
    Ok(())
}

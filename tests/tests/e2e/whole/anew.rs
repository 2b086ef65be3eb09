//! A full read that changes most of a large table: the table is written anew beside itself, in many small transactions, and put
//! in its place in one step. Killed and cancelled in the middle, and given back.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use marsad_shared::protocol::ResyncReply;
use nix::sys::signal::Signal;

use super::*;

/// So many records of so many bytes: more than joins in one step.
const RECORDS: u64 = 20_000;
const WIDE: usize = 2_000;

/// Waits until the table is being written anew.
async fn until_begun(state_dir: &Path) -> anyhow::Result<()> {
    let begun = || Ok(has_beside(state_dir, "next")?.then_some(()));
    waits::sight("a table that is written anew", begun).await
}

/// Whether there is such a table beside the live one.
fn has_beside(state_dir: &Path, what: &str) -> anyhow::Result<bool> {
    let db = bank::open(state_dir, "cache.db")?;
    let sql = "SELECT 1 FROM sqlite_schema WHERE name LIKE 'registry__cases__' || ? || '%'";
    Ok(db.prepare(sql)?.exists([what])?)
}

#[tokio::test]
async fn a_table_that_changes_as_a_whole_is_swapped_given_back_and_never_seen_half_done()
-> anyhow::Result<()> {
    let version = Arc::new(AtomicU64::new(0));
    let partner = Script::start({
        let version = Arc::clone(&version);
        move |_| {
            let version = version.load(Relaxed);
            // The first ones are gone in time, and others come.
            let numbers = version * 10..RECORDS + version * 20;
            let row =
                |n| json!({ "id": format!("c{n:05}"), "what": version, "at": "x".repeat(WIDE) });
            Reply::json(&json!({ "data": numbers.map(row).collect::<Vec<_>>() }))
        }
    })
    .await?;
    let mut file = PartnerFile::new("registry");
    file.connection("api", &format!("base_url = \"http://{}\"\n", partner.address()));
    file.add(
        "\n[[feed]]\nid = \"cases\"\nconnection = \"api\"\npath = \"/cases\"\nrecords = \"$.data[*]\"\nkey = [\"id\"]\n\
         mode = \"snapshot\"\nschedule = { every = \"1h\" }\nfields = { id = \"text\", what = \"integer\", at = \"text\" }\n",
    );
    let daemon = Daemon::start(Home::with(&[&file])?).await?;
    waits::good_run(&daemon, FEED, 0).await?;
    let mut reading = Reading { shelf: Shelf::of(0), daemon, partner };
    let state_dir = reading.daemon.state_dir();
    let before = reading.bytes()?;
    version.store(1, Relaxed);

    // Killed in the middle of it, and cancelled: nothing has happened.
    let order = async |reading: &Reading| -> anyhow::Result<String> {
        let order = json!({ "feed": FEED, "full": true });
        let reply: ResyncReply = reading.daemon.client.post("resync", &order).await?;
        Ok(reply.run.unwrap().to_string())
    };
    let killed = order(&reading).await?;
    until_begun(&state_dir).await?;
    reading.daemon.kill9().await?;
    assert!(reading.bytes()? == before, "killed while it was written");
    // It is read again by itself, and what the partner has is as it was.
    version.store(0, Relaxed);
    reading.daemon.go().await?;
    let ended = reading.ended(&killed).await?;
    assert_eq!(ended.outcome, Outcome::Cancelled, "{ended:?}");
    waits::good_run(&reading.daemon, FEED, waits::number(&ended)).await?;
    assert!(reading.bytes()? == before, "killed, and started again");
    assert!(!has_beside(&state_dir, "next")? && !has_beside(&state_dir, "load")?);
    version.store(1, Relaxed);
    let cancelled = order(&reading).await?;
    until_begun(&state_dir).await?;
    let said = reading.daemon.cli(&["run", "cancel", &cancelled, "--json"]).await?;
    assert_eq!(said.code, 0, "{}", said.err);
    let ended = reading.ended(&cancelled).await?;
    assert_eq!(ended.outcome, Outcome::Cancelled, "{ended:?}");
    assert!(reading.bytes()? == before, "cancelled while it was written");

    let run = order(&reading).await?;
    let ended = reading.ended(&run).await?;
    let counts = ended.counts;
    assert_eq!(
        (counts.inserted, counts.updated, counts.absent),
        (20, RECORDS - 10, 10),
        "{ended:?}"
    );
    assert!(ended.undoable, "{ended:?}");
    let living = reading.living()?;
    assert_eq!(living.keys().copied().collect::<Vec<_>>(), (10..RECORDS + 20).collect::<Vec<_>>());
    assert!(living.values().all(|what| *what == 1));
    let after = reading.bytes()?;
    assert!(has_beside(&state_dir, "before")? && !has_beside(&state_dir, "next")?);

    // An undo is killed in the middle too, and then done.
    let undo = ["undo", &run, "--reason", "the wrong register"];
    let (undone, begun) = tokio::join!(reading.daemon.cli(&undo), async {
        until_begun(&state_dir).await?;
        reading.daemon.signal(Signal::SIGKILL)
    });
    begun?;
    assert_ne!(undone?.code, 0);
    reading.daemon.kill9().await?;
    assert!(reading.bytes()? == after, "killed while it was given back");
    reading.daemon.go().await?;
    assert!(reading.bytes()? == after);
    reading.daemon.json(&undo).await?;
    assert!(reading.bytes()? == before, "given back, byte for byte");
    assert!(!has_beside(&state_dir, "before")?, "what is given back is not kept");
    Ok(())
}

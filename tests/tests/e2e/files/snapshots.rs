//! Files that are all there is: what the next one lacks is gone, unless it lacks too much.

use std::fmt::Write as _;

use marsad_shared::{protocol::RunVerb, run::Outcome};

use super::Folder;
use crate::waits;

const FEED: &str = "office/people";
const KEYS: &str =
    "files = \"people-*.csv\"\nkey = [\"id\"]\nfields = { id = \"text\", name = \"text\" }\n";

/// A table of so many people, each of the same name.
fn table(people: std::ops::Range<u32>, name: &str) -> Vec<u8> {
    let mut text = "id,name\n".to_owned();
    for id in people {
        let _ = writeln!(text, "p{id:03},{name}");
    }
    text.into_bytes()
}

#[tokio::test]
async fn what_the_next_file_lacks_is_gone_and_half_a_file_is_held_released_and_undone()
-> anyhow::Result<()> {
    let folder = Folder::with(&[("people", &format!("{KEYS}mode = \"snapshot\"\n"))]).await?;
    folder.drop("people", "people-1.csv", &table(0..30, "Noor")).await?;
    let run = folder.drop("people", "people-2.csv", &table(0..28, "Noor")).await?;
    assert_eq!((run.outcome, run.counts.absent), (Outcome::Succeeded, 2), "{run:?}");
    let before = folder.rows("people", &["id", "name"])?;
    assert_eq!(before.len(), 28);

    let run = folder.drop("people", "people-3.csv", &table(0..10, "Ali")).await?;
    assert_eq!(run.outcome, Outcome::Held, "{run:?}");
    let reason = run.reason.clone().unwrap_or_default();
    assert!(reason.contains("18 of 28 records") && reason.contains("run release"), "{reason}");
    folder.held("people-3.csv").await?;
    assert_eq!(folder.rows("people", &["id", "name"])?, before);
    let item = waits::quarantined(&folder.daemon, FEED, 1).await?.remove(0);
    let again = folder.daemon.json(&["quarantine", "replay", &item.id.to_string()]).await;
    assert!(
        again.is_err() || folder.rows("people", &["id", "name"])? == before,
        "not past the brake"
    );

    let waiting = folder.daemon.client.quarantine(FEED).await?.remove(0);
    let reply = folder.daemon.client.decide(RunVerb::Release, waiting.run).await?;
    assert!(reply.said.contains("read again as"), "{reply:?}");
    assert_eq!(folder.rows("people", &["id"])?.len(), 10);
    assert!(folder.path.join("done/people-3.csv").exists());
    assert!(folder.daemon.client.quarantine(FEED).await?.is_empty());
    let released = reply.said.rsplit(' ').next().unwrap_or_default().to_owned();
    folder.daemon.json(&["undo", &released, "--reason", "the partner sent another"]).await?;
    assert_eq!(folder.rows("people", &["id", "name"])?, before);
    // The same file again is no longer one that was had.
    let run = folder.drop("people", "people-4.csv", &table(0..10, "Ali")).await?;
    assert_eq!(run.outcome, Outcome::Held, "{run:?}");
    Ok(())
}

#[tokio::test]
async fn a_file_of_too_few_rows_is_held_and_one_with_a_bad_row_takes_nothing_away()
-> anyhow::Result<()> {
    let feeds = [
        ("few", KEYS.replace("people-", "few-") + "min_rows = 5\n"),
        ("people", format!("{KEYS}mode = \"snapshot\"\n")),
    ];
    let feeds: Vec<(&str, &str)> = feeds.iter().map(|(id, keys)| (*id, keys.as_str())).collect();
    let folder = Folder::with(&feeds).await?;
    let run = folder.drop("few", "few-1.csv", &table(0..4, "Noor")).await?;
    assert_eq!(run.outcome, Outcome::Held, "{run:?}");
    assert!(run.reason.unwrap_or_default().contains("at least 5"));
    let run = folder.drop("few", "few-2.csv", &table(0..5, "Noor")).await?;
    assert_eq!((run.outcome, run.counts.inserted), (Outcome::Succeeded, 5), "{run:?}");

    folder.drop("people", "people-1.csv", &table(0..20, "Noor")).await?;
    let mut spoilt = table(0..19, "Noor");
    spoilt.extend(b"p\"019,Noor\n,nobody\n");
    let run = folder.drop("people", "people-2.csv", &spoilt).await?;
    assert_eq!((run.outcome, run.counts.absent), (Outcome::Partial, 0), "{run:?}");
    assert!(run.reason.unwrap_or_default().contains("not taken for gone"));
    let full = folder.daemon.client.resync(FEED, true).await?.run.unwrap().to_string();
    let ended = |run: &marsad_shared::protocol::RunRow| {
        run.id.to_string() == full && run.outcome != Outcome::Running
    };
    let run = waits::run(&folder.daemon, FEED, 0, "the full one", ended).await?;
    assert!(run.outcome.is_good() && run.counts.absent == 0, "{run:?}");
    Ok(())
}

#[tokio::test]
async fn the_last_file_is_read_again_where_one_before_it_was_undone() -> anyhow::Result<()> {
    let keys = format!("{KEYS}mode = \"snapshot\"\nmax_delete_share = 1.0\n");
    let folder = Folder::with(&[("people", &keys)]).await?;
    let last = b"id,name\n1,b\n2,c\n3,b\n";
    let mut runs = Vec::new();
    for (number, table) in
        [&b"id,name\n1,a\n2,a\n"[..], b"id,name\n1,b\n2,a\n3,b\n", last].into_iter().enumerate()
    {
        runs.push(folder.drop("people", &format!("people-{number}.csv"), table).await?.id);
    }
    let undo = ["undo", &runs[1].to_string(), "--reason", "it was another one's"];
    let said = folder.daemon.json(&undo).await?.to_string();
    assert!(
        said.contains("set back too") && said.contains("resync office/people --full"),
        "{said}"
    );
    assert_eq!(folder.rows("people", &["id", "name"])?, ["1|a", "2|c"]);
    let run = folder.drop("people", "people-4.csv", last).await?;
    assert_eq!((run.counts.updated, run.counts.inserted), (1, 1), "{run:?}");
    assert_eq!(folder.rows("people", &["id", "name"])?, ["1|b", "2|c", "3|b"]);
    let run = folder.drop("people", "people-5.csv", last).await?;
    assert_eq!(run.outcome, Outcome::Unchanged, "{run:?}");
    Ok(())
}

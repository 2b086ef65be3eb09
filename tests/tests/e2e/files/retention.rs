//! What came is kept for a while, and then goes: but for what something still needs, and never without a word.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use marsad_shared::{protocol::RunRow, run::Outcome};
use rusqlite::Connection;

use super::Folder;
use crate::waits;

const KEYS: &str =
    "files = \"visits-*.csv\"\nkey = [\"no\"]\nfields = { no = \"text\", n = \"integer\" }";
/// In microseconds, and as the files of a folder say it.
const HUNDRED_DAYS: Duration = Duration::from_hours(100 * 24);

/// Makes all that `state_dir` says of files, and their originals, older by a hundred days.
fn age(state_dir: &Path) -> anyhow::Result<()> {
    let micros = i64::try_from(HUNDRED_DAYS.as_micros())?;
    for (database, sql) in [
        ("cache.db", "UPDATE marsad_file SET at = at - ?"),
        ("ledger.db", "UPDATE quarantine SET at = at - ?"),
    ] {
        Connection::open(state_dir.join(database))?.execute(sql, [micros])?;
    }
    for hash in originals(state_dir)? {
        let file = File::open(place(state_dir, &hash))?;
        file.set_modified(file.metadata()?.modified()? - HUNDRED_DAYS)?;
    }
    Ok(())
}

/// The hashes of what is kept.
fn originals(state_dir: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut hashes = BTreeSet::new();
    for folder in fs::read_dir(state_dir.join("originals"))? {
        for file in fs::read_dir(folder?.path())? {
            let name = file?.file_name().to_string_lossy().into_owned();
            hashes.extend(name.strip_suffix(".zst").map(str::to_owned));
        }
    }
    Ok(hashes)
}

/// Where an original lies.
fn place(state_dir: &Path, hash: &str) -> PathBuf {
    state_dir.join("originals").join(hash.split_at(2).0).join(format!("{hash}.zst"))
}

fn hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

#[tokio::test]
async fn originals_and_refusals_go_when_their_time_is_over_and_not_before() -> anyhow::Result<()> {
    let mut folder = Folder::with(&[("visits", KEYS)]).await?;
    let (first, partial, last): (&[u8], &[u8], &[u8]) =
        (b"no,n\n1,1\n", b"no,n\n2,2\n3,many\n", b"no,n\n4,4\n");
    let (odd, newer): (&[u8], &[u8]) = (b"no,n\n\"1,1\n", b"no\n5\n");
    folder.drop("visits", "visits-1.csv", first).await?;
    folder.drop("visits", "visits-2.csv", partial).await?;
    let held = folder.drop("visits", "visits-3.csv", odd).await?;
    assert_eq!(held.outcome, Outcome::Held, "{held:#?}");
    folder.drop("visits", "visits-4.csv", last).await?;
    folder.daemon.sigterm().await?;
    let state = folder.daemon.state_dir();
    age(&state)?;
    // What a daemon leaves that is killed before it writes down what a file is for.
    let stray = hash(last).split_at(2).0.to_owned() + &"0".repeat(62);
    let file =
        File::options().write(true).create_new(true).mode(0o600).open(place(&state, &stray))?;
    file.set_modified(file.metadata()?.modified()? - HUNDRED_DAYS)?;

    folder.daemon.go().await?;
    let only = BTreeSet::from([hash(last)]);
    folder
        .daemon
        .until("the feed's last file alone", async |_| {
            Ok((originals(&state)? == only).then_some(()))
        })
        .await?;
    assert!(folder.daemon.client.quarantine("office/visits").await?.is_empty());
    let shown = folder.daemon.json(&["runs", "show", &held.id.to_string()]).await?;
    assert_eq!(shown["outcome"], "cancelled", "nothing is left of it to decide about: {shown:#}");
    let sql = "SELECT count(*) FROM audit WHERE entry LIKE '%expire_quarantine%' \
               AND entry LIKE '%1 rows and 1 files, last refused before%'";
    assert_eq!(marsad_tests::bank::number(&state, "ledger.db", sql)?, 1, "with a count");
    let proof = folder.daemon.cli(&["audit", "verify"]).await?;
    assert_eq!(proof.code, 0, "{}", proof.out);
    assert_eq!(folder.rows("visits", &["no"])?.len(), 3, "what came of them stays");

    // What is held waits with its original, however old that is, as long as it waits itself.
    let held = folder.drop("visits", "visits-5.csv", newer).await?;
    assert_eq!(held.outcome, Outcome::Held, "{held:#?}");
    folder.daemon.sigterm().await?;
    let micros = i64::try_from(HUNDRED_DAYS.as_micros())?;
    age(&state)?;
    Connection::open(state.join("ledger.db"))?
        .execute("UPDATE quarantine SET at = at + ?", [micros])?;
    folder.daemon.go().await?;
    let again = folder.daemon.client.resync("office/visits", true).await?;
    let ended = |run: &RunRow| Some(run.id) == again.run && run.outcome != Outcome::Running;
    let run = waits::run(&folder.daemon, "office/visits", 0, "the resync", ended).await?;
    assert!(run.outcome.is_good(), "a full resync reads what is kept: {run:#?}");
    assert_eq!(originals(&state)?, BTreeSet::from([hash(last), hash(newer)]));
    Ok(())
}

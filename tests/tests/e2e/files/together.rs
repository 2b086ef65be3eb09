//! Many small files that are there together: each is a run of its own, in their order, and nothing that is special about one
//! of them is lost on the way; a daemon that is killed among them goes on where it was.

use std::fs;

use marsad_shared::{protocol::RunRow, run::Outcome};
use marsad_tests::bank;
use nix::sys::signal::Signal;

use super::Folder;

const KEYS: &str =
    "files = \"*.csv\"\nkey = [\"id\"]\nfields = { id = \"integer\", n = \"integer\" }";

/// What the file of that number says: of one record what all of them say anew, and of one nobody else.
fn content(number: usize) -> String {
    format!("id,n\n1,{number}\n{},{number}\n", 1_000 + number)
}

impl Folder {
    fn put(&self, number: usize, content: &str) -> anyhow::Result<()> {
        let part = self.path.join(".part");
        fs::write(&part, content)?;
        Ok(fs::rename(part, self.path.join(format!("{number:03}.csv")))?)
    }

    /// How many files there are in a folder beside those that wait.
    fn count(&self, folder: &str) -> usize {
        fs::read_dir(self.path.join(folder)).map_or(0, Iterator::count)
    }

    async fn all_runs(&self) -> anyhow::Result<Vec<RunRow>> {
        let listed = self.daemon.json(&["runs", "--feed", "office/rows", "--limit", "0"]).await?;
        let mut runs: Vec<RunRow> = serde_json::from_value(listed)?;
        runs.sort_by_key(|run| run.id);
        Ok(runs)
    }
}

#[tokio::test]
async fn files_that_are_there_together_are_runs_of_their_own_in_their_order() -> anyhow::Result<()>
{
    let folder = Folder::with(&[("rows", KEYS)]).await?;
    folder.drop("rows", "000.csv", content(0).as_bytes()).await?;
    // They come while nobody looks.
    folder.daemon.signal(Signal::SIGSTOP)?;
    for number in 1..60 {
        match number {
            20 => folder.put(number, "id,n\n\"1,20\n")?,
            30 => folder.put(number, "id,n\n1,30\n1030,many\n")?,
            40 => folder.put(number, &content(39))?,
            _ => folder.put(number, &content(number))?,
        }
    }
    folder.daemon.signal(Signal::SIGCONT)?;
    let away = async |_: &_| Ok((folder.count("done") == 59).then_some(()));
    folder.daemon.until("all are put away", away).await?;
    assert_eq!(folder.held("020.csv").await?, b"id,n\n\"1,20\n");

    let runs = folder.all_runs().await?;
    let names: Vec<_> = runs.iter().filter_map(|run| run.file.clone()).collect();
    let expected: Vec<_> = (0..60).map(|number| format!("{number:03}.csv")).collect();
    assert_eq!(names, expected);
    for (number, run) in runs.iter().enumerate() {
        let (outcome, received, changed) = match number {
            20 => (Outcome::Held, 0, 0),
            30 => (Outcome::Partial, 2, 1),
            40 => (Outcome::Unchanged, 0, 0),
            _ => (Outcome::Succeeded, 2, 2),
        };
        let counts = &run.counts;
        let found = (run.outcome, counts.received, counts.inserted + counts.updated);
        assert_eq!(found, (outcome, received, changed), "{run:#?}");
    }
    // The first that are told of may go before the others are.
    let together = runs.chunk_by(|a, b| a.started_at == b.started_at).map(<[_]>::len).max();
    assert!(together > Some(9), "they went together: {together:?}");
    let rows = folder.rows("rows", &["id", "n"])?;
    assert_eq!(rows.len(), 58, "{rows:?}");
    assert!(rows.contains(&"1|59".to_owned()), "the last word stands: {rows:?}");
    assert_eq!(folder.daemon.client.quarantine("office/rows").await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_is_killed_among_many_files_loses_none_and_keeps_their_order()
-> anyhow::Result<()> {
    const FILES: usize = 400;
    let mut folder = Folder::with(&[("rows", KEYS)]).await?;
    folder.drop("rows", "000.csv", content(0).as_bytes()).await?;
    folder.daemon.sigterm().await?;
    for number in 1..FILES {
        folder.put(number, &content(number))?;
    }
    for _ in 0..5 {
        folder.daemon.go().await?;
        let before = folder.count("done");
        let moved = async |_: &_| {
            let now = folder.count("done");
            Ok((now > before || now == FILES).then_some(()))
        };
        folder.daemon.until("some are put away", moved).await?;
        folder.daemon.kill9().await?;
        // What is away is in the bank.
        let sql = "SELECT count(*) FROM office__rows";
        let rows = bank::number(&folder.daemon.state_dir(), "cache.db", sql)?;
        assert!(rows > i64::try_from(folder.count("done"))?, "{rows} rows");
    }
    folder.daemon.go().await?;
    let away = async |_: &_| Ok((folder.count("done") == FILES).then_some(()));
    folder.daemon.until("all are put away", away).await?;
    let rows = folder.rows("rows", &["id", "n"])?;
    assert_eq!(rows.len(), FILES + 1);
    assert!(rows.contains(&format!("1|{}", FILES - 1)), "the last word stands");
    let originals = fs::read_dir(folder.daemon.state_dir().join("originals"))?
        .filter_map(|entry| fs::read_dir(entry.ok()?.path()).ok())
        .map(Iterator::count);
    assert_eq!(originals.sum::<usize>(), FILES, "and each is kept as it came");
    bank::check(&folder.daemon.state_dir())
}

#[tokio::test]
async fn what_came_while_nobody_looked_is_older_than_what_comes_then() -> anyhow::Result<()> {
    let mut folder = Folder::with(&[("rows", KEYS)]).await?;
    folder.drop("rows", "000.csv", content(0).as_bytes()).await?;
    folder.daemon.sigterm().await?;
    folder.put(1, &content(1))?;
    folder.put(2, &content(2))?;
    folder.daemon.go().await?;
    // Told of, and complete at once; those before it have to be still first.
    folder.put(3, &content(3))?;
    let away = async |_: &_| Ok((folder.count("done") == 4).then_some(()));
    folder.daemon.until("all are put away", away).await?;
    let names: Vec<_> = folder.all_runs().await?.into_iter().filter_map(|run| run.file).collect();
    assert_eq!(names, ["000.csv", "001.csv", "002.csv", "003.csv"]);
    assert!(folder.rows("rows", &["id", "n"])?.contains(&"1|3".to_owned()), "the last word");
    Ok(())
}

#[tokio::test]
async fn a_file_that_cannot_be_moved_is_read_once_and_told_of() -> anyhow::Result<()> {
    let folder = Folder::with(&[("rows", KEYS)]).await?;
    // Nobody can put anything into what is no folder.
    fs::write(folder.path.join("done"), "")?;
    for number in 0..3 {
        folder.put(number, &content(number))?;
    }
    folder.put(3, "id,n\n\"1,3\n")?;
    let told = async |client: &marsad_tests::daemon::Client| {
        let row = client.connection("office/drop").await?;
        let says = row.reason.as_deref().is_some_and(|reason| reason.contains("cannot be moved"));
        Ok((says && row.is_blind()).then_some(()))
    };
    folder.daemon.until("the connection says so", told).await?;
    assert_eq!(folder.daemon.cli(&["check"]).await?.code, 1, "a warning");
    // The folder is looked through again: nothing is read again, and what can be moved by then is.
    fs::remove_file(folder.path.join("done"))?;
    let away = async |_: &_| Ok((folder.count("done") == 3).then_some(()));
    folder.daemon.until("all are put away", away).await?;
    let runs = folder.all_runs().await?;
    let names: Vec<_> = runs.iter().filter_map(|run| run.file.as_deref()).collect();
    assert_eq!(names, ["000.csv", "001.csv", "002.csv", "003.csv"], "each once");
    let well = async |client: &marsad_tests::daemon::Client| {
        let row = client.connection("office/drop").await?;
        Ok((!row.is_blind() && row.reason.is_none()).then_some(()))
    };
    folder.daemon.until("all is well again", well).await?;
    assert_eq!(folder.held("003.csv").await?, b"id,n\n\"1,3\n");
    Ok(())
}

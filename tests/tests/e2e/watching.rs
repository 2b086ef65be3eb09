//! A folder that the system stops telling of: too much happened at once, nobody may watch any more, or it went away and
//! came back. Nothing that was put there is missed.

use std::{fs, path::PathBuf, process::Command};

use marsad_shared::health::Health;
use marsad_tests::{
    bank,
    daemon::{Client, Daemon, Home},
    partner::PartnerFile,
};
use nix::sys::signal::Signal;

/// A daemon with a folder that it reads rows from, started behind `before`.
async fn watching(before: Option<&str>) -> anyhow::Result<(Daemon, PathBuf)> {
    let home = Home::new()?;
    let folder = home.join("in");
    fs::create_dir(&folder)?;
    let mut file = PartnerFile::new("office");
    file.connection("drop", &format!("import = \"{}\"\nsettle = \"1s\"\n", folder.display()));
    file.add(
        "\n[[feed]]\nid = \"rows\"\nconnection = \"drop\"\nfiles = \"*.csv\"\nkey = [\"id\"]\n\
         fields = { id = \"integer\" }",
    );
    home.partner(&file)?;
    let home = match before {
        Some(script) => home.before(script),
        None => home,
    };
    Ok((Daemon::start(home).await?, folder))
}

/// Puts a whole file with one row in place.
fn put(folder: &std::path::Path, row: usize) -> anyhow::Result<()> {
    let part = folder.join(format!(".{row}.part"));
    fs::write(&part, format!("id\n{row}\n"))?;
    Ok(fs::rename(part, folder.join(format!("{row}.csv")))?)
}

/// Waits until so many rows are in the bank.
async fn until_rows(daemon: &Daemon, rows: i64) -> anyhow::Result<()> {
    let sql = "SELECT count(*) FROM office__rows";
    let there = async |_: &_| {
        // Before the first file there is no table.
        let found = bank::number(&daemon.state_dir(), "cache.db", sql).unwrap_or_default();
        Ok((found == rows).then_some(()))
    };
    daemon.until(&format!("{rows} rows"), there).await
}

/// A number that the kernel tells.
fn kernel(name: &str) -> anyhow::Result<usize> {
    Ok(fs::read_to_string(format!("/proc/sys/{name}"))?.trim().parse()?)
}

#[tokio::test]
async fn files_of_a_burst_that_no_queue_holds_are_all_taken() -> anyhow::Result<()> {
    let (daemon, folder) = watching(None).await?;
    put(&folder, 0)?;
    until_rows(&daemon, 1).await?;
    // While it hears nothing, more happens than the kernel keeps: what comes last is never told of.
    daemon.signal(Signal::SIGSTOP)?;
    let queue = kernel("fs/inotify/max_queued_events")?;
    for turn in 0..queue / 2 + 1_000 {
        // Two in turns: what happens to one twice is told once.
        fs::write(folder.join(format!(".{}.part", turn % 2)), "x")?;
    }
    for row in 1..=40 {
        put(&folder, row)?;
    }
    daemon.signal(Signal::SIGCONT)?;
    until_rows(&daemon, 41).await
}

#[tokio::test]
async fn a_folder_that_nobody_may_watch_is_looked_through_needs_a_user_namespace()
-> anyhow::Result<()> {
    for limit in ["max_inotify_instances", "max_inotify_watches"] {
        let lower = format!("echo 0 > /proc/sys/user/{limit}");
        let probe = Command::new("unshare").args(["-Ur", "sh", "-c", &lower]).output();
        if !probe.is_ok_and(|output| output.status.success()) {
            eprintln!("not run: no user namespace with limits of its own is allowed here");
            return Ok(());
        }
        let apart = format!(
            "[ -n \"$MARSAD_APART\" ] || MARSAD_APART=1 exec unshare -Ur sh -c '{lower} && exec \"$@\"' sh \"$0\" \"$@\""
        );
        let (daemon, folder) = watching(Some(&apart)).await?;
        put(&folder, 1)?;
        until_rows(&daemon, 1).await?;
        fs::write(folder.join("2.csv"), "id\n2\n")?;
        until_rows(&daemon, 2).await?;
        let said = "the system cannot tell of changes here";
        let shown = async |client: &Client| {
            let row = client.connection("office/drop").await?;
            let is_said = row.reason.as_deref().is_some_and(|reason| reason.starts_with(said));
            Ok((is_said && row.health == Health::Up).then_some(()))
        };
        daemon.until("the connection says so, and is up", shown).await?;
        let told = daemon.log().lines().filter(|line| line.contains(said)).count();
        assert_eq!(told, 1, "{limit}: once, and no more than once: {}", daemon.log());
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_that_goes_away_and_comes_back_has_lost_nothing() -> anyhow::Result<()> {
    let (daemon, folder) = watching(None).await?;
    put(&folder, 1)?;
    until_rows(&daemon, 1).await?;
    let away = daemon.path().join("away");
    fs::rename(&folder, &away)?;
    put(&away, 2)?;
    let gone = async |client: &Client| {
        let row = client.connection("office/drop").await?;
        Ok(row.reason.is_some().then_some(()))
    };
    daemon.until("it is said that the folder is gone", gone).await?;
    put(&away, 3)?;
    fs::rename(&away, &folder)?;
    put(&folder, 4)?;
    until_rows(&daemon, 4).await?;
    // It is watched again: what comes now is told of.
    put(&folder, 5)?;
    until_rows(&daemon, 5).await
}

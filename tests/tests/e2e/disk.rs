//! A full disk: intake rests and says so, nothing is lost, nothing is blamed on the partner, and it goes on by itself. And a
//! ledger that another program keeps locked: what cannot be written down is told of, and all behind it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use anyhow::Context as _;
use marsad_shared::{health::Reason, id::RunId, protocol::RunRow, run::Outcome};
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{Office, PartnerFile, Reply, Script, Truth, data::REQUESTS},
};
use serde_json::json;

use crate::waits;

/// A small disk of its own for the state, by a mount that only the daemon sees.
const SMALL_DISK: &str =
    "mkdir -p state && chmod 700 state && mount -t tmpfs -o size=8m,mode=700 tmpfs state";

/// Whether this machine lets us have such a mount: as root, or in a namespace of our own.
fn namespace() -> Option<&'static [&'static str]> {
    let works = |arguments: &[&str]| {
        let script = "mount -t tmpfs -o size=1m tmpfs /mnt";
        let done = Command::new("unshare").args(arguments).args(["sh", "-c", script]).output();
        done.is_ok_and(|output| output.status.success())
    };
    [&["-m"][..], &["-rm"]].into_iter().find(|arguments| works(arguments))
}

#[tokio::test]
async fn a_full_disk_stops_the_intake_and_nothing_else_needs_a_mount() -> anyhow::Result<()> {
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, 120_000))?;
    home.partner(&office.file("2s"))?;
    let Some(arguments) = namespace() else {
        eprintln!(
            "not run: no mount of a small disk is allowed here; needs root, or user namespaces"
        );
        return Ok(());
    };
    let again = format!(
        "[ -n \"$MARSAD_APART\" ] || MARSAD_APART=1 exec unshare {} sh \"$PWD/start\" \"$0\" \"$@\"",
        arguments.join(" ")
    );
    fs::write(home.path().join("start"), format!("{SMALL_DISK} || exit 70\nexec \"$@\"\n"))?;
    let daemon = Daemon::start(home.before(&again)).await?;
    office.drop_file("requests-1.csv", office.csv().as_bytes())?;
    let (run, reason) = waits::failed_run(&daemon, &office.feed(), 0).await?;
    assert!(run.cause.is_some_and(Reason::is_local), "our own fault: {run:?}");
    assert!(
        reason.contains("disk") || reason.contains("full") || reason.contains("space"),
        "{reason}"
    );
    assert_eq!(office.left()[0], ["requests-1.csv"], "the file stays where it is");
    let row = daemon.client.connection(&office.connection()).await?;
    assert_ne!(row.health.word(), "down", "not blamed on the partner: {row:?}");
    assert_eq!(daemon.ended(), None);
    assert_eq!(daemon.cli(&["status"]).await?.code, 0, "one can still look");

    let grown = Command::new("nsenter")
        .args(["-t", &daemon.pid()?.to_string(), "-m", "-U", "--preserve-credentials"])
        .args(["mount", "-o", "remount,size=256m", "tmpfs"])
        .arg(daemon.state_dir())
        .output()?;
    let grown = if grown.status.success() {
        grown
    } else {
        Command::new("nsenter")
            .args([
                "-t",
                &daemon.pid()?.to_string(),
                "-m",
                "mount",
                "-o",
                "remount,size=256m",
                "tmpfs",
            ])
            .arg(daemon.state_dir())
            .output()?
    };
    assert!(grown.status.success(), "{}", String::from_utf8_lossy(&grown.stderr));
    waits::run(&daemon, &office.feed(), waits::number(&run), "succeeded", |run| {
        run.outcome == Outcome::Succeeded
    })
    .await?;
    let none_runs = async |_: &_| {
        let listed = daemon.json(&["runs", "--limit", "0"]).await?;
        let runs: Vec<RunRow> = serde_json::from_value(listed)?;
        Ok(runs.iter().all(|run| run.outcome != Outcome::Running).then_some(()))
    };
    daemon.until("what could not be ended then is ended now", none_runs).await?;
    // Seen from outside its namespace, a copy is compared: SQLite would follow the way there to our own root.
    let (inside, seen) = (
        format!("/proc/{}/root{}", daemon.pid()?, daemon.state_dir().display()),
        daemon.path().join("seen"),
    );
    fs::create_dir(&seen)?;
    for name in ["cache.db", "cache.db-wal", "ledger.db", "ledger.db-wal"] {
        fs::copy(format!("{inside}/{name}"), seen.join(name))?;
    }
    assert_eq!(bank::differences(&seen, &office.feed(), &office.truth)?, Vec::<String>::new());
    bank::check(&seen)
}

#[tokio::test]
async fn a_ledger_that_was_locked_is_written_to_again() -> anyhow::Result<()> {
    let script = Script::start(|_| Reply::json(&json!([{ "id": 1 }]))).await?;
    let daemon = Daemon::start(Home::with(&[&polled(&script, "")])?).await?;
    let unchanged = |run: &RunRow| run.outcome == Outcome::Unchanged;
    waits::run(&daemon, "p/one", 0, "unchanged", unchanged).await?;
    let other = lock(&daemon.state_dir())?;
    let told = "a run could not be recorded";
    waits::sight(told, || Ok(daemon.log().contains(told).then_some(()))).await?;
    other.execute_batch("ROLLBACK")?;
    let last = waits::last(&daemon, "p/one").await?;
    waits::run(&daemon, "p/one", last, "unchanged", unchanged).await?;
    Ok(())
}

#[tokio::test]
async fn a_run_has_its_end_though_the_ledger_was_locked() -> anyhow::Result<()> {
    for good in [false, true] {
        let (state, locked) = (Arc::<OnceLock<PathBuf>>::default(), Arc::<OnceLock<_>>::default());
        // Locks the ledger once, while a run that has its number reads its second page.
        let (place, taken) = (Arc::clone(&state), Arc::clone(&locked));
        let script = Script::start(move |asked| {
            let page = asked.number("page").unwrap_or(1);
            if let (2, Some(state)) = (page, place.get()) {
                taken.get_or_init(|| lock(state).map(Mutex::new));
            }
            Reply::json(&json!({ "rows": [{ "id": page }], "more": page < 2 }))
        });
        let script = script.await?;
        let pages = "records = \"$.rows[*]\"\n\
             pagination = { kind = \"page\", param = \"page\", more = \"$.more\" }\n";
        let home = Home::with(&[&polled(&script, pages)])?;
        // The first run of a feed has more to ask of the ledger, and fails; of a later one only the end is late.
        let inside = home.path().join("state");
        if !good {
            state.get_or_init(|| inside.clone());
        }
        let daemon = Daemon::start(home).await?;
        if good {
            waits::good_run(&daemon, "p/one", 0).await?;
            state.get_or_init(|| inside);
        }
        let told = "a run's end is kept until the ledger takes it";
        waits::sight(told, || Ok(daemon.log().contains(told).then_some(()))).await?;
        let run = {
            let other = locked.get().context("nobody locked it")?.as_ref();
            let other = other.map_err(|error| anyhow::anyhow!("{error:#}"))?.lock();
            let other = other.unwrap_or_else(PoisonError::into_inner);
            let sql = "SELECT max(id) FROM runs WHERE outcome = 'running'";
            let run = other.query_row(sql, [], |row| row.get(0))?;
            other.execute_batch("ROLLBACK")?;
            RunId(run)
        };
        let over = |row: &RunRow| row.id == run && row.outcome != Outcome::Running;
        let ended = waits::run(&daemon, "p/one", 0, "over", over).await?;
        assert_eq!(ended.outcome.is_good(), good, "{ended:?}");
    }
    Ok(())
}

/// A partner whose one feed is polled every second at `script`, with `keys` of its own.
fn polled(script: &Script, keys: &str) -> PartnerFile {
    let mut file = PartnerFile::new("p");
    let base = script.address();
    file.add(&format!("\n[[connection]]\nid = \"api\"\nbase_url = \"http://{base}\"\n"));
    file.add(&format!(
        "\n[[feed]]\nid = \"one\"\nconnection = \"api\"\npath = \"/one\"\nkey = [\"id\"]\n\
         fields = {{ id = \"integer\" }}\nschedule = {{ every = \"1s\" }}\n{keys}"
    ));
    file
}

/// Another program that has the ledger to itself.
fn lock(state: &Path) -> anyhow::Result<rusqlite::Connection> {
    let other = rusqlite::Connection::open(state.join("ledger.db"))?;
    other.execute_batch("BEGIN IMMEDIATE")?;
    Ok(other)
}

//! Time that is not ours: a partner that is down for days is tried no faster than it is read, told of once, and read as soon
//! as it is back; and a clock that steps makes nothing happen at once, or not at all.
//!
//! libfaketime is loaded into the daemon, which lives some thousand times as fast as we do, or by a clock that we set.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use axum::Router;
use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    exchange::State,
    freshness::Freshness,
    health::{Health, Reason},
    run::Outcome,
};
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{
        PartnerFile, Reply, Script,
        tls::{Authority, TlsServer},
    },
};
use serde_json::{Value, json};

use crate::waits;

/// How much faster the daemon's time goes.
const SPEED: &str = "+0 x3000";
const DOWN: SignedDuration = SignedDuration::from_hours(48);
/// So often each feed is read.
const EVERY_MINUTES: usize = 15;
const FEEDS: [&str; 3] = ["one", "two", "three"];

fn library() -> anyhow::Result<PathBuf> {
    let mut folders = fs::read_dir("/usr/lib")?.filter_map(Result::ok);
    let at = |folder: fs::DirEntry| folder.path().join("faketime/libfaketimeMT.so.1");
    folders
        .find_map(|folder| Some(at(folder)).filter(|file| file.exists()))
        .context("no libfaketime")
}

/// A partner whose [`FEEDS`] are read so often, over a connection with those keys.
fn partner(script: &Script, keys: &str, every: &str) -> PartnerFile {
    let mut file = PartnerFile::new("p");
    file.connection("api", &format!("base_url = \"http://{}\"\n{keys}", script.address()));
    for feed in FEEDS {
        file.add(&format!(
            "\n[[feed]]\nid = \"{feed}\"\nconnection = \"api\"\npath = \"/{feed}\"\nkey = [\"id\"]\n\
             fields = {{ id = \"integer\" }}\nschedule = {{ every = \"{every}\" }}\n"
        ));
    }
    file
}

/// The time at the daemon.
async fn now(daemon: &Daemon) -> anyhow::Result<Timestamp> {
    let status: Value = daemon.client.get("status").await?;
    Ok(status["at"].as_str().context("no time in the status")?.parse()?)
}

#[tokio::test]
#[ignore = "needs libfaketime: apt-get install libfaketime"]
async fn a_partner_that_is_down_for_days_is_tried_in_measure_and_told_of_once() -> anyhow::Result<()>
{
    let script = Script::start(|_| Reply::json(&json!([{ "id": 1 }]))).await?;
    script.die().await;
    let file = partner(&script, "", &format!("{EVERY_MINUTES}m"));
    let library = library()?.display().to_string();
    let home =
        Home::with(&[&file])?.environment("LD_PRELOAD", &library).environment("FAKETIME", SPEED);
    let daemon = Daemon::start(home).await?;
    let began = now(&daemon).await?;
    let later = async |_: &_| Ok((now(&daemon).await? > began + DOWN).then_some(()));
    daemon.until("two days have gone by", later).await?;
    let hours = usize::try_from(now(&daemon).await?.duration_since(began).as_hours())?;

    for feed in FEEDS {
        let runs = waits::last(&daemon, &format!("p/{feed}")).await?;
        assert!(runs > 0, "{feed}: it is tried at all");
        let failed = daemon.json(&["runs", "--feed", &format!("p/{feed}"), "--limit", "0"]).await?;
        let failed = failed.as_array().map_or(0, Vec::len);
        // A try after a failure comes within five minutes, in two and a half at the soonest: 16 an hour, and the schedule's own.
        assert!(failed <= (hours + 1) * (16 + 60 / EVERY_MINUTES), "{feed}: {failed} in {hours} h");
    }
    let log = daemon.log();
    let told = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!(told("requests fail one after the other"), 1, "an outage is one line");
    assert!(told("health changed") <= 3, "and its health changes once");
    assert_eq!(daemon.client.connection("p/api").await?.health, Health::Down);

    let last = waits::last(&daemon, "p/one").await?;
    script.revive().await?;
    let run = waits::good_run(&daemon, "p/one", last).await?;
    assert_eq!(run.outcome, Outcome::Succeeded, "{run:#?}");
    Ok(())
}

/// So much faster the daemon's time goes where a minute of it is to be told from two.
const MEASURED: &str = "+0 x30";
/// So long that whoever tries again by itself does so every few minutes.
const OUTAGE: SignedDuration = SignedDuration::from_mins(16);
const RECOVERY: SignedDuration = SignedDuration::from_mins(1);

#[tokio::test]
#[ignore = "needs libfaketime: apt-get install libfaketime"]
async fn a_partner_that_is_back_is_read_and_handed_what_is_owed_within_a_minute()
-> anyhow::Result<()> {
    let script = Script::start(|_| Reply::json(&json!([{ "id": 1 }]))).await?;
    script.die().await;
    let file = partner(
        &script,
        "deliver = { method = \"POST\", path = \"/in\", deadline = \"2d\" }\n",
        "1d",
    );
    let library = library()?.display().to_string();
    let home =
        Home::with(&[&file])?.environment("LD_PRELOAD", &library).environment("FAKETIME", MEASURED);
    let daemon = Daemon::start(home).await?;
    for number in 0..3 {
        let document = daemon.path().join(format!("{number}.json"));
        fs::write(&document, "{}")?;
        let said = daemon.cli(&["send", "p/api", &document.display().to_string()]).await?;
        assert_eq!(said.code, 0, "{said:?}");
    }
    let began = now(&daemon).await?;
    let later = async |_: &_| Ok((now(&daemon).await? > began + OUTAGE).then_some(()));
    daemon.until("the outage is long enough", later).await?;
    let mut last = Vec::new();
    for feed in FEEDS {
        last.push(waits::last(&daemon, &format!("p/{feed}")).await?);
    }

    let back = now(&daemon).await?;
    script.revive().await?;
    for (feed, last) in FEEDS.iter().zip(last) {
        let run = waits::good_run(&daemon, &format!("p/{feed}"), last).await?;
        let took = run.started_at.duration_since(back);
        assert!(took < RECOVERY, "{feed}: {took:?}");
    }
    for row in waits::exchanges_in(&daemon, State::Delivered, 3).await? {
        let took = row.since_at.duration_since(back);
        assert!(took < RECOVERY, "{took:?}: {row:#?}");
    }
    Ok(())
}

/// Sets the daemon's clock, by how far it is from ours.
fn set(clock: &Path, offset: &str) -> anyhow::Result<()> {
    let part = clock.with_extension("part");
    fs::write(&part, offset)?;
    Ok(fs::rename(part, clock)?)
}

/// A daemon whose clock we set, with a partner that it reads every hour, one behind TLS, and a folder.
async fn by_our_clock(
    script: &Script,
    tls: &TlsServer,
    ca: &str,
) -> anyhow::Result<(Daemon, PathBuf)> {
    let (library, home) = (library()?.display().to_string(), Home::new()?);
    let (folder, clock) = (home.join("in"), home.join("clock"));
    fs::create_dir(&folder)?;
    fs::write(home.join("partners.d/ca.pem"), ca)?;
    set(&clock, "+0")?;
    let mut file = PartnerFile::new("p");
    let feed = "key = [\"id\"]\nfields = { id = \"integer\" }";
    let hourly = "schedule = { every = \"1h\" }\nfreshness = { every = \"2h\", grace = \"1h\" }";
    file.add(&format!(
        "\n[[connection]]\nid = \"api\"\nbase_url = \"http://{}\"\n\
         \n[[connection]]\nid = \"tls\"\nbase_url = \"{}\"\ntls = {{ ca = \"ca.pem\" }}\n\
         \n[[connection]]\nid = \"drop\"\nimport = \"{}\"\nsettle = \"1s\"\n\
         \n[[feed]]\nid = \"rows\"\nconnection = \"api\"\npath = \"/rows\"\n{hourly}\n{feed}\n\
         \n[[feed]]\nid = \"safe\"\nconnection = \"tls\"\npath = \"/rows\"\n{hourly}\n{feed}\n\
         \n[[feed]]\nid = \"files\"\nconnection = \"drop\"\nfiles = \"*.csv\"\n{feed}\n",
        script.address(),
        tls.url(),
        folder.display()
    ));
    home.partner(&file)?;
    let clock = clock.display().to_string();
    let home = home
        .environment("LD_PRELOAD", &library)
        .environment("FAKETIME_TIMESTAMP_FILE", &clock)
        .environment("FAKETIME_NO_CACHE", "1")
        .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .environment("DONT_FAKE_MONOTONIC", "1");
    Ok((Daemon::start(home).await?, folder))
}

#[tokio::test]
#[ignore = "needs libfaketime: apt-get install libfaketime"]
async fn a_clock_that_steps_brings_no_burst_and_keeps_nothing_waiting() -> anyhow::Result<()> {
    let script = Script::start(|_| Reply::json(&json!([{ "id": 1 }]))).await?;
    let authority = Authority::new("Theirs")?;
    let rows = Router::new().fallback(async || r#"[{ "id": 1 }]"#);
    let tls = TlsServer::start(rows, &authority.pair("127.0.0.1", 400)?, None).await?;
    let (mut daemon, folder) = by_our_clock(&script, &tls, &authority.pem).await?;
    let clock = daemon.path().join("clock");
    waits::good_run(&daemon, "p/rows", 0).await?;
    waits::good_run(&daemon, "p/safe", 0).await?;
    let real = now(&daemon).await?;
    // Forward by less than the promise, back, to the beginning of all clocks, and right again.
    for (at, (offset, hours)) in
        [("+90m", 1), ("-2d", -48), ("-20700d", -20_700 * 24), ("+0", 0)].into_iter().enumerate()
    {
        set(&clock, offset)?;
        let stepped = async |_: &_| {
            let apart = now(&daemon).await?.duration_since(real).as_hours();
            Ok(((hours..=hours + 1).contains(&apart)).then_some(()))
        };
        daemon.until(&format!("its clock is at {offset}"), stepped).await?;
        let part = folder.join(".part");
        fs::write(&part, format!("id\n{at}\n"))?;
        fs::rename(&part, folder.join(format!("{at}.csv")))?;
        let taken = async |_: &_| {
            let sql = "SELECT count(*) FROM p__files";
            let rows = bank::number(&daemon.state_dir(), "cache.db", sql).unwrap_or_default();
            Ok((rows > i64::try_from(at)?).then_some(()))
        };
        daemon.until(&format!("a file is taken at {offset}"), taken).await?;
        let asked = script.asked("/rows").len();
        assert!(asked <= at + 2, "{offset}: asked {asked} times: one poll for each step, at most");
        let freshness = daemon.client.feed("p/rows").await?.freshness;
        let fresh = matches!(freshness, Freshness::Fresh | Freshness::Due | Freshness::Future);
        assert!(fresh, "{offset}: {freshness:?}, and it was read minutes ago");
    }
    // No line and no session is left of the time when it was right.
    set(&clock, "-20700d")?;
    daemon.sigterm().await?;
    daemon.go().await?;
    let last = waits::last(&daemon, "p/safe").await?;
    daemon.client.resync("p/safe", false).await?;
    let (run, reason) = waits::failed_run(&daemon, "p/safe", last).await?;
    assert_eq!(run.cause, Some(Reason::Clock), "{reason}");
    assert!(reason.contains("our clock says 1970"), "{reason}");
    set(&clock, "+0")?;
    let last = waits::last(&daemon, "p/safe").await?;
    daemon.client.resync("p/safe", false).await?;
    let run = waits::good_run(&daemon, "p/safe", last).await?;
    assert!(run.outcome.is_good(), "all is well once the clock is: {run:#?}");
    Ok(())
}

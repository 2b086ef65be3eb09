//! A partner that is down for days: it is tried no faster than it is read, told of once, and read as soon as it is back.
//!
//! The daemon lives some thousand times as fast as we do: libfaketime is loaded into it.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use marsad_shared::{health::Health, run::Outcome};
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{PartnerFile, Reply, Script},
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
    let mut file = PartnerFile::new("p");
    let base = script.address();
    file.add(&format!("\n[[connection]]\nid = \"api\"\nbase_url = \"http://{base}\"\n"));
    for feed in FEEDS {
        file.add(&format!(
            "\n[[feed]]\nid = \"{feed}\"\nconnection = \"api\"\npath = \"/{feed}\"\nkey = [\"id\"]\n\
             fields = {{ id = \"integer\" }}\nschedule = {{ every = \"{EVERY_MINUTES}m\" }}\n"
        ));
    }
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
        // A try after a failure comes within five minutes, and never faster than that for hours.
        assert!(failed <= (hours + 1) * 60 / 4, "{feed}: {failed} runs in {hours} h");
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

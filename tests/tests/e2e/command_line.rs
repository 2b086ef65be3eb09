//! The command line is a contract: keys, ids and exit codes that other programs depend on.

use std::fs;

use marsad_shared::exchange::State;
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{
        Desk, Fault, Paging,
        api::Plan,
        data::{REFERRALS, VISITS},
    },
};
use serde_json::Value;

use crate::waits;

/// The keys of the design, list by list: more may come, these stay.
const KEYS: &[(&str, &str)] = &[
    ("connections", "id kind health since_at reason overlays last_ok_at next_at"),
    (
        "feeds",
        "id connection freshness since_at reason checked_at arrived_at event_at deadline_at rows cursor last_run next_at \
         paused",
    ),
    (
        "runs",
        "id feed trigger outcome reason started_at ended_at pages bytes received inserted updated unchanged duplicate \
         deleted quarantined filtered",
    ),
    ("quarantine", "id feed run kind reason place at"),
    (
        "exchanges",
        "id direction connection state attempts created_at next_at deadline_at bytes idempotency_key reason",
    ),
    ("cursor show health/visits", "value moved_at run reason actor current"),
    ("records health/visits", "key fields first_seen_at changed_at deleted_at run"),
];

fn missing(keys: &str, row: &Value) -> Vec<String> {
    keys.split_whitespace().filter(|key| row.get(key).is_none()).map(str::to_owned).collect()
}

async fn with_partners() -> anyhow::Result<(Daemon, marsad_tests::partner::Api, Desk)> {
    let api = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    api.switch().set(Fault::BadRows);
    let desk = Desk::start("social", 0).await?;
    let daemon =
        Daemon::start(Home::with(&[api.file("1h").promise("2h", "15m", "4h"), &desk.file()])?)
            .await?;
    waits::good_run(&daemon, &api.feed(), 0).await?;
    Ok((daemon, api, desk))
}

#[tokio::test]
async fn lists_have_the_keys_that_programs_depend_on() -> anyhow::Result<()> {
    let (daemon, _api, desk) = with_partners().await?;
    let document = daemon.path().join("one.json");
    fs::write(&document, "{}")?;
    let sent = daemon.json(&["send", &desk.connection(), &document.to_string_lossy()]).await?;
    assert_eq!(sent["id"], "x1");
    waits::exchanges_in(&daemon, State::Delivered, 1).await?;
    for (list, keys) in KEYS {
        let rows = daemon.json(&list.split(' ').collect::<Vec<_>>()).await?;
        let rows = rows.as_array().unwrap_or_else(|| panic!("{list} is an array"));
        assert!(!rows.is_empty(), "{list}");
        for row in rows {
            assert_eq!(missing(keys, row), Vec::<String>::new(), "{list}: {row}");
        }
    }
    let status = daemon.json(&["status"]).await?;
    let keys = "at daemon connections feeds exchanges oldest_pending_s quarantine incidents";
    assert_eq!(missing(keys, &status), Vec::<String>::new(), "{status}");
    assert_eq!(
        missing("running version started_at", &status["daemon"]),
        Vec::<String>::new(),
        "{status}"
    );
    assert_eq!(
        (
            &status["feeds"]["fresh"],
            &status["connections"]["up"],
            &status["exchanges"]["delivered"]
        ),
        (&1.into(), &2.into(), &1.into()),
        "{status}"
    );
    Ok(())
}

#[tokio::test]
async fn one_row_is_an_object_and_lists_go_on_behind_a_key() -> anyhow::Result<()> {
    let (daemon, _api, _desk) = with_partners().await?;
    for (arguments, id) in [
        (["feeds", "show", "health/visits"], "health/visits"),
        (["feed", "show", "health/visits"], "health/visits"),
        (["connections", "show", "health/api"], "health/api"),
        (["runs", "show", "r1"], "r1"),
        (["quarantine", "show", "q1"], "q1"),
    ] {
        assert_eq!(daemon.json(&arguments).await?["id"], id, "{arguments:?}");
    }
    let all = daemon.json(&["records", "health/visits", "--limit", "0"]).await?;
    assert_eq!(all.as_array().map(Vec::len), Some(250));
    let first = daemon.json(&["records", "health/visits"]).await?;
    assert_eq!(first.as_array().map(Vec::len), Some(100), "a hundred when nobody says");
    let last = first[99]["key"][0].as_str().unwrap_or_default();
    let next = daemon.json(&["records", "health/visits", "--after", last, "--limit", "2"]).await?;
    assert_eq!(next[0], all[100]);
    assert_eq!(next.as_array().map(Vec::len), Some(2));
    let one = daemon.json(&["records", "show", "health/visits", "V0000007"]).await?;
    assert_eq!(one["key"][0], "V0000007");
    Ok(())
}

#[tokio::test]
async fn exit_codes_say_how_it_went() -> anyhow::Result<()> {
    let (mut daemon, api, _desk) = with_partners().await?;
    api.switch().set(Fault::Status(500));
    for (arguments, code, why) in [
        (vec!["status"], 0, "done"),
        (vec!["feeds", "show", "health/nothing"], 1, "there is no such thing"),
        (vec!["feeds", "--nonsense"], 2, "usage"),
        (vec!["resync", "health/visits", "--wait"], 5, "waited and it failed"),
        (vec!["check", "--nonsense"], 3, "to a monitor, 2 would mean critical"),
        (vec!["check", "health/nothing"], 3, "nothing to judge"),
    ] {
        let said = daemon.cli(&arguments).await?;
        assert_eq!(said.code, code, "{arguments:?}, {why}: {}{}", said.out, said.err);
        assert!(
            code == 0 || !(said.err.is_empty() && said.out.is_empty()),
            "{arguments:?} says nothing"
        );
    }
    daemon.kill9().await?;
    for arguments in [&["status"][..], &["feeds"], &["resync", "health/visits"]] {
        let said = daemon.cli(arguments).await?;
        assert_eq!(said.code, 4, "{arguments:?} without a daemon: {}{}", said.out, said.err);
        assert!(said.err.contains("--offline"), "{}", said.err);
    }
    assert_eq!(daemon.cli(&["check"]).await?.code, 2, "a daemon that is gone is critical");
    let state = daemon.state_dir();
    let said = daemon.cli(&["--offline", &state.to_string_lossy(), "feeds", "--json"]).await?;
    assert_eq!(said.code, 0, "{}", said.err);
    let feeds: Value = serde_json::from_str(&said.out)?;
    assert_eq!((&feeds[0]["id"], &feeds[0]["rows"]), (&"health/visits".into(), &250.into()));
    Ok(())
}

#[tokio::test]
async fn check_tells_a_monitor_one_line_and_a_code() -> anyhow::Result<()> {
    let well = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    let dead = Plan::new("police", &REFERRALS, Paging::Link).start().await?;
    dead.die().await;
    let home = Home::with(&[well.file("1h").promise("2h", "15m", "4h"), &dead.file("1s")])?;
    let daemon = Daemon::start(home).await?;
    waits::good_run(&daemon, &well.feed(), 0).await?;
    daemon
        .until("police down", async |client| {
            Ok((client.connection("police/api").await?.health.word() == "down").then_some(()))
        })
        .await?;
    for (arguments, code, word) in [
        (vec!["check", "health"], 0, "OK"),
        (vec!["check", "feed:health/visits"], 0, "OK"),
        (vec!["check", "connection:police/api"], 2, "CRITICAL"),
        (vec!["check"], 2, "CRITICAL"),
    ] {
        let said = daemon.cli(&arguments).await?;
        assert_eq!(said.code, code, "{arguments:?}: {}{}", said.out, said.err);
        assert!(said.out.starts_with(&format!("MARSAD {word} - ")), "{}", said.out);
        assert_eq!(said.out.lines().count(), 1, "{}", said.out);
        assert!(said.out.contains('|'), "perfdata: {}", said.out);
    }
    let said = daemon.cli(&["check", "--json"]).await?;
    let verdict: Value = serde_json::from_str(&said.out)?;
    assert_eq!(
        (said.code, &verdict["state"], &verdict["exit_code"]),
        (2, &"CRITICAL".into(), &2.into()),
        "{verdict}"
    );
    Ok(())
}

#[tokio::test]
async fn a_configuration_with_three_mistakes_shows_three() -> anyhow::Result<()> {
    let home = Home::new()?;
    fs::write(
        home.path().join("partners.d/health.toml"),
        "[partner]\nid = \"health\"\n\n[[connection]]\nid = \"api\"\nbase_url = \"ftp://x.example\"\n\n\
         [[feed]]\nid = \"visits\"\nconnection = \"apis\"\npath = \"/v1\"\nrecords = \"$.data[*]\"\nkey = [\"id\"]\n\
         scheduled = { every = \"5m\" }\n",
    )?;
    let mut command = tokio::process::Command::new(&marsad_tests::build::programs()?.marsad);
    let output =
        command.arg("--config").arg(home.config()).args(["config", "check"]).output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (line, key) in [(6, "base_url"), (10, "connection"), (14, "scheduled")] {
        let place = format!("health.toml:{line}: ");
        let found = said
            .lines()
            .find(|text| text.contains(&place))
            .unwrap_or_else(|| panic!("line {line}: {said}"));
        assert!(found.contains(key) && found.contains("; "), "{found}");
    }
    assert_eq!(said.lines().filter(|line| line.contains("health.toml:")).count(), 3, "{said}");
    let error = format!("{:#}", Daemon::start(home).await.expect_err("refused"));
    assert!(error.contains("health.toml:6"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_start_that_config_init_writes_runs_as_it_is() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let start = folder.path().join("start");
    let programs = marsad_tests::build::programs()?;
    let run = async |arguments: &[&str]| -> anyhow::Result<(i32, String)> {
        let output =
            tokio::process::Command::new(&programs.marsad).args(arguments).output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        Ok((marsad_tests::daemon::code_of(output.status), said))
    };
    let (start, config) = (
        start.to_string_lossy().into_owned(),
        start.join("marsad.toml").to_string_lossy().into_owned(),
    );
    for (arguments, code) in [
        (vec!["config", "init", &start], 0),
        (vec!["--config", &config, "config", "check"], 0),
        (vec!["config", "init", &start], 1),
    ] {
        let (found, said) = run(&arguments).await?;
        assert_eq!(found, code, "{arguments:?}: {said}");
    }
    Ok(())
}

//! A feed's cursor: its history, and going back in it.

use marsad_shared::{protocol::AuditRow, run::Trigger};
use marsad_tests::{
    build::programs,
    daemon::{Daemon, Home},
    partner::{
        Api, Paging,
        api::Plan,
        data::{REFERRALS, VISITS},
    },
    screen::{ENTER, Screen},
};
use nix::unistd::geteuid;
use serde_json::Value;

use crate::{
    promise_06_roles_and_audit::{as_user, open_to_all, say},
    waits,
};

/// The partner's rows change a second after each other, and `lookback` is ten minutes: so many come again each time.
const LOOKBACK: u64 = 600;

async fn with_partner(paging: Paging, page: usize, every: &str) -> anyhow::Result<(Daemon, Api)> {
    let api = Plan::new("health", &VISITS, paging).rows(2_000).page(page).start().await?;
    let daemon = Daemon::start(Home::with(&[&api.file(every)])?).await?;
    waits::good_run(&daemon, &api.feed(), 0).await?;
    Ok((daemon, api))
}

/// The moves of the cursor, newest first.
async fn moves(daemon: &Daemon, feed: &str) -> anyhow::Result<Vec<Value>> {
    let rows = daemon.json(&["cursor", "show", feed]).await?;
    Ok(rows.as_array().cloned().unwrap_or_default())
}

/// A run that is waited for, as JSON.
async fn resync(daemon: &Daemon, feed: &str) -> anyhow::Result<Value> {
    daemon.json(&["resync", feed, "--wait"]).await
}

#[tokio::test]
async fn a_rewind_is_previewed_done_and_in_the_history_and_what_lies_behind_comes_again()
-> anyhow::Result<()> {
    let (daemon, api) = with_partner(Paging::Cursor, 500, "1h").await?;
    let feed = api.feed();
    (0..1_000).for_each(|number| api.truth().touch(number));
    resync(&daemon, &feed).await?;
    let [second, first] = &moves(&daemon, &feed).await?[..] else { panic!("two moves") };
    assert_eq!(
        (&first["id"], &first["run"], &first["actor"]),
        (&"c1".into(), &"r1".into(), &Value::Null)
    );
    assert_eq!((&first["current"], &second["current"]), (&false.into(), &true.into()));
    assert!(second["actor"].is_string(), "a person's run: {second}");

    let preview = daemon.json(&["cursor", "rewind", &feed, "--to", "c1", "--dry-run"]).await?;
    assert_eq!(preview["done"], false);
    let what = &preview["preview"];
    assert_eq!((&what["from"], &what["to"]), (&second["value"], &first["value"]));
    // A thousand rows changed since, the one that stood there is read again, and `lookback` before it.
    assert_eq!((&what["back_s"], &what["rows"]), (&1_000.into(), &(1_001 + LOOKBACK).into()));
    assert_eq!(what["rows_now"], 2_000);
    assert_eq!(moves(&daemon, &feed).await?.len(), 2, "a preview moves nothing");

    let said = daemon.cli(&["cursor", "rewind", &feed, "--to", "r1"]).await?;
    assert_eq!(said.code, 2, "without a reason nothing is done in a script: {}", said.err);
    let reason = "the mapping was mended";
    let done = daemon.json(&["cursor", "rewind", &feed, "--to", "r1", "--reason", reason]).await?;
    assert_eq!((&done["done"], &done["preview"]), (&true.into(), what));
    let history = moves(&daemon, &feed).await?;
    let keys = ["value", "moved_at", "run", "reason", "actor", "current"];
    assert!(
        history.iter().all(|row| keys.iter().all(|key| row.get(key).is_some())),
        "{history:#?}"
    );
    let newest = &history[0];
    assert_eq!((&newest["value"], &newest["run"]), (&first["value"], &Value::Null));
    assert_eq!((&newest["actor"], &newest["current"]), (&second["actor"], &true.into()));
    assert!(newest["reason"].as_str().is_some_and(|text| text.contains(reason)), "{newest}");
    assert_eq!(daemon.client.feed(&feed).await?.cursor.as_deref(), first["value"].as_str());

    let again = resync(&daemon, &feed).await?;
    assert_eq!((&again["received"], &again["unchanged"]), (&what["rows"], &what["rows"]));
    let history = moves(&daemon, &feed).await?;
    assert_eq!((history.len(), &history[0]["value"]), (4, &second["value"]));
    waits::same(&daemon, &api).await?;

    let state = daemon.state_dir();
    let offline =
        daemon.json(&["--offline", &state.to_string_lossy(), "cursor", "show", &feed]).await?;
    assert_eq!(offline.as_array(), Some(&history), "and the same without the daemon");
    let some = daemon.json(&["cursor", "show", &feed, "--after", "c3", "--limit", "1"]).await?;
    assert_eq!(some[0]["id"], "c2");
    let mut audit: Vec<AuditRow> = daemon.client.get("audit?limit=1000").await?;
    audit.retain(|row| row.action == "rewind");
    let [done, begun] = &audit[..] else { panic!("{audit:#?}") };
    assert_eq!(
        (begun.phase.as_str(), done.phase.as_str(), done.of),
        ("begun", "done", Some(begun.seq))
    );
    assert_eq!(begun.reason.as_deref(), Some(reason));
    Ok(())
}

#[tokio::test]
async fn a_position_that_the_worker_remembers_is_moved_too() -> anyhow::Result<()> {
    // One page is the whole of it: an unchanged answer is told by its validators, run after run, from memory.
    let (daemon, api) = with_partner(Paging::Cursor, 5_000, "1s").await?;
    let feed = api.feed();
    let looked =
        waits::run(&daemon, &feed, 1, "unchanged", |run| run.counts.unchanged == LOOKBACK + 1);
    let looked = waits::number(&looked.await?);
    waits::run(&daemon, &feed, looked, "unchanged again", |run| {
        run.counts.received == LOOKBACK + 1
    })
    .await?;
    let reason = ["--reason", "all of it"];
    daemon.json(&[&["cursor", "rewind", &feed, "--start"], &reason[..]].concat()).await?;
    let run = waits::run(&daemon, &feed, looked, "from the beginning", |run| {
        run.counts.received == 2_000
    });
    let run = run.await?;
    assert_eq!((run.trigger, run.counts.unchanged), (Trigger::Schedule, 2_000));
    let value = &moves(&daemon, &feed).await?[1]["value"];
    assert_eq!(value, &Value::Null, "the beginning is a point of the history");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_gone_back_to_is_refused_with_the_reason() -> anyhow::Result<()> {
    let api = Plan::new("health", &VISITS, Paging::Offset).start().await?;
    let other = Plan::new("police", &REFERRALS, Paging::Link).start().await?;
    let daemon = Daemon::start(Home::with(&[&api.file("1h"), &other.file("1h")])?).await?;
    waits::good_run(&daemon, &api.feed(), 0).await?;
    let feed = api.feed();
    for (arguments, code, said) in [
        (vec![&*feed, "--to", "2099-01-01T00:00:00Z"], 2, "ahead of the cursor"),
        (vec![&*feed, "--to", "last tuesday"], 2, "a time with its zone"),
        (vec![&*feed, "--to", "c99"], 2, "neither a move"),
        (vec!["police/referrals", "--start"], 1, "no `incremental`"),
        (vec!["police/nothing", "--start"], 1, "cannot find feed"),
    ] {
        let arguments = [&["cursor", "rewind"], &arguments[..], &["--reason", "why"]].concat();
        let refused = daemon.cli(&arguments).await?;
        assert_eq!(refused.code, code, "{arguments:?}: {}{}", refused.out, refused.err);
        assert!(refused.err.contains(said), "{arguments:?}: {}", refused.err);
    }
    assert_eq!(moves(&daemon, &feed).await?.len(), 1);
    assert_eq!(daemon.cli(&["cursor", "show", "police/nothing"]).await?.code, 1);
    Ok(())
}

#[tokio::test]
async fn on_a_terminal_only_the_feeds_name_does_it() -> anyhow::Result<()> {
    let (daemon, api) = with_partner(Paging::Cursor, 500, "1h").await?;
    let (feed, config) = (api.feed(), daemon.home.config());
    let config = config.to_string_lossy();
    let arguments = ["--config", &config, "cursor", "rewind", &feed, "--start"];
    for (typed, moves_then, end) in [("", 1, 1), ("health", 1, 1), (&*feed, 2, 0)] {
        let mut screen = Screen::open(&programs()?.marsad, &arguments, (110, 24))?;
        let shown = screen.until_text(&format!("Type {feed} to do it")).await?;
        assert!(
            shown.contains("2,000 of 2,000 records") && shown.contains("no record is removed"),
            "{shown}"
        );
        screen.keys(typed)?;
        screen.keys(ENTER)?;
        assert_eq!(screen.until_ended().await?, end, "{typed:?}");
        assert_eq!(moves(&daemon, &feed).await?.len(), moves_then, "{typed:?}");
    }
    Ok(())
}

/// Needs root: only root can be somebody else.
#[tokio::test]
async fn an_operator_looks_and_does_not_rewind_needs_root() -> anyhow::Result<()> {
    if !geteuid().is_root() {
        say("not run: becoming another user needs root");
        return Ok(());
    }
    let api = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    let home = Home::with(&[&api.file("1h")])?
        .extra("roles = { operator = [\"user:daemon\"], supervisor = [\"user:bin\"] }")?;
    let daemon = Daemon::start(home).await?;
    let feed = api.feed();
    waits::good_run(&daemon, &feed, 0).await?;
    open_to_all(&daemon)?;
    let rewind = ["cursor", "rewind", &feed, "--start"];
    for (user, more, code) in [
        ("daemon", &["--dry-run"][..], 0),
        ("daemon", &["--reason", "why"], 3),
        ("bin", &["--reason", "why"], 0),
    ] {
        let said = as_user(&daemon, user, &[&rewind, more].concat()).await?;
        assert_eq!(said.0, code, "{user} {more:?}: {}", said.1);
    }
    let history = moves(&daemon, &feed).await?;
    assert_eq!((history.len(), &history[0]["actor"]), (2, &"bin".into()));
    let audit: Vec<AuditRow> = daemon.client.get("audit?limit=1000").await?;
    assert!(audit.iter().any(|row| row.phase == "refused" && row.user == "daemon"), "{audit:#?}");
    Ok(())
}

//! Promise 12: restarting, at any moment, changes nothing but time: queues, back-off, clocks and states go on where they
//! were.

use anyhow::Context as _;
use marsad_shared::{
    exchange::State,
    freshness::Freshness,
    health::Health,
    protocol::{ConnectionRow, ExchangeRow, FeedRow},
    run::Outcome,
};
use marsad_tests::{
    bank,
    daemon::{Client, Daemon, Home},
    partner::{
        Desk, Fault, Paging, PartnerFile, Reply, Script,
        api::Plan,
        data::{NOTICES, REFERRALS, VISITS},
        line::Server,
    },
};
use serde_json::json;

use crate::waits;

/// All that a restart must not change.
async fn standing(client: &Client) -> anyhow::Result<(Vec<String>, Vec<String>, Vec<String>)> {
    let feeds: Vec<FeedRow> = client.feeds().await?;
    let connections: Vec<ConnectionRow> = client.get("connections").await?;
    let exchanges: Vec<ExchangeRow> = client.exchanges().await?;
    let feed = |row: FeedRow| {
        let FeedRow {
            id,
            freshness,
            since_at,
            checked_at,
            arrived_at,
            event_at,
            rows,
            cursor,
            last_run,
            next_at,
            ..
        } = row;
        format!(
            "{id} {freshness} {since_at:?} {checked_at:?} {arrived_at:?} {event_at:?} {rows} {cursor:?} {last_run:?} {next_at:?}"
        )
    };
    let connection = |row: ConnectionRow| {
        let ConnectionRow { id, health, since_at, reason, cause, last_ok_at, fails, .. } = row;
        format!("{id} {health} {since_at} {reason:?} {cause:?} {last_ok_at:?} {fails}")
    };
    let exchange = |row: ExchangeRow| {
        let ExchangeRow {
            id,
            state,
            attempts,
            created_at,
            next_at,
            deadline_at,
            idempotency_key,
            reason,
            ..
        } = row;
        format!(
            "{id} {state} {attempts} {created_at} {next_at:?} {deadline_at:?} {idempotency_key} {reason:?}"
        )
    };
    Ok((
        feeds.into_iter().map(feed).collect(),
        connections.into_iter().map(connection).collect(),
        exchanges.into_iter().map(exchange).collect(),
    ))
}

#[tokio::test]
async fn promise_12_a_restart_by_stop_or_kill_changes_nothing_but_time() -> anyhow::Result<()> {
    let well = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    let refused = Plan::new("police", &REFERRALS, Paging::Link).token("right").start().await?;
    let desk = Desk::start("social", 0).await?;
    desk.post().set(Fault::RetryLater { status: 503, seconds: 3_600 });
    let home = Home::with(&[well.file("1h").promise("2h", "15m", "4h"), &desk.file()])?;
    let mut file = refused.file("1h");
    home.partner(file.secret("police.secret", "wrong"))?;
    let mut daemon = Daemon::start(home).await?;
    waits::same(&daemon, &well).await?;
    waits::good_run(&daemon, &well.feed(), 0).await?;
    waits::failed_run(&daemon, &refused.feed(), 0).await?;
    let document = daemon.path().join("one.json");
    std::fs::write(&document, "{}")?;
    daemon.json(&["send", &desk.connection(), &document.to_string_lossy()]).await?;
    daemon
        .until("the exchange waiting, police down", async |client| {
            let waiting = client.exchanges().await?.iter().all(|row| row.state == State::Retrying);
            let down = client.connection("police/api").await?.health == Health::Down;
            Ok((waiting && down).then_some(()))
        })
        .await?;

    let before = standing(&daemon.client).await?;
    let asked = (well.switch().asked(), desk.post().asked());
    for kill in [true, false, true] {
        let ended = if kill { daemon.kill9().await? } else { daemon.sigterm().await? };
        assert!(kill || ended.success(), "it stops in order: {ended}");
        daemon.go().await?;
        assert_eq!(
            standing(&daemon.client).await?,
            before,
            "after {}",
            if kill { "kill -9" } else { "a stop" }
        );
    }
    assert_eq!((well.switch().asked(), desk.post().asked()), asked, "nobody was asked before time");
    Ok(())
}

#[tokio::test]
async fn promise_12_a_run_that_was_cut_short_says_so_and_is_made_up_for() -> anyhow::Result<()> {
    let api = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    api.switch().plan([None, Some(Fault::Stall)]);
    let mut daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    api.switch().until_asked(2).await;
    daemon.kill9().await?;
    daemon.go().await?;
    let run = waits::run(&daemon, &api.feed(), 0, "cut short", |run| {
        run.outcome != Outcome::Running && !run.outcome.is_good()
    })
    .await?;
    assert!(run.reason.is_some() && run.ended_at.is_some(), "{run:?}");
    waits::same(&daemon, &api).await?;
    waits::good_run(&daemon, &api.feed(), waits::number(&run)).await?;
    Ok(())
}

#[tokio::test]
async fn promise_12_sigterm_in_mid_work_ends_it_in_time_and_a_second_daemon_is_refused()
-> anyhow::Result<()> {
    let api = Plan::new("child-protection", &NOTICES, Paging::Offset).start().await?;
    api.switch().set(Fault::Stall);
    let mut daemon =
        Daemon::start(Home::with(&[&api.file("1s")])?.extra("grace = \"2s\"")?).await?;
    api.switch().until_asked(1).await;

    let mut second = tokio::process::Command::new(&marsad_tests::build::programs()?.marsadd);
    second.arg("--config").arg(daemon.home.config()).kill_on_drop(true);
    let output = tokio::time::timeout(marsad_tests::daemon::LIMIT, second.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&daemon.pid()?.to_string()), "it names who holds the folder: {said}");
    daemon.client.status().await?;

    let ended = daemon.sigterm().await?;
    assert!(ended.success(), "{ended}\n{}", daemon.log());
    assert!(!daemon.home.socket().exists(), "no socket is left");
    api.switch().set(None);
    daemon.go().await?;
    waits::same(&daemon, &api).await
}

#[tokio::test]
async fn promise_12_a_stop_does_not_wait_for_partners_who_do_not_answer() -> anyhow::Result<()> {
    let (tell, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let hangs = axum::Router::new().fallback(move || {
        let _ = tell.send(());
        std::future::pending::<&'static str>()
    });
    let server = Server::start(hangs, 0).await?;
    let mut file = PartnerFile::new("registry");
    file.connection("api", &format!("base_url = \"http://{}\"\n", server.address()));
    // More than are asked for at the same time: some wait until others are answered, and nobody is.
    for number in 0..20 {
        file.add(&format!(
            "\n[[feed]]\nid = \"f{number}\"\nconnection = \"api\"\npath = \"/{number}.json\"\nrecords = \"$[*]\"\n\
             key = [\"id\"]\nfields = {{ id = \"text\" }}\nschedule = {{ every = \"1s\" }}"
        ));
    }
    let mut daemon = Daemon::start(Home::with(&[&file])?).await?;
    for _ in 0..16 {
        asked.recv().await.context("somebody asks")?;
    }
    let ended = daemon.sigterm().await?;
    assert!(ended.success(), "{ended}\n{}", daemon.log());
    let log = daemon.log();
    assert!(!log.contains("are aborted"), "everybody went by itself: {log}");
    Ok(())
}

/// As many feeds as begin in five steps.
const MANY: u64 = 450;

#[tokio::test]
async fn promise_12_many_feeds_begin_step_by_step_and_a_stop_or_a_kill_in_between_loses_none()
-> anyhow::Result<()> {
    let script = Script::start(|_| Reply::json(&json!([{ "id": 1 }]))).await?;
    let mut file = PartnerFile::new("registry");
    file.connection("api", &format!("base_url = \"http://{}\"\n", script.address()));
    for number in 0..MANY {
        file.add(&format!(
            "\n[[feed]]\nid = \"f{number}\"\nconnection = \"api\"\npath = \"/{number}\"\nkey = [\"id\"]\n\
             fields = {{ id = \"integer\" }}\nschedule = {{ every = \"1h\" }}\nfreshness = {{ every = \"1d\" }}"
        ));
    }
    let mut daemon = Daemon::start(Home::with(&[&file])?).await?;
    let ended = daemon.sigterm().await?;
    assert!(ended.success(), "{ended}\n{}", daemon.log());
    daemon.go().await?;
    daemon.kill9().await?;
    daemon.go().await?;
    let last = format!("registry/f{}", MANY - 1);
    daemon.client.resync(&last, false).await?;
    waits::good_run(&daemon, &last, 0).await?;
    let all = async |client: &Client| {
        let fresh = client.status().await?.feeds.get(Freshness::Fresh.word()).copied();
        Ok((fresh == Some(MANY)).then_some(()))
    };
    daemon.until("every feed is read", all).await?;
    for number in 0..MANY {
        let sql = format!("SELECT count(*) FROM registry__f{number}");
        assert_eq!(bank::number(&daemon.state_dir(), "cache.db", &sql)?, 1, "f{number}");
    }
    Ok(())
}

//! Manners toward a partner: what it asks for is kept to by all its feeds, a budget is a budget, and nobody knocks at a door
//! that is not opened. Each time, what happened is said where operators look.

use std::time::Duration;

use crate::waits;
use jiff::Timestamp;
use marsad_shared::{
    clock::{Clock as _, SystemClock, plus},
    exchange::State,
    health::Reason,
    protocol::{ConnectionRow, PartnerRow, RunRow},
    run::Outcome,
};
use marsad_tests::{
    daemon::{Client, Daemon, Home},
    partner::{
        Api, Desk, Fault, Paging, PartnerFile,
        api::Plan,
        data::{REFERRALS, VISITS},
    },
};

const SECOND: &str = "health/again";

async fn visits(rows: u64) -> anyhow::Result<Api> {
    Plan::new("health", &VISITS, Paging::Cursor).rows(rows).start().await
}

/// The partner's file with a second feed over the same connection, of the same rows.
fn twice(api: &Api, every: &str) -> PartnerFile {
    let mut file = api.file(every);
    file.add(&format!(
        "\n[[feed]]\nid = \"again\"\nconnection = \"api\"\nkey = [\"visit_id\"]\npath = \"/v1/again\"\n\
         records = \"$.data[*]\"\nschedule = {{ every = \"{every}\" }}\n\
         pagination = {{ kind = \"cursor\", param = \"after\", next = \"$.meta.next\" }}"
    ));
    file
}

async fn connection(daemon: &Daemon) -> anyhow::Result<ConnectionRow> {
    daemon.client.connection("health/api").await
}

/// Waits until the reason of `feed` says `word`, and gives the reason.
async fn reason(daemon: &Daemon, feed: &str, word: &str) -> anyhow::Result<String> {
    let look = async |client: &Client| {
        let reason = client.feed(feed).await?.reason.unwrap_or_default();
        Ok(reason.contains(word).then_some(reason))
    };
    daemon.until(&format!("{feed} says {word}"), look).await
}

fn headers(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// The pages that all runs of a feed have read together.
fn pages(runs: &[RunRow]) -> u64 {
    runs.iter().map(|run| run.pages).sum()
}

#[tokio::test]
async fn who_is_asked_to_come_later_comes_later_with_all_its_feeds_and_after_a_restart()
-> anyhow::Result<()> {
    let api = visits(250).await?;
    let mut daemon = Daemon::start(Home::with(&[&twice(&api, "1s")])?).await?;
    waits::good_run(&daemon, &api.feed(), 0).await?;
    waits::good_run(&daemon, SECOND, 0).await?;
    api.switch().set(Fault::RetryLater { status: 429, seconds: 3_600 });
    daemon
        .until("a request that was refused", async |_| {
            Ok(connection(&daemon).await?.wait_until_at.map(drop))
        })
        .await?;
    for feed in [api.feed(), SECOND.to_owned()] {
        let said = reason(&daemon, &feed, "3600 s").await?;
        assert!(said.contains("429") && said.contains("until 2"), "{said}");
        let next_at = daemon.client.feed(&feed).await?.next_at;
        let soon = plus(SystemClock.now(), Duration::from_mins(50));
        assert!(next_at.is_some_and(|at| at > soon), "{feed}: {next_at:?}");
    }
    let row = connection(&daemon).await?;
    assert_eq!(row.overlays, ["waiting"]);
    assert!(row.wait_reason.is_some_and(|why| why.contains("asks us to wait 3600 s")));
    let asked = api.switch().asked();
    let said = daemon.cli(&["resync", SECOND]).await?;
    assert!(said.code != 0 && said.err.contains("waiting until"), "{said:?}");
    assert!(daemon.sigterm().await?.success());
    daemon.go().await?;
    assert_eq!(connection(&daemon).await?.overlays, ["waiting"], "it goes on resting");
    let said = daemon.cli(&["resync", &api.feed()]).await?;
    assert!(said.code != 0 && said.err.contains("3600 s"), "{said:?}");
    // What was under way when the first answer said so may have been refused too.
    assert_eq!(api.switch().asked(), asked, "nobody asks again before that");
    Ok(())
}

#[tokio::test]
async fn a_wait_longer_than_a_run_has_patience_ends_it_and_it_goes_on_at_that_page()
-> anyhow::Result<()> {
    let api = visits(500).await?;
    api.switch().plan([None, None, Some(Fault::RetryLater { status: 503, seconds: 21 })]);
    let daemon = Daemon::start(Home::with(&[&api.file("1s")])?).await?;
    let (run, said) = waits::failed_run(&daemon, &api.feed(), 0).await?;
    assert_eq!((run.pages, run.cause), (2, None), "{said}");
    assert!(said.contains("503") && said.contains("asks us to wait 21 s, until"), "{said}");
    waits::same(&daemon, &api).await?;
    // The rows are there before it is known that the run has ended.
    let over = |run: &RunRow| run.outcome != Outcome::Running;
    let second = waits::run(&daemon, &api.feed(), run.id.0.unsigned_abs(), "ended", over).await?;
    let first = run;
    assert_eq!((first.pages, second.pages), (2, 3), "no page is read twice");
    let waited = second.started_at.duration_since(first.started_at).as_secs();
    assert!((21..80).contains(&waited), "in full: {waited} s");
    Ok(())
}

#[tokio::test]
async fn a_count_of_requests_is_kept_to_before_anything_is_refused() -> anyhow::Result<()> {
    let api = visits(500).await?;
    let none_left = headers(&[
        ("ratelimit", "\"burst\";r=10;t=1, \"hour\";r=0;t=3000"),
        ("ratelimit-policy", "\"hour\";q=100;w=3600"),
    ]);
    api.switch().plan([None, None, Some(Fault::With(none_left))]);
    let daemon = Daemon::start(Home::with(&[&api.file("1s")])?).await?;
    let said = reason(&daemon, &api.feed(), "0 of 100 are left").await?;
    assert!(said.contains("waiting until"), "{said}");
    let runs = daemon.client.runs(&api.feed()).await?;
    assert_eq!((pages(&runs), api.switch().asked()), (3, 3), "{runs:?}");
    assert!(runs.iter().all(|run| run.outcome != Outcome::Failed), "nothing failed: {runs:?}");
    Ok(())
}

#[tokio::test]
async fn an_error_says_its_own_words_and_a_gateways_is_told_from_the_partners() -> anyhow::Result<()>
{
    let token = "t0ken-ZWNobw";
    let api = Plan::new("health", &VISITS, Paging::Cursor).rows(250).token(token).start().await?;
    let answer = |status, pairs: &[(&'static str, &str)], body| Fault::Answer {
        status,
        headers: headers(pairs),
        body,
    };
    let json = ("content-type", "application/json");
    let gateway = answer(
        500,
        &[json, ("x-road-error", "Server.ClientProxy.NetworkError")],
        r#"{"type":"Server.ClientProxy.NetworkError","detail":"Could not connect to any target host"}"#,
    );
    let partner = answer(
        500,
        &[("content-type", "application/problem+json")],
        r#"{"title":"Service Unavailable","status":503,"detail":"Nightly \u001b[2Jmaintenance"}"#,
    );
    let echo =
        answer(400, &[json], r#"{"detail":"no: Bearer t0ken-ZWNobw","error":"t0ken-ZWNobw"}"#);
    let page = answer(400, &[("content-type", "text/html")], "<h1>sorry</h1>");
    let daemon = Daemon::start(Home::with(&[&api.file("1s")])?).await?;
    for (fault, cause, words) in [
        (
            gateway,
            Reason::GatewayFault,
            &["error at the gateway, Server.ClientProxy.NetworkError", "Could not connect"][..],
        ),
        (partner, Reason::Http5xx, &["the partner answered 500", "Nightly", "[2Jmaintenance"]),
        (echo, Reason::Http4xx, &["the partner answered 400 Bad Request;"]),
        (page, Reason::Http4xx, &["the partner answered 400 Bad Request;"]),
    ] {
        let before = waits::last(&daemon, &api.feed()).await?;
        api.switch().set(fault);
        let look = |run: &RunRow| run.outcome == Outcome::Failed && run.cause == Some(cause);
        let run = waits::run(&daemon, &api.feed(), before, cause.word(), look).await?;
        let shown = daemon.cli(&["runs", "show", &run.id.to_string()]).await?.out;
        assert!(shown.contains(cause.word()) && !shown.contains('\u{1b}'), "{shown}");
        for word in words {
            assert!(shown.contains(word), "{word}: {shown}");
        }
    }
    assert!(!daemon.log().contains(token));
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_seen() -> anyhow::Result<()> {
    let api = visits(10).await?;
    let there = plus(SystemClock.now(), Duration::from_mins(10));
    let there = there.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    api.switch().set(Fault::With(vec![("date", there)]));
    let daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    waits::good_run(&daemon, &api.feed(), 0).await?;
    let row = connection(&daemon).await?;
    assert!(row.clock_offset_s.is_some_and(|ahead| (500..=601).contains(&ahead)), "{row:?}");
    assert_eq!(row.overlays, ["clock"]);
    let shown = daemon.json(&["connections", "show", "health/api"]).await?;
    assert_eq!(shown["clock_offset_s"], row.clock_offset_s.unwrap_or_default());
    assert!(daemon.log().contains("clock and ours differ"));
    Ok(())
}

#[tokio::test]
async fn a_budget_is_shared_survives_a_restart_and_holds_no_delivery_back() -> anyhow::Result<()> {
    let api = visits(2_000).await?;
    let desk = Desk::start("health", 0).await?;
    let mut file = twice(&api, "1s");
    file.to_partner("budget = \"6/d\"");
    file.connection("desk", &format!("base_url = \"http://{}\"\n", desk.address()));
    file.add("deliver = { method = \"POST\", path = \"/v1/referrals\", deadline = \"2d\" }");
    let mut daemon = Daemon::start(Home::with(&[&file])?).await?;
    for feed in [api.feed(), SECOND.to_owned()] {
        let said = reason(&daemon, &feed, "the budget of calls is spent").await?;
        assert!(said.contains("waiting until") && said.contains("of 6"), "{said}");
    }
    assert_eq!(api.switch().asked(), 6, "between the two");
    let partner: PartnerRow = daemon.client.get("partners/health").await?;
    let spent = partner
        .budget
        .as_ref()
        .map(|budget| (budget.limit, budget.per_s, budget.spent, budget.left));
    assert_eq!(spent, Some((6, 86_400, 6, 0)));
    assert_eq!(partner.calls.iter().map(|calls| calls.n).sum::<u64>(), 6);

    let document = daemon.path().join("one.json");
    std::fs::write(&document, "{}")?;
    daemon.json(&["send", "health/desk", &document.to_string_lossy()]).await?;
    waits::exchanges_in(&daemon, State::Delivered, 1).await?;
    let shown = daemon.json(&["partners", "show", "health"]).await?;
    assert_eq!((&shown["budget"]["spent"], &shown["budget"]["left"]), (&7.into(), &0.into()));
    let deliveries = shown["calls"].as_array().into_iter().flatten();
    assert!(deliveries.clone().any(|row| row["feed"] == "deliveries" && row["n"] == 1), "{shown}");

    for kill in [true, false] {
        let ended = if kill { daemon.kill9().await? } else { daemon.sigterm().await? };
        assert!(kill || ended.success());
        daemon.go().await?;
        reason(&daemon, &api.feed(), "the budget of calls is spent").await?;
        reason(&daemon, SECOND, "the budget of calls is spent").await?;
        let partner: PartnerRow = daemon.client.get("partners/health").await?;
        assert_eq!(partner.budget.map(|budget| budget.spent), Some(7));
    }
    assert_eq!(api.switch().asked(), 6, "a restart grants nothing");
    Ok(())
}

/// Killed again and again, each time as soon as the partner was asked for more: what was granted is asked for once.
#[tokio::test]
async fn a_budget_is_not_granted_anew_by_every_crash() -> anyhow::Result<()> {
    let api = visits(2_000).await?;
    let mut file = twice(&api, "1s");
    file.to_partner("budget = \"60/d\"");
    let mut daemon = Daemon::start(Home::with(&[&file])?).await?;
    for _ in 0..3 {
        // What a kill comes upon may be counted and never asked: not all 60 calls need arrive.
        let enough = (api.switch().asked() + 10).min(50);
        let more = async |_: &Client| Ok((api.switch().asked() >= enough).then_some(()));
        daemon.until("some more calls", more).await?;
        daemon.kill9().await?;
        daemon.go().await?;
    }
    reason(&daemon, &api.feed(), "the budget of calls is spent").await?;
    reason(&daemon, SECOND, "the budget of calls is spent").await?;
    // What was under way when it was killed may not have been written down yet.
    assert!(api.switch().asked() <= 70, "{} calls of 60", api.switch().asked());
    Ok(())
}

#[tokio::test]
async fn when_nothing_is_answered_only_one_tries_and_neighbours_do_not_notice() -> anyhow::Result<()>
{
    let (api, other) = (visits(250).await?, Plan::new("police", &REFERRALS, Paging::Link));
    let other = other.start().await?;
    let daemon = Daemon::start(Home::with(&[&twice(&api, "1s"), &other.file("1s")])?).await?;
    waits::good_run(&daemon, &api.feed(), 0).await?;
    waits::good_run(&daemon, SECOND, 0).await?;
    let before = api.switch().asked();
    api.switch().set(Fault::Status(500));
    daemon
        .until("the breaker open", async |_| {
            let row = connection(&daemon).await?;
            Ok(row.overlays.contains(&"breaker".to_owned()).then_some(row))
        })
        .await
        .map(|row| {
            let why = row.wait_reason.unwrap_or_default();
            assert!(why.contains("failed in a row") && why.contains("500"), "{why}");
        })?;
    let asked = api.switch().asked() - before;
    // Five in a row, whatever was well before they began, and at most the other feed's that was under way, and a try.
    assert!((5..=9).contains(&asked), "{asked} requests until it opened");
    let noticed = waits::last(&daemon, &other.feed()).await?;
    waits::good_run(&daemon, &other.feed(), noticed).await?;

    api.switch().set(None);
    let last = waits::last(&daemon, SECOND).await?;
    let said = daemon.cli(&["resync", &api.feed(), "--wait"]).await?;
    assert_eq!(said.code, 0, "a person's order is the try: {said:?}");
    waits::good_run(&daemon, SECOND, last).await?;
    assert!(connection(&daemon).await?.overlays.is_empty());
    Ok(())
}

#[tokio::test]
async fn two_orders_at_once_make_one_run_after_the_other() -> anyhow::Result<()> {
    let api = visits(500).await?;
    let daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    waits::good_run(&daemon, &api.feed(), 0).await?;
    let feed = api.feed();
    let order = || daemon.client.resync(&feed, true);
    let (first, second) = tokio::try_join!(order(), order())?;
    assert_ne!(first.run, second.run);
    let after = waits::last(&daemon, &api.feed()).await? - 1;
    waits::good_run(&daemon, &api.feed(), after).await?;
    let runs = daemon.client.runs(&api.feed()).await?;
    for pair in runs.windows(2) {
        let ended = pair[0].ended_at.unwrap_or(Timestamp::MAX);
        assert!(ended <= pair[1].started_at, "{pair:?}");
    }
    assert_eq!(runs.len(), 3);
    Ok(())
}

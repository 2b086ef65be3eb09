//! Bad input over HTTP: each gets a run that says what, where and what to do; then the partner mends it, and nothing is
//! missing.

use marsad_shared::{health::Reason, protocol::RunRow};
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{
        Api, Fault, Paging,
        api::Plan,
        data::{NOTICES, REFERRALS, VISITS},
    },
};

use crate::waits;

/// A partner that goes wrong for good at its page 2; the run that failed and its words; then all is well and complete.
async fn goes_wrong(plan: Plan, fault: Fault) -> anyhow::Result<(RunRow, String)> {
    let api = plan.start().await?;
    api.switch().plan([None]);
    let daemon = start(&api, fault).await?;
    let found = waits::failed_run(&daemon, &api.feed(), 0).await?;
    mended(&daemon, &api, &found.0).await?;
    Ok(found)
}

async fn start(api: &Api, fault: Fault) -> anyhow::Result<Daemon> {
    let asked = api.switch().asked();
    let daemon = Daemon::start(Home::with(&[&api.file("1s")])?).await?;
    // The first page is answered well; from then on it goes wrong.
    api.switch().until_asked(asked + 1).await;
    api.switch().set(fault);
    Ok(daemon)
}

async fn mended(daemon: &Daemon, api: &Api, failed: &RunRow) -> anyhow::Result<()> {
    assert!(failed.counts.balances(), "{failed:?}");
    api.switch().set(None);
    waits::good_run(daemon, &api.feed(), waits::number(failed)).await?;
    waits::same(daemon, api).await
}

fn visits() -> Plan {
    Plan::new("health", &VISITS, Paging::Cursor).rows(2_000)
}

#[tokio::test]
async fn an_endpoint_that_is_down() -> anyhow::Result<()> {
    let api = visits().start().await?;
    api.die().await;
    let daemon = Daemon::start(Home::with(&[&api.file("1s")])?).await?;
    let (run, reason) = waits::failed_run(&daemon, &api.feed(), 0).await?;
    assert_eq!(run.cause, Some(Reason::ConnectRefused), "{reason}");
    assert!(
        reason.contains("/v1/visits")
            && reason.contains("refused")
            && reason.contains("ask the partner"),
        "{reason}"
    );
    api.revive().await?;
    mended(&daemon, &api, &run).await
}

#[tokio::test]
async fn an_endpoint_that_answers_500() -> anyhow::Result<()> {
    let (run, reason) = goes_wrong(visits(), Fault::Status(500)).await?;
    assert_eq!(run.cause, Some(Reason::Http5xx), "{reason}");
    assert!(reason.contains("500") && reason.contains("tell the partner"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_answers_html_with_200() -> anyhow::Result<()> {
    let (run, reason) = goes_wrong(visits(), Fault::Html).await?;
    assert_eq!(run.cause, Some(Reason::NotJson), "{reason}");
    assert!(
        reason.contains("page 2") && reason.contains("not JSON") && reason.contains("error page"),
        "{reason}"
    );
    assert!(!reason.contains('\u{1b}'), "{reason:?}");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_cut_off_in_mid_body() -> anyhow::Result<()> {
    let (run, reason) = goes_wrong(visits(), Fault::CutOff).await?;
    assert_eq!(run.cause, Some(Reason::Truncated), "{reason}");
    assert!(reason.contains("cut off"), "{reason}");
    assert_eq!(run.counts.received % 100, 0, "no part of a page that was cut off: {run:?}");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_breaks_its_json_in_the_middle() -> anyhow::Result<()> {
    let (run, reason) = goes_wrong(visits(), Fault::Garbage).await?;
    assert!(reason.contains("page 2"), "it says where: {reason}");
    assert_eq!(run.counts.received % 100, 0, "no part of a page that was broken: {run:?}");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_whose_paging_runs_in_a_circle() -> anyhow::Result<()> {
    for paging in [Paging::Cursor, Paging::Link, Paging::NextUrl] {
        let plan = Plan::new("police", &REFERRALS, paging).rows(1_000);
        let (_, reason) = goes_wrong(plan, Fault::Loop).await?;
        assert!(reason.contains("circle") && reason.contains("page"), "{paging:?}: {reason}");
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_ignores_the_page_it_is_asked_for() -> anyhow::Result<()> {
    for paging in [Paging::Offset, Paging::Page] {
        let plan = Plan::new("child-protection", &NOTICES, paging).rows(1_000);
        let (_, reason) = goes_wrong(plan, Fault::Loop).await?;
        assert!(reason.contains("same") && reason.contains("pagination"), "{paging:?}: {reason}");
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_whose_pages_move_while_they_are_read() -> anyhow::Result<()> {
    let api = Plan::new("child-protection", &NOTICES, Paging::Offset).rows(500).start().await?;
    api.switch().plan(std::iter::repeat_n(Some(Fault::Shift), 6));
    let daemon = Daemon::start(Home::with(&[&api.file("1s")])?).await?;
    waits::same(&daemon, &api).await
}

#[tokio::test]
async fn an_endpoint_that_fails_four_times_in_ten() -> anyhow::Result<()> {
    let api = Plan::new("child-protection", &NOTICES, Paging::Offset).rows(1_500).start().await?;
    api.switch().set(Fault::Flaky { percent: 40 });
    let daemon = Daemon::start(Home::with(&[&api.file("1s")])?).await?;
    waits::same(&daemon, &api).await?;
    api.truth().change(50);
    waits::same(&daemon, &api).await
}

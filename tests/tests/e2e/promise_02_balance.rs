//! Promise 2: a cursor never passes data that is neither in the cache nor in quarantine; a run is green only if it
//! balances.

use marsad_shared::run::Outcome;
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{
        Fault, Paging,
        api::Plan,
        data::{NOTICES, VISITS},
    },
};

use crate::waits;

#[tokio::test]
async fn promise_2_every_run_balances_whatever_the_partner_sends() -> anyhow::Result<()> {
    let api = Plan::new("child-protection", &NOTICES, Paging::Offset).start().await?;
    let faults = [
        Some(Fault::DoubleKeys),
        Some(Fault::BadRows),
        Some(Fault::CutOff),
        Some(Fault::Status(500)),
        Some(Fault::Shift),
        Some(Fault::Garbage),
        Some(Fault::NoAnswer),
        None,
    ];
    api.switch().plan(faults.iter().cycle().take(48).cloned());
    let daemon = Daemon::start(Home::with(&[&api.file("1s")])?).await?;
    api.switch().until_asked(24).await;
    api.truth().change(20);
    api.switch().until_asked(50).await;
    waits::same(&daemon, &api).await?;
    let runs = daemon.client.runs(&api.feed()).await?;
    for run in &runs {
        if run.outcome != Outcome::Running {
            assert!(
                run.counts.balances() || !run.outcome.is_good(),
                "green without balance: {run:?}"
            );
        }
        assert_eq!(
            run.outcome == Outcome::Partial,
            run.outcome.is_good() && run.counts.quarantined > 0,
            "{run:?}"
        );
    }
    assert!(runs.iter().any(|run| run.counts.duplicate > 0), "a key that came twice was counted");
    Ok(())
}

#[tokio::test]
async fn promise_2_of_a_key_that_comes_twice_the_last_wins() -> anyhow::Result<()> {
    let api = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    api.switch().set(Fault::DoubleKeys);
    let daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    let run = waits::good_run(&daemon, &api.feed(), 0).await?;
    let counts = run.counts;
    assert_eq!((counts.received, counts.inserted, counts.duplicate), (253, 250, 3), "{run:?}");
    waits::same(&daemon, &api).await
}

#[tokio::test]
async fn promise_2_kill_9_among_bad_rows_leaves_each_of_them_in_quarantine_once()
-> anyhow::Result<()> {
    let api = Plan::new("health", &VISITS, Paging::Link).rows(1_000).start().await?;
    let mut daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    waits::good_run(&daemon, &api.feed(), 0).await?;
    api.switch().set(Fault::BadRows);
    let asked = api.switch().asked();
    for more in [3, 6] {
        daemon.client.resync(&api.feed(), true).await?;
        api.switch().until_asked(asked + more).await;
        daemon.kill9().await?;
        daemon.go().await?;
    }
    // Ten pages, one bad row each; pages read twice put theirs in the same place.
    daemon.client.resync(&api.feed(), true).await?;
    let items = waits::quarantined(&daemon, &api.feed(), 10).await?;
    waits::run(&daemon, &api.feed(), 0, "the full one", |run| run.outcome == Outcome::Partial)
        .await?;
    let places: std::collections::BTreeSet<_> = items.iter().map(|item| item.place.page).collect();
    assert_eq!((items.len(), places.len()), (10, 10), "{items:#?}");
    for item in &items {
        assert_eq!(item.place.field.as_deref(), Some("updated_at"), "{item:?}");
        assert!(item.place.row.is_some() && !item.reason.is_empty() && item.bytes > 0, "{item:?}");
    }
    waits::same(&daemon, &api).await
}

//! Promise 1: a page or file is in the cache with its cursor moved, or not at all.

use marsad_shared::run::Outcome;
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{
        Api, Fault, Office, Paging, Truth,
        api::Plan,
        data::{REQUESTS, VISITS},
    },
};

use crate::waits;

/// How many rows of `table` there are.
fn rows(daemon: &Daemon, table: &str) -> i64 {
    bank::number(&daemon.state_dir(), "cache.db", &format!("SELECT count(*) FROM {table}"))
        .unwrap_or_default()
}

/// Kills the daemon while the partner holds page `page` back; what is in the bank are the whole pages before it.
async fn kill_at(daemon: &mut Daemon, api: &Api, page: u64, size: i64) -> anyhow::Result<()> {
    let asked = api.switch().asked();
    api.switch().plan((1..page).map(|_| None).chain([Some(Fault::Stall)]));
    daemon.go().await?;
    api.switch().until_asked(asked + page).await;
    daemon.kill9().await?;
    bank::check(&daemon.state_dir())?;
    let found = rows(daemon, "health__visits");
    assert_eq!(found % size, 0, "half a page is in the bank: {found} rows");
    Ok(())
}

#[tokio::test]
async fn promise_1_kill_9_between_pages_leaves_whole_pages_and_the_walk_goes_on()
-> anyhow::Result<()> {
    let api = Plan::new("health", &VISITS, Paging::Cursor).rows(3_000).start().await?;
    let mut daemon = Daemon::start(Home::new()?).await?;
    daemon.kill9().await?;
    daemon.home.partner(&api.file("1h"))?;
    let mut before = 0;
    for page in [6, 1, 9, 4] {
        kill_at(&mut daemon, &api, page, 100).await?;
        let now = rows(&daemon, "health__visits");
        assert!(now >= before, "what was committed is gone: {before} rows, then {now}");
        before = now;
    }
    daemon.go().await?;
    waits::same(&daemon, &api).await?;
    // Thirty pages, and for each kill at most three once more: one on its way, one that waits, one being kept. A walk
    // that began anew each time would have asked fifty times.
    let asked = api.switch().asked();
    assert!(asked <= 30 + 4 * 3, "asked {asked} times for 30 pages and 4 kills");
    Ok(())
}

#[tokio::test]
async fn promise_1_kill_9_at_any_moment_of_a_long_sync_loses_and_doubles_nothing()
-> anyhow::Result<()> {
    let api = Plan::new("health", &VISITS, Paging::Cursor).rows(20_000).page(500).start().await?;
    killed_all_along(api, 6, 500).await
}

/// The same with a million rows, for a machine with minutes to spare: `cargo test … -- --ignored a_million`.
#[tokio::test]
#[ignore = "takes minutes: a million rows"]
async fn promise_1_kill_9_during_a_sync_of_a_million_rows() -> anyhow::Result<()> {
    let api =
        Plan::new("health", &VISITS, Paging::Cursor).rows(1_000_000).page(1_000).start().await?;
    killed_all_along(api, 10, 1_000).await
}

/// Kills the daemon `times` times, each after so many pages as the rest divided by what is left, wherever it then is.
async fn killed_all_along(api: Api, times: u64, size: i64) -> anyhow::Result<()> {
    let mut daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    let pages = api.truth().len() / u64::try_from(size)?;
    for kill in 1..=times {
        // No page is held back: the daemon is somewhere between fetching, decoding and writing.
        api.switch().until_asked(pages * kill / (times + 1)).await;
        daemon.kill9().await?;
        bank::check(&daemon.state_dir())?;
        let found = rows(&daemon, "health__visits");
        assert_eq!(found % size, 0, "half a page is in the bank: {found} rows");
        daemon.go().await?;
    }
    daemon
        .until("the whole of it read", async |client| {
            let feed = client.feed(&api.feed()).await?;
            Ok(feed.last_outcome.is_some_and(Outcome::is_good).then_some(()))
        })
        .await?;
    assert_eq!(
        bank::differences(&daemon.state_dir(), &api.feed(), &api.truth())?,
        Vec::<String>::new()
    );
    Ok(())
}

#[tokio::test]
async fn promise_1_kill_9_while_a_file_is_imported_leaves_none_or_all_of_it() -> anyhow::Result<()>
{
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, 60_000))?;
    home.partner(&office.file("2s"))?;
    let csv = office.csv();
    let mut daemon = Daemon::start(home).await?;
    office.drop_file("requests-1.csv", csv.as_bytes())?;
    for _ in 0..2 {
        daemon
            .until("the import under way", async |client| {
                let status = client.status().await?;
                let reading = status.running.iter().any(|run| run.rows > 0 || run.bytes > 0);
                Ok((reading || client.feed(&office.feed()).await?.rows > 0).then_some(()))
            })
            .await?;
        daemon.kill9().await?;
        bank::check(&daemon.state_dir())?;
        let found = rows(&daemon, "housing__requests");
        assert!(found == 0 || found == 60_000, "a part of the file is in the bank: {found} rows");
        daemon.go().await?;
    }
    waits::same_rows(&daemon, &office, &office.truth).await?;
    daemon
        .until("the file in done/", async |_| {
            let [left, done, held] = office.left();
            Ok((left.is_empty() && done.len() == 1 && held.is_empty()).then_some(()))
        })
        .await
}

//! The path when nothing is wrong: every way of paging, files, growth, and what a person sees of it.

use std::time::Duration;

use marsad_shared::{freshness::Freshness, health::Health, run::Outcome};
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{
        Office, Paging, Truth,
        api::Plan,
        data::{ENROLMENTS, NOTICES, REFERRALS, REQUESTS, VISITS},
    },
};

use crate::waits;

#[tokio::test]
async fn each_way_of_paging_brings_every_row_and_then_what_changes() -> anyhow::Result<()> {
    let plans = [
        Plan::new("health", &VISITS, Paging::Cursor).token("s3cret-t0ken"),
        Plan::new("child-protection", &NOTICES, Paging::Offset),
        Plan::new("police", &REFERRALS, Paging::Link),
        Plan::new("education", &ENROLMENTS, Paging::NextUrl),
        Plan::new("social", &NOTICES, Paging::Page),
    ];
    let home = Home::new()?;
    let mut partners = Vec::new();
    for plan in plans {
        let api = plan.start().await?;
        home.partner(api.file("1s").promise("1h", "15m", "4h"))?;
        partners.push(api);
    }
    let daemon = Daemon::start(home).await?;
    for api in &partners {
        waits::same(&daemon, api).await?;
        api.truth().grow(120);
        api.truth().change(30);
        waits::same(&daemon, api).await?;
        let feed = daemon.client.feed(&api.feed()).await?;
        assert_eq!((feed.freshness, feed.rows), (Freshness::Fresh, 370), "{}", feed.id);
        let connection = daemon.client.connection(&feed.connection.to_string()).await?;
        assert_eq!(connection.health, Health::Up, "{}", connection.id);
    }
    Ok(())
}

#[tokio::test]
async fn a_file_renamed_in_is_imported_put_away_and_not_taken_twice() -> anyhow::Result<()> {
    let home = Home::new()?;
    let mut office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, 300))?;
    home.partner(&office.file("2s"))?;
    let daemon = Daemon::start(home).await?;
    office.drop_file("requests-1.csv", office.csv().as_bytes())?;
    waits::same_rows(&daemon, &office, &office.truth).await?;
    let first = waits::good_run(&daemon, &office.feed(), 0).await?;
    assert_eq!((first.outcome, first.counts.inserted), (Outcome::Succeeded, 300));

    office.drop_file("requests-1-again.csv", office.csv().as_bytes())?;
    let again = waits::good_run(&daemon, &office.feed(), waits::number(&first)).await?;
    assert_eq!(again.outcome, Outcome::Unchanged, "the same content under another name");

    office.truth.grow(10);
    office.truth.change(5);
    office.drop_file("requests-2.csv", office.csv().as_bytes())?;
    waits::same_rows(&daemon, &office, &office.truth).await?;
    let third =
        waits::run(&daemon, &office.feed(), waits::number(&again), "the second delivery", |run| {
            run.outcome == Outcome::Succeeded
        })
        .await?;
    assert_eq!((third.counts.inserted, third.counts.received), (10, 310));
    daemon
        .until("all three files in done/", async |_| {
            let [left, done, held] = office.left();
            Ok((left.is_empty() && done.len() == 3 && held.is_empty()).then_some(()))
        })
        .await
}

#[tokio::test]
async fn a_partner_that_limits_us_is_obeyed_and_still_read_to_the_end() -> anyhow::Result<()> {
    let plan =
        Plan::new("health", &VISITS, Paging::Cursor).rows(1_000).limit(3, Duration::from_secs(2));
    let api = plan.start().await?;
    let daemon = Daemon::start(Home::with(&[&api.file("1s")])?).await?;
    waits::same(&daemon, &api).await?;
    let asked = api.switch().asked();
    // Eleven pages at three each two seconds; who would not wait would have asked far more often.
    assert!((11..60).contains(&asked), "asked {asked} times");
    Ok(())
}

#[tokio::test]
async fn a_full_resync_reads_all_of_it_again_and_a_dry_run_only_says_so() -> anyhow::Result<()> {
    let api = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    let daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    waits::same(&daemon, &api).await?;
    let feed = api.feed();
    waits::good_run(&daemon, &feed, 0).await?;
    let (runs, asked) = (daemon.client.runs(&feed).await?.len(), api.switch().asked());

    let preview = daemon.json(&["resync", &feed, "--full", "--dry-run"]).await?;
    assert!(preview.to_string().contains("250"), "the preview names the rows: {preview}");
    assert_eq!(
        (daemon.client.runs(&feed).await?.len(), api.switch().asked()),
        (runs, asked),
        "nothing was done"
    );

    let said = daemon.cli(&["resync", &feed, "--full", "--wait", "--reason", "a test"]).await?;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let run = daemon.client.runs(&feed).await?.pop().unwrap();
    assert_eq!(
        (run.outcome, run.counts.received, run.counts.unchanged),
        (Outcome::Unchanged, 250, 250)
    );
    Ok(())
}

//! Promise 9: one partner's trouble stays its own: its time-outs, retries and limits never delay another's schedule.

use std::time::Duration;

use marsad_shared::health::Health;
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{
        Api, Desk, Fault, Paging,
        api::Plan,
        data::{ENROLMENTS, INCOME, NOTICES, REFERRALS, VISITS},
    },
};

use crate::waits;

#[tokio::test]
async fn promise_9_stalled_slow_flaky_dead_and_limiting_partners_delay_nobody() -> anyhow::Result<()>
{
    let well = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    let stalled = Plan::new("police", &REFERRALS, Paging::Link).start().await?;
    let slow = Plan::new("employment", &INCOME, Paging::Page).start().await?;
    let flaky = Plan::new("child-protection", &NOTICES, Paging::Offset).start().await?;
    let limiting = Plan::new("education", &ENROLMENTS, Paging::NextUrl).start().await?;
    let desk = Desk::start("social", 0).await?;
    stalled.switch().set(Fault::Stall);
    slow.switch().set(Fault::Slow(Duration::from_secs(30)));
    flaky.switch().set(Fault::Flaky { percent: 60 });
    limiting.switch().set(Fault::RetryLater { status: 429, seconds: 3_600 });
    let home = Home::new()?;
    for api in [&well, &stalled, &slow, &flaky, &limiting] {
        home.partner(&api.file("1s"))?;
    }
    home.partner(&desk.file())?;
    let daemon = Daemon::start(home).await?;
    let document = daemon.path().join("one.json");
    std::fs::write(&document, "{}")?;
    desk.post().set(Fault::Stall);
    daemon.json(&["send", &desk.connection(), &document.to_string_lossy()]).await?;

    stalled.switch().until_asked(1).await;
    for _ in 0..5 {
        let before = waits::last(&daemon, &well.feed()).await?;
        well.truth().change(10);
        waits::same(&daemon, &well).await?;
        waits::good_run(&daemon, &well.feed(), before).await?;
    }
    // Eight good runs of the one while the other still waits for its first answer, which never comes.
    assert_eq!(stalled.switch().asked(), 1, "it is not asked twice while it owes an answer");
    assert_eq!(waits::good_runs(&daemon, &stalled.feed()).await?, 0);
    assert_eq!(limiting.switch().asked(), 1, "who asked us to wait an hour is not asked again");
    Ok(())
}

#[tokio::test]
async fn promise_9_a_dead_partner_is_down_and_the_others_are_up() -> anyhow::Result<()> {
    let well = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    let dead = Plan::new("police", &REFERRALS, Paging::Link).start().await?;
    dead.die().await;
    let daemon = Daemon::start(Home::with(&[&well.file("1s"), &dead.file("1s")])?).await?;
    let health_of = async |api: &Api| -> anyhow::Result<Health> {
        let feed = daemon.client.feed(&api.feed()).await?;
        Ok(daemon.client.connection(&feed.connection.to_string()).await?.health)
    };
    daemon
        .until("police down", async |_| Ok((health_of(&dead).await? == Health::Down).then_some(())))
        .await?;
    waits::same(&daemon, &well).await?;
    assert_eq!(health_of(&well).await?, Health::Up);
    let before = waits::last(&daemon, &dead.feed()).await?;
    dead.revive().await?;
    waits::good_run(&daemon, &dead.feed(), before).await?;
    daemon
        .until("police up again", async |_| {
            Ok((health_of(&dead).await? == Health::Up).then_some(()))
        })
        .await?;
    waits::same(&daemon, &dead).await
}

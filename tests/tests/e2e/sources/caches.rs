//! Answers that are older than they look, and partners that let nobody read at once.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use marsad_shared::clock::{Clock as _, SystemClock};
use marsad_tests::partner::Reply;
use serde_json::json;

use super::{Agency, Case, id, rows};
use crate::waits;

const SIZE: u64 = 5;

#[tokio::test]
async fn what_came_out_of_a_cache_bears_nothing_out() -> anyhow::Result<()> {
    let keys = "pagination = { kind = \"page\", param = \"page\", more = \"$.more\" }\nmode = \"snapshot\"";
    // Three pages a look. Row 7 slips in the second run, whose second look comes out of a cache; in the third run it is gone.
    let case = Case::new("cached", keys, |asked| {
        let page = asked.number("page").unwrap();
        let there: Vec<u64> = (0..15).filter(|row| asked.before < 3 || *row != 7).collect();
        let some = (1..).zip(there.chunks(5)).find(|(at, _)| *at == page);
        let some = some.map_or(&[][..], |(_, some)| some);
        let reply = Reply::json(&json!({ "data": rows(some.iter().copied()), "more": page < 3 }));
        let is_cached = (6..9).contains(&asked.before);
        if is_cached { reply.header("age", "600") } else { reply }
    });
    let agency = Agency::start(vec![case]).await?;
    agency.first("cached").await?;
    let run = agency.again("cached").await?;
    assert_eq!(run.counts.absent, 0, "{run:#?}");
    assert!(run.reason.as_deref().unwrap_or_default().contains("had lain in a cache"), "{run:#?}");
    agency.same("cached", 0..15)?;
    let run = agency.again("cached").await?;
    assert_eq!(run.counts.absent, 1, "two reads of now: {run:#?}");
    let looks: Vec<bool> = agency
        .asked("cached")
        .iter()
        .map(|asked| asked.header("cache-control") == Some("no-cache"))
        .collect();
    // The second look breaks off at its first page, which is old already.
    assert_eq!(looks, [[false; 7].as_slice(), &[true], &[false; 3], &[true; 3]].concat()[1..]);
    Ok(())
}

#[tokio::test]
async fn a_clock_stands_at_what_the_oldest_answer_tells() -> anyhow::Result<()> {
    let keys = "incremental = { by = \"clock\", param = \"since\", lookback = \"0s\" }";
    let case = Case::new("clock", keys, |asked| {
        let reply = Reply::json(&json!({ "data": rows([u64::try_from(asked.before).unwrap()]) }));
        if asked.before == 0 { reply.header("age", "85") } else { reply }
    });
    let began = SystemClock.now();
    let agency = Agency::start(vec![case]).await?;
    agency.first("clock").await?;
    let read = SystemClock.now();
    agency.again("clock").await?;
    let asked = agency.asked("clock");
    let since: Timestamp = asked[1].param("since").unwrap().parse()?;
    let (least, most) =
        (began - SignedDuration::from_secs(90), read - SignedDuration::from_secs(83));
    assert!((least..=most).contains(&since), "{least} {since} {most}");
    Ok(())
}

#[tokio::test]
async fn what_would_begin_anew_waits_where_it_is() -> anyhow::Result<()> {
    // Longer than a run waits that can go on where it broke off.
    let keys = "pagination = { kind = \"page\", param = \"page\", more = \"$.more\" }\nmode = \"snapshot\"";
    let case = Case::new("slow", keys, |asked| {
        let page = asked.number("page").unwrap();
        if asked.before == 1 {
            return Reply::status(429).header("retry-after", "22");
        }
        let from = (page - 1) * SIZE;
        Reply::json(&json!({ "data": rows(from..from + SIZE), "more": page < 2 }))
    });
    let agency = Agency::start(vec![case]).await?;
    let run = agency.first("slow").await?;
    assert_eq!(run.pages, 2, "{run:#?}");
    agency.same("slow", 0..10)?;
    let pages: Vec<_> = agency.asked("slow").iter().map(|asked| asked.number("page")).collect();
    assert_eq!(pages, [Some(1), Some(2), Some(2)], "no page is read twice");
    Ok(())
}

#[tokio::test]
async fn a_feed_is_as_fresh_as_what_the_cache_had() -> anyhow::Result<()> {
    let age = Arc::new(AtomicU64::new(3_600));
    let cache = Arc::clone(&age);
    let aged = Case::new("aged", "schedule = { every = \"1s\" }", move |asked| {
        let age = cache.load(Ordering::SeqCst).to_string();
        // By its mark it is the same, and one in three times by its bytes alone.
        let is_same = asked.header("if-none-match").is_some() && asked.before % 3 != 0;
        let reply = Reply::json(&json!({ "data": rows(0..3) }));
        let reply = if is_same { Reply::status(304) } else { reply };
        reply.header("etag", "\"one\"").header("age", &age)
    });
    let agency = Agency::start(vec![aged]).await?;
    let mut last = waits::number(&agency.first("aged").await?);
    // What came out of a cache takes nothing from what was read later.
    for (says, least) in [(3_600, 3_600), (1_800, 1_800), (0, 0), (600, 0)] {
        age.store(says, Ordering::SeqCst);
        // The first of them may have been asked before.
        for _ in 0..2 {
            last = waits::number(&agency.ended("aged", last).await?);
        }
        let checked_at = agency.daemon.client.feed(&id("aged")).await?.checked_at.unwrap();
        let is = SystemClock.now().duration_since(checked_at).as_secs();
        assert!((least..least + 60).contains(&is), "{says}: {is}");
    }
    Ok(())
}

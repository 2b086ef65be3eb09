//! Cursors of times, and clocks that are ahead: the partner's and ours.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use marsad_tests::partner::{Asked, Cell};
use serde_json::json;

use super::{
    Agency, Case, at,
    incremental::{data, now},
    rows,
};

#[tokio::test]
async fn rows_of_one_second_and_late_rows_are_not_passed_over() -> anyhow::Result<()> {
    let late = Arc::new(AtomicBool::new(false));
    let has = Arc::clone(&late);
    let keys = "incremental = { field = \"at\", param = \"since\", lookback = \"1m\" }";
    let case = Case::new("late", keys, move |asked| {
        let mut all = rows((0..3).chain(100..103));
        if has.load(Ordering::SeqCst) {
            // One of the second that was the last, one that is half a minute late, one that is too late for `lookback`.
            for (id, second) in [("same", 102), ("late", 70), ("too-late", 10)] {
                all.push(json!({ "id": id, "n": 0, "at": at(second) }));
            }
        }
        let since = asked.param("since").unwrap_or_default();
        all.retain(|row| row["at"].as_str().is_some_and(|at| at >= since));
        data(all)
    });
    let agency = Agency::start(vec![case]).await?;
    agency.first("late").await?;
    late.store(true, Ordering::SeqCst);
    let run = agency.again("late").await?;
    assert_eq!((run.counts.inserted, run.counts.unchanged), (2, 3), "{run:#?}");
    let ids: Vec<_> = agency.rows("late", &["id"])?.into_iter().flatten().collect();
    let text = |id: &&str| Cell::Text((*id).to_owned());
    let wanted = ["late", "r00000", "r00001", "r00002", "r00100", "r00101", "r00102", "same"];
    assert_eq!(ids, wanted.iter().map(text).collect::<Vec<_>>());
    assert_eq!(agency.cursor("late").await?, Some(at(102)), "the cursor does not go back");
    Ok(())
}

#[tokio::test]
async fn no_cursor_passes_the_partners_own_time() -> anyhow::Result<()> {
    let ahead = |hours: i64| now().checked_add(SignedDuration::from_hours(hours)).unwrap();
    let date = move |hours: i64| {
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        printer.timestamp_to_rfc9110_string(&ahead(hours)).unwrap()
    };
    let past = ahead(-3);
    let skewed = move |hours: i64| {
        move |_: &Asked| {
            let row = |id: &str, at: Timestamp| json!({ "id": id, "n": 1, "at": at.to_string() });
            data(vec![row("a", ahead(24)), row("b", past)]).header("date", &date(hours))
        }
    };
    let field = "incremental = { field = \"at\", param = \"since\" }";
    let clock = "incremental = { by = \"clock\", param = \"since\", lookback = \"1m\" }";
    // The clock is the connection's: each partner has one.
    for hours in [-2, 2] {
        let agency = Agency::start(vec![
            Case::new("field", field, skewed(hours)),
            Case::new("clock", clock, skewed(hours)),
        ])
        .await?;
        for feed in ["field", "clock"] {
            agency.first(feed).await?;
            agency.again(feed).await?;
            let cursor: Timestamp = agency.cursor(feed).await?.unwrap().parse()?;
            if feed == "field" {
                assert_eq!(cursor, past, "{hours}: what is to come moves it nowhere");
                continue;
            }
            // A clock that runs ahead takes no cursor past our own time either.
            let latest = ahead(hours.min(0));
            let off = cursor.duration_since(latest).abs();
            assert!(
                off < SignedDuration::from_mins(1) && cursor <= latest,
                "{feed} {hours}: {cursor}"
            );
        }
        let asked = agency.asked("clock").remove(1);
        let since: Timestamp = asked.param("since").unwrap().parse()?;
        assert!(since < ahead(hours.min(0)).checked_sub(SignedDuration::from_secs(50))?, "{since}");
    }
    Ok(())
}

/// A stretch of time ends at the partner's clock, though that is heard of only with its first answer: what it writes next
/// bears a time that we have had.
#[tokio::test]
async fn a_stretch_ends_by_the_clock_that_its_own_answer_told() -> anyhow::Result<()> {
    let there = |seconds: i64| now().checked_add(SignedDuration::from_secs(seconds)).unwrap();
    let case = |feed, seconds: i64| {
        let window = "incremental = { field = \"at\", param = \"since\", until_param = \"until\", start = \"2020-01-01T00:00:00Z\" }";
        Case::new(feed, window, move |_: &Asked| {
            let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
            let date = printer.timestamp_to_rfc9110_string(&there(seconds)).unwrap();
            data(rows(0..3)).header("date", &date)
        })
    };
    // The clock is the connection's: each partner has one.
    for (feed, seconds, noted) in [("behind", -40, false), ("ahead", 600, true)] {
        let agency = Agency::start(vec![case(feed, seconds)]).await?;
        let run = agency.first(feed).await?;
        let cursor: Timestamp = agency.cursor(feed).await?.unwrap().parse()?;
        assert!(cursor <= there(seconds.min(0)), "{feed}: {cursor}");
        let says = run.reason.unwrap_or_default().contains("s ahead of ours");
        assert_eq!(says, noted, "{feed}");
    }
    Ok(())
}

/// A partner whose clock goes back dates what it writes before the cursor: nobody can ask for that, and so it is told.
#[tokio::test]
async fn a_clock_that_goes_back_behind_the_cursor_is_told() -> anyhow::Result<()> {
    let back = Arc::new(AtomicBool::new(false));
    let has = Arc::clone(&back);
    let keys = "incremental = { by = \"clock\", param = \"since\", lookback = \"1m\" }";
    let agency = Agency::start(vec![Case::new("register", keys, move |_: &Asked| {
        let minutes = if has.load(Ordering::SeqCst) { -10 } else { 0 };
        let there = now().checked_add(SignedDuration::from_mins(minutes)).unwrap();
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        data(Vec::new()).header("date", &printer.timestamp_to_rfc9110_string(&there).unwrap())
    })])
    .await?;
    agency.first("register").await?;
    assert_eq!(agency.again("register").await?.reason, None);
    back.store(true, Ordering::SeqCst);
    // One answer may be wrong, most of the last few are not.
    let mut reason = None;
    for _ in 0..3 {
        reason = agency.again("register").await?.reason;
    }
    let reason = reason.unwrap_or_default();
    assert!(reason.contains("its clock has gone back, to before the cursor"), "{reason}");
    Ok(())
}

/// A cursor that is still to come was put there by a clock that was wrong: what was changed meanwhile is read, not waited for.
#[tokio::test]
async fn a_cursor_that_is_to_come_is_not_waited_for() -> anyhow::Result<()> {
    let changed = |asked: &Asked| match asked.param("since") {
        Some(since) if since > at(8).as_str() => data(Vec::new()),
        _ => data(rows(0..8)),
    };
    let by_clock = "incremental = { by = \"clock\", param = \"since\" }";
    let by_field = "incremental = { field = \"at\", param = \"since\" }";
    let in_seconds = "fields = { id = \"text\", n = \"integer\" }\n\
                      incremental = { field = \"n\", param = \"since\", format = \"unix\" }";
    let row = |n: u64| json!({ "id": format!("r{n}"), "n": 1_583_020_800 + n });
    let seconds = move |asked: &Asked| match asked.number("since") {
        Some(since) if since > 1_600_000_000 => data(Vec::new()),
        _ => data((0..8).map(row).collect()),
    };
    let mut agency = Agency::start(vec![
        Case::new("clocked", by_clock, changed),
        Case::new("dated", by_field, changed),
        Case::new("counted", in_seconds, seconds),
    ])
    .await?;
    for feed in ["clocked", "dated", "counted"] {
        agency.first(feed).await?;
    }
    agency.daemon.kill9().await?;
    let ahead = "2199-01-01T00:00:00Z";
    let cache = rusqlite::Connection::open(agency.daemon.state_dir().join("cache.db"))?;
    cache.execute("UPDATE marsad_feed SET cursor = ? WHERE feed <> 'agency/counted'", [ahead])?;
    cache
        .execute("UPDATE marsad_feed SET cursor = 7226582400 WHERE feed = 'agency/counted'", [])?;
    drop(cache);
    agency.daemon.go().await?;
    for feed in ["clocked", "dated", "counted"] {
        let run = agency.again(feed).await?;
        assert_eq!(run.counts.received, 8, "{feed}: {run:#?}");
        assert!(run.reason.unwrap_or_default().contains("still to come"), "{feed}");
        let cursor = agency.cursor(feed).await?.unwrap_or_default();
        assert!(feed == "counted" || cursor.as_str() < ahead, "{feed}: {cursor}");
        let later = agency.again(feed).await?;
        assert!(later.reason.is_none(), "{feed}: {later:#?}");
    }
    Ok(())
}

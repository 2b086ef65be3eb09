//! A partner's own mark of change (`changed`): what it spares, and what it must not hide.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use marsad_shared::{protocol::RunRow, run::Outcome};
use marsad_tests::partner::Reply;
use serde_json::{Value, json};

use super::{Agency, Case, id, rows};
use crate::waits;

/// A walk that lacked some of it, by the partner's own count, is no reason to ask for nothing but the mark from then on.
#[tokio::test]
async fn a_mark_is_not_kept_behind_a_read_that_was_not_all() -> anyhow::Result<()> {
    let breaks = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&breaks);
    let keys = "pagination = { kind = \"link\", total = \"$.total\" }\n\
                changed = { path = \"/list/mark\", at = \"$.mark\" }\nschedule = { every = \"1s\" }";
    let case = Case::new("list", keys, move |asked| {
        if asked.path.ends_with("/mark") {
            return Reply::json(&json!({ "mark": "m1" }));
        }
        let from = asked.number("from").unwrap_or_default();
        let page = Reply::json(&json!({ "total": 30, "data": rows(from..from + 10) }));
        let goes_on = from == 0 || from == 10 && !broken.load(Ordering::SeqCst);
        if goes_on {
            page.header("link", &format!("</list?from={}>; rel=\"next\"", from + 10))
        } else {
            page
        }
    });
    let agency = Agency::start(vec![case]).await?;
    let run = agency.first("list").await?;
    assert_eq!(run.counts.received, 20, "{run:#?}");
    assert!(run.reason.as_ref().is_some_and(|why| why.contains("there are 30 and gave 20")));
    breaks.store(false, Ordering::SeqCst);
    let all = |run: &RunRow| run.counts.received == 30;
    let run = waits::run(&agency.daemon, &id("list"), waits::number(&run), "all", all).await?;
    assert_eq!((run.counts.inserted, &run.reason), (10, &None), "{run:#?}");
    agency.same("list", 0..30)?;
    let pages = || agency.asked("list").iter().filter(|asked| asked.path == "/list").count();
    let asked = pages();
    let run = agency.ended("list", waits::number(&run)).await?;
    assert_eq!(pages(), asked, "now the mark is enough");
    assert_eq!((run.counts.received, run.counts.unchanged), (30, 30), "{run:#?}");
    Ok(())
}

/// How many there are is what the last read had: the brake judges the next one by it.
#[tokio::test]
async fn a_mark_that_stands_counts_what_the_last_read_had() -> anyhow::Result<()> {
    let has = Arc::new(Mutex::new((10_u64, 1_u64)));
    let list = Arc::clone(&has);
    let keys = "mode = \"snapshot\"\nchanged = { path = \"/list/mark\", at = \"$.mark\" }\nschedule = { every = \"1s\" }";
    let case = Case::new("list", keys, move |asked| {
        let (many, version) = *list.lock().unwrap();
        if asked.path.ends_with("/mark") {
            return Reply::json(&json!({ "mark": format!("{many} {version}") }));
        }
        let changed = |mut row: Value| {
            row["n"] = (row["n"].as_u64().unwrap_or_default() * version).into();
            row
        };
        let data: Vec<_> = rows(0..many).into_iter().map(changed).collect();
        Reply::json(&json!({ "data": data }))
    });
    let agency = Agency::start(vec![case]).await?;
    let first = agency.first("list").await?;
    *has.lock().unwrap() = (40, 1);
    let (list, grown) = (id("list"), |run: &RunRow| run.counts.inserted == 30);
    let mut run =
        waits::run(&agency.daemon, &list, waits::number(&first), "it has grown", grown).await?;
    for _ in 0..9 {
        run = agency.ended("list", waits::number(&run)).await?;
        assert_eq!((run.counts.received, run.counts.unchanged), (40, 40), "{run:#?}");
    }
    *has.lock().unwrap() = (40, 2);
    let news = |run: &RunRow| !matches!(run.outcome, Outcome::Running | Outcome::Unchanged);
    let run = waits::run(&agency.daemon, &list, waits::number(&run), "news", news).await?;
    assert_eq!(run.counts.updated, 39, "as many as ever, and not held: {run:#?}");
    Ok(())
}

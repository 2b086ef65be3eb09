//! Marks of change, the server's (`ETag`, `Last-Modified`) and the partner's own (`changed`): what they spare, and what they must
//! not hide.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use marsad_shared::{protocol::RunRow, run::Outcome};
use marsad_tests::partner::{Asked, Reply};
use serde_json::{Value, json};

use super::{Agency, COLUMNS, Case, id, rows};
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

/// A partner that knows its own version, and answers 304 to who has it.
fn versioned(asked: &Asked) -> Reply {
    if asked.header("if-none-match") == Some("\"v1\"") {
        return Reply::status(304).header("etag", "\"v1\"");
    }
    Reply::json(&json!({ "data": rows(0..5) })).header("etag", "\"v1\"")
}

/// The same by time of change.
fn dated(asked: &Asked) -> Reply {
    let changed = "Sun, 01 Mar 2020 00:00:00 GMT";
    if asked.header("if-modified-since") == Some(changed) {
        return Reply::status(304);
    }
    Reply::json(&json!({ "data": rows(0..5) })).header("last-modified", changed)
}

#[tokio::test]
async fn what_has_not_changed_is_remembered_over_a_restart() -> anyhow::Result<()> {
    let often = "schedule = { every = \"1s\" }";
    let mut agency = Agency::start(vec![
        Case::new("tagged", often, versioned),
        Case::new("dated", often, dated),
    ])
    .await?;
    for feed in ["tagged", "dated"] {
        agency.first(feed).await?;
    }
    agency.daemon.kill9().await?;
    let before = ["tagged", "dated"].map(|feed| agency.asked(feed).len());
    agency.daemon.go().await?;
    for (feed, before) in ["tagged", "dated"].into_iter().zip(before) {
        agency.script.until_asked(&format!("/{feed}"), before + 1).await;
        let asked = agency.asked(feed).remove(before);
        let known = asked.header("if-none-match").or(asked.header("if-modified-since"));
        assert!(known.is_some(), "the first request after the restart: {asked:?}");
        let after = waits::last(&agency.daemon, &id(feed)).await?;
        let run = agency.ended(feed, after).await?;
        assert_eq!((run.outcome, run.counts.unchanged), (Outcome::Unchanged, 5), "{run:#?}");
        assert_eq!((run.bytes, run.counts.received), (0, 5), "{run:#?}");
        agency.same(feed, 0..5)?;
    }
    Ok(())
}

/// What stands before a partner may not let through what it is asked by: then it is asked without.
#[tokio::test]
async fn who_takes_no_marks_is_asked_without_them() -> anyhow::Result<()> {
    let answer = |asked: &Asked| match asked.header("if-none-match") {
        Some(_) => Reply::status(412),
        None => Reply::json(&json!({ "data": rows(0..5) })).header("etag", "\"v1\""),
    };
    let agency =
        Agency::start(vec![Case::new("strict", "schedule = { every = \"1s\" }", answer)]).await?;
    let first = agency.first("strict").await?;
    let after = first.id.0.unsigned_abs();
    let run = agency.ended("strict", after).await?;
    assert_eq!((run.outcome, run.counts.received), (Outcome::Unchanged, 5), "{run:#?}");
    let asked = agency.asked("strict");
    assert!(asked.iter().any(|asked| asked.header("if-none-match").is_some()));
    Ok(())
}

/// A mark is of the place that gave it and of one version: not of wherever a redirect leads today, nor of every version (`*`);
/// and who says that nothing changed and names another version says nothing.
#[tokio::test]
async fn a_mark_is_of_one_place_and_of_one_version() -> anyhow::Result<()> {
    let later = Arc::new(AtomicBool::new(false));
    let case = |name: &'static str, tag: fn(bool) -> &'static str| {
        let later = Arc::clone(&later);
        Case::new(name, "schedule = { every = \"1s\" }", move |asked| {
            let later = later.load(Ordering::SeqCst);
            if name == "moved" && asked.path == "/moved" {
                let to = if later { "/moved/2" } else { "/moved/1" };
                return Reply::status(302).header("location", to);
            }
            match asked.header("if-none-match") {
                Some(_) => Reply::status(304).header("etag", tag(later)),
                None => Reply::json(&json!({ "data": rows(0..if later { 8 } else { 5 }) }))
                    .header("etag", tag(later)),
            }
        })
    };
    let cases = vec![
        case("moved", |_| "\"1\""),
        case("star", |_| "*"),
        case("other", |later| if later { "\"v2\"" } else { "\"v1\"" }),
    ];
    let agency = Agency::start_with("redirects = true\n", cases).await?;
    for feed in ["moved", "star", "other"] {
        agency.first(feed).await?;
        agency.same(feed, 0..5)?;
    }
    later.store(true, Ordering::SeqCst);
    for feed in ["moved", "star", "other"] {
        let all = async |_: &_| Ok((agency.rows(feed, &COLUMNS)?.len() == 8).then_some(()));
        agency.daemon.until(&format!("{feed} is as the partner has it"), all).await?;
        agency.same(feed, 0..8)?;
    }
    Ok(())
}

/// In the second in which it was given a list may change once more: its time of change is not asked by, until an answer of a
/// later second says the same.
#[tokio::test]
async fn a_time_of_change_is_asked_by_once_it_is_over() -> anyhow::Result<()> {
    let answer = |asked: &Asked| {
        let changed = "Tue, 24 Nov 2026 10:00:00 GMT";
        if asked.header("if-modified-since") == Some(changed) {
            return Reply::status(304);
        }
        let date = if asked.before == 0 { changed } else { "Tue, 24 Nov 2026 10:01:00 GMT" };
        let reply = Reply::json(&json!({ "data": rows(0..5) }));
        reply.header("last-modified", changed).header("date", date)
    };
    let agency =
        Agency::start(vec![Case::new("fresh", "schedule = { every = \"1s\" }", answer)]).await?;
    agency.script.until_asked("/fresh", 3).await;
    let known = |asked: &Asked| asked.header("if-modified-since").is_some();
    let asked: Vec<_> = agency.asked("fresh").iter().map(known).take(3).collect();
    assert_eq!(asked, [false, false, true]);
    Ok(())
}

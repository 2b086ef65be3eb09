//! Pages that come in any order, again, not at all or late: whatever a partner does with them, an older version never wins,
//! and once it has shown everything the bank has what the partner has.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use marsad_shared::run::Outcome;
use marsad_tests::partner::{Asked, Cell, Reply, Row, random, random::Random};
use serde_json::{Value, json};

use super::{Agency, Case, at, lines, row, rows, some};

const KEYS: &str = "version = \"n\"\ndeleted = { field = \"op\", values = [\"delete\"] }\n\
    pagination = { kind = \"cursor\", param = \"after\", next = \"$.next\" }";
const FEEDS: [&str; 4] = ["one", "two", "three", "four"];
const ROWS: u64 = 60;
const PAGE: usize = 7;
/// Reads; before the last of them the partner shows everything.
const STAGES: u64 = 5;

/// How often row `id` was changed up to `stage`, which is its version, and whether it is gone since.
fn state(seed: u64, id: u64, stage: u64) -> (u64, bool) {
    let changes = |until: u64| {
        (0..=until).filter(|stage| at_stage(seed, id, *stage).below(3) == 0).count() as u64
    };
    let gone = stage > 1 && at_stage(seed, id, 99).below(5) == 0;
    // It went in stage 2, and that was its last version.
    (if gone { changes(2) + 1 } else { changes(stage) }, gone)
}

fn at_stage(seed: u64, id: u64, stage: u64) -> Random {
    random::at(seed, [id, stage, 0])
}

/// Row `id` as it was at `stage`.
fn shown(seed: u64, id: u64, stage: u64) -> Value {
    let (version, gone) = state(seed, id, stage);
    json!({ "id": format!("r{id:05}"), "n": version, "at": at(version), "op": if gone { "delete" } else { "put" } })
}

/// What the bank has once it has seen everything of `stage`.
fn truth(seed: u64, stage: u64) -> Vec<Row> {
    let live = (0..ROWS).filter(|id| !state(seed, *id, stage).1);
    live.map(|id| {
        let (version, _) = state(seed, id, stage);
        let version = i64::try_from(version).unwrap();
        vec![Cell::Text(format!("r{id:05}")), Cell::Integer(version)]
    })
    .collect()
}

/// All pages of a read: each row, some again as they once were, in an order that means nothing; before the last read some
/// pages are lost, and some come twice.
fn pages(seed: u64, stage: u64) -> Vec<Vec<Value>> {
    let mut dice = random::at(seed, [stage, 7, 7]);
    let mut rows: Vec<Value> = (0..ROWS).map(|id| shown(seed, id, stage)).collect();
    for _ in 0..ROWS / 2 {
        rows.push(shown(seed, dice.below(ROWS), dice.below(stage + 1)));
    }
    for place in (1..rows.len()).rev() {
        let other = dice.below(place as u64 + 1);
        rows.swap(place, usize::try_from(other).unwrap());
    }
    let mut pages: Vec<_> = rows.chunks(PAGE).map(<[Value]>::to_vec).collect();
    let again = pages[3].clone();
    pages.push(again);
    if stage + 1 < STAGES {
        pages.remove(5);
        pages.remove(1);
    }
    pages
}

/// Answers page by page; the first time that it is asked for the third one, it is out of order.
fn answer(seed: u64, stage: u64, asked: &Asked, fell: &Mutex<HashSet<u64>>) -> Reply {
    let page = asked.param("after").and_then(|after| after.rsplit('-').next()?.parse().ok());
    let page: usize = page.unwrap_or(0);
    if page == 2 && fell.lock().unwrap().insert(stage) {
        return Reply::status(502);
    }
    let pages = pages(seed, stage);
    let next = (page + 1 < pages.len()).then(|| format!("{stage}-{}", page + 1));
    Reply::json(&json!({ "data": pages[page], "next": next }))
}

#[tokio::test]
async fn an_older_version_never_wins_and_all_ends_as_the_partner_has_it() -> anyhow::Result<()> {
    let stage = Arc::new(AtomicU64::new(0));
    let cases = FEEDS.iter().zip(0..).map(|(feed, seed)| {
        let (stage, fell) = (Arc::clone(&stage), Mutex::default());
        Case::new(feed, KEYS, move |asked| answer(seed, stage.load(Ordering::SeqCst), asked, &fell))
    });
    let agency = Agency::start(cases.collect()).await?;
    let mut known: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for now in 0..STAGES {
        for (feed, seed) in FEEDS.into_iter().zip(0..) {
            let run = if now == 0 { agency.first(feed).await? } else { agency.again(feed).await? };
            assert!(run.counts.duplicate > 0, "{feed}: {run:#?}");
            let rows = agency.rows(feed, &["id", "n"])?;
            for row in &rows {
                let before = known.get(feed).into_iter().flatten().find(|old| old[0] == row[0]);
                let older = matches!((before.map(|old| &old[1]), &row[1]), (Some(Cell::Integer(old)), Cell::Integer(new)) if new < old);
                assert!(!older, "{feed}, read {now}: {before:?} became {row:?}");
            }
            if now + 1 == STAGES {
                assert_eq!(rows, truth(seed, now), "{feed}");
            }
            known.insert(feed, rows);
        }
        stage.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// A list that is led through by id while its records change, and a cursor that counts the changes: `count` is that of each id,
/// and behind the second page 1 is changed, and then `later`, which is still to come.
fn by_id(feed: &'static str, count: fn(u64) -> u64, later: u64) -> (Case, impl Fn() -> Vec<Row>) {
    let list: BTreeMap<u64, u64> = (0..12).map(|id| (id, count(id))).collect();
    let list = Arc::new(Mutex::new(list));
    let there = Arc::clone(&list);
    let answer = move |asked: &Asked| {
        let mut list = there.lock().unwrap();
        let above = asked.number("above").unwrap_or(0);
        let after: Option<u64> =
            asked.param("after").map(|after| after.trim_start_matches('k').parse().unwrap());
        let told = list.iter().filter(|(id, n)| **n >= above && after.is_none_or(|at| **id > at));
        let told: Vec<_> = told.map(|(id, n)| (*id, *n)).take(5).collect();
        let next = told.get(4).map(|(id, _)| format!("k{id:02}"));
        if asked.before == 1 {
            list.extend([(1, 116), (later, 117)]);
        }
        let written =
            |(id, n): &(u64, u64)| json!({ "id": format!("r{id:05}"), "n": n, "at": at(*id) });
        let rows: Vec<_> = told.iter().map(written).collect();
        Reply::json(&json!({ "data": rows, "next": next }))
    };
    let keys = "incremental = { field = \"n\", param = \"above\" }\n\
        pagination = { kind = \"cursor\", param = \"after\", next = \"$.next\" }";
    let kept = move || {
        let row = |(id, n): (&u64, &u64)| {
            vec![Cell::Text(format!("r{id:05}")), Cell::Integer(n.cast_signed())]
        };
        list.lock().unwrap().iter().map(row).collect()
    };
    (Case::new(feed, keys, answer), kept)
}

#[tokio::test]
async fn a_count_of_changes_waits_for_a_second_look_where_records_come_in_another_order()
-> anyhow::Result<()> {
    for (feed, count, later) in [
        ("mixed", (|id| 100 + id * 5 % 12) as fn(u64) -> u64, 11),
        ("as-they-were-made", |id| 100 + id, 10),
        ("at-first", |id| if id < 5 { 100 + id * 2 % 5 } else { 100 + id }, 11),
    ] {
        let (case, kept) = by_id(feed, count, later);
        let agency = Agency::start(vec![case]).await?;
        let first = agency.first(feed).await?;
        let reason = first.reason.unwrap_or_default();
        assert!(reason.contains("another order than that of the cursor"), "{feed}: {reason}");
        assert_eq!(agency.cursor(feed).await?, None, "{feed}");
        agency.again(feed).await?;
        assert_eq!(agency.cursor(feed).await?.as_deref(), Some("117"), "{feed}");
        assert_eq!(agency.rows(feed, &["id", "n"])?, kept(), "{feed}");
    }
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The words of an error in the place of records are none, and nothing leads on from them.
#[tokio::test]
async fn what_is_no_record_ends_no_walk() -> anyhow::Result<()> {
    let keys = "incremental = { field = \"n\", param = \"above\" }\n\
        pagination = { kind = \"cursor\", param = \"after\", next_header = \"X-Next\" }";
    let ill = Arc::new(AtomicBool::new(true));
    let cases = [
        ("words", false, "[{\"error\":\"busy\"}]"),
        ("nothing", false, "[null]"),
        ("hole", false, "[null,{\"id\":\"r00006\",\"n\":6,\"at\":\"2020-03-01T00:00:06Z\"}]"),
        ("typed", false, "[{\"id\":\"x\",\"n\":\"busy\"}]"),
        (
            "cut-short",
            false,
            "[{\"id\":\"r00005\",\"n\":5,\"at\":\"2020-03-01T00:00:05Z\"},{\"error\":\"busy\"}]",
        ),
        ("lines", true, "{\"error\":\"busy\"}\n"),
        ("table", true, "id,n,at\nr00005,5,2020-03-01T00:00:05Z\nERROR: statement timeout\n"),
        ("page", true, "<html><body>Log in</body></html>\n"),
    ];
    let make = |(feed, is_lines, words): (&'static str, bool, &'static str)| {
        let form = match feed {
            "table" => "format = \"csv\"",
            _ if is_lines => "format = \"ndjson\"",
            "typed" => "records = \"$[*]\"\nkey = [\"n\"]",
            _ => "records = \"$[*]\"",
        };
        let ill = Arc::clone(&ill);
        Case::new(feed, &format!("{form}\n{keys}"), move |asked| {
            let after = asked.number("after");
            if after.is_some() && ill.load(Ordering::SeqCst) {
                return Reply::text("text/plain", words);
            }
            // No number of what came: it is no place in the list.
            let from = after.map(|after| after - 100).or(asked.number("above")).unwrap_or(0);
            let page = some(from, 5, 12);
            let reply = if feed == "table" {
                let cells = |row: Value| {
                    format!("{},{},{}\n", text(&row["id"]), row["n"], text(&row["at"]))
                };
                let table: String = rows(page.clone()).into_iter().map(cells).collect();
                Reply::text("text/csv", &format!("id,n,at\n{table}"))
            } else if is_lines {
                Reply::text("application/x-ndjson", &lines(page.clone()))
            } else {
                Reply::json(&rows(page.clone()).into())
            };
            if page.end < 12 {
                reply.header("X-Next", &(page.end + 100).to_string())
            } else {
                reply
            }
        })
    };
    let agency = Agency::start(cases.map(make).into()).await?;
    for (feed, ..) in cases {
        let first = agency.ended(feed, 0).await?;
        assert_ne!(first.outcome, Outcome::Succeeded, "{first:#?}");
        assert_eq!(agency.cursor(feed).await?, None, "{feed}");
    }
    ill.store(false, Ordering::SeqCst);
    for (feed, ..) in cases {
        agency.again(feed).await?;
        agency.same(feed, 0..12)?;
        assert_eq!(agency.cursor(feed).await?.as_deref(), Some("11"), "{feed}");
    }
    Ok(())
}

/// What was deleted stands in the list of changes as anything else: behind so many of them as one answer holds there is more.
#[tokio::test]
async fn deletions_move_the_cursor() -> anyhow::Result<()> {
    let keys = "incremental = { field = \"n\", param = \"above\" }\n\
        deleted = { field = \"op\", values = [\"delete\"] }";
    let answer = |asked: &Asked| {
        let from = asked.number("above").unwrap_or(0);
        let rows = (from..12).take(4).map(|n| match n {
            2..10 => json!({ "id": format!("r{n:05}"), "n": n, "op": "delete" }),
            // What it has in its other columns is nobody's trouble.
            10 => json!({ "id": "r00000", "n": "\0", "at": 7, "op": "delete" }),
            _ => row(n),
        });
        Reply::json(&json!({ "data": rows.collect::<Vec<_>>() }))
    };
    let agency = Agency::start(vec![Case::new("changes", keys, answer)]).await?;
    agency.first("changes").await?;
    for cursor in ["6", "9", "11"] {
        agency.again("changes").await?;
        assert_eq!(agency.cursor("changes").await?.as_deref(), Some(cursor));
    }
    agency.same("changes", [1, 11])
}

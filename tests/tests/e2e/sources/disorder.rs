//! Pages that come in any order, again, not at all or late: whatever a partner does with them, an older version never wins,
//! and once it has shown everything the bank has what the partner has.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use marsad_tests::partner::{Asked, Cell, Reply, Row, random, random::Random};
use serde_json::{Value, json};

use super::{Agency, Case, at};

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

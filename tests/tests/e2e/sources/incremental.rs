//! Only what changed since last time: each way of asking for it, with no row passed over and none asked for twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    health::Reason,
    protocol::RunRow,
    run::{Outcome, Trigger},
};
use marsad_tests::partner::{Asked, Cell, Reply};
use serde_json::{Value, json};

use super::{Agency, COLUMNS, Case, at, failed, id, row, rows};

pub(super) fn data(rows: Vec<Value>) -> Reply {
    Reply::json(&Value::from_iter([("data", Value::from(rows))]))
}

/// By the machine's own clock: what the daemon beside it has too.
#[expect(clippy::disallowed_methods, reason = "a partner has a clock of its own")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// A feed whose partner shows all rows, and how it asks the second time.
fn written(feed: &'static str, keys: &str) -> Case {
    Case::new(feed, &format!("incremental = {{ {keys} }}"), |_| data(rows(0..8)))
}

#[tokio::test]
async fn the_cursor_is_written_as_the_partner_reads_it() -> anyhow::Result<()> {
    let field = "field = \"at\", param = \"since\"";
    let body = "json = { filter = { kind = \"all\" } }\n";
    let agency = Agency::start(vec![
        written("plain", field),
        written("unix", &format!("{field}, format = \"unix\"")),
        written("unix-ms", &format!("{field}, format = \"unix_ms\"")),
        written(
            "pattern",
            &format!("{field}, format = \"%d/%m/%Y %H:%M:%S\", zone = \"Asia/Dubai\""),
        ),
        written("zone", &format!("{field}, zone = \"Asia/Dubai\"")),
        written(
            "template",
            "field = \"at\", param = \"$filter\", value = \"ModifiedOn gt {cursor} and {field} ne null\"",
        ),
        written("lookback", &format!("{field}, lookback = \"10m\"")),
        written("header", "field = \"at\", param = \"X-Since\", place = \"header\""),
        Case::new(
            "body",
            &format!(
                "{body}incremental = {{ field = \"at\", param = \"filter.since\", place = \"body\" }}"
            ),
            |_| data(rows(0..8)),
        ),
        Case::new(
            "odata",
            "preset = \"odata\"\nrecords = \"$.data[*]\"\npath = \"/odata?$filter=open%20eq%201&a=1\"\n\
             incremental = { field = \"at\" }",
            |_| data(rows(0..8)),
        ),
        Case::new(
            "opendatasoft",
            "preset = \"opendatasoft\"\nrecords = \"$.data[*]\"\npath = \"/opendatasoft?where=open%3D1\"\n\
             incremental = { field = \"at\" }\npagination = { kind = \"none\" }",
            |_| data(rows(0..8)),
        ),
        written("counter", "field = \"n\", param = \"above\""),
        written("start", &format!("{field}, start = \"2019-01-01T00:00:00Z\"")),
    ])
    .await?;
    // The last row is of 2020-03-01T00:00:07Z.
    for (feed, param, first, second) in [
        ("plain", "since", None, "2020-03-01T00:00:07Z"),
        ("unix", "since", None, "1583020807"),
        ("unix-ms", "since", None, "1583020807000"),
        ("pattern", "since", None, "01/03/2020 04:00:07"),
        ("zone", "since", None, "2020-03-01T04:00:07+04:00"),
        ("template", "$filter", None, "ModifiedOn gt 2020-03-01T00:00:07Z and at ne null"),
        ("lookback", "since", None, "2020-02-29T23:50:07Z"),
        ("header", "X-Since", None, "2020-03-01T00:00:07Z"),
        ("body", "filter.since", None, "2020-03-01T00:00:07Z"),
        ("odata", "$filter", Some("open eq 1"), "(open eq 1) and (at ge 2020-03-01T00:00:07Z)"),
        (
            "opendatasoft",
            "where",
            Some("open=1"),
            "(open=1) and (at >= date'2020-03-01T00:00:07Z')",
        ),
        ("counter", "above", None, "7"),
        ("start", "since", Some("2019-01-01T00:00:00Z"), "2020-03-01T00:00:07Z"),
    ] {
        agency.first(feed).await?;
        let again = agency.again(feed).await?;
        assert_eq!((again.outcome, again.counts.unchanged), (Outcome::Unchanged, 8), "{feed}");
        let asked = agency.asked(feed);
        let said = |asked: &Asked| {
            let body = asked.json()["filter"]["since"].as_str().map(str::to_owned);
            let query = asked.param(param).or_else(|| asked.header(param));
            query.map(str::to_owned).or(body)
        };
        let [one, two] = asked.as_slice() else { panic!("{feed}: {asked:?}") };
        assert_eq!((said(one).as_deref(), said(two).as_deref()), (first, Some(second)), "{feed}");
        agency.same(feed, 0..8)?;
    }
    let body = agency.asked("body").remove(1).json();
    assert_eq!(body["filter"]["kind"], "all", "what else stands there stays: {body}");
    Ok(())
}

#[tokio::test]
async fn a_partner_that_went_back_behind_the_cursor_is_told_of() -> anyhow::Result<()> {
    let has = Arc::new(AtomicU64::new(8));
    // The rows from the cursor on, with what stands there itself or without.
    let answer = |inclusive: bool| {
        let has = Arc::clone(&has);
        move |asked: &Asked| {
            let since = asked.param("above").map(|text| text.parse::<u64>().unwrap());
            let from = since.map_or(0, |since| since + u64::from(!inclusive));
            let to = has.load(Ordering::Relaxed);
            data(rows(from.min(to)..to))
        }
    };
    let keys = "incremental = { field = \"n\", param = \"above\" }";
    let feeds = ["with", "without"];
    let cases = feeds.map(|feed| Case::new(feed, keys, answer(feed == "with")));
    let agency = Agency::start(Vec::from(cases)).await?;
    let lost = |run: &RunRow| {
        let reason = run.reason.as_deref().unwrap_or_default();
        reason.contains("the record that stood at 7 no longer comes") && reason.contains("--full")
    };
    for feed in feeds {
        agency.first(feed).await?;
    }
    for (rows, told, why) in [
        (8, false, "what stands at the cursor comes once more"),
        (5, true, "it is gone, and what came before it"),
        (5, true, "and stays so"),
        (8, false, "it is there again"),
        (9, false, "another one stands behind it"),
    ] {
        has.store(rows, Ordering::Relaxed);
        for feed in feeds {
            let run = agency.again(feed).await?;
            assert_eq!(lost(&run), told && feed == "with", "{feed}: {why}: {run:?}");
        }
    }
    // A full read asks for no cursor.
    has.store(3, Ordering::Relaxed);
    let run = agency.order("with", true).await?;
    assert!(run.outcome.is_good() && !lost(&run), "{run:?}");
    Ok(())
}

#[tokio::test]
async fn a_record_that_the_partner_deletes_is_not_lost() -> anyhow::Result<()> {
    let has = Arc::new(AtomicU64::new(8));
    let keys = "incremental = { field = \"n\", param = \"above\" }";
    let agency = Agency::start(vec![Case::new(
        "told",
        &format!("{keys}\ndeleted = {{ field = \"op\", values = [\"delete\"] }}"),
        {
            let has = Arc::clone(&has);
            move |_| match has.load(Ordering::Relaxed) {
                0 => data(vec![json!({ "id": "r00007", "n": 8, "op": "delete" })]),
                _ => data(rows(0..8)),
            }
        },
    )])
    .await?;
    agency.first("told").await?;
    agency.again("told").await?;
    has.store(0, Ordering::Relaxed);
    for deleted in [1, 0] {
        let run = agency.again("told").await?;
        assert!(run.counts.deleted == deleted && run.reason.is_none(), "{run:?}");
    }
    Ok(())
}

/// A partner that has one row for each second of the last two minutes, and whose stretches hold both of their ends, as
/// whole seconds. It counts how often it has shown each.
fn every_second(
    shown: &Arc<Mutex<BTreeMap<i64, u32>>>,
    written: bool,
) -> impl Fn(&Asked) -> Reply + use<> {
    let shown = Arc::clone(shown);
    move |asked| {
        let second = |name: &str| -> i64 {
            let text = asked.param(name).unwrap();
            // Fractions mean nothing to it: from a second that has begun on, and up to one that has.
            let time = |text: &str| text.parse::<Timestamp>().unwrap();
            if written { text.parse().unwrap() } else { time(text).as_second() }
        };
        let whole = |name: &str| {
            let text = asked.param(name).unwrap();
            i64::from(!written && text.contains('.'))
        };
        let (from, to) = (second("from") + whole("from"), second("to").min(now().as_second()));
        let mut shown = shown.lock().unwrap();
        let rows = (from..=to).map(|second| {
            *shown.entry(second).or_default() += 1;
            let at = Timestamp::from_second(second).unwrap();
            json!({ "id": second.to_string(), "n": second, "at": at.to_string() })
        });
        data(rows.collect())
    }
}

#[tokio::test]
async fn stretches_of_time_meet_without_a_gap_and_without_an_overlap() -> anyhow::Result<()> {
    let start = now().as_second() - 120;
    let keys = |form: &str| {
        let at = Timestamp::from_second(start).unwrap();
        format!(
            "incremental = {{ field = \"at\", param = \"from\", until_param = \"to\", start = \"{at}\", \
             step = \"25s\", settle = \"20s\", granularity = \"1s\"{form} }}"
        )
    };
    let shown = [Arc::default(), Arc::default()];
    let [plain, unix] = &shown;
    let agency = Agency::start(vec![
        Case::new("plain", &keys(""), every_second(plain, false)),
        Case::new("unix", &keys(", format = \"unix\""), every_second(unix, true)),
    ])
    .await?;
    for (feed, shown) in [("plain", plain), ("unix", unix)] {
        let run = agency.first(feed).await?;
        let read = shown.lock().unwrap().len();
        assert_eq!(run.pages, read.div_ceil(25) as u64, "25 seconds at a time: {run:#?}");
        // Until another second has become old enough.
        let mut last = *shown.lock().unwrap().last_key_value().unwrap().0;
        let until = last + 2;
        while last < until {
            agency.again(feed).await?;
            last = *shown.lock().unwrap().last_key_value().unwrap().0;
        }
        let shown = shown.lock().unwrap().clone();
        let seconds: Vec<i64> = shown.keys().copied().collect();
        assert_eq!(seconds, (start..=last).collect::<Vec<_>>(), "{feed}: a gap");
        let twice: Vec<_> = shown.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{feed}: asked for twice: {twice:?}");
        assert!(last <= now().as_second() - 20, "{feed}: what may still change was asked for");
        let kept: Vec<_> = agency.rows(feed, &["n"])?.into_iter().flatten().collect();
        let wanted: Vec<_> = seconds.into_iter().map(Cell::Integer).collect();
        assert_eq!(kept, wanted, "{feed}");
    }
    Ok(())
}

#[tokio::test]
async fn what_the_partner_gives_to_hand_back_is_handed_back() -> anyhow::Result<()> {
    let token = "incremental = { by = \"token\", param = \"sync\", token = \"$.sync\" }\n\
                 pagination = { kind = \"cursor\", param = \"after\", next = \"$.next\" }";
    let delta = "incremental = { by = \"delta\", delta = \"$.delta\" }\n\
                 pagination = { kind = \"next_url\", next = \"$.next\" }";
    let agency =
        Agency::start(vec![
            Case::new("token", token, |asked| match (asked.param("sync"), asked.param("after")) {
                (None, None) => Reply::json(&json!({ "next": "p2", "data": rows(0..3) })),
                (None, Some("p2")) => Reply::json(&json!({ "sync": "s/1+", "data": rows(3..5) })),
                (Some("s/1+"), None) => Reply::json(&json!({ "sync": "s2", "data": rows(5..6) })),
                // Nothing has changed, and nothing is given: what was given before stays good.
                (Some("s2"), None) => Reply::json(&json!({ "data": [] })),
                _ => Reply::status(400),
            }),
            Case::new("delta", delta, |asked| match asked.param("d") {
                None if asked.before == 0 => {
                    Reply::json(&json!({ "next": "?d=page2", "data": rows(0..3) }))
                }
                Some("page2") => Reply::json(&json!({ "delta": "?d=1", "data": rows(3..5) })),
                Some("1") => Reply::json(&json!({ "delta": "/delta?d=2", "data": rows(5..6) })),
                // It no longer keeps what changed since then.
                Some("2") => Reply::status(410),
                None => Reply::json(&json!({ "delta": "?d=3", "data": rows(0..7) })),
                Some("3") => Reply::json(&json!({ "data": [] })),
                _ => Reply::status(400),
            }),
            Case::new("gone", "incremental = { field = \"at\", param = \"since\" }", |asked| {
                match asked.param("since") {
                    None => data(rows(0..5)),
                    Some(_) => Reply::status(410),
                }
            }),
        ])
        .await?;
    agency.first("token").await?;
    agency.again("token").await?;
    agency.again("token").await?;
    agency.again("token").await?;
    agency.same("token", 0..6)?;
    assert_eq!(agency.cursor("token").await?.as_deref(), Some("s2"));

    agency.first("delta").await?;
    agency.again("delta").await?;
    agency.same("delta", 0..6)?;
    let anew = agency.again("delta").await?;
    let reason = anew.reason.unwrap_or_default();
    assert!(reason.contains("410") && reason.contains("everything was read again"), "{reason}");
    agency.same("delta", 0..7)?;
    agency.again("delta").await?;
    let cursor = agency.cursor("delta").await?.unwrap_or_default();
    assert!(cursor.starts_with("http://127.0.0.1:") && cursor.ends_with("?d=3"), "{cursor}");

    agency.first("gone").await?;
    let held = agency.order("gone", false).await?;
    let reason = held.reason.clone().unwrap_or_default();
    assert_eq!(held.outcome, Outcome::Held, "{held:#?}");
    assert!(reason.contains(&at(4)) && reason.contains("resync --full"), "{reason}");
    let whole = agency.order("gone", true).await?;
    assert!(whole.outcome.is_good(), "an operator's full read answers it: {whole:#?}");
    Ok(())
}

#[tokio::test]
async fn of_a_partner_that_cannot_filter_only_what_is_new_is_read() -> anyhow::Result<()> {
    let have = Arc::new(AtomicU64::new(50));
    let all = Arc::clone(&have);
    let keys = "pagination = { kind = \"offset\", param = \"offset\" }\n\
                incremental = { by = \"here\", field = \"at\", order = \"newest_first\", lookback = \"2s\" }";
    let future = now().checked_add(SignedDuration::from_hours(48)).unwrap().to_string();
    let shown = future.clone();
    let newest = Case::new("newest-first", keys, move |asked| {
        let count = all.load(Ordering::SeqCst);
        let mut list: Vec<_> = (0..count).rev().map(row).collect();
        if count > 50 {
            list.insert(0, json!({ "id": "future", "n": 0, "at": shown.clone() }));
        }
        let from = usize::try_from(asked.number("offset").unwrap()).unwrap();
        data(list.into_iter().skip(from).take(10).collect())
    });
    let any = Case::new("any-order", "incremental = { by = \"here\", field = \"at\" }", |asked| {
        let mut list = rows([7, 3, 9, 1]);
        if asked.before > 0 {
            list.insert(1, row(11));
        }
        data(list)
    });
    let agency = Agency::start(vec![newest, any]).await?;
    agency.first("newest-first").await?;
    agency.same("newest-first", 0..50)?;
    have.store(55, Ordering::SeqCst);
    let asked = agency.asked("newest-first").len();
    let run = agency.again("newest-first").await?;
    // Six new ones, three not older than two seconds before the cursor; the second page holds nothing new.
    assert_eq!((run.counts.inserted, run.counts.unchanged), (6, 3), "{run:#?}");
    assert_eq!(agency.asked("newest-first").len() - asked, 2, "it stops early");
    let first = agency.rows("newest-first", &COLUMNS)?.remove(0);
    assert_eq!(first.last(), Some(&Cell::Text(future)), "a row of the future is kept");
    let cursor: Timestamp = agency.cursor("newest-first").await?.unwrap().parse()?;
    // `Date` tells no fractions of a second.
    let present = now().checked_add(SignedDuration::from_secs(2))?;
    assert!(cursor <= present, "and moves the cursor to no time that is still to come: {cursor}");

    agency.first("any-order").await?;
    let run = agency.again("any-order").await?;
    assert_eq!(
        (run.counts.received, run.counts.inserted, run.counts.unchanged, run.counts.filtered),
        (5, 1, 1, 3),
        "{run:#?}"
    );
    agency.same("any-order", [1, 3, 7, 9, 11])
}

#[tokio::test]
async fn a_row_without_its_time_is_taken_left_out_or_refused_as_configured() -> anyhow::Result<()> {
    let case = |feed, missing: &str| {
        let keys = format!("incremental = {{ field = \"at\", param = \"since\"{missing} }}");
        Case::new(feed, &keys, |_| {
            let mut list = rows(0..3);
            list.push(json!({ "id": "x1", "n": 1, "at": null }));
            list.push(json!({ "id": "x2", "n": 2 }));
            data(list)
        })
    };
    let agency = Agency::start(vec![
        case("default", ""),
        case("include", ", missing = \"include\""),
        case("exclude", ", missing = \"exclude\""),
        case("raise", ", missing = \"raise\""),
    ])
    .await?;
    for (feed, outcome, inserted, filtered, quarantined) in [
        ("default", Outcome::Succeeded, 5, 0, 0),
        ("include", Outcome::Succeeded, 5, 0, 0),
        ("exclude", Outcome::Succeeded, 3, 2, 0),
        ("raise", Outcome::Partial, 3, 0, 2),
    ] {
        let run = agency.first(feed).await?;
        let counts = (run.counts.inserted, run.counts.filtered, run.counts.quarantined);
        assert_eq!((run.outcome, counts), (outcome, (inserted, filtered, quarantined)), "{feed}");
        assert_eq!(agency.cursor(feed).await?, Some(at(2)), "{feed}");
    }
    let refused = agency.daemon.client.quarantine(&id("raise")).await?;
    assert!(refused.iter().all(|item| item.place.field.as_deref() == Some("at")), "{refused:#?}");
    Ok(())
}

#[tokio::test]
async fn a_walk_that_fails_moves_no_cursor() -> anyhow::Result<()> {
    let keys = "incremental = { field = \"at\", param = \"since\" }\n\
                pagination = { kind = \"cursor\", param = \"after\", next = \"$.next\" }";
    let agency = Agency::start(vec![Case::new("half", keys, |asked| match asked.before {
        0 => data(rows(0..3)),
        // The newest comes first, and the walk breaks before the older ones.
        1 => Reply::json(&json!({ "next": "b", "data": rows([9]) })),
        2 => Reply::status(404),
        _ => data(rows(3..10)),
    })])
    .await?;
    agency.first("half").await?;
    let broken = agency.order("half", false).await?;
    failed("half", &broken, Reason::Http4xx, &["404"]);
    assert_eq!(agency.cursor("half").await?, Some(at(2)));
    agency.again("half").await?;
    agency.same("half", 0..10)
}

/// What a person ordered is what is tried again, where only a moment kept it from coming about.
#[tokio::test]
async fn a_full_read_that_broke_off_is_tried_again_as_a_full_read() -> anyhow::Result<()> {
    let full = AtomicU64::new(0);
    let answer = move |asked: &Asked| {
        if asked.param("since").is_some() {
            return data(Vec::new());
        }
        // The first read; then all that one run tries.
        match full.fetch_add(1, Ordering::SeqCst) {
            1..=4 => Reply::status(503),
            _ => data(rows(0..8)),
        }
    };
    let keys = "schedule = { every = \"1s\" }\nincremental = { field = \"at\", param = \"since\" }";
    let agency = Agency::start(vec![Case::new("cases", keys, answer)]).await?;
    agency.first("cases").await?;
    let failed = agency.order("cases", true).await?;
    assert_eq!((failed.outcome, failed.cause), (Outcome::Failed, Some(Reason::Http5xx)));
    let after = failed.id.0.unsigned_abs();
    let again = agency.ended("cases", after).await?;
    assert_eq!((again.trigger, again.counts.received), (Trigger::Retry, 8), "{again:#?}");
    let later = agency.again("cases").await?;
    assert_eq!(later.counts.received, 0, "and then only changes");
    Ok(())
}

/// What is declared otherwise is read otherwise: also what lies behind the cursor.
#[tokio::test]
async fn what_is_declared_otherwise_is_read_again() -> anyhow::Result<()> {
    // Only what changed; of two lists, by where it is asked.
    let list = |asked: &Asked| {
        let since = asked.param("since").unwrap_or_default().to_owned();
        let all = if asked.param("all").is_some() { 0..12 } else { 0..8 };
        data(rows(all.filter(|n| at(*n) >= since)))
    };
    let keys = "incremental = { field = \"at\", param = \"since\", bound = \"inclusive\" }";
    let mut agency =
        Agency::start(vec![Case::new("zoned", keys, list), Case::new("listed", keys, list)])
            .await?;
    for feed in ["zoned", "listed"] {
        agency.first(feed).await?;
        assert_eq!(agency.again(feed).await?.counts.received, 1, "{feed}: what is at the cursor");
    }
    agency.daemon.kill9().await?;
    let file = agency.daemon.home.join("partners.d/agency.toml");
    let text = std::fs::read_to_string(&file)?;
    let text = text.replace("path = \"/listed\"", "path = \"/listed?all=1\"").replacen(
        "n = \"integer\"",
        "n = \"integer\", twice = { type = \"integer\", from = \"n\" }",
        1,
    );
    std::fs::write(&file, text)?;
    agency.daemon.go().await?;
    for (feed, rows) in [("zoned", 8), ("listed", 12)] {
        let run = agency.again(feed).await?;
        assert_eq!(run.counts.received, rows, "{feed}: {run:#?}");
        assert!(run.reason.unwrap_or_default().contains("declared otherwise"), "{feed}");
        let later = agency.again(feed).await?;
        assert_eq!((later.counts.received, later.reason), (1, None), "{feed}: once");
    }
    agency.same("listed", 0..12)?;
    let filled = agency.rows("zoned", &["twice"])?;
    assert!(filled.iter().all(|row| row.as_slice() != [Cell::Null]), "{filled:?}");
    Ok(())
}

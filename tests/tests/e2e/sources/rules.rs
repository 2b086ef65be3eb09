//! Rules that a feed's block may add, and what no rule may cost: an answer that is left out, a row that is not believed.

use marsad_shared::{health::Reason, protocol::RunVerb, run::Outcome};
use marsad_tests::partner::{Asked, Reply};
use serde_json::{Value, json};

use super::{Agency, Case, at, row, rows};

fn data(rows: Vec<Value>) -> Reply {
    Reply::json(&Value::from_iter([("data", Value::from(rows))]))
}

#[tokio::test]
async fn an_answer_that_is_left_out_is_counted_and_moves_no_cursor() -> anyhow::Result<()> {
    let ignore = "success = { error = \"$.error\", on_error = \"ignore\" }\n";
    let quota = || json!({ "error": "quota", "data": rows(7..9) });
    let said = |body: &Value, more: &Value| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Reply::json(&body)
    };
    let field = format!("{ignore}incremental = {{ field = \"at\", param = \"since\" }}");
    let agency = Agency::start(vec![
        Case::new("field", &field, move |asked| match asked.before {
            1 => Reply::json(&quota()),
            2 => Reply::json(&json!({ "error": "no records either" })),
            _ => data(rows(0..3)),
        }),
        Case::new(
            "clock",
            &format!("{ignore}incremental = {{ by = \"clock\", param = \"since\" }}"),
            move |asked| match asked.before {
                1 => Reply::json(&quota()),
                _ => data(rows(0..3)),
            },
        ),
        Case::new(
            "pages",
            &format!(
                "{field}\npagination = {{ kind = \"cursor\", param = \"p\", next = \"$.next\" }}"
            ),
            move |asked| match asked.param("p") {
                None => said(&json!({ "data": rows(0..2) }), &json!({ "next": "2" })),
                Some("2") => said(&quota(), &json!({ "next": "3" })),
                Some("3") => data(rows(4..6)),
                _ => Reply::status(400),
            },
        ),
        // It leads nowhere by itself, and its rule needs a flag.
        Case::new(
            "flag",
            &format!(
                "{field}\npagination = {{ kind = \"page\", param = \"p\", more = \"$.more\" }}"
            ),
            move |asked| match asked.param("p") {
                Some("1") => said(&json!({ "data": rows(0..2) }), &json!({ "more": true })),
                _ => Reply::json(&json!({ "error": { "code": 17 } })),
            },
        ),
    ])
    .await?;
    let left_out =
        |reason: &str| reason.contains("1 answer was left out by `success`, so the cursor stays");

    agency.first("field").await?;
    for words in ["the answer is an error (quota)", "the answer is an error (no records either)"] {
        let run = agency.again("field").await?;
        let reason = run.reason.clone().unwrap_or_default();
        assert_eq!((run.outcome, run.counts.received), (Outcome::Unchanged, 0), "{run:#?}");
        assert!(left_out(&reason) && reason.contains(words), "{reason}");
        assert_eq!(agency.cursor("field").await?, Some(at(2)));
    }
    agency.same("field", 0..3)?;

    agency.first("clock").await?;
    let cursor = agency.cursor("clock").await?;
    let run = agency.again("clock").await?;
    assert!(run.reason.is_some_and(|reason| left_out(&reason)));
    assert_eq!(agency.cursor("clock").await?, cursor, "nobody knows what it would have held");
    agency.again("clock").await?;
    assert_ne!(agency.cursor("clock").await?, cursor);

    let run = agency.first("pages").await?;
    assert!(run.reason.is_some_and(|reason| left_out(&reason)));
    assert_eq!((run.pages, agency.cursor("pages").await?), (3, None));
    agency.same("pages", (0..2).chain(4..6))?;

    let run = agency.first("flag").await?;
    assert!(run.reason.is_some_and(|reason| left_out(&reason)), "code 17 ends its pages");
    assert_eq!(agency.cursor("flag").await?, None);
    agency.same("flag", 0..2)
}

#[tokio::test]
async fn a_status_may_say_that_the_cursor_is_too_old() -> anyhow::Result<()> {
    let gone = "statuses = { 400 = \"gone\" }\n";
    let agency = Agency::start(vec![
        Case::new(
            "field",
            &format!("{gone}incremental = {{ field = \"at\", param = \"since\" }}"),
            |asked| match asked.param("since") {
                None => data(rows(0..3)),
                Some(_) => Reply::status(400),
            },
        ),
        Case::new(
            "token",
            &format!(
                "{gone}incremental = {{ by = \"token\", param = \"sync\", token = \"$.sync\" }}"
            ),
            |asked| match (asked.param("sync"), asked.before) {
                (None, _) => Reply::json(
                    &json!({ "sync": format!("s{}", asked.before), "data": rows(0..3) }),
                ),
                _ => Reply::status(400),
            },
        ),
    ])
    .await?;
    agency.first("field").await?;
    let run = agency.order("field", false).await?;
    let reason = run.reason.unwrap_or_default();
    assert_eq!(run.outcome, Outcome::Held, "{reason}");
    assert!(
        reason.contains("no longer keeps what changed since 2020-03-01T00:00:02Z (400)"),
        "{reason}"
    );
    assert_eq!(agency.cursor("field").await?, Some(at(2)), "it waits for a person");

    agency.first("token").await?;
    let run = agency.again("token").await?;
    let reason = run.reason.unwrap_or_default();
    assert!(reason.contains("since our last read (400): everything was read again"), "{reason}");
    assert_eq!(agency.cursor("token").await?.as_deref(), Some("s2"));
    Ok(())
}

#[tokio::test]
async fn records_without_a_time_are_taken_and_counted() -> anyhow::Result<()> {
    let keys = "incremental = { field = \"at\", param = \"since\" }";
    let agency = Agency::start(vec![Case::new("timeless", keys, |asked| {
        let mut rows = rows(0..3);
        rows[1]["at"] = Value::Null;
        rows.truncate(if asked.before == 0 { 3 } else { 1 });
        data(rows)
    })])
    .await?;
    let run = agency.first("timeless").await?;
    let reason = run.reason.unwrap_or_default();
    assert_eq!(reason, "1 record has no at: taken, and no cursor moved by it");
    assert_eq!(run.counts.inserted, 3);
    assert_eq!(agency.cursor("timeless").await?, Some(at(2)));
    assert_eq!(agency.again("timeless").await?.reason, None, "{:?}", row(0));
    Ok(())
}

#[tokio::test]
async fn one_row_that_is_ahead_of_all_others_ends_no_feed() -> anyhow::Result<()> {
    // What is newer than the cursor, and a row that is newer than anything.
    let ahead = |column: &'static str, value: Value| {
        move |asked: &Asked| {
            let have = if asked.before == 0 { 3 } else { 5 };
            let mut all = rows(0..have);
            let mut wrong = row(99);
            wrong[column] = value.clone();
            all.push(wrong);
            let since = asked.param("since").unwrap_or("").to_owned();
            let is_newer = |row: &Value| match &row[column] {
                Value::String(text) => *text >= since,
                number => number.as_i64() >= since.parse().ok(),
            };
            all.retain(is_newer);
            data(all)
        }
    };
    let field = |name: &str| format!("incremental = {{ field = \"{name}\", param = \"since\" }}");
    let text = "fields = { id = \"text\", n = \"integer\", at = \"text\" }\n";
    let agency = Agency::start(vec![
        Case::new("counter", &field("n"), ahead("n", i64::MAX.into())),
        Case::new("text", &format!("{text}{}", field("at")), ahead("at", "9999-12-31".into())),
        Case::new("nonsense", &format!("{text}{}", field("at")), ahead("at", "n/a".into())),
        Case::new("time", &field("at"), ahead("at", "2199-01-01T00:00:00Z".into())),
    ])
    .await?;
    for (feed, cursors, words) in [
        ("counter", ["2", "4"], "a record has 9223372036854775807 in n: not believed as a cursor"),
        ("text", [at(2).as_str(), &at(4)], "a record has 9999-12-31 in at: not believed"),
        ("nonsense", [at(2).as_str(), &at(4)], "a record has n/a in at: not believed"),
        ("time", [at(2).as_str(), &at(4)], "a record has 2199-01-01T00:00:00Z in at: to come"),
    ] {
        for (turn, cursor) in cursors.into_iter().enumerate() {
            let run =
                if turn == 0 { agency.first(feed).await? } else { agency.again(feed).await? };
            let reason = run.reason.unwrap_or_default();
            assert!(reason.starts_with(words), "{feed}: {reason}");
            assert_eq!(agency.cursor(feed).await?.as_deref(), Some(cursor), "{feed}");
        }
        assert_eq!(agency.rows(feed, &["id"])?.len(), 6, "{feed}: it is in the bank all the same");
    }
    Ok(())
}

#[tokio::test]
async fn a_partner_that_leaves_out_what_stands_at_the_cursor_loses_us_nothing() -> anyhow::Result<()>
{
    // Three rows of one second, of which the cursor is one.
    let all = |have: u64| -> Vec<Value> {
        let twice = |n: u64| json!({ "id": format!("r{n:05}"), "n": n / 3, "at": at(n / 3) });
        (0..have).map(twice).collect()
    };
    let beyond = move |column: &'static str, inclusive: bool| {
        move |asked: &Asked| {
            let mut all = all(if asked.before == 0 { 4 } else { 8 });
            let since = asked.param("since").unwrap_or("-1").to_owned();
            all.retain(|row| match &row[column] {
                Value::String(text) => *text > since || inclusive && *text == since,
                number => number.as_i64() > since.parse().ok(),
            });
            data(all)
        }
    };
    let keys = |field: &str, more: &str| {
        format!("incremental = {{ field = \"{field}\", param = \"since\"{more} }}")
    };
    let exclusive = ", bound = \"exclusive\"";
    let short = format!("{exclusive}, granularity = \"1ms\"");
    let agency = Agency::start(vec![
        Case::new("counter", &keys("n", exclusive), beyond("n", false)),
        Case::new("time", &keys("at", exclusive), beyond("at", false)),
        Case::new("short", &keys("at", &short), beyond("at", false)),
        Case::new("inclusive", &keys("at", ""), beyond("at", true)),
    ])
    .await?;
    for (feed, asks) in [
        ("counter", "0"),
        ("time", "2020-03-01T00:00:00Z"),
        ("short", "2020-03-01T00:00:00.999Z"),
        ("inclusive", "2020-03-01T00:00:01Z"),
    ] {
        agency.first(feed).await?;
        agency.again(feed).await?;
        assert_eq!(agency.asked(feed).pop().unwrap().param("since"), Some(asks), "{feed}");
        assert_eq!(agency.rows(feed, &["id"])?.len(), 8, "{feed}");
        // What stands at the cursor comes again and again, and stays what it is.
        for _ in 0..2 {
            let run = agency.again(feed).await?;
            assert_eq!((run.outcome, run.counts.inserted), (Outcome::Unchanged, 0), "{feed}");
        }
        assert_eq!(agency.rows(feed, &["id"])?.len(), 8, "{feed}");
    }
    Ok(())
}

#[tokio::test]
async fn a_walk_that_is_split_notices_what_is_left_out() -> anyhow::Result<()> {
    // Two rows a second, in order; no more than 20 by pages.
    let of = |inclusive: bool| {
        move |asked: &Asked| {
            let since = asked.param("since").unwrap_or("").to_owned();
            let offset = asked.number("offset").unwrap_or_default();
            if offset >= 20 {
                return Reply::status(422);
            }
            let all = (0..60).map(|n| json!({ "id": format!("r{n:05}"), "n": n, "at": at(n / 2) }));
            let newer = all.filter(|row| {
                row["at"].as_str().is_some_and(|at| at > since.as_str() || inclusive && at == since)
            });
            let from = usize::try_from(offset).unwrap();
            data(newer.skip(from).take(5).collect())
        }
    };
    let keys = |bound: &str| {
        format!(
            "pagination = {{ kind = \"offset\", param = \"offset\", size_param = \"limit\", size = 5 }}\n\
             incremental = {{ field = \"at\", param = \"since\", split = 15{bound} }}"
        )
    };
    let agency = Agency::start(vec![
        Case::new("inclusive", &keys(""), of(true)),
        Case::new("silent", &keys(""), of(false)),
        Case::new("exclusive", &keys(", bound = \"exclusive\""), of(false)),
    ])
    .await?;
    for feed in ["inclusive", "exclusive"] {
        agency.first(feed).await?;
        assert_eq!(agency.rows(feed, &["id"])?.len(), 60, "{feed}");
        assert_eq!(agency.cursor(feed).await?, Some(at(29)), "{feed}");
    }
    agency
        .fails("silent", Reason::RemoteFault, &["leaves it out", "bound = \"exclusive\""])
        .await?;
    assert_eq!(agency.cursor("silent").await?, None, "it passes nothing");
    Ok(())
}

#[tokio::test]
async fn no_row_is_lost_when_the_clocks_are_set() -> anyhow::Result<()> {
    // Written without an offset, in the order of writing: the clock goes back at three in October, and forward at two in
    // March, when one machine of the partner's has not heard of it yet.
    let autumn = ["01:50", "02:20", "02:50", "02:10", "02:40", "03:10"]
        .map(|at| format!("2024-10-27T{at}:00"));
    let spring = ["01:50", "02:30", "03:10", "03:40"].map(|at| format!("2024-03-31T{at}:00"));
    let keys = "fields = { id = \"text\", at = { type = \"timestamp\", zone = \"Europe/Berlin\" } }\n\
                incremental = { field = \"at\", param = \"since\", format = \"%Y-%m-%dT%H:%M:%S\", zone = \"Europe/Berlin\" }";
    // One more row each time it is asked.
    let grows = |all: Vec<String>| {
        move |asked: &Asked| {
            let since = asked.param("since").unwrap_or("").to_owned();
            let row = |(n, at): (usize, &String)| json!({ "id": format!("r{n}"), "at": at });
            let newer = |(_, at): &(usize, &String)| **at >= since;
            data(all.iter().take(asked.before + 1).enumerate().filter(newer).map(row).collect())
        }
    };
    let agency = Agency::start(vec![
        Case::new("autumn", keys, grows(autumn.to_vec())),
        Case::new("spring", keys, grows(spring.to_vec())),
    ])
    .await?;
    for (feed, all) in [("autumn", autumn.len()), ("spring", spring.len())] {
        agency.first(feed).await?;
        for had in 2..=all {
            agency.again(feed).await?;
            assert_eq!(
                agency.rows(feed, &["id"])?.len(),
                had,
                "{feed}: {:?}",
                agency.asked(feed).pop()
            );
        }
    }
    // An hour away from it the cursor is what it is.
    assert_eq!(agency.cursor("autumn").await?.as_deref(), Some("2024-10-27T02:10:00Z"));
    agency.again("autumn").await?;
    let asked = agency.asked("autumn").pop().unwrap();
    assert_eq!(asked.param("since"), Some("2024-10-27T03:10:00"));
    Ok(())
}

#[tokio::test]
async fn a_trial_judges_an_answer_as_a_run_does() -> anyhow::Result<()> {
    let good = || data(rows(0..3));
    let once = move |then: Reply| {
        move |asked: &Asked| if asked.before == 0 { good() } else { then.clone() }
    };
    let ignore = "success = { error = \"$.error\", on_error = \"ignore\" }";
    let each = "path = \"/child/{id}\"\nfields = { id = \"text\", born = \"text\" }\n\
                each = { feed = \"good\", column = \"id\" }";
    let export = "export = { status = \"/made/{id}\", done = [\"ok\"], download = \"$.url\" }";
    let agency = Agency::start(vec![
        Case::new("good", "", move |_| good()),
        Case::new("accepted", "", once(data(Vec::new()).with_status(202))),
        Case::new("no-content", "", once(Reply::status(204))),
        Case::new("empty-body", "", once(Reply::text("application/json", ""))),
        Case::new("left-out", ignore, once(Reply::json(&json!({ "error": "quota" })))),
        Case::new("child", each, |asked| {
            let family = asked.path.rsplit('/').next().unwrap_or_default().to_owned();
            data(vec![json!({ "id": family, "born": "x" })])
        }),
        Case::new("made", export, |_| Reply::status(422)),
    ])
    .await?;
    for feed in ["good", "accepted", "no-content", "empty-body", "left-out"] {
        agency.first(feed).await?;
    }
    for (feed, ok, words) in [
        ("good", true, "3 records on the first page"),
        ("accepted", false, "202 Accepted: accepted, not ready"),
        ("no-content", true, "no records just now"),
        ("empty-body", false, "the answer is empty"),
        ("left-out", false, "is left out by `success` (the answer is an error (quota))"),
        ("child", true, "agency/child: 1 records on the first page, with id, born"),
        ("made", true, "an export is made by a run, and not for a test"),
    ] {
        let said = agency.daemon.cli(&["test", &format!("agency/to-{feed}"), "--json"]).await?;
        assert_eq!(said.code == 0, ok, "{feed}: {}{}", said.out, said.err);
        assert!(said.out.contains(words), "{feed}: {}", said.out);
    }
    Ok(())
}

/// Of a feed whose pages go straight into its table, more rows than ever are there by the time they are counted; fewer than
/// ever may be an answer that is not all.
#[tokio::test]
async fn more_rows_than_ever_are_noted_and_fewer_are_held() -> anyhow::Result<()> {
    let agency = Agency::start(vec![Case::new("grows", "", |asked| {
        data(rows(
            0..match asked.before {
                0..6 => 20 + asked.before as u64,
                6 | 7 => 90,
                _ => 3,
            },
        ))
    })])
    .await?;
    agency.first("grows").await?;
    for _ in 1..6 {
        agency.again("grows").await?;
    }
    let grown = agency.again("grows").await?;
    let reason = grown.reason.clone().unwrap_or_default();
    assert!(
        grown.outcome == Outcome::Succeeded && reason.contains("its rows are in the bank"),
        "{grown:#?}"
    );
    agency.same("grows", 0..90)?;
    agency.again("grows").await?;
    let shrunk = agency.order("grows", false).await?;
    let reason = shrunk.reason.clone().unwrap_or_default();
    assert!(shrunk.outcome == Outcome::Held && reason.contains("nothing is gone"), "{shrunk:#?}");
    agency.same("grows", 0..90)?;
    // What a person lets past by reading it again is no surprise the next time, nor is what was usual before.
    agency.daemon.client.decide(RunVerb::Release, shrunk.id).await?;
    agency.again("grows").await?;
    Ok(())
}

/// Some say with the code of an error that nothing changed; any other is one all the same.
#[tokio::test]
async fn a_code_may_say_that_there_are_no_records() -> anyhow::Result<()> {
    let keys = "format = \"xml\"\nrecords = \"Reply/List/Case\"\nfields = { id = { type = \"text\", from = \"@id\" } }\n\
        success = { error = \"Reply/error/@code\", empty = [\"none\"] }";
    let answers = |first: &'static str| {
        move |asked: &Asked| {
            let said = match asked.before {
                0 => first,
                1 => "<error code=\"none\">nothing changed</error>",
                _ => "<error code=\"badArgument\">no such set</error>",
            };
            Reply::text("application/xml", &format!("<Reply>{said}</Reply>"))
        }
    };
    let some = "<List><Case id=\"a\"/></List>";
    let none = "<error code=\"none\">nothing yet</error>";
    let agency = Agency::start(vec![
        Case::new("some", keys, answers(some)),
        Case::new("none", keys, answers(none)),
    ])
    .await?;
    for (feed, rows) in [("some", 1), ("none", 0)] {
        agency.first(feed).await?;
        let run = agency.again(feed).await?;
        assert_eq!((run.outcome, run.counts.received), (Outcome::Unchanged, 0), "{run:#?}");
        let run = agency.order(feed, false).await?;
        super::failed(feed, &run, Reason::RemoteFault, &["badArgument"]);
        assert_eq!(agency.rows(feed, &["id"]).map_or(0, |rows| rows.len()), rows, "{feed}");
    }
    Ok(())
}

/// Three records tell nothing of a column by themselves, and a name that was never there does.
#[tokio::test]
async fn a_column_that_goes_while_a_name_comes_may_have_been_renamed() -> anyhow::Result<()> {
    let keys = "incremental = { field = \"at\", param = \"since\" }";
    let answer = |asked: &Asked| {
        let renamed = |n: u64| json!({ "id": format!("r{n:05}"), "number": n, "at": at(n + 20) });
        match asked.before {
            0 => data(rows(0..12)),
            _ => data((0..3).map(renamed).collect()),
        }
    };
    let agency = Agency::start(vec![Case::new("cases", keys, answer)]).await?;
    agency.first("cases").await?;
    let reason = agency.again("cases").await?.reason.unwrap_or_default();
    assert!(reason.contains("none of its 3 records has \"n\""), "{reason}");
    assert!(reason.contains("1 new column") && reason.contains("number"), "{reason}");
    Ok(())
}

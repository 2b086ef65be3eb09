//! Rules that a feed's block may add, and what no rule may cost: an answer that is left out, a row that is not believed.

use marsad_shared::run::Outcome;
use marsad_tests::partner::Reply;
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

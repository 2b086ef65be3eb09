//! What stands around the records: an answer that says of itself that it is none, and what must not pass for nothing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use marsad_shared::{
    health::{Health, Reason},
    run::Outcome,
};
use marsad_tests::partner::{Asked, Reply};
use serde_json::{Value, json};

use super::{Agency, Case, at, failed, row, rows};

/// A feed that answers well, then like this.
fn turns(feed: &'static str, keys: &str, then: Reply) -> Case {
    let keys = format!("incremental = {{ field = \"at\", param = \"since\" }}\n{keys}");
    Case::new(feed, &keys, move |asked| match asked.before {
        0 => good(),
        _ => then.clone(),
    })
}

fn good() -> Reply {
    Reply::json(&json!({ "ok": true, "error": "", "code": 0, "data": rows(0..3) }))
}

fn with(pairs: &Value) -> Reply {
    let mut body = json!({ "ok": true, "error": "", "code": 0, "data": rows(7..9) });
    for (key, value) in pairs.as_object().unwrap() {
        body[key] = value.clone();
    }
    Reply::json(&body)
}

#[tokio::test]
async fn an_answer_that_is_none_is_refused_whole_and_moves_no_cursor() -> anyhow::Result<()> {
    let equals = "success = { path = \"$.ok\", equals = [true, \"yes\"] }";
    let error = "success = { error = \"$.error\" }";
    let login = "<!DOCTYPE html><html><title>تسجيل الدخول</title><form></form></html>";
    let body = json!({ "ok": true, "data": rows(7..9) }).to_string();
    let cut: String = body.chars().take(body.len() - 9).collect();
    let table = [
        ("not-ok", equals, with(&json!({ "ok": false })), Reason::RemoteFault, "failed (false)"),
        (
            "does-not-say",
            equals,
            Reply::json(&json!({ "data": rows(7..9) })),
            Reason::RemoteFault,
            "does not say that it succeeded",
        ),
        (
            "null-is-no-yes",
            equals,
            with(&json!({ "ok": null })),
            Reason::RemoteFault,
            "does not say",
        ),
        (
            "error-text",
            error,
            with(&json!({ "error": "no such dataset" })),
            Reason::RemoteFault,
            "is an error (no such dataset)",
        ),
        (
            "error-object",
            error,
            with(&json!({ "error": { "code": 17 } })),
            Reason::RemoteFault,
            "is an error ({\"code\":17})",
        ),
        (
            "error-list",
            "success = { error = \"$.errors\" }",
            // No records at all: the error comes first.
            Reply::json(&json!({ "errors": [{ "detail": "x" }] })),
            Reason::RemoteFault,
            "is an error",
        ),
        ("no-records-path", "", Reply::json(&json!({ "items": [] })), Reason::Schema, "$.data[*]"),
        (
            "records-are-text",
            "",
            with(&json!({ "data": "none" })),
            Reason::Schema,
            "mend `records`",
        ),
        (
            "empty-body",
            "",
            Reply::text("application/json", ""),
            Reason::Truncated,
            "the answer is empty",
        ),
        ("login", "", Reply::text("text/html", login), Reason::NotJson, "login or error page"),
        ("login-as-json", "", Reply::text("application/json", login), Reason::NotJson, "not JSON"),
        ("cut", "", Reply::text("application/json", &cut), Reason::Truncated, "in the middle"),
    ];
    let cases =
        table.iter().map(|(feed, keys, reply, ..)| turns(feed, keys, reply.clone())).collect();
    let agency = Agency::start(cases).await?;
    for (feed, _, _, cause, words) in table {
        agency.first(feed).await?;
        let run = agency.order(feed, false).await?;
        failed(feed, &run, cause, &[words]);
        assert_eq!(run.counts.received, 0, "{feed}: {run:#?}");
        assert_eq!(agency.cursor(feed).await?, Some(at(2)), "{feed}");
        agency.same(feed, 0..3)?;
    }
    Ok(())
}

/// Where nobody said what a good answer looks like, it is left to the answer to say that it is none.
#[tokio::test]
async fn an_answer_that_says_that_it_is_none_is_believed() -> anyhow::Result<()> {
    let table = [
        (
            "error-beside",
            with(&json!({ "error": "shard 3 is away" })),
            Reason::RemoteFault,
            "an error beside its records (shard 3 is away)",
        ),
        (
            "failed-beside",
            with(&json!({ "success": false, "message": "no room" })),
            Reason::RemoteFault,
            "says that it failed (success: no room)",
        ),
        (
            "timed-out",
            with(&json!({ "timed_out": true })),
            Reason::RemoteFault,
            "says that it is not whole (timed_out)",
        ),
        (
            "error-and-empty",
            with(&json!({ "errors": [{ "detail": "all is broken" }], "data": [] })),
            Reason::RemoteFault,
            "all is broken",
        ),
        (
            "failed-and-empty",
            with(&json!({ "ok": false, "message": "no room", "data": [] })),
            Reason::RemoteFault,
            "no room",
        ),
    ];
    let cases = table.iter().map(|(feed, reply, ..)| turns(feed, "", reply.clone())).collect();
    let agency = Agency::start(cases).await?;
    for (feed, _, cause, words) in table {
        agency.first(feed).await?;
        let run = agency.order(feed, false).await?;
        failed(feed, &run, cause, &[words]);
        assert_eq!(agency.cursor(feed).await?, Some(at(2)), "{feed}");
        agency.same(feed, 0..3)?;
    }
    Ok(())
}

#[tokio::test]
async fn nothing_new_is_an_answer() -> anyhow::Result<()> {
    let equals = "success = { path = \"$.code\", equals = [0] }";
    let error = "success = { error = \"$.error\" }";
    let cases = vec![
        turns("empty-list", "", with(&json!({ "data": [] }))),
        turns(
            "no-error",
            "",
            with(&json!({ "error": { "code": 0, "message": "done" }, "data": [] })),
        ),
        turns(
            "no-error-at-all",
            "",
            with(&json!({ "errors": [null, { "code": "0000" }], "timed_out": false, "data": [] })),
        ),
        turns("no-content", "", Reply::status(204)),
        turns("code-0", equals, with(&json!({ "data": [] }))),
        turns("error-false", error, with(&json!({ "error": false, "data": [] }))),
        turns("error-empty", error, with(&json!({ "error": {}, "data": [] }))),
        turns("not-found-is-empty", "statuses = { 404 = \"empty\" }", Reply::status(404)),
    ];
    let feeds: Vec<_> = cases.iter().map(|case| case.feed).collect();
    let agency = Agency::start(cases).await?;
    for feed in feeds {
        agency.first(feed).await?;
        let run = agency.again(feed).await?;
        assert_eq!((run.outcome, run.counts.received), (Outcome::Unchanged, 0), "{feed}: {run:#?}");
        assert_eq!(agency.cursor(feed).await?, Some(at(2)), "{feed}");
        agency.same(feed, 0..3)?;
    }
    Ok(())
}

/// Some partners leave out a list that is empty, and the feed says so.
#[tokio::test]
async fn a_list_that_is_left_out_is_empty_where_the_feed_says_so() -> anyhow::Result<()> {
    let lacks = "records_may_lack = true\nsuccess = { path = \"$.code\", equals = [0] }";
    let counted = format!(
        "{lacks}\npagination = {{ kind = \"offset\", param = \"from\", total = \"$.total\" }}"
    );
    let deletes = format!("{lacks}\ndeletes = \"$.gone[*]\"");
    let bare = |pairs: &Value| Reply::json(pairs);
    // As a layer of a map has it: what is around each record goes with the last of them.
    let layer = "format = \"xml\"\nrecords = \"Layer/member/Row\"\nfields = { id = \"text\", n = \"integer\", at = \"timestamp\" }\n\
                 pagination = { kind = \"offset\", param = \"from\", total = \"Layer/@matched\" }\nrecords_may_lack = true";
    let member = |n: u64| {
        format!("<member><Row><id>r{n:05}</id><n>{n}</n><at>{}</at></Row></member>", at(n))
    };
    let members = (0..3).map(member).collect::<Vec<_>>().concat();
    let xml = |text: &str| Reply::text("text/xml", text);
    let whole = xml(&format!("<Layer matched=\"3\">{members}</Layer>"));
    let good_of_3 = with(&json!({ "data": rows(0..3), "total": 3 }));
    let agency = Agency::start(vec![
        turns("left-out", lacks, bare(&json!({ "code": 0 }))),
        turns("null", lacks, bare(&json!({ "code": 0, "data": null }))),
        turns("removed", &deletes, bare(&json!({ "code": 0, "gone": [row(1)] }))),
        turns("fails", lacks, bare(&json!({ "code": 7 }))),
        turns("other", lacks, bare(&json!({ "code": 0, "data": "busy" }))),
        Case::new("layer", layer, move |asked| match asked.before {
            0 => whole.clone(),
            1 => xml("<Layer matched=\"0\"/>"),
            2 => xml("<Layer matched=\"3\"/>"),
            _ => xml("<Report><Exception>busy</Exception></Report>"),
        }),
        turns("not-said", "", bare(&json!({ "code": 0 }))),
        Case::new("counted", &counted, move |asked| match asked.before {
            0 => good_of_3.clone(),
            1 => Reply::json(&json!({ "code": 0, "total": 0 })),
            _ => Reply::json(&json!({ "code": 0, "total": 3 })),
        }),
    ])
    .await?;
    for feed in ["left-out", "null", "counted"] {
        agency.first(feed).await?;
        let run = agency.again(feed).await?;
        assert_eq!((run.outcome, run.counts.received), (Outcome::Unchanged, 0), "{feed}: {run:#?}");
        agency.same(feed, 0..3)?;
    }
    agency.first("removed").await?;
    agency.again("removed").await?;
    agency.same("removed", [0, 2])?;
    for (feed, reason, words) in [
        ("fails", Reason::RemoteFault, "failed (7)"),
        ("other", Reason::Schema, "a single value at $.data[*]"),
        ("not-said", Reason::Schema, "or set records_may_lack = true"),
    ] {
        agency.first(feed).await?;
        failed(feed, &agency.order(feed, false).await?, reason, &[words]);
        agency.same(feed, 0..3)?;
    }
    agency.first("layer").await?;
    let none = agency.again("layer").await?;
    assert_eq!((none.outcome, none.counts.received), (Outcome::Unchanged, 0), "{none:#?}");
    let more = agency.order("layer", false).await?;
    failed("layer", &more, Reason::Schema, &["there is nothing at Layer/member/Row"]);
    let busy = agency.order("layer", false).await?;
    assert!(!busy.outcome.is_good(), "{busy:#?}");
    agency.same("layer", 0..3)?;
    let more = agency.order("counted", false).await?;
    failed("counted", &more, Reason::Schema, &["there is nothing at $.data[*]"]);
    Ok(())
}

/// Behind a page that leads on, one without a list is the end only if it looks like one: an error that comes with a good status
/// would end the walk for good.
#[tokio::test]
async fn an_error_in_place_of_a_list_that_may_lack_ends_no_walk() -> anyhow::Result<()> {
    let keys = "records_may_lack = true\nincremental = { field = \"at\", param = \"since\" }\n\
                pagination = { kind = \"next_url\", next = \"$.next\" }";
    let first = || Reply::json(&json!({ "kind": "list", "data": rows(0..3), "next": "?p=2" }));
    let failed = Arc::new(AtomicBool::new(false));
    let agency = Agency::start(vec![
        Case::new("errs", keys, move |asked| match asked.param("p") {
            None => first(),
            Some(_) if !failed.swap(true, Ordering::SeqCst) => {
                Reply::json(&json!({ "kind": "outcome", "issue": "timed out" }))
            }
            Some(_) => Reply::json(&json!({ "kind": "list", "data": rows(3..5) })),
        }),
        Case::new("ends", keys, move |asked| match asked.param("p") {
            None => first(),
            Some(_) => Reply::json(&json!({ "kind": "list" })),
        }),
    ])
    .await?;
    agency.fails("errs", Reason::RemoteFault, &["page 2 leaves out its list", "success"]).await?;
    assert_eq!(agency.cursor("errs").await?, None, "nothing was passed over");
    agency.again("errs").await?;
    agency.same("errs", 0..5)?;
    agency.first("ends").await?;
    agency.same("ends", 0..3)?;
    Ok(())
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_may_not_is_left() -> anyhow::Result<()> {
    let once = |then: fn() -> Reply| {
        move |asked: &Asked| match asked.before {
            0 => then(),
            _ => good(),
        }
    };
    let busy = || with(&json!({ "ok": "busy" }));
    let retry = "success = { path = \"$.ok\", equals = [true], on_error = \"retry\" }";
    let fail = "success = { path = \"$.ok\", equals = [true] }";
    let agency = Agency::start(vec![
        Case::new("busy-retry", retry, once(busy)),
        Case::new("busy-fail", fail, once(busy)),
        Case::new("status-retry", "statuses = { 409 = \"retry\" }", once(|| Reply::status(409))),
        Case::new("status-fail", "statuses = { 503 = \"fail\" }", once(|| Reply::status(503))),
        Case::new("cut-once", "", once(|| Reply::text("application/json", "{\"data\": [{"))),
    ])
    .await?;
    for feed in ["busy-retry", "status-retry", "cut-once"] {
        agency.first(feed).await?;
        assert_eq!(agency.asked(feed).len(), 2, "{feed}");
        agency.same(feed, 0..3)?;
    }
    agency.fails("busy-fail", Reason::RemoteFault, &["failed (busy)"]).await?;
    agency.fails("status-fail", Reason::Http4xx, &["503"]).await?;
    for feed in ["busy-fail", "status-fail"] {
        assert_eq!(agency.asked(feed).len(), 1, "{feed}");
    }
    Ok(())
}

#[tokio::test]
async fn records_are_found_wherever_they_stand() -> anyhow::Result<()> {
    let agency = Agency::start(vec![
        Case::new("root", "records = \"$[*]\"", |_| Reply::json(&json!(rows(0..3)))),
        Case::new("deep", "records = \"$.a.b[*]\"", |_| {
            Reply::json(&json!({ "a": { "c": [], "b": rows(0..3) } }))
        }),
        Case::new("wildcard", "records = \"$.groups[*].items[*]\"", |_| {
            let groups = json!([{ "items": rows(0..2) }, { "items": [] }, { "items": rows(2..3) }]);
            Reply::json(&json!({ "groups": groups }))
        }),
        Case::new("single", "records = \"$.result\"", |_| {
            Reply::json(&json!({ "result": row(0) }))
        }),
    ])
    .await?;
    for (feed, count) in [("root", 3), ("deep", 3), ("wildcard", 3), ("single", 1)] {
        agency.first(feed).await?;
        agency.same(feed, 0..count)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_partner_whose_answers_are_errors_is_not_up() -> anyhow::Result<()> {
    let case = Case::new("down", "success = { error = \"$.error\" }", |_| {
        with(&json!({ "error": "all is broken" }))
    });
    let agency = Agency::start(vec![case]).await?;
    agency.fails("down", Reason::RemoteFault, &["all is broken"]).await?;
    let connection = agency.daemon.client.connection("agency/to-down").await?;
    assert_ne!(connection.health, Health::Up, "{connection:#?}");
    assert_eq!(connection.cause, Some(Reason::RemoteFault), "{connection:#?}");
    Ok(())
}

//! A request for each record of another feed, exports that are ordered first, and what is asked for in a body: GraphQL, and
//! envelopes of XML.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use marsad_shared::{health::Reason, protocol::RunVerb, run::Outcome};
use marsad_tests::partner::{Asked, Cell, Reply, Script};
use serde_json::{Value, json};

use super::{Agency, Case, failed, lines, rows, some};

fn data(rows: &Value) -> Reply {
    Reply::json(&json!({ "data": rows }))
}

fn text(of: &[&str]) -> Vec<Vec<Cell>> {
    of.iter().map(|text| vec![Cell::Text((*text).to_owned())]).collect()
}

/// The feed whose records are asked after: three families, and a fourth from the second read on.
fn families() -> Case {
    Case::new("families", "fields = { id = \"text\" }", |asked| {
        let mut all = vec![json!({ "id": "f/1 é" }), json!({ "id": "f2" }), json!({ "id": "f3" })];
        if asked.before > 0 {
            all.push(json!({ "id": "f4" }));
        }
        data(&all.into())
    })
}

fn children(feed: &'static str, keys: &str, answer: fn(&Asked) -> Reply) -> Case {
    let keys = format!(
        "path = \"/{feed}/{{id}}/members\"\nfields = {{ id = \"text\" }}\n\
         each = {{ feed = \"families\", column = \"id\" }}\n{keys}"
    );
    Case::new(feed, &keys, answer)
}

/// Two members of each family, a page each; family 2 has none.
fn members(asked: &Asked) -> Reply {
    let family = asked.path.split('/').nth(2).unwrap_or_default();
    match (family, asked.number("page")) {
        ("f2", _) => Reply::status(404),
        (_, Some(page @ 1..=2)) => data(&json!([{ "id": format!("{family}-{page}") }])),
        _ => data(&json!([])),
    }
}

#[tokio::test]
async fn a_feed_is_asked_for_once_for_each_record_of_another() -> anyhow::Result<()> {
    let optional =
        "pagination = { kind = \"page\", param = \"page\" }\nstatuses = { 404 = \"empty\" }";
    let agency = Agency::start(vec![
        families(),
        children("members", optional, members),
        children("nobody", "statuses = { 404 = \"empty\" }", |_| Reply::status(404)),
        children("one-fails", "", |asked| match (asked.path.as_str(), asked.before) {
            ("/one-fails/f2/members", 0) => Reply::status(404),
            (path, _) => data(&json!([{ "id": path.split('/').nth(2) }])),
        }),
        Case::new(
            "too-many",
            "path = \"/too-many/{id}\"\nfields = { id = \"text\" }\n\
             each = { feed = \"families\", column = \"id\", max = 2 }",
            |asked| data(&json!([{ "id": asked.path }])),
        ),
    ])
    .await?;
    agency.first("families").await?;
    for feed in ["members", "nobody", "one-fails", "too-many"] {
        agency.ended(feed, 0).await?;
    }

    agency.again("members").await?;
    let found = agency.rows("members", &["id"])?;
    assert_eq!(found, text(&["f%2F1%20%C3%A9-1", "f%2F1%20%C3%A9-2", "f3-1", "f3-2"]));
    agency.again("families").await?;
    agency.again("members").await?;
    assert_eq!(agency.rows("members", &["id"])?.len(), 6, "a new family is asked after too");

    let nobody = agency.order("nobody", false).await?;
    failed("nobody", &nobody, Reason::Http4xx, &["nothing for any of 4 records"]);
    let too_many = agency.order("too-many", false).await?;
    failed("too-many", &too_many, Reason::RemoteFault, &["more than 2 records", "each.max"]);

    let stopped = agency.order("one-fails", false).await?;
    failed("one-fails", &stopped, Reason::Http4xx, &["one-fails/{id}/members", "404"]);
    let asked = agency.asked("one-fails").len();
    agency.again("one-fails").await?;
    let on: Vec<_> = agency.asked("one-fails").split_off(asked);
    let on: Vec<_> = on.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(on[0], "/one-fails/f2/members", "it goes on where it stopped: {on:?}");
    assert_eq!(agency.rows("one-fails", &["id"])?, text(&["f%2F1%20%C3%A9", "f2", "f3", "f4"]));
    Ok(())
}

/// What names nothing in a path is passed over there, and is a value like any other in a query.
#[tokio::test]
async fn a_parent_that_names_nothing_in_a_path_stops_no_other() -> anyhow::Result<()> {
    let each = "each = { feed = \"odd\", column = \"id\" }\nfields = { id = \"text\" }";
    let agency = Agency::start(vec![
        Case::new("odd", "fields = { id = \"text\" }", |_| {
            data(&json!([{ "id": "+" }, { "id": ".." }, { "id": "a" }]))
        }),
        Case::new("steps", &format!("path = \"/steps/{{id}}\"\n{each}"), |asked| {
            data(&json!([{ "id": asked.path.split('/').nth(2) }]))
        }),
        Case::new("queries", &format!("path = \"/queries?p={{id}}\"\n{each}"), |asked| {
            data(&json!([{ "id": asked.param("p") }]))
        }),
    ])
    .await?;
    agency.first("odd").await?;
    for feed in ["steps", "queries"] {
        agency.ended(feed, 0).await?;
    }
    let steps = agency.again("steps").await?.reason.unwrap_or_default();
    assert!(steps.contains("1 record of the other feed is empty, \".\" or \"..\""), "{steps}");
    assert_eq!(agency.rows("steps", &["id"])?, text(&["%2B", "a"]));
    agency.again("queries").await?;
    assert_eq!(agency.rows("queries", &["id"])?, text(&["+", "..", "a"]));
    Ok(())
}

#[tokio::test]
async fn the_records_of_a_parent_that_was_deleted_go_with_it_if_the_feed_says_so()
-> anyhow::Result<()> {
    let of = |feed: &str, more: &str| {
        format!(
            "path = \"/{feed}/{{id}}\"\nfields = {{ id = \"text\", family = \"text\" }}\n\
             each = {{ feed = \"families\", column = \"id\"{more} }}"
        )
    };
    let member = |asked: &Asked| {
        let family = asked.path.rsplit('/').next().unwrap_or_default();
        // One whose family nobody knows stays.
        let stray = json!({ "id": "stray", "family": "f9" });
        data(&json!([{ "id": format!("m-{family}"), "family": family }, stray]))
    };
    let families =
        "fields = { id = \"text\" }\ndeleted = { field = \"op\", values = [\"delete\"] }";
    let agency = Agency::start(vec![
        Case::new("families", families, |asked| match asked.before {
            0 => data(&json!([{ "id": "f1" }, { "id": "f2" }])),
            1 => data(&json!([{ "id": "f1", "op": "delete" }, { "id": "f3" }])),
            _ => data(&json!([{ "id": "f1" }])),
        }),
        Case::new("go", &of("go", ", gone = \"delete\", by = \"family\""), member),
        Case::new("stay", &of("stay", ""), member),
    ])
    .await?;
    agency.first("families").await?;
    for feed in ["go", "stay"] {
        agency.again(feed).await?;
        assert_eq!(agency.rows(feed, &["id"])?, text(&["m-f1", "m-f2", "stray"]));
    }
    agency.again("families").await?;
    let run = agency.again("go").await?;
    let words = "1 records were deleted, whose record in the other feed is";
    assert_eq!(run.reason.as_deref(), Some(words));
    assert_eq!(agency.rows("go", &["id"])?, text(&["m-f2", "m-f3", "stray"]));
    assert_eq!(agency.daemon.client.feed(&super::id("go")).await?.rows, 3);
    agency.again("stay").await?;
    assert_eq!(agency.rows("stay", &["id"])?, text(&["m-f1", "m-f2", "m-f3", "stray"]));
    // The family is back.
    agency.again("families").await?;
    assert_eq!(agency.again("go").await?.reason, None);
    assert_eq!(agency.rows("go", &["id"])?, text(&["m-f1", "m-f2", "m-f3", "stray"]));
    Ok(())
}

#[tokio::test]
async fn records_that_would_go_with_their_parents_meet_the_brake() -> anyhow::Result<()> {
    let members = |asked: &Asked| {
        let family = asked.path.rsplit('/').next().unwrap_or_default();
        let one = |n| json!({ "id": format!("{family}-{n}"), "family": family });
        data(&Value::Array((0..6).map(one).collect()))
    };
    let of = "path = \"/crowd/{id}\"\nfields = { id = \"text\", family = \"text\" }\n\
              each = { feed = \"families\", column = \"id\", gone = \"delete\", by = \"family\" }";
    let families =
        "fields = { id = \"text\" }\ndeleted = { field = \"op\", values = [\"delete\"] }";
    let agency = Agency::start(vec![
        Case::new("families", families, |asked| {
            let gone = asked.before > 0;
            let one = |n: u64| {
                let op = if gone && n < 4 { "delete" } else { "" };
                json!({ "id": format!("f{n}"), "op": op })
            };
            data(&Value::Array((0..10).map(one).collect()))
        }),
        Case::new("crowd", of, members),
    ])
    .await?;
    agency.first("families").await?;
    agency.again("crowd").await?;
    let rows = async || Ok::<_, anyhow::Error>(agency.rows("crowd", &["id"])?.len());
    assert_eq!(rows().await?, 60);
    agency.again("families").await?;
    let run = agency.order("crowd", false).await?;
    let reason = run.reason.clone().unwrap_or_default();
    assert_eq!(run.outcome, Outcome::Held, "{run:#?}");
    assert!(reason.contains("delete 24 of 60 records (40 %"), "{reason}");
    assert_eq!(rows().await?, 60, "nothing of it is done");
    agency.daemon.client.decide(RunVerb::Release, run.id).await?;
    assert_eq!(rows().await?, 36);
    let last = agency.daemon.client.runs(&super::id("crowd")).await?.pop();
    assert_eq!(last.map(|run| (run.outcome, run.counts.absent)), Some((Outcome::Succeeded, 24)));
    Ok(())
}

#[tokio::test]
async fn they_are_counted_with_what_the_partner_names_itself() -> anyhow::Result<()> {
    let members = |asked: &Asked| {
        let family = asked.path.rsplit('/').next().unwrap_or_default();
        let one = |n: u64| {
            let op = if asked.before > 0 && n < 2 { "delete" } else { "" };
            json!({ "id": format!("{family}-{n}"), "family": family, "op": op })
        };
        data(&Value::Array((0..10).map(one).collect()))
    };
    let deleted = "deleted = { field = \"op\", values = [\"delete\"] }";
    let of = format!(
        "path = \"/crowd/{{id}}\"\nfields = {{ id = \"text\", family = \"text\" }}\n{deleted}\n\
         each = {{ feed = \"families\", column = \"id\", gone = \"delete\", by = \"family\" }}"
    );
    let families = format!("fields = {{ id = \"text\" }}\n{deleted}");
    let agency = Agency::start(vec![
        Case::new("families", &families, |asked| {
            let op = |n: u64| if asked.before > 0 && n == 0 { "delete" } else { "" };
            let one = |n: u64| json!({ "id": format!("f{n}"), "op": op(n) });
            data(&Value::Array((0..10).map(one).collect()))
        }),
        Case::new("crowd", &of, members),
    ])
    .await?;
    agency.first("families").await?;
    agency.again("crowd").await?;
    agency.again("families").await?;
    let run = agency.order("crowd", false).await?;
    let reason = run.reason.clone().unwrap_or_default();
    assert_eq!((run.outcome, run.counts.deleted), (Outcome::Held, 18), "{run:#?}");
    assert!(reason.contains("delete 28 of 100 records (28 %"), "{reason}");
    assert_eq!(agency.rows("crowd", &["id"])?.len(), 82, "what it named, and no more");
    Ok(())
}

#[tokio::test]
async fn nobody_is_asked_for_before_the_other_feed_was_read_to_its_end() -> anyhow::Result<()> {
    let pages = "fields = { id = \"text\" }\npagination = { kind = \"page\", param = \"page\" }";
    let agency = Agency::start(vec![
        Case::new("families", pages, |asked| match asked.number("page") {
            Some(1) => data(&json!([{ "id": "f1" }])),
            _ => Reply::status(422),
        }),
        children("early", "", |_| data(&json!([{ "id": "m" }]))),
    ])
    .await?;
    agency.ended("families", 0).await?;
    assert_eq!(agency.rows("families", &["id"])?, text(&["f1"]), "one is known");
    let run = agency.order("early", false).await?;
    let reason = run.reason.unwrap_or_default();
    assert_eq!(run.outcome, Outcome::Cancelled, "{reason}");
    assert!(reason.contains("agency/families was never read to its end"), "{reason}");
    assert!(agency.asked("early").is_empty());
    Ok(())
}

/// An office that makes an export of 30 rows on order, ready at the third question while `ready`.
fn office(base: &'static str, ready: Arc<AtomicBool>) -> impl Fn(&Asked) -> Reply {
    move |asked| {
        let place = asked.path.strip_prefix(base).unwrap_or_default();
        match (asked.method.as_str(), place) {
            ("POST", "") if asked.json() == json!({ "what": "all" }) => {
                Reply::json(&json!({ "job": { "id": format!("j {}", asked.before) } }))
                    .with_status(202)
            }
            ("GET", "/jobs/j%200") if asked.before < 2 || !ready.load(Ordering::SeqCst) => {
                Reply::json(&json!({ "job": { "state": "running" } }))
            }
            ("GET", "/jobs/j%200") => {
                let url = format!("{base}/files/0?sig=a%2Bb");
                Reply::json(&json!({ "job": { "state": "finished", "url": url } }))
            }
            ("GET", "/jobs/j%201") => Reply::json(&json!({ "job": { "state": "finished" } })),
            ("GET", "/files/0") if asked.query == "sig=a%2Bb" => {
                Reply::text("application/x-ndjson", &lines(0..30))
            }
            ("DELETE", "/jobs/j%200") => Reply::status(204),
            _ => Reply::status(400),
        }
    }
}

const EXPORT: &str = "id = \"$.job.id\", state = \"$.job.state\", done = [\"finished\"], failed = [\"error\"], every = \"20ms\"";

fn ordered(feed: &str, download: &str) -> String {
    format!(
        "json = {{ what = \"all\" }}\nexport = {{ status = \"/{feed}/jobs/{{id}}\", {EXPORT}, \
         download = \"{download}\", delete = \"/{feed}/jobs/{{id}}\" }}"
    )
}

fn of_method(agency: &Agency, feed: &str, method: &str) -> usize {
    agency.asked(feed).iter().filter(|asked| asked.method == method).count()
}

#[tokio::test]
async fn an_export_is_ordered_awaited_fetched_and_cleared_away() -> anyhow::Result<()> {
    let ready = || Arc::new(AtomicBool::new(true));
    let failing = format!(
        "json = {{ what = \"all\" }}\nexport = {{ status = \"/failing/jobs/{{id}}\", {EXPORT}, \
         download = \"/failing/files/{{id}}\" }}"
    );
    let never = "export = { status = \"/never/{id}\", done = [\"ok\"], download = \"$.url\", every = \"20ms\", within = \"50ms\" }";
    let agency = Agency::start(vec![
        Case::new("exports", &ordered("exports", "$.job.url"), office("/exports", ready())),
        Case::new("failing", &failing, |asked| {
            match (asked.method.as_str(), asked.path.as_str()) {
                ("POST", _) => Reply::json(&json!({ "job": { "id": asked.before } })),
                (_, "/failing/jobs/0") => Reply::json(&json!({ "job": { "state": "error" } })),
                (_, "/failing/jobs/1") => Reply::json(&json!({ "job": { "state": "finished" } })),
                (_, "/failing/files/1") => data(&rows(0..3).into()),
                _ => Reply::status(400),
            }
        }),
        Case::new("never", never, |asked| match asked.path.as_str() {
            "/never" => Reply::json(&json!({ "id": 7 })),
            _ => Reply::json(&json!({ "state": "queued" })),
        }),
        Case::new("nameless", never, |_| Reply::json(&json!({ "ok": true }))),
    ])
    .await?;
    let run = agency.first("exports").await?;
    assert_eq!(run.counts.inserted, 30, "{run:#?}");
    agency.same("exports", 0..30)?;
    agency.script.until_asked("/exports", 6).await;
    let did: Vec<_> = agency.asked("exports").into_iter().map(|asked| asked.method).collect();
    assert_eq!(did, ["POST", "GET", "GET", "GET", "GET", "DELETE"]);

    agency.fails("failing", Reason::RemoteFault, &["failed at the partner (error)"]).await?;
    agency.again("failing").await?;
    assert_eq!(of_method(&agency, "failing", "POST"), 2, "one that failed is ordered anew");
    agency.same("failing", 0..3)?;

    agency.fails("never", Reason::RemoteFault, &["still \"queued\"", "with the next run"]).await?;
    let later = agency.order("never", false).await?;
    failed("never", &later, Reason::RemoteFault, &["still \"queued\""]);
    let orders =
        agency.script.asked("/never").iter().filter(|asked| asked.path == "/never").count();
    assert_eq!(orders, 1, "what is not ready is asked after, and not ordered again");
    agency.fails("nameless", Reason::Schema, &["what the export is called"]).await?;
    Ok(())
}

#[tokio::test]
async fn an_export_that_was_ordered_is_found_again_after_kill_9() -> anyhow::Result<()> {
    let ready = Arc::new(AtomicBool::new(false));
    let keys = ordered("exports", "$.job.url");
    let mut agency =
        Agency::start(vec![Case::new("exports", &keys, office("/exports", Arc::clone(&ready)))])
            .await?;
    for _ in 0..2 {
        // The order, and the first question: by then it is known what was ordered.
        agency.script.until_asked("/exports", agency.asked("exports").len().max(1) + 1).await;
        agency.daemon.kill9().await?;
        agency.daemon.go().await?;
    }
    ready.store(true, Ordering::SeqCst);
    agency
        .daemon
        .until("the export read", async |client| {
            let feed = client.feed(&super::id("exports")).await?;
            Ok(feed.last_outcome.is_some_and(Outcome::is_good).then_some(()))
        })
        .await?;
    assert_eq!(of_method(&agency, "exports", "POST"), 1, "ordered once");
    agency.same("exports", 0..30)
}

/// What was asked of `feed` with that method, in order.
fn places(agency: &Agency, feed: &str, method: &str) -> Vec<String> {
    let asked = agency.asked(feed).into_iter().filter(|asked| asked.method == method);
    asked.map(|asked| asked.path).collect()
}

#[tokio::test]
async fn an_export_of_which_nothing_comes_is_taken_back_once() -> anyhow::Result<()> {
    let export = |feed: &str, abort: &str| {
        format!(
            "export = {{ status = \"/{feed}/{{id}}\", done = [\"ok\"], failed = [\"error\"], every = \"20ms\", \
             within = \"50ms\", download = \"/{feed}/files/{{id}}\", abort = {abort} }}"
        )
    };
    let deletes = |feed: &str| format!("\"/{feed}/{{id}}\"");
    // The first order comes to nothing as `state` says, the second is ready.
    let answers = |state: &'static str| {
        move |asked: &Asked| {
            let last = asked.path.rsplit('/').next().unwrap_or_default().to_owned();
            match (asked.method.as_str(), last.as_str()) {
                ("GET", "0") if asked.path.contains("/expired/files/") => Reply::status(403),
                ("GET", "0") if asked.path.contains("/files/") => Reply::status(422),
                ("GET", "0") => Reply::json(&json!({ "state": state })),
                ("GET", "1") if asked.path.contains("/files/") => data(&rows(0..3).into()),
                ("GET", "1") => Reply::json(&json!({ "state": "ok" })),
                ("GET", _) => Reply::json(&json!({ "id": u8::from(asked.before > 0) })),
                // It need not know how.
                ("DELETE", _) => Reply::status(500),
                _ => Reply::status(202),
            }
        }
    };
    let post = "{ method = \"POST\", path = \"/fails/{id}/cancel\" }";
    let mut agency = Agency::start(vec![
        Case::new("fails", &export("fails", post), answers("error")),
        Case::new("no-file", &export("no-file", &deletes("no-file")), answers("ok")),
        Case::new("expired", &export("expired", &deletes("expired")), answers("ok")),
        Case::new("anew", &export("anew", &deletes("anew")), answers("queued")),
        Case::new("back", &export("back", &deletes("back")), answers("queued")),
    ])
    .await?;
    let fails = agency.ended("fails", 0).await?;
    failed("fails", &fails, Reason::RemoteFault, &["failed at the partner"]);
    agency.again("fails").await?;
    assert_eq!(
        places(&agency, "fails", "POST"),
        ["/fails/0/cancel"],
        "and not the one that was read"
    );
    agency.fails("no-file", Reason::Http4xx, &["422"]).await?;
    agency.again("no-file").await?;
    assert_eq!(places(&agency, "no-file", "DELETE"), ["/no-file/0"]);
    agency.same("no-file", 0..3)?;
    agency.fails("expired", Reason::Http4xx, &["link to the export is refused"]).await?;
    agency.again("expired").await?;
    agency.same("expired", 0..3)?;

    for feed in ["anew", "back"] {
        let run = agency.ended(feed, 0).await?;
        failed(feed, &run, Reason::RemoteFault, &["still \"queued\""]);
    }
    agency.daemon.kill9().await?;
    agency.daemon.go().await?;
    for feed in ["anew", "back"] {
        assert_eq!(places(&agency, feed, "DELETE"), Vec::<String>::new(), "it is waited for");
    }
    let run = agency.order("anew", true).await?;
    assert!(run.outcome.is_good(), "ordered again, by a person's word: {run:#?}");
    assert_eq!(
        places(&agency, "anew", "DELETE"),
        ["/anew/0"],
        "what the daemon before had ordered"
    );
    agency.same("anew", 0..3)
}

#[tokio::test]
async fn graphql_pages_by_its_variables_and_says_its_errors() -> anyhow::Result<()> {
    let query = "query V($first: Int!, $after: String) { visits(first: $first, after: $after) { nodes { id n at } } }";
    let keys = format!(
        "json = {{ query = \"{query}\", variables = {{ first = 10 }} }}\n\
         records = \"$.data.visits.nodes[*]\"\nsuccess = {{ error = \"$.errors\" }}\n\
         pagination = {{ kind = \"cursor\", param = \"variables.after\", place = \"body\", \
         next = \"$.data.visits.pageInfo.endCursor\", more = \"$.data.visits.pageInfo.hasNextPage\" }}\n\
         incremental = {{ field = \"at\", param = \"variables.since\", place = \"body\" }}"
    );
    let answer = move |asked: &Asked| {
        let body = asked.json();
        if body["query"] != query || body["variables"]["first"] != 10 {
            return Reply::status(400);
        }
        let from = body["variables"]["after"].as_str().map_or(0, |after| after.parse().unwrap());
        let page = some(from, 10, 25);
        // The last page has a cursor too: only the flag says that it is the last.
        let info = json!({ "endCursor": page.end.to_string(), "hasNextPage": page.end < 25 });
        Reply::json(&json!({ "data": { "visits": { "nodes": rows(page), "pageInfo": info } } }))
    };
    let agency = Agency::start(vec![
        Case::new("graphql", &keys, answer),
        Case::new("graphql-errors", &keys, |_| {
            let errors = json!([{ "message": "Field 'visits' is not there" }]);
            Reply::json(&json!({ "data": null, "errors": errors }))
        }),
    ])
    .await?;
    agency.first("graphql").await?;
    agency.same("graphql", 0..25)?;
    agency.again("graphql").await?;
    let asked = agency.asked("graphql").pop().unwrap().json();
    assert_eq!(asked["variables"]["since"], super::at(24), "{asked}");
    agency
        .fails(
            "graphql-errors",
            Reason::RemoteFault,
            &["is an error", "Field 'visits' is not there"],
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_envelope_of_xml_carries_the_token_of_the_page_before() -> anyhow::Result<()> {
    let envelope = "<s:Envelope xmlns:s=\\\"urn:s\\\"><s:Body><Get><From>{since}</From><Token>{token}</Token></Get></s:Body></s:Envelope>";
    let keys = format!(
        "preset = \"bus\"\ntext = \"{envelope}\"\nrecords = \"Envelope/Body/Batch/Registration\"\n\
         fields = {{ id = {{ type = \"text\", from = \"@id\" }}, n = {{ type = \"integer\", from = \"Number\" }}, at = {{ type = \"timestamp\", from = \"At\" }} }}\n\
         pagination = {{ kind = \"cursor\", param = \"token\", place = \"body\", next = \"Envelope/Body/Batch/@nextToken\" }}\n\
         incremental = {{ field = \"at\", param = \"since\", place = \"body\" }}"
    );
    let answer = |asked: &Asked| {
        let body = asked.text();
        let between = |open: &str, close: &str| {
            body.split(open).nth(1).and_then(|rest| rest.split(close).next()).unwrap().to_owned()
        };
        let from = match between("<Token>", "</Token>").as_str() {
            "" => 0,
            token => token.trim_start_matches("a&lt;&amp;&quot;").parse().unwrap(),
        };
        let page = some(from, 10, 25);
        let next = format!(" nextToken=\"a&lt;&amp;&quot;{}\"", page.end);
        let next = if page.end < 25 { next } else { String::new() };
        let records = page.fold(String::new(), |records, n| {
            let (id, at) = (format!("r{n:05}"), super::at(n));
            format!(
                "{records}<Registration id=\"{id}\"><Number>{n}</Number><At>{at}</At></Registration>"
            )
        });
        let body = format!(
            "<x:Envelope xmlns:x=\"urn:s\"><x:Body><Batch{next}>{records}</Batch></x:Body></x:Envelope>"
        );
        Reply::text("text/xml; charset=utf-8", &body)
    };
    let agency = Agency::start(vec![Case::new("bus", &keys, answer)]).await?;
    agency.first("bus").await?;
    agency.same("bus", 0..25)?;
    let first = agency.asked("bus").remove(0);
    assert_eq!(
        (first.method.as_str(), first.header("content-type")),
        ("POST", Some("text/xml; charset=utf-8"))
    );
    assert!(first.text().contains("<From></From><Token></Token>"), "{}", first.text());
    agency.again("bus").await?;
    let last = agency.asked("bus").pop().unwrap().text();
    assert!(last.contains(&format!("<From>{}</From>", super::at(24))), "{last}");
    Ok(())
}

/// A store that knows nobody, and holds what the partner has put there under a signed address.
#[tokio::test]
async fn a_file_that_stands_elsewhere_is_fetched_without_what_is_ours() -> anyhow::Result<()> {
    let store = Script::start(|asked| {
        if asked.path == "/bucket/f" && asked.query == "X-Sig=a%2Bb" {
            Reply::text("application/x-ndjson", &lines(0..30))
        } else {
            Reply::status(403)
        }
    })
    .await?;
    let there = format!("http://{}", store.address());
    let export = |feed: &str, from: &str| {
        format!(
            "json = {{ what = \"all\" }}\nexport = {{ status = \"/{feed}/jobs/{{id}}\", {EXPORT}, download = \"$.job.url\"{from} }}"
        )
    };
    let answer = |url: &str| {
        let url = format!("{url}/bucket/f?X-Sig=a%2Bb");
        move |asked: &Asked| match asked.method.as_str() {
            "POST" => Reply::json(&json!({ "job": { "id": "1" } })),
            _ => Reply::json(&json!({ "job": { "state": "finished", "url": url } })),
        }
    };
    let named = format!(", from = \"{there}\"");
    let secrets = tempfile::tempdir()?;
    let token = secrets.path().join("token");
    std::fs::write(&token, "of-the-partner-alone")?;
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600))?;
    let auth = format!(
        "auth = {{ kind = \"bearer\", token = {{ file = {token:?} }} }}\nheaders = {{ X-Dept = \"7\" }}"
    );
    let agency = Agency::start_with(
        &auth,
        vec![
            Case::new("stored", &export("stored", &named), answer(&there)),
            Case::new("unnamed", &export("unnamed", ""), answer(&there)),
            Case::new("led-astray", &export("led-astray", &named), answer("http://127.0.0.2:9")),
        ],
    )
    .await?;
    agency.first("stored").await?;
    agency.same("stored", 0..30)?;
    let ordered = agency.asked("stored");
    assert!(ordered.iter().all(|asked| asked.header("authorization").is_some()), "{ordered:?}");
    let fetched = store.asked("/bucket");
    assert_eq!(fetched.len(), 1, "{fetched:?}");
    for ours in ["authorization", "x-dept"] {
        assert_eq!(fetched[0].header(ours), None);
    }
    for file in ["cache.db", "cache.db-wal", "ledger.db", "ledger.db-wal"] {
        let kept = std::fs::read(agency.daemon.state_dir().join(file)).unwrap_or_default();
        assert!(!kept.windows(5).any(|text| text == b"X-Sig"), "{file}: a signature is kept");
    }
    let words = ["at another origin", "export.from"];
    agency.fails("unnamed", Reason::RemoteFault, &words).await?;
    agency
        .fails("led-astray", Reason::RemoteFault, &["another origin (http://127.0.0.2:9)"])
        .await?;
    assert_eq!(store.asked("/bucket").len(), 1, "nobody else went there");
    Ok(())
}

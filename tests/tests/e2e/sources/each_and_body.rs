//! A request for each record of another feed, and what is asked for in a body: GraphQL, and envelopes of XML.

use marsad_shared::{health::Reason, protocol::RunVerb, run::Outcome};
use marsad_tests::partner::{Asked, Cell, Reply};
use serde_json::{Value, json};

use super::{Agency, Case, failed, rows, some};

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
        children("left-out", "records_may_lack = true", |asked| {
            let family = asked.path.split('/').nth(2).unwrap_or_default();
            Reply::json(&match family {
                "f2" => json!({}),
                _ => json!({ "data": [{ "id": family }] }),
            })
        }),
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
    for feed in ["members", "nobody", "left-out", "one-fails", "too-many"] {
        agency.ended(feed, 0).await?;
    }

    agency.again("members").await?;
    let found = agency.rows("members", &["id"])?;
    assert_eq!(found, text(&["f%2F1%20%C3%A9-1", "f%2F1%20%C3%A9-2", "f3-1", "f3-2"]));
    agency.again("families").await?;
    agency.again("members").await?;
    assert_eq!(agency.rows("members", &["id"])?.len(), 6, "a new family is asked after too");

    agency.again("left-out").await?;
    assert_eq!(agency.rows("left-out", &["id"])?, text(&["f%2F1%20%C3%A9", "f3", "f4"]));
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
        let after = body["variables"]["after"].as_str().and_then(|after| after.strip_prefix('c'));
        let from = after.map_or(0, |after| after.parse().unwrap());
        let page = some(from, 10, 25);
        // The last page has a cursor too: only the flag says that it is the last.
        let info = json!({ "endCursor": format!("c{}", page.end), "hasNextPage": page.end < 25 });
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

//! Styles that are known by name, as they stand, against servers that behave as the real ones do.

use jiff::Timestamp;
use marsad_shared::{health::Reason, run::Outcome};
use marsad_tests::partner::{Asked, Cell, Reply};
use serde_json::{Value, json};

use super::{Agency, Case, at, conformance::sample, failed, row, rows, some};

/// `OData`, which writes its annotations so: pages of two, changes where they are asked for, and a delta link that grows too old.
fn odata(asked: &Asked, (next, delta): (&str, &str)) -> Reply {
    let host = asked.header("host").unwrap_or_default();
    let link = |query: &str| format!("http://{host}{}?{query}", asked.path);
    let page = |rows: Vec<Value>, name: &str, query: &str| {
        let mut body = json!({ "@odata.context": "$metadata#Visits", "value": rows });
        body[name] = link(query).into();
        Reply::json(&body).header("OData-Version", "4.0")
    };
    if asked.header("prefer") != Some("odata.track-changes") {
        return Reply::status(400);
    }
    match (asked.param("$skiptoken"), asked.param("$deltatoken")) {
        (None, None) if asked.before == 0 => page(rows(0..2), next, "$skiptoken=r1"),
        (None, None) => page(rows(1..7), delta, "$deltatoken=3"),
        (Some("r1"), None) => page(rows(2..4), next, "$skiptoken=r3"),
        (Some("r3"), None) => page(rows(4..5), delta, "$deltatoken=1"),
        (None, Some("1")) => {
            let removed = json!({ "@removed": { "reason": "deleted" }, "id": "r00003" });
            page(vec![row(5), removed], delta, "$deltatoken=2")
        }
        (None, Some("2")) => Reply::status(410),
        (None, Some("3")) => page(Vec::new(), delta, "$deltatoken=3"),
        _ => Reply::status(400),
    }
}

#[tokio::test]
async fn odata_pages_by_its_links_and_then_reads_changes() -> anyhow::Result<()> {
    let agency = Agency::start(vec![
        Case::new("odata", "preset = \"odata\"", |asked| {
            odata(asked, ("@odata.nextLink", "@odata.deltaLink"))
        }),
        Case::new("odata-short", "preset = \"odata\"", |asked| {
            odata(asked, ("@nextLink", "@deltaLink"))
        }),
        Case::new("odata-old", "preset = \"odata\"", |asked| {
            odata(asked, ("odata.nextLink", "odata.deltaLink"))
        }),
        Case::new("by-field", "preset = \"odata\"\nincremental = { field = \"at\" }", |asked| {
            let since = asked.param("$filter").map(|filter| filter.replace("at ge ", ""));
            let all = (0..5).filter(|n| since.as_ref().is_none_or(|since| at(*n) >= *since));
            Reply::json(&json!({ "value": rows(all) }))
        }),
        Case::new("odata-error", "preset = \"odata\"", |_| {
            let error = json!({ "code": "BadRequest", "message": "no such property" });
            Reply::json(&json!({ "error": error }))
        }),
    ])
    .await?;
    for feed in ["odata", "odata-short", "odata-old"] {
        agency.first(feed).await?;
        agency.same(feed, 0..5)?;
        let run = agency.again(feed).await?;
        assert_eq!((run.counts.inserted, run.counts.deleted), (1, 1), "{run:#?}");
        agency.same(feed, [0, 1, 2, 4, 5])?;
        let anew = agency.again(feed).await?;
        let reason = anew.reason.unwrap_or_default();
        assert!(
            reason.contains("everything was read again, and what it no longer has is gone"),
            "{reason}"
        );
        agency.same(feed, 1..7)?;
        let nothing = agency.again(feed).await?;
        assert_eq!((nothing.outcome, nothing.counts.received), (Outcome::Unchanged, 0));
    }

    agency.first("by-field").await?;
    let again = agency.again("by-field").await?;
    assert_eq!(again.counts.received, 1, "{again:#?}");
    assert_eq!(
        agency.asked("by-field")[1].query,
        format!("$filter=at%20ge%20{}", at(4).replace(':', "%3A"))
    );
    agency.fails("odata-error", Reason::RemoteFault, &["no such property"]).await?;
    Ok(())
}

/// CKAN's datastore: it gives fewer than it is asked for, and its next link never ends.
fn ckan(asked: &Asked) -> Reply {
    let (from, limit) = (asked.number("offset").unwrap_or(0), asked.number("limit").unwrap());
    let page = some(from, limit.min(7), 25);
    // Its own row number is another one each time the table is loaded.
    let records: Vec<_> = rows(page)
        .into_iter()
        .map(|mut row| {
            row["_id"] = (row["n"].as_u64().unwrap() + 1_000).into();
            row["n"] = row["n"].to_string().into();
            row
        })
        .collect();
    let links = json!({ "start": "/ckan", "next": format!("/ckan?offset={}", from + limit) });
    let result = json!({ "records": records, "total": 25, "limit": 7, "_links": links });
    Reply::json(&json!({ "help": "…", "success": true, "result": result }))
}

#[tokio::test]
async fn ckan_is_counted_and_its_link_is_not_followed() -> anyhow::Result<()> {
    let agency = Agency::start(vec![
        Case::new("ckan", "preset = \"ckan\"", ckan),
        Case::new("ckan-error", "preset = \"ckan\"", |_| {
            let error =
                json!({ "__type": "Not Found Error", "message": "Resource was not found." });
            Reply::json(&json!({ "success": false, "error": error }))
        }),
    ])
    .await?;
    agency.first("ckan").await?;
    agency.same("ckan", 0..25)?;
    let asked: Vec<_> = agency.asked("ckan").into_iter().map(|asked| asked.query).collect();
    let wanted = [0, 7, 14, 21].map(|from| format!("offset={from}&limit=1000"));
    assert_eq!(asked, wanted, "on by what came, and no further than the total");
    agency.fails("ckan-error", Reason::RemoteFault, &["failed (false)"]).await?;
    Ok(())
}

/// Opendatasoft's records: at most 100 a page, and none behind the 10,000th.
fn opendatasoft(total: u64) -> impl Fn(&Asked) -> Reply {
    move |asked| {
        let (from, limit) = (asked.number("offset").unwrap(), asked.number("limit").unwrap());
        if limit > 100 || from + limit > 10_000 {
            let body =
                json!({ "error_code": "InvalidRESTParameterError", "message": "offset + limit" });
            return Reply::json(&body).with_status(400);
        }
        let since = asked
            .param("where")
            .map(|text| text.trim_start_matches("at >= date'").trim_end_matches('\'').to_owned());
        let first = (0..total).find(|n| since.as_ref().is_none_or(|since| at(*n) >= *since));
        let first = first.unwrap_or(total);
        let page = some(first + from, limit, total);
        Reply::json(&json!({ "total_count": total - first, "results": rows(page) }))
    }
}

#[tokio::test]
async fn opendatasoft_is_read_as_far_as_it_lets_us() -> anyhow::Result<()> {
    let split = "preset = \"opendatasoft\"\npagination = { max_records = 1000000 }\n\
                 incremental = { field = \"at\", split = 10000 }";
    let agency = Agency::start(vec![
        Case::new("all", "preset = \"opendatasoft\"", opendatasoft(10_000)),
        Case::new("more", "preset = \"opendatasoft\"", opendatasoft(10_001)),
        Case::new("split", split, opendatasoft(10_150)),
    ])
    .await?;
    agency.first("all").await?;
    agency.same("all", 0..10_000)?;
    agency.fails("more", Reason::TooLarge, &["more than 10000 records"]).await?;
    agency.first("split").await?;
    agency.same("split", 0..10_150)?;
    // A page repeats the last row of the one before, so that it takes one more to the 10,000th.
    assert_eq!(
        agency.asked("split")[101].param("where"),
        Some(format!("at >= date'{}'", at(9_999)).as_str())
    );
    Ok(())
}

/// JSON:API: links that are text, objects, null or not there.
fn jsonapi(asked: &Asked) -> Reply {
    let from = asked.number("page[from]").unwrap_or(0);
    let page = some(from, 10, 25);
    let data: Vec<_> = rows(page.clone())
        .into_iter()
        .map(|row| json!({ "type": "visits", "id": row["id"], "attributes": { "n": row["n"], "at": row["at"] } }))
        .collect();
    let url = format!("/jsonapi?page%5Bfrom%5D={}", page.end);
    let links = match from {
        0 => json!({ "self": "/jsonapi", "prev": null, "next": url }),
        10 => json!({ "next": { "href": url, "meta": { "count": 5 } } }),
        _ => json!({ "prev": "/jsonapi", "next": null }),
    };
    if asked.header("accept") != Some("application/vnd.api+json") {
        return Reply::status(406);
    }
    let body =
        json!({ "data": data, "included": [{ "type": "people", "id": "1" }], "links": links });
    Reply::json(&body).header("content-type", "application/vnd.api+json")
}

#[tokio::test]
async fn json_api_ends_where_its_link_is_null() -> anyhow::Result<()> {
    let fields = "preset = \"jsonapi\"\nkey = [\"type\", \"id\"]\n\
                  fields = { type = \"text\", id = \"text\", n = { type = \"integer\", from = \"$.attributes.n\" }, at = { type = \"timestamp\", from = \"$.attributes.at\" } }";
    let agency = Agency::start(vec![
        Case::new("jsonapi", fields, jsonapi),
        Case::new("jsonapi-empty", fields, |_| Reply::json(&json!({ "data": [] }))),
        Case::new("jsonapi-error", fields, |_| {
            Reply::json(&json!({ "errors": [{ "status": "500", "title": "all is broken" }] }))
        }),
    ])
    .await?;
    agency.first("jsonapi").await?;
    agency.same("jsonapi", 0..25)?;
    let types = agency.rows("jsonapi", &["type"])?;
    assert!(types.iter().all(|row| row == &[Cell::Text("visits".to_owned())]));
    assert_eq!(agency.first("jsonapi-empty").await?.counts.received, 0);
    let run = agency.ended("jsonapi-error", 0).await?;
    failed("jsonapi-error", &run, Reason::RemoteFault, &["all is broken"]);
    Ok(())
}

#[tokio::test]
async fn sdmx_asks_for_what_was_updated_after_the_last_whole_answer() -> anyhow::Result<()> {
    let keys = "preset = \"sdmx\"\nkey = [\"FREQ\", \"REF_AREA\", \"INDICATOR\", \"TIME_PERIOD\"]\n\
                fields = { FREQ = \"text\", REF_AREA = \"text\", INDICATOR = \"text\", TIME_PERIOD = \"text\", OBS_VALUE = \"decimal\" }";
    let agency = Agency::start(vec![Case::new("sdmx", keys, |asked| match asked.before {
        0 => {
            Reply::text("application/vnd.sdmx.data+csv;version=1.0.0", &sample("sdmx-csv-1.0.csv"))
        }
        // Nothing has been updated since.
        1 => Reply::status(204),
        _ => Reply::text(
            "application/vnd.sdmx.data+json;version=2.0.0",
            &sample("sdmx-json-2.0-updated-after.json"),
        ),
    })])
    .await?;
    assert_eq!(agency.first("sdmx").await?.counts.inserted, 12);
    assert_eq!(agency.again("sdmx").await?.counts.received, 0);
    let last = agency.again("sdmx").await?.counts;
    assert_eq!((last.updated, last.deleted), (2, 1), "{last:?}");
    let asked = agency.asked("sdmx");
    assert_eq!(asked[0].query, "", "at first everything is asked for");
    let after = |at: usize| asked[at].param("updatedAfter").unwrap().parse::<Timestamp>();
    let [first, second] = [after(1)?, after(2)?];
    assert!(first <= second, "a time that moves on with each whole answer: {first} {second}");
    let accept = asked[0].header("accept").unwrap_or_default();
    assert!(accept.contains("application/vnd.sdmx.data+json;version=2.0.0"), "{accept}");
    Ok(())
}

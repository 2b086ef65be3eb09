//! Exports that are ordered first, awaited, fetched from wherever they are, and cleared away.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use marsad_shared::{health::Reason, run::Outcome};
use marsad_tests::partner::{Asked, Cell, Reply, Script};
use serde_json::{Value, json};

use super::{Agency, Case, failed, lines, rows};

fn data(rows: &Value) -> Reply {
    Reply::json(&json!({ "data": rows }))
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

/// The answers about an export are JSON, whatever its file is.
#[tokio::test]
async fn the_file_of_an_export_is_in_a_format_of_its_own() -> anyhow::Result<()> {
    let case = |feed: &'static str, format: &str, body: &'static str| {
        let keys = format!("format = \"{format}\"\n{}", ordered(feed, "$.job.url"));
        Case::new(feed, &keys, move |asked| match asked.method.as_str() {
            "POST" => Reply::json(&json!({ "job": { "id": 1 } })).with_status(202),
            "DELETE" => Reply::status(204),
            _ if asked.path.ends_with("/jobs/1") => Reply::json(
                &json!({ "job": { "state": "finished", "url": format!("/{feed}/file") } }),
            ),
            _ => Reply::text("application/octet-stream", body),
        })
    };
    let agency = Agency::start(vec![
        case("table", "csv", "id,n,at\r\n1,1,2026-11-24T12:00:01Z\r\n2,2,2026-11-24T12:00:02Z\r\n"),
        case("lines", "ndjson", "{\"id\":\"1\",\"n\":1}\n{\"id\":\"2\",\"n\":2}\n"),
    ])
    .await?;
    for feed in ["table", "lines"] {
        let run = agency.first(feed).await?;
        assert_eq!(run.counts.inserted, 2, "{feed}: {run:#?}");
        let two = |id: &str, n| vec![Cell::Text(id.to_owned()), Cell::Integer(n)];
        assert_eq!(agency.rows(feed, &["id", "n"])?, [two("1", 1), two("2", 2)], "{feed}");
    }
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

//! Promise 11: secrets come from files, credentials or the environment, and never reach a log, the database, an error,
//! `ps` or the screen.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    http::{Response, Uri},
};
use marsad_shared::{
    health::{Health, Reason},
    protocol::RunRow,
    run::Outcome,
};
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{
        Cell, Fault, Paging,
        api::Plan,
        data::{ENROLMENTS, NOTICES, REFERRALS, VISITS},
        line::Server,
    },
};
use serde_json::json;

use crate::waits;

const TOKEN: &str = "tok3n-Zm9yZ2V0LW1l";
const KEY: &str = "k3y-aW4tdGhlLXF1ZXJ5";
const PASSWORD: &str = "p4ss-bm90LWZvci1sb2dz";

/// The files below `folder` that hold one of the secrets.
fn holding(folder: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, found)?;
        } else if path.is_file() && shows(&fs::read(&path)?) {
            found.push(path.display().to_string());
        }
    }
    Ok(())
}

fn shows(bytes: &[u8]) -> bool {
    [TOKEN, KEY, PASSWORD]
        .iter()
        .any(|secret| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
}

#[tokio::test]
async fn promise_11_secrets_are_used_and_never_shown() -> anyhow::Result<()> {
    let bearer = Plan::new("health", &VISITS, Paging::Cursor).token(TOKEN).start().await?;
    let in_query = Plan::new("police", &REFERRALS, Paging::Link).start().await?;
    let basic = Plan::new("child-protection", &NOTICES, Paging::Offset).start().await?;
    let wrong = Plan::new("education", &ENROLMENTS, Paging::Page).token("another").start().await?;
    in_query.switch().plan([
        None,
        Some(Fault::Status(500)),
        Some(Fault::CutOff),
        Some(Fault::Html),
    ]);
    let home = Home::new()?;
    home.partner(&bearer.file("1s"))?;
    let mut file = in_query.file("1s");
    file.to_connection(
        "auth = { kind = \"api_key\", query = \"key\", key = { env = \"POLICE_KEY\" } }",
    );
    home.partner(&file)?;
    let mut file = basic.file("1s");
    file.to_connection(
        "auth = { kind = \"basic\", user = \"marsad\", password = { file = \"basic.secret\" } }",
    );
    home.partner(file.secret("basic.secret", PASSWORD))?;
    let mut file = wrong.file("1s");
    let text = file.text().replace("education.secret", "wrong.secret");
    home.partner(file.secret("wrong.secret", TOKEN))?;
    fs::write(home.path().join("partners.d/education.toml"), text)?;
    let daemon = Daemon::start(home.environment("POLICE_KEY", KEY)).await?;
    for api in [&bearer, &in_query, &basic] {
        waits::same(&daemon, api).await?;
    }
    daemon
        .until("the refused credentials said", async |client| {
            let row = client.connection("education/api").await?;
            Ok((row.health == Health::Down && row.cause == Some(Reason::Auth)).then_some(()))
        })
        .await?;

    let mut found = Vec::new();
    holding(&daemon.state_dir(), &mut found)?;
    assert_eq!(found, Vec::<String>::new(), "state_dir holds a secret");
    assert!(!shows(daemon.log().as_bytes()), "the log shows a secret:\n{}", daemon.log());
    assert!(!shows(&fs::read(format!("/proc/{}/cmdline", daemon.pid()?))?), "ps shows a secret");
    for arguments in [
        vec!["status"],
        vec!["connections"],
        vec!["connections", "show", "police/api"],
        vec!["runs", "--limit", "0"],
        vec!["quarantine"],
        vec!["audit"],
        vec!["check", "-v"],
        vec!["config", "check"],
    ] {
        for json in [&[][..], &["--json"]] {
            let said = daemon.cli(&[&arguments[..], json].concat()).await?;
            assert!(
                !shows(said.out.as_bytes()) && !shows(said.err.as_bytes()),
                "{arguments:?}: {}{}",
                said.out,
                said.err
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn promise_11_a_secret_that_others_may_read_is_refused_with_the_command_that_mends_it()
-> anyhow::Result<()> {
    let api = Plan::new("health", &VISITS, Paging::Cursor).token(TOKEN).start().await?;
    let home = Home::with(&[&api.file("1h")])?;
    let secret = home.path().join("partners.d/health.secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644))?;
    let error = format!("{:#}", Daemon::start(home).await.expect_err("refused"));
    assert!(error.contains("health.secret") && error.contains("chmod"), "{error}");
    assert!(!error.contains(TOKEN));
    Ok(())
}

/// What is said in place of a secret.
const MARK: &str = "secret-left-out";

/// A feed of a partner that repeats our key: where it does so, and the feed's lines. The key is asked for in the query.
const REPEATED: [(&str, &str); 11] = [
    ("value", "records = \"$.data[*]\""),
    ("name", "records = \"$.data[*]\""),
    ("refused", "records = \"$.data[*]\"\nfields = { id = \"integer\", v = \"integer\" }"),
    ("etag", "records = \"$.data[*]\""),
    (
        "field",
        "records = \"$.data[*]\"\nfields = { id = \"integer\", at = \"text\" }\nincremental = { field = \"at\", param = \"since\" }",
    ),
    (
        "token",
        "records = \"$.data[*]\"\nfields = { id = \"integer\" }\nincremental = { by = \"token\", token = \"$.token\", param = \"since\" }",
    ),
    (
        "next",
        "records = \"$.data[*]\"\nfields = { id = \"integer\" }\nmode = \"append\"\npagination = { kind = \"cursor\", next = \"$.next\", param = \"after\" }\nincremental = { field = \"id\", param = \"since\" }",
    ),
    ("large", "records = \"$.data[*]\""),
    ("csv", "format = \"csv\""),
    ("xml", "format = \"xml\"\nrecords = \"rows/row\""),
    ("lines", "format = \"ndjson\""),
];

/// What the partner answers; `uri`: what it was asked, as it came.
fn repeating(uri: &Uri) -> Response<Body> {
    let (id, uri) = (uri.path().trim_start_matches('/'), uri.to_string());
    let data = |rows: serde_json::Value| json!({ "data": rows }).to_string();
    let good = Response::builder();
    let response = match id {
        "value" => good.body(data(json!([
            { "id": 1, "self": uri, "links": { "self": { "href": uri } } },
            { "id": 2, "self": KEY, "links": null },
        ]))),
        "name" => good.body(data(json!([{ "id": 1, KEY: 5 }]))),
        "refused" => good.body(data(json!([{ "id": 1, "v": uri }, { "id": 2, "v": 3, KEY: KEY }]))),
        "etag" => good.header("etag", format!("\"{KEY}\"")).body(data(json!([{ "id": 1 }]))),
        "field" => good.body(data(json!([{ "id": 1, "at": KEY }]))),
        "token" => {
            good.body(json!({ "data": [{ "id": 1 }], "token": format!("x{KEY}") }).to_string())
        }
        // It leads on, and the walk is broken off there.
        "next" if uri.contains("after") => good.status(500).body(String::new()),
        "next" => {
            good.body(json!({ "data": [{ "id": 1 }], "next": format!("x{KEY}") }).to_string())
        }
        "large" => {
            let rows: Vec<_> =
                (0..20_000).map(|id| json!({ "id": id, "self": format!("http://p{uri}&row={id}&fill=0123456789") })).collect();
            good.body(data(rows.into()))
        }
        "csv" => good.body(format!("id,{KEY},self\r\n1,2,{uri}\r\n")),
        "xml" => {
            good.body(format!("<rows><row self=\"{uri}\"><id>1</id><{KEY}>2</{KEY}></row></rows>"))
        }
        "lines" => good.body(format!("{}\n", json!({ "id": 1, "self": uri }))),
        // Its key is a word that honest data has, too.
        _ => good
            .header("etag", "\"test\"")
            .body(data(json!([{ "id": 1, "v": "a test", "test": uri }]))),
    };
    let (head, body) = response.expect("the parts are right").into_parts();
    Response::from_parts(head, body.into())
}

#[tokio::test]
async fn promise_11_what_a_partner_repeats_of_our_key_is_not_in_what_is_kept_of_its_data()
-> anyhow::Result<()> {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let heard = Arc::clone(&asked);
    let router = Router::new().fallback(move |uri: Uri| {
        heard.lock().expect("nobody panics with it").push(uri.to_string());
        let response = repeating(&uri);
        async { response }
    });
    let server = Server::start(router, 0).await?;
    let home = Home::new()?;
    let mut text = "[partner]\nid = \"p\"\n".to_owned();
    for (name, secret) in [("long", KEY), ("short", "test")] {
        let file = home.path().join(format!("partners.d/{name}.secret"));
        fs::write(&file, secret)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    }
    let short = ("short", "records = \"$.data[*]\"");
    for (id, lines) in REPEATED.into_iter().chain([short]) {
        let secret = if id == "short" { id } else { "long" };
        write!(
            text,
            "\n[[connection]]\nid = \"to-{id}\"\nbase_url = \"http://{}\"\n\
             auth = {{ kind = \"api_key\", query = \"apikey\", key = {{ file = \"{secret}.secret\" }} }}\n\
             \n[[feed]]\nid = \"{id}\"\nconnection = \"to-{id}\"\npath = \"/{id}\"\nkey = [\"id\"]\n\
             schedule = {{ every = \"1h\" }}\n{lines}\n",
            server.address()
        )?;
    }
    fs::write(home.path().join("partners.d/p.toml"), text)?;
    let daemon = Daemon::start(home).await?;
    let mut said = Vec::new();
    for (id, _) in REPEATED.into_iter().chain([short]) {
        let feed = format!("p/{id}");
        let over = |run: &RunRow| run.outcome != Outcome::Running;
        let run = waits::run(&daemon, &feed, 0, "ended", over).await?;
        let is_right = match id {
            "refused" => run.counts.quarantined == 1,
            "next" => run.outcome == Outcome::Failed,
            _ => run.outcome.is_good() && run.counts.quarantined == 0,
        };
        assert!(is_right, "{id}: {run:#?}");
        let id = run.id.to_string();
        for arguments in [
            &["runs", "show", &id][..],
            &["records", &feed],
            &["schema", "show", &feed],
            &["cursor", "show", &feed],
        ] {
            said.push(arguments.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        }
    }
    for arguments in [&["quarantine"][..], &["quarantine", "show", "q1"], &["feeds"], &["runs"]] {
        said.push(arguments.iter().map(|&word| word.to_owned()).collect());
    }
    for arguments in said {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        for json in [&[][..], &["--json"]] {
            let said = daemon.cli(&[&arguments[..], json].concat()).await?;
            let all = said.out + &said.err;
            assert!(!shows(all.as_bytes()), "{arguments:?}: {all}");
        }
    }
    let mut found = Vec::new();
    holding(&daemon.state_dir(), &mut found)?;
    assert_eq!(found, Vec::<String>::new(), "state_dir holds a secret");
    assert!(!shows(daemon.log().as_bytes()), "the log shows a secret:\n{}", daemon.log());

    let rows = |feed: &str, columns: &[&str]| bank::rows(&daemon.state_dir(), feed, columns);
    let own = |path: &str| Cell::Text(format!("/{path}?apikey={MARK}"));
    let one = Cell::Integer(1);
    assert_eq!(
        rows("p/value", &["id", "self"])?,
        [vec![one.clone(), own("value")], vec![Cell::Integer(2), Cell::Text(MARK.to_owned())]]
    );
    assert_eq!(rows("p/large", &["id", "self"])?.len(), 20_000);
    assert_eq!(rows("p/lines", &["self"])?, [[own("lines")]]);
    let shown = daemon.cli(&["quarantine", "show", "q1"]).await?.out;
    assert!(shown.contains(MARK), "{shown}");
    // A key that is too short to be told from data leaves it as it is.
    let short = Cell::Text("/short?apikey=test".to_owned());
    assert_eq!(rows("p/short", &["v", "test"])?, [[Cell::Text("a test".to_owned()), short]]);
    let etags = |feed: &str| {
        let sql = format!(
            "SELECT count(*) FROM marsad_feed WHERE feed = '{feed}' AND validators LIKE '%etag\":\"%'"
        );
        bank::number(&daemon.state_dir(), "cache.db", &sql)
    };
    assert_eq!((etags("p/etag")?, etags("p/short")?), (0, 1), "which marks of a version are kept");
    let asked = asked.lock().expect("nobody panics with it").clone();
    let onward = format!("after=x{KEY}");
    assert!(asked.iter().any(|uri| uri.contains(&onward)), "the walk goes on: {asked:#?}");
    Ok(())
}

//! Partners that repeat our own secrets, in every place of an answer from which words or links are taken: nothing of
//! them is shown, logged or kept.

use std::{
    collections::HashSet,
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
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::line::Server,
};
use serde_json::json;

use crate::waits;

const SECRET: &str = "s3cret-Zm9yZ2V0LW1lLW5vdy1hbmQtZm9yLWV2ZXI";
/// `marsad:SECRET`, as `Authorization: Basic` has it.
const BASIC: &str = "bWFyc2FkOnMzY3JldC1abTl5WjJWMExXMWxMVzV2ZHkxaGJtUXRabTl5TFdWMlpYSQ==";
/// So many characters of a secret tell too much of it.
const PIECE: usize = 12;

const BEARER: &str = "kind = \"bearer\", token = { file = \"s\" }";
const IN_QUERY: &str = "kind = \"api_key\", query = \"api_key\", key = { file = \"s\" }";
const NO_ERROR: &str = "records = \"$.data[*]\"\nsuccess = { error = \"$.error\" }";

/// A partner, how we prove ourselves to it, what its feed is besides, and words that its reason has all the same.
const TABLE: [(&str, &str, &str, &str); 12] = [
    ("error", BEARER, NO_ERROR, "repeats a secret of ours"),
    (
        "path",
        BEARER,
        "records = \"$.data[*]\"\nsuccess = { path = \"$.ok\", equals = [true] }",
        "repeats a secret of ours",
    ),
    (
        "basic",
        "kind = \"basic\", user = \"marsad\", password = { file = \"s\" }",
        NO_ERROR,
        "repeats a secret of ours",
    ),
    ("piece", BEARER, NO_ERROR, "repeats a secret of ours"),
    (
        "state",
        BEARER,
        "records = \"$.data[*]\"\nexport = { status = \"/jobs/{id}\", id = \"$.id\", state = \"$.state\", done = [\"ok\"], download = \"$.url\", every = \"20ms\", within = \"50ms\" }",
        "repeats a secret of ours",
    ),
    // Its other words stay.
    ("fault", BEARER, "format = \"xml\"\nrecords = \"rows/row\"", "no secret-left-out"),
    ("gateway", BEARER, "", "error at the gateway, a code that repeats a secret of ours"),
    (
        "origin",
        BEARER,
        "records = \"$.data[*]\"\npagination = { kind = \"next_url\", next = \"$.next\" }",
        "a secret of ours",
    ),
    ("link", IN_QUERY, "pagination = { kind = \"link\" }", "500"),
    (
        "next",
        IN_QUERY,
        "records = \"$.data[*]\"\npagination = { kind = \"next_url\", next = \"$.links.next\" }",
        "500",
    ),
    ("header", IN_QUERY, "pagination = { kind = \"next_url\", next_header = \"x-next\" }", "500"),
    (
        "delta",
        IN_QUERY,
        "records = \"$.data[*]\"\nincremental = { by = \"delta\", delta = \"$.delta\" }",
        "500",
    ),
];

/// What the partner `id` answers; `again` is the URL that was asked, as it came, with a page of its own.
fn answer(id: &str, uri: &Uri, again: &str) -> Response<Body> {
    let failed = |words: &str| json!({ "error": words, "ok": words, "data": [] }).to_string();
    let data = |key: &str, value: serde_json::Value| json!({ "data": [{ "id": 1 }], key: value });
    let later = uri.query().is_some_and(|query| query.contains("page=2"));
    let good = Response::builder();
    let response = match id {
        "error" | "path" => good.body(failed(&format!("no: Authorization: Bearer {SECRET}"))),
        "basic" => good.body(failed(&format!("no: {BASIC}"))),
        "piece" => good.body(failed(&SECRET.chars().take(14).collect::<String>().to_uppercase())),
        "state" => good.body(json!({ "id": 1, "state": SECRET }).to_string()),
        "fault" => good.header("content-type", "text/xml").body(format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><e:Fault>\
             <faultcode>e:Client.{SECRET}</faultcode><faultstring>no {SECRET}</faultstring></e:Fault></e:Body></e:Envelope>"
        )),
        "gateway" => good
            .status(500)
            .header("x-road-error", format!("Server.{SECRET}"))
            .body(String::new()),
        "origin" => good.body(data("next", format!("http://{SECRET}.example/2").into()).to_string()),
        _ if later => good.status(500).body(String::new()),
        "link" => {
            good.header("link", format!("<{again}>; rel=\"next\"")).body("[{\"id\":1}]".to_owned())
        }
        "header" => good.header("x-next", again).body("[{\"id\":1}]".to_owned()),
        "next" => good.body(data("links", json!({ "next": { "href": again } })).to_string()),
        _ => good.body(data("delta", again.into()).to_string()),
    };
    let (head, body) = response.expect("the parts are right").into_parts();
    Response::from_parts(head, body.into())
}

/// A partner's file with one connection, and a feed over it.
fn partner(home: &Home, id: &str, base: &str, auth: &str, feed: &str) -> anyhow::Result<()> {
    let text = format!(
        "[partner]\nid = \"{id}\"\n\n[[connection]]\nid = \"api\"\nbase_url = \"{base}\"\nauth = {{ {auth} }}\n\n\
         [[feed]]\nid = \"rows\"\nconnection = \"api\"\npath = \"/rows\"\nkey = [\"id\"]\n\
         fields = {{ id = \"integer\" }}\nschedule = {{ every = \"1s\" }}\n{feed}\n"
    );
    fs::write(home.path().join(format!("partners.d/{id}.toml")), text)?;
    Ok(())
}

/// The pieces of our secrets that stand in `text`, in whatever case.
fn shows(text: &[u8]) -> Vec<String> {
    let lower = |bytes: &[u8]| bytes.to_ascii_lowercase();
    let (secrets, text) = ([SECRET, BASIC].map(|secret| lower(secret.as_bytes())), lower(text));
    let pieces: HashSet<&[u8]> = secrets.iter().flat_map(|secret| secret.windows(PIECE)).collect();
    // Most of a text is told apart by its first two bytes.
    let mut begins = vec![false; 1 << 16];
    let begin = |piece: &[u8]| usize::from(piece[0]) << 8 | usize::from(piece[1]);
    for piece in &pieces {
        begins[begin(piece)] = true;
    }
    let found = text.windows(PIECE).filter(|piece| begins[begin(piece)] && pieces.contains(piece));
    found.map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
}

/// The files below `folder` that show something.
fn holding(folder: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, found)?;
        } else if path.is_file() {
            let pieces = shows(&fs::read(&path)?);
            found.extend(pieces.first().map(|piece| format!("{}: {piece}", path.display())));
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_partner_repeats_of_our_secrets_is_shown_and_kept_nowhere() -> anyhow::Result<()> {
    let asked = Arc::<Mutex<Vec<Uri>>>::default();
    let heard = Arc::clone(&asked);
    let router = Router::new().fallback(move |uri: Uri| {
        heard.lock().expect("nobody panics with it").push(uri.clone());
        let id = uri.path().split('/').nth(1).unwrap_or_default();
        let response = answer(id, &uri, &format!("{uri}&page=2"));
        async { response }
    });
    let server = Server::start(router, 0).await?;
    let home = Home::new()?;
    let file = home.path().join("partners.d/s");
    fs::write(&file, SECRET)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    for (id, auth, feed, _) in TABLE {
        let base = format!("http://{}/{id}", server.address());
        partner(&home, id, &base, auth, feed)?;
    }
    let daemon = Daemon::start(home).await?;
    for (id, _, _, words) in TABLE {
        let (_, reason) = waits::failed_run(&daemon, &format!("{id}/rows"), 0).await?;
        assert!(reason.contains(words), "{id}: {reason}");
        assert_eq!(shows(reason.as_bytes()), Vec::<String>::new(), "{id}: {reason}");
    }
    let mut found = Vec::new();
    holding(&daemon.state_dir(), &mut found)?;
    assert_eq!(found, Vec::<String>::new(), "state_dir holds a secret");
    assert_eq!(shows(daemon.log().as_bytes()), Vec::<String>::new(), "the log:\n{}", daemon.log());
    for arguments in [
        &["connections"][..],
        &["feeds", "--json"],
        &["runs", "--limit", "0"],
        &["cursor", "show", "delta/rows"],
    ] {
        let said = daemon.cli(arguments).await?;
        let shown = [shows(said.out.as_bytes()), shows(said.err.as_bytes())].concat();
        assert_eq!(shown, Vec::<String>::new(), "{arguments:?}: {}{}", said.out, said.err);
    }
    let asked = asked.lock().expect("nobody panics with it").clone();
    for id in ["link", "next", "header", "delta"] {
        let own: Vec<_> =
            asked.iter().filter(|uri| uri.path().starts_with(&format!("/{id}/"))).collect();
        let later = own.iter().filter(|uri| uri.to_string().contains("page=2")).count();
        assert!(later > 0, "{id} is gone on with: {own:?}");
        for uri in own {
            assert_eq!(uri.to_string().matches(SECRET).count(), 1, "{uri}: the key, once");
        }
    }
    Ok(())
}

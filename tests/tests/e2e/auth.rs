//! Every way of proving who we are, through the real daemon; and what it keeps of that, which is next to nothing.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Response, Uri},
};
use marsad_shared::health::Reason;
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::line::Server,
};
use serde_json::{Value, json};

use crate::waits;

const SECRET: &str = "s3cret-Zm9yZ2V0LW1lLW5vdy1hbmQtZm9yLWV2ZXI";
const TOKEN: &str = "tok3n-Z2l2ZW4tYnktdGhlLXBhcnRuZXI";

/// A partner's file with one connection to `base`, and a feed over it.
fn partner(home: &Home, id: &str, base: &str, connection: &str, feed: &str) -> anyhow::Result<()> {
    let text = format!(
        "[partner]\nid = \"{id}\"\n\n[[connection]]\nid = \"api\"\nbase_url = \"{base}\"\n{connection}\n\n\
         [[feed]]\nid = \"rows\"\nconnection = \"api\"\npath = \"/rows\"\nkey = [\"id\"]\n\
         fields = {{ id = \"integer\" }}\nschedule = {{ every = \"1s\" }}\n{feed}\n"
    );
    fs::write(home.path().join(format!("partners.d/{id}.toml")), text)?;
    Ok(())
}

fn secret(home: &Home, name: &str, text: &str) -> anyhow::Result<()> {
    let path = home.path().join("partners.d").join(name);
    fs::write(&path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}

fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> Response<Body> {
    let response =
        headers.iter().fold(Response::builder().status(status), |response, (name, value)| {
            response.header(*name, *value)
        });
    response.body(body.to_string().into()).expect("the parts are right")
}

/// Lets in who shows what the first part of the path asks for.
fn lets_in(headers: &HeaderMap, uri: &Uri, body: &Bytes) -> Response<Body> {
    let shown = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let said = String::from_utf8_lossy(body);
    let good = match uri.path() {
        "/body/rows" => said == json!({ "want": "rows", "key": SECRET }).to_string(),
        "/cookie/rows" => shown("cookie") == format!("KEY={SECRET}"),
        "/digest/rows" if shown("authorization").is_empty() => {
            let challenge = "Digest realm=\"rows\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256";
            return answer(401, &[("www-authenticate", challenge)], &json!({}));
        }
        "/digest/rows" => {
            shown("authorization").starts_with("Digest username=\"marsad\"")
                && shown("authorization").contains("uri=\"/digest/rows\"")
        }
        // Each answer to a challenge is good once, and another request was before us twice.
        "/stale/rows" if !shown("authorization").contains("nonce=\"n3\"") => {
            let answers = |n: &i32| shown("authorization").contains(&format!("nonce=\"n{n}\""));
            let (next, stale) =
                (1..4).find(answers).map_or((1, ""), |last| (last + 1, ", stale=true"));
            let challenge =
                format!("Digest realm=\"rows\", nonce=\"n{next}\", qop=\"auth\"{stale}");
            return answer(401, &[("www-authenticate", &challenge)], &json!({}));
        }
        "/stale/rows" => true,
        "/jwt/rows" => shown("authorization")
            .strip_prefix("Bearer ")
            .is_some_and(|token| token.split('.').count() == 3 && token.starts_with("eyJ")),
        "/oauth2/token" => {
            let good = shown("authorization").starts_with("Basic ")
                && said.contains("grant_type=client_credentials")
                && said.contains("audience=rows");
            let until = "2099-01-01T00:00:00";
            let given = json!({ "result": { "token": TOKEN, "until": until } });
            return answer(if good { 200 } else { 400 }, &[], &given);
        }
        "/oauth2/rows" => shown("authorization") == format!("Bearer {TOKEN}"),
        "/login/session" => {
            let good = said == json!({ "user": "marsad", "password": SECRET }).to_string();
            let cookie = format!("SID={TOKEN}; HttpOnly");
            return answer(if good { 200 } else { 403 }, &[("set-cookie", &cookie)], &json!({}));
        }
        "/login/rows" => shown("cookie") == format!("SID={TOKEN}"),
        _ => false,
    };
    answer(if good { 200 } else { 401 }, &[], &json!([{ "id": 1 }, { "id": 2 }]))
}

/// The files below `folder` that hold one of the secrets.
fn holding(folder: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, found)?;
        } else if path.is_file() && shows(&String::from_utf8_lossy(&fs::read(&path)?)) {
            found.push(path.display().to_string());
        }
    }
    Ok(())
}

fn shows(text: &str) -> bool {
    text.contains(SECRET) || text.contains(TOKEN)
}

#[tokio::test]
async fn every_way_of_proving_who_we_are_is_let_in_and_shown_to_nobody() -> anyhow::Result<()> {
    let router = Router::new().fallback(|headers: HeaderMap, uri: Uri, body: Bytes| async move {
        lets_in(&headers, &uri, &body)
    });
    let server = Server::start(router, 0).await?;
    // Nobody listens there: whatever went that way would fail.
    let home = Home::new()?.environment("HTTP_PROXY", "http://127.0.0.1:1");
    secret(&home, "s", SECRET)?;
    for (id, auth, feed) in [
        (
            "body",
            "kind = \"api_key\", body = \"key\", key = { file = \"s\" }",
            "method = \"POST\"\njson = { want = \"rows\" }",
        ),
        ("cookie", "kind = \"api_key\", cookie = \"KEY\", key = { file = \"s\" }", ""),
        ("digest", "kind = \"digest\", user = \"marsad\", password = { file = \"s\" }", ""),
        ("stale", "kind = \"digest\", user = \"marsad\", password = { file = \"s\" }", ""),
        (
            "jwt",
            "kind = \"jwt\", algorithm = \"HS256\", key = { file = \"s\" }, issuer = \"marsad\", claims = { office = 12 }",
            "",
        ),
        (
            "oauth2",
            "kind = \"oauth2\", token_url = \"/oauth2/token\", client_id = \"marsad\", client_secret = { file = \"s\" }, client_auth = \"basic\", form = { audience = \"rows\" }, token = \"$.result.token\", expires = \"$.result.until\", expires_format = \"iso\"",
            "",
        ),
        (
            "login",
            "kind = \"login\", path = \"/session\", json = { user = \"marsad\", password = { file = \"s\" } }, cookie = \"SID\", send = { cookie = \"SID\" }",
            "",
        ),
    ] {
        let base = format!("http://{}/{id}", server.address());
        partner(&home, id, &base, &format!("auth = {{ {auth} }}"), feed)?;
    }
    let daemon = Daemon::start(home).await?;
    for id in ["body", "cookie", "digest", "stale", "jwt", "oauth2", "login"] {
        waits::good_run(&daemon, &format!("{id}/rows"), 0).await?;
    }
    let mut found = Vec::new();
    holding(&daemon.state_dir(), &mut found)?;
    assert_eq!(found, Vec::<String>::new(), "state_dir holds a secret");
    assert!(!shows(&daemon.log()), "the log shows a secret:\n{}", daemon.log());
    for arguments in [&["connections"][..], &["runs", "--limit", "0"], &["config", "check"]] {
        let said = daemon.cli(arguments).await?;
        assert!(!shows(&said.out) && !shows(&said.err), "{arguments:?}");
    }
    Ok(())
}

/// Some partners say with a good status, and in words of their own, that a session is over: it is begun anew for the same
/// page. Where that helps nothing, it is not done again at once.
#[tokio::test]
async fn a_session_that_ends_in_words_is_begun_anew() -> anyhow::Result<()> {
    for closed in [false, true] {
        // How many have logged in, and what the last of them has asked for since.
        let state = Arc::new(Mutex::new((0, 0)));
        let logins = Arc::clone(&state);
        let router = Router::new().fallback(move |headers: HeaderMap, uri: Uri| {
            let mut state = state.lock().expect("nobody panics with it");
            let response = if uri.path() == "/login" {
                *state = (state.0 + 1, 0);
                answer(200, &[], &json!({ "id": format!("s{}", state.0) }))
            } else {
                state.1 += 1;
                let id = format!("s{}", state.0);
                let known = headers.get("x-session").is_some_and(|shown| shown == id.as_str());
                if known && state.1 <= 2 && !closed {
                    answer(200, &[], &json!({ "rows": [{ "id": state.0 }] }))
                } else {
                    answer(200, &[], &json!({ "error": "please log in" }))
                }
            };
            async { response }
        });
        let server = Server::start(router, 0).await?;
        let home = Home::new()?;
        let auth = "auth = { kind = \"login\", path = \"/login\", json = {}, token = \"$.id\", send = { header = \"X-Session\" } }";
        let feed = "records = \"$.rows[*]\"\nsuccess = { error = \"$.error\" }";
        partner(&home, "courts", &format!("http://{}", server.address()), auth, feed)?;
        let daemon = Daemon::start(home).await?;
        let begun = || logins.lock().expect("nobody panics with it").0;
        if closed {
            let (_, reason) = waits::failed_run(&daemon, "courts/rows", 0).await?;
            assert!(reason.contains("please log in"), "{reason}");
            assert_eq!(begun(), 2, "one more was tried, and no other for each try");
            continue;
        }
        let mut before = 0;
        for _ in 0..4 {
            waits::good_run(&daemon, "courts/rows", before).await?;
            before = waits::last(&daemon, "courts/rows").await?;
        }
        assert!(begun() > 1, "a session is good for two requests");
        let runs = daemon.cli(&["runs", "--state", "failed"]).await?;
        assert!(!runs.out.contains("please log in"), "{}", runs.out);
    }
    Ok(())
}

#[tokio::test]
async fn a_refresh_token_that_rotates_survives_kill_9_and_is_kept_in_one_place()
-> anyhow::Result<()> {
    /// The only refresh token that is good, and how many were given.
    #[derive(Default)]
    struct Given {
        last: String,
        number: usize,
    }
    let given = Arc::new(Mutex::new(Given { last: "first-one".to_owned(), number: 0 }));
    let state = Arc::clone(&given);
    let router = Router::new().fallback(move |uri: Uri, body: Bytes| {
        let mut given = state.lock().expect("nobody panics with it");
        let said = String::from_utf8_lossy(&body);
        let response = if uri.path() != "/token" {
            answer(200, &[], &json!([{ "id": given.number }]))
        } else if said.contains(&format!("refresh_token={}", given.last)) {
            given.number += 1;
            given.last = format!("{TOKEN}-{}", given.number);
            // So short that the next poll asks again.
            let body = json!({ "access_token": "a", "expires_in": 1, "refresh_token": given.last });
            answer(200, &[], &body)
        } else {
            answer(400, &[], &json!({ "error": "invalid_grant" }))
        };
        async { response }
    });
    let server = Server::start(router, 0).await?;
    let home = Home::new()?;
    secret(&home, "client", SECRET)?;
    secret(&home, "first", "first-one")?;
    let auth = "auth = { kind = \"oauth2\", token_url = \"/token\", client_id = \"m\", client_secret = { file = \"client\" }, grant = \"refresh_token\", refresh_token = { file = \"first\" } }";
    partner(&home, "courts", &format!("http://{}", server.address()), auth, "")?;
    let mut daemon = Daemon::start(home).await?;
    for _ in 0..3 {
        let before = waits::last(&daemon, "courts/rows").await?;
        waits::good_run(&daemon, "courts/rows", before).await?;
        daemon.kill9().await?;
        let files: Vec<_> = fs::read_dir(daemon.state_dir().join("secrets"))?.collect();
        let [Ok(file)] = files.as_slice() else { anyhow::bail!("{files:?}") };
        let file = file.path();
        let kept: Value = serde_json::from_slice(&fs::read(&file)?)?;
        let last = given.lock().expect("nobody panics with it").last.clone();
        assert_eq!(kept["refresh_token"], last, "what the partner knows is what we know");
        assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
        let mut found = Vec::new();
        holding(&daemon.state_dir(), &mut found)?;
        assert_eq!(found, [file.display().to_string()], "one place, and no other");
        daemon.go().await?;
    }
    assert!(!shows(&daemon.log()), "the log shows a secret:\n{}", daemon.log());
    // A partner that takes back what it gave is told apart by its own word.
    "gone".clone_into(&mut given.lock().expect("nobody panics with it").last);
    let before = waits::last(&daemon, "courts/rows").await?;
    let (run, reason) = waits::failed_run(&daemon, "courts/rows", before).await?;
    assert!(run.cause == Some(Reason::Auth) && reason.contains("invalid_grant"), "{reason}");
    Ok(())
}

//! Through real sockets: what the partner is shown, how often, and that nobody else sees it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use marsad_shared::{
    clock::{Clock as _, SystemClock},
    connection::{
        Assertion, Auth, ClientProof, ExpiresFormat, FormField, Grant, KeyPlace, Login, LoginBody,
        LoginMethod, OAuth2, SentIn, TokenLife, TokenPlace,
    },
    health::Reason,
    request::Body,
};
use reqwest::Method;
use serde_json::json;
use serde_json_path::JsonPath;
use tokio::task::JoinSet;

use crate::source::{
    auth::Vault,
    bench::{Asked, Server, call, http, says, source, source_of},
    call::Call,
    fault::FetchError,
};

mod fares;
mod sessions;
mod tokens;

const SECRET: &str = "s3cret-hunter2";

fn life() -> TokenLife {
    TokenLife {
        expires: JsonPath::parse("$.expires_in").unwrap(),
        format: ExpiresFormat::Seconds,
        lifetime: Duration::from_mins(5),
    }
}

fn oauth(server: &Server, grant: Grant) -> OAuth2 {
    OAuth2 {
        token_url: server.url("/token"),
        client_id: "marsad".to_owned(),
        proof: ClientProof::Body(SECRET.into()),
        grant,
        scope: Some("read".to_owned()),
        form: vec![FormField { name: "audience".to_owned(), text: "courts".into(), open: true }],
        token: JsonPath::parse("$.access_token").unwrap(),
        life: life(),
    }
}

fn key(place: KeyPlace, name: &str) -> Auth {
    Auth::ApiKey { place, name: name.to_owned(), key: SECRET.into() }
}

/// Tokens are counted: `t1`, `t2` …; what is asked with any other than the last is refused.
async fn partner_with_tokens(expires: serde_json::Value) -> Server {
    let given = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    Server::start(move |asked, _| {
        use std::sync::atomic::Ordering::SeqCst;
        if asked.uri.path() == "/token" {
            let number = given.fetch_add(1, SeqCst) + 1;
            let body = json!({ "access_token": format!("t{number}"), "expires_in": expires });
            return says(200, &[], &body.to_string());
        }
        let last = format!("Bearer t{}", given.load(SeqCst));
        let good = asked.header("authorization") == Some(&last) && asked.uri.path() != "/refused";
        says(if good { 200 } else { 401 }, &[], "[]")
    })
    .await
}

fn paths(server: &Server) -> Vec<String> {
    server.asked().iter().map(|asked| asked.uri.path().to_owned()).collect()
}

#[tokio::test]
async fn a_secret_travels_where_it_was_agreed() {
    let secrets = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| says(200, &[], "[]")).await;
    let form =
        || Body::Form(vec![("a".to_owned(), "1".to_owned()), ("key".to_owned(), "x".to_owned())]);
    for (auth, body, shown) in [
        (
            key(KeyPlace::Header, "X-Key"),
            Body::None,
            Box::new(|asked: &Asked| asked.header("x-key") == Some(SECRET))
                as Box<dyn Fn(&Asked) -> bool>,
        ),
        (
            key(KeyPlace::Query, "k"),
            Body::None,
            Box::new(|asked| asked.uri.query() == Some("q=1&k=s3cret-hunter2")),
        ),
        (
            // What stood there before is not sent beside it.
            key(KeyPlace::Query, "q"),
            Body::None,
            Box::new(|asked| asked.uri.query() == Some("q=s3cret-hunter2")),
        ),
        (
            key(KeyPlace::Cookie, "KEY"),
            Body::None,
            Box::new(|asked| asked.header("cookie") == Some("KEY=s3cret-hunter2")),
        ),
        (
            key(KeyPlace::Body, "key"),
            Body::Json(json!({ "a": 1 })),
            Box::new(|asked| asked.body == r#"{"a":1,"key":"s3cret-hunter2"}"#),
        ),
        (
            key(KeyPlace::Body, "key"),
            form(),
            Box::new(|asked| asked.body == "a=1&key=s3cret-hunter2"),
        ),
        (
            Auth::Basic { user: "me".to_owned(), password: SECRET.into() },
            Body::None,
            Box::new(|asked| {
                asked.header("authorization") == Some("Basic bWU6czNjcmV0LWh1bnRlcjI=")
            }),
        ),
        (
            Auth::Bearer { token: SECRET.into() },
            Body::None,
            Box::new(|asked| asked.header("authorization") == Some("Bearer s3cret-hunter2")),
        ),
    ] {
        let about = format!("{auth:?}");
        assert!(!about.contains("hunter2"), "{about}");
        let source = source(http(server.url("/"), auth), secrets.path());
        assert!(!format!("{source:?}").contains("hunter2"));
        let method = if body == Body::None { Method::GET } else { Method::POST };
        let call = Call { method, body, ..call(&server, "/x?q=1") };
        source.get(&call, None).await.unwrap();
        let asked = server.asked();
        assert!(shown(asked.last().unwrap()), "{about}: {:?}", asked.last());
    }
    // A body without fields has no room.
    for body in [Body::None, Body::Json(json!([1]))] {
        let source = source(http(server.url("/"), key(KeyPlace::Body, "key")), secrets.path());
        let before = server.asked().len();
        let call = Call { method: Method::POST, body, ..call(&server, "/x") };
        let error = source.get(&call, None).await.unwrap_err();
        assert!(error.to_string().contains("json") && server.asked().len() == before, "{error}");
    }
}

#[tokio::test]
async fn no_error_shows_what_we_showed() {
    let secrets = tempfile::tempdir().unwrap();
    // It repeats all that it was sent, in its words and in its code.
    let server = Server::start(|asked, _| {
        let said = format!("{:?}{:?}", asked.headers, asked.body);
        let body = json!({ "error": asked.field("client_secret"), "error_description": said });
        says(if asked.uri.path() == "/token" { 400 } else { 403 }, &[], &body.to_string())
    })
    .await;
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap()).parse::<url::Url>().unwrap()
    };
    let login = Login {
        url: server.url("/token"),
        method: LoginMethod::Post,
        body: LoginBody::Form(vec![FormField {
            name: "client_secret".to_owned(),
            text: SECRET.into(),
            open: false,
        }]),
        token: TokenPlace::Cookie("S".to_owned()),
        life: life(),
        send: SentIn::Query { name: "sid".to_owned() },
    };
    for auth in [
        key(KeyPlace::Query, "k"),
        key(KeyPlace::Cookie, "k"),
        Auth::Basic { user: "me".to_owned(), password: SECRET.into() },
        Auth::Digest { user: "me".to_owned(), password: SECRET.into() },
        Auth::OAuth2(Box::new(oauth(&server, Grant::ClientCredentials))),
        Auth::OAuth2(Box::new(oauth(&server, Grant::RefreshToken(SECRET.into())))),
        Auth::Login(Box::new(login)),
    ] {
        for base in [server.url("/"), gone.clone()] {
            let source = source(http(base.clone(), auth.clone()), secrets.path());
            let url = base.join("x").unwrap();
            let error = source.get(&Call::get(url), None).await.unwrap_err();
            let text = format!("{error} {error:?} {source:?}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_log_in_gives_a_token_wherever_its_answer_has_it() {
    let secrets = tempfile::tempdir().unwrap();
    for (token, send, shown) in [
        (
            TokenPlace::Path(JsonPath::parse("$.session.id").unwrap()),
            SentIn::Header { name: "X-Session".to_owned(), prefix: "Token ".to_owned() },
            Box::new(|asked: &Asked| asked.header("x-session") == Some("Token abc"))
                as Box<dyn Fn(&Asked) -> bool>,
        ),
        (
            TokenPlace::Header("X-Token".to_owned()),
            SentIn::Query { name: "sid".to_owned() },
            Box::new(|asked| asked.uri.query() == Some("sid=def")),
        ),
        (
            TokenPlace::Cookie("SID".to_owned()),
            SentIn::Cookie { name: "SID".to_owned() },
            Box::new(|asked| asked.header("cookie") == Some("SID=ghi")),
        ),
    ] {
        let server = Server::start(|asked, before| {
            if asked.uri.path() == "/login" {
                let headers = [
                    ("X-Token", "def"),
                    ("Set-Cookie", "OTHER=1; Path=/"),
                    ("Set-Cookie", "SID=ghi; Path=/; HttpOnly"),
                ];
                return says(200, &headers, r#"{ "session": { "id": "abc" } }"#);
            }
            // The session ends once in between.
            says(if before == 2 { 401 } else { 200 }, &[], "[]")
        })
        .await;
        let login = Login {
            url: server.url("/login"),
            method: LoginMethod::Post,
            body: LoginBody::Json {
                value: json!({ "user": "m", "deep": [{ "pin": null }] }),
                secrets: vec![("/deep/0/pin".to_owned(), SECRET.into())],
            },
            token,
            life: life(),
            send,
        };
        let source = source(http(server.url("/"), Auth::Login(Box::new(login))), secrets.path());
        source.get(&call(&server, "/1"), None).await.unwrap();
        source.get(&call(&server, "/2"), None).await.unwrap();
        assert_eq!(paths(&server), ["/login", "/1", "/2", "/login", "/2"]);
        let asked = server.asked();
        assert_eq!(asked[0].body, r#"{"user":"m","deep":[{"pin":"s3cret-hunter2"}]}"#);
        assert!(shown(&asked[4]), "{:?}", asked[4]);
    }
}

/// A partner whose clock is `ahead` of ours, and which takes nothing that was signed long ago or is not yet.
async fn partner_ahead(ahead: i64) -> Server {
    let clock = SystemClock.now() + jiff::SignedDuration::from_secs(ahead);
    let date =
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&clock).unwrap();
    Server::start(move |asked, _| {
        let old = clock.as_second() - claims(asked)["iat"].as_i64().unwrap();
        says(if old.abs() < 60 { 200 } else { 401 }, &[("Date", &date)], "[]")
    })
    .await
}

fn signs_for(server: &Server, secrets: &Path) -> Arc<crate::source::http::HttpSource> {
    let key = marsad_shared::signing::SigningKey::read(
        marsad_shared::signing::Algorithm::Hs256,
        &"0123456789abcdef0123456789abcdef".into(),
    );
    let assertion = Assertion {
        key: Arc::new(key.unwrap()),
        key_id: None,
        claims: json!({ "iss": "marsad" }).as_object().unwrap().clone(),
        lifetime: Duration::from_mins(5),
    };
    let auth = Auth::Jwt {
        claims: Box::new(assertion),
        send: SentIn::Header { name: "X-Assertion".to_owned(), prefix: "JWT ".to_owned() },
    };
    source(http(server.url("/"), auth), secrets)
}

#[tokio::test]
async fn a_token_of_ours_is_used_for_many_requests_and_follows_the_partners_clock() {
    let secrets = tempfile::tempdir().unwrap();
    let server = partner_ahead(14 * 60).await;
    let source = signs_for(&server, secrets.path());
    for path in ["/1", "/2"] {
        source.get(&call(&server, path), None).await.unwrap();
    }
    assert_eq!(paths(&server), ["/1", "/1", "/2"]);
    let said: Vec<_> = server.asked().iter().map(claims).collect();
    assert_eq!(said[1], said[2], "one token for both");
    assert_ne!(said[0]["jti"], said[1]["jti"]);
    assert_eq!(said[1]["exp"].as_i64().unwrap() - said[1]["iat"].as_i64().unwrap(), 300);
    assert_eq!(said[1]["iss"], "marsad");
}

#[tokio::test]
async fn a_clock_that_is_years_away_is_not_followed_and_somebody_is_told() {
    let secrets = tempfile::tempdir().unwrap();
    for ahead in [315_360_000, -3_600] {
        let server = partner_ahead(ahead).await;
        let error = signs_for(&server, secrets.path());
        let error = error.get(&call(&server, "/1"), None).await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::Auth));
        assert!(error.to_string().contains("one of the two is wrong"), "{error}");
        let now = SystemClock.now().as_second();
        for asked in server.asked() {
            let signed = claims(&asked)["iat"].as_i64().unwrap();
            assert!((now - signed).abs() < 120, "signed for {signed}, at {now}");
        }
    }
}

/// What a signed token said.
fn claims(asked: &Asked) -> serde_json::Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let token = asked.header("x-assertion").unwrap().strip_prefix("JWT ").unwrap();
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn what_was_never_shown_is_not_what_was_refused() {
    let secrets = tempfile::tempdir().unwrap();
    for challenge in [r#"Digest realm="r", nonce="n", qop="auth-int""#, "Basic realm=\"r\""] {
        let headers = [("WWW-Authenticate", challenge)];
        let server = Server::start(move |_, _| says(401, &headers, "")).await;
        let auth = Auth::Digest { user: "m".to_owned(), password: SECRET.into() };
        let source = source(http(server.url("/"), auth), secrets.path());
        let error = source.get(&call(&server, "/x"), None).await.unwrap_err().to_string();
        assert!(error.contains("no Digest that is answered here"), "{error}");
    }
    // And what is refused with 200 is told by its word.
    let server = Server::start(|_, _| says(200, &[], r#"{ "error": "invalid_client" }"#)).await;
    let auth = Auth::OAuth2(Box::new(oauth(&server, Grant::ClientCredentials)));
    let source = source(http(server.url("/"), auth), secrets.path());
    let error = source.get(&call(&server, "/x"), None).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::Auth));
    assert!(error.to_string().contains("it says invalid_client"), "{error}");
}

#[tokio::test]
async fn a_digest_is_answered_once_and_then_ahead() {
    let secrets = tempfile::tempdir().unwrap();
    let challenge = r#"Digest realm="courts", nonce="n1", qop="auth", algorithm=SHA-256"#;
    let stale = r#"Digest realm="courts", nonce="n2", qop="auth", algorithm=SHA-256, stale=true"#;
    let server = Server::start(move |asked, before| {
        let shown = asked.header("authorization").unwrap_or_default();
        match asked.uri.path() {
            "/never" => {
                let another = challenge.replace("n1", &format!("never-{before}"));
                says(401, &[("WWW-Authenticate", &another)], "")
            }
            _ if shown.contains("\"n2\"") => says(200, &[], "[]"),
            _ if shown.contains("\"n1\"") && before < 4 => says(200, &[], "[]"),
            _ if shown.is_empty() => says(401, &[("WWW-Authenticate", challenge)], ""),
            _ => says(401, &[("WWW-Authenticate", stale)], ""),
        }
    })
    .await;
    let auth = Auth::Digest { user: "m".to_owned(), password: SECRET.into() };
    let source = source(http(server.url("/"), auth), secrets.path());
    for path in ["/1", "/2?a=b", "/3", "/4"] {
        source.get(&call(&server, path), None).await.unwrap();
    }
    assert_eq!(paths(&server), ["/1", "/1", "/2", "/3", "/4", "/4"]);
    let asked = server.asked();
    let counts: Vec<_> = asked
        .iter()
        .filter_map(|asked| asked.header("authorization")?.split("nc=").nth(1)?.get(..8))
        .collect();
    assert_eq!(counts, ["00000001", "00000002", "00000003", "00000004", "00000001"]);
    assert!(asked[2].header("authorization").unwrap().contains("uri=\"/2?a=b\""));

    // A new challenge each time: one repeat, and no more.
    let error = source.get(&call(&server, "/never"), None).await.unwrap_err();
    assert!(matches!(error, FetchError::Final { reason: Reason::Auth, .. }));
    assert_eq!(paths(&server)[6..], ["/never", "/never"]);
}

fn source_anew(server: &Server, secrets: &Path) -> Arc<crate::source::http::HttpSource> {
    let auth = Auth::OAuth2(Box::new(oauth(server, Grant::ClientCredentials)));
    source(http(server.url("/"), auth), secrets)
}

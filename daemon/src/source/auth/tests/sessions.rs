//! Sessions that a partner ends without a word for it.

use super::*;

/// A partner that knows a session for `requests` requests, and then answers with `status` and a page; `closed`: also to who
/// comes with a new one, wherever that is.
async fn partner(requests: usize, status: u16, closed: &'static str) -> Server {
    let asked = Arc::new(std::sync::Mutex::new((0, 0)));
    Server::start(move |request, _| {
        let mut asked = asked.lock().unwrap();
        if request.uri.path() == "/login" {
            *asked = (asked.0 + 1, 0);
            return says(200, &[], &json!({ "id": format!("s{}", asked.0) }).to_string());
        }
        asked.1 += 1;
        let bearer = request.header("authorization").and_then(|all| all.strip_prefix("Bearer "));
        let session = request.header("x-session").or(bearer).map(str::to_owned);
        let known = session == Some(format!("s{}", asked.0)) && asked.1 <= requests;
        if known && request.uri.path() != closed {
            return says(200, &[("content-type", "application/json")], "[]");
        }
        says(
            status,
            &[("content-type", "text/html"), ("location", "/login")],
            "<html>log in</html>",
        )
    })
    .await
}

fn session(server: &Server, secrets: &Path) -> Arc<crate::source::http::HttpSource> {
    let login = Login {
        url: server.url("/login"),
        method: LoginMethod::Post,
        body: LoginBody::None,
        token: TokenPlace::Path(JsonPath::parse("$.id").unwrap()),
        life: life(),
        send: SentIn::Header { name: "X-Session".to_owned(), prefix: String::new() },
    };
    source(http(server.url("/"), Auth::Login(Box::new(login))), secrets)
}

/// The same by a token of OAuth 2, whose server stands where others log in.
fn bearer(server: &Server, secrets: &Path) -> Arc<crate::source::http::HttpSource> {
    let how = OAuth2 {
        token_url: server.url("/login"),
        token: JsonPath::parse("$.id").unwrap(),
        ..oauth(server, Grant::ClientCredentials)
    };
    source(http(server.url("/"), Auth::OAuth2(Box::new(how))), secrets)
}

#[tokio::test]
async fn a_session_that_ends_without_a_word_for_it_is_begun_anew_for_the_same_page() {
    let secrets = tempfile::tempdir().unwrap();
    let both =
        [403, 419, 302, 200].into_iter().flat_map(|status| [(status, true), (status, false)]);
    for (status, logs_in) in both {
        let server = partner(2, status, "").await;
        let source = if logs_in {
            session(&server, secrets.path())
        } else {
            bearer(&server, secrets.path())
        };
        for number in 1..=5 {
            let answer = source.get(&call(&server, &format!("/{number}")), None).await.unwrap();
            assert_eq!(answer.body.begin(), b"[]", "{status}");
        }
        let wanted = ["/login", "/1", "/2", "/3", "/login", "/3", "/4", "/5", "/login", "/5"];
        assert_eq!(paths(&server), wanted, "{status}");
    }
}

#[tokio::test]
async fn what_is_closed_to_us_costs_one_more_session_and_not_one_each_time() {
    let secrets = tempfile::tempdir().unwrap();
    let server = partner(1_000, 403, "/closed").await;
    let source = session(&server, secrets.path());
    for _ in 0..3 {
        source.get(&call(&server, "/open"), None).await.unwrap();
        let error = source.get(&call(&server, "/closed"), None).await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::Auth), "{error}");
    }
    assert_eq!(paths(&server).iter().filter(|path| *path == "/login").count(), 2);
    // One that was never good says nothing of its age.
    let server = partner(0, 403, "").await;
    let source = session(&server, secrets.path());
    for _ in 0..3 {
        source.get(&call(&server, "/x"), None).await.unwrap_err();
    }
    assert_eq!(paths(&server), ["/login", "/x", "/x", "/x"]);
}

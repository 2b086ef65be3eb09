//! Where a redirect leads, and where it does not.

use super::*;

#[tokio::test]
async fn a_redirect_is_followed_within_the_origin_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let other = Server::start(|_, _| says(200, &[], "[]")).await;
    let elsewhere = other.url("/taken").to_string();
    let server = Server::start(move |asked, _| {
        let to = |place: &str| says(307, &[("Location", place)], "");
        match asked.uri.path() {
            "/out" => to(&elsewhere),
            "/in" => to("/there?y=2"),
            "/round" => to("/round"),
            "/in-out" => to("/out"),
            _ => says(200, &[], "[]"),
        }
    })
    .await;
    let key =
        Auth::ApiKey { place: KeyPlace::Header, name: "X-Key".to_owned(), key: "hunter2".into() };
    let headers = vec![("X-Office".to_owned(), "12".to_owned())];
    let on = Http { redirects: true, headers, ..http(server.url("/"), key) };
    let off = source(Http { redirects: false, ..on.clone() }, folder.path());
    let on = source(on, folder.path());

    on.get(&call(&server, "/in"), None).await.unwrap();
    let last = server.asked().pop().unwrap();
    assert_eq!(last.uri, "/there?y=2");
    assert_eq!((last.header("x-key"), last.header("x-office")), (Some("hunter2"), Some("12")));
    assert_eq!(last.header("referer"), None, "it may hold a key");

    let port = other.address.port().to_string();
    for (source, path, said) in [
        (&on, "/out", &[&*port, "credentials must not go"][..]),
        (&on, "/in-out", &[&port, "credentials must not go"]),
        (&on, "/round", &["more than 5 times"]),
        (&off, "/in", &["redirects are not followed"]),
        (&off, "/out", &["redirects are not followed"]),
    ] {
        let error = source.get(&call(&server, path), None).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, FetchError::Final { reason: Reason::Http4xx, .. }), "{text}");
        assert!(said.iter().all(|part| text.contains(part)), "{text}");
    }
    let error = on.get(&Call::get(other.url("/asked")), None).await.unwrap_err();
    assert!(error.to_string().contains("origin of base_url"), "{error}");
    assert_eq!(other.asked().len(), 0, "nobody there was asked anything");
}

/// Each step is asked as if it had been written down: with the key where that belongs, and with what is asked.
#[tokio::test]
async fn a_redirect_is_asked_for_anew_and_keeps_the_question() {
    let server = Server::start(|asked, _| {
        let to = |status, place: &str| says(status, &[("Location", place)], "");
        match asked.uri.path() {
            "/moved" => to(302, "/v2/items?page=2&key=hunter2"),
            "/kept" => to(308, "v2/items"),
            "/changed" => to(301, "/v2"),
            "/seen" => to(303, "/results/7?region=sharjah-east"),
            "/guest" => to(302, "/auth/login?to=/guest"),
            _ => says(200, &[], "[]"),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let key =
        Auth::ApiKey { place: KeyPlace::Query, name: "key".to_owned(), key: "hunter2".into() };
    let source = source(Http { redirects: true, ..http(server.url("/"), key) }, folder.path());
    let query = |path: &str| Call {
        method: reqwest::Method::POST,
        body: marsad_shared::request::Body::Json(serde_json::json!({ "only": "mine" })),
        ..call(&server, path)
    };

    let answer = source.get(&call(&server, "/moved"), None).await.unwrap();
    assert_eq!(server.asked().pop().unwrap().uri, "/v2/items?page=2&key=hunter2", "once");
    assert_eq!(answer.moved, Some(server.url("/v2/items?page=2")), "where a link there begins");

    source.get(&query("/kept"), None).await.unwrap();
    let last = server.asked().pop().unwrap();
    assert_eq!(
        (last.uri.to_string().as_str(), &*last.body),
        ("/v2/items?key=hunter2", &b"{\"only\":\"mine\"}"[..])
    );

    source.get(&query("/seen"), None).await.unwrap();
    let last = server.asked().pop().unwrap();
    let wanted = "/results/7?region=sharjah-east&key=hunter2";
    assert_eq!(
        (last.uri.to_string().as_str(), last.body.len()),
        (wanted, 0),
        "it is answered there"
    );
    let link = "/results/8?region=sharjah-east";
    assert_eq!(source.unsigned(link), link, "what a partner says is no secret of ours");

    for (call, reason, said) in [
        (query("/changed"), Reason::Http4xx, "with 301, and a query that is sent on so"),
        (call(&server, "/guest"), Reason::Auth, "as it does with who has not logged in"),
    ] {
        let before = server.asked().len();
        let error = source.get(&call, None).await.unwrap_err();
        assert!(error.reason() == Some(reason) && error.to_string().contains(said), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(server.asked().len(), before + 1, "nobody is asked something else");
    }

    let pass = source.pass().await.unwrap();
    let url = server.url("/changed");
    let post = |url| source.request(reqwest::Method::POST, url).body("a referral");
    let (status, _) = source.send(pass, &url, 10, post).await.unwrap_err();
    assert_eq!(status, Some(301), "a document that was led away was not taken");
}

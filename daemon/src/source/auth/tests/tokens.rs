//! Tokens that a partner gives out: asked for once, used while they live, and kept where they replace each other.

use super::*;

#[tokio::test]
async fn a_token_server_that_moved_is_told_with_where_it_leads() {
    let secrets = tempfile::tempdir().unwrap();
    let to = [("location", "https://login.example/new/token?client_secret=hunter2")];
    let server = Server::start(move |_, _| says(308, &to, "")).await;
    let auth = Auth::OAuth2(Box::new(oauth(&server, Grant::ClientCredentials)));
    let source = source(http(server.url("/"), auth), secrets.path());
    let error = source.get(&call(&server, "/x"), None).await.unwrap_err().to_string();
    let expected = "it redirects to https://login.example/new/token, and redirects are not followed; put the new address where the old one stands";
    assert!(error.contains("/token: ") && error.contains(expected), "{error}");
}

#[tokio::test]
async fn a_token_is_asked_for_once_however_many_wait_for_it() {
    let secrets = tempfile::tempdir().unwrap();
    let server = partner_with_tokens(json!(3600)).await;
    let auth = Auth::OAuth2(Box::new(oauth(&server, Grant::ClientCredentials)));
    let source = source(http(server.url("/"), auth), secrets.path());
    let mut gets = JoinSet::new();
    for number in 0..20 {
        let (source, call) = (Arc::clone(&source), call(&server, &format!("/{number}")));
        gets.spawn(async move { source.get(&call, None).await.map(|_| ()) });
    }
    assert!(gets.join_all().await.iter().all(Result::is_ok));
    assert_eq!(paths(&server).iter().filter(|path| *path == "/token").count(), 1);
    let token = &server.asked()[0];
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", "marsad"),
        ("client_secret", SECRET),
        ("scope", "read"),
        ("audience", "courts"),
    ];
    assert_eq!(token.form(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_token_that_is_not_given_is_asked_for_once_too() {
    let secrets = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| {
        says(401, &[], r#"{ "error": "invalid_client", "error_description": "no such thing" }"#)
    })
    .await;
    let auth = Auth::OAuth2(Box::new(oauth(&server, Grant::ClientCredentials)));
    let source = source(http(server.url("/"), auth), secrets.path());
    let gets = (0..20).map(|_| {
        let (source, call) = (Arc::clone(&source), call(&server, "/x"));
        async move { source.get(&call, None).await }
    });
    // In one task, so that all have begun to wait before the first answer is there.
    for outcome in futures_util::future::join_all(gets).await {
        let error = outcome.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::Auth));
        let text = error.to_string();
        assert!(text.contains("invalid_client") && !text.contains("no such thing"), "{text}");
    }
    assert_eq!(paths(&server), ["/token"]);
    // More refusals may lock us out, so it is not tried again before somebody mends it.
    let held = source.get(&call(&server, "/x"), None).await.unwrap_err();
    let FetchError::Held { wait, text, .. } = &held else { panic!("{held:?}") };
    assert!(*wait > Duration::from_secs(290) && text.contains("invalid_client"), "{wait:?} {text}");
    assert_eq!(paths(&server).len(), 1);
    source.gate().hasten();
    let error = source.get(&call(&server, "/x"), None).await.unwrap_err();
    assert_eq!((error.reason(), paths(&server).len()), (Some(Reason::Auth), 2), "a person's order");
}

#[tokio::test]
async fn a_token_that_dies_on_the_way_is_renewed_once_and_the_same_page_is_asked_for_again() {
    let secrets = tempfile::tempdir().unwrap();
    let server = partner_with_tokens(json!(3600)).await;
    let auth = Auth::OAuth2(Box::new(oauth(&server, Grant::ClientCredentials)));
    let source = source(http(server.url("/"), auth), secrets.path());
    source.get(&call(&server, "/1"), None).await.unwrap();
    // The server gives a newer one to somebody else, so that ours is good no longer.
    reqwest::get(server.url("/token")).await.unwrap();
    source.get(&call(&server, "/2"), None).await.unwrap();
    assert_eq!(paths(&server), ["/token", "/1", "/token", "/2", "/token", "/2"]);

    // One that is refused all the same is not asked for again and again.
    let error = source.get(&call(&server, "/refused"), None).await.unwrap_err();
    assert!(matches!(error, FetchError::Final { reason: Reason::Auth, .. }));
    assert_eq!(paths(&server)[6..], ["/refused", "/token", "/refused"]);
    let fresh = source_anew(&server, secrets.path());
    fresh.get(&call(&server, "/refused"), None).await.unwrap_err();
    assert_eq!(paths(&server)[9..], ["/token", "/refused"], "it was made for this request");
}

#[tokio::test]
async fn tokens_that_live_for_seconds_or_do_not_say_are_used_while_they_live() {
    let secrets = tempfile::tempdir().unwrap();
    for expires in [json!(5), json!(null), json!(-1), json!(99_999_999)] {
        let server = partner_with_tokens(expires.clone()).await;
        let source = source_anew(&server, secrets.path());
        for _ in 0..3 {
            source.get(&call(&server, "/x"), None).await.unwrap();
        }
        assert_eq!(paths(&server), ["/token", "/x", "/x", "/x"], "{expires}");
    }
}

#[tokio::test]
async fn a_client_shows_itself_in_the_header_where_that_was_agreed() {
    let secrets = tempfile::tempdir().unwrap();
    let server = partner_with_tokens(json!(60)).await;
    let mut how = oauth(&server, Grant::ClientCredentials);
    how.client_id = "a b".to_owned();
    how.proof = ClientProof::Basic("p:w".into());
    let source = source(http(server.url("/"), Auth::OAuth2(Box::new(how))), secrets.path());
    source.get(&call(&server, "/x"), None).await.unwrap();
    let token = &server.asked()[0];
    // `a+b:p%3Aw`: each half as in a form.
    assert_eq!(token.header("authorization"), Some("Basic YStiOnAlM0F3"));
    assert!(token.field("client_secret").is_none() && token.field("client_id").is_none());
}

/// A server that takes each refresh token once: `r1`, then the one that it gave last.
async fn rotating() -> Server {
    let last = Arc::new(std::sync::Mutex::new(1));
    Server::start(move |asked, _| {
        if asked.uri.path() != "/token" {
            return says(200, &[], "[]");
        }
        let mut last = last.lock().unwrap();
        if asked.field("refresh_token") != Some(format!("r{last}")) {
            return says(400, &[], r#"{ "error": "invalid_grant" }"#);
        }
        *last += 1;
        let body =
            json!({ "access_token": "a", "refresh_token": format!("r{last}"), "expires_in": 60 });
        says(200, &[], &body.to_string())
    })
    .await
}

#[tokio::test]
async fn a_refresh_token_that_rotates_is_on_the_disk_before_its_access_token_is_used() {
    let secrets = tempfile::tempdir().unwrap();
    let server = rotating().await;
    let grant = || Grant::RefreshToken("r1".into());
    let anew = |grant| {
        let auth = Auth::OAuth2(Box::new(oauth(&server, grant)));
        source(http(server.url("/"), auth), secrets.path())
    };
    for number in 2..=4 {
        // Each time as after `kill -9`: all that is known is on the disk.
        anew(grant()).get(&call(&server, "/x"), None).await.unwrap();
        let files: Vec<_> = fs::read_dir(secrets.path()).unwrap().map(Result::unwrap).collect();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        let kept = fs::read(file.path()).unwrap();
        let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
        assert_eq!(kept["refresh_token"], format!("r{number}"));
    }
    // Where it cannot be saved, what came with it is not used.
    let elsewhere = secrets.path().join("not-there");
    let auth = Auth::OAuth2(Box::new(oauth(&server, Grant::RefreshToken("r4".into()))));
    let source = source(http(server.url("/"), auth), &elsewhere);
    let before = paths(&server).len();
    let error = source.get(&call(&server, "/x"), None).await.unwrap_err();
    assert!(matches!(error, FetchError::Local { reason: Reason::Disk, .. }), "{error}");
    assert_eq!(paths(&server)[before..], ["/token"]);
    // Once it can, the one that was given goes on: it is not lost.
    fs::create_dir(&elsewhere).unwrap();
    source.get(&call(&server, "/x"), None).await.unwrap();
    assert_eq!(paths(&server)[before + 1..], ["/token", "/x"]);

    let error = anew(grant()).get(&call(&server, "/x"), None).await.unwrap_err();
    assert!(error.to_string().contains("invalid_grant"), "{error}");
}

#[tokio::test]
async fn connections_that_were_given_one_refresh_token_take_turns_with_it() {
    let secrets = tempfile::tempdir().unwrap();
    let (server, vault) = (rotating().await, Vault::new(secrets.path()));
    let auth = || Auth::OAuth2(Box::new(oauth(&server, Grant::RefreshToken("r1".into()))));
    let both = [(); 2].map(|()| source_of(http(server.url("/"), auth()), &vault, None));
    for _ in 0..2 {
        let gets = both.iter().map(|source| {
            let (source, call) = (Arc::clone(source), call(&server, "/x"));
            async move { source.get(&call, None).await.map(drop) }
        });
        for got in futures_util::future::join_all(gets).await {
            got.unwrap();
        }
    }
    let asked = server.asked();
    let shown: Vec<_> = asked.iter().filter_map(|asked| asked.field("refresh_token")).collect();
    assert_eq!(shown, ["r1", "r2"], "each asked once, and showed the last one");
    // And over a restart.
    source(http(server.url("/"), auth()), secrets.path())
        .get(&call(&server, "/x"), None)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_given_is_kept_though_nobody_waits_for_it_any_more() {
    let secrets = tempfile::tempdir().unwrap();
    let server = rotating().await;
    let auth = Auth::OAuth2(Box::new(oauth(&server, Grant::RefreshToken("r1".into()))));
    let source = source(http(server.url("/"), auth), secrets.path());
    let first = {
        let (source, call) = (Arc::clone(&source), call(&server, "/x"));
        tokio::spawn(async move { source.get(&call, None).await })
    };
    // It has been asked for, and whoever asked goes away.
    while server.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    first.abort();
    source.get(&call(&server, "/y"), None).await.unwrap();
    assert_eq!(paths(&server).iter().filter(|path| *path == "/token").count(), 1);
}

use super::*;

fn of(status: u16, headers: &[(&'static str, &'static str)]) -> Option<FetchError> {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect::<HeaderMap>();
    let url = "https://user:pw@p.example/v1/x?key=secret".parse().unwrap();
    {
        let status = StatusCode::from_u16(status).unwrap();
        let error =
            || FetchError::of_answer(status, &headers, &Said::default(), Timestamp::MAX, &url);
        (!is_good(status)).then(error)
    }
}

#[test]
fn a_status_says_whether_time_may_cure_it() {
    assert_eq!(of(200, &[]), None);
    assert!(matches!(of(500, &[]), Some(FetchError::Transient { reason: Reason::Http5xx, .. })));
    assert!(matches!(of(503, &[]), Some(FetchError::Transient { .. })));
    assert!(matches!(of(403, &[]), Some(FetchError::Final { reason: Reason::Auth, .. })));
    assert!(matches!(of(404, &[]), Some(FetchError::Final { reason: Reason::Http4xx, .. })));
    assert!(matches!(of(302, &[]), Some(FetchError::Final { .. })));
    let wait = |seconds| Some(Duration::from_secs(seconds));
    for (status, headers, expected) in [
        (429, vec![], None),
        (429, vec![("retry-after", "30")], wait(30)),
        (503, vec![("retry-after", "5")], wait(5)),
        (
            429,
            vec![
                ("date", "Tue, 24 Nov 2026 14:00:00 GMT"),
                ("retry-after", "Tue, 24 Nov 2026 14:01:00 GMT"),
            ],
            wait(60),
        ),
    ] {
        assert!(
            matches!(of(status, &headers), Some(FetchError::Throttled { retry_after, .. }) if retry_after == expected),
            "{status} {headers:?}"
        );
    }
}

#[test]
fn a_status_that_tells_more_than_its_kind_says_what_to_do() {
    for (status, remedy) in [
        (404, "check path and parameters against the partner's documentation"),
        (405, "ask the partner which method it takes there (`method`)"),
        (406, "ask the partner which format it speaks there (`headers`: Accept, Content-Type)"),
        (413, "ask for less at a time (`size`, or shorter stretches)"),
        (451, "ask whoever agreed with the partner: it is no fault of technology"),
    ] {
        let (_, told) = of(status, &[]).unwrap().parted();
        assert_eq!(told, remedy, "{status}");
    }
}

#[test]
fn a_gateways_error_is_not_the_partners_and_a_spent_quota_is_no_refusal() {
    let code = ("x-road-error", "Server.ClientProxy.NetworkError\u{9b}");
    let gateway = of(500, &[code]).unwrap();
    assert_eq!(gateway.reason(), Some(Reason::GatewayFault));
    let text = gateway.to_string();
    assert!(text.contains("error at the gateway, Server.ClientProxy.NetworkError"), "{text}");
    assert!(!text.contains("the partner answered") && !text.contains('\u{9b}'), "{text}");
    assert!(matches!(of(500, &[code]), Some(FetchError::Transient { .. })) && gateway.is_outage());
    let client = of(403, &[("x-road-error", "Client.BadRequest")]).unwrap();
    assert!(matches!(client, FetchError::Final { reason: Reason::GatewayFault, .. }), "{client:?}");
    let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "60")];
    let minute = Some(Duration::from_mins(1));
    for (status, headers) in [(403, &spent[..]), (429, &spent), (403, &[("retry-after", "60")])] {
        assert!(
            matches!(of(status, headers), Some(FetchError::Throttled { retry_after, .. }) if retry_after == minute),
            "{status} {headers:?}"
        );
    }
    assert!(matches!(of(403, &[("x-ratelimit-remaining", "5")]), Some(FetchError::Final { .. })));
}

#[test]
fn an_error_says_its_own_words_and_its_own_wait() {
    let url = "https://p.example/x".parse().unwrap();
    let said = Said {
        words: Some("60 a minute".to_owned()),
        retry_after: Some(Duration::from_secs(30)),
        ..Said::default()
    };
    let of = |status| FetchError::of_answer(status, &HeaderMap::new(), &said, Timestamp::MAX, &url);
    let throttled = of(StatusCode::TOO_MANY_REQUESTS).to_string();
    assert_eq!(
        throttled,
        "https://p.example/x: the partner answered 429 Too Many Requests (\"60 a minute\") and asks us to wait 30 s; \
         nothing is lost, Marsad goes on by itself"
    );
    let days = self::of(429, &[("retry-after", "3456000")]).unwrap();
    assert!(days.to_string().contains("asks us to wait 40 d;"), "{days}");
    let text = of(StatusCode::NOT_FOUND).to_string();
    assert!(text.contains("404 Not Found (\"60 a minute\"); check path"), "{text}");
}

#[tokio::test]
async fn a_request_that_cannot_be_written_is_not_the_partners_fault() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url: Url = format!("http://p.example/x?{}", "y".repeat(100_000)).parse().unwrap();
    let error = reqwest::Client::new().get(url.clone()).send().await.unwrap_err();
    let error = FetchError::of_transport(&error.without_url(), &url, false);
    assert!(matches!(error, FetchError::Final { reason: Reason::Http4xx, .. }), "{error:?}");
    assert!(error.to_string().contains("none has left") && !error.is_outage(), "{error}");
}

#[test]
fn a_part_and_a_304_that_were_not_asked_for_are_no_answers() {
    let url = "https://p.example/x".parse().unwrap();
    for (status, named, expected) in [
        (200, false, None),
        (202, false, None),
        (304, true, None),
        (304, false, Some(Reason::RemoteFault)),
        (206, true, Some(Reason::Truncated)),
        (226, false, Some(Reason::Truncated)),
    ] {
        let headers = HeaderMap::new();
        let error = unasked(StatusCode::from_u16(status).unwrap(), &headers, named, &url);
        assert_eq!(error.as_ref().and_then(FetchError::reason), expected, "{status}");
        let passes = error.is_none_or(|error| matches!(error, FetchError::Transient { .. }));
        assert!(passes, "{status}: a moment may cure it");
    }
}

#[test]
fn an_error_shows_no_credentials() {
    let text = of(404, &[]).unwrap().to_string();
    assert!(
        text.contains("https://p.example/v1/x:")
            && !text.contains("secret")
            && !text.contains("pw"),
        "{text}"
    );
}

#[test]
fn the_way_to_a_page_to_log_in_is_a_refusal_and_no_new_address() {
    let url = "https://p.example/x".parse().unwrap();
    for (to, expected, words) in [
        ("https://p.example/accounts/login/", Reason::Auth, "who has not logged in"),
        ("/SignIn.aspx", Reason::Auth, "who has not logged in"),
        ("https://p.example/v2/x", Reason::Http4xx, "put the new address"),
        ("https://login.example/v2/x", Reason::Http4xx, "put the new address"),
        ("https://p.example/logins/x", Reason::Http4xx, "put the new address"),
    ] {
        let said = Said { leads: Some(to.to_owned()), ..Said::default() };
        let (status, headers) = (StatusCode::FOUND, HeaderMap::new());
        let error = FetchError::of_answer(status, &headers, &said, Timestamp::MAX, &url);
        assert_eq!(error.reason(), Some(expected), "{to}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

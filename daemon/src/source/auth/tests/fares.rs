//! Requests for tokens leave through the gate, and what is answered to them is heeded by all.

use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use marsad_shared::{connection::RateLimit, partner::Budget};

use super::*;
use crate::source::{
    bench::source_with,
    spend::{Caller, Purse},
};

fn with_budget(calls: u32) -> Arc<Purse> {
    let calls = NonZeroU32::new(calls).unwrap();
    let budget = Budget { calls, per: Duration::from_hours(24), zone: TimeZone::UTC };
    Arc::new(Purse::new("courts".parse().unwrap(), budget, false, SystemClock.now()))
}

#[tokio::test]
async fn a_token_costs_a_call_like_any_other_and_none_is_asked_for_beyond_the_budget() {
    let secrets = tempfile::tempdir().unwrap();
    let server = partner_with_tokens(json!(3600)).await;
    let auth = || Auth::OAuth2(Box::new(oauth(&server, Grant::ClientCredentials)));
    let purse = with_budget(5);
    let first = source_with(http(server.url("/"), auth()), secrets.path(), Some(&purse));
    let feed = first.for_feed(&"courts/cases".parse().unwrap());
    feed.get(&call(&server, "/1"), None).await.unwrap();
    // Refused, renewed and asked again.
    reqwest::get(server.url("/token")).await.unwrap();
    feed.get(&call(&server, "/2"), None).await.unwrap();
    let spent: Vec<_> = purse.unsaved().into_iter().map(|calls| (calls.who, calls.n)).collect();
    assert_eq!(spent, [("courts/cases".to_owned(), 5)], "two tokens, three pages");

    let before = paths(&server).len();
    let second = source_with(http(server.url("/"), auth()), secrets.path(), Some(&purse));
    let error = second.get(&call(&server, "/3"), None).await.unwrap_err();
    assert!(matches!(error, FetchError::Held { .. }), "{error:?}");
    assert_eq!(paths(&server).len(), before, "nothing was asked");
}

#[tokio::test]
async fn a_token_server_that_asks_us_to_wait_is_left_alone_by_all() {
    let secrets = tempfile::tempdir().unwrap();
    for status in [429, 503] {
        let server = Server::start(move |_, _| says(status, &[("retry-after", "600")], "")).await;
        let source = source_anew(&server, secrets.path());
        let error = source.get(&call(&server, "/1"), None).await.unwrap_err();
        let FetchError::Throttled { retry_after, text } = &error else { panic!("{error:?}") };
        assert_eq!(*retry_after, Some(Duration::from_mins(10)));
        assert!(text.contains(", until 2"), "{text}");
        for who in [Caller::Feed("courts/x".parse().unwrap()), Caller::Probes, Caller::Deliveries] {
            let other = source.called_by(who);
            let held = other.held().unwrap();
            assert!(held.wait > Duration::from_secs(590), "{held:?}");
            let error = other.get(&call(&server, "/2"), None).await.unwrap_err();
            assert!(matches!(error, FetchError::Held { .. }), "{error:?}");
        }
        assert_eq!(paths(&server), ["/token"]);
    }
}

#[tokio::test]
async fn a_turn_that_comes_late_is_not_waited_for_and_one_that_comes_soon_is() {
    let secrets = tempfile::tempdir().unwrap();
    let server = partner_with_tokens(json!(3600)).await;
    let auth = || Auth::OAuth2(Box::new(oauth(&server, Grant::ClientCredentials)));
    let limited = |requests, per| {
        let requests = NonZeroU32::new(requests).unwrap();
        let limit = Some(RateLimit { requests, per });
        let http = http(server.url("/"), auth());
        source(marsad_shared::connection::Http { rate_limit: limit, ..http }, secrets.path())
    };
    let hourly = limited(1, Duration::from_hours(1));
    // The token has the only turn there is; the page has the next.
    let error = hourly.get(&call(&server, "/1"), None).await.unwrap_err();
    let FetchError::Held { wait, text, .. } = &error else { panic!("{error:?}") };
    assert!(*wait > Duration::from_secs(3_500) && text.contains("rate_limit"), "{wait:?} {text}");
    assert_eq!(paths(&server), ["/token"]);
    assert!(hourly.held().is_some_and(|held| held.wait > Duration::from_secs(3_500)));

    let often = limited(2, Duration::from_millis(400));
    for number in 0..3 {
        often.get(&call(&server, &format!("/{number}")), None).await.unwrap();
    }
    assert_eq!(paths(&server)[1..], ["/token", "/0", "/1", "/2"]);
}

#[tokio::test]
async fn who_waits_for_a_turn_goes_away_when_the_daemon_stops() {
    let secrets = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| says(200, &[], "[]")).await;
    let limit = RateLimit { requests: NonZeroU32::MIN, per: Duration::from_secs(19) };
    let http = http(server.url("/"), Auth::None);
    let http = marsad_shared::connection::Http { rate_limit: Some(limit), ..http };
    let source = source(http, secrets.path());
    source.get(&call(&server, "/1"), None).await.unwrap();
    let waits = tokio::spawn({
        let (source, call) = (Arc::clone(&source), call(&server, "/2"));
        async move { source.get(&call, None).await.map(|_| ()) }
    });
    tokio::task::yield_now().await;
    source.gate().close();
    let error = waits.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("marsadd stops"), "{error}");
    assert_eq!(paths(&server), ["/1"]);
}

#[tokio::test]
async fn a_password_that_is_refused_again_and_again_is_kept_back_and_a_refused_page_is_not() {
    let secrets = tempfile::tempdir().unwrap();
    let server = Server::start(|asked, _| {
        says(if asked.uri.path().starts_with("/closed") { 401 } else { 200 }, &[], "[]")
    })
    .await;
    let password = || Auth::Basic { user: "me".to_owned(), password: SECRET.into() };
    for (auth, kept_back) in [(password(), true), (key(KeyPlace::Header, "X-Key"), false)] {
        let source = source(http(server.url("/"), auth), secrets.path());
        // One page of several that is closed to us says nothing of the password.
        for _ in 0..3 {
            source.get(&call(&server, "/closed"), None).await.unwrap_err();
            source.get(&call(&server, "/open"), None).await.unwrap();
        }
        for number in 0..5 {
            source.get(&call(&server, &format!("/closed/{number}")), None).await.unwrap_err();
        }
        let held = source.held();
        assert_eq!(held.is_some(), kept_back, "{held:?}");
        let asked = paths(&server).iter().filter(|path| path.starts_with("/closed/")).count();
        assert_eq!(asked, if kept_back { 3 } else { 8 });
    }
}

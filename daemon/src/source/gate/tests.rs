use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use marsad_shared::{clock::ManualClock, health::Reason, partner::Budget};
use tokio::time::advance;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn feed(name: &str) -> Caller {
    Caller::Feed(format!("health/{name}").parse().unwrap())
}

/// A gate, and the clock that goes with it at noon.
fn gate(calls: Option<u32>) -> (Arc<Gate>, Arc<ManualClock>) {
    let noon: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::new(noon));
    let purse = calls.and_then(NonZeroU32::new).map(|calls| {
        let budget = Budget { calls, per: Duration::from_hours(1), zone: TimeZone::UTC };
        Arc::new(Purse::new("health".parse().unwrap(), budget, false, noon))
    });
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    (Arc::new(Gate::new("health/api".parse().unwrap(), shared, None, purse)), clock)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn fault(reason: Reason) -> FetchError {
    FetchError::of(reason, &"http://p.example/x".parse().unwrap(), "x")
}

async fn passes(gate: &Arc<Gate>, who: &Caller, error: Option<&FetchError>) -> bool {
    match gate.pass(who).await {
        Ok(pass) => {
            pass.end(error);
            true
        }
        Err(_) => false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_rest_holds_everybody_and_a_shorter_one_does_not_end_it() {
    let (gate, _) = gate(None);
    let throttled = |seconds| FetchError::Throttled {
        retry_after: Some(seconds * SECOND),
        text: format!("wait {seconds} s"),
    };
    let told = gate.heed(throttled(60)).to_string();
    assert!(told.starts_with("wait 60 s, until 2026-11-24T12:01:00Z;"), "{told}");
    gate.heed(throttled(5));
    for who in [feed("a"), Caller::Deliveries, Caller::Probes] {
        let held = gate.look(&who).unwrap();
        assert_eq!(
            (held.wait, held.why.as_str(), held.is_breaker()),
            (60 * SECOND, "wait 60 s", false)
        );
        assert_eq!(held.to_string(), "waiting until 2026-11-24T12:01:00Z: wait 60 s");
    }
    let kept = gate.unsaved().unwrap();
    assert_eq!(gate.unsaved(), None, "once");
    advance(60 * SECOND).await;
    assert!(passes(&gate, &feed("a"), None).await);

    let day = 86_400;
    gate.heed(throttled(day));
    gate.hasten();
    assert!(gate.look(&feed("a")).is_some(), "what is asked for in earnest is kept to");
    gate.heed(throttled(400 * day));
    let held = gate.look(&feed("a")).unwrap();
    assert!(held.why.ends_with("whoever orders a read asks all the same"), "{held:?}");
    gate.unsaved().unwrap();
    gate.hasten();
    assert_eq!(gate.look(&feed("a")), None, "a person has spoken with the partner");
    let lifted = gate.unsaved().unwrap();
    let (restarted, _) = self::gate(None);
    restarted.restore(&lifted);
    assert_eq!(restarted.look(&feed("a")), None, "and a restart does not bring it back");

    let (again, clock) = self::gate(None);
    clock.advance(20 * SECOND);
    again.restore(&kept);
    assert_eq!(again.look(&feed("a")).unwrap().wait, 40 * SECOND, "what is left of it");
    assert_eq!(again.unsaved(), None);
    again.heed(throttled(59));
    assert_eq!(again.unsaved(), None, "too short to be worth it");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_spread_and_what_is_owed_goes_out_all_the_same() {
    let (gate, _) = gate(None);
    let few = headers(&[("x-ratelimit-remaining", "2"), ("x-ratelimit-reset", "30")]);
    gate.hear(StatusCode::OK, &few, Duration::ZERO);
    assert!(!passes(&gate, &feed("a"), None).await, "not in a burst");
    assert!(passes(&gate, &Caller::Deliveries, None).await);
    advance(10 * SECOND).await;
    assert!(passes(&gate, &feed("a"), None).await);
    assert_eq!(gate.look(&feed("b")).unwrap().wait, 10 * SECOND, "one in each gap, whoever");
    gate.hear(StatusCode::OK, &headers(&[]), Duration::ZERO);
    assert!(gate.look(&feed("b")).is_some(), "an answer that counts nothing changes nothing");
    advance(20 * SECOND).await;
    assert!(passes(&gate, &feed("b"), None).await && passes(&gate, &feed("b"), None).await, "anew");
    gate.hear(StatusCode::OK, &few, Duration::ZERO);
    let enough = headers(&[("x-ratelimit-remaining", "50"), ("x-ratelimit-reset", "30")]);
    gate.hear(StatusCode::OK, &enough, Duration::ZERO);
    assert_eq!(gate.look(&feed("b")), None);
    let none = headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")]);
    gate.hear(StatusCode::OK, &none, Duration::ZERO);
    assert_eq!(gate.look(&Caller::Deliveries).unwrap().wait, 30 * SECOND, "it would be refused");
}

#[tokio::test(start_paused = true)]
async fn retry_after_goes_before_a_count() {
    let (gate, _) = gate(None);
    let both = [("retry-after", "5"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "600")];
    gate.hear(StatusCode::TOO_MANY_REQUESTS, &headers(&both), Duration::ZERO);
    assert_eq!(gate.look(&feed("a")), None, "the error itself is heeded");
    gate.hear(StatusCode::OK, &headers(&both), Duration::ZERO);
    let held = gate.look(&feed("a")).map(|held| held.wait);
    assert_eq!(
        held,
        Some(600 * SECOND),
        "what went well is no error, and its count is all that is heeded"
    );
}

#[tokio::test(start_paused = true)]
async fn only_outages_open_the_breaker_and_never_what_one_feed_is_refused() {
    for reason in
        [Reason::Http4xx, Reason::Auth, Reason::Network, Reason::TooLarge, Reason::NotJson]
    {
        let (gate, _) = gate(None);
        for _ in 0..20 {
            assert!(passes(&gate, &feed("a"), Some(&fault(reason))).await, "{reason:?}");
        }
    }
    let (gate, _) = gate(None);
    for _ in 0..FAILS {
        assert!(passes(&gate, &feed("a"), Some(&fault(Reason::ConnectRefused))).await);
    }
    let held = gate.look(&Caller::Deliveries).unwrap();
    assert!(held.is_breaker() && held.why.contains("the last: http://p.example/x"), "{held:?}");
    assert!((2..=5).contains(&held.wait.as_secs()), "{held:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_outage_is_told_and_no_sooner_again_than_five_minutes_later() {
    let (gate, _) = gate(None);
    let mut back = gate.back();
    assert!(passes(&gate, &feed("a"), None).await);
    assert!(!back.is_told(), "there was none");
    for (wait, told) in [(SECOND, true), (SECOND, false), (299 * SECOND, true)] {
        for _ in 0..FAILS {
            passes(&gate, &feed("a"), Some(&fault(Reason::ConnectTimeout))).await;
        }
        assert!(!back.is_told(), "it has begun");
        advance(wait.max(10 * SECOND)).await;
        assert!(passes(&gate, &Caller::Probes, None).await, "the try");
        assert_eq!(back.is_told(), told, "{wait:?} later");
        back.forget();
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_that_says_nothing_is_given_back() {
    let (gate, _) = gate(None);
    for _ in 0..FAILS {
        passes(&gate, &feed("a"), Some(&fault(Reason::ReadTimeout))).await;
    }
    advance(gate.look(&feed("b")).unwrap().wait).await;
    let lost = gate.pass(&feed("b")).await.unwrap();
    assert!(!passes(&gate, &feed("c"), None).await, "one at a time");
    drop(lost);
    advance(2 * SECOND).await;
    let ours = gate.pass(&feed("c")).await.unwrap();
    ours.end(Some(&fault(Reason::Disk)));
    assert!(
        gate.look(&feed("b")).is_some_and(|held| held.is_breaker()),
        "our own fault closes nothing"
    );
    advance(2 * SECOND).await;
    assert!(
        passes(&gate, &feed("b"), Some(&fault(Reason::Http4xx))).await,
        "an answer is an answer"
    );
    assert_eq!(gate.look(&feed("a")), None);
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_spent_by_the_request_and_renews_with_the_hour() {
    let (gate, clock) = gate(Some(2));
    assert!(gate.look(&feed("a")).is_none() && passes(&gate, &feed("a"), None).await);
    gate.again(&feed("a"));
    let held = gate.look(&feed("b")).unwrap();
    assert_eq!(
        (held.wait, held.why.as_str()),
        (3_600 * SECOND, "the budget of calls is spent: a 2 of 2")
    );
    assert!(passes(&gate, &Caller::Deliveries, None).await);
    clock.advance(3_600 * SECOND);
    assert!(passes(&gate, &feed("b"), None).await);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_over_lets_the_next_one_leave_and_a_stop_lets_nobody() {
    let (gate, _) = gate(None);
    let began = Instant::now();
    let mut under_way = Vec::new();
    while began.elapsed() == Duration::ZERO {
        under_way.push(gate.pass(&feed("a")).await.unwrap());
    }
    let (began, other, own) = (Instant::now(), feed("b"), under_way.pop().unwrap());
    let (next, ()) = tokio::join!(gate.pass(&other), async { own.end(None) });
    next.unwrap().end(Some(&fault(Reason::Http5xx)));
    under_way.push(gate.pass(&feed("c")).await.unwrap());
    assert_eq!(began.elapsed(), Duration::ZERO, "each left when the one before was over");

    let (held, ()) = tokio::join!(gate.pass(&other), async { gate.close() });
    assert_eq!(
        (held.unwrap_err().why.as_str(), began.elapsed()),
        ("marsadd stops", Duration::ZERO)
    );
}

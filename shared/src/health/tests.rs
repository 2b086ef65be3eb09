use proptest::prelude::*;

use super::*;

const OK: PollResult = PollResult::Ok { near_limit: false };
const NEAR: PollResult = PollResult::Ok { near_limit: true };
const SLOW: PollResult = PollResult::Slow;
const THROTTLED: PollResult = PollResult::Throttled;
const FAIL: PollResult = PollResult::Fail(Reason::ConnectTimeout);
const AUTH: PollResult = PollResult::Fail(Reason::Auth);
const LOCAL: PollResult = PollResult::Local(Reason::Network);
const SKIPPED: PollResult = PollResult::Skipped;

fn minute(n: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + n * 60).unwrap()
}

/// The standing after these results, a minute apart, the first at minute 1.
fn after(results: &[PollResult]) -> Standing {
    let limits = Limits::default();
    (1..).zip(results).fold(Standing::new(minute(0)), |standing, (n, result)| {
        standing.apply(*result, minute(n), minute(n), &limits)
    })
}

#[test]
fn results_add_up_to_a_state() {
    use Health::{Degraded, Down, Recovering, Suspect, Unknown, Up};
    for (results, state, since, why) in [
        (&[][..], Unknown, 0, "never measured"),
        (&[OK], Up, 1, "unknown + ok: the first success"),
        (&[SLOW], Up, 1, "unknown + slow: slow counts as ok"),
        (&[THROTTLED], Up, 1, "unknown + throttled: so does throttled"),
        (&[FAIL], Suspect, 1, "unknown + fail"),
        (&[AUTH], Down, 1, "unknown + auth: no retry storm"),
        (&[OK, FAIL], Suspect, 2, "up + fail"),
        (&[OK, AUTH], Down, 2, "up + auth"),
        (
            &[OK, FAIL, FAIL],
            Suspect,
            2,
            "suspect + fail below three: still suspect, since the first",
        ),
        (&[OK, FAIL, FAIL, FAIL], Down, 4, "suspect + the third: confirmed now"),
        (&[OK, FAIL, AUTH], Down, 3, "suspect + auth"),
        (&[OK, FAIL, OK], Up, 3, "suspect + ok: what it was, up"),
        (&[FAIL, OK], Up, 2, "suspect + ok, never up before"),
        (
            &[OK, FAIL, FAIL, OK, FAIL, FAIL],
            Suspect,
            5,
            "a success in between starts the count again",
        ),
        (&[AUTH, OK], Recovering, 2, "down + ok"),
        (&[AUTH, SLOW], Recovering, 2, "down + slow"),
        (&[AUTH, FAIL], Down, 1, "down + fail: the same outage"),
        (&[AUTH, OK, FAIL], Down, 3, "recovering + fail: down again"),
        (&[AUTH, OK, OK], Up, 3, "recovering + the second ok in a row"),
        (&[AUTH, OK, FAIL, OK], Recovering, 4, "not the second in a row"),
        (&[OK, SLOW, SLOW], Up, 1, "two slow are not enough"),
        (&[OK, SLOW, SLOW, SLOW], Degraded, 4, "three slow of the last five"),
        (
            &[SLOW, OK, SLOW, OK, THROTTLED],
            Degraded,
            5,
            "three of five, throttled too, not in a row",
        ),
        (&[SLOW, OK, OK, SLOW, OK, SLOW], Up, 1, "the oldest is forgotten"),
        (&[SLOW, SLOW, SLOW, FAIL], Suspect, 4, "degraded + fail"),
        (&[SLOW, SLOW, SLOW, AUTH], Down, 4, "degraded + auth"),
        (&[SLOW, SLOW, SLOW, FAIL, NEAR], Degraded, 5, "suspect + ok: what it was, degraded"),
        (
            &[OK, SLOW, SLOW, FAIL, SLOW],
            Degraded,
            5,
            "suspect + ok: up, and slow for the third time",
        ),
        (&[SLOW, SLOW, SLOW, OK, OK, OK], Degraded, 3, "two of five are still near the limit"),
        (&[SLOW, SLOW, SLOW, OK, OK, OK, OK], Up, 7, "degraded: one of five near the limit"),
        (&[SLOW, SLOW, SLOW, NEAR, NEAR, NEAR, NEAR], Degraded, 3, "not slow, but near the limit"),
        (&[SLOW, SLOW, SLOW, AUTH, OK, OK], Up, 6, "an outage wipes the memory of slowness"),
        (&[OK, LOCAL, LOCAL, LOCAL, LOCAL], Up, 1, "any + local: the same"),
        (&[OK, FAIL, FAIL, LOCAL, SKIPPED], Suspect, 2, "suspect + local: not the third failure"),
        (
            &[OK, PollResult::Fail(Reason::Disk)],
            Up,
            1,
            "our own fault under the wrong name is still ours",
        ),
        (&[SKIPPED], Unknown, 0, "any + skipped: the same"),
    ] {
        let standing = after(results);
        assert_eq!((standing.state, standing.since), (state, minute(since)), "{why}");
    }
}

#[test]
fn silence_makes_it_unknown() {
    let limits = Limits::default();
    let daily = Limits { interval: Duration::from_hours(24), ..limits };
    let up = after(&[OK]);
    for (now, limits, expected, why) in [
        (16, limits, (Health::Up, minute(1)), "fifteen minutes of silence are not too long"),
        (17, limits, (Health::Unknown, minute(16)), "now they are, since they were"),
        (9_999, limits, (Health::Unknown, minute(16)), "however late that is seen"),
        (4_321, daily, (Health::Up, minute(1)), "three days for a daily measurement"),
        (4_322, daily, (Health::Unknown, minute(4_321)), "and no more"),
        (-9_999, limits, (Health::Up, minute(1)), "a clock that jumped back is no silence"),
    ] {
        let standing = up.at(minute(now), &limits);
        assert_eq!((standing.state, standing.since), expected, "{why}");
        assert_eq!(standing.at(minute(now), &limits), standing, "looking twice changes nothing");
    }

    let blind = (2..40)
        .fold(up, |s, n| s.apply(LOCAL, minute(n), minute(n), &limits))
        .at(minute(40), &limits);
    assert_eq!(blind.state, Health::Unknown, "blind, we do not say that it is up");

    let down = after(&[AUTH]);
    let stopped = down.at(minute(60), &limits);
    assert_eq!(stopped.first_failure_at, Some(minute(1)), "the incident stays open");
    let failed = down.apply(FAIL, minute(60), minute(60), &limits);
    assert_eq!(
        (failed.state, failed.fails),
        (Health::Suspect, 1),
        "the gap comes before the result: counted from one"
    );
    assert_eq!(failed.first_failure_at, Some(minute(1)));
    let good = down.apply(OK, minute(60), minute(60), &limits);
    assert_eq!((good.state, good.first_failure_at), (Health::Up, None));
}

#[test]
fn an_older_result_is_dropped_unless_a_clock_jumped() {
    let limits = Limits::default();
    let up = after(&[OK, OK, OK]);
    for (at, now, state, why) in [
        (2, 3, Health::Up, "it was overtaken"),
        (3, 3, Health::Suspect, "as old as the last one is not older"),
        (2, -7, Health::Up, "the last one is ahead by no more than clocks drift"),
        (-20, -20, Health::Suspect, "the last one lies in the future: the clock was set back"),
    ] {
        let standing = up.apply(FAIL, minute(at), minute(now), &limits);
        assert_eq!(standing.state, state, "{why}");
    }
    let back = up.apply(FAIL, minute(-20), minute(-20), &limits);
    assert_eq!(back.last_result_at, Some(minute(-20)), "from now on the new time counts");
}

#[test]
fn the_numbers_tell_the_trouble() {
    let down = after(&[OK, FAIL, FAIL, FAIL, LOCAL, LOCAL]);
    assert_eq!(down.reason, Some(Reason::ConnectTimeout));
    assert_eq!(
        (down.fails, down.first_failure_at),
        (3, Some(minute(2))),
        "it began with the first failure"
    );
    assert_eq!((down.last_ok_at, down.last_result_at), (Some(minute(1)), Some(minute(4))));
    assert!(down.is_blind() && !after(&[OK, LOCAL]).is_blind(), "two of our own in a row");
    let relapsed = after(&[OK, FAIL, FAIL, FAIL, OK, FAIL]);
    assert_eq!(relapsed.first_failure_at, Some(minute(2)), "the same incident");
    let over = after(&[OK, FAIL, FAIL, FAIL, OK, OK]);
    assert_eq!((over.reason, over.fails, over.first_failure_at), (None, 0, None));
}

#[test]
fn an_open_verdict_is_measured_more_often() {
    let limits = Limits::default();
    for (results, expected, why) in [
        (&[][..], limits.interval, "unknown"),
        (&[OK], limits.interval, "up"),
        (&[FAIL], limits.retry, "suspect: confirm it soon"),
        (&[FAIL, FAIL, FAIL], limits.retry, "down: see its return soon"),
        (&[AUTH], limits.interval, "down by refusal: do not get locked out"),
        (&[AUTH, OK], limits.retry, "recovering"),
        (&[SLOW, SLOW, SLOW], limits.interval, "degraded: do not press the slow"),
    ] {
        assert_eq!(after(results).next_probe_after(&limits), expected, "{why}");
    }
    let often = Limits { interval: Duration::from_secs(10), ..limits };
    assert_eq!(
        after(&[FAIL]).next_probe_after(&often),
        often.interval,
        "never less often than in quiet times"
    );
}

#[test]
fn one_may_be_enough() {
    let limits = Limits { fails: 1, successes: 0, ..Limits::default() };
    let down = Standing::new(minute(0)).apply(FAIL, minute(1), minute(1), &limits);
    assert_eq!(down.state, Health::Down);
    assert_eq!(down.apply(OK, minute(2), minute(2), &limits).state, Health::Up);
}

#[test]
fn a_reason_says_whose_it_is() {
    for reason in Reason::ALL {
        assert_eq!(PollResult::failed(reason) == PollResult::Local(reason), reason.is_local());
        assert!(!(reason.is_local() && reason.side() != Side::Ours), "{reason} is ours alone");
    }
    let at_once: Vec<_> =
        Reason::ALL.into_iter().filter(|reason| reason.is_final_at_once()).collect();
    assert_eq!(at_once, [Reason::TlsExpired, Reason::TlsUntrusted, Reason::Auth]);
}

#[test]
fn it_survives_a_restart() {
    let standing = after(&[OK, SLOW, FAIL, FAIL, LOCAL]);
    let stored = serde_json::to_string(&standing).unwrap();
    assert_eq!(serde_json::from_str::<Standing>(&stored).unwrap(), standing);
}

fn any_result() -> impl Strategy<Value = PollResult> {
    prop_oneof![
        any::<bool>().prop_map(|near_limit| PollResult::Ok { near_limit }),
        Just(SLOW),
        Just(THROTTLED),
        Just(SKIPPED),
        prop::sample::select(&Reason::ALL[..]).prop_map(PollResult::failed),
    ]
}

/// The transitions of the table. Staying is always one.
fn may_follow(from: Health, to: Health) -> bool {
    use Health::{Degraded, Down, Recovering, Suspect, Unknown, Up};
    from == to
        || match from {
            Unknown => matches!(to, Up | Suspect | Down),
            Up => matches!(to, Suspect | Degraded | Down),
            Degraded => matches!(to, Suspect | Up | Down),
            Suspect => matches!(to, Up | Degraded | Down),
            Down => to == Recovering,
            Recovering => matches!(to, Up | Down),
        }
}

proptest! {
    #[test]
    fn only_the_partners_own_results_move_it_and_only_as_the_table_says(
        results in prop::collection::vec(any_result(), 0..120),
    ) {
        let limits = Limits::default();
        let mut standing = Standing::new(minute(0));
        for (n, result) in (1..).zip(results) {
            let before = standing.at(minute(n), &limits); // silence, by our own faults, comes first
            standing = standing.apply(result, minute(n), minute(n), &limits).at(minute(n), &limits);
            prop_assert!(may_follow(before.state, standing.state), "{} to {} by {result:?}", before.state, standing.state);
            if matches!(result, PollResult::Local(_) | SKIPPED) {
                prop_assert_eq!(Standing { local_in_a_row: before.local_in_a_row, ..standing }, before);
            }
            prop_assert_eq!(standing.fails > 0, matches!(standing.state, Health::Suspect | Health::Down));
            prop_assert!(standing.since <= minute(n));
        }
    }

    #[test]
    fn no_time_and_no_count_overflows(
        times in prop::collection::vec((any::<i64>(), any::<i64>(), any_result()), 0..20),
        interval in any::<Duration>(), fails: u8, successes: u8, slow: u8, clear: u8,
    ) {
        let limits = Limits { interval, retry: Duration::MAX, fails, successes, slow, clear };
        let time = |second: i64| Timestamp::from_second(second % 250_000_000_000).unwrap();
        let mut standing = Standing { fails: u32::MAX, successes: u32::MAX, ..Standing::new(Timestamp::MAX) };
        for (at, now, result) in times {
            standing = standing.apply(result, time(at), time(now), &limits).at(time(now), &limits);
            prop_assert!(standing.next_probe_after(&limits) <= interval);
        }
    }
}

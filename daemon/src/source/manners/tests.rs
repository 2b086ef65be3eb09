use super::*;

/// 2026-11-24 14:00:00 UTC: 1 795 528 800 s since 1970.
const NOW: &str = "2026-11-24T14:00:00Z";
const DATE: (&str, &str) = ("date", "Tue, 24 Nov 2026 14:00:00 GMT");

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

const fn rest(seconds: u64, n: u64, of: Option<u64>) -> Asked {
    Asked::Rest { wait: Duration::from_secs(seconds), left: Left { n, of } }
}

const fn spread(gap: u64, over: u64, n: u64, of: Option<u64>) -> Asked {
    let (gap, over) = (Duration::from_secs(gap), Duration::from_secs(over));
    Asked::Spread { gap, over, left: Left { n, of } }
}

/// What is said in headers, what it asks, and why.
type Case = (&'static [(&'static str, &'static str)], Asked, &'static str);

const CASES: &[Case] = &[
    (&[], Asked::Nothing, "most say nothing"),
    (
        &[
            ("x-ratelimit-limit", "60"),
            ("x-ratelimit-remaining", "59"),
            ("x-ratelimit-reset", "30"),
        ],
        Asked::GoOn,
        "plenty",
    ),
    (
        &[("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")],
        rest(30, 0, Some(60)),
        "seconds from now",
    ),
    (
        &[
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795530000"),
        ],
        rest(1_200, 0, Some(5_000)),
        "Unix seconds, as code hosting services have it",
    ),
    (
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795528860000")],
        rest(60, 0, None),
        "Unix milliseconds, and no limit named",
    ),
    (
        &[
            ("x-rate-limit-limit", "600"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1795528810"),
        ],
        rest(10, 0, Some(600)),
        "the spelling of identity providers",
    ),
    (
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "Tue, 24 Nov 2026 14:02:00 GMT")],
        rest(120, 0, None),
        "a date, with its comma",
    ),
    (
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2026-11-24T18:02:00+04:00")],
        rest(120, 0, None),
        "a date of the other kind",
    ),
    (
        &[
            ("x-ratelimit-remaining", "599.0"),
            ("x-ratelimit-reset", "245"),
            ("x-ratelimit-used", "1"),
        ],
        Asked::GoOn,
        "fractions of requests",
    ),
    (
        &[
            ("ratelimit-limit", "100, 100;w=60"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "50"),
        ],
        rest(50, 0, Some(100)),
        "the draft up to 07",
    ),
    (
        &[("ratelimit", "limit=100, remaining=0, reset=5")],
        rest(5, 0, Some(100)),
        "the draft's one header",
    ),
    (
        &[("ratelimit", "\"default\";r=0;t=30"), ("ratelimit-policy", "\"default\";q=100;w=60")],
        rest(30, 0, Some(100)),
        "the draft from 08 on",
    ),
    (
        &[("ratelimit", "default;r=0"), ("ratelimit-policy", "default;q=10;w=60")],
        rest(60, 0, Some(10)),
        "no time: at most its window",
    ),
    (
        &[
            ("ratelimit", "\"burst, of a kind\";r=9;t=1, \"day\";r=0;t=7200"),
            ("ratelimit-policy", "\"day\";q=1000;w=86400"),
        ],
        rest(7_200, 0, Some(1_000)),
        "two policies: the tighter counts",
    ),
    (
        &[("ratelimit", "\"burst\";r=0;t=1"), ("ratelimit", "\"day\";r=2;t=7200")],
        spread(2_400, 7_200, 2, None),
        "in two lines, and the longer wait is the tighter",
    ),
    (
        &[
            DATE,
            ("x-ratelimit-remaining-minute", "0"),
            ("x-ratelimit-limit-minute", "20"),
            ("x-ratelimit-remaining-hour", "300"),
        ],
        rest(60, 0, Some(20)),
        "a policy for each unit: the gateway counts whole minutes",
    ),
    (
        &[
            ("x-ratelimit-limit", "10, 500"),
            ("x-ratelimit-remaining", "7, 0"),
            ("x-ratelimit-reset", "1, 900"),
        ],
        rest(900, 0, Some(500)),
        "lists, item by item",
    ),
    (
        &[("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "2"), ("x-ratelimit-reset", "30")],
        spread(10, 30, 2, Some(60)),
        "two left: throttled before the wall",
    ),
    (
        &[
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "99"),
            ("x-ratelimit-reset", "3000"),
        ],
        spread(30, 3_000, 99, Some(5_000)),
        "less than two in a hundred",
    ),
    (
        &[
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "100"),
            ("x-ratelimit-reset", "3000"),
        ],
        Asked::GoOn,
        "two in a hundred are enough",
    ),
    (&[("x-ratelimit-remaining", "0")], Asked::Nothing, "nobody knows until when"),
    (
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "0")],
        Asked::GoOn,
        "it counts anew just now",
    ),
    (
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795528000")],
        Asked::GoOn,
        "that time is over",
    ),
    (
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2592000")],
        rest(604_800, 0, None),
        "a month: believed for a week",
    ),
    (
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "99999999999")],
        rest(604_800, 0, None),
        "the year 5138",
    ),
    (
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "999999999999999999")],
        Asked::Nothing,
        "no time at all",
    ),
    (
        &[("x-ratelimit-remaining", "-1"), ("x-ratelimit-reset", "30")],
        Asked::Nothing,
        "less than nothing",
    ),
    (&[("x-ratelimit-remaining", "none"), ("x-ratelimit-reset", "soon")], Asked::Nothing, "words"),
    (
        &[("x-ratelimit-remaining", "NaN"), ("x-ratelimit-reset", "inf")],
        Asked::Nothing,
        "what a parser may take for numbers",
    ),
    (&[("ratelimit", "\"a;r=0;t=5, ,;;=,r=0")], Asked::Nothing, "a quote that is never closed"),
    (&[("ratelimit", "limit=, remaining=, reset=")], Asked::Nothing, "names alone"),
];

#[test]
fn every_way_of_counting_requests_is_understood() {
    for (pairs, expected, why) in CASES {
        assert_eq!(asked(&headers(pairs), || NOW.parse().unwrap()), *expected, "{why}");
    }
    let twice = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795528860.25"),
        ("x-ratelimit-reset-after", "64.5"),
    ];
    let (wait, left) = (Duration::from_millis(64_500), Left { n: 0, of: None });
    let asked = asked(&headers(&twice), || NOW.parse().unwrap());
    assert_eq!(asked, Asked::Rest { wait, left }, "the one that needs no clock counts");
}

#[test]
fn a_time_of_day_is_measured_by_the_partners_own_clock() {
    let wrong_here = "2026-11-24T20:00:00Z".parse().unwrap();
    for (pairs, expected, why) in [
        (vec![("retry-after", "30")], Some(30), "seconds"),
        (vec![("retry-after", "0")], Some(0), "at once"),
        (vec![("retry-after", " 30 ")], Some(30), "blanks"),
        (vec![DATE, ("retry-after", "Tue, 24 Nov 2026 14:01:00 GMT")], Some(60), "a date"),
        (vec![DATE, ("retry-after", "Tuesday, 24-Nov-26 14:01:00 GMT")], Some(60), "an old form"),
        (vec![DATE, ("retry-after", "Tue Nov 24 14:01:00 2026")], Some(60), "an older one"),
        (
            vec![("retry-after", "Tue, 24 Nov 2026 20:01:00 GMT")],
            Some(60),
            "by our clock, where it tells no time",
        ),
        (vec![DATE, ("retry-after", "Tue, 24 Nov 2026 13:59:00 GMT")], Some(0), "it is over"),
        (vec![DATE, ("retry-after", "1795528860")], Some(60), "a Unix time is no wait of 56 years"),
        (
            vec![DATE, ("retry-after", "Thu, 24 Dec 2026 14:00:00 GMT")],
            Some(2_592_000),
            "a month is what it says",
        ),
        (vec![("retry-after", "3456000")], Some(3_456_000), "and so are 40 days"),
        (vec![("retry-after", "99999999")], Some(31_622_400), "three years: at most one"),
        (vec![("retry-after", "99999999999999999999")], Some(604_800), "no time: a week"),
        (vec![("retry-after", "6, 6")], Some(6), "two that a proxy joined"),
        (vec![("retry-after", "2"), ("retry-after", "8")], Some(8), "the longest of two"),
        (vec![("retry-after", "-30")], None, "less than nothing"),
        (vec![("retry-after", "a while")], None, "words"),
        (vec![("retry-after", "")], None, "nothing"),
        (
            vec![DATE, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795528860")],
            None,
            "another header's",
        ),
    ] {
        let wait = retry_after(&headers(&pairs), wrong_here).map(|wait| wait.as_secs());
        assert_eq!(wait, expected, "{why}");
    }
    let quota = [DATE, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795528860")];
    assert_eq!(asked(&headers(&quota), || wrong_here), rest(60, 0, None), "the quota's time too");
}

#[test]
fn an_errors_body_may_say_how_long() {
    for (body, expected) in [
        (r#"{"errors":[{"status":"429","meta":{"retryAfter":30}}]}"#, Some(30)),
        (r#"{"errors":[{"meta":{"retryAfter":"30"}}]}"#, Some(30)),
        (r#"{"errors":[{"meta":{"retryAfter":3456000}}]}"#, Some(3_456_000)),
        (r#"{"errors":[{"meta":{"retryAfter":1e12}}]}"#, Some(31_622_400)),
        (r#"{"errors":[{"meta":{"retryAfter":-1}}]}"#, None),
        (r#"{"errors":[{"meta":{"retryAfter":null}}]}"#, None),
        (r#"{"errors":{"meta":{"retryAfter":30}}}"#, None),
        (r#"{"retryAfter":30}"#, None),
    ] {
        let body = serde_json::from_str(body).unwrap();
        assert_eq!(retry_after_in(&body).map(|wait| wait.as_secs()), expected, "{body}");
    }
}

#[test]
fn a_wait_is_told_as_it_was_asked_for() {
    for (wait, expected) in [
        (Duration::from_millis(20_500), "21 s"),
        (Duration::from_hours(1), "3600 s"),
        (Duration::from_secs(7_201), "2 h 1 min"),
        (Duration::from_hours(8), "8 h"),
        (Duration::from_hours(48), "2 d"),
        (Duration::from_hours(960), "40 d"),
        (Duration::from_secs(3_456_001), "40 d 1 h"),
        (WAIT_MAX, "366 d or longer"),
    ] {
        assert_eq!(words(wait), expected, "{wait:?}");
    }
}

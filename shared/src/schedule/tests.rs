use proptest::prelude::*;

use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn an_interval_keeps_its_rhythm() {
    let every = Schedule::Every { every: Duration::from_mins(5) };
    for (last_start, now, expected, why) in [
        (
            None,
            "12:00:00",
            "12:00:15",
            "the first start: half of the 30 s that a tenth of 5 min is",
        ),
        (Some("11:58:00"), "12:00:00", "12:03:00", "so long after the last one"),
        (
            Some("11:55:00"),
            "12:00:00",
            "12:05:00",
            "due this instant is started this instant: the next one",
        ),
        (Some("11:40:10"), "12:00:00", "12:00:10", "missed ticks are skipped, the rhythm is kept"),
        (Some("12:00:00"), "12:00:00", "12:05:00", "just started"),
        (Some("12:04:00"), "12:00:00", "12:05:00", "started in the future: the clock was set back"),
        (
            Some("23:59:59"),
            "12:00:00",
            "12:05:00",
            "however far: the feed does not stop until then",
        ),
    ] {
        let on_the_day = |clock| time(&format!("2026-03-01T{clock}Z"));
        let next = every.next_after(on_the_day(now), last_start.map(on_the_day), 0.5);
        assert_eq!(next, on_the_day(expected), "{why}");
    }
    let short = Schedule::Every { every: Duration::ZERO };
    let now = time("2026-03-01T12:00:00Z");
    assert_eq!(
        short.next_after(now, Some(now), 0.0),
        time("2026-03-01T12:00:01Z"),
        "no schedule spins"
    );
}

#[test]
fn an_interval_falls_on_the_nearest_beat_and_keeps_its_rhythm_there() {
    for (every_ms, started, now, expected, why) in [
        (1_000, "00.000", "00.004", "01.000", "on a beat it stays on it"),
        (1_000, "00.013", "00.020", "01.000", "a start that was woken late comes back to it"),
        (1_000, "00.049", "00.300", "01.000", "however long it took"),
        (1_000, "00.051", "00.060", "01.100", "later than half a beat: the next one"),
        (1_000, "00.040", "01.030", "01.100", "the nearest has passed: always after now"),
        (1_000, "00.040", "01.000", "01.100", "now itself is not after now"),
        (1_250, "00.013", "00.020", "01.263", "no whole number of beats: left as it is"),
    ] {
        let every = Schedule::Every { every: Duration::from_millis(every_ms) };
        let at = |seconds| time(&format!("2026-03-01T12:00:{seconds}Z"));
        assert_eq!(every.next_after(at(now), Some(at(started)), 0.5), at(expected), "{why}");
    }
}

/// Expression, zone, now, the next start, and why.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

fn each_comes_when_expected(rows: &[Row]) {
    for (expression, zone, now, expected, why) in rows {
        let schedule = Schedule::cron(expression, zone).unwrap();
        let next = schedule.next_after(time(now), None, 0.0);
        assert_eq!(next, time(expected), "{expression} {zone}: {why}");
    }
}

#[test]
fn a_clock_time_is_of_its_zone() {
    each_comes_when_expected(&[
        (
            "0 6 * * *",
            "Asia/Dubai",
            "2026-03-01T12:00:00Z",
            "2026-03-02T02:00:00Z",
            "06:00 in Dubai is 02:00 UTC",
        ),
        (
            "0 6 * * *",
            "Asia/Dubai",
            "2026-03-02T01:59:59Z",
            "2026-03-02T02:00:00Z",
            "a second before",
        ),
        (
            "0 6 * * *",
            "Asia/Dubai",
            "2026-03-02T02:00:00Z",
            "2026-03-03T02:00:00Z",
            "now itself is not after now",
        ),
        (
            "*/15 * * * *",
            "Asia/Dubai",
            "2026-03-01T12:07:30Z",
            "2026-03-01T12:15:00Z",
            "each quarter",
        ),
        (
            "30 9 * * MON-FRI",
            "Asia/Dubai",
            "2026-03-06T12:00:00Z",
            "2026-03-09T05:30:00Z",
            "over a weekend",
        ),
        (
            "0 5 * * *",
            "Asia/Kathmandu",
            "2026-03-01T00:00:00Z",
            "2026-03-01T23:15:00Z",
            "a zone of quarters",
        ),
    ]);
}

#[test]
fn a_local_time_that_does_not_exist_moves_forward_and_a_doubled_one_means_the_first() {
    each_comes_when_expected(&[
        // Berlin 2026: 29 March 02:00 becomes 03:00; 25 October 03:00 becomes 02:00.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            "2026-03-29T01:30:00Z",
            "02:30 is not: it moves forward",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-29T01:30:00Z",
            "2026-03-30T00:30:00Z",
            "and comes once",
        ),
        (
            "*/15 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:45:00Z",
            "2026-03-29T01:00:00Z",
            "01:45, then 03:00",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            "2026-10-25T00:30:00Z",
            "02:30 is twice: the first",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
            "and comes once",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T01:10:00Z",
            "2026-10-26T01:30:00Z",
            "in the second 02:10 too",
        ),
        (
            "* * * * *",
            "Europe/Berlin",
            "2026-10-25T01:10:30Z",
            "2026-10-25T02:00:00Z",
            "each minute means the first",
        ),
        (
            "0 3 * * *",
            "Europe/Berlin",
            "2026-10-25T00:59:00Z",
            "2026-10-25T02:00:00Z",
            "03:00 is once",
        ),
    ]);
}

#[test]
fn a_month_has_its_days() {
    each_comes_when_expected(&[
        (
            "0 0 29 2 *",
            "UTC",
            "2096-03-01T00:00:00Z",
            "2104-02-29T00:00:00Z",
            "2100 has no 29 February",
        ),
        (
            "0 0 L * *",
            "UTC",
            "2026-11-30T00:00:00Z",
            "2026-12-31T00:00:00Z",
            "December too has a last day",
        ),
        ("0 0 L * *", "UTC", "2026-12-31T00:00:00Z", "2027-01-31T00:00:00Z", "and then January"),
        ("0 0 L 12 *", "UTC", "2026-12-31T00:00:00Z", "2027-12-31T00:00:00Z", "December alone"),
        ("0 0 * 12 5L", "UTC", "2026-01-01T00:00:00Z", "2026-12-25T00:00:00Z", "its last Friday"),
        ("0 0 * * 1L", "UTC", "2026-11-30T00:00:00Z", "2026-12-28T00:00:00Z", "its last Monday"),
        (
            "0 0 15,L * *",
            "UTC",
            "2026-12-01T00:00:00Z",
            "2026-12-15T00:00:00Z",
            "not only the last",
        ),
        ("0 0 15,L * *", "UTC", "2026-12-15T00:00:00Z", "2026-12-31T00:00:00Z", "but the last too"),
        (
            "0 0 L 2 *",
            "UTC",
            "2027-12-01T00:00:00Z",
            "2028-02-29T00:00:00Z",
            "no December unless asked for",
        ),
    ]);
}

#[test]
fn the_spread_neither_repeats_nor_loses_a_start() {
    let daily = Schedule::cron("0 6 * * *", "UTC").unwrap();
    for (last_start, now, jitter, expected, why) in [
        (None, "02T05:00:00", 1.0, "02T06:00:30", "at most 30 s late"),
        (None, "02T06:00:10", 0.5, "02T06:00:15", "restarted in between: still to come"),
        (Some("02T06:00:05"), "02T06:00:10", 0.9, "03T06:00:27", "started already: not again"),
        (
            Some("01T06:00:05"),
            "02T06:00:10",
            0.5,
            "02T06:00:15",
            "yesterday's start is another one",
        ),
        (Some("09T06:00:00"), "02T06:00:10", 0.5, "02T06:00:15", "one in the future says nothing"),
        (Some("01T06:00:05"), "05T12:00:00", 0.0, "06T06:00:00", "missed days are skipped"),
    ] {
        let in_march = |clock| time(&format!("2026-03-{clock}Z"));
        let next = daily.next_after(in_march(now), last_start.map(in_march), jitter);
        assert_eq!(next, in_march(expected), "{why}");
    }
}

#[test]
fn what_cannot_be_kept_is_refused_with_the_reason() {
    for (expression, zone, expected) in [
        (
            "0 6 * *",
            "UTC",
            "\"0 6 * *\" has 4 fields; give five: minute, hour, day of month, month, day of week",
        ),
        ("", "UTC", "\"\" has 0 fields; give five: minute, hour, day of month, month, day of week"),
        (
            "0 0 6 * * *",
            "UTC",
            "\"0 0 6 * * *\" has 6 fields; give five: minute, hour, day of month, month, day of week",
        ),
        ("61 6 * * *", "UTC", "\"61 6 * * *\": value must be in range 0..=59; found 61"),
        ("0 0 30 2 *", "UTC", "\"0 0 30 2 *\" never comes"),
        ("0 6 * * *", "Dubai", "\"Dubai\" is no time zone; give an IANA name such as Asia/Dubai"),
    ] {
        let error = Schedule::cron(expression, zone).unwrap_err().to_string();
        assert_eq!(error, expected);
    }
    for bad in
        ["@hourly * * * *", "H * * * *", "* * * * \u{1b}", "* * L/2 * *", "0 0 * * 8L", "٥ * * * *"]
    {
        let said = Schedule::cron(bad, "UTC").unwrap_err().to_string();
        assert!(!said.contains(char::is_control), "{said:?}");
    }
}

#[test]
fn the_end_of_time_is_no_panic() {
    let cron = Schedule::cron("0 6 L * *", "Europe/Berlin").unwrap();
    let every = Schedule::Every { every: Duration::MAX };
    for now in [Timestamp::MIN, Timestamp::MAX] {
        for last_start in [None, Some(Timestamp::MIN), Some(Timestamp::MAX)] {
            assert!(cron.next_after(now, last_start, 1.0) >= now);
            assert!(every.next_after(now, last_start, 1.0) >= now);
        }
    }
}

proptest! {
    #[test]
    fn the_next_start_is_after_now_and_no_further_than_the_rhythm(
        every in 1_000_u64..10_000_000_000, now in -1_000_000_000_000_i64..4_000_000_000_000,
        ago in prop::option::of(-5_000_000_000_i64..50_000_000_000), jitter in any::<f64>(),
    ) {
        let every = Duration::from_millis(every);
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let next = Schedule::Every { every }.next_after(at(now), ago.map(|ago| at(now - ago)), jitter);
        prop_assert!(next > at(now));
        prop_assert!(next <= plus(plus(at(now), every), BEAT / 2));
    }

    #[test]
    fn a_clock_time_goes_on_through_every_change_of_zone(
        zone in prop::sample::select(&["Asia/Dubai", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"][..]),
        expression in prop::sample::select(&["*/7 * * * *", "30 2 * * *", "0 0 * * *", "15,45 0-3 * * SUN", "59 23 L * *"][..]),
        start in 1_200_000_000_i64..1_900_000_000, jitter in 0.0..1.0,
    ) {
        let schedule = Schedule::cron(expression, zone).unwrap();
        let mut now = Timestamp::from_second(start).unwrap();
        let mut last = None;
        for _ in 0..50 {
            let next = schedule.next_after(now, last, jitter);
            prop_assert!(next > now && next < plus(now, Duration::from_hours(24 * 63)), "{} then {}", now, next);
            (now, last) = (next, Some(next));
        }
    }
}

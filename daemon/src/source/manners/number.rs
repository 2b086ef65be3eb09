//! Numbers and times as headers write them.

use std::time::Duration;

use jiff::Timestamp;

/// Below this a number is seconds from now: it would be 31 years.
const UNIX: f64 = 1e9;
/// Below this it is Unix seconds (until the year 5138), from here on Unix milliseconds.
const UNIX_MS: f64 = 1e11;
/// From here on (the same year again) it is nothing that anybody means.
const NEVER: f64 = 1e14;

/// How long it is from `now` to what stands in a header: a number or a date.
pub(super) fn moment(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim().trim_matches('"');
    if let Some(n) = number(text) {
        return after(n, now);
    }
    // The three forms of a date in HTTP (RFC 9110 section 5.6.7), and those that people write.
    let date = httpdate::parse_http_date(text).ok().and_then(|date| date.try_into().ok());
    let mail = || jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp());
    let at: Timestamp = date.or_else(mail).or_else(|| text.parse().ok())?;
    Some(span(at, now))
}

/// How long it is from `now` to a time that is told as a number. What it counts shows in its size: seconds from now, Unix
/// seconds, or Unix milliseconds.
pub(super) fn after(n: f64, now: Timestamp) -> Option<Duration> {
    #[expect(clippy::cast_possible_truncation, reason = "below 10^14, and fractions do not matter")]
    let at = |n: f64| n as i64;
    match n {
        n if n < UNIX => from_now(n),
        n if n < UNIX_MS => Some(span(Timestamp::from_millisecond(at(n * 1e3)).ok()?, now)),
        n if n < NEVER => Some(span(Timestamp::from_millisecond(at(n)).ok()?, now)),
        _ => None,
    }
}

fn span(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

/// Seconds; none that are less than nothing.
pub(super) fn from_now(seconds: f64) -> Option<Duration> {
    // More than a Duration holds is no time either.
    Duration::try_from_secs_f64(seconds.min(NEVER)).ok()
}

/// A number that is not less than nothing.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    // What Rust takes for numbers besides: `inf`, `NaN`, `1e9`.
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok()).flatten().filter(|n: &f64| n.is_finite())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and what is too large is as good as the largest"
)]
pub(super) const fn whole(n: f64) -> u64 {
    n as u64
}

//! Manners toward a partner: what its answers ask of us, and what time it is there. Pure: headers in, a wish out.
//!
//! There are many ways to say "not so often". All of them come down to one of three: go on, rest, or spread what is left
//! over the time that is left. Of several policies the tightest counts. What makes no sense asks nothing.

pub mod clock;
mod number;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use number::{after, from_now, moment, number, whole};

/// The longest wait that is taken at its word: more is a mistake of the partner's, and would park a feed for ever.
pub const WAIT_MAX: Duration = Duration::from_hours(366 * 24);
/// The longest wait that nobody asked for in so many words: until requests are counted anew, or where a number is no time.
pub const GUESS_MAX: Duration = Duration::from_hours(7 * 24);
/// What a run sits out where it is. A longer wait ends it, and it goes on when the wait is over.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// What a walk that would begin anew sits out where it is, as long as quotas of an hour take: whoever breaks off then, reads
/// the same pages for ever and never comes to the last.
pub const PATIENCE_MIDWAY: Duration = Duration::from_mins(61);
/// So few requests left are spread over the time that is left.
const FEW: u64 = 2;
/// And so is less than one in so many of those that there are in all.
const FEW_OF: u64 = 50;

/// What an answer asks of the requests after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// It does not count requests, or nobody can tell how.
    #[default]
    Nothing,
    /// Enough are left.
    GoOn,
    /// None is left: no request before `wait` is over.
    Rest { wait: Duration, left: Left },
    /// Few are left: one in each `gap`, as long as `over`.
    Spread { gap: Duration, over: Duration, left: Left },
}

/// How many requests are left, and of how many, where that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub n: u64,
    pub of: Option<u64>,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            Some(of) => write!(f, "{} of {of} are left", self.n),
            None => write!(f, "{} are left", self.n),
        }
    }
}

/// One policy, as headers tell it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Policy {
    left: Left,
    /// How long until it counts anew.
    reset: Duration,
}

/// The wait that an answer asks for with `Retry-After`: seconds, a date by the partner's own `Date`, or, against the
/// standard, a Unix time; of several, as proxies join them, the longest. `now`: the time at the partner where it does not say it.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let now = there(headers, now);
    let one = |text: &str| {
        let said = moment(text, now).map(|wait| wait.min(WAIT_MAX));
        said.or_else(|| number(text).map(|_| GUESS_MAX))
    };
    let lines = headers.get_all(RETRY_AFTER).iter().filter_map(|line| line.to_str().ok());
    // A date has a comma of its own.
    let each = |line: &str| one(line).or_else(|| line.split(',').filter_map(one).max());
    lines.filter_map(each).max()
}

/// The wait in an error's body: JSON:API's `errors[0].meta.retryAfter`, in seconds.
pub fn retry_after_in(body: &Value) -> Option<Duration> {
    let wait = body.pointer("/errors/0/meta/retryAfter")?;
    let seconds = wait.as_f64().or_else(|| number(wait.as_str()?))?;
    from_now(seconds).map(|wait| wait.min(WAIT_MAX))
}

/// A wait in words: seconds, and from two hours on hours or days, rounded up; behind [`WAIT_MAX`] it is not counted.
pub fn words(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let two = |large: u64, unit: &str, small: u64, of: &str| {
        if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {of}") }
    };
    let (minutes, hours) = (seconds.div_ceil(60), seconds.div_ceil(3600));
    match wait {
        _ if wait >= WAIT_MAX => format!("{} d or longer", WAIT_MAX.as_secs() / 86_400),
        _ if seconds < 2 * 3600 => format!("{seconds} s"),
        _ if seconds < 48 * 3600 => two(minutes / 60, "h", minutes % 60, "min"),
        _ => two(hours / 24, "d", hours % 24, "h"),
    }
}

/// What the headers that count requests ask. `now`: the time at the partner where it does not say it.
pub fn asked(headers: &HeaderMap, now: impl FnOnce() -> Timestamp) -> Asked {
    if !headers.keys().any(|name| counts(name.as_str())) {
        return Asked::Nothing;
    }
    let now = there(headers, now());
    let mut policies = Vec::new();
    for prefix in PREFIXES {
        triples(headers, prefix, now, &mut policies);
    }
    structured(headers, now, &mut policies);
    policies.iter().map(Policy::asks).max_by_key(Asked::wait).unwrap_or_default()
}

/// The time at the partner: its `Date`, or what our clock makes of it.
fn there(headers: &HeaderMap, now: Timestamp) -> Timestamp {
    clock::date(headers).unwrap_or(now)
}

impl Asked {
    /// How long no request may leave at all.
    pub fn rest(&self) -> Option<Duration> {
        if let Self::Rest { wait, .. } = self { Some(*wait) } else { None }
    }

    /// How long the next request has to wait.
    const fn wait(&self) -> Duration {
        match self {
            Self::Nothing | Self::GoOn => Duration::ZERO,
            Self::Rest { wait, .. } => *wait,
            Self::Spread { gap, .. } => *gap,
        }
    }
}

impl Policy {
    fn asks(&self) -> Asked {
        let (left, reset) = (self.left, self.reset.min(GUESS_MAX));
        let few = left.n <= FEW
            || left.of.is_some_and(|of| left.n.checked_mul(FEW_OF).is_some_and(|n| n < of));
        match left.n {
            _ if reset.is_zero() || !few => Asked::GoOn,
            0 => Asked::Rest { wait: reset, left },
            // One gap more than requests: behind the last, it counts anew.
            n => {
                let parts = u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
                Asked::Spread { gap: reset / parts, over: reset, left }
            }
        }
    }
}

/// How the headers begin that say `…limit`, `…remaining` and `…reset`.
const PREFIXES: [&str; 3] = ["x-ratelimit-", "x-rate-limit-", "ratelimit-"];
/// What stands behind them where there is one policy for each unit of time, with its length in seconds: such a policy
/// counts anew with each whole unit.
const UNITS: [(&str, i64); 4] =
    [("-second", 1), ("-minute", 60), ("-hour", 3600), ("-day", 86_400)];

fn counts(name: &str) -> bool {
    name == "ratelimit" || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Policies told in three headers, each perhaps a list.
fn triples(headers: &HeaderMap, prefix: &str, now: Timestamp, policies: &mut Vec<Policy>) {
    let after = numbers(headers, &format!("{prefix}reset-after"));
    let resets = if after.is_empty() {
        resets(headers, &format!("{prefix}reset"), now)
    } else {
        after.into_iter().map(|seconds| from_now(seconds?)).collect()
    };
    let limits = numbers(headers, &format!("{prefix}limit"));
    let lefts = numbers(headers, &format!("{prefix}remaining"));
    for (at, left) in lefts.into_iter().enumerate() {
        let limit = limits.get(at).or(limits.first()).copied().flatten();
        let reset = resets.get(at).or(resets.first()).copied().flatten();
        if let (Some(left), Some(reset)) = (left, reset) {
            let left = Left { n: whole(left), of: limit.map(whole) };
            policies.push(Policy { left, reset });
        }
    }
    for (unit, seconds) in UNITS {
        let first = |what: &str| {
            numbers(headers, &format!("{prefix}{what}{unit}")).first().copied().flatten()
        };
        let Some(left) = first("remaining") else { continue };
        let limit = first("limit");
        let left = Left { n: whole(left), of: limit.map(whole) };
        let reset = seconds - now.as_second().rem_euclid(seconds);
        policies.push(Policy { left, reset: Duration::from_secs(reset.unsigned_abs()) });
    }
}

/// Policies told in `RateLimit`: `limit=100, remaining=0, reset=5`, or `"name";r=0;t=5` with a `RateLimit-Policy` of
/// `"name";q=100;w=60`.
fn structured(headers: &HeaderMap, now: Timestamp, policies: &mut Vec<Policy>) {
    let (limit, left, reset) = ("limit", "remaining", "reset");
    let mut whole_one = [(limit, None), (left, None), (reset, None)];
    for item in items(headers, "ratelimit") {
        let (name, parameters) = parts(&item);
        if let Some((key, value)) = name.split_once('=') {
            let known = whole_one.iter_mut().find(|(known, _)| *known == key.trim());
            if let Some((_, slot)) = known {
                *slot = number(value);
            }
            continue;
        }
        let Some(left) = parameter(parameters, "r") else { continue };
        let (of, window) = policy(headers, name);
        let reset = parameter(parameters, "t").or(window).and_then(|t| after(t, now));
        if let Some(reset) = reset {
            let left = Left { n: whole(left), of: of.map(whole) };
            policies.push(Policy { left, reset });
        }
    }
    let [(_, limit), (_, left), (_, reset)] = whole_one;
    if let (Some(left), Some(reset)) = (left, reset.and_then(|reset| after(reset, now))) {
        policies.push(Policy { left: Left { n: whole(left), of: limit.map(whole) }, reset });
    }
}

/// How many requests the policy `name` grants, and in how many seconds.
fn policy(headers: &HeaderMap, name: &str) -> (Option<f64>, Option<f64>) {
    for item in items(headers, "ratelimit-policy") {
        let (known, parameters) = parts(&item);
        if known == name {
            return (parameter(parameters, "q"), parameter(parameters, "w"));
        }
    }
    (None, None)
}

/// The items of a header that is a list, over all its lines. A comma between quotes separates nothing.
fn items(headers: &HeaderMap, name: &str) -> Vec<String> {
    let mut items = Vec::new();
    for line in headers.get_all(name) {
        let line = String::from_utf8_lossy(line.as_bytes());
        let mut quoted = false;
        items.extend(
            line.split(|c| {
                quoted ^= c == '"';
                c == ',' && !quoted
            })
            .map(|item| item.trim().to_owned()),
        );
    }
    items
}

/// An item's name without its quotes, and what stands behind it.
fn parts(item: &str) -> (&str, &str) {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    (name.trim().trim_matches('"'), parameters)
}

fn parameter(parameters: &str, name: &str) -> Option<f64> {
    let found = parameters.split(';').filter_map(|one| one.split_once('='));
    found.filter(|(key, _)| key.trim() == name).find_map(|(_, value)| number(value))
}

/// The numbers in a header that is a list; `None` for what is no number, so that the others keep their places.
fn numbers(headers: &HeaderMap, name: &str) -> Vec<Option<f64>> {
    items(headers, name).iter().map(|item| number(parts(item).0)).collect()
}

/// The times in a header that is a list of numbers, or one date: a date has a comma of its own.
fn resets(headers: &HeaderMap, name: &str, now: Timestamp) -> Vec<Option<Duration>> {
    let one = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    match one {
        Some(text) if moment(&text, now).is_some() => vec![moment(&text, now)],
        _ => numbers(headers, name).into_iter().map(|n| after(n?, now)).collect(),
    }
}

#[cfg(test)]
mod tests;

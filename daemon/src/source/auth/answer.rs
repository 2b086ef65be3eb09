//! What a token server or a log-in call answers: within limits, and never shown as it is.

use std::time::Duration;

use bytes::Bytes;
use jiff::{Timestamp, civil, tz::TimeZone};
use marsad_shared::{
    connection::{ExpiresFormat, TokenLife},
    feed::ScalarPath,
    health::Reason,
};
use reqwest::{RequestBuilder, header::HeaderMap};
use secrecy::SecretString;
use serde_json::Value;
use serde_json_path::JsonPath;
use url::Url;

use super::super::{
    body::packing,
    fault::{FetchError, is_good, without_echo},
    said::Said,
};
use crate::{
    decode::{self, Flow, Plan, Scalar},
    unpack::unpack,
};

/// How long a token server may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer of a token server, in bytes.
const ANSWER_MAX: usize = 64 * 1024;
/// The longest error code of a token server that is shown.
const CODE_MAX: usize = 40;

/// A good answer.
pub(super) struct Answer {
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Asks. `is_ours` tells what may never be shown, wherever the server repeats it; `now` is the server's time of day, where
/// the answer does not say it.
pub(super) async fn ask(
    request: RequestBuilder,
    url: &Url,
    now: Timestamp,
    is_ours: impl Fn(&str) -> bool,
) -> Result<Answer, FetchError> {
    let sent = request.timeout(PATIENCE).send().await;
    let mut answer =
        sent.map_err(|error| FetchError::of_transport(&error.without_url(), url, false))?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| FetchError::of_transport(&error.without_url(), url, true))?
    {
        if body.len() + chunk.len() > ANSWER_MAX {
            let what = "the answer with the token is larger than 64 KiB";
            return Err(FetchError::of(Reason::TooLarge, url, what));
        }
        body.extend_from_slice(&chunk);
    }
    // It may come packed though nobody asked for that; what cannot be unpacked is no answer further down.
    let packed = Bytes::from(body);
    let body = unpack(packed.clone(), &packing(&headers), ANSWER_MAX).unwrap_or(packed);
    if is_good(status) {
        // Some say 200 and mean no (RFC 6749 section 5.2 has them say 400).
        return match code(&body).filter(|code| !is_ours(code)) {
            None => Ok(Answer { headers, body }),
            Some(code) if is_passing(&code) => Err(passing(&code, url)),
            Some(code) => {
                let what = format!("our credentials were refused: it says {code}");
                Err(FetchError::refused(url, &what, remedy(&code)))
            }
        };
    }
    // Nobody may see its body: it may hold a token.
    let shown = without_echo(&headers, &is_ours);
    let said = Said::of_headers(&headers, &is_ours);
    let error = FetchError::of_answer(status, &shown, &said, now, url);
    // A token server says 400 where others say 401 (RFC 6749 section 5.2).
    let refused = matches!(status.as_u16(), 400 | 401 | 403);
    if !refused || matches!(error, FetchError::Throttled { .. }) {
        return Err(error);
    }
    let code = code(&body).filter(|code| !is_ours(code));
    if let Some(code) = code.as_deref().filter(|code| is_passing(code)) {
        return Err(passing(code, url));
    }
    let remedy = code.as_deref().and_then(remedy);
    let code = code.map_or_else(String::new, |code| format!(" and says {code}"));
    let what = format!("our credentials were refused: it answered {status}{code}");
    Err(FetchError::refused(url, &what, remedy))
}

/// What helps against a refusal that says why (RFC 6749 section 5.2).
fn remedy(code: &str) -> Option<&'static str> {
    Some(match code {
        "invalid_scope" => "mend `scope`, or ask the partner which ones we may have",
        "invalid_grant" => {
            "what was shown is good no longer: ask the partner for a new one (refresh token, password), and compare the clocks"
        }
        "unauthorized_client" | "unsupported_grant_type" => {
            "ask the partner which `grant` our client may use"
        }
        _ => return None,
    })
}

fn passing(code: &str, url: &Url) -> FetchError {
    FetchError::of(
        Reason::RemoteFault,
        url,
        &format!("the token server cannot answer now: it says {code}"),
    )
}

/// A body without the mark of its byte order, which some put before JSON too.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// An error code that says nothing of our credentials (RFC 6749 section 4.1.2.1, RFC 8628 section 3.5).
fn is_passing(code: &str) -> bool {
    matches!(code, "temporarily_unavailable" | "server_error" | "slow_down")
}

/// The `error` of RFC 6749, if it looks like one. Its description is free text, and stays where it is.
fn code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(without_mark(body)).ok()?;
    let code = body.get("error")?.as_str()?;
    let is_code = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let shown = !code.is_empty() && code.len() <= CODE_MAX && code.bytes().all(is_code);
    shown.then(|| code.to_owned())
}

/// The answer as JSON. What is none may be the page that says that our log-in was refused: it is not tried again at once.
pub(super) fn json(body: &[u8], url: &Url) -> Result<Value, FetchError> {
    serde_json::from_slice(without_mark(body)).map_err(|error| {
        if error.is_eof() && !body.trim_ascii().is_empty() {
            let what = "the answer that should hold a token ends in the middle";
            return FetchError::of(Reason::Truncated, url, what);
        }
        let what = "the answer that should hold a token is not JSON: a page that refuses our log-in may stand in its place";
        FetchError::of(Reason::Auth, url, what)
    })
}

/// The token in it, of which `body` is the text.
pub(super) fn token(
    json: &Value,
    body: &[u8],
    path: &JsonPath,
    url: &Url,
) -> Result<SecretString, FetchError> {
    // The number of a session is as good.
    let text = path.query(json).first().and_then(|found| match found {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        Value::Number(_) => as_written(body, path),
        _ => None,
    });
    text.filter(|text| !text.is_empty()).map(Into::into).ok_or_else(|| {
        let what = format!("the answer holds no token at {path}");
        FetchError::of(Reason::Auth, url, &what)
    })
}

/// A number as it was written: one that is too long for any of ours is a name all the same.
fn as_written(body: &[u8], path: &JsonPath) -> Option<String> {
    let scalars = [ScalarPath::from(path.clone())];
    let plan = Plan { records: None, deletes: None, scalars: &scalars };
    match decode::json::page(without_mark(body), &plan, |_, _| Flow::More) {
        (found, Ok(())) => found.into_iter().find_map(|found| match found {
            Scalar::Json(number) => Some(number),
            _ => None,
        }),
        _ => None,
    }
}

/// How an end begins that never comes.
const NEVER: &str = "9999-12-";

/// How long it lives. One that does not say, or says that it has ended already, lives for the configured time: never
/// for ever. `now` is the server's time of day.
pub(super) fn life(
    json: &Value,
    how: &TokenLife,
    now: Timestamp,
    url: &Url,
) -> Result<Duration, FetchError> {
    let found = match how.expires.query(json).first() {
        None | Some(Value::Null) => return Ok(how.lifetime),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(how.lifetime),
        Some(found) => found,
    };
    let life = match &how.format {
        ExpiresFormat::Seconds => seconds(found),
        ExpiresFormat::UnixMillis => {
            let text = found.as_str().and_then(|text| text.trim().parse().ok());
            let at = found.as_i64().or(text).map(Timestamp::from_millisecond);
            at.and_then(Result::ok).map(|at| from(now, at))
        }
        ExpiresFormat::Iso { zone } => found.as_str().and_then(|text| {
            let local = || zone.to_timestamp(text.parse::<civil::DateTime>().ok()?).ok();
            // The last day that can be written is how some say that it never ends.
            let never = || text.starts_with(NEVER).then_some(Timestamp::MAX);
            Some(from(now, text.parse().ok().or_else(local).or_else(never)?))
        }),
        ExpiresFormat::Strftime { format, zone } => {
            let text = found.as_str().map(str::to_owned).or_else(|| {
                // An epoch may well be a number.
                found.is_number().then(|| found.to_string())
            });
            text.and_then(|text| Some(from(now, instant(&text, format, zone)?)))
        }
    };
    let life = life.ok_or_else(|| {
        let what = "the token's end is not written as `expires_format` says";
        FetchError::of(Reason::Decode, url, what)
    })?;
    Ok(if life.is_zero() { how.lifetime } else { life })
}

fn seconds(found: &Value) -> Option<Duration> {
    let seconds = match found {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // More than a day is cut anyway.
    Duration::try_from_secs_f64(seconds.clamp(0.0, 1e9)).ok()
}

fn from(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

fn instant(text: &str, format: &str, zone: &TimeZone) -> Option<Timestamp> {
    let read = jiff::fmt::strtime::parse(format, text).ok()?;
    read.to_timestamp().ok().or_else(|| {
        let midnight = || Some(read.to_date().ok()?.at(0, 0, 0, 0));
        zone.to_timestamp(read.to_datetime().ok().or_else(midnight)?).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    #[test]
    fn a_token_that_is_a_number_is_the_number_that_was_written() {
        let url = "https://p.example/login".parse().unwrap();
        for (number, path) in [
            ("7", "$.session.id"),
            ("-12", "$.session.id"),
            ("784000000000001123456", "$.session.id"),
            ("784000000000001123456", "$..id"),
        ] {
            let body = format!("\u{feff}{{\"session\": {{\"id\": {number}}}}}");
            let read = json(body.as_bytes(), &url).unwrap();
            let path = JsonPath::parse(path).unwrap();
            let token = token(&read, body.as_bytes(), &path, &url).unwrap();
            assert_eq!(token.expose_secret(), number, "{path}");
        }
    }

    #[test]
    fn a_tokens_life_is_read_as_it_is_written_and_never_for_ever() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Asia/Dubai").unwrap();
        let iso = || ExpiresFormat::Iso { zone: zone.clone() };
        let strftime = |format: &str| ExpiresFormat::Strftime {
            format: format.to_owned(),
            zone: zone.clone(),
        };
        let (default, millis) = (Some(300), now.as_millisecond());
        for (format, end, expected, why) in [
            (ExpiresFormat::UnixMillis, json!(millis + 60_000), Some(60), "as ArcGIS has it"),
            (ExpiresFormat::UnixMillis, json!((millis + 90_000).to_string()), Some(90), "as text"),
            (ExpiresFormat::UnixMillis, json!("soon"), None, "no number"),
            (ExpiresFormat::Seconds, json!(60), Some(60), "a number"),
            (ExpiresFormat::Seconds, json!("90"), Some(90), "a number as text"),
            (ExpiresFormat::Seconds, json!(null), default, "it does not say"),
            (ExpiresFormat::Seconds, json!(""), default, "it does not say"),
            (ExpiresFormat::Seconds, json!(-1), default, "for ever, to some"),
            (ExpiresFormat::Seconds, json!(0), default, "nothing at all"),
            (ExpiresFormat::Seconds, json!("soon"), None, "no number"),
            (iso(), json!("2026-11-24T10:02:00Z"), Some(120), "an instant"),
            (iso(), json!("2026-11-24T14:01:00+04:00"), Some(60), "with its offset"),
            (iso(), json!("2026-11-24T14:01:00"), Some(60), "without one it is local"),
            (iso(), json!("2026-11-24T09:00:00Z"), default, "over before it began"),
            (iso(), json!(60), None, "not a date"),
            (strftime("%d/%m/%Y %H:%M:%S"), json!("24/11/2026 14:00:30"), Some(30), "local"),
            (strftime("%s"), json!(now.as_second() + 10), Some(10), "an epoch as a number"),
            (strftime("%d/%m/%Y"), json!("tomorrow"), None, "no date"),
        ] {
            let how = TokenLife {
                expires: JsonPath::parse("$.e").unwrap(),
                format,
                lifetime: Duration::from_mins(5),
            };
            let url = "https://p.example/token".parse().unwrap();
            let life = life(&json!({ "t": "x", "e": end }), &how, now, &url).ok();
            assert_eq!(life, expected.map(Duration::from_secs), "{why}");
        }
    }
}

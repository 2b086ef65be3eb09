//! The body of an answer: whole, within limits of time and size, and as it was before it was packed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use marsad_shared::{health::Reason, untrusted::show};
use reqwest::{
    Response,
    header::{CONTENT_ENCODING, HeaderMap},
};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{
    fault::{FetchError, shown},
    unpack::{self, UnpackError},
};

/// The largest page, in bytes as it is decoded (DESIGN section 6).
pub const PAGE_MAX: usize = 256 * 1024 * 1024;

/// The lowest rate at which an answer may come, in bytes a second: a modem of the nineties was faster. Who comes slower
/// holds a run for as long as it likes (security T10).
const RATE_LEAST: u64 = 1024;
/// Over so long at least that rate is measured, so that a pause is not taken for it.
const RATE_OVER: Duration = Duration::from_secs(30);

/// The body of an answer of `url`, with pauses of at most `idle`, until `until`: whole, or none of it.
///
/// # Errors
/// [`FetchError`] if it stops coming, drips, is cut or is larger than [`PAGE_MAX`].
pub async fn read(
    mut response: Response,
    url: &Url,
    idle: Duration,
    until: Instant,
) -> Result<Bytes, FetchError> {
    let mut body = BytesMut::new();
    // Pauses are the business of `idle`: where those may be long, the rate has longer to recover.
    let over = RATE_OVER.max(idle);
    let (mut since, mut before) = (Instant::now(), 0);
    loop {
        let chunk = timeout_at(until.min(Instant::now() + idle), response.chunk()).await;
        let Ok(chunk) = chunk else {
            return Err(FetchError::of(Reason::ReadTimeout, url, "the answer stopped coming"));
        };
        match chunk.map_err(|error| FetchError::of_transport(&error.without_url(), url, true))? {
            None => return Ok(body.freeze()),
            Some(chunk) if body.len() + chunk.len() > PAGE_MAX => {
                let what = "the answer is larger than 256 MiB";
                return Err(FetchError::of(Reason::TooLarge, url, what));
            }
            // Most answers are one piece, which is then taken as it is.
            Some(chunk) => body.extend_from_slice(&chunk),
        }
        if since.elapsed() >= over {
            if ((body.len() - before) as u64) < RATE_LEAST * over.as_secs() {
                let what = format!("the answer came at less than {RATE_LEAST} bytes a second");
                return Err(FetchError::of(Reason::ReadTimeout, url, &what));
            }
            (since, before) = (Instant::now(), body.len());
        }
    }
}

/// What an answer says that it is packed in, over all lines of the header.
pub fn packing(headers: &HeaderMap) -> String {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let says: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    says.join(",")
}

/// A body as it was before it was packed.
///
/// # Errors
/// [`FetchError`] if it cannot be unpacked, or is larger than [`PAGE_MAX`] then.
pub async fn unpacked(body: Bytes, headers: &HeaderMap, url: &Url) -> Result<Bytes, FetchError> {
    let says = packing(headers);
    if !unpack::is_packed(&body, &says) {
        return Ok(body);
    }
    let unpacked = tokio::task::spawn_blocking(move || unpack::unpack(body, &says, PAGE_MAX)).await;
    // A decoder that panics has read something that it cannot.
    let error = match unpacked.unwrap_or(Err(UnpackError::Broken("unknown"))) {
        Ok(plain) => return Ok(plain),
        Err(error) => error,
    };
    let what = error.to_string();
    let what = show(&what);
    Err(match error {
        UnpackError::Broken(_) => FetchError::of(Reason::Truncated, url, &what),
        UnpackError::TooLarge(_) => FetchError::of(Reason::TooLarge, url, &what),
        UnpackError::Unread(_) => FetchError::Final {
            reason: Reason::Encoding,
            text: format!("{}: {what}; ask the partner for {}", shown(url), unpack::ACCEPTED),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of 64 pieces of `piece` bytes, one each `every`.
    async fn dripped(piece: usize, every: Duration) -> Result<Bytes, FetchError> {
        let pieces = futures_util::stream::unfold(0, move |sent| async move {
            tokio::time::sleep(every).await;
            let piece = Ok::<_, std::io::Error>(Bytes::from(vec![b' '; piece]));
            (sent < 64).then_some((piece, sent + 1))
        });
        let response = axum::http::Response::new(reqwest::Body::wrap_stream(pieces));
        let (url, idle) = ("http://p.example/x".parse().unwrap(), Duration::from_secs(30));
        read(response.into(), &url, idle, Instant::now() + Duration::from_hours(1)).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_drips_is_given_up_and_a_slow_one_is_not() {
        let seconds = Duration::from_secs;
        for (piece, every, whole, why) in [
            (3 * 1024, seconds(2), true, "one and a half of the lowest rate"),
            (64 * 1024, seconds(29), true, "long pauses, and much between them"),
            (1, Duration::from_millis(10), true, "it is over before it could be measured"),
            (1024, seconds(2), false, "half of the lowest rate"),
            (1, seconds(20), false, "never idle, and never done"),
            (1, seconds(31), false, "idle"),
        ] {
            let read = dripped(piece, every).await;
            assert_eq!(read.is_ok(), whole, "{why}: {read:?}");
            if let Err(error) = read {
                assert_eq!(error.reason(), Some(Reason::ReadTimeout), "{why}: {error}");
            }
        }
    }
}

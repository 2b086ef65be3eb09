//! Why a request brought nothing: whose side it is on, whether time may cure it, and what to do.

mod causes;
mod tls;

use std::{io::ErrorKind as Kind, time::Duration};

use marsad_shared::health::{PollResult, Reason};
use reqwest::{StatusCode, header::HeaderMap};
use url::Url;

pub use self::tls::peer_until;
use self::{
    causes::{cause, causes},
    tls::of_tls,
};
use super::client::{Astray, Forbidden};

/// A request that brought no answer we can use. One variant for each thing the caller does differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The partner asks us to come later.
    #[error("{text}")]
    Throttled { retry_after: Option<Duration>, text: String },
    /// Time may cure it: the same is tried again.
    #[error("{text}")]
    Transient { reason: Reason, text: String },
    /// Time will not cure it: somebody must do something.
    #[error("{text}")]
    Final { reason: Reason, text: String },
    /// The partner no longer keeps what was asked for (410): asked for otherwise, it may answer.
    #[error("{text}")]
    Gone { text: String },
    /// Our own fault (promise 10).
    #[error("{text}")]
    Local { reason: Reason, text: String },
}

/// A request that hands something over and failed: whether it can have arrived decides what is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// It never left.
    NotSent(FetchError),
    /// It may have arrived: no answer came, or not the whole of it.
    Lost(FetchError),
}

impl Transport {
    pub fn fetch(&self) -> &FetchError {
        match self {
            Self::NotSent(error) | Self::Lost(error) => error,
        }
    }
}

impl FetchError {
    /// What it means for the connection's health.
    pub fn result(&self) -> PollResult {
        match self {
            Self::Throttled { .. } => PollResult::Throttled,
            Self::Gone { .. } => PollResult::Fail(Reason::Http4xx),
            Self::Transient { reason, .. } | Self::Final { reason, .. } => {
                PollResult::Fail(*reason)
            }
            Self::Local { reason, .. } => PollResult::Local(*reason),
        }
    }

    /// The reason among the closed set; being asked to wait is none.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Throttled { .. } => None,
            Self::Gone { .. } => Some(Reason::Http4xx),
            Self::Transient { reason, .. }
            | Self::Final { reason, .. }
            | Self::Local { reason, .. } => Some(*reason),
        }
    }

    /// A fault with that reason at `url`.
    pub fn of(reason: Reason, url: &Url, what: &str) -> Self {
        let text = format!("{}: {what}; {}", shown(url), remedy(reason));
        if reason.is_local() {
            Self::Local { reason, text }
        } else if reason.is_final_at_once() || matches!(reason, Reason::Http4xx | Reason::TooLarge)
        {
            Self::Final { reason, text }
        } else {
            Self::Transient { reason, text }
        }
    }

    /// What an answer's status means, if it is not a good one.
    pub fn of_status(status: StatusCode, headers: &HeaderMap, url: &Url) -> Option<Self> {
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return None;
        }
        let what = format!("the partner answered {status}");
        let retry_after = retry_after(headers);
        Some(match status.as_u16() {
            429 | 503 if status == StatusCode::TOO_MANY_REQUESTS || retry_after.is_some() => {
                let wait = retry_after.map_or_else(String::new, |wait| {
                    format!(" and asks us to wait {} s", wait.as_secs())
                });
                let text = format!(
                    "{}: {what}{wait}; nothing is lost, Marsad goes on by itself",
                    shown(url)
                );
                Self::Throttled { retry_after, text }
            }
            401 | 403 => Self::of(Reason::Auth, url, &what),
            300..400 => {
                let what = format!("{what}: it redirects, and redirects are not followed");
                Self::astray(url, &what)
            }
            408 | 425 => Self::of(Reason::Http5xx, url, &what),
            410 => Self::Gone { text: Self::of(Reason::Http4xx, url, &what).to_string() },
            400..500 => Self::of(Reason::Http4xx, url, &what),
            _ => Self::of(Reason::Http5xx, url, &what),
        })
    }

    /// What went wrong on the way. A time-out is looked for first: reqwest files a stalled body under decoding.
    pub fn of_transport(error: &reqwest::Error, url: &Url, body: bool) -> Self {
        if let Some(forbidden) = cause::<Forbidden>(error) {
            let remedy =
                "no partner is there; if it is meant, write the address itself into base_url";
            let text = format!("{}: {forbidden}; {remedy}", shown(url));
            return Self::Final { reason: Reason::Dns, text };
        }
        if let Some(astray) = cause::<Astray>(error) {
            return Self::astray(url, &astray.to_string());
        }
        let (reason, what) = classify(error, body);
        Self::of(reason, url, &what)
    }
}

impl FetchError {
    /// A redirect that is not followed.
    fn astray(url: &Url, what: &str) -> Self {
        let text = format!("{}: {what}; put the new address into base_url", shown(url));
        Self::Final { reason: Reason::Http4xx, text }
    }
}

/// A URL without what may be secret in it: no query, no user.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Refused only for URLs that cannot have a user at all.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// What the client says of headers without end, and what we say of that.
const FLOODS: [(&str, &str); 3] = [
    (
        "message head is too large",
        "the headers of the answer are a flood: more than 100, or than 400 KiB",
    ),
    ("too_many_continuations", "the headers of the answer are a flood: far more than 256 KiB"),
    (
        // HTTP/2 has one word for both.
        "stream error detected: unspecific protocol error",
        "the headers of the answer are more than 256 KiB, or broken (`http2 = false` may tell which)",
    ),
];

fn classify(error: &reqwest::Error, body: bool) -> (Reason, String) {
    let mut deepest = String::new();
    let mut io = None;
    for cause in causes(error) {
        deepest = cause.to_string();
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(tls);
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            io = Some(error.kind());
        }
        if let Some((_, what)) = FLOODS.iter().find(|(flood, _)| deepest.contains(flood)) {
            return (Reason::TooLarge, (*what).to_owned());
        }
        if deepest.contains("dns error") || deepest.contains("failed to lookup address") {
            return (Reason::Dns, "the host's name is not found".to_owned());
        }
    }
    if error.is_timeout() {
        return if body {
            (Reason::ReadTimeout, "the answer stopped coming".to_owned())
        } else {
            (Reason::ConnectTimeout, "no connection in time".to_owned())
        };
    }
    match io {
        Some(Kind::ConnectionRefused) => (Reason::ConnectRefused, "connection refused".to_owned()),
        Some(Kind::TimedOut) => (Reason::ConnectTimeout, "no connection in time".to_owned()),
        Some(
            Kind::NetworkUnreachable
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::AddrNotAvailable,
        ) => (Reason::Network, "our network has no way there".to_owned()),
        _ if body => (Reason::Truncated, "the answer was cut off on the way".to_owned()),
        Some(
            Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::UnexpectedEof,
        ) => (Reason::Truncated, "the connection was cut before an answer came".to_owned()),
        _ if error.is_connect() => (Reason::ConnectRefused, format!("cannot connect ({deepest})")),
        _ => (Reason::Truncated, format!("no whole answer came ({deepest})")),
    }
}

/// What to do about a reason, in a few words.
const fn remedy(reason: Reason) -> &'static str {
    match reason {
        Reason::Dns => "check the name in base_url and our resolver",
        Reason::ConnectRefused | Reason::ConnectTimeout => {
            "ask the partner whether the service runs; it is tried again"
        }
        Reason::TlsHandshake | Reason::TlsUntrusted => {
            "compare the partner's certificate with what was agreed"
        }
        Reason::TlsExpired => "ask the partner for a new certificate",
        Reason::Auth => "check the credentials, or ask the partner to let us in",
        Reason::Http4xx => "check path and parameters against the partner's documentation",
        Reason::Network | Reason::Resolver => "check our own network; the partner is not to blame",
        Reason::Disk | Reason::DbBusy | Reason::Clock => {
            "mend it here; the partner is not to blame"
        }
        Reason::TooLarge => "ask for smaller pages (`size`)",
        _ => "it is tried again; if it stays, tell the partner",
    }
}

/// The longest wait that is taken at its word: more is a mistake of the partner's, and would park a feed for ever.
const WAIT_MAX: Duration = Duration::from_hours(7 * 24);

/// `Retry-After`, in seconds or as a date measured by the partner's own `Date`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let wait = text("retry-after")?;
    if let Ok(seconds) = wait.parse() {
        return Some(Duration::from_secs(seconds).min(WAIT_MAX));
    }
    let until = jiff::fmt::rfc2822::parse(wait).ok()?.timestamp();
    let from = jiff::fmt::rfc2822::parse(text("date")?).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(from)).unwrap_or_default().min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, headers: &[(&'static str, &'static str)]) -> Option<FetchError> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>();
        let url = "https://user:pw@p.example/v1/x?key=secret".parse().unwrap();
        FetchError::of_status(StatusCode::from_u16(status).unwrap(), &headers, &url)
    }

    #[test]
    fn a_status_says_whether_time_may_cure_it() {
        assert_eq!(of(200, &[]), None);
        assert!(matches!(
            of(500, &[]),
            Some(FetchError::Transient { reason: Reason::Http5xx, .. })
        ));
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
    fn an_error_shows_no_credentials() {
        let text = of(404, &[]).unwrap().to_string();
        assert!(
            text.contains("https://p.example/v1/x:")
                && !text.contains("secret")
                && !text.contains("pw"),
            "{text}"
        );
    }
}

//! Why a request brought nothing: whose side it is on, whether time may cure it, and what to do.

mod causes;
mod proxy;
mod remedy;
mod tls;

use std::{borrow::Cow, io::ErrorKind as Kind, time::Duration};

use jiff::Timestamp;
use marsad_shared::{
    health::{PollResult, Reason},
    request::OnStatus,
    untrusted::show_at_most,
};
use reqwest::{
    StatusCode,
    header::{CONTENT_RANGE, HeaderMap, HeaderValue},
};
use url::Url;

use self::{
    causes::{cause, causes},
    remedy::{remedy, remedy_of},
    tls::of_tls,
};
pub use self::{proxy::is_of_proxy, tls::peer_until};
use super::{
    client::Forbidden,
    gate::HeldBy,
    manners,
    said::{Front, Said},
};

/// Where an X-Road gateway says that an error is its own.
const GATEWAY: &str = "x-road-error";
/// The longest code of a gateway that is shown, in characters.
const CODE_MAX: usize = 80;

/// A request that brought no answer we can use. One variant for each thing the caller does differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The partner asks us to come later.
    #[error("{text}; nothing is lost, Marsad goes on by itself")]
    Throttled { retry_after: Option<Duration>, text: String },
    /// Nothing was asked: what the partner asked for, its budget or the breaker comes first, for so long.
    #[error("{text}; nothing is lost, Marsad goes on by itself")]
    Held { wait: Duration, by: HeldBy, text: String },
    /// Time may cure it: the same is tried again.
    #[error("{text}")]
    Transient { reason: Reason, text: String },
    /// Time will not cure it: somebody must do something.
    #[error("{text}")]
    Final { reason: Reason, text: String },
    /// The partner no longer keeps what was asked for (410, or what the feed takes for it): asked for otherwise, it may
    /// answer.
    #[error("{text}")]
    Gone { status: u16, text: String },
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
    /// The same with its text as `rewrite` has it.
    #[must_use]
    pub fn rewritten(mut self, rewrite: impl Fn(&str) -> String) -> Self {
        let (Self::Throttled { text, .. }
        | Self::Held { text, .. }
        | Self::Transient { text, .. }
        | Self::Final { text, .. }
        | Self::Gone { text, .. }
        | Self::Local { text, .. }) = &mut self;
        *text = rewrite(text);
        self
    }

    /// What it means for the connection's health.
    pub fn result(&self) -> PollResult {
        match self {
            Self::Throttled { .. } => PollResult::Throttled,
            Self::Gone { .. } => PollResult::Fail(Reason::Http4xx),
            Self::Held { .. } => PollResult::Skipped,
            Self::Transient { reason, .. } | Self::Final { reason, .. } => {
                PollResult::Fail(*reason)
            }
            Self::Local { reason, .. } => PollResult::Local(*reason),
        }
    }

    /// The reason among the closed set; being asked to wait is none.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Throttled { .. } | Self::Held { .. } => None,
            Self::Gone { .. } => Some(Reason::Http4xx),
            Self::Transient { reason, .. }
            | Self::Final { reason, .. }
            | Self::Local { reason, .. } => Some(*reason),
        }
    }

    /// What it means to a feed that says so of its status. A gateway knows nothing of cursors, nor does a proxy of ours.
    #[must_use]
    pub fn meaning(self, status: u16, meaning: OnStatus) -> Self {
        if self.is_ours() {
            return self;
        }
        let text = self.to_string();
        match meaning {
            OnStatus::Retry if !matches!(self, Self::Throttled { .. }) => {
                Self::Transient { reason: Reason::Http5xx, text }
            }
            OnStatus::Fail => Self::Final { reason: Reason::Http4xx, text },
            OnStatus::Gone if self.reason() != Some(Reason::GatewayFault) => {
                Self::Gone { status, text }
            }
            _ => self,
        }
    }

    /// A fault with that reason at `url`.
    pub fn of(reason: Reason, url: &Url, what: &str) -> Self {
        Found::new(reason, what).at(url)
    }

    /// Our credentials are refused at `url`, and what helps is known.
    pub fn refused(url: &Url, what: &str, remedy: Option<&'static str>) -> Self {
        let found = Found::new(Reason::Auth, what);
        remedy.map_or(found.clone(), |remedy| found.remedy(remedy)).at(url)
    }

    fn with_text(reason: Reason, text: String) -> Self {
        if reason.is_local() {
            Self::Local { reason, text }
        } else if reason.is_final_at_once() || matches!(reason, Reason::Http4xx | Reason::TooLarge)
        {
            Self::Final { reason, text }
        } else {
            Self::Transient { reason, text }
        }
    }

    /// What an answer that is not a good one means. `said`: what its body says; `now`: the time at the partner, where
    /// the answer does not say it.
    pub fn of_answer(
        status: StatusCode,
        headers: &HeaderMap,
        said: &Said,
        now: Timestamp,
        url: &Url,
    ) -> Self {
        let gateway = gateway(headers).or_else(|| said.gateway.clone());
        let what = what(status, gateway.as_deref(), said);
        let wait = manners::retry_after(headers, now)
            .or_else(|| manners::asked(headers, || now).rest())
            .or(said.retry_after);
        match status.as_u16() {
            429 => Self::throttled(wait, &what, url),
            // Some say it so where the quota is spent.
            403 | 503 if wait.is_some() => Self::throttled(wait, &what, url),
            400..500 if gateway.is_some() => {
                let (reason, remedy) = (Reason::GatewayFault, remedy(Reason::GatewayFault));
                Self::Final { reason, text: format!("{}: {what}; {remedy}", shown(url)) }
            }
            _ if gateway.is_some() => Self::of(Reason::GatewayFault, url, &what),
            400..500 if said.front.is_some() => front(said, &what).at(url),
            401 | 403 => Self::of(Reason::Auth, url, &what),
            300..400 if said.leads.as_deref().is_some_and(is_login) => {
                let to = said.leads.as_deref().unwrap_or_default();
                let what =
                    format!("{what}: it redirects to {to}, as it does with who has not logged in");
                Self::of(Reason::Auth, url, &what)
            }
            300..400 => {
                let to = match &said.leads {
                    Some(to) => format!("it redirects to {to}, and redirects are not followed"),
                    None => "it redirects, and does not say where to".to_owned(),
                };
                Self::astray(url, &format!("{what}: {to}"))
            }
            400..600 if said.fault == Some(false) => {
                let reason = Reason::RemoteFault;
                Self::Final { reason, text: format!("{}: {what}; tell the partner", shown(url)) }
            }
            400..600 if said.fault == Some(true) => Self::of(Reason::RemoteFault, url, &what),
            407 => Found::new(Reason::Network, format!("{what}: a proxy wants to know who we are"))
                .remedy("have it let us through without a log-in, which is not done here")
                .at(url),
            408 | 425 => Self::of(Reason::Http5xx, url, &what),
            gone @ 410 => {
                let text = Self::of(Reason::Http4xx, url, &what).to_string();
                Self::Gone { status: gone, text }
            }
            status @ 400..500 => {
                let found = Found::new(Reason::Http4xx, what);
                remedy_of(status).map_or(found.clone(), |remedy| found.remedy(remedy)).at(url)
            }
            _ => Self::of(Reason::Http5xx, url, &what),
        }
    }

    fn throttled(retry_after: Option<Duration>, what: &str, url: &Url) -> Self {
        let wait = retry_after.map_or_else(String::new, |wait| {
            format!(" and asks us to wait {}", manners::words(wait))
        });
        Self::Throttled { retry_after, text: format!("{}: {what}{wait}", shown(url)) }
    }

    /// What went wrong, and what to do, apart.
    pub fn parted(&self) -> (String, String) {
        let text = self.to_string();
        let known = self.reason().map(remedy).filter(|remedy| text.ends_with(remedy));
        let parts = match known {
            Some(remedy) => {
                text.strip_suffix(remedy).map(|what| (what.trim_end_matches("; "), remedy))
            }
            None => text.rsplit_once("; "),
        };
        let (what, remedy) = parts.unwrap_or((&text, "see the daemon's log"));
        (what.to_owned(), remedy.to_owned())
    }

    /// Whether it says that nobody is there to answer, whatever is asked.
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Transient { reason, .. } => reason.is_outage(),
            Self::Final { reason, .. } => {
                matches!(reason, Reason::TlsExpired | Reason::TlsUntrusted)
            }
            _ => false,
        }
    }

    /// Whether it says nothing of the partner.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Local { .. })
    }

    /// What went wrong on the way. A time-out is looked for first: reqwest files a stalled body under decoding.
    pub fn of_transport(error: &reqwest::Error, url: &Url, body: bool) -> Self {
        if let Some(forbidden) = cause::<Forbidden>(error) {
            let remedy = "no partner is there; if it is meant, write the address itself in place of the name (base_url, token_url)";
            let text = format!("{}: {forbidden}; {remedy}", shown(url));
            return Self::Final { reason: Reason::Dns, text };
        }
        classify(error, body).at(url)
    }
}

/// A fault before it is known where: what it is, in words, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    reason: Reason,
    what: String,
    /// Without `;`: that is what tells it from `what`.
    remedy: &'static str,
}

impl Found {
    fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), remedy: remedy(reason) }
    }

    /// With more to do than its reason tells.
    fn remedy(mut self, remedy: &'static str) -> Self {
        self.remedy = remedy;
        self
    }

    fn at(self, url: &Url) -> FetchError {
        let text = format!("{}: {}; {}", shown(url), self.what, self.remedy);
        FetchError::with_text(self.reason, text)
    }
}

impl FetchError {
    /// A redirect that is not followed.
    pub(super) fn astray(url: &Url, what: &str) -> Self {
        let remedy = "put the new address where the old one stands in the partner's file (base_url, token_url)";
        let text = format!("{}: {what}; {remedy}", shown(url));
        Self::Final { reason: Reason::Http4xx, text }
    }
}

/// Whether an address is one of a page to log in, by the words of its path.
pub(super) fn is_login(to: &str) -> bool {
    let words = ["login", "log-in", "logon", "signin", "sign-in", "sign_in", "sso"];
    let path = Url::parse(to).map_or_else(|_| to.to_owned(), |url| url.path().to_owned());
    path.to_ascii_lowercase().split(['/', '.']).any(|step| words.contains(&step))
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

/// What HTTP/2 says of headers and of lengths that are none.
const BROKEN_STREAM: &str = "stream error detected: unspecific protocol error";

/// What the client says of headers without end, and what we say of that.
const FLOODS: [(&str, &str); 3] = [
    (
        "message head is too large",
        "the headers of the answer are a flood: more than 100, or than 400 KiB",
    ),
    ("too_many_continuations", "the headers of the answer are a flood: far more than 256 KiB"),
    (
        BROKEN_STREAM,
        "the headers of the answer are more than 256 KiB, or broken (`http2 = false` may tell which)",
    ),
];

/// What is said where no name server tells whether there is such a host.
pub const UNTOLD: &str = "no name server answers, or none can tell";

/// Whether the system says so: ours may be away, or that of the partner's own names.
pub fn is_untold(error: &str) -> bool {
    error.contains("emporary failure in name resolution")
}

/// What the client says of an answer that does not begin as one, or that came before anything was asked.
const NO_HTTP: [&str; 3] = [
    "invalid HTTP version parsed",
    "invalid HTTP status-code parsed",
    "received unexpected message from connection",
];

fn classify(error: &reqwest::Error, body: bool) -> Found {
    if error.is_builder() {
        let cause = causes(error).last().map_or_else(|| error.to_string(), ToString::to_string);
        let what = format!("the request cannot be written, and none has left ({cause})");
        return Found::new(Reason::Http4xx, show_at_most(&what, 200));
    }
    let mut deepest = String::new();
    let (mut io, mut named) = (None, false);
    for cause in causes(error) {
        deepest = cause.to_string();
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(tls);
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            io = Some(error.kind());
        }
        if body && deepest.contains(BROKEN_STREAM) {
            return Found::new(Reason::Truncated, "the answer is not as long as its length says");
        }
        if deepest.contains("endpoint requires HTTP/1.1") {
            return Found::new(Reason::Truncated, "it wants no HTTP/2 for that")
                .remedy("write `http2 = false` into its connection");
        }
        if let Some((_, what)) = FLOODS.iter().find(|(flood, _)| deepest.contains(flood)) {
            return Found::new(Reason::TooLarge, *what);
        }
        if is_untold(&deepest) {
            return Found::new(Reason::Resolver, UNTOLD);
        }
        if NO_HTTP.iter().any(|said| deepest.contains(said)) {
            return Found::new(Reason::Truncated, "what answers there does not speak HTTP")
                .remedy("check the port in base_url, and whether https:// is meant");
        }
        named |= deepest.contains("dns error") || deepest.contains("failed to lookup address");
    }
    if named {
        return Found::new(Reason::Dns, "the host's name is not found");
    }
    if error.is_timeout() {
        return if body {
            Found::new(Reason::ReadTimeout, "the answer stopped coming")
        } else {
            Found::new(Reason::ConnectTimeout, "no connection in time")
        };
    }
    of_line(io, error.is_connect(), body, &deepest)
}

/// What became of the line, as the system told it.
fn of_line(io: Option<Kind>, connecting: bool, body: bool, deepest: &str) -> Found {
    match io {
        Some(Kind::ConnectionRefused) => Found::new(Reason::ConnectRefused, "connection refused"),
        Some(Kind::TimedOut) => Found::new(Reason::ConnectTimeout, "no connection in time"),
        Some(
            Kind::NetworkUnreachable
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::AddrNotAvailable,
        ) => Found::new(Reason::Network, "our network has no way there"),
        _ if body => Found::new(Reason::Truncated, "the answer was cut off on the way"),
        Some(
            Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::UnexpectedEof,
        ) => Found::new(Reason::Truncated, "the connection was cut before an answer came"),
        _ if connecting => {
            Found::new(Reason::ConnectRefused, format!("cannot connect ({deepest})"))
        }
        _ => Found::new(Reason::Truncated, format!("no whole answer came ({deepest})")),
    }
}

/// What the partner's web server says before its own program is asked.
fn front(said: &Said, what: &str) -> Found {
    match said.front {
        Some(Front::WantsTls) => {
            Found::new(Reason::Http4xx, format!("{what}: TLS is spoken there, and we came without"))
                .remedy("write https:// into base_url")
        }
        Some(Front::RefusesOurs) => Found::new(
            Reason::Auth,
            format!("{what}: it does not take our certificate (`tls.cert`)"),
        )
        .remedy("check who made it and until when it is good, or ask the partner to let it in"),
        _ => Found::new(Reason::Auth, format!("{what}: it misses a certificate of ours"))
            .remedy("ask the partner for one, and put it into `tls.cert` and `tls.key`"),
    }
}

/// Why an answer with a good status is none to what was asked; `named`: the request named a version that we know, and so
/// asked for no more than what is newer. A part in other units than bytes is a page: some count their records so.
pub fn unasked(
    status: StatusCode,
    headers: &HeaderMap,
    named: bool,
    url: &Url,
) -> Option<FetchError> {
    let range = headers.get(CONTENT_RANGE).map(|range| range.as_bytes().trim_ascii_start());
    let is_page = range.is_some_and(|range| !range.starts_with(b"bytes"));
    let (reason, what) = match status.as_u16() {
        206 if is_page => return None,
        206 | 226 => (Reason::Truncated, "a part, where all was asked for"),
        304 if !named => (Reason::RemoteFault, "nothing newer than a version that we did not name"),
        _ => return None,
    };
    Some(FetchError::of(reason, url, &format!("the partner answered {status}: {what}")))
}

/// The headers of an answer without a gateway's code of which `is_ours` says that it must not be shown.
pub fn without_echo(headers: &HeaderMap, is_ours: impl Fn(&str) -> bool) -> Cow<'_, HeaderMap> {
    let code = headers.get(GATEWAY).map(|code| String::from_utf8_lossy(code.as_bytes()));
    if !code.is_some_and(|code| is_ours(&code)) {
        return Cow::Borrowed(headers);
    }
    let mut headers = headers.clone();
    headers.insert(GATEWAY, HeaderValue::from_static("a code that repeats a secret of ours"));
    Cow::Owned(headers)
}

/// Whether an answer of that status is one to work with.
pub fn is_good(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::NOT_MODIFIED
}

/// Whether an answer is a gateway's own.
pub fn is_of_gateway(headers: &HeaderMap) -> bool {
    headers.contains_key(GATEWAY)
}

/// The code by which an X-Road gateway says that the error is its own, and not the partner's behind it.
fn gateway(headers: &HeaderMap) -> Option<String> {
    let code = headers.get(GATEWAY)?;
    Some(show_at_most(&String::from_utf8_lossy(code.as_bytes()), CODE_MAX))
}

fn what(status: StatusCode, gateway: Option<&str>, said: &Said) -> String {
    let words = said.words.as_ref().map_or_else(String::new, |words| format!(" (\"{words}\")"));
    match gateway {
        Some(code) => format!("error at the gateway, {code}: it answered {status}{words}"),
        None => format!("the partner answered {status}{words}"),
    }
}

#[cfg(test)]
mod tests;

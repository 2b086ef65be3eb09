//! What a proxy of ours says in the partner's place.

use marsad_shared::{health::Reason, untrusted::show_at_most};
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderValue},
};
use url::Url;

use super::{CODE_MAX, FetchError, Found, shown};

/// The header that Squid writes where it answers by itself.
const SQUID: &str = "x-squid-error";
/// The header in which proxies say what they did (RFC 9209).
const STATUS: &str = "proxy-status";

impl FetchError {
    /// The same by way of a proxy of ours: who was not reached is that, as far as anybody can tell.
    #[must_use]
    pub fn by_way_of(self, proxy: Option<&Url>) -> Self {
        let reached = !matches!(
            self,
            Self::Transient {
                reason: Reason::ConnectRefused | Reason::ConnectTimeout | Reason::Dns,
                ..
            }
        );
        let Some(proxy) = proxy.filter(|_| !reached) else { return self };
        let (what, _) = self.parted();
        let proxy = shown(proxy);
        let proxy = proxy.trim_end_matches('/');
        let text = format!(
            "{what}, by way of our proxy {proxy}; check `proxy`, or ask whoever runs it: the partner is not to blame"
        );
        Self::Local { reason: Reason::Network, text }
    }

    /// The same of an answer that a proxy made by itself, by its word, where one of ours is on the way: the partner did not
    /// answer, and whose proxy it is nobody can tell from here. `is_ours`: whether text repeats a secret of ours.
    #[must_use]
    pub fn of_proxy(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        is_ours: impl Fn(&str) -> bool,
        (url, proxy): (&Url, Option<&Url>),
    ) -> Self {
        let Some(proxy) = proxy.filter(|_| url.scheme() == "http") else { return self };
        let Some(word) = word(headers) else { return self };
        if matches!(self, Self::Throttled { .. })
            || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return self;
        }
        let word = if is_ours(&word) { "it repeats a secret of ours".to_owned() } else { word };
        let what = format!("a proxy on the way answered {status} ({word}), and not the partner");
        let reason = match status.as_u16() {
            500..=504 => Reason::Http5xx,
            _ => Reason::Network,
        };
        let (found, ours) = (Found::new(reason, what), shown(proxy));
        let ours = ours.trim_end_matches('/');
        let text = format!(
            "{}: {}; ask whoever runs our proxy {ours}, then the partner",
            shown(url),
            found.what
        );
        Self::with_text(found.reason, text)
    }
}

/// Whether an answer was made by a proxy, by its word.
pub fn is_of_proxy(headers: &HeaderMap) -> bool {
    word(headers).is_some()
}

/// What a proxy that answered by itself calls the fault.
fn word(headers: &HeaderMap) -> Option<String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let word = headers.get(SQUID).map(text).or_else(|| {
        // Each proxy on the way tells its own; the one that is nearest to us stands last.
        let all = headers.get(STATUS).map(text)?;
        let last = all.rsplit(',').next()?.trim().to_owned();
        last.contains("error=").then_some(last)
    })?;
    Some(show_at_most(&word, CODE_MAX))
}

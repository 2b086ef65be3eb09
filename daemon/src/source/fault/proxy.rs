//! What a proxy of ours says in the partner's place.

use marsad_shared::{health::Reason, untrusted::show_at_most};
use reqwest::{StatusCode, header::HeaderMap};
use url::Url;

use super::{CODE_MAX, FetchError, Found, shown};

/// Headers that only a proxy writes which answers by itself: Squid's, and that of RFC 9209.
const OWN: [&str; 2] = ["x-squid-error", "proxy-status"];

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

    /// The same of an answer that is the proxy's own, by its word, where it could answer by itself: what it refuses is its
    /// doing, and whom it has not reached it may be to blame for or not.
    #[must_use]
    pub fn of_proxy(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        url: &Url,
        proxy: Option<&Url>,
    ) -> Self {
        let Some(proxy) = proxy.filter(|_| url.scheme() == "http") else { return self };
        let Some(word) = own(headers) else { return self };
        let proxy = shown(proxy);
        let what = format!("our proxy {} answered {status} ({word})", proxy.trim_end_matches('/'));
        let passes_on = matches!(status.as_u16(), 500..=504);
        if passes_on {
            let remedy = "ask whoever runs it whether it reaches the partner; it is tried again";
            return Found::new(Reason::Http5xx, what).remedy(remedy).at(url);
        }
        let remedy = "check `proxy`, or ask whoever runs it: the partner is not to blame";
        Found::new(Reason::Network, what).remedy(remedy).at(url)
    }
}

/// What a proxy that answered by itself calls the fault.
fn own(headers: &HeaderMap) -> Option<String> {
    let word = OWN.iter().find_map(|name| headers.get(*name))?;
    let word = String::from_utf8_lossy(word.as_bytes());
    // Every proxy on the way may tell its status: where it says no error, the answer is not its own.
    let is_error = headers.contains_key(OWN[0]) || word.contains("error=");
    is_error.then(|| show_at_most(&word, CODE_MAX))
}

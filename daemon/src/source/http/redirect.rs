//! Redirects: not at all, or within the origin, because credentials and headers go along. Each step is a request of its own,
//! proven and counted like any other. A query with a body is sent on only where the partner says that it stays what it is (307, 308); with 303 its answer is fetched from where that stands.

use reqwest::{Method, Response, StatusCode, header::LOCATION};
use url::Url;

use super::is_of_one_origin;
use crate::source::{fault::is_login, said::shown_place};

/// The most redirects of one request.
pub(super) const HOPS_MAX: usize = 5;

/// Where a redirect led that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Astray {
    #[error("it redirects to {0}, where our credentials must not go")]
    Elsewhere(String),
    #[error("it redirects to what is no URL")]
    Nowhere,
    #[error("it redirects more than {HOPS_MAX} times")]
    Round,
    #[error(
        "it redirects to {to} with {status}, and a query that is sent on so arrives there without what it asks (307 and 308 keep it)"
    )]
    Bare { to: String, status: u16 },
}

/// A step that is followed.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) to: Url,
    /// Nothing is asked there: what was asked before is answered there.
    pub(super) fetches: bool,
}

/// Where an answer to `method` at `url` redirects to, and whether what was asked is asked there; `None`: it does not, or to a
/// page to log in, which is no address but a refusal. With 303 the answer to a query stands at an address of its own, and is
/// only fetched from there (RFC 9110 section 15.4.4).
///
/// # Errors
/// [`Astray`] if that is not followed.
pub(super) fn target(
    method: &Method,
    url: &Url,
    response: &Response,
) -> Result<Option<Step>, Astray> {
    let status = response.status();
    let keeps = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let changes = matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND);
    let fetches = status == StatusCode::SEE_OTHER;
    let place = response.headers().get(LOCATION).filter(|_| keeps || changes || fetches);
    // Some write letters as they are.
    let place = place.map(|place| String::from_utf8_lossy(place.as_bytes()));
    let Some(place) = place else { return Ok(None) };
    let mut to = url.join(&place).map_err(|_| Astray::Nowhere)?;
    if is_login(to.as_str()) {
        return Ok(None);
    }
    if !is_of_one_origin(&to, url) {
        return Err(Astray::Elsewhere(to.origin().ascii_serialization()));
    }
    if changes && method != Method::GET {
        let (to, status) = (shown_place(&to), status.as_u16());
        return Err(Astray::Bare { to, status });
    }
    // Who we are is ours to say. Refused only for URLs that cannot have a user at all.
    let _ = to.set_username("");
    let _ = to.set_password(None);
    to.set_fragment(None);
    Ok(Some(Step { to, fetches }))
}

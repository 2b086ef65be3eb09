//! Redirects: not at all, or within the origin, because credentials and headers go along.

use reqwest::redirect::Policy;
use url::Url;

/// The most redirects of one request.
const HOPS_MAX: usize = 5;

/// Where a redirect led that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Astray {
    #[error("it redirects to {0}, where our credentials must not go")]
    Elsewhere(String),
    #[error("it redirects more than {HOPS_MAX} times")]
    Round,
}

/// What is done about redirects.
pub(super) fn policy(followed: bool) -> Policy {
    if !followed {
        return Policy::none();
    }
    Policy::custom(|attempt| {
        let from = attempt.previous().last().map(Url::origin);
        if attempt.previous().len() > HOPS_MAX {
            return attempt.error(Astray::Round);
        }
        if from != Some(attempt.url().origin()) {
            let elsewhere = attempt.url().origin().ascii_serialization();
            return attempt.error(Astray::Elsewhere(elsewhere));
        }
        attempt.follow()
    })
}

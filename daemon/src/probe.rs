//! One task an HTTP connection: measures it when nothing else has for a while, so that its health is known between two
//! polls of a daily feed, and after the last exchange.
//!
//! A probe asks for the head of a page. Any answer but an error of the server's or a refused credential says that the
//! partner can be reached: not every server knows `HEAD`.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use marsad_shared::{
    clock::{plus, until},
    feed::{Feed, Origin},
    health::{Limits, PollResult},
};
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    services::Services,
    source::{fault::FetchError, http::HttpSource},
};

/// Feeds that are due at the same moment come first.
const SLACK: Duration = Duration::from_secs(30);
/// So do those that come for a breaker's try. No longer: the end of an outage is to be seen within a minute, by whoever
/// looks first.
const TRY_SLACK: Duration = Duration::from_secs(5);
/// The longest sleep before what keeps us back is looked at again.
const NAP: Duration = Duration::from_mins(1);
/// The same while a breaker is open, because a feed's try changes when the next one may be.
const TRY_NAP: Duration = Duration::from_secs(5);

/// What measures one connection.
pub struct Probe {
    services: Arc<Services>,
    source: Arc<HttpSource>,
    url: Url,
    /// Whether feeds poll the connection: then they also try again while it fails.
    has_feeds: bool,
}

impl Probe {
    /// The probe of `source`, whose feeds are `feeds`.
    pub fn new(services: Arc<Services>, source: Arc<HttpSource>, feeds: &[Arc<Feed>]) -> Self {
        let path = feeds.iter().find_map(|feed| match &feed.origin {
            Origin::Http(request) => Some(request.path.as_str()),
            Origin::Files(_) => None,
        });
        let base = &source.http.base_url;
        let text = format!("{}{}", base.as_str().trim_end_matches('/'), path.unwrap_or_default());
        let url = text.parse().unwrap_or_else(|_| base.clone());
        Self { services, source, url, has_feeds: path.is_some() }
    }

    /// Measures until `stop`.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let began = self.services.clock.now();
        let mut measured: Option<(Timestamp, Instant)> = None;
        loop {
            let now = self.services.clock.now();
            let standing = self.services.health.standing(&self.source.id);
            let limits = Limits::default();
            let wait = match standing {
                Some(standing) if !self.has_feeds => standing.next_probe_after(&limits),
                _ => limits.interval,
            };
            let heard = standing.and_then(|standing| standing.last_result_at);
            let last = last_of(now, heard, measured.map(|(at, _)| at)).unwrap_or(began);
            let due = plus(last, wait.saturating_add(SLACK));
            let at = Instant::now();
            let wait = in_turn(until(now, due), self.source.gate().try_at(), at);
            // Whatever comes of one, the next is no sooner.
            let pause =
                measured.map_or(Duration::ZERO, |(_, last)| TRY_NAP.saturating_sub(at - last));
            let wait = wait.max(pause);
            let held = self.source.held();
            if wait.is_zero() && held.is_none() {
                self.measure().await;
                if stop.is_cancelled() {
                    return Ok(());
                }
                measured = Some((self.services.clock.now(), Instant::now()));
                continue;
            }
            let nap = if self.source.gate().is_broken() { TRY_NAP } else { NAP };
            let wait = wait.max(held.map_or(Duration::ZERO, |held| held.wait)).min(nap);
            if stop.run_until_cancelled(sleep(wait)).await.is_none() {
                return Ok(());
            }
        }
    }

    async fn measure(&self) {
        let Ok(pass) = self.source.pass().await else { return };
        let head = |url| self.source.request(Method::HEAD, url);
        let answer = self.source.send(pass, &self.url, 0, head).await;
        let (result, detail) = match answer {
            Ok(_) => (PollResult::Ok { near_limit: false }, None),
            // Where the key travels in bodies, a probe has no room for it, and who refuses it is there.
            Err((Some(401 | 403), _)) if self.source.http.auth.is_in_body() => {
                (PollResult::Ok { near_limit: false }, None)
            }
            Err((status, error)) if reached(status, error.fetch()) => {
                (PollResult::Ok { near_limit: false }, None)
            }
            Err((_, error)) => (error.fetch().result(), Some(error.fetch().to_string())),
        };
        self.services.report_health(&self.source.id, result, detail).await;
    }
}

/// When the connection was measured last, as far as the clock has come: by whomever (`heard`), or by us, which may have told
/// nothing of the partner.
fn last_of(
    now: Timestamp,
    heard: Option<Timestamp>,
    measured: Option<Timestamp>,
) -> Option<Timestamp> {
    heard.into_iter().chain(measured).filter(|at| *at <= now).max()
}

/// How long until a probe is due: as its own interval says, and as a breaker's try that no feed comes for. A feed that is
/// due has the try before us.
fn in_turn(due_in: Duration, try_at: Option<Instant>, now: Instant) -> Duration {
    try_at.map_or(due_in, |at| due_in.min((at + TRY_SLACK).saturating_duration_since(now)))
}

/// Whether an answer that is no success still shows that the partner is there.
fn reached(status: Option<u16>, error: &FetchError) -> bool {
    let unknown_method = status == Some(StatusCode::NOT_IMPLEMENTED.as_u16());
    let refused =
        matches!(status, Some(401 | 403)) || matches!(error, FetchError::Throttled { .. });
    unknown_method || (matches!(status, Some(300..500)) && !refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_that_tells_nothing_of_the_partner_is_one_all_the_same() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (heard, measured, expected, why) in [
            (None, None, None, "never"),
            (None, Some(at(90)), Some(at(90)), "our own proxy failed"),
            (Some(at(80)), Some(at(90)), Some(at(90)), "and fails now"),
            (Some(at(95)), Some(at(90)), Some(at(95)), "a feed came since"),
            (Some(at(105)), Some(at(90)), Some(at(90)), "the clock was set back"),
        ] {
            assert_eq!(last_of(at(100), heard, measured), expected, "{why}");
        }
    }

    #[test]
    fn a_probe_is_the_breakers_try_where_no_feed_comes_for_it() {
        let (now, minute) = (Instant::now(), Duration::from_mins(1));
        let later = now + minute;
        for (due_in, try_at, at, expected, why) in [
            (5 * minute, None, now, 5 * minute, "closed: as ever"),
            (5 * minute, Some(later), now, minute + TRY_SLACK, "feeds go first"),
            (5 * minute, Some(now), later, Duration::ZERO, "and none came"),
            (minute / 4, Some(later), now, minute / 4, "due before: it looks, and is told to wait"),
        ] {
            assert_eq!(in_turn(due_in, try_at, at), expected, "{why}");
        }
    }
}

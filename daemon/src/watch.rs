//! What monitoring reads over HTTP on loopback: `/healthz`, `/readyz` and `/metrics` (health-and-freshness.md section 4).
//!
//! Labels are configured ids only; nothing that a partner sent is among them.

use std::{fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    freshness::Freshness,
    health::Health,
    protocol::{ConnectionRow, FeedRow, LIST_MAX, ListQuery, Status},
    store::{Reader, StoreError},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{housekeeping::HEARTBEAT, services::Services};

/// A daemon whose writer has not answered for so many heartbeats is not well.
const BEATS: u32 = 3;

/// The listener, bound and not yet served.
pub struct Page {
    listener: TcpListener,
    services: Arc<Services>,
    stop: CancellationToken,
}

impl Page {
    /// Binds `address`, which the configuration has checked to be a loopback one.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn bind(
        address: SocketAddr,
        services: Arc<Services>,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {address}; mend `http`"))?;
        Ok(Self { listener, services, stop })
    }

    /// Answers until `stop`.
    pub async fn serve(self) -> anyhow::Result<()> {
        let app = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self.services);
        let served =
            axum::serve(self.listener, app).with_graceful_shutdown(self.stop.cancelled_owned());
        served.await.context("the page for monitoring failed")
    }
}

/// Whether the writer ticked: no partner, no disk of its own.
async fn healthz(State(services): State<Arc<Services>>) -> (StatusCode, String) {
    let (now, seen) = (services.clock.now(), services.heartbeat());
    let late =
        SignedDuration::try_from(HEARTBEAT.saturating_mul(BEATS)).unwrap_or(SignedDuration::MAX);
    match seen {
        Some(seen) if now.duration_since(seen) <= late => (StatusCode::OK, "ok\n".to_owned()),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store's writer has not answered for 30 s; see the daemon's log\n".to_owned(),
        ),
    }
}

/// Whether the store can be read: it was brought up to date before anybody could ask.
async fn readyz(State(services): State<Arc<Services>>) -> (StatusCode, String) {
    match services.readers.read(Reader::daemon).await {
        Ok(_) => (StatusCode::OK, "ok\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("store: {error}\n")),
    }
}

async fn metrics(State(services): State<Arc<Services>>) -> impl IntoResponse {
    let now = services.clock.now();
    let read = services.readers.read(move |reader| {
        let status = reader.status(now)?;
        let connections = all(|query| reader.connections(query, now), |row| row.id.to_string())?;
        let feeds = all(|query| reader.feeds(query, now), |row| row.id.to_string())?;
        Ok(text(&status, &connections, &feeds))
    });
    match read.await {
        Ok(text) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            text,
        ),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            format!("{error}\n"),
        ),
    }
}

/// Every row of a list, page by page.
fn all<T>(
    list: impl Fn(&ListQuery) -> Result<Vec<T>, StoreError>,
    id: impl Fn(&T) -> String,
) -> Result<Vec<T>, StoreError> {
    let mut query = ListQuery { limit: Some(LIST_MAX), ..ListQuery::default() };
    let mut rows = Vec::new();
    loop {
        let page = list(&query)?;
        let Some(end) = page.last() else { return Ok(rows) };
        query.after = Some(id(end));
        rows.extend(page);
    }
}

fn text(status: &Status, connections: &[ConnectionRow], feeds: &[FeedRow]) -> String {
    let mut out = Exposition(String::new());
    out.head("build_info", "The version that runs.");
    out.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.head("connection_state", "1 for the state that a connection is in.");
    for row in connections {
        for state in Health::ALL {
            let labels = [("connection", row.id.as_str()), ("state", state.word())];
            out.sample("connection_state", &labels, i64::from(row.health == state));
        }
    }
    out.times(
        "connection_last_success_timestamp_seconds",
        "When a connection last answered well.",
        "connection",
        connections.iter().map(|row| (row.id.as_str(), row.last_ok_at)),
    );
    out.times(
        "connection_state_since_timestamp_seconds",
        "Since when a connection is in its state.",
        "connection",
        connections.iter().map(|row| (row.id.as_str(), Some(row.since_at))),
    );
    out.head("connection_consecutive_failures", "Failures in a row.");
    for row in connections {
        out.sample(
            "connection_consecutive_failures",
            &[("connection", row.id.as_str())],
            row.fails.into(),
        );
    }
    out.head("feed_freshness", "1 for the state that a feed is in.");
    for row in feeds {
        for state in Freshness::ALL {
            let labels = [("feed", row.id.as_str()), ("state", state.word())];
            out.sample("feed_freshness", &labels, i64::from(row.freshness == state));
        }
    }
    out.times(
        "feed_checked_timestamp_seconds",
        "The last good run.",
        "feed",
        feeds.iter().map(|row| (row.id.as_str(), row.checked_at)),
    );
    out.times(
        "feed_arrived_timestamp_seconds",
        "The last commit that changed content.",
        "feed",
        feeds.iter().map(|row| (row.id.as_str(), row.arrived_at)),
    );
    out.times(
        "feed_event_timestamp_seconds",
        "The newest time inside the data.",
        "feed",
        feeds.iter().map(|row| (row.id.as_str(), row.event_at)),
    );
    out.times(
        "feed_next_deadline_timestamp_seconds",
        "When new data is owed.",
        "feed",
        feeds.iter().map(|row| (row.id.as_str(), row.deadline_at)),
    );
    out.head("exchange_queue_items", "Exchanges by state.");
    for (state, count) in &status.exchanges {
        out.sample("exchange_queue_items", &[("state", state)], count.cast_signed());
    }
    let oldest = status
        .oldest_pending_s
        .and_then(|age| status.at.checked_sub(Duration::from_secs(age)).ok());
    out.times(
        "exchange_oldest_pending_timestamp_seconds",
        "When the oldest unfinished exchange was made.",
        "direction",
        [("outgoing", oldest)].into_iter(),
    );
    out.head("quarantine_items", "Items in quarantine.");
    out.sample("quarantine_items", &[], status.quarantine.cast_signed());
    out.0
}

/// Text in Prometheus' format.
struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, help: &str) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.0, "# HELP marsad_{name} {help}\n# TYPE marsad_{name} gauge");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: i64) {
        let labels: Vec<_> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "marsad_{name}{labels} {value}");
    }

    /// A time for each that has one.
    fn times<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        times: impl Iterator<Item = (&'a str, Option<Timestamp>)>,
    ) {
        self.head(name, help);
        for (id, at) in times {
            if let Some(at) = at {
                self.sample(name, &[(label, id)], at.as_second());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_line_that_prometheus_reads() {
        let mut out = Exposition(String::new());
        out.head("quarantine_items", "Items in quarantine.");
        out.sample("quarantine_items", &[], 3);
        out.sample("connection_state", &[("connection", "a/b"), ("state", "up")], 1);
        assert_eq!(
            out.0,
            "# HELP marsad_quarantine_items Items in quarantine.\n# TYPE marsad_quarantine_items gauge\n\
             marsad_quarantine_items 3\nmarsad_connection_state{connection=\"a/b\",state=\"up\"} 1\n"
        );
    }
}

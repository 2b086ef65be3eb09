//! The event stream: NDJSON, one event a line, until either side closes.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use marsad_shared::protocol::{Event, EventKind};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Interval, MissedTickBehavior, interval},
};

use super::Api;

/// How often a silent stream says that it lives.
const PING: Duration = Duration::from_secs(10);

struct Stream {
    api: Arc<Api>,
    events: Receiver<Event>,
    ping: Interval,
    seq: u64,
    greeted: bool,
    over: bool,
}

/// `GET /v1/events`.
pub(super) async fn events(State(api): State<Arc<Api>>) -> Response {
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    let events = api.services.events.listen();
    let stream = Stream { api, events, ping, seq: 0, greeted: false, over: false };
    let lines = futures_util::stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        let mut line = serde_json::to_vec(&event).ok()?;
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(line)), stream))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

impl Stream {
    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        if !self.greeted {
            self.greeted = true;
            return Some(self.own(EventKind::Hello, Some(env!("CARGO_PKG_VERSION").to_owned())));
        }
        let stop = self.api.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {
                self.over = true;
                Some(self.own(EventKind::Bye, None))
            }
            event = self.events.recv() => match event {
                Ok(event) => {
                    self.seq = event.seq;
                    Some(event)
                }
                Err(RecvError::Lagged(_)) => Some(self.own(EventKind::Lagged, None)),
                Err(RecvError::Closed) => None,
            },
            _ = self.ping.tick() => Some(self.own(EventKind::Ping, None)),
        }
    }

    /// An event of the stream itself; it bears the number of the last one told.
    fn own(&self, kind: EventKind, id: Option<String>) -> Event {
        Event { seq: self.seq, at: self.api.services.clock.now(), kind, id }
    }
}

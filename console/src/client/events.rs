//! The event stream: a line of JSON for each thing that changed.

use std::{
    fmt,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use marsad_shared::protocol::Event;
use reqwest::Response;
use tokio::time::timeout;
use tokio_util::{
    codec::{FramedRead, LinesCodec, LinesCodecError},
    io::StreamReader,
};

use super::{Answer, ClientError, socket::chain};

/// Without a line for this long the daemon hangs: it pings every few seconds.
const SILENCE: Duration = Duration::from_secs(20);
/// The longest line; an event has some hundred bytes.
const LINE: usize = 64 * 1024;

/// Events as they come. Ends when the daemon closes it; an error is the last item.
pub struct Events(Pin<Box<dyn Stream<Item = Answer<Event>> + Send>>);

impl Events {
    pub(super) fn new(answer: Response, socket: PathBuf) -> Self {
        let bytes = answer.bytes_stream().map_err(std::io::Error::other);
        let lines =
            FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(LINE));
        let events = stream::unfold(Some(lines), move |lines| {
            let socket = socket.clone();
            async move {
                let mut lines = lines?;
                let item = match timeout(SILENCE, lines.next()).await {
                    Err(_) => Err(ClientError::Unreachable {
                        socket,
                        why: "it has fallen silent".to_owned(),
                    }),
                    Ok(None) => return None,
                    Ok(Some(line)) => event(line, socket),
                };
                let rest = item.is_ok().then_some(lines);
                Some((item, rest))
            }
        });
        Self(Box::pin(events.fuse()))
    }
}

fn event(line: Result<String, LinesCodecError>, socket: PathBuf) -> Answer<Event> {
    match line {
        Ok(line) => serde_json::from_str(&line).map_err(|error| {
            ClientError::Garbled(format!("{error} in a line of the event stream"))
        }),
        Err(LinesCodecError::MaxLineLengthExceeded) => {
            Err(ClientError::Garbled("a line of the event stream is too long".to_owned()))
        }
        Err(LinesCodecError::Io(error)) => {
            Err(ClientError::Unreachable { socket, why: chain(&error) })
        }
    }
}

impl Stream for Events {
    type Item = Answer<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

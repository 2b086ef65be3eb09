//! Follows the daemon: reads everything once, then only what it says has changed, and tries again when it is gone.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use marsad_shared::{
    clock::Clock,
    protocol::{ConnectionRow, Event, EventKind, FeedRow, LIST_MAX, ListQuery, RunRow, Status},
};
use tokio::{
    sync::{Notify, mpsc::Sender},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    client::{Client, ClientError, Listed},
    message::Message,
};

/// The shortest time between two readings of what changed.
const READ: Duration = Duration::from_millis(100);
/// A reading that took long is followed by this many times as long a rest.
const REST: u32 = 4;
/// How often a run under way is looked at.
const PROGRESS: Duration = Duration::from_secs(1);
/// Feeds that are read one by one; if more changed, the whole list is read.
const ONE_BY_ONE: usize = 8;
/// Runs for the last events.
const RECENT: u32 = 20;
/// From the first to the longest wait between two tries.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Why following ended: the daemon is gone, or nobody listens here any more.
enum Ended {
    Gone(String),
    Closed,
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        let told = error.told();
        Self::Gone(told.why)
    }
}

struct Follower {
    client: Client,
    clock: Arc<dyn Clock>,
    outbox: Sender<Message>,
    reread: Arc<Notify>,
    /// The last status that was read.
    status: Option<Status>,
}

/// Follows until the console closes.
pub(super) async fn run(
    client: Client,
    clock: Arc<dyn Clock>,
    outbox: Sender<Message>,
    reread: Arc<Notify>,
) {
    let mut follower = Follower { client, clock, outbox, reread, status: None };
    let mut wait = RETRY.0;
    loop {
        let ended = if follower.client.is_offline() {
            follower.read_folder().await
        } else {
            let began = Instant::now();
            let ended = follower.session().await;
            if began.elapsed() > RETRY.1 {
                wait = RETRY.0; // it was there for a while
            }
            ended
        };
        let why = match ended {
            Ended::Closed => return,
            Ended::Gone(why) => why,
        };
        if follower.send(Message::Away(follower.clock.now(), why)).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = follower.reread.notified() => {}
        }
        wait = (wait * 2).min(RETRY.1);
    }
}

impl Follower {
    async fn send(&self, message: Message) -> Result<(), Ended> {
        self.outbox.send(message).await.map_err(|_| Ended::Closed)
    }

    /// A state folder: read once, and again when asked.
    async fn read_folder(&mut self) -> Ended {
        loop {
            if let Err(ended) = self.read_all().await {
                return ended;
            }
            self.reread.notified().await;
        }
    }

    /// One connection, from its beginning to its end.
    async fn session(&mut self) -> Ended {
        match self.follow().await {
            Err(ended) => ended,
            Ok(why) => Ended::Gone(why),
        }
    }

    async fn follow(&mut self) -> Result<String, Ended> {
        // The stream first, so that nothing is missed between the reading and the following.
        let mut events = self.client.events().await?;
        self.send(Message::Back(self.clock.now())).await?;
        self.read_all().await?;
        let mut changed = Changed::default();
        let mut due = Instant::now() + READ;
        loop {
            let progress = self.status.as_ref().is_some_and(|status| !status.running.is_empty());
            let next = if changed.any() { due } else { due.max(Instant::now() + PROGRESS) };
            let reread = Arc::clone(&self.reread);
            tokio::select! {
                event = events.next() => match event {
                    None => return Ok("it closed the connection".to_owned()),
                    Some(Err(error)) => return Err(error.into()),
                    Some(Ok(event)) if event.kind == EventKind::Bye => {
                        return Ok("it has stopped".to_owned());
                    }
                    Some(Ok(event)) => {
                        changed.note(&event);
                        self.send(Message::Heard(event)).await?;
                    }
                },
                () = sleep_until(next), if changed.any() || progress => {
                    let began = Instant::now();
                    self.read(std::mem::take(&mut changed)).await?;
                    due = Instant::now() + READ.max(began.elapsed() * REST);
                }
                () = reread.notified() => self.read_all().await?,
            }
        }
    }

    /// Everything; what the first frame needs comes first and side by side.
    async fn read_all(&mut self) -> Result<(), Ended> {
        let (status, connections, feeds) = tokio::join!(
            self.client.status(),
            everything::<ConnectionRow>(&self.client),
            everything::<FeedRow>(&self.client),
        );
        self.send(Message::Connections(connections?)).await?;
        self.send(Message::Feeds(feeds?)).await?;
        let status = status?;
        self.status = Some(status.clone());
        self.send(Message::Status(Box::new(status))).await?;
        self.read_recent().await
    }

    async fn read_recent(&self) -> Result<(), Ended> {
        let query = ListQuery { limit: Some(RECENT), ..ListQuery::default() };
        let runs = self.client.list::<RunRow>(&(), &query).await?;
        self.send(Message::Recent(runs)).await
    }

    /// What changed. The states of feeds and connections change with time too: the counts of the status tell.
    async fn read(&mut self, changed: Changed) -> Result<(), Ended> {
        let status = self.client.status().await?;
        let moved = self.status.as_ref().is_none_or(|before| {
            before.feeds != status.feeds || before.connections != status.connections
        });
        self.status = Some(status.clone());
        if changed.has(Kind::Connections) || changed.has(Kind::All) || moved {
            let rows = everything(&self.client).await?;
            self.send(Message::Connections(rows)).await?;
        }
        if changed.has(Kind::All) || moved || changed.feeds.len() > ONE_BY_ONE {
            let rows = everything(&self.client).await?;
            self.send(Message::Feeds(rows)).await?;
        } else if !changed.feeds.is_empty() {
            let mut rows = Vec::new();
            for id in &changed.feeds {
                match self.client.one::<FeedRow>(&(), id).await {
                    Ok(row) => rows.push(row),
                    // Gone from the configuration: the next status counts it no more.
                    Err(ClientError::Problem(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            self.send(Message::SomeFeeds(rows)).await?;
        }
        self.send(Message::Status(Box::new(status))).await?;
        if changed.has(Kind::Runs) || changed.has(Kind::All) {
            self.read_recent().await?;
        }
        Ok(())
    }
}

/// What has changed since the last reading.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changed {
    kinds: BTreeSet<Kind>,
    feeds: BTreeSet<String>,
}

/// A kind of thing that is read again together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Something was missed: all of it.
    All,
    /// The counts.
    Status,
    Connections,
    Runs,
}

impl Changed {
    fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    fn any(&self) -> bool {
        *self != Self::default()
    }

    fn note(&mut self, event: &Event) {
        match event.kind {
            EventKind::Lagged => _ = self.kinds.insert(Kind::All),
            EventKind::Connection => _ = self.kinds.insert(Kind::Connections),
            EventKind::Run => _ = self.kinds.insert(Kind::Runs),
            EventKind::Feed => match &event.id {
                Some(id) => _ = self.feeds.insert(id.clone()),
                None => _ = self.kinds.insert(Kind::All),
            },
            EventKind::Exchange | EventKind::Quarantine | EventKind::Ping => {
                self.kinds.insert(Kind::Status);
            }
            EventKind::Hello | EventKind::Audit | EventKind::Bye | EventKind::Other => {}
        }
    }
}

/// A list from its beginning to its end.
async fn everything<T: Listed<Of = ()>>(client: &Client) -> Result<Vec<T>, ClientError> {
    let mut rows: Vec<T> = Vec::new();
    loop {
        let after = rows.last().and_then(Listed::after);
        let query = ListQuery { after, limit: Some(LIST_MAX), ..ListQuery::default() };
        let page = client.list::<T>(&(), &query).await?;
        let full = page.len() >= LIST_MAX as usize;
        rows.extend(page);
        if !full {
            return Ok(rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_read_again() {
        let event = |kind, id: Option<&str>| Event {
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            kind,
            id: id.map(str::to_owned),
        };
        let none = Changed::default;
        let some = |kind| Changed { kinds: [kind].into(), ..none() };
        for (kind, id, expected, why) in [
            (EventKind::Hello, Some("0.1.0"), none(), "nothing yet"),
            (EventKind::Audit, Some("7"), none(), "no screen shows it"),
            (EventKind::Other, None, none(), "of a later version"),
            (EventKind::Ping, None, some(Kind::Status), "states age"),
            (EventKind::Lagged, None, some(Kind::All), "who knows what"),
            (EventKind::Run, Some("r1"), some(Kind::Runs), "a run"),
            (
                EventKind::Feed,
                Some("a/b"),
                Changed { feeds: ["a/b".to_owned()].into(), ..none() },
                "one feed",
            ),
            (EventKind::Feed, None, some(Kind::All), "some feed"),
        ] {
            let mut changed = Changed::default();
            changed.note(&event(kind, id));
            assert_eq!(changed, expected, "{why}");
        }
    }
}

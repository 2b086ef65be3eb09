//! One task an outbox folder: each complete file that our own systems put there becomes an exchange of its connection.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use marsad_shared::{
    clock::plus,
    connection::{Connection, Link},
    id::{ConnectionId, ExchangeId},
    protocol::EventKind,
    store::{StoreError, ledger::NewExchange, originals::Kept},
    untrusted::show,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    courier::document_max,
    services::Services,
    source::folder::{News, Stamp, TakeError, Taken, Watch, settle},
};

/// What turns files into exchanges.
pub struct Outbox {
    services: Arc<Services>,
    connection: Arc<Connection>,
    watch: Watch,
}

impl Outbox {
    pub fn new(services: Arc<Services>, connection: Arc<Connection>, folder: PathBuf) -> Self {
        let watch = Watch::new(folder, connection.settle, None);
        Self { services, connection, watch }
    }

    /// Accepts files until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut readable = true;
        loop {
            let news = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                news = self.watch.next() => news,
            };
            match news {
                News::Complete(path) => {
                    if let Err(error) = self.take(&path).await {
                        let file = show(&path.to_string_lossy()).into_owned();
                        error!(connection = %self.connection.id, file, %error, "a file of the outbox could not be accepted; it stays where it is and is tried again");
                    }
                }
                News::Scanned => readable = true,
                News::Unreadable(error) => {
                    if std::mem::replace(&mut readable, false) {
                        error!(connection = %self.connection.id, %error, "the outbox cannot be read; make it, let marsadd read it, or look after the server that it lies on");
                    }
                }
            }
        }
    }

    async fn take(&self, path: &Path) -> Result<(), StoreError> {
        let (originals, at) = (self.services.store.originals.clone(), path.to_owned());
        let most = document_max(&self.connection);
        let kept = tokio::task::spawn_blocking(move || keep(&originals, &at, most)).await;
        let (kept, stamp) = match kept.unwrap_or(Err(Refusal::PutOff)) {
            Ok(kept) => kept,
            Err(Refusal::PutOff) => return Ok(()),
            Err(Refusal::Odd(reason)) => {
                warn!(connection = %self.connection.id, file = %show(&path.to_string_lossy()), reason, "a file of the outbox cannot be delivered; it is put aside");
                let Ok(about) = std::fs::symlink_metadata(path) else { return Ok(()) };
                return away(path, Stamp::of(&about), Some(reason)).await;
            }
            Err(Refusal::Store(error)) => return Err(error),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A file that was accepted and not yet moved when the daemon was killed is the same file again.
        let origin =
            format!("outbox\n{}\n{name}\n{}\n{}", self.connection.id, stamp.identity(), kept.hash);
        let (id, new) = accept(&self.services, &self.connection, name, origin, kept).await?;
        info!(exchange = %id, connection = %self.connection.id, new, "exchange accepted");
        away(path, stamp, None).await
    }
}

/// Accepts a document that is safe among the originals. The same `origin` again makes no second exchange.
pub async fn accept(
    services: &Services,
    connection: &Connection,
    name: String,
    origin: String,
    kept: Kept,
) -> Result<(ExchangeId, bool), StoreError> {
    let at = services.clock.now();
    let new = NewExchange {
        connection: connection.id.clone(),
        origin,
        name,
        hash: kept.hash,
        bytes: kept.bytes,
        idempotency_key: uuid::Uuid::now_v7().to_string(),
        at,
        deadline_at: plus(at, deadline(connection)),
    };
    let (id, new) = services.store.ledger.call(move |ledger| ledger.accept(&new)).await?;
    ring(services, &connection.id, id, at);
    Ok((id, new))
}

/// Tells the courier and whoever listens that an exchange changed.
pub fn ring(services: &Services, connection: &ConnectionId, id: ExchangeId, at: Timestamp) {
    services.bells.of(connection).notify_one();
    services.events.tell(at, EventKind::Exchange, Some(id.to_string()));
}

/// How long an exchange of this connection may take.
pub fn deadline(connection: &Connection) -> Duration {
    match &connection.link {
        Link::Http(http) => {
            http.deliver.as_ref().map(|deliver| deliver.deadline).unwrap_or_default()
        }
        Link::Folder(folder) => folder.deadline,
    }
}

enum Refusal {
    PutOff,
    /// No document, or none that can be delivered: why.
    Odd(String),
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn keep(
    originals: &marsad_shared::store::Originals,
    path: &Path,
    most: u64,
) -> Result<(Kept, Stamp), Refusal> {
    let mut taken = match Taken::open(path) {
        Ok(taken) => taken,
        Err(TakeError::PutOff) => return Err(Refusal::PutOff),
        Err(odd @ (TakeError::Odd(_) | TakeError::Unlike(_))) => {
            return Err(Refusal::Odd(odd.to_string()));
        }
        Err(TakeError::Unreadable(source)) => {
            return Err(Refusal::Store(StoreError::Io { path: path.to_owned(), source }));
        }
    };
    if taken.bytes > most {
        let most = most / 1024 / 1024;
        return Err(Refusal::Odd(format!(
            "it is larger than {most} MiB, the most that its connection delivers; have it split"
        )));
    }
    let mut original = originals.incoming()?;
    let copied = io::copy(&mut taken.file, &mut original);
    let bytes = copied.map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    if bytes != taken.bytes || !taken.is_unchanged(path) {
        return Err(Refusal::PutOff);
    }
    Ok((original.keep()?, taken.stamp))
}

/// Moves a file that is dealt with, with the reason beside it if it cannot become an exchange.
async fn away(path: &Path, stamp: Stamp, held: Option<String>) -> Result<(), StoreError> {
    let path = path.to_owned();
    let moved = tokio::task::spawn_blocking(move || {
        settle(&path, stamp, held.as_deref()).map_err(|source| StoreError::Io { path, source })
    });
    moved.await.map_err(|_| StoreError::Closed)?
}

//! A connection's way out: its client, which follows its certificates when their files change.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use marsad_shared::{
    certificate::Material,
    connection::{Http, Tls},
    id::ConnectionId,
};
use reqwest::Client;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{ClientError, Clients, Way};

/// How often the files are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The client of one connection.
#[derive(Debug)]
pub struct Door {
    connection: ConnectionId,
    way: Way,
    /// `None`: TLS is the system's, and the client is always the same.
    tls: Option<Tls>,
    clients: Clients,
    host: String,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    client: Client,
    ours_until: Option<Timestamp>,
    /// The files as they were when they were last read, for better or worse.
    seen: Vec<Option<Mark>>,
    looked: Instant,
}

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Door {
    /// The way out of `connection`. Reads its certificates.
    ///
    /// # Errors
    /// [`ClientError`] if they, or the system's, are of no use.
    pub fn new(
        connection: &ConnectionId,
        http: &Http,
        clients: &Clients,
    ) -> Result<Self, ClientError> {
        let way = Way::of(http);
        // As the handshake names it.
        let host = http.base_url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut clients = clients.clone();
        let (client, ours_until, seen) = match &http.tls {
            None => (clients.client(&way)?, None, Vec::new()),
            Some(tls) => {
                let seen = marks(tls);
                clients = clients.apart();
                let (client, ours_until) = read(&clients, &way, tls)?;
                (client, ours_until, seen)
            }
        };
        let now = Mutex::new(Now { client, ours_until, seen, looked: Instant::now() });
        let connection = connection.clone();
        Ok(Self { connection, way, tls: http.tls.clone(), clients, host, now })
    }

    /// The client, as new as its files. One that is broken changes nothing but the log.
    pub async fn client(&self) -> Client {
        let Some(tls) = self.due() else { return self.last() };
        let (way, tls, seen) = (self.way.clone(), tls.clone(), self.lock().seen.clone());
        let clients = self.clients.clone();
        // Files may be on a disk that hangs.
        let looked = tokio::task::spawn_blocking(move || {
            let marks = marks(&tls);
            (marks != seen).then(|| (read(&clients, &way, &tls), marks))
        });
        if let Ok(Some((read, marks))) = looked.await {
            let mut now = self.lock();
            now.seen = marks;
            match read {
                Ok((client, ours_until)) => {
                    (now.client, now.ours_until) = (client, ours_until);
                    info!(connection = %self.connection, "certificates have changed and are used from now on");
                }
                Err(error) => {
                    warn!(connection = %self.connection, %error, "certificates have changed and are of no use: the old ones stay");
                }
            }
        }
        self.last()
    }

    /// When the chain ends that was shown with a server's certificate; `None`: no sooner than that itself.
    pub fn chain_end(&self, shown: &[u8]) -> Option<Timestamp> {
        self.clients.chains.end_of(&self.host, shown)
    }

    /// How often the end of a chain has changed so far, anybody's.
    pub fn chains(&self) -> u64 {
        self.clients.chains.changes()
    }

    /// The client as it was last.
    pub fn last(&self) -> Client {
        self.lock().client.clone()
    }

    /// Until when our certificate is good, if we show one.
    pub fn ours_until(&self) -> Option<Timestamp> {
        self.lock().ours_until
    }

    /// The files, if it is time to look at them.
    fn due(&self) -> Option<&Tls> {
        let tls = self.tls.as_ref()?;
        let mut now = self.lock();
        if now.looked.elapsed() < LOOK_EVERY {
            return None;
        }
        now.looked = Instant::now();
        Some(tls)
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(
    clients: &Clients,
    way: &Way,
    tls: &Tls,
) -> Result<(Client, Option<Timestamp>), ClientError> {
    let material = Material::read(tls)?;
    Ok((clients.make(way, &material)?, material.ours_until()))
}

fn marks(tls: &Tls) -> Vec<Option<Mark>> {
    let identity = tls.identity.as_ref();
    let files: [Option<&PathBuf>; 3] =
        [tls.ca.as_ref(), identity.map(|own| &own.cert), identity.map(|own| &own.key)];
    files.into_iter().flatten().map(|file| mark(file)).collect()
}

fn mark(file: &Path) -> Option<Mark> {
    let about = fs::metadata(file).ok()?;
    Some(Mark {
        inode: about.ino(),
        bytes: about.len(),
        changed: (about.mtime(), about.mtime_nsec()),
    })
}

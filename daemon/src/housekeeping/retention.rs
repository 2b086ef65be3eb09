//! What came and is kept long enough goes: originals that nothing needs any more, and what was refused and nobody wanted.
//!
//! What says that an original is needed goes first, in a commit of its own, and the file behind it: a daemon that is killed
//! between the two leaves a file that nothing needs, and finds it the next time.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use marsad_shared::{
    audit::{Deed, Head, Phase},
    protocol::EventKind,
    store::StoreError,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::services::Services;

/// How often the folder of originals is looked through: a million files cost some seconds.
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// The most files of feeds that are forgotten, and items that leave quarantine, at once: small commits.
const AT_ONCE: u32 = 500;
/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;
/// As whom the daemon stands in the audit.
const DAEMON: &str = "daemon";
/// What it does there.
const EXPIRE: &str = "expire_quarantine";

/// The time `age` before `now`.
fn before(now: Timestamp, age: Duration) -> Timestamp {
    now.checked_sub(age).unwrap_or(Timestamp::MIN)
}

/// Lets go of what was last refused longer ago than `age`, a small commit at a time; the audit says how much of which feed.
pub(super) async fn expire(
    services: &Arc<Services>,
    age: Duration,
    now: Timestamp,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let uid = nix::unistd::Uid::effective().as_raw();
    let deed = Deed {
        seq: 0,
        at: now,
        uid,
        user: nix::unistd::User::from_uid(uid.into())
            .ok()
            .flatten()
            .map_or_else(String::new, |user| user.name),
        role: DAEMON.to_owned(),
        action: EXPIRE.to_owned(),
        object: String::new(),
        reason: Some(format!("nobody wanted it for {} days", age.as_secs() / DAY)),
        phase: Phase::Done,
        detail: String::new(),
        of: None,
    };
    while !stop.is_cancelled() {
        let deed = deed.clone();
        let expire = move |ledger: &mut marsad_shared::store::Ledger| {
            ledger.expire_quarantine(before(now, age), AT_ONCE, &deed)
        };
        let (gone, entries) = services.store.ledger.call(expire).await?;
        if gone == 0 {
            break;
        }
        info!(items = gone, "what was refused long ago has left quarantine");
        services.events.tell(now, EventKind::Quarantine, None);
        if let Some(last) = entries.last() {
            let (head, doing) =
                (Head { seq: last.deed.seq, hash: last.hash }, Arc::clone(services));
            let noted =
                tokio::task::spawn_blocking(move || doing.store.folder.note_head(head)).await;
            if let Err(error) = noted.unwrap_or(Err(StoreError::Closed)) {
                warn!(%error, "the audit's head could not be noted");
            }
            info!(seq = head.seq, hash = %head.hash, "audit head");
            services.events.tell(now, EventKind::Audit, Some(head.seq.to_string()));
        }
    }
    Ok(())
}

/// When the folder of originals was looked through last.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    at: Option<Instant>,
}

impl Sweep {
    /// Lets go of originals that nothing needs, and has needed for `age`, if it is time to look for them.
    pub(super) async fn sweep(
        &mut self,
        services: &Arc<Services>,
        age: Duration,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        if self.at.is_some_and(|at| at.elapsed() < SWEEP_EVERY) {
            return Ok(());
        }
        self.at = Some(Instant::now());
        let since = before(now, age);
        loop {
            let forget =
                move |cache: &mut marsad_shared::store::Cache| cache.forget_files(since, AT_ONCE);
            if services.store.cache.call(forget).await? < AT_ONCE as usize || stop.is_cancelled() {
                break;
            }
        }
        let mut gone = 0;
        for first in 0..=u8::MAX {
            if stop.is_cancelled() {
                break;
            }
            gone += remove(services, first, since).await?;
        }
        if gone > 0 {
            info!(files = gone, "originals that nothing needs have gone");
        }
        Ok(())
    }
}

/// Removes those originals of which the hash begins with `first` and which nothing has needed since `since`.
async fn remove(services: &Arc<Services>, first: u8, since: Timestamp) -> Result<u64, StoreError> {
    let originals = services.store.originals.clone();
    let written = SystemTime::try_from(since).unwrap_or(SystemTime::UNIX_EPOCH);
    let aged = tokio::task::spawn_blocking(move || {
        originals.aged(first, written).map(|aged| originals.going(aged))
    });
    let going = aged.await.map_err(|_| StoreError::Closed)??;
    if going.hashes().is_empty() {
        return Ok(0);
    }
    let hashes = going.hashes().to_vec();
    let needed =
        services.readers.read(move |reader| reader.needed_originals(&hashes, since)).await?;
    let removed = tokio::task::spawn_blocking(move || going.remove(&needed));
    removed.await.map_err(|_| StoreError::Closed)?
}

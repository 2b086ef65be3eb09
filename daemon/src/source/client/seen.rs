//! How long the certificates of a connection are good: the partner's as it was last shown, and ours as it is in use.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use marsad_shared::certificate::{Certificates, until};
use reqwest::{Response, tls::TlsInfo};
use tokio::sync::watch;

use super::Door;

/// What is known, and who wants to hear of it.
#[derive(Debug, Default)]
pub struct Seen {
    /// The partner's certificate, and how many chains had been met by then: so that it is read once, and not with each answer.
    last: Mutex<(Vec<u8>, u64)>,
    known: watch::Sender<Certificates>,
}

impl Seen {
    /// With what is known of ours before anybody was asked.
    pub fn new(ours_until: Option<Timestamp>) -> Self {
        let seen = Self::default();
        seen.note(None, ours_until);
        seen
    }

    /// Notes with whom we spoke, and what we showed.
    pub fn answered(&self, answer: &Response, door: &Door) {
        let info = answer.extensions().get::<TlsInfo>();
        let theirs = info.and_then(TlsInfo::peer_certificate).and_then(|der| self.read(der, door));
        self.note(theirs, door.ours_until());
    }

    /// Notes until when a certificate was good that was refused for that. One that was seen before it is news if it comes back.
    pub fn refused(&self, theirs_until: Timestamp, ours_until: Option<Timestamp>) {
        self.lock().0.clear();
        self.note(Some(theirs_until), ours_until);
    }

    /// To hear of each change.
    pub fn subscribe(&self) -> watch::Receiver<Certificates> {
        self.known.subscribe()
    }

    /// The end of a certificate, or of its chain, that was not seen before.
    fn read(&self, der: &[u8], door: &Door) -> Option<Timestamp> {
        let mut last = self.lock();
        let (known, changes) = &mut *last;
        let now = door.chains();
        if known == der && *changes == now {
            return None;
        }
        der.clone_into(known);
        *changes = now;
        until(der).into_iter().chain(door.chain_end(der)).min()
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<u8>, u64)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, theirs: Option<Timestamp>, ours_until: Option<Timestamp>) {
        self.known.send_if_modified(|known| {
            let theirs_until = theirs.or(known.theirs_until);
            let new = Certificates { theirs_until, ours_until };
            let changed = new != *known;
            *known = new;
            changed
        });
    }
}

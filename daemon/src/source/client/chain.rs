//! Until when a chain of certificates is good. A server's own certificate may be good for a year, and the one that vouches for it
//! end in five days: then it is refused in five days.
//!
//! What a server shows beside its own may be no part of the way to whom we trust, and may have ended long ago. So it is asked of
//! the judge itself, whether it would still take it once the first of them has ended.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use marsad_shared::certificate::until;
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// So many servers' chains are remembered, that of each when it was last met with a whole handshake.
const CHAINS: usize = 1_024;

/// The ends of chains, where one of them comes before that of the server's own certificate.
#[derive(Debug, Default)]
pub(super) struct Chains {
    ends: Mutex<HashMap<u64, Timestamp>>,
    changes: AtomicU64,
}

impl Chains {
    /// When the chain ends that `host` showed with its certificate; `None`: no sooner than that itself.
    pub(super) fn end_of(&self, host: &str, shown: &[u8]) -> Option<Timestamp> {
        self.lock().get(&place(host, shown)).copied()
    }

    /// How often an end has changed so far.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    fn note(&self, host: &str, shown: &[u8], end: Option<Timestamp>) {
        let mut ends = self.lock();
        let before = match end {
            Some(end) => {
                if ends.len() >= CHAINS {
                    ends.clear();
                }
                ends.insert(place(host, shown), end)
            }
            None => ends.remove(&place(host, shown)),
        };
        if before != end {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Timestamp>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(host: &str, shown: &[u8]) -> u64 {
    xxh3_64_with_seed(shown, xxh3_64(host.as_bytes()))
}

/// Who says whether a server is the one that is meant. Whether the server has its certificate's key is proven in one way for all.
pub(super) trait Judge: Debug + Send + Sync {
    /// # Errors
    /// What [`ServerCertVerifier::verify_server_cert`] says of one that is not taken.
    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error>;
}

/// A judge who is watched: what is taken is what `by` takes, no more and no less.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) by: Arc<dyn Judge>,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) chains: Arc<Chains>,
}

impl Watched {
    /// The first end of what was shown besides, behind which it would not be taken any more.
    fn end(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> Option<Timestamp> {
        let own = until(shown)?;
        let mut ends: Vec<_> = between.iter().filter_map(|one| until(one)).collect();
        ends.retain(|end| *end < own && end.as_second() > now.as_secs().cast_signed());
        ends.sort_unstable();
        ends.dedup();
        ends.into_iter().find(|end| {
            let behind = Duration::from_secs(end.as_second().cast_unsigned() + 1);
            let behind = UnixTime::since_unix_epoch(behind);
            self.by.judge(shown, between, host, &[], behind).is_err()
        })
    }
}

impl ServerCertVerifier for Watched {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.by.judge(shown, between, host, ocsp, now)?;
        self.chains.note(&host.to_str(), shown, self.end(shown, between, host, now));
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

//! What a connection's TLS stands on, beyond what the system trusts.

use std::path::PathBuf;

use secrecy::SecretString;

/// The files of a connection's TLS. Never what turns a check off: there is no such thing.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM: whom alone we trust there. `None`: whomever the system trusts.
    pub ca: Option<PathBuf>,
    /// Who we are there.
    pub identity: Option<Identity>,
}

/// A certificate of ours with its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// PEM: ours first, then whoever vouches for it.
    pub cert: PathBuf,
    /// PEM, closed to others.
    pub key: PathBuf,
    /// What the key is encrypted with.
    pub passphrase: Option<SecretString>,
}

//! Whom we trust: whom the system does or, where the configuration says so itself, the authorities that it holds, and the very
//! certificates.
//!
//! A server that makes a certificate for itself has nobody who vouches for it, and most programs make it as an authority's,
//! which no server may show. Where that very certificate was written down, byte for byte, nobody else need vouch: it is good
//! for its names and its time, as any other, and its key must prove itself in the handshake. Nothing is ever less strict.

use std::sync::{Arc, OnceLock};

use rustls::{
    CertificateError as Bad, ClientConfig, Error, RootCertStore,
    client::{
        WebPkiServerVerifier,
        danger::{ServerCertVerified, ServerCertVerifier as _},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use rustls_platform_verifier::Verifier;
use x509_parser::parse_x509_certificate;

use super::{
    ClientError,
    chain::{Chains, Judge, Watched},
};

/// What the client's own TLS speaks: HTTP/2 first, where it may.
const HTTP_2: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS that trusts these certificates alone, or else whom the system trusts, and shows `identity`.
pub(super) fn config(
    written: Option<&[CertificateDer<'static>]>,
    identity: Option<&(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    http2: bool,
    system: &Arc<System>,
    chains: &Arc<Chains>,
) -> Result<ClientConfig, ClientError> {
    let provider = provider();
    let by: Arc<dyn Judge> = match written {
        Some(written) => Arc::new(Trust::new(written, Arc::clone(&provider))?),
        None => Arc::<System>::clone(system),
    };
    let trust =
        Arc::new(Watched { by, provider: Arc::clone(&provider), chains: Arc::clone(chains) });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(trust);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key())?,
    };
    let protocols = HTTP_2.iter().skip(usize::from(!http2));
    config.alpn_protocols = protocols.map(|name| name.to_vec()).collect();
    Ok(config)
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default()
        .map_or_else(|| Arc::new(rustls::crypto::ring::default_provider()), Arc::clone)
}

#[derive(Debug)]
struct Trust {
    authorities: Arc<WebPkiServerVerifier>,
    written: Vec<CertificateDer<'static>>,
}

impl Trust {
    fn new(
        written: &[CertificateDer<'static>],
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        for certificate in written {
            roots.add(certificate.clone())?;
        }
        let authorities =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { authorities, written: written.to_vec() })
    }
}

impl Judge for Trust {
    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.authorities.verify_server_cert(shown, between, host, ocsp, now);
        match &verdict {
            Err(error) if is_an_authoritys(error) && self.written.contains(shown) => {
                in_its_time(shown, now)?;
                verify_server_name(&ParsedCertificate::try_from(shown)?, host)?;
                Ok(ServerCertVerified::assertion())
            }
            _ => verdict,
        }
    }
}

/// Whomever the system trusts: its authorities are read when the first of them is needed.
#[derive(Debug)]
pub(super) struct System {
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Result<Verifier, Error>>,
}

impl System {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, verifier: OnceLock::new() }
    }
}

impl Judge for System {
    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.verifier.get_or_init(|| Verifier::new(Arc::clone(&self.provider)));
        let verifier = verifier.as_ref().map_err(Error::clone)?;
        verifier.verify_server_cert(shown, between, host, ocsp, now)
    }
}

/// Whether the one thing wrong is that an authority's certificate is shown as a server's.
pub(crate) fn is_an_authoritys(error: &Error) -> bool {
    let Error::InvalidCertificate(Bad::Other(other)) = error else { return false };
    // The library of certificates has no other name for it that we could reach.
    format!("{other:?}").contains("CaUsedAsEndEntity")
}

fn in_its_time(shown: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let Ok((_, parsed)) = parse_x509_certificate(shown) else {
        return Err(Bad::BadEncoding.into());
    };
    let time = |seconds: i64| {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds.unsigned_abs()))
    };
    let (from, until) = (parsed.validity().not_before, parsed.validity().not_after);
    let (from, until) = (time(from.timestamp().max(0)), time(until.timestamp().max(0)));
    if now < from {
        return Err(Bad::NotValidYetContext { time: now, not_before: from }.into());
    }
    if now > until {
        return Err(Bad::ExpiredContext { time: now, not_after: until }.into());
    }
    Ok(())
}

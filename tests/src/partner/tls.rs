//! A partner behind TLS: an authority that makes certificates, and a server that shows one.

use std::{io, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::{Router, serve::Listener};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, sync::DropGuard};

/// An authority that makes certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Authority {
    /// One of that name.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let (params, key) = of_authority(name)?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// A certificate of `host`, good until so many days from now (less than 0: before), for years before that.
    pub fn pair(&self, host: &str, days: i64) -> anyhow::Result<Pair> {
        self.pair_between(host, days - 1000, days)
    }

    /// A certificate of `host`, good from and until so many days from now (less than 0: before).
    pub fn pair_between(&self, host: &str, from: i64, until: i64) -> anyhow::Result<Pair> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![host.to_owned()])?;
        params.not_before = day(from)?.into();
        params.not_after = day(until)?.into();
        let cert = params.signed_by(&key, &self.issuer)?;
        Ok(Pair { cert: cert.pem(), key: key.serialize_pem() })
    }

    /// An authority that this one vouches for.
    pub fn below(&self, name: &str) -> anyhow::Result<Self> {
        let (params, key) = of_authority(name)?;
        let pem = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Its key, as PEM, for programs that make what this one cannot.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }
}

/// A certificate that `host` made for itself: as an authority's, as most programs make it, or as a server's.
pub fn self_signed(host: &str, is_authority: bool) -> anyhow::Result<Pair> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(vec![host.to_owned()])?;
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    Ok(Pair { cert: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
}

fn of_authority(name: &str) -> anyhow::Result<(CertificateParams, KeyPair)> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    Ok((params, key))
}

/// So many days from now; less than 0: before.
fn day(days: i64) -> anyhow::Result<std::time::SystemTime> {
    let now = std::time::SystemTime::UNIX_EPOCH + now();
    let span = std::time::Duration::from_hours(24).saturating_mul(u32::try_from(days.abs())?);
    Ok(if days < 0 { now - span } else { now + span })
}

/// How long it is since 1970.
fn now() -> std::time::Duration {
    use marsad_shared::clock::{Clock as _, SystemClock};
    std::time::Duration::try_from(SystemClock.now().as_duration()).unwrap_or_default()
}

/// A TLS server on a port of its own, as long as the value lives.
#[derive(Debug)]
pub struct TlsServer {
    address: SocketAddr,
    _stop: DropGuard,
}

impl TlsServer {
    /// Serves `router`, showing `pair`, to everybody, or only to whom `clients` has given a certificate.
    pub async fn start(
        router: Router,
        pair: &Pair,
        clients: Option<&Authority>,
    ) -> anyhow::Result<Self> {
        // Refused only if it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = ServerConfig::builder();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes())?)?;
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(pair.cert.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?;
        let config = builder.with_single_cert(chain, key)?;
        let tcp = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on 127.0.0.1")?;
        let address = tcp.local_addr()?;
        let lines = Lines { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
        let stop = CancellationToken::new();
        let ended = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            // It never gives an error: trouble with one line ends that line.
            let _ = axum::serve(lines, router).with_graceful_shutdown(ended).await;
        });
        Ok(Self { address, _stop: stop.drop_guard() })
    }

    /// Where it is, for `base_url`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// The listener that lets in who comes through the handshake.
struct Lines {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Lines {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.tcp.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

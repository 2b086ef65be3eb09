//! For tests of this folder: a real server that remembers what it was asked, and connections that lead to it.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Response, Uri, request::Parts},
};
use marsad_shared::{
    clock::{Clock, SystemClock},
    connection::{Auth, Connection, Http, Link, Timeouts},
    partner::Name,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{auth::Vault, call::Call, client::Clients, http::HttpSource, spend::Purse};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A form's fields, in the order in which they came.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    pub(super) fn field(&self, name: &str) -> Option<String> {
        self.form().into_iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }
}

pub(super) struct Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// A server on a port of its own. `answer` is told what is asked, and how much was asked before.
    pub(super) async fn start(
        answer: impl Fn(&Asked, usize) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let seen = Arc::clone(&asked);
        let router = Router::new().fallback(move |parts: Parts, body: Bytes| {
            let Parts { uri, headers, .. } = parts;
            let asked = Asked { uri, headers, body };
            let mut seen = seen.lock().unwrap();
            let response = answer(&asked, seen.len());
            seen.push(asked);
            async { response }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked }
    }

    pub(super) fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// An answer.
pub(super) fn says(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Body> {
    let response =
        headers.iter().fold(Response::builder().status(status), |response, (name, value)| {
            response.header(*name, *value)
        });
    response.body(body.to_owned().into()).unwrap()
}

/// A connection to `base` that lacks nothing.
pub(super) fn http(base: url::Url, auth: Auth) -> Http {
    Http {
        base_url: base,
        auth,
        headers: Vec::new(),
        tls: None,
        proxy: None,
        http2: true,
        redirects: false,
        rate_limit: None,
        feeds_at_once: None,
        timeouts: Timeouts::default(),
        slow: std::time::Duration::from_secs(5),
        deliver: None,
    }
}

/// The source behind `http`, whose tokens are kept in `secrets`.
pub(super) fn source(http: Http, secrets: &Path) -> Arc<HttpSource> {
    source_with(http, secrets, None)
}

/// The same with a budget.
pub(super) fn source_with(
    http: Http,
    secrets: &Path,
    purse: Option<&Arc<Purse>>,
) -> Arc<HttpSource> {
    source_of(http, &Vault::new(secrets), purse)
}

/// The same, beside others that keep their tokens in `vault`.
pub(super) fn source_of(http: Http, vault: &Vault, purse: Option<&Arc<Purse>>) -> Arc<HttpSource> {
    // Refused only if it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let connection = Connection {
        id: "courts/api".parse().unwrap(),
        partner: "courts".parse().unwrap(),
        name: Name { en: "Courts".to_owned(), ar: None },
        link: Link::Http(http),
        outbox: None,
        settle: std::time::Duration::from_secs(5),
        marker: None,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    HttpSource::new(&connection, &Clients::default(), vault, &clock, purse).unwrap().unwrap()
}

/// A call of `path` behind the server's root.
pub(super) fn call(server: &Server, path: &str) -> Call {
    Call::get(server.url(path))
}

/// An authority that makes certificates.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(super) struct Pair {
    pub cert: String,
    pub key: String,
}

impl Pair {
    /// A certificate that `host` made for itself, as an authority's, good between two years' first days.
    pub(super) fn self_made(host: &str, from: i32, until: i32) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let cert = params.self_signed(&key).unwrap();
        Self { cert: cert.pem(), key: key.serialize_pem() }
    }
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Another authority, that this one vouches for until the first day of a year.
    pub(super) fn under(&self, name: &str, until: i32) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        self.again(name, until, &key)
    }

    /// The same, of one with that key.
    pub(super) fn again(&self, name: &str, until: i32, key: &KeyPair) -> Self {
        let key = KeyPair::from_pem(&key.serialize_pem()).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate of `host`, good between two years' first days.
    pub(super) fn pair(&self, host: &str, from: i32, until: i32) -> Pair {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        Arc::new(roots)
    }
}

/// What a TLS server shows, and whom it lets in: everybody, or only who has a certificate of an authority.
pub(super) fn acceptor(
    pair: &Pair,
    clients: Option<&Authority>,
    protocols: &[&str],
) -> TlsAcceptor {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = rustls::ServerConfig::builder();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let verifier = WebPkiClientVerifier::builder(authority.roots()).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = CertificateDer::pem_slice_iter(pair.cert.as_bytes());
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A TLS server on a port of its own that answers `[]` to whoever comes through the handshake.
pub(super) async fn tls_server(acceptor: TlsAcceptor) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let router = Router::new().fallback(async || "[]");
    tokio::spawn(async move { axum::serve(Tls { tcp, acceptor }, router).await });
    address
}

struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.tcp.accept().await else { continue };
            // Who does not come through is not served; that is all there is to it.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

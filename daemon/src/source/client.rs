//! The ways out: a client for each way of connecting, shared by all connections that take it.
//!
//! No guess: the environment's proxy is not asked, redirects stay within the origin or are not followed at all, and names
//! do not lead to this machine or its network unless the configuration itself says so (security T9, T12).

mod door;
mod resolve;
mod seen;
mod trust;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use marsad_shared::{certificate::Material, connection::Http};
use reqwest::{Client, ClientBuilder, Identity, Proxy};
use url::Url;

use self::resolve::Resolver;
pub use self::{door::Door, resolve::Forbidden, seen::Seen};
pub(crate) use self::{resolve::allowed, trust::is_an_authoritys};

/// The most bytes of an answer's headers over HTTP/2. Over HTTP/1 the client stops by itself at 100 headers or 400 KiB.
const HEADER_BYTES_MAX: u32 = 256 * 1024;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the HTTP client could not be made")]
    Build(#[from] reqwest::Error),
    #[error("TLS cannot work with these certificates")]
    Tls(#[from] rustls::Error),
    #[error("TLS cannot work with these authorities")]
    Trust(#[from] rustls::client::VerifierBuilderError),
    #[error(transparent)]
    File(#[from] marsad_shared::certificate::BadFile),
}

/// What tells one way of connecting from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    /// Within what time a connection must stand.
    connect: Duration,
    proxy: Option<Url>,
    http2: bool,
}

impl Way {
    pub(crate) fn of(http: &Http) -> Self {
        Self { connect: http.timeouts.connect, proxy: http.proxy.clone(), http2: http.http2 }
    }

    fn builder(&self) -> reqwest::Result<ClientBuilder> {
        let builder = Client::builder()
            .user_agent(concat!("marsad/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect)
            // Whoever asks follows them, and proves itself anew with each step.
            .redirect(reqwest::redirect::Policy::none())
            // It would carry a key that travels in the query.
            .referer(false)
            .no_proxy()
            // What is tried again is asked for again, and counted; and no request is copied for it.
            .retry(reqwest::retry::never().max_retries_per_request(0))
            .dns_resolver(Arc::new(Resolver))
            .tls_info(true)
            .http2_max_header_list_size(HEADER_BYTES_MAX);
        let builder = match &self.proxy {
            Some(proxy) => builder.proxy(Proxy::all(proxy.clone())?),
            None => builder,
        };
        Ok(if self.http2 { builder } else { builder.http1_only() })
    }

    /// A client that trusts, and shows, what `material` holds.
    fn client_with(&self, material: &Material) -> Result<Client, ClientError> {
        let mut builder = self.builder()?;
        if let Some(roots) = &material.roots {
            let tls = trust::config(roots, material.identity.as_ref(), self.http2)?;
            builder = builder.tls_backend_preconfigured(tls);
        } else if let Some((chain, key)) = &material.identity {
            builder = builder.identity(Identity::from_pem(&pem(chain, key))?);
        }
        Ok(builder.build()?)
    }
}

/// A certificate and its key in the only form that the client takes.
fn pem(
    chain: &[rustls::pki_types::CertificateDer<'_>],
    key: &rustls::pki_types::PrivateKeyDer<'_>,
) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use rustls::pki_types::PrivateKeyDer;
    let kind = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    let block = |kind: &str, der: &[u8]| {
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
    };
    let mut text: String = chain.iter().map(|each| block("CERTIFICATE", each)).collect();
    text.push_str(&block(kind, key.secret_der()));
    text.into_bytes()
}

/// The clients that connections share: those whose TLS is the system's.
#[derive(Debug, Default)]
pub struct Clients {
    by_way: Mutex<HashMap<Way, Client>>,
}

impl Clients {
    /// The client that takes `way`.
    fn client(&self, way: &Way) -> reqwest::Result<Client> {
        let mut clients = self.by_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(way) {
            return Ok(client.clone());
        }
        let client = way.builder()?.build()?;
        clients.insert(way.clone(), client.clone());
        Ok(client)
    }
}

#[cfg(test)]
mod tests;

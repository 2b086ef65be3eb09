//! The ways out: a client for each way of connecting, shared by all connections that take it.
//!
//! No guess: the environment's proxy is not asked, redirects stay within the origin or are not followed at all, and names
//! do not lead to this machine or its network unless the configuration itself says so (security T9, T12).

mod chain;
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
use reqwest::{Client, ClientBuilder, Proxy};
use url::Url;

use self::{chain::Chains, resolve::Resolver, trust::System};
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
}

/// The clients that connections share: those whose TLS is the system's.
#[derive(Clone, Debug)]
pub struct Clients {
    by_way: Arc<Mutex<HashMap<Way, Client>>>,
    system: Arc<System>,
    chains: Arc<Chains>,
}

impl Default for Clients {
    fn default() -> Self {
        let system = Arc::new(System::new(trust::provider()));
        Self { by_way: Arc::default(), system, chains: Arc::default() }
    }
}

impl Clients {
    /// The same, whose chains are those of one connection: others may show the same certificate in another one.
    fn apart(&self) -> Self {
        Self { chains: Arc::default(), ..self.clone() }
    }

    /// The client that takes `way`.
    fn client(&self, way: &Way) -> Result<Client, ClientError> {
        let mut clients = self.by_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(way) {
            return Ok(client.clone());
        }
        let client = self.make(way, &Material { roots: None, identity: None })?;
        clients.insert(way.clone(), client.clone());
        Ok(client)
    }

    /// A client that trusts, and shows, what `material` holds.
    fn make(&self, way: &Way, material: &Material) -> Result<Client, ClientError> {
        let Material { roots, identity } = material;
        let (roots, identity) = (roots.as_deref(), identity.as_ref());
        let tls = trust::config(roots, identity, way.http2, &self.system, &self.chains)?;
        Ok(way.builder()?.tls_backend_preconfigured(tls).build()?)
    }
}

#[cfg(test)]
mod tests;

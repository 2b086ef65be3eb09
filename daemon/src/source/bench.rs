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
use tokio::net::TcpListener;

use super::{call::Call, client::Clients, http::HttpSource};

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
        timeouts: Timeouts::default(),
        slow: std::time::Duration::from_secs(5),
        deliver: None,
    }
}

/// The source behind `http`, whose tokens are kept in `secrets`.
pub(super) fn source(http: Http, secrets: &Path) -> Arc<HttpSource> {
    // Refused only if it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let connection = Connection {
        id: "courts/api".parse().unwrap(),
        partner: "courts".parse().unwrap(),
        name: Name { en: "Courts".to_owned(), ar: None },
        link: Link::Http(http),
        outbox: None,
        settle: std::time::Duration::from_secs(5),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    HttpSource::new(&connection, &Clients::default(), secrets, &clock).unwrap().unwrap()
}

/// A call of `path` behind the server's root.
pub(super) fn call(server: &Server, path: &str) -> Call {
    Call::get(server.url(path))
}

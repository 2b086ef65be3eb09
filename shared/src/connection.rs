//! A connection: one way to reach a partner, over HTTP or through a pair of folders.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use secrecy::SecretString;
use url::Url;

use crate::{
    id::{ConnectionId, PartnerId},
    partner::Name,
};

/// One way to reach a partner.
#[derive(Clone, Debug)]
pub struct Connection {
    pub id: ConnectionId,
    pub partner: PartnerId,
    pub name: Name,
    pub link: Link,
    /// The folder whose complete files become exchanges of this connection.
    pub outbox: Option<PathBuf>,
    /// How long a file that was not renamed in must be still before it counts as complete.
    pub settle: Duration,
}

/// What carries the data.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are as many as connections, not as records")]
pub enum Link {
    Http(Http),
    Folder(Folder),
}

/// A partner's HTTP interface.
#[derive(Clone, Debug)]
pub struct Http {
    /// Without a trailing slash; the path of a feed is written behind it.
    pub base_url: Url,
    pub auth: Auth,
    /// The most requests in a period, over all feeds of the connection.
    pub rate_limit: Option<RateLimit>,
    pub timeouts: Timeouts,
    /// An answer later than this is `slow`: good, but it degrades the connection's health.
    pub slow: Duration,
    /// How exchanges are delivered; `None`: the connection takes none.
    pub deliver: Option<Deliver>,
}

/// How a request proves who we are. Secrets are read from their source at start, never written anywhere.
#[derive(Clone, Debug)]
pub enum Auth {
    None,
    /// A key in a header or in the query.
    ApiKey {
        place: KeyPlace,
        name: String,
        key: SecretString,
    },
    Basic {
        user: String,
        password: SecretString,
    },
    Bearer {
        token: SecretString,
    },
    /// OAuth 2.0 client credentials; `token_url` is absolute.
    OAuth2 {
        token_url: Url,
        client_id: String,
        client_secret: SecretString,
        scope: Option<String>,
    },
}

impl Auth {
    /// All that is secret in it: what no text may show.
    pub fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Self::None => Vec::new(),
            Self::ApiKey { key, .. } => vec![key],
            Self::Basic { password, .. } => vec![password],
            Self::Bearer { token } => vec![token],
            Self::OAuth2 { client_secret, .. } => vec![client_secret],
        }
    }
}

/// Where an API key travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    Header,
    Query,
}

/// At most `requests` in each `per`, spread evenly, after a burst of as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub requests: NonZeroU32,
    pub per: Duration,
}

/// How long each part of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name, TCP and TLS together.
    pub connect: Duration,
    /// From the request sent to the head of the answer.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// For the whole exchange of request and answer.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_mins(1),
            idle: Duration::from_secs(30),
            total: Duration::from_mins(10),
        }
    }
}

/// How an exchange is put to a partner over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    pub method: DeliverMethod,
    pub path: String,
    /// Asked when an answer was lost; `{key}` stands for the Idempotency-Key. 2xx: it is there; 404: it is not.
    pub status_path: Option<String>,
    /// How long after it was accepted an exchange expires.
    pub deadline: Duration,
}

/// The methods that hand a document over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverMethod {
    Post,
    Put,
}

/// A pair of folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Watched: complete files are taken from here, then moved to its `done/` or `held/`.
    pub import: Option<PathBuf>,
    /// The partner's folder: exchanges are put here.
    pub export: Option<PathBuf>,
    /// How long after it was accepted an exchange to `export` expires.
    pub deadline: Duration,
}

impl Connection {
    /// Whether exchanges can leave over it.
    pub fn delivers(&self) -> bool {
        match &self.link {
            Link::Http(http) => http.deliver.is_some(),
            Link::Folder(folder) => folder.export.is_some(),
        }
    }

    /// The word for its kind: `http` or `folder`.
    pub fn kind(&self) -> &'static str {
        match self.link {
            Link::Http(_) => "http",
            Link::Folder(_) => "folder",
        }
    }
}

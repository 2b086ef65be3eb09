//! A connection: one way to reach a partner, over HTTP or through a pair of folders.

mod auth;
mod tls;

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use url::Url;

pub use self::{
    auth::{
        Assertion, Auth, ClientProof, ExpiresFormat, FormField, Grant, KeyPlace, Login, LoginBody,
        LoginMethod, OAuth2, SentIn, TokenLife, TokenPlace,
    },
    tls::{Identity, Tls},
};

use crate::{
    id::{ConnectionId, PartnerId},
    partner::Name,
    request::Success,
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
    /// How the small file is called that says that a file of the import folder is complete: `.done` for `a.csv.done` or
    /// `a.done`. `None`: there are none.
    pub marker: Option<String>,
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
    /// Sent with each request to the origin of `base_url`. Never secrets.
    pub headers: Vec<(String, String)>,
    /// `None`: as the system has it.
    pub tls: Option<Tls>,
    /// Through which all requests go, those for tokens too. `None`: none, whatever the environment says.
    pub proxy: Option<Url>,
    /// Whether HTTP/2 may be spoken where the partner offers it.
    pub http2: bool,
    /// Whether redirects are followed, within the origin alone.
    pub redirects: bool,
    /// The most requests in a period, over all feeds of the connection.
    pub rate_limit: Option<RateLimit>,
    /// The most feeds that are read at once; `None`: as many as are due.
    pub feeds_at_once: Option<NonZeroU32>,
    pub timeouts: Timeouts,
    /// An answer later than this is `slow`: good, but it degrades the connection's health.
    pub slow: Duration,
    /// How exchanges are delivered; `None`: the connection takes none.
    pub deliver: Option<Deliver>,
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
            // A slow partner takes 40 s, and of one that died in silence everything is over within a minute (security F14).
            first_byte: Duration::from_secs(45),
            idle: Duration::from_secs(30),
            total: Duration::from_mins(10),
        }
    }
}

/// How an exchange is put to a partner over HTTP.
#[derive(Clone, Debug)]
pub struct Deliver {
    pub method: DeliverMethod,
    pub path: String,
    /// Asked when an answer was lost; `{key}` stands for the Idempotency-Key. 2xx: it is there; 404: it is not.
    pub status_path: Option<String>,
    /// What tells a receipt from an error that came with a good status; `None`: nothing but the status.
    pub success: Option<Success>,
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

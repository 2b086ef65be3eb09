//! `[[connection]]`: how a partner is reached, and what proves who asks.

use super::{Name, RawSuccess};
use crate::{
    config::{
        table::{Or, table},
        tree::Tree,
        value::{
            AuthKind, BaseUrl, ClientAuth, GrantKind, Id, Location, Pairs, Prefix, ProxyUrl, Span,
        },
    },
    connection::{DeliverMethod, LoginMethod, RateLimit},
    signing::Algorithm,
};

table! {
    /// One way to reach a partner: `base_url` for an HTTP interface, or `import`, `export` or both for folders.
    pub struct RawConnection, as "[[connection]]" {
        /// Names the connection within its partner.
        must id: Id,
        /// What people call it. Default: its id.
        may name: Name,
        /// Where the partner's HTTP interface begins; paths are written behind it.
        may base_url: BaseUrl,
        /// How requests prove who we are. Default: not at all.
        may auth: RawAuth,
        /// Headers that each request carries, such as `X-Road-Client`. Never a secret: those belong into `auth`.
        may headers: Pairs,
        /// The certificates that TLS stands on. Default: those of the system.
        may tls: RawTls,
        /// The proxy that all requests go through, those for tokens too: http, https or socks5. Default: none, whatever
        /// the environment says.
        may proxy: ProxyUrl,
        /// Whether HTTP/2 may be spoken. Default: true.
        may http2: bool,
        /// Whether redirects are followed: at most 5, and never to another scheme, host or port. Default: false.
        may redirects: bool,
        /// The most requests in a period, over all feeds of the connection. Default: no limit.
        may rate_limit: RateLimit,
        /// The most feeds of the connection that are read at once, each to the end of its walk. Default: as many as are due.
        may feeds_at_once: u64,
        /// How long each part of a request may take.
        may timeouts: RawTimeouts,
        /// An answer later than this is good, but too slow. Default: `5s`.
        may slow: Span,
        /// How documents are handed to the partner. Default: they are not; with `export`, as files there.
        may deliver: RawDeliver,
        /// A watched folder: complete files are taken from it, then moved to its `done/` or `held/`.
        may import: Location,
        /// The partner's folder, where documents are put for it.
        may export: Location,
        /// A folder of our own systems: each complete file in it is delivered over this connection.
        may outbox: Location,
        /// How long a file that was not renamed in must be still before it counts as complete. Default: `5s`.
        may settle: Span,
        /// The ending of the small file that says that another one of `import` is complete: with `.done`, `a.csv` is taken once
        /// `a.csv.done` or `a.done` is there, and never without. One in `.sha256` holds the sum of its file, which is checked.
        /// Default: there are none.
        may marker: String,
    }
    later {}
}

table! {
    /// How requests prove who we are. Which keys belong to it depends on `kind`.
    pub struct RawAuth, as "{ kind = \"bearer\", token = { file = \"NAME\" } }" {
        /// The method.
        must kind: AuthKind,
        /// `api_key`: the header that carries the key. `jwt`: the one that carries the token; default: `Authorization`.
        /// `login`: the header of the answer that has the token.
        may header: String,
        /// `api_key`: the query parameter that carries the key.
        may query: String,
        /// `api_key`: the field at the top of a JSON or form body that carries the key.
        may body: String,
        /// `api_key`: the cookie that carries the key. `login`: the cookie of the answer that has the token.
        may cookie: String,
        /// `api_key`: the key. `jwt`: the secret that both sides know, for HS256; else our private key, as PEM.
        may key: RawSecret,
        /// `basic`, `digest`: the user's name.
        may user: String,
        /// `basic`, `digest`: the password.
        may password: RawSecret,
        /// `bearer`: the token, a secret. `oauth2`, `login`: a JSONPath to the token in the answer; default:
        /// `$.access_token`, for `login` none.
        may token: Or<String, RawSecret>,
        /// `jwt`: how it is signed: `HS256`, `RS256`, `ES256` or `EdDSA`.
        may algorithm: Algorithm,
        /// `jwt`: which of our keys it is (`kid`).
        may key_id: String,
        /// `jwt`: who says so (`iss`).
        may issuer: String,
        /// `jwt`: of whom (`sub`).
        may subject: String,
        /// `jwt`: to whom (`aud`).
        may audience: String,
        /// `jwt`: what else is said.
        may claims: Tree,
        /// `jwt`: how long a token of ours is good. `oauth2`, `login`: how long one is that does not say. Default: `5m`;
        /// at most `1d`.
        may lifetime: Span,
        /// `jwt`, `login`: what stands before the token in its header. Default: `Bearer ` in `Authorization`, else
        /// nothing.
        may prefix: Prefix,
        /// `oauth2`: where tokens are given out: absolute, or from the root of `base_url`.
        may token_url: String,
        /// `oauth2`: who we are.
        may client_id: String,
        /// `oauth2`: what proves it. Either this or `assertion`.
        may client_secret: RawSecret,
        /// `oauth2`: where `client_secret` travels. Default: `body`.
        may client_auth: ClientAuth,
        /// `oauth2`: a token that we sign, in place of `client_secret` (RFC 7523).
        may assertion: RawAssertion,
        /// `oauth2`: what is handed in. Default: `client_credentials`.
        may grant: GrantKind,
        /// `oauth2`: the first refresh token. Those that the server gives later are kept in `state_dir`, until this one
        /// is changed.
        may refresh_token: RawSecret,
        /// `oauth2`: what is asked for. Default: what the server gives.
        may scope: String,
        /// `oauth2`: more fields of the form. `login`: the fields of the form. A value may be a secret.
        may form: Tree,
        /// `login`: the JSON that is sent. A value may be a secret.
        may json: Tree,
        /// `login`: where to log in, behind `base_url`. Either this or `url`.
        may path: String,
        /// `login`: where to log in, on another host.
        may url: String,
        /// `login`: the HTTP method. Default: `POST`.
        may method: LoginMethod,
        /// `login`: where the token travels in requests.
        may send: RawSend,
        /// `oauth2`, `login`: a JSONPath to the token's end in the answer. Default: `$.expires_in`.
        may expires: String,
        /// `oauth2`, `login`: how the end is written: `seconds` from now, `iso` for a time of day, `unix_ms`, or a format as
        /// in strftime. Default: `seconds`.
        may expires_format: String,
        /// The certificates that TLS stands on; the same as `tls` of the connection.
        may tls: RawTls,
    }
    later {}
}

table! {
    /// A token that we sign, in place of a secret.
    pub struct RawAssertion, as "{ algorithm = \"RS256\", key = { file = \"NAME\" } }" {
        /// The secret that both sides know, for HS256; else our private key, as PEM.
        must key: RawSecret,
        /// How it is signed.
        must algorithm: Algorithm,
        /// Which of our keys it is (`kid`).
        may key_id: String,
        /// Who says so (`iss`). Default: `client_id`.
        may issuer: String,
        /// Of whom (`sub`). Default: `client_id`.
        may subject: String,
        /// To whom (`aud`). Default: `token_url`.
        may audience: String,
        /// What else is said.
        may claims: Tree,
        /// How long it is good. Default: `5m`.
        may lifetime: Span,
    }
    later {}
}

table! {
    /// Where a token travels in requests.
    pub struct RawSend, as "{ header = \"X-Session\" }" {
        /// In this header.
        may header: String,
        /// In this cookie.
        may cookie: String,
        /// In this query parameter.
        may query: String,
    }
    later {}
}

table! {
    /// The certificates that TLS stands on, as PEM files. When one changes, the next request uses it.
    pub struct RawTls, as "{ ca = \"partner-ca.pem\", cert = \"ours.pem\", key = \"ours.key\" }" {
        /// Whom alone we trust there. Default: whomever the system trusts.
        may ca: Location,
        /// Our certificate, then whoever vouches for it.
        may cert: Location,
        /// Its key, in a file that nobody else may read (mode 0600).
        may key: Location,
        /// What the key is encrypted with.
        may passphrase: RawSecret,
    }
    later {}
}

table! {
    /// Where a secret is kept. It never stands in these files itself.
    pub struct RawSecret, as "{ file = \"NAME\" }, { env = \"NAME\" } or { credential = \"NAME\" }" {
        /// A file that holds nothing else and that nobody else may read (mode 0600).
        may file: Location,
        /// An environment variable of the daemon.
        may env: String,
        /// A credential that systemd hands to the daemon (`LoadCredential=`).
        may credential: String,
    }
    later {}
}

table! {
    /// How long each part of a request may take.
    pub struct RawTimeouts, as "{ connect = \"10s\", total = \"5m\" }" {
        /// Name, TCP and TLS together. Default: `10s`.
        may connect: Span,
        /// From the request sent to the head of the answer. Default: `45s`.
        may first_byte: Span,
        /// Between two pieces of a body. Default: `30s`.
        may idle: Span,
        /// The whole exchange of request and answer. Default: `10m`.
        may total: Span,
    }
    later {}
}

table! {
    /// How documents are handed to a partner. Over folders only `deadline` has a meaning.
    pub struct RawDeliver, as "{ path = \"/v1/documents\" }" {
        /// The HTTP method. Default: `POST`.
        may method: DeliverMethod,
        /// Where it is put, behind `base_url`.
        may path: String,
        /// Where to ask for it when an answer was lost; `{key}` stands for the Idempotency-Key. 2xx: it is there; 404:
        /// it is not. Default: nobody is asked, and it is sent again under the same key.
        may status_path: String,
        /// What tells a receipt from an error that comes with a good status, as a feed's `success` does. `on_error`: `fail`, the
        /// document is rejected; or `retry`. Who does not say how it went leaves it in doubt. Default: a good status is one.
        may success: RawSuccess,
        /// How long after it was accepted a document expires. Default: `2d`.
        may deadline: Span,
    }
    later {}
}

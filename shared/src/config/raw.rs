//! The files as people write them: every key, with what it means. Only `check` sees these; everyone else gets a
//! checked [`Config`](super::Config).
//!
//! The comments here are the words of the JSON schema, so they speak to whoever writes the files.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::{Spanned, de::DeValue};

use super::{
    source::{Place, Report},
    table::{At, Keys, Or, Value, table},
    tree::Tree,
    value::{
        AuthKind, BaseUrl, BoundKind, ByKind, ClientAuth, Day, Edge, GrantKind, Id, Json, Location,
        Loopback, Order, PagingKind, Pairs, Prefix, ProxyUrl, Scalar, SheetStop, Span, Statuses,
        Zone,
    },
};
use crate::{
    brake::Share,
    connection::{DeliverMethod, LoginMethod, RateLimit},
    feed::{DecimalSign, FieldType, Format, Mode},
    request::{AbortMethod, Carrier, Method, Missing, OnError, OnGone, Preset, Stop},
    role::Grant,
    signing::Algorithm,
};

table! {
    /// `marsad.toml`: the daemon's own file.
    pub struct RawDaemon, as "a table" {
        /// The daemon's own folder, closed to everybody else. Default: `/var/lib/marsad`.
        may state_dir: Location,
        /// The Unix socket where console and command line find the daemon. Default: `/run/marsad/marsad.sock`.
        may socket: Location,
        /// The IANA zone of times that name none. Default: `Asia/Dubai`.
        may timezone: Zone,
        /// The folder whose `*.toml` files are one partner each; names that begin with a dot are passed over. Default:
        /// `partners.d`, beside this file.
        may partners: Location,
        /// A loopback address where health and metrics are served over HTTP. Default: nowhere.
        may http: Loopback,
        /// How long a stop may take before what is left is aborted. Default: `10s`.
        may grace: Span,
        /// Who may do what. Whoever started the daemon is admin too; a peer without a role gets nothing.
        may roles: RawRoles,
        /// How long what came is kept.
        may retention: RawRetention,
    }
    later {}
}

table! {
    /// How long what came is kept, byte for byte; what is in the bank stays.
    pub struct RawRetention, as "{ originals = \"90d\", quarantine = \"90d\" }" {
        /// Files that were imported, and documents that were delivered: so long behind the last time that they were needed. A
        /// feed's last file, a file that is held, and a document that is still to be delivered are kept longer. At least
        /// `1d`. Default: `90d`.
        may originals: Span,
        /// What was refused, rows and whole files: so long behind the last time that it was. At least `1d`. Default: `90d`.
        may quarantine: Span,
    }
    later {}
}

table! {
    /// For each role the users and groups that have it, as `user:NAME` or `group:NAME`.
    pub struct RawRoles, as "{ viewer = [\"group:NAME\"] }" {
        /// Looks, masked.
        may viewer: Vec<Grant>,
        /// Also resyncs, sends, retries, holds, releases, cancels, pauses.
        may operator: Vec<Grant>,
        /// Also discards, rewinds, approves, reveals.
        may supervisor: Vec<Grant>,
        /// Looks, and reads the audit.
        may auditor: Vec<Grant>,
        /// May do all.
        may admin: Vec<Grant>,
    }
    later {}
}

table! {
    /// A file of `partners.d`: one partner, how it is reached, and what is read from it.
    pub struct RawPartnerFile, as "a table" {
        /// Who the partner is.
        must partner: RawPartner,
        /// The ways to reach it.
        may connection: Vec<At<RawConnection>>,
        /// The datasets that are read from it.
        may feed: Vec<At<RawFeed>>,
    }
    later {}
}

table! {
    /// An agency that data is exchanged with.
    pub struct RawPartner, as "[partner]" {
        /// Names the partner for ever: the first part of every id.
        must id: Id,
        /// What people call it. Default: its id.
        may name: Name,
        /// What was agreed with it.
        may agreement: RawAgreement,
        /// A text file for whoever is called in the night.
        may runbook: Location,
        /// The most calls in a period, over all connections and feeds; a day begins at midnight in `timezone`. What is
        /// delivered may go beyond it. Default: no limit.
        may budget: RateLimit,
    }
    later {}
}

/// A name in one language or two.
pub(super) type Name = Or<String, RawName>;

table! {
    /// A name in the languages of the house.
    pub struct RawName, as "text, or { en = \"…\", ar = \"…\" }" {
        /// In English.
        must en: String,
        /// In Arabic. Default: the English one.
        may ar: String,
    }
    later {}
}

table! {
    /// An agreement with a partner.
    pub struct RawAgreement, as "{ reference = \"…\", valid_until = 2027-12-31 }" {
        /// The reference under which both sides file it.
        must reference: String,
        /// Its last day.
        may valid_until: Day,
        /// The fields that it covers: `"feed.column"`, `"feed.*"` for all of a feed, or `"column"` for that one of every feed.
        /// What it does not cover is dropped before anything is stored. Default: everything.
        may fields: Vec<At<String>>,
    }
    later {}
}

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
        /// `oauth2`, `login`: how the end is written: `seconds` from now, `iso` for a time of day, or a format as in
        /// strftime. Default: `seconds`.
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
        /// From the request sent to the head of the answer. Default: `60s`.
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
        /// How long after it was accepted a document expires. Default: `2d`.
        may deadline: Span,
    }
    later {}
}

table! {
    /// One dataset: `path` for one of an HTTP interface, `files` for one that comes into an import folder.
    pub struct RawFeed, as "[[feed]]" {
        /// Names the feed within its partner, and its table in the bank.
        must id: Id,
        /// What people call it. Default: its id.
        may name: Name,
        /// The id of the connection that it comes over.
        must connection: Id,
        /// Where it is asked for, behind `base_url`; may carry a query of its own.
        may path: String,
        /// The names of its files, such as `transfers-*.csv`.
        may files: String,
        /// Files that are ZIP archives: the members to read, such as `*.csv`; `*` leads into folders too. Default: all of
        /// them.
        may entries: String,
        /// Where the records of a page or file stand. JSON: a path (RFC 9535); plain names that end in `[*]`, such as
        /// `$.data[*]`, are read record by record, any other form holds the page in memory. Default: `$[*]`. XML: the local
        /// names that lead to a record, such as `Envelope/Body/Reply/Case`.
        may records: String,
        /// Where removed records stand, written as `records` is. Default: nowhere apart.
        may deletes: String,
        /// How a record says of itself that it was removed; it needs no more than its key then. Default: none does.
        may deleted: RawDeleted,
        /// The columns that tell one record from another.
        must key: Vec<String>,
        /// The column that says which of two rows of one key is newer: an older one never wins, in one run or against the bank.
        /// A record without it is refused.
        /// Default: the row that came later is.
        may version: String,
        /// A style that is known by name: what is not written here is as that style has it.
        may preset: Preset,
        /// The HTTP method. Default: `GET`, or `POST` with `json` or `form`.
        may method: Method,
        /// A JSON body.
        may json: Json,
        /// A body as a web form writes it.
        may form: Pairs,
        /// A body as it stands, such as an XML envelope. A parameter of its name in braces, such as `{after}`, is put in its
        /// place.
        may text: String,
        /// Headers to send.
        may headers: Pairs,
        /// What tells a good answer from an error that came with a good status.
        may success: RawSuccess,
        /// What a status means, where it is not the usual: `empty` (no records), `gone` (the cursor is older than what the
        /// partner keeps), `retry` or `fail`, as in `{ 404 = "empty" }`.
        may statuses: Statuses,
        /// How one page leads to the next. Default: one page is all there is.
        may pagination: RawPagination,
        /// How to read only what changed since last time. Default: everything is read each time.
        may incremental: RawIncremental,
        /// Asks once for each record of another feed.
        may each: RawEach,
        /// Has the partner make a file first, and fetches that.
        may export: RawExport,
        /// Asks first whether anything changed.
        may changed: RawChanged,
        /// When it is read, over HTTP. Default: every `15m`. Files are taken when they are complete.
        may schedule: RawSchedule,
        /// How old its data may become. Default: nothing is promised.
        may freshness: RawFreshness,
        /// The columns. Default: those of the first page or file.
        may fields: Fields,
        /// How its bytes are written. Default: by content type or file name.
        may format: Format,
        /// In which encoding its text is, where it does not begin with a mark that says so: a label of the WHATWG, such as
        /// `windows-1256`. Default: as the answer says, else UTF-8. A table in a file that is not in it is
        /// held whole, with what it seems to be.
        may encoding: String,
        /// What it means that a record comes, or does not. `incremental`, the default: absence means nothing. `snapshot`: a
        /// complete read, or a file, is the whole truth, and what it no longer has is gone. `append`: records are only ever
        /// added; a row that would change one is passed over, and counted.
        may mode: Mode,
        /// The most of a feed's records that one run may delete by itself, as a share such as `0.2`; a run that would delete
        /// more is held until a person releases it. Default: `0.2`.
        may max_delete_share: Share,
        /// Snapshots and files: with fewer rows the whole run is held. Default: any number will do.
        may min_rows: u64,
        /// How long what a full read replaced is kept, so that it can be undone. Default: `24h`.
        may undo: Span,
        /// Whether every version of a record is kept, with the run that brought it. Default: `false`.
        may history: bool,
        /// How long a version is kept once another has replaced it. Default: a year.
        may history_age: Span,
        /// How many earlier versions of each record are kept. Default: 100.
        may history_versions: u64,
        /// CSV, of SDMX too: the character between fields. Default: `,`.
        may delimiter: String,
        /// CSV and XLSX: the line or row of the header, from 1. Default: 1.
        may header_row: u64,
        /// XLSX: the sheet to read, by its name or by its number, from 1. Default: the only one that can be seen.
        may sheet: Or<String, u64>,
        /// XLSX: where the rows of a sheet end. `empty_key`, the default: at the first row that has something in it, but
        /// nothing in any column of the key. A list of words, such as `["Total"]`: there, or where a column of the key holds
        /// one of them.
        may stop: Or<SheetStop, Vec<String>>,
        /// What begins the fraction of a number that comes as text: `.`, or `,` for numbers such as `1.234,5`, whose
        /// thousands may be parted by points or spaces. Default: `.`, and nothing parts thousands but `٬`.
        may decimal: DecimalSign,
    }
    later { "approve" }
}

table! {
    /// How a record says of itself that it was removed.
    pub struct RawDeleted, as "{ field = \"op\", values = [\"delete\"] }" {
        /// Where it says so, inside the record: a name, a header, or a path such as `$.meta.op`. It need not be a column.
        must field: String,
        /// What stands there in a removed record, as it is written: `delete`, `true`, `1`.
        must values: Vec<String>,
    }
    later {}
}

table! {
    /// How one page leads to the next. Which keys belong to it depends on `kind`.
    pub struct RawPagination, as "{ kind = \"cursor\", param = \"after\", next = \"$.next\" }" {
        /// The method. Needed unless there is a `preset`.
        may kind: PagingKind,
        /// `page`, `offset`, `cursor`: the parameter that says where to go on.
        may param: String,
        /// Where `param` and `size_param` travel. Default: `query`.
        may place: Carrier,
        /// `page`: the number of the first page. Default: 1.
        may start: u64,
        /// `page`, `offset`: whether the first page is asked for with `param`. Default: true.
        may first: bool,
        /// `offset`: by how many records a page repeats the one before, so that none slips between two while others move; 0
        /// for a partner that takes whole pages alone. Default: 1 where `incremental` is, else 0.
        may overlap: u64,
        /// The parameter for the size of a page.
        may size_param: String,
        /// The size to ask for.
        may size: u64,
        /// `cursor`, `next_url`: a path to what leads on.
        may next: String,
        /// `cursor`, `next_url`: the header of the answer that holds what leads on, in place of `next`.
        may next_header: String,
        /// A path to a flag that says whether more follows. A page without it is an error.
        may more: String,
        /// A path to the number of records there are.
        may total: String,
        /// A path to the number of pages there are.
        may total_pages: String,
        /// What makes a page the last: `empty`, `short`, `more`, `total`, `next` or `null`. Default: what `more` or `total`
        /// says; else `empty` for `page` and `offset`, and `next` for the others.
        may stop: Stop,
        /// The most pages of one walk. Default: 100,000.
        may max_pages: u64,
        /// The most records of one walk. Default: 100,000,000.
        may max_records: u64,
    }
    later {}
}

table! {
    /// How to read only what changed since last time. Which keys belong to it depends on `by`.
    pub struct RawIncremental, as "{ field = \"updated_at\", param = \"updated_since\" }" {
        /// What the cursor is: the greatest value of a `field`; the partner's `clock` when the last walk began; a `token` or a
        /// `delta` URL from the last page; or `here`, where the partner cannot filter. Default: `field`.
        may by: ByKind,
        /// `field`, `here`: the column whose greatest value is the cursor.
        may field: String,
        /// `token`: a path to what is handed back next time.
        may token: String,
        /// `delta`: a path to the URL for next time.
        may delta: String,
        /// The parameter that carries the cursor.
        may param: String,
        /// Where it travels. Default: `query`.
        may place: Carrier,
        /// What the parameter says; `{cursor}` stands for the cursor. Default: the cursor alone.
        may value: String,
        /// How times are written: `unix`, `unix_ms`, or as in strftime. Default: RFC 3339, UTC.
        may format: String,
        /// The IANA zone in which times are written. Default: UTC.
        may zone: Zone,
        /// The cursor of a feed that was never read.
        may start: String,
        /// How far to go back behind it, for records that arrive late. Only for times. Default: not at all; of `clock`: `1m`.
        may lookback: Span,
        /// `field` of times: the parameter that carries the end of a stretch of time.
        may until_param: String,
        /// The longest stretch that is asked for at once. Default: up to now.
        may step: Span,
        /// How long before now the last stretch ends. Default: `0s`.
        may settle: Span,
        /// The smallest step of the partner's clock, where the end of a stretch belongs to it. Default: it does not. With an
        /// `exclusive` bound it is `1s` where nothing else is said.
        may granularity: Span,
        /// Whether the partner gives what stands at the cursor itself (`inclusive`, as with `>=`) or only what is beyond it
        /// (`exclusive`, as with `>`): then it is asked from one step before, so that nothing of one moment is lost. Default:
        /// `inclusive`.
        may bound: BoundKind,
        /// So many records and the partner refuses to page on: the walk begins again at the greatest value so far. The feed
        /// must come in ascending order.
        may split: u64,
        /// `here`: `newest_first` ends the walk at the first page that holds nothing newer.
        may order: Order,
        /// What becomes of a record whose field is empty: `include`, `exclude` or `raise`. Default: `include`.
        may missing: Missing,
    }
    later {}
}

table! {
    /// What tells a good answer from an error that came with a good status: `path` with `equals`, or `error`.
    pub struct RawSuccess, as "{ path = \"$.status\", equals = [\"ok\"] }" {
        /// A path to what says how it went.
        may path: String,
        /// What may stand there in a good answer: text, numbers, true or false.
        may equals: Vec<Scalar>,
        /// A path where a good answer has nothing, null, false or nothing but emptiness.
        may error: String,
        /// What a failure means: `fail`, somebody must look; `retry`; or `ignore`, such an answer is one without records, is
        /// counted, and no cursor moves in its run. Default: `fail`.
        may on_error: OnError,
    }
    later {}
}

table! {
    /// A feed that is asked for once for each record of another; its `path` holds `{column}`.
    pub struct RawEach, as "{ feed = \"families\", column = \"id\" }" {
        /// The id of the other feed, of the same partner.
        must feed: Id,
        /// Its column whose values are asked for.
        must column: String,
        /// The most values of one run. Default: 10,000.
        may max: u64,
        /// What becomes of the records that belong to a deleted record of the other feed: `keep` or `delete`. Default: `keep`.
        may gone: OnGone,
        /// `delete`: the column of this feed that holds the value that it was asked for by.
        may by: String,
    }
    later {}
}

table! {
    /// What tells, in one small answer, whether anything changed: where that is the same as at the last complete read, nothing
    /// is read.
    pub struct RawChanged, as "{ path = \"/meta\", at = \"$.modified\" }" {
        /// Where it is asked for, behind `base_url`.
        must path: String,
        /// A path to what is another one whenever the data is.
        must at: String,
    }
    later {}
}

table! {
    /// A partner that makes a file of the data first: `path` orders it, `status` asks after it, then it is fetched.
    pub struct RawExport, as "{ status = \"/exports/{id}\", download = \"$.url\" }" {
        /// Where it is asked after, behind `base_url`; `{id}` stands for what `id` found.
        must status: String,
        /// A path to what the export is called, in the answer to the order. Default: `$.id`.
        may id: String,
        /// A path to how far it is, in the answer to the question. Default: `$.state`.
        may state: String,
        /// States that mean that it is ready.
        must done: Vec<String>,
        /// States that mean that it will never be.
        may failed: Vec<String>,
        /// Where the file is: a path behind `base_url` with `{id}`, or a path into the answer to the question, such as `$.url`.
        must download: String,
        /// How often it is asked after. Default: `5s`.
        may every: Span,
        /// How long at most. Default: `1h`.
        may within: Span,
        /// What is deleted once the file has been read, behind `base_url`, with `{id}`. Default: nothing.
        may delete: String,
        /// How an order is taken back that failed, or is given up, or that another takes the place of: a path behind
        /// `base_url` with `{id}`, which is deleted, or a table with its own method. Default: not at all.
        may abort: Or<String, RawAbort>,
    }
    later {}
}

table! {
    /// How an export is taken back at the partner's, where that is not by deleting it.
    pub struct RawAbort, as "a path, or { method = \"POST\", path = \"/exports/{id}/cancel\" }" {
        /// `DELETE`, `POST` or `PUT`, without a body. Default: `DELETE`.
        may method: AbortMethod,
        /// Where, behind `base_url`, with `{id}`.
        must path: String,
    }
    later {}
}

table! {
    /// When a feed is read: `every` so long, or by `cron`.
    pub struct RawSchedule, as "{ every = \"15m\" }" {
        /// The time from one start to the next.
        may every: Span,
        /// Five fields: minute, hour, day of month, month, day of week.
        may cron: String,
        /// The IANA zone that `cron` speaks of. Default: `timezone` of marsad.toml.
        may zone: Zone,
    }
    later {}
}

table! {
    /// How old a feed's data may become. Both limits count from the moment when new data is owed.
    pub struct RawFreshness, as "{ every = \"1h\" }" {
        /// The age at which new data is owed.
        must every: Span,
        /// How long past that nobody is troubled. Default: a quarter of `every`.
        may grace: Span,
        /// How long past that a warning becomes an error. Default: four times `every`.
        may error_after: Span,
    }
    later { "by" "days" "accept_from" "basis" "calendar" "none" "require_all" "warn_age" "error_age" }
}

/// A column: its type alone, or a table.
pub(super) type RawField = Or<FieldType, RawFieldTable>;

table! {
    /// A column that needs more said than its type.
    pub struct RawFieldTable, as "a type, or { type = \"text\", from = \"…\" }" {
        /// What it holds.
        must r#type: FieldType,
        /// Where it stands in a record: a name, a header, or a path such as `$.child.eid`; or several, of which the first
        /// that is there counts. A header that reads the same counts where none is written so: in another case, without
        /// vowel signs, with another form of alef, ya or ta marbuta, or in two languages. Default: the column's name.
        may from: Or<String, Vec<String>>,
        /// Whether a record without it is refused. The key always is. Default: false.
        may required: bool,
        /// Whether it is masked wherever it is shown. Default: false.
        may sensitive: bool,
        /// How a date, Hijri date or timestamp is written, as in strftime; a timestamp also as `unix` (seconds since 1970) or
        /// `unix_ms`. A Hijri date knows `%Y`, `%m`, `%d` and `%F`. Default: ISO 8601.
        may format: String,
        /// The IANA zone of a timestamp that names none. Default: `timezone` of marsad.toml.
        may zone: Zone,
        /// `hijri_date`: the `date` column that says the same day; where both are given and are a day apart, the record
        /// is taken and the run says how many were; if more than a day, it is refused. Default: none is compared.
        may gregorian: String,
        /// `phone`: the country of a number that names none, by its two letters. Default: `AE`.
        may region: String,
        /// What it refers to: a living record of that feed has to have the value in its key, or the record is refused. `"feed"`,
        /// `"feed.column"`, or `"partner/feed.column"` for a feed of another partner. Nothing refers to nothing. Default: it
        /// refers to nothing.
        may references: String,
        /// `enum`: all that may stand there.
        may values: Vec<String>,
        /// `integer`, `decimal`, `date`, `hijri_date`, `timestamp`, `period`: the least that may stand there: a number, a
        /// day, a time, a period of which all days must be behind its first. Default: no bound.
        may min: Edge,
        /// The greatest, written as `min` is. Default: no bound.
        may max: Edge,
        /// `text`: a regular expression that all of the text must match, from its first character to its last. Default:
        /// none.
        may pattern: String,
    }
    later {}
}

/// The columns, in the order of writing.
#[derive(Debug)]
pub(super) struct Fields(pub Vec<(String, At<RawField>)>);

impl Value for Fields {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let keys = Keys::of(value, place, "{ id = \"text\", updated_at = \"timestamp\" }", report)?;
        let read: Vec<_> = keys
            .all()
            .into_iter()
            .map(|(name, at, value)| {
                let place = place.child(name).at(at);
                let field = RawField::read(value, &place, report)?;
                Some((name.to_owned(), At { value: field, place }))
            })
            .collect();
        read.into_iter().collect::<Option<_>>().map(Self)
    }
}

impl JsonSchema for Fields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let field = generator.subschema_for::<RawField>();
        json_schema!({ "type": "object", "additionalProperties": field })
    }
}

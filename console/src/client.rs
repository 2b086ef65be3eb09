//! Where answers come from: the daemon's Unix socket, or a state folder opened read-only while no daemon is there.
//!
//! Screens and commands ask a [`Client`] and cannot tell the two apart, but for what only a daemon can do.

use std::{path::Path, path::PathBuf, sync::Arc};

use marsad_shared::{
    clock::Clock,
    id::{ConnectionId, ExchangeId, FeedId, QuarantineId, RunId},
    protocol::{
        ActOutcome, AuditProof, AuditRow, ConnectionRow, Discard, DiscardReply, Discover,
        Discovered, ExchangeAct, ExchangeRow, ExchangeVerb, FeedRow, ListQuery, PartnerRow,
        Problem, ProblemCode, QuarantineItem, QuarantineRow, RecordRow, Replay, ReplayReply,
        Resync, ResyncReply, Reveal, RevealItem, Rewind, RewindReply, RunAct, RunActReply, RunRow,
        SchemaOrder, SchemaQuery, SchemaReply, SchemaRow, Status, Test, TestReply,
    },
};

mod events;
mod list;
mod offline;
mod pages;
mod socket;

pub(crate) use self::socket::chain;
pub use self::{events::Events, list::Listed, pages::Pages};
use self::{offline::Offline, socket::Socket};

/// Why there is no answer. One variant for each thing that a caller does differently. Its texts may quote what came
/// from outside: they reach a person through the gate of [`marsad_shared::untrusted`] only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No daemon answers there: it is tried again, or the state folder is opened instead.
    #[error("cannot reach the daemon at {}: {why}", socket.display())]
    Unreachable { socket: PathBuf, why: String },
    /// The daemon, or the store in its place, says why not.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// It needs the daemon, and this client reads a folder.
    #[error("{0} needs the daemon")]
    Offline(&'static str),
    /// What came is no answer of a daemon.
    #[error("the answer cannot be understood: {0}")]
    Garbled(String),
}

/// What every request brings.
pub type Answer<T> = Result<T, ClientError>;

/// Asks the daemon, or reads in its place. Cheap to clone: the clones share one connection.
#[derive(Clone, Debug)]
pub struct Client(Source);

#[derive(Clone, Debug)]
enum Source {
    Socket(Socket),
    Offline(Offline),
}

impl Client {
    /// A client of the daemon at `socket`. Nothing is sent yet, so it cannot fail because nobody listens.
    ///
    /// # Errors
    /// [`ClientError::Garbled`] if the HTTP client cannot be set up.
    ///
    /// # Panics
    /// If no TLS provider is installed: the first line of `main` does that.
    pub fn online(socket: &Path) -> Answer<Self> {
        Ok(Self(Source::Socket(Socket::new(socket)?)))
    }

    /// A reader of the databases in `state_dir`, whether or not a daemon is at work on them.
    ///
    /// # Errors
    /// [`ClientError::Problem`] if there are none, or they may not be read.
    pub async fn offline(state_dir: &Path, clock: Arc<dyn Clock>) -> Answer<Self> {
        Ok(Self(Source::Offline(Offline::open(state_dir, clock).await?)))
    }

    /// Whether it reads a folder in the daemon's place.
    pub fn is_offline(&self) -> bool {
        matches!(self.0, Source::Offline(_))
    }

    /// The socket, or the folder.
    pub fn place(&self) -> &Path {
        match &self.0 {
            Source::Socket(socket) => socket.path(),
            Source::Offline(offline) => offline.folder(),
        }
    }

    /// One screen of truth.
    pub async fn status(&self) -> Answer<Status> {
        match &self.0 {
            Source::Socket(socket) => socket.get(&["status"], &()).await,
            Source::Offline(offline) => offline.read(marsad_shared::store::Reader::status).await,
        }
    }

    /// Rows of one list, in its order; at most [`marsad_shared::protocol::LIST_MAX`] of them.
    pub async fn list<T: Listed>(&self, of: &T::Of, query: &ListQuery) -> Answer<Vec<T>> {
        match &self.0 {
            Source::Socket(socket) => {
                let path = T::path(of);
                socket.get(&path.iter().map(String::as_str).collect::<Vec<_>>(), query).await
            }
            Source::Offline(offline) => {
                let (of, query) = (of.clone(), query.clone());
                offline.read(move |reader, now| T::read(reader, &of, &query, now)).await
            }
        }
    }

    /// One row of a list, whole.
    ///
    /// # Errors
    /// [`ClientError::Problem`] of [`ProblemCode::NotFound`] if there is none of that id.
    pub async fn one<T: Listed>(&self, of: &T::Of, id: &str) -> Answer<T> {
        match &self.0 {
            Source::Socket(socket) => {
                let mut path = T::path(of);
                path.extend(T::parts(id));
                socket.get(&path.iter().map(String::as_str).collect::<Vec<_>>(), &()).await
            }
            Source::Offline(offline) => {
                let (of, wanted) = (of.clone(), id.to_owned());
                let row =
                    offline.read(move |reader, now| T::find(reader, &of, &wanted, now)).await?;
                row.ok_or_else(|| list::not_found::<T>(id).into())
            }
        }
    }

    /// A list from its beginning (or behind `query.after`) to its end, a page at a time.
    pub fn pages<T: Listed>(&self, of: T::Of, query: ListQuery) -> Pages<T> {
        Pages::new(self.clone(), of, query)
    }

    pub async fn partners(&self, query: &ListQuery) -> Answer<Vec<PartnerRow>> {
        self.list(&(), query).await
    }

    pub async fn connections(&self, query: &ListQuery) -> Answer<Vec<ConnectionRow>> {
        self.list(&(), query).await
    }

    pub async fn feeds(&self, query: &ListQuery) -> Answer<Vec<FeedRow>> {
        self.list(&(), query).await
    }

    pub async fn runs(&self, query: &ListQuery) -> Answer<Vec<RunRow>> {
        self.list(&(), query).await
    }

    pub async fn records(&self, feed: &FeedId, query: &ListQuery) -> Answer<Vec<RecordRow>> {
        self.list(feed, query).await
    }

    pub async fn quarantine(&self, query: &ListQuery) -> Answer<Vec<QuarantineRow>> {
        self.list(&(), query).await
    }

    pub async fn exchanges(&self, query: &ListQuery) -> Answer<Vec<ExchangeRow>> {
        self.list(&(), query).await
    }

    pub async fn audit(&self, query: &ListQuery) -> Answer<Vec<AuditRow>> {
        self.list(&(), query).await
    }

    /// The run, as soon as it has ended or after `seconds` (at most 60): the caller looks at its outcome and asks again.
    pub async fn run_wait(&self, id: RunId, seconds: u32) -> Answer<RunRow> {
        match &self.0 {
            Source::Socket(socket) => socket.run_wait(id, seconds).await,
            Source::Offline(_) => self.one(&(), &id.to_string()).await,
        }
    }

    /// Walks the whole chain of the audit.
    pub async fn audit_verify(&self) -> Answer<AuditProof> {
        match &self.0 {
            Source::Socket(socket) => socket.audit_verify().await,
            Source::Offline(offline) => offline.read(|reader, _| reader.audit_verify()).await,
        }
    }

    /// Orders a feed to be read again, or asks what that would do.
    pub async fn resync(&self, order: &Resync) -> Answer<ResyncReply> {
        self.daemon("a resync")?.post(&["resync"], order).await
    }

    /// Cancels, releases, discards or undoes a run.
    pub async fn decide(&self, order: &RunAct) -> Answer<RunActReply> {
        self.daemon("a decision about a run")?.post_long(&["runs", "act"], order).await
    }

    /// Shows what is masked of a record, once that is in the audit.
    pub async fn reveal(&self, order: &Reveal) -> Answer<RecordRow> {
        self.daemon("seeing what is masked")?.post(&["reveal"], order).await
    }

    /// One item in quarantine with its original, masked.
    pub async fn quarantine_item(&self, id: QuarantineId) -> Answer<QuarantineItem> {
        match &self.0 {
            Source::Socket(socket) => socket.get(&["quarantine", &id.to_string()], &()).await,
            Source::Offline(offline) => {
                let item = offline.read(move |reader, _| reader.quarantine_item(id)).await?;
                item.ok_or_else(|| list::not_found::<QuarantineRow>(&id.to_string()).into())
            }
        }
    }

    /// The same unmasked, once that is in the audit.
    pub async fn reveal_item(
        &self,
        id: QuarantineId,
        order: &RevealItem,
    ) -> Answer<QuarantineItem> {
        let path = ["quarantine", &id.to_string(), "reveal"];
        self.daemon("seeing what is masked")?.post(&path, order).await
    }

    /// Discards items of quarantine, or asks what that would do.
    pub async fn discard(&self, order: &Discard) -> Answer<DiscardReply> {
        self.daemon("discarding")?.post_long(&["quarantine", "discard"], order).await
    }

    /// Shapes and checks items of quarantine again, or asks what would become of them.
    pub async fn replay(&self, order: &Replay) -> Answer<ReplayReply> {
        self.daemon("a replay")?.post_long(&["quarantine", "replay"], order).await
    }

    /// Sets a feed's cursor back, or asks what that would do.
    pub async fn rewind(&self, order: &Rewind) -> Answer<RewindReply> {
        self.daemon("a rewind")?.post(&["rewind"], order).await
    }

    /// A feed's columns, and what came otherwise.
    pub async fn schema(&self, feed: FeedId) -> Answer<SchemaRow> {
        match &self.0 {
            Source::Socket(socket) => socket.get(&["schema"], &SchemaQuery { feed }).await,
            Source::Offline(offline) => offline.read(move |reader, _| reader.schema(&feed)).await,
        }
    }

    /// Decides of what came otherwise.
    pub async fn settle(&self, order: &SchemaOrder) -> Answer<SchemaReply> {
        self.daemon("deciding of columns")?.post(&["schema", "decide"], order).await
    }

    /// Does something to exchanges; each is judged alone.
    pub async fn act(
        &self,
        verb: ExchangeVerb,
        ids: Vec<ExchangeId>,
        reason: Option<String>,
    ) -> Answer<Vec<ActOutcome>> {
        let order = ExchangeAct { verb, ids, reason };
        self.daemon("an order about exchanges")?.post(&["exchanges", "act"], &order).await
    }

    /// Hands a document over, to be delivered over `connection` under the file name `name`.
    pub async fn send(
        &self,
        connection: &ConnectionId,
        name: &str,
        document: impl Into<reqwest::Body>,
        reason: Option<&str>,
    ) -> Answer<ExchangeRow> {
        self.daemon("sending")?.send(connection, name, document.into(), reason).await
    }

    /// Tries a connection now.
    pub async fn test(
        &self,
        connection: &ConnectionId,
        reason: Option<String>,
    ) -> Answer<TestReply> {
        self.daemon("a test")?.test(connection, &Test { reason }).await
    }

    /// Samples an endpoint, or a file whose first bytes are `sample`.
    pub async fn discover(&self, asked: &Discover, sample: Vec<u8>) -> Answer<Discovered> {
        self.daemon("discovering")?.discover(asked, sample).await
    }

    /// What changes from now on, until either side closes.
    pub async fn events(&self) -> Answer<Events> {
        self.daemon("the event stream")?.events().await
    }

    fn daemon(&self, what: &'static str) -> Answer<&Socket> {
        match &self.0 {
            Source::Socket(socket) => Ok(socket),
            Source::Offline(_) => Err(ClientError::Offline(what)),
        }
    }
}

impl ClientError {
    /// What failed, why, and what to do.
    pub fn told(&self) -> Problem {
        let problem = |code, what: &str, why: String, remedy: &str| Problem {
            code,
            what: what.to_owned(),
            why,
            remedy: remedy.to_owned(),
        };
        match self {
            Self::Problem(told) => told.clone(),
            Self::Unreachable { socket, why } => problem(
                ProblemCode::Unavailable,
                &format!("cannot reach the daemon at {}", socket.display()),
                why.clone(),
                "start marsadd, or read its state without it: --offline STATE_DIR",
            ),
            Self::Offline(what) => problem(
                ProblemCode::Unavailable,
                &format!("{what} needs the daemon"),
                "--offline only reads".to_owned(),
                "start marsadd and leave --offline out",
            ),
            Self::Garbled(why) => problem(
                ProblemCode::Failed,
                "the answer cannot be understood",
                why.clone(),
                "see that the socket is marsadd's and that both programs are of one version",
            ),
        }
    }
}

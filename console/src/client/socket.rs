//! The daemon's Unix socket, spoken to in HTTP and JSON.

use std::{
    error::Error as _,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use marsad_shared::{
    id::{ConnectionId, RunId},
    protocol::{
        AuditProof, Discover, Discovered, ExchangeRow, Problem, ProblemCode, RunRow, Test,
        TestReply,
    },
};
use reqwest::{Body, RequestBuilder, Response, Url};
use serde::{Serialize, de::DeserializeOwned};

use super::{Answer, ClientError, events::Events};

/// How long an answer may take; the daemon answers from memory and from indexed tables.
const ANSWER: Duration = Duration::from_secs(30);
/// How long the daemon may take to ask a partner: each of its own waits ends before.
const TRIAL: Duration = Duration::from_mins(2);
/// How long the daemon may take to walk its whole audit, to take a document in, or to go through quarantine.
const LONG: Duration = Duration::from_mins(30);
/// How much of an answer that is none is quoted, in characters.
const QUOTED: usize = 120;

/// One daemon's socket.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    http: reqwest::Client,
    path: Arc<Path>,
}

impl Socket {
    pub(super) fn new(path: &Path) -> Answer<Self> {
        let http = reqwest::Client::builder()
            .unix_socket(path)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ClientError::Garbled(chain(&error)))?;
        Ok(Self { http, path: path.into() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Answer<T> {
        self.ask(self.http.get(url(path)).query(query).timeout(ANSWER)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        order: &impl Serialize,
    ) -> Answer<T> {
        self.ask(self.http.post(url(path)).json(order).timeout(ANSWER)).await
    }

    /// The same of what takes as long as it takes.
    pub(super) async fn post_long<T: DeserializeOwned>(
        &self,
        path: &[&str],
        order: &impl Serialize,
    ) -> Answer<T> {
        self.ask(self.http.post(url(path)).json(order).timeout(LONG)).await
    }

    pub(super) async fn run_wait(&self, id: RunId, seconds: u32) -> Answer<RunRow> {
        let wait = ANSWER + Duration::from_secs(seconds.into());
        let request = self.http.get(url(&["runs", &id.to_string()]));
        self.ask(request.query(&[("wait_s", seconds)]).timeout(wait)).await
    }

    pub(super) async fn audit_verify(&self) -> Answer<AuditProof> {
        self.ask(self.http.get(url(&["audit", "verify"])).timeout(LONG)).await
    }

    pub(super) async fn send(
        &self,
        connection: &ConnectionId,
        name: &str,
        document: Body,
        reason: Option<&str>,
    ) -> Answer<ExchangeRow> {
        let query =
            [("connection", Some(connection.as_str())), ("name", Some(name)), ("reason", reason)];
        self.ask(self.http.post(url(&["exchanges"])).query(&query).body(document).timeout(LONG))
            .await
    }

    pub(super) async fn test(&self, connection: &ConnectionId, order: &Test) -> Answer<TestReply> {
        let (partner, name) = connection.as_str().split_once('/').unwrap_or_default();
        let request = self.http.post(url(&["connections", partner, name, "test"]));
        self.ask(request.json(order).timeout(TRIAL)).await
    }

    pub(super) async fn discover(&self, asked: &Discover, sample: Vec<u8>) -> Answer<Discovered> {
        let request = self.http.post(url(&["discover"])).query(asked);
        self.ask(request.body(sample).timeout(TRIAL)).await
    }

    pub(super) async fn events(&self) -> Answer<Events> {
        let answer = tokio::time::timeout(ANSWER, self.http.get(url(&["events"])).send())
            .await
            .map_err(|_| self.gone("it does not answer".to_owned()))?
            .map_err(|error| self.failed(&error))?;
        Ok(Events::new(self.accepted(answer).await?, self.path.to_path_buf()))
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Answer<T> {
        let answer = request.send().await.map_err(|error| self.failed(&error))?;
        let answer = self.accepted(answer).await?;
        let body = answer.bytes().await.map_err(|error| self.failed(&error))?;
        serde_json::from_slice(&body).map_err(|error| garbled(&body, &error))
    }

    /// The answer if it is a success, else the problem that it tells of.
    async fn accepted(&self, answer: Response) -> Answer<Response> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.bytes().await.map_err(|error| self.failed(&error))?;
        Err(serde_json::from_slice::<Problem>(&body).map_or_else(
            |error| match garbled(&body, &error) {
                ClientError::Garbled(why) => {
                    ClientError::Garbled(format!("status {status}, {why}"))
                }
                other => other,
            },
            ClientError::Problem,
        ))
    }

    /// What a failed request means: nobody there, or nobody there for this user.
    fn failed(&self, error: &reqwest::Error) -> ClientError {
        if error.is_timeout() {
            return self.gone("it does not answer in time".to_owned());
        }
        match io_kind(error) {
            Some(io::ErrorKind::PermissionDenied) => ClientError::Problem(Problem {
                code: ProblemCode::NotAllowed,
                what: format!("cannot use the socket {}", self.path.display()),
                why: "this user may not open it".to_owned(),
                remedy: "be put into the group that owns it, then log in anew".to_owned(),
            }),
            Some(io::ErrorKind::NotFound) => self.gone("there is no such socket".to_owned()),
            Some(io::ErrorKind::ConnectionRefused) => self.gone("nobody listens there".to_owned()),
            _ => self.gone(chain(error)),
        }
    }

    fn gone(&self, why: String) -> ClientError {
        ClientError::Unreachable { socket: PathBuf::from(&*self.path), why }
    }
}

/// The address of a resource. The host means nothing on a Unix socket. Parts are encoded, so that none can be two.
fn url(path: &[&str]) -> Url {
    let mut url = Url::parse("http://localhost/v1").expect("a constant and valid address");
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.extend(path);
    }
    url
}

/// Quotes what came instead of an answer, as it came: like every text from outside it is shown through the gate.
fn garbled(body: &[u8], error: &serde_json::Error) -> ClientError {
    let begin: String = String::from_utf8_lossy(body).chars().take(QUOTED).collect();
    ClientError::Garbled(format!("{error}, in an answer that begins with \"{begin}\""))
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;

//! A client of the daemon's socket that is not Marsad's own: what any other program would see.

use std::path::Path;

use anyhow::{Context as _, bail};
use marsad_shared::{
    id::RunId,
    protocol::{
        ConnectionRow, ExchangeRow, FeedRow, QuarantineRow, ResyncReply, RunAct, RunActReply,
        RunRow, RunVerb, Status,
    },
};
use serde::de::DeserializeOwned;

/// The client. Cloned, it is the same one.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
}

/// The stream of events, as bytes: that something came is all that is asked of it.
#[derive(Debug)]
pub struct Stream(reqwest::Response);

impl Stream {
    /// Waits for more; `false`: the stream has ended.
    pub async fn more(&mut self) -> bool {
        matches!(self.0.chunk().await, Ok(Some(_)))
    }

    /// The next piece as text, lines of NDJSON; `None`: the stream has ended.
    pub async fn text(&mut self) -> Option<String> {
        let bytes = self.0.chunk().await.ok().flatten()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Client {
    /// A client of the socket at `path`; nobody needs to listen there yet.
    pub fn new(path: &Path) -> anyhow::Result<Self> {
        // Refused only if it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http =
            reqwest::Client::builder().unix_socket(path).no_proxy().pool_max_idle_per_host(1);
        Ok(Self { http: http.build()? })
    }

    /// What `GET /v1/PATH` answers.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.http.get(url(path)).send().await?;
        read(answer, path).await
    }

    /// What `POST /v1/PATH` answers.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl serde::Serialize,
    ) -> anyhow::Result<T> {
        let answer = self.http.post(url(path)).json(body).send().await?;
        read(answer, path).await
    }

    /// The event stream, from now on.
    pub async fn events(&self) -> anyhow::Result<Stream> {
        Ok(Stream(self.http.get(url("events")).send().await?.error_for_status()?))
    }

    pub async fn status(&self) -> anyhow::Result<Status> {
        self.get("status").await
    }

    pub async fn feed(&self, id: &str) -> anyhow::Result<FeedRow> {
        self.get(&format!("feeds/{id}")).await
    }

    pub async fn feeds(&self) -> anyhow::Result<Vec<FeedRow>> {
        self.get("feeds?limit=1000").await
    }

    pub async fn connection(&self, id: &str) -> anyhow::Result<ConnectionRow> {
        self.get(&format!("connections/{id}")).await
    }

    /// The runs of a feed, oldest first.
    pub async fn runs(&self, feed: &str) -> anyhow::Result<Vec<RunRow>> {
        let mut runs: Vec<RunRow> = self.get(&format!("runs?limit=1000&feed={feed}")).await?;
        runs.sort_by_key(|run| run.id);
        Ok(runs)
    }

    /// What a feed has in quarantine, oldest first.
    pub async fn quarantine(&self, feed: &str) -> anyhow::Result<Vec<QuarantineRow>> {
        let mut rows: Vec<QuarantineRow> =
            self.get(&format!("quarantine?limit=1000&feed={feed}")).await?;
        rows.sort_by_key(|row| row.id);
        Ok(rows)
    }

    /// All exchanges, oldest first.
    pub async fn exchanges(&self) -> anyhow::Result<Vec<ExchangeRow>> {
        let mut rows: Vec<ExchangeRow> = self.get("exchanges?limit=1000").await?;
        rows.sort_by_key(|row| row.id);
        Ok(rows)
    }

    /// Orders a run of `feed`.
    pub async fn resync(&self, feed: &str, full: bool) -> anyhow::Result<ResyncReply> {
        let order = serde_json::json!({ "feed": feed, "full": full, "reason": "a test" });
        self.post("resync", &order).await
    }

    /// Decides about a run.
    pub async fn decide(&self, verb: RunVerb, run: RunId) -> anyhow::Result<RunActReply> {
        self.post("runs/act", &RunAct { verb, run, reason: Some("a test".to_owned()) }).await
    }
}

fn url(path: &str) -> String {
    format!("http://localhost/v1/{path}")
}

async fn read<T: DeserializeOwned>(answer: reqwest::Response, path: &str) -> anyhow::Result<T> {
    let status = answer.status();
    let body = answer.text().await?;
    if !status.is_success() {
        bail!("{path}: {status}: {body}");
    }
    serde_json::from_str(&body)
        .with_context(|| format!("{path}: not what the protocol says: {body}"))
}

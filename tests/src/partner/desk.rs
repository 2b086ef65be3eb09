//! A partner that takes documents: `POST /v1/referrals` under an Idempotency-Key, and `GET /v1/referrals/{key}` for
//! whoever lost the answer. It counts what it was handed, key by key.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tokio::sync::watch;

use super::{
    config::PartnerFile,
    fault::{Fault, Switch},
    line::{Line, Server},
};

/// The desk at work. It goes away with the value.
#[derive(Debug)]
pub struct Desk {
    server: Server,
    tray: Arc<Tray>,
    partner: &'static str,
}

/// What was handed in under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// How often it was handed in; the first time counts, the others are answered alike.
    pub times: u64,
    /// How often somebody asked after it.
    pub asked: u64,
    pub body: Vec<u8>,
    /// Whether another body came under the same key: a breach of what the key is for.
    pub changed: bool,
}

#[derive(Debug)]
struct Tray {
    /// Of what is handed in.
    post: Switch,
    /// Of questions after it.
    ask: Switch,
    handed: Mutex<BTreeMap<String, Handed>>,
    count: watch::Sender<u64>,
}

impl Desk {
    /// Opens the desk of `partner` on `port`, or on a free one if that is 0 or taken.
    pub async fn start(partner: &'static str, port: u16) -> anyhow::Result<Self> {
        let tray = Arc::new(Tray {
            post: Switch::new(1),
            ask: Switch::new(2),
            handed: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let router = Router::new()
            .route("/v1/referrals", post(take))
            .route("/v1/referrals/{key}", get(look_up))
            .with_state(Arc::clone(&tray));
        Ok(Self { server: Server::start(router, port).await?, tray, partner })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The connection's id.
    pub fn connection(&self) -> String {
        format!("{}/desk", self.partner)
    }

    /// How its answers to documents go wrong.
    pub fn post(&self) -> &Switch {
        &self.tray.post
    }

    /// How its answers to questions go wrong.
    pub fn ask(&self) -> &Switch {
        &self.tray.ask
    }

    /// All that was handed in, by key.
    pub fn handed(&self) -> BTreeMap<String, Handed> {
        self.tray.lock().clone()
    }

    /// Waits until so many different documents were handed in.
    pub async fn until_handed(&self, documents: u64) {
        // The sender lives in `self`: it cannot go away meanwhile.
        let _ = self.tray.count.subscribe().wait_for(|count| *count >= documents).await;
    }

    /// Refuses connections from now on.
    pub async fn die(&self) {
        self.server.close().await;
    }

    /// Is there again, on the same port.
    pub async fn revive(&self) -> anyhow::Result<()> {
        self.server.reopen().await
    }

    /// The partner's file for `partners.d`.
    pub fn file(&self) -> PartnerFile {
        let mut file = PartnerFile::new(self.partner);
        file.connection("desk", &format!("base_url = \"http://{}\"\n", self.address()));
        file.add(
            "deliver = { method = \"POST\", path = \"/v1/referrals\", status_path = \"/v1/referrals/{key}\", deadline = \"2d\" }",
        );
        file
    }
}

impl Tray {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Handed>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a document; whether it is the first under its key.
    fn take(&self, key: &str, body: &Bytes) -> bool {
        let mut handed = self.lock();
        let entry = handed.entry(key.to_owned()).or_default();
        entry.times += 1;
        let first = entry.times == 1;
        if first {
            entry.body = body.to_vec();
            self.count.send_modify(|count| *count += 1);
        } else if entry.body != *body {
            entry.changed = true;
        }
        first
    }
}

async fn take(
    State(tray): State<Arc<Tray>>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let Some(key) = key else {
        return (StatusCode::BAD_REQUEST, "Idempotency-Key is missing").into_response();
    };
    match tray.post.take() {
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return (status, "not taken").into_response();
        }
        Some(Fault::RetryLater { status, seconds }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            return (status, [(header::RETRY_AFTER, seconds.to_string())], "later").into_response();
        }
        Some(Fault::Refuse) => line.cut().await,
        Some(Fault::NoAnswer | Fault::CutOff) => {
            tray.take(&key, &body);
            line.cut().await;
        }
        Some(Fault::Stall) => {
            tray.take(&key, &body);
            std::future::pending::<()>().await;
        }
        Some(Fault::Slow(delay)) => tokio::time::sleep(delay).await,
        _ => {}
    }
    let first = tray.take(&key, &body);
    let status = if first { StatusCode::CREATED } else { StatusCode::OK };
    (status, axum::Json(json!({ "key": key, "state": "received" }))).into_response()
}

async fn look_up(
    State(tray): State<Arc<Tray>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(key): Path<String>,
) -> Response {
    match tray.ask.take() {
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return (status, "ask again").into_response();
        }
        Some(_) => line.cut().await,
        None => {}
    }
    let mut handed = tray.lock();
    match handed.get_mut(&key) {
        Some(entry) => {
            entry.asked += 1;
            axum::Json(json!({ "key": key, "state": "received" })).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such referral").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_document_whose_answer_is_lost_was_taken_all_the_same() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let desk = Desk::start("social", 0).await.unwrap();
        let url = format!("http://{}/v1/referrals", desk.address());
        let hand_in = || client.post(&url).header("Idempotency-Key", "k1").body("one").send();
        desk.post().plan([Some(Fault::Refuse), Some(Fault::NoAnswer)]);
        assert!(hand_in().await.is_err());
        assert_eq!(
            client.get(format!("{url}/k1")).send().await.unwrap().status(),
            404,
            "refused, so not there"
        );
        assert!(hand_in().await.is_err());
        assert_eq!(
            client.get(format!("{url}/k1")).send().await.unwrap().status(),
            200,
            "the answer was lost"
        );
        assert_eq!(hand_in().await.unwrap().status(), 200, "the same key is answered alike");
        let handed = Handed { times: 2, asked: 1, body: b"one".to_vec(), changed: false };
        assert_eq!(desk.handed()["k1"], handed);
    }
}

//! A partner that answers as a script says: a function from what was asked to what is answered. It keeps a log of all
//! that it was asked, so that a test can hold each request against what it should have been.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, sync::watch};
use tokio_util::io::ReaderStream;

use super::line::Server;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// The query as it was written.
    pub query: String,
    pub params: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// How many requests of this path came before it.
    pub before: usize,
}

impl Asked {
    /// A parameter of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.param(name)?.parse().ok()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    pace: Pace,
}

/// How an answer comes.
#[derive(Clone, Debug)]
enum Pace {
    Whole,
    /// Not even its head comes, until the line is cut.
    Never,
    /// The head comes late.
    Late(Duration),
    /// The head comes, then the body piece by piece; `endless`: again and again.
    Drip {
        piece: usize,
        every: Duration,
        endless: bool,
    },
    /// The head promises so many bytes, and the body ends before or goes on behind them.
    Promising(usize),
}

impl Reply {
    pub fn json(value: &Value) -> Self {
        Self::text("application/json", &value.to_string())
    }

    pub fn text(kind: &str, body: &str) -> Self {
        Self::bytes(kind, body.as_bytes().to_vec())
    }

    pub fn bytes(kind: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Self { status: 200, headers, body, pace: Pace::Whole }
    }

    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), pace: Pace::Whole }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// No answer at all, and no end of waiting for it.
    pub fn never() -> Self {
        Self { pace: Pace::Never, ..Self::status(200) }
    }

    /// The answer begins so much later.
    #[must_use]
    pub fn late(mut self, delay: Duration) -> Self {
        self.pace = Pace::Late(delay);
        self
    }

    /// The body comes in pieces of so many bytes, one in each `every`.
    #[must_use]
    pub fn drip(mut self, piece: usize, every: Duration) -> Self {
        self.pace = Pace::Drip { piece, every, endless: false };
        self
    }

    /// As [`Self::drip`], and never ends.
    #[must_use]
    pub fn endless(mut self, piece: usize, every: Duration) -> Self {
        self.pace = Pace::Drip { piece, every, endless: true };
        self
    }

    /// The head promises another length than the body has.
    #[must_use]
    pub fn promising(mut self, length: usize) -> Self {
        self.pace = Pace::Promising(length);
        self
    }

    async fn answer(self, method: &Method) -> Response {
        let Self { status, headers, body, pace } = self;
        let mut length = None;
        let body = match pace {
            Pace::Never => std::future::pending().await,
            Pace::Whole => Body::from(body),
            Pace::Late(delay) => {
                tokio::time::sleep(delay).await;
                Body::from(body)
            }
            Pace::Promising(promised) => {
                length = Some(promised);
                dripping(body.clone(), body.len(), Duration::ZERO, false)
            }
            Pace::Drip { piece, every, endless } => dripping(body, piece, every, endless),
        };
        let body = if *method == Method::HEAD { Body::empty() } else { body };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        let pairs = headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        let length = length.map(|length| ("content-length".to_owned(), length.to_string()));
        for (name, value) in pairs.chain(length) {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// A body that is written while it is read. Whoever reads no more ends it.
fn dripping(body: Vec<u8>, piece: usize, every: Duration, endless: bool) -> Body {
    let (mut near, far) = tokio::io::duplex(piece.max(1));
    tokio::spawn(async move {
        loop {
            for piece in body.chunks(piece.max(1)) {
                if near.write_all(piece).await.is_err() {
                    return;
                }
                tokio::time::sleep(every).await;
            }
            if !endless {
                return;
            }
        }
    });
    Body::from_stream(ReaderStream::new(far))
}

/// What is answered to what was asked.
type Answer = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A partner at work. It goes away with the value.
#[derive(Debug)]
pub struct Script {
    server: Server,
    desk: Arc<Desk>,
}

/// What the answering side knows.
struct Desk {
    answer: Answer,
    log: Mutex<Vec<Asked>>,
    count: watch::Sender<usize>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("count", &*self.count.borrow()).finish_non_exhaustive()
    }
}

impl Desk {
    fn log(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    /// Starts a partner that answers as `answer` says.
    pub async fn start(
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let desk = Arc::new(Desk {
            answer: Box::new(answer),
            log: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let router = Router::new().fallback(take).with_state(Arc::clone(&desk));
        Ok(Self { server: Server::start(router, 0).await?, desk })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// All that was asked at `path` and below it so far, in the order in which it came.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.desk.log().iter().filter(|asked| is_below(&asked.path, path)).cloned().collect()
    }

    /// Waits until it was asked `times` times at `path` and below it.
    pub async fn until_asked(&self, path: &str, times: usize) {
        let enough = |_: &usize| {
            self.desk.log().iter().filter(|asked| is_below(&asked.path, path)).count() >= times
        };
        // The sender lives in `self`: it cannot go away meanwhile.
        let _ = self.desk.count.subscribe().wait_for(enough).await;
    }

    /// Refuses connections from now on.
    pub async fn die(&self) {
        self.server.close().await;
    }

    /// Is there again, on the same port.
    pub async fn revive(&self) -> anyhow::Result<()> {
        self.server.reopen().await
    }
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn take(
    State(desk): State<Arc<Desk>>,
    method: Method,
    uri: Uri,
    Query(params): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut asked = Asked {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        params,
        headers,
        body: body.to_vec(),
        before: 0,
    };
    {
        let mut log = desk.log();
        asked.before = log.iter().filter(|other| other.path == asked.path).count();
        log.push(asked.clone());
    }
    let reply = (desk.answer)(&asked);
    desk.count.send_modify(|count| *count += 1);
    reply.answer(&method).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_asked_is_kept_and_answered_as_the_script_says() {
        let script = Script::start(|asked| match asked.before {
            0 => Reply::text("text/plain", "first").header("x-more", "yes"),
            _ => Reply::text("text/plain", "cut").promising(50),
        })
        .await
        .unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/a/b?since=1%2B1", script.address());
        let first = client.post(&url).body("{\"n\": 7}").send().await.unwrap();
        assert_eq!(first.headers()["x-more"], "yes");
        assert_eq!(first.text().await.unwrap(), "first");
        assert!(client.get(&url).send().await.unwrap().text().await.is_err(), "it was cut off");

        script.until_asked("/a", 2).await;
        let asked = script.asked("/a");
        let [post, get] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!((post.method.as_str(), post.param("since")), ("POST", Some("1+1")));
        assert_eq!((post.json()["n"].as_u64(), get.before), (Some(7), 1));
        assert!(script.asked("/a/bc").is_empty());
    }
}

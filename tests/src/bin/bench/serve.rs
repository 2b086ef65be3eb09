//! The partner of the HTTP benchmarks: pages from the input's folder, and small documents that never change.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use marsad_tests::partner::line::Server;

/// What the partner knows.
struct Desk {
    folder: PathBuf,
    /// How many documents were asked for.
    asked: Arc<AtomicU64>,
}

/// Serves `/api?page=N` from `folder`, and out of nothing four kinds of documents: `/e/N.json`, always the same and with its
/// `ETag`; `/s/N.json`, always the same; `/o/N.json`, of whose records one is another each time; `/n/N.json`, of which all
/// are.
pub(crate) async fn start(folder: PathBuf) -> anyhow::Result<Server> {
    Ok(counting(folder).await?.0)
}

/// The same, with how many documents were asked for.
pub(crate) async fn counting(folder: PathBuf) -> anyhow::Result<(Server, Arc<AtomicU64>)> {
    let asked = Arc::<AtomicU64>::default();
    let desk = Desk { folder, asked: Arc::clone(&asked) };
    let router = Router::new()
        .route("/api", get(page))
        .route("/e/{name}", get(document))
        .route("/s/{name}", get(same))
        .route("/o/{name}", get(one))
        .route("/n/{name}", get(news))
        .with_state(Arc::new(desk));
    Ok((Server::start(router, 0).await?, asked))
}

async fn page(
    State(desk): State<Arc<Desk>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let number = query.get("page").and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
    // Behind the last page there is an empty one.
    let body = tokio::fs::read(desk.folder.join(format!("www/pages/{number}.json"))).await;
    as_json(body.unwrap_or_else(|_| br#"{"data":[]}"#.to_vec()).into())
}

async fn document(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    desk.asked.fetch_add(1, Relaxed);
    let tag = format!("\"{name}\"");
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let mut response = as_json(records(&name, &constant(), &constant()).into());
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

async fn same(State(desk): State<Arc<Desk>>, Path(name): Path<String>) -> Response {
    desk.asked.fetch_add(1, Relaxed);
    as_json(records(&name, &constant(), &constant()).into())
}

async fn one(State(desk): State<Arc<Desk>>, Path(name): Path<String>) -> Response {
    let new = desk.another();
    as_json(records(&name, &new, &constant()).into())
}

async fn news(State(desk): State<Arc<Desk>>, Path(name): Path<String>) -> Response {
    let new = desk.another();
    as_json(records(&name, &new, &new).into())
}

impl Desk {
    /// A status that no document had.
    fn another(&self) -> String {
        format!("{:0>180}", self.asked.fetch_add(1, Relaxed))
    }
}

/// A status that is always the same.
fn constant() -> String {
    "x".repeat(180)
}

/// Eight records, two kilobytes: the status of the first one and that of the others.
fn records(name: &str, first: &str, status: &str) -> String {
    let record = |number: u64| {
        let status = if number == 0 { first } else { status };
        format!("{{\"record_id\":\"{name}-{number}\",\"status\":\"{status}\"}}")
    };
    let records: Vec<_> = (0..8).map(record).collect();
    format!("{{\"records\":[{}]}}", records.join(","))
}

fn as_json(body: Body) -> Response {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

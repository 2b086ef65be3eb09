//! The partner of the HTTP benchmarks: pages from the input's folder, and small documents that never change.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use marsad_tests::partner::line::Server;

/// Serves `/api?page=N` from `folder`, and `/e/N.json` out of nothing.
pub(crate) async fn start(folder: PathBuf) -> anyhow::Result<Server> {
    let router = Router::new().route("/api", get(page)).route("/e/{name}", get(document));
    Server::start(router.with_state(Arc::new(folder)), 0).await
}

async fn page(
    State(folder): State<Arc<PathBuf>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let number = query.get("page").and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
    // Behind the last page there is an empty one.
    let body = tokio::fs::read(folder.join(format!("www/pages/{number}.json"))).await;
    as_json(body.unwrap_or_else(|_| br#"{"data":[]}"#.to_vec()).into())
}

async fn document(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let tag = format!("\"{name}\"");
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let record = |number: u64| {
        format!("{{\"record_id\":\"{name}-{number}\",\"status\":\"{}\"}}", "x".repeat(180))
    };
    let records: Vec<_> = (0..8).map(record).collect();
    let mut response = as_json(format!("{{\"records\":[{}]}}", records.join(",")).into());
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn as_json(body: Body) -> Response {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

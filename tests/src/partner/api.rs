//! A partner with an HTTP interface: one dataset, one way of paging, and whatever goes wrong with both.

mod page;

use std::{
    collections::HashMap,
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::time::Instant;

use super::{
    config::PartnerFile,
    data::{Dataset, Truth},
    fault::{Fault, Headers, Switch},
    line::{Line, Server},
};

/// How the partner's pages lead to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// `after` carries what stood at `meta.next`; rows stand at `data`.
    Cursor,
    /// `offset` counts rows; rows stand at `items`; `updated_since` filters.
    Offset,
    /// `page` counts from 1; rows stand at `data`.
    Page,
    /// The `Link` header; the body is the rows.
    Link,
    /// A URL at `next`; rows stand at `value`.
    NextUrl,
}

/// What a partner is like, before it starts.
#[derive(Clone, Debug)]
pub struct Plan {
    pub partner: &'static str,
    pub dataset: &'static Dataset,
    pub paging: Paging,
    pub rows: u64,
    pub seed: u64,
    /// The most rows of a page.
    pub page: usize,
    /// The bearer token that it wants to see.
    pub token: Option<String>,
    /// How many requests it takes in each period; then it answers 429.
    pub limit: Option<(u64, Duration)>,
    /// The port it would like; 0: any.
    pub port: u16,
}

impl Plan {
    /// A partner of 250 rows in pages of 100.
    pub fn new(partner: &'static str, dataset: &'static Dataset, paging: Paging) -> Self {
        Self {
            partner,
            dataset,
            paging,
            rows: 250,
            seed: 20_260_101,
            page: 100,
            token: None,
            limit: None,
            port: 0,
        }
    }

    #[must_use]
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = rows;
        self
    }

    #[must_use]
    pub fn page(mut self, page: usize) -> Self {
        self.page = page;
        self
    }

    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    #[must_use]
    pub fn limit(mut self, requests: u64, per: Duration) -> Self {
        self.limit = Some((requests, per));
        self
    }

    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the partner.
    pub async fn start(self) -> anyhow::Result<Api> {
        let truth = Truth::new(self.dataset, self.seed, self.rows);
        let port = self.port;
        let front = Arc::new(Front {
            switch: Switch::new(self.seed),
            truth: Mutex::new(truth),
            spent: Mutex::new((Instant::now(), 0)),
            plan: self,
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&front));
        Ok(Api { server: Server::start(router, port).await?, front })
    }
}

/// A partner at work. It goes away with the value.
#[derive(Debug)]
pub struct Api {
    server: Server,
    front: Arc<Front>,
}

/// What the answering side knows.
#[derive(Debug)]
struct Front {
    plan: Plan,
    switch: Switch,
    truth: Mutex<Truth>,
    /// When the present period began, and how many requests it has seen.
    spent: Mutex<(Instant, u64)>,
}

impl Api {
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The feed's id.
    pub fn feed(&self) -> String {
        format!("{}/{}", self.front.plan.partner, self.front.plan.dataset.feed)
    }

    pub fn switch(&self) -> &Switch {
        &self.front.switch
    }

    /// What the partner knows now; it answers nothing while this is held.
    pub fn truth(&self) -> MutexGuard<'_, Truth> {
        self.front.truth()
    }

    /// Refuses connections from now on.
    pub async fn die(&self) {
        self.server.close().await;
    }

    /// Is there again, on the same port.
    pub async fn revive(&self) -> anyhow::Result<()> {
        self.server.reopen().await
    }

    /// The partner's file for `partners.d`, polled `every` so long.
    pub fn file(&self, every: &str) -> PartnerFile {
        let plan = &self.front.plan;
        let mut file = PartnerFile::new(plan.partner);
        file.connection("api", &format!("base_url = \"http://{}\"\n", self.address()));
        if let Some(token) = &plan.token {
            let secret = format!("{}.secret", plan.partner);
            file.add(&format!(
                "auth = {{ kind = \"bearer\", token = {{ file = \"{secret}\" }} }}\n"
            ));
            file.secret(&secret, token);
        }
        file.feed("api", plan.dataset);
        file.add(&format!("path = \"/v1/{}\"\n", plan.dataset.feed));
        file.add(&paging_keys(plan));
        file.add(&format!("schedule = {{ every = \"{every}\" }}\n"));
        file
    }
}

fn paging_keys(plan: &Plan) -> String {
    let size = format!("size_param = \"limit\", size = {}", plan.page);
    let (records, pagination) = match plan.paging {
        Paging::Cursor => (
            "$.data[*]",
            format!("kind = \"cursor\", param = \"after\", next = \"$.meta.next\", {size}"),
        ),
        Paging::Offset => ("$.items[*]", format!("kind = \"offset\", param = \"offset\", {size}")),
        Paging::Page => {
            ("$.data[*]", format!("kind = \"page\", param = \"page\", start = 1, {size}"))
        }
        Paging::Link => ("$[*]", format!("kind = \"link\", {size}")),
        Paging::NextUrl => {
            ("$.value[*]", format!("kind = \"next_url\", next = \"$.next\", {size}"))
        }
    };
    let mut keys = format!(
        "records = \"{records}\"
pagination = {{ {pagination} }}
"
    );
    if matches!(plan.paging, Paging::Cursor | Paging::Offset) {
        let field = plan.dataset.changed_column();
        let _ = writeln!(
            keys,
            "incremental = {{ field = \"{field}\", param = \"updated_since\", lookback = \"10m\" }}"
        );
    }
    keys
}

impl Front {
    fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many seconds a client has to wait, if it has asked too often.
    fn over_limit(&self) -> Option<u64> {
        let (most, per) = self.plan.limit?;
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.0.elapsed() >= per {
            *spent = (Instant::now(), 0);
        }
        spent.1 += 1;
        (spent.1 > most).then(|| (per.saturating_sub(spent.0.elapsed())).as_secs() + 1)
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.plan.token else { return true };
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        shown == Some(&format!("Bearer {token}"))
    }
}

async fn answer(
    State(front): State<Arc<Front>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let fault = front.switch.take();
    if !front.lets_in(&headers) {
        return (StatusCode::UNAUTHORIZED, "who are you?").into_response();
    }
    if let Some(seconds) = front.over_limit() {
        return later(429, seconds);
    }
    match &fault {
        Some(Fault::Status(status)) => return status_of(*status),
        Some(Fault::RetryLater { status, seconds }) => return later(*status, *seconds),
        Some(Fault::Answer { status, headers, body }) => {
            return with(headers, (status_of(*status).status(), *body).into_response());
        }
        Some(Fault::Html) => return html(),
        Some(Fault::NoAnswer | Fault::Refuse) => line.cut().await,
        Some(Fault::Stall) => std::future::pending().await,
        Some(Fault::Slow(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    let response = front.written(&query, fault.as_ref());
    if fault == Some(Fault::CutOff) {
        // The head takes some 100 bytes of these: the cut comes within the rows all the same.
        line.cut_after(response.length() / 2 + 100);
    }
    match &fault {
        Some(Fault::With(headers)) => with(headers, response.into_response()),
        _ => response.into_response(),
    }
}

fn with(headers: &Headers, mut response: Response) -> Response {
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(*name, value);
        }
    }
    response
}

fn status_of(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, "something went wrong over here").into_response()
}

fn later(status: u16, seconds: u64) -> Response {
    let mut response = status_of(status);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

fn html() -> Response {
    let page =
        "<!doctype html><title>Maintenance \u{1b}]0;owned\u{7}</title><p>We are back soon.</p>";
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::partner::data::{NOTICES, VISITS};

    /// A client that gives up soon.
    fn client() -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
    }

    async fn ask(api: &Api, path: &str) -> reqwest::Result<(StatusCode, HeaderMap, String)> {
        let answer =
            client().get(format!("http://{}{path}", api.address())).bearer_auth("t").send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok((status, headers, answer.text().await?))
    }

    /// All keys, page after page, as a client that follows the partner's rules would read them.
    async fn walk(api: &Api, paging: Paging) -> Vec<String> {
        let (mut keys, mut path) = (Vec::new(), "/v1/x?limit=100".to_owned());
        loop {
            let (_, headers, body) = ask(api, &path).await.unwrap();
            let body: Value = serde_json::from_str(&body).unwrap();
            let rows = match paging {
                Paging::Cursor | Paging::Page => &body["data"],
                Paging::Offset => &body["items"],
                Paging::Link => &body,
                Paging::NextUrl => &body["value"],
            };
            let before = keys.len();
            keys.extend(
                rows.as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row["visit_id"].as_str().unwrap().to_owned()),
            );
            let next = match paging {
                Paging::Cursor => body["meta"]["next"]
                    .as_str()
                    .map(|next| format!("/v1/x?limit=100&after={next}")),
                Paging::Offset if keys.len() > before => {
                    Some(format!("/v1/x?limit=100&offset={}", keys.len()))
                }
                Paging::Page if keys.len() > before => {
                    Some(format!("/v1/x?limit=100&page={}", keys.len() / 100 + 1))
                }
                Paging::Offset | Paging::Page => None,
                Paging::Link => {
                    headers.get("link").map(|link| link.to_str().unwrap()).map(|link| {
                        let target = link.trim_start_matches('<').split('>').next().unwrap();
                        format!("/v1/x{target}")
                    })
                }
                Paging::NextUrl => body["next"].as_str().map(|target| format!("/v1/x{target}")),
            };
            match next {
                // A short page of `Page` is the last: the next number would be the same again.
                Some(next) if next != path && keys.len() - before > 0 => path = next,
                _ => return keys,
            }
        }
    }

    #[tokio::test]
    async fn each_way_of_paging_shows_every_row_once() {
        for paging in [Paging::Cursor, Paging::Offset, Paging::Page, Paging::Link, Paging::NextUrl]
        {
            let api = Plan::new("health", &VISITS, paging).start().await.unwrap();
            let keys = walk(&api, paging).await;
            let truth: Vec<_> = api.truth().by_key().into_keys().collect();
            assert_eq!(keys, truth, "{paging:?}");
        }
    }

    #[tokio::test]
    async fn only_what_changed_is_shown_to_who_asks_for_that() {
        let api = Plan::new("child-protection", &NOTICES, Paging::Offset).start().await.unwrap();
        let last = api.truth().row(249).last().cloned().unwrap();
        api.truth().touch(3);
        let crate::partner::Cell::Text(since) = last else { panic!("a time") };
        let (_, _, body) = ask(&api, &format!("/v1/notices?updated_since={since}")).await.unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        let keys: Vec<_> =
            body["items"].as_array().unwrap().iter().map(|row| &row["notice_id"]).collect();
        assert_eq!(keys, ["N0000249", "N0000003"]);
    }

    #[tokio::test]
    async fn faults_are_what_they_say() {
        let api = Plan::new("health", &VISITS, Paging::Cursor).token("t").start().await.unwrap();
        let switch = api.switch();
        switch
            .plan([Some(Fault::Status(500)), Some(Fault::RetryLater { status: 429, seconds: 7 })]);
        assert_eq!(ask(&api, "/").await.unwrap().0, 500);
        let (status, headers, _) = ask(&api, "/").await.unwrap();
        assert_eq!((status.as_u16(), headers["retry-after"].to_str().unwrap()), (429, "7"));
        let told = |n: &str| vec![("x-ratelimit-remaining", n.to_owned())];
        let answer = Fault::Answer { status: 403, headers: told("0"), body: "no more" };
        switch.plan([Some(answer), Some(Fault::With(told("7")))]);
        let (status, headers, body) = ask(&api, "/").await.unwrap();
        assert_eq!((status.as_u16(), body.as_str()), (403, "no more"));
        assert_eq!(headers["x-ratelimit-remaining"], "0");
        let (status, headers, body) = ask(&api, "/").await.unwrap();
        assert_eq!(
            (status.as_u16(), &headers["x-ratelimit-remaining"]),
            (200, &"7".parse().unwrap())
        );
        assert!(serde_json::from_str::<Value>(&body).is_ok(), "and the rows are there");
        switch.plan([Some(Fault::Html)]);
        assert!(
            ask(&api, "/").await.unwrap().1["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );

        switch.plan([Some(Fault::CutOff)]);
        let url = format!("http://{}/", api.address());
        let mut answer = client().get(&url).bearer_auth("t").send().await.unwrap();
        assert_eq!(answer.status(), 200, "the head is whole");
        let mut got = 0;
        let cut = loop {
            match answer.chunk().await {
                Ok(Some(piece)) => got += piece.len(),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(cut && got > 0, "cut off after {got} bytes");

        switch.plan([Some(Fault::NoAnswer)]);
        assert!(ask(&api, "/").await.is_err());
        switch.plan([Some(Fault::Garbage)]);
        assert!(serde_json::from_str::<Value>(&ask(&api, "/").await.unwrap().2).is_err());
        assert_eq!(client().get(&url).bearer_auth("wrong").send().await.unwrap().status(), 401);
    }

    #[tokio::test]
    async fn a_dead_partner_refuses_and_comes_back_on_the_same_port() {
        let api = Plan::new("health", &VISITS, Paging::Cursor).start().await.unwrap();
        api.switch().plan([Some(Fault::Stall)]);
        let hanging = async { ask(&api, "/").await.is_err() };
        let dying = async {
            api.switch().until_asked(1).await;
            api.die().await;
        };
        let (cut, ()) = tokio::join!(hanging, dying);
        assert!(cut, "lines that stand are cut");
        assert!(ask(&api, "/").await.unwrap_err().is_connect());
        api.revive().await.unwrap();
        assert_eq!(ask(&api, "/").await.unwrap().0, 200);
    }

    #[tokio::test]
    async fn who_asks_too_often_is_told_to_wait() {
        let plan = Plan::new("health", &VISITS, Paging::Cursor).limit(2, Duration::from_hours(1));
        let api = plan.start().await.unwrap();
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(ask(&api, "/").await.unwrap().0.as_u16());
        }
        assert_eq!(statuses, [200, 200, 429]);
    }
}

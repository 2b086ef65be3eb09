//! Looking: every list and every single row, from the read models, on a thread that may block.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use jiff::Timestamp;
use marsad_shared::{
    id::{ExchangeId, FeedId, GroupId, MoveId, QuarantineId, RunId},
    protocol::{
        AuditProof, AuditRow, ConnectionRow, CursorRow, EventKind, ExchangeRow, FeedRow, ListQuery,
        PartnerRow, QuarantineGroup, QuarantineItem, QuarantineRow, RecordRow, RunRow, Status,
    },
    role::Act,
    run::Outcome,
    store::{Reader, StoreError},
};
use serde::Deserialize;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, timeout_at},
};

use crate::source::manners::clock::NOTABLE;

use super::{
    Api, Peer,
    problem::{Refusal, bad_request, failed, not_allowed, not_found},
};

type Answer<T> = Result<Json<T>, Refusal>;
type Asked = Result<Query<ListQuery>, QueryRejection>;

/// The longest that a client may wait for a run with one request.
const WAIT_MAX: Duration = Duration::from_mins(1);

impl Api {
    async fn read<R, F>(&self, read: F) -> Result<R, Refusal>
    where
        R: Send + 'static,
        F: FnOnce(&Reader, Timestamp) -> Result<R, StoreError> + Send + 'static,
    {
        let now = self.services.clock.now();
        let answer = self.services.readers.read(move |reader| read(reader, now)).await;
        answer.map_err(|error| failed("it could not be read", &error).into())
    }

    /// Adds to a connection's row what only the running daemon knows: what its requests wait for, and the partner's clock.
    fn add_manners(&self, row: &mut ConnectionRow) {
        let Some(source) = self.services.books.source(&row.id) else { return };
        if source.gate().is_broken() {
            row.overlays.push("breaker".to_owned());
        }
        if let Some(held) = source.held() {
            if !held.is_breaker() {
                row.overlays.push("waiting".to_owned());
            }
            (row.wait_until_at, row.wait_reason) = (Some(held.until), Some(held.why));
        }
        let offset = source.gate().offset();
        if offset.is_some_and(|offset| offset.abs() >= NOTABLE) {
            row.overlays.push("clock".to_owned());
        }
        row.clock_offset_s = offset.map(|offset| offset.as_secs());
    }

    /// One row of a list that `read` narrows to it.
    async fn one<R, F>(&self, what: String, read: F) -> Answer<R>
    where
        R: Send + 'static,
        F: FnOnce(&Reader, Timestamp) -> Result<Option<R>, StoreError> + Send + 'static,
    {
        let found = self.read(read).await?;
        found.map(Json).ok_or_else(|| not_found(&what, "list what there is").into())
    }
}

/// The query, if it asks for nothing but what this list's rows have: a filter that is passed over would lie.
fn query(asked: Asked, filters: &[&str]) -> Result<ListQuery, Refusal> {
    let Query(query) = asked.map_err(|error| bad_request(error.body_text()))?;
    let given = [
        ("partner", query.partner.is_some()),
        ("connection", query.connection.is_some()),
        ("feed", query.feed.is_some()),
        ("state", query.state.is_some()),
        ("group", query.group.is_some()),
    ];
    match given.into_iter().find(|(name, given)| *given && !filters.contains(name)) {
        None => Ok(query),
        Some((name, _)) => {
            let have = if filters.is_empty() { "no filter".to_owned() } else { filters.join(", ") };
            Err(bad_request(format!("this list cannot be filtered by {name}; it has: {have}"))
                .into())
        }
    }
}

fn id<T: std::str::FromStr<Err = marsad_shared::id::IdError>>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error: marsad_shared::id::IdError| bad_request(error.to_string()).into())
}

pub(super) async fn status(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
) -> Answer<Status> {
    let mut status = api.read(Reader::status).await?;
    status.daemon.running = true;
    status.daemon.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    status.daemon.started_at = Some(api.started_at);
    status.daemon.seen_at = Some(status.at);
    status.running = api.services.progress.all();
    status.roles = Some(peer.roles);
    Ok(Json(status))
}

pub(super) async fn partners(State(api): State<Arc<Api>>, asked: Asked) -> Answer<Vec<PartnerRow>> {
    let query = query(asked, &["partner"])?;
    api.read(move |reader, now| reader.partners(&query, now)).await.map(Json)
}

pub(super) async fn partner(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Answer<PartnerRow> {
    let query = ListQuery { partner: Some(id.clone()), ..ListQuery::default() };
    // So that what is spent is told to the last call.
    api.services.keep_books().await;
    api.one(format!("partner {id:?}"), move |reader, now| Ok(reader.partners(&query, now)?.pop()))
        .await
}

pub(super) async fn connections(
    State(api): State<Arc<Api>>,
    asked: Asked,
) -> Answer<Vec<ConnectionRow>> {
    let query = query(asked, &["partner", "connection", "state"])?;
    let mut rows = api.read(move |reader, now| reader.connections(&query, now)).await?;
    for row in &mut rows {
        api.add_manners(row);
    }
    Ok(Json(rows))
}

pub(super) async fn connection(
    State(api): State<Arc<Api>>,
    Path((partner, name)): Path<(String, String)>,
) -> Answer<ConnectionRow> {
    let id = format!("{partner}/{name}");
    let query = ListQuery { connection: Some(id.clone()), ..ListQuery::default() };
    let Json(mut row) = api
        .one(format!("connection {id:?}"), move |reader, now| {
            Ok(reader.connections(&query, now)?.pop())
        })
        .await?;
    api.add_manners(&mut row);
    Ok(Json(row))
}

pub(super) async fn feeds(State(api): State<Arc<Api>>, asked: Asked) -> Answer<Vec<FeedRow>> {
    let query = query(asked, &["partner", "connection", "feed", "state"])?;
    api.read(move |reader, now| reader.feeds(&query, now)).await.map(Json)
}

pub(super) async fn feed(
    State(api): State<Arc<Api>>,
    Path((partner, name)): Path<(String, String)>,
) -> Answer<FeedRow> {
    let id = format!("{partner}/{name}");
    let query = ListQuery { feed: Some(id.clone()), ..ListQuery::default() };
    api.one(format!("feed {id:?}"), move |reader, now| Ok(reader.feeds(&query, now)?.pop())).await
}

pub(super) async fn runs(State(api): State<Arc<Api>>, asked: Asked) -> Answer<Vec<RunRow>> {
    let query = query(asked, &["partner", "feed", "state"])?;
    api.read(move |reader, _| reader.runs(&query)).await.map(Json)
}

/// How long to wait for a run's end.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wait {
    #[serde(default)]
    wait_s: u64,
}

pub(super) async fn run(
    State(api): State<Arc<Api>>,
    Path(text): Path<String>,
    wait: Result<Query<Wait>, QueryRejection>,
) -> Answer<RunRow> {
    let run: RunId = id(&text)?;
    let Query(Wait { wait_s }) = wait.map_err(|error| bad_request(error.body_text()))?;
    let until = Instant::now() + Duration::from_secs(wait_s).min(WAIT_MAX);
    let mut events = api.services.events.listen();
    loop {
        let Json(row) = api.one(format!("run {run}"), move |reader, _| reader.run(run)).await?;
        if row.outcome != Outcome::Running || Instant::now() >= until || api.stop.is_cancelled() {
            return Ok(Json(row));
        }
        loop {
            let next = tokio::select! {
                () = api.stop.cancelled() => break,
                next = timeout_at(until, events.recv()) => next,
            };
            match next {
                Ok(Ok(event))
                    if event.kind == EventKind::Run
                        && event.id.as_deref() == Some(text.as_str()) =>
                {
                    break;
                }
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Lagged(_))) | Err(_) => break,
                Ok(Err(RecvError::Closed)) => return Ok(Json(row)),
            }
        }
    }
}

pub(super) async fn records(
    State(api): State<Arc<Api>>,
    Path((partner, name)): Path<(String, String)>,
    asked: Asked,
) -> Answer<Vec<RecordRow>> {
    let (feed, query) = (known_feed(&api, &partner, &name).await?, query(asked, &[])?);
    api.read(move |reader, _| reader.records(&feed, &query)).await.map(Json)
}

pub(super) async fn record(
    State(api): State<Arc<Api>>,
    Path((partner, name, key)): Path<(String, String, String)>,
) -> Answer<RecordRow> {
    let feed = known_feed(&api, &partner, &name).await?;
    api.one(format!("a record of {feed} with that key"), move |reader, _| {
        reader.record(&feed, &key)
    })
    .await
}

pub(super) async fn cursor(
    State(api): State<Arc<Api>>,
    Path((partner, name)): Path<(String, String)>,
    asked: Asked,
) -> Answer<Vec<CursorRow>> {
    let (feed, query) = (known_feed(&api, &partner, &name).await?, query(asked, &[])?);
    api.read(move |reader, _| reader.cursor(&feed, &query)).await.map(Json)
}

pub(super) async fn cursor_move(
    State(api): State<Arc<Api>>,
    Path((partner, name, text)): Path<(String, String, String)>,
) -> Answer<CursorRow> {
    let (feed, at) = (known_feed(&api, &partner, &name).await?, id::<MoveId>(&text)?);
    api.one(format!("move {at} of the cursor of {feed}"), move |reader, _| {
        reader.cursor_move(&feed, at)
    })
    .await
}

async fn known_feed(api: &Api, partner: &str, name: &str) -> Result<FeedId, Refusal> {
    let text = format!("{partner}/{name}");
    let feed: FeedId = id(&text)?;
    let query = ListQuery { feed: Some(text.clone()), ..ListQuery::default() };
    let Json(row) = api
        .one(format!("feed {text:?}"), move |reader, now| Ok(reader.feeds(&query, now)?.pop()))
        .await?;
    debug_assert_eq!(row.id, feed);
    Ok(feed)
}

pub(super) async fn quarantine(
    State(api): State<Arc<Api>>,
    asked: Asked,
) -> Answer<Vec<QuarantineRow>> {
    let query = query(asked, &["partner", "feed", "state", "group"])?;
    api.read(move |reader, _| reader.quarantine(&query)).await.map(Json)
}

pub(super) async fn quarantine_groups(
    State(api): State<Arc<Api>>,
    asked: Asked,
) -> Answer<Vec<QuarantineGroup>> {
    let query = query(asked, &["partner", "feed", "state"])?;
    api.read(move |reader, _| reader.quarantine_groups(&query)).await.map(Json)
}

pub(super) async fn quarantine_group(
    State(api): State<Arc<Api>>,
    Path(text): Path<String>,
) -> Answer<QuarantineGroup> {
    let group: GroupId = id(&text)?;
    api.one(format!("group {group} in quarantine"), move |reader, _| reader.quarantine_group(group))
        .await
}

pub(super) async fn quarantine_item(
    State(api): State<Arc<Api>>,
    Path(text): Path<String>,
) -> Answer<QuarantineItem> {
    let item: QuarantineId = id(&text)?;
    api.one(format!("quarantine item {item}"), move |reader, _| reader.quarantine_item(item)).await
}

pub(super) async fn exchanges(
    State(api): State<Arc<Api>>,
    asked: Asked,
) -> Answer<Vec<ExchangeRow>> {
    let query = query(asked, &["partner", "connection", "state"])?;
    api.read(move |reader, _| reader.exchanges(&query)).await.map(Json)
}

pub(super) async fn exchange(
    State(api): State<Arc<Api>>,
    Path(text): Path<String>,
) -> Answer<ExchangeRow> {
    let exchange: ExchangeId = id(&text)?;
    api.one(format!("exchange {exchange}"), move |reader, _| reader.exchange(exchange)).await
}

pub(super) async fn audit(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Asked,
) -> Answer<Vec<AuditRow>> {
    may_read_audit(&peer)?;
    let query = query(asked, &[])?;
    api.read(move |reader, _| reader.audit(&query)).await.map(Json)
}

pub(super) async fn audit_entry(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    Path(seq): Path<String>,
) -> Answer<AuditRow> {
    may_read_audit(&peer)?;
    let number: i64 =
        seq.parse().map_err(|_| bad_request(format!("{seq:?} is no number of an audit entry")))?;
    // The list counts downwards: the first entry behind the next number is this one, if it is there.
    let query = ListQuery {
        after: Some(number.saturating_add(1).to_string()),
        limit: Some(1),
        ..ListQuery::default()
    };
    api.one(format!("audit entry {number}"), move |reader, _| {
        Ok(reader.audit(&query)?.pop().filter(|row| row.seq == number))
    })
    .await
}

pub(super) async fn audit_verify(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
) -> Answer<AuditProof> {
    may_read_audit(&peer)?;
    api.read(|reader, _| reader.audit_verify()).await.map(Json)
}

fn may_read_audit(peer: &Peer) -> Result<(), Refusal> {
    if peer.roles.allows(Act::ReadAudit) {
        Ok(())
    } else {
        Err(not_allowed(Act::ReadAudit, peer.roles).into())
    }
}

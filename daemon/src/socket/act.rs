//! Acting: each command is allowed by a role, audited before it takes effect, and its outcome audited after (promise 6).

use std::{io::Write as _, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::Body,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
};
use futures_util::StreamExt as _;
use marsad_shared::{
    audit::{Deed, Head, Phase},
    clock::plus,
    connection::Link,
    exchange::Event,
    id::{ConnectionId, ExchangeId, RunId},
    protocol::{
        ActOutcome, EventKind, ExchangeAct, ExchangeRow, ExchangeVerb, Preview, Problem,
        ProblemCode, Resync, ResyncReply,
    },
    role::Act,
    store::{StoreError, ledger::Step, originals::Kept},
};
use serde::Deserialize;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use tracing::{info, warn};

use super::{
    Api, Peer,
    problem::{Refusal, bad_request, conflict, failed, not_allowed, not_found},
};
use crate::{
    courier::DOCUMENT_MAX,
    outbox::{accept, deadline, ring},
    services::Order,
};

/// How long an order may wait for a run of the same feed that is under way.
const ORDER_WAIT: Duration = Duration::from_secs(55);
/// The largest document for a folder, in bytes.
const FILE_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Exchanges of one command.
const IDS_MAX: usize = 1_000;
/// The longest reason that a person may give, in bytes.
const REASON_MAX: usize = 2_000;

impl Api {
    /// The one gate: may this peer do it? Then it is written down, done, and written down how it ended.
    async fn audited<R>(
        &self,
        peer: &Peer,
        act: Act,
        object: &str,
        reason: Option<&str>,
        detail: &str,
        effect: impl Future<Output = Result<(R, String), Problem>>,
    ) -> Result<R, Refusal> {
        if reason.is_some_and(|reason| reason.len() > REASON_MAX) {
            return Err(bad_request("the reason is longer than 2,000 bytes").into());
        }
        let deed = |phase, detail: String, of| Deed {
            seq: 0,
            at: self.services.clock.now(),
            uid: peer.uid,
            user: peer.user.clone(),
            role: peer.roles.to_string(),
            action: act.word().to_owned(),
            object: object.to_owned(),
            reason: reason.map(str::to_owned),
            phase,
            detail,
            of,
        };
        if !peer.roles.allows(act) {
            self.note(deed(Phase::Refused, detail.to_owned(), None)).await?;
            return Err(not_allowed(act, peer.roles).into());
        }
        let begun = self.note(deed(Phase::Begun, detail.to_owned(), None)).await?;
        let done = effect.await;
        let (phase, outcome) = match &done {
            Ok((_, outcome)) => (Phase::Done, outcome.clone()),
            Err(problem) => (Phase::Failed, problem.why.clone()),
        };
        self.note(deed(phase, outcome, Some(begun))).await?;
        done.map(|(result, _)| result).map_err(Refusal)
    }

    async fn note(&self, deed: Deed) -> Result<i64, Refusal> {
        let at = deed.at;
        let entry = self.services.store.ledger.call(move |ledger| ledger.audit(deed)).await;
        let entry =
            entry.map_err(|error| failed("it could not be audited, so it was not done", &error))?;
        let head = Head { seq: entry.deed.seq, hash: entry.hash };
        if let Err(error) = self.services.store.folder.note_head(head) {
            warn!(%error, "the audit's head could not be noted");
        }
        info!(seq = head.seq, hash = %head.hash, "audit head");
        self.services.events.tell(at, EventKind::Audit, Some(head.seq.to_string()));
        Ok(entry.deed.seq)
    }
}

/// `POST /v1/resync`.
pub(super) async fn resync(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Json<Resync>, JsonRejection>,
) -> Result<Json<ResyncReply>, Refusal> {
    let Json(order) = asked.map_err(|error| bad_request(error.body_text()))?;
    let Some(desk) = api.services.orders.desk(&order.feed) else {
        return Err(
            not_found(&format!("feed {}", order.feed), "list the feeds: marsad feeds").into()
        );
    };
    let preview = preview(&api, &order).await?;
    if order.dry_run {
        return Ok(Json(ResyncReply { feed: order.feed, run: None, preview }));
    }
    let scope = format!("scope {}", preview.scope);
    let feed = order.feed.clone();
    let effect = async {
        let (reply, answer) = oneshot::channel();
        let order =
            Order { feed: order.feed.clone(), full: order.full, actor: peer.user_or_uid(), reply };
        desk.try_send(order).map_err(|_| busy("several resyncs of it wait already"))?;
        // An order that is given up here is still obeyed when its turn comes; the audit says that it was given.
        let run: RunId = match timeout(ORDER_WAIT, answer).await {
            Ok(Ok(begun)) => begun?,
            Ok(Err(_)) => return Err(unavailable()),
            Err(_) => {
                return Err(busy("a run of it is under way; the resync begins when that ends"));
            }
        };
        Ok((run, format!("run {run} begun")))
    };
    let run = api
        .audited(&peer, Act::Resync, order.feed.as_str(), order.reason.as_deref(), &scope, effect)
        .await?;
    Ok(Json(ResyncReply { feed, run: Some(run), preview }))
}

async fn preview(api: &Api, order: &Resync) -> Result<Preview, Refusal> {
    let (feed, full) = (order.feed.clone(), order.full);
    let preview = api.services.readers.read(move |reader| reader.preview(&feed, full)).await;
    preview.map_err(|error| failed("the preview could not be made", &error).into())
}

fn busy(why: &str) -> Problem {
    conflict(
        "the resync was not begun yet",
        why,
        "see `marsad runs`, and order again if it is still wanted",
    )
}

fn unavailable() -> Problem {
    failed("it was not done", &StoreError::Closed)
}

/// `POST /v1/exchanges/act`.
pub(super) async fn exchanges(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Json<ExchangeAct>, JsonRejection>,
) -> Result<Json<Vec<ActOutcome>>, Refusal> {
    let Json(order) = asked.map_err(|error| bad_request(error.body_text()))?;
    if order.ids.is_empty() || order.ids.len() > IDS_MAX {
        return Err(bad_request(format!("name 1 to {IDS_MAX} exchanges")).into());
    }
    let mut outcomes = Vec::with_capacity(order.ids.len());
    for id in &order.ids {
        outcomes.push(one_exchange(&api, &peer, order.verb, *id, order.reason.as_deref()).await?);
    }
    Ok(Json(outcomes))
}

async fn one_exchange(
    api: &Api,
    peer: &Peer,
    verb: ExchangeVerb,
    id: ExchangeId,
    reason: Option<&str>,
) -> Result<ActOutcome, Refusal> {
    let (act, event) = meaning(verb);
    let at = api.services.clock.now();
    let said = match reason {
        Some(reason) => format!("{verb} by {}: {reason}", peer.user_or_uid()),
        None => format!("{verb} by {}", peer.user_or_uid()),
    };
    let effect = async {
        let connection =
            api.services.store.ledger.call(move |ledger| ledger.connection_of(id)).await;
        let connection = connection.map_err(|error| failed("it was not done", &error))?;
        let Some(connection) = connection else {
            return Err(not_found(&format!("exchange {id}"), "list them: marsad exchanges"));
        };
        let deadline_at =
            api.connections.get(&connection).map(|connection| plus(at, deadline(connection)));
        let step = Step { event, at, next_at: None, reason: Some(said) };
        let stepped = api.services.store.ledger.call(move |ledger| {
            let state = ledger.step(id, &step)?;
            if let (Event::Retry, Some(deadline_at)) = (event, deadline_at) {
                ledger.extend(id, at, deadline_at)?;
            }
            Ok(state)
        });
        let state = stepped.await.map_err(|error| {
            conflict(
                &format!("{id} was left as it is"),
                error.to_string(),
                "see `marsad exchanges show`",
            )
        })?;
        ring(&api.services, &connection, id, at);
        Ok((state, format!("{id} is {state}")))
    };
    match api.audited(peer, act, &id.to_string(), reason, verb.word(), effect).await {
        Ok(state) => Ok(ActOutcome { id, done: true, state: Some(state), problem: None }),
        // Each is judged alone; only what concerns them all ends the command.
        Err(Refusal(problem))
            if matches!(problem.code, ProblemCode::Conflict | ProblemCode::NotFound) =>
        {
            let state = api.services.readers.read(move |reader| reader.exchange(id)).await;
            let state = state.ok().flatten().map(|row| row.state);
            Ok(ActOutcome { id, done: false, state, problem: Some(problem.why) })
        }
        Err(refusal) => Err(refusal),
    }
}

const fn meaning(verb: ExchangeVerb) -> (Act, Event) {
    match verb {
        ExchangeVerb::Retry => (Act::RetryExchange, Event::Retry),
        ExchangeVerb::Hold => (Act::HoldExchange, Event::Hold),
        ExchangeVerb::Release => (Act::ReleaseExchange, Event::Release),
        ExchangeVerb::Cancel => (Act::CancelExchange, Event::Cancel),
        ExchangeVerb::Confirm => (Act::ConfirmExchange, Event::Confirm),
    }
}

/// What `POST /v1/exchanges` is asked with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sending {
    connection: ConnectionId,
    name: String,
    reason: Option<String>,
}

/// `POST /v1/exchanges`.
pub(super) async fn send(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Query<Sending>, QueryRejection>,
    body: Body,
) -> Result<Json<ExchangeRow>, Refusal> {
    let Query(Sending { connection, name, reason }) =
        asked.map_err(|error| bad_request(error.body_text()))?;
    let Some(connection) = api.connections.get(&connection).cloned() else {
        return Err(not_found(
            &format!("connection {connection}"),
            "list them: marsad connections",
        )
        .into());
    };
    if !connection.delivers() {
        let why = format!("{} delivers nothing", connection.id);
        return Err(conflict(
            "nothing was sent",
            why,
            "give the connection `deliver` or `export`, or choose another",
        )
        .into());
    }
    if name.is_empty()
        || name.len() > 255
        || name.contains('/')
        || name.chars().any(char::is_control)
    {
        return Err(bad_request("the name is no file name of 1 to 255 bytes").into());
    }
    let detail = name.clone();
    let effect = async {
        let most = match connection.link {
            Link::Http(_) => DOCUMENT_MAX,
            Link::Folder(_) => FILE_MAX,
        };
        let kept = keep(&api, body, most).await?;
        let origin = format!("send\n{}", uuid::Uuid::now_v7());
        let accepted = accept(&api.services, &connection, name, origin, kept).await;
        let (id, _) = accepted.map_err(|error| failed("nothing was sent", &error))?;
        Ok((id, format!("{id} accepted")))
    };
    let id = api
        .audited(&peer, Act::Send, connection.id.as_str(), reason.as_deref(), &detail, effect)
        .await?;
    let row = api.services.readers.read(move |reader| reader.exchange(id)).await;
    let row = row.map_err(|error| failed("it was accepted, and cannot be shown", &error))?;
    row.map(Json)
        .ok_or_else(|| not_found(&format!("exchange {id}"), "list them: marsad exchanges").into())
}

/// Keeps a document among the originals, piece by piece as it comes.
async fn keep(api: &Api, body: Body, most: u64) -> Result<Kept, Problem> {
    let originals = api.services.store.originals.clone();
    let (pieces, mut coming) = mpsc::channel::<axum::body::Bytes>(8);
    let writing = tokio::task::spawn_blocking(move || {
        let mut original = originals.incoming()?;
        while let Some(piece) = coming.blocking_recv() {
            original
                .write_all(&piece)
                .map_err(|source| StoreError::Io { path: "originals".into(), source })?;
        }
        // Dropped unless the last word comes: half a document leaves nothing.
        Ok::<_, StoreError>(original)
    });
    let (mut stream, mut bytes, mut whole) = (body.into_data_stream(), 0_u64, true);
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else {
            whole = false;
            break;
        };
        bytes += piece.len() as u64;
        if bytes > most || pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    let original = writing
        .await
        .map_err(|_| unavailable())?
        .map_err(|error| failed("nothing was sent", &error))?;
    if bytes > most {
        return Err(Problem {
            code: ProblemCode::TooLarge,
            what: "nothing was sent".to_owned(),
            why: format!("the document is larger than {} MiB", most / 1024 / 1024),
            remedy: "have it split".to_owned(),
        });
    }
    if !whole || bytes == 0 {
        return Err(bad_request(if whole {
            "the document is empty"
        } else {
            "the document did not come whole"
        }));
    }
    let kept =
        tokio::task::spawn_blocking(move || original.keep()).await.map_err(|_| unavailable())?;
    kept.map_err(|error| failed("nothing was sent", &error))
}

impl Peer {
    /// The name that runs and reasons bear.
    fn user_or_uid(&self) -> String {
        if self.user.is_empty() { format!("uid {}", self.uid) } else { self.user.clone() }
    }
}

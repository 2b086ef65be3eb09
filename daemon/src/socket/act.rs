//! Acting: what each command does once it is through the gate.

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
use jiff::Timestamp;
use marsad_shared::{
    clock::plus,
    exchange::{Event, State as ExchangeState},
    feed::{Feed, Mode},
    id::{ConnectionId, ExchangeId},
    protocol::{
        ActOutcome, ExchangeAct, ExchangeRow, ExchangeVerb, Preview, Problem, ProblemCode, Resync,
        ResyncReply,
    },
    role::Act,
    store::{StoreError, ledger::Step, originals::Kept, read::Reach},
};
use serde::Deserialize;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    Api, Peer,
    gate::Command,
    problem::{Refusal, bad_request, conflict, failed, not_found, unavailable},
};
use crate::{
    courier::document_max,
    outbox::{accept, deadline, ring},
    services::{self, Order, Scope},
    source::cursor,
};

/// How long an order may wait for a run of the same feed that is under way.
const ORDER_WAIT: Duration = Duration::from_secs(55);
/// Exchanges of one command.
const IDS_MAX: usize = 1_000;

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
    let scope = scope_of(&order, api.services.clock.now())?;
    if order.hold && scope == Scope::Incremental {
        let why = "only what is loaded beside the bank can wait; say full, or since when";
        return Err(bad_request(why).into());
    }
    if let Scope::Window { .. } = scope
        && !api.incremental.contains_key(&order.feed)
    {
        let why = format!("{} has no `incremental`: each run reads all there is", order.feed);
        return Err(not_begun_ever(why).into());
    }
    let preview = preview(&api, &order, &scope).await?;
    if order.dry_run {
        return Ok(Json(ResyncReply { feed: order.feed, run: None, preview }));
    }
    let feed = order.feed.clone();
    let command = Command {
        act: Act::Resync,
        object: feed.to_string(),
        reason: order.reason,
        detail: format!("scope {}", preview.scope),
        peer,
    };
    let (actor, stop) = (command.peer.user_or_uid(), api.stop.clone());
    let effect = async move {
        let (reply, answer) = oneshot::channel();
        let (hold, free) = (order.hold, false);
        let order = services::Resync { feed: order.feed, scope, hold, free, actor, reply };
        desk.try_send(Box::new(Order::Resync(order)))
            .map_err(|_| not_begun("several resyncs of it wait already"))?;
        let run = stop.run_until_cancelled(taken_up(answer, not_begun)).await;
        let run = run.unwrap_or_else(|| Err(unavailable()))?;
        Ok((run, format!("run {run} begun")))
    };
    let run = api.audited(command, effect).await?;
    Ok(Json(ResyncReply { feed, run: Some(run), preview }))
}

/// Waits until an order is taken up, for at most [`ORDER_WAIT`]. One that would wait longer is withdrawn: its reader passes
/// over an order whose answer nobody waits for, and `not_done` says so.
pub(super) async fn taken_up<T>(
    mut answer: oneshot::Receiver<Result<T, Problem>>,
    not_done: impl FnOnce(&str) -> Problem,
) -> Result<T, Problem> {
    if let Ok(told) = timeout(ORDER_WAIT, &mut answer).await {
        return told.map_err(|_| unavailable())?;
    }
    answer.close();
    answer.try_recv().unwrap_or_else(|_| {
        Err(not_done("a run of it is under way and takes long, so the order was withdrawn"))
    })
}

/// How far an order reads.
fn scope_of(order: &Resync, now: Timestamp) -> Result<Scope, Problem> {
    match (order.full, order.since, order.until) {
        (true, None, None) => Ok(Scope::Full),
        (true, ..) => Err(bad_request("full and a stretch of time exclude each other")),
        (false, None, None) => Ok(Scope::Incremental),
        (false, None, Some(_)) => Err(bad_request("since when is missing")),
        (false, Some(since), until) => {
            let until = until.unwrap_or(now);
            if since < until {
                Ok(Scope::Window { since, until })
            } else {
                Err(bad_request("the stretch of time ends before it begins"))
            }
        }
    }
}

async fn preview(api: &Api, order: &Resync, scope: &Scope) -> Result<Preview, Refusal> {
    let feed = order.feed.clone();
    let incremental = api.incremental.get(&feed).cloned();
    let column = incremental.as_ref().and_then(|incremental| incremental.by.field());
    let reach = match *scope {
        Scope::Window { since, until } => {
            let asks = incremental.as_ref().filter(|incremental| incremental.param.is_some());
            let ends = asks.is_some_and(|incremental| incremental.window.is_some());
            let asked = (asks.map(|_| since), Some(until).filter(|_| ends));
            Reach::Window { since, until, column: column.map(str::to_owned), asked }
        }
        Scope::Incremental => Reach::Incremental,
        Scope::Full => Reach::Full,
    };
    let now = api.services.clock.now();
    let is_it = |known: &Arc<Feed>| known.id == feed && known.keeping.mode == Mode::Snapshot;
    let snapshot = api.services.routes.all().iter().any(|route| route.feeds.iter().any(is_it));
    let read = api.services.readers.read(move |reader| {
        let budget = reader.budget(&feed.partner(), now)?;
        let preview = reader.preview(&feed, &reach, |kind, at| {
            cursor::written(kind, &incremental.as_ref()?.writing.time, at)
        })?;
        // Each read of a snapshot is one of all there is, and what it lacks is gone.
        let scope = if snapshot { "snapshot".to_owned() } else { preview.scope };
        Ok(Preview { budget, scope, ..preview })
    });
    read.await.map_err(|error| failed("the preview could not be made", &error).into())
}

fn not_begun_ever(why: String) -> Problem {
    conflict("the resync was not begun", why, "read it in full: marsad resync FEED --full")
}

fn not_begun(why: &str) -> Problem {
    conflict("the resync was not begun", why, "order it again when that has ended: marsad runs")
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
    api: &Arc<Api>,
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
    let command = Command {
        peer: peer.clone(),
        act,
        object: id.to_string(),
        reason: reason.map(str::to_owned),
        detail: verb.word().to_owned(),
    };
    let step = Step { event, at, next_at: None, reason: Some(said) };
    let doing = Arc::clone(api);
    let effect = async move { doing.step_exchange(id, step).await };
    match api.audited(command, effect).await {
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

impl Api {
    /// Takes an exchange the step that a person wants, and wakes its courier.
    async fn step_exchange(
        &self,
        id: ExchangeId,
        step: Step,
    ) -> Result<(ExchangeState, String), Problem> {
        let ledger = &self.services.store.ledger;
        let connection = ledger.call(move |ledger| ledger.connection_of(id)).await;
        let connection = connection.map_err(|error| failed("it was not done", &error))?;
        let Some(connection) = connection else {
            return Err(not_found(&format!("exchange {id}"), "list them: marsad exchanges"));
        };
        let at = step.at;
        let deadline_at =
            self.connections.get(&connection).map(|connection| plus(at, deadline(connection)));
        let stepped = ledger.call(move |ledger| {
            let state = ledger.step(id, &step)?;
            if let (Event::Retry, Some(deadline_at)) = (step.event, deadline_at) {
                ledger.extend(id, at, deadline_at)?;
            }
            Ok(state)
        });
        let state = stepped.await.map_err(|error| match error {
            StoreError::Conflict(why) => {
                conflict(&format!("{id} was left as it is"), why, "see `marsad exchanges show`")
            }
            error => failed("it was not done", &error),
        })?;
        ring(&self.services, &connection, id, at);
        Ok((state, format!("{id} is {state}")))
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
    let command = Command {
        peer,
        act: Act::Send,
        object: connection.id.to_string(),
        reason,
        detail: name.clone(),
    };
    let doing = Arc::clone(&api);
    let effect = async move {
        let kept = keep(&doing, body, document_max(&connection)).await?;
        let origin = format!("send\n{}", uuid::Uuid::now_v7());
        let accepted = accept(&doing.services, &connection, name, origin, kept).await;
        let (id, _) = accepted.map_err(|error| failed("nothing was sent", &error))?;
        Ok((id, format!("{id} accepted")))
    };
    let id = api.audited(command, effect).await?;
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
    pub(super) fn user_or_uid(&self) -> String {
        if self.user.is_empty() { format!("uid {}", self.uid) } else { self.user.clone() }
    }
}

#[cfg(test)]
mod tests {
    use marsad_shared::id::RunId;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_order_that_waits_too_long_is_withdrawn() {
        let (reply, answer) = oneshot::channel::<Result<RunId, Problem>>();
        let problem = taken_up(answer, not_begun).await.unwrap_err();
        assert!(problem.why.contains("withdrawn"), "{problem:?}");
        assert!(reply.is_closed(), "and its reader can see that");

        let (reply, answer) = oneshot::channel::<Result<RunId, Problem>>();
        let soon = async {
            tokio::time::sleep(ORDER_WAIT / 2).await;
            reply.send(Ok(RunId(7))).unwrap();
        };
        let (run, ()) = tokio::join!(taken_up(answer, not_begun), soon);
        assert_eq!(run.unwrap(), RunId(7));

        let (reply, answer) = oneshot::channel::<Result<RunId, Problem>>();
        drop(reply);
        assert_eq!(taken_up(answer, not_begun).await.unwrap_err().code, ProblemCode::Unavailable);
    }
}

//! Replaying: items are shaped and checked again by the worker that reads their feed, and whoever asked is told what became
//! of them.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{State, rejection::JsonRejection},
};
use marsad_shared::{
    id::FeedId,
    protocol::{Choice, Chosen, Problem, Replay, ReplayReply, Replayed},
    role::Act,
};
use tokio::sync::oneshot;

use super::{
    Api, Peer,
    act::taken_up,
    discard::{chosen, feeds, fixed, said},
    gate::Command,
    problem::{Refusal, bad_request, not_found, unavailable},
};
use crate::{
    replay::not_replayed,
    services::{self, Again, Order},
};

/// `POST /v1/quarantine/replay`.
pub(super) async fn replay(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Json<Replay>, JsonRejection>,
) -> Result<Json<ReplayReply>, Refusal> {
    let Json(order) = asked.map_err(|error| bad_request(error.body_text()))?;
    let choice = chosen(&api, &order.what).await?;
    let what = fixed(&api, &order.what).await?;
    // What comes from now on is none of those that were meant.
    let what = Chosen { up_to: what.up_to.or(choice.up_to), ..what };
    let actor = peer.user_or_uid();
    if order.dry_run {
        let feeds = each(&api, &what, &choice, &order, &actor).await?;
        return Ok(Json(ReplayReply { done: false, choice, feeds }));
    }
    let force = if order.force { ", over newer ones too" } else { "" };
    let command = Command {
        act: Act::ReplayQuarantine,
        object: feeds(&choice),
        detail: said(&order.what, &choice) + force,
        reason: order.reason.clone(),
        peer,
    };
    let (doing, mine) = (Arc::clone(&api), choice.clone());
    let effect = async move {
        let feeds = each(&doing, &what, &mine, &order, &actor).await?;
        let outcome = feeds.iter().map(outcome).collect::<Vec<_>>().join("; ");
        Ok((feeds, outcome))
    };
    let feeds = api.audited(command, effect).await?;
    Ok(Json(ReplayReply { done: true, choice, feeds }))
}

/// Has each feed replay its own. What keeps one of several from it does not keep the others.
async fn each(
    api: &Api,
    what: &Chosen,
    choice: &Choice,
    order: &Replay,
    actor: &str,
) -> Result<Vec<Replayed>, Problem> {
    let mut all = Vec::with_capacity(choice.feeds.len());
    for feed in &choice.feeds {
        let again = Again {
            feed: feed.clone(),
            what: what.clone(),
            force: order.force,
            free: false,
            dry_run: order.dry_run,
            actor: actor.to_owned(),
        };
        let none = crate::replay::nothing_yet(&again);
        match one(api, feed, again).await {
            Ok(told) => all.push(told),
            Err(problem) if choice.feeds.len() == 1 => return Err(problem),
            Err(problem) => all.push(Replayed { problem: Some(problem.why), ..none }),
        }
    }
    Ok(all)
}

async fn one(api: &Api, feed: &FeedId, order: Again) -> Result<Replayed, Problem> {
    let Some(desk) = api.services.orders.desk(feed) else {
        return Err(not_found(&format!("feed {feed}"), "list the feeds: marsad feeds"));
    };
    let (taken, begun) = oneshot::channel();
    let (done, told) = oneshot::channel();
    desk.try_send(Box::new(Order::Replay(services::Replay { order, taken, done })))
        .map_err(|_| not_replayed("several orders about it wait already"))?;
    let begun = api.stop.run_until_cancelled(taken_up(begun, not_replayed)).await;
    begun.unwrap_or_else(|| Err(unavailable()))?;
    // From here on it takes as long as it takes; the worker ends it where the daemon stops.
    told.await.map_err(|_| unavailable())
}

/// What became of the items of one feed, for the audit.
fn outcome(told: &Replayed) -> String {
    let Replayed { feed, runs, received, accepted, refused, problem, .. } = told;
    let runs: Vec<_> = runs.iter().map(ToString::to_string).collect();
    let problem = problem.as_ref().map(|problem| format!(", then {problem}")).unwrap_or_default();
    format!(
        "{accepted} of {received} items of {feed} accepted, {refused} refused ({}){problem}",
        runs.join(" ")
    )
}

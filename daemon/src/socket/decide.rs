//! Deciding about a run: it is cancelled, released, discarded or undone.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{State, rejection::JsonRejection},
};
use marsad_shared::{
    protocol::{Problem, RunAct, RunActReply, RunRow, RunVerb},
    role::Act,
};
use tokio::sync::oneshot;

use super::{
    Api, Peer,
    gate::Command,
    problem::{Refusal, bad_request, conflict, failed, not_found, unavailable},
};
use crate::services::{Decide, Decision, Order};

/// `POST /v1/runs/act`.
pub(super) async fn run(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Json<RunAct>, JsonRejection>,
) -> Result<Json<RunActReply>, Refusal> {
    let Json(RunAct { verb, run, reason }) =
        asked.map_err(|error| bad_request(error.body_text()))?;
    let found = api.services.readers.read(move |reader| {
        let Some(row) = reader.run(run)? else { return Ok(None) };
        let held = reader.waiting(&row.feed)?.filter(|held| held.run == run);
        Ok(Some((row, held)))
    });
    let found = found.await.map_err(|error| failed("nothing was done", &error))?;
    let Some((row, held)) = found else {
        return Err(not_found(&format!("run {run}"), "list them: marsad runs").into());
    };
    let act = match verb {
        RunVerb::Cancel => Act::CancelRun,
        // What waits only because somebody wanted to see it first.
        RunVerb::Release if held.is_some_and(|held| !held.by_brake) => Act::ReleaseRun,
        RunVerb::Release => Act::ApproveRun,
        RunVerb::Discard => Act::DiscardRun,
        RunVerb::Undo => Act::UndoRun,
    };
    let actor = peer.user_or_uid();
    let command = Command {
        act,
        object: format!("{} {run}", row.feed),
        reason,
        detail: verb.word().to_owned(),
        peer,
    };
    let doing = Arc::clone(&api);
    let effect = async move {
        let said = match verb {
            RunVerb::Cancel => doing.cancel(&row, &actor)?,
            RunVerb::Release => doing.decide(row, Decision::Release, actor).await?,
            RunVerb::Discard => doing.decide(row, Decision::Discard, actor).await?,
            RunVerb::Undo => doing.decide(row, Decision::Undo, actor).await?,
        };
        Ok((said.clone(), said))
    };
    let said = api.audited(command, effect).await?;
    Ok(Json(RunActReply { run, said }))
}

impl Api {
    fn cancel(&self, row: &RunRow, actor: &str) -> Result<String, Problem> {
        let run = row.id;
        if self.services.cancels.cancel(run, actor) {
            return Ok(format!("{run} is told to end"));
        }
        let why = match row.ended_at {
            Some(_) => format!("it has ended: {}", row.outcome),
            None => "it reads a file, or is being put into the bank, and is over soon".to_owned(),
        };
        Err(conflict(&format!("{run} was not cancelled"), why, "see how it went: marsad runs"))
    }

    /// Hands a decision to the feed's worker, and waits for its word.
    async fn decide(&self, row: RunRow, how: Decision, actor: String) -> Result<String, Problem> {
        let (run, feed) = (row.id, row.feed);
        let Some(desk) = self.services.orders.desk(&feed) else {
            return Err(not_found(&format!("feed {feed}"), "list the feeds: marsad feeds"));
        };
        let not_done = |why: &str| {
            conflict(
                &format!("nothing was done about {run}"),
                why,
                "say it again when that has ended: marsad runs",
            )
        };
        let (reply, answer) = oneshot::channel();
        desk.try_send(Box::new(Order::Decide(Decide { feed, run, how, actor, reply })))
            .map_err(|_| not_done("several orders about the feed wait already"))?;
        // It takes as long as it takes, and is not withdrawn: whoever decided is told what came of it.
        let said = self.stop.run_until_cancelled(answer).await;
        said.ok_or_else(unavailable)?.map_err(|_| unavailable())?
    }
}

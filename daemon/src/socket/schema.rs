//! A feed's columns: what came otherwise is shown, and a person decides of it.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
};
use marsad_shared::{
    protocol::{Problem, SchemaOrder, SchemaQuery, SchemaReply, SchemaRow},
    role::Act,
};
use tokio::sync::oneshot;

use super::{
    Api, Peer,
    act::taken_up,
    gate::Command,
    problem::{Refusal, bad_request, conflict, failed, not_found, unavailable},
};
use crate::services::{self, Order};

/// `GET /v1/schema?feed=`.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    asked: Result<Query<SchemaQuery>, QueryRejection>,
) -> Result<Json<SchemaRow>, Refusal> {
    let Query(SchemaQuery { feed }) = asked.map_err(|error| bad_request(error.body_text()))?;
    if api.services.orders.desk(&feed).is_none() {
        return Err(not_found(&format!("feed {feed}"), "list the feeds: marsad feeds").into());
    }
    let read = api.services.readers.read(move |reader| reader.schema(&feed)).await;
    read.map(Json).map_err(|error| failed("the columns cannot be shown", &error).into())
}

/// `POST /v1/schema/decide`.
pub(super) async fn decide(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Json<SchemaOrder>, JsonRejection>,
) -> Result<Json<SchemaReply>, Refusal> {
    let Json(SchemaOrder { feed, verb, columns, reason }) =
        asked.map_err(|error| bad_request(error.body_text()))?;
    let Some(desk) = api.services.orders.desk(&feed) else {
        return Err(not_found(&format!("feed {feed}"), "list the feeds: marsad feeds").into());
    };
    let about = if columns.is_empty() { "all that is open".to_owned() } else { columns.join(", ") };
    let command = Command {
        act: Act::DecideSchema,
        object: feed.to_string(),
        detail: format!("{verb} {about}"),
        reason: reason.clone(),
        peer,
    };
    let (actor, stop) = (command.peer.user_or_uid(), api.stop.clone());
    let effect = async move {
        let (reply, answer) = oneshot::channel();
        let order = services::Settle { feed, verb, columns, reason, actor, reply };
        desk.try_send(Box::new(Order::Settle(order)))
            .map_err(|_| undecided("several orders about it wait already"))?;
        let decided = stop.run_until_cancelled(taken_up(answer, undecided)).await;
        let decided = decided.unwrap_or_else(|| Err(unavailable()))?;
        let names: Vec<_> =
            decided.decided.iter().map(|row| format!("{} {}", row.change, row.field)).collect();
        let words = format!("{}: {}", verb, names.join(", "));
        Ok((decided, words))
    };
    Ok(Json(api.audited(command, effect).await?))
}

fn undecided(why: &str) -> Problem {
    conflict("nothing was decided", why, "decide again when that has ended: marsad runs")
}

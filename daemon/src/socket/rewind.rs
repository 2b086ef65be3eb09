//! Rewinding: a feed's cursor is set back by a person. Nothing is removed; what lies behind the point is read again.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{State, rejection::JsonRejection},
};
use marsad_shared::{
    id::FeedId,
    protocol::{Problem, Rewind, RewindPreview, RewindReply},
    request::Incremental,
    role::Act,
};
use tokio::sync::oneshot;

use super::{
    Api, Peer,
    act::taken_up,
    gate::Command,
    problem::{Refusal, bad_request, conflict, failed, not_found, unavailable},
};
use crate::{
    services::{self, Order},
    source::cursor,
};

/// `POST /v1/rewind`.
pub(super) async fn rewind(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Json<Rewind>, JsonRejection>,
) -> Result<Json<RewindReply>, Refusal> {
    let Json(Rewind { feed, to, dry_run, reason }) =
        asked.map_err(|error| bad_request(error.body_text()))?;
    let Some(desk) = api.services.orders.desk(&feed) else {
        return Err(not_found(&format!("feed {feed}"), "list the feeds: marsad feeds").into());
    };
    let Some(incremental) = api.incremental.get(&feed) else {
        let why = format!("{feed} has no `incremental`: each run reads all there is");
        let remedy = "to read it now: marsad resync FEED";
        return Err(conflict("there is no cursor to rewind", why, remedy).into());
    };
    let preview = preview(&api, &feed, incremental, to).await?;
    if dry_run {
        return Ok(Json(RewindReply { feed, done: false, preview }));
    }
    let command = Command {
        act: Act::Rewind,
        object: feed.to_string(),
        detail: format!("from {} to {}", said(preview.from.as_ref()), said(preview.to.as_ref())),
        reason: reason.clone(),
        peer,
    };
    let (actor, to, stop) = (command.peer.user_or_uid(), preview.to.clone(), api.stop.clone());
    let effect = async move {
        let (reply, answer) = oneshot::channel();
        let reason = reason.map_or("rewound".to_owned(), |reason| format!("rewound: {reason}"));
        desk.try_send(Box::new(Order::Rewind(services::Rewind { to, reason, actor, reply })))
            .map_err(|_| not_moved("several orders about it wait already"))?;
        let moved = stop.run_until_cancelled(taken_up(answer, not_moved)).await;
        moved.unwrap_or_else(|| Err(unavailable()))?;
        Ok(((), "the next run reads from there".to_owned()))
    };
    api.audited(command, effect).await?;
    Ok(Json(RewindReply { feed, done: true, preview }))
}

async fn preview(
    api: &Api,
    feed: &FeedId,
    incremental: &Incremental,
    to: Option<String>,
) -> Result<RewindPreview, Refusal> {
    let (feed, lookback, start) = (feed.clone(), incremental.lookback, incremental.start.clone());
    let by = incremental.by.clone();
    let preview = api.services.readers.read(move |reader| {
        reader.rewind_preview(&feed, &by, to.as_deref(), |to| match to {
            Some(to) => Some(cursor::behind(to, lookback)),
            None => start,
        })
    });
    preview.await.map_err(|error| failed("the cursor cannot be moved there", &error).into())
}

fn said(point: Option<&String>) -> &str {
    point.map_or("the beginning", String::as_str)
}

fn not_moved(why: &str) -> Problem {
    conflict("the cursor was not moved", why, "order it again when that has ended: marsad runs")
}

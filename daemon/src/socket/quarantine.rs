//! What is done about quarantine by hand.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State, rejection::JsonRejection},
};
use marsad_shared::{
    id::{FeedId, QuarantineId},
    protocol::{Problem, QuarantineItem, RevealItem},
    role::Act,
};

use super::{
    Api, Peer,
    gate::Command,
    problem::{Refusal, bad_request, failed, not_found},
};

/// `POST /v1/quarantine/ID/reveal`.
pub(super) async fn reveal(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    Path(text): Path<String>,
    asked: Result<Json<RevealItem>, JsonRejection>,
) -> Result<Json<QuarantineItem>, Refusal> {
    let Json(RevealItem { reason }) = asked.map_err(|error| bad_request(error.body_text()))?;
    if reason.trim().is_empty() {
        return Err(bad_request("why it is to be seen is missing; say it in `reason`").into());
    }
    let id: QuarantineId = text.parse().map_err(|error| bad_request(format!("{error}")))?;
    let masked = api.services.readers.read(move |reader| reader.quarantine_item(id)).await;
    let masked = masked.map_err(|error| failed("nothing was shown", &error))?;
    let Some(QuarantineItem { row, hash, .. }) = masked else { return Err(unknown(id).into()) };
    let command = Command {
        act: Act::Reveal,
        object: id.to_string(),
        detail: format!("the original {hash} of {} {} of {}", row.kind, id, row.feed),
        reason: Some(reason),
        peer,
    };
    let doing = Arc::clone(&api);
    let encoding = api.encoding_of(&row.feed);
    let effect = async move {
        let read = doing
            .services
            .readers
            .read(move |reader| reader.quarantine_revealed(id, encoding.as_deref()));
        let shown = read.await.map_err(|error| failed("nothing was shown", &error))?;
        Ok((shown.ok_or_else(|| unknown(id))?, "the original was shown".to_owned()))
    };
    Ok(Json(api.audited(command, effect).await?))
}

impl Api {
    /// The encoding that a feed's files come in, where it names one.
    fn encoding_of(&self, feed: &FeedId) -> Option<String> {
        let routes = self.services.routes.all();
        let mut feeds = routes.iter().flat_map(|route| &route.feeds);
        feeds.find(|known| known.id == *feed)?.encoding.clone()
    }
}

fn unknown(id: QuarantineId) -> Problem {
    not_found(&format!("quarantine item {id}"), "list them: marsad quarantine")
}

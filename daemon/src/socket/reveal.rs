//! Revealing: what is masked of one record is shown to somebody who says why, once that is in the audit.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{State, rejection::JsonRejection},
};
use marsad_shared::{
    protocol::{RecordRow, Reveal},
    role::Act,
    store::StoreError,
};

use super::{
    Api, Peer,
    gate::Command,
    problem::{Refusal, bad_request, conflict, failed, not_found},
};

/// `POST /v1/reveal`.
pub(super) async fn reveal(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Json<Reveal>, JsonRejection>,
) -> Result<Json<RecordRow>, Refusal> {
    let Json(order) = asked.map_err(|error| bad_request(error.body_text()))?;
    if order.reason.trim().is_empty() {
        return Err(bad_request("why it is to be seen is missing; say it in `reason`").into());
    }
    let Reveal { feed, key, fields, reason } = order;
    // Masked, for its place: the key itself may be about a person, and the audit is no place for it.
    let (of, named) = (feed.clone(), key.clone());
    let masked = api.services.readers.read(move |reader| reader.record(&of, &named)).await;
    let Some(masked) = masked.map_err(|error| failed("nothing was shown", &error))? else {
        let what = format!("such a record of {feed}");
        return Err(not_found(&what, "list them: marsad records FEED").into());
    };
    let columns = if fields.is_empty() { "all columns".to_owned() } else { fields.join(", ") };
    let command = Command {
        act: Act::Reveal,
        object: format!("{feed} {}", masked.place),
        detail: columns.clone(),
        reason: Some(reason),
        peer,
    };
    let doing = Arc::clone(&api);
    let effect = async move {
        let read = doing.services.readers.read(move |reader| reader.revealed(&feed, &key, &fields));
        let shown = read.await.map_err(|error| match error {
            StoreError::Conflict(why) => {
                conflict("nothing was shown", why, "its columns: marsad records FEED --json")
            }
            error => failed("nothing was shown", &error),
        })?;
        let gone = || not_found("the record any more", "list them: marsad records FEED");
        Ok((shown.ok_or_else(gone)?, format!("{columns} shown")))
    };
    Ok(Json(api.audited(command, effect).await?))
}

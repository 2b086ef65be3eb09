//! Discarding: items leave quarantine for good. What they were is in the audit, entry by entry with their going.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    Extension, Json,
    extract::{State, rejection::JsonRejection},
};
use marsad_shared::{
    audit::Phase,
    id::QuarantineId,
    protocol::{Choice, Chosen, Discard, DiscardReply, EventKind, Problem},
    role::Act,
    store::{StoreError, ledger::Discarded},
};

use super::{
    Api, Peer,
    gate::Command,
    problem::{Refusal, bad_request, failed, not_found, unavailable},
};

/// Items that go together, with one entry in the audit that names each: such an entry can still be read.
const AT_ONCE: usize = 100;
/// Names of items that the entry says that begins it.
const NAMED: usize = 20;

/// `POST /v1/quarantine/discard`.
pub(super) async fn discard(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    asked: Result<Json<Discard>, JsonRejection>,
) -> Result<Json<DiscardReply>, Refusal> {
    let Json(Discard { what, dry_run, reason }) =
        asked.map_err(|error| bad_request(error.body_text()))?;
    if what.feed.is_some() {
        return Err(
            bad_request("name items, or what is alike; a whole feed is not discarded").into()
        );
    }
    let choice = chosen(&api, &what).await?;
    if dry_run {
        return Ok(Json(DiscardReply { done: false, discarded: choice.count, choice }));
    }
    if reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(bad_request("why they are discarded is missing; say it in `reason`").into());
    }
    let command = Command {
        act: Act::DiscardQuarantine,
        object: feeds(&choice),
        detail: said(&what, &choice),
        reason,
        peer,
    };
    // What comes from now on is none of those that were looked at.
    let what = Chosen { up_to: what.up_to.or(choice.up_to), ..what };
    let (doing, mine) = (Arc::clone(&api), command.clone());
    let effect = move |begun| async move {
        let discarded = all(&doing, &mine, begun, &what).await?;
        Ok((discarded, format!("{discarded} items discarded")))
    };
    let discarded = api.audited_from(command, effect).await?;
    Ok(Json(DiscardReply { done: true, discarded, choice }))
}

/// What is meant, as things stand.
pub(super) async fn chosen(api: &Api, what: &Chosen) -> Result<Choice, Problem> {
    let asked = what.clone();
    let choice = api.services.readers.read(move |reader| reader.chosen(&asked)).await;
    let choice = choice.map_err(|error| failed("nothing was done", &error))?;
    if choice.count == 0 {
        return Err(not_found("any of them in quarantine", "list them: marsad quarantine"));
    }
    Ok(choice)
}

/// Whose the items are, for the audit.
pub(super) fn feeds(choice: &Choice) -> String {
    match choice.feeds.as_slice() {
        [one] => one.to_string(),
        several => format!("{} feeds", several.len()),
    }
}

/// What is meant, for the audit.
pub(super) fn said(what: &Chosen, choice: &Choice) -> String {
    let Choice { count, up_to, .. } = choice;
    let up_to = up_to.map(|id| format!(", up to {id}")).unwrap_or_default();
    if let Some(alike) = what.group {
        return format!("{count} items alike to {alike}{up_to}");
    }
    if what.feed.is_some() {
        return format!("{count} items{up_to}");
    }
    let named: Vec<_> = what.ids.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if what.ids.len() > NAMED { " …" } else { "" };
    format!("{count} items: {}{more}", named.join(" "))
}

/// Discards all that is meant, piece by piece; gives how many there were.
async fn all(api: &Api, command: &Command, begun: i64, what: &Chosen) -> Result<u64, Problem> {
    // An item that names its group may go before the others.
    let what = fixed(api, what).await?;
    let (mut after, mut discarded) = (QuarantineId(0), 0);
    loop {
        if api.stop.is_cancelled() {
            return Err(unavailable());
        }
        let deed = api.deed(command, Phase::Done, String::new(), Some(begun));
        let asked = what.clone();
        let piece = api.services.store.ledger.call(move |ledger| {
            let ids = ledger.chosen_after(&asked, after, AT_ONCE)?;
            let gone = ledger.discard(&ids)?;
            let detail = gone.iter().map(line).collect::<Vec<_>>().join("; ");
            // Together with their going, or not at all.
            let entry = if gone.is_empty() {
                None
            } else {
                Some(ledger.audit(marsad_shared::audit::Deed { detail, ..deed })?)
            };
            Ok((ids.last().copied(), gone.len(), entry))
        });
        let piece = piece.await.map_err(|error| failed("not all were discarded", &error))?;
        let (Some(last), gone, entry) = piece else { return Ok(discarded) };
        (after, discarded) = (last, discarded + gone as u64);
        if let Some(entry) = entry {
            api.services.events.tell(entry.deed.at, EventKind::Quarantine, None);
            api.note_head(entry).await;
        }
    }
}

/// The same, by the group itself.
pub(super) async fn fixed(api: &Api, what: &Chosen) -> Result<Chosen, Problem> {
    let mut what = what.clone();
    if let Some(alike) = what.group {
        let group = api.services.readers.read(move |reader| reader.group(alike)).await;
        what.group = Some(group.map_err(|error: StoreError| failed("nothing was done", &error))?);
    }
    Ok(what)
}

/// What an item was, in a line.
fn line(gone: &Discarded) -> String {
    let Discarded { id, feed, kind, place, hash } = gone;
    let mut line = format!("{id} {kind} of {feed}:");
    if let Some(file) = &place.file {
        let _ = write!(line, " {file}");
    }
    for (word, number) in [("line", place.line), ("page", place.page), ("row", place.row)] {
        if let Some(number) = number {
            let _ = write!(line, " {word} {number}");
        }
    }
    let _ = write!(line, " blake3 {hash}");
    line
}

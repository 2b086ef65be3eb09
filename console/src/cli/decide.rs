//! Deciding about a run: cancelling it, releasing or discarding what it holds, undoing what it did.

use std::io::{self, IsTerminal};

use marsad_shared::{
    protocol::{RunAct, RunRow, RunVerb},
    untrusted::show,
};

use super::{
    args,
    fail::{Done, Fail},
    out::Out,
    rewind::confirmed,
    when::count,
};
use crate::client::Client;

/// Does what `verb` says about a run. What changes the bank is confirmed by typing the run's id, or where nobody can type by
/// a reason. As JSON the answer is `{run said}`.
pub(super) async fn decide(
    client: &Client,
    verb: RunVerb,
    order: args::Decide,
    out: &mut Out,
) -> Done {
    let args::Decide { run, reason } = order;
    let changes = matches!(verb, RunVerb::Release | RunVerb::Undo);
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    if changes && asks {
        let row: RunRow = client.one(&(), &run.to_string()).await?;
        let what = format!("{run} was left as it is");
        confirmed(&run.to_string(), &would(verb, &row), &what)?;
    } else if changes && reason.is_none() {
        return Err(Fail::Usage("nobody can type the run's id here, so this needs --reason TEXT"));
    }
    let reply = client.decide(&RunAct { verb, run, reason }).await?;
    Ok(out.answer(&reply, |_| format!("{}\n", show(&reply.said)))?)
}

/// What it would do, as far as the run tells.
fn would(verb: RunVerb, row: &RunRow) -> String {
    let counts = row.counts;
    let (added, changed) = (count(counts.inserted), count(counts.updated));
    let gone = count(counts.deleted + counts.absent);
    let (run, feed) = (row.id, &row.feed);
    match verb {
        RunVerb::Undo => format!(
            "undoing {run} of {feed}: {added} records that it added go, {changed} that it changed and {gone} that it deleted are \
             as they were, but for what later runs have written; the next run reads the partner as usual\n"
        ),
        _ if row.waits => format!(
            "releasing {run} of {feed}: {added} records are added, {changed} changed and {gone} deleted, but for what later \
             runs have written; it can be undone for a day, unless the feed says otherwise\n"
        ),
        _ => format!(
            "{run} of {feed} kept nothing: releasing it reads the feed again now, without the brake\n"
        ),
    }
}

//! What changes something: orders to the daemon, and how each of them ended.

use marsad_shared::{
    protocol::{
        ActOutcome, AuditProof, ExchangeRow, ExchangeVerb, Preview, Resync, ResyncReply, Reveal,
        RunRow,
    },
    untrusted::show,
};
use serde::Serialize;

use super::{
    args,
    fail::{Done, FAILED, Fail, WAITED},
    list::whole,
    out::Out,
    when::{Look, count, size, span},
};
use crate::client::Client;

/// How long one question about a run may wait, in seconds; then it is asked again.
const WAIT: u32 = 60;

/// Orders a resync. As JSON the answer is a [`ResyncReply`] `{feed run preview{feed scope from after_run pages rows
/// duration_s rows_now}}`; with `--wait` the run as `runs` shows it, and beside it `run` and `preview`.
pub(super) async fn resync(client: &Client, order: args::Resync, out: &mut Out) -> Done {
    let args::Resync { feed, full, since, until, hold, dry_run, wait, reason } = order;
    let time = |text: Option<String>| text.map(|text| out.look.time(&text)).transpose();
    let (since, until) = (time(since)?, time(until)?);
    let order = Resync { feed, full, since, until, hold, dry_run, reason };
    let reply = client.resync(&order).await?;
    if wait && let Some(id) = reply.run {
        if !out.json {
            out.text(&ordered(&reply))?;
        }
        let mut run = client.run_wait(id, WAIT).await?;
        while run.ended_at.is_none() {
            run = client.run_wait(id, WAIT).await?;
        }
        return ended(reply, run, out);
    }
    Ok(out.answer(&reply, |_| ordered(&reply))?)
}

/// Shows what is masked of a record. As JSON the answer is the record as `records show` has it, unmasked.
pub(super) async fn reveal(client: &Client, order: Reveal, out: &mut Out) -> Done {
    let row = client.reveal(&order).await?;
    whole(&row, out)
}

/// A run that was waited for.
#[derive(Serialize)]
struct Waited {
    #[serde(flatten)]
    row: RunRow,
    run: Option<marsad_shared::id::RunId>,
    preview: Preview,
}

fn ended(reply: ResyncReply, row: RunRow, out: &mut Out) -> Done {
    let good = row.outcome.is_good();
    if out.json {
        out.value(&Waited { row, run: reply.run, preview: reply.preview })?;
    } else {
        out.text(&closed(&row))?;
    }
    if good { Ok(()) } else { Err(Fail::Said(WAITED)) }
}

fn ordered(reply: &ResyncReply) -> String {
    let Preview {
        scope, from, until, after_run, pages, rows, duration_s, rows_now, budget, ..
    } = &reply.preview;
    let from = match (from, until) {
        (None, _) => "the beginning".to_owned(),
        (Some(from), None) => format!("cursor {}", show(from)),
        (Some(from), Some(until)) => format!("{} until {until}", show(from)),
    };
    let budget = budget.as_ref().map_or_else(String::new, |budget| {
        let share = pages.map_or_else(String::new, |pages| {
            format!(
                ", {} % of it for these pages",
                count((pages * 100).div_ceil(budget.limit.max(1)))
            )
        });
        format!(
            "\n  {} of {} calls are left of the partner's budget{share}",
            count(budget.left),
            count(budget.limit)
        )
    });
    let past = after_run.map_or("no run of this kind tells what it takes".to_owned(), |run| {
        let figures = [
            pages.map(|n| format!("{} pages", count(n))),
            rows.map(|n| format!("{} rows", count(n))),
            duration_s.map(span),
        ];
        let figures = figures.into_iter().flatten().collect::<Vec<_>>().join(", ");
        if scope == "window" {
            format!("about {figures}, by what the bank has there and the pace of {run}")
        } else {
            format!("{run} took {figures}")
        }
    });
    let feed = &reply.feed;
    let what = reply.run.map_or(format!("{scope} resync of {feed}, would read"), |run| {
        format!("{run}: {scope} resync of {feed}, reads")
    });
    format!(
        "{what} from {from}\n  {past}{budget}\n  {} records in the bank now{}\n",
        count(*rows_now),
        keeps(scope)
    )
}

/// What becomes of what is there.
fn keeps(scope: &str) -> &'static str {
    match scope {
        "incremental" => ", none of which is lost by it",
        "window" => "; what comes is loaded beside them, and the cursor stays",
        "snapshot" => {
            "; what it no longer has is taken for gone, and can be undone; where pages do not overlap, all of them are read once more before that"
        }
        _ => "; what comes is loaded beside them, and what it replaces is kept for an undo",
    }
}

fn closed(run: &RunRow) -> String {
    let counts = run.counts;
    let reason =
        run.reason.as_deref().map(|reason| format!("\n  {}", show(reason))).unwrap_or_default();
    format!(
        "{} {}: received {}, inserted {}, updated {}, unchanged {}, duplicate {}, deleted {}, absent {}, quarantined {}{reason}\n",
        run.id,
        run.outcome,
        count(counts.received),
        count(counts.inserted),
        count(counts.updated),
        count(counts.unchanged),
        count(counts.duplicate),
        count(counts.deleted),
        count(counts.absent),
        count(counts.quarantined),
    )
}

/// Hands a document over. As JSON the answer is the exchange as `exchanges` shows it.
pub(super) async fn send(client: &Client, order: args::Document, out: &mut Out) -> Done {
    let args::Document { connection, file, reason } = order;
    let failed = |why: &dyn ToString, remedy: &str| {
        Fail::here(format!("cannot send {}", file.display()), why, remedy)
    };
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| failed(&"its name is no text", "give the file another name"))?;
    let document = tokio::fs::File::open(&file).await;
    let document =
        document.map_err(|error| failed(&error, "name a file that this user may read"))?;
    let about = document.metadata().await.map_err(|error| failed(&error, "try again"))?;
    if !about.is_file() {
        return Err(failed(&"it is no file", "name a file"));
    }
    let exchange = client.send(&connection, name, document, reason.as_deref()).await?;
    Ok(out.answer(&exchange, |_| taken(&exchange))?)
}

fn taken(exchange: &ExchangeRow) -> String {
    let ExchangeRow { id, connection, state, name, bytes, .. } = exchange;
    format!("{id} {state}: {} ({}) over {connection}\n", show(name), size(*bytes))
}

/// Does something to exchanges. As JSON the answer is an array of `{id done state problem}`; exit 1 if one was not done.
pub(super) async fn act(
    client: &Client,
    verb: ExchangeVerb,
    order: args::Exchange,
    out: &mut Out,
) -> Done {
    let outcomes = client.act(verb, order.ids, order.reason).await?;
    out.answer(&outcomes, |_| outcomes.iter().map(|outcome| acted(verb, outcome)).collect())?;
    if outcomes.iter().all(|outcome| outcome.done) { Ok(()) } else { Err(Fail::Said(FAILED)) }
}

fn acted(verb: ExchangeVerb, outcome: &ActOutcome) -> String {
    let ActOutcome { id, done, state, problem } = outcome;
    let why = show(problem.as_deref().unwrap_or("the daemon does not say why"));
    match (done, state) {
        (true, Some(state)) => format!("{id} {verb}: now {state}\n"),
        (true, None) => format!("{id} {verb}: done\n"),
        (false, Some(state)) => format!("{id} not done, still {state}: {why}\n"),
        (false, None) => format!("{id} not done: {why}\n"),
    }
}

/// Proves the audit. As JSON the answer is an [`AuditProof`] `{entries head broken}`; exit 1 if the chain is broken.
pub(super) async fn verify(client: &Client, out: &mut Out) -> Done {
    let proof = client.audit_verify().await?;
    out.answer(&proof, |look| proved(&proof, look))?;
    if proof.broken.is_none() { Ok(()) } else { Err(Fail::Said(FAILED)) }
}

fn proved(proof: &AuditProof, look: &Look) -> String {
    let AuditProof { entries, head, broken } = proof;
    let when = look.exact(look.now);
    match broken {
        None => format!(
            "the audit's chain holds: {} entries at {when}, head {}\n",
            count(*entries),
            show(head)
        ),
        Some(what) => format!(
            "the audit's chain is BROKEN after {} good entries: {}\n",
            count(*entries),
            show(what)
        ),
    }
}

#[cfg(test)]
mod tests;

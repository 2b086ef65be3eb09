//! What a person decides about a run that is over: what it holds is released or let go, or what it did is undone. Done by the
//! feed's own worker, between two runs.

use std::fmt::Write as _;

use marsad_shared::{
    feed::{Feed, Mode, Origin},
    id::{FeedId, RunId},
    protocol::Problem,
    run::{Counts, Outcome, Trigger},
    store::{
        Ledger, StoreError,
        cache::{Change, Ended, Undoing, Undone},
        ledger::RunStart,
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    run::Ending,
    services::{Decide, Decision, Services},
    socket::problem::{conflict, failed},
    trouble::Trouble,
};

/// What came of a decision.
#[derive(Debug)]
pub enum Decided {
    /// It is done, in these words.
    Done(String),
    /// Nothing of the run was kept: to release it, it has to be read again without the brake.
    ReadAgain,
}

/// Does what `order` says about a run of `feed`.
///
/// # Errors
/// [`Problem`] if it cannot be done; then nothing has changed.
pub async fn decide(
    services: &Services,
    feed: &Feed,
    order: &Decide,
    stop: &CancellationToken,
) -> Result<Decided, Problem> {
    match order.how {
        Decision::Release => release(services, feed, order, stop).await,
        Decision::Discard => discard(services, order).await,
        Decision::Undo => undo(services, feed, order, stop).await,
    }
}

async fn release(
    services: &Services,
    feed: &Feed,
    order: &Decide,
    stop: &CancellationToken,
) -> Result<Decided, Problem> {
    let (id, run, at) = (order.feed.clone(), order.run, services.clock.now());
    let actor = order.actor.clone();
    let what = format!("{run} was not released");
    let held = services.store.cache.call({
        let id = id.clone();
        move |cache| cache.held(&id)
    });
    let held = held.await.map_err(|error| failed(&what, &error))?;
    if held.is_none_or(|held| held.run != run) {
        let again = services.store.ledger.call(move |ledger| {
            // A file waits as long as its item does, whatever came after it.
            Ok(ledger.file_held_by(run)?.is_some() || ledger.waits(&id, run)?)
        });
        let again = again.await.map_err(|error| failed(&what, &error))?;
        // What is loaded whole, and waits no more, was decided about.
        let is_loaded =
            matches!(feed.origin, Origin::Http(_)) && feed.keeping.mode == Mode::Snapshot;
        return if again && !is_loaded {
            Ok(Decided::ReadAgain)
        } else {
            Err(nothing_waits(&what))
        };
    }
    let change = Change::Release { run, at };
    services.change_much(&id, change, stop).await.map_err(|trouble| cut_short(&what, trouble))?;
    let released =
        services.store.cache.call_alone(move |cache| cache.release(&id, run, at, &actor));
    let released = released.await.map_err(|error| refused(&what, error))?;
    let counts = released.held.counts;
    let left = match released.left {
        0 => String::new(),
        left => format!("; {left} records stay as later runs have written them"),
    };
    let word = format!("released by {}{left}", order.actor);
    let noted = services.store.ledger.call({
        let word = word.clone();
        move |ledger| ledger.settle_held(run, counts.outcome(), &word)
    });
    noted.await.map_err(|error| failed("it is released, and not written down", &error))?;
    Ok(Decided::Done(format!("{run} {word}")))
}

/// Writes down that what `order` released was read again by run `again`, and gives that in words.
///
/// # Errors
/// [`Problem`] if it cannot be written down; what was read stands.
pub async fn released_as(
    services: &Services,
    order: &Decide,
    again: RunId,
) -> Result<String, Problem> {
    let run = order.run;
    let ended = services.store.ledger.call(move |ledger| ledger.outcome_of(again)).await;
    let ended = ended.map_err(|error| failed("it was read again", &error))?;
    if !ended.is_some_and(Outcome::is_good) {
        let why = format!("it was read again as {again}, and that did not go well");
        return Err(conflict(&format!("{run} was not released"), why, "see why: marsad runs"));
    }
    let word = format!("released by {}: read again as {again}", order.actor);
    let noted = word.clone();
    let settled = move |ledger: &mut Ledger| {
        ledger.let_past(again, true)?;
        ledger.settle_held(run, Outcome::Cancelled, &noted)
    };
    let settled = services.store.ledger.call(settled).await;
    settled
        .map(|()| word)
        .map_err(|error| failed("it was read again, and not written down", &error))
}

async fn discard(services: &Services, order: &Decide) -> Result<Decided, Problem> {
    let (id, run) = (order.feed.clone(), order.run);
    let what = format!("{run} was not discarded");
    let discarded = services.store.cache.call(move |cache| cache.discard_held(&id, run)).await;
    match discarded {
        Ok(()) => {}
        // Nothing of it was kept, or not any more: it is let go of all the same.
        Err(StoreError::Conflict(_)) if is_held(services, run, &what).await? => {}
        Err(error) => return Err(refused(&what, error)),
    }
    let word = format!("discarded by {}", order.actor);
    let noted = services.store.ledger.call({
        let word = word.clone();
        move |ledger| ledger.settle_held(run, Outcome::Cancelled, &word)
    });
    noted.await.map_err(|error| failed("it is discarded, and not written down", &error))?;
    Ok(Decided::Done(format!("{run} {word}")))
}

async fn is_held(services: &Services, run: RunId, what: &str) -> Result<bool, Problem> {
    let outcome = services.store.ledger.call(move |ledger| ledger.outcome_of(run)).await;
    Ok(outcome.map_err(|error| failed(what, &error))? == Some(Outcome::Held))
}

/// The undoing is a run of its own, so that its records and the feed's history name it.
async fn undo(
    services: &Services,
    feed: &Feed,
    order: &Decide,
    stop: &CancellationToken,
) -> Result<Decided, Problem> {
    let (undoes, id) = (order.run, order.feed.clone());
    let what = format!("{undoes} was not undone");
    let can = services.store.cache.call(move |cache| cache.undoable(&id)).await;
    if !can.map_err(|error| failed(&what, &error))?.contains(&undoes) {
        let why = "it changed nothing, it is undone already, or what it replaced is not kept: that is so of runs that read only \
                   changes, unless the feed has a history, and behind the time for which it is kept";
        return Err(conflict(&what, why, "see which can: marsad runs"));
    }
    let start = RunStart {
        feed: order.feed.clone(),
        trigger: Trigger::Person,
        at: services.clock.now(),
        actor: Some(order.actor.clone()),
        full: false,
        file: None,
    };
    let mut run = services.begin_run(start).await.map_err(|error| failed(&what, &error))?;
    let undone = undo_as(services, feed, order, run.id, stop).await;
    let dropped = undone.as_ref().ok().and_then(|undone| undone.dropped);
    let (ending, said) = match undone {
        Ok(undone) => {
            run.cached = counts_of(&undone);
            let said = in_words(order.run, &order.feed, &undone);
            (Ending::of_balance(&run.cached).noting(Some(said.clone())), Ok(said))
        }
        Err(error) => {
            let reason = Some(format!("{what}: {error}"));
            let ending = Ending { outcome: Outcome::Failed, ..Ending::unchanged(reason) };
            (ending, Err(cut_short(&what, error)))
        }
    };
    services.end_run(&run, ending).await.map_err(|error| failed(&what, &error))?;
    if said.is_ok() {
        let word = format!("what it held is gone: {undoes} was undone under it");
        let settle = move |ledger: &mut Ledger| {
            // What was taken back is no measure by itself.
            ledger.let_past(undoes, false)?;
            dropped.map_or(Ok(()), |held| ledger.settle_held(held, Outcome::Cancelled, &word))
        };
        let late = "it is undone, and not all of that written down";
        services.store.ledger.call(settle).await.map_err(|error| failed(late, &error))?;
    }
    said.map(Decided::Done)
}

async fn undo_as(
    services: &Services,
    feed: &Feed,
    order: &Decide,
    by: RunId,
    stop: &CancellationToken,
) -> Result<Undone, Trouble> {
    let (id, run, actor) = (order.feed.clone(), order.run, order.actor.clone());
    services.change_much(&id, Change::Undo { run }, stop).await?;
    let (at, remembers) = (services.clock.now(), feed.keeping.history.is_some());
    let cursor = match &feed.origin {
        Origin::Http(request) => request.incremental.as_ref().map(|known| known.by.clone()),
        Origin::Files(_) => None,
    };
    let undo = services.store.cache.call_alone(move |cache| {
        let undoing = Undoing { run, by, at, actor: &actor, remembers, cursor: cursor.as_ref() };
        let undone = cache.undo_run(&id, &undoing)?;
        let counts = counts_of(&undone);
        cache.note_ended(&id, &Ended::of(by, counts))?;
        Ok(undone)
    });
    Ok(undo.await?)
}

fn counts_of(undone: &Undone) -> Counts {
    let Undone { restored, removed, .. } = *undone;
    let received = restored + removed;
    Counts { received, updated: restored, deleted: removed, ..Counts::default() }
}

fn in_words(run: RunId, feed: &FeedId, undone: &Undone) -> String {
    let Undone { restored, removed, left, cursor, upset, .. } = undone;
    let mut said = format!(
        "{run} undone: {restored} records are as they were before it, and {removed} that it had added are gone"
    );
    if *left > 0 {
        let _ = write!(said, "; {left} stay as later runs have written them");
    }
    if *upset {
        let _ = write!(
            said,
            "; what later files had as it left it is set back too: marsad resync {feed} --full reads them again"
        );
    }
    if let Some(cursor) = cursor {
        let cursor = cursor.as_deref().unwrap_or("the beginning");
        let _ = write!(said, "; the cursor is set back to {cursor}");
    }
    said
}

fn cut_short(what: &str, trouble: Trouble) -> Problem {
    match trouble {
        Trouble::Store(error) => refused(what, error),
        trouble => conflict(what, trouble.text(), "order it again"),
    }
}

fn refused(what: &str, error: StoreError) -> Problem {
    match error {
        StoreError::Conflict(why) => conflict(what, why, "see which can: marsad runs"),
        error => failed(what, &error),
    }
}

fn nothing_waits(what: &str) -> Problem {
    conflict(what, "nothing of it waits", "see what does: marsad runs --state held")
}

//! One run of a feed, from its number to its balance: what pulling pages and importing files have in common.

use jiff::Timestamp;
use marsad_shared::{
    drift::{Change, Drift},
    health::Reason,
    id::RunId,
    protocol::{EventKind, Running},
    quarantine::{Refusal, is_no_text},
    run::{Counts, Outcome, Trigger},
    store::{
        StoreError,
        ledger::{Ledger, RunEnd, RunStart},
    },
};
use tracing::{debug, info, warn};

use crate::{
    decode::{self, DecodeError},
    intake::REFUSED_MAX,
    services::Services,
    shape::{Beside, Filled, Misfits, Shaper},
    trouble::Trouble,
};

/// A run under way.
#[derive(Debug)]
pub struct Run {
    pub id: RunId,
    pub start: RunStart,
    pub pages: u64,
    pub bytes: u64,
    /// What the cache counted.
    pub cached: Counts,
    /// Rows that went to quarantine.
    pub refused: u64,
    /// Why the first of them did.
    first_refused: Option<String>,
    /// Rows that a rule of the feed passed over.
    pub filtered: u64,
    /// How many rows there will be, where the partner says so.
    pub total: Option<u64>,
    /// What rows had beside the feed's columns.
    pub beside: Beside,
    /// Which rows did not fit which column.
    pub misfits: Misfits,
    /// Which columns have values.
    pub filled: Filled,
    /// What somebody should know of it beside.
    pub remarks: Vec<String>,
}

/// Rows of a run that never came to the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    pub refused: u64,
    pub filtered: u64,
}

impl Outside {
    /// What the cache counted, with those beside it.
    pub fn with(self, cached: Counts) -> Counts {
        let Self { refused, filtered } = self;
        let received = cached.received + refused + filtered;
        Counts { received, quarantined: refused, filtered: cached.filtered + filtered, ..cached }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub cause: Option<Reason>,
    pub event_at: Option<Timestamp>,
    pub next_at: Option<Timestamp>,
    /// What it counted waits beside the bank, and is not in it.
    pub waits: bool,
    /// Of when what it read is, where that was not now: see [`RunEnd::came_at`].
    pub came_at: Option<Timestamp>,
}

impl Ending {
    /// The run was read to its end: its balance says how it went.
    pub fn of_balance(counts: &Counts) -> Self {
        let outcome = counts.outcome();
        let reason = match outcome {
            Outcome::Partial => Some(format!(
                "{} of {} rows were refused and wait in quarantine, each with its reason",
                counts.quarantined, counts.received
            )),
            Outcome::Failed => Some(Trouble::Unbalanced(format!("{counts:?}")).text()),
            _ => None,
        };
        Self { outcome, reason, ..Self::unchanged(None) }
    }

    /// As [`Self::of_balance`], of a run that read all there is: where every row was refused, nothing of it is good, and
    /// all of it waits for a person.
    pub fn of_whole(run: &Run) -> Self {
        let counts = &run.counts();
        if counts.received == 0 || counts.quarantined < counts.received {
            return Self::of_balance(counts);
        }
        // What to do about one row is another matter.
        let first = run.first_refused.as_deref().and_then(|reason| reason.split("; ").next());
        let first =
            first.map_or_else(String::new, |reason| format!(", the first because {reason}"));
        let remedy = if is_no_text(run.first_refused.as_deref().unwrap_or_default()) {
            "name the encoding it is written in (`encoding`), and resync"
        } else {
            "compare the layout with the feed's fields, mend it and resync"
        };
        let reason = format!("every one of {} rows was refused{first}; {remedy}", counts.received);
        Self { outcome: Outcome::Held, reason: Some(reason), ..Self::of_balance(counts) }
    }

    /// It found what was there already.
    pub fn unchanged(reason: Option<String>) -> Self {
        let (outcome, cause, event_at, next_at) = (Outcome::Unchanged, None, None, None);
        Self { outcome, reason, cause, event_at, next_at, waits: false, came_at: None }
    }

    /// It was read to its end, and waits for a person.
    pub fn held(reason: String) -> Self {
        Self { outcome: Outcome::Held, waits: true, ..Self::unchanged(Some(reason)) }
    }

    /// The same with what somebody should know of it beside its reason.
    #[must_use]
    pub fn noting(self, notes: impl IntoIterator<Item = String>) -> Self {
        let said: Vec<_> = self.reason.into_iter().chain(notes).collect();
        Self { reason: (!said.is_empty()).then(|| said.join("; ")), ..self }
    }

    /// The end as the ledger takes it.
    pub fn at(self, at: Timestamp, pages: u64, bytes: u64, counts: Counts) -> RunEnd {
        let Self { outcome, reason, cause, event_at, next_at, waits, came_at } = self;
        RunEnd {
            outcome,
            reason,
            cause,
            at,
            pages,
            bytes,
            counts,
            event_at,
            next_at,
            waits,
            came_at,
        }
    }

    /// Something ended it before.
    pub fn of_trouble(trouble: &Trouble) -> Self {
        Self {
            outcome: trouble.outcome(),
            reason: Some(trouble.text()),
            cause: trouble.reason(),
            ..Self::unchanged(None)
        }
    }
}

impl Run {
    fn begun(id: RunId, start: RunStart) -> Self {
        Self {
            id,
            start,
            pages: 0,
            bytes: 0,
            cached: Counts::default(),
            refused: 0,
            first_refused: None,
            filtered: 0,
            total: None,
            beside: Beside::default(),
            misfits: Misfits::default(),
            filled: Filled::default(),
            remarks: Vec::new(),
        }
    }

    /// What became of the rows so far.
    pub fn counts(&self) -> Counts {
        self.outside().with(self.cached)
    }

    /// The rows that never came to the cache.
    pub fn outside(&self) -> Outside {
        Outside { refused: self.refused, filtered: self.filtered }
    }

    /// Whether the rows so far fit the columns.
    ///
    /// # Errors
    /// [`DecodeError::Drift`] if so many do not that the columns are others now.
    pub fn fits(&self, shaper: &Shaper) -> Result<(), DecodeError> {
        let found = self.misfits.drift(&shaper.layout, &shaper.approved);
        found.map_or(Ok(()), |(drift, text)| {
            // One of the key alone is gone so.
            let is_gone = drift.iter().any(|drift| drift.change == Change::Gone);
            let remedy = if is_gone { decode::KEYLESS } else { decode::DECIDE };
            Err(DecodeError::Drift { drift, text, remedy })
        })
    }

    /// Whether columns still have values, of which most records in the bank have one. `all`: the run reads all there is; else
    /// it may just be that none of these records has that value, and it is remarked upon.
    ///
    /// # Errors
    /// [`DecodeError::Drift`] if one of all there is has none any more in as many rows as tell; [`StoreError`] if nobody knows.
    pub async fn still_filled(
        &mut self,
        services: &Services,
        shaper: &Shaper,
        all: bool,
    ) -> Result<Result<(), DecodeError>, StoreError> {
        let empty = self.filled.ask(&shaper.layout, &shaper.approved.gone);
        if empty.is_empty() {
            return Ok(Ok(()));
        }
        let (feed, rows) = (self.start.feed.clone(), self.filled.rows());
        let usual = services.store.cache.call(move |cache| cache.usually_filled(&feed, &empty));
        let usual = usual.await?;
        if usual.is_empty() {
            return Ok(Ok(()));
        }
        let text = format!(
            "none of {rows} records has \"{}\", which most of those in the bank have; the partner may have left it out or renamed it",
            usual.join("\", \"")
        );
        if !all {
            self.remarks.push(text);
            return Ok(Ok(()));
        }
        let gone = |field| Drift { field, change: Change::Gone, kind: None };
        let drift = usual.into_iter().map(gone).collect();
        Ok(Err(DecodeError::Drift { drift, text, remedy: decode::DECIDE }))
    }

    /// What is said of a run in which a name was new, if none of its records has a column that most in the bank have: then it may
    /// be that column by another name.
    pub async fn renamed(
        &self,
        services: &Services,
        shaper: &Shaper,
    ) -> Result<Option<String>, StoreError> {
        let lacking = self.filled.lacking(&shaper.layout, &shaper.approved.gone);
        let (feed, rows) = (self.start.feed.clone(), self.filled.rows());
        if lacking.is_empty() || rows == 0 {
            return Ok(None);
        }
        let usual = services.store.cache.call(move |cache| cache.usually_filled(&feed, &lacking));
        let usual = usual.await?;
        Ok((!usual.is_empty()).then(|| {
            format!(
                "none of its {rows} records has \"{}\", which most of those in the bank have: if it was renamed, say so in `from`",
                usual.join("\", \"")
            )
        }))
    }

    /// Counts rows into quarantine.
    ///
    /// # Errors
    /// [`DecodeError::TooManyRefused`] beyond [`REFUSED_MAX`] of one run.
    pub fn count_refused(&mut self, refused: &[Refusal]) -> Result<(), DecodeError> {
        self.refused += refused.len() as u64;
        if let (None, Some(first)) = (&self.first_refused, refused.first()) {
            self.first_refused = Some(first.reason.clone());
        }
        if self.refused > REFUSED_MAX {
            Err(DecodeError::TooManyRefused(REFUSED_MAX))
        } else {
            Ok(())
        }
    }
}

impl Services {
    /// Gives a run its number; it is seen to be running.
    pub async fn begin_run(&self, start: RunStart) -> Result<Run, StoreError> {
        let stored = start.clone();
        let begin = move |ledger: &mut Ledger| ledger.begin_run(&stored);
        let id = if is_awaited(&start) {
            self.store.ledger.call(begin).await?
        } else {
            self.store.ledger.call_unhurried(begin).await?
        };
        let run = Run::begun(id, start);
        self.show_progress(&run);
        self.events.tell(run.start.at, EventKind::Run, Some(id.to_string()));
        Ok(run)
    }

    /// Gives runs their numbers, in their order and in one commit.
    pub async fn begin_runs(&self, starts: Vec<RunStart>) -> Result<Vec<Run>, StoreError> {
        let stored = starts.clone();
        let begin = move |ledger: &mut Ledger| {
            stored.iter().map(|start| ledger.begin_run(start)).collect::<Result<Vec<_>, _>>()
        };
        let ids = self.store.ledger.call(begin).await?;
        let runs: Vec<_> =
            ids.into_iter().zip(starts).map(|(id, start)| Run::begun(id, start)).collect();
        for run in &runs {
            self.show_progress(run);
            self.events.tell(run.start.at, EventKind::Run, Some(run.id.to_string()));
        }
        Ok(runs)
    }

    /// Puts what a run refused into quarantine: before anything that counts on it being there.
    pub async fn refuse(&self, run: &Run, refused: Vec<Refusal>) -> Result<(), StoreError> {
        if refused.is_empty() {
            return Ok(());
        }
        let (feed, id, at) = (run.start.feed.clone(), run.id, self.clock.now());
        self.store.ledger.call(move |ledger| ledger.refuse(&feed, id, &refused, at)).await?;
        self.events.tell(at, EventKind::Quarantine, None);
        Ok(())
    }

    /// Puts what several runs refused into quarantine, in one commit.
    pub async fn refuse_all(
        &self,
        refused: Vec<(RunStart, RunId, Vec<Refusal>)>,
    ) -> Result<(), StoreError> {
        if refused.iter().all(|(_, _, refused)| refused.is_empty()) {
            return Ok(());
        }
        let at = self.clock.now();
        let all = move |ledger: &mut Ledger| {
            let mut each = refused.iter().filter(|(_, _, refused)| !refused.is_empty());
            each.try_for_each(|(start, run, refused)| ledger.refuse(&start.feed, *run, refused, at))
        };
        self.store.ledger.call(all).await?;
        self.events.tell(at, EventKind::Quarantine, None);
        Ok(())
    }

    /// Shows how far a run is.
    pub fn show_progress(&self, run: &Run) {
        self.progress.set(Running {
            feed: run.start.feed.clone(),
            run: Some(run.id),
            trigger: run.start.trigger,
            started_at: run.start.at,
            pages: run.pages,
            rows: run.counts().received,
            bytes: run.bytes,
            total: run.total,
        });
    }

    /// Ends a run with its balance.
    pub async fn end_run(&self, run: &Run, ending: Ending) -> Result<(), StoreError> {
        let end = ending.at(self.clock.now(), run.pages, run.bytes, run.counts());
        log(run.id, &run.start, &end);
        let at = end.at;
        let (id, start) = (run.id, run.start.clone());
        let awaited = is_awaited(&start);
        let late = end.clone();
        let end = move |ledger: &mut Ledger| ledger.end_run(id, &start, &end);
        let ended = if awaited {
            self.store.ledger.call(end).await
        } else {
            self.store.ledger.call_unhurried(end).await
        };
        if ended.is_err() {
            self.finished.keep(id, run.start.clone(), late);
        }
        self.progress.clear(&run.start.feed, Some(run.id));
        self.tell_run(at, run.id, &run.start);
        ended
    }

    /// Ends runs, each with its balance, in their order and in one commit.
    pub async fn end_runs(&self, ended: Vec<(&Run, Ending)>) -> Result<(), StoreError> {
        let at = self.clock.now();
        let ends: Vec<_> = ended
            .into_iter()
            .map(|(run, ending)| {
                let end = ending.at(at, run.pages, run.bytes, run.counts());
                log(run.id, &run.start, &end);
                (run.id, run.start.clone(), end)
            })
            .collect();
        let late = ends.clone();
        let all = move |ledger: &mut Ledger| {
            ends.iter().try_for_each(|(id, start, end)| ledger.end_run(*id, start, end))
        };
        let done = self.store.ledger.call(all).await;
        for (id, start, end) in late {
            self.progress.clear(&start.feed, Some(id));
            self.tell_run(at, id, &start);
            if done.is_err() {
                self.finished.keep(id, start, end);
            }
        }
        done
    }

    /// Says that a run has ended.
    pub fn tell_run(&self, at: Timestamp, id: RunId, start: &RunStart) {
        if !self.events.are_heard() {
            return;
        }
        self.events.tell(at, EventKind::Run, Some(id.to_string()));
        self.events.tell(at, EventKind::Feed, Some(start.feed.to_string()));
    }
}

/// Whether somebody waits for a run: a person, or the files behind the one that it reads.
pub fn is_awaited(start: &RunStart) -> bool {
    start.trigger.is_ordered() || start.file.is_some()
}

/// Tells how a run ended; of one that tries again and fails again only who looks for it hears.
pub fn log(run: RunId, start: &RunStart, end: &RunEnd) {
    let elapsed_ms = end.at.duration_since(start.at).as_millis();
    let (feed, outcome) = (&start.feed, end.outcome.word());
    let (rows, bytes) = (end.counts.received, end.bytes);
    if end.outcome.is_good() {
        info!(%feed, %run, outcome, rows, bytes, elapsed_ms, "run ended");
    } else if start.trigger == Trigger::Retry {
        // A partner that is away for days is one word in the log; each try stands in the ledger.
        let error = end.reason.as_deref().unwrap_or_default();
        debug!(%feed, %run, outcome, rows, bytes, elapsed_ms, error, "run ended");
    } else {
        let error = end.reason.as_deref().unwrap_or_default();
        warn!(%feed, %run, outcome, rows, bytes, elapsed_ms, error, "run ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_does_not_balance_is_never_green() {
        let counts = Counts { received: 3, inserted: 2, ..Counts::default() };
        let ending = Ending::of_balance(&counts);
        assert_eq!(ending.outcome, Outcome::Failed);
        assert!(ending.reason.is_some_and(|reason| reason.contains("does not balance")));
    }
}

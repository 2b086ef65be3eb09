//! One walk under way: where it stands, in this run and behind a restart.

use std::{collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    brake::{Found, Verdict, Volume},
    feed::{Feed, Mode},
    health::{PollResult, Reason},
    record::{Batch, Spelling},
    request::{Incremental, Request},
    run::Counts,
    store::{
        cache::{Position, Validators, Walk},
        writer::Handed,
    },
};
use serde::{Deserialize, Serialize};

use super::{
    Errand,
    close::Settled,
    landing::{Landing, Slips},
    notes::Seen,
};
use crate::{
    run::Run,
    services::Scope,
    source::{
        asking::Leg,
        cursor::CursorRule,
        fault::FetchError,
        walk::{Ask, Stand, Walker},
    },
    trouble::Trouble,
};

/// Whether the cursor stays where it is, whatever comes: a stretch of time is not all that changed since, and a sweep may pass
/// what is changed while it goes on.
pub(super) const fn is_beside_cursor(errand: &Errand) -> bool {
    errand.sweep || matches!(errand.scope, Scope::Window { .. })
}

/// How long what a partner gave us to go on with is tried, once nothing comes of it any more.
const WALK_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Where a walk stands, in its own words: what is kept behind a [`marsad_shared::store::cache::Walk`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Next {
    pub(super) ask: Ask,
    /// What was asked for, as a hash: a walk of another request is not gone on with.
    pub(super) of: u64,
    pub(super) leg: Leg,
    /// Records so far, of the whole walk.
    pub(super) rows: u64,
    /// Where its leg stands.
    pub(super) stand: Stand,
    /// Answers so far that had no records because of their status.
    pub(super) refused_legs: u64,
    /// Legs so far, with this one.
    pub(super) legs: u64,
    /// Until when it is read, of a feed that is asked for by stretches of time.
    pub(super) horizon: Option<Timestamp>,
    #[serde(default)]
    pub(super) seen: Seen,
    #[serde(default)]
    pub(super) before: Before,
    /// What is known of its pages, of those legs that were read to their ends.
    #[serde(default)]
    pub(super) slips: Slips,
    /// The greatest value that had come when its leg began.
    #[serde(default)]
    pub(super) best_before: Option<String>,
    /// Of when the oldest of its answers was, where one came out of a cache.
    #[serde(default)]
    pub(super) as_of: Option<Timestamp>,
    /// How the partner writes the times of its cursor, as far as is known.
    #[serde(default)]
    pub(super) spelling: Option<Spelling>,
}

/// What earlier runs of a walk did to the records that lived when it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Before {
    deleted: u64,
    inserted: u64,
}

impl Before {
    /// What the brake looks at: the deletions of the whole walk, beside what lived when it began. `lived`: when this run
    /// did, which has `deleted` so many.
    pub(super) fn found(self, lived: u64, deleted: u64) -> Found {
        let lived = (lived + self.deleted).saturating_sub(self.inserted);
        Found { lived, deleted: self.deleted + deleted, ..Found::default() }
    }
}

/// Of when an answer is that came now and had lain in caches for so long; `None`: in none.
pub(super) fn as_of(now: Timestamp, age: Duration) -> Option<Timestamp> {
    let age = SignedDuration::try_from(age).ok().filter(|age| !age.is_zero())?;
    now.checked_sub(age).ok()
}

/// One walk under way.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that the walk comes upon"
)]
pub(super) struct Course {
    pub(super) run: Run,
    pub(super) errand: Errand,
    /// Everything is read, from the very beginning.
    pub(super) full: bool,
    mode: Mode,
    /// Something shows that it may not be all there is, or it cannot tell what is gone.
    pub(super) doubted: bool,
    /// What the runs before it brought, of a feed that is read whole each time.
    pub(super) earlier: Vec<Volume>,
    /// What became of its load.
    pub(super) settled: Option<Settled>,
    /// Whether that has joined the bank.
    pub(super) joined: bool,
    pub(super) of: u64,
    /// Where the cursor stands in the bank, whatever is asked for.
    pub(super) stood: Option<String>,
    /// The cursor when the walk began.
    pub(super) since: Option<String>,
    /// The cursor whose own record came once more, when it was asked for last.
    confirmed: Option<String>,
    /// What the feed's records were declared to be when its cursor came about; `None`: nobody knows.
    pub(super) declared: Option<u64>,
    /// How the partner writes the times of its cursor, as far as is known: what is asked for next is written so. How this leg is
    /// asked for stands in it.
    pub(super) spelling: Option<Spelling>,
    /// How the times were written that the walk was asked for by; `None`: it was asked for by none.
    pub(super) asked: Option<Spelling>,
    /// Where the cursor would have gone behind the last walk from where it stands, which nothing bore out.
    looked: Option<String>,
    pub(super) best: Option<String>,
    /// How many records of this run had that.
    pub(super) at_best: u64,
    /// What that was when its leg began: a leg that is read again begins with it.
    pub(super) best_before: Option<String>,
    /// What the partner gave us to hand back next time.
    pub(super) handle: Option<String>,
    /// When the walk began, in an earlier run perhaps.
    pub(super) began_at: Timestamp,
    /// Of when the oldest of its answers was, where one came out of a cache.
    pub(super) as_of: Option<Timestamp>,
    pub(super) leg: Leg,
    pub(super) legs: u64,
    pub(super) horizon: Option<Timestamp>,
    /// Answers that had no records because of their status.
    pub(super) refused_legs: u64,
    /// The partner's mark of change when the walk began.
    pub(super) mark: Option<Validators>,
    pub(super) slips: Slips,
    /// What was loaded so far.
    pub(super) met: Met,
    /// Whether the cache knows of the run.
    pub(super) opened: bool,
    /// Pages on their way into the bank, the oldest first: nobody knows yet that they are there.
    pub(super) handed: VecDeque<Handed<(Counts, Option<Position>)>>,
    /// What pages that came well say of the connection, the oldest first: it is told once they are in the bank, for where nothing
    /// can be kept it is we who fail.
    pub(super) good: VecDeque<PollResult>,
    /// Where the feed stands behind its last page, once that is in the bank and the cache has forgotten the run.
    pub(super) stands: Option<Position>,
    /// What somebody should know of a walk that went well.
    pub(super) notes: Vec<String>,
    pub(super) seen: Seen,
    pub(super) before: Before,
    /// When the walk that is gone on with last came on.
    resumed: Option<Timestamp>,
}

/// The way that a walk has gone, which says where the cursor goes.
pub(super) struct Trail {
    best: Option<String>,
    at_best: u64,
    best_before: Option<String>,
    handle: Option<String>,
    leg: Leg,
    legs: u64,
    horizon: Option<Timestamp>,
    refused_legs: u64,
    slips: Slips,
    seen: Seen,
}

impl Course {
    /// A walk of `run` that asks for what `of` is a hash of: from the cursor of `position`, or from the beginning.
    pub(super) fn begin(
        run: Run,
        mode: Mode,
        errand: Errand,
        of: u64,
        position: Position,
        mark: Option<Validators>,
    ) -> Self {
        let full = errand.scope == Scope::Full;
        let (confirmed, look, declared, spelling) =
            position.ended.map_or_else(Default::default, |ended| {
                (ended.confirmed, ended.look, ended.declared, ended.spelling)
            });
        Self {
            since: position.cursor.clone().filter(|_| !full),
            began_at: run.start.at,
            as_of: None,
            run,
            full,
            mode,
            doubted: false,
            earlier: Vec::new(),
            settled: None,
            joined: false,
            errand,
            of,
            confirmed,
            declared,
            spelling,
            asked: None,
            looked: look.filter(|look| look.from == position.cursor).map(|look| look.to),
            stood: position.cursor,
            best: None,
            at_best: 0,
            best_before: None,
            handle: None,
            leg: Leg::default(),
            legs: 1,
            horizon: None,
            refused_legs: 0,
            mark,
            slips: Slips::default(),
            met: Met::default(),
            opened: false,
            handed: VecDeque::new(),
            good: VecDeque::new(),
            stands: None,
            notes: Vec::new(),
            seen: Seen::default(),
            before: Before::default(),
            resumed: None,
        }
    }

    /// The walk is gone on with from where an earlier run left it, but for its ask and where its leg stands.
    pub(super) fn resume(&mut self, walk: &Walk, next: &Next) {
        self.full = walk.full;
        (self.since, self.best) = (walk.since.clone(), walk.best.clone());
        (self.began_at, self.resumed) = (walk.began_at, Some(walk.at));
        (self.leg, self.legs, self.horizon) = (next.leg.clone(), next.legs, next.horizon);
        self.best_before.clone_from(&next.best_before);
        (self.as_of, self.spelling) = (next.as_of, next.spelling.or(self.spelling));
        (self.refused_legs, self.seen) = (next.refused_legs, next.seen.clone());
        self.slips = next.slips;
        self.slips.resume(walk.counts.duplicate > 0);
        let Before { deleted, inserted } = next.before;
        self.before = Before {
            deleted: deleted + walk.counts.deleted,
            inserted: inserted + walk.counts.inserted,
        };
    }

    /// Where it goes on, to be kept.
    pub(super) fn next(&self, walker: &Walker<'_>, leg: &Leg, ask: &Ask) -> Next {
        let ask = match ask {
            // Where its file is may be signed, and good for an hour: whoever goes on asks for that again.
            Ask::File { id, .. } => Ask::Job(id.clone()),
            other => other.clone(),
        };
        Next {
            ask,
            of: self.of,
            leg: leg.clone(),
            rows: walker.rows,
            stand: walker.stand().clone(),
            refused_legs: self.refused_legs,
            legs: self.legs,
            horizon: self.horizon,
            seen: self.seen.clone(),
            before: self.before,
            slips: self.slips,
            best_before: self.best_before.clone(),
            as_of: self.as_of,
            spelling: self.spelling,
        }
    }

    /// Leaves the way that was gone, so that another read of the same can begin: what is found on that leads nowhere.
    pub(super) fn set_aside(&mut self) -> Trail {
        Trail {
            best: self.best.take(),
            at_best: std::mem::take(&mut self.at_best),
            best_before: self.best_before.take(),
            handle: self.handle.take(),
            leg: std::mem::take(&mut self.leg),
            legs: std::mem::replace(&mut self.legs, 1),
            horizon: self.horizon.take(),
            refused_legs: std::mem::take(&mut self.refused_legs),
            slips: std::mem::take(&mut self.slips),
            seen: std::mem::take(&mut self.seen),
        }
    }

    /// Takes the way up again that was set aside.
    pub(super) fn take_up(&mut self, trail: Trail) {
        let Trail {
            best,
            at_best,
            best_before,
            handle,
            leg,
            legs,
            horizon,
            refused_legs,
            slips,
            seen,
        } = trail;
        (self.best, self.at_best, self.best_before, self.handle) =
            (best, at_best, best_before, handle);
        (self.leg, self.legs, self.horizon) = (leg, legs, horizon);
        (self.refused_legs, self.slips, self.seen) = (refused_legs, slips, seen);
    }

    /// Everything is read again.
    pub(super) fn begin_anew(&mut self) {
        (self.since, self.best, self.best_before, self.handle) = (None, None, None, None);
        self.full = true;
        self.leg = Leg::default();
    }

    /// Whether its pages are loaded beside the live table, and join it at its end.
    pub(super) fn is_beside(&self) -> bool {
        self.mode == Mode::Snapshot || self.errand.scope != Scope::Incremental
    }

    /// The cursor, if the record that it was taken from has come once more, now or before.
    pub(super) fn confirmed_cursor(&self) -> Option<String> {
        if self.since.is_some() && self.best == self.since {
            return self.since.clone();
        }
        self.confirmed.clone()
    }

    /// Whether a walk that was read to its end shows that the partner has lost records: what stands at the cursor came before,
    /// and nothing does any more.
    pub(super) fn has_lost(&self, rule: &CursorRule) -> bool {
        let Some(since) = self.since.as_deref() else { return false };
        let is_before = |best: &str| rule.compare(best, since).is_lt();
        self.confirmed.as_deref() == Some(since)
            && self.errand.scope == Scope::Incremental
            && self.seen.ignored == 0
            && self.refused_legs == 0
            && self.best.as_deref().is_none_or(is_before)
    }

    /// Whether all of it is read because that is due.
    pub(super) const fn is_swept(&self) -> bool {
        self.errand.sweep
    }

    /// Whether somebody ordered just this: what it does is done with it, and it is not read once more by itself.
    pub(super) fn is_by_hand(&self) -> bool {
        self.errand.scope != Scope::Incremental
    }

    /// Where it leaves a cursor that would go to `moved`.
    pub(super) fn landing(
        &self,
        request: &Request,
        moved: Option<String>,
        fresh: Option<bool>,
    ) -> Landing {
        let bounded =
            |incremental: &Incremental| incremental.start.is_some() || incremental.window.is_some();
        let bounded = request.incremental.as_ref().is_some_and(bounded) || request.each.is_some();
        Landing {
            slips: self.slips,
            fresh,
            all: self.stood.is_none() && !bounded,
            stood: self.stood.clone(),
            moved,
            waits: !self.is_by_hand(),
            respelled: self.is_respelled(),
            // What was in a cache before this walk began may be what the last one saw.
            looked: self.looked.clone().filter(|_| self.told_from() == self.began_at),
        }
    }

    /// Its load is settled.
    pub(super) fn settle(&mut self, settled: Settled) {
        self.joined = matches!(settled, Settled::Joined { .. });
        self.settled = Some(settled);
    }

    /// Hears of an answer that came now, and had lain in caches for so long.
    pub(super) fn hear_age(&mut self, now: Timestamp, age: Duration) {
        self.as_of = [self.as_of, as_of(now, age)].into_iter().flatten().min();
    }

    /// From when on something may have changed of which it tells nothing: since it began, or since the oldest of its answers.
    pub(super) fn told_from(&self) -> Timestamp {
        self.as_of.map_or(self.began_at, |as_of| as_of.min(self.began_at))
    }

    /// Whether caches are to be passed by: what nothing bore out is read once more.
    pub(super) fn confirms(&self) -> bool {
        self.looked.is_some()
    }

    /// Why what it lacks is not gone, if something shows that it may not be all there is.
    pub(super) fn doubt(&self) -> Option<&'static str> {
        if self.run.refused > 0 {
            Some("rows were refused, and nobody knows whose they are")
        } else if self.run.filtered > 0 {
            Some("rows were left out, and whose they are is not looked at")
        } else if self.doubted || self.slips.doubts(0) || self.seen.ignored > 0 {
            Some("it may not be all there is")
        } else {
            None
        }
    }

    /// What the brake says of a walk whose pages go straight into the live table, where they are all there is: deletions are
    /// looked at page by page, its size here.
    pub(super) fn verdict(&self, feed: &Feed, counts: &Counts) -> Verdict {
        self.scale(feed)(counts)
    }

    /// The same, for whoever knows its counts first. Where no less came than ever, it is in the bank by then and wiped nothing:
    /// there is nothing to hold.
    pub(super) fn scale(&self, feed: &Feed) -> impl Fn(&Counts) -> Verdict + Send + 'static {
        let is_judged = !(self.is_beside() || self.errand.free || self.since.is_some());
        let (brake, earlier) = (feed.keeping.brake, self.earlier.clone());
        move |counts| {
            if !is_judged {
                return Verdict::Free;
            }
            let received = counts.received;
            let found = Found { received, earlier: earlier.clone(), ..Found::default() };
            match brake.judge(&found) {
                Verdict::Hold(why)
                    if received >= brake.min_rows
                        && earlier
                            .iter()
                            .map(|one| one.rows)
                            .max()
                            .is_some_and(|most| received >= most) =>
                {
                    Verdict::Odd(format!("{why}; its rows are in the bank, ask the partner"))
                }
                verdict => verdict,
            }
        }
    }

    /// Whether a walk that was gone on with leads nowhere any more: the partner refuses what it gave us itself, or nothing
    /// has come of it for too long.
    pub(super) fn is_dead(&self, trouble: &Trouble, now: Timestamp) -> bool {
        let Some(walked_at) = self.resumed else { return false };
        let refused = matches!(
            trouble,
            Trouble::Fetch(FetchError::Final { .. } | FetchError::Gone { .. })
                | Trouble::Decode { .. }
        );
        let ours = trouble.reason().is_some_and(Reason::is_local);
        let old = now.duration_since(walked_at) > WALK_LIFE;
        self.run.pages == 0 && !ours && !trouble.is_no_failure() && (refused || old)
    }
}

/// Which records were met, whatever they hold: how many rows came, and the sum of the hashes of their keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Met {
    rows: u64,
    keys: u64,
}

impl Met {
    pub(super) fn add(&mut self, batch: &Batch) {
        for hash in batch.hashes() {
            self.rows += 1;
            self.keys = self.keys.wrapping_add(hash.key);
        }
    }
}

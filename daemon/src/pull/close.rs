//! The end of a walk that was loaded beside the live table: what it comes to, whether it may join, and how.

use jiff::Timestamp;
use marsad_shared::{
    brake::{Brake, Found, Verdict},
    id::{FeedId, RunId},
    record::Batch,
    run::Counts,
    store::{
        StoreError,
        cache::{Cache, Ended, Holding, Last, Weight},
    },
};

use crate::run::Outside;

/// All that decides about a load, on its way to the cache.
pub(super) struct Closing {
    pub(super) feed: FeedId,
    pub(super) run: RunId,
    pub(super) at: Timestamp,
    /// Whether what it lacks is gone: it is all there is, and was read without a doubt.
    pub(super) is_truth: bool,
    /// A stretch of time: the cursor stays as it is.
    pub(super) is_window: bool,
    /// `None`: a person has let it past.
    pub(super) brake: Option<Brake>,
    /// Whoever ordered it wants to see it first.
    pub(super) hold: bool,
    /// Rows of the runs before it.
    pub(super) earlier: Vec<u64>,
    pub(super) outside: Outside,
    pub(super) stood: Option<String>,
    /// Its counts are still to come.
    pub(super) last: Last,
}

/// What became of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is in the bank. `superseded`: the run that waited until now.
    Joined { odd: Option<String>, superseded: Option<RunId> },
    /// It waits for a person, in place of what waited before.
    Held { reason: String, replaced: Option<RunId> },
    /// Every row was refused: there is nothing to join.
    Nothing,
}

impl Closing {
    /// Takes the last page up and settles it all, in one transaction.
    pub(super) fn close(
        mut self,
        cache: &mut Cache,
        batch: &Batch,
    ) -> Result<(Counts, Settled), StoreError> {
        cache.load(&self.feed, batch, self.at)?;
        if self.is_truth {
            cache.infer_absent(&self.feed, self.at)?;
        }
        let Weight { lived, counts: cached } = cache.weigh(&self.feed)?;
        let counts = self.outside.with(cached);
        if cached.received == 0 && self.outside.refused > 0 {
            return Ok((cached, Settled::Nothing));
        }
        let Counts { received, deleted, absent, .. } = counts;
        let earlier = std::mem::take(&mut self.earlier);
        let found = Found { lived, received, deleted, absent, earlier };
        let verdict = self.brake.map_or(Verdict::Free, |brake| brake.judge(&found));
        self.last.ended.counts = counts;
        let settled = match verdict {
            Verdict::Hold(why) => self.hold(cache, &counts, Some(why))?,
            Verdict::Free | Verdict::Odd(_) if self.hold => self.hold(cache, &counts, None)?,
            Verdict::Free => self.join(cache, None)?,
            Verdict::Odd(why) => self.join(cache, Some(why))?,
        };
        Ok((cached, settled))
    }

    fn hold(
        self,
        cache: &mut Cache,
        counts: &Counts,
        why: Option<String>,
    ) -> Result<Settled, StoreError> {
        let (run, by_brake) = (self.run, why.is_some());
        let does = does(counts);
        let reason = match why {
            Some(why) => format!(
                "{why}. It would {does}; nothing of it is in the bank. Look at it, ask the partner, and then: \
                 marsad run release {run}, or marsad run discard {run}"
            ),
            None => format!(
                "it would {does}, and waits, as ordered: marsad run release {run}, or marsad run discard {run}"
            ),
        };
        let Last { cursor, ended, .. } = self.last;
        let cursor = if self.is_window { self.stood.clone() } else { cursor };
        let (stood, counts) = (self.stood, *counts);
        let holding = Holding { reason: reason.clone(), by_brake, counts, stood, cursor, ended };
        let replaced = cache.hold(&self.feed, self.at, holding)?;
        Ok(Settled::Held { reason, replaced })
    }

    fn join(self, cache: &mut Cache, odd: Option<String>) -> Result<Settled, StoreError> {
        let Self { feed, at, last, .. } = self;
        if self.is_window {
            let Ended { .. } = last.ended;
            cache.finish_window(&feed, at, &last.ended)?;
            return Ok(Settled::Joined { odd, superseded: None });
        }
        cache.finish_walk(&feed, at, &last)?;
        let superseded = cache.drop_held(&feed)?;
        Ok(Settled::Joined { odd, superseded })
    }
}

/// What a run would do to the bank, in words.
pub(super) fn does(counts: &Counts) -> String {
    let Counts { inserted, updated, deleted, absent, .. } = *counts;
    if counts.changed() == 0 {
        return "change nothing".to_owned();
    }
    format!("add {inserted}, change {updated} and delete {} records", deleted + absent)
}

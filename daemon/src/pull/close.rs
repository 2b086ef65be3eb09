//! The end of a walk that was loaded beside the live table: what it comes to, whether it may join, and how.

use jiff::Timestamp;
use marsad_shared::{
    brake::{Brake, Found, Verdict, Volume},
    id::{FeedId, RunId},
    record::Batch,
    run::Counts,
    store::{
        StoreError,
        cache::{Cache, Change, Holding, Last, Weight},
    },
};

use super::{Errand, course::is_beside_cursor, landing::Landing};
use crate::{run::Outside, services::Scope};

/// All that decides about a load, on its way to the cache.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) feed: FeedId,
    pub(super) run: RunId,
    pub(super) at: Timestamp,
    /// Whether what it lacks is gone: it is all there is, and was read without a doubt, but for what may have slipped.
    pub(super) is_truth: bool,
    /// What decides where the cursor goes.
    pub(super) landing: Landing,
    pub(super) errand: Errand,
    pub(super) brake: Brake,
    /// What the runs before it brought.
    pub(super) earlier: Vec<Volume>,
    /// What its records were declared to be when its cursor came about.
    pub(super) declared: Option<u64>,
    pub(super) outside: Outside,
    /// Its counts, and its cursor, are still to come.
    pub(super) last: Last,
}

/// What became of a load.
#[derive(Debug)]
pub(super) enum Settled {
    /// It may join, and is so large that the live table is written anew first: then [`Closing::join`] is what is left.
    Large(Box<Closing>, Option<String>),
    /// It is in the bank. `superseded`: the run that waited until now.
    Joined { odd: Option<String>, superseded: Option<RunId> },
    /// It waits for a person, in place of what waited before.
    Held { reason: String, replaced: Option<RunId> },
    /// The brake has stopped a sweep, of which nothing is kept.
    Braked { reason: String },
    /// Every row was refused: there is nothing to join.
    Nothing,
}

impl Closing {
    /// Takes the last page up and settles it all, in one transaction, unless it is [`Settled::Large`].
    pub(super) fn close(
        mut self,
        cache: &mut Cache,
        batch: &Batch,
    ) -> Result<(Counts, Settled), StoreError> {
        cache.load(&self.feed, batch, self.at)?;
        let loaded = cache.weigh(&self.feed)?.counts;
        if self.is_truth && !self.landing.slips.doubts(loaded.duplicate) {
            cache.infer_absent(&self.feed, self.at)?;
        }
        let landed = self.landing.of(&loaded);
        if landed.stay.is_some() {
            self.last.validators = None;
            self.last.ended.declared = self.declared;
        }
        (self.last.cursor, self.last.ended.look) = (landed.cursor, landed.look);
        let Weight { lived, counts: cached } = cache.weigh(&self.feed)?;
        let counts = self.outside.with(cached);
        if cached.received == 0 && self.outside.refused > 0 {
            self.forget_job(cache)?;
            return Ok((cached, Settled::Nothing));
        }
        let Counts { received, deleted, absent, .. } = counts;
        let earlier = std::mem::take(&mut self.earlier);
        let found = Found { lived, received, deleted, absent, earlier };
        let verdict = if self.errand.free { Verdict::Free } else { self.brake.judge(&found) };
        self.last.ended.counts = counts;
        self.last.validators = self.last.validators.take().map(|known| known.of(counts.received));
        let settled = match verdict {
            // What lives may come again by its changes while it waits, and nobody would see that: it is not kept.
            Verdict::Hold(why) if self.errand.sweep => Settled::Braked {
                reason: format!(
                    "{why}. It would {}; nothing of it is in the bank, and nothing waits. Ask the partner, and if that is right: \
                     marsad resync {} --full, which can be released",
                    does(&counts),
                    self.feed
                ),
            },
            Verdict::Hold(why) => self.hold(cache, &counts, Some(why))?,
            Verdict::Free | Verdict::Odd(_) if self.errand.hold => {
                self.hold(cache, &counts, None)?
            }
            Verdict::Free | Verdict::Odd(_) => {
                let odd = match verdict {
                    Verdict::Odd(why) => Some(why),
                    _ => None,
                };
                if cache.begin_swap(&self.feed, Change::Load)? {
                    Settled::Large(Box::new(self), odd)
                } else {
                    self.join(cache, odd)?
                }
            }
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
        self.forget_job(cache)?;
        let stays = self.is_beside_cursor();
        let Last { cursor, ended, .. } = self.last;
        let (stood, counts) = (self.landing.stood, *counts);
        let cursor = if stays { stood.clone() } else { cursor };
        let holding = Holding { reason: reason.clone(), by_brake, counts, stood, cursor, ended };
        let replaced = cache.hold(&self.feed, self.at, holding)?;
        Ok(Settled::Held { reason, replaced })
    }

    /// Whether the cursor does not move by it.
    const fn is_beside_cursor(&self) -> bool {
        is_beside_cursor(&self.errand)
    }

    fn forget_job(&self, cache: &mut Cache) -> Result<(), StoreError> {
        if self.is_beside_cursor() { Ok(()) } else { cache.forget_job(&self.feed, self.run) }
    }

    pub(super) fn join(
        self,
        cache: &mut Cache,
        odd: Option<String>,
    ) -> Result<Settled, StoreError> {
        let (stays, all) = (self.is_beside_cursor(), self.errand.scope == Scope::Full);
        let Self { feed, at, last, .. } = self;
        if stays {
            cache.finish_beside_cursor(&feed, at, &last.ended)?;
        } else {
            cache.finish_walk(&feed, at, &last)?;
        }
        if stays && !all {
            return Ok(Settled::Joined { odd, superseded: None });
        }
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

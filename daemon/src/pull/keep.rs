//! A page into its place: refusals first, then rows and the position behind them, together.

use jiff::Timestamp;
use marsad_shared::{
    brake::Verdict,
    feed::Mode,
    record::Batch,
    request::{By, Request},
    run::Counts,
    store::{
        StoreError,
        cache::{Cache, Ended, Last, Manner, PageEnd, Validators, Walk},
    },
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Puller,
    close::{Closing, Settled},
    course::{Course, Next},
    landing::{Landed, Landing},
    legs::JITTER,
    page::{self, Page},
    room::Room,
};
use crate::{
    intake::Piece,
    run::is_awaited,
    services::Scope,
    source::{http::Answer, walk::Ask},
    trouble::Trouble,
};

/// Where the walk goes behind a page.
pub(super) enum Behind {
    More(Box<Next>),
    /// `alone`: it was the only page.
    Last {
        alone: bool,
    },
    Broken,
}

/// What is known of a page when it is kept.
struct Kept {
    answer: Answer,
    /// A hash of its URL.
    url: u64,
    rows: u64,
    /// Pages of the walk so far, with this one.
    pages: u64,
    clean: bool,
    at: Timestamp,
}

impl Puller {
    /// Keeps a page with where the walk goes behind it.
    pub(super) async fn keep(
        &self,
        request: &Request,
        course: &mut Course,
        page: Page,
        pages: u64,
        behind: Behind,
    ) -> Result<(), Trouble> {
        let Page {
            answer,
            piece: Piece { batch, refused, beside, misfits, .. },
            url,
            filtered,
            _room: room,
            ..
        } = page;
        let rows = (batch.len() + refused.len()) as u64 + filtered;
        course.run.pages += 1;
        course.run.bytes += answer.body.len();
        course.run.filtered += filtered;
        course.run.beside.add(beside);
        course.run.misfits.add(&misfits);
        if self.columns.known().is_none() {
            // No record has come yet of a feed whose columns are those of its first data.
            return Ok(());
        }
        if let Some(shaper) = self.columns.known() {
            course.run.filled.add(&batch);
            // Nothing of such a page is kept: what it holds is read again once somebody has decided.
            course.run.fits(shaper).map_err(|error| Trouble::decode("the run", error))?;
            if matches!(behind, Behind::Last { .. }) {
                // Of pages that went straight into the live table it comes too late to hold them.
                let all = course.is_beside() && course.since.is_none();
                let filled = course.run.still_filled(&self.services, shaper, all).await?;
                filled.map_err(|error| Trouble::decode("the run", error))?;
            }
        }
        // Behind this page there is nothing to go on with.
        let (alone, last) =
            (matches!(behind, Behind::Last { alone: true }), matches!(behind, Behind::Last { .. }));
        let hurried = !alone || is_awaited(&course.run.start);
        let goes_on = matches!(behind, Behind::More(_));
        let counted = course.run.count_refused(&refused);
        let clean = course.run.refused == 0 && course.seen.ignored == 0;
        self.services.refuse(&course.run, refused).await?;
        counted.map_err(|error| Trouble::decode("the run", error))?;
        let at = self.services.clock.now();
        let kept = Kept { answer, url, rows, pages, clean, at };
        if course.is_beside() {
            return self.load(request, course, &kept, (batch, room), behind).await;
        }
        let end = self.page_end(request, course, &kept, behind);
        let (feed, run) = (self.feed.id.clone(), course.run.id);
        // The first page may have come before the columns were known, and was not kept then.
        let opens = !std::mem::replace(&mut course.opened, true);
        let manner = Manner::of(&self.feed.keeping, false);
        let brake = self.feed.keeping.brake;
        let (free, before) = (course.errand.free, course.before);
        let apply = move |cache: &mut Cache| {
            let _room = room;
            if opens {
                cache.begin_pages(&feed, run, manner)?;
            }
            let counts = cache.apply_page(&feed, &batch, at, end)?;
            let found = before.found(cache.weigh(&feed)?.lived, counts.deleted);
            if let Some(why) = brake.deletes_too_many(&found).filter(|_| !free) {
                // Nothing of the page stays.
                return Err(StoreError::Braked(format!(
                    "{why}; ask the partner, and if that is right: marsad run release {run}"
                )));
            }
            if !last {
                return Ok((counts, None));
            }
            cache.end(&feed)?;
            Ok((counts, Some(cache.position(&feed)?)))
        };
        if goes_on {
            return Ok(self.put(course, apply).await?);
        }
        let cache = &self.services.store.cache;
        (course.run.cached, course.stands) =
            if hurried { cache.call(apply).await? } else { cache.call_unhurried(apply).await? };
        self.services.show_progress(&course.run);
        Ok(())
    }

    /// Loads a page beside the live table; behind the last one it is settled what becomes of it all.
    async fn load(
        &self,
        request: &Request,
        course: &mut Course,
        kept: &Kept,
        (batch, room): (Batch, Room),
        behind: Behind,
    ) -> Result<(), Trouble> {
        match behind {
            Behind::Last { alone } => {
                let begin = self.begin_load(course);
                let cache = &self.services.store.cache;
                let closing = self.closing(request, course, kept, alone);
                let is_truth = closing.is_truth;
                let close = move |cache: &mut Cache| {
                    begin(cache)?;
                    closing.close(cache, &batch)
                };
                let (cached, settled) = cache.call_alone(close).await?;
                let doubts = is_truth && course.slips.doubts(cached.duplicate);
                course.doubted |= doubts;
                course.notes.extend(doubts.then(|| GONE_IN_DOUBT.to_owned()));
                course.run.cached = cached;
                course.settle(settled);
            }
            Behind::More(next) => {
                // What was ordered is not ordered again, over a restart too; nothing has come of it yet.
                let is_snapshot = self.feed.keeping.mode == Mode::Snapshot
                    && course.errand.scope == Scope::Incremental;
                let job = (is_snapshot && matches!(next.ask, Ask::Job(_)))
                    .then(|| walk_of(course, kept, &next))
                    .filter(|walk| self.may_keep(&walk.next));
                self.load_rows(course, (batch, room), job).await?;
            }
            // Nothing of it is kept.
            Behind::Broken => {}
        }
        self.services.show_progress(&course.run);
        Ok(())
    }

    /// Hands rows over that are loaded beside the live table; with them it is kept that they were ordered, where they were.
    pub(super) async fn load_rows(
        &self,
        course: &mut Course,
        (batch, room): (Batch, Room),
        job: Option<Walk>,
    ) -> Result<(), StoreError> {
        let (feed, at) = (self.feed.id.clone(), self.services.clock.now());
        let begin = self.begin_load(course);
        course.met.add(&batch);
        let load = move |cache: &mut Cache| {
            let _room = room;
            begin(cache)?;
            if let Some(walk) = job {
                cache.keep_walk(&feed, &walk)?;
            }
            Ok((cache.load(&feed, &batch, at)?, None))
        };
        self.put(course, load).await
    }

    /// Begins the load of a walk with what it brings first.
    fn begin_load(
        &self,
        course: &mut Course,
    ) -> impl FnOnce(&mut Cache) -> Result<(), StoreError> + Send + 'static {
        let (feed, run) = (self.feed.id.clone(), course.run.id);
        let opens = !std::mem::replace(&mut course.opened, true);
        let manner = Manner::of(&self.feed.keeping, true);
        move |cache| if opens { cache.begin_load(&feed, run, manner) } else { Ok(()) }
    }

    /// Joins a load that was too large for one step: the live table is written anew first.
    pub(super) async fn join_large(
        &self,
        course: &mut Course,
        stop: &CancellationToken,
    ) -> Result<(), Trouble> {
        match course.settled.take() {
            Some(Settled::Large(closing, odd)) => {
                self.services.write_anew(&self.feed.id, stop).await?;
                let join = move |cache: &mut Cache| closing.join(cache, odd);
                course.settle(self.services.store.cache.call_alone(join).await?);
            }
            settled => course.settled = settled,
        }
        Ok(())
    }

    /// Whether a walk to its end brings all there is, so that what it lacks is gone: a snapshot; a full read of a feed of which
    /// the configuration says that such a read finds what is gone; and one of what is followed by delta links, which begins with all of it, by their contract (`OData` 4.01 part 1, section 11.3). Behind a lost
    /// link nobody tells any more what was deleted meanwhile.
    pub(super) fn is_all(&self, request: &Request, course: &Course) -> bool {
        let by = request.incremental.as_ref().map(|incremental| &incremental.by);
        match self.feed.keeping.mode {
            Mode::Snapshot => true,
            Mode::Incremental => {
                course.errand.scope == Scope::Full
                    && (matches!(by, Some(By::Delta(_))) || request.sweep.is_some())
            }
            Mode::Append => false,
        }
    }

    /// What decides about the load that a walk to its end makes.
    fn closing(&self, request: &Request, course: &mut Course, kept: &Kept, alone: bool) -> Closing {
        let keeping = &self.feed.keeping;
        let doubt = course.doubt();
        let is_all = self.is_all(request, course);
        if let Some(doubt) = doubt.filter(|_| is_all) {
            course.doubted = true;
            course.notes.push(format!("what it no longer has is not taken for gone: {doubt}"));
        }
        let (run, id) = (&course.run, self.feed.id.clone());
        Closing {
            feed: id,
            run: run.id,
            at: kept.at,
            is_truth: is_all && doubt.is_none(),
            landing: self.landing(request, course),
            errand: course.errand.clone(),
            brake: keeping.brake,
            earlier: std::mem::take(&mut course.earlier),
            declared: course.declared,
            outside: run.outside(),
            last: Last {
                cursor: None,
                validators: Self::validators(request, course, kept, alone)
                    .filter(|_| doubt.is_none()),
                reason: if course.full { "full read" } else { "read to the end" },
                actor: course.errand.actor.clone(),
                ended: Ended {
                    run: run.id,
                    pages: run.pages,
                    bytes: run.bytes,
                    counts: Counts::default(),
                    event_at: self.event_at(request, course),
                    confirmed: course.confirmed_cursor(),
                    look: None,
                    declared: Some(self.declared),
                    spelling: course.spelling,
                },
            },
        }
    }

    /// The position behind a page, to be committed with its rows.
    fn page_end(
        &self,
        request: &Request,
        course: &Course,
        kept: &Kept,
        behind: Behind,
    ) -> impl FnOnce(Counts) -> PageEnd + Send + 'static {
        let Kept { pages, at, .. } = *kept;
        let (run, full, bytes) = (course.run.id, course.full, course.run.bytes);
        let (own_pages, balance) = (course.run.pages, course.run.outside());
        let (since, best, began_at) = (course.since.clone(), course.best.clone(), course.began_at);
        let actor = course.errand.actor.clone();
        let last = match &behind {
            Behind::Last { alone } => Some((
                self.landing(request, course),
                Self::validators(request, course, kept, *alone),
                self.event_at(request, course),
            )),
            _ => None,
        };
        let confirmed = course.confirmed_cursor();
        let (stood, ours, spelling) = (course.declared, self.declared, course.spelling);
        let judged = course.scale(&self.feed);
        let next = match behind {
            // Our own words always make JSON.
            Behind::More(next) => {
                serde_json::to_value(next).ok().filter(|next| self.may_keep(next))
            }
            _ => None,
        };
        move |cached| {
            let counts = balance.with(cached);
            // Where every row of all there is was refused, nothing of it is done with: the cursor stays.
            let held = since.is_none() && cached.received == 0 && balance.refused > 0;
            match (next, last) {
                (Some(next), _) => PageEnd::More(Walk {
                    run,
                    began_at,
                    at,
                    full,
                    since,
                    best,
                    next,
                    pages,
                    bytes,
                    counts,
                }),
                (None, None) => PageEnd::Broken,
                (None, Some(_)) if matches!(judged(&counts), Verdict::Hold(_)) => PageEnd::Broken,
                (None, Some(_)) if held => PageEnd::Broken,
                (None, Some((landing, validators, event_at))) => {
                    let Landed { cursor, stay, look } = landing.of(&counts);
                    let validators = validators.filter(|_| stay.is_none());
                    // It speaks of what lies before the cursor.
                    let declared = if stay.is_some() { stood } else { Some(ours) };
                    let pages = own_pages;
                    PageEnd::Last(Last {
                        cursor,
                        validators: validators.map(|known| known.of(counts.received)),
                        reason: if full { "full read" } else { "read to the end" },
                        actor,
                        ended: Ended {
                            run,
                            pages,
                            bytes,
                            counts,
                            event_at,
                            confirmed,
                            look,
                            declared,
                            spelling,
                        },
                    })
                }
            }
        }
    }

    /// Whether where a walk goes on may be kept: a token or a URL in which the partner repeats a secret of ours is good for this
    /// run alone.
    fn may_keep(&self, next: &Value) -> bool {
        self.source.mask().is_none_or(|mask| !mask.is_in(&next.to_string()))
    }

    /// What tells next time that nothing changed: not behind a walk that left rows in quarantine, or one of all there is that
    /// lacked some of it by the partner's own count.
    fn validators(
        request: &Request,
        course: &Course,
        kept: &Kept,
        alone: bool,
    ) -> Option<Validators> {
        if !kept.clean || course.doubted && course.since.is_none() {
            return None;
        }
        let one_page = alone && request.changed.is_none() && page::fits_one_page(request);
        let mark = course.mark.clone();
        mark.or_else(|| one_page.then(|| page::validators(&kept.answer, kept.url, kept.rows)))
    }

    /// What decides where the cursor goes behind a walk that was read to its end.
    pub(super) fn landing(&self, request: &Request, course: &Course) -> Landing {
        course.landing(request, self.moved(request, course), self.is_fresh(request, course))
    }

    /// Where it goes if every page joined.
    fn moved(&self, request: &Request, course: &Course) -> Option<String> {
        let incremental = request.incremental.as_ref()?;
        if course.seen.ignored > 0 {
            // Nobody knows what the answers that were left out would have held.
            return course.stood.clone();
        }
        let began_at = self.there(course.told_from());
        match incremental.by {
            By::Clock => {
                // Never back: a clock that was set is no reason to lose our place.
                let since = course.since.as_deref().and_then(|since| since.parse().ok());
                Some(since.map_or(began_at, |since| began_at.max(since)).to_string())
            }
            By::Token(_) | By::Delta(_) => {
                let handle = course.handle.clone();
                let kept = handle.filter(|handle| !self.source.repeats_ours(handle));
                kept.or_else(|| course.since.clone())
            }
            By::Field(_) | By::Here { .. } => {
                let since = course.since.as_deref();
                let Some(rule) = self.rule() else { return course.since.clone() };
                let best = course.seen.greatest.believed(&rule, since, began_at).best;
                let moved = rule.moved(since, best, began_at);
                // A stretch of time that was read to its end is done with, whether or not it held records; what the partner
                // sent beyond it is not.
                match (course.horizon, &incremental.window) {
                    (Some(horizon), Some(window)) => {
                        // What its answers have told of its clock meanwhile counts too, but for what any measure is off by.
                        let zone = &incremental.writing.zone;
                        let known = self.horizon(window, zone, course.told_from());
                        let is_off = horizon.duration_since(known) <= JITTER;
                        let horizon = if is_off { horizon } else { horizon.min(known) };
                        let stood = course.since.as_deref().and_then(|since| since.parse().ok());
                        Some(stood.map_or(horizon, |stood| horizon.max(stood)).to_string())
                    }
                    _ => moved,
                }
            }
        }
    }

    /// Whether a record was changed since the walk began, by the partner's clock; `None`: the cursor is no time, so that
    /// nobody knows.
    fn is_fresh(&self, request: &Request, course: &Course) -> Option<bool> {
        if request.incremental.is_none() {
            return Some(false);
        }
        let newest = self.rule()?.event_at(course.best.as_deref())?;
        Some(newest >= self.there(course.told_from()))
    }

    /// The newest time inside the data that is not to come, where the cursor is one.
    pub(super) fn event_at(&self, request: &Request, course: &Course) -> Option<Timestamp> {
        request.incremental.as_ref()?;
        let rule = self.rule()?;
        let newest = rule.event_at(course.best.as_deref())?;
        let began_at = self.there(course.began_at);
        if newest <= began_at {
            return Some(newest);
        }
        let since = course.since.as_deref();
        rule.event_at(course.seen.greatest.believed(&rule, since, began_at).best.as_deref())
    }
}

/// What is said of a snapshot in which records moved.
const GONE_IN_DOUBT: &str =
    "what it no longer has is not taken for gone: records moved while it was read";

/// Where a walk stands of which nothing has been kept yet.
fn walk_of(course: &Course, kept: &Kept, next: &Next) -> Walk {
    Walk {
        run: course.run.id,
        began_at: course.began_at,
        at: kept.at,
        full: course.full,
        since: course.since.clone(),
        best: course.best.clone(),
        // Our own words always make JSON.
        next: serde_json::to_value(next).unwrap_or_default(),
        pages: kept.pages,
        bytes: course.run.bytes,
        counts: Counts::default(),
    }
}

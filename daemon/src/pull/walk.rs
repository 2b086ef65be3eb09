//! The walk of one run: leg after leg, page after page, each page kept with the position behind it.
//!
//! A leg is a stretch that is asked for on its own: all there is, what changed in a time, or what belongs to one record
//! of another feed. Most feeds have one.

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    health::{PollResult, Reason},
    request::{Bound, By, Missing, Request},
    store::{
        StoreError,
        cache::{Position, Validators},
    },
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    Errand, Head, Puller,
    keep::{Behind, Pending},
    notes::{self, Seen},
    page::Page,
};
use crate::{
    run::{Ending, Run},
    source::{
        asking::{Asker, Leg},
        fault::FetchError,
        http::Answer,
        walk::{Ask, Onward, Stand, WalkError, Walker},
    },
    trouble::Trouble,
};

/// How long what a partner gave us to go on with is tried, once nothing comes of it any more.
const WALK_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Why a walk that went well moves no cursor.
const MOVED: &str = "records moved while they were read, and numbered pages do not show whether one slipped between two of \
    them: the cursor stays, the next run reads from there again; page by offset or by cursor if this goes on";

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
}

/// One walk under way.
pub(super) struct Course {
    pub(super) run: Run,
    pub(super) errand: Errand,
    pub(super) of: u64,
    /// Where the cursor stands in the bank, whatever is asked for.
    pub(super) stood: Option<String>,
    /// The cursor when the walk began.
    pub(super) since: Option<String>,
    pub(super) best: Option<String>,
    /// What the partner gave us to hand back next time.
    pub(super) handle: Option<String>,
    /// When the walk began, in an earlier run perhaps.
    pub(super) began_at: Timestamp,
    pub(super) leg: Leg,
    pub(super) legs: u64,
    pub(super) horizon: Option<Timestamp>,
    /// Answers that had no records because of their status.
    refused_legs: u64,
    /// The partner's mark of change when the walk began.
    pub(super) mark: Option<Validators>,
    pub(super) slips: Slips,
    pub(super) pending: Pending,
    /// What somebody should know of a walk that went well.
    pub(super) notes: Vec<String>,
    pub(super) seen: Seen,
    /// When the walk that is gone on with last came on.
    resumed: Option<Timestamp>,
}

/// Whether a record may have slipped between two pages of a walk that ended well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slips {
    /// The partner had fewer of them while it was read: see [`Walker::is_in_doubt`].
    dipped: bool,
    /// Nothing shows that its pages join: see [`Walker::is_blind`].
    blind: bool,
}

impl Slips {
    /// Heeds a leg that was read to its end.
    fn heed(&mut self, walker: &Walker<'_>) {
        self.dipped |= walker.is_in_doubt();
        self.blind |= walker.is_blind();
    }

    /// Whether the cursor must stay where it is. `fresh`: something was changed since the walk began; if `duplicates` came
    /// too, it moved while it was read.
    pub(super) fn holds(self, fresh: bool, duplicates: u64) -> bool {
        self.dipped || self.blind && fresh && duplicates > 0
    }
}

/// Whether a page holds anything new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    New,
    /// Nothing, and what follows is older still.
    Old,
}

impl Puller {
    /// The walk itself: from where an earlier one stopped, or from the cursor, or from the beginning.
    pub(super) async fn walk(
        &mut self,
        request: &Request,
        errand: Errand,
        run: Run,
        position: Position,
        head: Head,
        stop: &CancellationToken,
    ) -> (Run, Result<Ending, Trouble>) {
        let of = self.url_hash(&self.source.http.base_url);
        let resumed = position.walk.as_ref().filter(|_| !errand.full).and_then(|walk| {
            let next: Next = serde_json::from_value(walk.next.clone()).ok()?;
            (next.of == of).then(|| (walk.clone(), next))
        });
        if let (None, Some(walk)) = (&resumed, &position.walk)
            && request.export.is_some()
        {
            self.take_back_of(request, walk).await;
            if let Err(error) = self.forget_walk().await {
                return (run, Err(error.into()));
            }
        }
        let full = errand.full || resumed.as_ref().is_some_and(|(walk, _)| walk.full);
        let began_at = resumed.as_ref().map_or(run.start.at, |(walk, _)| walk.began_at);
        let mut course = Course {
            run,
            errand: Errand { full, ..errand },
            of,
            stood: position.cursor.clone(),
            since: if full { None } else { position.cursor.clone() },
            best: None,
            handle: None,
            began_at,
            leg: Leg::default(),
            legs: 1,
            horizon: None,
            refused_legs: 0,
            mark: head.mark,
            slips: Slips::default(),
            pending: Pending::new(),
            notes: Vec::new(),
            seen: Seen::default(),
            resumed: resumed.as_ref().map(|(walk, _)| walk.at),
        };
        let (walker, ask) = match resumed {
            Some((walk, next)) => {
                course.since = walk.since;
                course.best = walk.best;
                (course.leg, course.legs, course.horizon) = (next.leg, next.legs, next.horizon);
                (course.refused_legs, course.seen) = (next.refused_legs, next.seen);
                let (walker, ask) =
                    Walker::resume(request, walk.pages, next.rows, next.stand, next.ask);
                (walker, Some(ask))
            }
            None => (Walker::new(request), None),
        };
        let ended = self.pages(request, &mut course, walker, ask, head.answer, stop).await;
        let settled = self.settle(&mut course).await;
        (course.run, ended.and_then(|ending| settled.map(|()| ending).map_err(Trouble::from)))
    }

    async fn pages(
        &mut self,
        request: &Request,
        course: &mut Course,
        mut walker: Walker<'_>,
        ask: Option<Ask>,
        first: Option<Answer>,
        stop: &CancellationToken,
    ) -> Result<Ending, Trouble> {
        let (base, feed) = (self.source.http.base_url.clone(), std::sync::Arc::clone(&self.feed));
        let asker = Asker::new(&base, &feed, request);
        let mut ask = match ask {
            Some(ask) => ask,
            None => match self.begin(request, course).await? {
                None => Ask::First,
                Some(ending) => return Ok(ending),
            },
        };
        let id = course.run.id;
        let mut read =
            self.fetch(id, walker.pages + 1, &asker, &course.leg, &ask, first, stop).await;
        loop {
            let mut page = match read {
                Ok(page) => page,
                Err(trouble) => {
                    if !self.begins_anew(request, course, (&asker, &ask), &trouble).await? {
                        return Err(trouble);
                    }
                    walker = Walker::new(request);
                    ask = Ask::First;
                    read = self.fetch(id, 1, &asker, &course.leg, &ask, None, stop).await;
                    continue;
                }
            };
            self.report(self.pace(&page.answer), None).await;
            let onward = self.onward(request, course, &mut walker, &ask, &mut page).await;
            let onward = onward.and_then(|next| checked(&asker, course, &ask, next));
            let behind = match &onward {
                Ok(Some((leg, ask))) => Behind::More(Box::new(Next {
                    ask: ask.clone(),
                    of: course.of,
                    leg: leg.clone(),
                    rows: walker.rows,
                    stand: walker.stand().clone(),
                    refused_legs: course.refused_legs,
                    legs: course.legs,
                    horizon: course.horizon,
                    seen: course.seen.clone(),
                })),
                Ok(None) => Behind::Last { alone: walker.pages == 1 },
                Err(_) => Behind::Broken,
            };
            let next = match onward {
                Ok(Some(next)) => next,
                Ok(None) => {
                    self.keep(request, course, page, walker.pages, behind).await?;
                    self.clear_away(&asker, &ask).await;
                    self.delete_orphans(request, course).await?;
                    return self.ending(request, course);
                }
                Err(error) => {
                    self.keep(request, course, page, walker.pages, behind).await?;
                    self.take_back(&asker, &ask).await;
                    let error = Trouble::from(error);
                    let error = error.rewritten(|text| self.source.clean(None, text));
                    self.report(error.result(), Some(error.text())).await;
                    return Err(error);
                }
            };
            let (leg, next) = next;
            let fetch = self.fetch(id, walker.pages + 1, &asker, &leg, &next, None, stop);
            let keep = self.keep(request, course, page, walker.pages, behind);
            let following = if matches!(next, Ask::Job(_)) {
                // Kept before anything comes of it: what was ordered is not ordered again.
                keep.await?;
                fetch.await
            } else {
                // While one page is kept, the next is fetched and read.
                let (kept, following) = tokio::join!(keep, fetch);
                kept?;
                following
            };
            course.leg = leg;
            (ask, read) = (next, following);
        }
    }

    /// Where the walk goes behind a page, which is looked through first; `None`: it was the last.
    async fn onward(
        &self,
        request: &Request,
        course: &mut Course,
        walker: &mut Walker<'_>,
        ask: &Ask,
        page: &mut Page,
    ) -> Result<Option<(Leg, Ask)>, WalkError> {
        if let Some(job) = page.job.take() {
            return Ok(Some((course.leg.clone(), job)));
        }
        let facts = page.facts(&self.source, walker.overlaps());
        course.refused_legs += u64::from(page.answer.nothing || page.said.failed.is_some());
        course.seen.answer(&page.said);
        if let Some(handle) = page.said.handle.text() {
            course.handle = Some(handle.to_owned());
        }
        let onward = walker.next(ask, &facts);
        page.forget(walker.repeats());
        if self.look_through(request, course, page, (ask, &*walker))? == News::Old {
            return Ok(None);
        }
        match onward? {
            Onward::Page(next) => Ok(Some((course.leg.clone(), next))),
            Onward::Split => {
                course.slips.heed(walker);
                let best = course.best.clone();
                if best.is_none() || best == course.leg.since {
                    return Err(WalkError::NoSplit { most: walker.stand().rows });
                }
                walker.begin_leg();
                let inclusive =
                    request.incremental.as_ref().is_some_and(|i| i.bound == Bound::Inclusive);
                let boundary = best.clone().filter(|_| inclusive);
                Ok(Some((Leg { since: best, boundary, ..course.leg.clone() }, Ask::First)))
            }
            Onward::End => {
                course.slips.heed(walker);
                if let Some((from, to)) = walker.shifted() {
                    course.notes.push(format!(
                        "the total changed from {from} to {to} while it was read; records that moved meanwhile come with the next run"
                    ));
                } else if let Some((said, got)) = walker.contradicted() {
                    course.notes.push(format!(
                        "the partner says that there are {said} and gave {got}; compare the two, and tell the partner"
                    ));
                }
                let leg = self.leg_after(request, course).await?;
                let most = request.pagination.max_pages;
                if leg.is_some() && walker.pages >= most {
                    return Err(WalkError::TooMany { most });
                }
                if leg.is_some() {
                    walker.begin_leg();
                    course.legs += 1;
                }
                Ok(leg.map(|leg| (leg, Ask::First)))
            }
        }
    }

    /// Takes from a page's rows what moves the cursor, and passes over those that the feed leaves out.
    fn look_through(
        &self,
        request: &Request,
        course: &mut Course,
        page: &mut Page,
        (ask, walker): (&Ask, &Walker<'_>),
    ) -> Result<News, WalkError> {
        let (Some(incremental), Some(rule)) = (&request.incremental, self.rule()) else {
            return Ok(News::New);
        };
        let batch = &page.piece.batch;
        if let (Some(boundary), Ask::First) = (&course.leg.boundary, ask)
            && page.piece.refused.is_empty()
            && !rule.holds(batch, boundary)
        {
            return Err(WalkError::LeftOut);
        }
        if incremental.split.is_some()
            && !walker.is_going_back()
            && let (Some(before), Some(least)) = (&course.best, rule.least(batch))
            && rule.compare(&least, before).is_lt()
        {
            // What lies between would be lost where the walk is split.
            return Err(WalkError::Unsorted { page: walker.pages });
        }
        course.best = rule.best(course.best.take(), batch);
        course.seen.greatest.take(&rule, batch);
        if incremental.missing == Missing::Include {
            course.seen.timeless += rule.without_value(batch);
        }
        let old = page.is_old(&rule, course.leg.since.as_deref());
        page.filter(&rule, course.leg.since.as_deref());
        let ends = matches!(incremental.by, By::Here { newest_first: true, .. });
        Ok(if old && ends { News::Old } else { News::New })
    }

    /// What becomes of a walk in trouble. True: the partner no longer keeps what it gave us, and everything is read again.
    async fn begins_anew(
        &mut self,
        request: &Request,
        course: &mut Course,
        (asker, ask): (&Asker<'_>, &Ask),
        trouble: &Trouble,
    ) -> Result<bool, Trouble> {
        let incremental = request.incremental.as_ref();
        if let (
            Trouble::Fetch(FetchError::Gone { status, .. }),
            Some(_),
            Some(By::Delta(_) | By::Token(_)),
        ) = (trouble, &course.since, incremental.map(|incremental| &incremental.by))
        {
            course.notes.push(format!(
                "the partner no longer keeps the changes since our last read ({status}): everything was read again, but \
                 what it deleted in between is not known and stays"
            ));
            (course.since, course.best, course.handle) = (None, None, None);
            course.errand.full = true;
            course.leg = Leg::default();
            return Ok(true);
        }
        self.report(trouble.result(), Some(trouble.text())).await;
        let now = self.services.clock.now();
        let failed = matches!(trouble, Trouble::Fetch(FetchError::Final { .. }));
        if request.export.is_some() && failed
            || course.resumed.is_some_and(|at| is_dead(at, course, trouble, now))
        {
            // What it gave us to go on with has died: the next run begins anew.
            self.take_back(asker, ask).await;
            self.forget_walk().await?;
        }
        if let (Trouble::Fetch(FetchError::Gone { status, .. }), Some(since)) =
            (trouble, &course.leg.since)
        {
            return Err(Trouble::CursorLost { since: since.clone(), status: *status });
        }
        Ok(false)
    }

    fn ending(&self, request: &Request, course: &mut Course) -> Result<Ending, Trouble> {
        if request.each.is_some() && course.refused_legs >= course.legs {
            let what = format!(
                "the partner has nothing for any of {} records of the other feed",
                course.legs
            );
            return Err(Trouble::Fetch(FetchError::of(
                Reason::Http4xx,
                &self.source.http.base_url,
                &what,
            )));
        }
        course.notes.extend(course.seen.notes(request));
        let counts = course.run.counts();
        if course.slips.holds(self.is_fresh(request, course), counts.duplicate) {
            course.notes.push(MOVED.to_owned());
        }
        course.notes.extend(self.doubt(request, course));
        let notes = (!course.notes.is_empty()).then(|| course.notes.join("; "));
        if self.columns.known().is_none() {
            let what = crate::decode::DecodeError::Nothing.to_string();
            return Ok(Ending::unchanged(joined(Some(what), notes)));
        }
        let event_at = self.event_at(request, course);
        let ending = if course.since.is_none() {
            Ending::of_whole(&counts)
        } else {
            Ending::of_balance(&counts)
        };
        Ok(Ending { reason: joined(ending.reason, notes), event_at, ..ending })
    }

    /// What is said of a value that the cursor does not follow.
    fn doubt(&self, request: &Request, course: &Course) -> Option<String> {
        let (rule, incremental) = (self.rule()?, request.incremental.as_ref()?);
        let since = course.since.as_deref();
        let belief = course.seen.greatest.believed(&rule, since, self.there(course.began_at));
        notes::doubt(&rule, incremental.by.field()?, &belief)
    }

    async fn forget_walk(&self) -> Result<(), StoreError> {
        let id = self.feed.id.clone();
        self.services.store.cache.call(move |cache| cache.forget_walk(&id)).await
    }

    pub(super) async fn report(&self, result: PollResult, detail: Option<String>) {
        self.services.report_health(&self.source.id, result, detail).await;
    }
}

fn joined(reason: Option<String>, notes: Option<String>) -> Option<String> {
    match (reason, notes) {
        (Some(reason), Some(notes)) => Some(format!("{reason}; {notes}")),
        (reason, notes) => reason.or(notes),
    }
}

/// Where the walk goes, made sure of before anything is kept of it: what leads nowhere, or elsewhere, is not stored.
fn checked(
    asker: &Asker<'_>,
    course: &mut Course,
    ask: &Ask,
    next: Option<(Leg, Ask)>,
) -> Result<Option<(Leg, Ask)>, WalkError> {
    if let (None, Some(handle), true) = (&next, &course.handle, asker.has_delta()) {
        course.handle = Some(asker.delta(handle)?);
    }
    let Some((leg, next)) = next else { return Ok(None) };
    let next = asker.onward(&course.leg, ask, next)?;
    asker.call(&leg, &next)?;
    Ok(Some((leg, next)))
}

/// Whether a walk that was gone on with leads nowhere any more: the partner refuses what it gave us itself, or nothing
/// has come of it for too long.
fn is_dead(walked_at: Timestamp, course: &Course, trouble: &Trouble, now: Timestamp) -> bool {
    let refused = matches!(
        trouble,
        Trouble::Fetch(FetchError::Final { .. } | FetchError::Gone { .. }) | Trouble::Decode { .. }
    );
    let ours = trouble.reason().is_some_and(Reason::is_local);
    let old = now.duration_since(walked_at) > WALK_LIFE;
    course.run.pages == 0 && !ours && !trouble.is_no_failure() && (refused || old)
}

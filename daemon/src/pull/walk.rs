//! The walk of one run: leg after leg, page after page, each page kept with the position behind it.
//!
//! A leg is a stretch that is asked for on its own: all there is, what changed in a time, or what belongs to one record
//! of another feed. Most feeds have one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use marsad_shared::{
    clock::plus,
    feed::Feed,
    health::{PollResult, Reason},
    request::{By, Each, Incremental, Request},
    store::{StoreError, cache::Position},
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

use super::{Errand, Puller, keep::Behind, page::Page};
use crate::{
    run::{Ending, Run},
    source::{
        asking::{Asker, Leg},
        cursor::{CursorRule, behind},
        fault::FetchError,
        http::Answer,
        walk::{Ask, Onward, WalkError, Walker},
    },
    trouble::Trouble,
};

/// How long what a partner gave us to go on with is tried, once nothing comes of it any more.
const WALK_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Where a walk stands, in its own words: what is kept behind a [`marsad_shared::store::cache::Walk`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Next {
    pub(super) ask: Ask,
    /// What was asked for, as a hash: a walk of another request is not gone on with.
    pub(super) of: u64,
    pub(super) leg: Leg,
    /// Records so far, of the whole walk and of this leg.
    pub(super) rows: u64,
    pub(super) leg_rows: u64,
    /// Legs so far, with this one.
    pub(super) legs: u64,
    /// Until when it is read, of a feed that is asked for by stretches of time.
    pub(super) horizon: Option<Timestamp>,
}

/// One walk under way.
pub(super) struct Course {
    pub(super) run: Run,
    pub(super) errand: Errand,
    pub(super) of: u64,
    /// The cursor when the walk began.
    pub(super) since: Option<String>,
    pub(super) best: Option<String>,
    /// What the partner gave us to hand back next time.
    pub(super) handle: Option<String>,
    /// When the walk began, in an earlier run perhaps.
    pub(super) began_at: Timestamp,
    leg: Leg,
    legs: u64,
    pub(super) horizon: Option<Timestamp>,
    /// Answers of this run that had no records because of their status.
    refused_legs: u64,
    /// What somebody should know of a walk that went well.
    pub(super) notes: Vec<String>,
    /// When the walk that is gone on with last came on.
    resumed: Option<Timestamp>,
}

impl Puller {
    /// The walk itself: from where an earlier one stopped, or from the cursor, or from the beginning.
    pub(super) async fn walk(
        &mut self,
        request: &Request,
        errand: Errand,
        run: Run,
        position: Position,
        first: Option<Answer>,
        stop: &CancellationToken,
    ) -> (Run, Result<Ending, Trouble>) {
        let of = self.request_hash(request);
        let resumed = position.walk.as_ref().filter(|_| !errand.full).and_then(|walk| {
            let next: Next = serde_json::from_value(walk.next.clone()).ok()?;
            (next.of == of).then(|| (walk.clone(), next))
        });
        let full = errand.full || resumed.as_ref().is_some_and(|(walk, _)| walk.full);
        let began_at = resumed.as_ref().map_or(run.start.at, |(walk, _)| walk.began_at);
        let mut course = Course {
            run,
            errand: Errand { full, ..errand },
            of,
            since: if full { None } else { position.cursor.clone() },
            best: None,
            handle: None,
            began_at,
            leg: Leg::default(),
            legs: 1,
            horizon: None,
            refused_legs: 0,
            notes: Vec::new(),
            resumed: resumed.as_ref().map(|(walk, _)| walk.at),
        };
        let mut walker = Walker::new(request, 0, 0);
        let ask = match resumed {
            Some((walk, next)) => {
                course.since = walk.since;
                course.best = walk.best;
                (course.leg, course.legs, course.horizon) = (next.leg, next.legs, next.horizon);
                walker = Walker::new(request, walk.pages, next.rows);
                walker.resume_leg(next.leg_rows);
                Some(next.ask)
            }
            None => None,
        };
        let ended = self.pages(request, &mut course, walker, ask, first, stop).await;
        (course.run, ended)
    }

    fn request_hash(&self, request: &Request) -> u64 {
        let base = &self.source.http.base_url;
        let Request { path, says, pagination, incremental, each, export, .. } = request;
        xxh3_64(
            format!("{base}{path}{says:?}{pagination:?}{incremental:?}{each:?}{export:?}")
                .as_bytes(),
        )
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
                Some(why) => return Ok(Ending::unchanged(Some(why.to_owned()))),
            },
        };
        let id = course.run.id;
        let mut read =
            self.fetch(id, walker.pages + 1, &asker, &course.leg, &ask, first, stop).await;
        loop {
            let mut page = match read {
                Ok(page) => page,
                Err(trouble) => {
                    if !self.begins_anew(request, course, &trouble).await? {
                        return Err(trouble);
                    }
                    walker = Walker::new(request, 0, 0);
                    ask = Ask::First;
                    read = self.fetch(id, 1, &asker, &course.leg, &ask, None, stop).await;
                    continue;
                }
            };
            self.report(self.pace(&page.answer), None).await;
            let onward = self.onward(request, course, &mut walker, &ask, &mut page).await;
            let behind = match &onward {
                Ok(Some((leg, ask))) => Behind::More(Next {
                    ask: ask.clone(),
                    of: course.of,
                    leg: leg.clone(),
                    rows: walker.rows,
                    leg_rows: walker.leg_rows(),
                    legs: course.legs,
                    horizon: course.horizon,
                }),
                Ok(None) => Behind::Last { alone: walker.pages == 1 },
                Err(_) => Behind::Broken,
            };
            let next = match onward {
                Ok(Some(next)) => next,
                Ok(None) => {
                    self.keep(request, course, page, walker.pages, behind).await?;
                    self.clear_away(&asker, &ask).await;
                    return self.ending(request, course);
                }
                Err(error) => {
                    self.keep(request, course, page, walker.pages, behind).await?;
                    let error = Trouble::from(error);
                    self.report(error.result(), Some(error.text())).await;
                    return Err(error);
                }
            };
            // While one page is kept, the next is fetched and read.
            let (leg, next) = next;
            let fetch = self.fetch(id, walker.pages + 1, &asker, &leg, &next, None, stop);
            let keep = self.keep(request, course, page, walker.pages, behind);
            let (kept, following) = tokio::join!(keep, fetch);
            kept?;
            course.leg = leg;
            (ask, read) = (next, following);
        }
    }

    /// Where the first leg begins; or why there is none.
    async fn begin(
        &self,
        request: &Request,
        course: &mut Course,
    ) -> Result<Option<&'static str>, Trouble> {
        course.leg = Leg { since: self.since(request, course.since.as_deref()), ..Leg::default() };
        if let Some(each) = &request.each {
            course.leg.parent = self.parent_after(each, None).await?;
            let nobody = course.leg.parent.is_none();
            return Ok(nobody.then_some("there is nobody to ask for yet"));
        }
        let Some(incremental) = &request.incremental else { return Ok(None) };
        if let Some(window) = &incremental.window {
            let horizon = plus_signed(course.began_at, self.source.offset());
            let horizon = horizon.checked_sub(window.settle).unwrap_or(horizon);
            // At a whole step of the partner's clock, or the next stretch would begin behind what this one leaves out.
            let horizon = whole(horizon, window.granularity);
            let since = course.leg.since.as_deref().and_then(|since| since.parse().ok());
            if since.is_some_and(|since: Timestamp| since >= horizon) {
                return Ok(Some("nothing is old enough yet to be asked for"));
            }
            course.horizon = Some(horizon);
            course.leg.until = Some(Self::end_of_window(incremental, &course.leg, horizon));
        }
        Ok(None)
    }

    fn end_of_window(incremental: &Incremental, leg: &Leg, horizon: Timestamp) -> Timestamp {
        let step = incremental.window.as_ref().and_then(|window| window.step);
        let since = leg.since.as_deref().or(incremental.start.as_deref());
        let since = since.and_then(|since| since.parse::<Timestamp>().ok());
        match (since, step) {
            (Some(since), Some(step)) => plus(since, step).min(horizon),
            _ => horizon,
        }
    }

    /// Where the walk goes behind a page, which is looked through first.
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
        let facts = page.facts();
        if page.answer.nothing {
            course.refused_legs += 1;
        }
        if let Some(handle) = page.said.handle.text() {
            course.handle = Some(handle.to_owned());
        }
        let rule = self.rule();
        let (least, before) = match &rule {
            Some(rule) => (rule.least(&page.piece.batch), course.best.clone()),
            None => (None, None),
        };
        if let Some(rule) = &rule {
            course.best = rule.best(course.best.take(), &page.piece.batch);
            let received = page.piece.rows();
            page.filter(rule, course.leg.since.as_deref());
            let nothing_new = received > 0 && page.filtered == received;
            let incremental = request.incremental.as_ref();
            if nothing_new
                && let Some(By::Here { newest_first: true, .. }) = incremental.map(|i| &i.by)
            {
                walker.pages += 1;
                return Ok(None);
            }
        }
        match walker.next(ask, &facts)? {
            Onward::Page(next) => {
                check_order(
                    request,
                    rule.as_ref(),
                    before.as_deref(),
                    least.as_deref(),
                    walker.pages,
                )?;
                Ok(Some((course.leg.clone(), next)))
            }
            Onward::Split => {
                check_order(
                    request,
                    rule.as_ref(),
                    before.as_deref(),
                    least.as_deref(),
                    walker.pages,
                )?;
                let best = course.best.clone();
                if best.is_none() || best == course.leg.since {
                    return Err(WalkError::NoSplit { most: walker.leg_rows() });
                }
                walker.begin_leg();
                Ok(Some((Leg { since: best, ..course.leg.clone() }, Ask::First)))
            }
            Onward::End => {
                if let Some((from, to)) = walker.shifted() {
                    course.notes.push(format!(
                        "the total changed from {from} to {to} while it was read; records that moved meanwhile come with the next run"
                    ));
                }
                let leg = self.leg_after(request, course).await?;
                if leg.is_some() {
                    walker.begin_leg();
                    course.legs += 1;
                }
                Ok(leg.map(|leg| (leg, Ask::First)))
            }
        }
    }

    /// The leg behind the one that was read to its end.
    async fn leg_after(
        &self,
        request: &Request,
        course: &Course,
    ) -> Result<Option<Leg>, WalkError> {
        if let (Some(each), Some(parent)) = (&request.each, &course.leg.parent) {
            let next = self.parent_after(each, Some(parent.clone())).await;
            let next = next.map_err(|error| WalkError::Parents { problem: error.to_string() })?;
            if next.is_some() && course.legs >= each.max {
                return Err(WalkError::TooManyParents { most: each.max });
            }
            return Ok(next.map(|parent| Leg { parent: Some(parent), ..course.leg.clone() }));
        }
        let (Some(incremental), Some(until), Some(horizon)) =
            (&request.incremental, course.leg.until, course.horizon)
        else {
            return Ok(None);
        };
        if until >= horizon {
            return Ok(None);
        }
        let mut leg = Leg { since: Some(until.to_string()), ..course.leg.clone() };
        leg.until = Some(Self::end_of_window(incremental, &leg, horizon));
        Ok(Some(leg))
    }

    async fn parent_after(
        &self,
        each: &Each,
        after: Option<String>,
    ) -> Result<Option<String>, StoreError> {
        let Each { feed, column, .. } = each.clone();
        self.services
            .store
            .cache
            .call(move |cache| cache.value_after(&feed, &column, after.as_deref()))
            .await
    }

    /// What becomes of a walk in trouble. True: the partner no longer keeps what it gave us, and everything is read again.
    async fn begins_anew(
        &mut self,
        request: &Request,
        course: &mut Course,
        trouble: &Trouble,
    ) -> Result<bool, Trouble> {
        let incremental = request.incremental.as_ref();
        if let (
            Trouble::Fetch(FetchError::Gone { .. }),
            Some(_),
            Some(By::Delta(_) | By::Token(_)),
        ) = (trouble, &course.since, incremental.map(|incremental| &incremental.by))
        {
            let what = "the partner no longer keeps the changes since our last read (410): everything was read again";
            course.notes.push(what.to_owned());
            (course.since, course.best, course.errand.full) = (None, None, true);
            course.leg = Leg::default();
            return Ok(true);
        }
        self.report(trouble.result(), Some(trouble.text())).await;
        let now = self.services.clock.now();
        if course.resumed.is_some_and(|at| is_dead(at, course, trouble, now)) {
            // What it gave us to go on with has died: the next run begins anew.
            self.forget_walk().await?;
        }
        if let (Trouble::Fetch(FetchError::Gone { .. }), Some(since)) = (trouble, &course.leg.since)
        {
            return Err(Trouble::CursorLost { since: since.clone() });
        }
        Ok(false)
    }

    pub(super) fn rule(&self) -> Option<CursorRule> {
        let marsad_shared::feed::Origin::Http(request) = &self.feed.origin else { return None };
        CursorRule::of(request.incremental.as_ref()?, &self.columns.known()?.layout)
    }

    /// What is asked for when the cursor stands at `cursor`.
    pub(super) fn since(&self, request: &Request, cursor: Option<&str>) -> Option<String> {
        let (incremental, cursor) = (request.incremental.as_ref()?, cursor?);
        match incremental.by {
            By::Clock => return Some(behind(cursor, incremental.lookback)),
            By::Token(_) | By::Delta(_) => return Some(cursor.to_owned()),
            By::Field(_) | By::Here { .. } => {}
        }
        // Before the columns are known the cursor is asked with as it stands: `lookback` needs its type.
        let Feed { fields, key, .. } = &*self.feed;
        let declared = || marsad_shared::record::Layout::new(fields.clone(), key).ok();
        let rule = self.rule().or_else(|| CursorRule::of(incremental, &declared()?));
        Some(rule.map_or_else(|| cursor.to_owned(), |rule| rule.since(cursor)))
    }

    fn ending(&self, request: &Request, course: &Course) -> Result<Ending, Trouble> {
        if request.each.is_some() && course.resumed.is_none() && course.refused_legs >= course.legs
        {
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
        let event_at = self.event_at(request, course);
        let counts = course.run.counts();
        let ending = if course.since.is_none() {
            Ending::of_whole(&counts)
        } else {
            Ending::of_balance(&counts)
        };
        let notes = (!course.notes.is_empty()).then(|| course.notes.join("; "));
        let reason = match (ending.reason, notes) {
            (Some(reason), Some(notes)) => Some(format!("{reason}; {notes}")),
            (reason, notes) => reason.or(notes),
        };
        Ok(Ending { reason, event_at, ..ending })
    }

    async fn forget_walk(&self) -> Result<(), StoreError> {
        let id = self.feed.id.clone();
        self.services.store.cache.call(move |cache| cache.forget_walk(&id)).await
    }

    pub(super) async fn report(&self, result: PollResult, detail: Option<String>) {
        self.services.report_health(&self.source.id, result, detail).await;
    }
}

/// A feed that is split must come in ascending order, or what lies between would be lost.
fn check_order(
    request: &Request,
    rule: Option<&CursorRule>,
    best_before: Option<&str>,
    least: Option<&str>,
    page: u64,
) -> Result<(), WalkError> {
    let splits =
        request.incremental.as_ref().is_some_and(|incremental| incremental.split.is_some());
    match (rule, best_before, least) {
        (Some(rule), Some(before), Some(least))
            if splits && rule.compare(least, before).is_lt() =>
        {
            Err(WalkError::Unsorted { page })
        }
        _ => Ok(()),
    }
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
    course.run.pages == 0 && !ours && !matches!(trouble, Trouble::Stopped) && (refused || old)
}

/// `at` moved by `by`; as far as time reaches.
pub(super) fn plus_signed(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}

/// `at` as far as whole steps reach; as it is where there are none.
fn whole(at: Timestamp, step: Duration) -> Timestamp {
    match i128::try_from(step.as_nanos()) {
        Ok(step) if step > 0 => {
            let nanoseconds = at.as_nanosecond();
            Timestamp::from_nanosecond(nanoseconds - nanoseconds.rem_euclid(step)).unwrap_or(at)
        }
        _ => at,
    }
}

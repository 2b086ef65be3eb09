//! The legs of a walk: where the first begins, and which follows one that was read to its end.

use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use marsad_shared::{
    brake::Found,
    clock::plus,
    feed::Feed,
    health::Reason,
    record::Spelling,
    request::{By, Each, Incremental, Request, Window},
    run::{Counts, Outcome},
    store::{
        StoreError,
        cache::{Cache, Orphans},
    },
};

use super::{Puller, course::Course, notes::Seen, spelling::before_second};
use crate::{
    run::Ending,
    services::Scope,
    source::{
        asking::{Leg, whole},
        cursor::{CursorRule, behind},
        fault::FetchError,
        walk::WalkError,
    },
    trouble::Trouble,
};

/// By how much a measured offset may be too large: half of the longest answer that it is measured by, and a second; and
/// [`JITTER`], by which a measure is not heeded.
const SURE: SignedDuration = SignedDuration::from_secs(8);
/// By so much two measures of one clock may differ, of answers that came at once.
pub(super) const JITTER: SignedDuration = SignedDuration::from_secs(2);
/// A clock that goes after by more than this is wrong, and stretches of time cannot be asked for by it.
const WRONG: SignedDuration = SignedDuration::from_hours(1);
/// A cursor that is later than a clock by more than this came about by one that was wrong.
const AHEAD: Duration = Duration::from_mins(1);
/// So many records are deleted in one transaction, so that nobody waits long for it.
const AT_ONCE: u32 = 5_000;

/// A time as the configuration writes it: an instant, or a day or time of that zone.
fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let civil = || {
        let at =
            text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from)).ok()?;
        zone.to_ambiguous_timestamp(at).compatible().ok()
    };
    text.parse().ok().or_else(civil)
}

impl Puller {
    /// Where the first leg begins; or why there is none.
    pub(super) async fn begin(
        &self,
        request: &Request,
        course: &mut Course,
    ) -> Result<Option<Ending>, Trouble> {
        let by_cursor = course.errand.scope == Scope::Incremental;
        if let Some(since) =
            course.since.take_if(|since| by_cursor && self.is_ahead(request, since))
        {
            course.begin_anew();
            course.notes.push(format!(
                "the cursor was at {since}, which is still to come: a clock was wrong when it was put there, and what was changed since \
                 may have been passed; everything is read again"
            ));
        }
        if by_cursor && course.since.is_some() && self.is_another(course.declared) {
            course.begin_anew();
            course.notes.push(
                "the feed is declared otherwise than when its cursor came about: everything is read again, as it is declared now"
                    .to_owned(),
            );
        }
        let spelling = course.first_spelling(request);
        let since = self.since(request, course.since.as_deref(), spelling);
        course.leg = Leg { since, spelling, ..Leg::default() };
        if let Some(each) = &request.each {
            let parent = each.feed.clone();
            let read = self.services.store.cache.call(move |cache| cache.position(&parent)).await?;
            if read.ended.is_none() {
                return Err(Trouble::NoParent(each.feed.clone()));
            }
            course.leg.parent = self.parent_after(request, each, None, &mut course.seen).await?;
            if course.leg.parent.is_some() {
                return Ok(None);
            }
            self.delete_orphans(request, course).await?;
            let what = format!("{} has no records to ask for", each.feed);
            course.notes.insert(0, what);
            return Ok(Some(Ending::unchanged(Some(course.notes.join("; ")))));
        }
        let Some(incremental) = &request.incremental else { return Ok(None) };
        if let Scope::Window { since, until } = course.errand.scope {
            let since = match incremental.by {
                By::Clock => Some(since.to_string()),
                By::Field(_) | By::Here { .. } => {
                    self.columns_rule(incremental).and_then(|rule| rule.present(since))
                }
                By::Token(_) | By::Delta(_) => None,
            };
            if since.is_none() {
                let reason = "its cursor is no time, so that no stretch of time can be asked for; read it in full: \
                    marsad resync FEED --full".to_owned();
                let outcome = Outcome::Cancelled;
                return Ok(Some(Ending { outcome, ..Ending::unchanged(Some(reason)) }));
            }
            course.since.clone_from(&since);
            course.leg.since = since;
            course.leg.until = incremental.window.as_ref().map(|_| until);
            return Ok(None);
        }
        if let Some(window) = &incremental.window {
            let horizon = self.horizon(window, &incremental.writing.zone, course.began_at);
            let since = course.leg.since.as_deref().and_then(|since| since.parse().ok());
            if since.is_some_and(|since: Timestamp| since >= horizon) {
                let after = course.began_at.duration_since(horizon);
                if self.source.offset() < -WRONG {
                    let what = format!(
                        "its clock goes {} s after ours: no time can be asked for that we have not had",
                        after.as_secs()
                    );
                    let base = &self.source.http.base_url;
                    return Err(FetchError::of(Reason::RemoteFault, base, &what).into());
                }
                let reason = "nothing is old enough yet to be asked for".to_owned();
                return Ok(Some(Ending::unchanged(Some(reason))));
            }
            course.horizon = Some(horizon);
            course.leg.until = Some(Self::end_of_window(incremental, &course.leg, horizon));
        }
        Ok(None)
    }

    /// Until when a walk that began at `began_at` may read, as far as the partner's clock is known: at a whole step of that, or
    /// the next stretch would begin behind what this one leaves out.
    pub(super) fn horizon(
        &self,
        window: &Window,
        zone: &TimeZone,
        began_at: Timestamp,
    ) -> Timestamp {
        let horizon = self.there(began_at);
        let horizon = horizon.checked_sub(window.settle).unwrap_or(horizon);
        whole(horizon, window.granularity, zone)
    }

    fn end_of_window(incremental: &Incremental, leg: &Leg, horizon: Timestamp) -> Timestamp {
        let step = incremental.window.as_ref().and_then(|window| window.step);
        let since = leg.since.as_deref().or(incremental.start.as_deref());
        let since = since.and_then(|since| instant(since, &incremental.writing.zone));
        match (since, step) {
            (Some(since), Some(step)) => plus(since, step).min(horizon),
            _ => horizon,
        }
    }

    /// A time of ours at the partner's clock, surely not later than it is there, nor than it is here: an offset is measured
    /// within a few seconds ([`SURE`]), and a clock that runs ahead, perhaps for a moment, takes no cursor with it.
    pub(super) fn there(&self, at: Timestamp) -> Timestamp {
        let offset = (self.source.offset() - SURE).min(SignedDuration::ZERO);
        at.checked_add(offset).unwrap_or(at)
    }

    /// The leg behind the one that was read to its end.
    pub(super) async fn leg_after(
        &self,
        request: &Request,
        course: &mut Course,
    ) -> Result<Option<Leg>, WalkError> {
        if let (Some(each), Some(parent)) = (&request.each, &course.leg.parent) {
            let after = Some(parent.clone());
            let next = self.parent_after(request, each, after, &mut course.seen).await;
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
        let since = Some(until.to_string());
        let mut leg = Leg { since, boundary: None, ..course.leg.clone() };
        leg.until = Some(Self::end_of_window(incremental, &leg, horizon));
        Ok(Some(leg))
    }

    /// Behind a walk that asked for every parent: the records of those that were deleted go with them, where the feed says so.
    ///
    /// # Errors
    /// [`StoreError::Braked`] if they are too many to go by themselves.
    pub(super) async fn delete_orphans(
        &self,
        request: &Request,
        course: &mut Course,
    ) -> Result<(), StoreError> {
        let Some(Each { feed: parent, column, delete_by: Some(by), .. }) = &request.each else {
            return Ok(());
        };
        let (feed, parent) = (self.feed.id.clone(), parent.clone());
        let keeps_past = self.feed.keeping.history.is_some();
        let (by, column) = (by.clone(), column.clone());
        let orphans = Orphans { feed, by, keeps_past, parent, column };
        let (run, at) = (course.run.id, self.services.clock.now());
        let counted = orphans.clone();
        let count = self.services.store.cache.call(move |cache| cache.count_orphans(&counted));
        let (orphaned, now) = count.await?;
        // With what the walk itself has deleted.
        let Counts { inserted, deleted, absent, .. } = course.run.cached;
        let lived = (now + deleted + absent).saturating_sub(inserted);
        let found = course.before.found(lived, deleted + orphaned);
        let found = Found { absent, ..found };
        let brake = self.feed.keeping.brake;
        if let Some(why) = brake.deletes_too_many(&found).filter(|_| !course.errand.free) {
            return Err(StoreError::Braked(format!(
                "{why}: their records in the other feed are deleted; ask the partner, and if that is right: marsad run release {run}"
            )));
        }
        let mut all = 0;
        loop {
            let orphans = orphans.clone();
            let delete = move |cache: &mut Cache| cache.delete_orphans(&orphans, run, at, AT_ONCE);
            let deleted = self.services.store.cache.call(delete).await?;
            all += deleted;
            if deleted < u64::from(AT_ONCE) {
                break;
            }
        }
        if all > 0 {
            course.stands = None;
            course.run.cached.absent += all;
            course
                .notes
                .push(format!("{all} records were deleted, whose record in the other feed is"));
        }
        Ok(())
    }

    /// The next parent to ask for. One that names nothing where it would stand in the path is passed over, and seen.
    async fn parent_after(
        &self,
        request: &Request,
        each: &Each,
        mut after: Option<String>,
        seen: &mut Seen,
    ) -> Result<Option<String>, StoreError> {
        let is_step = each.is_step_of(&request.path);
        loop {
            let Each { feed, column, .. } = each.clone();
            let next = move |cache: &mut Cache| cache.value_after(&feed, &column, after.as_deref());
            let next = self.services.store.cache.call(next).await?;
            match next {
                Some(parent) if is_step && matches!(&*parent, "" | "." | "..") => {
                    seen.nameless += 1;
                    after = Some(parent);
                }
                next => return Ok(next),
            }
        }
    }

    pub(super) fn rule(&self) -> Option<CursorRule> {
        let marsad_shared::feed::Origin::Http(request) = &self.feed.origin else { return None };
        CursorRule::of(request.incremental.as_ref()?, &self.columns.known()?.layout)
    }

    /// The rule, as far as the columns are known, or declared.
    fn columns_rule(&self, incremental: &Incremental) -> Option<CursorRule> {
        let Feed { fields, key, .. } = &*self.feed;
        let declared = || marsad_shared::record::Layout::new(fields.clone(), key).ok();
        self.rule().or_else(|| CursorRule::of(incremental, &declared()?))
    }

    /// Whether a cursor is a time that is still to come, and by more than is read again anyway. None is put there but by a clock
    /// that was wrong: nothing would be read until that time has come, nor, ever, what was changed before.
    pub(super) fn is_ahead(&self, request: &Request, cursor: &str) -> bool {
        self.is_behind(request, cursor, self.services.clock.now())
    }

    /// Whether the partner's clock stands before the cursor, where it stood once: what it dates until it is there again is
    /// not asked for.
    pub(super) fn has_gone_back(&self, request: &Request, cursor: &str) -> bool {
        self.is_behind(request, cursor, self.there(self.services.clock.now()))
    }

    /// Whether a cursor is a time that lies behind `now`, and by more than is read again anyway.
    fn is_behind(&self, request: &Request, cursor: &str, now: Timestamp) -> bool {
        let Some(incremental) = &request.incremental else { return false };
        let most = plus(now, incremental.lookback.max(AHEAD));
        match incremental.by {
            By::Clock => cursor.parse().is_ok_and(|at: Timestamp| at > most),
            By::Token(_) | By::Delta(_) => false,
            By::Field(_) | By::Here { .. } => {
                let rule = self.columns_rule(incremental).filter(CursorRule::is_time);
                rule.is_some_and(|rule| match instant(cursor, &incremental.writing.zone) {
                    Some(at) => at > most,
                    // A number of seconds, or whatever else the partner writes.
                    None => rule.is_after(cursor, most),
                })
            }
        }
    }

    /// Whether the records behind a cursor were read as another declaration had it.
    pub(super) fn is_another(&self, declared: Option<u64>) -> bool {
        declared.is_some_and(|declared| declared != self.declared)
    }

    /// What is asked for when the cursor stands at `cursor`, of a partner that writes its times so.
    pub(super) fn since(
        &self,
        request: &Request,
        cursor: Option<&str>,
        spelling: Spelling,
    ) -> Option<String> {
        let (incremental, cursor) = (request.incremental.as_ref()?, cursor?);
        match incremental.by {
            By::Clock => return Some(behind(cursor, incremental.lookback)),
            By::Token(_) | By::Delta(_) => return Some(cursor.to_owned()),
            By::Field(_) | By::Here { .. } => {}
        }
        // Before the columns are known the cursor is asked with as it stands: `lookback` needs its type.
        let Some(rule) = self.columns_rule(incremental) else { return Some(cursor.to_owned()) };
        let since = rule.since(cursor);
        let is_loose = incremental.writing.is_the_partners() && spelling.is_loose();
        Some(if is_loose && rule.is_time() { before_second(&since) } else { since })
    }
}

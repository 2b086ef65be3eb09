//! Where a walk goes behind a page, which is looked through first.

use jiff::SignedDuration;
use marsad_shared::request::{Bound, By, Missing, Request};
use url::Url;

use super::{Puller, course::Course, notes, page::Page};
use crate::services::Scope;
use crate::source::{
    asking::{Asker, Leg},
    walk::{Ask, Onward, WalkError, Walker},
};

/// Whether a page holds anything new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    New,
    /// Nothing, and what follows is older still.
    Old,
}

/// So long rows without a key may come at the end of a page before they are taken for poor records.
const POOR: SignedDuration = SignedDuration::from_hours(24);

/// A page that the one before led to, and that leaves out its list, is told from the words of an error by what stands in it
/// besides: nothing that the first page had not. A feed that says itself what a good answer is (`success`) needs no such help.
fn heed_outline(
    request: &Request,
    course: &mut Course,
    ask: &Ask,
    page: &Page,
    number: u64,
) -> Result<(), WalkError> {
    let outline = &mut course.seen.outline;
    if !page.lacks || *ask == Ask::First {
        if outline.is_empty() {
            outline.clone_from(&page.outline);
        }
        return Ok(());
    }
    let is_other = page.outline.iter().any(|name| !outline.contains(name));
    if is_other && !outline.is_empty() && request.success.is_none() {
        return Err(WalkError::Unlike { page: number });
    }
    Ok(())
}

impl Puller {
    /// Where the walk goes behind a page, which is looked through first; `None`: it was the last.
    pub(super) async fn onward(
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
        heed_outline(request, course, ask, page, walker.pages + 1)?;
        let facts = page.facts(&self.source, walker);
        course.refused_legs += u64::from(page.answer.nothing || page.said.failed.is_some());
        // Where the partner led us itself, what a status says is no end of all there is.
        course.doubted |=
            page.answer.nothing && matches!(ask, Ask::Token(_) | Ask::Value(_) | Ask::Url(_));
        course.seen.answer(&page.said);
        if let Some(handle) = page.said.handle.text() {
            course.handle = Some(handle.to_owned());
        }
        if self.ends_strangely(page).await {
            course.slips.end_strangely();
        }
        let onward = walker.next(ask, &facts);
        page.forget(walker.repeats());
        if self.look_through(request, course, page, (ask, &*walker))? == News::Old {
            return Ok(None);
        }
        match onward? {
            Onward::Page(next) => {
                if next == Ask::First {
                    // The leg is read again from its beginning, and is in order from there.
                    course.best.clone_from(&course.best_before);
                }
                Ok(Some((course.leg.clone(), next)))
            }
            Onward::Split => {
                course.slips.heed_cut(walker);
                split(request, course, walker).map(Some)
            }
            Onward::End => {
                course.slips.heed(walker);
                let totals = notes::totals(walker);
                course.doubted |= totals.is_some();
                course.notes.extend(totals);
                let leg = self.leg_after(request, course).await?;
                let most = request.pagination.max_pages;
                if leg.is_some() && walker.pages >= most {
                    return Err(WalkError::TooMany { most });
                }
                if leg.is_some() {
                    course.best_before.clone_from(&course.best);
                    walker.begin_leg();
                    course.legs += 1;
                }
                Ok(leg.map(|leg| (leg, Ask::First)))
            }
        }
    }

    /// Whether a page ends with what is no record that could be told from another: it may be the words of an error, which cut it
    /// short. So may a null among its records be one that the partner could not give just then. What came a day ago too, refused
    /// for the same, is what the partner has.
    async fn ends_strangely(&self, page: &Page) -> bool {
        let refused = &page.piece.refused;
        let last = refused.last().filter(|_| page.piece.misfits.end_is_strange());
        let hole = || refused.iter().find(|row| row.original == b"null");
        let Some(odd) = last.or_else(hole) else { return false };
        let (feed, odd) = (self.feed.id.clone(), odd.clone());
        let before = self.services.clock.now() - POOR;
        let ledger = &self.services.store.ledger;
        let was = ledger.call(move |ledger| ledger.are_refused_since(&feed, &odd, before));
        // What cannot be looked up is not known.
        !was.await.unwrap_or(false)
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
        if let (Some(boundary), Ask::First) = (&course.leg.boundary, ask) {
            let here = rule.many(batch, boundary);
            if here == 0 && page.piece.refused.is_empty() {
                return Err(WalkError::LeftOut);
            }
            course.slips.ask_twice(here.min(course.at_best));
        }
        if incremental.split.is_some()
            && !walker.is_going_back()
            && !walker.is_again()
            && let (Some(before), Some(least)) = (&course.best, rule.least(batch))
            && rule.compare(&least, before).is_lt()
        {
            // What lies between would be lost where the walk is split.
            return Err(WalkError::Unsorted { page: walker.pages });
        }
        let before = course.best.clone();
        // What does not join is read again, and stands behind what comes before it then.
        if !walker.is_going_back() {
            course.best = rule.best(course.best.take(), batch);
        }
        if let (Some(_), Some(best)) = (incremental.split, &course.best) {
            let had = if course.best == before { course.at_best } else { 0 };
            course.at_best = had + rule.many(batch, best);
        }
        if !rule.is_time() && !walker.is_going_back() {
            let rose = before.is_some() && course.best != before;
            course.slips.climb(rule.sinks(before.as_deref(), batch), rose);
        }
        course.seen.greatest.take(&rule, batch, self.there(course.began_at));
        if incremental.missing == Missing::Include {
            course.seen.timeless += rule.without_value(batch);
        }
        let old = page.is_old(&rule, course.leg.since.as_deref());
        page.filter(&rule, course.leg.since.as_deref());
        if let Scope::Window { until, .. } = course.errand.scope {
            page.cut(&rule, until);
        }
        let ends = matches!(incremental.by, By::Here { newest_first: true, .. });
        Ok(if old && ends { News::Old } else { News::New })
    }
}

/// The leg that begins at the greatest value so far.
fn split(
    request: &Request,
    course: &mut Course,
    walker: &mut Walker<'_>,
) -> Result<(Leg, Ask), WalkError> {
    let best = course.best.clone();
    if best.is_none() || best == course.leg.since {
        return Err(WalkError::NoSplit { most: walker.stand().rows });
    }
    walker.begin_leg();
    course.best_before.clone_from(&best);
    let incremental = request.incremental.as_ref();
    let inclusive = incremental.is_some_and(|incremental| incremental.bound == Bound::Inclusive);
    let boundary = best.clone().filter(|_| inclusive);
    // Where a stretch has an end, what follows begins there, and is written alike.
    let known = course.spelling.filter(|_| course.leg.until.is_none());
    let spelling = known.unwrap_or(course.leg.spelling);
    Ok((Leg { since: best, boundary, spelling, ..course.leg.clone() }, Ask::First))
}

/// Where the walk goes, made sure of before anything is kept of it: what leads nowhere, or elsewhere, is not stored.
pub(super) fn checked(
    asker: &Asker<'_>,
    course: &mut Course,
    (ask, moved): (&Ask, Option<&Url>),
    next: Option<(Leg, Ask)>,
) -> Result<Option<(Leg, Ask)>, WalkError> {
    if let (None, Some(handle)) = (&next, &course.handle) {
        course.handle = Some(asker.handle(&course.leg, handle)?);
    }
    let Some((leg, next)) = next else { return Ok(None) };
    let next = asker.onward(&course.leg, ask, moved, next)?;
    asker.call(&leg, &next)?;
    Ok(Some((leg, next)))
}

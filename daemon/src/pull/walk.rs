//! The walk of one run: leg after leg, page after page, each page kept with the position behind it.
//!
//! A leg is a stretch that is asked for on its own: all there is, what changed in a time, or what belongs to one record
//! of another feed. Most feeds have one.

use std::{ops::ControlFlow, sync::Arc};

use marsad_shared::{
    brake::{SAMPLES, Verdict, Volume},
    feed::Mode,
    health::{PollResult, Reason},
    request::{By, Request},
    run::{Counts, Outcome},
    store::{StoreError, cache::Position},
};
use tokio_util::sync::CancellationToken;

use super::{
    Errand, Head, Puller,
    close::Settled,
    course::{Course, Next},
    keep::Behind,
    landing::Stay,
    notes,
    onward::checked,
    page::Page,
};
use crate::{
    run::{Ending, Run},
    services::Scope,
    source::{
        asking::Asker,
        fault::FetchError,
        http::Answer,
        walk::{Ask, Walker},
    },
    trouble::Trouble,
};

/// What a walk does not change.
pub(super) struct Trip<'a> {
    pub(super) request: &'a Request,
    pub(super) asker: &'a Asker<'a>,
    pub(super) stop: &'a CancellationToken,
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
        let resumed = position
            .walk
            .as_ref()
            .filter(|_| errand.scope == Scope::Incremental)
            .and_then(|walk| {
                let next: Next = serde_json::from_value(walk.next.clone()).ok()?;
                // What is loaded beside the live table begins anew with each run, unless nothing had come yet.
                let whole = self.feed.keeping.mode != Mode::Snapshot || walk.counts.received == 0;
                (next.of == of && whole).then(|| (walk.clone(), next))
            });
        let window = matches!(errand.scope, Scope::Window { .. });
        if let (None, Some(walk)) = (&resumed, &position.walk)
            && request.export.is_some()
            && !window
        {
            self.take_back_of(request, walk).await;
            if let Err(error) = self.forget_walk().await {
                return (run, Err(error.into()));
            }
        }
        let mut course =
            Course::begin(run, self.feed.keeping.mode, errand, of, position, head.mark);
        self.starts_over = course.is_beside();
        let (walker, ask) = match resumed {
            Some((walk, next)) => {
                course.resume(&walk, &next);
                let (walker, ask) =
                    Walker::resume(request, walk.pages, next.rows, next.stand, next.ask);
                (walker, Some(ask))
            }
            None => (Walker::new(request), None),
        };
        let ended = self.pages(request, &mut course, walker, ask, head.answer, stop).await;
        // Of one that broke off, what it had handed over counts, as far as it is in the bank; why it broke off is said already.
        let _ = self.hear_all(&mut course).await;
        if ended.is_err() && course.is_beside() && !course.joined {
            // Nothing of it is in the bank.
            course.run.cached = Counts::default();
        }
        match &ended {
            Err(trouble @ Trouble::Store(_))
                if matches!(trouble.result(), PollResult::Local(_)) =>
            {
                self.report(trouble.result(), Some(trouble.text())).await;
            }
            _ => self.tell_good(&mut course).await,
        }
        // What is committed is known; what became of anything else is read in the bank.
        self.undecided = course.doubted;
        self.position = course.stands.filter(|_| ended.is_ok());
        (course.run, ended.map(|ending| Ending { came_at: course.as_of, ..ending }))
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
        let (base, feed) = (self.source.http.base_url.clone(), Arc::clone(&self.feed));
        let asker = Asker::new(&base, &feed, request);
        let asker = if course.confirms() { asker.past_caches() } else { asker };
        let mut ask = match ask {
            Some(ask) => ask,
            None => match self.begin(request, course).await? {
                None => Ask::First,
                Some(ending) => return Ok(ending),
            },
        };
        course.ask_in_spelling(request);
        let id = course.run.id;
        let mut read =
            self.fetch(id, walker.pages + 1, &asker, &course.leg, &ask, first, stop).await;
        loop {
            let page = match read {
                Ok(page) => page,
                Err(trouble) => {
                    self.hear_all(course).await?;
                    self.tell_good(course).await;
                    if !Box::pin(self.begins_anew(request, course, (&asker, &ask), &trouble))
                        .await?
                    {
                        return Err(trouble);
                    }
                    (walker, ask) = (Walker::new(request), Ask::First);
                    let again = self.fetch(id, 1, &asker, &course.leg, &ask, None, stop);
                    read = Box::pin(again).await;
                    continue;
                }
            };
            let trip = Trip { request, asker: &asker, stop };
            match self.turn(&trip, course, &mut walker, &ask, page).await? {
                ControlFlow::Break(ending) => return Ok(ending),
                ControlFlow::Continue(next) => (ask, read) = next,
            }
        }
    }

    /// Keeps a page, and reads the one behind it: how that was asked for, and what came.
    async fn turn(
        &mut self,
        trip: &Trip<'_>,
        course: &mut Course,
        walker: &mut Walker<'_>,
        ask: &Ask,
        mut page: Page,
    ) -> Result<ControlFlow<Ending, (Ask, Result<Page, Trouble>)>, Trouble> {
        let Trip { request, asker, stop } = *trip;
        if !self.is_elsewhere(ask) {
            course.good.push_back(self.pace(&page.answer));
        }
        course.hear_age(self.services.clock.now(), page.answer.age());
        course.hear_spelling(page.piece.beside.spelling);
        let onward = self.onward(request, course, walker, ask, &mut page).await;
        let onward =
            onward.and_then(|next| checked(asker, course, (ask, page.answer.moved.as_ref()), next));
        let number = walker.pages;
        course.run.total = walker.total();
        if !matches!(onward, Ok(Some(_))) {
            self.hear_all(course).await?;
        }
        let (leg, next) = match onward {
            Ok(Some(next)) => next,
            Ok(None) => {
                let behind = Behind::Last { alone: number == 1 };
                course.earlier = self.earlier(request).await?;
                Box::pin(self.look_again(trip, course, &mut page)).await?;
                // Versions that are kept join with what replaced them, in one step that nobody can stop.
                let in_one_step = course.is_beside() && self.feed.keeping.history.is_some();
                let id = course.run.id;
                if stop.is_cancelled() || in_one_step && !self.services.cancels.is_past(id) {
                    return Err(Trouble::Stopped);
                }
                self.keep(request, course, page, number, behind).await?;
                self.join_large(course, stop).await?;
                course.notes.extend(self.clear_away(asker, ask, stop).await);
                if !matches!(course.settled, Some(Settled::Held { .. })) {
                    self.delete_orphans(request, course).await?;
                }
                return Ok(ControlFlow::Break(self.ending(request, course).await?));
            }
            Err(error) => {
                self.keep(request, course, page, number, Behind::Broken).await?;
                self.take_back(asker, ask).await;
                let error = Trouble::from(error).rewritten(|text| self.source.clean(None, text));
                self.tell_good(course).await;
                if !self.is_elsewhere(ask) {
                    self.report(error.result(), Some(error.text())).await;
                }
                return Err(error);
            }
        };
        let behind = Behind::More(Box::new(course.next(walker, &leg, &next)));
        // Apart, as all that few walks come to: most are one page, and what they are held in has to be small.
        let fetch = Box::pin(self.fetch(course.run.id, number + 1, asker, &leg, &next, None, stop));
        let keep = self.keep(request, course, page, number, behind);
        let following = if matches!(next, Ask::Job(_)) {
            // Kept before anything comes of it: what was ordered is not ordered again.
            keep.await?;
            self.hear_all(course).await?;
            fetch.await
        } else {
            // While one page is kept, the next is fetched and read.
            let (kept, following) = tokio::join!(keep, fetch);
            kept?;
            following
        };
        course.leg = leg;
        Ok(ControlFlow::Continue((next, following)))
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
            Some(by @ (By::Delta(_) | By::Token(_))),
        ) = (trouble, &course.since, incremental.map(|incremental| &incremental.by))
        {
            course.begin_anew();
            // A read of all there is is loaded beside the live table, and what this run has kept already is not.
            if matches!(by, By::Delta(_)) && course.run.pages == 0 {
                course.errand.scope = Scope::Full;
            }
            let deleted = if self.is_all(request, course) {
                "and what it no longer has is gone"
            } else {
                "but what it deleted in between is not known and stays"
            };
            course.notes.push(format!(
                "the partner no longer keeps the changes since our last read ({status}): everything was read again, {deleted}"
            ));
            return Ok(true);
        }
        if !self.is_elsewhere(ask) {
            self.report(trouble.result(), Some(trouble.text())).await;
        }
        let now = self.services.clock.now();
        let failed = matches!(trouble, Trouble::Fetch(FetchError::Final { .. }));
        if request.export.is_some() && failed || course.is_dead(trouble, now) {
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

    async fn ending(&self, request: &Request, course: &mut Course) -> Result<Ending, Trouble> {
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
        course.notes.extend(notes::ahead(course.horizon, self.source.offset()));
        if course.since.as_deref().is_some_and(|since| self.has_gone_back(request, since)) {
            course.notes.push(notes::GONE_BACK.to_owned());
        }
        let stays = course.is_swept();
        if let (Some(incremental), None, false) = (&request.incremental, &course.handle, stays) {
            course.notes.extend(notes::no_handle(&incremental.by, course.since.as_deref()));
        }
        if let Some(handle) = &course.handle
            && self.source.repeats_ours(handle)
        {
            course.notes.push(notes::REPEATS.to_owned());
        }
        let counts = course.run.counts();
        // Where every row is refused, that is said in their own words.
        let is_told = |stay: &Stay| *stay == Stay::Strange && counts.quarantined == counts.received;
        let stay = self.landing(request, course).of(&counts).stay;
        let stay = stay.filter(|stay| !stays && !is_told(stay));
        course.notes.extend(stay.map(|stay| notes::stay(stay, request)));
        if let (Some(_), true, Some(stay)) =
            (&request.incremental, course.is_by_hand() && !stays, course.slips.unproven())
        {
            course.notes.push(notes::unproven(stay, &self.feed.id));
        }
        course.notes.extend(self.doubt(request, course));
        course.notes.extend(self.lost(request, course).await?);
        let held = match course.settled.take() {
            Some(settled) => self.heed(course, settled).await?,
            None => match course.verdict(&self.feed, &counts) {
                Verdict::Free => None,
                Verdict::Odd(why) => {
                    course.notes.push(why);
                    None
                }
                Verdict::Hold(why) => {
                    let id = course.run.id;
                    let reason = format!(
                        "{why}; what came is in the bank, and nothing is gone by it; ask the partner, and if that is right: marsad run release {id}"
                    );
                    Some(Ending { waits: false, ..Ending::held(reason) })
                }
            },
        };
        course.notes.append(&mut course.run.remarks);
        course.notes.extend(course.run.beside.notes(&self.feed.cover));
        let notes = std::mem::take(&mut course.notes);
        if self.columns.known().is_none() {
            let what = crate::decode::DecodeError::Nothing.to_string();
            return Ok(Ending::unchanged(Some(what)).noting(notes));
        }
        if let Some(held) = held {
            return Ok(held.noting(notes));
        }
        let event_at = self.event_at(request, course);
        let ending = if course.since.is_none() {
            Ending::of_whole(&course.run)
        } else {
            Ending::of_balance(&counts)
        };
        Ok(Ending { event_at, ..ending.noting(notes) })
    }

    /// What became of a load: how the run ends, if it waits now. What waited before is over.
    async fn heed(
        &self,
        course: &mut Course,
        settled: Settled,
    ) -> Result<Option<Ending>, StoreError> {
        let (ending, over) = match settled {
            // None that is large is left so.
            Settled::Nothing | Settled::Large(..) => (None, None),
            Settled::Held { reason, replaced } => {
                course.doubted = true;
                (Some(Ending::held(reason)), replaced)
            }
            Settled::Braked { reason } => {
                course.doubted = true;
                (Some(Ending::held(reason)), None)
            }
            Settled::Joined { odd, superseded } => {
                course.notes.extend(odd);
                (None, superseded)
            }
        };
        if let Some(over) = over {
            let word = format!("what it held is gone: {} has read the feed since", course.run.id);
            self.services
                .store
                .ledger
                .call(move |ledger| ledger.settle_held(over, Outcome::Cancelled, &word))
                .await?;
        }
        Ok(ending)
    }

    /// What the runs before brought, of a feed that is read whole each time.
    async fn earlier(&mut self, request: &Request) -> Result<Vec<Volume>, StoreError> {
        if request.incremental.is_some() || request.each.is_some() {
            return Ok(Vec::new());
        }
        if let Some(volumes) = &self.volumes {
            return Ok(volumes.clone());
        }
        let feed = self.feed.id.clone();
        let read = self.services.store.ledger.call(move |ledger| ledger.volumes(&feed, SAMPLES));
        Ok(self.volumes.insert(read.await?).clone())
    }

    /// What is said of a value that the cursor does not follow.
    fn doubt(&self, request: &Request, course: &Course) -> Option<String> {
        let (rule, incremental) = (self.rule()?, request.incremental.as_ref()?);
        let since = course.since.as_deref();
        let belief = course.seen.greatest.believed(&rule, since, self.there(course.began_at));
        notes::doubt(&rule, incremental.by.field()?, &belief)
    }

    /// What is said of a partner that went back behind the cursor.
    async fn lost(&self, request: &Request, course: &Course) -> Result<Option<String>, StoreError> {
        let rule = self.rule().filter(|rule| course.has_lost(rule));
        let (Some(rule), Some(since)) = (rule, &course.since) else { return Ok(None) };
        // One that the partner said is deleted is not lost.
        let (feed, column, value) = (self.feed.id.clone(), rule.column(), since.clone());
        let read = self.services.readers.read(move |reader| reader.lives_at(&feed, column, &value));
        let (refused, sweeps) = (course.run.refused, request.sweep.is_some());
        Ok(read.await?.then(|| notes::lost(&rule, since, &self.feed.id, refused, sweeps)))
    }

    async fn forget_walk(&self) -> Result<(), StoreError> {
        let id = self.feed.id.clone();
        self.services.store.cache.call(move |cache| cache.forget_walk(&id)).await
    }

    pub(super) async fn report(&self, result: PollResult, detail: Option<String>) {
        self.services.report_health(&self.source.id, result, detail).await;
    }
}

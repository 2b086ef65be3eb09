//! A second look at what is read whole, page by page. A record that slips from the page that comes next to the one that was
//! just read is lacked, and lives: what a read lacks is gone only if another one had the very same records.

use marsad_shared::health::Reason;
use tokio::time::Instant;

use super::{
    Puller,
    course::{Course, Met},
    notes,
    onward::checked,
    page::Page,
    room::Room,
    walk::Trip,
};
use crate::{
    decode::DecodeError,
    source::{
        fault::FetchError,
        walk::{Ask, WalkError, Walker},
    },
    trouble::Trouble,
};

impl Puller {
    /// Reads all of it once more, behind the last `page` of a walk, if that lacks a record of the bank and its pages do not
    /// overlap. Where the second read has other records, or does not come to its end, nothing is taken for gone.
    pub(super) async fn look_again(
        &self,
        trip: &Trip<'_>,
        course: &mut Course,
        page: &mut Page,
    ) -> Result<(), Trouble> {
        let is_truth = self.is_all(trip.request, course) && course.doubt().is_none();
        if !(is_truth && course.slips.may_be() && page.piece.refused.is_empty())
            || self.columns.known().is_none()
            || trip.request.export.is_some()
        {
            return Ok(());
        }
        let emptied = page.piece.batch.another();
        let rows = std::mem::replace(&mut page.piece.batch, emptied);
        course.run.filled.add(&rows);
        self.load_rows(course, (rows, Room::default()), None).await?;
        self.hear_all(course).await?;
        let feed = self.feed.id.clone();
        let repeated = course.slips.doubts(course.run.cached.duplicate);
        if repeated || !self.services.store.cache.call(move |cache| cache.lacks(&feed)).await? {
            return Ok(());
        }
        // The rows that are kept are those of the first read, and so is where the cursor goes.
        let (trail, total) = (course.set_aside(), course.run.total);
        let met = self.read_again(trip, course).await;
        course.take_up(trail);
        course.run.total = total;
        match met {
            Ok(Some(met)) if met == course.met => {}
            Ok(met) => {
                course.doubted = true;
                let why = if met.is_some() { notes::OTHERS } else { notes::CACHED };
                course.notes.push(why.to_owned());
            }
            Err(trouble @ (Trouble::Store(_) | Trouble::Stopped)) => return Err(trouble),
            Err(trouble) => {
                course.doubted = true;
                let what = format!("it could not be read a second time ({})", trouble.text());
                course.notes.push(what);
            }
        }
        Ok(())
    }

    /// Reads all pages, and gives what was met on them; `None`: one of them came out of a cache, and had lain there since before.
    async fn read_again(
        &self,
        trip: &Trip<'_>,
        course: &mut Course,
    ) -> Result<Option<Met>, Trouble> {
        let Trip { request, asker, stop } = *trip;
        let (asker, began) = (&asker.clone().past_caches(), Instant::now());
        course.run.total = None;
        self.begin(request, course).await?;
        // Nobody takes a count for an end that lacks a record.
        let mut walker = Walker::new(request).beyond_count();
        let (mut ask, mut met) = (Ask::First, Met::default());
        loop {
            let number = walker.pages + 1;
            let read = self.fetch(course.run.id, number, asker, &course.leg, &ask, None, stop);
            let mut page = match read.await {
                // What some partners say behind the last page.
                Err(
                    Trouble::Fetch(
                        FetchError::Gone { .. } | FetchError::Final { reason: Reason::Http4xx, .. },
                    )
                    // Nor does a list stand there.
                    | Trouble::Decode {
                        error: DecodeError::Layout(_)
                        | DecodeError::Lacking(_)
                        | DecodeError::Remote { .. },
                        ..
                    },
                ) if walker.is_beyond() => return Ok(Some(met)),
                read => read?,
            };
            if page.answer.age() > began.elapsed() {
                return Ok(None);
            }
            course.good.push_back(self.pace(&page.answer));
            let was_beyond = walker.is_beyond();
            let onward = self.onward(request, course, &mut walker, &ask, &mut page).await;
            let onward = onward
                .and_then(|next| checked(asker, course, (&ask, page.answer.moved.as_ref()), next));
            let onward = match onward {
                // Some give their last page again, and all that was counted is there.
                Err(WalkError::SamePage { .. } | WalkError::Circle { .. }) if was_beyond => {
                    return Ok(Some(met));
                }
                // Some count nothing behind it; and a measure of ours may be just what was counted.
                Err(
                    WalkError::NoTotal { .. }
                    | WalkError::TooMany { .. }
                    | WalkError::Unlike { .. }
                    | WalkError::TooManyRecords { .. },
                ) if walker.is_beyond() => None,
                onward => onward?,
            };
            course.run.pages += 1;
            course.run.bytes += page.answer.body.len();
            met.add(&page.piece.batch);
            self.services.show_progress(&course.run);
            let Some((leg, next)) = onward else { return Ok(Some(met)) };
            (course.leg, ask) = (leg, next);
        }
    }
}

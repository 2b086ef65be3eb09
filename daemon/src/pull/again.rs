//! A second look at what is read whole by numbered pages. A record that slips from the page that comes next to the one that
//! was just read is lacked, and lives: only what two reads lack is gone.

use marsad_shared::{feed::Mode, store::cache::Cache};

use super::{Puller, course::Course, notes, onward::checked, page::Page, walk::Trip};
use crate::{
    source::walk::{Ask, Walker},
    trouble::Trouble,
};

impl Puller {
    /// Reads all of it once more, behind the last `page` of a walk, if that lacks a record of the bank and nothing shows that
    /// its pages join. Whatever only the second read has is loaded too. Where one of them is a record that lives, or the
    /// second read does not come to its end, nothing is taken for gone.
    pub(super) async fn look_again(
        &self,
        trip: &Trip<'_>,
        course: &mut Course,
        page: &mut Page,
    ) -> Result<(), Trouble> {
        let is_truth = self.feed.keeping.mode == Mode::Snapshot && course.doubt().is_none();
        if !(is_truth && course.slips.are_blind() && page.piece.refused.is_empty())
            || self.columns.known().is_none()
            || trip.request.export.is_some()
        {
            return Ok(());
        }
        let emptied = page.piece.batch.another();
        let rows = std::mem::replace(&mut page.piece.batch, emptied);
        self.load_rows(course, rows, None).await?;
        let feed = self.feed.id.clone();
        if !self.services.store.cache.call(move |cache| cache.lacks(&feed)).await? {
            return Ok(());
        }
        match self.read_again(trip, course).await {
            Ok(0) => {}
            Ok(slipped) => {
                course.doubted = true;
                course.notes.push(notes::slipped(slipped));
            }
            Err(trouble @ (Trouble::Store(_) | Trouble::Stopped)) => return Err(trouble),
            Err(trouble) => {
                course.doubted = true;
                course
                    .notes
                    .push(format!("it could not be read a second time ({})", trouble.text()));
            }
        }
        Ok(())
    }

    /// Reads all pages, and loads what was not met before. Gives how many of those records live in the bank.
    async fn read_again(&self, trip: &Trip<'_>, course: &mut Course) -> Result<u64, Trouble> {
        let Trip { request, asker, stop } = *trip;
        course.legs = 1;
        self.begin(request, course).await?;
        let (mut walker, mut ask, mut slipped) = (Walker::new(request), Ask::First, 0);
        loop {
            let number = walker.pages + 1;
            let read = self.fetch(course.run.id, number, asker, &course.leg, &ask, None, stop);
            let mut page = read.await?;
            self.report(self.pace(&page.answer), None).await;
            let onward = self.onward(request, course, &mut walker, &ask, &mut page).await;
            let onward = onward.and_then(|next| checked(asker, course, &ask, next))?;
            course.run.pages += 1;
            course.run.bytes += page.answer.body.len();
            // Rows that are refused were met, and nobody knows whose they are.
            course.doubted |= !page.piece.refused.is_empty();
            let (feed, at, rows) =
                (self.feed.id.clone(), self.services.clock.now(), page.piece.batch);
            let load = move |cache: &mut Cache| cache.load_lacking(&feed, &rows, at);
            let (counts, living) = self.services.store.cache.call(load).await?;
            course.run.cached = counts;
            slipped += living;
            self.services.show_progress(&course.run);
            let Some((leg, next)) = onward else { return Ok(slipped) };
            (course.leg, ask) = (leg, next);
        }
    }
}

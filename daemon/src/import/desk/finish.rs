//! The end of a file: what was read of it comes to, whether it may join the bank, and how.

use jiff::Timestamp;
use marsad_shared::{
    brake::{Brake, Found, SAMPLES, Verdict, Volume},
    feed::Mode,
    id::{FeedId, RunId},
    record::Batch,
    run::Counts,
    store::{
        Cache, StoreError,
        cache::{Change, Ended, FileEnd, Manner, Weight},
    },
};
use tokio_util::sync::CancellationToken;

use super::{Desk, Load, refuse};
use crate::{
    run::{Outside, Run},
    services::Services,
    trouble::Trouble,
};

/// All that decides about what was read, on its way to the cache.
#[derive(Debug)]
pub(in crate::import) struct Finish {
    feed: FeedId,
    run: RunId,
    at: Timestamp,
    manner: Manner,
    /// The only piece, if there is no more; else what was read stands beside the live table.
    batch: Option<Batch>,
    beside: bool,
    /// Whether what it lacks is gone: it is all there is, and none of it was refused.
    is_truth: bool,
    /// `None`: a person has let it past.
    brake: Option<Brake>,
    /// What the runs before it brought, of a feed whose files are all there is.
    earlier: Vec<Volume>,
    outside: Outside,
    pages: u64,
    bytes: u64,
    files: Vec<FileEnd>,
}

/// What became of what was read.
#[derive(Debug)]
enum Finished {
    /// It is in the bank. With what somebody should know of it, as below.
    Joined(Counts, Option<String>),
    /// It may join, and is so large that the live table is written anew first: then [`Finish::join`] is what is left.
    Large(Box<Finish>, Option<String>),
}

impl Desk {
    /// Puts what was read into the live table, and marks `files` as had, in one step; or not at all, where the brake holds it
    /// ([`StoreError::Braked`]). Gives what somebody should know of it.
    pub(in crate::import) async fn finish(
        &self,
        services: &Services,
        run: &mut Run,
        load: Load,
        files: Vec<FileEnd>,
        brake: Option<Brake>,
        stop: &CancellationToken,
    ) -> Result<Option<String>, Trouble> {
        let is_snapshot = self.feed.keeping.mode == Mode::Snapshot;
        let (beside, batch) = self.place(services, run, load, is_snapshot).await?;
        let earlier = if is_snapshot {
            let feed = self.feed.id.clone();
            services.store.ledger.call(move |ledger| ledger.volumes(&feed, SAMPLES)).await?
        } else {
            Vec::new()
        };
        let is_truth = is_snapshot && run.refused == 0;
        let finish = Finish {
            feed: self.feed.id.clone(),
            run: run.id,
            at: services.clock.now(),
            manner: self.manner(),
            batch,
            beside,
            is_truth,
            brake,
            earlier,
            outside: run.outside(),
            pages: run.pages,
            bytes: run.bytes,
            files,
        };
        let (cache, weigh) = (&services.store.cache, |cache: &mut Cache| finish.finish(cache));
        // Most files are small, and share a commit with others.
        let finished = if beside { cache.call_alone(weigh).await } else { cache.call(weigh).await };
        let (cached, odd) = match finished? {
            Finished::Joined(counts, odd) => (counts, odd),
            Finished::Large(finish, odd) => {
                services.write_anew(&self.feed.id, stop).await?;
                (cache.call_alone(move |cache| finish.join(cache)).await?, odd)
            }
        };
        run.cached = cached;
        let doubt = (is_snapshot && !is_truth).then(|| {
            "what it no longer has is not taken for gone: rows were refused, and nobody knows whose they are".to_owned()
        });
        Ok(match (odd, doubt) {
            (Some(odd), Some(doubt)) => Some(format!("{odd}; {doubt}")),
            (odd, doubt) => odd.or(doubt),
        })
    }

    /// The end of a small file that goes into the live table as it is.
    pub(in crate::import) fn finish_of(
        &self,
        run: &Run,
        batch: Batch,
        at: Timestamp,
        file: FileEnd,
    ) -> Finish {
        Finish {
            feed: self.feed.id.clone(),
            run: run.id,
            at,
            manner: self.manner(),
            batch: Some(batch),
            beside: false,
            is_truth: false,
            brake: Some(self.feed.keeping.brake),
            earlier: Vec::new(),
            outside: run.outside(),
            pages: run.pages,
            bytes: run.bytes,
            files: vec![file],
        }
    }

    /// Where what was read stands: whether beside the live table, else the only piece of it. What may have to be held whole is
    /// not written into the live table first.
    async fn place(
        &self,
        services: &Services,
        run: &mut Run,
        load: Load,
        is_snapshot: bool,
    ) -> Result<(bool, Option<Batch>), Trouble> {
        Ok(match load {
            Load::One(piece)
                if is_snapshot || piece.batch.hashes().iter().any(|hash| hash.is_gone()) =>
            {
                self.begin(services, run.id).await?;
                let batch = refuse(services, run, *piece).await?;
                let (feed, at) = (self.feed.id.clone(), services.clock.now());
                let load = move |cache: &mut Cache| cache.load(&feed, &batch, at);
                run.cached = services.store.cache.call(load).await?;
                (true, None)
            }
            Load::One(piece) => (false, Some(refuse(services, run, *piece).await?)),
            Load::Nothing if is_snapshot => {
                self.begin(services, run.id).await?;
                (true, None)
            }
            Load::Nothing => (false, None),
            Load::Beside => (true, None),
        })
    }
}

impl Finish {
    /// Weighs what was read, and joins it unless it is [`Finished::Large`].
    fn finish(mut self, cache: &mut Cache) -> Result<Finished, StoreError> {
        let odd = self.weigh(cache)?;
        if self.beside && cache.begin_swap(&self.feed, Change::Load)? {
            return Ok(Finished::Large(Box::new(self), odd));
        }
        Ok(Finished::Joined(self.join(cache)?, odd))
    }

    /// The same of a small file.
    pub(in crate::import) fn finish_small(
        mut self,
        cache: &mut Cache,
    ) -> Result<(Counts, Option<String>), StoreError> {
        let odd = self.weigh(cache)?;
        Ok((self.join(cache)?, odd))
    }

    /// Takes the only piece up, and gives what somebody should know of it all.
    ///
    /// # Errors
    /// [`StoreError::Braked`] if it may not join.
    fn weigh(&mut self, cache: &mut Cache) -> Result<Option<String>, StoreError> {
        let (feed, run) = (&self.feed, self.run);
        if !self.beside {
            cache.begin_pages(feed, run, self.manner)?;
        }
        if let Some(batch) = &self.batch {
            cache.load(feed, batch, self.at)?;
        }
        if self.is_truth {
            cache.infer_absent(feed, self.at)?;
        }
        let Weight { lived, counts } = cache.weigh(feed)?;
        let Counts { received, deleted, absent, .. } = self.outside.with(counts);
        let earlier = std::mem::take(&mut self.earlier);
        let found = Found { lived, received, deleted, absent, earlier };
        match self.brake.map_or(Verdict::Free, |brake| brake.judge(&found)) {
            Verdict::Hold(why) => Err(StoreError::Braked(format!(
                "{why}; ask the partner, and if that is right: marsad run release {run}"
            ))),
            Verdict::Odd(why) => Ok(Some(why)),
            Verdict::Free => Ok(None),
        }
    }

    fn join(self, cache: &mut Cache) -> Result<Counts, StoreError> {
        let Self { feed, run, at, outside, pages, bytes, files, .. } = self;
        let ended = |cached| {
            let counts = outside.with(cached);
            Ended { pages, bytes, ..Ended::of(run, counts) }
        };
        cache.finish_files(&feed, &files, at, ended)
    }
}

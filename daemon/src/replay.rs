//! Replaying what is in quarantine: each row is shaped and checked again with the feed's columns as they are now.
//!
//! What is accepted is in the bank before its item leaves, so that a kill between leaves an item whose next replay finds it
//! there, unchanged. No cursor moves, and nothing becomes fresh: what is replayed came long ago.

use std::sync::Arc;

use jiff::Timestamp;
use marsad_shared::{
    feed::Feed,
    id::{QuarantineId, RunId},
    protocol::{EventKind, Problem, Replayed},
    quarantine::{Kind, NEWER},
    record::Batch,
    run::Trigger,
    store::{
        Cache, StoreError,
        cache::{Ended, Manner},
        ledger::{HeldItem, RunStart},
        read::References,
    },
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    columns::Columns,
    decode::DecodeError,
    run::{Ending, Outside, Run},
    services::{Again, Services},
    shape::{Refused, Shaper},
    socket::problem::{conflict, failed},
    trouble::Trouble,
};

pub mod row;

/// Items that are read, shaped and committed together. With what is kept of each at its largest, that is 16 MiB.
const AT_ONCE: usize = 256;
/// The run of what is only tried.
const NO_RUN: RunId = RunId(0);

/// An order under way.
pub struct Replaying<'r> {
    pub services: &'r Services,
    pub feed: &'r Arc<Feed>,
    pub columns: &'r Columns,
    pub stop: &'r CancellationToken,
}

/// Items that were shaped.
struct Shaped {
    batch: Batch,
    /// The item of each row of the batch, and when it came.
    rows: Vec<(QuarantineId, Timestamp)>,
    refused: Vec<(QuarantineId, Option<String>, String)>,
}

/// What an order comes to before anything is done.
pub fn nothing_yet(order: &Again) -> Replayed {
    Replayed {
        feed: order.feed.clone(),
        runs: Vec::new(),
        received: 0,
        accepted: 0,
        refused: 0,
        newer: 0,
        untried: 0,
        problem: None,
    }
}

impl Replaying<'_> {
    /// Takes an order up, and replays the rows that are meant. Gives what it comes to so far, and the files that are meant,
    /// oldest first, which whoever has files reads; `None`: it could not be taken up, or nobody waits for it any more.
    pub async fn take_up(
        &self,
        order: &Again,
        taken: oneshot::Sender<Result<(), Problem>>,
    ) -> Option<(Replayed, Vec<QuarantineId>)> {
        let rows = self.chosen(order, Kind::Row).await;
        let files = self.chosen(order, Kind::File).await;
        let (rows, files) = match (rows, files) {
            (Ok(rows), Ok(files)) => (rows, files),
            (Err(problem), _) | (_, Err(problem)) => {
                // An operator who went away has no use for the answer.
                let _ = taken.send(Err(problem));
                return None;
            }
        };
        taken.send(Ok(())).ok()?;
        let mut told = nothing_yet(order);
        self.rows(order, rows, &mut told).await;
        Some((told, files))
    }

    /// The items of one kind that are meant, oldest first.
    async fn chosen(&self, order: &Again, kind: Kind) -> Result<Vec<QuarantineId>, Problem> {
        let (feed, what) = (self.feed.id.clone(), order.what.clone());
        // Beside the writer: of a million items it takes a moment.
        let ids = self.services.readers.read(move |reader| reader.to_replay(&feed, kind, &what));
        ids.await.map_err(|error| failed("nothing was replayed", &error))
    }

    /// Replays the rows of `ids`, as one run, or only says what would become of them.
    async fn rows(&self, order: &Again, ids: Vec<QuarantineId>, told: &mut Replayed) {
        if ids.is_empty() {
            return;
        }
        let ended = if order.dry_run {
            self.try_rows(order, &ids, told).await
        } else {
            self.run_rows(order, &ids, told).await
        };
        if let Err(trouble) = ended {
            told.problem = Some(trouble.text());
        }
        if !order.dry_run {
            let now = self.services.clock.now();
            self.services.events.tell(now, EventKind::Quarantine, None);
        }
    }

    async fn try_rows(
        &self,
        order: &Again,
        ids: &[QuarantineId],
        told: &mut Replayed,
    ) -> Result<(), Trouble> {
        let shaper = self.shaper(NO_RUN).await?;
        for some in ids.chunks(AT_ONCE) {
            let Shaped { batch, rows, refused } = self.shape(&shaper, some).await?;
            let (feed, force) = (self.feed.id.clone(), order.force);
            let came: Vec<_> = rows.iter().map(|(_, came)| *came).collect();
            let left = self
                .services
                .store
                .cache
                .call(move |cache| cache.replay_would_leave(&feed, &batch, &came, force));
            let left = left.await?.len();
            count(told, rows.len() - left, refused.len(), left);
        }
        Ok(())
    }

    async fn run_rows(
        &self,
        order: &Again,
        ids: &[QuarantineId],
        told: &mut Replayed,
    ) -> Result<(), Trouble> {
        let start = self.start(order, None);
        let mut run = self.services.begin_run(start).await?;
        told.runs.push(run.id);
        let replayed = self.all_rows(order, ids, &mut run, told).await;
        let feed = self.feed.id.clone();
        if let Err(error) = self.services.store.cache.call(move |cache| cache.end(&feed)).await {
            warn!(feed = %self.feed.id, %error, "what a replay knew could not be dropped");
        }
        let ending = match &replayed {
            Ok(()) => Ending::of_balance(&run.counts()),
            Err(trouble) => Ending::of_trouble(trouble),
        };
        self.services.end_run(&run, ending).await?;
        replayed
    }

    async fn all_rows(
        &self,
        order: &Again,
        ids: &[QuarantineId],
        run: &mut Run,
        told: &mut Replayed,
    ) -> Result<(), Trouble> {
        let shaper = self.shaper(run.id).await?;
        let (feed, id) = (self.feed.id.clone(), run.id);
        let manner = Manner::of(&self.feed.keeping, false);
        let begin = move |cache: &mut Cache| cache.begin_pages(&feed, id, manner);
        self.services.store.cache.call(begin).await?;
        for some in ids.chunks(AT_ONCE) {
            if self.stop.is_cancelled() {
                return Err(Trouble::Stopped);
            }
            let items = self.shape(&shaper, some).await?;
            self.keep(order, run, items, told).await?;
            self.services.show_progress(run);
        }
        Ok(())
    }

    /// Puts shaped rows into the bank; then those items leave quarantine, and the others say what keeps them.
    async fn keep(
        &self,
        order: &Again,
        run: &mut Run,
        Shaped { batch, rows, mut refused }: Shaped,
        told: &mut Replayed,
    ) -> Result<(), Trouble> {
        run.bytes += batch.text_len() as u64;
        let unshaped = refused.len();
        let (feed, force, at) = (self.feed.id.clone(), order.force, self.services.clock.now());
        let came: Vec<_> = rows.iter().map(|(_, came)| *came).collect();
        let (id, bytes, before) = (run.id, run.bytes, run.refused + unshaped as u64);
        let ended = move |cached, newer| {
            let outside = Outside { refused: before + newer, ..Outside::default() };
            Ended { bytes, ..Ended::of(id, outside.with(cached)) }
        };
        let replayed = self
            .services
            .store
            .cache
            .call(move |cache| cache.replay(&feed, &batch, &came, force, at, ended))
            .await?;
        run.cached = replayed.counts;
        let mut accepted = Vec::with_capacity(rows.len());
        for (at, (item, _)) in rows.into_iter().enumerate() {
            if replayed.newer.binary_search(&at).is_ok() {
                refused.push((item, None, NEWER.to_owned()));
            } else {
                accepted.push(item);
            }
        }
        run.refused += refused.len() as u64;
        count(told, accepted.len(), unshaped, replayed.newer.len());
        let ledger = &self.services.store.ledger;
        Ok(ledger.call(move |ledger| ledger.replayed(Some(id), &accepted, &refused)).await?)
    }

    /// How a run of this order begins; `file`: the one that it reads.
    pub fn start(&self, order: &Again, file: Option<String>) -> RunStart {
        RunStart {
            feed: self.feed.id.clone(),
            trigger: Trigger::Replay,
            at: self.services.clock.now(),
            actor: Some(order.actor.clone()),
            full: false,
            file,
        }
    }

    /// The columns as they are now. A feed that has none has accepted nothing, and takes none from what it refused.
    async fn shaper(&self, run: RunId) -> Result<Arc<Shaper>, Trouble> {
        self.columns.shaper(self.services, run, "the feed", |_| Err(no_columns())).await
    }

    async fn shape(&self, shaper: &Arc<Shaper>, ids: &[QuarantineId]) -> Result<Shaped, Trouble> {
        let ids = ids.to_vec();
        let items = self.services.store.ledger.call(move |ledger| ledger.held(&ids)).await?;
        let (shaper, seed) = (Arc::clone(shaper), self.services.store.seed);
        let folder = self.services.store.folder.path().to_owned();
        let done = tokio::task::spawn_blocking(move || {
            let references = References::open(&folder, &shaper.layout)?;
            shape_all(&shaper, references.as_ref(), seed, items)
        });
        Ok(done.await.map_err(|_| StoreError::Closed)??)
    }
}

/// What is said of a feed that has no columns.
pub fn no_columns() -> DecodeError {
    DecodeError::Layout(
        "the feed has no columns yet; name its `fields`, or put the file into the folder once more"
            .to_owned(),
    )
}

/// Why an order is not taken up.
pub fn not_replayed(why: &str) -> Problem {
    conflict("nothing was replayed", why, "order it again when that has ended: marsad runs")
}

fn shape_all(
    shaper: &Shaper,
    references: Option<&References>,
    seed: u64,
    items: Vec<HeldItem>,
) -> Result<Shaped, StoreError> {
    let mut all = Shaped {
        batch: Batch::new(&shaper.layout, seed),
        rows: Vec::with_capacity(items.len()),
        refused: Vec::new(),
    };
    for item in items {
        let mut put = row::shape(shaper, &item, &mut all.batch);
        if let (Ok(()), Some(references)) = (&put, references) {
            let last = all.batch.len().saturating_sub(1);
            if let Some((at, to)) = references.missing(&all.batch, last)? {
                all.batch.pop();
                put = Err(shaper.unreferred(at, to));
            }
        }
        match put {
            Ok(()) => all.rows.push((item.id, item.at)),
            Err(Refused { field, reason, .. }) => all.refused.push((item.id, field, reason)),
        }
    }
    Ok(all)
}

fn count(told: &mut Replayed, accepted: usize, refused: usize, newer: usize) {
    told.received += (accepted + refused + newer) as u64;
    told.accepted += accepted as u64;
    told.refused += (refused + newer) as u64;
    told.newer += newer as u64;
}

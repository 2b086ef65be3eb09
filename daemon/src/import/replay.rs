//! Replaying what a feed of files has in quarantine: its rows, and whole files, each from its original.

use std::sync::Arc;

use marsad_shared::{
    brake::Brake,
    id::{FeedId, QuarantineId, RunId},
    protocol::{Chosen, Problem, Replayed},
    quarantine::NEWER,
    run::{Counts, Outcome},
    store::{StoreError, cache::FileEnd, ledger::HeldItem},
    untrusted::show,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Importer,
    desk::{Desk, Load},
};
use crate::{
    replay::{Replaying, nothing_yet},
    run::{Ending, Run},
    services::{Again, Decide, Replay, Services},
    socket::problem::{conflict, failed},
    source::folder::away::free,
    trouble::Trouble,
};

/// How a file was read.
enum Read {
    /// Into the bank, or as rows into quarantine.
    Had(Ending),
    /// It is still not what the feed expects.
    Refused(String),
}

impl Importer {
    /// Shapes and checks rows again that were refused, then reads files again that were held.
    pub(super) async fn replay(&mut self, replay: Replay, stop: &CancellationToken) {
        let Replay { order, taken, done } = replay;
        let Some(desk) = self.desks.iter().find(|desk| desk.feed.id == order.feed) else { return };
        let replaying =
            Replaying { services: &self.services, feed: &desk.feed, columns: &desk.columns, stop };
        let Some((mut told, files)) = replaying.take_up(&order, taken).await else { return };
        for id in files {
            if told.problem.is_some() {
                break;
            }
            if let Err(trouble) = self.replay_file(desk, &replaying, &order, id, &mut told).await {
                told.problem = Some(trouble.text());
            }
        }
        // An operator who went away has no use for the answer.
        let _ = done.send(told);
    }

    /// Reads the file that a run was held for again, without the brake. Gives the run that did, or why it was not taken.
    pub(super) async fn release_file(
        &self,
        desk: &Desk,
        order: &Decide,
        stop: &CancellationToken,
    ) -> Result<RunId, Problem> {
        let (what, run) = (format!("{} was not released", order.run), order.run);
        let ledger = &self.services.store.ledger;
        let item = ledger.call(move |ledger| ledger.file_held_by(run)).await;
        let Some(id) = item.map_err(|error| failed(&what, &error))? else {
            let why = "its file is no longer in quarantine";
            return Err(conflict(&what, why, "see what is: marsad quarantine --kind file"));
        };
        let again = Again {
            feed: order.feed.clone(),
            what: Chosen::default(),
            force: true,
            free: true,
            dry_run: false,
            actor: order.actor.clone(),
        };
        let replaying =
            Replaying { services: &self.services, feed: &desk.feed, columns: &desk.columns, stop };
        let mut told = nothing_yet(&again);
        let read = self.replay_file(desk, &replaying, &again, id, &mut told).await;
        match (read, told.accepted, told.runs.first()) {
            (Ok(()), 1.., Some(run)) => Ok(*run),
            (Ok(()), ..) => {
                let why = "it is still not what the feed expects";
                Err(conflict(&what, why, &format!("see why: marsad quarantine show {id}")))
            }
            (Err(trouble), ..) => Err(conflict(&what, trouble.text(), "try again")),
        }
    }

    async fn replay_file(
        &self,
        desk: &Desk,
        replaying: &Replaying<'_>,
        order: &Again,
        id: QuarantineId,
        told: &mut Replayed,
    ) -> Result<(), Trouble> {
        if replaying.stop.is_cancelled() {
            return Err(Trouble::Stopped);
        }
        let ledger = &self.services.store.ledger;
        let Some(item) = ledger.call(move |ledger| ledger.held(&[id])).await?.pop() else {
            return Ok(());
        };
        told.received += 1;
        let Some(file) = file_of(&item) else {
            // It was never opened: there is nothing to read.
            told.refused += 1;
            return Ok(());
        };
        if order.dry_run {
            told.untried += 1;
            return Ok(());
        }
        if !order.force && self.has_newer(desk, &item, &file).await? {
            (told.refused, told.newer) = (told.refused + 1, told.newer + 1);
            let refused = vec![(id, None, NEWER.to_owned())];
            return Ok(ledger.call(move |ledger| ledger.replayed(None, &[], &refused)).await?);
        }
        let start = replaying.start(order, Some(file.name.clone()));
        let mut run = self.services.begin_run(start).await?;
        told.runs.push(run.id);
        run.bytes = item.bytes;
        let brake = (!order.free).then_some(desk.feed.keeping.brake);
        match read(&self.services, desk, &mut run, &file, brake, replaying.stop).await {
            Ok(Read::Had(ending)) => {
                // Its rows are in the bank, whether or not its item has left.
                let settled = self.settle(&item, &file, &run).await;
                // What a person let past the brake counts as read when it came; what was no good before makes nothing fresh.
                let ending = Ending { came_at: order.free.then_some(item.at), ..ending };
                self.services.end_run(&run, ending).await?;
                settled?;
                told.accepted += 1;
                Ok(())
            }
            Ok(Read::Refused(reason)) => {
                told.refused += 1;
                Ok(refuse(&self.services, &mut run, id, reason).await?)
            }
            Err(trouble) => {
                run.cached = Counts::default();
                self.services.end_run(&run, Ending::of_trouble(&trouble)).await?;
                Err(trouble)
            }
        }
    }

    /// Whether the feed has had another file since this one came, and nothing tells which of two rows is newer.
    async fn has_newer(
        &self,
        desk: &Desk,
        item: &HeldItem,
        file: &FileEnd,
    ) -> Result<bool, StoreError> {
        if desk.feed.version.is_some() {
            return Ok(false);
        }
        let feed = desk.feed.id.clone();
        let latest = self.services.store.cache.call(move |cache| cache.latest_file(&feed)).await?;
        Ok(latest.is_some_and(|latest| latest.at > item.at && latest.hash != file.hash))
    }

    /// The file is read: it goes from `held/` to `done/`, unless another feed still waits for it, and then its item leaves.
    async fn settle(&self, item: &HeldItem, file: &FileEnd, run: &Run) -> Result<(), StoreError> {
        let ledger = &self.services.store.ledger;
        let mine = run.start.feed.clone();
        let others = self.desks.iter().map(|desk| desk.feed.id.clone());
        let others: Vec<FeedId> = others.filter(|feed| *feed != mine).collect();
        let hash = file.hash.clone();
        if !ledger.call(move |ledger| ledger.holds_file(&others, &hash)).await? {
            let (folder, marker) = (self.folder.clone(), self.marker.clone());
            let (hash, bytes) = (file.hash.clone(), item.bytes);
            let moved =
                tokio::task::spawn_blocking(move || free(&folder, &hash, bytes, marker.as_ref()));
            if let Ok(Err(error)) = moved.await {
                let connection = &self.connection.id;
                warn!(%connection, file = %show(&file.name), %error, "a file that was replayed could not be moved out of held/");
            }
        }
        let (id, run) = (item.id, run.id);
        ledger.call(move |ledger| ledger.replayed(Some(run), &[id], &[])).await
    }
}

/// The file that an item stands for; of a member of an archive, the archive.
fn file_of(item: &HeldItem) -> Option<FileEnd> {
    let hash = item.original_hash.clone()?;
    let name = item.place.file.as_deref().unwrap_or_default();
    let name = name.split_once('/').map_or(name, |(archive, _)| archive).to_owned();
    Some(FileEnd { hash, name })
}

/// Reads an original as a file.
async fn read(
    services: &Arc<Services>,
    desk: &Desk,
    run: &mut Run,
    file: &FileEnd,
    brake: Option<Brake>,
    stop: &CancellationToken,
) -> Result<Read, Trouble> {
    let mut load = Load::default();
    let read = desk.read_original(services, run, file, &mut load, stop).await;
    let settled = match read {
        Ok(()) => desk.finish(services, run, load, vec![file.clone()], brake, stop).await,
        Err(trouble) => Err(trouble),
    };
    let feed = desk.feed.id.clone();
    if let Err(error) = services.store.cache.call(move |cache| cache.end(&feed)).await {
        warn!(feed = %desk.feed.id, %error, "what a replay had loaded could not be dropped");
    }
    match settled {
        Ok(note) => Ok(Read::Had(Ending::of_whole(run).noting(note))),
        Err(
            trouble @ (Trouble::Decode { .. }
            | Trouble::Store(StoreError::Layout(_) | StoreError::Braked(_))),
        ) => Ok(Read::Refused(trouble.what())),
        Err(trouble) => Err(trouble),
    }
}

/// The file stays where it is, with what is wrong with it now; of its rows none is left in quarantine beside it.
async fn refuse(
    services: &Services,
    run: &mut Run,
    id: QuarantineId,
    reason: String,
) -> Result<(), StoreError> {
    (run.cached, run.refused) = (Counts::default(), 0);
    let (feed, number, said) = (run.start.feed.clone(), run.id, reason.clone());
    let ledger = &services.store.ledger;
    let noted = ledger.call(move |ledger| {
        ledger.take_back(&feed, number)?;
        ledger.replayed(Some(number), &[], &[(id, None, said)])
    });
    let noted = noted.await;
    let ending = Ending { outcome: Outcome::Held, ..Ending::unchanged(Some(reason)) };
    services.end_run(run, ending).await?;
    noted
}

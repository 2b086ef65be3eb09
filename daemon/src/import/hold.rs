//! A file that waits for a person, whole: its original is kept, and one item in quarantine stands for all of it.

use std::{io, path::Path};

use marsad_shared::{
    health::Reason,
    quarantine::{Kind, Place, Refusal},
    run::{Counts, Outcome, Trigger},
    store::StoreError,
    untrusted::show,
};
use tracing::{error, info};

use super::{Found, Importer, stuck::Stuck};
use crate::{
    decode::DecodeError,
    run::{Ending, Run},
    services::Services,
    source::folder::{Stamp, TakeError, Taken},
    trouble::Trouble,
};

/// Holds a whole file: its original is kept, and one item in quarantine stands for all of it.
pub(super) async fn hold(
    services: &Services,
    run: &mut Run,
    found: &Found,
    trouble: &Trouble,
) -> Result<(), Trouble> {
    let (originals, path) = (services.store.originals.clone(), found.path.clone());
    let stamp = found.stamp;
    let kept = tokio::task::spawn_blocking(move || {
        let put_off = |error: TakeError| Trouble::File(error.to_string());
        let mut taken = Taken::open(&path).map_err(put_off)?;
        let mut original = originals.incoming()?;
        io::copy(&mut taken.file, &mut original)
            .map_err(|source| StoreError::Io { path: path.clone(), source })?;
        if taken.stamp != stamp || !taken.is_unchanged(&path) {
            return Err(put_off(TakeError::PutOff));
        }
        Ok::<_, Trouble>(original.keep()?)
    });
    let kept = kept.await.map_err(|_| StoreError::Closed)??;
    let line = match trouble {
        Trouble::Decode {
            error: DecodeError::RowTooLong { line } | DecodeError::OpenQuote { line },
            ..
        } => Some(*line),
        Trouble::Decode { error: DecodeError::Truncated { line, .. }, .. } => Some(*line as u64),
        _ => None,
    };
    // Where it is stands beside the reason, and of an archive that is one of its members.
    let file = match trouble {
        Trouble::Decode { place, .. } if *place != show(&found.name) => place.clone(),
        _ => found.name.clone(),
    };
    let refusal = Refusal {
        kind: Kind::File,
        reason: trouble.what(),
        place: Place { file: Some(file), line, ..Place::default() },
        original: Vec::new(),
        form: None,
        original_hash: Some(kept.hash),
        bytes: kept.bytes,
    };
    // Whatever happens from here on, the run brought nothing.
    let (feed, id) = (run.start.feed.clone(), run.id);
    (run.cached, run.refused) = (Counts::default(), 0);
    services.store.ledger.call(move |ledger| ledger.take_back(&feed, id)).await?;
    services.refuse(run, vec![refusal]).await?;
    info!(feed = %run.start.feed, run = %run.id, file = %show(&found.name), "file held");
    let ending = Ending { outcome: Outcome::Held, ..Ending::of_trouble(trouble) };
    Ok(services.end_run(run, ending).await?)
}

impl Importer {
    /// A thing that must not even be opened: held by its name alone.
    pub(super) async fn hold_unread(
        &mut self,
        path: &Path,
        name: &str,
        wanted: &[usize],
        reason: &str,
    ) {
        for &at in wanted {
            let Some(desk) = self.desks.get(at) else { continue };
            let refusal = Refusal {
                kind: Kind::File,
                reason: reason.to_owned(),
                place: Place { file: Some(name.to_owned()), ..Place::default() },
                original: Vec::new(),
                form: None,
                original_hash: None,
                bytes: 0,
            };
            let ending = Ending {
                outcome: Outcome::Held,
                reason: Some(reason.to_owned()),
                cause: Some(Reason::Decode),
                ..Ending::unchanged(None)
            };
            let done = async {
                let run = self
                    .services
                    .begin_run(desk.start(
                        Trigger::File,
                        Some(name.to_owned()),
                        self.services.clock.now(),
                    ))
                    .await?;
                let refused = self.services.refuse(&run, vec![refusal]).await;
                let trouble = refused.err().map(Trouble::from);
                let ending = trouble.as_ref().map_or(ending, Ending::of_trouble);
                self.services.end_run(&run, ending).await?;
                trouble.map_or(Ok::<_, Trouble>(()), Err)
            };
            if let Err(error) = done.await {
                error!(file = %show(name), %error, "a file could not be held; it stays where it is");
                return;
            }
        }
        let Ok(about) = std::fs::symlink_metadata(path) else { return };
        let stuck = Stuck { stamp: Stamp::of(&about), held: Some(reason.to_owned()) };
        self.put_away(path.to_owned(), stuck).await;
    }
}

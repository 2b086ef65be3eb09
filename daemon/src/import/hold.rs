//! A file that waits for a person, whole: its original is kept, and one item in quarantine stands for all of it.

use std::io;

use marsad_shared::{
    quarantine::{Kind, Place, Refusal},
    run::{Counts, Outcome},
    store::StoreError,
    untrusted::show,
};
use tracing::info;

use super::Found;
use crate::{
    decode::DecodeError,
    run::{Ending, Run},
    services::Services,
    source::folder::{TakeError, Taken},
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

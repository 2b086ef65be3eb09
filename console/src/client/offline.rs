//! A state folder, read in the daemon's place.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use marsad_shared::{
    clock::Clock,
    protocol::{Problem, ProblemCode},
    store::{Reader, StoreError},
};

use super::{Answer, socket::chain};

/// The databases of a `state_dir`, open to read.
#[derive(Clone)]
pub(super) struct Offline {
    reader: Arc<Mutex<Reader>>,
    folder: Arc<Path>,
    clock: Arc<dyn Clock>,
}

impl Offline {
    pub(super) async fn open(state_dir: &Path, clock: Arc<dyn Clock>) -> Answer<Self> {
        let folder = state_dir.to_owned();
        let reader = apart(state_dir.to_owned(), move || Reader::open(&folder)).await?;
        Ok(Self { reader: Arc::new(Mutex::new(reader)), folder: state_dir.into(), clock })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads on a thread that may wait for the disk.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<T> {
        let (reader, now) = (Arc::clone(&self.reader), self.clock.now());
        apart(self.folder.to_path_buf(), move || {
            read(&reader.lock().unwrap_or_else(PoisonError::into_inner), now)
        })
        .await
    }
}

impl std::fmt::Debug for Offline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offline").field("folder", &self.folder).finish_non_exhaustive()
    }
}

async fn apart<T: Send + 'static>(
    folder: PathBuf,
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Answer<T> {
    let told = match tokio::task::spawn_blocking(read).await {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(StoreError::Conflict(why))) => Problem {
            code: ProblemCode::BadRequest,
            what: "cannot read that".to_owned(),
            why,
            remedy: "correct it".to_owned(),
        },
        Ok(Err(error)) => failed(&folder, chain(&error)),
        Err(error) => failed(&folder, error.to_string()),
    };
    Err(told.into())
}

fn failed(folder: &Path, why: String) -> Problem {
    Problem {
        code: ProblemCode::Failed,
        what: format!("cannot read the state folder {}", folder.display()),
        why,
        remedy: "see that it is marsadd's state_dir and that this user may read it".to_owned(),
    }
}

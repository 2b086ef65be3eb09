//! Readers of the store, opened when they are needed and kept for the next who asks.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use marsad_shared::store::{Reader, StoreError};

/// As many as are kept; more may be open while many ask at once.
const KEPT: usize = 4;

/// A small pool of readers of one `state_dir`.
#[derive(Debug)]
pub struct Readers {
    folder: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, idle: Mutex::new(Vec::new()) }
    }

    /// Lets `read` read, on a thread that may block.
    pub async fn read<R, F>(self: &std::sync::Arc<Self>, read: F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: FnOnce(&Reader) -> Result<R, StoreError> + Send + 'static,
    {
        let pool = std::sync::Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let reader = match pool.lock().pop() {
                Some(reader) => reader,
                None => Reader::open(&pool.folder)?,
            };
            let answer = read(&reader)?;
            let mut idle = pool.lock();
            if idle.len() < KEPT {
                idle.push(reader);
            }
            Ok(answer)
        });
        task.await.map_err(|_| StoreError::Closed)?
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

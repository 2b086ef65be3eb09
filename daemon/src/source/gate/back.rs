//! The end of an outage, told to those who failed for it, so that nobody sits a wait of its own out.

use tokio::sync::watch;

/// Tells it.
#[derive(Debug)]
pub(super) struct Horn(watch::Sender<()>);

/// Hears of it.
#[derive(Debug)]
pub struct Back(watch::Receiver<()>);

impl Horn {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(super) fn blow(&self) {
        self.0.send_replace(());
    }

    pub(super) fn hear(&self) -> Back {
        Back(self.0.subscribe())
    }
}

impl Back {
    /// Until somebody answers again. One end is heard of once, also where it came while nobody listened.
    pub async fn told(&mut self) {
        // Apart: of many feeds that sleep, few wait for this.
        if Box::pin(self.0.changed()).await.is_err() {
            // The gate is gone, and nothing will be told.
            std::future::pending::<()>().await;
        }
    }

    /// What was told before says nothing of what is done from here on.
    pub fn forget(&mut self) {
        self.0.mark_unchanged();
    }

    #[cfg(test)]
    pub(super) fn is_told(&self) -> bool {
        self.0.has_changed().unwrap()
    }
}

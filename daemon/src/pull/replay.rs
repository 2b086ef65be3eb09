//! Replaying what a feed over HTTP has in quarantine: between two runs, and without a request.

use tokio_util::sync::CancellationToken;

use super::Puller;
use crate::{replay::Replaying, services::Replay};

impl Puller {
    /// Shapes and checks rows again that were refused. What was remembered of the position is read anew: how many records
    /// there are may have changed.
    pub async fn replay(&mut self, replay: Replay, stop: &CancellationToken) {
        let Replay { order, taken, done } = replay;
        self.position = None;
        let replaying =
            Replaying { services: &self.services, feed: &self.feed, columns: &self.columns, stop };
        if let Some((told, _)) = replaying.take_up(&order, taken).await {
            // An operator who went away has no use for the answer.
            let _ = done.send(told);
        }
    }
}

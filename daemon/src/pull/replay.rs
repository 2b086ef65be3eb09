//! Replaying what a feed over HTTP has in quarantine: between two runs, and without a request.

use marsad_shared::quarantine::Kind;
use tokio_util::sync::CancellationToken;

use super::Puller;
use crate::{
    replay::{Replaying, nothing_yet},
    services::Replay,
};

impl Puller {
    /// Shapes and checks rows again that were refused. What was remembered of the position is read anew: how many records
    /// there are may have changed.
    pub async fn replay(&mut self, replay: Replay, stop: &CancellationToken) {
        let Replay { order, taken, done } = replay;
        self.position = None;
        let replaying =
            Replaying { services: &self.services, feed: &self.feed, columns: &self.columns, stop };
        let rows = match replaying.chosen(&order, Kind::Row).await {
            Ok(rows) => rows,
            Err(problem) => {
                // An operator who went away has no use for the answer.
                let _ = taken.send(Err(problem));
                return;
            }
        };
        if taken.send(Ok(())).is_err() {
            return;
        }
        let mut told = nothing_yet(&order);
        replaying.rows(&order, rows, &mut told).await;
        let _ = done.send(told);
    }
}

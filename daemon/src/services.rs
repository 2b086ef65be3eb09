//! What every worker needs: the store, the clock, and the boards on which the present is written.

use std::sync::Arc;

use marsad_shared::{clock::Clock, config::Config, store::Store};

use crate::{events::Events, health::HealthBoard, progress::ProgressBoard, readers::Readers};

/// The handles that workers share.
pub struct Services {
    pub config: Config,
    pub store: Store,
    pub readers: Arc<Readers>,
    pub clock: Arc<dyn Clock>,
    pub events: Events,
    pub health: HealthBoard,
    pub progress: ProgressBoard,
}

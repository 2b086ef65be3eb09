//! One task an HTTPS connection: writes down until when its certificates are good, whenever that changes.

use std::sync::Arc;

use marsad_shared::{
    certificate::{Certificates, Validity},
    protocol::EventKind,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{services::Services, source::http::HttpSource};

/// Keeps what `source` learns of its certificates, until `stop`.
pub async fn run(
    services: Arc<Services>,
    source: Arc<HttpSource>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut known = source.certificates();
    loop {
        let now = *known.borrow_and_update();
        keep(&services, &source, now).await;
        match stop.run_until_cancelled(known.changed()).await {
            Some(Ok(())) => {}
            // The source is ours and stays.
            Some(Err(_)) | None => return Ok(()),
        }
    }
}

async fn keep(services: &Services, source: &HttpSource, known: Certificates) {
    let (now, connection) = (services.clock.now(), &source.id);
    for (whose, until) in [("theirs", known.theirs_until), ("ours", known.ours_until)] {
        if let Some(until) = until.filter(|until| Validity::at(now, *until) != Validity::Fine) {
            warn!(%connection, whose, %until, "a certificate ends soon");
        }
    }
    let id = connection.clone();
    let saved =
        services.store.ledger.call(move |ledger| ledger.save_certificates(&id, known)).await;
    match saved {
        Ok(()) => services.events.tell(now, EventKind::Connection, Some(connection.to_string())),
        Err(error) => warn!(%connection, %error, "the end of a certificate could not be kept"),
    }
}

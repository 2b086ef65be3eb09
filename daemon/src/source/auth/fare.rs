//! What a request for a token pays: it leaves through the connection's gate like any other, and what is answered to it is
//! heeded by all.

use std::sync::Arc;

use marsad_shared::health::Reason;

use super::super::{
    fault::FetchError,
    gate::{Gate, Pass},
    spend::Caller,
};

/// The gate, who asks at it, and whether that is within a request which was let out already.
#[derive(Clone, Debug)]
pub struct Fare {
    pub gate: Arc<Gate>,
    pub who: Caller,
    pub within: bool,
}

impl Fare {
    /// Pays.
    ///
    /// # Errors
    /// [`FetchError::Held`] if nothing may leave now.
    pub(super) async fn pay(&self) -> Result<Option<Pass>, FetchError> {
        if self.within {
            self.gate.toll(&self.who).await?;
            return Ok(None);
        }
        Ok(Some(self.gate.pass(&self.who).await?))
    }

    /// Tells the gate how it went with what [`Self::pay`] gave.
    pub(super) fn told<T>(
        &self,
        pass: Option<Pass>,
        outcome: Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let outcome = outcome.map_err(|error| self.gate.heed(error));
        if let Err(error) = &outcome
            && error.reason() == Some(Reason::Auth)
        {
            self.gate.refused_log_in(error);
        }
        if let Some(pass) = pass {
            pass.end(outcome.as_ref().err());
        }
        outcome
    }
}

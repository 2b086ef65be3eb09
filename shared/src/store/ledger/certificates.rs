//! Until when the certificates of connections are good, so that it is known before anybody is asked again.

use rusqlite::params;

use super::{Ledger, micros};
use crate::{certificate::Certificates, id::ConnectionId, store::StoreError};

impl Ledger {
    /// Keeps what is known of a connection's certificates. The partner's that was seen last stays until another is seen.
    pub fn save_certificates(
        &mut self,
        connection: &ConnectionId,
        known: Certificates,
    ) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO certificates (connection, theirs_until_at, ours_until_at) VALUES (?, ?, ?)
                   ON CONFLICT DO UPDATE SET ours_until_at = excluded.ours_until_at,
                       theirs_until_at = coalesce(excluded.theirs_until_at, theirs_until_at)";
        let (theirs, ours) = (known.theirs_until.map(micros), known.ours_until.map(micros));
        self.db.prepare_cached(sql)?.execute(params![connection.as_str(), theirs, ours])?;
        Ok(())
    }
}

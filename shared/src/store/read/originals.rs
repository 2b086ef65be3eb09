//! Which originals are still needed.

use std::collections::HashSet;

use jiff::Timestamp;

use super::Reader;
use crate::store::{StoreError, ledger::micros};

/// A feed's files of that content; of each feed the last one is needed as long as there is none behind it.
const FILES: &str = "SELECT DISTINCT hash FROM marsad_file AS file WHERE hash IN (SELECT value FROM json_each(?1)) \
    AND (at >= ?2 OR NOT EXISTS (SELECT 1 FROM marsad_file AS later WHERE later.feed = file.feed \
         AND later.turn > file.turn))";
/// What waits in quarantine is read again from its original.
const QUARANTINED: &str = "SELECT DISTINCT original_hash FROM quarantine \
    WHERE original_hash IN (SELECT value FROM json_each(?1)) AND ?2 IS NOT NULL";
/// A document that may still be sent, or was done with a short while ago. One that was rejected or has expired may be
/// sent again by a person.
const DOCUMENTS: &str = "SELECT DISTINCT hash FROM exchanges WHERE hash IN (SELECT value FROM json_each(?1)) \
    AND (state NOT IN ('delivered', 'confirmed', 'cancelled') OR since_at >= ?2)";

impl Reader {
    /// Those of `hashes` that something still needs, or needed since `since`.
    pub fn needed_originals(
        &self,
        hashes: &[String],
        since: Timestamp,
    ) -> Result<HashSet<String>, StoreError> {
        let among = serde_json::to_string(hashes)
            .map_err(|error| StoreError::Conflict(error.to_string()))?;
        let mut needed = HashSet::new();
        for (db, sql) in
            [(&self.cache, FILES), (&self.ledger, QUARANTINED), (&self.ledger, DOCUMENTS)]
        {
            let mut statement = db.prepare_cached(sql)?;
            let found = statement.query_map(rusqlite::params![among, micros(since)], |row| {
                row.get::<_, String>(0)
            })?;
            for hash in found {
                needed.insert(hash?);
            }
        }
        Ok(needed)
    }
}

//! The audit: each entry sealed with the hash of the one before it (promise 6).

use rusqlite::OptionalExtension;

use super::Ledger;
use crate::{
    audit::{Deed, Entry, GENESIS, Hash, seal},
    store::StoreError,
};

impl Ledger {
    /// Adds an entry behind the last one; its `seq` is given here.
    pub fn audit(&mut self, mut deed: Deed) -> Result<Entry, StoreError> {
        let (seq, previous) = self.audit_head()?;
        deed.seq = seq + 1;
        let entry = seal(deed, previous);
        let text = serde_json::to_string(&entry)
            .map_err(|error| StoreError::Conflict(error.to_string()))?;
        self.db
            .prepare_cached("INSERT INTO audit (seq, entry) VALUES (?, ?)")?
            .execute(rusqlite::params![entry.deed.seq, text])?;
        Ok(entry)
    }

    fn audit_head(&self) -> Result<(i64, Hash), StoreError> {
        let sql = "SELECT entry FROM audit ORDER BY seq DESC LIMIT 1";
        let last: Option<String> =
            self.db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
        let Some(last) = last else { return Ok((0, GENESIS)) };
        let last: Entry = serde_json::from_str(&last).map_err(|error| {
            StoreError::Conflict(format!("the last audit entry cannot be read: {error}"))
        })?;
        Ok((last.deed.seq, last.hash))
    }
}

//! What the daemon is and knows of its own: its life, its connections' health, and the catalogue of what is configured,
//! which lets a console show it all while no daemon runs.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Ledger, micros};
use crate::{
    health::Standing,
    id::ConnectionId,
    store::{StoreError, read::catalogue},
};

pub use catalogue::Entry as CatalogueEntry;

impl Ledger {
    /// A daemon starts.
    pub fn daemon_started(
        &mut self,
        version: &str,
        config_hash: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO daemon (id, version, config_hash, started_at, seen_at) VALUES (1, ?, ?, ?, ?)";
        self.db.execute(sql, params![version, config_hash, micros(at), micros(at)])?;
        Ok(())
    }

    /// It lives.
    pub fn daemon_seen(&mut self, at: Timestamp) -> Result<(), StoreError> {
        self.db.prepare_cached("UPDATE daemon SET seen_at = ?")?.execute([micros(at)])?;
        Ok(())
    }

    /// It stops in order.
    pub fn daemon_stopped(&mut self, at: Timestamp) -> Result<(), StoreError> {
        self.db.execute("UPDATE daemon SET seen_at = ?1, stopped_at = ?1", [micros(at)])?;
        Ok(())
    }

    /// Replaces the catalogue with what is configured now.
    pub fn set_catalogue(&mut self, entries: &[CatalogueEntry]) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM catalogue", [])?;
        let mut statement =
            self.db.prepare("INSERT INTO catalogue (kind, id, body) VALUES (?, ?, ?)")?;
        for entry in entries {
            let (kind, id, body) = entry.parts()?;
            statement.execute([kind, id, &body])?;
        }
        Ok(())
    }

    /// Keeps a connection's health, with the words behind its reason.
    pub fn save_health(
        &mut self,
        connection: &ConnectionId,
        standing: &Standing,
        detail: Option<&str>,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(standing)
            .map_err(|error| StoreError::Conflict(error.to_string()))?;
        let sql = "INSERT OR REPLACE INTO health (connection, standing, detail) VALUES (?, ?, ?)";
        self.db.prepare_cached(sql)?.execute(params![connection.as_str(), text, detail])?;
        Ok(())
    }

    /// A connection's health as it was last kept.
    pub fn health(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<(Standing, Option<String>)>, StoreError> {
        let sql = "SELECT standing, detail FROM health WHERE connection = ?";
        let found = self.db.prepare_cached(sql)?.query_row([connection.as_str()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
        });
        // What an older version wrote otherwise starts anew as unknown.
        Ok(found
            .optional()?
            .and_then(|(text, detail)| Some((serde_json::from_str(&text).ok()?, detail))))
    }
}

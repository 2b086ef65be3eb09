//! Items of quarantine on their way back: what a replay takes of each, and what it leaves.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Ledger, groups, quarantine::place_of, time_at};
use crate::{
    id::{FeedId, QuarantineId, RunId},
    quarantine::{Form, Place},
    store::StoreError,
};

/// An item as a replay needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldItem {
    pub id: QuarantineId,
    /// When it was last refused: what the partner said then.
    pub at: Timestamp,
    pub reason: String,
    pub place: Place,
    pub form: Option<Form>,
    /// What was kept of a row.
    pub original: Vec<u8>,
    /// Under which hash the original of a file is kept.
    pub original_hash: Option<String>,
    /// How long the original is, in bytes.
    pub bytes: u64,
}

impl Ledger {
    /// Those of the items that are there, in the order of `ids`.
    pub fn held(&self, ids: &[QuarantineId]) -> Result<Vec<HeldItem>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT * FROM quarantine WHERE id = ?")?;
        let mut items = Vec::with_capacity(ids.len());
        for id in ids {
            let item = statement.query_row([id.0], |row| {
                Ok(HeldItem {
                    id: *id,
                    at: time_at(row, "at")?,
                    reason: row.get("reason")?,
                    place: place_of(row)?,
                    form: row
                        .get::<_, Option<String>>("form")?
                        .and_then(|text| serde_json::from_str(&text).ok()),
                    original: row.get::<_, Option<Vec<u8>>>("original")?.unwrap_or_default(),
                    original_hash: row.get("original_hash")?,
                    bytes: row.get::<_, i64>("bytes")?.cast_unsigned(),
                })
            });
            items.extend(item.optional()?);
        }
        Ok(items)
    }

    /// What a replay made of items: those that were accepted leave, and the others stay, each with the field and the reason
    /// that keeps it now. When they came stays what it was.
    pub fn replayed(
        &mut self,
        run: Option<RunId>,
        accepted: &[QuarantineId],
        refused: &[(QuarantineId, Option<String>, String)],
    ) -> Result<(), StoreError> {
        for id in accepted {
            self.db.prepare_cached("DELETE FROM quarantine WHERE id = ?")?.execute([id.0])?;
        }
        for (id, field, reason) in refused {
            let sql = "SELECT feed, kind FROM quarantine WHERE id = ?";
            let found = self
                .db
                .prepare_cached(sql)?
                .query_row([id.0], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
            let Some((feed, kind)) = found.optional()? else { continue };
            let sort = groups::Sort { feed: &feed, kind: &kind, field: field.as_deref(), reason };
            let group = groups::of(&self.db, &sort)?;
            let sql = "UPDATE quarantine SET run = coalesce(?2, run), field = ?3, reason = ?4, grp = ?5 WHERE id = ?1";
            self.db.prepare_cached(sql)?.execute(params![
                id.0,
                run.map(|run| run.0),
                field,
                reason,
                group
            ])?;
        }
        groups::sweep(&self.db)
    }

    /// Whether a file of that content waits in one of the feeds.
    pub fn holds_file(&self, feeds: &[FeedId], hash: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM quarantine WHERE feed = ? AND kind = 'file' AND hash = ?";
        let mut statement = self.db.prepare_cached(sql)?;
        for feed in feeds {
            if statement.exists(params![feed.as_str(), hash])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The item that stands for the whole file that a run was held for.
    pub fn file_held_by(&self, run: RunId) -> Result<Option<QuarantineId>, StoreError> {
        let sql = "SELECT id FROM quarantine WHERE run = ? AND kind = 'file' ORDER BY id LIMIT 1";
        let found = self.db.prepare_cached(sql)?.query_row([run.0], |row| row.get(0));
        Ok(found.optional()?.map(QuarantineId))
    }
}

//! Quarantine: keyed by feed, place and content, so that the same refusal again only brings its time up to date.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params, types::Value};

use super::{Ledger, groups, micros, parsed};
use crate::{
    id::{FeedId, GroupId, QuarantineId, RunId},
    protocol::{Alike, Chosen},
    quarantine::{Form, Place, Refusal},
    store::StoreError,
};

impl Ledger {
    /// Puts what a run refused into quarantine. Repeats replace what stands there.
    pub fn refuse(
        &mut self,
        feed: &FeedId,
        run: RunId,
        refusals: &[Refusal],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO quarantine (feed, run, first_run, kind, reason, file, line, page, row, field, place, hash, original, \
                   original_hash, bytes, at, first_at, form, grp) \
                   VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15, ?16, ?17) \
                   ON CONFLICT (feed, place, hash) DO UPDATE SET run = excluded.run, reason = excluded.reason, \
                   field = excluded.field, page = excluded.page, row = excluded.row, original_hash = excluded.original_hash, at = excluded.at, \
                   form = excluded.form, grp = excluded.grp";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut met = HashMap::new();
        for refusal in refusals {
            let Place { file, line, page, row, field } = &refusal.place;
            let original = refusal.original.as_slice();
            let sort = groups::Sort {
                feed: feed.as_str(),
                kind: refusal.kind.word(),
                field: field.as_deref(),
                reason: &refusal.reason,
            };
            let hash = refusal
                .original_hash
                .clone()
                .unwrap_or_else(|| blake3::hash(original).to_hex().to_string());
            statement.execute(params![
                feed.as_str(),
                run.0,
                refusal.kind.word(),
                refusal.reason,
                file,
                line.map(u64::cast_signed),
                page.map(u64::cast_signed),
                row.map(u64::cast_signed),
                field,
                place_key(&refusal.place, &hash, &mut met),
                hash,
                (!original.is_empty()).then_some(original),
                refusal.original_hash,
                i64::try_from(refusal.bytes).unwrap_or(i64::MAX),
                micros(at),
                refusal.form.as_ref().and_then(Form::text),
                groups::of(&self.db, &sort)?,
            ])?;
        }
        groups::sweep(&self.db)
    }

    /// Whether rows of `feed` that were refused as this one is are in quarantine since before `before`.
    pub fn are_refused_since(
        &self,
        feed: &FeedId,
        refusal: &Refusal,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        let sort = groups::Sort {
            feed: feed.as_str(),
            kind: refusal.kind.word(),
            field: refusal.place.field.as_deref(),
            reason: &refusal.reason,
        };
        let Some(group) = groups::find(&self.db, &sort)? else { return Ok(false) };
        let sql = "SELECT first_at < ? FROM quarantine WHERE grp = ? ORDER BY id LIMIT 1";
        let mut statement = self.db.prepare_cached(sql)?;
        let first = statement.query_row(params![micros(before), group], |row| row.get(0));
        Ok(first.optional()?.unwrap_or(false))
    }

    /// Takes back the rows that a run was the first to refuse, because the whole file they stand in waits instead.
    pub fn take_back(&mut self, feed: &FeedId, run: RunId) -> Result<(), StoreError> {
        let sql = "DELETE FROM quarantine WHERE first_run = ? AND feed = ? AND kind = 'row'";
        self.db.prepare_cached(sql)?.execute(params![run.0, feed.as_str()])?;
        groups::sweep(&self.db)
    }
}

/// An item that was discarded: what it was, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discarded {
    pub id: QuarantineId,
    pub feed: FeedId,
    pub kind: String,
    pub place: Place,
    /// BLAKE3 of its original, in hex.
    pub hash: String,
}

impl Ledger {
    /// Items that are meant, behind `after`, in the order of their ids; at most `limit`.
    pub fn chosen_after(
        &self,
        what: &Chosen,
        after: QuarantineId,
        limit: usize,
    ) -> Result<Vec<QuarantineId>, StoreError> {
        let most = what.up_to.map_or(i64::MAX, |id| id.0);
        let which = match (what.group, &what.feed) {
            (Some(Alike::Group(_)), _) => "grp = ?3",
            (Some(Alike::Item(_)), _) => "grp = (SELECT grp FROM quarantine WHERE id = ?3)",
            (None, Some(_)) => "feed = ?3",
            (None, None) => {
                let mut ids = what.ids.clone();
                ids.retain(|id| *id > after);
                ids.sort_unstable();
                ids.truncate(limit);
                return Ok(ids);
            }
        };
        let value = match (what.group, &what.feed) {
            (Some(Alike::Group(GroupId(id)) | Alike::Item(QuarantineId(id))), _) => {
                Value::Integer(id)
            }
            (None, feed) => feed.as_ref().map_or(Value::Null, |feed| Value::Text(feed.to_string())),
        };
        let sql = format!(
            "SELECT id FROM quarantine WHERE {which} AND id > ?1 AND id <= ?2 ORDER BY id LIMIT ?4"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let ids = statement.query_map(params![after.0, most, value, limit], |row| row.get(0))?;
        Ok(ids.map(|id| id.map(QuarantineId)).collect::<Result<_, _>>()?)
    }

    /// Takes items out of quarantine for good; gives those that were there.
    pub fn discard(&mut self, ids: &[QuarantineId]) -> Result<Vec<Discarded>, StoreError> {
        let sql = "DELETE FROM quarantine WHERE id = ? RETURNING feed, kind, file, line, page, row, field, hash";
        let mut gone = Vec::with_capacity(ids.len());
        for id in ids {
            let taken = self.db.prepare_cached(sql)?.query_row([id.0], |row| {
                Ok(Discarded {
                    id: *id,
                    feed: parsed(row, "feed")?,
                    kind: row.get("kind")?,
                    place: place_of(row)?,
                    hash: row.get("hash")?,
                })
            });
            gone.extend(taken.optional()?);
        }
        groups::sweep(&self.db)?;
        Ok(gone)
    }
}

/// Where an item stood.
pub(in crate::store) fn place_of(row: &Row<'_>) -> rusqlite::Result<Place> {
    let number = |column: &str| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
    };
    Ok(Place {
        file: row.get("file")?,
        line: number("line")?,
        page: number("page")?,
        row: number("row")?,
        field: row.get("field")?,
    })
}

/// The place as one text: what makes a repeat a repeat. The field is left out: a row is refused once. Neither does the
/// page count, nor the row on it: they move with every row before them, and the same bytes again are the same refusal.
/// Rows that are equal on one page are told apart by their number.
fn place_key(place: &Place, hash: &str, met: &mut HashMap<String, u64>) -> String {
    if place.page.is_some() {
        let equal = met.entry(hash.to_owned()).or_default();
        *equal += 1;
        return format!("page\n{equal}");
    }
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    [place.file.clone().unwrap_or_default(), number(place.line), number(place.row)].join("\n")
}

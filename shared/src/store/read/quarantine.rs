//! Quarantine, newest first; and one item with its original, masked unless it is revealed.

use std::io::Read as _;

use encoding_rs::{Encoding, UTF_8};
use rusqlite::{OptionalExtension, Row, params};

use super::{Page, Reader, limit, of_partner};
use crate::{
    id::{QuarantineId, RunId},
    protocol::{ListQuery, Original, QuarantineItem, QuarantineRow},
    quarantine::{Form, Kind, Sight, fix, lay_out},
    record::Layout,
    store::{
        StoreError,
        cache::table::Table,
        ledger::{maybe_time_at, parsed, place_of, time_at},
        originals::Originals,
        state_dir,
    },
};

/// What is no text.
const BINARY: &str = "binary";
/// How much of a file is shown when it is revealed, in bytes.
const FILE_BEGIN: u64 = 16 * 1024;

impl Reader {
    /// Quarantine items, newest first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if `after` or `before` is no item's id.
    pub fn quarantine(&self, query: &ListQuery) -> Result<Vec<QuarantineRow>, StoreError> {
        let page = Page::of(query, |id: QuarantineId| id.0)?;
        // One statement for each way to ask, so that each goes behind its own index.
        let which = match (&query.group, &query.feed) {
            (Some(_), _) => "grp = ?6 AND (?3 IS NULL OR feed = ?3)",
            (None, Some(_)) => "feed = ?3 AND ?6 IS NULL",
            (None, None) => "?3 IS NULL AND ?6 IS NULL",
        };
        let sql = &format!(
            "SELECT * FROM quarantine WHERE {which} AND id < ?1 AND (?4 IS NULL OR kind = ?4) ORDER BY id DESC LIMIT ?2"
        );
        let group = query.group.map(|alike| self.group_of(alike)).transpose()?;
        let sql = of_partner(sql, query, "feed");
        let mut statement = self.ledger.prepare_cached(&page.statement(&sql, "id"))?;
        let rows = statement.query_map(
            params![page.bound(), limit(query), query.feed, query.state, query.partner, group],
            quarantine_row,
        )?;
        Ok(page.in_order(rows.collect::<Result<_, _>>()?))
    }

    /// One item, with its original laid out and masked.
    pub fn quarantine_item(&self, id: QuarantineId) -> Result<Option<QuarantineItem>, StoreError> {
        self.held(id)?.map(|held| self.item(held, None)).transpose()
    }

    /// The same with nothing masked: all that was kept of a row, and the begin of a file, read in the `encoding` of its feed
    /// (by its name; UTF-8 where it has none) unless it says so itself. Who asks for it has been written down.
    pub fn quarantine_revealed(
        &self,
        id: QuarantineId,
        encoding: Option<&str>,
    ) -> Result<Option<QuarantineItem>, StoreError> {
        let encoding = encoding.and_then(|name| Encoding::for_label(name.as_bytes()));
        let bare = encoding.unwrap_or(UTF_8);
        self.held(id)?.map(|held| self.item(held, Some(bare))).transpose()
    }

    fn held(&self, id: QuarantineId) -> Result<Option<Held>, StoreError> {
        let sql = "SELECT * FROM quarantine WHERE id = ?";
        let held = self.ledger.prepare_cached(sql)?.query_row([id.0], |row| {
            Ok(Held {
                row: quarantine_row(row)?,
                first_at: maybe_time_at(row, "first_at")?,
                first_run: RunId(row.get("first_run")?),
                hash: row.get("hash")?,
                bytes: row.get::<_, Option<Vec<u8>>>("original")?.unwrap_or_default(),
                kept: row.get("original_hash")?,
                // What a later version wrote otherwise is masked whole, and never shown by mistake.
                form: row
                    .get::<_, Option<String>>("form")?
                    .and_then(|text| serde_json::from_str(&text).ok()),
            })
        });
        Ok(held.optional()?)
    }

    /// `bare`: nothing is masked, and this is the encoding of a file.
    fn item(
        &self,
        held: Held,
        bare: Option<&'static Encoding>,
    ) -> Result<QuarantineItem, StoreError> {
        let replayable = held.is_replayable();
        let original = match held.row.kind {
            Kind::Row => self.row_original(&held, bare.is_some())?,
            Kind::File => self.file_original(&held, bare)?,
        };
        let Held { row, first_at, first_run, hash, .. } = held;
        let fix = fix(row.id, &row.feed, row.kind, &row.reason, &row.place, replayable);
        Ok(QuarantineItem { row, first_at, first_run, hash, replayable, fix, original })
    }

    fn row_original(&self, held: &Held, bare: bool) -> Result<Original, StoreError> {
        let layout = match Table::find_of(&self.cache, &held.row.feed)? {
            Some(table) => table.layout().clone(),
            // Nobody has said which values may be seen.
            None => Layout { fields: Vec::new(), key: Vec::new(), version: None },
        };
        let marked = held.row.place.field.as_deref();
        let sight = Sight { layout: &layout, marked, bare };
        let values = held.form.as_ref().and_then(|form| lay_out(&held.bytes, form, sight));
        Ok(Original {
            notation: held.form.as_ref().map(|form| form.notation().to_owned()),
            cut: held.is_cut(),
            values,
            text: bare.then(|| String::from_utf8_lossy(&held.bytes).into_owned()),
        })
    }

    fn file_original(
        &self,
        held: &Held,
        bare: Option<&'static Encoding>,
    ) -> Result<Original, StoreError> {
        let mut original = Original { notation: None, cut: false, values: None, text: None };
        let (Some(hash), Some(encoding)) = (&held.kept, bare) else { return Ok(original) };
        let originals = Originals::new(self.folder().join(state_dir::ORIGINALS));
        let mut begin = Vec::new();
        let read = originals.open(hash)?.take(FILE_BEGIN).read_to_end(&mut begin);
        read.map_err(|source| StoreError::io(&self.folder().join(state_dir::ORIGINALS), source))?;
        original.cut = held.row.bytes > begin.len() as u64;
        let (text, ..) = encoding.decode(&begin);
        if text.contains('\0') {
            original.notation = Some(BINARY.to_owned());
        } else {
            original.text = Some(text.into_owned());
        }
        Ok(original)
    }
}

/// An item as the ledger has it.
struct Held {
    row: QuarantineRow,
    first_at: Option<jiff::Timestamp>,
    first_run: RunId,
    hash: String,
    /// What was kept of a row.
    bytes: Vec<u8>,
    /// Under which hash the original of a file is kept.
    kept: Option<String>,
    form: Option<Form>,
}

impl Held {
    fn is_cut(&self) -> bool {
        (self.bytes.len() as u64) < self.row.bytes
    }

    fn is_replayable(&self) -> bool {
        match self.row.kind {
            Kind::Row => self.form.is_some() && !self.is_cut(),
            Kind::File => self.kept.is_some(),
        }
    }
}

fn quarantine_row(row: &Row<'_>) -> rusqlite::Result<QuarantineRow> {
    let kind: String = row.get("kind")?;
    Ok(QuarantineRow {
        id: QuarantineId(row.get("id")?),
        feed: parsed(row, "feed")?,
        run: RunId(row.get("run")?),
        kind: if kind == Kind::File.word() { Kind::File } else { Kind::Row },
        reason: row.get("reason")?,
        place: place_of(row)?,
        at: time_at(row, "at")?,
        bytes: row.get::<_, i64>("bytes")?.cast_unsigned(),
    })
}

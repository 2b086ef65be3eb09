//! Rows to typed fields: what the partner wrote, as the columns that the feed promises, or the reason why not.
//!
//! A row is taken whole or refused whole. A refusal names the field and what it should hold, never the value itself:
//! it may be about a child (security T17). A row that says that its record was deleted needs no more than its key; where
//! what should say so cannot be read, the row is refused, for it is neither here nor gone.

use std::borrow::Cow;

use marsad_shared::{
    drift::Change,
    feed::{Deleted, Feed, Field, Format, Origin, Reference},
    partner::Cover,
    record::{Batch, Layout, RowBuilder, Spelling, Value},
};

use crate::decode::{DecodeError, FIELD_MAX, Raw, Standing};
use beside::Looks;
use record::Record;
use value::{Reading, Why, Written};
use way::Ways;

mod beside;
mod filled;
mod header;
pub mod infer;
mod misfit;
pub(crate) mod odata;
mod record;
mod table;
mod value;
mod way;

pub use beside::{Beside, Met};
pub use filled::Filled;
pub use header::Headers;
pub(crate) use header::is_among;
pub use misfit::{Approved, Misfit, Misfits, Refused};
pub use table::InSheet;
pub(crate) use value::{emirates_id, is_no_card};

/// Turns rows of one feed into typed ones.
#[derive(Clone, Debug)]
pub struct Shaper {
    pub layout: Layout,
    /// Fields that the agreement does not cover: looked for to be counted, and dropped.
    outside: Vec<Field>,
    /// What a person approved of columns that came otherwise.
    pub approved: Approved,
    cover: Cover,
    looks: Looks,
    columns: Vec<Column>,
    /// The one whose greatest value is the feed's cursor.
    cursor: Option<usize>,
    /// Where everything stands in a JSON record.
    json: Ways,
    /// Where everything stands in an XML record.
    xml: Ways,
    deleted: Option<Deleted>,
}

/// One column, ready to be filled.
#[derive(Clone, Debug)]
struct Column {
    reading: Reading,
    required: bool,
    /// Whether it is part of the key.
    key: bool,
    /// Of a Hijri date: where the same day stands in our calendar.
    gregorian: Option<usize>,
}

impl Shaper {
    /// A shaper for `layout`, whose times are in the feed's zone where nothing else is said. What stands in the fields
    /// `outside` is dropped.
    pub fn new(feed: &Feed, layout: Layout, outside: Vec<Field>) -> Self {
        let written = Written { zone: &feed.zone, decimal: feed.decimal };
        let columns = layout.fields.iter().enumerate().map(|(at, field)| Column {
            reading: Reading::of(field, written),
            required: layout.is_required(at),
            key: layout.key.contains(&at),
            gregorian: field.rules.gregorian.as_deref().and_then(|name| layout.position(name)),
        });
        let deleted = feed.deleted.clone();
        let columns = columns.collect();
        let fields = || layout.fields.iter().chain(&outside);
        let json = Ways::json(fields(), deleted.as_ref());
        let xml = Ways::xml(fields(), deleted.as_ref());
        let (approved, cover, looks) = (Approved::default(), feed.cover.clone(), Looks::of(feed));
        let incremental = match &feed.origin {
            Origin::Http(request) => request.incremental.as_ref(),
            Origin::Files(_) => None,
        };
        let cursor = incremental.and_then(|incremental| layout.position(incremental.by.field()?));
        Self { layout, outside, approved, cover, looks, columns, cursor, json, xml, deleted }
    }

    /// The same, where columns may come otherwise as far as a person approved it.
    #[must_use]
    pub fn approving(self, approved: Approved) -> Self {
        Self { approved, ..self }
    }

    /// A place for what records have beside the columns.
    pub fn beside(&self) -> Beside {
        Beside::looking(self.looks)
    }

    /// Puts a JSON record into `batch`.
    ///
    /// # Errors
    /// [`Refused`] with the first thing that is wrong with it.
    pub fn json(
        &self,
        record: &str,
        standing: Standing,
        batch: &mut Batch,
        beside: &mut Beside,
    ) -> Result<(), Refused> {
        self.record(&self.json, record, standing, batch, beside)
    }

    /// Puts an XML record, as [`crate::decode::xml`] writes it, into `batch`.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn xml(
        &self,
        record: &str,
        standing: Standing,
        batch: &mut Batch,
        beside: &mut Beside,
    ) -> Result<(), Refused> {
        self.record(&self.xml, record, standing, batch, beside)
    }

    fn record(
        &self,
        ways: &Ways,
        record: &str,
        standing: Standing,
        batch: &mut Batch,
        beside: &mut Beside,
    ) -> Result<(), Refused> {
        let mut looks = if standing == Standing::Gone { None } else { beside.next() };
        let text = record;
        // Whether it is a deletion shows once it is open, and what one has beside its key is no column.
        let at_once = looks.as_deref_mut().filter(|_| self.deleted.is_none());
        let record = ways.open(text, at_once)?;
        let standing = if ways.is_gone(&record)? { Standing::Gone } else { standing };
        if let Some(beside) = looks.filter(|_| standing != Standing::Gone) {
            if self.deleted.is_some() {
                ways.open(text, Some(&mut *beside))?;
            }
            self.look_outside(ways, &record, beside);
        }
        if standing != Standing::Gone {
            return self.fill(batch, standing, beside, |at, column| {
                ways.value(&record, at, column.reading.kind)
            });
        }
        let reference = ways.reference(&record);
        let mut named = None;
        self.fill(batch, standing, beside, |at, column| {
            let found = ways.value(&record, at, column.reading.kind)?;
            if reference.is_none() && !matches!(found, Held::Raw(Raw::Nothing)) {
                return Ok(found);
            }
            // A deletion's key may stand in its id alone.
            let named = named.get_or_insert_with(|| self.key_of(ways, &record));
            let text = named.iter().find(|(key, _)| *key == at).map(|(_, text)| text.clone());
            Ok(match (text, found.raw()) {
                (Some(text), _) => Held::Text(Cow::Owned(text)),
                // A reference that names no key is none itself.
                (None, Raw::Text(text)) if Some(text) == reference.as_deref() => {
                    Held::Raw(Raw::Nothing)
                }
                (None, _) => found,
            })
        })
    }

    /// Counts what stands in the fields that are dropped.
    fn look_outside(&self, ways: &Ways, record: &Record<'_>, beside: &mut Beside) {
        for (at, field) in self.outside.iter().enumerate() {
            let found = ways.value(record, self.columns.len() + at, field.kind);
            let stands = !matches!(found, Ok(Held::Raw(Raw::Nothing)));
            beside.note(&field.name, stands.then_some(field.kind));
        }
    }

    /// The key in the id of an `OData` deletion: columns, each with its text.
    fn key_of(&self, ways: &Ways, record: &Record<'_>) -> Vec<(usize, String)> {
        let Some(id) = ways.id(record) else { return Vec::new() };
        odata::key(&id, &self.layout)
    }

    /// Which cell each column is read from.
    ///
    /// # Errors
    /// [`DecodeError::Drift`] if the header lacks a column that need not be there by approval, naming each;
    /// [`DecodeError::Layout`] if it names one twice, or lacks what says that a record was deleted.
    pub fn headers(&self, names: &[String]) -> Result<Headers, DecodeError> {
        let deleted = match &self.deleted {
            Some(Deleted::Field { field, .. }) => Some(field.as_str()),
            Some(Deleted::OData) | None => None,
        };
        let wanted = header::Wanted {
            fields: &self.layout.fields,
            outside: &self.outside,
            gone: &self.approved.gone,
            deleted,
        };
        Headers::of(wanted, names).map_err(|error| match error {
            DecodeError::Drift { mut drift, text, remedy } => {
                drift.retain(|drift| drift.change != Change::New || self.is_news(&drift.field));
                DecodeError::Drift { drift, text, remedy }
            }
            error => error,
        })
    }

    /// Whether a name that is no column is worth a word.
    fn is_news(&self, name: &str) -> bool {
        self.cover.has(name) && !self.looks.passes_over(name)
    }

    /// Why a row is refused that refers to nothing that is there.
    pub fn unreferred(&self, column: usize, to: &Reference) -> Refused {
        let Reference { feed, column: other } = to;
        let why = format!(
            "refers to {other:?} of {feed}, and no living record there has it; have the partner mend it, or bring that record first"
        );
        match self.layout.fields.get(column) {
            Some(field) => refused(field, Misfit::Row, &why),
            None => Refused::whole(why),
        }
    }

    fn fill<'r>(
        &self,
        batch: &mut Batch,
        standing: Standing,
        beside: &mut Beside,
        mut raw: impl FnMut(usize, &Column) -> Result<Held<'r>, &'static str>,
    ) -> Result<(), Refused> {
        let mut row = batch.row();
        for (at, (column, field)) in self.columns.iter().zip(&self.layout.fields).enumerate() {
            let held = if standing != Standing::Gone || column.key {
                raw(at, column)
            } else if self.layout.version == Some(at) {
                // A deletion may have a version, and is a deletion without one too.
                match raw(at, column) {
                    Ok(Held::Raw(Raw::Nothing)) => {
                        row.null();
                        continue;
                    }
                    held => held,
                }
            } else {
                // Where it stands among the changes moves the cursor; a deletion is one whatever stands there.
                let put = |held: Held<'_>| column.put(&held.raw(), &mut row).is_ok();
                let is_put = self.cursor == Some(at) && raw(at, column).is_ok_and(put);
                if !is_put || row.first_nul() == Some(at) {
                    row.back_to(at);
                    row.null();
                }
                continue;
            };
            let put = held.map_err(|why| (Misfit::Row, Why::Borrowed(why)));
            let put = put.and_then(|held| {
                column.put(&held.raw(), &mut row)?;
                if self.cursor == Some(at)
                    && let Raw::Text(text) = held.raw()
                    && let Some(spelling) = Spelling::of(text)
                {
                    beside.note_spelling(spelling);
                }
                Ok(())
            });
            if let Err((misfit, why)) = put {
                let mut keys = self.columns.iter().enumerate().filter(|(_, column)| column.key);
                let lacks = |(at, column)| matches!(raw(at, column), Ok(Held::Raw(Raw::Nothing)));
                let strange = column.key || keys.any(lacks);
                return Err(Refused { strange, ..refused(field, misfit, &why) });
            }
        }
        if let Some(field) = row.first_nul().and_then(|at| self.layout.fields.get(at)) {
            return Err(refused(field, Misfit::Row, &value::holds("a NUL character")));
        }
        if standing != Standing::Gone {
            self.same_days(&row, beside)?;
        }
        match standing {
            Standing::Here => row.finish(),
            Standing::Part => row.finish_part(),
            Standing::Gone => row.finish_gone(),
        }
        Ok(())
    }

    /// Compares the days that a row says in both calendars, where it does. Months begin when the moon is announced, so
    /// that a day more or less is the same day, and is counted.
    fn same_days(&self, row: &RowBuilder<'_>, beside: &mut Beside) -> Result<(), Refused> {
        for (at, (column, field)) in self.columns.iter().zip(&self.layout.fields).enumerate() {
            let Some(other) = column.gregorian else { continue };
            let (Value::Text(hijri), Value::Text(day)) = (row.at(at), row.at(other)) else {
                continue;
            };
            match value::days_apart(hijri, day) {
                Some(0) => {}
                Some(1) => beside.note_day_off(&field.name),
                _ => {
                    let other = self.layout.fields.get(other).map_or("", |field| &field.name);
                    let why = format!(
                        "is not the day of field {other:?}: they are more than a day apart; have the partner say which is right"
                    );
                    return Err(refused(field, Misfit::Row, &why));
                }
            }
        }
        Ok(())
    }
}

/// Whether a record of a feed whose columns are not known yet says that it was deleted.
pub fn is_gone(feed: &Feed, format: Format, record: &str) -> bool {
    let nothing = std::iter::empty();
    let ways = match format {
        Format::Xml => Ways::xml(nothing, feed.deleted.as_ref()),
        _ => Ways::json(nothing, feed.deleted.as_ref()),
    };
    ways.open(record, None).is_ok_and(|record| ways.is_gone(&record).unwrap_or(false))
}

impl Column {
    fn put(&self, raw: &Raw<'_>, row: &mut RowBuilder<'_>) -> Result<(), (Misfit, Why)> {
        match raw {
            Raw::Text(text) | Raw::Nested(text) if text.len() > FIELD_MAX => {
                let why = "is longer than 1 MiB; leave it out of `fields` or have it shortened";
                return Err((Misfit::Row, why.into()));
            }
            _ => self.reading.put(raw, row)?,
        }
        if self.required && is_nothing(row.last()) {
            return Err((Misfit::Missing, "is missing and must not be".into()));
        }
        Ok(())
    }
}

/// Whether nobody would see anything of it.
fn is_nothing(value: Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Integer(_) => false,
        Value::Text(text) => value::bare(text).is_empty(),
    }
}

/// The row is refused for what is wrong with `field`.
fn refused(field: &Field, misfit: Misfit, why: &str) -> Refused {
    let reason = format!("field {:?} {why}", field.name);
    Refused { field: Some(field.name.clone()), reason, misfit, strange: false }
}

/// A raw value, and the text that it may have had to be unescaped into.
enum Held<'r> {
    Raw(Raw<'r>),
    Text(Cow<'r, str>),
}

impl Held<'_> {
    fn raw(&self) -> Raw<'_> {
        match self {
            Self::Raw(raw) => *raw,
            Self::Text(text) => Raw::Text(text),
        }
    }
}

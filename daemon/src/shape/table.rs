//! Rows of tables, of CSV and of sheets: each column is read from its cell.

use marsad_shared::{
    feed::{Deleted, FieldType},
    record::{Batch, Value},
};

use super::{Beside, Headers, Held, Misfit, Refused, Shaper};
use crate::decode::{Raw, Standing, csv::Cells, xlsx};

/// Where a row stands in its sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InSheet {
    /// It is a row of data. `full`: its key is there, and more than that.
    Row { full: bool },
    /// Something stands in it, and nothing in any column of the key.
    Keyless,
    /// One of the words that end the rows stands in its key.
    Stop,
}

impl Shaper {
    /// Puts a row of cells into `batch`.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn cells(
        &self,
        headers: &Headers,
        cells: Cells<'_>,
        batch: &mut Batch,
        beside: &mut Beside,
    ) -> Result<(), Refused> {
        headers.look(beside, |at| cells.get(at).is_some_and(|cell| !cell.is_empty()));
        let says = headers.deleted.and_then(|at| cells.get(at));
        let standing = match (&self.deleted, says) {
            (Some(Deleted::Field { values, .. }), Some(says))
                if values.iter().any(|value| value == says) =>
            {
                Standing::Gone
            }
            _ => Standing::Here,
        };
        self.fill(batch, standing, beside, |at, _| {
            let cell = headers.cells.get(at).and_then(|&at| cells.get(at));
            let cell = cell.filter(|cell| !cell.is_empty());
            Ok(Held::Raw(cell.map_or(Raw::Nothing, Raw::Text)))
        })
    }

    /// Whether a row's hashes follow from its cells alone, and nothing else is told of a row that fits: then one that stood
    /// in an earlier table need not be read again.
    pub fn is_plain(&self, headers: &Headers) -> bool {
        let has_days = self.columns.iter().any(|column| column.gregorian.is_some());
        self.deleted.is_none()
            && headers.beside.is_empty()
            && !has_days
            && self.columns.len() <= u64::BITS as usize
    }

    /// Reads the rows of `batch` from `first` on that were left unread. The others are as they were.
    ///
    /// # Errors
    /// As [`Self::json`]; none, if what was recalled of them is right.
    pub fn read_on(&self, batch: &Batch, first: usize) -> Result<Batch, Refused> {
        let mut read = batch.emptied();
        for row in first..batch.len() {
            if batch.is_unread(row) {
                let value = |at: usize| match batch.at(row, at) {
                    Value::Text(text) => Raw::Text(text),
                    Value::Null | Value::Integer(_) => Raw::Nothing,
                };
                let nothing = &mut Beside::default();
                self.fill(&mut read, Standing::Here, nothing, |at, _| Ok(Held::Raw(value(at))))?;
            } else {
                let mut built = read.row();
                batch.values(row).for_each(|value| built.value(value));
                built.finish();
            }
        }
        Ok(read)
    }

    /// Where a row stands in its sheet: `stop` are the words of which one in a column of the key ends the rows.
    pub fn place_of(&self, headers: &Headers, row: &xlsx::Row<'_>, stop: &[String]) -> InSheet {
        let cells = || self.layout.key.iter().filter_map(|&at| headers.cells.get(at));
        let is_stop = |at: &usize| stop.iter().any(|word| word.trim() == row.text(*at).trim());
        if cells().any(is_stop) {
            return InSheet::Stop;
        }
        if cells().all(|&at| is_blank(row.cell(at))) {
            return InSheet::Keyless;
        }
        let has_key = cells().all(|&at| !is_blank(row.cell(at)));
        let is_key = |at: &usize| self.layout.key.contains(at);
        let others: Vec<_> = (0..headers.cells.len()).filter(|at| !is_key(at)).collect();
        let is_there =
            |at: &usize| headers.cells.get(*at).is_some_and(|&at| !is_blank(row.cell(at)));
        InSheet::Row { full: has_key && (others.is_empty() || others.iter().any(is_there)) }
    }

    /// Puts a row of a sheet into `batch`.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn sheet(
        &self,
        headers: &Headers,
        row: &xlsx::Row<'_>,
        batch: &mut Batch,
        beside: &mut Beside,
    ) -> Result<(), Refused> {
        headers.look(beside, |at| !is_blank(row.cell(at)));
        let standing = match (&self.deleted, headers.deleted.map(|at| row.text(at))) {
            (Some(Deleted::Field { values, .. }), Some(says))
                if values.iter().any(|value| value == says) =>
            {
                Standing::Gone
            }
            _ => Standing::Here,
        };
        let wanted = |at: usize| standing == Standing::Here || self.layout.key.contains(&at);
        for (at, (&cell, field)) in headers.cells.iter().zip(&self.layout.fields).enumerate() {
            if let (xlsx::Cell::Bad(what), true) = (row.cell(cell), wanted(at)) {
                let place = xlsx::cell_name(cell, row.line);
                let reason = format!("field {:?} (cell {place}) {what}", field.name);
                let field = Some(field.name.clone());
                return Err(Refused { field, reason, misfit: Misfit::Row, strange: false });
            }
        }
        self.fill(batch, standing, beside, |at, _| {
            Ok(match headers.cells.get(at).map(|&at| row.cell(at)) {
                Some(xlsx::Cell::Raw(raw)) => Held::Raw(raw),
                // Refused above, or of no interest in a deletion.
                Some(xlsx::Cell::Bad(_)) | None => Held::Raw(Raw::Nothing),
            })
        })
    }
}

impl Headers {
    /// Notes what a row has beside the columns, in cells where something `stands`. A cell says no more than text.
    fn look(&self, beside: &mut Beside, stands: impl Fn(usize) -> bool) {
        if self.beside.is_empty() {
            return;
        }
        let Some(beside) = beside.next() else { return };
        for (name, at) in &self.beside {
            beside.note(name, stands(*at).then_some(FieldType::Text));
        }
    }
}

/// Whether nothing but white space stands in a cell.
fn is_blank(cell: xlsx::Cell<'_>) -> bool {
    match cell {
        xlsx::Cell::Raw(Raw::Nothing) => true,
        xlsx::Cell::Raw(Raw::Text(text)) => text.trim().is_empty(),
        _ => false,
    }
}

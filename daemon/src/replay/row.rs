//! One refused row, read again from what was kept of it.

use marsad_shared::{
    quarantine::{Form, Standing, form},
    record::Batch,
    store::ledger::HeldItem,
};

use crate::{
    decode::{
        DecodeError, Flow,
        csv::{self, Dialect},
        xlsx,
    },
    shape::{Beside, Refused, Shaper},
};

/// Puts the row of an item into `batch`, read with the columns of `shaper`.
///
/// # Errors
/// [`Refused`] with what is wrong with it now; with what was, if too little of it was kept to tell.
pub fn shape(shaper: &Shaper, item: &HeldItem, batch: &mut Batch) -> Result<(), Refused> {
    let whole = item.original.len() as u64 == item.bytes;
    match &item.form {
        Some(form) if whole => match form {
            Form::Json { standing } => record(Shaper::json, shaper, item, *standing, batch),
            Form::Xml { standing } => record(Shaper::xml, shaper, item, *standing, batch),
            Form::Csv { delimiter, names } => table(shaper, item, *delimiter, names, batch),
            Form::Sheet { names, marks } => sheet(shaper, item, names, marks, batch),
        },
        _ => {
            Err(Refused { field: item.place.field.clone(), ..Refused::whole(item.reason.clone()) })
        }
    }
}

type Shape = fn(&Shaper, &str, Standing, &mut Batch, &mut Beside) -> Result<(), Refused>;

fn record(
    shape: Shape,
    shaper: &Shaper,
    item: &HeldItem,
    standing: Standing,
    batch: &mut Batch,
) -> Result<(), Refused> {
    let text =
        std::str::from_utf8(&item.original).map_err(|_| refused("the record is not UTF-8"))?;
    shape(shaper, text, standing, batch, &mut Beside::default())
}

/// A row of a table, below its header.
fn table(
    shaper: &Shaper,
    item: &HeldItem,
    delimiter: char,
    names: &[String],
    batch: &mut Batch,
) -> Result<(), Refused> {
    let delimiter = u8::try_from(delimiter).unwrap_or(b',');
    let mut bytes = form::row(names.iter().map(String::as_bytes), delimiter);
    bytes.push(b'\n');
    bytes.extend_from_slice(&item.original);
    let dialect = Dialect { delimiter, header_row: 1, encoding: "UTF-8" };
    let mut became = Err(refused("the row is empty"));
    let begin = |names: &[String]| shaper.headers(names);
    let read = csv::read(bytes.as_slice(), dialect, begin, |headers, row| {
        became = match row.cells() {
            Ok(cells) => shaper.cells(headers, cells, batch, &mut Beside::default()),
            Err(bad) => Err(Refused::whole(bad.to_string())),
        };
        Flow::More
    });
    read.map_err(|error| unread(&error))?;
    became
}

/// A row of a sheet, below its header.
fn sheet(
    shaper: &Shaper,
    item: &HeldItem,
    names: &[String],
    marks: &str,
    batch: &mut Batch,
) -> Result<(), Refused> {
    let cells = form::cells(&item.original, ',').unwrap_or_default();
    let line = item.place.line.unwrap_or_default();
    let sent = xlsx::Sent::again(cells.iter().map(String::as_str), marks, line);
    let headers = shaper.headers(names).map_err(|error| unread(&error))?;
    shaper.sheet(&headers, &sent.row(), batch, &mut Beside::default())
}

fn unread(error: &DecodeError) -> Refused {
    Refused::whole(error.to_string())
}

fn refused(reason: &str) -> Refused {
    Refused::whole(reason)
}

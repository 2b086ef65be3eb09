//! Rows of tables: of CSV, as it streams by, and of sheets.

use std::{cell::RefCell, fs::File, io::Read};

use marsad_shared::{
    feed::Feed,
    quarantine::{Form, Place},
};

use super::{
    Intake, Piece, Recall,
    rows::{Origin, Rows},
};
use crate::{
    decode::{
        self, DecodeError, Flow,
        csv::{self, BadRow, Dialect},
        xlsx::Wanted,
    },
    shape::{Headers, InSheet, Refused},
    source::ours::Mask,
};

impl Intake<'_> {
    /// Takes the rows of a workbook into `rows`.
    pub(super) fn sheet_rows(
        &self,
        file: File,
        mask: Option<&Mask>,
        rows: &mut Rows<'_, impl FnMut(Piece) -> Flow>,
    ) -> Result<(), DecodeError> {
        // Where the rows end: at a word of `stop`, or with a row without a key, behind which there is no other.
        let (mut is_over, mut keyless, mut behind) = (false, None, None);
        let begin = |names: &[String]| Ok((self.shaper.headers(names)?, names.to_vec()));
        let read = decode::xlsx::read(
            file,
            Wanted { mask, ..wanted_of(self.feed) },
            begin,
            |(headers, names), row| {
                match (self.shaper.place_of(headers, &row, &self.feed.stop), keyless) {
                    (InSheet::Stop, _) => {
                        is_over = true;
                        return Flow::Stop;
                    }
                    (InSheet::Keyless, _) => {
                        keyless.get_or_insert(row.line);
                        return Flow::More;
                    }
                    (InSheet::Row { full: true }, Some(end)) => {
                        behind = Some((end, row.line));
                        return Flow::Stop;
                    }
                    (InSheet::Row { .. }, Some(_)) => return Flow::More,
                    (InSheet::Row { .. }, None) => {}
                }
                let Piece { batch, beside, .. } = &mut rows.piece;
                let shaped = self.shaper.sheet(headers, &row, batch, beside);
                rows.next(shaped, || {
                    let place =
                        Place { line: Some(row.line), row: Some(row.number), ..Place::default() };
                    let form =
                        Some(Form::Sheet { names: names.clone(), marks: row.marks(names.len()) });
                    Origin { original: row.original(names.len()), form, place }
                })
            },
        );
        match (read, behind) {
            (Err(DecodeError::Stopped), Some((end, line))) => Err(DecodeError::Layout(format!(
                "row {end} of the sheet has no key, and row {line} below it has one: nobody knows where its rows end; fill the key, or name the word that ends them in `stop`"
            ))),
            (Err(DecodeError::Stopped), None) if is_over => Ok(()),
            (read, _) => rows.fault().map_or(read, Err).map(drop),
        }
    }

    /// Puts a row of a table into `piece`: unread, if it is recalled.
    fn table_row(
        &self,
        headers: &Headers,
        cells: csv::Cells<'_>,
        recall: Option<&RefCell<Recall>>,
        piece: &mut Piece,
    ) -> Result<(), Refused> {
        let Piece { batch, beside, .. } = piece;
        let Some(mut recall) = recall.map(RefCell::borrow_mut).filter(|it| it.is_under_way())
        else {
            return self.shaper.cells(headers, cells, batch, beside);
        };
        let written = recall.written(cells);
        if !recall.take(written, cells, headers.cells(), batch) {
            self.shaper.cells(headers, cells, batch, beside)?;
            recall.note(written, batch);
        }
        Ok(())
    }

    /// Takes the rows of CSV into `rows`.
    pub(super) fn csv(
        &self,
        bytes: impl Read,
        rows: &mut Rows<'_, impl FnMut(Piece) -> Flow>,
    ) -> Result<(), DecodeError> {
        let delimiter = self.feed.delimiter;
        let recall = self.recall.filter(|_| self.references.is_none());
        let begin = |names: &[String]| {
            let headers = self.shaper.headers(names)?;
            if let Some(recall) = recall {
                recall.borrow_mut().begin(names, self.shaper.is_plain(&headers));
            }
            Ok((headers, names.to_vec()))
        };
        let dialect = dialect_of(self.feed, self.origins.encoding());
        let is_file = self.origins.file.is_some();
        let mut spoilt = None;
        let each = |(headers, names): &mut (Headers, Vec<String>), row: csv::Row<'_>| {
            let cells = row.cells();
            let apart = matches!(cells, Ok(_) | Err(BadRow::Ragged { .. }));
            let shaped = match cells {
                Ok(cells) => self.table_row(headers, cells, recall, &mut rows.piece),
                // A file was written in one encoding, or by nobody who knew: none of its rows can be believed.
                Err(BadRow::NoText { encoding, .. }) if is_file => {
                    let what = format!("line {} is not {encoding}", row.line());
                    spoilt = Some(DecodeError::Encoding(what));
                    return Flow::Stop;
                }
                Err(bad) => Err(Refused::stranger(bad.to_string())),
            };
            rows.next(shaped, || {
                let place =
                    Place { line: Some(row.line()), row: Some(row.number), ..Place::default() };
                let (names, delimiter) = (names.clone(), char::from(delimiter));
                let form = apart.then_some(Form::Csv { delimiter, names });
                Origin { original: row.original(self.feed.delimiter), form, place }
            })
        };
        let read = csv::read(bytes, dialect, begin, each);
        let read = spoilt.map_or(read.map(drop), Err);
        read.map_err(|error| match error {
            // What a file seems to be instead is told by whoever has its begin.
            DecodeError::Encoding(what) if !is_file => {
                let encoding = self.origins.encoding();
                DecodeError::Encoding(format!("{what}; have it written in {encoding}"))
            }
            error => error,
        })
    }
}

pub(super) fn wanted_of(feed: &Feed) -> Wanted<'_> {
    Wanted { sheet: feed.sheet.as_ref(), header_row: feed.header_row, mask: None }
}

pub(super) fn dialect_of(feed: &Feed, encoding: &'static str) -> Dialect {
    Dialect { delimiter: feed.delimiter, header_row: feed.header_row, encoding }
}

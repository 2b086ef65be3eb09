//! The first data of a feed that names no fields: its columns are taken from it.

use std::{
    fs::File,
    io::{BufReader, Read},
};

use marsad_shared::{
    feed::{Feed, Format},
    record::Layout,
};

use super::{
    CHUNK, UTF_8, no_stream,
    table::{dialect_of, wanted_of},
};
use crate::{
    decode::{
        self, DecodeError, Flow, Plan, Standing, Text,
        sdmx::{Key, Observed},
        xlsx::Wanted,
    },
    shape::{
        self,
        infer::{self, Known},
    },
    source::ours::Mask,
};

/// The columns of a feed that names none, taken from its first data.
///
/// # Errors
/// [`DecodeError`] if the data cannot be read, or has no columns that could be kept.
pub fn infer(feed: &Feed, format: Format, bytes: impl Read) -> Result<Layout, DecodeError> {
    let known = Known::of(feed);
    if format == Format::Csv {
        let mut layout = None;
        let begin = |names: &[String]| {
            layout = Some(infer::from_header(names, &known).map_err(unfit)?);
            Ok(())
        };
        match decode::csv::read(bytes, dialect_of(feed, UTF_8), begin, |(), _| Flow::Stop) {
            Ok(()) | Err(DecodeError::Stopped) => {}
            Err(error) => return Err(error),
        }
        return layout.ok_or_else(|| unfit(infer::InferError::Nothing));
    }
    if format == Format::Xlsx {
        return Err(no_stream());
    }
    let mut sample: Vec<String> = Vec::new();
    let mut keep = |record: &str, standing: Standing| {
        // A deletion has no columns but its key.
        if standing != Standing::Gone && !shape::is_gone(feed, format, record) {
            sample.push(record.to_owned());
        }
        if sample.len() < infer::SAMPLE { Flow::More } else { Flow::Stop }
    };
    let bytes = BufReader::with_capacity(CHUNK, bytes);
    let plan = Plan { records: Some(&feed.records), deletes: None, scalars: &[] };
    let read = match format {
        Format::Json | Format::Csv | Format::Xlsx => {
            // What is no text tells nothing of columns.
            let each = |record: Text<'_>, standing| match record {
                Ok(record) => keep(record, standing),
                Err(_) => Flow::More,
            };
            decode::json::read(bytes, &plan, each).1
        }
        Format::Xml => decode::xml::read(bytes, &plan, keep).1,
        Format::Ndjson => decode::json::read_lines(bytes, |line, _| {
            line.map_or(Flow::More, |line| keep(line, Standing::Here))
        }),
        Format::Sdmx => {
            let dimensions = feed.key.iter().map(|name| vec![name.clone()]).collect();
            let key = Key { dimensions, others: Vec::new() };
            let mut each = |observed: Observed<'_>| match observed {
                Observed::Record { json, standing, .. } => keep(json, standing),
                Observed::Structure(_) | Observed::Bad { .. } => Flow::More,
            };
            decode::sdmx::read(bytes, feed.delimiter, &key, &mut each)
        }
    };
    match read {
        Ok(()) | Err(DecodeError::Stopped) => {}
        Err(DecodeError::Lacking(_)) if feed.may_lack => return Err(DecodeError::Nothing),
        Err(error) => return Err(error),
    }
    let records = sample.iter().map(String::as_str);
    let layout = match format {
        Format::Xml => infer::from_elements(records, &known),
        _ => infer::from_records(records, &known),
    };
    layout.map_err(unfit)
}

/// The columns of a feed that names none, taken from the header of its first workbook. `mask`: what hides our secrets in it.
///
/// # Errors
/// As [`infer()`].
pub fn infer_workbook(feed: &Feed, file: File, mask: Option<&Mask>) -> Result<Layout, DecodeError> {
    let known = Known::of(feed);
    let begin = |names: &[String]| infer::from_header(names, &known).map_err(unfit);
    let mut layout = None;
    let begin = |names: &[String]| begin(names).map(|found| layout = Some(found));
    let wanted = Wanted { mask, ..wanted_of(feed) };
    match decode::xlsx::read(file, wanted, begin, |(), _| Flow::Stop) {
        Ok(()) | Err(DecodeError::Stopped) => layout.ok_or(DecodeError::Nothing),
        Err(error) => Err(error),
    }
}

/// What it means that no columns can be told.
fn unfit(error: infer::InferError) -> DecodeError {
    match error {
        infer::InferError::Nothing => DecodeError::Nothing,
        error => DecodeError::Layout(error.to_string()),
    }
}

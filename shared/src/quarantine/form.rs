//! How the original of a refused row is written: what it takes to lay it out for a person, and to read it again.

use serde::{Deserialize, Serialize};

use crate::word::words;

/// The most bytes that a form takes in the ledger. One whose header is longer is not kept: its row can be neither laid out
/// nor replayed.
pub const FORM_MAX: usize = 64 * 1024;

words! {
    /// What a record is, as far as the place tells where it was found.
    pub enum Standing is "standing" {
        /// There; unless it says of itself that it is not.
        Here = "here",
        /// There, and told in part: what it does not carry stays as it is.
        Part = "part",
        /// Deleted.
        Gone = "gone",
    }
}

/// What a refused row is written as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Form {
    /// A JSON object; of SDMX an observation, as one.
    Json { standing: Standing },
    /// An XML element, as the JSON object that it is read as.
    Xml { standing: Standing },
    /// Cells with a delimiter between them, each quoted where it must be; `names` is the header that stood above.
    Csv { delimiter: char, names: Vec<String> },
    /// The cells of a sheet as text, written as CSV; `marks` has a letter for each that says what it is, as `marsadd` sends
    /// them from one process to the other.
    Sheet { names: Vec<String>, marks: String },
}

impl Form {
    /// What people call it.
    pub const fn notation(&self) -> &'static str {
        match self {
            Self::Json { .. } => "json",
            Self::Xml { .. } => "xml",
            Self::Csv { .. } => "csv",
            Self::Sheet { .. } => "xlsx",
        }
    }

    /// As the ledger keeps it; `None` if it is too long to be kept.
    pub fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok().filter(|text| text.len() <= FORM_MAX)
    }
}

/// The cells of a row that [`row`] wrote; `None` if the bytes are none.
pub fn cells(bytes: &[u8], delimiter: char) -> Option<Vec<String>> {
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(u8::try_from(delimiter).ok()?)
        .has_headers(false)
        .from_reader(bytes);
    let row = rows.records().next()?.ok()?;
    Some(row.iter().map(str::to_owned).collect())
}

/// Cells as one row of CSV without its line end, each quoted where it must be.
pub fn row<'c>(cells: impl Iterator<Item = &'c [u8]>, delimiter: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(cells);
    let mut bytes = writer.into_inner().unwrap_or_default();
    bytes.truncate(bytes.len().saturating_sub(1));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_back_as_it_was_written() {
        for cells_in in [
            vec!["1", "مريم", ""],
            vec!["a;b", "say \"yes\"", "two\nlines", " x "],
            vec![""],
            vec!["\"", ";", "\r"],
        ] {
            let bytes = row(cells_in.iter().map(|cell| cell.as_bytes()), b';');
            assert_eq!(cells(&bytes, ';').unwrap(), cells_in);
        }
        assert_eq!(row([&b"a"[..], b"b c"].into_iter(), b','), b"a,b c", "and no quote too many");
        assert_eq!(cells(b"\xff,a", ','), None, "what is no text has no cells");
    }

    #[test]
    fn a_form_is_kept_unless_its_header_is_too_long() {
        let form = |names| Form::Csv { delimiter: ';', names };
        let kept = form(vec!["رقم".to_owned()]).text().unwrap();
        assert_eq!(kept, r#"{"is":"csv","delimiter":";","names":["رقم"]}"#);
        assert_eq!(serde_json::from_str::<Form>(&kept).unwrap(), form(vec!["رقم".to_owned()]));
        assert_eq!(form(vec!["x".repeat(FORM_MAX)]).text(), None);
    }
}

//! Workbooks as spreadsheet programs write them, and as nobody should.

use std::fmt::Write as _;

use super::zip::{Member, zip};

const TYPES: &str = r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#;
const ROOT: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
/// The styles of cells: 0 as it is, 1 a day, 2 a length of time, 3 a day and a time.
const STYLES: &str = r#"<?xml version="1.0"?><styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="46" applyNumberFormat="1"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>"#;
const RELATION: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// A workbook under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// Each sheet's name, its state, and the rows as they stand in the file.
    pub(crate) sheets: Vec<(String, &'static str, String)>,
    /// The shared strings, as they stand in the file.
    pub(crate) strings: Option<String>,
    /// Days are counted from 1904.
    pub(crate) is_1904: bool,
}

impl Book {
    /// A workbook of one sheet with those rows.
    pub(crate) fn new(rows: &str) -> Self {
        Self::default().sheet("Data", rows)
    }

    /// Adds a sheet.
    pub(crate) fn sheet(mut self, name: &str, rows: &str) -> Self {
        self.sheets.push((name.to_owned(), "visible", rows.to_owned()));
        self
    }

    /// Its parts.
    pub(crate) fn parts(&self) -> Vec<Member> {
        let (mut list, mut relations) = (String::new(), String::new());
        let mut parts = Vec::new();
        for (at, (name, state, rows)) in self.sheets.iter().enumerate() {
            let id = at + 1;
            write!(list, r#"<sheet name="{name}" sheetId="{id}" state="{state}" r:id="rId{id}"/>"#)
                .unwrap();
            write!(relations,
                r#"<Relationship Id="rId{id}" Type="{RELATION}/worksheet" Target="worksheets/sheet{id}.xml"/>"#
            ).unwrap();
            let sheet = format!(
                r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>"#
            );
            parts.push(Member::new(format!("xl/worksheets/sheet{id}.xml"), sheet.as_bytes()));
        }
        if let Some(strings) = &self.strings {
            parts.push(Member::new("xl/sharedStrings.xml", strings.as_bytes()));
        }
        let date = if self.is_1904 { r#"<workbookPr date1904="1"/>"# } else { "" };
        let book = format!(
            r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{RELATION}">{date}<sheets>{list}</sheets></workbook>"#
        );
        let relations = format!(
            r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relations}<Relationship Id="s" Type="{RELATION}/styles" Target="styles.xml"/></Relationships>"#
        );
        for (name, part) in [
            ("[Content_Types].xml", TYPES),
            ("_rels/.rels", ROOT),
            ("xl/workbook.xml", &book),
            ("xl/_rels/workbook.xml.rels", &relations),
            ("xl/styles.xml", STYLES),
        ] {
            parts.push(Member::new(name, part.as_bytes()));
        }
        parts
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        zip(&self.parts())
    }
}

/// A row, from 1, of cells with text or, where they are numbers, without quotes: `row(3, &["id", "5"])`.
pub(crate) fn row(line: u32, cells: &[&str]) -> String {
    let cell = |(at, text): (usize, &&str)| {
        let column = char::from(b'A' + u8::try_from(at).unwrap());
        if text.is_empty() {
            String::new()
        } else if text.starts_with('<') {
            // As it stands, with its attributes behind the reference: `<t="e"><v>#N/A</v>`.
            let (about, inner) = text.trim_start_matches('<').split_once('>').unwrap();
            format!(r#"<c r="{column}{line}" {about}>{inner}</c>"#)
        } else if text.parse::<f64>().is_ok() {
            format!(r#"<c r="{column}{line}"><v>{text}</v></c>"#)
        } else {
            format!(r#"<c r="{column}{line}" t="inlineStr"><is><t>{text}</t></is></c>"#)
        }
    };
    let cells: String = cells.iter().enumerate().map(cell).collect();
    format!(r#"<row r="{line}">{cells}</row>"#)
}

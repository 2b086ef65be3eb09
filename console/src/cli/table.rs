//! Columns that line up, by the cells that a terminal gives to each letter.

use std::borrow::Cow;

use marsad_shared::untrusted;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::when::Look;

/// Between two columns.
const GAP: usize = 2;
/// A last column is never cut below this.
const LEAST: usize = 12;

/// What a word means for whoever reads it. Said by colour beside the word, never instead of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
}

/// One cell. Its text has passed the gate: it holds nothing that a terminal would obey.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Text from anywhere.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self { text: untrusted::show(text.as_ref()).into_owned(), tone: Tone::Plain }
    }

    /// Text from anywhere, in at most `most` letters.
    pub(crate) fn short(text: &str, most: usize) -> Self {
        Self { text: untrusted::show_at_most(text, most), tone: Tone::Plain }
    }

    pub(crate) fn of(text: &impl ToString) -> Self {
        Self::new(text.to_string())
    }

    /// What may be missing.
    pub(crate) fn maybe(text: Option<impl ToString>) -> Self {
        text.map_or_else(|| Self::new("-").tone(Tone::Dim), |text| Self::of(&text))
    }

    #[must_use]
    pub(crate) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// A column's head, and on which side its cells stand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
    /// A time: the head names the zone.
    Time(&'static str),
}

/// A table that may come in pages: the head once, and columns that never become narrower.
#[derive(Debug)]
pub(crate) struct Table {
    columns: &'static [Column],
    widths: Vec<usize>,
    headed: bool,
}

impl Table {
    pub(crate) fn new(columns: &'static [Column]) -> Self {
        Self { columns, widths: vec![0; columns.len()], headed: false }
    }

    /// A page of rows as text, each line ended.
    pub(crate) fn page(&mut self, rows: &[Vec<Cell>], look: &Look) -> String {
        let heads: Vec<Cell> = self.columns.iter().map(|column| column.head(look)).collect();
        for row in std::iter::once(&heads).chain(rows) {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        let mut text = String::new();
        if !self.headed {
            self.headed = true;
            self.line(&heads, look, &mut text);
        }
        for row in rows {
            self.line(row, look, &mut text);
        }
        text
    }

    fn line(&self, row: &[Cell], look: &Look, text: &mut String) {
        let (mut used, last) = (0, row.len().saturating_sub(1));
        let from = text.len();
        for (at, ((cell, width), column)) in
            row.iter().zip(&self.widths).zip(self.columns).enumerate()
        {
            if at > 0 {
                text.push_str(&" ".repeat(GAP));
                used += GAP;
            }
            let room = look.width.map(|all| all.saturating_sub(used).max(LEAST));
            let shown = match room {
                Some(room) if at == last => cut(&cell.text, room),
                _ => Cow::Borrowed(cell.text.as_str()),
            };
            let space = " ".repeat(width.saturating_sub(shown.width()));
            let painted = paint(&shown, cell.tone, look);
            match column {
                Column::Right(_) => text.extend([space.as_str(), &painted]),
                _ => text.extend([&painted, space.as_str()]),
            }
            used += width;
        }
        let end = text.get(from..).map_or(0, |line| line.trim_end_matches(' ').len());
        text.truncate(from + end);
        text.push('\n');
    }
}

impl Column {
    fn head(self, look: &Look) -> Cell {
        let text = match self {
            Self::Left(head) | Self::Right(head) => head.to_owned(),
            Self::Time(head) => format!("{head} {}", look.offset()),
        };
        Cell { text, tone: Tone::Dim }
    }
}

/// `text` in its tone, if colours are wanted.
pub(crate) fn paint<'a>(text: &'a str, tone: Tone, look: &Look) -> Cow<'a, str> {
    let code = match tone {
        Tone::Plain => return Cow::Borrowed(text),
        _ if !look.colour => return Cow::Borrowed(text),
        Tone::Good => 32,
        Tone::Warn => 33,
        Tone::Bad => 31,
        Tone::Dim => 2,
    };
    Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m"))
}

/// `text` in at most `room` cells, the last a `…` if something was cut; letters are never halved.
pub(crate) fn cut(text: &str, room: usize) -> Cow<'_, str> {
    if text.width() <= room {
        return Cow::Borrowed(text);
    }
    let (mut kept, mut used) = (String::new(), 0);
    for letter in text.graphemes(true) {
        used += letter.width();
        if used + 1 > room {
            break;
        }
        kept.push_str(letter);
    }
    if room > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(width: Option<usize>) -> Look {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(4));
        Look { now: jiff::Timestamp::UNIX_EPOCH, zone, colour: false, width }
    }

    const COLUMNS: &[Column] = &[Column::Left("NAME"), Column::Right("N"), Column::Time("AT")];

    fn row(name: &str, n: &str, at: &str) -> Vec<Cell> {
        vec![Cell::new(name), Cell::new(n), Cell::new(at)]
    }

    #[test]
    fn columns_line_up_by_cells() {
        let rows = [row("家族", "7", "x"), row("هيئة", "12", "y"), row("a", "3", "\u{1b}[2J")];
        assert_eq!(
            Table::new(COLUMNS).page(&rows, &look(None)),
            "NAME   N  AT +04:00\n家族   7  x\nهيئة  12  y\na      3  \\u{1b}[2J\n"
        );
    }

    #[test]
    fn a_second_page_has_no_head_and_keeps_the_columns() {
        let mut table = Table::new(COLUMNS);
        table.page(&[row("a-long-name", "1", "x")], &look(None));
        assert_eq!(table.page(&[row("b", "2", "y")], &look(None)), "b            2  y\n");
    }

    #[test]
    fn only_the_last_column_is_cut_and_only_on_a_terminal() {
        let rows = [row("name", "1", "a reason that is rather long")];
        assert_eq!(
            Table::new(COLUMNS).page(&rows, &look(Some(30))),
            "NAME  N  AT +04:00\nname  1  a reason that is rat…\n"
        );
    }

    #[test]
    fn a_cut_counts_cells() {
        for (text, room, expected, why) in [
            ("abc", 3, "abc", "it fits"),
            ("abcd", 3, "ab…", "the mark counts"),
            ("家族家", 4, "家…", "no half of a wide letter"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…", "a letter keeps its marks"),
            ("abc", 1, "…", "only the mark fits"),
            ("abc", 0, "", "nothing fits"),
        ] {
            assert_eq!(cut(text, room), expected, "{why}");
        }
    }

    #[test]
    fn colour_comes_only_where_it_is_wanted() {
        let plain = look(None);
        assert_eq!(paint("down", Tone::Bad, &plain), "down");
        let coloured = Look { colour: true, ..plain };
        assert!(paint("down", Tone::Bad, &coloured).starts_with('\u{1b}'));
        assert_eq!(paint("x", Tone::Plain, &coloured), "x");
    }
}

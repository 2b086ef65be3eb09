//! A list: its heading, the rows in the window, and what to say when there are none.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    Pen,
    columns::{self, Column, Width},
    panel, window,
};
use crate::{
    model::{Link, Model, Place, Row, Subject, View, row},
    text,
    theme::Tone,
};

/// The widest a column of a record gets.
const FIELD: usize = 24;

/// What a column of names takes.
const SAID: u16 = 20;

/// Draws the list of the place that is shown.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let inner = panel(model, area, buf, &title(model));
    if inner.is_empty() {
        return;
    }
    let place = model.here();
    let rows = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    if rows.is_empty() && !place.list.rows.is_empty() {
        // One line is left: the row that is selected, without a heading.
        return plain(model, place, inner, buf);
    }
    if place.list.rows.is_empty() {
        return empty(model, place, rows, buf);
    }
    if place.view == View::Records && place.subject.is_some() {
        records(model, place, inner, buf);
    } else {
        plain(model, place, inner, buf);
    }
}

/// The list's name with its digit, how much of it there is, and its order.
fn title(model: &Model) -> String {
    let place = model.here();
    let list = &place.list;
    let n = u64::try_from(list.rows.len()).unwrap_or(u64::MAX);
    let whole = list.loaded && list.begins && list.ends;
    let count = if whole { format!(" {}", columns::number(model, n)) } else { String::new() };
    let mut said = if let Some(subject) = &place.subject {
        let tabs = subject.tabs().iter().map(|tab| {
            let name = model.say(tab.key());
            if *tab == place.view { format!("[{name}{count}]") } else { name }
        });
        tabs.collect::<Vec<_>>().join("  ")
    } else {
        let digit = place.view.digit().map(|c| format!("{c} ")).unwrap_or_default();
        let count = if whole { format!(" ({})", columns::number(model, n)) } else { String::new() };
        format!("{digit}{}{count}", model.say(place.view.key()))
    };
    if !list.marks.is_empty() {
        let n = u64::try_from(list.marks.len()).unwrap_or(u64::MAX);
        said = format!("{said}  {}", model.say_with("list-marked", [("n", n.into())]));
    }
    if place.source().is_none() && matches!(place.view, View::Connections | View::Feeds) {
        let order = model.say(list.sort.by.key());
        let key = if list.sort.reversed { "sort-title_reversed" } else { "sort-title" };
        said = format!("{said}  {}", model.say_with(key, [("order", order.into())]));
    }
    said
}

fn empty(model: &Model, place: &Place, area: Rect, buf: &mut Buffer) {
    let list = &place.list;
    let mut pen = Pen::new(model, buf, area, 0);
    pen.skip(1);
    if let Some(problem) = &list.problem {
        for (at, part) in [&problem.what, &problem.why, &problem.remedy].into_iter().enumerate() {
            let line = u16::try_from(at).unwrap_or(u16::MAX);
            let mut pen = Pen::new(model, buf, area, line);
            pen.skip(1);
            pen.put(part, if at == 0 { Tone::Bad } else { Tone::Plain });
        }
    } else if !list.filter.is_empty() && list.loaded {
        pen.say(if list.ends { "list-no_hit" } else { "list-no_hit_yet" }, Tone::Dim);
        if place.view == View::Records && place.subject.is_some() {
            let mut pen = Pen::new(model, buf, area, 1);
            pen.skip(1);
            pen.say("list-by_key", Tone::Dim);
        }
    } else if list.loaded {
        let key = match place.view {
            View::Groups | View::Quarantine => "list-no_quarantine",
            View::Exchanges => "list-no_exchanges",
            _ => "list-empty",
        };
        pen.say(key, Tone::Dim);
    } else if matches!(model.link, Link::Away { .. }) {
        pen.say("msg-blocked_away", Tone::Dim); // and so nothing is on its way
    } else {
        pen.say("list-waiting", Tone::Dim);
    }
}

fn plain(model: &Model, place: &Place, area: Rect, buf: &mut Buffer) {
    // What is the same in every row stands above the list already, and leaves room for something else.
    let said: &[&str] = match (&place.subject, place.view) {
        // Where they differ, each says its own.
        (Some(Subject::Group(group)), _) if group.reason.contains('…') => &["noun-feed"],
        (Some(Subject::Group(_)), _) => &["noun-feed", "noun-reason"],
        (Some(Subject::Feed(_) | Subject::Run(_)), View::Runs | View::Quarantine) => &["noun-feed"],
        (Some(Subject::Connection(_)), View::Exchanges) => &["noun-connection"],
        _ => &[],
    };
    let room = if said.is_empty() { area.width } else { area.width.saturating_add(SAID) };
    let fitting: Vec<&Column> = columns::of(place.view)
        .iter()
        .filter(|column| !said.contains(&column.head) && column.from <= room)
        .collect();
    let headed = area.height > 1;
    let height = area.height - u16::from(headed);
    let top = if headed { place.list.top } else { place.list.selected };
    let seen: Vec<(usize, &Row)> = window(&place.list.rows, top, height).collect();
    let natural = |column: &Column| {
        let cells = seen.iter().map(|(_, row)| text::width(&(column.cell)(model, row).0));
        u16::try_from(cells.max().unwrap_or(0)).unwrap_or(u16::MAX)
    };
    let widths = widths(&fitting, area.width.saturating_sub(1), natural);
    let mut pen = Pen::new(model, buf, area, 0);
    pen.skip(1);
    if headed {
        for (column, width) in fitting.iter().zip(&widths) {
            let head = if column.head.is_empty() { String::new() } else { model.say(column.head) };
            pen.column(&head, *width, Tone::Dim, column.right);
            pen.skip(1);
        }
    }
    for (line, (at, row)) in (u16::from(headed)..).zip(&seen) {
        let mut pen = start(model, buf, area, line, *at == place.list.selected);
        for (column, width) in fitting.iter().zip(&widths) {
            let (mut text, mut tone) = (column.cell)(model, row);
            if column.head.is_empty() && place.list.marks.contains(&row.key()) {
                (text, tone) = ("*".to_owned(), Tone::Key);
            }
            pen.column(&text, *width, tone, column.right);
            pen.skip(1);
        }
    }
}

/// A pen at the beginning of a row; the selected one is marked without colour too.
pub(super) fn start<'a>(
    model: &'a Model,
    buf: &'a mut Buffer,
    area: Rect,
    line: u16,
    selected: bool,
) -> Pen<'a> {
    let mut pen = Pen::new(model, buf, area, line);
    pen.select(selected);
    pen.column(if selected { ">" } else { " " }, 1, Tone::Plain, false);
    pen
}

/// The least that a column of names gets, and that is left for each share.
const NAME: u16 = 10;
const SHARE: u16 = 4;

/// Fixed columns get what they ask for, names what they need as far as that goes, and the rest is shared out; where
/// nobody wants a share, the last name has it.
fn widths(columns: &[&Column], whole: u16, natural: impl Fn(&Column) -> u16) -> Vec<u16> {
    let gaps = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let (mut fixed, mut shares) = (gaps, 0);
    for column in columns {
        match column.width {
            Width::Cells(cells) => fixed += cells,
            Width::Share(share) => shares += share,
            Width::Name => {}
        }
    }
    let mut left = whole.saturating_sub(fixed);
    let mut names = columns.iter().filter(|column| matches!(column.width, Width::Name)).count();
    let mut wanted = shares;
    let mut widths = vec![0; columns.len()];
    for (width, column) in widths.iter_mut().zip(columns) {
        match column.width {
            Width::Cells(cells) => *width = cells,
            Width::Name => {
                let others = u16::try_from(names - 1).unwrap_or(u16::MAX).saturating_mul(NAME);
                let room = left.saturating_sub(others).saturating_sub(shares * SHARE);
                let last = names == 1 && shares == 0;
                *width = if last { left } else { natural(column).clamp(NAME, room.max(NAME)) };
                *width = (*width).min(left);
                left -= *width;
                names -= 1;
            }
            Width::Share(_) => {}
        }
    }
    for (width, column) in widths.iter_mut().zip(columns) {
        if let Width::Share(share) = column.width {
            let part = u32::from(left) * u32::from(share) / u32::from(wanted.max(1));
            *width = u16::try_from(part).unwrap_or(left);
            left -= *width;
            wanted -= share;
        }
    }
    widths
}

/// Records: a column for each field, as wide as what is in sight, as many as there is room for.
fn records(model: &Model, place: &Place, area: Rect, buf: &mut Buffer) {
    let height = area.height - 1;
    let seen: Vec<_> = window(&place.list.rows, place.list.top, height)
        .filter_map(|(at, row)| match row {
            Row::Record(record) => Some((at, record)),
            _ => None,
        })
        .collect();
    let Some((_, first)) = seen.first() else { return };
    let names: Vec<(&String, u16)> = first
        .fields
        .keys()
        .map(|name| {
            let cells = seen.iter().filter_map(|(_, record)| record.fields.get(name));
            let widest = cells.map(|value| text::width(&row::value(value))).max().unwrap_or(0);
            let width = widest.max(text::width(name)).min(FIELD);
            (name, u16::try_from(width).unwrap_or(u16::MAX))
        })
        .collect();
    let mut pen = Pen::new(model, buf, area, 0);
    pen.skip(3);
    pen.column(&model.say("col-changed_at"), 8, Tone::Dim, true);
    for (name, width) in &names {
        pen.skip(2);
        pen.column(name, *width, Tone::Dim, false);
    }
    for (line, (at, record)) in (1..).zip(&seen) {
        let mut pen = start(model, buf, area, line, *at == place.list.selected);
        let gone = if record.deleted_at.is_some() { "x " } else { "  " };
        pen.put(gone, Tone::Warn);
        pen.column(&columns::ago(model, Some(record.changed_at)), 8, Tone::Dim, true);
        for (name, width) in &names {
            pen.skip(2);
            let value = record.fields.get(*name).map(row::value).unwrap_or_default();
            pen.column(&value, *width, Tone::Plain, false);
        }
    }
}

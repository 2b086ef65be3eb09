//! What a place is about, and what is selected: the facts of one thing in a few lines.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Pen, panel};
use crate::{
    model::{Model, Row},
    text,
    theme::Tone,
};

mod facts;

/// A line of a summary: a name, what it says, how that matters.
type Line = (String, String, Tone);

/// What the place is about.
pub(super) fn subject(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(subject) = &model.here().subject else { return };
    block(model, area, buf, &subject.name(), &facts::about(model, subject));
}

/// What is selected, where there is room to show it beside the list.
pub(super) fn peek(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.height < 3 || area.width < 20 {
        return;
    }
    let (title, lines) = match model.selected() {
        Some(row) => (name(model, row), facts::selected(model, row)),
        None => (model.say("peek-nothing"), Vec::new()),
    };
    block(model, area, buf, &title, &lines);
}

fn name(model: &Model, row: &Row) -> String {
    match row {
        Row::Attempt(row) => format!("{} {}", model.say("noun-attempt"), row.number),
        Row::Fact(fact) => facts::label(model, &fact.name),
        row => row.key(),
    }
}

/// In one column, or in two where that is wide enough and the text is short.
fn block(model: &Model, area: Rect, buf: &mut Buffer, title: &str, lines: &[Line]) {
    if area.height < 3 {
        return;
    }
    let inner = panel(model, area, buf, title);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let mut y = 0;
    let label_of = |line: &Line| text::width(&line.0);
    let label = u16::try_from(lines.iter().map(label_of).max().unwrap_or(0)).unwrap_or(0).min(16);
    let room = usize::from(inner.width.saturating_sub(label + 2));
    let half = usize::from(inner.width / 2).saturating_sub(usize::from(label) + 3);
    let mut waiting: Option<&Line> = None;
    let short = |line: &Line| text::width(&line.1) <= half;
    for line in lines.iter().filter(|line| !line.1.is_empty()) {
        match waiting.take() {
            Some(first) if short(line) && half > 12 => {
                pair(model, inner, buf, y, label, (first, Some(line)));
                y += 1;
                continue;
            }
            Some(first) => {
                pair(model, inner, buf, y, label, (first, None));
                y += 1;
            }
            None => {}
        }
        if short(line) && half > 12 {
            waiting = Some(line);
        } else {
            for (at, part) in text::wrap(&line.1, room).iter().enumerate() {
                let mut pen = Pen::new(model, buf, inner, y);
                let head = if at == 0 { line.0.as_str() } else { "" };
                pen.column(head, label, Tone::Dim, false);
                pen.skip(2);
                pen.put(part, line.2);
                y += 1;
            }
        }
    }
    if let Some(first) = waiting {
        pair(model, inner, buf, y, label, (first, None));
    }
}

fn pair(
    model: &Model,
    area: Rect,
    buf: &mut Buffer,
    y: u16,
    label: u16,
    (first, second): (&Line, Option<&Line>),
) {
    let half = area.width / 2;
    let halves = [
        (Some(first), Rect { width: half, ..area }),
        (second, Rect { x: area.x + half, width: area.width - half, ..area }),
    ];
    for (line, area) in halves {
        let Some((name, value, tone)) = line else { continue };
        let mut pen = Pen::new(model, buf, area, y);
        pen.column(name, label, Tone::Dim, false);
        pen.skip(2);
        pen.put(value, *tone);
    }
}

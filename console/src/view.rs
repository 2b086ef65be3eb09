//! The frame and its blocks: every view reads the model, fills its area and decides nothing.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    symbols::{border, merge::MergeStrategy},
    widgets::{Block, Clear, Widget},
};

use crate::{
    model::{Model, Row, View, Weight, layout},
    text,
    theme::Tone,
};

mod bands;
mod columns;
mod list;
mod overview;
mod popup;
mod summary;

/// Draws everything.
pub fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let bands = layout::bands(model);
    bands::header(model, bands.header, buf);
    bands::banner(model, bands.banner, buf);
    if model.here().view == View::Overview {
        overview::draw(model, bands.body, buf);
    } else {
        let parts = layout::parts(model);
        summary::subject(model, parts.summary, buf);
        list::draw(model, parts.list, buf);
        summary::peek(model, parts.peek, buf);
    }
    bands::line(model, bands.line, buf);
    bands::footer(model, bands.footer, buf);
    popup::draw(model, area, buf);
}

/// A pen that writes on one line, from left to right, and stops at its end.
struct Pen<'a> {
    model: &'a Model,
    buf: &'a mut Buffer,
    x: u16,
    y: u16,
    end: u16,
    /// Lies over every tone: the look of the line under the cursor.
    over: Option<Style>,
}

impl<'a> Pen<'a> {
    /// A pen for line `line` of `area`.
    fn new(model: &'a Model, buf: &'a mut Buffer, area: Rect, line: u16) -> Self {
        let inside = line < area.height;
        let end = if inside { area.right() } else { area.x };
        Self { model, buf, x: area.x, y: area.y.saturating_add(line), end, over: None }
    }

    /// The same line under the cursor, all of it.
    fn select(&mut self, yes: bool) {
        if yes && self.end > self.x {
            let style = self.model.theme.selected(Tone::Plain);
            let line = Rect::new(self.x, self.y, self.end - self.x, 1);
            self.buf.set_style(line, style);
            self.over = Some(style);
        }
    }

    fn style(&self, tone: Tone) -> Style {
        match self.over {
            Some(_) => self.model.theme.selected(tone),
            None => self.model.theme.style(tone),
        }
    }

    fn left(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    fn put(&mut self, text: &str, tone: Tone) {
        let (left, style) = (self.left(), self.style(tone));
        self.x += text::paint(self.buf, (self.x, self.y), usize::from(left), text, style);
    }

    fn say(&mut self, key: &str, tone: Tone) {
        let said = self.model.say(key);
        self.put(&said, tone);
    }

    fn skip(&mut self, cells: u16) {
        self.x = self.x.saturating_add(cells).min(self.end);
    }

    /// The text in a column of `width` cells; the pen stands behind it then.
    fn column(&mut self, text: &str, width: u16, tone: Tone, right: bool) {
        let width = width.min(self.left());
        let (at, most, style) = ((self.x, self.y), usize::from(width), self.style(tone));
        if right {
            text::paint_right(self.buf, at, most, text, style);
        } else {
            text::paint(self.buf, at, most, text, style);
        }
        self.x += width;
    }

    /// The text at the end of the line, which is then so much shorter.
    fn tail(&mut self, text: &str, tone: Tone) {
        let width = u16::try_from(text::width(text)).unwrap_or(u16::MAX).min(self.left());
        let style = self.style(tone);
        let at = (self.end - width, self.y);
        text::paint(self.buf, at, usize::from(width), text, style);
        self.end -= width;
    }

    fn weight(&mut self, weight: Weight) {
        self.column(weight.symbol(), 3, weight.into(), false);
    }
}

/// A frame with a title, whose edges join those of its neighbours; what is inside.
fn panel(model: &Model, area: Rect, buf: &mut Buffer, title: &str) -> Rect {
    let area = area.intersection(buf.area);
    if area.width < 2 || area.height < 2 {
        return Rect { height: area.height, ..area };
    }
    let set = if model.theme.ascii { ASCII } else { border::PLAIN };
    let block = Block::bordered()
        .border_set(set)
        .border_style(model.theme.style(Tone::Dim))
        .merge_borders(MergeStrategy::Exact);
    let inner = block.inner(area);
    block.render(area, buf);
    if !title.is_empty() && area.width > 6 {
        let most = usize::from(area.width - 4);
        let style = model.theme.style(Tone::Title).remove_modifier(Modifier::DIM);
        text::paint(buf, (area.x + 2, area.y), most, &format!(" {title} "), style);
    }
    inner
}

const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Wipes what is under a popup.
fn clear(area: Rect, buf: &mut Buffer) {
    Clear.render(area.intersection(buf.area), buf);
}

/// The rows that a window of `height` lines shows, with their places in the list.
fn window(rows: &[Row], top: usize, height: u16) -> impl Iterator<Item = (usize, &Row)> {
    rows.iter().enumerate().skip(top).take(usize::from(height))
}

#[cfg(test)]
mod tests;

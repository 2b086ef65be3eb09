//! The overview: how many of each, what needs somebody now, how fresh each feed is, what runs, what happened last.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Pen, panel, summary};
use crate::{
    model::{Model, Row, layout},
    theme::Tone,
};

mod counts;
mod fresh;
mod needs;
mod work;

/// Draws the overview in the form that the space allows.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.width < 80 || area.height < 19 {
        small(model, area, buf);
    } else if area.width >= layout::WIDE && area.height >= 40 {
        large(model, area, buf);
    } else if area.width >= 110 && area.height >= 30 {
        medium(model, area, buf);
    } else {
        stacked(model, area, buf);
    }
}

/// Cuts `area` into blocks of so many rows between frames that share their edges; the one of 0 takes the rest.
fn stack<const N: usize>(area: Rect, contents: [u16; N]) -> [Rect; N] {
    let frames = u16::try_from(N).unwrap_or(u16::MAX).saturating_add(1);
    let rest = area.height.saturating_sub(frames).saturating_sub(contents.iter().sum());
    let mut y = area.y;
    contents.map(|content| {
        let height = if content == 0 { rest } else { content } + 2;
        let block = Rect { y, height, ..area }.intersection(area);
        y = y.saturating_add(height - 1);
        block
    })
}

/// Cuts a band into blocks side by side, at these columns, that share their edges.
fn side_by_side<const N: usize>(area: Rect, ends: [u16; N]) -> [Rect; N] {
    let mut x = area.x;
    ends.map(|end| {
        let block = Rect { x, width: (area.x + end).saturating_sub(x), ..area };
        x = area.x + end - 1;
        block
    })
}

fn needs_title(model: &Model, block: Rect) -> String {
    needs::needs_title(model, block.height.saturating_sub(2))
}

/// One block: the counts, and below them the list that holds the selection.
fn small(model: &Model, area: Rect, buf: &mut Buffer) {
    counts::counts_line(model, area, buf);
    if area.height < 2 {
        return;
    }
    let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let feeds = matches!(model.selected(), Some(Row::Feed(_)));
    let title =
        if feeds { fresh::freshness_title(model, area.width) } else { needs_title(model, below) };
    let inner = panel(model, below, buf, &title);
    if feeds {
        fresh::freshness(model, inner, buf);
    } else {
        needs::needs(model, inner, buf);
    }
}

/// 80x24: five blocks on top of each other.
fn stacked(model: &Model, area: Rect, buf: &mut Buffer) {
    let spare = area.height.saturating_sub(6 + 2 + 2);
    let running = work::running_lines(model).clamp(1, 2);
    // Not less when something runs: what needs somebody stands still while runs come and go.
    let needs = needs::needs_count(model).clamp(1, spare.saturating_sub(1) / 2);
    let [health, needs, fresh, running, events] = stack(area, [2, needs, 0, running, 2]);
    counts::health(model, panel(model, health, buf, &model.say("overview-health")), buf);
    needs::needs(model, panel(model, needs, buf, &needs_title(model, needs)), buf);
    let title = fresh::freshness_title(model, area.width);
    fresh::freshness(model, panel(model, fresh, buf, &title), buf);
    work::running(model, panel(model, running, buf, &model.say("overview-running")), buf);
    work::events(model, panel(model, events, buf, &model.say("overview-events")), buf);
}

/// 120x40: the same blocks in two columns, and what is selected.
fn medium(model: &Model, area: Rect, buf: &mut Buffer) {
    let busy = needs::needs_count(model).max(work::running_lines(model)).clamp(4, 10);
    let [health, upper, lower, events] = stack(area, [1, busy, 0, 5]);
    let middle = area.width * 3 / 5;
    let [needs, running] = side_by_side(upper, [middle, area.width]);
    let [fresh, peek] = side_by_side(lower, [middle, area.width]);
    counts::counts_line(model, panel(model, health, buf, &model.say("overview-health")), buf);
    needs::needs(model, panel(model, needs, buf, &needs_title(model, needs)), buf);
    let title = fresh::freshness_title(model, middle);
    fresh::freshness(model, panel(model, fresh, buf, &title), buf);
    work::running(model, panel(model, running, buf, &model.say("overview-running")), buf);
    summary::peek(model, peek, buf);
    work::events(model, panel(model, events, buf, &model.say("overview-events")), buf);
}

/// 200x60: three columns; the queue, the connections and the quarantine by feed join.
fn large(model: &Model, area: Rect, buf: &mut Buffer) {
    let lower = (area.height / 4).max(8);
    let [health, upper, lower, events] = stack(area, [1, 0, lower, area.height / 5]);
    let (first, second) = (area.width * 36 / 100, area.width * 72 / 100);
    let [needs, fresh, peek] = side_by_side(upper, [first, second, area.width]);
    let [running, links, held] = side_by_side(lower, [first, second, area.width]);
    counts::counts_line(model, panel(model, health, buf, &model.say("overview-health")), buf);
    needs::needs(model, panel(model, needs, buf, &needs_title(model, needs)), buf);
    let title = fresh::freshness_title(model, second - first);
    fresh::freshness(model, panel(model, fresh, buf, &title), buf);
    summary::peek(model, peek, buf);
    let inner = panel(model, running, buf, &model.say("overview-queue"));
    let used = work::running_lines(model).min(inner.height / 2).max(1);
    work::running(model, Rect { height: used.min(inner.height), ..inner }, buf);
    let queue = Rect {
        y: inner.y.saturating_add(used + 1),
        height: inner.height.saturating_sub(used + 1),
        ..inner
    };
    work::queue(model, queue, buf);
    work::links(model, panel(model, links, buf, &model.say("nav-connections")), buf);
    work::held(model, panel(model, held, buf, &model.say("overview-held")), buf);
    work::events(model, panel(model, events, buf, &model.say("overview-events")), buf);
}

/// A line of a block, with room at its left for the mark of the selection.
fn line<'a>(
    model: &'a Model,
    buf: &'a mut Buffer,
    area: Rect,
    line: u16,
    selected: bool,
) -> Pen<'a> {
    super::list::start(model, buf, area, line, selected)
}

/// What to say where there is nothing to show: that all is well is said only if nothing was left out.
fn nothing(model: &Model, none: &'static str, tone: Tone) -> (&'static str, Tone) {
    if model.status.is_none() {
        ("list-waiting", Tone::Dim)
    } else if model.here().list.filter.is_empty() {
        (none, tone)
    } else {
        ("list-no_hit", Tone::Dim)
    }
}

/// How many of `whole` to pass over so that `selected` is among the `height` shown.
fn skip(whole: usize, selected: Option<usize>, height: u16) -> usize {
    let height = usize::from(height).max(1);
    let last = whole.saturating_sub(height);
    selected.map_or(0, |selected| (selected + 1).saturating_sub(height)).min(last)
}

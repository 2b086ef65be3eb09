//! How fresh each feed is, against its own promise.

use marsad_shared::{freshness::Freshness, protocol::FeedRow};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{line, nothing, skip};
use crate::{
    model::{Model, Row, Weight, words},
    text,
    theme::Tone,
    view::{Pen, columns},
};

fn feeds(model: &Model) -> impl Iterator<Item = (usize, &FeedRow)> {
    model.here().list.rows.iter().enumerate().filter_map(|(at, row)| match row {
        Row::Feed(feed) => Some((at, feed.as_ref())),
        _ => None,
    })
}

pub(super) fn freshness_title(model: &Model, width: u16) -> String {
    let title = model.say("overview-freshness");
    if width < 70 {
        return title;
    }
    format!("{title}   {}", model.say("overview-legend"))
}

/// Each feed's age against its own promise.
pub(super) fn freshness(model: &Model, area: Rect, buf: &mut Buffer) {
    let selected = model.here().list.selected;
    let all: Vec<_> = feeds(model).collect();
    if all.is_empty() {
        let mut pen = Pen::new(model, buf, area, 0);
        pen.skip(1);
        let (key, tone) = nothing(model, "list-empty", Tone::Dim);
        pen.say(key, tone);
        return;
    }
    let more = all.len() > usize::from(area.height) && area.height > 1;
    let height = area.height - u16::from(more);
    let at = all.iter().position(|(at, _)| *at == selected);
    let before = skip(all.len(), at, height);
    let names = all.iter().skip(before).take(usize::from(height));
    let widest = names.map(|(_, feed)| text::width(feed.id.as_str())).max().unwrap_or(0);
    for (y, (at, feed)) in (0..height).zip(all.iter().skip(before)) {
        let mut pen = line(model, buf, area, y, *at == selected);
        freshness_line(&mut pen, model, feed, widest);
    }
    if more {
        let left = all.len().saturating_sub(before + usize::from(height));
        let n = u64::try_from(left).unwrap_or(u64::MAX);
        let mut pen = Pen::new(model, buf, area, height);
        pen.skip(1);
        pen.put(&model.say_with("overview-more", [("n", n.into())]), Tone::Dim);
    }
}

fn freshness_line(pen: &mut Pen<'_>, model: &Model, feed: &FeedRow, widest: usize) {
    let weight = Weight::from(feed.freshness);
    pen.weight(weight);
    let rest = pen.left();
    let state = 12.min(rest / 5);
    let name = u16::try_from(widest).unwrap_or(u16::MAX).clamp(10, (rest / 2).max(10));
    pen.column(feed.id.as_str(), name, Tone::Plain, false);
    pen.skip(1);
    let strip = rest.saturating_sub(name + state + 17);
    pen.column(&gauge(model, feed, strip), strip, weight.into(), false);
    pen.column(&columns::ago(model, feed.checked_at), 7, weight.into(), true);
    let promise = columns::promise(model, feed.every_s);
    let promise = if promise.is_empty() { String::new() } else { format!(" / {promise}") };
    pen.column(&promise, 8, Tone::Dim, false);
    pen.put(&model.say(words::fresh_key(feed.freshness)), weight.into());
}

/// Age against the promise: the whole strip is two promises, the deadline its middle. `.` within it, `-` and `#` past
/// it, `?` where nothing is known.
pub(super) fn gauge(model: &Model, feed: &FeedRow, width: u16) -> String {
    let Some(every) = feed.every_s.filter(|every| *every > 0) else { return String::new() };
    let Some(checked) = feed.checked_at else { return "?".repeat(usize::from(width)) };
    let age = u64::try_from(text::seconds_between(checked, model.now)).unwrap_or(0);
    let filled = age.saturating_mul(u64::from(width)) / every.saturating_mul(2).max(1);
    let middle = u64::from(width) / 2;
    let past = if feed.freshness == Freshness::Late { '-' } else { '#' };
    (0..u64::from(width))
        .map(|at| match (at < filled.max(1), at.cmp(&middle)) {
            (true, std::cmp::Ordering::Less) => '.',
            (true, _) => past,
            (false, std::cmp::Ordering::Equal) => '|',
            (false, _) => ' ',
        })
        .collect()
}

//! What is asked before something is done about quarantine.

use marsad_shared::protocol::{Problem, Replayed};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{lines, middle};
use crate::{
    model::{DiscardForm, Model, ReplayForm},
    text,
    theme::Tone,
    view::Pen,
};

/// The width of both windows.
const WIDTH: u16 = 68;

/// What a replay would do, and the yes.
pub(super) fn replay(model: &Model, area: Rect, buf: &mut Buffer, form: &ReplayForm) {
    let name = form.held.name.clone();
    let title = model.say_with("replay-title", [("feed", name.into())]);
    let said = match &form.preview {
        None => vec![(model.say("held-asking"), Tone::Dim)],
        Some(Err(problem)) => told(problem),
        Some(Ok(reply)) => {
            let sum = |count: fn(&Replayed) -> u64| -> u64 { reply.feeds.iter().map(count).sum() };
            let number = |key, n: u64| model.say_with(key, [("n", n.into())]);
            let accepted = sum(|told| told.accepted);
            let tone = if accepted > 0 { Tone::Good } else { Tone::Plain };
            let mut said = vec![
                (number("replay-would_accept", accepted), tone),
                (number("replay-would_refuse", sum(|told| told.refused)), Tone::Plain),
            ];
            let (newer, untried) = (sum(|told| told.newer), sum(|told| told.untried));
            if newer > 0 {
                said.push((number("replay-newer", newer), Tone::Warn));
            }
            if untried > 0 {
                said.push((number("replay-untried", untried), Tone::Plain));
            }
            let problem = reply.feeds.iter().find_map(|told| told.problem.clone());
            said.extend(problem.map(|problem| (problem, Tone::Bad)));
            said.push((model.say("replay-keeps"), Tone::Dim));
            said
        }
    };
    let ready = matches!(form.preview, Some(Ok(_)));
    let inner = middle(model, area, buf, (WIDTH, 10), &title);
    write(model, buf, inner, &said, 0);
    let last = inner.height.saturating_sub(1);
    let key = if ready { "confirm-accept_key" } else { "confirm-wait" };
    Pen::new(model, buf, inner, last).say(key, Tone::Key);
}

/// What discarding would do, why it is done, and what has to be typed.
pub(super) fn discard(model: &Model, area: Rect, buf: &mut Buffer, form: &DiscardForm) {
    let name = form.held.name.clone();
    let title = model.say_with("discard-title", [("feed", name.into())]);
    let said = match &form.preview {
        None => vec![(model.say("held-asking"), Tone::Dim)],
        Some(Err(problem)) => told(problem),
        Some(Ok(reply)) => vec![
            (model.say_with("discard-would", [("n", reply.discarded.into())]), Tone::Bad),
            (model.say("discard-keeps"), Tone::Plain),
        ],
    };
    let inner = middle(model, area, buf, (WIDTH, 12), &title);
    let used = write(model, buf, inner, &said, 0);
    let Some(phrase) = form.phrase() else {
        let last = inner.height.saturating_sub(1);
        return Pen::new(model, buf, inner, last).say("discard-wait", Tone::Key);
    };
    let why = model.say("discard-why");
    field(model, buf, inner, used + 1, (&why, form.reason.value(), !form.confirms));
    let asks = model.say_with("discard-type", [("id", phrase.into())]);
    field(model, buf, inner, used + 3, (&asks, form.typed.value(), form.confirms));
    let last = inner.height.saturating_sub(1);
    Pen::new(model, buf, inner, last).say("discard-keys", Tone::Key);
}

/// A line to type into, behind what it asks for on a line of its own; the one that keys go to is marked.
pub(super) fn field(
    model: &Model,
    buf: &mut Buffer,
    inner: Rect,
    y: u16,
    (asks, value, active): (&str, &str, bool),
) {
    if y + 1 >= inner.height.saturating_sub(1) {
        return;
    }
    Pen::new(model, buf, inner, y).put(asks, if active { Tone::Title } else { Tone::Dim });
    let mut pen = Pen::new(model, buf, inner, y + 1);
    pen.put(if active { "> " } else { "  " }, Tone::Key);
    pen.put(value, Tone::Plain);
    if active {
        pen.put("_", Tone::Key);
    }
}

fn told(problem: &Problem) -> Vec<(String, Tone)> {
    vec![
        (problem.what.clone(), Tone::Bad),
        (problem.why.clone(), Tone::Plain),
        (problem.remedy.clone(), Tone::Plain),
    ]
}

/// Writes lines from `y` on, wrapped, above the last line; gives the line behind them.
pub(super) fn write(
    model: &Model,
    buf: &mut Buffer,
    inner: Rect,
    said: &[(String, Tone)],
    mut y: u16,
) -> u16 {
    for (text, tone) in said {
        for part in text::wrap(text, usize::from(inner.width)) {
            if y < inner.height.saturating_sub(1) {
                Pen::new(model, buf, inner, y).put(&part, *tone);
            }
            y = y.saturating_add(lines(1));
        }
    }
    y
}

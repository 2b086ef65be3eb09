//! What lies over the screen: the help, the menu, forms, questions, completions.

use marsad_shared::protocol::{Preview, RunVerb, SchemaVerb};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Pen, clear, columns, panel};
use crate::{
    keys::{Mode, TABLE},
    model::{Cause, Deed, Form, Item, Model, Popup, Reach, actions, layout, palette, words},
    text,
    theme::Tone,
};

mod decide;
mod held;

/// Draws what is in front, if anything is.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    match &model.popup {
        None | Some(Popup::Filter { .. }) => {}
        Some(Popup::Help { top }) => help(model, area, buf, *top),
        Some(Popup::Menu { items, selected }) => menu(model, area, buf, items, *selected),
        Some(Popup::Resync(form)) => resync(model, area, buf, form),
        Some(Popup::Replay(form)) => held::replay(model, area, buf, form),
        Some(Popup::Discard(form)) => held::discard(model, area, buf, form),
        Some(Popup::Decide(form)) => decide::draw(model, area, buf, form),
        Some(Popup::Confirm(deed)) => confirm(model, area, buf, deed),
        Some(Popup::Why { lines, top }) => why(model, area, buf, lines, *top),
        Some(Popup::Palette { input, selected }) => {
            completions(model, buf, &palette::completions(model, input.value()), *selected);
        }
    }
}

/// A window in the middle, at most as large as the screen; what is inside its frame.
fn middle(model: &Model, area: Rect, buf: &mut Buffer, (w, h): (u16, u16), title: &str) -> Rect {
    let (width, height) = (w.min(area.width), h.min(area.height));
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    let window = Rect::new(x, y, width, height);
    clear(window, buf);
    let inner = panel(model, window, buf, title);
    Rect { x: inner.x.saturating_add(1), width: inner.width.saturating_sub(2), ..inner }
}

fn lines(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// Every key that works here, from the keymap itself, in as many columns as there is room for.
fn help(model: &Model, area: Rect, buf: &mut Buffer, top: usize) {
    let all: Vec<_> = TABLE
        .iter()
        .filter(|binding| binding.mode == Mode::Browse)
        .map(|binding| {
            let keys: Vec<_> = binding.chords.iter().map(|chord| chord.label()).collect();
            (keys.join(" "), model.say(binding.says))
        })
        .collect();
    let columns = if area.width >= 76 { 2 } else { 1 };
    let rows = all.len().div_ceil(columns);
    let size = (76, lines(rows).saturating_add(4));
    let inner = middle(model, area, buf, size, &model.say("nav-help"));
    let height = usize::from(inner.height.saturating_sub(2));
    let top = top.min(rows.saturating_sub(height));
    let width = inner.width / lines(columns).max(1);
    for (at, (keys, says)) in all.iter().enumerate() {
        let (column, row) = (at / rows.max(1), at % rows.max(1));
        let Some(y) = row.checked_sub(top).filter(|y| *y < height) else { continue };
        let cell = Rect { x: inner.x + lines(column) * width, width, ..inner };
        let mut pen = Pen::new(model, buf, cell, lines(y));
        pen.column(keys, 11, Tone::Key, false);
        pen.put(says, Tone::Plain);
    }
    let note = inner.height.saturating_sub(1);
    Pen::new(model, buf, inner, note).say("help-filter", Tone::Dim);
}

fn menu(model: &Model, area: Rect, buf: &mut Buffer, items: &[Item], selected: usize) {
    let size = (64, lines(items.len()).saturating_add(2));
    let inner = middle(model, area, buf, size, &model.say("key-actions"));
    let height = usize::from(inner.height);
    let top = (selected + 1).saturating_sub(height.max(1));
    for (at, item) in items.iter().enumerate().skip(top).take(height) {
        let mut pen = super::list::start(model, buf, inner, lines(at - top), at == selected);
        let tone = if item.blocked.is_some() { Tone::Dim } else { Tone::Plain };
        pen.column(&model.say(item.choice.key()), 16, tone, false);
        pen.skip(1);
        if let Some(why) = &item.blocked {
            pen.put(why, Tone::Warn);
        }
    }
}

fn resync(model: &Model, area: Rect, buf: &mut Buffer, form: &Form) {
    let title = model.say_with("resync-title", [("feed", form.feed.to_string().into())]);
    let inner = middle(model, area, buf, (72, 14), &title);
    let mut y = 0;
    let mut next = || {
        y += 1;
        y - 1
    };
    // In as many lines as they take.
    let mut pen = Pen::new(model, buf, inner, next());
    let mut used = 0;
    for reach in Reach::ALL {
        let says = model.say(reach.key());
        let takes = text::width(&says) + 7;
        if used + takes > usize::from(inner.width) {
            (pen, used) = (Pen::new(model, buf, inner, next()), 0);
        }
        used += takes;
        let chosen = form.reach == reach;
        pen.put(if chosen { "(x) " } else { "( ) " }, Tone::Key);
        pen.put(&says, if chosen { Tone::Title } else { Tone::Dim });
        pen.skip(3);
    }
    next();
    let said: Vec<(String, Tone)> = match &form.preview {
        None => vec![(model.say("resync-asking"), Tone::Dim)],
        Some(Err(problem)) => vec![
            (problem.what.clone(), Tone::Bad),
            (problem.why.clone(), Tone::Plain),
            (problem.remedy.clone(), Tone::Plain),
        ],
        Some(Ok(preview)) => {
            let from = preview.from.clone().unwrap_or_else(|| model.say("resync-beginning"));
            let number = |n: Option<u64>| match n {
                Some(n) => columns::number(model, n),
                None => model.say("fresh-unknown"),
            };
            let took = preview.duration_s.and_then(|s| i64::try_from(s).ok()).map_or_else(
                || model.say("fresh-unknown"),
                |seconds| text::span(&model.catalogue, seconds),
            );
            let after = match preview.after_run {
                Some(run) => model.say_with("resync-after", [("id", run.to_string().into())]),
                None => model.say("resync-no_past"),
            };
            vec![
                (model.say_with("resync-from", [("from", from.into())]), Tone::Plain),
                (
                    model.say_with(
                        "resync-reads",
                        [
                            ("rows", number(preview.rows).into()),
                            ("pages", number(preview.pages).into()),
                            ("time", took.into()),
                        ],
                    ),
                    Tone::Plain,
                ),
                (after, Tone::Dim),
                (model.say_with(keeps(form.reach), [("n", preview.rows_now.into())]), Tone::Plain),
            ]
            .into_iter()
            .chain(budget(model, preview))
            .collect()
        }
    };
    for (text, tone) in said {
        for part in text::wrap(&text, usize::from(inner.width)) {
            Pen::new(model, buf, inner, next()).put(&part, tone);
        }
    }
    let last = inner.height.saturating_sub(1);
    let key =
        if matches!(form.preview, Some(Ok(_))) { "confirm-accept_key" } else { "confirm-wait" };
    Pen::new(model, buf, inner, last).say(key, Tone::Key);
}

/// What becomes of what is there, by the key of its sentence in the catalogue.
const fn keeps(reach: Reach) -> &'static str {
    match reach {
        Reach::Incremental => "resync-keeps",
        Reach::Full => "resync-replaces",
        Reach::Look => "resync-waits",
        Reach::Day | Reach::Week => "resync-stretch",
    }
}

/// What it takes of the partner's budget.
fn budget(model: &Model, preview: &Preview) -> Option<(String, Tone)> {
    let budget = preview.budget.as_ref()?;
    let tone = if preview.pages.is_some_and(|pages| pages > budget.left) {
        Tone::Warn
    } else {
        Tone::Plain
    };
    let args = [("left", budget.left.into()), ("limit", budget.limit.into())];
    Some((model.say_with("resync-budget", args), tone))
}

/// The question before an act: what becomes of it.
fn confirm(model: &Model, area: Rect, buf: &mut Buffer, deed: &Deed) {
    let (title, said) = match deed {
        Deed::Quit => (model.say("act-quit"), vec![model.say("confirm-quit")]),
        Deed::Run(verb, row) => {
            let (verb, said) = (*verb, actions::run_key(*verb));
            let args = [("verb", model.say(said).into()), ("id", row.id.to_string().into())];
            let what =
                if verb == RunVerb::Cancel { "confirm-run_cancel" } else { "confirm-run_discard" };
            (model.say_with("confirm-exchange", args), vec![row.feed.to_string(), model.say(what)])
        }
        Deed::Schema(verb, row) => {
            let (verb, means) = match verb {
                SchemaVerb::Approve => ("act-approve_columns", "confirm-approve_columns"),
                SchemaVerb::Refuse => ("act-refuse_columns", "confirm-refuse_columns"),
            };
            let verb = model.say(verb);
            let args = [("verb", verb.into()), ("id", row.id.to_string().into())];
            let title = model.say_with("confirm-exchange", args);
            (title, vec![words::drift(model, row), model.say(means)])
        }
        Deed::Exchange(verb, row) => {
            let from = model.say(words::state_key(row.state));
            let to = actions::standing(row).next(actions::event(*verb)).map_or_else(
                |_| model.say("fresh-unknown"),
                |next| model.say(words::state_key(next.state)),
            );
            let verb = model.say(actions::verb_key(*verb));
            let title = model.say_with(
                "confirm-exchange",
                [("verb", verb.into()), ("id", row.id.to_string().into())],
            );
            let steps = model.say_with("confirm-step", [("from", from.into()), ("to", to.into())]);
            (title, vec![format!("{}  {}", row.name, row.connection), steps])
        }
    };
    let inner = middle(model, area, buf, (64, 7), &title);
    let parts = said.iter().flat_map(|text| text::wrap(text, usize::from(inner.width)));
    for (y, part) in (0..inner.height.saturating_sub(1)).zip(parts) {
        Pen::new(model, buf, inner, y).put(&part, Tone::Plain);
    }
    let last = inner.height.saturating_sub(1);
    Pen::new(model, buf, inner, last).say("confirm-accept_key", Tone::Key);
}

fn why(model: &Model, area: Rect, buf: &mut Buffer, causes: &[Cause], top: usize) {
    let width = area.width.saturating_sub(4).min(100);
    let room = usize::from(width.saturating_sub(4 + 6));
    let mut all = Vec::new();
    for (step, cause) in causes.iter().enumerate() {
        for (at, part) in text::wrap(&cause.text, room).into_iter().enumerate() {
            let sign = if at > 0 {
                ""
            } else if step == 0 {
                cause.weight.symbol()
            } else if cause.effect {
                "->"
            } else {
                "<-"
            };
            all.push((sign, part, cause.weight));
        }
    }
    let size = (width, lines(all.len()).saturating_add(2));
    let inner = middle(model, area, buf, size, &model.say("act-why"));
    let top = top.min(all.len().saturating_sub(usize::from(inner.height)));
    for (y, (sign, text, weight)) in (0..inner.height).zip(all.iter().skip(top)) {
        let mut pen = Pen::new(model, buf, inner, y);
        pen.column(sign, 3, (*weight).into(), false);
        pen.put(text, (*weight).into());
    }
}

/// How the line of the palette could go on, right above it.
fn completions(model: &Model, buf: &mut Buffer, offered: &[String], selected: usize) {
    let bands = layout::bands(model);
    let height = lines(offered.len()).min(bands.body.height);
    if height == 0 {
        return;
    }
    let width = offered.iter().map(|line| text::width(line)).max().unwrap_or(0);
    let area = Rect {
        y: bands.body.bottom() - height,
        height,
        width: lines(width).saturating_add(3).min(bands.body.width),
        ..bands.body
    };
    clear(area, buf);
    for (y, line) in (0..height).zip(offered) {
        let mut pen = super::list::start(model, buf, area, y, usize::from(y) == selected);
        pen.put(line, Tone::Plain);
    }
}

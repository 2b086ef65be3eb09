//! The bands at the top and the bottom that every screen has.

use ratatui::{buffer::Buffer, layout::Rect};

use super::Pen;
use crate::{
    keys::{self, Mode},
    model::{Link, Model, Popup, View},
    text,
    theme::Tone,
};

/// Name and path, site, mode, the age of the newest fact, the daemon, the clock. What matters least goes first when
/// there is no room.
pub(super) fn header(model: &Model, area: Rect, buf: &mut Buffer) {
    let mut pen = Pen::new(model, buf, area, 0);
    pen.tail(&format!(" {} ", text::clock(model.now, &model.zone)), Tone::Plain);
    let (link, tone) = link(model);
    if area.width >= 40 {
        pen.tail(&format!(" {link}"), tone);
    }
    if area.width >= 100
        && let Some(daemon) = daemon(model)
    {
        pen.tail(&format!(" {daemon} "), Tone::Dim);
    }
    pen.skip(1);
    pen.say("app-title-short", Tone::Title);
    let overview = model.trail.is_root() && model.here().view == View::Overview;
    if area.width >= if overview { 60 } else { 100 } && !model.site.is_empty() {
        let site = model.say_with("header-site", [("site", model.site.clone().into())]);
        pen.put(&format!("  {site}"), Tone::Dim);
    }
    let mut path: Vec<String> = Vec::new();
    for (at, place) in model.trail.places().enumerate() {
        if at == 0 {
            path.push(model.say(place.view.key()));
        } else if let Some(subject) = &place.subject {
            path.push(subject.name());
        }
    }
    for name in path {
        pen.put(" › ", Tone::Dim);
        pen.put(&name, Tone::Plain);
    }
    if overview
        && area.width < 100
        && let Some(daemon) = daemon(model)
        && text::width(&daemon) + 2 <= usize::from(pen.left())
    {
        pen.put(&format!("  {daemon}"), Tone::Dim);
    }
}

fn link(model: &Model) -> (String, Tone) {
    match &model.link {
        Link::Connecting => (model.say("mode-connecting"), Tone::Dim),
        Link::Away { since, .. } => {
            let age = text::age(&model.catalogue, model.now, *since);
            (model.say_with("header-away", [("age", age.into())]), Tone::Bad)
        }
        Link::Offline => {
            let seen = model.status.as_ref().and_then(|status| status.daemon.seen_at);
            let time = seen
                .map_or_else(|| model.say("never"), |at| text::moment(at, model.now, &model.zone));
            (model.say_with("header-offline", [("time", time.into())]), Tone::Warn)
        }
        Link::Live => match model.newest() {
            Some(at) => {
                let age = text::age(&model.catalogue, model.now, at);
                (model.say_with("header-live", [("age", age.into())]), Tone::Good)
            }
            None => (model.say("mode-live"), Tone::Good),
        },
    }
}

fn daemon(model: &Model) -> Option<String> {
    if matches!(model.link, Link::Away { .. } | Link::Offline) {
        return None; // the top line says so already, louder
    }
    let daemon = &model.status.as_ref()?.daemon;
    let version = daemon.version.clone().unwrap_or_default();
    let started = daemon.started_at.filter(|_| daemon.running && model.link == Link::Live);
    Some(match started {
        Some(at) => {
            let age = text::age(&model.catalogue, model.now, at);
            model.say_with("header-daemon", [("version", version.into()), ("age", age.into())])
        }
        None => model.say_with("header-daemon_off", [("version", version.into())]),
    })
}

/// Since when the daemon is away.
pub(super) fn banner(model: &Model, area: Rect, buf: &mut Buffer) {
    let Link::Away { since, why } = &model.link else { return };
    let mut pen = Pen::new(model, buf, area, 0);
    pen.select(true);
    let time = text::moment(*since, model.now, &model.zone);
    let age = text::age(&model.catalogue, model.now, *since);
    pen.put(" !! ", Tone::Bad);
    pen.put(&model.say_with("msg-daemon_away", [("time", time.into())]), Tone::Bad);
    pen.put(" ", Tone::Plain);
    pen.put(&model.say_with("banner-away", [("age", age.into())]), Tone::Bad);
    pen.put("  ", Tone::Plain);
    pen.put(why, Tone::Plain);
}

/// What is typed, or else a toast, or else the filter that is on.
pub(super) fn line(model: &Model, area: Rect, buf: &mut Buffer) {
    let mut pen = Pen::new(model, buf, area, 0);
    match &model.popup {
        Some(Popup::Filter { input, .. }) => {
            let hits = hits(model);
            pen.tail(&format!(" {hits} "), Tone::Dim);
            prompt(&mut pen, "/", input);
        }
        Some(Popup::Palette { input, .. }) => prompt(&mut pen, ":", input),
        _ => {
            pen.skip(1);
            let filter = model.here().list.filter.text();
            match &model.toast {
                Some(toast) => {
                    if !filter.is_empty() {
                        pen.tail(&text::fit(&format!("  /{filter} "), 24), Tone::Key);
                    }
                    pen.put(&toast.text, toast.tone);
                }
                None if !filter.is_empty() => {
                    pen.put(&format!("/{filter}"), Tone::Key);
                    pen.put("  ", Tone::Plain);
                    pen.put(&hits(model), Tone::Dim);
                }
                None => {}
            }
        }
    }
}

/// A line of input with its caret, scrolled so that the caret is in sight.
fn prompt(pen: &mut Pen<'_>, sign: &str, input: &tui_input::Input) {
    pen.put(&format!(" {sign}"), Tone::Key);
    let room = usize::from(pen.left()).saturating_sub(2);
    let skip = input.visual_scroll(room);
    let mut column = 0;
    let mut shown = String::new();
    for c in input.value().chars() {
        if column >= skip {
            shown.push(c);
        }
        column += text::width(c.encode_utf8(&mut [0; 4]));
    }
    let caret = u16::try_from(input.visual_cursor().saturating_sub(skip)).unwrap_or(u16::MAX);
    let (x, y) = (pen.x.saturating_add(caret), pen.y);
    pen.put(&shown, Tone::Plain);
    if x < pen.end {
        let cell = Rect::new(x, y, 1, 1);
        pen.buf.set_style(cell, pen.model.theme.selected(Tone::Plain));
    }
}

/// How many rows pass the filter, as far as it has looked.
fn hits(model: &Model) -> String {
    let list = &model.here().list;
    let n = u64::try_from(list.rows.len()).unwrap_or(u64::MAX);
    let scanned = u64::try_from(list.scanned).unwrap_or(u64::MAX);
    if model.here().source().is_none() || list.ends && list.begins {
        return model.catalogue.count("filter-hits", n);
    }
    let args = [("n", n.into()), ("scanned", scanned.into())];
    let key = if list.paused_scan() { "filter-paused" } else { "filter-so_far" };
    model.say_with(key, args)
}

/// The keys that work here, as many as there is room for.
pub(super) fn footer(model: &Model, area: Rect, buf: &mut Buffer) {
    let mut pen = Pen::new(model, buf, area, 0);
    pen.skip(1);
    for binding in keys::footer(Mode::of(model)) {
        let key = binding.chords.first().map(|chord| chord.label()).unwrap_or_default();
        let says = model.catalogue.say(binding.says);
        let wide = text::width(&key) + text::width(&says) + 3;
        if usize::from(pen.left()) < wide {
            break;
        }
        pen.put(&key, Tone::Key);
        pen.put(&format!(" {says}  "), Tone::Dim);
    }
}

//! What needs somebody now.

use std::sync::Arc;

use marsad_shared::exchange::State;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{line, nothing, skip};
use crate::{
    model::{About, Model, Row, Trouble},
    text,
    theme::Tone,
    view::{Pen, columns},
};

fn troubles(model: &Model) -> impl Iterator<Item = (usize, &Arc<Trouble>)> {
    model.here().list.rows.iter().enumerate().filter_map(|(at, row)| match row {
        Row::Trouble(trouble) => Some((at, trouble)),
        _ => None,
    })
}

/// How many lines what needs somebody would fill.
pub(super) fn needs_count(model: &Model) -> u16 {
    u16::try_from(troubles(model).count()).unwrap_or(u16::MAX)
}

/// Its title for a block of `height` rows: what is worse and out of sight is told.
pub(super) fn needs_title(model: &Model, height: u16) -> String {
    let selected = model.here().list.selected;
    let all = troubles(model).count();
    let at = troubles(model).position(|(at, _)| at == selected);
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX).into();
    let title = model.say_with("overview-needs", [("n", number(all))]);
    match skip(all, at, height) {
        0 => title,
        above => {
            let above = model.say_with("overview-above", [("n", number(above))]);
            format!("{title}  {above}")
        }
    }
}

/// What needs somebody now, the worst first.
pub(super) fn needs(model: &Model, area: Rect, buf: &mut Buffer) {
    let selected = model.here().list.selected;
    let all: Vec<_> = troubles(model).collect();
    if all.is_empty() {
        let mut pen = Pen::new(model, buf, area, 0);
        pen.skip(1);
        let (key, tone) = nothing(model, "overview-all_well", Tone::Good);
        pen.say(key, tone);
        return;
    }
    let at = all.iter().position(|(at, _)| *at == selected);
    let before = skip(all.len(), at, area.height);
    let shown = all.iter().skip(before);
    let seen = shown.clone().take(usize::from(area.height));
    let widest = seen.map(|(_, trouble)| text::width(&said(model, trouble).1)).max().unwrap_or(0);
    let name = u16::try_from(widest).unwrap_or(u16::MAX).clamp(12, 24);
    for (y, (at, trouble)) in (0..area.height).zip(shown) {
        let mut pen = line(model, buf, area, y, *at == selected);
        pen.weight(trouble.weight);
        let row = Row::Trouble(Arc::clone(trouble));
        pen.column(&columns::state(model, &row), 12, trouble.weight.into(), false);
        pen.skip(1);
        let (kind, id, rest) = said(model, trouble);
        pen.column(&kind, 5, Tone::Dim, false);
        pen.column(&id, name.min((pen.left() / 2).max(12)), Tone::Plain, false);
        pen.skip(1);
        let age = trouble.since.map(|at| text::age(&model.catalogue, model.now, at));
        pen.column(&age.unwrap_or_default(), 5, Tone::Plain, true);
        pen.skip(2);
        pen.put(&rest, Tone::Plain);
    }
}

/// The kind of thing, its id, and what there is to say of it.
fn said(model: &Model, trouble: &Trouble) -> (String, String, String) {
    match &trouble.about {
        About::Connection(row, hit) => {
            let n = u64::try_from(*hit).unwrap_or(u64::MAX);
            let reason = columns::gist(row.reason.as_ref());
            let hit = if *hit > 0 {
                model.say_with("trouble-feeds_hit", [("n", n.into())])
            } else {
                String::new()
            };
            let gap = if reason.is_empty() || hit.is_empty() { "" } else { "  " };
            (model.say("kind-connection"), row.id.to_string(), format!("{hit}{gap}{reason}"))
        }
        About::Feed(row) => {
            let promise = columns::promise(model, row.every_s);
            let promised = if promise.is_empty() {
                String::new()
            } else {
                model.say_with("trouble-promised", [("promise", promise.into())])
            };
            let reason = columns::gist(row.reason.as_ref());
            let gap = if promised.is_empty() || reason.is_empty() { "" } else { "  " };
            (model.say("kind-feed"), row.id.to_string(), format!("{promised}{gap}{reason}"))
        }
        About::LastRun(row) => {
            let why = match &row.reason {
                Some(reason) => text::gist(reason).to_owned(),
                None => model.say("trouble-last_run"),
            };
            (model.say("kind-run"), row.id.to_string(), why)
        }
        About::Held(row) => {
            let args = [("n", row.quarantine.into())];
            (model.say("kind-quarantine"), row.id.to_string(), model.say_with("trouble-held", args))
        }
        About::Exchanges(state, n) => {
            let n = model.catalogue.count("count-exchanges", *n);
            let in_doubt = *state == State::InDoubt; // asked about by itself, where the partner can be asked
            let key = if in_doubt { "trouble-in_doubt" } else { "trouble-exchanges" };
            (model.say("kind-exchange"), n, model.say(key))
        }
    }
}

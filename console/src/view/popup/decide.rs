//! What is asked before a decision about a run changes the bank.

use marsad_shared::protocol::RunVerb;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    held::{field, write},
    middle,
};
use crate::{
    model::{DecideForm, Model, actions},
    theme::Tone,
    view::Pen,
};

/// What it would do, and the run's id to be typed.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer, form: &DecideForm) {
    let (run, id) = (&form.run, form.run.id.to_string());
    let verb = model.say(actions::run_key(form.verb));
    let args = [("verb", verb.into()), ("id", id.clone().into())];
    let title = model.say_with("confirm-exchange", args);
    let counts = run.counts;
    let gone = counts.deleted + counts.absent;
    let does = |key| {
        let args = [
            ("new", counts.inserted.into()),
            ("changed", counts.updated.into()),
            ("gone", gone.into()),
        ];
        model.say_with(key, args)
    };
    let mut said = vec![(run.feed.to_string(), Tone::Title)];
    match form.verb {
        RunVerb::Undo => {
            said.push((does("decide-undo"), Tone::Plain));
            said.push((model.say("decide-undo_next"), Tone::Dim));
        }
        _ if run.waits => {
            let tone = if gone > 0 { Tone::Bad } else { Tone::Plain };
            said.push((does("decide-release"), tone));
            said.push((model.say("decide-release_undo"), Tone::Dim));
        }
        _ => said.push((model.say("decide-again"), Tone::Plain)),
    }
    let inner = middle(model, area, buf, (68, 12), &title);
    let used = write(model, buf, inner, &said, 0);
    let asks = model.say_with("discard-type", [("id", id.into())]);
    field(model, buf, inner, used + 1, (&asks, form.typed.value(), true));
    let last = inner.height.saturating_sub(1);
    Pen::new(model, buf, inner, last).say("decide-keys", Tone::Key);
}

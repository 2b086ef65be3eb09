//! Quarantine: marking items, and what is done about them: a replay that is agreed to, a discard that is typed.

use marsad_shared::{
    protocol::{Discard, DiscardReply, Problem, Replay, ReplayReply},
    role::Act,
};
use tui_input::InputRequest;

use super::data::refused;
use crate::{
    keys::Action,
    message::Effect,
    model::{DiscardForm, Model, Popup, ReplayForm, Subject, actions},
    theme::Tone,
};

/// The longest reason, and the longest confirmation, in characters.
const LONGEST: usize = 200;

/// Marks the selected item, or takes its mark away.
pub(super) fn mark(model: &mut Model) {
    let height = model.height();
    if !model.here_mut().list.mark(height) {
        model.tell(model.say("msg-no_marks"), Tone::Dim);
    }
}

/// Asks what a replay would do.
pub(super) fn open_replay(model: &mut Model) -> Option<Effect> {
    let held = may(model, Act::ReplayQuarantine)?;
    let form = ReplayForm::new(held);
    let question = form.order(true);
    model.popup = Some(Popup::Replay(Box::new(form)));
    Some(Effect::Replay(question))
}

/// Asks what discarding would do.
pub(super) fn open_discard(model: &mut Model) -> Option<Effect> {
    let held = may(model, Act::DiscardQuarantine)?;
    let form = DiscardForm::new(held);
    let question = form.order(true);
    model.popup = Some(Popup::Discard(Box::new(form)));
    Some(Effect::Discard(question))
}

fn may(model: &mut Model, act: Act) -> Option<crate::model::Held> {
    if let Some(why) = actions::blocked(model, act) {
        model.tell(why, Tone::Warn);
        return None;
    }
    actions::held(model)
}

/// The answer to a replay's preview: only what was seen can be agreed to.
pub(super) fn answer(model: &mut Model, action: Action) -> Option<Effect> {
    let Some(Popup::Replay(form)) = &model.popup else { return None };
    match action {
        Action::Accept if matches!(form.preview, Some(Ok(_))) => {
            let order = form.order(false);
            model.popup = None;
            model.tell(model.say("msg-replaying"), Tone::Note);
            Some(Effect::Replay(order))
        }
        Action::Refuse => {
            model.popup = None;
            None
        }
        _ => None,
    }
}

/// Keys of a discard that are no text.
pub(super) fn act(model: &mut Model, action: Action) {
    let Some(Popup::Discard(form)) = &mut model.popup else { return };
    match action {
        Action::Toggle => form.confirms = !form.confirms,
        Action::Refuse => model.popup = None,
        _ => {}
    }
}

/// A key for the reason, or for the confirmation: the last letter of that does it, and no other key.
pub(super) fn edit(model: &mut Model, request: InputRequest) -> Option<Effect> {
    let Some(Popup::Discard(form)) = &mut model.popup else { return None };
    let confirms = form.confirms;
    let line = if confirms { &mut form.typed } else { &mut form.reason };
    let adds = matches!(request, InputRequest::InsertChar(_));
    if !adds || line.value().chars().count() < LONGEST {
        line.handle(request);
    }
    if !confirms || !form.is_confirmed() {
        return None;
    }
    let order = form.order(false);
    model.popup = None;
    Some(Effect::Discard(order))
}

/// Pasted text may be a reason, and never confirms anything.
pub(super) fn paste(model: &mut Model, text: &str) -> bool {
    let Some(Popup::Discard(form)) = &mut model.popup else { return false };
    if form.confirms {
        return false;
    }
    let beside = |c: char| if c.is_whitespace() { ' ' } else { c };
    for c in text.trim().chars().map(beside).filter(|c| !c.is_control()).take(LONGEST) {
        if form.reason.value().chars().count() < LONGEST {
            form.reason.handle(InputRequest::InsertChar(c));
        }
    }
    true
}

/// The preview of a replay has come; one for what is no longer asked is passed over.
pub(super) fn replay_tried(model: &mut Model, asked: &Replay, reply: Result<ReplayReply, Problem>) {
    if let Some(Popup::Replay(form)) = &mut model.popup
        && form.order(true) == *asked
    {
        form.preview = Some(reply);
    }
}

/// The same of a discard.
pub(super) fn discard_tried(
    model: &mut Model,
    asked: &Discard,
    reply: Result<DiscardReply, Problem>,
) {
    if let Some(Popup::Discard(form)) = &mut model.popup
        && form.order(true) == *asked
    {
        form.preview = Some(reply);
    }
}

/// What became of a replay.
pub(super) fn replayed(model: &mut Model, reply: Result<ReplayReply, Problem>) {
    let reply = match reply {
        Ok(reply) => reply,
        Err(problem) => return refused(model, &problem),
    };
    let sum = |count: fn(&marsad_shared::protocol::Replayed) -> u64| -> u64 {
        reply.feeds.iter().map(count).sum()
    };
    let problem = reply.feeds.iter().find_map(|told| told.problem.clone());
    let (accepted, left) = (sum(|told| told.accepted), sum(|told| told.refused));
    let args = [
        ("accepted", accepted.into()),
        ("received", sum(|told| told.received).into()),
        ("refused", left.into()),
    ];
    let said = model.say_with("msg-replayed", args);
    let (said, tone) = match problem {
        Some(problem) => (format!("{said}  {problem}"), Tone::Bad),
        None if left > 0 => (said, Tone::Warn),
        None => (said, Tone::Good),
    };
    model.tell(said, tone);
    done(model, accepted > 0 && left == 0);
}

/// What became of a discard.
pub(super) fn discarded(model: &mut Model, reply: Result<DiscardReply, Problem>) {
    match reply {
        Ok(reply) => {
            let args = [("n", reply.discarded.into())];
            model.tell(model.say_with("msg-discarded", args), Tone::Good);
            done(model, true);
        }
        Err(problem) => refused(model, &problem),
    }
}

/// The list is read anew without its marks; out of an item that is `gone`.
fn done(model: &mut Model, gone: bool) {
    model.here_mut().list.marks.clear();
    let is_item = matches!(model.here().subject, Some(Subject::Item(_) | Subject::Quarantine(_)));
    if gone && is_item && model.trail.pop() {
        model.rebuild_around();
    }
    model.here_mut().list.restart();
}

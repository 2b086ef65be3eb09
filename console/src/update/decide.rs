//! Deciding about a run: a question where the bank stays as it is, its id to be typed where it does not.

use marsad_shared::protocol::{Problem, RunAct, RunActReply, RunVerb};
use tui_input::InputRequest;

use super::data::refused;
use crate::{
    keys::Action,
    message::Effect,
    model::{DecideForm, Deed, Model, Popup, actions},
    theme::Tone,
};

/// The longest confirmation, in characters.
const LONGEST: usize = 40;

/// Asks before anything is decided.
pub(super) fn open(model: &mut Model, verb: RunVerb) {
    let Some(run) = actions::run(model) else { return };
    model.popup = Some(match verb {
        RunVerb::Cancel | RunVerb::Discard => Popup::Confirm(Deed::Run(verb, run)),
        RunVerb::Release | RunVerb::Undo => Popup::Decide(Box::new(DecideForm::new(verb, run))),
    });
}

/// Keys that are no text.
pub(super) fn act(model: &mut Model, action: Action) {
    if action == Action::Refuse {
        model.popup = None;
    }
}

/// A key for the confirmation: the last letter of the run's id does it, and no other key.
pub(super) fn edit(model: &mut Model, request: InputRequest) -> Option<Effect> {
    let Some(Popup::Decide(form)) = &mut model.popup else { return None };
    let adds = matches!(request, InputRequest::InsertChar(_));
    if !adds || form.typed.value().chars().count() < LONGEST {
        form.typed.handle(request);
    }
    if !form.is_confirmed() {
        return None;
    }
    let (verb, run) = (form.verb, form.run.id);
    model.popup = None;
    Some(Effect::Decide(RunAct { verb, run, reason: None }))
}

/// What came of it.
pub(super) fn decided(model: &mut Model, reply: Result<RunActReply, Problem>) {
    match reply {
        Ok(reply) => {
            model.tell(reply.said, Tone::Good);
            model.here_mut().list.restart();
        }
        Err(problem) => refused(model, &problem),
    }
}

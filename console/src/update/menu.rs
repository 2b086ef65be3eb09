//! What can be done with a selection: the menu, the question before an act, the chain of causes, the clipboard.

use marsad_shared::protocol::{ExchangeAct, RunAct, SchemaOrder};

use crate::{
    keys::Action,
    message::Effect,
    model::{Choice, Deed, Model, Popup, Row, actions, why},
    theme::Tone,
};

pub(super) fn open(model: &mut Model) {
    let items = actions::items(model);
    if items.is_empty() {
        model.tell(model.say("msg-nothing_selected"), Tone::Dim);
    } else {
        model.popup = Some(Popup::Menu { items, selected: 0 });
    }
}

pub(super) fn act(model: &mut Model, action: Action) -> Option<Effect> {
    let Some(Popup::Menu { items, selected }) = &mut model.popup else { return None };
    match action {
        Action::Up => *selected = selected.saturating_sub(1),
        Action::Down => *selected = (*selected + 1).min(items.len().saturating_sub(1)),
        Action::Back => model.popup = None,
        Action::Submit => {
            let item = items.get(*selected)?.clone();
            if let Some(why) = item.blocked {
                model.tell(why, Tone::Warn);
                return None;
            }
            model.popup = None;
            return choose(model, item.choice);
        }
        _ => {}
    }
    None
}

fn choose(model: &mut Model, choice: Choice) -> Option<Effect> {
    match choice {
        Choice::Open => super::moving::open(model),
        Choice::Why => {
            open_why(model);
            None
        }
        Choice::Resync => super::resync::open(model, None, false),
        Choice::Test => {
            let id = model.connection()?.clone();
            let args = [("id", id.to_string().into())];
            model.tell(model.say_with("msg-testing", args), Tone::Note);
            Some(Effect::Test(id))
        }
        Choice::Replay => super::held::open_replay(model),
        Choice::Discard => super::held::open_discard(model),
        Choice::Copy => copy(model),
        Choice::Run(verb) => {
            super::decide::open(model, verb);
            None
        }
        Choice::Schema(verb) => {
            let row = actions::drifted(model)?;
            model.popup = Some(Popup::Confirm(Deed::Schema(verb, row)));
            None
        }
        Choice::Exchange(verb) => {
            let row = actions::exchange(model)?;
            model.popup = Some(Popup::Confirm(Deed::Exchange(verb, row)));
            None
        }
    }
}

/// The answer to a question: only `y` is yes.
pub(super) fn answer(model: &mut Model, action: Action) -> Option<Effect> {
    match (action, model.popup.take()) {
        (Action::Accept, Some(Popup::Confirm(Deed::Exchange(verb, row)))) => {
            Some(Effect::Act(ExchangeAct { verb, ids: vec![row.id], reason: None }))
        }
        (Action::Accept, Some(Popup::Confirm(Deed::Run(verb, row)))) => {
            Some(Effect::Decide(RunAct { verb, run: row.id, reason: None }))
        }
        (Action::Accept, Some(Popup::Confirm(Deed::Schema(verb, row)))) => {
            let (feed, columns) = (row.id.clone(), Vec::new());
            Some(Effect::Settle(SchemaOrder { feed, verb, columns, reason: None }))
        }
        (Action::Accept, Some(Popup::Confirm(Deed::Quit))) => Some(Effect::Quit),
        (Action::Refuse, _) => None,
        (_, popup) => {
            model.popup = popup;
            None
        }
    }
}

pub(super) fn open_why(model: &mut Model) {
    let lines = why::chain(model);
    if lines.is_empty() {
        model.tell(model.say("msg-nothing_selected"), Tone::Dim);
    } else {
        model.popup = Some(Popup::Why { lines, top: 0 });
    }
}

/// Copies the id of what is selected, or else of what this place is about.
pub(super) fn copy(model: &mut Model) -> Option<Effect> {
    let of_row = model.selected().map(|row| match row {
        Row::Trouble(trouble) => trouble.feed().map_or_else(|| row.key(), ToString::to_string),
        Row::Fact(fact) => fact.value.clone(),
        row => row.key(),
    });
    let of_place = || model.here().subject.as_ref().map(crate::model::Subject::name);
    let text = of_row.or_else(of_place)?;
    model.tell(model.say_with("msg-copied", [("text", text.clone().into())]), Tone::Note);
    Some(Effect::Copy(text))
}

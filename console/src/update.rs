//! The only place where the model changes.

use crate::{
    keys::{Action, Mode},
    message::{Effect, Message},
    model::{Model, Popup},
    theme::Tone,
};

mod data;
mod decide;
mod held;
mod menu;
mod moving;
mod prompt;
mod resync;

/// Applies a message. What the runtime has to do next comes back as data, for a test to compare.
pub fn update(model: &mut Model, message: Message) -> Option<Effect> {
    match message {
        Message::Do(action) => return act(model, action),
        Message::Prefix(c) => model.prefix = Some(c),
        Message::Edit(request) if Mode::of(model) == Mode::Destroy => {
            return match model.popup {
                Some(Popup::Decide(_)) => decide::edit(model, request),
                _ => held::edit(model, request),
            };
        }
        Message::Edit(request) => prompt::edit(model, request),
        Message::Pasted(text) => prompt::paste(model, &text),
        Message::Burst(n) => model.tell(
            model.say_with("msg-burst", [("n", u64::try_from(n).unwrap_or(0).into())]),
            Tone::Warn,
        ),
        Message::Resized(width, height) => {
            model.size = (width, height);
            let height = model.height();
            model.here_mut().list.reveal(height);
        }
        Message::Tick(now) => {
            model.now = now;
            model.toast.take_if(|toast| toast.until <= now);
        }
        other => return data::take(model, other),
    }
    None
}

fn act(model: &mut Model, action: Action) -> Option<Effect> {
    model.prefix = None;
    let mode = Mode::of(model);
    match action {
        Action::Suspend => return Some(Effect::Suspend),
        Action::Interrupt => return interrupt(model),
        _ => {}
    }
    match mode {
        Mode::Browse => browse(model, action),
        Mode::Help | Mode::Why => {
            scroll(model, action);
            None
        }
        Mode::Menu => menu::act(model, action),
        Mode::Form => resync::act(model, action),
        Mode::Confirm if matches!(model.popup, Some(Popup::Replay(_))) => {
            held::answer(model, action)
        }
        Mode::Confirm => menu::answer(model, action),
        Mode::Destroy => {
            if matches!(model.popup, Some(Popup::Decide(_))) {
                decide::act(model, action);
            } else {
                held::act(model, action);
            }
            None
        }
        Mode::Filter | Mode::Palette => prompt::act(model, action),
    }
}

fn browse(model: &mut Model, action: Action) -> Option<Effect> {
    match action {
        Action::Filter => prompt::open_filter(model),
        Action::Palette => prompt::open_palette(model),
        Action::Help => model.popup = Some(Popup::Help { top: 0 }),
        Action::Menu => menu::open(model),
        Action::Why => menu::open_why(model),
        Action::Resync => return resync::open(model, None, false),
        Action::Copy => return menu::copy(model),
        Action::Mark => held::mark(model),
        Action::Reread => {
            model.here_mut().list.restart();
            return Some(Effect::Reread);
        }
        Action::Repaint => return Some(Effect::Repaint),
        Action::Leave => return moving::leave(model),
        Action::Open => return moving::open(model),
        other => moving::act(model, other),
    }
    None
}

/// Steps out of whatever is in front; a second time it leaves.
fn interrupt(model: &mut Model) -> Option<Effect> {
    let asked = model.say("msg-interrupt_again");
    if model.popup.is_some() {
        if Mode::of(model) == Mode::Filter {
            return prompt::act(model, Action::Back);
        }
        model.popup = None;
        return None;
    }
    if model.toast.as_ref().is_some_and(|toast| toast.text == asked) {
        return Some(Effect::Quit);
    }
    model.tell(asked, Tone::Note);
    None
}

/// Moves a text that is longer than its window.
fn scroll(model: &mut Model, action: Action) {
    let page = usize::from(model.size.1).saturating_sub(6).max(1);
    match (&mut model.popup, action) {
        (Some(Popup::Help { top } | Popup::Why { top, .. }), moved) => match moved {
            Action::Up => *top = top.saturating_sub(1),
            Action::PageUp => *top = top.saturating_sub(page),
            Action::Down => *top = top.saturating_add(1).min(SCROLL),
            Action::PageDown => *top = top.saturating_add(page).min(SCROLL),
            Action::Back => model.popup = None,
            _ => {}
        },
        _ => model.popup = None,
    }
}

/// No help and no chain of causes has more lines; the view stops at their true end.
const SCROLL: usize = 500;

#[cfg(test)]
mod tests;

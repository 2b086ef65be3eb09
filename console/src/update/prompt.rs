//! Lines that are typed: the filter and the palette.

use tui_input::{Input, InputRequest};

use crate::{
    keys::Action,
    message::Effect,
    model::{Address, Filter, Model, Place, Popup, Source, View, palette},
    theme::Tone,
};

/// The longest line that is taken, in characters; a paste may be of any length.
const LONGEST: usize = 200;

pub(super) fn open_filter(model: &mut Model) {
    let before = model.here().list.filter.text().to_owned();
    model.popup = Some(Popup::Filter { input: Input::new(before.clone()), before });
}

pub(super) fn open_palette(model: &mut Model) {
    model.popup = Some(Popup::Palette { input: Input::default(), selected: 0 });
}

pub(super) fn edit(model: &mut Model, request: InputRequest) {
    let typed = match &mut model.popup {
        Some(Popup::Filter { input, .. }) => {
            if input.value().chars().count() < LONGEST
                || !matches!(request, InputRequest::InsertChar(_))
            {
                input.handle(request);
            }
            input.value().to_owned()
        }
        Some(Popup::Palette { input, selected }) => {
            if input.value().chars().count() < LONGEST
                || !matches!(request, InputRequest::InsertChar(_))
            {
                input.handle(request);
            }
            *selected = 0;
            return;
        }
        _ => return,
    };
    if typed != model.here().list.filter.text() {
        set_filter(model, &typed);
    }
}

/// Pasted text goes into the line that is open, its lines side by side and without what is no text in it, and is never
/// a command.
pub(super) fn paste(model: &mut Model, text: &str) {
    if super::held::paste(model, text) {
        return;
    }
    if !matches!(model.popup, Some(Popup::Filter { .. } | Popup::Palette { .. })) {
        model.tell(model.say("msg-paste_ignored"), Tone::Warn);
        return;
    }
    let beside = |c: char| if c.is_whitespace() { ' ' } else { c };
    let text = text.trim().chars().map(beside);
    for c in text.filter(|c| !c.is_control()).take(LONGEST) {
        edit(model, InputRequest::InsertChar(c));
    }
}

/// Shows what passes; a list of the daemon begins anew.
pub(super) fn set_filter(model: &mut Model, text: &str) {
    let list = &mut model.here_mut().list;
    list.filter = Filter::new(text);
    if model.here().source().is_some() {
        model.here_mut().list.restart();
    } else {
        model.rebuild_around();
    }
}

pub(super) fn act(model: &mut Model, action: Action) -> Option<Effect> {
    match model.popup.take() {
        Some(Popup::Filter { input, before }) => {
            match action {
                Action::Submit => return by_key(model),
                Action::Back => {
                    if before != model.here().list.filter.text() {
                        set_filter(model, &before);
                    }
                }
                other => {
                    super::moving::act(model, other);
                    model.popup = Some(Popup::Filter { input, before });
                }
            }
            None
        }
        Some(Popup::Palette { input, selected }) => palette(model, action, input, selected),
        other => {
            model.popup = other;
            None
        }
    }
}

/// Where no record has passed what was typed, it may be a whole key: that is looked up and not searched for.
fn by_key(model: &Model) -> Option<Effect> {
    let list = &model.here().list;
    let key = list.filter.text().trim();
    let hit = || list.rows.iter().any(|row| list.filter.passes(row));
    match model.here().source()? {
        Source::Records(feed) if !key.is_empty() && !hit() => {
            Some(Effect::Find(Address::Record(feed, key.to_owned())))
        }
        _ => None,
    }
}

fn palette(
    model: &mut Model,
    action: Action,
    mut input: Input,
    mut selected: usize,
) -> Option<Effect> {
    let offered = palette::completions(model, input.value());
    match action {
        Action::Submit => {
            let typed = palette::parse(model, input.value());
            let command = typed.or_else(|| palette::parse(model, offered.get(selected)?));
            if let Some(command) = command {
                return run(model, command);
            }
            if !input.value().trim().is_empty() {
                let args = [("command", input.value().to_owned().into())];
                model.tell(model.say_with("msg-no_command", args), Tone::Warn);
            }
        }
        Action::Back => return None,
        Action::Complete => {
            if let Some(line) = offered.get(selected) {
                input = Input::new(format!("{line} "));
                selected = 0;
            }
        }
        Action::Down => selected = (selected + 1).min(offered.len().saturating_sub(1)),
        Action::Up => selected = selected.saturating_sub(1),
        _ => {}
    }
    model.popup = Some(Popup::Palette { input, selected });
    None
}

fn run(model: &mut Model, command: palette::Command) -> Option<Effect> {
    match command {
        palette::Command::View(view, filter) => {
            let place = Place::new(view, None).filtered(&filter);
            model.trail.jump(place);
            if view != View::Overview || !filter.is_empty() {
                model.here_mut().list.selected = 0;
            }
            model.rebuild();
            None
        }
        palette::Command::Go(address) => super::moving::to(model, address),
        palette::Command::Resync { feed, full } => super::resync::open(model, Some(feed), full),
        palette::Command::Help => {
            model.popup = Some(Popup::Help { top: 0 });
            None
        }
        palette::Command::Quit => super::moving::quit(model),
    }
}

//! Moving: within a list, into things and out of them, and to other views.

use std::sync::Arc;

use crate::{
    keys::Action,
    message::Effect,
    model::{About, Address, Deed, Model, Place, Popup, Row, Subject, View},
    theme::Tone,
};

/// Everything that moves and has no effect outside.
pub(super) fn act(model: &mut Model, action: Action) {
    let height = model.height();
    let list = &mut model.here_mut().list;
    let at = list.selected;
    match action {
        Action::Up => list.select(at.saturating_sub(1), height),
        Action::Down => list.select(at.saturating_add(1), height),
        Action::HalfUp => list.select(at.saturating_sub((height / 2).max(1)), height),
        Action::HalfDown => list.select(at.saturating_add((height / 2).max(1)), height),
        Action::PageUp => list.select(at.saturating_sub(height), height),
        Action::PageDown => list.select(at.saturating_add(height), height),
        Action::First => list.to_end(false, height),
        Action::Last => list.to_end(true, height),
        Action::NextTab => tab(model, true),
        Action::PrevTab => tab(model, false),
        Action::Back => back(model),
        Action::Go(view) => go(model, view),
        Action::Sort | Action::Reverse => sort(model, action),
        Action::Earlier => visit(model, |model| model.trail.earlier()),
        Action::Later => visit(model, |model| model.trail.later()),
        Action::Swap => visit(model, |model| model.trail.swap()),
        _ => {}
    }
}

/// Opens a root view. Records need a feed: the one that is looked at, or else the one to choose, selected already.
fn go(model: &mut Model, view: View) {
    let mut place = Place::new(view, None);
    let within = model.here().subject.as_ref().and_then(Subject::feed).cloned();
    if view == View::Records {
        place.list.seek = model.feed().map(ToString::to_string);
    }
    model.trail.jump(place);
    model.rebuild();
    if let (View::Records, Some(feed)) = (view, within) {
        enter(model, Place::new(View::Records, Some(Subject::Feed(feed))));
    }
}

/// One step in.
pub(super) fn enter(model: &mut Model, place: Place) {
    model.trail.push(place);
    model.rebuild();
}

fn visit(model: &mut Model, step: impl FnOnce(&mut Model) -> bool) {
    if step(model) {
        model.rebuild_around();
    } else {
        model.tell(model.say("msg-no_further"), Tone::Dim);
    }
}

/// Out of the filter, else of the marks, else out of the place.
fn back(model: &mut Model) {
    let list = &mut model.here_mut().list;
    if list.filter.text().is_empty() && !list.marks.is_empty() {
        list.marks.clear();
    } else if list.filter.text().is_empty() {
        if model.trail.pop() {
            model.here_mut().list.refresh();
            model.rebuild_around();
        }
    } else {
        super::prompt::set_filter(model, "");
    }
}

/// `q`: out, and at the root the end; asked first if a run of one's own is under way.
pub(super) fn leave(model: &mut Model) -> Option<Effect> {
    let list = &model.here().list;
    if !model.trail.is_root() || !list.filter.text().is_empty() || !list.marks.is_empty() {
        back(model);
        return None;
    }
    quit(model)
}

/// The end, asked first if a run of one's own is under way.
pub(super) fn quit(model: &mut Model) -> Option<Effect> {
    if model.ordered.is_empty() {
        return Some(Effect::Quit);
    }
    model.popup = Some(Popup::Confirm(Deed::Quit));
    None
}

/// The next list of a thing; on the overview, the next block.
fn tab(model: &mut Model, forward: bool) {
    let height = model.height();
    let place = model.here_mut();
    if place.view == View::Overview {
        let rows = &place.list.rows;
        let feeds = rows.iter().position(|row| matches!(row, Row::Feed(_))).unwrap_or(0);
        let to = if place.list.selected < feeds { feeds } else { 0 };
        place.list.select(to, height);
        return;
    }
    let Some(subject) = &place.subject else { return };
    let tabs = subject.tabs();
    let at = tabs.iter().position(|view| *view == place.view).unwrap_or(0);
    let step = if forward { 1 } else { tabs.len().saturating_sub(1) };
    let Some(view) = tabs.get((at + step) % tabs.len().max(1)) else { return };
    if *view != place.view {
        *place = Place::new(*view, Some(subject.clone()));
        model.rebuild();
    }
}

fn sort(model: &mut Model, action: Action) {
    let place = model.here_mut();
    if place.source().is_some() || matches!(place.view, View::Attempts | View::Facts) {
        model.tell(model.say("msg-fixed_order"), Tone::Dim);
        return;
    }
    let sort = place.list.sort;
    place.list.sort = if action == Action::Sort { sort.next() } else { sort.reverse() };
    model.rebuild_around();
}

/// Into what is selected.
pub(super) fn open(model: &mut Model) -> Option<Effect> {
    let row = model.selected()?.clone();
    let records = model.here().view == View::Records;
    let place = match row {
        Row::Trouble(trouble) => match &trouble.about {
            About::Connection(row, _) => Place::of_connection(row),
            About::Feed(row) | About::LastRun(row) => Place::of(Subject::Feed(row.id.clone())),
            About::Held(row) => Place::new(View::Quarantine, Some(Subject::Feed(row.id.clone()))),
            About::Exchanges(state, _) => {
                Place::new(View::Exchanges, None).filtered(&format!("state:{state}"))
            }
        },
        Row::Connection(row) => Place::of_connection(&row),
        Row::Feed(row) if records => Place::new(View::Records, Some(Subject::Feed(row.id.clone()))),
        Row::Feed(row) => Place::of(Subject::Feed(row.id.clone())),
        Row::Run(row) => Place::of(Subject::Run(row)),
        Row::Group(row) => Place::of(Subject::Group(row)),
        Row::Quarantine(row) => {
            let address = Address::Quarantine(row.id); // how it came has to be asked for
            enter(model, Place::of(Subject::Quarantine(row)));
            return Some(Effect::Find(address));
        }
        Row::Item(item) => Place::of(Subject::Item(item)),
        Row::Record(row) => {
            let feed = model.here().subject.as_ref()?.feed()?.clone();
            Place::of(Subject::Record(feed, row))
        }
        Row::Exchange(row) => {
            let address = Address::Exchange(row.id); // its attempts have to be asked for
            enter(model, Place::of(Subject::Exchange(Arc::clone(&row))));
            return Some(Effect::Find(address));
        }
        Row::Move(row) => {
            // What a person did between two runs leads nowhere.
            return row.run.and_then(|run| to(model, Address::Run(run)));
        }
        Row::Attempt(_) | Row::Fact(_) => return None,
    };
    enter(model, place);
    None
}

/// To a thing by its address: at once where it is held, else when it has been found.
pub(super) fn to(model: &mut Model, address: Address) -> Option<Effect> {
    match address {
        Address::Connection(id) => {
            let found = model.connections.iter().find(|row| row.id == id);
            let Some(place) = found.map(|row| Place::of_connection(row)) else {
                not_found(model, id.as_str());
                return None;
            };
            model.trail.jump(Place::new(View::Connections, None));
            enter(model, place);
        }
        Address::Feed(id) => {
            if model.feed_row(&id).is_none() {
                not_found(model, id.as_str());
                return None;
            }
            model.trail.jump(Place::new(View::Feeds, None));
            enter(model, Place::of(Subject::Feed(id)));
        }
        other => return Some(Effect::Find(other)),
    }
    None
}

fn not_found(model: &mut Model, id: &str) {
    let text = model.say_with("msg-not_found", [("id", id.to_owned().into())]);
    model.tell(text, Tone::Warn);
}

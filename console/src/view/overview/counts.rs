//! How many there are of each kind, by state.

use std::collections::BTreeMap;

use marsad_shared::{exchange::State, freshness::Freshness, health::Health};
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    model::{Model, Weight, words},
    text,
    theme::Tone,
    view::{Pen, columns},
};

/// Counts of one kind: its name, and each state that occurs, the worst first: what matters is never cut off.
struct Group {
    name: &'static str,
    states: Vec<(u64, &'static str, Weight)>,
}

fn groups(model: &Model) -> Vec<Group> {
    let Some(status) = &model.status else { return Vec::new() };
    let count = |map: &BTreeMap<String, u64>, word: &str| map.get(word).copied().unwrap_or(0);
    let some = |(n, ..): &(u64, &str, Weight)| *n > 0;
    let links = Health::ALL.map(|word| {
        (count(&status.connections, word.word()), words::health_key(word), word.into())
    });
    let feeds = Freshness::ALL
        .map(|word| (count(&status.feeds, word.word()), words::fresh_key(word), word.into()));
    let exchanges = State::ALL
        .into_iter()
        .filter(|state| state.is_open() || matches!(state, State::Rejected | State::Expired))
        .map(|word| (count(&status.exchanges, word.word()), words::state_key(word), word.into()));
    let held = (status.quarantine, "status-held", Weight::Warn);
    let sorted = |mut states: Vec<(u64, &'static str, Weight)>| {
        states.retain(some);
        states.sort_by_key(|(.., weight)| std::cmp::Reverse(*weight));
        states
    };
    vec![
        Group { name: "nav-connections-short", states: sorted(links.to_vec()) },
        Group { name: "nav-feeds-short", states: sorted(feeds.to_vec()) },
        Group { name: "nav-exchanges-short", states: sorted(exchanges.collect()) },
        Group { name: "nav-quarantine-short", states: sorted(vec![held]) },
    ]
}

fn count(model: &Model, (n, word, weight): &(u64, &'static str, Weight)) -> String {
    let loud = if *weight >= Weight::Warn { weight.symbol() } else { "" };
    format!(" {loud}{} {}", columns::number(model, *n), model.say(word).to_lowercase())
}

/// All of a group, as [`group`] writes it.
fn said(model: &Model, group: &Group) -> String {
    let counts = group.states.iter().map(|state| count(model, state));
    std::iter::once(model.say(group.name)).chain(counts).collect()
}

fn group(pen: &mut Pen<'_>, group: &Group) {
    pen.say(group.name, Tone::Title);
    if group.states.is_empty() {
        pen.put(" ", Tone::Plain);
        pen.say("none", Tone::Dim);
    }
    for state in &group.states {
        let said = count(pen.model, state);
        pen.put(&said, Tone::from(state.2));
    }
}

/// Two lines of two groups each.
pub(super) fn health(model: &Model, area: Rect, buf: &mut Buffer) {
    let groups = groups(model);
    let wide = |from: usize| {
        let column = groups.iter().skip(from).step_by(2);
        column.map(|one| text::width(&said(model, one))).max().unwrap_or(0)
    };
    let (need, rest) = (wide(0) + 3, usize::from(area.width).saturating_sub(wide(1) + 1));
    let even = usize::from(area.width) * 2 / 5;
    // A column takes what the other does not need, before anything of it is cut.
    let left = if need <= even { even.min(rest.max(need)) } else { need.min(rest.max(even)) };
    let left = u16::try_from(left).unwrap_or(area.width).min(area.width);
    for (at, one) in groups.iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        let cell = if at.is_multiple_of(2) {
            Rect { width: left, ..area }
        } else {
            Rect { x: area.x + left, width: area.width - left, ..area }
        };
        let mut pen = Pen::new(model, buf, cell, at / 2);
        pen.skip(1);
        group(&mut pen, one);
    }
}

/// All groups on one line.
pub(super) fn counts_line(model: &Model, area: Rect, buf: &mut Buffer) {
    let mut pen = Pen::new(model, buf, area, 0);
    pen.skip(1);
    for (at, one) in groups(model).iter().enumerate() {
        if at > 0 {
            pen.put(" | ", Tone::Dim);
        }
        group(&mut pen, one);
    }
    if model.status.is_none() {
        pen.say("list-waiting", Tone::Dim);
    }
}

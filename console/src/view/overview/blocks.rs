//! The blocks of the overview, each filling the area that it is given.

use std::{collections::BTreeMap, sync::Arc};

use marsad_shared::{exchange::State, freshness::Freshness, health::Health, protocol::FeedRow};
use ratatui::{buffer::Buffer, layout::Rect};

use super::line;
use crate::{
    model::{About, Model, News, Row, Trouble, Weight, recent, words},
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

fn group(pen: &mut Pen<'_>, group: &Group) {
    pen.say(group.name, Tone::Title);
    if group.states.is_empty() {
        pen.put(" ", Tone::Plain);
        pen.say("none", Tone::Dim);
    }
    for (n, word, weight) in &group.states {
        let loud = if *weight >= Weight::Warn { weight.symbol() } else { "" };
        let word = pen.model.say(word).to_lowercase();
        let said = format!(" {loud}{} {word}", columns::number(pen.model, *n));
        pen.put(&said, Tone::from(*weight));
    }
}

/// Two lines of two groups each.
pub(super) fn health(model: &Model, area: Rect, buf: &mut Buffer) {
    let left = area.width * 2 / 5;
    for (at, one) in groups(model).iter().enumerate() {
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

fn troubles(model: &Model) -> impl Iterator<Item = (usize, &Arc<Trouble>)> {
    model.here().list.rows.iter().enumerate().filter_map(|(at, row)| match row {
        Row::Trouble(trouble) => Some((at, trouble)),
        _ => None,
    })
}

fn feeds(model: &Model) -> impl Iterator<Item = (usize, &FeedRow)> {
    model.here().list.rows.iter().enumerate().filter_map(|(at, row)| match row {
        Row::Feed(feed) => Some((at, feed.as_ref())),
        _ => None,
    })
}

/// How many lines what needs somebody would fill.
pub(super) fn needs_count(model: &Model) -> u16 {
    u16::try_from(troubles(model).count()).unwrap_or(u16::MAX)
}

pub(super) fn needs_title(model: &Model) -> String {
    let n = u64::try_from(troubles(model).count()).unwrap_or(u64::MAX);
    model.say_with("overview-needs", [("n", n.into())])
}

/// How many of `whole` to pass over so that `selected` is among the `height` shown.
fn skip(whole: usize, selected: Option<usize>, height: u16) -> usize {
    let height = usize::from(height).max(1);
    let last = whole.saturating_sub(height);
    selected.map_or(0, |selected| (selected + 1).saturating_sub(height)).min(last)
}

/// What needs somebody now, the worst first.
pub(super) fn needs(model: &Model, area: Rect, buf: &mut Buffer) {
    let selected = model.here().list.selected;
    let all: Vec<_> = troubles(model).collect();
    if all.is_empty() {
        let mut pen = Pen::new(model, buf, area, 0);
        pen.skip(1);
        let key = if model.status.is_some() { "overview-all_well" } else { "list-waiting" };
        pen.say(key, Tone::Good);
        return;
    }
    let at = all.iter().position(|(at, _)| *at == selected);
    let shown = all.iter().skip(skip(all.len(), at, area.height));
    for (y, (at, trouble)) in (0..area.height).zip(shown) {
        let mut pen = line(model, buf, area, y, *at == selected);
        pen.weight(trouble.weight);
        let row = Row::Trouble(Arc::clone(trouble));
        pen.column(&columns::state(model, &row), 12, trouble.weight.into(), false);
        pen.skip(1);
        let (kind, id, rest) = said(model, trouble);
        pen.column(&kind, 5, Tone::Dim, false);
        pen.column(&id, (pen.left() / 2).clamp(12, 24), Tone::Plain, false);
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
            let reason = row.reason.clone().unwrap_or_default();
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
            let reason = row.reason.clone().unwrap_or_default();
            let gap = if promised.is_empty() || reason.is_empty() { "" } else { "  " };
            (model.say("kind-feed"), row.id.to_string(), format!("{promised}{gap}{reason}"))
        }
        About::LastRun(row) => {
            let why = row.reason.clone().unwrap_or_else(|| model.say("trouble-last_run"));
            (model.say("kind-run"), row.id.to_string(), why)
        }
        About::Held(row) => {
            let args = [("n", row.quarantine.into())];
            (model.say("kind-quarantine"), row.id.to_string(), model.say_with("trouble-held", args))
        }
        About::Exchanges(_, n) => {
            let n = model.catalogue.count("count-exchanges", *n);
            (model.say("kind-exchange"), n, model.say("trouble-exchanges"))
        }
    }
}

pub(super) fn freshness_title(model: &Model, width: u16) -> String {
    let title = model.say("overview-freshness");
    if width < 70 {
        return title;
    }
    format!("{title}   {}", model.say("overview-legend"))
}

/// Each feed's age against its own promise.
pub(super) fn freshness(model: &Model, area: Rect, buf: &mut Buffer) {
    let selected = model.here().list.selected;
    let all: Vec<_> = feeds(model).collect();
    if all.is_empty() {
        let mut pen = Pen::new(model, buf, area, 0);
        pen.skip(1);
        pen.say(if model.status.is_some() { "list-empty" } else { "list-waiting" }, Tone::Dim);
        return;
    }
    let more = all.len() > usize::from(area.height) && area.height > 1;
    let height = area.height - u16::from(more);
    let at = all.iter().position(|(at, _)| *at == selected);
    let before = skip(all.len(), at, height);
    for (y, (at, feed)) in (0..height).zip(all.iter().skip(before)) {
        let mut pen = line(model, buf, area, y, *at == selected);
        freshness_line(&mut pen, model, feed);
    }
    if more {
        let left = all.len().saturating_sub(before + usize::from(height));
        let n = u64::try_from(left).unwrap_or(u64::MAX);
        let mut pen = Pen::new(model, buf, area, height);
        pen.skip(1);
        pen.put(&model.say_with("overview-more", [("n", n.into())]), Tone::Dim);
    }
}

fn freshness_line(pen: &mut Pen<'_>, model: &Model, feed: &FeedRow) {
    let weight = Weight::from(feed.freshness);
    pen.weight(weight);
    let rest = pen.left();
    let state = 12.min(rest / 5);
    let name = (rest / 3).clamp(10, 34);
    pen.column(feed.id.as_str(), name, Tone::Plain, false);
    pen.skip(1);
    let strip = rest.saturating_sub(name + state + 17);
    pen.column(&gauge(model, feed, strip), strip, weight.into(), false);
    pen.column(&columns::ago(model, feed.checked_at), 7, weight.into(), true);
    let promise = columns::promise(model, feed.every_s);
    let promise = if promise.is_empty() { String::new() } else { format!(" / {promise}") };
    pen.column(&promise, 8, Tone::Dim, false);
    pen.put(&model.say(words::fresh_key(feed.freshness)), weight.into());
}

/// Age against the promise: the whole strip is two promises, the deadline its middle. `.` within it, `-` and `#` past
/// it, `?` where nothing is known.
pub(super) fn gauge(model: &Model, feed: &FeedRow, width: u16) -> String {
    let Some(every) = feed.every_s.filter(|every| *every > 0) else { return String::new() };
    let Some(checked) = feed.checked_at else { return "?".repeat(usize::from(width)) };
    let age = u64::try_from(text::seconds_between(checked, model.now)).unwrap_or(0);
    let filled = age.saturating_mul(u64::from(width)) / every.saturating_mul(2).max(1);
    let middle = u64::from(width) / 2;
    let past = if feed.freshness == Freshness::Late { '-' } else { '#' };
    (0..u64::from(width))
        .map(|at| match (at < filled.max(1), at.cmp(&middle)) {
            (true, std::cmp::Ordering::Less) => '.',
            (true, _) => past,
            (false, std::cmp::Ordering::Equal) => '|',
            (false, _) => ' ',
        })
        .collect()
}

/// How many lines what runs would fill.
pub(super) fn running_lines(model: &Model) -> u16 {
    let n = model.status.as_ref().map_or(0, |status| status.running.len());
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// Runs under way, as far as they are.
pub(super) fn running(model: &Model, area: Rect, buf: &mut Buffer) {
    let running = model.status.as_ref().map(|status| status.running.as_slice()).unwrap_or_default();
    if running.is_empty() {
        let mut pen = Pen::new(model, buf, area, 0);
        pen.skip(1);
        pen.say("overview-nothing_runs", Tone::Dim);
    }
    for (y, run) in (0..area.height).zip(running) {
        let mut pen = Pen::new(model, buf, area, y);
        pen.skip(1);
        pen.column(&model.say(words::trigger_key(run.trigger)), 10, Tone::Dim, false);
        pen.column(run.feed.as_str(), (pen.left() / 3).clamp(12, 34), Tone::Plain, false);
        let seconds = text::seconds_between(run.started_at, model.now);
        let rate = run.rows / u64::try_from(seconds).unwrap_or(0).max(1);
        let args = [
            ("rows", run.rows.into()),
            ("rate", rate.into()),
            ("age", text::span(&model.catalogue, seconds).into()),
        ];
        pen.put(&model.say_with("running-progress", args), Tone::Plain);
    }
}

/// Exchanges by state, as bars against the longest.
pub(super) fn queue(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(status) = &model.status else { return };
    let counted = State::ALL.into_iter().filter_map(|state| {
        let n = status.exchanges.get(state.word()).copied().unwrap_or(0);
        (n > 0).then_some((state, n))
    });
    let bars: Vec<_> = counted.collect();
    let most = bars.iter().map(|(_, n)| *n).max().unwrap_or(1);
    for (y, (state, n)) in (0..area.height).zip(&bars) {
        let weight = Weight::from(*state);
        let mut pen = Pen::new(model, buf, area, y);
        pen.skip(1);
        pen.weight(weight);
        pen.column(&model.say(words::state_key(*state)), 12, weight.into(), false);
        pen.column(&columns::number(model, *n), 9, Tone::Plain, true);
        pen.skip(2);
        let room = u64::from(pen.left().saturating_sub(1));
        let bar = usize::try_from((n * room / most).max(1)).unwrap_or(1);
        pen.put(&"#".repeat(bar), weight.into());
    }
}

/// Connections, the worst first.
pub(super) fn links(model: &Model, area: Rect, buf: &mut Buffer) {
    let mut all: Vec<_> = model.connections.iter().collect();
    all.sort_by_key(|row| (std::cmp::Reverse(Weight::from(row.health)), row.since_at));
    for (y, row) in (0..area.height).zip(all) {
        let weight = Weight::from(row.health);
        let mut pen = Pen::new(model, buf, area, y);
        pen.skip(1);
        pen.weight(weight);
        pen.column(&model.say(words::health_key(row.health)), 11, weight.into(), false);
        pen.column(row.id.as_str(), 26, Tone::Plain, false);
        pen.column(&columns::ago(model, row.last_ok_at), 6, Tone::Dim, true);
        pen.skip(2);
        pen.put(&row.reason.clone().unwrap_or_default(), Tone::Plain);
    }
}

/// What each feed has in quarantine, the most first.
pub(super) fn held(model: &Model, area: Rect, buf: &mut Buffer) {
    let mut all: Vec<_> = model.feeds.iter().filter(|row| row.quarantine > 0).collect();
    all.sort_by_key(|row| std::cmp::Reverse(row.quarantine));
    if all.is_empty() {
        let mut pen = Pen::new(model, buf, area, 0);
        pen.skip(1);
        pen.say("list-no_quarantine", Tone::Dim);
    }
    for (y, row) in (0..area.height).zip(all) {
        let mut pen = Pen::new(model, buf, area, y);
        pen.skip(1);
        pen.column(&columns::number(model, row.quarantine), 9, Tone::Warn, true);
        pen.skip(2);
        pen.put(row.id.as_str(), Tone::Plain);
    }
}

/// What happened last, the newest first.
pub(super) fn events(model: &Model, area: Rect, buf: &mut Buffer) {
    let news = recent(&model.recent, &model.connections, &model.feeds, usize::from(area.height));
    for (y, item) in (0..area.height).zip(&news) {
        let weight = item.weight();
        let mut pen = Pen::new(model, buf, area, y);
        pen.skip(1);
        pen.column(&text::moment(item.at(), model.now, &model.zone), 17, Tone::Dim, false);
        pen.weight(weight);
        let (kind, id, state) = match item {
            News::Run(row) => ("kind-run", row.feed.to_string(), words::outcome_key(row.outcome)),
            News::Connection(row) => {
                ("kind-connection", row.id.to_string(), words::health_key(row.health))
            }
            News::Feed(row) => ("kind-feed", row.id.to_string(), words::fresh_key(row.freshness)),
        };
        pen.column(&model.say(kind), 5, Tone::Dim, false);
        pen.column(&id, (pen.left() * 2 / 5).clamp(12, 34), Tone::Plain, false);
        pen.skip(1);
        pen.column(&model.say(state), 17, weight.into(), false);
        if let News::Run(row) = item {
            let args =
                [("changed", row.counts.changed().into()), ("id", row.id.to_string().into())];
            let rest = row.reason.clone().unwrap_or_else(|| model.say_with("event-run", args));
            pen.put(&rest, Tone::Plain);
        }
    }
}

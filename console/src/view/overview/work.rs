//! What runs, what waits, and what happened last.

use marsad_shared::exchange::State;
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    model::{Model, News, Weight, recent, words},
    text,
    theme::Tone,
    view::{Pen, columns},
};

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
        pen.skip(2);
        let seconds = text::seconds_between(run.started_at, model.now);
        let rate = run.rows / u64::try_from(seconds).unwrap_or(0).max(1);
        let args = [
            ("rows", run.rows.into()),
            ("rate", rate.into()),
            ("age", text::span(&model.catalogue, seconds).into()),
        ];
        let said = model.say_with("running-progress", args);
        let left = run.left_s(model.now).and_then(|seconds| i64::try_from(seconds).ok());
        let said = match (run.total, left) {
            (Some(total), Some(left)) => {
                let left = text::span(&model.catalogue, left);
                let args = [("total", total.into()), ("left", left.into())];
                format!("{said}  {}", model.say_with("running-left", args))
            }
            _ => said,
        };
        pen.put(&said, Tone::Plain);
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
    all.sort_by_key(|row| (std::cmp::Reverse(Weight::from(&***row)), row.since_at));
    for (y, row) in (0..area.height).zip(all) {
        let weight = Weight::from(&**row);
        let mut pen = Pen::new(model, buf, area, y);
        pen.skip(1);
        pen.weight(weight);
        pen.column(&model.say(words::health_key(row.health)), 11, weight.into(), false);
        pen.column(row.id.as_str(), 26, Tone::Plain, false);
        pen.column(&columns::ago(model, row.last_ok_at), 6, Tone::Dim, true);
        pen.skip(2);
        pen.put(&columns::gist(row.reason.as_ref()), Tone::Plain);
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
            let rest = match &row.reason {
                Some(reason) => text::gist(reason).to_owned(),
                None => model.say_with("event-run", args),
            };
            pen.put(&rest, Tone::Plain);
        }
    }
}

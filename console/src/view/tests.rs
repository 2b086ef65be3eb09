use std::fmt::Write as _;

use marsad_shared::{
    exchange::State,
    freshness::Freshness,
    protocol::{Chosen, DiscardReply, Preview, ReplayReply, Replayed, RunRow},
    run::Outcome,
};
use ratatui::{buffer::Cell, layout::Rect, style::Modifier};

use super::*;
use crate::{
    keys::Action,
    message::Message,
    model::{
        Choice, DecideForm, Deed, DiscardForm, Form, Held, Item, Link, Place, Popup, Reach,
        ReplayForm, Subject, build,
        build::{Build, exchange, group, item, quarantined, record, run, usual},
    },
    theme::Theme,
    update::update,
};

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

fn screen(model: &Model) -> Buffer {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut buf = Buffer::empty(area);
    draw(model, area, &mut buf);
    buf
}

/// The screen as lines of text.
fn text_of(buf: &Buffer) -> String {
    let lines = buf.content.chunks(usize::from(buf.area.width.max(1)));
    let line = |cells: &[Cell]| {
        let text: String = cells.iter().map(Cell::symbol).collect();
        text.trim_end().to_owned()
    };
    lines.map(line).collect::<Vec<_>>().join("\n")
}

/// Which lines have cells of which look: the text has none.
fn looks_of(buf: &Buffer) -> String {
    let mut out = String::new();
    for (y, line) in buf.content.chunks(usize::from(buf.area.width.max(1))).enumerate() {
        let mut x = 0;
        for run in line.chunk_by(|a, b| (a.fg, a.modifier) == (b.fg, b.modifier)) {
            let text: String = run.iter().map(Cell::symbol).collect();
            if let Some(cell) = run.first()
                && !text.trim().is_empty()
            {
                let look = format!("{:?} {:?}", cell.fg, cell.modifier);
                let _ = writeln!(out, "{y}:{x} {look} {}", text.trim());
            }
            x += run.len();
        }
    }
    out
}

/// Opens a place and gives its list the rows, if it asks for some.
fn at(build: Build, size: (u16, u16), place: Place, rows: Vec<Row>) -> Model {
    let mut model = build.size(size.0, size.1).build();
    let root = place.view;
    if place.subject.is_some() {
        model.trail.jump(Place::new(View::Feeds, None));
        model.trail.push(place);
    } else {
        model.trail.jump(Place::new(root, None));
        *model.here_mut() = place;
    }
    model.rebuild();
    if let Some(fetch) = model.fetch() {
        update(&mut model, Message::Page(fetch.ticket, Ok(rows)));
    }
    model
}

fn exchanges() -> Vec<Row> {
    let states =
        [State::Rejected, State::InDoubt, State::Retrying, State::Pending, State::Delivered];
    (0..5).zip(states).map(|(n, state)| Row::Exchange(exchange(1042 - n, state).into())).collect()
}

fn runs() -> Vec<Row> {
    let outcomes = [Outcome::Running, Outcome::Failed, Outcome::Partial, Outcome::Unchanged];
    (0..4)
        .zip(outcomes)
        .map(|(n, outcome)| {
            let alike = if outcome == Outcome::Failed { 8 } else { 0 };
            let run = RunRow { alike, ..run(4822 - n, "education/enrolments", outcome) };
            Row::Run(run.into())
        })
        .collect()
}

fn held_rows() -> Vec<Row> {
    (1..4).rev().map(|n| Row::Quarantine(quarantined(n).into())).collect()
}

fn groups() -> Vec<Row> {
    let mut other = group(2, 12);
    other.reason =
        "the row has … cells and the header …; look for a missing or an unquoted delimiter"
            .to_owned();
    other.field = None;
    vec![Row::Group(group(1, 1_204).into()), Row::Group(other.into())]
}

fn records() -> Vec<Row> {
    (1..40).map(|n| Row::Record(record(n).into())).collect()
}

fn feed() -> Subject {
    Subject::Feed("education/enrolments".parse().unwrap())
}

#[test]
fn every_view_has_its_looks() {
    let places: [(&str, Place, Vec<Row>); 13] = [
        ("overview", Place::new(View::Overview, None), vec![]),
        ("connections", Place::new(View::Connections, None), vec![]),
        ("feeds", Place::new(View::Feeds, None), vec![]),
        ("exchanges", Place::new(View::Exchanges, None), exchanges()),
        ("quarantine", Place::new(View::Groups, None), groups()),
        ("group", Place::of(Subject::Group(group(1, 1_204).into())), held_rows()),
        ("runs", Place::new(View::Runs, None), runs()),
        ("feed", Place::of(feed()), runs()),
        ("records", Place::new(View::Records, Some(feed())), records()),
        ("connection", Place::of(Subject::Connection("education/api".parse().unwrap())), vec![]),
        ("exchange", Place::of(Subject::Exchange(exchange(1042, State::Rejected).into())), vec![]),
        ("item", Place::of(Subject::Item(item(14).into())), vec![]),
        ("item_awaited", Place::of(Subject::Quarantine(quarantined(14).into())), vec![]),
    ];
    for (name, place, rows) in places {
        for size in SIZES {
            let model = at(usual(), size, place.clone(), rows.clone());
            let name = format!("{name}_{}x{}", size.0, size.1);
            insta::assert_snapshot!(name, text_of(&screen(&model)));
        }
    }
}

#[test]
fn a_large_screen_is_used() {
    let model = at(usual(), (200, 60), Place::new(View::Overview, None), vec![]);
    insta::assert_snapshot!("overview_200x60", text_of(&screen(&model)));
    for (name, place, rows) in [
        ("feed", Place::of(feed()), runs()),
        ("quarantine", Place::new(View::Groups, None), groups()),
        ("group", Place::of(Subject::Group(group(1, 1_204).into())), held_rows()),
        ("item", Place::of(Subject::Item(item(14).into())), vec![]),
    ] {
        let model = at(usual(), (200, 60), place, rows);
        insta::assert_snapshot!(format!("{name}_200x60"), text_of(&screen(&model)));
    }
}

/// A feed in which something waits for a decision.
fn drifted() -> marsad_shared::protocol::FeedRow {
    let drift = ["kind gone", "sort new"].map(str::to_owned).to_vec();
    let reason = "the header lacks \"kind\"".to_owned();
    let row = build::feed("education/transfers", Freshness::Late);
    marsad_shared::protocol::FeedRow { drift, reason: Some(reason), ..row }
}

#[test]
fn a_feed_says_what_waits_for_a_decision() {
    let mut model = at(usual(), (80, 24), Place::new(View::Feeds, None), vec![]);
    model.feeds = vec![drifted().into()];
    model.rebuild();
    update(&mut model, Message::Do(Action::Open));
    insta::assert_snapshot!("feed_drifted", text_of(&screen(&model)));
    update(&mut model, Message::Do(Action::Menu));
    insta::assert_snapshot!("popup_menu_drifted", text_of(&screen(&model)));
}

#[test]
fn what_lies_in_front_has_its_looks() {
    let preview = Preview {
        feed: "education/enrolments".parse().unwrap(),
        scope: "full".to_owned(),
        from: None,
        until: None,
        budget: None,
        after_run: Some(marsad_shared::id::RunId(4820)),
        pages: Some(50),
        rows: Some(50_000),
        duration_s: Some(100),
        rows_now: 1_284,
    };
    let form = Form {
        reach: Reach::Full,
        preview: Some(Ok(preview)),
        ..Form::new("education/enrolments".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH)
    };
    let blocked =
        Item { choice: Choice::Resync, blocked: Some("Needs the role: Operator".to_owned()) };
    let popups = [
        ("help", Popup::Help { top: 0 }),
        (
            "menu",
            Popup::Menu {
                items: vec![Item { choice: Choice::Open, blocked: None }, blocked],
                selected: 1,
            },
        ),
        ("resync", Popup::Resync(form)),
        (
            "confirm",
            Popup::Confirm(Deed::Exchange(
                marsad_shared::protocol::ExchangeVerb::Retry,
                exchange(1042, State::Rejected).into(),
            )),
        ),
        (
            "decide",
            Popup::Confirm(Deed::Schema(
                marsad_shared::protocol::SchemaVerb::Approve,
                drifted().into(),
            )),
        ),
        ("palette", Popup::Palette { input: "feeds la".into(), selected: 0 }),
        ("filter", Popup::Filter { input: "edu".into(), before: String::new() }),
    ];
    for (name, popup) in popups {
        let mut model = at(usual(), (80, 24), Place::new(View::Feeds, None), vec![]);
        model.popup = Some(popup);
        insta::assert_snapshot!(format!("popup_{name}"), text_of(&screen(&model)));
    }
    let mut model = at(usual(), (80, 24), Place::new(View::Feeds, None), vec![]);
    update(&mut model, Message::Do(Action::Why));
    insta::assert_snapshot!("popup_why", text_of(&screen(&model)));
}

#[test]
fn what_is_asked_about_quarantine_has_its_looks() {
    let choice = marsad_shared::protocol::Choice { count: 1_204, ..Default::default() };
    let held = || Held { what: Chosen::default(), name: "courts/orders".to_owned() };
    let told = Replayed {
        feed: "courts/orders".parse().unwrap(),
        runs: Vec::new(),
        received: 1_204,
        accepted: 1_200,
        refused: 4,
        newer: 1,
        untried: 2,
        problem: None,
    };
    let reply = ReplayReply { done: false, choice: choice.clone(), feeds: vec![told] };
    let seen = ReplayForm { held: held(), preview: Some(Ok(reply)) };
    let reply = DiscardReply { done: false, discarded: 1_204, choice };
    let discard = DiscardForm {
        preview: Some(Ok(reply)),
        reason: "sent twice".into(),
        typed: "courts/ord".into(),
        confirms: true,
        ..DiscardForm::new(held())
    };
    let mut held_run = run(12, "courts/orders", Outcome::Held);
    held_run.waits = true;
    (held_run.counts.updated, held_run.counts.absent) = (12, 340);
    let decide = |verb| {
        let form =
            DecideForm { typed: "r1".into(), ..DecideForm::new(verb, held_run.clone().into()) };
        Popup::Decide(Box::new(form))
    };
    for (name, popup) in [
        ("decide_release", decide(marsad_shared::protocol::RunVerb::Release)),
        ("decide_undo", decide(marsad_shared::protocol::RunVerb::Undo)),
        ("replay_awaited", Popup::Replay(Box::new(ReplayForm::new(held())))),
        ("replay", Popup::Replay(Box::new(seen))),
        ("discard_awaited", Popup::Discard(Box::new(DiscardForm::new(held())))),
        ("discard", Popup::Discard(Box::new(discard))),
    ] {
        let mut model = at(usual(), (80, 24), Place::new(View::Groups, None), groups());
        model.popup = Some(popup);
        insta::assert_snapshot!(format!("popup_{name}"), text_of(&screen(&model)));
        for (width, height) in (1..=30).flat_map(|w| (1..=14).map(move |h| (w * 3, h))) {
            update(&mut model, Message::Resized(width, height));
            let _ = screen(&model);
        }
    }
    let mut model =
        at(usual(), (80, 24), Place::of(Subject::Group(group(1, 3).into())), held_rows());
    for action in [Action::Mark, Action::Down, Action::Mark] {
        update(&mut model, Message::Do(action));
    }
    insta::assert_snapshot!("marks_80x24", text_of(&screen(&model)));
}

#[test]
fn the_top_says_whether_the_daemon_is_there() {
    let away = Link::Away { since: build::ago(266), why: "connection refused".to_owned() };
    for (name, link) in
        [("away", away), ("offline", Link::Offline), ("connecting", Link::Connecting)]
    {
        let model = usual().link(link).build();
        let text = text_of(&screen(&model));
        let top = text.lines().take(3).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(format!("top_{name}"), top);
    }
}

#[test]
fn colours_only_underline_what_words_say() {
    let mut model = at(usual(), (80, 24), Place::new(View::Feeds, None), vec![]);
    let coloured = screen(&model);
    insta::assert_snapshot!("looks_feeds", looks_of(&coloured));
    model.theme = Theme { colour: false, ascii: true };
    let plain = screen(&model);
    assert!(plain.content.iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
    assert!(plain.content.iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
    insta::assert_snapshot!("ascii_feeds", text_of(&plain));
}

#[test]
fn what_came_from_outside_is_shown_and_not_obeyed() {
    let mut row = build::feed("a/b", Freshness::Stale);
    row.reason = Some("\u{1b}]52;c;ZXZpbA==\u{7}\u{202e}".to_owned());
    let mut model = build::model().feed_row(row).size(160, 24).build();
    update(&mut model, Message::Do(Action::Go(View::Feeds)));
    for action in [Action::Why, Action::Back, Action::Open] {
        update(&mut model, Message::Do(action));
        let buf = screen(&model);
        let raw = |cell: &Cell| cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}');
        assert!(!buf.content.iter().any(raw), "{action:?}");
        assert!(text_of(&buf).contains("\\u{1b}]52;c;"), "{action:?}");
    }
}

#[test]
fn no_size_is_too_small_and_an_unchanged_frame_is_the_same() {
    for view in View::ROOTS {
        for build in [build::model(), usual()] {
            let rows = match view {
                View::Exchanges => exchanges(),
                View::Groups => groups(),
                View::Runs => runs(),
                _ => vec![],
            };
            let mut model = at(build, (80, 24), Place::new(view, None), rows);
            for (width, height) in (1..=40).flat_map(|w| (1..=10).map(move |h| (w, h))) {
                update(&mut model, Message::Resized(width, height));
                assert_eq!(screen(&model), screen(&model), "{view:?} at {width}x{height}");
            }
            for size in [(1, 1), (7, 3), (40, 10)] {
                update(&mut model, Message::Resized(size.0, size.1));
                for action in [Action::Help, Action::Back, Action::Menu, Action::Back, Action::Why]
                {
                    update(&mut model, Message::Do(action));
                    let _ = screen(&model);
                }
                update(&mut model, Message::Do(Action::Back));
            }
        }
    }
}

#[test]
fn every_thing_fits_any_size() {
    let places = [
        (Place::of(feed()), runs()),
        (Place::new(View::Records, Some(feed())), records()),
        (Place::of(Subject::Run(run(1, "a/b", Outcome::Failed).into())), held_rows()),
        (Place::of(Subject::Exchange(exchange(1, State::Held).into())), vec![]),
        (Place::of(Subject::Quarantine(quarantined(1).into())), vec![]),
        (Place::of(Subject::Item(item(1).into())), vec![]),
        (Place::of(Subject::Group(group(1, 2).into())), held_rows()),
    ];
    for (place, rows) in places {
        for size in
            [(1, 1), (2, 2), (5, 3), (39, 9), (79, 23), (100, 15), (159, 33), (160, 12), (300, 90)]
        {
            let model = at(usual(), size, place.clone(), rows.clone());
            let _ = screen(&model);
        }
    }
}

#[test]
fn a_filter_that_hides_the_trouble_does_not_say_that_all_is_well() {
    let mut model = at(usual(), (80, 24), Place::new(View::Overview, None), Vec::new());
    let well = model.say("overview-all_well");
    update(&mut model, Message::Do(Action::Filter));
    update(&mut model, Message::Pasted("nothing like it".to_owned()));
    let said = text_of(&screen(&model));
    assert!(!said.contains(&well) && said.contains(&model.say("list-no_hit")), "{said}");
    model.popup = None;
    model.tell("something else".to_owned(), Tone::Good);
    let said = text_of(&screen(&model));
    assert!(said.contains("/nothing like it"), "a toast does not hide it: {said}");
}

#[test]
fn a_list_that_nobody_can_read_does_not_say_that_it_is_being_read() {
    let away = Link::Away { since: build::ago(60), why: "refused".to_owned() };
    for (link, key) in [(Link::Live, "list-waiting"), (away, "msg-blocked_away")] {
        let mut model = usual().link(link).build();
        model.trail.jump(Place::new(View::Exchanges, None));
        let said = text_of(&screen(&model));
        assert!(said.contains(&model.say(key)), "{key}: {said}");
    }
}

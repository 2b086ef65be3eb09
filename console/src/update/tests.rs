use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use marsad_shared::{
    exchange::State,
    freshness::Freshness,
    health::Health,
    id::{ExchangeId, RunId},
    protocol::{
        ActOutcome, AttemptRow, Event, EventKind, ExchangeAct, ExchangeVerb, Preview, Problem,
        ProblemCode, ResyncReply, SchemaReply, SchemaVerb, TestReply, TestStep, Tried,
    },
    role::Role,
    run::Outcome,
};
use proptest::prelude::*;

use super::*;
use crate::{
    keys,
    model::{Address, Choice, Deed, Link, Place, Row, Source, Subject, View, build},
};

mod decide;
mod held;

/// Presses keys; the last effect.
fn press(model: &mut Model, keys: &str) -> Option<Effect> {
    let mut effect = None;
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\t' => KeyCode::Tab,
            '↓' => KeyCode::Down,
            c => KeyCode::Char(c),
        };
        let message = keys::message(model, KeyEvent::new(code, KeyModifiers::NONE));
        effect = message.and_then(|message| update(model, message));
    }
    effect
}

fn toast(model: &Model) -> &str {
    model.toast.as_ref().map_or("", |toast| &toast.text)
}

/// Answers the page that is wanted.
fn serve(model: &mut Model, rows: Vec<Row>) {
    let fetch = model.fetch().expect("a page is wanted");
    update(model, Message::Page(fetch.ticket, Ok(rows)));
}

fn exchanges(states: &[State]) -> Vec<Row> {
    let ids = (1..).map(|n| 1_100 - n);
    ids.zip(states).map(|(id, state)| Row::Exchange(build::exchange(id, *state).into())).collect()
}

fn problem() -> Problem {
    Problem {
        code: ProblemCode::Conflict,
        what: "cannot resync".to_owned(),
        why: "it runs".to_owned(),
        remedy: "wait".to_owned(),
    }
}

fn preview(full: bool) -> Preview {
    Preview {
        feed: "education/enrolments".parse().unwrap(),
        scope: if full { "full" } else { "incremental" }.to_owned(),
        from: None,
        until: None,
        budget: None,
        after_run: Some(RunId(4820)),
        pages: Some(5),
        rows: Some(2_500),
        duration_s: Some(12),
        rows_now: 1_284,
    }
}

fn reply(full: bool, run: Option<RunId>) -> ResyncReply {
    ResyncReply { feed: "education/enrolments".parse().unwrap(), run, preview: preview(full) }
}

#[test]
fn keys_lead_to_places() {
    let mut delivers = build::connection("courts/referrals", Health::Up);
    delivers.feeds = 0;
    for (keys, view, subject, why) in [
        ("3", View::Feeds, None, "a digit"),
        ("31", View::Overview, None, "another"),
        ("3\n", View::Runs, Some("education/enrolments"), "into the worst feed"),
        ("3\n]", View::Records, Some("education/enrolments"), "its next tab"),
        ("3\n[", View::Moves, Some("education/enrolments"), "the tab before wraps round"),
        ("3\n\x1b", View::Feeds, None, "and out again"),
        ("3\nq", View::Feeds, None, "q is out too"),
        (":go courts/referrals\n", View::Exchanges, Some("courts/referrals"), "it only delivers"),
        ("2\n\n", View::Runs, Some("education/enrolments"), "connection, feed, runs"),
        ("7\n", View::Records, Some("education/enrolments"), "records need a feed"),
        ("3\n7", View::Records, Some("education/enrolments"), "of the feed that one is in"),
        ("3jj7\n", View::Records, Some("social/cases"), "the one that was looked at"),
        ("\n", View::Feeds, Some("education/api"), "the worst trouble"),
        ("j\n", View::Exchanges, None, "the next: exchanges"),
        ("23-", View::Connections, None, "the last place"),
        ("23--", View::Feeds, None, "twice is back"),
        ("234H", View::Feeds, None, "the place before"),
        ("234HL", View::Exchanges, None, "and forward"),
        (":feeds late\n", View::Feeds, None, "the palette"),
        (":go education/api\n", View::Feeds, Some("education/api"), "by its name"),
        (":fee\n", View::Feeds, None, "what is completed first is meant"),
        (":conn\t\x1b", View::Overview, None, "given up"),
    ] {
        let mut model = build::usual().connection_row(delivers.clone()).build();
        press(&mut model, keys);
        let found = model.here().subject.as_ref().map(Subject::name);
        assert_eq!((model.here().view, found.as_deref()), (view, subject), "{keys:?}: {why}");
    }
}

#[test]
fn a_filter_is_live_and_goes_away_in_steps() {
    let mut model = build::usual().build();
    press(&mut model, "3/heal");
    assert_eq!(model.here().list.rows.len(), 2, "while it is typed");
    press(&mut model, "\n");
    assert_eq!(model.here().list.filter.text(), "heal");
    press(&mut model, "/x\x1b");
    assert_eq!(model.here().list.filter.text(), "heal", "Esc in the prompt keeps the old one");
    press(&mut model, "\x1b");
    assert_eq!((model.here().list.filter.text(), model.here().view), ("", View::Feeds));
    press(&mut model, "4/state:held");
    let fetch = model.fetch().unwrap();
    assert_eq!(fetch.source, Source::Exchanges);
    assert_eq!(fetch.query.state.as_deref(), Some("held"), "the daemon looks for a whole word");
}

#[test]
fn the_order_is_chosen_where_the_list_is_held() {
    let mut model = build::usual().build();
    press(&mut model, "3s");
    assert_eq!(model.selected().map(Row::key).as_deref(), Some("education/enrolments"), "it stays");
    assert_eq!(model.here().list.rows[0].key(), "courts/orders");
    press(&mut model, "S");
    assert_eq!(model.here().list.rows[0].key(), "social/cases");
    press(&mut model, "6s");
    assert_eq!(toast(&model), "This list has one order only");
}

#[test]
fn a_resync_is_seen_before_it_is_agreed_to() {
    let mut model = build::usual().build();
    let asked = press(&mut model, "3r");
    let Some(Effect::Preview(order)) = asked else { panic!("{asked:?}") };
    assert!(order.dry_run && !order.full);
    assert_eq!(press(&mut model, "y"), None, "nothing can be agreed to yet");
    assert_eq!(press(&mut model, "\n"), None, "Enter never agrees");
    update(&mut model, Message::Previewed(order, Ok(reply(false, None))));
    assert_eq!(press(&mut model, "\n"), None);
    let toggled = press(&mut model, "f");
    let Some(Effect::Preview(full)) = toggled else { panic!("{toggled:?}") };
    assert!(full.full && full.dry_run, "the other scope is asked about anew");
    assert_eq!(press(&mut model, "y"), None, "the old preview is of something else");
    update(&mut model, Message::Previewed(full, Ok(reply(true, None))));
    let Some(Effect::Resync(order)) = press(&mut model, "y") else { panic!("no order") };
    assert!(order.full && !order.dry_run);
    let effect = update(&mut model, Message::Ordered(Ok(reply(true, Some(RunId(4822))))));
    assert_eq!(effect, Some(Effect::Follow(RunId(4822))));
    assert_eq!(toast(&model), "Sync started: education/enrolments  r4822");
    assert_eq!(press(&mut model, "q"), None, "asked first: a run of one's own is under way");
    assert!(matches!(model.popup, Some(Popup::Confirm(Deed::Quit))));
    press(&mut model, "n");
    let run = build::run(4822, "education/enrolments", Outcome::Succeeded);
    update(&mut model, Message::Ended(Box::new(run)));
    assert_eq!(toast(&model), "r4822 education/enrolments: Succeeded, 31 changed, 0 held");
    let mut run = build::run(4823, "education/enrolments", Outcome::Failed);
    run.reason = Some("https://a.example/x: connection refused; ask the partner".to_owned());
    update(&mut model, Message::Ended(Box::new(run)));
    let said = "r4823 education/enrolments: Failed: connection refused; ask the partner";
    assert_eq!(toast(&model), said, "and why");
    press(&mut model, "1");
    assert_eq!(press(&mut model, "q"), Some(Effect::Quit));
}

#[test]
fn a_refused_order_says_what_to_do() {
    let mut model = build::usual().build();
    update(&mut model, Message::Ordered(Err(problem())));
    assert_eq!(toast(&model), "cannot resync: it runs; wait");
}

#[test]
fn what_cannot_be_done_says_why() {
    let away = Link::Away { since: build::ago(60), why: "refused".to_owned() };
    for (link, roles, expected) in [
        (Link::Live, &[Role::Viewer][..], "Needs the role: Operator"),
        (Link::Live, &[], "Needs the role: Operator"),
        (Link::Offline, &[Role::Admin], "Offline: nothing can be changed"),
        (away, &[Role::Admin], "The daemon does not answer"),
    ] {
        let mut model = build::usual().roles(roles).link(link).build();
        assert_eq!(press(&mut model, "3r"), None);
        assert_eq!((toast(&model), model.popup.is_none()), (expected, true));
        press(&mut model, "a");
        let Some(Popup::Menu { items, .. }) = &model.popup else { panic!("no menu") };
        let resync = items.iter().find(|item| item.choice == Choice::Resync).unwrap();
        assert_eq!(resync.blocked.as_deref(), Some(expected), "listed all the same");
    }
}

#[test]
fn a_connection_is_tried_and_what_failed_is_told() {
    let mut model = build::usual().build();
    press(&mut model, "2a");
    let Some(Popup::Menu { items, .. }) = &model.popup else { panic!("no menu") };
    let at = items.iter().position(|item| item.choice == Choice::Test).unwrap();
    let Some(Effect::Test(id)) = press(&mut model, &format!("{}\n", "j".repeat(at))) else {
        panic!("nothing is tried")
    };
    assert_eq!(toast(&model), format!("Trying {id}"));
    let step = |ok| Tried { step: TestStep::Connect, ok, ms: 1, text: "refused".to_owned() };
    let reply = |ok, remedy: Option<&str>| {
        let (id, remedy) = (id.clone(), remedy.map(str::to_owned));
        Message::Tested(Ok(TestReply { id, ok, steps: vec![step(ok)], remedy }))
    };
    update(&mut model, reply(true, None));
    assert_eq!(toast(&model), format!("{id}: every step went well"));
    update(&mut model, reply(false, Some("ask the partner")));
    assert_eq!(toast(&model), format!("{id}: connect failed: refused; ask the partner"));
    update(&mut model, Message::Tested(Err(problem())));
    assert_eq!(toast(&model), "cannot resync: it runs; wait");
}

#[test]
fn an_exchange_allows_what_its_state_allows() {
    let mut model = build::usual().build();
    press(&mut model, "4");
    serve(&mut model, exchanges(&[State::Sending, State::Rejected]));
    press(&mut model, "ja");
    let Some(Popup::Menu { items, .. }) = &model.popup else { panic!("no menu") };
    let free: Vec<_> =
        items.iter().filter(|item| item.blocked.is_none()).map(|item| item.choice).collect();
    assert_eq!(
        free,
        [Choice::Open, Choice::Why, Choice::Exchange(ExchangeVerb::Retry), Choice::Copy]
    );
    press(&mut model, "jjj\n");
    assert_eq!(toast(&model), "Not while it is: Rejected", "hold is blocked");
    press(&mut model, "k\n");
    assert!(matches!(model.popup, Some(Popup::Confirm(Deed::Exchange(ExchangeVerb::Retry, _)))));
    assert_eq!(press(&mut model, "\n"), None, "Enter never agrees");
    let act = ExchangeAct { verb: ExchangeVerb::Retry, ids: vec![ExchangeId(1_098)], reason: None };
    assert_eq!(press(&mut model, "y"), Some(Effect::Act(act)));
    let outcome = ActOutcome {
        id: ExchangeId(1_098),
        done: true,
        state: Some(State::Pending),
        problem: None,
    };
    update(&mut model, Message::Acted(Ok(vec![outcome])));
    assert_eq!(toast(&model), "Done: x1098 became Pending");
    assert!(model.fetch().is_some(), "and the list is read again");
}

#[test]
fn what_waits_for_a_decision_is_decided_by_a_supervisor_and_never_by_enter() {
    let mut row = build::feed("courts/cases", Freshness::Late);
    row.drift = vec!["kind gone".to_owned(), "sort new".to_owned()];
    let standing = |role| build::model().roles(&[role]).feed_row(row.clone()).build();
    let mut model = standing(Role::Operator);
    press(&mut model, "3a");
    let blocked = |model: &Model, verb| {
        let Some(Popup::Menu { items, .. }) = &model.popup else { panic!("no menu") };
        let item = items.iter().position(|item| item.choice == Choice::Schema(verb)).unwrap();
        (item, items[item].blocked.clone())
    };
    let why = blocked(&model, SchemaVerb::Approve).1.unwrap();
    assert!(why.contains("Supervisor"), "{why}");
    let mut model = standing(Role::Supervisor);
    press(&mut model, "3a");
    let (at, why) = blocked(&model, SchemaVerb::Refuse);
    assert_eq!(why, None);
    press(&mut model, &("j".repeat(at) + "\n"));
    assert!(matches!(model.popup, Some(Popup::Confirm(Deed::Schema(SchemaVerb::Refuse, _)))));
    assert_eq!(press(&mut model, "\n"), None, "Enter never agrees");
    let Some(Effect::Settle(order)) = press(&mut model, "y") else { panic!("no order") };
    assert_eq!((order.feed.as_str(), order.verb), ("courts/cases", SchemaVerb::Refuse));
    assert!(order.columns.is_empty(), "all that is open");
    let reply = SchemaReply {
        feed: order.feed,
        decided: Vec::new(),
        added: Vec::new(),
        declare: Vec::new(),
    };
    update(&mut model, Message::Settled(Ok(reply)));
    assert!(toast(&model).starts_with("courts/cases: "), "{}", toast(&model));
}

#[test]
fn what_becomes_the_worst_is_seen_by_whoever_stands_on_top() {
    let worse = || {
        let rows = [("health/api", Health::Suspect), ("courts/api", Health::Down)];
        Message::Connections(rows.map(|(id, health)| build::connection(id, health)).into())
    };
    for (keys, expected, why) in [
        ("", "connection:courts/api", "nothing was touched"),
        ("jk", "connection:courts/api", "on top again"),
        ("a", "connection:health/api", "the menu is about the row it was opened on"),
        ("j", "quarantine:courts/orders", "the one that was chosen"),
    ] {
        let mut held = build::feed("courts/orders", Freshness::Fresh);
        held.quarantine = 1;
        let mut model =
            build::model().connection("health/api", Health::Down).feed_row(held).build();
        press(&mut model, keys);
        update(&mut model, worse());
        assert_eq!(model.selected().map(Row::key).as_deref(), Some(expected), "{keys:?}: {why}");
    }
    let mut model = build::usual().build();
    press(&mut model, "3\n");
    let first = build::feed("health/births", Freshness::Expired);
    update(&mut model, Message::SomeFeeds(vec![first]));
    press(&mut model, "\x1b");
    let selected = model.selected().map(Row::key);
    assert_eq!(selected.as_deref(), Some("education/enrolments"), "back where one came from");
}

#[test]
fn pasted_text_is_never_a_command() {
    let mut model = build::usual().build();
    assert_eq!(update(&mut model, Message::Pasted("3\nry".to_owned())), None);
    assert_eq!(model.here().view, View::Overview);
    assert!(toast(&model).contains("never a command"));
    press(&mut model, ":");
    update(&mut model, Message::Pasted(" quit\n\u{1b}now\n".to_owned()));
    let Some(Popup::Palette { input, .. }) = &model.popup else { panic!("closed by a paste") };
    assert_eq!(input.value(), "quit now", "into the line, but not through it");
    update(&mut model, Message::Burst(99));
    assert!(toast(&model).starts_with("99 keys"));
}

#[test]
fn only_what_is_shown_is_read_again() {
    for (keys, kind, id, expected, why) in [
        ("4", EventKind::Exchange, Some("x9"), true, "the list on screen"),
        ("4", EventKind::Run, Some("r9"), false, "another list"),
        ("6", EventKind::Run, Some("r9"), true, "runs"),
        ("3\n]", EventKind::Feed, Some("education/enrolments"), true, "records of this feed"),
        ("3\n]", EventKind::Feed, Some("health/births"), false, "of another feed"),
        ("4", EventKind::Lagged, None, true, "who knows what"),
    ] {
        let mut model = build::usual().build();
        press(&mut model, keys);
        serve(&mut model, Vec::new());
        let event = Event { seq: 1, at: build::now(), kind, id: id.map(str::to_owned) };
        update(&mut model, Message::Heard(event));
        assert_eq!(model.fetch().is_some(), expected, "{why}");
    }
}

#[test]
fn the_thing_that_is_looked_at_is_followed() {
    let mut model = build::usual().build();
    press(&mut model, "4");
    serve(&mut model, exchanges(&[State::Sending]));
    press(&mut model, "\n");
    let event = |id: &str| {
        let (kind, id) = (EventKind::Exchange, Some(id.to_owned()));
        Message::Heard(Event { seq: 1, at: build::now(), kind, id })
    };
    assert_eq!(update(&mut model, event("x7")), None, "another one");
    let again = Effect::Find(Address::Exchange(ExchangeId(1_099)));
    assert_eq!(update(&mut model, event("x1099")), Some(again));
    press(&mut model, "6");
    serve(&mut model, vec![Row::Run(build::run(7, "a/b", Outcome::Running).into())]);
    press(&mut model, "\n");
    let ended = build::run(7, "a/b", Outcome::Succeeded);
    update(&mut model, Message::Found(Address::Run(RunId(7)), Ok(Row::Run(ended.into()))));
    let Some(Subject::Run(run)) = &model.here().subject else { panic!("elsewhere") };
    assert_eq!((run.outcome, model.trail.places().count()), (Outcome::Succeeded, 2));
}

#[test]
fn when_the_daemon_goes_everything_stays_and_it_says_since_when() {
    let mut model = build::usual().build();
    press(&mut model, "3");
    let rows = model.here().list.rows.clone();
    update(&mut model, Message::Away(build::now(), "refused".to_owned()));
    let later = build::ago(-60);
    update(&mut model, Message::Away(later, "still refused".to_owned()));
    let since = Link::Away { since: build::now(), why: "still refused".to_owned() };
    assert_eq!((&model.link, &model.here().list.rows), (&since, &rows));
    press(&mut model, "4");
    assert_eq!(model.fetch(), None, "nobody is asked");
    update(&mut model, Message::Back(later));
    assert_eq!((&model.link, toast(&model)), (&Link::Live, "Daemon is back"));
    assert!(model.fetch().is_some(), "and asked again at once");
}

#[test]
fn a_thing_is_found_by_its_address() {
    let mut model = build::usual().build();
    let asked = press(&mut model, ":go x1042\n");
    assert_eq!(asked, Some(Effect::Find(Address::Exchange(ExchangeId(1042)))));
    let mut row = build::exchange(1042, State::InDoubt);
    let found = Row::Exchange(row.clone().into());
    update(&mut model, Message::Found(Address::Exchange(ExchangeId(1042)), Ok(found)));
    assert_eq!(model.here().view, View::Attempts);
    row.state = State::Delivered;
    let found = Row::Exchange(row.into());
    update(&mut model, Message::Found(Address::Exchange(ExchangeId(1042)), Ok(found)));
    assert_eq!(model.trail.places().count(), 2, "looked at again, not entered again");
    press(&mut model, ":go feed:no/such\n");
    assert_eq!(toast(&model), "There is no no/such");
}

#[test]
fn a_record_is_found_by_its_key_and_not_by_reading_the_bank() {
    let feed = || "education/enrolments".parse().unwrap();
    let asked = Address::Record(feed(), "E-9".to_owned());
    for (keys, held, expected, why) in [
        ("3\n]/E-9\n", 0, Some(&asked), "nothing has passed"),
        ("3\n]/E-9\n", 1, None, "something has"),
        ("3\n]/\n", 0, None, "nothing was typed"),
        ("3/E-9\n", 0, None, "no records"),
        (":go education/enrolments E-9\n", 0, Some(&asked), "from anywhere"),
    ] {
        let mut model = build::usual().build();
        let (before, last) = keys.split_at(keys.len() - 1);
        press(&mut model, before);
        if model.here().source().is_some() {
            let mut row = build::record(1);
            row.key = vec!["E-9".into()];
            row.fields.insert("id".to_owned(), "E-9".into());
            serve(&mut model, std::iter::repeat_n(Row::Record(row.into()), held).collect());
        }
        let effect = press(&mut model, last);
        assert_eq!(effect, expected.cloned().map(Effect::Find), "{keys:?}: {why}");
    }
    let mut model = build::usual().build();
    press(&mut model, "3\n]");
    let row = Row::Record(build::record(9).into());
    update(&mut model, Message::Found(asked, Ok(row)));
    assert!(matches!(model.here().subject, Some(Subject::Record(..))));
    press(&mut model, "\x1b");
    assert_eq!(model.here().view, View::Records, "out of it, to the list one was in");
}

#[test]
fn the_menu_opens_only_what_can_be_opened() {
    let mut row = build::exchange(1042, State::Rejected);
    row.timeline.push(AttemptRow {
        number: 1,
        kind: "deliver".to_owned(),
        started_at: build::ago(60),
        ended_at: Some(build::ago(59)),
        state: Some(State::Rejected),
        status: Some(422),
        reason: None,
    });
    let mut model = build::usual().build();
    press(&mut model, "4");
    serve(&mut model, vec![Row::Exchange(row.into())]);
    for (keys, expected, why) in
        [("a", true, "an exchange"), ("\x1b\na", false, "an attempt is open as it stands")]
    {
        press(&mut model, keys);
        let Some(Popup::Menu { items, .. }) = &model.popup else { panic!("no menu: {why}") };
        let opens = items.iter().any(|item| item.choice == Choice::Open);
        assert_eq!(opens, expected, "{why}");
    }
}

#[test]
fn a_toast_goes_by_itself() {
    let mut model = build::usual().build();
    press(&mut model, "y");
    assert!(model.toast.is_some());
    update(&mut model, Message::Tick(build::ago(-7)));
    assert!(model.toast.is_some());
    update(&mut model, Message::Tick(build::ago(-8)));
    assert_eq!(model.toast, None);
}

#[test]
fn interrupting_takes_two() {
    let mut model = build::usual().build();
    let stop = || Message::Do(Action::Interrupt);
    press(&mut model, "?");
    assert_eq!(update(&mut model, stop()), None);
    assert!(model.popup.is_none(), "first what is in front");
    assert_eq!(update(&mut model, stop()), None);
    assert_eq!(update(&mut model, stop()), Some(Effect::Quit));
}

fn any_message() -> impl Strategy<Value = Message> {
    let act = prop::sample::select(keys::TABLE).prop_map(|binding| Message::Do(binding.action));
    let typed = any::<char>().prop_map(|c| Message::Edit(tui_input::InputRequest::InsertChar(c)));
    prop_oneof![
        12 => act,
        2 => typed,
        1 => any::<String>().prop_map(Message::Pasted),
        2 => (0_u16..220, 0_u16..70).prop_map(|(w, h)| Message::Resized(w, h)),
        1 => (0_i64..100_000).prop_map(|s| Message::Tick(build::ago(-s))),
        1 => Just(Message::Away(build::now(), "gone".to_owned())),
        1 => Just(Message::Back(build::now())),
        1 => prop::collection::vec(0_usize..8, 0..9).prop_map(|picked| {
            Message::Feeds(picked.iter().map(|n| build::feed(
                &format!("p{n}/feed"),
                Freshness::ALL[*n],
            )).collect())
        }),
        1 => prop::collection::vec(0_usize..6, 0..9).prop_map(|picked| {
            Message::Connections(picked.iter().map(|n| build::connection(
                &format!("p{n}/api"),
                Health::ALL[*n],
            )).collect())
        }),
        1 => Just(Message::Ordered(Err(problem()))),
        1 => Just(Message::Ordered(Ok(reply(false, Some(RunId(1)))))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_the_selection_is_in_the_list_and_the_frame_is_drawn(
        messages in prop::collection::vec(any_message(), 1..30),
        served in prop::collection::vec(0_usize..300, 30),
    ) {
        let mut model = build::usual().build();
        for (message, rows) in messages.into_iter().zip(served) {
            update(&mut model, message);
            if let Some(fetch) = model.fetch() {
                let rows = (0..rows).rev().map(|n| {
                    let n = i64::try_from(n).unwrap();
                    match &fetch.source {
                        Source::Exchanges => Row::Exchange(build::exchange(n, State::Pending).into()),
                        Source::Groups => Row::Group(build::group(n, 7).into()),
                        Source::Quarantine => Row::Quarantine(build::quarantined(n).into()),
                        Source::Runs => Row::Run(build::run(n, "a/b", Outcome::Succeeded).into()),
                        Source::Records(_) => Row::Record(build::record(n).into()),
                        Source::Moves(_) => Row::Move(build::moved(n).into()),
                    }
                });
                let page = Message::Page(fetch.ticket, Ok(rows.collect()));
                update(&mut model, page);
            }
            let list = &model.here().list;
            prop_assert!(list.selected < list.rows.len().max(1));
            let area = ratatui::layout::Rect::new(0, 0, model.size.0, model.size.1);
            let mut buf = ratatui::buffer::Buffer::empty(area);
            crate::view::draw(&model, area, &mut buf);
        }
    }
}

#[test]
fn a_place_that_is_left_is_found_as_it_was() {
    let mut model = build::usual().build();
    press(&mut model, "6");
    serve(
        &mut model,
        [9, 8, 7].map(|n| Row::Run(build::run(n, "a/b", Outcome::Failed).into())).into(),
    );
    press(&mut model, "j\n");
    assert_eq!(model.here().subject.as_ref().map(Subject::name).as_deref(), Some("r8"));
    press(&mut model, "\x1b");
    assert_eq!(model.selected().map(Row::key).as_deref(), Some("r8"));
    assert!(matches!(model.here(), Place { view: View::Runs, subject: None, .. }));
}

//! Quarantine on the screen: what is alike, its items, an item, and what is done about them.

use marsad_shared::{
    id::{GroupId, QuarantineId},
    protocol::{Alike, Choice as Chosen_, Chosen, DiscardReply, ReplayReply, Replayed},
};

use super::*;

fn choice(count: u64) -> Chosen_ {
    Chosen_ {
        count,
        up_to: Some(QuarantineId(99)),
        feeds: vec!["courts/orders".parse().unwrap()],
        missing: Vec::new(),
    }
}

fn discards(count: u64, done: bool) -> DiscardReply {
    DiscardReply { done, discarded: count, choice: choice(count) }
}

fn replays(accepted: u64, refused: u64, done: bool) -> ReplayReply {
    let told = Replayed {
        feed: "courts/orders".parse().unwrap(),
        runs: Vec::new(),
        received: accepted + refused,
        accepted,
        refused,
        newer: 0,
        untried: 0,
        problem: None,
    };
    ReplayReply { done, choice: choice(accepted + refused), feeds: vec![told] }
}

/// The items of a group, opened from the list of groups.
fn items(role: Role) -> Model {
    let mut model = build::usual().roles(&[role]).build();
    press(&mut model, "5");
    serve(&mut model, vec![Row::Group(build::group(3, 270).into())]);
    press(&mut model, "\n");
    let fetch = model.fetch().expect("its items are wanted");
    assert_eq!(fetch.query.group, Some(Alike::Group(GroupId(3))));
    let rows = [9, 8, 7].map(|n| Row::Quarantine(build::quarantined(n).into()));
    update(&mut model, Message::Page(fetch.ticket, Ok(rows.into())));
    model
}

/// Opens the menu and chooses.
fn choose(model: &mut Model, wanted: Choice) -> Option<Effect> {
    press(model, "a");
    let Some(Popup::Menu { items, .. }) = &model.popup else { panic!("the menu is open") };
    let at = items.iter().position(|item| item.choice == wanted).expect("it is offered");
    press(model, &"↓".repeat(at));
    press(model, "\n")
}

fn ids(ids: &[i64]) -> Chosen {
    Chosen { ids: ids.iter().map(|id| QuarantineId(*id)).collect(), ..Chosen::default() }
}

#[test]
fn what_is_alike_opens_into_items_and_an_item_into_how_it_came() {
    let mut model = items(Role::Viewer);
    let effect = press(&mut model, "j\n");
    let address = Address::Quarantine(QuarantineId(8));
    assert_eq!(effect, Some(Effect::Find(address.clone())));
    assert!(matches!(model.here().subject, Some(Subject::Quarantine(_))), "shown before it comes");
    let item = Row::Item(build::item(8).into());
    update(&mut model, Message::Found(address, Ok(item.clone())));
    let said: Vec<_> = model
        .here()
        .list
        .rows
        .iter()
        .map(|row| match row {
            Row::Fact(fact) => fact.value.clone(),
            _ => String::new(),
        })
        .collect();
    assert!(
        said.contains(&"31/02/2026".to_owned()) && said.contains(&"•••678".to_owned()),
        "{said:?}"
    );
    press(&mut model, "\x1b");
    assert_eq!(model.selected().map(Row::key).as_deref(), Some("q8"), "and out again");
    // By its address, from wherever one is.
    press(&mut model, "3");
    let found = Message::Found(Address::Quarantine(QuarantineId(8)), Ok(item));
    update(&mut model, found);
    assert_eq!(model.here().subject.as_ref().map(Subject::name).as_deref(), Some("q8"));
    press(&mut model, "\x1b");
    assert_eq!(model.here().view, View::Groups);
}

#[test]
fn marks_are_what_an_act_is_about_and_esc_takes_them_away_first() {
    let mut model = items(Role::Operator);
    press(&mut model, "  ");
    assert_eq!(model.here().list.marks.iter().collect::<Vec<_>>(), ["q8", "q9"]);
    let asked = choose(&mut model, Choice::Replay);
    let Some(Effect::Replay(asked)) = asked else { panic!("{asked:?}") };
    assert_eq!((&asked.what, asked.dry_run), (&ids(&[8, 9]), true));
    press(&mut model, "n");
    press(&mut model, "k ");
    assert_eq!(model.here().list.marks.len(), 1, "a second time takes it away");
    press(&mut model, "\x1b");
    assert!(model.here().list.marks.is_empty() && model.here().view == View::Quarantine);
    press(&mut model, "\x1b");
    assert_eq!(model.here().view, View::Groups);
    press(&mut model, " ");
    assert_eq!(toast(&model), model.say("msg-no_marks"));
}

#[test]
fn a_replay_is_done_once_its_preview_was_agreed_to() {
    let mut model = items(Role::Operator);
    press(&mut model, "\x1b");
    let Some(Effect::Replay(asked)) = choose(&mut model, Choice::Replay) else { panic!("asked") };
    let group = Chosen { group: Some(Alike::Group(GroupId(3))), ..Chosen::default() };
    assert_eq!((&asked.what, asked.dry_run, asked.force), (&group, true, false));
    assert_eq!(press(&mut model, "y"), None, "nothing is agreed to before it is seen");
    update(&mut model, Message::ReplayTried(asked, Ok(replays(9, 1, false))));
    assert_eq!(press(&mut model, "\n"), None, "Enter is no yes");
    let Some(Effect::Replay(order)) = press(&mut model, "y") else { panic!("ordered") };
    // No more than was seen.
    let seen = Chosen { up_to: Some(QuarantineId(99)), ..group };
    assert_eq!((order.what, order.dry_run), (seen, false));
    update(&mut model, Message::Replayed(Ok(replays(9, 1, true))));
    assert_eq!(toast(&model), "9 of 10 accepted, 1 refused again");
    assert!(model.fetch().is_some(), "the list is read anew");
}

#[test]
fn a_discard_is_typed_with_its_name_and_count_behind_a_reason() {
    let mut model = items(Role::Supervisor);
    let Some(Effect::Discard(asked)) = choose(&mut model, Choice::Discard) else { panic!("asked") };
    assert_eq!((&asked.what, asked.dry_run, &asked.reason), (&ids(&[9]), true, &None));
    press(&mut model, "sent twice");
    update(&mut model, Message::DiscardTried(asked, Ok(discards(1, false))));
    for keys in ["\n", "y", "\tcourts/orders ", "\n", "2"] {
        assert_eq!(press(&mut model, keys), None, "{keys:?} does nothing");
    }
    update(&mut model, Message::Pasted("courts/orders 1".to_owned()));
    assert!(matches!(model.popup, Some(Popup::Discard(_))), "what is pasted confirms nothing");
    let backspace = KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE);
    let message = keys::message(&model, backspace).expect("it edits");
    assert_eq!(update(&mut model, message), None);
    let Some(Effect::Discard(order)) = press(&mut model, "1") else { panic!("ordered") };
    assert_eq!((order.what, order.dry_run), (ids(&[9]), false));
    assert_eq!(order.reason.as_deref(), Some("sent twicey"), "the very letters that were typed");
    update(&mut model, Message::Discarded(Ok(discards(1, true))));
    assert_eq!(toast(&model), "1 item discarded");

    // Without a reason the right words do nothing.
    let Some(Effect::Discard(asked)) = choose(&mut model, Choice::Discard) else { panic!("asked") };
    update(&mut model, Message::DiscardTried(asked, Ok(discards(1, false))));
    assert_eq!(press(&mut model, "\tcourts/orders 1"), None);
    press(&mut model, "\x1b");
    assert!(model.popup.is_none(), "Esc gives it up");
}

#[test]
fn what_a_role_may_not_do_is_listed_with_the_role_that_may() {
    for (role, replay, discard) in [
        (Role::Viewer, false, false),
        (Role::Operator, true, false),
        (Role::Supervisor, true, true),
    ] {
        let mut model = items(role);
        press(&mut model, "a");
        let Some(Popup::Menu { items, .. }) = &model.popup else { panic!("the menu is open") };
        let may = |wanted| items.iter().any(|item| item.choice == wanted && item.blocked.is_none());
        assert_eq!((may(Choice::Replay), may(Choice::Discard)), (replay, discard), "{role}");
        press(&mut model, "\x1b");
        if !discard {
            assert_eq!(choose(&mut model, Choice::Discard), None);
            let least = model.say("role-supervisor");
            assert!(toast(&model).contains(&least), "{}", toast(&model));
        }
    }
}

#[test]
fn one_leaves_an_item_that_is_gone() {
    let mut model = items(Role::Supervisor);
    press(&mut model, "\n");
    let found =
        Message::Found(Address::Quarantine(QuarantineId(9)), Ok(Row::Item(build::item(9).into())));
    update(&mut model, found);
    let Some(Effect::Replay(asked)) = choose(&mut model, Choice::Replay) else { panic!("asked") };
    assert_eq!(asked.what, ids(&[9]));
    update(&mut model, Message::ReplayTried(asked, Err(problem())));
    assert_eq!(press(&mut model, "y"), None, "what cannot be done cannot be agreed to");
    press(&mut model, "n");
    update(&mut model, Message::Replayed(Ok(replays(0, 1, true))));
    assert!(matches!(model.here().subject, Some(Subject::Item(_))), "it is still there");
    update(&mut model, Message::Replayed(Ok(replays(1, 0, true))));
    assert!(matches!(model.here().subject, Some(Subject::Group(_))));
}

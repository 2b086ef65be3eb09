//! Runs on the screen: what can be decided about one, and that no slip of a finger decides it.

use marsad_shared::protocol::{RunAct, RunActReply, RunRow, RunVerb};

use super::*;

/// The list of runs with one of `outcome`, as `change` has it.
fn runs(role: Role, outcome: Outcome, change: fn(&mut RunRow)) -> Model {
    let mut model = build::usual().roles(&[role]).build();
    press(&mut model, "6");
    let mut row = build::run(12, "courts/orders", outcome);
    change(&mut row);
    serve(&mut model, vec![Row::Run(row.into())]);
    model
}

fn choose(model: &mut Model, wanted: Choice) -> Option<Effect> {
    press(model, "a");
    let Some(Popup::Menu { items, .. }) = &model.popup else { panic!("the menu is open") };
    let at = items.iter().position(|item| item.choice == wanted).expect("it is offered");
    press(model, &"↓".repeat(at));
    press(model, "\n")
}

fn decides(verb: RunVerb) -> Effect {
    Effect::Decide(RunAct { verb, run: RunId(12), reason: None })
}

#[test]
fn what_changes_the_bank_takes_the_runs_id_and_nothing_else() {
    for (verb, change) in [
        (RunVerb::Release, (|row: &mut RunRow| row.waits = true) as fn(&mut RunRow)),
        (RunVerb::Undo, |row| (row.outcome, row.undoable) = (Outcome::Succeeded, true)),
    ] {
        let mut model = runs(Role::Operator, Outcome::Held, change);
        assert_eq!(choose(&mut model, Choice::Run(verb)), None);
        assert_eq!(press(&mut model, "\ny\nr1\n"), None, "neither yes nor Enter");
        assert!(matches!(model.popup, Some(Popup::Decide(_))), "it asks on");
        update(&mut model, Message::Pasted("r12".to_owned()));
        assert!(matches!(model.popup, Some(Popup::Decide(_))), "and a paste confirms nothing");
        press(&mut model, "\x1b");
        assert!(model.popup.is_none());
        choose(&mut model, Choice::Run(verb));
        assert_eq!(press(&mut model, "r12"), Some(decides(verb)));
        assert!(model.popup.is_none());
        let said = RunActReply { run: RunId(12), said: "r12 released by noor".to_owned() };
        update(&mut model, Message::Decided(Ok(said)));
        assert_eq!(toast(&model), "r12 released by noor");
    }
}

#[test]
fn what_leaves_the_bank_as_it_is_takes_a_yes() {
    let mut model = runs(Role::Operator, Outcome::Held, |row| row.waits = true);
    choose(&mut model, Choice::Run(RunVerb::Discard));
    assert_eq!(press(&mut model, "\n"), None);
    assert_eq!(press(&mut model, "y"), Some(decides(RunVerb::Discard)));
    let mut model = runs(Role::Operator, Outcome::Running, |_| {});
    choose(&mut model, Choice::Run(RunVerb::Cancel));
    assert_eq!(press(&mut model, "n"), None);
    choose(&mut model, Choice::Run(RunVerb::Cancel));
    assert_eq!(press(&mut model, "y"), Some(decides(RunVerb::Cancel)));
}

#[test]
fn what_cannot_be_decided_says_why() {
    let blocked = |model: &mut Model| -> Vec<Option<String>> {
        press(model, "a");
        let Some(Popup::Menu { items, .. }) = model.popup.take() else { panic!("the menu") };
        let of = |verb| items.iter().find(|item| item.choice == Choice::Run(verb)).unwrap();
        RunVerb::ALL.map(|verb| of(verb).blocked.clone()).to_vec()
    };
    let mut model = runs(Role::Operator, Outcome::Succeeded, |_| {});
    let say = |model: &Model, key| Some(model.say(key));
    let expected = [
        "msg-blocked_ended",
        "msg-blocked_nothing_waits",
        "msg-blocked_nothing_waits",
        "msg-blocked_no_undo",
    ];
    assert_eq!(blocked(&mut model), expected.map(|key| say(&model, key)));
    let mut model = runs(Role::Viewer, Outcome::Held, |row| row.waits = true);
    let role = blocked(&mut model)[1].clone().unwrap();
    assert!(role.contains("Operator"), "{role}");
    let mut model = runs(Role::Operator, Outcome::Held, |_| {});
    let [_, release, discard, _] = &blocked(&mut model)[..] else { panic!("four") };
    assert!(release.is_none() && discard.is_some(), "what kept nothing is read again");
}

#[test]
fn the_form_of_a_resync_offers_a_look_first_and_stretches_of_time() {
    let mut model = build::usual().roles(&[Role::Operator]).build();
    press(&mut model, "3");
    let first = press(&mut model, "r");
    let Some(Effect::Preview(first)) = first else { panic!("{first:?}") };
    assert!(!first.full && !first.hold && first.since.is_none() && first.dry_run);
    let mut asked = Vec::new();
    for _ in 0..5 {
        let Some(Effect::Preview(order)) = press(&mut model, "f") else { panic!("asked anew") };
        asked.push((order.full, order.hold, order.since.zip(order.until)));
    }
    let days = |at: usize| {
        let (since, until) = asked[at].2.unwrap();
        until.duration_since(since).as_hours() / 24
    };
    assert_eq!((asked[0], asked[1]), ((true, false, None), (true, true, None)));
    assert_eq!((days(2), days(3)), (1, 7));
    assert_eq!(asked[4], (false, false, None), "and from the beginning");
}

use super::*;
use crate::{
    protocol::ListQuery,
    store::{Reader, Store},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn start(trigger: Trigger, file: Option<&str>) -> RunStart {
    RunStart {
        feed: "courts/cases".parse().unwrap(),
        trigger,
        at: at(1),
        actor: None,
        full: false,
        file: file.map(str::to_owned),
    }
}

fn end(outcome: Outcome, cause: Option<Reason>, reason: &str, second: i64) -> RunEnd {
    RunEnd {
        outcome,
        reason: Some(reason.to_owned()),
        cause,
        at: at(second),
        pages: 1,
        bytes: 0,
        counts: Counts { received: 1, inserted: 1, ..Counts::default() },
        event_at: None,
        next_at: None,
        waits: false,
        came_at: None,
    }
}

#[test]
fn failures_alike_one_after_the_other_fold_into_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let store = Store::open(&state).unwrap();
    let failed = |cause, reason: &str| end(Outcome::Failed, Some(cause), reason, 9);
    let runs = [
        (None, failed(Reason::ConnectTimeout, "no answer within 10.01 s, attempt 1")),
        (None, failed(Reason::ConnectTimeout, "no answer within 9.8 s, attempt 22")),
        (None, failed(Reason::ConnectTimeout, "no answer within 10 s, attempt 3")),
        (None, failed(Reason::Dns, "no such name")),
        (None, failed(Reason::Dns, "no such name")),
        (None, end(Outcome::Succeeded, None, "", 9)),
        (None, failed(Reason::Dns, "no such name")),
        (None, end(Outcome::Cancelled, None, "marsadd was stopped", 9)),
        (None, end(Outcome::Cancelled, None, "marsadd was stopped", 9)),
        (Some("a.csv"), failed(Reason::Decode, "no header")),
        (Some("b.csv"), failed(Reason::Decode, "no header")),
    ];
    let work = move |ledger: &mut Ledger| {
        for (file, end) in &runs {
            ledger.record_run(&start(Trigger::Schedule, *file), end)?;
        }
        Ok(())
    };
    store.ledger.call_blocking(work).unwrap();
    let reader = Reader::open(&state).unwrap();
    let list = |fold, feed: Option<&str>, partner: Option<&str>| {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let query =
            ListQuery { fold, feed: text(feed), partner: text(partner), ..ListQuery::default() };
        let rows = reader.runs(&query).unwrap();
        rows.iter().map(|row| (row.id.0, row.alike)).collect::<Vec<_>>()
    };
    let heads = vec![(11, 0), (10, 0), (9, 0), (8, 0), (7, 0), (6, 0), (5, 1), (3, 2)];
    assert_eq!(list(true, None, None), heads);
    assert_eq!(list(true, Some("courts/cases"), None), heads);
    assert_eq!(list(true, None, Some("courts")), heads);
    assert_eq!(list(false, None, None).len(), 11, "a script sees each");
    store.close();
}

#[test]
fn what_a_person_lets_in_later_is_as_old_as_when_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    let good = |second, came_at| RunEnd { came_at, ..end(Outcome::Succeeded, None, "", second) };
    let feed = start(Trigger::Replay, None).feed;
    let clocks = |ledger: &Ledger| {
        let state = ledger.feed_state(&feed).unwrap();
        (state.checked_at.map(Timestamp::as_second), state.arrived_at.map(Timestamp::as_second))
    };
    ledger.record_run(&start(Trigger::Replay, None), &good(100, None)).unwrap();
    assert_eq!(clocks(&ledger), (None, None), "what was no good before");
    ledger.record_run(&start(Trigger::Replay, Some("a.csv")), &good(200, Some(at(50)))).unwrap();
    assert_eq!(clocks(&ledger), (Some(50), Some(50)), "a file that was held, and released");
    ledger.record_run(&start(Trigger::Schedule, Some("b.csv")), &good(300, None)).unwrap();
    ledger.record_run(&start(Trigger::Replay, Some("c.csv")), &good(400, Some(at(60)))).unwrap();
    assert_eq!(clocks(&ledger), (Some(300), Some(300)), "an older one than the last");
    let failed = RunEnd { came_at: Some(at(350)), ..end(Outcome::Failed, None, "", 500) };
    ledger.record_run(&start(Trigger::Replay, Some("d.csv")), &failed).unwrap();
    assert_eq!(clocks(&ledger), (Some(300), Some(300)), "one that is still refused");

    // A load that waited for a person counts as read when it was read, whenever it is released.
    let held = RunEnd { waits: true, ..end(Outcome::Held, None, "too many", 600) };
    let run = ledger.record_run(&start(Trigger::Schedule, None), &held).unwrap();
    assert_eq!(clocks(&ledger), (Some(300), Some(300)));
    ledger.settle_held(run, Outcome::Succeeded, "released by noor").unwrap();
    assert_eq!(clocks(&ledger), (Some(600), Some(600)));
}

#[test]
fn what_a_person_let_past_the_brake_is_known_for_it_until_it_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    let begin = start(Trigger::Schedule, None);
    let brought = |outcome, received| {
        let counts = Counts { received, unchanged: received, ..Counts::default() };
        RunEnd { pages: 1, counts, ..end(outcome, None, "", 1) }
    };
    let volumes = |ledger: &Ledger| -> Vec<(u64, bool)> {
        let all = ledger.volumes(&begin.feed, 4).unwrap();
        all.into_iter().map(|volume| (volume.rows, volume.let_past)).collect()
    };
    ledger.record_run(&begin, &brought(Outcome::Unchanged, 11)).unwrap();
    let held = ledger.record_run(&begin, &brought(Outcome::Held, 23)).unwrap();
    assert_eq!(volumes(&ledger), [(11, false)], "it waits");
    ledger.settle_held(held, Outcome::Succeeded, "released by noor").unwrap();
    assert_eq!(volumes(&ledger), [(23, true), (11, false)]);
    ledger.let_past(held, false).unwrap();
    assert_eq!(volumes(&ledger), [(23, false), (11, false)], "it is undone");
    let refused = ledger.record_run(&begin, &brought(Outcome::Held, 2)).unwrap();
    ledger.settle_held(refused, Outcome::Cancelled, "discarded by noor").unwrap();
    assert_eq!(volumes(&ledger), [(23, false), (11, false)], "which was wrong");
}

#[test]
fn an_end_that_comes_late_changes_nothing_that_later_runs_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    let begin = start(Trigger::File, Some("a.csv"));
    let first = ledger.begin_run(&begin).unwrap();
    let second = ledger.begin_run(&begin).unwrap();
    let failed = end(Outcome::Failed, Some(Reason::Disk), "no space left", 2);
    ledger.end_run(second, &begin, &end(Outcome::Succeeded, None, "", 3)).unwrap();
    ledger.end_late(first, &begin, &failed).unwrap();
    assert_eq!(ledger.outcome_of(first).unwrap(), Some(Outcome::Failed));
    let state = ledger.feed_state(&begin.feed).unwrap();
    assert_eq!((state.last_run, state.fails), (Some(second), 0));
    let third = ledger.begin_run(&begin).unwrap();
    ledger.end_late(third, &begin, &failed).unwrap();
    let state = ledger.feed_state(&begin.feed).unwrap();
    assert_eq!((state.last_run, state.fails), (Some(third), 1), "nothing came behind it");
}

use std::time::Duration;

use super::*;
use crate::{
    partner::Name,
    run::{Counts, Outcome, Trigger},
    store::{
        Store,
        ledger::{CatalogueEntry, RunEnd, RunStart},
    },
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Three partners, two feeds each: of every partner `a` was read a minute ago, and `b` never.
fn reader(folder: &std::path::Path) -> Reader {
    let store = Store::open(folder).unwrap();
    let fill = store.ledger.call_blocking(|ledger| {
        let feeds = ["courts", "courts-north", "police"].iter().flat_map(|partner| {
            ["a", "b"].map(|feed| format!("{partner}/{feed}").parse::<FeedId>().unwrap())
        });
        let feeds: Vec<_> = feeds.collect();
        let cards = feeds.iter().map(|feed| {
            CatalogueEntry::Feed(FeedCard {
                id: feed.clone(),
                name: Name::default(),
                connection: format!("{}/api", feed.partner()).parse().unwrap(),
                promise: Some(Promise::every(Duration::from_mins(5))),
                sweeps: feed.partner().as_str() == "courts",
            })
        });
        ledger.set_catalogue(&cards.collect::<Vec<_>>())?;
        for (second, feed) in (1_000..).zip(&feeds) {
            ledger.plan_feed(feed, at(second))?;
        }
        for feed in feeds.iter().step_by(2) {
            let (trigger, feed) = (Trigger::Schedule, feed.clone());
            let start =
                RunStart { feed, trigger, at: at(900), actor: None, full: false, file: None };
            let end = RunEnd {
                outcome: Outcome::Unchanged,
                reason: None,
                cause: None,
                at: at(900),
                pages: 1,
                bytes: 1,
                counts: Counts::default(),
                event_at: None,
                next_at: None,
                waits: false,
                came_at: None,
            };
            ledger.record_run(&start, &end)?;
            ledger.note_sweep(&start.feed, Some("what is gone is not known"))?;
        }
        Ok(())
    });
    fill.unwrap();
    Reader::open(folder).unwrap()
}

#[test]
fn feeds_are_those_that_were_asked_for_in_the_order_of_their_ids() {
    let temp = tempfile::tempdir().unwrap();
    let reader = reader(&temp.path().join("state"));
    let all = ["courts-north/a", "courts-north/b", "courts/a", "courts/b", "police/a", "police/b"];
    let some = |text: &str| Some(text.to_owned());
    let any = ListQuery::default;
    for (query, expected, why) in [
        (any(), &all[..], "all"),
        (ListQuery { partner: some("courts"), ..any() }, &all[2..4], "not a longer name's"),
        (ListQuery { partner: some("court"), ..any() }, &[], "nor a shorter one's"),
        (ListQuery { partner: some("courts~"), ..any() }, &[], "no id at all"),
        (ListQuery { after: some("courts/a"), ..any() }, &all[3..], "behind it"),
        (ListQuery { after: some("courts/aa"), limit: Some(2), ..any() }, &all[3..5], "two"),
        (
            ListQuery { after: some("courts/a"), partner: some("courts"), ..any() },
            &all[3..4],
            "behind it, of the partner",
        ),
        (
            ListQuery { after: some("police/a"), partner: some("courts"), ..any() },
            &[],
            "all of the partner stands before it",
        ),
        (ListQuery { feed: some("courts/a"), ..any() }, &all[2..3], "it alone"),
        (ListQuery { feed: some("courts/a"), partner: some("police"), ..any() }, &[], "another's"),
        (
            ListQuery { feed: some("courts/a"), after: some("courts/a"), ..any() },
            &[],
            "nothing is behind it",
        ),
        (ListQuery { connection: some("police/api"), ..any() }, &all[4..], "its connection's"),
        (
            ListQuery { state: some("unknown"), limit: Some(2), ..any() },
            &[all[1], all[3]],
            "those that stand so, as many as asked",
        ),
    ] {
        let rows = reader.feeds(&query, at(960)).unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, expected, "{why}");
    }
}

#[test]
fn what_a_sweep_could_not_tell_is_said_of_a_feed_that_has_one() {
    let temp = tempfile::tempdir().unwrap();
    let reader = reader(&temp.path().join("state"));
    let rows = reader.feeds(&ListQuery::default(), at(960)).unwrap();
    for row in rows.iter().filter(|row| row.id.as_str().ends_with("/a")) {
        let said = (row.id.partner().as_str() == "courts").then_some("what is gone is not known");
        assert_eq!((row.unswept.as_deref(), row.reason.as_deref()), (said, said), "{}", row.id);
    }
}

#[test]
fn feeds_are_counted_by_how_they_stand() {
    let temp = tempfile::tempdir().unwrap();
    let reader = reader(&temp.path().join("state"));
    let feeds = reader.status(at(960)).unwrap().feeds;
    assert_eq!(feeds.values().sum::<u64>(), 6);
    assert_eq!((feeds["fresh"], feeds["unknown"], feeds["stale"]), (3, 3, 0));
    let courts = Stretch::of_partner("courts");
    let courts = reader.feeds_by_freshness(&courts, at(960)).unwrap();
    let expected = [("fresh".to_owned(), 1), ("unknown".to_owned(), 1)];
    assert_eq!(courts, BTreeMap::from(expected));
    let next = reader.next_times().unwrap();
    // A run without a plan behind it leaves none, and the other feed is the first.
    assert_eq!(next["courts/api"], (2, Some(at(1_001))));
    assert_eq!(next.len(), 3);
}

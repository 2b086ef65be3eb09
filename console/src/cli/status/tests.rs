use marsad_shared::{freshness::Freshness, health::Health};

use super::*;
use crate::cli::samples::{connection, feed, look, snapshot};

fn mixed() -> Snapshot {
    let mut snapshot = snapshot(
        vec![connection("courts/api", Health::Down), connection("education/api", Health::Up)],
        vec![
            feed("courts/orders", Freshness::Stale),
            feed("education/enrolments", Freshness::Fresh),
            feed("police/notices", Freshness::Unknown),
        ],
    );
    snapshot.status.exchanges.extend([("pending".to_owned(), 2), ("in_doubt".to_owned(), 1)]);
    snapshot.status.oldest_pending_s = Some(840);
    snapshot
}

#[test]
fn the_screen_says_what_stands_how_and_what_is_not_well() {
    insta::assert_snapshot!("screen", screen(&mixed(), None, &look(None)));
}

#[test]
fn offline_it_says_where_it_was_read_and_how_old_that_is() {
    let mut snapshot = mixed();
    snapshot.status.daemon.running = false;
    snapshot.status.running.clear();
    let text = screen(&snapshot, Some(Path::new("/var/lib/marsad")), &look(None));
    let daemon = text.lines().find(|line| line.starts_with("daemon")).unwrap();
    assert_eq!(
        daemon,
        "daemon       not asked, last seen 15:59 (4s ago); read from /var/lib/marsad"
    );
}

#[test]
fn a_run_that_waits_for_somebody_is_named_though_its_feed_is_fresh() {
    let mut held = feed("courts/orders", Freshness::Fresh);
    held.last_outcome = Some(Outcome::Held);
    held.reason = Some("it would delete 40 of 50 records".to_owned());
    let text = screen(&snapshot(Vec::new(), vec![held]), None, &look(None));
    let named = text.lines().find(|line| line.starts_with("courts/orders")).unwrap();
    assert!(named.contains("held") && named.ends_with("40 of 50 records"), "{named}");
}

#[test]
fn a_screen_stays_a_screen_however_much_is_not_well() {
    let many = (0..50).map(|n| connection(&format!("p{n}/api"), Health::Down)).collect();
    let text = screen(&snapshot(many, Vec::new()), None, &look(Some(80)));
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.ends_with("and 40 more: marsad connections, marsad feeds\n"), "{text}");
}

#[test]
fn the_json_of_the_status_has_the_keys_of_the_contract() {
    let json = serde_json::to_value(mixed().status).unwrap();
    for key in
        "at daemon connections feeds exchanges oldest_pending_s quarantine incidents".split(' ')
    {
        assert!(json.get(key).is_some(), "{key}");
    }
    for key in ["running", "version", "started_at"] {
        assert!(json["daemon"].get(key).is_some(), "{key}");
    }
}

use marsad_shared::{exchange::State, freshness::Freshness, health::Health, run::Outcome};
use serde_json::json;

use super::*;
use crate::cli::{
    detail,
    samples::{audit, connection, exchange, feed, group, look, partner, quarantine, record, run},
    table::Table,
};

fn table<T: Shown>(rows: &[T]) -> String {
    let cells: Vec<_> = rows.iter().map(|row| row.cells(&look(None))).collect();
    Table::new(T::COLUMNS).page(&cells, &look(None))
}

#[test]
fn every_list_has_its_table() {
    insta::assert_snapshot!("partners", table(&[partner("education")]));
    insta::assert_snapshot!(
        "connections",
        table(&[connection("courts/api", Health::Down), connection("education/api", Health::Up)])
    );
    insta::assert_snapshot!(
        "feeds",
        table(&[
            feed("courts/orders", Freshness::Stale),
            feed("education/enrolments", Freshness::Fresh),
            feed("police/notices", Freshness::Unknown),
        ])
    );
    insta::assert_snapshot!(
        "runs",
        table(&[
            run(4822, Outcome::Running),
            run(4821, Outcome::Failed),
            run(4820, Outcome::Partial)
        ])
    );
    insta::assert_snapshot!("records", table(&[record(json!("E-1")), record(json!(42))]));
    insta::assert_snapshot!("quarantine", table(&[quarantine(18)]));
    insta::assert_snapshot!("quarantine_groups", table(&[group(3)]));
    insta::assert_snapshot!(
        "exchanges",
        table(&[exchange(1042, State::Retrying), exchange(7, State::Delivered)])
    );
    insta::assert_snapshot!("audit", table(&[audit(12)]));
}

#[test]
fn one_row_is_shown_whole() {
    let text = |row: serde_json::Result<String>| row.unwrap();
    insta::assert_snapshot!(
        "show_exchange",
        text(detail::text(&exchange(1042, State::Retrying), &look(None)))
    );
    insta::assert_snapshot!(
        "show_feed",
        text(detail::text(&feed("courts/orders", Freshness::Stale), &look(None)))
    );
    insta::assert_snapshot!("show_record", text(detail::text(&record(json!("E-1")), &look(None))));
    insta::assert_snapshot!("show_quarantine", text(detail::text(&quarantine(18), &look(None))));
}

/// Scripts depend on these keys: they stay, others may come (DESIGN section 7).
#[test]
fn the_json_of_every_list_has_the_keys_of_the_contract() {
    fn has(row: &impl serde::Serialize, keys: &str) {
        let json = serde_json::to_value(row).unwrap();
        for key in keys.split(' ') {
            assert!(json.get(key).is_some(), "{key} is missing in {json}");
        }
    }
    has(
        &connection("a/b", Health::Up),
        "id kind health since_at reason overlays last_ok_at next_at",
    );
    has(
        &feed("a/b", Freshness::Unknown),
        "id connection freshness since_at reason checked_at arrived_at event_at deadline_at rows cursor last_run \
         next_at paused",
    );
    has(
        &run(1, Outcome::Running),
        "id feed trigger outcome reason started_at ended_at pages bytes received inserted updated unchanged duplicate \
         deleted quarantined filtered",
    );
    has(&record(json!(1)), "key fields first_seen_at changed_at deleted_at run");
    has(
        &exchange(1, State::Pending),
        "id direction connection state attempts created_at next_at deadline_at bytes idempotency_key reason",
    );
    has(&quarantine(1), "id feed run kind reason place at");
    has(&quarantine(1).place, "file page line field");
    has(&partner("a"), "id name agreement connections feeds");
    has(&audit(1), "seq at user role action object reason phase");
    let ids = [
        serde_json::to_value(run(4821, Outcome::Held)).unwrap()["id"].clone(),
        serde_json::to_value(exchange(1042, State::Held)).unwrap()["id"].clone(),
        serde_json::to_value(quarantine(18)).unwrap()["id"].clone(),
    ];
    assert_eq!(ids, [json!("r4821"), json!("x1042"), json!("q18")]);
}

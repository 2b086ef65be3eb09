use marsad_shared::{
    freshness::Freshness::{self, Due, Exempt, Expired, Fresh, Future, Late, Stale},
    health::Health::{self, Degraded, Down, Recovering, Suspect, Unknown, Up},
    protocol::BLIND,
};

use super::*;
use crate::cli::samples::{ago, connection, feed, noon, snapshot};

fn question(subject: &str) -> Question {
    let subject = (!subject.is_empty()).then(|| subject.parse().unwrap());
    Question { subject, warning: None, critical: None, handled: Handled::Keep }
}

fn small() -> Snapshot {
    snapshot(
        vec![connection("courts/api", Down), connection("education/api", Up)],
        vec![
            feed("courts/orders", Stale),
            feed("education/enrolments", Fresh),
            feed("education/staff", Freshness::Unknown),
        ],
    )
}

#[test]
fn each_state_has_its_code() {
    for (health, code) in [
        (Up, Code::Ok),
        (Suspect, Code::Ok),
        (Recovering, Code::Ok),
        (Degraded, Code::Warning),
        (Down, Code::Critical),
        (Unknown, Code::Unknown),
    ] {
        let snapshot = snapshot(vec![connection("a/b", health)], Vec::new());
        assert_eq!(judge(noon(), &snapshot, &question("a/b")).state, code, "{health}");
    }
    for (freshness, code) in [
        (Fresh, Code::Ok),
        (Due, Code::Ok),
        (Late, Code::Ok),
        (Exempt, Code::Ok),
        (Stale, Code::Warning),
        (Future, Code::Warning),
        (Expired, Code::Critical),
        (Freshness::Unknown, Code::Unknown),
    ] {
        let snapshot = snapshot(Vec::new(), vec![feed("a/b", freshness)]);
        assert_eq!(judge(noon(), &snapshot, &question("feed:a/b")).state, code, "{freshness}");
    }
    assert_eq!(Health::ALL.len() + Freshness::ALL.len(), 14, "every state is in a table above");
}

#[test]
fn the_worst_wins_and_unknown_is_less_than_a_warning() {
    for (connections, feeds, code, why) in [
        (vec![Up], vec![Fresh], Code::Ok, "all well"),
        (vec![Unknown], vec![Fresh], Code::Unknown, "one is unknown"),
        (vec![Unknown], vec![Stale], Code::Warning, "a warning goes before the unknown"),
        (vec![Unknown, Down], vec![Stale], Code::Critical, "critical goes before all"),
    ] {
        let names = ["a/b", "a/c"];
        let snapshot = snapshot(
            connections.iter().zip(names).map(|(health, id)| connection(id, *health)).collect(),
            feeds.iter().map(|freshness| feed("a/f", *freshness)).collect(),
        );
        let report = judge(noon(), &snapshot, &question(""));
        assert_eq!((report.state, report.exit_code), (code, code.number()), "{why}");
    }
}

#[test]
fn trouble_of_our_own_is_no_green_light() {
    let mut row = connection("a/b", Up);
    row.overlays = vec![BLIND.to_owned()];
    let report = judge(noon(), &snapshot(vec![row], Vec::new()), &question("a/b"));
    assert_eq!(report.state, Code::Warning);
    assert_eq!(report.checks[0].reason.as_deref(), Some(BLIND));
}

#[test]
fn a_subject_selects() {
    for (subject, ids, why) in [
        (
            "",
            "courts/api education/api courts/orders education/enrolments education/staff exchanges self",
            "all",
        ),
        ("education", "education/api education/enrolments education/staff", "a partner's"),
        ("education/api", "education/api", "an id"),
        ("feed:courts/orders", "courts/orders", "a feed"),
        ("connection:courts/api", "courts/api", "a connection"),
        ("exchanges", "exchanges", "the queue"),
        ("self", "self", "the daemon"),
        ("feed:courts/api", "", "no feed of that name"),
        ("police", "", "no such partner"),
        ("imports", "", "no folder"),
        ("channels", "", "no channel"),
    ] {
        let report = judge(noon(), &small(), &question(subject));
        let found: Vec<_> = report.checks.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(found.join(" "), ids, "{why}");
        assert!(
            !ids.is_empty() || report.state == Code::Unknown,
            "{why}: nothing found is unknown"
        );
    }
    let mut folders = small();
    "folder".clone_into(&mut folders.connections[1].kind);
    let report = judge(noon(), &folders, &question("imports"));
    assert_eq!(report.checks.len(), 3, "the folder and the two feeds that read it");
}

#[test]
fn the_line_names_the_worst_first_and_carries_performance_data() {
    for (subject, line) in [
        (
            "",
            "MARSAD CRITICAL - 1 down, 1 stale, 1 unknown of 7: courts/api tls_expired 12m … \
             | down=1;;0;0;2 expired=0;;0;0;3 stale=1;0;;0;3 queue_age=0s;600;3600;0 expired_deliveries=0;;0;0\n",
        ),
        (
            "courts/api",
            "MARSAD CRITICAL - courts/api down for 12m: the certificate has expired | silence=900s;;;0 fails=3;;;0\n",
        ),
        (
            "education/enrolments",
            "MARSAD OK - education/enrolments fresh for 2h | age=7200s;;;0 rows=1284;;;0 quarantine=3;;;0\n",
        ),
        ("self", "MARSAD OK - self running for 3d 4h | sign_of_life=4s;;60;0\n"),
        (
            "exchanges",
            "MARSAD OK - exchanges nothing waits | queue_age=0s;600;3600;0 expired_deliveries=0;;0;0\n",
        ),
        ("police", "MARSAD UNKNOWN - there is no partner police\n"),
    ] {
        assert_eq!(judge(noon(), &small(), &question(subject)).text(0), line);
    }
}

#[test]
fn more_lines_come_when_asked_for_and_no_text_begins_performance_data() {
    let mut snapshot = small();
    snapshot.feeds[0].reason = Some("a|b \u{1b}[2J".to_owned());
    let report = judge(noon(), &snapshot, &question("courts"));
    let text = report.text(1);
    let more: Vec<_> = text.lines().skip(1).collect();
    assert_eq!(
        more,
        [
            "CRITICAL connection courts/api: down for 12m: the certificate has expired",
            "WARNING feed courts/orders: stale for 2h: a/b \\u{1b}[2J",
        ]
    );
    let all = judge(noon(), &small(), &question("education"));
    assert_eq!(all.text(1).lines().count(), 2, "one is not well");
    assert_eq!(all.text(2).lines().count(), 4, "everything");
    assert!(all.text(3).contains("fresh for 2h age=7200s;;;0"), "with its measures");
}

#[test]
fn limits_are_held_against_the_measure_and_the_worse_verdict_wins() {
    for (subject, warning, critical, code, why) in [
        ("education/enrolments", "3600", "", Code::Warning, "older than the warning allows"),
        ("education/enrolments", "3600", "7199", Code::Critical, "critical is judged first"),
        ("education/enrolments", "7200", "9000", Code::Ok, "within both"),
        ("courts/orders", "99999", "", Code::Warning, "stale stays a warning within the limits"),
        (
            "courts",
            "0",
            "",
            Code::Critical,
            "of several, the count of those not well: the worse still wins",
        ),
        ("education", "0", "", Code::Warning, "one is unknown, and one is more than none"),
        ("education", "5", "0", Code::Critical, "and here critical"),
    ] {
        let asked = Question {
            warning: warning.parse().ok(),
            critical: critical.parse().ok(),
            ..question(subject)
        };
        assert_eq!(judge(noon(), &small(), &asked).state, code, "{subject}: {why}");
    }
}

#[test]
fn limits_for_what_was_never_measured_are_not_kept() {
    let mut row = feed("a/b", Exempt);
    row.checked_at = None;
    let snapshot = snapshot(Vec::new(), vec![row]);
    assert_eq!(judge(noon(), &snapshot, &question("a/b")).state, Code::Ok, "nobody asked");
    let asked = Question { warning: "9999".parse().ok(), ..question("a/b") };
    assert_eq!(judge(noon(), &snapshot, &asked).state, Code::Unknown, "its rows are not its age");
}

#[test]
fn the_first_line_stays_short_however_long_a_reason_is() {
    let mut row = connection("courts/api", Down);
    row.reason = Some("no | answer from the partner's interface, ".repeat(9));
    let report = judge(noon(), &snapshot(vec![row], Vec::new()), &question("courts/api"));
    let text = report.text(1);
    let (first, rest) = text.split_once('\n').unwrap();
    let (before, perf) = first.split_once(" | ").unwrap();
    assert!(before.len() <= 82 && before.ends_with('…'), "{before}");
    assert!(perf.starts_with("silence="), "{perf}");
    assert!(rest.len() > 150, "more of it on a line of its own: {rest}");
}

#[test]
fn what_is_handled_keeps_its_code_unless_told_otherwise() {
    for (overlay, handled, code, suppressed, why) in [
        ("maintenance", Handled::Keep, Code::Critical, true, "kept"),
        ("maintenance", Handled::Ok, Code::Ok, true, "counted as ok"),
        ("acknowledged", Handled::Ok, Code::Ok, false, "somebody is at it"),
        ("silenced", Handled::Ok, Code::Critical, true, "silence is no handling"),
        ("flapping", Handled::Ok, Code::Critical, true, "nor is flapping"),
    ] {
        let mut row = connection("a/b", Down);
        row.overlays = vec![overlay.to_owned()];
        let asked = Question { handled, ..question("a/b") };
        let report = judge(noon(), &snapshot(vec![row], Vec::new()), &asked);
        assert_eq!(report.state, code, "{overlay} {why}");
        assert_eq!(!report.checks[0].suppressed_by.is_empty(), suppressed, "{overlay} {why}");
    }
    let mut row = connection("a/b", Up);
    row.overlays = vec!["flapping".to_owned()];
    let report = judge(noon(), &snapshot(vec![row], Vec::new()), &question("a/b"));
    assert_eq!(report.state, Code::Warning, "flapping is a warning of its own");
}

#[test]
fn a_certificate_that_ends_is_told_before_it_has() {
    for (health, certificate, code, why) in [
        (Up, Some(Validity::Fine), Code::Ok, "years from now"),
        (Up, Some(Validity::EndsSoon), Code::Warning, "30 days"),
        (Up, Some(Validity::EndsNow), Code::Critical, "7 days"),
        (Up, Some(Validity::Ended), Code::Critical, "over"),
        (Down, Some(Validity::EndsSoon), Code::Critical, "the worse of two"),
        (Up, None, Code::Ok, "none was seen"),
    ] {
        let mut row = connection("a/b", health);
        row.certificate = certificate;
        let report = judge(noon(), &snapshot(vec![row], Vec::new()), &question("a/b"));
        assert_eq!(report.state, code, "{why}");
    }
}

#[test]
fn the_queue_is_judged_by_its_oldest_and_by_what_passed_its_deadline() {
    for (oldest, state, n, code, why) in [
        (None, "pending", 0, Code::Ok, "nothing waits"),
        (Some(600), "pending", 1, Code::Ok, "exactly at the limit"),
        (Some(601), "pending", 1, Code::Warning, "past the warning"),
        (Some(3601), "pending", 1, Code::Critical, "past the alert"),
        (None, "expired", 1, Code::Critical, "one passed its deadline"),
        (None, "rejected", 1, Code::Ok, "a refusal waits for a person, and is shown"),
    ] {
        let mut snapshot = small();
        snapshot.status.oldest_pending_s = oldest;
        snapshot.status.exchanges.insert(state.to_owned(), n);
        assert_eq!(judge(noon(), &snapshot, &question("exchanges")).state, code, "{why}");
    }
}

#[test]
fn a_daemon_that_does_not_run_or_has_fallen_silent_is_critical() {
    for (running, seen, code, why) in [
        (true, 60, Code::Ok, "a sign of life at the limit"),
        (true, 61, Code::Critical, "too old a sign of life"),
        (false, 4, Code::Critical, "read from a folder: it does not run"),
    ] {
        let mut snapshot = small();
        snapshot.status.daemon.running = running;
        snapshot.status.daemon.seen_at = Some(ago(seen));
        assert_eq!(judge(noon(), &snapshot, &question("self")).state, code, "{why}");
    }
}

#[test]
fn performance_labels_are_short_unique_and_plain() {
    let asked = Question { warning: Some(Range::up_to(0)), ..question("") };
    for report in
        [judge(noon(), &small(), &asked), judge(noon(), &small(), &question("courts/orders"))]
    {
        let mut labels: Vec<_> = report.perfdata.iter().map(|perf| perf.label).collect();
        let n = labels.len();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), n);
        assert!(labels.iter().all(|label| label.len() <= 19 && !label.contains(['\'', '='])));
    }
}

#[test]
fn the_json_has_the_keys_of_the_contract() {
    let report = judge(noon(), &small(), &question(""));
    let json = serde_json::to_value(&report).unwrap();
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(
        keys(&json),
        "checks counts daemon exit_code generated_at perfdata schema snapshot_at state summary"
    );
    assert_eq!(keys(&json["counts"]), "critical handled ok unknown warning");
    assert_eq!(keys(&json["daemon"]), "config_hash last_reload_ok running version");
    assert_eq!(
        keys(&json["checks"][0]),
        "acknowledged age_s business_age_s checks id incident kind marsad_state next_deadline output perfdata reason \
         since state suppressed_by"
    );
    assert_eq!(keys(&json["checks"][0]["perfdata"][0]), "crit label uom value warn");
    assert_eq!(json["schema"], "marsad.check/1");
    assert_eq!(json["state"], "CRITICAL");
    assert_eq!(json["checks"][0]["reason"], "tls_expired");
    assert_eq!(json["checks"][0]["age_s"], 720);
}

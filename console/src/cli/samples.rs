//! Rows for tests: all that a test does not name is valid as it stands.

use std::collections::BTreeMap;

use jiff::Timestamp;
use marsad_shared::{
    exchange::{Direction, State},
    freshness::Freshness,
    health::{Health, Reason, Side},
    id::{ExchangeId, GroupId, QuarantineId, RunId},
    partner::{Agreement, Name},
    protocol::{
        AttemptRow, AuditRow, ConnectionRow, DaemonRow, ExchangeRow, FeedRow, PartnerRow,
        QuarantineGroup, QuarantineRow, RecordRow, RunRow, Running, Status,
    },
    quarantine::{Kind, Place},
    run::{Counts, Outcome, Trigger},
};
use serde_json::json;

use super::{check::Snapshot, when::Look};

/// When all tests take place: 16:00 in Dubai.
pub(super) fn noon() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(super) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(noon().as_second() - seconds).unwrap()
}

pub(super) fn look(width: Option<usize>) -> Look {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(4));
    Look { now: noon(), zone, colour: false, width }
}

fn name(en: &str) -> Name {
    Name { en: en.to_owned(), ar: None }
}

pub(super) fn partner(id: &str) -> PartnerRow {
    PartnerRow {
        id: id.parse().unwrap(),
        name: Name {
            en: "Education Authority".to_owned(), ar: Some("هيئة التعليم".to_owned())
        },
        agreement: Some(Agreement {
            reference: "MOU-2026-014".to_owned(),
            valid_until: Some(jiff::civil::date(2027, 12, 31)),
            fields: None,
        }),
        runbook: None,
        connections: BTreeMap::from([("up".to_owned(), 2)]),
        feeds: BTreeMap::from([("fresh".to_owned(), 1), ("late".to_owned(), 1)]),
        budget: None,
        calls: Vec::new(),
    }
}

pub(super) fn connection(id: &str, health: Health) -> ConnectionRow {
    let well = matches!(health, Health::Up | Health::Unknown);
    ConnectionRow {
        id: id.parse().unwrap(),
        name: name("Interface"),
        kind: "http".to_owned(),
        address: "https://data.example/".to_owned(),
        health,
        since_at: ago(720),
        reason: (!well).then(|| "the certificate has expired".to_owned()),
        cause: (!well).then_some(Reason::TlsExpired),
        side: (!well).then_some(Side::Tls),
        overlays: Vec::new(),
        last_ok_at: (health != Health::Unknown).then(|| ago(900)),
        next_at: Some(ago(-60)),
        fails: if well { 0 } else { 3 },
        feeds: 2,
        certificate_until_at: None,
        our_certificate_until_at: None,
        certificate: None,
        wait_until_at: None,
        wait_reason: None,
        clock_offset_s: None,
    }
}

pub(super) fn feed(id: &str, freshness: Freshness) -> FeedRow {
    let read = freshness != Freshness::Unknown;
    FeedRow {
        id: id.parse().unwrap(),
        name: name("Feed"),
        connection: format!("{}/api", id.split('/').next().unwrap()).parse().unwrap(),
        freshness,
        since_at: read.then(|| ago(7200)),
        reason: (freshness == Freshness::Stale).then(|| "the partner answered 503".to_owned()),
        checked_at: read.then(|| ago(7200)),
        arrived_at: read.then(|| ago(90_000)),
        event_at: None,
        unswept: None,
        deadline_at: read.then(|| ago(3600)),
        every_s: Some(3600),
        rows: 1284,
        cursor: None,
        last_run: Some(RunId(4821)),
        last_outcome: Some(Outcome::Failed),
        next_at: Some(ago(-240)),
        paused: false,
        quarantine: 3,
        drift: Vec::new(),
        table: "courts__orders".to_owned(),
    }
}

pub(super) fn run(id: i64, outcome: Outcome) -> RunRow {
    let counts = Counts {
        received: 1204,
        inserted: 12,
        updated: 3,
        unchanged: 1188,
        quarantined: 1,
        ..Counts::default()
    };
    RunRow {
        id: RunId(id),
        feed: "education/enrolments".parse().unwrap(),
        trigger: Trigger::Schedule,
        outcome,
        reason: (outcome == Outcome::Failed).then(|| "the answer was cut off on page 3".to_owned()),
        cause: (outcome == Outcome::Failed).then_some(Reason::Truncated),
        side: (outcome == Outcome::Failed).then_some(Side::Network),
        started_at: ago(725),
        ended_at: (outcome != Outcome::Running).then(|| ago(720)),
        pages: 3,
        bytes: 81_223,
        file: None,
        actor: None,
        waits: false,
        undoable: false,
        alike: 0,
        counts,
    }
}

pub(super) fn record(key: serde_json::Value) -> RecordRow {
    let fields = json!({"id": key, "grade": 4, "note": "\u{1b}[2Jأهلا", "left": null});
    RecordRow {
        place: "#1".to_owned(),
        key: vec![key],
        fields: fields.as_object().unwrap().clone(),
        first_seen_at: ago(90_000),
        changed_at: ago(720),
        deleted_at: None,
        run: RunId(4821),
        forgotten: false,
    }
}

pub(super) fn quarantine(id: i64) -> QuarantineRow {
    QuarantineRow {
        id: QuarantineId(id),
        feed: "courts/orders".parse().unwrap(),
        run: RunId(4821),
        kind: Kind::Row,
        reason: "issued_on is no date; write it as 2026-03-01".to_owned(),
        place: Place {
            file: Some("orders-03.csv".to_owned()),
            line: Some(12),
            row: Some(11),
            field: Some("issued_on".to_owned()),
            page: None,
        },
        at: ago(720),
        bytes: 81,
    }
}

pub(super) fn group(id: i64) -> QuarantineGroup {
    QuarantineGroup {
        id: GroupId(id),
        feed: "courts/orders".parse().unwrap(),
        kind: Kind::Row,
        field: Some("issued_on".to_owned()),
        reason: "issued_on is no date; write it as 2026-03-01".to_owned(),
        count: 1_204,
        oldest_at: Some(ago(86_400)),
        newest_at: ago(720),
        example: QuarantineId(18),
    }
}

pub(super) fn exchange(id: i64, state: State) -> ExchangeRow {
    let attempt = AttemptRow {
        number: 1,
        kind: "deliver".to_owned(),
        started_at: ago(600),
        ended_at: Some(ago(599)),
        state: Some(state),
        status: Some(503),
        reason: Some("the partner answered 503".to_owned()),
    };
    ExchangeRow {
        id: ExchangeId(id),
        direction: Direction::Outgoing,
        connection: "courts/referrals".parse().unwrap(),
        state,
        doubted: state == State::InDoubt,
        attempts: 1,
        created_at: ago(720),
        next_at: Some(ago(-30)),
        deadline_at: Some(ago(-172_080)),
        bytes: 1290,
        idempotency_key: "0195-key".to_owned(),
        reason: Some("the partner answered 503".to_owned()),
        name: "referral-7.json".to_owned(),
        hash: "ab12".to_owned(),
        since_at: ago(599),
        delivered_at: None,
        timeline: vec![attempt],
    }
}

pub(super) fn audit(seq: i64) -> AuditRow {
    AuditRow {
        seq,
        at: ago(720),
        uid: 1000,
        user: "salem".to_owned(),
        role: "operator".to_owned(),
        action: "resync".to_owned(),
        object: "education/enrolments".to_owned(),
        reason: Some("the partner mended it".to_owned()),
        phase: "done".to_owned(),
        detail: "r4821".to_owned(),
        of: Some(seq - 1),
        hash: "ab12".to_owned(),
    }
}

/// A daemon in good order, over these rows.
pub(super) fn snapshot(connections: Vec<ConnectionRow>, feeds: Vec<FeedRow>) -> Snapshot {
    let mut by_health = BTreeMap::new();
    for row in &connections {
        *by_health.entry(row.health.word().to_owned()).or_default() += 1;
    }
    let mut by_freshness = BTreeMap::new();
    for row in &feeds {
        *by_freshness.entry(row.freshness.word().to_owned()).or_default() += 1;
    }
    let status = Status {
        at: noon(),
        daemon: DaemonRow {
            running: true,
            version: Some("0.1.0".to_owned()),
            started_at: Some(ago(273_600)),
            seen_at: Some(ago(4)),
        },
        connections: by_health,
        feeds: by_freshness,
        exchanges: BTreeMap::new(),
        oldest_pending_s: None,
        quarantine: 18,
        incidents: 0,
        running: vec![Running {
            feed: "education/enrolments".parse().unwrap(),
            run: Some(RunId(4822)),
            trigger: Trigger::Person,
            started_at: ago(14),
            pages: 12,
            rows: 1204,
            bytes: 2_300_000,
            total: None,
        }],
        roles: None,
    };
    Snapshot { status, connections, feeds }
}

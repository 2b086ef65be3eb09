//! Models for tests: all is valid as it stands, a test names only what it is about.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use marsad_shared::{
    exchange::{Direction, State},
    freshness::Freshness,
    health::Health,
    id::{ExchangeId, GroupId, MoveId, QuarantineId, RunId},
    partner::Name,
    protocol::{
        ConnectionRow, CursorRow, DaemonRow, ExchangeRow, FeedRow, Original, QuarantineGroup,
        QuarantineItem, QuarantineRow, RecordRow, RunRow, Running, Status,
    },
    quarantine::{Kind, Laid, Place},
    role::{Role, Roles},
    run::{Counts, Outcome, Trigger},
};
use serde_json::json;

use super::{Link, Model};
use crate::theme::Theme;

/// 14:05:31 in Dubai.
pub(crate) fn now() -> Timestamp {
    "2026-09-17T10:05:31Z".parse().unwrap()
}

/// So many seconds before [`now`].
pub(crate) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(crate) struct Build(Model);

pub(crate) fn model() -> Build {
    let theme = Theme { colour: true, ascii: false };
    let zone = TimeZone::get("Asia/Dubai").unwrap();
    let mut model = Model::new("sharjah".to_owned(), theme, zone, Link::Live, now());
    model.status = Some(status());
    Build(model)
}

impl Build {
    pub(crate) fn feed(self, id: &str, freshness: Freshness) -> Self {
        self.feed_row(feed(id, freshness))
    }

    pub(crate) fn feed_row(mut self, row: FeedRow) -> Self {
        let word = row.freshness.word().to_owned();
        *self.status().feeds.entry(word).or_default() += 1;
        self.status().quarantine += row.quarantine;
        self.0.feeds.push(Arc::new(row));
        self
    }

    pub(crate) fn connection(self, id: &str, health: Health) -> Self {
        self.connection_row(connection(id, health))
    }

    pub(crate) fn connection_row(mut self, row: ConnectionRow) -> Self {
        let word = row.health.word().to_owned();
        *self.status().connections.entry(word).or_default() += 1;
        self.0.connections.push(Arc::new(row));
        self
    }

    pub(crate) fn exchanges(mut self, state: State, n: u64) -> Self {
        self.status().exchanges.insert(state.word().to_owned(), n);
        self
    }

    pub(crate) fn run(mut self, row: RunRow) -> Self {
        self.0.recent.push(Arc::new(row));
        self
    }

    pub(crate) fn running(mut self, feed: &str, rows: u64, seconds: i64) -> Self {
        self.status().running.push(Running {
            feed: feed.parse().unwrap(),
            run: Some(RunId(4822)),
            trigger: Trigger::Person,
            started_at: ago(seconds),
            pages: 3,
            rows,
            bytes: 1_200_000,
            total: None,
        });
        self
    }

    pub(crate) fn size(mut self, width: u16, height: u16) -> Self {
        self.0.size = (width, height);
        self
    }

    pub(crate) fn link(mut self, link: Link) -> Self {
        self.0.link = link;
        self
    }

    pub(crate) fn roles(mut self, roles: &[Role]) -> Self {
        self.status().roles = Some(roles.iter().copied().collect::<Roles>());
        self
    }

    fn status(&mut self) -> &mut Status {
        self.0.status.get_or_insert_with(status)
    }

    pub(crate) fn build(mut self) -> Model {
        self.0.rebuild();
        self.0
    }
}

/// A bank of the usual kind, with something of everything.
pub(crate) fn usual() -> Build {
    let mut orders = feed("courts/orders", Freshness::Fresh);
    orders.quarantine = 18;
    let mut down = connection("education/api", Health::Down);
    (down.reason, down.fails) = (Some("TLS handshake: certificate expired".to_owned()), 9);
    let mut behind = feed("education/enrolments", Freshness::Stale);
    behind.connection = "education/api".parse().unwrap();
    behind.reason = Some("the last 9 runs failed: certificate expired".to_owned());
    model()
        .connection("courts/api", Health::Up)
        .connection_row(down)
        .connection("health/api", Health::Degraded)
        .connection("social/drop", Health::Up)
        .feed_row(orders)
        .feed_row(behind)
        .feed("health/births", Freshness::Late)
        .feed("health/vaccinations", Freshness::Fresh)
        .feed("social/cases", Freshness::Unknown)
        .feed("housing/grants", Freshness::Exempt)
        .exchanges(State::Pending, 212)
        .exchanges(State::Rejected, 3)
        .running("courts/orders", 31_200, 64)
        .run(run(4821, "education/enrolments", Outcome::Failed))
        .run(run(4820, "courts/orders", Outcome::Partial))
        .run(run(4819, "health/births", Outcome::Succeeded))
}

pub(crate) fn status() -> Status {
    Status {
        at: now(),
        daemon: DaemonRow {
            running: true,
            version: Some("0.1.0".to_owned()),
            started_at: Some(ago(6 * 86_400)),
            seen_at: Some(ago(1)),
        },
        connections: [].into(),
        feeds: [].into(),
        exchanges: [].into(),
        oldest_pending_s: Some(7_800),
        quarantine: 0,
        incidents: 0,
        running: Vec::new(),
        roles: Some(Roles::NONE.with(Role::Operator)),
    }
}

pub(crate) fn feed(id: &str, freshness: Freshness) -> FeedRow {
    let partner = id.split('/').next().unwrap();
    let checked = match freshness {
        Freshness::Unknown => None,
        Freshness::Stale | Freshness::Expired => Some(ago(7_800)),
        Freshness::Late => Some(ago(1_000)),
        _ => Some(ago(180)),
    };
    FeedRow {
        id: id.parse().unwrap(),
        name: Name { en: format!("{id}, as people call it"), ar: None },
        connection: format!("{partner}/api").parse().unwrap(),
        freshness,
        since_at: checked,
        reason: None,
        checked_at: checked,
        arrived_at: checked,
        event_at: None,
        unswept: None,
        deadline_at: None,
        every_s: (freshness != Freshness::Exempt).then_some(900),
        rows: 1_284,
        cursor: Some("2026-09-17T10:02:31Z".to_owned()),
        last_run: Some(RunId(4819)),
        last_outcome: Some(Outcome::Succeeded),
        next_at: Some(ago(-120)),
        paused: false,
        quarantine: 0,
        drift: Vec::new(),
        table: id.replace('/', "__"),
    }
}

pub(crate) fn connection(id: &str, health: Health) -> ConnectionRow {
    ConnectionRow {
        id: id.parse().unwrap(),
        name: Name { en: format!("{id}, as people call it"), ar: None },
        kind: "http".to_owned(),
        address: format!("https://{}.example", id.replace('/', ".")),
        health,
        since_at: ago(240),
        reason: None,
        cause: None,
        side: None,
        overlays: Vec::new(),
        last_ok_at: Some(ago(245)),
        next_at: Some(ago(-40)),
        fails: 0,
        feeds: 2,
        certificate_until_at: None,
        our_certificate_until_at: None,
        certificate: None,
        wait_until_at: None,
        wait_reason: None,
        clock_offset_s: None,
    }
}

pub(crate) fn run(id: i64, feed: &str, outcome: Outcome) -> RunRow {
    let failed = outcome == Outcome::Failed;
    RunRow {
        id: RunId(id),
        feed: feed.parse().unwrap(),
        trigger: Trigger::Schedule,
        outcome,
        reason: failed.then(|| "certificate expired at 2026-09-16 23:59".to_owned()),
        cause: failed.then_some(marsad_shared::health::Reason::TlsExpired),
        side: failed.then_some(marsad_shared::health::Side::Tls),
        started_at: ago((4_900 - id) * 10),
        ended_at: (outcome != Outcome::Running).then(|| ago((4_900 - id) * 10 - 6)),
        pages: 2,
        bytes: 48_000,
        file: None,
        actor: None,
        waits: false,
        undoable: false,
        alike: 0,
        counts: if failed {
            Counts::default()
        } else {
            Counts { received: 1_284, inserted: 31, unchanged: 1_253, ..Counts::default() }
        },
    }
}

/// A move of a cursor; every third on a person's word.
pub(crate) fn moved(id: i64) -> CursorRow {
    CursorRow {
        id: MoveId(id),
        value: Some(format!("2026-09-17T10:{:02}:00Z", id % 60)),
        moved_at: ago((4_900 - id) * 60),
        run: (id % 3 != 0).then_some(RunId(4_000 + id)),
        reason: "read to the end".to_owned(),
        actor: (id % 3 == 0).then(|| "noor".to_owned()),
        current: id == 9,
    }
}

pub(crate) fn exchange(id: i64, state: State) -> ExchangeRow {
    ExchangeRow {
        id: ExchangeId(id),
        direction: Direction::Outgoing,
        connection: "education/referrals".parse().unwrap(),
        state,
        doubted: state == State::InDoubt,
        attempts: 2,
        created_at: ago(7_800),
        next_at: Some(ago(-30)),
        deadline_at: Some(ago(-100_000)),
        bytes: 12_345,
        idempotency_key: "0191f2a4-6c1e-7c3a-9d11-0a5b6c7d8e9f".to_owned(),
        reason: (state == State::Rejected).then(|| "422: unknown family".to_owned()),
        name: format!("referral-{id}.json"),
        hash: "af1349b9f5f9a1a6".to_owned(),
        since_at: ago(600),
        delivered_at: None,
        timeline: Vec::new(),
    }
}

pub(crate) fn quarantined(id: i64) -> QuarantineRow {
    QuarantineRow {
        id: QuarantineId(id),
        feed: "courts/orders".parse().unwrap(),
        run: RunId(4820),
        kind: Kind::Row,
        reason: "issued_on is no date; write it as YYYY-MM-DD".to_owned(),
        place: Place {
            file: Some("orders-2026-09.csv".to_owned()),
            line: Some(u64::try_from(id).unwrap()),
            field: Some("issued_on".to_owned()),
            ..Place::default()
        },
        at: ago(400),
        bytes: 212,
    }
}

pub(crate) fn group(id: i64, count: u64) -> QuarantineGroup {
    QuarantineGroup {
        id: GroupId(id),
        feed: "courts/orders".parse().unwrap(),
        kind: Kind::Row,
        field: Some("issued_on".to_owned()),
        reason: "issued_on is no date; write it as YYYY-MM-DD".to_owned(),
        count,
        oldest_at: Some(ago(90_000)),
        newest_at: ago(400),
        example: QuarantineId(14),
    }
}

/// An item with its row, of which one value is masked and one marked.
pub(crate) fn item(id: i64) -> QuarantineItem {
    let value = |name: &str, value: Option<&str>, masked, marked| Laid {
        name: name.to_owned(),
        field: Some(name.to_owned()),
        value: value.map(str::to_owned),
        masked,
        marked,
    };
    QuarantineItem {
        row: quarantined(id),
        first_at: Some(ago(90_000)),
        first_run: RunId(4711),
        hash: "af1349b9f5f9a1a6".to_owned(),
        replayable: true,
        fix: format!(
            "if the value is right, mend the type, the `format` or the rules of field issued_on of courts/orders, then: \
             marsad quarantine replay q{id}; if it is wrong, have the partner send the record again, and then: marsad quarantine \
             discard q{id} --reason TEXT"
        ),
        original: Original {
            notation: Some("csv".to_owned()),
            cut: false,
            values: Some(vec![
                value("order_no", Some("O-1204"), false, false),
                value("issued_on", Some("31/02/2026"), false, true),
                value("child_eid", Some("•••678"), true, false),
                value("رقم القيد", None, false, false),
            ]),
            text: None,
        },
    }
}

pub(crate) fn record(id: i64) -> RecordRow {
    let fields =
        json!({ "id": id, "family_id": format!("F-{id}"), "child_eid": "•••", "grade": 4 });
    RecordRow {
        place: format!("#{id}"),
        key: vec![json!(id)],
        fields: fields.as_object().unwrap().clone(),
        first_seen_at: ago(90_000),
        changed_at: ago(600),
        deleted_at: None,
        run: RunId(4819),
        forgotten: false,
    }
}

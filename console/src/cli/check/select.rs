//! The parts of a check: what of the snapshot a subject names, and what each of it says of itself.

use jiff::Timestamp;
use marsad_shared::{
    protocol::{BLIND, ConnectionRow, FeedRow, Status},
    untrusted::show_at_most,
};

use super::{
    Code, Range, Snapshot, Subject,
    perf::Perf,
    report::{Item, SUMMARY},
    verdict::{of_connection, of_freshness},
};
use crate::{cli::when::span, text};

/// How long the oldest pending exchange may wait, in seconds: a warning, and an alert.
const QUEUE: (u32, u32) = (600, 3600);
/// How much of a reason is told, and how much in a first line that is full already.
const REASON: usize = 160;
const LEAST: usize = 20;
/// How old the daemon's last sign of life may be, in seconds: several of its heartbeats, for a disk may be slow.
const SIGN_OF_LIFE: u32 = 60;

/// What the subject names in the snapshot, each part judged by its state alone.
pub(super) fn select(now: Timestamp, snapshot: &Snapshot, subject: Option<&Subject>) -> Vec<Item> {
    let kind = |row: &FeedRow| {
        snapshot.connections.iter().find(|c| c.id == row.connection).map(|c| c.kind.as_str())
    };
    let connections = snapshot.connections.iter();
    let connections =
        connections.filter(|row| subject.is_none_or(|subject| subject.takes_connection(row)));
    let feeds = snapshot.feeds.iter();
    let feeds =
        feeds.filter(|row| subject.is_none_or(|subject| subject.takes_feed(row, kind(row))));
    let status = &snapshot.status;
    let mut checks: Vec<Item> = connections.map(|row| connection(now, row)).collect();
    checks.extend(feeds.map(|row| feed(now, row)));
    checks.extend(matches!(subject, None | Some(Subject::Exchanges)).then(|| exchanges(status)));
    checks.extend(matches!(subject, None | Some(Subject::Oneself)).then(|| oneself(now, status)));
    checks
}

fn connection(now: Timestamp, row: &ConnectionRow) -> Item {
    let code = of_connection(row);
    let flaps = row.overlays.iter().any(|overlay| overlay == "flapping");
    let silence = row.last_ok_at.map(|at| Perf::seconds("silence", since(now, at)));
    let fails = Perf::count("fails", row.fails as usize, None);
    Item {
        state: if flaps { code.worst(Code::Warning) } else { code },
        reason: row
            .cause
            .map(|cause| cause.word().to_owned())
            .or_else(|| row.overlays.iter().find(|overlay| says_why(overlay)).cloned()),
        perfdata: silence.into_iter().chain([fails]).collect(),
        is_handled: is_handled(&row.overlays),
        suppressed_by: row.overlays.iter().filter(|overlay| suppresses(overlay)).cloned().collect(),
        ..item(
            now,
            row.id.to_string(),
            "connection",
            row.health.word(),
            Some(row.since_at),
            row.reason.as_deref(),
        )
    }
}

fn feed(now: Timestamp, row: &FeedRow) -> Item {
    let age = row.checked_at.map(|at| Perf::seconds("age", since(now, at)));
    let count = |label, n: u64| Perf::count(label, usize::try_from(n).unwrap_or(usize::MAX), None);
    Item {
        state: of_freshness(row.freshness),
        reason: row.reason.clone(),
        next_deadline: row.deadline_at,
        perfdata: age
            .into_iter()
            .chain([count("rows", row.rows), count("quarantine", row.quarantine)])
            .collect(),
        ..item(
            now,
            row.id.to_string(),
            "feed",
            row.freshness.word(),
            row.since_at,
            row.reason.as_deref(),
        )
    }
}

/// Every exchange on its way, as one: late if the oldest waits too long or one has passed its deadline.
fn exchanges(status: &Status) -> Item {
    let n = |state: &str| status.exchanges.get(state).copied().unwrap_or_default();
    let age = i64::try_from(status.oldest_pending_s.unwrap_or_default()).unwrap_or(i64::MAX);
    let (warn, crit) = (Range::up_to(QUEUE.0), Range::up_to(QUEUE.1));
    let queue = Perf::seconds("queue_age", age).limits(Some(warn), Some(crit));
    let expired = Perf::count(
        "expired_deliveries",
        usize::try_from(n("expired")).unwrap_or(usize::MAX),
        None,
    )
    .limits(None, Some(Range::up_to(0)));
    let state = queue.code().worst(expired.code());
    let words: Vec<_> = ["pending", "retrying", "in_doubt", "held", "rejected", "expired"]
        .into_iter()
        .filter(|word| n(word) > 0)
        .map(|word| format!("{} {word}", n(word)))
        .collect();
    let what = if words.is_empty() { "nothing waits".to_owned() } else { words.join(", ") };
    let oldest = status
        .oldest_pending_s
        .map(|age| format!(", the oldest for {}", span(age)))
        .unwrap_or_default();
    let said = format!("{what}{oldest}");
    Item {
        state,
        age_s: status.oldest_pending_s,
        business_age_s: status.oldest_pending_s,
        output: said.clone(),
        brief: said,
        perfdata: vec![queue, expired],
        ..item(
            status.at,
            "exchanges".to_owned(),
            "exchanges",
            if state == Code::Ok { "ok" } else { "late" },
            None,
            None,
        )
    }
}

fn oneself(now: Timestamp, status: &Status) -> Item {
    let seen = status.daemon.seen_at.map(|at| since(now, at).max(since(now, status.at)));
    let life = seen.map(|age| {
        Perf::seconds("sign_of_life", age).limits(None, Some(Range::up_to(SIGN_OF_LIFE)))
    });
    let silent = life.as_ref().is_some_and(|life| life.code() == Code::Critical);
    let (state, word) = match (status.daemon.running, silent) {
        (true, false) => (Code::Ok, "running"),
        (true, true) => (Code::Critical, "silent"),
        (false, _) => (Code::Critical, "not_running"),
    };
    let since =
        if status.daemon.running { status.daemon.started_at } else { status.daemon.seen_at };
    Item {
        state,
        perfdata: life.into_iter().collect(),
        ..item(now, "self".to_owned(), "self", word, since, None)
    }
}

/// What every item has, its state left to the caller.
fn item(
    now: Timestamp,
    id: String,
    kind: &'static str,
    word: &'static str,
    at: Option<Timestamp>,
    reason: Option<&str>,
) -> Item {
    let age = at.map(|at| u64::try_from(since(now, at)).unwrap_or_default());
    let for_ = age.map(|age| format!(" for {}", span(age))).unwrap_or_default();
    let head = format!("{word}{for_}");
    let with = |reason: Option<&str>, most: usize| match reason {
        Some(reason) => format!("{head}: {}", show_at_most(reason, most)),
        None => head.clone(),
    };
    let room = SUMMARY.saturating_sub(id.len() + head.len() + 3).max(LEAST);
    // Where there is little room, the address is whose it is.
    let (output, brief) = (with(reason, REASON), with(reason.map(text::gist), room));
    Item {
        id,
        kind,
        state: Code::Ok,
        marsad_state: word,
        reason: None,
        since: at,
        output,
        brief,
        incident: None,
        acknowledged: None,
        suppressed_by: Vec::new(),
        age_s: age,
        business_age_s: age,
        next_deadline: None,
        perfdata: Vec::new(),
        checks: Vec::new(),
        is_handled: false,
    }
}

fn since(now: Timestamp, at: Timestamp) -> i64 {
    now.duration_since(at).as_secs().max(0)
}

/// Whether what lies over a state is why it is no good one.
fn says_why(overlay: &str) -> bool {
    matches!(overlay, "certificate" | BLIND)
}

fn is_handled(overlays: &[String]) -> bool {
    overlays.iter().any(|overlay| matches!(overlay.as_str(), "acknowledged" | "maintenance"))
}

fn suppresses(overlay: &str) -> bool {
    matches!(overlay, "silenced" | "maintenance" | "parent_down" | "flapping")
}

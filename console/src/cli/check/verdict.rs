//! The verdict: a pure function over rows. Which state is which code stands here alone.

use jiff::Timestamp;
use marsad_shared::{
    freshness::Freshness,
    health::Health,
    protocol::{ConnectionRow, FeedRow, Status},
};

use super::{
    Code, Question, Range, Snapshot, Subject,
    perf::Perf,
    report::{Daemon, Item, Report, counts, summary, unanswered},
};
use crate::cli::{args::Handled, table::Tone, when::span};

/// How long the oldest pending exchange may wait, in seconds: a warning, and an alert.
const QUEUE: (u32, u32) = (600, 3600);
/// How old the daemon's last sign of life may be, in seconds: several of its heartbeats, for a disk may be slow.
const SIGN_OF_LIFE: u32 = 60;

/// A state that is not well, and how many are in it.
pub(super) type Trouble = (&'static str, usize);

/// What a connection's health means for whoever is called.
pub(crate) const fn of_health(health: Health) -> Code {
    match health {
        Health::Down => Code::Critical,
        Health::Degraded => Code::Warning,
        Health::Unknown => Code::Unknown,
        Health::Up | Health::Suspect | Health::Recovering => Code::Ok,
    }
}

/// What a feed's freshness means for whoever is called.
pub(crate) const fn of_freshness(freshness: Freshness) -> Code {
    match freshness {
        Freshness::Expired => Code::Critical,
        Freshness::Stale | Freshness::Future => Code::Warning,
        Freshness::Unknown => Code::Unknown,
        Freshness::Fresh | Freshness::Due | Freshness::Late | Freshness::Exempt => Code::Ok,
    }
}

/// The tone in which a table says it.
pub(crate) const fn tone(code: Code) -> Tone {
    match code {
        Code::Ok => Tone::Good,
        Code::Warning => Tone::Warn,
        Code::Critical => Tone::Bad,
        Code::Unknown => Tone::Dim,
    }
}

/// Judges what the question selects of the snapshot.
pub(super) fn judge(now: Timestamp, snapshot: &Snapshot, question: &Question) -> Report {
    let mut checks = select(now, snapshot, question.subject.as_ref());
    if checks.is_empty() {
        let why =
            question.subject.as_ref().map_or("nothing is configured".to_owned(), Subject::nothing);
        return unanswered(now, Code::Unknown, &why);
    }
    let limits = (question.warning.clone(), question.critical.clone());
    if let [only] = checks.as_mut_slice() {
        only.limit(limits.clone());
    }
    for item in &mut checks {
        if item.is_handled && question.handled == Handled::Ok {
            item.state = Code::Ok;
        }
    }
    let perfdata = perfdata(&checks, limits);
    let own = |perf: &Perf| {
        if checks.len() == 1 || perf.label != PROBLEMS { Code::Ok } else { perf.code() }
    };
    let state = checks
        .iter()
        .map(|item| item.state)
        .chain(perfdata.iter().map(own))
        .fold(Code::Ok, Code::worst);
    let daemon = &snapshot.status.daemon;
    Report {
        schema: "marsad.check/1",
        generated_at: now,
        snapshot_at: Some(snapshot.status.at),
        state,
        exit_code: state.number(),
        summary: summary(&checks, &troubles(&checks)),
        counts: counts(&checks),
        daemon: Daemon {
            running: daemon.running,
            version: daemon.version.clone(),
            config_hash: None,
            last_reload_ok: None,
        },
        perfdata,
        checks,
    }
}

/// The label of the measure that limits are held against where there are several subjects.
const PROBLEMS: &str = "problems";

fn select(now: Timestamp, snapshot: &Snapshot, subject: Option<&Subject>) -> Vec<Item> {
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
    let code = of_health(row.health);
    let flaps = row.overlays.iter().any(|overlay| overlay == "flapping");
    let silence = row.last_ok_at.map(|at| Perf::seconds("silence", since(now, at)));
    let fails = Perf::count("fails", row.fails as usize, None);
    Item {
        state: if flaps { code.worst(Code::Warning) } else { code },
        reason: row.cause.map(|cause| cause.word().to_owned()),
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
    Item {
        state,
        age_s: status.oldest_pending_s,
        business_age_s: status.oldest_pending_s,
        output: format!("{what}{oldest}"),
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
    let why =
        reason.map(|reason| format!(": {}", marsad_shared::untrusted::show_at_most(reason, 160)));
    Item {
        id,
        kind,
        state: Code::Ok,
        marsad_state: word,
        reason: None,
        since: at,
        output: format!("{word}{for_}{}", why.unwrap_or_default()),
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

impl Item {
    /// Holds the limits of the command line against its first measure; the worse verdict wins.
    fn limit(&mut self, (warn, crit): (Option<Range>, Option<Range>)) {
        let Some(first) = self.perfdata.first_mut() else { return };
        let asked = first.clone().limits(warn.clone(), crit.clone());
        self.state = self.state.worst(asked.code());
        first.warn = warn.or_else(|| first.warn.take());
        first.crit = crit.or_else(|| first.crit.take());
    }
}

fn perfdata(checks: &[Item], (warn, crit): (Option<Range>, Option<Range>)) -> Vec<Perf> {
    if let [only] = checks {
        return only.perfdata.clone();
    }
    let all = |kind: &str| checks.iter().filter(|item| item.kind == kind).count();
    let of = |kind: &str, word: &str| {
        checks.iter().filter(|item| item.kind == kind && item.marsad_state == word).count()
    };
    let (connections, feeds) = (all("connection"), all("feed"));
    let none = || Some(Range::up_to(0));
    let mut perf = vec![
        Perf::count("down", of("connection", "down"), Some(connections)).limits(None, none()),
        Perf::count("expired", of("feed", "expired"), Some(feeds)).limits(None, none()),
        Perf::count("stale", of("feed", "stale"), Some(feeds)).limits(none(), None),
    ];
    perf.extend(
        checks
            .iter()
            .filter(|item| item.kind == "exchanges")
            .flat_map(|item| item.perfdata.clone()),
    );
    if warn.is_some() || crit.is_some() {
        let problems = checks.iter().filter(|item| item.state != Code::Ok).count();
        perf.push(Perf::count(PROBLEMS, problems, Some(checks.len())).limits(warn, crit));
    }
    perf
}

/// How many are in which state that is not well, worst first.
fn troubles(checks: &[Item]) -> Vec<Trouble> {
    let mut troubles: Vec<(u8, Trouble)> = Vec::new();
    for item in checks.iter().filter(|item| item.state != Code::Ok) {
        match troubles.iter_mut().find(|(_, (word, _))| *word == item.marsad_state) {
            Some((rank, (_, n))) => (*rank, *n) = ((*rank).max(item.state.rank()), *n + 1),
            None => troubles.push((item.state.rank(), (item.marsad_state, 1))),
        }
    }
    troubles.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    troubles.into_iter().map(|(_, trouble)| trouble).collect()
}

fn since(now: Timestamp, at: Timestamp) -> i64 {
    now.duration_since(at).as_secs().max(0)
}

fn is_handled(overlays: &[String]) -> bool {
    overlays.iter().any(|overlay| matches!(overlay.as_str(), "acknowledged" | "maintenance"))
}

fn suppresses(overlay: &str) -> bool {
    matches!(overlay, "silenced" | "maintenance" | "parent_down" | "flapping")
}

#[cfg(test)]
mod tests;

//! The verdict: a pure function over rows. Which state is which code stands here alone.

use jiff::Timestamp;
use marsad_shared::{
    certificate::Validity, freshness::Freshness, health::Health, protocol::ConnectionRow,
};

use super::{
    Code, Question, Range, Snapshot, Subject,
    perf::Perf,
    report::{Daemon, Item, Report, counts, summary, unanswered},
    select::select,
};
use crate::cli::{args::Handled, table::Tone};

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

/// What a connection means for whoever is called: its health, the end of its certificates, or that trouble of our own keeps
/// us from it, whichever is worst.
pub(crate) fn of_connection(row: &ConnectionRow) -> Code {
    let blind = if row.is_blind() { Code::Warning } else { Code::Ok };
    of_health(row.health).worst(row.certificate.map_or(Code::Ok, of_validity)).worst(blind)
}

/// What the end of a certificate means for whoever is called.
const fn of_validity(validity: Validity) -> Code {
    match validity {
        Validity::EndsNow | Validity::Ended => Code::Critical,
        Validity::EndsSoon => Code::Warning,
        Validity::Fine => Code::Ok,
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

impl Item {
    /// Holds the limits of the command line against its measure, which is the one in seconds; the worse verdict wins.
    /// What was never measured is within no limits: unknown.
    fn limit(&mut self, (warn, crit): (Option<Range>, Option<Range>)) {
        if warn.is_none() && crit.is_none() {
            return;
        }
        let Some(measure) = self.perfdata.iter_mut().find(|perf| perf.uom == "s") else {
            self.state = self.state.worst(Code::Unknown);
            return;
        };
        let asked = measure.clone().limits(warn.clone(), crit.clone());
        self.state = self.state.worst(asked.code());
        measure.warn = warn.or_else(|| measure.warn.take());
        measure.crit = crit.or_else(|| measure.crit.take());
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

#[cfg(test)]
mod tests;

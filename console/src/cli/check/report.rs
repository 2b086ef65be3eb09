//! What a check answers: a line with performance data, or one JSON object that says the same and more.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Code, perf::Perf, verdict::Trouble};
use crate::cli::when::span;

/// How long a summary becomes: with its state before it and a ` …` behind it 80, as far as the name of the first
/// subject does not make it longer.
pub(super) const SUMMARY: usize = 80 - "MARSAD CRITICAL - ".len() - 2;

/// The answer. As JSON:
/// `{schema generated_at snapshot_at state exit_code summary counts{ok warning critical unknown handled}
/// daemon{running version config_hash last_reload_ok} checks[…] perfdata[…]}`, each check
/// `{id kind state marsad_state reason since output incident acknowledged suppressed_by age_s business_age_s
/// next_deadline perfdata checks}`. Fields are only added within `marsad.check/1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    pub(super) schema: &'static str,
    pub(super) generated_at: Timestamp,
    /// When the daemon's answer was true; null where there was none.
    pub(super) snapshot_at: Option<Timestamp>,
    pub(super) state: Code,
    pub(super) exit_code: u8,
    /// The first line without its state and performance data.
    pub(super) summary: String,
    pub(super) counts: BTreeMap<&'static str, usize>,
    pub(super) daemon: Daemon,
    pub(super) checks: Vec<Item>,
    pub(super) perfdata: Vec<Perf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Daemon {
    pub(super) running: bool,
    pub(super) version: Option<String>,
    pub(super) config_hash: Option<String>,
    pub(super) last_reload_ok: Option<bool>,
}

/// One subject's part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Item {
    pub(super) id: String,
    /// `connection`, `feed`, `exchanges` or `self`.
    pub(super) kind: &'static str,
    pub(super) state: Code,
    pub(super) marsad_state: &'static str,
    pub(super) reason: Option<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) output: String,
    /// The same for the first line, which is short.
    #[serde(skip)]
    pub(super) brief: String,
    pub(super) incident: Option<String>,
    pub(super) acknowledged: Option<Value>,
    pub(super) suppressed_by: Vec<String>,
    /// How long it stands so, in seconds.
    pub(super) age_s: Option<u64>,
    /// The same in working time.
    pub(super) business_age_s: Option<u64>,
    pub(super) next_deadline: Option<Timestamp>,
    pub(super) perfdata: Vec<Perf>,
    /// What it is made of in turn; nothing in this version.
    pub(super) checks: Vec<Self>,
    /// Acknowledged or in maintenance.
    #[serde(skip)]
    pub(super) is_handled: bool,
}

impl Report {
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The plugin's text: the first line, and more behind it by `verbose`.
    pub(crate) fn text(&self, verbose: u8) -> String {
        let perf: Vec<_> = self.perfdata.iter().map(Perf::to_string).collect();
        // A `|` would begin performance data.
        let summary = self.summary.replace('|', "/");
        let mut text = format!("MARSAD {} - {summary}", self.state.word());
        if !perf.is_empty() {
            text.push_str(" | ");
            text.push_str(&perf.join(" "));
        }
        text.push('\n');
        for item in self
            .checks
            .iter()
            .filter(|item| verbose > 1 || (verbose == 1 && item.state != Code::Ok))
        {
            text.push_str(&item.line(verbose));
        }
        text
    }
}

impl Item {
    fn line(&self, verbose: u8) -> String {
        let measures: Vec<_> = self.perfdata.iter().map(|perf| format!(" {perf}")).collect();
        let more = if verbose > 2 { measures.concat() } else { String::new() };
        let line =
            format!("{} {} {}: {}{more}", self.state.word(), self.kind, self.id, self.output);
        line.replace('|', "/") + "\n"
    }

    /// What the first line says of it: its id, its reason or state, and since when.
    fn short(&self) -> String {
        let age = self.age_s.map(|age| format!(" {}", span(age))).unwrap_or_default();
        let why =
            self.reason.as_deref().filter(|reason| is_word(reason)).unwrap_or(self.marsad_state);
        format!("{} {why}{age}", self.id)
    }
}

/// Whether it is one of our words and nothing from outside.
fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The first line's middle: how many are in which trouble, and the worst of them by name.
pub(super) fn summary(checks: &[Item], troubles: &[Trouble]) -> String {
    let mut bad: Vec<&Item> = checks.iter().filter(|item| item.state != Code::Ok).collect();
    bad.sort_by_key(|item| std::cmp::Reverse((item.state.rank(), item.age_s)));
    match (bad.as_slice(), checks) {
        ([], [only]) => format!("{} {}", only.id, only.brief),
        ([], _) => format!("all {} well", checks.len()),
        ([bad], [_]) => format!("{} {}", bad.id, bad.brief),
        _ => {
            let counts: Vec<_> = troubles.iter().map(|(word, n)| format!("{n} {word}")).collect();
            let mut text = format!("{} of {}", counts.join(", "), checks.len());
            for (at, item) in bad.iter().enumerate() {
                let part = item.short();
                if at > 0 && text.len() + 2 + part.len() > SUMMARY {
                    text.push_str(" …");
                    break;
                }
                text.push_str(if at == 0 { ": " } else { ", " });
                text.push_str(&part);
            }
            text
        }
    }
}

/// The answer where there is nothing to judge.
pub(super) fn unanswered(now: Timestamp, state: Code, why: &str) -> Report {
    Report {
        schema: "marsad.check/1",
        generated_at: now,
        snapshot_at: None,
        state,
        exit_code: state.number(),
        summary: marsad_shared::untrusted::show(why).into_owned(),
        counts: counts(&[]),
        daemon: Daemon { running: false, version: None, config_hash: None, last_reload_ok: None },
        checks: Vec::new(),
        perfdata: Vec::new(),
    }
}

pub(super) fn counts(checks: &[Item]) -> BTreeMap<&'static str, usize> {
    let of = |code| checks.iter().filter(|item| item.state == code).count();
    BTreeMap::from([
        ("ok", of(Code::Ok)),
        ("warning", of(Code::Warning)),
        ("critical", of(Code::Critical)),
        ("unknown", of(Code::Unknown)),
        ("handled", checks.iter().filter(|item| item.is_handled).count()),
    ])
}

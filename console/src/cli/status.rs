//! `marsad status`: one screen of truth.

use std::path::Path;

use marsad_shared::{
    exchange::State, freshness::Freshness, health::Health, protocol::Running, run::Outcome,
    untrusted::show_at_most,
};

use super::{
    check::{Code, Snapshot, of_connection, of_freshness, of_health, tone},
    fail::Done,
    out::Out,
    shown::of_state,
    table::{Cell, Column, Table, Tone, paint},
    when::{Look, count, size, span},
};
use crate::{client::Client, text};

/// How many troubles a screen names, the worst first.
const NAMED: usize = 10;
/// How much of a reason.
const REASON: usize = 100;

/// Writes the status. As JSON it is [`marsad_shared::protocol::Status`]; for people it also names what is not well.
pub(super) async fn status(client: &Client, out: &mut Out) -> Done {
    if out.json {
        out.value(&client.status().await?)?;
    } else {
        let snapshot = Snapshot::take(client).await?;
        let text = screen(&snapshot, client.is_offline().then(|| client.place()), &out.look);
        out.text(&text)?;
    }
    Ok(())
}

fn screen(snapshot: &Snapshot, offline: Option<&Path>, look: &Look) -> String {
    let status = &snapshot.status;
    let health = Health::ALL.map(|health| (health.word(), tone(of_health(health))));
    let freshness =
        Freshness::ALL.map(|freshness| (freshness.word(), tone(of_freshness(freshness))));
    let delivery = State::ALL.map(|state| (state.word(), of_state(state)));
    let oldest = status.oldest_pending_s.map(|age| format!("  oldest pending {}", span(age)));
    let mut lines = vec![
        ("at", look.exact(status.at)),
        ("daemon", daemon(snapshot, offline, look)),
        ("connections", counts(health, &status.connections, look)),
        ("feeds", counts(freshness, &status.feeds, look)),
        ("exchanges", counts(delivery, &status.exchanges, look) + &oldest.unwrap_or_default()),
        ("quarantine", number(status.quarantine, look)),
        ("incidents", number(status.incidents, look)),
    ];
    let running = status.running.iter().enumerate();
    lines.extend(
        running.map(|(at, run)| (if at == 0 { "running" } else { "" }, progress(run, look))),
    );
    let lines: Vec<_> =
        lines.iter().map(|(label, words)| format!("{label:<13}{words}\n")).collect();
    lines.concat() + &troubles(snapshot, look)
}

fn daemon(snapshot: &Snapshot, offline: Option<&Path>, look: &Look) -> String {
    let daemon = &snapshot.status.daemon;
    let version = daemon
        .version
        .as_deref()
        .map(|version| format!(" {}", show_at_most(version, 20)))
        .unwrap_or_default();
    match (offline, daemon.running) {
        (None, true) => {
            let up = daemon
                .started_at
                .map(|at| format!(" since {}", look.short(at)))
                .unwrap_or_default();
            format!("{}{version}{up}", paint("running", Tone::Good, look))
        }
        (place, _) => {
            let seen = daemon
                .seen_at
                .map(|at| format!(", last seen {}", look.short(at)))
                .unwrap_or_default();
            let place = place.map(|place| {
                format!("; read from {}", show_at_most(&place.display().to_string(), 200))
            });
            format!("{}{seen}{}", paint("not asked", Tone::Warn, look), place.unwrap_or_default())
        }
    }
}

fn counts<const N: usize>(
    words: [(&'static str, Tone); N],
    counts: &std::collections::BTreeMap<String, u64>,
    look: &Look,
) -> String {
    let some: Vec<_> = words
        .into_iter()
        .filter_map(|(word, tone)| {
            Some((counts.get(word).copied().filter(|n| *n > 0)?, word, tone))
        })
        .map(|(n, word, tone)| paint(&format!("{} {word}", count(n)), tone, look).into_owned())
        .collect();
    if some.is_empty() { "none".to_owned() } else { some.join("  ") }
}

fn number(n: u64, look: &Look) -> String {
    let tone = if n > 0 { Tone::Warn } else { Tone::Plain };
    paint(&count(n), tone, look).into_owned()
}

fn progress(running: &Running, look: &Look) -> String {
    let pages = if running.pages == 1 { "page" } else { "pages" };
    let left =
        running.total.zip(running.left_s(look.now)).map_or_else(String::new, |(total, left)| {
            format!(" of {}, about {} left", count(total), span(left))
        });
    format!(
        "{}  {}  {} {pages}  {} rows{left}  {}  began {}",
        running.feed,
        running.trigger,
        count(running.pages),
        count(running.rows),
        size(running.bytes),
        look.relative(running.started_at)
    )
}

/// What is not well, worst and longest first.
fn troubles(snapshot: &Snapshot, look: &Look) -> String {
    const COLUMNS: &[Column] = &[
        Column::Left("NOT WELL"),
        Column::Left("STATE"),
        Column::Time("SINCE"),
        Column::Left("REASON"),
    ];
    let connections = snapshot.connections.iter().map(|row| {
        (
            of_connection(row),
            row.id.to_string(),
            row.health.word(),
            Some(row.since_at),
            row.reason.as_deref(),
        )
    });
    let feeds = snapshot.feeds.iter().map(|row| {
        let (code, word, since) = match row.last_outcome {
            // What it has is fresh, and what came last waits for somebody.
            Some(outcome @ Outcome::Held) if of_freshness(row.freshness) == Code::Ok => {
                (Code::Warning, outcome.word(), None)
            }
            // What is gone may be among what it has.
            _ if row.unswept.is_some() && of_freshness(row.freshness) == Code::Ok => {
                (Code::Warning, Outcome::Partial.word(), None)
            }
            _ => (of_freshness(row.freshness), row.freshness.word(), row.since_at),
        };
        (code, row.id.to_string(), word, since, row.reason.as_deref())
    });
    let mut rows: Vec<_> =
        connections.chain(feeds).filter(|(code, ..)| *code != Code::Ok).collect();
    rows.sort_by_key(|(code, _, _, since, _)| {
        (std::cmp::Reverse(code.rank()), since.is_none(), *since)
    });
    if rows.is_empty() {
        return String::new();
    }
    let cells: Vec<_> = rows
        .iter()
        .take(NAMED)
        .map(|(code, id, word, since, reason)| {
            vec![
                Cell::new(id),
                Cell::new(word).tone(tone(*code)),
                Cell::maybe(since.map(|at| look.short(at))),
                Cell::short(text::gist(reason.unwrap_or_default()), REASON),
            ]
        })
        .collect();
    let more = match rows.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("and {more} more: marsad connections, marsad feeds\n"),
    };
    format!("\n{}{more}", Table::new(COLUMNS).page(&cells, look))
}

#[cfg(test)]
mod tests;

//! Going back in a feed: previewed, confirmed by typing its name or by a reason, and done.

use std::io::{self, IsTerminal, Write as _};

use marsad_shared::{
    protocol::{Rewind, RewindPreview, RewindReply},
    untrusted::show,
};

use super::{
    args,
    fail::{Done, Fail},
    out::Out,
    when::{count, span},
};
use crate::client::Client;

/// Sets a feed's cursor back. As JSON the answer is a [`RewindReply`] `{feed done preview{from to back_s back asks_from rows
/// rows_now drops_walk}}`.
pub(super) async fn rewind(client: &Client, order: args::Rewind, out: &mut Out) -> Done {
    // Whether it is the beginning has been checked with the arguments.
    let args::Rewind { feed, to, start: _, dry_run, reason } = order;
    let order = Rewind { feed, to, dry_run, reason };
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !dry_run && asks {
        let previewed = client.rewind(&Rewind { dry_run: true, ..order.clone() }).await?;
        confirmed(order.feed.as_str(), &would(&previewed), "the cursor was not moved")?;
    } else if !dry_run && order.reason.is_none() {
        return Err(Fail::Usage(
            "nobody can type the feed's name here, so a rewind needs --reason TEXT",
        ));
    }
    let reply = client.rewind(&order).await?;
    Ok(out.answer(&reply, |_| if reply.done { did(&reply) } else { would(&reply) })?)
}

/// Asks for a name: no other key does it.
pub(super) fn confirmed(name: &str, preview: &str, not_done: &str) -> Done {
    let mut asked = io::stderr();
    write!(asked, "{preview}Type {name} to do it: ")?;
    asked.flush()?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed)?;
    if typed.trim() == name {
        return Ok(());
    }
    let why = format!("{name} was not typed");
    Err(Fail::here(not_done.to_owned(), &why, "say it again, and type the name"))
}

fn would(reply: &RewindReply) -> String {
    let RewindPreview { from, to, asks_from, rows, rows_now, drops_walk, .. } = &reply.preview;
    let mut lines = vec![format!(
        "{}: the cursor goes from {} to {}{}",
        reply.feed,
        point(from.as_deref()),
        point(to.as_deref()),
        back(&reply.preview)
    )];
    lines.push(format!("the next run asks from {}", point(asks_from.as_deref())));
    let rows_now = count(*rows_now);
    lines.push(match rows {
        Some(rows) => format!(
            "{} of {rows_now} records in the bank lie there or behind, and would be read again",
            count(*rows)
        ),
        None => format!("how many of {rows_now} records in the bank would be read again is the partner's to know"),
    });
    if *drops_walk {
        lines.push("a walk is under way and would be given up: its pages are read anew".to_owned());
    }
    lines.push("no record is removed by it: what comes again is compared with the bank".to_owned());
    lines.join("\n  ") + "\n"
}

fn did(reply: &RewindReply) -> String {
    let RewindPreview { from, to, asks_from, .. } = &reply.preview;
    format!(
        "{feed}: the cursor went from {} to {}{}\n  the next run asks from {}; to have it now: marsad resync {feed}\n",
        point(from.as_deref()),
        point(to.as_deref()),
        back(&reply.preview),
        point(asks_from.as_deref()),
        feed = reply.feed,
    )
}

fn point(value: Option<&str>) -> String {
    value.map_or_else(|| "the beginning".to_owned(), |value| show(value).into_owned())
}

/// How far back, where that can be said.
fn back(preview: &RewindPreview) -> String {
    match (preview.back_s, preview.back) {
        (Some(seconds), _) => format!(" ({} back)", span(seconds)),
        (None, Some(steps)) => format!(" ({} steps back)", count(steps)),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewind_says_what_it_would_do_what_not_and_what_it_did() {
        let feed: marsad_shared::id::FeedId = "health/visits".parse().unwrap();
        let preview = RewindPreview {
            from: Some("2026-11-24T10:00:00Z".to_owned()),
            to: Some("2026-11-24T07:00:00Z".to_owned()),
            back_s: Some(10_800),
            back: None,
            asks_from: Some("2026-11-24T06:50:00Z".to_owned()),
            rows: Some(1_204),
            rows_now: 120_398,
            drops_walk: true,
        };
        let mut reply = RewindReply { feed, done: false, preview };
        assert_eq!(
            would(&reply),
            "health/visits: the cursor goes from 2026-11-24T10:00:00Z to 2026-11-24T07:00:00Z (3h back)\n  \
             the next run asks from 2026-11-24T06:50:00Z\n  \
             1,204 of 120,398 records in the bank lie there or behind, and would be read again\n  \
             a walk is under way and would be given up: its pages are read anew\n  \
             no record is removed by it: what comes again is compared with the bank\n"
        );
        reply.preview = RewindPreview {
            from: Some("to\u{1b}ken".to_owned()),
            to: None,
            back_s: None,
            asks_from: None,
            rows: None,
            drops_walk: false,
            ..reply.preview
        };
        assert_eq!(
            did(&reply),
            "health/visits: the cursor went from to\\u{1b}ken to the beginning\n  \
             the next run asks from the beginning; to have it now: marsad resync health/visits\n"
        );
        assert!(would(&reply).contains("the partner's to know"));
    }
}

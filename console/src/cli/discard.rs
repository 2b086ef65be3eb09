//! Discarding what is in quarantine: previewed, confirmed by typing how many, and done.

use std::io::{self, IsTerminal, Write as _};

use marsad_shared::protocol::{Chosen, Discard, DiscardReply};

use super::{
    args,
    fail::{Done, FAILED, Fail},
    out::Out,
    when::count,
};
use crate::client::Client;

/// Discards items. As JSON the answer is a [`DiscardReply`] `{done discarded choice{count up_to feeds missing}}`; exit 1 if
/// one that was named is not there.
pub(super) async fn discard(client: &Client, order: args::Discard, out: &mut Out) -> Done {
    let args::Discard { ids, group, dry_run, yes, reason } = order;
    let what = Chosen { ids, group, ..Chosen::default() };
    let mut order = Discard { what, dry_run, reason };
    if !dry_run && !yes {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(Fail::Usage("nobody can type the count here, so discarding needs --yes"));
        }
        let previewed = client.discard(&Discard { dry_run: true, ..order.clone() }).await?;
        confirmed(&previewed)?;
        // No more than what was agreed to.
        order.what.up_to = order.what.group.and(previewed.choice.up_to);
    }
    let reply = client.discard(&order).await?;
    out.answer(&reply, |_| if reply.done { did(&reply) } else { would(&reply) })?;
    if reply.choice.missing.is_empty() { Ok(()) } else { Err(Fail::Said(FAILED)) }
}

/// Asks for the count: no other key does it.
fn confirmed(reply: &DiscardReply) -> Done {
    let mut asked = io::stderr();
    write!(asked, "{}Type {} to discard them: ", would(reply), reply.discarded)?;
    asked.flush()?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed)?;
    if typed.trim() == reply.discarded.to_string() {
        return Ok(());
    }
    let why = "the count was not typed";
    Err(Fail::here("nothing was discarded", &why, "say it again, and type the count"))
}

fn would(reply: &DiscardReply) -> String {
    format!(
        "{} would be discarded, and cannot be had back: the audit keeps what they were, and not what was in them\n{}",
        items(reply),
        missing(reply)
    )
}

fn did(reply: &DiscardReply) -> String {
    format!("{} discarded; what they were is in the audit\n{}", items(reply), missing(reply))
}

fn items(reply: &DiscardReply) -> String {
    let noun = if reply.discarded == 1 { "item" } else { "items" };
    let feeds: Vec<_> = reply.choice.feeds.iter().map(ToString::to_string).collect();
    format!("{} {noun} of {}", count(reply.discarded), feeds.join(", "))
}

fn missing(reply: &DiscardReply) -> String {
    let missing: Vec<_> = reply.choice.missing.iter().map(ToString::to_string).collect();
    if missing.is_empty() {
        return String::new();
    }
    format!("  not there: {}\n", missing.join(" "))
}

#[cfg(test)]
mod tests {
    use marsad_shared::{id::QuarantineId, protocol::Choice};

    use super::*;

    #[test]
    fn discarding_says_what_it_would_do_and_what_it_did() {
        let choice = Choice {
            count: 1_204,
            up_to: Some(QuarantineId(1_300)),
            feeds: vec!["health/visits".parse().unwrap(), "courts/orders".parse().unwrap()],
            missing: vec![QuarantineId(7), QuarantineId(9)],
        };
        let mut reply = DiscardReply { done: false, discarded: 1_204, choice };
        assert_eq!(
            would(&reply),
            "1,204 items of health/visits, courts/orders would be discarded, and cannot be had back: \
             the audit keeps what they were, and not what was in them\n  not there: q7 q9\n"
        );
        reply.discarded = 1;
        reply.choice.feeds.pop();
        reply.choice.missing.clear();
        assert_eq!(
            did(&reply),
            "1 item of health/visits discarded; what they were is in the audit\n"
        );
    }
}

//! Replaying what is in quarantine, and what became of it.

use marsad_shared::{
    protocol::{Chosen, Replay, ReplayReply, Replayed},
    untrusted::show,
};

use super::{
    args,
    fail::{Done, FAILED, Fail},
    out::Out,
    when::count,
};
use crate::client::Client;

/// Replays items and waits for the end. As JSON the answer is a [`ReplayReply`] `{done choice feeds[{feed runs received
/// accepted refused newer untried problem}]}`; exit 1 if something was refused again, or was not there. A dry run that could be made
/// is done, whatever it says.
pub(super) async fn replay(client: &Client, order: args::Replay, out: &mut Out) -> Done {
    let args::Replay { ids, group, feed, force, dry_run, reason } = order;
    let what = Chosen { ids, group, feed, up_to: None };
    let reply = client.replay(&Replay { what, force, dry_run, reason }).await?;
    out.answer(&reply, |_| said(&reply))?;
    let stays = |told: &Replayed| reply.done && told.refused > 0;
    let well = |told: &Replayed| !stays(told) && told.problem.is_none();
    if reply.choice.missing.is_empty() && reply.feeds.iter().all(well) {
        Ok(())
    } else {
        Err(Fail::Said(FAILED))
    }
}

fn said(reply: &ReplayReply) -> String {
    let mut lines: Vec<_> = reply.feeds.iter().flat_map(|told| of_feed(told, reply.done)).collect();
    let missing: Vec<_> = reply.choice.missing.iter().map(ToString::to_string).collect();
    if !missing.is_empty() {
        lines.push(format!("not there: {}", missing.join(" ")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn of_feed(told: &Replayed, done: bool) -> Vec<String> {
    let Replayed { feed, runs, received, accepted, refused, newer, untried, problem } = told;
    let would = if done { "" } else { "would be " };
    let runs: Vec<_> = runs.iter().map(ToString::to_string).collect();
    let runs = if runs.is_empty() { String::new() } else { format!(" ({})", runs.join(" ")) };
    let mut lines = vec![format!(
        "{feed}: {} of {} items {would}accepted, {} {would}refused again{runs}",
        count(*accepted),
        count(*received),
        count(*refused)
    )];
    if *newer > 0 {
        lines.push(format!(
            "  {} of those because a newer one is in the bank: discard them, or replay with --force",
            count(*newer)
        ));
    }
    if *refused > *newer && done {
        lines.push("  each says why: marsad quarantine --by reason".to_owned());
    }
    if *untried > 0 {
        lines.push(format!("  {} whole files were not tried", count(*untried)));
    }
    lines.extend(problem.iter().map(|problem| format!("  then it ended: {}", show(problem))));
    lines
}

#[cfg(test)]
mod tests {
    use marsad_shared::{
        id::{QuarantineId, RunId},
        protocol::Choice,
    };

    use super::*;

    #[test]
    fn a_replay_says_what_became_of_each_feed_and_what_would() {
        let told = Replayed {
            feed: "health/visits".parse().unwrap(),
            runs: vec![RunId(7), RunId(8)],
            received: 1_204,
            accepted: 1_200,
            refused: 4,
            newer: 1,
            untried: 0,
            problem: Some("the disk is \u{1b}full".to_owned()),
        };
        let mut reply = ReplayReply { done: true, choice: Choice::default(), feeds: vec![told] };
        assert_eq!(
            said(&reply),
            "health/visits: 1,200 of 1,204 items accepted, 4 refused again (r7 r8)\n\
             \x20 1 of those because a newer one is in the bank: discard them, or replay with --force\n\
             \x20 each says why: marsad quarantine --by reason\n\
             \x20 then it ended: the disk is \\u{1b}full\n"
        );
        reply.done = false;
        reply.choice.missing = vec![QuarantineId(9)];
        let told = &mut reply.feeds[0];
        (told.newer, told.untried, told.problem) = (0, 2, None);
        told.runs.clear();
        assert_eq!(
            said(&reply),
            "health/visits: 1,200 of 1,204 items would be accepted, 4 would be refused again\n\
             \x20 2 whole files were not tried\nnot there: q9\n"
        );
    }
}

use marsad_shared::{
    exchange::State,
    id::{ExchangeId, RunId},
    run::Outcome,
};

use super::*;
use crate::cli::{
    out::tests::Paper,
    samples::{exchange, look, run},
};

fn reply(run: Option<i64>) -> ResyncReply {
    let feed: marsad_shared::id::FeedId = "education/enrolments".parse().unwrap();
    ResyncReply {
        feed: feed.clone(),
        run: run.map(RunId),
        preview: Preview {
            feed,
            scope: "full".to_owned(),
            from: None,
            until: None,
            budget: None,
            after_run: Some(RunId(4820)),
            pages: Some(12),
            rows: Some(120_400),
            duration_s: Some(95),
            rows_now: 120_398,
        },
    }
}

#[test]
fn a_resync_says_what_it_would_do_and_what_it_does() {
    assert_eq!(
        ordered(&reply(None)),
        "full resync of education/enrolments, would read from the beginning\n  r4820 took 12 pages, 120,400 rows, 1m\n  \
         120,398 records in the bank now; what comes is loaded beside them, and what it replaces is kept for an undo\n"
    );
    let mut first = reply(Some(7));
    first.preview = Preview {
        scope: "incremental".to_owned(),
        from: Some("2026-\u{1b}".to_owned()),
        after_run: None,
        pages: None,
        rows: None,
        duration_s: None,
        rows_now: 0,
        ..first.preview
    };
    assert_eq!(
        ordered(&first),
        "r7: incremental resync of education/enrolments, reads from cursor 2026-\\u{1b}\n  no run of this kind tells \
         what it takes\n  0 records in the bank now, none of which is lost by it\n"
    );
}

#[test]
fn who_waited_learns_how_it_ended_by_text_json_and_exit_code() {
    for (outcome, code) in [
        (Outcome::Succeeded, 0),
        (Outcome::Unchanged, 0),
        (Outcome::Partial, 0),
        (Outcome::Held, 5),
        (Outcome::Failed, 5),
        (Outcome::Cancelled, 5),
    ] {
        for json in [false, true] {
            let paper = Paper::default();
            let mut out = Out::new(paper.clone(), json, look(None));
            let done = ended(reply(Some(4821)), run(4821, outcome), &mut out);
            assert_eq!(done.map_or_else(|fail| fail.code(), |()| 0), code, "{outcome}");
            let said = paper.read();
            if json {
                let said: serde_json::Value = serde_json::from_str(&said).unwrap();
                assert_eq!(said["outcome"], outcome.word());
                assert_eq!((&said["id"], &said["run"]), (&"r4821".into(), &"r4821".into()));
                assert_eq!(said["preview"]["scope"], "full");
            } else {
                assert!(
                    said.starts_with(&format!("r4821 {outcome}: received 1,204, inserted 12")),
                    "{said}"
                );
            }
        }
    }
}

#[test]
fn each_exchange_says_what_became_of_it() {
    let outcome = |done, problem: Option<&str>| ActOutcome {
        id: ExchangeId(7),
        done,
        state: done.then_some(State::Held),
        problem: problem.map(str::to_owned),
    };
    assert_eq!(acted(ExchangeVerb::Hold, &outcome(true, None)), "x7 hold: now held\n");
    assert_eq!(
        acted(ExchangeVerb::Hold, &outcome(false, Some("there is no such exchange"))),
        "x7 not done: there is no such exchange\n"
    );
    assert_eq!(
        taken(&exchange(7, State::Pending)),
        "x7 pending: referral-7.json (1.2 kB) over courts/referrals\n"
    );
}

#[test]
fn a_proof_says_whether_the_chain_holds() {
    let proof = |broken: Option<&str>| AuditProof {
        entries: 1204,
        head: "ab12".to_owned(),
        broken: broken.map(str::to_owned),
    };
    assert_eq!(
        proved(&proof(None), &look(None)),
        "the audit's chain holds: 1,204 entries at 2026-03-01 16:00:00 +04:00, head ab12\n"
    );
    assert_eq!(
        proved(&proof(Some("entry 7 was changed")), &look(None)),
        "the audit's chain is BROKEN after 1,204 good entries: entry 7 was changed\n"
    );
}

//! A partner that locks a session for each walk: no more of our feeds are read at once than it can bear, who waits says so,
//! and a test of the connection waits too.

use std::{collections::BTreeSet, time::Duration};

use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{Asked, PartnerFile, Reply, Script},
};
use serde_json::json;

use crate::waits;

const FEEDS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// The pages of each walk.
const PAGES: u64 = 3;

/// Feeds of three pages each over one connection.
fn file(script: &Script, most: &str) -> PartnerFile {
    let mut file = PartnerFile::new("agency");
    file.connection("api", &format!("base_url = \"http://{}\"\n{most}", script.address()));
    for feed in FEEDS {
        file.add(&format!(
            "\n[[feed]]\nid = \"{feed}\"\nconnection = \"api\"\nkey = [\"id\"]\npath = \"/{feed}\"\n\
             records = \"$.data[*]\"\nschedule = {{ every = \"1h\" }}\nfields = {{ id = \"text\" }}\n\
             pagination = {{ kind = \"cursor\", param = \"after\", next = \"$.next\" }}"
        ));
    }
    file
}

fn page(asked: &Asked) -> Reply {
    let number = asked.number("after").unwrap_or(0);
    let next = (number + 1 < PAGES).then(|| (number + 1).to_string());
    Reply::json(&json!({ "data": [{ "id": format!("{}-{number}", asked.path) }], "next": next }))
}

/// The most walks that were open at one moment, by what was asked, in the order in which it came.
fn overlap(asked: &[Asked]) -> usize {
    let (mut open, mut most) = (BTreeSet::new(), 0);
    for asked in asked {
        open.insert(&asked.path);
        most = most.max(open.len());
        if asked.number("after") == Some(PAGES - 1) {
            open.remove(&asked.path);
        }
    }
    most
}

#[tokio::test]
async fn no_more_feeds_are_read_at_once_than_the_partner_bears() -> anyhow::Result<()> {
    for (most, bound) in [("feeds_at_once = 1\n", 1), ("feeds_at_once = 2\n", 2), ("", 5)] {
        let script = Script::start(|asked| page(asked).late(Duration::from_millis(60))).await?;
        let daemon = Daemon::start(Home::with(&[&file(&script, most)])?).await?;
        for feed in FEEDS {
            waits::good_run(&daemon, &format!("agency/{feed}"), 0).await?;
        }
        let asked = script.asked("");
        assert_eq!(asked.len() as u64, FEEDS.len() as u64 * PAGES);
        let seen = overlap(&asked);
        assert!(seen <= bound && (bound == 1 || seen > 1), "{most:?}: {seen} at once");
    }
    Ok(())
}

#[tokio::test]
async fn who_waits_for_a_place_says_so_and_a_test_waits_too() -> anyhow::Result<()> {
    // Whoever comes first has no end.
    let script = Script::start(|_| Reply::never()).await?;
    let daemon = Daemon::start(Home::with(&[&file(&script, "feeds_at_once = 1\n")])?).await?;
    script.until_asked("", 1).await;
    let busy = script.asked("")[0].path.trim_start_matches('/').to_owned();
    for feed in FEEDS.iter().filter(|feed| **feed != busy) {
        let look = async |client: &marsad_tests::daemon::Client| {
            let reason = client.feed(&format!("agency/{feed}")).await?.reason;
            Ok(reason.filter(|reason| reason.contains("feeds_at_once")))
        };
        let said = daemon.until(&format!("{feed} says that it waits"), look).await?;
        assert!(said.starts_with("waiting: no more than 1 feeds"), "{said}");
    }
    let tried = daemon.cli(&["test", "agency/api"]).await?;
    assert!(tried.code != 0 && tried.out.contains("feeds_at_once"), "{tried:?}");
    assert_eq!(script.asked("").len(), 1, "nobody else asked");
    Ok(())
}

//! What is refused is seen, grouped, mended and replayed, or discarded: nothing of it is lost, and nothing that is masked
//! is shown on the way.

use std::{fs, path::PathBuf};

use marsad_shared::run::Outcome;
use marsad_tests::{
    build::programs,
    daemon::{Daemon, Home},
    partner::{PartnerFile, Reply, Script},
    screen::{ENTER, Screen},
};
use serde_json::Value;

use crate::waits;

const CHILD: &str = "784-0000-0000001-0";
const MOTHER: &str = "784-0000-0000002-8";
const FEED: &str = "office/children";
const FIELDS: &str = "eid = { type = \"emirates_id\", sensitive = true }, name = { type = \"text\", sensitive = true }, \
                      grade = \"integer\", area = { type = \"text\", required = true }";

/// A folder with one feed of files, whose fields are `fields`.
fn office(home: &Home, fields: &str) -> anyhow::Result<PathBuf> {
    let folder = home.join("in");
    fs::create_dir_all(&folder)?;
    let mut file = PartnerFile::new("office");
    file.connection("drop", &format!("import = \"{}\"\nsettle = \"1s\"\n", folder.display()));
    file.add(&format!(
        "\n[[feed]]\nid = \"children\"\nconnection = \"drop\"\nfiles = \"*.csv\"\nkey = [\"id\"]\n\
         fields = {{ id = \"text\", {fields} }}"
    ));
    home.partner(&file)?;
    Ok(folder)
}

fn values(item: &Value) -> Vec<String> {
    let said = |value: &Value| {
        let mark = if value["marked"] == true { ">" } else { "" };
        format!("{mark}{}={}", value["name"].as_str().unwrap_or("?"), value["value"])
    };
    item["original"]["values"].as_array().into_iter().flatten().map(said).collect()
}

#[tokio::test]
async fn an_item_is_shown_masked_and_revealed_once_it_is_in_the_audit() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = office(&home, FIELDS)?;
    let daemon = Daemon::start(home).await?;
    let rows = format!(
        "id,eid,name,grade,area,mother\n1,{CHILD},مريم,4,كلباء,{MOTHER}\n2,{CHILD},\"مريم, سارة\",fourth,كلباء,{MOTHER}\n\
         3,{CHILD},سارة,4\n"
    );
    fs::write(folder.join("c.csv"), &rows)?;
    waits::good_run(&daemon, FEED, 0).await?;

    let listed = daemon.json(&["quarantine"]).await?;
    let id = |at: usize| listed[at]["id"].as_str().unwrap_or_default().to_owned();
    let (ragged, graded) = (id(0), id(1));
    let item = daemon.json(&["quarantine", "show", &graded]).await?;
    assert_eq!(
        values(&item),
        [
            "id=\"2\"",
            "eid=\"•••010\"",
            "name=\"•••\"",
            ">grade=\"fourth\"",
            "area=\"كلباء\"",
            "mother=\"•••\""
        ],
        "what no field names is masked too: {item}"
    );
    assert_eq!(item["original"]["notation"], "csv");
    assert_eq!(item["original"]["text"], Value::Null);
    assert_eq!(item["replayable"], true);
    assert_eq!(item["place"]["line"], 3);
    assert!(item["fix"].as_str().unwrap_or_default().contains("`format`"), "{item}");
    assert!(item["first_at"].is_string(), "{item}");
    let item = daemon.json(&["quarantine", "show", &ragged]).await?;
    assert_eq!(item["original"]["values"], Value::Null, "cells that cannot be told apart");

    let text = daemon.cli(&["quarantine", "show", &graded]).await?.out;
    assert!(text.contains("> grade   fourth") && text.contains("marsad reveal"), "{text}");
    for shown in [text, daemon.cli(&["quarantine", "show", &ragged]).await?.out] {
        for secret in ["مريم", "سارة", "0000001", "0000002"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
    let offline = daemon.state_dir().display().to_string();
    let offline = daemon.cli(&["--offline", &offline, "quarantine", "show", &graded]).await?;
    assert!(offline.out.contains("•••010") && !offline.out.contains("مريم"), "{offline:?}");

    let shown = daemon.json(&["reveal", &graded, "--reason", "the school called"]).await?;
    let row = format!("2,{CHILD},\"مريم, سارة\",fourth,كلباء,{MOTHER}");
    assert_eq!(shown["original"]["text"], row.as_str());
    assert_eq!(values(&shown)[2], "name=\"مريم, سارة\"");
    let audit = daemon.json(&["audit"]).await?;
    let begun = audit.as_array().into_iter().flatten().find(|deed| deed["phase"] == "begun");
    let begun = begun.unwrap_or(&Value::Null);
    assert_eq!((&begun["action"], &begun["object"]), (&"reveal".into(), &graded.as_str().into()));
    assert_eq!(begun["reason"], "the school called");
    assert!(!audit.to_string().contains("مريم"), "no value is in the audit");
    assert!(!daemon.log().contains("مريم"), "nor in the log");

    fs::write(folder.join("d.csv"), format!("number\n{CHILD}\n"))?;
    waits::run(&daemon, FEED, 1, "held", |run| run.outcome == Outcome::Held).await?;
    let held = daemon.json(&["quarantine", "--kind", "file"]).await?[0]["id"].clone();
    let held = held.as_str().unwrap_or_default();
    let text = daemon.cli(&["quarantine", "show", held]).await?.out;
    assert!(text.contains("d.csv") && !text.contains("0000001"), "{text}");
    let shown = daemon.json(&["reveal", held, "--reason", "what is it"]).await?;
    assert_eq!(shown["original"]["text"], format!("number\n{CHILD}\n").as_str());
    Ok(())
}

/// Rows of a file, of which each third has a grade that is no number and each tenth too few cells.
fn visits(rows: u32) -> String {
    let row = |n: u32| match n {
        n if n % 10 == 0 => format!("{n},{CHILD}\n"),
        n if n % 3 == 0 => format!("{n},{CHILD},سارة,grade {n},كلباء\n"),
        n => format!("{n},{CHILD},سارة,4,كلباء\n"),
    };
    "id,eid,name,grade,area\n".to_owned() + &(1..=rows).map(row).collect::<String>()
}

#[tokio::test]
async fn what_is_alike_is_counted_listed_and_discarded_with_its_name_in_the_audit()
-> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = office(&home, FIELDS)?;
    let daemon = Daemon::start(home).await?;
    fs::write(folder.join("c.csv"), visits(900))?;
    let run = waits::good_run(&daemon, FEED, 0).await?;
    let (ragged, graded) = (90, 270);
    assert_eq!(run.counts.quarantined, ragged + graded);

    let groups = daemon.json(&["quarantine", "--by", "reason"]).await?;
    let counted: Vec<_> = groups.as_array().into_iter().flatten().map(|g| &g["count"]).collect();
    assert_eq!(counted, [graded, ragged], "{groups}");
    assert_eq!(groups[0]["field"], "grade");
    assert_eq!(
        groups[1]["reason"],
        "the row has 2 cells and the header 5; look for a missing or an unquoted delimiter"
    );
    let example = groups[0]["example"].as_str().unwrap_or_default().to_owned();
    let alike = daemon.json(&["quarantine", "--group", &example, "--limit", "0"]).await?;
    assert_eq!(alike.as_array().map(Vec::len), Some(usize::try_from(graded)?));

    let (first, second) =
        (alike[0]["id"].as_str().unwrap_or_default(), alike[1]["id"].as_str().unwrap_or_default());
    let discard = ["quarantine", "discard", first, "q99999"];
    let said = daemon.cli(&discard).await?;
    assert_eq!(said.code, 2, "why is not said: {said:?}");
    let said = daemon.cli(&[&discard[..], &["--reason", "sent twice"]].concat()).await?;
    assert_eq!(said.code, 2, "nobody can type the count: {said:?}");
    let said = daemon.cli(&[&discard[..], &["--dry-run"]].concat()).await?;
    assert!(said.out.starts_with("1 item of office/children would be discarded"), "{said:?}");
    assert_eq!(daemon.client.feed(FEED).await?.quarantine, ragged + graded, "and was not");
    let said = daemon.cli(&[&discard[..], &["--reason", "sent twice", "--yes"]].concat()).await?;
    assert_eq!(said.code, 1, "one is not there: {said:?}");
    assert!(
        said.out.contains("1 item of office/children discarded") && said.out.contains("q99999"),
        "{said:?}"
    );
    assert_eq!(daemon.cli(&["quarantine", "show", first]).await?.code, 1, "it is gone");

    let group =
        ["quarantine", "discard", "--group", second, "--reason", "the form was wrong", "--yes"];
    let reply = daemon.json(&group).await?;
    assert_eq!(
        (&reply["done"], &reply["discarded"]),
        (&true.into(), &(graded - 1).into()),
        "{reply}"
    );
    assert_eq!(daemon.client.feed(FEED).await?.quarantine, ragged);
    let groups = daemon.json(&["quarantine", "--by", "reason"]).await?;
    assert_eq!(groups.as_array().map(Vec::len), Some(1), "{groups}");

    let audit = daemon.json(&["audit", "--limit", "0"]).await?;
    let deeds = || audit.as_array().into_iter().flatten();
    let begun = deeds().find(|deed| deed["phase"] == "begun").unwrap_or(&Value::Null);
    assert!(
        begun["detail"].as_str().unwrap_or_default().starts_with("269 items alike to"),
        "{begun}"
    );
    assert_eq!(begun["object"], FEED);
    let lines: Vec<_> = deeds()
        .filter(|deed| deed["of"] == begun["seq"])
        .flat_map(|deed| deed["detail"].as_str().unwrap_or_default().split("; "))
        .filter(|line| line.contains(" blake3 "))
        .collect();
    assert_eq!(lines.len(), 269, "each with its place and its hash");
    assert!(
        lines.iter().any(|line| line.starts_with(&format!("{second} row of {FEED}: c.csv line "))),
        "{lines:?}"
    );
    assert!(!audit.to_string().contains("سارة"), "and not with what was in it");
    assert!(daemon.cli(&["audit", "verify"]).await?.out.contains("chain holds"));
    assert_eq!(waits::last(&daemon, FEED).await?, waits::number(&run), "no run came of it");
    Ok(())
}

/// What a bank's table says of some columns, in the order of its key.
fn bank(daemon: &Daemon, columns: &str) -> anyhow::Result<Vec<String>> {
    let db = marsad_tests::bank::open(&daemon.state_dir(), "cache.db")?;
    let sql = format!("SELECT {columns} FROM office__children ORDER BY id");
    let mut rows = db.prepare(&sql)?;
    let rows = rows.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stops the daemon, changes what its feed's fields are, and starts it again.
async fn mended(daemon: &mut Daemon, fields: &str) -> anyhow::Result<()> {
    daemon.sigterm().await?;
    office(&daemon.home, fields)?;
    daemon.go().await
}

#[tokio::test]
async fn what_was_refused_goes_into_the_bank_once_the_mapping_is_mended() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = office(&home, "area = { type = \"text\", required = true }, born = \"date\"")?;
    let mut daemon = Daemon::start(home).await?;
    // Ten of a thousand are wrong in two ways, and the last of them in both.
    let row = |n: u32| match n {
        100 | 200 | 300 => format!("{n},كلباء,24/11/2020\n"),
        400 | 450 | 500 | 550 | 600 | 650 => format!("{n},,2020-11-24\n"),
        700 => "700,,31/02/2020\n".to_owned(),
        n => format!("{n},كلباء,2020-11-24\n"),
    };
    let text = "id,area,born\n".to_owned() + &(1..=1_000).map(row).collect::<String>();
    fs::write(folder.join("c.csv"), &text)?;
    let first = waits::good_run(&daemon, FEED, 0).await?;
    assert_eq!((first.counts.inserted, first.counts.quarantined), (990, 10));
    let groups = daemon.json(&["quarantine", "--by", "reason"]).await?;
    let said: Vec<_> =
        groups.as_array().into_iter().flatten().map(|g| (&g["field"], &g["count"])).collect();
    assert_eq!(said, [(&"area".into(), &7.into()), (&"born".into(), &3.into())], "{groups}");
    let alike = groups[1]["example"].as_str().unwrap_or_default().to_owned();

    // Nothing is mended yet: all of them stay, and say the same.
    let said = daemon.cli(&["quarantine", "replay", "--group", &alike]).await?;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.out.starts_with("office/children: 0 of 3 items accepted, 3 refused again (r2)"),
        "{said:?}"
    );

    let fields = "area = \"text\", born = { type = \"date\", format = \"%d/%m/%Y\" }";
    mended(&mut daemon, fields).await?;
    let before = daemon.client.feed(FEED).await?;
    let tried = daemon.json(&["quarantine", "replay", "--feed", FEED, "--dry-run"]).await?;
    let would = &tried["feeds"][0];
    // Days that are written as the format was are refused by the one that it is now.
    assert_eq!((&would["accepted"], &would["refused"]), (&3.into(), &7.into()), "{tried}");
    assert_eq!(daemon.client.feed(FEED).await?, before, "a dry run changes nothing");
    let done =
        daemon.json(&["quarantine", "replay", "--group", &alike, "--reason", "days"]).await?;
    let told = &done["feeds"][0];
    assert_eq!((&told["received"], &told["accepted"]), (&3.into(), &3.into()), "{done}");

    mended(&mut daemon, "area = \"text\", born = \"date\"").await?;
    let said = daemon.cli(&["quarantine", "replay", "--feed", FEED, "--json"]).await?;
    assert_eq!(said.code, 1, "one stays: {said:?}");
    let told: Value = serde_json::from_str(&said.out)?;
    let told = &told["feeds"][0];
    assert_eq!(
        (&told["received"], &told["accepted"], &told["refused"]),
        (&7.into(), &6.into(), &1.into()),
        "{told}"
    );
    let id = told["runs"][0].as_str().unwrap_or_default();
    let run = daemon.json(&["runs", "show", id]).await?;
    assert_eq!((&run["trigger"], &run["outcome"]), (&"replay".into(), &"partial".into()), "{run}");
    assert_eq!(
        (&run["received"], &run["inserted"], &run["quarantined"]),
        (&7.into(), &6.into(), &1.into())
    );
    assert!(run["actor"].is_string(), "{run}");
    let left = daemon.client.quarantine(FEED).await?;
    let [left] = &left[..] else { panic!("{left:?}") };
    assert_eq!(
        (left.place.field.as_deref(), left.place.line),
        (Some("born"), Some(701)),
        "its new reason"
    );
    assert_eq!(left.run.to_string(), id);

    let feed = daemon.client.feed(FEED).await?;
    assert_eq!((feed.rows, feed.quarantine), (999, 1));
    assert_eq!(
        (feed.checked_at, feed.freshness, feed.last_run, feed.cursor),
        (before.checked_at, before.freshness, before.last_run, before.cursor),
        "nothing is fresher by it"
    );
    let ids = bank(&daemon, "id")?;
    assert_eq!(ids.len(), 999);
    assert_eq!(
        bank(&daemon, "count(*) || ' ' || count(DISTINCT id) || ' ' || min(born)")?,
        ["999 999 2020-11-24"]
    );

    let item = left.id.to_string();
    daemon.json(&["quarantine", "discard", &item, "--reason", "no such day", "--yes"]).await?;
    assert!(daemon.client.quarantine(FEED).await?.is_empty());
    assert!(daemon.cli(&["audit", "verify"]).await?.out.contains("chain holds"));
    let audit = daemon.json(&["audit", "--limit", "0"]).await?.to_string();
    assert!(audit.contains("6 of 7 items of office/children accepted, 1 refused"), "{audit}");
    Ok(())
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_replay_loses_no_row_and_doubles_none() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = office(&home, "born = { type = \"date\", format = \"%Y-%m-%d\" }")?;
    let mut daemon = Daemon::start(home).await?;
    let row =
        |n: u32| format!("{n},{}\n", if n.is_multiple_of(3) { "24/11/2020" } else { "2020-11-24" });
    fs::write(
        folder.join("c.csv"),
        "id,born\n".to_owned() + &(1..=9_000).map(row).collect::<String>(),
    )?;
    waits::good_run(&daemon, FEED, 0).await?;
    assert_eq!(daemon.client.feed(FEED).await?.quarantine, 3_000);
    mended(&mut daemon, "born = { type = \"date\", format = \"%d/%m/%Y\" }").await?;

    for _ in 0..3 {
        let last = waits::last(&daemon, FEED).await?;
        let replay = daemon.cli(&["quarantine", "replay", "--feed", FEED]);
        let kill = async {
            // Its run has a number: it is under way, or has just ended.
            waits::run(&daemon, FEED, last, "begun", |_| true).await?;
            daemon.signal(nix::sys::signal::Signal::SIGKILL)
        };
        let (_, killed) = tokio::join!(replay, kill);
        killed?;
        daemon.kill9().await?;
        daemon.go().await?;
        let (rows, held) = (bank(&daemon, "id")?.len(), daemon.client.feed(FEED).await?.quarantine);
        assert!(
            rows >= 6_000 && rows as u64 + held >= 9_000,
            "{rows} in the bank, {held} in quarantine"
        );
    }
    // What is left, if any: it is found to be there, or goes in.
    daemon.cli(&["quarantine", "replay", "--feed", FEED]).await?;
    let feed = daemon.client.feed(FEED).await?;
    assert_eq!((feed.rows, feed.quarantine), (9_000, 0));
    assert_eq!(bank(&daemon, "count(*) || ' ' || count(DISTINCT id)")?, ["9000 9000"]);
    for run in daemon.client.runs(FEED).await? {
        assert!(run.counts.balances(), "{run:?}");
    }
    assert!(daemon.cli(&["audit", "verify"]).await?.out.contains("chain holds"));
    Ok(())
}

#[tokio::test]
async fn a_replay_never_overwrites_what_came_later_unless_somebody_insists() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = office(&home, "grade = \"integer\", area = { type = \"text\", required = true }")?;
    let mut daemon = Daemon::start(home).await?;
    fs::write(folder.join("a.csv"), "id,grade,area\n1,4,كلباء\n2,5,\n3,6,\n")?;
    let run = waits::good_run(&daemon, FEED, 0).await?;
    fs::write(folder.join("b.csv"), "id,grade,area\n2,9,الشارقة\n")?;
    waits::good_run(&daemon, FEED, waits::number(&run)).await?;
    mended(&mut daemon, "grade = \"integer\", area = \"text\"").await?;

    let done = daemon.cli(&["quarantine", "replay", "--feed", FEED]).await?;
    assert_eq!(done.code, 1, "{done:?}");
    assert!(
        done.out.contains("1 of 2 items accepted")
            && done.out.contains("a newer one is in the bank"),
        "{done:?}"
    );
    assert_eq!(bank(&daemon, "id || ' ' || grade")?, ["1 4", "2 9", "3 6"]);
    let left = daemon.client.quarantine(FEED).await?;
    let item = left[0].id.to_string();
    assert!(left[0].reason.starts_with("a newer one is in the bank; discard it"), "{left:?}");
    let shown = daemon.json(&["quarantine", "show", &item]).await?;
    assert!(shown["fix"].as_str().unwrap_or_default().contains("discard"), "{shown}");
    daemon.json(&["quarantine", "replay", &item, "--force"]).await?;
    assert_eq!(bank(&daemon, "id || ' ' || grade")?, ["1 4", "2 5", "3 6"]);
    assert!(daemon.client.quarantine(FEED).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_held_file_is_read_again_from_its_original_and_leaves_held() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = office(&home, "grade = \"integer\"")?;
    let mut daemon = Daemon::start(home).await?;
    fs::write(folder.join("a.csv"), "id,grade\n1,4\n")?;
    let run = waits::good_run(&daemon, FEED, 0).await?;
    fs::write(folder.join("b.csv"), "id,الصف\n2,5\n3,x\n")?;
    let held = |run: &marsad_shared::protocol::RunRow| run.outcome == Outcome::Held;
    waits::run(&daemon, FEED, waits::number(&run), "held", held).await?;
    let item = daemon.client.quarantine(FEED).await?[0].id.to_string();
    let still = daemon.cli(&["quarantine", "replay", &item]).await?;
    assert!(still.code == 1 && still.out.contains("0 of 1 items accepted"), "{still:?}");
    assert!(folder.join("held/b.csv").exists() && folder.join("held/b.csv.reason.txt").exists());

    mended(&mut daemon, "grade = { type = \"integer\", from = [\"grade\", \"الصف\"] }").await?;
    let before = daemon.client.feed(FEED).await?;
    let tried = daemon.json(&["quarantine", "replay", &item, "--dry-run"]).await?;
    assert_eq!(tried["feeds"][0]["untried"], 1, "{tried}");
    let done = daemon.json(&["quarantine", "replay", &item]).await?;
    assert_eq!(done["feeds"][0]["accepted"], 1, "{done}");
    assert_eq!(bank(&daemon, "id || ' ' || grade")?, ["1 4", "2 5"]);
    let left = daemon.client.quarantine(FEED).await?;
    assert_eq!(left.len(), 1, "its bad row waits as any: {left:?}");
    assert_eq!(left[0].place.line, Some(3));
    assert!(folder.join("done/b.csv").exists() && !folder.join("held/b.csv").exists());
    assert!(!folder.join("held/b.csv.reason.txt").exists());
    let after = daemon.client.feed(FEED).await?;
    assert_eq!((after.checked_at, after.last_run), (before.checked_at, before.last_run));
    Ok(())
}

#[tokio::test]
async fn a_record_of_an_interface_is_replayed_without_a_request_and_without_a_step_of_the_cursor()
-> anyhow::Result<()> {
    let body = serde_json::json!({ "data": [
        { "id": "1", "grade": 4, "at": "2026-01-01T00:00:00Z" },
        { "id": "2", "grade": "fifth", "at": "2026-01-02T00:00:00Z" },
    ]});
    let script = Script::start(move |_| Reply::json(&body)).await?;
    let partner = |grade: &str| {
        let mut file = PartnerFile::new("office");
        file.connection("api", &format!("base_url = \"http://{}\"\n", script.address()));
        file.add(&format!(
            "\n[[feed]]\nid = \"children\"\nconnection = \"api\"\npath = \"/children\"\nrecords = \"$.data[*]\"\nkey = [\"id\"]\n\
             incremental = {{ field = \"at\", param = \"since\" }}\nschedule = {{ every = \"12h\" }}\n\
             fields = {{ id = \"text\", grade = {grade}, at = \"timestamp\" }}"
        ));
        file
    };
    let values = "{ type = \"enum\", values = [\"4\"] }";
    let home = Home::with(&[&partner(values)])?;
    let mut daemon = Daemon::start(home).await?;
    waits::good_run(&daemon, FEED, 0).await?;
    let before = daemon.client.feed(FEED).await?;
    assert_eq!((before.rows, before.quarantine), (1, 1));
    daemon.sigterm().await?;
    daemon.home.partner(&partner("{ type = \"enum\", values = [\"4\", \"fifth\"] }"))?;
    daemon.go().await?;

    let asked = script.asked("/children").len();
    let done = daemon.json(&["quarantine", "replay", "--feed", FEED]).await?;
    assert_eq!(done["feeds"][0]["accepted"], 1, "{done}");
    let after = daemon.client.feed(FEED).await?;
    assert_eq!((after.rows, after.quarantine), (2, 0));
    assert_eq!(
        (&after.cursor, after.event_at),
        (&before.cursor, before.event_at),
        "it goes nowhere"
    );
    assert_eq!(script.asked("/children").len(), asked, "and nobody is asked");
    assert_eq!(bank(&daemon, "id || ' ' || grade")?, ["1 4", "2 fifth"]);
    Ok(())
}

#[tokio::test]
async fn a_file_that_two_feeds_wait_for_leaves_held_with_the_last_of_them() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = home.join("in");
    fs::create_dir_all(&folder)?;
    let partner = |from: &str| {
        let mut file = PartnerFile::new("office");
        file.connection("drop", &format!("import = \"{}\"\nsettle = \"1s\"\n", folder.display()));
        for (feed, column, files) in [("children", "grade", "*.csv"), ("schools", "area", "a*.csv")]
        {
            file.add(&format!(
                "\n[[feed]]\nid = \"{feed}\"\nconnection = \"drop\"\nfiles = \"{files}\"\nkey = [\"id\"]\n\
                 fields = {{ id = {{ type = \"text\", from = {from} }}, {column} = \"text\" }}"
            ));
        }
        file
    };
    home.partner(&partner("[\"id\"]"))?;
    let mut daemon = Daemon::start(home).await?;
    fs::write(folder.join("a.csv"), "no,grade,area\n1,4,كلباء\n")?;
    for feed in [FEED, "office/schools"] {
        waits::run(&daemon, feed, 0, "held", |run| run.outcome == Outcome::Held).await?;
    }
    daemon.sigterm().await?;
    daemon.home.partner(&partner("[\"id\", \"no\"]"))?;
    daemon.go().await?;
    daemon.json(&["quarantine", "replay", "--feed", FEED]).await?;
    assert!(folder.join("held/a.csv").exists(), "the other feed waits for it still");
    daemon.json(&["quarantine", "replay", "--feed", "office/schools"]).await?;
    assert!(folder.join("done/a.csv").exists() && !folder.join("held/a.csv").exists());
    assert_eq!(daemon.client.feed("office/schools").await?.rows, 1);
    Ok(())
}

#[tokio::test]
async fn on_a_terminal_items_are_marked_replayed_and_discarded() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = office(&home, "grade = \"integer\", area = { type = \"text\", required = true }")?;
    let mut daemon = Daemon::start(home).await?;
    fs::write(folder.join("a.csv"), "id,grade,area\n1,4,\n2,5,\n3,6,\n4,7,كلباء\n")?;
    waits::good_run(&daemon, FEED, 0).await?;
    mended(&mut daemon, "grade = \"integer\", area = \"text\"").await?;
    let config = daemon.home.config();
    let config = config.to_string_lossy();
    let mut screen = Screen::open(&programs()?.marsad, &["--config", &config], (80, 24))?;
    screen.until("the overview", |text| text.contains("LIVE")).await?;
    screen.keys("5")?;
    screen.until_text("5 Quarantine (1)").await?;
    screen.keys(ENTER)?;
    screen.until_text("[Quarantine 3]").await?;
    screen.keys(" ")?;
    screen.until_text("1 marked").await?;
    screen.keys(" ")?;
    screen.until_text("2 marked").await?;

    screen.keys("a")?;
    screen.until_text("Replay").await?;
    for _ in 0..3 {
        let before = screen.text();
        screen.keys("j")?;
        screen.until("the next line", |text| text != before).await?;
    }
    screen.keys(ENTER)?;
    screen.until_text("2 would be accepted").await?;
    screen.keys("y")?;
    screen.until_text("2 of 2 accepted, 0 refused again").await?;
    assert_eq!(daemon.client.feed(FEED).await?.rows, 3);

    screen.until_text("[Quarantine 1]").await?;
    screen.keys("a")?;
    screen.until_text("Discard").await?;
    for _ in 0..4 {
        let before = screen.text();
        screen.keys("j")?;
        screen.until("the next line", |text| text != before).await?;
    }
    screen.keys(ENTER)?;
    screen.until_text("1 item is lost for good").await?;
    for letters in ["twice", "\t", "office/children 1"] {
        for letter in letters.chars() {
            let before = screen.text();
            screen.keys(&letter.to_string())?;
            // Letter by letter: what comes faster is taken for pasted text, and confirms nothing.
            screen.until("the letter", |text| text != before).await?;
        }
    }
    screen.until_text("1 item discarded").await?;
    assert!(daemon.client.quarantine(FEED).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_file_that_lacks_a_column_is_replayed_once_its_going_is_approved() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = office(&home, "grade = \"integer\", area = \"text\"")?;
    let daemon = Daemon::start(home).await?;
    fs::write(folder.join("a.csv"), "id,grade,area\n1,4,كلباء\n")?;
    let run = waits::good_run(&daemon, FEED, 0).await?;
    fs::write(folder.join("b.csv"), "id,grade\n2,5\n")?;
    let held = |run: &marsad_shared::protocol::RunRow| run.outcome == Outcome::Held;
    waits::run(&daemon, FEED, waits::number(&run), "held", held).await?;
    let item = daemon.client.quarantine(FEED).await?[0].id.to_string();
    let shown = daemon.json(&["quarantine", "show", &item]).await?;
    let fix = shown["fix"].as_str().unwrap_or_default();
    assert!(fix.contains(&format!("marsad schema show {FEED}")), "{shown}");
    assert_eq!(daemon.cli(&["quarantine", "replay", &item]).await?.code, 1, "nothing is decided");
    daemon.json(&["schema", "approve", FEED, "--reason", "agreed by letter"]).await?;
    let done = daemon.json(&["quarantine", "replay", &item]).await?;
    assert_eq!(done["feeds"][0]["accepted"], 1, "{done}");
    assert_eq!(
        bank(&daemon, "id || ' ' || grade || ' ' || coalesce(area, '-')")?,
        ["1 4 كلباء", "2 5 -"]
    );
    assert!(folder.join("done/b.csv").exists());
    Ok(())
}

#[tokio::test]
async fn a_held_file_is_revealed_as_the_text_that_it_is_or_said_to_be_none() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = home.join("in");
    fs::create_dir_all(&folder)?;
    let mut file = PartnerFile::new("office");
    file.connection("drop", &format!("import = \"{}\"\nsettle = \"1s\"\n", folder.display()));
    file.add(
        "\n[[feed]]\nid = \"children\"\nconnection = \"drop\"\nfiles = \"*.csv\"\nkey = [\"id\"]\n\
         encoding = \"windows-1256\"\nfields = { id = \"text\", area = \"text\" }",
    );
    home.partner(&file)?;
    let daemon = Daemon::start(home).await?;
    // "id,كلباء" in that encoding; and what no encoding makes text of.
    let arabic = [&b"id,\xdf\xe1\xc8\xc7\xc1"[..], b"\n1,2\n"].concat();
    for (name, bytes, expected) in
        [("a.csv", arabic, Some("id,كلباء\n1,2\n")), ("b.csv", vec![0, 159, 146, 150, 0, 10], None)]
    {
        let last = waits::last(&daemon, FEED).await?;
        fs::write(folder.join(name), bytes)?;
        waits::run(&daemon, FEED, last, "held", |run| run.outcome == Outcome::Held).await?;
        let item = daemon.json(&["quarantine"]).await?[0]["id"].clone();
        let item = item.as_str().unwrap_or_default();
        let shown = daemon.json(&["reveal", item, "--reason", "what is it"]).await?;
        assert_eq!(shown["original"]["text"].as_str(), expected, "{name}: {shown}");
        let binary = shown["original"]["notation"] == "binary";
        assert_eq!(binary, expected.is_none(), "{name}: {shown}");
    }
    Ok(())
}

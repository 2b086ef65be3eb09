//! What is refused is seen, grouped, mended and replayed, or discarded: nothing of it is lost, and nothing that is masked
//! is shown on the way.

use std::{fs, path::PathBuf};

use marsad_shared::run::Outcome;
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::PartnerFile,
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
    let held = daemon.json(&["quarantine", "--state", "file"]).await?[0]["id"].clone();
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
        .flat_map(|deed| deed["detail"].as_str().unwrap_or_default().lines())
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

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

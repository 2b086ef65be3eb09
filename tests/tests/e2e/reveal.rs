//! What is about a person is masked wherever it is shown, and unmasked by an act that says who, what and why.

use std::fs;

use marsad_tests::{
    daemon::{Daemon, Home},
    partner::PartnerFile,
};

use crate::waits;

const CHILD: &str = "784-0000-0000001-0";

#[tokio::test]
async fn what_is_masked_is_shown_once_it_is_in_the_audit() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = home.join("in");
    fs::create_dir(&folder)?;
    let mut file = PartnerFile::new("office");
    file.connection("drop", &format!("import = \"{}\"\nsettle = \"1s\"\n", folder.display()));
    file.add(
        "\n[[feed]]\nid = \"children\"\nconnection = \"drop\"\nfiles = \"*.csv\"\nkey = [\"eid\"]\n\
         fields = { eid = { type = \"emirates_id\", sensitive = true }, name = { type = \"text\", sensitive = true }, area = \"text\" }",
    );
    home.partner(&file)?;
    let daemon = Daemon::start(home).await?;
    fs::write(folder.join("c.csv"), format!("eid,name,area\n{CHILD},مريم,كلباء\n"))?;
    waits::good_run(&daemon, "office/children", 0).await?;
    let listed = daemon.json(&["records", "office/children"]).await?;
    let record = &listed[0];
    assert_eq!(record["fields"]["eid"], "•••010", "{record}");
    assert_eq!(record["fields"]["name"], "•••");
    assert_eq!(record["key"][0], "•••010", "a key is masked as its column is");
    let place = record["place"].as_str().unwrap_or_default().to_owned();

    let nameless = daemon.cli(&["reveal", "office/children", &place]).await?;
    assert_eq!(nameless.code, 2, "why is not said: {nameless:?}");
    let strange = ["reveal", "office/children", &place, "--field", "phone", "--reason", "x"];
    let strange = daemon.cli(&strange).await?;
    assert_eq!(strange.code, 1, "{strange:?}");
    assert!(strange.err.contains("no column \"phone\""), "{strange:?}");
    let one = [
        "reveal",
        "office/children",
        &place,
        "--field",
        "name",
        "--reason",
        "a call from the court",
    ];
    let shown = daemon.json(&one).await?;
    assert_eq!(shown["fields"]["name"], "مريم", "{shown}");
    assert_eq!(shown["fields"]["eid"], "•••010", "and nothing else");
    let all = ["reveal", "office/children", &place, "--reason", "the record is wrong"];
    let shown = daemon.json(&all).await?;
    assert_eq!(shown["fields"]["eid"], "784000000000010", "{shown}");

    let audit = daemon.json(&["audit"]).await?;
    let deeds: Vec<String> = audit
        .as_array()
        .into_iter()
        .flatten()
        .filter(|deed| deed["action"] == "reveal" && deed["phase"] == "begun")
        .map(|deed| format!("{} {} {}", deed["object"], deed["detail"], deed["reason"]))
        .collect();
    let object = format!("office/children {place}");
    assert_eq!(
        deeds,
        [
            format!("\"{object}\" \"all columns\" \"the record is wrong\""),
            format!("\"{object}\" \"name\" \"a call from the court\""),
            format!("\"{object}\" \"phone\" \"x\""),
        ]
    );
    let said = serde_json::to_string(&audit)?;
    assert!(
        !said.contains("مريم") && !said.contains("784000000000010"),
        "no value is in the audit"
    );
    assert!(!daemon.log().contains("مريم"), "nor in the log");
    Ok(())
}

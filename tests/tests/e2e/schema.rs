//! A partner whose columns change: what is new is noted, what is gone or of another type holds the feed until a person has
//! decided, and other feeds go on.

use std::fs;

use marsad_shared::run::Outcome;
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{Cell, PartnerFile, Reply, Script},
};
use serde_json::{Value, json};

use crate::waits;

/// A daemon with an import folder and feeds of it.
async fn office(feeds: &[(&str, &str)]) -> anyhow::Result<(Daemon, std::path::PathBuf)> {
    office_keyed(feeds, "no").await
}

/// The same, with that column as the key of each.
async fn office_keyed(
    feeds: &[(&str, &str)],
    key: &str,
) -> anyhow::Result<(Daemon, std::path::PathBuf)> {
    let home = Home::new()?;
    let folder = home.join("in");
    fs::create_dir(&folder)?;
    let mut file = PartnerFile::new("office");
    file.connection("drop", &format!("import = \"{}\"\nsettle = \"1s\"\n", folder.display()));
    for (id, keys) in feeds {
        file.add(&format!(
            "\n[[feed]]\nid = \"{id}\"\nconnection = \"drop\"\nfiles = \"{id}-*.csv\"\nkey = [\"{key}\"]\n{keys}"
        ));
    }
    home.partner(&file)?;
    Ok((Daemon::start(home).await?, folder))
}

/// What is decided of what came otherwise: `field change decision`.
fn drift(schema: &Value) -> Vec<String> {
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let words = |row: &Value| ["field", "change", "decision"].map(|key| word(row, key)).join(" ");
    schema["drift"].as_array().map(|rows| rows.iter().map(words).collect()).unwrap_or_default()
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

#[tokio::test]
async fn a_renamed_column_holds_the_feed_until_both_are_approved() -> anyhow::Result<()> {
    let (daemon, folder) = office(&[("cases", ""), ("visits", "")]).await?;
    let drop = |name: &str, content: &str| fs::write(folder.join(name), content);
    drop("cases-1.csv", "no,kind\n1,a\n")?;
    waits::good_run(&daemon, "office/cases", 0).await?;

    drop("cases-2.csv", "no,sort\n2,b\n")?;
    drop("visits-1.csv", "no,at\n1,x\n")?;
    waits::good_run(&daemon, "office/visits", 0).await?;
    let held = |run: &marsad_shared::protocol::RunRow| run.outcome == Outcome::Held;
    let run = waits::run(&daemon, "office/cases", 0, "held", held).await?;
    let reason = run.reason.unwrap_or_default();
    assert!(reason.contains("the header lacks \"kind\""), "{reason}");
    assert!(reason.contains("decide it: marsad schema show FEED"), "{reason}");
    let schema = daemon.json(&["schema", "show", "office/cases"]).await?;
    assert_eq!(drift(&schema), ["kind gone open", "sort new open"], "{schema}");
    assert_eq!((&schema["frozen"], &schema["columns"][0]["key"]), (&json!(true), &json!(true)));

    let feed = daemon.json(&["feeds", "show", "office/cases"]).await?;
    assert_eq!(feed["drift"], json!(["kind gone", "sort new"]), "what holds it stands first");

    let key = daemon.cli(&["schema", "approve", "office/cases", "no"]).await?;
    assert_eq!((key.code, key.err.contains("\"no\" never came otherwise")), (1, true), "{key:?}");
    let approve = ["schema", "approve", "office/cases", "--reason", "agreed by letter"];
    let reply = daemon.json(&approve).await?;
    assert_eq!(reply["added"], json!(["sort"]), "{reply}");
    let again = daemon.cli(&["schema", "approve", "office/cases"]).await?;
    assert_eq!((again.code, again.err.contains("nothing is open")), (1, true), "{again:?}");

    drop("cases-3.csv", "no,sort\n2,b\n3,c\n")?;
    let run =
        waits::good_run(&daemon, "office/cases", waits::number(&run_of(&daemon).await?)).await?;
    assert_eq!((run.counts.inserted, run.reason), (2, None));
    let rows = bank::rows(&daemon.state_dir(), "office/cases", &["no", "kind", "sort"])?;
    assert_eq!(
        rows,
        [
            vec![text("1"), text("a"), Cell::Null],
            vec![text("2"), Cell::Null, text("b")],
            vec![text("3"), Cell::Null, text("c")]
        ]
    );
    let schema = daemon.json(&["schema", "show", "office/cases"]).await?;
    assert_eq!(drift(&schema), ["kind gone approved", "sort new approved"]);
    assert_eq!(schema["columns"][2]["name"], "sort", "{schema}");
    assert_eq!(schema["drift"][0]["reason"], "agreed by letter");
    let audit = daemon.json(&["audit"]).await?;
    let deeds: Vec<_> = audit.as_array().into_iter().flatten().collect();
    let done = |deed: &&&Value| deed["action"] == "decide_schema" && deed["phase"] == "done";
    assert_eq!(deeds.iter().filter(done).count(), 1, "{audit}");
    Ok(())
}

/// The last run of the cases.
async fn run_of(daemon: &Daemon) -> anyhow::Result<marsad_shared::protocol::RunRow> {
    let runs = daemon.client.runs("office/cases").await?;
    runs.into_iter().next_back().ok_or_else(|| anyhow::anyhow!("no run yet"))
}

#[tokio::test]
async fn what_is_new_is_noted_once_and_a_decision_of_a_declared_feed_says_what_to_write()
-> anyhow::Result<()> {
    let fields = "fields = { no = \"text\", kind = \"text\" }\n";
    let (daemon, folder) = office(&[("cases", fields)]).await?;
    let mut last = 0;
    let mut reasons = Vec::new();
    // What stood there from the first is known, what came later is new, and told once.
    for (n, header) in
        ["no,kind,x", "no,kind,x,tel", "no,kind,x,tel", "no,x,tel"].iter().enumerate()
    {
        let row = format!("{n}{}", ",1".repeat(header.matches(',').count()));
        fs::write(folder.join(format!("cases-{n}.csv")), format!("{header}\n{row}\n"))?;
        let ended = |run: &marsad_shared::protocol::RunRow| run.outcome != Outcome::Running;
        let run = waits::run(&daemon, "office/cases", last, "ended", ended).await?;
        last = waits::number(&run);
        reasons.push(run.reason.unwrap_or_default());
    }
    assert_eq!((reasons[0].as_str(), reasons[2].as_str()), ("", ""));
    assert_eq!(
        reasons[1],
        "1 new column, passed over until decided (marsad schema show FEED): tel"
    );
    assert!(reasons[3].contains("the header lacks \"kind\""), "{reasons:?}");
    let schema = daemon.json(&["schema", "show", "office/cases"]).await?;
    assert_eq!(drift(&schema), ["kind gone open", "tel new open", "x new known"], "{schema}");

    let reply = daemon.json(&["schema", "approve", "office/cases", "tel"]).await?;
    assert_eq!((&reply["added"], &reply["declare"]), (&json!([]), &json!(["tel = \"text\""])));
    daemon.json(&["schema", "refuse", "office/cases", "kind"]).await?;
    // The partner brings it back: nobody has to decide any more, and the feed is read.
    fs::write(folder.join("cases-9.csv"), "no,kind,x,tel\n9,1,1,1\n")?;
    let run = waits::good_run(&daemon, "office/cases", last).await?;
    assert_eq!(run.reason, None);
    Ok(())
}

#[tokio::test]
async fn a_column_of_another_type_or_a_key_that_is_gone_holds_a_feed_over_http()
-> anyhow::Result<()> {
    let page = |record: fn(usize) -> Value| json!((0..30).map(record).collect::<Vec<_>>());
    let good = page(|n| json!({ "no": n, "count": n }));
    let retyped = page(|n| json!({ "no": n, "count": format!("about {n}"), "tel": "x" }));
    let keyless = page(|n| json!({ "number": n, "count": n }));
    let body = std::sync::Arc::new(std::sync::Mutex::new(good.clone()));
    let answers = std::sync::Arc::clone(&body);
    let script = Script::start(move |_| {
        let body = answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Reply::json(&body)
    })
    .await?;
    let set = |page: &Value| {
        *body.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = page.clone();
    };
    let home = Home::new()?;
    let mut file = PartnerFile::new("courts");
    file.connection("api", &format!("base_url = \"http://{}\"\n", script.address()));
    file.add("\n[[feed]]\nid = \"cases\"\nconnection = \"api\"\npath = \"/cases\"\nkey = [\"no\"]\nschedule = { every = \"1s\" }\n");
    home.partner(&file)?;
    let daemon = Daemon::start(home).await?;
    let mut last = waits::number(&waits::good_run(&daemon, "courts/cases", 0).await?);

    let held = |run: &marsad_shared::protocol::RunRow| run.outcome == Outcome::Held;
    for (page, field, expected) in [
        (&retyped, "field \"count\" is not of its type in 30 of 30 rows", "count retyped open"),
        (&keyless, "field \"no\", of the key, stands in none of 30 rows", "no gone open"),
    ] {
        set(page);
        let run = waits::run(&daemon, "courts/cases", last, "held", held).await?;
        let reason = run.reason.unwrap_or_default();
        assert!(reason.contains(field), "{reason}");
        // No row is taken without its key, whatever anybody decides.
        let decides = reason.contains("decide it: marsad schema show FEED");
        assert_eq!(decides, !reason.contains("have the partner bring it back"), "{reason}");
        assert_eq!(decides, !expected.contains("gone"), "{reason}");
        assert_eq!(run.counts.quarantined, 0, "nothing of such a page is kept");
        let schema = daemon.json(&["schema", "show", "courts/cases"]).await?;
        assert!(drift(&schema).contains(&expected.to_owned()), "{schema}");
        // Back as it was: it passes by itself.
        set(&good);
        last = waits::number(
            &waits::run(&daemon, "courts/cases", last, "good", |run| run.outcome.is_good()).await?,
        );
        let passed = expected.replace("open", "passed");
        daemon
            .until("it has passed", async |_| {
                let schema = daemon.json(&["schema", "show", "courts/cases"]).await?;
                Ok(drift(&schema).contains(&passed).then_some(()))
            })
            .await?;
    }
    // Approved, rows of another type are refused one by one; what was new beside them is a column.
    set(&retyped);
    waits::run(&daemon, "courts/cases", last, "held", held).await?;
    daemon.json(&["schema", "approve", "courts/cases", "count", "tel"]).await?;
    set(&page(|n| {
        if n < 20 {
            json!({ "no": n, "count": "x" })
        } else {
            json!({ "no": n, "count": n, "tel": "y" })
        }
    }));
    let partial = |run: &marsad_shared::protocol::RunRow| run.outcome == Outcome::Partial;
    let run = waits::run(&daemon, "courts/cases", last, "partial", partial).await?;
    assert_eq!(run.counts.quarantined, 20, "{run:?}");
    let tels = bank::rows(&daemon.state_dir(), "courts/cases", &["tel"])?;
    assert_eq!(tels.iter().filter(|row| row[0] == text("y")).count(), 10);
    Ok(())
}

#[tokio::test]
async fn a_large_file_with_a_column_of_another_type_is_held_for_that_and_not_for_its_size()
-> anyhow::Result<()> {
    let fields = "fields = { no = \"integer\", count = \"integer\" }\n";
    let (daemon, folder) = office(&[("cases", fields)]).await?;
    let rows: Vec<_> = (0..25_000).map(|n| format!("{n},about {n}\n")).collect();
    fs::write(folder.join("cases-1.csv"), format!("no,count\n{}", rows.concat()))?;
    let held = |run: &marsad_shared::protocol::RunRow| run.outcome == Outcome::Held;
    let run = waits::run(&daemon, "office/cases", 0, "held", held).await?;
    let reason = run.reason.unwrap_or_default();
    assert!(reason.contains("field \"count\" is not of its type in"), "{reason}");
    let schema = daemon.json(&["schema", "show", "office/cases"]).await?;
    assert_eq!(drift(&schema), ["count retyped open"], "{schema}");
    Ok(())
}

#[tokio::test]
async fn a_new_version_of_a_structure_is_told_once_and_shown() -> anyhow::Result<()> {
    let keys = "format = \"sdmx\"\nfields = { AREA = \"text\", OBS_VALUE = \"decimal\" }\n";
    let (daemon, folder) = office_keyed(&[("births", keys)], "AREA").await?;
    let drop = |n: u8, version: &str, value: u8| {
        let text = format!("DATAFLOW,AREA,OBS_VALUE\nSHJ:BIRTHS({version}),KHF,{value}\n");
        fs::write(folder.join(format!("births-{n}.csv")), text)
    };
    let (mut last, mut said) = (0, Vec::new());
    for (n, version) in [(1, "1.0"), (2, "1.0"), (3, "1.1"), (4, "1.1")] {
        drop(n, version, n)?;
        let run = waits::good_run(&daemon, "office/births", last).await?;
        last = waits::number(&run);
        said.push(run.reason.unwrap_or_default());
    }
    assert_eq!((said[0].as_str(), said[1].as_str(), said[3].as_str()), ("", "", ""), "{said:?}");
    assert!(said[2].contains("its structure is SHJ:BIRTHS(1.1) now"), "{said:?}");
    let schema = daemon.json(&["schema", "show", "office/births"]).await?;
    let expected = ["SHJ:BIRTHS(1.1) structure open", "SHJ:BIRTHS(1.0) structure known"];
    assert_eq!(drift(&schema), expected, "{schema}");
    daemon.json(&["schema", "approve", "office/births", "--reason", "announced in March"]).await?;
    let schema = daemon.json(&["schema", "show", "office/births"]).await?;
    assert!(drift(&schema).contains(&"SHJ:BIRTHS(1.1) structure approved".to_owned()), "{schema}");
    Ok(())
}

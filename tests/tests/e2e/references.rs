//! A field that refers to another feed: rows that name nobody there are refused, and nothing is while nobody can tell.

use std::fs;

use marsad_shared::run::Outcome;
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{Cell, PartnerFile, Reply, Script},
};

use crate::waits;

#[tokio::test]
async fn a_row_that_refers_to_nobody_is_refused_and_says_so() -> anyhow::Result<()> {
    let body = r#"[{"no":"c1","family":"f1"},{"no":"c2","family":"f-strange"},{"no":"c3"}]"#;
    let script = Script::start(move |_| Reply::text("application/json", body)).await?;
    let home = Home::new()?;
    let folder = home.join("in");
    fs::create_dir(&folder)?;
    let mut social = PartnerFile::new("social");
    social.connection("drop", &format!("import = \"{}\"\nsettle = \"1s\"\n", folder.display()));
    let feed = "\n[[feed]]\nid = \"families\"\nconnection = \"drop\"\nfiles = \"families-*.csv\"\nkey = [\"id\"]\n";
    social.add(feed);
    social.add(
        "\n[[feed]]\nid = \"visits\"\nconnection = \"drop\"\nfiles = \"visits-*.csv\"\nkey = [\"no\"]\n\
         fields = { no = \"text\", family = { type = \"text\", references = \"families.id\" } }\n",
    );
    let mut courts = PartnerFile::new("courts");
    courts.connection("api", &format!("base_url = \"http://{}\"\n", script.address()));
    courts.add(
        "\n[[feed]]\nid = \"cases\"\nconnection = \"api\"\npath = \"/cases\"\nkey = [\"no\"]\nschedule = { every = \"1s\" }\n\
         fields = { no = \"text\", family = { type = \"text\", references = \"social/families\" } }\n",
    );
    home.partner(&social)?;
    home.partner(&courts)?;
    let daemon = Daemon::start(home).await?;

    let (run, reason) = waits::failed_run(&daemon, "courts/cases", 0).await?;
    assert_eq!(run.counts.quarantined, 0, "nobody is refused while nobody can tell");
    let unready = "field \"family\" refers to \"id\" of social/families, which has no record yet, so that every row would be refused; read social/families first";
    assert_eq!(reason, unready);
    fs::write(folder.join("visits-1.csv"), "no,family\nv1,f1\n")?;
    let held = waits::run(&daemon, "social/visits", 0, "held", |run| run.outcome == Outcome::Held);
    assert_eq!(held.await?.reason.as_deref(), Some(unready));

    fs::write(folder.join("families-1.csv"), "id,name\nf1,x\nf2,y\n")?;
    waits::good_run(&daemon, "social/families", 0).await?;
    let partial = |run: &marsad_shared::protocol::RunRow| run.outcome == Outcome::Partial;
    let run = waits::run(&daemon, "courts/cases", 0, "partial", partial).await?;
    assert_eq!((run.counts.received, run.counts.quarantined), (3, 1), "{run:?}");
    let rows = bank::rows(&daemon.state_dir(), "courts/cases", &["no", "family"])?;
    let text = |text: &str| Cell::Text(text.to_owned());
    assert_eq!(rows, [vec![text("c1"), text("f1")], vec![text("c3"), Cell::Null]]);

    fs::write(folder.join("visits-2.csv"), "no,family\nv1,f1\nv2,f-strange\nv3,f2\n")?;
    let run = waits::run(&daemon, "social/visits", 0, "partial", partial).await?;
    assert_eq!((run.counts.inserted, run.counts.quarantined), (2, 1), "{run:?}");
    let listed = daemon.json(&["quarantine", "--feed", "social/visits"]).await?;
    let item = &listed[0];
    assert_eq!(
        item["reason"],
        "field \"family\" refers to \"id\" of social/families, and no living record there has it; have the partner mend it, or bring that record first"
    );
    assert_eq!(
        (&item["place"]["line"], &item["place"]["field"]),
        (&3.into(), &"family".into()),
        "{item}"
    );
    Ok(())
}

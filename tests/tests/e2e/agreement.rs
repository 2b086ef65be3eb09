//! What a partner's agreement does not cover is in no table, no layout and no reason; that something came is said.

use std::fs;

use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::PartnerFile,
};

use crate::waits;

/// What nobody agreed on.
const UNAGREED: &str = "Al-Qassimi-Hospital";

#[tokio::test]
async fn what_is_not_covered_is_dropped_before_anything_is_stored() -> anyhow::Result<()> {
    let home = Home::new()?;
    let folder = home.join("in");
    fs::create_dir(&folder)?;
    let mut file = PartnerFile::new("office");
    file.add(
        "agreement = { reference = \"M-1\", fields = [\"id\", \"visits.kind\", \"homes.area\", \"all.*\"] }\n",
    );
    file.connection("drop", &format!("import = \"{}\"\nsettle = \"1s\"\n", folder.display()));
    let feed = |id: &str, files: &str, keys: &str| {
        format!(
            "\n[[feed]]\nid = \"{id}\"\nconnection = \"drop\"\nfiles = \"{files}\"\nkey = [\"id\"]\n{keys}"
        )
    };
    let fields = "fields = { id = \"text\", kind = \"text\", clinic = \"text\" }\n";
    file.add(&feed("visits", "visits-*.csv", fields));
    file.add(&feed("homes", "homes-*.json", ""));
    file.add(&feed("all", "all-*.csv", ""));
    home.partner(&file)?;
    let daemon = Daemon::start(home).await?;

    fs::write(
        folder.join("visits-1.csv"),
        format!("id,kind,clinic,x\nv1,a,{UNAGREED},1\nv2,b,,2\n"),
    )?;
    let run = waits::good_run(&daemon, "office/visits", 0).await?;
    let reason = run.reason.unwrap_or_default();
    assert_eq!(reason, "2 fields outside the agreement were dropped with 3 values: clinic, x");
    for n in 1..=2 {
        let text = format!(r#"[{{"id":"h{n}","area":"Kalba","clinic":"{UNAGREED}"}}]"#);
        fs::write(folder.join(format!("homes-{n}.json")), text)?;
        let last = waits::last(&daemon, "office/homes").await?;
        let run = waits::good_run(&daemon, "office/homes", last).await?;
        let reason = run.reason.unwrap_or_default();
        assert_eq!(reason, "1 field outside the agreement was dropped with 1 value: clinic");
    }
    fs::write(folder.join("all-1.csv"), "id,clinic\nx,open to all\n")?;
    let run = waits::good_run(&daemon, "office/all", 0).await?;
    assert_eq!(run.reason, None, "all of it is covered");

    let state = daemon.state_dir();
    for (feed, expected) in [("visits", "id kind"), ("homes", "id area"), ("all", "id clinic")] {
        let columns = columns(&state, feed)?;
        assert_eq!(columns.join(" "), expected, "{feed}");
    }
    let partner = daemon.json(&["partners", "show", "office"]).await?;
    assert_eq!(partner["agreement"]["fields"][1], "visits.kind", "{partner}");
    for name in ["cache.db", "cache.db-wal", "ledger.db", "ledger.db-wal"] {
        let bytes = fs::read(state.join(name)).unwrap_or_default();
        let there = bytes.windows(UNAGREED.len()).any(|part| part == UNAGREED.as_bytes());
        assert!(!there, "{name} holds what nobody agreed on");
    }
    Ok(())
}

/// The columns of a feed's table that are the partner's.
fn columns(state: &std::path::Path, feed: &str) -> anyhow::Result<Vec<String>> {
    let db = bank::open(state, "cache.db")?;
    let sql = "SELECT name FROM pragma_table_info(?) WHERE name NOT LIKE '\\_%' ESCAPE '\\'";
    let mut statement = db.prepare(sql)?;
    let names = statement.query_map([format!("office__{feed}")], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

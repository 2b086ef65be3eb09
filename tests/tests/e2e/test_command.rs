//! `marsad test CONNECTION`: each step by name, the one that failed with what to do, and no value of anybody's.

use marsad_shared::protocol::AuditRow;
use marsad_tests::{
    daemon::{Daemon, Home, Said},
    partner::{
        Api, Fault, Paging, PartnerFile, Reply, Script,
        api::Plan,
        data::VISITS,
        tls::{Authority, TlsServer},
    },
};
use serde_json::Value;

/// Tries `connection`; gives how it ended, and each step with whether it went well.
async fn tried(
    daemon: &Daemon,
    connection: &str,
) -> anyhow::Result<(Said, Value, Vec<(String, bool)>)> {
    let said = daemon.cli(&["test", connection, "--json"]).await?;
    let reply: Value = serde_json::from_str(&said.out)
        .map_err(|error| anyhow::anyhow!("{error}: {}{}", said.out, said.err))?;
    let steps = reply["steps"].as_array().into_iter().flatten();
    let steps = steps
        .map(|step| (step["step"].as_str().unwrap_or_default().to_owned(), step["ok"] == true))
        .collect();
    Ok((said, reply, steps))
}

fn all_well(names: &[&str]) -> Vec<(String, bool)> {
    names.iter().map(|&name| (name.to_owned(), true)).collect()
}

/// A partner whose feed is not due for an hour, and the daemon that knows it.
async fn visits(token: &str) -> anyhow::Result<(Api, Daemon)> {
    let api = Plan::new("health", &VISITS, Paging::Cursor).token(token).start().await?;
    let daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    crate::waits::good_run(&daemon, &api.feed(), 0).await?;
    Ok((api, daemon))
}

#[tokio::test]
async fn a_good_connection_shows_each_step_and_the_names_of_fields() -> anyhow::Result<()> {
    let (api, daemon) = visits("t").await?;
    let asked = api.switch().asked();
    let (said, reply, steps) = tried(&daemon, "health/api").await?;
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(steps, all_well(&["resolve", "connect", "auth", "answer", "record"]));
    assert_eq!((&reply["id"], &reply["ok"]), (&"health/api".into(), &true.into()));
    assert!(reply["remedy"].is_null() && reply["steps"][0]["ms"].is_u64(), "{reply}");
    assert_eq!(api.switch().asked(), asked + 1, "one request");
    let record = reply["steps"][4]["text"].as_str().unwrap_or_default();
    assert!(record.contains("100 records") && record.contains("visit_id"), "{record}");
    let key = api.truth().key(0);
    assert!(!said.out.contains(&key), "no value is shown: {}", said.out);

    let text = daemon.cli(&["test", "health/api", "--reason", "a look"]).await?;
    assert!(text.out.starts_with("health/api ok\n  resolve  ok "), "{}", text.out);
    let rows: Vec<AuditRow> = daemon.client.get("audit?limit=1000").await?;
    let done = rows.iter().find(|row| row.action == "test_connection" && row.phase == "done");
    let done = done.expect("it is audited");
    assert_eq!(done.object, "health/api");
    assert!(rows.iter().any(|row| row.reason.as_deref() == Some("a look")));
    Ok(())
}

#[tokio::test]
async fn the_step_that_failed_is_named_with_what_to_do() -> anyhow::Result<()> {
    let (api, daemon) = visits("t").await?;
    for (fault, step, text, remedy) in [
        (Fault::Status(403), "auth", "403", "credentials"),
        (Fault::Status(404), "answer", "404", "path"),
        (Fault::Status(500), "answer", "500", "tell the partner"),
        (Fault::Html, "record", "not JSON", "login or error page"),
        (Fault::BadRows, "record", "1 of 101", "fields"),
    ] {
        api.switch().plan([Some(fault.clone())]);
        let (said, reply, steps) = tried(&daemon, "health/api").await?;
        assert_eq!(said.code, 1, "{fault:?}");
        assert_eq!(steps.last(), Some(&(step.to_owned(), false)), "{fault:?}: {reply}");
        assert!(reply.to_string().contains(text), "{fault:?}: {reply}");
        let told = reply["remedy"].as_str().unwrap_or_default();
        assert!(told.contains(remedy) || reply.to_string().contains(remedy), "{fault:?}: {reply}");
        assert!(!reply.to_string().contains("BAD-"), "no value is shown: {reply}");
    }
    api.die().await;
    let (said, reply, steps) = tried(&daemon, "health/api").await?;
    assert_eq!(said.code, 1);
    assert_eq!(steps, [("resolve".to_owned(), true), ("connect".to_owned(), false)]);
    assert!(reply["remedy"].as_str().unwrap_or_default().contains("ask the partner"), "{reply}");
    let row = daemon.client.connection("health/api").await?;
    let reason = row.reason.clone().unwrap_or_default();
    assert!(reason.contains("refused"), "it counts as a measurement: {row:?}");
    Ok(())
}

#[tokio::test]
async fn credentials_are_accepted_by_a_good_answer_alone_and_a_connection_needs_no_feed()
-> anyhow::Result<()> {
    let script = Script::start(|asked| match asked.path.as_str() {
        "/good" => Reply::json(&serde_json::json!([{ "id": 1 }])),
        "/down" => Reply::json(&serde_json::json!({})).with_status(503),
        _ => Reply::json(&serde_json::json!({})).with_status(404),
    })
    .await?;
    let mut file = PartnerFile::new("p");
    let base = script.address();
    for (name, path) in [("good", "/good"), ("down", "/down"), ("gone", "/gone"), ("bare", "")] {
        file.connection(
            name,
            &format!(
                "base_url = \"http://{base}\"\nauth = {{ kind = \"bearer\", token = {{ env = \"P_TOKEN\" }} }}\n"
            ),
        );
        if !path.is_empty() {
            file.add(&format!(
                "\n[[feed]]\nid = \"{name}-rows\"\nconnection = \"{name}\"\npath = \"{path}\"\nkey = [\"id\"]\n\
                 fields = {{ id = \"integer\" }}\n"
            ));
        }
    }
    let daemon = Daemon::start(Home::with(&[&file])?.environment("P_TOKEN", "t")).await?;
    for (name, code, auth) in [
        ("good", 0, "accepted"),
        ("down", 1, "judged by the answer"),
        ("gone", 1, "judged by the answer"),
        ("bare", 0, "judged by the answer"),
    ] {
        let (said, reply, _) = tried(&daemon, &format!("p/{name}")).await?;
        assert_eq!(said.code, code, "{name}: {reply}");
        let steps = reply["steps"].as_array().expect("steps");
        let step = steps.iter().find(|step| step["step"] == "auth").expect("it is shown");
        assert_eq!(step["text"], auth, "{name}: {reply}");
    }
    Ok(())
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_at_the_first_step() -> anyhow::Result<()> {
    let mut file = PartnerFile::new("health");
    file.connection("api", "base_url = \"http://nobody.invalid\"\n");
    let daemon = Daemon::start(Home::with(&[&file])?).await?;
    let (said, reply, steps) = tried(&daemon, "health/api").await?;
    assert_eq!((said.code, steps), (1, vec![("resolve".to_owned(), false)]), "{reply}");

    let unknown = daemon.cli(&["test", "health/nothing"]).await?;
    assert_eq!(unknown.code, 1, "{}", unknown.err);
    assert!(unknown.err.contains("marsad connections"), "{}", unknown.err);
    let mut daemon = daemon;
    daemon.sigterm().await?;
    assert_eq!(daemon.cli(&["test", "health/api"]).await?.code, 4);
    Ok(())
}

#[tokio::test]
async fn folders_are_looked_into_and_written_to() -> anyhow::Result<()> {
    let mut file = PartnerFile::new("education");
    file.connection("drop", "import = \"in\"\nexport = \"out\"\n");
    let home = Home::with(&[&file])?;
    let (import, export) = (home.path().join("partners.d/in"), home.path().join("partners.d/out"));
    for folder in [&import, &export] {
        std::fs::create_dir(folder)?;
    }
    let daemon = Daemon::start(home).await?;
    let (said, reply, steps) = tried(&daemon, "education/drop").await?;
    assert_eq!((said.code, steps), (0, all_well(&["import", "export"])), "{reply}");
    assert!(reply["steps"][0]["text"].as_str().unwrap_or_default().contains("MiB free"), "{reply}");
    assert_eq!(std::fs::read_dir(&export)?.count(), 0, "nothing is left there");

    std::fs::remove_dir(&export)?;
    let (said, reply, steps) = tried(&daemon, "education/drop").await?;
    assert_eq!((said.code, steps.last()), (1, Some(&("export".to_owned(), false))), "{reply}");
    assert!(reply["remedy"].as_str().unwrap_or_default().contains("make the folder"), "{reply}");
    Ok(())
}

#[tokio::test]
async fn the_certificate_is_told_whether_or_not_it_is_good() -> anyhow::Result<()> {
    let rows = || axum::Router::new().fallback(async || r#"[{ "id": 1 }]"#);
    let (authority, other) = (Authority::new("Courts")?, Authority::new("Somebody")?);
    let good = TlsServer::start(rows(), &authority.pair("127.0.0.1", 40)?, None).await?;
    let ended = TlsServer::start(rows(), &authority.pair("127.0.0.1", -3)?, None).await?;
    let strange = TlsServer::start(rows(), &other.pair("127.0.0.1", 40)?, None).await?;
    let mut file = PartnerFile::new("courts");
    for (name, server) in [("good", &good), ("ended", &ended), ("strange", &strange)] {
        let url = server.url();
        file.connection(name, &format!("base_url = \"{url}\"\ntls = {{ ca = \"ca.pem\" }}\n"));
    }
    file.secret("ca.pem", &authority.pem);
    let daemon = Daemon::start(Home::with(&[&file])?).await?;
    for (name, ok, text) in [
        ("good", true, " days left"),
        ("ended", false, " days ago"),
        ("strange", false, "whom we trust"),
    ] {
        let (said, reply, steps) = tried(&daemon, &format!("courts/{name}")).await?;
        assert_eq!(said.code, i32::from(!ok), "{reply}");
        assert_eq!(steps.iter().find(|(step, _)| step == "tls").map(|(_, ok)| *ok), Some(ok));
        let tls = reply["steps"].as_array().into_iter().flatten().find(|s| s["step"] == "tls");
        let told = tls.and_then(|step| step["text"].as_str()).unwrap_or_default();
        assert!(told.contains(text) && told.contains("certificate of"), "{name}: {told}");
    }
    Ok(())
}

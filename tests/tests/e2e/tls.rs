//! TLS with partners: whom we trust, who we are, and certificates that end or change while the daemon runs.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use axum::Router;
use marsad_shared::{
    certificate::Validity,
    health::{Health, Reason},
};
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::tls::{Authority, TlsServer},
};
use serde_json::Value;

use crate::waits;

/// A partner's file with one connection to `server`, and a feed over it.
fn partner(home: &Home, id: &str, server: &TlsServer, tls: &str) -> anyhow::Result<()> {
    let text = format!(
        "[partner]\nid = \"{id}\"\n\n[[connection]]\nid = \"api\"\nbase_url = \"{}\"\ntls = {{ {tls} }}\n\n\
         [[feed]]\nid = \"rows\"\nconnection = \"api\"\npath = \"/rows\"\nkey = [\"id\"]\n\
         fields = {{ id = \"integer\" }}\nschedule = {{ every = \"1s\" }}\n",
        server.url()
    );
    fs::write(home.path().join(format!("partners.d/{id}.toml")), text)?;
    Ok(())
}

/// Puts a file in its place at once, closed to others.
fn put(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let part = folder.join(".part");
    fs::write(&part, text)?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600))?;
    Ok(fs::rename(part, folder.join(name))?)
}

fn rows() -> Router {
    Router::new().fallback(async || r#"[{ "id": 1 }]"#)
}

#[tokio::test]
async fn a_partner_of_its_own_authority_that_wants_to_know_who_we_are() -> anyhow::Result<()> {
    let (theirs, ours) = (Authority::new("Courts")?, Authority::new("Gateway")?);
    let server = TlsServer::start(rows(), &theirs.pair("127.0.0.1", 400)?, Some(&ours)).await?;
    let home = Home::new()?;
    let folder = home.path().join("partners.d");
    let pair = ours.pair("marsad.example", 20)?;
    put(&folder, "ca.pem", &theirs.pem)?;
    put(&folder, "our.pem", &pair.cert)?;
    put(&folder, "our.key", &pair.key)?;
    partner(&home, "courts", &server, "ca = \"ca.pem\", cert = \"our.pem\", key = \"our.key\"")?;
    partner(&home, "nobody", &server, "ca = \"ca.pem\"")?;
    let daemon = Daemon::start(home).await?;
    waits::good_run(&daemon, "courts/rows", 0).await?;

    let (run, reason) = waits::failed_run(&daemon, "nobody/rows", 0).await?;
    assert!(run.cause == Some(Reason::Auth) && reason.contains("tls.cert"), "{reason}");

    let row = daemon
        .until("both ends are known", async |client| {
            let row = client.connection("courts/api").await?;
            Ok(row.certificate_until_at.is_some().then_some(row))
        })
        .await?;
    assert_eq!((row.health, row.certificate), (Health::Up, Some(Validity::EndsSoon)));
    assert!(row.our_certificate_until_at < row.certificate_until_at);
    let reason = row.reason.unwrap_or_default();
    assert!(reason.contains("our certificate") && reason.contains("days"), "{reason}");
    let said = daemon.cli(&["check", "courts/api"]).await?;
    assert!(said.code == 1 && said.out.contains("certificate"), "{}", said.out);
    let said = daemon.cli(&["connections", "--json"]).await?;
    let rows: Value = serde_json::from_str(&said.out)?;
    assert!(rows[0]["our_certificate_until_at"].is_string(), "{rows}");
    Ok(())
}

#[tokio::test]
async fn certificates_that_end_soon_or_have_ended_say_so_with_their_dates() -> anyhow::Result<()> {
    let authority = Authority::new("Police")?;
    let (soon, ended) = (authority.pair("127.0.0.1", 5)?, authority.pair("127.0.0.1", -3)?);
    let soon = TlsServer::start(rows(), &soon, None).await?;
    let ended = TlsServer::start(rows(), &ended, None).await?;
    let home = Home::new()?;
    put(&home.path().join("partners.d"), "ca.pem", &authority.pem)?;
    partner(&home, "soon", &soon, "ca = \"ca.pem\"")?;
    partner(&home, "ended", &ended, "ca = \"ca.pem\"")?;
    let mut daemon = Daemon::start(home).await?;
    waits::good_run(&daemon, "soon/rows", 0).await?;
    let (run, reason) = waits::failed_run(&daemon, "ended/rows", 0).await?;
    assert_eq!(run.cause, Some(Reason::TlsExpired), "{reason}");
    assert!(reason.contains("good until 20") && reason.contains("our clock says 20"), "{reason}");
    let both = async |client: &marsad_tests::daemon::Client| {
        let (soon, ended) =
            (client.connection("soon/api").await?, client.connection("ended/api").await?);
        let known = (soon.certificate, ended.certificate, ended.health);
        let wanted = (Some(Validity::EndsNow), Some(Validity::Ended), Health::Down);
        Ok((known == wanted).then_some(soon))
    };
    let row = daemon.until("both are known", both).await?;
    assert!(row.reason.unwrap_or_default().contains("the partner's certificate chain ends on"));
    let said = daemon.cli(&["check", "soon/api"]).await?;
    assert_eq!(said.code, 2, "{}", said.out);
    // It is known over a restart too, before anybody is asked.
    drop(soon);
    daemon.sigterm().await?;
    daemon.go().await?;
    let row = daemon.client.connection("soon/api").await?;
    assert_eq!(row.certificate, Some(Validity::EndsNow));
    Ok(())
}

#[tokio::test]
async fn an_authority_that_is_replaced_is_trusted_without_a_restart() -> anyhow::Result<()> {
    let (old, new) = (Authority::new("Old")?, Authority::new("New")?);
    let server = TlsServer::start(rows(), &new.pair("127.0.0.1", 400)?, None).await?;
    let home = Home::new()?;
    let folder = home.path().join("partners.d");
    put(&folder, "ca.pem", &old.pem)?;
    partner(&home, "courts", &server, "ca = \"ca.pem\"")?;
    let daemon = Daemon::start(home).await?;
    let (run, reason) = waits::failed_run(&daemon, "courts/rows", 0).await?;
    assert!(run.cause == Some(Reason::TlsUntrusted) && reason.contains("tls.ca"), "{reason}");
    put(&folder, "ca.pem", &new.pem)?;
    // An operator who has replaced it reads anew; what was asked before waits for its turn.
    daemon
        .until("trusted", async |_| {
            let said = daemon.cli(&["resync", "courts/rows", "--wait", "--json"]).await?;
            Ok((said.code == 0).then_some(()))
        })
        .await?;
    Ok(())
}

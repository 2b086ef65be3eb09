//! Promise 11: secrets come from files, credentials or the environment, and never reach a log, the database, an error,
//! `ps` or the screen.

use std::{fs, path::Path};

use marsad_shared::health::{Health, Reason};
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{
        Fault, Paging,
        api::Plan,
        data::{ENROLMENTS, NOTICES, REFERRALS, VISITS},
    },
};

use crate::waits;

const TOKEN: &str = "tok3n-Zm9yZ2V0LW1l";
const KEY: &str = "k3y-aW4tdGhlLXF1ZXJ5";
const PASSWORD: &str = "p4ss-bm90LWZvci1sb2dz";

/// The files below `folder` that hold one of the secrets.
fn holding(folder: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, found)?;
        } else if path.is_file() && shows(&fs::read(&path)?) {
            found.push(path.display().to_string());
        }
    }
    Ok(())
}

fn shows(bytes: &[u8]) -> bool {
    [TOKEN, KEY, PASSWORD]
        .iter()
        .any(|secret| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
}

#[tokio::test]
async fn promise_11_secrets_are_used_and_never_shown() -> anyhow::Result<()> {
    let bearer = Plan::new("health", &VISITS, Paging::Cursor).token(TOKEN).start().await?;
    let in_query = Plan::new("police", &REFERRALS, Paging::Link).start().await?;
    let basic = Plan::new("child-protection", &NOTICES, Paging::Offset).start().await?;
    let wrong = Plan::new("education", &ENROLMENTS, Paging::Page).token("another").start().await?;
    in_query.switch().plan([
        None,
        Some(Fault::Status(500)),
        Some(Fault::CutOff),
        Some(Fault::Html),
    ]);
    let home = Home::new()?;
    home.partner(&bearer.file("1s"))?;
    let mut file = in_query.file("1s");
    file.to_connection(
        "auth = { kind = \"api_key\", query = \"key\", key = { env = \"POLICE_KEY\" } }",
    );
    home.partner(&file)?;
    let mut file = basic.file("1s");
    file.to_connection(
        "auth = { kind = \"basic\", user = \"marsad\", password = { file = \"basic.secret\" } }",
    );
    home.partner(file.secret("basic.secret", PASSWORD))?;
    let mut file = wrong.file("1s");
    let text = file.text().replace("education.secret", "wrong.secret");
    home.partner(file.secret("wrong.secret", TOKEN))?;
    fs::write(home.path().join("partners.d/education.toml"), text)?;
    let daemon = Daemon::start(home.environment("POLICE_KEY", KEY)).await?;
    for api in [&bearer, &in_query, &basic] {
        waits::same(&daemon, api).await?;
    }
    daemon
        .until("the refused credentials said", async |client| {
            let row = client.connection("education/api").await?;
            Ok((row.health == Health::Down && row.cause == Some(Reason::Auth)).then_some(()))
        })
        .await?;

    let mut found = Vec::new();
    holding(&daemon.state_dir(), &mut found)?;
    assert_eq!(found, Vec::<String>::new(), "state_dir holds a secret");
    assert!(!shows(daemon.log().as_bytes()), "the log shows a secret:\n{}", daemon.log());
    assert!(!shows(&fs::read(format!("/proc/{}/cmdline", daemon.pid()?))?), "ps shows a secret");
    for arguments in [
        vec!["status"],
        vec!["connections"],
        vec!["connections", "show", "police/api"],
        vec!["runs", "--limit", "0"],
        vec!["quarantine"],
        vec!["audit"],
        vec!["check", "-v"],
        vec!["config", "check"],
    ] {
        for json in [&[][..], &["--json"]] {
            let said = daemon.cli(&[&arguments[..], json].concat()).await?;
            assert!(
                !shows(said.out.as_bytes()) && !shows(said.err.as_bytes()),
                "{arguments:?}: {}{}",
                said.out,
                said.err
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn promise_11_a_secret_that_others_may_read_is_refused_with_the_command_that_mends_it()
-> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let api = Plan::new("health", &VISITS, Paging::Cursor).token(TOKEN).start().await?;
    let home = Home::with(&[&api.file("1h")])?;
    let secret = home.path().join("partners.d/health.secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644))?;
    let error = format!("{:#}", Daemon::start(home).await.expect_err("refused"));
    assert!(error.contains("health.secret") && error.contains("chmod"), "{error}");
    assert!(!error.contains(TOKEN));
    Ok(())
}

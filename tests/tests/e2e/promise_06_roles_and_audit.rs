//! Promise 6: every command is allowed by a role, audited before it takes effect and its outcome after; the audit is a
//! chain that shows what was done to it.

use std::path::Path;

use marsad_shared::{
    exchange::State,
    protocol::{AuditProof, AuditRow, ExchangeRow},
};
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{Desk, Fault, Paging, api::Plan, data::VISITS},
};
use nix::unistd::geteuid;
use tokio::io::AsyncWriteExt as _;

use crate::waits;

async fn with_partner() -> anyhow::Result<(Daemon, marsad_tests::partner::Api)> {
    let api = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    let daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    waits::good_run(&daemon, &api.feed(), 0).await?;
    Ok((daemon, api))
}

async fn audit(daemon: &Daemon) -> anyhow::Result<Vec<AuditRow>> {
    let mut rows: Vec<AuditRow> = daemon.client.get("audit?limit=1000").await?;
    rows.sort_by_key(|row| row.seq);
    Ok(rows)
}

#[tokio::test]
async fn promise_6_a_command_is_in_the_audit_before_and_after() -> anyhow::Result<()> {
    let (daemon, api) = with_partner().await?;
    let feed = api.feed();
    let said = daemon.cli(&["resync", &feed, "--wait", "--reason", "because I say so"]).await?;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let rows = audit(&daemon).await?;
    let begun =
        rows.iter().find(|row| row.phase == "begun" && row.object.contains(&feed)).expect("begun");
    let done = rows.iter().find(|row| row.of == Some(begun.seq)).expect("its outcome");
    assert_eq!((done.phase.as_str(), begun.action.as_str()), ("done", "resync"));
    assert!(begun.seq < done.seq);
    assert_eq!(
        (begun.uid, begun.reason.as_deref()),
        (geteuid().as_raw(), Some("because I say so"))
    );

    let refused = daemon.cli(&["resync", "health/nothing"]).await?;
    assert_ne!(refused.code, 0);
    let verified = daemon.cli(&["audit", "verify"]).await?;
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
    Ok(())
}

#[tokio::test]
async fn promise_6_an_audit_that_was_touched_is_found_out() -> anyhow::Result<()> {
    let (mut daemon, api) = with_partner().await?;
    for _ in 0..3 {
        daemon.cli(&["resync", &api.feed(), "--wait"]).await?;
    }
    for (statement, what) in [
        (
            "UPDATE audit SET entry = replace(entry, 'health', 'heal_h') WHERE seq = 2",
            "an entry was changed",
        ),
        ("DELETE FROM audit WHERE seq = 3", "an entry was taken out"),
        ("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)", "the end was cut off"),
    ] {
        daemon.sigterm().await?;
        let ledger = daemon.state_dir().join("ledger.db");
        let kept = std::fs::read(&ledger)?;
        touch(&ledger, statement)?;
        daemon.go().await?;
        let proof: AuditProof = daemon.client.get("audit/verify").await?;
        assert!(proof.broken.is_some(), "{what}, and nobody noticed");
        let said = daemon.cli(&["audit", "verify"]).await?;
        assert_eq!(said.code, 1, "{what}: {}{}", said.out, said.err);
        daemon.sigterm().await?;
        std::fs::write(&ledger, kept)?;
        daemon.go().await?;
        let proof: AuditProof = daemon.client.get("audit/verify").await?;
        assert_eq!(proof.broken, None, "as it was, it holds");
    }
    Ok(())
}

#[tokio::test]
async fn promise_6_a_client_that_hangs_up_leaves_no_command_half_done() -> anyhow::Result<()> {
    let (daemon, api) = with_partner().await?;
    api.switch().set(Fault::Stall);
    let asked = api.switch().asked();
    daemon.client.resync(&api.feed(), false).await?;
    api.switch().until_asked(asked + 1).await;

    // This one waits behind the run that stalls.
    let order = format!("{{\"feed\":\"{}\"}}", api.feed());
    let mut client = tokio::net::UnixStream::connect(daemon.home.socket()).await?;
    let request = format!(
        "POST /v1/resync HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{order}",
        order.len()
    );
    client.write_all(request.as_bytes()).await?;
    let begun = daemon
        .until("the second order in the audit", async |_| {
            let rows = audit(&daemon).await?;
            let begun: Vec<_> = rows.iter().filter(|row| row.phase == "begun").collect();
            Ok((begun.len() == 2).then(|| begun[1].seq))
        })
        .await?;
    drop(client);
    // Whoever comes behind it is answered behind its end.
    for _ in 0..10 {
        daemon.client.status().await?;
    }
    api.die().await;
    let ended = daemon
        .until("the end of the order in the audit", async |_| {
            Ok(audit(&daemon).await?.into_iter().find(|row| row.of == Some(begun)))
        })
        .await?;
    assert_eq!(ended.phase, "done", "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn promise_6_what_was_done_is_told_so_even_if_the_audit_cannot_say_it() -> anyhow::Result<()>
{
    let desk = Desk::start("social", 0).await?;
    desk.die().await;
    let daemon = Daemon::start(Home::with(&[&desk.file()])?).await?;
    let document = daemon.path().join("one.json");
    std::fs::write(&document, "{}")?;
    let file = document.to_string_lossy();
    let id = daemon.json(&["send", &desk.connection(), &file]).await?["id"].clone();
    let id = id.as_str().unwrap_or_default();
    let refuse = |phase: &str| {
        let db = rusqlite::Connection::open(daemon.state_dir().join("ledger.db"))?;
        db.busy_timeout(std::time::Duration::from_secs(30))?;
        db.execute_batch(&format!(
            "DROP TRIGGER IF EXISTS no; CREATE TRIGGER no BEFORE INSERT ON audit \
             WHEN new.entry LIKE '%\"phase\":\"{phase}\"%' BEGIN SELECT RAISE(ABORT, 'no'); END"
        ))
    };
    let state = async || -> anyhow::Result<State> {
        Ok(daemon.client.get::<ExchangeRow>(&format!("exchanges/{id}")).await?.state)
    };

    refuse("done")?;
    let said = daemon.cli(&["exchange", "hold", id]).await?;
    assert_eq!((said.code, state().await?), (0, State::Held), "{}{}", said.out, said.err);
    assert!(daemon.log().contains("could not be audited"), "and the log says what is missing");
    let rows = audit(&daemon).await?;
    let last = rows.last().expect("an entry");
    assert_eq!((last.phase.as_str(), last.object.as_str()), ("begun", id));

    refuse("begun")?;
    let said = daemon.cli(&["exchange", "release", id]).await?;
    assert_eq!((said.code, state().await?), (1, State::Held), "{}{}", said.out, said.err);
    assert!(said.err.contains("so it was not done"), "{}", said.err);
    Ok(())
}

/// Does `statement` to the audit, once whatever guards the table is taken away: a thief with the disk would do so too.
fn touch(ledger: &Path, statement: &str) -> anyhow::Result<()> {
    let db = rusqlite::Connection::open(ledger)?;
    let mut guards =
        db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'")?;
    let guards: Vec<String> = guards.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for guard in guards {
        db.execute_batch(&format!("DROP TRIGGER \"{guard}\""))?;
    }
    assert_eq!(db.execute(statement, [])?, 1, "{statement}");
    Ok(())
}

/// Needs root: only root can be somebody else.
#[tokio::test]
async fn promise_6_a_peer_without_a_role_gets_nothing_needs_root() -> anyhow::Result<()> {
    if !geteuid().is_root() {
        say("not run: becoming another user needs root");
        return Ok(());
    }
    let api = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    let home = Home::with(&[&api.file("1h")])?.extra("roles = { viewer = [\"user:daemon\"] }")?;
    let daemon = Daemon::start(home).await?;
    let feed = api.feed();
    waits::good_run(&daemon, &feed, 0).await?;
    open_to_all(&daemon)?;
    for (user, arguments, code, why) in [
        ("nobody", vec!["status"], 3, "no role, nothing"),
        ("nobody", vec!["feeds"], 3, "no role, nothing"),
        ("daemon", vec!["status"], 0, "a viewer looks"),
        ("daemon", vec!["resync", &feed], 3, "a viewer does not act"),
        ("daemon", vec!["audit"], 3, "a viewer reads no audit"),
    ] {
        let said = as_user(&daemon, user, &arguments).await?;
        assert_eq!(said.0, code, "{user} {arguments:?}, {why}: {}", said.1);
    }
    let refused = audit(&daemon).await?;
    assert!(
        refused.iter().any(|row| row.phase == "refused" && row.user == "daemon"),
        "refusals are audited: {refused:#?}"
    );
    Ok(())
}

/// Lets others come as far as the socket, as a group of users would be let.
pub(crate) fn open_to_all(daemon: &Daemon) -> anyhow::Result<()> {
    use std::{fs, os::unix::fs::PermissionsExt as _};
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    set(daemon.path(), 0o755)?;
    let socket = daemon.home.socket();
    set(socket.parent().unwrap_or(&socket), 0o755)?;
    set(&socket, 0o666)?;
    Ok(())
}

pub(crate) async fn as_user(
    daemon: &Daemon,
    user: &str,
    arguments: &[&str],
) -> anyhow::Result<(i32, String)> {
    let user = nix::unistd::User::from_name(user)?.expect("a system's own user");
    // A copy that others may run, wherever the build folder is.
    let program = daemon.path().join("marsad");
    if !program.exists() {
        std::fs::copy(&marsad_tests::build::programs()?.marsad, &program)?;
    }
    let mut command = tokio::process::Command::new(&program);
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).current_dir("/");
    command.arg("--socket").arg(daemon.home.socket()).args(arguments);
    let output = command.output().await?;
    let text = [output.stdout, output.stderr].concat();
    Ok((marsad_tests::daemon::code_of(output.status), String::from_utf8_lossy(&text).into_owned()))
}

pub(crate) fn say(why: &str) {
    eprintln!("{why}");
}

//! Promise 3: an accepted exchange survives `kill -9`, is delivered at least once under one key, and is recorded as
//! delivered exactly once. When the answer was lost it is in doubt, and asked about before it is sent again.

use std::{collections::BTreeSet, fs, path::Path};

use marsad_shared::{exchange::State, protocol::ExchangeRow};
use marsad_tests::{
    daemon::{Client, Daemon, Home},
    partner::{Desk, Fault, PartnerFile, Reply, Script},
};

use crate::waits;

/// A daemon with a desk to deliver to, and an outbox.
async fn with_desk() -> anyhow::Result<(Daemon, Desk)> {
    let desk = Desk::start("social", 0).await?;
    let home = Home::new()?;
    let outbox = home.join("outbox");
    fs::create_dir(&outbox)?;
    let mut file = desk.file();
    file.add(&format!("outbox = \"{}\"\nsettle = \"2s\"", outbox.display()));
    home.partner(&file)?;
    Ok((Daemon::start(home).await?, desk))
}

/// Hands the daemon a document through the command line.
async fn send(daemon: &Daemon, desk: &Desk, name: &str, content: &str) -> anyhow::Result<String> {
    let file = daemon.path().join(name);
    fs::write(&file, content)?;
    let row = daemon.json(&["send", &desk.connection(), &file.to_string_lossy()]).await?;
    Ok(row["id"].as_str().unwrap_or_default().to_owned())
}

async fn show(daemon: &Daemon, id: &str) -> anyhow::Result<ExchangeRow> {
    daemon.client.get(&format!("exchanges/{id}")).await
}

/// Hands over `document` for a connection, and gives it once it is in that state.
async fn sent(
    daemon: &Daemon,
    connection: &str,
    document: &Path,
    state: State,
) -> anyhow::Result<ExchangeRow> {
    let row = daemon.json(&["send", connection, &document.to_string_lossy()]).await?;
    let id = row["id"].as_str().unwrap_or_default().to_owned();
    let reached = async |_: &Client| {
        let row = show(daemon, &id).await?;
        Ok((row.state == state).then_some(row))
    };
    daemon.until(&format!("{connection}: {state}"), reached).await
}

/// How often the timeline says that it was delivered.
fn deliveries(row: &ExchangeRow) -> usize {
    row.timeline.iter().filter(|attempt| attempt.state == Some(State::Delivered)).count()
}

#[tokio::test]
async fn promise_3_a_lost_answer_is_doubt_and_doubt_is_asked_about() -> anyhow::Result<()> {
    let (daemon, desk) = with_desk().await?;
    desk.post().plan([Some(Fault::NoAnswer)]);
    desk.ask().plan([Some(Fault::Status(500))]);
    let id = send(&daemon, &desk, "one.json", "{\"referral\":1}").await?;
    daemon
        .until("the exchange in doubt", async |_| {
            Ok((show(&daemon, &id).await?.state == State::InDoubt).then_some(()))
        })
        .await?;
    waits::exchanges_in(&daemon, State::Delivered, 1).await?;
    let row = show(&daemon, &id).await?;
    let handed = desk.handed();
    let entry = handed.get(&row.idempotency_key).expect("under its own key");
    assert_eq!((handed.len(), entry.times), (1, 1), "asked about, not sent again: {handed:?}");
    assert_eq!(entry.body, b"{\"referral\":1}");
    assert_eq!(deliveries(&row), 1, "{:#?}", row.timeline);
    let kinds: Vec<_> = row.timeline.iter().map(|attempt| attempt.kind.as_str()).collect();
    assert_eq!(kinds, ["deliver", "ask", "ask"]);
    Ok(())
}

#[tokio::test]
async fn promise_3_doubt_outlasts_a_person_who_holds_and_releases() -> anyhow::Result<()> {
    let (daemon, desk) = with_desk().await?;
    desk.post().plan([Some(Fault::NoAnswer)]);
    desk.ask().set(Fault::Status(500));
    let id = send(&daemon, &desk, "one.json", "{\"referral\":1}").await?;
    let until = async |state: State| {
        daemon
            .until(&format!("the exchange {state}"), async |_| {
                Ok((show(&daemon, &id).await?.state == state).then_some(()))
            })
            .await
    };
    until(State::InDoubt).await?;
    let said = daemon.cli(&["exchange", "hold", &id]).await?;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let said = daemon.cli(&["exchange", "cancel", &id]).await?;
    assert_ne!(said.code, 0, "the partner may have it: {}{}", said.out, said.err);
    assert!(format!("{}{}", said.out, said.err).contains("may have it already"), "{said:?}");
    assert_eq!(show(&daemon, &id).await?.state, State::Held);
    desk.ask().set(None);
    let said = daemon.cli(&["exchange", "release", &id]).await?;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    until(State::Delivered).await?;
    let row = show(&daemon, &id).await?;
    let handed = desk.handed();
    let entry = handed.get(&row.idempotency_key).expect("under its own key");
    assert_eq!((handed.len(), entry.times), (1, 1), "asked about, not sent again: {handed:?}");
    let kinds: Vec<_> = row.timeline.iter().map(|attempt| attempt.kind.as_str()).collect();
    assert!(kinds.starts_with(&["deliver", "ask"]), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "deliver").count(), 1, "{kinds:?}");
    Ok(())
}

#[tokio::test]
async fn promise_3_what_surely_did_not_arrive_is_sent_again_under_the_same_key()
-> anyhow::Result<()> {
    let (daemon, desk) = with_desk().await?;
    desk.post().plan([Some(Fault::Status(503)), Some(Fault::Refuse)]);
    let id = send(&daemon, &desk, "one.json", "{}").await?;
    waits::exchanges_in(&daemon, State::Delivered, 1).await?;
    let row = show(&daemon, &id).await?;
    assert_eq!(desk.handed().keys().collect::<Vec<_>>(), [&row.idempotency_key]);
    assert_eq!(deliveries(&row), 1, "{:#?}", row.timeline);
    assert_eq!(row.reason, None, "what once went wrong is over");
    assert!(row.attempts >= 3, "{row:?}");
    Ok(())
}

#[tokio::test]
async fn promise_3_kill_9_in_mid_delivery_is_doubt_and_not_a_second_delivery() -> anyhow::Result<()>
{
    let (mut daemon, desk) = with_desk().await?;
    desk.post().plan([Some(Fault::Stall)]);
    let id = send(&daemon, &desk, "one.json", "{}").await?;
    desk.until_handed(1).await;
    daemon.kill9().await?;
    daemon.go().await?;
    waits::exchanges_in(&daemon, State::Delivered, 1).await?;
    let row = show(&daemon, &id).await?;
    let handed = desk.handed();
    let entry = handed.get(&row.idempotency_key).expect("under its own key");
    assert_eq!((handed.len(), entry.times), (1, 1), "{handed:?}");
    assert!(entry.asked >= 1, "asked before anything else");
    assert_eq!(deliveries(&row), 1, "{:#?}", row.timeline);
    Ok(())
}

#[tokio::test]
async fn promise_3_kill_9_again_and_again_loses_nothing_that_was_accepted() -> anyhow::Result<()> {
    let (mut daemon, desk) = with_desk().await?;
    let faults = [Some(Fault::NoAnswer), None, Some(Fault::Refuse), None, None];
    desk.post().plan(faults.iter().cycle().take(15).cloned());
    let mut accepted = BTreeSet::new();
    for round in 0..4 {
        for number in 0..5 {
            let name = format!("r{round}-{number}.json");
            accepted.insert(
                send(&daemon, &desk, &name, &format!("{{\"n\":\"{round}-{number}\"}}")).await?,
            );
        }
        // Told to have it, it has it: nothing is waited for.
        daemon.kill9().await?;
        daemon.go().await?;
    }
    assert_eq!(accepted.len(), 20);
    let rows = waits::exchanges_in(&daemon, State::Delivered, 20).await?;
    let keys: BTreeSet<_> = rows.iter().map(|row| row.idempotency_key.clone()).collect();
    let handed = desk.handed();
    assert_eq!(
        handed.keys().cloned().collect::<BTreeSet<_>>(),
        keys,
        "no key but these, and all of these"
    );
    assert!(handed.values().all(|entry| !entry.changed), "one key, one document");
    let bodies: BTreeSet<_> = handed.values().map(|entry| &entry.body).collect();
    assert_eq!(bodies.len(), 20, "each document once");
    for row in rows {
        assert_eq!(deliveries(&show(&daemon, &row.id.to_string()).await?), 1, "{row:?}");
    }
    Ok(())
}

#[tokio::test]
async fn promise_3_a_file_in_the_outbox_becomes_one_exchange_even_over_a_kill() -> anyhow::Result<()>
{
    let (mut daemon, desk) = with_desk().await?;
    desk.post().set(Fault::Status(503));
    let outbox = daemon.path().join("outbox");
    for number in 0..5 {
        let temporary = outbox.join(format!(".{number}.part"));
        fs::write(&temporary, format!("document {number}"))?;
        fs::rename(&temporary, outbox.join(format!("{number}.txt")))?;
    }
    daemon
        .until("the first exchange", async |client| {
            Ok((!client.exchanges().await?.is_empty()).then_some(()))
        })
        .await?;
    daemon.kill9().await?;
    desk.post().set(None);
    daemon.go().await?;
    daemon
        .until("an empty outbox", async |client| {
            let left =
                fs::read_dir(&outbox)?.flatten().filter(|entry| entry.path().is_file()).count();
            Ok((left == 0 && client.exchanges().await?.len() >= 5).then_some(()))
        })
        .await?;
    for row in daemon.client.exchanges().await? {
        if row.state == State::Retrying {
            // A wait for the partner's sake is cut short, as a person would.
            daemon.cli(&["exchange", "retry", &row.id.to_string()]).await?;
        }
    }
    waits::exchanges_in(&daemon, State::Delivered, 5).await?;
    let bodies: BTreeSet<_> = desk.handed().into_values().map(|entry| entry.body).collect();
    let expected: BTreeSet<_> =
        (0..5).map(|number| format!("document {number}").into_bytes()).collect();
    assert_eq!(bodies, expected);
    Ok(())
}

#[tokio::test]
async fn promise_3_what_can_never_be_delivered_is_put_aside_at_the_door_with_its_reason()
-> anyhow::Result<()> {
    let (daemon, _desk) = with_desk().await?;
    let outbox = daemon.path().join("outbox");
    let temporary = outbox.join(".large.part");
    // All hole and no data: only its length counts.
    fs::File::create(&temporary)?.set_len(256 * 1024 * 1024 + 1)?;
    fs::rename(&temporary, outbox.join("large.bin"))?;
    let reason = daemon
        .until("the reason beside the file", async |_| {
            let reason = fs::read_to_string(outbox.join("held/large.bin.reason.txt"));
            Ok(reason.ok().filter(|reason| !reason.is_empty()))
        })
        .await?;
    assert!(reason.contains("larger than 256 MiB"), "{reason}");
    assert!(outbox.join("held/large.bin").exists() && !outbox.join("large.bin").exists());
    assert_eq!(daemon.client.exchanges().await?, []);
    Ok(())
}

#[tokio::test]
async fn promise_3_a_refused_document_waits_for_a_person_who_holds_releases_and_cancels()
-> anyhow::Result<()> {
    let (daemon, desk) = with_desk().await?;
    desk.post().set(Fault::Status(422));
    let id = send(&daemon, &desk, "one.json", "{}").await?;
    let rows = waits::exchanges_in(&daemon, State::Rejected, 1).await?;
    assert!(rows[0].reason.as_deref().is_some_and(|reason| reason.contains("422")), "{rows:?}");
    desk.post().set(None);
    let said = daemon.cli(&["exchange", "retry", &id, "--reason", "they mended it"]).await?;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    waits::exchanges_in(&daemon, State::Delivered, 1).await?;

    desk.die().await;
    let id = send(&daemon, &desk, "two.json", "{}").await?;
    for (verb, state) in [
        ("hold", State::Held),
        ("release", State::Retrying),
        ("hold", State::Held),
        ("cancel", State::Cancelled),
    ] {
        let said = daemon.cli(&["exchange", verb, &id]).await?;
        assert_eq!(said.code, 0, "{verb}: {}{}", said.out, said.err);
        daemon
            .until(&format!("{verb}: {state}"), async |_| {
                Ok((show(&daemon, &id).await?.state == state).then_some(()))
            })
            .await?;
    }
    let said = daemon.cli(&["exchange", "release", &id]).await?;
    assert_eq!(said.code, 1, "what is cancelled stays so: {}{}", said.out, said.err);
    Ok(())
}

#[tokio::test]
async fn promise_3_into_an_export_folder_a_document_arrives_whole_and_once() -> anyhow::Result<()> {
    let home = Home::new()?;
    let out = home.join("out");
    fs::create_dir(&out)?;
    let mut file = PartnerFile::new("courts");
    file.connection("drop", &format!("export = \"{}\"\n", out.display()));
    home.partner(&file)?;
    let daemon = Daemon::start(home).await?;
    let document = daemon.path().join("order.xml");
    let content = "<order/>".repeat(10_000);
    fs::write(&document, &content)?;
    daemon.json(&["send", "courts/drop", &document.to_string_lossy()]).await?;
    waits::exchanges_in(&daemon, State::Delivered, 1).await?;
    let found: Vec<_> = fs::read_dir(&out)?.flatten().map(|entry| entry.path()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(fs::read_to_string(&found[0])?, content);
    Ok(())
}

/// A good status is no receipt where the answer says otherwise.
#[tokio::test]
async fn promise_3_a_fault_or_a_log_in_page_with_a_good_status_delivers_nothing()
-> anyhow::Result<()> {
    const FAULT: &str = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>no such office</faultstring></s:Fault></s:Body></s:Envelope>";
    const LOG_IN: &str = "<!DOCTYPE html><html><body><form action=\"/in\"><input name=\"password\"></form></body></html>";
    let script = Script::start(|asked| match asked.path.as_str() {
        "/fault" => Reply::text("text/xml", FAULT),
        "/log-in" => Reply::text("text/html", LOG_IN),
        _ => Reply::text("text/html", "ok"),
    })
    .await?;
    let mut file = PartnerFile::new("social");
    for name in ["fault", "log-in", "fine"] {
        file.connection(
            name,
            &format!(
                "base_url = \"http://{}\"\ndeliver = {{ method = \"POST\", path = \"/{name}\", deadline = \"2d\" }}\n",
                script.address()
            ),
        );
    }
    let daemon = Daemon::start(Home::with(&[&file])?).await?;
    let document = daemon.path().join("one.json");
    fs::write(&document, "{}")?;
    for (name, state, words) in [
        ("fault", State::Rejected, "no such office"),
        ("log-in", State::InDoubt, "a page that has a form, which is no receipt"),
        ("fine", State::Delivered, ""),
    ] {
        let row = sent(&daemon, &format!("social/{name}"), &document, state).await?;
        assert!(row.reason.unwrap_or_default().contains(words), "{name}");
    }
    Ok(())
}

/// What a receipt says of itself counts, where the configuration names it: a refusal with a good status is none, and what says
/// nothing leaves everybody in doubt.
#[tokio::test]
async fn promise_3_a_receipt_is_what_says_that_it_is_one() -> anyhow::Result<()> {
    const PATH: &str = "{ path = \"$.taken\", equals = [true] }";
    let script = Script::start(|asked| match asked.path.as_str() {
        "/taken" => Reply::json(&serde_json::json!({"taken": true, "id": 7})),
        "/refused" | "/busy" => {
            Reply::json(&serde_json::json!({"taken": false, "why": "no such case"}))
        }
        "/xml" => Reply::text("text/xml", "<r><status code=\"E7\"/></r>"),
        "/empty" => Reply::text("application/json", ""),
        "/cut" => Reply::text("application/json", "{\"error\": null, \"list\": ["),
        "/fine" => Reply::json(&serde_json::json!({"error": null})),
        _ => Reply::text("text/plain", "thank you"),
    })
    .await?;
    let cases = [
        ("taken", PATH, State::Delivered, ""),
        (
            "refused",
            PATH,
            State::Rejected,
            "answered 200 OK, and the answer says that it failed (false)",
        ),
        (
            "busy",
            "{ path = \"$.taken\", equals = [true], on_error = \"retry\" }",
            State::Retrying,
            "it failed (false)",
        ),
        (
            "xml",
            "{ path = \"r/status/@code\", equals = [\"OK\"] }",
            State::Rejected,
            "it failed (E7)",
        ),
        ("empty", PATH, State::InDoubt, "does not say that it took the document"),
        ("words", PATH, State::InDoubt, "does not say that it took the document"),
        (
            "cut",
            "{ error = \"$.error\" }",
            State::InDoubt,
            "does not say that it took the document",
        ),
        ("fine", "{ error = \"$.error\" }", State::Delivered, ""),
    ];
    let mut file = PartnerFile::new("social");
    for (name, success, ..) in cases {
        let keys = format!(
            "base_url = \"http://{}\"\ndeliver = {{ path = \"/{name}\", success = {success} }}\n",
            script.address()
        );
        file.connection(name, &keys);
    }
    let daemon = Daemon::start(Home::with(&[&file])?).await?;
    let document = daemon.path().join("one.json");
    fs::write(&document, "{}")?;
    for (name, _, state, words) in cases {
        let row = sent(&daemon, &format!("social/{name}"), &document, state).await?;
        let reason = row.reason.unwrap_or_default();
        assert!(reason.contains(words), "{name}: {reason}");
    }
    Ok(())
}

//! Promise 8: no input can end the daemon, and nothing is unbounded: reaching a limit says so.

use std::fs;

use marsad_shared::{protocol::Problem, run::Outcome};
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{
        Fault, Office, Paging, Truth,
        api::Plan,
        data::{REQUESTS, VISITS},
        random::Random,
    },
};

use crate::waits;

#[tokio::test]
async fn promise_8_no_file_ends_the_daemon() -> anyhow::Result<()> {
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, 50))?;
    home.partner(&office.file("2s"))?;
    let daemon = Daemon::start(home).await?;
    let pid = daemon.pid()?;
    let good = office.csv().into_bytes();
    let mut files: Vec<(String, Vec<u8>)> = vec![
        ("nothing".to_owned(), Vec::new()),
        ("a-byte-order-mark".to_owned(), "\u{feff}".into()),
        ("a-header-only".to_owned(), REQUESTS.csv_header().into_bytes()),
        ("nul".to_owned(), vec![0; 100_000]),
        ("one-quote".to_owned(), [&good[..], b"\"never closed"].concat()),
        (
            "a-long-field".to_owned(),
            [&good[..], b"H1,", &vec![b'x'; 3 << 20], b",a,b,2026-01-01,1,c,d\n"].concat(),
        ),
        ("many-columns".to_owned(), "c,".repeat(50_000).into_bytes()),
        ("one-long-line".to_owned(), vec![b'x'; 20 << 20]),
        ("doubled-header".to_owned(), b"request_no,request_no,request_no\n1,2,3\n".to_vec()),
    ];
    let mut random = Random::new(8);
    for number in 0..25 {
        let mut spoilt = good.clone();
        for _ in 0..=random.below(20) {
            let at = usize::try_from(random.below(spoilt.len() as u64))?;
            match random.below(3) {
                0 => spoilt[at] = random.next().to_le_bytes()[0],
                1 => spoilt.truncate(at.max(1)),
                _ => spoilt.insert(at, b"\"\n,;\0\xff\r\t"[usize::try_from(random.below(8))?]),
            }
        }
        files.push((format!("spoilt-{number}"), spoilt));
    }
    let number = files.len();
    for (name, content) in files {
        office.drop_file(&format!("requests-{name}.csv"), &content)?;
    }
    daemon
        .until("every file put away, in done/ or in held/", async |_| {
            let [left, done, held] = office.left();
            let dealt_with =
                done.len() + held.iter().filter(|name| !name.ends_with(".reason.txt")).count();
            Ok((left.is_empty() && dealt_with == number).then_some(()))
        })
        .await?;
    assert_eq!((daemon.pid()?, daemon.ended()), (pid, None), "the daemon lives");
    for run in daemon.client.runs(&office.feed()).await? {
        assert!(run.counts.balances() || !run.outcome.is_good(), "{run:?}");
        assert!(run.outcome.is_good() || run.reason.is_some(), "it says why: {run:?}");
    }
    office.drop_file("requests-good.csv", &[&good[..], b"\n"].concat())?;
    daemon
        .until("a good file imported after all that", async |client| {
            let runs = client.runs(&office.feed()).await?;
            let good = |run: &&marsad_shared::protocol::RunRow| {
                run.file.as_deref() == Some("requests-good.csv") && run.outcome.is_good()
            };
            Ok(runs.iter().find(good).map(drop))
        })
        .await
}

#[tokio::test]
async fn promise_8_paging_without_end_is_ended_and_said() -> anyhow::Result<()> {
    let api = Plan::new("health", &VISITS, Paging::Page).rows(5_000).start().await?;
    let mut file = api.file("1h");
    let text = file.text().replace("start = 1,", "start = 1, max_pages = 7,");
    assert_ne!(text, file.text());
    let home = Home::new()?;
    home.partner(&file)?;
    fs::write(home.path().join("partners.d/health.toml"), text)?;
    file.add("");
    let daemon = Daemon::start(home).await?;
    let (run, reason) = waits::failed_run(&daemon, &api.feed(), 0).await?;
    assert!(reason.contains('7') && reason.contains("max_pages"), "{reason}");
    assert_eq!((run.pages, run.counts.received), (7, 700), "what was read is kept: {run:?}");
    Ok(())
}

#[tokio::test]
async fn promise_8_a_body_nested_without_end_is_refused() -> anyhow::Result<()> {
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, 1))?;
    let mut file = office.file("2s");
    let text = file.text().replace("requests-*.csv", "requests-*.json");
    home.partner(file.add(""))?;
    fs::write(home.path().join("partners.d/housing.toml"), text)?;
    let daemon = Daemon::start(home).await?;
    let deep = format!("[{}{}]", "[".repeat(200_000), "]".repeat(200_000));
    office.drop_file("requests-deep.json", deep.as_bytes())?;
    let doubled = r#"[{"request_no":"H1","request_no":"H2","updated_at":"2026-01-01T00:00:00Z"}]"#;
    office.drop_file("requests-doubled.json", doubled.as_bytes())?;
    waits::run(&daemon, &office.feed(), 0, "the deep one, refused", |run| {
        run.file.as_deref() == Some("requests-deep.json")
            && matches!(run.outcome, Outcome::Held | Outcome::Partial)
    })
    .await?;
    let run = waits::run(&daemon, &office.feed(), 0, "the doubled key, refused", |run| {
        run.file.as_deref() == Some("requests-doubled.json") && run.outcome != Outcome::Running
    })
    .await?;
    assert_eq!((run.outcome, run.counts.quarantined), (Outcome::Held, 1), "{run:?}");
    assert_eq!(daemon.ended(), None);
    Ok(())
}

#[tokio::test]
async fn promise_8_no_request_on_the_socket_ends_it() -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let api = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    api.switch().set(Fault::Stall);
    let daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    for request in [
        b"\0\xff\xfe garbage".to_vec(),
        b"GET /v1/status HTTP/1.1\r\n".to_vec(),
        [b"GET /".as_slice(), &vec![b'a'; 1 << 20], b" HTTP/1.1\r\n\r\n"].concat(),
        b"POST /v1/resync HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"a\":[[[[".to_vec(),
        b"POST /v1/resync HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n".to_vec(),
    ] {
        let mut line = tokio::net::UnixStream::connect(daemon.home.socket()).await?;
        // It may hang up before all is said.
        let _ = line.write_all(&request).await;
        let _ = line.shutdown().await;
        let mut answer = Vec::new();
        let _ = line.read_to_end(&mut answer).await;
    }
    for path in [
        "runs?limit=nothing",
        "runs/r999999999999999999999",
        "records/a/b?after=%00",
        "nothing/at/all",
    ] {
        let error =
            daemon.client.get::<Problem>(path).await.expect_err("no such thing").to_string();
        assert!(error.contains(": 4"), "{path} is the asker's fault: {error}");
    }
    let clients = (0..200).map(|_| daemon.client.status());
    for status in clients {
        status.await?;
    }
    assert_eq!(daemon.ended(), None);
    Ok(())
}

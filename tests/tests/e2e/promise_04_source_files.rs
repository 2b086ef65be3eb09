//! Promise 4: a source file is not moved or removed before its content is safe, and its original is kept by hash.

use std::{fs, io::Read as _, path::Path};

use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{Office, Truth, data::REQUESTS},
};

use crate::waits;

/// Whether one of the originals kept in `state_dir` is `content`.
fn is_kept(state_dir: &Path, content: &[u8]) -> anyhow::Result<bool> {
    let mut folders = vec![state_dir.join("originals")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut kept = Vec::new();
            let read = zstd::Decoder::new(fs::File::open(&path)?)
                .and_then(|mut original| original.read_to_end(&mut kept));
            if read.is_ok() && kept == content {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[tokio::test]
async fn promise_4_a_file_stays_where_it_is_until_bank_and_original_have_it() -> anyhow::Result<()>
{
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, 30_000))?;
    home.partner(&office.file("2s"))?;
    let csv = office.csv();
    let mut daemon = Daemon::start(home).await?;
    office.drop_file("requests-1.csv", csv.as_bytes())?;
    for _ in 0..3 {
        daemon
            .until("the import begun", async |client| {
                let begun = !client.status().await?.running.is_empty();
                Ok((begun || !client.runs(&office.feed()).await?.is_empty()).then_some(()))
            })
            .await?;
        daemon.kill9().await?;
        let [left, done, _] = office.left();
        if left.is_empty() {
            assert_eq!(done, ["requests-1.csv"]);
            let found = bank::differences(&daemon.state_dir(), &office.feed(), &office.truth)?;
            assert_eq!(found, Vec::<String>::new(), "moved away before it was in the bank");
            assert!(is_kept(&daemon.state_dir(), csv.as_bytes())?, "moved away before it was kept");
        }
        daemon.go().await?;
    }
    daemon
        .until("the file put away", async |_| {
            Ok((office.left()[1] == ["requests-1.csv"]).then_some(()))
        })
        .await?;
    waits::same_rows(&daemon, &office, &office.truth).await?;
    assert!(is_kept(&daemon.state_dir(), csv.as_bytes())?);
    assert_eq!(
        fs::read(office.folder().join("done/requests-1.csv"))?,
        csv.as_bytes(),
        "byte for byte"
    );
    Ok(())
}

#[tokio::test]
async fn promise_4_a_file_that_nobody_can_read_is_held_whole_with_its_original()
-> anyhow::Result<()> {
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, 10))?;
    home.partner(&office.file("2s"))?;
    let daemon = Daemon::start(home).await?;
    let content = b"what is this\n\x00\xff\xfe".repeat(50);
    office.drop_file("requests-odd.csv", &content)?;
    let items = waits::quarantined(&daemon, &office.feed(), 1).await?;
    assert_eq!(items[0].place.file.as_deref(), Some("requests-odd.csv"), "{items:?}");
    daemon
        .until("the file in held/", async |_| {
            Ok(office.left()[2].iter().any(|name| name == "requests-odd.csv").then_some(()))
        })
        .await?;
    assert_eq!(fs::read(office.folder().join("held/requests-odd.csv"))?, content, "byte for byte");
    assert!(is_kept(&daemon.state_dir(), &content)?);
    Ok(())
}

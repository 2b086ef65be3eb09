//! Bad input in folders: what is bad is named by file, line and field; what is good is kept; what is unfinished waits.

use std::{fs, os::unix::fs::PermissionsExt as _};

use marsad_shared::{health::Reason, run::Outcome};
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{Office, Truth, data::REQUESTS},
};

use crate::waits;

async fn with_office(rows: u64, settle: &str) -> anyhow::Result<(Daemon, Office)> {
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, rows))?;
    home.partner(&office.file(settle))?;
    Ok((Daemon::start(home).await?, office))
}

#[tokio::test]
async fn a_csv_with_a_ragged_row_a_bad_date_and_a_doubled_key_keeps_its_good_rows()
-> anyhow::Result<()> {
    let (daemon, office) = with_office(20, "2s").await?;
    let mut lines: Vec<String> = office.csv().lines().map(str::to_owned).collect();
    // Line 1 is the header. The doubled key's older row comes first and has to lose.
    let older = lines[10].replace("F0", "F9");
    assert_ne!(older, lines[10]);
    lines.insert(1, older);
    lines.insert(5, "H-RAGGED,F000001,Wasit,rent".to_owned());
    lines.insert(
        8,
        "H-DATE,F000001,Wasit,rent,31/02/2026,1.50,paid,2026-01-01T00:00:00Z".to_owned(),
    );
    office.drop_file("requests-1.csv", (lines.join("\n") + "\n").as_bytes())?;

    let run =
        waits::run(&daemon, &office.feed(), 0, "partial", |run| run.outcome == Outcome::Partial)
            .await?;
    let counts = run.counts;
    assert_eq!(
        (counts.received, counts.inserted, counts.duplicate, counts.quarantined),
        (23, 20, 1, 2),
        "{run:?}"
    );
    assert!(counts.balances());
    assert_eq!(run.file.as_deref(), Some("requests-1.csv"));
    waits::same_rows(&daemon, &office, &office.truth).await?;
    let items = waits::quarantined(&daemon, &office.feed(), 2).await?;
    let places: Vec<_> =
        items.iter().map(|item| (item.place.line, item.place.field.as_deref())).collect();
    assert_eq!(places, [(Some(6), None), (Some(9), Some("asked_on"))], "{items:#?}");
    for (item, word) in items.iter().zip(["cells", "date"]) {
        assert_eq!(item.place.file.as_deref(), Some("requests-1.csv"));
        assert!(item.reason.contains(word), "{}", item.reason);
        assert!(!item.reason.contains("31/02"), "a reason names no content: {}", item.reason);
    }
    assert_eq!(office.left()[1], ["requests-1.csv"], "taken, good rows and bad");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_still_being_written_waits_until_it_is_whole() -> anyhow::Result<()> {
    let (daemon, office) = with_office(300, "3s").await?;
    let csv = office.csv();
    let third = csv.len() / 3;
    let mut growing = office.begin("requests-slow.csv")?;
    growing.write(&csv.as_bytes()[..third])?;
    // Another file comes and goes meanwhile: proof that the folder is looked at while the first one grows.
    for (number, part) in
        [&csv.as_bytes()[third..2 * third], &csv.as_bytes()[2 * third..]].into_iter().enumerate()
    {
        let name = format!("requests-other-{number}.csv");
        let other = format!(
            "{}X{number},F1,Wasit,rent,2026-01-01,1,paid,2026-01-01T00:00:00Z\n",
            REQUESTS.csv_header()
        );
        office.drop_file(&name, other.as_bytes())?;
        waits::run(&daemon, &office.feed(), 0, &name, |run| {
            run.file.as_deref() == Some(&name) && run.outcome.is_good()
        })
        .await?;
        growing.write(part)?;
    }
    let run = waits::run(&daemon, &office.feed(), 0, "the slow file", |run| {
        run.file.as_deref() == Some("requests-slow.csv") && run.outcome != Outcome::Running
    })
    .await?;
    assert_eq!(
        (run.outcome, run.counts.inserted),
        (Outcome::Succeeded, 300),
        "whole, and once: {run:?}"
    );
    let runs = daemon.client.runs(&office.feed()).await?;
    let slow = runs.iter().filter(|run| run.file.as_deref() == Some("requests-slow.csv")).count();
    assert_eq!(slow, 1, "{runs:#?}");
    Ok(())
}

#[tokio::test]
async fn files_under_temporary_names_are_left_alone() -> anyhow::Result<()> {
    let (daemon, office) = with_office(5, "2s").await?;
    for name in [".requests-1.csv", "requests-1.csv.part", "~$requests-1.csv", "notes.txt"] {
        fs::write(office.folder().join(name), office.csv())?;
    }
    office.drop_file("requests-2.csv", office.csv().as_bytes())?;
    waits::good_run(&daemon, &office.feed(), 0).await?;
    daemon
        .until("requests-2.csv put away", async |_| Ok((office.left()[1].len() == 1).then_some(())))
        .await?;
    assert_eq!(office.left()[0].len(), 4, "{:?}", office.left());
    assert_eq!(daemon.client.runs(&office.feed()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_our_own_trouble_and_passes() -> anyhow::Result<()> {
    let (daemon, office) = with_office(30, "2s").await?;
    let away = daemon.path().join("elsewhere");
    // Modes do not stop root, so the folder is taken away altogether.
    fs::rename(office.folder(), &away)?;
    if !nix::unistd::geteuid().is_root() {
        fs::create_dir(office.folder())?;
        fs::set_permissions(office.folder(), fs::Permissions::from_mode(0o000))?;
    }
    let (run, reason) = waits::failed_run(&daemon, &office.feed(), 0).await?;
    assert!(
        reason.contains("folder")
            && reason.contains("in")
            && reason.contains("let marsadd read it"),
        "{reason}"
    );
    assert!(run.cause.is_some_and(Reason::is_local), "not the partner's fault: {run:?}");
    let row = daemon.client.connection(&office.connection()).await?;
    assert_ne!(row.health.word(), "down", "{row:?}");

    if office.folder().exists() {
        fs::remove_dir(office.folder())?;
    }
    fs::rename(&away, office.folder())?;
    office.drop_file("requests-1.csv", office.csv().as_bytes())?;
    waits::same_rows(&daemon, &office, &office.truth).await
}

#[tokio::test]
async fn a_link_in_the_folder_is_not_followed() -> anyhow::Result<()> {
    let (daemon, office) = with_office(5, "2s").await?;
    let secret = daemon.path().join("outside.csv");
    fs::write(&secret, office.csv())?;
    std::os::unix::fs::symlink(&secret, office.folder().join("requests-link.csv"))?;
    office.drop_file(
        "requests-real.csv",
        format!(
            "{}X1,F1,Wasit,rent,2026-01-01,1,paid,2026-01-01T00:00:00Z\n",
            REQUESTS.csv_header()
        )
        .as_bytes(),
    )?;
    waits::good_run(&daemon, &office.feed(), 0).await?;
    daemon
        .until("the real file put away", async |_| Ok((!office.left()[1].is_empty()).then_some(())))
        .await?;
    let rows =
        bank::number(&daemon.state_dir(), "cache.db", "SELECT count(*) FROM housing__requests")?;
    assert_eq!(rows, 1, "what the link points at was read");
    assert!(secret.exists());
    Ok(())
}

#[tokio::test]
async fn columns_are_taken_from_the_first_file_and_another_layout_is_held() -> anyhow::Result<()> {
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, 20))?;
    let mut file = office.file("2s");
    let lines: Vec<_> = file.text().lines().filter(|line| !line.starts_with("fields")).collect();
    let text = lines.join("\n");
    home.partner(file.add(""))?;
    fs::write(home.path().join("partners.d/housing.toml"), text)?;
    let daemon = Daemon::start(home).await?;
    office.drop_file("requests-1.csv", office.csv().as_bytes())?;
    let run = waits::good_run(&daemon, &office.feed(), 0).await?;
    assert_eq!(run.counts.inserted, 20);
    let renamed = office.csv().replace("family_ref", "family");
    office.drop_file("requests-2.csv", renamed.as_bytes())?;
    let run =
        waits::run(&daemon, &office.feed(), 0, "held", |run| run.outcome == Outcome::Held).await?;
    assert!(run.reason.as_deref().is_some_and(|reason| reason.contains("family")), "{run:?}");
    daemon
        .until("the file in held/", async |_| {
            Ok(office.left()[2].iter().any(|name| name == "requests-2.csv").then_some(()))
        })
        .await
}

#[tokio::test]
async fn a_file_that_comes_again_takes_back_what_came_between() -> anyhow::Result<()> {
    let (daemon, mut office) = with_office(50, "1s").await?;
    let (first, before) = (office.csv(), office.truth.clone());
    office.drop_file("requests-1.csv", first.as_bytes())?;
    waits::same_rows(&daemon, &office, &before).await?;
    office.truth.change(20);
    office.drop_file("requests-2.csv", office.csv().as_bytes())?;
    waits::same_rows(&daemon, &office, &office.truth).await?;
    // The correction is withdrawn: the first delivery again, byte for byte.
    office.drop_file("requests-3.csv", first.as_bytes())?;
    waits::same_rows(&daemon, &office, &before).await
}

//! Workbooks that are dropped into a folder: one sheet of each is a feed's file, and the worst of them is held.

use std::{fmt::Write as _, fs};

use marsad_shared::{health::Reason, run::Outcome};
use marsad_tests::{
    bank,
    build::workspace,
    daemon::{Daemon, Home},
};

use crate::{
    book::{Book, row},
    waits,
    zip::{Member, zip},
};

/// A partner whose folder has these feeds: of each its name and its keys.
async fn with_feeds(feeds: &[(&str, &str)]) -> anyhow::Result<Daemon> {
    let home = Home::new()?;
    let folder = home.join("in");
    fs::create_dir_all(&folder)?;
    let mut text = format!(
        "[partner]\nid = \"council\"\n[[connection]]\nid = \"drop\"\nimport = \"{}\"\nsettle = \"1s\"\n",
        folder.display()
    );
    for (name, keys) in feeds {
        writeln!(text, "[[feed]]\nid = \"{name}\"\nconnection = \"drop\"\n{keys}")?;
    }
    fs::write(home.path().join("partners.d/council.toml"), text)?;
    Daemon::start(home).await
}

fn drop_file(daemon: &Daemon, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = daemon.path().join("in");
    fs::write(folder.join(format!(".{name}.part")), bytes)?;
    Ok(fs::rename(folder.join(format!(".{name}.part")), folder.join(name))?)
}

#[tokio::test]
async fn both_sheets_of_a_sample_come_into_the_bank_each_in_its_own_feed() -> anyhow::Result<()> {
    let activities = r#"files = "council*.xlsx"
sheet = "الأنشطة"
header_row = 3
stop = ["الإجمالي"]
key = ["no"]
[feed.fields]
no = { type = "text", from = "رقم النشاط" }
begins = { type = "timestamp", from = "تاريخ البدء", format = "%d/%m/%Y" }
people = { type = "integer", from = "عدد المستفيدين" }"#;
    let results = "files = \"*council-activities.xlsx\"\nsheet = 2\nkey = [\"الرمز\"]";
    let daemon = with_feeds(&[("activities", activities), ("results", results)]).await?;
    let sample = fs::read(workspace().join("tests/samples/council-activities.xlsx"))?;
    drop_file(&daemon, "council-activities.xlsx", &sample)?;
    for (feed, rows) in [("activities", 4), ("results", 3)] {
        let run = waits::good_run(&daemon, &format!("council/{feed}"), 0).await?;
        assert_eq!(run.counts.received, rows, "{run:?}");
        assert_eq!((run.outcome, run.bytes), (Outcome::Succeeded, sample.len() as u64));
    }
    let people = "SELECT sum(people) FROM council__activities";
    assert_eq!(bank::number(&daemon.state_dir(), "cache.db", people)?, 269);
    Ok(())
}

#[tokio::test]
async fn a_workbook_is_read_out_of_whatever_it_is_packed_in_and_told_by_what_it_is()
-> anyhow::Result<()> {
    let daemon = with_feeds(&[("data", "files = \"*\"\nkey = [\"id\"]")]).await?;
    let book = |id: &str| Book::new(&(row(1, &["id", "n"]) + &row(2, &[id, "5"]))).bytes();
    let mut after = 0;
    for (name, bytes, place) in [
        ("one.xlsx", book("A"), "one.xlsx"),
        ("two.zip", zip(&[Member::stored("in/two.xlsx", &book("B"))]), "two.zip"),
        ("three.xlsx.zst", zstd::encode_all(&book("C")[..], 1)?, "three.xlsx.zst"),
        ("four.dat", book("D"), "four.dat"),
    ] {
        drop_file(&daemon, name, &bytes)?;
        let run = waits::good_run(&daemon, "council/data", after).await?;
        assert_eq!((run.file.as_deref(), run.counts.inserted), (Some(place), 1), "{run:?}");
        after = waits::number(&run);
    }
    // From what was kept, as it was.
    let ordered = daemon.client.resync("council/data", true).await?.run.unwrap();
    let run = waits::run(&daemon, "council/data", after, "read again", |run| {
        run.id == ordered && run.outcome.is_good()
    })
    .await?;
    assert_eq!(run.counts.received, 4, "{run:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_row_is_told_by_file_row_and_field() -> anyhow::Result<()> {
    let keys = "files = \"*\"\nformat = \"xlsx\"\nheader_row = 2\nkey = [\"id\"]\nfields = { id = \"text\", n = \"integer\" }";
    let daemon = with_feeds(&[("data", keys)]).await?;
    let rows = [
        row(1, &["a title"]),
        row(2, &["id", "n"]),
        row(3, &["A", "1"]),
        row(5, &["B", r#"<t="e"><v>#N/A</v>"#]),
        row(6, &["C", "1.5"]),
    ];
    let book = Book::new(&rows.concat()).bytes();
    drop_file(&daemon, "may.zip", &zip(&[Member::new("data.xlsx", &book)]))?;
    let run =
        waits::run(&daemon, "council/data", 0, "partial", |run| run.outcome == Outcome::Partial)
            .await?;
    assert_eq!((run.counts.inserted, run.counts.quarantined), (1, 2), "{run:?}");
    assert!(run.counts.balances());
    let items = waits::quarantined(&daemon, "council/data", 2).await?;
    for (item, (line, word)) in items.iter().zip([(5, "cell B5"), (6, "whole number")]) {
        assert_eq!(item.place.file.as_deref(), Some("may.zip/data.xlsx"));
        assert_eq!((item.place.line, item.place.field.as_deref()), (Some(line), Some("n")));
        assert!(item.reason.contains(word), "{}", item.reason);
    }
    Ok(())
}

#[tokio::test]
async fn promise_8_no_workbook_ends_the_daemon() -> anyhow::Result<()> {
    let daemon =
        with_feeds(&[("data", "files = \"*\"\nformat = \"xlsx\"\nkey = [\"id\"]")]).await?;
    let pid = daemon.pid()?;
    let good = || Book::new(&(row(1, &["id"]) + &row(2, &["A"])));
    let count = r#"<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" uniqueCount="4294967295"></sst>"#;
    let mut crc = good().parts();
    crc[0].crc ^= 1;
    for (name, bytes, word, cause) in [
        (
            "count.xlsx",
            Book { strings: Some(count.to_owned()), ..good() }.bytes(),
            "MiB of memory",
            Reason::TooLarge,
        ),
        ("crc.xlsx", zip(&crc), "checksum", Reason::Truncated),
        ("two.xlsx", good().sheet("Other", "").bytes(), "`sheet`", Reason::Schema),
        ("text.xlsx", b"id\n1\n".to_vec(), "no workbook", Reason::NotJson),
        (
            "old.xls",
            [&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1][..], &[0; 99]].concat(),
            "save",
            Reason::NotJson,
        ),
    ] {
        drop_file(&daemon, name, &bytes)?;
        let run = waits::run(&daemon, "council/data", 0, name, |run| {
            run.file.as_deref() == Some(name) && run.outcome != Outcome::Running
        })
        .await?;
        let reason = run.reason.clone().unwrap_or_default();
        assert_eq!((run.outcome, run.cause), (Outcome::Held, Some(cause)), "{name}: {reason}");
        assert!(reason.contains(word) && reason.contains(name), "{name}: {reason}");
    }
    drop_file(&daemon, "good.xlsx", &good().bytes())?;
    waits::good_run(&daemon, "council/data", 0).await?;
    assert_eq!(daemon.pid()?, pid);
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while it is looked at.
        let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        assert_eq!(children.trim(), "", "each process that read is gone, and was waited for");
    }
    Ok(())
}

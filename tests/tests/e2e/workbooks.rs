//! Workbooks that are dropped into a folder: one sheet of each is a feed's file, and the worst of them is held.

use std::{fmt::Write as _, fs, process::Command, sync::Mutex};

use marsad_shared::{health::Reason, protocol::RunRow, run::Outcome};
use marsad_tests::{
    bank,
    build::workspace,
    daemon::{Daemon, Home},
    partner::{PartnerFile, Reply, Script},
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

/// The activities of the sample, as somebody would write them down.
const ACTIVITIES: &str = r#"sheet = "الأنشطة"
header_row = 3
stop = ["الإجمالي"]
key = ["no"]
[feed.fields]
no = { type = "text", from = "رقم النشاط" }
begins = { type = "timestamp", from = "تاريخ البدء", format = "%d/%m/%Y" }
people = { type = "integer", from = "عدد المستفيدين" }"#;

#[tokio::test]
async fn both_sheets_of_a_sample_come_into_the_bank_each_in_its_own_feed() -> anyhow::Result<()> {
    let activities = &format!("files = \"council-*.xlsx\"\n{ACTIVITIES}");
    let results = "files = \"council-*.xlsx\"\nsheet = 2\nkey = [\"الرمز\"]";
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
        ("crc.xlsx", zip(&crc), "checksum", Reason::Checksum),
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

/// The process that reads a workbook for the daemon, once there is one that has set itself its limits.
async fn reader_of(daemon: &Daemon) -> anyhow::Result<String> {
    let pid = daemon.pid()?;
    let child = || {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end while it is looked at.
            let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
            let Some(child) = children.split_whitespace().next() else { continue };
            let limits = fs::read_to_string(format!("/proc/{child}/limits")).unwrap_or_default();
            let of_time = limits.lines().find(|line| line.starts_with("Max cpu time"));
            if of_time.is_some_and(|line| !line.contains("unlimited")) {
                return Ok(Some(child.to_owned()));
            }
        }
        Ok(None)
    };
    waits::sight("a process that reads", child).await
}

#[tokio::test]
async fn a_workbook_that_takes_too_long_is_held_and_the_next_one_taken() -> anyhow::Result<()> {
    let daemon =
        with_feeds(&[("data", "files = \"*.xlsx\"\nkey = [\"id\"]\nfields = { id = \"text\" }")])
            .await?;
    let rows: String =
        (2..250_000).map(|line| row(line, &["A", "a text of some length"])).collect();
    drop_file(&daemon, "long.xlsx", &Book::new(&(row(1, &["id", "text"]) + &rows)).bytes())?;
    let child = reader_of(&daemon).await?;
    // What it may compute is a minute. A second is enough to see what becomes of it then.
    let lowered = Command::new("prlimit").args(["--pid", &child, "--cpu=1:60"]).output()?;
    assert!(lowered.status.success(), "{}", String::from_utf8_lossy(&lowered.stderr));
    let held = |run: &RunRow| run.outcome == Outcome::Held;
    let run = waits::run(&daemon, "council/data", 0, "held", held).await?;
    let reason = run.reason.unwrap_or_default();
    assert_eq!(run.cause, Some(Reason::TooLarge), "{reason}");
    assert!(reason.contains("60 seconds"), "{reason}");
    drop_file(&daemon, "good.xlsx", &Book::new(&(row(1, &["id"]) + &row(2, &["A"]))).bytes())?;
    waits::good_run(&daemon, "council/data", 0).await?;
    Ok(())
}

/// A partner that answers with what `book` holds, as a workbook, and feeds that read it.
async fn serving(
    book: &'static Mutex<Vec<u8>>,
    kind: &'static str,
    feeds: &[(&str, &str)],
) -> anyhow::Result<(Script, Daemon)> {
    let script = Script::start(move |_| {
        let bytes = book.lock().map(|book| book.clone()).unwrap_or_default();
        Reply::bytes(kind, bytes)
    })
    .await?;
    let mut file = PartnerFile::new("council");
    file.connection("api", &format!("base_url = \"http://{}\"", script.address()));
    for (name, keys) in feeds {
        file.add(&format!(
            "\n[[feed]]\nid = \"{name}\"\nconnection = \"api\"\npath = \"/{name}\"\n\
             schedule = {{ every = \"1h\" }}\n{keys}\n"
        ));
    }
    Ok((script, Daemon::start(Home::with(&[&file])?).await?))
}

const SHEET: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

#[tokio::test]
async fn a_workbook_that_a_partner_answers_with_is_read_as_a_file_is() -> anyhow::Result<()> {
    static BOOK: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let sample = fs::read(workspace().join("tests/samples/council-activities.xlsx"))?;
    BOOK.lock().unwrap().clone_from(&sample);
    let results = "sheet = 2\nkey = [\"الرمز\"]";
    let feeds = [("activities", ACTIVITIES), ("results", results)];
    let (_partner, daemon) = serving(&BOOK, SHEET, &feeds).await?;
    for (feed, rows) in [("activities", 4), ("results", 3)] {
        let run = waits::good_run(&daemon, &format!("council/{feed}"), 0).await?;
        assert_eq!((run.outcome, run.counts.received), (Outcome::Succeeded, rows), "{run:?}");
        assert_eq!(run.bytes, sample.len() as u64, "{run:?}");
    }
    let people = "SELECT sum(people) FROM council__activities";
    assert_eq!(bank::number(&daemon.state_dir(), "cache.db", people)?, 269);
    let tried = daemon.cli(&["test", "council/api"]).await?;
    assert!(tried.code == 0 && tried.out.contains("4 records"), "{} {}", tried.out, tried.err);
    Ok(())
}

#[tokio::test]
async fn promise_8_no_workbook_of_an_answer_ends_the_daemon() -> anyhow::Result<()> {
    static BOOK: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let good = || Book::new(&(row(1, &["id", "n"]) + &row(2, &["A", "5"]) + &row(3, &["B", "x"])));
    let keys = "format = \"xlsx\"\nkey = [\"id\"]\nfields = { id = \"text\", n = \"integer\" }";
    BOOK.lock().unwrap().clone_from(&good().bytes());
    let (_partner, daemon) = serving(&BOOK, "application/octet-stream", &[("data", keys)]).await?;
    let pid = daemon.pid()?;
    let partial = |run: &RunRow| run.outcome == Outcome::Partial;
    let run = waits::run(&daemon, "council/data", 0, "good but for a row", partial).await?;
    assert_eq!((run.counts.inserted, run.counts.quarantined), (1, 1), "{run:?}");
    let item = &waits::quarantined(&daemon, "council/data", 1).await?[0];
    assert_eq!((item.place.line, item.place.field.as_deref()), (Some(3), Some("n")), "{item:?}");

    let count = r#"<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" uniqueCount="4294967295"></sst>"#;
    let mut crc = good().parts();
    crc[0].crc ^= 1;
    let hostile = Book { strings: Some(count.to_owned()), ..good() }.bytes();
    let mut after = waits::number(&run);
    for (bytes, word, cause) in [
        (hostile, "MiB of memory", Reason::TooLarge),
        (zip(&crc), "checksum", Reason::Checksum),
        (b"id\n1\n".to_vec(), "no workbook", Reason::NotJson),
    ] {
        BOOK.lock().unwrap().clone_from(&bytes);
        daemon.client.resync("council/data", false).await?;
        let (run, reason) = waits::failed_run(&daemon, "council/data", after).await?;
        assert_eq!(run.cause, Some(cause), "{reason}");
        assert!(reason.contains(word) && reason.contains("page 1"), "{reason}");
        after = waits::number(&run);
    }
    BOOK.lock().unwrap().clone_from(&good().bytes());
    daemon.client.resync("council/data", false).await?;
    waits::run(&daemon, "council/data", after, "good again", partial).await?;
    assert_eq!(daemon.pid()?, pid);
    assert_eq!(
        bank::number(&daemon.state_dir(), "cache.db", "SELECT count(*) FROM council__data")?,
        1
    );
    Ok(())
}

//! Files that come packed: read through as what is inside, kept as they came, and held whole where the packing lies.

use std::{fs, io::Write as _, slice};

use flate2::{Compression, write::GzEncoder};
use marsad_shared::{health::Reason, run::Outcome};
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::{Office, Truth, data::REQUESTS},
};

use crate::{
    waits,
    zip::{Member, zip},
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A feed that reads any file of the folder as CSV, with `keys` beside.
async fn with_office(rows: u64, keys: &str) -> anyhow::Result<(Daemon, Office)> {
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, rows))?;
    let file = office.file("1s").text().replace("requests-*.csv", "requests*");
    fs::write(home.path().join("partners.d/housing.toml"), format!("{file}\n{keys}"))?;
    Ok((Daemon::start(home).await?, office))
}

/// All that is kept, as it was.
fn originals(daemon: &Daemon) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut kept = Vec::new();
    for folder in fs::read_dir(daemon.state_dir().join("originals"))? {
        for file in fs::read_dir(folder?.path())? {
            kept.push(zstd::decode_all(fs::File::open(file?.path())?)?);
        }
    }
    Ok(kept)
}

/// The rows in two halves, each a CSV file.
fn halves(office: &Office) -> [String; 2] {
    let csv = office.csv();
    let (header, rows) = csv.split_once('\n').unwrap();
    let lines: Vec<_> = rows.lines().collect();
    let (one, other) = lines.split_at(lines.len() / 2);
    [one, other].map(|lines| format!("{header}\n{}\n", lines.join("\n")))
}

#[tokio::test]
async fn a_packed_file_is_read_as_what_is_in_it_and_kept_as_it_came() -> anyhow::Result<()> {
    let (daemon, mut office) = with_office(40, "").await?;
    let mut after = 0;
    for (name, pack) in [
        ("requests-1.csv.gz", gzip as fn(&[u8]) -> Vec<u8>),
        ("requests-2.csv.zst", |plain| zstd::encode_all(plain, 1).unwrap()),
        // The name says that it is not packed.
        ("requests-3.csv", gzip),
        // Two members, as `cat` makes them.
        ("requests-4.GZIP", |plain| [gzip(&plain[..100]), gzip(&plain[100..])].concat()),
        ("requests-5.zip", |plain| zip(&[Member::new("requests.csv", plain)])),
    ] {
        let packed = pack(office.csv().as_bytes());
        office.drop_file(name, &packed)?;
        let run = waits::good_run(&daemon, &office.feed(), after).await?;
        after = waits::number(&run);
        assert_eq!(run.file.as_deref(), Some(name));
        assert_eq!(run.bytes, packed.len() as u64, "{name}: as it came");
        waits::same_rows(&daemon, &office, &office.truth).await?;
        assert!(originals(&daemon)?.contains(&packed), "{name}");
        office.truth.change(7);
    }
    // Read again from what was kept, oldest first: the last one's rows stand.
    let ordered = daemon.client.resync(&office.feed(), true).await?.run.unwrap();
    let run = waits::run(&daemon, &office.feed(), after, "read again", |found| {
        found.id == ordered && found.outcome.is_good()
    })
    .await?;
    assert_eq!(run.counts.received, 200, "{run:?}");
    Ok(())
}

#[tokio::test]
async fn an_archive_is_one_run_over_the_members_that_are_wanted() -> anyhow::Result<()> {
    let (daemon, office) = with_office(40, "entries = \"*.csv\"\n").await?;
    let [one, other] = halves(&office);
    let bad = format!("{other}H-DATE,F1,Wasit,rent,31/02/2026,1.50,paid,2026-01-01T00:00:00Z\n");
    let archive = zip(&[
        Member::new("2026/b.csv", one.as_bytes()),
        Member::new("2026/read me.txt", b"not rows"),
        Member::stored("a.csv", bad.as_bytes()),
    ]);
    office.drop_file("requests.zip", &archive)?;
    let run =
        waits::run(&daemon, &office.feed(), 0, "partial", |run| run.outcome == Outcome::Partial)
            .await?;
    assert_eq!((run.counts.received, run.counts.inserted), (41, 40), "{run:?}");
    assert!(run.counts.balances());
    let items = waits::quarantined(&daemon, &office.feed(), 1).await?;
    assert_eq!(items[0].place.file.as_deref(), Some("requests.zip/a.csv"));
    assert_eq!(items[0].place.line, Some(22));
    waits::same_rows(&daemon, &office, &office.truth).await
}

#[tokio::test]
async fn an_archive_whose_second_member_is_bad_brings_nothing_and_is_held() -> anyhow::Result<()> {
    let (daemon, office) = with_office(40, "").await?;
    let [one, other] = halves(&office);
    let good = Member::new("a.csv", one.as_bytes());
    let bad = |name: &str| Member::new(name, other.as_bytes());
    let nested = zip(slice::from_ref(&good));
    let dense = vec![b' '; 8 << 20];
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 9].to_vec();
    let files = [
        (
            "crc",
            zip(&[good.clone(), Member { crc: 7, ..bad("b.csv") }]),
            "b.csv",
            Reason::Truncated,
        ),
        ("two", zip(&[good.clone(), bad("a.csv")]), "a.csv is there twice", Reason::NotJson),
        ("up", zip(&[good.clone(), bad("../b.csv")]), "leads out", Reason::NotJson),
        (
            "secret",
            zip(&[good.clone(), Member { flags: 1, ..bad("b.csv") }]),
            "encrypted",
            Reason::NotJson,
        ),
        (
            "link",
            zip(&[good.clone(), Member { mode: 0o120_777, ..bad("b.csv") }]),
            "link",
            Reason::NotJson,
        ),
        (
            "nested",
            zip(&[good.clone(), Member::new("b.zip", &nested)]),
            "packed twice",
            Reason::NotJson,
        ),
        ("bomb", zip(&[good.clone(), Member::new("b.csv", &dense)]), "200 times", Reason::TooLarge),
        ("cut", cut(zip(slice::from_ref(&good))), "cut off", Reason::Truncated),
        ("none", zip(&[]), "empty", Reason::Schema),
        (
            "esc",
            zip(&[good.clone(), bad("\u{1b}]52;c;x\u{7}/../b.csv")]),
            "\\u{1b}]52",
            Reason::NotJson,
        ),
        ("gz-cut", cut(gzip(office.csv().as_bytes())), "gzip", Reason::Truncated),
        ("gz-twice", gzip(&gzip(office.csv().as_bytes())), "packed twice", Reason::NotJson),
        ("gz-bomb", gzip(&dense), "200 times", Reason::TooLarge),
        (
            "gz-tail",
            [gzip(office.csv().as_bytes()), b"more".to_vec()].concat(),
            "gzip",
            Reason::Truncated,
        ),
    ];
    for (name, bytes, word, cause) in files {
        let file = format!("requests-{name}");
        office.drop_file(&file, &bytes)?;
        let run = waits::run(&daemon, &office.feed(), 0, &file, |run| {
            run.file.as_deref() == Some(&file) && run.outcome != Outcome::Running
        })
        .await?;
        let reason = run.reason.clone().unwrap_or_default();
        assert_eq!((run.outcome, run.cause), (Outcome::Held, Some(cause)), "{name}: {reason}");
        assert!(reason.contains(word) && reason.contains(&file), "{name}: {reason}");
        assert!(!reason.contains('\u{1b}'), "{name}: {reason}");
        daemon.until(&file, async |_| Ok(office.left()[2].contains(&file).then_some(()))).await?;
    }
    let rows =
        bank::number(&daemon.state_dir(), "cache.db", "SELECT count(*) FROM housing__requests")?;
    assert_eq!(rows, 0, "not a row of any of them");
    Ok(())
}

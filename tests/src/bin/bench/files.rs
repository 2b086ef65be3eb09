//! Rows 1, 2 and 3: a large CSV for the first time, again with one row in a thousand changed, and the very same again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use marsad_shared::{protocol::RunRow, run::Outcome};
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::PartnerFile,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    Setting,
    input::{FIELDS, Input},
    measure::{Cost, Watched, of_command},
    peers,
    report::{Figure, Report},
};

const OURS: &str = "marsad";
const AGAIN: &str = "marsad, the same again";
const HASH: &str = "one hash of it";

/// A daemon with an import folder that waits for `records-*.csv`.
struct Ours {
    daemon: Daemon,
    folder: PathBuf,
    run: u64,
}

impl Ours {
    async fn start() -> anyhow::Result<Self> {
        Self::start_with("").await
    }

    /// With further keys of its feed.
    async fn start_with(keys: &str) -> anyhow::Result<Self> {
        let home = Home::new()?;
        let folder = home.join("in");
        fs::create_dir(&folder)?;
        let mut file = PartnerFile::new("statistics");
        file.connection("drop", &format!("import = \"{}\"\nsettle = \"1s\"\n", folder.display()));
        file.add("\n[[feed]]\nid = \"records\"\nconnection = \"drop\"\nkey = [\"record_id\"]\nfiles = \"records-*.csv\"");
        file.add(&format!("fields = {{ {FIELDS} }}\n{keys}"));
        home.partner(&file)?;
        Ok(Self { daemon: Daemon::start_quietly(home).await?, folder, run: 0 })
    }

    /// Has it import `csv`: from the rename that completes the file to the end of its run.
    async fn take(&mut self, csv: &Path) -> anyhow::Result<(Cost, RunRow)> {
        let (temporary, last) = (self.folder.join(".records.part"), self.run);
        fs::copy(csv, &temporary)?;
        fs::File::open(&temporary)?.sync_all()?;
        let watched = Watched::start(self.daemon.pid()?)?;
        fs::rename(&temporary, self.folder.join(format!("records-{last}.csv")))?;
        let ended = async |client: &marsad_tests::daemon::Client| {
            let runs = client.runs("statistics/records").await?;
            Ok(runs.into_iter().find(|run| number(run) > last && run.outcome != Outcome::Running))
        };
        let run = self.daemon.until("the import", ended).await?;
        let cost = watched.stop()?;
        ensure!(
            run.outcome.is_good(),
            "the import ended {}: {:?}\n{}",
            run.outcome,
            run.reason,
            self.daemon.log()
        );
        self.run = number(&run);
        Ok((cost, run))
    }
}

fn number(run: &RunRow) -> u64 {
    run.id.to_string().trim_start_matches('r').parse().unwrap_or_default()
}

/// Row 3.
pub(crate) async fn import(setting: &Setting) -> anyhow::Result<Report> {
    let input = Input::of(setting)?;
    let mut report = Report::new(format!("import: {} rows for the first time", input.rows));
    for _ in 0..setting.rounds {
        let mut ours = Ours::start().await?;
        let (cost, run) = ours.take(&input.csv()).await?;
        ensure!(run.counts.inserted == input.rows, "not all rows came in: {:?}", run.counts);
        report.add(OURS, cost);
        drop(ours);
        for peer in contenders(setting, &mut report, &input) {
            report.add(peer.name, peer.run(setting, false)?);
        }
    }
    report.compare(OURS, "sqlite3 .import", Figure::Wall, 1.0);
    report.compare(OURS, "sqlite-utils", Figure::Wall, 1.0 / 15.0);
    report.compare(OURS, "limit side-h", Figure::Cpu, 1.5);
    report.bound(OURS, Figure::Peak, 128.0, "MiB");
    Ok(report)
}

/// What one hash of all its bytes costs.
fn hash(file: &Path) -> anyhow::Result<Cost> {
    let watched = Watched::start(std::process::id())?;
    blake3::Hasher::new().update_reader(fs::File::open(file)?)?;
    watched.stop()
}

/// Rows 1 and 2.
pub(crate) async fn reread(setting: &Setting) -> anyhow::Result<Report> {
    let input = Input::of(setting)?;
    let mut report = Report::new(format!("reread: {} rows, one in a thousand changed", input.rows));
    for _ in 0..setting.rounds {
        let mut ours = Ours::start().await?;
        ours.take(&input.csv()).await?;
        let (cost, run) = ours.take(&input.csv2()).await?;
        ensure!(
            run.counts.received == input.rows && run.counts.balances(),
            "it does not balance: {:?}",
            run.counts
        );
        report.add(OURS, cost);
        let (cost, run) = ours.take(&input.csv2()).await?;
        ensure!(run.outcome == Outcome::Unchanged, "the same bytes are {}", run.outcome);
        report.add(AGAIN, cost);
        report.add(HASH, hash(&input.csv2())?);
        drop(ours);
        for peer in contenders(setting, &mut report, &input) {
            report.add(peer.name, peer.run(setting, true)?);
        }
    }
    report.compare(OURS, "limit side-h", Figure::Cpu, 1.5);
    report.compare(AGAIN, HASH, Figure::Cpu, 2.0);
    report.compare(OURS, "sqlite3 .import", Figure::Cpu, 1.0 / 3.0);
    report.compare(OURS, "sqlite-utils", Figure::Wall, 1.0 / 35.0);
    report.bound(OURS, Figure::Peak, 128.0, "MiB");
    Ok(report)
}

/// Row 14: every version is kept; one row in a thousand has two.
pub(crate) async fn evidence(setting: &Setting) -> anyhow::Result<Report> {
    let input = Input::of(setting)?;
    let mut ours = Ours::start_with("history = true").await?;
    ours.take(&input.csv()).await?;
    let (_, run) = ours.take(&input.csv2()).await?;
    ensure!(run.counts.updated > 0, "nothing changed: {:?}", run.counts);
    let state = ours.daemon.state_dir();
    let bank = Connection::open(state.join("cache.db"))?;
    let bytes = |like: &str| {
        let sql = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = 1 AND name IN \
                   (SELECT name FROM sqlite_schema WHERE tbl_name LIKE ?1)";
        bank.query_row(sql, [like], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
    };
    let (all, past) = (bytes("statistics%")?, bytes("statistics%past")?);
    let originals = files_in(&state.join("originals"))?;
    let tables = all - past;
    let title = format!("evidence: {} rows, {} of them changed", input.rows, run.counts.updated);
    let mut report = Report::new(title);
    report.note(format!(
        "typed tables {}, earlier versions {}",
        mebibytes(tables),
        mebibytes(past)
    ));
    let kept = if all * 10 <= tables * 12 { "kept" } else { "NOT KEPT" };
    report
        .note(format!("disk with them / without: {} %; budget 120 %: {kept}", all * 100 / tables));
    report.note(format!(
        "beside them both files as they came, packed, until retention: {}",
        mebibytes(originals)
    ));
    Ok(report)
}

/// What the files of a folder, and of those in it, take, in bytes.
fn files_in(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { files_in(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// A peer, with what it does first and what it does then.
struct Contender {
    name: &'static str,
    first: Box<dyn Fn(&Path) -> String>,
    then: Box<dyn Fn(&Path) -> String>,
}

impl Contender {
    /// What the first delivery costs, or the second after it.
    fn run(&self, setting: &Setting, second: bool) -> anyhow::Result<Cost> {
        let work = work(setting)?;
        let db = work.path().join("peer.db");
        let first = of_command(&(self.first)(&db)).with_context(|| self.name.to_owned())?;
        if second {
            of_command(&(self.then)(&db)).with_context(|| self.name.to_owned())
        } else {
            Ok(first)
        }
    }
}

fn work(setting: &Setting) -> anyhow::Result<TempDir> {
    let builder = || tempfile::Builder::new();
    Ok(match &setting.work {
        Some(folder) => builder().prefix("bench-").tempdir_in(folder)?,
        None => builder().prefix("marsad-bench-").tempdir()?,
    })
}

fn contenders(setting: &Setting, report: &mut Report, input: &Input) -> Vec<Contender> {
    let mut all = Vec::new();
    let files = || (input.csv(), input.csv2());
    if peers::is_here(report, "sqlite3") {
        let (csv, csv2) = files();
        all.push(Contender {
            name: "sqlite3 .import",
            first: Box::new(move |db| peers::sqlite_import(db, &csv)),
            then: Box::new(move |db| peers::sqlite_merge(db, &csv2)),
        });
    }
    if let Some(limit) = peers::limit(setting, report) {
        let run = move |db: &Path, csv: &Path| {
            let (limit, db, csv) = (limit.display(), db.display(), csv.display());
            format!("{limit} ingest --mode side-h --db {db} --file {csv} > /dev/null")
        };
        let (again, (csv, csv2)) = (run.clone(), files());
        all.push(Contender {
            name: "limit side-h",
            first: Box::new(move |db| run(db, &csv)),
            then: Box::new(move |db| again(db, &csv2)),
        });
    }
    if let Some(program) = peers::of_venvs(setting, report, "su/bin/sqlite-utils") {
        let run = move |verb: &str, db: &Path, csv: &Path| {
            let (program, db, csv) = (program.display(), db.display(), csv.display());
            format!("{program} {verb} {db} records {csv} --csv --pk record_id > /dev/null")
        };
        let (again, (csv, csv2)) = (run.clone(), files());
        all.push(Contender {
            name: "sqlite-utils",
            first: Box::new(move |db| run("insert", db, &csv)),
            then: Box::new(move |db| again("upsert", db, &csv2)),
        });
    }
    all
}

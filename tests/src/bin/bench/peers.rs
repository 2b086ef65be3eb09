//! The peers: where they are, and the commands that have them do the same work.

use std::path::{Path, PathBuf};

use super::{Setting, input::COLUMNS, report::Report};

/// How the peers of the hand-over folder are set up.
const SET_UP: &str = "set it up as bench/README.md says";

/// The columns of the peers' tables, with their types and the key.
fn typed() -> String {
    let column = |name: &&str| match *name {
        "record_id" => "record_id TEXT PRIMARY KEY".to_owned(),
        "priority" => "priority INTEGER".to_owned(),
        "amount" => "amount REAL".to_owned(),
        other => format!("{other} TEXT"),
    };
    COLUMNS.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// The `sqlite3` shell importing `csv` into a keyed table of `db`.
pub(crate) fn sqlite_import(db: &Path, csv: &Path) -> String {
    let (db, csv, typed) = (db.display(), csv.display(), typed());
    format!(
        "sqlite3 {db} 'PRAGMA journal_mode=WAL' 'PRAGMA synchronous=NORMAL' 'CREATE TABLE records({typed})' \
         '.import --csv --skip 1 {csv} records' > /dev/null"
    )
}

/// The `sqlite3` shell bringing that table up to date: imported beside it, then upserted where different.
pub(crate) fn sqlite_merge(db: &Path, csv: &Path) -> String {
    let rest = COLUMNS.get(1..).unwrap_or_default();
    let set: Vec<_> = rest.iter().map(|name| format!("{name}=excluded.{name}")).collect();
    let differs: Vec<_> =
        rest.iter().map(|name| format!("r.{name} IS NOT excluded.{name}")).collect();
    let (db, csv, typed) = (db.display(), csv.display(), typed());
    format!(
        "sqlite3 {db} 'PRAGMA journal_mode=WAL' 'PRAGMA synchronous=NORMAL' 'CREATE TEMP TABLE s({typed})' \
         '.import --csv --skip 1 --schema temp {csv} s' 'INSERT INTO records AS r SELECT * FROM s WHERE true \
         ON CONFLICT(record_id) DO UPDATE SET {} WHERE {}' > /dev/null",
        set.join(", "),
        differs.join(" OR ")
    )
}

/// Whether `program` can be started from the search path; a missing one is reported.
pub(crate) fn is_here(report: &mut Report, program: &str) -> bool {
    let found =
        std::process::Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let here = found.is_ok_and(|output| output.status.success());
    if !here {
        report.miss(program, "install it from your distribution");
    }
    here
}

/// The `limit` program.
pub(crate) fn limit(setting: &Setting, report: &mut Report) -> Option<PathBuf> {
    let found = setting.limit.clone().filter(|path| path.exists());
    if found.is_none() {
        report.miss("limit", "build bench/limit and name it with --limit");
    }
    found
}

/// A program of the peers' Python environments, such as `su/bin/sqlite-utils`.
pub(crate) fn of_venvs(setting: &Setting, report: &mut Report, program: &str) -> Option<PathBuf> {
    let found =
        setting.venvs.as_ref().map(|folder| folder.join(program)).filter(|path| path.exists());
    if found.is_none() {
        report.miss(program, &format!("{SET_UP} and name the folder with --venvs"));
    }
    found
}

/// One of the peers' own scripts.
pub(crate) fn script(setting: &Setting, report: &mut Report, name: &str) -> Option<PathBuf> {
    let found =
        setting.scripts.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists());
    if found.is_none() {
        report.miss(name, "name the folder bench of the hand-over with --scripts");
    }
    found
}

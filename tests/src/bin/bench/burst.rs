//! Row 8: a burst of small files, from the first that is dropped to the last that is dealt with.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::ensure;
use marsad_tests::{
    bank,
    daemon::{Daemon, Home},
    partner::PartnerFile,
};

use super::{
    Setting,
    measure::{Cost, Watched},
    report::{Figure, Report},
};

const OURS: &str = "marsad, all taken";
const DROP: &str = "the drop";
/// Between two looks at the folder: far less than is measured.
const LOOK: Duration = Duration::from_millis(10);

pub(crate) async fn run(setting: &Setting, files: u32) -> anyhow::Result<Report> {
    let mut report = Report::new(format!("burst: {files} files of one row, renamed in"));
    for _ in 0..setting.rounds {
        let (drop, taken) = burst(files).await?;
        report.add(DROP, drop);
        report.add(OURS, taken);
    }
    report.compare(OURS, DROP, Figure::Wall, 2.0);
    report.bound(OURS, Figure::Peak, 128.0, "MiB");
    Ok(report)
}

/// What it took to drop them, and for the daemon to take them all, both from the first one on.
async fn burst(files: u32) -> anyhow::Result<(Cost, Cost)> {
    let home = Home::new()?;
    let (folder, apart) = (home.join("in"), home.join("apart"));
    fs::create_dir(&folder)?;
    fs::create_dir(&apart)?;
    let mut file = PartnerFile::new("office");
    file.connection("drop", &format!("import = \"{}\"\n", folder.display()));
    file.add(
        "\n[[feed]]\nid = \"rows\"\nconnection = \"drop\"\nfiles = \"*.csv\"\nkey = [\"id\"]\n\
         fields = { id = \"integer\", value = \"text\" }",
    );
    home.partner(&file)?;
    let daemon = Daemon::start_quietly(home).await?;
    let watched = Watched::start(daemon.pid()?)?;
    let put = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || drop_all(&apart, &folder, files))
    };
    let dropped = put.await??;
    while is_left(&folder)? {
        tokio::time::sleep(LOOK).await;
    }
    let taken = watched.stop()?;
    let rows = bank::number(&daemon.state_dir(), "cache.db", "SELECT count(*) FROM office__rows")?;
    ensure!(rows == i64::from(files), "{rows} rows of {files} files\n{}", daemon.log());
    Ok((dropped, taken))
}

/// Writes each file apart and renames it in.
fn drop_all(apart: &Path, folder: &Path, files: u32) -> anyhow::Result<Cost> {
    let began = tokio::time::Instant::now();
    for number in 0..files {
        let (part, name) = (apart.join("part"), format!("{number:06}.csv"));
        fs::write(&part, format!("id,value\n{number},a value\n"))?;
        fs::rename(&part, folder.join(name))?;
    }
    Ok(Cost { wall_s: began.elapsed().as_secs_f64(), ..Cost::default() })
}

/// Whether a file is still there that is not dealt with.
fn is_left(folder: &Path) -> anyhow::Result<bool> {
    let entries: Vec<PathBuf> = fs::read_dir(folder)?
        .take(2)
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    Ok(entries.iter().any(|path| !path.ends_with("done")))
}

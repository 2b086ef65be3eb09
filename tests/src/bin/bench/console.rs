//! Row 10: the console's first useful frame, from a cold process, daemon up and down.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    time::Duration,
};

use marsad_tests::{
    build::programs,
    daemon::{Daemon, Home, LIMIT},
    partner::{Paging, Truth, api::Plan, data::VISITS},
    screen::Screen,
};
use tokio::time::Instant;

use super::{
    Setting,
    measure::Cost,
    peers,
    report::{Figure, Report},
};

/// A frame this late is not within the budget of row 10.
const BUDGET: Duration = Duration::from_millis(50);
/// How often a cold start is measured in each round.
const STARTS: usize = 10;

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<Report> {
    let rows = setting.rows;
    let mut report =
        Report::new(format!("first-frame: the console over {rows} rows, from a cold process"));
    let api = Plan::new("health", &VISITS, Paging::Cursor).rows(rows).page(10_000).start().await?;
    let daemon = Daemon::start_quietly(Home::with(&[&api.file("1h")])?).await?;
    let began = Instant::now();
    // A bank of many rows takes longer to fill than anything that `until` waits for at once.
    while daemon.client.feed(&api.feed()).await?.rows < rows && began.elapsed() < LIMIT * 10 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let marsad = &programs()?.marsad;
    let csv = daemon.home.join("visits.csv");
    write_csv(&api.truth(), &csv)?;
    let (config, state) = (daemon.home.config(), daemon.state_dir());
    let (config, state) = (config.to_string_lossy(), state.to_string_lossy());
    let useful = |text: &str| text.contains("health");
    for _ in 0..setting.rounds {
        for _ in 0..STARTS {
            report.add("marsad, daemon up", first(marsad, &["--config", &config], useful).await?);
            report.add("marsad, offline", first(marsad, &["--offline", &state], useful).await?);
        }
        peers(setting, &mut report, &csv).await?;
    }
    for ours in ["marsad, daemon up", "marsad, offline"] {
        report.bound(ours, Figure::Wall, BUDGET.as_secs_f64(), "s");
        report.compare(ours, "visidata", Figure::Wall, 0.1);
        report.compare(ours, "lnav", Figure::Wall, 0.05);
    }
    Ok(report)
}

/// From the start of a program to the frame that is of use.
async fn first(
    program: &Path,
    arguments: &[&str],
    useful: impl Fn(&str) -> bool,
) -> anyhow::Result<Cost> {
    let began = Instant::now();
    let mut screen = Screen::open(program, arguments, (140, 40))?;
    screen.until("the first useful frame", useful).await?;
    let wall_s = began.elapsed().as_secs_f64();
    let peak_mib = super::measure::resident(screen.pid()?)?;
    Ok(Cost { wall_s, cpu_s: 0.0, peak_mib })
}

/// The same rows as a CSV file, which is what these programs open.
async fn peers(setting: &Setting, report: &mut Report, csv: &Path) -> anyhow::Result<()> {
    let csv = csv.to_string_lossy();
    let useful = |text: &str| text.contains("V00000");
    if let Some(visidata) = peers::of_venvs(setting, report, "vd/bin/vd") {
        report.add("visidata", first(&visidata, &["--config", "/dev/null", &csv], useful).await?);
    }
    if peers::is_here(report, "lnav") {
        report.add("lnav", first(Path::new("lnav"), &["-N", &csv], useful).await?);
    }
    Ok(())
}

fn write_csv(truth: &Truth, into: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(into)?);
    let mut line = truth.dataset.csv_header();
    for number in 0..truth.len() {
        truth.dataset.csv_line(&truth.row(number), &mut line);
        file.write_all(line.as_bytes())?;
        line.clear();
    }
    Ok(file.flush()?)
}

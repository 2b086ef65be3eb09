//! Row 5: paginated JSON into a keyed table.

use anyhow::ensure;
use marsad_shared::run::Outcome;
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::PartnerFile,
};

use super::{
    Setting,
    input::{FIELDS, Input},
    measure::{Watched, of_command},
    peers,
    report::{Figure, Report},
    serve,
};

const OURS: &str = "marsad";

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<Report> {
    let input = Input::of(setting)?;
    let pages = input.pages();
    let mut report = Report::new(format!("pages: {pages} pages of JSON into a keyed table"));
    let server = serve::start(input.folder.clone()).await?;
    let port = server.address().port();
    for _ in 0..setting.rounds {
        ours(port, pages, &mut report).await?;
        let work = tempfile::tempdir()?;
        if let Some(limit) = peers::limit(setting, &mut report) {
            let db = work.path().join("limit.db");
            let command = format!(
                "{} pages --port {port} --n {pages} --db {} > /dev/null",
                limit.display(),
                db.display()
            );
            let cost = tokio::task::spawn_blocking(move || of_command(&command)).await??;
            report.add("limit pages", cost);
        }
        let python = peers::of_venvs(setting, &mut report, "dlt/bin/python");
        let script = peers::script(setting, &mut report, "peer_dlt.py");
        if let (Some(python), Some(script)) = (python, script) {
            let db = work.path().join("dlt.db");
            let (python, script, db) = (python.display(), script.display(), db.display());
            let command = format!("{python} {script} rest {port} {db} sqlite {pages} > /dev/null");
            let cost = tokio::task::spawn_blocking(move || of_command(&command)).await??;
            report.add("dlt rest_api", cost);
        }
    }
    report.compare(OURS, "dlt rest_api", Figure::Wall, 1.0 / 15.0);
    report.compare(OURS, "dlt rest_api", Figure::Cpu, 1.0 / 15.0);
    report.compare(OURS, "dlt rest_api", Figure::Peak, 0.5);
    report.compare(OURS, "limit pages", Figure::Cpu, 1.5);
    Ok(report)
}

/// From a daemon that has nothing to the end of its first run.
async fn ours(port: u16, pages: u64, report: &mut Report) -> anyhow::Result<()> {
    let home = Home::new()?;
    let mut daemon = Daemon::start_quietly(home).await?;
    let mut file = PartnerFile::new("statistics");
    file.connection("api", &format!("base_url = \"http://127.0.0.1:{port}\"\n"));
    file.add("\n[[feed]]\nid = \"records\"\nconnection = \"api\"\nkey = [\"record_id\"]\npath = \"/api\"");
    file.add(
        "records = \"$.data[*]\"\npagination = { kind = \"page\", param = \"page\", start = 1 }",
    );
    file.add(&format!("schedule = {{ every = \"1h\" }}\nfields = {{ {FIELDS} }}"));
    daemon.sigterm().await?;
    daemon.home.partner(&file)?;
    daemon.go().await?;
    let watched = Watched::start(daemon.pid()?)?;
    let ended = async |client: &marsad_tests::daemon::Client| {
        let runs = client.runs("statistics/records").await?;
        Ok(runs.into_iter().find(|run| run.outcome != Outcome::Running))
    };
    let run = daemon.until("the first run", ended).await?;
    report.add(OURS, watched.stop()?);
    ensure!(
        run.outcome.is_good() && run.pages == pages + 1,
        "{} pages, {}: {:?}",
        run.pages,
        run.outcome,
        run.reason
    );
    Ok(())
}

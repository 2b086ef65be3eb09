//! Row 7: many feeds every ten seconds, with nothing new.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use anyhow::Context as _;
use marsad_shared::freshness::Freshness;
use marsad_tests::{
    daemon::{Daemon, Home, LIMIT},
    partner::PartnerFile,
};
use tokio::time::Instant;

use super::{
    Setting,
    measure::{Cost, Watched, of_command, resident},
    peers,
    report::Report,
    serve,
};

/// From one poll of a feed to the next, in seconds.
const EVERY_S: u64 = 10;

pub(crate) async fn run(
    setting: &Setting,
    feeds: &[u32],
    length: Duration,
) -> anyhow::Result<Report> {
    let mut report =
        Report::new(format!("idle: feeds polled every {EVERY_S} s, nothing new, for {length:?}"));
    let (server, asked) = serve::counting(std::env::temp_dir()).await?;
    let port = server.address().port();
    let mut each = Vec::new();
    for &count in feeds {
        let began = Instant::now();
        let daemon = polling(port, count, EVERY_S, "e").await?;
        let read_s = began.elapsed().as_secs_f64();
        let pid = daemon.pid()?;
        let (watched, before) = (Watched::start(pid)?, asked.load(Relaxed));
        tokio::time::sleep(length).await;
        let (cost, polls) = (watched.stop()?, asked.load(Relaxed) - before);
        let cost = Cost { peak_mib: resident(pid)?, ..cost };
        judge(&mut report, count, cost);
        let poll_us = cost.cpu_s * 1e6 / f64::from(u32::try_from(polls)?.max(1));
        report.note(format!(
            "marsad {count}: all read, and at rest, {read_s:.1} s after its first start; {polls} polls, {poll_us:.0} us of CPU each"
        ));
        each.push((count, poll_us));
        report.add(&format!("marsad {count}"), cost);
        drop(daemon);
        if let Some(limit) = peers::limit(setting, &mut report) {
            let work = tempfile::tempdir()?;
            let (limit, db, secs) =
                (limit.display(), work.path().join("poll.db"), length.as_secs());
            let command = format!(
                "{limit} poll --port {port} --n {count} --interval {EVERY_S} --secs {secs} --mode 304 --db {} > /dev/null",
                db.display()
            );
            let cost = tokio::task::spawn_blocking(move || of_command(&command)).await??;
            report.add(&format!("limit poll {count}"), cost);
        }
    }
    if let [(few, less), .., (many, more)] = each[..] {
        let grown = more / less;
        let kept = if grown <= 1.0 { "kept" } else { "NOT KEPT" };
        report.note(format!(
            "CPU a poll from {few} to {many} feeds: {grown:.2}x; budget 1.00x: {kept}"
        ));
    }
    Ok(report)
}

/// A daemon whose `count` feeds have all been read once, and are polled every `every_s` seconds at the server's `folder`.
pub(crate) async fn polling(
    port: u16,
    count: u32,
    every_s: u64,
    folder: &str,
) -> anyhow::Result<Daemon> {
    let home = Home::new()?;
    let mut file = PartnerFile::new("statistics");
    file.connection("api", &format!("base_url = \"http://127.0.0.1:{port}\"\n"));
    for number in 0..count {
        file.add(&format!(
            "\n[[feed]]\nid = \"e{number}\"\nconnection = \"api\"\nkey = [\"record_id\"]\npath = \"/{folder}/{number}.json\"\n\
             records = \"$.records[*]\"\nschedule = {{ every = \"{every_s}s\" }}\nfreshness = {{ every = \"1h\" }}\n\
             fields = {{ record_id = \"text\", status = \"text\" }}"
        ));
    }
    home.partner(&file)?;
    let daemon = Daemon::start_quietly(home).await?;
    // Asked once a second: who looked with every event would be what is measured.
    let all = async {
        loop {
            let status = daemon.client.status().await.with_context(|| daemon.log())?;
            let fresh = status.feeds.get(Freshness::Fresh.word()).copied().unwrap_or_default();
            if fresh >= u64::from(count) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let read = tokio::time::timeout(LIMIT * 4, all).await;
    read.with_context(|| format!("{count} feeds are not read in time\n{}", daemon.log()))??;
    tokio::time::timeout(LIMIT * 4, settled(daemon.pid()?, every_s))
        .await
        .with_context(|| format!("{count} feeds: the daemon does not come to rest"))??;
    Ok(daemon)
}

/// Waits until the process `pid` works no less than before: what the first reads left to be written is no poll's cost.
async fn settled(pid: u32, every_s: u64) -> anyhow::Result<()> {
    // Of a wave that takes `every_s`, whole ones are compared.
    let length = Duration::from_secs(every_s.max(3));
    let mut before = f64::INFINITY;
    loop {
        let watched = Watched::start(pid)?;
        tokio::time::sleep(length).await;
        let now = watched.stop()?.cpu_s;
        // Less by a twentieth, or by a hundredth of a second, is the machine's own unrest.
        if now >= (before * 0.95).min(before - 0.01) {
            return Ok(());
        }
        before = now;
    }
}

fn judge(report: &mut Report, count: u32, cost: Cost) {
    let share = cost.cpu_s / cost.wall_s * 100.0;
    // Between the two sizes of the budget there is none: the larger one's holds.
    let (most_share, most_mib) = match count {
        0..=100 => (0.6, 24.0),
        _ => (20.0, 32.0 + f64::from(count) * 32.0 / 1024.0),
    };
    for (what, value, most, unit) in
        [("CPU", share, most_share, "% of a core"), ("resident", cost.peak_mib, most_mib, "MiB")]
    {
        let kept = if value <= most { "kept" } else { "NOT KEPT" };
        report
            .note(format!("{what} of marsad {count}: {value:.2} {unit}; budget {most:.2}: {kept}"));
    }
}

//! A process that may open few files, and clients who would take all of them: the work goes on (security F5).

use std::{fs, os::unix::net::UnixStream, process::Command};

use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{Office, Truth, data::REQUESTS},
};

use crate::waits;

/// Idle clients; a console keeps one or two.
const CLIENTS: usize = 300;

#[tokio::test]
async fn clients_who_take_every_file_do_not_stop_the_work() -> anyhow::Result<()> {
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&REQUESTS, 5, 20))?;
    home.partner(&office.file("1s"))?;
    let daemon = Daemon::start(home).await?;
    let pid = daemon.pid()?.to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, "--nofile=40:40"]).status()?;
    assert!(limited.success(), "prlimit of util-linux has to be there");
    let socket = daemon.path().join("run/marsad.sock");
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| UnixStream::connect(&socket)).collect::<Result<_, _>>()?;
    // Rows in the bank, read beside the daemon: through the socket nobody else comes in just now.
    office.drop_file("requests-1.csv", office.csv().as_bytes())?;
    let until = std::time::Instant::now() + marsad_tests::daemon::LIMIT;
    while office.left()[1].is_empty() {
        assert!(std::time::Instant::now() < until, "no import\n{}", daemon.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let open = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    assert!(open < 40, "{open} files are open");
    drop(clients);
    waits::same_rows(&daemon, &office, &office.truth).await
}

//! The demo, as somebody new would run it: on a terminal, and where there is none.

use std::path::Path;

use marsad_tests::{
    daemon::LIMIT,
    screen::{ENTER, Screen},
};
use nix::sys::signal::{Signal, kill};

const DEMO: &str = env!("CARGO_BIN_EXE_demo");

#[tokio::test]
async fn on_a_terminal_it_opens_the_console_and_ends_well_once_all_healthy_feeds_were_fresh()
-> anyhow::Result<()> {
    let mut screen = Screen::open(Path::new(DEMO), &["--seed", "7"], (120, 40))?;
    screen
        .until("the console, live", |text| text.contains("LIVE") && text.contains("Needs you now"))
        .await?;
    screen.until("six healthy feeds", |text| text.contains("6 up to date")).await?;
    screen.until("what is dead", |text| text.contains("municipality")).await?;
    screen.keys(":")?;
    screen.keys("quit")?;
    screen.until("the command", |text| text.contains("quit")).await?;
    screen.keys(ENTER)?;
    assert_eq!(screen.until_ended().await?, 0, "{}", screen.text());
    assert!(screen.is_plain(), "the terminal is given back");
    assert!(screen.text().contains("all 6 healthy partners became fresh"), "{}", screen.text());
    Ok(())
}

#[tokio::test]
async fn without_a_terminal_it_prints_the_status_and_ctrl_c_ends_it_in_order() -> anyhow::Result<()>
{
    ends_in_order(Signal::SIGINT).await
}

#[tokio::test]
async fn where_its_terminal_goes_it_goes_too_and_leaves_nothing() -> anyhow::Result<()> {
    ends_in_order(Signal::SIGHUP).await
}

async fn ends_in_order(signal: Signal) -> anyhow::Result<()> {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let folder = tempfile::tempdir()?;
    let mut command = tokio::process::Command::new(DEMO);
    command
        .arg("--headless")
        .env("TMPDIR", folder.path())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let status = async {
        while let Some(line) = lines.next_line().await? {
            if line.starts_with("connections") {
                return Ok(line);
            }
        }
        anyhow::bail!("it ended before it showed anything")
    };
    tokio::time::timeout(LIMIT * 3, status).await??;
    let pid = i32::try_from(child.id().expect("it runs"))?;
    kill(nix::unistd::Pid::from_raw(pid), signal)?;
    let mut last = String::new();
    while let Some(line) = lines.next_line().await? {
        last = line;
    }
    let ended = tokio::time::timeout(LIMIT, child.wait()).await??;
    assert!(matches!(ended.code(), Some(0 | 1)), "{ended}");
    assert!(last.starts_with("demo: "), "it says how it went: {last}");
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 0, "nothing is left behind");
    Ok(())
}

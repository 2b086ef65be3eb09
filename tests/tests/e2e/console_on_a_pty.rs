//! The console as a person has it: `marsad` on a terminal, its screen read, its keys pressed.

use marsad_tests::{
    build::programs,
    daemon::{Daemon, Home},
    partner::{
        Api, Paging,
        api::Plan,
        data::{NOTICES, VISITS},
    },
    screen::{CTRL_Z, ENTER, ESCAPE, Screen},
};
use nix::sys::signal::Signal;

use crate::waits;

async fn with_partners() -> anyhow::Result<(Daemon, Api, Api)> {
    let health = Plan::new("health", &VISITS, Paging::Cursor).start().await?;
    let child = Plan::new("child-protection", &NOTICES, Paging::Offset).start().await?;
    let home = Home::with(&[
        health.file("1h").promise("2h", "15m", "4h"),
        child.file("1h").promise("2h", "15m", "4h"),
    ])?;
    let daemon = Daemon::start(home).await?;
    waits::good_run(&daemon, &health.feed(), 0).await?;
    waits::good_run(&daemon, &child.feed(), 0).await?;
    Ok((daemon, health, child))
}

async fn open(daemon: &Daemon, size: (u16, u16)) -> anyhow::Result<Screen> {
    let config = daemon.home.config();
    let mut screen =
        Screen::open(&programs()?.marsad, &["--config", &config.to_string_lossy()], size)?;
    screen
        .until("Overview, live", |text| text.contains("Needs you now") && text.contains("LIVE"))
        .await?;
    Ok(screen)
}

/// Filters the feeds down to one, as fast as a person types: what comes faster is taken for pasted text.
async fn only_visits(screen: &mut Screen) -> anyhow::Result<()> {
    screen.keys("3")?;
    screen
        .until("both feeds", |text| {
            text.contains("3 Data feeds (2)") && text.contains("child-protection")
        })
        .await?;
    screen.keys("/")?;
    for (at, letter) in "visits".char_indices() {
        screen.keys(&letter.to_string())?;
        let typed = "visits".get(..=at).unwrap_or_default();
        screen
            .until(typed, |text| {
                text.lines().any(|line| {
                    line.trim_end().ends_with(typed) || line.contains(&format!("/{typed}"))
                })
            })
            .await?;
    }
    screen.keys(ENTER)?;
    screen
        .until("one feed", |text| {
            text.contains("health/visits") && !text.contains("child-protection")
        })
        .await?;
    Ok(())
}

#[tokio::test]
async fn it_opens_in_overview_and_each_view_is_a_key_away() -> anyhow::Result<()> {
    let (daemon, ..) = with_partners().await?;
    for size in [(80, 24), (120, 40)] {
        let mut screen = open(&daemon, size).await?;
        for (key, word) in [
            ("2", "health/api"),
            ("3", "health/visits"),
            ("4", "Exchanges"),
            ("5", "Quarantine"),
            ("6", "r1"),
            ("1", "Needs you now"),
        ] {
            screen.keys(key)?;
            screen.until(&format!("{word} after {key}"), |text| text.contains(word)).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn it_drills_down_filters_and_steps_back() -> anyhow::Result<()> {
    let (daemon, ..) = with_partners().await?;
    let mut screen = open(&daemon, (120, 40)).await?;
    only_visits(&mut screen).await?;
    screen.keys(ENTER)?;
    screen.until("what is behind it", |text| text.contains("Data feeds › ")).await?;
    screen.keys(ESCAPE)?;
    screen.until("the filtered list again", |text| text.contains("3 Data feeds (1)")).await?;
    screen.keys(ESCAPE)?;
    screen.until("all of it again", |text| text.contains("child-protection")).await?;
    screen.keys("?")?;
    screen.until("help", |text| text.contains("Half a page down")).await?;
    screen.keys(ESCAPE)?;
    // A key right behind Esc would be one key with it.
    screen.until("no help", |text| !text.contains("Half a page down")).await?;
    screen.keys(":")?;
    screen.keys("quit")?;
    screen.until("the command", |text| text.contains("quit")).await?;
    screen.keys(ENTER)?;
    assert_eq!(screen.until_ended().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_resync_is_previewed_and_enter_does_not_start_it() -> anyhow::Result<()> {
    let (daemon, health, _child) = with_partners().await?;
    let before = waits::last(&daemon, &health.feed()).await?;
    let mut screen = open(&daemon, (120, 40)).await?;
    only_visits(&mut screen).await?;
    screen.keys("r")?;
    screen
        .until("the preview", |text| {
            text.contains("y accepts") && text.contains("none of them is lost")
        })
        .await?;
    screen.keys(ENTER)?;
    // What follows Enter shows on the screen: by then Enter was dealt with.
    screen.keys("f")?;
    screen.until("the other scope", |text| text.contains("(x) Full")).await?;
    // Past a look first, a day and a week, back to where it began.
    screen.keys("ffff")?;
    screen
        .until("the preview again", |text| {
            text.contains("(x) Incremental") && text.contains("none of them is lost")
        })
        .await?;
    assert_eq!(waits::last(&daemon, &health.feed()).await?, before, "Enter is not consent");
    screen.keys("y")?;
    let run = waits::good_run(&daemon, &health.feed(), before).await?;
    assert_eq!(run.trigger.word(), "person");
    screen.until("what it brought", |text| text.contains("No change")).await?;
    Ok(())
}

#[tokio::test]
async fn it_shows_what_changes_without_being_asked() -> anyhow::Result<()> {
    let (daemon, health, _child) = with_partners().await?;
    let mut screen = open(&daemon, (120, 40)).await?;
    screen.keys("3")?;
    screen.until("250 rows", |text| text.contains("3 Data feeds") && text.contains("250")).await?;
    health.truth().grow(83);
    daemon.client.resync(&health.feed(), false).await?;
    screen.until("333 rows", |text| text.contains("333")).await?;
    Ok(())
}

#[tokio::test]
async fn when_the_daemon_goes_away_it_says_so_keeps_what_it_knows_and_comes_back()
-> anyhow::Result<()> {
    let (mut daemon, health, _child) = with_partners().await?;
    let mut screen = open(&daemon, (120, 40)).await?;
    screen.keys("3")?;
    screen
        .until("the feeds", |text| text.contains("3 Data feeds") && text.contains("health/visits"))
        .await?;
    daemon.kill9().await?;
    let gone = |text: &str| !text.contains("LIVE") && text.contains("health/visits");
    screen.until("the banner over the data", gone).await?;
    daemon.go().await?;
    screen.until("live again", |text| text.contains("LIVE")).await?;
    health.truth().grow(83);
    daemon.client.resync(&health.feed(), false).await?;
    screen.until("333 rows", |text| text.contains("333")).await?;
    Ok(())
}

#[tokio::test]
async fn the_terminal_is_as_it_was_after_sigterm_and_over_ctrl_z() -> anyhow::Result<()> {
    let (daemon, ..) = with_partners().await?;
    let (program, config) =
        (programs()?.marsad.display().to_string(), daemon.home.config().display().to_string());
    let mut screen = Screen::shell(daemon.path(), (100, 30))?;
    screen.until_text("$ ").await?;
    screen.keys(&format!("'{program}' --config '{config}'{ENTER}"))?;
    screen.until_text("LIVE").await?;
    assert!(!screen.is_plain());

    screen.keys(CTRL_Z)?;
    screen
        .until("the shell again", |text| text.contains("topped") && !text.contains("LIVE"))
        .await?;
    assert!(screen.is_plain(), "left in order");
    assert_cooked(&mut screen, "one").await?;
    screen.keys(&format!("fg{ENTER}"))?;
    screen.until_text("LIVE").await?;
    screen.keys("3")?;
    screen.until_text("3 Data feeds").await?;

    let console = child_of(screen.pid()?)?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(console), Signal::SIGTERM)?;
    screen
        .until("the shell again", |text| !text.contains("LIVE") && text.trim_end().ends_with('$'))
        .await?;
    assert!(screen.is_plain(), "left in order");
    assert_cooked(&mut screen, "two").await
}

/// What is typed is shown, and lines are lines: the shell finds its terminal as it left it.
async fn assert_cooked(screen: &mut Screen, mark: &str) -> anyhow::Result<()> {
    screen.keys(&format!("stty -a; echo mark-$((40+2))-{mark}{ENTER}"))?;
    let text = screen.until_text(&format!("mark-42-{mark}")).await?;
    for mode in ["icanon", "echo", "isig", "icrnl", "opost"] {
        let words = || text.split(|c: char| c.is_whitespace() || c == ';');
        assert!(words().any(|word| word == mode), "{mode} is off:\n{text}");
    }
    Ok(())
}

/// The process that a shell has started.
fn child_of(shell: u32) -> anyhow::Result<i32> {
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
    let first = children
        .split_whitespace()
        .next()
        .ok_or_else(|| anyhow::anyhow!("the shell has no child"))?;
    Ok(first.parse()?)
}

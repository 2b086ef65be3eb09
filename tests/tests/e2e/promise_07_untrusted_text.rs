//! Promise 7: nothing from outside reaches a terminal, a log or an export raw: control characters, escape sequences and
//! bidi overrides are shown, not obeyed.

use marsad_shared::feed::FieldType;
use marsad_tests::{
    daemon::{Daemon, Home},
    partner::{
        Dataset, Fault, Office, Paging, Truth,
        api::Plan,
        data::{Column, Make, VISITS},
    },
    screen::{ENTER, Screen},
};

use crate::waits;

/// Sets the title, asks for a report, writes the clipboard, clears, rings, turns the direction, hides, and 8-bit CSI.
const HOSTILE: &[&str] = &[
    "\u{1b}]0;owned\u{7}title",
    "\u{1b}[6nreport",
    "\u{1b}]52;c;b3duZWQ=\u{7}clipboard",
    "\u{1b}[2J\u{1b}[Hcleared",
    "\u{202e}reversed\u{202c}",
    "\u{2066}isolated",
    "\u{9b}31mred",
    "a\u{200b}\u{feff}b\r\nc",
    "\u{e0041}tag",
];

static EVIL: Dataset = Dataset {
    feed: "evil",
    columns: &[
        Column { name: "id", kind: FieldType::Text, sensitive: false, make: Make::Key("X") },
        Column { name: "words", kind: FieldType::Text, sensitive: false, make: Make::One(HOSTILE) },
        Column {
            name: "updated_at",
            kind: FieldType::Timestamp,
            sensitive: false,
            make: Make::Changed,
        },
    ],
};

/// The characters that no text from outside may bring to a terminal.
fn is_bad(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn is_clean(what: &str, text: &str) {
    let found: Vec<_> = text.char_indices().filter(|(_, c)| is_bad(*c)).take(5).collect();
    assert!(found.is_empty(), "{what} says {found:?} raw:\n{text:?}");
}

#[tokio::test]
async fn promise_7_hostile_text_is_shown_and_not_obeyed_wherever_it_comes_out() -> anyhow::Result<()>
{
    let api = Plan::new("health", &EVIL, Paging::Cursor).rows(40).start().await?;
    let bad = Plan::new("police", &VISITS, Paging::Cursor).start().await?;
    bad.switch().set(Fault::Html);
    let home = Home::new()?;
    let office = Office::new("housing", &home.join("in"), Truth::new(&EVIL, 5, 20))?;
    home.partner(&api.file("1h"))?;
    home.partner(&bad.file("2s"))?;
    home.partner(office.file("2s").add("# whatever its name"))?;
    let daemon = Daemon::start(home).await?;
    let mut csv = office.csv();
    csv.push_str("X9,\u{1b}]0;owned\u{7},\u{1b}[31mno date\u{202e}\nX10,\u{1b}[2J\n");
    office.drop_file("evil-\u{1b}]0;owned\u{7}\u{202e}.csv", csv.as_bytes())?;
    waits::same(&daemon, &api).await?;
    waits::quarantined(&daemon, "housing/evil", 2).await?;
    waits::failed_run(&daemon, "police/visits", 0).await?;

    for arguments in [
        vec!["status"],
        vec!["records", "health/evil", "--limit", "0"],
        vec!["records", "housing/evil"],
        vec!["quarantine"],
        vec!["runs"],
        vec!["feeds"],
        vec!["connections"],
        vec!["audit"],
    ] {
        let said = daemon.cli(&arguments).await?;
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        is_clean(&format!("{arguments:?}"), &said.out);
        let said = daemon.cli(&[&arguments[..], &["--json"]].concat()).await?;
        is_clean(&format!("{arguments:?} --json"), &said.out);
    }
    let first =
        daemon.json(&["quarantine"]).await?[0]["id"].as_str().unwrap_or_default().to_owned();
    is_clean("quarantine show", &daemon.cli(&["quarantine", "show", &first]).await?.out);
    let said = daemon.cli(&["feeds", "show", "\u{1b}]0;owned\u{7}/\u{202e}"]).await?;
    is_clean("an error", &said.err);
    is_clean("the log", &daemon.log());
    Ok(())
}

#[tokio::test]
async fn promise_7_hostile_text_cannot_reach_the_terminal_through_the_console() -> anyhow::Result<()>
{
    let api = Plan::new("health", &EVIL, Paging::Cursor).rows(40).start().await?;
    let daemon = Daemon::start(Home::with(&[&api.file("1h")])?).await?;
    waits::same(&daemon, &api).await?;
    let config = daemon.home.config();
    let programs = marsad_tests::build::programs()?;
    let mut screen =
        Screen::open(&programs.marsad, &["--config", &config.to_string_lossy()], (120, 40))?;
    screen.until_text("LIVE").await?;
    screen.keys("7")?;
    screen
        .until("the feeds that have records", |text| {
            text.contains("Records") && text.contains("health/evil")
        })
        .await?;
    screen.keys(ENTER)?;
    screen.until("the records", |text| text.contains("X0000000")).await?;
    screen
        .until("what is hostile, shown", |text| text.contains("title") || text.contains("report"))
        .await?;
    let bytes = screen.bytes();
    let sent = String::from_utf8_lossy(&bytes);
    for (sequence, what) in [
        ("\u{1b}]0;owned", "a title"),
        ("\u{1b}]52;c;b3duZWQ", "the clipboard"),
        ("\u{1b}[6nreport", "a report"),
        ("\u{202e}", "an override"),
        ("\u{2066}", "an isolate"),
        ("\u{9b}", "an 8-bit introducer"),
        ("\u{200b}", "a zero-width space"),
        ("\u{e0041}", "a tag"),
    ] {
        assert!(!sent.contains(sequence), "{what} reached the terminal");
    }
    Ok(())
}
